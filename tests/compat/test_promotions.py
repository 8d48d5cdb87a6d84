"""Promotion campaigns, tiers and stacks, through the SDK."""

from datetime import UTC, datetime

import pytest
import voucherify as v

from .sdk import Sdk

AMOUNT = v.Discount(type="AMOUNT", amount_off=1000)


def promotion(sdk: Sdk, *tiers: str) -> v.CampaignsCreateResponseBody:
    """A campaign of promotions with tiers of these names."""
    action = v.PromotionTierCreateParamsAction(discount=AMOUNT)
    return sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("promotion"),
            campaign_type="PROMOTION",
            promotion=v.CampaignsCreateRequestBodyPromotion(
                tiers=[v.PromotionTierCreateParams(name=name, action=action) for name in tiers]
            ),
        )
    )


def test_a_campaign_of_promotions(sdk: Sdk) -> None:
    made = promotion(sdk, "first", "second")
    assert (made.campaign_type, made.voucher, made.vouchers_count) == ("PROMOTION", None, 0)
    read = sdk.campaigns.get_campaign(made.id)
    assert [(tier.name, tier.hierarchy) for tier in read.promotion.tiers] == [("first", 1), ("second", 2)]
    assert read.promotion.total == 2
    assert sdk.campaigns.disable_campaign(made.id) is not None
    tier = sdk.promotions.get_promotion_tier(read.promotion.tiers[0].id)
    assert (tier.active, tier.campaign.active, tier.campaign_id) == (True, False, made.id)


def test_a_tier_from_beginning_to_end(sdk: Sdk) -> None:
    campaign = promotion(sdk)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = sdk.promotions.add_promotion_tier_to_campaign(
        campaign.id,
        v.PromotionsTiersCreateRequestBody(
            name="noon",
            banner="10 off at noon",
            metadata={"level": 1},
            active=True,
            start_date=start,
            validity_hours=v.ValidityHours(
                daily=[
                    v.ValidityHoursDailyItem(start_time="12:00", expiration_time="14:00", days_of_week=[1])
                ]
            ),
            action=v.PromotionsTiersCreateRequestBodyAction(discount=AMOUNT),
        ),
    )
    assert made.id.startswith("promo_") and made.object == "promotion_tier"
    assert (made.name, made.banner, made.hierarchy, made.start_date) == ("noon", "10 off at noon", 1, start)
    assert made.action.discount.amount_off == 1000
    assert (made.summary.redemptions.total_redeemed, made.summary.orders.total_amount) == (0, 0)
    assert made.validation_rule_assignments.total == 0
    changed = sdk.promotions.update_promotion_tier(
        made.id, v.PromotionsTiersUpdateRequestBody(name="late", hierarchy=5)
    )
    assert (changed.name, changed.hierarchy, changed.metadata) == ("late", 5, {"level": 1})
    assert sdk.promotions.disable_promotion_tier(made.id).active is False
    assert made.id not in [tier.id for tier in sdk.promotions.list_promotion_tiers(is_available=True).tiers]
    assert sdk.promotions.enable_promotion_tier(made.id).active is True
    listed = sdk.promotions.list_promotion_tiers(is_available=True, order="-created_at", limit=1, page=1)
    assert [tier.id for tier in listed.tiers] == [made.id]
    own = sdk.promotions.list_promotion_tiers_from_campaign(campaign.id)
    assert ([tier.id for tier in own.tiers], own.total, own.has_more) == ([made.id], 1, False)
    sdk.promotions.delete_promotion_tier(made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.promotions.get_promotion_tier(made.id)
    assert gone.value.status == 404


def test_a_stack_from_beginning_to_end(sdk: Sdk) -> None:
    campaign = promotion(sdk, "a", "b")
    first, second = (tier.id for tier in campaign.promotion.tiers)
    made = sdk.promotions.create_promotion_stack(
        campaign.id,
        v.PromotionsStacksCreateRequestBody(
            name="both", tiers=v.PromotionsStacksCreateRequestBodyTiers(ids=[second, first])
        ),
    )
    assert made.id.startswith("stack_") and (made.object, made.category_id) == ("promotion_stack", None)
    assert (made.tiers.ids, made.tiers.hierarchy_mode) == ([second, first], "MANUAL")
    read = sdk.promotions.get_promotion_stack(campaign.id, made.id)
    assert (read.name, read.campaign_id) == ("both", campaign.id)
    changed = sdk.promotions.update_promotion_stack(
        campaign.id, made.id, v.PromotionsStacksUpdateRequestBody(name="other")
    )
    assert (changed.name, changed.tiers.ids) == ("other", [second, first])
    own = sdk.promotions.list_promotion_stacks_in_campaign(campaign.id)
    assert ([stack.id for stack in own.data], own.total) == ([made.id], 1)
    every = sdk.promotions.list_all_promotion_stacks(limit=1, page=1, order="-created_at")
    assert [stack.id for stack in every.data] == [made.id]
    sdk.promotions.delete_promotion_stack(campaign.id, made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.promotions.get_promotion_stack(campaign.id, made.id)
    assert gone.value.status == 404
