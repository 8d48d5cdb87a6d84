"""Dates and instants as data has them, and how they compare."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct


class Moment(Struct, frozen=True):
    """A date as data has it: a whole local day (`instant` None), or an instant and the local day it falls on."""

    day: date
    instant: datetime | None


@lru_cache(maxsize=8192)
def read_moment(text: str, zone: ZoneInfo) -> Moment | None:
    """The date or instant a text spells, or None."""
    if not 10 <= len(text) <= 40 or text[4] != "-" or text[7] != "-":
        return None
    try:
        if len(text) == 10:
            return Moment(date.fromisoformat(text), None)
        return _moment(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        return None


def _moment(read: datetime, zone: ZoneInfo) -> Moment:
    instant = read.replace(tzinfo=zone) if read.tzinfo is None else read
    return Moment(instant.astimezone(zone).date(), instant.astimezone(UTC))


def moment_of(value: Any, zone: ZoneInfo) -> Moment | None:
    """The date or instant a value is or spells (ISO 8601; without an offset in `zone`), or None."""
    if type(value) is str:
        return read_moment(value, zone)
    try:
        if isinstance(value, datetime):
            return _moment(value, zone)
    except OverflowError:
        return None
    return Moment(value, None) if isinstance(value, date) else None


def instant_of(moment: Moment, zone: ZoneInfo) -> datetime:
    """The instant of a moment; of a whole day the first."""
    return moment.instant or datetime(moment.day.year, moment.day.month, moment.day.day, tzinfo=zone)


def compared(by_order: Callable[[Any, Any], bool], first: Moment, second: Moment) -> bool:
    """Two instants as they are; as days when one of them is a whole day."""
    if first.instant is None or second.instant is None:
        return by_order(first.day, second.day)
    return by_order(first.instant, second.instant)
