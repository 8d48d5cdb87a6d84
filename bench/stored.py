"""What a loyalty program of many members costs: rows, tables, indexes, and how many pages each operation touches
(figure 5 of stored value). Measured at several sizes, so that it shows what grows and what does not.

python bench/stored.py [members ...]
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from math import ceil

import ledger
import soon
import uvloop
from ground import Shop, database, open_shop, table, verdict
from http_load import PORT, serve
from lists import Till
from loyalty_data import furnish
from wallet import PATHS

from guerdon.kit import db
from guerdon.kit.jobs import run_due
from guerdon.ledger.desk import Act, carry
from guerdon.loyalty import jobs
from guerdon.loyalty.night import enqueue_nights

SIZES = (10_000, 100_000, 1_000_000)
ON_PAPER = 10_000_000
ASKS = 50
GROWS = 1.5
"""How many times the pages of the smallest program an operation may touch in the largest."""

OPTIONS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}
RESET = "select pg_stat_statements_reset()"
TOUCHED = """
    select coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint as pages, coalesce(sum(calls), 0)::bigint as calls
    from pg_stat_statements s join pg_database d on d.oid = s.dbid and d.datname = current_database()
    where query not like '%pg_stat_statements%' and query !~* '^(begin|commit|rollback|analyze|vacuum)'
"""
TABLES = """
    select c.relname as name, c.reltuples::bigint as rows, pg_relation_size(c.oid) as bytes,
           (select json_agg(json_build_array(x.relname, pg_relation_size(x.oid), (bt_metap(x.relname)).level) order by x.relname)
            from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am a on a.oid = x.relam and a.amname = 'btree'
            where i.indrelid = c.oid)::text as indexes
    from pg_class c where c.relname = any($1) order by c.relname
"""
OF_MEMBERS = [
    "customers",
    "loyalty_members",
    "loyalty_cards",
    "vouchers",
    "cards",
    "card_lots",
    "card_entries",
]

Pages = dict[str, tuple[float, float]]
"""By operation: pages and statements, for each one."""


class Meter:
    """Counts the pages that statements touch, in whatever process."""

    def __init__(self, owner: db.Connection, pool: db.Pool) -> None:
        self.owner, self.pool = owner, pool
        self.found: Pages = {}

    async def measure(self, name: str, work: Callable[[], Awaitable[int]]) -> None:
        """Do it once so that all is loaded, then count; `work` says how many operations it was."""
        await work()
        await db.analyze_young_tables(self.pool)  # as the worker does once a minute
        await self.owner.execute(RESET)
        count = await work()
        row = (await db.records(self.owner, TOUCHED))[0]
        self.found[name] = (row["pages"] / count, row["calls"] / count)


async def look_up(meter: Meter, shop: Shop, dsn: str, members: int) -> None:
    """Over HTTP, as bench/wallet.py does."""
    draw = random.Random(5)
    server = await asyncio.to_thread(serve, dsn)
    try:
        till = Till(PORT, shop.credentials)

        async def ask(path: str) -> int:
            for _ in range(ASKS):
                number = draw.randint(1, members)
                await asyncio.to_thread(till.ask, path.format(n=number, p=f"{number:09d}"))
            return ASKS

        for name, path in PATHS.items():
            await meter.measure(name, lambda path=path: ask(path))
    finally:
        server.terminate()
        server.wait()


async def move(meter: Meter, shop: Shop, pool: db.Pool, members: int) -> None:
    """One act a transaction, on cards at random."""
    draw = random.Random(6)

    def card() -> str:
        return f"v_b{draw.randint(1, members):09d}"

    def earn() -> Act:
        return ledger.act_with(shop, draw.getrandbits(60), *ledger.earn(card()), 0)

    def pay() -> Act:
        return ledger.act_with(shop, draw.getrandbits(60), *ledger.pay(card()), 5)

    def give() -> Act:
        return ledger.act_with(shop, draw.getrandbits(60), *ledger.move(card(), card()), 1)

    async def acts(make: Callable[[], Act]) -> int:
        for _ in range(ASKS):
            act = make()
            async with db.transaction(pool) as conn:
                reply = (await carry(conn, act.project_id, [act])).replies[0]
            if isinstance(reply, Exception):
                raise reply
        return ASKS

    await meter.measure("points onto a card", lambda: acts(earn))
    await meter.measure("points taken off", lambda: acts(pay))
    await meter.measure("points moved to another card", lambda: acts(give))


async def earn_on_orders(meter: Meter, shop: Shop, pool: db.Pool, members: int) -> None:
    """A paid order each, and the worker's work on it: points, tiers, events."""
    project_id = shop.credentials.project_id
    number = 0

    async def orders() -> int:
        nonlocal number
        for _ in range(ASKS):
            await soon.pay(pool, project_id, number, 1, members)
            await run_due(pool, jobs.JOBS)
            number += 1
        return ASKS

    await meter.measure("an order paid, and its points", orders)


