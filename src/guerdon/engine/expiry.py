"""When points end: rules of expiry, and the instant they come to for points earned at some time.

An end is told by its last day, on which the points can still be spent; they go at the midnight after it, in the
project's time zone. The instant given is that midnight, half-open like every other span of the engine.

>>> two_years = Rolling(Period("YEAR", 2), Rounding("END_OF_QUARTER"))
>>> last_day(two_years, date(2019, 2, 14))
datetime.date(2021, 3, 31)
"""

import calendar
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.opening import end_of_day
from guerdon.engine.periods import LAST_YEAR, Period, YearDay, after, around, local_day, next_of
from guerdon.engine.trace import Check
from guerdon.engine.window import iso

RoundingType = Literal[
    "END_OF_MONTH", "END_OF_QUARTER", "END_OF_HALF_YEAR", "END_OF_YEAR", "END_OF_PARTICULAR_MONTH"
]
ROUNDINGS = ("END_OF_MONTH", "END_OF_QUARTER", "END_OF_HALF_YEAR", "END_OF_YEAR", "END_OF_PARTICULAR_MONTH")
EARNING, SPENDING = "EARNING", "SPENDING"


class Rounding(Struct, frozen=True):
    """To the end of what an end is moved; ``month`` (1 = January) is for END_OF_PARTICULAR_MONTH alone."""

    type: RoundingType
    month: int | None = None


class NoExpiration(Struct, frozen=True, tag="NO_EXPIRATION"):
    """Points that last."""


class Rolling(Struct, frozen=True, tag="ROLLING_EXPIRATION"):
    """A period after they were earned; 0 months are the day itself."""

    period: Period
    rounding: Rounding | None = None


class Calendar(Struct, frozen=True, tag="CALENDAR_EXPIRATION"):
    """On the next of these days; points earned on such a day end with it."""

    days: tuple[YearDay, ...]


class Sliding(Struct, frozen=True, tag="SLIDING_EXPIRATION"):
    """A period after the member last did something: earned, spent, or one of the custom events (their schemas)."""

    period: Period
    earning: bool = False
    spending: bool = False
    events: frozenset[str] = frozenset()

    def counts(self, activity: str) -> bool:
        """Whether an activity (``EARNING``, ``SPENDING``, or a custom event's schema) starts the period anew."""
        if activity == EARNING:
            return self.earning
        if activity == SPENDING:
            return self.spending
        return activity in self.events


Expiry = NoExpiration | Rolling | Calendar | Sliding


def last_day(rule: Expiry, earned: date) -> date | None:
    """The last day on which points earned on a day can be spent; None when they do not end.

    For sliding rules ``earned`` is the day of the member's last activity that counts.
    """
    try:
        match rule:
            case NoExpiration():
                return None
            case Rolling(period, rounding):
                plain = after(earned, period)
                return plain if rounding is None else rounded(rounding, plain)
            case Calendar(days):
                return next_of(days, earned)
            case Sliding(period):
                return after(earned, period)
            case _:
                assert_never(rule)
    except OverflowError:
        return None


def rounded(rounding: Rounding, day: date) -> date:
    """The last day of the month, quarter, half-year or year a day is in; or of the named month, on or after it.

    >>> rounded(Rounding("END_OF_PARTICULAR_MONTH", 2), date(2027, 3, 1))
    datetime.date(2028, 2, 29)
    """
    match rounding.type:
        case "END_OF_MONTH":
            end = around("MONTH", day).after
        case "END_OF_QUARTER":
            end = around("QUARTER", day).after
        case "END_OF_HALF_YEAR":
            end = around("HALF_YEAR", day).after
        case "END_OF_YEAR":
            end = around("YEAR", day).after
        case "END_OF_PARTICULAR_MONTH":
            month = rounding.month or 12
            year = day.year + (month < day.month)
            return date(year, month, calendar.monthrange(year, month)[1])
    return end - timedelta(days=1)


def ends(
    rule: Expiry, earned_at: datetime, zone: ZoneInfo, activated_at: datetime | None = None
) -> datetime | None:
    """The instant (UTC) from which points can no longer be spent, or None.

    ``earned_at`` is when the member did what they are for. Points that were pending count from ``activated_at``.
    """
    last = last_day(rule, local_day(activated_at or earned_at, zone))
    return None if last is None or last.year > LAST_YEAR else end_of_day(last, zone)


