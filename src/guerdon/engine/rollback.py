"""Taking back what a redemption gave: all of it, an amount of it, or the part that belongs to some units.

Whatever the order and size of the parts, they never come to more than was given, and when everything has
been taken back they come to exactly that.

>>> from guerdon.engine.order import OrderIn, OrderItemIn, price_order
>>> order = price_order(OrderIn(items=[OrderItemIn(price=1000, quantity=3)]))
>>> allotment = allot(Given(order_discount=100, total=100), order)
>>> first = take_items(allotment, [(0, 1)])
>>> second = take_items(first.after, [(0, 2)])
>>> first.total, second.total, second.after.left
(33, 67, 0)
"""

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from guerdon.engine.fault import EngineError
from guerdon.engine.money import half_up, share
from guerdon.engine.order import Order, OrderItem, copy_item, resume_order
from guerdon.engine.running import Given

KEY = "invalid_rollback_params"
WHOLE_ORDER = -1
"""The line number of what belongs to no line: a discount on an order whose items are not known."""


class Part(Struct, kw_only=True, frozen=True, gc=False):
    """What one line was given (minor units), and how much of it, and how many units, have come back.

    ``line_given`` was taken off the line itself, ``order_given`` is its share of the discount on the order;
    the former is taken back first.
    """

    line: int
    units: int
    line_given: int
    order_given: int
    taken: int = 0
    taken_units: int = 0

    @property
    def given(self) -> int:
        """Both shares."""
        return self.line_given + self.order_given

    @property
    def left(self) -> int:
        """What can still be taken back."""
        return self.line_given + self.order_given - self.taken


class Allotment(Struct, frozen=True, gc=False):
    """All parts of what a redemption gave; store it with the redemption. ``added`` as in :class:`Given`."""

    parts: list[Part]
    added: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def given(self) -> int:
        """Minor units given in total."""
        return sum(part.given for part in self.parts)

    @property
    def left(self) -> int:
        """Minor units that can still be taken back."""
        return sum(part.left for part in self.parts)


class TakenPart(Struct, frozen=True, gc=False):
    """What comes back on one line: off the line's own discount, and off its share of the order's."""

    line: int
    units: int
    line_amount: int
    order_amount: int


class TakeBack(Struct, frozen=True, gc=False):
    """One taking back: ``total`` minor units in ``parts``; ``after`` is the allotment to store.

    ``added`` are free units that leave the order again, only when everything is taken back.
    """

    total: int
    parts: list[TakenPart]
    after: Allotment
    added: list[tuple[int, int, int]] = field(default_factory=list)


def allot(given: Given | None, order: Order | None) -> Allotment:
    """Split what was given among the lines of the order as it stood after the redemption.

    The discount on the order is shared by what the lines then cost; what an amount sent without items covers
    belongs to no line. Without an order nothing was given.
    """
    if given is None or order is None:
        return Allotment([])
    items = order.items or []
    costs = [item.subtotal_amount or 0 for item in items]
    known = sum(item.amount or 0 for item in items)
    shares = share(given.order_discount, [*costs, max(0, (order.amount or 0) - known)])
    if not any(costs) and known >= (order.amount or 0):
        shares = [0] * len(items) + [given.order_discount]
    offs = dict(given.line_discounts)
    parts = [
        Part(line=index, units=item.quantity, line_given=offs.get(index, 0), order_given=shares[index])
        for index, item in enumerate(items)
        if index in offs or shares[index]
    ]
    if shares[-1]:
        parts.append(Part(line=WHOLE_ORDER, units=0, line_given=0, order_given=shares[-1]))
    allotment = Allotment(parts, list(given.added))
    assert allotment.given == given.total
    return allotment


def take_all(allotment: Allotment) -> TakeBack:
    """Everything that has not come back yet, free units included."""
    wanted = {part.line: (part.left, part.units - part.taken_units) for part in allotment.parts}
    return _take(allotment, wanted, everything=True)


def take_amount(allotment: Allotment, amount: int) -> TakeBack:
    """``amount`` minor units, off all lines in proportion to what each still holds."""
    if not 1 <= amount <= allotment.left:
        raise EngineError("amount", f"must be from 1 to what is left, {allotment.left}", KEY)
    pieces = share(amount, [part.left for part in allotment.parts])
    wanted = {part.line: (piece, 0) for part, piece in zip(allotment.parts, pieces, strict=True)}
    return _take(allotment, wanted)


