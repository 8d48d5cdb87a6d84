"""Every stacking setting: who may join whom, in what order, and how many."""

from typing import Any

import msgspec
import pytest

from guerdon.engine import Category, Decision, Redeemable, StackingRules
from guerdon.engine.rule import parse_rule_set

from .build import cart, keys, line_discounts, run, terms

SALE = Category(id="cat_sale", name="Sale", hierarchy=3)
LOYAL = Category(id="cat_loyal", name="Loyal", hierarchy=1)
NEVER = Category(id="cat_never", name="Never with others", hierarchy=2)
ALWAYS = Category(id="cat_always", name="Always", hierarchy=0)
TEN = terms("PERCENT", percent_off=10)
CENT = terms("AMOUNT", amount_off=1)


def code(name: str, of: Any = CENT, category: Category | None = None, **fields: Any) -> Redeemable:
    """A voucher."""
    return Redeemable(id=name, key=f"v_{name}", terms=of, category=category, **fields)


def stack(*asked: Redeemable, order: Any = None, explain: bool = False, **settings: Any) -> Decision:
    """A decision on 100.00 under these settings."""
    order = order or cart((10_000, 1))
    return run(order, redeemables=list(asked), stacking=StackingRules(**settings), explain=explain)


def statuses(decision: Decision) -> str:
    return "".join(outcome.status[0] for outcome in decision.outcomes)


def names(decision: Decision) -> str:
    """The ids of those that apply, in the order applied."""
    return "".join(decision.outcomes[index].redeemable.id for index in decision.applied)


def test_one_of_a_category_applies_and_those_without_one_are_not_counted():
    decision = stack(code("A", category=SALE), code("B", category=SALE), code("C"), code("D"))
    assert statuses(decision) == "ASAA"
    assert keys(decision)[1] == "applicable_redeemables_per_category_limit_exceeded"
    assert decision.valid
    two = stack(*[code(name, category=SALE) for name in "ABC"], applicable_redeemables_per_category_limit=2)
    assert statuses(two) == "AAS"
    none = stack(
        *[code(name, category=SALE) for name in "ABC"], applicable_redeemables_per_category_limit=None
    )
    assert statuses(none) == "AAA"


def test_a_category_may_have_a_limit_of_its_own():
    asked = [code("A", category=SALE), code("B", category=SALE), code("C", category=LOYAL)]
    asked.append(code("D", category=LOYAL))
    decision = stack(*asked, applicable_redeemables_category_limits={"cat_sale": 2})
    assert statuses(decision) == "AAAS"


def test_beside_an_exclusive_one_only_joint_ones_stay():
    asked = [code("A"), code("N", category=NEVER), code("J", category=ALWAYS), code("S", category=SALE)]
    rules = {"exclusive_categories": ["cat_never"], "joint_categories": ["cat_always"]}
    decision = stack(*asked, **rules)
    assert statuses(decision) == "SAAS"
    assert names(decision) == "NJ"
    assert keys(decision) == ["exclusion_rules_not_met", None, None, "exclusion_rules_not_met"]
    assert decision.sequence == [1, 0, 3, 2]
    without = stack(*[one for one in asked if one.id != "N"], **rules)
    assert (statuses(without), names(without)) == ("AAA", "ASJ")


def test_an_exclusive_one_that_does_not_apply_keeps_nobody_out():
    asked = [code("A"), code("N", category=NEVER, active=False)]
    rules = {"exclusive_categories": ["cat_never"], "redeemables_application_mode": "PARTIAL"}
    assert statuses(stack(*asked, **rules)) == "AI"


def test_exclusive_ones_have_limits_of_their_own():
    other = Category(id="cat_other", name="Other")
    asked = [code("A", category=NEVER), code("B", category=NEVER), code("C", category=other)]
    rules: dict[str, Any] = {"exclusive_categories": ["cat_never", "cat_other"]}
    decision = stack(*asked, **rules)
    assert statuses(decision) == "ASS"
    assert keys(decision)[1:] == ["applicable_exclusive_redeemables_limit_exceeded"] * 2
    rules["applicable_exclusive_redeemables_limit"] = 3
    decision = stack(*asked, **rules)
    assert statuses(decision) == "ASA"
    assert keys(decision)[1] == "applicable_exclusive_redeemables_per_category_limit_exceeded"
    rules["applicable_exclusive_redeemables_per_category_limit"] = None
    assert statuses(stack(*asked, **rules)) == "AAA"
    rules["applicable_redeemables_limit"] = 2
    assert keys(stack(*asked, **rules))[2] == "applicable_redeemables_limit_exceeded"


