"""A worker process to be killed: ``python steps_worker.py DSN LEASE_SECONDS``. Says on stdout where it is."""

import asyncio
import sys
from typing import Any

from guerdon.kit import db
from guerdon.kit.job_worker import Worker
from guerdon.kit.jobs import Work
from guerdon.kit.outbox import Event, emit

STEPS = 12


def say(*words: object) -> None:
    print(*words, flush=True)


async def steps(work: Work) -> dict[str, Any]:
    """Twelve steps that leave an event each; `payload.pause` seconds within each, before its checkpoint."""
    job = work.job
    for number in range(job.cursor.get("done", 0), STEPS):
        async with work.step() as conn:
            await emit(conn, job.project_id, [Event("test.step", f"{job.id}/{number}")])
            say("inside", number)
            await asyncio.sleep(job.payload["pause"])
            await work.checkpoint(conn, cursor={"done": number + 1}, progress=(number + 1) * 100 // STEPS)
        say("committed", number)
    return {"steps": STEPS}


async def main(dsn: str, lease_seconds: float) -> None:
    pool = await db.open_pool(dsn, size=5)
    worker = Worker(pool, {"test.steps": steps}, lease_seconds=lease_seconds, poll_seconds=0.05)
    say("ready")
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
