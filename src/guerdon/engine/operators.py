"""The operators of rules and filters: which operands each takes, and when a value passes it.

Two values are the same when their texts are: the number 5 is the text "5", 5.0 is 5, true is "true", and an
instant is itself in whatever offset it is written. Order goes by number, else by date. A list passes `$is` when
one of its elements does and `$is_not` when none does. Odd data never raises: it does not pass.

>>> from datetime import UTC
>>> holds("$more_than", 12, [10], datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
True
"""

import operator as compare
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.durations import parse_duration
from guerdon.engine.fault import EngineError
from guerdon.engine.moments import Moment, compared, instant_of, moment_of, read_moment
from guerdon.engine.terms import DailyHours, ValidityHours, ValidityTimeframe
from guerdon.engine.window import FIRST_YEAR, LAST_YEAR, frame_around, in_hours, minute_of

MAX_OPERANDS = 1000
MAX_PIECES = 100
"""How many texts one `$contains`, or frames one `$timeframe…`, may name: each is tried by itself."""
MAX_TEXT = 5000
MAX_NUMBER = 10**18
MAX_ELEMENTS = 1000
"""How many elements of a list are looked at."""
SEARCHED = 1000
"""How much of a long text `$contains` looks at."""


class Missing(Enum):
    """There is no such value: the customer has no such metadata, the order no such fact."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

Number = int | Decimal
Test = Callable[[Any, datetime, ZoneInfo], bool]
Operands = Literal[
    "any", "texts", "order", "count", "days", "dates", "weekdays", "frames", "spans", "hours", "from"
]


class Operator(Struct, frozen=True):
    """One operator. `operands` says what it takes, `most` how many, `compile` makes its test."""

    name: str
    operands: Operands
    most: int
    compile: Callable[[Sequence[Any]], Test]
    words: str


def number_of(value: Any) -> Number | None:
    """The exact number a value is or spells, or None.

    >>> number_of("12.50"), number_of(0.1), number_of(True), number_of("abc")
    (Decimal('12.50'), Decimal('0.1'), None, None)
    """
    kind = type(value)
    if kind is int:
        return value
    if kind is Decimal:
        return value if value.is_finite() else None
    if kind is float:
        spelt = Decimal(repr(value))
        return spelt if spelt.is_finite() else None
    if kind is str and 0 < len(value) <= 40 and value.isascii():
        digits = value.removeprefix("-").replace(".", "", 1)
        if digits.isdigit() and value[-1] != "." and value[0] != ".":
            return Decimal(value)
    return None


def text_of(value: Any) -> str | None:
    """What a value is compared by, or None when it is nothing that can be compared."""
    kind = type(value)
    if kind is str:
        return _instant_text(value) if len(value) >= 20 and value[10] in "Tt" else value
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if value.bit_length() < 4096 else hex(value)
    if isinstance(value, datetime):
        return _instant_text(value.isoformat())
    if isinstance(value, date):
        return value.isoformat()
    if kind is float or kind is Decimal:
        exact = number_of(value)
        return None if exact is None else _plain(Decimal(exact))
    return None


def _plain(exact: Decimal) -> str:
    if abs(exact.adjusted()) > 400:
        return str(exact)
    written = f"{exact:f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if written in ("-0", "") else written


@lru_cache(maxsize=4096)
def _instant_text(text: str) -> str:
    if len(text) <= 40:
        try:
            read = datetime.fromisoformat(text)
            if read.tzinfo is not None:
                return read.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            pass
    return text


def elements(value: Any) -> Sequence[Any]:
    """The values of a list, or of a set; anything else is a list of one, nothing an empty one."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, set | frozenset):
        return tuple(value)
    return () if value is MISSING or value is None else (value,)


def _any_of(operands: Sequence[Any]) -> Test:
    wanted = frozenset(text for operand in operands if (text := text_of(operand)) is not None)

    def test(value: Any, _now: datetime, _zone: ZoneInfo) -> bool:
        if type(value) is frozenset:
            return not wanted.isdisjoint(value)  # ids, which are texts as they stand
        text = text_of(value)
        if text is not None:
            return text in wanted
        return any(text_of(each) in wanted for each in elements(value)[:MAX_ELEMENTS])

    return test


def _none_of(operands: Sequence[Any]) -> Test:
    any_of = _any_of(operands)
    return lambda value, now, zone: not any_of(value, now, zone)


def _same_elements(operands: Sequence[Any]) -> Test:
    wanted = {text_of(operand) for operand in operands}
    return lambda value, _now, _zone: (
        value is not MISSING and {text_of(each) for each in elements(value)} == wanted
    )


