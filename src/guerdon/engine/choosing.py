"""How one entry chooses among the lines it covers, and how units are kept to limits over several lines."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from msgspec import Struct

from guerdon.engine.chosen import Cap, Chosen, Pick, Refusal, Target
from guerdon.engine.entries import Budget, Entry, product_names, sku_names
from guerdon.engine.formula import Work, amount_of, number_of
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import MAX_QUANTITY, OrderItem
from guerdon.engine.situation import Situation
from guerdon.engine.tally import key_of

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable


class Chooser:
    """The work on one order: orders lines, reads limits, keeps to them."""

    def __init__(
        self,
        items: Sequence[OrderItem],
        situation: Situation,
        redeemable: "Redeemable",
        bundles: int | None,
        sets: int | None,
    ) -> None:
        self.items, self.situation, self.redeemable = items, situation, redeemable
        self.bundles, self.sets = bundles, sets  # what multiplies limits, and what formulas see
        self.work = Work()  # what the formulas of all lines share
        self.budgets: dict[str, tuple[int, list[int]]] = {}

    def pick(self, entry: Entry, covered: list[int]) -> Pick:
        """What the entry takes of the lines it covers, before limits over several lines."""
        lines = self._ordered(entry, covered)
        if entry.target == "UNIT":
            taken = self._every_unit(entry, lines)
        else:
            taken = [(line, all_of(self.items[line])) for line in lines[entry.skip_initially :: entry.repeat]]
            if entry.effect in ("APPLY_TO_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE"):
                taken = taken[:1]
        limited: list[tuple[int, range]] = []
        for line, units in taken:
            limit = self._unit_limit("quantity_limit", entry, self.items[line])
            units = units if limit is None else units[:limit]
            if units:
                limited.append((line, units))
        return Pick(entry, covered, limited)

    def _every_unit(self, entry: Entry, lines: list[int]) -> list[tuple[int, range]]:
        """Units by their numbers; the counter runs on from line to line."""
        if entry.effect in ("APPLY_TO_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE"):
            lines = lines[:1]
        next_one, before = entry.skip_initially + 1, 0
        taken: list[tuple[int, range]] = []
        for line in lines:
            quantity = self.items[line].quantity
            units = range(next_one - before, quantity + 1, entry.repeat)
            if units:
                taken.append((line, units))
                next_one = before + units[-1] + entry.repeat
            before += quantity
        return taken

    def _ordered(self, entry: Entry, lines: list[int]) -> list[int]:
        """By price of a unit where the effect says so, then the lower subtotal, then as sent."""
        if entry.effect == "APPLY_TO_EVERY" or len(lines) < 2:
            return lines
        sign = -1 if entry.effect in ("APPLY_TO_MOST_EXPENSIVE", "APPLY_FROM_MOST_EXPENSIVE") else 1
        priced = [line for line in lines if self.items[line].amount is not None]
        return sorted(
            priced, key=lambda line: (sign * _price(self.items[line]), self.items[line].subtotal_amount or 0)
        )

    def keep_limits(self, picks: list[Pick], counts: dict[int, int]) -> Refusal:
        """Lower ``counts`` to the limits over several lines; answers why nothing is left, if it is not."""
        before = len(counts)
        known = self._find_budgets(picks, counts)
        nobody = not known and len(counts) < before
        spent = False
        pools: list[_Pool] = []
        for key, (limit, lines) in self.budgets.items():
            left = max(0, limit - self.situation.used.get(key, 0))
            spent = spent or not left
            pools.append(_Pool(left, lines))
        for pick in picks:
            limit = self._unit_limit("aggregated_quantity_limit", pick.entry, None)
            if limit is not None:
                pools.append(_Pool(limit, [line for line, _ in pick.lines]))
        if pools:
            _draw(counts, pools)
        if nobody:
            return "MISSING_CUSTOMER"
        return "REDEMPTION_RULES_VIOLATED" if spent else "ORDER_RULES_VIOLATED"

    def _find_budgets(self, picks: list[Pick], counts: dict[int, int]) -> bool:
        """Set ``budgets``: by tally key the smallest limit, and all lines that count against it.

        Lines are dropped, and the answer is False, where nobody is there to count by.
        """
        known = True
        for pick in picks:
            if not pick.entry.budgets:
                continue
            first = [line for line, _ in pick.lines]
            lines = dict.fromkeys([*first, *pick.covered])
            for budget in pick.entry.budgets:
                limit = self._budget_limit(budget)
                for line in lines:
                    key = budget_key(budget, pick.entry, self.items[line], self.situation, self.redeemable)
                    if key is None:
                        known = False
                        counts.pop(line, None)
                        continue
                    least, counting = self.budgets.get(key, (limit, []))
                    if line not in counting:
                        counting.append(line)
                    self.budgets[key] = min(least, limit), counting
        return known

    def _budget_limit(self, budget: Budget) -> int:
        if budget.formula is not None:
            return self._number(budget.formula, budget.limit, None)
        return budget.limit or 0

    def counted(self, counts: dict[int, int]) -> dict[str, int]:
        """Units by the tally key of every budget they count against."""
        counted: dict[str, int] = {}
        for key, (_, lines) in self.budgets.items():
            units = sum(counts.get(line, 0) for line in lines)
            if units:
                counted[key] = units
        return counted

    def targets(self, picks: list[Pick], counts: dict[int, int]) -> list[Target]:
        """The targets in the order of choice, with the smallest limit and the highest price of their entries."""
        targets: dict[int, Target] = {}
        for pick in picks:
            entry = pick.entry
            for line, _ in pick.lines:
                if line not in counts:
                    continue
                target = targets.get(line)
                if target is None:
                    units = counts[line]
                    target = targets[line] = Target(line, units, units == self.items[line].quantity)
                if entry.amount_limit is not None or "amount_limit" in entry.formulas:
                    limit = self._money("amount_limit", entry, self.items[line])
                    target.amount_limit = min(_known(limit, target.amount_limit))
                if entry.price is not None or "price" in entry.formulas:
                    price = self._money("price", entry, self.items[line])
                    target.price = max(_known(price, target.price))
        if not picks:
            return [Target(line, units) for line, units in counts.items()]
        return list(targets.values())

    def cap(self, chosen: Chosen) -> None:
        """Set the limits of amounts over several lines."""
        lines = frozenset(target.line for target in chosen.targets)
        for pick in chosen.picks:
            entry = pick.entry
            if entry.aggregated_amount_limit is None and "aggregated_amount_limit" not in entry.formulas:
                continue
            limit = self._money("aggregated_amount_limit", entry, None)
            here = lines.intersection(line for line, _ in pick.lines)
            if here == lines:
                chosen.aggregated_amount_limit = min(_known(limit, chosen.aggregated_amount_limit))
            elif here:
                chosen.caps.append(Cap(here, limit))

    def _unit_limit(self, name: str, entry: Entry, item: OrderItem | None) -> int | None:
        static: int | None = getattr(entry, name)
        text = entry.formulas.get(name) if entry.formulas else None
        limit = static if text is None else self._number(text, static, item)
        if self.bundles is None:
            return limit
        if limit is None:
            return None if name != "quantity_limit" else self.bundles
        return limit * self.bundles

    def _number(self, text: str, static: int | None, item: OrderItem | None) -> int:
        """A number of units out of a formula; where it fails the static one, or none at all."""
        value = number_of(text, self.situation, self.redeemable, item, self.sets, self.work)
        if not isinstance(value, Decimal):
            return static or 0
        bounded = min(max(value, Decimal(0)), Decimal(MAX_QUANTITY))
        return int(bounded.to_integral_value(ROUND_FLOOR))

    def _money(self, name: str, entry: Entry, item: OrderItem | None) -> int:
        """An amount, or the formula's; where that fails and nothing stands in, what gives no discount."""
        static: int | None = getattr(entry, name)
        text = entry.formulas.get(name)
        value = (
            static
            if text is None
            else amount_of(text, self.situation, self.redeemable, item, self.sets, self.work)
        )
        if isinstance(value, int):
            return value
        if static is not None:
            return static
        return MAX_AMOUNT if name == "price" else 0


