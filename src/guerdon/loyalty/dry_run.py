"""What something would earn, had it happened: rules are asked as they would be, and nothing is written."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from guerdon.customers.locked import CustomerIn
from guerdon.engine.earning import earn, earning_tallies
from guerdon.engine.earning_rule import Earnings, Member
from guerdon.kit import db
from guerdon.loyalty import members_store
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.earn import LAST, Batch, Case, situation_of
from guerdon.loyalty.happened import know
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place
from guerdon.segments.members import memberships

USED = "select key, used from tallies where project_id = $1 and key = any($2)"


async def would_earn(
    conn: db.Db, place: Place, case: Case, metadata: Mapping[str, Any] | None = None
) -> Earnings:
    """What a case would give; `metadata` is put over the customer's for it."""
    program, member = case.program, case.member
    batch = Batch(place, [case])
    customers = [member.customer_id] if member.customer_id else []
    batch.known = await know(
        conn, place, [case.happened], customers, program.earning.segments, program.earning.collections,
        tiers=program.earning.asks_tiers,
    )  # fmt: skip
    person = batch.known.people.get(member.customer_id)
    if person is not None and metadata:
        person.metadata = {**person.metadata, **metadata}
        inside = await would_be_in(conn, place, member.customer_id, program.earning.segments, metadata)
        person.segments = inside
    situation = situation_of(batch, case)
    keys = earning_tallies(program.earning, case.happened.happening, member.id, situation)
    situation.used = {
        record["key"]: record["used"] for record in await db.records(conn, USED, place.project_id, list(keys))
    }
    return earn(
        program.earning, case.happened.happening, await _member(conn, place, program, member), situation
    )


async def would_be_in(
    conn: db.Db, place: Place, customer_id: str, segments: frozenset[str], metadata: Mapping[str, Any]
) -> frozenset[str]:
    """Those of the segments that a customer would be in with other metadata."""
    wanted = {name: place.snapshot.segments[name] for name in segments if name in place.snapshot.segments}
    if not wanted:
        return frozenset()
    said = {customer_id: CustomerIn(metadata=dict(metadata))}
    found = await memberships(
        conn, place.project_id, [customer_id], wanted, now=place.now, zone=place.zone, said=said
    )
    return found.get(customer_id, frozenset())


async def _member(conn: db.Db, place: Place, program: Program, member: MemberRow) -> Member:
    cards = await members_store.cards_of(conn, place.project_id, [member.id])
    on_them = await members_store.shown(conn, place.project_id, [card.id for card in cards])
    balances = dict.fromkeys((name for name, card in program.cards.items() if card.active), 0)
    for card in cards:
        if card.definition_id in balances and card.id in on_them:
            balances[card.definition_id] = on_them[card.id].balance + card.pending
    last = await db.records(conn, LAST, place.project_id, [member.id], sorted(program.earning.rests))
    tier = None if program.tiers is None else program.tiers.tier(member.tier_id)
    return Member(
        id=member.id,
        balances=balances,
        tier=member.tier_id,
        mapped={} if tier is None else tier.earning,
        last={record["rule_id"]: record["at"] for record in last},
        metadata=member.metadata,
    )


def with_metadata(member: MemberRow, metadata: Mapping[str, Any] | None) -> MemberRow:
    """A member with metadata put over theirs."""
    return replace(member, metadata={**member.metadata, **metadata}) if metadata else member
