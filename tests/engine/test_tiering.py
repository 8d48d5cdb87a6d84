"""Tiers as stories: a member, dates, points, and what becomes of the tier on each of them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.durations import Span
from guerdon.engine.expiry import Sliding
from guerdon.engine.periods import Period, YearDay
from guerdon.engine.tier import (
    FixedDuration,
    Grace,
    MemberPoints,
    OnDates,
    Standing,
    Tier,
    TierRounding,
    TierStructure,
    UntilPeriodEnds,
)
from guerdon.engine.tier_progress import Opportunity, Risk, progress
from guerdon.engine.tiering import rounded_end, tier_at

WARSAW = ZoneInfo("Europe/Warsaw")
BASIC, SILVER, GOLD, TOP = (
    Tier(id="basic", least=0, most=99),
    Tier(id="silver", least=100, most=499),
    Tier(id="gold", least=500, most=999),
    Tier(id="top", least=1000),
)
LEVELS = (BASIC, SILVER, GOLD, TOP)
UPPER = (SILVER, GOLD, TOP)


def local(text):
    """A local day or time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW).astimezone(UTC)


def told(instant):
    """An instant as the local day, with the time unless it is midnight."""
    if instant is None:
        return None
    shown = instant.astimezone(WARSAW).strftime("%Y-%m-%d %H:%M")
    return shown.removesuffix(" 00:00")


class Story:
    """One member through time; each step asks once more with what is known then."""

    def __init__(self, structure, standing=None):
        self.structure, self.standing = structure, standing or Standing()
        self.recheck = None

    def on(self, day, balance=0, **more):
        """The change of that day as (event, tier, ends), or None; asking again must change nothing more."""
        earned = more.pop("earned", ())
        points = MemberPoints(balance=balance, earned=earned, **more)
        ruling = tier_at(self.structure, self.standing, points, local(day), WARSAW)
        self.standing, self.recheck = ruling.standing, told(ruling.recheck_at)
        if self.structure.downgrade != "SINGLE_LEVEL":
            again = tier_at(self.structure, self.standing, points, local(day), WARSAW)
            assert again.change is None and again.standing == self.standing
        change = ruling.change
        return None if change is None else (change.event, change.tier_to, told(change.ends_at))


def test_the_balance_as_it_is():
    story = Story(TierStructure(tiers=LEVELS))
    assert story.on("2023-01-10", 100) == ("joined", "silver", None)
    assert story.on("2023-02-15", 50) == ("downgraded", "basic", None)
    assert story.on("2023-02-25", 550) == ("upgraded", "gold", None)
    assert story.on("2023-03-01", 520) is None
    assert story.on("2023-03-02", 0) == ("downgraded", "basic", None)
    assert story.recheck is None


def test_who_has_too_few_points_leaves():
    story = Story(TierStructure(tiers=UPPER))
    assert story.on("2023-01-01", 99) is None
    assert story.on("2023-01-02", 1500) == ("joined", "top", None)
    assert story.on("2023-01-03", 99) == ("left", None, None)
    assert story.standing == Standing()


def test_a_tier_of_a_fixed_duration_outlasts_the_balance():
    story = Story(TierStructure(tiers=LEVELS, retention=FixedDuration(Span(6, 0, 0))))
    assert story.on("2026-01-31T15:00", 600) == ("joined", "gold", "2026-08-01")
    assert story.on("2026-03-01", 0) is None
    assert story.recheck == "2026-08-01"
    assert story.on("2026-05-01", 1200) == ("upgraded", "top", "2026-11-02")
    assert story.on("2026-11-02", 1300) == ("prolonged", "top", "2027-05-02")
    assert story.on("2027-05-02", 150) == ("downgraded", "silver", "2027-11-03")


def test_a_fixed_duration_may_be_rounded():
    quarter = FixedDuration(Span(12, 0, 0), TierRounding("QUARTER"))
    story = Story(TierStructure(tiers=LEVELS, retention=quarter))
    assert story.on("2026-05-17", 600) == ("joined", "gold", "2027-07-01")
    assert story.on("2027-07-01", 600) == ("prolonged", "gold", "2028-07-01")


