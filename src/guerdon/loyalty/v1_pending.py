"""Points that wait, as the older API has them: listed, made active, given up, made more or fewer."""

from datetime import datetime
from typing import Any, Literal, LiteralString
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from guerdon.engine.periods import local_day
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.paging import Field, Listing, page
from guerdon.ledger.transactions import Ref
from guerdon.loyalty import members_store, pending, sheet
from guerdon.loyalty.place import held_place
from guerdon.loyalty.sheet import open_sheet
from guerdon.loyalty.v1_members import MemberCard, member_of, program_of
from guerdon.loyalty.v1_names import OLDER, older
from guerdon.loyalty.v1_points import PointsBalance, Signed

LISTED: LiteralString = """
    p.id, p.card_id, p.program_id, m.customer_id, p.order_id, p.points, p.activates_at, p.cause_id, p.created_at,
    p.updated_at, o.source_id as order_source_id, r.body #>> '{v1,source,banner}' as banner,
    e.tier_id, t.name as tier, t.body #> array['v1', 'earning_rules', p.cause_id] is not null as mapped
"""
SOURCE: LiteralString = """
    loyalty_pending p join loyalty_members m on m.project_id = p.project_id and m.id = p.member_id
    left join orders o on o.project_id = p.project_id and o.id = p.order_id
    left join loyalty_parts r on r.project_id = p.project_id and r.id = p.cause_id
    left join loyalty_earnings e on e.project_id = p.project_id and e.id = p.earning_id
    left join loyalty_tiers t on t.project_id = p.project_id and t.id = e.tier_id
"""
WAITING: LiteralString = "p.project_id = $1 and m.project_id = $1 and p.status = 'PENDING' and "
OF_CARD = Listing(
    name="data",
    columns=LISTED,
    source=SOURCE,
    where=WAITING + "p.card_id = $2",
    id="p.id",
    fields={"id": Field("p.id"), "order_id": Field("p.order_id")},
    sorts={"created_at": "p.created_at"},
)
OF_PROGRAM = replace(OF_CARD, where=WAITING + "p.program_id = $2")
FIND = "select status from loyalty_pending where project_id = $1 and card_id = $2 and id = $3"
LAST = """
    select greatest(total, 0) as total, balance from card_entries
    where project_id = $1 and card_id = $2 order by seq desc limit 1
"""
CHANGE = """
    update loyalty_pending set points = $3::bigint, status = case when $3::bigint = 0 then 'CANCELED' else status end, updated_at = now()
    where project_id = $1 and id = $2
"""


class PendingRow(Struct):
    """A row of the list."""

    id: str
    card_id: str
    program_id: str
    customer_id: str
    order_id: str | None
    points: int
    activates_at: datetime | None
    cause_id: str | None
    created_at: datetime
    updated_at: datetime | None
    order_source_id: str | None
    banner: str | None
    tier_id: str | None
    tier: str | None
    mapped: bool


class Pending(Struct, kw_only=True):
    """Points that wait. `activates_at` is the day of the project's calendar with which they come; null where they wait for
    an event.
    """

    id: str
    voucher_id: str
    campaign_id: str
    customer_id: str
    order_id: str | None
    points: int
    activates_at: str | None
    details: dict[str, Any]
    created_at: str
    updated_at: str | None


