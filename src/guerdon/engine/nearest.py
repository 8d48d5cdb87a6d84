"""The nearest change that would make a condition hold, in words: what to add, what to wait for, what is left.

Money is written in major units with the currency's decimals, without a currency: the engine knows none.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Any

from guerdon.engine.conditions import Condition, Scene
from guerdon.engine.conditions_items import AGGREGATED, QUANTIFIERS, cover_of
from guerdon.engine.conditions_limits import left_of, most_of
from guerdon.engine.moments import moment_of
from guerdon.engine.opening import start_of_day, told_opening
from guerdon.engine.operators import Number, number_of
from guerdon.engine.reasons import Reason
from guerdon.engine.situation import Named
from guerdon.engine.tally import LIMITS

MONEY = frozenset(
    (
        "order.amount",
        "order.total_amount",
        "order.initial_amount",
        "order.items.price",
        "order.items.price_any",
        "order.items.price_each",
        "order.items.aggregated_amount",
        "product.price",
        "sku.price",
        "product.metadata.aggregated_amount",
    )
)
UNITS = frozenset(("order.items.count", "order.items.quantity"))
_WHEN = {"all": "", "day": " today", "week": " this week", "month": " this month"}
_DATES = ("$after", "$more_than", "$more_than_or_equal", "$greater_than_or_equal", "$before", "$less_than")


def money(amount: int, exponent: int) -> str:
    """Minor units as a number of major ones.

    >>> money(320, 2), money(5, 0), money(-1500, 3)
    ('3.20', '5', '-1.500')
    """
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else sign + digits


def nearest(
    condition: Condition, parent: Condition | None, seen: Any, reason: Reason | None, scene: Scene
) -> str | None:
    """The hint for a condition judged: the change that would make it hold, or how much of a limit is left."""
    match reason:
        case Reason.MISSING_CUSTOMER:
            return "say who the customer is"
        case Reason.MISSING_ORDER | Reason.MISSING_AMOUNT:
            return "send an order with its amount"
        case Reason.MISSING_ORDER_ITEMS:
            return "send the items of the order"
    if condition.name in LIMITS:
        return _limit(condition, scene, reason is None)
    if reason is None:
        return None
    if condition.name in QUANTIFIERS:
        return _items(condition, scene)
    if condition.name == "publication.redeemable_by_linked_customer":
        return "only the customer it was published to may use it"
    if condition.name in MONEY or condition.name in UNITS or condition.name in AGGREGATED:
        return _number(condition, parent, seen, scene)
    return _moment(condition, seen, scene) or _value(condition, scene)


def _range(condition: Condition) -> tuple[Number | None, Number | None]:
    """The lowest and the highest whole number that would pass the operators that order."""
    low: Number | None = None
    high: Number | None = None
    for operator, operands in condition.conditions.items():
        bound = number_of(operands[0])
        if bound is None:
            continue
        match operator:
            case "$more_than":
                low = _larger(low, floor(bound) + 1)
            case "$more_than_or_equal" | "$greater_than_or_equal":
                low = _larger(low, ceil(bound))
            case "$less_than":
                high = _smaller(high, ceil(bound) - 1)
            case "$less_than_or_equal":
                high = _smaller(high, floor(bound))
            case "$is" | "$in" if len(operands) == 1 and bound == int(bound):
                low, high = _larger(low, int(bound)), _smaller(high, int(bound))
    return low, high


def _larger(first: Number | None, second: int) -> Number:
    return second if first is None else max(first, second)


def _smaller(first: Number | None, second: int) -> Number:
    return second if first is None else min(first, second)


def _number(condition: Condition, parent: Condition | None, seen: Any, scene: Scene) -> str | None:
    """How far a number is from its bound; of a list of numbers, the nearest."""
    numbers = [
        number
        for each in (seen if isinstance(seen, list) else [seen])
        if (number := number_of(each)) is not None
    ]
    low, high = _range(condition)
    if not numbers:
        if parent is None or "price" in condition.name:
            return None
        numbers = [0]  # nothing of it is in the order
    short = None if low is None else low - max(numbers)
    over = None if high is None else min(numbers) - high
    thing = _things(parent, scene) if parent is not None else None
    if short is not None and short > 0:
        return _add(condition.name, int(short), thing, scene)
    if over is not None and over > 0:
        return _take(condition.name, int(over), thing, scene)
    return None


def _add(name: str, short: int, thing: str | None, scene: Scene) -> str:
    if name not in MONEY:
        return f"{short} more of {thing}" if thing else f"{short} more {_units(short)} in the order"
    amount = money(short, scene.situation.exponent)
    if "price" in name:
        return f"a unit price higher by {amount}"
    return f"add {amount} of {thing}" if thing else f"add {amount} to the order"


def _take(name: str, over: int, thing: str | None, scene: Scene) -> str:
    if name not in MONEY:
        return f"{over} fewer of {thing}" if thing else f"{over} fewer {_units(over)} in the order"
    amount = money(over, scene.situation.exponent)
    if "price" in name:
        return f"a unit price lower by {amount}"
    return f"take {amount} of {thing} out" if thing else f"take {amount} out of the order"


def _units(count: int) -> str:
    return "unit" if count == 1 else "units"


def _items(condition: Condition, scene: Scene) -> str | None:
    if condition.rules:
        return None  # what is missing stands beside the sub-rules
    thing = _things(condition, scene)
    if thing is None:
        return None
    match QUANTIFIERS[condition.name]:
        case "every":
            return f"nothing but {thing} in the order"
        case "none":
            return f"no {thing} in the order"
        case "cheapest":
            return f"{thing} as the cheapest item"
        case "most_expensive":
            return f"{thing} as the most expensive item"
    negative = "$is_not" in condition.conditions or "$not_in" in condition.conditions
    return f"something else than {thing}" if negative else f"1 of {thing}"


def _things(condition: Condition | None, scene: Scene) -> str | None:
    """The products and collections a rule names, by the names that are known."""
    if condition is None:
        return None
    only = "product" if condition.name == "product.id" else "sku" if condition.name == "sku.id" else ""
    operands = [each for operator in condition.conditions.values() for each in operator]
    cover = cover_of(operands[:4], only) if condition.name in QUANTIFIERS else None
    if cover is None:
        return None
    collections = scene.situation.collections
    names = [collections[id].name if id in collections else id for id in cover.collections]
    names += sorted(cover.products | cover.skus)
    if not names:
        return None
    return " or ".join(names[:3]) + (" or others" if len(names) > 3 or len(operands) > 4 else "")


def _limit(condition: Condition, scene: Scene, held: bool) -> str | None:
    """What is left of a limit, or from when on there is something again."""
    left, most = left_of(condition, scene), most_of(condition)
    if left is None or most is None:
        return None
    tally = LIMITS[condition.name]
    when = _WHEN[tally.span]
    if tally.measure == "n":
        if held or left:
            return f"{left} redemption{'' if left == 1 else 's'} left{when}"
    elif left:
        what = "order value" if tally.measure == "orders" else "discount"
        return f"{money(left, scene.situation.exponent)} of {what} left"
    if tally.span == "all":
        return "the limit is used up"
    return told_opening(next_span(tally.span, scene), scene.situation.now, scene.situation.zone)


def next_span(span: str, scene: Scene) -> datetime:
    """The instant at which the next day, week or month of the project's calendar begins (UTC)."""
    situation = scene.situation
    today = situation.now.astimezone(situation.zone).date()
    if span == "month":
        day = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    elif span == "week":
        day = today + timedelta(days=7 - (today.isoweekday() - situation.week_start) % 7)
    else:
        day = today + timedelta(days=1)
    return start_of_day(day, situation.zone).astimezone(UTC)


