"""Definitions of discounts: what is taken, and the path of what is not."""

import math
from decimal import Decimal

import msgspec
import pytest

from guerdon.engine import EngineError, Terms, parse_discount, parse_terms

UNIT = {"type": "UNIT", "unit_off": 1, "unit_type": "prod_x"}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (None, "discount"),
        ([], "discount"),
        ({}, "discount.type"),
        ({"type": "percent", "percent_off": 5}, "discount.type"),
        ({"type": ["PERCENT"]}, "discount.type"),
        ({"type": "AMOUNT"}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": None}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 0}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": -1}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 1.5}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": "100"}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": True}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 2**53}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": math.inf}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": math.nan}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 10**400}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 1, "effect": "ADD_NEW_ITEMS"}, "discount.effect"),
        ({"type": "AMOUNT", "amount_off": 1, "effect": []}, "discount.effect"),
        ({"type": "AMOUNT", "amount_off": 1, "amount_off_formula": "1+"}, "discount.amount_off_formula"),
        (
            {"type": "AMOUNT", "amount_off": 1, "aggregated_amount_limit": 0},
            "discount.aggregated_amount_limit",
        ),
        ({"type": "PERCENT"}, "discount.percent_off"),
        ({"type": "PERCENT", "percent_off": 0}, "discount.percent_off"),
        ({"type": "PERCENT", "percent_off": 100.01}, "discount.percent_off"),
        ({"type": "PERCENT", "percent_off": 9.999}, "discount.percent_off"),
        ({"type": "PERCENT", "percent_off": 5, "amount_limit": 2.5}, "discount.amount_limit"),
        ({"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, "discount.effect"),
        ({"type": "FIXED", "fixed_amount": -5}, "discount.fixed_amount"),
        ({"type": "UNIT", "unit_off": 1}, "discount.unit_type"),
        ({"type": "UNIT", "unit_type": "prod_x"}, "discount.unit_off"),
        (UNIT | {"unit_off": 1_000_001}, "discount.unit_off"),
        (UNIT | {"units": []}, "discount.units"),
        (UNIT | {"effect": "ADD_MANY_ITEMS"}, "discount.units"),
        ({"type": "UNIT", "units": []}, "discount.units"),
        ({"type": "UNIT", "units": [UNIT] * 101}, "discount.units"),
        ({"type": "UNIT", "units": [UNIT, 5]}, "discount.units[1]"),
        ({"type": "UNIT", "units": [UNIT, UNIT | {"effect": "ADD_SAME_ITEMS"}]}, "discount.units[1].effect"),
        (
            {"type": "UNIT", "units": [UNIT | {"unit_off_formula": "(1"}]},
            "discount.units[0].unit_off_formula",
        ),
        (UNIT | {"product": "socks"}, "discount.product"),
    ],
)
def test_a_wrong_definition_names_its_fault(raw, path):
    with pytest.raises(EngineError) as caught:
        parse_discount(raw)
    assert caught.value.path == path
    assert caught.value.key == "invalid_payload"


@pytest.mark.parametrize(
    ("sent", "kept", "wire"),
    [
        (10, "10", b"10"),
        (10.0, "10", b"10"),
        (12.5, "12.5", b"12.5"),
        (33.33, "33.33", b"33.33"),
        (Decimal("50.10"), "50.1", b"50.1"),
        (100, "100", b"100"),
        (0.01, "0.01", b"0.01"),
    ],
)
def test_percentages_keep_their_digits(sent, kept, wire):
    discount = parse_discount({"type": "PERCENT", "percent_off": sent})
    assert str(discount.percent_off) == kept
    encoded = msgspec.json.Encoder(decimal_format="number").encode(discount)
    assert b'"percent_off":' + wire + b"}" in encoded
    assert parse_terms(b'{"discount":' + encoded + b"}").discount == discount


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "AMOUNT", "amount_off": 100.0, "effect": None, "color": "red"},
        {"type": "FIXED", "fixed_amount": 0},
        {"type": "PERCENT", "percent_off": 5, "amount_limit": 100, "aggregated_amount_limit": 2**53 - 1},
        UNIT,
        {"type": "UNIT", "unit_off": 2, "effect": "ADD_SAME_ITEMS"},
        {"type": "UNIT", "effect": "ADD_MANY_ITEMS", "units": [UNIT]},
        {"type": "UNIT", "units": [UNIT | {"product": {"id": "prod_x"}}]},
    ],
)
def test_a_right_definition_goes_to_the_store_and_back(raw):
    discount = parse_discount(raw)
    plain = msgspec.json.decode(
        msgspec.json.Encoder(decimal_format="number").encode(Terms(discount=discount))
    )
    assert parse_terms(plain).discount == discount
    assert "color" not in plain["discount"]
