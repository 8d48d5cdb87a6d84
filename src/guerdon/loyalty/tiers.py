"""The tiers of a structure: made, changed and thrown away."""

from typing import Any

import msgspec
from msgspec.structs import replace

from guerdon.kit import clock
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.loyalty import store
from guerdon.loyalty.checks import check_references, check_tier
from guerdon.loyalty.define import in_use, own_part, tell
from guerdon.loyalty.parts import TIER_STRUCTURE
from guerdon.loyalty.shapes_tiers import TIER_DEFAULTS, Tier, TierChange, TierIn
from guerdon.loyalty.store import PartRow, TierRow
from guerdon.loyalty.v1_shown import tier_of

MAX_TIERS = 100


def shown_tier(row: TierRow) -> Tier:
    """The row as it leaves the API."""
    told = tier_of(row.body) | {
        "id": row.id,
        "tier_structure_id": row.structure_id,
        "name": row.name,
        "metadata": row.metadata,
        "created_at": clock.iso(row.created_at),
        "updated_at": clock.iso(row.updated_at) if row.updated_at else None,
    }
    return msgspec.convert(told, Tier)


async def create(call: Call, structure_id: str, data: TierIn) -> TierRow:
    """The new tier. Raises `ApiError` 404, 400 for a body that makes no sense and for more than 100 tiers."""
    structure = await own_part(call, TIER_STRUCTURE, structure_id)
    sent: dict[str, Any] = msgspec.to_builtins(data)
    body = TIER_DEFAULTS | {k: v for k, v in sent.items() if k not in ("name", "metadata") and v is not None}
    tier_id = new_id("loyalty_tier")
    check_tier(body | {"name": data.name}, tier_id)
    await check_references(call.conn, call.project_id, body, needs_active=False)
    if len(await store.tiers(call.conn, call.project_id, structure_id)) >= MAX_TIERS:
        raise invalid_payload(Fault("", f"a tier structure may have {MAX_TIERS} tiers"))
    row = await store.insert_tier(
        call.conn, call.project_id, tier_id, structure_id, data.name, body, data.metadata or {}
    )
    await _tell(call, structure, row, "created")
    return row


async def change(call: Call, structure_id: str, tier_id: str, data: TierChange) -> TierRow:
    """The tier with what was sent; what is absent stays.

    Raises `ApiError` 404, and 400 for what makes no sense or, once the structure is no draft, may not change.
    """
    structure = await own_part(call, TIER_STRUCTURE, structure_id)
    row = await _locked(call, structure_id, tier_id)
    sent: dict[str, Any] = msgspec.to_builtins(data)
    body = dict(row.body)
    if sent.get("qualification_rules"):
        body["qualification_rules"] = sent["qualification_rules"]
    if "downgrade" in sent:
        body["downgrade"] = sent["downgrade"] or TIER_DEFAULTS["downgrade"]
    bound = sorted(name for name in body if body[name] != row.body.get(name))
    if structure.status != "DRAFT" and bound:
        raise invalid_payload(
            *(Fault(name, "may not change once the tier structure is no draft any more") for name in bound)
        )
    name = data.name or row.name
    check_tier(body | {"name": name}, tier_id)
    await check_references(call.conn, call.project_id, body, needs_active=False)
    metadata = row.metadata if "metadata" not in sent else sent["metadata"] or {}
    written = await store.update_tier(
        call.conn, call.project_id, replace(row, name=name, body=body, metadata=metadata)
    )
    await _tell(call, structure, written, "updated")
    return written


async def remove(call: Call, structure_id: str, tier_id: str) -> TierRow:
    """The tier that was. Raises `ApiError` 404, and 400 ``resource_in_use`` while rules or members name it."""
    structure = await own_part(call, TIER_STRUCTURE, structure_id)
    row = await _locked(call, structure_id, tier_id)
    naming = await store.naming(call.conn, call.project_id, tier_id)
    if naming:
        raise in_use("tier", tier_id, naming[0]["kind"], [each["id"] for each in naming])
    if await store.in_tier(call.conn, call.project_id, tier_id):
        raise in_use("tier", tier_id, "member", [])
    await store.delete_tier(call.conn, call.project_id, tier_id)
    await _tell(call, structure, row, "deleted")
    return row


async def _locked(call: Call, structure_id: str, tier_id: str) -> TierRow:
    row = await store.lock_tier(call.conn, call.project_id, structure_id, tier_id)
    if row is None:
        raise not_found("tier", tier_id)
    return row


async def _tell(call: Call, structure: PartRow, row: TierRow, what: str) -> None:
    tier = {"tier": msgspec.to_builtins(shown_tier(row))}
    await tell(call, TIER_STRUCTURE, structure, f"tier.{what}", tier)
