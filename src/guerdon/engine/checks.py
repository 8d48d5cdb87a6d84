"""The checks a redeemable passes before its discount is reckoned, in their order of precedence."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from guerdon.engine.reasons import Reason
from guerdon.engine.situation import Category
from guerdon.engine.terms import Terms
from guerdon.engine.trace import Trace, note_check
from guerdon.engine.window import check_times

if TYPE_CHECKING:
    from guerdon.engine.rule import RuleSet

LimitPolicy = Literal["STRICT", "LAST_IN_FULL", "PARTIAL"]


class OnCard(Struct, frozen=True, gc=False):
    """What is asked of a card (None: as much as the order takes) and what it has to give, in minor units or points.
    ``unit`` tells which. ``sold`` is False as long as nobody bought the card; ``ends`` is when the first of what it
    holds lapses.
    """

    asked: int | None
    available: int
    unit: Literal["credits", "points"] = "credits"
    sold: bool = True
    ends: datetime | None = None


class Redeemable(Struct, kw_only=True, gc=False):
    """One thing asked for, with the facts about it as seen under lock. ``id`` is what the caller wrote.

    ``redeemed_quantity`` counts redemptions (and locks held by others) so far. A campaign's own dates are
    copied into ``terms`` by whoever gathers the facts. ``key`` is its own id, under which tallies are kept;
    ``rules`` must all hold, its own stand before its campaign's; ``limit_policy`` says what the last redemption
    gets that reaches a budget. ``limits`` names what its redemptions are counted for (engine/tally.py), by its own
    rules or by others of its campaign; the epochs tell since when, for itself and for its campaign. ``keyed`` may
    hold the tallies' keys by those names, for the one request that this is about. ``refused`` is why this customer may
    not have it, whatever its terms say: a referrer's own code.
    """

    id: str
    object: Literal["voucher", "promotion_tier"] = "voucher"
    key: str = ""
    name: str | None = None
    campaign_id: str | None = None
    rules: "tuple[RuleSet, ...]" = ()
    category: Category | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    holder_id: str | None = None
    published_count: int = 0
    publication_metadata: dict[str, Any] | None = None
    limit_policy: LimitPolicy = "STRICT"
    limits: frozenset[str] = frozenset()
    epoch: int = 0
    campaign_epoch: int = 0
    keyed: dict[str, str | None] | None = None
    found: bool = True
    terms: Terms | None = None
    active: bool = True
    campaign_active: bool = True
    redeemed_quantity: int = 0
    card: OnCard | None = None
    refused: "Refusal | None" = None


Refusal = tuple[Reason, str | None]


_OF_REFUSALS = {
    Reason.MISSING_REWARD: "reward",
    Reason.NO_REWARD: "reward",
    Reason.NOT_HELD: "holder",
    Reason.CAMPAIGN_DISABLED: "campaign_active",
    Reason.MISSING_ORDER: "order",
}
"""What was checked where somebody else refused; else that it is the code of another referrer."""

# Promotions have keys of their own for what vouchers are refused for.
_OF_TIERS = {
    Reason.VOUCHER_DISABLED: Reason.PROMOTION_DISABLED,
    Reason.CAMPAIGN_DISABLED: Reason.PROMOTION_CAMPAIGN_DISABLED,
    Reason.VOUCHER_NOT_ACTIVE: Reason.PROMOTION_NOT_STARTED,
    Reason.VOUCHER_EXPIRED: Reason.PROMOTION_EXPIRED,
    Reason.VOUCHER_NOT_ACTIVE_NOW: Reason.PROMOTION_NOT_ACTIVE_NOW,
}


def first_refusal(redeemable: Redeemable, now: datetime, zone: ZoneInfo, trace: Trace) -> Refusal | None:
    """The first reason not to accept the redeemable, with details, or None. Fills ``trace`` if given."""
    terms = redeemable.terms
    found = redeemable.found and terms is not None
    if trace is not None:
        note_check(trace, "exists", redeemable.id, found, found)
    if not found or terms is None:
        kind = "voucher" if redeemable.object == "voucher" else "promotion tier"
        return Reason.NOT_FOUND, f"This project has no {kind} {redeemable.id!r}"
    unsold = redeemable.card is not None and not redeemable.card.sold
    if trace is not None:
        name = "voucher_active" if redeemable.object == "voucher" else "promotion_active"
        active = redeemable.active and not unsold
        note_check(trace, name, True, active, active)
    if unsold:
        return Reason.VOUCHER_DISABLED, f"{redeemable.id} was never sold: nothing is on it yet"
    if not redeemable.active:
        return _said(redeemable, Reason.VOUCHER_DISABLED)
    if trace is not None:
        note_check(trace, "campaign_active", True, redeemable.campaign_active, redeemable.campaign_active)
    if not redeemable.campaign_active:
        return _said(redeemable, Reason.CAMPAIGN_DISABLED)
    reason = check_times(terms, now, zone, trace)
    if reason is not None:
        return _said(redeemable, reason)
    quantity, used = terms.quantity, redeemable.redeemed_quantity
    if trace is not None:
        note_check(trace, "redemptions_left", quantity, used, quantity is None or used < quantity)
    if quantity is not None and used >= quantity:
        return _said(redeemable, Reason.QUANTITY_EXCEEDED)
    if redeemable.refused is not None:
        if trace is not None:
            note_check(trace, _OF_REFUSALS.get(redeemable.refused[0], "referral"), True, False, False)
        return redeemable.refused
    return None if redeemable.card is None else _short(redeemable.card, redeemable.id, trace)


def _short(card: OnCard, name: str, trace: Trace) -> Refusal | None:
    """The refusal of a card that has less than is asked of it, or nothing."""
    asked = 1 if card.asked is None else card.asked
    if trace is not None:
        note_check(trace, f"{card.unit}_left", asked, card.available, card.available >= asked)
    if card.available >= asked:
        return None
    if card.unit == "points":
        return (
            Reason.POINTS_EXCEEDED,
            f"{card.available} points are left on {name}, and {asked} are asked for",
        )
    if not card.available:
        return Reason.GIFT_AMOUNT_EXCEEDED, f"Nothing is left on {name}"
    return Reason.GIFT_AMOUNT_EXCEEDED, f"{card.available} is left on {name}, and {asked} is asked for"


def _said(redeemable: Redeemable, reason: Reason) -> Refusal:
    return reason if redeemable.object == "voucher" else _OF_TIERS.get(reason, reason), redeemable.id
