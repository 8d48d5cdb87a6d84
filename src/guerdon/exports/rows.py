"""Rows of an export, read by a few thousand behind the last, and what they look like in CSV."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, LiteralString, cast

import msgspec
from msgspec import Struct

from guerdon.exports.asked import Asked
from guerdon.kit import db
from guerdon.kit.clock import iso

ROWS = 5_000
SECONDS = 600


class Place(Struct):
    """Behind which row to go on: what it was ordered by, as PostgreSQL writes it, and its id."""

    value: str
    id: str


class Read(Struct):
    """Some rows, in the order of the fields; `last` is None behind the last one."""

    rows: list[list[Any]]
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
    columns = _columns(asked)
    named: LiteralString = ", ".join(columns) + ", (" + sort + ")::text, " + row_id
    order: LiteralString = " order by " + sort + direction + ", " + row_id + direction
    sql: LiteralString = (
        "select " + named + " from " + _sources(asked, where + named) + " where " + where + order
        + " limit " + cast(LiteralString, str(ROWS))
    )  # fmt: skip
    found = await conn.fetch(sql, *values, timeout=SECONDS)
    last = Place(found[-1][-2], found[-1][-1]) if len(found) == ROWS else None
    return Read([[record[place] for place in range(len(columns))] for record in found], last)


def _place(number: int) -> LiteralString:
    return cast(LiteralString, f"${number}")


def _columns(asked: Asked) -> list[LiteralString]:
    known = asked.table.columns
    return [known[field] if field in known else known["metadata"] for field in asked.fields]


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
    return _written([[_label(field) for field in fields]])


def body(asked: Asked, rows: Iterable[Sequence[Any]]) -> str:
    """Lines of rows."""
    keys = [field[len("metadata.") :] if field.startswith("metadata.") else None for field in asked.fields]
    return _written([_cell(value, key) for value, key in zip(row, keys, strict=True)] for row in rows)


def _label(field: str) -> str:
    if field.startswith("metadata."):
        return _shielded(field)
    return " ".join(_UPPER.get(word, word.capitalize()) for word in field.split("_"))


def _cell(value: Any, key: str | None) -> str:
    if key is not None:
        value = value.get(key) if isinstance(value, dict) else None
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


def _written(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
