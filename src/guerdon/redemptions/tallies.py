"""Tallies in the database: locked and read for a batch, made when a limit first asks for one, written as sets.

A new tally begins with what there is: the redemptions that it would have counted, had it been there. That is exact,
since a batch holds the project's definitions: every batch that runs beside it keeps the same tallies, and locks this
one before it redeems (definitions/changes.py).
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from typing import LiteralString
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine import tally
from guerdon.kit import db

LOOK = """
    select t.key, t.used from unnest($2::text[]) as w (key) join tallies t on t.project_id = $1 and t.key = w.key
    order by t.key
"""
LOCK = LOOK + " for update of t"

INSERT = """
    insert into tallies (project_id, key, used, until)
    select $1, * from unnest($2::text[], $3::bigint[], $4::date[]) as t (key, used, until) order by key
    on conflict (project_id, key) do nothing
"""

UPDATE = """
    update tallies t set used = t.used + w.change
    from unnest($2::text[], $3::bigint[]) as w (key, change) where t.project_id = $1 and t.key = w.key
"""

# Redemptions that stand, of a voucher, a tier or a campaign: how many, what they gave, and the value of their orders,
# each order once. `whose` narrows by customer, key or user.
_COUNT: LiteralString = """
    select w.key, coalesce(sum(case w.measure when 'n' then 1 when 'off' then r.amount - r.returned_amount
        else coalesce((r.takes ->> 'orders')::bigint, (r."order" ->> 'amount')::bigint, 0) end), 0)::bigint as used
    from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[])
        as w (key, owner, measure, since, by, until)
    join redemptions r on r.project_id = $1 and r.status = 'SUCCEEDED' and r.object = 'redemption'
        and r.created_at >= w.since and r.created_at < w.until and """
_ONCE_AN_ORDER: LiteralString = """
        and (w.measure <> 'orders' or r.takes ->> 'orders' is not null or r.parent_id is null or not exists (
            select 1 from redemptions e where e.project_id = $1 and e.parent_id = r.parent_id
            and e.campaign_id = r.campaign_id and e.status = 'SUCCEEDED' and e.id < r.id))
    group by w.key
"""
_OWNERS: dict[str, LiteralString] = {
    "v_": "r.voucher_id = w.owner",
    "promo_": "r.promotion_tier_id = w.owner",
    "camp_": "r.campaign_id = w.owner",
}
_WHOSE: dict[str, LiteralString] = {
    "anybody": "",
    "customer": " and r.customer_id = w.by",
    "api_key": " and r.channel_id = w.by",
}

BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
END = datetime.fromisoformat("9999-12-31T00:00:00+00:00")


class Named(Struct, frozen=True):
    """A key taken apart: whose redemptions, what is counted of them, since when, and by whom."""

    key: str
    owner: str
    measure: str
    span: str
    by: str | None

    @property
    def kind(self) -> str:
        """What the owner is, by the prefix of its id."""
        return next((prefix for prefix in _OWNERS if self.owner.startswith(prefix)), "")

    @property
    def whose(self) -> str:
        """By what redemptions are narrowed."""
        if self.by is None:
            return "anybody"
        return self.by.split(":", 1)[0] if self.by.startswith(("api_key:", "user:")) else "customer"


def named(key: str) -> Named:
    """Take a key apart (engine/tally.py makes them)."""
    owner, measure, span, *by = key.split("|", 3)
    return Named(key, owner.split("@", 1)[0], measure, span, by[0] if by else None)


async def look(
    conn: db.Db, project_id: str, keys: Collection[str], zone: ZoneInfo, new: Collection[str], *, lock: bool
) -> dict[str, int]:
    """How much of each tally is used; under `lock` nobody else can take from them until the transaction ends.

    `new` are customers that were made a moment ago: nothing of theirs has to be counted.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    found = await _read(conn, LOCK if lock else LOOK, project_id, wanted)
    missing = [named(key) for key in wanted if key not in found]
    if not missing:
        return found
    counted = dict.fromkeys((one.key for one in missing), 0)
    await _count(conn, project_id, [one for one in missing if one.by not in new], zone, counted)
    if not lock:
        return found | counted
    await db.execute(
        conn,
        INSERT,
        project_id,
        list(counted),
        list(counted.values()),
        [tally.until(one.span) for one in missing],
    )
    return found | await _read(conn, LOCK, project_id, list(counted))


async def _read(conn: db.Db, sql: LiteralString, project_id: str, keys: list[str]) -> dict[str, int]:
    return {r["key"]: r["used"] for r in await db.records(conn, sql, project_id, keys)}


async def _count(
    conn: db.Db, project_id: str, missing: list[Named], zone: ZoneInfo, counted: dict[str, int]
) -> None:
    """Count what is there already, one statement for each shape of key. Budgets of units begin when they are set."""
    shapes: dict[tuple[str, str], list[Named]] = {}
    for one in missing:
        if one.kind and one.whose in _WHOSE and not one.measure.startswith("units:"):
            shapes.setdefault((one.kind, one.whose), []).append(one)
    for (kind, whose), keys in shapes.items():
        for record in await db.records(
            conn, _COUNT + _OWNERS[kind] + _WHOSE[whose] + _ONCE_AN_ORDER, project_id,
            [one.key for one in keys], [one.owner for one in keys], [one.measure for one in keys],
            [_since(one.span, zone) for one in keys], [(one.by or "").removeprefix("api_key:") for one in keys],
            [_until(one.span, zone) for one in keys],
        ):  # fmt: skip
            counted[record["key"]] = record["used"]


def _since(span: str, zone: ZoneInfo) -> datetime:
    if span == "all":
        return BEGINNING
    first = span[1:] + "-01" if span.startswith("m") else span[1:]
    return datetime.combine(date.fromisoformat(first), time(), zone)


def _until(span: str, zone: ZoneInfo) -> datetime:
    last = tally.until(span)
    return END if last is None else datetime.combine(last, time(), zone)


async def write(conn: db.Conn, project_id: str, changes: Mapping[str, int]) -> None:
    """Add to tallies that are locked. The table's CHECK refuses what would go below nothing."""
    moved = sorted((key, change) for key, change in changes.items() if change)
    if moved:
        await db.execute(conn, UPDATE, project_id, [key for key, _ in moved], [change for _, change in moved])
