"""Copies of what was told of a person: files of exports, uploaded files, kept answers, and what jobs were told.

They are found by the ids of the person and of all that is theirs, and by marks of how they were called.
"""

import csv
import io
from collections.abc import Iterable

from guerdon.erasure.erase import mark
from guerdon.erasure.scrub import scrubbed
from guerdon.erasure.store import FORGET_EVENTS
from guerdon.kit import db
from guerdon.kit.jobs import RetryIn, Work

IDS = """
    select $2::text as id
    union all select id from orders where project_id = $1 and customer_id = $2
    union all select id from redemptions where project_id = $1 and customer_id = $2
    union all select id from vouchers where project_id = $1 and holder_id = $2
    union all select code from vouchers where project_id = $1 and holder_id = $2
    union all select id from publications where project_id = $1 and customer_id = $2
    union all select id from loyalty_members where project_id = $1 and customer_id = $2
"""
PARTS = """
    select f.export_id, f.part, x.exported_object, x.parameters -> 'fields' as fields
    from export_files f join exports x on x.project_id = $1 and x.id = f.export_id
    where f.project_id = $1 and (f.export_id, f.part) > ($2, $3) order by f.export_id, f.part limit 1
"""
READ = "select content from export_files where project_id = $1 and export_id = $2 and part = $3 for update"
WRITE = "update export_files set content = $4 where project_id = $1 and export_id = $2 and part = $3"
LESS = "update exports set row_count = row_count - $3, total = total - $3 where project_id = $1 and id = $2"

UPLOADS = """
    select f.job_id, j.status in ('DONE', 'DEAD', 'CANCELED') as ended
    from job_files f join jobs j on j.project_id = $1 and j.id = f.job_id
    where f.project_id = $1 and f.job_id > $2 group by f.job_id, j.status order by f.job_id limit 1
"""
UPLOADED = "select content from job_files where project_id = $1 and job_id = $2 order by part"
FORGET_UPLOAD = "delete from job_files where project_id = $1 and job_id = $2"

FORGET_ANSWERS = """
    update idempotency_keys k set body = $4, order_of = null
    where k.project_id = $1 and k.key = any(array(
        select key from idempotency_keys where project_id = $1 and key > $2 order by key limit $3
    )) and exists (select from unnest($5::bytea[]) as n (needle) where position(n.needle in k.body) > 0)
"""
LAST_KEY = """
    select max(key) from (select key from idempotency_keys where project_id = $1 and key > $2 order by key limit $3) k
"""
FORGET_JOBS = """
    update jobs set payload = '{}', cursor = '{}', result = null, error = null
    where project_id = $1 and status in ('DONE', 'DEAD', 'CANCELED') and kind <> 'erasure.copies'
      and exists (select from unnest($2::text[]) as n (needle) where position(
          n.needle in payload::text || cursor::text || coalesce(result::text, '') || coalesce(error, '')) > 0)
"""
UNDER_WAY = """
    select exists (select from jobs where project_id = $1 and status in ('READY', 'RUNNING')
        and kind <> 'erasure.copies' and position($2 in payload::text) > 0)
"""

LAST_EVENT = """
    select max(id) from (select id from events where project_id = $1 and id > $2 order by id limit $3) e
"""
# Events about a thing that name no customer. There is no index by the thing: all are read once.
EVENTS = """
    select id, data from events
    where project_id = $1 and id > $2 and id <= $3 and entity_id = any($4) and (data <> '{}' or request_id is not null)
"""

ANSWERS = 5_000
EVENTS_AT_ONCE = 20_000
GONE = b'{"object":"erased"}'
"""What a repeated request is told whose answer told of a person who was erased since."""
AGAIN_SECONDS = 15.0
NOBODYS = frozenset(("product", "sku"))
TELLING = frozenset((
    "id", "source_id", "email", "phone", "code", "customer_id", "customer_source_id", "voucher_id", "voucher_code",
    "order_id",
))  # fmt: skip
"""Fields of an export by which it is seen whose a line is. Of a file that has none of them all lines go."""


