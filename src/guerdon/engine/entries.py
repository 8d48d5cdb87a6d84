"""Which items a rule names: the entries of ``applicable_to``, how they are checked, and which lines they cover."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.filter import Filter, matches
from guerdon.engine.formula import parse_formula
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.operators import MISSING
from guerdon.engine.order import MAX_QUANTITY, OrderItem, ProductRef, SkuRef
from guerdon.engine.situation import Collection, Situation

EntryObject = Literal["product", "sku", "products_collection"]
ItemEffect = Literal[
    "APPLY_TO_EVERY",
    "APPLY_TO_CHEAPEST",
    "APPLY_FROM_CHEAPEST",
    "APPLY_TO_MOST_EXPENSIVE",
    "APPLY_FROM_MOST_EXPENSIVE",
]
OBJECTS = ("product", "sku", "products_collection")
ITEM_EFFECTS = (
    "APPLY_TO_EVERY",
    "APPLY_TO_CHEAPEST",
    "APPLY_FROM_CHEAPEST",
    "APPLY_TO_MOST_EXPENSIVE",
    "APPLY_FROM_MOST_EXPENSIVE",
)
TARGETS = ("ITEM", "UNIT")
MAX_ENTRIES = 500
"""How many entries each of the two lists of a scope may have."""
MAX_COLLECTIONS = 50
"""How many of them may be collections, whose members are looked through line by line."""
MONEY_LIMITS = ("price", "amount_limit", "aggregated_amount_limit")
UNIT_LIMITS = ("quantity_limit", "aggregated_quantity_limit")
INVALID = "invalid_validation_rules"
UTC = ZoneInfo("UTC")
SHOWN = ("id", "source_id", "product_id", "product_source_id")


class Budget(Struct, frozen=True, kw_only=True):
    """How many units may ever be discounted: of the entry's product, SKU or collection, or, ``in_collection``,
    of each product of the collection; in the campaign or the promotion tier; by all customers or by each.
    """

    name: str
    limit: int | None = None
    formula: str | None = None
    in_collection: bool = False
    per_customer: bool = False
    owner: Literal["campaign", "promotion_tier"] = "campaign"


def _budgets() -> tuple[Budget, ...]:
    kinds: list[Budget] = []
    for owner in ("campaign", "promotion_tier"):
        for inside in ("", "in_collection_"):
            for customer in ("", "customer_"):
                name = f"product_{inside}{customer}{owner}_quantity_limit"
                kinds.append(
                    Budget(name=name, in_collection=bool(inside), per_customer=bool(customer), owner=owner)
                )
    return tuple(kinds)


BUDGETS = _budgets()
"""The eight kinds of product budgets, without their numbers."""


class Entry(Struct, frozen=True, kw_only=True):
    """One thing a scope names, which of its lines and units are meant, and how much of them.

    ``formulas`` holds the formula twins of the limits and of ``price`` by the name of what they replace.
    """

    object: EntryObject
    id: str | None = None
    source_id: str | None = None
    product_id: str | None = None
    product_source_id: str | None = None
    strict: bool = False
    effect: ItemEffect = "APPLY_TO_EVERY"
    skip_initially: int = 0
    repeat: int = 1
    target: Literal["ITEM", "UNIT"] = "ITEM"
    price: int | None = None
    quantity_limit: int | None = None
    aggregated_quantity_limit: int | None = None
    amount_limit: int | None = None
    aggregated_amount_limit: int | None = None
    formulas: dict[str, str] = {}
    budgets: tuple[Budget, ...] = ()


class ItemScope(Struct, frozen=True, kw_only=True):
    """Which items a discount is for. What is excluded is out, whoever includes it.

    Without ``included`` entries everything is in that is not excluded; with ``included_all`` so is what the
    entries do not cover.
    """

    included: tuple[Entry, ...] = ()
    excluded: tuple[Entry, ...] = ()
    included_all: bool = False

    @property
    def lists_items(self) -> bool:
        """Whether it narrows anything; a discount then is for items, unless it says otherwise."""
        return bool(self.included or self.excluded)

    @property
    def collections(self) -> frozenset[str]:
        """The ids of the collections it names."""
        both = (*self.included, *self.excluded)
        return frozenset(entry.id for entry in both if entry.object == "products_collection" and entry.id)


def parse_scope(raw: object, path: str = "applicable_to") -> ItemScope:
    """A checked scope from decoded JSON. Raises :class:`EngineError` with the path of the first fault.

    >>> parse_scope({"included": [{"object": "product", "id": "prod_1", "quantity_limit": 2}]}).included[0].effect
    'APPLY_TO_EVERY'
    """
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    everything = raw.get("included_all")
    if everything is not None and not isinstance(everything, bool):
        _fail(f"{path}.included_all", "must be true or false")
    return ItemScope(
        included=_entries(raw.get("included"), f"{path}.included"),
        excluded=_entries(raw.get("excluded"), f"{path}.excluded"),
        included_all=bool(everything),
    )


def _entries(raw: object, path: str) -> tuple[Entry, ...]:
    if raw is None:
        return ()
    if isinstance(raw, Mapping) and "data" in raw:
        raw = raw["data"]  # as it comes back from an answer
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        _fail(path, "must be a list")
    if len(raw) > MAX_ENTRIES:
        _fail(path, f"may have {MAX_ENTRIES} entries at most")
    entries = tuple(parse_entry(entry, f"{path}[{index}]") for index, entry in enumerate(raw))
    if sum(entry.object == "products_collection" for entry in entries) > MAX_COLLECTIONS:
        _fail(path, f"may name {MAX_COLLECTIONS} collections at most")
    return entries


def parse_entry(raw: object, path: str) -> Entry:
    """One checked entry; members that are null are as if absent, unknown ones are dropped."""
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    fields: dict[str, Any] = {name: value for name, value in raw.items() if value is not None}
    kind = _one_of(fields, "object", OBJECTS, path, None)
    named = {name: _text(fields, name, path) for name in SHOWN}
    if named["id"] is None and (kind == "products_collection" or named["source_id"] is None):
        _fail(f"{path}.id", "is required")
    formulas = {
        name: text
        for name in (*MONEY_LIMITS, *UNIT_LIMITS)
        if (text := _formula(fields, f"{name}_formula", path)) is not None
    }
    return Entry(
        object=kind,
        id=named["id"],
        source_id=named["source_id"],
        product_id=named["product_id"],
        product_source_id=named["product_source_id"],
        strict=fields.get("strict") is True,
        effect=_one_of(fields, "effect", ITEM_EFFECTS, path, "APPLY_TO_EVERY"),
        skip_initially=_whole(fields, "skip_initially", path, 0, MAX_QUANTITY) or 0,
        repeat=_whole(fields, "repeat", path, 1, MAX_QUANTITY) or 1,
        target=_one_of(fields, "target", TARGETS, path, "ITEM"),
        price=_whole(fields, "price", path, 0, MAX_AMOUNT),
        quantity_limit=_whole(fields, "quantity_limit", path, 1, MAX_AMOUNT),
        aggregated_quantity_limit=_whole(fields, "aggregated_quantity_limit", path, 1, MAX_AMOUNT),
        amount_limit=_whole(fields, "amount_limit", path, 1, MAX_AMOUNT),
        aggregated_amount_limit=_whole(fields, "aggregated_amount_limit", path, 1, MAX_AMOUNT),
        formulas=formulas,
        budgets=_asked_budgets(fields, kind, path),
    )


def _asked_budgets(fields: dict[str, Any], kind: str, path: str) -> tuple[Budget, ...]:
    asked: list[Budget] = []
    for budget in BUDGETS:
        limit = _whole(fields, budget.name, path, 1, MAX_AMOUNT)
        formula = _formula(fields, f"{budget.name}_formula", path)
        if limit is None and formula is None:
            continue
        if budget.in_collection and kind != "products_collection":
            _fail(f"{path}.{budget.name}", "belongs to collections only")
        asked.append(
            Budget(
                name=budget.name,
                limit=limit,
                formula=formula,
                in_collection=budget.in_collection,
                per_customer=budget.per_customer,
                owner=budget.owner,
            )
        )
    return tuple(asked)


def _one_of(
    fields: dict[str, Any], name: str, allowed: tuple[str, ...], path: str, default: str | None
) -> Any:
    value = fields.get(name, default)
    if value not in allowed:
        _fail(f"{path}.{name}", "must be one of " + ", ".join(allowed))
    return value


def _text(fields: dict[str, Any], name: str, path: str) -> str | None:
    value = fields.get(name)
    if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= 512):
        _fail(f"{path}.{name}", "must be a text of 1 to 512 characters")
    return value


def _formula(fields: dict[str, Any], name: str, path: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        value = str(value)  # the reference's schema calls some of them numbers
    if not isinstance(value, str):
        _fail(f"{path}.{name}", "must be the text of a formula")
    parse_formula(value, f"{path}.{name}")
    return value


def _whole(fields: dict[str, Any], name: str, path: str, least: int, most: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        _fail(f"{path}.{name}", "must be a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    # Bounds first: a number like 1e999999 must not be spelt out.
    if not number.is_finite() or not least <= number <= most:
        _fail(f"{path}.{name}", f"must be from {least} to {most}")
    if number != number.to_integral_value():
        _fail(f"{path}.{name}", "must be a whole number")
    return int(number)


def _fail(path: str, message: str) -> NoReturn:
    raise EngineError(path, message, INVALID)


def covers(entry: Entry, item: OrderItem, situation: Situation) -> bool:
    """Whether the entry means this line. A product covers its SKUs, a collection its members and their SKUs."""
    return matches_item(
        entry.object,
        entry.id,
        entry.source_id,
        item,
        situation.collections,
        situation.now,
        situation.zone,
    )


def matches_item(
    object: str,
    id: str | None,
    source_id: str | None,
    item: OrderItem,
    collections: Mapping[str, Collection],
    now: datetime | None = None,
    zone: ZoneInfo = UTC,
) -> bool:
    """Whether the line is of this product, SKU (``product_or_sku``: either) or collection.

    A thing may be named by its id or by its source id in either place. ``now`` and ``zone`` are for collections
    whose filter looks at dates.
    """
    if object == "products_collection":
        collection = collections.get(id or "")
        return collection is not None and in_collection(collection, item, now, zone)
    if object != "sku" and _is_named(id, source_id, product_names(item)):
        return True
    return object != "product" and _is_named(id, source_id, sku_names(item))


def _is_named(id: str | None, source_id: str | None, names: tuple[str | None, ...]) -> bool:
    return (id is not None and id in names) or (source_id is not None and source_id in names)


def product_names(item: OrderItem) -> tuple[str | None, ...]:
    """Every id and source id that the line's product may go by."""
    product = item.product
    own = item.source_id if item.related_object != "sku" else None
    if product is None:
        return item.product_id, own
    return item.product_id, product.id, product.source_id, own


