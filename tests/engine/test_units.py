"""Free units: lines, quantities and amounts by hand, against the recorded answers' numbers."""

from guerdon.engine import CatalogItem, OrderIn, OrderItemIn, catalog_of, price_order, units_named

from .build import cart, keys, line_discounts, run, terms

SOCKS = CatalogItem(object="product", id="prod_socks", source_id="socks", name="Socks", price=500)
RED = CatalogItem(object="sku", id="sku_red", source_id="red", name="Red", product_id="prod_socks")


def test_a_new_item_comes_on_its_own_line_even_when_the_cart_has_it():
    order = cart((1700, 1))
    decision = run(order, terms("UNIT", unit_off=22, unit_type="prod_0", effect="ADD_NEW_ITEMS"))
    added = decision.order.items[1]
    assert (added.product_id, added.quantity, added.initial_quantity, added.initial_amount) == (
        "prod_0",
        22,
        0,
        0,
    )
    assert (added.price, added.amount, added.discount_amount, added.subtotal_amount) == (
        1700,
        37400,
        37400,
        0,
    )
    assert (added.discount_quantity, added.applied_discount_quantity) == (22, 22)
    assert (added.applied_quantity, added.applied_quantity_amount) == (22, 37400)
    assert (decision.order.amount, decision.order.initial_amount) == (39100, 1700)
    assert (decision.order.items_discount_amount, decision.order.total_amount) == (37400, 1700)
    assert decision.outcomes[0].given.added == [(1, 22, 37400)]


def test_missing_items_raise_the_line_up_to_the_wanted_number():
    order = run(cart((1500, 1)), terms("UNIT", unit_off=222, unit_type="prod_0")).order
    line = order.items[0]
    assert (line.quantity, line.initial_quantity, line.discount_quantity) == (222, 1, 222)
    assert (line.amount, line.initial_amount, line.discount_amount) == (333000, 1500, 333000)
    assert (line.subtotal_amount, order.total_amount, order.initial_amount) == (0, 0, 1500)


def test_nothing_is_missing_when_the_cart_holds_enough():
    decision = run(cart((1500, 5)), terms("UNIT", unit_off=2, unit_type="prod_0"))
    line = decision.order.items[0]
    assert (line.quantity, line.initial_quantity, line.discount_quantity, line.discount_amount) == (
        5,
        None,
        2,
        3000,
    )
    assert decision.outcomes[0].given.added == []
    assert decision.order.initial_amount is None


def test_missing_units_are_counted_over_all_lines_of_the_product():
    items = [OrderItemIn(product_id="prod_socks", price=price, quantity=1) for price in (500, 400)]
    order = price_order(OrderIn(items=items))
    done = run(order, terms("UNIT", unit_off=3, unit_type="prod_socks")).order
    assert [item.quantity for item in done.items] == [2, 1]
    assert line_discounts(done) == [1000, 400]
    assert done.total_amount == 0


def test_the_stored_price_is_used_and_names_are_filled_in():
    done = run(cart((100, 1)), terms("UNIT", unit_off=2, unit_type="socks"), catalog=(SOCKS,)).order
    added = done.items[1]
    assert (added.product_id, added.product.name, added.amount) == ("prod_socks", "Socks", 1000)
    sku = run(
        cart((100, 1)), terms("UNIT", unit_off=1, unit_type="sku_red"), catalog=(SOCKS, RED)
    ).order.items[1]
    assert (sku.sku_id, sku.product_id, sku.sku.sku, sku.price) == ("sku_red", "prod_socks", "Red", 500)


def test_free_delivery_of_unknown_price_is_added_without_an_amount():
    done = run(
        cart((100, 1)), terms("UNIT", unit_off=1, unit_type="prod_5h1pp1ng", effect="ADD_MISSING_ITEMS")
    ).order
    added = done.items[1]
    assert (added.product_id, added.quantity, added.discount_quantity, added.initial_quantity) == (
        "prod_5h1pp1ng", 1, 1, 0,
    )  # fmt: skip
    assert (added.amount, added.price, added.subtotal_amount) == (None, None, None)
    assert (done.amount, done.total_amount, done.initial_amount) == (100, 100, 100)


