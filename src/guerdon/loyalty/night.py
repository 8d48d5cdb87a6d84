"""The night: at each project's midnight what is due is done, phase by phase.

Pending points become active or are given up; rewards are taken that members have set to be; tiers whose time has
come are decided, those that end and those that begin with a new period; points and credits lapse, and tiers that go
by the balance follow. Each step is one transaction with the job's checkpoint; what it does shows in the rows it looks for, so that a step that
is begun again, or by two workers at a time, finds nothing left to do. A night that was missed is made up for by the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.opening import start_of_day
from guerdon.kit import clock, db
from guerdon.kit.ids import new_ids
from guerdon.kit.jobs import Work
from guerdon.loyalty import members_store, sheet
from guerdon.loyalty.auto_redeem import DUE, redeem_for
from guerdon.loyalty.follow import lapse_cards
from guerdon.loyalty.pending import settle_due
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.sheet import open_sheet
from guerdon.loyalty.standing import restand

NIGHT, TICK = "night.run", "night.tick"
STEP = 250
REST = 2.0
"""How long the night rests after a step, in lengths of the step, so that what customers wait for goes first."""
LONGEST_REST = 2.0

PROJECTS = """
    select p.id, p.timezone from projects p
    where not exists (select from nights n where n.project_id = p.id and n.night = (now() at time zone p.timezone)::date)
    order by p.id
"""
ENQUEUE = """
    insert into jobs (project_id, id, kind, payload, dedupe_key)
    select t.project_id, t.id, $4, jsonb_build_object('night', t.night), 'night:' || t.night
    from unnest($1::text[], $2::text[], $3::text[]) as t (project_id, id, night)
    on conflict (project_id, dedupe_key) do nothing
"""
BEFORE = "select max(cutoff) from nights where project_id = $1 and night < $2"
DONE = """
    insert into nights (project_id, night, cutoff, done) values ($1, $2, $3, $4) on conflict (project_id, night) do nothing
"""
IS_DONE = "select exists (select from nights where project_id = $1 and night = $2)"

ACTIVATE: LiteralString = """
    select p.activates_at as at, p.id, p.member_id from loyalty_pending p
    where p.project_id = $1 and p.status = 'PENDING' and p.activates_at <= $2 and (p.activates_at, p.id) > ($3, $4)
    order by p.activates_at, p.id limit $5
"""
CANCEL: LiteralString = """
    select p.cancels_at as at, p.id, p.member_id from loyalty_pending p
    where p.project_id = $1 and p.status = 'PENDING' and p.cancels_at <= $2 and (p.cancels_at, p.id) > ($3, $4)
    order by p.cancels_at, p.id limit $5
"""
TIERS: LiteralString = """
    select m.tier_check_at as at, m.id from loyalty_members m
    where m.project_id = $1 and m.tier_check_at <= $2 and m.status <> 'DELETED' and (m.tier_check_at, m.id) > ($3, $4)
    order by m.tier_check_at, m.id limit $5
"""
# Lots that ended before the last night are done; what comes back into one of them lapses by a job of its own.
LOTS: LiteralString = """
    select l.expires_at as at, l.card_id as id from card_lots l
    where l.project_id = $1 and l.expires_at <= $2 and l.remaining > 0 and (l.expires_at, l.card_id) > ($3, $4)
    group by l.expires_at, l.card_id order by l.expires_at, l.card_id limit $5
"""
# Terms by terms, so that nothing is looked through where none ended.
OVER: LiteralString = """
    select $2::timestamptz as at, found.id from (
        select distinct each.id
        from voucher_terms t cross join lateral (
            (
                select c.id from vouchers v
                join cards c on c.project_id = $1 and c.id = v.id and c.balance > 0
                where v.project_id = $1 and v.terms_id = t.id and v.type = 'GIFT_VOUCHER' and v.id > $4
                order by v.id limit $5
            ) union all (
                select c.id from campaigns k
                join cards c on c.project_id = $1 and c.campaign_id = k.id and c.balance > 0
                join vouchers v on v.project_id = $1 and v.id = c.id and v.terms_id is null and v.type = 'GIFT_VOUCHER'
                where k.project_id = $1 and k.terms_id = t.id and c.id > $4
                order by c.id limit $5
            )
        ) as each
        where t.project_id = $1 and t.expires_at <= $2 and t.expires_at > $3
    ) as found order by found.id limit $5
