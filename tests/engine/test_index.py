"""The index over rule sets: what it finds, what it leaves alone, and that it can be changed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine.discount import parse_discount
from guerdon.engine.filter import parse_filter
from guerdon.engine.index import Index, is_scoped
from guerdon.engine.order import Order, OrderIn, OrderItemIn, ProductRef, price_order
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.situation import Collection, Person, Situation

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def rule(name: str, operator: str, *operands: Any, **more: Any) -> dict[str, Any]:
    """One rule of a set."""
    return {"name": name, "conditions": {operator: list(operands)}, **more}


def rules(*asked: dict[str, Any], logic: str | None = None, **parts: Any) -> Any:
    """A rule set of rules 1, 2, 3 …"""
    named: dict[str, Any] = {str(number): one for number, one in enumerate(asked, 1)}
    return parse_rule_set({"rules": named | ({"logic": logic} if logic else {}), **parts})


def cart(*products: str, price: int = 1000, metadata: dict[str, Any] | None = None) -> Order:
    """One unit each."""
    items = [OrderItemIn(product_id=id, price=price) for id in products]
    return price_order(OrderIn(items=items, metadata=metadata))


def at(order: Order | None = None, **more: Any) -> Situation:
    """A situation at noon."""
    return Situation(**({"now": NOON, "zone": ZoneInfo("UTC"), "order": order} | more))


def index_of(**sets: Any) -> Index:
    """An index of rule sets by name."""
    index = Index()
    for id, rule_set in sets.items():
        index.add(id, [rule_set])
    return index


def test_items_are_found_by_id_and_source_id():
    index = index_of(
        any=rules(rule("order.items.any", "$is", "prod_1")),
        source=rules(rule("order.items.any", "$is", {"source_id": "red-sock", "object": "product"})),
        other=rules(rule("order.items.every", "$is", "prod_9")),
        none=rules(rule("order.items.none", "$is", "prod_1")),
    )
    assert index.candidates(at(cart("prod_1"))) == ["any", "none"]
    order = price_order(OrderIn(items=[OrderItemIn(source_id="red-sock", related_object="product", price=5)]))
    assert index.candidates(at(order)) == ["source", "none"]


def test_every_part_of_an_and_must_be_there_and_one_of_an_or():
    sock, vip = rule("order.items.any", "$is", "prod_1"), rule("customer.segment", "$is", "seg_vip")
    rich = rule("order.amount", "$more_than", 5000)
    index = index_of(
        both=rules(sock, vip),
        either=rules(sock, vip, logic="1 or 2"),
        mixed=rules(sock, vip, rich, logic="1 and (2 or 3)"),
    )
    member = Person(id="cust", segments=frozenset({"seg_vip"}))
    assert index.candidates(at(cart("prod_1"), customer=member)) == ["both", "either", "mixed"]
    assert index.candidates(at(cart("prod_1"))) == ["either"]
    assert index.candidates(at(cart("prod_2"), customer=member)) == ["either"]
    assert index.candidates(at(cart("prod_1", price=9000))) == ["either", "mixed"]


@pytest.mark.parametrize(
    ("amount", "found"),
    [(99, []), (100, ["least", "between"]), (150, ["least", "between"]), (201, ["least"])],
)
def test_amounts_are_found_by_their_bounds(amount, found):
    least, most = (
        rule("order.amount", "$more_than_or_equal", 100),
        rule("order.amount", "$less_than_or_equal", 200),
    )
    far = rule("order.amount", "$more_than", 10**15)
    index = index_of(least=rules(least), between=rules(least, most), far=rules(far))
    assert index.candidates(at(cart("prod_1", price=amount))) == found


def test_metadata_is_compared_as_operators_compare_it():
    index = index_of(
        five=rules(rule("order.metadata", "$is", 5, property="size")),
        inner=rules(rule("order.metadata", "$in", "Graz", property="shop.city")),
        listed=rules(rule("customer.metadata", "$is", "tea", "milk", property="likes")),
    )
    assert index.candidates(at(cart("prod_1", metadata={"size": "5"}))) == ["five"]
    assert index.candidates(at(cart("prod_1", metadata={"shop": {"city": "Graz"}}))) == ["inner"]
    fond = Person(id="cust", metadata={"likes": ["coffee", "milk"]})
    assert index.candidates(at(customer=fond)) == ["listed"]


def test_collections_are_looked_into_and_may_change():
    named = rules(rule("order.items.any", "$is", {"id": "pc_1", "object": "products_collection"}))
    red = rules(rule("order.items.any", "$is", {"id": "pc_red", "object": "products_collection"}))
    index = index_of(named=named, red=red)
    filtered = parse_filter({"metadata.color": {"conditions": {"$is": ["red"]}}}, "filter")
    known = {
        "pc_1": Collection(id="pc_1", name="1", members=frozenset({"prod_1"})),
        "pc_red": Collection(id="pc_red", name="red", filter=filtered),
    }
    assert index.candidates(at(cart("prod_1"), collections=known)) == ["named"]
    known["pc_1"] = Collection(id="pc_1", name="1", members=frozenset({"prod_2"}))
    assert index.candidates(at(cart("prod_1"), collections=known)) == []
    product = ProductRef(id="prod_3", source_id="three", metadata={"color": "red"})
    order = price_order(OrderIn(items=[OrderItemIn(product_id="prod_3", product=product, price=1)]))
    assert index.candidates(at(order, collections=known)) == ["red"]


def test_windows_are_kept_with_both_ends_one_or_none():
    index = Index()
    day = timedelta(days=1)
    index.add("now", [], (NOON - day, NOON + day))
    index.add("from", [], (NOON, None))
    index.add("until", [], (None, NOON - day))
    index.add("always", [], (None, None))
    index.add("never", [], (NOON + day, NOON - day))
    assert index.candidates(at()) == ["now", "from", "always"]
    assert index.candidates(at(now=NOON - 2 * day)) == ["until", "always"]
    for id in ("now", "from", "until", "always", "never", "unknown"):
        index.remove(id)
    assert len(index) == 0 and index.candidates(at()) == []


def test_an_order_without_lines_is_an_order():
    few = rules(rule("order.items.count", "$less_than", 3))
    assert index_of(few=few).candidates(at(price_order(OrderIn(items=[])))) == ["few"]


def test_what_is_added_again_is_replaced():
    index = index_of(one=rules(rule("order.items.any", "$is", "prod_1")))
    index.add("one", [rules(rule("order.items.any", "$is", "prod_2"))])
    assert index.candidates(at(cart("prod_1"))) == []
    assert index.candidates(at(cart("prod_2"))) == ["one"]
    assert "one" in index and len(index) == 1


def test_scopes_and_bundles_count_for_discounts_on_lines_only():
    scope = {"included": [{"object": "product", "id": "prod_1"}], "excluded": []}
    pair = {
        "1": rule("order.items.any", "$is", {"id": "prod_2", "type": "product_or_sku", "object": "product"})
    }
    index = Index()
    index.add("scoped", [parse_rule_set({"applicable_to": scope})], scoped=True)
    index.add("bundle", [parse_rule_set({"bundle_rules": pair})], scoped=True)
    index.add("plain", [parse_rule_set({"applicable_to": scope})])
    assert index.candidates(at(cart("prod_1"))) == ["scoped", "plain"]
    assert index.candidates(at(cart("prod_2"))) == ["bundle", "plain"]
    # Without an order nobody can tell.
    assert index.candidates(at()) == ["scoped", "bundle", "plain"]
    index.remove("scoped")
    assert index.candidates(at()) == ["bundle", "plain"]


@pytest.mark.parametrize(
    ("raw", "scoped"),
    [
        ({"type": "AMOUNT", "amount_off": 1}, True),
        ({"type": "PERCENT", "percent_off": 1, "effect": "APPLY_TO_ORDER"}, False),
        ({"type": "UNIT", "unit_off": 1, "unit_type": "prod_1", "effect": "ADD_NEW_ITEMS"}, False),
    ],
)
def test_which_discounts_need_their_scope(raw, scoped):
    assert is_scoped(parse_discount(raw)) is scoped
    assert is_scoped(None) is False


def test_an_index_of_customers_does_not_look_at_the_cart():
    index = Index(frozenset({"customer"}))
    sock, vip = rule("order.items.any", "$is", "prod_1"), rule("customer.segment", "$is", "seg_vip")
    index.add("both", [rules(sock, vip)])
    index.add("sock", [rules(sock)])
    assert index.candidates(at(customer=Person(id="cust", segments=frozenset({"seg_vip"})))) == [
        "both",
        "sock",
    ]
    assert index.candidates(at(cart("prod_1"))) == ["sock"]


def test_a_hundred_places_of_one_kind_are_not_searched_for_another():
    """The entries that are looked at follow what is in the cart, not what is in the index."""
    index = Index()
    common = rule("customer.segment", "$is", "seg_all")
    for number in range(1000):
        index.add(f"p{number}", [rules(common, rule("order.items.any", "$is", f"prod_{number}"))])
    member = Person(id="cust", segments=frozenset({"seg_all"}))
    seen = index.seen(at(cart("prod_7"), customer=member))
    looked_at = list(index._postings.find(seen))
    assert len(looked_at) <= 3
    assert index.candidates(at(cart("prod_7"), customer=member), seen) == ["p7"]
