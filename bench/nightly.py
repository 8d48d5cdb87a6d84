"""The night over many loyalty cards with three lots each, every tenth with points that end; redemptions beside it.

python bench/nightly.py [cards]
"""

import asyncio
import multiprocessing
import resource
import sys
import time

import uvloop
from ground import Shop, database, median, open_shop, table, verdict
from loyalty_data import furnish
from writer import batched

from guerdon.kit import db
from guerdon.kit.jobs import run_due
from guerdon.loyalty import jobs
from guerdon.loyalty.night import enqueue_nights

CARDS = 1_000_000
LAPSED = "select count(*) from card_entries where project_id = $1 and type = 'POINTS_EXPIRATION'"
BOUND_SECONDS = 300


def night(dsn: str, sent: "multiprocessing.connection.Connection") -> None:
    """A worker in a process of its own, as it runs in earnest; sends how long it took and how much memory grew."""

    async def work() -> None:
        pool = await db.open_pool(dsn, size=2)
        await run_due(pool, jobs.JOBS)  # empty: what is loaded once is loaded now
        await enqueue_nights(pool)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        await run_due(pool, jobs.JOBS)
        took = time.monotonic() - began
        sent.send((took, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        await pool.close()

    uvloop.run(work())


async def progress(dsn: str, project_id: str) -> int | None:
    """What the job says of itself."""
    conn = await db.connect_as_owner(dsn)
    try:
        return await conn.fetchval(
            "select progress from jobs where project_id = $1 and kind = 'night.run' and status = 'RUNNING'",
            project_id,
        )
    finally:
        await conn.close()


def run(dsn: str, shop: Shop, cards: int) -> None:
    """One night, with redemptions as fast as they go."""
    project_id = shop.credentials.project_id
    plain = uvloop.run(batched(dsn, shop, shop.spread))
    mine, theirs = multiprocessing.Pipe()
    worker = multiprocessing.Process(target=night, args=(dsn, theirs))
    worker.start()
    beside = []
    shown: list[int] = []
    while not mine.poll():
        found = asyncio.run(progress(dsn, project_id))
        beside.append(uvloop.run(batched(dsn, shop, shop.spread)))
        if found is not None:
            shown.append(found)
    took, before, after = mine.recv()
    worker.join()
    lapsed = asyncio.run(count(dsn, project_id))
    beside = beside[:-1] or beside  # the last one outlived the night
    alone = [plain, uvloop.run(batched(dsn, shop, shop.spread)), uvloop.run(batched(dsn, shop, shop.spread))]
    plain = median(alone)
    rate = sum(each.rate for each in beside) / len(beside)
    half = sum(each.p50 for each in beside) / len(beside)
    table(f"A night over {cards:,} cards with 3 lots each, {lapsed:,} of them losing points", [
        ("night, s", f"{took:.0f}", verdict(took, BOUND_SECONDS * cards / CARDS, at_least=False)),
        ("cards a second", f"{lapsed / took:,.0f}", ""),
        ("memory at its start and most, MB", f"{before / 1024:.0f}, {after / 1024:.0f}", verdict(after / before, 1.5, at_least=False)),
        (f"progress, %, in {len(shown)} looks", " to ".join(map(str, (min(shown), max(shown)))) if shown else "none", never_back(shown)),
        ("redemptions/s alone, p50 ms", f"{plain.rate:,.0f}, {plain.p50:.1f}", ""),
        ("redemptions/s beside, p50 ms", f"{rate:,.0f}, {half:.1f}", ""),
        ("slower by", f"{plain.rate / rate:.2f}", verdict(plain.rate / rate, 1.3, at_least=False)),
    ], ("what", "measured", "bound"))  # fmt: skip


def never_back(shown: list[int]) -> str:
    """Whether it moved, and only forward."""
    ok = shown == sorted(shown) and len(set(shown)) > 1
    return f"moves, never back: {'ok' if ok else 'MISSED'}"


async def count(dsn: str, project_id: str) -> int:
    """How many cards lost points."""
    conn = await db.connect_as_owner(dsn)
    try:
        return await conn.fetchval(LAPSED, project_id)
    finally:
        await conn.close()


def main() -> None:
    """Furnish, and run."""
    cards = int(sys.argv[1]) if len(sys.argv) > 1 else CARDS
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        began = time.monotonic()
        asyncio.run(furnish(dsn, shop.credentials.project_id, cards))
        print(f"{cards:,} cards made in {time.monotonic() - began:.0f} s")
        run(dsn, shop, cards)


if __name__ == "__main__":
    main()
