"""The rows of validation rules and of their assignments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing


class RuleRow(msgspec.Struct):
    """A row of `validation_rules`, and how many things the rule is assigned to."""

    id: str
    name: str
    body: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    assignments_count: int


class AssignmentRow(msgspec.Struct):
    """A row of `validation_rule_assignments`."""

    id: str
    rule_id: str
    related_object_id: str
    related_object_type: str
    created_at: datetime


COUNT: LiteralString = """(
    select count(*) from validation_rule_assignments a
    where a.project_id = r.project_id and a.rule_id = r.id) as assignments_count"""

RULE_COLUMNS: LiteralString = f"r.id, r.name, r.body, r.created_at, r.updated_at, {COUNT}"

RULES = Listing(
    name="data",
    columns=RULE_COLUMNS,
    source="validation_rules r",
    where="r.project_id = $1",
    id="r.id",
    fields={
        "id": Field("r.id"),
        "name": Field("r.name"),
        "type": Field("r.body ->> 'type'"),
        "context_type": Field("r.body ->> 'context_type'"),
        "created_at": Field("r.created_at", "date"),
        "updated_at": Field("r.updated_at", "date"),
    },
    sorts={
        "created_at": "r.created_at",
        "updated_at": "r.updated_at",
        "name": 'r.name collate "C"',
        "id": "r.id",
    },
)

ASSIGNMENT_COLUMNS: LiteralString = (
    "a.id, a.rule_id, a.related_object_id, a.related_object_type, a.created_at"
)

ASSIGNMENTS = Listing(
    name="data",
    columns=ASSIGNMENT_COLUMNS,
    source="validation_rule_assignments a",
    where="""a.project_id = $1 and ($2::text is null or a.rule_id = $2)
        and ($3::text is null or a.related_object_id = $3)""",
    id="a.id",
    fields={
        "id": Field("a.id"),
        "rule_id": Field("a.rule_id"),
        "related_object_id": Field("a.related_object_id"),
        "related_object_type": Field("a.related_object_type"),
        "created_at": Field("a.created_at", "date"),
    },
    sorts={"created_at": "a.created_at", "id": "a.id"},
)

FIND: LiteralString = f"select {RULE_COLUMNS} from validation_rules r where r.project_id = $1 and r.id = $2"
FIND_LOCKED: LiteralString = f"{FIND} for update of r"

INSERT = "insert into validation_rules (project_id, id, name, body) values ($1, $2, $3, $4)"
UPDATE = (
    "update validation_rules set name = $3, body = $4, updated_at = now() where project_id = $1 and id = $2"
)
DELETE = "delete from validation_rules where project_id = $1 and id = $2"

# Held until the rule is written, so that what it names cannot be deleted meanwhile.
SEGMENTS = "select id from segments where project_id = $1 and id = any($2) order by id for share"
COLLECTIONS = (
    "select id from product_collections where project_id = $1 and id = any($2) order by id for share"
)

SHARE_RULE = "select id from validation_rules where project_id = $1 and id = $2 for share"

# What can have rules and where it is found: by its id ($2), else by another name ($3) it has.
TARGETS: dict[str, LiteralString] = {
    "voucher": """
        select id from vouchers where project_id = $1 and deleted_at is null and (id = $2 or code_key = $3)
        order by code_key = $3 desc limit 1
    """,
    "campaign": """
        select id from campaigns where project_id = $1 and deleted_at is null and (id = $2 or name = $3)
        order by id = $2 desc limit 1
    """,
    "promotion_tier": "select id from promotion_tiers where project_id = $1 and id = $2 and $3::text is not null",
    "reward_assignment": "select id from loyalty_assignments where project_id = $1 and id = $2 and $3::text is not null",
}

FIND_ASSIGNMENT = """
    select id, rule_id, related_object_id, related_object_type, created_at
    from validation_rule_assignments where project_id = $1 and rule_id = $2 and related_object_id = $3
"""

ASSIGN = """
    insert into validation_rule_assignments (project_id, id, rule_id, related_object_id, related_object_type)
    values ($1, $2, $3, $4, $5)
    on conflict (project_id, related_object_id, rule_id) do nothing
    returning id, rule_id, related_object_id, related_object_type, created_at
"""

UNASSIGN = """
    delete from validation_rule_assignments where project_id = $1 and rule_id = $2 and id = $3
    returning id, rule_id, related_object_id, related_object_type, created_at
"""

UNASSIGN_OBJECTS = """
    delete from validation_rule_assignments where project_id = $1 and related_object_id = any($2)
    returning id, rule_id, related_object_id, related_object_type, created_at
"""

OF_OBJECTS = """
    select a.id, a.rule_id, a.related_object_id, a.related_object_type, a.created_at
    from unnest($2::text[]) as w (id)
    join validation_rule_assignments a on a.project_id = $1 and a.related_object_id = w.id
    order by a.created_at, a.id
