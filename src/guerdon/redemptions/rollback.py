"""Decide one rollback on what the batch sees: whole or in part, of a redemption or of a stack."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw

from guerdon.customers.locked import Seen as Customer
from guerdon.customers.tracking import tracking_id
from guerdon.engine import EngineError, Given, Order, OrderItem
from guerdon.engine.money import share
from guerdon.engine.order import copy_order
from guerdon.engine.rollback import Allotment, TakeBack, allot, give_back, take_all, take_amount, take_items
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, not_found
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event
from guerdon.orders.locked import Held
from guerdon.redemptions import answers, cards
from guerdon.redemptions.asks import RollbackAsk, engine_fault
from guerdon.redemptions.counted import takes_back
from guerdon.redemptions.gather import Seen, Taken
from guerdon.redemptions.record import Row, Writes
from guerdon.redemptions.redeem import freeze
from guerdon.redemptions.returned import ReturnItem
from guerdon.redemptions.shapes import (
    Channel,
    Redemption,
    Related,
    RelatedRedemptions,
    RollbackItem,
    RollbacksMade,
)
from guerdon.redemptions.voiding import void_sales

encode = msgspec.json.Encoder(decimal_format="number").encode
_given = msgspec.json.Decoder(Given).decode
_allotment = msgspec.json.Decoder(Allotment).decode
_order = msgspec.json.Decoder(Order).decode
_items = msgspec.json.Decoder(list[OrderItem] | None).decode


def settle(seen: Seen, ask: RollbackAsk, writes: Writes) -> Reply:
    """The answer to one rollback. A refusal is recorded as a failed rollback and answered as an error."""
    found = [seen.redemptions[i] for i in ask.redemption_ids if i in seen.redemptions]
    asked = seen.redemptions.get(ask.asked_id)
    if asked is None or len(found) != len(ask.redemption_ids):
        raise not_found("redemption", ask.asked_id)
    _must_match(seen, ask, asked)
    children = [taken for taken in found if taken.id != ask.parent_id]
    open_ones = [t for t in children if t.status == "SUCCEEDED" and (ask.stack or t is asked)]
    if not open_ones:
        return _refuse(seen, ask, asked, writes)
    parts = _parts(seen, ask, open_ones)
    coming_back = {taken.id for taken, part in parts if part.after.left == 0}
    whole = all(taken.status != "SUCCEEDED" or taken.id in coming_back for taken in children)
    # Ids that sort as the stack does, the stack's own last.
    ids = sorted(new_ids("rollback", len(parts) + 1))
    own = ids.pop() if ask.parent_id is not None and ask.stack else None
    held, order_json = _restore(seen, ask, parts, ids, own, whole, writes)
    rolled = [
        take_back(seen, ask, taken, part, rollback_id, own, held, order_json, writes)
        for (taken, part), rollback_id in zip(parts, ids, strict=False)
    ]
    total = sum(part.total for _, part in parts)
    parent = seen.redemptions.get(ask.parent_id or "")
    if parent is not None:
        parent.returned_amount += total
        parent.status = "ROLLED_BACK" if whole else parent.status
        writes.taken[parent.id] = parent
    if not ask.stack:
        return Reply(encode(rolled[0]))
    made = RollbacksMade(rollbacks=rolled)
    if parent is not None and own is not None:
        made.parent_rollback = _answer(seen, ask, parent, own, None, -total, held, order_json, writes)
        made.parent_rollback.related_redemptions = RelatedRedemptions(
            rollbacks=[Related(r.id, r.date, r.amount if r.amount is not UNSET else None) for r in rolled]
        )
    if order_json is not None:
        made.order = Raw(order_json)
    return Reply(encode(made))


def _must_match(seen: Seen, ask: RollbackAsk, asked: Taken) -> None:
    """A customer or order that is named must be the redemption's."""
    named = ask.data.customer
    if named is not None and (named.id or named.source_id):
        known = seen.customers.find(named)
        if asked.customer_id is not None and (known is None or known.id != asked.customer_id):
            raise ApiError(
                400, "invalid_customer", "Invalid customer", "This redemption was made for another customer.",
                faults=[Fault("customer", "is not the one of the redemption")],
            )  # fmt: skip
    order = ask.data.order
    if order is not None and (order.id or order.source_id):
        held = seen.order_named(order.id, order.source_id)
        if asked.order_id is not None and (held is None or held.order.id != asked.order_id):
            raise ApiError(
                400, "invalid_order", "Invalid order", "This redemption was made with another order.",
                faults=[Fault("order", "is not the one of the redemption")],
            )  # fmt: skip


