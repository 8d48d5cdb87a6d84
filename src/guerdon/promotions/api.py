"""Promotion tiers and stacks over HTTP."""

from typing import LiteralString, TypeVar

import msgspec
from msgspec import Struct

from guerdon.kit.call import Call, Route
from guerdon.kit.paging import Listing, Page
from guerdon.kit.paging import page as read_page
from guerdon.promotions import listing, stacks, tiers
from guerdon.promotions.answers import stack_answers, tier_answer, tier_answers
from guerdon.promotions.requests import StackChange, StackIn, TierChange, TierIn
from guerdon.promotions.shape import Stack, StackRow, Tier, TierRow

Row = TypeVar("Row")


class Tiers(Struct, kw_only=True):
    """A page of tiers. `total` counts the whole list; `more_starting_after` is the id to go on behind."""

    object: str = "list"
    data_ref: str = "tiers"
    tiers: list[Tier]
    total: int
    has_more: bool
    more_starting_after: str | None


class Stacks(Struct, kw_only=True):
    """A page of stacks."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Stack]
    total: int
    has_more: bool
    more_starting_after: str | None


async def list_promotion_tiers(
    call: Call,
    is_available: bool | None = None,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Tiers:
    """List the promotion tiers of all campaigns.

    Newest first unless `order` says otherwise (`created_at`, `updated_at`, `name`, `hierarchy`; `-` reverses).
    `is_available` leaves those that are switched on and between their dates now, as their campaigns are. Narrow
    the list by `filters[field][conditions][$operator][0]=value`.
    """
    return await _tiers(call, listing.AVAILABLE if is_available else "", ())


async def list_campaign_promotion_tiers(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Tiers:
    """List the promotion tiers of a campaign, in the order of their hierarchy unless `order` says otherwise."""
    found = await tiers.find_campaign(call, campaign_id)
    return await _tiers(call, listing.IN_CAMPAIGN, (found.id,), "hierarchy")


async def _tiers(
    call: Call, more: LiteralString, args: tuple[object, ...], default_sort: str = "-created_at"
) -> Tiers:
    narrowed = msgspec.structs.replace(
        listing.TIERS, where=listing.TIERS.where + more, default_sort=default_sort
    )
    found = await _page(call, TierRow, narrowed, args)
    return Tiers(
        tiers=await tier_answers(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def _page(call: Call, into: type[Row], what: Listing, args: tuple[object, ...]) -> Page[Row]:
    return await read_page(
        call.db, into, what, call.project_id, call.query, args=args, zone=call.caller.timezone
    )


async def add_promotion_tier(call: Call, campaign_id: str, data: TierIn) -> Tier:
    """Add a promotion tier to a campaign.

    Without a `hierarchy` it comes behind the campaign's other tiers.
    """
    return await tier_answer(call, await tiers.add(call, campaign_id, data))


async def get_promotion_tier(call: Call, promotion_tier_id: str) -> Tier:
    """Read a promotion tier."""
    return await tier_answer(call, promotion_tier_id)


async def update_promotion_tier(call: Call, promotion_tier_id: str, data: TierChange) -> Tier:
    """Change a promotion tier. The type of its discount stays."""
    await tiers.change(call, promotion_tier_id, data)
    return await tier_answer(call, promotion_tier_id)


async def enable_promotion_tier(call: Call, promotion_tier_id: str) -> Tier:
    """Switch a promotion tier on."""
    await tiers.switch(call, promotion_tier_id, True)
    return await tier_answer(call, promotion_tier_id)


async def disable_promotion_tier(call: Call, promotion_tier_id: str) -> Tier:
    """Switch a promotion tier off."""
    await tiers.switch(call, promotion_tier_id, False)
    return await tier_answer(call, promotion_tier_id)


async def delete_promotion_tier(call: Call, promotion_tier_id: str) -> None:
    """Delete a promotion tier for good. Stacks that have it go on without it."""
    await tiers.remove(call, promotion_tier_id)


async def list_promotion_stacks(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Stacks:
    """List the promotion stacks of all campaigns, newest first unless `order` says otherwise."""
    return await _stacks(call, "", ())


async def list_campaign_promotion_stacks(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Stacks:
    """List the promotion stacks of a campaign."""
    found = await tiers.find_campaign(call, campaign_id)
    return await _stacks(call, listing.STACKS_IN_CAMPAIGN, (found.id,))


async def _stacks(call: Call, more: LiteralString, args: tuple[object, ...]) -> Stacks:
    narrowed = msgspec.structs.replace(listing.STACKS, where=listing.STACKS.where + more)
    found = await _page(call, StackRow, narrowed, args)
    return Stacks(
        data=await stack_answers(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def _stack(call: Call, row: StackRow) -> Stack:
    return (await stack_answers(call.db, call.project_id, [row]))[0]


async def create_promotion_stack(call: Call, campaign_id: str, data: StackIn) -> Stack:
    """Make a promotion stack: tiers, of this campaign or others, that are applied together in this order."""
    return await _stack(call, await stacks.add(call, campaign_id, data))


async def get_promotion_stack(call: Call, campaign_id: str, stack_id: str) -> Stack:
    """Read a promotion stack."""
    return await _stack(call, await stacks.find(call, campaign_id, stack_id))


async def update_promotion_stack(call: Call, campaign_id: str, stack_id: str, data: StackChange) -> Stack:
    """Change a promotion stack."""
    return await _stack(call, await stacks.change(call, campaign_id, stack_id, data))


async def delete_promotion_stack(call: Call, campaign_id: str, stack_id: str) -> None:
    """Delete a promotion stack; its tiers stay."""
    await stacks.remove(call, campaign_id, stack_id)


TAG = "Promotions"
TIER = "/v1/promotions/tiers/{promotion_tier_id}"
OF = "/v1/promotions/{campaign_id}"
STACK = OF + "/stacks/{stack_id}"

ROUTES = [
    Route(method="GET", path="/v1/promotions/tiers", handler=list_promotion_tiers, tag=TAG),
    Route(method="GET", path=TIER, handler=get_promotion_tier, tag=TAG),
    Route(method="PUT", path=TIER, handler=update_promotion_tier, tag=TAG, kind="write"),
    Route(method="DELETE", path=TIER, handler=delete_promotion_tier, tag=TAG, kind="write", status=204),
    Route(method="POST", path=TIER + "/enable", handler=enable_promotion_tier, tag=TAG, kind="write"),
    Route(method="POST", path=TIER + "/disable", handler=disable_promotion_tier, tag=TAG, kind="write"),
    Route(method="GET", path="/v1/promotions/stacks", handler=list_promotion_stacks, tag=TAG),
    Route(method="GET", path=OF + "/tiers", handler=list_campaign_promotion_tiers, tag=TAG),
    Route(method="POST", path=OF + "/tiers", handler=add_promotion_tier, tag=TAG, kind="write"),
    Route(method="GET", path=OF + "/stacks", handler=list_campaign_promotion_stacks, tag=TAG),
    Route(method="POST", path=OF + "/stacks", handler=create_promotion_stack, tag=TAG, kind="write"),
    Route(method="GET", path=STACK, handler=get_promotion_stack, tag=TAG),
    Route(method="PUT", path=STACK, handler=update_promotion_stack, tag=TAG, kind="write"),
    Route(method="DELETE", path=STACK, handler=delete_promotion_stack, tag=TAG, kind="write", status=204),
]
