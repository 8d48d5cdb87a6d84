"""``/v1/loyalties``: loyalty programs, which are campaigns of one type."""

from msgspec.structs import replace

from guerdon.campaigns import edit, store
from guerdon.campaigns.answers import answers
from guerdon.campaigns.api import Accepted, Campaigns
from guerdon.campaigns.create import create
from guerdon.campaigns.listing import LISTING
from guerdon.campaigns.requests import CampaignChange, CampaignIn
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.paging import page as read_page

LOYALTY = "LOYALTY_PROGRAM"


async def list_loyalty_programs(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Campaigns:
    """List loyalty programs, newest first unless `order` says otherwise."""
    where = LISTING.where + " and c.campaign_type = 'LOYALTY_PROGRAM'"
    found = await read_page(
        call.db,
        CampaignRow,
        replace(LISTING, where=where),
        call.project_id,
        call.query,
        zone=call.caller.timezone,
    )
    return Campaigns(
        campaigns=await answers(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def create_loyalty_program(call: Call, data: CampaignIn) -> Campaign:
    """Create a loyalty program.

    `voucher.loyalty_card` says what a card begins with and when earned points lapse (`expiration_rules`);
    `loyalty_tiers_expiration` how tiers are reached and kept. It is the program of v2 whose id ends alike.
    """
    if data.campaign_type not in (None, LOYALTY):
        raise invalid_payload(Fault("campaign_type", f"is {LOYALTY} here"))
    data.campaign_type = LOYALTY
    return await create(call, data)


async def get_loyalty_program(call: Call, campaign_id: str) -> Campaign:
    """Read a loyalty program by its id or name."""
    return (await answers(call.db, call.project_id, [await _program(call, campaign_id)]))[0]


async def update_loyalty_program(call: Call, campaign_id: str, data: CampaignChange) -> Campaign:
    """Change a loyalty program. Points that are on cards already keep when they lapse."""
    return await edit.change(call, (await _program(call, campaign_id)).id, data)


async def delete_loyalty_program(call: Call, campaign_id: str, force: bool = False) -> Accepted:
    """Delete a loyalty program with its cards. The async action does the work."""
    return Accepted(await edit.remove(call, (await _program(call, campaign_id)).id, force))


async def _program(call: Call, name: str) -> CampaignRow:
    found = await store.find(call.db, call.project_id, name)
    if found is None or found.campaign_type != LOYALTY:
        raise not_found("loyalty program", name)
    return found


ALL = "/v1/loyalties"
ONE = "/v1/loyalties/{campaign_id}"
TAG = "Loyalties"

ROUTES = [
    Route(method="GET", path=ALL, handler=list_loyalty_programs, tag=TAG),
    Route(method="POST", path=ALL, handler=create_loyalty_program, tag=TAG, kind="write"),
    Route(method="GET", path=ONE, handler=get_loyalty_program, tag=TAG),
    Route(method="PUT", path=ONE, handler=update_loyalty_program, tag=TAG, kind="write"),
    Route(method="DELETE", path=ONE, handler=delete_loyalty_program, tag=TAG, kind="write"),
]
