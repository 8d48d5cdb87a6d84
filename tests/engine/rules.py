"""Small situations and rule sets for the tests of rules."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine import Check, Order, Reason
from guerdon.engine.checks import Redeemable
from guerdon.engine.rule import Result, RuleSet, check_rules, parse_rule_set
from guerdon.engine.situation import Person, Situation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Warsaw")
ANNA = Person(
    id="cust_1",
    metadata={
        "vip": True,
        "age": 31,
        "city": "Graz",
        "tags": ["a", "b"],
        "joined": "2026-11-20",
        "gone": None,
    },
    segments=frozenset({"seg_1", "seg_2"}),
    loyalty_tiers=frozenset({"tier_gold"}),
)
VOUCHER = Redeemable(id="CODE", key="v_1", campaign_id="camp_1")


def rule(name: str, property: str | None = None, rules: Any = None, **conditions: Any) -> dict[str, Any]:
    """A rule as JSON: ``rule("order.amount", more_than=500)``."""
    operands = {
        f"${key.rstrip('_')}": value if isinstance(value, list) else [value]
        for key, value in conditions.items()
    }
    body: dict[str, Any] = {"name": name, "conditions": operands}
    if property is not None:
        body["property"] = property
    return body | ({} if rules is None else {"rules": rules})


def a_set(*rules: dict[str, Any], logic: str | None = None, **more: Any) -> RuleSet:
    """A rule set of rules 1, 2, 3 …"""
    body: dict[str, Any] = {str(index + 1): each for index, each in enumerate(rules)}
    if logic is not None:
        body["logic"] = logic
    return parse_rule_set({"rules": body, **more}, id="val_1")


def situation(order: Order | None = None, customer: Person | None = ANNA, **more: Any) -> Situation:
    """Anna's redemption on a Sunday noon."""
    return Situation(
        now=NOW, zone=ZONE, order=order, initial=more.pop("initial", order), customer=customer, **more
    )


def reason(
    rules: RuleSet,
    at: Situation,
    redeemable: Redeemable = VOUCHER,
    result: Result | None = None,
) -> Reason | None:
    """Why it does not hold; the trace must not make a difference."""
    plain = check_rules(rules, redeemable, at, result, None)
    traced: list[Check] = []
    assert check_rules(rules, redeemable, at, result, traced) == plain
    assert bool(traced) == (rules.logic is not None)
    return None if plain is None else plain[0]


def trace_of(
    rules: RuleSet, at: Situation, redeemable: Redeemable = VOUCHER, result: Result | None = None
) -> list[Check]:
    """All that was noted."""
    trace: list[Check] = []
    check_rules(rules, redeemable, at, result, trace)
    return trace
