"""Whatever comes back in whatever parts: the refunds come to what was paid, and everybody gives back what they gave."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import allot, decide
from guerdon.engine.decision import Facts
from guerdon.engine.returning import Back, bring_back, deciding

from .draw import baskets, discounts, gifts, law
from .test_money_laws import assert_adds_up, facts_of

stacks = st.lists(st.one_of(discounts(), discounts(), gifts()), min_size=1, max_size=3)
moves = st.lists(st.tuples(st.integers(0, 2**30), st.integers(1, 6), st.booleans()), max_size=8)


def bought(lines: list, raws: list, asking: bool):
    """An order after its redemptions, what each holds, and how to decide again (or not)."""
    facts = facts_of(lines, raws)
    decision = decide(facts)
    applied = [decision.outcomes[index] for index in decision.applied]
    allotments = [allot(outcome.given, outcome.order) for outcome in applied]
    of = Facts(
        redeemables=[outcome.redeemable for outcome in applied],
        situation=facts.situation,
        stacking=facts.stacking,
        catalog=facts.catalog,
    )
    return decision.order, allotments, deciding(of) if asking else None


@law
@given(baskets(5), stacks, moves, st.booleans())
def test_refunds_of_any_parts_come_to_what_was_paid(lines, raws, sequence, asking):
    order, allotments, again = bought(lines, raws, asking)
    paid, refunds = order.total_amount, 0
    given = [allotment.left for allotment in allotments]
    backs = [0] * len(allotments)
    whole = [("rest", 0, False)]
    for number, quantity, by_worth in [*sequence, *whole]:
        named = parts(order, number, quantity, by_worth)
        if not named:
            continue
        made = bring_back(order, allotments, named, again)
        assert made.refund >= 0 and made.refund == made.paid_before - made.paid_after
        assert all(share.back >= 0 for share in made.shares)
        refunds += made.refund
        order, allotments = made.order, [share.after for share in made.shares]
        backs = [before + share.back for before, share in zip(backs, made.shares, strict=True)]
        assert [allotment.left for allotment in allotments] == [
            whole - back for whole, back in zip(given, backs, strict=True)
        ]
        assert order.total_amount == paid - refunds
        adds_up(order)
    assert (refunds, order.total_amount) == (paid, 0)
    assert backs == given


def adds_up(order):
    """As ever, but that a line of which worth came back costs less than its units did."""
    items = [item if by_price(item) else replace(item, price=None) for item in order.items]
    assert_adds_up(replace(order, items=items))


def by_price(item):
    return item.amount == (item.price or 0) * item.quantity


def parts(order, number, quantity, by_worth):
    """Something of a line that is still there; all that is there for "rest"."""
    lines = [index for index, item in enumerate(order.items) if item.quantity]
    if not lines:
        return []
    if number == "rest":
        return [Back(index, quantity=order.items[index].quantity) for index in lines]
    index = lines[number % len(lines)]
    item = order.items[index]
    if by_worth and (item.amount or 0) > 1:
        return [Back(index, amount=number % (item.amount - 1) + 1)]
    return [Back(index, quantity=min(quantity, item.quantity))]


@law
@given(baskets(4), stacks, st.integers(0, 100), st.integers(1, 6))
def test_what_stays_costs_what_it_costs_bought_alone(lines, raws, number, quantity):
    """Where it was decided again: in one return or in two, the customer has paid the same for what stays."""
    order, allotments, again = bought(lines, raws, True)
    named = parts(order, number, quantity, False)
    if not named or named[0].quantity < 2:
        return
    [back] = named
    both = bring_back(order, allotments, named, again)
    one = bring_back(order, allotments, [Back(back.line, quantity=1)], again)
    rest = [Back(back.line, quantity=back.quantity - 1)]
    two = bring_back(one.order, [share.after for share in one.shares], rest, again)
    if {both.method, one.method, two.method} == {"DECIDED_AGAIN"}:
        assert both.paid_after == two.paid_after
        assert both.refund == one.refund + two.refund
