"""The ``filters[field][conditions][$operator][i]=value`` language: from query pairs to SQL.

Field names are looked up in a table of literals and values travel as parameters, so nothing a caller writes
becomes SQL. Several values of one operator mean any of them (none of them for the negative operators); several
operators of one field must all hold; fields are joined by ``filters[junction]``: ``and`` (the default) or ``or``.
What is not known is not equal to anything: a row without the field passes ``$is_not``, ``$not_in`` and
``$not_contain``. Texts are compared with attention to case.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, LiteralString, cast

from msgspec import Struct
from msgspec.json import Encoder

from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import ApiError, invalid_query

MAX_CONDITIONS = 50
MAX_VALUES = 200
MAX_TEXT = 1000
MAX_DAYS = 36_500

FieldType = Literal["text", "number", "date", "day", "boolean"]
Bind = Callable[[Any], LiteralString]
"""Adds a value to the statement's arguments; answers its place, such as ``$3``."""


class Field(Struct, frozen=True):
    """A field that may be filtered by: its SQL and how its values are read; a ``day`` is a date without a time.

    sought: for a field of a joined table, its SQL in a subquery and what makes that subquery of a condition; used
    for conditions that hold of known values only.
    """

    sql: LiteralString
    type: FieldType = "text"
    sought: tuple[LiteralString, Callable[[LiteralString], LiteralString]] | None = None


class Condition(Struct, frozen=True):
    """One operator on one field; `parameter` is how the caller wrote it, for messages."""

    field: str
    operator: str
    values: list[str]
    parameter: str

    def wrong(self, message: str) -> ApiError:
        """A 400 to raise that names the parameter."""
        return invalid_query(self.parameter, message)


Special = Callable[[Condition, Bind], LiteralString]
"""A field with operators of its own: the SQL of its condition, or `raise condition.wrong(…)`."""


class Filters(Struct, frozen=True):
    """What the caller asked for."""

    conditions: list[Condition]
    junction: Literal["and", "or"] = "and"


class Filterable(Struct, frozen=True):
    """What may be asked for; `zone` is the time zone in which days are meant."""

    fields: Mapping[str, Field]
    metadata: LiteralString | None = None
    special: Mapping[str, Special] | None = None
    zone: str = "UTC"


_KEY = re.compile(r"filters\[([^\[\]]+)\](?:\[conditions\]\[(\$\w+)\](\[\d{0,4}\])?)?")
_ITEM = r"""\s*(?:'[^'\\]*'|"[^"\\]*"|-?\d+(?:\.\d+)?)\s*"""
_LISTED = re.compile(rf"\[(?:{_ITEM},)*(?:{_ITEM})?\]")
_ITEMS = re.compile(r"""'([^'\\]*)'|"([^"\\]*)"|(-?\d+(?:\.\d+)?)""")


def listed(text: str) -> list[str]:
    """The values of one parameter. The Python SDK writes a list as the text of one, ``['A', 'B']``.

    >>> listed("['A', 'B']"), listed("A")
    (['A', 'B'], ['A'])
    """
    if not text.startswith("[") or _LISTED.fullmatch(text) is None:
        return [text]
    return ["".join(parts) for parts in _ITEMS.findall(text)]


def parse_filters(query: list[tuple[str, str]]) -> Filters:
    """The conditions among a query's pairs. Raises `ApiError` 400 for a malformed one.

    >>> parse_filters([("filters[code][conditions][$is][0]", "A"), ("filters[junction]", "OR")]).junction
    'or'
    """
    junction: Literal["and", "or"] = "and"
    found: dict[tuple[str, str], Condition] = {}
    for key, value in query:
        if not key.startswith("filters"):
            continue
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid_query(key[:200], "must look like filters[field][conditions][$operator][0]")
        field, operator = match[1], match[2]
        if operator is None:
            junction = _junction(key, field, value)
            continue
        values = [value] if match[3] else listed(value)
        if any(len(one) > MAX_TEXT for one in values):
            raise invalid_query(key, f"a value may have {MAX_TEXT} characters")
        parameter = f"filters[{field}][conditions][{operator}]"
        found.setdefault((field, operator), Condition(field, operator, [], parameter)).values.extend(values)
        if len(found) > MAX_CONDITIONS:
            raise invalid_query("filters", f"at most {MAX_CONDITIONS} conditions")
        if len(found[field, operator].values) > MAX_VALUES:
            raise invalid_query(parameter, f"at most {MAX_VALUES} values")
    return Filters(list(found.values()), junction)


