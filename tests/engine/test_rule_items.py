"""Rules on the lines of the order: quantifiers, sub-rules, collections, and the older product and SKU names."""

from typing import Any

import pytest

from guerdon.engine import OrderIn, OrderItemIn, Reason, price_order
from guerdon.engine.conditions import Scene
from guerdon.engine.conditions_items import cover_of, known_of
from guerdon.engine.order import ProductRef, SkuRef
from guerdon.engine.scope import matches_item
from guerdon.engine.situation import Collection
from tests.engine.rules import VOUCHER, a_set, reason, rule, situation

FRUIT = Collection(id="pc_fruit", name="Fruit", members=frozenset({"prod_apple", "prod_pear"}))
CART = price_order(
    OrderIn(
        items=[
            OrderItemIn(product_id="prod_apple", price=100, quantity=2, metadata={"color": "red"}),
            OrderItemIn(
                product_id="prod_pear", price=300, quantity=1, product=ProductRef(metadata={"color": "green"})
            ),
            OrderItemIn(
                sku_id="sku_shirt", price=2000, quantity=1, sku=SkuRef(metadata={"color": "red", "size": 40})
            ),
            OrderItemIn(source_id="cap", related_object="product", price=2000, quantity=3),
        ]
    )
)
AT = situation(CART, collections={"pc_fruit": FRUIT})
IN_FRUIT = [{"id": "pc_fruit", "object": "products_collection"}]
APPLE, SHIRT = [{"id": "prod_apple", "object": "product"}], [{"id": "sku_shirt", "type": "product_or_sku"}]
CAP = [{"source_id": "cap", "object": "product"}]


def subs(*rules: dict[str, Any], logic: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {str(index + 1): each for index, each in enumerate(rules)}
    return body if logic is None else body | {"logic": logic}


QUANTITY, AMOUNT = "order.items.aggregated_quantity", "order.items.aggregated_amount"


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (rule("order.items.any", is_=APPLE), True),
        (rule("order.items.any", is_=CAP), True),
        (rule("order.items.any", is_="sku_shirt"), True),
        (rule("order.items.any", is_="prod_plum"), False),
        (rule("order.items.any", is_=IN_FRUIT), True),
        (rule("order.items.any", is_="pc_unknown"), False),
        (rule("order.items.any", is_=APPLE, from_=["pc_fruit"]), True),
        (rule("order.items.any", is_=SHIRT, from_=["pc_fruit"]), False),
        (rule("order.items.any", is_not=APPLE), True),
        (rule("order.items.any"), True),
        (rule("order.items.none", is_=SHIRT), False),
        (rule("order.items.none", is_="prod_plum"), True),
        (rule("order.items.every", is_=IN_FRUIT), False),
        (rule("order.items.every", is_=IN_FRUIT + SHIRT + CAP), True),
        (rule("order.items.every", is_=IN_FRUIT, from_=IN_FRUIT), True),
        (rule("order.items.cheapest", is_=APPLE), True),
        (rule("order.items.cheapest", is_=SHIRT), False),
        (rule("order.items.most_expensive", is_=SHIRT), True),
        (rule("order.items.most_expensive", is_=CAP), True),
        (rule("order.items.most_expensive", is_="prod_pear", from_=["pc_fruit"]), True),
        (rule("order.items.any", is_=IN_FRUIT, rules=subs(rule(QUANTITY, more_than_or_equal=3))), True),
        (rule("order.items.any", is_=IN_FRUIT, rules=subs(rule(QUANTITY, more_than=3))), False),
        (rule("order.items.any", is_=IN_FRUIT, rules=subs(rule(AMOUNT, is_=500))), True),
        (rule("order.items.any", is_=IN_FRUIT, rules=subs(rule("order.items.price", more_than=250))), True),
        (
            rule("order.items.every", is_=IN_FRUIT, rules=subs(rule("order.items.price", more_than=250))),
            False,
        ),
        (rule("order.items.none", is_=IN_FRUIT, rules=subs(rule("order.items.price", more_than=300))), True),
        (rule("order.items.any", is_=APPLE, rules=subs(rule("order.items.quantity", is_=2))), True),
        (rule("order.items.any", rules=subs(rule("order.items.metadata", "size", is_=40))), True),
        (
            rule(
                "order.items.any", is_=APPLE, rules=subs(rule("order.items.metadata", "color", is_="green"))
            ),
            False,
        ),
        (rule("order.items.metadata", "color", is_="green"), True),
        (rule("order.items.metadata", "color", is_="red", rules=subs(rule(QUANTITY, is_=3))), True),
        (rule("order.items.metadata", "color", is_="red", rules=subs(rule(QUANTITY, is_=4))), False),
        (rule("order.items.price", is_=300), True),
        (rule(AMOUNT, is_=8500), True),
        (rule("order.items.price_any", is_=300), True),
        (rule("order.items.price_any", more_than=2000), False),
        (rule("order.items.price_each", more_than_or_equal=100), True),
        (rule("order.items.price_each", more_than=100), False),
        (rule("order.items.metadata_any", "size", is_=40), True),
        (rule("order.items.metadata_each", "size", is_=40), False),
        (rule("product.id", is_="prod_apple"), True),
        (rule("product.id", is_="sku_shirt"), False),
        (rule("product.id", is_not="prod_apple"), False),
        (rule("product.id", is_not="prod_plum"), True),
        (rule("product.id", is_="prod_apple", rules=subs(rule("product.quantity", more_than=1))), True),
        (rule("product.id", is_="prod_apple", rules=subs(rule("product.price", more_than=100))), False),
        (
            rule("product.id", is_="prod_apple", rules=subs(rule("product.discount_applicable", is_=True))),
            True,
        ),
        (rule("product.price", is_=2000), True),
        (rule("product.quantity", is_=7), True),
        (rule("product.discount_applicable", is_=True), True),
        (rule("product.metadata", "color", is_="green"), True),
        (rule("product.metadata", "color", is_="red"), False),
        (
            rule(
                "product.metadata",
                "color",
                is_="green",
                rules=subs(rule("product.metadata.aggregated_amount", is_=300)),
            ),
            True,
        ),
        (
            rule(
                "product.metadata",
                "color",
                is_="green",
                rules=subs(rule("product.metadata.match_all", is_=True)),
            ),
            False,
        ),
        (
            rule(
                "sku.id",
                is_="sku_shirt",
                rules=subs(rule("sku.price", is_=2000), rule("sku.quantity", is_=1)),
            ),
            True,
        ),
        (rule("sku.id", is_="prod_apple"), False),
        (rule("sku.discount_applicable", is_=True), True),
    ],
)
def test_lines(one: dict[str, Any], holds: bool) -> None:
    assert reason(a_set(one), AT) is (None if holds else Reason.ORDER_RULES_VIOLATED)


