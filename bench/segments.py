"""A segment of many customers by a filter of three conditions, and whether one customer is in it (figure 4 of the rules).

python bench/segments.py

GUERDON_BENCH_CUSTOMERS (100000) is how many.
"""

import asyncio
import os
import statistics
import time

from ground import database, table, verdict

from guerdon.definitions.snapshot import Segment
from guerdon.engine.filter import parse_filter
from guerdon.kit import db
from guerdon.projects.bootstrap import create_project
from guerdon.segments.jobs import BATCH, settle
from guerdon.segments.members import memberships

CUSTOMERS = int(os.environ.get("GUERDON_BENCH_CUSTOMERS", "100000"))
ASKS = 500

FILL = (
    """insert into customers (project_id, id, source_id, email, address, metadata, created_at)
       select $1, 'cust_' || lpad(n::text, 22, '0'), 'shopper-' || n, 'shopper' || n || '@example.com',
              jsonb_build_object('country', (array['PL', 'DE', 'FR', 'US'])[1 + n % 4]),
              jsonb_build_object('club', (array['gold', 'silver', 'none'])[1 + n % 3]),
              timestamptz '2026-01-01' + n * interval '3 minutes'
       from generate_series(1, $2::int) n""",
    """insert into orders (project_id, id, status, customer_id, amount, discount_amount, items_discount_amount,
                           total_discount_amount, total_amount, created_at)
       select $1, 'ord_' || lpad(n::text, 22, '0'), 'PAID', 'cust_' || lpad((1 + n % $2::int)::text, 22, '0'),
              1000 + n % 9000, 0, 0, 0, 1000 + n % 9000, timestamptz '2026-06-01' + n * interval '1 second'
       from generate_series(1, 2 * $2::int) n""",
)
FILTERS = {
    "profile and metadata": {
        "junction": "and",
        "metadata.club": {"conditions": {"$is": ["gold"]}},
        "address.country": {"conditions": {"$in": ["PL", "DE"]}},
        "created_at": {"conditions": {"$after": ["2026-02-01T00:00:00Z"]}},
    },
    "metadata, what was spent, how often": {
        "junction": "and",
        "metadata.club": {"conditions": {"$in": ["gold", "silver"]}},
        "summary.orders.total_amount": {"conditions": {"$more_than": [9000]}},
        "summary.orders.total_count": {"conditions": {"$more_than": [1]}},
    },
}
BY_HAND = {
    "profile and metadata": """
        select count(*) from customers where project_id = $1 and metadata ->> 'club' = 'gold'
          and address ->> 'country' in ('PL', 'DE') and created_at > '2026-02-01'
    """,
    "metadata, what was spent, how often": """
        select count(*) from (
            select c.id from customers c join orders o on o.project_id = $1 and o.customer_id = c.id
            where c.project_id = $1 and c.metadata ->> 'club' in ('gold', 'silver') and o.status in ('PAID', 'FULFILLED')
            group by c.id having sum(o.total_amount) > 9000 and count(*) > 1) as found
    """,
}


async def measure(dsn: str) -> None:
    """Both filters, over all customers and for one at a time."""
    pool = await db.open_pool(dsn, size=2)
    project = (await create_project(pool, "bench")).project_id
    async with pool.acquire() as conn:
        for sql in FILL:
            await conn.execute(sql, project, CUSTOMERS, timeout=600)
        await conn.execute("vacuum analyze", timeout=600)
        ids = [
            row["id"]
            for row in await conn.fetch("select id from customers where project_id = $1 order by id", project)
        ]
        rows = []
        for number, (name, filter) in enumerate(FILTERS.items()):
            segment = Segment(
                id=f"seg_{number}", name=name, type="auto-update", filter=parse_filter(filter, "filter")
            )
            await conn.execute(
                "insert into segments (project_id, id, name, type, filter) values ($1, $2, $3, 'auto-update', $4)",
                project, segment.id, name, filter,
            )  # fmt: skip
            begin = time.perf_counter()
            for start in range(0, len(ids), BATCH):  # as the job that fills a segment does
                async with conn.transaction():
                    await settle(conn, project, ids[start : start + BATCH], [segment], silent=True)
            whole = time.perf_counter() - begin
            found = await db.value(conn, "select count(*) from segment_members where project_id = $1 and segment_id = $2", project, segment.id)  # fmt: skip
            begin = time.perf_counter()
            by_hand = await db.value(conn, BY_HAND[name], project)
            plain = time.perf_counter() - begin
            one = []
            for asked in ids[:: max(1, len(ids) // ASKS)]:
                begin = time.perf_counter()
                await memberships(conn, project, [asked], {segment.id: segment})
                one.append((time.perf_counter() - begin) * 1000)
            middle = statistics.median(one)
            rows.append((
                name, f"{found:,}", f"{whole:.2f}", f"{plain:.2f}", f"{middle:.2f}",
                f"{verdict(whole, 5, at_least=False)}, {verdict(middle, 1, at_least=False)}",
            ))  # fmt: skip
            assert found == by_hand, (found, by_hand)
    table(f"Segments of {CUSTOMERS:,} customers", rows, (
        "filter", "members", "s, all, remembered", "s, SQL by hand that counts", "ms, one customer (p50)", "bounds",
    ))  # fmt: skip
    await pool.close()


def main() -> None:
    with database() as dsn:
        asyncio.run(measure(dsn))


if __name__ == "__main__":
    main()
