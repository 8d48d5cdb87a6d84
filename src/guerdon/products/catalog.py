"""What is stored about the products and SKUs that an order or a discount names."""

from collections.abc import Collection

from guerdon.engine.order import Catalog, CatalogItem, catalog_of
from guerdon.kit import db

LOAD = """
    with named as (
        select s.id, s.product_id, s.source_id, s.sku, s.price, case when $3 then s.metadata end as metadata
        from unnest($2::text[]) as w (name) join skus s on s.project_id = $1 and s.id = w.name
        where s.deleted_at is null
        union
        select s.id, s.product_id, s.source_id, s.sku, s.price, case when $3 then s.metadata end as metadata
        from unnest($2::text[]) as w (name) join skus s on s.project_id = $1 and s.source_id = w.name
        where s.deleted_at is null
    ), wanted as (
        select name as id from unnest($2::text[]) as w (name)
        union
        select p.id from unnest($2::text[]) as w (name) join products p on p.project_id = $1 and p.source_id = w.name
        union
        select product_id from named
    )
    select 'product' as object, p.id, p.source_id, p.name, p.price, null as product_id,
           case when $3 then p.metadata end as metadata
    from wanted join products p on p.project_id = $1 and p.id = wanted.id
    where p.deleted_at is null
    union all
    select 'sku', id, source_id, sku, price, product_id, metadata from named
"""


async def load(conn: db.Db, project_id: str, names: Collection[str], *, details: bool = False) -> Catalog:
    """Products and SKUs by id or source id, and the products of those SKUs, ready for `price_order`.

    With `details` their metadata too, which rules may look at; else answers would show it unasked.
    """
    if not names:
        return {}
    return catalog_of(await db.rows(conn, CatalogItem, LOAD, project_id, list(names), details))
