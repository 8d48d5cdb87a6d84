"""Campaigns and their codes, through the SDK."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import voucherify as v

from .sdk import Sdk

AMOUNT = v.Discount(type="AMOUNT", amount_off=1000)


def create(sdk: Sdk, discount: v.Discount = AMOUNT, **more: object) -> v.CampaignsCreateResponseBody:
    """A campaign with a name of its own."""
    return sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("campaign"),
            voucher=v.CampaignsCreateRequestBodyVoucher(type="DISCOUNT_VOUCHER", discount=discount),
            **more,
        )
    )


def codes_of(sdk: Sdk, campaign_id: str) -> list[str]:
    """Every code of a campaign, by walking its pages."""
    codes: list[str] = []
    for page in range(1, 100):
        listed = sdk.vouchers.list_vouchers(campaign_id=campaign_id, limit=100, page=page)
        codes += [voucher.code for voucher in listed.vouchers]
        if len(codes) >= listed.total:
            return codes
    raise AssertionError("more codes than pages")


def test_a_campaign_says_what_it_is(sdk: Sdk) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2090, 10, 8, 12, 57, 9, 386000, tzinfo=UTC)
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("winter"),
            description="ten percent",
            type="STATIC",
            start_date=start,
            expiration_date=end,
            validity_timeframe=v.ValidityTimeframe(interval="P2D", duration="P1D"),
            validity_day_of_week=[1, 2, 3],
            category="winter",
            metadata={"mandatory_v": "test"},
            voucher=v.CampaignsCreateRequestBodyVoucher(
                type="DISCOUNT_VOUCHER",
                discount=v.Discount(type="PERCENT", percent_off=10.0, amount_limit=500.0),
                redemption=v.CampaignsCreateRequestBodyVoucherRedemption(quantity=3),
                code_config=v.CodeConfig(length=6.0, prefix="W-", charset="0123456789"),
            ),
        )
    )
    assert made.id.startswith("camp_")
    assert (made.object, made.campaign_type, made.type) == ("campaign", "DISCOUNT_COUPONS", "STATIC")
    assert (made.start_date, made.expiration_date) == (start, end)
    assert made.voucher.discount.percent_off == 10
    assert made.voucher.discount.amount_limit == 500
    assert made.voucher.redemption.quantity == 3
    assert made.voucher.code_config.model_dump(exclude_none=True) == {
        "length": 6, "charset": "0123456789", "prefix": "W-", "pattern": "######",
    }  # fmt: skip
    assert (made.validity_timeframe.interval, made.validity_day_of_week) == ("P2D", [1, 2, 3])
    assert (made.category, made.metadata, made.active) == ("winter", {"mandatory_v": "test"}, True)
    assert (made.creation_status, made.vouchers_generation_status) == ("DONE", "DONE")
    read = sdk.campaigns.get_campaign(made.name)
    assert read.id == made.id
    voucher = v.CampaignsCreateRequestBodyVoucher(type="DISCOUNT_VOUCHER", discount=AMOUNT)
    with pytest.raises(v.ApiException) as twice:
        sdk.campaigns.create_campaign(v.CampaignsCreateRequestBody(name=made.name, voucher=voucher))
    assert twice.value.status == 409


def test_what_is_left_out_is_inferred_and_nulls_are_as_if_absent(sdk: Sdk) -> None:
    made = create(sdk, vouchers_count=None, metadata=None, validity_hours=None, category=None)
    assert (made.campaign_type, made.type, made.vouchers_count) == ("DISCOUNT_COUPONS", "AUTO_UPDATE", 0)
    assert made.metadata == {}
    assert made.expiration_date is None


def test_a_standalone_campaign_has_one_code(sdk: Sdk) -> None:
    code = sdk.name("EVERYBODY")
    raw = sdk.raw("POST", "/v1/campaigns", {
        "name": sdk.name("standalone"), "type": "STANDALONE",
        "voucher": {"code": code, "type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 500}},
    })  # fmt: skip
    voucher = sdk.vouchers.get_voucher(code)
    assert (voucher.campaign_id, voucher.discount.amount_off) == (raw["id"], 500)
    assert sdk.campaigns.get_campaign(raw["id"]).type == "STANDALONE"


def test_an_expiration_is_taken_away_by_null(sdk: Sdk) -> None:
    made = create(sdk, expiration_date=datetime(2090, 1, 1, tzinfo=UTC))
    changed = sdk.campaigns.update_campaign(
        made.id, v.CampaignsUpdateRequestBody(expiration_date=None, description="open end")
    )
    assert changed.expiration_date is None
    assert "expiration_date" not in sdk.raw("GET", f"/v1/campaigns/{made.id}")
    assert changed.description == "open end"
    stays = sdk.campaigns.update_campaign(made.id, v.CampaignsUpdateRequestBody(metadata={"a": 1}))
    assert (stays.description, stays.metadata) == ("open end", {"a": 1})


def test_codes_are_added(sdk: Sdk) -> None:
    campaign = create(sdk)
    one = sdk.campaigns.add_vouchers_to_campaign(campaign.id)
    assert (one.campaign_id, one.campaign, one.type) == (campaign.id, campaign.name, "DISCOUNT_VOUCHER")
    assert one.discount.amount_off == 1000
    assert (one.active, one.redemption.redeemed_quantity, one.publish.count) == (True, 0, 0)
    several = sdk.campaigns.add_vouchers_to_campaign(campaign.id, vouchers_count=5)
    assert sdk.finished(several.async_action_id).type == "CAMPAIGN.VOUCHERS_GENERATE"
    code = sdk.name("given")
    given = sdk.campaigns.add_voucher_with_specific_code_to_campaign(campaign.id, code)
    assert given.code == code
    own = sdk.campaigns.add_voucher_with_specific_code_to_campaign(
        campaign.id,
        sdk.name("own"),
        v.CampaignsVouchersCreateRequestBody(
            redemption=v.CampaignsVouchersCreateRequestBodyRedemption(quantity=2), metadata={"own": True}
        ),
    )
    assert (own.redemption.quantity, own.metadata) == (2, {"own": True})
    codes = codes_of(sdk, campaign.id)
    assert len(set(codes)) == len(codes) == 8
    assert {one.code, given.code, own.code} <= set(codes)
    assert sdk.campaigns.get_campaign(campaign.id).vouchers_count == 8


@pytest.mark.parametrize("body", [None, 5, {}, {"metadata": None, "category": None, "redemption": None}])
def test_a_body_that_says_nothing_still_makes_a_code(sdk: Sdk, body: object) -> None:
    """The JavaScript SDK's own test sends the number 5 where the body belongs."""
    campaign = create(sdk)
    made = sdk.raw("POST", f"/v1/campaigns/{campaign.id}/vouchers", body)
    assert (made["campaign_id"], made["object"]) == (campaign.id, "voucher")


