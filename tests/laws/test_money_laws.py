"""Money adds up (G-11): laws over drawn baskets and stacks of discounts, against an oracle of fractions."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine import (
    CatalogItem,
    Facts,
    Order,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    Terms,
    catalog_of,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.money import share, share_within

from .draw import INITIAL, THIRTY, amounts, baskets, discounts, gifts, law
from .oracle import Bill, fill, split

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CATALOG = catalog_of([CatalogItem(object="product", id="prod_gift", price=777)])


def facts_of(lines: list[tuple[int, int]], stack: list[dict[str, Any]]) -> Facts:
    items = [
        OrderItemIn(product_id=f"prod_{index}", price=price, quantity=quantity)
        for index, (price, quantity) in enumerate(lines)
    ]
    asked = [
        Redeemable(id=str(index), terms=Terms(discount=parse_discount(raw)))
        for index, raw in enumerate(stack)
    ]
    return Facts(
        redeemables=asked,
        situation=Situation(now=NOW, zone=ZoneInfo("UTC"), order=price_order(OrderIn(items=items))),
        stacking=THIRTY,
        catalog=CATALOG,
    )


def assert_adds_up(order: Order) -> None:
    """Within one order every total is the sum of its parts, and nothing is below zero or above its base."""
    items = order.items or []
    assert order.amount is not None and order.total_amount is not None
    for item in items:
        if item.amount is None:
            assert item.discount_amount == 0
            continue
        assert 0 <= item.applied_discount_amount <= item.discount_amount <= item.amount
        assert item.subtotal_amount == item.amount - item.discount_amount
        assert 0 <= item.applied_discount_quantity <= item.discount_quantity <= item.quantity
        if item.price is not None:
            assert item.amount == item.price * item.quantity
    assert order.amount == sum(item.amount or 0 for item in items)
    assert order.items_discount_amount == sum(item.discount_amount for item in items)
    assert order.items_applied_discount_amount == sum(item.applied_discount_amount for item in items)
    assert order.total_discount_amount == order.discount_amount + order.items_discount_amount
    assert order.total_applied_discount_amount == (
        order.applied_discount_amount + order.items_applied_discount_amount
    )
    assert 0 <= order.total_amount == order.amount - order.total_discount_amount


@law
@given(baskets(), st.lists(discounts(), min_size=1, max_size=4))
def test_the_engine_and_the_oracle_agree(lines, stack):
    decision = decide(facts_of(lines, stack))
    bill = Bill(lines)
    for raw, outcome in zip(stack, decision.outcomes, strict=True):
        whole, parts = bill.take(raw)
        assert outcome.given.order_discount == whole
        assert outcome.given.line_discounts == [(index, part) for index, part in enumerate(parts) if part]
        assert outcome.order.total_amount == bill.total
    assert decision.order.total_amount == bill.total
    assert [item.subtotal_amount for item in decision.order.items] == bill.open


@law
@given(
    baskets(),
    st.lists(st.one_of(discounts(), gifts()), min_size=1, max_size=5),
    st.sampled_from([THIRTY, INITIAL]),
)
def test_every_order_along_the_way_adds_up(lines, stack, stacking):
    facts = msgspec.structs.replace(facts_of(lines, stack), stacking=stacking)
    decision = decide(facts)
    assert decision.valid
    steps = [outcome.order for outcome in decision.outcomes]
    for order in (*steps, decision.order):
        assert_adds_up(order)
    before = facts.order.total_amount
    for outcome in decision.outcomes:
        given_here = outcome.given
        assert given_here.total == given_here.order_discount + sum(
            off for _, off in given_here.line_discounts
        )
        assert given_here.total == outcome.order.total_applied_discount_amount
        added = sum(amount for _, _, amount in given_here.added)
        # Goods that were added are paid for by the discount: nobody ever owes more than before.
        assert 0 <= outcome.order.total_amount == before + added - given_here.total <= before
        before = outcome.order.total_amount
    assert decision.order.total_applied_discount_amount == sum(o.given.total for o in decision.outcomes)


@law
@given(baskets(), st.lists(st.one_of(discounts(), gifts()), min_size=1, max_size=4))
def test_deciding_is_pure_and_explaining_changes_nothing(lines, stack):
    facts = facts_of(lines, stack)
    before = msgspec.json.encode((facts.order, [r.id for r in facts.redeemables]))
    first, second = decide(facts), decide(facts)
    explained = decide(msgspec.structs.replace(facts, explain=True))
    assert first == second
    assert explained.order == first.order
    assert [o.given for o in explained.outcomes] == [o.given for o in first.outcomes]
    assert msgspec.json.encode((facts.order, [r.id for r in facts.redeemables])) == before


@law
@given(baskets(), st.one_of(discounts(), gifts()), st.one_of(discounts(), gifts()))
def test_two_equal_candidates_may_change_places(lines, raw, other):
    facts = facts_of(lines, [raw, other, raw])
    swapped = msgspec.structs.replace(facts, redeemables=facts.redeemables[::-1])
    assert decide(facts).order == decide(swapped).order


@law
@given(baskets(), st.lists(st.one_of(discounts(), gifts()), min_size=2, max_size=5), st.integers(0, 4))
def test_a_stack_in_two_requests_ends_where_one_request_does(lines, stack, cut):
    """The running order is all that a later discount sees; what was applied before does not matter."""
    from guerdon.engine import resume_order

    facts = facts_of(lines, stack)
    whole = decide(facts).order
    first = msgspec.structs.replace(facts, redeemables=facts.redeemables[: cut + 1])
    middle = resume_order(decide(first).order)
    rest = facts.redeemables[cut + 1 :]
    situation = msgspec.structs.replace(facts.situation, order=middle)
    again = msgspec.structs.replace(facts, situation=situation, redeemables=rest)
    parts = decide(again).order if rest else middle
    for name in ("amount", "discount_amount", "items_discount_amount", "total_amount"):
        assert getattr(parts, name) == getattr(whole, name)
    assert [item.discount_amount for item in parts.items] == [item.discount_amount for item in whole.items]


@law
@given(amounts(), st.lists(st.tuples(amounts(), amounts()), min_size=1, max_size=9))
def test_shares_add_up_and_are_fair(total, pairs):
    weights, limits = [weight for weight, _ in pairs], [limit for _, limit in pairs]
    parts = share(total, weights)
    assert sum(parts) == total
    assert parts == split(total, weights)
    whole = sum(weights)
    assert all(
        abs(part * whole - total * weight) < whole
        for part, weight in zip(parts, weights, strict=True)
        if whole
    )
    within = share_within(total, weights, limits)
    assert sum(within) == min(total, sum(limits))
    assert all(0 <= part <= limit for part, limit in zip(within, limits, strict=True))
    assert within == fill(min(total, sum(limits)), weights, limits)
