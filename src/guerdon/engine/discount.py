"""Discounts as they stand on the wire, and the check of a definition before it is stored.

A discount is one of four kinds, told apart by ``type``. Amounts are minor units; ``percent_off`` is a Decimal
with at most two places (encode with ``decimal_format="number"``). Every value may have a formula beside it
(engine/formula.py), for which it is the fallback then; ``formed.formed`` makes plain values of formulas.

>>> parse_discount({"type": "PERCENT", "percent_off": 12.5}).percent_off
Decimal('12.5')
>>> parse_discount({"type": "AMOUNT", "amount_off_formula": "ORDER_AMOUNT / 10"}).is_dynamic
True
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn, final

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.formula import parse_formula
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
UnitEffect = Literal[
    "ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_MANY_ITEMS", "ADD_SAME_ITEMS", "REPLACE_ITEMS"
]

AMOUNT_EFFECTS = (
    "APPLY_TO_ORDER",
    "APPLY_TO_ITEMS",
    "APPLY_TO_ITEMS_PROPORTIONALLY",
    "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
    "APPLY_TO_ITEMS_BY_QUANTITY",
)
PLAIN_EFFECTS = ("APPLY_TO_ORDER", "APPLY_TO_ITEMS")
ADD_EFFECTS = ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS")
UNIT_EFFECTS = ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_MANY_ITEMS", "ADD_SAME_ITEMS", "REPLACE_ITEMS")

MAX_UNITS = 100
"""How many kinds of units one ADD_MANY_ITEMS discount may name."""


NO_PERCENT = Decimal(0)
"""What a percentage falls back to when there is a formula and nothing else: no effect."""

NO_PRICE = MAX_AMOUNT
"""What a fixed amount falls back to when there is a formula and nothing else: dearer than anything, no effect."""


@final
class AmountOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="AMOUNT"):
    """``amount_off`` minor units, at most ``aggregated_amount_limit`` over the order.

    In every kind ``is_dynamic`` says that there is a formula, and ``by_line`` (``limit_by_line``: of its cap), never
    stored, are the values of single lines (by index) where the formula looks at the line.
    """

    amount_off: int = 0
    amount_off_formula: str | None = None
    effect: AmountEffect | None = None
    aggregated_amount_limit: int | None = None
    aggregated_amount_limit_formula: str | None = None
    is_dynamic: bool = False
    by_line: dict[int, int] | None = None


@final
class PercentOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="PERCENT"):
    """``percent_off`` per cent; ``amount_limit`` caps the order or each line, by effect."""

    percent_off: Decimal = NO_PERCENT
    percent_off_formula: str | None = None
    effect: PlainEffect | None = None
    amount_limit: int | None = None
    amount_limit_formula: str | None = None
    aggregated_amount_limit: int | None = None
    aggregated_amount_limit_formula: str | None = None
    is_dynamic: bool = False
    by_line: dict[int, Decimal] | None = None
    limit_by_line: dict[int, int] | None = None


@final
class FixedAmount(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="FIXED"):
    """The order comes to, or every unit costs, ``fixed_amount`` minor units; never more than before."""

    fixed_amount: int = NO_PRICE
    fixed_amount_formula: str | None = None
    effect: PlainEffect | None = None
    is_dynamic: bool = False
    by_line: dict[int, int] | None = None


class UnitSpec(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One of the things an ADD_MANY_ITEMS discount gives."""

    unit_off: int = 0
    unit_off_formula: str | None = None
    unit_type: str
    effect: AddEffect = "ADD_MISSING_ITEMS"
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None


