"""Filters of collections in SQL, over products and SKUs as one table.

What is in a collection is decided here alone, for its listing as for an offer, so that the two cannot differ.
"""

from typing import Any, LiteralString
from zoneinfo import ZoneInfo

from guerdon.engine.fault import EngineError
from guerdon.engine.filter import Filter, Test, parse_filter
from guerdon.engine.operators import moment_of, number_of, text_of
from guerdon.engine.product_fields import PRODUCT_FIELDS
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.filters import Bind, Condition, Field, Filterable, Filters, binder, filter_sql

# Products and SKUs of the project $1 as one table, `m`.
THINGS: LiteralString = """(
    select id, 'product' as object, null::text as product_id, source_id, name, null::text as sku, price,
           null::text as currency, attributes, image_url, metadata, created_at, updated_at
    from products where project_id = $1 and deleted_at is null
    union all
    select id, 'sku', product_id, source_id, sku, sku, price, currency, attributes, image_url, metadata,
           created_at, updated_at
    from skus where project_id = $1 and deleted_at is null
) m"""

# A product's are a list of names, a SKU's an object of values.
ATTRIBUTES: LiteralString = """(
    select coalesce(array_agg(one.value #>> '{}'), '{}') from (
        select value from jsonb_array_elements(case jsonb_typeof(m.attributes) when 'array' then m.attributes end)
        union all
        select value from jsonb_each(case jsonb_typeof(m.attributes) when 'object' then m.attributes end)
    ) one
)"""

FIELDS = {
    "id": Field("m.id"),
    "source_id": Field("m.source_id"),
    "name": Field("m.name"),
    "sku": Field("m.sku"),
    "price": Field("m.price", "number"),
    "image_url": Field("m.image_url"),
    "created_at": Field("m.created_at", "date"),
    "updated_at": Field("m.updated_at", "date"),
}

# How kit/filters calls what rules call otherwise.
NAMES = {
    "$more_than_or_equal": "$more_than_equal",
    "$greater_than_or_equal": "$more_than_equal",
    "$less_than_or_equal": "$less_than_equal",
    "$not_intersect": "$not_in",
}
OF_DATES = {"$more_than": "$after", "$less_than": "$before"}
UTC = ZoneInfo("UTC")


def checked(raw: dict[str, Any]) -> Filter:
    """A filter that a collection may have. Raises `ApiError` 400 with the path of what is wrong."""
    try:
        parsed = parse_filter(raw, "filter", PRODUCT_FIELDS)
    except EngineError as error:
        raise invalid_payload(Fault(error.path, error.message), key=error.key) from None
    condition(parsed, "UTC", binder([]))
    return parsed


def stored(raw: dict[str, Any]) -> Filter:
    """A filter that was checked when it was stored."""
    return parse_filter(raw, "filter", PRODUCT_FIELDS)


def condition(filter: Filter, zone: str, bind: Bind) -> LiteralString:
    """The SQL condition on `m`. Raises `ApiError` 400 for what no SQL can say of a field."""
    asked = [_asked(clause.field, test) for clause in filter.clauses for test in clause.tests]
    allowed = Filterable(FIELDS, "m.metadata", {"attributes": _attributes}, zone)
    try:
        return filter_sql(Filters(asked, filter.junction), allowed, bind)
    except ApiError as error:
        raise invalid_payload(*(error.faults or [])) from None


def _asked(field: str, test: Test) -> Condition:
    operator = NAMES.get(test.operator, test.operator)
    if operator in OF_DATES and (PRODUCT_FIELDS.get(field) == "date" or _is_date(test.operands)):
        operator = OF_DATES[operator]
    values = [text_of(operand) or "" for operand in test.operands]
    return Condition(field, operator, values, f"filter.{field}.conditions.{test.operator}")


def _is_date(operands: Any) -> bool:
    return all(number_of(one) is None and moment_of(one, UTC) is not None for one in operands)


def _attributes(asked: Condition, bind: Bind) -> LiteralString:
    match asked.operator:
        case "$is" | "$in" | "$contains":
            return ATTRIBUTES + " && " + bind(asked.values) + "::text[]"
        case "$is_not" | "$not_in" | "$not_contain":
            return "not (" + ATTRIBUTES + " && " + bind(asked.values) + "::text[])"
        case "$has_value" | "$is_unknown":
            wanted = (asked.values == ["true"]) is (asked.operator == "$has_value")
            return "cardinality(" + ATTRIBUTES + ")" + (" > 0" if wanted else " = 0")
    raise asked.wrong("is not an operator of attributes")
