"""What a rule set cannot do without: requirements that follow from its logic, to be looked up in an index.

A condition such as ``order.items.any $is [prod_1]`` needs the token ``item:prod_1``; one such as ``order.amount
$more_than [5000]`` a number in a range. ``and`` needs what each of its parts needs, ``or`` what one of its parts
needs; conditions that may hold without anything that can be looked up need nothing. What is needed is never more
than what the rule asks; it may be less.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from guerdon.engine.bundle import Bundle
from guerdon.engine.conditions import Condition
from guerdon.engine.conditions_items import cover_of
from guerdon.engine.entries import Entry, ItemScope
from guerdon.engine.index_postings import ORDERLESS, Range, Requirement
from guerdon.engine.index_seen import CHEAPEST, DEAREST, LINE_METADATA, UNITS, value_token
from guerdon.engine.logic import Key, Logic
from guerdon.engine.operators import number_of
from guerdon.engine.rule import RuleSet

FAMILIES = frozenset({"customer", "order", "redemption"})
"""What conditions are about. The lines of the order, and products, belong to the order, and can be named alone: items."""
MOST = 4
"""So many requirements are kept of one rule set: one to find it by, the others to check."""
JOINED = 1000
"""An `or` whose parts need more tokens than this together needs nothing that is looked up."""
ANY_OF = ("$is", "$in")
LEAST = ("$more_than", "$more_than_or_equal", "$greater_than_or_equal")
MOST_OF = ("$less_than", "$less_than_or_equal")
VALUES = {
    "customer.segment": "customer.segment",
    "customer.loyalty.tier": "customer.loyalty.tier",
    "customer.metadata": "customer.metadata",
    "order.metadata": "order.metadata",
    "order.items.metadata": LINE_METADATA,
    "order.items.metadata_any": LINE_METADATA,
    "order.items.metadata_each": LINE_METADATA,
    "product.metadata": LINE_METADATA,
    "redemption.metadata": "redemption.metadata",
    "redemption.api_key": "redemption.api_key",
    "redemption.user.login": "redemption.user.login",
}
"""Names of conditions on values, and under which name their tokens stand."""
NUMBERS = {
    "order.amount": "order.amount",
    "order.initial_amount": "order.initial_amount",
    "order.items.count": UNITS,
}
PRICES = frozenset(
    {"order.items.price", "order.items.price_any", "order.items.price_each", "product.price", "sku.price"}
)
LINES = frozenset(
    {
        "order.items.any",
        "order.items.every",
        "order.items.cheapest",
        "order.items.most_expensive",
        "product.id",
        "sku.id",
    }
)

Needs = tuple[Requirement, ...]


def requirements(rule_set: RuleSet, families: frozenset[str], scoped: bool = False) -> list[Requirement]:
    """What must be so, or else the rule set cannot hold; all of them. None, an empty list: it may always hold.

    ``scoped`` says that the rule set is of no use either when no line is in its scope or its bundle is not there.
    """
    needs = list(_of_logic(rule_set.logic, rule_set.conditions, families))
    if scoped and ("order" in families or "items" in families):
        needs += _of_scope(rule_set.scope)
        needs += _of_bundle(rule_set.bundle)
    return _kept(needs)


def _kept(needs: Iterable[Requirement]) -> list[Requirement]:
    """The few most telling ones: tokens before ranges, few before many."""
    unlike = list(dict.fromkeys(needs))
    unlike.sort(key=lambda need: (len(need.ranges), len(need.tokens)))
    return unlike[:MOST]


def _of_logic(logic: Logic | None, conditions: Mapping[str, Condition], families: frozenset[str]) -> Needs:
    if logic is None:
        return ()
    if isinstance(logic, Key):
        return _of_condition(conditions[logic.key], families)
    parts = [_of_logic(part, conditions, families) for part in logic.parts]
    if logic.word == "and":
        return _together([need for needs in parts for need in needs])
    return _either(parts)


def _together(needs: list[Requirement]) -> Needs:
    """All of them; ranges of the same number become one."""
    low: dict[str, int] = {}
    high: dict[str, int] = {}
    others: list[Requirement] = []
    for need in needs:
        if need.tokens or len(need.ranges) != 1:
            others.append(need)
            continue
        span = need.ranges[0]
        if span.low is not None:
            low[span.measure] = max(span.low, low.get(span.measure, span.low))
        if span.high is not None:
            high[span.measure] = min(span.high, high.get(span.measure, span.high))
    for measure in {**low, **high}:
        first, last = low.get(measure), high.get(measure)
        if first is not None and last is not None and first > last:
            return (NEVER,)
        others.append(Requirement(ranges=(Range(measure, first, last),)))
    return tuple(_kept(others))


def _either(parts: list[Needs]) -> Needs:
    """What one of the parts needs: the most telling of each, put together."""
    if not all(parts):
        return ()
    tokens: frozenset[str] = frozenset()
    ranges: tuple[Range, ...] = ()
    for needs in parts:
        best = _kept(needs)[0]
        tokens |= best.tokens
        ranges += best.ranges
    if len(tokens) + len(ranges) > JOINED:
        return ()
    return (Requirement(tokens, ranges),)


NEVER = Requirement()
"""Cannot be met."""


def family_of(name: str) -> str:
    """What a condition of this name is about.

    >>> family_of("order.amount"), family_of("order.items.any"), family_of("sku.id")
    ('order', 'items', 'items')
    """
    if name.startswith(ITEMS):
        return "items"
    return name.partition(".")[0]


ITEMS = ("order.items", "product.", "sku.")


def _of_condition(condition: Condition, families: frozenset[str]) -> Needs:
    name, operators = condition.name, condition.conditions
    family = family_of(name)
    if family not in families and not (family == "items" and "order" in families):
        return ()
    if name in VALUES:
        needs = _of_values(operators, VALUES[name], condition.property or "")
    elif name in NUMBERS:
        needs = _of_number(operators, NUMBERS[name])
    elif name in PRICES:
        needs = _of_price(operators)
    elif name in LINES:
        return _of_lines(operators, name)
    else:
        return ()
    # The sub-rules of a rule on lines ask of single lines; those of others stand for themselves.
    return (
        needs
        if name.startswith(("order.items", "product", "sku"))
        else _and_nested(needs, condition, families)
    )


def _and_nested(needs: Needs, condition: Condition, families: frozenset[str]) -> Needs:
    nested = _of_logic(condition.logic, condition.rules, families)
    return _together([*needs, *nested]) if nested else needs


def _of_values(operators: Mapping[str, Sequence[Any]], name: str, property: str) -> Needs:
    needs: list[Requirement] = []
    for operator in ANY_OF:
        if operator in operators:
            tokens = (value_token(name, property, operand) for operand in operators[operator])
            needs.append(Requirement(frozenset(token for token in tokens if token is not None)))
    return tuple(needs)


def _of_number(operators: Mapping[str, Sequence[Any]], measure: str) -> Needs:
    first, last = _ends(operators)
    if first is None and last is None:
        return ()
    if first is not None and last is not None and first > last:
        return (NEVER,)
    return (Requirement(ranges=(Range(measure, first, last),)),)


def _of_price(operators: Mapping[str, Sequence[Any]]) -> Needs:
    """A line whose price is at least so much: the dearest is. The same line need not have the other end."""
    first, last = _ends(operators)
    needs: list[Requirement] = []
    if first is not None:
        needs.append(Requirement(ranges=(Range(DEAREST, low=first),)))
    if last is not None:
        needs.append(Requirement(ranges=(Range(CHEAPEST, high=last),)))
    return tuple(needs)


def _ends(operators: Mapping[str, Sequence[Any]]) -> tuple[int | None, int | None]:
    """The range that the operators leave to a number; both ends included, so a little too wide is fine."""
    low: list[int] = []
    high: list[int] = []
    for operator, operands in operators.items():
        numbers = [Decimal(number) for operand in operands if (number := number_of(operand)) is not None]
        if not numbers or len(numbers) < len(operands):
            continue
        if operator in LEAST:
            low.append(_whole(numbers[0], ROUND_FLOOR))
        elif operator in MOST_OF:
            high.append(_whole(numbers[0], ROUND_CEILING))
        elif operator in ANY_OF:
            low.append(_whole(min(numbers), ROUND_FLOOR))
            high.append(_whole(max(numbers), ROUND_CEILING))
    return max(low, default=None), min(high, default=None)


FAR = 10**18
"""Further than any amount."""


def _whole(number: Decimal, rounding: str) -> int:
    if not -FAR < number < FAR:
        return FAR if number > 0 else -FAR
    return int(number.to_integral_value(rounding))


def _of_lines(operators: Mapping[str, Sequence[Any]], name: str) -> Needs:
    """Something of what is named must be in the cart, whether any or every line is asked."""
    if name in ("product.id", "sku.id") and ("$is_not" in operators or "$not_in" in operators):
        return ()
    only = "product" if name == "product.id" else "sku" if name == "sku.id" else ""
    needs: list[Requirement] = []
    for operator in ANY_OF:
        if operator in operators:
            cover = cover_of(operators[operator], only)
            tokens = {f"item:{item}" for item in cover.products | cover.skus}
            tokens.update(f"in:{id}" for id in cover.collections)
            needs.append(Requirement(frozenset(tokens)))
    return tuple(needs)


def _of_scope(scope: ItemScope | None) -> Needs:
    if scope is None or scope.included_all or not scope.included:
        return ()
    return (_of_entries(scope.included),)


def _of_bundle(bundle: Bundle | None) -> Needs:
    return () if bundle is None else tuple(_of_entries([part.entry]) for part in bundle.parts)


def _of_entries(entries: Iterable[Entry]) -> Requirement:
    """One of them is in the cart; or there is no cart, and nobody can tell."""
    tokens = {ORDERLESS}
    for entry in entries:
        if entry.object == "products_collection":
            tokens.add(f"in:{entry.id}")
        else:
            tokens.update(f"item:{name}" for name in (entry.id, entry.source_id) if name is not None)
    return Requirement(frozenset(tokens))