def _ordered(by_number: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], Test]:
    def compiled(operands: Sequence[Any]) -> Test:
        operand = operands[0] if operands else None
        bound = number_of(operand)

        def test(value: Any, _now: datetime, zone: ZoneInfo) -> bool:
            if bound is not None:
                seen = value if type(value) is int else number_of(value)
                if seen is not None:
                    return by_number(seen, bound)
                return isinstance(value, list | tuple) and any(
                    test(each, _now, zone) for each in value[:MAX_ELEMENTS]
                )
            first, second = moment_of(value, zone), moment_of(operand, zone)
            return first is not None and second is not None and compared(by_number, first, second)

        return test

    return compiled


def _texts(match: Callable[[str, tuple[str, ...]], bool]) -> Callable[[Sequence[Any]], Test]:
    def compiled(operands: Sequence[Any]) -> Test:
        wanted = tuple(text for operand in operands if (text := text_of(operand)) is not None)

        def test(value: Any, _now: datetime, _zone: ZoneInfo) -> bool:
            if type(value) is str:
                return match(value, wanted)
            return any(
                (text := text_of(each)) is not None and match(text, wanted) for each in elements(value)
            )

        return test

    return compiled


def _contains(text: str, wanted: tuple[str, ...]) -> bool:
    searched = text[:SEARCHED]
    return any(piece in searched for piece in wanted)


def _counted(by_number: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], Test]:
    def compiled(operands: Sequence[Any]) -> Test:
        bound = number_of(operands[0]) if operands else None

        def test(value: Any, _now: datetime, _zone: ZoneInfo) -> bool:
            return bound is not None and value is not MISSING and by_number(len(elements(value)), bound)

        return test

    return compiled


def _days(fits: Callable[[int, Any], bool], sign: int) -> Callable[[Sequence[Any]], Test]:
    """By how many local days lie between the value and today; `sign` 1 looks back, -1 ahead."""

    def compiled(operands: Sequence[Any]) -> Test:
        bound = number_of(operands[0]) if operands else None

        def test(value: Any, now: datetime, zone: ZoneInfo) -> bool:
            moment = moment_of(value, zone)
            if moment is None or bound is None:
                return False
            apart = (now.astimezone(zone).date() - moment.day).days * sign
            return apart >= 0 and fits(apart, bound)

        return test

    return compiled


def _weekdays(operands: Sequence[Any]) -> Test:
    wanted = {int(number) for operand in operands if (number := number_of(operand)) is not None}

    def test(value: Any, _now: datetime, zone: ZoneInfo) -> bool:
        moment = moment_of(value, zone)
        return moment is not None and moment.day.isoweekday() % 7 in wanted

    return test


def _within(read: Callable[[str], Callable[[Moment, ZoneInfo], bool]]) -> Callable[[Sequence[Any]], Test]:
    def compiled(operands: Sequence[Any]) -> Test:
        frames = [read(operand) for operand in operands if type(operand) is str]

        def test(value: Any, _now: datetime, zone: ZoneInfo) -> bool:
            moment = moment_of(value, zone)
            if moment is None:
                return False
            try:
                return any(fits(moment, zone) for fits in frames)
            except (OverflowError, ValueError):
                return False

        return test

    return compiled


def read_frame(text: str) -> tuple[str, ValidityTimeframe]:
    """``<start>;<interval>;<duration>`` of a `$timeframe`. Raises ValueError for any other text."""
    start, interval, duration = _pieces(text, 3, "<date and time>;<interval>;<duration>")
    parse_duration(interval)
    parse_duration(duration)
    moment = read_moment(start, ZoneInfo("UTC"))
    if moment is None or not FIRST_YEAR <= moment.day.year <= LAST_YEAR:
        raise ValueError("must begin with a date and time")
    return start, ValidityTimeframe(interval, duration)


def _frame(text: str) -> Callable[[Moment, ZoneInfo], bool]:
    start, frame = read_frame(text)

    def fits(moment: Moment, zone: ZoneInfo) -> bool:
        first, seen = moment_of(start, zone), instant_of(moment, zone)
        if first is None or seen < instant_of(first, zone) or seen.year > LAST_YEAR:
            return False
        opened, closes = frame_around(frame, instant_of(first, zone), seen, zone)
        return opened <= seen < closes

    return fits


