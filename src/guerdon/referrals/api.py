"""``/v1/referrals``."""

from msgspec import UNSET

from guerdon.kit import paging
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import invalid_query
from guerdon.referrals import holders, listing
from guerdon.referrals.holders import HolderList, HolderRow, Holders, HoldersIn, shown
from guerdon.referrals.listing import ReferralList


async def _page(call: Call, campaign: str | None, member: str) -> HolderList:
    code = await holders.code_named(call, campaign, member)
    found = await paging.page(
        call.db,
        HolderRow,
        holders.LISTING,
        call.project_id,
        call.query,
        args=(code.id,),
        zone=call.caller.timezone,
    )
    return HolderList(
        data=[shown(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def list_member_holders(
    call: Call,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
) -> HolderList:
    """List the holders of a referral code: its referrer and its referees."""
    return await _page(call, None, member_id)


async def list_campaign_member_holders(
    call: Call,
    campaign_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
) -> HolderList:
    """List the holders of a campaign's referral code: its referrer and its referees."""
    return await _page(call, campaign_id, member_id)


async def add_member_holders(call: Call, member_id: str, data: HoldersIn) -> Holders:
    """Add up to 100 referees to a referral code, all or none.

    They are customers that are made or changed. Somebody new without `consent` is noted in silence: no event tells
    of them, so that nothing contacts them.
    """
    return Holders(await holders.add(call, await holders.code_named(call, None, member_id), data))


async def add_campaign_member_holders(
    call: Call, campaign_id: str, member_id: str, data: HoldersIn
) -> Holders:
    """Add up to 100 referees to a campaign's referral code, all or none."""
    return Holders(await holders.add(call, await holders.code_named(call, campaign_id, member_id), data))


async def remove_member_holder(call: Call, member_id: str, holder_id: str) -> None:
    """Take a referee off a referral code. Whoever was referred by it stays so."""
    await holders.remove(call, await holders.code_named(call, None, member_id), holder_id)


async def remove_campaign_member_holder(call: Call, campaign_id: str, member_id: str, holder_id: str) -> None:
    """Take a referee off a campaign's referral code."""
    await holders.remove(call, await holders.code_named(call, campaign_id, member_id), holder_id)


async def list_referrals(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str = "-created_at",
    starting_after_id: str | None = None,
    campaign_id: str | None = None,
    referrer_id: str | None = None,
    referee_id: str | None = None,
    status: str | None = None,
) -> ReferralList:
    """List referrals with their rewards.

    `status` is REFERRED (not converted yet), HELD, EARNED, UNDONE (the order came back) or REFUSED.
    """
    if status is not None and status not in listing.STATUSES:
        raise invalid_query("status", "must be one of " + ", ".join(listing.STATUSES))
    given = {
        "campaign_id": campaign_id, "referrer_id": referrer_id, "referee_id": referee_id, "status": status,
    }  # fmt: skip
    return await listing.read(call, {name: value for name, value in given.items() if value is not None})


TAG = "Referrals"
MEMBER = "/v1/referrals/members/{member_id}/holders"
CAMPAIGN_MEMBER = "/v1/referrals/{campaign_id}/members/{member_id}/holders"

ROUTES = [
    Route(method="GET", path="/v1/referrals", handler=list_referrals, tag=TAG),
    Route(method="GET", path=MEMBER, handler=list_member_holders, tag=TAG),
    Route(method="POST", path=MEMBER, handler=add_member_holders, tag=TAG, kind="write"),
    Route(
        method="DELETE",
        path=MEMBER + "/{holder_id}",
        handler=remove_member_holder,
        tag=TAG,
        kind="write",
        status=204,
    ),
    Route(method="GET", path=CAMPAIGN_MEMBER, handler=list_campaign_member_holders, tag=TAG),
    Route(method="POST", path=CAMPAIGN_MEMBER, handler=add_campaign_member_holders, tag=TAG, kind="write"),
    Route(
        method="DELETE",
        path=CAMPAIGN_MEMBER + "/{holder_id}",
        handler=remove_campaign_member_holder,
        tag=TAG,
        kind="write",
        status=204,
    ),
]
