"""Points that wait: made the member's to spend, lessened, or given up."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from guerdon.engine.expiry import Expiry, ends
from guerdon.engine.ledger import Why
from guerdon.kit import db
from guerdon.loyalty import members_store, sheet
from guerdon.loyalty.place import Place
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand

COLUMNS = """
    p.id, p.card_id, p.member_id, p.program_id, p.definition_id, p.points, p.type, p.status, p.activates_at, p.cancels_at,
    p.events, p.expiry, p.earning_id, p.order_id, p.cause_id, p.created_at
"""
LOCK = f"""
    select {COLUMNS} from loyalty_pending p
    where p.project_id = $1 and p.id = any($2) and p.status = 'PENDING' order by p.id for update
"""
WAKING = """
    select p.id from loyalty_pending p
    where p.project_id = $1 and p.card_id = any($2) and p.status = 'PENDING' and $3 = any(p.events)
"""
SETTLE = """
    update loyalty_pending p set status = t.status, points = t.points, updated_at = now()
    from unnest($2::text[], $3::text[], $4::bigint[]) as t (id, status, points) where p.project_id = $1 and p.id = t.id
"""
ACTIVE = """
    update loyalty_earnings e set entry_id = t.entry_id, lot_id = t.lot_id, active_at = $5
    from unnest($2::text[], $3::text[], $4::text[]) as t (pending_id, entry_id, lot_id)
    where e.project_id = $1 and e.pending_id = t.pending_id
"""


class PendingRow(Struct, kw_only=True):
    """A row of `loyalty_pending`."""

    id: str
    card_id: str
    member_id: str
    program_id: str
    definition_id: str
    points: int
    type: str
    status: str
    activates_at: datetime | None
    cancels_at: datetime | None
    events: list[str] | None
    expiry: Any
    earning_id: str | None
    order_id: str | None
    cause_id: str | None
    created_at: datetime


class Settled(Struct):
    """What became of pending points: rows in their new state, and what activation made of them."""

    rows: list[PendingRow]
    made: list[tuple[str, str, str]]


async def settle_due(
    conn: db.Conn, place: Place, due: Sequence[tuple[str, str]], verb: str, at: datetime | None = None
) -> int:
    """Have pending points (ids, and members they are of) become active, or give them up; how many there were.

    verb: ``activate`` or ``cancel``. Whose time has come at an instant count from it; others (`at`) from then.
    """
    members = await members_store.lock_all(conn, place.project_id, {member_id for _, member_id in due})
    page = await open_sheet(conn, place, members)
    rows = await db.rows(conn, PendingRow, LOCK, place.project_id, sorted(name for name, _ in due))
    settled = settle(page, [row for row in rows if row.card_id in page.cards], verb, at)
    await sheet.write(conn, page)
    await write(conn, page, settled)
    await restand(conn, page, page.moved)
    await sheet.close(conn, page)
    return len(rows)


async def waking(conn: db.Conn, project_id: str, card_ids: Collection[str], schema_id: str) -> list[str]:
    """Points of cards that a custom event makes active."""
    return [r["id"] for r in await db.records(conn, WAKING, project_id, list(card_ids), schema_id)]


async def lock(conn: db.Conn, project_id: str, ids: Collection[str]) -> list[PendingRow]:
    """Points that wait, locked; after their cards are."""
    return await db.rows(conn, PendingRow, LOCK, project_id, sorted(ids))


def settle(
    page: Sheet, rows: Sequence[PendingRow], verb: str, at: datetime | None = None, *, by_hand: bool = False
) -> Settled:
    """The same on a sheet; `by_hand` where somebody asked for it."""
    settled = Settled([], [])
    for row in rows:
        if verb == "activate":
            settled.made.append(_activate(page, row, at))
            row.status = "ACTIVATED"
        else:
            row.status = "CANCELED"
            page.fewer_wait(page.cards[row.card_id], row.id, row.points, by_hand=by_hand)
            page.tell_pending("canceled", page.cards[row.card_id], row.id, row.points)
        settled.rows.append(row)
    return settled


def _activate(page: Sheet, row: PendingRow, at: datetime | None) -> tuple[str, str, str]:
    card, place = page.cards[row.card_id], page.place
    rule = msgspec.convert(row.expiry, Expiry) if row.expiry else None
    began = at or row.activates_at or place.now
    end = None if rule is None else ends(rule, row.created_at, place.zone, began)
    page.count(card).activated += row.points
    if not row.points:
        return row.id, "", ""
    why = Why(order_id=row.order_id, cause_id=row.cause_id)
    entry = page.put(card, "PENDING_POINTS_ACTIVATION", row.points, end, why)
    if rule is not None:
        sheet.end_apart(page, place.program(card.program_id), card, entry, rule)
    page.tell_pending("activated", card, row.id, row.points)
    return row.id, entry.id, entry.parts[0].lot


async def write(conn: db.Conn, page: Sheet, settled: Settled) -> None:
    """Write what became of them."""
    project_id, rows = page.place.project_id, settled.rows
    if rows:
        await db.execute(
            conn, SETTLE, project_id, [r.id for r in rows], [r.status for r in rows], [r.points for r in rows]
        )
    made = [one for one in settled.made if one[1]]
    if made:
        pending, entries, lots = zip(*made, strict=True)
        await db.execute(conn, ACTIVE, project_id, list(pending), list(entries), list(lots), page.place.now)
