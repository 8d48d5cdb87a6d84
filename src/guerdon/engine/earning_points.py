"""How many points an effect comes to, before any limit: values of orders, lines, customers and events.

Proportional points are given for every whole ``every``; then come the tier's map and happy hours, and the result is
rounded once, half up, to a whole number.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.checks import Redeemable
from guerdon.engine.conditions import looked_up
from guerdon.engine.earning_rule import Custom, Fixed, HappyHours, Mapped, Multiply, Proportional
from guerdon.engine.entries import Entry, covers, product_names, sku_names
from guerdon.engine.formula import Work, number_of, whole
from guerdon.engine.formula_values import ARITHMETIC
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.operators import MISSING
from guerdon.engine.operators import number_of as number_in
from guerdon.engine.order import OrderItem
from guerdon.engine.situation import Situation
from guerdon.engine.window import check_times

ONE = Decimal(1)


class Reckoning(Struct):
    """How many points, and how they came about: the value seen, how often it held ``every``, points each, times."""

    points: int
    value: int | Decimal | None = None
    times: int = 1
    each: Decimal = ONE
    multiplied: Decimal = ONE
    mapped: Mapped | None = None
    happy: HappyHours | None = None


class Basket:
    """The situation that rules ask about; what several of them look for is looked for once."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        order = situation.order
        self.items: Sequence[OrderItem] = (order.items if order is not None else None) or ()
        self.work = Work()
        self._named: dict[str, dict[str, list[int]]] | None = None
        self._lines: dict[int, list[int]] = {}  # by the identity of the entries, which the rules hold
        self._of: dict[tuple[str, str | None, str | None], list[int]] = {}

    def lines(self, entries: tuple[Entry, ...]) -> Sequence[int]:
        """The indices of the lines that the entries name, each once; without entries all of them."""
        if not entries:
            return range(len(self.items))
        found = self._lines.get(id(entries))
        if found is None:
            both = [self._covered(entry) for entry in entries]
            found = both[0] if len(both) == 1 else sorted({line for lines in both for line in lines})
            self._lines[id(entries)] = found
        return found

    def _covered(self, entry: Entry) -> list[int]:
        key = (entry.object, entry.id, entry.source_id)
        found = self._of.get(key)
        if found is None:
            found = self._of[key] = self._look(entry)
        return found

    def _look(self, entry: Entry) -> list[int]:
        if entry.object == "products_collection":
            return [line for line, item in enumerate(self.items) if covers(entry, item, self.situation)]
        if self._named is None:
            self._named = {"product": {}, "sku": {}}
            for line, item in enumerate(self.items):
                for kind, names in (("product", product_names(item)), ("sku", sku_names(item))):
                    for name in {name for name in names if name}:
                        self._named[kind].setdefault(name, []).append(line)
        named = self._named[entry.object]
        return sorted({*named.get(entry.id or "", ()), *named.get(entry.source_id or "", ())})

    def value(self, effect: Proportional) -> int | Decimal | None:
        """What points are counted by; None when it is not known."""
        order, customer = self.situation.order, self.situation.customer
        match effect.of:
            case "order.amount":
                if order is None:
                    return None
                return order.amount if order.initial_amount is None else order.initial_amount
            case "order.total_amount":
                if order is None:
                    return None
                return order.amount if order.total_amount is None else order.total_amount
            case "order.metadata":
                return None if order is None else _number(order.metadata, effect.property)
            case "customer.metadata":
                return None if customer is None else _number(customer.metadata, effect.property)
            case "custom_event.metadata":
                return _number(self.situation.metadata, effect.property)
        if order is None:
            return None
        of, lines = effect.of, self.lines(effect.items)
        if of == "order_items.quantity":
            return sum(max(0, (item := self.items[line]).quantity - item.discount_quantity) for line in lines)
        if of == "order_items.amount":
            return sum(_before(self.items[line]) for line in lines)
        return sum(_left(self.items[line]) for line in lines)


