"""Answers of validations and redemptions, from what was decided. Orders are encoded once and put in as they are."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from guerdon.customers.locked import Seen as Customer
from guerdon.engine import Decision, Outcome, Reason
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError
from guerdon.kit.ids import new_id
from guerdon.orders.locked import Held, head_json, whole_json
from guerdon.redemptions.asks import RedeemAsk, tracking_id
from guerdon.redemptions.gather import Seen
from guerdon.redemptions.record import Row
from guerdon.redemptions.shapes import (
    Channel,
    ErrorOut,
    Explanation,
    RedeemableOut,
    Redemption,
    RedemptionsMade,
    Related,
    RelatedRedemptions,
    Validation,
)
from guerdon.vouchers import shape
from guerdon.vouchers.locked import Voucher

encode = msgspec.json.Encoder(decimal_format="number").encode

EMPTY_LIST: dict[str, Any] = {"data": [], "total": 0, "data_ref": "data", "object": "list"}


def order_json(held: Held) -> bytes:
    """An order's JSON; its parts are kept for the database."""
    order = held.order
    held.head_json = head_json(order)
    return whole_json(held.head_json, items_json(held))


def items_json(held: Held) -> bytes | None:
    """The JSON of an order's items, made once."""
    if held.items_json is None and held.order.items is not None:
        held.items_json = encode(held.order.items)
    return held.items_json


def voucher(voucher: Voucher) -> shape.Voucher:
    """A voucher under lock as it will stand."""
    assert voucher.kept is not None
    return shape.build(voucher, voucher.kept.body, voucher.campaign_name)


def redemption(
    row: Row,
    now: datetime,
    customer: Customer | None,
    order: bytes | None,
    of: shape.Voucher | None = None,
    explained: Outcome | None = None,
) -> Redemption:
    """A redemption just made."""
    return Redemption(
        id=row.id,
        date=iso(now),
        customer_id=row.customer_id,
        tracking_id=row.tracking_id,
        metadata=row.metadata,
        redemption=row.parent_id,
        result="SUCCESS",
        status="SUCCEEDED",
        order=None if order is None else Raw(order),
        channel=Channel("API", row.channel_id),
        customer=customer,
        related_object_type=row.related_object_type,
        related_object_id=row.related_object_id,
        discount_amount=row.amount,
        voucher=UNSET if of is None else of,
        explain=UNSET if explained is None else explanation(explained),
    )


def children(redemptions: list[Redemption]) -> RelatedRedemptions:
    """The parts of a stack, as its parent names them."""
    return RelatedRedemptions(redemptions=[Related(r.id, r.date) for r in redemptions])


def validation(
    seen: Seen, ask: RedeemAsk, decision: Decision, vouchers: list[Voucher | None], customer: Customer | None
) -> bytes:
    """The answer to a validation, encoded."""
    outs = [out(ask, outcome, voucher) for outcome, voucher in zip(decision.outcomes, vouchers, strict=True)]
    groups: dict[str, list[RedeemableOut]] = {"APPLICABLE": [], "INAPPLICABLE": [], "SKIPPED": []}
    for one in outs:
        groups[one.status].append(one)
    all_or_none = seen.stacking.redeemables_application_mode == "ALL"
    redeemables = groups["APPLICABLE"]
    if not decision.valid and all_or_none:
        redeemables = groups["INAPPLICABLE"] or groups["APPLICABLE"]
    whose = customer or ask.customer
    return encode(
        Validation(
            id=new_id("validation"),
            valid=decision.valid,
            redeemables=redeemables,
            skipped_redeemables=groups["SKIPPED"] or UNSET,
            inapplicable_redeemables=groups["INAPPLICABLE"] or UNSET,
            order=UNSET if decision.order is None else Raw(order_json(Held(decision.order))),
            tracking_id=tracking_id(ask.data.tracking_id, whose) or UNSET,
            stacking_rules=seen.stacking,
        )
    )


