"""Every effect of AMOUNT, PERCENT and FIXED, reckoned by hand."""

import pytest
from msgspec.structs import replace

from guerdon.engine import DEFAULT_STACKING, OrderIn, OrderItemIn, price_order

from .build import cart, keys, line_discounts, run, terms

BASKET = ((3000, 1), (1500, 2), (250, 4))  # 3000 + 3000 + 1000 = 7000


@pytest.mark.parametrize(
    ("percent", "amount", "off"),
    [(10, 11499, 1150), (3, 50350, 1511), (3, 103350, 3101), (12.5, 1000, 125), (0.01, 5000, 1), (100, 7, 7)],
)
def test_a_percentage_of_the_order_is_rounded_half_up(percent, amount, off):
    decision = run(cart((amount, 1)), terms("PERCENT", percent_off=percent))
    assert decision.order.discount_amount == off
    assert decision.order.total_amount == amount - off


def test_three_hundred_is_shared_as_the_recorded_answer_shows():
    order = cart((3300, 1), (1700, 2))
    discounted = run(order, terms("AMOUNT", amount_off=300, effect="APPLY_TO_ITEMS_PROPORTIONALLY")).order
    assert line_discounts(discounted) == [148, 152]
    assert [item.subtotal_amount for item in discounted.items] == [3152, 3248]
    assert (discounted.items_discount_amount, discounted.total_amount) == (300, 6400)


