"""From the JSON of a rule set to conditions, with every mistake told by its path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeGuard

from msgspec import Struct

from guerdon.engine import conditions_items, conditions_limits
from guerdon.engine.bundle import Bundle, parse_bundle
from guerdon.engine.conditions import ALLOWED, TEXTS, Condition, Fact
from guerdon.engine.conditions_items import kind_of
from guerdon.engine.entries import ItemScope
from guerdon.engine.fault import EngineError
from guerdon.engine.judging import NAMES
from guerdon.engine.logic import MAX_LENGTH, Logic, all_of, parse_logic
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.operators import MAX_OPERANDS, MAX_TEXT, OPERATORS, check_operands, number_of
from guerdon.engine.scope import parse_scope
from guerdon.engine.tally import LIMITS

MAX_CONDITIONS = 100
MAX_NESTED = 5
MAX_COLLECTIONS = 50
"""How many collections the items of one condition may name; their members are looked through line by line."""
MAX_SEARCHED = 100
"""How many texts all `$contains`, `$starts_with` and `$ends_with` of a set may look for together."""
MAX_VALUES = 10_000
"""How many values all rules of a set may have together."""
MAX_NAME = 300
INVALID = "invalid_validation_rules"


NO_RULES: dict[str, Condition] = {}


class Counter(Struct):
    """What is counted over a whole rule set."""

    conditions: int = 0
    searched: int = 0
    values: int = 0
    collections: int = 0


class Body(Struct, frozen=True):
    """One rule, its parts checked one by one but not yet compiled."""

    key: str
    fact: Fact
    property: str | None
    operators: dict[str, tuple[Any, ...]]
    nested: Any
    error: str | None
    path: str


def fail(path: str, message: str) -> NoReturn:
    """A mistake at a path of the rule set."""
    raise EngineError(path, message, INVALID)


def is_object(raw: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a JSON object; a dict, nearly always, and asking for a Mapping is slow."""
    return type(raw) is dict or isinstance(raw, Mapping)


def parse_conditions(raw: Any, path: str) -> tuple[dict[str, Condition], Logic | None]:
    """The conditions and the logic of `rules`; without a logic all must hold."""
    return _parse_rules(raw, path, Counter(), 0)


def _bodies(raw: Any, path: str, counter: Counter, depth: int, within: str) -> Iterator[Body]:
    if not is_object(raw):
        fail(path, "must be an object with a rule under each key")
    if depth > MAX_NESTED:
        fail(path, f"is nested more than {MAX_NESTED} deep")
    for key, rule in raw.items():
        if key == "logic":
            continue
        counter.conditions += 1
        if counter.conditions > MAX_CONDITIONS:
            fail(path, f"the set has more than {MAX_CONDITIONS} rules")
        if len(str(key)) > MAX_NAME:
            fail(path, f"has a key of more than {MAX_NAME} characters")
        yield _body(str(key), rule, f"{path}.{key}", counter, within)


def _logic(raw: Mapping[str, Any], keys: Sequence[str], path: str) -> Logic | None:
    written = raw.get("logic")
    if written is None:
        return all_of(keys)
    if not isinstance(written, str | int) or isinstance(written, bool):
        fail(f"{path}.logic", "must be a text")
    if isinstance(written, int) and written.bit_length() > 64:
        fail(f"{path}.logic", f"must have at most {MAX_LENGTH} characters")
    return parse_logic(str(written), frozenset(keys), f"{path}.logic")


def _parse_rules(
    raw: Any, path: str, counter: Counter, depth: int, within: str = ""
) -> tuple[dict[str, Condition], Logic | None]:
    if raw is None:
        return {}, None
    bodies = list(_bodies(raw, path, counter, depth, within))
    parsed = {body.key: _condition(body, counter, depth, within) for body in bodies}
    return parsed, _logic(raw, list(parsed), path)


