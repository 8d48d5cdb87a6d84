"""Upgrades with the official SDK: it knows what answers tell of them, and not yet the effect's name."""

import pytest
import voucherify as v
from pydantic import ValidationError

from .sdk import Sdk

UPGRADE = {"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": 1}


def test_what_is_replaced_is_read_by_the_sdk(sdk: Sdk) -> None:
    small = sdk.products.create_product(v.ProductsCreateRequestBody(name="Small", price=300))
    large = sdk.products.create_product(v.ProductsCreateRequestBody(name="Large", price=450))
    included = [{"object": "product", "id": small.id, "quantity_limit": 1}]
    rule = sdk.raw(
        "POST",
        "/v1/validation-rules",
        {"name": sdk.name("Small"), "applicable_to": {"included": included, "excluded": []}},
    )
    code = sdk.name("LARGE")
    body = {"discount": UPGRADE | {"unit_type": large.id}, "validation_rules": [rule["id"]]}
    sdk.raw("POST", f"/v1/vouchers/{code}", {"type": "DISCOUNT_VOUCHER"} | body)
    answer = sdk.raw(
        "POST",
        "/v1/validations",
        {
            "redeemables": [{"object": "voucher", "id": code}],
            "order": {"items": [{"product_id": small.id, "quantity": 2}]},
        },
    )
    assert answer["valid"] is True
    read = v.ValidationsValidateResponseBodyOrderItemsItem.from_dict
    left, come = (read(item) for item in answer["order"]["items"])
    assert left is not None and come is not None
    assert (left.quantity, left.applied_quantity, left.applied_quantity_amount) == (1, -1, -300)
    assert (come.quantity, come.applied_quantity_amount, come.discount_amount) == (1, 450, 150)
    [told] = come.application_details or []
    assert left.application_details == [told]
    assert (told.source_index, told.source_applied_quantity, told.source_applied_quantity_amount) == (
        0,
        -1,
        -300,
    )
    assert (told.target_index, told.target_applied_quantity, told.target_applied_quantity_amount) == (
        1,
        1,
        450,
    )
    assert told.target_applied_discount_amount == 150


def test_the_sdk_does_not_know_the_name_of_the_effect_yet() -> None:
    with pytest.raises(ValidationError, match="must be one of enum values"):
        v.Discount.from_dict(UPGRADE | {"unit_type": "prod_large"})
