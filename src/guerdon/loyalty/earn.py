"""Earning: what happened goes through the rules of every program that waits for it, a batch in one transaction.

Nothing is earned twice, whatever is told twice or begun again: an earning is unique by its card, its cause and the
rule's effect, and the job that asked for it ends in the transaction that writes it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from guerdon.engine.earning import earn, earning_tallies
from guerdon.engine.earning_rule import CustomEvent, Earned, Earnings, Member, OrderPaid
from guerdon.engine.expiry import EARNING, Sliding
from guerdon.engine.ledger import Why
from guerdon.engine.pending import EventBased
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue
from guerdon.loyalty import benefits, members_store, sheet, tallies
from guerdon.loyalty.benefits import BenefitRow
from guerdon.loyalty.compiled import Program, programs, waiting_for
from guerdon.loyalty.enrol import NewMember, enrol
from guerdon.loyalty.happened import Happened, Known, know, read
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place, held_place, running
from guerdon.loyalty.sheet import Earning, Sheet, Waiting, open_sheet
from guerdon.loyalty.standing import restand

WAKE = "loyalty.wake"

Told = tuple[str, Mapping[str, Any], datetime]
"""A job's id and payload, and when it was written."""

DONE = """
    select distinct e.member_id, e.cause_id from unnest($2::text[], $3::text[]) as w (card_id, cause_id)
    join loyalty_earnings e on e.project_id = $1 and e.card_id = w.card_id and e.cause_id = w.cause_id
"""
LAST = """
    select member_id, rule_id, max(happened_at) as at from loyalty_earnings
    where project_id = $1 and member_id = any($2) and rule_id = any($3) group by member_id, rule_id
"""


class Case(Struct):
    """Something that happened to a member of a program that waits for it."""

    happened: Happened
    program: Program
    member: MemberRow


class Batch(Struct):
    """What is decided on, beside the sheet."""

    place: Place
    cases: list[Case]
    known: Known = field(default_factory=Known)
    used: dict[str, int] = field(default_factory=dict)
    last: dict[str, dict[str, datetime]] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)
    takes: dict[str, int] = field(default_factory=dict)
    benefits: list[BenefitRow] = field(default_factory=list)


