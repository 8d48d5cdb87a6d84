"""Where an index keeps its entries: under tokens that a situation has or has not, and under ranges of a number.

An entry stands under one requirement only (any of whose tokens or ranges may lead to it); the others are looked at
once it is found. So the cost of a question follows what it finds, not what there is.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

ORDERLESS = "orderless"
"""The token of a situation without an order."""
CELLS = 4
"""A range with two ends is kept under at most so many cells of one size, so that few entries are found in vain."""
SMALL = 64
"""So many new bounds are put in their places one by one; more are sorted in together."""


class Range(Struct, frozen=True):
    """A number of the situation lies between these ends, both included; None is no end."""

    measure: str
    low: int | None = None
    high: int | None = None

    def holds(self, measures: dict[str, int]) -> bool:
        """Whether the number is known and lies there."""
        value = measures.get(self.measure)
        if value is None or (self.low is not None and value < self.low):
            return False
        return self.high is None or value <= self.high


class Requirement(Struct, frozen=True):
    """What must be so, or else a rule set cannot hold: one of the tokens is there, or a number is in a range."""

    tokens: frozenset[str] = frozenset()
    ranges: tuple[Range, ...] = ()


class Seen(Struct, gc=False):
    """A situation as an index looks at it."""

    tokens: set[str]
    measures: dict[str, int]


class Entry(Struct, eq=False, gc=False):
    """One thing in the index. ``place`` is the requirement it stands under, ``others`` are looked at later."""

    id: str
    number: int
    place: Requirement | None
    others: tuple[Requirement, ...]


class Bounds:
    """Entries in the order of a bound, for ranges that have one end only."""

    def __init__(self) -> None:
        self._sorted: list[tuple[int, int, Entry]] = []
        self._new: list[tuple[int, int, Entry]] = []

    def add(self, bound: int, entry: Entry) -> None:
        self._new.append((bound, entry.number, entry))

    def remove(self, bound: int, entry: Entry) -> None:
        """An entry that was added with that bound."""
        self._settle()
        del self._sorted[bisect_left(self._sorted, (bound, entry.number))]

    def at_most(self, value: int) -> list[tuple[int, int, Entry]]:
        """Those whose bound is not above the value."""
        self._settle()
        return self._sorted[: bisect_right(self._sorted, value, key=_bound)]

    def at_least(self, value: int) -> list[tuple[int, int, Entry]]:
        """Those whose bound is not below the value."""
        self._settle()
        return self._sorted[bisect_left(self._sorted, value, key=_bound) :]

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def _settle(self) -> None:
        if not self._new:
            return
        if len(self._new) <= SMALL:
            for one in self._new:
                insort(self._sorted, one)
        else:
            self._sorted.extend(self._new)
            self._sorted.sort()
        self._new = []


def _bound(one: tuple[int, int, Entry]) -> int:
    return one[0]


class Measure:
    """Entries under ranges of one number."""

    def __init__(self) -> None:
        self._from = Bounds()
        self._to = Bounds()
        # By the size of the cells (as a power of two), then by the cell's number.
        self._cells: dict[int, dict[int, list[Entry]]] = {}

    def add(self, span: Range, entry: Entry) -> None:
        if span.high is None:
            self._from.add(span.low or 0, entry)
        elif span.low is None:
            self._to.add(span.high, entry)
        else:
            size, first, last = _cells(span.low, span.high)
            level = self._cells.setdefault(size, {})
            for cell in range(first, last + 1):
                level.setdefault(cell, []).append(entry)

    def remove(self, span: Range, entry: Entry) -> None:
        """An entry that was added with that range."""
        if span.high is None:
            self._from.remove(span.low or 0, entry)
        elif span.low is None:
            self._to.remove(span.high, entry)
        else:
            size, first, last = _cells(span.low, span.high)
            level = self._cells[size]
            for cell in range(first, last + 1):
                _drop(level, cell, entry)
            if not level:
                del self._cells[size]

    def at(self, value: int) -> Iterator[Entry]:
        """The entries whose range may hold the value; some of those with two ends do not."""
        for _, _, entry in self._from.at_most(value):
            yield entry
        for _, _, entry in self._to.at_least(value):
            yield entry
        if self._cells:
            for size, level in self._cells.items():
                yield from level.get(value >> size, ())

    def crowd(self, span: Range) -> int:
        """About how many entries would be found with one of this range."""
        if span.high is None:
            return len(self._from) // 2
        if span.low is None:
            return len(self._to) // 2
        size, first, last = _cells(span.low, span.high)
        level = self._cells.get(size, {})
        return max((len(level.get(cell, ())) for cell in range(first, last + 1)), default=0)


def _cells(low: int, high: int) -> tuple[int, int, int]:
    size = max(0, (high - low).bit_length() - CELLS.bit_length() + 1)
    while (high >> size) - (low >> size) >= CELLS:
        size += 1
    return size, low >> size, high >> size


def _drop(lists: dict[Any, list[Entry]], key: Any, entry: Entry) -> None:
    entries = lists[key]
    if len(entries) == 1:
        del lists[key]
    else:
        entries.remove(entry)


class Postings:
    """All entries that stand under a requirement."""

    def __init__(self) -> None:
        self._tokens: dict[str, list[Entry]] = {}
        self._measures: dict[str, Measure] = {}
        self._orderless: dict[int, Entry] = {}

    def add(self, place: Requirement, entry: Entry) -> None:
        for token in place.tokens:
            entries = self._tokens.get(token)
            if token == ORDERLESS:
                # Many stand here, and are seldom asked for.
                self._orderless[entry.number] = entry
            elif entries is None:
                self._tokens[token] = [entry]
            else:
                entries.append(entry)
        for span in place.ranges:
            measure = self._measures.get(span.measure)
            if measure is None:
                measure = self._measures[span.measure] = Measure()
            measure.add(span, entry)

    def remove(self, place: Requirement, entry: Entry) -> None:
        """An entry that was added under that requirement."""
        for token in place.tokens:
            if token == ORDERLESS:
                del self._orderless[entry.number]
            else:
                _drop(self._tokens, token, entry)
        for span in place.ranges:
            self._measures[span.measure].remove(span, entry)

    def find(self, seen: Seen) -> Iterator[Entry]:
        """Entries whose place the situation meets, some more than once, some in vain."""
        for token in seen.tokens & self._tokens.keys():
            yield from self._tokens[token]
        for name, measure in self._measures.items():
            value = seen.measures.get(name)
            if value is not None:
                for entry in measure.at(value):
                    if entry.place is None or met(entry.place, seen):
                        yield entry
        if ORDERLESS in seen.tokens:
            yield from self._orderless.values()

    def crowd(self, place: Requirement) -> int:
        """About how many entries would be found with one that stood here."""
        tokens, measures = self._tokens, self._measures
        count = sum(len(tokens[token]) for token in place.tokens if token in tokens)
        return count + sum(
            measures[span.measure].crowd(span) for span in place.ranges if span.measure in measures
        )


def met(requirement: Requirement, seen: Seen) -> bool:
    """Whether the situation has what is required."""
    if not requirement.tokens.isdisjoint(seen.tokens):
        return True
    return any(span.holds(seen.measures) for span in requirement.ranges)
