"""What the redeemables of a request turn out to be: vouchers, promotion tiers, the tiers of a stack, or nothing."""

from typing import Any

from msgspec import Struct

from guerdon.definitions.snapshot import Snapshot, Tier
from guerdon.engine import Redeemable, Terms
from guerdon.engine.rule import RuleSet
from guerdon.engine.situation import Category
from guerdon.redemptions.shapes import RedeemableIn
from guerdon.vouchers.locked import Voucher

ITEM_RULES = ("order.items", "product.", "sku.")


class Ruled(Struct, gc=False):
    """The rules that a redeemable stands under, and what its redemptions are counted for."""

    rules: tuple[RuleSet, ...]
    limits: frozenset[str]
    epoch: int
    campaign_epoch: int


class Candidate(Struct, gc=False):
    """One thing asked for. `place` is its place in the request; tiers of a stack share their stack's. Of a loyalty card
    `paid` is what its points pay with, and `points` what is on it where nothing is asked.
    """

    asked: RedeemableIn
    place: int
    redeemable: Redeemable
    voucher: Voucher | None = None
    tier: Tier | None = None
    paid: Any = None
    points: int | None = None


NO_RULES = Ruled((), frozenset(), 0, 0)


def ruled_voucher(snapshot: Snapshot, voucher: Voucher) -> Ruled:
    """A voucher's own rules, then its campaign's."""
    campaign = voucher.campaign_id
    if voucher.rule_ids is None and (campaign is None or not snapshot.rules):
        return NO_RULES
    own = tuple(snapshot.rules[name] for name in voucher.rule_ids or () if name in snapshot.rules)
    return _ruled(snapshot, own + snapshot.rules_of(campaign), campaign, voucher.epoch or 0)


def ruled_tier(snapshot: Snapshot, tier: Tier) -> Ruled:
    """A tier's own rules, then its campaign's."""
    rules = snapshot.rules_of(tier.id, tier.campaign_id)
    return _ruled(snapshot, rules, tier.campaign_id, snapshot.epochs.get(tier.id, 0))


def ruled_gone(snapshot: Snapshot, campaign_id: str | None) -> Ruled:
    """What redemptions of something that was deleted still count for."""
    return _ruled(snapshot, (), campaign_id, 0)


def _ruled(snapshot: Snapshot, rules: tuple[RuleSet, ...], campaign: str | None, epoch: int) -> Ruled:
    counted = frozenset() if campaign is None else snapshot.counted(campaign)
    if not rules and not counted:
        return NO_RULES
    limits = counted.union(*(one.limits for one in rules))
    return Ruled(rules, limits, epoch, snapshot.epochs.get(campaign or "", 0))


def voucher_candidate(
    snapshot: Snapshot, asked: RedeemableIn, place: int, voucher: Voucher, ruled: Ruled, held: int
) -> Candidate:
    """A code. `held` is how many of its uses the sessions of others hold."""
    assert voucher.kept is not None
    own = voucher.category_id or voucher.kept.body.get("category_id")
    category_id = own or voucher.campaign_category_id
    redeemable = Redeemable(
        id=asked.id,
        key=voucher.id,
        name=voucher.campaign_name,
        campaign_id=voucher.campaign_id,
        terms=voucher.kept.terms,
        active=voucher.active,
        campaign_active=voucher.campaign_active,
        redeemed_quantity=voucher.redeemed_quantity + held,
        rules=ruled.rules,
        limits=ruled.limits,
        epoch=ruled.epoch,
        campaign_epoch=ruled.campaign_epoch,
        category=None if category_id is None else _category(snapshot, category_id),
        metadata=voucher.metadata,
        holder_id=voucher.holder_id,
        published_count=voucher.published_count,
        limit_policy=voucher.limit_policy or "STRICT",  # type: ignore[arg-type]
    )
    return Candidate(asked, place, redeemable, voucher)


