"""Windows by hand: borders, months, nights, clock changes, and definitions that make no sense."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine import EngineError, Reason, Terms, check_windows, end_of_day, next_opening, start_of_day
from guerdon.engine.durations import parse_duration
from guerdon.engine.terms import DailyHours, ValidityHours, ValidityTimeframe
from guerdon.engine.window import check_times

from .build import run

WARSAW = ZoneInfo("Europe/Warsaw")
TICK = timedelta(milliseconds=1)


def at(text, zone=WARSAW):
    """A local wall time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def hours(*spans):
    return Terms(validity_hours=ValidityHours([DailyHours(*span) for span in spans]))


def frames(start, interval, duration):
    return Terms(start_date=at(start), validity_timeframe=ValidityTimeframe(interval, duration))


def test_start_counts_and_end_does_not():
    start, end = at("2026-01-01T00:00"), at("2026-02-01T00:00")
    terms = Terms(start_date=start, expiration_date=end)
    for instant, reason in [
        (start - TICK, Reason.VOUCHER_NOT_ACTIVE),
        (start, None),
        (end - TICK, None),
        (end, Reason.VOUCHER_EXPIRED),
    ]:
        assert check_times(terms, instant, WARSAW) is reason


@pytest.mark.parametrize(
    ("terms", "local", "is_open"),
    [
        (hours(("09:00", "17:00", [0, 6])), "2026-06-06T09:00", True),  # a Saturday
        (hours(("09:00", "17:00", [0, 6])), "2026-06-06T17:00", False),
        (hours(("09:00", "17:00", [0, 6])), "2026-06-07T16:59:59.999", True),
        (hours(("09:00", "17:00", [0, 6])), "2026-06-08T12:00", False),
        (hours(("22:00", "02:00", [6])), "2026-06-07T01:59", True),
        (hours(("22:00", "02:00", [6])), "2026-06-06T01:00", False),
        (hours(("22:00", "02:00", [6])), "2026-06-07T22:30", False),
        (hours(("22:00", "02:00")), "2026-06-09T00:00", True),
        (hours(("20:00", None, [6])), "2026-06-06T23:59:59.999", True),
        (hours(("20:00", "", [6])), "2026-06-07T00:00", False),
        (hours((None, "08:00")), "2026-06-07T00:00", True),
        (hours(("00:00", "00:00", [1])), "2026-06-08T13:00", True),
        (hours(("00:00", "00:00", [1])), "2026-06-09T00:00", False),
        (Terms(validity_day_of_week=[1, 2]), "2026-06-08T00:00", True),
        (Terms(validity_day_of_week=[1, 2]), "2026-06-10T00:00", False),
        (frames("2026-01-31T10:00", "P1M", "P1D"), "2026-02-28T10:00", True),  # no 31st of February
        (frames("2026-01-31T10:00", "P1M", "P1D"), "2026-03-30T11:00", False),
        (frames("2026-01-31T10:00", "P1M", "P1D"), "2026-03-31T11:00", True),
        (frames("2024-02-29T10:00", "P1Y", "PT1H"), "2026-02-28T10:30", True),
        (frames("2024-02-29T10:00", "P1Y", "PT1H"), "2028-02-29T10:30", True),
        (frames("2026-03-28T10:00", "P1D", "PT2H"), "2026-03-30T10:00", True),  # clocks changed on the 29th
        (frames("2026-03-28T10:00", "P1D", "PT2H"), "2026-03-30T12:00", False),
        (frames("2026-03-28T10:00", "PT24H", "PT2H"), "2026-03-30T10:00", False),  # elapsed hours drift
        (frames("2026-03-28T10:00", "PT24H", "PT2H"), "2026-03-30T11:00", True),
        (frames("2026-01-05T00:00", "P1W", "P7D"), "2026-10-25T02:30", True),
        (frames("2026-01-05T00:00", "P1D", "P3D"), "2026-10-25T02:30", True),
    ],
)
def test_windows_by_hand(terms, local, is_open):
    check_windows(terms)
    assert check_times(terms, at(local), WARSAW) is (None if is_open else Reason.VOUCHER_NOT_ACTIVE_NOW)


def test_frames_and_days_must_both_hold():
    terms = Terms(
        start_date=at("2026-01-01T08:00"),  # a Thursday
        validity_timeframe=ValidityTimeframe("P2D", "PT4H"),
        validity_day_of_week=[4, 5],
    )
    check_windows(terms)
    assert check_times(terms, at("2026-01-01T09:00"), WARSAW) is None
    assert check_times(terms, at("2026-01-02T09:00"), WARSAW) is Reason.VOUCHER_NOT_ACTIVE_NOW
    assert check_times(terms, at("2026-01-03T09:00"), WARSAW) is Reason.VOUCHER_NOT_ACTIVE_NOW
    assert next_opening(terms, at("2026-01-02T09:00"), WARSAW) == at("2026-01-09T08:00")


def test_the_next_opening():
    weekend = hours(("09:00", "17:00", [0, 6]))
    assert next_opening(weekend, at("2026-06-06T12:00"), WARSAW) == at("2026-06-06T12:00")
    assert next_opening(weekend, at("2026-06-06T17:00"), WARSAW) == at("2026-06-07T09:00")
    assert next_opening(weekend, at("2026-06-07T17:00"), WARSAW) == at("2026-06-13T09:00")
    ends = Terms(validity_hours=weekend.validity_hours, expiration_date=at("2026-06-12T00:00"))
    assert next_opening(ends, at("2026-06-07T17:00"), WARSAW) is None
    assert next_opening(Terms(expiration_date=at("2026-01-01T00:00")), at("2026-06-07T17:00"), WARSAW) is None
    assert next_opening(Terms(start_date=at("2026-09-01T00:00")), at("2026-06-07T17:00"), WARSAW) == at(
        "2026-09-01T00:00"
    )


