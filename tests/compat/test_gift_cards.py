"""Gift cards, through the SDK: made, topped up, redeemed with credits, given back."""

import pytest
import voucherify as v

from .sdk import Sdk


def card(sdk: Sdk, amount: int = 10_000) -> str:
    """A gift card's code."""
    code = sdk.name("GIFT")
    made = sdk.vouchers.create_voucher(
        code,
        v.VouchersCreateWithSpecificCodeRequestBody(
            type="GIFT_VOUCHER", gift=v.Gift(amount=amount, effect="APPLY_TO_ORDER")
        ),
    )
    assert (made.type, made.discount, made.loyalty_card) == ("GIFT_VOUCHER", None, None)
    assert (made.gift.amount, made.gift.balance, made.gift.effect) == (amount, amount, "APPLY_TO_ORDER")
    return code


def balance(sdk: Sdk, code: str) -> int:
    """What is there."""
    return sdk.vouchers.get_voucher(code).gift.balance


def test_a_balance_moves_and_its_transactions_tell(sdk: Sdk) -> None:
    code = card(sdk)
    moved = sdk.vouchers.update_voucher_balance(
        code, v.VouchersBalanceUpdateRequestBody(amount=2_500, source_id="till-1", reason="sorry")
    )
    assert (moved.amount, moved.total, moved.balance, moved.type) == (2_500, 12_500, 12_500, "gift_voucher")
    assert (moved.operation_type, moved.related_object.type) == ("MANUAL", "voucher")
    sdk.vouchers.update_voucher_balance(code, v.VouchersBalanceUpdateRequestBody(amount=-500))
    assert balance(sdk, code) == 12_000
    listed = sdk.vouchers.list_voucher_transactions(code, limit=2)
    assert [(one.type, one.details.balance.amount) for one in listed.data] == [
        ("CREDITS_REMOVAL", -500),
        ("CREDITS_ADDITION", 2_500),
    ]
    assert listed.data[1].source_id == "till-1" and listed.has_more
    with pytest.raises(v.ApiException) as refused:
        sdk.vouchers.update_voucher_balance(code, v.VouchersBalanceUpdateRequestBody(amount=-12_001))
    assert (refused.value.status, balance(sdk, code)) == (400, 12_000)


def test_credits_are_validated_redeemed_and_given_back(sdk: Sdk) -> None:
    code, order = card(sdk), v.Order(amount=6_000)
    checked = sdk.validations.validate_stacked_discounts(
        v.ValidationsValidateRequestBody(
            redeemables=[
                v.ValidationsValidateRequestBodyRedeemablesItem(
                    object="voucher", id=code,
                    gift=v.ValidationsValidateRequestBodyRedeemablesItemGift(credits=1_500),
                )
            ],
            order=order,
        )
    )  # fmt: skip
    assert checked.redeemables[0].result.gift.credits == 1_500
    assert checked.order.total_amount == 4_500
    made = sdk.redemptions.redeem_stacked_discounts(
        v.RedemptionsRedeemRequestBody(
            redeemables=[
                v.RedemptionsRedeemRequestBodyRedeemablesItem(
                    object="voucher", id=code,
                    gift=v.RedemptionsRedeemRequestBodyRedeemablesItemGift(credits=1_500),
                )
            ],
            order=order,
        )
    )  # fmt: skip
    one = made.redemptions[0]
    assert (one.amount, one.voucher.gift.balance, made.order.total_amount) == (1_500, 8_500, 4_500)
    assert balance(sdk, code) == 8_500
    sdk.redemptions.rollback_redemption(one.id)
    assert balance(sdk, code) == 10_000
    types = [one.type for one in sdk.vouchers.list_voucher_transactions(code).data]
    assert types == ["CREDITS_REFUND", "CREDITS_REDEMPTION", "CREDITS_ADDITION"]
