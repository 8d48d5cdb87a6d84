"""Products and SKUs made, changed and thrown away."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.kit import db
from guerdon.kit.errors import duplicate, not_found
from guerdon.kit.ids import new_id
from guerdon.products import store
from guerdon.products.store import ProductRow, SkuRow
from guerdon.schemas.check import checked

Text = Annotated[str, Meta(max_length=512)]
Url = Annotated[str, Meta(max_length=2048)]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
SourceId = Annotated[str, Meta(min_length=1, max_length=512)]
Price = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Attributes = Annotated[list[Text], Meta(max_length=100)]

# The database's clock decides when a row was made; until then it carries this.
NOT_YET = datetime.min.replace(tzinfo=UTC)

Row = TypeVar("Row", ProductRow, SkuRow)


class ProductChange(msgspec.Struct, kw_only=True):
    """What is to be said of a product. What is absent stays, ``null`` clears, metadata is merged key by key."""

    name: Text | UnsetType | None = UNSET
    price: Price | UnsetType | None = UNSET
    attributes: Attributes | UnsetType | None = UNSET
    image_url: Url | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class ProductUpsert(ProductChange, kw_only=True):
    """A product to make, or, when the id or else the source id is known, to change."""

    id: Id | None = None
    source_id: SourceId | None = None


class SkuChange(msgspec.Struct, kw_only=True):
    """What is to be said of a SKU. What is absent stays, ``null`` clears, metadata is merged key by key."""

    sku: Text | UnsetType | None = UNSET
    price: Price | UnsetType | None = UNSET
    currency: Annotated[str, Meta(max_length=10)] | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType | None = UNSET
    image_url: Url | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class SkuUpsert(SkuChange, kw_only=True):
    """A SKU to make, or, when the id or else the source id is known, to change."""

    id: Id | None = None
    source_id: SourceId | None = None


async def upsert_product(conn: db.Db, project_id: str, said: ProductUpsert) -> ProductRow:
    """The product as stored. Raises `ApiError` 404 for an unknown id, 409 when the bin holds the source id."""
    fields = _fields(said)
    if said.id is not None:
        known = await store.lock_product_by_id(conn, project_id, said.id)
        if known is None or known.deleted_at is not None:
            raise not_found("product", said.id)
        return await _write_product(conn, project_id, known, fields)
    while True:
        known = None
        if said.source_id is not None:
            known = await store.lock_product_by_source_id(conn, project_id, said.source_id)
        if known is not None:
            if known.deleted_at is not None:
                raise duplicate("product", said.source_id or known.id, "source_id")
            return await _write_product(conn, project_id, known, fields)
        empty = ProductRow(new_id("product"), said.source_id, None, None, [], None, {}, NOT_YET, None)
        new = _merged(empty, fields, [])
        await checked(conn, project_id, "product", new.metadata)
        made = await store.insert_product(conn, project_id, new)
        if made is not None:
            return made


async def change_product(conn: db.Db, project_id: str, key: str, said: ProductChange) -> ProductRow:
    """Change the product with this id or source id. Raises `ApiError` 404."""
    known = await _lock_product(conn, project_id, key)
    return await _write_product(conn, project_id, known, _fields(said))


async def remove_product(conn: db.Db, project_id: str, key: str, *, for_good: bool) -> None:
    """Throw a product and its SKUs into the bin, or away for good, even out of the bin. Raises `ApiError` 404."""
    known = await _lock_product(conn, project_id, key, in_bin_too=for_good)
    await store.remove_product(conn, project_id, known.id, for_good=for_good)


async def upsert_sku(conn: db.Db, project_id: str, product_key: str, said: SkuUpsert) -> SkuRow:
    """The SKU as stored.

    Raises `ApiError` 404 for an unknown product or SKU id, 409 when another product or the bin holds the source id.
    """
    product = await _lock_product(conn, project_id, product_key)
    fields = _fields(said)
    if said.id is not None:
        known = await store.lock_sku_by_id(conn, project_id, said.id)
        if known is None or known.deleted_at is not None or known.product_id != product.id:
            raise not_found("sku", said.id)
        return await _write_sku(conn, project_id, known, fields)
    while True:
        known = None
        if said.source_id is not None:
            known = await store.lock_sku_by_source_id(conn, project_id, said.source_id)
        if known is not None:
            if known.deleted_at is not None or known.product_id != product.id:
                raise duplicate("sku", said.source_id or known.id, "source_id")
            return await _write_sku(conn, project_id, known, fields)
        empty = SkuRow(
            new_id("sku"), product.id, said.source_id, None, None, None, {}, None, {}, NOT_YET, None
        )  # fmt: skip
        new = _merged(empty, fields, {})
        await checked(conn, project_id, "product", new.metadata)
        made = await store.insert_sku(conn, project_id, new)
        if made is not None:
            return made


async def change_sku(conn: db.Db, project_id: str, product_key: str, key: str, said: SkuChange) -> SkuRow:
    """Change a product's SKU. Raises `ApiError` 404."""
    known = await _lock_sku(conn, project_id, product_key, key)
    return await _write_sku(conn, project_id, known, _fields(said))