def allotment_of(seen: Seen, redemption: Taken) -> Allotment:
    """What the redemption gave, in parts, and what of it came back already."""
    if redemption.returned is not None:
        return _allotment(redemption.returned)
    if redemption.given is None:
        return Allotment([])
    return allot(_given(redemption.given), _order_after(seen, redemption))


def _order_after(seen: Seen, redemption: Taken) -> Order | None:
    """The order as the redemption left it."""
    if redemption.order is None:
        return None
    order = _order(redemption.order)
    if redemption.items is not None:
        order.items = _items(redemption.items)
    else:
        held = seen.orders_by_name.get(redemption.order_id or "")
        order.items = None if held is None else held.order.items
    return order


def _parts(seen: Seen, ask: RollbackAsk, redemptions: list[Taken]) -> list[tuple[Taken, TakeBack]]:
    """What comes back of each redemption. Parts of a stack are shared by what each of its codes still holds."""
    allotments = [allotment_of(seen, redemption) for redemption in redemptions]
    data = ask.data
    if data.amount is None and data.items is None:
        return [(r, take_all(a)) for r, a in zip(redemptions, allotments, strict=True)]
    if data.amount is not None and data.items is not None:
        raise _invalid("amount", "give an amount or items, not both")
    try:
        if data.amount is not None:
            return _amount_parts(data.amount, redemptions, allotments)
        return _item_parts(seen, data.items or [], redemptions, allotments)
    except EngineError as error:
        raise engine_fault(error) from None


def _amount_parts(
    amount: int, redemptions: list[Taken], allotments: list[Allotment]
) -> list[tuple[Taken, TakeBack]]:
    left = [a.left for a in allotments]
    if amount > sum(left):
        raise _invalid("amount", f"{sum(left)} is left of what was given; {amount} is more")
    if amount == sum(left):  # with the last of it, what gave nothing comes back too
        return [(r, take_all(a)) for r, a in zip(redemptions, allotments, strict=True)]
    shares = share(amount, left)
    return [
        (r, take_amount(a, piece))
        for r, a, piece in zip(redemptions, allotments, shares, strict=True)
        if piece
    ]


def _item_parts(
    seen: Seen, items: list[RollbackItem], redemptions: list[Taken], allotments: list[Allotment]
) -> list[tuple[Taken, TakeBack]]:
    parts: list[tuple[Taken, TakeBack]] = []
    found: set[int] = set()
    for redemption, allotment in zip(redemptions, allotments, strict=True):
        after = _order_after(seen, redemption)
        lines = (after.items or []) if after is not None else []
        units: list[tuple[int, int]] = []
        for place, item in enumerate(items):
            line = line_of(place, item, lines)
            part = next((p for p in allotment.parts if p.line == line), None)
            if part is None:
                continue
            found.add(place)
            units.append((line, item.quantity or part.units - part.taken_units))
        if units:
            parts.append((redemption, take_items(allotment, units)))
    missing = next((place for place in range(len(items)) if place not in found), None)
    if missing is not None:
        raise _invalid(f"items[{missing}]", "this line was given no discount that could be taken back")
    return parts


def line_of(place: int, item: RollbackItem | ReturnItem, lines: list[Any]) -> int:
    """The line that is meant. Raises `ApiError` 400 unless there is exactly one."""
    if item.index is not None:
        if item.index >= len(lines):
            raise _invalid(f"items[{place}].index", f"the order has {len(lines)} lines")
        return item.index
    wanted = {"product_id": item.product_id, "sku_id": item.sku_id, "source_id": item.source_id}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if not wanted:
        raise _invalid(f"items[{place}]", "name the line by index, product_id, sku_id or source_id")
    hits = [i for i, line in enumerate(lines) if all(getattr(line, n) == v for n, v in wanted.items())]
    if len(hits) != 1:
        raise _invalid(
            f"items[{place}]", f"{len(hits)} lines of the order are meant by this; name it by index"
        )
    return hits[0]


