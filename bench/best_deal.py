"""How long the best deal of twelve takes, and whether it is proved. Run: python bench/best_deal.py"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine import (
    Facts,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Situation,
    StackingRules,
    Terms,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.rule import parse_rule_set

LIMIT = 300
SEEDS = 5
Draw = random.Random
ITEMS: dict[str, Any] = {"effect": "APPLY_TO_ITEMS"}


def percent(draw: Draw, low: float = 2.5, high: float = 11, **more: Any) -> dict[str, Any]:
    """A percentage in quarters."""
    return {"type": "PERCENT", "percent_off": round(draw.uniform(low, high) * 4) / 4, **more}


def amount(draw: Draw, low: int = 100, high: int = 900, **more: Any) -> dict[str, Any]:
    """An amount."""
    return {"type": "AMOUNT", "amount_off": draw.randint(low, high), **more}


def least(draw: Draw, _lines: int) -> dict[str, Any]:
    """A rule: the order must be worth so much."""
    condition = {"name": "order.amount", "conditions": {"$more_than": [draw.randint(1000, 40_000)]}}
    return {"rules": {"1": condition}}


def half(draw: Draw, lines: int) -> dict[str, Any]:
    """A scope: every other product."""
    names = draw.sample(range(lines), max(1, lines // 2))
    return {"applicable_to": {"included": [{"object": "product", "id": f"p{name}"} for name in names]}}


Kind = tuple[Callable[[Draw, int], dict[str, Any]], Callable[[Draw, int], dict[str, Any]] | None]
KINDS: dict[str, Kind] = {
    "shares of the total": (lambda draw, n: percent(draw), None),
    "large shares of the lines": (lambda draw, n: percent(draw, 5, 40, **ITEMS), None),
    "small shares of the lines": (lambda draw, n: percent(draw, **ITEMS), None),
    "shares of some lines each": (lambda draw, n: percent(draw, **ITEMS), half),
    "shares, amounts, of total and lines": (
        lambda draw, n: [
            percent(draw, **ITEMS),
            amount(draw),
            percent(draw),
            amount(draw, 10, 90, **ITEMS),
        ][n % 4],
        None,
    ),
    "half of them capped over all lines": (
        lambda draw, n: (
            percent(draw, **ITEMS, aggregated_amount_limit=draw.randint(500, 5000))
            if n % 2
            else percent(draw, **ITEMS)
        ),
        None,
    ),
    "prices and shares of the lines": (
        lambda draw, n: (
            {"type": "FIXED", "fixed_amount": draw.randint(500, 8000), **ITEMS}
            if n % 2
            else percent(draw, **ITEMS)
        ),
        None,
    ),
    "shared among lines, shares": (
        lambda draw, n: [
            percent(draw, **ITEMS),
            amount(draw, effect="APPLY_TO_ITEMS_PROPORTIONALLY"),
            percent(draw),
        ][n % 3],
        None,
    ),
    "shares and amounts from a least order on": (
        lambda draw, n: percent(draw, **ITEMS) if n % 2 else amount(draw),
        least,
    ),
    "formulas and shares of the total": (
        lambda draw, n: (
            {"type": "AMOUNT", "amount_off_formula": f"ORDER_AMOUNT / {draw.randint(9, 40)}"}
            if n % 2
            else percent(draw)
        ),
        None,
    ),
    "free units, shares of lines, amounts": (
        lambda draw, n: [
            {"type": "UNIT", "unit_off": 1, "unit_type": f"p{n}"},
            percent(draw, **ITEMS),
            amount(draw),
        ][n % 3],
        None,
    ),
}

CHEAPEST: list[dict[str, Any]] = [
    {"object": "product", "id": name, "effect": "APPLY_TO_CHEAPEST"} for name in ("p1", "p2")
]
WORST = "the cheapest of some hundred lines"
HARD: dict[str, Kind] = {
    WORST: (
        lambda draw, n: percent(draw, **ITEMS),
        lambda _, lines: {"applicable_to": {"included": CHEAPEST}},
    )
}
"""Nothing is known beforehand of what these take off later: every combination is tried."""


def facts(name: str, lines: int, limit: int, seed: int) -> Facts:
    """Twelve candidates of the kind on an order of so many lines."""
    draw = Draw(f"{name} {lines} {seed}")
    make, ruled = (KINDS | HARD)[name]
    items = [
        OrderItemIn(product_id=f"p{n}", price=draw.randint(300, 9000), quantity=draw.randint(1, 3))
        for n in range(lines)
    ]
    redeemables = [
        Redeemable(
            id=f"CODE{n}",
            key=f"v_{n}",
            terms=Terms(discount=parse_discount(make(draw, n))),
            rules=() if ruled is None else (parse_rule_set(ruled(draw, lines), id=f"val_{n}"),),
        )
        for n in range(12)
    ]
    order = price_order(OrderIn(items=items))
    stacking = StackingRules(
        redeemables_sorting_rule="BEST_DEAL",
        redeemables_application_mode="PARTIAL",
        applicable_redeemables_limit=limit,
    )
    situation = Situation(now=datetime(2026, 5, 1, tzinfo=UTC), zone=ZoneInfo("UTC"), order=order)
    return Facts(redeemables=redeemables, situation=situation, stacking=stacking)


def row(name: str, lines: int, limit: int) -> tuple[str, float]:
    """A line of the table, and the longest time in it; CPU time, since the machine may be shared."""
    taken: list[float] = []
    gaps: list[float] = []
    for seed in range(SEEDS):
        asked = facts(name, lines, limit, seed)
        started = time.process_time()
        certificate = decide(asked).certificate
        taken.append((time.process_time() - started) * 1000)
        assert certificate is not None
        gaps.append(100 * (certificate.bound - certificate.best_total) / max(1, certificate.best_total))
        assert certificate.exact
    exact = sum(not gap for gap in gaps)
    told = f"{exact}/{SEEDS}" + ("" if exact == SEEDS else f", bound {max(gaps):.3f} % above")
    return f"{statistics.median(taken):8.0f} {max(taken):8.0f}   {told}", max(taken)


def main() -> int:
    """Print the table; 1 when the longest takes more than the limit."""
    print(f"{'twelve candidates':42} {'limit':>5} {'lines':>5} {'ms':>8} {'most':>8}   exact")
    longest = 0.0
    for name in KINDS:
        for limit in (5, 8, 12):
            for lines in (3, 20, 100):
                told, taken = row(name, lines, limit)
                longest = max(longest, taken)
                print(f"{name:42} {limit:5} {lines:5} {told}", flush=True)
    for limit in (5, 12):
        print(f"{WORST:42} {limit:5} {500:5} {row(WORST, 500, limit)[0]}", flush=True)
    print(f"the longest but for the last: {longest:.0f} ms of {LIMIT}")
    return 0 if longest <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
