"""Making, changing and deleting promotion stacks: tiers that are asked for together, in a given order."""

from msgspec import UNSET

from guerdon.categories.store import check_category
from guerdon.definitions.changes import changed
from guerdon.kit.call import Call
from guerdon.kit.errors import not_found
from guerdon.kit.outbox import Event, emit
from guerdon.promotions import store
from guerdon.promotions.requests import StackChange, StackIn, StackTiersIn, check_stack
from guerdon.promotions.shape import StackRow
from guerdon.promotions.tiers import find_campaign, find_promotion

OBJECT = "promotion_stack"


async def find(call: Call, campaign: str, stack_id: str, *, lock: bool = False) -> StackRow:
    """A stack of a campaign. Raises `ApiError` 404 for either."""
    owner = await find_campaign(call, campaign)
    found = await store.find_stack(call.db, call.project_id, owner.id, stack_id, lock=lock)
    if found is None:
        raise not_found(OBJECT, stack_id)
    return found


async def add(call: Call, campaign: str, data: StackIn) -> StackRow:
    """Make a stack. Raises `ApiError` 400, 404 for a campaign, tier or category that is not there."""
    owner = await find_promotion(call, campaign)
    await _check_tiers(call, data.tiers)
    await check_category(call.db, call.project_id, data.category_id)
    stack_id = await store.insert_stack(
        call.db, call.project_id, owner.id, data.name, data.tiers.ids, data.category_id
    )
    return await _say(call, "created", owner.id, stack_id)


async def change(call: Call, campaign: str, stack_id: str, data: StackChange) -> StackRow:
    """Apply an edit. Raises `ApiError` 400, 404."""
    row = await find(call, campaign, stack_id, lock=True)
    row.name = data.name or row.name
    if data.tiers is not None:
        await _check_tiers(call, data.tiers)
        row.tiers = data.tiers.ids
    if data.category_id is not UNSET:
        await check_category(call.db, call.project_id, data.category_id)
        row.category_id = data.category_id
    await store.update_stack(call.db, call.project_id, row)
    return await _say(call, "updated", row.campaign_id, row.id)


async def remove(call: Call, campaign: str, stack_id: str) -> None:
    """Delete a stack; its tiers stay. Raises `ApiError` 404."""
    row = await find(call, campaign, stack_id, lock=True)
    await store.delete_stack(call.db, call.project_id, row.campaign_id, row.id)
    await changed(call.conn, call.project_id, [("stack", row.id)])


async def _check_tiers(call: Call, tiers: StackTiersIn) -> None:
    check_stack(tiers)
    there = await store.existing(call.db, call.project_id, tiers.ids)
    for tier_id in tiers.ids:
        if tier_id not in there:
            raise not_found("promotion_tier", tier_id)


async def _say(call: Call, verb: str, campaign_id: str, stack_id: str) -> StackRow:
    event = Event(f"campaign.promotion_stack.{verb}", stack_id)
    await emit(call.db, call.project_id, [event], call.request_id)
    await changed(call.conn, call.project_id, [("stack", stack_id)])
    row = await store.find_stack(call.db, call.project_id, campaign_id, stack_id)
    assert row is not None
    return row