def tier_candidate(snapshot: Snapshot, asked: RedeemableIn, place: int, tier: Tier) -> Candidate:
    """A promotion tier, under its campaign's windows as well as under its own."""
    campaign = snapshot.campaigns.get(tier.campaign_id)
    ruled = ruled_tier(snapshot, tier)
    category_id = tier.category_id or (campaign.category_id if campaign else None)
    redeemable = Redeemable(
        id=tier.id,
        object="promotion_tier",
        key=tier.id,
        name=tier.name,
        campaign_id=tier.campaign_id,
        found=campaign is not None,
        terms=tier.terms if campaign is None else within(tier.terms, campaign.terms),
        active=tier.active,
        campaign_active=campaign is not None and campaign.active,
        rules=ruled.rules,
        limits=ruled.limits,
        epoch=ruled.epoch,
        campaign_epoch=ruled.campaign_epoch,
        category=None if category_id is None else _category(snapshot, category_id),
        metadata=tier.metadata,
        limit_policy="STRICT" if campaign is None else campaign.limit_policy,
    )
    return Candidate(asked, place, redeemable, tier=tier)


def _category(snapshot: Snapshot, category_id: str) -> Category:
    return snapshot.categories.get(category_id) or Category(id=category_id, name=category_id)


def within(terms: Terms, campaign: Terms) -> Terms:
    """A tier's terms, no wider than its campaign's; recurring windows are the tier's where it has any."""
    starts = [date for date in (terms.start_date, campaign.start_date) if date is not None]
    ends = [date for date in (terms.expiration_date, campaign.expiration_date) if date is not None]
    recurring = any((campaign.validity_timeframe, campaign.validity_day_of_week, campaign.validity_hours))
    if not (campaign.start_date or campaign.expiration_date or recurring):
        return terms
    own = any((terms.validity_timeframe, terms.validity_day_of_week, terms.validity_hours))
    windows = terms if own else campaign
    return Terms(
        discount=terms.discount,
        quantity=terms.quantity,
        start_date=max(starts, default=None),
        expiration_date=min(ends, default=None),
        validity_timeframe=windows.validity_timeframe,
        validity_day_of_week=windows.validity_day_of_week,
        validity_hours=windows.validity_hours,
    )


def candidates(
    snapshot: Snapshot,
    asked: RedeemableIn,
    place: int,
    voucher: Voucher | None,
    ruled: Ruled,
    held: int,
) -> list[Candidate]:
    """What one redeemable of a request stands for; several for a stack of promotions."""
    match asked.object:
        case "voucher":
            if voucher is not None and voucher.kept is not None:
                return [voucher_candidate(snapshot, asked, place, voucher, ruled, held)]
        case "promotion_tier":
            tier = snapshot.tiers.get(asked.id)
            if tier is not None:
                return [tier_candidate(snapshot, asked, place, tier)]
            return [Candidate(asked, place, Redeemable(id=asked.id, object="promotion_tier", found=False))]
        case "promotion_stack":
            stack = snapshot.stacks.get(asked.id)
            if stack is not None:
                found = (snapshot.tiers.get(name) for name in stack.tiers)
                return [tier_candidate(snapshot, asked, place, tier) for tier in found if tier is not None]
            return [Candidate(asked, place, Redeemable(id=asked.id, object="promotion_tier", found=False))]
    return [Candidate(asked, place, Redeemable(id=asked.id, found=False))]


def needs_situation(candidate: Candidate) -> bool:
    """Whether anything about it looks further than the order's amounts and the clock."""
    redeemable = candidate.redeemable
    discount = None if redeemable.terms is None else redeemable.terms.discount
    return bool(redeemable.rules or redeemable.limits or (discount is not None and discount.is_dynamic))


def asks_items(rules: tuple[RuleSet, ...]) -> bool:
    """Whether rules look at which products the lines are, so that what is stored about them is wanted."""
    return any(
        one.scope is not None
        or one.bundle is not None
        or any(condition.name.startswith(ITEM_RULES) for condition in one.conditions.values())
        for one in rules
    )