async def erase_copies(work: Work) -> dict[str, int]:
    """Look through all copies. What is being worked on is looked through again once it has ended."""
    project_id, customer_id = work.job.project_id, work.job.payload["customer_id"]
    ids = [row["id"] for row in await db.records(work.pool, IDS, project_id, customer_id)]
    known = {mark(name) for name in ids} | set(work.job.payload["marks"])
    lines = await _exports(work, known)
    files, busy = await _uploads(work, known)
    events = await _events(work, ids)
    answers = await _answers(work, ids)
    jobs = await db.execute(work.pool, FORGET_JOBS, project_id, [customer_id])
    if busy or await db.value(work.pool, UNDER_WAY, project_id, customer_id):
        raise RetryIn(AGAIN_SECONDS, "something that tells of the person is still being worked on")
    return {"lines": lines, "files": files, "events": events, "answers": answers, "jobs": jobs}


async def _exports(work: Work, known: set[str]) -> int:
    """Take the person's lines out of the files of exports: how many."""
    project_id, gone = work.job.project_id, 0
    at: tuple[str, int] = ("", -1)
    while found := await db.records(work.pool, PARTS, project_id, *at):
        at = (found[0]["export_id"], found[0]["part"])
        async with work.step() as conn:
            content: bytes | None = await db.value(conn, READ, project_id, *at)
            if content is not None:
                fields = found[0]["fields"]
                whose = not fields or found[0]["exported_object"] in NOBODYS or TELLING.intersection(fields)
                kept, less = without(content.decode(), known) if whose else emptied(content.decode(), at[1])
                if less:
                    await db.execute(conn, WRITE, project_id, *at, kept.encode())
                    await db.execute(conn, LESS, project_id, at[0], less)
                gone += less
            await work.checkpoint(conn, cursor=work.job.cursor, progress=10)
    return gone


def without(text: str, known: set[str]) -> tuple[str, int]:
    """A CSV text without the lines that have a field with such a mark; and how many they were."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [row for row in rows if not tells_of(row, known)]
    if len(kept) == len(rows):
        return text, 0
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n" if "\r\n" not in text else "\r\n").writerows(kept)
    return out.getvalue(), len(rows) - len(kept)


def emptied(text: str, part: int) -> tuple[str, int]:
    """The same without any line, but for the names of the columns at the beginning of the first part."""
    lines = list(csv.reader(io.StringIO(text, newline="")))
    head = 0 if part else 1
    return "".join(text.splitlines(keepends=True)[:head]), len(lines) - head


def tells_of(fields: Iterable[str], known: set[str]) -> bool:
    """Whether a field is one that is looked for. A spreadsheet's guard, the quote before it, is looked behind."""
    return any(mark(field) in known or mark(field.lstrip("'")) in known for field in fields if field)


async def _uploads(work: Work, known: set[str]) -> tuple[int, bool]:
    """Take away uploaded files with a line of the person: how many, and whether one is still being worked on."""
    project_id, gone, busy, last = work.job.project_id, 0, False, ""
    while found := await db.records(work.pool, UPLOADS, project_id, last):
        last = found[0]["job_id"]
        parts = [row["content"] for row in await db.records(work.pool, UPLOADED, project_id, last)]
        text = b"".join(parts).decode(errors="replace")
        if any(tells_of(row, known) for row in csv.reader(io.StringIO(text, newline=""))):
            busy = busy or not found[0]["ended"]
            if found[0]["ended"]:
                await db.execute(work.pool, FORGET_UPLOAD, project_id, last)
                gone += 1
    return gone, busy


async def _events(work: Work, ids: list[str]) -> int:
    """Take what tells of the person out of events about what was theirs: how many."""
    project_id, gone, last = work.job.project_id, 0, ""
    while until := await db.value(work.pool, LAST_EVENT, project_id, last, EVENTS_AT_ONCE):
        async with work.step() as conn:
            found = await db.records(conn, EVENTS, project_id, last, until, ids)
            data = [scrubbed(row["data"]) for row in found]
            await db.execute(conn, FORGET_EVENTS, project_id, [row["id"] for row in found], data)
            await work.checkpoint(conn, cursor=work.job.cursor, progress=30)
        gone, last = gone + len(found), until
    return gone


async def _answers(work: Work, ids: list[str]) -> int:
    """Replace kept answers that tell of the person: how many. The keys stay, so that no effect is had twice."""
    project_id, gone, last = work.job.project_id, 0, ""
    needles = [name.encode() for name in ids]
    while True:
        until = await db.value(work.pool, LAST_KEY, project_id, last, ANSWERS)
        if until is None:
            return gone
        async with work.step() as conn:
            gone += await db.execute(conn, FORGET_ANSWERS, project_id, last, ANSWERS, GONE, needles)
            await work.checkpoint(conn, cursor=work.job.cursor, progress=50)
        last = until
