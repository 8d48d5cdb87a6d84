"""The best deal among plain discounts (G-11): its arithmetic, its tables and its proof, against all there is to try."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import (
    Category,
    Facts,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.attempt import Running, attempt, onward
from guerdon.engine.best_deal import _Search as Search
from guerdon.engine.lanes import lanes_for
from guerdon.engine.money import MAX_AMOUNT, half_up
from guerdon.engine.plain_deal import best_of_plain
from guerdon.engine.plain_question import Question, question_of
from guerdon.engine.plain_steps import plain_step
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.stacking import Company, ranks_of
from guerdon.engine.walk import start

from .draw import amounts, baskets, discounts, law

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALWAYS = Category(id="cat_always", name="Always")
PLENTY = 10**12


def facts_of(lines: list[tuple[int, int]], asked: list[Redeemable], **settings: Any) -> Facts:
    items = [
        OrderItemIn(product_id=f"prod_{index}", price=price, quantity=quantity)
        for index, (price, quantity) in enumerate(lines)
    ]
    situation = Situation(now=NOW, zone=ZoneInfo("UTC"), order=price_order(OrderIn(items=items)))
    rules: dict[str, Any] = {
        "redeemables_sorting_rule": "BEST_DEAL",
        "redeemables_application_mode": "PARTIAL",
        "applicable_redeemables_limit": 12,
        "applicable_redeemables_per_category_limit": None,
    }
    return Facts(redeemables=asked, situation=situation, stacking=StackingRules(**(rules | settings)))


@st.composite
def scopes(draw: st.DrawFn) -> dict[str, Any]:
    """A few products that a discount is for, with limits."""
    names = draw(st.lists(st.sampled_from(["prod_0", "prod_1", "prod_2"]), min_size=1, unique=True))
    entry: dict[str, Any] = {"object": "product"}
    if draw(st.booleans()):
        name = draw(st.sampled_from(["amount_limit", "aggregated_amount_limit", "aggregated_quantity_limit"]))
        entry[name] = draw(st.integers(1, 9) if "quantity" in name else st.integers(1, 2000))
    return {"applicable_to": {"included": [entry | {"id": name} for name in names]}}


@st.composite
def plain(draw: st.DrawFn, place: int, scoped: bool = True) -> Redeemable:
    """A voucher with a percentage, an amount or a price, for all lines or some."""
    body = draw(st.one_of(st.none(), scopes())) if scoped else None
    return Redeemable(
        id=f"CODE{place}",
        key=f"v_{place}",
        terms=Terms(discount=parse_discount(draw(discounts()))),
        rules=() if body is None else (parse_rule_set(body, id=f"val_{place}"),),
        category=draw(st.sampled_from([None, None, ALWAYS])),
    )


@st.composite
def shares(draw: st.DrawFn, least: int = 5, most: int = 6) -> list[Redeemable]:
    """Percentages of the lines, now and then with a limit: their orders differ by single units only."""
    asked: list[Redeemable] = []
    for place in range(draw(st.integers(least, most))):
        raw: dict[str, Any] = {
            "type": "PERCENT",
            "percent_off": draw(st.integers(1, 6000)) / 100,
            "effect": "APPLY_TO_ITEMS",
        }
        if draw(st.integers(0, 4)) == 0:
            raw["aggregated_amount_limit"] = draw(st.integers(1, 3000))
        asked.append(
            Redeemable(id=f"CODE{place}", key=f"v_{place}", terms=Terms(discount=parse_discount(raw)))
        )
    return asked


def most_of_all(facts: Facts) -> int:
    """What the best stack takes off: every stack in every order is reckoned by the engine."""
    ranks = ranks_of(facts.redeemables, facts.stacking)
    together = facts.stacking.grouped_redeemables_sorting_rule == "SORTED_TOGETHER"
    floats = [together and one.category is ALWAYS for one in facts.redeemables]

    def further(running: Running, company: Company, rank: int, left: frozenset[int], total: int) -> int:
        best = total
        for place in left:
            redeemable = facts.redeemables[place]
            if company.keeps_out(redeemable, facts.stacking) or (ranks[place] < rank and not floats[place]):
                continue
            outcome = attempt(facts, redeemable, running)
            if outcome.status != "APPLICABLE" or outcome.given is None or not outcome.given.total:
                continue
            after = onward(facts, running, outcome)
            wider = company.with_(redeemable, facts.stacking)
            next_rank = rank if floats[place] else ranks[place]
            best = max(best, further(after, wider, next_rank, left - {place}, total + outcome.given.total))
        return best

    return further(start(facts), Company(), 0, frozenset(range(len(ranks))), 0)


def question(facts: Facts, work: int = PLENTY) -> Question | None:
    search = Search(facts, range(len(facts.redeemables)))
    return question_of(search.facts, search.candidates, search.alone, work)


def agrees(facts: Facts) -> None:
    """The certificate says exact, and the total is that of the best of all stacks."""
    certificate = decide(facts).certificate
    assert certificate is not None and certificate.exact
    assert certificate.best_total == certificate.bound == most_of_all(facts)


@law
@given(st.lists(amounts(), min_size=1, max_size=20), st.data())
def test_arithmetic_on_all_lines_at_once_is_that_on_each(first, data):
    lanes, count = lanes_for(first), len(first)
    packed = lanes.packed(first)
    other = data.draw(st.lists(amounts(), min_size=count, max_size=count))
    cut = [min(amount, lanes.largest) for amount in other]
    assert lanes.amounts(packed) == first
    assert lanes.total(packed) == sum(first)
    least = lanes.least(packed, lanes.packed(other))
    assert lanes.amounts(least) == [min(pair) for pair in zip(first, cut, strict=True)]
    assert lanes.amounts(lanes.off(lanes.packed(other))(packed)) == [
        max(0, amount - off) for amount, off in zip(first, cut, strict=True)
    ]
    rate = data.draw(st.integers(0, 10_000))
    meant = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    shown = lanes.packed([lanes.largest * on for on in meant])
    offs = [half_up(amount * rate, 10_000) * on for amount, on in zip(first, meant, strict=True)]
    left = [amount - off for amount, off in zip(first, offs, strict=True)]
    assert lanes.amounts(lanes.share(rate, shown)(packed)) == left
    limited = [amount - min(off, limit) for amount, off, limit in zip(first, offs, cut, strict=True)]
    assert lanes.amounts(lanes.share(rate, shown, lanes.packed(other))(packed)) == limited
    limit = data.draw(amounts())
    room, kept = limit, []
    for amount in first:
        kept.append(min(amount, room))
        room -= kept[-1]
    assert lanes.amounts(lanes.cut(packed, min(limit, sum(first)))) == kept


def test_the_largest_amounts_fit():
    first = [MAX_AMOUNT, 0, MAX_AMOUNT - 1, 1]
    lanes = lanes_for(first)
    everything = lanes.packed([lanes.largest] * 4)
    for rate in (1, 3333, 9999, 10_000):
        left = lanes.amounts(lanes.share(rate, everything)(lanes.packed(first)))
        assert left == [amount - half_up(amount * rate, 10_000) for amount in first]
    assert lanes.total(lanes.packed(first)) == sum(first)


@law
@given(
    baskets(most=5),
    plain(0),
    plain(1),
    st.sampled_from(["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"]),
    st.booleans(),
)
def test_a_plain_step_leaves_what_the_engine_leaves(lines, one, other, mode, after):
    """On the first order, and on what another discount left."""
    facts = facts_of(lines, [one, other], discount_calculation_mode=mode)
    search = Search(facts, [0, 1])
    running = start(facts)
    if after and (second := attempt(facts, other, running)).status == "APPLICABLE":
        running = onward(facts, running, second)
    order, outcome = running.order, attempt(facts, one, running)
    assume(outcome.status == "APPLICABLE" and search.alone[0].status == "APPLICABLE")
    lanes = lanes_for([item.subtotal_amount or 0 for item in facts.order.items])
    step = plain_step(search.facts, search.candidates[0], search.alone[0].chosen, lanes)
    assume(step is not None)
    if step.about == "order":
        assert step.leave(order.total_amount) == outcome.order.total_amount
        return
    before = [item.subtotal_amount for item in order.items]
    left = lanes.amounts(step.leave(lanes.packed(before)))
    off = sum(before) - sum(left)
    # The engine cuts at what is left of the order; what the step does without that is the same until then.
    assert outcome.given.total == min(off, order.total_amount)
    if off <= order.total_amount:
        assert left == [item.subtotal_amount for item in outcome.order.items]
    if step.most is not None:
        assert off <= step.most
    if step.rate is not None:
        assert off <= half_up(sum(before) * step.rate, 10_000) + len(before) / 2


@law
@given(baskets(most=5), shares())
def test_five_and_six_shares_of_the_lines_are_exact(lines, asked):
    agrees(facts_of(lines, asked))


@law
@given(baskets(most=4), shares(), st.integers(2, 4), st.sampled_from([0, 20, 70]))
def test_so_are_some_of_them_above_a_margin(lines, asked, limit, floor):
    agrees(facts_of(lines, asked, applicable_redeemables_limit=limit, margin_floor_percent=floor))


@law
@given(
    baskets(most=4),
    st.tuples(*(plain(place) for place in range(5))),
    st.sampled_from(["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"]),
    st.sampled_from(["JOINT_ALWAYS_LAST", "SORTED_TOGETHER"]),
    st.integers(2, 5),
)
def test_plain_discounts_of_every_kind_are_exact(lines, asked, mode, grouped, limit):
    settings: dict[str, Any] = {
        "discount_calculation_mode": mode,
        "grouped_redeemables_sorting_rule": grouped,
        "joint_categories": [ALWAYS.id],
        "applicable_redeemables_limit": limit,
    }
    agrees(facts_of(lines, list(asked), **settings))


@law
@given(baskets(most=4), st.tuples(*(plain(place) for place in range(4))), st.integers(0, 400_000))
def test_a_search_that_is_cut_short_says_what_no_stack_is_above(lines, asked, work):
    facts = facts_of(lines, list(asked))
    asking = question(facts, work)
    assume(asking is not None)
    answer = best_of_plain(asking.plain)
    most = most_of_all(facts)
    assert answer is None or most <= answer.bound
    assert answer is None or not asking.exact or answer.total <= most


@law
@given(baskets(most=4), shares(least=4, most=5), st.integers(0, 60_000))
def test_conditions_make_it_a_bound(lines, asked, bound):
    """Who looks at the running order is let in everywhere: then no stack is above the answer."""
    body = {"rules": {"1": {"name": "order.amount", "conditions": {"$less_than": [bound]}}}}
    asked[0] = replace(asked[0], rules=(parse_rule_set(body, id="val_0"),))
    facts = facts_of(lines, asked)
    asking = question(facts)
    assert asking is not None and not asking.exact
    answer = best_of_plain(asking.plain)
    assert answer is not None and most_of_all(facts) <= answer.bound
    agrees(facts)
