"""What each discount takes off a running order: arithmetic on whole numbers, no order is changed."""

from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from guerdon.engine.chosen import Cap, Chosen, Target
from guerdon.engine.discount import AmountOff, Discount, FixedAmount, PercentOff, UnitOff, effect_of
from guerdon.engine.money import MAX_AMOUNT, half_up, share, share_within
from guerdon.engine.order import Order, OrderItem, Replacement
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
    ``new_items`` the lines they came on, to be appended. What leaves a line for a replacement is added to it with
    a minus, and ``replaced`` tells line by line.
    """

    order_discount: int = 0
    lines: list[tuple[int, int]] = field(default_factory=list)
    units: dict[int, int] | None = None
    added: list[tuple[int, int, int]] | None = None
    new_items: list[OrderItem] | None = None
    replaced: list[Replacement] | None = None


Steps = list[Step] | None


class _Portion(Struct, gc=False):
    """What a discount may touch: lines, what is left to pay of the units meant (minor units), and those units.

    ``targets`` stand beside the lines when items were chosen; else all units of all lines are meant.
    """

    lines: list[int]
    worths: list[int]
    units: list[int]
    targets: list[Target] | None = None


def effect_in_force(discount: Discount, chosen: Chosen | None) -> str:
    """The effect named, or the default: a discount whose scope lists items is for items."""
    if (
        chosen is None
        or not chosen.lists_items
        or discount.effect is not None
        or isinstance(discount, UnitOff)
    ):
        return effect_of(discount)
    return "APPLY_TO_ITEMS"


def scales_units(discount: Discount, lists_items: bool) -> bool:
    """Whether the number of bundles multiplies the limits of units, and not the value of the discount.

    What is replaced is counted by such limits, and what comes in its place by what is replaced.

    >>> scales_units(FixedAmount(fixed_amount=100, effect="APPLY_TO_ITEMS"), lists_items=False)
    True
    """
    effect = effect_of(discount)
    if isinstance(discount, FixedAmount):
        return effect == "APPLY_TO_ITEMS" or (discount.effect is None and lists_items)
    return effect in ("APPLY_TO_ITEMS_BY_QUANTITY", "REPLACE_ITEMS")


def percent_off(
    discount: PercentOff,
    order: Order,
    base: Order | None,
    steps: Steps,
    chosen: Chosen | None = None,
    bundles: int = 1,
) -> Effect | Reason:
    """A percentage of ``base``'s amounts, or of what is left of ``order`` when ``base`` is None."""
    if (discount.effect or effect_in_force(discount, chosen)) == "APPLY_TO_ITEMS":
        return _percent_items(discount, order, base, steps, chosen, bundles)
    rate = _rate(discount.percent_off, bundles)
    left = order.total_amount
    if left is None:
        return Reason.MISSING_AMOUNT
    of = left if base is None else (base.amount or 0)
    off = half_up(of * rate, 10_000)
    if steps is not None:
        facts = {"base": of, "percent_off": str(discount.percent_off)} | _bundled(bundles)
        note(steps, "percent_of_order", off, **facts, rounding="half up")
    off = _capped(off, discount.amount_limit, "amount_limit", steps)
    off = _capped(off, discount.aggregated_amount_limit, "aggregated_amount_limit", steps)
    return Effect(order_discount=_capped(off, left, "order_total", steps))


def _rate(percent: Decimal, bundles: int) -> int:
    """Hundredths of a per cent, once for each bundle, never above the whole."""
    rate = int(percent * 100)
    return rate if bundles == 1 else min(rate * bundles, 10_000)


def _bundled(bundles: int) -> dict[str, Any]:
    return {} if bundles == 1 else {"bundles": bundles}


def _percent_items(
    discount: PercentOff,
    order: Order,
    base: Order | None,
    steps: Steps,
    chosen: Chosen | None,
    bundles: int,
) -> Effect | Reason:
    items = order.items or []
    by_line = discount.by_line is not None or discount.limit_by_line is not None
    if base is None and chosen is None and steps is None and not by_line:
        return _percent_plain(discount, items, order, _rate(discount.percent_off, bundles))
    portion = _portion(order, chosen)
    if isinstance(portion, Reason):
        return portion
    initial = None if base is None else base.items
    lines: list[tuple[int, int]] = []
    for place, index in enumerate(portion.lines):
        of, rate, off = _percent_of(discount, items[index], initial, portion, place, bundles)
        if steps is not None:
            _note_percent(steps, off, index, of, rate, portion, place)
        limit = discount.amount_limit
        if discount.limit_by_line is not None:
            limit = discount.limit_by_line.get(index, limit)
        off = _capped(off, limit, "amount_limit", steps, index)
        lines.append((index, min(off, portion.worths[place])))
    return _of_lines(lines, portion, order, discount.aggregated_amount_limit, steps, chosen)