def test_a_campaign_made_with_codes_tells_how_far_it_is(sdk: Sdk) -> None:
    one = create(sdk, vouchers_count=1)
    assert (one.creation_status, len(codes_of(sdk, one.id))) == ("DONE", 1)
    made = create(sdk, vouchers_count=500)
    actions = sdk.async_actions.list_async_actions(limit=100)
    assert (actions.object, actions.data_ref) == ("list", "async_actions")
    newest = next(one for one in actions.async_actions if one.type == "CAMPAIGN.VOUCHERS_GENERATE")
    done = sdk.finished(newest.id)
    assert (done.status, done.operation_status, done.progress) == ("DONE", "SUCCESS", 100)
    assert sdk.campaigns.get_campaign(made.id).creation_status == "DONE"
    assert len(codes_of(sdk, made.id)) == 500
    before = sdk.async_actions.list_async_actions(end_date=newest.created_at - timedelta(days=1))
    assert before.async_actions == []


def test_campaigns_are_switched_off_and_on(sdk: Sdk) -> None:
    campaign = create(sdk)
    code = sdk.campaigns.add_vouchers_to_campaign(campaign.id).code
    assert sdk.campaigns.disable_campaign(campaign.id)["active"] is False
    assert sdk.campaigns.get_campaign(campaign.id).active is False
    asked = v.ValidationsValidateRequestBody(
        redeemables=[v.ValidationsValidateRequestBodyRedeemablesItem(object="voucher", id=code)],
        order=v.Order(amount=5000),
    )
    refused = sdk.validations.validate_stacked_discounts(asked)
    assert (refused.valid, refused.redeemables[0].result.error.key) == (False, "voucher_disabled")
    assert sdk.campaigns.enable_campaign(campaign.id)["active"] is True
    assert sdk.validations.validate_stacked_discounts(asked).valid is True


