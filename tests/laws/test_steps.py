"""One step of a stack, taken by itself: the walk, which goes on in place, finds what a fold of fresh steps finds."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import Facts, decide, resume_order
from guerdon.engine.attempt import attempt, onward
from guerdon.engine.decision import Outcome
from guerdon.engine.walk import start

from .draw import baskets, law
from .test_stacking import facts_of, redeemables, settings

BY_TURNS = st.sampled_from(["REQUESTED_ORDER", "CATEGORY_HIERARCHY"])


@st.composite
def drawn_facts(draw: st.DrawFn) -> Facts:
    """A stack that is taken up in turns, now and then on an order that has been discounted before."""
    rule = draw(BY_TURNS)
    asked, lines = draw(redeemables()), draw(baskets())
    stacking = replace(
        draw(settings()), redeemables_sorting_rule=rule, redeemables_application_mode="PARTIAL"
    )
    facts = facts_of(lines, asked, stacking)
    if draw(st.integers(0, 2)) == 0:
        facts.situation.order = resume_order(decide(facts).order)
    return facts


def by_itself(facts: Facts, before: list[int], index: int) -> Outcome:
    """What becomes of a redeemable after these, each step made anew from the start."""
    running = start(facts)
    for each in before:
        running = onward(facts, running, attempt(facts, facts.redeemables[each], running))
    return attempt(facts, facts.redeemables[index], running)


@law
@given(drawn_facts())
def test_every_step_of_a_walk_is_what_it_is_by_itself(facts):
    decision = decide(facts)
    for place, index in enumerate(decision.applied):
        assert by_itself(facts, decision.applied[:place], index) == decision.outcomes[index]


@law
@given(drawn_facts())
def test_what_is_shown_as_applied_is_what_the_step_did(facts):
    decision = decide(facts)
    before = facts.order
    for index in decision.applied:
        order, step = decision.outcomes[index].order, decision.outcomes[index].given
        if step is None:
            assert order is before
            continue
        assert order.total_applied_discount_amount == step.total
        assert order.applied_discount_amount == step.order_discount
        lines = [(line, item.applied_discount_amount) for line, item in enumerate(order.items)]
        assert [each for each in lines if each[1]] == [each for each in step.line_discounts if each[1]]
        assert sum(item.applied_quantity for item in order.items) == sum(n for _, n, _ in step.added)
        before = order
    shown = decision.order
    assert shown.total_applied_discount_amount == (
        shown.total_discount_amount - facts.order.total_discount_amount
    )


@law
@given(drawn_facts(), st.booleans())
def test_deciding_leaves_the_facts_as_they_were(facts, explain):
    facts = replace(facts, explain=explain)
    situation = facts.situation
    before = replace(situation)
    order = replace(situation.order, items=[replace(item) for item in situation.order.items])
    first = decide(facts)
    assert (situation, situation.order) == (before, order)
    assert decide(facts) == first
