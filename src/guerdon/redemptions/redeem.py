"""Decide one validation or redemption on what the batch sees, and note what is to be written."""

from typing import Any

import msgspec
from msgspec import Raw

from guerdon.customers.locked import CustomerIn
from guerdon.customers.locked import Seen as Customer
from guerdon.customers.tracking import tracking_id
from guerdon.engine import (
    Decision,
    Facts,
    Order,
    Outcome,
    Reason,
    decide,
)
from guerdon.engine.order import copy_order
from guerdon.engine.situation import Situation
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event
from guerdon.orders.locked import Held
from guerdon.redemptions import answers, cards, pinned, referring, rewarded
from guerdon.redemptions.asks import RedeemAsk, named_twice
from guerdon.redemptions.candidates import Candidate
from guerdon.redemptions.counted import situation_of, used_by_others
from guerdon.redemptions.gather import Seen
from guerdon.redemptions.holds import Hold, answer, ends
from guerdon.redemptions.metadata import check_metadata
from guerdon.redemptions.record import Kept, Row, Writes
from guerdon.redemptions.shapes import RedemptionsMade
from guerdon.redemptions.validated import verdicts

encode = msgspec.json.Encoder(decimal_format="number").encode


class Unforeseen(Exception):
    """A request uses tallies that were not locked for it: another of its batch made the order it names, or a gift
    that another code adds has a budget. The batch begins again, with them."""

    def __init__(self, keys: set[str]) -> None:
        super().__init__(sorted(keys))
        self.keys = keys


def settle(seen: Seen, ask: RedeemAsk, writes: Writes, guesses: int) -> Reply:
    """The answer to one request, given what those before it in the batch took; raises `ApiError` for a mistake.

    `guesses` is how many unknown codes a key may ask for in a minute.
    """
    _slow_down(seen, ask, guesses)
    check_metadata(seen, ask)
    if len(ask.data.redeemables) > seen.stacking.redeemables_limit:
        raise too_many(seen.stacking.redeemables_limit)
    for person in (ask.customer, ask.referrer):
        if person is not None and person.id and seen.customers.find(person) is None:
            raise not_found("customer", person.id)
    held, order = seen.order_for(ask)
    pinned.check(seen, ask)
    found = seen.candidates(ask)
    if ask.voucher_ids:
        _must_differ(ask, found)
    facts = Facts(
        redeemables=[one.redeemable for one in found],
        situation=_situation(seen, ask, order),
        stacking=seen.stacking,
        catalog=seen.known if ask.ruled else seen.catalog,
        explain=ask.explain,
    )
    decision = decide(facts)
    _count_misses(seen, ask, decision, guesses)
    for index in decision.applied:
        _must_be_known(seen, decision.outcomes[index])
    if ask.dry:
        session = _hold(seen, ask, decision, found, writes) if decision.valid else None
        if not ask.hypothetical:
            ask.validated = verdicts(seen, decision)
        return Reply(
            answers.validation(seen, ask, decision, found, seen.customers.find(ask.customer), session)
        )
    customer = _take_up(seen, ask, ask.customer, writes)
    if not decision.valid:
        if not ask.explain:  # what is kept of a failure tells why, whoever asks later
            facts.explain = True
            decision = decide(facts)
        return _refuse(seen, ask, decision, found, customer, writes)
    return _redeem(seen, ask, decision, found, customer, held, writes)


def _situation(seen: Seen, ask: RedeemAsk, order: Order | None) -> Situation:
    if not ask.ruled:
        return Situation(now=seen.now, zone=seen.zone, week_start=seen.week_start, order=order, initial=order)
    return situation_of(seen, ask, order, used_by_others(seen, ask.session_key))


def _hold(
    seen: Seen, ask: RedeemAsk, decision: Decision, found: list[Candidate], writes: Writes
) -> dict[str, Any] | None:
    """Hold for the request's session what it was told it can have; a session's earlier holds on it are replaced."""
    session, key = ask.data.session, ask.session_key
    if session is None or key is None:
        return None
    until = ends(session, seen.now)
    for index in decision.applied:
        outcome, candidate = decision.outcomes[index], found[index]
        name = candidate.redeemable.key
        _let_go(seen, key, name, writes)
        wanted = {f"v:{name}": 1} if candidate.voucher is not None else {}
        if candidate.redeemable.card is not None and outcome.given is not None:
            total = outcome.given.total
            wanted[f"c:{name}"] = total if candidate.paid is None else candidate.paid.used(total)
        for what, amount in (wanted | outcome.takes).items():
            hold = Hold(key, what, name, amount, until)
            writes.holds.append(hold)
            seen.holds.setdefault(what, []).append(hold)
    return answer(session, key)


