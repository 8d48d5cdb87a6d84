"""Whatever is taken back, in whatever parts: never more than was given, and in the end exactly that."""

from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine import allot, decide, give_back, resume_order, take_all, take_amount, take_items

from .draw import baskets, discounts, gifts, law
from .test_money_laws import assert_adds_up, facts_of

moves = st.lists(st.tuples(st.booleans(), st.integers(0, 2**40), st.integers(1, 5)), max_size=12)


def move(allotment, by_amount, number, quantity):
    """One taking back that is allowed, or None when there is nothing of that kind left."""
    if by_amount:
        return take_amount(allotment, number % allotment.left + 1) if allotment.left else None
    lines = [part for part in allotment.parts if part.taken_units < part.units]
    if not lines:
        return None
    part = lines[number % len(lines)]
    return take_items(allotment, [(part.line, min(quantity, part.units - part.taken_units))])


@law
@given(baskets(), st.one_of(discounts(), gifts()), moves)
def test_partial_takings_sum_to_the_whole(lines, raw, sequence):
    facts = facts_of(lines, [raw])
    decision = decide(facts)
    order, outcome = decision.order, decision.outcomes[0]
    allotment = allot(outcome.given, outcome.order)
    assert allotment.given == allotment.left == outcome.given.total
    taken = 0
    for by_amount, number, quantity in sequence:
        back = move(allotment, by_amount, number, quantity)
        if back is None:
            continue
        assert back.total >= 0
        taken += back.total
        assert taken <= outcome.given.total
        assert back.after.left == outcome.given.total - taken
        order, allotment = give_back(order, back), back.after
        assert_adds_up(order)
        assert order.total_discount_amount == outcome.given.total - taken
    back = take_all(allotment)
    order = give_back(order, back)
    assert taken + back.total == outcome.given.total
    assert back.after.left == 0 and take_all(back.after).total == 0
    assert (order.total_amount, order.total_discount_amount) == (facts.order.total_amount, 0)


@law
@given(baskets(), st.one_of(discounts(), gifts()), st.randoms(use_true_random=False))
def test_all_units_one_by_one_bring_exactly_everything(lines, raw, random):
    outcome = decide(facts_of(lines, [raw])).outcomes[0]
    allotment = allot(outcome.given, outcome.order)
    units = [part.line for part in allotment.parts for _ in range(part.units)]
    random.shuffle(units)
    taken = 0
    for line in units:
        back = take_items(allotment, [(line, 1)])
        taken, allotment = taken + back.total, back.after
    assert taken == outcome.given.total
    assert allotment.left == 0


@law
@given(
    baskets(),
    st.lists(st.one_of(discounts(), gifts()), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_a_stack_taken_back_in_any_order_restores_what_was_to_pay(lines, stack, random):
    facts = facts_of(lines, stack)
    decision = decide(facts)
    order = decision.order
    outcomes = list(decision.outcomes)
    random.shuffle(outcomes)
    for outcome in outcomes:
        order = give_back(order, take_all(allot(outcome.given, outcome.order)))
    assert (order.total_amount, order.amount) == (facts.order.total_amount, facts.order.amount)
    assert order.total_discount_amount == 0
    assert resume_order(order) == order
