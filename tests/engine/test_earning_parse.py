"""Earning rules as both faces of the API write them; the same program on either side gives the same points."""

from decimal import Decimal

import pytest

from guerdon.engine.durations import Span
from guerdon.engine.earning_cards import parse_card_rules, parse_happy_hours, parse_mapped
from guerdon.engine.earning_parse import parse_earning_rule
from guerdon.engine.earning_parse_v1 import parse_card_rules_v1
from guerdon.engine.earning_rule import (
    BenefitOf,
    CardRules,
    Custom,
    CustomEvent,
    Fixed,
    Frequency,
    HappyHours,
    Multiply,
    OrderPaid,
    PointsCap,
    SegmentEntered,
    TierChanged,
)
from guerdon.engine.entries import Entry
from guerdon.engine.expiry import NoExpiration, Rolling
from guerdon.engine.fault import EngineError
from guerdon.engine.pending import PeriodBased
from guerdon.engine.periods import Period
from guerdon.engine.situation import Person
from guerdon.engine.terms import DailyHours, Terms, ValidityHours

from .build import cart
from .earners import GOLD, at, every, points, run, v1

ORDER = at(
    cart((3300, 1), (1700, 2), metadata={"visits": 25}), customer=Person(id="c", metadata={"visits": 25})
)
SCOPE = {"applicable_to": [{"object": "product", "id": "prod_1"}]}


def v2(effect, trigger=None, **more):
    body = {
        "name": "rule",
        "status": "ACTIVE",
        "trigger": trigger or {"event": "customer.order.paid"},
        "earnings": [{"effects": [effect], **more.pop("earning", {})}],
    }
    return parse_earning_rule(body | more, "ern_1")


def per(kind, outer, inner, v2kind, **numbers):
    """The same proportional rule in v1's and in v2's words."""
    old = v1(
        {
            "type": "PROPORTIONAL",
            "calculation_type": kind,
            outer: {inner: {"every": 10, "points": 3, **numbers}},
        }
    )
    new = dict(numbers)
    if "applicable_to" in new:
        new["applicable_to"] = [
            {"type": each["object"], each["object"]: {"id": each["id"]}} for each in new["applicable_to"]
        ]
    effect = {
        "type": "POINTS_PROPORTIONAL",
        "points_proportional": {
            "calculation_type": v2kind,
            "card_definition_id": GOLD,
            outer: {inner: {"every": 10, "value": 3, **new}},
        },
    }
    return old, v2(effect)


@pytest.mark.parametrize(
    ("kind", "outer", "inner", "v2kind", "numbers", "expected"),
    [
        ("ORDER_AMOUNT", "order", "amount", "PRE_DISCOUNT_ORDER_AMOUNT", {}, 2010),
        ("ORDER_TOTAL_AMOUNT", "order", "total_amount", "POST_DISCOUNT_ORDER_AMOUNT", {}, 2010),
        ("ORDER_METADATA", "order", "metadata", "ORDER_METADATA_VALUE", {"property": "visits"}, 6),
        ("ORDER_ITEMS_AMOUNT", "order_items", "amount", "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT", SCOPE, 1020),
        ("ORDER_ITEMS_SUBTOTAL_AMOUNT", "order_items", "subtotal_amount", "POST_DISCOUNT_ORDER_ITEMS_AMOUNT", SCOPE, 1020),
        ("ORDER_ITEMS_QUANTITY", "order_items", "quantity", "ORDER_ITEMS_QUANTITY", SCOPE, 0),
    ],
)  # fmt: skip
def test_both_faces_count_alike(kind, outer, inner, v2kind, numbers, expected):
    old, new = per(kind, outer, inner, v2kind, **numbers)
    assert old.earnings[0].effects == new.earnings[0].effects
    assert points(old, situation=ORDER) == points(new, situation=ORDER) == expected


