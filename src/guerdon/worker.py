"""The worker process: everything a slice does later, and what comes back with the clock."""

import asyncio
import importlib
import importlib.util
from typing import TYPE_CHECKING

from guerdon.kit import db, housekeeping
from guerdon.kit.job_worker import Periodic, Worker
from guerdon.kit.jobs import JobHandler
from guerdon.kit.log import get_logger

if TYPE_CHECKING:
    from guerdon.settings import Settings

logger = get_logger()

SLICES = (
    "customers",
    "segments",
    "products",
    "orders",
    "vouchers",
    "campaigns",
    "loyalty",
    "redemptions",
    "exports",
    "erasure",
    "bulk",
    "publications",
    "webhooks",
)


def jobs(idempotency_days: int = 7) -> dict[str, JobHandler]:
    """Every kind of job and its handler: the JOBS of the slices. A kind that two of them claim is a bug."""
    known: dict[str, JobHandler] = housekeeping.jobs(idempotency_days)
    for name in SLICES:
        module = f"guerdon.{name}.jobs"
        if importlib.util.find_spec(f"guerdon.{name}") is None or importlib.util.find_spec(module) is None:
            continue
        found: dict[str, JobHandler] = importlib.import_module(module).JOBS
        assert not known.keys() & found.keys(), f"{module} claims {known.keys() & found.keys()} again"
        known |= found
    return known


def periodic() -> list[Periodic]:
    """Every job that comes back with the clock."""
    import guerdon.exports.jobs
    import guerdon.loyalty.jobs
    import guerdon.segments.jobs

    return [
        *housekeeping.PERIODIC,
        *guerdon.segments.jobs.PERIODIC,
        *guerdon.exports.jobs.PERIODIC,
        *guerdon.loyalty.jobs.PERIODIC,
    ]


async def run_worker(settings: "Settings", pool: db.Pool, stop: asyncio.Event) -> None:
    """Work until `stop` is set, on a pool that has at least two connections more than jobs at a time."""
    worker = Worker(
        pool,
        jobs(settings.idempotency_days),
        periodic=periodic(),
        concurrency=settings.worker_concurrency,
        grace=settings.shutdown_grace,
    )
    running = asyncio.create_task(worker.run())
    stopped = asyncio.create_task(stop.wait())
    logger.info("worker started", worker=worker.name, kinds=len(worker.handlers))
    try:
        await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
        worker.stop()
        await running
    finally:
        stopped.cancel()
        running.cancel()
    logger.info("worker stopped", worker=worker.name)


async def run(settings: "Settings", stop: asyncio.Event) -> None:
    """The whole life of a worker process, from its pool on."""
    size = max(settings.worker_pool_size, settings.worker_concurrency + 2)
    pool = await db.open_pool(settings.database_url, size=size)
    try:
        await run_worker(settings, pool, stop)
    finally:
        await pool.close()
