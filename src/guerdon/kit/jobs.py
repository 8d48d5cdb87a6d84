"""Work for later: rows of `jobs`, written in the transaction that asks for it and run by workers under leases.

A handler does its work in steps. A step's effects and its `Work.checkpoint` are one transaction, and the
checkpoint checks under the row's lock that the lease is still ours; so whoever is killed, stopped or overtaken,
each step has its effect once, and the next worker goes on from the last cursor. Handlers whose effects are
outside the database (an HTTP call) have them at least once.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import clock, db, metrics
from guerdon.kit.ids import new_id
from guerdon.kit.log import get_logger

logger = get_logger()

LEASE_SECONDS = 30.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 900.0
ERROR_LENGTH = 2_000


class Job(msgspec.Struct):
    """A claimed job. `attempts` counts the tries since the last step that went well, this one included."""

    project_id: str
    id: str
    kind: str
    payload: dict[str, Any]
    cursor: dict[str, Any]
    progress: int
    attempts: int
    max_attempts: int
    cancel: bool
    leased_by: str
    action_type: str | None = None
    request_id: str | None = None


class LeaseLost(Exception):
    """Another worker has this job now: roll back and leave it alone."""


class Released(Exception):
    """This worker stops, and the last step handed the job back: another worker goes on."""


class Canceled(Exception):
    """Somebody called the job off; the step that asked is rolled back."""


class RetryIn(Exception):
    """Raised by a handler that wants its next try after so many seconds instead of the usual backoff."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class GiveUp(Exception):
    """Raised by a handler when trying again cannot help. Callers of the async action see `reason`, or `result`."""

    def __init__(self, reason: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.result = result


CHECKPOINT = """
    update jobs
    set cursor = $4, progress = $5, attempts = case when cursor is distinct from $4 then 1 else attempts end,
        status = case when $7 then 'READY' else status end,
        leased_by = case when $7 then null else leased_by end,
        leased_until = case when $7 then null else clock_timestamp() + make_interval(secs => $6) end
    where project_id = $1 and id = $2 and leased_by = $3 and status = 'RUNNING'
    returning cancel
"""

FINISH = """
    update jobs
    set status = 'DONE', result = $4, progress = 100, error = null, finished_at = clock_timestamp(),
        leased_by = null, leased_until = null
    where project_id = $1 and id = $2 and leased_by = $3 and status = 'RUNNING'
    returning cancel
"""


class Work:
    """What a handler gets: the job, the pool, and the means to take a step.

    ::

        while rows := await next_rows(work.job.cursor):
            async with work.step() as conn:
                await write(conn, rows)
                await work.checkpoint(conn, cursor={"after": rows[-1].id}, progress=40)
    """

    def __init__(self, job: Job, pool: db.Pool, lease_seconds: float = LEASE_SECONDS) -> None:
        self.job = job
        self.pool = pool
        self.lease_seconds = lease_seconds
        self.stopping = False
        self.released = False
        self.lost = False

    @asynccontextmanager
    async def step(self) -> AsyncIterator[db.Conn]:
        """A transaction for one step. Raises `Released` when this worker stops and the step before was its last."""
        if self.released:
            raise Released
        async with db.transaction(self.pool) as conn:
            yield conn

    async def checkpoint(self, conn: db.Conn, *, cursor: dict[str, Any], progress: int) -> None:
        """Record, in the step's own transaction, how far the job has come; renews the lease.

        progress: percent, 0 to 100. Raises `LeaseLost` when another worker has the job, `Canceled` when it was
        called off, `Released` when it was handed back by the step before. While this worker stops, the job is
        handed back by this very transaction.
        """
        if self.released:
            raise Released
        job = self.job
        stopping = self.stopping
        canceled = await db.value(
            conn,
            CHECKPOINT,
            job.project_id,
            job.id,
            job.leased_by,
            cursor,
            progress,
            self.lease_seconds,
            stopping,
        )
        self._check(canceled)
        if job.cursor != cursor:
            job.attempts = 1
        job.cursor, job.progress, self.released = cursor, progress, stopping

    async def finish(self, conn: db.Conn, result: dict[str, Any] | None = None) -> None:
        """End the job in the transaction of its last step. Raises as `checkpoint` does."""
        if self.released:
            raise Released
        job = self.job
        self._check(await db.value(conn, FINISH, job.project_id, job.id, job.leased_by, result))

    def _check(self, canceled: bool | None) -> None:
        if canceled is None:
            self.lost = True
            raise LeaseLost(f"{self.job.id} is no longer leased by {self.job.leased_by}")
        if canceled:
            raise Canceled(f"{self.job.id} was called off")


JobHandler = Callable[[Work], Awaitable[dict[str, Any] | None]]


class Mourned:
    """A handler whose job is not to end undone in silence.

    `undone` runs in the transaction that writes that the job is DEAD or CANCELED, also where the handler itself
    was not run any more; it gets the job as of its last step.
    """

    def __init__(self, run: JobHandler, undone: Callable[[db.Conn, Job], Awaitable[None]]) -> None:
        self._run = run
        self.undone = undone

    async def __call__(self, work: Work) -> dict[str, Any] | None:
        return await self._run(work)


ENQUEUE = """
    insert into jobs (project_id, id, kind, payload, action_type, request_id, dedupe_key, run_at, max_attempts)
    values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()), $9)
    on conflict (project_id, dedupe_key) do nothing
    returning id
"""

FIND_SAME = "select id from jobs where project_id = $1 and dedupe_key = $2"


async def enqueue(
    conn: db.Db,
    project_id: str,
    kind: str,
    payload: dict[str, Any],
    *,
    action_type: str | None = None,
    request_id: str | None = None,
    dedupe_key: str | None = None,
    run_at: datetime | None = None,
    max_attempts: int = 10,
) -> str:
    """Ask for a job in the caller's transaction; its id, ``aa_…`` when the API shows it as an async action.

    A second job of the project with the same `dedupe_key` is not written: the id is the first one's.
    """
    job_id = new_id("async_action" if action_type else "job")
    row = (project_id, job_id, kind, payload, action_type, request_id, dedupe_key, run_at, max_attempts)
    for _ in range(3):
        written = await db.value(conn, ENQUEUE, *row)
        found = written or await db.value(conn, FIND_SAME, project_id, dedupe_key)
        if found is not None:
            return found  # else the first one was deleted between the two statements
    raise AssertionError(f"a job with dedupe key {dedupe_key!r} comes and goes")


DUE = """
    select project_id, id from jobs
    where status in ('READY', 'RUNNING') and run_at <= now() and (status = 'READY' or leased_until < now())
      and kind = any($1)
    order by run_at
    limit $2
"""

# One project a statement: with tables distributed by project_id, rows can be locked on one shard at a time.
TAKE = """
    with due as (
        select id from jobs
        where project_id = $1 and id = any($2) and kind = any($5) and status in ('READY', 'RUNNING')
          and run_at <= now() and (status = 'READY' or leased_until < now())
        for update skip locked
    )
    update jobs
    set status = 'RUNNING', leased_by = $3, leased_until = now() + make_interval(secs => $4),
        attempts = jobs.attempts + 1, started_at = coalesce(jobs.started_at, now())
    from due
    where jobs.project_id = $1 and jobs.id = due.id
    returning jobs.project_id, jobs.id, kind, payload, cursor, progress, attempts, max_attempts, cancel, leased_by,
              action_type, request_id
"""


class Claimed(msgspec.Struct):
    """What a look at the queue found: `due` jobs were waiting, `jobs` of them are ours now."""

    due: int
    jobs: list[Job]


async def claim(
    pool: db.Db, worker: str, kinds: list[str], count: int, lease_seconds: float = LEASE_SECONDS
) -> Claimed:
    """Lease up to `count` due jobs. The lease's name is new each time, so a worker can even overtake itself."""
    by_project: dict[str, list[str]] = {}
    due = await db.records(pool, DUE, kinds, count)
    for row in due:
        by_project.setdefault(row["project_id"], []).append(row["id"])
    lease = f"{worker}/{secrets.token_hex(4)}"
    jobs: list[Job] = []
    for project_id, ids in by_project.items():
        jobs += await db.rows(pool, Job, TAKE, project_id, ids, lease, lease_seconds, kinds)
    place = {row["id"]: number for number, row in enumerate(due)}
    return Claimed(len(due), sorted(jobs, key=lambda job: place[job.id]))


class Outcome(msgspec.Struct):
    """How a run ended. `delay` is in seconds; `refund` gives back the attempt of a run that was only interrupted."""

    status: str
    result: dict[str, Any] | None = None
    error: str | None = None
    delay: float = 0.0
    refund: int = 0


SETTLE = """
    update jobs
    set status = $4, result = coalesce($5, result), error = $6,
        run_at = case when $4 = 'READY' then clock_timestamp() + make_interval(secs => $7) else run_at end,
        attempts = greatest(attempts - $8, 0), progress = case when $4 = 'DONE' then 100 else progress end,
        finished_at = case when $4 = 'READY' then null else clock_timestamp() end,
        leased_by = null, leased_until = null
    where project_id = $1 and id = $2 and leased_by = $3 and status = 'RUNNING'
"""


async def settle(pool: db.Db, job: Job, outcome: Outcome) -> bool:
    """Write how a run ended; False when the job is not ours any more."""
    return await db.execute(
        pool, SETTLE, job.project_id, job.id, job.leased_by, outcome.status, outcome.result, outcome.error,
        outcome.delay, outcome.refund,
    ) == 1  # fmt: skip


def retry_seconds(attempts: int, chance: float) -> float:
    """Seconds until the next try: 1, 2, 4, … up to 15 minutes, of which `chance` (0 to 1) keeps half to all.

    >>> [retry_seconds(n, 1.0) for n in (1, 2, 3, 30)]
    [1.0, 2.0, 4.0, 900.0]
    >>> retry_seconds(3, 0.0)
    2.0
    """
    whole = min(FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 30), LONGEST_RETRY_SECONDS)
    return whole * (0.5 + chance / 2)


