"""Cards in a stack: which goes first, that they may wait for the discounts, and that what they pay is no discount."""

from datetime import timedelta
from typing import Any

import pytest

from guerdon.engine import Category, Decision, Redeemable, StackingRules, Terms
from guerdon.engine.checks import OnCard
from guerdon.engine.discount import AmountOff

from .build import NOON, cart, keys, run, terms


def code(name: str, kind: str, category: Category | None = None, **fields: Any) -> Redeemable:
    """A voucher with a discount."""
    return Redeemable(id=name, key=f"v_{name}", terms=terms(kind, **fields), category=category)


def card(name: str, holds: int, days: int | None = None, category: Category | None = None) -> Redeemable:
    """A card that pays all it holds, the first of which lapses in so many days."""
    ends = None if days is None else NOON + timedelta(days=days)
    return Redeemable(
        id=name,
        key=f"v_{name}",
        terms=Terms(discount=AmountOff(amount_off=holds)),
        card=OnCard(None, holds, ends=ends),
        category=category,
    )


def decided(*asked: Redeemable, amount: int = 10_000, explain: bool = False, **settings: Any) -> Decision:
    return run(
        cart((amount, 1)), redeemables=list(asked), stacking=StackingRules(**settings), explain=explain
    )


def told(decision: Decision) -> list[tuple[str, int]]:
    """Who applied in which order, and what each took off."""
    outcomes = [decision.outcomes[index] for index in decision.applied]
    return [(one.redeemable.id, one.given.total if one.given else 0) for one in outcomes]


A, B, C = card("A", 4_000), card("B", 9_000, days=3), card("C", 2_000, days=30)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("REQUESTED_ORDER", [("A", 4_000), ("B", 6_000), ("C", 0)]),
        ("SOONEST_EXPIRING", [("B", 9_000), ("C", 1_000), ("A", 0)]),
        ("SMALLEST_BALANCE", [("C", 2_000), ("A", 4_000), ("B", 4_000)]),
    ],
)
def test_cards_go_in_the_order_of_their_rule(rule: Any, expected: list[tuple[str, int]]) -> None:
    decision = decided(A, B, C, cards_sorting_rule=rule)
    assert told(decision) == expected
    assert decision.order is not None and decision.order.total_amount == 0


def test_of_equal_cards_the_first_named_goes_first() -> None:
    twins = [card("X", 500, days=5), card("Y", 500, days=5)]
    for rule in ("SOONEST_EXPIRING", "SMALLEST_BALANCE"):
        assert [name for name, _ in told(decided(*twins, cards_sorting_rule=rule))] == ["X", "Y"]


def test_cards_change_places_among_themselves_only() -> None:
    tenth = code("T", "PERCENT", percent_off=10)
    decision = decided(A, tenth, C, cards_sorting_rule="SMALLEST_BALANCE")
    assert told(decision) == [("C", 2_000), ("T", 800), ("A", 4_000)]
    joint = Category(id="cat_j", name="joint")
    late = card("L", 1_000, category=joint)
    decision = decided(A, late, cards_sorting_rule="SMALLEST_BALANCE", joint_categories=["cat_j"])
    assert told(decision) == [("A", 4_000), ("L", 1_000)]


def test_cards_may_wait_for_the_discounts() -> None:
    tenth = code("T", "PERCENT", percent_off=10)
    assert told(decided(A, tenth)) == [("A", 4_000), ("T", 600)]
    assert told(decided(A, tenth, cards_always_last=True)) == [("T", 1_000), ("A", 4_000)]
    joint = Category(id="cat_j", name="joint")
    last = code("J", "PERCENT", percent_off=50, category=joint)
    decision = decided(A, last, cards_always_last=True, joint_categories=["cat_j"])
    assert told(decision) == [("J", 5_000), ("A", 4_000)]


@pytest.mark.parametrize("rule", ["REQUESTED_ORDER", "BEST_DEAL"])
def test_an_exclusive_card_stays_alone(rule: Any) -> None:
    alone = Category(id="cat_x", name="alone")
    tenth = code("T", "PERCENT", percent_off=10)
    decision = decided(
        tenth, card("X", 4_000, category=alone), exclusive_categories=["cat_x"], cards_always_last=True,
        redeemables_sorting_rule=rule, redeemables_application_mode="PARTIAL",
    )  # fmt: skip
    assert told(decision) == [("X", 4_000)]


def best(*asked: Redeemable, **settings: Any) -> Decision:
    return decided(*asked, redeemables_sorting_rule="BEST_DEAL", **settings)


def test_the_best_deal_is_among_discounts_and_cards_pay_the_rest() -> None:
    tenth, five = code("T", "PERCENT", percent_off=10), code("F", "AMOUNT", amount_off=500)
    decision = best(A, five, tenth, C)
    assert told(decision) == [("T", 1_000), ("F", 500), ("A", 4_000), ("C", 2_000)]
    certificate = decision.certificate
    assert certificate is not None and certificate.exact
    assert (certificate.best_total, certificate.order) == (1_500, ["T", "F"])
    assert decision.order is not None and decision.order.total_amount == 2_500
    sorted_ = best(A, five, tenth, C, cards_sorting_rule="SMALLEST_BALANCE")
    assert [name for name, _ in told(sorted_)] == ["T", "F", "C", "A"]


def test_a_card_that_could_pay_all_leaves_the_discounts_their_place() -> None:
    tenth = code("T", "PERCENT", percent_off=10)
    whole = card("W", 50_000)
    assert told(best(whole, tenth)) == [("T", 1_000), ("W", 9_000)]
    assert told(
        best(whole, tenth, applicable_redeemables_limit=1, redeemables_application_mode="PARTIAL")
    ) == [("T", 1_000)]


def test_beside_the_best_deal_a_refusal_refuses_all() -> None:
    tenth, empty = code("T", "PERCENT", percent_off=10), card("E", 0)
    late = code("L", "AMOUNT", amount_off=5)
    late.active = False
    decision = best(empty, tenth)
    assert not decision.valid and keys(decision) == ["gift_amount_exceeded", None]
    decision = best(A, late, explain=True)
    assert not decision.valid and keys(decision) == ["preceding_validation_failed", "voucher_disabled"]
    decision = best(A, late, empty, tenth, redeemables_application_mode="PARTIAL")
    assert decision.valid and told(decision) == [("T", 1_000), ("A", 4_000)]
    assert keys(decision) == [None, "voucher_disabled", "gift_amount_exceeded", None]


def test_cards_alone_are_no_deal() -> None:
    decision = best(A, C)
    assert decision.certificate is None and told(decision) == [("A", 4_000), ("C", 2_000)]


@pytest.mark.parametrize("last", [True, False])
def test_the_margin_floor_is_about_discounts_only(last: bool) -> None:
    half = code("H", "PERCENT", percent_off=50)
    decision = decided(card("A", 6_000), half, margin_floor_percent=70, cards_always_last=last)
    assert decision.valid and decision.order is not None
    expected = [("H", 3_000), ("A", 6_000)] if last else [("A", 6_000), ("H", 2_000)]
    assert told(decision) == expected
    assert told(decided(card("W", 99_000), margin_floor_percent=70)) == [("W", 10_000)]


def test_an_unsold_card_says_so() -> None:
    unsold = card("U", 0)
    unsold.active, unsold.card = False, OnCard(None, 0, sold=False)
    decision = decided(unsold, explain=True)
    assert keys(decision) == ["voucher_disabled"]
    assert "never sold" in str(decision.outcomes[0].details)
