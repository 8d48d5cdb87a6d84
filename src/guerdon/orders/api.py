"""``/v1/orders``."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.engine.order import OrderItem
from guerdon.kit import clock, paging
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.orders import save, store
from guerdon.orders.save import OrderPayload, Saving
from guerdon.orders.store import OrderRow


class Person(msgspec.Struct):
    """A customer, by id."""

    id: str
    object: str = "customer"


class Order(msgspec.Struct, kw_only=True):
    """An order with its totals, in minor units. Discounts of nothing and amounts not known are left out."""

    id: str
    source_id: str | None
    created_at: str
    updated_at: str | UnsetType = UNSET
    status: str
    amount: int | UnsetType = UNSET
    initial_amount: int | UnsetType = UNSET
    discount_amount: int | UnsetType = UNSET
    items_discount_amount: int | UnsetType = UNSET
    total_discount_amount: int | UnsetType = UNSET
    total_amount: int | UnsetType = UNSET
    items: list[OrderItem] | UnsetType = UNSET
    metadata: dict[str, Any]
    customer: Person | UnsetType = UNSET
    referrer: Person | UnsetType = UNSET
    customer_id: str | None
    referrer_id: str | None
    redemptions: dict[str, Any] | UnsetType = UNSET
    object: str = "order"


class OrderList(msgspec.Struct, kw_only=True):
    """A page of orders."""

    object: str = "list"
    data_ref: str = "orders"
    orders: list[Order]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


def shape(row: OrderRow) -> Order:
    """The row as it leaves the API; the lines go through as they are stored."""
    order = Order(
        id=row.id,
        source_id=row.source_id,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else UNSET,
        status=row.status,
        amount=UNSET if row.amount is None else row.amount,
        initial_amount=UNSET if row.initial_amount is None else row.initial_amount,
        discount_amount=row.discount_amount or UNSET,
        items_discount_amount=row.items_discount_amount or UNSET,
        total_discount_amount=row.total_discount_amount or UNSET,
        total_amount=UNSET if row.total_amount is None else row.total_amount,
        metadata=row.metadata,
        customer=Person(row.customer_id) if row.customer_id else UNSET,
        referrer=Person(row.referrer_id) if row.referrer_id else UNSET,
        customer_id=row.customer_id,
        referrer_id=row.referrer_id,
        redemptions=row.redemptions or UNSET,
    )
    if row.items not in ("[]", "null"):
        order.items = msgspec.Raw(row.items.encode())  # type: ignore[assignment]
    return order


async def create_order(call: Call, data: OrderPayload) -> Order:
    """Create an order, or change the one with this id or source id.

    An id wins over a source id. A line is worth the price sent times its quantity, else the amount sent, else the
    stored price of its product or SKU times its quantity; the order is worth the sum of its lines. The customer
    and the referrer are created or changed with it; `product.override` and `sku.override` write to the catalog.
    """
    return shape(await save.upsert(_saving(call), data))


async def get_order(call: Call, order_id: str) -> Order:
    """Read an order by id or source id."""
    row = await store.find(call.db, call.project_id, order_id)
    if row is None:
        raise not_found("order", order_id)
    return shape(row)


async def update_order(call: Call, order_id: str, data: OrderPayload) -> Order:
    """Change an order by id or source id. What is absent or null stays as it is, metadata is merged."""
    return shape(await save.change(_saving(call), order_id, data))


async def list_orders(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> OrderList:
    """List orders.

    `order` is created_at, updated_at, status, amount, total_amount, source_id or id, with a dash before it to
    reverse it. Also `[created_at][before]`, `[created_at][after]`, `[updated_at][…]` and
    `filters[field][conditions][$is][0]`.
    """
    found = await paging.page(
        call.db, OrderRow, store.LISTING, call.project_id, call.query, zone=call.caller.timezone
    )
    return OrderList(
        orders=[shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _saving(call: Call) -> Saving:
    return Saving(call.db, call.project_id, call.caller.zone, call.request_id)


ROUTES = [
    Route(method="POST", path="/v1/orders", handler=create_order, tag="Orders", kind="write"),
    Route(method="GET", path="/v1/orders", handler=list_orders, tag="Orders"),
    Route(method="GET", path="/v1/orders/{order_id}", handler=get_order, tag="Orders"),
    Route(method="PUT", path="/v1/orders/{order_id}", handler=update_order, tag="Orders", kind="write"),
]
