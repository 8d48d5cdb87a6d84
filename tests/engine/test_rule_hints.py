"""The trace of rules: every condition is noted, with what it saw and the nearest change."""

from typing import Any

import pytest
from msgspec import json

from guerdon.engine import OrderIn, OrderItemIn, price_order
from guerdon.engine.situation import Collection
from guerdon.engine.tally import LIMITS, key_asked
from tests.engine.rules import VOUCHER, a_set, rule, situation, trace_of

FRUIT = Collection(id="pc_fruit", name="Fruit", members=frozenset({"prod_apple"}))
CART = price_order(OrderIn(items=[OrderItemIn(product_id="prod_apple", price=1680, quantity=1)]))
AT = situation(CART, collections={"pc_fruit": FRUIT})
IN_FRUIT = [{"id": "pc_fruit", "object": "products_collection"}]


def of_fruit(name: str, **conditions: Any) -> dict[str, Any]:
    return rule("order.items.any", is_=IN_FRUIT, rules={"1": rule(name, **conditions)})


@pytest.mark.parametrize(
    ("one", "hints"),
    [
        (rule("order.amount", more_than_or_equal=2000), ["add 3.20 to the order"]),
        (rule("order.amount", more_than=2000), ["add 3.21 to the order"]),
        (rule("order.amount", less_than=1000), ["take 6.81 out of the order"]),
        (rule("order.amount", is_=2000), ["add 3.20 to the order"]),
        (rule("order.items.count", more_than=1), ["1 more unit in the order"]),
        (rule("order.items.count", more_than=2), ["2 more units in the order"]),
        (rule("order.items.price_any", more_than_or_equal=1700), ["a unit price higher by 0.20"]),
        (of_fruit("order.items.aggregated_quantity", more_than=1), [None, "1 more of Fruit"]),
        (of_fruit("order.items.aggregated_quantity", less_than_or_equal=0), [None, "1 fewer of Fruit"]),
        (of_fruit("order.items.aggregated_amount", more_than_or_equal=2000), [None, "add 3.20 of Fruit"]),
        (rule("order.items.any", is_="prod_pear"), ["1 of prod_pear"]),
        (rule("order.items.every", is_="prod_pear"), ["nothing but prod_pear in the order"]),
        (rule("order.items.none", is_=IN_FRUIT), ["no Fruit in the order"]),
        (rule("order.items.any", is_not=IN_FRUIT), ["something else than Fruit"]),
        (rule("customer.segment", is_="seg_9"), ["a customer in seg_9"]),
        (rule("customer.segment", is_not="seg_1"), ["a customer out of seg_1"]),
        (rule("customer.metadata", "city", is_="Wien"), ["city is Wien"]),
        (rule("customer.metadata", "joined", after="2026-12-01"), ["joined after 2026-12-01"]),
        (rule("order.amount", more_than=1), [None]),
    ],
)
def test_hints(one: dict[str, Any], hints: list[str | None]) -> None:
    assert [check.hint for check in trace_of(a_set(one), AT)] == hints


def test_hints_write_money_with_the_decimals_of_the_currency() -> None:
    for exponent, hint in ((0, "add 320 to the order"), (3, "add 0.320 to the order")):
        at = situation(CART, exponent=exponent)
        assert trace_of(a_set(rule("order.amount", more_than_or_equal=2000)), at)[0].hint == hint


@pytest.mark.parametrize(
    ("name", "used", "hint"),
    [
        ("redemption.count.daily", 1, "2 redemptions left today"),
        ("redemption.count.daily", 3, "opens Monday 00:00"),
        ("redemption.count.weekly", 3, "opens Monday 00:00"),
        ("redemption.count.monthly", 2, "1 redemption left this month"),
        ("redemption.count.monthly", 3, "opens 1 December 2026 00:00"),
        ("campaign.redemptions.count", 3, "the limit is used up"),
        ("campaign.orders.amount_discounted", 1, "0.02 of discount left"),
    ],
)
def test_limits_say_what_is_left_or_when_they_open(name: str, used: int, hint: str) -> None:
    key = key_asked(name, VOUCHER, AT)
    at = situation(CART, used={key or "": used})
    check = trace_of(a_set(rule(name, less_than_or_equal=3)), at)[0]
    assert check.hint == hint
    assert check.seen == {"used": used, "with_this": used + (LIMITS[name].measure == "n")}


def test_all_branches_are_shown() -> None:
    rules = a_set(
        rule("order.amount", more_than=1),
        rule("customer.segment", is_="seg_9"),
        rule("order.metadata", "x", is_=1),
        logic="1 or 2",
    )
    trace = trace_of(rules, AT)
    assert [(check.check, check.outcome) for check in trace] == [
        ("order.amount", "passed"),
        ("customer.segment", "failed"),
        ("logic", "passed"),
    ]
    assert trace[0].asked == {"rule": "val_1", "key": "1", "$more_than": (1,)}
    assert trace[1].seen == ["seg_1", "seg_2"]
    assert trace[2].seen == {"1": True, "2": False}
    assert json.encode(trace)


def test_what_is_missing_is_asked_for() -> None:
    nobody = situation(None, None)
    rules = a_set(
        rule("customer.segment", is_="s"),
        rule("order.amount", is_=1),
        rule("redemption.count.per_customer", less_than=9),
    )
    assert [check.hint for check in trace_of(rules, nobody)][:3] == [
        "say who the customer is",
        "send an order with its amount",
        "say who the customer is",
    ]
    no_items = situation(price_order(OrderIn(amount=5)))
    assert (
        trace_of(a_set(rule("order.items.any", is_="p")), no_items)[0].hint == "send the items of the order"
    )