async def earn_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Give what rules give for all that happened, in the transaction that is open."""
    await earn_at(conn, await held_place(conn, project_id), told)


async def earn_at(conn: db.Conn, place: Place, told: Sequence[Told]) -> None:
    """The same at an instant of a project that is held already."""
    happened = await read(conn, place, told)
    await _have_woken(conn, place, happened)
    cases = await _cases(conn, place, happened)
    if not cases:
        return
    members = {case.member.id: case.member for case in cases}
    sliding = any(has_sliding_points(case.program) for case in cases)
    page = await open_sheet(conn, place, list(members.values()), granting=not sliding)
    batch = Batch(place, [case for case in cases if case.member.id in page.by_member])
    await _gather(conn, batch, page)
    for case in batch.cases:
        _settle(batch, page, case)
    await sheet.write(conn, page)
    await tallies.write(conn, place.project_id, batch.takes)
    await benefits.note(conn, place, batch.benefits)
    await restand(conn, page, page.moved)
    await sheet.close(conn, page)


async def _have_woken(conn: db.Conn, place: Place, happened: Sequence[Happened]) -> None:
    """Custom events make pending points active, and have points and tiers slide, whatever rules say."""
    for one in happened:
        schema_id = one.happening.schema_id if isinstance(one.happening, CustomEvent) else None
        if schema_id is not None and any(heeds(program, schema_id) for program in programs(place.snapshot)):
            payload = {"customer_id": one.customer_id, "schema_id": schema_id}
            await enqueue(conn, place.project_id, WAKE, payload)


def heeds(program: Program, schema_id: str) -> bool:
    """Whether points or tiers of a program go by a custom event."""
    structure = program.tiers
    if (
        structure is not None
        and isinstance(structure.retention, Sliding)
        and structure.retention.counts(schema_id)
    ):
        return True
    return any(
        isinstance(card.pending, EventBased) and card.pending.wakes(schema_id)
        for card in program.earning.cards.values()
    ) or any(rule.counts(schema_id) for rule in program.sliding)


async def _cases(conn: db.Conn, place: Place, happened: Sequence[Happened]) -> list[Case]:
    """Who is concerned, locked; who joins programs by themselves is made a member."""
    found = [
        (one, program)
        for one in happened
        for program in waiting_for(place.snapshot, one.happening)
        if running(program, one.at, place.zone)
    ]
    named = {one.member_id for one, _ in found if one.member_id is not None}
    by_id = (
        {row.id: row for row in await members_store.lock_all(conn, place.project_id, named)} if named else {}
    )
    for one, _ in found:
        if one.member_id in by_id:
            one.customer_id = by_id[one.member_id].customer_id
    pairs = {(program.id, one.customer_id) for one, program in found if one.customer_id is not None}
    rows = await members_store.lock_of_customers(conn, place.project_id, pairs)
    members = {(row.program_id, row.customer_id): row for row in rows}
    await _join(conn, place, found, members)
    cases: list[Case] = []
    for one, program in found:
        member = members.get((program.id, one.customer_id or ""))
        if member is not None and member.status == "ACTIVE" and one.member_id in (None, member.id):
            cases.append(Case(one, program, member))
    return cases


async def _join(
    conn: db.Conn,
    place: Place,
    found: Sequence[tuple[Happened, Program]],
    members: dict[tuple[str, str], MemberRow],
) -> None:
    """Programs whose setting `auto_join` says so take whoever earns."""
    joining: dict[str, tuple[Program, list[NewMember]]] = {}
    for one, program in found:
        new = one.customer_id is not None and (program.id, one.customer_id) not in members
        if new and program.settings.get("auto_join"):
            each = joining.setdefault(program.id, (program, []))
            each[1].append(NewMember(customer_id=one.customer_id or ""))
    for program, new in joining.values():
        for row in await enrol(conn, place, program, new):
            members[program.id, row.customer_id] = row


async def _gather(conn: db.Conn, batch: Batch, page: Sheet) -> None:
    place, cases = batch.place, batch.cases
    programs = {case.program.id: case.program for case in cases}.values()
    segments = frozenset().union(*(program.earning.segments for program in programs))
    collections = frozenset().union(*(program.earning.collections for program in programs))
    customers = sorted({case.member.customer_id for case in cases})
    happened = list({id(case.happened): case.happened for case in cases}.values())
    tiers = any(program.earning.asks_tiers for program in programs)
    batch.known = await know(conn, place, happened, customers, segments, collections, tiers=tiers)
    pairs = {(card.id, c.happened.cause_id) for c in cases for card in page.by_member[c.member.id].values()}
    card_ids, causes = [card_id for card_id, _ in pairs], [cause_id for _, cause_id in pairs]
    for record in await db.records(conn, DONE, place.project_id, card_ids, causes):
        batch.done.add((record["member_id"], record["cause_id"]))
    rests = sorted(frozenset().union(*(program.earning.rests for program in programs)))
    if rests:
        for record in await db.records(conn, LAST, place.project_id, list(page.members), rests):
            batch.last.setdefault(record["member_id"], {})[record["rule_id"]] = record["at"]
    await _gather_benefits(conn, batch)
    keys = {
        key
        for case in cases
        for key in earning_tallies(
            case.program.earning, case.happened.happening, case.member.id, situation_of(batch, case)
        )
    }
    batch.used = await tallies.lock(conn, place.project_id, keys)


async def _gather_benefits(conn: db.Conn, batch: Batch) -> None:
    """What rules gave beside points: it counts as given, too."""
    rules = benefits.rules_with({case.program.id: case.program for case in batch.cases}.values())
    if not rules:
        return
    project_id = batch.place.project_id
    asked = {(case.member.id, case.happened.cause_id) for case in batch.cases}
    batch.done |= await benefits.done(conn, project_id, asked)
    members = {member_id for member_id, _ in asked}
    for (member_id, rule_id), at in (await benefits.last(conn, project_id, members, rules)).items():
        known = batch.last.setdefault(member_id, {})
        known[rule_id] = max(at, known.get(rule_id, at))


def situation_of(batch: Batch, case: Case) -> Situation:
    """All that rules may look at."""
    place, one = batch.place, case.happened
    return Situation(
        now=one.at,
        zone=place.zone,
        week_start=place.week_start,
        order=one.order,
        initial=one.order,
        customer=batch.known.people.get(case.member.customer_id),
        used=batch.used,
        collections=batch.known.collections,
        segments=place.snapshot.segments,
        exponent=place.exponent,
    )


def member_of(page: Sheet, case: Case, last: Mapping[str, datetime]) -> Member:
    """The member as the engine asks for one."""
    member, program = case.member, case.program
    cards = page.by_member.get(member.id, {})
    tier = None if program.tiers is None else program.tiers.tier(member.tier_id)
    return Member(
        id=member.id,
        balances={
            name: page.account(card).balance + page.pending(card)
            for name, card in cards.items()
            if name in program.cards and program.cards[name].active
        },
        tier=member.tier_id,
        mapped={} if tier is None else tier.earning,
        last=dict(last),
        metadata=member.metadata,
    )


def _settle(batch: Batch, page: Sheet, case: Case) -> None:
    """One case: what it gives, on the sheet."""
    key = (case.member.id, case.happened.cause_id)
    if key in batch.done:
        return
    batch.done.add(key)
    answer = earn(
        case.program.earning,
        case.happened.happening,
        member_of(page, case, batch.last.get(case.member.id, {})),
        situation_of(batch, case),
    )
    for name, change in answer.takes.items():
        batch.used[name] = batch.used.get(name, 0) + change
        batch.takes[name] = batch.takes.get(name, 0) + change
    page.days.earned(page.place, case.program.id, answer)
    for rule_id in answer.triggered:
        batch.last.setdefault(case.member.id, {})[rule_id] = case.happened.at
    _take_up(page, case, answer)
    if answer.granted:
        seen = situation_of(batch, case)
        if isinstance(case.happened.happening, CustomEvent):
            seen.metadata = case.happened.happening.metadata
        cause = case.happened.cause_id
        batch.benefits += benefits.noted(page.place, answer.granted, case.member, cause, seen)


def _take_up(page: Sheet, case: Case, answer: Earnings) -> None:
    cards = page.by_member[case.member.id]
    for earned in answer.earned:
        _give(page, case, cards[earned.card], earned)
    if answer.earned:
        slide(page, case.program, case.member.id, EARNING)


def has_sliding_points(program: Program) -> bool:
    """Whether earning makes points last longer that are there already."""
    return bool(program.sliding)


def slide(page: Sheet, program: Program, member_id: str, activity: str) -> None:
    """Have points and tiers last longer that do so after such an activity."""
    cards = page.by_member.get(member_id, {})
    for name, policy in program.cards.items() if program.sliding else ():
        if name in cards:
            page.renew(cards[name], policy.earning.expiry, activity)
    structure = program.tiers
    if structure is None or not isinstance(structure.retention, Sliding):
        return
    card = cards.get(program.tier_card or "")
    if card is not None and structure.retention.counts(activity):
        page.count(card).active_at = page.place.now
        page.moved.add(member_id)


def _give(page: Sheet, case: Case, card: CardRow, earned: Earned) -> None:
    """Points on a card, or waiting for it."""
    one, now = case.happened, page.place.now
    row = Earning(
        id=sheet.earning_id(),
        card=card,
        rule_id=earned.rule_id,
        earning_id=earned.earning_id,
        effect=earned.effect,
        cause_id=one.cause_id,
        order_id=one.order_id,
        points=earned.points,
        happened_at=one.at,
        tier_id=case.member.tier_id,
        basis=_worth(one),
    )
    page.earnings.append(row)
    if earned.activation.pending:
        row.pending_id = new_id("pending_points")
        page.wait(_waiting(case, card, earned, row))
        return
    why = Why(order_id=one.order_id, cause_id=earned.rule_id)
    entry = page.put(card, "POINTS_ACCRUAL", earned.points, earned.ends_at, why)
    sheet.end_apart(page, case.program, card, entry, earned.expiry)
    row.entry_id, row.lot_id, row.active_at = entry.id, entry.parts[0].lot, now
    page.count(card).earned += earned.points
    sheet.rewarded(page, case.program, card, earned.points, earned.rule_id, entry.id)


def _waiting(case: Case, card: CardRow, earned: Earned, row: Earning) -> Waiting:
    pending = _pending_of(case.program, earned)
    events = sorted(pending.events) if isinstance(pending, EventBased) else None
    assert row.pending_id is not None
    return Waiting(
        id=row.pending_id,
        card=card,
        points=earned.points,
        type=str(type(pending).__struct_config__.tag),
        activates_at=earned.activation.at,
        cancels_at=earned.activation.cancels_at,
        events=events,
        expiry=msgspec.to_builtins(earned.expiry),
        earning_id=row.id,
        order_id=row.order_id,
        cause_id=earned.rule_id,
    )


def _pending_of(program: Program, earned: Earned) -> Any:
    """The rule by which the points wait: the effect's own, else the card's."""
    for rules in program.earning.rules.values():
        for rule in rules:
            if rule.id == earned.rule_id:
                for earning in rule.earnings:
                    if earning.id == earned.earning_id and earning.effects[earned.effect].pending is not None:
                        return earning.effects[earned.effect].pending
    return program.earning.cards[earned.card].pending


def _worth(one: Happened) -> int | None:
    """What the order was worth when it earned, to lessen in proportion where rules cannot be asked again."""
    if not isinstance(one.happening, OrderPaid) or one.order is None:
        return None
    return one.order.amount if one.order.total_amount is None else one.order.total_amount
