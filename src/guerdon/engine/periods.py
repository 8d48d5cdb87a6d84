"""Calendar periods: how long something lasts, and the month, quarter or year a day belongs to.

All of it is about local days; instants come in at the edges only. Months are added the way people do it: past a
month's end is its last day.

>>> after(date(2026, 1, 31), Period("MONTH", 1)), after(date(2027, 1, 31), Period("MONTH", 13))
(datetime.date(2026, 2, 28), datetime.date(2028, 2, 29))
"""

import calendar
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.durations import Span
from guerdon.engine.fault import EngineError
from guerdon.engine.opening import start_of_day

Unit = Literal["DAY", "WEEK", "MONTH", "QUARTER", "HALF_YEAR", "YEAR"]
MONTHS: dict[str, int] = {"MONTH": 1, "QUARTER": 3, "HALF_YEAR": 6, "YEAR": 12}
"""How many months the units have that are made of months."""
DAYS: dict[str, int] = {"DAY": 1, "WEEK": 7}
LAST_YEAR = 9990
"""The last year that anything is reckoned to; what would end later never ends."""


class Period(Struct, frozen=True):
    """A length of time: so many days, weeks, months, quarters, half-years or years."""

    unit: Unit
    value: int

    @property
    def span(self) -> Span:
        """The same as calendar months and days."""
        if self.unit in MONTHS:
            return Span(MONTHS[self.unit] * self.value, 0, 0)
        return Span(0, DAYS[self.unit] * self.value, 0)


class Between(Struct, frozen=True):
    """Some days in a row: the first, and the one after the last."""

    first: date
    after: date

    def starts(self, zone: ZoneInfo) -> datetime:
        """The instant (UTC) its first day begins."""
        return start_of_day(self.first, zone)

    def ends(self, zone: ZoneInfo) -> datetime:
        """The instant (UTC) its last day is over."""
        return start_of_day(self.after, zone)


class YearDay(Struct, frozen=True):
    """A day that comes every year. In a year or month that has no such day it is the month's last one."""

    month: int
    day: int

    def in_year(self, year: int) -> date:
        """The day in a year.

        >>> YearDay(2, 29).in_year(2026), YearDay(2, 29).in_year(2028)
        (datetime.date(2026, 2, 28), datetime.date(2028, 2, 29))
        """
        return date(year, self.month, min(self.day, calendar.monthrange(year, self.month)[1]))


def after(day: date, period: Period) -> date:
    """The day that lies a period later. Raises OverflowError beyond the year 9990."""
    return moved(day, period.span)


