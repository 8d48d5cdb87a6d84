"""The only module that reads a clock. Decisions use the database's; this process's is for measuring."""

import functools
import time
from datetime import UTC, datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy


def monotonic() -> float:
    """Seconds on a clock that never goes back; for durations only."""
    return time.perf_counter()


def process_now() -> datetime:
    """This machine's idea of the time, for logs and for telling its skew from the database's."""
    return datetime.now(UTC)


async def database_now(conn: asyncpg.Connection | PoolConnectionProxy | asyncpg.Pool) -> datetime:
    """The time that decides, in UTC."""
    now = await conn.fetchval("select clock_timestamp()")
    assert isinstance(now, datetime)
    return now


@functools.lru_cache(4096)
def iso(moment: datetime) -> str:
    """``2026-11-27T08:00:00.123Z``: how every instant leaves the API.

    >>> iso(datetime(2026, 11, 27, 8, 0, 0, 123456, tzinfo=UTC))
    '2026-11-27T08:00:00.123Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
