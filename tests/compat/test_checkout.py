"""Codes at the checkout, through the SDK: validated, redeemed, listed, rolled back."""

import pytest
import voucherify as v

from .sdk import Sdk


def redeemables(*codes: str) -> list[v.ValidationsValidateRequestBodyRedeemablesItem]:
    """Codes to validate."""
    return [v.ValidationsValidateRequestBodyRedeemablesItem(object="voucher", id=code) for code in codes]


def campaign_codes(sdk: Sdk, count: int) -> list[str]:
    """Codes of a campaign without a category, each worth 10.00 off."""
    campaign = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("checkout"),
            voucher=v.CampaignsCreateRequestBodyVoucher(
                type="DISCOUNT_VOUCHER", discount=v.Discount(type="AMOUNT", amount_off=1000)
            ),
        )
    )
    codes = [sdk.name("CHECK") for _ in range(count)]
    for code in codes:
        sdk.campaigns.add_voucher_with_specific_code_to_campaign(campaign.id, code)
    return codes


def test_a_code_is_validated(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(code),
            customer=v.Customer(source_id=sdk.name("nobody"), metadata={"key_customer": "test"}),
            order=v.Order(amount=30000, metadata={"key_customer": "test"}),
            metadata={"key": "value"},
        )
    )
    assert (result.valid, result.id[:6]) == (True, "valid_")
    assert result.inapplicable_redeemables is None
    assert result.skipped_redeemables is None
    one = result.redeemables[0]
    assert (one.status, one.id, one.object) == ("APPLICABLE", code, "voucher")
    assert one.result.discount.amount_off == 1000
    assert (one.order.discount_amount, one.order.total_amount) == (1000, 29000)
    for listed in (one.applicable_to, one.inapplicable_to):
        assert (listed.object, listed.data_ref, listed.data, listed.total) == ("list", "data", [], 0)
    assert (result.order.amount, result.order.total_discount_amount, result.order.total_amount) == (
        30000, 1000, 29000,
    )  # fmt: skip
    assert result.order.total_applied_discount_amount == 1000
    assert result.tracking_id.startswith("track_")
    rules = result.stacking_rules
    assert (rules.redeemables_application_mode, rules.redeemables_limit) == ("ALL", 30)
    assert rules.applicable_redeemables_per_category_limit == 1


def test_a_validation_makes_no_customer(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    source_id = sdk.name("passer-by")
    sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(code), customer=v.Customer(source_id=source_id), order=v.Order(amount=1)
        )
    )
    with pytest.raises(v.ApiException) as nobody:
        sdk.customers.get_customer(source_id)
    assert nobody.value.status == 404


def test_two_codes_of_one_campaign_stack(sdk: Sdk) -> None:
    codes = campaign_codes(sdk, 2)
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(*codes),
            customer=v.Customer(source_id=sdk.name("stacker")),
            order=v.Order(amount=20000, items=None, metadata=None),
            session=None,
            metadata=None,
        )
    )
    assert (result.valid, [one.id for one in result.redeemables]) == (True, codes)
    assert [one.order.total_amount for one in result.redeemables] == [19000, 18000]
    assert result.order.total_discount_amount == 2000


def test_a_bad_code_alone(sdk: Sdk) -> None:
    wrong = sdk.name("WRONG")
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(redeemables=redeemables(wrong), order=v.Order(amount=5000))
    )
    assert result.valid is False
    assert len(result.redeemables) == len(result.inapplicable_redeemables) == 1
    refused = result.inapplicable_redeemables[0]
    assert (refused.status, refused.id) == ("INAPPLICABLE", wrong)
    assert (refused.result.error.code, refused.result.error.key) == (404, "not_found")
    assert refused.result.error.resource_id == wrong
    assert refused.result.details.key == "not_found"


def test_a_bad_code_spoils_the_others(sdk: Sdk) -> None:
    good, late = campaign_codes(sdk, 2)
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(good, sdk.name("WRONG"), late), order=v.Order(amount=5000)
        )
    )
    assert result.valid is False
    assert len(result.inapplicable_redeemables) == 1
    assert [one.id for one in result.skipped_redeemables][-1] == late
    assert result.skipped_redeemables[-1].result.details.key == "preceding_validation_failed"


