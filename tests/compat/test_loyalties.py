"""Loyalty programs of the older API through the SDK."""

import json
import time
from collections.abc import Callable
from typing import Any

import voucherify as v

from .sdk import Sdk

SECONDS = 30.0


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What the look shows once it is what is wanted: points come a little after the order."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = look()
        if wanted(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"not seen within {SECONDS} s")


def program(sdk: Sdk) -> str:
    """A loyalty program; its id."""
    card = v.CampaignLoyaltyVoucher(
        type="LOYALTY_CARD",
        loyalty_card=v.CampaignLoyaltyCard(points=0),
        code_config=v.CodeConfig(length=9),
    )
    made = sdk.loyalties.create_loyalty_program(
        v.LoyaltiesCreateCampaignRequestBody(
            name=sdk.name("club"), campaign_type="LOYALTY_PROGRAM", type="AUTO_UPDATE", voucher=card
        )
    )
    assert (made.campaign_type, made.object, made.join_once) == ("LOYALTY_PROGRAM", "campaign", True)
    return made.id


def per_order(**more: Any) -> v.LoyaltiesEarningRulesCreateRequestBodyItem:
    """Ten points for every order."""
    return v.LoyaltiesEarningRulesCreateRequestBodyItem.from_dict(
        {
            "event": "order.paid",
            "loyalty": {"type": "FIXED", "points": 10},
            "source": {"banner": "Ten an order"},
            **more,
        }
    )


def member(sdk: Sdk, campaign: str, name: str) -> Any:
    """A new member's card."""
    body = v.LoyaltiesMembersCreateRequestBody(customer=v.Customer(source_id=name))
    return sdk.loyalties.add_member(campaign, body)


def buy(sdk: Sdk, name: str) -> None:
    """A paid order."""
    sdk.raw("POST", "/v1/orders", {"amount": 5000, "status": "PAID", "customer": {"source_id": name}})


def test_programs(sdk: Sdk) -> None:
    campaign = program(sdk)
    assert sdk.loyalties.get_loyalty_program(campaign).id == campaign
    change = v.LoyaltiesUpdateCampaignRequestBody(description="our club", auto_join=True)
    assert sdk.loyalties.update_loyalty_program(campaign, change).description == "our club"
    listed = sdk.loyalties.list_loyalty_programs(limit=100)
    assert campaign in [one.id for one in listed.campaigns]
    gone = sdk.loyalties.delete_loyalty_program(campaign)
    assert gone.async_action_id.startswith("aa_")


def test_earning_rules_and_tiers(sdk: Sdk) -> None:
    campaign = program(sdk)
    (rule,) = sdk.loyalties.create_earning_rule(campaign, [per_order()])
    assert rule.id.startswith("ern_") and rule.source.banner == "Ten an order"
    assert sdk.loyalties.get_earning_rule(campaign, rule.id).id == rule.id
    assert sdk.loyalties.list_earning_rules(campaign, limit=10).total == 1
    change = v.LoyaltiesEarningRulesUpdateRequestBody(metadata={"a": "b"})
    assert sdk.loyalties.update_earning_rule(campaign, rule.id, change).metadata == {"a": "b"}
    assert sdk.loyalties.disable_earning_rule(campaign, rule.id).active is False
    assert sdk.loyalties.enable_earning_rule(campaign, rule.id).active is True
    wanted = v.LoyaltiesTiersCreateInBulkRequestBodyItem.from_dict(
        {
            "name": "Gold", "points": {"from": 5, "to": 500}, "metadata": {},
            "earning_rules": {rule.id: {"type": "MULTIPLY", "multiplier": 2}},
        }
    )  # fmt: skip
    (tier,) = sdk.loyalties.create_in_bulk_loyalty_tiers(campaign, [wanted])
    assert (tier.name, tier.config.points.to) == ("Gold", 500)
    assert sdk.loyalties.get_loyalty_tier(campaign, tier.id).id == tier.id
    assert [one.id for one in sdk.loyalties.list_loyalty_tiers(campaign).data] == [tier.id]
    assert [one.id for one in sdk.loyalties.list_loyalty_tier_earning_rules(campaign, tier.id).data] == [
        rule.id
    ]
    name = sdk.name("member")
    card = member(sdk, campaign, name)
    for _ in range(2):
        buy(sdk, name)
        before = sdk.loyalties.get_member(card.code).loyalty_card.balance
        until(
            lambda: sdk.loyalties.get_member(card.code).loyalty_card.balance,
            lambda now, old=before: now > old or now == 30,
        )
    until(lambda: sdk.loyalties.get_member(card.code).loyalty_card.balance, lambda now: now >= 20)
    (reached,) = until(lambda: sdk.loyalties.list_member_loyalty_tier(card.code).data, bool)
    assert reached.id == tier.id
    sdk.loyalties.delete_earning_rule(campaign, rule.id)
    assert sdk.loyalties.list_earning_rules(campaign).total == 0


