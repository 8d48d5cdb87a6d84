"""Making one voucher: alone in the world, or one more code of a campaign."""

from typing import Any

from guerdon.engine.codes import CodeConfig
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, duplicate, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import pins, sales
from guerdon.schemas.check import checked
from guerdon.validation_rules.assign import assign_all
from guerdon.vouchers import store
from guerdon.vouchers.category import settle
from guerdon.vouchers.codes import check_code, check_room, long_enough, mint, read_config
from guerdon.vouchers.requests import VoucherFields, VoucherIn
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.terms import merge, quantity_of
from guerdon.vouchers.value import GiftIn, is_on_sale, kind_of, must_last, open_cards, type_of, value_of

DRAWS = 20
"""How many random codes are tried: in a space that is half full, twenty are taken once in a million times."""


async def issue(call: Call, data: VoucherIn, code: str | None) -> Voucher:
    """Make a voucher under `code`, or under a random one.

    Raises `ApiError` 400, 404 for an unknown campaign or category, 409 when the code is taken.
    """
    config = read_config(data.code_config)
    campaign = await _generic_campaign(call, data)
    if campaign is not None:
        voucher = await add_to_campaign(call, campaign.id, campaign.body, data, code, config)
    else:
        voucher = await _alone(call, data, code, config)
    if not data.validation_rules:
        return voucher
    await assign_all(
        call.db, call.project_id, data.validation_rules, voucher.id, "voucher", request_id=call.request_id
    )
    return (await store.with_rules(call.db, call.project_id, [voucher]))[0]


async def _alone(call: Call, data: VoucherIn, code: str | None, config: CodeConfig) -> Voucher:
    kind = type_of(data.type, data.gift, data.loyalty_card, data.discount)
    if kind == "LOYALTY_CARD":
        raise invalid_payload(Fault("campaign_id", "a loyalty card belongs to a loyalty program"))
    if kind == "DISCOUNT_VOUCHER" and data.discount is None:
        raise invalid_payload(Fault("discount", "a discount voucher needs its discount"))
    body = merge({}, data, call.caller.zone, discount=data.discount, limit=data.redemption)
    body |= value_of(kind, data.gift, data.loyalty_card)
    await must_last(call.db, body)
    config = long_enough(config, kind)
    body = await settle(call.db, call.project_id, data, body)
    return await _write(call, None, body, data, code, config, body)


async def add_to_campaign(
    call: Call,
    campaign_id: str,
    campaign_body: dict[str, Any],
    data: VoucherFields,
    code: str | None,
    config: CodeConfig,
) -> Voucher:
    """Make one more code of a campaign. It follows the campaign's terms unless `data` says other ones."""
    kind = kind_of(campaign_body)
    type_of(kind, data.gift, data.loyalty_card, data.discount)
    body = None
    if data.says_terms():
        body = merge(campaign_body, data, call.caller.zone, discount=data.discount, limit=data.redemption)
        await must_last(call.db, body)
        body = await settle(call.db, call.project_id, data, body)
    begins = campaign_body
    if data.gift is not None or data.loyalty_card is not None:
        on_sale = is_on_sale(campaign_body)
        begins = campaign_body | value_of(kind, data.gift, data.loyalty_card, on_sale=on_sale)
        body = (body or campaign_body) | begins
    voucher = await _write(call, campaign_id, body, data, code, config, begins)
    if not await store.count_in_campaign(call.db, call.project_id, campaign_id, 1):
        raise not_found("campaign", campaign_id)
    return voucher


async def _write(
    call: Call,
    campaign_id: str | None,
    body: dict[str, Any] | None,
    data: VoucherFields,
    code: str | None,
    config: CodeConfig,
    begins: dict[str, Any],
) -> Voucher:
    await checked(call.db, call.project_id, "voucher", data.metadata)
    if data.active and is_on_sale(begins):
        raise sales.refusal(sales.WHY["AWAITED"], None)
    voucher = store.NewVoucher(
        id=new_id("voucher"),
        code="" if code is None else check_code(code),
        type=kind_of(begins),
        campaign_id=campaign_id,
        terms_id=None if body is None else await store.insert_terms(call.db, call.project_id, body),
        quantity=None if body is None else quantity_of(body),
        active=not is_on_sale(begins) if data.active is None else data.active,
        additional_info=data.additional_info or None,
        metadata=data.metadata or {},
    )
    await _insert(call, voucher, config)
    await open_cards(call.conn, call.project_id, campaign_id, [(voucher.id, begins)])
    event = "voucher.created" if campaign_id is None else "campaign.vouchers.aded"
    await emit(call.db, call.project_id, [Event(event, campaign_id or voucher.id)], call.request_id)
    made = await store.find(call.db, call.project_id, voucher.code, call.caller.case_sensitive_codes)
    assert made is not None and made.id == voucher.id
    pin = await _pin(call, voucher.id, data.gift)
    shown = (await store.with_rules(call.db, call.project_id, [made.answer()]))[0]
    if pin is not None and shown.gift is not None:
        shown.gift.pin = pin
    return shown


async def _pin(call: Call, card_id: str, gift: GiftIn | None) -> str | None:
    """Give a new card its PIN; the PIN if it was drawn here, to be told once."""
    if gift is None or not gift.pin:
        return None
    pin = pins.drawn() if gift.pin is True else str(gift.pin)
    await pins.keep(call.conn, call.project_id, card_id, pin)
    if gift.pin is not True:
        return None
    call.shown_once.append(pin)
    return pin


async def _insert(call: Call, voucher: store.NewVoucher, config: CodeConfig) -> None:
    case_sensitive = call.caller.case_sensitive_codes
    if voucher.code:
        if not await store.insert(call.db, call.project_id, voucher, case_sensitive):
            raise duplicate("voucher", voucher.code, "code")
        return
    check_room(config, 1, "code_config")
    for _ in range(DRAWS):
        for voucher.code in mint(config, 1):
            if await store.insert(call.db, call.project_id, voucher, case_sensitive):
                return
    raise invalid_payload(
        Fault("code_config", "nearly all codes it can make are taken"),
        key="invalid_code_config",
        message="Invalid code config",
    )


async def _generic_campaign(call: Call, data: VoucherIn) -> store.CampaignRef | None:
    named = data.campaign_id or data.campaign
    if named is None:
        return None
    campaign = await store.find_campaign(call.db, call.project_id, named)
    if campaign is None:
        raise not_found("campaign", named)
    if campaign.type != "STANDALONE":
        raise ApiError(
            400,
            "invalid_campaign",
            "Invalid campaign",
            f"The campaign is {campaign.type}: POST /v1/campaigns/{campaign.id}/vouchers adds codes to it. "
            "Here codes are added to STANDALONE campaigns only.",
        )
    return campaign
