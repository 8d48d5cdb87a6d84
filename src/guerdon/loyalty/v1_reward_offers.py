"""What members may have for their points: the rewards of a program, at the prices of a tier."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from guerdon.engine.earning_points import mapped_cost
from guerdon.engine.earning_rule import Mapped
from guerdon.engine.window import check_times
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.loyalty import v1_reward_assignments as assignments
from guerdon.loyalty import v1_rewards
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.place import Place, place_of, running
from guerdon.loyalty.v1_members import ProgramRef, member_of
from guerdon.loyalty.v1_reward_assignments import RewardAssignment
from guerdon.loyalty.v1_rewards import OlderReward, RewardRow
from guerdon.loyalty.v1_tiers import tier_of
from guerdon.vouchers.value import held

TAKEN = "select part_id, stock, redeemed from loyalty_assignments where project_id = $1 and program_id = $2"


class MemberReward(Struct, kw_only=True):
    """A reward that a member may have, and what it costs the member."""

    reward: OlderReward
    assignment: RewardAssignment
    object: Literal["loyalty_reward"] = "loyalty_reward"


class MemberRewards(Struct, kw_only=True):
    """The rewards that a member may have."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[MemberReward]
    total: int


class TierReward(Struct, kw_only=True):
    """A reward, and what it costs members of a tier."""

    reward: OlderReward
    assignment: RewardAssignment
    object: Literal["loyalty_tier_reward"] = "loyalty_tier_reward"


class TierRewards(Struct, kw_only=True):
    """The rewards of a tier."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[TierReward]
    total: int


async def of_member(call: Call, member_id: str, affordable: bool) -> MemberRewards:
    """What a member may have now. Raises `ApiError` 404, 400 ``invalid_customer`` for a card that nobody holds."""
    known = await member_of(call, member_id, None)
    place = await place_of(call.db, call.project_id)
    program = place.program(known.member.program_id)
    if program is None or not running(program, place.now, place.zone) or known.member.status != "ACTIVE":
        return MemberRewards(data=[], total=0)
    on_card = (await held(call.db, call.project_id, [known.voucher.id]))[known.voucher.id]
    balance = on_card.balance - on_card.lapsed
    gone = await _gone(call.db, call.project_id, program.id)
    told: list[MemberReward] = []
    for reward, row, points in await _priced(call, program.id, mapped_in(program, known.member.tier_id)):
        if row.kind == "reward":
            given = program.rewards.get(reward.id)
            if given is None or reward.id in gone or not _on_offer(given.terms, place) or _sold_out(reward):
                continue
            if affordable and (points is None or points > balance):
                continue
        elif affordable and balance <= 0:
            continue
        told.append(MemberReward(reward=v1_rewards.shown(reward), assignment=assignments.shown(row, points)))
    return MemberRewards(data=told, total=len(told))


def _on_offer(terms: object, place: Place) -> bool:
    return check_times(terms, place.now, place.zone) is None  # type: ignore[arg-type]


def _sold_out(reward: RewardRow) -> bool:
    stock = reward.body["v1"].get("stock") if reward.own else None
    return stock is not None and reward.taken >= stock


async def _gone(conn: db.Db, project_id: str, program_id: str) -> set[str]:
    """Rewards of which the program has none left."""
    rows = await db.records(conn, TAKEN, project_id, program_id)
    return {r["part_id"] for r in rows if r["stock"] is not None and r["redeemed"] >= r["stock"]}


async def _priced(
    call: Call, program_id: str, mapped: Mapping[str, Mapped]
) -> list[tuple[RewardRow, assignments.Row, int | None]]:
    """The rewards of a program, with what each costs where a tier maps prices; None for payment with points."""
    rows = await assignments.of_program(call.db, call.project_id, program_id)
    rewards = await v1_rewards.find_all(call.db, call.project_id, [row.part_id for row in rows])
    return [
        (
            rewards[row.part_id],
            row,
            None if row.points is None else mapped_cost(row.points, mapped.get(row.part_id)),
        )
        for row in rows
        if row.part_id in rewards
    ]


def mapped_in(program: Program, tier_id: str | None) -> Mapping[str, Mapped]:
    """How a tier maps the prices of rewards, by the rewards' ids."""
    tiers = () if program.tiers is None else program.tiers.tiers
    return next((tier.rewards for tier in tiers if tier.id == tier_id), {})


async def of_tier(call: Call, campaign: str, tier_name: str) -> TierRewards:
    """The rewards that members of a tier may have, at its prices. Raises `ApiError` 404."""
    named: ProgramRef
    named, tier = await tier_of(call, campaign, tier_name)
    place = await place_of(call.db, call.project_id)
    program = place.program(named.id)
    mapped = {} if program is None else mapped_in(program, tier.id)
    told = [
        TierReward(reward=v1_rewards.shown(reward), assignment=assignments.shown(row, points))
        for reward, row, points in await _priced(call, named.id, mapped)
    ]
    return TierRewards(data=told, total=len(told))
