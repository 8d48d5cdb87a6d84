"""Goods that come back: what the customer gets for them, and what each redemption gives back with them.

The refund is what was paid before, less what would have been paid had the goods that stay been bought alone. So
no return of parts pays better than another, and all of them together come to exactly what was paid.

That takes deciding again, on the goods that stay. It is only done when deciding again on all goods comes to what
was given then (else definitions have changed since), and no redemption would give more than it did. Otherwise each
line brings back its share of every discount (engine/rollback.py).
"""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.checks import Redeemable
from guerdon.engine.decision import Decision, Facts
from guerdon.engine.discount import UnitOff
from guerdon.engine.fault import EngineError
from guerdon.engine.money import share
from guerdon.engine.order import Order, OrderItem, copy_item, copy_order, resume_order
from guerdon.engine.rollback import WHOLE_ORDER, Allotment, allot, give_back, take_all, take_parts
from guerdon.engine.running import Given
from guerdon.engine.walk import walk

Method = Literal["DECIDED_AGAIN", "IN_PROPORTION"]


class Back(Struct, frozen=True, gc=False):
    """What comes back of a line: units, or an amount of its worth before discounts. ``line`` None is an order
    that is known by its amount alone.
    """

    line: int | None
    quantity: int = 0
    amount: int = 0


class Share(Struct, frozen=True, gc=False):
    """One redemption's part of a return: what it gives back, and what it holds from then on."""

    back: int
    after: Allotment


class Return(Struct, frozen=True, gc=False):
    """``refund`` is what the customer gets in money, ``order`` what stays; all in minor units."""

    refund: int
    paid_before: int
    paid_after: int
    shares: list[Share]
    order: Order
    method: Method


Again = Callable[[Order], Decision]
"""Decides on other goods with the same redeemables, in the order in which they were applied."""


def deciding(facts: Facts) -> Again:
    """How to decide on other goods with the redeemables of ``facts``, which stand in the order they were applied in.

    Each applies or not; units that were given are among the goods already, so that none are put in.
    """
    stacking = replace(
        facts.stacking,
        redeemables_application_mode="PARTIAL",
        redeemables_sorting_rule="REQUESTED_ORDER",
        cards_sorting_rule="REQUESTED_ORDER",
        cards_always_last=False,
        applicable_redeemables_limit=30,
        redeemables_no_effect_rule="REDEEM_ANYWAY",
        no_effect_skip_categories=[],
    )
    redeemables = [_there_already(redeemable) for redeemable in facts.redeemables]

    def again(order: Order) -> Decision:
        situation = replace(facts.situation, order=order, initial=order)
        sequence = list(range(len(redeemables)))
        of = Facts(redeemables=redeemables, situation=situation, stacking=stacking, catalog=facts.catalog)
        walked = walk(of, sequence)
        return Decision(walked.valid, [walked.outcomes[index] for index in sequence], walked.order, sequence)

    return again


def _there_already(redeemable: Redeemable) -> Redeemable:
    terms = redeemable.terms
    discount = None if terms is None else terms.discount
    if terms is None or not isinstance(discount, UnitOff):
        return redeemable
    units = discount.units
    if units is not None:
        units = [replace(unit, effect="ADD_MISSING_ITEMS") for unit in units]
    effect = "ADD_MISSING_ITEMS" if discount.effect == "ADD_NEW_ITEMS" else discount.effect
    return replace(redeemable, terms=replace(terms, discount=replace(discount, effect=effect, units=units)))


def bare(order: Order, allotments: Sequence[Allotment]) -> Order:
    """The goods of an order as if nothing had been given; goods that came free are there at their price."""
    for allotment in reversed(allotments):
        order = give_back(order, replace(take_all(allotment), added=[]))
    goods = resume_order(order)
    for index, item in enumerate(goods.items or ()):
        if item.discount_quantity and not item.discount_amount:
            goods.items[index] = item = copy_item(item)  # type: ignore[index]
            item.discount_quantity = 0
    return goods


def bring_back(
    order: Order, allotments: Sequence[Allotment], backs: Sequence[Back], again: Again | None
) -> Return:
    """The return of some goods. Raises `EngineError` for what is not there to come back."""
    paid = order.total_amount
    if paid is None:
        raise EngineError("order", "is worth nothing that is known", "invalid_order")
    goods = bare(order, allotments)
    left = without(goods, backs)
    found = None if again is None else _decided(order, goods, left, allotments, again)
    return found or _in_proportion(order, goods, left, allotments)


