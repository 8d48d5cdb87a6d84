"""kill -9 in the middle of the night and of earning: each lot lapses once, each order earns once."""

import asyncio
import sys
import time

from guerdon.engine.ledger import NO_REASON
from guerdon.kit import db
from guerdon.kit.jobs import run_due
from guerdon.loyalty import jobs, sheet
from guerdon.loyalty.enrol import NewMember, enrol
from guerdon.loyalty.members_store import lock_all
from guerdon.loyalty.night import enqueue_nights
from guerdon.loyalty.place import held_place

from .conftest import Client
from .loyalty import program
from .test_loyalty_earning import buy, points
from .test_loyalty_members import join

MEMBERS = 400
ROUNDS = 3

WORKER = """
import asyncio, sys
from guerdon.kit import db
from guerdon.kit.jobs import run_due
from guerdon.loyalty import jobs, night
night.STEP = 10
async def main():
    await run_due(await db.open_pool(sys.argv[1], size=2), jobs.JOBS)
asyncio.run(main())
"""

LAPSED = "select count(*) from card_entries where project_id = $1 and type = 'POINTS_EXPIRATION'"
LEFT = "select coalesce(sum(balance), 0)::bigint from cards where project_id = $1"


async def furnish(client: Client, program_id: str, members: int = MEMBERS, lasting: int = 10) -> None:
    """Members with two lots each that have ended, and one of `lasting` points that has not."""
    pool = client.app.state.pool  # type: ignore[union-attr]
    async with db.transaction(pool) as conn:
        customers = [f"cust_night{number:05d}" for number in range(members)]
        await db.insert(
            conn, "customers", ("project_id", "id", "source_id"),
            [(client.project_id, name, name) for name in customers],
        )  # fmt: skip
        place = await held_place(conn, client.project_id)
        club = place.program(program_id)
        assert club is not None
        made = await enrol(conn, place, club, [NewMember(customer_id=name) for name in customers])
        page = await sheet.open_sheet(
            conn, place, await lock_all(conn, client.project_id, [row.id for row in made])
        )
        past = place.now.replace(year=place.now.year - 1)
        for card in page.cards.values():
            for points, ends in (
                (10, past),
                (10, past),
                (lasting, place.now.replace(year=place.now.year + 1)),
            ):
                page.put(card, "POINTS_ADDITION", points, ends, NO_REASON)
        page.late.clear()
        await sheet.write(conn, page)


async def killed(client: Client, database_url: str, count: str) -> None:
    """Workers killed again and again while `count` grows."""
    pool, seen = client.app.state.pool, 0  # type: ignore[union-attr]
    for _ in range(ROUNDS):
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, database_url)
        deadline = time.monotonic() + 30
        while (made := await pool.fetchval(count, client.project_id)) <= seen and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        worker.kill()
        await worker.wait()
        assert seen < made, "the worker did not get on"
        seen = await pool.fetchval(count, client.project_id)
        # What the lease's thirty seconds would do.
        await pool.execute(
            "update jobs set leased_until = now() - interval '1 second' where project_id = $1 and status = 'RUNNING'",
            client.project_id,
        )
    assert seen < MEMBERS, "it was never killed in the middle"


async def test_a_night_that_is_killed_goes_on(client: Client, database_url: str) -> None:
    club = await program(client)
    await furnish(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    await enqueue_nights(pool)
    await killed(client, database_url, LAPSED)
    # Two at once, one of them by a job that somebody made a second time.
    await pool.execute(
        "insert into jobs (project_id, id, kind, payload)"
        " select project_id, 'job_again', kind, payload from jobs where project_id = $1 and kind = 'night.run'",
        client.project_id,
    )
    await asyncio.gather(*(run_due(pool, jobs.JOBS) for _ in range(2)))
    assert await pool.fetchval(LAPSED, client.project_id) == MEMBERS
    assert await pool.fetchval(LEFT, client.project_id) == 10 * MEMBERS
    done = await pool.fetch("select done from nights where project_id = $1", client.project_id)
    assert len(done) == 1


async def test_orders_earn_once_through_kills(client: Client, database_url: str) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    for _ in range(8):
        await asyncio.gather(*(buy(client, 100) for _ in range(25)))
    earned = "select count(*) from loyalty_earnings where project_id = $1"
    for _ in range(ROUNDS):
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, database_url)
        await asyncio.sleep(0.02)
        before = await pool.fetchval(earned, client.project_id)
        deadline = time.monotonic() + 20
        while await pool.fetchval(earned, client.project_id) == before and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        worker.kill()
        await worker.wait()
        await pool.execute(
            "update jobs set leased_until = now() - interval '1 second' where project_id = $1 and status = 'RUNNING'",
            client.project_id,
        )
    await asyncio.gather(*(run_due(pool, jobs.JOBS) for _ in range(3)))
    assert await pool.fetchval(earned, client.project_id) == 200
    assert (await points(client, made))["balance"]["points"] == 200
