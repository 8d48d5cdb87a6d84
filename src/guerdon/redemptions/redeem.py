"""Decide one validation or redemption on what the batch sees, and note what is to be written."""

from typing import Any

import msgspec
from msgspec import Raw

from guerdon.customers.locked import CustomerIn
from guerdon.customers.locked import Seen as Customer
from guerdon.engine import (
    Decision,
    EngineError,
    Facts,
    Order,
    Outcome,
    Reason,
    Redeemable,
    decide,
    price_order,
    resume_order,
)
from guerdon.engine.order import copy_order
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event
from guerdon.orders.locked import Held
from guerdon.redemptions import answers
from guerdon.redemptions.asks import RedeemAsk, engine_fault, named_twice, tracking_id
from guerdon.redemptions.gather import Seen
from guerdon.redemptions.record import Kept, Row, Writes
from guerdon.redemptions.shapes import RedemptionsMade
from guerdon.vouchers.locked import Voucher

encode = msgspec.json.Encoder(decimal_format="number").encode


def settle(seen: Seen, ask: RedeemAsk, writes: Writes, guesses: int) -> Reply:
    """The answer to one request, given what those before it in the batch took; raises `ApiError` for a mistake.

    `guesses` is how many unknown codes a key may ask for in a minute.
    """
    _slow_down(seen, ask, guesses)
    if len(ask.data.redeemables) > seen.stacking.redeemables_limit:
        raise too_many(seen.stacking.redeemables_limit)
    for person in (ask.customer, ask.referrer):
        if person is not None and person.id and seen.customers.find(person) is None:
            raise not_found("customer", person.id)
    held, order = _order(seen, ask)
    vouchers = [_voucher(seen, ask, index) for index in range(len(ask.code_keys))]
    if ask.voucher_ids:
        _must_differ(ask, vouchers)
    decision = decide(
        Facts(
            order=order,
            redeemables=[_facts(ask, index, voucher) for index, voucher in enumerate(vouchers)],
            now=seen.now,
            zone=seen.zone,
            stacking=seen.stacking,
            catalog=seen.catalog,
            explain=ask.explain,
        )
    )
    _count_misses(seen, ask, decision, guesses)
    if ask.dry:
        return Reply(answers.validation(seen, ask, decision, vouchers, seen.customers.find(ask.customer)))
    customer = _take_up(seen, ask, ask.customer, writes)
    if not decision.valid:
        return _refuse(seen, ask, decision, vouchers, customer, writes)
    return _redeem(seen, ask, decision, vouchers, customer, held, writes)


def _take_up(seen: Seen, ask: RedeemAsk, person: CustomerIn | None, writes: Writes) -> Customer | None:
    """A customer that is going to be recorded, with what the request says of it; told as an event if it is news."""
    customer, news = seen.customers.take_up(person)
    if customer is not None and news is not None:
        writes.tell(ask.request_id, Event(f"customer.{news}", customer.id, customer.id))
    return customer


def too_many(limit: int) -> ApiError:
    """400: more redeemables than the project's stacking rules let into one request."""
    return ApiError(
        400, "invalid_redeemables", "Invalid redeemables", f"A request may name {limit} redeemables."
    )


def _slow_down(seen: Seen, ask: RedeemAsk, guesses: int) -> None:
    if seen.misses.get(ask.caller.key_id, 0) >= guesses:
        raise too_many_guesses(seen, guesses)


def too_many_guesses(seen: Seen, guesses: int) -> ApiError:
    """429 until the next minute begins."""
    return ApiError(
        429, "too_many_unknown_codes", "Too many requests",
        f"This key asked for {guesses} unknown codes within a minute; it may go on when the next one begins.",
        headers={"Retry-After": str(60 - seen.now.second)},
    )  # fmt: skip