def without(goods: Order, backs: Sequence[Back]) -> Order:
    """The goods that stay. Raises `EngineError` with the path inside ``items``."""
    left = copy_order(goods)
    if not goods.items:
        return _less(goods, left, backs)
    items = list(goods.items)
    for place, back in enumerate(backs):
        if back.line is None:
            raise EngineError(
                "amount", "the order has items; name what comes back of them", "invalid_payload"
            )
        item = copy_item(items[back.line])
        items[back.line] = item
        if back.quantity:
            _take_units(item, back.quantity, f"items[{place}].quantity")
        else:
            _take_worth(item, back.amount, f"items[{place}].amount")
    left.items = items
    before = sum(item.amount or 0 for item in goods.items)
    after = sum(item.amount or 0 for item in items)
    left.amount = None if goods.amount is None else goods.amount - (before - after)
    return _summed(left)


def _less(goods: Order, left: Order, backs: Sequence[Back]) -> Order:
    worth = goods.amount or 0
    asked = sum(back.amount for back in backs)
    if any(back.line is not None for back in backs):
        raise EngineError("items", "the order has none; give an amount", "invalid_payload")
    if not 0 < asked <= worth - goods.total_discount_amount:
        raise EngineError(
            "amount",
            f"must be from 1 to what is left, {worth - goods.total_discount_amount}",
            "invalid_payload",
        )
    left.amount = worth - asked
    return _summed(left)


def _take_units(item: OrderItem, quantity: int, path: str) -> None:
    if quantity > item.quantity:
        raise EngineError(path, f"must be from 1 to what is left, {item.quantity}", "invalid_payload")
    if item.amount is not None:
        # The last units bring the exact rest, whatever came back in amounts before.
        rest = item.amount * (item.quantity - quantity) // item.quantity
        floor = min(item.discount_amount, item.amount)
        item.amount = max(rest, floor) if quantity < item.quantity else floor
    item.quantity -= quantity
    item.discount_quantity = min(item.discount_quantity, item.quantity)


def _take_worth(item: OrderItem, amount: int, path: str) -> None:
    most = (item.amount or 0) - item.discount_amount
    if not 0 < amount <= most:
        raise EngineError(path, f"must be from 1 to what is left, {most}", "invalid_payload")
    item.amount = (item.amount or 0) - amount


def _summed(order: Order) -> Order:
    for item in order.items or ():
        if item.amount is not None:
            item.subtotal_amount = item.amount - item.discount_amount
    if order.amount is not None:
        order.total_discount_amount = order.discount_amount + order.items_discount_amount
        order.total_amount = order.amount - order.total_discount_amount
        if order.total_amount < 0:  # a discount that the shop had put on the order itself
            cut = -order.total_amount
            order.discount_amount -= cut
            order.total_discount_amount -= cut
            order.total_amount = 0
    return order


def _decided(
    order: Order, goods: Order, left: Order, allotments: Sequence[Allotment], again: Again
) -> Return | None:
    """By deciding again; None where that cannot be relied upon."""
    paid = order.total_amount or 0
    if _given(again(goods)) != [allotment.left for allotment in allotments]:
        return None
    decision = again(left)
    given = _given(decision)
    after = decision.order
    if after is None or after.total_amount is None or after.total_amount > paid:
        return None
    if any(new > allotment.left for new, allotment in zip(given, allotments, strict=True)):
        return None
    if any(outcome.given is not None and outcome.given.added for outcome in decision.outcomes):
        return None  # goods that came back would be given once more
    shares = [
        Share(allotment.left - new, _holding(outcome.given, outcome.order))
        for allotment, new, outcome in zip(allotments, given, decision.outcomes, strict=True)
    ]
    return Return(
        paid - after.total_amount, paid, after.total_amount, shares, _kept(order, after), "DECIDED_AGAIN"
    )


def _holding(given: Given | None, order: Order | None) -> Allotment:
    return allot(given, order) if given is not None and given.total else Allotment([])


