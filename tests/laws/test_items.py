"""Items (G-11): what scopes, units and bundles may never do, over drawn baskets, entries and discounts."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from guerdon.engine import (
    Facts,
    Order,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    Terms,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.bundle import count, parse_bundle
from guerdon.engine.decide import reckon
from guerdon.engine.reasons import Reason
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.scope import Chosen, budget_keys, choose, covers, parse_scope
from guerdon.engine.situation import Collection, Person

from .draw import THIRTY, amounts, baskets, discounts, law
from .test_money_laws import assert_adds_up

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COLLECTIONS = {
    "pc_low": Collection(id="pc_low", name="Low", members=frozenset({"prod_0", "prod_1", "prod_2"})),
    "pc_odd": Collection(id="pc_odd", name="Odd", members=frozenset({"prod_1", "prod_3", "prod_5"})),
}
CODE = Redeemable(id="CODE", key="v_1", campaign_id="camp_1")
BUDGETS = [
    "product_campaign_quantity_limit",
    "product_customer_campaign_quantity_limit",
    "product_promotion_tier_quantity_limit",
]
INSIDE = ["product_in_collection_campaign_quantity_limit"]


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """An entry for a product or collection with any effect, steps, limits and budgets."""
    name = draw(st.sampled_from(["prod_0", "prod_1", "prod_2", "prod_3", "pc_low", "pc_odd"]))
    entry: dict[str, Any] = {
        "object": "products_collection" if name.startswith("pc_") else "product",
        "id": name,
        "effect": draw(
            st.sampled_from(
                [
                    "APPLY_TO_EVERY",
                    "APPLY_TO_EVERY",
                    "APPLY_TO_CHEAPEST",
                    "APPLY_FROM_CHEAPEST",
                    "APPLY_TO_MOST_EXPENSIVE",
                    "APPLY_FROM_MOST_EXPENSIVE",
                ]
            )
        ),
        "target": draw(st.sampled_from(["ITEM", "UNIT"])),
        "skip_initially": draw(st.sampled_from([0, 0, 0, 1, 2, 5])),
        "repeat": draw(st.sampled_from([1, 1, 1, 2, 3, 7])),
    }
    for limit in ("quantity_limit", "aggregated_quantity_limit"):
        if draw(st.integers(0, 3)) == 0:
            entry[limit] = draw(st.integers(1, 15))
    for limit in ("amount_limit", "aggregated_amount_limit"):
        if draw(st.integers(0, 3)) == 0:
            entry[limit] = draw(amounts(least=1))
    if draw(st.integers(0, 3)) == 0:
        entry["price"] = draw(amounts())
    if draw(st.integers(0, 3)) == 0:
        kinds = BUDGETS + (INSIDE if name.startswith("pc_") else [])
        entry[draw(st.sampled_from(kinds))] = draw(st.integers(1, 12))
    return entry


@st.composite
def scopes(draw: st.DrawFn) -> dict[str, Any]:
    """Included, perhaps excluded, perhaps all."""
    return {
        "included": draw(st.lists(entries(), max_size=3)),
        "excluded": draw(st.one_of(st.just([]), st.lists(entries(), max_size=1))),
        "included_all": draw(st.booleans()),
    }


def order_of(lines: list[tuple[int, int]]) -> Order:
    """An order whose products come again on later lines."""
    items = [
        OrderItemIn(product_id=f"prod_{index % 5}", price=price, quantity=quantity)
        for index, (price, quantity) in enumerate(lines)
    ]
    return price_order(OrderIn(items=items))


def around(order: Order, used: dict[str, int] | None = None) -> Situation:
    """A customer with an order."""
    return Situation(
        now=NOW,
        zone=ZoneInfo("UTC"),
        order=order,
        initial=order,
        customer=Person(id="cust_1"),
        collections=COLLECTIONS,
        used=used or {},
    )


def chosen_of(raw: list[dict[str, Any]], order: Order, used: dict[str, int] | None = None) -> Chosen:
    """What these scopes choose together."""
    return choose([parse_scope(one) for one in raw], order, around(order, used), CODE)


@law
@given(baskets(), st.lists(scopes(), min_size=1, max_size=2), st.integers(0, 9))
def test_units_are_never_more_than_any_limit_leaves(lines, raw, spent):
    order = order_of(lines)
    parsed = [parse_scope(one) for one in raw]
    keys = budget_keys(parsed, order, around(order), CODE)
    chosen = chosen_of(raw, order, dict.fromkeys(keys, spent))
    items = order.items or []
    counts = {target.line: target.units for target in chosen.targets}
    assert len(counts) == len(chosen.targets)
    for target in chosen.targets:
        assert 1 <= target.units <= items[target.line].quantity
        assert target.all_units is (target.units == items[target.line].quantity)
    for pick in chosen.picks:
        taken = [counts.get(line, 0) for line, _ in pick.lines]
        entry = pick.entry
        assert all(units <= (entry.quantity_limit or units) for units in taken)
        assert sum(taken) <= (entry.aggregated_quantity_limit or sum(taken))
        for line, numbers in pick.lines:
            assert 1 <= numbers[0] <= numbers[-1] <= items[line].quantity
    for scope in parsed:
        for entry in scope.excluded:
            assert not any(covers(entry, items[line], around(order)) for line in counts)
    limits = [budget.limit for scope in parsed for entry in scope.included for budget in entry.budgets]
    assert set(chosen.units) <= set(keys)
    assert all(spent + units <= max(limits) for units in chosen.units.values())
    assert (chosen.refusal is None) is bool(chosen.targets)


@law
@given(baskets(), entries(), st.integers(0, 12))
def test_a_budget_is_never_overdrawn(lines, entry, spent):
    order = order_of(lines)
    names = [name for name in entry if name.startswith("product_")]
    assume(names)
    limit = entry[names[0]]
    keys = budget_keys([parse_scope({"included": [entry]})], order, around(order), CODE)
    chosen = chosen_of([{"included": [entry]}], order, dict.fromkeys(keys, spent))
    free = chosen_of([{"included": [{k: v for k, v in entry.items() if k not in names}]}], order)
    assert all(units <= max(0, limit - spent) for units in chosen.units.values())
    assert sum(t.units for t in chosen.targets) <= sum(t.units for t in free.targets)
    if "product_in_collection_campaign_quantity_limit" not in names:
        wanted = sum(target.units for target in free.targets)
        assert sum(target.units for target in chosen.targets) == min(wanted, max(0, limit - spent))


@law
@given(baskets(), st.integers(0, 9), st.integers(1, 5), st.booleans())
def test_units_are_numbered_as_if_each_were_counted(lines, skip, repeat, dearest):
    order = order_of(lines)
    entry = {
        "object": "products_collection", "id": "pc_low", "target": "UNIT", "skip_initially": skip, "repeat": repeat,
        "effect": "APPLY_FROM_MOST_EXPENSIVE" if dearest else "APPLY_TO_EVERY",
    }  # fmt: skip
    items = order.items or []
    covered = [line for line, item in enumerate(items) if item.product_id in COLLECTIONS["pc_low"].members]
    if dearest:
        covered.sort(key=lambda line: (-(items[line].price or 0), items[line].amount, line))
    units = [(line, number) for line in covered for number in range(1, items[line].quantity + 1)]
    expected = Counter(line for line, _ in units[skip::repeat])
    chosen = chosen_of([{"included": [entry]}], order)
    assert {target.line: target.units for target in chosen.targets} == expected
    shown = [
        (place["index"], number)
        for answer in chosen.applicable
        for place in answer.get("order_item_units", ())
        for number in place["units"]
    ]
    assert sorted(shown) == sorted(units[skip::repeat])


@law
@given(baskets(), scopes(), discounts(), st.integers(1, 4))
def test_a_discount_stays_within_its_units_lines_and_limits(lines, raw, discount, bundles):
    order = order_of(lines)
    items = order.items or []
    chosen = chosen_of([raw], order)
    effect = reckon(parse_discount(discount), order, None, {}, None, chosen, bundles)
    if isinstance(effect, Reason):
        assert not chosen.targets
        return
    if discount["effect"] == "APPLY_TO_ORDER":
        assert 0 <= effect.order_discount <= order.total_amount and not effect.lines
        return
    assert effect.order_discount == 0
    offs = dict(effect.lines)
    assert len(offs) == len(effect.lines)
    targets = {target.line: target for target in chosen.targets}
    for line, off in offs.items():
        target, item = targets[line], items[line]
        assert 0 < off <= item.price * target.units
        assert off <= (target.amount_limit if target.amount_limit is not None else off)
    total = sum(offs.values())
    for limit in (
        chosen.aggregated_amount_limit,
        discount.get("aggregated_amount_limit"),
        order.total_amount,
    ):
        assert limit is None or total <= limit
    for cap in chosen.caps:
        assert sum(offs.get(line, 0) for line in cap.lines) <= cap.limit
    if "PROPORTIONALLY" in discount["effect"]:
        assert total <= discount["amount_off"] * bundles


@law
@given(baskets(), discounts())
def test_a_scope_of_everything_is_no_scope(lines, discount):
    order = order_of(lines)
    everything = chosen_of(
        [{"included": [{"object": "product", "id": f"prod_{number}"} for number in range(5)]}], order
    )
    parsed = parse_discount(discount)
    narrowed = reckon(parsed, order, None, {}, None, everything)
    plain = reckon(parsed, order, None, {}, None)
    # Limits cut from the last line chosen: the order of choice must be the order's own to compare lines.
    if [target.line for target in everything.targets] == list(range(len(lines))):
        assert narrowed == plain
    elif not isinstance(plain, Reason):
        assert sum(off for _, off in narrowed.lines) == sum(off for _, off in plain.lines)


def facts_of(order: Order, stack: list[tuple[dict[str, Any], dict[str, Any]]]) -> Facts:
    """Codes with a discount and a scope each."""
    asked = [
        Redeemable(
            id=str(index),
            key=f"v_{index}",
            campaign_id="camp_1",
            terms=Terms(discount=parse_discount(raw)),
            rules=(parse_rule_set({"applicable_to": scope}),),
        )
        for index, (raw, scope) in enumerate(stack)
    ]
    stacking = msgspec.structs.replace(THIRTY, redeemables_application_mode="PARTIAL")
    return Facts(redeemables=asked, situation=around(order), stacking=stacking)


pairs = st.tuples(discounts(), scopes())


@law
@given(baskets(), pairs, pairs)
def test_two_equal_candidates_may_change_places(lines, one, other):
    facts = facts_of(order_of(lines), [one, other, one])
    swapped = msgspec.structs.replace(facts, redeemables=facts.redeemables[::-1])
    assert decide(facts).order == decide(swapped).order


@law
@given(baskets(), st.lists(pairs, min_size=1, max_size=4))
def test_every_order_along_the_way_adds_up(lines, stack):
    decision = decide(facts_of(order_of(lines), stack))
    for outcome in decision.outcomes:
        if outcome.order is not None and outcome.given is not None:
            assert_adds_up(outcome.order)
            chosen = {target.line for target in outcome.chosen.targets} if outcome.chosen else set()
            if outcome.chosen is not None and outcome.given.order_discount == 0:
                assert {line for line, _ in outcome.given.line_discounts} <= chosen
    if decision.order is not None:
        assert_adds_up(decision.order)


@law
@given(baskets(), st.lists(st.tuples(st.sampled_from(["prod_0", "prod_1", "pc_low", "pc_odd"]), st.integers(1, 4)), min_size=1, max_size=4), st.integers(1, 9))  # fmt: skip
def test_bundles_are_as_many_as_can_be_laid_side_by_side(lines, parts, limit):
    order = order_of(lines)
    raw: dict[str, Any] = {"limit": limit}
    for number, (name, quantity) in enumerate(parts):
        kind = "products_collection" if name.startswith("pc_") else "product"
        raw[f"part {number}"] = {
            "name": "order.items.any",
            "conditions": {"$is": [{"object": kind, "id": name}]},
            "rules": {"1": {"name": "order.items.aggregated_quantity", "conditions": {"$is": [quantity]}}},
        }
    bundle = parse_bundle(raw)
    situation = around(order)
    result = count(bundle, order, situation)
    items = order.items or []
    have = [
        {line: item.quantity for line, item in enumerate(items) if covers(part.entry, item, situation)}
        for part in bundle.parts
    ]
    # Hall: so many sets fit exactly when every group of parts finds its units.
    possible = limit
    for group in range(1, 1 << len(bundle.parts)):
        inside = [place for place in range(len(bundle.parts)) if group >> place & 1]
        units = {line: quantity for place in inside for line, quantity in have[place].items()}
        possible = min(possible, sum(units.values()) // sum(bundle.parts[place].quantity for place in inside))
    assert result.quantity == possible
    asked = sum(part.quantity for part in bundle.parts)
    found = sum(entry["item_quantity"] for entry in result.identified)
    missing = sum(entry["item_quantity"] for entry in result.missing)
    assert found + missing == asked * max(result.quantity, 1)
    for entry in result.identified:
        assert 1 <= entry["item_quantity"] <= items[entry["item_index"]].quantity
