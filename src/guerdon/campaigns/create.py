"""Starting a campaign: its terms, its row, its first code or the job that makes all of them."""

from typing import Any

import msgspec

from guerdon.campaigns import store
from guerdon.campaigns.answers import read
from guerdon.campaigns.requests import (
    CampaignIn,
    CampaignVoucherIn,
    OptionsIn,
    campaign_type_of,
    check_duration,
    check_promotion,
)
from guerdon.campaigns.shape import Campaign
from guerdon.definitions.changes import changed
from guerdon.engine.codes import CodeConfig
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, duplicate, invalid_payload
from guerdon.kit.outbox import Event, emit
from guerdon.promotions.rules import assign
from guerdon.promotions.tiers import add_first, each
from guerdon.schemas.check import checked
from guerdon.vouchers.category import settle
from guerdon.vouchers.codes import check_code, check_room, read_config
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherInCampaign
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import merge


async def create(call: Call, data: CampaignIn) -> Campaign:
    """Write a campaign. More than one code is made by a job, and the campaign is IN_PROGRESS until then.

    Raises `ApiError` 400, 409 when the name or the generic code is taken.
    """
    campaign_type = campaign_type_of(data)
    check_promotion(data, campaign_type)
    check_duration(data.activity_duration_after_publishing)
    if campaign_type == "PROMOTION":
        return await _create_promotion(call, data)
    voucher = data.voucher or CampaignVoucherIn()
    config = read_config(voucher.code_config, "voucher.code_config")
    count = _count(data, voucher)
    check_room(config, count, "voucher.code_config", case_sensitive=call.caller.case_sensitive_codes)
    new = _with_codes(call, data, voucher, config, count)
    campaign_id = await _insert(call, data, new)
    if count == 1:
        await add_to_campaign(call, campaign_id, new.body, VoucherInCampaign(), voucher.code, config)
    elif count > 1:
        await enqueue_codes(call, store.Batch(campaign_id=campaign_id), config, count)
    await changed(call.conn, call.project_id, [("campaign", campaign_id)])
    return await read(call, campaign_id)


async def _create_promotion(call: Call, data: CampaignIn) -> Campaign:
    """A campaign without codes. Its terms are the windows that hold for all of its tiers."""
    new = _row(data, "PROMOTION", merge({}, data, call.caller.zone))
    campaign_id = await _insert(call, data, new)
    tiers = await add_first(call, campaign_id, (data.promotion.tiers if data.promotion else None) or [])
    await changed(call.conn, call.project_id, each("campaign", [campaign_id]) + each("tier", tiers))
    return await read(call, campaign_id)


async def _insert(call: Call, data: CampaignIn, new: store.NewCampaign) -> str:
    new.body = await settle(call.db, call.project_id, data, new.body)
    await checked(call.db, call.project_id, "campaign", new.metadata)
    terms_id = await insert_terms(call.db, call.project_id, new.body)
    campaign_id = await store.insert(call.db, call.project_id, terms_id, new)
    if campaign_id is None:
        raise duplicate("campaign", data.name, "name")
    await emit(call.db, call.project_id, [Event("campaign.created", campaign_id)], call.request_id)
    await assign(call, data.validation_rules or [], campaign_id, "campaign")
    return campaign_id


def merge_options(before: dict[str, Any] | None, given: OptionsIn | None) -> dict[str, Any] | None:
    """A campaign's settings with those given put over them; None when all are the defaults."""
    merged = (before or {}) | (msgspec.to_builtins(given) if given else {})
    return {name: value for name, value in merged.items() if value is not None} or None


async def enqueue_codes(call: Call, batch: store.Batch, config: CodeConfig, count: int) -> str:
    """Ask for codes to be made; the async action's id."""
    await store.set_status(call.db, call.project_id, batch.campaign_id, "IN_PROGRESS")
    started = Event("campaign.vouchers.generation.started", batch.campaign_id, data={"count": count})
    await emit(call.db, call.project_id, [started], call.request_id)
    payload = {
        "batch": msgspec.to_builtins(batch),
        "config": msgspec.to_builtins(config),
        "count": count,
        "case_sensitive": call.caller.case_sensitive_codes,
    }
    return await jobs.enqueue(
        call.db,
        call.project_id,
        "campaign.generate",
        payload,
        action_type="CAMPAIGN.VOUCHERS_GENERATE",
        request_id=call.request_id,
    )


def _count(data: CampaignIn, voucher: CampaignVoucherIn) -> int:
    if data.type != "STANDALONE":
        if voucher.code is not None:
            raise invalid_payload(Fault("voucher.code", "belongs to campaigns of type STANDALONE only"))
        return data.vouchers_count or 0
    if voucher.code is not None:
        check_code(voucher.code, "voucher.code")
    if data.vouchers_count not in (None, 0, 1):
        raise invalid_payload(Fault("vouchers_count", "a STANDALONE campaign has one code"))
    return 1


def _with_codes(
    call: Call, data: CampaignIn, voucher: CampaignVoucherIn, config: CodeConfig, count: int
) -> store.NewCampaign:
    if voucher.discount is None:
        raise invalid_payload(Fault("voucher.discount", "codes of a campaign need their discount"))
    if voucher.type not in (None, "DISCOUNT_VOUCHER"):
        raise invalid_payload(
            Fault("voucher.type", "must be DISCOUNT_VOUCHER in a campaign of discount coupons")
        )
    kept: dict[str, Any] = {"code_config": msgspec.to_builtins(config)}
    if data.type == "STANDALONE" and voucher.code is not None:
        kept["code"] = voucher.code
    body = merge(
        {},
        data,
        call.caller.zone,
        discount=voucher.discount,
        discount_path="voucher.discount",
        limit=voucher.redemption,
    )
    return _row(data, "DISCOUNT_COUPONS", body, kept, "IN_PROGRESS" if count > 1 else "DONE")


def _row(
    data: CampaignIn,
    campaign_type: str,
    body: dict[str, Any],
    voucher: dict[str, Any] | None = None,
    status: str = "DONE",
) -> store.NewCampaign:
    return store.NewCampaign(
        name=data.name,
        campaign_type=campaign_type,
        type=data.type,
        voucher=voucher or {},
        body=body,
        description=data.description,
        active=True if data.active is None else data.active,
        join_once=bool(data.join_once) and data.type != "STANDALONE",
        auto_join=bool(data.auto_join),
        use_voucher_metadata_schema=bool(data.use_voucher_metadata_schema),
        activity_duration_after_publishing=data.activity_duration_after_publishing,
        access_settings=data.access_settings,
        options=merge_options(None, data.options),
        metadata=data.metadata or {},
        status=status,
    )
