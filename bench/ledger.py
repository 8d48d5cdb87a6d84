"""Earning, spending and transferring under the ledger's desk, beside the naive way and plain redemptions; and what a
card with very many lots costs.

python bench/ledger.py
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import uvloop
from ground import CLIENTS, ROUNDS, Result, Shop, database, drive, median, open_shop, table, verdict
from writer import batched

from guerdon.engine.ledger import grant, spend, transfer
from guerdon.kit import db
from guerdon.ledger import book as books
from guerdon.ledger.book import entry_ids, more_ids
from guerdon.ledger.desk import Act, LedgerDesk, Moment, carry
from guerdon.settings import Settings

CARDS = 10_000
UNIT = "camp_points"
DAYS = timedelta(days=365)
FEW = 2
"""Connections of the naive way beside its usual sixteen: more only queue for the one card, which may cost it something."""
LOTS = (10, 100, 10_000)
"""Of ten lots a batch spends what it grants itself; of more it has to change old ones too."""
MANY = """
    insert into card_lots (project_id, card_id, id, granted, remaining, created_at, expires_at)
    select $1, $2, 'lopb_' || $2 || n, 10, 10, now() - interval '1 day', date_trunc('day', now()) + n % 365 * interval '1 day'
    from generate_series(1, $3::int) as n
