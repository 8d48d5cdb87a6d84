"""Campaigns over HTTP."""

from datetime import datetime
from typing import Annotated, LiteralString, cast

import msgspec
from msgspec import Meta, Struct

from guerdon.campaigns import edit, store
from guerdon.campaigns.answers import answers
from guerdon.campaigns.create import create
from guerdon.campaigns.listing import LISTING
from guerdon.campaigns.requests import CAMPAIGN_TYPES, MOST_CODES, CampaignChange, CampaignIn
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.campaigns.summary import CampaignSummary, summarize
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query, not_found
from guerdon.kit.paging import page as read_page
from guerdon.vouchers.imports import import_payload
from guerdon.vouchers.jobs import KIND as IMPORT
from guerdon.vouchers.requests import ImportAccepted, VoucherInCampaign
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.uploads import accept_csv, accept_json


class Campaigns(Struct, kw_only=True):
    """A page of campaigns. `total` counts the whole list; `more_starting_after` is the id to go on behind."""

    object: str = "list"
    data_ref: str = "campaigns"
    campaigns: list[Campaign]
    total: int
    has_more: bool
    more_starting_after: str | None


class Accepted(Struct):
    """The async action that does the work; GET /v1/async-actions/{id} tells how far it is."""

    async_action_id: str


SHORTCUTS: dict[str, LiteralString] = {
    "campaign_type": "c.campaign_type = ",
    "campaign_status": "c.creation_status = ",
    "is_referral_code": "(c.campaign_type = 'REFERRAL_PROGRAM')::text = ",
}
STATUSES = ("DONE", "IN_PROGRESS", "FAILED", "DRAFT", "MODIFYING")
CHOICES = {
    "campaign_type": CAMPAIGN_TYPES,
    "campaign_status": STATUSES,
    "is_referral_code": ("true", "false"),
}


