"""Orders as callers send them, and their totals."""

import msgspec
import pytest

from guerdon.engine import (
    CatalogItem,
    EngineError,
    Order,
    OrderIn,
    OrderItemIn,
    catalog_of,
    price_order,
    resume_order,
)

from .build import cart, run, terms

SHIRT = CatalogItem(object="product", id="prod_shirt", source_id="shirt", name="Shirt", price=2000)
LARGE = CatalogItem(
    object="sku", id="sku_large", source_id="shirt", name="L", price=2500, product_id="prod_shirt"
)
PLAIN = CatalogItem(object="sku", id="sku_plain", source_id="plain", product_id="prod_shirt")
CATALOG = catalog_of([SHIRT, LARGE, PLAIN])


def one(**item):
    """The only line of a priced order."""
    return price_order(OrderIn(items=[OrderItemIn(**item)]), CATALOG).items[0]


@pytest.mark.parametrize(
    ("item", "amount"),
    [
        ({"product_id": "prod_shirt", "price": 900, "quantity": 2}, 1800),
        ({"product_id": "prod_shirt", "price": 900, "amount": 5, "quantity": 2}, 1800),
        ({"product_id": "prod_shirt", "amount": 1500, "quantity": 2}, 1500),
        ({"product_id": "prod_shirt", "quantity": 2}, 4000),
        ({"product_id": "prod_shirt"}, 2000),
        ({"source_id": "shirt"}, 2000),
        ({"source_id": "shirt", "related_object": "sku"}, 2500),
        ({"sku_id": "sku_large", "product_id": "prod_shirt"}, 2500),
        ({"sku_id": "sku_plain"}, 2000),
        ({"product_id": "nobody knows", "quantity": 3}, None),
    ],
)
def test_what_a_line_is_worth(item, amount):
    line = one(**item)
    assert line.amount == line.subtotal_amount == amount


def test_prices_within_the_sent_product_and_sku_win_over_stored_ones():
    both = OrderItemIn(product_id="prod_shirt", product={"price": 1}, sku={"price": 2})
    sent = msgspec.json.decode(
        b'{"items":[{"product_id":"prod_shirt","quantity":"3","product":{"price":1900}},'
        b'{"product_id":"prod_shirt","product":{"price":1900},"sku":{"price":100}}]}',
        type=OrderIn,
    )
    assert [item.amount for item in price_order(sent, CATALOG).items] == [5700, 100]
    assert both.quantity is None


def test_a_known_product_is_filled_in_but_what_was_sent_stays():
    line = price_order(
        msgspec.json.decode(b'{"items":[{"source_id":"shirt","product":{"name":"My shirt"}}]}', type=OrderIn),
        CATALOG,
    ).items[0]
    assert (line.product_id, line.product.name, line.product.price) == (
        "prod_shirt",
        "My shirt",
        2000,
    )
    sku = one(source_id="shirt", related_object="sku")
    assert (sku.sku_id, sku.product_id, sku.sku.sku, sku.product.name) == (
        "sku_large",
        "prod_shirt",
        "L",
        "Shirt",
    )


@pytest.mark.parametrize(
    ("sent", "amount"),
    [
        (OrderIn(amount=50, items=[OrderItemIn(price=10, quantity=2)]), 20),
        (OrderIn(amount=50, items=[OrderItemIn(price=10), OrderItemIn()]), 50),
        (OrderIn(amount=5, items=[OrderItemIn(price=10), OrderItemIn()]), 10),
        (OrderIn(items=[OrderItemIn(price=10), OrderItemIn()]), 10),
        (OrderIn(items=[OrderItemIn()]), None),
        (OrderIn(items=[]), None),
        (OrderIn(items=[], amount=7), 7),
        (OrderIn(amount=0), 0),
        (OrderIn(), None),
    ],
)
def test_what_an_order_is_worth(sent, amount):
    order = price_order(sent)
    assert order.amount == order.total_amount == amount


