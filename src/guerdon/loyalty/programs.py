"""Programs made, changed, moved through their states and thrown away, and what is given to and taken from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from guerdon.definitions.changes import changed
from guerdon.engine.earning_cards import parse_happy_hours
from guerdon.engine.fault import EngineError
from guerdon.kit import clock, db, outbox
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, duplicate, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.loyalty import programs_store, store
from guerdon.loyalty.checks import STOCK, belongs, fault_of, locked, terms_of
from guerdon.loyalty.define import plain, shown
from guerdon.loyalty.parts import KINDS, Verb
from guerdon.loyalty.programs_store import AssignmentRow, ProgramRow
from guerdon.loyalty.shapes_programs import (
    Assigned,
    Program,
    ProgramCard,
    ProgramChange,
    ProgramCreated,
    ProgramIn,
    ProgramReward,
    ProgramRule,
    ProgramTiers,
)
from guerdon.loyalty.store import PartRow

ANY_TIME = {"type": "ANY_TIME"}
MOVES: Mapping[Verb, tuple[tuple[str, ...], str, str]] = {
    "activate": (("DRAFT", "INACTIVE"), "ACTIVE", "activated"),
    "deactivate": (("ACTIVE",), "INACTIVE", "deactivated"),
}
SECTIONS = {
    "card_definitions": "card_definition",
    "earning_rules": "earning_rule",
    "rewards": "reward",
    "tier_structures": "tier_structure",
}
"""Members of a new program that name its parts, by what kind of part they name."""
MOST = {"card_definition": 100, "earning_rule": 1000, "reward": 1000, "tier_structure": 1}


def shown_program(row: ProgramRow) -> Program:
    """The row as it leaves the API."""
    return msgspec.convert(_told(row), Program)


def _told(row: ProgramRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "start_date": clock.iso(row.start_date) if row.start_date else None,
        "end_date": clock.iso(row.end_date) if row.end_date else None,
        "validity_hours": row.validity_hours,
        "metadata": row.metadata,
        "created_at": clock.iso(row.created_at),
        "updated_at": clock.iso(row.updated_at) if row.updated_at else None,
    } | ({"happy_hours": row.settings["happy_hours"]} if row.settings.get("happy_hours") else {})


def shown_assignment(row: AssignmentRow) -> ProgramCard | ProgramRule | ProgramReward | ProgramTiers:
    """A part of a program as answers show it."""
    made = clock.iso(row.created_at)
    match row.kind:
        case "card_definition":
            return ProgramCard(card_definition_id=row.part_id, created_at=made)
        case "earning_rule":
            return ProgramRule(earning_rule_id=row.part_id, created_at=made)
        case "tier_structure":
            return ProgramTiers(tier_structure_id=row.part_id, created_at=made)
        case _:
            return ProgramReward(
                reward_id=row.part_id,
                stock=msgspec.convert(stock_of(row.stock), ProgramReward.__annotations__["stock"]),
                redeemed=row.redeemed,
                created_at=made,
                updated_at=clock.iso(row.updated_at) if row.updated_at else None,
            )


def stock_of(quantity: int | None) -> dict[str, Any]:
    """A stock as answers show it."""
    return (
        {"type": "UNLIMITED"} if quantity is None else {"type": "LIMITED", "limited": {"quantity": quantity}}
    )


async def found(conn: db.Db, project_id: str, program_id: str) -> ProgramRow:
    """A program. Raises `ApiError` 404."""
    row = await programs_store.find(conn, project_id, program_id)
    if row is None:
        raise not_found("program", program_id)
    return row


async def locked_program(conn: db.Conn, project_id: str, program_id: str) -> ProgramRow:
    """A program, locked. Raises `ApiError` 404."""
    row = await programs_store.lock(conn, project_id, program_id)
    if row is None:
        raise not_found("program", program_id)
    return row


async def own_program(call: Call, program_id: str) -> ProgramRow:
    """A program to be changed, locked. Raises `ApiError` 404, 423 for one that is a campaign of the older API."""
    row = await locked_program(call.conn, call.project_id, program_id)
    if row.settings.get("v1"):
        raise locked("program", program_id, "It is a campaign of /v1/loyalties and is changed there.")
    return row


async def create(call: Call, data: ProgramIn) -> ProgramCreated:
    """The new program with its parts.

    Raises `ApiError` 400, 404 and 409, and 423 ``missing_active_card_definition`` or ``missing_active_earning_rule``
    for one that is to be active and cannot be.
    """
    row = ProgramRow(
        id=new_id("loyalty_program"),
        name=data.name,
        status=data.status or "DRAFT",
        start_date=data.start_date,
        end_date=data.end_date,
        validity_hours=_hours(data.validity_hours),
        settings=_settings({}, data.happy_hours),
        metadata=data.metadata or {},
        created_at=clock.process_now(),
        updated_at=None,
    )
    _check(row)
    made = await programs_store.insert(call.conn, call.project_id, row)
    if made is None:
        raise duplicate("program", data.name, "name")
    answer, events = _told(made), [("vl.program.created", made.id, {})]
    for section, kind in SECTIONS.items():
        wanted = getattr(data, section)
        done = None if wanted is None else await _assign(call, made, kind, wanted)
        answer[section] = None if done is None else [_begun(row) for row, _ in done]
        events += [each for row, part in done or () for each in _news(made, "assigned", row, part)]
    if made.status == "ACTIVE":
        await _check_ready(call.conn, call.project_id, made.id)
    await _tell(call, made, events)
    return msgspec.convert(answer, ProgramCreated)


def _begun(row: AssignmentRow) -> dict[str, Any]:
    stock = {"stock": stock_of(row.stock)} if row.kind == "reward" else {}
    return msgspec.to_builtins(msgspec.convert({"id": row.part_id} | stock, Assigned))


async def change(call: Call, program_id: str, data: ProgramChange) -> ProgramRow:
    """The program with what was sent; what is absent stays.

    Raises `ApiError` 404, 409 for a name that is taken, 400 for what makes no sense or, once the program is no draft
    any more, may not change.
    """
    row = await own_program(call, program_id)
    sent = plain(data)
    told: dict[str, Any] = {}
    for name in ("start_date", "end_date"):
        if name in sent:
            told[name] = getattr(data, name)
    if "validity_hours" in sent:
        told["validity_hours"] = _hours(data.validity_hours)
    wanted = replace(row, **told)
    bound = [name for name in told if getattr(wanted, name) != getattr(row, name)]
    if row.status != "DRAFT" and bound:
        raise invalid_payload(
            *(Fault(name, "may not change once the program is no draft any more") for name in bound)
        )
    if data.happy_hours is not UNSET:
        wanted.settings = _settings(row.settings, data.happy_hours)
    if sent.get("name"):
        wanted.name = sent["name"]
    if "metadata" in sent:
        wanted.metadata = sent["metadata"] or {}
    _check(wanted)
    if await programs_store.name_taken(call.conn, call.project_id, wanted.name, program_id):
        raise duplicate("program", wanted.name, "name")
    written = await programs_store.update(call.conn, call.project_id, wanted)
    await _tell(call, written, [("vl.program.updated", program_id, {})])
    return written


async def move(call: Call, program_id: str, verb: Verb) -> ProgramRow:
    """The program in another state.

    Raises `ApiError` 404, 400 ``invalid_state_transition``, and 423 for a program that lacks what it needs.
    """
    row = await own_program(call, program_id)
    allowed, status, done = MOVES[verb]
    if row.status not in allowed:
        raise ApiError(
            400, "invalid_state_transition", "Invalid state transition",
            f"A program that is {row.status} cannot become {status}; it would have to be {' or '.join(allowed)}.",
            resource_id=program_id, resource_type="program",
        )  # fmt: skip
    if verb == "activate":
        await _check_ready(call.conn, call.project_id, program_id)
    written = await programs_store.update(call.conn, call.project_id, replace(row, status=status))
    await _tell(call, written, [(f"vl.program.{done}", program_id, {})])
    return written


async def remove(call: Call, program_id: str) -> ProgramRow:
    """The program, deleted, without its parts. Raises `ApiError` 404."""
    row = await own_program(call, program_id)
    await programs_store.unassign_all(call.conn, call.project_id, program_id)
    written = await programs_store.update(call.conn, call.project_id, replace(row, status="DELETED"))
    await _tell(call, written, [("vl.program.deleted", program_id, {})])
    return written


async def batch(
    call: Call, program_id: str, kind: str, assign: Sequence[Any] | None, unassign: Sequence[Any] | None
) -> tuple[list[AssignmentRow] | None, list[AssignmentRow] | None]:
    """Take parts of a kind from a program, then give it others: what was given, what was taken.

    Raises `ApiError` 404 for a part or an assignment that is not there, 400 for one that is named twice, 423
    ``non_draft_program`` for what only a draft may do, 423 ``missing_active_earning_rule`` when an active program
    would be left without one, and 409 for a part that the program has.
    """
    row = await locked_program(call.conn, call.project_id, program_id)
    _check_draft(row, kind, taking=bool(unassign))
    ids = [each.id for each in unassign or ()]
    if len(set(ids)) < len(ids):
        raise invalid_payload(Fault("unassign", "names one twice"))
    taken = [await _taken(call, row, kind, part_id) for part_id in ids]
    given = await _assign(call, row, kind, assign or ())
    if row.status == "ACTIVE" and kind == "earning_rule":
        await _check_ready(call.conn, call.project_id, program_id)
    events = [each for one, part in taken for each in _news(row, "unassigned", one, part)]
    events += [each for one, part in given for each in _news(row, "assigned", one, part)]
    await _tell(call, row, events)
    return (
        None if assign is None else [one for one, _ in given],
        None if unassign is None else [one for one, _ in taken],
    )


async def set_stock(call: Call, program_id: str, reward_id: str, stock: Any) -> AssignmentRow:
    """The reward of a program with another stock. Raises `ApiError` 404, 400."""
    row = await locked_program(call.conn, call.project_id, program_id)
    done = await programs_store.set_stock(
        call.conn, call.project_id, program_id, reward_id, _quantity(stock, "stock.")
    )
    if done is None:
        raise not_found("reward", reward_id)
    part = (await store.lock_shared(call.conn, call.project_id, [reward_id]))[reward_id]
    await _tell(call, row, _news(row, "updated", done, part)[:1])
    return done


def _check_draft(row: ProgramRow, kind: str, taking: bool) -> None:
    frozen = kind == "card_definition" or (kind == "tier_structure" and taking)
    if frozen and row.status != "DRAFT":
        noun = kind.replace("_", " ")
        raise locked("program", row.id, f"Only a draft's {noun}s can be changed so.", "non_draft_program")


async def _taken(call: Call, row: ProgramRow, kind: str, part_id: str) -> tuple[AssignmentRow, PartRow]:
    parts = await store.lock_shared(call.conn, call.project_id, [part_id])
    part = parts.get(part_id)
    done = None
    if part is not None and part.kind == kind:
        done = await programs_store.unassign(call.conn, call.project_id, row.id, part_id)
    if part is None or done is None:
        raise not_found(KINDS[kind].noun, part_id)
    return done, part


async def _assign(
    call: Call, row: ProgramRow, kind: str, wanted: Sequence[Any]
) -> list[tuple[AssignmentRow, PartRow]]:
    """Give parts of a kind to a program."""
    ids = [each.id for each in wanted]
    if len(set(ids)) < len(ids):
        raise invalid_payload(Fault("assign", "names one twice"))
    parts = await store.lock_shared(call.conn, call.project_id, sorted(ids))
    given: list[tuple[AssignmentRow, PartRow]] = []
    for index, each in enumerate(wanted):
        part = parts.get(each.id)
        if part is None or part.kind != kind:
            raise not_found(KINDS[kind].noun, each.id)
        if kind in ("card_definition", "tier_structure") and part.status != "ACTIVE":
            raise locked(kind, part.id, f"The {KINDS[kind].noun} is not active.")
        stock = _quantity(each.stock, f"assign[{index}].stock.") if kind == "reward" else None
        done = await programs_store.assign(call.conn, call.project_id, row.id, part.id, kind, stock)
        if done is None:
            raise duplicate(KINDS[kind].noun, part.id, f"assign[{index}].id")
        given.append((done, part))
    if given and await programs_store.count(call.conn, call.project_id, row.id, kind) > MOST[kind]:
        raise invalid_payload(Fault("assign", f"a program may have {MOST[kind]} of them"))
    return given


def _quantity(stock: Any, path: str) -> int | None:
    try:
        belongs(msgspec.to_builtins(stock), path, STOCK)
    except EngineError as error:
        raise fault_of(error) from None
    return None if stock.limited is None else stock.limited.quantity


def _hours(hours: Any) -> dict[str, Any]:
    return ANY_TIME if not hours else msgspec.to_builtins(hours)


def _settings(settings: Mapping[str, Any], happy_hours: Any) -> dict[str, Any]:
    kept = {name: value for name, value in settings.items() if name != "happy_hours"}
    return kept | ({"happy_hours": [plain(each) for each in happy_hours]} if happy_hours else {})


def _check(row: ProgramRow) -> None:
    try:
        terms_of(_told(row))
        for index, each in enumerate(row.settings.get("happy_hours") or ()):
            parse_happy_hours(each, f"happy_hours[{index}]")
    except EngineError as error:
        raise fault_of(error) from None


async def _check_ready(conn: db.Conn, project_id: str, program_id: str) -> None:
    for kind in ("card_definition", "earning_rule"):
        if not await programs_store.has_active(conn, project_id, program_id, kind):
            raise locked(
                "program",
                program_id,
                f"The program needs an active {KINDS[kind].noun}.",
                f"missing_active_{kind}",
            )
    rows = await programs_store.assignments(conn, project_id, program_id)
    structures = {row.part_id for row in rows if row.kind == "tier_structure"}
    if structures and not await programs_store.has_active(conn, project_id, program_id, "tier_structure"):
        raise locked(
            "program", program_id, "Its tier structure is not active.", "missing_active_tier_structure"
        )


def _news(
    program: ProgramRow, what: str, row: AssignmentRow, part: PartRow
) -> list[tuple[str, str, dict[str, Any]]]:
    """The events of an assignment: the program's, and the part's own."""
    data = {
        row.kind: msgspec.to_builtins(shown(KINDS[row.kind], part)),
        f"program_{row.kind}": msgspec.to_builtins(shown_assignment(row)),
    }
    return [
        (
            f"vl.program.{row.kind}.{what}" if what != "updated" else "vl.program.reward.updated",
            program.id,
            data,
        ),
        (f"vl.{row.kind}.{what}", part.id, data),
    ]


async def _tell(call: Call, row: ProgramRow, events: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Write events, and that definitions changed: a write's last act."""
    shape = {"program": msgspec.to_builtins(shown_program(row))}
    await outbox.emit(
        call.conn,
        call.project_id,
        [Event(type, id, data=shape | data) for type, id, data in events],
        call.request_id,
    )
    await changed(call.conn, call.project_id, [("loyalty", row.id)])
