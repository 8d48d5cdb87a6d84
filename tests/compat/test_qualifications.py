"""Qualifications, what a customer holds, sessions, and the older calls about promotions, through the SDK."""

import time

import pytest
import voucherify as v

from .sdk import Sdk

AMOUNT = v.Discount(type="AMOUNT", amount_off=1000)
SECONDS_TO_SHOW_UP = 5.0


def generic(sdk: Sdk, **voucher: object) -> tuple[str, str]:
    """A code for everybody, and its campaign's id."""
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("generic"),
            campaign_type="DISCOUNT_COUPONS",
            type="STANDALONE",
            voucher=v.CampaignsCreateRequestBodyVoucher(type="DISCOUNT_VOUCHER", discount=AMOUNT, **voucher),
        )
    )
    listed = sdk.vouchers.list_vouchers(campaign=made.name)  # this SDK cannot choose the code
    return listed.vouchers[0].code, made.id


def promotion(sdk: Sdk, off: int) -> str:
    """A promotion's only tier."""
    action = v.PromotionTierCreateParamsAction(discount=v.Discount(type="AMOUNT", amount_off=off))
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("promotion"),
            campaign_type="PROMOTION",
            promotion=v.CampaignsCreateRequestBodyPromotion(
                tiers=[v.PromotionTierCreateParams(name="only", action=action)]
            ),
        )
    )
    return made.promotion.tiers[0].id


def qualify(sdk: Sdk, **options: object) -> v.QualificationsCheckEligibilityResponseBody:
    return sdk.qualifications.check_eligibility(
        v.QualificationsCheckEligibilityRequestBody(
            scenario="ALL", order=v.Order(amount=20_000), options=v.QualificationsOption(**options)
        )
    )


def test_a_code_made_a_moment_ago_is_on_the_first_page(sdk: Sdk) -> None:
    code, campaign_id = generic(sdk)
    started = time.monotonic()
    found = qualify(sdk, limit=10, sorting_rule="DEFAULT", expand=["redeemable", "category"])
    assert time.monotonic() - started < SECONDS_TO_SHOW_UP
    first = next(one for one in found.redeemables.data if one.id == code)
    assert (first.object, first.campaign_id) == ("voucher", campaign_id)
    assert first.result.discount.amount_off == 1000
    assert (first.order.total_applied_discount_amount, first.order.total_amount) == (1000, 19_000)
    assert (first.applicable_to.total, first.inapplicable_to.total) == (0, 0)
    assert found.stacking_rules.redeemables_limit == 30


def test_a_code_without_a_campaign_too(sdk: Sdk) -> None:
    code = sdk.name("ALONE")
    sdk.vouchers.create_voucher(
        code, v.VouchersCreateWithSpecificCodeRequestBody(type="DISCOUNT_VOUCHER", discount=AMOUNT)
    )
    found = qualify(sdk, limit=10, expand=["redeemable", "category"])
    first = next(one for one in found.redeemables.data if one.id == code)
    assert (first.object, first.campaign_id) == ("voucher", None)


def test_pages_and_sorting(sdk: Sdk) -> None:
    small, large = promotion(sdk, 500), promotion(sdk, 1500)
    tiers = qualify(sdk, limit=50, sorting_rule="BEST_DEAL").redeemables
    ids = [one.id for one in tiers.data]
    assert ids.index(large) < ids.index(small)
    walked: list[str] = []
    page = qualify(sdk, limit=1).redeemables
    for _ in range(50):
        walked += [one.id for one in page.data]
        if not page.has_more:
            break
        page = qualify(sdk, limit=1, starting_after=page.more_starting_after).redeemables
    assert len(walked) == len(set(walked))
    assert {small, large} <= set(walked)


def test_campaigns_a_customer_could_get_a_code_of(sdk: Sdk) -> None:
    discount = v.Discount(type="AMOUNT", amount_off=700)
    voucher = v.CampaignsCreateRequestBodyVoucher(type="DISCOUNT_VOUCHER", discount=discount)
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("bulk"), campaign_type="DISCOUNT_COUPONS", type="AUTO_UPDATE", voucher=voucher
        )
    )
    found = sdk.qualifications.check_eligibility(
        v.QualificationsCheckEligibilityRequestBody(
            scenario="AUDIENCE_ONLY",
            order=v.Order(amount=20_000),
            options=v.QualificationsOption(limit=10, expand=["redeemable"]),
        )
    )
    first = next(one for one in found.redeemables.data if one.id == made.id)
    assert (first.object, first.name, first.campaign_id) == ("campaign", made.name, None)
    assert (first.result.discount.amount_off, first.order.total_amount) == (700, 19_300)
    body = {"order": {"amount": 20_000}}
    older = sdk.raw("POST", "/v1/campaigns/qualification?limit=50", body)
    assert made.id in [one["id"] for one in older["data"]]


