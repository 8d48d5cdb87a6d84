"""Rewards of the older API through the SDK."""

from typing import Any

import voucherify as v

from .sdk import Sdk
from .test_loyalties import member, program


def goods(sdk: Sdk, **more: Any) -> Any:
    """A reward of goods."""
    product = sdk.raw("POST", "/v1/products", {"name": sdk.name("mug"), "price": 900})["id"]
    body = {"name": "Mug", "parameters": {"product": {"id": product, "sku_id": None}}, **more}
    return sdk.rewards.create_reward(v.RewardsCreateRequestBody.from_dict(body))


def coin(sdk: Sdk) -> Any:
    """Payment with points."""
    rate = {"exchange_ratio": 1, "points_ratio": "100"}
    body = {"name": "Pay", "parameters": {"coin": rate}, "metadata": {}}
    return sdk.rewards.create_reward(v.RewardsCreateRequestBody.from_dict(body))


def to(campaign: str, points: int) -> v.RewardsAssignmentsCreateRequestBody:
    """An assignment to a program at a price."""
    return v.RewardsAssignmentsCreateRequestBody.from_dict(
        {"campaign": campaign, "parameters": {"loyalty": {"points": points}}}
    )


def test_rewards(sdk: Sdk) -> None:
    made = goods(sdk, stock=5, attributes={"description": "blue"})
    assert (made.type, made.stock, made.redeemed) == ("MATERIAL", 5, 0)
    assert made.attributes.description == "blue"
    read = sdk.rewards.get_reward(made.id)
    assert (read.id, read.parameters.product.id) == (made.id, made.parameters.product.id)
    change = v.RewardsUpdateRequestBody.from_dict({"name": "Cup", "stock": 6})
    assert (sdk.rewards.update_reward(made.id, change).name) == "Cup"
    assert made.id in [one.id for one in sdk.rewards.list_rewards(limit=100).data]
    sdk.rewards.delete_reward(made.id)
    assert made.id not in [one.id for one in sdk.rewards.list_rewards(limit=100).data]


def test_assignments(sdk: Sdk) -> None:
    campaign, reward = program(sdk), goods(sdk)
    given = sdk.rewards.create_reward_assignment(reward.id, to(campaign, 40))
    assert given.id.startswith("rewa_") and given.parameters.loyalty.points == 40
    assert sdk.rewards.get_reward_assignment(reward.id, given.id).related_object_id == campaign
    change = v.RewardsAssignmentsUpdateRequestBody.from_dict({"parameters": {"loyalty": {"points": 30}}})
    assert sdk.rewards.update_reward_assignment(reward.id, given.id, change).parameters.loyalty.points == 30
    assert [one.id for one in sdk.rewards.list_reward_assignments(reward.id).data] == [given.id]
    assert sdk.rewards.list_rewards(assignment_id=given.id).data[0].id == reward.id
    sdk.rewards.delete_reward_assignment(reward.id, given.id)
    assert sdk.rewards.list_reward_assignments(reward.id).total == 0


def test_rewards_of_a_program(sdk: Sdk) -> None:
    campaign, reward = program(sdk), goods(sdk)
    item = v.LoyaltiesRewardsCreateAssignmentItemRequestBody.from_dict(
        {"reward": reward.id, "parameters": {"loyalty": {"points": 40}}}
    )
    made = sdk.loyalties.create_reward_assignment1(campaign, [item])
    (given,) = sdk.loyalties.list_reward_assignments2(campaign).data
    assert (
        [one.id for one in sdk.loyalties.list_reward_assignments1(campaign, limit=10).data]
        == [given.id]
        == [made.id]
    )
    assert sdk.loyalties.get_reward_assignment1(campaign, given.id).reward_id == reward.id
    assert sdk.loyalties.get_reward_assignment2(campaign, given.id).parameters.loyalty.points == 40
    assert sdk.loyalties.get_reward_details(campaign, given.id).name == "Mug"
    change = v.LoyaltiesRewardsUpdateAssignmentRequestBody.from_dict(
        {"parameters": {"loyalty": {"points": 50}}}
    )
    assert sdk.loyalties.update_reward_assignment1(campaign, given.id, change).parameters.loyalty.points == 50
    tiers = [{"name": "Gold", "points": {"from": 0}, "rewards": {reward.id: {"type": "CUSTOM", "points": 5}}}]
    (tier,) = sdk.raw("POST", f"/v1/loyalties/{campaign}/tiers", tiers)
    (priced,) = sdk.loyalties.list_loyalty_tier_rewards(campaign, tier["id"]).data
    assert (priced.reward.id, priced.assignment.parameters.loyalty.points) == (reward.id, 5)
    sdk.loyalties.delete_reward_assignment1(campaign, given.id)
    assert sdk.loyalties.list_reward_assignments2(campaign).total == 0


def test_members_redeem_their_points(sdk: Sdk) -> None:
    campaign, reward, pay = program(sdk), goods(sdk), coin(sdk)
    sdk.rewards.create_reward_assignment(reward.id, to(campaign, 40))
    whole = v.RewardsAssignmentsCreateRequestBody.from_dict({"campaign": campaign})
    sdk.rewards.create_reward_assignment(pay.id, whole)
    card = member(sdk, campaign, sdk.name("member"))
    assert sdk.loyalties.list_member_rewards(card.code, affordable_only=True).data == []
    sdk.raw("POST", f"/v1/loyalties/members/{card.code}/balance", {"points": 500})
    shown = sdk.loyalties.list_member_rewards(card.code, affordable_only=True).data
    assert [one.reward.id for one in shown] == [reward.id, pay.id]
    wanted = v.LoyaltiesMembersRedemptionRedeemRequestBody.from_dict({"reward": {"id": reward.id}})
    bought = sdk.loyalties.redeem_reward(card.code, wanted)
    assert (bought.result, bought.amount, bought.reward.id) == ("SUCCESS", 40, reward.id)
    assert bought.reward.product.id == reward.parameters.product.id
    paying = v.LoyaltiesMembersRedemptionRedeemRequestBody.from_dict(
        {"reward": {"id": pay.id, "points": 200}, "order": {"amount": 1000}}
    )
    paid = sdk.loyalties.redeem_reward1(campaign, card.code, paying)
    assert (paid.amount, paid.order.total_amount, paid.reward.type) == (200, 800, "COIN")
    body = {
        "redeemables": [{"object": "voucher", "id": card.code, "reward": {"id": pay.id, "points": 100}}],
        "order": {"amount": 1000},
    }
    told = sdk.validations.validate_stacked_discounts(v.ValidationsValidateRequestBody.from_dict(body))
    assert told.valid and told.redeemables[0].result.loyalty_card.points == 100
    made = sdk.redemptions.redeem_stacked_discounts(v.RedemptionsRedeemRequestBody.from_dict(body))
    assert made.redemptions[0].amount == 100
    sdk.redemptions.rollback_redemption(made.redemptions[0].id)
    sdk.redemptions.rollback_redemption(bought.id)
    assert sdk.loyalties.get_member(card.code).loyalty_card.balance == 300
