"""Assigning rules to things, for the API and for whoever makes things that come with their rules."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from guerdon.definitions.changes import changed
from guerdon.kit import clock, db
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.validation_rules import store
from guerdon.validation_rules.store import AssignmentRow

MOST_AT_ONCE = 5
"""How many rules a thing can be made with."""


class Assignment(Struct, kw_only=True):
    """A rule's assignment to a thing, as answered."""

    id: str
    rule_id: str
    related_object_id: str
    related_object_type: str
    created_at: str
    validation_status: str = "VALID"
    validation_omitted_rules: list[str] = []
    object: str = "validation_rules_assignment"


def shape(row: AssignmentRow) -> Assignment:
    """The row as it leaves the API."""
    return Assignment(
        id=row.id,
        rule_id=row.rule_id,
        related_object_id=row.related_object_id,
        related_object_type=row.related_object_type,
        created_at=clock.iso(row.created_at),
    )


async def assign(
    conn: db.Db,
    project_id: str,
    rule_id: str,
    object_id: str,
    object_type: str,
    *,
    request_id: str | None = None,
) -> AssignmentRow:
    """Assign a rule to a thing that is known to be there; towards the end of a transaction, as `changed` is.

    Raises `ApiError` 404 for an unknown rule, 409 when it is assigned already.
    """
    row = await _write(conn, project_id, rule_id, object_id, object_type, request_id)
    await changed(conn, project_id, [("assignment", object_id)])  # type: ignore[arg-type]
    return row


async def assign_all(
    conn: db.Db,
    project_id: str,
    rule_ids: Sequence[str] | None,
    object_id: str,
    object_type: str,
    *,
    request_id: str | None = None,
    path: str = "validation_rules",
) -> None:
    """Assign the rules that a thing is made with, as `assign`. Raises `ApiError` 400 at `path` for too many, 404."""
    wanted = sorted(set(rule_ids or ()))
    if len(wanted) > MOST_AT_ONCE:
        raise invalid_payload(Fault(path, f"names at most {MOST_AT_ONCE} rules"))
    for rule_id in wanted:
        await _write(conn, project_id, rule_id, object_id, object_type, request_id)
    if wanted:
        await changed(conn, project_id, [("assignment", object_id)])  # type: ignore[arg-type]


async def _write(
    conn: db.Db, project_id: str, rule_id: str, object_id: str, object_type: str, request_id: str | None
) -> AssignmentRow:
    if not await store.hold_rule(conn, project_id, rule_id):
        raise not_found("validation_rules", rule_id)
    row = await store.assign(conn, project_id, new_id("assignment"), rule_id, object_id, object_type)
    if row is None:
        known = await store.find_assignment(conn, project_id, rule_id, object_id)
        raise _assigned_already(rule_id, object_id, "" if known is None else known.id)
    event = Event("business_validation_rule.assignment.created", row.id, data=_about(row))
    await emit(conn, project_id, [event], request_id)
    return row


async def unassign(
    conn: db.Db, project_id: str, rule_id: str, assignment_id: str, *, request_id: str | None = None
) -> None:
    """Take a rule from what it was assigned to. Raises `ApiError` 404."""
    if not await store.hold_rule(conn, project_id, rule_id):
        raise not_found("validation_rules", rule_id)
    row = await store.unassign(conn, project_id, rule_id, assignment_id)
    if row is None:
        raise not_found("validation_rules_assignment", assignment_id)
    await tell_unassigned(conn, project_id, [row], request_id)
    await changed(conn, project_id, [("assignment", row.related_object_id)])  # type: ignore[arg-type]


async def forget(
    conn: db.Db, project_id: str, object_ids: Sequence[str], *, request_id: str | None = None
) -> None:
    """Drop the assignments of things that are deleted for good; those in the bin keep theirs."""
    rows = await store.unassign_objects(conn, project_id, object_ids)
    if rows:
        await tell_unassigned(conn, project_id, rows, request_id)
        owners = sorted({row.related_object_id for row in rows})
        await changed(conn, project_id, [("assignment", owner) for owner in owners])  # type: ignore[arg-type]


async def tell_unassigned(
    conn: db.Db, project_id: str, rows: Sequence[AssignmentRow], request_id: str | None
) -> None:
    """The events of assignments that are no more."""
    name = "business_validation_rule.assignment.deleted"
    await emit(conn, project_id, [Event(name, row.id, data=_about(row)) for row in rows], request_id)


def _about(row: AssignmentRow) -> dict[str, Any]:
    return {
        "rule_id": row.rule_id,
        "related_object_id": row.related_object_id,
        "related_object_type": row.related_object_type,
    }


def _assigned_already(rule_id: str, object_id: str, assignment_id: str) -> ApiError:
    return ApiError(
        409,
        "duplicate_found",
        "The rule is assigned already",
        f"{object_id} has the validation rule {rule_id} by the assignment {assignment_id}.",
        resource_id=assignment_id,
        resource_type="validation_rules_assignment",
    )
