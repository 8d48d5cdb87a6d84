"""Dates as callers write them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from guerdon.kit.dates import day_bounds, parse_day, parse_instant

WARSAW = "Europe/Warsaw"


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2026-11-27T08:00:00Z", WARSAW, datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-27t08:00:00z", WARSAW, datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-27T08:00:00.123Z", WARSAW, datetime(2026, 11, 27, 8, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-11-27T08:00:00.123456789Z", WARSAW, datetime(2026, 11, 27, 8, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-27T08:00:00+02:00", WARSAW, datetime(2026, 11, 27, 6, tzinfo=UTC)),
        ("2026-11-27T08:00:00-0530", WARSAW, datetime(2026, 11, 27, 13, 30, tzinfo=UTC)),
        ("2026-11-27T08:00:00 02:00", WARSAW, datetime(2026, 11, 27, 6, tzinfo=UTC)),
        ("2026-11-27 08:00", WARSAW, datetime(2026, 11, 27, 7, tzinfo=UTC)),
        ("2026-07-27T08:00:00", WARSAW, datetime(2026, 7, 27, 6, tzinfo=UTC)),
        ("2026-11-27", WARSAW, datetime(2026, 11, 26, 23, tzinfo=UTC)),
        ("2026-11-27", "UTC", datetime(2026, 11, 27, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", WARSAW, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_instants(text: str, zone: str, wanted: datetime) -> None:
    assert parse_instant(text, zone) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026", "2026-11", "2026-W10-1", "20261127", "2026-02-29", "2026-13-01", "2026-11-27T25:00:00Z",
        "2026-11-27T08:00:60Z", "2026-11-27T08:00:00+25:00", "2026-11-27T08:00:00Zjunk", " 2026-11-27", "0000-01-01",
        "0999-12-31", "9999-12-31T23:59:59-23:00", "２０２６-11-27", "1764230400", "2026-11-27T08", "2026-11-27\n",
    ],
)  # fmt: skip
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_instant(text, WARSAW)


def test_the_end_of_a_day_is_its_last_moment_also_when_the_clocks_change() -> None:
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)):
        first, following = day_bounds(day, WARSAW)
        assert following - first == timedelta(hours=hours)
        assert parse_instant(day.isoformat(), WARSAW) == first
        assert parse_instant(day.isoformat(), WARSAW, end_of_day=True) == following - timedelta(
            microseconds=1
        )


def test_days() -> None:
    assert parse_day("2024-02-29") == date(2024, 2, 29)
    assert parse_day("1990-02-28T23:30:00-10:00") == date(1990, 2, 28)
    for text in ("2023-02-29", "29.2.2024", "2024-02-29x", ""):
        with pytest.raises(ValueError, match="must be a day"):
            parse_day(text)
