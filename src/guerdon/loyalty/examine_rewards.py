"""Which rewards a customer may have in each program, with which card, and for how many points."""

from typing import Any

from msgspec import UNSET

from guerdon.engine.situation import Person
from guerdon.engine.window import check_times
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError
from guerdon.loyalty import examined, giving
from guerdon.loyalty import purchases_store as bought
from guerdon.loyalty.compiled import Reward
from guerdon.loyalty.dry_run import would_be_in
from guerdon.loyalty.examined import Membership, Whom, overridden, whom
from guerdon.loyalty.happened import know
from guerdon.loyalty.members_store import CardRow
from guerdon.loyalty.progress import unlocked_sheet
from guerdon.loyalty.quote import Facts, available, cost_of, dues, matching, quote, rules_of
from guerdon.loyalty.shapes_examine import (
    CardRewards,
    RewardCost,
    RewardDetail,
    RewardEstimation,
    RewardNamed,
    RewardOpportunity,
    RewardQuestion,
    RewardsExamined,
    Unavailability,
)
from guerdon.loyalty.sheet import Sheet

STOCK = """
    select a.part_id, a.stock - a.redeemed as left from loyalty_assignments a
    where a.project_id = $1 and a.program_id = $2 and a.kind = 'reward' and a.stock is not null
"""


async def examine(call: Call, data: RewardQuestion) -> RewardsExamined:
    """What may be had. Raises `ApiError` 400, 404."""
    found = await whom(call, data.customer_identification)
    metadata = None if data.customer is None else data.customer.metadata
    of_member = None if data.member is None else data.member.metadata
    answers: list[RewardOpportunity] = []
    shown: dict[str, None] = {}
    for membership in found.memberships:
        asked = overridden(membership, of_member)
        cards = await _cards(call, found, asked, metadata or {})
        shown.update(dict.fromkeys(each.reward.id for card in cards for each in card.rewards))
        answers.append(
            RewardOpportunity(
                member=examined.member(membership.member),
                program=examined.program(membership.program),
                cards=cards,
            )
        )
    parts = await examined.parts(call.db, call.project_id, shown)
    return RewardsExamined(
        customer=examined.customer(found.customer),
        rewards=[_detail(parts[name]) for name in shown if name in parts],
        memberships=answers,
    )


def _detail(part: db.Record) -> RewardDetail:
    limits: dict[str, Any] = part["body"].get("purchase_limits") or {}
    return RewardDetail(
        id=part["id"],
        name=part["name"],
        type=part["type"],
        metadata=part["metadata"],
        purchase_limits=limits or UNSET,
    )


async def _cards(call: Call, found: Whom, asked: Membership, metadata: dict[str, Any]) -> list[CardRewards]:
    """A member's cards with the rewards that are paid with each."""
    place, program, member = found.place, asked.program, asked.member
    cards = await examined.cards_of(call.db, place, member)
    page = await unlocked_sheet(call.db, place, member, [row for row, _ in cards])
    rewards = [each for each in program.rewards.values() if _offered(found, each)]
    facts = await _facts(call, found, asked, page, rewards, metadata)
    stock = {
        record["part_id"]: record["left"]
        for record in await db.records(call.db, STOCK, call.project_id, program.id)
    }
    by_card: dict[str, list[RewardEstimation]] = {}
    for reward in rewards:
        cost = matching(place, facts.people.get(member.customer_id), program, reward, member)
        card = None if cost is None else page.by_member[member.id].get(cost.card)
        if cost is None or card is None:
            continue
        points = cost_of(program, reward, member, cost)
        why = await _why_not(call, found, asked, page, facts, reward, (card, points, stock.get(reward.id)))
        by_card.setdefault(card.id, []).append(
            RewardEstimation(
                reward=RewardNamed(id=reward.id),
                status="UNAVAILABLE" if why else "AVAILABLE",
                cost=RewardCost(points=points),
                unavailability_reasons=why or UNSET,
            )
        )
    return [CardRewards(card=card, rewards=by_card[row.id]) for row, card in cards if row.id in by_card]


def _offered(found: Whom, reward: Reward) -> bool:
    """Whether a reward can be had now, by its state, its dates and its hours."""
    return reward.active and check_times(reward.terms, found.place.now, found.place.zone) is None


async def _facts(
    call: Call, found: Whom, asked: Membership, page: Sheet, rewards: list[Reward], metadata: dict[str, Any]
) -> Facts:
    """What prices and limits go by."""
    place, member = found.place, asked.member
    due, since = dues(page, [(member, asked.program, reward) for reward in rewards])
    rules = [each for reward in rewards for each in rules_of(place, reward)]
    people: dict[str, Person] = {}
    if rules:
        segments = frozenset().union(*(each.segments for each in rules))
        tiers = any(each.asks_tiers for each in rules)
        people = (await know(call.db, place, [], [member.customer_id], segments, (), tiers=tiers)).people
        person = people.get(member.customer_id)
        if person is not None and metadata:
            person.metadata = person.metadata | metadata
            person.segments = await would_be_in(call.db, place, person.id, segments, metadata)
    cards = [card.id for card in page.by_member[member.id].values()]
    return Facts(
        before=await bought.before(call.db, call.project_id, due),
        spent=await bought.spent(call.db, call.project_id, since),
        kept=await bought.kept(call.db, call.project_id, cards, place.now),
        people=people,
    )


async def _why_not(
    call: Call, found: Whom, asked: Membership, page: Sheet, facts: Facts, reward: Reward,
    price: tuple[CardRow, int, int | None],
) -> list[Unavailability]:  # fmt: skip
    """Why the reward cannot be had now; nothing where it can."""
    card, points, left = price
    found_reasons: list[Unavailability] = []
    refused = quote(page, facts, asked.program, reward, asked.member, left)
    if isinstance(refused, ApiError) and refused.key != "insufficient_card_balance":
        found_reasons.append(Unavailability(reason=str(refused.key), details={}))
    there = available(page, facts, card)
    if points > there:
        details = {"required": points, "available": there, "missing": points - there}
        found_reasons.append(Unavailability(reason="insufficient_balance", details=details))
    goods = giving.goods_of(reward.goods)
    if goods.kind == "POINTS" and goods.card not in page.by_member[asked.member.id]:
        elsewhere = giving.program_of(found.place, goods, asked.program.id) != asked.program.id
        if (
            not elsewhere
            or found.place.program(giving.program_of(found.place, goods, asked.program.id)) is None
        ):
            details = {"card_definition_id": goods.card}
            found_reasons.append(Unavailability(reason="no_target_card", details=details))
    return found_reasons
