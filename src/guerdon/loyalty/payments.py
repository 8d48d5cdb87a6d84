"""Orders paid with points: what a payment comes to, and points given back where less of the order stands.

A payment is reckoned from the card's formula (what a point is worth in minor units), the points that there are and
the caller's limit. One that goes beyond what is to be paid for the order, or beyond what the card may spend, is kept
as REJECTED, and no points move.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.engine.checks import Redeemable
from guerdon.engine.expiry import SPENDING
from guerdon.engine.formula import number_of
from guerdon.engine.ledger import Why, spend
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import Order
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.loyalty import members_store, sheet
from guerdon.loyalty.compiled import CardPolicy, Program
from guerdon.loyalty.earn import Told, slide
from guerdon.loyalty.giving import lock_vouchers
from guerdon.loyalty.happened import know
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place, held_place, shown_card
from guerdon.loyalty.purchases_store import kept, spent
from guerdon.loyalty.quote import (
    Facts,
    available,
    began,
    card_off,
    member_refusal,
    program_refusal,
    spending_refusal,
)
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.spent import put_back, spent_of
from guerdon.loyalty.standing import restand
from guerdon.orders import locked as orders

REASON = "Points spent on order payment"
TOO_MUCH = "PAYMENT_EXCEEDS_ORDER_TOTAL_AMOUNT"

COLUMNS: LiteralString = (
    "p.id, p.program_id, p.member_id, p.card_id, p.definition_id, p.order_id, p.status, p.points, p.amount, p.returned,"
    " p.ratio, p.basis, p.entry_id, p.details, p.created_at, p.updated_at"
)
INSERT_COLUMNS = (
    "project_id", "id", "program_id", "member_id", "card_id", "definition_id", "order_id", "status", "points",
    "amount", "returned", "ratio", "basis", "entry_id", "details", "created_at", "updated_at",
)  # fmt: skip
PAID = """
    select coalesce(sum(p.amount - p.amount * p.returned / greatest(p.points, 1)), 0)::bigint from loyalty_payments p
    where p.project_id = $1 and p.order_id = $2 and p.status = 'APPROVED'
"""
OF_ORDERS: LiteralString = f"""
    select {COLUMNS} from loyalty_payments p
    where p.project_id = $1 and p.order_id = any($2) and p.status = 'APPROVED' and p.returned < p.points
    order by p.created_at desc, p.id
"""
STANDING = """
    select p.order_id, p.amount, p.basis, d.body #>> '{refunds,spent_points,methods,0,mode}' as mode
    from loyalty_payments p left join loyalty_parts d on d.project_id = $1 and d.id = p.definition_id
    where p.project_id = $1 and p.order_id = any($2) and p.status = 'APPROVED' and p.returned < p.points
"""
RETURNED = """
    update loyalty_payments p set returned = p.returned + w.points, updated_at = $4
    from unnest($2::text[], $3::bigint[]) as w (id, points) where p.project_id = $1 and p.id = w.id