def renewed(
    rule: Expiry, lots: Mapping[str, datetime | None], activity: str, at: datetime, zone: ZoneInfo
) -> dict[str, datetime]:
    """Which lots of a card end later because of an activity, and when. ``lots`` are their ends as they stand.

    Only a sliding rule renews, only what it counts, and never what has ended already. No end comes nearer.
    """
    if not isinstance(rule, Sliding) or not rule.counts(activity):
        return {}
    new = ends(rule, at, zone)
    if new is None:
        return {}
    return {name: new for name, end in lots.items() if end is not None and at < end < new}


ManualKind = Literal["PROGRAM_RULES", "CUSTOM_DATE", "NON_EXPIRING"]


def manual_end(
    kind: ManualKind, day: date | None, rule: Expiry, now: datetime, zone: ZoneInfo, path: str = ""
) -> datetime | None:
    """When points end that somebody adds by hand. ``day`` is the last day, for CUSTOM_DATE.

    Raises :class:`EngineError` with the key ``invalid_expiration_date`` for a day that is missing or over.
    """
    match kind:
        case "PROGRAM_RULES":
            return ends(rule, now, zone)
        case "NON_EXPIRING":
            return None
        case "CUSTOM_DATE":
            place = path + "expiration_date"
            if day is None:
                raise EngineError(place, "is required for CUSTOM_DATE", "invalid_expiration_date")
            if day < local_day(now, zone):
                raise EngineError(place, "must not be in the past", "invalid_expiration_date")
            if day.year > LAST_YEAR:
                raise EngineError(
                    place, f"must be in the year {LAST_YEAR} or earlier", "invalid_expiration_date"
                )
            return end_of_day(day, zone)


def explained(
    rule: Expiry, earned_at: datetime, zone: ZoneInfo, activated_at: datetime | None = None
) -> Check:
    """How an end came about: the rule, the day counted from, the day before rounding, the last day, the instant."""
    since = local_day(activated_at or earned_at, zone)
    last, end = last_day(rule, since), ends(rule, earned_at, zone, activated_at)
    seen: dict[str, Any] = {"counted_from": str(since), "time_zone": zone.key}
    if isinstance(rule, Rolling) and rule.rounding is not None:
        plain = last_day(Rolling(rule.period), since)
        seen["before_rounding"] = None if plain is None else str(plain)
    seen |= {"last_day": None if last is None else str(last), "ends_at": None if end is None else iso(end)}
    return Check("points_expiration", shown(rule), seen, "passed")


def shown(rule: Expiry) -> dict[str, Any]:
    """The rule as plain values, for people and for v2 of the API."""
    match rule:
        case NoExpiration():
            return {"type": "NO_EXPIRATION"}
        case Rolling(period, rounding):
            body: dict[str, Any] = {"period": {"unit": period.unit, "value": period.value}}
            if rounding is not None:
                body["rounding"] = {"type": rounding.type, "value": rounding.month}
            return {"type": "ROLLING_EXPIRATION", "rolling_expiration": body}
        case Calendar(days):
            dates = [{"day": each.day, "month": each.month} for each in days]
            return {"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"expiration_dates": dates}}
        case Sliding(period):
            return {
                "type": "SLIDING_EXPIRATION",
                "sliding_expiration": {
                    "earning_activity": rule.earning,
                    "spending_activity": rule.spending,
                    "custom_activity": bool(rule.events),
                    "custom_activity_types": sorted(rule.events),
                    "period": {"unit": period.unit, "value": period.value},
                },
            }
        case _:
            assert_never(rule)


def shown_v1(rule: Expiry) -> dict[str, Any] | None:
    """The rule as v1 of the API writes ``expiration_rules``; None for what v1 has no words for."""
    match rule:
        case Rolling(period, rounding) if period.unit in ("MONTH", "YEAR"):
            months = period.value * (12 if period.unit == "YEAR" else 1)
            body: dict[str, Any] = {"period_type": "MONTH", "period_value": months}
            if rounding is not None and rounding.type == "END_OF_PARTICULAR_MONTH":
                return body | {"rounding_type": "PARTICULAR_MONTH", "rounding_value": rounding.month}
            return body if rounding is None else body | {"rounding_type": rounding.type}
        case Calendar((only,)):
            return {"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": only.month, "fixed_day": only.day}
        case _:
            return None
