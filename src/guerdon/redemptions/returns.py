"""Decide one return on what the batch sees: the engine reckons, redemptions give back, the order keeps what stays."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from guerdon.engine import EngineError, Facts
from guerdon.engine.checks import OnCard, Redeemable
from guerdon.engine.conditions import Condition
from guerdon.engine.order import Order, known_items
from guerdon.engine.returning import Again, Back, Return, bring_back, deciding
from guerdon.engine.rollback import WHOLE_ORDER, Allotment, TakeBack, take_all
from guerdon.engine.rule import RuleSet
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.call import Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event
from guerdon.ledger.sales import Voided
from guerdon.loyalty.payments import in_money, standing_of
from guerdon.orders.locked import Held
from guerdon.products import catalog
from guerdon.redemptions import answers, cards
from guerdon.redemptions.asks import RollbackAsk, engine_fault, products_of
from guerdon.redemptions.candidates import NO_RULES, asks_items, tier_candidate, voucher_candidate
from guerdon.redemptions.gather import Seen, Taken, look_into_collections
from guerdon.redemptions.record import Writes
from guerdon.redemptions.redeem import freeze
from guerdon.redemptions.returned import CardRef, CardTaken, GivenBack, OrderReturn, ReturnedItem, ReturnIn
from guerdon.redemptions.rollback import allotment_of, line_of, take_back
from guerdon.redemptions.shapes import RedeemableIn
from guerdon.redemptions.voiding import void_sales, withhold

PAID = ("PAID", "FULFILLED")
encode = msgspec.json.Encoder(decimal_format="number").encode

OF_ORDER = ("order.", "product.", "sku.")


class ReturnAsk(RollbackAsk, gc=False, kw_only=True):
    """Goods of an order to take back. The redemptions named are all that the order had when it was asked for."""

    goods: ReturnIn
    order_id: str


async def know(conn: db.Db, seen: Seen, asks: Sequence[ReturnAsk]) -> None:
    """Read what points paid of the orders, and what deciding again wants to know of products."""
    seen.paid = await standing_of(conn, seen.project_id, [ask.order_id for ask in asks]) if asks else {}
    for ask in asks:
        held = seen.orders_by_name.get(ask.order_id)
        rules = tuple(rule for name in ask.voucher_ids for rule in seen.ruled.get(name, NO_RULES).rules)
        for taken in seen.redemptions.values():
            tier = seen.snapshot.tiers.get(taken.promotion_tier_id or "")
            rules += () if tier is None else seen.snapshot.rules_of(tier.id, tier.campaign_id)
        if held is None or not asks_items(rules):
            continue
        names = products_of(held.order)
        seen.known = {**seen.known, **await catalog.load(conn, seen.project_id, names, details=True)}
        await look_into_collections(conn, seen, {name for rule in rules for name in rule.collections})


def settle(seen: Seen, ask: ReturnAsk, writes: Writes) -> Reply:
    """The answer to one return. Raises `ApiError` for goods that are not there to come back."""
    held = seen.orders_by_name.get(ask.order_id)
    if held is None:
        raise not_found("order", ask.order_id)
    order = held.order
    if order.total_amount is None or order.status == "CANCELED":
        raise _invalid_order("was canceled" if order.status == "CANCELED" else "has no amount that is known")
    if order.status not in PAID:
        raise _invalid_order("was not paid yet: what is sent back is money that was paid")
    taken = _redemptions(seen, order)
    allotments = [allotment_of(seen, one) for one in taken]
    if not _still_there(order, allotments):
        raise _invalid_order("was changed since its codes were redeemed")
    backs = _backs(ask.goods, order)
    try:
        made = bring_back(
            order, allotments, backs, _again(seen, order, taken, [one.left for one in allotments])
        )
    except EngineError as error:
        raise engine_fault(error) from None
    whole = not made.order.amount and not any(item.quantity for item in made.order.items or ())
    order_json = _save(seen, ask, held, made, whole, writes)
    given_back = _give_back(seen, ask, taken, made, whole, held, order_json, writes)
    return_id = new_id("return")
    voided = void_sales(seen, writes, ask, made.order, return_id, whole=whole)
    spent = sum(one.spent for one in voided if one.sale.less_spent)
    owed = _in_money(seen, ask.order_id, made)
    withheld = min(owed, spent)
    withhold(seen, writes, ask, given_back, spent - withheld, return_id)
    answer = OrderReturn(
        id=return_id,
        order_id=ask.order_id,
        refund=owed - withheld,
        paid_before=made.paid_before,
        paid_after=made.paid_after,
        method=made.method,
        items=_came_back(order, made.order, backs),
        given_back=given_back,
        cards=[_taken(seen, one) for one in voided],
        withheld=withheld,
        by_points=made.refund - owed,
        reason=ask.goods.reason,
        metadata=ask.goods.metadata or {},
        created_at=iso(seen.now),
        order=Raw(order_json),
    )
    writes.returns.append(answer)
    return Reply(encode(answer))


def _in_money(seen: Seen, order_id: str, made: Return) -> int:
    """What of a refund is owed in money, beside what points had paid."""
    paid = seen.paid.get(order_id)
    if not paid:
        return made.refund
    return in_money(paid, made.paid_before) - in_money(paid, made.paid_after)


def _taken(seen: Seen, one: Voided) -> CardTaken:
    voucher = seen.vouchers[one.sale.card_id]
    return CardTaken(CardRef(voucher.id, voucher.code), one.removed, one.spent)


def _still_there(order: Order, allotments: Sequence[Allotment]) -> bool:
    """Whether the order still holds all that its redemptions gave; its owner may have changed it since."""
    items, on_lines, on_order = order.items or [], Counter[int](), 0
    for part in (part for one in allotments for part in take_all(one).parts):
        on_lines[part.line] += part.line_amount
        on_order += part.order_amount
    lines = {line: amount for line, amount in on_lines.items() if line != WHOLE_ORDER}
    return on_order <= order.discount_amount and all(
        line < len(items) and amount <= items[line].discount_amount for line, amount in lines.items()
    )


def _redemptions(seen: Seen, order: Order) -> list[Taken]:
    """What stands of the redemptions that the order names, in the order in which they were made."""
    found: list[Taken] = []
    for name, said in (order.redemptions or {}).items():
        for part in said.get("stacked") or [name]:
            one = seen.redemptions.get(part)
            if one is None:
                if "rollback_id" in said:
                    continue
                raise ApiError(
                    409, "multiple_requests", "Multiple requests",
                    "The order was redeemed on at the same moment; try again.", headers={"Retry-After": "1"},
                )  # fmt: skip
            if one.status == "SUCCEEDED":
                found.append(one)
    return sorted(found, key=lambda one: (one.created_at, one.id))


def _backs(goods: ReturnIn, order: Order) -> list[Back]:
    """What comes back, by lines. Raises `ApiError` 400."""
    if (goods.items is None) == (goods.amount is None):
        raise invalid_payload(
            Fault("items", "name the items that come back, or for an order without items its amount")
        )
    if goods.items is None:
        return [Back(None, amount=goods.amount or 0)]
    backs: list[Back] = []
    for place, item in enumerate(goods.items):
        if (item.quantity is None) == (item.amount is None):
            raise invalid_payload(Fault(f"items[{place}]", "say a quantity or an amount"))
        line = line_of(place, item, order.items or [])
        if any(back.line == line for back in backs):
            raise invalid_payload(Fault(f"items[{place}]", f"line {line} is named twice"))
        backs.append(Back(line, item.quantity or 0, item.amount or 0))
    return backs


def _again(seen: Seen, order: Order, taken: Sequence[Taken], left: Sequence[int]) -> Again | None:
    """How to decide on other goods with what these redemptions were of; None where some of it is gone."""
    redeemables: list[Redeemable] = []
    for one, holds in zip(taken, left, strict=True):
        redeemable = _redeemable(seen, one, holds)
        if redeemable is None:
            return None
        redeemables.append(redeemable)
    if not redeemables:
        return None
    situation = Situation(
        now=taken[0].created_at,
        zone=seen.zone,
        week_start=seen.week_start,
        order=order,
        initial=order,
        metadata=taken[0].metadata or {},
        collections=seen.collections,
        segments=seen.snapshot.segments,
        exponent=seen.exponent,
    )
    decide = deciding(
        Facts(redeemables=redeemables, situation=situation, stacking=seen.stacking, catalog=seen.known)
    )
    return lambda goods: decide(known_items(goods, seen.known) if seen.known else goods)


def _redeemable(seen: Seen, taken: Taken, left: int) -> Redeemable | None:
    """What a redemption was of, as it would be decided on: its order's rules are asked, all else held then."""
    tier = seen.snapshot.tiers.get(taken.promotion_tier_id or "")
    voucher = seen.vouchers.get(taken.voucher_id or "")
    if tier is not None:
        named = RedeemableIn(id=tier.id, object="promotion_tier")
        found = tier_candidate(seen.snapshot, named, 0, tier).redeemable
    elif voucher is not None and voucher.kept is not None:
        ruled = seen.ruled.get(voucher.id, NO_RULES)
        found = voucher_candidate(seen.snapshot, RedeemableIn(id=voucher.id), 0, voucher, ruled, 0).redeemable
        if voucher.type in cards.CARDS:
            found.terms = cards.paying(voucher.kept, left)
            found.card = OnCard(None, max(left, 1))
    else:
        return None
    found.active = found.campaign_active = True
    found.redeemed_quantity = 0
    found.limits = frozenset()
    found.limit_policy = "STRICT"
    found.rules = tuple(_of_order(rules) for rules in found.rules)
    return found