def _percent_plain(discount: PercentOff, items: list[OrderItem], order: Order, rate: int) -> Effect | Reason:
    """The same for all units of all lines, of what is left of them: the short way, since it is the common one."""
    limit = MAX_AMOUNT if discount.amount_limit is None else discount.amount_limit
    lines: list[tuple[int, int]] = []
    for index, item in enumerate(items):
        worth = item.subtotal_amount
        if worth is not None:
            off = half_up(worth * rate, 10_000)
            lines.append((index, off if off < limit else limit))
    if not lines:
        return Reason.MISSING_ORDER_ITEMS_AMOUNT if items else Reason.MISSING_ORDER_ITEMS
    return Effect(lines=_within(lines, order, discount.aggregated_amount_limit, None))


def _percent_of(
    discount: PercentOff,
    item: OrderItem,
    initial: list[OrderItem] | None,
    portion: _Portion,
    place: int,
    bundles: int,
) -> tuple[int, int, int]:
    """The line's base, its rate and what that comes to for the units meant: rounded once, from the whole line."""
    index = portion.lines[place]
    of = item.subtotal_amount or 0
    if initial is not None:
        of = (initial[index].amount or 0) if index < len(initial) else 0
    percent = discount.percent_off
    if discount.by_line is not None:
        percent = discount.by_line.get(index, percent)
    rate = _rate(percent, bundles)
    return of, rate, half_up(of * rate * portion.units[place], 10_000 * (item.quantity or 1))


def _note_percent(
    steps: list[Step], off: int, index: int, of: int, rate: int, portion: _Portion, place: int
) -> None:
    percent = f"{rate // 100}.{rate % 100:02}".rstrip("0").rstrip(".")
    some = {} if portion.targets is None else {"units": portion.units[place]}
    note(steps, "percent_of_line", off, index, base=of, percent_off=percent, **some)


def amount_off(
    discount: AmountOff,
    order: Order,
    steps: Steps,
    chosen: Chosen | None = None,
    bundles: int = 1,
) -> Effect | Reason:
    """An amount off the order, off each line, off each unit, or shared among the lines."""
    effect = discount.effect or effect_in_force(discount, chosen)
    times = 1 if effect == "APPLY_TO_ITEMS_BY_QUANTITY" else bundles
    off = discount.amount_off * times
    if off > MAX_AMOUNT:
        off = MAX_AMOUNT
    limit = discount.aggregated_amount_limit
    if effect == "APPLY_TO_ORDER":
        left = order.total_amount
        if left is None:
            return Reason.MISSING_AMOUNT
        if steps is not None:
            note(steps, "amount_off_order", off, **_bundled(bundles))
        if limit is not None:
            off = _capped(off, limit, "aggregated_amount_limit", steps)
        return Effect(off if off <= left else _capped(off, left, "order_total", steps))
    portion = _portion(order, chosen)
    if isinstance(portion, Reason):
        return portion
    worths, units = portion.worths, portion.units
    match effect:
        case "APPLY_TO_ITEMS":
            parts = [min(off, worth) for worth in worths]
        case "APPLY_TO_ITEMS_BY_QUANTITY":
            parts = [min(off * count, worth) for count, worth in zip(units, worths, strict=True)]
        case "APPLY_TO_ITEMS_PROPORTIONALLY":
            parts = share(_shared(discount, off, order, worths, chosen), worths)
        case _:
            parts = share_within(_shared(discount, off, order, worths, chosen), units, worths)
    if discount.by_line is not None and effect in ("APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY"):
        parts = _line_by_line(discount, portion, effect, times)
    lines = list(zip(portion.lines, parts, strict=True))
    if steps is not None:
        for place, (index, part) in enumerate(lines):
            seen = {"amount_off": off, "quantity": units[place], "subtotal": worths[place]}
            steps.append(Step(step=effect.lower(), result=part, line=index, facts=seen))
    return _of_lines(lines, portion, order, limit, steps, chosen)


def _line_by_line(discount: AmountOff, portion: _Portion, effect: str, times: int) -> list[int]:
    """What is taken off each line when a formula gave each its own amount."""
    amounts = discount.by_line or {}
    parts: list[int] = []
    for index, worth, count in zip(portion.lines, portion.worths, portion.units, strict=True):
        off = amounts.get(index, discount.amount_off) * times
        parts.append(min(off if effect == "APPLY_TO_ITEMS" else off * count, worth))
    return parts