@pytest.mark.parametrize(
    ("rounding", "end"),
    [
        (None, "2026-05-18"),
        (TierRounding("MONTH"), "2026-06-01"),
        (TierRounding("MONTH", "START"), "2026-05-01"),
        (TierRounding("QUARTER"), "2026-07-01"),
        (TierRounding("QUARTER", "START"), "2026-04-01"),
        (TierRounding("HALF_YEAR"), "2026-07-01"),
        (TierRounding("YEAR"), "2027-01-01"),
        # Back to the start of the year would be before it began.
        (TierRounding("YEAR", "START"), "2026-02-18"),
        (TierRounding("CUSTOM", "END", 5), "2026-06-01"),
        (TierRounding("CUSTOM", "END", 4), "2027-05-01"),
        (TierRounding("CUSTOM", "START", 6), "2026-06-01"),
        (TierRounding("CUSTOM", "START", 5), "2027-05-01"),
    ],
)
def test_roundings(rounding, end):
    day, since = date(2026, 5, 17), date(2026, 2, 17)
    assert told(rounded_end(rounding, day, since, WARSAW)) == end


def quarters(**more):
    return TierStructure(tiers=UPPER, basis="POINTS_IN_PERIOD", period=Period("QUARTER", 1), **more)


def test_points_of_a_period_until_it_ends():
    story = Story(quarters(retention=UntilPeriodEnds()))
    assert story.on("2026-02-10", earned=(120,)) == ("joined", "silver", "2026-04-01")
    assert story.on("2026-03-10", earned=(700,)) == ("upgraded", "gold", "2026-04-01")
    assert story.recheck == "2026-04-01"
    assert story.on("2026-04-01", earned=(0, 700)) == ("left", None, None)


def test_points_of_a_period_until_the_next_one_ends():
    story = Story(quarters(retention=UntilPeriodEnds(next=True)))
    assert story.structure.periods_needed == 2
    assert story.on("2026-02-10", earned=(600, 0)) == ("joined", "gold", "2026-07-01")
    assert story.on("2026-04-01", earned=(0, 600)) is None
    assert story.on("2026-05-01", earned=(150, 600)) is None
    # Gold was earned in the first quarter; the second was good for silver, which holds for the third.
    assert story.on("2026-07-01", earned=(0, 150)) == ("downgraded", "silver", "2026-10-01")
    assert story.on("2026-08-01", earned=(550, 150)) == ("upgraded", "gold", "2027-01-01")
    assert story.on("2026-11-01", earned=(500, 550)) == ("prolonged", "gold", "2027-04-01")
    assert story.on("2027-04-01", earned=(0, 0)) == ("left", None, None)


def test_an_end_may_be_extended():
    story = Story(quarters(retention=UntilPeriodEnds(extend=Span(1, 0, 0))))
    assert story.on("2026-02-10", earned=(600, 0)) == ("joined", "gold", "2026-05-01")
    assert story.on("2026-04-01", earned=(0, 600)) is None
    assert story.on("2026-05-01", earned=(0, 600)) == ("left", None, None)


def test_a_tier_may_start_with_the_next_period():
    story = Story(quarters(starts="NEXT_PERIOD", retention=UntilPeriodEnds()))
    assert story.on("2026-02-10", earned=(600, 0)) is None
    assert story.standing.deferred.tier_id == "gold"
    assert told(story.standing.deferred.starts_at) == story.recheck == "2026-04-01"
    assert story.on("2026-04-01", earned=(0, 600)) == ("joined", "gold", "2026-07-01")
    assert story.on("2026-05-01", earned=(1000, 600)) is None
    assert story.standing.deferred.tier_id == "top"
    assert story.on("2026-07-01", earned=(0, 1000)) == ("upgraded", "top", "2026-10-01")
    assert story.on("2026-10-01", earned=(0, 0)) == ("left", None, None)


