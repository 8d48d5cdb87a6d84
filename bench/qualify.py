"""Qualifications over HTTP: a cart of 20 lines among a thousand and a hundred thousand promotions.

python bench/qualify.py

GUERDON_BENCH_MANY (100000) is how many, GUERDON_BENCH_ASKS (400) how often is asked.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

from ground import database, table, verdict
from http_load import PORT
from lists import Till, percentile, served
from qualify_data import cart, fill

from guerdon.projects.bootstrap import Credentials

FEW = 1_000
MANY = int(os.environ.get("GUERDON_BENCH_MANY", "100000"))
ASKS = int(os.environ.get("GUERDON_BENCH_ASKS", "400"))
MOST, LOADING, SEEN = 15.0, 10.0, 1.0
PATH = "/v1/qualifications"
CHANGES = 5


def ask(till: Till, number: int = 0) -> tuple[float, list[str]]:
    """Milliseconds, and what qualifies."""
    taken, content = till.ask(PATH, cart(number))
    return taken, [one["id"] for one in json.loads(content)["redeemables"]["data"]]


def latencies(till: Till) -> tuple[float, float, int]:
    """p50 and p95 in milliseconds, and how many qualify."""
    taken, found = [], 0
    for number in range(ASKS + 20):
        milliseconds, ids = ask(till, number)
        found = len(ids)
        if number >= 20:
            taken.append(milliseconds)
    return percentile(taken, 0.5), percentile(taken), found


def switch(till: Till, tier: str, on: bool) -> None:
    """Switch a promotion on or off."""
    till.ask(f"/v1/promotions/tiers/{tier}/{'enable' if on else 'disable'}", b"{}")


def bar(till: Till, tier: str, on: bool) -> None:
    """The same by its rule, which asks for more than anybody has, or for little."""
    body = json.loads(cart(0))
    body["options"] = {
        "expand": ["validation_rules"],
        "filters": {"resource_id": {"conditions": {"$is": [tier]}}},
    }
    if tier not in RULES:
        found = json.loads(till.ask(PATH, json.dumps(body).encode())[1])["redeemables"]["data"][0]
        RULES[tier] = found["validation_rules_assignments"]["data"][0]["rule_id"]
    amount = {"name": "order.amount", "conditions": {"$more_than": [1 if on else 10**12]}}
    till.ask(f"/v1/validation-rules/{RULES[tier]}", json.dumps({"rules": {"1": amount}}).encode(), "PUT")


RULES: dict[str, str] = {}


def seen_elsewhere(here: Till, there: Till, change: Callable[[Till, str, bool], None]) -> float:
    """Seconds until a second server process shows a change, from the moment the first one has answered."""
    worst = 0.0
    tier = ask(here)[1][0]
    for number in range(CHANGES * 2):
        on = number % 2 == 1
        change(here, tier, on)
        begin = time.perf_counter()
        while (tier in ask(there)[1]) is not on:
            assert time.perf_counter() - begin < 10, "the change is never seen"
        worst = max(worst, time.perf_counter() - begin)
    return worst


def compare(dsn: str, few_key: Credentials, many_key: Credentials) -> int:
    """Ask both projects on one server, the large one on a second server too; 1 when a figure is missed."""
    few, many = Till(PORT, few_key), Till(PORT, many_key)
    begin = time.perf_counter()  # the server has been live for a moment, and reads ahead
    ask(many)
    loading = time.perf_counter() - begin
    with served(dsn, PORT + 1):
        other = Till(PORT + 1, many_key)
        ask(other)
        return figures_of(few, many, other, loading)


def figures_of(few: Till, many: Till, other: Till, loading: float) -> int:
    """Measure and print."""
    rows = []
    measured = {size: latencies(till) for size, till in ((FEW, few), (MANY, many))}
    for size, (p50, p95, found) in measured.items():
        rows.append((f"{size:,}", str(found), f"{p50:.2f}", f"{p95:.2f}"))
    table(
        f"Qualification of 20 lines over HTTP, one client, {ASKS} requests",
        rows, ("promotions", "qualify", "p50 ms", "p95 ms"),
    )  # fmt: skip
    figures = [
        (f"p95 at {MANY:,}, ms", measured[MANY][1], MOST),
        (f"p50 at {MANY:,} / at {FEW:,}", measured[MANY][0] / measured[FEW][0], 3.0),
        ("first answer after the start: definitions and index, s", loading, LOADING),
        ("a switched promotion seen by a second process, s", seen_elsewhere(many, other, switch), SEEN),
        ("a changed rule seen by a second process, s", seen_elsewhere(many, other, bar), SEEN),
    ]
    shown = [(name, f"{value:.2f}", verdict(value, bound, at_least=False)) for name, value, bound in figures]
    table("", shown, ("figure", "measured", "bound"))
    return 0 if all(value <= bound for _, value, bound in figures) else 1


def main() -> int:
    with database() as dsn:
        few_key, many_key = asyncio.run(fill(dsn, FEW)), asyncio.run(fill(dsn, MANY))
        with served(dsn, PORT):
            return compare(dsn, few_key, many_key)


if __name__ == "__main__":
    sys.exit(main())
