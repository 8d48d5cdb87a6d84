"""Auto-update segments remember whom they saw, so that entering and leaving are events.

Three jobs, all of them resumable and harmless when done twice. A new segment is *filled* in silence: whom it finds
has not entered, but was there, unless the customer is newer than the segment. Some seconds after something happened to customers the worker *follows* it: those
customers are looked at again. Once a day all customers are *swept*, since the calendar too makes one enter or leave.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from guerdon.definitions import waiting
from guerdon.definitions.snapshot import Segment
from guerdon.kit import clock, db
from guerdon.kit.ids import ALPHABET, PREFIXES
from guerdon.kit.job_worker import SYSTEM, Periodic
from guerdon.kit.jobs import JobHandler, Work
from guerdon.kit.outbox import Event, emit
from guerdon.segments import store
from guerdon.segments.members import memberships, moment

BATCH = 1_000
EVENT_BATCH = 5_000
OVERLAP = timedelta(minutes=2)
"""An event gets its id before its transaction commits: what came late is looked for again so far back."""
FIRST_LOOK = timedelta(hours=1)

PROJECTS = "select id from projects where id > $1 order by id"

CUSTOMERS = "select id from customers where project_id = $1 and id > $2 order by id limit $3"

NEWER = "select id from customers where project_id = $1 and id = any($2::text[]) and created_at > $3"

HOW_MANY = "select count(*) from customers where project_id = $1"

HAPPENED = """
    select id, customer_id from events where project_id = $1 and id > $2 order by id limit $3
"""

# The members that a sweep cannot meet any more: their customers are deleted.
FORGET_DELETED = """
    delete from segment_members m
    where m.project_id = $1 and not exists (
        select from customers c where c.project_id = m.project_id and c.id = m.customer_id)
"""

LAST_LOOK = """
    select result ->> 'looked_at' from jobs
    where project_id = $1 and kind = 'segments.follow' and status = 'DONE'
    order by finished_at desc limit 1