def test_enough_in_every_period_prolongs_without_a_gap():
    story = Story(quarters(starts="NEXT_PERIOD", retention=UntilPeriodEnds()))
    story.on("2026-02-10", earned=(600, 0))
    assert story.on("2026-04-01", earned=(0, 600)) == ("joined", "gold", "2026-07-01")
    assert story.on("2026-05-01", earned=(600, 600)) is None
    assert story.on("2026-07-01", earned=(0, 600)) == ("prolonged", "gold", "2026-10-01")


def test_a_balance_too_may_wait_for_the_next_period():
    structure = TierStructure(tiers=UPPER, starts="NEXT_PERIOD", period=Period("MONTH", 1))
    story = Story(structure)
    assert story.on("2026-02-10", 600) is None
    assert story.on("2026-02-20", 200) is None and story.standing.deferred.tier_id == "silver"
    assert story.on("2026-02-25", 700) is None and story.standing.deferred.tier_id == "gold"
    assert story.on("2026-03-01", 700) == ("joined", "gold", None)
    assert story.on("2026-03-02", 1000) is None and story.recheck == "2026-04-01"
    assert story.on("2026-03-03", 150) == ("downgraded", "silver", None)
    assert story.standing.deferred is None


def test_activity_keeps_a_sliding_tier():
    story = Story(TierStructure(tiers=UPPER, retention=Sliding(Period("MONTH", 3), spending=True)))
    assert story.on("2026-01-15", 600, active_at=local("2026-01-15")) == ("joined", "gold", "2026-04-16")
    spent = local("2026-03-10T18:00")
    assert story.on("2026-03-10T18:00", 20, active_at=spent) == ("prolonged", "gold", "2026-06-11")
    assert story.on("2026-06-10", 20, active_at=spent) is None
    assert story.on("2026-06-11", 20, active_at=spent) == ("left", None, None)


def test_activity_after_the_end_brings_nothing_back():
    story = Story(TierStructure(tiers=UPPER, retention=Sliding(Period("MONTH", 3), earning=True)))
    story.on("2026-01-15", 600, active_at=local("2026-01-15"))
    late = local("2026-04-16")
    assert story.on("2026-04-16", 20, active_at=late) == ("left", None, None)


def test_bounds_are_included():
    structure = TierStructure(tiers=LEVELS)
    for points, tier in [
        (0, "basic"),
        (99, "basic"),
        (100, "silver"),
        (499, "silver"),
        (999, "gold"),
        (1000, "top"),
    ]:
        assert Story(structure).on("2026-01-01", points) == ("joined", tier, None)
    gap = TierStructure(tiers=(BASIC, GOLD))
    assert Story(gap).on("2026-01-01", 100) is None


def test_a_rounded_grace_lasts_to_the_end_of_its_unit():
    story = Story(TierStructure(tiers=UPPER, grace=Grace("MONTH", 1, round_up=True)))
    story.on("2026-01-05", 600)
    assert story.on("2026-01-10", 0) is None and story.recheck == "2026-03-01"


def test_tiers_may_end_on_days_of_the_calendar():
    story = Story(TierStructure(tiers=LEVELS, retention=OnDates((YearDay(6, 30), YearDay(12, 31)))))
    assert story.on("2026-06-30", 600) == ("joined", "gold", "2026-07-01")
    assert story.on("2026-07-01", 600) == ("prolonged", "gold", "2027-01-01")
    assert story.on("2027-01-01", 100) == ("downgraded", "silver", "2027-07-01")


def test_one_tier_a_night():
    story = Story(TierStructure(tiers=UPPER, downgrade="SINGLE_LEVEL"))
    story.on("2026-01-01", 1500)
    assert story.on("2026-01-10T14:00", 0) == ("downgraded", "gold", None)
    assert story.recheck == "2026-01-11"
    assert story.on("2026-01-11", 0) == ("downgraded", "silver", None)
    assert story.on("2026-01-12", 0) == ("left", None, None)
    assert story.recheck is None