"""

BY_RULE = """
    select id, rule_id, related_object_id, related_object_type, created_at
    from validation_rule_assignments where project_id = $1 and rule_id = $2 order by created_at, id
"""

# A snapshot knows the rules of campaigns and tiers by the object; those of codes are read when one is asked for.
COMPILED_OWNERS = """
    select related_object_id from validation_rule_assignments
    where project_id = $1 and rule_id = $2 and related_object_type in ('campaign', 'promotion_tier', 'reward_assignment')
"""


async def find(conn: db.Db, project_id: str, rule_id: str, *, lock: bool = False) -> RuleRow | None:
    """A rule by id. With `lock` its row stays ours until the transaction ends."""
    return await db.row(conn, RuleRow, FIND_LOCKED if lock else FIND, project_id, rule_id)


async def insert(conn: db.Db, project_id: str, rule_id: str, name: str, body: dict[str, Any]) -> None:
    """Write a rule."""
    await db.execute(conn, INSERT, project_id, rule_id, name, body)


async def update(conn: db.Db, project_id: str, rule_id: str, name: str, body: dict[str, Any]) -> None:
    """Write what a rule has become."""
    await db.execute(conn, UPDATE, project_id, rule_id, name, body)


async def delete(conn: db.Db, project_id: str, rule_id: str) -> None:
    """Remove a rule and its assignments."""
    await db.execute(conn, DELETE, project_id, rule_id)


async def known_segments(conn: db.Db, project_id: str, ids: Sequence[str]) -> set[str]:
    """Those of the segments that there are; they stay until the transaction ends."""
    return {r["id"] for r in await db.records(conn, SEGMENTS, project_id, list(ids))} if ids else set()


async def known_collections(conn: db.Db, project_id: str, ids: Sequence[str]) -> set[str]:
    """Those of the product collections that there are; they stay until the transaction ends."""
    return {r["id"] for r in await db.records(conn, COLLECTIONS, project_id, list(ids))} if ids else set()


async def hold_rule(conn: db.Db, project_id: str, rule_id: str) -> bool:
    """Whether there is such a rule; it stays until the transaction ends."""
    return await db.value(conn, SHARE_RULE, project_id, rule_id) is not None


async def find_target(
    conn: db.Db, project_id: str, object_type: str, named: str, case_sensitive: bool
) -> str | None:
    """The id of a thing that can have rules: a voucher by id or code, a campaign by id or name, a tier by id."""
    statement = TARGETS.get(object_type)
    if statement is None:
        return None
    other = named.casefold() if object_type == "voucher" and not case_sensitive else named
    return await db.value(conn, statement, project_id, named, other)


async def find_assignment(conn: db.Db, project_id: str, rule_id: str, object_id: str) -> AssignmentRow | None:
    """The assignment of a rule to a thing."""
    return await db.row(conn, AssignmentRow, FIND_ASSIGNMENT, project_id, rule_id, object_id)


async def assign(
    conn: db.Db, project_id: str, assignment_id: str, rule_id: str, object_id: str, object_type: str
) -> AssignmentRow | None:
    """Write an assignment; None when there is one already."""
    return await db.row(
        conn, AssignmentRow, ASSIGN, project_id, assignment_id, rule_id, object_id, object_type
    )


async def unassign(conn: db.Db, project_id: str, rule_id: str, assignment_id: str) -> AssignmentRow | None:
    """Remove an assignment; what it was."""
    return await db.row(conn, AssignmentRow, UNASSIGN, project_id, rule_id, assignment_id)


async def unassign_objects(conn: db.Db, project_id: str, object_ids: Sequence[str]) -> list[AssignmentRow]:
    """Remove all assignments of things that are deleted for good."""
    return await db.rows(conn, AssignmentRow, UNASSIGN_OBJECTS, project_id, list(object_ids))


async def assignments_of(
    conn: db.Db, project_id: str, object_ids: Sequence[str]
) -> dict[str, list[AssignmentRow]]:
    """The assignments of each of these things, the oldest first; things without any are not there."""
    found: dict[str, list[AssignmentRow]] = {}
    wanted = list(dict.fromkeys(object_ids))
    if wanted:
        for row in await db.rows(conn, AssignmentRow, OF_OBJECTS, project_id, wanted):
            found.setdefault(row.related_object_id, []).append(row)
    return found


async def assignments_by(conn: db.Db, project_id: str, rule_id: str) -> list[AssignmentRow]:
    """All assignments of one rule."""
    return await db.rows(conn, AssignmentRow, BY_RULE, project_id, rule_id)


async def compiled_owners(conn: db.Db, project_id: str, rule_id: str) -> list[str]:
    """The campaigns and tiers that a rule is assigned to."""
    found = await db.records(conn, COMPILED_OWNERS, project_id, rule_id)
    return [r["related_object_id"] for r in found]