def test_members_and_their_points(sdk: Sdk) -> None:
    campaign = program(sdk)
    ada, bob = (member(sdk, campaign, sdk.name("member")) for _ in range(2))
    assert sdk.loyalties.get_member1(campaign, ada.code).id == ada.id
    assert {one.code for one in sdk.loyalties.list_members(campaign, limit=10).vouchers} == {
        ada.code,
        bob.code,
    }
    dated = v.LoyaltiesMembersBalanceUpdateRequestBody(
        points=50, expiration_type="CUSTOM_DATE", expiration_date="2090-12-31", reason="hello"
    )
    assert sdk.loyalties.update_loyalty_card_balance(ada.code, dated).balance == 50
    more = v.LoyaltiesMembersBalanceUpdateRequestBody(points=5)
    assert sdk.loyalties.update_loyalty_card_balance1(campaign, ada.code, more).balance == 55
    (bucket,) = sdk.loyalties.list_points_expiration(campaign, ada.code).data
    assert (bucket.bucket.total_points, bucket.object) == (50, "loyalty_points_bucket")
    gift = v.LoyaltiesTransferPoints(code=ada.code, points=20, source_id=sdk.name("gift"))
    # The SDK wants a text where a card is switched on, and nulls nowhere: its answer is read by hand.
    answer = sdk.loyalties.transfer_points_without_preload_content(campaign, bob.code, [gift])
    assert json.loads(answer.data)["loyalty_card"]["balance"] == 20
    out, *before = sdk.loyalties.list_loyalty_card_transactions(ada.code).data
    assert len(before) == 2 and out.type == "POINTS_TRANSFER_OUT"
    (come,) = sdk.loyalties.list_loyalty_card_transactions(bob.code).data
    assert (out.related_transaction_id, come.related_transaction_id) == (come.id, out.id)
    assert out.source_id == come.source_id is not None
    assert out.details.destination_voucher.code == bob.code
    assert come.details.source_voucher.loyalty_card.balance == 35
    assert sdk.loyalties.list_member_activity(ada.code, limit=10).data
    assert sdk.loyalties.list_member_activity1(campaign, ada.code, limit=10).data


def test_points_that_wait(sdk: Sdk) -> None:
    campaign, name = program(sdk), sdk.name("member")
    sdk.loyalties.create_earning_rule(
        campaign, [per_order(pending_points={"period_type": "DAY", "period_value": 14})]
    )
    card = member(sdk, campaign, name)
    for _ in range(2):
        buy(sdk, name)
    listed = until(
        lambda: sdk.loyalties.list_member_pending_points(card.code), lambda found: len(found.data) == 2
    )
    one, other = listed.data
    assert (one.points, one.voucher_id, one.campaign_id) == (10, card.id, campaign)
    assert len(sdk.loyalties.list_member_pending_points1(campaign, card.code).data) == 2
    assert len(sdk.loyalties.list_campaign_pending_points(campaign).data) == 2
    more = v.LoyaltiesMembersPendingPointsBalanceRequestBody(points=3)
    assert sdk.loyalties.adjust_member_pending_points(card.code, one.id, more).total == 13
    assert sdk.loyalties.activate_member_pending_points(card.code, one.id).balance == 13
    sdk.loyalties.cancel_member_pending_points(card.code, other.id)
    assert sdk.loyalties.list_member_pending_points(card.code).data == []


def test_an_estimate(sdk: Sdk) -> None:
    campaign, name = program(sdk), sdk.name("member")
    sdk.loyalties.create_earning_rule(campaign, [per_order()])
    member(sdk, campaign, name)
    told = sdk.raw(
        "POST",
        f"/v1/loyalties/{campaign}/qualifications",
        {"customer": {"source_id": name}, "order": {"amount": 900}},
    )
    assert told["points_estimation"] == 10