def _before(item: OrderItem) -> int:
    return (item.amount if item.initial_amount is None else item.initial_amount) or 0


def _left(item: OrderItem) -> int:
    if item.subtotal_amount is not None:
        return item.subtotal_amount
    return max(0, (item.amount or 0) - item.discount_amount)


def _number(metadata: Any, property: str | None) -> int | Decimal | None:
    value = looked_up(metadata, property)
    return None if value is MISSING else number_in(value)


def happy_now(hours: Sequence[HappyHours], now: datetime, zone: ZoneInfo) -> list[HappyHours]:
    """The happy hours that hold now, the largest multiplier first, of equal ones the last by name."""
    holding = [each for each in hours if check_times(each.terms, now, zone) is None]
    return sorted(holding, key=lambda each: (each.multiplier, each.name), reverse=True)


def happy_for(hours: Sequence[HappyHours], rule_id: str) -> HappyHours | None:
    """The first of them that is for a rule."""
    return next((each for each in hours if each.rules is None or rule_id in each.rules), None)


def reckon(
    gives: Fixed | Proportional,
    basket: Basket,
    redeemable: Redeemable,
    mapped: Mapped | None = None,
    happy: HappyHours | None = None,
) -> Reckoning:
    """How many points an effect comes to; none where what it counts by is not known or negative."""
    value: int | Decimal | None = None
    times = 1
    if isinstance(gives, Proportional):
        value = basket.value(gives)
        if value is None or value <= 0:
            return Reckoning(0, value, 0, mapped=mapped, happy=happy)
        times = _times(value, gives.every)
    each = _each(gives, basket, redeemable, mapped)
    factor = ONE if not isinstance(mapped, Multiply) else mapped.multiplier
    if happy is not None:
        factor = ARITHMETIC.multiply(factor, happy.multiplier)
    if type(each) is int:
        exact = times * each
        if factor is ONE:
            return Reckoning(min(exact, MAX_AMOUNT), value, times, Decimal(each), factor, mapped, happy)
        points = whole(ARITHMETIC.multiply(Decimal(exact), factor), MAX_AMOUNT)
    else:
        product = ARITHMETIC.multiply(ARITHMETIC.multiply(Decimal(times), each), factor)
        points = whole(product, MAX_AMOUNT)
    return Reckoning(points, value, times, Decimal(each), factor, mapped, happy)


def _times(value: int | Decimal, every: int) -> int:
    if isinstance(value, int):
        return min(value, MAX_AMOUNT) // every
    # Nobody's metadata is worth more than that; the bound keeps the division exact.
    bounded = min(value, Decimal(MAX_AMOUNT))
    return int(bounded.to_integral_value(ROUND_FLOOR)) // every


def _each(
    gives: Fixed | Proportional, basket: Basket, redeemable: Redeemable, mapped: Mapped | None
) -> int | Decimal:
    """Points for each time: the tier's own, the formula's, or the rule's."""
    if isinstance(mapped, Custom):
        return mapped.points
    if gives.formula is not None:
        number = number_of(gives.formula, basket.situation, redeemable, None, None, basket.work)
        if isinstance(number, Decimal):
            return whole(number, MAX_AMOUNT)
    points = gives.points
    if isinstance(points, Decimal) and points == points.to_integral_value():
        return int(points)
    return points


def mapped_cost(points: int, mapped: Mapped | None) -> int:
    """What a reward costs a tier's members, rounded half up.

    >>> mapped_cost(25, Multiply(Decimal("0.5"))), mapped_cost(25, Custom(7)), mapped_cost(25, None)
    (13, 7, 25)
    """
    match mapped:
        case None:
            return points
        case Custom(custom):
            return custom
        case Multiply(multiplier):
            return whole(ARITHMETIC.multiply(Decimal(points), multiplier), MAX_AMOUNT)
