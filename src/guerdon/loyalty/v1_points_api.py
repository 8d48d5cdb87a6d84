"""``/v1/loyalties``: the points of members, as the older API moves them."""

from guerdon.kit.call import Call, Route
from guerdon.loyalty import v1_estimate, v1_pending, v1_points
from guerdon.loyalty.v1_estimate import Estimate, EstimateIn
from guerdon.loyalty.v1_pending import PendingBalance, PendingChange, PendingList
from guerdon.loyalty.v1_points import Buckets, PointsBalance, PointsChange, TransfersIn
from guerdon.vouchers.shape import Voucher


async def update_member_balance(call: Call, member_id: str, data: PointsChange) -> PointsBalance:
    """Add points to a member's card or, below zero, take some away.

    What is added lapses as the program says, on a date (CUSTOM_DATE with `expiration_date`), or never (NON_EXPIRING).
    """
    return await v1_points.change_balance(call, member_id, None, data)


async def update_member_balance_1(
    call: Call, campaign_id: str, member_id: str, data: PointsChange
) -> PointsBalance:
    """Add points to the card of a member of a program or, below zero, take some away."""
    return await v1_points.change_balance(call, member_id, campaign_id, data)


async def transfer_points(call: Call, campaign_id: str, member_id: str, data: TransfersIn) -> Voucher:
    """Bring points from other cards of the program onto this one, all or none.

    They lapse when they would have, unless the program's cards say `transfers: RESTART`.
    """
    return await v1_points.bring(call, campaign_id, member_id, data)


async def list_points_expiration(
    call: Call,
    campaign_id: str,
    member_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
) -> Buckets:
    """List the points of a member that lapse, the soonest first."""
    return await v1_points.expiring(call, campaign_id, member_id)


async def list_member_pending_points(
    call: Call,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> PendingList:
    """List the points that wait for a member."""
    return await v1_pending.of_member(call, member_id, None)


async def list_member_pending_points_1(
    call: Call,
    campaign_id: str,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> PendingList:
    """List the points that wait for a member of a program."""
    return await v1_pending.of_member(call, member_id, campaign_id)


async def list_campaign_pending_points(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> PendingList:
    """List the points that wait for members of a program."""
    return await v1_pending.of_campaign(call, campaign_id)


async def activate_member_pending_points(call: Call, member_id: str, pending_points_id: str) -> PointsBalance:
    """Have points that wait count from now on."""
    return await v1_pending.activate(call, member_id, pending_points_id)


async def adjust_member_pending_points(
    call: Call, member_id: str, pending_points_id: str, data: PendingChange
) -> PendingBalance:
    """Make points that wait more or, below zero, fewer."""
    return await v1_pending.change(call, member_id, pending_points_id, data)


async def cancel_member_pending_points(call: Call, member_id: str, pending_points_id: str) -> None:
    """Give up points that wait."""
    await v1_pending.cancel(call, member_id, pending_points_id)


async def estimate_points(call: Call, campaign_id: str, data: EstimateIn) -> Estimate:
    """Say how many points an order would earn if it were paid now. Nothing is written."""
    return await v1_estimate.estimate(call, campaign_id, data)


TAG = "Loyalties"
PROGRAM = "/v1/loyalties/{campaign_id}"
MEMBER = "/v1/loyalties/members/{member_id}"
MEMBER_OF = PROGRAM + "/members/{member_id}"
WAITING = MEMBER + "/pending-points/{pending_points_id}"

ROUTES = [
    Route(method="POST", path=MEMBER + "/balance", handler=update_member_balance, tag=TAG, kind="write"),
    Route(method="POST", path=MEMBER_OF + "/balance", handler=update_member_balance_1, tag=TAG, kind="write"),
    Route(method="POST", path=MEMBER_OF + "/transfers", handler=transfer_points, tag=TAG, kind="write"),
    Route(method="GET", path=MEMBER_OF + "/points-expiration", handler=list_points_expiration, tag=TAG),
    Route(method="GET", path=MEMBER + "/pending-points", handler=list_member_pending_points, tag=TAG),
    Route(method="GET", path=MEMBER_OF + "/pending-points", handler=list_member_pending_points_1, tag=TAG),
    Route(method="GET", path=PROGRAM + "/pending-points", handler=list_campaign_pending_points, tag=TAG),
    Route(
        method="POST", path=WAITING + "/activate", handler=activate_member_pending_points, tag=TAG, kind="write"
    ),
    Route(
        method="POST", path=WAITING + "/balance", handler=adjust_member_pending_points, tag=TAG, kind="write"
    ),
    Route(
        method="POST", path=WAITING + "/cancel", handler=cancel_member_pending_points, tag=TAG, kind="write",
        status=204,
    ),
    Route(method="POST", path=PROGRAM + "/qualifications", handler=estimate_points, tag=TAG),
]  # fmt: skip
