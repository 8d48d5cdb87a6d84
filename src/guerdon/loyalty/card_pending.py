"""Points that wait for a card, in v2: listed, made active before their time, given up."""

from datetime import datetime
from typing import LiteralString

from msgspec import Struct

from guerdon.engine.periods import local_day
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, not_found
from guerdon.ledger.book import Note
from guerdon.loyalty import card_transactions, pending, sheet
from guerdon.loyalty.card_transactions import BY_HAND, MoveRow
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.member_cards import Named, acting
from guerdon.loyalty.pending import PendingRow
from guerdon.loyalty.place import Place, shown_card, suffix
from guerdon.loyalty.shapes_cards_moved import PendingPoints, PointsMoved, Total
from guerdon.loyalty.standing import restand

SHOWN_PREFIX = "lcppb_"
STORED_PREFIX = "lopp_"
# Without a date they come last.
WHEN: LiteralString = "coalesce(p.activates_at, p.cancels_at, '9999-12-31Z'::timestamptz)"
WAITING = CursorListing(
    prefix="lcrscppb_",
    columns="p.id, p.points, p.type, p.activates_at, p.cancels_at, p.created_at, p.updated_at",
    source="loyalty_pending p",
    where="p.project_id = $1 and p.card_id = $2 and p.status = 'PENDING'",
    id="p.id",
    fields={},
    sorts={"date": (WHEN, True)},
    default_sort="date",
)
STATUS = """
    select status, activates_at, cancels_at from loyalty_pending where project_id = $1 and card_id = $2 and id = $3
"""


class WaitingRow(Struct):
    """A row of the list."""

    id: str
    points: int
    type: str
    activates_at: datetime | None
    cancels_at: datetime | None
    created_at: datetime
    updated_at: datetime | None


def shown(place: Place, named: Named, row: WaitingRow) -> PendingPoints:
    """Points that wait."""
    card, at = named.card, row.activates_at or row.cancels_at
    return PendingPoints(
        id=SHOWN_PREFIX + suffix(row.id),
        card_id=shown_card(card.id),
        card_definition_id=card.definition_id,
        program_id=card.program_id,
        member_id=card.member_id,
        points=Total(row.points),
        date=None if at is None else str(local_day(at, place.zone)),
        type=row.type,  # type: ignore[arg-type]
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
    )


async def settle(call: Call, path: tuple[str, str, str], name: str, verb: str) -> PointsMoved:
    """Points that wait made active now (`activate`), or given up (`cancel`).

    Raises `ApiError` 404, 423: `member_cards.acting`'s, ``invalid_pending_points_bucket_status`` for points that do not
    wait any more or whose time has come.
    """
    act = await acting(call, *path)
    stored = STORED_PREFIX + suffix(name)
    row = await _waiting(call.conn, act.place, act.card.id, name, stored)
    before = len(act.sheet.book.entries)
    settled = pending.settle(act.sheet, [row], verb, act.place.now, by_hand=True)
    entries = act.sheet.book.entries[before:]
    if entries:
        note = Note(entries[0].id, None, BY_HAND["PENDING_POINTS_ACTIVATION"], "API")
        act.sheet.book.notes.append(note)
    move = [card_transactions.row_of(entry) for entry in entries]
    await sheet.write(call.conn, act.sheet)
    await pending.write(call.conn, act.sheet, settled)
    await restand(call.conn, act.sheet, act.sheet.moved)
    await sheet.close(call.conn, act.sheet)
    if verb == "cancel":
        move = await db.rows(call.conn, MoveRow, CANCELED, call.project_id, act.card.id, stored)
    shown = await card_transactions.shown(call.conn, act.place, act.named, move)
    for each in shown:
        each.status = "PENDING"
    what = "active" if verb == "activate" else "given up"
    return PointsMoved(
        transaction=shown[0] if shown else None,
        status="TRANSACTION_CREATED",
        message=f"Points are {what} now",
    )


CANCELED = """
    select m.id, 'PENDING_CANCELED' as type, -m.points as amount, '[]' as parts, m.pending_id, m.by_hand, m.created_at
    from loyalty_pending_moves m
    where m.project_id = $1 and m.card_id = $2 and m.pending_id = $3 and m.type = 'CANCELED'
    order by m.created_at desc, m.id desc limit 1
"""


async def _waiting(conn: db.Conn, place: Place, card_id: str, name: str, stored: str) -> PendingRow:
    found = None
    if name == SHOWN_PREFIX + suffix(stored):
        found = next(iter(await db.records(conn, STATUS, place.project_id, card_id, stored)), None)
    if found is None:
        raise not_found("pending points bucket", name)
    rows = await pending.lock(conn, place.project_id, [stored])
    at = found["activates_at"] or found["cancels_at"]
    if not rows or (at is not None and at <= place.now):
        raise ApiError(
            423, "invalid_pending_points_bucket_status", "Invalid pending points bucket status",
            "These points do not wait any more.", resource_id=name, resource_type="pending_points_bucket",
        )  # fmt: skip
    return rows[0]
