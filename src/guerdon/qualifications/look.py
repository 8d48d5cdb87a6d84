"""What a qualification sees: the request, its project, and about each candidate all that a validation would see."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from guerdon.definitions.snapshot import Snapshot
from guerdon.engine import Order
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.errors import not_found
from guerdon.products import catalog
from guerdon.qualifications import store
from guerdon.qualifications.index import Promotions, promotions
from guerdon.qualifications.places import Place
from guerdon.qualifications.scenarios import Scenario
from guerdon.redemptions import cards, counted, holds, published, referring, tallies
from guerdon.redemptions.asks import RedeemAsk
from guerdon.redemptions.candidates import (
    NO_RULES,
    Candidate,
    candidates,
    ruled_voucher,
    tier_candidate,
    voucher_candidate,
)
from guerdon.redemptions.drafted import join_campaigns
from guerdon.redemptions.gather import Seen, gather, look_into_collections, units_of
from guerdon.redemptions.memory import Memory
from guerdon.redemptions.shapes import RedeemableIn
from guerdon.referrals import screen
from guerdon.vouchers.locked import Voucher


class Offer(Struct, gc=False):
    """One thing that may be listed: a tier, a code, a campaign of codes (as an unused code of it), or the tiers of a
    stack. `place` is where it stands in lists.
    """

    place: Place
    id: str
    object: str
    parts: list[Candidate]

    @property
    def voucher(self) -> Voucher | None:
        """The code, if it is one, or what stands for a campaign's."""
        return self.parts[0].voucher


class Look(Struct):
    """A qualification under way: on which connection, of what, and what was found out so far."""

    conn: db.Db
    memory: Memory
    ask: RedeemAsk
    seen: Seen
    base: Snapshot
    order: Order | None
    customer_id: str | None
    situation: Situation
    asked: set[str] = field(default_factory=set)
    """The segments that were looked into."""
    referee_of: set[str] = field(default_factory=set)
    """The referral codes that the customer was named for, as far as they were met."""

    @property
    def snapshot(self) -> Snapshot:
        """The definitions to decide by: those saved, or with drafts over them."""
        return self.seen.snapshot


async def look(conn: db.Db, memory: Memory, ask: RedeemAsk) -> Look:
    """See what a request is about. Raises `ApiError` for customers and orders that do not exist."""
    ask.open = True
    seen = await gather(conn, ask.caller.project_id, [ask], [], memory, lock=False)
    for person in (ask.customer, ask.referrer):
        if person is not None and person.id and seen.customers.find(person) is None:
            raise not_found("customer", person.id)
    order = seen.order_for(ask)[1]
    known = seen.customers.find(ask.customer)
    base = seen.snapshot
    if ask.hypothetical:
        base = await memory.snapshots.at(conn, seen.project_id, base.version)
    situation = counted.situation_of(seen, ask, order, {})
    return Look(conn, memory, ask, seen, base, order, None if known is None else known.id, situation)


async def tiers(at: Look, scenario: Scenario) -> list[str]:
    """The ids of tiers that may apply, by the index; what drafts touched is looked at in any case."""
    built = await promotions(at.base, scenario.families)
    changed = {} if at.snapshot is at.base else dict.fromkeys(sorted(at.snapshot.touched))
    rules = [rule for name in changed for rule in at.snapshot.rules_of(name)]
    segments = built.segments.union(*(rule.segments for rule in rules))
    await _look_into(at, segments, _collections(built, scenario, rules))
    found = built.find(scenario.families, at.situation)
    if changed:
        found = [name for name in found if name not in changed] + list(changed)
    return [name for name in found if name in at.snapshot.tiers]


def _collections(built: Promotions, scenario: Scenario, rules: Iterable[Any]) -> set[str]:
    return set(built.collections(scenario.families)).union(*(rule.collections for rule in rules))


