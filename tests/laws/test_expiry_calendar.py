"""Time is right for points and tiers (G-14): ends over 30 zones, month ends and leap years, to the millisecond."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.durations import Span
from guerdon.engine.expiry import Calendar, Rolling, Rounding, Sliding, ends
from guerdon.engine.pending import PeriodBased, activation
from guerdon.engine.periods import Period, YearDay
from guerdon.engine.tier import FixedDuration, MemberPoints, Standing, Tier, TierStructure, UntilPeriodEnds
from guerdon.engine.tiering import tier_at

from .calendars import DAY, EARNED, end_of_month, moments, months_later, next_day, over, shown_day, whole
from .wall_clock import ZONES

MILLISECOND = timedelta(milliseconds=1)


def rolling(months, rounding=None, month=None):
    return Rolling(Period("MONTH", months), rounding and Rounding(rounding, month))


RULES = [
    ("0 months", rolling(0), lambda day: day),
    ("1 month", rolling(1), lambda day: months_later(day, 1)),
    ("13 months", rolling(13), lambda day: months_later(day, 13)),
    ("2 years", Rolling(Period("YEAR", 2)), lambda day: months_later(day, 24)),
    ("90 days", Rolling(Period("DAY", 90)), lambda day: day + 90 * DAY),
    ("month end", rolling(1, "END_OF_MONTH"), lambda day: whole(months_later(day, 1), "MONTH")),
    ("quarter end", rolling(24, "END_OF_QUARTER"), lambda day: whole(months_later(day, 24), "QUARTER")),
    ("half-year end", rolling(5, "END_OF_HALF_YEAR"), lambda day: whole(months_later(day, 5), "HALF_YEAR")),
    ("year end", rolling(12, "END_OF_YEAR"), lambda day: whole(months_later(day, 12), "YEAR")),
    ("end of a March", rolling(3, "END_OF_PARTICULAR_MONTH", 3), lambda day: end_of_month(months_later(day, 3), 3)),
    ("two days a year", Calendar((YearDay(6, 30), YearDay(12, 31))), lambda day: next_day(day, [(6, 30), (12, 31)])),
    ("since activity", Sliding(Period("MONTH", 6), earning=True), lambda day: months_later(day, 6)),
]  # fmt: skip
GOLD = (Tier(id="gold", least=100),)
STRUCTURES = [
    (unit, TierStructure(tiers=GOLD, basis="POINTS_IN_PERIOD", period=Period(unit, 1), retention=UntilPeriodEnds()), lambda day, unit=unit: whole(day, unit))
    for unit in ("MONTH", "QUARTER", "HALF_YEAR", "YEAR")
] + [
    (
        "next quarter and a month",
        TierStructure(tiers=GOLD, basis="POINTS_IN_PERIOD", period=Period("QUARTER", 1), retention=UntilPeriodEnds(True, Span(1, 0, 0))),
        lambda day: months_later(whole(whole(day, "QUARTER") + DAY, "QUARTER"), 1),
    ),
    ("half a year", TierStructure(tiers=GOLD, retention=FixedDuration(Span(6, 0, 0))), lambda day: months_later(day, 6)),
]  # fmt: skip


def test_there_are_400_cases_over_30_zones():
    assert len(ZONES) == 30 and len(ZONES) * len(RULES) >= 360 and len(ZONES) * len(STRUCTURES) >= 180


@pytest.mark.parametrize("zone", ZONES)
def test_points_end_when_the_wall_clock_says(zone):
    for name, rule, last_of in RULES:
        for day in EARNED:
            last = last_of(day)
            for moment in moments(zone, day):
                end = ends(rule, moment, ZoneInfo(zone))
                assert end is not None and end > moment
                assert shown_day(zone, end - MILLISECOND) <= last < shown_day(zone, end), (name, day)
                assert end == over(zone, last), (name, day)


@pytest.mark.parametrize("zone", ZONES)
def test_tiers_end_when_the_wall_clock_says(zone):
    for name, structure, last_of in STRUCTURES:
        for day in EARNED:
            for moment in moments(zone, day):
                points = MemberPoints(balance=100, earned=(100,))
                ruling = tier_at(structure, Standing(), points, moment, ZoneInfo(zone))
                end = over(zone, last_of(day))
                assert ruling.standing.ends_at == ruling.recheck_at == end, (name, day)
                nothing = MemberPoints(earned=(0,))
                before = tier_at(structure, ruling.standing, nothing, end - MILLISECOND, ZoneInfo(zone))
                assert before.change is None, (name, day)
                after = tier_at(structure, ruling.standing, nothing, end, ZoneInfo(zone))
                assert after.change is not None and after.change.event == "left", (name, day)


@pytest.mark.parametrize("zone", ZONES)
def test_pending_points_begin_with_their_day(zone):
    for day in EARNED:
        for moment in moments(zone, day):
            found = activation(PeriodBased(Period("MONTH", 1)), moment, ZoneInfo(zone))
            assert found.day == months_later(day, 1)
            assert found.at == over(zone, found.day - DAY)
