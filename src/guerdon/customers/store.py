"""The customers' rows. Deleting one leaves its redemptions and orders, which go on naming it by id."""

from datetime import date, datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing


class CustomerRow(msgspec.Struct):
    """A row of `customers`."""

    id: str
    source_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    description: str | None
    birthdate: date | None
    address: dict[str, Any] | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


LISTING = Listing(
    name="customers",
    columns="""c.id, c.source_id, c.name, c.email, c.phone, c.description, c.birthdate, c.address, c.metadata,
        c.created_at, c.updated_at""",
    source="customers c",
    where="""c.project_id = $1 and ($2::text is null or c.email collate "C" = $2)
        and ($3::text is null or c.name = $3) and ($4::text is null or c.address ->> 'city' = $4)""",
    id="c.id",
    fields={
        "id": Field("c.id"),
        "source_id": Field("c.source_id"),
        "name": Field("c.name"),
        "email": Field('c.email collate "C"'),
        "phone": Field("c.phone"),
        "description": Field("c.description"),
        "birthdate": Field("c.birthdate", "day"),
        "birthday": Field("c.birthdate", "day"),
        "address.city": Field("c.address ->> 'city'"),
        "address.state": Field("c.address ->> 'state'"),
        "address.line_1": Field("c.address ->> 'line_1'"),
        "address.line_2": Field("c.address ->> 'line_2'"),
        "address.country": Field("c.address ->> 'country'"),
        "address.postal_code": Field("c.address ->> 'postal_code'"),
        "city": Field("c.address ->> 'city'"),
        "country": Field("c.address ->> 'country'"),
        "created_at": Field("c.created_at", "date"),
        "updated_at": Field("c.updated_at", "date"),
    },
    metadata="c.metadata",
    sorts={
        "created_at": "c.created_at",
        "updated_at": "c.updated_at",
        "source_id": "c.source_id",
        "name": 'c.name collate "C"',
        "email": 'c.email collate "C"',
        "id": "c.id",
    },
)

FIND = """
    select id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
    from customers where project_id = $1 and (id = $2 or source_id = $2)
    order by id = $2 desc limit 1
"""

LOCK_BY_ID = """
    select id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
    from customers where project_id = $1 and id = $2
    for update
"""

LOCK_BY_SOURCE_ID = """
    select id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
    from customers where project_id = $1 and source_id = $2
    for update
"""

INSERT = """
    insert into customers (project_id, id, source_id, name, email, phone, description, birthdate, address, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (project_id, source_id) do nothing
    returning id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
"""

UPDATE = """
    update customers
    set name = $3, email = $4, phone = $5, description = $6, birthdate = $7, address = $8, metadata = $9,
        updated_at = now()
    where project_id = $1 and id = $2
    returning id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
"""

DELETE = "delete from customers where project_id = $1 and id = $2"


async def find(conn: db.Db, project_id: str, key: str) -> CustomerRow | None:
    """A customer by id, else by source id."""
    return await db.row(conn, CustomerRow, FIND, project_id, key)


async def lock(conn: db.Db, project_id: str, key: str) -> CustomerRow | None:
    """The same, locked."""
    return await lock_by_id(conn, project_id, key) or await lock_by_source_id(conn, project_id, key)


async def lock_by_id(conn: db.Db, project_id: str, customer_id: str) -> CustomerRow | None:
    """A customer by id, locked."""
    return await db.row(conn, CustomerRow, LOCK_BY_ID, project_id, customer_id)


async def lock_by_source_id(conn: db.Db, project_id: str, source_id: str) -> CustomerRow | None:
    """A customer by source id, locked."""
    return await db.row(conn, CustomerRow, LOCK_BY_SOURCE_ID, project_id, source_id)


async def insert(conn: db.Db, project_id: str, row: CustomerRow) -> CustomerRow | None:
    """The customer as stored; None when another transaction took the source id first."""
    return await db.row(
        conn, CustomerRow, INSERT, project_id, row.id, row.source_id, row.name, row.email, row.phone,
        row.description, row.birthdate, row.address, row.metadata,
    )  # fmt: skip


async def update(conn: db.Db, project_id: str, row: CustomerRow) -> CustomerRow:
    """Write a locked customer; answers it with its new `updated_at`."""
    written = await db.row(
        conn, CustomerRow, UPDATE, project_id, row.id, row.name, row.email, row.phone, row.description,
        row.birthdate, row.address, row.metadata,
    )  # fmt: skip
    assert written is not None, "a locked row is there"
    return written


async def delete(conn: db.Db, project_id: str, customer_id: str) -> None:
    """Remove a customer for good."""
    await db.execute(conn, DELETE, project_id, customer_id)
