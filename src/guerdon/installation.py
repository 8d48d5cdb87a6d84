"""The ground a command stands on: a running database, embedded or given, and its schema."""

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec

from guerdon.kit import db, log
from guerdon.kit.migrate import migrate, pending
from guerdon.settings import Settings

logger = log.get_logger()


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The settings with `database_url` filled in; runs the embedded server meanwhile when none was given.

    Raises PostgresError.
    """
    if not settings.embedded:
        yield settings
        return
    from guerdon.kit.postgres import EmbeddedPostgres  # not on a platform that has no embedded server

    with EmbeddedPostgres(settings.data_path, pg_bin=settings.pg_bin) as dsn:
        logger.info("embedded postgres is running", data_dir=str(settings.data_path))
        yield msgspec.structs.replace(settings, database_url=dsn)


def bring_up_to_date(settings: Settings) -> list[str]:
    """Apply the missing migrations; their names. Raises MigrationError."""
    return asyncio.run(migrate(settings.database_url))


def missing_migrations(settings: Settings) -> list[str]:
    """Names of the migrations that the database lacks. Raises MigrationError."""

    async def ask() -> list[str]:
        connection = await db.connect(settings.database_url)
        try:
            return await pending(connection)
        finally:
            await connection.close()

    return asyncio.run(ask())