def read_span(text: str) -> tuple[str, str]:
    """``<first>;<last>`` of a `$timeframe_absolute`. Raises ValueError for any other text."""
    first, last = _pieces(text, 2, "<date and time>;<date and time>")
    utc = ZoneInfo("UTC")
    begin, end = read_moment(first, utc), read_moment(last, utc)
    if begin is None or end is None:
        raise ValueError("must be two dates and times")
    if instant_of(begin, utc) > instant_of(end, utc):
        raise ValueError("must end after it begins")
    return first, last


def _span(text: str) -> Callable[[Moment, ZoneInfo], bool]:
    first, last = read_span(text)

    def fits(moment: Moment, zone: ZoneInfo) -> bool:
        begin, end, seen = moment_of(first, zone), moment_of(last, zone), instant_of(moment, zone)
        if begin is None or end is None or seen < instant_of(begin, zone):
            return False
        until = instant_of(end, zone) if end.instant else instant_of(end, zone) + timedelta(days=1)
        return seen < until

    return fits


def read_hours(text: str) -> ValidityHours:
    """``<HH:mm>;<HH:mm>;<days>`` of a `$timeframe_daily_hours`. Raises ValueError for any other text."""
    start, end, days = _pieces(text, 3, "<HH:mm>;<HH:mm>;<days of the week>")
    minute_of(start)
    minute_of(end)
    named = [day.strip() for day in days.split(",")] if days.strip() else list("0123456")
    if not all(day in set("0123456") for day in named):
        raise ValueError("must name days from 0 (Sunday) to 6 (Saturday)")
    return ValidityHours([DailyHours(start, end, sorted({int(day) for day in named}))])


def _hours(text: str) -> Callable[[Moment, ZoneInfo], bool]:
    hours = read_hours(text)

    def fits(moment: Moment, zone: ZoneInfo) -> bool:
        local = instant_of(moment, zone).astimezone(zone)
        return in_hours(hours, local.isoweekday() % 7, local.hour * 60 + local.minute)

    return fits


def _pieces(text: str, count: int, form: str) -> list[str]:
    pieces = [piece.strip() for piece in text.split(";")]
    if len(pieces) != count or len(text) > 200:
        raise ValueError(f"must look like {form}")
    return pieces


def _belongs(operands: Sequence[Any]) -> Test:
    """`$from` of a plain value: one of the named; rules on items read it by themselves."""
    return _any_of([operand.get("id") if isinstance(operand, Mapping) else operand for operand in operands])


_TABLE = (
    Operator("$is", "any", MAX_OPERANDS, _any_of, "is one of the values"),
    Operator("$is_not", "any", MAX_OPERANDS, _none_of, "is none of the values"),
    Operator("$in", "any", MAX_OPERANDS, _any_of, "is one of the values"),
    Operator("$not_in", "any", MAX_OPERANDS, _none_of, "is none of the values"),
    Operator("$less_than", "order", 1, _ordered(compare.lt), "is smaller, or earlier"),
    Operator("$less_than_or_equal", "order", 1, _ordered(compare.le), "is at most, or not later"),
    Operator("$more_than", "order", 1, _ordered(compare.gt), "is larger, or later"),
    Operator("$more_than_or_equal", "order", 1, _ordered(compare.ge), "is at least, or not earlier"),
    Operator("$greater_than_or_equal", "order", 1, _ordered(compare.ge), "the same as `$more_than_or_equal`"),
    Operator("$starts_with", "texts", MAX_PIECES, _texts(str.startswith), "begins with one of the texts"),
    Operator("$ends_with", "texts", MAX_PIECES, _texts(str.endswith), "ends with one of the texts"),
    Operator("$contains", "texts", MAX_PIECES, _texts(_contains), "has one of the texts in it"),
    Operator("$timeframe", "frames", MAX_PIECES, _within(_frame), "falls into a recurring frame"),
    Operator("$timeframe_absolute", "spans", MAX_PIECES, _within(_span), "falls between two instants"),
    Operator(
        "$timeframe_daily_hours", "hours", MAX_PIECES, _within(_hours), "falls into these hours of these days"
    ),
    Operator("$dow", "weekdays", 7, _weekdays, "falls on one of these days of the week"),
    Operator("$count", "count", 1, _counted(compare.eq), "has exactly as many elements"),
    Operator("$count_more", "count", 1, _counted(compare.gt), "has more elements"),
    Operator("$count_less", "count", 1, _counted(compare.lt), "has fewer elements"),
    Operator("$not_differ", "any", MAX_OPERANDS, _same_elements, "has the same elements, in any order"),
    Operator("$not_intersect", "any", MAX_OPERANDS, _none_of, "has no element in common"),
    Operator("$from", "from", MAX_OPERANDS, _belongs, "is looked for in these collections only"),
    Operator("$after", "dates", 1, _ordered(compare.gt), "is later"),
    Operator("$before", "dates", 1, _ordered(compare.lt), "is earlier"),
    Operator("$more_than_ago", "days", 1, _days(compare.gt, 1), "lies more days back"),
    Operator("$less_than_ago", "days", 1, _days(compare.lt, 1), "lies back, but fewer days"),
    Operator("$is_days_ago", "days", 1, _days(compare.eq, 1), "lies exactly so many days back"),
    Operator("$more_than_future", "days", 1, _days(compare.gt, -1), "lies more days ahead"),
    Operator("$less_than_future", "days", 1, _days(compare.lt, -1), "lies ahead, but fewer days"),
    Operator("$is_days_in_future", "days", 1, _days(compare.eq, -1), "lies exactly so many days ahead"),
)
OPERATORS: dict[str, Operator] = {each.name: each for each in _TABLE}


