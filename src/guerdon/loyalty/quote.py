"""Whether a member may have a reward, and for how many points: nothing is read or written here.

`quote` asks in this order: program, member, reward, how often it was bought, stock, price, the card's limits, points.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from guerdon.engine.checks import Redeemable, Refusal
from guerdon.engine.durations import move
from guerdon.engine.periods import Unit, around, local_day
from guerdon.engine.rule import RuleSet, check_rules
from guerdon.engine.situation import Person, Situation
from guerdon.engine.terms import Terms
from guerdon.engine.window import check_times
from guerdon.kit.errors import ApiError
from guerdon.loyalty.compiled import CardPolicy, Cost, Program, Reward
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place, shown_card
from guerdon.loyalty.purchases_store import Before
from guerdon.loyalty.sheet import Sheet


class Price(Struct):
    """So many points of a card, by one of the reward's costs."""

    card: CardRow
    points: int
    cost_id: str


class Facts(Struct):
    """What limits and rules go by: purchases by member and reward, points spent and kept by card, customers by id."""

    before: dict[tuple[str, str], Before] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)

    def note(self, member_id: str, reward_id: str, price: Price, now: datetime) -> None:
        """One more purchase, for those that are decided after it."""
        was = self.before.get((member_id, reward_id))
        self.before[member_id, reward_id] = Before(1 if was is None else was.count + 1, now)
        if price.points:
            self.spent[price.card.id] = self.spent.get(price.card.id, 0) + price.points


Asked = dict[tuple[str, str], datetime]


def dues(
    page: Sheet, wanted: Sequence[tuple[MemberRow, Program, Reward]]
) -> tuple[Asked, dict[str, datetime]]:
    """What has to be known for limits: of which members' rewards the purchases since when, of which cards the spending."""
    place = page.place
    asked: Asked = {}
    since: dict[str, datetime] = {}
    for member, program, reward in wanted:
        if reward.most_purchases is not None or reward.cooldown is not None:
            asked[member.id, reward.id] = place.now if reward.period is None else began(place, reward.period)
        for card in page.by_member.get(member.id, {}).values():
            policy = program.cards.get(card.definition_id)
            if policy is not None and policy.most_in_period is not None and policy.period is not None:
                since[card.id] = began(place, policy.period)
    return asked, since


def began(place: Place, unit: Unit) -> datetime:
    """When the present day, week, month, quarter or year began."""
    return around(unit, local_day(place.now, place.zone), place.week_start).starts(place.zone)


def quote(
    page: Sheet, facts: Facts, program: Program, reward: Reward, member: MemberRow, left: int | None
) -> Price | ApiError:
    """The price, or why the member may not have the reward (423). `left`: how many there are, None for no end."""
    refused = (
        program_refusal(program, page.place)
        or member_refusal(member)
        or _reward_refusal(reward, page.place)
        or _too_often(facts, reward, member, page.place)
    )
    if refused is not None:
        return refused
    if left is not None and left <= 0:
        return out_of_stock(reward)
    refused = _against_rules(page.place, facts.people.get(member.customer_id), program, reward, member)
    if refused is not None:
        return refused
    cost = matching(page.place, facts.people.get(member.customer_id), program, reward, member)
    if cost is None:
        return _locked(
            "no_matching_reward_cost",
            "No price for this member",
            "None of the reward's prices is for this member.",
            reward,
        )
    card = page.by_member.get(member.id, {}).get(cost.card)
    policy = program.cards.get(cost.card)
    if card is None or policy is None:
        return _locked("no_card", "No card to pay with", f"The member has no card of {cost.card!r}.", reward)
    price = Price(card, cost_of(program, reward, member, cost), cost.id)
    short = spending_refusal(page, facts, policy, card, price.points) or _short(
        page, facts, card, price.points
    )
    return price if short is None else short


def program_refusal(program: Program, place: Place) -> ApiError | None:
    """Why nothing can be had in a program now."""
    if not program.active:
        return ApiError(
            423, "non_active_program", "Invalid program status",
            f"The program is {program.status}; points can be spent while it is ACTIVE.",
            resource_id=program.id, resource_type="program",
        )  # fmt: skip
    if program.terms != Terms() and check_times(program.terms, place.now, place.zone) is not None:
        return ApiError(
            423, "program_outside_validity_window", "Program is not available at this time",
            "Points can be spent between the program's start and end, in its hours.",
            resource_id=program.id, resource_type="program",
        )  # fmt: skip
    return None


def member_refusal(member: MemberRow) -> ApiError | None:
    """Why a member may not spend."""
    if member.status == "ACTIVE":
        return None
    return ApiError(
        423, "non_active_member", "Invalid member status",
        f"The member is {member.status}; points can be spent by an ACTIVE one.",
        resource_id=member.id, resource_type="member",
    )  # fmt: skip


def _reward_refusal(reward: Reward, place: Place) -> ApiError | None:
    if not reward.active:
        return _locked("non_active_reward", "Invalid reward status", "The reward is not ACTIVE.", reward)
    if reward.terms != Terms() and check_times(reward.terms, place.now, place.zone) is not None:
        return _locked(
            "reward_outside_validity_window", "Reward is not available at this time",
            "It can be had between its start and end, in its hours.", reward,
        )  # fmt: skip
    return None


