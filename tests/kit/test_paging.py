"""Every operator, order and way of paging of lists, on a small known set, against a plain Python evaluation."""

import operator
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import pytest_asyncio

from guerdon.kit import db, paging
from guerdon.kit.errors import ApiError
from guerdon.kit.paging import Field, Listing, page

ZONE = "Europe/Warsaw"
NOW = datetime.now(UTC)
START = datetime(2024, 3, 1, 12, tzinfo=UTC)


class Row(msgspec.Struct):
    id: str
    name: str | None
    amount: int | None
    seen: datetime | None
    born: date | None
    vip: bool | None
    metadata: dict[str, Any]
    created_at: datetime


def _vip(condition: paging.Condition, bind: Callable[[Any], Any]) -> Any:
    if condition.operator != "$only":
        raise condition.wrong("is not an operator of vip")
    return "t.vip = " + bind(condition.values[0] == "yes") + "::boolean"


LISTING = Listing(
    name="things",
    columns="t.id, t.name, t.amount, t.seen, t.born, t.vip, t.metadata, t.created_at",
    source="things t",
    where="t.project_id = $1",
    id="t.id",
    fields={
        "name": Field("t.name"),
        "amount": Field("t.amount", "number"),
        "seen": Field("t.seen", "date"),
        "born": Field("t.born", "day"),
        "vip": Field("t.vip", "boolean"),
        "created_at": Field("t.created_at", "date"),
    },
    metadata="t.metadata",
    sorts={"created_at": "t.created_at", "name": 't.name collate "C"', "amount": "t.amount", "id": "t.id"},
    special={"only": _vip},
)