def _known(value: int, other: int | None) -> tuple[int, ...]:
    return (value,) if other is None else (value, other)


def all_of(item: OrderItem) -> range:
    """The numbers of all units of a line."""
    return range(1, item.quantity + 1)


def _price(item: OrderItem) -> int | Fraction:
    """What a unit costs, in minor units, of a line whose amount is known."""
    if item.price is not None:
        return item.price
    return Fraction(item.amount or 0, item.quantity or 1)


class _Pool(Struct):
    """Units that some lines may have between them."""

    left: int
    lines: list[int]


def _draw(counts: dict[int, int], pools: list[_Pool]) -> None:
    """Lower ``counts``, line by line, to what is left in every pool that the line draws on."""
    by_line: dict[int, list[_Pool]] = {}
    for pool in pools:
        for line in pool.lines:
            by_line.setdefault(line, []).append(pool)
    for line in list(counts):
        drawn = by_line.get(line, ())
        units = min([counts[line], *(pool.left for pool in drawn)])
        for pool in drawn:
            pool.left -= units
        if units:
            counts[line] = units
        else:
            del counts[line]


def budget_key(
    budget: Budget, entry: Entry, item: OrderItem, situation: Situation, redeemable: "Redeemable"
) -> str | None:
    """The tally of a budget, for this line; None when it is by customer and there is none."""
    if budget.per_customer and situation.customer is None:
        return None
    by = None if situation.customer is None or not budget.per_customer else situation.customer.id
    owner = redeemable.campaign_id if budget.owner == "campaign" else None
    if budget.in_collection:
        names = (*product_names(item), *sku_names(item))
        thing = next((name for name in names if name is not None), "")
    else:
        thing = entry.id or entry.source_id or ""
    # A code without a campaign is its own campaign here: a limit is never left out.
    return key_of(owner or redeemable.key or redeemable.id, f"units:{thing}", "all", by)
