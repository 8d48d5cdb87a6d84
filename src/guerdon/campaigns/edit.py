"""Changing a campaign. New terms are one new row, whatever the number of codes: those that were not yet redeemed,
published or edited follow the campaign to it, all others are pinned to the terms they had."""

from msgspec import UNSET

from guerdon.campaigns import store
from guerdon.campaigns.create import enqueue_codes, read
from guerdon.campaigns.requests import CampaignChange, CampaignVoucherIn, check_duration
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.vouchers.codes import check_room, read_config
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherInCampaign, check_kind
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import LimitIn, merge, quantity_of


async def find_locked(call: Call, campaign: str) -> CampaignRow:
    """A campaign by id or name, ours until the transaction ends. Raises `ApiError` 404."""
    found = await store.find(call.db, call.project_id, campaign, lock=True)
    if found is None:
        raise not_found("campaign", campaign)
    return found


async def change(call: Call, campaign: str, data: CampaignChange) -> Campaign:
    """Apply an edit. Raises `ApiError` 400 (another type of discount, other code settings), 404."""
    row = await find_locked(call, campaign)
    voucher = data.voucher or CampaignVoucherIn()
    check_duration(data.activity_duration_after_publishing)
    _check_fixed(row, data, voucher)
    body = merge(
        row.body,
        data,
        call.caller.zone,
        discount=data.discount or voucher.discount,
        discount_path="discount" if data.discount else "voucher.discount",
        limit=data.redemption or voucher.redemption or LimitIn(),
    )
    if body != row.body:
        row.body, row.terms_id = body, await insert_terms(call.db, call.project_id, body)
    row.type = data.type or row.type
    if data.description is not UNSET:
        row.description = data.description
    if data.activity_duration_after_publishing is not UNSET:
        row.activity_duration_after_publishing = data.activity_duration_after_publishing
    if data.join_once is not None:
        row.join_once = data.join_once and row.type != "STANDALONE"
    if data.auto_join is not None:
        row.auto_join = data.auto_join
    merged = row.metadata | (data.metadata or {})
    row.metadata = {
        key: value for key, value in merged.items() if key not in (data.unset_metadata_fields or [])
    }
    await store.update(call.db, call.project_id, row)
    await emit(call.db, call.project_id, [Event("campaign.updated", row.id)], call.request_id)
    return await read(call, row.id)


def _check_fixed(row: CampaignRow, data: CampaignChange, voucher: CampaignVoucherIn) -> None:
    if data.type is not None and (data.type == "STANDALONE") != (row.type == "STANDALONE"):
        raise invalid_payload(
            Fault("type", f"is {row.type} and cannot become {data.type}"), key="invalid_campaign"
        )
    if voucher.code_config is not None:
        config = read_config(voucher.code_config, "voucher.code_config")
        if config != read_config(row.voucher.get("code_config")):
            raise invalid_payload(
                Fault("voucher.code_config", "cannot be changed once there is a campaign"),
                key="invalid_campaign",
            )
    if voucher.code is not None and voucher.code != row.voucher.get("code"):
        raise invalid_payload(
            Fault("voucher.code", "cannot be changed once there is a campaign"), key="invalid_campaign"
        )


async def switch(call: Call, campaign: str, active: bool) -> Campaign:
    """Turn a campaign, and thereby all its codes, on or off. Raises `ApiError` 404."""
    row = await find_locked(call, campaign)
    await store.set_active(call.db, call.project_id, row.id, active)
    event = Event("campaign.enabled" if active else "campaign.disabled", row.id)
    await emit(call.db, call.project_id, [event], call.request_id)
    return await read(call, row.id)


async def remove(call: Call, campaign: str, force: bool) -> str:
    """Hide a campaign and its codes at once and let a job delete them; the async action's id.

    Raises `ApiError` 404, 400 `resource_protected`. With `force` one that lies in the bin is found too.
    """
    row = await store.find(call.db, call.project_id, campaign, lock=True)
    campaign_id = (
        row.id if row else (await store.find_any(call.db, call.project_id, campaign) if force else None)
    )
    if campaign_id is None:
        raise not_found("campaign", campaign)
    if row is not None:
        if row.protected:
            raise ApiError(
                400, "resource_protected", "Resource is protected", "This campaign cannot be deleted."
            )
        await store.put_in_bin(call.db, call.project_id, row.id)
        event = Event("campaign.deleted", row.id, data={"name": row.name})
        await emit(call.db, call.project_id, [event], call.request_id)
    return await jobs.enqueue(
        call.db,
        call.project_id,
        "campaign.delete",
        {"campaign_id": campaign_id, "force": force},
        action_type="CAMPAIGN.VOUCHERS_DELETE",
        request_id=call.request_id,
    )


async def add_codes(call: Call, campaign: str, data: VoucherInCampaign, count: int) -> Voucher | str:
    """Make codes for a campaign: the voucher when it is one, the async action's id when there are more.

    Raises `ApiError` 400 (STANDALONE campaigns, code settings with too little room), 404.
    """
    check_kind(data)
    row = await find_locked(call, campaign)
    if row.type == "STANDALONE":
        details = (
            "No codes can be generated for a STANDALONE campaign; POST /v1/vouchers adds one that you choose."
        )
        raise ApiError(400, "invalid_campaign", "Invalid campaign", details)
    own = data.code_config is not None
    config = read_config(data.code_config if own else row.voucher.get("code_config"))
    if count == 1:
        return await add_to_campaign(call, row.id, row.body, data, None, config)
    room = count if own else count + row.vouchers_count
    check_room(config, room, "code_config", case_sensitive=call.caller.case_sensitive_codes)
    batch = store.Batch(
        campaign_id=row.id, additional_info=data.additional_info or None, metadata=data.metadata or {}
    )
    if data.says_terms():
        body = merge(row.body, data, call.caller.zone, discount=data.discount, limit=data.redemption)
        batch.terms_id = await insert_terms(call.db, call.project_id, body)
        batch.quantity = quantity_of(body)
    return await enqueue_codes(call, batch, config, count)


async def add_code(call: Call, campaign: str, code: str, data: VoucherInCampaign) -> Voucher:
    """Make one chosen code for a campaign. Raises `ApiError` 400, 404, 409 when it is taken."""
    row = await find_locked(call, campaign)
    config = read_config(row.voucher.get("code_config"))
    return await add_to_campaign(call, row.id, row.body, data, code, config)