def test_delivery_in_the_cart_becomes_free_and_is_not_added_again():
    items = [OrderItemIn(price=4000), OrderItemIn(source_id="5h1pp1ng", related_object="product", price=2000)]
    done = run(price_order(OrderIn(items=items)), terms("UNIT", unit_off=1, unit_type="prod_5h1pp1ng")).order
    assert line_discounts(done) == [0, 2000]
    assert len(done.items) == 2


def test_many_kinds_at_once():
    units = [
        {"unit_off": 1, "unit_type": "prod_0", "effect": "ADD_NEW_ITEMS"},
        {"unit_off": 3, "unit_type": "prod_0", "effect": "ADD_MISSING_ITEMS"},
        {"unit_off": 1, "unit_type": "socks", "effect": "ADD_MISSING_ITEMS"},
    ]
    decision = run(cart((200, 1)), terms("UNIT", units=units), catalog=(SOCKS,))
    done = decision.order
    # One new unit, then one raised on the first line to make three; the two of the first line are given.
    assert [(item.quantity, item.discount_quantity, item.discount_amount) for item in done.items] == [
        (2, 2, 400), (1, 1, 200), (1, 1, 500),
    ]  # fmt: skip
    assert (done.amount, done.initial_amount, done.total_amount) == (1100, 200, 0)
    assert decision.outcomes[0].given.added == [(0, 1, 200), (1, 1, 200), (2, 1, 500)]


def test_same_items_are_copied_once_for_each_thing_in_the_cart():
    items = [OrderItemIn(product_id=name, price=price) for name, price in (("prod_a", 100), ("prod_b", 70))]
    order = price_order(OrderIn(items=[*items, items[0]]))
    done = run(order, terms("UNIT", unit_off=2, effect="ADD_SAME_ITEMS")).order
    assert [(item.product_id, item.quantity) for item in done.items[3:]] == [("prod_a", 2), ("prod_b", 2)]
    assert line_discounts(done) == [0, 0, 0, 200, 140]
    assert done.total_amount == order.total_amount == 270
    only = run(order, terms("UNIT", unit_off=2, unit_type="prod_b", effect="ADD_SAME_ITEMS")).order
    assert [item.product_id for item in only.items[3:]] == ["prod_b"]


def test_a_unit_is_free_once():
    free = terms("UNIT", unit_off=1, unit_type="prod_0")
    decision = run(cart((500, 2)), free, free)
    assert [outcome.given.total for outcome in decision.outcomes] == [500, 500]
    assert decision.order.items[0].discount_quantity == 2
    assert [o.given.total for o in run(cart((500, 1)), free, free).outcomes] == [500, 0]


def test_a_line_known_only_by_its_amount_gives_its_share():
    order = price_order(OrderIn(items=[OrderItemIn(product_id="prod_0", amount=1000, quantity=3)]))
    done = run(order, terms("UNIT", unit_off=1, unit_type="prod_0")).order
    assert line_discounts(done) == [333]
    raised = run(order, terms("UNIT", unit_off=4, unit_type="prod_0")).order
    assert (raised.items[0].amount, raised.items[0].discount_amount, raised.total_amount) == (1333, 1333, 0)


def test_units_go_into_an_order_that_has_no_items_yet():
    done = run(
        price_order(OrderIn(amount=900)), terms("UNIT", unit_off=1, unit_type="socks"), catalog=(SOCKS,)
    ).order
    assert (len(done.items), done.amount, done.initial_amount, done.total_amount) == (1, 1400, 900, 900)


def test_more_than_can_be_counted_is_refused():
    dear = CatalogItem(object="product", id="prod_dear", price=2**52)
    decision = run(cart((2**52, 1)), terms("UNIT", unit_off=1, unit_type="prod_dear"), catalog=(dear,))
    assert keys(decision) == ["invalid_amount"]


def test_a_discount_names_the_products_it_gives():
    many = terms(
        "UNIT", units=[{"unit_off": 1, "unit_type": "a"}, {"unit_off": 1, "unit_type": "b"}]
    ).discount
    assert units_named(many) == ["a", "b"]
    assert units_named(terms("UNIT", unit_off=1, unit_type="c").discount) == ["c"]
    assert units_named(terms("AMOUNT", amount_off=1).discount) == []
    assert catalog_of([RED])["sku:red"] is RED