def _too_often(facts: Facts, reward: Reward, member: MemberRow, place: Place) -> ApiError | None:
    before = facts.before.get((member.id, reward.id))
    if before is None:
        return None
    if reward.cooldown is not None and place.now < move(before.last, reward.cooldown, place.zone):
        return _locked(
            "reward_cooldown", "Reward was purchased a short time ago",
            "The reward rests for a while after each purchase.", reward,
        )  # fmt: skip
    if reward.most_purchases is not None and before.count >= reward.most_purchases:
        return _locked(
            "reward_purchase_limit_exceeded", "Reward purchase limit exceeded",
            f"The member may have it {reward.most_purchases} times in this period.", reward,
        )  # fmt: skip
    return None


def out_of_stock(reward: Reward) -> ApiError:
    """There is none left."""
    return _locked(
        "reward_out_of_stock", "Cannot purchase reward when stock is not available",
        "Nothing is left of the reward.", reward,
    )  # fmt: skip


def rules_of(place: Place, reward: Reward) -> tuple[RuleSet, ...]:
    """The validation rules that were assigned to a reward's place in a program, and those of its prices."""
    own = place.snapshot.rules_of(reward.assignment_id or None)
    return (*own, *(cost.rules for cost in reward.costs if cost.rules is not None))


def _against_rules(
    place: Place, person: Person | None, program: Program, reward: Reward, member: MemberRow
) -> ApiError | None:
    own = place.snapshot.rules_of(reward.assignment_id or None)
    asks = _asking(place, person, program, member) if own else None
    for rules in own:
        assert asks is not None
        refusal = asks(rules)
        if refusal is not None:
            why = refusal[1] or refusal[0].message
            return _locked("reward_rules_violated", "The reward's rules do not hold", why, reward)
    return None


def matching(
    place: Place, person: Person | None, program: Program, reward: Reward, member: MemberRow
) -> Cost | None:
    """The first of the reward's prices that is for this member."""
    asks = _asking(place, person, program, member)
    return next((cost for cost in reward.costs if cost.rules is None or asks(cost.rules) is None), None)


def _asking(
    place: Place, person: Person | None, program: Program, member: MemberRow
) -> Callable[[RuleSet], Refusal | None]:
    """How rules judge a member. What they ask of the member's metadata stands where a redemption's does."""
    situation = Situation(
        now=place.now, zone=place.zone, week_start=place.week_start, customer=person, metadata=member.metadata,
        segments=place.snapshot.segments, exponent=place.exponent,
    )  # fmt: skip
    who = Redeemable(id=member.id, key=member.id, campaign_id=program.id, metadata=member.metadata)
    return lambda rules: check_rules(rules, who, situation, None, None)


def cost_of(program: Program, reward: Reward, member: MemberRow, cost: Cost) -> int:
    """The points of a price for the member's tier."""
    return program.price(reward, cost, member.tier_id)


def spending_refusal(
    page: Sheet, facts: Facts, policy: CardPolicy, card: CardRow, points: int
) -> ApiError | None:
    """Why a card may not spend so many points at once, or any more of them; `extra` has the figures."""
    account = page.account(card)
    if policy.most_at_once is not None and points > policy.most_at_once:
        why = f"at most {policy.most_at_once} points at once"
        told = {"type": "POINTS", "limit": policy.most_at_once}
        return _limit("transaction_spending_limit_exceeded", why, card, told)
    spent = account.redeemed - account.refunded + points
    if policy.most_spent is not None and spent > policy.most_spent:
        why = f"at most {policy.most_spent} points in all"
        told = {"type": "SPENDING_BASED", "limit": policy.most_spent, "spendings": spent}
        return _limit("global_spending_limit_exceeded", why, card, told)
    spent = facts.spent.get(card.id, 0) + points
    if policy.most_in_period is not None and spent > policy.most_in_period:
        why = f"at most {policy.most_in_period} points in a {(policy.period or '').lower()}"
        told = {"type": "TIME_BASED", "limit": policy.most_in_period, "spendings": spent}
        return _limit("global_spending_limit_exceeded", why, card, told)
    return None


def available(page: Sheet, facts: Facts, card: CardRow) -> int:
    """What a card can spend now: what sessions keep is not to be had."""
    return max(0, page.account(card).available(page.place.open_at) - facts.kept.get(card.id, 0))


def _short(page: Sheet, facts: Facts, card: CardRow, points: int) -> ApiError | None:
    there = available(page, facts, card)
    if points <= there:
        return None
    return ApiError(
        423, "insufficient_card_balance", "Insufficient card balance",
        f"The card has {there} points to spend, {points} are asked for.",
        resource_id=shown_card(card.id), resource_type="card",
    )  # fmt: skip


def card_off(card: CardRow) -> ApiError:
    """423 for a card that is switched off."""
    return ApiError(
        423, "voucher_disabled", "The card is switched off", "Nothing can be paid with it until it is enabled.",
        resource_id=shown_card(card.id), resource_type="card",
    )  # fmt: skip


def _limit(key: str, why: str, card: CardRow, told: dict[str, Any]) -> ApiError:
    return ApiError(
        423, key, "Spending limit exceeded", f"The card may spend {why}.",
        resource_id=shown_card(card.id), resource_type="card", extra={"limit": told},
    )  # fmt: skip


def _locked(key: str, message: str, details: str, reward: Reward) -> ApiError:
    return ApiError(423, key, message, details, resource_id=reward.id, resource_type="reward")
