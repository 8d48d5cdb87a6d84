"""The rows of product collections."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing
from guerdon.products.store import ProductRow

CollectionType = Literal["STATIC", "AUTO_UPDATE"]


class CollectionRow(msgspec.Struct):
    """A row of `product_collections`: `products` of a STATIC one, `filter` of an AUTO_UPDATE one."""

    id: str
    name: str
    type: CollectionType
    filter: dict[str, Any] | None
    products: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime | None


class Thing(msgspec.Struct):
    """A product or SKU that was named, by id or source id."""

    asked: str
    object: str
    id: str
    source_id: str | None
    product_id: str | None


COLLECTIONS = Listing(
    name="data",
    columns="c.id, c.name, c.type, c.filter, c.products, c.created_at, c.updated_at",
    source="product_collections c",
    where="c.project_id = $1",
    id="c.id",
    fields={
        "id": Field("c.id"),
        "name": Field("c.name"),
        "type": Field("c.type"),
        "created_at": Field("c.created_at", "date"),
        "updated_at": Field("c.updated_at", "date"),
    },
    sorts={
        "created_at": "c.created_at",
        "updated_at": "c.updated_at",
        "name": 'c.name collate "C"',
        "id": "c.id",
    },
)

FIND = """
    select id, name, type, filter, products, created_at, updated_at
    from product_collections where project_id = $1 and id = $2
"""

LOCK = """
    select id, name, type, filter, products, created_at, updated_at
    from product_collections where project_id = $1 and id = $2 for update
"""

INSERT = """
    insert into product_collections (project_id, id, name, type, filter, products) values ($1, $2, $3, $4, $5, $6)
    returning id, name, type, filter, products, created_at, updated_at
"""

UPDATE = """
    update product_collections set name = $3, filter = $4, products = $5, updated_at = now()
    where project_id = $1 and id = $2
    returning id, name, type, filter, products, created_at, updated_at
"""

DELETE = "delete from product_collections where project_id = $1 and id = $2"

COUNT = "select count(*) from product_collections where project_id = $1"

NAMED = """
    select w.name as asked, 'product' as object, p.id, p.source_id, null as product_id
    from unnest($2::text[]) as w (name)
    join products p on p.project_id = $1 and (p.id = w.name or p.source_id = w.name) and p.deleted_at is null
    union all
    select w.name, 'sku', s.id, s.source_id, s.product_id
    from unnest($3::text[]) as w (name)
    join skus s on s.project_id = $1 and (s.id = w.name or s.source_id = w.name) and s.deleted_at is null
"""

# Wherever in a rule it stands: among its conditions, its bundle or what it applies to.
USED_BY = """
    select id, name from validation_rules
    where project_id = $1 and jsonb_path_exists(body, '$.** ? (@ == $id)', jsonb_build_object('id', $2::text))
    order by created_at, id
"""

PRODUCTS_OF = """
    select id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
    from products where project_id = $1 and id = any($2)
"""


async def find(conn: db.Db, project_id: str, collection_id: str) -> CollectionRow | None:
    """A collection."""
    return await db.row(conn, CollectionRow, FIND, project_id, collection_id)


async def lock(conn: db.Db, project_id: str, collection_id: str) -> CollectionRow | None:
    """A collection, locked."""
    return await db.row(conn, CollectionRow, LOCK, project_id, collection_id)


async def insert(conn: db.Db, project_id: str, row: CollectionRow) -> CollectionRow:
    """The new collection as stored."""
    made = await db.row(
        conn, CollectionRow, INSERT, project_id, row.id, row.name, row.type, row.filter, row.products
    )
    assert made is not None
    return made


async def update(conn: db.Db, project_id: str, row: CollectionRow) -> CollectionRow:
    """Write a locked collection."""
    written = await db.row(
        conn, CollectionRow, UPDATE, project_id, row.id, row.name, row.filter, row.products
    )
    assert written is not None, "a locked row is there"
    return written


async def delete(conn: db.Db, project_id: str, collection_id: str) -> None:
    """Remove a collection."""
    await db.execute(conn, DELETE, project_id, collection_id)


async def count(conn: db.Db, project_id: str) -> int:
    """How many collections the project has."""
    return await db.value(conn, COUNT, project_id)


async def named(conn: db.Db, project_id: str, products: list[str], skus: list[str]) -> list[Thing]:
    """The products and SKUs of these ids or source ids."""
    return await db.rows(conn, Thing, NAMED, project_id, products, skus)


async def used_by(conn: db.Db, project_id: str, collection_id: str) -> list[db.Record]:
    """Id and name of the validation rules that speak of a collection."""
    return await db.records(conn, USED_BY, project_id, collection_id)


async def products_of(conn: db.Db, project_id: str, product_ids: list[str]) -> dict[str, ProductRow]:
    """Products by id."""
    rows = await db.rows(conn, ProductRow, PRODUCTS_OF, project_id, product_ids)
    return {row.id: row for row in rows}
