"""Validation rules of campaigns and tiers: given, exchanged, taken away, shown."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.validation_rules import store
from guerdon.validation_rules.assign import assign_all, forget, shape, unassign
from guerdon.vouchers.shape import RuleAssignments

Owner = Literal["campaign", "promotion_tier"]


async def assign(call: Call, rules: Sequence[str], owner_id: str, owner: Owner) -> None:
    """Give something its rules. Raises `ApiError` 404 for a rule that is not there."""
    await assign_all(call.db, call.project_id, rules, owner_id, owner, request_id=call.request_id)


async def reassign(call: Call, rules: Sequence[str], owner_id: str, owner: Owner) -> None:
    """Give something these rules and no others; those it has already stay as they are."""
    held = (await store.assignments_of(call.db, call.project_id, [owner_id])).get(owner_id, [])
    for row in held:
        if row.rule_id not in rules:
            await unassign(call.db, call.project_id, row.rule_id, row.id, request_id=call.request_id)
    kept = {row.rule_id for row in held}
    await assign(call, [rule_id for rule_id in rules if rule_id not in kept], owner_id, owner)


async def unassign_all(call: Call, owner_ids: Sequence[str]) -> None:
    """Take all rules from things that go for good."""
    await forget(call.db, call.project_id, owner_ids, request_id=call.request_id)


async def assigned(conn: db.Db, project_id: str, owner_ids: Sequence[str]) -> dict[str, RuleAssignments]:
    """How the rules of things are shown, by the things' ids; those without rules are left out."""
    return {
        owner: RuleAssignments(data=tuple(msgspec.to_builtins(shape(row)) for row in rows), total=len(rows))
        for owner, rows in (await store.assignments_of(conn, project_id, owner_ids)).items()
    }
