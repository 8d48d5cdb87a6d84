"""Lists of referrals: who referred whom, and what became of the rewards."""

from datetime import datetime
from typing import Any, Literal, LiteralString, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from guerdon.kit import db, paging
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.filters import Field
from guerdon.kit.paging import Listing

STATUSES = ("REFERRED", "HELD", "EARNED", "UNDONE", "REFUSED")

LISTING = Listing(
    name="data",
    columns="""r.id, r.campaign_id, r.voucher_id, r.referrer_id, r.referee_id, r.redemption_id, r.event_id, r.order_id,
        r.status, r.reason, r.flags, r.converted_at, r.due_at, r.earned_at, r.created_at""",
    source="referrals r",
    where="r.project_id = $1",
    id="r.id",
    fields={
        "id": Field("r.id"),
        "campaign_id": Field("r.campaign_id"),
        "referrer_id": Field("r.referrer_id"),
        "referee_id": Field("r.referee_id"),
        "order_id": Field("r.order_id"),
        "status": Field("r.status"),
        "created_at": Field("r.created_at", "date"),
    },
    metadata=None,
    sorts={"created_at": "r.created_at", "id": "r.id"},
)

NARROW: dict[str, LiteralString] = {
    "campaign_id": " and r.campaign_id = ",
    "referrer_id": " and r.referrer_id = ",
    "referee_id": " and r.referee_id = ",
    "status": " and r.status = ",
}

REWARDS = """
    select w.id, w.referral_id, w.tier, w.customer_id, w.type, w.parent_id, w.amount, w.status, w.granted, w.clawed,
           w.card_id, w.reason, w.released_at
    from referral_rewards w where w.project_id = $1 and w.referral_id = any($2)
    order by w.tier <> 'referee', w.id
"""


class _Row(Struct, kw_only=True):
    id: str
    campaign_id: str
    voucher_id: str
    referrer_id: str
    referee_id: str
    redemption_id: str | None
    event_id: str | None
    order_id: str | None
    status: Any
    reason: str | None
    flags: list[str]
    converted_at: datetime | None
    due_at: datetime | None
    earned_at: datetime | None
    created_at: datetime


class ReferralReward(Struct, kw_only=True):
    """What one side gets: `amount` was promised; `granted` was put on the card `voucher_id`, `clawed_back` of it taken
    back, in minor units or points. CAPPED: the referrer had as many as there can be.
    """

    id: str
    holder_role: Literal["REFERRER", "REFEREE"]
    referral_tier_id: str | None
    customer_id: str
    type: Literal["GIFT_VOUCHER", "LOYALTY_CARD"]
    campaign_id: str
    amount: int
    granted: int
    clawed_back: int
    status: Literal["HELD", "RELEASED", "CAPPED", "CANCELED", "CLAWED_BACK"]
    reason: str | None
    voucher_id: str | None
    released_at: str | None
    object: Literal["referral_reward"] = "referral_reward"


class ReferralOut(Struct, kw_only=True):
    """That somebody was referred. `due_at` is when what is held is theirs; null as long as the order is not paid."""

    id: str
    campaign_id: str
    voucher_id: str
    referrer_id: str
    referee_id: str
    redemption_id: str | None
    event_id: str | None
    order_id: str | None
    status: Literal["REFERRED", "HELD", "EARNED", "UNDONE", "REFUSED"]
    reason: str | None
    flags: list[str]
    rewards: list[ReferralReward]
    converted_at: str | None
    due_at: str | None
    earned_at: str | None
    created_at: str
    object: Literal["referral"] = "referral"


class ReferralList(Struct, kw_only=True):
    """A page of referrals. `more_starting_after` is the id to go on behind."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[ReferralOut]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


async def read(call: Call, given: dict[str, str]) -> ReferralList:
    """A page, narrowed by what is given."""
    where: LiteralString = LISTING.where
    for place, name in enumerate(given):
        where += NARROW[name] + cast(LiteralString, f"${place + 2}")
    found = await paging.page(
        call.db, _Row, msgspec.structs.replace(LISTING, where=where), call.project_id, call.query,
        args=tuple(given.values()), zone=call.caller.timezone,
    )  # fmt: skip
    rewards: dict[str, list[ReferralReward]] = {row.id: [] for row in found.rows}
    for record in await db.records(call.db, REWARDS, call.project_id, list(rewards)):
        rewards[record["referral_id"]].append(_reward(record))
    return ReferralList(
        data=[_shown(row, rewards[row.id]) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _reward(record: db.Record) -> ReferralReward:
    to_referee = record["tier"] == "referee"
    return ReferralReward(
        id=record["id"], holder_role="REFEREE" if to_referee else "REFERRER",
        referral_tier_id=None if to_referee else record["tier"], customer_id=record["customer_id"],
        type=record["type"], campaign_id=record["parent_id"], amount=record["amount"], granted=record["granted"],
        clawed_back=record["clawed"], status=record["status"], reason=record["reason"],
        voucher_id=record["card_id"], released_at=_when(record["released_at"]),
    )  # fmt: skip


def _shown(row: _Row, rewards: list[ReferralReward]) -> ReferralOut:
    return ReferralOut(
        id=row.id, campaign_id=row.campaign_id, voucher_id=row.voucher_id, referrer_id=row.referrer_id,
        referee_id=row.referee_id, redemption_id=row.redemption_id, event_id=row.event_id, order_id=row.order_id,
        status=row.status, reason=row.reason, flags=row.flags, rewards=rewards, converted_at=_when(row.converted_at),
        due_at=_when(row.due_at), earned_at=_when(row.earned_at), created_at=iso(row.created_at),
    )  # fmt: skip


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