def test_codes_in_the_older_shape(sdk: Sdk) -> None:
    code, _ = generic(sdk)
    body = {"order": {"amount": 20_000}, "customer": {"source_id": sdk.name("older")}}
    found = sdk.raw("POST", "/v1/vouchers/qualification?order=-created_at&limit=10", body)
    assert code in [one["code"] for one in found["data"]]
    assert found["tracking_id"].startswith("track_")


def test_what_a_customer_holds(sdk: Sdk) -> None:
    customer = sdk.customers.create_customer(v.CustomersCreateRequestBody(source_id=sdk.name("holder")))
    held = sdk.customers.list_customer_redeemables(customer.id, limit=5, order="-id")
    assert (held.data, held.total, held.has_more) == ([], 0, False)


def test_a_session_holds_a_code_until_it_is_released(sdk: Sdk) -> None:
    code = sdk.name("HELD")
    sdk.vouchers.create_voucher(
        code,
        v.VouchersCreateWithSpecificCodeRequestBody(
            type="DISCOUNT_VOUCHER",
            discount=AMOUNT,
            redemption=v.VouchersCreateWithSpecificCodeRequestBodyRedemption(quantity=1),
        ),
    )
    item = v.ValidationsValidateRequestBodyRedeemablesItem(object="voucher", id=code)
    asked = v.ValidationsValidateRequestBody(
        redeemables=[item],
        order=v.Order(amount=5_000),
        session=v.Session(type="LOCK", ttl=1, ttl_unit="HOURS"),
    )
    key = sdk.validations.validate_stacked_discounts(asked).session.key
    assert key.startswith("ssn_")
    with pytest.raises(v.ApiException) as held:
        sdk.redeem(code, amount=5_000)
    assert sdk.key(held.value) == "quantity_exceeded"
    sdk.vouchers.release_validation_session(code, key)
    with pytest.raises(v.ApiException) as gone:
        sdk.vouchers.release_validation_session(code, key)
    assert gone.value.status == 404
    assert sdk.redeem(code, amount=5_000).order.total_amount == 4_000


def test_a_session_redeems_with_its_key(sdk: Sdk) -> None:
    code = sdk.name("KEYED")
    sdk.vouchers.create_voucher(
        code, v.VouchersCreateWithSpecificCodeRequestBody(type="DISCOUNT_VOUCHER", discount=AMOUNT)
    )
    session = v.Session(type="LOCK", key=sdk.name("till"))
    done = sdk.redeem(code, amount=5_000, session=session)
    assert done.redemptions[0].session.key == session.key


def test_a_promotion_is_redeemed(sdk: Sdk) -> None:
    tier = promotion(sdk, 700)
    done = sdk.redemptions.redeem_stacked_discounts(
        v.RedemptionsRedeemRequestBody(
            redeemables=[v.RedemptionsRedeemRequestBodyRedeemablesItem(object="promotion_tier", id=tier)],
            order=v.Order(amount=2_000),
        )
    )
    assert (done.redemptions[0].related_object_type, done.redemptions[0].related_object_id) == (
        "promotion_tier",
        tier,
    )
    assert done.order.total_amount == 1_300


def test_the_older_calls_about_promotions(sdk: Sdk) -> None:
    tier = promotion(sdk, 700)
    asked = {"order": {"amount": 2_000}}
    every = sdk.raw("POST", "/v1/promotions/validation", asked)
    assert every["valid"] is True
    one = next(found for found in every["promotions"] if found["id"] == tier)
    assert (one["discount"]["amount_off"], one["order"]["total_amount"]) == (700, 1_300)
    alone = sdk.raw("POST", f"/v1/promotions/tiers/{tier}/validation", asked)
    assert (alone["valid"], alone["id"]) == (True, tier)
    redeemed = sdk.raw("POST", f"/v1/promotions/tiers/{tier}/redemption", asked)
    assert (redeemed["result"], redeemed["promotion_tier"]["id"]) == ("SUCCESS", tier)
