"""Earning, spending and transferring under the ledger's desk, beside the naive way and plain redemptions.

python bench/ledger.py
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import uvloop
from ground import CLIENTS, ROUNDS, Result, Shop, database, drive, median, open_shop, table, verdict
from writer import batched

from guerdon.engine.ledger import grant, spend, transfer
from guerdon.kit import db
from guerdon.ledger import book as books
from guerdon.ledger.book import entry_ids
from guerdon.ledger.desk import Act, LedgerDesk, Moment, carry
from guerdon.settings import Settings

CARDS = 10_000
UNIT = "camp_points"
DAYS = timedelta(days=365)


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


def pay(card: str) -> tuple[tuple[str, ...], Callable[[Moment], Any]]:
    """Five points."""

    def decide(moment: Moment) -> int:
        on = moment.book.cards[card]
        moment.book.enter([spend(on, "POINTS_REDEMPTION", 5, moment.now, entry_ids()[0][0])])
        return on.balance

    return (card,), decide


def move(card: str, to: str) -> tuple[tuple[str, ...], Callable[[Moment], Any]]:
    """One point from card to card."""

    def decide(moment: Moment) -> int:
        giver, taker = moment.book.cards[card], moment.book.cards[to]
        ids = entry_ids(len(giver.lots))
        made = transfer(
            giver, taker, ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN"), 1, moment.now, ids, entry_ids()[0][0]
        )
        moment.book.enter(made)
        return giver.balance

    return (card, to), decide


def act(shop: Shop, number: int, cards: list[str], hot: bool) -> Act:
    """The next of earn, pay, earn, transfer: on one card, or on another one each time."""
    card = cards[0] if hot else cards[number * 7919 % CARDS]
    other = cards[(number * 104729 + 1) % CARDS]
    kind = number % 4
    named, decide = (
        pay(card) if kind == 1 else move(card, other) if kind == 3 and other != card else earn(card)
    )
    return Act(
        project_id=shop.credentials.project_id, request_id="bench", path="/bench", key=f"bench-{id(shop)}-{number}",
        mark=b"0" * 16, cards=named, decide=decide,
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


async def naive(dsn: str, shop: Shop, cards: list[str], hot: bool) -> Result:
    """The same work, one transaction a request."""
    pool = await db.open_pool(dsn, size=16, settings=db.HOT)

    async def one(_: int) -> None:
        asked = act(shop, next(_count), cards, hot)
        async with db.transaction(pool) as conn:
            await carry(conn, asked.project_id, [asked])

    await drive(one, CLIENTS, 0.5)
    result = await drive(one, CLIENTS)
    await pool.close()
    return result


def main() -> None:
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        cards = asyncio.run(open_cards(dsn, shop.credentials.project_id))
        slow, hot, many, plain = [], [], [], []
        for _ in range(ROUNDS):
            slow.append(uvloop.run(naive(dsn, shop, cards, True)))
            hot.append(uvloop.run(at_the_desk(dsn, shop, cards, True)))
            plain.append(uvloop.run(batched(dsn, shop, [shop.hot])))
            many.append(uvloop.run(at_the_desk(dsn, shop, cards, False)))
        a, b, c, d = median(slow), median(hot), median(plain), median(many)
        table("Earn, pay and transfer, 64 clients, durable", [
            ("naive, one hot card", f"{a.rate:,.0f}", f"{a.p50:.1f}", f"{a.p99:.1f}", ""),
            ("desk, one hot card", f"{b.rate:,.0f}", f"{b.p50:.1f}", f"{b.p99:.1f}", ""),
            ("desk / naive", f"{b.rate / a.rate:.1f}", "", "", verdict(b.rate / a.rate, 8)),
            ("plain code redemptions", f"{c.rate:,.0f}", f"{c.p50:.1f}", f"{c.p99:.1f}", ""),
            ("desk, 10,000 cards", f"{d.rate:,.0f}", f"{d.p50:.1f}", f"{d.p99:.1f}", ""),
            ("10,000 cards / plain", f"{d.rate / c.rate:.2f}", "", "", verdict(d.rate / c.rate, 0.6)),
        ], ("way", "acts/s", "p50 ms", "p99 ms", "bound"))  # fmt: skip
    sys.exit()


if __name__ == "__main__":
    main()
