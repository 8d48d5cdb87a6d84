"""Ends of points and of tiers' periods, found out the slow way: a day at a time, and by the clock on the wall.

It shares nothing with the engine but the time zone database.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from .wall_clock import instant_at, offset

DAY = timedelta(days=1)
FIRSTS = {"MONTH": range(1, 13), "QUARTER": (1, 4, 7, 10), "HALF_YEAR": (1, 7), "YEAR": (1,)}


def shown_day(zone: str, instant: datetime) -> date:
    """The day that a calendar on the wall shows."""
    return (instant + offset(zone, instant)).date()


@cache
def months_later(day: date, months: int) -> date:
    """The same day of a later month, or the last one it has."""
    wanted, found = day.day, day
    for _ in range(months):
        found = found.replace(day=28)
        while found.month == (found + DAY).month:
            found += DAY
        found += DAY
    while found.day < wanted and (found + DAY).month == found.month:
        found += DAY
    return found


@cache
def whole(day: date, unit: str) -> date:
    """The last day of the month, quarter, half-year or year a day is in."""
    while not ((day + DAY).day == 1 and (day + DAY).month in FIRSTS[unit]):
        day += DAY
    return day


def end_of_month(day: date, month: int) -> date:
    """The last day of the next month of that number."""
    while not (day.month == month and (day + DAY).month != month):
        day += DAY
    return day


def next_day(day: date, days: list[tuple[int, int]]) -> date:
    """The next of some days of the year."""
    while (day.month, day.day) not in days:
        day += DAY
    return day


@cache
def over(zone: str, last: date) -> datetime:
    """The first instant, to the minute, at which the wall shows a day after ``last``."""
    instant = datetime.combine(last, time(), UTC) - timedelta(hours=15)
    while shown_day(zone, instant) <= last:
        instant += timedelta(hours=1)
    while shown_day(zone, instant - timedelta(minutes=1)) > last:
        instant -= timedelta(minutes=1)
    return instant


EARNED = [
    date(2026, 1, 31), date(2026, 2, 28), date(2027, 12, 31), date(2028, 1, 30), date(2028, 2, 29),
    date(2026, 3, 28), date(2026, 8, 31), date(2025, 9, 30),
]  # fmt: skip


def moments(zone: str, day: date) -> Iterator[datetime]:
    """The first and the last millisecond of a local day."""
    yield over(zone, day - DAY)
    yield over(zone, day) - timedelta(milliseconds=1)


__all__ = [
    "DAY",
    "EARNED",
    "end_of_month",
    "instant_at",
    "moments",
    "months_later",
    "next_day",
    "over",
    "whole",
]
