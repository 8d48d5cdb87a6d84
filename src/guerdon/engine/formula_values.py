"""What formulas do with values: bounded decimal arithmetic, comparisons, calendar reckoning. Never a float.

Whatever cannot be done raises :class:`Stop`; the caller makes a ``Failure`` of it.
"""

import decimal
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from guerdon.engine.durations import instant_of
from guerdon.engine.formula_tree import Value

Kind = Literal["unknown_name", "missing", "division_by_zero", "wrong_type", "too_large"]

# 34 digits, numbers up to 10^40: what leaves these bounds stops the formula instead of growing.
ARITHMETIC = decimal.Context(
    prec=34,
    rounding=decimal.ROUND_HALF_UP,
    Emin=-60,
    Emax=40,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
MAX_NUMBER = 10**30
MAX_STRING = 10_000
MAX_LIST = 500
MAX_POWER = 100
MAX_ROUNDING = 15
MAX_WORK = 100_000
"""How much all formulas of one discount may look at in one decision: parts, entries of lists, stretches of text."""
_STRETCH = 50
_ROUNDINGS = {
    "ROUND": decimal.ROUND_HALF_UP,
    "FLOOR": decimal.ROUND_FLOOR,
    "CEIL": decimal.ROUND_CEILING,
}


class Stop(Exception):
    """A formula cannot be worked out, and why."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason


class Work:
    """What is left of the work allowed, and what has been found out already.

    Counted, not timed, so that a formula ends alike on every machine. Share one among the lines of an order: each
    alone may be cheap and all of them dear. It belongs to one situation, one redeemable and one decision.
    """

    __slots__ = ("known", "left")

    def __init__(self, left: int = MAX_WORK) -> None:
        self.left = left
        self.known: dict[tuple[str, str], Any] = {}

    def spend(self, amount: int) -> None:
        """Do so much work, or stop."""
        self.left -= amount
        if self.left < 0:
            raise Stop("too_large", "too large: the formula looks at too much")


def weight(value: Any) -> int:
    """How much work it is to look through a value."""
    if isinstance(value, (tuple, list)):
        return min(len(value), MAX_LIST)
    return min(len(value), MAX_STRING) // _STRETCH if isinstance(value, str) else 0


def value_of(raw: Any, name: str) -> Value:
    """A stored attribute as a value: JSON's numbers become decimals, its arrays tuples."""
    match raw:
        case bool() | datetime() | date():
            return raw
        case int() | Decimal():
            if not -MAX_NUMBER <= raw <= MAX_NUMBER:
                raise Stop("too_large", f"too large: {name}")
            return ARITHMETIC.create_decimal(raw)
        case float():
            return value_of(_decimal_of(raw, name), name)
        case str():
            if len(raw) > MAX_STRING:
                raise Stop("too_large", f"too large: {name} is longer than {MAX_STRING} characters")
            return raw
        case list() | tuple():
            if len(raw) > MAX_LIST:
                raise Stop("too_large", f"too large: {name} has more than {MAX_LIST} entries")
            return tuple(value_of(part, name) for part in raw if not isinstance(part, (list, dict, tuple)))
    raise Stop("wrong_type", f"wrong type: {name} is neither a number, a text, a truth value nor a list")


def _decimal_of(raw: float, name: str) -> Decimal:
    number = Decimal(str(raw))
    if not number.is_finite():
        raise Stop("too_large", f"too large: {name}")
    return number


def number(value: Value) -> Decimal:
    """The value, which must be a number."""
    if isinstance(value, Decimal):
        return value
    raise Stop("wrong_type", f"wrong type: a number is needed, not {shown(value)}")


def truth(value: Value) -> bool:
    """The value, which must be true or false."""
    if isinstance(value, bool):
        return value
    raise Stop("wrong_type", f"wrong type: a condition is needed, not {shown(value)}")


def shown(value: Value) -> str:
    """A value as messages show it.

    >>> shown(Decimal("1.50")), shown("abc"), shown(("a", "b"))
    ('the number 1.5', "the text 'abc'", 'a list of 2')
    """
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return f"the number {plain(value)}"
        case str():
            return f"the text {value[:40]!r}"
        case tuple():
            return f"a list of {len(value)}"
    return f"the date {value.isoformat()}"


def plain(value: Decimal) -> str:
    """A number's digits, without an exponent or needless zeros."""
    return "0" if not value else f"{ARITHMETIC.normalize(value):f}"


def arithmetic(operator: str, left: Value, right: Value) -> Decimal:
    """One of ``+ - * / %`` on two numbers; ``%`` is what is left of a division, with the dividend's sign."""
    one, other = number(left), number(right)
    match operator:
        case "+":
            return ARITHMETIC.add(one, other)
        case "-":
            return ARITHMETIC.subtract(one, other)
        case "*":
            return ARITHMETIC.multiply(one, other)
    if not other:
        raise Stop("division_by_zero", "division by zero")
    return ARITHMETIC.divide(one, other) if operator == "/" else ARITHMETIC.remainder(one, other)


def power(base: Value, exponent: Value) -> Decimal:
    """``base`` to the power of ``exponent``, which lies from -100 to 100."""
    one, other = number(base), number(exponent)
    if other.copy_abs() > MAX_POWER:
        raise Stop("too_large", f"too large: POW takes exponents from -{MAX_POWER} to {MAX_POWER}")
    if not one:
        if other < 0:
            raise Stop("division_by_zero", "division by zero")
        return Decimal(0 if other else 1)
    if one < 0 and other != ARITHMETIC.to_integral_value(other):
        raise Stop("wrong_type", "wrong type: a negative number has no power that is not whole")
    return ARITHMETIC.power(one, other)


def power_weight(exponent: Value) -> int:
    """How much work a power is: logarithms, unless the exponent is whole."""
    whole = isinstance(exponent, Decimal) and exponent == exponent.to_integral_value()
    return 10 if whole else 300


def rounded(name: str, value: Value, digits: Value = Decimal(0)) -> Decimal:
    """ROUND (half up), FLOOR or CEIL to so many decimals; negative ones are tens, hundreds …

    >>> rounded("ROUND", Decimal("12.345"), Decimal(2)), rounded("FLOOR", Decimal(1299), Decimal(-2))
    (Decimal('12.35'), Decimal('1200'))
    """
    places = number(digits)
    if places.copy_abs() > MAX_ROUNDING or places != int(places):
        raise Stop("too_large", f"too large: {name} takes a whole number of digits up to {MAX_ROUNDING}")
    step = Decimal((0, (1,), -int(places)))
    one = number(value)
    result = one.quantize(step, _ROUNDINGS[name], ARITHMETIC)
    return result if places >= 0 else result.quantize(Decimal(1), context=ARITHMETIC)


def moment(value: Value, zone: ZoneInfo) -> date | datetime:
    """The value as a date, or as an instant. A text is read as ISO 8601; without an offset it is local time."""
    if isinstance(value, (date, datetime)):
        return value
    if isinstance(value, str) and len(value) <= 40:
        try:
            if len(value) <= 10:
                return date.fromisoformat(value)
            read = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return instant_of(read, zone) if read.tzinfo is None else read.astimezone(UTC)
    raise Stop("wrong_type", f"wrong type: a date is needed, not {shown(value)}")


def day(value: Value, zone: ZoneInfo) -> date:
    """The day of a date or instant, in the project's time zone."""
    when = moment(value, zone)
    return when.astimezone(zone).date() if isinstance(when, datetime) else when


def months_between(first: date, last: date) -> int:
    """Whole months from one day to another; the 31st is reached where a month has ended. Negative backwards.

    >>> months_between(date(2026, 1, 31), date(2026, 2, 28)), months_between(date(2026, 3, 2), date(2026, 1, 3))
    (0, -1)
    """
    if last < first:
        return -months_between(last, first)
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)