NAMES = ["Ann", "ann", "Bob_1", "Bob%2", "Zoë", "", "A\\B", None]
METADATA: list[dict[str, Any]] = [
    {},
    {"tier": "gold", "points": 10, "since": "2024-02-29"},
    {"tier": "silver", "points": 10.5, "since": "2024-02-30", "tags": ["a", "b"]},
    {"tier": ["gold", "x"], "points": "10", "since": "2024-05-01T10:00:00Z", "tags": []},
    {"tier": None, "points": True, "since": "9999", "address": {"city": "Łódź"}},
    {"address.city": "Łódź", "points": -3, "since": "2024-05-01T10:00:00+02:00"},
]
ROWS = [
    Row(
        id=f"t_{index:03}",
        name=NAMES[index % len(NAMES)],
        amount=None if index % 7 == 3 else (index * 37) % 11,
        seen=None if index % 5 == 4 else NOW + timedelta(days=index - 20, hours=2),
        born=None if index % 7 == 5 else date(1990, 1 + index % 12, 1 + index % 28),
        vip=[True, False, None][index % 3],
        metadata=METADATA[index % len(METADATA)],
        created_at=START + timedelta(days=index // 3),
    )
    for index in range(48)
]

SCHEMA = """
    create table things (
        project_id text collate "C", id text collate "C", name text collate "C", amount bigint, seen timestamptz,
        born date, vip boolean, metadata jsonb, created_at timestamptz, primary key (project_id, id))
"""
INSERT = "insert into things values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"


@pytest_asyncio.fixture(scope="module")
async def things(pool: db.Pool) -> AsyncIterator[db.Pool]:
    async with pool.acquire() as conn:
        await conn.execute("reset role")
        await conn.execute(SCHEMA)
        await conn.execute("set role guerdon_app")
    for row in ROWS:
        await db.execute(pool, INSERT, "one", *msgspec.structs.astuple(row))
    stranger = msgspec.structs.replace(ROWS[0], id="t_other")
    await db.execute(pool, INSERT, "two", *msgspec.structs.astuple(stranger))
    yield pool


async def ids(pool: db.Pool, *query: tuple[str, str]) -> list[str]:
    asked = [("limit", "100"), ("order", "id"), *query]
    found = await page(pool, Row, LISTING, "one", asked, zone=ZONE)
    assert found.total == len(found.rows) and not found.has_more
    return [row.id for row in found.rows]


def expected(test: Callable[[Row], Any]) -> list[str]:
    return [row.id for row in ROWS if test(row)]


def known(value: Callable[[Row], Any], test: Callable[[Any], bool]) -> Callable[[Row], bool]:
    return lambda row: value(row) is not None and test(value(row))


name = operator.attrgetter("name")
amount = operator.attrgetter("amount")
seen = operator.attrgetter("seen")
born = operator.attrgetter("born")


def today() -> date:
    return datetime.now(ZoneInfo(ZONE)).date()


def seen_day(row: Row) -> date | None:
    return None if row.seen is None else row.seen.astimezone(ZoneInfo(ZONE)).date()


def since(row: Row) -> datetime | None:
    text = row.metadata.get("since")
    if text in (None, "9999", "2024-02-30"):
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


CUT = NOW - timedelta(days=3)
CASES: list[tuple[str, str, list[str], Callable[[Row], Any]]] = [
    ("name", "$is", ["Ann"], lambda row: row.name == "Ann"),
    ("name", "$is", ["Ann", ""], lambda row: row.name in ("Ann", "")),
    ("name", "$in", ["Ann", "Zoë"], lambda row: row.name in ("Ann", "Zoë")),
    ("name", "$is_not", ["Ann"], lambda row: row.name != "Ann"),
    ("name", "$not_in", ["Ann", "ann"], lambda row: row.name not in ("Ann", "ann")),
    ("name", "$has_value", [""], lambda row: row.name is not None),
    ("name", "$has_value", ["false"], lambda row: row.name is None),
    ("name", "$is_unknown", ["true"], lambda row: row.name is None),
    ("name", "$contains", ["n"], known(name, lambda text: "n" in text)),
    ("name", "$contains", ["_", "%"], known(name, lambda text: "_" in text or "%" in text)),
    ("name", "$contains", ["\\"], known(name, lambda text: "\\" in text)),
    ("name", "$not_contain", ["n", "b"], lambda row: row.name is None or not set("nb") & set(row.name)),
    ("name", "$starts_with", ["Bob_"], known(name, lambda text: text.startswith("Bob_"))),
    ("name", "$ends_with", ["n", "2"], known(name, lambda text: text.endswith(("n", "2")))),
    ("amount", "$is", ["4"], lambda row: row.amount == 4),
    ("amount", "$is_not", ["4", "5"], lambda row: row.amount not in (4, 5)),
    ("amount", "$more_than", ["4.5"], known(amount, lambda number: number > 4.5)),
    ("amount", "$less_than", ["4"], known(amount, lambda number: number < 4)),
    ("amount", "$more_than_equal", ["4"], known(amount, lambda number: number >= 4)),
    ("amount", "$less_than_equal", ["-1"], known(amount, lambda number: number <= -1)),
    ("amount", "$is_unknown", [""], lambda row: row.amount is None),
    ("vip", "$is", ["true"], lambda row: row.vip is True),
    ("vip", "$is_not", ["true"], lambda row: row.vip is not True),
    ("vip", "$is_unknown", ["true"], lambda row: row.vip is None),
    ("seen", "$after", [CUT.isoformat()], known(seen, lambda moment: moment > CUT)),
    ("seen", "$before", [CUT.isoformat()], known(seen, lambda moment: moment < CUT)),
    ("seen", "$more_than_equal", [NOW.isoformat()], known(seen, lambda moment: moment >= NOW)),
    ("seen", "$less_than_equal", [NOW.isoformat()], known(seen, lambda moment: moment <= NOW)),
    ("seen", "$more_than_ago", ["3"], known(seen, lambda moment: moment < CUT)),
    ("seen", "$more_than", ["3"], known(seen, lambda moment: moment < CUT)),
    ("seen", "$less_than_ago", ["3"], known(seen, lambda moment: CUT < moment <= NOW)),
    ("seen", "$less_than", ["3"], known(seen, lambda moment: CUT < moment <= NOW)),
    ("seen", "$more_than_future", ["5"], known(seen, lambda moment: moment > NOW + timedelta(days=5))),
    ("seen", "$less_than_future", ["5"], known(seen, lambda moment: NOW < moment < NOW + timedelta(days=5))),
    ("seen", "$is_days_ago", ["2"], known(seen_day, lambda day: day == today() - timedelta(days=2))),
    ("seen", "$is_days_in_future", ["2"], known(seen_day, lambda day: day == today() + timedelta(days=2))),
    ("seen", "$has_value", ["true"], lambda row: row.seen is not None),
    ("born", "$is", ["1990-03-03"], lambda row: row.born == date(1990, 3, 3)),
    ("born", "$is_not", ["1990-03-03"], lambda row: row.born != date(1990, 3, 3)),
    ("born", "$after", ["1990-03-03"], known(born, lambda day: day > date(1990, 3, 3))),
    ("born", "$before", ["1990-03-03"], known(born, lambda day: day < date(1990, 3, 3))),
    ("born", "$next_month", [""], known(born, lambda day: day.month == datetime.now(UTC).month % 12 + 1)),
    ("created_at", "$less_than_equal", ["2024-03-04"], lambda row: row.created_at < START + timedelta(days=4)),
    ("metadata.tier", "$is", ["gold"], lambda row: row.metadata.get("tier") in ("gold", ["gold", "x"])),
    ("metadata.tier", "$is_not", ["gold"], lambda row: row.metadata.get("tier") not in ("gold", ["gold", "x"])),
    ("metadata.tier", "$has_value", ["true"], lambda row: row.metadata.get("tier") is not None),
    ("metadata.tier", "$is_unknown", ["true"], lambda row: row.metadata.get("tier") is None),
    ("metadata.tier", "$starts_with", ["si"], lambda row: str(row.metadata.get("tier")).startswith("si")),
    ("metadata.points", "$is", ["10"], lambda row: row.metadata.get("points") in (10, "10")),
    ("metadata.points", "$is", ["10.5"], lambda row: row.metadata.get("points") == 10.5),
    ("metadata.points", "$is", ["true"], lambda row: row.metadata.get("points") is True),
    ("metadata.points", "$not_in", ["10", "-3"], lambda row: row.metadata.get("points") not in (10, "10", -3)),
    ("metadata.points", "$more_than", ["0"], lambda row: row.metadata.get("points") in (10, 10.5) and row.metadata["points"] is not True),
    ("metadata.address.city", "$is", ["Łódź"], lambda row: "address" in row.metadata or "address.city" in row.metadata),
    ("metadata.address.city", "$contains", ["ód"], lambda row: "address" in row.metadata or "address.city" in row.metadata),
    ("metadata.tags", "$count", ["2"], lambda row: row.metadata.get("tags") == ["a", "b"]),
    ("metadata.tags", "$count_less", ["2"], lambda row: row.metadata.get("tags") == []),
    ("metadata.tags", "$count_more", ["0"], lambda row: row.metadata.get("tags") == ["a", "b"]),
    ("metadata.since", "$after", ["2024-03-01"], known(since, lambda moment: moment > datetime(2024, 3, 1, tzinfo=UTC))),
    ("metadata.since", "$before", ["2024-05-01T09:00:00Z"], known(since, lambda moment: moment < datetime(2024, 5, 1, 9, tzinfo=UTC))),
    ("metadata.since", "$more_than_ago", ["30"], known(since, lambda moment: True)),
    ("only", "$only", ["yes"], lambda row: row.vip is True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "op", "values", "test"), CASES, ids=[f"{n} {case[0]} {case[1]}" for n, case in enumerate(CASES)]
)
async def test_an_operator_finds_what_python_finds(
    things: db.Pool, field: str, op: str, values: list[str], test: Callable[[Row], Any]
) -> None:
    query = [(f"filters[{field}][conditions][{op}][{index}]", value) for index, value in enumerate(values)]
    wanted = expected(test)
    assert await ids(things, *query) == wanted
    assert 0 < len(wanted) < len(ROWS) or values == ["-1"]


async def test_a_scalar_operand_is_a_list_of_one(things: db.Pool) -> None:
    wanted = expected(lambda row: row.name == "Ann")
    assert await ids(things, ("filters[name][conditions][$is]", "Ann")) == wanted
    assert await ids(things, ("filters[name][conditions][$is][]", "Ann")) == wanted


@pytest.mark.parametrize("word", ["or", "OR", "Or"])
async def test_junctions(things: db.Pool, word: str) -> None:
    both = [("filters[name][conditions][$is][0]", "Ann"), ("filters[amount][conditions][$less_than]", "4")]
    either = expected(lambda row: row.name == "Ann" or (row.amount is not None and row.amount < 4))
    assert await ids(things, *both, ("filters[junction]", word)) == either
    together = expected(lambda row: row.name == "Ann" and row.amount is not None and row.amount < 4)
    assert await ids(things, *both) == together
    assert await ids(things, *both, ("filters[junction]", "AND")) == together


async def test_two_operators_of_a_field_must_both_hold(things: db.Pool) -> None:
    query = [
        ("filters[amount][conditions][$more_than]", "2"),
        ("filters[amount][conditions][$less_than]", "6"),
        ("filters[junction]", "or"),
    ]
    assert await ids(things, *query) == expected(lambda row: row.amount in (3, 4, 5))


@pytest.mark.parametrize("key", ["[created_at]", "created_at"])
async def test_date_shortcuts(things: db.Pool, key: str) -> None:
    low, high = START + timedelta(days=2), START + timedelta(days=5)
    query = [(f"{key}[after]", low.isoformat()), (f"{key}[before]", high.isoformat())]
    assert await ids(things, *query) == expected(lambda row: low < row.created_at < high)


BAD = [
    ("filters[nope][conditions][$is][0]", "x", "filters[nope][conditions][$is]"),
    ("filters[metadata][conditions][$is][0]", "x", "filters[metadata][conditions][$is]"),
    ("filters[name][conditions][$likes][0]", "x", "filters[name][conditions][$likes]"),
    ("filters[name][conditions][$more_than][0]", "1", "filters[name][conditions][$more_than]"),
    ("filters[amount][conditions][$contains][0]", "1", "filters[amount][conditions][$contains]"),
    ("filters[amount][conditions][$is][0]", "one", "filters[amount][conditions][$is]"),
    ("filters[amount][conditions][$is][0]", "1e9", "filters[amount][conditions][$is]"),
    ("filters[amount][conditions][$is][0]", "9" * 31, "filters[amount][conditions][$is]"),
    ("filters[vip][conditions][$is][0]", "maybe", "filters[vip][conditions][$is]"),
    ("filters[vip][conditions][$after][0]", "2024-01-01", "filters[vip][conditions][$after]"),
    ("filters[seen][conditions][$after][0]", "2024-02-30", "filters[seen][conditions][$after]"),
    ("filters[seen][conditions][$is_days_ago][0]", "-1", "filters[seen][conditions][$is_days_ago]"),
    ("filters[seen][conditions][$is_days_ago][0]", "99999999", "filters[seen][conditions][$is_days_ago]"),
    ("filters[seen][conditions][$starts_with][0]", "2", "filters[seen][conditions][$starts_with]"),
    ("filters[name][conditions][$has_value][0]", "perhaps", "filters[name][conditions][$has_value]"),
    ("filters[only][conditions][$is][0]", "x", "filters[only][conditions][$is]"),
    ("filters[name][$is]", "x", "filters[name][$is]"),
    ("filters[name]", "x", "filters[name]"),
    ("filters", "x", "filters"),
    ("filters[junction]", "xor", "filters[junction]"),
    ("filters[name][conditions][$is][0][1]", "x", "filters[name][conditions][$is][0][1]"),
    ("filters[name'; drop table things; --][conditions][$is]", "x", "filters[name'; drop table things; --][conditions][$is]"),
    ("limit", "0", "limit"),
    ("limit", "101", "limit"),
    ("limit", "ten", "limit"),
    ("limit", "１0", "limit"),
    ("page", "0", "page"),
    ("page", "101", "page"),
    ("page", "-1", "page"),
    ("order", "-secret", "order"),
    ("order", "--name", "order"),
    ("starting_after_id", "t_nobody", "starting_after_id"),
    ("starting_after_id", "t_other", "starting_after_id"),
    ("[created_at][before]", "yesterday", "[created_at][before]"),
    ("[updated_at][before]", "2024-01-01", "[updated_at][before]"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "path"), BAD)
async def test_what_makes_no_sense_is_refused_by_name(
    things: db.Pool, key: str, value: str, path: str
) -> None:
    with pytest.raises(ApiError) as caught:
        await page(things, Row, LISTING, "one", [(key, value)], zone=ZONE)
    assert (caught.value.status, caught.value.key) == (400, "invalid_query_params")
    assert caught.value.faults is not None
    assert [fault.path for fault in caught.value.faults] == [path]


async def test_two_ways_of_paging_do_not_mix(things: db.Pool) -> None:
    with pytest.raises(ApiError):
        await page(things, Row, LISTING, "one", [("page", "2"), ("starting_after_id", "t_001")])


def _ordered(sort: str, descending: bool) -> list[str]:
    def key(row: Row) -> tuple[bool, Any, str]:
        value = getattr(row, sort)
        return (value is None, 0 if value is None else value, row.id)

    return [row.id for row in sorted(ROWS, key=key, reverse=descending)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["created_at", "amount", "name", "id"])
async def test_both_ways_of_paging_walk_the_whole_list_in_order(
    things: db.Pool, sort: str, descending: bool
) -> None:
    order = ("-" if descending else "") + sort
    if sort == "name":  # the database's collation "C" orders by code point, as Python does
        assert "".join(sorted("aZë")) == "Zaë"
    wanted = _ordered(sort, descending)
    by_page: list[str] = []
    for number in range(1, 8):
        query = [("limit", "7"), ("page", str(number)), ("order", order)]
        found = await page(things, Row, LISTING, "one", query)
        by_page += [row.id for row in found.rows]
        assert found.total == len(ROWS)
        assert found.has_more == (number < 7)
    assert by_page == wanted
    by_cursor: list[str] = []
    cursor: str | None = None
    while True:
        query = [("limit", "7"), ("order", order)] + ([("starting_after_id", cursor)] if cursor else [])
        found = await page(things, Row, LISTING, "one", query)
        by_cursor += [row.id for row in found.rows]
        assert found.total == len(ROWS)
        if not found.has_more:
            break
        cursor = found.more_starting_after
    assert by_cursor == wanted


async def test_a_page_beyond_the_end_is_empty_and_still_counts(things: db.Pool) -> None:
    found = await page(things, Row, LISTING, "one", [("page", "100")])
    assert (found.rows, found.total, found.has_more, found.more_starting_after) == (
        [],
        len(ROWS),
        False,
        None,
    )


async def test_the_default_is_the_ten_newest(things: db.Pool) -> None:
    found = await page(things, Row, LISTING, "one", [])
    assert [row.id for row in found.rows] == _ordered("created_at", True)[:10]


async def test_totals_above_the_limit_are_exact_and_remembered(
    things: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "EXACT_TOTAL", 5)
    query = [("limit", "2"), ("filters[name][conditions][$is_not]", "Ann")]
    first = await page(things, Row, LISTING, "one", query)
    assert first.total == len(expected(lambda row: row.name != "Ann"))
    extra = msgspec.structs.replace(ROWS[0], id="t_extra", name="new")
    await db.execute(things, INSERT, "one", *msgspec.structs.astuple(extra))
    try:
        assert (await page(things, Row, LISTING, "one", query)).total == first.total
        monkeypatch.setattr(paging, "_totals", {})
        assert (await page(things, Row, LISTING, "one", query)).total == first.total + 1
    finally:
        await db.execute(things, "delete from things where project_id = $1 and id = $2", "one", "t_extra")