def test_fixed_points_with_everything_of_v2():
    rule = v2(
        {
            "type": "POINTS",
            "points": {
                "value": 10,
                "card_definition_id": GOLD,
                "points_expiration": {"type": "NO_EXPIRATION"},
            },
        },
        earning={
            "id": "lernei_1",
            "tier_rules": {
                "type": "ANY_OF",
                "any_of": [{"tier_structure_id": "lts_1", "tier_ids": ["lt_1", "lt_2"]}],
            },
            "rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [100]}}, "logic": "1"},
        },
        start_date="2026-01-01T00:00:00Z",
        end_date="2027-01-01T00:00:00Z",
        validity_hours={
            "type": "DAILY",
            "daily": [{"days_of_week": [0, 6], "start_time": "09:00", "end_time": "17:00"}],
        },
        trigger_limits={
            "cooldown": {
                "type": "FIXED_COOLDOWN",
                "fixed_cooldown": {"period": {"unit": "HOUR", "value": 24}},
            },
            "frequency": {
                "type": "LIMITED",
                "limits": [
                    {
                        "type": "TIME_BASED",
                        "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "QUARTER"}},
                        "triggers": {"max": 4},
                    }
                ],
            },
        },
        caps=[{"max": 1000, "period": "YEAR", "per": "RULE"}, {"max": 50}],
    )
    earning = rule.earnings[0]
    assert (earning.id, earning.tiers) == ("lernei_1", frozenset({"lt_1", "lt_2"}))
    assert earning.effects[0].expiry == NoExpiration() and len(earning.rules) == 1
    assert (rule.cooldown, rule.frequency) == (Span(0, 0, 86400), Frequency("QUARTER", 4))
    assert rule.caps == (PointsCap(1000, "YEAR", per_member=False), PointsCap(50))
    assert rule.terms.validity_hours == ValidityHours([DailyHours("09:00", "17:00", [0, 6])])
    assert rule.terms.start_date.year == 2026 and rule.terms.expiration_date.year == 2027


def test_triggers():
    points = {"type": "POINTS", "points": {"value": 1, "card_definition_id": GOLD}}
    assert v2(points).trigger == OrderPaid()
    assert v2(
        points, {"event": "customer.segment.entered", "segment": {"id": "seg_1"}}
    ).trigger == SegmentEntered("seg_1")
    assert v2(
        points, {"event": "customer.custom_event", "custom_event": {"schema_id": "ms_1"}}
    ).trigger == CustomEvent("ms_1")
    fixed = {"type": "FIXED", "points": 1}
    assert v1(fixed, "customer.segment.entered", segment={"id": "seg_1"}).trigger == SegmentEntered("seg_1")
    assert v1(fixed, "visit", custom_event={"schema_id": "ms_1"}).trigger == CustomEvent("ms_1", "visit")
    assert v1(fixed, "visit").trigger == CustomEvent(name="visit")
    for tier, expected in [("__ANY__", None), ("ltr_1", "ltr_1")]:
        asked = v1(fixed, "customer.loyalty.tier.upgraded", loyalty_tier={"id": tier})
        assert asked.trigger == TierChanged("upgraded", expected)


def test_benefits_and_points_side_by_side():
    body = {
        "status": "ACTIVE",
        "trigger": {"event": "customer.order.paid"},
        "earnings": [
            {
                "id": "lernei_1",
                "effects": [
                    {"type": "BENEFIT", "benefit": {"id": "lben_1"}},
                    {"type": "POINTS", "points": {"value": 5, "card_definition_id": GOLD}},
                ],
            }
        ],
    }
    rule = parse_earning_rule(body, "lern_1")
    assert rule.earnings[0].effects[0].gives == BenefitOf("lben_1")
    got = run(rule)
    assert [each.benefit_id for each in got.granted] == ["lben_1"] and got.points() == 5
    assert got.earned[0].effect == 1