async def remove_sku(conn: db.Db, project_id: str, product_key: str, key: str, *, for_good: bool) -> None:
    """Throw a SKU into the bin, or away for good, even out of the bin. Raises `ApiError` 404."""
    known = await _lock_sku(conn, project_id, product_key, key, in_bin_too=for_good)
    await store.remove_sku(conn, project_id, known.id, for_good=for_good)


async def _lock_product(conn: db.Db, project_id: str, key: str, *, in_bin_too: bool = False) -> ProductRow:
    known = await store.lock_product_by_id(conn, project_id, key)
    if known is None:
        known = await store.lock_product_by_source_id(conn, project_id, key)
    if known is None or (known.deleted_at is not None and not in_bin_too):
        raise not_found("product", key)
    return known


async def _lock_sku(
    conn: db.Db, project_id: str, product_key: str, key: str, *, in_bin_too: bool = False
) -> SkuRow:
    product = await _lock_product(conn, project_id, product_key, in_bin_too=in_bin_too)
    known = await store.lock_sku_by_id(conn, project_id, key)
    if known is None:
        known = await store.lock_sku_by_source_id(conn, project_id, key)
    if known is None or known.product_id != product.id or (known.deleted_at is not None and not in_bin_too):
        raise not_found("sku", key)
    return known


async def _write_product(
    conn: db.Db, project_id: str, known: ProductRow, fields: dict[str, Any]
) -> ProductRow:
    merged = _merged(known, fields, [])
    if "metadata" in fields:
        await checked(conn, project_id, "product", merged.metadata, said=fields["metadata"] or ())
    return known if merged == known else await store.update_product(conn, project_id, merged)


async def _write_sku(conn: db.Db, project_id: str, known: SkuRow, fields: dict[str, Any]) -> SkuRow:
    merged = _merged(known, fields, {})
    if "metadata" in fields:
        await checked(conn, project_id, "product", merged.metadata, said=fields["metadata"] or ())
    return known if merged == known else await store.update_sku(conn, project_id, merged)


def _merged(row: Row, fields: dict[str, Any], no_attributes: Any) -> Row:
    metadata = fields.get("metadata", {})
    merged = fields | {"metadata": {} if metadata is None else row.metadata | metadata}
    if fields.get("attributes", ...) is None:
        merged["attributes"] = no_attributes
    return msgspec.structs.replace(row, **merged)


def _fields(said: ProductChange | SkuChange) -> dict[str, Any]:
    """What was said, as the row's columns."""
    names = [field.name for field in msgspec.structs.fields(said) if field.name not in ("id", "source_id")]
    return {name: getattr(said, name) for name in names if getattr(said, name) is not UNSET}
