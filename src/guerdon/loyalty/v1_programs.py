"""Campaigns of the older API as programs: the campaign's slice tells what it says, and here that is kept in step."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from guerdon.definitions.changes import Kind
from guerdon.engine.earning_parse_v1 import parse_card_rules_v1
from guerdon.engine.fault import EngineError
from guerdon.engine.tier_parse import parse_tiers_expiration
from guerdon.kit import clock, db
from guerdon.kit.call import Call
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import Fault, duplicate, invalid_payload
from guerdon.loyalty import programs_store, store
from guerdon.loyalty.checks import fault_of
from guerdon.loyalty.programs_store import ProgramRow
from guerdon.loyalty.store import PartRow
from guerdon.loyalty.v1_names import stored

WEEK = (0, 1, 2, 3, 4, 5, 6)

# What belongs to members whose cards are deleted with their campaign.
MEMBERS = "select array_agg(member_id) from loyalty_cards where project_id = $1 and id = any($2)"
UNBIND = """
    update loyalty_members set status = 'DELETED', updated_at = now()
    where project_id = $1 and id = any($2) and status <> 'DELETED'
"""
UNWAIT = """
    update loyalty_pending set status = 'DELETED', updated_at = now()
    where project_id = $1 and card_id = any($2) and status = 'PENDING'
"""
FORGET = """
    update loyalty_cards set canceled = canceled + pending, pending = 0
    where project_id = $1 and id = any($2) and pending > 0