def _junction(key: str, field: str, value: str) -> Literal["and", "or"]:
    match (field, value.lower()):
        case ("junction", "and"):
            return "and"
        case ("junction", "or"):
            return "or"
        case ("junction", _):
            raise invalid_query(key, "must be 'and' or 'or'")
    raise invalid_query(key[:200], "must look like filters[field][conditions][$operator][0]")


def filter_sql(filters: Filters, allowed: Filterable, bind: Bind) -> LiteralString:
    """A condition in parentheses, or ``""`` without filters. Raises `ApiError` 400 for what is not allowed."""
    by_field: dict[str, list[LiteralString]] = {}
    for condition in filters.conditions:
        by_field.setdefault(condition.field, []).append(_condition(condition, allowed, bind))
    if not by_field:
        return ""
    joined: list[LiteralString] = ["(" + " and ".join(parts) + ")" for parts in by_field.values()]
    return "(" + (" or " if filters.junction == "or" else " and ").join(joined) + ")"


def _condition(condition: Condition, allowed: Filterable, bind: Bind) -> LiteralString:
    special = (allowed.special or {}).get(condition.field)
    if special is not None:
        return special(condition, bind)
    if condition.field.startswith("metadata.") and allowed.metadata is not None:
        return _metadata(condition, allowed.metadata, allowed.zone, bind)
    field = allowed.fields.get(condition.field)
    if field is None:
        raise condition.wrong("is not a field that this list can be filtered by")
    if field.sought is not None and not _holds_of_unknown(condition):
        sql, subquery = field.sought
        return subquery(_of_field(condition, Field(sql, field.type), allowed, bind))
    return _of_field(condition, field, allowed, bind)


def _holds_of_unknown(condition: Condition) -> bool:
    if condition.operator in ("$has_value", "$is_unknown"):
        return _flag(condition) == (condition.operator == "$is_unknown")
    return condition.operator in ("$is_not", "$not_in", "$not_contain")


def _of_field(condition: Condition, field: Field, allowed: Filterable, bind: Bind) -> LiteralString:
    column: LiteralString = "(" + field.sql + ")"
    zone = "UTC" if field.type == "day" else allowed.zone  # a birthday is the same day everywhere
    match condition.operator:
        case "$has_value" | "$is_unknown":
            return _presence(condition, column)
        case "$is" | "$in":
            return column + " = any(" + _values(condition, field.type, zone, bind) + ")"
        case "$is_not" | "$not_in":
            values = _values(condition, field.type, zone, bind)
            return "(" + column + " = any(" + values + ")) is not true"
    match field.type:
        case "text":
            return text_condition(condition, column, bind)
        case "number":
            return number_condition(condition, column, bind)
        case "date" | "day":
            return date_condition(condition, column, zone, bind)
        case "boolean":
            raise condition.wrong("is not an operator of a yes-or-no field")


# Texts -------------------------------------------------------------------------------------------------------

# (operator) -> what stands before and after the value in a LIKE pattern
_PATTERNS = {
    "$contains": ("%", "%"),
    "$not_contain": ("%", "%"),
    "$starts_with": ("", "%"),
    "$ends_with": ("%", ""),
}


def text_condition(condition: Condition, column: LiteralString, bind: Bind) -> LiteralString:
    """Part of a text. One LIKE a value, for LIKE ANY would not use an index for ``$starts_with``."""
    around = _PATTERNS.get(condition.operator)
    if around is None:
        raise condition.wrong("is not an operator of a text")
    likes: list[LiteralString] = [
        column + " like " + bind(around[0] + _escape(value) + around[1]) for value in condition.values
    ]
    any_of: LiteralString = "(" + " or ".join(likes) + ")"
    return any_of + " is not true" if condition.operator == "$not_contain" else any_of


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# Numbers -----------------------------------------------------------------------------------------------------

_COMPARISONS: dict[str, LiteralString] = {
    "$more_than": " > ",
    "$less_than": " < ",
    "$more_than_equal": " >= ",
    "$less_than_equal": " <= ",
}


