"""Upgrades: units that are replaced by others, and what the customer gets for nothing by that."""

import pytest
from msgspec.structs import replace

from guerdon.engine import (
    DEFAULT_STACKING,
    CatalogItem,
    Order,
    OrderIn,
    OrderItemIn,
    Redeemable,
    allot,
    give_back,
    parse_discount,
    price_order,
    take_all,
    take_items,
)
from guerdon.engine.fault import EngineError
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.running import given_by, step_order
from guerdon.engine.terms import Terms

from .build import keys, run, terms
from .items import CATALOG, basket, chosen_of, give, product

BASKET = (("prod_apple", 3), ("prod_tea", 2), ("sku_pear_small", 1))
"""300, 1000 and 200."""


def upgrade(to: str = "prod_tea", units: int = 1) -> dict:
    return {"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": units, "unit_type": to}


def replaced(order, *included, to="prod_tea", units=1, bundles=None, **around):
    """Per pair (source, units, worth, target, units, worth, bonus)."""
    chosen = chosen_of(order, *included, bundles=bundles, **around)
    effect = give(order, chosen, bundles or 1, **upgrade(to, units))
    return [tuple(getattr(one, name) for name in one.__struct_fields__) for one in effect.replaced or ()]


def after(order: Order, *included, **discount) -> Order:
    effect = give(order, chosen_of(order, *included), **(upgrade() | discount))
    return step_order(order, effect, given_by(effect), stale=False)


def test_a_dearer_thing_comes_for_the_price_of_the_replaced_one():
    order = basket(*BASKET)
    done = after(order, product("prod_apple", quantity_limit=1))
    assert done.items is not None
    source, target = done.items[0], done.items[3]
    assert (source.quantity, source.amount, source.subtotal_amount) == (2, 200, 200)
    assert (source.initial_quantity, source.applied_quantity, source.applied_quantity_amount) == (3, -1, -100)
    assert (target.product_id, target.quantity, target.amount, target.discount_amount) == (
        "prod_tea", 1, 500, 400,
    )  # fmt: skip
    assert (target.initial_quantity, target.applied_quantity, target.applied_quantity_amount) == (0, 1, 500)
    assert (done.initial_amount, done.amount, done.items_discount_amount) == (1500, 1900, 400)
    assert done.total_amount == order.total_amount == 1500
    [told] = source.application_details or []
    assert target.application_details == [told]
    assert (told.source_index, told.target_index, told.target_applied_discount_amount) == (0, 3, 400)
    assert done.items[1].application_details is None


def test_a_cheaper_thing_is_no_discount_and_lowers_the_total():
    order = basket(*BASKET)
    done = after(order, product("prod_tea", quantity_limit=1), unit_type="prod_apple")
    assert (done.amount, done.total_discount_amount, done.total_amount) == (1100, 0, 1100)
    dearer = after(order, product("prod_tea", quantity_limit=1), unit_type="prod_apple", unit_off=7)
    assert (dearer.amount, dearer.total_discount_amount, dearer.total_amount) == (1700, 200, 1500)


def test_what_is_replaced_is_what_the_scope_chooses():
    order = basket(*BASKET)
    fruit = product("pc_fruit")
    assert replaced(order, fruit) == [(0, -3, -300, 3, 3, 1500, 1200), (2, -1, -200, 3, 1, 500, 300)]
    assert replaced(order, fruit | {"aggregated_quantity_limit": 2}) == [(0, -2, -200, 3, 2, 1000, 800)]
    assert replaced(order, fruit | {"effect": "APPLY_TO_MOST_EXPENSIVE"}) == [(2, -1, -200, 3, 1, 500, 300)]
    assert replaced(order, fruit | {"target": "UNIT", "repeat": 2})[0][:3] == (0, -2, -200)
    assert replaced(order, fruit, units=2)[1] == (2, -1, -200, 3, 2, 1000, 800)
    everything = replaced(order, excluded=[product("prod_apple")])
    assert [one[0] for one in everything] == [2], "and never a thing by itself"


