"""Tier structures of both faces of the API, and faults by their path."""

from decimal import Decimal

import pytest

from guerdon.engine.durations import Span
from guerdon.engine.earning_rule import Custom, Multiply
from guerdon.engine.expiry import Sliding
from guerdon.engine.fault import EngineError
from guerdon.engine.periods import Period, YearDay
from guerdon.engine.tier import (
    FixedDuration,
    Grace,
    NoRetention,
    OnDates,
    Tier,
    TierRounding,
    TierStructure,
    UntilPeriodEnds,
)
from guerdon.engine.tier_parse import (
    parse_tier,
    parse_tier_structure,
    parse_tier_v1,
    parse_tiers_expiration,
)

GOLD, SILVER = Tier(id="g", least=500), Tier(id="s", least=100)


def v2(**more):
    return {
        "name": "Levels",
        "type": "POINT_BALANCE",
        "point_balance": {"card_definition_id": "lcdef_1"},
    } | more


def test_a_structure_of_v2_by_its_defaults():
    assert parse_tier_structure(v2(), [GOLD, SILVER], "lts_1") == TierStructure(
        id="lts_1", tiers=(SILVER, GOLD), downgrade="NO_DOWNGRADE"
    )


def test_a_structure_of_v2_with_everything():
    body = v2(
        type="POINT_EARNED",
        point_earned={"period": {"value": 3, "unit": "MONTH"}, "type": "NEXT_TRACKING_PERIOD"},
        expiration={"type": "FIXED_DURATION", "fixed_duration": {"period": {"value": 1, "unit": "YEAR"}}},
        downgrade={"type": "SINGLE_LEVEL", "grace_period": {"value": 1, "unit": "MONTH", "round_up": True}},
    )
    assert parse_tier_structure(body, [SILVER]) == TierStructure(
        tiers=(SILVER,),
        basis="POINTS_IN_PERIOD",
        starts="NEXT_PERIOD",
        period=Period("MONTH", 3),
        retention=FixedDuration(Span(12, 0, 0)),
        downgrade="SINGLE_LEVEL",
        grace=Grace("MONTH", 1, round_up=True),
    )


@pytest.mark.parametrize(
    ("expiration", "retention"),
    [
        ({"type": "NO_RETENTION"}, NoRetention()),
        (
            {
                "type": "CALENDAR_EXPIRATION",
                "calendar_expiration": {"calendar_dates": [{"day": 31, "month": 12}]},
            },
            OnDates((YearDay(12, 31),)),
        ),
        (
            {
                "type": "SLIDING_EXPIRATION",
                "sliding_expiration": {"spending_activity": True, "period": {"value": 18, "unit": "MONTH"}},
            },
            Sliding(Period("MONTH", 18), spending=True),
        ),
    ],
)
def test_retentions_of_v2(expiration, retention):
    assert parse_tier_structure(v2(expiration=expiration), [SILVER]).retention == retention


def test_tiers_of_v2():
    rules = {"type": "POINTS", "points": {"min_value": 99.5, "max_value": 499.5}}
    assert parse_tier({"name": "Silver", "qualification_rules": rules}, "lt_1") == Tier(
        id="lt_1", name="Silver", least=100, most=499
    )
    rules = {"type": "POINTS_AND_SEGMENT", "points": {"min_value": 1}, "segment": {"id": "seg_1"}}
    body = {"name": "Inner", "qualification_rules": rules, "downgrade": {"type": "NO_DOWNGRADE"}}
    assert parse_tier(body, "lt_2") == Tier(id="lt_2", name="Inner", least=1, segment="seg_1", keeps=True)


def test_tiers_of_v1_map_rules_and_rewards():
    body = {
        "name": "Gold",
        "points": {"from": 500, "to": 999},
        "earning_rules": {"ern_1": {"type": "MULTIPLY", "multiplier": 2}, "ern_2": None},
        "rewards": {"rew_1": {"type": "CUSTOM", "points": 30}},
    }
    assert parse_tier_v1(body, "ltr_1") == Tier(
        id="ltr_1",
        name="Gold",
        least=500,
        most=999,
        earning={"ern_1": Multiply(Decimal(2))},
        rewards={"rew_1": Custom(30)},
    )


