"""How several redeemables of one request work together. One set a project; every field is echoed."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from guerdon.engine.checks import Redeemable
from guerdon.engine.reasons import Reason
from guerdon.engine.situation import Category

UpTo30 = Annotated[int, Meta(ge=1, le=30)]
UpTo5 = Annotated[int, Meta(ge=1, le=5)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class StackingRules(Struct, kw_only=True, frozen=True):
    """Limits and modes, all in force. Categories are named by their ids; ``margin_floor_percent`` is the share
    of the order's initial amount below which no discount may bring it. The rules about ``cards`` are for those that
    pay with what they hold: which of them goes first, and whether all else goes before them.
    """

    redeemables_limit: UpTo30 = 30
    applicable_redeemables_limit: UpTo30 = 5
    applicable_redeemables_per_category_limit: UpTo30 | None = 1
    applicable_redeemables_category_limits: dict[str, UpTo30] = field(default_factory=dict)
    applicable_exclusive_redeemables_limit: UpTo5 = 1
    applicable_exclusive_redeemables_per_category_limit: UpTo30 | None = 1
    exclusive_categories: list[str] = field(default_factory=list)
    joint_categories: list[str] = field(default_factory=list)
    redeemables_application_mode: Literal["ALL", "PARTIAL"] = "ALL"
    redeemables_sorting_rule: Literal["REQUESTED_ORDER", "CATEGORY_HIERARCHY", "BEST_DEAL"] = (
        "REQUESTED_ORDER"
    )
    grouped_redeemables_sorting_rule: Literal["JOINT_ALWAYS_LAST", "SORTED_TOGETHER"] = "JOINT_ALWAYS_LAST"
    redeemables_products_application_mode: Literal["STACK", "ONCE"] = "STACK"
    discount_calculation_mode: Literal["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"] = "DISCOUNTED_AMOUNT"
    initial_amount_mode_categories: list[str] = field(default_factory=list)
    discounted_amount_mode_categories: list[str] = field(default_factory=list)
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"] = "REDEEM_ANYWAY"
    no_effect_skip_categories: list[str] = field(default_factory=list)
    no_effect_redeem_anyway_categories: list[str] = field(default_factory=list)
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"] = "WITH_ORDER"
    margin_floor_percent: Percent = 0
    cards_sorting_rule: Literal["REQUESTED_ORDER", "SOONEST_EXPIRING", "SMALLEST_BALANCE"] = "REQUESTED_ORDER"
    cards_always_last: bool = False

    def group_of(self, category: Category | None) -> "Group":
        """How redeemables of the category go with others. What is named in both lists is exclusive."""
        if category is None:
            return "common"
        if category.id in self.exclusive_categories:
            return "exclusive"
        return "joint" if category.id in self.joint_categories else "common"

    def of_initial(self, category: Category | None) -> bool:
        """Whether percentages are taken of the amounts before any discount; the category's list goes first."""
        if category is not None:
            if category.id in self.initial_amount_mode_categories:
                return True
            if category.id in self.discounted_amount_mode_categories:
                return False
        return self.discount_calculation_mode == "INITIAL_AMOUNT"

    def skips_no_effect(self, category: Category | None) -> bool:
        """Whether what would change nothing is left out; the category's list goes first."""
        if category is not None:
            if category.id in self.no_effect_skip_categories:
                return True
            if category.id in self.no_effect_redeem_anyway_categories:
                return False
        return self.redeemables_no_effect_rule == "SKIP"

    def most_of(self, category: Category) -> int | None:
        """How many redeemables of the category may apply together; None without limit."""
        own = self.applicable_redeemables_category_limits.get(category.id)
        if self.group_of(category) != "exclusive":
            return self.applicable_redeemables_per_category_limit if own is None else own
        whole = self.applicable_exclusive_redeemables_per_category_limit
        return own if whole is None else whole if own is None else min(own, whole)


Group = Literal["exclusive", "common", "joint"]
DEFAULT_STACKING = StackingRules()
LAST = 9
"""The round after all others."""


class Hindrance(Struct, frozen=True):
    """Why one more redeemable may not join those that apply: the setting, its value, and what is there."""

    reason: Reason
    setting: str
    asked: object
    seen: object


