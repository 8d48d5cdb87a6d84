"""Discounts as they stand on the wire, and the check of a definition before it is stored.

A discount is one of four kinds, told apart by ``type``. Amounts are minor units; ``percent_off`` is a Decimal
with at most two places (encode with ``decimal_format="number"``).

>>> parse_discount({"type": "PERCENT", "percent_off": 12.5}).percent_off
Decimal('12.5')
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import MAX_QUANTITY

SHIPPING = "prod_5h1pp1ng"
"""The product id that stands for the delivery of an order."""

AmountEffect = Literal[
    "APPLY_TO_ORDER",
    "APPLY_TO_ITEMS",
    "APPLY_TO_ITEMS_PROPORTIONALLY",
    "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
    "APPLY_TO_ITEMS_BY_QUANTITY",
]
PlainEffect = Literal["APPLY_TO_ORDER", "APPLY_TO_ITEMS"]
AddEffect = Literal["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"]
UnitEffect = Literal["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_MANY_ITEMS", "ADD_SAME_ITEMS"]

AMOUNT_EFFECTS = (
    "APPLY_TO_ORDER",
    "APPLY_TO_ITEMS",
    "APPLY_TO_ITEMS_PROPORTIONALLY",
    "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
    "APPLY_TO_ITEMS_BY_QUANTITY",
)
PLAIN_EFFECTS = ("APPLY_TO_ORDER", "APPLY_TO_ITEMS")
ADD_EFFECTS = ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS")
UNIT_EFFECTS = ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_MANY_ITEMS", "ADD_SAME_ITEMS")

MAX_UNITS = 100
"""How many kinds of units one ADD_MANY_ITEMS discount may name."""


class AmountOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="AMOUNT"):
    """``amount_off`` minor units, at most ``aggregated_amount_limit`` over the order."""

    amount_off: int
    effect: AmountEffect | None = None
    aggregated_amount_limit: int | None = None


class PercentOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="PERCENT"):
    """``percent_off`` per cent; ``amount_limit`` caps the order or each line, by effect."""

    percent_off: Decimal
    effect: PlainEffect | None = None
    amount_limit: int | None = None
    aggregated_amount_limit: int | None = None


class FixedAmount(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="FIXED"):
    """The order comes to, or every unit costs, ``fixed_amount`` minor units; never more than before."""

    fixed_amount: int
    effect: PlainEffect | None = None


class UnitSpec(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One of the things an ADD_MANY_ITEMS discount gives."""

    unit_off: int
    unit_type: str
    effect: AddEffect = "ADD_MISSING_ITEMS"
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None


class UnitOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="UNIT"):
    """Free units of a product or SKU (``unit_type`` is its id or source id), or of several (``units``)."""

    unit_off: int | None = None
    unit_type: str | None = None
    effect: UnitEffect | None = None
    units: list[UnitSpec] | None = None
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None


Discount = AmountOff | PercentOff | FixedAmount | UnitOff


def effect_of(discount: Discount) -> str:
    """The effect in force: the one named, or the kind's default."""
    if discount.effect is not None:
        return discount.effect
    if isinstance(discount, UnitOff):
        return "ADD_MISSING_ITEMS" if discount.units is None else "ADD_MANY_ITEMS"
    return "APPLY_TO_ORDER"


def parse_discount(raw: object, path: str = "discount") -> Discount:
    """A checked discount from decoded JSON. Raises :class:`EngineError` naming the path of the first fault.

    Whole numbers may be written as ``10`` or ``10.0``; unknown members are dropped; ``null`` is as if absent.
    """
    if not isinstance(raw, Mapping):
        _fail(path, "must be an object")
    fields: dict[str, Any] = {name: value for name, value in raw.items() if value is not None}
    for name in fields:
        if name.endswith("_formula"):
            _fail(f"{path}.{name}", "formulas are not available; give a plain number")
    kind = fields.get("type")
    if kind == "AMOUNT":
        return AmountOff(
            amount_off=_whole(fields, "amount_off", path, least=1),
            effect=_effect(fields, path, AMOUNT_EFFECTS),
            aggregated_amount_limit=_optional(fields, "aggregated_amount_limit", path),
        )
    if kind == "PERCENT":
        return PercentOff(
            percent_off=_percent(fields, path),
            effect=_effect(fields, path, PLAIN_EFFECTS),
            amount_limit=_optional(fields, "amount_limit", path),
            aggregated_amount_limit=_optional(fields, "aggregated_amount_limit", path),
        )
    if kind == "FIXED":
        return FixedAmount(
            fixed_amount=_whole(fields, "fixed_amount", path), effect=_effect(fields, path, PLAIN_EFFECTS)
        )
    if kind != "UNIT":
        _fail(f"{path}.type", "must be one of AMOUNT, PERCENT, FIXED, UNIT")
    return _unit(fields, path)


