"""Questions over HTTP, in v2 of the API: what would be earned, and what may be had."""

from guerdon.kit.call import Call, Route
from guerdon.loyalty import examine_earning, examine_rewards
from guerdon.loyalty.shapes_examine import EarningQuestion, EarningsExamined, RewardQuestion, RewardsExamined


async def examine_earning_rules(call: Call, data: EarningQuestion) -> EarningsExamined:
    """Say what a customer would earn in each program, or a member in one, had something happened now.

    Nothing is written. `ALL` asks about everything that rules wait for; a specific event needs the context of its
    name. Metadata in the question is put over what is stored.
    """
    return await examine_earning.examine(call, data)


async def examine_reward_purchases(call: Call, data: RewardQuestion) -> RewardsExamined:
    """Say which rewards a customer may have in each program, or a member in one, and for how many points.

    Nothing is written. A reward that cannot be had says why; those that are not on offer now are left out.
    """
    return await examine_rewards.examine(call, data)


TAG = "Loyalty questions"

ROUTES = [
    Route(method="POST", path="/v2/loyalties/examine/earning-rules", handler=examine_earning_rules, tag=TAG),
    Route(method="POST", path="/v2/loyalties/examine/rewards", handler=examine_reward_purchases, tag=TAG),
]
