"""Bundles: how often an order holds a whole set of things, and what it lacks for one.

A unit of the order serves one place of one set. Units go to SKUs first, then to products, then to collections, but
are moved from place to place where that completes more sets.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NoReturn

from msgspec import Struct, field

from guerdon.engine.entries import INVALID, OBJECTS, Entry, EntryObject, covers, parse_entry
from guerdon.engine.fault import EngineError
from guerdon.engine.order import MAX_QUANTITY, Order, OrderItem
from guerdon.engine.resolved import thing_of
from guerdon.engine.situation import Situation

MAX_PARTS = 30
"""How many different things one bundle may ask for."""
MAX_BUNDLES = 100
PRECEDENCE = ("sku", "product", "products_collection")
SCALINGS = ("MULTIPLIED", "FIXED")
"""Whether every set gives the discount once more, or all sets together give it once."""
QUANTITY_RULE = "order.items.aggregated_quantity"


class Part(Struct, frozen=True):
    """One thing of a set and how many of it."""

    entry: Entry
    quantity: int


class Bundle(Struct, frozen=True):
    """What makes a set, how many sets count at most, and whether they multiply the discount."""

    parts: tuple[Part, ...]
    limit: int = 1
    multiplies: bool = True

    @property
    def collections(self) -> frozenset[str]:
        """The ids of the collections it names."""
        entries = (part.entry for part in self.parts)
        return frozenset(entry.id for entry in entries if entry.object == "products_collection" and entry.id)


class BundleResult(Struct):
    """How many whole sets an order holds. ``identified`` are the units that count, of one set if there is none;
    ``missing`` is what one set lacks.
    """

    quantity: int
    limit: int
    identified: list[dict[str, Any]] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """The ``bundle`` of a result."""
        return {
            "quantity": self.quantity,
            "limit": self.limit,
            "identified": self.identified,
            "missing": self.missing,
        }


def parse_bundle(raw: object, path: str = "bundle_rules") -> Bundle | None:
    """A checked bundle from decoded JSON, None when it asks for nothing. Raises :class:`EngineError` with the path.

    A missing limit means one set; ``null`` means as many as there may be. ``scaling`` is MULTIPLIED when missing.

    >>> socks = {"id": "prod_socks", "type": "product_or_sku", "object": "product"}
    >>> parse_bundle({"1": {"name": "order.items.any", "conditions": {"$is": [socks]}}, "limit": 3}).limit
    3
    """
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    names = [name for name in raw if name not in ("limit", "logic", "scaling")]
    if len(names) > MAX_PARTS:
        _fail(path, f"may ask for {MAX_PARTS} different things at most")
    limit = raw.get("limit", 1)
    if limit is None:
        limit = MAX_BUNDLES
    limit = _count(limit, f"{path}.limit", MAX_BUNDLES)
    scaling = raw.get("scaling")
    if scaling is not None and scaling not in SCALINGS:
        _fail(f"{path}.scaling", "must be one of " + ", ".join(SCALINGS))
    parts = tuple(_part(raw[name], f"{path}.{name}") for name in names if raw[name] is not None)
    return Bundle(parts, limit, scaling != "FIXED") if parts else None


def _part(raw: object, path: str) -> Part:
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    if raw.get("name") != "order.items.any":
        _fail(f"{path}.name", "must be order.items.any")
    thing = _only(raw.get("conditions"), f"{path}.conditions")
    here = f"{path}.conditions.$is[0]"
    if not isinstance(thing, Mapping):
        _fail(here, "must be an object")
    named: dict[str, Any] = {name: thing.get(name) for name in ("object", "id", "source_id")}
    if named["object"] not in OBJECTS:
        _fail(f"{here}.object", "must be one of " + ", ".join(OBJECTS))
    kind = "products_collection" if named["object"] == "products_collection" else "product_or_sku"
    if thing.get("type") not in (None, kind):
        _fail(f"{here}.type", f"must be {kind} for this object")
    return Part(parse_entry(named, here), _quantity(raw.get("rules"), f"{path}.rules"))


def _quantity(raw: object, path: str) -> int:
    """How many units one set takes: what the only sub-rule says, or one."""
    if raw is None:
        return 1
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    names = [name for name in raw if name != "logic"]
    if not names:
        return 1
    if len(names) > 1:
        _fail(path, "may hold one rule")
    rule, here = raw[names[0]], f"{path}.{names[0]}"
    if not isinstance(rule, Mapping):
        _fail(here, "must be an object")
    if rule.get("name") != QUANTITY_RULE:
        _fail(f"{here}.name", f"must be {QUANTITY_RULE}")
    return _count(
        _only(rule.get("conditions"), f"{here}.conditions"), f"{here}.conditions.$is[0]", MAX_QUANTITY
    )


def _only(conditions: object, path: str) -> object:
    """The only operand of the only operator a bundle knows."""
    if not isinstance(conditions, Mapping) or list(conditions) != ["$is"]:
        _fail(path, "must hold the operator $is and no other")
    operands = conditions["$is"]
    if not isinstance(operands, Sequence) or isinstance(operands, str) or len(operands) != 1:
        _fail(f"{path}.$is", "must be a list of one")
    return operands[0]


def _count(value: object, path: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        _fail(path, "must be a number")
    if not 1 <= value <= most or value != int(value):
        _fail(path, f"must be a whole number from 1 to {most}")
    return int(value)


def _fail(path: str, message: str) -> NoReturn:
    raise EngineError(path, message, INVALID)


def count(bundle: Bundle, order: Order | None, situation: Situation) -> BundleResult:
    """How many whole sets the order holds, as far as they count."""
    items: Sequence[OrderItem] = (order.items if order is not None else None) or ()
    parts = sorted(bundle.parts, key=lambda part: PRECEDENCE.index(part.entry.object))
    groups = _groups(parts, items, situation)
    # Lines that serve few places come first: what others could use is left to them.
    serving = sorted(groups, key=len)
    covered = [
        [kind for kind, places in enumerate(serving) if place in places] for place in range(len(parts))
    ]
    store = [sum(items[line].quantity for line in groups[places]) for places in serving]
    wanted = [part.quantity for part in parts]
    sets, given = 0, _share_out(wanted, covered, store)
    if _complete(given, parts, 1):
        sets, most = 1, min(bundle.limit, sum(store) // sum(wanted))
        for place, part in enumerate(parts):
            most = min(most, sum(store[kind] for kind in covered[place]) // part.quantity)
        try_now = most
        while sets < most:
            more = _share_out([want * try_now for want in wanted], covered, store)
            if _complete(more, parts, try_now):
                sets, given = try_now, more
            else:
                most = try_now - 1
            try_now = (sets + most + 1) // 2
    units = _units_of_lines(given, [groups[places] for places in serving], items)
    return BundleResult(sets, bundle.limit, _identified(units, items), [] if sets else _missing(given, parts))


def _groups(
    parts: list[Part], items: Sequence[OrderItem], situation: Situation
) -> dict[tuple[int, ...], list[int]]:
    """Lines by the places they can serve; lines that serve the same are as good as one."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for line, item in enumerate(items):
        if item.quantity:
            places = tuple(place for place, part in enumerate(parts) if covers(part.entry, item, situation))
            if places:
                groups.setdefault(places, []).append(line)
    return groups


