"""Every operator, and that odd data never raises."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine import EngineError
from guerdon.engine.operators import MISSING, OPERATORS, check_operands, holds

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # Monday the 23rd in Warsaw
ZONE = ZoneInfo("Europe/Warsaw")

HOLD = [
    ("$is", "a", ["b", "a"]),
    ("$is", 5, ["5"]),
    ("$is", 5.0, [5]),
    ("$is", Decimal("2.50"), [2.5]),
    ("$is", True, ["true"]),
    ("$is", ["x", "y"], ["y"]),
    ("$is", "2026-01-01T00:00:00Z", ["2026-01-01T01:00:00+01:00"]),
    ("$in", "a", ["b", "a"]),
    ("$is_not", "a", ["b"]),
    ("$is_not", MISSING, ["b"]),
    ("$not_in", MISSING, ["b"]),
    ("$not_in", ["x"], ["y"]),
    ("$less_than", 4, [5]),
    ("$less_than", "4.5", [5]),
    ("$less_than_or_equal", 5, ["5"]),
    ("$more_than", 0.3, [Decimal("0.29")]),
    ("$more_than", [1, 9], [5]),
    ("$more_than_or_equal", 5, [5]),
    ("$greater_than_or_equal", 5, [5]),
    ("$more_than", "2026-02-01", ["2026-01-31"]),
    ("$less_than", date(2000, 1, 1), ["2000-01-02"]),
    ("$starts_with", "hello", ["x", "he"]),
    ("$ends_with", "hello", ["lo"]),
    ("$contains", "hello", ["ell"]),
    ("$contains", ["hello"], ["ell"]),
    ("$timeframe", "2026-11-14T10:30:00Z", ["2026-11-12T10:00:00Z;P1D;PT1H"]),
    ("$timeframe_absolute", "2026-11-14", ["2026-11-14T00:00:00+01:00;2026-11-28T16:02:00Z"]),
    ("$timeframe_absolute", "2026-11-28T22:00:00Z", ["2026-11-14;2026-11-28"]),
    ("$timeframe_daily_hours", "2026-11-22T18:30:00Z", ["18:00;20:01;0,6"]),
    ("$dow", "2026-11-22", [0, 3]),
    ("$count", ["a", "b"], [2]),
    ("$count_more", ["a", "b"], [1]),
    ("$count_less", [], [1]),
    ("$not_differ", ["a", "b"], ["b", "a"]),
    ("$not_intersect", ["a", "b"], ["c"]),
    ("$from", "pc_1", ["pc_1"]),
    ("$after", "2026-02-01", ["2026-01-31"]),
    ("$before", "2026-01-30T10:00:00Z", ["2026-01-31"]),
    ("$more_than_ago", "2026-11-19", [3]),
    ("$less_than_ago", "2026-11-21", [3]),
    ("$is_days_ago", "2026-11-20", [3]),
    ("$more_than_future", "2026-11-27", [3]),
    ("$less_than_future", "2026-11-24", [3]),
    ("$is_days_in_future", "2026-11-26", [3]),
]
FAIL = [
    ("$is", "A", ["a"]),
    ("$is", "007", [7]),
    ("$is", MISSING, ["a"]),
    ("$is_not", ["x", "b"], ["b"]),
    ("$less_than", 5, [5]),
    ("$less_than", "many", [5]),
    ("$less_than", True, [5]),
    ("$more_than", MISSING, [0]),
    ("$more_than", "2026-02-01", [5]),
    ("$starts_with", 7, ["x"]),
    ("$contains", "x" * 2000 + "needle", ["needle"]),
    ("$timeframe", "2026-11-14T11:00:00Z", ["2026-11-12T10:00:00Z;P1D;PT1H"]),
    ("$timeframe", "2026-11-11T10:30:00Z", ["2026-11-12T10:00:00Z;P1D;PT1H"]),
    ("$timeframe_absolute", "2026-11-28T23:30:00Z", ["2026-11-14;2026-11-28"]),
    ("$timeframe_daily_hours", "2026-11-22T19:30:00Z", ["18:00;20:01;0,6"]),
    ("$dow", "no date", [0]),
    ("$count", MISSING, [0]),
    ("$not_differ", ["a"], ["a", "b"]),
    ("$not_intersect", ["a", "c"], ["c"]),
    ("$after", "2026-01-31T10:00:00Z", ["2026-01-31"]),
    ("$more_than_ago", "2026-11-25", [1]),
    ("$less_than_ago", "2026-11-20", [3]),
    ("$is_days_ago", "2026-13-20", [3]),
    ("$less_than_future", "2026-11-22", [3]),
]


@pytest.mark.parametrize(("operator", "value", "operands"), HOLD)
def test_passes(operator: str, value: Any, operands: list[Any]) -> None:
    check_operands(operator, operands, "here")
    assert holds(operator, value, operands, NOW, ZONE)


@pytest.mark.parametrize(("operator", "value", "operands"), FAIL)
def test_does_not_pass(operator: str, value: Any, operands: list[Any]) -> None:
    check_operands(operator, operands, "here")
    assert not holds(operator, value, operands, NOW, ZONE)


def test_every_operator_is_shown_to_pass() -> None:
    assert {operator for operator, _, _ in HOLD} == set(OPERATORS)


WRONG = [
    ("$one_of", ["a"], "here"),
    ("$is", "a", "here"),
    ("$is", [], "here"),
    ("$is", ["a"] * 1001, "here"),
    ("$is", ["a", {}], "here[1]"),
    ("$is", [None], "here[0]"),
    ("$is", [math.nan], "here[0]"),
    ("$is", [10**30], "here[0]"),
    ("$less_than", ["many"], "here[0]"),
    ("$less_than", [1, 2], "here"),
    ("$contains", [""], "here[0]"),
    ("$contains", ["x" * 5001], "here[0]"),
    ("$contains", ["x"] * 101, "here"),
    ("$dow", [7], "here[0]"),
    ("$count", [-1], "here[0]"),
    ("$count", [1.5], "here[0]"),
    ("$after", ["soon"], "here[0]"),
    ("$from", [{}], "here[0]"),
    ("$more_than_ago", ["x"], "here[0]"),
    ("$timeframe", ["2026-11-12T10:00:00Z;PT1H"], "here[0]"),
    ("$timeframe", ["x;P1D;PT1H"], "here[0]"),
    ("$timeframe", ["2026-11-12T10:00:00Z;P0D;PT1H"], "here[0]"),
    ("$timeframe", [7], "here[0]"),
    ("$timeframe_absolute", ["2026-11-12;2025-01-01"], "here[0]"),
    ("$timeframe_daily_hours", ["9:00;12:00;"], "here[0]"),
    ("$timeframe_daily_hours", ["09:00;12:00;7"], "here[0]"),
]


@pytest.mark.parametrize(("operator", "operands", "path"), WRONG)
def test_wrong_operands_are_told_by_their_path(operator: str, operands: Any, path: str) -> None:
    with pytest.raises(EngineError) as caught:
        check_operands(operator, operands, "here")
    assert caught.value.path == path
    assert caught.value.key == "invalid_validation_rules"


ODD = [
    MISSING,
    None,
    "",
    "2026-02-30",
    math.nan,
    math.inf,
    {},
    {"a": 1},
    [[]],
    [None],
    10**400,
    b"x",
    True,
    "9" * 50,
]


@pytest.mark.parametrize(("operator", "value", "operands"), HOLD)
def test_odd_values_never_raise(operator: str, value: Any, operands: list[Any]) -> None:
    for odd in [
        *ODD,
        datetime.max.replace(tzinfo=UTC),
        date.max,
        date.min,
        "0001-01-01",
        "9999-12-31T23:59:59-14:00",
    ]:
        assert holds(operator, odd, operands, NOW, ZONE) in (True, False)
