"""Writing an export: a few thousand rows a step, so that a kill costs no more than one and nothing stands twice."""

from typing import Any

import msgspec
from msgspec import Struct

from guerdon.exports import rows, store
from guerdon.exports.asked import Parameters, Scope, check
from guerdon.exports.rows import Place
from guerdon.kit import db
from guerdon.kit.job_worker import Periodic
from guerdon.kit.jobs import GiveUp, Job, JobHandler, Mourned, Work

KIND = "export.write"
FORGET = "forget.exports"


class Cursor(Struct, kw_only=True):
    """How far it is."""

    part: int = 0
    done: int = 0
    total: int = 0
    behind: Place | None = None


async def write_export(work: Work) -> dict[str, Any]:
    """Write the rows of an export as CSV, part by part."""
    cursor = msgspec.convert(work.job.cursor, Cursor)
    while await _step(work, cursor):
        pass
    return {"rows": cursor.done}


async def _step(work: Work, cursor: Cursor) -> bool:
    job, export_id = work.job, work.job.payload["export_id"]
    async with work.step() as conn:
        export = await store.lock(conn, job.project_id, export_id)
        if export is None:
            raise GiveUp("the export was deleted")
        if export.status == "DONE":
            return False
        scope = None if export.scope is None else msgspec.convert(export.scope, Scope)
        parameters = msgspec.convert(export.parameters, Parameters)
        asked = check(export.exported_object, parameters, scope, export.zone)
        text = ""
        if cursor.part == 0:
            cursor.total = await rows.count(conn, asked, job.project_id, export.created_at)
            await db.execute(conn, store.BEGIN, job.project_id, export_id, cursor.total)
            text = rows.header(asked.fields)
        found = await rows.read(conn, asked, job.project_id, export.created_at, cursor.behind)
        content = (text + found.text).encode()
        await db.execute(conn, store.WRITE_PART, job.project_id, export_id, cursor.part, content)
        await db.execute(conn, store.ADVANCE, job.project_id, export_id, found.count)
        if found.last is None:
            await db.execute(conn, store.FINISH, job.project_id, export_id)
        cursor.part += 1
        cursor.done += found.count
        cursor.behind = found.last
        progress = min(99, cursor.done * 100 // max(cursor.total, 1))
        await work.checkpoint(conn, cursor=msgspec.to_builtins(cursor), progress=progress)
    return found.last is not None


async def given_up(conn: db.Conn, job: Job) -> None:
    """Nobody waits for an export that will not come."""
    export_id = job.payload["export_id"]
    await db.execute(conn, store.FAIL, job.project_id, export_id)
    await db.execute(conn, store.DROP_FILES, job.project_id, export_id)


async def forget_files(work: Work) -> None:
    """Take away files that were kept long enough."""
    for project in await db.records(work.pool, store.PROJECTS):
        while await db.execute(work.pool, store.FORGET, project["id"], store.KEPT_DAYS) and not work.stopping:
            pass


JOBS: dict[str, JobHandler] = {KIND: Mourned(write_export, given_up), FORGET: forget_files}

PERIODIC = [Periodic(FORGET, every=3600, offset=2700)]