def _complete(given: list[dict[int, int]], parts: list[Part], sets: int) -> bool:
    return all(sum(lines.values()) == part.quantity * sets for lines, part in zip(given, parts, strict=True))


def _share_out(wanted: list[int], covered: list[list[int]], store: list[int]) -> list[dict[int, int]]:
    """Units of each kind for each place: the earlier place first, and as many as can be had in all."""
    left = store[:]
    given: list[dict[int, int]] = [{} for _ in wanted]
    for place, want in enumerate(wanted):
        for kind in covered[place]:
            taken = min(want, left[kind])
            if taken:
                given[place][kind] = taken
                left[kind] -= taken
                want -= taken
        while want:
            path = _way_to_a_unit(place, covered, left, given)
            if path is None:
                break
            want -= _move(path, want, left, given)
    return given


def _way_to_a_unit(
    place: int, covered: list[list[int]], left: list[int], given: list[dict[int, int]]
) -> list[tuple[int, int]] | None:
    """The shortest chain of (place, kind) by which the place gets a unit: of the last kind one is left, each other
    is taken from the place that comes next in the chain.
    """
    came: dict[int, tuple[int, int]] = {}
    seen, ends = {place}, [place]
    seen_kinds: set[int] = set()
    for here in ends:
        for kind in covered[here]:
            if kind in seen_kinds:
                continue
            seen_kinds.add(kind)
            if left[kind]:
                path = [(here, kind)]
                while here != place:
                    here, kind = came[here]
                    path.append((here, kind))
                return path[::-1]
            for other, units in enumerate(given):
                if units.get(kind) and other not in seen:
                    seen.add(other)
                    came[other] = (here, kind)
                    ends.append(other)
    return None


def _move(path: list[tuple[int, int]], want: int, left: list[int], given: list[dict[int, int]]) -> int:
    """Move as many units as fit along the chain; answers how many."""
    units = min(want, left[path[-1][1]])
    for (_, kind), (owner, _) in pairwise(path):
        units = min(units, given[owner][kind])
    for step, (place, kind) in enumerate(path):
        given[place][kind] = given[place].get(kind, 0) + units
        if step + 1 < len(path):
            given[path[step + 1][0]][kind] -= units
    left[path[-1][1]] -= units
    return units


def _units_of_lines(
    given: list[dict[int, int]], lines_of: list[list[int]], items: Sequence[OrderItem]
) -> dict[int, int]:
    """How many units of each line count, the first line of its kind first."""
    units: dict[int, int] = {}
    for kind, lines in enumerate(lines_of):
        taken = sum(place.get(kind, 0) for place in given)
        for line in lines:
            here = min(taken, items[line].quantity)
            if here:
                units[line] = here
                taken -= here
    return units


def _identified(units: dict[int, int], items: Sequence[OrderItem]) -> list[dict[str, Any]]:
    identified: list[dict[str, Any]] = []
    for line in sorted(units):
        thing = thing_of(items[line])
        identified.append(
            {
                "id": thing["id"],
                "object": thing["object"],
                "item_index": line,
                "item_quantity": units[line],
            }
        )
    return identified


def _missing(given: list[dict[int, int]], parts: list[Part]) -> list[dict[str, Any]]:
    missing: list[dict[str, Any]] = []
    for lines, part in zip(given, parts, strict=True):
        lack = part.quantity - sum(lines.values())
        if lack:
            kind: EntryObject = part.entry.object
            missing.append(
                {"id": part.entry.id or part.entry.source_id, "object": kind, "item_quantity": lack}
            )
    return missing
