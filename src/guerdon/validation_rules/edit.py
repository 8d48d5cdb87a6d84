"""Writing validation rules: a definition is checked whole before it is stored as it was given."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from guerdon.definitions.changes import changed
from guerdon.engine.fault import EngineError
from guerdon.engine.rule import parse_rule_set
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.validation_rules import store
from guerdon.validation_rules.assign import tell_unassigned
from guerdon.validation_rules.contexts import CONTEXTS

DEFAULTS: dict[str, Any] = {"type": "expression", "context_type": "global"}

MAX_TOLD = 10_000
"""Beyond so many assignments, deleting a rule is told by its own event alone."""


async def create(call: Call, name: str, given: Mapping[str, Any]) -> str:
    """Write a rule; its id. Raises `ApiError` 400 with the path of what is wrong."""
    rule_id = new_id("validation_rule")
    body = _merged(DEFAULTS, given)
    await check(call, rule_id, name, body)
    await store.insert(call.db, call.project_id, rule_id, name, body)
    await _told(call, rule_id, "created", {"name": name})
    await changed(call.conn, call.project_id, [("rule", rule_id)])
    return rule_id


async def change(call: Call, rule_id: str, name: str | None, given: Mapping[str, Any]) -> None:
    """Put what is given over a rule, member by member, and check the whole. Raises `ApiError` 400, 404."""
    row = await _locked(call, rule_id)
    body = _merged(row.body, given)
    name = row.name if name is None else name
    await check(call, rule_id, name, body)
    await store.update(call.db, call.project_id, rule_id, name, body)
    await _told(call, rule_id, "updated", {"name": name})
    await changed(call.conn, call.project_id, [("rule", rule_id)])


async def remove(call: Call, rule_id: str) -> None:
    """Delete a rule: what it was assigned to has it no more. Raises `ApiError` 404."""
    row = await _locked(call, rule_id)
    owners = await store.compiled_owners(call.db, call.project_id, rule_id)
    if row.assignments_count <= MAX_TOLD:
        gone = await store.assignments_by(call.db, call.project_id, rule_id)
        await tell_unassigned(call.db, call.project_id, gone, call.request_id)
    await store.delete(call.db, call.project_id, rule_id)
    await _told(call, rule_id, "deleted", {"name": row.name, "assignments_count": row.assignments_count})
    await changed(
        call.conn,
        call.project_id,
        [("rule", rule_id), *(("assignment", owner) for owner in owners)],
    )


async def check(call: Call, rule_id: str, name: str, body: Mapping[str, Any]) -> None:
    """Raise `ApiError` 400 ``invalid_validation_rules`` for a definition that the engine would not take, or one
    that names segments or product collections which do not exist."""
    if body["context_type"] not in CONTEXTS:
        raise invalid_payload(
            Fault("context_type", f"is none of the contexts; there are {_listed(CONTEXTS)}")
        )
    try:
        rules = parse_rule_set(body, id=rule_id, name=name)
    except EngineError as error:
        raise _invalid(error.path, error.message) from None
    segments = await store.known_segments(call.db, call.project_id, _texts(rules.segments))
    _check_known(body, rules.segments - segments, "segment")
    collections = await store.known_collections(call.db, call.project_id, _texts(rules.collections))
    _check_known(body, rules.collections - collections, "product collection")


def _texts(names: Collection[Any]) -> list[str]:
    return sorted(name for name in names if isinstance(name, str))


def _check_known(body: Mapping[str, Any], unknown: Collection[Any], what: str) -> None:
    if unknown:
        first = min(unknown, key=str)
        raise _invalid(path_of(body, first, "") or "rules", f"there is no {what} {first!r} in this project")


def path_of(value: Any, wanted: Any, path: str) -> str | None:
    """Where a text stands in a definition that was checked, and so is not deep."""
    if value == wanted:
        return path
    parts: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        parts = [(f"{path}.{key}" if path else str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[{number}]", one) for number, one in enumerate(value)]
    return next((found for at, one in parts if (found := path_of(one, wanted, at)) is not None), None)


def _merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was, with what is given over it; null clears."""
    body = {**before, **{name: value for name, value in given.items() if value is not UNSET}}
    return DEFAULTS | {name: value for name, value in body.items() if value is not None}


def given_of(data: Any, names: Collection[str]) -> dict[str, Any | UnsetType]:
    """The members of a request that make up a rule's body."""
    return {name: getattr(data, name) for name in names}


async def _told(call: Call, rule_id: str, what: str, about: dict[str, Any]) -> None:
    event = Event(f"business_validation_rule.{what}", rule_id, data=about)
    await emit(call.db, call.project_id, [event], call.request_id)


async def _locked(call: Call, rule_id: str) -> store.RuleRow:
    row = await store.find(call.db, call.project_id, rule_id, lock=True)
    if row is None:
        raise not_found("validation_rules", rule_id)
    return row


def _invalid(path: str, message: str) -> ApiError:
    return invalid_payload(
        Fault(path, message), key="invalid_validation_rules", message="Invalid validation rule definition"
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
