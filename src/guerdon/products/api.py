"""``/v1/products`` and ``/v1/skus``."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.kit import clock, paging
from guerdon.kit.call import Call, Route
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query, not_found
from guerdon.products import store, upsert
from guerdon.products.store import ProductRow, SkuRow, SkusOf
from guerdon.products.upsert import ProductChange, ProductUpsert, SkuChange, SkuUpsert


class Sku(msgspec.Struct, kw_only=True):
    """A SKU; `price` in minor units."""

    id: str
    source_id: str | None
    product_id: str
    sku: str | None
    price: int | None
    currency: str | None
    attributes: dict[str, Any]
    image_url: str | None
    metadata: dict[str, Any]
    created_at: str
    updated_at: str | None
    object: str = "sku"


class SkusOfProduct(msgspec.Struct, kw_only=True):
    """A product's SKUs, the first hundred; `total` counts them all."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Sku]
    total: int


class Product(msgspec.Struct, kw_only=True):
    """A product; `price` in minor units. Its SKUs come with it when it is read."""

    id: str
    source_id: str | None
    name: str | None
    price: int | None
    attributes: list[str]
    metadata: dict[str, Any]
    image_url: str | None
    created_at: str
    updated_at: str | None
    object: str = "product"
    skus: SkusOfProduct | UnsetType = UNSET


class ProductList(msgspec.Struct, kw_only=True):
    """A page of products."""

    object: str = "list"
    data_ref: str = "products"
    products: list[Product]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class SkuList(msgspec.Struct, kw_only=True):
    """A page of a product's SKUs."""

    object: str = "list"
    data_ref: str = "skus"
    skus: list[Sku]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


def sku_shape(row: SkuRow) -> Sku:
    """The row as it leaves the API."""
    return Sku(
        id=row.id,
        source_id=row.source_id,
        product_id=row.product_id,
        sku=row.sku,
        price=row.price,
        currency=row.currency,
        attributes=row.attributes,
        image_url=row.image_url,
        metadata=row.metadata,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else None,
    )


def product_shape(row: ProductRow, its: SkusOf | None = None) -> Product:
    """The row as it leaves the API, with its SKUs when they were read."""
    skus = UNSET if its is None else SkusOfProduct(data=[sku_shape(sku) for sku in its.skus], total=its.total)
    return Product(
        id=row.id,
        source_id=row.source_id,
        name=row.name,
        price=row.price,
        attributes=row.attributes,
        metadata=row.metadata,
        image_url=row.image_url,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else None,
        skus=skus,
    )


async def create_product(call: Call, data: ProductUpsert) -> Product:
    """Create a product, or change the one with this id or source id.

    An id wins over a source id. The source id of a product in the bin stays taken (409).
    """
    return product_shape(await upsert.upsert_product(call.db, call.project_id, data))


async def get_product(call: Call, product_id: str) -> Product:
    """Read a product and its SKUs by id or source id."""
    row = await store.find_product(call.db, call.project_id, product_id)
    if row is None:
        raise not_found("product", product_id)
    return product_shape(row, (await store.skus_of(call.db, call.project_id, [row.id]))[row.id])


async def update_product(call: Call, product_id: str, data: ProductChange) -> Product:
    """Change a product by id or source id. What is absent stays as it is, null clears, metadata is merged."""
    return product_shape(await upsert.change_product(call.db, call.project_id, product_id, data))


async def delete_product(call: Call, product_id: str, force: bool = False) -> None:
    """Throw a product and its SKUs into the bin; with `force` away for good, which frees their source ids."""
    await upsert.remove_product(call.db, call.project_id, product_id, for_good=force)


async def list_products(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
) -> ProductList:
    """List products with their SKUs.

    `order` is created_at, updated_at, name, price, source_id or id, with a dash before it to reverse it;
    `start_date` and `end_date` bound created_at. Also `filters[field][conditions][$is][0]`.
    """
    found = await paging.page(
        call.db,
        ProductRow,
        store.PRODUCTS,
        call.project_id,
        call.query,
        args=_between(call, start_date, end_date),
        zone=call.caller.timezone,
    )
    skus = await store.skus_of(call.db, call.project_id, [row.id for row in found.rows])
    return ProductList(
        products=[product_shape(row, skus[row.id]) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def create_sku(call: Call, product_id: str, data: SkuUpsert) -> Sku:
    """Create a SKU of a product, or change the one with this id or source id.

    A source id names one SKU of the whole catalog: that of another product's SKU, or of one in the bin, is taken.
    """
    return sku_shape(await upsert.upsert_sku(call.db, call.project_id, product_id, data))


async def get_sku(call: Call, sku_id: str) -> Sku:
    """Read a SKU by id or source id."""
    row = await store.find_sku(call.db, call.project_id, sku_id)
    if row is None:
        raise not_found("sku", sku_id)
    return sku_shape(row)


async def update_sku(call: Call, product_id: str, sku_id: str, data: SkuChange) -> Sku:
    """Change a product's SKU. What is absent stays as it is, null clears, metadata is merged."""
    return sku_shape(await upsert.change_sku(call.db, call.project_id, product_id, sku_id, data))


async def delete_sku(call: Call, product_id: str, sku_id: str, force: bool = False) -> None:
    """Throw a SKU into the bin; with `force` away for good, which frees its source id."""
    await upsert.remove_sku(call.db, call.project_id, product_id, sku_id, for_good=force)


async def list_skus(
    call: Call,
    product_id: str,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
) -> SkuList:
    """List a product's SKUs.

    `order` is created_at, updated_at, sku, price, source_id or id, with a dash before it to reverse it;
    `start_date` and `end_date` bound created_at. Also `filters[field][conditions][$is][0]`.
    """
    product = await store.find_product(call.db, call.project_id, product_id)
    if product is None:
        raise not_found("product", product_id)
    found = await paging.page(
        call.db,
        SkuRow,
        store.SKUS,
        call.project_id,
        call.query,
        args=(product.id, *_between(call, start_date, end_date)),
        zone=call.caller.timezone,
    )
    return SkuList(
        skus=[sku_shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _between(call: Call, start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    return _instant(call, "start_date", start), _instant(call, "end_date", end)


def _instant(call: Call, name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(text, call.caller.timezone, end_of_day=name == "end_date")
    except ValueError as error:
        raise invalid_query(name, str(error)) from None


_PRODUCT = "/v1/products/{product_id}"
_SKU = "/v1/products/{product_id}/skus/{sku_id}"

ROUTES = [
    Route(method="POST", path="/v1/products", handler=create_product, tag="Products", kind="write"),
    Route(method="GET", path="/v1/products", handler=list_products, tag="Products"),
    Route(method="GET", path=_PRODUCT, handler=get_product, tag="Products"),
    Route(method="PUT", path=_PRODUCT, handler=update_product, tag="Products", kind="write"),
    Route(method="DELETE", path=_PRODUCT, handler=delete_product, tag="Products", kind="write", status=204),
    Route(method="POST", path=_PRODUCT + "/skus", handler=create_sku, tag="Products", kind="write"),
    Route(method="GET", path=_PRODUCT + "/skus", handler=list_skus, tag="Products"),
    Route(method="PUT", path=_SKU, handler=update_sku, tag="Products", kind="write"),
    Route(method="DELETE", path=_SKU, handler=delete_sku, tag="Products", kind="write", status=204),
    Route(method="GET", path="/v1/skus/{sku_id}", handler=get_sku, tag="Products"),
]
