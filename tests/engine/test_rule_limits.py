"""Limits: what is used already and this redemption, by whom and when; policies at a budget's end."""

import pytest
from msgspec.structs import replace

from guerdon.engine import Reason
from guerdon.engine.rule import Result, left_to_give
from guerdon.engine.tally import LIMITS, key_asked
from tests.engine.build import cart
from tests.engine.rules import VOUCHER, a_set, reason, rule, situation

VIOLATED = Reason.REDEMPTION_RULES_VIOLATED
COUNTS = sorted(name for name, tally in LIMITS.items() if tally.measure == "n")
CART = cart((1000, 1))


@pytest.mark.parametrize("name", COUNTS)
def test_a_limit_counts_this_redemption(name: str) -> None:
    at = situation(CART, api_key="key-1", user="ola")
    key = key_asked(name, VOUCHER, at)
    assert key is not None
    limit = a_set(rule(name, less_than_or_equal=3))
    assert limit.limits == {name}
    for used, holds in ((0, True), (2, True), (3, False), (4, False)):
        at = situation(CART, api_key="key-1", user="ola", used={key: used})
        assert reason(limit, at) is (None if holds else VIOLATED)
        assert reason(a_set(rule(name, less_than=4)), at) is (None if holds else VIOLATED)


def test_nobody_to_count_by() -> None:
    assert reason(a_set(rule("redemption.count.per_api_key", less_than_or_equal=1)), situation()) is None
    assert reason(a_set(rule("redemption.count.per_user", less_than_or_equal=1)), situation()) is None
    alone = replace(VOUCHER, campaign_id=None)
    assert reason(a_set(rule("campaign.redemptions.count", less_than_or_equal=1)), situation(), alone) is None


def test_order_value_of_a_campaign() -> None:
    limit = a_set(rule("campaign.orders.amount", less_than_or_equal=5000))
    assert limit.after
    key = key_asked("campaign.orders.amount", VOUCHER, situation(CART))
    assert key is not None
    for policy, used, holds in (
        ("STRICT", 4000, True),
        ("STRICT", 4001, False),
        ("LAST_IN_FULL", 4999, True),
        ("LAST_IN_FULL", 5000, False),
        ("PARTIAL", 4999, True),
        ("PARTIAL", 5000, False),
    ):
        at = situation(CART, used={key: used})
        redeemable = replace(VOUCHER, limit_policy=policy)
        assert reason(limit, at, redeemable, Result(CART, 300)) is (None if holds else VIOLATED)


def test_discount_of_a_campaign() -> None:
    limit = a_set(rule("campaign.orders.amount_discounted", less_than_or_equal=5000))
    key = key_asked("campaign.orders.amount_discounted", VOUCHER, situation(CART))
    assert limit.after and key is not None
    for policy, used, off, holds in (
        ("STRICT", 4700, 300, True),
        ("STRICT", 4701, 300, False),
        ("LAST_IN_FULL", 4999, 300, True),
        ("LAST_IN_FULL", 5000, 300, False),
        ("PARTIAL", 4990, 10, True),
        ("PARTIAL", 4990, 11, False),
        ("PARTIAL", 5000, 0, False),
    ):
        at = situation(CART, used={key: used})
        redeemable = replace(VOUCHER, limit_policy=policy)
        assert reason(limit, at, redeemable, Result(CART, off)) is (None if holds else VIOLATED)


def test_what_is_left_to_give() -> None:
    budget = rule("campaign.orders.amount_discounted", less_than_or_equal=5000)
    key = key_asked("campaign.orders.amount_discounted", VOUCHER, situation(CART))
    at = situation(CART, used={key or "": 4200})
    assert left_to_give(a_set(budget), VOUCHER, at) == 800
    smaller = rule("campaign.orders.amount_discounted", less_than=4901)
    assert left_to_give(a_set(budget, smaller), VOUCHER, at) == 700
    assert left_to_give(a_set(budget), VOUCHER, situation(CART, used={key or "": 9000})) == 0
    assert left_to_give(a_set(budget, budget, logic="1 or 2"), VOUCHER, at) is None
    assert left_to_give(a_set(rule("order.amount", more_than=1)), VOUCHER, at) is None
