"""Two real servers on one durable database, and a shop on them to race in."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from servers import HOST, serving

from guerdon.kit import db
from guerdon.projects.bootstrap import create_project

from .shop import Shop

PROVE = os.environ.get("GUERDON_PROVE") == "1"
SETTINGS = {"GUERDON_DRAIN_SECONDS": "0", "GUERDON_WORKER_IN_SERVE": "false"}


@pytest_asyncio.fixture(scope="module")
async def shop(durable_database_url: str) -> AsyncIterator[Shop]:
    """A shop on two servers that share a database."""
    pool = await db.open_pool(durable_database_url, size=2)
    made = await create_project(pool, "races")
    headers = {"X-App-Id": made.app_id, "X-App-Token": made.app_token}
    dsn = durable_database_url
    with serving(dsn, **SETTINGS) as first, serving(dsn, **SETTINGS) as second:
        it = Shop(HOST, [first.port, second.port], headers, made.project_id, pool)
        yield it
        it.close()
    await pool.close()


@pytest.fixture
def rounds() -> int:
    """Rounds of a race: 20 while developing, 200 for a proof (`GUERDON_PROVE=1`)."""
    return 200 if PROVE else 20


@pytest.fixture
def few_rounds() -> int:
    """Rounds of a race with rules, which have to be made for it: 5 while developing, 200 for a proof."""
    return 200 if PROVE else 5


@pytest.fixture
def many_rounds() -> int:
    """Rounds of the races of G-01 and G-03: 1,000 for a proof."""
    return 1_000 if PROVE else 20


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Figures of a race, printed as a line of a table when it is a proof."""
    figures: dict[str, Any] = {}
    yield figures
    if PROVE:
        with capsys.disabled():
            print(f"\n| {request.node.name} | " + " | ".join(f"{k} {v}" for k, v in figures.items()) + " |")
