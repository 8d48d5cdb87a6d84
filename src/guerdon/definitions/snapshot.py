"""The definitions of one project as the engine wants them, and how they are brought up to date."""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from guerdon.definitions import store
from guerdon.engine import DEFAULT_STACKING, StackingRules, Terms, parse_terms
from guerdon.engine.checks import LimitPolicy
from guerdon.engine.filter import CUSTOMER_FIELDS, Filter, parse_filter
from guerdon.engine.product_fields import PRODUCT_FIELDS
from guerdon.engine.rule import RuleSet, parse_rule_set
from guerdon.engine.situation import Category, Collection
from guerdon.engine.tally import LIMITS
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.log import get_logger

logger = get_logger()

BREATH = 500
"""After so many compiled definitions other requests get their turn."""


class Segment(Struct, kw_only=True, frozen=True):
    """A segment: its members are listed (static) or found by its filter."""

    id: str
    name: str
    type: str
    filter: Filter | None = None


class Campaign(Struct, kw_only=True, frozen=True):
    """A campaign of promotions: its tiers stand under its windows as well as under their own."""

    id: str
    name: str
    active: bool
    terms: Terms
    body: dict[str, Any]
    category_id: str | None = None
    limit_policy: LimitPolicy = "STRICT"
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


class Tier(Struct, kw_only=True, frozen=True):
    """A promotion tier; `terms` is what it gives and when, `body` the same as stored."""

    id: str
    campaign_id: str
    name: str
    banner: str | None
    hierarchy: int
    active: bool
    category_id: str | None
    terms: Terms
    body: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class Stack(Struct, kw_only=True, frozen=True):
    """Tiers that are asked for together, in this order."""

    id: str
    campaign_id: str
    name: str
    tiers: tuple[str, ...]
    category_id: str | None = None
    created_at: datetime | None = None


class Defined(Struct, kw_only=True, frozen=True):
    """A loyalty program or a part of programs as it is stored; `kind` is ``program`` or the part's."""

    id: str
    kind: str
    name: str
    status: str
    body: dict[str, Any]


