"""When points end: the issue's example, every kind of rule, month ends, zones, renewal, both faces of the API."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.expiry import (
    EARNING,
    SPENDING,
    Calendar,
    NoExpiration,
    Rolling,
    Rounding,
    Sliding,
    ends,
    explained,
    last_day,
    manual_end,
    renewed,
    shown,
    shown_v1,
)
from guerdon.engine.expiry_parse import parse_expiration_rules, parse_expiry
from guerdon.engine.fault import EngineError
from guerdon.engine.periods import Period, YearDay

WARSAW = ZoneInfo("Europe/Warsaw")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def months(value, rounding=None, month=None):
    return Rolling(Period("MONTH", value), rounding and Rounding(rounding, month))


@pytest.mark.parametrize("earned", ["2019-01-01", "2019-02-14", "2019-03-31"])
@pytest.mark.parametrize(
    "rule", [months(24, "END_OF_QUARTER"), Rolling(Period("YEAR", 2), Rounding("END_OF_QUARTER"))]
)
def test_points_of_a_quarter_end_together_two_years_later(rule, earned):
    assert last_day(rule, date.fromisoformat(earned)) == date(2021, 3, 31)
    noon = datetime.fromisoformat(earned + "T12:00").replace(tzinfo=WARSAW)
    # 1 April 2021 begins in Warsaw two hours before it does in UTC.
    assert ends(rule, noon, WARSAW) == datetime(2021, 3, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "earned", "last"),
    [
        (NoExpiration(), "2026-01-31", None),
        (months(0), "2026-01-01", "2026-01-01"),
        (months(1), "2026-01-25", "2026-02-25"),
        (months(1), "2026-01-31", "2026-02-28"),
        (months(1), "2028-01-31", "2028-02-29"),
        (months(1), "2026-02-28", "2026-03-28"),
        (months(12), "2028-02-29", "2029-02-28"),
        (months(0, "END_OF_MONTH"), "2026-02-01", "2026-02-28"),
        (months(1, "END_OF_MONTH"), "2026-01-31", "2026-02-28"),
        (months(3, "END_OF_QUARTER"), "2026-12-31", "2027-03-31"),
        (months(6, "END_OF_HALF_YEAR"), "2026-01-01", "2026-12-31"),
        (months(5, "END_OF_HALF_YEAR"), "2026-01-31", "2026-06-30"),
        (months(1, "END_OF_YEAR"), "2026-11-30", "2026-12-31"),
        (months(1, "END_OF_YEAR"), "2026-12-01", "2027-12-31"),
        (months(1, "END_OF_PARTICULAR_MONTH", 3), "2026-02-10", "2026-03-31"),
        (months(1, "END_OF_PARTICULAR_MONTH", 2), "2026-02-10", "2027-02-28"),
        (months(1, "END_OF_PARTICULAR_MONTH", 2), "2027-02-10", "2028-02-29"),
        (Rolling(Period("DAY", 90)), "2026-01-01", "2026-04-01"),
        (Rolling(Period("DAY", 30), Rounding("END_OF_MONTH")), "2026-01-31", "2026-03-31"),
        (Calendar((YearDay(12, 31),)), "2026-11-22", "2026-12-31"),
        (Calendar((YearDay(12, 31),)), "2026-12-31", "2026-12-31"),
        (Calendar((YearDay(6, 30),)), "2026-07-01", "2027-06-30"),
        (Calendar((YearDay(6, 30), YearDay(12, 31))), "2026-07-01", "2026-12-31"),
        (Calendar((YearDay(2, 29),)), "2027-03-01", "2028-02-29"),
        (Calendar((YearDay(2, 29),)), "2026-01-01", "2026-02-28"),
        (Calendar((YearDay(2, 31),)), "2026-01-01", "2026-02-28"),
        (Sliding(Period("MONTH", 6), earning=True), "2026-08-31", "2027-02-28"),
    ],
)
def test_the_last_day(rule, earned, last):
    assert last_day(rule, date.fromisoformat(earned)) == (None if last is None else date.fromisoformat(last))


@pytest.mark.parametrize(
    ("zone", "earned", "end"),
    [
        # The same instant is another day, and another end, in another zone.
        ("Pacific/Kiritimati", "2026-01-31T11:00+00:00", "2026-03-01T10:00+00:00"),
        ("Pacific/Honolulu", "2026-01-31T09:59+00:00", "2026-03-01T10:00+00:00"),
        ("UTC", "2026-01-31T23:59:59.999+00:00", "2026-03-01T00:00+00:00"),
        ("Europe/Warsaw", "2026-02-28T23:30+00:00", "2026-04-01T22:00+00:00"),
        # Midnight does not exist: the day begins at one.
        ("America/Sao_Paulo", "2018-10-03T12:00+00:00", "2018-11-04T03:00+00:00"),
        # The day is 25 hours long.
        ("America/New_York", "2026-10-01T12:00+00:00", "2026-11-02T05:00+00:00"),
        # A whole day that Samoa skipped: the 29th is followed by the 31st.
        ("Pacific/Apia", "2011-11-29T12:00+00:00", "2011-12-30T10:00+00:00"),
    ],
)
def test_ends_are_midnights_of_the_project(zone, earned, end):
    assert ends(months(1), datetime.fromisoformat(earned), ZoneInfo(zone)) == datetime.fromisoformat(end)


def test_what_was_pending_counts_from_its_activation():
    earned, activated = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 2, 13, 23, tzinfo=UTC)
    assert ends(months(1), earned, WARSAW, activated) == datetime(2026, 3, 14, 23, tzinfo=UTC)


def test_what_would_end_beyond_the_calendar_lasts():
    assert last_day(Rolling(Period("MONTH", 12 * 9000)), date(2026, 1, 1)) is None


def test_sliding_points_are_renewed_by_what_counts_and_only_while_they_live():
    rule = Sliding(Period("MONTH", 2), earning=True, events=frozenset({"ms_visit"}))
    new = ends(rule, NOW, WARSAW)
    lots = {"dead": NOW, "live": NOW + timedelta(days=3), "later": new, "lasting": None}
    assert renewed(rule, lots, EARNING, NOW, WARSAW) == {"live": new}
    assert renewed(rule, lots, "ms_visit", NOW, WARSAW) == {"live": new}
    assert renewed(rule, lots, SPENDING, NOW, WARSAW) == {}
    assert renewed(rule, lots, "ms_other", NOW, WARSAW) == {}
    assert renewed(months(24), lots, EARNING, NOW, WARSAW) == {}


def test_points_added_by_hand():
    assert manual_end("PROGRAM_RULES", None, months(1), NOW, WARSAW) == ends(months(1), NOW, WARSAW)
    assert manual_end("NON_EXPIRING", None, months(1), NOW, WARSAW) is None
    today = manual_end("CUSTOM_DATE", date(2026, 11, 22), months(1), NOW, WARSAW)
    assert today == datetime(2026, 11, 22, 23, tzinfo=UTC)
    for day in (None, date(2026, 11, 21), date(9999, 1, 1)):
        with pytest.raises(EngineError) as caught:
            manual_end("CUSTOM_DATE", day, months(1), NOW, WARSAW, "data.")
        assert (caught.value.key, caught.value.path) == ("invalid_expiration_date", "data.expiration_date")


def test_an_end_explains_itself():
    check = explained(months(24, "END_OF_QUARTER"), datetime(2019, 2, 14, 12, tzinfo=UTC), WARSAW)
    assert check.asked["rolling_expiration"]["rounding"] == {"type": "END_OF_QUARTER", "value": None}
    assert check.seen == {
        "counted_from": "2019-02-14",
        "time_zone": "Europe/Warsaw",
        "before_rounding": "2021-02-14",
        "last_day": "2021-03-31",
        "ends_at": "2021-03-31T22:00:00.000Z",
    }


V1 = [
    ({"period_type": "MONTH", "period_value": 0}, months(0)),
    (
        {"period_type": "MONTH", "period_value": 24, "rounding_type": "END_OF_QUARTER"},
        months(24, "END_OF_QUARTER"),
    ),
    (
        {"period_type": "MONTH", "period_value": 3, "rounding_type": "PARTICULAR_MONTH", "rounding_value": 4},
        months(3, "END_OF_PARTICULAR_MONTH", 4),
    ),
    ({"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 2, "fixed_day": 31}, Calendar((YearDay(2, 31),))),
]


@pytest.mark.parametrize(("body", "rule"), V1)
def test_rules_of_v1(body, rule):
    assert parse_expiration_rules(body, "expiration_rules") == rule
    assert shown_v1(rule) == body


@pytest.mark.parametrize(
    "rule",
    [
        NoExpiration(),
        Rolling(Period("DAY", 90)),
        months(12, "END_OF_PARTICULAR_MONTH", 12),
        months(1, "END_OF_HALF_YEAR"),
        Calendar((YearDay(2, 29), YearDay(6, 30))),
        Sliding(Period("YEAR", 1), earning=True, spending=True),
        Sliding(Period("MONTH", 3), events=frozenset({"ms_1", "ms_2"})),
    ],
)
def test_rules_of_v2_come_back_as_they_went(rule):
    assert parse_expiry(shown(rule), "points_expiration") == rule


def test_v1_has_no_words_for_days_and_activity():
    assert shown_v1(Rolling(Period("YEAR", 2))) == {"period_type": "MONTH", "period_value": 24}
    for rule in (Rolling(Period("DAY", 2)), Sliding(Period("DAY", 2), earning=True), NoExpiration()):
        assert shown_v1(rule) is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], "p"),
        ({"type": "SOON"}, "p.type"),
        ({"type": "ROLLING_EXPIRATION"}, "p.rolling_expiration"),
        ({"type": "NO_EXPIRATION", "rolling_expiration": {}}, "p.rolling_expiration"),
        ({"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "WEEK", "value": 1}}}, "p.rolling_expiration.period.unit"),
        ({"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 91}}}, "p.rolling_expiration.period.value"),
        ({"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": True}}}, "p.rolling_expiration.period.value"),
        (
            {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 1}, "rounding": {"type": "END_OF_YEAR", "value": 2}}},
            "p.rolling_expiration.rounding.value",
        ),
        ({"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"expiration_dates": [{"day": 30, "month": 2}]}}, "p.calendar_expiration.expiration_dates[0].day"),
        ({"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"expiration_dates": []}}, "p.calendar_expiration.expiration_dates"),
        ({"type": "SLIDING_EXPIRATION", "sliding_expiration": {"period": {"unit": "DAY", "value": 1}}}, "p.sliding_expiration"),
        (
            {"type": "SLIDING_EXPIRATION", "sliding_expiration": {"period": {"unit": "DAY", "value": 1}, "custom_activity": True, "custom_activity_types": []}},
            "p.sliding_expiration.custom_activity_types",
        ),
    ],
)  # fmt: skip
def test_faults_are_told_by_their_path(body, path):
    with pytest.raises(EngineError) as caught:
        parse_expiry(body, "p")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"period_type": "PERIOD_AFTER"}, "e.period_type"),
        ({"period_type": "MONTH"}, "e.period_value"),
        ({"period_type": "MONTH", "period_value": -1}, "e.period_value"),
        ({"period_type": "MONTH", "period_value": 10**9}, "e.period_value"),
        (
            {"period_type": "MONTH", "period_value": 1, "rounding_type": "PARTICULAR_MONTH"},
            "e.rounding_value",
        ),
        ({"period_type": "MONTH", "period_value": 1, "rounding_type": "END_OF_TIME"}, "e.rounding_type"),
        ({"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 13, "fixed_day": 1}, "e.fixed_month"),
        ({"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 1}, "e.fixed_day"),
    ],
)
def test_faults_of_v1_are_told_by_their_path(body, path):
    with pytest.raises(EngineError) as caught:
        parse_expiration_rules(body, "e")
    assert caught.value.path == path
