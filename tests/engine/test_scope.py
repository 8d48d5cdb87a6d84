"""Which lines and units a scope chooses, by hand."""

import pytest

from guerdon.engine.fault import EngineError
from guerdon.engine.order import OrderIn, OrderItem, OrderItemIn, ProductRef, SkuRef, price_order
from guerdon.engine.resolved import definition
from guerdon.engine.scope import Cap, budget_keys, choose, matches_item, parse_scope

from .items import FRUIT, VOUCHER, basket, chosen_of, product, situation, units_of

MIXED = (("prod_tea", 1), ("prod_apple", 4), ("sku_pear_small", 2), ("prod_pear", 3))


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], "applicable_to"),
        ({"included": "prod_1"}, "applicable_to.included"),
        ({"included_all": "yes"}, "applicable_to.included_all"),
        ({"included": [7]}, "applicable_to.included[0]"),
        ({"included": [{"object": "thing", "id": "x"}]}, "applicable_to.included[0].object"),
        ({"included": [{"object": "product"}]}, "applicable_to.included[0].id"),
        (
            {"included": [{"object": "products_collection", "source_id": "x"}]},
            "applicable_to.included[0].id",
        ),
        ({"excluded": [product("prod_1"), {"object": "sku", "id": 5}]}, "applicable_to.excluded[1].id"),
        ({"included": [product("prod_1", effect="APPLY_TO_SOME")]}, "applicable_to.included[0].effect"),
        ({"included": [product("prod_1", target="LINE")]}, "applicable_to.included[0].target"),
        ({"included": [product("prod_1", repeat=0)]}, "applicable_to.included[0].repeat"),
        ({"included": [product("prod_1", skip_initially=-1)]}, "applicable_to.included[0].skip_initially"),
        ({"included": [product("prod_1", quantity_limit=0)]}, "applicable_to.included[0].quantity_limit"),
        ({"included": [product("prod_1", quantity_limit=1.5)]}, "applicable_to.included[0].quantity_limit"),
        ({"included": [product("prod_1", amount_limit=True)]}, "applicable_to.included[0].amount_limit"),
        ({"included": [product("prod_1", price=-1)]}, "applicable_to.included[0].price"),
        ({"included": [product("prod_1", price=10**400)]}, "applicable_to.included[0].price"),
        (
            {"included": [product("prod_1", price_formula="1 +")]},
            "applicable_to.included[0].price_formula",
        ),
        (
            {"included": [product("prod_1", product_in_collection_campaign_quantity_limit=5)]},
            "applicable_to.included[0].product_in_collection_campaign_quantity_limit",
        ),
        ({"included": [product("prod_1")] * 501}, "applicable_to.included"),
        ({"excluded": [product("pc_1")] * 51}, "applicable_to.excluded"),
    ],
)
def test_a_faulty_scope_names_the_place(raw, path):
    with pytest.raises(EngineError) as caught:
        parse_scope(raw)
    assert caught.value.path == path
    assert caught.value.message


def test_a_definition_comes_back_as_it_was_sent():
    entry = {
        "object": "products_collection",
        "id": "pc_fruit",
        "strict": False,
        "price": 0,
        "price_formula": "ORDER_ITEM_PRICE / 2",
        "quantity_limit": 2,
        "effect": "APPLY_FROM_CHEAPEST",
        "product_in_collection_customer_promotion_tier_quantity_limit": 3,
        "product_campaign_quantity_limit_formula": "10",
        "skip_initially": 1,
        "repeat": 2,
        "target": "UNIT",
    }
    scope = parse_scope({"included": [entry | {"amount_limit": None, "unheard_of": 1}]})
    assert definition(scope.included[0]) == entry
    assert scope.collections == {"pc_fruit"}
    assert scope.lists_items
    assert not parse_scope({"included": [], "excluded": [], "included_all": True}).lists_items