def v1(kind, extend="", start="IMMEDIATE", basis="POINTS_IN_PERIOD", **more):
    body = {
        "qualification_type": basis,
        "qualification_period": "QUARTER",
        "start_date": {"type": start},
        "expiration_date": {"type": kind, "extend": extend, **more},
    }
    return parse_tiers_expiration(body, [GOLD, SILVER])


def test_expirations_of_v1():
    assert parse_tiers_expiration(None, [GOLD, SILVER]) == TierStructure(tiers=(SILVER, GOLD))
    plain = v1("END_OF_PERIOD")
    assert (plain.basis, plain.period, plain.starts) == (
        "POINTS_IN_PERIOD",
        Period("QUARTER", 1),
        "IMMEDIATE",
    )
    assert plain.downgrade == "MULTI_LEVEL"
    assert plain.retention == UntilPeriodEnds()
    assert v1("END_OF_NEXT_PERIOD", "P1M", "NEXT_PERIOD").retention == UntilPeriodEnds(True, Span(1, 0, 0))
    assert v1("BALANCE_DROP", basis="BALANCE").retention == NoRetention()
    rounded = v1("CUSTOM", "P1Y", basis="BALANCE", rounding={"type": "CUSTOM", "strategy": "END", "value": 0})
    assert rounded.retention == FixedDuration(Span(12, 0, 0), TierRounding("CUSTOM", "END", 1))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": "SPEND"}, "type"),
        ({"type": "POINT_EARNED"}, "point_earned"),
        ({"type": "POINT_EARNED", "point_earned": {"period": {"unit": "DAY", "value": 91}}}, "point_earned.period.value"),
        ({"type": "POINT_EARNED", "point_earned": {"period": {"unit": "DAY", "value": 9}, "type": "SOON"}}, "point_earned.type"),
        (v2(expiration={"type": "NEVER"}), "expiration.type"),
        (v2(expiration={"type": "FIXED_DURATION"}), "expiration.fixed_duration"),
        (v2(downgrade={"type": "DOWN"}), "downgrade.type"),
        (v2(downgrade={"type": "NO_DOWNGRADE", "grace_period": {"value": 1, "unit": "DAY"}}), "downgrade.grace_period"),
        (v2(downgrade={"type": "MULTI_LEVEL", "grace_period": {"value": 0, "unit": "DAY"}}), "downgrade.grace_period.value"),
    ],
)  # fmt: skip
def test_faults_of_v2(body, path):
    with pytest.raises(EngineError) as caught:
        parse_tier_structure(body, [SILVER])
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"qualification_type": "SPEND"}, "e.qualification_type"),
        ({"qualification_type": "POINTS_IN_PERIOD"}, "e.qualification_period"),
        ({"qualification_type": "BALANCE", "start_date": {"type": "NEXT_PERIOD"}}, "e.qualification_period"),
        ({"qualification_type": "BALANCE", "expiration_date": {"type": "CUSTOM"}}, "e.expiration_date.extend"),
        ({"qualification_type": "BALANCE", "expiration_date": {"type": "CUSTOM", "extend": "PT1H"}}, "e.expiration_date.extend"),
        ({"qualification_type": "BALANCE", "expiration_date": {"type": "CUSTOM", "extend": "soon"}}, "e.expiration_date.extend"),
        (
            {"qualification_type": "BALANCE", "expiration_date": {"type": "CUSTOM", "extend": "P1M", "rounding": {"type": "CUSTOM", "value": 12}}},
            "e.expiration_date.rounding.value",
        ),
    ],
)  # fmt: skip
def test_faults_of_v1(body, path):
    with pytest.raises(EngineError) as caught:
        parse_tiers_expiration(body, [SILVER], path="e")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "x"}, "qualification_rules"),
        ({"qualification_rules": {"type": "POINTS"}}, "qualification_rules.points"),
        ({"qualification_rules": {"type": "POINTS", "points": {"min_value": -1}}}, "qualification_rules.points.min_value"),
        ({"qualification_rules": {"type": "POINTS", "points": {"min_value": 5, "max_value": 4}}}, "qualification_rules.points.max_value"),
        ({"qualification_rules": {"type": "POINTS_AND_SEGMENT", "points": {"min_value": 5}}}, "qualification_rules.segment"),
    ],
)  # fmt: skip
def test_faults_of_tiers(body, path):
    with pytest.raises(EngineError) as caught:
        parse_tier(body, "lt_1")
    assert caught.value.path == path