def _must_be_known(seen: Seen, outcome: Outcome) -> None:
    """What counts has been read, and for a write locked, or the batch begins again with it."""
    if missing := outcome.takes.keys() - seen.tallies.keys():
        raise Unforeseen(missing)


def _let_go(seen: Seen, session_key: str, redeemable_id: str, writes: Writes) -> None:
    """Release what a session holds of a redeemable."""
    writes.released.append((session_key, redeemable_id))

    def stays(hold: Hold) -> bool:
        return hold.session_key != session_key or hold.redeemable_id != redeemable_id

    writes.holds = [hold for hold in writes.holds if stays(hold)]
    for what, holds in seen.holds.items():
        seen.holds[what] = [hold for hold in holds if stays(hold)]


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
        headers={"Retry-After": str(60 - seen.clock.second)},
    )  # fmt: skip


def _count_misses(seen: Seen, ask: RedeemAsk, decision: Decision, guesses: int) -> None:
    """Count the unknown codes; a request with more of them than the minute has left gets no answer for them."""
    missed = sum(outcome.reason is Reason.NOT_FOUND for outcome in decision.outcomes)
    if missed:
        key = ask.caller.key_id
        seen.misses[key] = seen.misses.get(key, 0) + missed
        if seen.misses[key] > guesses:
            raise too_many_guesses(seen, guesses)


def _must_differ(ask: RedeemAsk, found: list[Candidate]) -> None:
    """A voucher named by its code and by its id is named twice."""
    for index, one in enumerate(found):
        if one.voucher is not None and any(one.voucher is before.voucher for before in found[:index]):
            raise named_twice(ask.data.redeemables[index].id, index)


def _redeem(
    seen: Seen,
    ask: RedeemAsk,
    decision: Decision,
    found: list[Candidate],
    customer: Customer | None,
    held: Held | None,
    writes: Writes,
) -> Reply:
    applied = decision.applied
    # Ids that sort as the stack does, the parent last: lists show redemptions of one instant by their ids.
    ids = sorted(new_ids("redemption", len(applied) + (len(applied) > 1)))
    parent = ids.pop() if len(applied) > 1 else None
    made_of = dict(zip(ids, applied, strict=True))
    final = _save_order(seen, ask, found, decision.order, held, customer, made_of, parent, writes)
    final_json = None if final is None else answers.order_json(final)
    made = RedemptionsMade(redemptions=[])
    for redemption_id, index in zip(ids, applied, strict=True):
        outcome, one = decision.outcomes[index], found[index]
        if one.voucher is not None:
            one.voucher.use(1)
            writes.vouchers[one.voucher.id] = one.voucher
        if ask.session_key is not None:
            _let_go(seen, ask.session_key, one.redeemable.key, writes)
        order_json, shown = final_json, final
        if parent is not None and outcome.order is not None and final is not None:
            shown = _headed(outcome.order, final.order)
            order_json = answers.order_json(shown)
        row = _row(ask, redemption_id, parent, one, outcome, customer, shown)
        row.takes = _count(seen, outcome, writes)
        if one.paid is not None:
            row.reward = rewarded.shown(one.paid, one.paid.used(row.amount))
        if one.voucher is not None and one.redeemable.card is not None:
            cards.take(seen, writes, ask, one.voucher, row)
        referring.note(seen, writes, ask, one.voucher, row, final)
        if shown is not final and shown is not None:
            row.items = _text(shown.items_json)  # a state in between: the order itself will not show it
        writes.rows.append(row)
        made.redemptions.append(
            answers.redemption(row, seen, customer, order_json, one, outcome if ask.explain else None)
        )
        writes.tell(ask.request_id, Event("redemption.succeeded", redemption_id, row.customer_id))
    if parent is not None:
        amount = sum(row.amount for row in writes.rows[-len(ids) :])
        row = _parent_row(ask, parent, amount, customer, final)
        writes.rows.append(row)
        made.parent_redemption = answers.redemption(row, seen, customer, final_json)
        made.parent_redemption.related_redemptions = answers.children(made.redemptions)
        writes.tell(ask.request_id, Event("redemption.succeeded", parent, row.customer_id))
    if final_json is not None:
        made.order = Raw(final_json)
    if ask.explain and decision.certificate is not None:
        made.certificate = decision.certificate
    answers.leftovers(made, seen, ask, decision, found)
    if parent is None and final_json is not None:
        return _with_order_kept_once(ask, made, writes, ids[0], final_json)
    return Reply(encode(made))


