"""The cards of members over HTTP, in v2 of the API: what moves on them, by hand and by itself."""

from typing import LiteralString

import msgspec

from guerdon.kit.call import Call, Route
from guerdon.loyalty import card_pending, card_points, card_transactions, cursors, tier_transactions
from guerdon.loyalty.card_pending import WaitingRow
from guerdon.loyalty.card_points import EndingRow
from guerdon.loyalty.card_transactions import MoveRow
from guerdon.loyalty.cursors import CursorPage
from guerdon.loyalty.faces import activity, listed
from guerdon.loyalty.listing import activities
from guerdon.loyalty.member_cards import named
from guerdon.loyalty.members import found
from guerdon.loyalty.place import place_of
from guerdon.loyalty.shapes_cards_moved import (
    CardActivity,
    CardTransaction,
    EndingPoints,
    PendingPoints,
    PointsAdjustment,
    PointsMoved,
    TierTransaction,
)
from guerdon.loyalty.shapes_programs import Cursor, CursorList
from guerdon.loyalty.store import EventRow
from guerdon.loyalty.tier_transactions import TierChangeRow

ACTIVITIES = activities("lacrd_", "lcrsacrd_")


async def adjust_card_points(
    call: Call, program_id: str, member_id: str, card_id: str, data: PointsAdjustment
) -> PointsMoved:
    """Add points to a member's card by hand or, below zero, take some away.

    What is added ends as the card's definition says. For 0 points nothing is done. More than there is, less what
    sessions hold, cannot be taken away (423), unless the definition lets balances fall below nothing.
    """
    return await card_points.adjust(call, (program_id, member_id, card_id), data)


async def list_card_expiring_points(
    call: Call,
    program_id: str,
    member_id: str,
    card_id: str,
    limit: int = 10,
    order: str = "expiration_date",
    cursor: str | None = None,
) -> CursorList[EndingPoints]:
    """List the points of a card that end, those of each day together, the soonest first."""
    meant = await named(call, program_id, member_id, card_id)
    place = await place_of(call.db, call.project_id)

    def shown(row: EndingRow) -> EndingPoints:
        return card_points.shown(place, meant, row)

    return await listed(call, EndingRow, card_points.ENDING, shown, (meant.card.id, place.zone.key))


async def expire_card_points(
    call: Call, program_id: str, member_id: str, card_id: str, bucket_id: str
) -> PointsMoved:
    """End points of a card now that would end with some day."""
    return await card_points.expire(call, (program_id, member_id, card_id), bucket_id)


async def list_card_pending_points(
    call: Call,
    program_id: str,
    member_id: str,
    card_id: str,
    limit: int = 10,
    order: str = "date",
    cursor: str | None = None,
) -> CursorList[PendingPoints]:
    """List the points that wait for a card, those that become active the soonest first."""
    meant = await named(call, program_id, member_id, card_id)
    place = await place_of(call.db, call.project_id)

    def shown(row: WaitingRow) -> PendingPoints:
        return card_pending.shown(place, meant, row)

    return await listed(call, WaitingRow, card_pending.WAITING, shown, (meant.card.id,))


async def activate_card_pending_points(
    call: Call, program_id: str, member_id: str, card_id: str, bucket_id: str
) -> PointsMoved:
    """Have points that wait count from now on."""
    return await card_pending.settle(call, (program_id, member_id, card_id), bucket_id, "activate")


async def cancel_card_pending_points(
    call: Call, program_id: str, member_id: str, card_id: str, bucket_id: str
) -> PointsMoved:
    """Give up points that wait."""
    return await card_pending.settle(call, (program_id, member_id, card_id), bucket_id, "cancel")


async def list_card_transactions(
    call: Call,
    program_id: str,
    member_id: str,
    card_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[CardTransaction]:
    """List what moved on a card, the latest first, with points that came to wait or were given up.

    `filters[field][conditions][$operator]` on id and created_at narrows the list.
    """
    meant = await named(call, program_id, member_id, card_id)
    place = await place_of(call.db, call.project_id)
    page: CursorPage[MoveRow] = await cursors.page(
        call.db, MoveRow, card_transactions.TRANSACTIONS, call.project_id, call.query,
        args=(meant.card.id,), zone=call.caller.timezone,
    )  # fmt: skip
    data = await card_transactions.shown(call.db, place, meant, page.rows)
    behind = None if page.next is None else Cursor(next=page.next, expires_at=page.expires_at or "")
    return CursorList(data=data, cursor=behind)


async def list_card_activities(
    call: Call,
    program_id: str,
    member_id: str,
    card_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[CardActivity]:
    """List what happened to a card itself, the latest first: made, given to its member, taken away."""
    await named(call, program_id, member_id, card_id)

    def shown(row: EventRow) -> CardActivity:
        return msgspec.convert(activity(row, "lacrd_") | {"card_id": card_id}, CardActivity)

    return await listed(call, EventRow, ACTIVITIES, shown, (card_id,))


async def list_member_tier_transactions(
    call: Call,
    program_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[TierTransaction]:
    """List a member's way through the tiers, the latest step first.

    `filters[field][conditions][$operator]` on card_id and created_at narrows the list.
    """
    await found(call.db, call.project_id, program_id, member_id)
    listing = tier_transactions.TRANSACTIONS
    return await listed(call, TierChangeRow, listing, tier_transactions.shown, (member_id,))


MEMBER: LiteralString = "/v2/loyalties/programs/{program_id}/members/{member_id}"
CARD: LiteralString = MEMBER + "/cards/{card_id}"
ENDING: LiteralString = CARD + "/expiring-points"
PENDING: LiteralString = CARD + "/pending-points"
TAG = "Loyalty cards of members"

ROUTES = [
    Route(method="POST", path=CARD + "/points", handler=adjust_card_points, tag=TAG, kind="write"),
    Route(method="GET", path=ENDING, handler=list_card_expiring_points, tag=TAG),
    Route(method="POST", path=ENDING + "/{bucket_id}/expire", handler=expire_card_points, tag=TAG, kind="write"),
    Route(method="GET", path=PENDING, handler=list_card_pending_points, tag=TAG),
    Route(method="POST", path=PENDING + "/{bucket_id}/activate", handler=activate_card_pending_points, tag=TAG, kind="write"),
    Route(method="POST", path=PENDING + "/{bucket_id}/cancel", handler=cancel_card_pending_points, tag=TAG, kind="write"),
    Route(method="GET", path=CARD + "/transactions", handler=list_card_transactions, tag=TAG),
    Route(method="GET", path=CARD + "/activities", handler=list_card_activities, tag=TAG),
    Route(method="GET", path=MEMBER + "/tiers/transactions", handler=list_member_tier_transactions, tag=TAG),
]  # fmt: skip