def test_discounts_that_were_sent_count():
    order = price_order(
        OrderIn(
            discount_amount=100, items=[OrderItemIn(price=1000, discount_amount=50), OrderItemIn(price=500)]
        )
    )
    assert (order.discount_amount, order.items_discount_amount, order.total_amount) == (100, 50, 1350)
    assert (order.items[0].subtotal_amount, order.total_applied_discount_amount) == (950, 0)
    after = run(order, terms("PERCENT", percent_off=10)).order
    assert (after.discount_amount, after.applied_discount_amount, after.total_amount) == (235, 135, 1215)


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (
            OrderIn(items=[OrderItemIn(price=1), OrderItemIn(price=2**53 - 1, quantity=2)]),
            "order.items[1].price",
        ),
        (OrderIn(items=[OrderItemIn(price=2**52), OrderItemIn(price=2**52)]), "order.amount"),
        (OrderIn(items=[OrderItemIn(price=5, discount_amount=6)]), "order.items[0].discount_amount"),
        (OrderIn(items=[OrderItemIn(discount_amount=6)]), "order.items[0].discount_amount"),
        (OrderIn(amount=5, discount_amount=6), "order.discount_amount"),
        (OrderIn(discount_amount=6), "order.discount_amount"),
        (OrderIn(items=[OrderItemIn(quantity="1000001")]), "order.items[0].quantity"),
    ],
)
def test_what_does_not_fit_is_named(sent, path):
    with pytest.raises(EngineError) as caught:
        price_order(sent)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "text",
    [
        '{"items":[{"quantity":0}]}',
        '{"items":[{"quantity":-1}]}',
        '{"items":[{"quantity":1000001}]}',
        '{"items":[{"quantity":"0"}]}',
        '{"items":[{"quantity":"1e3"}]}',
        '{"items":[{"quantity":"12345678"}]}',
        '{"items":[{"price":-1}]}',
        '{"items":[{"price":9007199254740992}]}',
        '{"items":[{"amount":1.5}]}',
        '{"items":[{"related_object":"collection"}]}',
        '{"items":[' + ",".join(["{}"] * 501) + "]}",
        '{"amount":-1}',
        '{"amount":"100"}',
        '{"status":"LOST"}',
        "[]",
        "5",
    ],
)
def test_what_is_out_of_bounds_is_not_even_read(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=OrderIn)


def test_nulls_and_unknown_members_are_fine():
    sent = msgspec.json.decode(
        '{"amount":null,"items":[{"quantity":null,"price":7,"color":"red","metadata":null}],"currency":"EUR",'
        '"metadata":null,"customer":null,"source_id":null}',
        type=OrderIn,
    )
    assert price_order(sent).amount == 7


def test_the_wire_leaves_out_what_is_zero_and_keeps_what_is_null():
    wire = msgspec.to_builtins(
        run(cart((700, 1)), terms("AMOUNT", amount_off=1000, effect="APPLY_TO_ITEMS")).order
    )
    assert wire == {
        "object": "order", "source_id": None, "customer_id": None, "referrer_id": None, "amount": 700,
        "items_discount_amount": 700, "total_discount_amount": 700, "total_amount": 0,
        "items_applied_discount_amount": 700, "total_applied_discount_amount": 700,
        "items": [{"object": "order_item", "product_id": "prod_0", "quantity": 1, "amount": 700, "price": 700,
                   "discount_amount": 700, "applied_discount_amount": 700, "subtotal_amount": 0}],
    }  # fmt: skip
    assert msgspec.convert(wire, Order) == msgspec.json.decode(msgspec.json.encode(wire), type=Order)


def test_a_stored_order_is_taken_up_as_it_is():
    stored = run(cart((1000, 1)), terms("UNIT", unit_off=3, unit_type="prod_0")).order
    resumed = resume_order(stored)
    assert resumed.items[0].applied_quantity == resumed.items_applied_discount_amount == 0
    assert (resumed.amount, resumed.initial_amount, resumed.total_amount) == (3000, 1000, 0)
    assert stored.items_applied_discount_amount == 3000
    kept = price_order(OrderIn(items=[OrderItemIn(price=5)]))
    assert resume_order(kept).items[0] is kept.items[0]
