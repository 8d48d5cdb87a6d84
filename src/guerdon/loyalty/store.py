"""The rows of parts and tiers, of the events about them, and of what they refer to."""

from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.kit import db

COLUMNS: LiteralString = "id, kind, name, type, status, body, metadata, taken, created_at, updated_at"


class PartRow(Struct, kw_only=True):
    """A row of `loyalty_parts`. A benefit's stock is what there ever was; of that so many were `taken`."""

    id: str
    kind: str
    name: str
    type: str
    status: str
    body: dict[str, Any]
    metadata: dict[str, Any]
    taken: int = 0
    created_at: datetime
    updated_at: datetime | None


class TierRow(Struct, kw_only=True):
    """A row of `loyalty_tiers`."""

    id: str
    structure_id: str
    name: str
    body: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class EventRow(Struct, kw_only=True):
    """A row of `events`."""

    id: str
    type: str
    data: dict[str, Any]
    created_at: datetime
    request_id: str | None


FIND = f"""
    select {COLUMNS} from loyalty_parts
    where project_id = $1 and id = $2 and kind = $3 and status <> 'DELETED'
"""
LOCK = FIND + " for update"

# Those that others may begin to refer to: they cannot be deleted before that is committed.
LOCK_SHARED = f"""
    select {COLUMNS} from loyalty_parts
    where project_id = $1 and id = any($2) and status <> 'DELETED' order by id for share
"""

INSERT = f"""
    insert into loyalty_parts (project_id, id, kind, name, type, status, body, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8) returning {COLUMNS}
"""

UPDATE = f"""
    update loyalty_parts set name = $3, type = $4, status = $5, body = $6, metadata = $7, updated_at = now()
    where project_id = $1 and id = $2 returning {COLUMNS}
"""

# One at a time makes or renames a benefit of a name.
LOCK_NAME = "select pg_advisory_xact_lock(hashtextextended('benefit ' || $1 || ' ' || $2, 0))"
NAMED = """
    select id from loyalty_parts
    where project_id = $1 and kind = $2 and name collate "C" = $3 and status <> 'DELETED' limit 1
"""

# Parts that name another one in their bodies; ids are long enough not to stand there by chance.
NAMING = """
    select id, kind, status from loyalty_parts
    where project_id = $1 and id <> $2 and status <> 'DELETED' and strpos(body::text, '"' || $2 || '"') > 0
    order by id limit 100
"""

TIER_COLUMNS: LiteralString = "id, structure_id, name, body, metadata, created_at, updated_at"
FIND_TIER = f"""
    select {TIER_COLUMNS} from loyalty_tiers where project_id = $1 and structure_id = $2 and id = $3
"""
LOCK_TIER = FIND_TIER + " for update"
TIERS = f"""
    select {TIER_COLUMNS} from loyalty_tiers where project_id = $1 and structure_id = $2 order by created_at, id
"""
INSERT_TIER = f"""
    insert into loyalty_tiers (project_id, id, structure_id, name, body, metadata)
    values ($1, $2, $3, $4, $5, $6) returning {TIER_COLUMNS}
"""
UPDATE_TIER = f"""
    update loyalty_tiers set name = $3, body = $4, metadata = $5, updated_at = now()
    where project_id = $1 and id = $2 returning {TIER_COLUMNS}
"""
DELETE_TIER = "delete from loyalty_tiers where project_id = $1 and id = $2"
IN_TIER = "select exists (select from loyalty_members where project_id = $1 and tier_id = $2)"

# What else bodies may refer to: which of some ids there are, with what matters of them.
OTHERS: dict[str, LiteralString] = {
    "segment": "select id, '' as of from segments where project_id = $1 and id = any($2)",
    "custom event schema": "select id, '' as of from custom_event_schemas where project_id = $1 and id = any($2)",
    "product": "select id, '' as of from products where project_id = $1 and id = any($2) and deleted_at is null",
    "sku": "select id, product_id as of from skus where project_id = $1 and id = any($2) and deleted_at is null",
    "product collection": "select id, '' as of from product_collections where project_id = $1 and id = any($2)",
    "campaign": (
        "select id, campaign_type as of from campaigns where project_id = $1 and id = any($2) and deleted_at is null"
    ),
    "tier": "select id, structure_id as of from loyalty_tiers where project_id = $1 and id = any($2)",
}


