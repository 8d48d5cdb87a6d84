"""The grammar of formulas: words in, tree out, in one pass (operators bind by rank, after Pratt).

Loosest first: ``or``, ``and``, one comparison, ``+ -``, ``* / %``, the sign. Names are read in any case.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn
from zoneinfo import ZoneInfo

from guerdon.engine.formula_operands import METADATA, OPERANDS
from guerdon.engine.formula_tree import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_TEXT,
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
)
from guerdon.engine.formula_values import ARITHMETIC, Stop, moment
from guerdon.engine.formula_words import Unreadable, Word, words_of

FUNCTIONS: dict[str, tuple[int, int]] = {
    "MIN": (1, MAX_NODES),
    "MAX": (1, MAX_NODES),
    "AND": (1, MAX_NODES),
    "OR": (1, MAX_NODES),
    "POW": (2, 2),
    "IF": (3, 3),
    "DEFAULT_TO": (2, 2),
    "ROUND": (1, 2),
    "FLOOR": (1, 2),
    "CEIL": (1, 2),
    "DATE": (1, 1),
    "DATE_TIME": (1, 1),
    "DAY_OF_MONTH": (0, 1),
    "MONTH": (0, 1),
    "YEAR": (0, 1),
    "DAYS_SINCE": (1, 1),
    "MONTHS_SINCE": (1, 1),
    "YEARS_SINCE": (1, 1),
    "DAYS_UNTIL": (1, 1),
    "MONTHS_UNTIL": (1, 1),
    "YEARS_UNTIL": (1, 1),
}
"""The functions, and how many arguments each takes."""

_WORDS = ("is", "isnot", "contains", "startswith", "endswith", "inarray", "notinarray")
_DATES = ("dateis", "dateisnot", "isafter", "isbefore")
COMPARISONS = frozenset((">", "<", "=", ">=", "<=", "!=", "<>", *_WORDS, *_DATES))
"""The comparisons, lower-case and without underscores: ``startsWith`` and ``STARTS_WITH`` are one."""

_SUMS, _PRODUCTS = frozenset("+-"), frozenset("*/%")


def read(text: str) -> Formula:
    """The formula a text means. Raises :class:`Unreadable` saying where it goes wrong."""
    if len(text) > MAX_TEXT:
        raise Unreadable(f"a formula may have {MAX_TEXT} characters at most")
    reader = _Reader(words_of(text))
    root = reader.whole()
    return Formula(text, root, frozenset(reader.names))


class _Reader:
    """A place among the words, and the bounds kept so far."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._nodes = 0
        self.names: set[str] = set()

    def whole(self) -> Node:
        root = self._expression()
        if self._word.kind != "end":
            self._fail("an operator or the end is expected")
        return root

    @property
    def _word(self) -> Word:
        return self._words[self._at]

    def _next(self) -> Word:
        word = self._words[self._at]
        self._at += word.kind != "end"
        return word

    def _fail(self, expected: str) -> NoReturn:
        word = self._word
        if word.kind == "end":
            raise Unreadable(f"the formula ends too early: {expected}")
        raise Unreadable(f"at character {word.place}, {word.text[:20]!r}: {expected}")

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unreadable(f"a formula may have {MAX_NODES} parts at most")

    def _sees(self, sign: str) -> bool:
        return self._word.kind == "sign" and self._word.text == sign

    def _takes(self, sign: str) -> bool:
        seen = self._sees(sign)
        self._at += seen
        return seen

    def _needs(self, sign: str) -> None:
        if self._takes(sign):
            return
        if sign == ")" and self._sees(","):
            self._fail("arguments are separated by ;")
        self._fail(f"{sign} is expected")

    def _infix(self) -> str:
        """The operator that stands here, in its one spelling; empty if there is none."""
        word = self._word
        if word.kind == "sign":
            return word.text
        return word.text.lower().replace("_", "") if word.kind == "name" else ""

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"a formula may be {MAX_DEPTH} levels deep at most")
        node = self._joined("or", lambda: self._joined("and", self._comparison))
        self._depth -= 1
        return node

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._infix() == word:
            self._next()
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        self._count()
        return Joined(word, tuple(parts))

    def _comparison(self) -> Node:
        left = self._sum()
        operator = self._infix()
        if operator not in COMPARISONS:
            return left
        self._count()
        self._next()
        right = self._sum()
        if self._infix() in COMPARISONS:
            self._fail("comparisons are not chained; join them by AND")
        return Comparison(operator, left, right)

    def _sum(self) -> Node:
        return self._chain(_SUMS, lambda: self._chain(_PRODUCTS, self._signed))

    def _chain(self, operators: frozenset[str], part: Callable[[], Node]) -> Node:
        first = part()
        rest: list[tuple[str, Node]] = []
        while self._word.kind == "sign" and self._word.text in operators:
            self._count()
            operator = self._next().text
            rest.append((operator, part()))
        return Chain(first, tuple(rest)) if rest else first

    def _signed(self) -> Node:
        negative = False
        while self._sees("-") or self._sees("+"):
            self._count()
            negative ^= self._next().text == "-"
        part = self._single()
        return Minus(part) if negative else part

    def _single(self) -> Node:
        self._count()
        word = self._word
        match word.kind:
            case "number":
                self._next()
                return Constant(ARITHMETIC.create_decimal(Decimal(word.text)))
            case "text":
                self._next()
                return Constant(word.text)
            case "name":
                self._next()
                return self._named(word)
        if self._takes("("):
            inner = self._expression()
            self._needs(")")
            return inner
        if not self._takes("["):
            self._fail("a value is expected")
        return self._listed()

    def _listed(self) -> Node:
        parts: list[Node] = []
        while not self._takes("]"):
            if parts and not (self._takes(";") or self._takes(",")):
                self._fail("] is expected")
            parts.append(self._expression())
        return Listed(tuple(parts))

    def _named(self, word: Word) -> Node:
        name = word.text.upper()
        called = self._takes("(")
        if name == "SWITCH" and called:
            return self._switch()
        if name in METADATA:
            return self._metadata(name, word, called)
        if name in OPERANDS or name in ("TRUE", "FALSE"):
            if called:
                self._needs(")")
            if name in OPERANDS:
                self.names.add(name)
                return Operand(name)
            return Constant(name == "TRUE")
        arguments = self._arguments() if called else ()
        if name not in FUNCTIONS:
            # SWITCH_CASE outside of a SWITCH ends up here too.
            return Unknown(word.text)
        least, most = FUNCTIONS[name]
        if not called or not least <= len(arguments) <= most:
            raise Unreadable(
                f"{name} at character {word.place} takes {_counted(least, most)}, separated by ;"
            )
        self._check_date(name, arguments, word)
        if name in ("AND", "OR"):
            return Joined(name.lower(), arguments)
        return Call(name, arguments)

    def _metadata(self, name: str, word: Word, called: bool) -> Node:
        key = self._word
        if not called or key.kind != "text":
            raise Unreadable(
                f'{name} at character {word.place} takes the name of an attribute: {name}("size")'
            )
        self._next()
        self._needs(")")
        self.names.add(name)
        return Metadata(name, key.text)

    def _arguments(self) -> tuple[Node, ...]:
        if self._takes(")"):
            return ()
        arguments = [self._expression()]
        while self._takes(";"):
            arguments.append(self._expression())
        self._needs(")")
        return tuple(arguments)

    def _switch(self) -> Node:
        value = self._expression()
        self._needs(";")
        cases: list[tuple[Node, Node]] = []
        while self._word.kind == "name" and self._word.text.upper() == "SWITCH_CASE":
            self._count()
            self._next()
            self._needs("(")
            match = self._expression()
            self._needs(";")
            cases.append((match, self._expression()))
            self._needs(")")
            # Cases follow each other with nothing between them; a semicolon does no harm.
            if self._sees(";") and self._words[self._at + 1].text.upper() == "SWITCH_CASE":
                self._next()
        if not cases:
            self._fail("SWITCH_CASE(value;result) is expected")
        default = self._expression() if self._takes(";") else None
        self._needs(")")
        return Switch(value, tuple(cases), default)

    def _check_date(self, name: str, arguments: tuple[Node, ...], word: Word) -> None:
        if name in ("DATE", "DATE_TIME") and isinstance(arguments[0], Constant):
            try:
                moment(arguments[0].value, ZoneInfo("UTC"))
            except (Stop, OverflowError):
                raise Unreadable(
                    f"{name} at character {word.place} takes an ISO 8601 date, like 2026-12-24"
                ) from None


def _counted(least: int, most: int) -> str:
    if least == most:
        return f"{least} argument" + "s" * (least != 1)
    return f"{least} to {most} arguments" if most < MAX_NODES else f"{least} or more arguments"
