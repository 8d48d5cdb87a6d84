"""Lists: which page of what, in which order, filtered how.

A slice describes its list once, in literals, as a `Listing`; `page` reads the caller's query and answers. Two
ways to walk a list: ``page`` (1–100) and ``starting_after_id``, which goes on behind a row however far it is.
"""

import asyncio
import re
from typing import Any, Generic, LiteralString, TypeVar, cast

import msgspec

from guerdon.kit import clock, db
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query
from guerdon.kit.filters import (
    Condition,
    Field,
    Filterable,
    Special,
    binder,
    filter_sql,
    parse_filters,
)
from guerdon.kit.log import get_logger

__all__ = ["Condition", "Field", "Listing", "Page", "Special", "page"]

logger = get_logger()

MAX_LIMIT = 100
DEFAULT_LIMIT = 10
# Totals up to here are counted anew each time; larger ones are remembered a while.
EXACT_TOTAL = 10_000
TOTAL_SECONDS = 60.0
STALE_SECONDS = 600.0
KEPT_TOTALS = 1000

T = TypeVar("T")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What may be listed, filtered and sorted. All SQL is literal; ``$1`` is the project's id.

    name: the array's key and ``data_ref``. columns, source, where: ``select … from … where …``; joins must not
    multiply rows. joins: left joins behind `source`, by alias, each of rows before it; finding and counting take
    those alone that are named, since an unused one keeps PostgreSQL 15 from reading an index only. id: unique, breaks ties in every order. sorts: ``-name`` reverses one. never_null: sorts
    without nulls, for which ``starting_after_id`` is an index range. special: fields with operators of their own.
    """

    name: str
    columns: LiteralString
    source: LiteralString
    joins: dict[str, LiteralString] = {}
    where: LiteralString
    id: LiteralString
    fields: dict[str, Field]
    sorts: dict[str, LiteralString]
    default_sort: str = "-created_at"
    metadata: LiteralString | None = None
    special: dict[str, Special] | None = None
    never_null: tuple[str, ...] = ("created_at", "id")


class Page(msgspec.Struct, Generic[T]):
    """Rows of a list. `total` counts the whole list; `more_starting_after` is the id to go on behind."""

    rows: list[T]
    total: int
    has_more: bool
    more_starting_after: str | None


class _Request(msgspec.Struct):
    """What the query says, checked."""

    limit: int
    page: int
    sort: str
    descending: bool
    starting_after_id: str | None


async def page(
    conn: db.Db,
    into: type[T],
    listing: Listing,
    project_id: str,
    query: list[tuple[str, str]],
    *,
    args: tuple[Any, ...] = (),
    max_page: int = 100,
    zone: str = "UTC",
) -> Page[T]:
    """One page of a list, as the query asks for it.

    `args` are the listing's own ``$2…``; `zone` is where days without a time zone are meant. Raises `ApiError`
    400 ``invalid_query_params`` that names the parameter.
    """
    wanted = _read(listing, query, max_page)
    values: list[Any] = [project_id, *args]
    where = _where(listing, query, values, zone)
    counted = len(values)
    rows = await _rows(conn, listing, wanted, where, values, 1 + len(args))
    has_more = len(rows) > wanted.limit
    rows = rows[: wanted.limit]
    if not has_more and wanted.starting_after_id is None and (rows or wanted.page == 1):
        total = (wanted.page - 1) * wanted.limit + len(rows)
    else:
        total = await _total(conn, listing, where, values[:counted])
    last = rows[-1]["listed_id"] if has_more else None
    shaped = [into(**{name: value for name, value in row.items() if name != "listed_id"}) for row in rows]
    return Page(shaped, total, has_more, last)


def _read(listing: Listing, query: list[tuple[str, str]], max_page: int) -> _Request:
    given = dict(query)
    order = given.get("order") or listing.default_sort
    sort = order.removeprefix("-")
    if sort not in listing.sorts:
        known = ", ".join(sorted(listing.sorts))
        raise invalid_query("order", f"must be one of {known}, or one of them with a dash before it")
    wanted = _Request(
        limit=_whole("limit", given.get("limit"), DEFAULT_LIMIT, MAX_LIMIT),
        page=_whole("page", given.get("page"), 1, max_page),
        sort=sort,
        descending=order.startswith("-"),
        starting_after_id=given.get("starting_after_id") or None,
    )
    if wanted.starting_after_id is not None and wanted.page > 1:
        raise invalid_query("page", "page and starting_after_id are two ways of paging; use one")
    return wanted


def _whole(name: str, text: str | None, default: int, highest: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 7 and 1 <= int(text) <= highest):
        raise invalid_query(name, f"must be a whole number from 1 to {highest}")
    return int(text)


def _where(listing: Listing, query: list[tuple[str, str]], values: list[Any], zone: str) -> LiteralString:
    bind = binder(values)
    parts: list[LiteralString] = [listing.where]
    for key, text in query:
        shortcut = _SHORTCUTS.get(key)
        if shortcut is None:
            continue
        name, comparison = shortcut
        field = listing.fields.get(name)
        if field is None:
            raise invalid_query(key, f"{listing.name} cannot be filtered by {name}")
        try:
            parts.append(field.sql + comparison + bind(parse_instant(text, zone)) + "::timestamptz")
        except ValueError as error:
            raise invalid_query(key, str(error)) from None
    allowed = Filterable(listing.fields, listing.metadata, listing.special, zone)
    filtered = filter_sql(parse_filters(query), allowed, bind)
    if filtered:
        parts.append(filtered)
    return " and ".join(parts)


# How clients write a date shortcut: as the reference does, with a leading bracket, or without.
_SHORTCUTS: dict[str, tuple[str, LiteralString]] = {
    "[created_at][before]": ("created_at", " < "),
    "[created_at][after]": ("created_at", " > "),
    "[updated_at][before]": ("updated_at", " < "),
    "[updated_at][after]": ("updated_at", " > "),
    "created_at[before]": ("created_at", " < "),
    "created_at[after]": ("created_at", " > "),
    "updated_at[before]": ("updated_at", " < "),
    "updated_at[after]": ("updated_at", " > "),
}


async def _rows(
    conn: db.Db, listing: Listing, wanted: _Request, where: LiteralString, values: list[Any], fixed: int
) -> list[db.Record]:
    """One row more than asked for, when there is one. The ids are found first, so that what is skipped is not
    joined, and the whole numbers stand in the text, so that the plan knows how little is wanted."""
    sort = listing.sorts[wanted.sort]
    direction: LiteralString = " desc" if wanted.descending else ""
    order: LiteralString = " order by " + sort + direction + ", " + listing.id + direction
    behind: LiteralString = ""
    if wanted.starting_after_id is not None:
        behind = " and " + await _behind(conn, listing, wanted, sort, values, fixed)
    ids: LiteralString = (
        "select " + listing.id + " from " + _sources(listing, where + behind + order)
        + " where " + where + behind + order
        + " limit " + _digits(wanted.limit + 1) + " offset " + _digits((wanted.page - 1) * wanted.limit)
    )  # fmt: skip
    return await db.records(
        conn,
        "select " + listing.columns + ", " + listing.id + " as listed_id from " + _sources(listing)
        + " where " + listing.where + " and " + listing.id + " = any(array(" + ids + "))" + order,
        *values,
    )  # fmt: skip


async def _behind(
    conn: db.Db, listing: Listing, wanted: _Request, sort: LiteralString, values: list[Any], fixed: int
) -> LiteralString:
    """The condition that a row comes behind the one named; nulls are last upwards and first downwards.

    The first `fixed` of the values belong to the listing itself.
    """
    bind = binder(values)
    cursor = wanted.starting_after_id
    own = values[:fixed]
    found = await db.records(
        conn,
        "select " + sort + " as sort_value from " + _sources(listing)
        + " where " + listing.where + " and " + listing.id + " = " + binder(own)(cursor),
        *own,
    )  # fmt: skip
    if not found:
        raise invalid_query("starting_after_id", "names nothing in this list")
    value = found[0]["sort_value"]
    comparison: LiteralString = " < " if wanted.descending else " > "
    place = bind(cursor)
    if value is None:
        behind: LiteralString = "(" + sort + " is null and " + listing.id + comparison + place + ")"
        return "(" + behind + " or " + sort + " is not null)" if wanted.descending else behind
    behind = "(" + sort + ", " + listing.id + ")" + comparison + "(" + bind(value) + ", " + place + ")"
    if wanted.descending or wanted.sort in listing.never_null:
        return behind
    return "(" + behind + " or " + sort + " is null)"


def _sources(listing: Listing, text: LiteralString | None = None) -> LiteralString:
    """What to select from: with all joins, or with those that a text of conditions names and those before them."""
    aliases = list(listing.joins)
    named = [at for at, alias in enumerate(aliases, 1) if text is None or re.search(rf"\b{alias}\.", text)]
    return listing.source + " " + " ".join(listing.joins[alias] for alias in aliases[: max(named, default=0)])


def _digits(number: int) -> LiteralString:
    return cast(LiteralString, str(int(number)))


_totals: dict[tuple[str, str], tuple[float, int]] = {}
_recounts: set[asyncio.Task[int]] = set()


async def _total(conn: db.Db, listing: Listing, where: LiteralString, values: list[Any]) -> int:
    """A large total that is remembered too long is answered once more while it is counted anew."""
    rows: LiteralString = " from " + _sources(listing, where) + " where " + where
    key = (rows, repr(values))
    known = _totals.get(key)
    if known is not None and clock.monotonic() < known[0]:
        return known[1]
    if known is not None and clock.monotonic() < known[0] + STALE_SECONDS and isinstance(conn, db.Pool):
        _totals[key] = (clock.monotonic() + TOTAL_SECONDS, known[1])  # so that one request of many counts
        recount = asyncio.create_task(_count(conn, key, rows, values))
        _recounts.add(recount)
        recount.add_done_callback(_recounted)
        return known[1]
    return await _count(conn, key, rows, values)


def _recounted(task: asyncio.Task[int]) -> None:
    _recounts.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("a list could not be counted", error=repr(error))


async def _count(conn: db.Db, key: tuple[str, str], rows: LiteralString, values: list[Any]) -> int:
    some: LiteralString = "select 1" + rows + " limit " + _digits(EXACT_TOTAL + 1)
    total: int = await db.value(conn, "select count(*) from (" + some + ") counted", *values)
    if total <= EXACT_TOTAL:
        _totals.pop(key, None)
        return total
    total = await db.value(conn, "select count(*)" + rows, *values)
    if len(_totals) >= KEPT_TOTALS:
        _totals.clear()
    _totals[key] = (clock.monotonic() + TOTAL_SECONDS, total)
    return total