def test_what_is_asked_for_is_expanded(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(code),
            options=v.ValidationsValidateRequestBodyOptions(
                expand=["order", "redeemable", "category", "redemption"], language="pl"
            ),
            order=v.Order(
                items=[
                    v.OrderItem(source_id="a", related_object="product", quantity=2, price=1500),
                    v.OrderItem(
                        source_id="b", related_object="sku", quantity=1, amount=700,
                        sku=v.OrderItemSku(sku="B"), product=v.OrderItemProduct(name="b"),
                    ),
                ]
            ),
        )
    )  # fmt: skip
    one = result.redeemables[0]
    assert one.campaign_name.startswith("checkout-")
    assert one.campaign_id.startswith("camp_")
    assert (one.metadata, one.categories) == ({}, [])
    assert (result.order.amount, result.order.total_amount) == (3700, 2700)
    assert [line.subtotal_amount for line in result.order.items] == [3000, 700]


def test_units_that_are_added(sdk: Sdk) -> None:
    product = sdk.products.create_product(v.ProductsCreateRequestBody(name="Mug", price=900))
    code = sdk.name("MUG")
    discount = v.Discount(type="UNIT", unit_off=1, unit_type=product.id, effect="ADD_NEW_ITEMS")
    sdk.vouchers.create_voucher(code, v.VouchersCreateWithSpecificCodeRequestBody(discount=discount))
    result = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=redeemables(code),
            order=v.Order(items=[v.OrderItem(product_id=product.id, quantity=1)]),
        )
    )
    assert (result.order.initial_amount, result.order.amount, result.order.total_amount) == (900, 1800, 900)
    assert result.order.items_discount_amount == 900
    free = result.order.items[1]
    assert (free.discount_quantity, free.initial_quantity, free.subtotal_amount) == (1, 0, 0)


