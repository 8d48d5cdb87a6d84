"""Brings a database to the schema of this release: plain SQL files, in order, each once, under a lock."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent.parent / "migrations"
NO_TRANSACTION = "-- no transaction"
LOCK_KEY = 7_306_020_117
LOCK_WAIT_SECONDS = 0.1
LOCK_TIMEOUT = "1s"
"""A statement that waits for a table lock makes everybody behind it wait too, so it gives way soon."""
ATTEMPTS = 30

CREATE_TABLE = """
create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""
TABLE_EXISTS = "select to_regclass('schema_migrations') is not null"
SELECT_APPLIED = "select version, name, checksum from schema_migrations order by version"
INSERT_APPLIED = "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)"


class MigrationError(RuntimeError):
    """The files and the database do not fit; the message names the file and what to do."""


@dataclass(frozen=True)
class Migration:
    """One file `NNNN_name.sql`."""

    version: int
    name: str
    sql: str
    checksum: str

    @property
    def in_transaction(self) -> bool:
        return not self.sql.lower().startswith(NO_TRANSACTION)

    def statements(self) -> list[str]:
        """What is sent at a time. Outside a transaction each statement goes alone; it ends with `;` on a line's end."""
        if self.in_transaction:
            return [self.sql]
        without_comments = re.sub(r"^\s*--.*$", "", self.sql, flags=re.MULTILINE)
        return [
            part.strip() for part in re.split(r";\s*$", without_comments, flags=re.MULTILINE) if part.strip()
        ]


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The files of `folder` by version. Raises MigrationError for a strange name or a version given twice."""
    found: dict[int, Migration] = {}
    for file in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", file.name)
        if match is None:
            raise MigrationError(f"{file.name} is not called NNNN_name.sql.")
        sql = file.read_text(encoding="utf-8").replace("\r\n", "\n").strip() + "\n"
        version = int(match[1])
        if version in found:
            raise MigrationError(f"{file.name} and {found[version].name} have the same number.")
        found[version] = Migration(version, file.stem, sql, hashlib.sha256(sql.encode()).hexdigest())
    return list(found.values())


async def pending(connection: asyncpg.Connection, folder: Path = FOLDER) -> list[str]:
    """Names of the files that this database still lacks. Raises MigrationError when an applied one was edited.

    Files that the database knows and we do not are fine: a newer release runs beside us during an upgrade.
    """
    return [migration.name for migration in await _missing(connection, read_migrations(folder))]


async def migrate(dsn: str, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing and return the names. Several processes may do so at once: one does, others wait."""
    migrations = read_migrations(folder)
    connection = await asyncpg.connect(
        dsn, server_settings={"statement_timeout": "0", "lock_timeout": LOCK_TIMEOUT}
    )
    try:
        # Asking again and again, rather than waiting inside a statement: a waiting statement holds a snapshot,
        # and `create index concurrently` in the process that has the lock would wait for that for ever.
        while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK_KEY):  # noqa: ASYNC110
            await asyncio.sleep(LOCK_WAIT_SECONDS)
        await connection.execute(CREATE_TABLE)
        missing = await _missing(connection, migrations)
        for migration in missing:
            await _apply(connection, migration)
            log.info("migration %s applied", migration.name)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


async def _missing(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    applied: dict[int, asyncpg.Record] = {}
    if await connection.fetchval(TABLE_EXISTS):
        applied = {row["version"]: row for row in await connection.fetch(SELECT_APPLIED)}
    for migration in migrations:
        row = applied.get(migration.version)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationError(
                f"Migration {migration.name} was edited after it was applied to this database (as {row['name']}). "
                "Restore the file and put the change into a new one; a database of no value can be made anew."
            )
    return [migration for migration in migrations if migration.version not in applied]


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await _apply_once(connection, migration)
            return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as problem:
            if attempt == ATTEMPTS:
                raise MigrationError(
                    f"Migration {migration.name} could not lock a table in {ATTEMPTS} attempts; is a long "
                    f"transaction open? ({problem})"
                ) from problem
            await asyncio.sleep(min(0.1 * attempt, 1.0))
        except asyncpg.PostgresError as problem:
            where = _line(migration.sql, getattr(problem, "position", None))
            raise MigrationError(f"Migration {migration.name} failed{where}: {problem}") from problem


async def _apply_once(connection: asyncpg.Connection, migration: Migration) -> None:
    row = (migration.version, migration.name, migration.checksum)
    if migration.in_transaction:
        async with connection.transaction():
            for statement in migration.statements():
                await connection.execute(statement)
            await connection.execute(INSERT_APPLIED, *row)
        return
    for statement in migration.statements():
        await connection.execute(statement)
    await connection.execute(INSERT_APPLIED, *row)


def _line(sql: str, position: str | None) -> str:
    return f" at line {sql.count(chr(10), 0, int(position) - 1) + 1}" if position else ""
