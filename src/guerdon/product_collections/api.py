"""``/v1/product-collections``."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.kit import clock, paging
from guerdon.kit.activity import Activities, of_subject
from guerdon.kit.call import Call, Route
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query, not_found
from guerdon.product_collections import edit, members, store
from guerdon.product_collections.edit import CollectionChange, CollectionIn
from guerdon.product_collections.store import CollectionRow, CollectionType
from guerdon.products.api import Product, product_shape
from guerdon.products.store import ProductRow


class CollectionProduct(msgspec.Struct, kw_only=True):
    """A product or SKU of a STATIC collection; `product_id` of a SKU only."""

    id: str
    object: str
    product_id: str | UnsetType = UNSET


class ProductCollection(msgspec.Struct, kw_only=True):
    """A collection: a STATIC one with its `products`, an AUTO_UPDATE one with its `filter`."""

    id: str
    name: str
    type: CollectionType
    filter: dict[str, Any] | UnsetType = UNSET
    products: list[CollectionProduct] | UnsetType = UNSET
    created_at: str
    updated_at: str | UnsetType = UNSET
    object: str = "products_collection"


class ProductCollectionList(msgspec.Struct, kw_only=True):
    """A page of collections."""

    object: str = "list"
    data_ref: str = "data"
    data: list[ProductCollection]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class CollectionMember(msgspec.Struct, kw_only=True):
    """A product, or a SKU with the `product` it is of; `price` in minor units."""

    id: str
    source_id: str | None
    name: str | UnsetType | None = UNSET
    product_id: str | UnsetType = UNSET
    sku: str | UnsetType | None = UNSET
    price: int | None
    currency: str | UnsetType | None = UNSET
    attributes: list[str] | dict[str, Any]
    image_url: str | None
    metadata: dict[str, Any]
    created_at: str
    updated_at: str | None
    object: Literal["product", "sku"]
    product: Product | UnsetType | None = UNSET


class CollectionMembers(msgspec.Struct, kw_only=True):
    """A page of the products and SKUs in a collection."""

    object: str = "list"
    data_ref: str = "data"
    data: list[CollectionMember]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class MemberRow(msgspec.Struct):
    """A product or a SKU."""

    id: str
    object: Literal["product", "sku"]
    product_id: str | None
    source_id: str | None
    name: str | None
    sku: str | None
    price: int | None
    currency: str | None
    attributes: Any
    image_url: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


def shape(row: CollectionRow) -> ProductCollection:
    """The row as it leaves the API."""
    products = [
        CollectionProduct(id=one["id"], object=one["object"], product_id=one.get("product_id", UNSET))
        for one in row.products
    ]
    return ProductCollection(
        id=row.id,
        name=row.name,
        type=row.type,
        filter=UNSET if row.filter is None else row.filter,
        products=products if row.type == "STATIC" else UNSET,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else UNSET,
    )


async def list_product_collections(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> ProductCollectionList:
    """List product collections.

    `order` is created_at, updated_at, name or id, with a dash before it to reverse it. Also
    `filters[field][conditions][$is][0]`.
    """
    found = await paging.page(
        call.db, CollectionRow, store.COLLECTIONS, call.project_id, call.query, zone=call.caller.timezone
    )
    return ProductCollectionList(
        data=[shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def create_product_collection(call: Call, data: CollectionIn) -> ProductCollection:
    """Create a product collection.

    A STATIC one names its products and SKUs by id or source id; an AUTO_UPDATE one finds them by its filter.
    """
    return shape(await edit.create(call.conn, call.project_id, data, call.request_id))


async def get_product_collection(call: Call, product_collection_id: str) -> ProductCollection:
    """Read a product collection."""
    return shape(await _known(call, product_collection_id))


async def update_product_collection(
    call: Call, product_collection_id: str, data: CollectionChange
) -> ProductCollection:
    """Change a collection's name, its products (STATIC) or its filter (AUTO_UPDATE). What is absent stays."""
    return shape(await edit.change(call.conn, call.project_id, product_collection_id, data, call.request_id))


async def delete_product_collection(call: Call, product_collection_id: str) -> None:
    """Delete a product collection; 400 ``resource_in_use`` while a validation rule speaks of it."""
    await edit.remove(call.conn, call.project_id, product_collection_id, call.request_id)


async def list_products_in_collection(
    call: Call,
    product_collection_id: str,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after: str | None = None,
    starting_after_id: str | None = None,
) -> CollectionMembers:
    """List the products and SKUs in a collection, as of now.

    `order` is created_at, updated_at, name, price, source_id or id, with a dash before it to reverse it.
    `starting_after`, the created_at of a row, leaves out that row and those before it in the order of
    created_at. Also `filters[field][conditions][$is][0]`.
    """
    collection = await _known(call, product_collection_id)
    upwards = order == "created_at"
    after = None if starting_after is None else _instant(call, starting_after)
    listing, own = members.listing(collection, call.caller.timezone, after, upwards=upwards)
    found = await paging.page(
        call.db, MemberRow, listing, call.project_id, call.query, args=own, zone=call.caller.timezone
    )
    parents = [row.product_id for row in found.rows if row.product_id is not None]
    products = await store.products_of(call.db, call.project_id, parents) if parents else {}
    return CollectionMembers(
        data=[_member(row, products) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _instant(call: Call, text: str) -> datetime:
    try:
        return parse_instant(text, call.caller.timezone)
    except ValueError as error:
        raise invalid_query("starting_after", str(error)) from None


async def _known(call: Call, collection_id: str) -> CollectionRow:
    row = await store.find(call.db, call.project_id, collection_id)
    if row is None:
        raise not_found("products_collection", collection_id)
    return row


def _member(row: MemberRow, products: dict[str, ProductRow]) -> CollectionMember:
    member = CollectionMember(
        id=row.id,
        source_id=row.source_id,
        price=row.price,
        attributes=row.attributes,
        image_url=row.image_url,
        metadata=row.metadata,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else None,
        object=row.object,
    )
    if row.product_id is None:
        member.name = row.name
        return member
    member.product_id, member.sku, member.currency = row.product_id, row.sku, row.currency
    product = products.get(row.product_id)
    member.product = None if product is None else product_shape(product)
    return member


async def list_collection_activities(
    call: Call,
    product_collection_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
) -> Activities:
    """List what happened to a product collection: when it was made and changed, the latest first."""
    await _known(call, product_collection_id)
    return await of_subject(call.db, call.project_id, product_collection_id, call.query, call.caller.timezone)


_COLLECTION = "/v1/product-collections/{product_collection_id}"
_TAG = "Product collections"

ROUTES = [
    Route(method="GET", path="/v1/product-collections", handler=list_product_collections, tag=_TAG),
    Route(
        method="POST",
        path="/v1/product-collections",
        handler=create_product_collection,
        tag=_TAG,
        kind="write",
    ),
    Route(method="GET", path=_COLLECTION, handler=get_product_collection, tag=_TAG),
    Route(method="PUT", path=_COLLECTION, handler=update_product_collection, tag=_TAG, kind="write"),
    Route(
        method="DELETE",
        path=_COLLECTION,
        handler=delete_product_collection,
        tag=_TAG,
        kind="write",
        status=204,
    ),
    Route(method="GET", path=_COLLECTION + "/products", handler=list_products_in_collection, tag=_TAG),
    Route(method="GET", path=_COLLECTION + "/activities", handler=list_collection_activities, tag=_TAG),
]