async def find(conn: db.Db, project_id: str, kind: str, part_id: str) -> PartRow | None:
    """A part of a kind."""
    return await db.row(conn, PartRow, FIND, project_id, part_id, kind)


async def lock(conn: db.Db, project_id: str, kind: str, part_id: str) -> PartRow | None:
    """A part of a kind, locked."""
    return await db.row(conn, PartRow, LOCK, project_id, part_id, kind)


async def lock_shared(conn: db.Db, project_id: str, ids: list[str]) -> dict[str, PartRow]:
    """Parts by their ids, whatever their kinds, kept from changing until the transaction ends."""
    return {row.id: row for row in await db.rows(conn, PartRow, LOCK_SHARED, project_id, ids)}


async def insert(
    conn: db.Db, project_id: str, row_id: str, kind: str, name: str, type: str, status: str,
    body: dict[str, Any], metadata: dict[str, Any],
) -> PartRow:  # fmt: skip
    """The new part as stored."""
    made = await db.row(conn, PartRow, INSERT, project_id, row_id, kind, name, type, status, body, metadata)
    assert made is not None
    return made


async def update(conn: db.Db, project_id: str, row: PartRow) -> PartRow:
    """Write a locked part; answers it with its new `updated_at`."""
    written = await db.row(
        conn, PartRow, UPDATE, project_id, row.id, row.name, row.type, row.status, row.body, row.metadata
    )
    assert written is not None, "a locked row is there"
    return written


async def named(conn: db.Db, project_id: str, kind: str, name: str) -> str | None:
    """The id of the part of this kind and name; nobody else makes one until the transaction ends."""
    await db.execute(conn, LOCK_NAME, project_id, name)
    return await db.value(conn, NAMED, project_id, kind, name)


async def naming(conn: db.Db, project_id: str, part_id: str) -> list[db.Record]:
    """Parts whose bodies name a part or a tier: id, kind and status."""
    return await db.records(conn, NAMING, project_id, part_id)


async def others(conn: db.Db, project_id: str, what: str, ids: list[str]) -> dict[str, str]:
    """Which of these ids there are of what `OTHERS` names: with a SKU's product, a campaign's type, a tier's structure."""
    return {record["id"]: record["of"] for record in await db.records(conn, OTHERS[what], project_id, ids)}


async def tiers(conn: db.Db, project_id: str, structure_id: str) -> list[TierRow]:
    """The tiers of a structure, the oldest first."""
    return await db.rows(conn, TierRow, TIERS, project_id, structure_id)


async def lock_tier(conn: db.Db, project_id: str, structure_id: str, tier_id: str) -> TierRow | None:
    """A tier of a structure, locked."""
    return await db.row(conn, TierRow, LOCK_TIER, project_id, structure_id, tier_id)


async def insert_tier(
    conn: db.Db, project_id: str, tier_id: str, structure_id: str, name: str, body: dict[str, Any],
    metadata: dict[str, Any],
) -> TierRow:  # fmt: skip
    """The new tier as stored."""
    made = await db.row(conn, TierRow, INSERT_TIER, project_id, tier_id, structure_id, name, body, metadata)
    assert made is not None
    return made


async def update_tier(conn: db.Db, project_id: str, row: TierRow) -> TierRow:
    """Write a locked tier; answers it with its new `updated_at`."""
    written = await db.row(conn, TierRow, UPDATE_TIER, project_id, row.id, row.name, row.body, row.metadata)
    assert written is not None, "a locked row is there"
    return written


async def delete_tier(conn: db.Db, project_id: str, tier_id: str) -> None:
    """Remove a tier."""
    await db.execute(conn, DELETE_TIER, project_id, tier_id)


async def in_tier(conn: db.Db, project_id: str, tier_id: str) -> bool:
    """Whether any member is in a tier."""
    return await db.value(conn, IN_TIER, project_id, tier_id)
