"""What happened to a member's card, as the older API tells it: whose card it was, of which campaign, what moved."""

from typing import Any, Final, LiteralString

from msgspec import UNSET, to_builtins

from guerdon.kit import db
from guerdon.kit.activity import COLUMNS, Activities, EventRow, shown
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.paging import Listing, page
from guerdon.ledger.transactions import of_entries
from guerdon.loyalty.place import suffix
from guerdon.loyalty.v1_members import voucher_of
from guerdon.loyalty.v1_names import older
from guerdon.vouchers.store import VoucherWithTerms

ACTIVITY = Listing(
    name="data",
    columns=COLUMNS,
    source="events e",
    where="""e.project_id = $1 and e.customer_id = $2 and (e.entity_id = $3 or e.data #>> '{voucher,id}' = $3)
        and e.type like any (array['customer.voucher.loyalty_card.%', 'customer.rewarded%',
            'customer.loyalty.tier.%', 'voucher.loyalty_card.pending_points.%'])""",
    id="e.id",
    fields={},
    sorts={"created_at": "e.created_at"},
)
HOLDER: LiteralString = """
    select id, source_id, name, email, metadata, 'customer' as object from customers where project_id = $1 and id = $2
"""
TIERS: Final = "customer.loyalty.tier."


async def activity(call: Call, member_id: str, campaign: str | None = None) -> Activities:
    """What happened to a member's card. Raises `ApiError` 404, 400 for a query that cannot be."""
    voucher = await voucher_of(call, member_id, campaign)
    zone = call.caller.timezone
    args = (voucher.holder_id or "", voucher.id)
    found = await page(call.db, EventRow, ACTIVITY, call.project_id, call.query, args=args, zone=zone)
    beside = await _beside(call, voucher)
    ids = [row.data["transaction_id"] for row in found.rows if row.data.get("transaction_id")]
    moved = await of_entries(call.db, call.project_id, voucher.id, ids, zone)
    return Activities(
        data=[shown(row, _type(row.type), beside | _told(row, moved, beside)) for row in found.rows],
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def _beside(call: Call, voucher: VoucherWithTerms) -> dict[str, Any]:
    """The card, its holder and its campaign: of whatever happened to it."""
    who = await db.records(call.db, HOLDER, call.project_id, voucher.holder_id or "")
    return {
        "customer": dict(who[0]) if who else {"id": voucher.holder_id, "object": "customer"},
        "campaign": {"id": voucher.campaign_id, "name": voucher.campaign, "object": "campaign"},
        "voucher": {
            "id": voucher.id,
            "code": voucher.code,
            "type": voucher.type,
            "campaign": voucher.campaign,
            "campaign_id": voucher.campaign_id,
            "holder_id": voucher.holder_id,
            "is_referral_code": False,
            "created_at": iso(voucher.created_at),
            "object": "voucher",
        },
    }


def _type(name: str) -> str:
    """Events of pending points are those of the voucher; here they are told as the customer's."""
    prefix, dot, what = name.rpartition("pending_points.")
    if not dot or prefix.startswith("customer."):
        return name
    return f"customer.{prefix}{dot}{'added' if what == 'aded' else what}"


def _told(row: EventRow, moved: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """What an event tells in the words of this API; rules and pending points by their ids. What `beside` tells with more
    is left to it."""
    told = {
        name: value
        for name, value in row.data.items()
        if name not in beside or suffix(value["id"]) != suffix(beside[name]["id"] or "")
    }
    for name, whole in (("pending_points_id", "pending_points"), ("earning_rule_id", "earning_rule")):
        if whole in told:
            told[name] = told.pop(whole)["id"]
    for name in ("earning_rule_id", "cause_id"):
        if str(told.get(name)).startswith("lern_"):
            told[name] = older("earning_rule", told[name])
    if row.type.startswith(TIERS):
        told |= _tiers(row.type.removeprefix(TIERS), told.pop("from", None), told.pop("to", None))
        told["created_at"] = iso(row.created_at)
    transaction = moved.get(told.get("transaction_id") or "")
    if transaction is not None:
        told["transaction"] = to_builtins(transaction)
        told["balance"] = told["transaction"]["details"]["balance"]
    elif isinstance(told.get("balance"), int):
        card = {"type": "voucher", "id": row.entity_id}
        told["balance"] = {
            "type": "loyalty_card", "object": "balance", "points": told.get("points"), "balance": told["balance"],
            "related_object": card,
        }  # fmt: skip
    return told


def _tiers(what: str, was: dict[str, Any] | None, is_: dict[str, Any] | None) -> dict[str, Any]:
    """The tiers of a change: the one it is about, or the one left and the one reached."""
    before, after = (None if one is None else one | {"id": older("tier", one["id"])} for one in (was, is_))
    if what in ("upgraded", "downgraded"):
        return {"loyalty_tier_from": before, "loyalty_tier_to": after}
    return {"loyalty_tier": before if what == "left" else after}
