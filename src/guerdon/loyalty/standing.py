"""Tiers decided anew, after points moved and at night alike."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from guerdon.definitions.waiting import EARN
from guerdon.engine.earning import set_off
from guerdon.engine.earning_rule import TierChanged
from guerdon.engine.periods import local_day
from guerdon.engine.tier import Change, MemberPoints, Standing, TierStructure
from guerdon.engine.tiering import tier_at
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event
from guerdon.loyalty import members_store
from guerdon.loyalty.compiled import Program, structure_of
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import LAST, Place
from guerdon.loyalty.sheet import Sheet
from guerdon.segments.members import memberships

CHANGE_COLUMNS = (
    "project_id", "id", "program_id", "member_id", "card_id", "structure_id", "type", "tier_from", "tier_to", "points",
    "origin", "starts_at", "expires_at", "created_at",
)  # fmt: skip

# What rules gave counts for the period in which it came to the balance, less what was clawed back of it since.
IN_PERIODS = """
    select w.card_id, w.place, (coalesce(e.points, 0) + coalesce(a.points, 0))::bigint as points
    from unnest($2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[]) as w (card_id, place, since, until)
    cross join lateral (
        select sum(e.points - e.revoked) as points from loyalty_earnings e
        where e.project_id = $1 and e.card_id = w.card_id and e.active_at >= w.since and e.active_at < w.until
    ) e
    cross join lateral (
        select sum(a.amount) as points from card_entries a
        where a.project_id = $1 and a.card_id = w.card_id and a.type = 'POINTS_ADDITION' and a.created_at >= w.since
          and a.created_at < w.until
    ) a
