"""The rows of custom events and of their schemas."""

from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.schemas.definition import Definition
from guerdon.schemas.store import parsed


class SchemaRow(msgspec.Struct):
    """A row of `custom_event_schemas`; `properties` are definitions by name."""

    id: str
    name: str
    properties: dict[str, Definition]
    created_at: datetime
    updated_at: datetime | None


class CustomEvent(msgspec.Struct, kw_only=True):
    """A row of `custom_events`. `referral` is {code, id, referrer_id}, `loyalty` {code, id}."""

    id: str
    name: str
    customer_id: str
    referral: dict[str, Any] | None = None
    loyalty: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}


ALL = """
    select id, name, properties, created_at, updated_at
    from custom_event_schemas where project_id = $1 order by created_at, id
"""

# By id, else by name.
FIND = """
    select id, name, properties, created_at, updated_at
    from custom_event_schemas where project_id = $1 and (id = $2 or name = $2)
    order by id = $2 desc limit 1
"""

BY_NAME = """
    select id, name, properties, created_at, updated_at
    from custom_event_schemas where project_id = $1 and name = $2
"""

NAMES = "select name from custom_event_schemas where project_id = $1 order by name limit 20"

LOCK = """
    select id, name, properties, created_at, updated_at
    from custom_event_schemas where project_id = $1 and id = $2 for update
"""

INSERT_SCHEMA = """
    insert into custom_event_schemas (project_id, id, name, properties) values ($1, $2, $3, $4)
    on conflict (project_id, name) do nothing
    returning id, name, properties, created_at, updated_at
"""

UPDATE_SCHEMA = """
    update custom_event_schemas set properties = $3, updated_at = now()
    where project_id = $1 and id = $2
    returning id, name, properties, created_at, updated_at
"""

DELETE_SCHEMA = "delete from custom_event_schemas where project_id = $1 and id = $2"

INSERT = """
    insert into custom_events (project_id, id, name, customer_id, referral, loyalty, metadata)
    values ($1, $2, $3, $4, $5, $6, $7)
"""

# The member whose card it is, if that is the customer.
MEMBER = """
    select m.id from loyalty_cards c join loyalty_members m on m.project_id = $1 and m.id = c.member_id
    where c.project_id = $1 and c.id = $2 and m.customer_id = $3 and m.status <> 'DELETED'
"""


async def all_of(conn: db.Db, project_id: str) -> list[SchemaRow]:
    """All schemas, oldest first."""
    return [_row(record) for record in await db.records(conn, ALL, project_id)]


async def find(conn: db.Db, project_id: str, key: str) -> SchemaRow | None:
    """A schema by id, else by name."""
    return _first(await db.records(conn, FIND, project_id, key))


async def by_name(conn: db.Db, project_id: str, name: str) -> SchemaRow | None:
    """The schema of a custom event."""
    return _first(await db.records(conn, BY_NAME, project_id, name))


async def names(conn: db.Db, project_id: str) -> list[str]:
    """Up to twenty names that custom events may have."""
    return [record["name"] for record in await db.records(conn, NAMES, project_id)]


async def lock(conn: db.Db, project_id: str, schema_id: str) -> SchemaRow | None:
    """A schema by id, locked."""
    return _first(await db.records(conn, LOCK, project_id, schema_id))


async def insert_schema(
    conn: db.Db, project_id: str, schema_id: str, name: str, properties: dict[str, Definition]
) -> SchemaRow | None:
    """The new schema as stored; None when the name has one."""
    stored = msgspec.to_builtins(properties)
    return _first(await db.records(conn, INSERT_SCHEMA, project_id, schema_id, name, stored))


async def update_schema(
    conn: db.Db, project_id: str, schema_id: str, properties: dict[str, Definition]
) -> SchemaRow:
    """Write a locked schema; answers it with its new `updated_at`."""
    stored = msgspec.to_builtins(properties)
    written = _first(await db.records(conn, UPDATE_SCHEMA, project_id, schema_id, stored))
    assert written is not None, "a locked row is there"
    return written


async def delete_schema(conn: db.Db, project_id: str, schema_id: str) -> bool:
    """Remove a schema; the events that came under it stay. False when it was gone already."""
    return bool(await db.execute(conn, DELETE_SCHEMA, project_id, schema_id))


async def insert(conn: db.Db, project_id: str, event: CustomEvent) -> None:
    """Write a custom event."""
    await db.execute(
        conn, INSERT, project_id, event.id, event.name, event.customer_id, event.referral, event.loyalty,
        event.metadata,
    )  # fmt: skip


async def member(conn: db.Db, project_id: str, card_id: str, customer_id: str) -> str | None:
    """The membership of a customer that a card belongs to; None for other cards."""
    return await db.value(conn, MEMBER, project_id, card_id, customer_id)


def _first(records: list[db.Record]) -> SchemaRow | None:
    return _row(records[0]) if records else None


def _row(record: db.Record) -> SchemaRow:
    return SchemaRow(**{**record, "properties": parsed(record["properties"])})
