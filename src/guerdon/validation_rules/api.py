"""``/v1/validation-rules`` and their assignments."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.kit import clock, paging
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.validation_rules import edit, store
from guerdon.validation_rules.assign import Assignment, assign, shape, unassign
from guerdon.validation_rules.edit import given_of

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Body = dict[str, Any]
Type = Literal["expression", "basic", "advanced", "complex"]
ObjectType = Literal[
    "voucher", "promotion_tier", "campaign", "earning_rule", "distribution", "reward_assignment"
]

MEMBERS = ("type", "context_type", "rules", "bundle_rules", "applicable_to", "error")


class RuleMembers(msgspec.Struct, kw_only=True):
    """What a rule says besides its name."""

    type: Type | UnsetType | None = UNSET
    context_type: Annotated[str, Meta(max_length=128)] | UnsetType | None = UNSET
    rules: Body | UnsetType | None = UNSET
    bundle_rules: Body | UnsetType | None = UNSET
    applicable_to: Body | UnsetType | None = UNSET
    error: Body | UnsetType | None = UNSET


class RuleIn(RuleMembers, kw_only=True):
    """A rule to be."""

    name: Name


class RuleChange(RuleMembers, kw_only=True):
    """What is to change of a rule. Absent stays and null clears, member by member; the name stays either way."""

    name: Name | UnsetType | None = UNSET


class Rule(msgspec.Struct, kw_only=True):
    """A validation rule."""

    id: str
    name: str
    rules: Body
    bundle_rules: Body | UnsetType = UNSET
    error: Body | UnsetType = UNSET
    applicable_to: Body
    created_at: str
    updated_at: str | UnsetType = UNSET
    type: str
    context_type: str
    assignments_count: int
    object: str = "validation_rules"


class RuleList(msgspec.Struct, kw_only=True):
    """A page of validation rules."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Rule]
    total: int
    has_more: bool
    more_starting_after: str | None


class AssignmentIn(msgspec.Struct, kw_only=True):
    """What a rule is to be assigned to: a voucher by id or code, a campaign by id or name, others by id."""

    related_object_id: Name
    related_object_type: ObjectType | None = "voucher"


