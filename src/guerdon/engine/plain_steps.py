"""What plain discounts leave, in whole numbers without an order: for the search of the best deal (plain_deal.py).

Plain are percentages, amounts and prices whose lines do not depend on what has been applied. Each is either about the
order's total or about single lines, and never takes more where there is less. tests/laws/test_plain_deal.py holds
every step to what the engine gives.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.attempt import reckon
from guerdon.engine.ceiling import STILL, Candidate
from guerdon.engine.checks import Redeemable
from guerdon.engine.chosen import Chosen
from guerdon.engine.conditions import every_condition
from guerdon.engine.decision import Facts
from guerdon.engine.discount import AmountOff, Discount, FixedAmount, PercentOff
from guerdon.engine.effects import Effect, effect_in_force
from guerdon.engine.lanes import WHOLE, Lanes, Step
from guerdon.engine.money import half_up
from guerdon.engine.order import Order, copy_item

PlainDiscount = PercentOff | AmountOff | FixedAmount

MOST_ALIKE = 6
"""How many different parts of lines' units a share may be of, to be reckoned on all lines at once."""


class _Quick(Struct):
    leave: Step
    most: int | None = None
    prices: int | None = None
    parts: int = 1


class PlainStep(Struct):
    """What one redeemable leaves: of the order's total, or of its lines (packed). ``cost`` is in nanoseconds; ``most``
    is what it takes off at most wherever it stands, and ``rate`` the share of what is left (hundredths of a per cent)
    that it takes at most but for half a unit a line, where these are known; ``prices`` are what it brings lines down
    to, if that is all it does.
    """

    place: int
    rank: int
    floats: bool
    about: Literal["order", "lines"]
    leave: Step
    cost: int
    most: int | None = None
    rate: int | None = None
    prices: int | None = None


def holds_always(redeemable: Redeemable) -> bool:
    """Whether its rules, where they hold on the first order, hold on every order that plain discounts leave."""
    if redeemable.limits:
        return False
    return all(
        condition.name in STILL and not rule_set.after
        for rule_set in redeemable.rules
        for condition in every_condition(rule_set.conditions)
    )


def plain_step(facts: Facts, candidate: Candidate, chosen: Chosen | None, lanes: Lanes) -> PlainStep | None:
    """What the candidate leaves, on the lines ``chosen``; None if its discount is not plain."""
    redeemable = candidate.redeemable
    discount = redeemable.terms and redeemable.terms.discount
    order = facts.order
    if order is None or discount is None or discount.is_dynamic:
        return None
    if not isinstance(discount, (PercentOff, AmountOff, FixedAmount)):
        return None
    if any(rule_set.bundle is not None for rule_set in redeemable.rules):
        return None
    base = None
    if isinstance(discount, PercentOff) and facts.stacking.of_initial(redeemable.category):
        base = order
    effect = effect_in_force(discount, chosen)
    named = (candidate.place, candidate.rank, candidate.floats)
    if effect == "APPLY_TO_ORDER":
        return PlainStep(*named, "order", _of_total(discount, base), 300)
    if effect not in ("APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY"):
        return None
    step = PlainStep(*named, "lines", _as_reckoned(facts, discount, order, base, chosen, lanes), 0)
    step.cost = 4000 + 1000 * lanes.count
    limits, lines = (
        _limits(discount, chosen, lanes),
        [] if chosen is None else [target.line for target in chosen.targets],
    )
    # Limits over several lines cut those that were chosen last.
    quick = _of_lines(discount, order, base, chosen, lanes) if not limits or lines == sorted(lines) else None
    if quick is not None:
        step.leave, step.cost = quick.leave, (150 + 12 * lanes.count) * quick.parts
        step.most, step.prices = quick.most, quick.prices
        if limits:
            step.leave, step.prices = lanes.within(quick.leave, limits), None
            step.cost += (1000 + 60 * lanes.count) * len(limits)
    if isinstance(discount, PercentOff) and base is None:
        step.rate = int(discount.percent_off * 100)
    for limit in _whole_limits(discount, chosen):
        step.most = limit if step.most is None else min(step.most, limit)
    return step


def _of_total(discount: PlainDiscount, base: Order | None) -> Callable[[int], int]:
    if isinstance(discount, FixedAmount):
        fixed = discount.fixed_amount
        return lambda total: min(total, fixed)
    limit = discount.aggregated_amount_limit
    if isinstance(discount, AmountOff):
        amount = discount.amount_off if limit is None else min(discount.amount_off, limit)
        return lambda total: total - min(amount, total)
    rate = int(discount.percent_off * 100)
    for each in (discount.amount_limit, discount.aggregated_amount_limit):
        limit = each if limit is None or (each is not None and each < limit) else limit
    if base is not None:
        amount = half_up((base.amount or 0) * rate, WHOLE)
        amount = amount if limit is None else min(amount, limit)
        return lambda total: total - min(amount, total)
    if limit is None:
        return lambda total: total - half_up(total * rate, WHOLE)
    return lambda total: total - min(half_up(total * rate, WHOLE), limit)