def _count(seen: Seen, outcome: Outcome, writes: Writes) -> str | None:
    """Take from the tallies what a redemption uses. What it took of the value of orders and of budgets of units is
    kept with the redemption.
    """
    units: dict[str, int] = {}
    value: int | None = None
    for key, amount in outcome.takes.items():
        measure = key.split("|", 2)[1]
        if measure == "orders":
            value = amount
        elif measure.startswith("units:"):
            units[key] = amount
        seen.tallies[key] += amount
        writes.tallies[key] = writes.tallies.get(key, 0) + amount
    kept = ({} if value is None else {"orders": value}) | ({"units": units} if units else {})
    return encode(kept).decode() if kept else None


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
    one: Candidate,
    outcome: Outcome,
    customer: Customer | None,
    shown: Held | None,
) -> Row:
    given, voucher = outcome.given, one.voucher
    return Row(
        id=redemption_id,
        parent_id=parent,
        related_object_type=one.redeemable.object,
        related_object_id=one.redeemable.key,
        voucher_id=None if voucher is None else voucher.id,
        voucher_code=None if voucher is None else voucher.code,
        promotion_tier_id=None if one.tier is None else one.tier.id,
        campaign_id=one.redeemable.campaign_id,
        session_key=ask.session_key,
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
    found: list[Candidate],
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
        order.created_at = iso(seen.now)
        order.metadata = ask.order.metadata
        referrer = _take_up(seen, ask, ask.referrer, writes)
        order.referrer_id = referrer.id if referrer else None
    else:
        freeze(seen, writes, held)
        held.order, held.changed, held.items_json = order, True, None
        order.updated_at = iso(seen.now)
    order.status = ask.data.order.status or "PAID"
    order.referrer_id = order.referrer_id or referring.referrer_of(seen, found)
    if customer is not None:
        if before == "PAID" and order.customer_id != customer.id and order.id:
            writes.moved.add(order.id)
        order.customer_id = customer.id
        order.customer = {"id": customer.id, "object": "customer"}
    order.redemptions = (order.redemptions or {}) | _mentions(seen, found, redemptions, parent)
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


def _mentions(
    seen: Seen, found: list[Candidate], redemptions: dict[str, int], parent: str | None
) -> dict[str, Any]:
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
            "related_object_type": found[index].redeemable.object,
            "related_object_id": found[index].redeemable.key,
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
    found: list[Candidate],
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
        row = _failed_row(ask, outcome, found[i], customer, shown)
        row.id, row.parent_id = (parent, None) if single else (new_id("failed_redemption"), parent)
        writes.rows.append(row)
    if not single:
        mode = seen.stacking.redeemables_application_mode
        row = _failed_row(ask, decision.outcomes[index], None, customer, shown)
        row.id, row.related_object_type, row.related_object_id = parent, "redemption", parent
        row.explain = _text(encode(answers.whole_explanation(decision)))
        if mode == "PARTIAL":
            row.failure_code, row.failure_message = (
                "no_applicable_redeemables",
                "None of the redeemables applies",
            )
        writes.rows.append(row)
    writes.tell(ask.request_id, Event("redemption.failed", parent, customer.id if customer else None))
    return answers.refusal(seen, ask, decision, found, reason, index)


def _failed_row(
    ask: RedeemAsk,
    outcome: Outcome,
    one: Candidate | None,
    customer: Customer | None,
    shown: Held | None,
) -> Row:
    reason = outcome.reason or Reason.NO_EFFECT
    voucher = None if one is None else one.voucher
    tier = None if one is None else one.tier
    campaign = voucher or tier
    return Row(
        id="",
        result="FAILURE",
        status="FAILED",
        failure_code=reason.key,
        failure_message=answers.told(outcome),
        related_object_type=outcome.redeemable.object,
        related_object_id=outcome.redeemable.key or outcome.redeemable.id,
        voucher_id=None if voucher is None else voucher.id,
        voucher_code=voucher.code if voucher is not None else outcome.redeemable.id,
        promotion_tier_id=None if tier is None else tier.id,
        campaign_id=None if campaign is None else campaign.campaign_id,
        customer_id=customer.id if customer is not None else None,
        tracking_id=tracking_id(ask.data.tracking_id, customer),
        metadata=ask.data.metadata,
        channel_id=ask.caller.app_id,
        order=None if shown is None else _text(shown.head_json),
        items=None if shown is None else _text(shown.items_json),
        explain=_text(encode(answers.explanation(outcome))),
    )


def _text(json: bytes | None) -> str | None:
    return None if json is None else json.decode()
