"""Small orders, terms and decisions for the engine's tests."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine import (
    DEFAULT_STACKING,
    CatalogItem,
    Decision,
    Facts,
    Order,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    catalog_of,
    decide,
    parse_discount,
    price_order,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def cart(*lines: tuple[int, int], **order: Any) -> Order:
    """A priced order of (unit price, quantity) lines for products prod_0, prod_1, …"""
    items = [
        OrderItemIn(product_id=f"prod_{index}", price=price, quantity=quantity)
        for index, (price, quantity) in enumerate(lines)
    ]
    return price_order(OrderIn(items=items or None, **order))


def terms(kind: str | None = None, **fields: Any) -> Terms:
    """Terms of a discount; ``terms("AMOUNT", amount_off=500)``."""
    return Terms(discount=None if kind is None else parse_discount({"type": kind, **fields}))


def run(
    order: Order | None,
    *all_terms: Terms,
    catalog: tuple[CatalogItem, ...] = (),
    stacking: StackingRules = DEFAULT_STACKING,
    now: datetime = NOON,
    explain: bool = False,
    redeemables: list[Redeemable] | None = None,
) -> Decision:
    """A decision over vouchers A, B, C … with these terms."""
    asked = redeemables or [
        Redeemable(id=chr(65 + index), terms=each) for index, each in enumerate(all_terms)
    ]
    return decide(
        Facts(
            redeemables=asked,
            situation=Situation(now=now, order=order, zone=ZoneInfo("Europe/Warsaw")),
            stacking=stacking,
            catalog=catalog_of(catalog),
            explain=explain,
        )
    )


def line_discounts(order: Order | None) -> list[int]:
    """The discount of every line."""
    assert order is not None and order.items is not None
    return [item.discount_amount for item in order.items]


def keys(decision: Decision) -> list[str | None]:
    """The key of every outcome's reason."""
    return [outcome.reason and outcome.reason.key for outcome in decision.outcomes]
