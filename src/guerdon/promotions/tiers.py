"""Making, changing, switching and deleting promotion tiers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import UNSET

from guerdon.definitions.changes import Kind, changed
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.promotions import store
from guerdon.promotions.requests import TierChange, TierIn
from guerdon.promotions.rules import Owner, assign, reassign, unassign_all
from guerdon.promotions.shape import TierRow
from guerdon.schemas.check import checked
from guerdon.vouchers.category import settle
from guerdon.vouchers.terms import merge

OBJECT: Owner = "promotion_tier"


async def find_campaign(call: Call, campaign: str, *, lock: bool = False) -> store.CampaignRef:
    """A campaign by id or name. Raises `ApiError` 404."""
    found = await store.find_campaign(call.db, call.project_id, campaign, lock=lock)
    if found is None:
        raise not_found("campaign", campaign)
    return found


async def find_promotion(call: Call, campaign: str) -> store.CampaignRef:
    """A campaign of promotions, ours until the transaction ends. Raises `ApiError` 404, 400 for another kind."""
    found = await find_campaign(call, campaign, lock=True)
    if found.campaign_type != "PROMOTION":
        raise ApiError(
            400,
            "invalid_campaign",
            "Invalid campaign",
            f"The campaign {found.name!r} is of type {found.campaign_type}; tiers and stacks belong to PROMOTION.",
        )
    return found


async def find(call: Call, tier_id: str, *, lock: bool = False) -> TierRow:
    """A tier. Raises `ApiError` 404."""
    found = await store.find(call.db, call.project_id, tier_id, lock=lock)
    if found is None:
        raise not_found(OBJECT, tier_id)
    return found


async def add(call: Call, campaign: str, data: TierIn) -> str:
    """Add a tier to a campaign; its id. Raises `ApiError` 400, 404."""
    found = await find_promotion(call, campaign)
    place = await store.next_hierarchy(call.db, call.project_id, found.id)
    tier_id = await _insert(call, found.id, data, place)
    await changed(call.conn, call.project_id, [("tier", tier_id)])
    return tier_id


async def add_first(call: Call, campaign_id: str, tiers: Sequence[TierIn]) -> list[str]:
    """Write the tiers a new campaign starts with; their ids. Whoever calls says that they changed.

    Raises `ApiError` 400 with paths under `promotion.tiers`.
    """
    made: list[str] = []
    place = 1
    for index, data in enumerate(tiers):
        with _inside(f"promotion.tiers[{index}]."):
            made.append(await _insert(call, campaign_id, data, place))
        place = max(place, (data.hierarchy if data.hierarchy is not None else place) + 1)
    return made


async def _insert(call: Call, campaign_id: str, data: TierIn, place: int) -> str:
    discount = data.action.discount if data.action else None
    if discount is None:
        raise invalid_payload(Fault("action.discount", "a promotion tier needs its discount"))
    body = merge({}, data, call.caller.zone, discount=discount, discount_path="action.discount")
    body = await settle(call.db, call.project_id, data, body)
    await checked(call.db, call.project_id, OBJECT, data.metadata)
    tier = store.NewTier(
        name=data.name,
        banner=data.banner or None,
        hierarchy=place if data.hierarchy is None else data.hierarchy,
        active=True if data.active is None else data.active,
        category_id=body.get("category_id"),
        body=body,
        metadata=data.metadata or {},
    )
    tier_id = await store.insert(call.db, call.project_id, campaign_id, tier)
    if rules := data.rules():
        await assign(call, rules, tier_id, OBJECT)
    await emit(call.db, call.project_id, [Event("campaign.promotion_tier.created", tier_id)], call.request_id)
    return tier_id


async def change(call: Call, tier_id: str, data: TierChange) -> None:
    """Apply an edit. Raises `ApiError` 400 (another type of discount among others), 404."""
    row = await find(call, tier_id, lock=True)
    body = merge(
        row.body,
        data,
        call.caller.zone,
        discount=data.action.discount if data.action else None,
        discount_path="action.discount",
    )
    row.body = await settle(call.db, call.project_id, data, body)
    row.category_id = row.body.get("category_id")
    row.name = data.name or row.name
    if data.banner is not UNSET:
        row.banner = data.banner or None
    if data.hierarchy is not None:
        row.hierarchy = data.hierarchy
    if data.active is not None:
        row.active = data.active
    if data.metadata is not None:
        row.metadata = row.metadata | data.metadata
        await checked(call.db, call.project_id, OBJECT, row.metadata, said=data.metadata)
    await store.update(call.db, call.project_id, row)
    rules = data.rules()
    if rules is not None:
        await reassign(call, rules, row.id, OBJECT)
    await _say(call, "updated", row.id)


async def switch(call: Call, tier_id: str, active: bool) -> None:
    """Turn a tier on or off. Raises `ApiError` 404."""
    row = await find(call, tier_id, lock=True)
    await store.set_active(call.db, call.project_id, row.id, active)
    await _say(call, "enabled" if active else "disabled", row.id)


async def remove(call: Call, tier_id: str) -> None:
    """Delete a tier for good, also from the stacks that have it. Raises `ApiError` 404."""
    row = await find(call, tier_id, lock=True)
    await unassign_all(call, [row.id])
    stacks = await store.delete(call.db, call.project_id, row.id)
    await _say(
        call,
        "deleted",
        row.id,
        each("stack", stacks),
        data={"name": row.name, "campaign_id": row.campaign_id},
    )


async def remove_all(call: Call, campaign_id: str) -> list[tuple[Kind, str]]:
    """Delete the tiers and stacks of a campaign that goes for good; what changed, for the caller to say."""
    tiers = await store.ids_of(call.db, call.project_id, campaign_id)
    await unassign_all(call, tiers)
    stacks = await store.delete_all(call.db, call.project_id, campaign_id, tiers)
    return each("stack", stacks) + each("tier", tiers)


def each(kind: Kind, ids: Sequence[str]) -> list[tuple[Kind, str]]:
    """Changes to several things of one kind."""
    return [(kind, one) for one in ids]


async def _say(
    call: Call, verb: str, tier_id: str, more: Sequence[tuple[Kind, str]] = (), **told: Any
) -> None:
    event = Event(f"campaign.promotion_tier.{verb}", tier_id, **told)
    await emit(call.db, call.project_id, [event], call.request_id)
    await changed(call.conn, call.project_id, [("tier", tier_id), *more])


@contextmanager
def _inside(path: str) -> Iterator[None]:
    """Put the place of a part before the paths of what is wrong with it."""
    try:
        yield
    except ApiError as error:
        if not error.faults:
            raise
        faults = [Fault(path + fault.path, fault.message) for fault in error.faults]
        key, message = error.key or "invalid_payload", error.message
        raise invalid_payload(*faults, key=key, message=message) from None