def failed(job: Job, error: Exception) -> Outcome:
    """What becomes of a job whose handler raised."""
    text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH].replace("\x00", "")
    if isinstance(error, GiveUp):
        return Outcome("DEAD", error.result or {"message": str(error)}, str(error)[:ERROR_LENGTH])
    if job.attempts >= job.max_attempts:
        return Outcome("DEAD", error=text)
    if isinstance(error, RetryIn):
        return Outcome("READY", error=str(error)[:ERROR_LENGTH], delay=error.seconds)
    return Outcome("READY", error=text, delay=retry_seconds(job.attempts, secrets.randbelow(1_001) / 1_000))


async def run(work: Work, handlers: Mapping[str, JobHandler]) -> str:
    """Run a claimed job and write how it ended; the outcome's name (``DONE``, ``READY``, ``LOST``, …)."""
    job = work.job
    outcome = await _attempt(work, handlers)
    if outcome is None:
        name = "RELEASED" if work.released else "LOST"
    elif await _settle_while_leased(work, outcome, handlers[job.kind]):
        name = outcome.status
    else:
        name = "FINISHED"  # by the handler's own last step; or handed over, and then it is not ours to say
    metrics.JOBS.labels(job.kind, name.lower()).inc()
    if outcome is not None and outcome.error is not None:
        logger.warning(
            "job failed", job=job.id, kind=job.kind, attempts=job.attempts, status=name, error=outcome.error
        )
    return name


