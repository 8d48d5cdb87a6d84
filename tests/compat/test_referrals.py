"""Referral campaigns and holders through the SDK."""

import voucherify as v

from .sdk import Sdk

TEN = v.Discount(type="PERCENT", percent_off=10)


def referral_code(sdk: Sdk) -> tuple[str, str]:
    """A referral campaign and a code of it that was published: their id and code."""
    cards = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("credit"),
            campaign_type="GIFT_VOUCHERS",
            voucher=v.CampaignsCreateRequestBodyVoucher(type="GIFT_VOUCHER", gift=v.Gift(amount=0)),
        )
    )
    parent = v.ReferralProgramRefereeRewardRelatedObjectParent(
        id=cards.id, name=cards.name, object="CAMPAIGN"
    )
    reward = v.ReferralProgramRefereeReward(related_object_parent=parent, type="GIFT_VOUCHER", amount="500")
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("friends"),
            campaign_type="REFERRAL_PROGRAM",
            referral_program=v.ReferralProgram(conversion_event_type="redemption", referee_reward=reward),
            voucher=v.CampaignsCreateRequestBodyVoucher(
                type="DISCOUNT_VOUCHER", discount=TEN, is_referral_code=True
            ),
        )
    )
    assert made.campaign_type == "REFERRAL_PROGRAM"
    assert made.referral_program.referee_reward.amount == "500"
    published = sdk.publications.create_publication(
        publications_create_request_body=v.PublicationsCreateRequestBody(
            campaign=v.CreatePublicationCampaign(name=made.name, count=1),
            customer=v.Customer(source_id=sdk.name("referrer")),
        )
    )
    assert published.voucher.is_referral_code is True
    return made.id, published.voucher.code


def named(sdk: Sdk) -> v.ReferralsMembersHoldersCreateInBulkRequestBody:
    """Two referees that were not named before."""
    people = [v.Customer(source_id=sdk.name("referee"), name="Bob") for _ in range(2)]
    return v.ReferralsMembersHoldersCreateInBulkRequestBody(holders=people, metadata={"via": "app"})


def test_holders_of_a_code(sdk: Sdk) -> None:
    _, code = referral_code(sdk)
    made = sdk.referrals.referrals_add_holders(code, named(sdk))
    assert [one.holder_role for one in made.holders] == ["REFEREE", "REFEREE"]
    assert made.holders[0].metadata == {"via": "app"}
    listed = sdk.referrals.referrals_code_holders1(code, limit=2, order="id")
    assert (listed.total, listed.has_more, len(listed.data)) == (3, True, 2)
    rest = sdk.referrals.referrals_code_holders1(
        code, order="id", starting_after_id=listed.more_starting_after
    )
    assert {one.holder_role for one in [*listed.data, *rest.data]} == {"REFERRER", "REFEREE"}
    sdk.referrals.referrals_remove_holder(code, made.holders[0].id)
    assert sdk.referrals.referrals_code_holders1(code).total == 2


def test_holders_of_a_campaigns_code(sdk: Sdk) -> None:
    campaign, code = referral_code(sdk)
    made = sdk.referrals.referrals_add_holders1(campaign, code, named(sdk))
    listed = sdk.referrals.referrals_code_holders(campaign, code)
    assert (listed.total, listed.data[0].campaign_type) == (3, "REFERRAL_PROGRAM")
    sdk.referrals.referrals_remove_holder1(campaign, code, made.holders[0].id)
    assert sdk.referrals.referrals_code_holders(campaign, code).total == 2


def test_a_referred_customer(sdk: Sdk) -> None:
    _, code = referral_code(sdk)
    friend = sdk.name("friend")
    body = v.RedemptionsRedeemRequestBody(
        redeemables=[v.RedemptionsRedeemRequestBodyRedeemablesItem(object="voucher", id=code)],
        customer=v.Customer(source_id=friend),
        order=v.Order(amount=5_000),
    )
    sdk.redemptions.redeem_stacked_discounts(body)
    told = sdk.customers.get_customer(friend).referrals
    assert (told.total, told.campaigns[0].related_object_type) == (1, "redemption")
    referrer = sdk.customers.get_customer(told.campaigns[0].referrer_id)
    assert referrer.loyalty.referred_customers == 1