def offer_of(at: Look, tier_id: str) -> Offer | None:
    """A tier, if it is there."""
    tier = at.snapshot.tiers.get(tier_id)
    if tier is None:
        return None
    asked = RedeemableIn(id=tier_id, object="promotion_tier")
    candidate = tier_candidate(at.snapshot, asked, 0, tier)
    return Offer((tier.created_at, tier_id), tier_id, "promotion_tier", [candidate])


def stacks(at: Look) -> list[Offer]:
    """All stacks of promotions that have any tier left."""
    found: list[Offer] = []
    for stack in at.snapshot.stacks.values():
        asked = RedeemableIn(id=stack.id, object="promotion_stack")
        parts = candidates(at.snapshot, asked, 0, None, NO_RULES, 0)
        if any(part.tier is not None for part in parts):
            made = stack.created_at or at.seen.now
            found.append(Offer((made, stack.id), stack.id, "promotion_stack", parts))
    return found


async def codes(at: Look, found: Sequence[Voucher]) -> list[Offer]:
    """Codes as candidates: with their terms, their rules, and what the sessions of others hold of them."""
    seen = at.seen
    if seen.snapshot.sessions and found:
        held = [f"v:{voucher.id}" for voucher in found]
        held += [f"c:{voucher.id}" for voucher in found if voucher.type != "DISCOUNT_VOUCHER"]
        seen.holds = seen.holds | await holds.look(at.conn, seen.project_id, held, seen.now)
    await cards.look(at.conn, seen, found)
    return await _offers(at, found, "voucher")


async def campaigns(at: Look, found: Sequence[Voucher]) -> list[Offer]:
    """Campaigns of bulk codes as candidates: what an unused code of each would be worth."""
    if at.seen.drafted is not None:
        join_campaigns(at.seen.drafted, found)
    return await _offers(at, found, "campaign")


async def _offers(at: Look, found: Sequence[Voucher], object: str) -> list[Offer]:
    seen = at.seen
    if object == "voucher":
        await _screen(at, found)
    read = [voucher for voucher in found if voucher.kept is None]
    await at.memory.terms.fill(at.conn, seen.project_id, read)
    offers: list[Offer] = []
    for voucher in found:
        if voucher.kept is None:
            continue
        id = voucher.code if object == "voucher" else voucher.id
        taken = seen.held(f"v:{voucher.id}", at.ask.session_key) if seen.holds else 0
        ruled = ruled_voucher(seen.snapshot, voucher)
        candidate = voucher_candidate(seen.snapshot, RedeemableIn(id=id), 0, voucher, ruled, taken)
        if voucher.type != "DISCOUNT_VOUCHER":
            seen.equip(at.ask, candidate)
        if voucher.is_referral_code and object == "voucher":
            candidate.redeemable.refused = referring.refusal(seen, at.ask, voucher)
        offers.append(Offer((voucher.created_at, voucher.id), id, object, [candidate]))
    return offers


async def _screen(at: Look, found: Sequence[Voucher]) -> None:
    """Find out who may have the referral codes among these, and which the customer was named for."""
    ids = [voucher.id for voucher in found if voucher.is_referral_code]
    if not ids:
        return
    who = [] if at.customer_id is None else [at.customer_id]
    known = await screen.gather(at.conn, at.seen.project_id, ids, who)
    if at.seen.referring is None:
        at.seen.referring = known
    at.seen.referring.codes.update(known.codes)
    at.seen.referring.referred |= known.referred
    at.seen.referring.countries.update(known.countries)
    if at.customer_id is not None:
        at.referee_of |= await store.referee_of(at.conn, at.seen.project_id, at.customer_id, ids)