"""


class PaymentRow(Struct, kw_only=True):
    """A row of `loyalty_payments`."""

    id: str
    program_id: str
    member_id: str
    card_id: str
    definition_id: str
    order_id: str
    status: str
    points: int
    amount: int
    returned: int
    ratio: str
    basis: int
    entry_id: str | None
    details: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class Standing(Struct, frozen=True):
    """What points paid of an order, in minor units, when `basis` was to be paid of it; `mode` is how they come back, None
    for not at all.
    """

    order_id: str
    amount: int
    basis: int
    mode: str | None

    def at(self, total: int) -> Fraction:
        """What of it stands when no more than `total` is left of the order."""
        if self.mode is None or (self.mode == "REFUND_ALL" and total):
            return Fraction(self.amount)
        return Fraction(self.amount * min(total, self.basis), self.basis) if self.basis else Fraction(0)


class Paying(Struct, kw_only=True, frozen=True):
    """A payment that is asked for: `order` and `order_source_id` name the order, limits are None where there is none."""

    program_id: str
    member_id: str
    card_id: str
    order_id: str | None
    order_source_id: str | None = None
    most_points: int | None = None
    most_amount: int | None = None


class Found(Struct, kw_only=True):
    """What a payment is decided on, under lock. `paid`: minor units of the order that points paid
    before. `off`: the card is switched off.
    """

    page: Sheet
    program: Program
    policy: CardPolicy
    member: MemberRow
    card: CardRow
    order: Order
    facts: Facts
    paid: int = 0
    off: bool = False

    @property
    def total(self) -> int:
        """What the order costs, in minor units."""
        order = self.order
        if order.status == "CANCELED":
            return 0
        return (order.amount if order.total_amount is None else order.total_amount) or 0


async def pay(conn: db.Conn, place: Place, asked: Paying, *, dry: bool = False) -> PaymentRow:
    """The payment, written unless it is `dry`; it takes all locks itself, the order's first.

    Raises `ApiError` 404, and 423 for what forbids payments, a card with nothing on it among that.
    """
    found = await _gather(conn, place, asked)
    refused = program_refusal(found.program, place) or member_refusal(found.member)
    refused = refused or (card_off(found.card) if found.off else None)
    if refused is not None:
        raise refused
    row = _reckon(found, asked)
    rejection = _rejection(found, row)
    if dry:
        return row
    row.id = new_id("order_payment")
    if rejection is None:
        _pay(found, row)
    else:
        row.status, row.details["rejection"] = "REJECTED", rejection
    page = found.page
    await sheet.write(conn, page)
    await _insert(conn, place.project_id, row)
    await restand(conn, page, page.moved)
    await sheet.close(conn, page)
    return row


async def _gather(conn: db.Conn, place: Place, asked: Paying) -> Found:
    program = place.program(asked.program_id)
    if program is None:
        raise not_found("program", asked.program_id)
    named = asked.order_id or asked.order_source_id or ""
    ids, names = ([asked.order_id], []) if asked.order_id else ([], [named])
    found = await orders.look(conn, place.project_id, ids, names, lock=True)
    members = await members_store.lock_all(conn, place.project_id, [asked.member_id])
    member = next((m for m in members if m.program_id == program.id and m.status != "DELETED"), None)
    if member is None:
        raise not_found("member", asked.member_id)
    if not found:
        raise not_found("order", named)
    off = await lock_vouchers(conn, place.project_id, [asked.card_id])
    page = await open_sheet(conn, place, [member])
    card = page.cards.get(asked.card_id)
    policy = None if card is None else program.cards.get(card.definition_id)
    if card is None or policy is None:
        raise not_found("card", shown_card(asked.card_id))
    since = {} if policy.period is None else {card.id: began(place, policy.period)}
    facts = Facts(
        spent=await spent(conn, place.project_id, since),
        kept=await kept(conn, place.project_id, [card.id], place.now),
        people=(await know(conn, place, [], [member.customer_id], (), ())).people,
    )
    paid = await db.value(conn, PAID, place.project_id, found[0].id)
    return Found(
        page=page,
        program=program,
        policy=policy,
        member=member,
        card=card,
        order=found[0],
        facts=facts,
        paid=paid,
        off=card.id in off,
    )


def _reckon(found: Found, asked: Paying) -> PaymentRow:
    """How many points pay how much: as much as there is and may be, and no point more than that takes."""
    there = available(found.page, found.facts, found.card)
    ratio = _ratio(found)
    if there <= 0:
        raise _locked(
            "zero_card_balance", "Card balance is zero", "There is nothing on the card to pay with.", found
        )
    points = there if asked.most_points is None else min(there, asked.most_points)
    amount = min(int(points * Fraction(ratio)), MAX_AMOUNT)
    if asked.most_amount is not None:
        amount = min(amount, asked.most_amount)
    if amount <= 0:
        raise _locked(
            "insufficient_card_balance", "Insufficient card balance",
            "So many points are worth less than the smallest amount.", found,
        )  # fmt: skip
    points = ceil(amount / Fraction(ratio))
    limits = {"points_limit": asked.most_points, "amount_limit": asked.most_amount}
    now = found.page.place.now
    return PaymentRow(
        id="", program_id=found.program.id, member_id=found.member.id, card_id=found.card.id,
        definition_id=found.card.definition_id, order_id=found.order.id or "", status="APPROVED", points=points,
        amount=amount, returned=0, ratio=str(ratio), basis=found.total, entry_id=None,
        details={
            "reason": REASON, "rejection": None,
            "metadata": {name: most for name, most in limits.items() if most is not None},
        },
        created_at=now, updated_at=now,
    )  # fmt: skip


def _ratio(found: Found) -> Decimal:
    """What a point is worth in minor units."""
    formula, place, member = found.policy.exchange, found.page.place, found.member
    number: object = None
    if formula is not None:
        situation = Situation(
            now=place.now, zone=place.zone, week_start=place.week_start, order=found.order, initial=found.order,
            customer=found.facts.people.get(member.customer_id), metadata=member.metadata, exponent=place.exponent,
        )  # fmt: skip
        who = Redeemable(id=member.id, key=member.id, campaign_id=found.program.id, metadata=member.metadata)
        number = number_of(formula, situation, who)
    if isinstance(number, Decimal) and number.is_finite() and number > 0:
        return number
    why = "The card's definition has no exchange ratio" + (
        "." if formula is None else " that comes to a number."
    )
    raise _locked("pay_with_points_not_enabled", "Pay with points is not enabled", why, found)


def _rejection(found: Found, row: PaymentRow) -> dict[str, Any] | None:
    """Why the payment is not carried out."""
    over = spending_refusal(found.page, found.facts, found.policy, found.card, row.points)
    if over is not None:
        return {"reason": (over.key or "").upper(), "details": (over.extra or {}).get("limit")}
    if row.amount > found.total - found.paid:
        return {"reason": TOO_MUCH}
    return None


def _pay(found: Found, row: PaymentRow) -> None:
    page, card, order_id = found.page, found.card, found.order.id
    entry = spend(
        page.account(card), "POINTS_REDEMPTION", row.points, page.place.now, new_id("card_entry"),
        order=page.book.order_of(card.id), why=Why(order_id=order_id, cause_id=row.id),
    )  # fmt: skip
    page.book.enter([entry])
    page.told(card, entry)
    page.days.paid(page.place, card, row.amount)
    page.moved.add(card.member_id)
    slide(page, found.program, card.member_id, SPENDING)
    row.entry_id = entry.id
    data = {"id": row.id, "order_id": order_id, "points": row.points, "amount": row.amount}
    page.events.append(Event("customer.reward_redemptions.completed", row.id, found.member.customer_id, data))


async def _insert(conn: db.Conn, project_id: str, row: PaymentRow) -> None:
    values = (
        project_id, row.id, row.program_id, row.member_id, row.card_id, row.definition_id, row.order_id, row.status,
        row.points, row.amount, row.returned, row.ratio, row.basis, row.entry_id, row.details, row.created_at,
        row.updated_at,
    )  # fmt: skip
    await db.insert(conn, "loyalty_payments", INSERT_COLUMNS, [values])


def _locked(key: str, message: str, details: str, found: Found) -> ApiError:
    card = shown_card(found.card.id)
    return ApiError(423, key, message, details, resource_id=card, resource_type="card")


# Points come back ------------------------------------------------------------------------------------------------


async def unpay_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Give points back that paid for what does not stand any more, as the card's definition says.

    REFUND_ALL gives them back with the whole order, the other modes in proportion to what is left to pay; whatever
    came before, the last return brings the rest.
    """
    place = await held_place(conn, project_id)
    ids = sorted({payload["order_id"] for _, payload, _ in told})
    found = {order.id: order for order in await orders.look(conn, project_id, ids, [], lock=True)}
    seen = await db.rows(conn, PaymentRow, OF_ORDERS, project_id, ids)
    members = await members_store.lock_all(conn, project_id, {row.member_id for row in seen})
    members = [member for member in members if member.status != "DELETED"]
    entries = {row.entry_id: row.card_id for row in seen if row.entry_id is not None}
    lots = [lot for one in (await spent_of(conn, project_id, entries)).values() for lot in one.lots]
    page = await open_sheet(conn, place, members, lots)
    rows = await db.rows(conn, PaymentRow, OF_ORDERS, project_id, ids)  # now that nobody else gives them back
    taken = await spent_of(conn, project_id, entries)
    back: dict[str, int] = {}
    for row in rows:
        card, order = page.cards.get(row.card_id), found.get(row.order_id)
        points = _due(place, row, order)
        if card is None or points <= 0 or row.entry_id not in taken:
            continue
        why = Why(related_id=row.entry_id, order_id=row.order_id, cause_id=row.id)
        put_back(page, card, taken[row.entry_id], points, why)
        back[row.id] = points
    await sheet.write(conn, page)
    if back:
        await db.execute(conn, RETURNED, project_id, list(back), list(back.values()), place.now)
    await restand(conn, page, page.moved, "RETURN")
    await sheet.close(conn, page)


