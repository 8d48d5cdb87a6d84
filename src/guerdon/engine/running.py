"""The running order: what one discount leaves of it, and how the steps of a request add up."""

from msgspec import Struct, field

from guerdon.engine.effects import Effect
from guerdon.engine.order import Order, OrderItem, copy_item, copy_order, without_applied


class Given(Struct, gc=False):
    """What one redeemable gave, in minor units: stored with the redemption, read by rollback and explain.

    ``line_discounts`` are (line index, amount); ``added`` the units put in, (line index, quantity, amount),
    whose discount is in ``line_discounts`` as well.
    """

    order_discount: int = 0
    line_discounts: list[tuple[int, int]] = field(default_factory=list)
    added: list[tuple[int, int, int]] = field(default_factory=list)
    total: int = 0


def given_by(effect: Effect) -> Given:
    """What the effect gives, summed."""
    total, lines = effect.order_discount, effect.lines
    if not lines:
        return Given(total, lines, effect.added or [], total)
    for _, off in lines:
        total += off
    return Given(effect.order_discount, lines, effect.added or [], total)


def step_order(order: Order, effect: Effect, given: Given, stale: bool) -> Order:
    """The order after one discount. Lines that do not change are the same objects.

    ``stale`` says that ``order`` shows what an earlier discount applied, which this step must not repeat.
    """
    after = copy_order(order)
    total, off = given.total, effect.order_discount
    if stale or effect.lines or effect.units:
        after.items = _lines_after(order.items, effect, stale)
    if effect.added:
        _raise_amount(after, order, effect)
    after.discount_amount = order.discount_amount + off
    if total != off:
        after.items_discount_amount = order.items_discount_amount + total - off
    after.total_discount_amount = discounts = order.total_discount_amount + total
    amount = after.amount
    if amount is not None:
        assert amount >= discounts
        after.total_amount = amount - discounts
    after.applied_discount_amount = off
    after.items_applied_discount_amount = total - off
    after.total_applied_discount_amount = total
    return after


def _lines_after(before: list[OrderItem] | None, effect: Effect, stale: bool) -> list[OrderItem] | None:
    if not effect.units:
        return None if before is None else _changed(before, effect, stale)
    items = [without_applied(item) for item in before or ()] if stale else list(before or ())
    _change_units(items, effect, effect.units)
    return items


def _raise_amount(after: Order, order: Order, effect: Effect) -> None:
    if order.amount is None and not any(amount for _, _, amount in effect.added or ()):
        return
    before = order.amount or 0
    if order.initial_amount is None:
        after.initial_amount = before
    after.amount = before + sum(amount for _, _, amount in effect.added or ())


def _changed(before: list[OrderItem], effect: Effect, stale: bool) -> list[OrderItem]:
    """The lines after a discount that adds no units; each is copied once at most."""
    lines = effect.lines
    if stale and not lines:
        for item in before:
            if item.applied_discount_amount or item.applied_discount_quantity or item.applied_quantity:
                return [without_applied(item) for item in before]
        return before
    items = before[:]
    if stale and len(lines) < len(items):
        touched = {index for index, _ in lines}
        items = [item if index in touched else without_applied(item) for index, item in enumerate(items)]
    for index, off in lines:
        item = items[index] = copy_item(items[index])
        item.discount_amount += off
        item.applied_discount_amount = off
        if item.amount is not None:
            item.subtotal_amount = item.amount - item.discount_amount
        if stale and (item.applied_quantity or item.applied_discount_quantity):
            item.applied_quantity = item.applied_quantity_amount = item.applied_discount_quantity = 0
    return items


def _change_units(items: list[OrderItem], effect: Effect, units: dict[int, int]) -> None:
    if effect.new_items:
        items.extend(effect.new_items)
    offs = dict(effect.lines)
    added = {index: (quantity, amount) for index, quantity, amount in effect.added or ()}
    for index, count in units.items():
        item = items[index] = copy_item(items[index])
        if index in added:
            _add_units(item, *added[index])
        item.discount_quantity += count
        item.applied_discount_quantity = count
        _discount(item, offs.get(index, 0))
    for one in effect.replaced or ():
        for index in (one.source_index, one.target_index):
            item = items[index]  # a copy already
            item.application_details = [*(item.application_details or ()), one]


def _discount(item: OrderItem, off: int) -> None:
    item.discount_amount += off
    item.applied_discount_amount = off
    if item.amount is not None:
        item.subtotal_amount = item.amount - item.discount_amount


def _add_units(item: OrderItem, quantity: int, amount: int) -> None:
    if item.initial_quantity is None:
        item.initial_quantity, item.initial_amount = item.quantity, item.amount
    item.quantity += quantity
    item.applied_quantity, item.applied_quantity_amount = quantity, amount
    if item.price is not None or item.amount is not None:
        item.amount = (item.amount or 0) + amount


def close(first: Order, last: Order, steps: int) -> Order:
    """The final order of a request: the last running order, showing all that the request applied in ``steps``."""
    if steps < 2:
        return last
    final = copy_order(last)
    # What was applied is what the totals have grown by: no step needs to be remembered for it.
    final.applied_discount_amount = last.discount_amount - first.discount_amount
    final.items_applied_discount_amount = last.items_discount_amount - first.items_discount_amount
    final.total_applied_discount_amount = final.applied_discount_amount + final.items_applied_discount_amount
    before, items = first.items or [], last.items
    if items is not None and items is not first.items:
        final.items = [
            _closed(before[index] if index < len(before) else None, item) for index, item in enumerate(items)
        ]
    return final


def _closed(before: OrderItem | None, after: OrderItem) -> OrderItem:
    if before is after:
        return after
    closed = copy_item(after)
    if before is None:
        closed.applied_discount_amount = after.discount_amount
        closed.applied_discount_quantity = after.discount_quantity
        closed.applied_quantity, closed.applied_quantity_amount = after.quantity, after.amount or 0
        return closed
    closed.applied_discount_amount = after.discount_amount - before.discount_amount
    closed.applied_discount_quantity = after.discount_quantity - before.discount_quantity
    closed.applied_quantity = after.quantity - before.quantity
    closed.applied_quantity_amount = (after.amount or 0) - (before.amount or 0)
    return closed
