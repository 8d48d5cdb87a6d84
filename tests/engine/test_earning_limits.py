"""What limits leave of earned points: cut by rule, period and balance, or rejected at once."""

import pytest

from guerdon.engine.earning import compile_program, earning_tallies
from guerdon.engine.earning_rule import CardRules, EarningReason, Fixed, Frequency, OrderPaid, PointsCap

from .earners import GOLD, at, member, points, rule, run

CAPS = [
    (PointsCap(25), "ern_1|points|all|lmbr_1"),
    (PointsCap(25, "MONTH"), "ern_1|points|m2026-11|lmbr_1"),
    (PointsCap(25, "QUARTER", per_member=False), "ern_1|points|q2026-10"),
    (PointsCap(25, per_member=False), "ern_1|points|all"),
]


@pytest.mark.parametrize(("cap", "key"), CAPS)
def test_a_rule_gives_only_so_many(cap, key):
    asked = rule(caps=(cap,))
    for used, expected in [(0, 10), (15, 10), (20, 5)]:
        got = run(asked, situation=at(used={key: used}))
        assert (got.points(), got.takes) == (expected, {key: expected})
        assert got.earned[0].reckoned == 10
    refused = run(asked, situation=at(used={key: 25}))
    assert refused.outcomes[0].reason is EarningReason.RULE_CAP and refused.takes == {}


def test_of_two_limits_of_the_same_the_smaller_holds():
    for caps in [(PointsCap(25), PointsCap(7)), (PointsCap(7), PointsCap(25))]:
        assert run(rule(caps=caps)).takes == {"ern_1|points|all|lmbr_1": 7}


def test_a_card_holds_only_so_many():
    card = CardRules(id=GOLD, most_balance=100)
    for balance, expected in [(0, 10), (90, 10), (95, 5), (100, 0), (200, 0)]:
        assert points(rule(), card=card, who=member(balance)) == expected
    full = run(rule(), card=card, who=member(100))
    assert full.outcomes[0].reason is EarningReason.CARD_CAP


def test_no_card_holds_more_than_can_be_counted_exactly():
    assert points(rule(), who=member(2**53 - 5)) == 4
    assert points(rule("a", Fixed(2**53 - 1)), rule("b")) == 2**53 - 1


def test_a_card_gets_only_so_many_in_a_period():
    card, key = CardRules(id=GOLD, most_in_period=100, period="YEAR"), f"{GOLD}|earned|y2026|lmbr_1"
    for used, expected in [(0, 10), (97, 3), (100, 0)]:
        got = run(rule(), card=card, situation=at(used={key: used}))
        assert got.points() == expected and got.takes.get(key, 0) == expected


def test_rules_share_what_a_card_takes_in_the_order_of_their_ids():
    card, rules = CardRules(id=GOLD, most_balance=25), [rule("c"), rule("a"), rule("b")]
    got = run(*rules, card=card)
    assert [(each.rule_id, each.points) for each in got.earned] == [("a", 10), ("b", 10), ("c", 5)]
    assert run(*rules[::-1], card=card).earned == got.earned


def test_too_many_at_once_are_none_at_all():
    card = CardRules(id=GOLD, most_at_once=10)
    assert points(rule(), card=card) == 10
    refused = run(rule(gives=Fixed(11)), card=card)
    assert refused.outcomes[0].reason is EarningReason.AT_ONCE and refused.points() == 0
    # Each effect is a transaction of its own.
    assert points(rule("a"), rule("b"), card=card) == 20


def test_small_orders_give_none():
    for least, expected in [(4990, 10), (4991, 0)]:
        assert points(rule(), card=CardRules(id=GOLD, least_amount=least)) == expected
    refused = run(rule(), card=CardRules(id=GOLD, least_amount=4991))
    assert refused.outcomes[0].reason is EarningReason.LEAST_AMOUNT


def test_every_tally_that_is_looked_up_is_named_before():
    card = CardRules(id=GOLD, most_in_period=100, period="WEEK")
    rules = [rule("a", caps=tuple(cap for cap, _ in CAPS)), rule("b", frequency=Frequency("DAY", 1))]
    keys = earning_tallies(compile_program(rules, [card]), OrderPaid(), "lmbr_1", at())
    assert set(keys) == set(run(*rules, card=card).takes)
    assert len(keys) == len(set(keys)) == 6
