"""How long it takes to find the promotions that a basket of 20 lines may have. Run: python bench/matching.py

Every promotion has one of eight kinds of rules, as shops have them. Of all there are, about ten hold for the basket;
the others ask for other products, segments, stores, amounts or times. The plain loop asks every rule set in turn.
"""

import gc
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ground import collect_rarely, table, verdict

from guerdon.engine import OrderIn, OrderItemIn, Redeemable, price_order
from guerdon.engine.filter import parse_filter
from guerdon.engine.index import Index
from guerdon.engine.order import ProductRef
from guerdon.engine.rule import RuleSet, check_rules, parse_rule_set
from guerdon.engine.situation import Collection, Person, Situation

SIZES = (1_000, 10_000, 100_000)
MATCHES = 10
ROUNDS = 400
MATCHING_LIMIT = 1.0
"""Milliseconds, in the middle, at the largest size."""
GROWTH_LIMIT = 3.0
LOADING_LIMIT = 10.0
"""Seconds."""
CHANGE_LIMIT = 1.0
"""Milliseconds to take one promotion out and put it in again."""
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CATALOG = 20_000
STATIC, BY_FILTER = 400, 40
Window = tuple[datetime | None, datetime | None]
Promotion = tuple[str, dict[str, Any], Window | None]


def rule(name: str, operator: str, *operands: Any, **more: Any) -> dict[str, Any]:
    """One rule of a set."""
    return {"name": name, "conditions": {operator: list(operands)}, **more}


def body(*rules: dict[str, Any], logic: str | None = None) -> dict[str, Any]:
    """A rule set as it stands on the wire."""
    named: dict[str, Any] = {str(number): one for number, one in enumerate(rules, 1)}
    return {"rules": named | ({"logic": logic} if logic else {})}


def elsewhere(number: int, chance: random.Random) -> Promotion:
    """A promotion that does not hold for the basket, of the kind that its number says."""
    other = f"prod_{chance.randrange(100, CATALOG)}"
    segment = f"seg_{chance.randrange(10, 500)}"
    store = rule("order.metadata", "$is", f"store-{chance.randrange(10, 300)}", property="store")
    least = rule("order.amount", "$more_than_or_equal", chance.randrange(10, 90) * 100)
    window: Window | None = None
    match number % 8:
        case 0:
            asked = body(rule("order.items.any", "$is", {"id": other, "type": "product_or_sku"}), least)
        case 1:
            asked = body(rule("customer.segment", "$is", segment), least)
        case 2:
            asked = body(store, least, logic="1 and 2")
        case 3:
            many = [f"prod_{chance.randrange(100, CATALOG)}" for _ in range(5)]
            asked = body(
                rule("order.items.any", "$is", *many), rule("customer.segment", "$is", segment, "seg_1")
            )
        case 4:
            # A basket worth this little, or that much, is not this one.
            asked = body(rule("order.amount", "$more_than", 2_000_000 + chance.randrange(100_000)))
        case 5:
            id = f"pc_{chance.randrange(20, STATIC)}"
            asked = body(rule("order.items.any", "$is", {"id": id, "object": "products_collection"}), least)
        case 6:
            away = rule("customer.metadata", "$is", f"city-{chance.randrange(10, 2000)}", property="city")
            asked = body(away, store, rule("order.items.any", "$is", other), logic="1 and (2 or 3)")
        case _:
            # Over, or not yet begun.
            start = NOW + timedelta(
                days=chance.choice([-300, -200, -100, 20, 60]), minutes=chance.randrange(9999)
            )
            window = (start, start + timedelta(days=7))
            asked = body(least)
    return f"promo_{number}", asked, window


def here(number: int) -> Promotion:
    """A promotion that holds for the basket."""
    asked = [
        body(rule("order.items.any", "$is", "prod_3"), rule("order.amount", "$more_than", 1000)),
        body(rule("customer.segment", "$is", "seg_1", "seg_77")),
        body(rule("order.metadata", "$is", "store-1", property="store")),
        body(rule("order.items.any", "$is", {"id": "pc_1", "object": "products_collection"})),
        body(rule("order.amount", "$more_than_or_equal", 5000)),
        body(rule("order.items.any", "$is", {"id": "pc_filter_1", "object": "products_collection"})),
    ]
    return f"here_{number}", asked[number % len(asked)], None


def promotions(count: int) -> list[Promotion]:
    """So many, of which the first MATCHES are for this basket; mixed."""
    chance = random.Random(7)
    made = [here(number) if number < MATCHES else elsewhere(number, chance) for number in range(count)]
    chance.shuffle(made)
    return made