def _moment(condition: Condition, seen: Any, scene: Scene) -> str | None:
    """A bound on a date, said as a date."""
    zone = scene.situation.zone
    if moment_of(seen, zone) is None:
        return None
    for operator, operands in condition.conditions.items():
        if operator in _DATES and moment_of(operands[0], zone) is not None:
            word = "before" if operator in ("$before", "$less_than") else "after"
            return f"{_subject(condition)} {word} {operands[0]}"
    return None


def _subject(condition: Condition) -> str:
    return condition.property or condition.name


def _value(condition: Condition, scene: Scene) -> str | None:
    """The value that would pass, where one is named."""
    for operator, operands in condition.conditions.items():
        names = names_of(condition, scene) or {}
        first = ", ".join(names.get(str(operand), str(operand))[:60] for operand in operands[:3])
        first += ", …" if len(operands) > 3 else ""
        if condition.name == "customer.segment":
            return f"a customer {'out of' if operator in ('$is_not', '$not_in') else 'in'} {first}"
        if condition.property is not None or condition.name.startswith("customer."):
            return f"{_subject(condition)} {operator.removeprefix('$').replace('_', ' ')} {first}"
    return None


def names_of(condition: Condition, scene: Scene) -> dict[str, str] | None:
    """What people call the segments and collections that a condition names by their ids; None if it names none."""
    situation, operands = scene.situation, [each for some in condition.conditions.values() for each in some]
    known: Mapping[str, Named] = {}
    if condition.name == "customer.segment":
        known = situation.segments
    elif condition.name in QUANTIFIERS:
        known = situation.collections
        cover = cover_of(operands, "")
        operands = [] if cover is None else sorted(cover.collections)
    return {id: known[id].name for id in operands if id in known} or None
