"""Laws of rules: what `and` and `or` may do, printing and reading back, and that looking on changes nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import Check
from guerdon.engine.logic import Joined, Key, Logic, parse_logic, print_logic
from guerdon.engine.rule import Result, check_rules, parse_rule_set
from guerdon.engine.situation import Collection, Situation
from guerdon.engine.tally import LIMITS, key_asked
from tests.engine.build import cart
from tests.engine.rules import ANNA, VOUCHER, rule, situation
from tests.laws.draw import baskets, law

FRUIT = Collection(id="pc_fruit", name="Fruit", members=frozenset({"prod_0", "prod_2"}))
KEYS = [*"12345", "vip rule", "Black-Friday", 'q"t', "(x", "AND"]

texts = st.sampled_from(
    ["a", "seg_1", "seg_9", "Graz", "prod_0", "prod_1", "pc_fruit", "2026-11-20", "tier_gold"]
)
numbers = st.one_of(st.integers(-5, 40), st.sampled_from([100, 3000, 10**6]))
ordered = st.sampled_from(["$less_than", "$less_than_or_equal", "$more_than", "$more_than_or_equal"])
equal = st.sampled_from(["$is", "$is_not", "$in", "$not_in"])


@st.composite
def sub_rules(draw: st.DrawFn) -> dict[str, Any]:
    names = ["aggregated_quantity", "aggregated_amount", "price", "quantity"]
    inner = {
        str(index): {
            "name": f"order.items.{draw(st.sampled_from(names))}",
            "conditions": {draw(ordered): [draw(numbers)]},
        }
        for index in range(draw(st.integers(0, 2)))
    }
    return inner | ({"logic": draw(st.sampled_from(["0 and 1", "0 or 1"]))} if len(inner) == 2 else {})


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """One rule of any group."""
    match draw(st.integers(0, 5)):
        case 0:
            return rule(
                "customer.segment", **{draw(equal).removeprefix("$"): draw(st.lists(texts, min_size=1))}
            )
        case 1:
            value = draw(st.one_of(texts, numbers, st.booleans()))
            property = draw(st.sampled_from(["vip", "age", "city", "tags", "unknown"]))
            return {"name": "customer.metadata", "property": property, "conditions": {draw(equal): [value]}}
        case 2:
            name = draw(
                st.sampled_from(
                    ["order.amount", "order.initial_amount", "order.items.count", "order.total_amount"]
                )
            )
            return {"name": name, "conditions": {draw(ordered): [draw(numbers)]}}
        case 3:
            name = draw(st.sampled_from(sorted(LIMITS)))
            return {"name": name, "conditions": {"$less_than_or_equal": [draw(st.integers(1, 5000))]}}
        case 4:
            quantifier = draw(st.sampled_from(["any", "every", "none", "cheapest", "most_expensive"]))
            items = draw(st.lists(texts, min_size=1, max_size=3))
            return {
                "name": f"order.items.{quantifier}",
                "conditions": {"$is": items},
                "rules": draw(sub_rules()),
            }
    return {"name": "redemption.metadata", "property": "a", "conditions": {draw(equal): [draw(texts)]}}


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anna, somebody else or nobody, with or without a cart, with tallies of all sizes."""
    order = draw(st.one_of(st.none(), baskets(most=5).map(lambda lines: cart(*lines))))
    customer = draw(
        st.sampled_from([None, ANNA, replace(ANNA, id="cust_2", segments=frozenset(), metadata={})])
    )
    at = situation(order, customer, api_key="key", collections={"pc_fruit": FRUIT}, metadata={"a": "a"})
    keys = [key for name in LIMITS if (key := key_asked(name, VOUCHER, at)) is not None]
    at.used = {key: draw(st.integers(0, 5000)) for key in draw(st.lists(st.sampled_from(keys), max_size=5))}
    return at


def holds(rules: dict[str, Any], at: Situation, result: Result) -> bool:
    plain = check_rules(parse_rule_set({"rules": rules}), VOUCHER, at, result, None)
    return plain is None


def result_of(at: Situation) -> Result:
    return Result(at.order, 0 if at.order is None else (at.order.amount or 0) // 10)


@law
@given(conditions(), conditions(), situations())
def test_and_never_holds_where_a_part_does_not_and_or_holds_where_one_does(
    one: dict[str, Any], other: dict[str, Any], at: Situation
) -> None:
    result = result_of(at)
    first, second = holds({"1": one}, at, result), holds({"1": other}, at, result)
    for logic in ("1 and 2", "2 and 1", None):
        both = {"1": one, "2": other} | ({} if logic is None else {"logic": logic})
        assert holds(both, at, result) == (first and second)
    for logic in ("1 or 2", "2 or 1"):
        assert holds({"1": one, "2": other, "logic": logic}, at, result) == (first or second)


@law
@given(sub_rules(), sub_rules(), st.lists(texts, min_size=1, max_size=3), situations())
def test_another_sub_rule_never_makes_a_rule_hold(
    inner: dict[str, Any], more: dict[str, Any], items: list[str], at: Situation
) -> None:
    result = result_of(at)
    own = inner.get("logic") or " and ".join(inner)
    wider = {f"x{key}": sub for key, sub in more.items() if key != "logic"}
    logic = " and ".join([f"({own})"] * bool(own) + [*wider])
    for quantifier in ("any", "every", "cheapest", "most_expensive"):
        body = {"name": f"order.items.{quantifier}", "conditions": {"$is": items}}
        with_more = body | {"rules": inner | wider | {"logic": logic}}
        if holds({"1": with_more}, at, result):
            assert holds({"1": body | {"rules": inner}}, at, result)


@st.composite
def trees(draw: st.DrawFn, depth: int = 5) -> Logic:
    if depth == 0 or draw(st.booleans()):
        return Key(draw(st.sampled_from(KEYS)))
    word = draw(st.sampled_from(["and", "or"]))
    parts: list[Logic] = []
    for part in draw(st.lists(trees(depth - 1), min_size=2, max_size=3)):
        parts += part.parts if isinstance(part, Joined) and part.word == word else [part]
    return Joined(word, tuple(parts))


@law
@given(trees())
def test_logic_is_read_back_as_it_was_printed(tree: Logic) -> None:
    assert parse_logic(print_logic(tree), KEYS, "rules.logic") == tree


@law
@given(st.lists(conditions(), min_size=1, max_size=5), trees(), situations())
def test_looking_on_changes_nothing(rules: list[dict[str, Any]], tree: Logic, at: Situation) -> None:
    body: dict[str, Any] = {key: rules[index % len(rules)] for index, key in enumerate(KEYS)}
    rule_set = parse_rule_set({"rules": body | {"logic": print_logic(tree)}})
    result = result_of(at)
    trace: list[Check] = []
    plain = check_rules(rule_set, VOUCHER, at, result, None)
    assert check_rules(rule_set, VOUCHER, at, result, trace) == plain
    assert check_rules(rule_set, VOUCHER, at, result, None) == plain
    if plain is not None:
        assert any(check.outcome == "failed" for check in trace)