def test_sorting_by_hierarchy_puts_lower_numbers_first_and_what_has_none_last():
    asked = [code("X"), code("S", category=SALE), code("L", category=LOYAL), code("Y")]
    assert names(stack(*asked)) == "XSLY"
    assert names(stack(*asked, redeemables_sorting_rule="CATEGORY_HIERARCHY")) == "LSXY"
    equal = [code("A", category=SALE), code("B", category=SALE)]
    both = stack(
        *equal,
        redeemables_sorting_rule="CATEGORY_HIERARCHY",
        applicable_redeemables_per_category_limit=None,
    )
    assert names(both) == "AB"


def test_joint_ones_go_last_or_are_sorted_in():
    asked = [code("J", category=ALWAYS), code("S", category=SALE)]
    rules: dict[str, Any] = {"joint_categories": ["cat_always"]}
    assert names(stack(*asked, **rules)) == "SJ"
    by_hierarchy = {"redeemables_sorting_rule": "CATEGORY_HIERARCHY"}
    assert names(stack(*asked, **rules, **by_hierarchy)) == "SJ"
    together = {"grouped_redeemables_sorting_rule": "SORTED_TOGETHER"}
    assert names(stack(*asked, **rules, **by_hierarchy, **together)) == "JS"
    never = [code("J", category=ALWAYS), code("C"), code("N", category=NEVER)]
    rules["exclusive_categories"] = ["cat_never"]
    decision = stack(*never, **rules, **together)
    assert (names(decision), statuses(decision)) == ("JN", "ASA")


def test_sorting_changes_what_is_given():
    asked = [code("A", terms("AMOUNT", amount_off=1000), SALE), code("P", TEN, LOYAL)]
    assert stack(*asked).order.total_amount == 8100
    sorted_ = stack(*asked, redeemables_sorting_rule="CATEGORY_HIERARCHY")
    assert sorted_.order.total_amount == 8000
    assert [outcome.order.total_amount for outcome in sorted_.outcomes] == [8000, 9000]


def test_percentages_of_a_category_may_be_of_the_first_amounts():
    asked = [code("A", TEN), code("B", TEN, SALE)]
    assert stack(*asked).order.total_amount == 8100
    assert stack(*asked, discount_calculation_mode="INITIAL_AMOUNT").order.total_amount == 8000
    assert stack(*asked, initial_amount_mode_categories=["cat_sale"]).order.total_amount == 8000
    back = stack(
        *asked,
        discount_calculation_mode="INITIAL_AMOUNT",
        discounted_amount_mode_categories=["cat_sale"],
    )
    assert back.order.total_amount == 8100


def test_what_has_no_effect_is_skipped_by_rule_or_by_category():
    nothing = terms("FIXED", fixed_amount=99_999)
    asked = [code("A", nothing), code("B", nothing, SALE)]
    assert statuses(stack(*asked)) == "AA"
    decision = stack(*asked, no_effect_skip_categories=["cat_sale"])
    assert (statuses(decision), keys(decision)[1]) == ("AS", "no_effect")
    kept = stack(*asked, redeemables_no_effect_rule="SKIP", no_effect_redeem_anyway_categories=["cat_sale"])
    assert statuses(kept) == "SA"


def test_once_gives_a_product_one_discount():
    order = cart((1000, 1), (2000, 1))
    on_first = parse_rule_set({"applicable_to": {"included": [{"object": "product", "id": "prod_0"}]}})
    half = terms("PERCENT", percent_off=50)
    asked = [
        code("A", half, rules=(on_first,)),
        code("B", terms("PERCENT", percent_off=10, effect="APPLY_TO_ITEMS")),
        code("C", terms("PERCENT", percent_off=10, effect="APPLY_TO_ITEMS")),
        code("D", terms("AMOUNT", amount_off=100)),
    ]
    assert line_discounts(stack(*asked, order=order).order) == [595, 380]
    once = stack(*asked, order=order, redeemables_products_application_mode="ONCE")
    assert line_discounts(once.order) == [500, 200]
    assert statuses(once) == "AAAA"
    assert once.outcomes[2].given.total == 0
    assert once.order.discount_amount == 100
    strict = {"redeemables_products_application_mode": "ONCE", "redeemables_no_effect_rule": "SKIP"}
    assert keys(stack(*asked, order=order, **strict))[2] == "no_effect"