def number_condition(condition: Condition, column: LiteralString, bind: Bind) -> LiteralString:
    """More or less than a number."""
    comparison = _COMPARISONS.get(condition.operator)
    if comparison is None:
        raise condition.wrong("is not an operator of a number")
    return column + comparison + bind(_number(condition, _one(condition))) + "::numeric"


# Dates -------------------------------------------------------------------------------------------------------

_NOW: LiteralString = "now()"
_DAYS_AWAY: dict[str, tuple[LiteralString, LiteralString]] = {
    "$more_than": (" < ", " - "),  # the reference's short names for the two that follow
    "$less_than": (" > ", " - "),
    "$more_than_ago": (" < ", " - "),
    "$less_than_ago": (" > ", " - "),
    "$more_than_future": (" > ", " + "),
    "$less_than_future": (" < ", " + "),
}


def date_condition(condition: Condition, column: LiteralString, zone: str, bind: Bind) -> LiteralString:
    """Before and after instants, so many days away, this or that day, next month (of birthdays)."""
    operator = condition.operator
    if operator in ("$after", "$more_than_equal"):
        moment = _instant(condition, _one(condition), zone)
        return column + (" > " if operator == "$after" else " >= ") + bind(moment) + "::timestamptz"
    if operator in ("$before", "$less_than_equal"):
        moment = _instant(condition, _one(condition), zone, end_of_day=operator == "$less_than_equal")
        return column + (" < " if operator == "$before" else " <= ") + bind(moment) + "::timestamptz"
    if operator in _DAYS_AWAY:
        comparison, sign = _DAYS_AWAY[operator]
        edge: LiteralString = _NOW + sign + _days(condition, bind)
        # "less than 3 days ago" has happened, "less than 3 days ahead" has not
        if operator in ("$less_than", "$less_than_ago"):
            return "(" + column + comparison + edge + " and " + column + " <= " + _NOW + ")"
        if operator == "$less_than_future":
            return "(" + column + comparison + edge + " and " + column + " >= " + _NOW + ")"
        return column + comparison + edge
    return _calendar_condition(condition, column, zone, bind)


def _calendar_condition(condition: Condition, column: LiteralString, zone: str, bind: Bind) -> LiteralString:
    place: LiteralString = bind(zone) + "::text"
    today: LiteralString = "(" + _NOW + " at time zone " + place + ")::date"
    its_day: LiteralString = "(" + column + " at time zone " + place + ")::date"
    match condition.operator:
        case "$is_days_ago":
            return its_day + " = (" + today + " - " + _days(condition, bind) + ")::date"
        case "$is_days_in_future":
            return its_day + " = (" + today + " + " + _days(condition, bind) + ")::date"
        case "$next_month":
            _flag(condition)
            next_month: LiteralString = "extract(month from " + today + " + interval '1 month')"
            return "extract(month from " + its_day + ") = " + next_month
    raise condition.wrong("is not an operator of a date")


def _days(condition: Condition, bind: Bind) -> LiteralString:
    text = _one(condition)
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) <= MAX_DAYS):
        raise condition.wrong(f"must be a number of days from 0 to {MAX_DAYS}")
    return "make_interval(days => " + bind(int(text)) + ")"


# Metadata ----------------------------------------------------------------------------------------------------

# A date that casts without an error: the cast stands behind this guard. Years ≥ 0001, 29 February in leap years.
_CASTABLE: LiteralString = (
    r"'^(?!0000)(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)"
    r"|02-(0[1-9]|1\d|2[0-8]))|(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-4]):?[0-5]\d)?)?$'"
)


def _metadata(condition: Condition, column: LiteralString, zone: str, bind: Bind) -> LiteralString:
    """A metadata value of any type, at the top or (``metadata.address.city``) one level down."""
    name = condition.field.removeprefix("metadata.")
    if condition.operator in ("$is", "$in"):
        return _contained(condition, column, name, bind)
    if condition.operator in ("$is_not", "$not_in"):
        return _contained(condition, column, name, bind) + " is not true"
    value: LiteralString = "(" + column + " -> " + bind(name) + "::text)"
    outer, dot, inner = name.partition(".")
    if dot:
        value = "coalesce(" + value + ", " + column + " #> " + bind([outer, inner]) + "::text[])"
    text: LiteralString = "(" + value + " #>> '{}')"
    match condition.operator:
        case "$has_value" | "$is_unknown":
            return _presence(condition, text)
        case "$contains" | "$not_contain" | "$starts_with" | "$ends_with":
            return text_condition(condition, text, bind)
        case "$count" | "$count_more" | "$count_less":
            return _counted(condition, value, bind)
        case "$after" | "$before" | "$next_month":
            return date_condition(condition, _as_instant(text), zone, bind)
    if condition.operator.endswith(("_ago", "_future")):
        return date_condition(condition, _as_instant(text), zone, bind)
    number: LiteralString = (
        "(case when jsonb_typeof(" + value + ") = 'number' then " + text + "::numeric end)"
    )
    return number_condition(condition, number, bind)


