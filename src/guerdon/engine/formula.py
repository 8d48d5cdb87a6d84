"""Formulas: values worked out at the moment of a redemption. Text in, number out, within bounds, never a float.

Money is in major units: ``ORDER_AMOUNT > 200`` asks for more than 200.00. A formula that cannot be worked out
gives a :class:`Failure` with the reason; nothing is raised, and the static value beside the formula stands in.
"""

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from guerdon.engine.fault import EngineError
from guerdon.engine.formula_grammar import read
from guerdon.engine.formula_operands import Sight, attribute, operand
from guerdon.engine.formula_tree import (
    Call,
    Chain,
    Comparison,
    Constant,
    Formula,
    Joined,
    Listed,
    Metadata,
    Minus,
    Node,
    Operand,
    Switch,
    Unknown,
    Value,
)
from guerdon.engine.formula_values import (
    ARITHMETIC,
    Kind,
    Stop,
    Work,
    arithmetic,
    compare,
    day,
    moment,
    number,
    power,
    power_weight,
    rounded,
    same,
    shown,
    span,
    truth,
    weight,
)
from guerdon.engine.formula_words import Unreadable
from guerdon.engine.money import MAX_AMOUNT

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable
    from guerdon.engine.order import OrderItem
    from guerdon.engine.situation import Situation

__all__ = [
    "Failure",
    "Formula",
    "Value",
    "Work",
    "amount_of",
    "compiled",
    "evaluate",
    "number_of",
    "parse_formula",
    "whole",
]


class Failure(Struct, frozen=True):
    """Why a formula has no value: a kind for programs and a sentence for people."""

    kind: Kind
    reason: str


def parse_formula(text: object, path: str) -> Formula:
    """The formula a text means. Raises :class:`EngineError` with ``path`` and the place of the fault in the text.

    Names nobody knows are no fault: they fail when they are needed, and the fallback is used.

    >>> parse_formula("IF(ORDER_AMOUNT > 100;15;5", "discount.amount_off_formula")
    Traceback (most recent call last):
    guerdon.engine.fault.EngineError: discount.amount_off_formula: the formula ends too early: ) is expected
    """
    if not isinstance(text, str):
        raise EngineError(path, "must be a text")
    try:
        return compiled(text)
    except EngineError as error:
        raise EngineError(path, error.message) from None


@lru_cache(maxsize=1024)
def compiled(text: str) -> Formula:
    """The formula a text means, read once. Raises :class:`EngineError` with the path ``formula``."""
    try:
        return read(text)
    except Unreadable as error:
        raise EngineError("formula", str(error)) from None


def evaluate(
    formula: Formula,
    situation: "Situation",
    redeemable: "Redeemable | None" = None,
    item: "OrderItem | None" = None,
    bundles: int | None = None,
    work: Work | None = None,
) -> Value | Failure:
    """What the formula comes to. ``item`` is the line that ``ORDER_ITEM_…`` speaks of, ``bundles`` how many
    bundles were counted, ``work`` what formulas evaluated together share.
    """
    sight = Sight(situation, redeemable, item, bundles, work or Work())
    try:
        return _run(formula.root, sight)
    except Stop as stop:
        return Failure(stop.kind, stop.reason)


def number_of(
    text: str,
    situation: "Situation",
    redeemable: "Redeemable | None" = None,
    item: "OrderItem | None" = None,
    bundles: int | None = None,
    work: Work | None = None,
) -> Decimal | Failure:
    """The number that a formula's text comes to."""
    try:
        formula = compiled(text)
    except EngineError as error:
        return Failure("unknown_name", error.message)
    value = evaluate(formula, situation, redeemable, item, bundles, work)
    if isinstance(value, (Decimal, Failure)):
        return value
    return Failure("wrong_type", f"wrong type: the formula comes to {shown(value)}, not to a number")


def amount_of(
    text: str,
    situation: "Situation",
    redeemable: "Redeemable | None" = None,
    item: "OrderItem | None" = None,
    bundles: int | None = None,
    work: Work | None = None,
) -> int | Failure:
    """The amount of money in minor units that a formula's text comes to: rounded half up, never negative."""
    number = number_of(text, situation, redeemable, item, bundles, work)
    if isinstance(number, Failure):
        return number
    return whole(number, MAX_AMOUNT, situation.exponent)


