"""A database whose clock a test moves: what the application asks for the time answers what the test says.

The database's own `now()` and `clock_timestamp()` are hidden behind two functions of a schema that is looked through
first, so that nothing of the application has to know. Import `database_url` and `clock` into a file of tests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest_asyncio

from guerdon.kit import db
from guerdon.loyalty.night import enqueue_nights

from .conftest import App, Client

HIDE = """
    create schema moved;
    grant usage on schema moved to public;
    create table moved.clock (by interval not null);
    insert into moved.clock values ('0');
    grant select, update on moved.clock to public;
    create function moved.now() returns timestamptz language plpgsql stable
        as 'begin return pg_catalog.now() + (select c.by from moved.clock c); end';
    create function moved.clock_timestamp() returns timestamptz language plpgsql stable
        as 'begin return pg_catalog.clock_timestamp() + (select c.by from moved.clock c); end';
"""
DEFAULTS = """
    select format('alter table %I.%I alter column %I set default moved.%s', n.nspname, c.relname, a.attname,
                  pg_get_expr(d.adbin, d.adrelid)) as statement
    from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where n.nspname = 'public' and not c.relispartition
      and pg_get_expr(d.adbin, d.adrelid) in ('now()', 'clock_timestamp()')
"""
SET = "update moved.clock set by = $1 - pg_catalog.clock_timestamp()"


@pytest_asyncio.fixture(scope="module", name="database_url")
async def _with_a_clock(database_url: str) -> AsyncIterator[str]:
    """The file's database, with a clock that can be set."""
    connection = await asyncpg.connect(database_url)
    name = await connection.fetchval("select current_database()")
    await connection.execute(HIDE)
    for record in await connection.fetch(DEFAULTS):
        await connection.execute(record["statement"])
    await connection.execute(f'alter database "{name}" set search_path = moved, public, pg_catalog')
    await connection.close()
    yield database_url


class Clock:
    """The clock of one project's tests: times are local ones, in the project's zone."""

    def __init__(self, client: Client, pool: db.Pool, run_jobs: Callable[[], Awaitable[None]]) -> None:
        self.client, self.pool, self.run_jobs = client, pool, run_jobs
        self.zone = ZoneInfo("UTC")

    async def live_in(self, zone: str, at: str) -> None:
        """The project's zone, and the time it is there."""
        await db.execute(
            self.pool, "update projects set timezone = $2 where id = $1", self.client.project_id, zone
        )
        self.zone = ZoneInfo(zone)
        await self.set(at)

    async def set(self, at: str) -> None:
        """It is this time; nothing is done about it. An offset in the text goes before the zone."""
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        await db.execute(self.pool, SET, moment)

    async def night(self) -> None:
        """The scheduler looks, and what is due is done."""
        await enqueue_nights(self.pool)
        await self.run_jobs()

    async def to(self, at: str) -> None:
        """It is this time, and the night and all jobs that are due have run."""
        await self.set(at)
        await self.night()

    async def every_night(self, first: str, last: str, at: str = "00:05") -> None:
        """Live through these nights, one by one."""
        day, end = datetime.fromisoformat(first).date(), datetime.fromisoformat(last).date()
        while day <= end:
            await self.to(f"{day}T{at}")
            day += timedelta(days=1)


@pytest_asyncio.fixture
async def clock(app: App, client: Client, run_jobs: Any) -> Clock:
    """The clock; other projects of the file's database have it too."""
    assert app.state is not None
    return Clock(client, app.state.pool, run_jobs)