class AssignmentList(msgspec.Struct, kw_only=True):
    """A page of assignments."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Assignment]
    total: int
    has_more: bool
    more_starting_after: str | None


def _shape(row: store.RuleRow) -> Rule:
    body = row.body
    everything = {"excluded": [], "included": [], "included_all": False}
    return Rule(
        id=row.id,
        name=row.name,
        rules=body.get("rules") or {"logic": ""},
        bundle_rules=body.get("bundle_rules", UNSET),
        error=body.get("error", UNSET),
        applicable_to=_with_effects(everything | body.get("applicable_to", {})),
        created_at=clock.iso(row.created_at),
        updated_at=UNSET if row.updated_at is None else clock.iso(row.updated_at),
        type=body["type"],
        context_type=body["context_type"],
        assignments_count=row.assignments_count,
    )


def _with_effects(scope: Body) -> Body:
    """A scope with the effect of every entry said; the SDK cannot read one without."""
    shown = dict(scope)
    for name in ("included", "excluded"):
        entries = shown.get(name)
        if isinstance(entries, list):
            shown[name] = [
                {"effect": "APPLY_TO_EVERY"} | entry for entry in entries if isinstance(entry, dict)
            ]
    return shown


async def _found(call: Call, validation_rule_id: str) -> store.RuleRow:
    row = await store.find(call.db, call.project_id, validation_rule_id)
    if row is None:
        raise not_found("validation_rules", validation_rule_id)
    return row


async def create_validation_rule(call: Call, data: RuleIn) -> Rule:
    """Create a validation rule.

    The whole definition is checked: rule names, operators, operands, `logic`, item scopes and bundles, and that
    the segments and product collections it names are there. It restricts nothing until it is assigned.
    """
    rule_id = await edit.create(call, data.name, given_of(data, MEMBERS))
    return _shape(await _found(call, rule_id))


async def get_validation_rule(call: Call, validation_rule_id: str) -> Rule:
    """Read a validation rule."""
    return _shape(await _found(call, validation_rule_id))


async def update_validation_rule(call: Call, validation_rule_id: str, data: RuleChange) -> Rule:
    """Change a validation rule.

    `rules`, `bundle_rules`, `applicable_to` and `error` are replaced whole. It holds at once for everything it is
    assigned to.
    """
    name = None if data.name is UNSET else data.name
    await edit.change(call, validation_rule_id, name, given_of(data, MEMBERS))
    return _shape(await _found(call, validation_rule_id))


async def delete_validation_rule(call: Call, validation_rule_id: str) -> None:
    """Delete a validation rule with its assignments.

    What it was assigned to goes on without it.
    """
    await edit.remove(call, validation_rule_id)


async def list_validation_rules(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
) -> RuleList:
    """List validation rules.

    `order` is created_at, updated_at, name or id, with a dash before it to reverse it; `start_date` and `end_date`
    are bounds of created_at. Also `filters[field][conditions][$is][0]` on id, name, type and context_type.
    """
    query = call.query
    for parameter, bound in (("[created_at][after]", start_date), ("[created_at][before]", end_date)):
        if bound:
            query = [*query, (parameter, bound)]
    found = await paging.page(
        call.db, store.RuleRow, store.RULES, call.project_id, query, zone=call.caller.timezone
    )
    return RuleList(
        data=[_shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def create_assignment(
    call: Call, validation_rule_id: str, data: AssignmentIn, force: bool = False
) -> Assignment:
    """Assign a validation rule to something.

    That is a voucher, a campaign, a promotion tier, an earning rule, a reward assignment or a distribution. A rule is assigned once to a thing; `force` puts a new assignment in the place of the one there is.
    """
    await _found(call, validation_rule_id)
    object_type, named = data.related_object_type or "voucher", data.related_object_id
    target = await store.find_target(
        call.db, call.project_id, object_type, named, call.caller.case_sensitive_codes
    )
    if target is None:
        raise not_found(object_type, named)
    if force:
        known = await store.find_assignment(call.db, call.project_id, validation_rule_id, target)
        if known is not None:
            await store.unassign(call.db, call.project_id, validation_rule_id, known.id)
    row = await assign(
        call.db, call.project_id, validation_rule_id, target, object_type, request_id=call.request_id
    )
    return shape(row)


async def delete_assignment(call: Call, validation_rule_id: str, assignment_id: str) -> None:
    """Take a validation rule from what it was assigned to."""
    await unassign(call.db, call.project_id, validation_rule_id, assignment_id, request_id=call.request_id)


async def list_assignments(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
    rule: str | None = None,
    related_object_id: str | None = None,
) -> AssignmentList:
    """List the assignments of all validation rules, or of one `rule`, or of one `related_object_id`."""
    return await _list(call, rule or None, related_object_id or None)


async def list_rule_assignments(
    call: Call,
    validation_rule_id: str,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> AssignmentList:
    """List the assignments of a validation rule."""
    await _found(call, validation_rule_id)
    return await _list(call, validation_rule_id, None)


async def _list(call: Call, rule_id: str | None, object_id: str | None) -> AssignmentList:
    found = await paging.page(
        call.db, store.AssignmentRow, store.ASSIGNMENTS, call.project_id, call.query,
        args=(rule_id, object_id), zone=call.caller.timezone,
    )  # fmt: skip
    return AssignmentList(
        data=[shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


_TAG = "Validation Rules"
_ONE = "/v1/validation-rules/{validation_rule_id}"

ROUTES = [
    Route(method="GET", path="/v1/validation-rules", handler=list_validation_rules, tag=_TAG),
    Route(method="POST", path="/v1/validation-rules", handler=create_validation_rule, tag=_TAG, kind="write"),
    Route(method="GET", path="/v1/validation-rules-assignments", handler=list_assignments, tag=_TAG),
    Route(method="GET", path=_ONE, handler=get_validation_rule, tag=_TAG),
    Route(method="PUT", path=_ONE, handler=update_validation_rule, tag=_TAG, kind="write"),
    Route(method="DELETE", path=_ONE, handler=delete_validation_rule, tag=_TAG, kind="write", status=204),
    Route(method="GET", path=f"{_ONE}/assignments", handler=list_rule_assignments, tag=_TAG),
    Route(method="POST", path=f"{_ONE}/assignments", handler=create_assignment, tag=_TAG, kind="write"),
    Route(
        method="DELETE",
        path=f"{_ONE}/assignments/{{assignment_id}}",
        handler=delete_assignment,
        tag=_TAG,
        kind="write",
        status=204,
    ),
]
