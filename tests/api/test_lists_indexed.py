"""Lists narrowed to few among very many find them by an index."""

from datetime import UTC, datetime
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.loyalty.standing import IN_PERIODS
from guerdon.publications.store import LISTING as PUBLICATIONS
from guerdon.referrals.listing import LISTING as REFERRALS


@pytest.mark.parametrize(
    ("listing", "narrowed", "index"),
    [
        (PUBLICATIONS, "p.source_id = 'x'", "publications_by_any_source"),
        (PUBLICATIONS, "p.result = 'FAILURE'", "publications_failed"),
        (REFERRALS, "r.campaign_id = 'x'", "referrals_by_campaign"),
        (REFERRALS, "r.status = 'REFUSED'", "referrals_by_status"),
    ],
)
async def test_few_among_many_are_found_by_an_index(
    pool: db.Pool, listing: Any, narrowed: str, index: str
) -> None:
    created, where = listing.sorts["created_at"], listing.where.replace("$1", "'proj_x'")
    async with pool.acquire() as conn, conn.transaction():
        await db.execute(conn, "set local enable_seqscan = off")
        plan = await conn.fetch(
            f"explain select {listing.columns} from {listing.source} where {where} and {narrowed}"
            f" order by {created} desc, {listing.id} desc limit 11"
        )
    text = "\n".join(row[0] for row in plan)
    assert f"using {index} " in text and "Sort" not in text and "Filter" not in text, text


async def test_points_of_a_period_are_read_without_the_rest_of_the_card(pool: db.Pool) -> None:
    many = """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, hash, created_at)
        select 'proj_x', 'v_x', n, 'vtx_' || n, case when n % 1000 = 0 then 'POINTS_ADDITION' else 'POINTS_ACCRUAL' end, 1, n, n,
               '[]', 'lcdef_x', '', '2026-01-01Z'::timestamptz + n * interval '1 hour'
        from generate_series(1, 20000) n
    """
    asked = ("proj_x", ["v_x"], [0], [datetime(2026, 2, 1, tzinfo=UTC)], [datetime(2027, 1, 1, tzinfo=UTC)])
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            await db.execute(conn, many)
            await db.execute(conn, "analyze card_entries")
            plan = "\n".join(r[0] for r in await conn.fetch(f"explain {IN_PERIODS}", *asked))
            (found,) = await db.records(conn, IN_PERIODS, *asked)
        finally:
            await transaction.rollback()
    assert found["points"] == 8 and "using card_entries_added " in plan, plan