def _shared(discount: AmountOff, off: int, order: Order, worths: list[int], chosen: Chosen | None) -> int:
    """How much there is to share among lines: capped before the split, so that the split stays fair."""
    off = min(off, sum(worths), order.total_amount or 0)
    if chosen is not None and chosen.aggregated_amount_limit is not None:
        off = min(off, chosen.aggregated_amount_limit)
    limit = discount.aggregated_amount_limit
    return off if limit is None else min(off, limit)


def fixed_amount(
    discount: FixedAmount,
    order: Order,
    steps: Steps,
    chosen: Chosen | None = None,
    bundles: int = 1,
) -> Effect | Reason:
    """Whatever brings the order, or each unit, down to the fixed amount; a price of the scope goes before it.

    ``bundles`` does not multiply prices; it has multiplied the units when they were chosen.
    """
    fixed = discount.fixed_amount
    if effect_in_force(discount, chosen) == "APPLY_TO_ORDER":
        left = order.total_amount
        if left is None:
            return Reason.MISSING_AMOUNT
        off = max(0, left - fixed)
        if steps is not None:
            note(steps, "fixed_order_amount", off, total=left, fixed_amount=fixed)
        return Effect(order_discount=off)
    portion = _portion(order, chosen)
    if isinstance(portion, Reason):
        return portion
    lines: list[tuple[int, int]] = []
    for place, index in enumerate(portion.lines):
        price = fixed if discount.by_line is None else discount.by_line.get(index, fixed)
        if portion.targets is not None:
            own = portion.targets[place].price
            price = price if own is None else own
        worth, count = portion.worths[place], portion.units[place]
        off = max(0, worth - price * count)
        lines.append((index, off))
        if steps is not None:
            seen = {"subtotal": worth, "quantity": count, "fixed_amount": price}
            steps.append(Step(step="fixed_unit_price", result=off, line=index, facts=seen))
    return _of_lines(lines, portion, order, None, steps, chosen)


def _portion(order: Order, chosen: Chosen | None) -> _Portion | Reason:
    """The lines and units meant whose worth is known."""
    items = order.items
    if not items:
        return Reason.MISSING_ORDER_ITEMS
    if chosen is None:
        lines = [index for index, item in enumerate(items) if item.subtotal_amount is not None]
        if not lines:
            return Reason.MISSING_ORDER_ITEMS_AMOUNT
        worths = [items[index].subtotal_amount or 0 for index in lines]
        return _Portion(lines, worths, [items[index].quantity for index in lines])
    if not chosen.targets:
        return Reason[chosen.refusal or "ORDER_RULES_VIOLATED"]
    targets = [target for target in chosen.targets if items[target.line].subtotal_amount is not None]
    if not targets:
        return Reason.MISSING_ORDER_ITEMS_AMOUNT
    return _Portion(
        [target.line for target in targets],
        [_worth(items[target.line], target) for target in targets],
        [target.units for target in targets],
        targets,
    )


def _worth(item: OrderItem, target: Target) -> int:
    """What is left to pay of the units meant: their share of the line's subtotal."""
    subtotal = item.subtotal_amount or 0
    return subtotal if target.all_units else half_up(subtotal * target.units, item.quantity)


def _of_lines(
    lines: list[tuple[int, int]],
    portion: _Portion,
    order: Order,
    limit: int | None,
    steps: Steps,
    chosen: Chosen | None,
) -> Effect:
    """The effect on lines, kept to the limits of the scope, of the discount and of the order."""
    if chosen is None:
        return Effect(lines=_within(lines, order, limit, steps))
    for place, target in enumerate(portion.targets or ()):
        index, off = lines[place]
        if target.amount_limit is not None and off > target.amount_limit:
            lines[place] = index, _capped(off, target.amount_limit, "item_amount_limit", steps, index)
    for cap in chosen.caps:
        lines = _cut(lines, cap, steps)
    own = chosen.aggregated_amount_limit
    if own is not None and (limit is None or own < limit):
        limit = own
    return Effect(lines=sorted(_within(lines, order, limit, steps)))


def _cut(lines: list[tuple[int, int]], cap: Cap, steps: Steps) -> list[tuple[int, int]]:
    """The lines with those of the cap cut, from the last back, to its limit."""
    budget = _capped(sum(off for index, off in lines if index in cap.lines), cap.limit, "item_limit", steps)
    kept: list[tuple[int, int]] = []
    for index, off in lines:
        if index in cap.lines:
            off = min(off, budget)
            budget -= off
        kept.append((index, off))
    return kept


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
