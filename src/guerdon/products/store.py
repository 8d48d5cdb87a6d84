"""The rows of products and SKUs. A row in the bin (`deleted_at`) keeps its source id and is not read otherwise."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing


class ProductRow(msgspec.Struct):
    """A row of `products`; `price` in minor units a unit."""

    id: str
    source_id: str | None
    name: str | None
    price: int | None
    attributes: list[str]
    image_url: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    deleted_at: datetime | None = None


class SkuRow(msgspec.Struct):
    """A row of `skus`; `sku` is its name."""

    id: str
    product_id: str
    source_id: str | None
    sku: str | None
    price: int | None
    currency: str | None
    attributes: dict[str, Any]
    image_url: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    deleted_at: datetime | None = None


PRODUCTS = Listing(
    name="products",
    columns="""p.id, p.source_id, p.name, p.price, p.attributes, p.image_url, p.metadata, p.created_at,
        p.updated_at""",
    source="products p",
    where="""p.project_id = $1 and p.deleted_at is null and ($2::timestamptz is null or p.created_at >= $2)
        and ($3::timestamptz is null or p.created_at <= $3)""",
    id="p.id",
    fields={
        "id": Field("p.id"),
        "source_id": Field("p.source_id"),
        "name": Field("p.name"),
        "price": Field("p.price", "number"),
        "image_url": Field("p.image_url"),
        "created_at": Field("p.created_at", "date"),
        "updated_at": Field("p.updated_at", "date"),
    },
    metadata="p.metadata",
    sorts={
        "created_at": "p.created_at",
        "updated_at": "p.updated_at",
        "name": 'p.name collate "C"',
        "price": "p.price",
        "source_id": "p.source_id",
        "id": "p.id",
    },
)

SKUS = Listing(
    name="skus",
    columns="""s.id, s.product_id, s.source_id, s.sku, s.price, s.currency, s.attributes, s.image_url, s.metadata,
        s.created_at, s.updated_at""",
    source="skus s",
    where="""s.project_id = $1 and s.product_id = $2 and s.deleted_at is null
        and ($3::timestamptz is null or s.created_at >= $3) and ($4::timestamptz is null or s.created_at <= $4)""",
    id="s.id",
    fields={
        "id": Field("s.id"),
        "source_id": Field("s.source_id"),
        "sku": Field("s.sku"),
        "price": Field("s.price", "number"),
        "currency": Field("s.currency"),
        "image_url": Field("s.image_url"),
        "created_at": Field("s.created_at", "date"),
        "updated_at": Field("s.updated_at", "date"),
    },
    metadata="s.metadata",
    sorts={
        "created_at": "s.created_at",
        "updated_at": "s.updated_at",
        "sku": 's.sku collate "C"',
        "price": "s.price",
        "source_id": "s.source_id",
        "id": "s.id",
    },
)

FIND_PRODUCT = """
    select id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
    from products where project_id = $1 and (id = $2 or source_id = $2) and deleted_at is null
    order by id = $2 desc limit 1
"""

LOCK_PRODUCT_BY_ID = """
    select id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
    from products where project_id = $1 and id = $2 for update
"""

LOCK_PRODUCT_BY_SOURCE_ID = """
    select id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
    from products where project_id = $1 and source_id = $2 for update
