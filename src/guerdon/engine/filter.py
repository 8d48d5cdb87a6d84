"""Filters over the attributes of one thing, as segments and product collections are defined.

A filter is ``{"junction": "and", "<field>": {"conditions": {"$operator": [operands]}}, …}``. Operators of one field
must all hold; the fields are joined by the junction, which is ``and`` unless it says ``or``.

>>> from zoneinfo import ZoneInfo
>>> gold = parse_filter({"metadata.level": {"conditions": {"$in": ["gold", "silver"]}}}, "filter", {"metadata.*": "any"})
>>> from datetime import UTC
>>> matches(gold, {"metadata.level": "gold"}.__getitem__, datetime(2026, 11, 22, tzinfo=UTC), ZoneInfo("UTC"))
True
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.operators import MISSING, OPERATORS, check_operands, compiled, moment_of, number_of

MAX_CONDITIONS = 100
MAX_FIELD = 200

Kind = Literal["text", "number", "date", "any"]
"""What a field holds, which says what it can be compared with."""

Fields = Mapping[str, Kind] | Collection[str]
"""Which fields there are, with or without kinds. The star in ``metadata.*`` or ``events.*.count`` is any text."""

CUSTOMER_FIELDS: dict[str, Kind] = {
    "id": "text",
    "source_id": "text",
    "name": "text",
    "email": "text",
    "phone": "text",
    "description": "text",
    "birthdate": "date",
    "birthday": "date",
    "created_at": "date",
    "updated_at": "date",
    "address.city": "text",
    "address.state": "text",
    "address.line_1": "text",
    "address.line_2": "text",
    "address.country": "text",
    "address.postal_code": "text",
    "metadata.*": "any",
    "summary.redemptions.total_redeemed": "number",
    "summary.redemptions.total_failed": "number",
    "summary.redemptions.total_succeeded": "number",
    "summary.redemptions.total_rolled_back": "number",
    "summary.redemptions.total_rollback_failed": "number",
    "summary.redemptions.total_rollback_succeeded": "number",
    "summary.redemptions.gift.redeemed_amount": "number",
    "summary.redemptions.gift.amount_to_go": "number",
    "summary.redemptions.loyalty_card.redeemed_points": "number",
    "summary.redemptions.loyalty_card.points_to_go": "number",
    "summary.orders.total_amount": "number",
    "summary.orders.total_count": "number",
    "summary.orders.average_amount": "number",
    "summary.orders.last_order_amount": "number",
    "summary.orders.last_order_date": "date",
    "loyalty.points": "number",
    "loyalty.referred_customers": "number",
    "loyalty.campaigns.*": "any",
    "loyalty_points.*": "any",
    "events.*.count": "number",
    "events.*.last_occurrence": "date",
}
"""What segments can ask of a customer; `segments/members.py` knows the values."""


Passes = Callable[[Any, datetime, ZoneInfo], bool]


class Test(Struct, frozen=True):
    """One operator with its operands, and what it comes to."""

    operator: str
    operands: tuple[Any, ...]
    passes: Passes


class Clause(Struct, frozen=True):
    """What is asked of one field; all of it must hold."""

    field: str
    tests: tuple[Test, ...]


class Filter(Struct, frozen=True):
    """A filter that was checked when it was parsed."""

    junction: Literal["and", "or"] = "and"
    clauses: tuple[Clause, ...] = ()

    def asks(self, prefix: str) -> bool:
        """Whether any field of that beginning is asked for, so that its facts must be there."""
        return any(clause.field.startswith(prefix) for clause in self.clauses)


# How this language writes what rules write otherwise.
ALIASES = {
    "$more_than_equal": "$more_than_or_equal",
    "$less_than_equal": "$less_than_or_equal",
    "$greater_than": "$more_than",
    "$greater_than_equal": "$more_than_or_equal",
}

# Operators of rules that make no sense of an attribute.
NOT_HERE = frozenset({"$timeframe", "$timeframe_absolute", "$timeframe_daily_hours", "$from"})

OF_DATES = frozenset(
    {
        "$after", "$before", "$more_than_ago", "$less_than_ago", "$is_days_ago", "$more_than_future",
        "$less_than_future", "$is_days_in_future", "$next_month", "$dow",
    }
)  # fmt: skip
EQUALITY = frozenset({"$is", "$is_not", "$in", "$not_in"})
ORDER = frozenset(
    {"$more_than", "$less_than", "$more_than_or_equal", "$less_than_or_equal", "$greater_than_or_equal"}
)
UTC = ZoneInfo("UTC")


def parse_filter(raw: Any, path: str, fields: Fields | None = None) -> Filter:
    """A checked filter. `path` is where it stands, for messages; without `fields` every name is one.

    Raises `EngineError` for what is no filter, names an unknown field or operator, or has operands that do not fit.
    """
    if not isinstance(raw, Mapping):
        raise EngineError(path, "must be an object of fields with their conditions")
    junction = raw.get("junction", "and")
    if not isinstance(junction, str) or junction.lower() not in ("and", "or"):
        raise EngineError(f"{path}.junction", "must be 'and' or 'or'")
    clauses: list[Clause] = []
    count = 0
    for name, body in raw.items():
        if name == "junction":
            continue
        clause = _clause(name, body, f"{path}.{name[:MAX_FIELD]}", fields)
        clauses.append(clause)
        count += len(clause.tests)
        if count > MAX_CONDITIONS:
            raise EngineError(path, f"may have {MAX_CONDITIONS} conditions at most")
    if not clauses:
        raise EngineError(path, "names no field; give at least one with its conditions")
    return Filter("or" if junction.lower() == "or" else "and", tuple(clauses))


def _clause(name: str, body: Any, path: str, fields: Fields | None) -> Clause:
    kind = _kind(name, fields)
    if kind is None:
        known = ", ".join(sorted(fields or ())[:60])
        raise EngineError(path, f"is no field to filter by; there are {known}")
    conditions = body.get("conditions") if isinstance(body, Mapping) else None
    if not isinstance(conditions, Mapping) or not conditions:
        raise EngineError(f"{path}.conditions", 'must be an object such as {"$is": ["gold"]}')
    if len(conditions) > MAX_CONDITIONS:
        raise EngineError(f"{path}.conditions", f"may have {MAX_CONDITIONS} operators at most")
    return Clause(name, tuple(_test(operator, value, kind, path) for operator, value in conditions.items()))


def _kind(name: str, fields: Fields | None) -> Kind | None:
    """What the field holds, or None when there is no such field."""
    if not 0 < len(name) <= MAX_FIELD:
        return None
    if fields is None:
        return "any"
    known = name if name in fields and "*" not in name else _pattern(name, fields)
    if known is None:
        return None
    return fields[known] if isinstance(fields, Mapping) else "any"


def _pattern(name: str, fields: Fields) -> str | None:
    for field in fields:
        start, star, end = field.partition("*")
        if star and name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end):
            return field
    return None


def _test(written: str, value: Any, kind: Kind, path: str) -> Test:
    operator = ALIASES.get(written, written)
    at = f"{path}.conditions.{written[:40]}"
    if operator in NOT_HERE or (operator not in OWN and operator not in OPERATORS):
        known = ", ".join(sorted((OWN.keys() | OPERATORS.keys()) - NOT_HERE))
        raise EngineError(at, f"is no operator of filters; there are {known}")
    if operator in OF_DATES and kind == "number":
        raise EngineError(at, "goes with dates, and this field is a number")
    operands = tuple(value) if isinstance(value, list | tuple) else () if value is None else (value,)
    if operator in SWITCHES:
        operands = (_switch(operands, at),)
    else:
        _check(operator, operands, at)
    for number, operand in enumerate(operands if operator not in SWITCHES else ()):
        _check_kind(operand, operator, kind, f"{at}[{number}]")
    own = OWN.get(operator)
    return Test(operator, operands, compiled(operator, operands) if own is None else own(operands))


def _check(operator: str, operands: tuple[Any, ...], path: str) -> None:
    try:
        check_operands("$contains" if operator == "$not_contain" else operator, operands, path)
    except EngineError as error:
        raise EngineError(error.path, error.message) from None


def _switch(operands: tuple[Any, ...], path: str) -> bool:
    """Operators without an operand may have one that turns them round; ``["true"]`` is what some clients send."""
    match operands:
        case () | (True | "true" | "",):
            return True
        case (False | "false",):
            return False
    raise EngineError(path, "takes true or false, or nothing")


def _check_kind(operand: Any, operator: str, kind: Kind, path: str) -> None:
    if operator not in EQUALITY and operator not in ORDER:
        return
    if kind == "number" and number_of(operand) is None:
        raise EngineError(path, "must be a number")
    if kind == "date" and moment_of(operand, UTC) is None:
        raise EngineError(path, "must be an ISO 8601 date such as 2026-11-27 or 2026-11-27T08:00:00Z")


def _unknown(value: Any) -> bool:
    return value is MISSING or value == "" or value == []


def _is_known(operands: Sequence[Any]) -> Passes:
    return lambda value, _now, _zone: _unknown(value) is not operands[0]


def _is_unknown(operands: Sequence[Any]) -> Passes:
    return lambda value, _now, _zone: _unknown(value) is operands[0]


def _contains_none(operands: Sequence[Any]) -> Passes:
    contains = compiled("$contains", operands)
    return lambda value, now, zone: not contains(value, now, zone)


def _in_next_month(operands: Sequence[Any]) -> Passes:
    """Whether a day of any year, such as a birthday, falls into the calendar's next month."""

    def passes(value: Any, now: datetime, zone: ZoneInfo) -> bool:
        moment = moment_of(value, zone)
        return moment is not None and (moment.day.month == now.astimezone(zone).month % 12 + 1) is operands[0]

    return passes


# Operators of filters alone.
OWN: dict[str, Callable[[Sequence[Any]], Passes]] = {
    "$has_value": _is_known,
    "$is_unknown": _is_unknown,
    "$not_contain": _contains_none,
    "$next_month": _in_next_month,
}
SWITCHES = ("$has_value", "$is_unknown", "$next_month")


def matches(filter: Filter, read: Callable[[str], Any], now: datetime, zone: ZoneInfo) -> bool:
    """Whether a thing passes; `read` gives the value of a field, MISSING (or None) when it has none."""
    if filter.junction == "or":
        return any(_holds(clause, read(clause.field), now, zone) for clause in filter.clauses)
    return all(_holds(clause, read(clause.field), now, zone) for clause in filter.clauses)


def _holds(clause: Clause, value: Any, now: datetime, zone: ZoneInfo) -> bool:
    if value is None:
        value = MISSING
    return all(test.passes(value, now, zone) for test in clause.tests)
