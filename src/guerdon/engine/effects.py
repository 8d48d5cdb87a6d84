"""What each discount takes off a running order: arithmetic on whole numbers, no order is changed."""

from typing import Any

from msgspec import Struct, field

from guerdon.engine.discount import AmountOff, FixedAmount, PercentOff, effect_of
from guerdon.engine.money import half_up, share, share_within
from guerdon.engine.order import Order, OrderItem
from guerdon.engine.reasons import Reason


class Step(Struct, omit_defaults=True, gc=False):
    """One line of the reckoning shown by ``explain``: what was reckoned, from what, and what came out."""

    step: str
    result: int | None = None
    line: int | None = None
    facts: dict[str, Any] | None = None


class Effect(Struct, gc=False):
    """What one discount does to the running order: minor units off the order, and off lines by index.

    ``units`` counts discounted units by line, ``added`` the units put in (line, quantity, amount) and
    ``new_items`` the lines they came on, to be appended.
    """

    order_discount: int = 0
    lines: list[tuple[int, int]] = field(default_factory=list)
    units: dict[int, int] | None = None
    added: list[tuple[int, int, int]] | None = None
    new_items: list[OrderItem] | None = None


Steps = list[Step] | None


def targets(order: Order) -> list[int]:
    """The lines a discount on items may touch. The one place that item rules will narrow."""
    return list(range(len(order.items or ())))


def percent_off(discount: PercentOff, order: Order, base: Order | None, steps: Steps) -> Effect | Reason:
    """A percentage of ``base``'s amounts, or of what is left of ``order`` when ``base`` is None."""
    rate = int(discount.percent_off * 100)
    if effect_of(discount) == "APPLY_TO_ITEMS":
        return _percent_items(discount, rate, order, base, steps)
    left = order.total_amount
    if left is None:
        return Reason.MISSING_AMOUNT
    of = left if base is None else (base.amount or 0)
    off = half_up(of * rate, 10_000)
    if steps is not None:
        note(
            steps, "percent_of_order", off, base=of, percent_off=str(discount.percent_off), rounding="half up"
        )
    off = _capped(off, discount.amount_limit, "amount_limit", steps)
    off = _capped(off, discount.aggregated_amount_limit, "aggregated_amount_limit", steps)
    return Effect(order_discount=_capped(off, left, "order_total", steps))


def _percent_items(
    discount: PercentOff, rate: int, order: Order, base: Order | None, steps: Steps
) -> Effect | Reason:
    items, chosen = order.items, _priced(order)
    if isinstance(chosen, Reason) or items is None:
        return chosen if isinstance(chosen, Reason) else Reason.MISSING_ORDER_ITEMS
    limit = discount.amount_limit
    initial = None if base is None else base.items
    lines: list[tuple[int, int]] = []
    for index in chosen:
        subtotal = items[index].subtotal_amount or 0
        of = subtotal
        if initial is not None:
            of = (initial[index].amount or 0) if index < len(initial) else 0
        off = half_up(of * rate, 10_000)
        if steps is not None:
            note(steps, "percent_of_line", off, index, base=of, percent_off=str(discount.percent_off))
        if limit is not None and off > limit:
            off = _capped(off, limit, "amount_limit", steps, index)
        lines.append((index, off if off < subtotal else subtotal))
    return Effect(lines=_within(lines, order, discount.aggregated_amount_limit, steps))