def _unit(fields: dict[str, Any], path: str) -> UnitOff:
    effect = _effect(fields, path, UNIT_EFFECTS)
    if effect == "ADD_MANY_ITEMS" or (effect is None and "units" in fields):
        return UnitOff(effect="ADD_MANY_ITEMS", units=_units(fields.get("units"), f"{path}.units"))
    if "units" in fields:
        _fail(f"{path}.units", "belongs to the effect ADD_MANY_ITEMS only")
    same = effect == "ADD_SAME_ITEMS" and "unit_type" not in fields
    return UnitOff(
        unit_off=_whole(fields, "unit_off", path, least=1, most=MAX_QUANTITY),
        unit_type=None if same else _name(fields, "unit_type", path),
        effect=effect,
        product=_shown(fields, "product", path),
        sku=_shown(fields, "sku", path),
    )


def _units(raw: object, path: str) -> list[UnitSpec]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_UNITS:
        _fail(path, f"must list 1 to {MAX_UNITS} units")
    units: list[UnitSpec] = []
    for index, entry in enumerate(raw):
        here = f"{path}[{index}]"
        if not isinstance(entry, Mapping):
            _fail(here, "must be an object")
        fields = {name: value for name, value in entry.items() if value is not None}
        for name in fields:
            if str(name).endswith("_formula"):
                _fail(f"{here}.{name}", "formulas are not available; give a plain number")
        units.append(
            UnitSpec(
                unit_off=_whole(fields, "unit_off", here, least=1, most=MAX_QUANTITY),
                unit_type=_name(fields, "unit_type", here),
                effect=_effect(fields, here, ADD_EFFECTS) or "ADD_MISSING_ITEMS",
                product=_shown(fields, "product", here),
                sku=_shown(fields, "sku", here),
            )
        )
    return units


def _effect(fields: dict[str, Any], path: str, allowed: tuple[str, ...]) -> Any:
    effect = fields.get("effect")
    if effect is not None and effect not in allowed:
        _fail(f"{path}.effect", "must be one of " + ", ".join(allowed))
    return effect


def _number(fields: dict[str, Any], name: str, path: str) -> Decimal:
    value = fields.get(name)
    if value is None:
        _fail(f"{path}.{name}", "is required")
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        _fail(f"{path}.{name}", "must be a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        _fail(f"{path}.{name}", "must be a finite number")
    return number


def _whole(fields: dict[str, Any], name: str, path: str, least: int = 0, most: int = MAX_AMOUNT) -> int:
    number = _number(fields, name, path)
    # Bounds first: a number like 1e999999 must not be spelt out.
    if not least <= number <= most:
        _fail(f"{path}.{name}", f"must be from {least} to {most}")
    if number != number.to_integral_value():
        _fail(f"{path}.{name}", "must be a whole number")
    return int(number)


def _optional(fields: dict[str, Any], name: str, path: str) -> int | None:
    return None if name not in fields else _whole(fields, name, path, least=1)


def _percent(fields: dict[str, Any], path: str) -> Decimal:
    number = _number(fields, "percent_off", path)
    if not 0 < number <= 100:
        _fail(f"{path}.percent_off", "must be above 0 and at most 100")
    hundredths = number * 100
    if hundredths != hundredths.to_integral_value():
        _fail(f"{path}.percent_off", "may have two decimal places at most")
    whole = int(hundredths)
    return Decimal(whole // 100) if whole % 100 == 0 else (Decimal(whole) / 100).normalize()


def _name(fields: dict[str, Any], name: str, path: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 512:
        _fail(f"{path}.{name}", "must be a text of 1 to 512 characters")
    return value


def _shown(fields: dict[str, Any], name: str, path: str) -> dict[str, Any] | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        _fail(f"{path}.{name}", "must be an object")
    return value


def _fail(path: str, message: str) -> NoReturn:
    raise EngineError(path, message)
