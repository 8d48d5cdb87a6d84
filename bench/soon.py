"""How soon points are decided after orders are paid, by one worker, at a steady rate and after a burst (figure 3).

python bench/soon.py [members]
"""

import asyncio
import sys
import time

import uvloop
from ground import database, open_shop, table, verdict
from loyalty_data import furnish

from guerdon.definitions import waiting
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.job_worker import Worker
from guerdon.loyalty import jobs

MEMBERS = 50_000
RATES = (50, 200)
SECONDS = 8
BURST = 5_000
BOUND_MS = 1_000

ORDERS = """
    insert into orders (project_id, id, status, customer_id, amount, total_discount_amount, discount_amount,
        items_discount_amount, initial_amount, total_amount, items)
    select $1, t.id, 'PAID', t.customer_id, 5000, 0, 0, 0, 5000, 5000, '[]'
    from unnest($2::text[], $3::text[]) as t (id, customer_id)
"""
LATE = """
    select extract(epoch from created_at - happened_at)::float8 * 1000 as late from loyalty_earnings
    where project_id = $1 and order_id = any($2) order by 1
"""
LEFT = "select exists (select from jobs where project_id = $1 and kind = 'loyalty.earn' and status <> 'DONE')"


async def pay(pool: db.Pool, project_id: str, first: int, count: int, members: int) -> list[str]:
    """So many orders in one transaction, each another member's."""
    ids = [new_id("order") for _ in range(count)]
    customers = [f"cust_b{1 + (first + n) * 7919 % members:09d}" for n in range(count)]
    async with db.transaction(pool) as conn:
        await db.execute(conn, ORDERS, project_id, ids, customers)
        await waiting.tell(conn, project_id, [{"order_id": name} for name in ids])
    return ids


async def settled(pool: db.Pool, project_id: str) -> None:
    """Wait until nothing waits any more."""
    while await db.value(pool, LEFT, project_id):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def steady(pool: db.Pool, project_id: str, rate: int, members: int) -> tuple[str, ...]:
    """Orders one by one at a rate."""
    ids: list[str] = []
    began = time.monotonic()
    for number in range(rate * SECONDS):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        ids += await pay(pool, project_id, number, 1, members)
    await settled(pool, project_id)
    late = [record["late"] for record in await db.records(pool, LATE, project_id, ids)]
    assert len(late) == len(ids)
    worst = late[int(len(late) * 0.99)]
    return (
        f"{rate} orders/s",
        f"{late[len(late) // 2]:.0f}",
        f"{worst:.0f}",
        verdict(worst, BOUND_MS, at_least=False),
    )


async def burst(pool: db.Pool, project_id: str, members: int) -> tuple[str, ...]:
    """All at once."""
    began = time.monotonic()
    ids: list[str] = []
    for first in range(0, BURST, 500):
        ids += await pay(pool, project_id, first, 500, members)
    await settled(pool, project_id)
    took = time.monotonic() - began
    late = [record["late"] for record in await db.records(pool, LATE, project_id, ids)]
    assert len(late) == len(ids)
    return (
        f"{BURST:,} at once: {BURST / took:,.0f} a second",
        f"{late[len(late) // 2]:.0f}",
        f"{late[-1]:.0f}",
        "",
    )


async def run(dsn: str, project_id: str, members: int) -> None:
    """One worker, as it runs in earnest."""
    pool = await db.open_pool(dsn, size=8)
    worker = Worker(pool, jobs.JOBS)
    running = asyncio.create_task(worker.run())
    await pay(pool, project_id, 0, 1, members)  # what is loaded once is loaded now
    await settled(pool, project_id)
    rows = [await steady(pool, project_id, rate, members) for rate in RATES]
    rows.append(await burst(pool, project_id, members))
    worker.stop()
    await running
    await pool.close()
    table(
        "From an order that is paid to its points, one worker", rows, ("orders", "p50 ms", "p99 ms", "bound")
    )


def main() -> None:
    """Furnish, and run."""
    members = int(sys.argv[1]) if len(sys.argv) > 1 else MEMBERS
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        asyncio.run(furnish(dsn, shop.credentials.project_id, members))
        uvloop.run(run(dsn, shop.credentials.project_id, members))


if __name__ == "__main__":
    main()
