"""What an order says about its products, taken over into the catalog where it asks for that by ``override``."""

from collections.abc import Sequence

from msgspec import UNSET

from guerdon.engine.order import OrderItemIn
from guerdon.kit import db
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.products import store
from guerdon.products.upsert import ProductUpsert, SkuUpsert, upsert_product, upsert_sku


async def take_over(conn: db.Db, project_id: str, items: Sequence[OrderItemIn]) -> None:
    """Make or change the products and SKUs of the lines that ask for it: name, price, metadata.

    Raises `ApiError` 400 for a SKU that is new and whose product is not known, or a line that names nothing.
    """
    for index, item in enumerate(items):
        if item.product is not None and item.product.override:
            await _product(conn, project_id, item, f"items[{index}].product")
        if item.sku is not None and item.sku.override:
            await _sku(conn, project_id, item, f"items[{index}].sku")


async def _product(conn: db.Db, project_id: str, item: OrderItemIn, path: str) -> None:
    said = item.product
    assert said is not None
    own_source_id = None if item.related_object == "sku" else item.source_id
    key = item.product_id or said.id or said.source_id or own_source_id
    if key is None:
        raise invalid_payload(Fault(path, "has neither an id nor a source_id to override by"))
    stored = await store.find_product(conn, project_id, key)
    source_id = said.source_id or own_source_id
    if stored is None and source_id is None:
        raise invalid_payload(
            Fault(path, f"there is no product {key!r} to override, and no source_id to make one by")
        )
    change = ProductUpsert(
        id=stored.id if stored else None,
        source_id=source_id,
        name=UNSET if said.name is None else said.name,
        price=UNSET if said.price is None else said.price,
        metadata=UNSET if said.metadata is None else said.metadata,
    )
    await upsert_product(conn, project_id, change)


async def _sku(conn: db.Db, project_id: str, item: OrderItemIn, path: str) -> None:
    said = item.sku
    assert said is not None
    own_source_id = item.source_id if item.related_object == "sku" else None
    key = item.sku_id or said.id or said.source_id or own_source_id
    if key is None:
        raise invalid_payload(Fault(path, "has neither an id nor a source_id to override by"))
    stored = await store.find_sku(conn, project_id, key)
    parent = stored.product_id if stored else _parent(item)
    product = None if parent is None else await store.find_product(conn, project_id, parent)
    source_id = said.source_id or own_source_id
    if product is None or (stored is None and source_id is None):
        raise invalid_payload(
            Fault(path, f"there is no SKU {key!r}, and no product and source_id to make one by")
        )
    change = SkuUpsert(
        id=stored.id if stored else None,
        source_id=source_id,
        sku=UNSET if said.sku is None else said.sku,
        price=UNSET if said.price is None else said.price,
        metadata=UNSET if said.metadata is None else said.metadata,
    )
    await upsert_sku(conn, project_id, product.id, change)


def _parent(item: OrderItemIn) -> str | None:
    product = item.product
    return item.product_id or (product.id or product.source_id if product is not None else None)
