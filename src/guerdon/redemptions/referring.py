"""Referral codes in validations and redemptions: who may have them, and who was referred."""

from collections.abc import Sequence
from typing import Any

from guerdon.kit import db
from guerdon.redemptions.asks import RedeemAsk
from guerdon.referrals import screen
from guerdon.referrals.record import Referred
from guerdon.referrals.screen import Person, Refusal

PAID = ("PAID", "FULFILLED")


async def gather(conn: db.Db, seen: Any, asks: Sequence[RedeemAsk]) -> None:
    """Read what is to be known of the referral codes of a batch, if it has any."""
    codes = [voucher.id for voucher in seen.vouchers.values() if voucher.is_referral_code]
    if codes and asks:
        known = [seen.customers.find(ask.customer) for ask in asks]
        seen.referring = await screen.gather(
            conn, seen.project_id, codes, [one.id for one in known if one is not None]
        )


def refusal(seen: Any, ask: RedeemAsk, voucher: Any) -> Refusal | None:
    """Why the customer of a request may not have a referral code."""
    return seen.referring.refusal(voucher.id, voucher.code, _person(seen, ask))


def _person(seen: Any, ask: RedeemAsk) -> Person | None:
    """Whoever asks: as stored and as said, since either may be the referrer's."""
    said, known = ask.customer, seen.customers.find(ask.customer)
    if said is None or (known is None and not said.source_id):
        return None
    return Person(
        id=None if known is None else known.id,
        emails=(said.email, known and known.email),
        phones=(said.phone, known and known.phone),
        country=(said.address or {}).get("country")
        or seen.referring.countries.get(known.id if known else ""),
    )


def referrer_of(seen: Any, found: Sequence[Any]) -> str | None:
    """Who referred the customer, by the codes of a request; the first of them, if several."""
    if seen.referring is not None:
        for one in found:
            code = None if one.voucher is None else seen.referring.codes.get(one.voucher.id)
            if code is not None and code.holder_id is not None:
                return code.holder_id
    return None


def note(seen: Any, writes: Any, ask: RedeemAsk, voucher: Any, row: Any, final: Any) -> None:
    """Note whom a redemption refers."""
    if seen.referring is None or voucher is None:
        return
    code = seen.referring.codes.get(voucher.id)
    if code is None or code.holder_id is None or row.customer_id is None:
        return
    order = None if final is None else final.order
    writes.referred.append(
        Referred(
            campaign_id=code.campaign_id,
            voucher_id=voucher.id,
            referrer_id=code.holder_id,
            referee_id=row.customer_id,
            redemption_id=row.id,
            order_id=None if order is None else order.id,
            worth=order.amount if order is not None and order.status in PAID else None,
            converted=code.program.conversion_event_type == "redemption",
            request_id=ask.request_id,
        )
    )
