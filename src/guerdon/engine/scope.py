"""Which lines and units of an order a discount is for: the scopes of its rules, worked out on the running order.

What several scopes cover must be covered by all of them. Then each entry puts the lines it covers in its order,
skips, takes every so many, and keeps to its limits; where several limits apply to a line the smallest discount wins.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from guerdon.engine.choosing import Chooser, all_of, budget_key
from guerdon.engine.chosen import Cap, Chosen, Pick, Target
from guerdon.engine.entries import (
    Entry,
    ItemScope,
    covers,
    matches_item,
    parse_scope,
    product_names,
    sku_names,
)
from guerdon.engine.order import MAX_QUANTITY, Order, OrderItem
from guerdon.engine.situation import Situation

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable

__all__ = [
    "Cap",
    "Chosen",
    "Entry",
    "ItemScope",
    "Pick",
    "Target",
    "budget_keys",
    "choose",
    "covers",
    "matches_item",
    "parse_scope",
]

FEW = 4
"""Up to so many entries each is held against each line; more are looked up by name."""
EVERYTHING = Entry(object="product")
"""Stands for what ``included_all`` adds to the entries."""


def choose(
    scopes: Sequence[ItemScope],
    order: Order | None,
    situation: Situation,
    redeemable: "Redeemable",
    bundles: int | None = None,
    sets: int | None = None,
) -> Chosen:
    """The lines and units that the scopes leave to a discount. Neither argument is changed.

    ``bundles`` multiplies limits of units, and makes one unit a line the default: give the number of bundles for
    discounts of which ``effects.scales_units`` is true, None otherwise. ``sets`` is the number of bundles that
    formulas see, the same if not given.
    """
    items: Sequence[OrderItem] = (order.items if order is not None else None) or ()
    asked = [scope for scope in scopes if scope.lists_items]
    lists_items = bool(asked)
    if bundles is not None and not asked:
        asked = [ItemScope()]
    coverage = [_coverage(scope, items, situation) for scope in asked]
    common = set(range(len(items)))
    for covered in coverage:
        common &= covered.lines
    maker = Chooser(items, situation, redeemable, bundles, bundles if sets is None else sets)
    by_scope = [
        [maker.pick(entry, [line for line in lines if line in common]) for entry, lines in covered.included]
        for covered in coverage
    ]
    counts = _together(by_scope) if asked else {line: item.quantity for line, item in enumerate(items)}
    picks = [pick for group in by_scope for pick in group]
    refusal = maker.keep_limits(picks, counts)
    left_out = [
        Pick(entry, lines, [(line, all_of(items[line])) for line in lines])
        for covered in coverage
        for entry, lines in covered.excluded
    ]
    chosen = Chosen(
        targets=maker.targets(picks, counts),
        lists_items=lists_items,
        units=maker.counted(counts),
        picks=picks,
        left_out=left_out,
        items=items,
    )
    if not chosen.targets:
        chosen.refusal = refusal if items else "MISSING_ORDER_ITEMS"
    maker.cap(chosen)
    return chosen


def budget_keys(
    scopes: Iterable[ItemScope], order: Order | None, situation: Situation, redeemable: "Redeemable"
) -> list[str]:
    """The tallies that ``choose`` will look up in ``situation.used``; they must be read, and locked, before."""
    items: Sequence[OrderItem] = (order.items if order is not None else None) or ()
    keys: dict[str, None] = {}
    for scope in scopes:
        for entry in scope.included:
            for budget in entry.budgets:
                for line in items if budget.in_collection else items[:1]:
                    if budget.in_collection and not covers(entry, line, situation):
                        continue
                    key = budget_key(budget, entry, line, situation, redeemable)
                    if key is not None:
                        keys[key] = None
    return list(keys)


class _Coverage(Struct):
    """What a scope's entries cover, line by line; ``lines`` are those it leaves to the discount."""

    included: list[tuple[Entry, list[int]]]
    excluded: list[tuple[Entry, list[int]]]
    lines: set[int]


def _coverage(scope: ItemScope, items: Sequence[OrderItem], situation: Situation) -> _Coverage:
    look = _Look(items, situation)
    excluded = [(entry, look.lines(entry, len(scope.excluded))) for entry in scope.excluded]
    out = {line for _, lines in excluded for line in lines}
    included: list[tuple[Entry, list[int]]] = []
    lines: set[int] = set()
    for entry in scope.included:
        covered = [line for line in look.lines(entry, len(scope.included)) if line not in out]
        included.append((entry, covered))
        lines.update(covered)
    if scope.included_all or not scope.included:
        rest = [line for line in range(len(items)) if line not in out and line not in lines]
        included.append((EVERYTHING, rest))
        lines.update(rest)
    return _Coverage(included, excluded, lines)


class _Look:
    """Finds the lines an entry covers: line by line, or by name when there are many entries."""

    def __init__(self, items: Sequence[OrderItem], situation: Situation) -> None:
        self.items, self.situation = items, situation
        self.named: dict[str, dict[str, list[int]]] | None = None

    def lines(self, entry: Entry, entries: int) -> list[int]:
        """The indices of the covered lines, in the request's order."""
        if entries <= FEW or entry.object == "products_collection":
            return [line for line, item in enumerate(self.items) if covers(entry, item, self.situation)]
        if self.named is None:
            self.named = {"product": _index(self.items, product_names), "sku": _index(self.items, sku_names)}
        named = self.named[entry.object]
        found = set(named.get(entry.id or "", ()))
        found.update(named.get(entry.source_id or "", ()))
        return sorted(found)


def _index(
    items: Sequence[OrderItem], names: Callable[[OrderItem], tuple[str | None, ...]]
) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for line, item in enumerate(items):
        for name in {name for name in names(item) if name}:
            index.setdefault(name, []).append(line)
    return index


def _together(by_scope: list[list[Pick]]) -> dict[int, int]:
    """Units by line: any entry of a scope may choose a line, every scope must; the fewest units count."""
    counts: dict[int, int] | None = None
    for group in by_scope:
        here: dict[int, int] = {}
        for pick in group:
            for line, units in pick.lines:
                here[line] = min(here.get(line, MAX_QUANTITY), len(units))
        if counts is None:
            counts = here
        else:
            counts = {line: min(count, here[line]) for line, count in counts.items() if line in here}
    return counts or {}