class Snapshot:
    """Everything defined at `version`. Read it; only this module changes it."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.version = -1
        self.rules: dict[str, RuleSet] = {}
        self.assigned: dict[str, tuple[str, ...]] = {}
        self.campaigns: dict[str, Campaign] = {}
        self.tiers: dict[str, Tier] = {}
        self.tiers_of: dict[str, set[str]] = {}
        self.stacks: dict[str, Stack] = {}
        self.collections: dict[str, Collection] = {}
        self.segments: dict[str, Segment] = {}
        self.categories: dict[str, Category] = {}
        self.category_shapes: dict[str, dict[str, Any]] = {}
        """The same as answers show them."""
        self.schemas: dict[str, tuple[str, dict[str, Any], bool]] = {}
        """Metadata schemas as stored: what each is of, its definitions, whether nothing else is allowed."""
        self.loyalty: dict[str, Defined] = {}
        """Loyalty programs and their parts; guerdon.loyalty.compiled makes of them what the engine wants."""
        self.loyalty_made: dict[str, Any] = {}
        """What it made of them; emptied whenever one of them changes."""
        self.stacking: StackingRules = DEFAULT_STACKING
        self.sessions = False
        self.epochs: dict[str, int] = {}
        self.voucher_rules: dict[str, tuple[str, ...]] = {}
        """By campaign: rules that are assigned to single codes of it and count the whole campaign."""
        self._counted: dict[str, frozenset[str]] = {}
        self._asks_tiers: bool | None = None
        self.touched: set[str] = set()
        """Tiers that changed since somebody built something over them (the qualifications' index)."""

    def rules_of(self, *owners: str | None) -> tuple[RuleSet, ...]:
        """The rule sets assigned to campaigns and tiers, in the order of the owners named."""
        found: list[RuleSet] = []
        for owner in owners:
            if owner is not None:
                found.extend(self.rules[name] for name in self.assigned.get(owner, ()) if name in self.rules)
        return tuple(found)

    def counted(self, campaign_id: str) -> frozenset[str]:
        """The limits over a campaign that any rule of it, of its tiers or of its codes sets: all of its redemptions
        count for them, whichever code they are of."""
        known = self._counted.get(campaign_id)
        if known is None:
            names = {limit for rules in self._all_rules_of(campaign_id) for limit in rules.limits}
            known = frozenset(name for name in names if LIMITS[name].scope == "campaign")
            self._counted[campaign_id] = known
        return known

    def _all_rules_of(self, campaign_id: str) -> tuple[RuleSet, ...]:
        codes = (self.rules[name] for name in self.voucher_rules.get(campaign_id, ()) if name in self.rules)
        return (*self.rules_of(campaign_id, *self.tiers_of.get(campaign_id, ())), *codes)

    @property
    def asks_tiers(self) -> bool:
        """Whether any rule asks for loyalty tiers; told once for each change of rules, since there may be many."""
        if self._asks_tiers is None:
            self._asks_tiers = any(rules.asks_tiers for rules in self.rules.values())
        return self._asks_tiers

    def forget_counted(self) -> None:
        """After a change of rules."""
        self._counted.clear()
        self._asks_tiers = None

    def with_drafts(self) -> "Snapshot":
        """A copy to which things that are not saved can be added; what it holds is shared."""
        copy = Snapshot(self.project_id)
        copy.version, copy.stacking, copy.sessions = self.version, self.stacking, self.sessions
        for name in (
            "rules", "assigned", "campaigns", "tiers", "stacks", "collections", "segments", "categories", "epochs",
            "schemas", "voucher_rules", "category_shapes", "loyalty", "loyalty_made",
        ):  # fmt: skip
            setattr(copy, name, dict(getattr(self, name)))
        copy.tiers_of = {campaign: set(tiers) for campaign, tiers in self.tiers_of.items()}
        return copy

    def touch(self, owner: str) -> None:
        """Note that a tier, or all tiers of a campaign, are not as they were."""
        self.touched.add(owner)
        self.touched.update(self.tiers_of.get(owner, ()))

    def put_rule(self, rules: RuleSet) -> None:
        """Add a rule set, or what it has become; what is built over tiers depends on their rules."""
        self.rules[rules.id] = rules
        self._asks_tiers = None
        for owner, names in self.assigned.items():
            if rules.id in names:
                self.touch(owner)

    def assign(self, owner: str, rules: tuple[str, ...]) -> None:
        """Give a campaign or tier these rules and no others."""
        if rules:
            self.assigned[owner] = rules
        else:
            self.assigned.pop(owner, None)
        self.touch(owner)

    def put_campaign(self, campaign: Campaign) -> None:
        """Add a campaign, or what it has become."""
        self.campaigns[campaign.id] = campaign
        self.touch(campaign.id)

    def put_tier(self, tier: Tier) -> None:
        """Add a tier, or what it has become."""
        self.drop_tier(tier.id)
        self.tiers[tier.id] = tier
        self.tiers_of.setdefault(tier.campaign_id, set()).add(tier.id)

    def drop_tier(self, tier_id: str) -> None:
        """Take a tier out."""
        old = self.tiers.pop(tier_id, None)
        if old is not None:
            self.tiers_of.get(old.campaign_id, set()).discard(tier_id)
        self.touched.add(tier_id)


class Snapshots:
    """The snapshots of a process, by project; of some `kinds` of definitions alone, if they are named."""

    def __init__(self, kinds: frozenset[str] | None = None) -> None:
        self._kinds = kinds
        self._kept: dict[str, Snapshot] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def at(self, conn: db.Db, project_id: str, version: int) -> Snapshot:
        """The definitions at `version` or later: what was read already, or brought up to it on `conn`."""
        kept = self._kept.get(project_id)
        if kept is not None and kept.version >= version:
            return kept
        async with self._locks.setdefault(project_id, asyncio.Lock()):
            kept = self._kept.get(project_id)
            if kept is None or kept.version < version:
                kept = await bring_up(conn, project_id, kept, self._kinds)
                self._kept[project_id] = kept
            return kept

    async def current(self, conn: db.Db, project_id: str) -> Snapshot:
        """The definitions as they are now."""
        return await self.at(conn, project_id, await store.version(conn, project_id))


async def bring_up(
    conn: db.Db, project_id: str, kept: Snapshot | None, only: frozenset[str] | None = None
) -> Snapshot:
    """A snapshot as of now: only what changed is read again, unless it is too far behind.

    `only` are the kinds of definitions it is to have.
    """
    version, changes = await store.changes(conn, project_id, None if kept is None else kept.version)
    if kept is None or changes is None:
        snapshot = Snapshot(project_id)
        with _uncollected():
            await _load(conn, snapshot, None, only)
        snapshot.version = version
        logger.info("definitions loaded", project=project_id, version=version, tiers=len(snapshot.tiers))
        return snapshot
    await _load(conn, kept, changes, only)
    kept.version = version
    return kept


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing of what is compiled is garbage: looking through it again and again would cost most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _load(
    conn: db.Db,
    snapshot: Snapshot,
    changes: Mapping[str, list[str]] | None,
    only: frozenset[str] | None = None,
) -> None:
    """Read everything (`changes` None), or the things named by kind; what is not found any more is dropped.

    Changes are applied without a pause: whoever decides meanwhile sees all of them or none.
    """
    kinds = {
        kind: reader
        for kind, reader in _READERS.items()
        if (changes is None or changes.get(kind)) and (only is None or kind in only)
    }
    found = {
        kind: await read(conn, snapshot.project_id, None if changes is None else changes[kind])
        for kind, (read, _, _) in kinds.items()
    }
    for kind, (_, put, drop) in kinds.items():
        for name in () if changes is None else changes[kind]:
            drop(snapshot, name)
        for count, record in enumerate(found.pop(kind), 1):
            try:
                put(snapshot, record)
            except Exception as error:  # checked before it was stored: one bad row must not stop the shop
                logger.error("definition cannot be read", kind=kind, id=record["id"], error=repr(error))
            if changes is None and count % BREATH == 0:
                await asyncio.sleep(0)
    if only is None and (changes is None or "rule" in changes or "assignment" in changes):
        await _load_counting(conn, snapshot)
    snapshot.forget_counted()


async def _load_counting(conn: db.Db, snapshot: Snapshot) -> None:
    """Since when what is counted, and which single codes have a say over their whole campaign."""
    # Epochs are versions: a snapshot that is kept knows those up to its own.
    snapshot.epochs |= await store.epochs(conn, snapshot.project_id, snapshot.version)
    counting = [
        rules.id
        for rules in snapshot.rules.values()
        if rules.limits and any(LIMITS[name].scope == "campaign" for name in rules.limits)
    ]
    found = await store.voucher_rules(conn, snapshot.project_id, counting) if counting else []
    snapshot.voucher_rules = {record["id"]: tuple(record["rules"]) for record in found}


def _put_rule(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.put_rule(parse_rule_set(r["body"], id=r["id"], name=r["name"]))


def _put_assignment(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.assign(r["id"], tuple(r["rules"]))


def _drop_assignment(snapshot: Snapshot, name: str) -> None:
    snapshot.assign(name, ())


def _put_campaign(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.put_campaign(
        Campaign(
            id=r["id"],
            name=r["name"],
            active=r["active"],
            terms=parse_terms(r["body"]),
            body=r["body"],
            category_id=r["category_id"],
            limit_policy=(r["options"] or {}).get("limit_policy") or "STRICT",
            metadata=r["metadata"],
            created_at=r["created_at"],
        )
    )


def _drop_campaign(snapshot: Snapshot, name: str) -> None:
    snapshot.campaigns.pop(name, None)
    snapshot.touch(name)


def _put_tier(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.put_tier(
        Tier(
            id=r["id"],
            campaign_id=r["campaign_id"],
            name=r["name"],
            banner=r["banner"],
            hierarchy=r["hierarchy"],
            active=r["active"],
            category_id=r["category_id"],
            terms=parse_terms(r["body"]),
            body=r["body"],
            metadata=r["metadata"],
            created_at=r["created_at"],
            updated_at=r["updated_at"],
        )
    )


def _put_stack(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.stacks[r["id"]] = Stack(
        id=r["id"],
        campaign_id=r["campaign_id"],
        name=r["name"],
        tiers=tuple(r["tiers"]),
        category_id=r["category_id"],
        created_at=r["created_at"],
    )


def _put_collection(snapshot: Snapshot, r: db.Record) -> None:
    names = (name for p in r["products"] for name in (p.get("id"), p.get("source_id")) if name)
    snapshot.collections[r["id"]] = Collection(
        id=r["id"],
        name=r["name"],
        members=frozenset(names),
        filter=None if r["filter"] is None else parse_filter(r["filter"], "filter", PRODUCT_FIELDS),
    )


def _put_segment(snapshot: Snapshot, r: db.Record) -> None:
    stored = r["filter"] if r["type"] != "static" else None
    snapshot.segments[r["id"]] = Segment(
        id=r["id"],
        name=r["name"],
        type=r["type"],
        filter=None if stored is None else parse_filter(stored, "filter", CUSTOMER_FIELDS),
    )


def _put_category(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.categories[r["id"]] = Category(id=r["id"], name=r["name"], hierarchy=r["hierarchy"])
    shown = {
        "id": r["id"],
        "name": r["name"],
        "hierarchy": r["hierarchy"],
        "created_at": iso(r["created_at"]),
    }
    changed = {} if r["updated_at"] is None else {"updated_at": iso(r["updated_at"])}
    snapshot.category_shapes[r["id"]] = shown | changed | {"object": "category"}


def _drop_category(snapshot: Snapshot, key: str) -> None:
    snapshot.categories.pop(key, None)
    snapshot.category_shapes.pop(key, None)


def _put_schema(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.schemas[r["id"]] = (r["related_object"], r["properties"], r["allow_defined_only"])


def _put_loyalty(snapshot: Snapshot, r: db.Record) -> None:
    snapshot.loyalty_made.clear()
    snapshot.loyalty[r["id"]] = Defined(
        id=r["id"], kind=r["kind"], name=r["name"], status=r["status"], body=r["body"]
    )


def _drop_loyalty(snapshot: Snapshot, key: str) -> None:
    snapshot.loyalty_made.clear()
    snapshot.loyalty.pop(key, None)


def _put_stacking(snapshot: Snapshot, r: db.Record) -> None:
    rules = (r["settings"] or {}).get("stacking_rules")
    snapshot.sessions = bool((r["settings"] or {}).get("sessions"))
    snapshot.stacking = DEFAULT_STACKING if rules is None else msgspec.convert(rules, StackingRules)


def _drop_from(name: str) -> Any:
    def drop(snapshot: Snapshot, key: str) -> None:
        getattr(snapshot, name).pop(key, None)

    return drop


def _keep(snapshot: Snapshot, key: str) -> None:
    """Read again, never gone."""


# In this order: what is built over tiers looks at rules and assignments.
_READERS: dict[str, tuple[Any, Any, Any]] = {
    "collection": (store.collections, _put_collection, _drop_from("collections")),
    "segment": (store.segments, _put_segment, _drop_from("segments")),
    "category": (store.categories, _put_category, _drop_category),
    "schema": (store.schemas, _put_schema, _drop_from("schemas")),
    "stacking": (store.stacking, _put_stacking, _keep),
    "rule": (store.rules, _put_rule, _drop_from("rules")),
    "assignment": (store.assignments, _put_assignment, _drop_assignment),
    "campaign": (store.campaigns, _put_campaign, _drop_campaign),
    "tier": (store.tiers, _put_tier, lambda snapshot, name: snapshot.drop_tier(name)),
    "stack": (store.stacks, _put_stack, _drop_from("stacks")),
    "loyalty": (store.loyalty, _put_loyalty, _drop_loyalty),
}