class PendingList(Struct, kw_only=True):
    """A page of points that wait."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Pending]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class PendingChange(Struct, kw_only=True):
    """How many points more or, below zero, fewer."""

    points: Signed


class PendingBalance(Struct, kw_only=True):
    """By how much they changed, and how many wait now."""

    points: int
    total: int
    object: Literal["balance"] = "balance"
    related_object: Ref
    operation_type: Literal["MANUAL"] = "MANUAL"


async def of_member(call: Call, member_id: str, campaign: str | None) -> PendingList:
    """What waits for a member. Raises `ApiError` 404, 400 for a query that cannot be."""
    return await _page(call, OF_CARD, (await member_of(call, member_id, campaign)).card.id)


async def of_campaign(call: Call, campaign: str) -> PendingList:
    """What waits for the members of a program. Raises `ApiError` 404, 400 for a query that cannot be."""
    return await _page(call, OF_PROGRAM, (await program_of(call, campaign)).id)


async def _page(call: Call, listing: Listing, of: str) -> PendingList:
    found = await page(
        call.db, PendingRow, listing, call.project_id, call.query, args=(of,), zone=call.caller.timezone
    )
    return PendingList(
        data=[_shown(row, call.caller.zone) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _shown(row: PendingRow, zone: ZoneInfo) -> Pending:
    details: dict[str, Any] = {}
    if row.cause_id is not None:
        rule = {"id": older("earning_rule", row.cause_id), "source": {"banner": row.banner or ""}}
        details["earning_rule"] = rule
    if row.order_id is not None:
        details["order"] = {"id": row.order_id, "source_id": row.order_source_id}
        details["event"] = {
            "type": "customer.order.paid", "category": "ACTION", "entity_id": row.customer_id,
        }  # fmt: skip
    if row.tier_id is not None and row.tier is not None:
        # The holder's then; it was used where it says something of the rule.
        tier = {"id": older("tier", row.tier_id), "name": row.tier}
        details |= {"holder_loyalty_tier": tier} | ({"loyalty_tier": tier} if row.mapped else {})
    return Pending(
        id=row.id,
        voucher_id=row.card_id,
        campaign_id=OLDER["campaign"] + row.program_id.partition("_")[2],
        customer_id=row.customer_id,
        order_id=row.order_id,
        points=row.points,
        activates_at=None if row.activates_at is None else str(local_day(row.activates_at, zone)),
        details=details,
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
    )


async def activate(call: Call, member_id: str, name: str) -> PointsBalance:
    """Have points count from now on. Raises `ApiError` 404, 400 ``invalid_pending_points_state``."""
    meant, points = await _meant(call, member_id, name)
    place = await held_place(call.conn, call.project_id)
    if not await pending.settle_due(call.conn, place, [(name, meant.member.id)], "activate", place.now):
        raise _done(name)
    last = (await db.records(call.conn, LAST, call.project_id, meant.card.id))[0]
    return PointsBalance(
        points=points,
        total=last["total"],
        balance=last["balance"],
        related_object=Ref(meant.card.id, type="voucher"),
    )


async def cancel(call: Call, member_id: str, name: str) -> None:
    """Give points up. Raises `ApiError` 404, 400 ``invalid_pending_points_state``."""
    meant, _ = await _meant(call, member_id, name)
    place = await held_place(call.conn, call.project_id)
    if not await pending.settle_due(call.conn, place, [(name, meant.member.id)], "cancel"):
        raise _done(name)


async def change(call: Call, member_id: str, name: str, data: PendingChange) -> PendingBalance:
    """Make them more or fewer; none left are given up.

    Raises `ApiError` 404, 400 ``invalid_pending_points_state``, ``invalid_amount`` for fewer than none.
    """
    meant, _ = await _meant(call, member_id, name)
    place = await held_place(call.conn, call.project_id)
    members = await members_store.lock_all(call.conn, call.project_id, {meant.member.id})
    page_ = await open_sheet(call.conn, place, members)
    rows = await pending.lock(call.conn, call.project_id, [name])
    if not rows:
        raise _done(name)
    left = rows[0].points + data.points
    if data.points == 0 or left < 0:
        raise invalid_payload(
            Fault("points", f"leaves {left} of the {rows[0].points} that wait"),
            key="invalid_amount",
            message="Invalid amount",
        )
    card = page_.cards[meant.card.id]
    if data.points > 0:
        page_.more_waits(card, name, data.points, by_hand=True)
    else:
        page_.fewer_wait(card, name, -data.points, by_hand=True)
    page_.tell_pending("updated" if left else "canceled", card, name, left)
    await db.execute(call.conn, CHANGE, call.project_id, name, left)
    await sheet.write(call.conn, page_)
    await sheet.close(call.conn, page_)
    return PendingBalance(points=data.points, total=left, related_object=Ref(meant.card.id, type="voucher"))


async def _meant(call: Call, member_id: str, name: str) -> tuple[MemberCard, int]:
    meant = await member_of(call, member_id, None)
    status = await db.value(call.conn, FIND, call.project_id, meant.card.id, name)
    if status is None:
        raise not_found("pending points", name)
    if status != "PENDING":
        raise _done(name)
    return meant, await db.value(call.conn, POINTS, call.project_id, name)


POINTS = "select points from loyalty_pending where project_id = $1 and id = $2"


def _done(name: str) -> ApiError:
    return ApiError(
        400, "invalid_pending_points_state", "Invalid pending points state",
        "These points do not wait any more.", resource_id=name, resource_type="pending_points",
    )  # fmt: skip
