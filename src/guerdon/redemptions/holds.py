"""Sessions: what a validation with a lock holds of codes and tallies, until it ends, is redeemed or released.

A hold is on ``v:<voucher id>``, one use of a code, or on a tally by its key. It counts as used for everybody but
its own session. Holds are written and read under the lock of the voucher's or the tally's row.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from guerdon.definitions import changes
from guerdon.kit import db
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.kit.ids import new_id

LOOK = """
    select h.session_key, h.held, h.redeemable_id, h.amount
    from unnest($2::text[]) as w (held) join session_holds h on h.project_id = $1 and h.held = w.held
    where h.expires_at > $3
"""

RELEASE = """
    delete from session_holds h using unnest($2::text[], $3::text[]) as w (session_key, redeemable_id)
    where h.project_id = $1 and h.session_key = w.session_key and h.redeemable_id = w.redeemable_id
"""

OF_VOUCHER = """
    delete from session_holds where project_id = $1 and session_key = $2 and redeemable_id = $3
"""

COLUMNS = ("project_id", "session_key", "held", "redeemable_id", "amount", "expires_at")

USED = "select (settings ->> 'sessions')::boolean from projects where id = $1"
USE = "update projects set settings = settings || '{\"sessions\": true}' where id = $1"

DEFAULT_TTL = timedelta(days=7)
MOST_TTL = timedelta(days=366)
UNITS: dict[str, timedelta] = {
    "DAYS": timedelta(days=1),
    "HOURS": timedelta(hours=1),
    "MINUTES": timedelta(minutes=1),
    "SECONDS": timedelta(seconds=1),
    "MILLISECONDS": timedelta(milliseconds=1),
    "MICROSECONDS": timedelta(microseconds=1),
}


class SessionIn(Struct):
    """A lock on what a validation found applicable. Without a key one is made; without a ttl it holds for 7 days."""

    type: Literal["LOCK"] | None = "LOCK"
    key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    ttl: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    ttl_unit: (
        Literal["DAYS", "HOURS", "MINUTES", "SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS"] | None
    ) = None


class SessionOut(Struct, omit_defaults=True):
    """A session as answered."""

    key: str
    type: str = "LOCK"
    ttl: int | None = None
    ttl_unit: str | None = None


class Hold(Struct, gc=False):
    """A part of something that a session holds."""

    session_key: str
    held: str
    redeemable_id: str
    amount: int
    expires_at: datetime | None = None


def answer(session: SessionIn, key: str) -> dict[str, Any]:
    """How an answer echoes a session: what was given, with its key."""
    out: dict[str, Any] = {"key": key, "type": "LOCK"}
    if session.ttl is not None:
        out["ttl"] = session.ttl
        out["ttl_unit"] = session.ttl_unit or "DAYS"
    return out


def key_of(session: SessionIn) -> str:
    """The session's key, made up where none was given."""
    return session.key or new_id("session")


def ends(session: SessionIn, now: datetime) -> datetime:
    """When the session lets go by itself. Raises `ApiError` 400 for a time too far ahead."""
    if session.ttl is None:
        return now + DEFAULT_TTL
    if session.ttl_unit == "NANOSECONDS":
        return now + timedelta(microseconds=max(1, min(session.ttl // 1000, 10**15)))
    unit = UNITS[session.ttl_unit or "DAYS"]
    if session.ttl > MOST_TTL / unit:
        raise invalid_payload(Fault("session.ttl", "a session may last 366 days"))
    return now + session.ttl * unit


async def look(conn: db.Db, project_id: str, held: Collection[str], now: datetime) -> dict[str, list[Hold]]:
    """The holds on codes and tallies that have not ended."""
    found: dict[str, list[Hold]] = {}
    if held:
        for record in await db.records(conn, LOOK, project_id, list(held), now):
            found.setdefault(record["held"], []).append(Hold(**record))
    return found


async def write(
    conn: db.Conn, project_id: str, released: Sequence[tuple[str, str]], new: Sequence[Hold]
) -> None:
    """Let go what sessions held of these redeemables, and hold anew."""
    if released:
        pairs = sorted(set(released))
        await db.execute(conn, RELEASE, project_id, [key for key, _ in pairs], [name for _, name in pairs])
    if new:
        rows = [(project_id, h.session_key, h.held, h.redeemable_id, h.amount, h.expires_at) for h in new]
        await db.insert(conn, "session_holds", COLUMNS, rows)


async def use_sessions(pool: db.Pool, project_id: str) -> None:
    """Say that the project uses sessions, before its first one: from now on every batch looks for holds."""
    if await db.value(pool, USED, project_id):
        return
    async with pool.acquire() as conn, conn.transaction():
        await db.execute(
            conn, changes.LOCK, project_id
        )  # whoever changes definitions takes the project's row after it
        await db.execute(conn, USE, project_id)
        await changes.changed(conn, project_id, [("stacking", project_id)])


async def release(conn: db.Db, project_id: str, session_key: str, redeemable_id: str) -> bool:
    """Let go what a session holds of one redeemable; whether there was anything."""
    return bool(await db.execute(conn, OF_VOUCHER, project_id, session_key, redeemable_id))
