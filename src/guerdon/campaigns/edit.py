"""Changing a campaign. New terms are one new row, whatever the number of codes: those that were not yet redeemed,
published or edited follow the campaign to it, all others are pinned to the terms they had."""

from typing import Any

from msgspec import UNSET

from guerdon.campaigns import store
from guerdon.campaigns.answers import read
from guerdon.campaigns.create import enqueue_codes, merge_options, schema_of, told_of
from guerdon.campaigns.policy import check_policy
from guerdon.campaigns.requests import CampaignChange, CampaignVoucherIn, check_cards, check_duration
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.definitions.changes import Kind, changed
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty.v1_programs import end, keep
from guerdon.promotions.rules import reassign, unassign_all
from guerdon.promotions.tiers import remove_all
from guerdon.referrals.program import settled
from guerdon.schemas.check import checked
from guerdon.vouchers.category import settle
from guerdon.vouchers.codes import check_room, read_config
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherInCampaign
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import LimitIn, merge, quantity_of
from guerdon.vouchers.value import is_on_sale, kind_of, must_last, no_pin, type_of, value_of


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
    if data.options is not None:
        check_cards(row.campaign_type, data.options, is_on_sale(row.body))
    body = merge(
        row.body,
        data,
        call.caller.zone,
        discount=data.discount or voucher.discount,
        discount_path="discount" if data.discount else "voucher.discount",
        limit=data.redemption or voucher.redemption or LimitIn(),
    )
    if voucher.gift is not None and "gift" in row.body:
        body["gift"] = row.body["gift"] | {"effect": voucher.gift.effect or row.body["gift"]["effect"]}
    _change_loyalty(row, data, body)
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
    await check_policy(call, row.campaign_type, row.options, row.body, row.activity_duration_after_publishing)
    tiers = await _change_program(call, row, data)
    await store.update(call.db, call.project_id, row)
    if data.validation_rules is not UNSET:
        await reassign(call, data.validation_rules or [], row.id, "campaign")
    updated = Event("campaign.updated", row.id)
    await emit(call.db, call.project_id, [updated, *tiers], call.request_id)
    await changed(call.conn, call.project_id, [("campaign", row.id), *await _keep(call, row)])
    return await read(call, row.id)


def _change_loyalty(row: CampaignRow, data: CampaignChange, body: dict[str, Any]) -> None:
    """Put what is said of cards and tiers into the row and its terms."""
    card = None if data.voucher is None else data.voucher.loyalty_card
    if card is not None and "loyalty_card" in row.body:
        body |= value_of("LOYALTY_CARD", None, card)
    if data.loyalty_tiers_expiration is not None:
        if row.campaign_type != "LOYALTY_PROGRAM":
            where = "loyalty_tiers_expiration"
            raise invalid_payload(Fault(where, "belongs to campaigns of type LOYALTY_PROGRAM only"))
        row.voucher = row.voucher | {"loyalty_tiers_expiration": data.loyalty_tiers_expiration}


async def _keep(call: Call, row: CampaignRow) -> list[tuple[Kind, str]]:
    return await keep(call, told_of(row.id, row)) if row.campaign_type == "LOYALTY_PROGRAM" else []


async def _change_program(call: Call, row: CampaignRow, data: CampaignChange) -> list[Event]:
    if data.referral_program is None:
        return []
    if row.campaign_type != "REFERRAL_PROGRAM":
        raise invalid_payload(Fault("referral_program", "belongs to campaigns of type REFERRAL_PROGRAM only"))
    row.referral_program, tiers = await settled(
        call.db, call.project_id, data.referral_program, row.referral_program
    )
    return tiers


async def _change_metadata(call: Call, row: CampaignRow, data: CampaignChange) -> None:
    if data.metadata is None and data.unset_metadata_fields is None:
        return
    given, unset = data.metadata or {}, data.unset_metadata_fields or []
    row.metadata = {key: value for key, value in (row.metadata | given).items() if key not in unset}
    await checked(call.db, call.project_id, schema_of(row), row.metadata, said=[*given, *unset])


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
    type_of(
        kind_of(row.body), voucher.gift, voucher.loyalty_card, data.discount or voucher.discount, "voucher."
    )
    no_pin(voucher.gift, "voucher.")
    begun = row.body.get("gift", {}).get("amount")
    if voucher.gift is not None and voucher.gift.amount != begun:
        raise invalid_payload(
            Fault("voucher.gift.amount", f"is {begun} and stays so; cards are topped up one by one"),
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
    row.active = active
    event = Event("campaign.enabled" if active else "campaign.disabled", row.id)
    await emit(call.db, call.project_id, [event], call.request_id)
    await changed(call.conn, call.project_id, [("campaign", row.id), *await _keep(call, row)])
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
    gone: list[tuple[Kind, str]] = [("campaign", campaign_id), *await end(call, campaign_id)]
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
    row = await find_locked(call, campaign)
    check_codes(row)
    kind = type_of(kind_of(row.body), data.gift, data.loyalty_card, data.discount)
    if row.type == "STANDALONE":
        details = (
            "No codes can be generated for a STANDALONE campaign; POST /v1/vouchers adds one that you choose."
        )
        raise ApiError(400, "invalid_campaign", "Invalid campaign", details)
    await _must_last(call, row, data)
    own = data.code_config is not None
    config = read_config(data.code_config if own else row.voucher.get("code_config"))
    if count == 1:
        return await add_to_campaign(call, row.id, row.body, data, None, config)
    room = count if own else count + row.vouchers_count
    check_room(config, room, "code_config", case_sensitive=call.caller.case_sensitive_codes)
    await checked(call.db, call.project_id, "voucher", data.metadata)
    batch = store.Batch(
        campaign_id=row.id,
        additional_info=data.additional_info or None,
        metadata=data.metadata or {},
        type=kind,
    )
    if data.says_terms() or data.gift is not None or data.loyalty_card is not None:
        body = merge(row.body, data, call.caller.zone, discount=data.discount, limit=data.redemption)
        await must_last(call.db, body)
        body = await settle(call.db, call.project_id, data, body)
        if data.gift is not None or data.loyalty_card is not None:
            no_pin(data.gift, "")
            on_sale = is_on_sale(row.body)
            body = body | value_of(kind, data.gift, data.loyalty_card, on_sale=on_sale)
        batch.terms_id = await insert_terms(call.db, call.project_id, body)
        batch.quantity = quantity_of(body)
    return await enqueue_codes(call, batch, config, count)


async def _must_last(call: Call, row: CampaignRow, data: VoucherInCampaign) -> None:
    """Raise `ApiError` 400 for cards of a campaign that is over, unless they get an end of their own or with their
    publication.
    """
    if data.expiration_date is UNSET and row.activity_duration_after_publishing is None:
        await must_last(call.db, row.body)


async def add_code(call: Call, campaign: str, code: str, data: VoucherInCampaign) -> Voucher:
    """Make one chosen code for a campaign. Raises `ApiError` 400, 404, 409 when it is taken."""
    row = await find_locked(call, campaign)
    check_codes(row)
    await _must_last(call, row, data)
    config = read_config(row.voucher.get("code_config"))
    return await add_to_campaign(call, row.id, row.body, data, code, config)
