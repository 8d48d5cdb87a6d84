"""Collections made, changed and thrown away."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from guerdon.definitions import changes
from guerdon.definitions.changes import changed
from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.product_collections import filters, store
from guerdon.product_collections.store import CollectionRow, CollectionType
from guerdon.products.upsert import NOT_YET

MAX_COLLECTIONS = 1000
MAX_PRODUCTS = 1000

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class NamedThing(msgspec.Struct, kw_only=True):
    """A product or a SKU, by id or source id; `product_id` may say whose a SKU is."""

    id: Annotated[str, Meta(min_length=1, max_length=512)]
    object: Literal["product", "sku"] = "product"
    product_id: str | None = None


Products = Annotated[list[NamedThing], Meta(max_length=MAX_PRODUCTS)]


class CollectionIn(msgspec.Struct, kw_only=True):
    """A new collection: STATIC with its `products`, or AUTO_UPDATE with the `filter` that finds them."""

    name: Name
    type: CollectionType
    products: Products | None = None
    filter: dict[str, Any] | None = None


class CollectionChange(msgspec.Struct, kw_only=True):
    """What is to change; the rest stays. A collection keeps its type."""

    name: Name | None = None
    products: Products | None = None
    filter: dict[str, Any] | None = None


async def create(
    conn: db.Conn, project_id: str, said: CollectionIn, request_id: str | None = None
) -> CollectionRow:
    """The new collection. Raises `ApiError` 400 for what does not go with its type, 404 for unknown products."""
    if said.type == "AUTO_UPDATE" and said.filter is None:
        raise invalid_payload(Fault("filter", "is what an AUTO_UPDATE collection finds its products by"))
    _check(said.type, said)
    if await store.count(conn, project_id) >= MAX_COLLECTIONS:
        raise invalid_payload(
            Fault("", f"a project has {MAX_COLLECTIONS} collections at most; delete one first")
        )
    products = await _resolved(conn, project_id, said.products or [])
    empty = CollectionRow(
        new_id("collection"), said.name, said.type, _filter(said.filter), products, NOT_YET, None
    )
    made = await store.insert(conn, project_id, empty)
    await _told(conn, project_id, "created", made, request_id)
    return made


async def change(
    conn: db.Conn, project_id: str, collection_id: str, said: CollectionChange, request_id: str | None = None
) -> CollectionRow:
    """The collection as it is now. Raises `ApiError` as `create` does, and 404 for an unknown collection."""
    known = await store.lock(conn, project_id, collection_id)
    if known is None:
        raise not_found("products_collection", collection_id)
    _check(known.type, said)
    merged = msgspec.structs.replace(known, name=said.name or known.name)
    if said.filter is not None:
        merged.filter = _filter(said.filter)
    if said.products is not None:
        merged.products = await _resolved(conn, project_id, said.products)
    if merged == known:
        return known
    written = await store.update(conn, project_id, merged)
    await _told(conn, project_id, "updated", written, request_id)
    return written


async def remove(conn: db.Conn, project_id: str, collection_id: str, request_id: str | None = None) -> None:
    """Delete a collection. Raises `ApiError` 404, or 400 ``resource_in_use`` while a rule speaks of it."""
    await db.execute(conn, changes.LOCK, project_id)
    known = await store.find(conn, project_id, collection_id)
    if known is None:
        raise not_found("products_collection", collection_id)
    rules = await store.used_by(conn, project_id, collection_id)
    if rules:
        named = ", ".join(f"{rule['id']} ({rule['name']})" for rule in rules[:5])
        raise ApiError(
            400, "resource_in_use", "The collection is in use",
            f"Validation rules speak of it: {named}. Change those first.",
            resource_id=collection_id, resource_type="products_collection",
            extra={
                "related_object_ids": [rule["id"] for rule in rules[:100]],
                "related_object_type": "validation_rules",
                "related_object_total": len(rules),
            },
        )  # fmt: skip
    await store.delete(conn, project_id, collection_id)
    await _told(conn, project_id, "deleted", known, request_id)


async def _told(
    conn: db.Conn, project_id: str, what: str, row: CollectionRow, request_id: str | None
) -> None:
    """Let snapshots know, and write the event."""
    await changed(conn, project_id, [("collection", row.id)])
    about = {"products_collection": {"id": row.id, "name": row.name, "object": "products_collection"}}
    await emit(conn, project_id, [Event(f"product_collection.{what}", row.id, data=about)], request_id)


def _check(type: CollectionType, said: CollectionIn | CollectionChange) -> None:
    if type == "STATIC" and said.filter is not None:
        raise invalid_payload(Fault("filter", "goes with AUTO_UPDATE collections; this one is STATIC"))
    if type == "AUTO_UPDATE" and said.products:
        raise invalid_payload(Fault("products", "go with STATIC collections; this one is AUTO_UPDATE"))
    if said.filter is not None:
        filters.checked(said.filter)


def _filter(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if raw is None else {"junction": "and"} | raw


async def _resolved(conn: db.Db, project_id: str, said: list[NamedThing]) -> list[dict[str, Any]]:
    """What is stored of the products: their ids, however they were named, and their source ids."""
    asked = {kind: [one.id for one in said if one.object == kind] for kind in ("product", "sku")}
    things = await store.named(conn, project_id, asked["product"], asked["sku"])
    # an id wins over a source id that looks like it
    found = {(thing.object, thing.asked): thing for thing in sorted(things, key=lambda t: t.id == t.asked)}
    stored: dict[str, dict[str, Any]] = {}
    for one in said:
        thing = found.get((one.object, one.id))
        if thing is None:
            raise not_found(one.object, one.id)
        facts = {
            "object": one.object,
            "id": thing.id,
            "product_id": thing.product_id,
            "source_id": thing.source_id,
        }
        stored[thing.id] = {name: value for name, value in facts.items() if value is not None}
    return list(stored.values())