def span(name: str, value: Value, today: date, zone: ZoneInfo) -> Decimal:
    """DAYS_SINCE, MONTHS_UNTIL and their like: whole days, months or years of the project's calendar."""
    unit, _, direction = name.partition("_")
    ends = (day(value, zone), today)
    first, last = ends if direction == "SINCE" else ends[::-1]
    if unit == "DAYS":
        return Decimal((last - first).days)
    months = months_between(first, last)
    return Decimal(months if unit == "MONTHS" else -(-months // 12) if months < 0 else months // 12)


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal. A number equals the text of its digits, so ``5`` is ``"5"``."""
    if type(left) is type(right):
        return left == right
    if isinstance(left, Decimal) and isinstance(right, str):
        return plain(left) == right
    if isinstance(left, str) and isinstance(right, Decimal):
        return left == plain(right)
    return False


def compare(operator: str, left: Value, right: Value, zone: ZoneInfo) -> bool:
    """Every comparison of the language; ``operator`` is lower-case, without underscores."""
    match operator:
        case "=" | "is":
            return same(left, right)
        case "!=" | "<>" | "isnot":
            return not same(left, right)
        case ">" | "<" | ">=" | "<=":
            return _ordered(operator, number(left), number(right))
        case "contains":
            return _contains(left, right)
        case "startswith":
            return _text(left).startswith(_text(right))
        case "endswith":
            return _text(left).endswith(_text(right))
        case "inarray":
            return _in_array(left, right)
        case "notinarray":
            return not _in_array(left, right)
    return _dated(operator, left, right, zone)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case ">":
            return left > right
        case "<":
            return left < right
        case ">=":
            return left >= right
    return left <= right


def _text(value: Value) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, str):
        return value
    raise Stop("wrong_type", f"wrong type: a text is needed, not {shown(value)}")


def _contains(left: Value, right: Value) -> bool:
    if isinstance(left, tuple):
        return any(same(part, right) for part in left)
    return _text(right) in _text(left)


def _in_array(left: Value, right: Value) -> bool:
    # Either side may be the list; two lists meet when they share an entry.
    if not isinstance(right, tuple):
        left, right = right, left
    if not isinstance(right, tuple):
        return same(left, right)
    asked = left if isinstance(left, tuple) else (left,)
    if len(asked) > 1:
        known = {_identity(part) for part in right}
        return any(_identity(part) in known for part in asked)
    return any(same(part, asked[0]) for part in right) if asked else False


def _identity(value: Value) -> Value:
    return plain(value) if isinstance(value, Decimal) else value


def _dated(operator: str, left: Value, right: Value, zone: ZoneInfo) -> bool:
    one, other = moment(left, zone), moment(right, zone)
    exact = isinstance(one, datetime) and isinstance(other, datetime)
    if not exact or operator in ("dateis", "dateisnot"):
        one, other = day(one, zone), day(other, zone)
    match operator:
        case "dateis":
            return one == other
        case "dateisnot":
            return one != other
        case "isafter":
            return _ordered(">", one, other)
    return _ordered("<", one, other)
