"""Whatever stands in a definition of loyalty: it is read, or refused with a path; nothing else is ever raised."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine.earning import compile_program
from guerdon.engine.earning_cards import parse_card_rules, parse_happy_hours, parse_mapped
from guerdon.engine.earning_parse import parse_earning_rule
from guerdon.engine.earning_parse_v1 import parse_card_rules_v1, parse_earning_rule_v1
from guerdon.engine.earning_rule import CardRules, EarningRule
from guerdon.engine.expiry_parse import parse_expiration_rules, parse_expiry, parse_pending, parse_pending_v1
from guerdon.engine.fault import EngineError
from guerdon.engine.tier import Tier, TierStructure
from guerdon.engine.tier_parse import parse_tier, parse_tier_structure, parse_tier_v1, parse_tiers_expiration

from .draw import law

ITEMS = {
    "amount": {
        "every": 100,
        "points": 1,
        "value": 1,
        "applicable_to": [{"type": "product", "object": "product", "id": "p", "product": {"id": "p"}}],
    }
}
CURRENT = {"type": "CURRENT_PERIOD", "current_period": {"unit": "WEEK"}}
EXPIRY = {
    "type": "ROLLING_EXPIRATION",
    "rolling_expiration": {
        "period": {"unit": "MONTH", "value": 3},
        "rounding": {"type": "END_OF_PARTICULAR_MONTH", "value": 3},
    },
}
RULE = {
    "name": "r",
    "status": "ACTIVE",
    "trigger": {"event": "customer.order.paid", "segment": {"id": "s"}, "custom_event": {"schema_id": "ms"}},
    "earnings": [
        {
            "id": "e",
            "rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [1]}}, "logic": "1"},
            "tier_rules": {"type": "ANY_OF", "any_of": [{"tier_structure_id": "l", "tier_ids": ["t"]}]},
            "effects": [
                {
                    "type": "POINTS",
                    "points": {
                        "value": 5,
                        "card_definition_id": "c",
                        "points_formula": "ORDER_AMOUNT",
                        "points_expiration": EXPIRY,
                    },
                },
                {
                    "type": "POINTS_PROPORTIONAL",
                    "points_proportional": {
                        "calculation_type": "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT",
                        "card_definition_id": "c",
                        "order_items": ITEMS,
                    },
                },
                {"type": "BENEFIT", "benefit": {"id": "b"}},
            ],
        }
    ],
    "start_date": "2026-01-01T00:00:00Z",
    "end_date": "2027-01-01T00:00:00Z",
    "validity_hours": {
        "type": "DAILY",
        "daily": [{"days_of_week": [1], "start_time": "09:00", "end_time": "10:00"}],
    },
    "trigger_limits": {
        "cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "HOUR", "value": 2}}},
        "frequency": {
            "type": "LIMITED",
            "limits": [{"type": "TIME_BASED", "period": CURRENT, "triggers": {"max": 4}}],
        },
    },
    "caps": [{"max": 5, "period": "DAY", "per": "RULE"}],
}
RULE_V1 = {
    "event": "order.paid",
    "loyalty": {
        "type": "PROPORTIONAL",
        "calculation_type": "ORDER_ITEMS_AMOUNT",
        "order_items": ITEMS,
        "points": 4,
        "points_formula": "1",
    },
    "segment": {"id": "s"},
    "loyalty_tier": {"id": "__ANY__"},
    "pending_points": {"period_type": "DAY", "period_value": 4},
    "expiration_rules": {
        "period_type": "MONTH",
        "period_value": 4,
        "rounding_type": "PARTICULAR_MONTH",
        "rounding_value": 3,
        "fixed_month": 2,
        "fixed_day": 3,
    },
    "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
    "start_date": "2026-01-01T00:00:00Z",
    "validity_day_of_week": [1],
    "source": {"banner": "b"},
}
CARD = {
    "points_expiration": EXPIRY,
    "pending_points": {
        "type": "EVENT_BASED",
        "event_based": {"event_types": ["ms_1"], "cancel_period": {"unit": "DAY", "value": 3}},
    },
    "earning_limits": {
        "global": {
            "type": "LIMITED",
            "limits": [{"type": "TIME_BASED", "period": CURRENT, "points": {"max": 4}}],
        },
        "transactions": {"type": "LIMITED", "limits": [{"type": "POINTS", "max": 9}]},
    },
}
STRUCTURE = {
    "name": "s",
    "type": "POINT_EARNED",
    "point_earned": {"period": {"unit": "MONTH", "value": 3}, "type": "IMMEDIATELY"},
    "expiration": {
        "type": "SLIDING_EXPIRATION",
        "sliding_expiration": {
            "earning_activity": True,
            "custom_activity": True,
            "custom_activity_types": ["ms"],
            "period": {"unit": "DAY", "value": 3},
        },
    },
    "downgrade": {"type": "SINGLE_LEVEL", "grace_period": {"unit": "DAY", "value": 3, "round_up": True}},
}
EXPIRATION = {
    "qualification_type": "BALANCE",
    "qualification_period": "QUARTER",
    "start_date": {"type": "NEXT_PERIOD"},
    "expiration_date": {
        "type": "CUSTOM",
        "extend": "P1M",
        "rounding": {"type": "CUSTOM", "strategy": "END", "value": 3},
    },
}
TIER = {
    "name": "t",
    "qualification_rules": {
        "type": "POINTS_AND_SEGMENT",
        "points": {"min_value": 1, "max_value": 5},
        "segment": {"id": "s"},
    },
    "downgrade": {"type": "INHERIT"},
}
TIER_V1 = {
    "name": "t",
    "points": {"from": 1, "to": 5},
    "earning_rules": {"e": {"type": "MULTIPLY", "multiplier": 2}},
    "rewards": {"r": {"type": "CUSTOM", "points": 2}},
}
HAPPY = {
    "name": "h",
    "multiplier": 2,
    "earning_rules": ["e"],
    "validity_hours": {"daily": [{"start_time": "09:00"}]},
}
ONE = [Tier(id="t", least=1)]
# fmt: off
PARSERS = {
    "rule": (RULE, lambda raw: parse_earning_rule(raw, "ern_1")),
    "rule of v1": (RULE_V1, lambda raw: parse_earning_rule_v1(raw, "ern_1", "c")),
    "card": (CARD, lambda raw: parse_card_rules(raw, "c")),
    "card of v1": ({"points": 0, "expiration_rules": RULE_V1["expiration_rules"]}, lambda raw: parse_card_rules_v1(raw, "c")),
    "expiry": (EXPIRY, lambda raw: parse_expiry(raw, "p")),
    "expiry of v1": (RULE_V1["expiration_rules"], lambda raw: parse_expiration_rules(raw, "p")),
    "pending": (CARD["pending_points"], lambda raw: parse_pending(raw, "p")),
    "pending of v1": (RULE_V1["pending_points"], lambda raw: parse_pending_v1(raw, "p")),
    "structure": (STRUCTURE, lambda raw: parse_tier_structure(raw, ONE)),
    "structure of v1": (EXPIRATION, lambda raw: parse_tiers_expiration(raw, ONE)),
    "tier": (TIER, lambda raw: parse_tier(raw, "t")),
    "tier of v1": (TIER_V1, lambda raw: parse_tier_v1(raw, "t")),
    "map": (TIER_V1["earning_rules"]["e"], lambda raw: parse_mapped(raw, "m")),
    "happy hours": (HAPPY, lambda raw: parse_happy_hours(raw, "h")),
}
# fmt: on
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["DAY", "LIMITED", "P1M", "2026-01-01", "IF(", "25:00", "$is"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "unit", "value", "id", "1"]), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


def places(body: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body."""
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [here, *(place for key, value in inside for place in places(value, (*here, key)))]


def put(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The body with something else at a place."""
    if not place:
        return value
    body = copy.deepcopy(body)
    inner = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return body


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_right_is_read(name):
    body, parse = PARSERS[name]
    assert parse(json.loads(json.dumps(body))) is not None


@pytest.mark.parametrize("name", PARSERS)
@law
@given(data=st.data())
def test_what_is_wrong_is_refused_with_a_path(name, data):
    body, parse = PARSERS[name]
    for _ in range(data.draw(st.integers(1, 2))):
        body = put(body, data.draw(st.sampled_from(places(body))), data.draw(junk))
    try:
        found = parse(body)
    except EngineError:
        return
    if isinstance(found, EarningRule):
        assert isinstance(found.name, str)
        assert all(isinstance(earning.id, str) for earning in found.earnings)
        compile_program([found], [CardRules(id="c")])
    if isinstance(found, TierStructure):
        assert found.tiers == tuple(ONE)
