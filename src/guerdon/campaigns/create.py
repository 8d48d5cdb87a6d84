"""Starting a campaign: its terms, its row, its first code or the job that makes all of them."""

from typing import Any

import msgspec

from guerdon.campaigns import store
from guerdon.campaigns.answers import read
from guerdon.campaigns.policy import check_policy
from guerdon.campaigns.requests import (
    VOUCHER_TYPES,
    CampaignIn,
    CampaignVoucherIn,
    OptionsIn,
    campaign_type_of,
    check_cards,
    check_duration,
    check_loyalty,
    check_promotion,
    check_referrals,
)
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.definitions.changes import changed
from guerdon.engine.codes import CodeConfig
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, duplicate, invalid_payload
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty.v1_programs import Told, begin
from guerdon.promotions.rules import assign
from guerdon.promotions.tiers import add_first, each
from guerdon.referrals.program import Program, settled
from guerdon.schemas.check import checked
from guerdon.vouchers.category import settle
from guerdon.vouchers.codes import check_code, check_room, long_enough, read_config
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherInCampaign
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import merge
from guerdon.vouchers.value import kind_of, must_last, no_pin, type_of, value_of


async def create(call: Call, data: CampaignIn) -> Campaign:
    """Write a campaign. More than one code is made by a job, and the campaign is IN_PROGRESS until then.

    Raises `ApiError` 400, 409 when the name or the generic code is taken.
    """
    campaign_type = campaign_type_of(data)
    check_promotion(data, campaign_type)
    check_referrals(data, campaign_type)
    check_loyalty(data, campaign_type)
    if data.options is not None:
        check_cards(campaign_type, data.options)
    check_duration(data.activity_duration_after_publishing)
    if campaign_type == "PROMOTION":
        return await _create_promotion(call, data)
    voucher = data.voucher or CampaignVoucherIn()
    config = read_config(voucher.code_config, "voucher.code_config")
    config = long_enough(config, VOUCHER_TYPES[campaign_type])
    count = _count(data, voucher)
    check_room(config, count, "voucher.code_config", case_sensitive=call.caller.case_sensitive_codes)
    new = _with_codes(call, data, campaign_type, voucher, config, count)
    await must_last(call.db, new.body)
    campaign_id = await _insert(call, data, new)
    made = await begin(call, told_of(campaign_id, new)) if campaign_type == "LOYALTY_PROGRAM" else []
    if count == 1:
        await add_to_campaign(call, campaign_id, new.body, VoucherInCampaign(), voucher.code, config)
    elif count > 1:
        await enqueue_codes(call, store.Batch(campaign_id=campaign_id, type=kind_of(new.body)), config, count)
    await changed(call.conn, call.project_id, [("campaign", campaign_id), *made])
    return await read(call, campaign_id)


def told_of(campaign_id: str, row: store.NewCampaign | CampaignRow) -> Told:
    """What a campaign says of its loyalty program."""
    return Told(
        id=campaign_id,
        name=row.name,
        active=row.active,
        auto_join=row.auto_join,
        terms=row.body,
        card=row.body["loyalty_card"],
        config=row.voucher["code_config"],
        tiers=row.voucher.get("loyalty_tiers_expiration"),
        metadata=row.metadata,
    )


async def _create_promotion(call: Call, data: CampaignIn) -> Campaign:
    """A campaign without codes. Its terms are the windows that hold for all of its tiers."""
    new = _row(data, "PROMOTION", merge({}, data, call.caller.zone))
    campaign_id = await _insert(call, data, new)
    tiers = await add_first(call, campaign_id, (data.promotion.tiers if data.promotion else None) or [])
    await changed(call.conn, call.project_id, each("campaign", [campaign_id]) + each("tier", tiers))
    return await read(call, campaign_id)


async def _insert(call: Call, data: CampaignIn, new: store.NewCampaign) -> str:
    await check_policy(call, new.campaign_type, new.options, new.body, new.activity_duration_after_publishing)
    new.body = await settle(call.db, call.project_id, data, new.body)
    await checked(call.db, call.project_id, schema_of(new), new.metadata)
    tiers: list[Event] = []
    if new.campaign_type == "REFERRAL_PROGRAM":
        said = data.referral_program or Program()
        new.referral_program, tiers = await settled(call.db, call.project_id, said)
    terms_id = await insert_terms(call.db, call.project_id, new.body)
    campaign_id = await store.insert(call.db, call.project_id, terms_id, new)
    if campaign_id is None:
        raise duplicate("campaign", data.name, "name")
    created = Event("campaign.created", campaign_id)
    await emit(call.db, call.project_id, [created, *tiers], call.request_id)
    await assign(call, data.validation_rules or [], campaign_id, "campaign")
    return campaign_id


def schema_of(row: store.NewCampaign | CampaignRow) -> str:
    """Of what the schema is that the campaign's metadata goes by."""
    return "voucher" if row.use_voucher_metadata_schema else "campaign"


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
    call: Call,
    data: CampaignIn,
    campaign_type: str,
    voucher: CampaignVoucherIn,
    config: CodeConfig,
    count: int,
) -> store.NewCampaign:
    kind = VOUCHER_TYPES[campaign_type]
    if voucher.type not in (None, kind):
        raise invalid_payload(Fault("voucher.type", f"must be {kind} in a campaign of type {campaign_type}"))
    type_of(kind, voucher.gift, voucher.loyalty_card, voucher.discount, "voucher.")
    if kind == "DISCOUNT_VOUCHER" and voucher.discount is None:
        raise invalid_payload(Fault("voucher.discount", "codes of a campaign need their discount"))
    kept: dict[str, Any] = {"code_config": msgspec.to_builtins(config)}
    if data.type == "STANDALONE" and voucher.code is not None:
        kept["code"] = voucher.code
    if data.loyalty_tiers_expiration is not None:
        kept["loyalty_tiers_expiration"] = data.loyalty_tiers_expiration
    body = merge(
        {},
        data,
        call.caller.zone,
        discount=voucher.discount,
        discount_path="voucher.discount",
        limit=voucher.redemption,
    )
    no_pin(voucher.gift, "voucher.")
    on_sale = data.options is not None and data.options.on_sale()
    body |= value_of(kind, voucher.gift, voucher.loyalty_card, "voucher.", on_sale=on_sale)
    return _row(data, campaign_type, body, kept, "IN_PROGRESS" if count > 1 else "DONE")


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
        type=data.type or "AUTO_UPDATE",
        voucher=voucher or {},
        body=body,
        description=data.description,
        active=True if data.active is None else data.active,
        join_once=campaign_type == "LOYALTY_PROGRAM" or (bool(data.join_once) and data.type != "STANDALONE"),
        auto_join=bool(data.auto_join),
        use_voucher_metadata_schema=bool(data.use_voucher_metadata_schema),
        activity_duration_after_publishing=data.activity_duration_after_publishing,
        access_settings=data.access_settings,
        options=merge_options(None, data.options),
        metadata=data.metadata or {},
        status=status,
    )
