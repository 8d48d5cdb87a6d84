"""What a caller wants exported: checked against the tables, and turned into the statement that reads it."""

from typing import Any, Literal, LiteralString, NoReturn, cast

from msgspec import Struct

from guerdon.exports.tables import TABLES, Order, Table
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.filters import (
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    Condition,
    Filterable,
    Filters,
    binder,
    filter_sql,
)

MAX_FIELDS = 100


class Parameters(Struct, omit_defaults=True):
    """What to export: which `fields` (columns of the CSV), in which `order`, of which objects (`filters`)."""

    order: str | None = None
    fields: list[str] | None = None
    filters: dict[str, Any] | None = None


class Scope(Struct):
    """The card or campaign that an export is of; `shown` is how the caller named it."""

    field: Literal["voucher_id", "campaign_id"]
    id: str
    shown: str


class Asked(Struct, kw_only=True):
    """An export, checked. `zone` is where days without a time zone are meant."""

    table: Table
    fields: list[str]
    sort: Order
    descending: bool
    filters: Filters
    scope: Scope | None
    zone: str

    def statement(self, where: LiteralString, values: list[Any]) -> LiteralString:
        """``where …`` of the rows, narrowed to `where`; appends to `values`."""
        table = self.table
        bind = binder(values)
        parts: list[LiteralString] = [table.where, where]
        if self.scope is not None:
            parts.append(table.fields[self.scope.field].sql + " = " + bind(self.scope.id))
        allowed = Filterable(table.fields, table.metadata, table.special, self.zone)
        filtered = filter_sql(self.filters, allowed, bind)
        if filtered:
            parts.append(filtered)
        return " and ".join(parts)


def check(exported: str, parameters: Parameters, scope: Scope | None, zone: str) -> Asked:
    """What is meant. Raises `ApiError` 400: `invalid_export_fields`, or `invalid_payload` that names the place."""
    table = TABLES.get(exported)
    if table is None:
        raise invalid_payload(Fault("exported_object", "must be one of " + ", ".join(TABLES)))
    order = parameters.order or table.default_order
    sort = table.orders.get(order.removeprefix("-"))
    if sort is None:
        known = ", ".join(table.orders)
        raise invalid_payload(
            Fault("parameters.order", f"must be one of {known}, or one with a dash before it")
        )
    asked = Asked(
        table=table,
        fields=_fields(table, parameters.fields),
        sort=sort,
        descending=order.startswith("-"),
        filters=_filters(parameters.filters or {}),
        scope=scope,
        zone=zone,
    )
    try:
        asked.statement("true", ["", None])
    except ApiError as error:  # the filters' own words are for queries
        raise invalid_payload(*(error.faults or [])) from None
    return asked


def _fields(table: Table, fields: list[str] | None) -> list[str]:
    if not fields:
        return list(table.defaults)
    if len(fields) > MAX_FIELDS:
        raise _unsupported(table, f"At most {MAX_FIELDS} fields.")
    for field in fields:
        in_metadata = field.startswith("metadata.") and len(field) > len("metadata.") and table.metadata
        if field not in table.columns and not in_metadata:
            raise _unsupported(table, f"{field[:100]!r} is no field of this object.")
    return list(fields)


def _unsupported(table: Table, why: str) -> ApiError:
    details = f"{why} Known are: {', '.join(table.columns)}" + (
        ", metadata.<key>." if table.metadata else "."
    )
    return ApiError(
        400, "invalid_export_fields", "Invalid Export", details, faults=[Fault("parameters.fields", why)]
    )


def _filters(given: dict[str, Any]) -> Filters:
    junction: Literal["and", "or"] = "and"
    conditions: list[Condition] = []
    for field, value in given.items():
        if field == "junction":
            if not isinstance(value, str) or value.lower() not in ("and", "or"):
                _wrong("parameters.filters.junction", "must be 'and' or 'or'")
            junction = cast(Literal["and", "or"], value.lower())
            continue
        wanted = value.get("conditions") if isinstance(value, dict) else None
        if not isinstance(wanted, dict):
            _wrong(
                f"parameters.filters.{field[:100]}", 'must look like {"conditions": {"$operator": [value]}}'
            )
        conditions += [_condition(field, operator, values) for operator, values in wanted.items()]
    if len(conditions) > MAX_CONDITIONS:
        _wrong("parameters.filters", f"at most {MAX_CONDITIONS} conditions")
    return Filters(conditions, junction)


def _condition(field: str, operator: str, values: Any) -> Condition:
    place = f"parameters.filters.{field[:100]}.conditions.{operator[:50]}"
    texts = [_text(place, value) for value in (values if isinstance(values, list) else [values])]
    if not 1 <= len(texts) <= MAX_VALUES:
        _wrong(place, f"takes 1 to {MAX_VALUES} values")
    return Condition(field, operator, texts, place)


def _text(place: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        _wrong(place, "values are texts, numbers or true and false")
    text = str(value)
    if len(text) > MAX_TEXT or "\x00" in text:
        _wrong(place, f"a value may have {MAX_TEXT} characters, NUL not among them")
    return text


def _wrong(place: str, message: str) -> NoReturn:
    raise invalid_payload(Fault(place, message))