def _body(key: str, rule: Any, path: str, counter: Counter, within: str) -> Body:
    if not is_object(rule):
        fail(path, "must be a rule: an object with name and conditions")
    name = rule.get("name")
    fact = NAMES.get(name) if isinstance(name, str) else None
    if fact is None:
        fail(f"{path}.name", "is no name of a rule" if isinstance(name, str) else "must name the rule")
    if within and within != fact.within:
        fail(f"{path}.name", f"{fact.name} cannot be a sub-rule here")
    if within and not fact.within:
        fail(f"{path}.name", f"{fact.name} cannot be a sub-rule")
    property = rule.get("property")
    if property is not None and not isinstance(property, str):
        fail(f"{path}.property", "must be a text")
    if fact.property and not (isinstance(property, str) and 0 < len(property) <= MAX_NAME):
        fail(f"{path}.property", f"the rule {fact.name} needs a property of 1 to {MAX_NAME} characters")
    operators = _operators(fact, rule.get("conditions"), f"{path}.conditions", counter)
    error = parse_error(rule.get("error"), f"{path}.error")
    return Body(key, fact, property if fact.property else None, operators, rule.get("rules"), error, path)


def parse_error(raw: Any, path: str) -> str | None:
    """The custom text of `{"message": …}`, or None."""
    if raw is None:
        return None
    if not is_object(raw):
        fail(path, "must be an object with a message")
    message = raw.get("message")
    if message is not None and (not isinstance(message, str) or len(message) > MAX_TEXT):
        fail(f"{path}.message", f"must be a text of at most {MAX_TEXT} characters")
    return message or None


def _operators(fact: Fact, raw: Any, path: str, counter: Counter) -> dict[str, tuple[Any, ...]]:
    bare = fact.quantifier or fact.value == "nothing" or fact.name == "product.metadata"
    if raw is None or raw == {}:
        if bare:
            return {}
        fail(path, f"the rule {fact.name} needs a condition")
    if not is_object(raw):
        fail(path, "must be an object with a list of values under each operator")
    operators: dict[str, tuple[Any, ...]] = {}
    for operator, operands in raw.items():
        here = f"{path}.{str(operator)[:60]}"
        if operator not in OPERATORS:
            fail(here, "is no operator")
        if operator not in ALLOWED[fact.value]:
            fail(here, f"cannot be asked of {fact.name}")
        if fact.value == "items":
            _check_items(fact, operands, here, counter)
        else:
            check_operands(operator, operands, here)
            _check_values(fact, operator, operands, here)
        counter.values += len(operands)
        if counter.values > MAX_VALUES:
            fail(here, f"the set has more than {MAX_VALUES} values")
        if operator in TEXTS:
            counter.searched += len(operands)
        if counter.searched > MAX_SEARCHED:
            fail(here, f"the set looks for more than {MAX_SEARCHED} parts of texts")
        operators[operator] = tuple(operands)
    return operators


def _check_items(fact: Fact, operands: Any, path: str, counter: Counter) -> None:
    """Items are named by id, or as `{id, source_id, type, object}`."""
    if not isinstance(operands, list | tuple) or not operands:
        fail(path, "must be a list of items, and not empty")
    if len(operands) > MAX_OPERANDS:
        fail(path, f"must have at most {MAX_OPERANDS} values")
    for index, operand in enumerate(operands):
        entry = operand if is_object(operand) else {"id": operand}
        named = [entry.get("id"), entry.get("source_id")]
        if not all(name is None or (isinstance(name, str) and 0 < len(name) <= MAX_TEXT) for name in named):
            fail(f"{path}[{index}]", "must name an item by id or source_id")
        if named == [None, None]:
            fail(f"{path}[{index}]", "must name an item by id or source_id")
        kind = entry.get("object")
        if kind not in (None, "product", "sku", "products_collection"):
            fail(f"{path}[{index}].object", "must be product, sku or products_collection")
        if entry.get("type") not in (None, "product_or_sku", "products_collection", "product", "sku"):
            fail(f"{path}[{index}].type", "must be product_or_sku or products_collection")
        counter.collections += kind_of(entry) == "products_collection"
    if counter.collections > MAX_COLLECTIONS:
        fail(path, f"the set names more than {MAX_COLLECTIONS} collections")


