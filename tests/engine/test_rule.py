"""Rules on the customer, the order and the redemption: what holds, and the reason when it does not."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from guerdon.engine import OrderIn, Reason, price_order
from guerdon.engine.judging import NAMES
from guerdon.engine.operators import OPERATORS
from guerdon.engine.rule import Result, RuleSet, check_rules, parse_rule_set
from tests.engine.build import cart
from tests.engine.rules import ANNA, VOUCHER, a_set, reason, rule, situation

CART = cart((2000, 1), (1500, 2), metadata={"shop": {"city": "Graz"}, "place": "Santorini"})
PUBLISHED = {
    "customer.segment",
    "customer.metadata",
    "customer.loyalty.tier",
    "order.amount",
    "order.total_amount",
    "order.initial_amount",
    "order.metadata",
    "order.items.count",
    "order.items.price_any",
    "order.items.price_each",
    "order.items.metadata_any",
    "order.items.metadata_each",
    "order.items.any",
    "order.items.every",
    "order.items.none",
    "order.items.cheapest",
    "order.items.most_expensive",
    "order.items.aggregated_amount",
    "order.items.aggregated_quantity",
    "order.items.price",
    "order.items.quantity",
    "order.items.metadata",
    "campaign.orders.amount",
    "campaign.orders.amount_discounted",
    "campaign.redemptions.count",
    "campaign.redemptions.count.daily",
    "campaign.redemptions.count.weekly",
    "campaign.redemptions.count.monthly",
    "campaign.redemptions.customers_count",
    "campaign.redemptions.customers_count.daily",
    "campaign.redemptions.customers_count.weekly",
    "campaign.redemptions.customers_count.monthly",
    "redemption.gift.amount",
    "redemption.count.daily",
    "redemption.count.weekly",
    "redemption.count.monthly",
    "redemption.count.per_customer",
    "redemption.count.per_customer.daily",
    "redemption.count.per_customer.weekly",
    "redemption.count.per_customer.monthly",
    "redemption.api_key",
    "redemption.count.per_api_key",
    "redemption.user.login",
    "redemption.count.per_user",
    "redemption.metadata",
    "redemption.reward.pay_with_points.points_used",
    "product.id",
    "product.price",
    "product.quantity",
    "product.discount_applicable",
    "product.metadata",
    "product.metadata.aggregated_quantity",
    "product.metadata.aggregated_amount",
    "product.metadata.discount_applicable",
    "product.metadata.match_all",
    "sku.id",
    "sku.price",
    "sku.quantity",
    "sku.discount_applicable",
    "publication.redeemable_by_linked_customer",
    "custom_event.metadata",
}
CUSTOMER, ORDER, REDEMPTION = (
    Reason.CUSTOMER_RULES_VIOLATED,
    Reason.ORDER_RULES_VIOLATED,
    Reason.REDEMPTION_RULES_VIOLATED,
)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (rule("customer.segment", is_="seg_1"), None),
        (rule("customer.segment", is_=["seg_9", "seg_2"]), None),
        (rule("customer.segment", is_="seg_9"), CUSTOMER),
        (rule("customer.segment", is_not="seg_1"), CUSTOMER),
        (rule("customer.segment", is_not="seg_9"), None),
        (rule("customer.loyalty.tier", in_="tier_gold"), None),
        (rule("customer.loyalty.tier", in_="tier_blue"), CUSTOMER),
        (rule("customer.metadata", "vip", is_=True), None),
        (rule("customer.metadata", "age", more_than=30), None),
        (rule("customer.metadata", "age", more_than=30, less_than=31), CUSTOMER),
        (rule("customer.metadata", "tags", count=2), None),
        (rule("customer.metadata", "joined", is_days_ago=2), None),
        (rule("customer.metadata", "unknown", is_not="x"), None),
        (rule("customer.metadata", "gone", is_="x"), CUSTOMER),
        (rule("order.amount", more_than=4999), None),
        (rule("order.amount", more_than=5000), ORDER),
        (rule("order.amount", is_=5000), None),
        (rule("order.initial_amount", less_than_or_equal=5000), None),
        (rule("order.metadata", "place", is_="Santorini"), None),
        (rule("order.metadata", "shop.city", starts_with="Gr"), None),
        (rule("order.metadata", "shop.street", starts_with="Gr"), ORDER),
        (rule("order.items.count", is_=3), None),
        (rule("order.items.count", more_than=3), ORDER),
        (rule("redemption.metadata", "channel", is_="app"), None),
        (rule("redemption.metadata", "channel", is_="web"), REDEMPTION),
        (rule("redemption.api_key", is_="key-1"), None),
        (rule("redemption.api_key", is_="key-2"), REDEMPTION),
        (rule("redemption.user.login", ends_with="@shop.example"), REDEMPTION),
        (rule("redemption.gift.amount", less_than_or_equal=500), None),
        (rule("redemption.reward.pay_with_points.points_used", less_than=5), None),
        (rule("publication.redeemable_by_linked_customer", is_=False), None),
        (rule("publication.redeemable_by_linked_customer", is_=True), REDEMPTION),
        (rule("custom_event.metadata", "x", is_not="y"), REDEMPTION),
    ],
)
def test_facts(one: dict[str, Any], expected: Reason | None) -> None:
    at = situation(CART, metadata={"channel": "app"}, api_key="key-1")
    assert reason(a_set(one), at) is expected


@pytest.mark.parametrize(
    ("one", "missing"),
    [
        (rule("customer.segment", is_not="seg_1"), Reason.MISSING_CUSTOMER),
        (rule("customer.metadata", "vip", is_=True), Reason.MISSING_CUSTOMER),
        (rule("redemption.count.per_customer", less_than_or_equal=1), Reason.MISSING_CUSTOMER),
        (rule("publication.redeemable_by_linked_customer", is_=True), Reason.MISSING_CUSTOMER),
        (rule("order.amount", more_than=1), Reason.MISSING_ORDER),
        (rule("order.metadata", "x", is_not=1), Reason.MISSING_ORDER),
        (rule("order.items.any", is_="prod_1"), Reason.MISSING_ORDER),
        (rule("campaign.orders.amount", less_than=10), Reason.MISSING_ORDER),
    ],
)
def test_what_is_missing_is_said(one: dict[str, Any], missing: Reason) -> None:
    assert reason(a_set(one), situation(customer=None)) is missing


def test_parts_of_an_order_may_be_missing() -> None:
    empty = situation(price_order(OrderIn()))
    assert reason(a_set(rule("order.amount", more_than=1)), empty) is Reason.MISSING_AMOUNT
    assert reason(a_set(rule("order.initial_amount", more_than=1)), empty) is Reason.MISSING_AMOUNT
    assert reason(a_set(rule("order.items.count", less_than=1)), empty) is Reason.MISSING_ORDER_ITEMS
    assert reason(a_set(rule("order.items.none", is_="p")), empty) is Reason.MISSING_ORDER_ITEMS


def test_amounts_see_the_running_order_the_first_and_the_result() -> None:
    running = replace(CART, total_amount=4500, total_discount_amount=500)
    at = situation(running, initial=CART)
    assert reason(a_set(rule("order.amount", less_than=4501)), at) is None
    assert reason(a_set(rule("order.initial_amount", is_=5000)), at) is None
    total = a_set(rule("order.total_amount", more_than_or_equal=4200))
    assert total.after
    assert reason(total, at, result=Result(replace(CART, total_amount=4100), 400)) is ORDER
    assert reason(total, at, result=Result(replace(CART, total_amount=4200), 300)) is None
    assert not a_set(rule("order.amount", more_than=1)).after


def test_only_the_holder() -> None:
    asked = a_set(rule("publication.redeemable_by_linked_customer", is_=True))
    assert reason(asked, situation(), replace(VOUCHER, holder_id="cust_1")) is None
    assert reason(asked, situation(), replace(VOUCHER, holder_id="cust_2")) is REDEMPTION
    assert asked.asks_customer


def test_custom_errors_of_the_rule_before_those_of_the_set() -> None:
    amount = rule("order.amount", more_than=9000) | {"error": {"message": "Too small"}}
    place = rule("order.metadata", "place", is_="Oia")

    def text(rules: RuleSet) -> str | None:
        refusal = check_rules(rules, VOUCHER, situation(CART), None, None)
        assert refusal is not None and refusal[0] is ORDER
        return refusal[1]

    assert text(a_set(amount, place, error={"message": "No"})) == "Too small"
    assert text(a_set(place, amount, error={"message": "No"})) == "No"
    assert text(a_set(place)) is None
    several = rule("order.items.count", more_than=4) | {"error": {"message": "Too few"}}
    assert text(a_set(rule("order.metadata", "place", is_not="x", rules={"1": several}))) == "Too few"


@pytest.mark.parametrize(
    ("logic", "holds"),
    [
        ("1 or 2", True),
        ("1 and 2", False),
        ("2", False),
        ("1", True),
        ("", True),
        (None, False),
        ("1 or 2 and 2", True),
    ],
)
def test_logic(logic: str | None, holds: bool) -> None:
    rules = a_set(rule("order.amount", more_than=1), rule("order.amount", more_than=9000), logic=logic)
    assert (reason(rules, situation(CART)) is None) is holds


def test_nested_rules_must_hold_too() -> None:
    nested = {"1": rule("order.amount", more_than=9000)}
    assert reason(a_set(rule("customer.segment", rules=nested, is_="seg_1")), situation(CART)) is ORDER


def test_what_a_set_names() -> None:
    rules = parse_rule_set(
        {
            "name": "Named",
            "rules": {
                "1": rule("customer.segment", is_=["seg_1", "seg_2"]),
                "2": rule("campaign.redemptions.count.daily", less_than=5),
                "3": rule(
                    "order.items.any", is_=[{"id": "pc_1", "object": "products_collection"}], from_=["pc_2"]
                ),
                "9": rule("campaign.orders.amount_discounted", less_than=5),
                "logic": "1 and (2 or 3)",
            },
        }
    )
    assert rules.name == "Named"
    assert rules.segments == {"seg_1", "seg_2"}
    assert rules.collections == {"pc_1", "pc_2"}
    assert rules.limits == {"campaign.redemptions.count.daily"}
    assert rules.asks_customer and not rules.after


def test_every_name_is_known_by_its_group() -> None:
    assert set(NAMES) == PUBLISHED
    assert {fact.group for name, fact in NAMES.items() if name.startswith("customer.")} == {"customer"}
    assert {
        fact.group for name, fact in NAMES.items() if name.startswith(("order.", "product.", "sku."))
    } == {"order"}


def test_nobody_is_asked_without_conditions() -> None:
    assert parse_rule_set({}).logic is None
    assert reason(parse_rule_set({"rules": {"logic": ""}}), situation(None, None)) is None
    assert ANNA.segments


def test_the_page_on_rules_has_every_name_and_operator() -> None:
    page = (Path(__file__).parents[2] / "docs/concepts/validation-rules.md").read_text(encoding="utf-8")
    assert [name for name in (*NAMES, *OPERATORS) if f"| `{name}`" not in page] == []