def amount_off(discount: AmountOff, order: Order, steps: Steps) -> Effect | Reason:
    """An amount off the order, off each line, off each unit, or shared among the lines."""
    effect, off = effect_of(discount), discount.amount_off
    if effect == "APPLY_TO_ORDER":
        left = order.total_amount
        if left is None:
            return Reason.MISSING_AMOUNT
        if steps is not None:
            note(steps, "amount_off_order", off)
        off = _capped(off, discount.aggregated_amount_limit, "aggregated_amount_limit", steps)
        return Effect(order_discount=_capped(off, left, "order_total", steps))
    chosen = _priced(order)
    items = order.items
    if isinstance(chosen, Reason) or items is None:
        return chosen if isinstance(chosen, Reason) else Reason.MISSING_ORDER_ITEMS
    subtotals = [items[index].subtotal_amount or 0 for index in chosen]
    quantities = [items[index].quantity for index in chosen]
    match effect:
        case "APPLY_TO_ITEMS":
            parts = [min(off, subtotal) for subtotal in subtotals]
        case "APPLY_TO_ITEMS_BY_QUANTITY":
            parts = [
                min(off * count, subtotal) for count, subtotal in zip(quantities, subtotals, strict=True)
            ]
        case "APPLY_TO_ITEMS_PROPORTIONALLY":
            parts = share(_shared(discount, order, subtotals), subtotals)
        case _:
            parts = share_within(_shared(discount, order, subtotals), quantities, subtotals)
    lines = list(zip(chosen, parts, strict=True))
    if steps is not None:
        for place, (index, part) in enumerate(lines):
            seen = {"amount_off": off, "quantity": quantities[place], "subtotal": subtotals[place]}
            steps.append(Step(step=effect.lower(), result=part, line=index, facts=seen))
    return Effect(lines=_within(lines, order, discount.aggregated_amount_limit, steps))


def _shared(discount: AmountOff, order: Order, subtotals: list[int]) -> int:
    """How much there is to share among lines: capped before the split, so that the split stays fair."""
    off = min(discount.amount_off, sum(subtotals), order.total_amount or 0)
    limit = discount.aggregated_amount_limit
    return off if limit is None else min(off, limit)


def fixed_amount(discount: FixedAmount, order: Order, steps: Steps) -> Effect | Reason:
    """Whatever brings the order, or each unit, down to the fixed amount."""
    fixed = discount.fixed_amount
    if effect_of(discount) == "APPLY_TO_ORDER":
        left = order.total_amount
        if left is None:
            return Reason.MISSING_AMOUNT
        off = max(0, left - fixed)
        if steps is not None:
            note(steps, "fixed_order_amount", off, total=left, fixed_amount=fixed)
        return Effect(order_discount=off)
    chosen = _priced(order)
    items = order.items
    if isinstance(chosen, Reason) or items is None:
        return chosen if isinstance(chosen, Reason) else Reason.MISSING_ORDER_ITEMS
    lines: list[tuple[int, int]] = []
    for index in chosen:
        item = items[index]
        off = max(0, (item.subtotal_amount or 0) - fixed * item.quantity)
        lines.append((index, off))
        if steps is not None:
            seen = {"subtotal": item.subtotal_amount, "quantity": item.quantity, "fixed_amount": fixed}
            steps.append(Step(step="fixed_unit_price", result=off, line=index, facts=seen))
    return Effect(lines=_within(lines, order, None, steps))


def _priced(order: Order) -> list[int] | Reason:
    """The targeted lines whose amount is known."""
    items = order.items
    if not items:
        return Reason.MISSING_ORDER_ITEMS
    chosen = [index for index in targets(order) if items[index].subtotal_amount is not None]
    return chosen or Reason.MISSING_ORDER_ITEMS_AMOUNT


def _within(
    lines: list[tuple[int, int]], order: Order, limit: int | None, steps: Steps
) -> list[tuple[int, int]]:
    """Lines cut, from the last back, to the limit of the discount and to what is left of the order."""
    wanted = 0
    for _, off in lines:
        wanted += off
    left = order.total_amount or 0
    if limit is not None:
        wanted = _capped(wanted, limit, "aggregated_amount_limit", steps)
    budget = _capped(wanted, left, "order_total", steps)
    kept: list[tuple[int, int]] = []
    for index, off in lines:
        if off > budget:
            off = budget
        if off:
            kept.append((index, off))
            budget -= off
    return kept


def _capped(off: int, limit: int | None, name: str, steps: Steps, line: int | None = None) -> int:
    if limit is None or off <= limit:
        return off
    if steps is not None:
        note(steps, "cap", limit, line, cap=name, before=off)
    return limit


def note(steps: list[Step], step: str, result: int, line: int | None = None, **facts: Any) -> None:
    """Add a line to the reckoning."""
    steps.append(Step(step=step, result=result, line=line, facts=facts))
