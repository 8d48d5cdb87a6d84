"""The points of a member's card in v2: added and taken away by hand, and those that end."""

from datetime import date, datetime
from typing import LiteralString

from msgspec import Struct

from guerdon.engine.expiry import ends
from guerdon.engine.ledger import Entry, TooMuch, Why, claw_back, grant, spend
from guerdon.engine.periods import local_day
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.ledger.book import Note, entry_ids
from guerdon.loyalty import card_transactions, sheet
from guerdon.loyalty.card_transactions import BUCKET, bucket_id
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.member_cards import Acting, Named, acting, expiration_type
from guerdon.loyalty.place import Place, shown_card, suffix
from guerdon.loyalty.shapes_cards_moved import (
    CardTransaction,
    EndingPoints,
    PointsAdjustment,
    PointsMoved,
    Total,
)
from guerdon.loyalty.standing import restand

# By the last day on which they can be spent.
DAY: LiteralString = "((l.expires_at - interval '1 microsecond') at time zone $3::text)::date"
ENDING = CursorListing(
    prefix="lcrspeb_",
    columns="b.day, b.points, b.created_at",
    source=f"""(
        select {DAY}::text as day, sum(l.remaining)::bigint as points, min(l.created_at) as created_at
        from card_lots l
        where l.project_id = $1 and l.card_id = $2 and l.remaining > 0 and l.expires_at > now()
        group by 1
    ) b""",
    where="$1::text is not null",
    id="b.day",
    fields={},
    sorts={"expiration_date": ("b.day", False)},
    default_sort="expiration_date",
)
HAD = (
    f"select exists (select from card_lots l where l.project_id = $1 and l.card_id = $2 and {DAY} = $4::date)"
)


class EndingRow(Struct):
    """Points that end with a day."""

    day: str
    points: int
    created_at: datetime


async def adjust(call: Call, path: tuple[str, str, str], data: PointsAdjustment) -> PointsMoved:
    """Points added or taken away by hand.

    Raises `ApiError` 404, 400, and 423: `acting`'s, ``zero_card_balance`` and ``insufficient_card_balance`` for more
    than there is where the balance may not fall below nothing.
    """
    act = await acting(call, *path)
    if data.points == 0:
        return PointsMoved(
            transaction=None, status="NO_CHANGE", message="No points were moved: 0 were asked for"
        )
    entry = _add(act, data.points) if data.points > 0 else _take(act, -data.points)
    moved = await _written(call, act, entry, data.reason)
    what = "added" if data.points > 0 else "taken away"
    return PointsMoved(transaction=moved, status="TRANSACTION_CREATED", message=f"Points were {what}")


def _add(act: Acting, points: int) -> Entry:
    place, policy = act.place, act.program.cards.get(act.card.definition_id)
    end = None if policy is None else ends(policy.earning.expiry, place.now, place.zone)
    account = act.sheet.account(act.card)
    try:
        return grant(account, "POINTS_ADDITION", points, place.now, entry_ids()[0], expires_at=end)
    except TooMuch:
        raise invalid_payload(
            Fault("points", "makes the balance larger than a number can be"), key="invalid_amount"
        ) from None


def _take(act: Acting, points: int) -> Entry:
    place, account = act.place, act.sheet.account(act.card)
    policy = act.program.cards.get(act.card.definition_id)
    free = max(0, account.available(place.now) - act.sheet.book.kept.get(act.card.id, 0))
    order = act.sheet.book.order_of(act.card.id)
    if points <= free:
        return spend(account, "POINTS_REMOVAL", points, place.now, entry_ids()[0][0], order=order)
    if policy is None or not policy.allow_negative:
        raise too_few(act.named, points, free)
    open_lots = [lot for lot in account.lots.values() if lot.open(place.now)]
    open_lots.sort(key=lambda lot: (lot.expires_at is None, lot.expires_at, lot.created_at, lot.id))
    entry = claw_back(
        account, "POINTS_REMOVAL", [lot.id for lot in open_lots], points, place.now, new_id("card_entry"),
        policy="NEGATIVE",
    )  # fmt: skip
    assert entry is not None
    return entry


def too_few(named: Named, asked: int, free: int) -> ApiError:
    """423 for more points than a card has."""
    key, title = (
        ("insufficient_card_balance", "Insufficient card balance")
        if free
        else ("zero_card_balance", "There is nothing on the card")
    )
    return ApiError(
        423, key, title, f"{asked} points were asked for, the card has {free} to take from.",
        resource_id=shown_card(named.card.id), resource_type="card",
    )  # fmt: skip


async def _written(call: Call, act: Acting, entry: Entry, reason: str | None) -> CardTransaction:
    act.sheet.book.enter([entry], Note("", None, reason, "API"))
    act.sheet.told(act.card, entry)
    await sheet.write(call.conn, act.sheet)
    await restand(call.conn, act.sheet, [act.named.member.id])
    await sheet.close(call.conn, act.sheet)
    rows = [card_transactions.row_of(entry)]
    (shown,) = await card_transactions.shown(call.conn, act.place, act.named, rows)
    shown.status = "PENDING"
    return shown


async def expire(call: Call, path: tuple[str, str, str], name: str) -> PointsMoved:
    """The points that end with a day, ended now.

    Raises `ApiError` 404, 423: `acting`'s, ``invalid_points_bucket_status`` for points that are gone already.
    """
    act = await acting(call, *path)
    place, account = act.place, act.sheet.account(act.card)
    day = _day_of(act.card.id, name)
    if day is None or not await db.value(call.conn, HAD, call.project_id, act.card.id, place.zone.key, day):
        raise not_found("points bucket", name)
    lots = [
        lot
        for lot in account.lots.values()
        if lot.remaining and lot.expires_at is not None and _last(lot.expires_at, place) == day
    ]
    if not lots or all(lot.expires_at is None or lot.expires_at <= place.now for lot in lots):
        raise ApiError(
            423, "invalid_points_bucket_status", "Invalid points bucket status",
            "These points have been spent, or have ended.", resource_id=name, resource_type="points_bucket",
        )  # fmt: skip
    entry = claw_back(
        account, "POINTS_EXPIRATION", [lot.id for lot in lots], sum(lot.remaining for lot in lots), place.now,
        new_id("card_entry"), policy="FLOOR", why=Why(cause_id=name),
    )  # fmt: skip
    assert entry is not None
    moved = await _written(call, act, entry, "Manual points expiration")
    return PointsMoved(transaction=moved, status="TRANSACTION_CREATED", message="Points have ended")


def _last(end: datetime, place: Place) -> date:
    return local_day(end - datetime.resolution, place.zone)


def _day_of(card_id: str, name: str) -> date | None:
    """The day in a bucket's id, if it is one of the card."""
    head, digits = name[:-8], name[-8:]
    if head != BUCKET + suffix(card_id) or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def shown(place: Place, named: Named, row: EndingRow) -> EndingPoints:
    """Points that end with a day."""
    card = named.card
    return EndingPoints(
        id=bucket_id(card.id, date.fromisoformat(row.day)),
        card_id=shown_card(card.id),
        customer_id=named.member.customer_id,
        card_definition_id=card.definition_id,
        program_id=card.program_id,
        member_id=card.member_id,
        points=Total(row.points),
        expiration_date=row.day,
        expiration_type=expiration_type(place.program(card.program_id), card),
        created_at=iso(row.created_at),
    )
