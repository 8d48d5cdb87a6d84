"""Tiers of the older API: of a program, with what they do to earning rules and rewards; and those of a member."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.definitions.changes import changed
from guerdon.engine.fault import EngineError
from guerdon.engine.tier import Standing
from guerdon.engine.tier_parse import parse_tier_v1
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_ids
from guerdon.kit.outbox import Event, emit
from guerdon.kit.paging import Field, Listing, page
from guerdon.loyalty import members_store, programs_store, store
from guerdon.loyalty.checks import fault_of
from guerdon.loyalty.store import PartRow, TierRow
from guerdon.loyalty.tiers import MAX_TIERS
from guerdon.loyalty.v1_members import ProgramRef, program_of, voucher_of
from guerdon.loyalty.v1_names import older, older_map, stored, stored_map
from guerdon.loyalty.v1_programs import structure_of
from guerdon.loyalty.v1_rules import Rules
from guerdon.loyalty.v1_rules import shown as shown_rule

LISTING = Listing(
    name="data",
    columns="t.id, t.structure_id, t.name, t.body, t.metadata, t.created_at, t.updated_at",
    source="loyalty_tiers t",
    where="t.project_id = $1 and t.structure_id = $2",
    id="t.id",
    fields={"id": Field("t.id"), "name": Field("t.name")},
    sorts={"created_at": "t.created_at", "name": "t.name"},
    default_sort="created_at",
)


class PointsRange(Struct, omit_defaults=True):
    """From so many points on, to so many at most."""

    from_: int = msgspec.field(default=0, name="from")
    to: int | None = None


class TierIn(Struct, kw_only=True):
    """A tier to be. `earning_rules` and `rewards` map ids to MULTIPLY with a multiplier, or CUSTOM with points."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    points: PointsRange
    earning_rules: dict[str, Any] | None = None
    rewards: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


TiersIn = Annotated[list[TierIn], Meta(min_length=1, max_length=MAX_TIERS)]


class Range(Struct):
    """The points of a tier as its config."""

    points: PointsRange


class Kept(Struct, kw_only=True):
    """Since when and until when a member is in a tier."""

    customer_id: str
    campaign_id: str
    tier_id: str
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    created_at: str
    updated_at: str | UnsetType = UNSET


class Tier(Struct, kw_only=True):
    """A tier."""

    id: str
    name: str
    campaign_id: str
    earning_rules: dict[str, Any]
    rewards: dict[str, Any]
    points: PointsRange
    config: Range
    metadata: dict[str, Any]
    created_at: str
    updated_at: str | None
    expiration: Kept | UnsetType = UNSET
    object: Literal["loyalty_tier"] = "loyalty_tier"