"""


async def fill(work: Work) -> dict[str, Any] | None:
    """Remember the first members of a new segment. Who came after it was made has entered it, as at any later time."""
    job = work.job
    row = await store.find(work.pool, job.project_id, job.payload["segment_id"])
    if row is None:
        return None
    segment = store.compiled(row)
    after, done = job.cursor.get("after", ""), job.cursor.get("done", 0)
    total = await db.value(work.pool, HOW_MANY, job.project_id)
    while ids := await _customers(work.pool, job.project_id, after):
        after = ids[-1]
        async with work.step() as conn:
            newer = {r["id"] for r in await db.records(conn, NEWER, job.project_id, ids, row.created_at)}
            await settle(
                conn, job.project_id, [one for one in ids if one not in newer], [segment], silent=True
            )
            await settle(conn, job.project_id, [one for one in ids if one in newer], [segment])
            done += len(ids)
            progress = min(99, 100 * done // max(1, total))
            await work.checkpoint(conn, cursor={"after": after, "done": done}, progress=progress)
    return None


async def follow(work: Work) -> dict[str, Any]:
    """Look again at the customers to whom something happened since the last look, project by project."""
    looked_at = await clock.database_now(work.pool)
    last = await db.value(work.pool, LAST_LOOK, SYSTEM)
    since = datetime.fromisoformat(last) - OVERLAP if last else looked_at - FIRST_LOOK
    cursor = work.job.cursor or {"project": "", "after": "", "looked_at": clock.iso(looked_at)}
    watched = await _watched(work.pool, cursor["project"])
    for number, (project_id, segments) in enumerate(watched):
        after = cursor["after"] if cursor["project"] == project_id else ""
        after = after or PREFIXES["event"] + _digits(since)
        while happened := await db.records(work.pool, HAPPENED, project_id, after, EVENT_BATCH):
            after = happened[-1]["id"]
            ids = sorted({r["customer_id"] for r in happened} - {None})
            async with work.step() as conn:
                for start in range(0, len(ids), BATCH):
                    await settle(conn, project_id, ids[start : start + BATCH], segments)
                cursor = cursor | {"project": project_id, "after": after}
                await work.checkpoint(conn, cursor=cursor, progress=100 * number // len(watched))
    return {"looked_at": cursor["looked_at"]}


async def sweep(work: Work) -> None:
    """Look again at all customers of all projects that have auto-update segments."""
    cursor = work.job.cursor or {"project": "", "after": ""}
    watched = await _watched(work.pool, cursor["project"])
    for number, (project_id, segments) in enumerate(watched):
        after = cursor["after"] if cursor["project"] == project_id else ""
        while ids := await _customers(work.pool, project_id, after):
            after = ids[-1]
            async with work.step() as conn:
                await settle(conn, project_id, ids, segments)
                cursor = {"project": project_id, "after": after}
                await work.checkpoint(conn, cursor=cursor, progress=100 * number // len(watched))
        await db.execute(work.pool, FORGET_DELETED, project_id)


async def settle(
    conn: db.Conn,
    project_id: str,
    customer_ids: Sequence[str],
    segments: Sequence[Segment],
    *,
    silent: bool = False,
) -> None:
    """Bring what is remembered of these customers up to what is true, and tell who entered and who left."""
    now, zone = await moment(conn, project_id)
    by_id = {segment.id: segment for segment in segments}
    found = await memberships(conn, project_id, customer_ids, by_id, now=now, zone=zone)
    seen = await store.seen(conn, project_id, customer_ids, list(by_id))
    events: list[Event] = []
    for segment in segments:
        members = {customer_id for customer_id, its in found.items() if segment.id in its}
        before = seen.get(segment.id, set())
        entered = (
            await store.enter(conn, project_id, segment.id, list(members - before))
            if members - before
            else []
        )
        left = (
            await store.leave(conn, project_id, segment.id, list(before - members))
            if before - members
            else []
        )
        if not silent:
            await waiting.tell_standing(conn, project_id, [*entered, *left], segment.id)
        events += [_event("customer.segment.entered", one, segment) for one in entered]
        events += [_event("customer.segment.left", one, segment) for one in left]
    if not silent:
        await emit(conn, project_id, events)
        await waiting.tell(
            conn,
            project_id,
            [
                {"customer_id": event.customer_id, "segment_id": event.data["segment"]["id"]}
                for event in events
                if event.type == "customer.segment.entered" and isinstance(event.data, dict)
            ],
        )


def _event(type: str, customer_id: str, segment: Segment) -> Event:
    about = {"segment": {"id": segment.id, "name": segment.name, "object": "segment"}}
    return Event(type, customer_id, customer_id, about)


async def _customers(pool: db.Pool, project_id: str, after: str) -> list[str]:
    return [r["id"] for r in await db.records(pool, CUSTOMERS, project_id, after, BATCH)]


async def _watched(pool: db.Pool, project: str) -> list[tuple[str, list[Segment]]]:
    """The projects from one on that have auto-update segments to watch; those being filled are not watched yet."""
    ids = [project] if project else []
    ids += [r["id"] for r in await db.records(pool, PROJECTS, project)]
    found: list[tuple[str, list[Segment]]] = []
    for project_id in ids:
        rows = await store.every(pool, project_id)
        watched = [store.compiled(row) for row in rows if row.type == "auto-update" and not row.filling]
        if watched:
            found.append((project_id, watched))
    return found


def _digits(moment_: datetime) -> str:
    """How the ids begin that are made at an instant; see kit/ids.py."""
    rest, text = int(moment_.timestamp() * 1000), bytearray(8)
    for place in range(7, -1, -1):
        rest, digit = divmod(rest, len(ALPHABET))
        text[place] = ALPHABET[digit]
    return text.decode()


JOBS: dict[str, JobHandler] = {"segments.fill": fill, "segments.follow": follow, "segments.sweep": sweep}

PERIODIC = [
    Periodic("segments.follow", every=30),
    Periodic("segments.sweep", every=86_400, offset=10_800),
]
