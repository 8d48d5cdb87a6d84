"""When earned points become the member's to spend: at once, later, on fixed days, or once something happens.

Until then they are no part of the balance. Points become active at the midnight that begins their day; what was
earned on one of the fixed days is active at once.

>>> from zoneinfo import ZoneInfo
>>> earned = datetime(2026, 11, 22, 12, tzinfo=UTC)
>>> activation(PeriodBased(Period("DAY", 14)), earned, ZoneInfo("Europe/Warsaw")).at.isoformat()
'2026-12-05T23:00:00+00:00'
"""

from datetime import UTC, date, datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.opening import start_of_day
from guerdon.engine.periods import Period, YearDay, after, local_day, next_of


class Immediate(Struct, frozen=True, tag="IMMEDIATE"):
    """Active as soon as they are earned."""


class PeriodBased(Struct, frozen=True, tag="PERIOD_BASED"):
    """Active a period after the day they were earned."""

    period: Period


class FixedDates(Struct, frozen=True, tag="FIXED_DATES"):
    """Active on the next of these days."""

    days: tuple[YearDay, ...]


class EventBased(Struct, frozen=True, tag="EVENT_BASED"):
    """Active when one of these custom events (their schemas) happens; given up after the period if none does."""

    events: frozenset[str]
    cancel_period: Period

    def wakes(self, event: str) -> bool:
        """Whether a custom event makes the points active."""
        return event in self.events


Pending = Immediate | PeriodBased | FixedDates | EventBased


class Activation(Struct, frozen=True):
    """When points become active (UTC), or are given up if the event they wait for never happens.

    ``day`` is the local day of either. All are None for points that are active at once.
    """

    at: datetime | None = None
    cancels_at: datetime | None = None
    day: date | None = None

    @property
    def pending(self) -> bool:
        """Whether the points are pending at all."""
        return self.day is not None


AT_ONCE = Activation()


def activation(rule: Pending, earned_at: datetime, zone: ZoneInfo) -> Activation:
    """When points earned at an instant become active."""
    today = local_day(earned_at, zone)
    match rule:
        case Immediate():
            return AT_ONCE
        case PeriodBased(period):
            day = after(today, period)
        case FixedDates(days):
            day = next_of(days, today)
        case EventBased(_, period):
            day = after(today, period)
            return Activation(cancels_at=start_of_day(day, zone), day=day)
        case _:
            assert_never(rule)
    at = start_of_day(day, zone)
    return AT_ONCE if at <= earned_at.astimezone(UTC) else Activation(at=at, day=day)


def shown_pending(rule: Pending) -> dict[str, Any]:
    """The rule as v2 of the API writes it."""
    match rule:
        case Immediate():
            return {"type": "IMMEDIATE"}
        case PeriodBased(period):
            return {
                "type": "PERIOD_BASED",
                "period_based": {"period": {"unit": period.unit, "value": period.value}},
            }
        case FixedDates(days):
            dates = [{"day": day.day, "month": day.month} for day in days]
            return {"type": "FIXED_DATES", "fixed_dates": {"dates": dates}}
        case EventBased(events, period):
            body = {
                "event_types": sorted(events),
                "cancel_period": {"unit": period.unit, "value": period.value},
            }
            return {"type": "EVENT_BASED", "event_based": body}
        case _:
            assert_never(rule)