@pytest.mark.parametrize(
    ("object", "id", "source_id", "expected"),
    [
        ("product", "prod_pear", None, [2, 3]),
        ("product", None, "pear", [2, 3]),
        ("product", "pear", None, [2, 3]),
        ("sku", "sku_pear_small", None, [2]),
        ("sku", None, "pear-s", [2]),
        ("sku", "prod_pear", None, []),
        ("product", "sku_pear_small", None, []),
        ("product_or_sku", "sku_pear_small", None, [2]),
        ("product_or_sku", "prod_pear", None, [2, 3]),
        ("products_collection", "pc_fruit", None, [1, 2]),
        ("products_collection", "pc_gone", None, []),
        ("product", None, None, []),
    ],
)
def test_what_a_name_means(object, id, source_id, expected):
    lines = basket(*MIXED).items
    seen = [
        line
        for line, item in enumerate(lines)
        if matches_item(object, id, source_id, item, {"pc_fruit": FRUIT})
    ]
    assert seen == expected


def test_things_nobody_stored_are_known_by_what_is_sent():
    item = OrderItem(source_id="mug", related_object="sku")
    assert matches_item("sku", None, "mug", item, {})
    assert not matches_item("product", None, "mug", item, {})
    named = OrderItem(product=ProductRef(source_id="cup"), sku=SkuRef(source_id="cup-red"))
    assert matches_item("product", "x", "cup", named, {})
    assert matches_item("sku", None, "cup-red", named, {})
    assert not matches_item("sku", None, "cup", named, {})


def test_excluded_beats_included_and_the_rest_stays_out():
    order = basket(*MIXED)
    assert units_of(chosen_of(order, product("pc_fruit"))) == [(1, 4), (2, 2)]
    assert units_of(chosen_of(order, product("pc_fruit"), excluded=[product("prod_pear")])) == [(1, 4)]
    # Nothing included means everything that is not excluded.
    assert units_of(chosen_of(order, excluded=[product("pc_fruit")])) == [(0, 1), (3, 3)]
    assert units_of(chosen_of(order, everything=True)) == [(0, 1), (1, 4), (2, 2), (3, 3)]


def test_included_all_leaves_an_entry_its_own_lines():
    order = basket(*MIXED)
    chosen = chosen_of(order, product("prod_apple", quantity_limit=1), everything=True)
    assert units_of(chosen) == [(1, 1), (0, 1), (2, 2), (3, 3)]


def test_nothing_chosen_says_why():
    order = basket(*MIXED)
    assert chosen_of(order, product("prod_gone")).refusal == "ORDER_RULES_VIOLATED"
    assert chosen_of(basket(), product("prod_tea")).refusal == "MISSING_ORDER_ITEMS"
    assert chosen_of(order, product("prod_tea")).refusal is None


PRICES = (("prod_a", 2, 300), ("prod_b", 1, 100), ("prod_c", 3, 200), ("prod_d", 1, 100))
ALL = [product(f"prod_{letter}") for letter in "abcd"]


@pytest.mark.parametrize(
    ("effect", "extra", "expected"),
    [
        ("APPLY_TO_EVERY", {}, [0, 1, 2, 3]),
        ("APPLY_TO_EVERY", {"skip_initially": 1}, [1, 2, 3]),
        ("APPLY_TO_EVERY", {"repeat": 2}, [0, 2]),
        ("APPLY_TO_EVERY", {"skip_initially": 1, "repeat": 2}, [1, 3]),
        ("APPLY_TO_CHEAPEST", {}, [1]),
        ("APPLY_TO_CHEAPEST", {"skip_initially": 2}, [2]),
        ("APPLY_FROM_CHEAPEST", {}, [1, 3, 2, 0]),
        ("APPLY_FROM_CHEAPEST", {"repeat": 3}, [1, 0]),
        ("APPLY_TO_MOST_EXPENSIVE", {}, [0]),
        ("APPLY_FROM_MOST_EXPENSIVE", {}, [0, 2, 1, 3]),
        ("APPLY_FROM_MOST_EXPENSIVE", {"skip_initially": 4}, []),
    ],
)
def test_every_item_effect_by_hand(effect, extra, expected):
    order = basket(*PRICES)
    situated = situation(order)
    situated.collections = {"pc_all": FRUIT.__class__(id="pc_all", name="All", members=frozenset({
        "prod_a", "prod_b", "prod_c", "prod_d",
    }))}  # fmt: skip
    scope = parse_scope({"included": [product("pc_all", effect=effect, **extra)]})
    chosen = choose([scope], order, situated, VOUCHER)
    assert [target.line for target in chosen.targets] == expected
    assert all(target.all_units for target in chosen.targets)


