"""Whether a value fits its definition."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from typing import Any

from msgspec import UNSET, Struct

from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import Fault
from guerdon.schemas.definition import Definition, Properties, number

MAX_URL = 2048
_GEOPOINT = re.compile(r"geo:(-?\d{1,3}(?:\.\d{1,15})?),\s?(-?\d{1,3}(?:\.\d{1,15})?)", re.ASCII)
_URL = re.compile(r"https?://[^\s/]+\S*")


class Schema(Struct, frozen=True):
    """What may stand in the metadata of one resource, or in one kind of object."""

    properties: Properties
    allow_defined_only: bool = False


Schemas = Mapping[str, Schema]


def faults_in(
    schemas: Schemas, schema: Schema, given: Mapping[str, Any], path: str, said: Collection[str] | None = None,
    whole: bool = True,
) -> Iterator[Fault]:  # fmt: skip
    """What does not fit. Of `given` only the names in `said` are judged, all of them by default: the others were
    there before; but what is required must be there, if it is `whole`. Null is as good as absent.
    """
    for name, value in given.items():
        if value is None or (said is not None and name not in said):
            continue
        definition = schema.properties.get(name)
        if definition is None or definition.deleted is True:
            if schema.allow_defined_only:
                yield Fault(
                    f"{path}.{name[:100]}", "is not defined, and only what is defined is allowed here"
                )
            continue
        yield from _value_faults(schemas, definition, value, f"{path}.{name}")
    for name, definition in schema.properties.items() if whole else ():
        if not definition.optional and definition.deleted is not True and given.get(name) is None:
            yield Fault(f"{path}.{name}", "is required")


def _value_faults(schemas: Schemas, definition: Definition, value: Any, path: str) -> Iterator[Fault]:
    if not definition.array:
        yield from _one_fault(schemas, definition, value, path)
    elif not isinstance(value, list):
        yield Fault(path, "must be a list")
    else:
        for place, one in enumerate(value):
            yield from _one_fault(schemas, definition, one, f"{path}[{place}]")


def _one_fault(schemas: Schemas, definition: Definition, value: Any, path: str) -> Iterator[Fault]:
    if definition.type == "object":
        yield from _object_faults(schemas, definition, value, path)
        return
    message = _JUDGES[definition.type](definition, value)
    if message is not None:
        yield Fault(path, message)


def _object_faults(schemas: Schemas, definition: Definition, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, "must be an object")
        return
    schema = schemas.get(definition.object_type) if definition.object_type else None
    if schema is not None:
        yield from faults_in(schemas, schema, value, path)
        return
    for name, one in value.items():
        if isinstance(one, dict) or (isinstance(one, list) and any(isinstance(each, dict) for each in one)):
            yield Fault(f"{path}.{name[:100]}", "an object inside an object is one too many")


def _string(definition: Definition, value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if definition.eq is not UNSET and definition.eq is not None and value not in definition.eq:
        return "must be one of " + ", ".join(repr(one) for one in definition.eq[:20])
    length = len(value)
    if isinstance(definition.exact_length, int) and length != definition.exact_length:
        return f"must have {definition.exact_length} characters"
    if isinstance(definition.min_length, int) and length < definition.min_length:
        return f"must have {definition.min_length} characters at least"
    if isinstance(definition.max_length, int) and length > definition.max_length:
        return f"must have {definition.max_length} characters at most"
    return None


def _number(definition: Definition, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    exact = number(value)
    if definition.eq and exact not in [number(one) for one in definition.eq]:
        return "must be one of " + ", ".join(str(one) for one in definition.eq[:20])
    if definition.ne and exact in [number(one) for one in definition.ne]:
        return f"must not be {value}"
    for name, words, holds in _BOUNDS:
        bound = getattr(definition, name)
        if isinstance(bound, int | float) and not holds(exact, number(bound)):
            return f"must be {words} {bound}"
    return None


_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("lt", "less than", lambda value, bound: value < bound),
    ("lte", "at most", lambda value, bound: value <= bound),
    ("gt", "more than", lambda value, bound: value > bound),
    ("gte", "at least", lambda value, bound: value >= bound),
)


def _boolean(definition: Definition, value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _date(definition: Definition, value: Any) -> str | None:
    try:
        if isinstance(value, str) and len(value) == 10:
            date.fromisoformat(value)
            return None
    except ValueError:
        pass
    return "must be a day such as 2026-11-27"


def _datetime(definition: Definition, value: Any) -> str | None:
    try:
        if isinstance(value, str) and len(value) > 10:
            parse_instant(value)
            return None
    except ValueError:
        pass
    return "must be a date and time such as 2026-11-27T08:00:00Z"


def _geopoint(definition: Definition, value: Any) -> str | None:
    found = _GEOPOINT.fullmatch(value) if isinstance(value, str) else None
    if found and abs(number(found[1])) <= 90 and abs(number(found[2])) <= 180:
        return None
    return "must be a place such as geo:52.2297,21.0122, latitude first"


def _image_url(definition: Definition, value: Any) -> str | None:
    if isinstance(value, str) and len(value) <= MAX_URL and _URL.fullmatch(value):
        return None
    return f"must be an http or https URL of {MAX_URL} characters at most"


_JUDGES: dict[str, Callable[[Definition, Any], str | None]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "geopoint": _geopoint,
    "image_url": _image_url,
}