def test_rules_of_v1_with_everything():
    rule = v1(
        {"type": "FIXED", "points": 10, "points_formula": "ORDER_AMOUNT"},
        pending_points={"period_type": "DAY", "period_value": 14},
        expiration_rules={"period_type": "MONTH", "period_value": 3},
        start_date="2026-01-01T00:00:00Z",
        validity_day_of_week=[0],
        source={"banner": "Ten for all"},
    )
    effect = rule.earnings[0].effects[0]
    assert (rule.name, effect.gives) == ("Ten for all", Fixed(10, "ORDER_AMOUNT"))
    assert effect.pending == PeriodBased(Period("DAY", 14))
    assert effect.expiry == Rolling(Period("MONTH", 3))
    assert rule.terms.validity_day_of_week == [0] and points(rule) == 50


def test_v1_names_one_thing_without_a_list():
    one = {"every": 100, "points": 1, "object": "products_collection", "id": "pc_1"}
    rule = v1(
        {"type": "PROPORTIONAL", "calculation_type": "ORDER_ITEMS_AMOUNT", "order_items": {"amount": one}}
    )
    items = (Entry(object="products_collection", id="pc_1"),)
    assert rule.earnings[0].effects[0].gives == every("order_items.amount", 100, items=items)


def test_cards():
    body = {
        "points_expiration": {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "YEAR", "value": 2}}},
        "pending_points": {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 3}}},
        "earning_limits": {
            "global": {
                "type": "LIMITED",
                "limits": [
                    {
                        "type": "TIME_BASED",
                        "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "WEEK"}},
                        "points": {"max": 700},
                    }
                ],
            },
            "transactions": {
                "type": "LIMITED",
                "limits": [{"type": "POINTS", "max": 100}, {"type": "SPENDING", "min_amount": 500}],
            },
        },
    }  # fmt: skip
    assert parse_card_rules(body, GOLD) == CardRules(
        id=GOLD,
        expiry=Rolling(Period("YEAR", 2)),
        pending=PeriodBased(Period("DAY", 3)),
        most_in_period=700,
        period="WEEK",
        most_at_once=100,
        least_amount=500,
    )
    limits = {
        "global": {"type": "LIMITED", "limits": [{"type": "BALANCE_BASED", "max": 5}]},
        "transactions": {"type": "NO_LIMIT"},
    }
    assert parse_card_rules({"earning_limits": limits}, GOLD) == CardRules(id=GOLD, most_balance=5)
    assert parse_card_rules({}, GOLD) == parse_card_rules_v1({"points": 0}, GOLD) == CardRules(id=GOLD)
    old = parse_card_rules_v1(
        {"points": 0, "expiration_rules": {"period_type": "MONTH", "period_value": 24}}, GOLD
    )
    assert old.expiry == Rolling(Period("MONTH", 24))


def test_maps_and_happy_hours():
    assert parse_mapped({"type": "MULTIPLY", "multiplier": "2"} | {"multiplier": 0.1}, "m") == Multiply(
        Decimal("0.1")
    )
    assert parse_mapped({"type": "CUSTOM", "points": 0}, "m") == Custom(0)
    body = {"name": "lunch", "multiplier": 1.5, "earning_rules": ["ern_1"], "validity_day_of_week": [1]}
    assert parse_happy_hours(body, "happy_hours[0]") == HappyHours(
        multiplier=Decimal("1.5"),
        terms=Terms(validity_day_of_week=[1]),
        name="lunch",
        rules=frozenset({"ern_1"}),
    )
    for multiplier in (-1, 1001, "2", None, True, 0.1234567):
        with pytest.raises(EngineError) as caught:
            parse_mapped({"type": "MULTIPLY", "multiplier": multiplier}, "m")
        assert caught.value.path == "m.multiplier"


FIXED = {"type": "POINTS", "points": {"value": 1, "card_definition_id": GOLD}}
AMOUNT = {"order": {"amount": {"every": 1, "value": 1}}}


def proportional(kind="PRE_DISCOUNT_ORDER_AMOUNT", **more):
    body = {"calculation_type": kind, "card_definition_id": GOLD} | (more or AMOUNT)
    return {"type": "POINTS_PROPORTIONAL", "points_proportional": body}


