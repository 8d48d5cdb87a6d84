"""Earning: what is counted and how, who and when, tiers, happy hours; every refusal with its reason."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from guerdon.engine import OrderIn, OrderItemIn, Terms, parse_rule_set, price_order
from guerdon.engine.durations import Span
from guerdon.engine.earning import compile_program
from guerdon.engine.earning_parse import for_earning
from guerdon.engine.earning_rule import (
    CardRules,
    Custom,
    CustomEvent,
    EarningReason,
    Fixed,
    Frequency,
    HappyHours,
    Multiply,
    SegmentEntered,
    TierChanged,
)
from guerdon.engine.entries import Entry
from guerdon.engine.expiry import NoExpiration, Rolling
from guerdon.engine.pending import EventBased, PeriodBased
from guerdon.engine.periods import Period
from guerdon.engine.situation import Collection, Person
from guerdon.engine.terms import DailyHours, ValidityHours

from .build import cart
from .earners import GOLD, NOW, at, every, member, points, rule, run

TWO = at(cart((3300, 1), (1700, 2)))  # 33.00 and twice 17.00


def only(earnings):
    """The one reason there is."""
    assert not earnings.earned and len(earnings.outcomes) == 1
    return earnings.outcomes[0].reason


@pytest.mark.parametrize(
    ("gives", "expected"),
    [
        (Fixed(10), 10),
        (every("order.amount", 1000), 6),
        (every("order.amount", 1000, 7), 42),
        (every("order.amount", 6700), 1),
        (every("order.amount", 6701), 0),
        (every("order.amount", 1000, "0.5"), 3),
        (every("order.amount", 1000, "0.25"), 2),  # 1.5 goes up
        (every("order_items.quantity", 1), 3),
        (every("order_items.quantity", 2, 5), 5),
        (every("order_items.quantity", 1, 5, items=(Entry(object="product", id="prod_1"),)), 10),
        (every("order_items.amount", 100, items=(Entry(object="product", id="prod_1"),)), 34),
        (every("order_items.subtotal_amount", 100, items=(Entry(object="product", id="prod_9"),)), 0),
    ],
)
def test_how_many(gives, expected):
    assert points(rule(gives=gives), situation=TWO) == expected


def test_before_and_after_discounts():
    order = price_order(
        OrderIn(items=[OrderItemIn(product_id="a", price=1000, quantity=5, discount_amount=700)])
    )
    order.discount_amount, order.total_discount_amount, order.total_amount = 300, 1000, 4000
    order.items[0].discount_quantity = 2
    now = at(order)
    assert points(rule(gives=every("order.amount", 100)), situation=now) == 50
    assert points(rule(gives=every("order.total_amount", 100)), situation=now) == 40
    assert points(rule(gives=every("order_items.amount", 100)), situation=now) == 50
    assert points(rule(gives=every("order_items.subtotal_amount", 100)), situation=now) == 43
    assert points(rule(gives=every("order_items.quantity", 1)), situation=now) == 3


def test_free_units_that_a_discount_added_are_not_counted():
    order = cart((1000, 2))
    item = order.items[0]
    item.initial_quantity, item.initial_amount = 2, 2000
    item.quantity, item.amount, item.discount_quantity, item.discount_amount = 3, 3000, 1, 1000
    item.subtotal_amount = 2000
    order.initial_amount, order.amount, order.total_amount = 2000, 3000, 2000
    for of in ("order.amount", "order.total_amount", "order_items.amount", "order_items.subtotal_amount"):
        assert points(rule(gives=every(of, 1000)), situation=at(order)) == 2, of
    assert points(rule(gives=every("order_items.quantity", 1)), situation=at(order)) == 2


def test_a_line_that_several_entries_name_counts_once():
    fruit = Collection(id="pc_1", name="Fruit", members=frozenset({"prod_0", "prod_1"}))
    both = (Entry(object="products_collection", id="pc_1"), Entry(object="product", id="prod_1"))
    now = at(cart((3300, 1), (1700, 2)), collections={"pc_1": fruit})
    assert points(rule(gives=every("order_items.amount", 100, items=both)), situation=now) == 67
    assert points(rule(gives=every("order_items.amount", 100, items=both[1:])), situation=now) == 34


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (25, 8),
        ("25", 8),
        (25.5, 8),
        (9, 0),
        (-40, 0),
        (None, 0),
        (True, 0),
        ("much", 0),
        (10**400, (2**53 - 1) // 10 * 4),
    ],
    ids=range(9),
)
def test_metadata_as_numbers(value, expected):
    metadata = {"visits": value}
    order = cart((100, 1), metadata=metadata)
    ways = [
        (rule(gives=every("order.metadata", 10, 4, property="visits")), None, at(order)),
        (rule(gives=every("customer.metadata", 10, 4, property="visits")), None, at(customer=Person(id="c", metadata=metadata))),
        (
            rule(gives=every("custom_event.metadata", 10, 4, property="visits"), trigger=CustomEvent("ms_1")),
            CustomEvent("ms_1", metadata=metadata),
            at(),
        ),
    ]  # fmt: skip
    for asked, happening, now in ways:
        assert points(asked, happening=happening, situation=now) == expected


def test_what_is_not_known_gives_nothing():
    for of in ("order.metadata", "customer.metadata", "custom_event.metadata"):
        got = run(rule(gives=every(of, 1, property="x")), situation=at(customer=None))
        assert only(got) is EarningReason.NO_POINTS


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("ORDER_AMOUNT * 2", 100), ("ORDER_AMOUNT / 3", 17), ("ORDER_AMOUNT - 100", 0), ("NOBODY_KNOWS", 10)],
)
def test_formula_points_are_rounded_and_fall_back(formula, expected):
    assert points(rule(gives=Fixed(10, formula))) == expected


def test_a_formula_may_say_what_each_time_is_worth():
    gives = every("order.total_amount", 1000, 1, formula="IF(ORDER_AMOUNT > 40;3;1)")
    assert points(rule(gives=gives)) == 12


def test_rules_wait_for_what_happened():
    rules = [
        rule("a"),
        rule("b", trigger=SegmentEntered("seg_1")),
        rule("c", trigger=CustomEvent("ms_1", "visit")),
        rule("d", trigger=CustomEvent(name="visit")),
        rule("e", trigger=TierChanged("upgraded")),
        rule("f", trigger=TierChanged("upgraded", "lt_2")),
        rule("g", trigger=TierChanged("joined")),
    ]
    for happening, expected in [
        (None, ["a"]),
        (SegmentEntered("seg_1"), ["b"]),
        (SegmentEntered("seg_2"), []),
        (CustomEvent("ms_1", "visit"), ["c", "d"]),
        (CustomEvent("ms_2", "visit"), ["d"]),
        (CustomEvent("ms_1"), ["c"]),
        (TierChanged("upgraded", "lt_2"), ["e", "f"]),
        (TierChanged("upgraded", "lt_3"), ["e"]),
        (TierChanged("prolonged", "lt_2"), []),
    ]:
        assert run(*rules, happening=happening).triggered == expected, happening


def test_dates_windows_and_the_switch():
    day = timedelta(days=1)
    assert only(run(rule(active=False))) is EarningReason.SWITCHED_OFF
    assert only(run(rule(terms=Terms(start_date=NOW + day)))) is EarningReason.NOT_STARTED
    assert only(run(rule(terms=Terms(expiration_date=NOW)))) is EarningReason.ENDED
    assert only(run(rule(terms=Terms(validity_day_of_week=[1])))) is EarningReason.NOT_NOW
    assert points(rule(terms=Terms(validity_day_of_week=[0]))) == 10


def test_a_rule_rests_after_it_gave():
    asked = rule(cooldown=Span(0, 1, 0))
    assert points(asked) == 10
    for ago, expected in [(23, 0), (24, 10)]:
        who = member(last={"ern_1": NOW - timedelta(hours=ago)})
        assert points(asked, who=who) == expected
    refused = run(asked, who=member(last={"ern_1": NOW - timedelta(hours=1)}))
    assert only(refused) is EarningReason.COOLDOWN
    assert refused.outcomes[0].checks[-1].opens_at == "2026-11-23T11:00:00.000Z"


def test_a_member_sets_a_rule_off_only_so_often():
    asked, key = rule(frequency=Frequency("WEEK", 2)), "ern_1|triggers|w2026-11-16|lmbr_1"
    assert run(asked).takes == {key: 1}
    assert points(asked, situation=at(used={key: 1})) == 10
    assert only(run(asked, situation=at(used={key: 2}))) is EarningReason.FREQUENCY
    # On Monday the count begins anew.
    assert points(asked, situation=at(now=NOW + timedelta(days=1), used={key: 2})) == 10


def test_a_rule_that_gave_nothing_was_not_set_off():
    asked = rule(gives=every("order.amount", 10**6), frequency=Frequency("DAY", 1))
    assert run(asked).takes == {} and run(asked).triggered == []


def test_tiers_and_what_they_make_of_points():
    asked = rule(tiers=frozenset({"lt_gold"}))
    assert points(asked, who=member(tier="lt_gold")) == 10
    assert only(run(asked, who=member(tier="lt_basic"))) is EarningReason.TIER
    assert only(run(asked)) is EarningReason.TIER
    by_amount = rule(gives=every("order.amount", 1000, 3))  # 4 times
    for mapped, fixed, proportional in [
        (Multiply(Decimal(2)), 20, 24),
        (Multiply(Decimal("1.25")), 13, 15),  # 12.5 goes up
        (Multiply(Decimal(0)), 0, 0),
        (Custom(7), 7, 28),
        (Custom(0), 0, 0),
    ]:
        who = member(mapped={"ern_1": mapped})
        assert points(rule(), who=who) == fixed
        assert points(by_amount, who=who) == proportional
    assert points(rule("other"), who=member(mapped={"ern_1": Multiply(Decimal(2))})) == 10


def happy(multiplier, *span, **more):
    hours = ValidityHours([DailyHours(*span)])
    return HappyHours(multiplier=Decimal(multiplier), terms=Terms(validity_hours=hours), **more)


def test_happy_hours_multiply_and_the_largest_wins():
    # It is 13:00 in Warsaw.
    assert points(rule(), happy=(happy("2", "12:00", "14:00"),)) == 20
    assert points(rule(), happy=(happy("2", "14:00", "15:00"),)) == 10
    both = (happy("1.5", "12:00", "14:00"), happy("3", "13:00", "13:30"), happy("9", "01:00", "02:00"))
    assert points(rule(), happy=both) == points(rule(), happy=both[::-1]) == 30
    assert points(rule(), happy=(happy("2", "12:00", "14:00", rules=frozenset({"other"})),)) == 10
    who = member(mapped={"ern_1": Multiply(Decimal("1.5"))})
    # 3 × 1.5 × 1.5 is 6.75, rounded once.
    assert points(rule(gives=Fixed(3)), who=who, happy=(happy("1.5", "12:00", "14:00"),)) == 7


def test_conditions_of_rules_and_their_text():
    big = parse_rule_set(
        {
            "rules": {
                "1": {
                    "name": "order.amount",
                    "conditions": {"$more_than": [5000]},
                    "error": {"message": "Buy more"},
                }
            }
        }
    )
    refused = run(rule(rules=(big,)))
    assert (only(refused), refused.outcomes[0].error) == (EarningReason.RULES, "Buy more")
    assert [check.outcome for check in refused.outcomes[0].checks] == ["failed"]
    assert points(rule(rules=(big,)), situation=TWO) == 10


def test_conditions_may_look_at_the_custom_event():
    raw = {
        "1": {"name": "custom_event.metadata", "property": "stars", "conditions": {"$more_than": [3]}},
        "2": {"name": "customer.segment", "conditions": {"$is": ["seg_1"]}},
        "logic": "1 and 2",
    }
    asked = rule(rules=(for_earning(parse_rule_set({"rules": raw})),), trigger=CustomEvent("ms_1"))
    now = at(customer=Person(id="c", segments=frozenset({"seg_1"})))
    for stars, expected in [(4, 10), (3, 0), (None, 0)]:
        assert (
            points(asked, happening=CustomEvent("ms_1", metadata={"stars": stars}), situation=now) == expected
        )


def test_points_know_when_they_end_and_when_they_wait():
    card = CardRules(id=GOLD, expiry=Rolling(Period("MONTH", 1)), pending=PeriodBased(Period("DAY", 9)))
    earned = run(rule(), card=card).earned[0]
    assert earned.activation.at == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert earned.ends_at == datetime(2027, 1, 1, 23, tzinfo=UTC)  # a month after 1 December
    own = run(
        rule(expiry=NoExpiration(), pending=EventBased(frozenset({"ms_1"}), Period("DAY", 9))), card=card
    )
    assert own.earned[0].ends_at is None and own.earned[0].activation.at is None
    assert own.earned[0].activation.cancels_at == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_without_a_card_there_is_nothing_to_earn():
    who = member()
    who.balances = {}
    assert only(run(rule(), who=who)) is EarningReason.NO_CARD


def test_a_rule_tells_how_its_points_came_about():
    gives = every("order_items.amount", 1000, "1.5", items=(Entry(object="product", id="prod_0"),))
    who = member(mapped={"ern_1": Multiply(Decimal(2))})
    told = run(rule(gives=gives), who=who, happy=(happy("2", "12:00", "14:00", name="lunch"),))
    check = told.outcomes[0].checks[-1]
    assert check.asked == {"for": "order_items.amount", "every": 1000, "points": "1.5", "items": ["prod_0"]}
    assert check.seen == {
        "value": 4990,
        "times": 4,
        "points_each": "1.5",
        "tier_multiplier": 2,
        "happy_hours": {"name": "lunch", "multiplier": 2},
        "points": 24,
    }


def test_a_program_says_what_must_be_gathered():
    raw = {"1": {"name": "customer.segment", "conditions": {"$is": ["seg_1"]}}}
    items = (Entry(object="products_collection", id="pc_1"), Entry(object="product", id="prod_1"))
    asked = [
        rule("a", rules=(parse_rule_set({"rules": raw}),), cooldown=Span(0, 1, 0)),
        rule("b", gives=every("order_items.amount", 1, items=items)),
    ]
    program = compile_program(asked, [CardRules(id=GOLD)])
    assert (program.segments, program.collections) == ({"seg_1"}, {"pc_1"})
    assert program.rests == {"a"}