def out(ask: RedeemAsk, outcome: Outcome, voucher: Voucher | None) -> RedeemableOut:
    """One redeemable of an answer."""
    one = RedeemableOut(outcome.status, outcome.redeemable.id, outcome.redeemable.object)
    one.object = next(r.object for r in ask.data.redeemables if r.id == outcome.redeemable.id)
    if ask.explain:
        one.explain = explanation(outcome)
    expand = (ask.data.options and ask.data.options.expand) or ()
    if "redeemable" in expand and voucher is not None:
        one.metadata = voucher.metadata
        one.campaign_id = voucher.campaign_id or UNSET
        one.campaign_name = one.name = voucher.campaign_name or UNSET
    if "category" in expand:
        one.categories = []
    if outcome.status == "APPLICABLE":
        _applicable(one, outcome, voucher, expand)
        return one
    reason = outcome.reason or Reason.NO_EFFECT
    details = {"key": reason.key, "message": outcome.details or reason.message}
    if outcome.status == "SKIPPED":
        one.result = {"details": {"key": reason.key, "message": reason.message}}
        return one
    error = ErrorOut(
        code=reason.code,
        key=reason.key,
        message=reason.message,
        details=outcome.details or reason.message,
        request_id=ask.request_id,
        resource_id=outcome.redeemable.id,
        resource_type=one.object,
    )
    one.result = {"error": error, "details": details}
    return one


def _applicable(one: RedeemableOut, outcome: Outcome, voucher: Voucher | None, expand: Any) -> None:
    body = voucher.kept.body if voucher is not None and voucher.kept is not None else {}
    one.result = {"discount": body.get("discount")}
    one.applicable_to = EMPTY_LIST
    one.inapplicable_to = EMPTY_LIST
    if outcome.order is not None and (not expand or "order" in expand):
        one.order = Raw(order_json(Held(outcome.order)))


def explanation(outcome: Outcome) -> Explanation:
    """Every check in the order made, and how the discount came about."""
    return Explanation(checks=outcome.trace or [], discount=outcome.steps or [])


def main_reason(decision: Decision) -> tuple[Reason, int]:
    """Why a request as a whole is refused: the first that does not apply, else the first that was passed over."""
    for status in ("INAPPLICABLE", "SKIPPED"):
        for index, outcome in enumerate(decision.outcomes):
            if outcome.status == status:
                return outcome.reason or Reason.NO_EFFECT, index
    raise AssertionError("refused without a reason")


def refusal(
    seen: Seen, ask: RedeemAsk, decision: Decision, vouchers: list[Voucher | None], reason: Reason, index: int
) -> Reply:
    """A refused redemption as an error, with every redeemable's own reason."""
    outcome = decision.outcomes[index]
    asked = ask.data.redeemables[index]
    outs = [out(ask, o, v) for o, v in zip(decision.outcomes, vouchers, strict=True)]
    extra: dict[str, Any] = {"redeemable_type": asked.object, "redeemable_id": asked.id}
    inapplicable = [one for one in outs if one.status == "INAPPLICABLE"]
    skipped = [one for one in outs if one.status == "SKIPPED"]
    if len(outs) > 1 or ask.explain:
        extra |= {"inapplicable_redeemables": inapplicable} if inapplicable else {}
        extra |= {"skipped_redeemables": skipped} if skipped else {}
    key = reason.key
    if len(outs) > 1 and seen.stacking.redeemables_application_mode == "PARTIAL":
        key = "no_applicable_redeemables"
    error = ApiError(
        reason.code,
        key,
        reason.message,
        outcome.details or reason.message,
        resource_id=asked.id,
        resource_type=asked.object,
        extra=extra,
    )
    return Reply(encode(error.body(ask.request_id, ask.path)), error.status)


def leftovers(
    made: RedemptionsMade, ask: RedeemAsk, decision: Decision, vouchers: list[Voucher | None]
) -> None:
    """In PARTIAL mode, what was left out and why."""
    if len(made.redemptions) == len(decision.outcomes):
        return
    outs = [out(ask, o, v) for o, v in zip(decision.outcomes, vouchers, strict=True)]
    made.inapplicable_redeemables = [one for one in outs if one.status == "INAPPLICABLE"] or UNSET
    made.skipped_redeemables = [one for one in outs if one.status == "SKIPPED"] or UNSET
