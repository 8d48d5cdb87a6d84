"""All SQL of exports and their files."""

from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing

KEPT_DAYS = 31
"""A day longer than the file of an export can be downloaded."""

COLUMNS: LiteralString = """
    x.id, x.exported_object, x.parameters, x.scope, x.status, x.channel, x.token, x.zone, x.job_id, x.total,
    x.row_count, x.created_at, x.status = 'DONE' and x.finished_at > now() - interval '30 days' as kept
"""

LISTING = Listing(
    name="exports",
    columns=COLUMNS,
    source="exports x",
    where="x.project_id = $1",
    id="x.id",
    fields={
        "id": Field("x.id"),
        "status": Field("x.status"),
        "exported_object": Field("x.exported_object"),
        "created_at": Field("x.created_at", "date"),
    },
    sorts={"created_at": "x.created_at", "status": "x.status"},
)

INSERT = """
    insert into exports (project_id, id, exported_object, parameters, scope, token, zone, job_id, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
"""

FIND: LiteralString = "select " + COLUMNS + " from exports x where x.project_id = $1 and x.id = $2"

LOCK: LiteralString = FIND + " for update"

BEGIN = "update exports set status = 'IN_PROGRESS', total = $3 where project_id = $1 and id = $2"

ADVANCE = "update exports set row_count = row_count + $3 where project_id = $1 and id = $2"

FINISH = (
    "update exports set status = 'DONE', finished_at = clock_timestamp() where project_id = $1 and id = $2"
)

FAIL = (
    "update exports set status = 'ERROR', finished_at = clock_timestamp() where project_id = $1 and id = $2"
)

DROP_FILES = "delete from export_files where project_id = $1 and export_id = $2"

DELETE = "delete from exports where project_id = $1 and id = $2"

CANCEL = "update jobs set cancel = true where project_id = $1 and id = $2 and status in ('READY', 'RUNNING')"

WRITE_PART = "insert into export_files (project_id, export_id, part, content) values ($1, $2, $3, $4)"

READ_PART = "select content from export_files where project_id = $1 and export_id = $2 and part = $3"

FORGET = """
    delete from export_files f using exports x
    where f.project_id = $1 and x.project_id = $1 and x.id = f.export_id and f.export_id = any(array(
        select o.id from exports o
        where o.project_id = $1 and o.finished_at < now() - make_interval(days => $2)
          and exists (select 1 from export_files k where k.project_id = $1 and k.export_id = o.id)
        limit 10
    ))
"""

PROJECTS = "select id from projects order by id"

CAMPAIGN = """
    select id, campaign_type from campaigns where project_id = $1 and deleted_at is null and (id = $2 or name = $2)
    order by id = $2 desc limit 1
"""


class ExportRow(Struct, kw_only=True):
    """The columns of `exports`; `kept` tells whether its file can be downloaded."""

    id: str
    exported_object: str
    parameters: dict[str, Any]
    scope: dict[str, Any] | None
    status: str
    channel: str
    token: str
    zone: str
    job_id: str
    total: int | None
    row_count: int
    created_at: datetime
    kept: bool


class Owner(Struct):
    """A campaign whose transactions are meant."""

    id: str
    campaign_type: str


async def insert(conn: db.Db, project_id: str, row: ExportRow) -> ExportRow:
    """Write an export, as it stands then."""
    await db.execute(
        conn, INSERT,
        project_id, row.id, row.exported_object, row.parameters, row.scope, row.token, row.zone, row.job_id,
    )  # fmt: skip
    found = await find(conn, project_id, row.id)
    assert found is not None
    return found


async def find(conn: db.Db, project_id: str, export_id: str) -> ExportRow | None:
    """An export, or None."""
    return await db.row(conn, ExportRow, FIND, project_id, export_id)


async def lock(conn: db.Db, project_id: str, export_id: str) -> ExportRow | None:
    """An export that nobody deletes until the transaction ends; None when somebody has."""
    return await db.row(conn, ExportRow, LOCK, project_id, export_id)


async def delete(conn: db.Db, project_id: str, row: ExportRow) -> None:
    """Delete an export with its file, and call its job off."""
    await db.execute(conn, CANCEL, project_id, row.job_id)
    await db.execute(conn, DELETE, project_id, row.id)


async def part(conn: db.Db, project_id: str, export_id: str, number: int) -> bytes | None:
    """A part of the file; None behind the last."""
    return await db.value(conn, READ_PART, project_id, export_id, number)


async def campaign(conn: db.Db, project_id: str, name: str) -> Owner | None:
    """A campaign by its id or name."""
    return await db.row(conn, Owner, CAMPAIGN, project_id, name)
