"""Jobs on a real database: what is asked for happens, once, whoever dies meanwhile."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from steps_worker import STEPS, steps

from guerdon.kit import db, jobs
from guerdon.kit.ids import new_id
from guerdon.kit.job_worker import Periodic, Worker, tick
from guerdon.kit.jobs import GiveUp, LeaseLost, RetryIn, Work, claim, enqueue, run_due
from guerdon.kit.outbox import Event, emit

SCRIPT = Path(__file__).with_name("steps_worker.py")


@pytest.fixture
def project() -> str:
    return new_id("project")


@pytest.fixture
def kind(project: str) -> str:
    """A kind of job that this test alone knows, so that it runs nobody else's."""
    return f"test.{project}"


async def state(pool: db.Pool, job_id: str) -> dict[str, Any]:
    row = await pool.fetchrow("select * from jobs where id = $1", job_id)
    assert row is not None
    return dict(row)


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 (the news is in the database)
            await asyncio.sleep(0.02)


async def is_done(pool: db.Pool, job_id: str) -> bool:
    return (await state(pool, job_id))["status"] == "DONE"


async def steps_taken(pool: db.Pool, project: str) -> list[str]:
    rows = await pool.fetch(
        "select entity_id from events where project_id = $1 and type = 'test.step'", project
    )
    return sorted((row["entity_id"] for row in rows), key=lambda text: int(text.rsplit("/")[-1]))


@contextlib.asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)


async def make_due(pool: db.Pool, job_id: str) -> None:
    await pool.execute("update jobs set run_at = now() where id = $1", job_id)


# ── asking for a job ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_is_in_the_transaction_that_asks_for_it(pool: db.Pool, project: str, kind: str) -> None:
    async with pool.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        lost = await enqueue(conn, project, kind, {})
        await undone.rollback()
    async with db.transaction(pool) as conn:
        kept = await enqueue(
            conn, project, kind, {"n": 1}, action_type="CAMPAIGN.VOUCHERS_GENERATE", request_id="v-1"
        )
    assert lost.startswith("job_") and kept.startswith("aa_")
    found = await pool.fetch("select id, payload, request_id from jobs where project_id = $1", project)
    assert [tuple(row) for row in found] == [(kept, {"n": 1}, "v-1")]


async def test_one_dedupe_key_is_one_job_per_project(pool: db.Pool, project: str, kind: str) -> None:
    ids = await asyncio.gather(*(enqueue(pool, project, kind, {"n": n}, dedupe_key="same") for n in range(8)))
    assert len(set(ids)) == 1
    assert await enqueue(pool, new_id("project"), kind, {}, dedupe_key="same") != ids[0]


async def test_run_due_runs_what_is_due_and_known_and_keeps_the_result(
    pool: db.Pool, project: str, kind: str
) -> None:
    now = await enqueue(pool, project, kind, {"n": 20})
    later = await enqueue(pool, project, kind, {}, run_at=datetime.now(UTC) + timedelta(hours=1))
    unknown = await enqueue(pool, project, kind + ".unknown", {})

    async def double(work: Work) -> dict[str, Any]:
        return {"n": work.job.payload["n"] * 2}

    assert await run_due(pool, {kind: double}) == 1
    done = await state(pool, now)
    assert (done["status"], done["result"], done["progress"], done["attempts"]) == ("DONE", {"n": 40}, 100, 1)
    assert done["started_at"] <= done["finished_at"]
    assert done["leased_by"] is None
    assert [(await state(pool, one))["status"] for one in (later, unknown)] == ["READY", "READY"]


# ── failing ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failing_job_waits_longer_each_time_and_dies_with_its_error(
    pool: db.Pool, project: str, kind: str
) -> None:
    job_id = await enqueue(pool, project, kind, {}, max_attempts=3)

    async def fail(work: Work) -> None:
        raise ValueError(f"no {work.job.attempts}")

    for attempt, (least, most) in enumerate([(0.5, 1.0), (1.0, 2.0)], start=1):
        before = await pool.fetchval("select clock_timestamp()")
        assert await run_due(pool, {kind: fail}) == 1
        after = await pool.fetchval("select clock_timestamp()")
        job = await state(pool, job_id)
        assert (job["status"], job["attempts"], job["error"]) == (
            "READY",
            attempt,
            f"ValueError: no {attempt}",
        )
        assert before + timedelta(seconds=least) <= job["run_at"] <= after + timedelta(seconds=most)
        await make_due(pool, job_id)
    await run_due(pool, {kind: fail})
    job = await state(pool, job_id)
    assert (job["status"], job["error"]) == ("DEAD", "ValueError: no 3")
    assert job["finished_at"] is not None
    assert await run_due(pool, {kind: fail}) == 0