@pytest.mark.parametrize(
    ("fields", "order_discount", "lines"),
    [
        ({"type": "AMOUNT", "amount_off": 900}, 900, [0, 0, 0]),
        ({"type": "AMOUNT", "amount_off": 9000}, 7000, [0, 0, 0]),
        ({"type": "AMOUNT", "amount_off": 900, "aggregated_amount_limit": 800}, 800, [0, 0, 0]),
        ({"type": "AMOUNT", "amount_off": 1200, "effect": "APPLY_TO_ITEMS"}, 0, [1200, 1200, 1000]),
        ({"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, 0, [300, 600, 1000]),
        (
            {"type": "AMOUNT", "amount_off": 700, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            0,
            [300, 300, 100],
        ),
        (
            {"type": "AMOUNT", "amount_off": 99999, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
            0,
            [3000, 3000, 1000],
        ),
        (
            {"type": "AMOUNT", "amount_off": 700, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
            0,
            [100, 200, 400],
        ),
        (
            # 4200 by 1:2:4 would be 600, 1200, 2400; line three holds 1000, its 1400 go to the others.
            {"type": "AMOUNT", "amount_off": 4200, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
            0,
            [1067, 2133, 1000],
        ),
        (
            {
                "type": "AMOUNT",
                "amount_off": 1200,
                "effect": "APPLY_TO_ITEMS",
                "aggregated_amount_limit": 2000,
            },
            0,
            [1200, 800, 0],
        ),
        (
            {
                "type": "AMOUNT",
                "amount_off": 7000,
                "effect": "APPLY_TO_ITEMS_PROPORTIONALLY",
                "aggregated_amount_limit": 700,
            },
            0,
            [300, 300, 100],
        ),
        ({"type": "PERCENT", "percent_off": 50, "amount_limit": 2500}, 2500, [0, 0, 0]),
        ({"type": "PERCENT", "percent_off": 50, "aggregated_amount_limit": 1000}, 1000, [0, 0, 0]),
        ({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"}, 0, [1500, 1500, 500]),
        (
            {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS", "amount_limit": 700},
            0,
            [700, 700, 500],
        ),
        (
            {
                "type": "PERCENT",
                "percent_off": 50,
                "effect": "APPLY_TO_ITEMS",
                "aggregated_amount_limit": 1600,
            },
            0,
            [1500, 100, 0],
        ),
        ({"type": "FIXED", "fixed_amount": 6000}, 1000, [0, 0, 0]),
        ({"type": "FIXED", "fixed_amount": 8000}, 0, [0, 0, 0]),
        ({"type": "FIXED", "fixed_amount": 0}, 7000, [0, 0, 0]),
        ({"type": "FIXED", "fixed_amount": 1000, "effect": "APPLY_TO_ITEMS"}, 0, [2000, 1000, 0]),
        ({"type": "FIXED", "fixed_amount": 0, "effect": "APPLY_TO_ITEMS"}, 0, [3000, 3000, 1000]),
    ],
)
def test_every_effect_by_hand(fields, order_discount, lines):
    kind = fields.pop("type")
    decision = run(cart(*BASKET), terms(kind, **fields))
    order = decision.order
    assert decision.valid
    assert order.discount_amount == order_discount
    assert line_discounts(order) == lines
    assert order.total_discount_amount == order_discount + sum(lines)
    assert order.total_amount == 7000 - order_discount - sum(lines)
    given = decision.outcomes[0].given
    assert given.order_discount == order_discount
    assert given.line_discounts == [(index, off) for index, off in enumerate(lines) if off]
    assert given.total == order_discount + sum(lines)


def test_a_line_of_700_with_1000_off_gives_700():
    assert line_discounts(
        run(cart((700, 1)), terms("AMOUNT", amount_off=1000, effect="APPLY_TO_ITEMS")).order
    ) == [700]


def test_two_lines_of_one_product_are_both_discounted():
    items = [OrderItemIn(product_id="prod_a", price=1000, quantity=n) for n in (1, 2)]
    order = price_order(OrderIn(items=items))
    assert line_discounts(run(order, terms("AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS")).order) == [
        100,
        100,
    ]


def test_a_percentage_is_of_what_is_left_unless_the_project_says_otherwise():
    order, third = cart((2700, 1)), terms("AMOUNT", amount_off=1800)
    running = run(order, third, terms("PERCENT", percent_off=40)).order
    assert running.discount_amount == 1800 + 360  # 40 % of 900
    initial = replace(DEFAULT_STACKING, discount_calculation_mode="INITIAL_AMOUNT")
    assert (
        run(order, third, terms("PERCENT", percent_off=30), stacking=initial).order.discount_amount
        == 1800 + 810
    )
    assert run(order, third, terms("PERCENT", percent_off=40), stacking=initial).order.total_amount == 0


def test_the_initial_amount_of_lines_is_before_discounts():
    initial = replace(DEFAULT_STACKING, discount_calculation_mode="INITIAL_AMOUNT")
    half = terms("PERCENT", percent_off=40, effect="APPLY_TO_ITEMS")
    assert line_discounts(run(cart((1000, 1)), half, half, stacking=initial).order) == [800]
    assert line_discounts(run(cart((1000, 1)), half, half).order) == [640]
    assert line_discounts(run(cart((1000, 1)), half, half, half, stacking=initial).order) == [1000]


def test_a_percentage_of_the_initial_amount_takes_no_more_than_its_line_still_costs():
    initial = replace(DEFAULT_STACKING, discount_calculation_mode="INITIAL_AMOUNT")
    first = terms("AMOUNT", amount_off=900, effect="APPLY_TO_ITEMS")
    half = terms("PERCENT", percent_off=50, effect="APPLY_TO_ITEMS")
    order = run(cart((1000, 1), (5000, 1)), first, half, stacking=initial).order
    assert line_discounts(order) == [1000, 3400]


def test_a_line_discount_leaves_no_negative_total_behind_a_discount_on_the_order():
    decision = run(
        cart((600, 1), (400, 1)),
        terms("PERCENT", percent_off=90),
        terms("PERCENT", percent_off=50, effect="APPLY_TO_ITEMS"),
    )
    assert (decision.order.discount_amount, line_discounts(decision.order)) == (900, [100, 0])
    assert decision.order.total_amount == 0


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"type": "PERCENT", "percent_off": 5}, "missing_amount"),
        ({"type": "AMOUNT", "amount_off": 5}, "missing_amount"),
        ({"type": "FIXED", "fixed_amount": 5}, "missing_amount"),
        ({"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ITEMS"}, "missing_order_items"),
        ({"type": "AMOUNT", "amount_off": 5, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, "missing_order_items"),
        ({"type": "FIXED", "fixed_amount": 5, "effect": "APPLY_TO_ITEMS"}, "missing_order_items"),
        ({"type": "UNIT", "unit_off": 1, "effect": "ADD_SAME_ITEMS"}, "missing_order_items"),
    ],
)
def test_an_empty_order_says_what_it_lacks(fields, key):
    decision = run(price_order(OrderIn()), terms(fields.pop("type"), **fields))
    assert not decision.valid
    assert keys(decision) == [key]


@pytest.mark.parametrize("effect", ["APPLY_TO_ITEMS", "APPLY_TO_ITEMS_PROPORTIONALLY"])
def test_lines_without_amounts_are_told_apart_from_no_lines(effect):
    order = price_order(OrderIn(amount=500, items=[OrderItemIn(source_id="a")]))
    assert keys(run(order, terms("AMOUNT", amount_off=5, effect=effect))) == ["missing_order_items_amount"]


def test_an_amount_alone_is_enough_for_a_discount_on_the_order():
    order = run(price_order(OrderIn(amount=1000)), terms("PERCENT", percent_off=15)).order
    assert (order.amount, order.discount_amount, order.total_amount, order.items) == (1000, 150, 850, None)


def test_without_an_order_the_code_is_simply_used():
    decision = run(None, terms("PERCENT", percent_off=15), terms("UNIT", unit_off=1, unit_type="prod_x"))
    assert decision.valid and decision.order is None
    assert [(o.status, o.given, o.order) for o in decision.outcomes] == [("APPLICABLE", None, None)] * 2
