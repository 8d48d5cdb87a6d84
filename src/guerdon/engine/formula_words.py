"""The words of a formula: one pass over the text, each character looked at once."""

import re
from typing import Literal, NamedTuple

from guerdon.engine.formula_tree import MAX_DIGITS

# No two alternatives begin alike and none is nested, so that no text can make it go back.
_WORD = re.compile(
    r"""\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign>>=|<=|!=|<>|[-+*/%<>=();,\[\]])
    |(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Word(NamedTuple):
    """A word: what kind, what it says, and the place of its first character, counted from 1."""

    kind: Literal["number", "name", "text", "sign", "end"]
    text: str
    place: int


class Unreadable(Exception):
    """The text is no formula; the message says where and why."""


def words_of(text: str) -> list[Word]:
    """The words of a text, the last one of the kind ``end``.

    >>> [word.text for word in words_of('IF(ORDER_AMOUNT > 3.5;"a";1)')]
    ['IF', '(', 'ORDER_AMOUNT', '>', '3.5', ';', 'a', ';', '1', ')', '']
    """
    words: list[Word] = []
    start = 0
    while True:
        match = _WORD.match(text, start)
        if match is None:
            raise Unreadable(_unreadable(text, start))
        kind, place = match.lastgroup, match.start(match.lastgroup or 0) + 1
        found = match[kind or 0]
        if kind == "text":
            found = _ESCAPED.sub(r"\1", found[1:-1])
        elif kind == "number" and len(found) > MAX_DIGITS:
            raise Unreadable(f"the number at character {place} has more than {MAX_DIGITS} digits")
        words.append(Word(kind, found, place))  # type: ignore[arg-type]
        if kind == "end":
            return words
        start = match.end()


def _unreadable(text: str, start: int) -> str:
    while text[start].isspace():
        start += 1
    if text[start] in "\"'":
        return f"the text that begins at character {start + 1} has no closing quote"
    return f"character {start + 1}, {text[start]!r}, means nothing here"