def _count_misses(seen: Seen, ask: RedeemAsk, decision: Decision, guesses: int) -> None:
    """Count the unknown codes; a request with more of them than the minute has left gets no answer for them."""
    missed = sum(outcome.reason is Reason.NOT_FOUND for outcome in decision.outcomes)
    if missed:
        key = ask.caller.key_id
        seen.misses[key] = seen.misses.get(key, 0) + missed
        if seen.misses[key] > guesses:
            raise too_many_guesses(seen, guesses)


def _order(seen: Seen, ask: RedeemAsk) -> tuple[Held | None, Order | None]:
    """The order to decide on: the stored one if it exists, whatever was sent with it; else the one sent."""
    if ask.order is None:
        return None, None
    held = seen.order_named(ask.order.id, ask.order.source_id)
    if held is not None:
        return held, resume_order(held.order)
    if ask.order.id is not None:
        raise not_found("order", ask.order.id)
    if ask.priced:
        return None, ask.order
    try:
        return None, price_order(ask.order, seen.catalog)
    except EngineError as error:
        raise engine_fault(error) from None


def _voucher(seen: Seen, ask: RedeemAsk, index: int) -> Voucher | None:
    asked = ask.data.redeemables[index]
    return seen.voucher_named(ask.code_keys[index], asked.id) if asked.object == "voucher" else None


def _must_differ(ask: RedeemAsk, vouchers: list[Voucher | None]) -> None:
    """A voucher named by its code and by its id is named twice."""
    for index, voucher in enumerate(vouchers):
        if voucher is not None and any(voucher is before for before in vouchers[:index]):
            raise named_twice(ask.data.redeemables[index].id, index)


def _facts(ask: RedeemAsk, index: int, voucher: Voucher | None) -> Redeemable:
    asked = ask.data.redeemables[index].id
    if voucher is None or voucher.kept is None:
        return Redeemable(id=asked, found=False)
    return Redeemable(
        id=asked,
        terms=voucher.kept.terms,
        active=voucher.active,
        campaign_active=voucher.campaign_active,
        redeemed_quantity=voucher.redeemed_quantity,
    )


def _redeem(
    seen: Seen,
    ask: RedeemAsk,
    decision: Decision,
    vouchers: list[Voucher | None],
    customer: Customer | None,
    held: Held | None,
    writes: Writes,
) -> Reply:
    applied = [i for i, outcome in enumerate(decision.outcomes) if outcome.status == "APPLICABLE"]
    # Ids that sort as the stack does, the parent last: lists show redemptions of one instant by their ids.
    ids = sorted(new_ids("redemption", len(applied) + (len(applied) > 1)))
    parent = ids.pop() if len(applied) > 1 else None
    made_of = dict(zip(ids, applied, strict=True))
    final = _save_order(seen, ask, decision.order, held, customer, made_of, parent, writes)
    final_json = None if final is None else answers.order_json(final)
    made = RedemptionsMade(redemptions=[])
    for redemption_id, index in zip(ids, applied, strict=True):
        outcome, voucher = decision.outcomes[index], vouchers[index]
        assert voucher is not None
        voucher.use(1)
        writes.vouchers[voucher.id] = voucher
        order_json, shown = final_json, final
        if parent is not None and outcome.order is not None and final is not None:
            shown = _headed(outcome.order, final.order)
            order_json = answers.order_json(shown)
        row = _row(ask, redemption_id, parent, voucher, outcome, customer, shown)
        if shown is not final and shown is not None:
            row.items = _text(shown.items_json)  # a state in between: the order itself will not show it
        writes.rows.append(row)
        made.redemptions.append(
            answers.redemption(
                row,
                seen.now,
                customer,
                order_json,
                answers.voucher(voucher),
                outcome if ask.explain else None,
            )
        )
        writes.tell(ask.request_id, Event("redemption.succeeded", redemption_id, row.customer_id))
    if parent is not None:
        amount = sum(row.amount for row in writes.rows[-len(ids) :])
        row = _parent_row(ask, parent, amount, customer, final)
        writes.rows.append(row)
        made.parent_redemption = answers.redemption(row, seen.now, customer, final_json)
        made.parent_redemption.related_redemptions = answers.children(made.redemptions)
        writes.tell(ask.request_id, Event("redemption.succeeded", parent, row.customer_id))
    if final_json is not None:
        made.order = Raw(final_json)
    answers.leftovers(made, ask, decision, vouchers)
    if parent is None and final_json is not None:
        return _with_order_kept_once(ask, made, writes, ids[0], final_json)
    return Reply(encode(made))