async def nightly(meter: Meter, shop: Shop, pool: db.Pool) -> None:
    """The whole night, by card that loses points."""
    owner, project_id = meter.owner, shop.credentials.project_id
    await run_due(pool, jobs.JOBS)
    await owner.execute(RESET)
    await enqueue_nights(pool)
    await run_due(pool, jobs.JOBS)
    row = (await db.records(owner, TOUCHED))[0]
    lapsed = await db.value(
        owner,
        "select count(*) from card_entries where project_id = $1 and type = 'POINTS_EXPIRATION'",
        project_id,
    )
    meter.found["a card in the night, with its events"] = (row["pages"] / lapsed, row["calls"] / lapsed)


async def measure(dsn: str, shop: Shop, members: int) -> tuple[Pages, list[db.Record]]:
    """All operations on a program of so many members, and how large its tables are after that."""
    owner = await db.connect_as_owner(dsn)
    await owner.execute("create extension pg_stat_statements; create extension pageinspect")
    pool = await db.open_pool(dsn, size=4, settings=db.HOT)
    meter = Meter(owner, pool)
    worker = await db.open_pool(dsn, size=4)
    await look_up(meter, shop, dsn, members)
    await move(meter, shop, pool, members)
    await earn_on_orders(meter, shop, worker, members)
    await nightly(meter, shop, worker)
    await owner.execute("analyze")
    sizes = await db.records(owner, TABLES, OF_MEMBERS)
    for each in (pool, worker, owner):
        await each.close()
    return meter.found, sizes


def show_pages(found: dict[int, Pages]) -> None:
    """By operation: pages at each size."""
    least, most = min(found), max(found)
    rows: list[tuple[str, ...]] = []
    for name, (_, calls) in found[most].items():
        pages = [found[size][name][0] for size in sorted(found)]
        grew = found[most][name][0] / found[least][name][0]
        rows.append(
            (
                name,
                *(f"{each:,.0f}" for each in pages),
                f"{calls:.1f}",
                f"{grew:.2f}, {verdict(grew, GROWS, at_least=False)}",
            )
        )
    head = ("operation", *(f"{size:,} members" for size in sorted(found)), "statements", "grew by")
    table("Pages of 8 KB that an operation touches", rows, head)


def show_sizes(sizes: list[db.Record], members: int) -> None:
    """Tables and indexes, and what they would be for ten times as many."""
    rows: list[tuple[str, ...]] = []
    whole = 0
    times = ON_PAPER // members
    for row in sizes:
        count = max(1, row["rows"])
        rows.append(
            (
                row["name"],
                f"{count:,}",
                mega(row["bytes"]),
                f"{row['bytes'] / count:.0f}",
                "",
                mega(row["bytes"] * times),
            )
        )
        whole += row["bytes"]
        for name, size, level in json.loads(row["indexes"]):
            whole += size
            rows.append(
                (f"· {name}", "", mega(size), f"{size / count:.0f}", str(level + 1), mega(size * times))
            )
    rows.append(("together", "", mega(whole), f"{whole / members:.0f} a member", "", mega(whole * times)))
    table(f"Tables and indexes of {members:,} members with a card of three lots, MB", rows,
          ("table, indexes", "rows", "MB", "bytes a row", "levels", f"at {ON_PAPER:,} on paper"))  # fmt: skip


def mega(size: int) -> str:
    """In megabytes."""
    return f"{ceil(size / 2**20):,}"


def main() -> None:
    """Each size on a database of its own."""
    sizes = [int(each) for each in sys.argv[1:]] or list(SIZES)
    found: dict[int, Pages] = {}
    last: list[db.Record] = []
    for members in sizes:
        with database(OPTIONS) as dsn:
            shop = asyncio.run(open_shop(dsn))
            asyncio.run(furnish(dsn, shop.credentials.project_id, members))
            found[members], last = uvloop.run(measure(dsn, shop, members))
    show_pages(found)
    show_sizes(last, sizes[-1])


if __name__ == "__main__":
    main()