async def _attempt(work: Work, handlers: Mapping[str, JobHandler]) -> Outcome | None:
    job = work.job
    if job.cancel:
        return Outcome("CANCELED")
    if job.attempts > job.max_attempts:
        return Outcome("DEAD", error=f"its worker died {job.max_attempts} times")
    try:
        return Outcome("DONE", await handlers[job.kind](work))
    except (LeaseLost, Released):
        return None
    except Canceled:
        return Outcome("CANCELED")
    except asyncio.CancelledError:
        return None if work.lost or work.released else Outcome("READY", refund=1)
    except Exception as error:
        return failed(job, error)


async def _settle_while_leased(work: Work, outcome: Outcome, handler: JobHandler) -> bool:
    """Settle, through a restart of the database if need be: after the lease it is the next worker's."""
    deadline = clock.monotonic() + work.lease_seconds
    while True:
        try:
            return await _settle(work, outcome, handler)
        except db.ConnectionLost:
            if clock.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


async def _settle(work: Work, outcome: Outcome, handler: JobHandler) -> bool:
    if outcome.status not in ("DEAD", "CANCELED") or not isinstance(handler, Mourned):
        return await settle(work.pool, work.job, outcome)
    async with db.transaction(work.pool) as conn:
        ours = await settle(conn, work.job, outcome)
        if ours:
            await handler.undone(conn, work.job)
        return ours


async def run_due(pool: db.Pool, handlers: Mapping[str, JobHandler], *, until_idle: bool = True) -> int:
    """Run jobs that are due, one after the other, until none is (or one round); how many were run."""
    count = 0
    while True:
        claimed = await claim(pool, "run_due", list(handlers), 10)
        for job in claimed.jobs:
            await run(Work(job, pool), handlers)
        count += len(claimed.jobs)
        if not until_idle or not claimed.due:
            return count
        if not claimed.jobs:
            await asyncio.sleep(0.01)  # another worker is taking them this moment
