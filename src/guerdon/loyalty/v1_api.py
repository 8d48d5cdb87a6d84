"""``/v1/loyalties``: members, earning rules and tiers of programs, as the older API has them."""

from guerdon.kit.activity import Activities
from guerdon.kit.call import Call, Route
from guerdon.loyalty import v1_activity, v1_members, v1_rules, v1_tiers
from guerdon.loyalty.v1_members import Members
from guerdon.loyalty.v1_rules import Rule, RuleIn, Rules, RulesIn
from guerdon.loyalty.v1_tiers import Tier, Tiers, TiersIn
from guerdon.vouchers.shape import Voucher


async def list_members(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    customer: str | None = None,
    code: str | None = None,
) -> Members:
    """List a loyalty program's members: the cards that customers hold.

    `customer` narrows the list to a customer's card, by id or source id, `code` to one card.
    """
    return await v1_members.listed(call, campaign_id, customer, code)


async def get_member(call: Call, member_id: str) -> Voucher:
    """Read a member by the card's code or id."""
    return await v1_members.read(call, member_id)


async def get_member_1(call: Call, campaign_id: str, member_id: str) -> Voucher:
    """Read a member of a loyalty program by the card's code or id."""
    return await v1_members.read(call, member_id, campaign_id)


async def list_member_activity(
    call: Call,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Activities:
    """List what happened to a member's card, the latest first."""
    return await v1_activity.activity(call, member_id)


async def list_member_activity_1(
    call: Call,
    campaign_id: str,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Activities:
    """List what happened to the card of a member of a program, the latest first."""
    return await v1_activity.activity(call, member_id, campaign_id)


async def list_earning_rules(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Rules:
    """List a loyalty program's earning rules."""
    return await v1_rules.listed(call, campaign_id)


async def create_earning_rule_v1(call: Call, campaign_id: str, data: RulesIn) -> list[Rule]:
    """Create earning rules, all or none.

    What sets a rule off is its `event`: order.paid, customer.segment.entered, customer.loyalty.tier.joined (left,
    upgraded, downgraded, prolonged) or the name of a custom event. `loyalty` says what it gives.
    """
    return await v1_rules.create(call, campaign_id, data)


async def get_earning_rule_v1(call: Call, campaign_id: str, rule_id: str) -> Rule:
    """Read an earning rule."""
    return await v1_rules.read(call, campaign_id, rule_id)


async def update_earning_rule_v1(call: Call, campaign_id: str, rule_id: str, data: RuleIn) -> Rule:
    """Change an earning rule. Absent stays, null takes away; the event stays as it is."""
    return await v1_rules.change(call, campaign_id, rule_id, data)


async def delete_earning_rule_v1(call: Call, campaign_id: str, rule_id: str) -> None:
    """Delete an earning rule. What it gave stays."""
    await v1_rules.remove(call, campaign_id, rule_id)


async def enable_earning_rule(call: Call, campaign_id: str, rule_id: str) -> Rule:
    """Switch an earning rule on."""
    return await v1_rules.switch(call, campaign_id, rule_id, True)


async def disable_earning_rule(call: Call, campaign_id: str, rule_id: str) -> Rule:
    """Switch an earning rule off."""
    return await v1_rules.switch(call, campaign_id, rule_id, False)


async def list_loyalty_tiers(
    call: Call, campaign_id: str, limit: int | None = None, page: int | None = None, order: str | None = None
) -> Tiers:
    """List a loyalty program's tiers."""
    return await v1_tiers.listed(call, campaign_id)


async def create_loyalty_tiers(call: Call, campaign_id: str, data: TiersIn) -> list[Tier]:
    """Create tiers, all or none.

    A tier has `points` from so many on, to so many at most. `earning_rules` and `rewards` map ids of such to what they
    are in this tier: `{type: MULTIPLY, multiplier}` or `{type: CUSTOM, points}`.
    """
    return await v1_tiers.create(call, campaign_id, data)


async def get_loyalty_tier(call: Call, campaign_id: str, tier_id: str) -> Tier:
    """Read a tier of a loyalty program."""
    return await v1_tiers.read(call, campaign_id, tier_id)


async def list_loyalty_tier_earning_rules(call: Call, campaign_id: str, tier_id: str) -> Rules:
    """List the earning rules that give something else in a tier."""
    return await v1_tiers.rules_of(call, campaign_id, tier_id)


async def list_member_tiers(call: Call, member_id: str) -> Tiers:
    """Read the tier that a member is in, with since when and until when."""
    return await v1_tiers.of_member(call, member_id)


TAG = "Loyalties"
PROGRAM = "/v1/loyalties/{campaign_id}"
MEMBER = "/v1/loyalties/members/{member_id}"
MEMBER_OF = PROGRAM + "/members/{member_id}"
RULES = PROGRAM + "/earning-rules"
RULE = RULES + "/{rule_id}"
TIERS = PROGRAM + "/tiers"

ROUTES = [
    Route(method="GET", path=PROGRAM + "/members", handler=list_members, tag=TAG),
    Route(method="GET", path=MEMBER, handler=get_member, tag=TAG),
    Route(method="GET", path=MEMBER_OF, handler=get_member_1, tag=TAG),
    Route(method="GET", path=MEMBER + "/activity", handler=list_member_activity, tag=TAG),
    Route(method="GET", path=MEMBER_OF + "/activity", handler=list_member_activity_1, tag=TAG),
    Route(method="GET", path=RULES, handler=list_earning_rules, tag=TAG),
    Route(method="POST", path=RULES, handler=create_earning_rule_v1, tag=TAG, kind="write"),
    Route(method="GET", path=RULE, handler=get_earning_rule_v1, tag=TAG),
    Route(method="PUT", path=RULE, handler=update_earning_rule_v1, tag=TAG, kind="write"),
    Route(method="DELETE", path=RULE, handler=delete_earning_rule_v1, tag=TAG, kind="write", status=204),
    Route(method="POST", path=RULE + "/enable", handler=enable_earning_rule, tag=TAG, kind="write"),
    Route(method="POST", path=RULE + "/disable", handler=disable_earning_rule, tag=TAG, kind="write"),
    Route(method="GET", path=TIERS, handler=list_loyalty_tiers, tag=TAG),
    Route(method="POST", path=TIERS, handler=create_loyalty_tiers, tag=TAG, kind="write"),
    Route(method="GET", path=TIERS + "/{tier_id}", handler=get_loyalty_tier, tag=TAG),
    Route(
        method="GET",
        path=TIERS + "/{tier_id}/earning-rules",
        handler=list_loyalty_tier_earning_rules,
        tag=TAG,
    ),
    Route(method="GET", path=MEMBER + "/tiers", handler=list_member_tiers, tag=TAG),
]
