"""How long the engine thinks, beside json.dumps of the same basket. Run: python bench/engine.py"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from guerdon.engine import (
    Facts,
    Order,
    OrderIn,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    decide,
    parse_discount,
    price_order,
)

ROUNDS = 2000
LIMIT_THREE = 300
LIMIT_ONE = 25
LIMIT_BEST = 50_000
encode = msgspec.json.Encoder(decimal_format="number").encode


def basket(lines: int) -> bytes:
    """A request's order of so many lines, as JSON."""
    items = [
        {"source_id": f"sku-{n}", "related_object": "sku", "quantity": n % 4 + 1, "price": 199 + 137 * n}
        for n in range(lines)
    ]
    return json.dumps({"source_id": "order-1", "items": items}).encode()


def facts(order: Order, discounts: list[dict[str, Any]], explain: bool = False) -> Facts:
    """What the engine gets: an order and a voucher for each discount."""
    return Facts(
        redeemables=[
            Redeemable(id=f"CODE{n}", terms=Terms(discount=parse_discount(raw), quantity=1000))
            for n, raw in enumerate(discounts)
        ],
        situation=Situation(now=datetime(2026, 5, 1, tzinfo=UTC), zone=ZoneInfo("UTC"), order=order),
        explain=explain,
    )


def median(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Microseconds of the middle one of many runs."""
    taken: list[int] = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        act()
        taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1000


THREE = [
    {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
    {"type": "PERCENT", "percent_off": 12.5, "effect": "APPLY_TO_ITEMS"},
    {"type": "PERCENT", "percent_off": 10, "amount_limit": 5000},
]


def choice(order: Order, candidates: int) -> Facts:
    """Discounts of every kind, of which the five that give the most in the best order are to be found."""
    kinds = [
        {"type": "PERCENT", "percent_off": 7.5, "effect": "APPLY_TO_ITEMS"},
        {"type": "AMOUNT", "amount_off": 900},
        {"type": "PERCENT", "percent_off": 9},
        {"type": "AMOUNT", "amount_off": 60, "effect": "APPLY_TO_ITEMS"},
    ]
    discounts: list[dict[str, Any]] = []
    for n in range(candidates):
        raw = dict(kinds[n % 4])
        name = "percent_off" if "percent_off" in raw else "amount_off"
        discounts.append(raw | {name: raw[name] + n})
    stacking = StackingRules(redeemables_sorting_rule="BEST_DEAL")
    return msgspec.structs.replace(facts(order, discounts), stacking=stacking)


def main() -> int:
    """Print the table; 1 when a figure is missed."""
    twenty, eight = basket(20), basket(8)
    order = _read(twenty)
    three, shown = facts(order, THREE), facts(order, THREE, explain=True)
    twelve, thirty = choice(order, 12), choice(order, 30)
    one = facts(_read(eight), [{"type": "PERCENT", "percent_off": 10}])
    plain = msgspec.to_builtins(decide(three).order)
    beside = median(lambda: json.dumps(plain))
    rows = [
        ("json.dumps of the 20-line basket (beside)", beside, None),
        ("20 lines: read and price the request", median(lambda: _read(twenty)), None),
        ("20 lines: three discounts", median(lambda: decide(three)), LIMIT_THREE),
        ("20 lines: three discounts, written as JSON", median(lambda: _written(three)), LIMIT_THREE),
        ("20 lines: three discounts, explained", median(lambda: decide(shown)), LIMIT_THREE),
        ("20 lines: best deal of 12", median(lambda: decide(twelve), 50), LIMIT_BEST),
        ("20 lines: best deal of 30", median(lambda: decide(thirty), 50), LIMIT_BEST),
        ("8 lines: one PERCENT, written as JSON", median(lambda: encode(decide(one).order)), LIMIT_ONE),
    ]  # fmt: skip
    print(f"{'median of ' + str(ROUNDS):46} {'µs':>8} {'limit':>7} {'× json.dumps':>13}")
    for name, taken, limit in rows:
        print(f"{name:46} {taken:8.1f} {limit or '':>7} {taken / beside:13.2f}")
    return 0 if all(limit is None or taken <= limit for _, taken, limit in rows) else 1


def _read(body: bytes) -> Order:
    return price_order(msgspec.json.decode(body, type=OrderIn))


def _written(asked: Facts) -> bytes:
    decision = decide(asked)
    return encode([[outcome.order for outcome in decision.outcomes], decision.order])


if __name__ == "__main__":
    sys.exit(main())
