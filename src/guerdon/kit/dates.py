"""Dates as callers write them: ISO 8601, with a zone, without one, or a day alone."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A "+" of an offset arrives as a space from query strings whose writer did not escape it.
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(Z|z|[+\- ]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LAST = time(23, 59, 59, 999999)


def parse_instant(text: str, zone: ZoneInfo | str = "UTC", end_of_day: bool = False) -> datetime:
    """The instant in UTC. What names no zone is meant in `zone`; a day alone is its first, or last, moment.

    Raises ValueError with a sentence fit for the caller.

    >>> parse_instant("2026-11-27", "Europe/Warsaw").isoformat()
    '2026-11-26T23:00:00+00:00'
    >>> parse_instant("2026-11-27", end_of_day=True).isoformat()
    '2026-11-27T23:59:59.999999+00:00'
    >>> parse_instant("2026-11-27T08:00:00.5+01:00").isoformat()
    '2026-11-27T07:00:00.500000+00:00'
    """
    where = ZoneInfo(zone) if isinstance(zone, str) else zone
    try:
        if _DAY.fullmatch(text):
            clock_time = _LAST if end_of_day else time()
            return _in_utc(datetime.combine(date.fromisoformat(text), clock_time, where))
        found = _INSTANT.fullmatch(text)
        if found is None:
            raise ValueError
        day, written_time, offset = found.groups()
        moment = datetime.fromisoformat(f"{day}T{written_time.replace(',', '.')}{_offset(offset)}")
        return _in_utc(moment.replace(tzinfo=moment.tzinfo or where))
    except (ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 date such as 2026-11-27 or 2026-11-27T08:00:00Z") from None


def _in_utc(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    if moment.year < 1000:  # such years do not come out with four digits
        raise ValueError
    return moment


def _offset(text: str | None) -> str:
    if text is None:
        return ""
    return "+00:00" if text in "Zz" else text.replace(" ", "+")


def parse_day(text: str) -> date:
    """A calendar day; of an instant, the day that is written. Raises ValueError.

    >>> parse_day("1990-02-28T22:00:00Z")
    datetime.date(1990, 2, 28)
    """
    try:
        if not _DAY.fullmatch(text) and not _INSTANT.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError("must be a day such as 1990-02-28") from None


def day_bounds(day: date, zone: ZoneInfo | str) -> tuple[datetime, datetime]:
    """First moment of a day and of the next one in a zone, in UTC; 23 to 25 hours apart."""
    where = ZoneInfo(zone) if isinstance(zone, str) else zone
    first = datetime.combine(day, time(), where)
    return first.astimezone(UTC), datetime.combine(day + timedelta(days=1), time(), where).astimezone(UTC)