def test_a_code_is_redeemed(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    source_id = sdk.name("redeemer")
    order_source = sdk.name("order")
    made = sdk.redemptions.redeem_stacked_discounts(
        v.RedemptionsRedeemRequestBody(
            redeemables=[v.RedemptionsRedeemRequestBodyRedeemablesItem(object="voucher", id=code)],
            customer=v.Customer(source_id=source_id, email="r@shop.example", metadata={"tier": "gold"}),
            order=v.Order(source_id=order_source, amount=30000, metadata={"lane": 1}),
            metadata={"key": "value"},
        )
    )
    assert (len(made.redemptions), made.parent_redemption) == (1, None)
    one = made.redemptions[0]
    assert (one.id[:2], one.object, one.result, one.status) == ("r_", "redemption", "SUCCESS", "SUCCEEDED")
    assert (one.related_object_type, one.related_object_id) == ("voucher", one.voucher.id)
    assert (one.voucher.code, one.voucher.redemption.redeemed_quantity) == (code, 1)
    assert (one.channel.channel_type, one.metadata, one.redemption) == ("API", {"key": "value"}, None)
    assert (one.customer.source_id, one.customer.email) == (source_id, "r@shop.example")
    assert one.tracking_id.startswith("track_")
    assert (made.order.status, made.order.total_amount, made.order.metadata) == ("PAID", 29000, {"lane": 1})

    stored = sdk.orders.get_order(order_source)
    assert (stored.status, stored.total_discount_amount, stored.total_amount) == ("PAID", 1000, 29000)
    assert list(stored.redemptions) == [one.id]
    customer = sdk.customers.get_customer(source_id)
    assert (customer.id, customer.metadata) == (one.customer_id, {"tier": "gold"})
    assert (customer.summary.redemptions.total_redeemed, customer.summary.orders.total_amount) == (1, 29000)
    read = sdk.redemptions.get_redemption(one.id)
    assert (read.id, read.voucher.code, read.order.total_amount) == (one.id, code, 29000)


def test_a_refused_redemption_is_an_error_and_is_kept(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    sdk.vouchers.disable_voucher(code)
    source_id = sdk.name("refused")
    with pytest.raises(v.ApiException) as refused:
        sdk.redeem(code, amount=5000, customer=v.Customer(source_id=source_id))
    assert (refused.value.status, sdk.key(refused.value)) == (400, "voucher_disabled")
    listed = sdk.redemptions.list_redemptions(result="FAILURE", customer=source_id)
    assert [one.id[:3] for one in listed.redemptions] == ["rf_"]
    failed = listed.redemptions[0]
    assert (failed.result, failed.status, failed.failure_code) == ("FAILURE", "FAILED", "voucher_disabled")


def test_an_idempotency_key_makes_a_repeat_safe(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    body = v.RedemptionsRedeemRequestBody(
        redeemables=[v.RedemptionsRedeemRequestBodyRedeemablesItem(object="voucher", id=code)],
        order=v.Order(amount=5000),
    )
    headers = {"Idempotency-Key": sdk.name("key")}
    answers = [
        sdk.redemptions.redeem_stacked_discounts_with_http_info(body, _headers=dict(headers))
        for _ in range(2)
    ]
    assert answers[0].raw_data == answers[1].raw_data
    replayed = [
        {name.lower(): value for name, value in answer.headers.items()}.get("idempotent-replayed")
        for answer in answers
    ]
    assert replayed == [None, "true"]
    assert sdk.vouchers.get_voucher(code).redemption.redeemed_quantity == 1


def test_redemptions_are_listed_and_filtered(sdk: Sdk) -> None:
    codes = campaign_codes(sdk, 3)
    source_id = sdk.name("regular")
    for code in codes:
        sdk.redeem(code, amount=5000, customer=v.Customer(source_id=source_id))
    campaign = sdk.vouchers.get_voucher(codes[0]).campaign
    page = sdk.redemptions.list_redemptions(
        limit=2, campaign=campaign, order=v.ParameterOrderListRedemptions.CREATED_AT
    )
    assert (page.object, page.data_ref, page.total) == ("list", "redemptions", 3)
    assert [one.voucher.code for one in page.redemptions] == codes[:2]
    rest = sdk.redemptions.list_redemptions(limit=2, page=2, campaign=campaign)
    assert [one.voucher.code for one in rest.redemptions] == codes[:1]

    def find(**conditions: object) -> set[str]:
        voucher_code = v.ParameterFiltersListRedemptionsVoucherCode(
            conditions=v.FilterConditionsString(**conditions)
        )
        found = sdk.redemptions.list_redemptions(
            customer=source_id, filters=v.ParameterFiltersListRedemptions(voucher_code=voucher_code)
        )
        return {one.voucher.code for one in found.redemptions}

    assert find(is_not=codes[0]) == set(codes[1:])
    assert find(var_is=codes[0]) == {codes[0]}
    assert find(var_in=codes[:2]) == set(codes[:2])
    assert find(not_in=codes[:2]) == {codes[2]}
    assert sdk.redemptions.list_redemptions(result="FAILURE", campaign=campaign).total == 0
    first = sdk.raw("GET", f"/v1/redemptions?campaign={campaign}&limit=1")
    behind = f"&starting_after_id={first['more_starting_after']}"
    last = sdk.raw("GET", f"/v1/redemptions?campaign={campaign}&limit=2{behind}")
    assert [one["voucher"]["code"] for one in first["redemptions"] + last["redemptions"]] == codes[::-1]
    assert (first["has_more"], last["has_more"]) == (True, False)
    of_one = sdk.redemptions.get_voucher_redemptions(codes[0])
    assert (of_one.quantity, of_one.redeemed_quantity, of_one.total) == (None, 1, 1)
    assert (of_one.object, of_one.data_ref) == ("list", "redemption_entries")
    assert of_one.redemption_entries[0].voucher.code == codes[0]


def test_a_redemption_is_rolled_back(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    source_id = sdk.name("regrets")
    one = sdk.redeem(code, amount=5000, customer=v.Customer(source_id=source_id)).redemptions[0]
    back = sdk.redemptions.rollback_redemption(one.id, reason="changed their mind")
    assert (back.id[:3], back.object, back.result) == ("rr_", "redemption_rollback", "SUCCESS")
    assert (back.redemption, back.reason) == (one.id, "changed their mind")
    assert back.voucher.redemption.redeemed_quantity == 0
    assert (back.order.status, back.order.total_amount) == ("CANCELED", 5000)
    assert sdk.redemptions.get_redemption(one.id).status == "ROLLED_BACK"
    assert sdk.orders.get_order(one.order.id).status == "CANCELED"
    summary = sdk.customers.get_customer(source_id).summary.redemptions
    assert (summary.total_succeeded, summary.total_rolled_back) == (1, 1)
    with pytest.raises(v.ApiException) as twice:
        sdk.redemptions.rollback_redemption(one.id)
    assert (twice.value.status, sdk.key(twice.value)) == (400, "already_rolled_back")


def test_a_rollback_says_why_in_its_body_or_its_query(sdk: Sdk) -> None:
    code = campaign_codes(sdk, 1)[0]
    first, second = (sdk.redeem(code, amount=5000).redemptions[0] for _ in range(2))
    back = sdk.redemptions.rollback_redemption(
        first.id,
        reason="in the query",
        redemptions_rollback_create_request_body=v.RedemptionsRollbackCreateRequestBody(
            customer=None, order=None, metadata={"clerk": 7}
        ),
    )
    assert (back.reason, back.metadata) == ("in the query", {"clerk": 7})
    back = sdk.redemptions.rollback_redemption(
        second.id,
        redemptions_rollback_create_request_body=v.RedemptionsRollbackCreateRequestBody(reason="in the body"),
    )
    assert back.reason == "in the body"


def test_a_stack_is_rolled_back_as_a_whole(sdk: Sdk) -> None:
    codes = campaign_codes(sdk, 2)
    made = sdk.redeem(*codes, amount=20000)
    parent = made.parent_redemption
    assert [one.redemption for one in made.redemptions] == [parent.id, parent.id]
    assert (parent.related_object_type, made.order.total_amount) == ("redemption", 18000)
    assert {one.id for one in parent.related_redemptions.redemptions} == {one.id for one in made.redemptions}
    for redemption_id, key in (
        (parent.id, "invalid_redemption"),
        (made.redemptions[0].id, "invalid_redemption_parent"),
    ):
        with pytest.raises(v.ApiException) as refused:
            sdk.redemptions.rollback_redemption(redemption_id)
        assert (refused.value.status, sdk.key(refused.value)) == (400, key)
    back = sdk.redemptions.rollback_stacked_redemptions(
        parent.id,
        redemptions_rollbacks_create_request_body=v.RedemptionsRollbacksCreateRequestBody(reason="all of it"),
    )
    assert {one.redemption for one in back.rollbacks} == {one.id for one in made.redemptions}
    assert back.parent_rollback.redemption == parent.id
    assert (back.order.status, back.order.total_amount) == ("CANCELED", 20000)
    for code in codes:
        assert sdk.vouchers.get_voucher(code).redemption.redeemed_quantity == 0


def test_an_order_made_before_is_redeemed_as_it_is_stored(sdk: Sdk) -> None:
    """For a known order the stored lines count, and what is sent of them does not."""
    (code,) = campaign_codes(sdk, 1)
    source_id = sdk.name("order")
    stored = sdk.orders.create_order(v.OrdersCreateRequestBody(source_id=source_id, amount=8000))
    made = sdk.redemptions.redeem_stacked_discounts(
        v.RedemptionsRedeemRequestBody(
            redeemables=[v.RedemptionsRedeemRequestBodyRedeemablesItem(object="voucher", id=code)],
            order=v.Order(source_id=source_id, amount=1),
        )
    )
    assert (made.order.id, made.order.amount, made.order.total_amount) == (stored.id, 8000, 7000)
    assert sdk.orders.get_order(stored.id).status == "PAID"


def test_what_is_wrong_is_told_as_the_sdk_expects_it(sdk: Sdk) -> None:
    (code,) = campaign_codes(sdk, 1)
    for codes, key in (([code, code], "duplicated_redeemables"), ([], "invalid_payload")):
        with pytest.raises(v.ApiException) as refused:
            sdk.redeem(*codes, amount=5000)
        assert (refused.value.status, sdk.key(refused.value)) == (400, key)
    stranger = Sdk(sdk.host, sdk.keys["X-App-Id"], "wrong")
    with pytest.raises(v.ApiException) as unknown:
        stranger.vouchers.list_vouchers()
    assert (unknown.value.status, sdk.key(unknown.value)) == (401, "unauthorized")