def situation() -> Situation:
    """A basket of 20 lines, a customer with segments and metadata, and the collections."""
    items = [
        OrderItemIn(
            product_id=f"prod_{n}",
            quantity=n % 3 + 1,
            price=199 + 37 * n,
            product=ProductRef(id=f"prod_{n}", source_id=f"product-{n}", metadata={"color": f"c{n}"}),
        )
        for n in range(20)
    ]
    chance = random.Random(3)
    collections = {
        f"pc_{n}": Collection(
            id=f"pc_{n}",
            name=str(n),
            members=frozenset(f"prod_{chance.randrange(100 if n >= 10 else 0, CATALOG)}" for _ in range(50)),
        )
        for n in range(STATIC)
    }
    collections["pc_1"] = Collection(id="pc_1", name="1", members=frozenset({"prod_5"}))
    for n in range(BY_FILTER):
        asked = {"metadata.color": {"conditions": {"$is": [f"c{n}" if n == 1 else f"d{n}"]}}}
        id = f"pc_filter_{n}"
        collections[id] = Collection(id=id, name=id, filter=parse_filter(asked, "filter"))
    customer = Person(
        id="cust", segments=frozenset({"seg_1", "seg_2"}), metadata={"city": "city-1", "age": Decimal(33)}
    )
    order = price_order(OrderIn(items=items, metadata={"store": "store-1"}))
    return Situation(now=NOW, zone=ZoneInfo("UTC"), order=order, customer=customer, collections=collections)


def load(made: list[Promotion]) -> tuple[Index, dict[str, RuleSet], float]:
    """The index, the rule sets, and the seconds it took to read the rules and put them in.

    Nothing that is made here is garbage: as when a snapshot is loaded, the collector waits until it is done.
    """
    gc.disable()
    started = time.perf_counter()
    index, rules = Index(), {}
    for id, asked, window in made:
        rules[id] = rule_set = parse_rule_set(asked)
        index.add(id, [rule_set], window)
    taken = time.perf_counter() - started
    collect_rarely()
    gc.enable()
    return index, rules, taken


def percentiles(act: Callable[[Situation], object], rounds: int) -> tuple[float, float]:
    """Milliseconds in the middle, and of the slowest twentieth. Each round gets a situation nobody has looked at."""
    first = situation()
    taken: list[float] = []
    for _ in range(rounds):
        asked = Situation(
            now=first.now, zone=first.zone, order=first.order, customer=first.customer, collections=first.collections
        )  # fmt: skip
        started = time.perf_counter()
        act(asked)
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    return taken[rounds // 2], taken[int(rounds * 0.95)]


def held(index: Index, rules: dict[str, RuleSet], asked: Situation) -> list[str]:
    """What a qualification does first: the candidates, each asked."""
    return [id for id in index.candidates(asked) if holds(rules[id], asked)]


def holds(rule_set: RuleSet, asked: Situation) -> bool:
    """Whether a rule set holds."""
    return check_rules(rule_set, ANYBODY, asked, None, None) is None


ANYBODY = Redeemable(id="promo", object="promotion_tier")


def changes(index: Index, rules: dict[str, RuleSet]) -> float:
    """Milliseconds to take a promotion out of the index and put it in again, on average."""
    some = list(rules)[:500]
    started = time.perf_counter()
    for id in some:
        index.remove(id)
        index.add(id, [rules[id]])
    return (time.perf_counter() - started) * 1000 / len(some)


def main() -> int:
    """Print the tables; 1 when a figure is missed."""
    rows: list[tuple[str, ...]] = []
    middles: dict[int, float] = {}
    loading = changed = plain = 0.0
    for size in SIZES:
        made = promotions(size)
        index, rules, loading = load(made)
        asked = situation()
        found, right = index.candidates(asked), len(held(index, rules, asked))
        p50, p95 = percentiles(index.candidates, ROUNDS)
        whole = percentiles(lambda each: held(index, rules, each), ROUNDS)[0]  # noqa: B023  (asked at once)
        middles[size] = p50
        row = (
            f"{size:,}",
            str(len(found)),
            str(right),
            f"{p50:.3f}",
            f"{p95:.3f}",
            f"{whole:.3f}",
            f"{loading:.2f}",
        )
        if size == SIZES[0]:
            plain = percentiles(lambda each: [id for id, one in rules.items() if holds(one, each)], 20)[0]  # noqa: B023
        rows.append((*row, f"{plain:.1f}" if size == SIZES[0] else "–"))
        changed = changes(index, rules)
    head = ("promotions", "found", "hold", "p50 ms", "p95 ms", "and asked, ms", "loading s", "plain loop ms")
    table("Matching: one basket of 20 lines against N promotions", rows, head)
    largest, growth = middles[SIZES[-1]], middles[SIZES[-1]] / middles[SIZES[0]]
    figures = [
        (f"matching p50 at {SIZES[-1]:,}, ms", largest, MATCHING_LIMIT),
        (f"time at {SIZES[-1]:,} / at {SIZES[0]:,}", growth, GROWTH_LIMIT),
        (f"loading {SIZES[-1]:,}, s", loading, LOADING_LIMIT),
        ("one promotion out and in again, ms", changed, CHANGE_LIMIT),
    ]
    table(
        "Bounds",
        [(n, f"{v:.3f}", verdict(v, b, at_least=False)) for n, v, b in figures],
        ("figure", "value", "bound"),
    )
    return 0 if all(value <= bound for _, value, bound in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
