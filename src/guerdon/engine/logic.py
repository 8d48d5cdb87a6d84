"""The `logic` of a rule set: keys of rules joined by `and` and `or`, with brackets; `and` binds tighter.

>>> print_logic(parse_logic("1 OR (2 and x)", {"1", "2", "x"}, "rules.logic"))
'1 or 2 and x'
"""

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Literal, TypeVar

from msgspec import Struct

from guerdon.engine.fault import EngineError

MAX_DEPTH = 32
MAX_LENGTH = 10_000

_TOKEN = re.compile(r'\s*(?:(\(|\))|"((?:[^"\\]|\\.)*)"|([^\s()"]+)|(\S))')
_PLAIN_KEY = re.compile(r'[^\s()"]+')


class Key(Struct, frozen=True):
    """One rule, by its key."""

    key: str


class Joined(Struct, frozen=True):
    """Two or more parts, all of which (`and`) or one of which (`or`) must hold."""

    word: Literal["and", "or"]
    parts: "tuple[Logic, ...]"


Logic = Key | Joined
Token = tuple[Literal["word", "key", "(", ")"], str]
Blame = TypeVar("Blame")


def all_of(keys: Collection[str]) -> Logic | None:
    """What stands for a missing `logic`: every rule must hold; None when there are none."""
    return _all_of(tuple(keys)) if keys else None


@lru_cache(maxsize=1024)
def _all_of(keys: tuple[str, ...]) -> Logic:
    parts = tuple(Key(key) for key in keys)
    return parts[0] if len(parts) == 1 else Joined("and", parts)


def parse_logic(text: str, keys: Collection[str], path: str) -> Logic | None:
    """The tree of an expression, or None when it is blank. A key with blanks or brackets is put in quotes.

    Raises :class:`EngineError` (`invalid_validation_rules`) when it does not parse, names a rule that is not in
    `keys`, or is deeper or longer than is read.
    """
    if len(text) > MAX_LENGTH:
        raise _wrong(path, f"must have at most {MAX_LENGTH} characters")
    if not text.strip():
        return None
    return _parse(text, frozenset(keys), path)


@lru_cache(maxsize=1024)
def _parse(text: str, keys: frozenset[str], path: str) -> Logic:
    """The same few expressions stand in most rule sets."""
    reader = _Reader(text, keys, path)
    tree = reader.either(0)
    if reader.peek() is not None:
        raise _wrong(path, f"has {reader.shown()} where and, or or the end should be")
    return tree


def _wrong(path: str, message: str) -> EngineError:
    return EngineError(path, message, "invalid_validation_rules")


def _tokens(text: str, keys: Collection[str], path: str) -> Iterator[Token]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found[4] is not None:
            raise _wrong(path, "has a quote that is never closed")
        position = found.end()
        if found[1] is not None:
            yield ("(" if found[1] == "(" else ")"), found[1]
        elif found[2] is not None:
            yield "key", re.sub(r"\\(.)", r"\1", found[2])
        elif found[3].lower() in ("and", "or"):
            yield "word", found[3].lower()
        else:
            yield "key", found[3]


class _Reader:
    """Recursive descent, as deep as MAX_DEPTH."""

    def __init__(self, text: str, keys: Collection[str], path: str) -> None:
        self.tokens = list(_tokens(text, keys, path))
        self.keys = keys
        self.path = path
        self.place = 0

    def peek(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def shown(self) -> str:
        token = self.peek()
        return "nothing" if token is None else repr(token[1][:40])

    def either(self, depth: int) -> Logic:
        return self.joined("or", lambda: self.both(depth))

    def both(self, depth: int) -> Logic:
        return self.joined("and", lambda: self.single(depth))

    def joined(self, word: Literal["and", "or"], read: Callable[[], Logic]) -> Logic:
        parts = [read()]
        while self.peek() == ("word", word):
            self.place += 1
            parts.append(read())
        flat: list[Logic] = []
        for part in parts:
            flat += part.parts if isinstance(part, Joined) and part.word == word else (part,)
        return flat[0] if len(flat) == 1 else Joined(word, tuple(flat))

    def single(self, depth: int) -> Logic:
        token = self.peek()
        if token is not None and token[0] == "(":
            if depth >= MAX_DEPTH:
                raise _wrong(self.path, f"has more than {MAX_DEPTH} brackets in each other")
            self.place += 1
            inner = self.either(depth + 1)
            if self.peek() is None or self.tokens[self.place][0] != ")":
                raise _wrong(self.path, f"has {self.shown()} where a bracket should be closed")
            self.place += 1
            return inner
        if token is None or token[0] != "key":
            raise _wrong(self.path, f"has {self.shown()} where a rule should be named")
        if token[1] not in self.keys:
            raise _wrong(self.path, f"names the rule {token[1][:40]!r}, which is not there")
        self.place += 1
        return Key(token[1])


def print_logic(logic: Logic | None) -> str:
    """The expression of a tree, with as few brackets as it needs; an empty text for None."""
    match logic:
        case None:
            return ""
        case Key(key):
            plain = _PLAIN_KEY.fullmatch(key) is not None and key.lower() not in ("and", "or")
            return key if plain else '"' + re.sub(r'(["\\])', r"\\\1", key) + '"'
        case Joined(word, parts):
            inner = (
                f"({print_logic(part)})" if word == "and" and isinstance(part, Joined) else print_logic(part)
                for part in parts
            )
            return f" {word} ".join(inner)


def keys_of(logic: Logic | None) -> Iterator[str]:
    """Every key, as often as it is named."""
    if isinstance(logic, Key):
        yield logic.key
    elif logic is not None:
        for part in logic.parts:
            yield from keys_of(part)


def required(logic: Logic | None) -> Iterator[str]:
    """The keys without which the expression cannot hold."""
    if isinstance(logic, Key):
        yield logic.key
    elif logic is not None and logic.word == "and":
        for part in logic.parts:
            yield from required(part)


def blamed(logic: Logic, fails: Callable[[str], Blame | None]) -> Blame | None:
    """None when the expression holds; else what `fails` says of the first rule that kept it from holding.

    `fails` answers None for a rule that holds. It is asked from left to right, and no more than needed.
    """
    if type(logic) is Key:
        return fails(logic.key)
    first: Blame | None = None
    for part in logic.parts:  # type: ignore[union-attr]
        blame = fails(part.key) if type(part) is Key else blamed(part, fails)
        if (blame is None) == (logic.word == "or"):  # type: ignore[union-attr]
            return blame
        if first is None:
            first = blame
    return first