def _restore(
    seen: Seen,
    ask: RollbackAsk,
    parts: list[tuple[Taken, TakeBack]],
    ids: list[str],
    own: str | None,
    whole: bool,
    writes: Writes,
) -> tuple[Held | None, bytes | None]:
    """The order without what came back; canceled when the `whole` redemption or stack came back (WITH_ORDER)."""
    order_id = parts[0][0].order_id
    held = seen.orders_by_name.get(order_id) if order_id is not None else None
    if held is None or seen.stacking.redeemables_rollback_order_mode == "WITHOUT_ORDER":
        return held, None if held is None else answers.order_json(held)
    order, before = held.order, held.order.status
    for _, part in reversed(parts):  # what was given last leaves first
        if fits(order, part):
            order = give_back(order, part)
    order = copy_order(order)
    order.updated_at = iso(seen.now)
    if whole:
        order.status = "CANCELED"
        order.redemptions = _mentions(seen, order, ask, ids, own)
        void_sales(seen, writes, ask, order, own or ids[0], whole=True)
    freeze(seen, writes, held)
    held.order, held.changed, held.items_json = order, True, None
    writes.tell(ask.request_id, Event("order.updated", order.id or "", order.customer_id))
    if order.status != before:
        writes.tell(ask.request_id, Event("order.canceled", order.id or "", order.customer_id))
    return held, answers.order_json(held)


def fits(order: Order, part: TakeBack) -> bool:
    """Whether the stored order still holds the discounts that come back; its owner may have changed it since."""
    items = order.items or []
    for taken in part.parts:
        if taken.line >= len(items) or (
            taken.line >= 0 and taken.line_amount > items[taken.line].discount_amount
        ):
            return False
    for line, quantity, amount in part.added:
        if line >= len(items) or items[line].quantity < quantity or (items[line].amount or 0) < amount:
            return False
    return sum(taken.order_amount for taken in part.parts) <= order.discount_amount


def _mentions(
    seen: Seen, order: Order, ask: RollbackAsk, ids: list[str], own: str | None
) -> dict[str, Any] | None:
    """What the order says of its redemptions, with the rollback that brought the last of this one back."""
    mentions = dict(order.redemptions or {})
    name = ask.parent_id or ask.asked_id
    if name in mentions:
        mentions[name] = mentions[name] | {"rollback_id": own or ids[0], "rollback_date": iso(seen.now)}
        if own is not None:
            mentions[name]["rollback_stacked"] = ids
    return mentions or None


def take_back(
    seen: Seen,
    ask: RollbackAsk,
    redemption: Taken,
    part: TakeBack,
    rollback_id: str,
    own: str | None,
    held: Held | None,
    order_json: bytes | None,
    writes: Writes,
    *,
    last: bool | None = None,
) -> Redemption:
    """One redemption's share: what it gave comes back, and with the last of it the use of the code. `last` says so
    where goods come back: the last of them, not of what was given.
    """
    last = part.after.left == 0 if last is None else last
    redemption.returned = encode(part.after).decode()
    redemption.returned_amount += part.total
    put_back = cards.put_back(seen, writes, ask, redemption, part.total, rollback_id, last=last)
    _count_back(seen, redemption, part, last, writes)
    assert 0 <= redemption.returned_amount <= redemption.amount
    if last:
        redemption.status = "ROLLED_BACK"
        voucher = seen.vouchers.get(redemption.voucher_id or "")
        if voucher is not None and voucher.redeemed_quantity > 0:
            voucher.use(-1)
            writes.vouchers[voucher.id] = voucher
    writes.taken[redemption.id] = redemption
    reward = None if redemption.reward is None else redemption.reward | {"points": put_back}
    return _answer(seen, ask, redemption, rollback_id, own, -part.total, held, order_json, writes, reward)


def _count_back(seen: Seen, redemption: Taken, part: TakeBack, last: bool, writes: Writes) -> None:
    """Give the tallies back what the redemption used: the discount as it comes, all else with the last of it."""
    kept = {} if redemption.takes is None else msgspec.json.decode(redemption.takes)
    for key, units in takes_back(seen, redemption).items():
        if key not in seen.tallies:
            continue
        measure = key.split("|", 2)[1]
        if measure == "off":
            amount = part.total
        elif not last:
            continue
        elif measure == "orders":
            amount = kept["orders"] if "orders" in kept else _value_back(seen, redemption)
        else:
            amount = 1 if measure == "n" else units
        amount = min(amount, seen.tallies[key])
        seen.tallies[key] -= amount
        writes.tallies[key] = writes.tallies.get(key, 0) - amount


def _value_back(seen: Seen, redemption: Taken) -> int:
    """The order's value, where it was not noted how much of it the redemption counts for: it counts once, by the
    first redemption of the campaign in the stack, as long as one of them stands.
    """
    stack = [
        taken
        for taken in seen.redemptions.values()
        if taken is redemption
        or (redemption.parent_id is not None and taken.status == "SUCCEEDED"
            and (taken.parent_id, taken.campaign_id) == (redemption.parent_id, redemption.campaign_id))
    ]  # fmt: skip
    before = sorted(stack, key=lambda taken: taken.id)
    after = [taken for taken in before if taken is not redemption]
    return _order_value(before[0]) - (_order_value(after[0]) if after else 0)


