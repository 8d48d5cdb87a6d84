"""Which redeemables apply, in which order they are refused, and the orders along the way."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from guerdon.engine import (
    DEFAULT_STACKING,
    Facts,
    Reason,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    decide,
)

from .build import NOON, cart, keys, line_discounts, run, terms

PARTIAL = replace(DEFAULT_STACKING, redeemables_application_mode="PARTIAL")
TEN = terms("PERCENT", percent_off=10)


def statuses(decision):
    """The status of every outcome, first letters."""
    return "".join(outcome.status[0] for outcome in decision.outcomes)


WORST = {
    "found": False,
    "active": False,
    "campaign_active": False,
    "redeemed_quantity": 5,
}
LATE = replace(
    TEN,
    start_date=NOON + timedelta(1),
    expiration_date=NOON - timedelta(1),
    validity_day_of_week=[2],
    quantity=5,
)


def test_reasons_come_in_their_order_of_precedence():
    """Everything is wrong at first; mending the reason given brings the next one."""
    facts, now_terms, seen = dict(WORST), LATE, []
    mends = [
        lambda: facts.update(found=True),
        lambda: facts.update(active=True),
        lambda: facts.update(campaign_active=True),
        lambda: {"start_date": NOON},
        lambda: {"expiration_date": NOON + timedelta(milliseconds=1)},
        lambda: {"validity_day_of_week": [1]},
        lambda: facts.update(redeemed_quantity=4),
    ]
    for mend in mends:
        decision = run(cart((100, 1)), redeemables=[Redeemable(id="A", terms=now_terms, **facts)])
        seen.append(decision.outcomes[0].reason)
        change = mend()
        if isinstance(change, dict):
            now_terms = replace(now_terms, **change)
    assert seen == [
        Reason.NOT_FOUND, Reason.VOUCHER_DISABLED, Reason.CAMPAIGN_DISABLED, Reason.VOUCHER_NOT_ACTIVE,
        Reason.VOUCHER_EXPIRED, Reason.VOUCHER_NOT_ACTIVE_NOW, Reason.QUANTITY_EXCEEDED,
    ]  # fmt: skip
    assert [list(Reason).index(reason) for reason in seen] == list(range(7))
    assert run(cart((100, 1)), redeemables=[Redeemable(id="A", terms=now_terms, **facts)]).valid


def test_every_reason_has_a_code_a_key_and_words():
    for reason in Reason:
        assert reason.code in (400, 404)
        assert reason.key.islower() and " " not in reason.key
        assert reason.message[0].isupper() and not reason.message.endswith(".")
    assert (Reason.NOT_FOUND.code, Reason.CAMPAIGN_DISABLED.key) == (404, "voucher_disabled")


def test_all_fails_with_the_first_failure_and_skips_the_rest():
    order = cart((1000, 1))
    asked = [Redeemable(id="A", terms=TEN), Redeemable(id="B", found=False), Redeemable(id="C", terms=TEN)]
    decision = run(order, redeemables=asked)
    assert not decision.valid
    assert statuses(decision) == "AIS"
    assert keys(decision) == [None, "not_found", "preceding_validation_failed"]
    assert decision.order is order
    assert decision.outcomes[1].details == "This project has no voucher 'B'"


def test_partial_leaves_the_failing_out():
    asked = [Redeemable(id="A", terms=TEN), Redeemable(id="B", found=False), Redeemable(id="C", terms=TEN)]
    decision = run(cart((1000, 1)), redeemables=asked, stacking=PARTIAL)
    assert decision.valid
    assert statuses(decision) == "AIA"
    assert (decision.order.total_amount, decision.order.total_applied_discount_amount) == (810, 190)
    alone = run(cart((1000, 1)), redeemables=[Redeemable(id="B", found=False)], stacking=PARTIAL)
    assert not alone.valid


def test_no_more_apply_than_may():
    decision = run(cart((100_000, 1)), *[terms("AMOUNT", amount_off=1)] * 7)
    assert decision.valid
    assert statuses(decision) == "AAAAASS"
    assert keys(decision)[5:] == ["applicable_redeemables_limit_exceeded"] * 2
    two = replace(PARTIAL, applicable_redeemables_limit=2)
    asked = [Redeemable(id=name, terms=TEN, found=name != "A") for name in "ABCD"]
    assert statuses(run(cart((1, 1)), redeemables=asked, stacking=two)) == "IAAS"
    wide = replace(DEFAULT_STACKING, applicable_redeemables_limit=30)
    assert run(cart((100, 1)), *[terms("AMOUNT", amount_off=1)] * 30, stacking=wide).order.total_amount == 70


def test_what_changes_nothing_is_redeemed_or_skipped_as_the_project_wants():
    nothing = terms("FIXED", fixed_amount=9999)
    assert statuses(run(cart((100, 1)), nothing)) == "A"
    skip = replace(DEFAULT_STACKING, redeemables_no_effect_rule="SKIP")
    decision = run(cart((100, 1)), nothing, TEN, stacking=skip)
    assert (statuses(decision), keys(decision), decision.valid) == ("SA", ["no_effect", None], True)
    assert not run(cart((100, 1)), nothing, stacking=skip).valid
    delivery = terms("UNIT", unit_off=1, unit_type="prod_5h1pp1ng")
    assert statuses(run(cart((100, 1)), delivery, stacking=skip)) == "A"


def test_running_orders_show_their_own_step_and_the_last_one_all():
    order = cart((1000, 1), (500, 2))
    decision = run(
        order,
        terms("AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS"),
        terms("PERCENT", percent_off=10),
        terms("PERCENT", percent_off=50, effect="APPLY_TO_ITEMS"),
    )
    first, second, third = (outcome.order for outcome in decision.outcomes)
    assert [step.total_amount for step in (first, second, third)] == [1800, 1620, 720]
    assert [step.total_applied_discount_amount for step in (first, second, third)] == [200, 180, 900]
    assert [step.applied_discount_amount for step in (first, second, third)] == [0, 180, 0]
    assert [[i.applied_discount_amount for i in step.items] for step in (first, second, third)] == [
        [100, 100], [0, 0], [450, 450],
    ]  # fmt: skip
    final = decision.order
    assert (final.discount_amount, final.items_discount_amount, final.total_discount_amount) == (
        180,
        1100,
        1280,
    )
    assert (final.applied_discount_amount, final.items_applied_discount_amount) == (180, 1100)
    assert (final.total_applied_discount_amount, final.total_amount) == (1280, 720)
    assert [(i.applied_discount_amount, i.subtotal_amount) for i in final.items] == [(550, 450), (550, 450)]


def test_units_added_in_one_step_are_not_shown_as_added_by_the_next():
    decision = run(
        cart((1000, 1)),
        terms("UNIT", unit_off=2, unit_type="prod_0", effect="ADD_NEW_ITEMS"),
        terms("AMOUNT", amount_off=300, effect="APPLY_TO_ITEMS"),
    )
    second = decision.outcomes[1].order.items
    assert [(item.applied_quantity, item.applied_discount_quantity) for item in second] == [(0, 0), (0, 0)]
    final = decision.order.items
    assert (final[1].applied_quantity, final[1].applied_quantity_amount, final[1].applied_discount_amount) == (
        2, 2000, 2000,
    )  # fmt: skip
    assert final[0].applied_discount_amount == 300
    assert decision.order.total_applied_discount_amount == 2300


def test_an_unchanged_line_is_the_same_object():
    order = cart((1000, 1), (500, 2))
    decision = run(order, TEN)
    assert decision.order.items is order.items
    assert decision.order is decision.outcomes[0].order


def test_deciding_changes_nothing_and_twice_is_the_same():
    order = cart((1000, 2), (77, 3))
    asked = [
        Redeemable(id="A", terms=terms("AMOUNT", amount_off=99, effect="APPLY_TO_ITEMS_PROPORTIONALLY")),
        Redeemable(id="B", terms=terms("UNIT", unit_off=5, unit_type="prod_1")),
        Redeemable(id="C", terms=TEN),
    ]
    facts = Facts(redeemables=asked, situation=Situation(now=NOON, zone=ZoneInfo("UTC"), order=order))
    before = msgspec.json.encode((order, asked))
    first, second = decide(facts), decide(facts)
    assert msgspec.json.encode((order, asked)) == before
    assert first == second
    explained = decide(replace(facts, explain=True))
    assert explained.order == first.order
    assert [o.given for o in explained.outcomes] == [o.given for o in first.outcomes]


def test_explain_tells_every_check_and_every_number():
    decision = run(cart((50_350, 1)), terms("PERCENT", percent_off=3, amount_limit=1500), explain=True)
    outcome = decision.outcomes[0]
    assert [(check.check, check.outcome) for check in outcome.trace] == [
        ("exists", "passed"), ("voucher_active", "passed"), ("campaign_active", "passed"),
        ("redemptions_left", "passed"), ("order_has_what_the_discount_needs", "passed"),
    ]  # fmt: skip
    assert [(step.step, step.result) for step in outcome.steps] == [("percent_of_order", 1511), ("cap", 1500)]
    assert outcome.steps[0].facts == {"base": 50_350, "percent_off": "3", "rounding": "half up"}
    assert outcome.steps[1].facts == {"cap": "amount_limit", "before": 1511}
    msgspec.json.encode((outcome.trace, outcome.steps))


def test_explain_ends_at_the_check_that_failed():
    late = replace(TEN, start_date=NOON + timedelta(hours=1), quantity=1)
    check = run(None, late, explain=True).outcomes[0].trace[-1]
    assert (check.check, check.outcome) == ("start_date", "failed")
    assert (check.asked, check.seen) == ("2026-06-01T13:00:00.000Z", "2026-06-01T12:00:00.000Z")
    assert check.opens_at == "2026-06-01T13:00:00.000Z"
    used = run(
        None,
        explain=True,
        redeemables=[Redeemable(id="A", terms=late, redeemed_quantity=1)],
        now=NOON.replace(hour=13),
    )
    last = used.outcomes[0].trace[-1]
    assert (last.check, last.asked, last.seen, last.outcome) == ("redemptions_left", 1, 1, "failed")
    assert run(None, late).outcomes[0].trace is None


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "AMOUNT", "amount_off": 300},
        {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS"},
        {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
        {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
        {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
        {"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ITEMS"},
        {"type": "FIXED", "fixed_amount": 10},
        {"type": "FIXED", "fixed_amount": 10, "effect": "APPLY_TO_ITEMS"},
        {"type": "UNIT", "unit_off": 2, "unit_type": "prod_1"},
    ],
)
def test_the_reckoning_shown_for_lines_is_what_was_given(fields):
    outcome = run(cart((1000, 2), (77, 3)), terms(fields.pop("type"), **fields), explain=True).outcomes[0]
    assert sum(step.result for step in outcome.steps if step.step != "cap") == outcome.given.total > 0


def test_terms_without_a_discount_are_used_and_change_nothing():
    decision = run(cart((10, 1)), Terms(quantity=1))
    assert decision.valid and decision.outcomes[0].given is None
    assert line_discounts(decision.order) == [0]


def test_the_rules_are_echoed_with_the_documented_defaults():
    echoed = msgspec.to_builtins(StackingRules())
    assert (echoed["redeemables_limit"], echoed["applicable_redeemables_limit"]) == (30, 5)
    assert (echoed["redeemables_application_mode"], echoed["discount_calculation_mode"]) == (
        "ALL",
        "DISCOUNTED_AMOUNT",
    )
    assert len(echoed) == 22
    for wrong in (
        {"redeemables_limit": 31},
        {"applicable_redeemables_limit": 0},
        {"redeemables_sorting_rule": "NONE"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, StackingRules)
