"""When windows are open, found out the slow way: walk along UTC and look at the clock on the wall.

It shares nothing with the engine but the time zone database.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=5)
DAYS = 3
ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "Africa/Lagos", "America/Asuncion", "America/Chicago", "America/Halifax",
    "America/Havana", "America/Los_Angeles", "America/New_York", "America/Nuuk", "America/Santiago",
    "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata",
    "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney",
    "Europe/Berlin", "Europe/Dublin", "Europe/London", "Europe/Warsaw", "Pacific/Apia", "Pacific/Auckland",
    "Pacific/Chatham", "UTC",
]  # fmt: skip


def offset(zone: str, instant: datetime) -> timedelta:
    """How far the clocks of a zone are ahead of UTC."""
    found = instant.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@cache
def changes(zone: str) -> tuple[date, date]:
    """The local days of a year on which clocks go forward and back; any two days where they never do."""
    gap, fold = date(2025, 3, 30), date(2025, 10, 26)
    hour = datetime(2025, 1, 1, tzinfo=UTC)
    while hour.year == 2025:
        step = offset(zone, hour + timedelta(hours=1)) - offset(zone, hour)
        day = (hour + timedelta(hours=1) + offset(zone, hour + timedelta(hours=1))).date()
        if step > timedelta(0):
            gap = day
        elif step < timedelta(0):
            fold = day
        hour += timedelta(hours=1)
    return gap, fold


def instant_at(zone: str, wall: datetime) -> datetime:
    """The first instant showing this wall time; a skipped one is counted on from before the change."""
    as_utc = wall.replace(tzinfo=UTC)
    before, after = (offset(zone, as_utc + timedelta(days=days)) for days in (-1, 1))
    shown = [as_utc - o for o in (before, after) if offset(zone, as_utc - o) == o]
    return min(shown) if shown else as_utc - before


def showing(zone: str, instant: datetime) -> tuple[int, str]:
    """What the wall shows: day of the week (0 = Sunday) and ``HH:MM``."""
    local = (instant + offset(zone, instant)).replace(tzinfo=None)
    return int(local.strftime("%w")), local.strftime("%H:%M")


def days_open(days: list[int]) -> Callable[[str, datetime], bool]:
    return lambda zone, instant: showing(zone, instant)[0] in days


def hours_open(spans: list[tuple[str, str, list[int]]]) -> Callable[[str, datetime], bool]:
    """Spans of (start, end, days); an end that is not later than the start is on the next day."""

    def is_open(zone: str, instant: datetime) -> bool:
        day, clock = showing(zone, instant)
        for start, end, days in spans:
            if end > start and day in days and start <= clock < end:
                return True
            if end <= start and ((day in days and clock >= start) or ((day + 6) % 7 in days and clock < end)):
                return True
        return False

    return is_open


def frames_open(start_wall: datetime, every: timedelta, wall_length: timedelta, length: timedelta):
    """Frames that open every so many days at one wall time, and last a wall length and an elapsed one."""

    def is_open(zone: str, instant: datetime) -> bool:
        wall = start_wall
        while (opens := instant_at(zone, wall)) <= instant:
            if opens <= instant < instant_at(zone, wall + wall_length) + length:
                return True
            wall += every
        return False

    return is_open


def steps(zone: str, day: date) -> Iterator[datetime]:
    """Every five minutes of the days around a local day."""
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    for _ in range(DAYS * 288):
        yield instant
        instant += STEP


def borders(zone: str, day: date, is_open: Callable[[str, datetime], bool]) -> list[tuple[datetime, bool]]:
    """The first instant, and every one at which the window opens (True) or shuts (False)."""
    found: list[tuple[datetime, bool]] = []
    for instant in steps(zone, day):
        now_open = is_open(zone, instant)
        if not found or found[-1][1] != now_open:
            found.append((instant, now_open))
    return found


Case = tuple[str, str, date, str, dict[str, Any], Callable[[str, datetime], bool]]


def cases() -> Iterator[Case]:
    """30 zones × the day clocks go forward and the day they go back × seven kinds of windows: 420."""
    every_day = [0, 1, 2, 3, 4, 5, 6]
    for zone in ZONES:
        for kind, day in zip(("gap", "fold"), changes(zone), strict=True):
            today = (day.weekday() + 1) % 7
            yesterday, ahead = (today + 6) % 7, day - timedelta(days=10)
            start = datetime.combine(ahead, time(1, 30))
            plans: list[tuple[str, dict[str, Any], Callable[[str, datetime], bool]]] = [
                (
                    "weekend 09-17",
                    {"hours": [("09:00", "17:00", [0, 6])]},
                    hours_open([("09:00", "17:00", [0, 6])]),
                ),
                (
                    "overnight 22-02",
                    {"hours": [("22:00", "02:00", [yesterday, today])]},
                    hours_open([("22:00", "02:00", [yesterday, today])]),
                ),
                ("days", {"days": [today]}, days_open([today])),
                (
                    "small hours",
                    {"hours": [("00:30", "01:15", None), ("02:15", "03:00", None)]},
                    hours_open([("00:30", "01:15", every_day), ("02:15", "03:00", every_day)]),
                ),
                (
                    "to midnight",
                    {"hours": [("20:00", None, [yesterday]), ("01:45", "02:30", [today])]},
                    hours_open([("20:00", "24:00", [yesterday]), ("01:45", "02:30", [today])]),
                ),
                (
                    "a frame a day",
                    {"start": start, "frame": ("P1D", "PT3H")},
                    frames_open(start, timedelta(days=1), timedelta(0), timedelta(hours=3)),
                ),
                (
                    "a frame every five days",
                    {"start": start, "frame": ("P5D", "P1DT1H")},
                    frames_open(start, timedelta(days=5), timedelta(days=1), timedelta(hours=1)),
                ),
            ]
            for name, plan, is_open in plans:
                yield zone, kind, day, name, plan, is_open