@pytest.mark.parametrize(("logic", "holds"), [("1 and 2", False), ("1 or 2", True), ("2", True), ("", True)])
def test_sub_rules_have_logic_too(logic: str, holds: bool) -> None:
    inner = subs(rule("order.items.price", is_=100), rule("order.items.quantity", is_=1), logic=logic)
    assert (reason(a_set(rule("order.items.any", is_=IN_FRUIT, rules=inner)), AT) is None) is holds


def test_sub_rules_ask_of_the_same_line() -> None:
    inner = subs(rule("order.items.price", is_=300), rule("order.items.quantity", is_=2))
    assert (
        reason(a_set(rule("order.items.any", is_=IN_FRUIT, rules=inner)), AT) is Reason.ORDER_RULES_VIOLATED
    )


def test_an_order_without_lines() -> None:
    empty = situation(price_order(OrderIn(items=[], amount=0)))
    assert reason(a_set(rule("order.items.none", is_=APPLE)), empty) is None
    assert reason(a_set(rule("order.items.every", is_=APPLE)), empty) is Reason.ORDER_RULES_VIOLATED
    assert reason(a_set(rule("order.items.price_each", more_than=0)), empty) is Reason.ORDER_RULES_VIOLATED
    assert reason(a_set(rule("order.items.cheapest", is_=APPLE)), empty) is Reason.ORDER_RULES_VIOLATED


def test_rules_and_scopes_agree_on_which_lines_are_meant() -> None:
    assert CART.items is not None
    scene = Scene(VOUCHER, AT)
    known = known_of(scene, CART.items)
    for kind in ("product", "sku", "products_collection"):
        for id in ("prod_apple", "prod_pear", "sku_shirt", "cap", "pc_fruit"):
            found = cover_of([{"id": id, "object": kind}]).lines(scene, known)
            expected = {
                index
                for index, item in enumerate(CART.items)
                if matches_item(kind, id, None, item, AT.collections)
            }
            assert found == expected