def test_an_hour_that_a_clock_change_skips_is_caught_up_a_week_later():
    lost = hours(("02:10", "02:50", [0]))
    assert next_opening(lost, at("2026-03-29T00:00"), WARSAW) == at("2026-04-05T02:10")
    late = hours(("02:30", "03:30", [0]))
    assert next_opening(late, at("2026-03-29T00:00"), WARSAW) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_window_that_can_never_open_is_said_so():
    never = Terms(
        start_date=at("2026-01-01T08:00"),
        validity_timeframe=ValidityTimeframe("P7D", "PT1H"),
        validity_day_of_week=[0],
    )
    assert next_opening(never, at("2026-06-07T17:00"), WARSAW) is None
    far = Terms(start_date=at("2026-01-01T08:00"), validity_timeframe=ValidityTimeframe("P100Y", "PT1H"))
    assert next_opening(far, at("2027-06-07T17:00"), WARSAW) == at("2126-01-01T08:00")


def test_explain_names_the_window_and_when_it_opens():
    weekend = hours(("09:00", "17:00", [0, 6]))
    check = run(None, weekend, now=at("2026-06-08T12:00"), explain=True).outcomes[0].trace[-1]
    assert (check.check, check.outcome, check.opens_at) == (
        "validity_hours",
        "failed",
        "2026-06-13T07:00:00.000Z",
    )
    assert check.seen == {"day_of_week": 1, "time": "12:00", "time_zone": "Europe/Warsaw"}
    frame = run(None, frames("2026-01-01T00:00", "P1W", "P1D"), now=at("2026-01-03T00:00"), explain=True)
    last = frame.outcomes[0].trace[-1]
    assert last.asked == {"interval": "P1W", "duration": "P1D"}
    assert (last.seen["opened_at"], last.opens_at) == ("2025-12-31T23:00:00.000Z", "2026-01-07T23:00:00.000Z")


def test_days_begin_and_end_where_clocks_say():
    assert end_of_day(date(2026, 3, 29), WARSAW) - start_of_day(date(2026, 3, 29), WARSAW) == timedelta(
        hours=23
    )
    assert end_of_day(date(2026, 10, 25), WARSAW) - start_of_day(date(2026, 10, 25), WARSAW) == timedelta(
        hours=25
    )


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "1D", "P1", "P1DT", "P-1D", "PT1.5H", "P0D", "P101Y", "p1d", "P1D ", "P1H", "P１D"],
)
def test_a_duration_that_is_none(text):
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


HOURS = {"start_time": "09:00", "expiration_time": "12:00"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"start_date": "2026-01-01"}, "start_date"),
        ({"start_date": "2026-01-01T00:00:00"}, "start_date"),
        ({"start_date": "3000-01-01T00:00:00Z"}, "start_date"),
        ({"expiration_date": "1899-01-01T00:00:00Z"}, "expiration_date"),
        (
            {"start_date": "2026-01-01T00:00:00Z", "expiration_date": "2026-01-01T00:00:00Z"},
            "expiration_date",
        ),
        ({"validity_timeframe": {"interval": "P1D", "duration": "PT1H"}}, "validity_timeframe"),
        (
            {
                "start_date": "2026-01-01T00:00:00Z",
                "validity_timeframe": {"interval": "daily", "duration": "PT1H"},
            },
            "validity_timeframe.interval",
        ),
        (
            {
                "start_date": "2026-01-01T00:00:00Z",
                "validity_timeframe": {"interval": "P1D", "duration": "PT0S"},
            },
            "validity_timeframe.duration",
        ),
        ({"validity_timeframe": {"interval": "P1D"}}, "validity_timeframe"),
        ({"validity_day_of_week": []}, "validity_day_of_week"),
        ({"validity_day_of_week": [7]}, "validity_day_of_week"),
        ({"validity_day_of_week": [1, 1]}, "validity_day_of_week"),
        ({"validity_hours": {"daily": []}}, "validity_hours.daily"),
        ({"validity_hours": {"daily": [HOURS]}, "validity_day_of_week": [1]}, "validity_hours"),
        ({"validity_hours": {"daily": [{"start_time": "9:00"}]}}, "validity_hours.daily[0].start_time"),
        ({"validity_hours": {"daily": [{"start_time": "24:00"}]}}, "validity_hours.daily[0].start_time"),
        (
            {"validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "09:60"}]}},
            "validity_hours.daily[0].expiration_time",
        ),
        (
            {"validity_hours": {"daily": [HOURS | {"days_of_week": [8]}]}},
            "validity_hours.daily[0].days_of_week",
        ),
        ({"validity_hours": {"daily": [HOURS, {"start_time": "11:59"}]}}, "validity_hours.daily[1]"),
        (
            {
                "validity_hours": {
                    "daily": [
                        {"start_time": "22:00", "expiration_time": "02:00", "days_of_week": [6]},
                        {"start_time": "01:00", "expiration_time": "03:00", "days_of_week": [0]},
                    ]
                }
            },
            "validity_hours.daily[1]",
        ),
    ],
)
def test_a_wrong_window_names_its_fault(body, path):
    with pytest.raises(EngineError) as caught:
        check_windows(body)
    assert caught.value.path == path


def test_windows_that_touch_do_not_overlap():
    touching = {"daily": [HOURS, {"start_time": "12:00", "expiration_time": "09:00"}]}
    assert check_windows({"validity_hours": touching}) is None
    assert check_windows({"expiration_date": "9999-12-31T23:59:59Z"}) is None
