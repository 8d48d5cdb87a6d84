"""Law: an index never misses a rule set that holds, whatever the rule sets and the situation."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.engine.checks import Redeemable
from guerdon.engine.decide import decide
from guerdon.engine.decision import Facts
from guerdon.engine.discount import parse_discount
from guerdon.engine.filter import parse_filter
from guerdon.engine.index import Index, is_scoped
from guerdon.engine.order import Order, OrderIn, OrderItemIn, ProductRef, SkuRef, price_order
from guerdon.engine.rule import Result, RuleSet, check_rules, parse_rule_set
from guerdon.engine.situation import Collection, Person, Situation
from guerdon.engine.terms import Terms

from .draw import EXAMPLES, law

few = settings(law, max_examples=max(20, EXAMPLES // 3))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Warsaw")
FILTERS = [
    parse_filter(raw, "filter")
    for raw in (
        {"metadata.color": {"conditions": {"$is": ["red", 5]}}},
        {"metadata.color": {"conditions": {"$is_not": ["red"]}}},
        {
            "metadata.shop.city": {"conditions": {"$in": ["red", ""]}},
            "price": {"conditions": {"$more_than": [90]}},
        },
        {
            "junction": "or",
            "source_id": {"conditions": {"$is": ["src-0"]}},
            "metadata.size": {"conditions": {"$is": [5]}},
        },
        {
            "junction": "or",
            "source_id": {"conditions": {"$is": ["src-1"]}},
            "price": {"conditions": {"$less_than": [100]}},
        },
        {
            "product_id": {"conditions": {"$is": ["prod_0", "src-1"]}},
            "metadata.color": {"conditions": {"$in": ["red"]}},
        },
    )
]

products = st.sampled_from(["prod_0", "prod_1", "prod_2", "prod_3", "src-0", "src-1"])
skus = st.sampled_from(["sku_0", "sku_1", "sku-src"])
collections = st.sampled_from(["pc_0", "pc_1", "pc_red", "pc_gone"])
segments = st.sampled_from(["seg_0", "seg_1", "seg_2"])
values = st.sampled_from(
    [
        0,
        1,
        5,
        "5",
        "5.0",
        5.5,
        True,
        "true",
        "red",
        "Red",
        "",
        "2026-01-01T00:00:00+01:00",
        "2025-12-31T23:00:00Z",
    ]
)
properties = st.sampled_from(["color", "size", "shop.city", "shop"])
amounts = st.sampled_from([0, 1, 99, 100, 101, 250, 500, 999, 1000, 2500])
metadata = st.dictionaries(
    st.sampled_from(["color", "size", "shop"]),
    values
    | st.lists(values, max_size=3)
    | st.dictionaries(st.sampled_from(["city", "zip"]), values, max_size=2)
    | st.none(),
    max_size=3,
)


@st.composite
def entries(draw: st.DrawFn) -> Any:
    """What a rule on lines names, in every way it may be written."""
    kind = draw(st.sampled_from(["text", "product", "sku", "either", "source", "collection"]))
    match kind:
        case "text":
            return draw(products | skus | collections)
        case "product":
            return {"id": draw(products), "object": "product"}
        case "sku":
            return {"id": draw(skus), "object": "sku"}
        case "either":
            return {"id": draw(products | skus), "type": "product_or_sku"}
        case "source":
            return {"source_id": draw(products | skus), "object": draw(st.sampled_from(["product", "sku"]))}
    return {"id": draw(collections), "object": "products_collection"}


def listed(of: st.SearchStrategy[Any], *operators: str) -> st.SearchStrategy[dict[str, Any]]:
    """One or two operators, each with a few operands."""
    return st.dictionaries(
        st.sampled_from(operators), st.lists(of, min_size=1, max_size=3), min_size=1, max_size=2
    )


def ordered() -> st.SearchStrategy[dict[str, Any]]:
    """Bounds on an amount."""
    operators = ["$less_than", "$less_than_or_equal", "$more_than", "$more_than_or_equal"]
    bounds = st.dictionaries(
        st.sampled_from(operators), st.lists(amounts, min_size=1, max_size=1), min_size=1, max_size=2
    )
    return bounds | listed(amounts, "$is", "$in", "$is_not")


@st.composite
def conditions(draw: st.DrawFn, deep: bool = True) -> dict[str, Any]:
    """One rule of a set."""
    equal = ("$is", "$in", "$is_not", "$not_in")
    kind = draw(st.integers(0, 6))
    rule: dict[str, Any]
    if kind == 0:
        rule = {"name": "customer.segment", "conditions": draw(listed(segments, *equal))}
    elif kind == 1:
        names = ["customer.metadata", "order.metadata", "redemption.metadata", "order.items.metadata_any",
                 "order.items.metadata_each", "product.metadata"]  # fmt: skip
        asked = draw(listed(values, *equal, "$not_differ"))
        return {"name": draw(st.sampled_from(names)), "property": draw(properties), "conditions": asked}
    elif kind == 2:
        names = ["order.amount", "order.initial_amount", "order.total_amount", "order.items.count",
                 "order.items.price_any", "order.items.price_each"]  # fmt: skip
        return {"name": draw(st.sampled_from(names)), "conditions": draw(ordered())}
    elif kind == 3:
        name = draw(st.sampled_from(["product.id", "sku.id"]))
        rule = {"name": name, "conditions": draw(listed(products if name == "product.id" else skus, *equal))}
        if draw(st.booleans()):
            match_all = {"name": "product.metadata.match_all", "conditions": {"$is": [True]}}
            rule["rules"] = {"1": match_all} if name == "product.id" else {}
        return rule
    else:
        names = ["any", "every", "none", "cheapest", "most_expensive"]
        rule = {
            "name": "order.items." + draw(st.sampled_from(names)),
            "conditions": draw(listed(entries(), *equal)),
        }
        if draw(st.booleans()):
            rule["conditions"]["$from"] = [draw(collections)]
        if draw(st.booleans()):
            rule["rules"] = {"1": {"name": "order.items.aggregated_quantity", "conditions": draw(ordered())}}
        return rule
    if deep and draw(st.booleans()):
        rule["rules"] = draw(rules(deep=False))
    return rule


@st.composite
def rules(draw: st.DrawFn, deep: bool = True) -> dict[str, Any]:
    """A few rules and their logic."""
    asked = draw(st.lists(conditions(deep=deep), min_size=1, max_size=4))
    named: dict[str, Any] = {str(number): one for number, one in enumerate(asked, 1)}
    logics = [" and ".join(named), " or ".join(named), "1"]
    if len(named) >= 3:
        logics += ["1 and (2 or 3)", "1 or 2 and 3", "(1 or 2) and (1 or 3)"]
    if draw(st.integers(0, 3)):
        named["logic"] = draw(st.sampled_from(logics))
    return named


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """Rule sets, a few of them with a scope."""
    body: dict[str, Any] = {"rules": draw(rules())} if draw(st.integers(0, 9)) else {}
    if not draw(st.integers(0, 2)):
        kinds = [("product", products), ("sku", skus), ("products_collection", collections)]
        named = st.sampled_from(kinds).flatmap(
            lambda kind: st.builds(lambda id: {"object": kind[0], "id": id}, kind[1])
        )
        body["applicable_to"] = {
            "included": draw(st.lists(named, max_size=3)),
            "excluded": draw(st.lists(named, max_size=1)),
            "included_all": draw(st.integers(0, 4)) == 0,
        }
    return parse_rule_set(body)


@st.composite
def lines(draw: st.DrawFn) -> OrderItemIn:
    """A line that says more or less about what it is."""
    return OrderItemIn(
        product_id=draw(st.none() | products),
        sku_id=draw(st.none() | skus),
        source_id=draw(st.none() | products),
        related_object=draw(st.sampled_from([None, "product", "sku"])),
        quantity=draw(st.integers(1, 4)),
        price=draw(st.none() | amounts),
        product=draw(st.none() | st.builds(ProductRef, id=st.none() | products, source_id=st.none() | products, metadata=metadata, price=st.none() | amounts)),
        sku=draw(st.none() | st.builds(SkuRef, id=st.none() | skus, metadata=metadata)),
        metadata=draw(st.none() | metadata),
    )  # fmt: skip


@st.composite
def orders(draw: st.DrawFn) -> Order | None:
    """An order or none."""
    if not draw(st.integers(0, 6)):
        return None
    items = draw(st.none() | st.lists(lines(), max_size=4))
    return price_order(
        OrderIn(items=items, metadata=draw(st.none() | metadata), amount=draw(st.none() | amounts))
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A cart, a customer, a few collections."""
    customer = None
    if draw(st.booleans()):
        customer = Person(id="cust", segments=draw(st.frozensets(segments)), metadata=draw(metadata))
    known = {
        "pc_0": Collection(id="pc_0", name="0", members=draw(st.frozensets(products | skus))),
        "pc_1": Collection(id="pc_1", name="1", members=frozenset(["prod_1", "src-1", "sku_0"])),
        "pc_red": Collection(id="pc_red", name="red", filter=draw(st.sampled_from(FILTERS))),
    }
    return Situation(
        now=NOON, zone=ZONE, order=draw(orders()), customer=customer, metadata=draw(metadata), collections=known
    )  # fmt: skip


