"""At most one discount a product (``redeemables_products_application_mode`` ONCE)."""

from collections.abc import Iterable

from guerdon.engine.effects import Effect
from guerdon.engine.order import Order, OrderItem


def name_of(item: OrderItem, index: int) -> str:
    """What a line is for this purpose: its product, else its SKU, else what it was called, else itself.

    >>> name_of(OrderItem(sku_id="sku_1", product_id="prod_1"), 0), name_of(OrderItem(), 3)
    ('prod_1', 'line 3')
    """
    product, sku = item.product, item.sku
    return (
        item.product_id
        or (product and (product.id or product.source_id))
        or item.sku_id
        or (sku and (sku.id or sku.source_id))
        or item.source_id
        or f"line {index}"
    )


def taken_before(order: Order | None) -> frozenset[str]:
    """The products that an earlier request gave a discount on; what the shop itself took off does not count."""
    if order is None or not order.redemptions:
        return frozenset()
    return frozenset(
        name_of(item, index) for index, item in enumerate(order.items or ()) if item.discount_amount
    )


def free_lines(order: Order, taken: frozenset[str]) -> list[int]:
    """The lines whose product has had no discount yet."""
    return [index for index, item in enumerate(order.items or ()) if name_of(item, index) not in taken]


def names_touched(order: Order, effect: Effect) -> frozenset[str]:
    """The products that the effect takes something off."""
    items = [*(order.items or ()), *(effect.new_items or ())]
    touched: Iterable[int] = effect.units if effect.units else (index for index, _ in effect.lines)
    return frozenset(name_of(items[index], index) for index in touched)