async def know(at: Look, offers: Sequence[Offer]) -> None:
    """Find out what the rules and discounts of these offers want to know, for all of them at once."""
    seen = at.seen
    parts = [part.redeemable for offer in offers for part in offer.parts]
    units = {name for one in parts for name in units_of(one.terms)}
    missing = {name for name in units if name not in seen.known}
    if missing:
        seen.known = {**seen.known, **await catalog.load(at.conn, seen.project_id, missing)}
    every = [part for offer in offers for part in offer.parts]
    await published.fill(at.conn, seen.project_id, every, at.customer_id)
    rules = [rule for one in parts for rule in one.rules]
    segments = {name for rule in rules for name in rule.segments}
    await _look_into(at, segments, {name for rule in rules for name in rule.collections})
    keys = counted.keys_of(parts, at.order, at.situation) - seen.tallies.keys()
    if keys:
        used = await tallies.look(at.conn, seen.project_id, keys, seen.zone, (), lock=False)
        seen.tallies = seen.tallies | used
        if seen.snapshot.sessions:
            seen.holds = seen.holds | await holds.look(at.conn, seen.project_id, keys, seen.now)
        at.situation.used = counted.used_by_others(seen, at.ask.session_key)


async def _look_into(at: Look, segments: Iterable[str], collections: Iterable[str]) -> None:
    """Have the customer's segments, and the collections that lines cannot tell of, in the situation."""
    seen, wanted = at.seen, at.asked | set(segments)
    if wanted - at.asked:
        await counted.look_into_segments(at.conn, seen, [at.ask], wanted)
        at.asked = wanted
        at.situation.customer = counted.person_of(seen, at.ask)
    unknown = [
        name for name in collections if seen.collections.get(name) is seen.snapshot.collections.get(name)
    ]
    if unknown and seen.known:
        await look_into_collections(at.conn, seen, unknown)
        at.situation.collections = seen.collections


def facts_of(at: Look, offer: Offer) -> dict[str, str | None]:
    """What filters may ask of an offer."""
    part, voucher = offer.parts[0], offer.voucher
    redeemable = part.redeemable
    facts: dict[str, str | None] = {
        "category_id": None if redeemable.category is None else redeemable.category.id,
        "campaign_id": redeemable.campaign_id,
        "campaign_type": "PROMOTION",
        "resource_id": offer.id,
        "resource_type": offer.object,
        "voucher_type": None,
        "code": None,
        "holder_role": None,
    }
    if voucher is None:
        return facts
    if offer.object == "campaign":
        return facts | {"campaign_type": campaign_type(voucher), "voucher_type": voucher.type}
    mine = voucher.holder_id is not None and voucher.holder_id == at.customer_id
    return facts | {
        "campaign_type": None if voucher.campaign_id is None else campaign_type(voucher),
        "resource_id": voucher.id,
        "voucher_type": voucher.type,
        "code": voucher.code_key,
        "holder_role": _role(at, voucher) if mine or voucher.is_referral_code else None,
    }


def campaign_type(voucher: Voucher) -> str:
    """What kind of campaign a code is of."""
    if voucher.is_referral_code:
        return "REFERRAL_PROGRAM"
    kinds = {"GIFT_VOUCHER": "GIFT_VOUCHERS", "LOYALTY_CARD": "LOYALTY_PROGRAM"}
    return kinds.get(voucher.type, "DISCOUNT_COUPONS")


def _role(at: Look, voucher: Voucher) -> str | None:
    if not voucher.is_referral_code:
        return "OWNER"
    if voucher.holder_id == at.customer_id:
        return "REFERRER"
    return "REFEREE" if voucher.id in at.referee_of else None


async def usable(at: Look, found: Iterable[Voucher]) -> list[Voucher]:
    """Those codes that are for anybody, or for this customer, as `codes` of the store finds them."""
    vouchers = list(found)
    await _screen(at, vouchers)
    return [voucher for voucher in vouchers if _usable(at, voucher)]


def _usable(at: Look, voucher: Voucher) -> bool:
    if voucher.id in at.referee_of:
        return True
    if voucher.holder_id is not None:
        return voucher.holder_id == at.customer_id
    if voucher.type != "DISCOUNT_VOUCHER":
        return False  # whoever has the code of such a card has what is on it
    return voucher.campaign_id is None or voucher.generic or voucher.id.startswith("v_draft")