def _of_order(rules: RuleSet) -> RuleSet:
    """The same rules, of which those that do not look at the order hold."""
    conditions = {key: _held(condition) for key, condition in rules.conditions.items()}
    return replace(
        rules,
        conditions=conditions,
        only=None if rules.only is None else _held(rules.only),
        limits=frozenset(),
        budgets=(),
    )


def _held(condition: Condition) -> Condition:
    if condition.name.startswith(OF_ORDER):
        return condition
    return replace(condition, judged=(lambda scene: None, lambda scene: None))


def _save(seen: Seen, ask: ReturnAsk, held: Held, made: Return, whole: bool, writes: Writes) -> bytes:
    freeze(seen, writes, held)
    order = made.order
    order.updated_at = iso(seen.now)
    if whole:
        order.status = "CANCELED"
    held.order, held.changed, held.items_json = order, True, None
    writes.tell(ask.request_id, Event("order.updated", order.id or "", order.customer_id))
    if whole:
        writes.tell(ask.request_id, Event("order.canceled", order.id or "", order.customer_id))
    return answers.order_json(held)


def _give_back(
    seen: Seen,
    ask: ReturnAsk,
    taken: Sequence[Taken],
    made: Return,
    whole: bool,
    held: Held,
    order_json: bytes,
    writes: Writes,
) -> list[GivenBack]:
    told: list[GivenBack] = []
    ids = sorted(new_ids("rollback", len(taken)))
    for one, share, rollback_id in zip(taken, made.shares, ids, strict=True):
        part = TakeBack(share.back, [], share.after)
        if share.back or whole:
            take_back(seen, ask, one, part, rollback_id, None, held, order_json, writes, last=whole)
            parent = seen.redemptions.get(one.parent_id or "")
            if parent is not None:
                parent.returned_amount += share.back
                parent.status = "ROLLED_BACK" if whole else parent.status
                writes.taken[parent.id] = parent
        else:
            one.returned = encode(share.after).decode()
            writes.taken[one.id] = one
        if share.back:
            told.append(
                GivenBack(
                    redemption_id=one.id,
                    object=one.related_object_type,
                    related_object_id=one.related_object_id,
                    amount=share.back,
                    credits=one.id in seen.spent and one.reward is None,
                    points=_points(seen, one, rollback_id),
                    rollback_id=rollback_id,
                )
            )
    return told


def _points(seen: Seen, redemption: Taken, rollback_id: str) -> int:
    """The points that a rollback put back on the card."""
    if redemption.reward is None:
        return 0
    return sum(entry.amount for entry in seen.spent.get(redemption.id, ()) if entry.cause_id == rollback_id)


def _came_back(before: Order, after: Order, backs: Sequence[Back]) -> list[ReturnedItem]:
    """What came back of each line: units, and their worth before discounts."""
    return [
        ReturnedItem(
            index=back.line,
            quantity=back.quantity,
            amount=((before.items or [])[back.line].amount or 0)
            - ((after.items or [])[back.line].amount or 0),
        )
        for back in backs
        if back.line is not None
    ]


def _invalid_order(why: str) -> ApiError:
    return ApiError(400, "invalid_order", "Invalid order", f"Nothing can come back of this order: it {why}.")