_JSON = Encoder(decimal_format="number")


def _contained(condition: Condition, column: LiteralString, name: str, bind: Bind) -> LiteralString:
    """Equality by containment, which a GIN index answers: the text, and the number or truth value it may be."""
    shapes: list[Any] = []
    for value in condition.values:
        for typed in _readings(value):
            for leaf in (typed, [typed]):
                shapes.append({name: leaf})
                outer, dot, inner = name.partition(".")
                if dot:
                    shapes.append({outer: {inner: leaf}})
    wanted = bind([_JSON.encode(shape).decode() for shape in shapes])
    # Said for the sake of indexes that leave rows without metadata out.
    return "(" + column + " <> '{}' and " + column + " @> any(" + wanted + "::jsonb[]))"


def _readings(value: str) -> list[Any]:
    readings: list[Any] = [value]
    if value in ("true", "false"):
        readings.append(value == "true")
    elif re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?", value, re.ASCII):
        readings.append(Decimal(value) if "." in value else int(value))
    return readings


def _as_instant(text: LiteralString) -> LiteralString:
    return "(case when " + text + " ~ " + _CASTABLE + " then " + text + "::timestamptz end)"


_COUNTS: dict[str, LiteralString] = {"$count": " = ", "$count_more": " > ", "$count_less": " < "}


def _counted(condition: Condition, value: LiteralString, bind: Bind) -> LiteralString:
    length: LiteralString = (
        "(case when jsonb_typeof(" + value + ") = 'array' then jsonb_array_length(" + value + ") end)"
    )
    wanted = bind(_number(condition, _one(condition)))
    return length + _COUNTS[condition.operator] + wanted + "::numeric"


# Values ------------------------------------------------------------------------------------------------------


def _presence(condition: Condition, column: LiteralString) -> LiteralString:
    """``$has_value`` and ``$is_unknown``; an empty value means true, as the reference writes it."""
    wanted = _flag(condition) == (condition.operator == "$has_value")
    return column + (" is not null" if wanted else " is null")


def _flag(condition: Condition) -> bool:
    text = _one(condition).lower()
    if text not in ("", "true", "false", "1", "0"):
        raise condition.wrong("must be true or false")
    return text in ("", "true", "1")


def _one(condition: Condition) -> str:
    if len(condition.values) != 1:
        raise condition.wrong("takes one value")
    return condition.values[0]


def _values(condition: Condition, kind: FieldType, zone: str, bind: Bind) -> LiteralString:
    match kind:
        case "text":
            return bind(condition.values) + "::text[]"
        case "number":
            return bind([_number(condition, value) for value in condition.values]) + "::numeric[]"
        case "date" | "day":
            return bind([_instant(condition, value, zone) for value in condition.values]) + "::timestamptz[]"
        case "boolean":
            return bind([_truth(condition, value) for value in condition.values]) + "::boolean[]"


def _number(condition: Condition, text: str) -> Decimal:
    if not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", text, re.ASCII):
        raise condition.wrong("must be a number")
    return Decimal(text)


def _truth(condition: Condition, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise condition.wrong("must be true or false")
    return text.lower() == "true"


def _instant(condition: Condition, text: str, zone: str, end_of_day: bool = False) -> datetime:
    try:
        return parse_instant(text, zone, end_of_day)
    except ValueError as error:
        raise condition.wrong(str(error)) from None


def binder(args: list[Any]) -> Bind:
    """A `Bind` that appends to `args`. The place is made of a number alone, hence a literal to us."""

    def bind(value: Any) -> LiteralString:
        args.append(value)
        return cast(LiteralString, f"${len(args)}")

    return bind
