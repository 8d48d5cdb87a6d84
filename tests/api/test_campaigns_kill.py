"""kill -9 in the middle of making codes: the next worker goes on, and there are exactly as many as asked for."""

import asyncio
import sys
import time
from typing import Any

ROUNDS = 3
COUNT = 3_000

WORKER = """
import asyncio, sys
from guerdon.campaigns import jobs
from guerdon.kit import db
from guerdon.kit.jobs import run_due
jobs.BATCH = 50
async def main():
    await run_due(await db.open_pool(sys.argv[1], size=2), jobs.JOBS)
asyncio.run(main())
"""


async def count_of(client: Any, name: str) -> int:
    return (await client.get(f"/v1/campaigns/{name}")).json()["vouchers_count"]


async def test_killed_workers_leave_exactly_the_asked_number(
    client: Any, run_jobs: Any, database_url: str
) -> None:
    voucher = {"discount": {"type": "PERCENT", "percent_off": 10}}
    body = {"name": "killed", "vouchers_count": COUNT, "voucher": voucher}
    assert (await client.post("/v1/campaigns", json=body)).status_code == 200
    pool, seen = client.app.state.pool, 0
    for _ in range(ROUNDS):
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, database_url)
        deadline = time.monotonic() + 30
        while (made := await count_of(client, "killed")) <= seen and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        worker.kill()
        await worker.wait()
        assert seen < made, "the worker did not get on"
        seen = await count_of(client, "killed")
        # What the lease's thirty seconds would do.
        await pool.execute(
            "update jobs set leased_until = now() - interval '1 second' where project_id = $1 and status = 'RUNNING'",
            client.project_id,
        )
    assert seen < COUNT, "it was never killed in the middle"
    await run_jobs()
    stored = await pool.fetchval("select count(*) from vouchers where project_id = $1", client.project_id)
    campaign = (await client.get("/v1/campaigns/killed")).json()
    assert (stored, campaign["vouchers_count"], campaign["creation_status"]) == (COUNT, COUNT, "DONE")
