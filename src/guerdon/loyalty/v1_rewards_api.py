"""``/v1/rewards``, and the rewards of ``/v1/loyalties``."""

from guerdon.kit.call import Call, Route
from guerdon.loyalty import v1_reward_assignments as assignments
from guerdon.loyalty import v1_reward_offers, v1_rewards
from guerdon.loyalty.v1_reward_assignments import (
    AssignmentChange,
    AssignmentsMade,
    OfRewards,
    RewardAssignment,
    RewardAssignments,
    ToProgram,
)
from guerdon.loyalty.v1_reward_offers import MemberRewards, TierRewards
from guerdon.loyalty.v1_rewards import OlderReward, OlderRewardChange, OlderRewardIn, OlderRewards


async def list_rewards_v1(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    assignment_id: str | None = None,
) -> OlderRewards:
    """List rewards; with `assignment_id`, the one of an assignment."""
    return await v1_rewards.listed(call, assignment_id)


async def create_reward_v1(call: Call, data: OlderRewardIn) -> OlderReward:
    """Create a reward.

    `parameters` say what it is: `campaign`, whose code or credit it gives, `product`, which may have a `stock`, or
    `coin`, payment of an order with points.
    """
    return await v1_rewards.create(call, data)


async def get_reward_v1(call: Call, reward_id: str) -> OlderReward:
    """Read a reward."""
    return await v1_rewards.read(call, reward_id)


async def update_reward_v1(call: Call, reward_id: str, data: OlderRewardChange) -> OlderReward:
    """Change a reward; what is absent stays, and so does its type."""
    return await v1_rewards.change(call, reward_id, data)


async def delete_reward_v1(call: Call, reward_id: str) -> None:
    """Delete a reward. While a program has it that is refused."""
    await v1_rewards.remove(call, reward_id)