def check_operands(operator: str, operands: Any, path: str) -> None:
    """Raise :class:`EngineError` when the operator is unknown or its operands are not what it takes."""
    known = OPERATORS.get(operator)
    if known is None:
        raise _wrong(path, f"is no operator; known are {', '.join(OPERATORS)}")
    if not isinstance(operands, list | tuple):
        raise _wrong(path, "must be a list of values")
    if not operands:
        raise _wrong(path, "must have a value")
    if len(operands) > MAX_OPERANDS:
        raise _wrong(path, f"must have at most {MAX_OPERANDS} values")
    if len(operands) > known.most:
        raise _wrong(path, f"must have at most {known.most} {'value' if known.most == 1 else 'values'}")
    for index, operand in enumerate(operands):
        problem = _problem(known.operands, operand)
        if problem is not None:
            raise _wrong(f"{path}[{index}]", problem)


def _wrong(path: str, message: str) -> EngineError:
    return EngineError(path, message, "invalid_validation_rules")


def _problem(takes: Operands, operand: Any) -> str | None:
    """What is wrong with one operand, or None."""
    if type(operand) is str and len(operand) > MAX_TEXT:
        return f"must have at most {MAX_TEXT} characters"
    number = number_of(operand)
    counts = type(operand) is not str or takes == "order"
    if number is not None and counts and abs(number) > MAX_NUMBER:
        return f"must not be larger than {MAX_NUMBER}"
    match takes:
        case "any":
            plain = type(operand) in (str, bool) or number is not None
            return None if plain else "must be a text, a number or a truth value"
        case "texts":
            fits = (type(operand) is str and operand != "") or number is not None
            return None if fits and text_of(operand) is not None else "must be a text that is not empty"
        case "order":
            fits = number is not None or moment_of(operand, ZoneInfo("UTC")) is not None
            return None if fits else "must be a number or a date"
        case "count" | "days":
            return None if _whole(operand, 0, 1_000_000) else "must be a whole number from 0 to 1,000,000"
        case "weekdays":
            return None if _whole(operand, 0, 6) else "must be a day from 0 (Sunday) to 6 (Saturday)"
        case "dates":
            return (
                None
                if moment_of(operand, ZoneInfo("UTC")) is not None
                else "must be a date or a date and time"
            )
        case "from":
            named = operand.get("id") or operand.get("source_id") if isinstance(operand, Mapping) else operand
            return None if type(named) is str and named else "must name a collection"
    return _frame_problem(takes, operand)


def _whole(operand: Any, least: int, most: int) -> bool:
    number = number_of(operand)
    return number is not None and least <= number <= most and number == int(number)


def _frame_problem(takes: Operands, operand: Any) -> str | None:
    read = {"frames": read_frame, "spans": read_span, "hours": read_hours}[takes]
    if type(operand) is not str:
        return "must be a text"
    try:
        read(operand)
    except (ValueError, OverflowError, InvalidOperation) as error:
        return str(error)
    return None


def compiled(operator: str, operands: Sequence[Any]) -> Test:
    """The test of an operator, made once for operands that `check_operands` accepted."""
    return OPERATORS[operator].compile(operands)


def holds(operator: str, value: Any, operands: Sequence[Any], now: datetime, zone: ZoneInfo) -> bool:
    """Whether the value passes; never raises on odd values. For many values make the test once: `compiled`."""
    return OPERATORS[operator].compile(operands)(value, now, zone)