def test_the_wait_between_tries_grows_to_a_quarter_of_an_hour() -> None:
    longest = [jobs.retry_seconds(attempt, 1.0) for attempt in range(1, 40)]
    shortest = [jobs.retry_seconds(attempt, 0.0) for attempt in range(1, 40)]
    assert longest[:4] == [1, 2, 4, 8]
    assert longest == sorted(longest) and longest[-1] == 900
    assert all(low * 2 == high for low, high in zip(shortest, longest, strict=True))


async def test_a_handler_may_choose_its_next_try_or_none(pool: db.Pool, project: str, kind: str) -> None:
    job_id = await enqueue(pool, project, kind, {})

    async def later(work: Work) -> None:
        raise RetryIn(500, "the other side is down")

    async def never(work: Work) -> None:
        raise GiveUp("the file is not a CSV file")

    await run_due(pool, {kind: later})
    job = await state(pool, job_id)
    assert (job["status"], job["error"]) == ("READY", "the other side is down")
    assert 495 < (job["run_at"] - await pool.fetchval("select now()")).total_seconds() <= 500
    await make_due(pool, job_id)
    await run_due(pool, {kind: never})
    job = await state(pool, job_id)
    assert (job["status"], job["attempts"]) == ("DEAD", 2)
    assert job["result"] == {"message": "the file is not a CSV file"}


async def test_a_step_that_went_well_gives_all_tries_back(pool: db.Pool, project: str, kind: str) -> None:
    job_id = await enqueue(pool, project, kind, {}, max_attempts=2)

    async def one_step_then_fail(work: Work) -> None:
        done = work.job.cursor.get("done", 0)
        if done == 4:
            return
        async with work.step() as conn:
            await work.checkpoint(conn, cursor={"done": done + 1}, progress=25)
        raise ValueError

    for _ in range(5):
        await run_due(pool, {kind: one_step_then_fail})
        await make_due(pool, job_id)
    assert (await state(pool, job_id))["status"] == "DONE"


async def test_a_job_that_kills_its_workers_is_given_up(pool: db.Pool, project: str, kind: str) -> None:
    job_id = await enqueue(pool, project, kind, {}, max_attempts=3)
    runs: list[str] = []

    async def harmless(work: Work) -> None:
        runs.append(work.job.id)

    for _ in range(3):
        assert len((await claim(pool, "one that dies", [kind], 5, lease_seconds=0)).jobs) == 1
    assert await run_due(pool, {kind: harmless}) == 1
    job = await state(pool, job_id)
    assert (job["status"], job["error"], runs) == ("DEAD", "its worker died 3 times", [])


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_lost_the_lease_changes_nothing(pool: db.Pool, project: str, kind: str) -> None:
    job_id = await enqueue(pool, project, kind, {})
    raised: list[BaseException] = []

    async def overtaken(work: Work) -> dict[str, Any]:
        await pool.execute(
            "update jobs set leased_by = 'another', cursor = '{\"done\": 7}' where id = $1", job_id
        )
        try:
            async with work.step() as conn:
                await emit(conn, project, [Event("test.step", "0")])
                await work.checkpoint(conn, cursor={"done": 1}, progress=10)
        except LeaseLost as error:
            raised.append(error)
            raise
        return {"never": True}

    await run_due(pool, {kind: overtaken})
    job = await state(pool, job_id)
    assert len(raised) == 1
    assert (job["status"], job["leased_by"], job["cursor"], job["result"]) == (
        "RUNNING",
        "another",
        {"done": 7},
        None,
    )
    assert await steps_taken(pool, project) == []


async def test_an_overtaken_handler_that_ends_well_does_not_end_the_job(
    pool: db.Pool, project: str, kind: str
) -> None:
    job_id = await enqueue(pool, project, kind, {})

    async def overtaken(work: Work) -> dict[str, Any]:
        await pool.execute("update jobs set leased_by = 'another' where id = $1", job_id)
        return {"mine": True}

    await run_due(pool, {kind: overtaken})
    job = await state(pool, job_id)
    assert (job["status"], job["leased_by"], job["result"]) == ("RUNNING", "another", None)


async def test_the_last_step_can_end_the_job_with_it(pool: db.Pool, project: str, kind: str) -> None:
    job_id = await enqueue(pool, project, kind, {})

    async def one_step(work: Work) -> None:
        async with work.step() as conn:
            await emit(conn, project, [Event("test.step", "0")])
            await work.finish(conn, {"done": 1})
        raise RuntimeError("dies right after the commit")

    await run_due(pool, {kind: one_step})
    job = await state(pool, job_id)
    assert (job["status"], job["result"], job["error"]) == ("DONE", {"done": 1}, None)
    assert await steps_taken(pool, project) == ["0"]