HERE = "earnings[0].effects[0].points_proportional"


@pytest.mark.parametrize(
    ("effect", "more", "path"),
    [
        ({"type": "GIFT"}, {}, "earnings[0].effects[0].type"),
        ({"type": "POINTS", "points": {"value": -1}}, {}, "earnings[0].effects[0].points.value"),
        ({"type": "POINTS", "points": {"value": 2**53}}, {}, "earnings[0].effects[0].points.value"),
        ({"type": "POINTS", "points": {"value": 1}}, {}, "earnings[0].effects[0].points.card_definition_id"),
        (proportional("BY_WEIGHT"), {}, f"{HERE}.calculation_type"),
        (proportional(order={"amount": {"every": 0, "value": 1}}), {}, f"{HERE}.order.amount.every"),
        (proportional(order={"amount": {"every": 1, "value": "1"}}), {}, f"{HERE}.order.amount.value"),
        (proportional("ORDER_METADATA_VALUE", order={"metadata": {"every": 1, "value": 1}}), {}, f"{HERE}.order.metadata.property"),
        (proportional("ORDER_ITEMS_QUANTITY", order_items={"quantity": {"every": 1, "value": 1}}), {}, f"{HERE}.order_items.quantity.applicable_to"),
        (proportional(), {"trigger": {"event": "customer.segment.entered", "segment": {"id": "seg_1"}}}, f"{HERE}.calculation_type"),
        (FIXED, {"trigger": {"event": "customer.born"}}, "trigger.event"),
        (FIXED, {"trigger": {"event": "customer.custom_event"}}, "trigger.custom_event"),
        (FIXED, {"earning": {"rules": {"1": {"name": "order.colour"}}}}, "earnings[0].rules.1.name"),
        (FIXED, {"earning": {"tier_rules": {"type": "ANY_OF"}}}, "earnings[0].tier_rules.any_of"),
        (FIXED, {"validity_hours": {"type": "DAILY"}}, "validity_hours.daily"),
        (FIXED, {"start_date": "2027-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "end_date"),
        (FIXED, {"trigger_limits": {"cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "HOUR", "value": 25}}}}}, "trigger_limits.cooldown.fixed_cooldown.period.value"),
        (FIXED, {"trigger_limits": {"frequency": {"type": "LIMITED", "limits": []}}}, "trigger_limits.frequency.limits"),
        (FIXED, {"caps": [{"max": 1, "per": "FAMILY"}]}, "caps[0].per"),
    ],
)  # fmt: skip
def test_faults_are_told_by_their_path(effect, more, path):
    with pytest.raises(EngineError) as caught:
        v2(effect, **more)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("loyalty", "more", "path"),
    [
        ({"type": "SOME"}, {}, "loyalty.type"),
        ({"type": "FIXED"}, {}, "loyalty.points"),
        ({"type": "FIXED", "points": 1, "points_formula": "IF("}, {}, "loyalty.points_formula"),
        ({"type": "FIXED", "points": 1}, {"event": "visit", "pending_points": {"period_type": "DAY", "period_value": 1}}, "pending_points"),
        ({"type": "FIXED", "points": 1}, {"event": "customer.segment.entered"}, "segment"),
        ({"type": "PROPORTIONAL", "calculation_type": "CUSTOMER_METADATA", "customer": {}}, {}, "loyalty.calculation_type"),
        ({"type": "PROPORTIONAL", "calculation_type": "ORDER_ITEMS_AMOUNT", "order_items": {"amount": {"every": 1, "points": 1}}}, {}, "loyalty.order_items.amount.applicable_to"),
    ],
)  # fmt: skip
def test_faults_of_v1_are_told_by_their_path(loyalty, more, path):
    with pytest.raises(EngineError) as caught:
        v1(loyalty, **more)
    assert caught.value.path == path