"""
MANY_SUMS = "update cards set balance = balance + 10 * $3::int, issued = issued + 10 * $3::int where project_id = $1 and id = $2"


async def open_cards(dsn: str, project_id: str) -> list[str]:
    """Many cards with 1,000,000 points each, in one lot."""
    conn = await db.connect_as_owner(dsn)
    now = await db.value(conn, "select now()")
    names = [f"v_bench{number:06d}" for number in range(CARDS)]
    for start in range(0, CARDS, 1000):
        book = books.Book()
        for name in names[start : start + 1000]:
            card = book.open(name, UNIT, UNIT)
            book.enter([grant(card, "POINTS_ADDITION", 1_000_000, now, entry_ids()[0])])
        async with conn.transaction():
            await books.write(conn, project_id, book, now)
    await conn.execute("vacuum analyze")
    await conn.close()
    return names


def earn(card: str) -> tuple[tuple[str, ...], Callable[[Moment], Any]]:
    """Ten points that lapse in a year."""

    def decide(moment: Moment) -> int:
        on = moment.book.cards[card]
        ends = moment.now.replace(hour=0, minute=0, second=0, microsecond=0) + DAYS
        moment.book.enter([grant(on, "POINTS_ACCRUAL", 10, moment.now, entry_ids()[0], expires_at=ends)])
        return on.balance

    return (card,), decide


def pay(card: str, points: int = 5) -> tuple[tuple[str, ...], Callable[[Moment], Any]]:
    """Some points."""

    def decide(moment: Moment) -> int:
        on = moment.book.cards[card]
        moment.book.enter([spend(on, "POINTS_REDEMPTION", points, moment.now, entry_ids()[0][0])])
        return on.balance

    return (card,), decide


def move(card: str, to: str, points: int = 1) -> tuple[tuple[str, ...], Callable[[Moment], Any]]:
    """From card to card."""

    def decide(moment: Moment) -> int:
        giver, taker = moment.book.cards[card], moment.book.cards[to]
        types = ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN")
        moment.book.enter(transfer(giver, taker, types, points, moment.now, more_ids(), entry_ids()[0][0]))
        return giver.balance

    return (card, to), decide


def act(shop: Shop, number: int, cards: list[str], hot: bool) -> Act:
    """The next of earn, pay, earn, transfer: on one card, or on another one each time."""
    card = cards[0] if hot else cards[number * 7919 % len(cards)]
    other = cards[(number * 104729 + 1) % len(cards)]
    kind = number % 4
    named, decide = (
        pay(card) if kind == 1 else move(card, other) if kind == 3 and other != card else earn(card)
    )
    reach = 5 if kind == 1 else 1 if len(named) > 1 else 0
    return act_with(shop, number, named, decide, reach)


def act_with(
    shop: Shop, number: int, named: tuple[str, ...], decide: Callable[[Moment], Any], reach: int
) -> Act:
    """With an Idempotency-Key of its own."""
    return Act(
        project_id=shop.credentials.project_id, request_id="bench", path="/bench", key=f"bench-{id(shop)}-{number}",
        mark=b"0" * 16, cards=named, decide=decide, reach=reach,
    )  # fmt: skip


_count = iter(range(10**12))


async def at_the_desk(dsn: str, shop: Shop, cards: list[str], hot: bool) -> Result:
    """Through the desk."""
    desk = LedgerDesk(dsn, Settings())

    async def one(_: int) -> None:
        await desk.ask(act(shop, next(_count), cards, hot))

    await drive(one, CLIENTS, 0.5)
    result = await drive(one, CLIENTS)
    await desk.close()
    return result


async def naive(dsn: str, shop: Shop, cards: list[str], connections: int = 16) -> Result:
    """The same work on one hot card, one transaction a request."""
    pool = await db.open_pool(dsn, size=connections, settings=db.HOT)

    async def one(_: int) -> None:
        asked = act(shop, next(_count), cards, True)
        async with db.transaction(pool) as conn:
            await carry(conn, asked.project_id, [asked])

    await drive(one, CLIENTS, 0.5)
    result = await drive(one, CLIENTS)
    await pool.close()
    return result


async def fill(dsn: str, project_id: str, card: str, lots: int) -> None:
    """Give a card so many lots more."""
    conn = await db.connect_as_owner(dsn)
    await conn.execute(MANY, project_id, card, lots)
    await conn.execute(MANY_SUMS, project_id, card, lots)
    await conn.execute("vacuum analyze card_lots")
    await conn.close()


async def in_turn(dsn: str, shop: Shop, card: str, other: str) -> Result:
    """Earn, pay as much, earn, transfer as much, so that the card keeps about as many lots as it has."""
    desk = LedgerDesk(dsn, Settings())

    async def one(_: int) -> None:
        number = next(_count)
        named, decide = (earn(card), pay(card, 10), earn(card), move(card, other, 10))[number % 4]
        reach = 10 * (number % 2)
        await desk.ask(act_with(shop, number, named, decide, reach))

    await drive(one, CLIENTS, 0.5)
    result = await drive(one, CLIENTS)
    await desk.close()
    return result


def few_and_many(dsn: str, shop: Shop, cards: list[str]) -> None:
    """Cards of few and of very many lots, in turn; each gives to a card of its own."""
    by_lots: dict[int, list[Result]] = {count: [] for count in LOTS}
    for card, count in zip(cards[1:], LOTS, strict=False):
        asyncio.run(fill(dsn, shop.credentials.project_id, card, count))
    for _ in range(ROUNDS):
        for place, count in enumerate(LOTS, 1):
            by_lots[count].append(uvloop.run(in_turn(dsn, shop, cards[place], cards[place + 10])))
    few, some, many = (median(by_lots[count]) for count in LOTS)
    table("One hot card by how many lots are left on it", [
        *((f"{c:,} lots", f"{r.rate:,.0f}", f"{r.p50:.1f}", f"{r.p99:.1f}", "") for c, r in zip(LOTS, (few, some, many), strict=True)),
        ("10,000 / 10", f"{many.rate / few.rate:.2f}", "", "", ""),
        ("10,000 / 100", f"{many.rate / some.rate:.2f}", "", "", verdict(many.rate / some.rate, 0.8)),
    ], ("card", "acts/s", "p50 ms", "p99 ms", "bound"))  # fmt: skip


def main() -> None:
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        cards = asyncio.run(open_cards(dsn, shop.credentials.project_id))
        slow, best, hot, many, plain = [], [], [], [], []
        for _ in range(ROUNDS):
            slow.append(uvloop.run(naive(dsn, shop, cards)))
            best.append(uvloop.run(naive(dsn, shop, cards, FEW)))
            hot.append(uvloop.run(at_the_desk(dsn, shop, cards, True)))
            plain.append(uvloop.run(batched(dsn, shop, [shop.hot])))
            many.append(uvloop.run(at_the_desk(dsn, shop, cards, False)))
        a, b, c, d, e = (median(results) for results in (slow, hot, plain, many, best))
        table("Earn, pay and transfer, 64 clients, durable", [
            ("naive, one hot card", f"{a.rate:,.0f}", f"{a.p50:.1f}", f"{a.p99:.1f}", ""),
            (f"naive, {FEW} connections", f"{e.rate:,.0f}", f"{e.p50:.1f}", f"{e.p99:.1f}", ""),
            ("desk, one hot card", f"{b.rate:,.0f}", f"{b.p50:.1f}", f"{b.p99:.1f}", ""),
            ("desk / naive", f"{b.rate / a.rate:.1f}", "", "", verdict(b.rate / a.rate, 8)),
            (f"desk / naive, {FEW} connections", f"{b.rate / e.rate:.1f}", "", "", verdict(b.rate / e.rate, 8)),
            ("plain code redemptions", f"{c.rate:,.0f}", f"{c.p50:.1f}", f"{c.p99:.1f}", ""),
            ("desk, 10,000 cards", f"{d.rate:,.0f}", f"{d.p50:.1f}", f"{d.p99:.1f}", ""),
            ("10,000 cards / plain", f"{d.rate / c.rate:.2f}", "", "", verdict(d.rate / c.rate, 0.6)),
        ], ("way", "acts/s", "p50 ms", "p99 ms", "bound"))  # fmt: skip
        few_and_many(dsn, shop, cards)


if __name__ == "__main__":
    main()
