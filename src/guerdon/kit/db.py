"""PostgreSQL: the only module that knows the driver.

SQL goes in as a literal, values as ``$1``, rows come out as structs. A ``jsonb`` column is a Python value on both
sides (a str is taken for JSON text that is written already); a ``json`` column is its text, so that large
snapshots pass through without being parsed.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection
Conn = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool
Db = Conn | Pool
Record = asyncpg.Record

DatabaseError = asyncpg.PostgresError
UniqueViolation = asyncpg.UniqueViolationError
ForeignKeyViolation = asyncpg.ForeignKeyViolationError
CheckViolation = asyncpg.CheckViolationError
LockTimeout = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
TryAgain = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# InternalClientError is what the driver says to the next query after the server hung up on an idle connection.
ConnectionLost = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    TimeoutError,
    OSError,
)
# Values that no column can hold: what a caller sent is at fault, not we.
BadValue = (asyncpg.DataError, asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)

T = TypeVar("T")

# For statements that look a handful of rows up and run thousands of times a second: plan once, and by lookups. Hot
# statements are written as joins with unnest($n), which these settings leave one way to run.
HOT = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
}


async def open_pool(dsn: str, *, size: int = 10, settings: dict[str, str] | None = None) -> Pool:
    """A pool of connections, each ready for our json habits; at least one is opened, so a wrong DSN shows now."""

    async def no_reset(_: Conn) -> None:
        """Nobody here sets anything on a connection outside a transaction: a reset query would be wasted."""

    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        init=prepare,
        reset=no_reset,
        command_timeout=60,
        server_settings={"application_name": "guerdon", "timezone": "UTC", "jit": "off"} | (settings or {}),
    )


async def connect(dsn: str, settings: dict[str, str] | None = None) -> asyncpg.Connection:
    """One connection of its own, as the writer and the worker hold."""
    conn = await asyncpg.connect(
        dsn,
        command_timeout=60,
        server_settings={"application_name": "guerdon", "timezone": "UTC", "jit": "off"} | (settings or {}),
    )
    await prepare(conn)
    return conn


# Where the role was made (migration 0003), the application is nothing more: it owns no table and cannot change what
# the books of stored value say.
AS_APPLICATION = """
    select set_config('role', rolname, false) from pg_roles
    where rolname = 'guerdon_app' and pg_has_role(session_user, oid, 'member')
"""
AS_OWNER = "set local role none"


async def connect_as_owner(dsn: str, settings: dict[str, str] | None = None) -> asyncpg.Connection:
    """One connection that may alter and clean up tables, as benchmarks do; no part of the application asks for it."""
    conn = await connect(dsn, settings)
    await conn.execute("reset role")
    return conn


async def prepare(conn: Conn) -> None:
    """Teach a connection how json goes in and out, and make it work under the application's role."""
    await conn.set_type_codec(
        "jsonb", encoder=_to_jsonb, decoder=_from_jsonb, schema="pg_catalog", format="binary"
    )
    await conn.execute(AS_APPLICATION)


# In PostgreSQL's binary format a jsonb is a version number, 1, and the JSON text.


def _to_jsonb(value: Any) -> bytes:
    return b"\x01" + (value.encode() if type(value) is str else msgspec.json.encode(value))


def _from_jsonb(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])


async def rows(conn: Db, into: type[T], sql: LiteralString, *args: Any) -> list[T]:
    """All rows, each as a struct whose fields are the columns."""
    return [into(**record) for record in await conn.fetch(sql, *args)]


async def row(conn: Db, into: type[T], sql: LiteralString, *args: Any) -> T | None:
    """The first row as a struct, or None."""
    record = await conn.fetchrow(sql, *args)
    return None if record is None else into(**record)


async def records(conn: Db, sql: LiteralString, *args: Any) -> list[Record]:
    """All rows as they come: for the hot path, where a struct a row would be wasted."""
    return await conn.fetch(sql, *args)


async def value(conn: Db, sql: LiteralString, *args: Any) -> Any:
    """The first column of the first row, or None."""
    return await conn.fetchval(sql, *args)


async def execute(conn: Db, sql: LiteralString, *args: Any) -> int:
    """Run a statement; how many rows it touched."""
    tag = await conn.execute(sql, *args)
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


async def insert(
    conn: Conn, table: LiteralString, columns: Sequence[LiteralString], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert many rows by COPY: the cheapest way there is, on both sides. Constraints hold as in any insert."""
    await conn.copy_records_to_table(table, records=rows, columns=list(columns))


YOUNG = """
    select c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = current_schema and c.relkind = 'r' and c.reltuples < 50000
      and pg_relation_size(c.oid) > 2 * c.relpages * current_setting('block_size')::int
    order by 1
"""


async def analyze_young_tables(pool: Pool) -> None:
    """Tell the planner about small tables that have doubled since it looked last.

    A plan made for an empty table reads all of a project's rows, since there are none, and is kept while they
    become thousands; autovacuum notices after a minute. An analyze also makes kept plans anew.
    """
    async with pool.acquire() as conn:
        for record in await conn.fetch(YOUNG):
            async with conn.transaction():
                await conn.execute(AS_OWNER)  # only the owner may
                await conn.execute(
                    f"analyze {record['relname']}"
                )  # names from the catalog, not from a caller


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Conn]:
    """A connection in a transaction: commits at the end, rolls back when anything raises."""
    async with pool.acquire() as conn, conn.transaction():
        yield conn