def _order_value(redemption: Taken) -> int:
    return 0 if redemption.order is None else _order(redemption.order).amount or 0


def _answer(
    seen: Seen,
    ask: RollbackAsk,
    redemption: Taken,
    rollback_id: str,
    parent_rollback: str | None,
    amount: int,
    held: Held | None,
    order_json: bytes | None,
    writes: Writes,
    reward: dict[str, Any] | None = None,
) -> Redemption:
    customer = seen.customers.by_id.get(redemption.customer_id or "")
    row = _row(ask, redemption, rollback_id, customer)
    row.parent_id, row.amount, row.reward = parent_rollback, amount, reward
    row.order = (
        None if order_json is None or held is None or held.head_json is None else held.head_json.decode()
    )
    writes.rows.append(row)
    writes.tell(ask.request_id, Event("redemption.rollback.succeeded", rollback_id, redemption.customer_id))
    voucher = seen.vouchers.get(redemption.voucher_id or "")
    tier = seen.snapshot.tiers.get(redemption.promotion_tier_id or "")
    return Redemption(
        id=row.id,
        object="redemption_rollback",
        date=iso(seen.now),
        customer_id=row.customer_id,
        tracking_id=row.tracking_id,
        metadata=row.metadata,
        redemption=redemption.id,
        result="SUCCESS",
        status="SUCCEEDED",
        amount=amount if reward is None else -reward["points"],
        gift={"amount": amount} if voucher is not None and voucher.type == "GIFT_VOUCHER" else UNSET,
        loyalty_card=UNSET if reward is None else {"points": -reward["points"]},
        reward=UNSET if reward is None else reward | {"customer": customer},
        reason=row.reason if row.reason is not None else UNSET,
        order=None if order_json is None else Raw(order_json),
        channel=Channel("API", row.channel_id),
        customer=customer,
        related_object_type=row.related_object_type,
        related_object_id=row.related_object_id,
        voucher=UNSET if voucher is None else answers.voucher(voucher, seen),
        promotion_tier=UNSET if tier is None else answers.tier(tier, seen.snapshot),
    )


def _row(ask: RollbackAsk, redemption: Taken, rollback_id: str, customer: Customer | None) -> Row:
    return Row(
        id=rollback_id,
        object="redemption_rollback",
        redemption_id=redemption.id,
        reason=ask.data.reason,
        related_object_type=redemption.related_object_type,
        related_object_id=redemption.related_object_id,
        voucher_id=redemption.voucher_id,
        voucher_code=redemption.voucher_code,
        promotion_tier_id=redemption.promotion_tier_id,
        campaign_id=redemption.campaign_id,
        customer_id=redemption.customer_id,
        order_id=redemption.order_id,
        tracking_id=ask.data.tracking_id or redemption.tracking_id or tracking_id(None, customer),
        metadata=ask.data.metadata,
        channel_id=ask.caller.app_id,
    )


def _refuse(seen: Seen, ask: RollbackAsk, redemption: Taken, writes: Writes) -> Reply:
    """It came back already, or never was: recorded as a failed rollback."""
    again = redemption.status == "ROLLED_BACK"
    key = "already_rolled_back" if again else "invalid_redemption"
    message = "Rolled back before" if again else "Invalid redemption"
    details = (
        f"Redemption {ask.asked_id} has been rolled back before; nothing is left to take back."
        if again
        else f"{ask.asked_id} did not succeed, so there is nothing to take back."
    )
    row = _row(
        ask, redemption, new_id("failed_rollback"), seen.customers.by_id.get(redemption.customer_id or "")
    )
    row.result, row.status, row.failure_code, row.failure_message = "FAILURE", "FAILED", key, details
    writes.rows.append(row)
    writes.tell(ask.request_id, Event("redemption.rollback.failed", row.id, redemption.customer_id))
    error = ApiError(400, key, message, details, resource_id=ask.asked_id, resource_type="redemption")
    return Reply(encode(error.body(ask.request_id, ask.path)), error.status)


def _invalid(path: str, message: str) -> ApiError:
    return ApiError(
        400,
        "invalid_rollback_params",
        "Invalid rollback params",
        f"{path}: {message}",
        faults=[Fault(path, message)],
    )
