"""Answers of validations and redemptions, from what was decided. Orders are encoded once and put in as they are."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw

from guerdon.customers.locked import Seen as Customer
from guerdon.customers.tracking import tracking_id
from guerdon.definitions.snapshot import Snapshot, Tier
from guerdon.engine import Decision, Outcome, Reason
from guerdon.engine.situation import Category
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError
from guerdon.kit.ids import new_id
from guerdon.orders.locked import Held, head_json, whole_json
from guerdon.redemptions import rewarded
from guerdon.redemptions.asks import RedeemAsk
from guerdon.redemptions.candidates import Candidate
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
    Told,
    Validation,
)
from guerdon.vouchers import shape
from guerdon.vouchers.locked import Voucher
from guerdon.vouchers.value import held_of

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


def voucher(voucher: Voucher, seen: Seen) -> shape.Voucher:
    """A voucher under lock as it will stand."""
    assert voucher.kept is not None
    snapshot = seen.snapshot
    built = shape.build(voucher, voucher.kept.body, voucher.campaign_name)
    if (card := seen.book.cards.get(voucher.id)) is not None:
        built.show(held_of(card, seen.now, seen.zone.key))
    if built.category_id is not None and (known := snapshot.category_shapes.get(built.category_id)):
        built.category, built.categories = known["name"], [known]
    return built


def tier(tier: Tier, snapshot: Snapshot) -> dict[str, Any]:
    """A promotion tier, as redemptions show one."""
    known = snapshot.category_shapes.get(tier.category_id or "")
    return {
        "id": tier.id,
        "name": tier.name,
        "banner": tier.banner,
        "action": {"discount": tier.body.get("discount")},
        "hierarchy": tier.hierarchy,
        "active": tier.active,
        "category_id": tier.category_id,
        "categories": [] if known is None else [known],
        "metadata": tier.metadata,
        "campaign_id": tier.campaign_id,
        "object": "promotion_tier",
    }


def redemption(
    row: Row,
    seen: Seen,
    customer: Customer | None,
    order: bytes | None,
    of: Candidate | None = None,
    explained: Outcome | None = None,
) -> Redemption:
    """A redemption just made."""
    spent = of is not None and of.redeemable.card is not None
    points = None if row.reward is None else row.reward["points"]
    credits = spent and points is None
    return Redemption(
        id=row.id,
        date=iso(seen.now),
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
        discount_amount=UNSET if credits else row.amount,
        amount=(row.amount if points is None else points) if spent else UNSET,
        gift={"amount": row.amount} if credits else UNSET,
        loyalty_card=UNSET if points is None else {"points": points},
        reward=UNSET if row.reward is None else row.reward | {"customer": customer},
        voucher=UNSET if of is None or of.voucher is None else voucher(of.voucher, seen),
        promotion_tier=UNSET if of is None or of.tier is None else tier(of.tier, seen.snapshot),
        session=UNSET if row.session_key is None else {"key": row.session_key, "type": "LOCK"},
        explain=UNSET if explained is None else explanation(explained),
    )


def children(redemptions: list[Redemption]) -> RelatedRedemptions:
    """The parts of a stack, as its parent names them."""
    return RelatedRedemptions(redemptions=[Related(r.id, r.date) for r in redemptions])


def validation(
    seen: Seen,
    ask: RedeemAsk,
    decision: Decision,
    found: list[Candidate],
    customer: Customer | None,
    session: dict[str, Any] | None,
) -> bytes:
    """The answer to a validation, encoded."""
    outs = outs_of(seen, ask, decision, found)
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
            session=session or UNSET,
            certificate=(ask.explain and decision.certificate) or UNSET,
            stacking_rules=seen.stacking,
        )
    )


def outs_of(seen: Seen, ask: RedeemAsk, decision: Decision, found: list[Candidate]) -> list[RedeemableOut]:
    """Every redeemable of an answer, in the order in which they were taken up."""
    return [out(seen, ask, decision.outcomes[index], found[index]) for index in decision.sequence]


def out(seen: Seen, ask: RedeemAsk, outcome: Outcome, candidate: Candidate) -> RedeemableOut:
    """One redeemable of an answer."""
    redeemable = outcome.redeemable
    one = RedeemableOut(outcome.status, redeemable.id, redeemable.object)
    if ask.explain:
        one.explain = explanation(outcome)
    expand = (ask.data.options and ask.data.options.expand) or ()
    if "redeemable" in expand and (candidate.voucher is not None or candidate.tier is not None):
        one.metadata = redeemable.metadata
        one.campaign_id = redeemable.campaign_id or UNSET
        campaign = seen.snapshot.campaigns.get(redeemable.campaign_id or "")
        one.name = redeemable.name or UNSET
        one.campaign_name = (campaign.name if campaign else redeemable.name) or UNSET
    if "category" in expand:
        one.categories = categories(seen, redeemable.category)
    if outcome.status == "APPLICABLE":
        _applicable(one, outcome, candidate, expand)
        return one
    reason = outcome.reason or Reason.NO_EFFECT
    message = told(outcome)
    if outcome.status == "SKIPPED":
        one.result = {"details": {"key": reason.key, "message": message}}
        return one
    error = ErrorOut(
        code=reason.code,
        key=reason.key,
        message=reason.message,
        details=outcome.details or reason.message,
        request_id=ask.request_id,
        resource_id=redeemable.id,
        resource_type=redeemable.object,
        error=None if outcome.message is None else {"message": outcome.message},
    )
    one.result = {"error": error, "details": {"key": reason.key, "message": message}}
    if outcome.bundle is not None:
        one.result["bundle"] = outcome.bundle
    return one


def categories(seen: Seen, category: Category | None) -> list[dict[str, Any]]:
    """A redeemable's category as `expand` shows it."""
    if category is None:
        return []
    group = seen.stacking.group_of(category)
    shown: dict[str, Any] = {"id": category.id, "name": category.name, "hierarchy": category.hierarchy}
    if group != "common":
        shown["stacking_rules_type"] = group.upper()
    return [shown | {"object": "category"}]