def holding(sets: list[RuleSet], situation: Situation) -> set[str]:
    """The ids of those that hold by the word of the rules themselves; the result is as before."""
    result = Result(order=situation.order)
    redeemable = Redeemable(id="r")
    return {
        str(number)
        for number, rule_set in enumerate(sets)
        if check_rules(rule_set, redeemable, situation, result, None) is None
    }


def indexed(sets: list[RuleSet], index: Index, scoped: bool = False) -> Index:
    """The index with every set under its number."""
    for number, rule_set in enumerate(sets):
        index.add(str(number), [rule_set], scoped=scoped)
    return index


@law
@given(st.lists(rule_sets(), min_size=1, max_size=5), st.lists(situations(), min_size=1, max_size=3))
def test_nothing_that_holds_is_missed(sets, asked):
    index = indexed(sets, Index())
    for situation in asked:
        assert holding(sets, situation) <= set(index.candidates(situation))


@few
@given(
    st.lists(rule_sets(), min_size=1, max_size=5),
    situations(),
    st.sampled_from(["customer", "order", "items", "redemption"]),
)
def test_an_index_of_one_family_looks_at_nothing_else(sets, situation, family):
    """What is found with the whole situation is found too when only that family's facts are known to it."""
    narrow = indexed(sets, Index(frozenset({family})))
    found = set(narrow.candidates(situation))
    assert holding(sets, situation) <= found
    assert set(indexed(sets, Index()).candidates(situation)) <= found
    match family:
        case "customer":
            bare = Situation(now=NOON, zone=ZONE, customer=situation.customer)
        case "order" | "items":
            bare = Situation(now=NOON, zone=ZONE, order=situation.order, collections=situation.collections)
        case _:
            bare = Situation(now=NOON, zone=ZONE, metadata=situation.metadata)
    assert set(narrow.candidates(bare)) == found


