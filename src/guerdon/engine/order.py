"""Orders as they stand on the wire, and their totals.

Amounts are minor units. Zero discounts and absent facts are left out of the JSON, as API clients expect;
``source_id``, ``customer_id`` and ``referrer_id`` of an order are sent as ``null`` when unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from guerdon.engine.fault import EngineError
from guerdon.engine.money import MAX_AMOUNT

MAX_ITEMS = 500
MAX_QUANTITY = 1_000_000

BoundedAmount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
BoundedQuantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
DigitQuantity = Annotated[str, Meta(pattern=r"^0*[1-9][0-9]{0,6}$")]
Text = Annotated[str, Meta(min_length=1, max_length=512)]
RelatedObject = Literal["product", "sku"]
OrderStatus = Literal["CREATED", "PAID", "CANCELED", "PROCESSING", "FULFILLED"]


def _unknown() -> None:
    """A default that ``omit_defaults`` does not recognise: the field is sent as ``null``."""


def _none_left() -> int:
    """Likewise: a line that lost all its units says so; without a quantity it would read as one."""
    return 0


class ProductRef(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is said about a line's product; ``price`` in minor units a unit."""

    id: str | None = None
    source_id: str | None = None
    name: str | None = None
    price: BoundedAmount | None = None
    metadata: dict[str, Any] | None = None
    override: bool | None = None


