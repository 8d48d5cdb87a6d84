"""Free units with scopes and bundles."""

from .items import basket, chosen_of, give, product

BASKET = (("prod_tea", 2), ("prod_apple", 4), ("sku_pear_small", 3), ("prod_apple", 1))


def added(effect):
    """What was added: (product or SKU, quantity, amount)."""
    lines = {line: (quantity, amount) for line, quantity, amount in effect.added}
    first = len(BASKET)
    return [
        (item.sku_id or item.product_id, *lines[first + place]) for place, item in enumerate(effect.new_items)
    ]


def test_same_items_are_copies_of_what_the_scope_covers():
    order = basket(*BASKET)
    same = {"type": "UNIT", "unit_off": 2, "effect": "ADD_SAME_ITEMS"}
    fruit = chosen_of(order, product("pc_fruit"))
    given = give(order, fruit, **same)
    assert added(given) == [("prod_apple", 2, 200), ("sku_pear_small", 2, 400)]
    assert given.lines == [(4, 200), (5, 400)]
    assert added(give(order, fruit, unit_type="pc_fruit", **same)) == added(given)
    assert added(give(order, fruit, unit_type="prod_apple", **same)) == [("prod_apple", 2, 200)]
    assert added(give(order, fruit, unit_type="prod_tea", **same)) == []
    cheapest = chosen_of(order, product("pc_fruit", effect="APPLY_TO_CHEAPEST"))
    assert added(give(order, cheapest, **same)) == [("prod_apple", 2, 200)]
    assert len(added(give(order, None, **same))) == 3


def test_bundles_multiply_units():
    order = basket(*BASKET)
    same = {"type": "UNIT", "unit_off": 2, "effect": "ADD_SAME_ITEMS"}
    assert added(give(order, chosen_of(order, product("prod_tea")), 3, **same)) == [("prod_tea", 6, 3000)]
    new = {"type": "UNIT", "unit_off": 2, "unit_type": "prod_tea", "effect": "ADD_NEW_ITEMS"}
    assert added(give(order, None, 3, **new)) == [("prod_tea", 6, 3000)]
    missing = give(order, None, 2, type="UNIT", unit_off=2, unit_type="prod_tea")
    assert (missing.added, missing.units, missing.lines) == ([(0, 2, 1000)], {0: 4}, [(0, 2000)])
    many = give(order, None, 2, type="UNIT", units=[{"unit_off": 1, "unit_type": "prod_tea"}])
    assert (many.added, many.units) == ([], {0: 2})


def test_a_scope_does_not_stand_in_the_way_of_a_named_gift():
    order = basket(*BASKET)
    gift = {"type": "UNIT", "unit_off": 1, "unit_type": "prod_tea", "effect": "ADD_NEW_ITEMS"}
    assert give(order, chosen_of(order, product("pc_fruit")), **gift) == give(order, None, **gift)
