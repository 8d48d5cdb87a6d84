"""Discounts with formulas: what is stored, what is reckoned with, and what is told when a formula fails."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from guerdon.engine import EngineError, Redeemable, Terms, parse_discount, parse_terms
from guerdon.engine.discount import AmountOff, FixedAmount, PercentOff, UnitOff
from guerdon.engine.formed import formed, names_asked
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.situation import Person, Situation

from .build import cart, line_discounts, run, terms

ORDER = cart((1000, 3), (3000, 1))
SITUATION = Situation(
    now=datetime(2026, 6, 1, 12, tzinfo=UTC),
    zone=ZoneInfo("Europe/Warsaw"),
    order=ORDER,
    initial=ORDER,
    customer=Person(id="cust_1", metadata={"age": 27}),
)
CODE = Redeemable(id="CODE", terms=Terms())
UNIT = {"type": "UNIT", "unit_type": "prod_0"}
MANY = {"type": "UNIT", "effect": "ADD_MANY_ITEMS"}


def form(steps=None, bundles=None, **fields):
    return formed(parse_discount(fields), SITUATION, CODE, steps, bundles)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"type": "AMOUNT", "amount_off_formula": "1 +"}, "discount.amount_off_formula"),
        ({"type": "AMOUNT", "amount_off": 5, "amount_off_formula": 5}, "discount.amount_off_formula"),
        ({"type": "AMOUNT", "amount_off": -5, "amount_off_formula": "5"}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": False, "amount_off_formula": "5"}, "discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": 5, "percent_off_formula": "5"}, "discount.percent_off_formula"),
        ({"type": "AMOUNT", "aggregated_amount_limit_formula": "5"}, "discount.amount_off"),
        ({"type": "FIXED", "fixed_amount_formula": "("}, "discount.fixed_amount_formula"),
        ({"type": "PERCENT", "percent_off": 5, "amount_limit_formula": ")"}, "discount.amount_limit_formula"),
        (UNIT | {"unit_off_formula": "MIN()"}, "discount.unit_off_formula"),
        (MANY | {"unit_off_formula": "1", "units": [UNIT]}, "discount.unit_off_formula"),
        (
            MANY | {"units": [UNIT | {"unit_off": 1}, UNIT | {"unit_off_formula": "'"}]},
            "discount.units[1].unit_off_formula",
        ),
        (MANY | {"units": [UNIT]}, "discount.units[0].unit_off"),
    ],
)
def test_a_wrong_formula_names_its_place(raw, path):
    with pytest.raises(EngineError) as caught:
        parse_discount(raw)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "AMOUNT", "amount_off": 500, "amount_off_formula": "ORDER_AMOUNT / 10"},
        {"type": "AMOUNT", "amount_off": 500, "aggregated_amount_limit_formula": "20"},
        {"type": "AMOUNT", "amount_off_formula": "5"},
        {
            "type": "PERCENT",
            "percent_off_formula": "5",
            "amount_limit_formula": "9",
            "aggregated_amount_limit": 9,
        },
        {"type": "PERCENT", "percent_off": 12.5, "aggregated_amount_limit_formula": "9"},
        {"type": "FIXED", "fixed_amount_formula": "5"},
        {"type": "FIXED", "fixed_amount": 0, "fixed_amount_formula": "5", "effect": "APPLY_TO_ITEMS"},
        UNIT | {"unit_off_formula": "5"},
        MANY | {"units": [{"unit_type": "prod_1", "unit_off_formula": "5", "effect": "ADD_NEW_ITEMS"}]},
    ],
)
def test_formulas_are_stored_beside_the_values_and_come_back(raw):
    discount = parse_discount(raw)
    wire = msgspec.json.Encoder(decimal_format="number").encode(Terms(discount=discount))
    plain = msgspec.json.decode(wire)
    assert plain["discount"] == raw | {"is_dynamic": True}
    assert parse_terms(wire).discount == parse_terms(plain).discount == discount
    assert parse_discount(plain["discount"]) == discount


def test_a_discount_without_formulas_is_left_alone():
    for raw in ({"type": "AMOUNT", "amount_off": 500}, {"type": "PERCENT", "percent_off": 5}):
        discount = parse_discount(raw | {"is_dynamic": True})
        assert not discount.is_dynamic
        assert formed(discount, SITUATION, CODE, []) is discount


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "AMOUNT", "amount_off_formula": "ORDER_AMOUNT / 7"}, AmountOff(amount_off=857)),
        ({"type": "AMOUNT", "amount_off_formula": "10 - 20"}, AmountOff(amount_off=0)),
        ({"type": "AMOUNT", "amount_off_formula": "POW(10; 30)"}, AmountOff(amount_off=2**53 - 1)),
        ({"type": "AMOUNT", "amount_off": 7, "amount_off_formula": "1 / 0"}, AmountOff(amount_off=7)),
        ({"type": "AMOUNT", "amount_off": 0, "amount_off_formula": "1 / 0"}, AmountOff(amount_off=0)),
        (
            {
                "type": "AMOUNT",
                "amount_off": 9,
                "aggregated_amount_limit_formula": 'CUSTOMER_METADATA("age")',
            },
            AmountOff(amount_off=9, aggregated_amount_limit=2700),
        ),
        (
            {
                "type": "AMOUNT",
                "amount_off": 9,
                "aggregated_amount_limit": 5,
                "aggregated_amount_limit_formula": "X",
            },
            AmountOff(amount_off=9, aggregated_amount_limit=5),
        ),
        (
            {"type": "AMOUNT", "amount_off": 9, "aggregated_amount_limit_formula": "X"},
            AmountOff(amount_off=9, aggregated_amount_limit=0),
        ),
        ({"type": "PERCENT", "percent_off_formula": "100 / 8"}, PercentOff(percent_off=Decimal("12.5"))),
        ({"type": "PERCENT", "percent_off_formula": "10 / 3"}, PercentOff(percent_off=Decimal("3.33"))),
        ({"type": "PERCENT", "percent_off_formula": "250"}, PercentOff(percent_off=Decimal(100))),
        ({"type": "PERCENT", "percent_off_formula": "-1"}, PercentOff(percent_off=Decimal(0))),
        (
            {"type": "PERCENT", "percent_off": 5, "amount_limit_formula": "0.5"},
            PercentOff(percent_off=Decimal(5), amount_limit=50),
        ),
        ({"type": "FIXED", "fixed_amount_formula": "1.06"}, FixedAmount(fixed_amount=106)),
        ({"type": "FIXED", "fixed_amount_formula": "X"}, FixedAmount()),
        (
            UNIT | {"unit_off_formula": 'CUSTOMER_METADATA("age") / 5'},
            UnitOff(unit_off=5, unit_type="prod_0"),
        ),
        (UNIT | {"unit_off_formula": "POW(10; 9)"}, UnitOff(unit_off=10**6, unit_type="prod_0")),
        (UNIT | {"unit_off_formula": "X"}, UnitOff(unit_off=0, unit_type="prod_0")),
    ],
)
def test_formulas_become_plain_values_within_their_bounds(fields, expected):
    assert form(**fields) == expected


def test_things_of_which_there_are_none_are_not_given():
    units = [
        UNIT | {"unit_off_formula": "0.9"},
        {"unit_type": "prod_1", "unit_off": 2, "unit_off_formula": "X"},
    ]
    made = form(**MANY, units=units)
    assert [(unit.unit_type, unit.unit_off) for unit in made.units] == [("prod_1", 2)]


def test_each_step_is_told():
    steps = []
    form(
        steps,
        type="AMOUNT",
        amount_off=100,
        amount_off_formula="5 / 2",
        aggregated_amount_limit_formula="NOBODY",
    )
    assert [msgspec.to_builtins(step) for step in steps] == [
        {
            "step": "formula",
            "result": 250,
            "facts": {"value": "amount_off", "formula": "5 / 2", "comes_to": "2.5", "taken": 250},
        },
        {
            "step": "formula_fallback",
            "result": 0,
            "facts": {
                "value": "aggregated_amount_limit",
                "formula": "NOBODY",
                "why": "unknown name NOBODY",
                "fallback": 0,
            },
        },
    ]
    steps = []
    form(steps, type="FIXED", fixed_amount_formula="1 / 0")
    assert steps[0].facts["why"] == "division by zero"
    assert steps[0].facts["fallback"] is None and steps[0].result is None


def test_a_value_of_each_line():
    steps = []
    made = form(
        steps, type="AMOUNT", amount_off=1, effect="APPLY_TO_ITEMS", amount_off_formula="ORDER_ITEM_PRICE / 4"
    )
    assert made == AmountOff(amount_off=1, effect="APPLY_TO_ITEMS", by_line={0: 250, 1: 750})
    assert [(step.line, step.result) for step in steps] == [(0, 250), (1, 750)]
    whole = form(type="AMOUNT", amount_off=1, amount_off_formula="ORDER_ITEM_PRICE / 4")
    assert whole == AmountOff(amount_off=1)


@pytest.mark.parametrize(
    ("fields", "order_off", "lines"),
    [
        ({"kind": "AMOUNT", "amount_off": 1, "amount_off_formula": "ORDER_AMOUNT * 0.1"}, 600, [0, 0]),
        ({"kind": "AMOUNT", "amount_off": 1, "amount_off_formula": 'CUSTOMER_METADATA("x")'}, 1, [0, 0]),
        ({"kind": "AMOUNT", "amount_off_formula": 'CUSTOMER_METADATA("x")'}, 0, [0, 0]),
        ({"kind": "FIXED", "fixed_amount_formula": "NOBODY"}, 0, [0, 0]),
        ({"kind": "FIXED", "fixed_amount_formula": "NOBODY", "effect": "APPLY_TO_ITEMS"}, 0, [0, 0]),
        (
            {"kind": "AMOUNT", "amount_off_formula": "ORDER_ITEM_PRICE / 4", "effect": "APPLY_TO_ITEMS"},
            0,
            [250, 750],
        ),
        (
            {
                "kind": "AMOUNT",
                "amount_off_formula": "ORDER_ITEM_PRICE / 4",
                "effect": "APPLY_TO_ITEMS_BY_QUANTITY",
            },
            0,
            [750, 750],
        ),
        (
            {
                "kind": "PERCENT",
                "percent_off_formula": "IF(ORDER_ITEM_UNITS_QUANTITY > 2; 10; 5)",
                "effect": "APPLY_TO_ITEMS",
            },
            0,
            [300, 150],
        ),
        (
            {"kind": "FIXED", "fixed_amount_formula": "ORDER_ITEM_PRICE * 0.8", "effect": "APPLY_TO_ITEMS"},
            0,
            [600, 600],
        ),
    ],
)
def test_what_comes_off_an_order(fields, order_off, lines):
    kind = fields.pop("kind")
    order = run(ORDER, terms(kind, **fields)).order
    assert (order.discount_amount, line_discounts(order)) == (order_off, lines)


def test_what_formulas_ask_for_is_known_beforehand():
    raw = {
        "type": "PERCENT",
        "percent_off_formula": 'CUSTOMER_METADATA("age")',
        "amount_limit_formula": "TODAY",
    }
    assert names_asked(parse_discount(raw)) == {"CUSTOMER_METADATA", "TODAY"}
    many = MANY | {"units": [UNIT | {"unit_off_formula": "VOUCHER_PUBLISH_COUNT"}]}
    assert names_asked(parse_discount(many)) == {"VOUCHER_PUBLISH_COUNT"}
    assert (
        names_asked(parse_discount({"type": "FIXED", "fixed_amount": 5})) == names_asked(None) == frozenset()
    )


def test_all_lines_together_may_look_at_so_much_only():
    order = cart(*[(1000, 1)] * 500, metadata={"list": [str(number) for number in range(400)]})
    situation = Situation(now=SITUATION.now, zone=SITUATION.zone, order=order, initial=order)
    text = 'IF("none" IN_ARRAY ORDER_METADATA("list"); 1; ORDER_ITEM_PRICE / 4)'
    raw = {"type": "AMOUNT", "amount_off": 1, "effect": "APPLY_TO_ITEMS", "amount_off_formula": text}
    steps = []
    made = formed(parse_discount(raw), situation, CODE, steps)
    assert made.by_line[0] == 250 and made.by_line[499] == 1
    assert steps[-1].facts["why"] == "too large: the formula looks at too much"
    assert formed(parse_discount(raw), situation, CODE).by_line == made.by_line
    # What is found out about the order is found out once, so that many lines cost no more for it.
    cheap = "IF(ORDER_ITEM_PRICE = CHEAPEST_ORDER_ITEM_PRICE; ORDER_UNITS_QUANTITY / 100; 0)"
    made = formed(parse_discount(raw | {"amount_off_formula": cheap}), situation, CODE)
    assert set(made.by_line.values()) == {500}


@pytest.mark.parametrize(("bundle", "off"), [(True, 800), (False, 100)])
def test_bundles_are_counted_for_formulas(bundle, off):
    parts = {
        "1": {
            "name": "order.items.any",
            "conditions": {"$is": [{"id": "prod_0", "type": "product_or_sku", "object": "product"}]},
        }
    }
    rules = (parse_rule_set({"bundle_rules": parts | {"limit": 5}}, id="val_1"),) if bundle else ()
    code = Redeemable(
        id="CODE",
        terms=terms(
            "AMOUNT", amount_off=100, amount_off_formula="order.bundle.quantity * 2", effect="APPLY_TO_ORDER"
        ),
        rules=rules,
    )
    order = run(cart((1000, 2)), redeemables=[code]).order
    assert order.discount_amount == off


def test_the_cap_of_each_line_has_its_own_value_of_a_formula_that_looks_at_lines():
    capped = {"percent_off": 50, "amount_limit_formula": "ORDER_ITEM_PRICE / 10", "effect": "APPLY_TO_ITEMS"}
    made = form(type="PERCENT", **capped)
    assert (made.amount_limit, made.limit_by_line) == (None, {0: 100, 1: 300})
    assert line_discounts(run(ORDER, terms("PERCENT", **capped)).order) == [100, 300]
    both = capped | {"percent_off_formula": "ORDER_ITEM_PRICE"}
    assert line_discounts(run(ORDER, terms("PERCENT", **both)).order) == [100, 300]
    steps = []
    missing = capped | {"amount_limit": 70, "amount_limit_formula": 'ORDER_ITEM_METADATA("cap")'}
    assert form(steps, type="PERCENT", **missing).limit_by_line == {0: 70, 1: 70}
    assert [(step.step, step.line) for step in steps] == [("formula_fallback", 0), ("formula_fallback", 1)]
    plain = capped | {"amount_limit_formula": "ORDER_AMOUNT / 100"}
    assert (form(type="PERCENT", **plain).amount_limit, form(type="PERCENT", **plain).limit_by_line) == (
        60,
        None,
    )
    whole = capped | {"effect": "APPLY_TO_ORDER"}
    assert form(type="PERCENT", **whole).limit_by_line is None


def test_a_scope_makes_the_cap_one_of_lines():
    rules = (parse_rule_set({"applicable_to": {"included": [{"object": "product", "id": "prod_1"}]}}),)
    capped = terms("PERCENT", percent_off=50, amount_limit_formula="ORDER_ITEM_PRICE / 10")
    asked = [Redeemable(id="A", terms=capped, rules=rules)]
    assert line_discounts(run(ORDER, redeemables=asked).order) == [0, 300]


def _pairs(discount, scaling=None, included=None, limit=None):
    """A code for every two of prod_0; the cart has three of it, at 10.00, and one at 30.00."""
    one = {"object": "product", "id": "prod_0", "type": "product_or_sku"}
    bundle = {
        "1": {"name": "order.items.any", "conditions": {"$is": [one]}},
        "limit": limit,
        "scaling": scaling,
    }
    raw = {"bundle_rules": bundle, "applicable_to": {"included": included or []}}
    asked = Redeemable(id="A", terms=Terms(discount=parse_discount(discount)), rules=(parse_rule_set(raw),))
    [outcome] = run(ORDER, redeemables=[asked]).outcomes
    assert outcome.given is not None and outcome.bundle is not None and outcome.bundle["quantity"] == 3
    return outcome.given.total


@pytest.mark.parametrize(
    ("discount", "multiplied", "fixed"),
    [
        ({"type": "AMOUNT", "amount_off": 100}, 300, 100),
        ({"type": "PERCENT", "percent_off": 10}, 1800, 600),
        ({"type": "AMOUNT", "amount_off_formula": "order.bundle.quantity"}, 900, 300),
        ({"type": "UNIT", "unit_off": 1, "unit_type": "prod_0", "effect": "ADD_NEW_ITEMS"}, 3000, 1000),
        ({"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, 400, 200),
        ({"type": "FIXED", "fixed_amount": 900, "effect": "APPLY_TO_ITEMS"}, 2400, 2200),
    ],
)
def test_bundles_multiply_a_discount_unless_scaling_is_fixed(discount, multiplied, fixed):
    assert _pairs(discount) == _pairs(discount, "MULTIPLIED") == multiplied
    assert _pairs(discount, "FIXED") == fixed


def test_formulas_of_limits_see_the_bundles_whatever_the_scaling():
    each = {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}
    some = [{"object": "product", "id": "prod_0", "quantity_limit_formula": "order.bundle.quantity - 1"}]
    assert _pairs(each, "FIXED", some) == 200
    percent = {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ITEMS"}
    assert _pairs(percent, "FIXED", some) == 200
