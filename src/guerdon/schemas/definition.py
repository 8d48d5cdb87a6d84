"""Definitions of metadata: what a caller may say of one name, and whether it makes sense."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.kit.errors import Fault

Type = Literal["string", "number", "object", "date", "datetime", "geopoint", "boolean", "image_url"]
Length = Annotated[int, Meta(ge=0, le=100_000)]
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]
Values = Annotated[list[Annotated[str, Meta(max_length=1000)] | Number], Meta(max_length=500)]
Numbers = Annotated[list[Number], Meta(max_length=500)]

STANDARD = (
    "campaign", "customer", "earning_rule", "loyalty_tier", "order", "order_item", "product", "promotion_tier",
    "publication", "redemption", "reward", "voucher",
)  # fmt: skip
"""The resources with metadata. Any other name is that of a kind of object that stands inside theirs."""

MAX_DEFINITIONS = 100


class Definition(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may stand under one name. `array`: a list of such values. `optional`: it may be missing.

    Unknown members are refused: a limit with a slip in its name would limit nothing.
    """

    type: Type
    optional: bool = True
    array: bool = False
    deleted: bool | UnsetType | None = UNSET
    object_type: Annotated[str, Meta(max_length=100)] | None = None
    min_length: Length | UnsetType | None = UNSET
    max_length: Length | UnsetType | None = UNSET
    exact_length: Length | UnsetType | None = UNSET
    eq: Values | UnsetType | None = UNSET
    ne: Numbers | UnsetType | None = UNSET
    lt: Number | UnsetType | None = UNSET
    lte: Number | UnsetType | None = UNSET
    gt: Number | UnsetType | None = UNSET
    gte: Number | UnsetType | None = UNSET


class CamelDefinition(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A definition as ``/v1`` writes it."""

    type: Type
    optional: bool = True
    array: bool = False
    deleted: bool | UnsetType | None = UNSET
    objectType: Annotated[str, Meta(max_length=100)] | None = None
    minLength: Length | UnsetType | None = UNSET
    maxLength: Length | UnsetType | None = UNSET
    exactLength: Length | UnsetType | None = UNSET
    eq: Values | UnsetType | None = UNSET
    ne: Numbers | UnsetType | None = UNSET
    lt: Number | UnsetType | None = UNSET
    lte: Number | UnsetType | None = UNSET
    gt: Number | UnsetType | None = UNSET
    gte: Number | UnsetType | None = UNSET


# The two have the same members in the same order.
_BOTH = tuple(zip(Definition.__struct_fields__, CamelDefinition.__struct_fields__, strict=True))

LENGTHS = ("min_length", "max_length", "exact_length")
BOUNDS = ("lt", "lte", "gt", "gte")
LIMITS = (*LENGTHS, "eq", "ne", *BOUNDS)
ALLOWED: dict[str, tuple[str, ...]] = {"string": (*LENGTHS, "eq"), "number": ("eq", "ne", *BOUNDS)}
Properties = Mapping[str, Definition]


def tidied(definition: Definition | CamelDefinition) -> Definition:
    """As it is stored: limits that are null or empty left out, whole numbers without a point."""
    camel = isinstance(definition, CamelDefinition)
    said = {ours: getattr(definition, theirs if camel else ours) for ours, theirs in _BOTH}
    for name in ("deleted", *LIMITS):
        if said[name] is None or said[name] == [] or said[name] is False:
            said[name] = UNSET
        elif isinstance(said[name], list):
            said[name] = [_whole(one) for one in said[name]]
        else:
            said[name] = _whole(said[name])
    return Definition(**said)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def camel(definition: Definition) -> CamelDefinition:
    """As ``/v1`` answers it."""
    return CamelDefinition(**{theirs: getattr(definition, ours) for ours, theirs in _BOTH})


def faults_of(
    related_object: str, properties: Properties, before: Properties, custom: set[str]
) -> Iterator[Fault]:
    """What is wrong with `properties` that are said of a schema which has those `before`.

    `custom` are the kinds of objects there are.
    """
    if len(properties.keys() | before.keys()) > MAX_DEFINITIONS:
        yield Fault("properties", f"a schema has {MAX_DEFINITIONS} definitions at most, removed ones counted")
    for name, definition in properties.items():
        path = f"properties.{name}"
        if not 1 <= len(name) <= 255:
            yield Fault(path[:300], "a name has 1 to 255 characters")
        old = before.get(name)
        if old is not None and old.type != definition.type:
            yield Fault(f"{path}.type", f"is {old.type} and stays so; define another name instead")
        yield from _object_faults(related_object, definition, path, custom)
        yield from _limit_faults(definition, path)


def _object_faults(
    related_object: str, definition: Definition, path: str, custom: set[str]
) -> Iterator[Fault]:
    if definition.type != "object":
        if definition.object_type is not None:
            yield Fault(f"{path}.object_type", "goes with the type object only")
    elif related_object not in STANDARD:
        yield Fault(f"{path}.type", "an object inside an object is one too many")
    elif definition.object_type is not None and definition.object_type not in custom:
        yield Fault(f"{path}.object_type", f"there is no schema {definition.object_type[:100]!r} to go by")


def _limit_faults(definition: Definition, path: str) -> Iterator[Fault]:
    allowed = ALLOWED.get(definition.type, ())
    for name in LIMITS:
        if getattr(definition, name) is not UNSET and name not in allowed:
            yield Fault(f"{path}.{name}", f"is no limit of the type {definition.type}")
    if definition.type in ALLOWED and definition.eq:
        wanted = str if definition.type == "string" else int | float
        for place, one in enumerate(definition.eq):
            if not isinstance(one, wanted):
                yield Fault(f"{path}.eq[{place}]", f"must be a {definition.type}")
    lowest, highest = definition.min_length, definition.max_length
    if isinstance(lowest, int) and isinstance(highest, int) and lowest > highest:
        yield Fault(f"{path}.max_length", "is less than min_length, so that nothing could pass")
    if definition.type == "number" and not _leaves_room(definition):
        yield Fault(path, "the bounds leave no number that could pass")


def _leaves_room(definition: Definition) -> bool:
    above = _bounds((definition.gt, False), (definition.gte, True))
    below = _bounds((definition.lt, False), (definition.lte, True))
    return all(
        low < high or (low == high and low_in and high_in) for low, low_in in above for high, high_in in below
    )


def _bounds(*given: tuple[Any, bool]) -> list[tuple[Decimal, bool]]:
    return [(number(one), its_own) for one, its_own in given if isinstance(one, int | float)]


def number(value: Any) -> Decimal:
    """A JSON number as it was written, so that 0.1 is 0.1."""
    return Decimal(str(value))
