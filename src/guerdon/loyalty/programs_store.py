"""The rows of programs, and of what belongs to them."""

from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.kit import db
from guerdon.kit.ids import new_id

COLUMNS: LiteralString = (
    "id, name, status, start_date, end_date, validity_hours, settings, metadata, created_at, updated_at"
)
ASSIGNED: LiteralString = "id, program_id, part_id, kind, body, stock, redeemed, created_at, updated_at"


class ProgramRow(Struct, kw_only=True):
    """A row of `loyalty_programs`."""

    id: str
    name: str
    status: str
    start_date: datetime | None
    end_date: datetime | None
    validity_hours: dict[str, Any]
    settings: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class AssignmentRow(Struct, kw_only=True):
    """A row of `loyalty_assignments`; `id` is of a reward's, as the older API calls it."""

    id: str | None
    program_id: str
    part_id: str
    kind: str
    body: dict[str, Any]
    stock: int | None
    redeemed: int
    created_at: datetime
    updated_at: datetime | None


FIND = f"select {COLUMNS} from loyalty_programs where project_id = $1 and id = $2 and status <> 'DELETED'"
LOCK = FIND + " for update"
INSERT = f"""
    insert into loyalty_programs (project_id, id, name, status, start_date, end_date, validity_hours, metadata,
        settings)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (project_id, name) where status <> 'DELETED' do nothing returning {COLUMNS}
"""
UPDATE = f"""
    update loyalty_programs set name = $3, status = $4, start_date = $5, end_date = $6, validity_hours = $7,
        metadata = $8, settings = $9, updated_at = now()
    where project_id = $1 and id = $2 returning {COLUMNS}
"""
NAMED = """
    select exists (
        select from loyalty_programs where project_id = $1 and name = $2 and id <> $3 and status <> 'DELETED'
    )
"""

WITH_PART = """
    select p.id, p.status from loyalty_assignments a
    join loyalty_programs p on p.project_id = a.project_id and p.id = a.program_id and p.status <> 'DELETED'
    where a.project_id = $1 and a.part_id = $2 order by p.id limit 100
"""
HAS_CARDS = "select exists (select from loyalty_cards where project_id = $1 and definition_id = $2)"
# Locked, so that it stays active until what stands on it is committed.
ACTIVE_PARTS = """
    select a.part_id from loyalty_assignments a
    join loyalty_parts t on t.project_id = a.project_id and t.id = a.part_id and t.status = 'ACTIVE'
    where a.project_id = $1 and a.program_id = $2 and a.kind = $3 and a.part_id <> $4 limit 1
    for share of t
"""

ASSIGNMENTS = f"""
    select {ASSIGNED} from loyalty_assignments
    where project_id = $1 and program_id = $2 order by created_at, part_id
"""
ASSIGN = f"""
    insert into loyalty_assignments (project_id, program_id, part_id, kind, stock, id, body)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict do nothing returning {ASSIGNED}
"""
UNASSIGN = f"""
    delete from loyalty_assignments where project_id = $1 and program_id = $2 and part_id = $3 returning {ASSIGNED}
"""
UNASSIGN_ALL = "delete from loyalty_assignments where project_id = $1 and program_id = $2"
COUNT = "select count(*) from loyalty_assignments where project_id = $1 and program_id = $2 and kind = $3"
STOCK = f"""
    update loyalty_assignments set stock = $4, updated_at = now()
    where project_id = $1 and program_id = $2 and part_id = $3 and kind = 'reward' returning {ASSIGNED}
"""


async def find(conn: db.Db, project_id: str, program_id: str) -> ProgramRow | None:
    """A program."""
    return await db.row(conn, ProgramRow, FIND, project_id, program_id)


async def lock(conn: db.Db, project_id: str, program_id: str) -> ProgramRow | None:
    """A program, locked."""
    return await db.row(conn, ProgramRow, LOCK, project_id, program_id)


async def insert(conn: db.Db, project_id: str, row: ProgramRow) -> ProgramRow | None:
    """The new program as stored; None when the name is taken."""
    return await db.row(
        conn, ProgramRow, INSERT, project_id, row.id, row.name, row.status, row.start_date, row.end_date,
        row.validity_hours, row.metadata, row.settings,
    )  # fmt: skip


async def update(conn: db.Db, project_id: str, row: ProgramRow) -> ProgramRow:
    """Write a locked program; answers it with its new `updated_at`."""
    written = await db.row(
        conn, ProgramRow, UPDATE, project_id, row.id, row.name, row.status, row.start_date, row.end_date,
        row.validity_hours, row.metadata, row.settings,
    )  # fmt: skip
    assert written is not None, "a locked row is there"
    return written


async def name_taken(conn: db.Db, project_id: str, name: str, program_id: str) -> bool:
    """Whether another program has the name."""
    return await db.value(conn, NAMED, project_id, name, program_id)


async def programs_with(conn: db.Db, project_id: str, part_id: str) -> list[db.Record]:
    """Programs that have a part: id and status."""
    return await db.records(conn, WITH_PART, project_id, part_id)


async def has_cards(conn: db.Db, project_id: str, definition_id: str) -> bool:
    """Whether there are cards of a definition."""
    return await db.value(conn, HAS_CARDS, project_id, definition_id)


async def has_active(conn: db.Db, project_id: str, program_id: str, kind: str) -> bool:
    """Whether a program has an active part of a kind."""
    return await db.value(conn, ACTIVE_PARTS, project_id, program_id, kind, "") is not None


async def has_other_rule(conn: db.Db, project_id: str, program_id: str, rule_id: str) -> bool:
    """Whether a program has an active earning rule beside one."""
    return await db.value(conn, ACTIVE_PARTS, project_id, program_id, "earning_rule", rule_id) is not None


async def assignments(conn: db.Db, project_id: str, program_id: str) -> list[AssignmentRow]:
    """All parts of a program, the oldest first."""
    return await db.rows(conn, AssignmentRow, ASSIGNMENTS, project_id, program_id)


async def assign(
    conn: db.Db,
    project_id: str,
    program_id: str,
    part_id: str,
    kind: str,
    stock: int | None,
    body: dict[str, Any] | None = None,
) -> AssignmentRow | None:
    """The new assignment; None when the program has the part already."""
    name = new_id("reward_assignment") if kind in ("reward", "coin") else None
    return await db.row(
        conn, AssignmentRow, ASSIGN, project_id, program_id, part_id, kind, stock, name, body or {}
    )


async def unassign(conn: db.Db, project_id: str, program_id: str, part_id: str) -> AssignmentRow | None:
    """The assignment that was; None when there was none."""
    return await db.row(conn, AssignmentRow, UNASSIGN, project_id, program_id, part_id)


async def unassign_all(conn: db.Db, project_id: str, program_id: str) -> None:
    """Take all parts from a program."""
    await db.execute(conn, UNASSIGN_ALL, project_id, program_id)


async def count(conn: db.Db, project_id: str, program_id: str, kind: str) -> int:
    """How many parts of a kind a program has."""
    return await db.value(conn, COUNT, project_id, program_id, kind)


async def set_stock(
    conn: db.Db, project_id: str, program_id: str, reward_id: str, stock: int | None
) -> AssignmentRow | None:
    """The reward's assignment with another stock; None when the program has no such reward."""
    return await db.row(conn, AssignmentRow, STOCK, project_id, program_id, reward_id, stock)