@few
@given(st.lists(rule_sets(), min_size=1, max_size=5), situations(), st.integers(0, 7), st.integers(0, 7))
def test_what_is_taken_out_leaves_no_trace(sets, situation, first, second):
    gone = {str(number) for number in (first, second)}
    index = indexed(sets, Index())
    for id in gone:
        index.remove(id)
    fresh = Index()
    for number, rule_set in enumerate(sets):
        if str(number) not in gone:
            fresh.add(str(number), [rule_set])
    assert holding(sets, situation) - gone <= set(index.candidates(situation))
    assert set(index.candidates(situation)) == set(fresh.candidates(situation))
    for id in list(map(str, range(len(sets)))):
        index.remove(id)
    assert len(index) == 0 and index.candidates(situation) == []


discounts = st.sampled_from(
    [
        {"type": "AMOUNT", "amount_off": 100},
        {"type": "PERCENT", "percent_off": 10},
        {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"},
        {"type": "FIXED", "fixed_amount": 1, "effect": "APPLY_TO_ORDER"},
    ]
)


@few
@given(st.lists(rule_sets(), min_size=1, max_size=4), situations(), discounts)
def test_what_a_decision_accepts_is_found_by_its_scope_too(sets, situation, raw):
    discount = parse_discount(raw)
    index = indexed(sets, Index(), scoped=is_scoped(discount))
    accepted: set[str] = set()
    for number, rule_set in enumerate(sets):
        redeemable = Redeemable(id=str(number), rules=(rule_set,), terms=Terms(discount=parse_discount(raw)))
        decision = decide(Facts(redeemables=[redeemable], situation=situation))
        if decision.valid:
            accepted.add(str(number))
    assert accepted <= set(index.candidates(situation))


def after(seconds: int | None) -> datetime | None:
    """So many seconds after noon."""
    return None if seconds is None else NOON + timedelta(seconds=seconds)


@law
@given(
    st.lists(
        st.tuples(st.none() | st.integers(-40, 40), st.none() | st.integers(-40, 40)), min_size=1, max_size=20
    ),
    st.integers(-40, 40),
)
def test_windows_are_found_from_their_first_to_their_last_second(windows, now):
    index = Index()
    inside: set[str] = set()
    for number, (start, end) in enumerate(windows):
        index.add(str(number), [], (after(start), after(end)))
        if (start is None or start <= now) and (end is None or now <= end):
            inside.add(str(number))
    assert set(index.candidates(Situation(now=NOON + timedelta(seconds=now), zone=ZONE))) == inside
