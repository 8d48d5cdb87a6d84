"""Every discount effect on chosen lines and units, reckoned by hand."""

import pytest

from guerdon.engine.discount import parse_discount
from guerdon.engine.effects import effect_in_force, scales_units
from guerdon.engine.order import OrderIn, OrderItemIn, price_order
from guerdon.engine.reasons import Reason

from .items import basket, chosen_of, give, product

# 1000 for two teas, 400 for four apples, 600 for three small pears at 200.
BASKET = (("prod_tea", 2), ("prod_apple", 4), ("sku_pear_small", 3))
ITEMS = "APPLY_TO_ITEMS"


@pytest.mark.parametrize(
    ("entry", "discount", "lines"),
    [
        ({}, {"type": "PERCENT", "percent_off": 50}, [(1, 200), (2, 300)]),
        ({"quantity_limit": 1}, {"type": "PERCENT", "percent_off": 50}, [(1, 50), (2, 100)]),
        ({"aggregated_quantity_limit": 5}, {"type": "PERCENT", "percent_off": 50}, [(1, 200), (2, 100)]),
        ({"amount_limit": 250}, {"type": "PERCENT", "percent_off": 50}, [(1, 200), (2, 250)]),
        (
            {"amount_limit": 250},
            {"type": "PERCENT", "percent_off": 50, "amount_limit": 150},
            [(1, 150), (2, 150)],
        ),
        ({"aggregated_amount_limit": 350}, {"type": "PERCENT", "percent_off": 50}, [(1, 200), (2, 150)]),
        (
            {"aggregated_amount_limit": 350},
            {"type": "PERCENT", "percent_off": 50, "aggregated_amount_limit": 220},
            [(1, 200), (2, 20)],
        ),
        (
            {"effect": "APPLY_FROM_MOST_EXPENSIVE", "aggregated_amount_limit": 350},
            {"type": "PERCENT", "percent_off": 50},
            [(1, 50), (2, 300)],
        ),
        ({"effect": "APPLY_TO_CHEAPEST"}, {"type": "PERCENT", "percent_off": 100}, [(1, 400)]),
        ({"target": "UNIT", "repeat": 2}, {"type": "PERCENT", "percent_off": 100}, [(1, 200), (2, 400)]),
        ({}, {"type": "AMOUNT", "amount_off": 450}, [(1, 400), (2, 450)]),
        ({"quantity_limit": 2}, {"type": "AMOUNT", "amount_off": 450}, [(1, 200), (2, 400)]),
        (
            {"quantity_limit": 2},
            {"type": "AMOUNT", "amount_off": 30, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
            [(1, 60), (2, 60)],
        ),
        (
            {"quantity_limit": 2, "amount_limit": 50},
            {"type": "AMOUNT", "amount_off": 30, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
            [(1, 50), (2, 50)],
        ),
        (
            {},
            {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            [(1, 40), (2, 60)],
        ),
        (
            {"quantity_limit": 1},
            {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            [(1, 33), (2, 67)],
        ),
        (
            {"aggregated_amount_limit": 50},
            {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            [(1, 20), (2, 30)],
        ),
        (
            {},
            {"type": "AMOUNT", "amount_off": 70, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
            [(1, 40), (2, 30)],
        ),
        (
            {"quantity_limit": 2},
            {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
            [(1, 200), (2, 300)],
        ),
        ({}, {"type": "FIXED", "fixed_amount": 90}, [(1, 40), (2, 330)]),
        ({"price": 150}, {"type": "FIXED", "fixed_amount": 90}, [(2, 150)]),
        ({"price": 0, "quantity_limit": 1}, {"type": "FIXED", "fixed_amount": 90}, [(1, 100), (2, 200)]),
        ({"price": 150, "amount_limit": 20}, {"type": "FIXED", "fixed_amount": 90}, [(2, 20)]),
    ],
)
def test_every_effect_on_fruit_by_hand(entry, discount, lines):
    order = basket(*BASKET)
    chosen = chosen_of(order, product("pc_fruit", **entry))
    effect = give(order, chosen, **discount)
    assert effect.order_discount == 0
    assert effect.lines == lines


def test_a_share_of_a_line_is_rounded_once():
    order = price_order(OrderIn(items=[OrderItemIn(product_id="prod_apple", amount=1000, quantity=3)]))
    chosen = chosen_of(order, product("prod_apple", quantity_limit=2))
    # Two thirds of 1000 at 30 %: 200 exactly; 30 % of the rounded share 667 would be 200.1.
    assert give(order, chosen, type="PERCENT", percent_off=30).lines == [(0, 200)]
    assert give(order, chosen, type="PERCENT", percent_off=100).lines == [(0, 667)]
    assert give(order, chosen, type="AMOUNT", amount_off=9999).lines == [(0, 667)]
    assert give(order, chosen, type="FIXED", fixed_amount=100).lines == [(0, 467)]


def test_a_percentage_of_initial_amounts_takes_the_units_share_of_them():
    order = basket(("prod_apple", 4))
    base = basket(("prod_apple", 4, 200))
    chosen = chosen_of(order, product("prod_apple", quantity_limit=1))
    from guerdon.engine.effects import percent_off

    half = parse_discount({"type": "PERCENT", "percent_off": 25})
    assert percent_off(half, order, base, None, chosen).lines == [(0, 50)]
    most = parse_discount({"type": "PERCENT", "percent_off": 90})
    assert percent_off(most, order, base, None, chosen).lines == [(0, 100)]


def test_limits_of_two_entries_hold_for_their_own_lines():
    order = basket(*BASKET)
    chosen = chosen_of(
        order,
        product("prod_tea", aggregated_amount_limit=120),
        product("pc_fruit", aggregated_amount_limit=250),
    )
    assert give(order, chosen, type="PERCENT", percent_off=50).lines == [(0, 120), (1, 200), (2, 50)]


def test_the_default_effect_follows_the_scope():
    order = basket(*BASKET)
    fruit, all_of_it = chosen_of(order, product("pc_fruit")), chosen_of(order, everything=True)
    for raw in (
        {"type": "PERCENT", "percent_off": 10},
        {"type": "AMOUNT", "amount_off": 10},
        {"type": "FIXED", "fixed_amount": 10},
    ):
        discount = parse_discount(raw)
        assert effect_in_force(discount, fruit) == ITEMS
        assert effect_in_force(discount, None) == effect_in_force(discount, all_of_it) == "APPLY_TO_ORDER"
        assert effect_in_force(parse_discount(raw | {"effect": "APPLY_TO_ORDER"}), fruit) == "APPLY_TO_ORDER"
    given = give(order, fruit, type="PERCENT", percent_off=10, effect="APPLY_TO_ORDER")
    assert (given.order_discount, given.lines) == (200, [])
    gift = parse_discount({"type": "UNIT", "unit_off": 1, "unit_type": "prod_tea"})
    assert effect_in_force(gift, fruit) == "ADD_MISSING_ITEMS"


def test_without_targets_the_reason_is_given():
    order = basket(*BASKET)
    none = chosen_of(order, product("prod_gone"))
    for raw in ({"type": "PERCENT", "percent_off": 10}, {"type": "AMOUNT", "amount_off": 1}):
        assert give(order, none, **raw) is Reason.ORDER_RULES_VIOLATED
    gift = {"type": "UNIT", "unit_off": 1, "effect": "ADD_SAME_ITEMS"}
    assert give(order, none, **gift) is Reason.ORDER_RULES_VIOLATED
    assert give(basket(), none, type="FIXED", fixed_amount=1) is Reason.MISSING_ORDER_ITEMS
    unpriced = price_order(OrderIn(items=[OrderItemIn(product_id="prod_x")]))
    meant = chosen_of(unpriced, product("prod_x"))
    assert give(unpriced, meant, type="PERCENT", percent_off=1) is Reason.MISSING_ORDER_ITEMS_AMOUNT


@pytest.mark.parametrize(
    ("discount", "bundles", "order_discount", "lines"),
    [
        ({"type": "AMOUNT", "amount_off": 50, "effect": "APPLY_TO_ORDER"}, 3, 150, []),
        ({"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}, 3, 600, []),
        ({"type": "PERCENT", "percent_off": 60, "effect": "APPLY_TO_ORDER"}, 3, 2000, []),
        ({"type": "AMOUNT", "amount_off": 50}, 3, 0, [(1, 150), (2, 150)]),
        ({"type": "PERCENT", "percent_off": 10}, 3, 0, [(1, 120), (2, 180)]),
        ({"type": "PERCENT", "percent_off": 10, "amount_limit": 150}, 3, 0, [(1, 120), (2, 150)]),
        (
            {"type": "AMOUNT", "amount_off": 50, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            2,
            0,
            [(1, 40), (2, 60)],
        ),
        (
            {"type": "AMOUNT", "amount_off": 50, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
            2,
            0,
            [(1, 100), (2, 100)],
        ),
        ({"type": "FIXED", "fixed_amount": 70}, 2, 0, [(1, 60), (2, 260)]),
        ({"type": "FIXED", "fixed_amount": 700, "effect": "APPLY_TO_ORDER"}, 2, 1300, []),
    ],
)
def test_bundles_multiply_values_or_units_but_no_prices(discount, bundles, order_discount, lines):
    order = basket(*BASKET)
    scaled = scales_units(parse_discount(discount), lists_items=True)
    chosen = chosen_of(order, product("pc_fruit"), bundles=bundles if scaled else None)
    effect = give(order, chosen, bundles, **discount)
    assert (effect.order_discount, effect.lines) == (order_discount, lines)


def test_which_discounts_scale_units():
    fixed = parse_discount({"type": "FIXED", "fixed_amount": 1})
    assert scales_units(fixed, lists_items=True)
    assert not scales_units(fixed, lists_items=False)
    assert not scales_units(parse_discount({"type": "PERCENT", "percent_off": 1}), lists_items=True)


def test_an_amount_of_many_bundles_stays_countable():
    order = basket(*BASKET)
    effect = give(order, None, 100, type="AMOUNT", amount_off=2**53 - 1)
    assert effect.order_discount == order.total_amount
