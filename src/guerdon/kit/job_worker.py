"""A worker: claims jobs, runs several at a time, keeps their leases alive, and stops without losing a step."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Mapping

import msgspec

from guerdon.kit import db
from guerdon.kit.ids import new_ids
from guerdon.kit.jobs import LEASE_SECONDS, Job, JobHandler, Work, claim, run
from guerdon.kit.log import get_logger

logger = get_logger()

SYSTEM = ""  # the project of jobs that belong to no project
PATIENCE_SECONDS = 2.0  # how long to wait for a database that does not answer

_workers: set["Worker"] = set()


def wake() -> None:
    """Have this process's workers look for jobs now, as after a commit that enqueued one."""
    for worker in _workers:
        worker.wake()


class Periodic(msgspec.Struct, frozen=True):
    """A job enqueued once in every period of `every` seconds, counted from 1970 plus `offset` seconds, in UTC."""

    kind: str
    every: int
    offset: int = 0


TICK = """
    insert into jobs (project_id, id, kind, dedupe_key, max_attempts)
    select $1, id, kind, kind || ':' || floor((extract(epoch from now()) - start) / every)::bigint, 3
    from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) as periodic (id, kind, every, start)
    on conflict (project_id, dedupe_key) do nothing
"""


async def tick(pool: db.Db, periodic: list[Periodic]) -> int:
    """Enqueue what this period has not seen yet, by any worker's doing; how many jobs that were."""
    if not periodic:
        return 0
    return await db.execute(
        pool,
        TICK,
        SYSTEM,
        new_ids("job", len(periodic)),
        [entry.kind for entry in periodic],
        [entry.every for entry in periodic],
        [entry.offset for entry in periodic],
    )


# Looks without waiting: while a step holds its row's lock nobody else can take the job either.
BEAT = """
    with mine as (
        select id from jobs
        where project_id = $1 and id = $2 and leased_by = $3 and status = 'RUNNING' for update skip locked
    ), beaten as (
        update jobs set leased_until = clock_timestamp() + make_interval(secs => $4)
        from mine where jobs.project_id = $1 and jobs.id = mine.id
    )
    select leased_by from jobs where project_id = $1 and id = $2
"""


async def beat(pool: db.Db, job: Job, lease_seconds: float) -> bool:
    """Renew a lease; False when another worker holds the job."""
    holder = await db.value(pool, BEAT, job.project_id, job.id, job.leased_by, lease_seconds)
    return holder is None or holder == job.leased_by


class Worker:
    """Runs jobs of the kinds in `handlers`, `concurrency` at a time, until `stop`.

    All durations are in seconds. `grace` is how long a stop waits for running steps; a job that ends neither a
    step nor itself by then is interrupted (its step rolls back) and handed back.
    """

    def __init__(
        self,
        pool: db.Pool,
        handlers: Mapping[str, JobHandler],
        *,
        periodic: list[Periodic] | None = None,
        concurrency: int = 4,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = 0.2,
        grace: float = 10.0,
    ) -> None:
        self.pool = pool
        self.handlers = handlers
        self.periodic = periodic or []
        self.concurrency = concurrency
        self.lease_seconds = lease_seconds
        self.poll_seconds = poll_seconds
        self.grace = grace
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._running: dict[asyncio.Task[None], Work] = {}
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for jobs now instead of at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Take no more jobs; `run` returns when the running ones have ended or are handed back."""
        self._stopping = True
        for work in self._running.values():
            work.stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`. A database that goes away is waited for."""
        _workers.add(self)
        helpers = [asyncio.create_task(self._beat_for_ever()), asyncio.create_task(self._tick_for_ever())]
        try:
            while not self._stopping:
                await self._look()
            await self._let_go()
        finally:
            _workers.discard(self)
            for task in [*helpers, *self._running]:
                task.cancel()
            await asyncio.gather(*helpers, *self._running, return_exceptions=True)

    async def _look(self) -> None:
        """Claim and start what fits; if there was nothing, wait for the poll or a wake-up."""
        self._woken.clear()
        free = self.concurrency - len(self._running)
        try:
            claimed = (
                await claim(self.pool, self.name, list(self.handlers), free, self.lease_seconds)
                if free
                else None
            )
        except db.ConnectionLost as error:
            logger.warning("worker cannot reach the database", error=repr(error))
            await self._pause(PATIENCE_SECONDS)
            return
        except Exception:
            logger.exception("worker cannot claim jobs")
            await self._pause(PATIENCE_SECONDS)
            return
        for job in claimed.jobs if claimed else []:
            self._start(job)
        if claimed is None or not claimed.jobs:
            await self._pause(self.poll_seconds)

    def _start(self, job: Job) -> None:
        work = Work(job, self.pool, self.lease_seconds)
        work.stopping = self._stopping
        task = asyncio.create_task(self._run(work), name=f"job {job.id}")
        self._running[task] = work
        task.add_done_callback(self._ended)

    async def _run(self, work: Work) -> None:
        try:
            await run(work, self.handlers)
        except (
            Exception
        ) as error:  # its outcome could not be written: the lease runs out and it is tried again
            logger.warning("job left behind", job=work.job.id, kind=work.job.kind, error=repr(error))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._woken.set()

    async def _pause(self, seconds: float) -> None:
        if self._stopping:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def _let_go(self) -> None:
        """Wait for running steps; interrupt what does not end in time, which hands it back."""
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running), timeout=self.grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=self.lease_seconds)

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            for task, work in list(self._running.items()):
                try:
                    ours = task.done() or await beat(self.pool, work.job, self.lease_seconds)
                except Exception as error:
                    logger.warning("heartbeat failed", job=work.job.id, error=repr(error))
                    continue
                if not ours and not task.done():
                    work.lost = True
                    task.cancel()

    async def _tick_for_ever(self) -> None:
        pause = min([entry.every for entry in self.periodic], default=3600) / 2
        while True:
            try:
                if await tick(self.pool, self.periodic):
                    self.wake()
            except Exception as error:
                logger.warning("periodic jobs could not be enqueued", error=repr(error))
                await asyncio.sleep(PATIENCE_SECONDS)
                continue
            await asyncio.sleep(min(pause, 30.0))
