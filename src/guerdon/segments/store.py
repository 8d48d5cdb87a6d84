"""The rows of segments, and of the customers who are listed in one or were last seen there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from guerdon.definitions.snapshot import Segment
from guerdon.engine.filter import CUSTOMER_FIELDS, parse_filter
from guerdon.kit import db
from guerdon.kit.paging import Field, Listing


class SegmentRow(msgspec.Struct):
    """A row of `segments`; `filling` while a new auto-update segment looks for its first members."""

    id: str
    name: str
    type: str
    filter: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime | None
    filling: bool


# The job that fills a new segment is known by its dedupe key.
FILLING: LiteralString = """exists (
    select from jobs j where j.project_id = s.project_id and j.dedupe_key = 'segment:' || s.id
        and j.status in ('READY', 'RUNNING')) as filling"""

COLUMNS: LiteralString = f"s.id, s.name, s.type, s.filter, s.created_at, s.updated_at, {FILLING}"

LISTING = Listing(
    name="data",
    columns=COLUMNS,
    source="segments s",
    where="s.project_id = $1 and ($2::text[] is null or s.id = any($2))",
    id="s.id",
    fields={
        "id": Field("s.id"),
        "name": Field("s.name"),
        "type": Field("s.type"),
        "created_at": Field("s.created_at", "date"),
        "updated_at": Field("s.updated_at", "date"),
    },
    sorts={
        "created_at": "s.created_at",
        "updated_at": "s.updated_at",
        "name": 's.name collate "C"',
        "id": "s.id",
    },
)

FIND: LiteralString = f"select {COLUMNS} from segments s where s.project_id = $1 and s.id = $2"

FIND_LOCKED: LiteralString = f"{FIND} for update of s"

ALL: LiteralString = f"select {COLUMNS} from segments s where s.project_id = $1 order by s.created_at, s.id"

COUNT_DYNAMIC = "select count(*) from segments where project_id = $1 and type <> 'static'"

INSERT = "insert into segments (project_id, id, name, type, filter) values ($1, $2, $3, $4, $5)"

UPDATE = "update segments set name = $3, filter = $4, updated_at = now() where project_id = $1 and id = $2"

DELETE = "delete from segments where project_id = $1 and id = $2"

# A segment's id is no text that anything else would be compared with.
USED_BY = """
    select id, name from validation_rules
    where project_id = $1 and strpos(body::text, '"' || $2 || '"') > 0
    order by created_at, id limit 20
"""

NAMED_CUSTOMERS = """
    select w.name, c.id from unnest($2::text[]) as w (name) join customers c on c.project_id = $1 and c.id = w.name
    union all
    select w.name, c.id from unnest($2::text[]) as w (name)
    join customers c on c.project_id = $1 and c.source_id = w.name
"""

ENTER = """
    insert into segment_members (project_id, segment_id, customer_id)
    select $1, $2, c.id from unnest($3::text[]) as c (id)
    on conflict do nothing
    returning customer_id
"""

LEAVE = """
    delete from segment_members where project_id = $1 and segment_id = $2 and customer_id = any($3)
    returning customer_id
"""

# A join, which stays bearable with a plan that was made while the table was empty; `= any($2)` would not.
SEEN = """
    select m.segment_id, m.customer_id
    from unnest($2::text[]) as w (id) join segment_members m on m.project_id = $1 and m.customer_id = w.id
    join unnest($3::text[]) as s (id) on s.id = m.segment_id
"""


def compiled(row: SegmentRow) -> Segment:
    """A stored segment as memberships are told by."""
    stored = None if row.filter is None else parse_filter(row.filter, "filter", CUSTOMER_FIELDS)
    return Segment(id=row.id, name=row.name, type=row.type, filter=stored)


async def find(conn: db.Db, project_id: str, segment_id: str, *, lock: bool = False) -> SegmentRow | None:
    """A segment by id. With `lock` its row stays ours until the transaction ends."""
    return await db.row(conn, SegmentRow, FIND_LOCKED if lock else FIND, project_id, segment_id)


async def every(conn: db.Db, project_id: str) -> list[SegmentRow]:
    """All segments of a project, the oldest first."""
    return await db.rows(conn, SegmentRow, ALL, project_id)


async def count_dynamic(conn: db.Db, project_id: str) -> int:
    """How many segments have a filter."""
    return await db.value(conn, COUNT_DYNAMIC, project_id)


async def insert(
    conn: db.Db, project_id: str, segment_id: str, name: str, type: str, filter: dict[str, Any] | None
) -> None:
    """Write a segment, without members."""
    await db.execute(conn, INSERT, project_id, segment_id, name, type, filter)


async def update(
    conn: db.Db, project_id: str, segment_id: str, name: str, filter: dict[str, Any] | None
) -> None:
    """Write what an edit may change."""
    await db.execute(conn, UPDATE, project_id, segment_id, name, filter)


async def delete(conn: db.Db, project_id: str, segment_id: str) -> None:
    """Remove a segment with its list of members."""
    await db.execute(conn, DELETE, project_id, segment_id)


async def used_by(conn: db.Db, project_id: str, segment_id: str) -> list[db.Record]:
    """The first twenty rules (`id`, `name`) that ask for a segment."""
    return await db.records(conn, USED_BY, project_id, segment_id)


async def customers_named(conn: db.Db, project_id: str, names: Sequence[str]) -> dict[str, str]:
    """Customers' ids by the ids or source ids they were named by; an id wins."""
    found = await db.records(conn, NAMED_CUSTOMERS, project_id, list(names))
    return {r["name"]: r["id"] for r in reversed(found)}


async def enter(conn: db.Db, project_id: str, segment_id: str, customer_ids: Sequence[str]) -> list[str]:
    """Add members; those that were none before."""
    found = await db.records(conn, ENTER, project_id, segment_id, sorted(customer_ids))
    return [r["customer_id"] for r in found]


async def leave(conn: db.Db, project_id: str, segment_id: str, customer_ids: Sequence[str]) -> list[str]:
    """Take members out; those that were some before."""
    found = await db.records(conn, LEAVE, project_id, segment_id, list(customer_ids))
    return [r["customer_id"] for r in found]


async def seen(
    conn: db.Db, project_id: str, customer_ids: Sequence[str], segment_ids: Sequence[str]
) -> dict[str, set[str]]:
    """Which of the segments list which of the customers: customer ids by segment."""
    found: dict[str, set[str]] = {}
    for record in await db.records(conn, SEEN, project_id, list(customer_ids), list(segment_ids)):
        found.setdefault(record["segment_id"], set()).add(record["customer_id"])
    return found