class Company(Struct, gc=False):
    """Who applies already, as far as limits ask: how many, how many exclusive ones, how many of each category."""

    count: int = 0
    exclusive: int = 0
    by_category: dict[str, int] = {}

    def with_(self, redeemable: Redeemable, stacking: StackingRules) -> "Company":
        """The company with one more; this one stays as it is."""
        wider = Company(self.count, self.exclusive, self.by_category)
        wider.add(redeemable, stacking)
        return wider

    def add(self, redeemable: Redeemable, stacking: StackingRules) -> None:
        """One more applies."""
        self.count += 1
        category = redeemable.category
        if category is not None:
            self.exclusive += stacking.group_of(category) == "exclusive"
            there = self.by_category.get(category.id, 0)
            # A new one, since companies that came of this one share it.
            self.by_category = {**self.by_category, category.id: there + 1}

    def keeps_out(self, redeemable: Redeemable, stacking: StackingRules) -> Hindrance | None:
        """What stands in the way of one more, exclusion before limits, the narrower of two limits last."""
        category = redeemable.category
        group = "common" if category is None else stacking.group_of(category)
        if group == "common" and self.exclusive:
            return Hindrance(Reason.EXCLUSION_RULES_NOT_MET, "exclusive_categories", 0, self.exclusive)
        if self.count >= (most := stacking.applicable_redeemables_limit):
            return Hindrance(
                Reason.APPLICABLE_LIMIT_EXCEEDED, "applicable_redeemables_limit", most, self.count
            )
        if category is None:
            return None
        if group == "exclusive" and self.exclusive >= (
            most := stacking.applicable_exclusive_redeemables_limit
        ):
            return Hindrance(
                Reason.EXCLUSIVE_LIMIT_EXCEEDED,
                "applicable_exclusive_redeemables_limit",
                most,
                self.exclusive,
            )
        there, most = self.by_category.get(category.id, 0), stacking.most_of(category)
        if most is None or there < most:
            return None
        if group == "exclusive":
            reason = Reason.EXCLUSIVE_PER_CATEGORY_LIMIT_EXCEEDED
        else:
            reason = Reason.PER_CATEGORY_LIMIT_EXCEEDED
        return Hindrance(reason, reason.key.removesuffix("_exceeded"), most, there)


def ranked(redeemables: Sequence[Redeemable], stacking: StackingRules) -> list[int]:
    """The places of the redeemables in the order in which they are taken up.

    Exclusive ones first, since they decide about the others; joint ones last, or sorted in with the rest;
    within that by their categories' hierarchy if it is asked for (those without a category after all others),
    and as requested.
    """
    places = list(range(len(redeemables)))
    cards = False
    for redeemable in redeemables:
        if redeemable.category is not None:
            break
        cards = cards or redeemable.card is not None
    else:
        if not cards:
            return places
    ranks = ranks_of(redeemables, stacking)
    by_hierarchy = stacking.redeemables_sorting_rule == "CATEGORY_HIERARCHY"

    def key(place: int) -> tuple[int, int, int]:
        category = redeemables[place].category
        hierarchy = 0
        if by_hierarchy:
            hierarchy = 2**31 if category is None else category.hierarchy
        return ranks[place], hierarchy, place

    return _cards_sorted(sorted(places, key=key), redeemables, ranks, stacking)


def _cards_sorted(
    places: list[int], redeemables: Sequence[Redeemable], ranks: Sequence[int], stacking: StackingRules
) -> list[int]:
    """The same order, in which the cards of each round stand among themselves as their own rule says."""
    if stacking.cards_sorting_rule == "REQUESTED_ORDER":
        return places
    slots = [slot for slot, place in enumerate(places) if redeemables[place].card is not None]
    by_worth = stacking.cards_sorting_rule == "SMALLEST_BALANCE"

    def key(place: int) -> tuple[int, int, float, int]:
        card = redeemables[place].card
        assert card is not None
        ends = math.inf if card.ends is None else card.ends.timestamp()
        return ranks[place], card.available if by_worth else 0, ends, card.available

    taken = sorted((places[slot] for slot in slots), key=key)
    for slot, place in zip(slots, taken, strict=True):
        places[slot] = place
    return places


def ranks_of(redeemables: Sequence[Redeemable], stacking: StackingRules) -> list[int]:
    """For each redeemable, in which round its group is taken up: a lower one is always before a higher one."""
    groups = [stacking.group_of(redeemable.category) for redeemable in redeemables]
    if stacking.grouped_redeemables_sorting_rule == "JOINT_ALWAYS_LAST":
        rounds = {"exclusive": 0, "common": 1, "joint": 2}
    else:
        joint = 0 if "exclusive" in groups else 1
        rounds = {"exclusive": 0, "common": 1, "joint": joint}
    if stacking.cards_always_last:
        # Exclusive ones still decide about all others, so they stay first.
        return [
            rounds[group] if redeemable.card is None or group == "exclusive" else LAST
            for group, redeemable in zip(groups, redeemables, strict=True)
        ]
    return [rounds[group] for group in groups]