def _given(decision: Decision) -> list[int]:
    return [0 if outcome.given is None else outcome.given.total for outcome in decision.outcomes]


def _in_proportion(order: Order, goods: Order, left: Order, allotments: Sequence[Allotment]) -> Return:
    """What comes back of a line brings its share of every discount with it, and never more than it was worth."""
    wanted = [{part.line: 0 for part in allotment.parts} for allotment in allotments]
    if not left.amount:
        wanted = [{part.line: part.left for part in allotment.parts} for allotment in allotments]
    else:
        worths = _worths(goods, left)
        for line, (there, stays) in worths.items():
            if there != stays:
                _share_out(allotments, wanted, line, there, stays)
        _fit(allotments, wanted, worths, left.amount)
    taken = [
        take_parts(allotment, {line: (piece, 0) for line, piece in parts.items() if piece})
        for allotment, parts in zip(allotments, wanted, strict=True)
    ]
    after = order
    for one in reversed(taken):
        after = give_back(after, replace(one, added=[]))
    after = _carry(after, left)
    paid, total = order.total_amount or 0, after.total_amount or 0
    shares = [Share(one.total, one.after) for one in taken]
    return Return(paid - total, paid, total, shares, _kept(order, after), "IN_PROPORTION")


Wanted = list[dict[int, int]]
"""By redemption: how much of what it gave comes back, by line."""


def _worths(goods: Order, left: Order) -> dict[int, tuple[int, int]]:
    """What each line is worth with what comes back, and without it."""
    if not goods.items:
        return {WHOLE_ORDER: (goods.amount or 0, left.amount or 0)}
    pairs = zip(goods.items, left.items or (), strict=True)
    worths = {index: (before.amount or 0, after.amount or 0) for index, (before, after) in enumerate(pairs)}
    rest = (goods.amount or 0) - sum(there for there, _ in worths.values())
    return worths | {WHOLE_ORDER: (rest, rest)}


def _share_out(allotments: Sequence[Allotment], wanted: Wanted, line: int, there: int, stays: int) -> None:
    """The share of a line's own discounts, then of those on the order that are meant for it, as far as it goes."""
    room = there - stays
    for on_line in (True, False):
        held = [_held(allotment, line, on_line) for allotment in allotments]
        whole = sum(held)
        due = min(room, whole - whole * stays // there)
        room -= due
        for place, piece in enumerate(share(due, held) if due else ()):
            if piece:
                wanted[place][line] += piece


def _fit(
    allotments: Sequence[Allotment], wanted: Wanted, worths: dict[int, tuple[int, int]], most: int
) -> None:
    """No more discount may stay than goods: what a line holds beyond its worth comes back too, as far as needed."""
    stays = [
        {part.line: part.left - parts[part.line] for part in one.parts}
        for one, parts in zip(allotments, wanted, strict=True)
    ]
    over = sum(sum(lines.values()) for lines in stays) - most
    for line, (_, worth) in worths.items():
        beyond = min(over, sum(lines.get(line, 0) for lines in stays) - worth)
        for place, lines in enumerate(stays):
            piece = min(beyond, lines.get(line, 0))
            if piece > 0:
                wanted[place][line] += piece
                beyond -= piece
                over -= piece


def _held(allotment: Allotment, line: int, on_line: bool) -> int:
    for part in allotment.parts:
        if part.line == line:
            own = max(0, part.line_given - part.taken)
            return own if on_line else part.left - own
    return 0


def _carry(after: Order, left: Order) -> Order:
    """Discounts of one order on the goods of another."""
    carried = copy_order(after)
    carried.amount = left.amount
    if after.items is not None:
        carried.items = [copy_item(item) for item in after.items]
        for item, stays in zip(carried.items, left.items or (), strict=True):
            item.quantity, item.amount = stays.quantity, stays.amount
            item.discount_quantity = min(item.discount_quantity, item.quantity)
    return _summed(carried)


_NAMES = (
    "id",
    "source_id",
    "created_at",
    "updated_at",
    "status",
    "customer_id",
    "referrer_id",
    "metadata",
    "redemptions",
)


def _kept(order: Order, after: Order) -> Order:
    """The order as it will stand, with what names it."""
    kept = copy_order(after)
    for name in _NAMES:
        setattr(kept, name, getattr(order, name))
    return kept