async def standing_of(conn: db.Db, project_id: str, order_ids: Sequence[str]) -> dict[str, list[Standing]]:
    """What points paid of orders and did not come back altogether, by order."""
    found: dict[str, list[Standing]] = {}
    for row in await db.rows(conn, Standing, STANDING, project_id, sorted(order_ids)):
        found.setdefault(row.order_id, []).append(row)
    return found


def in_money(paid: Sequence[Standing], total: int) -> int:
    """What of an order's total is paid in money, where points pay the rest.

    >>> half = [Standing("ord_1", 50, 100, "REFUND_AMOUNT")]
    >>> in_money(half, 100), in_money(half, 33), in_money([Standing("ord_1", 50, 100, None)], 33)
    (50, 17, 0)
    """
    return max(0, total - floor(sum((one.at(total) for one in paid), Fraction(0))))


def _due(place: Place, row: PaymentRow, order: Order | None) -> int:
    """How many points are due back of a payment, beyond those that came back before."""
    program = place.program(row.program_id)
    policy = None if program is None else program.cards.get(row.definition_id)
    mode = None if policy is None else policy.spent_refund
    if mode is None:
        return 0
    stays = 0
    if order is not None and order.status != "CANCELED":
        stays = (order.amount if order.total_amount is None else order.total_amount) or 0
    if stays and (mode == "REFUND_ALL" or stays >= row.basis):
        return 0
    keeps = ceil(Fraction(row.points * stays, row.basis)) if row.basis else 0
    return row.points - keeps - row.returned


def payment_of(row: PaymentRow) -> Mapping[str, Any]:
    """The payment as answers show it."""
    ratio = Decimal(row.ratio)
    number = int(ratio) if ratio == ratio.to_integral_value() else float(ratio)  # shown, not reckoned with
    return {"amount": row.amount, "points_spent": row.points, "exchange_ratio": number}
