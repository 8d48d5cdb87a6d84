"""What rules want to know beyond the rows themselves: how much of each limit is used, who is in which segment."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from guerdon.customers.locked import CustomerIn
from guerdon.engine import Order, Redeemable
from guerdon.engine.scope import budget_keys
from guerdon.engine.situation import Person, Situation
from guerdon.engine.tally import key_asked
from guerdon.kit import db
from guerdon.kit.errors import ApiError
from guerdon.loyalty.tiers_of import tiers_of
from guerdon.redemptions import holds, tallies
from guerdon.redemptions.asks import RedeemAsk, RollbackAsk
from guerdon.redemptions.candidates import (
    NO_RULES,
    Candidate,
    Ruled,
    needs_situation,
    ruled_gone,
    ruled_tier,
    ruled_voucher,
)
from guerdon.segments import members

NEW = "new:"
"""Begins the id of a customer who is not stored yet, in validations."""


def mark(seen: Any, redeems: Sequence[RedeemAsk]) -> None:
    """Find out what stands under which rules, and which requests they have a say in."""
    for voucher in seen.vouchers.values():
        if voucher.kept is not None:
            ruled = ruled_voucher(seen.snapshot, voucher)
            if ruled is not NO_RULES:
                seen.ruled[voucher.id] = ruled
    for ask in redeems:
        ask.found = ask.known = None
        repeated = ask.key is not None and ask.key in seen.stored
        ask.ruled = not repeated and (ask.open or any(needs_situation(one) for one in seen.candidates(ask)))


async def gather(
    conn: db.Db,
    seen: Any,
    redeems: Sequence[RedeemAsk],
    rollbacks: Sequence[RollbackAsk],
    *,
    lock: bool,
    also: Iterable[str] = (),
) -> None:
    """Fill in the tallies that requests use (and `also`), what sessions hold, and the segments that rules ask for."""
    keys = set(also)
    segments: set[str] = set()
    tiers = False
    asking = [ask for ask in redeems if ask.ruled]
    for ask in asking:
        found = [one for one in seen.candidates(ask) if needs_situation(one)]
        keys.update(_keys(seen, ask, found))
        segments.update(name for one in found for rules in one.redeemable.rules for name in rules.segments)
        tiers = tiers or _asks_tiers(seen, ask, found)
    for ask in rollbacks:
        keys.update(_keys_back(seen, ask))
    if keys:
        new = seen.customers.new
        seen.tallies = await tallies.look(conn, seen.project_id, keys, seen.zone, new, lock=lock)
    if seen.snapshot.sessions:
        held = [*keys, *(f"v:{name}" for name in seen.vouchers), *(f"c:{name}" for name in seen.book.cards)]
        seen.holds = await holds.look(conn, seen.project_id, held, seen.now)
    if segments:
        await look_into_segments(conn, seen, asking, segments)
    if tiers:
        known = [one.id for ask in asking if (one := seen.customers.find(ask.customer)) is not None]
        seen.tiers = await tiers_of(conn, seen.project_id, known)


def _asks_tiers(seen: Any, ask: RedeemAsk, found: Sequence[Candidate]) -> bool:
    """Whether a rule that may have a say in a request asks for tiers; in a qualification it may be any rule."""
    if ask.open:
        return seen.snapshot.asks_tiers
    return any(rules.asks_tiers for one in found for rules in one.redeemable.rules)


def _keys(seen: Any, ask: RedeemAsk, found: Sequence[Candidate]) -> set[str]:
    """The tallies that the candidates of a request use or look at."""
    try:
        order = seen.order_for(ask)[1]
    except ApiError:
        return set()  # it will be said when the request has its turn
    known = seen.customers.find(ask.customer)
    who = (
        known.id
        if known is not None
        else ask.customer and ask.customer.source_id and NEW + ask.customer.source_id
    )
    situation = Situation(
        now=seen.now,
        zone=seen.zone,
        week_start=seen.week_start,
        order=order,
        customer=Person(id=who) if who else None,
        api_key=ask.caller.app_id,
        collections=seen.collections,
    )
    return keys_of([one.redeemable for one in found], order, situation)


def keys_of(redeemables: Sequence[Redeemable], order: Order | None, situation: Situation) -> set[str]:
    """The tallies that redeemables use or look at, on this order."""
    keys: set[str] = set()
    for redeemable in redeemables:
        redeemable.keyed = {name: key_asked(name, redeemable, situation) for name in redeemable.limits}
        keys.update(key for key in redeemable.keyed.values() if key is not None)
        scopes = [rules.scope for rules in redeemable.rules if rules.scope is not None]
        if scopes:
            keys.update(budget_keys(scopes, order, situation, redeemable))
    return keys


def _keys_back(seen: Any, ask: RollbackAsk) -> set[str]:
    return {
        key
        for i in ask.redemption_ids
        if i in seen.redemptions
        for key in takes_back(seen, seen.redemptions[i])
    }


def takes_back(seen: Any, taken: Any) -> dict[str, int]:
    """What a redemption counts for in the tallies there are: by key, with what it took of budgets of units and of
    the value of orders; how much it counts for otherwise depends on how much comes back.
    """
    ruled = ruled_redemption(seen, taken)
    units = {} if taken.takes is None else msgspec.json.decode(taken.takes).get("units", {})
    if not ruled.limits:
        return units
    redeemable = _like(taken, ruled)
    situation = Situation(
        now=taken.created_at,
        zone=seen.zone,
        week_start=seen.week_start,
        customer=None if taken.customer_id is None else Person(id=taken.customer_id),
        api_key=taken.channel_id,
    )
    found = {key: 0 for name in ruled.limits if (key := key_asked(name, redeemable, situation))}
    return found | units


def ruled_redemption(seen: Any, taken: Any) -> Ruled:
    """The rules under which the redeemable of a redemption stands now; if it is deleted, what its campaign counts."""
    if taken.voucher_id in seen.vouchers:
        return seen.ruled.get(taken.voucher_id, NO_RULES)
    tier = seen.snapshot.tiers.get(taken.promotion_tier_id or "")
    return ruled_gone(seen.snapshot, taken.campaign_id) if tier is None else ruled_tier(seen.snapshot, tier)


def _like(taken: Any, ruled: Ruled) -> Any:
    return Redeemable(
        id=taken.related_object_id,
        key=taken.voucher_id or taken.promotion_tier_id or "",
        campaign_id=taken.campaign_id,
        rules=ruled.rules,
        limits=ruled.limits,
        epoch=ruled.epoch,
        campaign_epoch=ruled.campaign_epoch,
    )


async def look_into_segments(
    conn: db.Db, seen: Any, asking: Sequence[RedeemAsk], wanted: Collection[str]
) -> None:
    """Which of the segments that rules ask for the customers of these requests are in."""
    segments = {name: seen.snapshot.segments[name] for name in wanted if name in seen.snapshot.segments}
    said: dict[str, CustomerIn] = {}
    for ask in asking:
        if ask.customer is None:
            continue
        known = seen.customers.find(ask.customer)
        if known is not None:
            said[known.id] = ask.customer
        elif ask.customer.source_id:
            name = NEW + ask.customer.source_id
            seen.segments[name] = members.would_belong(ask.customer, segments, seen.now, seen.zone)
    if said and segments:
        seen.segments |= await members.memberships(
            conn, seen.project_id, list(said), segments, now=seen.now, zone=seen.zone, said=said
        )


def person_of(seen: Any, ask: RedeemAsk) -> Person | None:
    """The customer of a request as rules see one: as stored, with what the request says over it."""
    said = ask.customer
    known = seen.customers.find(said)
    if said is None or (known is None and not said.source_id):
        return None
    customer_id = known.id if known is not None else NEW + (said.source_id or "")
    return Person(
        id=customer_id,
        source_id=said.source_id if known is None else known.source_id,
        name=said.name or (known and known.name) or None,
        email=said.email or (known and known.email) or None,
        phone=said.phone or (known and known.phone) or None,
        birthdate=said.birthdate or seen.customers.birthdates.get(customer_id),
        metadata={**(known.metadata if known else {}), **(said.metadata or {})},
        segments=seen.segments.get(customer_id, frozenset()),
        loyalty_tiers=seen.tiers.get(customer_id, frozenset()),
    )


def situation_of(seen: Any, ask: RedeemAsk, order: Order | None, used: Mapping[str, int]) -> Situation:
    """All that the rules of a request may look at."""
    return Situation(
        now=seen.now,
        zone=seen.zone,
        week_start=seen.week_start,
        order=order,
        initial=order,
        customer=person_of(seen, ask),
        metadata=ask.data.metadata or {},
        api_key=ask.caller.app_id,
        used=used,
        collections=seen.collections,
        segments=seen.snapshot.segments,
        exponent=seen.exponent,
    )


def used_by_others(seen: Any, session_key: str | None) -> Mapping[str, int]:
    """The tallies of the batch with what the sessions of others hold."""
    if not seen.holds:
        return seen.tallies
    return {key: used + seen.held(key, session_key) for key, used in seen.tallies.items()}