@pytest.mark.parametrize(
    ("lines", "extra", "expected"),
    [
        ([10], {"skip_initially": 1, "repeat": 3}, {0: [2, 5, 8]}),
        ([10], {}, {0: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}),
        # The counter runs on: units 2, 5, 8 of all are 2 of the first line, 2 and 5 of the second.
        ([3, 5], {"skip_initially": 1, "repeat": 3}, {0: [2], 1: [2, 5]}),
        ([1, 1, 1, 1], {"repeat": 2}, {0: [1], 2: [1]}),
        ([2, 2], {"skip_initially": 3}, {1: [2]}),
        ([2, 2], {"skip_initially": 4}, {}),
        ([10], {"repeat": 3, "quantity_limit": 2}, {0: [1, 4]}),
        ([3, 5], {"quantity_limit": 2}, {0: [1, 2], 1: [1, 2]}),
        ([3, 5], {"quantity_limit": 2, "aggregated_quantity_limit": 3}, {0: [1, 2], 1: [1]}),
        ([3, 5], {"aggregated_quantity_limit": 3}, {0: [1, 2, 3]}),
    ],
)
def test_units_by_their_numbers(lines, extra, expected):
    order = basket(*[("prod_apple", quantity) for quantity in lines])
    chosen = chosen_of(order, product("prod_apple", target="UNIT", **extra))
    (entry,) = chosen.applicable
    assert {place["index"]: place["units"] for place in entry["order_item_units"]} == expected
    assert dict(units_of(chosen)) == {line: len(units) for line, units in expected.items()}


def test_units_from_the_cheapest_run_on_in_that_order():
    order = basket(("prod_tea", 2), ("prod_apple", 3))
    situated = situation(order)
    situated.collections = {
        "pc_fruit": FRUIT.__class__(id="pc_fruit", name="", members=frozenset({"prod_tea", "prod_apple"}))
    }
    fields = {"target": "UNIT", "effect": "APPLY_FROM_CHEAPEST", "repeat": 2}
    scope = parse_scope({"included": [product("pc_fruit", **fields)]})
    assert units_of(choose([scope], order, situated, VOUCHER)) == [(1, 2), (0, 1)]
    only = parse_scope({"included": [product("pc_fruit", **fields | {"effect": "APPLY_TO_CHEAPEST"})]})
    assert units_of(choose([only], order, situated, VOUCHER)) == [(1, 2)]


def test_a_line_without_an_amount_has_no_place_among_the_cheapest():
    order = price_order(
        OrderIn(items=[OrderItemIn(product_id="prod_a"), OrderItemIn(product_id="prod_a", price=5)])
    )
    assert units_of(chosen_of(order, product("prod_a", effect="APPLY_TO_CHEAPEST"))) == [(1, 1)]


def test_the_smallest_limit_wins_where_entries_meet():
    order = basket(*MIXED)
    chosen = chosen_of(
        order,
        product("prod_apple", quantity_limit=1, amount_limit=70, aggregated_amount_limit=60),
        product("pc_fruit", quantity_limit=3, amount_limit=50, aggregated_amount_limit=90, price=40),
    )
    assert units_of(chosen) == [(1, 1), (2, 2)]
    assert [(target.amount_limit, target.price) for target in chosen.targets] == [(50, 40), (50, 40)]
    assert chosen.aggregated_amount_limit == 90
    assert chosen.caps == [Cap(frozenset({1}), 60)]