def test_once_looks_at_products_not_at_lines_and_at_gifts_too():
    order = cart((1000, 1), (2000, 1))
    order.items[1].product_id = "prod_0"
    item = terms("AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS")
    once: dict[str, Any] = {"redeemables_products_application_mode": "ONCE"}
    decision = stack(code("A", item), code("B", item), order=order, **once)
    assert line_discounts(decision.order) == [100, 100]
    gift = terms("UNIT", unit_off=1, unit_type="prod_0", effect="ADD_NEW_ITEMS")
    decision = stack(code("A", item), code("G", gift), order=order, **once)
    assert decision.outcomes[1].given.total == 0
    assert len(decision.order.items) == 2


def test_once_remembers_the_order_of_an_earlier_request():
    order = cart((1000, 1), (2000, 1))
    order.redemptions = {"r_1": {}}
    order.items[0].discount_amount, order.items[0].subtotal_amount = 100, 900
    order.items_discount_amount = order.total_discount_amount = 100
    order.total_amount = 2900
    item = terms("AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS")
    decision = stack(code("A", item), order=order, redeemables_products_application_mode="ONCE")
    assert line_discounts(decision.order) == [100, 100]


def test_rules_look_at_the_order_as_those_before_left_it():
    over = parse_rule_set({"rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [10_000]}}}})
    order = cart((10_500, 1))
    asked = [code("A", TEN), code("B", CENT, rules=(over,))]
    decision = stack(*asked, order=order, redeemables_application_mode="PARTIAL")
    assert statuses(decision) == "AI"
    assert keys(decision)[1] == "order_rules_violated"
    turned = stack(*asked[::-1], order=order)
    assert (statuses(turned), names(turned)) == ("AA", "BA")


def test_a_limit_that_two_of_one_request_share_is_counted_between_them():
    rule = {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [1]}}}
    once = parse_rule_set({"rules": rule})
    asked = [
        code(name, campaign_id="camp_1", rules=(once,), limits=once.limits, published_count=1)
        for name in "AB"
    ]
    decision = stack(*asked, redeemables_application_mode="PARTIAL")
    assert statuses(decision) == "AI"
    assert keys(decision)[1] == "redemption_rules_violated"
    assert list(decision.outcomes[0].takes.values()) == [1]


def test_a_budget_gives_what_is_left_when_the_campaign_wants_it_so():
    name = "campaign.orders.amount_discounted"
    rule = {"1": {"name": name, "conditions": {"$less_than_or_equal": [1500]}}}
    budget = parse_rule_set({"rules": rule, "error": {"message": "Sold out"}})
    half = terms("PERCENT", percent_off=10)
    asked = [
        code(name, half, campaign_id="camp_1", rules=(budget,), limits=budget.limits, limit_policy=policy)
        for name, policy in (("A", "PARTIAL"), ("B", "PARTIAL"), ("C", "PARTIAL"))
    ]
    decision = stack(*asked, redeemables_application_mode="PARTIAL")
    assert [outcome.given and outcome.given.total for outcome in decision.outcomes] == [1000, 500, None]
    assert statuses(decision) == "AAI"
    strict = [msgspec.structs.replace(one, limit_policy="STRICT") for one in asked]
    decision = stack(*strict, redeemables_application_mode="PARTIAL")
    assert statuses(decision) == "AII"
    assert decision.outcomes[1].message == "Sold out"