async def test_a_heartbeat_keeps_a_long_job(pool: db.Pool, project: str, kind: str) -> None:
    runs: list[str] = []

    async def long(work: Work) -> None:
        runs.append(work.job.leased_by)
        await asyncio.sleep(2.0)

    job_id = await enqueue(pool, project, kind, {})
    first = Worker(pool, {kind: long}, lease_seconds=0.9, poll_seconds=0.02)
    second = Worker(pool, {kind: long}, lease_seconds=0.9, poll_seconds=0.02)
    async with working(first), working(second):
        await until(lambda: is_done(pool, job_id))
    assert len(runs) == 1


async def test_two_workers_run_every_job_once(pool: db.Pool, project: str, kind: str) -> None:
    async def effect(work: Work) -> None:
        async with work.step() as conn:
            await emit(conn, project, [Event("test.step", str(work.job.payload["n"]))])
            await work.finish(conn)

    for number in range(150):
        await enqueue(pool, project, kind, {"n": number})
    workers = [Worker(pool, {kind: effect}, poll_seconds=0.02) for _ in range(2)]

    async def all_done() -> bool:
        return not await pool.fetchval(
            "select count(*) from jobs where project_id = $1 and status <> 'DONE'", project
        )

    async with working(workers[0]), working(workers[1]):
        await until(all_done)
    assert await steps_taken(pool, project) == [str(number) for number in range(150)]


# ── dying and stopping ──────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def worker_process(dsn: str, lease_seconds: float) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), dsn, str(lease_seconds), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def read_until(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while line := await process.stdout.readline():
            if line.decode().strip() == words:
                return
    raise AssertionError(f"the worker ended before it said {words!r}")


@pytest.mark.parametrize("moment", ["inside 3", "committed 3"])
async def test_a_killed_workers_job_goes_on_elsewhere_and_every_step_counts_once(
    durable_database_url: str, project: str, moment: str
) -> None:
    pool = await db.open_pool(durable_database_url, size=5)
    try:
        job_id = await enqueue(pool, project, "test.steps", {"pause": 0.03})
        async with worker_process(durable_database_url, lease_seconds=1.0) as process:
            await read_until(process, moment)
            process.kill()
            await process.wait()
            assert (await state(pool, job_id))["cursor"] == {"done": 3 if moment == "inside 3" else 4}
        async with working(Worker(pool, {"test.steps": steps}, lease_seconds=1.0)):
            await until(lambda: is_done(pool, job_id))
        assert await steps_taken(pool, project) == [f"{job_id}/{number}" for number in range(STEPS)]
        assert (await state(pool, job_id))["result"] == {"steps": STEPS}
    finally:
        await pool.close()


def test_a_lease_is_over_well_before_a_minute() -> None:
    assert jobs.LEASE_SECONDS <= 30


async def test_a_worker_that_froze_wakes_up_to_a_lost_lease(
    database_url: str, pool: db.Pool, project: str
) -> None:
    job_id = await enqueue(pool, project, "test.steps", {"pause": 0.05})
    async with worker_process(database_url, lease_seconds=0.6) as process:
        await read_until(process, "inside 3")
        os.kill(process.pid, signal.SIGSTOP)
        async with working(Worker(pool, {"test.steps": steps}, lease_seconds=5)):
            await until(lambda: is_done(pool, job_id))
        os.kill(process.pid, signal.SIGCONT)
        again = await enqueue(pool, project + "2", "test.steps", {"pause": 0})
        await until(lambda: is_done(pool, again))  # by the process, which is well
    assert await steps_taken(pool, project) == [f"{job_id}/{number}" for number in range(STEPS)]


async def test_a_stopping_worker_commits_its_step_and_hands_the_job_back_at_once(
    pool: db.Pool, project: str
) -> None:
    job_id = await enqueue(pool, project, "test.steps", {"pause": 0.1})
    first = Worker(pool, {"test.steps": steps}, poll_seconds=0.02)

    async def has_begun() -> bool:
        return (await state(pool, job_id))["cursor"].get("done", 0) >= 2

    async with working(first):
        await until(has_begun)
    job = await state(pool, job_id)
    assert (job["status"], job["leased_by"]) == ("READY", None)
    assert len(await steps_taken(pool, project)) == job["cursor"]["done"] < STEPS
    async with working(Worker(pool, {"test.steps": steps}, poll_seconds=0.02)):
        await until(lambda: is_done(pool, job_id), seconds=5)
    assert await steps_taken(pool, project) == [f"{job_id}/{number}" for number in range(STEPS)]


