"""Filters over attributes: what they accept, what they refuse and where, and who passes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.fault import EngineError
from guerdon.engine.filter import CUSTOMER_FIELDS, MAX_CONDITIONS, Fields, matches, parse_filter
from guerdon.engine.operators import MISSING

NOW = datetime(2026, 12, 10, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Warsaw")

ADA: dict[str, Any] = {
    "name": "Ada",
    "email": "ada@example.com",
    "address.country": "Poland",
    "birthdate": date(1990, 1, 28),
    "created_at": datetime(2026, 12, 1, 23, 30, tzinfo=UTC),
    "metadata.level": "gold",
    "metadata.visits": 12,
    "metadata.score": 4.5,
    "metadata.vip": True,
    "metadata.tags": ["tea", "cake"],
    "metadata.blank": "",
    "summary.orders.total_amount": 25_000,
    "events.order.paid.count": 3,
}


def passes(raw: Any, facts: Mapping[str, Any] = ADA, fields: Fields | None = CUSTOMER_FIELDS) -> bool:
    return matches(parse_filter(raw, "filter", fields), lambda name: facts.get(name, MISSING), NOW, ZONE)


def one(field: str, operator: str, operands: Any) -> dict[str, Any]:
    return {field: {"conditions": {operator: operands}}}


@pytest.mark.parametrize(
    ("field", "operator", "operands", "expected"),
    [
        ("name", "$is", ["Ada", "Ben"], True),
        ("name", "$is", "Ada", True),
        ("name", "$is", ["ada"], False),
        ("name", "$is_not", ["Ben"], True),
        ("name", "$in", ["Ben"], False),
        ("name", "$not_in", ["Ben"], True),
        ("phone", "$is_not", ["1"], True),
        ("phone", "$is", ["1"], False),
        ("email", "$contains", ["@example"], True),
        ("email", "$not_contain", ["@example", "x"], False),
        ("phone", "$not_contain", ["1"], True),
        ("email", "$starts_with", ["ada"], True),
        ("email", "$ends_with", [".org"], False),
        ("phone", "$is_unknown", [True], True),
        ("phone", "$is_unknown", [], True),
        ("phone", "$has_value", ["true"], False),
        ("name", "$has_value", True, True),
        ("name", "$has_value", [False], False),
        ("metadata.blank", "$has_value", None, False),
        ("metadata.visits", "$more_than", [11], True),
        ("metadata.visits", "$more_than", ["12"], False),
        ("metadata.visits", "$more_than_equal", [12], True),
        ("metadata.visits", "$more_than_or_equal", [12], True),
        ("metadata.visits", "$less_than_equal", [12], True),
        ("metadata.visits", "$less_than", [12.5], True),
        ("metadata.score", "$is", [4.5], True),
        ("metadata.vip", "$is", [True], True),
        ("metadata.tags", "$is", ["tea"], True),
        ("metadata.tags", "$count", [2], True),
        ("metadata.tags", "$count_more", [2], False),
        ("metadata.tags", "$count_less", [3], True),
        ("summary.orders.total_amount", "$more_than_equal", ["25000"], True),
        ("events.order.paid.count", "$more_than", ["0"], True),
        ("created_at", "$after", ["2026-12-01T23:29:59.000Z"], True),
        ("created_at", "$before", ["2026-12-01T23:30:00Z"], False),
        ("created_at", "$is_days_ago", [8], True),  # the second of December, in Warsaw
        ("created_at", "$more_than_ago", [8], False),
        ("created_at", "$less_than_ago", [9], True),
        ("birthdate", "$next_month", [True], True),
        ("birthdate", "$next_month", ["false"], False),
        ("birthday", "$next_month", [True], False),
    ],
)
def test_one_condition(field: str, operator: str, operands: Any, expected: bool) -> None:
    assert passes(one(field, operator, operands)) is expected


def test_the_month_after_december_is_january_in_the_zone() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # January already, in Warsaw
    filter = parse_filter(one("birthdate", "$next_month", [True]), "filter", CUSTOMER_FIELDS)
    assert matches(filter, lambda _: date(1990, 1, 28), new_year, ZoneInfo("UTC"))
    assert not matches(filter, lambda _: date(1990, 1, 28), new_year, ZONE)
    assert matches(filter, lambda _: "1990-02-28", new_year, ZONE)


def test_fields_are_joined_and_operators_of_a_field_all_hold() -> None:
    gold, paris = one("metadata.level", "$is", ["gold"]), one("address.country", "$is", ["France"])
    assert not passes({"junction": "and", **gold, **paris})
    assert not passes({**gold, **paris})
    assert passes({"junction": "OR", **gold, **paris})
    between = {"metadata.visits": {"conditions": {"$more_than": [10], "$less_than": [12]}}}
    assert not passes(between)
    assert passes({"junction": "or", **between, **gold})


def test_none_is_as_good_as_nothing() -> None:
    assert passes(one("phone", "$is_unknown", [True]), {"phone": None})
    assert not passes(one("phone", "$is", ["None"]), {"phone": None})


def test_without_a_list_of_fields_any_name_will_do() -> None:
    assert passes(one("price", "$more_than", [5]), {"price": 7}, None)
    assert passes(one("price", "$more_than", [5]), {"price": 7}, ["price"])


def test_what_a_filter_asks_for() -> None:
    filter = parse_filter(one("summary.orders.total_count", "$more_than", [0]), "filter", CUSTOMER_FIELDS)
    assert filter.asks("summary.")
    assert not filter.asks("events.")


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        (None, "filter", "an object"),
        ([], "filter", "an object"),
        ({}, "filter", "no field"),
        ({"junction": "and"}, "filter", "no field"),
        ({"junction": "xor", **one("name", "$is", ["A"])}, "filter.junction", "'and' or 'or'"),
        ({"junction": 1, **one("name", "$is", ["A"])}, "filter.junction", "'and' or 'or'"),
        (one("shoe_size", "$is", [38]), "filter.shoe_size", "no field"),
        (one("metadata.", "$is", [38]), "filter.metadata.", "no field"),
        (one("metadata", "$is", [38]), "filter.metadata", "no field"),
        (one("events..count", "$is", [38]), "filter.events..count", "no field"),
        (one("metadata.*" * 30, "$is", [38]), "filter." + ("metadata.*" * 30)[:200], "no field"),
        ({"name": None}, "filter.name.conditions", "must be an object"),
        ({"name": {"conditions": {}}}, "filter.name.conditions", "must be an object"),
        ({"name": {"conditions": ["$is"]}}, "filter.name.conditions", "must be an object"),
        (one("name", "$like", ["A"]), "filter.name.conditions.$like", "no operator"),
        (one("name", "$timeframe", ["A"]), "filter.name.conditions.$timeframe", "no operator"),
        (one("name", "$is", []), "filter.name.conditions.$is", "must have a value"),
        (one("name", "$is", None), "filter.name.conditions.$is", "must have a value"),
        (one("name", "$is", [{"a": 1}]), "filter.name.conditions.$is[0]", "must be a text"),
        (one("name", "$is", ["A", None]), "filter.name.conditions.$is[1]", "must be a text"),
        (one("name", "$not_contain", [""]), "filter.name.conditions.$not_contain[0]", "not empty"),
        (one("name", "$has_value", ["maybe"]), "filter.name.conditions.$has_value", "true or false"),
        (one("created_at", "$after", ["soon"]), "filter.created_at.conditions.$after[0]", "date"),
        (one("created_at", "$is", ["soon"]), "filter.created_at.conditions.$is[0]", "ISO 8601"),
        (
            one("created_at", "$more_than_ago", ["x"]),
            "filter.created_at.conditions.$more_than_ago[0]",
            "whole",
        ),
        (
            one("loyalty.points", "$more_than", ["many"]),
            "filter.loyalty.points.conditions.$more_than[0]",
            "number",
        ),
        (
            one("loyalty.points", "$is", ["many"]),
            "filter.loyalty.points.conditions.$is[0]",
            "must be a number",
        ),
        (
            one("loyalty.points", "$after", ["2026-01-01"]),
            "filter.loyalty.points.conditions.$after",
            "with dates",
        ),
        (
            one("metadata.n", "$more_than", [1, 2]),
            "filter.metadata.n.conditions.$more_than",
            "at most 1 value",
        ),
    ],
)
def test_what_is_refused_and_where(raw: Any, path: str, words: str) -> None:
    with pytest.raises(EngineError) as refused:
        parse_filter(raw, "filter", CUSTOMER_FIELDS)
    assert refused.value.path == path
    assert words in refused.value.message
    assert refused.value.key == "invalid_payload"


def test_the_number_of_conditions_is_bounded() -> None:
    most = {f"metadata.k{n}": {"conditions": {"$is": [n]}} for n in range(MAX_CONDITIONS)}
    assert len(parse_filter(most, "filter", CUSTOMER_FIELDS).clauses) == MAX_CONDITIONS
    with pytest.raises(EngineError, match="at most"):
        parse_filter(most | one("name", "$is", ["A"]), "filter", CUSTOMER_FIELDS)
    many = {"conditions": {f"$op{n}": [n] for n in range(MAX_CONDITIONS + 1)}}
    with pytest.raises(EngineError, match="at most"):
        parse_filter({"name": many}, "filter", CUSTOMER_FIELDS)


@pytest.mark.parametrize(
    "value", [float("nan"), 10**400, {"a": [1]}, [[["x"]]], "x" * 100_000, b"\x00", object()]
)
def test_odd_facts_never_raise(value: Any) -> None:
    for operator, operands in (
        ("$is", ["A"]),
        ("$more_than", [1]),
        ("$contains", ["a"]),
        ("$next_month", [True]),
    ):
        assert passes(one("metadata.a", operator, operands), {"metadata.a": value}) in (True, False)