def _parent_row(
    ask: RedeemAsk, parent: str, amount: int, customer: Customer | None, final: Held | None
) -> Row:
    return Row(
        id=parent,
        related_object_type="redemption",
        related_object_id=parent,
        customer_id=customer.id if customer else None,
        order_id=final.order.id if final else None,
        tracking_id=tracking_id(ask.data.tracking_id, customer),
        metadata=ask.data.metadata,
        channel_id=ask.caller.app_id,
        amount=amount,
        order=None if final is None else _text(final.head_json),
    )


def _with_order_kept_once(
    ask: RedeemAsk, made: RedemptionsMade, writes: Writes, redemption_id: str, order_json: bytes
) -> Reply:
    """The answer. For repeats it is kept without the order, most of its bytes, which the redemption keeps."""
    made.order = made.redemptions[0].order = Raw(b"\x00")
    frame = encode(made)
    content = frame.replace(b"\x00", order_json)
    if ask.key is not None:
        writes.kept.append(Kept(ask.key, ask.mark, 200, None, frame, redemption_id))
    return Reply(content)


def _row(
    ask: RedeemAsk,
    redemption_id: str,
    parent: str | None,
    voucher: Voucher,
    outcome: Outcome,
    customer: Customer | None,
    shown: Held | None,
) -> Row:
    given = outcome.given
    return Row(
        id=redemption_id,
        parent_id=parent,
        related_object_id=voucher.id,
        voucher_id=voucher.id,
        voucher_code=voucher.code,
        campaign_id=voucher.campaign_id,
        customer_id=customer.id if customer is not None else None,
        order_id=shown.order.id if shown is not None else None,
        tracking_id=tracking_id(ask.data.tracking_id, customer),
        metadata=ask.data.metadata,
        channel_id=ask.caller.app_id,
        amount=given.total if given is not None else 0,
        given=None if given is None else encode(given).decode(),
        order=None if shown is None else _text(shown.head_json),
        explain=_text(encode(answers.explanation(outcome))) if ask.explain else None,
    )


def _save_order(
    seen: Seen,
    ask: RedeemAsk,
    decided: Order | None,
    held: Held | None,
    customer: Customer | None,
    redemptions: dict[str, int],
    parent: str | None,
    writes: Writes,
) -> Held | None:
    """The order as it will stand, held for whoever in the batch asks for it next."""
    if decided is None or ask.order is None or ask.data.order is None:
        return None
    order = copy_order(decided)
    before = held.order.status if held is not None else None
    if held is None:
        held = Held(order, new=True)
        order.id = new_id("order")
        order.created_at = seen.now
        order.metadata = ask.order.metadata
        referrer = _take_up(seen, ask, ask.referrer, writes)
        order.referrer_id = referrer.id if referrer else None
    else:
        freeze(seen, writes, held)
        held.order, held.changed, held.items_json = order, True, None
        order.updated_at = seen.now
    order.status = ask.data.order.status or "PAID"
    if customer is not None:
        order.customer_id = customer.id
        order.customer = {"id": customer.id, "object": "customer"}
    order.redemptions = (order.redemptions or {}) | _mentions(seen, ask, redemptions, parent)
    if held.new and held not in seen.orders:
        seen.hold(held)
    change = "order.created" if before is None else "order.updated"
    writes.tell(ask.request_id, Event(change, order.id or "", order.customer_id))
    if order.status not in (before, "CREATED"):
        writes.tell(ask.request_id, Event(f"order.{order.status.lower()}", order.id or "", order.customer_id))
    return held