class Tiers(Struct, kw_only=True):
    """Tiers."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Tier]
    total: int


class MappedRewards(Struct, kw_only=True):
    """Rewards of a tier."""

    object: str = "list"
    data_ref: str = "data"
    data: list[dict[str, Any]]
    total: int


def shown(row: TierRow, campaign_id: str) -> Tier:
    """The row as the older API has it."""
    body = row.body["v1"]
    points = PointsRange(body["points"].get("from") or 0, body["points"].get("to"))
    return Tier(
        id=older("tier", row.id),
        name=row.name,
        campaign_id=campaign_id,
        earning_rules=older_map("earning_rule", body.get("earning_rules") or {}),
        rewards=older_map("reward", body.get("rewards") or {}),
        points=points,
        config=Range(points),
        metadata=row.metadata,
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
    )


async def create(call: Call, campaign: str, data: Sequence[TierIn]) -> list[Tier]:
    """New tiers of a program, all or none. Raises `ApiError` 404, 400 for what makes no sense or overlaps."""
    program = await program_of(call, campaign)
    structure = await structure_of(call, program.campaign_id)
    there = await store.tiers(call.conn, call.project_id, structure.id)
    if len(there) + len(data) > MAX_TIERS:
        raise invalid_payload(Fault("", f"a program may have {MAX_TIERS} tiers"))
    rows: list[TierRow] = []
    ids = sorted(new_ids("loyalty_tier", len(data)))  # made at one instant, listed in the order they came in
    for index, (tier_id, each) in enumerate(zip(ids, data, strict=True)):
        body = await _body(call, each, f"[{index}].")
        rows.append(
            await store.insert_tier(
                call.conn,
                call.project_id,
                tier_id,
                structure.id,
                each.name,
                {"v1": body},
                each.metadata or {},
            )
        )
    _check_apart([*there, *rows], len(there))
    events = [
        Event(
            "campaign.loyalty_tier.created",
            program.campaign_id,
            None,
            {"loyalty_tier": {"id": older("tier", r.id)}},
        )
        for r in rows
    ]
    await emit(call.db, call.project_id, events, call.request_id)
    await changed(call.conn, call.project_id, [("loyalty", program.id), ("loyalty", structure.id)])
    return [shown(row, program.campaign_id) for row in rows]


async def _body(call: Call, data: TierIn, path: str) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(data)
    body = {
        "name": data.name,
        "points": said["points"],
        "earning_rules": stored_map("earning_rule", data.earning_rules or {}),
        "rewards": stored_map("reward", data.rewards or {}),
    }
    try:
        parse_tier_v1(body, "", path)
    except EngineError as error:
        raise fault_of(error) from None
    rules = list(body["earning_rules"])
    found = await store.lock_shared(call.conn, call.project_id, sorted(rules))
    for name in rules:
        if name not in found:
            raise invalid_payload(Fault(f"{path}earning_rules", f"there is no {older('earning_rule', name)}"))
    return body


def _check_apart(rows: Sequence[TierRow], old: int) -> None:
    """No number of points may belong to two tiers."""
    spans = sorted((r.body["v1"]["points"].get("from") or 0, index) for index, r in enumerate(rows))
    for (_, lower), (start, upper) in pairwise(spans):
        end = rows[lower].body["v1"]["points"].get("to")
        if end is not None and end <= start:
            continue
        if end is None and start > (rows[lower].body["v1"]["points"].get("from") or 0):
            continue
        place = max(lower, upper) - old
        raise invalid_payload(Fault(f"[{max(place, 0)}].points", "overlaps another tier"))


async def listed(call: Call, campaign: str) -> Tiers:
    """The tiers of a program. Raises `ApiError` 404, 400 for a query that cannot be."""
    program = await program_of(call, campaign)
    args = (stored("tier_structure", program.campaign_id),)
    zone = call.caller.timezone
    found = await page(call.db, TierRow, LISTING, call.project_id, call.query, args=args, zone=zone)
    return Tiers(data=[shown(row, program.campaign_id) for row in found.rows], total=found.total)


async def tier_of(call: Call, campaign: str, name: str) -> tuple[ProgramRef, TierRow]:
    """A tier of a program. Raises `ApiError` 404."""
    program = await program_of(call, campaign)
    structure_id = stored("tier_structure", program.campaign_id)
    row = await db.row(call.db, TierRow, store.FIND_TIER, call.project_id, structure_id, stored("tier", name))
    if row is None:
        raise not_found("loyalty tier", name)
    return program, row


async def read(call: Call, campaign: str, name: str) -> Tier:
    """A tier of a program. Raises `ApiError` 404."""
    program, row = await tier_of(call, campaign, name)
    return shown(row, program.campaign_id)


async def rules_of(call: Call, campaign: str, name: str) -> Rules:
    """The earning rules that a tier maps. Raises `ApiError` 404."""
    program, row = await tier_of(call, campaign, name)
    mapped = row.body["v1"].get("earning_rules") or {}
    parts = await programs_store.assignments(call.db, call.project_id, program.id)
    rows: list[PartRow] = []
    for part in parts:
        if part.part_id in mapped:
            rule = await store.find(call.db, call.project_id, "earning_rule", part.part_id)
            rows += [] if rule is None else [rule]
    return Rules(data=[shown_rule(one, program.campaign_id) for one in rows], total=len(rows), has_more=False)


async def of_member(call: Call, member_id: str) -> Tiers:
    """The tier that a member is in. Raises `ApiError` 404."""
    voucher = await voucher_of(call, member_id, None)
    cards = await members_store.cards(call.db, call.project_id, [voucher.id])
    member = await members_store.anywhere(call.db, call.project_id, cards[0].member_id) if cards else None
    if member is None or member.tier_id is None or voucher.campaign_id is None:
        return Tiers(data=[], total=0)
    structure_id = stored("tier_structure", voucher.campaign_id)
    row = await db.row(call.db, TierRow, store.FIND_TIER, call.project_id, structure_id, member.tier_id)
    if row is None:
        return Tiers(data=[], total=0)
    told = shown(row, voucher.campaign_id)
    standing = msgspec.convert(member.tier, Standing)
    told.expiration = Kept(
        customer_id=member.customer_id,
        campaign_id=voucher.campaign_id,
        tier_id=told.id,
        start_date=_date(standing.since),
        expiration_date=_date(standing.ends_at),
        created_at=iso(standing.since or member.created_at),
    )
    return Tiers(data=[told], total=1)


def _date(at: datetime | None) -> str | UnsetType:
    return UNSET if at is None else iso(at)