def take_items(allotment: Allotment, units: Sequence[tuple[int, int]]) -> TakeBack:
    """What belongs to some units, as (line index, quantity). The last unit brings the exact rest."""
    parts = {part.line: part for part in allotment.parts}
    wanted: dict[int, tuple[int, int]] = {}
    for place, (line, quantity) in enumerate(units):
        path = f"items[{place}]"
        part = parts.get(line)
        if part is None or line == WHOLE_ORDER or line in wanted:
            problem = "is named twice" if line in wanted else "has no discount to take back"
            raise EngineError(path, f"line {line} {problem}", KEY)
        if not 1 <= quantity <= part.units - part.taken_units:
            raise EngineError(
                f"{path}.quantity", f"must be from 1 to what is left, {part.units - part.taken_units}", KEY
            )
        due = half_up(part.given * (part.taken_units + quantity), part.units)
        # Amounts taken before may run ahead of the units; then these units bring nothing more.
        wanted[line] = (max(0, due - part.taken), quantity)
    return _take(allotment, wanted)


def take_parts(allotment: Allotment, wanted: dict[int, tuple[int, int]]) -> TakeBack:
    """(amount, units) of the lines named, of what they still hold."""
    return _take(allotment, wanted)


def _take(allotment: Allotment, wanted: dict[int, tuple[int, int]], everything: bool = False) -> TakeBack:
    after: list[Part] = []
    taken: list[TakenPart] = []
    for part in allotment.parts:
        amount, units = wanted.get(part.line, (0, 0))
        assert 0 <= amount <= part.left and 0 <= units <= max(0, part.units - part.taken_units)
        if not (amount or units):
            after.append(part)
            continue
        before_line = min(part.taken, part.line_given)
        line_amount = min(amount, part.line_given - before_line)
        taken.append(TakenPart(part.line, units, line_amount, amount - line_amount))
        after.append(replace(part, taken=part.taken + amount, taken_units=part.taken_units + units))
    total = sum(part.line_amount + part.order_amount for part in taken)
    added = allotment.added if everything else []
    assert total == allotment.left - sum(part.left for part in after)
    return TakeBack(total, taken, Allotment(after, [] if everything else allotment.added), added)


def give_back(order: Order, taken: TakeBack) -> Order:
    """The order with the discounts that were taken back removed; the argument is left as it was.

    A line that existed only for free units stays, with quantity 0, so that line numbers keep their meaning.
    Goods stay where they are while a line holds discounts of others that it could not hold without them.
    """
    restored = resume_order(order)
    items: list[OrderItem] = list(restored.items or [])
    line_total = order_total = 0
    for part in taken.parts:
        order_total += part.order_amount
        if part.line_amount:
            line_total += part.line_amount
            item = items[part.line] = copy_item(items[part.line])
            item.discount_amount -= part.line_amount
    for line, quantity, amount in taken.added if _may_go(items, taken.added) else ():
        item = items[line] = copy_item(items[line])
        item.quantity -= quantity
        item.discount_quantity = max(0, min(item.discount_quantity - max(0, quantity), item.quantity))
        item.amount = None if item.amount is None else item.amount - amount
        restored.amount = None if restored.amount is None else restored.amount - amount
    for index, item in enumerate(items):
        if item is not (order.items or [])[index] and item.amount is not None:
            item.subtotal_amount = item.amount - item.discount_amount
    restored.items = items if order.items is not None else None
    restored.discount_amount -= order_total
    restored.items_discount_amount -= line_total
    restored.total_discount_amount -= order_total + line_total
    if restored.amount is not None:
        restored.total_amount = restored.amount - restored.total_discount_amount
    return restored


def _may_go(items: Sequence[OrderItem], added: Sequence[tuple[int, int, int]]) -> bool:
    """Whether every line can hold the discounts that are still on it when what was added has left."""
    for line, _, amount in added:
        item = items[line]
        if item.amount is not None and item.amount - amount < item.discount_amount:
            return False
    return True