async def test_what_does_not_end_in_time_is_interrupted_and_costs_no_try(
    pool: db.Pool, project: str, kind: str
) -> None:
    job_id = await enqueue(pool, project, kind, {})
    begun = asyncio.Event()

    async def stuck(work: Work) -> None:
        async with work.step() as conn:
            await emit(conn, project, [Event("test.step", "0")])
            begun.set()
            await asyncio.Event().wait()

    async with working(Worker(pool, {kind: stuck}, grace=0.1)):
        await asyncio.wait_for(begun.wait(), 5)
    job = await state(pool, job_id)
    assert (job["status"], job["leased_by"], job["attempts"], job["error"]) == ("READY", None, 0, None)
    assert await steps_taken(pool, project) == []


async def test_a_worker_outlives_its_connections(pool: db.Pool, database_url: str, project: str) -> None:
    own = await db.open_pool(database_url, size=5, settings={"application_name": "cut off"})
    job_id = await enqueue(pool, project, "test.steps", {"pause": 0.03})

    async def has_begun() -> bool:
        return (await state(pool, job_id))["cursor"].get("done", 0) >= 2

    async with working(Worker(own, {"test.steps": steps}, poll_seconds=0.05)):
        await until(has_begun)
        owner = await db.connect_as_owner(database_url)
        cut = await owner.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'cut off'"
        )
        await owner.close()
        await until(lambda: is_done(pool, job_id))
    await own.close()
    assert cut > 0
    assert await steps_taken(pool, project) == [f"{job_id}/{number}" for number in range(STEPS)]


# ── calling off ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_running_job_is_called_off_between_two_steps(pool: db.Pool, project: str) -> None:
    job_id = await enqueue(pool, project, "test.steps", {"pause": 0.05})

    async def has_begun() -> bool:
        return (await state(pool, job_id))["cursor"].get("done", 0) >= 2

    async def is_canceled() -> bool:
        return (await state(pool, job_id))["status"] == "CANCELED"

    async with working(Worker(pool, {"test.steps": steps}, poll_seconds=0.02)):
        await until(has_begun)
        await pool.execute("update jobs set cancel = true where id = $1", job_id)
        await until(is_canceled)
    job = await state(pool, job_id)
    assert 2 <= job["cursor"]["done"] < STEPS
    assert len(await steps_taken(pool, project)) == job["cursor"]["done"]
    assert job["finished_at"] is not None


async def test_a_job_called_off_while_nobody_ran_it_is_not_begun(
    pool: db.Pool, project: str, kind: str
) -> None:
    job_id = await enqueue(pool, project, kind, {})
    await claim(pool, "one that dies", [kind], 5, lease_seconds=0)
    await pool.execute("update jobs set cancel = true where id = $1", job_id)
    runs: list[str] = []

    async def never(work: Work) -> None:
        runs.append(work.job.id)

    await run_due(pool, {kind: never})
    assert ((await state(pool, job_id))["status"], runs) == ("CANCELED", [])


# ── what comes back with the clock ──────────────────────────────────────────────────────────────────────────────


async def test_a_periodic_job_is_enqueued_once_a_period_by_however_many_workers(
    pool: db.Pool, kind: str
) -> None:
    day, age = [Periodic(kind, every=86_400)], [Periodic(kind, every=10**9, offset=5)]
    made = await asyncio.gather(*(tick(pool, day) for _ in range(16)))
    assert sum(made) == 1
    assert sum(await asyncio.gather(*(tick(pool, age) for _ in range(4)))) == 1
    keys = await pool.fetch("select dedupe_key, project_id from jobs where kind = $1", kind)
    seconds = await pool.fetchval("select extract(epoch from now())")
    assert {tuple(row) for row in keys} == {
        (f"{kind}:{int(seconds // 86_400)}", ""),
        (f"{kind}:{int((seconds - 5) // 10**9)}", ""),
    }


async def test_periodic_jobs_run_once_with_two_workers(pool: db.Pool, kind: str) -> None:
    runs: list[str] = []

    async def note(work: Work) -> None:
        runs.append(work.job.id)

    made = [
        Worker(pool, {kind: note}, periodic=[Periodic(kind, every=1)], poll_seconds=0.02) for _ in range(2)
    ]

    async def three_ran() -> bool:
        return len(runs) >= 3

    async with working(made[0]), working(made[1]):
        await until(three_ran)
    total = await pool.fetchval("select count(*) from jobs where kind = $1 and status = 'DONE'", kind)
    assert len(runs) == len(set(runs)) == total
