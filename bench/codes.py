"""Making codes: how fast, in how much memory, and what is left of it by kill -9 and by a cancel (figure 4).

python bench/codes.py             everything
python bench/codes.py rate memory kill cancel   some of it

GUERDON_BENCH_CODES (100000) and GUERDON_BENCH_MANY (1000000) are how many.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from ground import ROUNDS, database, table, verdict

from guerdon.app import create_app
from guerdon.kit import db
from guerdon.projects.bootstrap import create_project
from guerdon.settings import Settings

CODES = int(os.environ.get("GUERDON_BENCH_CODES", "100000"))
MANY = int(os.environ.get("GUERDON_BENCH_MANY", "1000000"))
BATCH = 5_000
MOST_SECONDS = 5.0
MOST_GROWTH = 1.25
"""Flat memory: a million codes may leave the worker a quarter larger than the first hundred thousand did."""

VOUCHER = {"discount": {"type": "PERCENT", "percent_off": 10}, "redemption": {"quantity": 1}}

# The rows that the job writes, made by PostgreSQL itself: what no way of writing them into this table undercuts.
PLAIN = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, metadata)
    select '{project}', 'v_' || substr(md5(random()::text), 1, 20), code, code, 'camp_plain', '{{}}'
    from (select upper(substr(md5(random()::text), 1, 12)) as code from generate_series(1, {count})) as made
    on conflict (project_id, code_key) do nothing;
"""


class Shop:
    """A project over the real API, and a look at its database."""

    def __init__(self, client: httpx.AsyncClient, pool: db.Pool, project_id: str) -> None:
        self.client, self.pool, self.project_id = client, pool, project_id

    async def ask(self, name: str, count: int) -> str:
        """Create a campaign of so many codes; the async action's id."""
        body = {"name": name, "vouchers_count": count, "voucher": VOUCHER}
        answer = await self.client.post("/v1/campaigns", json=body)
        assert answer.status_code == 200, answer.text
        actions = (await self.client.get("/v1/async-actions?limit=1")).json()["async_actions"]
        return actions[0]["id"]

    async def state(self, action: str) -> tuple[str, int]:
        """A job's status, and how many codes it has made."""
        row = (await db.records(
            self.pool, "select status, coalesce((cursor ->> 'made')::int, 0) as made from jobs where id = $1", action
        ))[0]  # fmt: skip
        return row["status"], row["made"]

    async def until(self, action: str, made: int) -> int:
        """Wait until a job has made so many codes or ended; how many it had."""
        while (state := await self.state(action))[0] in ("READY", "RUNNING") and state[1] < made:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return state[1]

    async def stored(self, name: str) -> tuple[int, int, str]:
        """What there is of a campaign: its codes in the table, its own count, its status."""
        campaign = (await self.client.get(f"/v1/campaigns/{name}")).json()
        query = "select count(distinct code_key) from vouchers where project_id = $1 and campaign_id = $2"
        codes = await self.pool.fetchval(query, self.project_id, campaign["id"], timeout=120)
        return codes, campaign["vouchers_count"], campaign["vouchers_generation_status"]


@asynccontextmanager
async def shop_on(dsn: str) -> AsyncIterator[Shop]:
    """The application in this process; jobs run in workers of their own."""
    app = create_app(Settings(database_url=dsn, worker_in_serve=False))
    await app.start()
    assert app.state is not None
    key = await create_project(app.state.pool, "bench")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bench", headers=headers, timeout=60
    ) as client:
        yield Shop(client, app.state.pool, key.project_id)
    await app.stop()