def _applicable(one: RedeemableOut, outcome: Outcome, candidate: Candidate, expand: Any) -> None:
    voucher, tier = candidate.voucher, candidate.tier
    body = tier.body if tier is not None else voucher.kept.body if voucher and voucher.kept else {}
    card = candidate.redeemable.card
    if candidate.paid is not None:
        one.result = _paid(candidate.paid, 0 if outcome.given is None else outcome.given.total)
    elif candidate.points is not None:
        one.result = {"loyalty_card": {"points": candidate.points}}
    elif card is not None:
        used = 0 if outcome.given is None else outcome.given.total
        one.result = {"gift": {"balance": card.available, "credits": used}}
    else:
        one.result = {"discount": body.get("discount")}
    if outcome.bundle is not None:
        one.result["bundle"] = outcome.bundle
    chosen = outcome.chosen
    one.applicable_to = EMPTY_LIST if chosen is None else _listed(chosen.applicable)
    one.inapplicable_to = EMPTY_LIST if chosen is None else _listed(chosen.inapplicable)
    if outcome.order is not None and (not expand or "order" in expand):
        one.order = Raw(order_json(Held(outcome.order)))


def _paid(paid: Any, amount: int) -> dict[str, Any]:
    """What an order would be paid with."""
    reward = rewarded.shown(paid, paid.used(amount))
    told = {name: reward[name] for name in ("id", "assignment_id", "points")}
    return {"loyalty_card": {"points": reward["points"]}, "reward": told}


def _listed(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return (
        {"data": entries, "total": len(entries), "data_ref": "data", "object": "list"}
        if entries
        else EMPTY_LIST
    )


def explanation(outcome: Outcome) -> Explanation:
    """Every check in the order made, and how the discount came about."""
    return Explanation(
        checks=outcome.trace or [], discount=outcome.steps or [], nearest_change=outcome.hint or UNSET
    )


def told(outcome: Outcome) -> str:
    """Why a redeemable does not apply, in words fit to stand alone: the rule's own, else ours."""
    reason = outcome.reason or Reason.NO_EFFECT
    details = outcome.details
    if details == outcome.redeemable.id:
        details = None
    return outcome.message or details or reason.message


def whole_explanation(decision: Decision) -> Explanation:
    """What became of each of several redeemables, in the order in which they were taken up."""
    each: list[Told] = []
    for index in decision.sequence:
        outcome = decision.outcomes[index]
        one = Told(outcome.redeemable.id, outcome.redeemable.object, outcome.status, explanation(outcome))
        if outcome.status != "APPLICABLE":
            one.key, one.message = (outcome.reason or Reason.NO_EFFECT).key, told(outcome)
        each.append(one)
    change = decision.outcomes[main_reason(decision)[1]].hint
    return Explanation(checks=[], discount=[], nearest_change=change or UNSET, redeemables=each)


def main_reason(decision: Decision) -> tuple[Reason, int]:
    """Why a request as a whole is refused: the first that does not apply, else the first that was passed over."""
    for status in ("INAPPLICABLE", "SKIPPED"):
        for index in decision.sequence:
            outcome = decision.outcomes[index]
            if outcome.status == status:
                return outcome.reason or Reason.NO_EFFECT, index
    raise AssertionError("refused without a reason")


def refusal(
    seen: Seen, ask: RedeemAsk, decision: Decision, found: list[Candidate], reason: Reason, index: int
) -> Reply:
    """A refused redemption as an error, with every redeemable's own reason."""
    outcome = decision.outcomes[index]
    asked = found[index].asked
    outs = outs_of(seen, ask, decision, found)
    extra: dict[str, Any] = {"redeemable_type": asked.object, "redeemable_id": asked.id}
    inapplicable = [one for one in outs if one.status == "INAPPLICABLE"]
    skipped = [one for one in outs if one.status == "SKIPPED"]
    if len(outs) > 1 or ask.explain:
        extra |= {"inapplicable_redeemables": inapplicable} if inapplicable else {}
        extra |= {"skipped_redeemables": skipped} if skipped else {}
    if outcome.message is not None:
        extra["error"] = {"message": outcome.message}
    key = reason.key
    if len(outs) > 1 and seen.stacking.redeemables_application_mode == "PARTIAL":
        key = "no_applicable_redeemables"
    error = ApiError(
        reason.code,
        key,
        reason.message,
        outcome.message or outcome.details or reason.message,
        resource_id=asked.id,
        resource_type=asked.object,
        extra=extra,
    )
    return Reply(encode(error.body(ask.request_id, ask.path)), error.status)


def leftovers(
    made: RedemptionsMade, seen: Seen, ask: RedeemAsk, decision: Decision, found: list[Candidate]
) -> None:
    """In PARTIAL mode, what was left out and why."""
    if len(made.redemptions) == len(decision.outcomes):
        return
    outs = outs_of(seen, ask, decision, found)
    made.inapplicable_redeemables = [one for one in outs if one.status == "INAPPLICABLE"] or UNSET
    made.skipped_redeemables = [one for one in outs if one.status == "SKIPPED"] or UNSET