def test_money_limits_bound_the_bonus_in_whole_units():
    order = basket(*BASKET)
    apple, pear = product("prod_apple"), product("sku_pear_small")
    assert replaced(order, apple | {"amount_limit": 900})[0][1] == -2
    assert replaced(order, apple | {"amount_limit": 399}) == []
    assert [one[1] for one in replaced(order, product("pc_fruit", aggregated_amount_limit=1300))] == [-3]
    capped = replaced(order, apple | {"aggregated_amount_limit": 400}, pear)
    assert [(one[0], one[1]) for one in capped] == [(0, -1), (2, -1)]


def test_bundles_multiply_the_units_that_may_be_replaced():
    order = basket(*BASKET)
    assert replaced(order, product("prod_apple"), bundles=1)[0][1] == -1
    assert replaced(order, product("prod_apple"), bundles=2) == [(0, -2, -200, 3, 2, 1000, 800)]
    assert replaced(order, product("prod_apple", quantity_limit=2), bundles=2)[0][1] == -3


def test_nothing_is_replaced_that_nobody_named():
    order = basket(*BASKET)
    assert give(order, None, **upgrade()).key == "order_rules_violated"
    assert give(order, chosen_of(order, everything=True), **upgrade()).key == "order_rules_violated"
    assert give(order, chosen_of(order, product("prod_x")), **upgrade()).key == "order_rules_violated"
    [outcome] = run(order, Terms(discount=parse_discount(upgrade()))).outcomes
    assert outcome.reason is not None and outcome.reason.key == "order_rules_violated"
    none = price_order(OrderIn(amount=500))
    assert give(none, None, **upgrade()).key == "missing_order_items"


def test_prices_must_be_known_on_both_sides():
    order = basket(*BASKET)
    apple = chosen_of(order, product("prod_apple"))
    assert give(order, apple, **upgrade("prod_unknown")).key == "missing_order_items_amount"
    unpriced = price_order(OrderIn(items=[OrderItemIn(product_id="prod_free", quantity=2)]), CATALOG)
    chosen = chosen_of(unpriced, product("prod_free"))
    assert give(unpriced, chosen, **upgrade()).key == "missing_order_items_amount"
    same = give(order, chosen_of(order, product("prod_tea")), **upgrade())
    assert (same.lines, same.added, same.replaced) == ([], None, None)
    given = basket(("prod_apple", 2, 0))
    assert replaced(given, product("prod_apple")) == [(0, -2, 0, 1, 2, 1000, 1000)]


def test_a_line_keeps_what_was_taken_off_it_before():
    items = [OrderItemIn(product_id="prod_apple", quantity=3, price=100, discount_amount=150)]
    order = price_order(OrderIn(items=items), CATALOG)
    done = after(order, product("prod_apple"))
    assert done.items is not None
    assert (done.items[0].quantity, done.items[0].amount, done.items[0].subtotal_amount) == (2, 200, 50)
    assert (done.items[0].discount_amount, done.total_amount) == (150, 150)


def test_free_units_stay_even_when_they_cost_nothing():
    order = basket(("prod_apple", 3, 0))
    gift = Redeemable(id="B", terms=terms("UNIT", unit_off=2, unit_type="prod_apple"))
    final = run(order, redeemables=[gift, _code("A", [product("prod_apple")])], catalog=GOODS).order
    assert final is not None and final.items is not None
    assert [(item.quantity, item.discount_quantity) for item in final.items] == [(2, 2), (1, 0)]


def test_a_cheaper_thing_never_brings_the_order_below_nothing():
    order = basket(("prod_tea", 2), discount_amount=700)
    done = after(order, product("prod_tea"), unit_type="prod_apple")
    assert (done.amount, done.total_amount) == (1000, 300), "one would make 600, less than the 700 off"
    order = basket(("prod_tea", 3), discount_amount=700)
    done = after(order, product("prod_tea"), unit_type="prod_apple")
    assert (done.amount, done.total_amount) == (700, 0), "two may go, three may not"


def _code(name: str, included: list, **discount) -> Redeemable:
    rules = (parse_rule_set({"applicable_to": {"included": included, "excluded": []}}),)
    return Redeemable(id=name, terms=Terms(discount=parse_discount(upgrade() | discount)), rules=rules)


GOODS = (
    CatalogItem(object="product", id="prod_tea", price=500),
    CatalogItem(object="product", id="prod_gold", price=900),
)


