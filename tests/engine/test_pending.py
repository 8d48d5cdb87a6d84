"""When points become active: at once, later, on fixed days, by an event."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.expiry_parse import parse_pending, parse_pending_v1
from guerdon.engine.fault import EngineError
from guerdon.engine.pending import (
    AT_ONCE,
    Activation,
    EventBased,
    FixedDates,
    Immediate,
    PeriodBased,
    activation,
    shown_pending,
)
from guerdon.engine.periods import Period, YearDay

WARSAW = ZoneInfo("Europe/Warsaw")
LATE = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)  # already 1 February in Warsaw


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        (PeriodBased(Period("DAY", 1)), date(2026, 2, 2)),
        (PeriodBased(Period("DAY", 90)), date(2026, 5, 2)),
        (PeriodBased(Period("MONTH", 1)), date(2026, 3, 1)),
        (PeriodBased(Period("YEAR", 1)), date(2027, 2, 1)),
        (FixedDates((YearDay(1, 31), YearDay(7, 1))), date(2026, 7, 1)),
    ],
)
def test_the_day_of_activation_is_counted_from_the_local_day(rule, day):
    found = activation(rule, LATE, WARSAW)
    assert found.day == day and found.pending and found.cancels_at is None
    assert found.at == datetime(day.year, day.month, day.day, tzinfo=WARSAW)


def test_what_is_earned_on_a_fixed_day_is_active_at_once():
    assert activation(FixedDates((YearDay(2, 1),)), LATE, WARSAW) == AT_ONCE
    assert activation(Immediate(), LATE, WARSAW) == AT_ONCE
    assert not AT_ONCE.pending


def test_an_event_wakes_points_or_they_are_given_up():
    rule = EventBased(frozenset({"ms_delivered"}), Period("DAY", 30))
    found = activation(rule, LATE, WARSAW)
    assert found == Activation(cancels_at=datetime(2026, 3, 2, 23, tzinfo=UTC), day=date(2026, 3, 3))
    assert found.pending and rule.wakes("ms_delivered") and not rule.wakes("ms_other")


@pytest.mark.parametrize(
    "rule",
    [
        Immediate(),
        PeriodBased(Period("MONTH", 12)),
        FixedDates((YearDay(1, 1),)),
        EventBased(frozenset({"ms_1"}), Period("DAY", 7)),
    ],
)
def test_rules_come_back_as_they_went(rule):
    assert parse_pending(shown_pending(rule), "pending_points") == rule


def test_v1_waits_days():
    assert parse_pending_v1({"period_type": "DAY", "period_value": 90}, "p") == PeriodBased(Period("DAY", 90))
    assert parse_pending_v1(None, "p") == parse_pending(None, "p") == Immediate()
    for body, path in [
        ({"period_type": "DAY", "period_value": 91}, "p.period_value"),
        ({"period_type": "DAY", "period_value": 0}, "p.period_value"),
        ({"period_type": "MONTH", "period_value": 1}, "p.period_type"),
    ]:
        with pytest.raises(EngineError) as caught:
            parse_pending_v1(body, "p")
        assert caught.value.path == path
