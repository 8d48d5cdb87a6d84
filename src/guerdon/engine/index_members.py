"""Which collections a line may belong to, without asking every collection of every line."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from guerdon.engine.filter import Clause, Filter
from guerdon.engine.operators import elements, text_of
from guerdon.engine.situation import Collection

Value = tuple[str, str]
"""A field of a filter and the text of a value of it."""
Read = Callable[[str], Any]


class Members:
    """What is known of collections: who is named in them, and which values their filters cannot do without.

    Collections are never changed: one that is another object than before is read again.
    """

    def __init__(self) -> None:
        self._known: dict[str, Collection] = {}
        self._naming: dict[str, set[str]] = {}
        # By field, then by the text of the value.
        self._asking: dict[str, dict[str, set[str]]] = {}
        self._searched: set[str] = set()

    def learn(self, wanted: Iterable[str], collections: Mapping[str, Collection]) -> None:
        """Take in what is new or has changed among the wanted."""
        for id in wanted:
            collection = collections.get(id)
            if collection is not None and self._known.get(id) is not collection:
                self._forget(id)
                self._take_in(id, collection)

    def naming(self, name: str) -> Iterable[str]:
        """Ids of the collections that name a product or SKU."""
        return self._naming.get(name, ())

    def asking(self, readers: Iterable[Read]) -> set[str]:
        """Ids of the collections whose filters may take one of the things that are read; no other filter does."""
        found = set(self._searched)
        for read in readers:
            for field, values in self._asking.items():
                for value in elements(read(field)):
                    found |= values.get(text_of(value) or "", frozenset())
        return found

    def _take_in(self, id: str, collection: Collection) -> None:
        self._known[id] = collection
        for name in collection.members:
            self._naming.setdefault(name, set()).add(id)
        if collection.filter is None:
            return
        values = needed_values(collection.filter)
        if values is None:
            self._searched.add(id)
        for field, text in values or ():
            self._asking.setdefault(field, {}).setdefault(text, set()).add(id)

    def _forget(self, id: str) -> None:
        before = self._known.pop(id, None)
        if before is None:
            return
        for name in before.members:
            _discard(self._naming, name, id)
        self._searched.discard(id)
        for field, text in (before.filter and needed_values(before.filter)) or ():
            _discard(self._asking[field], text, id)
            if not self._asking[field]:
                del self._asking[field]


def _discard(sets: dict[str, set[str]], key: str, id: str) -> None:
    sets[key].discard(id)
    if not sets[key]:
        del sets[key]


def needed_values(filter: Filter) -> set[Value] | None:
    """Values of which a thing must have one, or else the filter does not take it; None when that cannot be told."""
    needs = [_needed(clause) for clause in filter.clauses]
    if filter.junction == "or":
        if not all(need is not None for need in needs):
            return None
        return {value for need in needs for value in need or ()}
    told = [need for need in needs if need is not None]
    return min(told, key=len, default=None)


def _needed(clause: Clause) -> set[Value] | None:
    for test in clause.tests:
        if test.operator in ("$is", "$in"):
            texts = (text_of(operand) for operand in test.operands)
            return {(clause.field, text) for text in texts if text is not None}
    return None