"""
COUNTS: dict[str, LiteralString] = {
    "activate": (
        "select count(*) from loyalty_pending"
        " where project_id = $1 and status = 'PENDING' and activates_at <= $2"
    ),
    "cancel": (
        "select count(*) from loyalty_pending where project_id = $1 and status = 'PENDING' and cancels_at <= $2"
    ),
    "tiers": "select count(*) from loyalty_members where project_id = $1 and tier_check_at <= $2",
    "expire": (
        "select count(*) from card_lots"
        " where project_id = $1 and expires_at <= $2 and expires_at > $3 and remaining > 0"
    ),
}

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Phase(Struct, frozen=True):
    """A part of the night: what is due, in the order of time and id, and what is done with it. `lapses`: now that goes
    what ended with the day; before, it is still there to be spent and to count.
    """

    name: str
    due: LiteralString
    do: Callable[[db.Conn, Place, list[db.Record]], Awaitable[int]]
    lapses: bool = False
    since_last: bool = False
    by_id: bool = False


async def _activate(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    return await settle_due(conn, place, [(r["id"], r["member_id"]) for r in due], "activate")


async def _cancel(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    return await settle_due(conn, place, [(r["id"], r["member_id"]) for r in due], "cancel")


async def _redeem(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    return await redeem_for(conn, place, [r["id"] for r in due])


async def _tiers(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    members = await members_store.lock_all(conn, place.project_id, [r["id"] for r in due])
    page = await open_sheet(conn, place, members)
    changed = await restand(conn, page, page.members.keys(), "TIME")
    await sheet.close(conn, page)
    return len(changed)


async def _expire(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    return await lapse_cards(conn, place, {r["id"] for r in due})


async def _over(conn: db.Conn, place: Place, due: list[db.Record]) -> int:
    ids = {r["id"] for r in due}
    return await lapse_cards(conn, place, ids, ids)


PHASES: list[Phase] = [
    Phase("activate", ACTIVATE, _activate),
    Phase("cancel", CANCEL, _cancel),
    Phase("redeem", DUE, _redeem, by_id=True),
    Phase("tiers", TIERS, _tiers),
    Phase("expire", LOTS, _expire, lapses=True, since_last=True),
    Phase("over", OVER, _over, lapses=True, since_last=True, by_id=True),
]
"""In this order."""


async def enqueue_nights(conn: db.Db) -> int:
    """Have the night run for every project in which it is a new day; how many jobs that made."""
    projects = await db.records(conn, PROJECTS)
    if not projects:
        return 0
    now = await clock.database_now(conn)
    nights = [str(now.astimezone(ZoneInfo(p["timezone"])).date()) for p in projects]
    ids = new_ids("job", len(projects))
    return await db.execute(conn, ENQUEUE, [p["id"] for p in projects], ids, nights, NIGHT)


async def tick(work: Work) -> None:
    """Make tonight's jobs."""
    await enqueue_nights(work.pool)


async def run(work: Work) -> dict[str, Any] | None:
    """One project's night."""
    job = work.job
    night = date.fromisoformat(job.payload["night"])
    if await db.value(work.pool, IS_DONE, job.project_id, night):
        return None
    zone = ZoneInfo(await db.value(work.pool, "select timezone from projects where id = $1", job.project_id))
    cutoff = start_of_day(night, zone)
    last = await db.value(work.pool, BEFORE, job.project_id, night) or BEGINNING
    state = job.cursor or {"phase": 0, "at": "", "after": "", "total": None, "seen": 0, "done": {}}
    while state["phase"] < len(PHASES):
        began = clock.monotonic()
        state = await _step(work, state, cutoff, last)
        if not work.stopping:
            await asyncio.sleep(min(LONGEST_REST, REST * (clock.monotonic() - began)))
    async with work.step() as conn:
        await db.execute(conn, DONE, job.project_id, night, cutoff, state["done"])
        await work.finish(conn, state["done"])
    return state["done"]


async def _step(work: Work, state: dict[str, Any], cutoff: datetime, last: datetime) -> dict[str, Any]:
    """A step of a phase, or on to the next; the cursor after it."""
    job, phase = work.job, PHASES[state["phase"]]
    first = last if phase.since_last else BEGINNING
    at = datetime.fromisoformat(state["at"]) if state["at"] and not phase.by_id else first
    if state["total"] is None:
        state = state | {"total": await _count(work.pool, job.project_id, phase, cutoff, first)}
    due = await db.records(work.pool, phase.due, job.project_id, cutoff, at, state["after"], STEP)
    if not due:
        following = {"phase": state["phase"] + 1, "at": "", "after": "", "total": None, "seen": 0}
        return state | following
    async with work.step() as conn:
        place = await held_place(conn, job.project_id)
        place.midnight = None if phase.lapses else cutoff
        count = await phase.do(conn, place, due)
        done = state["done"] | {phase.name: state["done"].get(phase.name, 0) + count}
        behind = {"at": due[-1]["at"].isoformat(), "after": due[-1]["id"]}
        state = state | behind | {"done": done, "seen": state["seen"] + len(due)}
        await work.checkpoint(conn, cursor=state, progress=_progress(state))
    return state


async def _count(pool: db.Pool, project_id: str, phase: Phase, cutoff: datetime, first: datetime) -> int:
    sql = COUNTS.get(phase.name)
    if sql is None:
        return 0
    return await db.value(pool, sql, project_id, cutoff, *((first,) if phase.since_last else ()))


def _progress(state: dict[str, Any]) -> int:
    """Percent: an equal share for each phase, since nobody knows before what is in store."""
    part = min(1.0, state["seen"] / max(1, state["total"] or 0, state["seen"]))
    return min(99, int(100 * (state["phase"] + part * 0.99) / len(PHASES)))