def test_the_higher_price_is_the_smaller_discount():
    order = basket(("prod_apple", 1))
    chosen = chosen_of(order, product("prod_apple", price=40), product("pc_fruit", price=60))
    assert [target.price for target in chosen.targets] == [60]


def test_several_scopes_meet():
    order = basket(*MIXED)
    fruit = parse_scope({"included": [product("pc_fruit", quantity_limit=3)]})
    pears = parse_scope({"included": [product("prod_pear", quantity_limit=1), product("prod_apple")]})
    nothing = parse_scope({"included": [], "included_all": False})
    assert units_of(choose([fruit, pears, nothing], order, situation(order), VOUCHER)) == [(1, 3), (2, 1)]
    # The dearest of what both cover, not the dearest of one that the other may not cover.
    dearest = parse_scope(
        {"included": [product("prod_pear", effect="APPLY_TO_MOST_EXPENSIVE"), product("prod_tea")]}
    )
    chosen = choose([dearest, fruit], order, situation(order), VOUCHER)
    assert units_of(chosen) == [(2, 2)]
    assert [entry["order_item_indices"] for entry in chosen.applicable if entry["id"] == "prod_pear"] == [[2]]
    assert choose([], order, situation(order), VOUCHER).targets[3].units == 3
    assert not choose([nothing], order, situation(order), VOUCHER).lists_items


def test_many_entries_choose_what_few_do():
    order = basket(*MIXED)
    wanted = ["prod_pear", "sku_pear_small", "pc_fruit"]
    few = chosen_of(order, *[product(name, quantity_limit=2) for name in wanted])
    more = [product(f"prod_{number}") for number in range(20)]
    many = chosen_of(order, *more, *[product(name, quantity_limit=2) for name in wanted])
    assert units_of(many) == units_of(few) == [(2, 2), (3, 2), (1, 2)]


def test_answers_show_definitions_and_concrete_things():
    order = basket(*MIXED)
    chosen = chosen_of(order, product("pc_fruit", quantity_limit=3), excluded=[product("prod_tea")])
    terms = {
        "quantity_limit": 3, "effect": "APPLY_TO_EVERY", "skip_initially": 0, "repeat": 1, "target": "ITEM",
    }  # fmt: skip
    assert chosen.applicable == [
        {"object": "products_collection", "id": "pc_fruit", "strict": False, **terms},
        {
            "object": "product", "id": "prod_apple", "source_id": "apple", "strict": True, **terms,
            "order_item_indices": [1], "order_item_units": [{"index": 1, "units": [1, 2, 3]}],
        },
        {
            "object": "sku", "id": "sku_pear_small", "source_id": "pear-s", "product_id": "prod_pear",
            "product_source_id": "pear", "strict": True, **terms,
            "order_item_indices": [2], "order_item_units": [{"index": 2, "units": [1, 2]}],
        },
    ]  # fmt: skip
    (out,) = chosen.inapplicable
    assert (out["id"], out["strict"], out["order_item_indices"]) == ("prod_tea", False, [0])


def test_more_than_a_thousand_units_are_not_listed_but_counted():
    chosen = chosen_of(basket(("prod_apple", 1001)), product("prod_apple", target="UNIT", repeat=2))
    assert units_of(chosen) == [(0, 501)]
    assert chosen.applicable[0]["order_item_units"] == [{"index": 0, "units_limit_exceeded": True}]
    assert chosen_of(basket(("prod_apple", 10**6)), product("prod_apple", target="UNIT", repeat=7)).targets[
        0
    ].units == -(-(10**6) // 7)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("product_campaign", "camp_1|units:pc_fruit|all"),
        ("product_customer_campaign", "camp_1|units:pc_fruit|all|cust_1"),
        ("product_in_collection_campaign", "camp_1|units:prod_apple|all"),
        ("product_in_collection_customer_campaign", "camp_1|units:prod_apple|all|cust_1"),
        ("product_promotion_tier", "v_1|units:pc_fruit|all"),
        ("product_customer_promotion_tier", "v_1|units:pc_fruit|all|cust_1"),
        ("product_in_collection_promotion_tier", "v_1|units:prod_apple|all"),
        ("product_in_collection_customer_promotion_tier", "v_1|units:prod_apple|all|cust_1"),
    ],
)
def test_every_budget_is_kept(kind, key):
    order = basket(("prod_apple", 4), ("prod_apple", 4), ("prod_tea", 1))
    entry = product("pc_fruit", **{f"{kind}_quantity_limit": 6})
    scope = parse_scope({"included": [entry]})
    asked = budget_keys([scope], order, situation(order, customer="cust_1"), VOUCHER)
    assert asked == [key]
    for used, expected in ((0, [(0, 4), (1, 2)]), (3, [(0, 3)]), (6, []), (9, [])):
        chosen = chosen_of(order, entry, used={key: used}, customer="cust_1")
        assert units_of(chosen) == expected
        units = sum(count for _, count in expected)
        assert chosen.units == ({key: units} if units else {})
        assert chosen.refusal == (None if expected else "REDEMPTION_RULES_VIOLATED")