def freeze(seen: Seen, writes: Writes, held: Held) -> None:
    """Give this batch's own redemptions of an order that is about to change a copy of its items."""
    items = _text(answers.items_json(held))
    for redemption in (*writes.rows, *seen.redemptions.values()):
        if redemption.order_id == held.order.id and redemption.items is None and redemption.order is not None:
            redemption.items = items


def _mentions(seen: Seen, ask: RedeemAsk, redemptions: dict[str, int], parent: str | None) -> dict[str, Any]:
    date = iso(seen.now)
    if parent is not None:
        return {
            parent: {
                "date": date,
                "related_object_type": "redemption",
                "related_object_id": parent,
                "stacked": list(redemptions),
            }
        }
    return {
        redemption_id: {
            "date": date,
            "related_object_type": "voucher",
            "related_object_id": (_voucher(seen, ask, index) or ask.data.redeemables[index]).id,
        }
        for redemption_id, index in redemptions.items()
    }


def _headed(running: Order, final: Order) -> Held:
    """A running order with the final one's id, status and people."""
    order = copy_order(running)
    order.id, order.status, order.created_at, order.updated_at = (
        final.id,
        final.status,
        final.created_at,
        final.updated_at,
    )
    order.metadata, order.customer, order.customer_id = final.metadata, final.customer, final.customer_id
    order.referrer_id, order.redemptions = final.referrer_id, final.redemptions
    return Held(order)


def _refuse(
    seen: Seen,
    ask: RedeemAsk,
    decision: Decision,
    vouchers: list[Voucher | None],
    customer: Customer | None,
    writes: Writes,
) -> Reply:
    """Record the refusal, and answer it as an error."""
    failing = [i for i, outcome in enumerate(decision.outcomes) if outcome.status == "INAPPLICABLE"]
    reason, index = answers.main_reason(decision)
    shown = None if decision.order is None else Held(decision.order)
    if shown is not None:
        answers.order_json(shown)
    parent = new_id("failed_redemption")
    single = len(decision.outcomes) == 1
    for i in [0] if single else failing:
        outcome = decision.outcomes[i]
        row = _failed_row(ask, outcome, vouchers[i], customer, shown)
        row.id, row.parent_id = (parent, None) if single else (new_id("failed_redemption"), parent)
        writes.rows.append(row)
    if not single:
        mode = seen.stacking.redeemables_application_mode
        row = _failed_row(ask, decision.outcomes[index], None, customer, shown)
        row.id, row.related_object_type, row.related_object_id = parent, "redemption", parent
        if mode == "PARTIAL":
            row.failure_code, row.failure_message = (
                "no_applicable_redeemables",
                "None of the redeemables applies",
            )
        writes.rows.append(row)
    writes.tell(ask.request_id, Event("redemption.failed", parent, customer.id if customer else None))
    return answers.refusal(seen, ask, decision, vouchers, reason, index)


def _failed_row(
    ask: RedeemAsk,
    outcome: Outcome,
    voucher: Voucher | None,
    customer: Customer | None,
    shown: Held | None,
) -> Row:
    reason = outcome.reason or Reason.NO_EFFECT
    return Row(
        id="",
        result="FAILURE",
        status="FAILED",
        failure_code=reason.key,
        failure_message=outcome.details or reason.message,
        related_object_id=voucher.id if voucher is not None else outcome.redeemable.id,
        voucher_id=voucher.id if voucher is not None else None,
        voucher_code=voucher.code if voucher is not None else outcome.redeemable.id,
        campaign_id=voucher.campaign_id if voucher is not None else None,
        customer_id=customer.id if customer is not None else None,
        tracking_id=tracking_id(ask.data.tracking_id, customer),
        metadata=ask.data.metadata,
        channel_id=ask.caller.app_id,
        order=None if shown is None else _text(shown.head_json),
        items=None if shown is None else _text(shown.items_json),
        explain=_text(encode(answers.explanation(outcome))) if ask.explain else None,
    )


def _text(json: bytes | None) -> str | None:
    return None if json is None else json.decode()
