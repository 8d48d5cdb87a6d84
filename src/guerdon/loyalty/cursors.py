"""Lists that go on by a cursor: ``?cursor=`` names the row to go on behind, in the order and filter it began with.

A cursor holds all it needs, so that it costs nothing to keep; it names rows of its own list and project only, and
it ends after a day. What cannot be read, is too old or comes with another order or filter is one mistake to its
caller: 400 ``invalid_or_expired_cursor``.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, LiteralString, TypeVar, cast

import msgspec
from msgspec import Struct

from guerdon.kit import clock, db
from guerdon.kit.errors import ApiError, invalid_query
from guerdon.kit.filters import Field, Filterable, binder, filter_sql, listed, parse_filters

LIFETIME = timedelta(days=1)
DEFAULT_LIMIT, MAX_LIMIT = 10, 100
MAX_CURSOR = 20_000
DIGEST = 8

T = TypeVar("T")


class CursorListing(Struct, frozen=True, kw_only=True):
    """What may be listed; all SQL is literal, ``$1`` is the project's id.

    sorts: name → (SQL that is never null, whether it is an instant). The id breaks ties.
    """

    prefix: str
    columns: LiteralString
    source: LiteralString
    where: LiteralString
    id: LiteralString
    fields: dict[str, Field]
    sorts: dict[str, tuple[LiteralString, bool]]
    default_sort: str = "-created_at"


class CursorPage(Struct, Generic[T]):
    """Rows, and the cursor behind the last of them with the instant it ends; None on the last page."""

    rows: list[T]
    next: str | None = None
    expires_at: str | None = None


class _Place(Struct, array_like=True):
    """What a cursor holds. `behind` are the sort values of the last row and its id; instants in microseconds."""

    order: list[str]
    filters: list[tuple[str, str]]
    behind: list[str | int]
    until: int


async def page(
    conn: db.Db,
    into: type[T],
    listing: CursorListing,
    project_id: str,
    query: list[tuple[str, str]],
    *,
    args: tuple[Any, ...] = (),
    zone: str = "UTC",
) -> CursorPage[T]:
    """One page, as ``limit``, ``order``, ``filters[…]`` and ``cursor`` of the query ask for it.

    `args` are the listing's own ``$2…``. Raises `ApiError` 400 that names the parameter.
    """
    now = clock.process_now()
    limit = _limit(query)
    order, filters, behind = _asked(listing, query, now)
    values: list[Any] = [project_id, *args]
    bind = binder(values)
    where: LiteralString = listing.where
    filtered = filter_sql(parse_filters(filters), Filterable(listing.fields, None, None, zone), bind)
    if filtered:
        where += " and " + filtered
    keys = [(*listing.sorts[name.removeprefix("-")], name.startswith("-")) for name in order]
    keys.append((listing.id, False, keys[-1][2]))
    if behind is not None:
        where += " and " + _behind(keys, behind, bind)
    ordered: LiteralString = ", ".join(sql + (" desc" if down else "") for sql, _, down in keys)
    marks: LiteralString = ", ".join(_mark(sql, instant) for sql, instant, _ in keys)
    records = await db.records(
        conn,
        "select " + listing.columns + ", array[" + marks + "] as listed_at from " + listing.source
        + " where " + where + " order by " + ordered + " limit " + cast(LiteralString, str(limit + 1)),
        *values,
    )  # fmt: skip
    rows = [into(**{k: v for k, v in record.items() if k != "listed_at"}) for record in records[:limit]]
    if len(records) <= limit:
        return CursorPage(rows)
    until = now + LIFETIME
    last = records[limit - 1]["listed_at"]
    place = _Place(
        order,
        filters,
        [int(mark) if key[1] else mark for key, mark in zip(keys, last, strict=True)],
        int(until.timestamp()),
    )
    return CursorPage(rows, _written(listing.prefix, place), clock.iso(until.replace(microsecond=0)))


def _mark(sql: LiteralString, instant: bool) -> LiteralString:
    """A sort value as a text from which it can be told again, exactly."""
    return "(extract(epoch from " + sql + ") * 1000000)::bigint::text" if instant else "(" + sql + ")::text"


def _behind(keys: list[tuple[LiteralString, bool, bool]], marks: list[str | int], bind: Any) -> LiteralString:
    """That a row comes behind the one with these sort values."""
    places = [
        bind(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=cast(int, mark))) + "::timestamptz"
        if instant
        else bind(mark) + "::text"
        for (_, instant, _), mark in zip(keys, marks, strict=True)
    ]
    downs = {down for _, _, down in keys}
    if len(downs) == 1:  # one direction: a comparison of rows, which an index answers
        names: LiteralString = "(" + ", ".join(sql for sql, _, _ in keys) + ")"
        return names + (" < " if downs.pop() else " > ") + "(" + ", ".join(places) + ")"
    either: list[LiteralString] = []
    for at, (sql, _, down) in enumerate(keys):
        same: list[LiteralString] = [keys[i][0] + " = " + places[i] for i in range(at)]
        either.append("(" + " and ".join([*same, sql + (" < " if down else " > ") + places[at]]) + ")")
    return "(" + " or ".join(either) + ")"


def _limit(query: list[tuple[str, str]]) -> int:
    text = dict(query).get("limit") or str(DEFAULT_LIMIT)
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise invalid_query("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _asked(
    listing: CursorListing, query: list[tuple[str, str]], now: datetime
) -> tuple[list[str], list[tuple[str, str]], list[str | int] | None]:
    """Order and filters, from the query or from the cursor, and where to go on."""
    order, filters = _order(listing, query), [pair for pair in query if pair[0].startswith("filters")]
    cursor = dict(query).get("cursor")
    if not cursor:
        return order or [listing.default_sort], filters, None
    place = _read(listing.prefix, cursor)
    known = {name.removeprefix("-") for name in place.order} <= listing.sorts.keys() if place else False
    if (
        place is None
        or not known
        or place.until <= now.timestamp()
        or len(place.behind) != len(place.order) + 1
        or (order and order != place.order)
        or (filters and filters != place.filters)
    ):
        raise invalid_cursor()
    return place.order, place.filters, place.behind


def _order(listing: CursorListing, query: list[tuple[str, str]]) -> list[str]:
    order: list[str] = []
    for key, text in query:
        if text and (key in ("order", "order[]") or key.startswith("order[")):
            order += listed(text) if text.startswith("[") else text.split(",")
    names = [name.removeprefix("-") for name in order]
    if not set(names) <= listing.sorts.keys():
        known = ", ".join(sorted(listing.sorts))
        raise invalid_query("order", f"must be of {known}, each with a dash before it to reverse it")
    if len(set(names)) < len(names):
        raise invalid_query("order", "names a field twice")
    return order


def _written(prefix: str, place: _Place) -> str:
    body = msgspec.json.encode(place)
    return prefix + (_digest(prefix, body) + body).hex()


def _read(prefix: str, cursor: str) -> _Place | None:
    if len(cursor) > MAX_CURSOR or not cursor.startswith(prefix) or not cursor.isascii():
        return None
    try:
        content = bytes.fromhex(cursor.removeprefix(prefix))
        if content[:DIGEST] != _digest(prefix, content[DIGEST:]):
            return None
        return msgspec.json.decode(content[DIGEST:], type=_Place)
    except ValueError:  # not hexadecimal; msgspec's errors are ValueErrors too
        return None


def _digest(prefix: str, body: bytes) -> bytes:
    """Against slips and old releases, not against forgery: a forged cursor shows nothing that a list would not."""
    return hashlib.blake2b(prefix.encode() + body, digest_size=DIGEST).digest()


def invalid_cursor() -> ApiError:
    """400 for a cursor that cannot be used."""
    return ApiError(
        400,
        "invalid_or_expired_cursor",
        "Invalid or expired cursor",
        "The cursor is not one of this list, it is older than a day, or order or filters are not those that the "
        "list began with. Begin again without a cursor.",
    )
