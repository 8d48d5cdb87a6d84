"""Earning rules of the older API: kept as they were sent, beside those of the newer one, and read by the same engine."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from guerdon.definitions.changes import changed
from guerdon.engine.earning_parse_v1 import parse_earning_rule_v1
from guerdon.engine.fault import EngineError
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_ids
from guerdon.kit.outbox import Event, emit
from guerdon.kit.paging import Field, Listing, page
from guerdon.loyalty import programs_store, store
from guerdon.loyalty.checks import fault_of
from guerdon.loyalty.store import PartRow
from guerdon.loyalty.v1_members import ProgramRef, program_of
from guerdon.loyalty.v1_names import older, stored

MOST = 100
"""So many earning rules a project may have."""

COUNT = """
    select count(*) from loyalty_parts
    where project_id = $1 and kind = 'earning_rule' and status <> 'DELETED' and body ? 'v1'
"""
SCHEMA = (
    "select id from custom_event_schemas where project_id = $1 and (id = $2 or ($2 is null and name = $3))"
)
RULES: dict[str, Any] = {
    "segment": "select count(*) from segments where project_id = $1 and id = $2",
    "validation_rule_id": "select count(*) from validation_rules where project_id = $1 and id = $2",
    "loyalty_tier": "select count(*) from loyalty_tiers where project_id = $1 and id = $2",
}
LISTING = Listing(
    name="data",
    columns="p.id, p.kind, p.name, p.type, p.status, p.body, p.metadata, p.created_at, p.updated_at",
    source="""loyalty_parts p join loyalty_assignments a
        on a.project_id = p.project_id and a.part_id = p.id and a.kind = 'earning_rule'""",
    where="p.project_id = $1 and a.project_id = $1 and a.program_id = $2 and p.body ? 'v1'",
    id="p.id",
    fields={"id": Field("p.id")},
    sorts={"created_at": "p.created_at", "updated_at": "p.updated_at"},
)


class Source(Struct, kw_only=True):
    """What the rule is shown as to customers."""

    banner: str | None = None


class RuleIn(Struct, kw_only=True):
    """An earning rule to be, or what is to change of one. `caps` are ours: how many points it gives at most."""

    event: str | None = None
    loyalty: dict[str, Any] | None = None
    validation_rule_id: str | UnsetType | None = UNSET
    segment: dict[str, Any] | None = None
    loyalty_tier: dict[str, Any] | None = None
    custom_event: dict[str, Any] | None = None
    pending_points: dict[str, Any] | UnsetType | None = UNSET
    expiration_rules: dict[str, Any] | UnsetType | None = UNSET
    source: Source | None = None
    active: bool | None = None
    start_date: str | UnsetType | None = UNSET
    expiration_date: str | UnsetType | None = UNSET
    validity_timeframe: dict[str, Any] | UnsetType | None = UNSET
    validity_day_of_week: list[int] | UnsetType | None = UNSET
    validity_hours: dict[str, Any] | UnsetType | None = UNSET
    caps: list[dict[str, Any]] | UnsetType | None = UNSET
    metadata: dict[str, Any] | None = None


RulesIn = Annotated[list[RuleIn], Meta(min_length=1, max_length=MOST)]


class SourceOut(Struct, kw_only=True):
    """Where a rule belongs."""

    banner: str | UnsetType = UNSET
    object_id: str
    object_type: Literal["campaign"] = "campaign"


class Rule(Struct, kw_only=True):
    """An earning rule."""

    id: str
    created_at: str
    updated_at: str | None
    validation_rule_id: str | None
    loyalty: dict[str, Any]
    event: str
    custom_event: dict[str, Any] | UnsetType = UNSET
    segment: dict[str, Any] | UnsetType = UNSET
    loyalty_tier: dict[str, Any] | UnsetType = UNSET
    pending_points: dict[str, Any] | UnsetType = UNSET
    expiration_rules: dict[str, Any] | UnsetType = UNSET
    source: SourceOut
    active: bool
    automation_id: str
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    validity_timeframe: dict[str, Any] | UnsetType = UNSET
    validity_day_of_week: list[int] | UnsetType = UNSET
    validity_hours: dict[str, Any] | UnsetType = UNSET
    caps: list[dict[str, Any]] | UnsetType = UNSET
    metadata: dict[str, Any]
    object: Literal["earning_rule"] = "earning_rule"


class Rules(Struct, kw_only=True):
    """A page of earning rules."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Rule]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


