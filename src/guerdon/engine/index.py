"""An index over rule sets: of a hundred thousand promotions, the few whose rules may hold in a situation.

From the logic of a rule set follows what must be so, or else it cannot hold: a product that must be in the cart, a
segment the customer must be in, an amount to be reached. Each rule set stands under one such requirement, whichever
leads to the fewest others, and is looked at only when the situation meets it; a window of time is one requirement
more. Rule sets that require nothing that can be looked up are found always.

What is found may hold, what is not found does not: :func:`guerdon.engine.rule.check_rules` has the last word.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from guerdon.engine.discount import AmountOff, Discount, FixedAmount, PercentOff
from guerdon.engine.index_access import FAMILIES, NEVER, requirements
from guerdon.engine.index_members import Members
from guerdon.engine.index_postings import Entry, Postings, Range, Requirement, Seen, met
from guerdon.engine.index_seen import NOW, look, second_of
from guerdon.engine.rule import RuleSet
from guerdon.engine.situation import Situation

Window = tuple[datetime | None, datetime | None]


def is_scoped(discount: Discount | None) -> bool:
    """Whether a discount is given on lines, so that it is refused when no line is in the scope of its rule sets."""
    return isinstance(discount, AmountOff | PercentOff | FixedAmount) and discount.effect != "APPLY_TO_ORDER"


class Index:
    """Ids with the rule sets that must hold for them all. ``families`` are the kinds of conditions it goes by:
    ``Index(families=frozenset({"customer"}))`` finds what a customer may get with any cart.
    """

    def __init__(self, families: frozenset[str] = FAMILIES) -> None:
        self._families = families
        self._entries: dict[str, Entry] = {}
        self._postings = Postings()
        self._always: dict[str, Entry] = {}
        self._collections: dict[str, int] = {}
        self._members = Members()
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def add(
        self,
        id: str,
        rule_sets: Sequence[RuleSet],
        terms_window: Window | None = None,
        *,
        scoped: bool = False,
    ) -> None:
        """Put an id in; one that is there already is replaced. The window's ends are both included.

        ``scoped`` (see :func:`is_scoped`): it does not apply to an order none of whose lines is in the scope of its
        rule sets, or that has not what their bundle is made of; else only their conditions count.
        """
        self.remove(id)
        needs: list[Requirement] = []
        for rule_set in rule_sets:
            needs.extend(requirements(rule_set, self._families, scoped))
        during = None if terms_window is None else _during(terms_window)
        if during is not None:
            needs.append(during)
        place = None
        if needs:
            crowds = [self._postings.crowd(need) for need in needs]
            chosen = crowds.index(min(crowds))
            place = needs.pop(chosen)
        self._number += 1
        entry = Entry(id, self._number, place, tuple(needs))
        self._entries[id] = entry
        if place is None:
            self._always[id] = entry
        else:
            self._postings.add(place, entry)
        self._count_collections(entry, 1)

    def remove(self, id: str) -> None:
        """Take an id out, if it is there."""
        entry = self._entries.pop(id, None)
        if entry is None:
            return
        if entry.place is None:
            del self._always[id]
        else:
            self._postings.remove(entry.place, entry)
        self._count_collections(entry, -1)

    @property
    def collections(self) -> Collection[str]:
        """The collections that are asked about."""
        return self._collections.keys()

    def seen(self, situation: Situation) -> Seen:
        """The situation as the index looks at it; to be looked at once for several questions."""
        return look(situation, self._collections, self._members)

    def candidates(self, situation: Situation, tokens: Seen | None = None) -> list[str]:
        """The ids whose rules may hold, in the order they were put in."""
        seen = self.seen(situation) if tokens is None else tokens
        found: dict[int, str] = {}
        for entry in self._postings.find(seen):
            if entry.number in found:
                continue
            for other in entry.others:
                if not met(other, seen):
                    break
            else:
                found[entry.number] = entry.id
        for id, entry in self._always.items():
            found[entry.number] = id
        return [found[number] for number in sorted(found)]

    def _count_collections(self, entry: Entry, by: int) -> None:
        """Keep count of who asks about which collection: the others need not be looked into."""
        for need in entry.others if entry.place is None else (entry.place, *entry.others):
            for token in need.tokens:
                if token.startswith("in:"):
                    id = token.removeprefix("in:")
                    count = self._collections.get(id, 0) + by
                    if count:
                        self._collections[id] = count
                    else:
                        del self._collections[id]


def _during(window: Window) -> Requirement | None:
    starts_at, expires_at = window
    if starts_at is None and expires_at is None:
        return None
    first = None if starts_at is None else second_of(starts_at)
    last = None if expires_at is None else second_of(expires_at)
    if first is not None and last is not None and first > last:
        return NEVER
    return Requirement(ranges=(Range(NOW, first, last),))
