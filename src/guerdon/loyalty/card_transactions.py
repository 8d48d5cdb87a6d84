"""The transactions of a card in v2: its entries in the books, and the points that came to wait or were given up."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString

import msgspec
from msgspec import UNSET, Struct, field

from guerdon.engine.ledger import DEBT, Entry
from guerdon.engine.periods import local_day
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.filters import Field
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.days import PURCHASE
from guerdon.loyalty.member_cards import Named, expiration_type
from guerdon.loyalty.members import last_day
from guerdon.loyalty.place import Place, shown_card, suffix
from guerdon.loyalty.shapes_cards_moved import (
    BucketMoved,
    CardTransaction,
    Moved,
    Origin,
    Ref,
    Total,
    TransactionDetails,
    TransactionType,
)

BUCKET: Final = "lcpeb_"
PAYMENT: Final = "lotx_"
BY_HAND: Final = {
    "PENDING_POINTS_ACTIVATION": "Manual points activation",
    "PENDING_CANCELED": "Manual points cancellation",
}

# On a card, entries in the order of their numbers; both kinds in the order of time.
MOVED: LiteralString = """(
    select e.id, e.type, e.amount, e.parts, e.related_id, e.order_id, e.cause_id, null as pending_id,
           false as by_hand, e.created_at, 'e' || lpad(e.seq::text, 19, '0') as place
    from card_entries e where e.project_id = $1 and e.card_id = $2
    union all
    select m.id, 'PENDING_' || m.type, case m.type when 'ADDED' then m.points else -m.points end, '[]', null, null, null,
           m.pending_id, m.by_hand, m.created_at, 'd' || m.id
    from loyalty_pending_moves m where m.project_id = $1 and m.card_id = $2
) t"""
TRANSACTIONS = CursorListing(
    prefix="lcrsctx_",
    columns="t.id, t.type, t.amount, t.parts, t.related_id, t.order_id, t.cause_id, t.pending_id, t.by_hand, t.created_at",
    source=MOVED,
    where="$1::text is not null",
    id='(t.place collate "C")',
    fields={
        "id": Field("'lctx_' || substr(t.id, strpos(t.id, '_') + 1)"),
        "created_at": Field("t.created_at", "date"),
    },
    sorts={"created_at": ("t.created_at", True)},
)

NOTES = "select entry_id, reason from card_notes where project_id = $1 and entry_id = any($2)"
LOTS = "select id, expires_at from card_lots where project_id = $1 and card_id = $2 and id = any($3)"
# What rules gave at once, or what of it waited first, came to the card when its entry was written.
EARNED = """
    select e.entry_id, e.pending_id, e.rule_id, e.earning_id, e.cause_id, e.order_id from loyalty_earnings e
    where e.project_id = $1 and e.card_id = $2 and e.active_at = any($3)
"""
PENDING = """
    select p.id, p.type, coalesce(p.activates_at, p.cancels_at) as at, e.rule_id, e.earning_id, e.cause_id, e.order_id
    from loyalty_pending p
    left join loyalty_earnings e on e.project_id = $1 and e.id = p.earning_id
    where p.project_id = $1 and p.id = any($2)
"""
NAMES = "select id, name from loyalty_parts where project_id = $1 and id = any($2)"
PURCHASES = """
    select p.id, p.reward_id, p.purchase_id, p.entry_id, b.entry_id as bought_by from loyalty_purchases p
    left join loyalty_purchases b on b.project_id = $1 and b.id = p.purchase_id
    where p.project_id = $1 and p.id = any($2)