@final
class UnitOff(Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="type", tag="UNIT"):
    """Free units of a product or SKU (``unit_type`` is its id or source id), or of several (``units``).

    With REPLACE_ITEMS these units, ``unit_off`` for each unit of the items meant, come in their place.
    """

    unit_off: int | None = None
    unit_off_formula: str | None = None
    unit_type: str | None = None
    effect: UnitEffect | None = None
    units: list[UnitSpec] | None = None
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None
    is_dynamic: bool = False


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
    match fields.get("type"):
        case "AMOUNT":
            effect = _effect(fields, path, AMOUNT_EFFECTS)
            values = _values(fields, path, amount_off=_amount, aggregated_amount_limit=_limit)
            return AmountOff(effect=effect, **values)
        case "PERCENT":
            effect = _effect(fields, path, PLAIN_EFFECTS)
            limits = {"amount_limit": _limit, "aggregated_amount_limit": _limit}
            return PercentOff(effect=effect, **_values(fields, path, percent_off=_percent, **limits))
        case "FIXED":
            effect = _effect(fields, path, PLAIN_EFFECTS)
            return FixedAmount(effect=effect, **_values(fields, path, fixed_amount=_whole))
    if fields.get("type") != "UNIT":
        _fail(f"{path}.type", "must be one of AMOUNT, PERCENT, FIXED, UNIT")
    return _unit(fields, path)


def _unit(fields: dict[str, Any], path: str) -> UnitOff:
    effect = _effect(fields, path, UNIT_EFFECTS)
    if effect == "ADD_MANY_ITEMS" or (effect is None and "units" in fields):
        _values(fields, path)
        units = _units(fields.get("units"), f"{path}.units")
        dynamic = any(unit.unit_off_formula is not None for unit in units)
        return UnitOff(effect="ADD_MANY_ITEMS", units=units, is_dynamic=dynamic)
    if "units" in fields:
        _fail(f"{path}.units", "belongs to the effect ADD_MANY_ITEMS only")
    values = _values(fields, path, unit_off=_quantity)
    same = effect == "ADD_SAME_ITEMS" and "unit_type" not in fields
    return UnitOff(
        unit_type=None if same else _name(fields, "unit_type", path),
        effect=effect,
        product=_shown(fields, "product", path),
        sku=_shown(fields, "sku", path),
        **values,
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
        values = _values(fields, here, unit_off=_quantity)
        values.pop("is_dynamic", None)
        units.append(
            UnitSpec(
                unit_type=_name(fields, "unit_type", here),
                effect=_effect(fields, here, ADD_EFFECTS) or "ADD_MISSING_ITEMS",
                product=_shown(fields, "product", here),
                sku=_shown(fields, "sku", here),
                **values,
            )
        )
    return units


def _values(fields: dict[str, Any], path: str, **read: Callable[..., Any]) -> dict[str, Any]:
    """The values named and their formulas; a value that has a formula may be missing. Limits always may."""
    values: dict[str, Any] = {}
    for name in fields:
        value_name = str(name).removesuffix("_formula")
        if value_name == name:
            continue
        if value_name not in read:
            _fail(f"{path}.{name}", "does not belong to this type and effect of discount")
        parse_formula(fields[name], f"{path}.{name}")
        values[name] = fields[name]
        values["is_dynamic"] = True
    for name, reader in read.items():
        dynamic = f"{name}_formula" in fields
        if dynamic and reader is not _whole and fields.get(name) == 0 and fields[name] is not False:
            # Nothing to fall back to, said in so many words; only a fixed amount can be meant to be zero.
            continue
        if name in fields or not (dynamic or reader is _limit):
            values[name] = reader(fields, name, path)
    return values


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


def _amount(fields: dict[str, Any], name: str, path: str) -> int:
    return _whole(fields, name, path, least=1)


def _limit(fields: dict[str, Any], name: str, path: str) -> int:
    return _whole(fields, name, path, least=1)


def _quantity(fields: dict[str, Any], name: str, path: str) -> int:
    return _whole(fields, name, path, least=1, most=MAX_QUANTITY)


def _percent(fields: dict[str, Any], name: str, path: str) -> Decimal:
    number = _number(fields, name, path)
    if not 0 < number <= 100:
        _fail(f"{path}.{name}", "must be above 0 and at most 100")
    hundredths = number * 100
    if hundredths != hundredths.to_integral_value():
        _fail(f"{path}.{name}", "may have two decimal places at most")
    return percent_of(int(hundredths))


def percent_of(hundredths: int) -> Decimal:
    """Hundredths of a per cent as the shortest number of per cent.

    >>> percent_of(1250), percent_of(3000)
    (Decimal('12.5'), Decimal('30'))
    """
    return Decimal(hundredths // 100) if hundredths % 100 == 0 else (Decimal(hundredths) / 100).normalize()


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
