"""ISO 8601 durations, and adding them to an instant the way a wall calendar does.

Years, months, weeks and days move the local date and keep the local time of day; hours, minutes and seconds
are elapsed time. A local time that a clock change skips becomes the instant as far after the change; one that
happens twice means the first.
"""

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,8})S)?)?"
)


class Span(NamedTuple):
    """A duration: calendar months, calendar days, elapsed seconds."""

    months: int
    days: int
    seconds: int

    def times(self, count: int) -> "Span":
        """The duration ``count`` times over."""
        return Span(self.months * count, self.days * count, self.seconds * count)

    def plus(self, other: "Span") -> "Span":
        """Both durations, one after the other."""
        return Span(self.months + other.months, self.days + other.days, self.seconds + other.seconds)

    def about(self) -> int:
        """Its length in seconds, a month taken for a twelfth of a mean year."""
        return self.months * 2_629_746 + self.days * 86_400 + self.seconds


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> Span:
    """The duration a text like ``P1M``, ``P2DT12H`` or ``PT90M`` means. Raises ValueError on any other text.

    >>> parse_duration("P1W"), parse_duration("PT1H30M")
    (Span(months=0, days=7, seconds=0), Span(months=0, days=0, seconds=5400))
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("must be an ISO 8601 duration of whole numbers, like P1D or PT8H")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    span = Span(years * 12 + months, weeks * 7 + days, hours * 3600 + minutes * 60 + seconds)
    if not 0 < span.about() <= 100 * 31_556_952:
        raise ValueError("must be longer than nothing and at most a hundred years")
    return span


def instant_of(wall: datetime, zone: ZoneInfo, fold: int = 0) -> datetime:
    """The instant (UTC) at which clocks in ``zone`` show ``wall`` (naive)."""
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def move(start: datetime, span: Span, zone: ZoneInfo) -> datetime:
    """The instant (UTC) that lies ``span`` after ``start`` in ``zone``; past a month's end is its last day.

    Raises OverflowError beyond the year 9999.
    """
    instant = start
    if span.months or span.days:
        wall = start.astimezone(zone).replace(tzinfo=None)
        if span.months:
            year, month = divmod(wall.year * 12 + wall.month - 1 + span.months, 12)
            if year > 9998:
                raise OverflowError("beyond the calendar")
            last = calendar.monthrange(year, month + 1)[1]
            wall = wall.replace(year=year, month=month + 1, day=min(wall.day, last))
        instant = instant_of(wall + timedelta(days=span.days), zone)
    return instant.astimezone(UTC) + timedelta(seconds=span.seconds)