async def list_campaigns(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    campaign_type: str | None = None,
    campaign_status: str | None = None,
    is_referral_code: str | None = None,
) -> Campaigns:
    """List campaigns.

    Newest first unless `order` says otherwise (`created_at`, `updated_at`, `name`; `-` reverses). Walk it by
    `page` or by `starting_after_id`; narrow it by `filters[field][conditions][$operator][0]=value`.
    """
    given = {
        "campaign_type": campaign_type,
        "campaign_status": campaign_status,
        "is_referral_code": is_referral_code,
    }
    where: LiteralString = LISTING.where
    args: list[str] = []
    for name, value in given.items():
        if value is None:
            continue
        if value not in CHOICES[name]:
            raise invalid_query(name, "must be one of " + ", ".join(CHOICES[name]))
        args.append(value)
        where += " and " + SHORTCUTS[name] + cast(LiteralString, f"${len(args) + 1}")
    found = await read_page(
        call.db,
        CampaignRow,
        msgspec.structs.replace(LISTING, where=where),
        call.project_id,
        call.query,
        args=tuple(args),
        zone=call.caller.timezone,
    )
    return Campaigns(
        campaigns=await answers(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def create_campaign(call: Call, data: CampaignIn) -> Campaign:
    """Create a campaign.

    More than one code is made by a job (`CAMPAIGN.VOUCHERS_GENERATE` among the async actions); `creation_status`
    is IN_PROGRESS until all are there. A STANDALONE campaign has one generic code, `voucher.code`. One of type
    PROMOTION has no codes but `promotion.tiers`, which apply by themselves. `options.limit_policy` says what the
    redemption gets that reaches a budget: STRICT (nothing), LAST_IN_FULL or PARTIAL (what is left).
    """
    return await create(call, data)


async def get_campaign(call: Call, campaign_id: str) -> Campaign:
    """Read a campaign by its id or name."""
    return (await answers(call.db, call.project_id, [await _find(call, campaign_id)]))[0]


async def _find(call: Call, campaign_id: str) -> CampaignRow:
    found = await store.find(call.db, call.project_id, campaign_id)
    if found is None:
        raise not_found("campaign", campaign_id)
    return found


async def update_campaign(call: Call, campaign_id: str, data: CampaignChange) -> Campaign:
    """Change a campaign.

    Dates, windows, limit, category and the discount's numbers reach the codes that were neither redeemed nor
    published nor changed on their own yet. Name, code settings and the type of discount stay.
    """
    return await edit.change(call, campaign_id, data)


async def enable_campaign(call: Call, campaign_id: str) -> Campaign:
    """Switch a campaign on."""
    return await edit.switch(call, campaign_id, True)


async def disable_campaign(call: Call, campaign_id: str) -> Campaign:
    """Switch a campaign, and so all its codes, off."""
    return await edit.switch(call, campaign_id, False)


async def delete_campaign(call: Call, campaign_id: str, force: bool = False) -> Accepted:
    """Delete a campaign with its codes.

    Both are gone for callers at once and go into the bin, where names and codes stay taken; `force` deletes them
    for good. The async action does the work.
    """
    return Accepted(await edit.remove(call, campaign_id, force))


async def get_campaign_summary(
    call: Call, campaign_id: str, start_date: str | None = None, end_date: str | None = None
) -> CampaignSummary:
    """Count what a campaign came to between two dates.

    Validations are counted by whole days, and are some seconds behind.
    """
    campaign = await get_campaign(call, campaign_id)
    start = _date(call, "start_date", start_date, end_of_day=False)
    end = _date(call, "end_date", end_date, end_of_day=True)
    return await summarize(call.db, call.project_id, campaign, start, end, call.caller.zone)


def _date(call: Call, name: str, text: str | None, *, end_of_day: bool) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(text, call.caller.zone, end_of_day=end_of_day)
    except ValueError as error:
        raise invalid_query(name, str(error)) from None


async def add_campaign_vouchers(
    call: Call, campaign_id: str, vouchers_count: Annotated[int, Meta(ge=1, le=MOST_CODES)] = 1
) -> Voucher | Reply:
    """Make codes for a campaign.

    One is answered as a voucher; more (`vouchers_count`) are made by a job and answered 202. The body may say
    where the codes differ from the campaign, or how they look (`code_config`); anything but an object is ignored.
    """
    made = await edit.add_codes(call, campaign_id, _optional_body(call), vouchers_count)
    return Reply(Accepted(made), 202) if isinstance(made, str) else Reply(made)


async def add_campaign_voucher(call: Call, campaign_id: str, code: str) -> Voucher:
    """Make one chosen code for a campaign. The body may say where it differs from the campaign."""
    return await edit.add_code(call, campaign_id, code, _optional_body(call))


def _optional_body(call: Call) -> VoucherInCampaign:
    if not call.body.lstrip().startswith(b"{"):
        return VoucherInCampaign()
    return msgspec.json.decode(call.body, type=VoucherInCampaign)


async def _with_codes(call: Call, campaign: str) -> str:
    row = await _find(call, campaign)
    edit.check_codes(row)
    return row.id


async def import_campaign_vouchers(call: Call, campaign_id: str) -> ImportAccepted | Reply:
    """Import codes into a campaign from JSON.

    The body is an array of codes of any length; each may differ from the campaign. The async action's result
    counts the rows; `GET /v1/async-actions/{id}/report` says what became of each.
    """
    payload = import_payload(call, await _with_codes(call, campaign_id))
    return await accept_json(call, IMPORT, "CAMPAIGN.VOUCHERS_IMPORT", payload, 202)


async def import_campaign_vouchers_csv(call: Call, campaign_id: str) -> ImportAccepted | Reply:
    """Import codes into a campaign from CSV.

    Form field `file`, with columns as for vouchers; only Code is needed. Other columns become metadata.
    """
    payload = import_payload(call, await _with_codes(call, campaign_id))
    return await accept_csv(call, IMPORT, "CAMPAIGN.VOUCHERS_IMPORT_CSV", payload, 202)


ONE = "/v1/campaigns/{campaign_id}"
TAG = "Campaigns"

ROUTES = [
    Route(method="GET", path="/v1/campaigns", handler=list_campaigns, tag=TAG),
    Route(method="POST", path="/v1/campaigns", handler=create_campaign, tag=TAG, kind="write"),
    Route(method="GET", path=ONE, handler=get_campaign, tag=TAG),
    Route(method="PUT", path=ONE, handler=update_campaign, tag=TAG, kind="write"),
    Route(method="DELETE", path=ONE, handler=delete_campaign, tag=TAG, kind="write", status=202),
    Route(method="POST", path=ONE + "/enable", handler=enable_campaign, tag=TAG, kind="write"),
    Route(method="POST", path=ONE + "/disable", handler=disable_campaign, tag=TAG, kind="write"),
    Route(method="GET", path=ONE + "/summary", handler=get_campaign_summary, tag=TAG),
    Route(
        method="POST", path=ONE + "/vouchers", handler=add_campaign_vouchers, tag=TAG, kind="write",
        also={202: Accepted},
    ),
    Route(method="POST", path=ONE + "/vouchers/{code}", handler=add_campaign_voucher, tag=TAG, kind="write"),
    Route(
        method="POST", path=ONE + "/import", handler=import_campaign_vouchers, tag=TAG, kind="flow", status=202,
        streams=True,
    ),
    Route(
        method="POST", path=ONE + "/importCSV", handler=import_campaign_vouchers_csv, tag=TAG, kind="flow",
        status=202, streams=True,
    ),
]  # fmt: skip