def test_a_budget_by_customer_needs_one():
    order = basket(("prod_apple", 1))
    chosen = chosen_of(order, product("prod_apple", product_customer_campaign_quantity_limit=1))
    assert (chosen.targets, chosen.refusal) == ([], "MISSING_CUSTOMER")


def test_each_product_of_a_collection_has_its_own_budget():
    order = basket(("prod_apple", 4), ("sku_pear_small", 4))
    entry = product(
        "pc_fruit", product_in_collection_campaign_quantity_limit=3, product_campaign_quantity_limit=5
    )
    chosen = chosen_of(order, entry)
    assert units_of(chosen) == [(0, 3), (1, 2)]
    assert chosen.units == {
        "camp_1|units:prod_apple|all": 3,
        "camp_1|units:prod_pear|all": 2,
        "camp_1|units:pc_fruit|all": 5,
    }


def test_entries_that_share_a_budget_share_what_is_left():
    order = basket(("prod_apple", 4), ("prod_apple", 4))
    once = product("prod_apple", effect="APPLY_TO_CHEAPEST", product_campaign_quantity_limit=5)
    chosen = chosen_of(order, once, product("pc_fruit"))
    assert units_of(chosen) == [(0, 4), (1, 1)]
    assert chosen.units == {"camp_1|units:prod_apple|all": 5}


def test_limits_out_of_formulas():
    order = basket(("prod_apple", 4), ("prod_tea", 2))
    entry = {
        "quantity_limit_formula": "ORDER_ITEM_UNITS_QUANTITY - 1",
        "amount_limit_formula": "ORDER_ITEM_PRICE / 2",
        "aggregated_amount_limit_formula": "2.5",
        "price_formula": 'ORDER_METADATA("none")',
        "price": 30,
    }
    chosen = chosen_of(order, product("prod_apple", **entry))
    assert units_of(chosen) == [(0, 3)]
    assert (chosen.targets[0].amount_limit, chosen.targets[0].price) == (50, 30)
    assert chosen.aggregated_amount_limit == 250
    unknown = 'ORDER_METADATA("none")'
    assert chosen_of(order, product("prod_apple", quantity_limit_formula=unknown)).targets == []
    fallback = product("prod_apple", quantity_limit_formula=unknown, quantity_limit=2)
    assert units_of(chosen_of(order, fallback)) == [(0, 2)]
    assert chosen_of(order, product("prod_apple", product_campaign_quantity_limit_formula="2.9")).units == {
        "camp_1|units:prod_apple|all": 2
    }


def test_bundles_multiply_the_limits_of_units():
    order = basket(("prod_apple", 4), ("prod_apple", 4))
    assert units_of(chosen_of(order, product("prod_apple"), bundles=2)) == [(0, 2), (1, 2)]
    limited = product("prod_apple", quantity_limit=2, aggregated_quantity_limit=3)
    assert units_of(chosen_of(order, limited, bundles=2)) == [(0, 4), (1, 2)]
    assert units_of(choose([], order, situation(order), VOUCHER, 3)) == [(0, 3), (1, 3)]
