"""The best deal: what is chosen, in what order, and what is said about the rest."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from guerdon.engine import Category, Decision, Order, Redeemable, StackingRules, Terms
from guerdon.engine.best_deal import FEW
from guerdon.engine.rule import parse_rule_set

from .build import cart, keys, run, terms

NEVER = Category(id="cat_never", name="Never with others")
ALWAYS = Category(id="cat_always", name="Always")
SALE = Category(id="cat_sale", name="Sale")


def code(name: str, of: Any, category: Category | None = None, **fields: Any) -> Redeemable:
    """A voucher."""
    return Redeemable(id=name, key=f"v_{name}", terms=of, category=category, **fields)


def best(*asked: Redeemable, order: Order | None = None, explain: bool = False, **settings: Any) -> Decision:
    """The best deal on 100.00 under these settings."""
    rules: dict[str, Any] = {"redeemables_sorting_rule": "BEST_DEAL", **settings}
    order = order or cart((10_000, 1))
    return run(order, redeemables=list(asked), stacking=StackingRules(**rules), explain=explain)


def percent(number: float) -> Terms:
    return terms("PERCENT", percent_off=number)


def amount(number: int) -> Terms:
    return terms("AMOUNT", amount_off=number)


def applied(decision: Decision) -> str:
    return "".join(decision.outcomes[index].redeemable.id for index in decision.applied)


def test_percentages_go_before_amounts():
    decision = best(code("A", amount(1000)), code("P", percent(20)))
    assert (applied(decision), decision.order.total_amount) == ("PA", 7000)
    certificate = decision.certificate
    assert msgspec.to_builtins(certificate) == {
        "rule": "BEST_DEAL",
        "best_total": 3000,
        "bound": 3000,
        "exact": True,
        "combinations_tried": certificate.combinations_tried,
        "order": ["P", "A"],
    }
    assert certificate.combinations_tried >= 3


def test_within_a_limit_the_best_are_chosen_and_the_rest_told_why():
    asked = [code("A", amount(500)), code("B", percent(10)), code("C", amount(2000))]
    decision = best(*asked, applicable_redeemables_limit=2, explain=True)
    assert (applied(decision), decision.order.total_amount) == ("BC", 7000)
    assert keys(decision) == ["not_in_best_combination", None, None]
    lost = decision.outcomes[0]
    assert lost.details == "B, C together take off 30.00; no combination with A takes off more"
    assert [check.check for check in lost.trace][:2] == ["exists", "voucher_active"]
    assert msgspec.to_builtins(lost.trace[-1]) == {
        "check": "stacking.best_deal",
        "asked": 3000,
        "seen": 500,
        "outcome": "failed",
    }
    assert decision.sequence == [1, 2, 0]
    assert decision.valid


def test_one_great_exclusive_one_beats_many_small_ones_and_the_other_way_round():
    rules: dict[str, Any] = {"exclusive_categories": ["cat_never"], "joint_categories": ["cat_always"]}
    small = [code("A", amount(1000)), code("B", amount(1000)), code("J", amount(1), ALWAYS)]
    assert applied(best(*small, code("N", amount(2500), NEVER), **rules)) == "NJ"
    assert applied(best(*small, code("N", amount(1999), NEVER), **rules)) == "ABJ"
    equal = best(*small, code("N", amount(2000), NEVER), **rules)
    assert applied(equal) == "NJ"


def test_of_equal_stacks_the_shorter_wins_then_the_one_requested_first():
    full = [code("A", amount(6000)), code("B", amount(6000)), code("C", amount(10_000))]
    assert applied(best(*full)) == "C"
    assert applied(best(*full[:2], code("D", amount(6000)))) == "AB"
    same = [code(name, percent(10)) for name in "ABCD"]
    assert applied(best(*same, applicable_redeemables_limit=2)) == "AB"


def test_the_limit_of_a_category_is_kept():
    asked = [code("A", amount(300), SALE), code("B", amount(500), SALE), code("C", amount(100))]
    assert applied(best(*asked)) == "BC"


def test_joint_ones_go_last_though_they_would_give_more_first():
    asked = [code("A", amount(1000)), code("J", percent(50), ALWAYS)]
    decision = best(*asked, joint_categories=["cat_always"])
    assert (applied(decision), decision.order.total_amount) == ("AJ", 4500)
    together = {"grouped_redeemables_sorting_rule": "SORTED_TOGETHER"}
    decision = best(*asked, joint_categories=["cat_always"], **together)
    assert (applied(decision), decision.order.total_amount) == ("JA", 4000)


def test_rules_that_need_an_earlier_discount_are_met_by_one():
    """Alone the second does not apply: the order is too dear for it until the first has been applied."""
    body = {"rules": {"1": {"name": "order.amount", "conditions": {"$less_than": [10_000]}}}}
    asked = [code("B", amount(5000), rules=(parse_rule_set(body),)), code("A", amount(100))]
    decision = best(*asked, redeemables_application_mode="PARTIAL")
    assert (applied(decision), decision.order.total_amount) == ("AB", 4900)
    assert applied(best(*asked)) == "AB"


def test_refusals_stay_refusals():
    asked = [code("A", amount(100)), code("X", amount(100), active=False)]
    part = best(*asked, redeemables_application_mode="PARTIAL")
    assert (keys(part), part.valid, applied(part)) == ([None, "voucher_disabled"], True, "A")
    whole = best(*asked)
    assert (keys(whole), whole.valid) == (["preceding_validation_failed", "voucher_disabled"], False)
    assert whole.order.total_amount == 10_000
    body = {"rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [20_000]}}}}
    ruled = best(asked[0], code("R", amount(1), rules=(parse_rule_set(body),)))
    assert (keys(ruled), ruled.valid) == (["preceding_validation_failed", "order_rules_violated"], False)


def test_gifts_that_nobody_can_price_are_not_lost():
    delivery = terms("UNIT", unit_off=1, unit_type="prod_5h1pp1ng")
    decision = best(code("D", delivery), code("A", amount(100)))
    assert keys(decision) == [None, None]
    assert sorted(decision.certificate.order) == ["A", "D"]
    assert decision.order.total_amount == 9900


def test_without_an_order_or_an_effect_nothing_is_chosen_among():
    asked = [code("A", amount(100)), code("B", percent(10))]
    plain = run(None, redeemables=asked, stacking=StackingRules(redeemables_sorting_rule="BEST_DEAL"))
    assert plain.valid and keys(plain) == [None, None]
    nothing = best(code("A", terms("FIXED", fixed_amount=99_999)), code("B", Terms()))
    assert nothing.valid and keys(nothing) == [None, None]
    assert nothing.certificate.best_total == 0


def test_the_margin_floor_holds_for_the_best_deal_too():
    decision = best(code("A", percent(30)), code("B", amount(5000)), margin_floor_percent=60)
    assert decision.order.total_amount == 6000
    assert (applied(decision), keys(decision)) == ("B", ["not_in_best_combination", None])


@pytest.mark.parametrize("count", [FEW, 20, 30])
def test_many_candidates_are_searched_within_bounds(count):
    """Shares of the lines in any order: beyond twelve the best found, never above the bound."""
    order = cart(*[(137 + 411 * line, line % 3 + 1) for line in range(20)])
    rates = [2.5 + 0.75 * place for place in range(count)]
    asked = [
        code(f"C{place}", terms("PERCENT", percent_off=rate, effect="APPLY_TO_ITEMS"))
        for place, rate in enumerate(rates)
    ]
    decision = best(*asked, order=order)
    certificate = decision.certificate
    assert certificate.exact is (certificate.best_total == certificate.bound)
    assert certificate.exact or count > FEW
    assert sorted(certificate.order) == sorted(f"C{place}" for place in range(count - 5, count))
    assert decision.order.total_applied_discount_amount == certificate.best_total
    assert certificate.bound - certificate.best_total <= 50
    assert certificate.combinations_tried < 6000


@pytest.mark.parametrize("effect", ["APPLY_TO_ORDER", "APPLY_TO_ITEMS"])
def test_twelve_of_twelve_are_proved(effect):
    """Shares that compound in 479,001,600 orders, which differ by single cents."""
    order = cart((4_137, 2), (1_111, 1), (20_999, 3))
    rates = [2.5 + 0.75 * place for place in range(FEW)]
    asked = [
        code(f"C{place}", terms("PERCENT", percent_off=rate, effect=effect))
        for place, rate in enumerate(rates)
    ]
    certificate = best(*asked, order=order, applicable_redeemables_limit=FEW).certificate
    assert certificate.exact
    assert len(certificate.order) == FEW
    requested = run(order, redeemables=asked, stacking=StackingRules(applicable_redeemables_limit=FEW))
    assert certificate.best_total > requested.order.total_applied_discount_amount


def test_what_cannot_be_proved_in_time_has_a_close_bound():
    """Twelve of twelve small shares of a hundred lines: nobody can tell their orders apart but by reckoning them."""
    order = cart(*[(137 + 411 * line, line % 3 + 1) for line in range(100)])
    asked = [
        code(f"C{place}", terms("PERCENT", percent_off=2 + place / 4, effect="APPLY_TO_ITEMS"))
        for place in range(FEW)
    ]
    certificate = best(*asked, order=order, applicable_redeemables_limit=FEW).certificate
    assert certificate.exact and certificate.bound > certificate.best_total
    assert 0 < certificate.bound - certificate.best_total <= certificate.best_total // 1000


def test_formulas_that_look_at_nothing_that_changes_are_proved():
    order = cart(*[(137 + 411 * line, line % 3 + 1) for line in range(20)])
    asked = [
        code(f"F{place}", terms("AMOUNT", amount_off_formula=f"ORDER_AMOUNT / {place + 20}"))
        for place in range(6)
    ]
    asked += [code(f"P{place}", percent(5 + place)) for place in range(6)]
    certificate = best(*asked, order=order).certificate
    assert certificate.exact
    assert certificate.order[-1] == "F0"  # The largest amount, after all percentages.


def test_who_needs_a_larger_order_goes_first():
    """The least order is asked of what is left, so that the smaller discount has to be given first."""
    body = {"rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [9_000]}}}}
    asked = [code("A", amount(3000)), code("R", amount(500), rules=(parse_rule_set(body),))]
    decision = best(*asked, redeemables_application_mode="PARTIAL")
    assert (applied(decision), decision.certificate.exact) == ("RA", True)
    full = {"rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [10_000]}}}}
    never = code("N", amount(9000), rules=(parse_rule_set(full),))
    decision = best(*asked, never, redeemables_application_mode="PARTIAL")
    assert (applied(decision), decision.certificate.bound) == ("RA", 3500)


def test_more_settings_never_make_the_best_deal_worse():
    """A wider limit can only help."""
    asked = [code(str(place), amount(100 + place)) for place in range(9)]
    totals = [
        best(*asked, applicable_redeemables_limit=limit).certificate.best_total for limit in range(1, 10)
    ]
    assert all(low < high for low, high in pairwise(totals))


def test_running_orders_are_those_of_the_order_applied():
    decision = best(code("A", amount(1000)), code("P", percent(20)))
    assert [outcome.order.total_amount for outcome in decision.outcomes] == [7000, 8000]
