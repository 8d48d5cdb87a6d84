"""Bundles: how many whole sets an order holds, what of it counts and what is missing."""

import random
import time

import pytest

from guerdon.engine.bundle import count, parse_bundle
from guerdon.engine.fault import EngineError
from guerdon.engine.situation import Collection

from .items import basket, product, situation


def rules(*parts: tuple[str, int], **around):
    """Bundle rules that ask for so many of each."""
    raw = {}
    for number, (name, quantity) in enumerate(parts, 1):
        thing = product(name)
        kind = "products_collection" if name.startswith("pc_") else "product_or_sku"
        raw[str(number)] = {
            "name": "order.items.any",
            "conditions": {"$is": [thing | {"type": kind}]},
            "rules": {"1": {"name": "order.items.aggregated_quantity", "conditions": {"$is": [quantity]}}},
        }
    return raw | around


def counted(order, *parts, **around):
    bundle = parse_bundle(rules(*parts, **around))
    assert bundle is not None
    return count(bundle, order, situation(order))


ONE = rules(("prod_tea", 2))["1"]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (7, "bundle_rules"),
        ({"1": 7}, "bundle_rules.1"),
        ({"1": ONE, "limit": 0}, "bundle_rules.limit"),
        ({"1": ONE, "limit": 101}, "bundle_rules.limit"),
        ({"1": ONE, "limit": "2"}, "bundle_rules.limit"),
        ({"1": ONE, "limit": 1.5}, "bundle_rules.limit"),
        ({"1": ONE, "scaling": "TWICE"}, "bundle_rules.scaling"),
        ({"1": ONE, "scaling": ["FIXED"]}, "bundle_rules.scaling"),
        ({"1": ONE | {"name": "order.items.every"}}, "bundle_rules.1.name"),
        ({"1": ONE | {"conditions": {}}}, "bundle_rules.1.conditions"),
        ({"1": ONE | {"conditions": {"$in": []}}}, "bundle_rules.1.conditions"),
        ({"1": ONE | {"conditions": {"$is": []}}}, "bundle_rules.1.conditions.$is"),
        ({"1": ONE | {"conditions": {"$is": [3]}}}, "bundle_rules.1.conditions.$is[0]"),
        ({"1": ONE | {"conditions": {"$is": [{"id": "x"}]}}}, "bundle_rules.1.conditions.$is[0].object"),
        (
            {"1": ONE | {"conditions": {"$is": [product("pc_1", type="product_or_sku")]}}},
            "bundle_rules.1.conditions.$is[0].type",
        ),
        ({"1": ONE | {"conditions": {"$is": [{"object": "sku"}]}}}, "bundle_rules.1.conditions.$is[0].id"),
        ({"1": ONE | {"rules": {"1": {"name": "order.items.price"}}}}, "bundle_rules.1.rules.1.name"),
        ({"1": ONE | {"rules": {"1": {}, "2": {}}}}, "bundle_rules.1.rules"),
        (
            {"1": ONE | {"rules": {"7": ONE["rules"]["1"] | {"conditions": {"$is": [0]}}}}},
            "bundle_rules.1.rules.7.conditions.$is[0]",
        ),
        (rules(*[(f"prod_{n}", 1) for n in range(31)]), "bundle_rules"),
    ],
)
def test_a_faulty_bundle_names_the_place(raw, path):
    with pytest.raises(EngineError) as caught:
        parse_bundle(raw)
    assert (caught.value.path, caught.value.key) == (path, "invalid_validation_rules")


def test_a_bundle_of_nothing_is_none():
    assert parse_bundle({}) is None
    assert parse_bundle({"limit": 3}) is None
    assert parse_bundle({"1": ONE}).limit == 1
    assert parse_bundle({"1": ONE, "limit": None}).limit == 100
    without = {name: value for name, value in ONE.items() if name != "rules"}
    assert parse_bundle({"1": without}).parts[0].quantity == 1
    assert parse_bundle(rules(("pc_fruit", 1), ("prod_tea", 1))).collections == {"pc_fruit"}


@pytest.mark.parametrize(
    ("limit", "teas", "apples", "expected"),
    [(1, 8, 9, 1), (10, 8, 9, 3), (10, 7, 30, 3), (10, 1, 30, 0), (2, 8, 9, 2), (100, 600, 900, 100)],
)
def test_whole_sets_are_counted_up_to_the_limit(limit, teas, apples, expected):
    order = basket(("prod_tea", teas), ("prod_apple", apples))
    result = counted(order, ("prod_tea", 2), ("prod_apple", 3), limit=limit)
    assert (result.quantity, result.limit) == (expected, limit)
    assert bool(result.missing) is (expected == 0)