def _check_values(fact: Fact, operator: str, operands: Sequence[Any], path: str) -> None:
    """Operands that the operator takes, but not for this fact."""
    for index, operand in enumerate(operands):
        here = f"{path}[{index}]"
        match fact.value:
            case "number" if number_of(operand) is None:
                fail(here, "must be a number")
            case "name" if not isinstance(operand, str) or not operand:
                fail(here, "must be a text")
            case "flag" if operand not in (True, False, "true", "false") or isinstance(operand, float):
                fail(here, "must be true or false")
            case "limit":
                _check_limit(operator, operand, here)


def _check_limit(operator: str, operand: Any, path: str) -> None:
    number = number_of(operand)
    if number is None or not 0 <= number <= MAX_AMOUNT or number != int(number):
        fail(path, f"must be a whole number up to {MAX_AMOUNT}")
    least = 2 if operator == "$less_than" else 1 if operator in conditions_limits.UPPER else 0
    if number < least:
        fail(path, f"must be at least {least}, or nothing could ever be redeemed")


def _condition(body: Body, counter: Counter, depth: int, within: str = "") -> Condition:
    """A rule with its nested rules: those of a rule on lines are about lines too."""
    path = f"{body.path}.rules"
    if not within and body.fact.name in conditions_items.FACTS and body.fact.name != "order.items.count":
        within = "items" if body.fact.name.startswith("order.") else body.fact.name.partition(".")[0]
    rules, logic = _parse_rules(body.nested or None, path, counter, depth + 1, within)
    return Condition(
        key=body.key,
        name=body.fact.name,
        property=body.property,
        conditions=body.operators,
        rules=rules or NO_RULES,
        logic=logic,
        error=body.error,
    )


class Names(Struct, frozen=True):
    """What conditions refer to."""

    after: bool
    limits: frozenset[str]
    segments: frozenset[str]
    collections: frozenset[str]
    asks_customer: bool
    asks_tiers: bool = False


def names_in(asked: Sequence[Condition], raw: Mapping[str, Any]) -> Names:
    """What the conditions that count, and the items of the set, refer to."""
    segments: set[str] = set()
    collections: set[str] = set()
    customer = after = False
    limits: set[str] = set()
    for condition in asked:
        fact = NAMES[condition.name]
        after = after or fact.after
        if condition.name in LIMITS:
            limits.add(condition.name)
        customer = customer or _asks_customer(fact)
        for operator, operands in condition.conditions.items():
            if condition.name == "customer.segment":
                segments.update(operands)
            elif fact.value == "items":
                collections.update(_collections(operands, operator))
    for part in ("applicable_to", "bundle_rules"):
        collections.update(_collections_below(raw.get(part), 0))
    tiers = any(condition.name == "customer.loyalty.tier" for condition in asked)
    return Names(after, frozenset(limits), frozenset(segments), frozenset(collections), customer, tiers)


def _asks_customer(fact: Fact) -> bool:
    if fact.name in LIMITS:
        return LIMITS[fact.name].by == "customer"
    return fact.group == "customer" or fact.value == "flag"


def _collections(operands: Sequence[Any], operator: str) -> Iterator[str]:
    for operand in operands:
        entry = operand if is_object(operand) else {"id": operand}
        if kind_of(entry) == "products_collection" or (operator == "$from" and entry.get("object") is None):
            yield from (name for name in (entry.get("id"), entry.get("source_id")) if isinstance(name, str))


def _collections_below(raw: Any, depth: int) -> Iterator[str]:
    if depth > 8:
        return
    if is_object(raw):
        if kind_of(raw) == "products_collection" and isinstance(raw.get("id"), str):
            yield raw["id"]
        for part in raw.values():
            yield from _collections_below(part, depth + 1)
    elif isinstance(raw, list | tuple):
        for part in raw:
            yield from _collections_below(part, depth + 1)


def parse_parts(raw: Mapping[str, Any]) -> tuple[ItemScope | None, Bundle | None]:
    """The scope and the bundle of a set, None where it has none."""
    applicable, bundle = raw.get("applicable_to"), raw.get("bundle_rules")
    return (
        None if applicable is None else parse_scope(applicable, "applicable_to"),
        None if bundle is None else parse_bundle(bundle, "bundle_rules"),
    )
