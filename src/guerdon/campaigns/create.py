"""Starting a campaign: its terms, its row, its first code or the job that makes all of them."""

from typing import Any

import msgspec

from guerdon.campaigns import store
from guerdon.campaigns.requests import CampaignIn, CampaignVoucherIn, check_campaign_type, check_duration
from guerdon.campaigns.shape import Campaign
from guerdon.engine.codes import CodeConfig
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, duplicate, invalid_payload
from guerdon.kit.outbox import Event, emit
from guerdon.vouchers.codes import check_code, check_room, read_config
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherInCampaign, check_rules
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import merge


async def create(call: Call, data: CampaignIn) -> Campaign:
    """Write a campaign. More than one code is made by a job, and the campaign is IN_PROGRESS until then.

    Raises `ApiError` 400, 409 when the name or the generic code is taken.
    """
    check_campaign_type(data)
    check_rules(data.validation_rules)
    check_duration(data.activity_duration_after_publishing)
    voucher = data.voucher or CampaignVoucherIn()
    config = read_config(voucher.code_config, "voucher.code_config")
    count = _count(data, voucher)
    check_room(config, count, "voucher.code_config", case_sensitive=call.caller.case_sensitive_codes)
    new = _row(call, data, voucher, config, count)
    terms_id = await insert_terms(call.db, call.project_id, new.body)
    campaign_id = await store.insert(call.db, call.project_id, terms_id, new)
    if campaign_id is None:
        raise duplicate("campaign", data.name, "name")
    await emit(call.db, call.project_id, [Event("campaign.created", campaign_id)], call.request_id)
    if count == 1:
        await add_to_campaign(call, campaign_id, new.body, VoucherInCampaign(), voucher.code, config)
    elif count > 1:
        await enqueue_codes(call, store.Batch(campaign_id=campaign_id), config, count)
    return await read(call, campaign_id)


async def read(call: Call, campaign_id: str) -> Campaign:
    """A campaign that is known to be there."""
    found = await store.find(call.db, call.project_id, campaign_id)
    assert found is not None
    return found.answer()


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


def _row(
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
    return store.NewCampaign(
        name=data.name,
        type=data.type,
        voucher=kept,
        body=merge(
            {},
            data,
            call.caller.zone,
            discount=voucher.discount,
            discount_path="voucher.discount",
            limit=voucher.redemption,
        ),
        description=data.description,
        active=True if data.active is None else data.active,
        join_once=bool(data.join_once) and data.type != "STANDALONE",
        auto_join=bool(data.auto_join),
        use_voucher_metadata_schema=bool(data.use_voucher_metadata_schema),
        activity_duration_after_publishing=data.activity_duration_after_publishing,
        access_settings=data.access_settings,
        options=data.options,
        metadata=data.metadata or {},
        status="IN_PROGRESS" if count > 1 else "DONE",
    )