def whole(number: Decimal, most: int, exponent: int = 0) -> int:
    """A number times a power of ten, rounded half up and kept from 0 to ``most``.

    >>> whole(Decimal("1.065"), 10**9, exponent=2), whole(Decimal(-5), 9), whole(Decimal("1e40"), 9)
    (107, 0, 9)
    """
    if number <= 0:
        return 0
    if number >= most:
        return most
    scaled = number.scaleb(exponent, ARITHMETIC).quantize(Decimal(1), decimal.ROUND_HALF_UP, ARITHMETIC)
    return min(int(scaled), most)


def _run(node: Node, sight: Sight) -> Value:
    work = sight.work
    work.left -= 1
    if work.left < 0:
        work.spend(0)
    try:
        return _RUN[type(node)](node, sight)
    except decimal.DivisionByZero:
        raise Stop("division_by_zero", "division by zero") from None
    except (decimal.DecimalException, OverflowError):
        raise Stop("too_large", "too large: a number or date left its bounds") from None


def _unknown(node: Unknown, sight: Sight) -> Value:
    raise Stop("unknown_name", f"unknown name {node.name[:60]}")


def _chain(node: Chain, sight: Sight) -> Value:
    value = _run(node.first, sight)
    for operator, part in node.rest:
        value = arithmetic(operator, value, _run(part, sight))
    return value


def _joined(node: Joined, sight: Sight) -> Value:
    deciding = node.word == "or"
    for part in node.parts:
        if truth(_run(part, sight)) is deciding:
            return deciding
    return not deciding


def _comparison(node: Comparison, sight: Sight) -> Value:
    left, right = _run(node.left, sight), _run(node.right, sight)
    if not isinstance(left, Decimal) or not isinstance(right, Decimal):
        sight.work.spend(weight(left) + weight(right))
    return compare(node.operator, left, right, sight.situation.zone)


def _switch(node: Switch, sight: Sight) -> Value:
    value = _run(node.value, sight)
    for case, result in node.cases:
        if same(value, _run(case, sight)):
            return _run(result, sight)
    if node.default is None:
        raise Stop("missing", f"no case of SWITCH is {shown(value)}")
    return _run(node.default, sight)


def _call(node: Call, sight: Sight) -> Value:
    name, arguments = node.name, node.arguments
    if name == "IF":
        return _run(arguments[1 if truth(_run(arguments[0], sight)) else 2], sight)
    if name == "DEFAULT_TO":
        try:
            return _run(arguments[0], sight)
        except Stop:
            return _run(arguments[1], sight)
    return _FUNCTIONS[name](name, [_run(argument, sight) for argument in arguments], sight)


def _part_of_day(name: str, values: list[Value], sight: Sight) -> Value:
    date = day(values[0], sight.situation.zone) if values else sight.today()
    return Decimal(date.day if name == "DAY_OF_MONTH" else date.month if name == "MONTH" else date.year)


def _instant(name: str, values: list[Value], sight: Sight) -> Value:
    zone = sight.situation.zone
    return day(values[0], zone) if name == "DATE" else moment(values[0], zone)


def _power(name: str, values: list[Value], sight: Sight) -> Value:
    sight.work.spend(power_weight(values[1]))
    return power(*values)


def _span(name: str, values: list[Value], sight: Sight) -> Value:
    return span(name, values[0], sight.today(), sight.situation.zone)


_FUNCTIONS: dict[str, Callable[[str, list[Value], Sight], Value]] = {
    "MIN": lambda name, values, sight: min(number(value) for value in values),
    "MAX": lambda name, values, sight: max(number(value) for value in values),
    "POW": _power,
    "ROUND": lambda name, values, sight: rounded(name, *values),
    "FLOOR": lambda name, values, sight: rounded(name, *values),
    "CEIL": lambda name, values, sight: rounded(name, *values),
    "DATE": _instant,
    "DATE_TIME": _instant,
    "DAY_OF_MONTH": _part_of_day,
    "MONTH": _part_of_day,
    "YEAR": _part_of_day,
    **{f"{unit}_{way}": _span for unit in ("DAYS", "MONTHS", "YEARS") for way in ("SINCE", "UNTIL")},
}

_RUN: dict[type, Callable[[Any, Sight], Value]] = {
    Constant: lambda node, sight: node.value,
    Operand: lambda node, sight: operand(sight, node.name),
    Metadata: lambda node, sight: attribute(sight, node.name, node.key),
    Unknown: _unknown,
    Minus: lambda node, sight: ARITHMETIC.minus(number(_run(node.part, sight))),
    Chain: _chain,
    Joined: _joined,
    Comparison: _comparison,
    Listed: lambda node, sight: tuple(_run(part, sight) for part in node.parts),
    Call: _call,
    Switch: _switch,
}
