"""Orders with products, SKUs and collections, and what a scope chooses of them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine import Order, OrderIn, OrderItemIn, Redeemable, parse_discount, price_order
from guerdon.engine.effects import Effect, amount_off, fixed_amount, percent_off
from guerdon.engine.order import CatalogItem, catalog_of
from guerdon.engine.reasons import Reason
from guerdon.engine.scope import Chosen, choose, parse_scope
from guerdon.engine.situation import Collection, Person, Situation
from guerdon.engine.units import units_off

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FRUIT = Collection(id="pc_fruit", name="Fruit", members=frozenset({"prod_apple", "sku_pear_small"}))
CATALOG = catalog_of(
    [
        CatalogItem(object="product", id="prod_apple", source_id="apple", price=100),
        CatalogItem(object="product", id="prod_pear", source_id="pear", price=300),
        CatalogItem(object="sku", id="sku_pear_small", source_id="pear-s", product_id="prod_pear", price=200),
        CatalogItem(object="product", id="prod_tea", source_id="tea", price=500),
    ]
)
VOUCHER = Redeemable(id="CODE", key="v_1", campaign_id="camp_1")


def basket(*lines: tuple[str, int] | tuple[str, int, int], **order: Any) -> Order:
    """A priced order of (product or SKU id, quantity[, unit price]) lines."""
    items = []
    for name, quantity, *price in lines:
        named: dict[str, Any] = {"sku_id" if name.startswith("sku_") else "product_id": name}
        items.append(OrderItemIn(**named, quantity=quantity, price=price[0] if price else None))
    return price_order(OrderIn(items=items, **order), CATALOG)


def situation(
    order: Order | None, used: dict[str, int] | None = None, customer: str | None = None
) -> Situation:
    """What the scope may look at."""
    return Situation(
        now=NOON,
        zone=ZoneInfo("UTC"),
        order=order,
        used=used or {},
        customer=None if customer is None else Person(id=customer),
        collections={"pc_fruit": FRUIT},
    )


def product(name: str, **fields: Any) -> dict[str, Any]:
    """An entry for a product, SKU or collection, told by its id."""
    kinds = {"pc_": "products_collection", "sku": "sku"}
    return {"object": kinds.get(name[:3], "product"), "id": name, **fields}


def chosen_of(
    order: Order,
    *included: dict[str, Any],
    excluded: list[dict[str, Any]] | None = None,
    everything: bool = False,
    bundles: int | None = None,
    **around: Any,
) -> Chosen:
    """What one scope with these entries chooses."""
    scope = parse_scope({"included": included, "excluded": excluded or [], "included_all": everything})
    return choose([scope], order, situation(order, **around), VOUCHER, bundles)


def units_of(chosen: Chosen) -> list[tuple[int, int]]:
    """(line, units) in the order of choice."""
    return [(target.line, target.units) for target in chosen.targets]


def give(order: Order, chosen: Chosen | None, bundles: int = 1, **discount: Any) -> Effect | Reason:
    """What a discount does with what was chosen."""
    parsed = parse_discount(discount)
    match discount["type"]:
        case "PERCENT":
            return percent_off(parsed, order, None, None, chosen, bundles)
        case "AMOUNT":
            return amount_off(parsed, order, None, chosen, bundles)
        case "FIXED":
            return fixed_amount(parsed, order, None, chosen, bundles)
        case _:
            return units_off(parsed, order, CATALOG, None, chosen, bundles)