def test_upgrades_stack_and_leave_alone_what_came_by_one():
    order = basket(("prod_apple", 2))
    first = _code("A", [product("prod_apple", quantity_limit=1)])
    second = _code("B", [product("prod_apple"), product("prod_tea")], unit_type="prod_gold")
    decision = run(order, redeemables=[first, second], catalog=GOODS, explain=True)
    assert keys(decision) == [None, None]
    final = decision.order
    assert final is not None and final.items is not None
    assert [item.quantity for item in final.items] == [0, 1, 1]
    assert [item.discount_amount for item in final.items] == [0, 400, 800]
    assert [item.applied_quantity for item in final.items] == [-2, 1, 1]
    assert [len(item.application_details or ()) for item in final.items] == [2, 1, 1]
    assert final.total_amount == order.total_amount
    assert [step.step for step in decision.outcomes[0].steps or ()] == ["replaced_units"]


@pytest.mark.parametrize("limit", [1, 2])
def test_taking_everything_back_restores_the_order(limit):
    order = basket(*BASKET)
    decision = run(
        order, redeemables=[_code("A", [product("prod_apple", quantity_limit=limit)])], catalog=GOODS
    )
    [outcome] = decision.outcomes
    back = take_all(allot(outcome.given, outcome.order))
    assert back.total == 400 * limit
    restored = give_back(outcome.order, back)
    assert restored.items is not None and order.items is not None
    assert (restored.amount, restored.total_amount, restored.total_discount_amount) == (1500, 1500, 0)
    assert [(i.quantity, i.amount, i.subtotal_amount) for i in restored.items] == [
        *((i.quantity, i.amount, i.subtotal_amount) for i in order.items),
        (0, 0, 0),
    ]
    assert all(item.application_details is None for item in restored.items)


def test_what_others_took_off_keeps_the_goods_where_they_are():
    order = basket(("prod_apple", 1))
    tenth = Redeemable(id="B", terms=terms("PERCENT", percent_off=50, effect="APPLY_TO_ITEMS"))
    upgraded = _code("A", [product("prod_apple")])
    decision = run(order, redeemables=[upgraded, tenth], catalog=GOODS)
    first, second = decision.outcomes
    assert decision.order is not None and decision.order.total_amount == 50
    allotments = [allot(first.given, first.order), allot(second.given, second.order)]
    alone = give_back(decision.order, take_all(allotments[0]))
    assert alone.items is not None
    assert [(i.quantity, i.amount, i.discount_amount) for i in alone.items] == [(0, 0, 0), (1, 500, 50)]
    assert alone.total_amount == 450
    newest_first = give_back(give_back(decision.order, take_all(allotments[1])), take_all(allotments[0]))
    assert (newest_first.amount, newest_first.total_amount) == (100, 100)


def test_parts_of_an_upgrade_come_back_by_units_of_what_came():
    order = basket(("prod_apple", 3))
    [outcome] = run(order, redeemables=[_code("A", [product("prod_apple")])], catalog=GOODS).outcomes
    allotment = allot(outcome.given, outcome.order)
    assert take_items(allotment, [(1, 1)]).total == 400
    with pytest.raises(EngineError):
        take_items(allotment, [(0, 1)])


def test_an_upgrade_may_not_be_listed_among_many():
    with pytest.raises(EngineError) as caught:
        parse_discount(
            {"type": "UNIT", "units": [{"unit_off": 1, "unit_type": "x", "effect": "REPLACE_ITEMS"}]}
        )
    assert caught.value.path == "discount.units[0].effect"
    with pytest.raises(EngineError) as caught:
        parse_discount({"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": 1})
    assert caught.value.path == "discount.unit_type"


def test_the_margin_floor_holds_for_cheaper_things_too():
    order = basket(("prod_tea", 2))
    cheaper = _code("A", [product("prod_tea")], unit_type="prod_apple")
    floor = replace(DEFAULT_STACKING, margin_floor_percent=50)
    catalog = (CatalogItem(object="product", id="prod_apple", price=100),)
    assert keys(run(order, redeemables=[cheaper], catalog=catalog, stacking=floor)) == [
        "margin_floor_reached"
    ]
    assert keys(run(order, redeemables=[cheaper], catalog=catalog)) == [None]
