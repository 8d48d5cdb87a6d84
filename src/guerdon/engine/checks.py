"""The checks a redeemable passes before its discount is reckoned, in their order of precedence."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.reasons import Reason
from guerdon.engine.terms import Terms
from guerdon.engine.trace import Trace, note_check
from guerdon.engine.window import check_times


class Redeemable(Struct, kw_only=True, gc=False):
    """One thing asked for, with the facts about it as seen under lock. ``id`` is what the caller wrote.

    ``redeemed_quantity`` counts redemptions (and locks held by others) so far. A campaign's own dates are
    copied into ``terms`` by whoever gathers the facts.
    """

    id: str
    object: Literal["voucher"] = "voucher"
    found: bool = True
    terms: Terms | None = None
    active: bool = True
    campaign_active: bool = True
    redeemed_quantity: int = 0


Refusal = tuple[Reason, str | None]


def first_refusal(redeemable: Redeemable, now: datetime, zone: ZoneInfo, trace: Trace) -> Refusal | None:
    """The first reason not to accept the redeemable, with details, or None. Fills ``trace`` if given."""
    terms = redeemable.terms
    found = redeemable.found and terms is not None
    if trace is not None:
        note_check(trace, "exists", redeemable.id, found, found)
    if not found or terms is None:
        return Reason.NOT_FOUND, f"This project has no voucher {redeemable.id!r}"
    if trace is not None:
        note_check(trace, "voucher_active", True, redeemable.active, redeemable.active)
    if not redeemable.active:
        return Reason.VOUCHER_DISABLED, redeemable.id
    if trace is not None:
        note_check(trace, "campaign_active", True, redeemable.campaign_active, redeemable.campaign_active)
    if not redeemable.campaign_active:
        return Reason.CAMPAIGN_DISABLED, redeemable.id
    reason = check_times(terms, now, zone, trace)
    if reason is not None:
        return reason, redeemable.id
    quantity, used = terms.quantity, redeemable.redeemed_quantity
    if trace is not None:
        note_check(trace, "redemptions_left", quantity, used, quantity is None or used < quantity)
    if quantity is not None and used >= quantity:
        return Reason.QUANTITY_EXCEEDED, redeemable.id
    return None