"""

TELL = "insert into jobs (project_id, id, kind, payload) select $1, t.id, $2, t.payload from unnest($3::text[], $4::jsonb[]) as t (id, payload)"


class Asked(Struct):
    """A member whose tier is to be decided, with the card that tiers go by."""

    member: MemberRow
    program: Program
    structure: TierStructure
    card: CardRow


def standing_of(member: MemberRow) -> Standing:
    """Where a member stands as stored."""
    return Standing() if member.tier is None else msgspec.convert(member.tier, Standing)


def asked_of(sheet: Sheet, member_ids: Collection[str]) -> list[Asked]:
    """Those of the members who are in programs with tiers."""
    found: list[Asked] = []
    for member_id in sorted(member_ids):
        member = sheet.members[member_id]
        program = sheet.place.program(member.program_id)
        structure = None if program is None else structure_of(program, sheet.place.week_start)
        if program is None or structure is None or member.status == "DELETED":
            continue
        card = sheet.by_member.get(member_id, {}).get(program.tier_card or "")
        if card is not None:
            found.append(Asked(member, program, structure, card))
    return found


async def restand(
    conn: db.Conn, sheet: Sheet, member_ids: Collection[str], origin: str = "POINTS"
) -> list[MemberRow]:
    """Decide the tiers of members on what is written of their points; those that changed.

    Those whose tier is to be decided tonight anyhow wait for the phase that does it.
    """
    place = sheet.place
    asked = asked_of(sheet, member_ids)
    if place.midnight is not None and origin != "TIME":
        asked = [one for one in asked if not _due(one.member, place.midnight)]
    if not asked:
        return []
    points = await points_of(conn, sheet, asked)
    rows: list[tuple[Any, ...]] = []
    told: list[dict[str, Any]] = []
    written: list[MemberRow] = []
    changed: list[MemberRow] = []
    for one in asked:
        member, before = one.member, standing_of(one.member)
        ruling = tier_at(one.structure, before, points[member.id], place.now, place.zone)
        if ruling.standing == before and ruling.recheck_at == member.tier_check_at:
            continue
        member.tier = msgspec.to_builtins(ruling.standing)
        member.tier_id, member.tier_check_at = ruling.standing.tier_id, ruling.recheck_at
        written.append(member)
        if ruling.change is not None:
            changed.append(member)
            change_id = new_id("tier_change")
            because = {"type": origin, "card_transaction_ids": sheet.acts.get(member.id, [])}
            rows.append(_row(place, one, ruling.change, change_id, because))
            sheet.days.tier(place, one.program.id, one.structure.id, ruling.change)
            sheet.events.append(_event(one, ruling.change, change_id))
            if set_off(one.program.earning, _happening(ruling.change)):
                told.append(_told(one, ruling.change, change_id))
    await members_store.write_tiers(conn, place.project_id, written)
    if rows:
        await db.insert(conn, "loyalty_tier_changes", CHANGE_COLUMNS, rows)
    if told:
        await db.execute(conn, TELL, place.project_id, EARN, new_ids("job", len(told)), told)
    return changed


def _due(member: MemberRow, midnight: datetime) -> bool:
    return member.tier_check_at is not None and member.tier_check_at <= midnight


def _row(place: Place, one: Asked, change: Change, change_id: str, origin: dict[str, Any]) -> tuple[Any, ...]:
    return (
        place.project_id, change_id, one.program.id, one.member.id, one.card.id, one.structure.id,
        change.event.upper(), change.tier_from, change.tier_to, change.points, origin, change.starts_at,
        change.ends_at, place.now,
    )  # fmt: skip


def _event(one: Asked, change: Change, change_id: str) -> Event:
    def named(tier_id: str | None) -> dict[str, Any] | None:
        tier = one.structure.tier(tier_id)
        return None if tier_id is None else {"id": tier_id, "name": None if tier is None else tier.name}

    about = {
        "id": change_id,
        "campaign": {"id": one.program.id, "name": one.program.name},
        "voucher": {"id": one.card.id},
        "from": named(change.tier_from),
        "to": named(change.tier_to),
        "starts_at": None if change.starts_at is None else iso(change.starts_at),
        "expires_at": None if change.ends_at is None else iso(change.ends_at),
        "points": change.points,
    }
    return Event(f"customer.loyalty.tier.{change.event}", one.member.id, one.member.customer_id, about)


def _happening(change: Change) -> TierChanged:
    return TierChanged(change.event, change.tier_to if change.event != "left" else change.tier_from)


def _told(one: Asked, change: Change, change_id: str) -> dict[str, Any]:
    happening = _happening(change)
    return {
        "tier": happening.event,
        "tier_id": happening.tier_id,
        "member_id": one.member.id,
        "change_id": change_id,
    }


async def points_of(conn: db.Db, sheet: Sheet, asked: Sequence[Asked]) -> dict[str, MemberPoints]:
    """The points that count, by member."""
    place = sheet.place
    found = {
        one.member.id: MemberPoints(
            balance=_balance(sheet, one.card, _counted_at(one.member, place)),
            active_at=_active_at(sheet, one.card),
        )
        for one in asked
    }
    for member_id, earned in (await _in_periods(conn, place, asked)).items():
        found[member_id] = replace(found[member_id], earned=earned)
    for member_id, segments in (await _in_segments(conn, place, asked)).items():
        found[member_id] = replace(found[member_id], segments=segments)
    return found


def _counted_at(member: MemberRow, place: Place) -> datetime:
    """The instant whose points count. What ends with the day on which a tier ends, or before one begins, still counts
    when that is decided: tiers come before lapsing points in the night, and whoever looks first decides the same.
    """
    due = member.tier_check_at
    return place.now if due is None or due > place.now else due - LAST


def _balance(sheet: Sheet, card: CardRow, now: datetime) -> int:
    """What is on the card, without what lapsed already."""
    account = sheet.account(card)
    lapsed = sum(
        lot.remaining for lot in account.lots.values() if lot.expires_at is not None and lot.expires_at <= now
    )
    return account.balance - lapsed


def _active_at(sheet: Sheet, card: CardRow) -> datetime | None:
    more = sheet.counts.get(card.id)
    times = [time for time in (card.active_at, more and more.active_at) if time is not None]
    return max(times, default=None)


async def _in_periods(conn: db.Db, place: Place, asked: Sequence[Asked]) -> dict[str, tuple[int, ...]]:
    cards: list[str] = []
    places: list[int] = []
    since: list[datetime] = []
    until: list[datetime] = []
    for one in asked:
        period = one.structure.period_at(local_day(place.now, place.zone))
        for number in range(one.structure.periods_needed):
            assert period is not None, "points in a period need a period"
            cards.append(one.card.id)
            places.append(number)
            since.append(period.starts(place.zone))
            until.append(period.ends(place.zone))
            period = one.structure.period_at(period.first.fromordinal(period.first.toordinal() - 1))
    if not cards:
        return {}
    records = await db.records(conn, IN_PERIODS, place.project_id, cards, places, since, until)
    sums = {(record["card_id"], record["place"]): record["points"] for record in records}
    return {
        one.member.id: tuple(sums[one.card.id, number] for number in range(one.structure.periods_needed))
        for one in asked
    }


async def _in_segments(conn: db.Db, place: Place, asked: Sequence[Asked]) -> dict[str, frozenset[str]]:
    wanted = {
        tier.segment: place.snapshot.segments[tier.segment]
        for one in asked
        for tier in one.structure.tiers
        if tier.segment is not None and tier.segment in place.snapshot.segments
    }
    if not wanted:
        return {}
    customers = sorted({one.member.customer_id for one in asked})
    found = await memberships(conn, place.project_id, customers, wanted, now=place.now, zone=place.zone)
    return {one.member.id: found.get(one.member.customer_id, frozenset()) for one in asked}
