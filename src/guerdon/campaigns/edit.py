"""Changing a campaign. New terms are one new row, whatever the number of codes: those that were not yet redeemed,
published or edited follow the campaign to it, all others are pinned to the terms they had."""

from msgspec import UNSET

from guerdon.campaigns import store
from guerdon.campaigns.answers import read
from guerdon.campaigns.create import enqueue_codes, merge_options
from guerdon.campaigns.requests import CampaignChange, CampaignVoucherIn, check_duration
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.definitions.changes import Kind, changed
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.promotions.rules import reassign, unassign_all
from guerdon.promotions.tiers import remove_all
from guerdon.schemas.check import checked
from guerdon.vouchers.category import settle
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
    _check_kind(row, data)
    _check_fixed(row, data, voucher)
    body = merge(
        row.body,
        data,
        call.caller.zone,
        discount=data.discount or voucher.discount,
        discount_path="discount" if data.discount else "voucher.discount",
        limit=data.redemption or voucher.redemption or LimitIn(),
    )
    body = await settle(call.db, call.project_id, data, body)
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
    await _change_metadata(call, row, data)
    row.options = merge_options(row.options, data.options)
    await store.update(call.db, call.project_id, row)
    if data.validation_rules is not UNSET:
        await reassign(call, data.validation_rules or [], row.id, "campaign")
    await emit(call.db, call.project_id, [Event("campaign.updated", row.id)], call.request_id)
    await changed(call.conn, call.project_id, [("campaign", row.id)])
    return await read(call, row.id)


async def _change_metadata(call: Call, row: CampaignRow, data: CampaignChange) -> None:
    if data.metadata is None and data.unset_metadata_fields is None:
        return
    given, unset = data.metadata or {}, data.unset_metadata_fields or []
    row.metadata = {key: value for key, value in (row.metadata | given).items() if key not in unset}
    await checked(call.db, call.project_id, "campaign", row.metadata, said=[*given, *unset])


def _check_kind(row: CampaignRow, data: CampaignChange) -> None:
    if data.promotion is not None:
        raise invalid_payload(Fault("promotion", "tiers are changed at /v1/promotions/tiers, one by one"))
    if row.campaign_type != "PROMOTION":
        return
    for name in ("voucher", "discount", "redemption"):
        if getattr(data, name) is not None:
            raise invalid_payload(Fault(name, "a PROMOTION campaign has tiers instead of codes"))
    if data.type == "STANDALONE":
        raise invalid_payload(
            Fault("type", "STANDALONE belongs to campaigns of codes"), key="invalid_campaign"
        )


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
    await changed(call.conn, call.project_id, [("campaign", row.id)])
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
    action_id = await jobs.enqueue(
        call.db,
        call.project_id,
        "campaign.delete",
        {"campaign_id": campaign_id, "force": force},
        action_type="CAMPAIGN.VOUCHERS_DELETE",
        request_id=call.request_id,
    )
    gone: list[tuple[Kind, str]] = [("campaign", campaign_id)]
    if force:
        await unassign_all(call, [campaign_id])
        gone += await remove_all(call, campaign_id)
    await changed(call.conn, call.project_id, gone)
    return action_id


def check_codes(row: CampaignRow) -> None:
    """Raise `ApiError` 400 for campaigns that have no codes."""
    if row.campaign_type == "PROMOTION":
        details = (
            "A PROMOTION campaign has tiers instead of codes; POST /v1/promotions/{campaign}/tiers adds one."
        )
        raise ApiError(400, "invalid_campaign", "Invalid campaign", details)


async def add_codes(call: Call, campaign: str, data: VoucherInCampaign, count: int) -> Voucher | str:
    """Make codes for a campaign: the voucher when it is one, the async action's id when there are more.

    Raises `ApiError` 400 (STANDALONE campaigns, code settings with too little room), 404.
    """
    check_kind(data)
    row = await find_locked(call, campaign)
    check_codes(row)
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
    await checked(call.db, call.project_id, "voucher", data.metadata)
    batch = store.Batch(
        campaign_id=row.id, additional_info=data.additional_info or None, metadata=data.metadata or {}
    )
    if data.says_terms():
        body = merge(row.body, data, call.caller.zone, discount=data.discount, limit=data.redemption)
        body = await settle(call.db, call.project_id, data, body)
        batch.terms_id = await insert_terms(call.db, call.project_id, body)
        batch.quantity = quantity_of(body)
    return await enqueue_codes(call, batch, config, count)


async def add_code(call: Call, campaign: str, code: str, data: VoucherInCampaign) -> Voucher:
    """Make one chosen code for a campaign. Raises `ApiError` 400, 404, 409 when it is taken."""
    row = await find_locked(call, campaign)
    check_codes(row)
    config = read_config(row.voucher.get("code_config"))
    return await add_to_campaign(call, row.id, row.body, data, code, config)