def test_what_counts_and_what_is_missing():
    order = basket(("prod_apple", 1), ("sku_pear_small", 9), ("prod_tea", 2))
    result = counted(order, ("prod_apple", 2), ("prod_pear", 3), ("prod_mug", 1))
    assert result.answer == {
        "quantity": 0,
        "limit": 1,
        "identified": [
            {"id": "prod_apple", "object": "product", "item_index": 0, "item_quantity": 1},
            {"id": "sku_pear_small", "object": "sku", "item_index": 1, "item_quantity": 3},
        ],
        "missing": [
            {"id": "prod_apple", "object": "product", "item_quantity": 1},
            {"id": "prod_mug", "object": "product", "item_quantity": 1},
        ],
    }
    done = counted(order, ("prod_tea", 1), ("prod_pear", 3), limit=5)
    assert done.quantity == 2
    assert [entry["item_quantity"] for entry in done.identified] == [6, 2]


def test_the_more_special_part_is_served_first():
    order = basket(("prod_apple", 2), ("sku_pear_small", 1))
    result = counted(order, ("pc_fruit", 2), ("prod_pear", 1), ("sku_pear_small", 1))
    # The only small pear goes to the SKU's place: the product's stays empty, the collection takes the apples.
    assert result.missing == [{"id": "prod_pear", "object": "product", "item_quantity": 1}]


def test_a_unit_serves_one_place_but_moves_to_where_it_completes_a_set():
    order = basket(("prod_apple", 2), ("prod_apple", 1), ("sku_pear_small", 3))
    # Three apples and three pears: each set takes one apple and one of any fruit.
    assert counted(order, ("prod_apple", 1), ("pc_fruit", 1), limit=9).quantity == 3
    assert counted(order, ("pc_fruit", 1), ("pc_fruit", 2), limit=9).quantity == 2
    assert counted(order, ("prod_apple", 4)).quantity == 0


def test_two_overlapping_parts_of_one_kind_are_both_served():
    order = basket(("sku_pear_small", 1), ("prod_pear", 1))
    parts = (("prod_pear", 1), ("prod_pear", 1))
    assert counted(order, *parts).quantity == 1
    either = rules(("prod_pear", 1), ("sku_pear_small", 1))
    either["3"] = either.pop("1")
    bundle = parse_bundle(either)
    assert count(bundle, order, situation(order)).quantity == 1


def test_an_order_without_items_misses_everything():
    result = counted(basket(), ("prod_tea", 2))
    assert result.answer["missing"] == [{"id": "prod_tea", "object": "product", "item_quantity": 2}]
    assert count(parse_bundle({"1": ONE}), None, situation(None)).quantity == 0


def test_the_largest_bundle_on_the_largest_order_is_counted_at_once():
    order = basket(*[("prod_apple", 1 + number % 7) for number in range(500)])
    bundle = parse_bundle(rules(*[("pc_fruit", 1 + number % 3) for number in range(30)], limit=100))
    around = situation(order)
    started = time.perf_counter()
    result = count(bundle, order, around)
    assert result.quantity == sum(item.quantity for item in order.items) // 60
    assert time.perf_counter() - started < 2


def test_parts_that_overlap_in_every_way_are_counted_in_time():
    """Thirty collections that share members at random, and five hundred lines that each serve others."""
    draw = random.Random(7)
    collections = {
        f"pc_{number}": Collection(
            id=f"pc_{number}",
            name="",
            members=frozenset(f"prod_{line}" for line in range(500) if draw.random() < 0.3),
        )
        for number in range(30)
    }
    order = basket(*[(f"prod_{line}", 1 + line % 5) for line in range(500)])
    around = situation(order)
    around.collections = collections
    bundle = parse_bundle(
        rules(*[(name, 1 + number % 4) for number, name in enumerate(collections)], limit=100)
    )
    started = time.perf_counter()
    result = count(bundle, order, around)
    assert time.perf_counter() - started < 2
    assert result.quantity == 20  # 1500 units, 73 a set: all can be served
    assert sum(entry["item_quantity"] for entry in result.identified) == 20 * 73
