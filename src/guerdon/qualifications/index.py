"""The index over a project's promotions, one for each kind of scenario: built when it is first asked for, in steps
so that other requests get their turn, and then kept in step with what changes.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from guerdon.definitions.snapshot import Snapshot, Tier
from guerdon.engine.discount import UnitOff
from guerdon.engine.index import Index, is_scoped
from guerdon.engine.index_access import FAMILIES, LINES
from guerdon.engine.rule import RuleSet
from guerdon.engine.situation import Situation
from guerdon.redemptions.candidates import within

BREATH = 200
"""After so many tiers other requests get their turn."""


class Promotions:
    """The active tiers of active campaigns of one snapshot, by what their rules ask for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._indexes: dict[frozenset[str], Index] = {}
        self._asked: dict[str, frozenset[str]] = {}
        self._segments: Counter[str] = Counter()
        self._lock = asyncio.Lock()

    @property
    def segments(self) -> frozenset[str]:
        """The segments that any tier's rules ask for."""
        return frozenset(self._segments)

    def collections(self, families: frozenset[str]) -> Iterable[str]:
        """The product collections that any tier's rules ask for, after `ready`."""
        return self._indexes[families].collections

    async def ready(self, families: frozenset[str]) -> None:
        """Have an index of this kind, in step with the snapshot."""
        if families in self._indexes and not self._snapshot.touched:
            return
        async with self._lock:
            await self._follow()
            if families not in self._indexes:
                await self._build(families)

    def find(self, families: frozenset[str], situation: Situation) -> list[str]:
        """The tiers that may apply, after `ready`; those that are not found do not."""
        return self._indexes[families].candidates(situation)

    async def _build(self, families: frozenset[str]) -> None:
        index = Index(families)
        for count, tier_id in enumerate(list(self._snapshot.tiers), 1):
            self._put(tier_id, {families: index})
            if count % BREATH == 0:
                await asyncio.sleep(0)
        self._indexes[families] = index
        await self._follow()

    async def _follow(self) -> None:
        """Take in what has changed since; before the first index is built, all of it will be new anyway."""
        touched = self._snapshot.touched
        if not self._indexes:
            touched.clear()
        count = 0
        while touched:
            self._put(touched.pop(), self._indexes)
            count += 1
            if count % BREATH == 0:
                await asyncio.sleep(0)

    def _put(self, tier_id: str, indexes: dict[frozenset[str], Index]) -> None:
        snapshot = self._snapshot
        tier = snapshot.tiers.get(tier_id)
        campaign = None if tier is None else snapshot.campaigns.get(tier.campaign_id)
        if tier is None or campaign is None or not (tier.active and campaign.active):
            for index in indexes.values():
                index.remove(tier_id)
            self._ask(tier_id, frozenset())
            return
        rules = snapshot.rules_of(tier.id, tier.campaign_id)
        terms = within(tier.terms, campaign.terms)
        for families, index in indexes.items():
            if families.isdisjoint({"items"}) or names_items(rules, tier):
                window = (terms.start_date, terms.expiration_date)
                index.add(tier_id, rules, window, scoped=families == FAMILIES and is_scoped(terms.discount))
            else:
                index.remove(tier_id)
        self._ask(tier_id, frozenset(name for one in rules for name in one.segments))

    def _ask(self, tier_id: str, segments: frozenset[str]) -> None:
        """Keep count of which segments are asked for."""
        before = self._asked.pop(tier_id, frozenset())
        if segments:
            self._asked[tier_id] = segments
        for name in segments - before:
            self._segments[name] += 1
        for name in before - segments:
            self._segments[name] -= 1
            if not self._segments[name]:
                del self._segments[name]


def names_items(rules: Iterable[RuleSet], tier: Tier) -> bool:
    """Whether its rules or its discount name any product, SKU or collection."""
    if isinstance(tier.terms.discount, UnitOff):
        return True
    return any(
        (one.scope is not None and one.scope.included)
        or one.bundle is not None
        or any(condition.name in LINES for condition in one.conditions.values())
        for one in rules
    )


_built: WeakKeyDictionary[Snapshot, Promotions] = WeakKeyDictionary()


async def promotions(snapshot: Snapshot, families: frozenset[str]) -> Promotions:
    """The index of a snapshot, ready for this kind of question."""
    built = _built.get(snapshot)
    if built is None:
        built = _built[snapshot] = Promotions(snapshot)
    await built.ready(families)
    return built
