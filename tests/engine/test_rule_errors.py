"""Rule sets that are refused, each with the path of what is wrong."""

from typing import Any

import pytest

from guerdon.engine import EngineError
from guerdon.engine.rule import parse_rule_set
from tests.engine.rules import rule

AMOUNT = rule("order.amount", more_than=1)


def deep(levels: int) -> dict[str, Any]:
    body = rule("customer.segment", is_="seg")
    for _ in range(levels):
        body = rule("customer.segment", is_="seg", rules={"1": body})
    return body


def cyclic() -> dict[str, Any]:
    body = rule("customer.segment", is_="seg")
    body["rules"] = {"1": body}
    return body


def subbed(sub: Any) -> dict[str, Any]:
    return rule("order.items.any", is_="prod", rules={"1": sub})


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ("x", "rules"),
        ({"1": "x"}, "rules.1"),
        ({"1": {}}, "rules.1.name"),
        ({"1": rule("order.colour", is_=1)}, "rules.1.name"),
        ({"a b": {"name": 7}}, "rules.a b.name"),
        ({"1": {"name": "order.amount"}}, "rules.1.conditions"),
        ({"1": {"name": "order.amount", "conditions": ["x"]}}, "rules.1.conditions"),
        ({"1": rule("order.amount", one_of=1)}, "rules.1.conditions.$one_of"),
        ({"1": rule("order.amount", starts_with="1")}, "rules.1.conditions.$starts_with"),
        ({"1": rule("customer.segment", more_than=1)}, "rules.1.conditions.$more_than"),
        ({"1": rule("order.amount", is_="many")}, "rules.1.conditions.$is[0]"),
        ({"1": rule("order.amount", is_=[1, "many"])}, "rules.1.conditions.$is[1]"),
        ({"1": rule("order.amount", more_than=[1, 2])}, "rules.1.conditions.$more_than"),
        ({"1": rule("order.amount", is_=[])}, "rules.1.conditions.$is"),
        ({"1": rule("order.amount", is_=[1] * 1001)}, "rules.1.conditions.$is"),
        ({"1": {"name": "order.amount", "conditions": {"$is": 5}}}, "rules.1.conditions.$is"),
        ({"1": rule("customer.segment", is_=7)}, "rules.1.conditions.$is[0]"),
        ({"1": rule("customer.metadata", is_=7)}, "rules.1.property"),
        ({"1": rule("custom_event.metadata", "", is_=7)}, "rules.1.property"),
        ({"1": AMOUNT | {"property": 7}}, "rules.1.property"),
        ({"1": rule("publication.redeemable_by_linked_customer", is_="maybe")}, "rules.1.conditions.$is[0]"),
        (
            {"1": rule("campaign.redemptions.count", less_than_or_equal=0)},
            "rules.1.conditions.$less_than_or_equal[0]",
        ),
        ({"1": rule("campaign.redemptions.count", less_than=1)}, "rules.1.conditions.$less_than[0]"),
        ({"1": rule("campaign.orders.amount", less_than=-5)}, "rules.1.conditions.$less_than[0]"),
        ({"1": rule("redemption.count.daily", less_than=1.5)}, "rules.1.conditions.$less_than[0]"),
        ({"1": rule("redemption.count.daily", less_than="2026-01-01")}, "rules.1.conditions.$less_than[0]"),
        ({"1": rule("order.items.any", is_=[{}])}, "rules.1.conditions.$is[0]"),
        ({"1": rule("order.items.any", is_=[7])}, "rules.1.conditions.$is[0]"),
        (
            {"1": rule("order.items.any", is_=[{"id": "x", "object": "hat"}])},
            "rules.1.conditions.$is[0].object",
        ),
        ({"1": rule("order.items.any", is_=[{"id": "x", "type": "hat"}])}, "rules.1.conditions.$is[0].type"),
        ({"1": rule("order.items.any", is_=[f"pc_{n}" for n in range(51)])}, "rules.1.conditions.$is"),
        ({"1": rule("order.items.any", contains="x")}, "rules.1.conditions.$contains"),
        ({"1": subbed(AMOUNT)}, "rules.1.rules.1.name"),
        ({"1": subbed(rule("product.price", is_=1))}, "rules.1.rules.1.name"),
        ({"1": subbed(rule("order.items.metadata", is_=1))}, "rules.1.rules.1.property"),
        ({"1": subbed("x")}, "rules.1.rules.1"),
        (
            {"1": rule("order.items.any", rules={"1": rule("order.items.price", is_=1), "logic": "2"})},
            "rules.1.rules.logic",
        ),
        ({"1": AMOUNT | {"error": "no"}}, "rules.1.error"),
        ({"1": AMOUNT | {"error": {"message": 7}}}, "rules.1.error.message"),
        ({"1": AMOUNT, "logic": "1 and 2"}, "rules.logic"),
        ({"1": AMOUNT, "logic": "1 and"}, "rules.logic"),
        ({"1": AMOUNT, "logic": ["1"]}, "rules.logic"),
        ({"1": deep(6)}, "rules.1.rules.1.rules.1.rules.1.rules.1.rules.1.rules"),
        ({"1": cyclic()}, "rules.1.rules.1.rules.1.rules.1.rules.1.rules.1.rules"),
        ({str(n): AMOUNT for n in range(101)}, "rules"),
        (
            {str(n): rule("customer.metadata", "x", contains=["a"] * 30) for n in range(4)},
            "rules.3.conditions.$contains",
        ),
    ],
)
def test_refuses(rules: Any, path: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_rule_set({"rules": rules})
    assert caught.value.path == path
    assert caught.value.key == "invalid_validation_rules"
    assert caught.value.message


def test_parts_of_the_set_have_their_paths() -> None:
    for body, path in (
        ({"error": 7}, "error"),
        ({"applicable_to": {"included": [{"object": "hat", "id": "x"}]}}, "applicable_to.included[0].object"),
    ):
        with pytest.raises(EngineError) as caught:
            parse_rule_set(body)
        assert caught.value.path == path


def test_accepts_what_is_just_small_enough() -> None:
    assert parse_rule_set({"rules": {"1": deep(5)}}).conditions
    assert len(parse_rule_set({"rules": {str(n): AMOUNT for n in range(100)}}).conditions) == 100


def test_accepts_empty_parts() -> None:
    body = {
        "name": "order.amount",
        "property": None,
        "rules": {},
        "error": None,
        "conditions": {"$less_than": [4000]},
    }
    raw = {
        "rules": {"1": body, "logic": "1"},
        "error": {"message": None},
        "applicable_to": {"excluded": [], "included": [], "included_all": False},
        "bundle_rules": {},
    }
    assert parse_rule_set(raw).error is None
