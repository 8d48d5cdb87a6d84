"""The official Python SDK, as it comes from the package index, as the client of a running server."""

import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio
from servers import HOST, serving

from guerdon.kit import db
from guerdon.projects.bootstrap import add_management_key, create_project

from .sdk import Sdk

# The tests' database has durability switched off, and they ask for many codes that do not exist.
SETTINGS = {"GUERDON_REQUIRE_DURABILITY": "false", "GUERDON_CODE_GUESSES_PER_MINUTE": "100000"}


@pytest_asyncio.fixture(scope="session")
async def fresh_dsn(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A migrated database for all tests of this folder; they share one server, since starting it takes seconds."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"create database {name} template {template}")
    head, _, query = postgres_url.partition("?")
    try:
        yield f"{head.rpartition('/')[0]}/{name}?{query}"
    finally:
        await connection.execute(f"drop database {name} with (force)")
        await connection.close()


@pytest_asyncio.fixture(scope="session")
async def sdk(fresh_dsn: str) -> AsyncIterator[Sdk]:
    """The SDK of a project of its own, on a server with its worker."""
    pool = await db.open_pool(fresh_dsn, size=2)
    made = await create_project(pool, "compatibility")
    managing = await add_management_key(pool, made.project_id)
    management = (managing.management_id, managing.management_token)
    await pool.close()
    with serving(fresh_dsn, **SETTINGS) as server:
        yield Sdk(
            f"http://{HOST}:{server.port}", made.app_id, made.app_token, project_id=made.project_id,
            management=management,
        )  # fmt: skip
