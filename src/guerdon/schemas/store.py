"""The rows of metadata schemas: one a resource, or a kind of object."""

from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.schemas.definition import Definition, tidied


class SchemaRow(msgspec.Struct):
    """A row of `metadata_schemas`; `properties` are definitions by name."""

    id: str
    related_object: str
    properties: dict[str, Definition]
    allow_defined_only: bool
    created_at: datetime
    updated_at: datetime | None


ALL = """
    select id, related_object, properties, allow_defined_only, created_at, updated_at
    from metadata_schemas where project_id = $1 order by created_at, id
"""

# By id, or by the name of what it is of.
FIND = """
    select id, related_object, properties, allow_defined_only, created_at, updated_at
    from metadata_schemas where project_id = $1 and (id = $2 or related_object = $2)
    order by id = $2 desc limit 1
"""

LOCK = """
    select id, related_object, properties, allow_defined_only, created_at, updated_at
    from metadata_schemas where project_id = $1 and id = $2 for update
"""

INSERT = """
    insert into metadata_schemas (project_id, id, related_object, properties, allow_defined_only)
    values ($1, $2, $3, $4, $5)
    on conflict (project_id, related_object) do nothing
    returning id, related_object, properties, allow_defined_only, created_at, updated_at
"""

UPDATE = """
    update metadata_schemas set properties = $3, allow_defined_only = $4, updated_at = now()
    where project_id = $1 and id = $2
    returning id, related_object, properties, allow_defined_only, created_at, updated_at
"""

DELETE = "delete from metadata_schemas where project_id = $1 and id = $2"


async def all_of(conn: db.Db, project_id: str) -> list[SchemaRow]:
    """All schemas, oldest first."""
    return [_row(record) for record in await db.records(conn, ALL, project_id)]


async def find(conn: db.Db, project_id: str, key: str) -> SchemaRow | None:
    """A schema by id, else by what it is of."""
    return _first(await db.records(conn, FIND, project_id, key))


async def lock(conn: db.Db, project_id: str, key: str) -> SchemaRow | None:
    """The same, locked."""
    found = await find(conn, project_id, key)
    return None if found is None else _first(await db.records(conn, LOCK, project_id, found.id))


async def insert(
    conn: db.Db, project_id: str, schema_id: str, related_object: str, properties: dict[str, Definition],
    allow_defined_only: bool,
) -> SchemaRow | None:  # fmt: skip
    """The new schema as stored; None when there is one of this resource."""
    stored = msgspec.to_builtins(properties)
    return _first(
        await db.records(conn, INSERT, project_id, schema_id, related_object, stored, allow_defined_only)
    )


async def update(conn: db.Db, project_id: str, row: SchemaRow) -> SchemaRow:
    """Write a locked schema; answers it with its new `updated_at`."""
    stored = msgspec.to_builtins(row.properties)
    written = _first(await db.records(conn, UPDATE, project_id, row.id, stored, row.allow_defined_only))
    assert written is not None, "a locked row is there"
    return written


async def delete(conn: db.Db, project_id: str, schema_id: str) -> None:
    """Remove a schema; what was stored under it stays as it is."""
    await db.execute(conn, DELETE, project_id, schema_id)


def _first(records: list[db.Record]) -> SchemaRow | None:
    return _row(records[0]) if records else None


def parsed(properties: dict[str, Any]) -> dict[str, Definition]:
    """Definitions as they are stored."""
    stored = msgspec.convert(properties, dict[str, Definition])
    return {name: tidied(definition) for name, definition in stored.items()}


def _row(record: db.Record) -> SchemaRow:
    return SchemaRow(**{**record, "properties": parsed(record["properties"])})