"""
ERASE = "delete from loyalty_cards where project_id = $1 and id = any($2)"


class Told(Struct, kw_only=True):
    """What a campaign says of its program: `terms` are its windows, `card` is ``voucher.loyalty_card``, `config` how
    its codes look, `tiers` is ``loyalty_tiers_expiration``.
    """

    id: str
    name: str
    active: bool
    auto_join: bool
    terms: dict[str, Any]
    card: dict[str, Any]
    config: dict[str, Any]
    tiers: dict[str, Any] | None
    metadata: dict[str, Any]


def check(told: Told) -> None:
    """Raise `ApiError` 400 for a card's or tiers' rules that make no sense."""
    try:
        parse_card_rules_v1(told.card, "")
    except EngineError as error:
        raise invalid_payload(Fault(f"voucher.{error.path}", error.message)) from None
    try:
        parse_tiers_expiration(told.tiers, ())
    except EngineError as error:
        raise fault_of(error) from None


async def begin(call: Call, told: Told) -> list[tuple[Kind, str]]:
    """Make a new campaign's program, with its card definition; what changed of the definitions.

    Raises `ApiError` 400, 409 where a program has the name.
    """
    check(told)
    row = ProgramRow(
        id=stored("program", told.id),
        name=told.name,
        status="ACTIVE" if told.active else "INACTIVE",
        metadata=told.metadata,
        created_at=clock.process_now(),
        updated_at=None,
        **_windows(told),
    )
    if await programs_store.insert(call.conn, call.project_id, row) is None:
        raise duplicate("program", told.name, "name")
    card_id = stored("card_definition", told.id)
    await store.insert(
        call.conn,
        call.project_id,
        card_id,
        "card_definition",
        told.name,
        "INDIVIDUAL",
        "ACTIVE",
        _card(told),
        {},
    )
    await programs_store.assign(call.conn, call.project_id, row.id, card_id, "card_definition", None)
    changes: list[tuple[Kind, str]] = [("loyalty", row.id), ("loyalty", card_id)]
    if told.tiers is not None:
        changes.append(("loyalty", (await structure_of(call, told.id, told.tiers)).id))
    return changes


async def keep(call: Call, told: Told) -> list[tuple[Kind, str]]:
    """Have the program say what its campaign says now; what changed of the definitions. Raises `ApiError` 400."""
    check(told)
    row = await programs_store.lock(call.conn, call.project_id, stored("program", told.id))
    if row is None:  # a campaign made before there were programs
        return await begin(call, told)
    windows = _windows(told)
    windows["settings"] = row.settings | windows["settings"]
    status = "ACTIVE" if told.active else "INACTIVE"
    wanted = replace(row, name=told.name, status=status, metadata=told.metadata, **windows)
    await programs_store.update(call.conn, call.project_id, wanted)
    changes: list[tuple[Kind, str]] = [("loyalty", row.id)]
    card_id = stored("card_definition", told.id)
    part = await store.lock(call.conn, call.project_id, "card_definition", card_id)
    if part is not None and part.body != _card(told):
        await store.update(call.conn, call.project_id, replace(part, body=_card(told)))
        changes.append(("loyalty", card_id))
    if told.tiers is not None:
        structure = await structure_of(call, told.id, told.tiers)
        if structure.body.get("v1") != told.tiers:
            await store.update(call.conn, call.project_id, replace(structure, body={"v1": told.tiers}))
            changes.append(("loyalty", structure.id))
    return changes


async def end(call: Call, campaign_id: str) -> list[tuple[Kind, str]]:
    """The campaign is deleted, and its program with it; a job sees to the cards."""
    row = await programs_store.lock(call.conn, call.project_id, stored("program", campaign_id))
    if row is None:
        return []
    parts = await programs_store.assignments(call.conn, call.project_id, row.id)
    await programs_store.unassign_all(call.conn, call.project_id, row.id)
    await programs_store.update(call.conn, call.project_id, replace(row, status="DELETED"))
    return [("loyalty", row.id), *(("loyalty", part.part_id) for part in parts)]


async def leave(conn: db.Conn, project_id: str, card_ids: list[str], force: bool) -> None:
    """Those whose cards are deleted are members no more; what waited for them is given up."""
    members = await db.value(conn, MEMBERS, project_id, card_ids)
    if members is None:
        return
    await db.execute(conn, UNBIND, project_id, members)
    await db.execute(conn, UNWAIT, project_id, card_ids)
    await db.execute(conn, ERASE if force else FORGET, project_id, card_ids)


async def structure_of(call: Call, campaign_id: str, says: dict[str, Any] | None = None) -> PartRow:
    """A campaign's tier structure, locked; made when there is none."""
    name = stored("tier_structure", campaign_id)
    found = await store.lock(call.conn, call.project_id, "tier_structure", name)
    if found is not None:
        return found
    made = await store.insert(
        call.conn,
        call.project_id,
        name,
        "tier_structure",
        "Tiers",
        "POINT_BALANCE",
        "ACTIVE",
        {"v1": says},
        {},
    )
    program_id = stored("program", campaign_id)
    await programs_store.assign(call.conn, call.project_id, program_id, name, "tier_structure", None)
    return made


def _card(told: Told) -> dict[str, Any]:
    return {"v1": told.card | {"code_config": told.config}}


def _windows(told: Told) -> dict[str, Any]:
    """Dates and hours of the program. What it cannot say, weeks and the like, stays with the campaign's codes."""
    return {
        "start_date": _instant(told.terms.get("start_date")),
        "end_date": _instant(told.terms.get("expiration_date")),
        "validity_hours": _hours(told.terms),
        "settings": {"auto_join": told.auto_join, "v1": True},
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _hours(terms: dict[str, Any]) -> dict[str, Any]:
    days = terms.get("validity_day_of_week")
    daily = (terms.get("validity_hours") or {}).get("daily")
    if not daily and days is None:
        return {"type": "ANY_TIME"}
    whole = [{"start_time": "00:00", "expiration_time": "00:00", "days_of_week": list(days or WEEK)}]
    spans: list[dict[str, Any]] = []
    for one in daily or whole:
        named = [day for day in one.get("days_of_week") or WEEK if days is None or day in days]
        if named:
            span = {
                "start_time": one.get("start_time") or "00:00",
                "end_time": one.get("expiration_time") or "00:00",
            }
            spans.append({"days_of_week": named} | span)
    return {"type": "DAILY", "daily": spans} if spans else {"type": "ANY_TIME"}
