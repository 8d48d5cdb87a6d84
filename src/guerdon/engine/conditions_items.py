"""Conditions on the lines of the order: which lines a rule is about, and what must be so of any, every or no one.

A rule such as `order.items.any` picks lines: those in `$from` (all, without one) that `$is` covers. Its sub-rules
ask of each picked line, the aggregated ones of what the picked lines come to together. A sub-rule is a sieve:
`and` keeps the lines that pass all of them, `or` those that pass one; its own sub-rules get what passed it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from guerdon.engine.conditions import (
    Condition,
    Fact,
    Fails,
    Look,
    Scene,
    group_reason,
    looked_up,
    shown,
    tests_of,
)
from guerdon.engine.entries import in_collection, product_names, sku_names
from guerdon.engine.logic import Key, Logic
from guerdon.engine.operators import MAX_ELEMENTS, MISSING, compiled, text_of
from guerdon.engine.order import OrderItem, ProductRef, SkuRef
from guerdon.engine.reasons import Reason

Quantifier = Literal["any", "every", "none", "cheapest", "most_expensive"]
Within = Literal["items", "product", "sku", ""]
SEEN_LINES = 20
"""How many lines' values the trace shows."""

QUANTIFIERS: dict[str, Quantifier] = {
    "order.items.any": "any",
    "order.items.every": "every",
    "order.items.none": "none",
    "order.items.cheapest": "cheapest",
    "order.items.most_expensive": "most_expensive",
    "product.id": "any",
    "sku.id": "any",
}
AGGREGATED = {
    "order.items.aggregated_amount": "amount",
    "order.items.aggregated_quantity": "quantity",
    "product.quantity": "quantity",
    "sku.quantity": "quantity",
    "product.metadata.aggregated_quantity": "quantity",
    "product.metadata.aggregated_amount": "amount",
}
SAME = frozenset(("$is", "$in", "$is_not", "$not_in"))
EACH = ("order.items.price_each", "order.items.metadata_each")
MATCH_ALL = "product.metadata.match_all"


class Totals(Struct):
    """What the picked lines come to."""

    amount: int
    quantity: int


Lines = list[tuple[int, OrderItem]]
Sieve = Callable[[Scene, Lines], Lines]


def _fact(name: str, value: Any, words: str, **more: Any) -> Fact:
    return Fact(name=name, group="order", value=value, words=words, **more)


_FACTS = (
    _fact("order.items.any", "items", "at least one line is one of these", quantifier=True),
    _fact("order.items.every", "items", "every line is one of these", quantifier=True),
    _fact("order.items.none", "items", "no line is one of these", quantifier=True),
    _fact("order.items.cheapest", "items", "a line with the lowest price is one of these", quantifier=True),
    _fact(
        "order.items.most_expensive",
        "items",
        "a line with the highest price is one of these",
        quantifier=True,
    ),
    _fact("order.items.count", "number", "units in the order, over all lines"),
    _fact("order.items.price_any", "number", "price of a unit, of at least one line"),
    _fact("order.items.price_each", "number", "price of a unit, of every line"),
    _fact("order.items.metadata_any", "anything", "metadata of at least one line", property=True),
    _fact("order.items.metadata_each", "anything", "metadata of every line", property=True),
    _fact("order.items.price", "number", "price of a unit of the line", within="items"),
    _fact("order.items.quantity", "number", "units of the line", within="items"),
    _fact("order.items.metadata", "anything", "metadata of the line", within="items", property=True),
    _fact("order.items.aggregated_amount", "number", "amount of the picked lines together", within="items"),
    _fact("order.items.aggregated_quantity", "number", "units of the picked lines together", within="items"),
    _fact("product.id", "items", "a line is of one of these products", quantifier=True),
    _fact("product.price", "number", "price of a unit of the product", within="product"),
    _fact("product.quantity", "number", "units of the product, over all its lines", within="product"),
    _fact("product.discount_applicable", "nothing", "a mark; always holds", within="product"),
    _fact("product.metadata", "anything", "metadata of a line's product", within="product", property=True),
    _fact("product.metadata.aggregated_quantity", "number", "units of the matching lines", within="product"),
    _fact("product.metadata.aggregated_amount", "number", "amount of the matching lines", within="product"),
    _fact("product.metadata.discount_applicable", "nothing", "a mark; always holds", within="product"),
    _fact(MATCH_ALL, "nothing", "`true`: every line must match, not just one", within="product"),
    _fact("sku.id", "items", "a line is of one of these SKUs", quantifier=True),
    _fact("sku.price", "number", "price of a unit of the SKU", within="sku"),
    _fact("sku.quantity", "number", "units of the SKU, over all its lines", within="sku"),
    _fact("sku.discount_applicable", "nothing", "a mark; always holds", within="sku"),
)
FACTS: dict[str, Fact] = {fact.name: fact for fact in _FACTS}


