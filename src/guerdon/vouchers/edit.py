"""Changing one voucher. An edit of what it promises gives it terms of its own: from then on it no longer follows
its campaign. Switching it on and off, its texts and its metadata leave the terms alone."""

from msgspec import UNSET

from guerdon.definitions.waiting import tell_card_gone
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import closing, sales
from guerdon.schemas.check import checked
from guerdon.validation_rules.assign import forget
from guerdon.vouchers import store
from guerdon.vouchers.category import settle
from guerdon.vouchers.requests import VoucherChange
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.terms import merge, quantity_of
from guerdon.vouchers.value import is_on_sale, no_pin, type_of


async def find_locked(call: Call, code: str) -> store.VoucherWithTerms:
    """The voucher behind a code or id, ours until the transaction ends. Raises `ApiError` 404."""
    found = await store.find(call.db, call.project_id, code, call.caller.case_sensitive_codes, lock=True)
    if found is None:
        raise not_found("voucher", code)
    return found


async def change(call: Call, code: str, data: VoucherChange) -> Voucher:
    """Apply an edit. Raises `ApiError` 400 (`invalid_voucher` for another type of discount, `voucher_disabled`
    for a card that nobody bought and that is to be switched on), 404.
    """
    voucher = await find_locked(call, code)
    type_of(voucher.type, data.gift, data.loyalty_card, data.discount)
    if data.type not in (None, voucher.type):
        raise invalid_payload(Fault("type", f"is {voucher.type} and stays so"), key="invalid_voucher")
    _same_amount(voucher, data)
    no_pin(data.gift, "")
    if data.says_terms() or data.gift is not None:
        body = merge(voucher.body, data, call.caller.zone, discount=data.discount, limit=data.redemption)
        if data.gift is not None and data.gift.effect is not None:
            body["gift"] = body["gift"] | {"effect": data.gift.effect}
        body = await settle(call.db, call.project_id, data, body)
        voucher.body = body
        voucher.quantity = quantity_of(body)
        voucher.terms_id = await store.insert_terms(call.db, call.project_id, body)
        if data.category is not UNSET or data.category_id is not UNSET:
            voucher.category, voucher.category_id = None, None  # what an import said stands beside the terms
        if voucher.quantity is not None and voucher.quantity < voucher.redeemed_quantity:
            raise invalid_payload(
                Fault("redemption.quantity", f"has been redeemed {voucher.redeemed_quantity} times already"),
                key="invalid_voucher",
                message="Invalid voucher",
            )
    if data.additional_info is not UNSET:
        voucher.additional_info = data.additional_info
    if data.active is not None:
        await _check_sold(call, voucher, data.active)
        voucher.active = data.active
    if data.metadata is not None:
        voucher.metadata = voucher.metadata | data.metadata
        await checked(call.db, call.project_id, "voucher", voucher.metadata, said=data.metadata)
    await store.update(call.db, call.project_id, voucher)
    return await _told(call, voucher, "voucher.updated")


def _same_amount(voucher: store.VoucherWithTerms, data: VoucherChange) -> None:
    """What a card was issued with is in the books; more or less goes onto it by its balance."""
    for name, said in (
        ("gift.amount", data.gift and data.gift.amount),
        ("loyalty_card.points", data.loyalty_card and data.loyalty_card.points),
    ):
        kept, field = name.split(".")
        if said is not None and said != (voucher.body.get(kept) or {}).get(field):
            raise invalid_payload(
                Fault(
                    name, "what a card began with stays; POST /v1/vouchers/{code}/balance adds and takes away"
                )
            )


async def switch(call: Call, code: str, active: bool) -> Voucher:
    """Turn a voucher on or off. Raises `ApiError` 404, 400 `voucher_disabled` for a card that nobody bought."""
    voucher = await find_locked(call, code)
    await _check_sold(call, voucher, active)
    await store.set_active(call.db, call.project_id, voucher.id, active)
    return await _told(call, voucher, "voucher.enabled" if active else "voucher.disabled")


async def _check_sold(call: Call, voucher: store.VoucherWithTerms, active: bool) -> None:
    """Raise `ApiError` 400 where a card that nobody bought is to be switched on."""
    if active and is_on_sale(voucher.body):
        for why in (await sales.unsold(call.db, call.project_id, (voucher.id,))).values():
            raise sales.refusal(why, voucher.id)


async def remove(call: Call, code: str, force: bool) -> None:
    """Put a voucher into the bin, where its code stays taken, or erase it. Raises `ApiError` 404.

    With `force` a voucher that lies in the bin is found too. What is on a card is taken off the books first.
    The member whose loyalty card it is leaves the program; 400 ``resource_in_use`` for a member who has other cards.
    """
    known = await store.find_any(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if force and known is not None:
        # Before the voucher's row is locked: batches hold the definitions still when they come to lock vouchers.
        await forget(call.db, call.project_id, [known], request_id=call.request_id)
    voucher = await store.find(call.db, call.project_id, code, call.caller.case_sensitive_codes, lock=True)
    if voucher is None:
        if not force or known is None:
            raise not_found("voucher", code)
        await store.remove(call.db, call.project_id, known, force=True)
        return
    if voucher.type == "LOYALTY_CARD":
        if await store.beside_others(call.db, call.project_id, voucher.id):
            raise _beside_others(voucher)
        await tell_card_gone(call.db, call.project_id, voucher.id)
    if voucher.type != "DISCOUNT_VOUCHER":
        entries = await closing.take_off(call.conn, call.project_id, (voucher.id,))
        await emit(call.db, call.project_id, closing.news(entries), call.request_id)
    await store.remove(call.db, call.project_id, voucher.id, force)
    if voucher.campaign_id is not None:
        await store.count_in_campaign(call.db, call.project_id, voucher.campaign_id, -1)
    event = Event(
        "voucher.deleted", voucher.id, data={"code": voucher.code, "campaign_id": voucher.campaign_id}
    )
    await emit(call.db, call.project_id, [event], call.request_id)


def _beside_others(voucher: store.VoucherWithTerms) -> ApiError:
    return ApiError(
        400, "resource_in_use", "Resource in use",
        "The card is one of several that a member of a loyalty program has. Delete the member, and all cards go.",
        resource_id=voucher.id, resource_type="voucher",
    )  # fmt: skip


async def _told(call: Call, voucher: store.VoucherWithTerms, event: str) -> Voucher:
    await emit(call.db, call.project_id, [Event(event, voucher.id)], call.request_id)
    changed = await store.find(call.db, call.project_id, voucher.id, call.caller.case_sensitive_codes)
    assert changed is not None
    return (await store.with_rules(call.db, call.project_id, [changed.answer()]))[0]
