"""What is in a collection."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString

from msgspec.structs import replace

from guerdon.engine.situation import Collection
from guerdon.kit import db
from guerdon.kit.filters import binder
from guerdon.kit.paging import Listing
from guerdon.product_collections import filters
from guerdon.product_collections.store import CollectionRow

ALL = "select id, name, filter, products from product_collections where project_id = $1"


async def all_of(conn: db.Db, project_id: str) -> dict[str, Collection]:
    """All collections of a project: members by id and source id of STATIC ones, the filter of AUTO_UPDATE ones."""
    return {record["id"]: _collection(record) for record in await db.records(conn, ALL, project_id)}


def _collection(record: db.Record) -> Collection:
    names = (name for one in record["products"] for name in (one["id"], one.get("source_id")) if name)
    parsed = None if record["filter"] is None else filters.stored(record["filter"])
    return Collection(id=record["id"], name=record["name"], members=frozenset(names), filter=parsed)


async def resolved(
    conn: db.Db, project_id: str, collections: Iterable[Collection], names: Iterable[str], zone: str
) -> dict[str, Collection]:
    """The collections with members instead of filters, as far as products and SKUs of these ids or source ids go.

    One look-up for each collection with a filter. What the catalog does not hold is in none of those.
    """
    asked = sorted(set(names))
    found: dict[str, Collection] = {}
    for collection in collections:
        if collection.filter is None:
            found[collection.id] = collection
            continue
        values: list[Any] = [project_id, asked]
        where = filters.condition(collection.filter, zone, binder(values))
        sql: LiteralString = (
            "select m.id, m.source_id from " + filters.THINGS
            + " where (m.id = any($2) or m.source_id = any($2)) and " + where
        )  # fmt: skip
        records = await db.records(conn, sql, *values)
        members = frozenset(name for record in records for name in record.values() if name is not None)
        found[collection.id] = replace(collection, members=members, filter=None)
    return found


def listing(
    row: CollectionRow, zone: str, after: datetime | None = None, *, upwards: bool = False
) -> tuple[Listing, tuple[Any, ...]]:
    """How the products and SKUs of a collection are listed, and the listing's own arguments.

    Only those made before `after`, or `upwards` since.
    """
    values: list[Any] = [""]
    bind = binder(values)
    if row.filter is None:
        where: LiteralString = "m.id = any(" + bind([one["id"] for one in row.products]) + "::text[])"
    else:
        where = filters.condition(filters.stored(row.filter), zone, bind)
    if after is not None:
        # rows are answered to the millisecond
        where += " and date_trunc('milliseconds', m.created_at)" + (" > " if upwards else " < ") + bind(after)
    made = Listing(
        name="data",
        columns="""m.id, m.object, m.product_id, m.source_id, m.name, m.sku, m.price, m.currency, m.attributes,
            m.image_url, m.metadata, m.created_at, m.updated_at""",
        source=filters.THINGS,
        where=where,
        id="m.id",
        fields=filters.FIELDS,
        metadata="m.metadata",
        sorts={
            "created_at": "m.created_at",
            "updated_at": "m.updated_at",
            "name": 'm.name collate "C"',
            "price": "m.price",
            "source_id": "m.source_id",
            "id": "m.id",
        },
    )
    return made, tuple(values[1:])
