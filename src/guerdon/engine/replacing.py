"""Upgrades: what a REPLACE_ITEMS discount takes out of the cart, and what it puts in instead."""

from collections.abc import Callable

from msgspec import Struct

from guerdon.engine.cart import Cart, Row, new_item
from guerdon.engine.chosen import Chosen, Target
from guerdon.engine.discount import UnitOff
from guerdon.engine.effects import Effect, Steps, note
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import MAX_QUANTITY, Catalog, Order, OrderItem, Replacement
from guerdon.engine.reasons import Reason


class _Limit(Struct):
    """Minor units that lines (None: all) may have as a bonus between them."""

    lines: frozenset[int] | None
    left: int


def replace_items(
    discount: UnitOff, order: Order, catalog: Catalog, steps: Steps, chosen: Chosen | None
) -> Effect | Reason:
    """Units of the items chosen leave, ``unit_off`` units of ``unit_type`` come for each, on a new line.

    What these cost more is the discount. Whole units only: as many as limits and what is left to pay allow.
    """
    if not order.items:
        return Reason.MISSING_ORDER_ITEMS
    if chosen is None or not chosen.lists_items or not chosen.targets:
        return Reason[(chosen and chosen.refusal) or "ORDER_RULES_VIOLATED"]
    cart = Cart(order, catalog)
    same = cart.matching(discount.unit_type or "")
    new = new_item(discount.unit_type or "", same, catalog)
    others = [target for target in chosen.targets if cart.rows[target.line] not in same]
    known = [target for target in others if cart.rows[target.line].item.amount is not None]
    if new.price is None or (others and not known):
        return Reason.MISSING_ORDER_ITEMS_AMOUNT
    exchange = _Exchange(cart, order, new.price, discount.unit_off or 0, chosen)
    for target in known:
        exchange.take(target)
    replaced = exchange.replaced
    if (order.amount or 0) + exchange.growth > MAX_AMOUNT:
        return Reason.AMOUNT_TOO_LARGE
    if not replaced:
        return Effect()
    if steps is not None:
        for one in replaced:
            seen = {"replaced": -one.source_applied_quantity, "worth": -one.source_applied_quantity_amount}
            seen |= {"added": one.target_applied_quantity, "price": new.price, "new_line": one.target_index}
            note(steps, "replaced_units", one.target_applied_discount_amount, one.source_index, **seen)
    return _effect(replaced, new_index=len(cart.rows), new_items=[new])


def _effect(replaced: list[Replacement], new_index: int, new_items: list[OrderItem]) -> Effect:
    """The exchange as an effect: what leaves a line is added to it with a minus."""
    added = [
        (one.source_index, one.source_applied_quantity, one.source_applied_quantity_amount)
        for one in replaced
    ]
    quantity = sum(one.target_applied_quantity for one in replaced)
    amount = sum(one.target_applied_quantity_amount for one in replaced)
    bonus = sum(one.target_applied_discount_amount for one in replaced)
    return Effect(
        lines=[(new_index, bonus)] if bonus else [],
        # No unit is free; the lines are named because they change.
        units=dict.fromkeys([*(one.source_index for one in replaced), new_index], 0),
        added=[*added, (new_index, quantity, amount)],
        new_items=new_items,
        replaced=replaced,
    )


class _Exchange:
    """Units taken line by line, and what that leaves for the lines to come."""

    def __init__(self, cart: Cart, order: Order, price: int, each: int, chosen: Chosen) -> None:
        self.rows, self.price, self.each = cart.rows, price, each
        self.room = order.total_amount or 0  # how far the total may fall when cheaper things come
        self.quantity = MAX_QUANTITY
        self.growth = 0
        self.limits = [_Limit(cap.lines, cap.limit) for cap in chosen.caps]
        if chosen.aggregated_amount_limit is not None:
            self.limits.append(_Limit(None, chosen.aggregated_amount_limit))
        self.replaced: list[Replacement] = []

    def take(self, target: Target) -> None:
        """Exchange as many units of the line as there may be."""
        row = self.rows[target.line]
        limits = [one for one in self.limits if one.lines is None or target.line in one.lines]
        most = min(one.left for one in limits) if limits else MAX_AMOUNT
        if target.amount_limit is not None:
            most = min(most, target.amount_limit)
        # What was taken off the line before stays on it, so that it can be taken back from there.
        left = row.item.subtotal_amount or 0

        def may_go(units: int) -> bool:
            worth, comes = row.worth(units), units * self.each * self.price
            return worth <= left and worth - comes <= self.room and comes - worth <= most

        free = row.item.quantity - row.item.discount_quantity
        units = _most(min(target.units, free, self.quantity // self.each if self.each else 0), may_go)
        if units:
            self._exchange(row, units, limits)

    def _exchange(self, row: Row, units: int, limits: list[_Limit]) -> None:
        worth, come = row.worth(units), units * self.each
        amount = come * self.price
        bonus = max(0, amount - worth)
        self.replaced.append(
            Replacement(row.index, -units, -worth, len(self.rows), come, amount, bonus),
        )
        self.quantity -= come
        self.growth += amount - worth
        self.room -= max(0, worth - amount)
        for limit in limits:
            limit.left -= bonus


def _most(units: int, may_go: Callable[[int], bool]) -> int:
    """The largest number up to ``units`` that may go, by halves; what it answers may go, whatever rounding does.

    >>> _most(10, lambda units: units <= 7)
    7
    """
    least, most = 0, units
    while least < most:
        middle = (least + most + 1) // 2
        if may_go(middle):
            least = middle
        else:
            most = middle - 1
    return least
