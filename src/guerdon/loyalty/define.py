"""Parts made, changed, moved through their states, and thrown away."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from guerdon.definitions.changes import changed
from guerdon.kit import clock, db, outbox
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, duplicate, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.loyalty import programs_store, store
from guerdon.loyalty.checks import check, check_references, locked
from guerdon.loyalty.parts import DONE, OWN, Kind, Verb
from guerdon.loyalty.store import PartRow
from guerdon.loyalty.v1_shown import body_of

LISTS = {"earnings": {"id": "earning_item"}, "costs": {"id": "reward_cost", "spending": "reward_spending"}}
"""Lists in bodies whose members have ids of their own."""


def shown(kind: Kind, row: PartRow) -> Any:
    """The row as it leaves the API."""
    body = body_of(kind.name, row.id, row.body)
    if kind.name == "benefit" and row.taken and body["stock"]["type"] == "LIMITED":
        left = max(0, body["stock"]["limited"]["quantity"] - row.taken)
        body = body | {"stock": {"type": "LIMITED", "limited": {"quantity": left}}}
    told = body | {
        "id": row.id,
        "name": row.name,
        "type": body.get("type", row.type),
        "status": row.status,
        "metadata": row.metadata,
        "created_at": clock.iso(row.created_at),
        "updated_at": clock.iso(row.updated_at) if row.updated_at else None,
    }
    return msgspec.convert(told, kind.answer)


async def found(conn: db.Db, project_id: str, kind: Kind, part_id: str) -> PartRow:
    """A part. Raises `ApiError` 404."""
    row = await store.find(conn, project_id, kind.name, part_id)
    if row is None:
        raise not_found(kind.noun, part_id)
    return row


async def locked_part(conn: db.Conn, project_id: str, kind: Kind, part_id: str) -> PartRow:
    """A part, locked. Raises `ApiError` 404."""
    row = await store.lock(conn, project_id, kind.name, part_id)
    if row is None:
        raise not_found(kind.noun, part_id)
    return row


async def own_part(call: Call, kind: Kind, part_id: str) -> PartRow:
    """A part to be changed, locked. Raises `ApiError` 404, 423 for one that the older API wrote."""
    row = await locked_part(call.conn, call.project_id, kind, part_id)
    if "v1" in row.body:
        raise locked(kind.name, part_id, "It belongs to a campaign of /v1/loyalties and is changed there.")
    return row


async def create(call: Call, kind: Kind, data: msgspec.Struct) -> PartRow:
    """The new part. Raises `ApiError` 400, 404 and 423 for a body that makes no sense, 409 for a name that is taken."""
    sent = plain(data)
    part_id = new_id(kind.id)
    status = sent.get("status") or "DRAFT"
    body = with_ids(completed(kind, {}, sent), {})
    type = _type(sent, body)
    check(kind.name, body | {"name": sent["name"], "type": type, "status": status}, part_id)
    await check_references(call.conn, call.project_id, body, kind.name == "benefit" and status == "ACTIVE")
    await _check_name(call, kind, sent["name"])
    row = await store.insert(
        call.conn, call.project_id, part_id, kind.name, sent["name"], type, status, body,
        sent.get("metadata") or {},
    )  # fmt: skip
    await tell(call, kind, row, "created")
    return row


async def change(call: Call, kind: Kind, part_id: str, data: msgspec.Struct) -> PartRow:
    """The part with what was sent; what is absent stays.

    Raises `ApiError` 404, 400 and 423 as `create`, and for what may not change any more: 400, or 423
    ``resource_locked`` for a card definition that has cards.
    """
    row = await own_part(call, kind, part_id)
    sent = {
        name: value
        for name, value in plain(data).items()
        if value is not None or name not in ("name", "type", "trigger", "earnings", "costs")
    }
    stock = sent.get("stock") if kind.name == "benefit" else None
    if stock is not None and stock.get("limited"):  # what is left from now on
        stock["limited"]["quantity"] += row.taken
    body = with_ids(completed(kind, row.body, sent), row.body)
    body = _of_type(kind, body, sent)
    name: str = sent.get("name") or row.name
    type = _type({"type": row.type} | sent, body)
    metadata = row.metadata if "metadata" not in sent else sent["metadata"] or {}
    await _check_free(call, kind, row, body, type)
    check(kind.name, body | {"name": name, "type": type, "status": row.status}, part_id)
    await check_references(call.conn, call.project_id, body, kind.name == "benefit" and body != row.body)
    if name != row.name:
        await _check_name(call, kind, name)
    written = await store.update(
        call.conn, call.project_id, replace(row, name=name, type=type, body=body, metadata=metadata)
    )
    await tell(call, kind, written, "updated")
    return written


async def move(call: Call, kind: Kind, part_id: str, verb: Verb) -> PartRow:
    """The part in another state.

    Raises `ApiError` 404, 409 (400 for benefits) ``invalid_state_transition`` for a state that does not lead there,
    and 423 while something that is in use holds it.
    """
    row = await own_part(call, kind, part_id)
    allowed, status = kind.moves[verb]
    if row.status not in allowed:
        raise ApiError(
            kind.refused, "invalid_state_transition", "Invalid state transition",
            f"A {kind.noun} that is {row.status} cannot become {status}; it would have to be {' or '.join(allowed)}.",
            resource_id=part_id, resource_type=kind.name,
        )  # fmt: skip
    if verb == "activate" and kind.name == "benefit":
        await check_references(call.conn, call.project_id, row.body, needs_active=True)
    if verb != "activate":
        await _check_unheld(call, kind, part_id, verb)
    written = await store.update(call.conn, call.project_id, replace(row, status=status))
    await tell(call, kind, written, DONE[verb])
    return written


async def remove(call: Call, kind: Kind, part_id: str) -> PartRow:
    """The part, deleted. Raises `ApiError` 404, and 400 ``resource_in_use`` while something names it."""
    row = await own_part(call, kind, part_id)
    naming = await store.naming(call.conn, call.project_id, part_id)
    if naming:
        raise in_use(
            kind.noun, part_id, naming[0]["kind"], [r["id"] for r in naming if r["kind"] == naming[0]["kind"]]
        )
    programs = await programs_store.programs_with(call.conn, call.project_id, part_id)
    if programs:
        raise in_use(kind.noun, part_id, "program", [each["id"] for each in programs])
    written = await store.update(call.conn, call.project_id, replace(row, status="DELETED"))
    await tell(call, kind, written, "deleted")
    # The reference shows the state that an earning rule was in; the others are DELETED there.
    return replace(written, status=row.status) if kind.name == "earning_rule" else written


def in_use(noun: str, resource_id: str, related_type: str, related: list[str]) -> ApiError:
    """400: others name it."""
    return ApiError(
        400, "resource_in_use", "Resource in use", f"The {noun} is in use; take it from there first.",
        resource_id=resource_id, resource_type=noun.replace(" ", "_"),
        extra={"related_object_ids": related, "related_object_type": related_type},
    )  # fmt: skip


async def tell(
    call: Call, kind: Kind, row: PartRow, what: str, more: Mapping[str, Any] | None = None
) -> None:
    """Write the event that something happened to a part, and that definitions changed: the write's last act."""
    answer = msgspec.to_builtins(shown(kind, row))
    event = Event(f"vl.{kind.name}.{what}", row.id, data={kind.name: answer} | dict(more or {}))
    await outbox.emit(call.conn, call.project_id, [event], call.request_id)
    await changed(call.conn, call.project_id, [("loyalty", row.id)])