def test_one_tier_a_period():
    story = Story(quarters(retention=UntilPeriodEnds(), downgrade="SINGLE_LEVEL"))
    story.on("2026-01-01", earned=(1500,))
    assert story.on("2026-04-01", earned=(0,)) == ("downgraded", "gold", "2026-07-01")
    assert story.on("2026-07-01", earned=(0,)) == ("downgraded", "silver", "2026-10-01")
    assert story.on("2026-08-01", earned=(500,)) == ("upgraded", "gold", "2026-10-01")


def test_no_downgrade_keeps_what_was_reached():
    story = Story(quarters(retention=UntilPeriodEnds(), downgrade="NO_DOWNGRADE"))
    story.on("2026-01-01", earned=(500,))
    assert story.on("2026-04-01", earned=(0,)) is None
    assert (story.standing.tier_id, story.standing.ends_at, story.recheck) == ("gold", None, None)
    assert story.on("2026-05-01", earned=(1000,)) == ("upgraded", "top", "2026-07-01")


def test_a_tier_that_keeps_its_members():
    tiers = (SILVER, Tier(id="gold", least=500, keeps=True), TOP)
    story = Story(TierStructure(tiers=tiers))
    story.on("2026-01-01", 1000)
    assert story.on("2026-01-02", 600) == ("downgraded", "gold", None)
    assert story.on("2026-01-03", 0) is None and story.standing.tier_id == "gold"


def test_grace_before_the_fall():
    story = Story(TierStructure(tiers=LEVELS, grace=Grace("DAY", 14)))
    story.on("2026-01-01", 600)
    assert story.on("2026-01-10T14:00", 150) is None
    assert story.recheck == told(story.standing.grace_ends_at) == "2026-01-25"
    # Back in time: all is forgotten, and the next grace is a whole one.
    assert story.on("2026-01-20", 500) is None and story.recheck is None
    assert story.on("2026-02-01T14:00", 150) is None and story.recheck == "2026-02-16"
    assert story.on("2026-02-15T23:59", 150) is None
    assert story.on("2026-02-16", 150) == ("downgraded", "silver", None)


def test_grace_follows_the_end_and_may_be_rounded_up():
    retention = UntilPeriodEnds()
    story = Story(quarters(retention=retention, grace=Grace("MONTH", 1, round_up=True)))
    story.on("2026-01-15", earned=(600,))
    # Until 31 March, a month more is 30 April.
    assert story.on("2026-04-01", earned=(0,)) is None and story.recheck == "2026-05-01"
    assert story.on("2026-05-01", earned=(0,)) == ("left", None, None)
    # Who was not looked at in time has no more grace than the others.
    story.on("2026-05-15", earned=(600,))
    assert story.on("2026-08-20", earned=(0,)) == ("left", None, None)


def test_points_of_the_grace_count():
    story = Story(quarters(retention=UntilPeriodEnds(), grace=Grace("MONTH", 1)))
    story.on("2026-01-15", earned=(600,))
    story.on("2026-04-01", earned=(0,))
    assert story.on("2026-04-20", earned=(550,)) == ("prolonged", "gold", "2026-07-01")
    assert story.standing.grace_ends_at is None


def test_tiers_for_a_segment():
    tiers = (SILVER, Tier(id="inner", least=500, segment="seg_1"))
    story = Story(TierStructure(tiers=tiers))
    open_to_all = Story(
        TierStructure(tiers=(Tier(id="all", least=100), Tier(id="inner", least=500, segment="seg_1")))
    )
    assert story.on("2026-01-01", 500) is None
    assert open_to_all.on("2026-01-01", 500) == ("joined", "all", None)
    inside = frozenset({"seg_1"})
    assert open_to_all.on("2026-01-02", 500, segments=inside) == ("upgraded", "inner", None)
    assert open_to_all.on("2026-01-03", 500) == ("downgraded", "all", None)


def test_a_tier_that_is_taken_away_is_lost_at_once():
    held = Standing(tier_id="gone", since=local("2026-01-01"), ends_at=local("2027-01-01"))
    assert Story(TierStructure(tiers=UPPER), held).on("2026-02-01", 50) == ("left", None, None)
    assert Story(TierStructure(tiers=UPPER), held).on("2026-02-01", 550) == ("joined", "gold", None)