def test_campaigns_are_listed_and_filtered(sdk: Sdk) -> None:
    made = [create(sdk, category="listing") for _ in range(3)]
    pages = [
        sdk.campaigns.list_campaigns(
            limit=2,
            page=number,
            order=v.ParameterOrderListCampaigns.CREATED_AT,
            campaign_type=v.ParameterCampaignType.DISCOUNT_COUPONS,
            campaign_status=v.ParameterCampaignStatusListCampaigns.DONE,
            filters=v.ParameterFiltersListCampaigns(
                categories=v.ParameterFiltersListCampaignsCategories(
                    conditions=v.FilterConditionsString(var_is="listing")
                ),
                junction=v.Junction.AND,
            ),
        )
        for number in (1, 2)
    ]
    assert [(page.object, page.data_ref, page.total) for page in pages] == [("list", "campaigns", 3)] * 2
    assert [one.id for page in pages for one in page.campaigns] == [one.id for one in made]
    named = v.ParameterFiltersListCampaignsCampaigns(
        conditions=v.FilterConditionsString(var_in=[made[0].name, made[2].name])
    )
    found = sdk.campaigns.list_campaigns(filters=v.ParameterFiltersListCampaigns(campaigns=named))
    assert {one.id for one in found.campaigns} == {made[0].id, made[2].id}
    none = sdk.campaigns.list_campaigns(campaign_type=v.ParameterCampaignType.LOYALTY_PROGRAM)
    assert (none.total, none.campaigns) == (0, [])


def test_codes_are_imported_into_a_campaign_from_json(sdk: Sdk) -> None:
    campaign = create(sdk)
    codes = [sdk.name("imported") for _ in range(3)]
    items = [v.CampaignsImportVoucherItem(code=code, metadata={"row": code}) for code in codes]
    items[1].active = False
    items[2].redemption = v.CampaignsImportVoucherItemRedemption(quantity=9)
    accepted = sdk.campaigns.import_vouchers_to_campaign(campaign.id, items)
    done = sdk.finished(accepted.async_action_id)
    assert (done.type, done.result["done_count"], done.result["failed_count"]) == (
        "CAMPAIGN.VOUCHERS_IMPORT", 3, 0,
    )  # fmt: skip
    assert sorted(codes_of(sdk, campaign.id)) == sorted(codes)
    assert sdk.vouchers.get_voucher(codes[1]).active is False
    last = sdk.vouchers.get_voucher(codes[2])
    assert (last.redemption.quantity, last.metadata, last.discount.amount_off) == (9, {"row": codes[2]}, 1000)


def test_codes_are_imported_into_a_campaign_from_csv(sdk: Sdk, tmp_path: Path) -> None:
    campaign = create(sdk)
    codes = [sdk.name("csv") for _ in range(2)]
    file = tmp_path / "codes.csv"
    file.write_text("Code,Category,Active,Colour\n" + "".join(f"{code},spring,true,red\n" for code in codes))
    accepted = sdk.campaigns.import_vouchers_to_campaign_using_csv(campaign.id, str(file))
    done = sdk.finished(accepted.async_action_id)
    assert (done.type, done.result["done_count"]) == ("CAMPAIGN.VOUCHERS_IMPORT_CSV", 2)
    first = sdk.vouchers.get_voucher(codes[0])
    assert (first.campaign_id, first.category, first.metadata) == (campaign.id, "spring", {"Colour": "red"})


def test_a_campaign_sums_up(sdk: Sdk) -> None:
    campaign = create(sdk, vouchers_count=1)
    code = codes_of(sdk, campaign.id)[0]
    sdk.redeem(code, amount=5000)
    summary = sdk.campaigns.get_campaign_summary(campaign.id)
    assert summary.object == "campaign_summary"
    assert summary.campaign.id == campaign.id
    assert (summary.redemptions, summary.redemptions_succeeded, summary.redemptions_failed) == (1, 1, 0)
    assert (summary.orders_amount, summary.discounted_amount, summary.vouchers_created) == (5000, 1000, 1)


def test_campaigns_go(sdk: Sdk) -> None:
    campaign = create(sdk, vouchers_count=1)
    code = codes_of(sdk, campaign.id)[0]
    accepted = sdk.campaigns.delete_campaign(campaign.id)
    assert sdk.finished(accepted.async_action_id).type == "CAMPAIGN.VOUCHERS_DELETE"
    for read in (lambda: sdk.campaigns.get_campaign(campaign.id), lambda: sdk.vouchers.get_voucher(code)):
        with pytest.raises(v.ApiException) as gone:
            read()
        assert gone.value.status == 404
    other = create(sdk)
    sdk.finished(sdk.campaigns.delete_campaign(other.id, force=True).async_action_id)
    again = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=other.name, voucher=v.CampaignsCreateRequestBodyVoucher(discount=AMOUNT)
        )
    )
    assert again.id != other.id
