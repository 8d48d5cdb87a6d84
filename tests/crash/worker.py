"""Workers of a crash test: some in processes of their own, to be killed, and one that brings to its end what is left."""

import asyncio
import random
import sys
import time
from typing import LiteralString

from guerdon import worker
from guerdon.kit import db
from guerdon.kit.jobs import run_due

WORKERS = 2
# Every worker is a scheduler, too; steps of the night are small, so that there are many to die in.
WORKER = """
import asyncio, sys
from guerdon import worker
from guerdon.kit import db
from guerdon.kit.jobs import run_due
from guerdon.loyalty import night
night.STEP = 10
async def main():
    pool = await db.open_pool(sys.argv[1], size=2)
    await night.enqueue_nights(pool)
    await run_due(pool, worker.jobs())
asyncio.run(main())
"""

# What a lease's thirty seconds would do. Workers die here more often than the ten times after which a job is given up.
FREE_OF = """
    update jobs set leased_until = now() - interval '1 second', attempts = least(attempts, 3)
    where project_id = $1 and status = 'RUNNING'
"""
# The same for all projects, and the wait after a failure.
FREE = """
    update jobs set leased_until = now() - interval '1 second', run_at = least(run_at, now())
    where status = 'RUNNING' or (status = 'READY' and attempts > 0)
"""
TRIES = 3


async def finish(dsn: str) -> None:
    """Do all that is due, once nobody else works on the database any more."""
    pool = await db.open_pool(dsn, size=4)
    try:
        for _ in range(TRIES):
            await db.execute(pool, FREE)
            await run_due(pool, worker.jobs())
    finally:
        await pool.close()


class Killer:
    """Workers that are killed as soon as they got on, again and again.

    With `takeover` it also happens that their leases run out while they live, so that one does what another still does.
    """

    def __init__(
        self, pool: db.Pool, project_id: str, dsn: str, chance: random.Random, *,
        takeover: bool = False,
    ) -> None:  # fmt: skip
        self.pool, self.project_id, self.dsn, self.chance = pool, project_id, dsn, chance
        self.takeover = takeover
        self.kills = self.takeovers = 0

    async def count(self, sql: LiteralString) -> int:
        """A number of the project."""
        return await db.value(self.pool, sql, self.project_id)

    async def kill(self, progress: LiteralString, rounds: int) -> None:
        """Kill in the middle, `rounds` times or until nothing is left to do; then let them end."""
        for _ in range(rounds):
            before = await self.count(progress)
            workers = [await self._start() for _ in range(WORKERS)]
            deadline = time.monotonic() + 60
            while await self.count(progress) == before and any(one.returncode is None for one in workers):
                assert time.monotonic() < deadline, "the workers do not get on"
                await asyncio.sleep(0.002)
            if self.takeover and self.chance.random() < 0.5:
                self.takeovers += await db.execute(self.pool, FREE_OF, self.project_id)
                await asyncio.sleep(self.chance.uniform(0, 0.2))
            await asyncio.sleep(self.chance.uniform(0, 0.03))
            for each in workers:
                if each.returncode is None:
                    each.kill()
                    self.kills += 1
                await each.wait()
            await db.execute(self.pool, FREE_OF, self.project_id)
        for each in [await self._start() for _ in range(WORKERS)]:
            assert await each.wait() == 0

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, self.dsn)