TOLD = (
    "custom_event", "segment", "pending_points", "expiration_rules", "start_date", "expiration_date",
    "validity_timeframe", "validity_day_of_week", "validity_hours", "caps",
)  # fmt: skip


def shown(row: PartRow, campaign_id: str) -> Rule:
    """The row as the older API has it."""
    body = row.body["v1"]
    told = {name: body[name] for name in TOLD if body.get(name) is not None}
    if body.get("loyalty_tier"):
        named = body["loyalty_tier"]["id"]
        told["loyalty_tier"] = {"id": older("tier", named) if named.startswith("lt_") else named}
    banner = (body.get("source") or {}).get("banner")
    return Rule(
        id=older("earning_rule", row.id),
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
        validation_rule_id=body.get("validation_rule_id"),
        loyalty=body["loyalty"],
        event=body["event"],
        source=SourceOut(banner=banner or UNSET, object_id=campaign_id),
        active=row.status == "ACTIVE",
        automation_id="auto_" + row.id.partition("_")[2],
        metadata=row.metadata,
        **told,
    )


async def create(call: Call, campaign: str, data: Sequence[RuleIn]) -> list[Rule]:
    """New rules of a campaign, all or none. Raises `ApiError` 404, 400 with the path of the fault."""
    program = await program_of(call, campaign)
    there = await db.value(call.conn, COUNT, call.project_id)
    if there + len(data) > MOST:
        raise invalid_payload(Fault("", f"a project may have {MOST} earning rules"))
    made: list[PartRow] = []
    ids = sorted(new_ids("earning_rule", len(data)))
    for index, (rule_id, each) in enumerate(zip(ids, data, strict=True)):
        body = await _settled(call, program, rule_id, _said(each), f"[{index}].")
        banner = (body.get("source") or {}).get("banner") or body["event"]
        row = await store.insert(
            call.conn, call.project_id, rule_id, "earning_rule", banner[:200], body["event"],
            "INACTIVE" if each.active is False else "ACTIVE", {"v1": body}, each.metadata or {},
        )  # fmt: skip
        await programs_store.assign(call.conn, call.project_id, program.id, rule_id, "earning_rule", None)
        made.append(row)
    await _tell(call, program, made, "assigned")
    return [shown(row, program.campaign_id) for row in made]


async def change(call: Call, campaign: str, name: str, data: RuleIn) -> Rule:
    """The rule with what was sent; what is absent stays. Raises `ApiError` 404, 400."""
    program, row = await _locked(call, campaign, name)
    said = _said(data)
    if data.event is not None and data.event != row.body["v1"]["event"]:
        raise invalid_payload(Fault("event", "stays as it is; make another rule"))
    body = {key: value for key, value in (row.body["v1"] | said).items() if value is not None}
    body = await _settled(call, program, row.id, body, "")
    metadata = row.metadata if data.metadata is None else data.metadata
    status = row.status if data.active is None else ("ACTIVE" if data.active else "INACTIVE")
    wanted = replace(row, body={"v1": body}, metadata=metadata, status=status)
    written = await store.update(call.conn, call.project_id, wanted)
    await _tell(call, program, [written], "updated")
    return shown(written, program.campaign_id)


async def switch(call: Call, campaign: str, name: str, active: bool) -> Rule:
    """The rule switched on or off. Raises `ApiError` 404."""
    program, row = await _locked(call, campaign, name)
    wanted = replace(row, status="ACTIVE" if active else "INACTIVE")
    written = await store.update(call.conn, call.project_id, wanted)
    await _tell(call, program, [written], "enabled" if active else "disabled")
    return shown(written, program.campaign_id)


async def remove(call: Call, campaign: str, name: str) -> None:
    """Delete a rule; what it gave stays. Raises `ApiError` 404."""
    program, row = await _locked(call, campaign, name)
    await programs_store.unassign(call.conn, call.project_id, program.id, row.id)
    await store.update(call.conn, call.project_id, replace(row, status="DELETED"))
    await _tell(call, program, [row], "deleted")


async def read(call: Call, campaign: str, name: str) -> Rule:
    """A rule of a campaign. Raises `ApiError` 404."""
    program = await program_of(call, campaign)
    rule_id = stored("earning_rule", name)
    row = await store.find(call.db, call.project_id, "earning_rule", rule_id)
    parts = await programs_store.assignments(call.db, call.project_id, program.id)
    if row is None or "v1" not in row.body or rule_id not in {part.part_id for part in parts}:
        raise not_found("earning rule", name)
    return shown(row, program.campaign_id)