"""

INSERT_PRODUCT = """
    insert into products (project_id, id, source_id, name, price, attributes, image_url, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (project_id, source_id) do nothing
    returning id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
"""

UPDATE_PRODUCT = """
    update products
    set name = $3, price = $4, attributes = $5, image_url = $6, metadata = $7, updated_at = now()
    where project_id = $1 and id = $2
    returning id, source_id, name, price, attributes, image_url, metadata, created_at, updated_at, deleted_at
"""

BIN_PRODUCT = "update products set deleted_at = now() where project_id = $1 and id = $2"
BIN_ITS_SKUS = (
    "update skus set deleted_at = now() where project_id = $1 and product_id = $2 and deleted_at is null"
)
DELETE_PRODUCT = "delete from products where project_id = $1 and id = $2"

FIND_SKU = """
    select id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at, updated_at,
           deleted_at
    from skus where project_id = $1 and (id = $2 or source_id = $2) and deleted_at is null
    order by id = $2 desc limit 1
"""

LOCK_SKU_BY_ID = """
    select id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at, updated_at,
           deleted_at
    from skus where project_id = $1 and id = $2 for update
"""

LOCK_SKU_BY_SOURCE_ID = """
    select id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at, updated_at,
           deleted_at
    from skus where project_id = $1 and source_id = $2 for update
"""

INSERT_SKU = """
    insert into skus (project_id, id, product_id, source_id, sku, price, currency, attributes, image_url, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (project_id, source_id) do nothing
    returning id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at,
              updated_at, deleted_at
"""

UPDATE_SKU = """
    update skus
    set sku = $3, price = $4, currency = $5, attributes = $6, image_url = $7, metadata = $8, updated_at = now()
    where project_id = $1 and id = $2
    returning id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at,
              updated_at, deleted_at
"""

BIN_SKU = "update skus set deleted_at = now() where project_id = $1 and id = $2"
DELETE_SKU = "delete from skus where project_id = $1 and id = $2"

# The first hundred of each product, and how many there are.
SKUS_OF = """
    select * from (
        select id, product_id, source_id, sku, price, currency, attributes, image_url, metadata, created_at,
               updated_at, deleted_at,
               row_number() over (partition by product_id order by created_at, id) as place,
               count(*) over (partition by product_id) as total
        from skus where project_id = $1 and product_id = any($2) and deleted_at is null
    ) numbered
    where place <= 100 order by product_id, place
"""


class SkusOf(msgspec.Struct):
    """A product's first hundred SKUs, and how many it has."""

    skus: list[SkuRow]
    total: int = 0


async def find_product(conn: db.Db, project_id: str, key: str) -> ProductRow | None:
    """A product by id, else by source id."""
    return await db.row(conn, ProductRow, FIND_PRODUCT, project_id, key)


async def lock_product_by_id(conn: db.Db, project_id: str, product_id: str) -> ProductRow | None:
    """A product by id, locked, be it in the bin or not."""
    return await db.row(conn, ProductRow, LOCK_PRODUCT_BY_ID, project_id, product_id)


async def lock_product_by_source_id(conn: db.Db, project_id: str, source_id: str) -> ProductRow | None:
    """A product by source id, locked, be it in the bin or not."""
    return await db.row(conn, ProductRow, LOCK_PRODUCT_BY_SOURCE_ID, project_id, source_id)


async def insert_product(conn: db.Db, project_id: str, row: ProductRow) -> ProductRow | None:
    """The product as stored; None when another transaction took the source id first."""
    return await db.row(
        conn, ProductRow, INSERT_PRODUCT, project_id, row.id, row.source_id, row.name, row.price, row.attributes,
        row.image_url, row.metadata,
    )  # fmt: skip


async def update_product(conn: db.Db, project_id: str, row: ProductRow) -> ProductRow:
    """Write a locked product."""
    written = await db.row(
        conn, ProductRow, UPDATE_PRODUCT, project_id, row.id, row.name, row.price, row.attributes, row.image_url,
        row.metadata,
    )  # fmt: skip
    assert written is not None, "a locked row is there"
    return written


async def remove_product(conn: db.Db, project_id: str, product_id: str, *, for_good: bool) -> None:
    """Into the bin with a product and its SKUs, or out of the database."""
    if for_good:
        await db.execute(conn, DELETE_PRODUCT, project_id, product_id)
        return
    await db.execute(conn, BIN_PRODUCT, project_id, product_id)
    await db.execute(conn, BIN_ITS_SKUS, project_id, product_id)


async def find_sku(conn: db.Db, project_id: str, key: str) -> SkuRow | None:
    """A SKU by id, else by source id."""
    return await db.row(conn, SkuRow, FIND_SKU, project_id, key)


async def lock_sku_by_id(conn: db.Db, project_id: str, sku_id: str) -> SkuRow | None:
    """A SKU by id, locked, be it in the bin or not."""
    return await db.row(conn, SkuRow, LOCK_SKU_BY_ID, project_id, sku_id)


async def lock_sku_by_source_id(conn: db.Db, project_id: str, source_id: str) -> SkuRow | None:
    """A SKU by source id, locked, be it in the bin or not."""
    return await db.row(conn, SkuRow, LOCK_SKU_BY_SOURCE_ID, project_id, source_id)


async def insert_sku(conn: db.Db, project_id: str, row: SkuRow) -> SkuRow | None:
    """The SKU as stored; None when another transaction took the source id first."""
    return await db.row(
        conn, SkuRow, INSERT_SKU, project_id, row.id, row.product_id, row.source_id, row.sku, row.price,
        row.currency, row.attributes, row.image_url, row.metadata,
    )  # fmt: skip


async def update_sku(conn: db.Db, project_id: str, row: SkuRow) -> SkuRow:
    """Write a locked SKU."""
    written = await db.row(
        conn, SkuRow, UPDATE_SKU, project_id, row.id, row.sku, row.price, row.currency, row.attributes,
        row.image_url, row.metadata,
    )  # fmt: skip
    assert written is not None, "a locked row is there"
    return written


async def remove_sku(conn: db.Db, project_id: str, sku_id: str, *, for_good: bool) -> None:
    """Into the bin, or out of the database."""
    await db.execute(conn, DELETE_SKU if for_good else BIN_SKU, project_id, sku_id)


async def skus_of(conn: db.Db, project_id: str, product_ids: Sequence[str]) -> dict[str, SkusOf]:
    """The SKUs of each of the products, oldest first."""
    found = {product_id: SkusOf([]) for product_id in product_ids}
    if not found:
        return found
    for record in await db.records(conn, SKUS_OF, project_id, list(found)):
        columns = dict(record)
        del columns["place"]
        total = columns.pop("total")
        its = found[columns["product_id"]]
        its.total = total
        its.skus.append(SkuRow(**columns))
    return found
