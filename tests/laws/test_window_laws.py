"""Time is right (G-14): 420 windows over 30 zones and their clock changes, to the millisecond."""

import os
import time
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine import Reason, Terms, check_windows, next_opening
from guerdon.engine.terms import DailyHours, ValidityHours, ValidityTimeframe
from guerdon.engine.window import check_times

from .wall_clock import ZONES, borders, cases, instant_at

CASES = list(cases())
MILLISECOND = timedelta(milliseconds=1)


def terms_of(zone, plan):
    """The terms a plan of the oracle describes."""
    hours, frame, start = plan.get("hours"), plan.get("frame"), plan.get("start")
    terms = Terms(
        start_date=None if start is None else instant_at(zone, start),
        validity_timeframe=None if frame is None else ValidityTimeframe(*frame),
        validity_day_of_week=plan.get("days"),
        validity_hours=None if hours is None else ValidityHours([DailyHours(*span) for span in hours]),
    )
    check_windows(terms)
    return terms


def open_at(terms, instant, zone):
    """Whether the engine lets it through; the only other answer is "not now"."""
    reason = check_times(terms, instant, zone)
    assert reason in (None, Reason.VOUCHER_NOT_ACTIVE_NOW)
    return reason is None


def test_there_are_400_cases_over_30_zones():
    assert len(CASES) >= 400 and len({case[0] for case in CASES}) == 30


@pytest.mark.parametrize("zone_name", ZONES)
def test_windows_open_and_shut_when_the_wall_clock_says(zone_name):
    zone = ZoneInfo(zone_name)
    for _, kind, day, name, plan, is_open in (case for case in CASES if case[0] == zone_name):
        terms = terms_of(zone_name, plan)
        found = borders(zone_name, day, is_open)
        where = (zone_name, kind, name)
        assert open_at(terms, found[0][0], zone) == found[0][1], where
        for (_, was), (border, now) in pairwise(found):
            assert was != now
            assert open_at(terms, border - MILLISECOND, zone) == was, (*where, border)
            assert open_at(terms, border, zone) == now, (*where, border)
            assert open_at(terms, border + MILLISECOND, zone) == now, (*where, border)
        openings = [border for border, now in found if now]
        for number in range(0, 3 * 24, 5):
            instant = found[0][0] + timedelta(hours=number, minutes=7)
            ahead = openings[bisect_right(openings, instant) :]
            if open_at(terms, instant, zone):
                assert next_opening(terms, instant, zone) == instant, where
            elif ahead:
                assert next_opening(terms, instant, zone) == ahead[0], (*where, instant)


@pytest.mark.parametrize("host", ["Pacific/Kiritimati", "America/St_Johns"])
def test_the_time_zone_of_the_host_does_not_matter(host, monkeypatch):
    def answers():
        return [
            open_at(
                terms_of(zone, plan), datetime(day.year, day.month, day.day, hour, tzinfo=UTC), ZoneInfo(zone)
            )
            for zone, _, day, _, plan, _ in CASES[::7]
            for hour in (0, 9, 16, 23)
        ]

    before = answers()
    monkeypatch.setenv("TZ", host)
    time.tzset()
    try:
        assert os.environ["TZ"] == host and answers() == before
    finally:
        monkeypatch.undo()
        time.tzset()