class Cover(Struct, frozen=True):
    """The products, SKUs and collections a condition names. Names are ids or source ids."""

    products: frozenset[str]
    skus: frozenset[str]
    collections: tuple[str, ...]

    def lines(self, scene: Scene, known: "Known") -> set[int]:
        """Which lines are of one of them."""
        found: set[int] = set()
        _find(self.products, known.products, found)
        _find(self.skus, known.skus, found)
        for id in self.collections:
            found |= known.members(id, scene)
        return found


def _find(names: frozenset[str], places: dict[str, list[int]], found: set[int]) -> None:
    """Add the lines of the names, going through whichever is shorter."""
    for name in names if len(names) < len(places) else places.keys() & names:
        found.update(places.get(name, ()))


class Known:
    """What is known of the lines of one order: under which names they are found, and in which collections."""

    def __init__(self, items: list[OrderItem]) -> None:
        self.items = items
        self.pool: Lines = list(enumerate(items))
        self.products: dict[str, list[int]] = {}
        self.skus: dict[str, list[int]] = {}
        self._members: dict[str, set[int]] = {}
        self._values: dict[tuple[str, str | None], list[Any]] = {}
        self._texts: dict[tuple[str, str | None], list[Any]] = {}
        for index, item in self.pool:
            for names, places in ((product_names(item), self.products), (sku_names(item), self.skus)):
                for name in names:
                    if name is not None:
                        places.setdefault(name, []).append(index)

    def members(self, id: str, scene: Scene) -> set[int]:
        """The lines that belong to a collection; an unknown collection has none."""
        lines = self._members.get(id)
        if lines is None:
            situation, lines = scene.situation, set()
            collection = situation.collections.get(id)
            if collection is not None and collection.filter is None:
                _find(collection.members, self.products, lines)
                _find(collection.members, self.skus, lines)
            elif collection is not None:
                now, zone = situation.now, situation.zone
                lines = {index for index, item in self.pool if in_collection(collection, item, now, zone)}
            self._members[id] = lines
        return lines

    def values(self, name: str, property: str | None) -> list[Any]:
        """What a sub-rule sees of every line."""
        values = self._values.get((name, property))
        if values is None:
            values = self._values[name, property] = [line_value(name, property, item) for item in self.items]
        return values

    def texts(self, name: str, property: str | None) -> list[Any]:
        """The same, for operators that only ask whether values are the same: lists as sets of texts."""
        texts = self._texts.get((name, property))
        if texts is None:
            values = self.values(name, property)
            texts = self._texts[name, property] = [_as_texts(value) for value in values]
        return texts