def test_the_margin_floor_cuts_the_last_discount_and_skips_the_rest():
    asked = [code("A", terms("AMOUNT", amount_off=3000)), code("B", terms("AMOUNT", amount_off=3000))]
    asked += [code("C", CENT), code("F", terms("FIXED", fixed_amount=50_000))]
    decision = stack(*asked, margin_floor_percent=55, explain=True)
    assert decision.order.total_amount == 5500
    assert [outcome.given and outcome.given.total for outcome in decision.outcomes] == [3000, 1500, None, 0]
    assert (statuses(decision), keys(decision)[2]) == ("AASA", "margin_floor_reached")
    assert [step.facts for step in decision.outcomes[1].steps if step.step == "cap"] == [
        {"cap": "margin_floor", "before": 3000}
    ]
    shown = msgspec.to_builtins(decision.certificate)
    assert shown["margin_floor"] == {"percent": 55, "least": 5500, "left": 5500}
    assert (shown["rule"], shown["best_total"], shown["bound"], shown["order"]) == (
        "MARGIN_FLOOR", 4500, 4500, ["A", "B", "F"],
    )  # fmt: skip
    assert stack(*asked, margin_floor_percent=100).valid


@pytest.mark.parametrize("rule", ["BEST_DEAL", "REQUESTED_ORDER"])
def test_the_certificate_tells_how_far_the_margin_floor_is(rule: str):
    gift = terms("UNIT", unit_off=1, unit_type="prod_0", effect="ADD_NEW_ITEMS")
    few = [code("A", gift), code("B", terms("AMOUNT", amount_off=300))]
    rules = {"redeemables_sorting_rule": rule, "margin_floor_percent": 90}
    shown = stack(*few, explain=True, **rules).certificate
    assert (shown.margin_floor.least, shown.margin_floor.left) == (9000, 9700)
    assert stack(*few, explain=True, redeemables_sorting_rule="REQUESTED_ORDER").certificate is None


def test_the_margin_floor_lets_gifts_through_but_not_in_part():
    gift = terms("UNIT", unit_off=1, unit_type="prod_0", effect="ADD_NEW_ITEMS")
    decision = stack(code("A", gift), margin_floor_percent=100)
    assert (decision.order.amount, decision.order.total_amount) == (20_000, 10_000)
    free = terms("UNIT", unit_off=1, unit_type="prod_0")
    assert keys(stack(code("A", free), margin_floor_percent=50)) == ["margin_floor_reached"]
    odd = stack(code("A", terms("AMOUNT", amount_off=999)), order=cart((999, 1)), margin_floor_percent=50)
    assert odd.order.total_amount == 500


def test_a_tier_is_refused_with_keys_of_promotions():
    tier = {"object": "promotion_tier"}
    asked = [
        code("A", active=False, **tier),
        code("B", campaign_active=False, **tier),
        code("C", found=False, **tier),
    ]
    decision = stack(*asked, redeemables_application_mode="PARTIAL")
    assert keys(decision) == ["promotion_inactive", "promotion_inactive", "not_found"]
    assert decision.outcomes[2].details == "This project has no promotion tier 'C'"


def test_explain_tells_which_setting_stood_in_the_way():
    decision = stack(code("A", category=SALE), code("B", category=SALE), explain=True)
    trace = decision.outcomes[1].trace
    assert [check.outcome for check in trace[:-1]] == ["passed"] * (len(trace) - 1)
    assert msgspec.to_builtins(trace[-1]) == {
        "check": "stacking.applicable_redeemables_per_category_limit",
        "asked": 1,
        "seen": 1,
        "outcome": "failed",
    }


def test_explain_tells_of_those_after_a_failure_how_they_would_have_fared():
    over = parse_rule_set({"rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [20_000]}}}})
    asked = [code("A", active=False), code("B", rules=(over,))]
    outcome = stack(*asked, explain=True).outcomes[1]
    assert (outcome.status, outcome.reason.key) == ("SKIPPED", "preceding_validation_failed")
    assert [(check.check, check.outcome) for check in outcome.trace[-2:]] == [
        ("order.amount", "failed"),
        ("stacking.redeemables_application_mode", "failed"),
    ]
    assert outcome.hint == outcome.trace[-2].hint
    assert outcome.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin_floor_percent": 101},
        {"margin_floor_percent": -1},
        {"redeemables_sorting_rule": "MARGIN_FLOOR"},
        {"applicable_exclusive_redeemables_limit": 6},
    ],
)
def test_settings_have_bounds(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, StackingRules)