class SkuRef(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is said about a line's SKU; ``sku`` is its name, ``price`` is in minor units a unit."""

    id: str | None = None
    source_id: str | None = None
    sku: str | None = None
    price: BoundedAmount | None = None
    metadata: dict[str, Any] | None = None
    override: bool | None = None


class Replacement(Struct, frozen=True, gc=False):
    """Units of one line exchanged for units of another, line indices from 0, minor units; what leaves is negative."""

    source_index: int
    source_applied_quantity: int
    source_applied_quantity_amount: int
    target_index: int
    target_applied_quantity: int
    target_applied_quantity_amount: int
    target_applied_discount_amount: int


class OrderItem(Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="object", tag="order_item"):
    """One line. ``amount`` is before discounts, ``subtotal_amount`` after; ``applied_*`` is this step's.

    ``application_details`` are the replacements of the request so far, on the lines they took from or put on.
    """

    id: str | None = None
    source_id: str | None = None
    related_object: RelatedObject | None = None
    product_id: str | None = None
    sku_id: str | None = None
    quantity: int = field(default_factory=_none_left)
    initial_quantity: int | None = None
    applied_quantity: int = 0
    discount_quantity: int = 0
    applied_discount_quantity: int = 0
    amount: int | None = None
    initial_amount: int | None = None
    applied_quantity_amount: int = 0
    discount_amount: int = 0
    applied_discount_amount: int = 0
    price: int | None = None
    subtotal_amount: int | None = None
    product: ProductRef | None = None
    sku: SkuRef | None = None
    metadata: dict[str, Any] | None = None
    application_details: list[Replacement] | None = None


class Order(Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="object", tag="order"):
    """An order with its totals. ``amount`` is None while nothing about its worth is known."""

    id: str | None = None
    source_id: str | None = field(default_factory=_unknown)
    created_at: str | None = None
    updated_at: str | None = None
    status: OrderStatus | None = None
    amount: int | None = None
    initial_amount: int | None = None
    discount_amount: int = 0
    items_discount_amount: int = 0
    total_discount_amount: int = 0
    total_amount: int | None = None
    applied_discount_amount: int = 0
    items_applied_discount_amount: int = 0
    total_applied_discount_amount: int = 0
    items: list[OrderItem] | None = None
    metadata: dict[str, Any] | None = None
    customer: Any = None
    customer_id: str | None = field(default_factory=_unknown)
    referrer_id: str | None = field(default_factory=_unknown)
    redemptions: dict[str, Any] | None = None


# The struct's own shallow copy, a quarter of the cost of copy.copy; the stubs do not know it.
copy_item: Callable[[OrderItem], OrderItem] = OrderItem.__copy__  # pyright: ignore
copy_order: Callable[[Order], Order] = Order.__copy__  # pyright: ignore


class OrderItemIn(Struct, kw_only=True, gc=False):
    """A line as a caller sends it. A missing ``quantity`` means 1; a string of digits is accepted."""

    id: str | None = None
    source_id: Text | None = None
    related_object: RelatedObject | None = None
    product_id: Text | None = None
    sku_id: Text | None = None
    quantity: BoundedQuantity | DigitQuantity | None = None
    amount: BoundedAmount | None = None
    price: BoundedAmount | None = None
    discount_amount: BoundedAmount | None = None
    product: ProductRef | None = None
    sku: SkuRef | None = None
    metadata: dict[str, Any] | None = None


class OrderIn(Struct, kw_only=True, gc=False):
    """An order as a caller sends it, bounded; totals are never read from the caller.

    ``customer`` and ``referrer`` are left to the API, which knows what they may look like.
    """

    id: Text | None = None
    source_id: Text | None = None
    status: OrderStatus | None = None
    amount: BoundedAmount | None = None
    discount_amount: BoundedAmount | None = None
    created_at: datetime | None = None
    items: Annotated[list[OrderItemIn], Meta(max_length=MAX_ITEMS)] | None = None
    metadata: dict[str, Any] | None = None
    customer_id: Text | None = None
    customer: Any = None
    referrer_id: Text | None = None
    referrer: Any = None


class CatalogItem(Struct, kw_only=True, frozen=True, gc=False):
    """What is stored about a product or SKU; ``price`` in minor units a unit. A SKU names its product.

    ``metadata`` is there when rules are going to look at it.
    """

    object: RelatedObject
    id: str
    source_id: str | None = None
    name: str | None = None
    price: int | None = None
    product_id: str | None = None
    metadata: dict[str, Any] | None = None


Catalog = Mapping[str, CatalogItem]
"""By id, and by ``product:<source id>`` / ``sku:<source id>``; build it with :func:`catalog_of`."""


def catalog_of(items: Iterable[CatalogItem]) -> dict[str, CatalogItem]:
    """Index stored products and SKUs the way :func:`price_order` and UNIT discounts look them up.

    >>> sorted(catalog_of([CatalogItem(object="sku", id="sku_1", source_id="red")]))
    ['sku:red', 'sku_1']
    """
    catalog: dict[str, CatalogItem] = {}
    for item in items:
        catalog[item.id] = item
        if item.source_id is not None:
            catalog[f"{item.object}:{item.source_id}"] = item
    return catalog


def find_in_catalog(
    catalog: Catalog, name: str | None, kind: RelatedObject | None = None
) -> CatalogItem | None:
    """A stored product or SKU by its id or source id; without ``kind`` a product is preferred to a SKU."""
    if name is None:
        return None
    found = catalog.get(name)
    if found is None and kind != "sku":
        found = catalog.get("product:" + name)
    if found is None and kind != "product":
        found = catalog.get("sku:" + name)
    return found


def order_from(sent: OrderIn) -> Order:
    """The order a caller sent, in the shape the engine works on; nothing is priced yet."""
    items = None if sent.items is None else [_item_from(index, item) for index, item in enumerate(sent.items)]
    return Order(
        id=sent.id,
        source_id=sent.source_id,
        status=sent.status,
        amount=sent.amount,
        discount_amount=sent.discount_amount or 0,
        items=items,
        metadata=sent.metadata,
        customer_id=sent.customer_id,
        referrer_id=sent.referrer_id,
    )


def _item_from(index: int, sent: OrderItemIn) -> OrderItem:
    quantity = 1 if sent.quantity is None else int(sent.quantity)
    if quantity > MAX_QUANTITY:
        raise EngineError(f"order.items[{index}].quantity", f"must be at most {MAX_QUANTITY}")
    return OrderItem(
        id=sent.id,
        source_id=sent.source_id,
        related_object=sent.related_object,
        product_id=sent.product_id,
        sku_id=sent.sku_id,
        quantity=quantity,
        amount=sent.amount,
        price=sent.price,
        discount_amount=sent.discount_amount or 0,
        product=sent.product,
        sku=sent.sku,
        metadata=sent.metadata,
    )


def price_order(order: Order | OrderIn, catalog: Catalog | None = None) -> Order:
    """The order with its totals; the argument is left as it was.

    A line's worth is, in this order: the price sent × quantity, the amount sent, the stored price × quantity.
    The order's amount is the sum of its lines when every line has one; otherwise the amount sent, but never
    less than the lines that are known. Raises :class:`EngineError` with the path of what does not fit.
    """
    priced = order_from(order) if isinstance(order, OrderIn) else copy_order(order)
    if priced.items is not None:
        priced.items = [_price_item(index, item, catalog) for index, item in enumerate(priced.items)]
    return settle(priced, priced.amount)


def resume_order(stored: Order) -> Order:
    """A stored order ready for more discounts: amounts as stored, what was applied last time forgotten."""
    resumed = replace(
        stored, applied_discount_amount=0, items_applied_discount_amount=0, total_applied_discount_amount=0
    )
    if stored.items is not None:
        resumed.items = [_resumed(item) for item in stored.items]
    return resumed


def _resumed(item: OrderItem) -> OrderItem:
    cleared = without_applied(item)
    if item.application_details is not None:
        cleared = copy_item(cleared)
        cleared.application_details = None
    return cleared


def without_applied(item: OrderItem) -> OrderItem:
    """The line with its ``applied_*`` fields cleared; the same object when they already are."""
    if not (item.applied_discount_amount or item.applied_discount_quantity or item.applied_quantity):
        return item
    cleared = copy_item(item)
    cleared.applied_discount_amount = cleared.applied_discount_quantity = 0
    cleared.applied_quantity = cleared.applied_quantity_amount = 0
    return cleared


def settle(order: Order, sent_amount: int | None) -> Order:
    """Set the order's totals, in place, from its lines and the amount that was sent with it."""
    lines, known, items_discount = 0, 0, 0
    for item in order.items or ():
        if item.amount is not None:
            known += 1
            lines += item.amount
            items_discount += item.discount_amount
    if known and (known == len(order.items or ()) or sent_amount is None):
        amount = lines
    else:
        amount = None if sent_amount is None else max(sent_amount, lines)
    if amount is not None and amount > MAX_AMOUNT:
        raise EngineError("order.amount", f"the lines sum to more than {MAX_AMOUNT}")
    order.amount = amount
    order.items_discount_amount = items_discount
    order.total_discount_amount = order.discount_amount + items_discount
    order.applied_discount_amount = order.items_applied_discount_amount = (
        order.total_applied_discount_amount
    ) = 0
    if order.total_discount_amount > (amount or 0):
        raise EngineError("order.discount_amount", "the discounts sent are larger than the order")
    order.total_amount = None if amount is None else amount - order.total_discount_amount
    return order


def known_items(order: Order, catalog: Catalog) -> Order:
    """The order with what is stored about its products and SKUs beside its lines; amounts stay as they are."""
    if not order.items or not catalog:
        return order
    known = copy_order(order)
    known.items = [copy_item(item) for item in order.items]
    for item in known.items:
        _enrich(item, catalog)
    return known


def _price_item(index: int, item: OrderItem, catalog: Catalog | None) -> OrderItem:
    priced = without_applied(item)
    if priced is item:
        priced = copy_item(item)
    price = item.price
    if price is None and item.sku is not None:
        price = item.sku.price
    if price is None and item.product is not None:
        price = item.product.price
    if catalog:
        stored = _enrich(priced, catalog)
        if price is None and item.amount is None:
            price = stored
    if price is not None:
        priced.price = price
        priced.amount = price * priced.quantity
        if priced.amount > MAX_AMOUNT:
            raise EngineError(f"order.items[{index}].price", f"price × quantity is more than {MAX_AMOUNT}")
    if priced.amount is None:
        if priced.discount_amount:
            raise EngineError(
                f"order.items[{index}].discount_amount", "a line without an amount has no discount"
            )
        return priced
    if priced.discount_amount > priced.amount:
        raise EngineError(f"order.items[{index}].discount_amount", "is larger than the line's amount")
    priced.subtotal_amount = priced.amount - priced.discount_amount
    return priced


def _enrich(item: OrderItem, catalog: Catalog) -> int | None:
    """Fill in, in place, which stored product and SKU the line is; answers their stored price."""
    sent_product, sent_sku = item.product, item.sku
    sku_name = item.sku_id or (sent_sku and (sent_sku.id or sent_sku.source_id)) or None
    product_name = item.product_id or (sent_product and (sent_product.id or sent_product.source_id)) or None
    if item.source_id is not None and sku_name is None and product_name is None:
        found = find_in_catalog(catalog, item.source_id, item.related_object)
        product = found if found is not None and found.object == "product" else None
        sku = found if found is not None and found.object == "sku" else None
    else:
        product = find_in_catalog(catalog, product_name, "product")
        sku = find_in_catalog(catalog, sku_name, "sku")
    if sku is not None:
        item.sku_id = sku.id
        item.sku = _sku_ref(sent_sku, sku)
        if product is None and sku.product_id is not None:
            product = catalog.get(sku.product_id)
    if product is not None:
        item.product_id = product.id
        item.product = _product_ref(sent_product, product)
    if sku is not None and sku.price is not None:
        return sku.price
    return None if product is None else product.price


def _product_ref(sent: ProductRef | None, stored: CatalogItem) -> ProductRef:
    if sent is None:
        return ProductRef(
            id=stored.id,
            source_id=stored.source_id,
            name=stored.name,
            price=stored.price,
            metadata=stored.metadata,
        )
    return ProductRef(
        id=stored.id,
        source_id=sent.source_id or stored.source_id,
        name=sent.name if sent.name is not None else stored.name,
        price=sent.price if sent.price is not None else stored.price,
        metadata=sent.metadata if sent.metadata is not None else stored.metadata,
        override=sent.override,
    )


def _sku_ref(sent: SkuRef | None, stored: CatalogItem) -> SkuRef:
    if sent is None:
        return SkuRef(
            id=stored.id,
            source_id=stored.source_id,
            sku=stored.name,
            price=stored.price,
            metadata=stored.metadata,
        )
    return SkuRef(
        id=stored.id,
        source_id=sent.source_id or stored.source_id,
        sku=sent.sku if sent.sku is not None else stored.name,
        price=sent.price if sent.price is not None else stored.price,
        metadata=sent.metadata if sent.metadata is not None else stored.metadata,
        override=sent.override,
    )