"""

_PARTS = msgspec.json.Decoder(list[tuple[str, int]])


class MoveRow(Struct, kw_only=True):
    """A row of the list: an entry, or points that wait (`type` PENDING_ADDED or PENDING_CANCELED)."""

    id: str
    type: str
    amount: int
    parts: str
    related_id: str | None = None
    order_id: str | None = None
    cause_id: str | None = None
    pending_id: str | None = None
    by_hand: bool = False
    created_at: datetime


class Beside(Struct):
    """What is told with the transactions of a page, by their ids, and those of lots, pending points, purchases."""

    reasons: dict[str, str | None] = field(default_factory=dict)
    ends: dict[str, datetime | None] = field(default_factory=dict)
    earned: dict[str, db.Record] = field(default_factory=dict)
    pending: dict[str, db.Record] = field(default_factory=dict)
    purchases: dict[str, db.Record] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def transaction_id(row_id: str) -> str:
    """How v2 calls an entry, or a movement of points that wait."""
    return "lctx_" + suffix(row_id)


def bucket_id(card_id: str, day: date) -> str:
    """The points of a card that end with a day."""
    return f"{BUCKET}{suffix(card_id)}{day:%Y%m%d}"


def type_of(type: str, cause_id: str | None) -> TransactionType:
    """How v2 calls an entry of the books, by its type and by what caused it."""
    bought = (cause_id or "").startswith(PURCHASE)
    match type:
        case "POINTS_ADDITION" | "POINTS_ACCRUAL" | "POINTS_TRANSFER_IN" if bought:
            return "POINTS_PURCHASED"
        case "POINTS_REMOVAL" | "POINTS_CLAWBACK" if bought:
            return "POINTS_PURCHASE_REVERSED"
        case "POINTS_ADDITION" | "POINTS_TRANSFER_IN":
            return "ADMIN_CREDIT"
        case "POINTS_REMOVAL" | "POINTS_TRANSFER_OUT":
            return "ADMIN_DEBIT"
        case "POINTS_ACCRUAL":
            return "POINTS_EARNED"
        case "POINTS_CLAWBACK":
            return "POINTS_REFUNDED"
        case "POINTS_REDEMPTION":
            return "POINTS_SPENT_ON_REWARD" if bought else "POINTS_SPENT_ON_ORDER"
        case "POINTS_REFUND":
            return "POINTS_RETURNED"
        case "POINTS_EXPIRATION":
            by_hand = (cause_id or "").startswith(BUCKET)
            return "ADMIN_POINTS_EXPIRATION" if by_hand else "POINTS_EXPIRED"
        case "PENDING_POINTS_ACTIVATION":
            return "PENDING_POINTS_ACTIVATED"
        case "PENDING_ADDED":
            return "PENDING_POINTS_ADDED"
        case "PENDING_CANCELED":
            return "PENDING_POINTS_CANCELED"
    raise AssertionError(type)  # pragma: no cover - no other entries are made on cards of points


async def shown(conn: db.Db, place: Place, named: Named, rows: Sequence[MoveRow]) -> list[CardTransaction]:
    """Movements of a card as transactions."""
    beside = await _beside(conn, place, named, rows)
    return [_shown(place, named, row, beside) for row in rows]


def row_of(entry: Entry) -> MoveRow:
    """An entry that was just made."""
    return MoveRow(
        id=entry.id,
        type=entry.type,
        amount=entry.amount,
        parts=msgspec.json.encode([(part.lot, part.amount) for part in entry.parts]).decode(),
        related_id=entry.related_id,
        order_id=entry.order_id,
        cause_id=entry.cause_id,
        created_at=entry.at,
    )


async def _beside(conn: db.Db, place: Place, named: Named, rows: Sequence[MoveRow]) -> Beside:
    project_id, card_id, beside = place.project_id, named.card.id, Beside()
    for record in await db.records(conn, NOTES, project_id, [row.id for row in rows]):
        beside.reasons[record["entry_id"]] = record["reason"]
    lots = {lot for row in rows for lot, _ in _PARTS.decode(row.parts)} - {DEBT}
    if lots:
        for record in await db.records(conn, LOTS, project_id, card_id, list(lots)):
            beside.ends[record["id"]] = record["expires_at"]
    came = [row.created_at for row in rows if row.type in ("POINTS_ACCRUAL", "PENDING_POINTS_ACTIVATION")]
    if came:
        for record in await db.records(conn, EARNED, project_id, card_id, came):
            if record["entry_id"] is not None:
                beside.earned[record["entry_id"]] = record
    waited = {row.pending_id for row in rows} | {each["pending_id"] for each in beside.earned.values()}
    wanted = [name for name in waited if name is not None]
    if wanted:
        for record in await db.records(conn, PENDING, project_id, wanted):
            beside.pending[record["id"]] = record
    bought = {row.cause_id for row in rows if row.cause_id is not None and row.cause_id.startswith(PURCHASE)}
    if bought:
        for record in await db.records(conn, PURCHASES, project_id, list(bought)):
            beside.purchases[record["id"]] = record
    rules = {each["rule_id"] for group in (beside.earned, beside.pending) for each in group.values()} - {None}
    if rules:
        for record in await db.records(conn, NAMES, project_id, list(rules)):
            beside.names[record["id"]] = record["name"]
    return beside


def _shown(place: Place, named: Named, row: MoveRow, beside: Beside) -> CardTransaction:
    card = named.card
    return CardTransaction(
        id=transaction_id(row.id),
        card_id=shown_card(card.id),
        program_id=card.program_id,
        member_id=card.member_id,
        card_definition_id=card.definition_id,
        type=type_of(row.type, row.cause_id),
        details=_details(place, named, row, beside),
        created_at=iso(row.created_at),
    )


def _details(place: Place, named: Named, row: MoveRow, beside: Beside) -> TransactionDetails:
    kind, earned = type_of(row.type, row.cause_id), beside.earned.get(row.id)
    pending = beside.pending.get(row.pending_id or (None if earned is None else earned["pending_id"]) or "")
    source = pending if row.pending_id is not None else earned
    found = TransactionDetails(
        reason=_reason(named, row, source, beside), metadata=_metadata(named, source), points=Moved(total=row.amount)
    )  # fmt: skip
    assert isinstance(found.points, Moved)
    if kind in ("PENDING_POINTS_ADDED", "PENDING_POINTS_CANCELED", "PENDING_POINTS_ACTIVATED"):
        found.points.total = abs(row.amount)
        if pending is not None:
            at = pending["at"]
            found.points.type = pending["type"]
            found.points.date = None if at is None else str(local_day(at, place.zone))
        return found
    buckets = _buckets(place, named, row, beside)
    match kind:
        case (
            "ADMIN_CREDIT"
            | "POINTS_EARNED"
            | "POINTS_PURCHASED"
            | "POINTS_PURCHASE_REVERSED"
            | "POINTS_RETURNED"
        ):
            found.points.expiration_date = buckets[0].expiration_date if buckets else None
            if kind not in ("ADMIN_CREDIT", "POINTS_EARNED"):
                found.points.expiration_type = buckets[0].expiration_type if buckets else "NO_EXPIRATION"
        case "ADMIN_POINTS_EXPIRATION":
            found.points = UNSET
            found.bucket = buckets[0] if buckets else UNSET
        case "POINTS_EXPIRED":
            found.buckets = buckets
            found.date = (
                buckets[-1].expiration_date if buckets else str(local_day(row.created_at, place.zone))
            )
    _refer(found, kind, row, beside)
    return found  # fmt: skip


def _refer(found: TransactionDetails, kind: TransactionType, row: MoveRow, beside: Beside) -> None:
    """Name the order, the reward and the purchase that a transaction belongs to."""
    cause = row.cause_id or ""
    if kind == "POINTS_SPENT_ON_ORDER":
        found.order = None if row.order_id is None else Ref(row.order_id)
        found.order_transaction = Ref(cause) if cause.startswith(PAYMENT) else None
        return
    if not cause.startswith(PURCHASE):
        if kind == "POINTS_RETURNED":
            back = None if row.related_id is None else Ref(transaction_id(row.related_id))
            found.reward, found.reward_transaction, found.purchase = None, None, Origin(back, None)
        return
    bought = beside.purchases.get(cause)
    found.reward = None if bought is None else Ref(bought["reward_id"])
    found.reward_transaction = Ref(cause)
    if kind in ("POINTS_RETURNED", "POINTS_PURCHASE_REVERSED"):
        by = row.related_id if bought is None else bought["bought_by"] or row.related_id
        of = None if bought is None else bought["purchase_id"]
        found.purchase = Origin(
            None if by is None else Ref(transaction_id(by)), None if of is None else Ref(of)
        )
    elif kind == "POINTS_PURCHASED":
        by = None if bought is None else bought["entry_id"]
        found.card_transaction = None if by is None else Ref(transaction_id(by))
    else:
        found.target_card = found.purchase_transaction = None


def _reason(named: Named, row: MoveRow, source: db.Record | None, beside: Beside) -> str | None:
    if beside.reasons.get(row.id) is not None:
        return beside.reasons[row.id]
    if row.by_hand:
        return BY_HAND.get(row.type)
    rule = None if source is None else beside.names.get(source["rule_id"])
    return None if rule is None else f"{named.program.name} / {rule}"


def _metadata(named: Named, source: db.Record | None) -> dict[str, Any]:
    if source is None or source["rule_id"] is None:
        return {}
    cause = {"order_id": source["order_id"]} if source["order_id"] else {"event_id": source["cause_id"]}
    return {
        **cause,
        "member_id": named.member.id,
        "program_id": named.program.id,
        "earning_item_id": source["earning_id"],
        "earning_rule_id": source["rule_id"],
    }


def _buckets(place: Place, named: Named, row: MoveRow, beside: Beside) -> list[BucketMoved]:
    """What a movement did to points that end, by the day on which they do, the soonest first."""
    by_day: dict[str, int] = {}
    ids: dict[str, str] = {}
    for lot, amount in _PARTS.decode(row.parts):
        end = beside.ends.get(lot)
        if end is not None:
            day = last_day(end, place.zone)
            by_day[day] = by_day.get(day, 0) + abs(amount)
            ids[day] = bucket_id(named.card.id, date.fromisoformat(day))
    kind = expiration_type(place.program(named.program.id), named.card)
    return [
        BucketMoved(id=ids[day], points=Total(points), expiration_date=day, expiration_type=kind)
        for day, points in sorted(by_day.items())
    ]


POINTS: Final[Mapping[TransactionType, str]] = {
    "POINTS_EARNED": "earned",
    "ADMIN_CREDIT": "added",
    "POINTS_PURCHASED": "purchased",
    "POINTS_PURCHASE_REVERSED": "purchased_reversed",
    "ADMIN_DEBIT": "subtracted",
    "POINTS_EXPIRED": "expired",
    "ADMIN_POINTS_EXPIRATION": "expired",
    "POINTS_SPENT_ON_REWARD": "spent",
    "POINTS_SPENT_ON_ORDER": "spent",
    "POINTS_REFUNDED": "refunded",
    "POINTS_RETURNED": "returned",
}
"""Under what a report of a card counts them."""