def _as_texts(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return frozenset(text for each in value[:MAX_ELEMENTS] if (text := text_of(each)) is not None)


def known_of(scene: Scene, items: list[OrderItem]) -> Known:
    """What is known of these lines, looked at once in a situation. The list is kept, so that its identity holds."""
    lines = scene.situation.lines
    known = lines.get(id(items))
    if known is None or len(known.pool) != len(items):
        known = lines[id(items)] = Known(items)
    return known


def cover_of(operands: Sequence[Any], only: Within = "") -> Cover:
    """What operands name: texts or `{id, source_id, type, object}`; `only` products, or only SKUs."""
    products: set[str] = set()
    skus: set[str] = set()
    collections: list[str] = []
    for operand in operands:
        entry: Mapping[str, Any] = operand if isinstance(operand, Mapping) else {"id": operand}
        kind = kind_of(entry, only)
        names = {name for name in (entry.get("id"), entry.get("source_id")) if type(name) is str}
        if kind == "products_collection":
            collections += names
        if kind in ("product", "product_or_sku"):
            products |= names
        if kind in ("sku", "product_or_sku"):
            skus |= names
    return Cover(frozenset(products), frozenset(skus), tuple(dict.fromkeys(collections)))


def kind_of(entry: Mapping[str, Any], only: Within = "") -> str:
    """What an operand names: product, sku, product_or_sku or products_collection."""
    if only in ("product", "sku"):
        return only
    kind = entry.get("object")
    if kind in ("product", "sku", "products_collection"):
        return kind
    if entry.get("type") == "products_collection":
        return "products_collection"
    text = entry.get("id")
    return "products_collection" if isinstance(text, str) and text.startswith("pc_") else "product_or_sku"


class Picker(Struct, frozen=True):
    """Which lines a condition is about: those in the pool, and those of them it picks."""

    covers: tuple[tuple[Cover, bool], ...] = ()
    pool: Cover | None = None
    extreme: Literal["cheapest", "most_expensive"] | None = None

    def lines(self, scene: Scene) -> tuple[Lines, Lines] | Reason:
        """The lines it chooses among and those of them it picks, or what is missing."""
        order = scene.situation.order
        if order is None:
            return Reason.MISSING_ORDER
        if order.items is None:
            return Reason.MISSING_ORDER_ITEMS
        known = known_of(scene, order.items)
        pool = known.pool
        if self.pool is not None:
            inside = self.pool.lines(scene, known)
            pool = [line for line in pool if line[0] in inside]
        if self.extreme is not None:
            prices = [item.price for _, item in pool if item.price is not None]
            best = (min if self.extreme == "cheapest" else max)(prices, default=-1)
            pool = [line for line in pool if line[1].price == best]
        picked = pool
        for cover, wanted in self.covers:
            covered = cover.lines(scene, known)
            if not covered and wanted:
                return pool, []
            picked = [line for line in picked if (line[0] in covered) is wanted]
        return pool, picked

    def picked(self, scene: Scene) -> Lines | Reason:
        """The lines it picks, or what is missing."""
        lines = self.lines(scene)
        return lines if isinstance(lines, Reason) else lines[1]


def picker_of(name: str, operators: Mapping[str, tuple[Any, ...]]) -> Picker:
    """The picker of a rule on items; of `product.id` and `sku.id` the negative form is left to the quantifier."""
    only: Within = "product" if name == "product.id" else "sku" if name == "sku.id" else ""
    covers = tuple(
        (cover_of(operands, only), bool(only) or operator in ("$is", "$in"))
        for operator, operands in operators.items()
        if operator != "$from"
    )
    pool = (
        cover_of([_collection(operand) for operand in operators.get("$from", ())])
        if "$from" in operators
        else None
    )
    quantifier = QUANTIFIERS.get(name)
    extreme = quantifier if quantifier in ("cheapest", "most_expensive") else None
    return Picker(covers, pool, extreme)


def _collection(operand: Any) -> dict[str, Any]:
    entry = dict(operand) if isinstance(operand, Mapping) else {"id": operand}
    return entry if entry.get("object") in ("product", "sku") else entry | {"object": "products_collection"}


def _metadata(item: OrderItem, property: str | None) -> Any:
    for thing in (item, item.sku, item.product):
        value = MISSING if thing is None else looked_up(thing.metadata, property)
        if value is not MISSING:
            return value
    return MISSING


def _price(thing: ProductRef | SkuRef | None, item: OrderItem) -> Any:
    price = item.price if thing is None or thing.price is None else thing.price
    return MISSING if price is None else price


def line_value(name: str, property: str | None, item: OrderItem) -> Any:
    """What a sub-rule of this name sees of one line."""
    match name:
        case "order.items.price" | "order.items.price_any" | "order.items.price_each":
            return MISSING if item.price is None else item.price
        case "order.items.quantity":
            return item.quantity
        case "product.price":
            return _price(item.product, item)
        case "sku.price":
            return _price(item.sku, item)
        case "product.metadata":
            return MISSING if item.product is None else looked_up(item.product.metadata, property)
    return _metadata(item, property)


def sieve_of(fact: Fact, property: str | None, operators: Mapping[str, tuple[Any, ...]]) -> Sieve:
    """Which of the lines pass a sub-rule."""
    name, aggregated = fact.name, AGGREGATED.get(fact.name)
    tests = [(operator in SAME, compiled(operator, operands)) for operator, operands in operators.items()]

    def together(scene: Scene, lines: Lines) -> Lines:
        situation, total = scene.situation, getattr(totals_of(lines), aggregated or "amount")
        passes = lines and all(test(total, situation.now, situation.zone) for _, test in tests)
        return lines if passes else []

    def one_by_one(scene: Scene, lines: Lines) -> Lines:
        situation = scene.situation
        now, zone = situation.now, situation.zone
        assert situation.order is not None and situation.order.items is not None
        known = known_of(scene, situation.order.items)
        for same, test in tests:
            values = known.texts(name, property) if same else known.values(name, property)
            lines = [line for line in lines if test(values[line[0]], now, zone)]
        return lines

    def everything(_scene: Scene, lines: Lines) -> Lines:
        return lines

    return together if aggregated is not None else everything if fact.value == "nothing" else one_by_one


def joined_sieve(logic: Logic, sieves: Mapping[str, Sieve]) -> Sieve:
    """The sieves of sub-rules joined by their logic: all of them look at the same lines."""
    if isinstance(logic, Key):
        return sieves[logic.key]
    parts = [joined_sieve(part, sieves) for part in logic.parts]
    enough = len(parts) if logic.word == "and" else 1

    def sieve(scene: Scene, lines: Lines) -> Lines:
        votes: dict[int, int] = {}
        for part in parts:
            for index, _ in part(scene, lines):
                votes[index] = votes.get(index, 0) + 1
        return [line for line in lines if votes.get(line[0], 0) >= enough]

    return sieve


def totals_of(lines: Lines) -> Totals:
    """What lines come to; a line of unknown worth counts as nothing."""
    return Totals(sum(item.amount or 0 for _, item in lines), sum(item.quantity for _, item in lines))


def compile_lines(
    fact: Fact, property: str | None, picker: Picker, sieve: Sieve | None, quantifier: Quantifier
) -> tuple[Fails, Look]:
    """Functions that judge and show a rule on lines."""
    violated = group_reason(fact.group)

    def fails(scene: Scene) -> Reason | None:
        lines = picker.lines(scene)
        if isinstance(lines, Reason):
            return lines
        pool, held = lines
        if sieve is not None and held:
            held = sieve(scene, held)
        if quantifier == "none":
            return violated if held else None
        if quantifier == "every":
            return None if pool and len(held) == len(pool) else violated
        return None if held else violated

    def look(scene: Scene) -> Any:
        picked = picker.picked(scene)
        if isinstance(picked, Reason):
            return None
        if not fact.quantifier:
            return _values(fact, property, picked)
        totals = totals_of(picked)
        lines = [index for index, _ in picked[:SEEN_LINES]]
        return {"lines": lines, "quantity": totals.quantity, "amount": totals.amount}

    return fails, look


def _values(fact: Fact, property: str | None, lines: Lines) -> Any:
    """What a sub-rule sees of lines: the sum, or the value of each."""
    aggregated = AGGREGATED.get(fact.name)
    if aggregated is not None:
        return getattr(totals_of(lines), aggregated)
    if fact.value == "nothing":
        return None
    return [shown(line_value(fact.name, property, item)) for _, item in lines[:SEEN_LINES]]


def compile_sub(
    fact: Fact, property: str | None, above: Callable[[Scene], Lines | Reason], sieve: Sieve
) -> tuple[Fails, Look]:
    """Functions that judge and show a sub-rule by itself, as the trace does: over the lines from above."""
    violated = group_reason(fact.group)

    def fails(scene: Scene) -> Reason | None:
        lines = above(scene)
        if not isinstance(lines, list):
            return lines
        return None if sieve(scene, lines) else violated

    def look(scene: Scene) -> Any:
        lines = above(scene)
        return _values(fact, property, lines) if isinstance(lines, list) else None

    return fails, look


def compile_count(
    fact: Fact, operators: Mapping[str, tuple[Any, ...]], nested: Fails | None
) -> tuple[Fails, Look]:
    """Functions that judge and show how many units the order has."""
    tests, violated, everything = tests_of(operators), group_reason(fact.group), Picker()

    def look(scene: Scene) -> Any:
        lines = everything.picked(scene)
        return None if isinstance(lines, Reason) else totals_of(lines).quantity

    def fails(scene: Scene) -> Reason | None:
        lines = everything.picked(scene)
        if isinstance(lines, Reason):
            return lines
        units, situation = totals_of(lines).quantity, scene.situation
        if not all(test(units, situation.now, situation.zone) for test in tests):
            return violated
        return None if nested is None else nested(scene)

    return fails, look


def quantifier_of(
    condition_name: str, operators: Mapping[str, tuple[Any, ...]], nested: Mapping[str, Condition]
) -> Quantifier:
    """Of how many lines the rule must be so."""
    if any(sub.name == MATCH_ALL and _is_true(sub.conditions) for sub in nested.values()):
        return "every"
    if condition_name in ("product.id", "sku.id") and ("$is_not" in operators or "$not_in" in operators):
        return "none"
    return "every" if condition_name in EACH else QUANTIFIERS.get(condition_name, "any")


def _is_true(operators: Mapping[str, tuple[Any, ...]]) -> bool:
    return any(operand in (True, "true") for operand in operators.get("$is", ()))