def sku_names(item: OrderItem) -> tuple[str | None, ...]:
    """Every id and source id that the line's SKU may go by."""
    sku = item.sku
    own = item.source_id if item.related_object != "product" else None
    if sku is None:
        return item.sku_id, own
    return item.sku_id, sku.id, sku.source_id, own


def in_collection(collection: Collection, item: OrderItem, now: datetime | None, zone: ZoneInfo) -> bool:
    """Whether the line's product or SKU is in the collection."""
    members = collection.members
    if members:
        for name in (*product_names(item), *sku_names(item)):
            if name is not None and name in members:
                return True
    if collection.filter is None or now is None:
        return False
    return any(matches(collection.filter, read, now, zone) for read in readers(item))


def readers(item: OrderItem) -> list[Any]:
    """How filters see the line: as a product, as a SKU, or both. Each gives the value of a field."""
    found: list[Any] = []
    if item.product is not None or item.product_id is not None:
        found.append(_reader(item.product, item.product_id, item))
    if item.sku is not None or item.sku_id is not None:
        found.append(_reader(item.sku, item.sku_id, item))
    return found


def inside(metadata: Mapping[str, Any], name: str) -> Any:
    """A metadata value by its key, or (``address.city``) one level down."""
    if name in metadata:
        return metadata[name]
    outer, _, inner = name.partition(".")
    value = metadata.get(outer)
    return value.get(inner) if isinstance(value, Mapping) else None


def shown_on_lines(filter: Filter) -> bool:
    """Whether lines tell all that the filter looks at; what they do not tell is in the catalog alone."""
    return not any(clause.field in _CATALOG_ONLY for clause in filter.clauses)


_CATALOG_ONLY = frozenset({"attributes", "image_url", "created_at", "updated_at"})


def _reader(thing: ProductRef | SkuRef | None, id: str | None, item: OrderItem) -> Any:
    """How a filter sees a product or SKU: by what the line says about it."""
    name = None if thing is None else (thing.name if isinstance(thing, ProductRef) else thing.sku)
    price = None if thing is None else thing.price
    known: dict[str, Any] = {
        "id": id or (thing and thing.id),
        "product_id": item.product_id,
        "sku_id": item.sku_id,
        "source_id": thing and thing.source_id,
        "name": name,
        "sku": name if isinstance(thing, SkuRef) else None,
        "price": item.price if price is None else price,
    }
    metadata = (None if thing is None else thing.metadata) or {}

    def read(field: str) -> Any:
        value = inside(metadata, field[9:]) if field.startswith("metadata.") else known.get(field)
        return MISSING if value is None else value

    return read
