"""What the bounds of the best deal rest on (engine/ceiling.py): a steady discount takes no more where less is left."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine import Redeemable, Terms, parse_discount
from guerdon.engine.attempt import Running, attempt, onward
from guerdon.engine.best_deal import _Search as Search
from guerdon.engine.decision import Facts
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.walk import start

from .draw import baskets, discounts, law
from .test_plain_deal import agrees, facts_of

PRODUCTS = ("prod_0", "prod_1", "prod_2")
BY_LINES = "APPLY_TO_ITEMS_PROPORTIONALLY"
BY_UNITS = "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"

limits = st.fixed_dictionaries(
    {},
    optional={
        "amount_limit": st.integers(1, 2000),
        "aggregated_amount_limit": st.integers(1, 2000),
        "quantity_limit": st.integers(1, 9),
        "aggregated_quantity_limit": st.integers(1, 9),
        "price": st.integers(0, 300),
    },
)


def limited(place: int, discount: dict[str, Any], entries: dict[str, dict[str, Any]]) -> Redeemable:
    """A voucher for some products, each with limits of its own."""
    included = [{"object": "product", "id": name} | limits for name, limits in entries.items()]
    rules = (parse_rule_set({"applicable_to": {"included": included}}, id=f"val_{place}"),) if entries else ()
    return Redeemable(
        id=f"CODE{place}", key=f"v_{place}", terms=Terms(discount=parse_discount(discount)), rules=rules
    )


@st.composite
def vouchers(draw: st.DrawFn, place: int) -> Redeemable:
    """A plain discount for all lines, or for some within limits."""
    entries = draw(st.dictionaries(st.sampled_from(PRODUCTS), limits, max_size=3))
    return limited(place, draw(discounts()), entries)


def off(facts: Facts, place: int, running: Running) -> int:
    outcome = attempt(facts, facts.redeemables[place], running)
    return outcome.given.total if outcome.status == "APPLICABLE" and outcome.given is not None else 0


@law
@given(
    baskets(most=4),
    st.tuples(vouchers(0), vouchers(1), vouchers(2)),
    st.sampled_from(["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"]),
)
def test_a_steady_discount_takes_no_more_where_less_is_left(lines, asked, mode):
    search = Search(facts_of(lines, list(asked), discount_calculation_mode=mode), range(3))
    facts, candidate = search.facts, search.candidates[2]
    running = start(facts)
    before = off(facts, 2, running)
    for place in (0, 1):
        outcome = attempt(facts, facts.redeemables[place], running)
        if outcome.status == "APPLICABLE":
            running = onward(facts, running, outcome)
        after = off(facts, 2, running)
        assert after <= (before if candidate.steady else candidate.ceiling or after)
        before = after


@pytest.mark.parametrize(
    ("lines", "asked", "mode"),
    [
        (
            [(1116, 8), (21, 6)],
            [
                ({"type": "AMOUNT", "amount_off": 95, "effect": BY_UNITS}, {key: {} for key in PRODUCTS}),
                ({"type": "PERCENT", "percent_off": 2.01, "aggregated_amount_limit": 33, "effect": "APPLY_TO_ITEMS"}, {}),
                ({"type": "AMOUNT", "amount_off": 4548, "effect": BY_LINES}, {key: {"amount_limit": 1422} for key in PRODUCTS}),
            ],
            "DISCOUNTED_AMOUNT",
        ),
        (
            [(90, 6), (3191, 4)],
            [
                ({"type": "AMOUNT", "amount_off": 5965, "effect": BY_LINES}, {key: {"aggregated_amount_limit": 1704} for key in PRODUCTS}),
                ({"type": "AMOUNT", "amount_off": 116, "effect": BY_LINES}, {key: {} for key in PRODUCTS}),
                ({"type": "PERCENT", "percent_off": 99.16, "aggregated_amount_limit": 4998, "effect": "APPLY_TO_ITEMS"}, {key: {} for key in PRODUCTS}),
            ],
            "DISCOUNTED_AMOUNT",
        ),
        (
            [(102, 2), (1693, 5), (98, 6), (844, 6)],
            [
                ({"type": "AMOUNT", "amount_off": 70, "effect": BY_UNITS}, {"prod_1": {"amount_limit": 1695}}),
                ({"type": "AMOUNT", "amount_off": 2950, "effect": BY_LINES}, {key: {"aggregated_amount_limit": 680} for key in ["prod_2", "prod_1"]}),
                ({"type": "PERCENT", "percent_off": 57.74, "amount_limit": 32, "aggregated_amount_limit": 126, "effect": "APPLY_TO_ITEMS"},
                 {key: {"aggregated_quantity_limit": 7} for key in ["prod_2", "prod_0", "prod_1"]}),
                ({"type": "PERCENT", "percent_off": 10.8, "amount_limit": 12, "aggregated_amount_limit": 81, "effect": "APPLY_TO_ITEMS"}, {}),
            ],
            "INITIAL_AMOUNT",
        ),
    ],
)  # fmt: skip
def test_an_amount_split_within_limits_may_take_more_after_others(lines, asked, mode):
    """The proof of the best deal once took it for steady, and was wrong by a unit or two."""
    vouchers = [limited(place, *each) for place, each in enumerate(asked)]
    agrees(facts_of(lines, vouchers, discount_calculation_mode=mode))