def test_edits_only_raise_whoever_has_an_end():
    dearer = (Tier(id="silver", least=1000), Tier(id="gold", least=5000))
    cheaper = (Tier(id="silver", least=10), Tier(id="gold", least=100))
    dated = Standing(tier_id="silver", since=local("2026-01-01"), ends_at=local("2027-01-01"))
    lasting = FixedDuration(Span(12, 0, 0))
    assert Story(TierStructure(tiers=dearer, retention=lasting), dated).on("2026-02-01", 150) is None
    raised = Story(TierStructure(tiers=cheaper, retention=lasting), dated).on("2026-02-01", 150)
    assert raised == ("upgraded", "gold", "2027-02-02")
    plain = Standing(tier_id="silver", since=local("2026-01-01"))
    assert Story(TierStructure(tiers=dearer), plain).on("2026-02-01", 150) == ("left", None, None)
    assert Story(TierStructure(tiers=cheaper), plain).on("2026-02-01", 150) == ("upgraded", "gold", None)


def test_days_and_weeks_as_periods():
    structure = TierStructure(
        tiers=UPPER,
        basis="POINTS_IN_PERIOD",
        period=Period("WEEK", 2),
        anchor=date(2026, 1, 5),
        retention=UntilPeriodEnds(),
    )
    assert Story(structure).on("2026-01-18", earned=(100,)) == ("joined", "silver", "2026-01-19")
    assert Story(structure).on("2026-01-19", earned=(100,)) == ("joined", "silver", "2026-02-02")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"])
def test_ends_are_midnights_of_the_project(zone):
    zone = ZoneInfo(zone)
    at = datetime(2018, 10, 3, 9, tzinfo=UTC)
    structure = TierStructure(tiers=UPPER, retention=FixedDuration(Span(1, 0, 0)))
    ruling = tier_at(structure, Standing(), MemberPoints(balance=100), at, zone)
    end = ruling.change.ends_at.astimezone(zone)
    before = (ruling.change.ends_at - timedelta(seconds=1)).astimezone(zone)
    assert (end.day, before.day) == (4, 3) and end.month == before.month == 11


def test_what_may_come():
    structure = quarters(retention=UntilPeriodEnds(), grace=Grace("DAY", 10))
    held = Standing(tier_id="silver", since=local("2026-01-10"), ends_at=local("2026-04-01"))
    seen = progress(structure, held, MemberPoints(earned=(150,)), local("2026-02-01"), WARSAW)
    end = local("2026-04-01")
    assert (seen.points, seen.least, seen.most) == (150, 100, 499)
    assert seen.opportunities == (Opportunity("gold", 350, end), Opportunity("top", 850, end))
    assert seen.risks == (Risk("TIER_LEFT", local("2026-04-11"), None),)


def test_nothing_is_at_risk_as_long_as_the_balance_lasts():
    held = Standing(tier_id="top", since=local("2026-01-10"))
    seen = progress(
        TierStructure(tiers=LEVELS), held, MemberPoints(balance=1200), local("2026-02-01"), WARSAW
    )
    assert seen.risks == () and seen.opportunities == () and seen.most is None


def test_a_decision_explains_itself():
    ruling = tier_at(
        quarters(retention=UntilPeriodEnds(next=True)),
        Standing(),
        MemberPoints(earned=(150, 40)),
        local("2026-02-01"),
        WARSAW,
        explain=True,
    )
    points, kept = ruling.checks
    assert points.asked == {"silver": {"least": 100, "most": 499}, "gold": {"least": 500, "most": 999}, "top": {"least": 1000}}  # fmt: skip
    assert points.seen == {
        "basis": "POINTS_IN_PERIOD",
        "points": 150,
        "period_starts": "2026-01-01",
        "points_before": [40],
        "enough_for": "silver",
    }
    assert points.hint == "350 more points for gold"
    assert (kept.asked, kept.seen["ends_at"]) == ("END_OF_PERIOD", "2026-06-30T22:00:00.000Z")
