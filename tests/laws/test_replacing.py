"""Upgrades (G-11): whatever is replaced by whatever, in any stack, money adds up and comes back."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine import Facts, allot, decide, give_back, resume_order, take_all

from .draw import baskets, discounts, gifts, law
from .test_items import facts_of, order_of, scopes
from .test_money_laws import CATALOG, assert_adds_up

upgrades = st.fixed_dictionaries(
    {
        "type": st.just("UNIT"),
        "effect": st.just("REPLACE_ITEMS"),
        "unit_off": st.integers(1, 3),
        "unit_type": st.sampled_from(["prod_0", "prod_1", "prod_gift"]),
    }
)
stacks = st.lists(
    st.tuples(st.one_of(upgrades, upgrades, discounts(), gifts()), scopes()), min_size=1, max_size=4
)


def facts(lines: list[tuple[int, int]], stack: list[tuple[dict[str, Any], dict[str, Any]]]) -> Facts:
    return msgspec.structs.replace(facts_of(order_of(lines), stack), catalog=CATALOG)


@law
@given(baskets(), stacks)
def test_every_step_adds_up_and_tells_what_it_exchanged(lines, stack):
    asked = facts(lines, stack)
    decision = decide(asked)
    before = asked.order
    for outcome in decision.outcomes:
        if outcome.order is None or outcome.given is None:
            continue
        after = outcome.order
        assert_adds_up(after)
        if outcome.redeemable.terms.discount.effect == "REPLACE_ITEMS":
            _check(before, after, outcome.given)
        before = after
    assert_adds_up(decision.order)


def _check(before, after, given_here):
    """An upgrade never makes an order dearer, and its parts are what its lines tell."""
    assert after.total_amount <= before.total_amount
    if not given_here.added:
        assert after.items == resume_order(before).items or given_here.total == 0
        return
    new = len(before.items)
    assert len(after.items) == new + 1
    told = after.items[new].application_details
    sources = {one.source_index: one for one in told}
    assert len(sources) == len(told) and all(one.target_index == new for one in told)
    target = after.items[new]
    assert target.quantity == sum(one.target_applied_quantity for one in told)
    assert target.amount == sum(one.target_applied_quantity_amount for one in told)
    assert target.discount_amount == given_here.total == sum(o.target_applied_discount_amount for o in told)
    fall = 0
    for index, one in sources.items():
        gone, come = -one.source_applied_quantity_amount, one.target_applied_quantity_amount
        assert one in after.items[index].application_details
        assert one.target_applied_discount_amount == max(0, come - gone)
        assert after.items[index].quantity == before.items[index].quantity + one.source_applied_quantity >= 0
        assert after.items[index].amount == before.items[index].amount - gone
        assert after.items[index].applied_quantity == one.source_applied_quantity < 0
        fall += max(0, gone - come)
    assert after.total_amount == before.total_amount - fall


@law
@given(baskets(), stacks)
def test_taken_back_newest_first_everything_is_as_it_was(lines, stack):
    asked = facts(lines, stack)
    decision = decide(asked)
    order = decision.order
    for outcome in reversed(decision.outcomes):
        if outcome.given is not None:
            order = give_back(order, take_all(allot(outcome.given, outcome.order)))
            assert_adds_up(order)
    first = asked.order
    assert (order.amount, order.total_amount, order.total_discount_amount) == (first.amount, first.amount, 0)
    count = len(first.items)
    assert [(i.quantity, i.amount) for i in order.items[:count]] == [
        (i.quantity, i.amount) for i in first.items
    ]
    assert all((item.quantity, item.amount or 0) == (0, 0) for item in order.items[count:])


@law
@given(baskets(), stacks, st.randoms(use_true_random=False))
def test_taken_back_in_any_order_money_still_adds_up(lines, stack, random):
    decision = decide(facts(lines, stack))
    order, outcomes = decision.order, [one for one in decision.outcomes if one.given is not None]
    random.shuffle(outcomes)
    for outcome in outcomes:
        part = take_all(allot(outcome.given, outcome.order))
        if all(order.items[line].quantity >= quantity for line, quantity, _ in part.added):
            order = give_back(order, part)
            assert_adds_up(order)