async def listed(call: Call, campaign: str) -> Rules:
    """The rules of a campaign. Raises `ApiError` 404, 400 for a query that cannot be."""
    program = await program_of(call, campaign)
    zone = call.caller.timezone
    found = await page(call.db, PartRow, LISTING, call.project_id, call.query, args=(program.id,), zone=zone)
    return Rules(
        data=[shown(row, program.campaign_id) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _said(data: RuleIn) -> dict[str, Any]:
    """What was sent, as it is kept; null takes away."""
    told = {name: value for name in RuleIn.__struct_fields__ if (value := getattr(data, name)) is not UNSET}
    for name in ("active", "metadata"):
        told.pop(name)
    for name in ("event", "loyalty", "segment", "loyalty_tier", "custom_event", "source"):
        if told[name] is None:
            told.pop(name)
    return msgspec.to_builtins(told)


async def _locked(call: Call, campaign: str, name: str) -> tuple[ProgramRef, PartRow]:
    program = await program_of(call, campaign)
    rule_id = stored("earning_rule", name)
    row = await store.lock(call.conn, call.project_id, "earning_rule", rule_id)
    parts = await programs_store.assignments(call.conn, call.project_id, program.id)
    if row is None or "v1" not in row.body or rule_id not in {part.part_id for part in parts}:
        raise not_found("earning rule", name)
    return program, row


async def _settled(
    call: Call, program: ProgramRef, rule_id: str, said: dict[str, Any], path: str
) -> dict[str, Any]:
    """A body that the engine can read, with ids as the tables have them. Raises `ApiError` 400, 404."""
    body = {name: value for name, value in said.items() if value is not None}
    body.setdefault("event", "order.paid")
    if isinstance(body.get("loyalty_tier"), dict) and isinstance(body["loyalty_tier"].get("id"), str):
        named = body["loyalty_tier"]["id"]
        body["loyalty_tier"] = {"id": stored("tier", named) if named.startswith("ltr_") else named}
    for name, end in (("start_date", False), ("expiration_date", True)):
        if isinstance(body.get(name), str):
            try:
                body[name] = iso(parse_instant(body[name], call.caller.zone, end_of_day=end))
            except ValueError as error:
                raise invalid_payload(Fault(path + name, str(error))) from None
    try:
        parse_earning_rule_v1(body, rule_id, stored("card_definition", program.campaign_id))
    except EngineError as error:
        raise fault_of(EngineError(path + error.path, error.message, error.key)) from None
    await _check_there(call, body, path)
    return body | {"card_definition_id": stored("card_definition", program.campaign_id)}


async def _check_there(call: Call, body: dict[str, Any], path: str) -> None:
    """What a rule names has to be there; a custom event is found by its name."""
    segment = (body.get("segment") or {}).get("id")
    tier = (body.get("loyalty_tier") or {}).get("id")
    named = {
        "segment": segment if body["event"] == "customer.segment.entered" else None,
        "validation_rule_id": body.get("validation_rule_id"),
        "loyalty_tier": None if tier in (None, "__ANY__") else tier,
    }
    for what, name in named.items():
        if name is not None and not await db.value(call.conn, RULES[what], call.project_id, name):
            raise invalid_payload(Fault(path + what, f"there is no {name}"))
    event = body["event"]
    if event in ("order.paid", "customer.segment.entered") or event.startswith("customer.loyalty.tier."):
        return
    asked = (body.get("custom_event") or {}).get("schema_id")
    schema = await db.value(call.conn, SCHEMA, call.project_id, asked, event)
    if schema is None:
        raise invalid_payload(Fault(f"{path}event", f"there is no custom event {event!r}"))
    body["custom_event"] = {"schema_id": schema}


async def _tell(call: Call, program: ProgramRef, rows: Sequence[PartRow], what: str) -> None:
    """Events, and that definitions changed: a write's last act."""
    events = [
        Event(
            f"campaign.earning_rule.{what}", program.campaign_id, None,
            {"earning_rule": {"id": older("earning_rule", row.id), "event": row.type}},
        )
        for row in rows
    ]  # fmt: skip
    await emit(call.db, call.project_id, events, call.request_id)
    await changed(
        call.conn, call.project_id, [("loyalty", program.id), *(("loyalty", row.id) for row in rows)]
    )
