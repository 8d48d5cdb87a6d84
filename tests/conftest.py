"""A database for every test.

One server serves all processes of all test runs on this machine (see kit/postgres.py: the first starts it, the
last stops it). A template database is made once for each state of the migrations; a test works on a clone of
it. Ordinary tests run with durability switched off; tests that kill things ask for `durable_database_url`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from guerdon.kit import db
from guerdon.kit.migrate import migrate, read_migrations
from guerdon.kit.postgres import EmbeddedPostgres
from guerdon.kit.postgres_binaries import find_binaries

ROOT = Path(__file__).parent.parent
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "300"}
DURABLE = {"max_connections": "300"}
TEMPLATE_LOCK = 7_306_020_118
KEPT_TEMPLATES = 4
SIZED = {"laws"}
"""Folders whose every test is small in `make test` and in full size a proof."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sized: small in `make test`, in full size by `make prove`")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With GUERDON_PROVE=1 the tests that come in two sizes are proofs too."""
    if os.environ.get("GUERDON_PROVE") == "1":
        for item in items:
            if item.get_closest_marker("sized") or item.path.parent.name in SIZED:
                item.add_marker("prove")


def _server_folder(kind: str) -> Path:
    binaries = find_binaries(os.environ.get("GUERDON_PG_BIN", ""))
    root = os.environ.get("GUERDON_TEST_ROOT", ROOT)  # a copy of the tree may use the original's servers
    digest = hashlib.sha256(f"{root}\n{os.geteuid()}\n{binaries.major}".encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"guerdon-tests-{digest}-{kind}"


@contextmanager
def _server(kind: str, options: dict[str, str]) -> Iterator[str]:
    server = EmbeddedPostgres(
        _server_folder(kind), pg_bin=os.environ.get("GUERDON_PG_BIN", ""), options=options
    )
    with server as dsn:
        yield dsn


def _with_database(dsn: str, name: str) -> str:
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


async def _template(dsn: str) -> str:
    """Name of the migrated template; made under a lock, since several test processes ask at once."""
    checksums = "".join(migration.checksum for migration in read_migrations())
    name = "template_" + hashlib.sha256(checksums.encode()).hexdigest()[:16]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", TEMPLATE_LOCK)
        await _drop_left_over(connection, keep=name)
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            partial = f"{name}_partial"
            await connection.execute(f"drop database if exists {partial}")
            await connection.execute(f"create database {partial}")
            await migrate(_with_database(dsn, partial))
            await connection.execute(f"alter database {partial} rename to {name}")
    finally:
        await connection.close()
    return name


async def _drop_left_over(connection: asyncpg.Connection, keep: str) -> None:
    """Drop clones whose test process is gone, and the oldest templates (a run beside us may use a recent one)."""
    rows = await connection.fetch(
        r"select datname from pg_database where datname ~ '^(test|template)_' order by oid"
    )
    names = [row["datname"] for row in rows]
    dead = [name for name in names if name.startswith("test_") and not _is_alive(int(name.split("_")[1]))]
    templates = [name for name in names if name.startswith("template_") and name != keep]
    for name in dead + templates[:-KEPT_TEMPLATES]:
        try:
            await connection.execute(f"drop database if exists {name} with (force)")
        except asyncpg.ObjectInUseError:
            continue


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def _clone(dsn: str, template: str) -> AsyncIterator[str]:
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"create database {name} template {template}")
        try:
            yield _with_database(dsn, name)
        finally:
            await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The fast server (no durability), its own empty database."""
    with _server("fast", FAST) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def durable_postgres_url() -> Iterator[str]:
    """The durable server, its own empty database."""
    with _server("durable", DURABLE) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session")
async def template(postgres_url: str) -> str:
    return await _template(postgres_url)


@pytest_asyncio.fixture(scope="session")
async def durable_template(durable_postgres_url: str) -> str:
    return await _template(durable_postgres_url)


@pytest_asyncio.fixture(scope="module")
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A migrated database that the tests of one file share: give each test its own project."""
    async with _clone(postgres_url, template) as dsn:
        yield dsn


@pytest_asyncio.fixture
async def fresh_database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A migrated database for one test alone."""
    async with _clone(postgres_url, template) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module")
async def durable_database_url(durable_postgres_url: str, durable_template: str) -> AsyncIterator[str]:
    """As `database_url`, with fsync, full_page_writes and synchronous_commit on."""
    async with _clone(durable_postgres_url, durable_template) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[db.Pool]:
    """A pool of kit/db.py on `database_url`."""
    made = await db.open_pool(database_url, size=8)
    yield made
    await made.close()