@contextmanager
def worker(dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, as `guerdon serve` starts it."""
    environment = os.environ | {
        "GUERDON_DATABASE_URL": dsn,
        "DATABASE_URL": dsn,
        "GUERDON_LOG_LEVEL": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "guerdon.serving", "worker", "guerdon.worker:run"],
        stdin=subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def memory(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Resident megabytes of a process: now, and at most so far."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024


async def timed(shop: Shop, name: str, count: int) -> float:
    """Seconds from before the request until all codes are stored."""
    begin = time.perf_counter()
    action = await shop.ask(name, count)
    await shop.until(action, count + 1)
    seconds = time.perf_counter() - begin
    stored = await shop.stored(name)
    assert stored == (count, count, "DONE"), stored
    return seconds


def plain(dsn: str, project: str, count: int, batch: int) -> float:
    """Seconds that pgbench takes for the same rows, each batch a transaction."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(PLAIN.format(project=project, count=batch))
        file.flush()
        begin = time.perf_counter()
        subprocess.run(
            ["pgbench", "-n", "-f", file.name, "-c", "1", "-t", str(count // batch), dsn],
            capture_output=True, check=True,
        )  # fmt: skip
        return time.perf_counter() - begin


async def rate(dsn: str) -> None:
    """CODES codes by the job and by plain SQL in turn."""
    ours, batches, whole = [], [], []
    async with shop_on(dsn) as shop:
        with worker(dsn):
            await timed(shop, "warm", min(CODES, 10_000))
            for number in range(ROUNDS):
                ours.append(await timed(shop, f"rate {number}", CODES))
                batches.append(
                    await asyncio.to_thread(plain, dsn, f"plain{number}", CODES, min(CODES, BATCH))
                )
                whole.append(await asyncio.to_thread(plain, dsn, f"whole{number}", CODES, CODES))
    job, batched, one = (statistics.median(taken) for taken in (ours, batches, whole))
    table(f"{CODES:,} codes, asked for over the API, generated by the worker and stored (median of {ROUNDS})", [
        ("the job", f"{job:.2f}", f"{CODES / job:,.0f}", verdict(job, MOST_SECONDS, at_least=False)),
        (f"insert … select generate_series, {BATCH:,} a transaction", f"{batched:.2f}", f"{CODES / batched:,.0f}", ""),
        ("insert … select generate_series, one statement", f"{one:.2f}", f"{CODES / one:,.0f}", ""),
        ("job / plain in batches", f"{job / batched:.2f}", "", ""),
        ("job / plain in one statement", f"{job / one:.2f}", "", ""),
    ], ("way", "seconds", "codes/s", "bound"))  # fmt: skip


async def flat(dsn: str) -> None:
    """The worker's memory before, during and after MANY codes."""
    async with shop_on(dsn) as shop:
        with worker(dsn) as process:
            await timed(shop, "first", 10)
            idle = memory(process)
            first = await timed(shop, "some", CODES)
            some = memory(process)
            seconds = await timed(shop, "many", MANY)
            many = memory(process)
    growth = many[1] / some[1]
    table("The worker's memory, in megabytes", [
        ("10 codes", f"{idle[0]:.0f}", f"{idle[1]:.0f}", "", ""),
        (f"{CODES:,} codes", f"{some[0]:.0f}", f"{some[1]:.0f}", f"{CODES / first:,.0f}", ""),
        (f"{MANY:,} codes", f"{many[0]:.0f}", f"{many[1]:.0f}", f"{MANY / seconds:,.0f}", ""),
        ("most, many / some", "", f"{growth:.2f}", "", verdict(growth, MOST_GROWTH, at_least=False)),
    ], ("after", "resident", "at most", "codes/s", "bound"))  # fmt: skip


async def kill(dsn: str) -> None:
    """kill -9 twice in the middle; the next worker takes over when the lease of half a minute is over."""
    rows, seen = [], 0
    async with shop_on(dsn) as shop:
        action = await shop.ask("killed", CODES)
        for number in (1, 2):
            with worker(dsn) as process:
                aim = max(seen + 1, CODES * number // 3)
                await shop.until(action, aim)
                process.kill()
                process.wait()
            status, seen = await shop.state(action)
            rows.append((f"kill -9 of worker {number}", f"{seen:,}", status, ""))
            assert status == "RUNNING" and seen < CODES, "it was not killed in the middle"
        with worker(dsn):
            begin = time.perf_counter()
            await shop.until(action, seen + 1)
            waited = time.perf_counter() - begin
            await shop.until(action, CODES + 1)
        codes, counted, status = await shop.stored("killed")
    exact = codes == counted == CODES and status == "DONE"
    rows.append((f"worker 3, after {waited:.0f} s of lease", f"{codes:,}", status, f"exactly {CODES:,}: {'ok' if exact else 'MISSED'}"))  # fmt: skip
    table(f"{CODES:,} codes by workers that are killed", rows, ("event", "codes", "status", "bound"))


async def cancel(dsn: str) -> None:
    """Called off in the middle: at once, with what there is, said by the campaign too."""
    async with shop_on(dsn) as shop:
        with worker(dsn):
            action = await shop.ask("canceled", MANY)
            await shop.until(action, 1)
            begin = time.perf_counter()
            answer = await shop.client.post(f"/v1/async-actions/{action}/cancel")
            assert answer.status_code < 300, answer.text
            made = await shop.until(action, MANY)
            seconds = time.perf_counter() - begin
            codes, counted, status = await shop.stored("canceled")
            state = (await shop.state(action))[0]
            again = await timed(shop, "afterwards", min(CODES, 10_000))
    well = codes == counted == made < MANY and status == "FAILED" and state == "CANCELED"
    table(f"{MANY:,} codes, called off", [
        ("codes when it stopped; in the table; counted by the campaign", f"{made:,}; {codes:,}; {counted:,}", f"equal: {'ok' if codes == counted == made else 'MISSED'}"),
        ("the job; the campaign", f"{state}; {status}", f"CANCELED; FAILED: {'ok' if well else 'MISSED'}"),
        ("milliseconds until it stopped", f"{seconds * 1000:.0f}", verdict(seconds * 1000, 1000, at_least=False)),
        ("seconds of the next 10,000 codes", f"{again:.2f}", ""),
    ], ("what", "measured", "bound"))  # fmt: skip


def main() -> None:
    parts = {"rate": rate, "memory": flat, "kill": kill, "cancel": cancel}
    wanted = sys.argv[1:] or list(parts)
    with database() as dsn:
        for name in wanted:
            asyncio.run(parts[name](dsn))


if __name__ == "__main__":
    main()
