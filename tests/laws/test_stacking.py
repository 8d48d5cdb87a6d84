"""Stacking (G-11): laws over drawn stacks, settings and categories; the best deal against every stack there is."""

from datetime import UTC, datetime
from itertools import combinations, permutations
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import (
    CatalogItem,
    Category,
    Decision,
    Facts,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    best_deal,
    catalog_of,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.best_deal import _Search as Search
from guerdon.engine.rule import parse_rule_set

from .draw import baskets, discounts, gifts, law

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CATALOG = catalog_of([CatalogItem(object="product", id="prod_gift", price=777)])
CATEGORIES = {
    name: Category(id=f"cat_{name}", name=name, hierarchy=place)
    for place, name in enumerate(["plain", "always", "never", "other"])
}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Conditions that look at the running order, and items that a discount is for."""
    bound = draw(st.integers(0, 50_000))
    operator = draw(st.sampled_from(["$more_than", "$more_than_or_equal", "$less_than"]))
    name = draw(st.sampled_from(["order.amount", "order.total_amount"]))
    body: dict[str, Any] = {"rules": {"1": {"name": name, "conditions": {operator: [bound]}}}}
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=3, unique=True))
        entry = {"object": "product", "effect": draw(st.sampled_from(ITEM_EFFECTS))}
        if draw(st.booleans()):
            entry |= {"aggregated_quantity_limit": draw(st.integers(1, 9))}
        body["applicable_to"] = {"included": [entry | {"id": name} for name in names]}
    return body


ITEM_EFFECTS = ["APPLY_TO_EVERY", "APPLY_TO_CHEAPEST", "APPLY_FROM_MOST_EXPENSIVE"]
FORMULAS = [
    {"type": "AMOUNT", "amount_off_formula": "ORDER_AMOUNT / 7"},
    {"type": "AMOUNT", "amount_off_formula": "IF(ORDER_AMOUNT < 100; 50; 1)", "effect": "APPLY_TO_ITEMS"},
    {"type": "PERCENT", "percent_off_formula": "MIN(ORDER_ITEM_SUBTOTAL; 90)", "effect": "APPLY_TO_ITEMS"},
]
PRODUCTS = ["prod_0", "prod_1", "prod_2"]


@st.composite
def redeemables(draw: st.DrawFn, most: int = 5, least: int = 1) -> list[Redeemable]:
    """Vouchers with or without a category and rules, some of them not to be had."""
    drawn: list[Redeemable] = []
    for place in range(draw(st.integers(least, most))):
        raw = draw(st.one_of(discounts(), discounts(), gifts(), st.sampled_from(FORMULAS)))
        category = draw(st.sampled_from([None, None, *CATEGORIES.values()]))
        body = draw(st.one_of(st.none(), st.none(), rules()))
        drawn.append(
            Redeemable(
                id=f"CODE{place}",
                key=f"v_{place}",
                terms=Terms(discount=parse_discount(raw)),
                category=category,
                rules=() if body is None else (parse_rule_set(body, id=f"val_{place}"),),
                active=draw(st.integers(0, 9)) > 0,
            )
        )
    return drawn


@st.composite
def settings(draw: st.DrawFn, **fixed: Any) -> StackingRules:
    """Any stacking rules."""
    choice = {
        "applicable_redeemables_limit": st.integers(1, 6),
        "applicable_redeemables_per_category_limit": st.sampled_from([None, 1, 2]),
        "applicable_exclusive_redeemables_limit": st.integers(1, 2),
        "exclusive_categories": st.sampled_from([[], ["cat_never"]]),
        "joint_categories": st.sampled_from([[], ["cat_always"]]),
        "redeemables_application_mode": st.sampled_from(["ALL", "PARTIAL"]),
        "redeemables_sorting_rule": st.sampled_from(["REQUESTED_ORDER", "CATEGORY_HIERARCHY", "BEST_DEAL"]),
        "grouped_redeemables_sorting_rule": st.sampled_from(["JOINT_ALWAYS_LAST", "SORTED_TOGETHER"]),
        "redeemables_products_application_mode": st.sampled_from(["STACK", "ONCE"]),
        "discount_calculation_mode": st.sampled_from(["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"]),
        "initial_amount_mode_categories": st.sampled_from([[], ["cat_other"]]),
        "redeemables_no_effect_rule": st.sampled_from(["REDEEM_ANYWAY", "SKIP"]),
        "margin_floor_percent": st.sampled_from([0, 0, 30, 60, 100]),
    }
    drawn = {name: fixed[name] if name in fixed else draw(each) for name, each in choice.items()}
    return StackingRules(**drawn)


def facts_of(lines: list[tuple[int, int]], asked: list[Redeemable], stacking: StackingRules) -> Facts:
    items = [
        OrderItemIn(product_id=f"prod_{index}", price=price, quantity=quantity)
        for index, (price, quantity) in enumerate(lines)
    ]
    order = price_order(OrderIn(items=items))
    situation = Situation(now=NOW, zone=ZoneInfo("UTC"), order=order)
    return Facts(redeemables=asked, situation=situation, stacking=stacking, catalog=CATALOG)


def off(decision: Decision) -> int:
    """What everything that applies takes off together."""
    given = [outcome.given for outcome in decision.outcomes if outcome.status == "APPLICABLE"]
    return sum(each.total for each in given if each is not None)


@law
@given(baskets(), redeemables(), settings())
def test_no_stack_makes_a_total_negative_or_raises_it(lines, asked, stacking):
    facts = facts_of(lines, asked, stacking)
    decision = decide(facts)
    before = facts.order.total_amount
    floor = -(-before * stacking.margin_floor_percent // 100)
    for index in decision.applied:
        order = decision.outcomes[index].order
        assert 0 <= order.total_amount <= before
        assert order.total_amount >= floor or order.total_amount == before
        assert all((item.subtotal_amount or 0) >= 0 for item in order.items)
        before = order.total_amount
    if decision.valid:
        assert decision.order.total_applied_discount_amount == off(decision)
    else:
        assert decision.order is facts.order


@law
@given(baskets(), redeemables(), settings())
def test_the_same_facts_make_the_same_decision(lines, asked, stacking):
    facts = facts_of(lines, asked, stacking)
    first, second = decide(facts), decide(facts)
    assert msgspec.json.encode(first.order) == msgspec.json.encode(second.order)
    assert [(o.status, o.reason, o.given) for o in first.outcomes] == [
        (o.status, o.reason, o.given) for o in second.outcomes
    ]
    assert (first.sequence, first.certificate) == (second.sequence, second.certificate)
    explained = decide(replace(facts, explain=True))
    assert [(o.status, o.reason, o.given) for o in explained.outcomes] == [
        (o.status, o.reason, o.given) for o in first.outcomes
    ]


@law
@given(baskets(), redeemables(), settings())
def test_every_redeemable_has_one_outcome_and_one_place_in_the_sequence(lines, asked, stacking):
    decision = decide(facts_of(lines, asked, stacking))
    assert [outcome.redeemable for outcome in decision.outcomes] == asked
    assert sorted(decision.sequence) == list(range(len(asked)))
    assert len(decision.applied) <= stacking.applicable_redeemables_limit
    assert decision.valid <= bool(decision.applied)


@law
@given(baskets(), redeemables(most=4), settings(), st.integers(0, 4))
def test_two_equal_candidates_may_change_places(lines, asked, stacking, place):
    """Equal but for their names: it does not matter which of them was asked for first."""
    twin = replace(asked[0], id="TWIN", key="v_twin")
    stack = [*asked, twin]
    stack.insert(place, stack.pop(0))
    swapped = [twin if one is asked[0] else asked[0] if one is twin else one for one in stack]
    left, right = decide(facts_of(lines, stack, stacking)), decide(facts_of(lines, swapped, stacking))
    assert left.order == right.order
    assert left.valid == right.valid


@law
@given(baskets(), redeemables(), settings(redeemables_application_mode="ALL"))
def test_partial_applies_what_all_applies_when_nothing_fails(lines, asked, stacking):
    whole = decide(facts_of(lines, asked, stacking))
    part = decide(facts_of(lines, asked, replace(stacking, redeemables_application_mode="PARTIAL")))
    if whole.valid:
        assert part.order == whole.order
        assert part.applied == whole.applied
    else:
        # What ALL found fit before the failure is fit in PARTIAL too.
        assert set(whole.applied) <= set(part.applied)
    failing = [o for o in part.outcomes if o.status == "INAPPLICABLE"]
    assert bool(failing) <= (not whole.valid)


@law
@given(baskets(most=4), redeemables(most=4), settings(redeemables_application_mode="PARTIAL"))
def test_the_best_deal_is_at_least_as_good_as_every_stack_in_every_order(lines, asked, stacking):
    best = decide(facts_of(lines, asked, replace(stacking, redeemables_sorting_rule="BEST_DEAL")))
    plain = replace(stacking, redeemables_sorting_rule="REQUESTED_ORDER")
    certificate = best.certificate
    assert certificate.exact and certificate.best_total == certificate.bound == off(best)
    for count in range(1, len(asked) + 1):
        for stack in permutations(asked, count):
            assert off(decide(facts_of(lines, list(stack), plain))) <= off(best)


@law
@given(baskets(most=4), redeemables(most=4), settings(redeemables_application_mode="PARTIAL"))
def test_no_stack_is_above_the_ceiling_of_what_it_begins_with(lines, asked, stacking):
    """The bounds by themselves, whether the search would have found the best stack anyway or not."""
    facts = facts_of(lines, asked, replace(stacking, redeemables_sorting_rule="REQUESTED_ORDER"))
    alive = [place for place, one in enumerate(asked) if one.active]
    search = Search(facts, alive)
    grown, bounds = search.children(search.root)
    whole = search.ceiling(search.root, bounds)
    begun = {child.places[0]: search.ceiling(child, bounds) for child in grown}
    second = {child.places: (child, *search.children(child, bounds)) for child in grown}
    for count in range(1, len(alive) + 1):
        for places in permutations(alive, count):
            decision = decide(replace(facts, redeemables=[asked[place] for place in places]))
            useful = [
                places[index]
                for index in decision.applied
                if decision.outcomes[index].given.total or decision.outcomes[index].given.added
            ]
            total = off(decision)
            assert total <= whole
            if useful:
                assert total <= begun[useful[0]]
                child, _, further = second[tuple(useful[:1])]
                assert total <= search.ceiling(child, further)


@law
@given(baskets(most=4), redeemables(most=8, least=5), settings(redeemables_application_mode="PARTIAL"))
def test_the_order_named_in_the_certificate_gives_its_total(lines, asked, stacking):
    best = decide(facts_of(lines, asked, replace(stacking, redeemables_sorting_rule="BEST_DEAL")))
    named = {redeemable.id: redeemable for redeemable in asked}
    certificate = best.certificate
    assert certificate.best_total <= certificate.bound
    applied = [best.outcomes[index].redeemable.id for index in best.applied]
    assert certificate.order in (applied, [])
    again = decide(
        facts_of(
            lines,
            [named[name] for name in certificate.order],
            replace(stacking, redeemables_sorting_rule="REQUESTED_ORDER"),
        )
    )
    assert off(again) == certificate.best_total


@law
@given(baskets(most=4), redeemables(most=7, least=4), settings(redeemables_application_mode="PARTIAL"))
def test_no_combination_takes_off_more_however_little_work_is_left_for_other_orders(lines, asked, stacking):
    with patch.multiple(best_deal, WORK=0, WORK_FOR_FEW=0, PLAIN_WORK=0):
        best = decide(facts_of(lines, asked, replace(stacking, redeemables_sorting_rule="BEST_DEAL")))
    plain = replace(stacking, redeemables_sorting_rule="REQUESTED_ORDER")
    certificate = best.certificate
    assert certificate.exact and certificate.best_total == off(best) <= certificate.bound
    for count in range(1, len(asked) + 1):
        for some in combinations(asked, count):
            assert off(decide(facts_of(lines, list(some), plain))) <= off(best)
