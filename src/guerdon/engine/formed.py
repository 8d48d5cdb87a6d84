"""From a discount with formulas to the one with plain values that is reckoned with, told step by step."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from guerdon.engine.checks import Redeemable
from guerdon.engine.discount import (
    NO_PRICE,
    AmountOff,
    Discount,
    FixedAmount,
    PercentOff,
    UnitOff,
    effect_of,
    percent_of,
)
from guerdon.engine.effects import Step, Steps
from guerdon.engine.fault import EngineError
from guerdon.engine.formula import Failure, Work, compiled, number_of, whole
from guerdon.engine.formula_tree import looks_at_lines
from guerdon.engine.formula_values import plain
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import MAX_QUANTITY, OrderItem
from guerdon.engine.situation import Situation

# With these effects the value is one of each line or unit, so that a formula may look at the line.
_LINE_EFFECTS = frozenset({"APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY"})


def formed(
    discount: Discount,
    situation: Situation,
    redeemable: Redeemable,
    steps: Steps = None,
    bundles: int | None = None,
) -> Discount:
    """The discount with a plain value wherever there was a formula; the same object when there is none.

    What comes out of a formula is rounded half up (units are cut) and kept to what the value may be. A formula that fails leaves
    the static value; where there is none the discount has no effect. ``bundles`` is ``order.bundle.quantity``.
    """
    if not discount.is_dynamic:
        return discount
    forming = _Forming(situation, redeemable, steps, bundles)
    match discount:
        case AmountOff():
            return _amount_off(discount, forming)
        case PercentOff():
            return _percent_off(discount, forming)
        case FixedAmount():
            return _fixed_amount(discount, forming)
        case UnitOff():
            return _unit_off(discount, forming)


def names_asked(discount: Discount | None) -> frozenset[str]:
    """The operands that the discount's formulas may look at, like ``CUSTOMER_METADATA``: what must be gathered."""
    if discount is None or not discount.is_dynamic:
        return frozenset()
    holders: list[Any] = [discount]
    if isinstance(discount, UnitOff):
        holders += discount.units or ()
    texts = {
        text
        for holder in holders
        for name in holder.__struct_fields__
        if name.endswith("_formula") and (text := getattr(holder, name)) is not None
    }
    return frozenset().union(*(_names_in(text) for text in texts))


class _Forming:
    """What formulas are worked out of, and where it is told."""

    def __init__(
        self, situation: Situation, redeemable: Redeemable, steps: Steps, bundles: int | None
    ) -> None:
        self.situation = situation
        self.redeemable = redeemable
        self.steps = steps
        self.bundles = bundles
        self.work = Work()

    def money(self, number: Decimal) -> int:
        return whole(number, MAX_AMOUNT, self.situation.exponent)

    def value(
        self,
        name: str,
        text: str,
        take: Callable[[Decimal], Any],
        fallback: Any,
        line: tuple[int, OrderItem] | None = None,
    ) -> Any:
        """What the formula of this value comes to, as ``take`` makes of it, or the fallback."""
        index, item = (None, None) if line is None else line
        number = number_of(text, self.situation, self.redeemable, item, self.bundles, self.work)
        failed = isinstance(number, Failure)
        value = fallback if failed else take(number)
        if self.steps is not None:
            facts = {"value": name, "formula": text}
            if failed:
                facts |= {"why": number.reason, "fallback": _shown(value)}
            else:
                facts |= {"comes_to": plain(number), "taken": _shown(value)}
            result = value if isinstance(value, int) and value != NO_PRICE else None
            self.steps.append(Step("formula_fallback" if failed else "formula", result, index, facts))
        return value

    def by_line(
        self, discount: Discount, name: str, text: str, take: Callable[[Decimal], Any], fallback: Any
    ) -> dict[int, Any] | None:
        """The value of each line, when the formula looks at lines and the effect has a value for each."""
        order = self.situation.order
        if order is None or effect_of(discount) not in _LINE_EFFECTS or not looks_at_lines(_names_in(text)):
            return None
        return {
            index: self.value(name, text, take, fallback, (index, item))
            for index, item in enumerate(order.items or ())
        }

    def limit(self, name: str, text: str | None, static: int | None) -> int | None:
        # A cap that cannot be told and has no fallback lets nothing through, rather than everything.
        return static if text is None else self.value(name, text, self.money, static or 0)


def _amount_off(discount: AmountOff, forming: _Forming) -> AmountOff:
    off, lines, text = discount.amount_off, None, discount.amount_off_formula
    if text is not None:
        lines = forming.by_line(discount, "amount_off", text, forming.money, off)
        if lines is None:
            off = forming.value("amount_off", text, forming.money, off)
    return AmountOff(
        amount_off=off,
        effect=discount.effect,
        aggregated_amount_limit=forming.limit(
            "aggregated_amount_limit",
            discount.aggregated_amount_limit_formula,
            discount.aggregated_amount_limit,
        ),
        by_line=lines,
    )


def _percent_off(discount: PercentOff, forming: _Forming) -> PercentOff:
    off, lines, text = discount.percent_off, None, discount.percent_off_formula
    if text is not None:
        lines = forming.by_line(discount, "percent_off", text, _percent, off)
        if lines is None:
            off = forming.value("percent_off", text, _percent, off)
    limit, limits, text = discount.amount_limit, None, discount.amount_limit_formula
    if text is not None:
        limits = forming.by_line(discount, "amount_limit", text, forming.money, limit or 0)
        if limits is None:
            limit = forming.limit("amount_limit", text, limit)
    return PercentOff(
        percent_off=off,
        effect=discount.effect,
        amount_limit=limit,
        limit_by_line=limits,
        aggregated_amount_limit=forming.limit(
            "aggregated_amount_limit",
            discount.aggregated_amount_limit_formula,
            discount.aggregated_amount_limit,
        ),
        by_line=lines,
    )


def _fixed_amount(discount: FixedAmount, forming: _Forming) -> FixedAmount:
    fixed, lines, text = discount.fixed_amount, None, discount.fixed_amount_formula
    if text is not None:
        lines = forming.by_line(discount, "fixed_amount", text, forming.money, fixed)
        if lines is None:
            fixed = forming.value("fixed_amount", text, forming.money, fixed)
    return FixedAmount(fixed_amount=fixed, effect=discount.effect, by_line=lines)


def _unit_off(discount: UnitOff, forming: _Forming) -> UnitOff:
    text, units = discount.unit_off_formula, discount.units
    off = discount.unit_off
    if text is not None:
        off = forming.value("unit_off", text, _quantity, off or 0)
    if units is not None:
        units = [
            unit
            if unit.unit_off_formula is None
            else replace(
                unit,
                unit_off=forming.value(
                    f"units[{index}].unit_off", unit.unit_off_formula, _quantity, unit.unit_off
                ),
                unit_off_formula=None,
            )
            for index, unit in enumerate(units)
        ]
        # None of a thing is not a line of none.
        units = [unit for unit in units if unit.unit_off]
    return replace(discount, unit_off=off, unit_off_formula=None, units=units, is_dynamic=False)


def _names_in(text: str) -> frozenset[str]:
    try:
        return compiled(text).names
    except EngineError:
        return frozenset()


def _percent(number: Decimal) -> Decimal:
    return percent_of(whole(number, 10_000, exponent=2))


def _quantity(number: Decimal) -> int:
    # Half a thing cannot be given: units are cut, not rounded.
    return 0 if number < 1 else int(min(number, Decimal(MAX_QUANTITY)))


def _shown(value: int | Decimal) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return None if value == NO_PRICE else value