def _of_lines(
    discount: PlainDiscount, order: Order, base: Order | None, chosen: Chosen | None, lanes: Lanes
) -> _Quick | None:
    """The step without limits over several lines; None where it is not the same for every unit of a line."""
    meant, limits = [item.subtotal_amount is not None for item in order.items or ()], None
    if chosen is not None:
        targets = {target.line: target for target in chosen.targets}
        meant = [known and line in targets for line, known in enumerate(meant)]
        if len(targets) != len(chosen.targets):
            return None
        if any(target.price is not None for target in chosen.targets):
            return None
        some = any(not target.all_units for target in chosen.targets)
        if some and (base is not None or not isinstance(discount, PercentOff)):
            return None
        if any(target.amount_limit is not None for target in chosen.targets):
            limits = [lanes.largest] * lanes.count
            for line, target in targets.items():
                limits[line] = lanes.largest if target.amount_limit is None else target.amount_limit
    if isinstance(discount, FixedAmount):
        if limits is not None:
            return None
        prices = [
            discount.fixed_amount * item.quantity if on else lanes.largest
            for item, on in zip(order.items or (), meant, strict=True)
        ]
        packed = lanes.packed(prices)
        return _Quick(lanes.at_most(packed), prices=packed)
    if isinstance(discount, PercentOff) and discount.amount_limit is not None:
        limit = discount.amount_limit
        limits = [min(limit, own) for own in limits or [limit] * lanes.count]
    if isinstance(discount, PercentOff) and base is None:
        return _shares(int(discount.percent_off * 100), order, meant, limits, chosen, lanes)
    amounts = [amount * on for amount, on in zip(_amounts(discount, order, base, chosen), meant, strict=True)]
    if limits is not None:
        amounts = [min(amount, limit) for amount, limit in zip(amounts, limits, strict=True)]
    return _Quick(lanes.off(lanes.packed(amounts)), most=sum(amounts))


def _shares(
    rate: int, order: Order, meant: list[bool], limits: list[int] | None, chosen: Chosen | None, lanes: Lanes
) -> _Quick | None:
    """A share of the units meant, of lines alike together: rounded once, from the whole line."""
    units = {} if chosen is None else {target.line: target.units for target in chosen.targets}
    alike: dict[tuple[int, int], list[int]] = {}
    for line, item in enumerate(order.items or ()):
        if meant[line]:
            part = Fraction(units.get(line, item.quantity), item.quantity) if item.quantity else Fraction(1)
            shown = alike.setdefault(part.as_integer_ratio(), [0] * lanes.count)
            shown[line] = lanes.largest
    if len(alike) > MOST_ALIKE or any(WHOLE * whole >> lanes.spare for _, whole in alike):
        return None
    packed = None if limits is None else lanes.packed(limits)
    steps = [
        lanes.share(rate * part, lanes.packed(shown), packed, WHOLE * whole)
        for (part, whole), shown in alike.items()
    ]
    if len(steps) == 1:
        return _Quick(steps[0])

    def one_by_one(packed: int) -> int:
        for step in steps:
            packed = step(packed)
        return packed

    return _Quick(one_by_one, parts=len(steps))


def _amounts(
    discount: AmountOff | PercentOff, order: Order, base: Order | None, chosen: Chosen | None
) -> list[int]:
    """What is taken off each line wherever the discount stands."""
    if isinstance(discount, PercentOff):
        rate = int(discount.percent_off * 100)
        return [half_up((item.amount or 0) * rate, WHOLE) for item in (base or order).items or ()]
    by_unit = effect_in_force(discount, chosen) == "APPLY_TO_ITEMS_BY_QUANTITY"
    return [discount.amount_off * (item.quantity if by_unit else 1) for item in order.items or ()]


def _whole_limits(discount: PlainDiscount, chosen: Chosen | None) -> list[int]:
    """The limits of all lines together."""
    limits = [
        None if isinstance(discount, FixedAmount) else discount.aggregated_amount_limit,
        None if chosen is None else chosen.aggregated_amount_limit,
    ]
    return [limit for limit in limits if limit is not None]


def _limits(discount: PlainDiscount, chosen: Chosen | None, lanes: Lanes) -> list[tuple[int, int]]:
    """The most that is taken off some lines together, each with those lines: in the engine's order, those of some
    lines before those of all.
    """
    limits: list[tuple[int, int]] = []
    for cap in () if chosen is None else chosen.caps:
        shown = lanes.packed([lanes.largest * (line in cap.lines) for line in range(lanes.count)])
        limits.append((shown, cap.limit))
    everything = lanes.ones * lanes.largest
    return limits + [(everything, limit) for limit in _whole_limits(discount, chosen)]


def _as_reckoned(
    facts: Facts, discount: Discount, order: Order, base: Order | None, chosen: Chosen | None, lanes: Lanes
) -> Step:
    """The step as the engine itself reckons it, on an order that holds nothing but these amounts."""
    shadow = replace(order, items=[copy_item(item) for item in order.items or ()])
    items, catalog = shadow.items or [], facts.catalog

    def step(packed: int) -> int:
        amounts = lanes.amounts(packed)
        for item, amount in zip(items, amounts, strict=True):
            if item.subtotal_amount is not None:
                item.subtotal_amount = amount
        shadow.total_amount = sum(amounts)
        effect = reckon(discount, shadow, base, catalog, None, chosen)
        if isinstance(effect, Effect):
            for line, off in effect.lines:
                amounts[line] -= off
        return lanes.packed(amounts)

    return step