def plain(data: msgspec.Struct) -> dict[str, Any]:
    """What was sent as plain values, instants in the form of answers; what was not sent is not there."""
    told: dict[str, Any] = msgspec.to_builtins(data, builtin_types=())
    for name in ("start_date", "end_date", "expiration_date"):
        moment = getattr(data, name, None)
        if name in told and told[name] is not None:
            told[name] = clock.iso(moment)
    return told


def completed(kind: Kind, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """A body with what was sent in the place of what is stored; null and what is missing become the default."""
    body = dict(stored) | {name: value for name, value in sent.items() if name not in OWN}
    for name, default in kind.defaults.items():
        if body.get(name) is None:
            body[name] = _filled(kind, name, default)
    return {name: value for name, value in body.items() if value is not None}


def _filled(kind: Kind, name: str, default: Any) -> Any:
    """A default as it would be stored had it been sent."""
    fields = {each.encode_name: each.type for each in msgspec.structs.fields(kind.create)}
    value = msgspec.convert({name: default}, msgspec.defstruct("_Section", [(name, fields[name])]))
    return msgspec.to_builtins(value)[name]


def _of_type(kind: Kind, body: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The body without the section of another type than the one that was sent now."""
    sections = {
        "reward": {"MATERIAL": "material", "DIGITAL": "digital"},
        "tier_structure": {"POINT_BALANCE": "point_balance", "POINT_EARNED": "point_earned"},
        "benefit": {
            "POINTS": "points",
            "POINTS_PROPORTIONAL": "points_proportional",
            "MATERIAL": "material",
            "DIGITAL": "digital",
        },
    }.get(kind.name, {})
    if "type" not in sent:
        return body
    dropped = {name for type, name in sections.items() if type != sent["type"] and name not in sent}
    return {name: value for name, value in body.items() if name not in dropped}


def _type(sent: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """What stands in the column: the type, or what sets an earning rule off."""
    return body["trigger"]["event"] if "trigger" in body else sent["type"]


def with_ids(body: dict[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The body with ids for the members of its lists that have none. Raises `ApiError` 400 for one not known."""
    for list_name, kinds in LISTS.items():
        known = {each["id"] for each in stored.get(list_name, ())}
        spent = {one["id"] for each in stored.get(list_name, ()) for one in each.get("spending", ())}
        for index, each in enumerate(body.get(list_name, ())):
            path = f"{list_name}[{index}]"
            _with_id(each, kinds["id"], known, path)
            for place, one in enumerate(each.get("spending", ())):
                _with_id(one, kinds["spending"], spent, f"{path}.spending[{place}]")
    return body


def _with_id(member: dict[str, Any], kind: str, known: set[str], path: str) -> None:
    if member.get("id") is None:
        member["id"] = new_id(kind)
    elif member["id"] not in known:
        raise invalid_payload(Fault(f"{path}.id", "names none that is there; leave it out for a new one"))
    else:
        known.discard(member["id"])  # each once


async def _check_name(call: Call, kind: Kind, name: str) -> None:
    if kind.name == "benefit" and await store.named(call.conn, call.project_id, kind.name, name):
        raise duplicate("benefit", name, "name")


async def _check_free(call: Call, kind: Kind, row: PartRow, body: Mapping[str, Any], type: str) -> None:
    """What others build upon stays as it is once they do."""
    differ = {name for name in body.keys() | row.body.keys() if body.get(name) != row.body.get(name)}
    if type != row.type and kind.name != "earning_rule":
        differ.add("type")
    bound = sorted(differ - kind.free)
    if not bound:
        return
    if kind.name == "card_definition":
        if await programs_store.has_cards(call.conn, call.project_id, row.id):
            raise locked(kind.name, row.id, f"There are cards of it, so {', '.join(bound)} stay as they are.")
    elif row.status != "DRAFT":
        raise invalid_payload(
            *(Fault(name, f"may not change once the {kind.noun} is no draft any more") for name in bound)
        )


async def _check_unheld(call: Call, kind: Kind, part_id: str, verb: Verb) -> None:
    """Nothing that runs may lose what it stands on."""
    programs = await programs_store.programs_with(call.conn, call.project_id, part_id)
    running = [each["id"] for each in programs if each["status"] == "ACTIVE"]
    match kind.name:
        case "benefit":
            rules = await store.naming(call.conn, call.project_id, part_id)
            active = [each["id"] for each in rules if each["status"] == "ACTIVE"]
            if active:
                raise locked(
                    "benefit", part_id, "An active earning rule gives the benefit.", "connected_active_earning_rule",
                    related_object_ids=active, related_object_type="earning_rule",
                )  # fmt: skip
        case "reward" if verb == "draft" and programs:
            raise locked(
                "reward", part_id, "The reward belongs to a program; take it from there first.", status=409
            )
        case "card_definition" | "tier_structure" if running:
            raise locked(kind.name, part_id, f"An active program stands on the {kind.noun}.", status=409)
        case "earning_rule" if running:
            for program_id in running:
                if not await programs_store.has_other_rule(call.conn, call.project_id, program_id, part_id):
                    raise locked(
                        "earning_rule",
                        part_id,
                        "It is the last active rule of an active program.",
                        status=409,
                    )