def moved(day: date, span: Span) -> date:
    """The day that lies a span later; its seconds do not count. Raises OverflowError beyond the year 9990."""
    if span.months:
        year, month = divmod(day.year * 12 + day.month - 1 + span.months, 12)
        if year > LAST_YEAR:
            raise OverflowError("beyond the calendar")
        last = calendar.monthrange(year, month + 1)[1]
        day = date(year, month + 1, min(day.day, last))
    if span.days:
        if span.days > 366 * LAST_YEAR or (day.year + span.days // 365) > LAST_YEAR:
            raise OverflowError("beyond the calendar")
        day += timedelta(days=span.days)
    return day


def around(unit: Unit, day: date, week_start: int = 1) -> Between:
    """The calendar's day, week, month, quarter, half-year or year that a day belongs to.

    ``week_start`` 0 = Sunday.

    >>> around("QUARTER", date(2026, 5, 17)).first, around("WEEK", date(2026, 11, 22), 1).first
    (datetime.date(2026, 4, 1), datetime.date(2026, 11, 16))
    """
    return tracked(Period(unit, 1), day, week_start)


def tracked(period: Period, day: date, week_start: int = 1, anchor: date | None = None) -> Between:
    """The period of this length that a day belongs to, of those that follow each other without a gap.

    They are counted from ``anchor``; without one months from January, years from the year 0, days and weeks from
    the first week of 1970: so three months are the calendar's quarters and a week is the calendar's week.

    >>> tracked(Period("MONTH", 3), date(2026, 5, 17)) == around("QUARTER", date(2026, 5, 17))
    True
    >>> tracked(Period("MONTH", 3), date(2026, 5, 17), anchor=date(2026, 1, 31))
    Between(first=datetime.date(2026, 4, 30), after=datetime.date(2026, 7, 31))
    """
    length = period.span
    if length.months:
        return _in_months(length.months, day, anchor)
    if anchor is None:
        anchor = date(1970, 1, 4 + week_start % 7)
    first = day - timedelta(days=(day - anchor).days % length.days)
    return Between(first, first + timedelta(days=length.days))


def _in_months(months: int, day: date, anchor: date | None) -> Between:
    if anchor is None:
        begun = (day.year * 12 + day.month - 1) // months * months
        return Between(_month(begun), _month(begun + months))
    count = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    # The anchor's day of the month may not have come yet.
    if _counted(anchor, months * count) > day:
        count -= 1
    return Between(_counted(anchor, months * count), _counted(anchor, months * (count + 1)))


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _counted(anchor: date, months: int) -> date:
    """The day so many months from the anchor, back too; always counted from the anchor's own day."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1]))


def previous(period: Between, length: Period, week_start: int = 1, anchor: date | None = None) -> Between:
    """The period before one that :func:`tracked` gave."""
    return tracked(length, period.first - timedelta(days=1), week_start, anchor)


def following(period: Between, length: Period, week_start: int = 1, anchor: date | None = None) -> Between:
    """The period after one that :func:`tracked` gave."""
    return tracked(length, period.after, week_start, anchor)


@lru_cache(maxsize=512)
def name_of(unit: Unit, day: date, week_start: int = 1) -> str:
    """How the calendar's period that holds a day is named in the key of a tally.

    >>> name_of("QUARTER", date(2026, 5, 17)), name_of("WEEK", date(2026, 11, 22)), name_of("DAY", date(2026, 1, 9))
    ('q2026-04', 'w2026-11-16', 'd2026-01-09')
    """
    first = around(unit, day, week_start).first
    match unit:
        case "DAY" | "WEEK":
            return f"{unit[0].lower()}{first}"
        case "YEAR":
            return f"y{first:%Y}"
        case _:
            return f"{unit[0].lower()}{first:%Y-%m}"


def next_of(days: Sequence[YearDay], since: date) -> date:
    """The first of the days that come every year, on ``since`` or later.

    >>> next_of([YearDay(12, 31), YearDay(6, 30)], date(2026, 7, 1))
    datetime.date(2026, 12, 31)
    """
    coming = [day.in_year(year) for year in (since.year, since.year + 1) for day in days]
    return min(day for day in coming if day >= since)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The day that calendars in ``zone`` show at an instant."""
    return instant.astimezone(zone).date()


def parse_period(
    raw: object, path: str, most: dict[str, int], least: int = 1, key: str = "invalid_payload"
) -> Period:
    """A ``{unit, value}`` of the wire. ``most`` names the allowed units and the largest value of each.

    Raises :class:`EngineError` with the path of the fault.
    """
    if not isinstance(raw, dict):
        raise EngineError(path, "must be an object with unit and value", key)
    unit, value = raw.get("unit"), raw.get("value")
    if not isinstance(unit, str) or unit not in most:
        raise EngineError(f"{path}.unit", "must be one of " + ", ".join(most), key)
    return Period(unit, whole_number(value, f"{path}.value", least, most[unit], key))  # type: ignore[arg-type]


def parse_year_days(raw: object, path: str, key: str = "invalid_payload") -> tuple[YearDay, ...]:
    """1 to 20 ``{month, day}`` of the wire, which need not be in order. Raises :class:`EngineError`."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= 20:
        raise EngineError(path, "must list 1 to 20 days of the year", key)
    days: list[YearDay] = []
    for index, each in enumerate(raw):
        here = f"{path}[{index}]"
        if not isinstance(each, dict):
            raise EngineError(here, "must be an object with month and day", key)
        month = whole_number(each.get("month"), f"{here}.month", 1, 12, key)
        # 2028 has the 29th of February.
        last = calendar.monthrange(2028, month)[1]
        days.append(YearDay(month, whole_number(each.get("day"), f"{here}.day", 1, last, key)))
    return tuple(sorted(set(days), key=lambda day: (day.month, day.day)))


def whole_number(value: object, path: str, least: int, most: int, key: str = "invalid_payload") -> int:
    """A whole number within bounds. Raises :class:`EngineError` on anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise EngineError(path, f"must be a whole number from {least} to {most}", key)
    return value
