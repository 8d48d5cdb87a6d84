"""Many members at once: a job that enrols them a hundred at a time and tells what became of each."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from guerdon.kit import db
from guerdon.kit.jobs import GiveUp, Work
from guerdon.loyalty.enrol import NewMember, enrol
from guerdon.loyalty.place import held_place
from guerdon.loyalty.shapes_members import MemberIn
from guerdon.vouchers.import_sets import last_part, read_part

BATCH = "loyalty.members"
MAX_BATCH_BYTES = 10 * 2**20
STEP = 100
MOST_TOLD = 1_000
"""How many that cannot be members the result names; it counts them all."""

FIND = """
    select c.id, c.source_id from customers c
    where c.project_id = $1 and (c.id = any($2) or c.source_id = any($3))
"""
# Named twice: those before an entry of the same file are there already, so that is told apart by this job's own.
MADE_BY = "select customer_id from events where project_id = $1 and request_id = $2 and type = 'vl.member.created' and customer_id = any($3)"

Fault = dict[str, Any]


class Cursor(Struct):
    """How far the job has come: the part, the entry in it, and what became of those before."""

    part: int = 0
    entry: int = 0
    first: int = 0
    made: int = 0
    failed_count: int = 0
    failed: list[Fault] = []


async def enrol_many(work: Work) -> dict[str, Any]:
    """Enrol those of the file; who cannot be a member does not hold up the others."""
    job = work.job
    cursor = msgspec.convert(job.cursor, Cursor)
    last = await last_part(work.pool, job.project_id, job.id)
    while (content := await read_part(work.pool, job.project_id, job.id, cursor.part)) is not None:
        entries = msgspec.json.decode(content, type=list[msgspec.Raw])
        while cursor.entry < len(entries):
            some = entries[cursor.entry : cursor.entry + STEP]
            async with work.step() as conn:
                made, faults = await _enrol(work, conn, some, cursor.first + cursor.entry)
                cursor.entry += len(some)
                cursor.made += made
                cursor.failed_count += len(faults)
                cursor.failed = (cursor.failed + faults)[:MOST_TOLD]
                done = (cursor.part + cursor.entry / len(entries)) / (last + 1)
                state = msgspec.to_builtins(cursor)
                await work.checkpoint(conn, cursor=state, progress=min(99, int(100 * done)))
        cursor.first += len(entries)
        cursor.part, cursor.entry = cursor.part + 1, 0
    return {"done_count": cursor.made, "failed_count": cursor.failed_count, "failed": cursor.failed}


async def _enrol(
    work: Work, conn: db.Conn, entries: Sequence[msgspec.Raw], first: int
) -> tuple[int, list[Fault]]:
    job = work.job
    place = await held_place(conn, job.project_id)
    program = place.program(job.payload["program_id"])
    if program is None or not program.active:
        raise GiveUp("The program is not active any more.")
    faults: list[Fault] = []
    said: dict[int, MemberIn] = {}
    for index, raw in enumerate(entries, first):
        try:
            said[index] = msgspec.json.decode(raw, type=MemberIn)
        except msgspec.ValidationError as error:
            faults.append(_fault(index, "invalid_payload", str(error)))
    found = await _customers(conn, job.project_id, said.values())
    wanted: dict[str, int] = {}
    new: list[NewMember] = []
    for index, one in said.items():
        customer_id = found.get(_named(one))
        if customer_id is None:
            faults.append(_fault(index, "not_found", "there is no such customer"))
        elif customer_id in wanted:
            faults.append(_fault(index, "duplicate_customer_id", "the customer is named twice"))
        else:
            wanted[customer_id] = index
            new.append(
                NewMember(customer_id=customer_id, status=one.status or "ACTIVE", metadata=one.metadata or {})
            )
    made = await enrol(conn, place, program, new, job.id)
    missing = wanted.keys() - {row.customer_id for row in made}
    before = await db.records(conn, MADE_BY, job.project_id, job.id, sorted(missing)) if missing else []
    twice = {record["customer_id"] for record in before}
    for customer_id in missing:
        if customer_id in twice:
            faults.append(_fault(wanted[customer_id], "duplicate_customer_id", "the customer is named twice"))
        else:
            faults.append(
                _fault(wanted[customer_id], "member_already_exists", "the customer is a member already")
            )
    return len(made), sorted(faults, key=lambda fault: fault["index"])


def _named(one: MemberIn) -> tuple[str, str]:
    who = one.customer_identification
    name = who.customer_id if who.type == "customer_id" else who.customer_source_id
    return who.type, name or ""


async def _customers(conn: db.Conn, project_id: str, said: Any) -> dict[tuple[str, str], str]:
    """The customers by how they are named."""
    names = [_named(one) for one in said]
    ids = [name for kind, name in names if kind == "customer_id"]
    source_ids = [name for kind, name in names if kind == "customer_source_id"]
    found: dict[tuple[str, str], str] = {}
    for record in await db.records(conn, FIND, project_id, ids, source_ids):
        found["customer_id", record["id"]] = record["id"]
        if record["source_id"]:
            found["customer_source_id", record["source_id"]] = record["id"]
    return found


def _fault(index: int, key: str, details: str) -> Fault:
    return {"index": index, "key": key, "details": details}
