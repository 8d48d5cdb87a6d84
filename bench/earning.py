"""A paid order with 20 lines against 50 earning rules, in the engine alone (figure 3 of stored value).

python bench/earning.py
"""

import statistics
import time
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from guerdon.engine import OrderIn, OrderItemIn, parse_rule_set, price_order
from guerdon.engine.earning import compile_program, earn
from guerdon.engine.earning_rule import (
    CardRules,
    Earning,
    EarningRule,
    Effect,
    Fixed,
    Frequency,
    HappyHours,
    Member,
    Multiply,
    OrderPaid,
    PointsCap,
    Proportional,
)
from guerdon.engine.entries import Entry
from guerdon.engine.expiry import Rolling, Rounding
from guerdon.engine.periods import Period
from guerdon.engine.situation import Collection, Person, Situation
from guerdon.engine.terms import DailyHours, Terms, ValidityHours

RULES, LINES, ROUNDS = 50, 20, 2000
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMIT = 1_000_000
"""Nanoseconds the figure allows."""
EXPIRY = Rolling(Period("MONTH", 24), Rounding("END_OF_QUARTER"))


def hours() -> Terms:
    """From eight to eight; each rule has its own."""
    return Terms(validity_hours=ValidityHours([DailyHours("08:00", "20:00")]))


def effect(index: int, kind: str) -> Fixed | Proportional:
    """Points of one kind; those for items name products and collections that half of the lines are of."""
    if kind == "FIXED":
        return Fixed(10, "ROUND(ORDER_AMOUNT * 0.1; 0)" if index % 2 else None)
    named = tuple(Entry(object="product", id=f"prod_{(index + place) % 40}") for place in range(5))
    items = (*named, Entry(object="products_collection", id=f"pc_{index % 5}"))
    return Proportional(
        of=kind,  # type: ignore[arg-type]
        every=100 if "amount" in kind else 1,
        points=Decimal(2),
        items=items if kind.startswith("order_items") else (),
    )


def rule(index: int) -> EarningRule:
    """All kinds in turn, each with conditions, hours and limits."""
    kinds = (
        "order.amount",
        "order_items.amount",
        "order_items.quantity",
        "order_items.subtotal_amount",
        "FIXED",
    )
    asked = {
        "1": {"name": "order.amount", "conditions": {"$more_than": [1000]}},
        "2": {"name": "customer.metadata", "property": "club", "conditions": {"$is": ["gold"]}},
        "logic": "1 and 2",
    }
    return EarningRule(
        id=f"ern_{index:02}",
        trigger=OrderPaid(),
        earnings=(
            Earning(
                effects=(Effect(card="card", gives=effect(index, kinds[index % 5])),),
                rules=(parse_rule_set({"rules": asked}),),
                tiers=frozenset({"gold", "top"}),
            ),
        ),
        terms=hours(),
        frequency=Frequency("DAY", 5),
        caps=(PointsCap(100_000, "MONTH"),),
    )  # fmt: skip


def main() -> None:
    """Measure and say whether the figure holds."""
    happy = HappyHours(multiplier=Decimal("1.5"), terms=hours(), name="day")
    card = CardRules(id="card", expiry=EXPIRY, most_in_period=10**9, period="YEAR")
    program = compile_program([rule(index) for index in range(RULES)], [card], [happy])
    items = [OrderItemIn(product_id=f"prod_{line}", price=1999, quantity=2) for line in range(LINES)]
    order = price_order(OrderIn(items=items))
    collections = {
        f"pc_{number}": Collection(
            id=f"pc_{number}", name="", members=frozenset(f"prod_{number + 5 * step}" for step in range(8))
        )
        for number in range(5)
    }
    mapped = {f"ern_{index:02}": Multiply(Decimal("1.25")) for index in range(0, RULES, 2)}
    member = Member(id="lmbr_1", balances={"card": 0}, tier="gold", mapped=mapped)
    person = Person(id="cust_1", metadata={"club": "gold"})

    def once(explain: bool) -> int:
        zone = ZoneInfo("Europe/Warsaw")
        now = Situation(now=NOW, zone=zone, order=order, customer=person, collections=collections)
        started = time.perf_counter_ns()
        got = earn(program, OrderPaid(), member, now, explain)
        taken = time.perf_counter_ns() - started
        assert len(got.earned) == RULES
        return taken

    for explain in (False, True):
        for _ in range(200):
            once(explain)
        taken = sorted(once(explain) for _ in range(ROUNDS))
        median, high = statistics.median(taken), taken[ROUNDS * 99 // 100]
        verdict = "" if explain else f"; {'holds' if median <= LIMIT else 'MISSED'}: at most 1 ms"
        told = "with an explanation" if explain else "points only"
        print(
            f"{RULES} rules x {LINES} lines, {told}: {median / 1e6:.3f} ms, p99 {high / 1e6:.3f} ms{verdict}"
        )


if __name__ == "__main__":
    main()
