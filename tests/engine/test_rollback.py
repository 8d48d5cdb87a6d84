"""Taking back a redemption, whole and in parts, by hand."""

import msgspec
import pytest

from guerdon.engine import Allotment, EngineError, Given, allot, give_back, take_all, take_amount, take_items

from .build import cart, run, terms


def redeemed(order, *all_terms):
    """The outcomes' allotments and the final order."""
    decision = run(order, *all_terms)
    return [allot(o.given, o.order) for o in decision.outcomes], decision.order


def test_the_whole_leaves_the_order_as_it_was():
    before = cart((1000, 2), (500, 1))
    (allotment,), after = redeemed(before, terms("PERCENT", percent_off=10))
    back = take_all(allotment)
    assert (back.total, back.after.left) == (250, 0)
    restored = give_back(after, back)
    assert (restored.total_amount, restored.discount_amount, restored.total_discount_amount) == (2500, 0, 0)
    assert take_all(back.after).total == 0


def test_a_discount_on_the_order_belongs_to_the_lines_by_what_they_cost():
    (allotment,), _ = redeemed(cart((1000, 2), (500, 1)), terms("PERCENT", percent_off=10))
    assert [(part.line, part.order_given, part.units) for part in allotment.parts] == [
        (0, 200, 2),
        (1, 50, 1),
    ]
    first = take_items(allotment, [(0, 1)])
    assert first.total == 100
    second = take_items(first.after, [(0, 1), (1, 1)])
    assert (second.total, second.after.left) == (150, 0)


def test_units_bring_back_their_share_and_the_last_the_exact_rest():
    (allotment,), _ = redeemed(cart((1000, 3)), terms("AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS"))
    taken = []
    for _ in range(3):
        back = take_items(allotment, [(0, 1)])
        taken.append(back.total)
        allotment = back.after
    assert taken == [33, 34, 33]


def test_an_amount_is_taken_off_all_lines_alike():
    (allotment,), after = redeemed(
        cart((1000, 1), (3000, 1)), terms("AMOUNT", amount_off=400, effect="APPLY_TO_ITEMS_PROPORTIONALLY")
    )
    back = take_amount(allotment, 100)
    assert [(part.line, part.line_amount) for part in back.parts] == [(0, 25), (1, 75)]
    restored = give_back(after, back)
    assert [item.discount_amount for item in restored.items] == [75, 225]
    assert (restored.total_amount, restored.items_discount_amount) == (3700, 300)
    assert take_items(back.after, [(0, 1)]).total == 75


def test_units_bring_nothing_when_amounts_already_ran_ahead():
    (allotment,), _ = redeemed(cart((1000, 2)), terms("AMOUNT", amount_off=100))
    ahead = take_amount(allotment, 80).after
    first = take_items(ahead, [(0, 1)])
    assert first.total == 0
    assert take_items(first.after, [(0, 1)]).total == 20


def test_an_order_without_items_gives_back_by_amount_only():
    from guerdon.engine import OrderIn, price_order

    (allotment,), after = redeemed(price_order(OrderIn(amount=900)), terms("AMOUNT", amount_off=100))
    assert [part.line for part in allotment.parts] == [-1]
    with pytest.raises(EngineError):
        take_items(allotment, [(-1, 1)])
    back = take_amount(allotment, 30)
    assert give_back(after, back).total_amount == 830
    assert take_all(back.after).total == 70


def test_free_units_leave_the_order_with_the_whole():
    before = cart((1000, 1))
    for effect in ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"):
        (allotment,), after = redeemed(before, terms("UNIT", unit_off=3, unit_type="prod_0", effect=effect))
        partly = take_items(allotment, [(allotment.parts[0].line, 1)])
        assert partly.total == 1000 and partly.added == []
        rest = take_all(partly.after)
        restored = give_back(give_back(after, partly), rest)
        assert (restored.amount, restored.total_amount, restored.total_discount_amount) == (1000, 1000, 0)
        assert sum(item.quantity for item in restored.items) == 1
        assert take_all(rest.after).added == []


def test_a_stack_taken_back_one_by_one_restores_the_order():
    before = cart((1000, 2), (333, 7), (1, 1))
    allotments, after = redeemed(
        before,
        terms("AMOUNT", amount_off=37, effect="APPLY_TO_ITEMS_BY_QUANTITY"),
        terms("PERCENT", percent_off=33.33),
        terms("UNIT", unit_off=2, unit_type="prod_1", effect="ADD_NEW_ITEMS"),
    )
    for allotment in allotments:
        after = give_back(after, take_all(allotment))
    assert (after.total_amount, after.total_discount_amount, after.amount) == (4332, 0, 4332)
    assert after.applied_discount_amount == 0


@pytest.mark.parametrize(
    ("units", "path"),
    [
        ([(5, 1)], "items[0]"),
        ([(0, 1), (0, 1)], "items[1]"),
        ([(0, 0)], "items[0].quantity"),
        ([(0, 3)], "items[0].quantity"),
        ([(1, 1)], "items[0]"),
    ],
)
def test_units_that_are_not_there_cannot_come_back(units, path):
    (allotment,), _ = redeemed(cart((1000, 2), (0, 1)), terms("AMOUNT", amount_off=100))
    with pytest.raises(EngineError) as caught:
        take_items(allotment, units)
    assert (caught.value.path, caught.value.key) == (path, "invalid_rollback_params")


def test_what_came_off_the_line_itself_comes_back_before_its_share_of_the_order():
    both = Given(order_discount=60, line_discounts=[(0, 40)], total=100)
    allotment = allot(both, cart((1000, 1)))
    taken = []
    for amount in (30, 30, 40):
        back = take_amount(allotment, amount)
        taken.append((back.parts[0].line_amount, back.parts[0].order_amount))
        allotment = back.after
    assert taken == [(30, 0), (10, 20), (0, 40)]


@pytest.mark.parametrize("amount", [0, -1, 101, 2**53])
def test_no_more_comes_back_than_was_given(amount):
    (allotment,), _ = redeemed(cart((1000, 2)), terms("AMOUNT", amount_off=100))
    with pytest.raises(EngineError):
        take_amount(allotment, amount)
    with pytest.raises(EngineError):
        take_amount(take_all(allotment).after, 1)


def test_an_allotment_goes_to_the_store_and_back():
    (allotment,), _ = redeemed(cart((1000, 2)), terms("UNIT", unit_off=3, unit_type="prod_0"))
    assert msgspec.json.decode(msgspec.json.encode(allotment), type=Allotment) == allotment
    assert allot(run(None, terms("AMOUNT", amount_off=1)).outcomes[0].given, None).given == 0
