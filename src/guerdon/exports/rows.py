"""Rows of an export, read by a few thousand behind the last, and what they look like in CSV."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString, cast

import msgspec
from msgspec import Struct

from guerdon.exports.asked import Asked
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.filters import binder

ROWS = 5_000
CHARACTERS = 8 * 2**20
"""How much of the file a step writes: whatever metadata rows have, no more of them are in memory."""

FETCHED = 200
"""Rows that come from the database at once."""

SECONDS = 600


class Place(Struct):
    """Behind which row to go on: what it was ordered by, as PostgreSQL writes it, and its id."""

    value: str
    id: str


class Read(Struct):
    """Lines of the file, and how many rows they are of; `last` is None behind the last row."""

    text: str
    count: int
    last: Place | None


async def count(conn: db.Conn, asked: Asked, project_id: str, until: datetime) -> int:
    """How many rows there are."""
    values: list[Any] = [project_id, until]
    where = asked.statement(asked.table.created + " <= $2", values)
    sql: LiteralString = "select count(*) from " + _sources(asked, where) + " where " + where
    found: int = (await conn.fetch(sql, *values, timeout=SECONDS))[0][0]
    return found


async def read(conn: db.Conn, asked: Asked, project_id: str, until: datetime, behind: Place | None) -> Read:
    """The next rows of what was there when the export was asked for."""
    values: list[Any] = [project_id, until]
    where = asked.statement(asked.table.created + " <= $2", values)
    sort, row_id = asked.sort.sql, asked.table.id
    if behind is not None:
        values += [behind.value, behind.id]
        places: tuple[LiteralString, LiteralString] = (_place(len(values) - 1), _place(len(values)))
        cast_: LiteralString = "::timestamptz" if asked.sort.type == "timestamptz" else ' collate "C"'
        edge: LiteralString = "((" + places[0] + "::text)" + cast_ + ", " + places[1] + "::text)"
        comparison: LiteralString = " < " if asked.descending else " > "
        where = where + " and (" + sort + ", " + row_id + ")" + comparison + edge
    direction: LiteralString = " desc" if asked.descending else ""
    columns = _columns(asked, values)
    named: LiteralString = ", ".join(columns) + ", (" + sort + ")::text, " + row_id
    order: LiteralString = " order by " + sort + direction + ", " + row_id + direction
    sql: LiteralString = (
        "select " + named + " from " + _sources(asked, where + named) + " where " + where + order
        + " limit " + cast(LiteralString, str(ROWS))
    )  # fmt: skip
    text, count = io.StringIO(), 0
    lines = csv.writer(text, lineterminator="\n")
    async for record in conn.cursor(sql, *values, prefetch=FETCHED, timeout=SECONDS):
        lines.writerow(_cell(record[place]) for place in range(len(columns)))
        count += 1
        if count == ROWS or text.tell() >= CHARACTERS:
            return Read(text.getvalue(), count, Place(record[-2], record[-1]))
    return Read(text.getvalue(), count, None)


def _place(number: int) -> LiteralString:
    return cast(LiteralString, f"${number}")


def _columns(asked: Asked, values: list[Any]) -> list[LiteralString]:
    """What to select; of metadata no more than the key that is asked for, appended to `values`."""
    known, bind = asked.table.columns, binder(values)
    return [
        known[field]
        if field in known
        else known["metadata"] + " -> " + bind(field.removeprefix("metadata.")) + "::text"
        for field in asked.fields
    ]


def _sources(asked: Asked, text: LiteralString) -> LiteralString:
    """What to select from, with the joins that a text names and those before them."""
    text = text + asked.sort.sql
    aliases = list(asked.table.joins)
    named = [at for at, alias in enumerate(aliases, 1) if re.search(rf"\b{alias}\.", text)]
    sources = asked.table.source
    for alias in aliases[: max(named, default=0)]:
        sources += " " + asked.table.joins[alias]
    return sources


# As CSV ------------------------------------------------------------------------------------------------------

_UPPER = {"id": "ID", "qr": "QR"}
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d\s().-]*$)")


def header(fields: Sequence[str]) -> str:
    """The first line.

    >>> header(["id", "voucher_type", "metadata.shop"])
    'ID,Voucher Type,metadata.shop\\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(_label(field) for field in fields)
    return text.getvalue()


def _label(field: str) -> str:
    if field.startswith("metadata."):
        return _shielded(field)
    return " ".join(_UPPER.get(word, word.capitalize()) for word in field.split("_"))


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _shielded(value)
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case dict() | list():
            return msgspec.json.encode(value).decode()
    return str(value)


def _shielded(text: str) -> str:
    """What a spreadsheet would take for a formula gets an apostrophe before it."""
    return "'" + text if _FORMULA.match(text) else text