async def list_reward_assignments(
    call: Call,
    reward_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> RewardAssignments:
    """List the programs that have a reward, with what it costs there."""
    return await assignments.listed_of(call, reward_id)


async def create_reward_assignment(call: Call, reward_id: str, data: ToProgram) -> RewardAssignment:
    """Give a reward to a loyalty program, for so many points.

    Payment with points has no price; it may have validation rules.
    """
    return await assignments.assign(call, reward_id, data)


async def get_reward_assignment(call: Call, reward_id: str, assignment_id: str) -> RewardAssignment:
    """Read an assignment of a reward."""
    return assignments.shown(await assignments.found(call, assignment_id, None, reward_id))


async def update_reward_assignment(
    call: Call, reward_id: str, assignment_id: str, data: AssignmentChange
) -> RewardAssignment:
    """Change what a reward costs in a program."""
    return await assignments.change(call, assignment_id, data, None, reward_id)


async def delete_reward_assignment(call: Call, reward_id: str, assignment_id: str) -> None:
    """Take a reward from a program. What was bought stays."""
    await assignments.remove(call, assignment_id, None, reward_id)


async def list_reward_assignments_1(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    assignment_id: str | None = None,
) -> RewardAssignments:
    """List the rewards of a loyalty program; `assignmentId`, or `assignment_id`, narrows the list to one."""
    wanted = next((value for name, value in call.query if name == "assignmentId"), assignment_id)
    return await assignments.listed(call, campaign_id, wanted)


async def get_reward_assignment_1(call: Call, campaign_id: str, assignment_id: str) -> RewardAssignment:
    """Read the assignment of a reward to a loyalty program."""
    return assignments.shown(await assignments.found(call, assignment_id, campaign_id, None))


async def get_reward_details(call: Call, campaign_id: str, assignment_id: str) -> OlderReward:
    """Read the reward of an assignment."""
    return await assignments.reward_of(call, campaign_id, assignment_id)


async def list_reward_assignments_2(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    assignment_id: str | None = None,
) -> RewardAssignments:
    """List the rewards of a loyalty program, with what they cost."""
    return await assignments.listed(call, campaign_id, assignment_id)


async def create_reward_assignment_1(call: Call, campaign_id: str, data: OfRewards) -> AssignmentsMade:
    """Give rewards to a loyalty program, all or none.

    The answer is the first assignment, with all of them in `data`.
    """
    return await assignments.assign_many(call, campaign_id, data)


async def get_reward_assignment_2(call: Call, campaign_id: str, assignment_id: str) -> RewardAssignment:
    """Read one of a loyalty program's rewards, with what it costs."""
    return assignments.shown(await assignments.found(call, assignment_id, campaign_id, None))


async def update_reward_assignment_1(
    call: Call, campaign_id: str, assignment_id: str, data: AssignmentChange
) -> RewardAssignment:
    """Change what a reward of a loyalty program costs."""
    return await assignments.change(call, assignment_id, data, campaign_id, None)


async def delete_reward_assignment_1(call: Call, campaign_id: str, assignment_id: str) -> None:
    """Take a reward from a loyalty program. What was bought stays."""
    await assignments.remove(call, assignment_id, campaign_id, None)


async def list_loyalty_tier_rewards(call: Call, campaign_id: str, tier_id: str) -> TierRewards:
    """List the rewards that members of a tier may have, at the tier's prices."""
    return await v1_reward_offers.of_tier(call, campaign_id, tier_id)


async def list_member_rewards(call: Call, member_id: str, affordable_only: bool = False) -> MemberRewards:
    """List the rewards that a member may have, at the prices of the member's tier.

    `affordable_only` leaves those out that cost more than is on the card.
    """
    return await v1_reward_offers.of_member(call, member_id, affordable_only)


TAG, LOYALTIES = "Rewards", "Loyalties"
REWARDS, REWARD = "/v1/rewards", "/v1/rewards/{reward_id}"
ASSIGNMENTS, ASSIGNMENT = REWARD + "/assignments", REWARD + "/assignments/{assignment_id}"
PROGRAM = "/v1/loyalties/{campaign_id}"
OF_PROGRAM, ONE = PROGRAM + "/rewards", PROGRAM + "/rewards/{assignment_id}"
OTHER = PROGRAM + "/reward-assignments"

ROUTES = [
    Route(method="GET", path=REWARDS, handler=list_rewards_v1, tag=TAG),
    Route(method="POST", path=REWARDS, handler=create_reward_v1, tag=TAG, kind="write"),
    Route(method="GET", path=REWARD, handler=get_reward_v1, tag=TAG),
    Route(method="PUT", path=REWARD, handler=update_reward_v1, tag=TAG, kind="write"),
    Route(method="DELETE", path=REWARD, handler=delete_reward_v1, tag=TAG, kind="write", status=204),
    Route(method="GET", path=ASSIGNMENTS, handler=list_reward_assignments, tag=TAG),
    Route(method="POST", path=ASSIGNMENTS, handler=create_reward_assignment, tag=TAG, kind="write"),
    Route(method="GET", path=ASSIGNMENT, handler=get_reward_assignment, tag=TAG),
    Route(method="PUT", path=ASSIGNMENT, handler=update_reward_assignment, tag=TAG, kind="write"),
    Route(method="DELETE", path=ASSIGNMENT, handler=delete_reward_assignment, tag=TAG, kind="write", status=204),
    Route(method="GET", path=OTHER, handler=list_reward_assignments_1, tag=LOYALTIES),
    Route(method="GET", path=OTHER + "/{assignment_id}", handler=get_reward_assignment_1, tag=LOYALTIES),
    Route(method="GET", path=OTHER + "/{assignment_id}/reward", handler=get_reward_details, tag=LOYALTIES),
    Route(method="GET", path=OF_PROGRAM, handler=list_reward_assignments_2, tag=LOYALTIES),
    Route(method="POST", path=OF_PROGRAM, handler=create_reward_assignment_1, tag=LOYALTIES, kind="write"),
    Route(method="GET", path=ONE, handler=get_reward_assignment_2, tag=LOYALTIES),
    Route(method="PUT", path=ONE, handler=update_reward_assignment_1, tag=LOYALTIES, kind="write"),
    Route(method="DELETE", path=ONE, handler=delete_reward_assignment_1, tag=LOYALTIES, kind="write", status=204),
    Route(method="GET", path=PROGRAM + "/tiers/{tier_id}/rewards", handler=list_loyalty_tier_rewards, tag=LOYALTIES),
    Route(method="GET", path="/v1/loyalties/members/{member_id}/rewards", handler=list_member_rewards, tag=LOYALTIES),
]  # fmt: skip
