"""A client that talks to the real application on a real database, in process."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest_asyncio

from guerdon.app import App, create_app
from guerdon.kit import jobs
from guerdon.projects.bootstrap import Credentials, add_management_key, create_project
from guerdon.settings import Settings

RESEAL = "update card_lots l set seal = lot_seal(l) where l.project_id = $1"
"""What a test has to say that moved lots in time, or `verify` would name them."""


class Client(httpx.AsyncClient):
    """An HTTP client of one project; `credentials` are the key it sends."""

    credentials: Credentials
    app: App

    @property
    def project_id(self) -> str:
        return self.credentials.project_id


@pytest_asyncio.fixture(scope="module")
async def app(database_url: str) -> AsyncIterator[App]:
    """The application, on the module's database. Test servers run without durability, and say so in /ready."""
    made = create_app(Settings(database_url=database_url, pool_size=8, code_guesses_per_minute=100_000))
    await made.start()
    yield made
    await made.stop()


def client_for(app: App, credentials: Credentials) -> Client:
    """A client that sends these credentials."""
    client = Client(
        transport=httpx.ASGITransport(app),
        base_url="http://guerdon.test",
        headers={"X-App-Id": credentials.app_id, "X-App-Token": credentials.app_token},
        timeout=60,
    )
    client.credentials = credentials
    client.app = app
    return client


@pytest_asyncio.fixture
async def client(app: App) -> AsyncIterator[Client]:
    """A client of a project of its own."""
    assert app.state is not None
    async with client_for(app, await create_project(app.state.pool, "test shop")) as made:
        yield made


@pytest_asyncio.fixture
async def manager(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a management key of `client`'s project, at the project's management address."""
    assert client.app.state is not None
    made = await add_management_key(client.app.state.pool, client.project_id)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(client.app),
        base_url=f"http://guerdon.test/management/v1/projects/{client.project_id}",
        headers={"X-Management-Id": made.management_id, "X-Management-Token": made.management_token},
        timeout=60,
    ) as manager:
        yield manager


@pytest_asyncio.fixture
async def stranger(app: App) -> AsyncIterator[Client]:
    """A client of another project."""
    assert app.state is not None
    async with client_for(app, await create_project(app.state.pool, "another shop")) as made:
        yield made


@pytest_asyncio.fixture
async def run_jobs(app: App) -> Callable[[], Awaitable[None]]:
    """Work off the jobs that are due, as the worker would."""
    from guerdon.worker import jobs as all_jobs

    async def run() -> None:
        assert app.state is not None
        await jobs.run_due(app.state.pool, all_jobs())

    return run


@pytest_asyncio.fixture
async def tonight(
    app: App, client: Client, run_jobs: Callable[[], Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """Have the project's night run once more, after statements that move what it looks for into the past."""
    from guerdon.kit import db
    from guerdon.loyalty.night import enqueue_nights

    async def run(*statements: str) -> None:
        assert app.state is not None
        pool = app.state.pool
        for statement in statements:
            await db.execute(pool, statement + " where project_id = $1", client.project_id)
        await db.execute(pool, RESEAL, client.project_id)
        await db.execute(pool, "delete from nights where project_id = $1", client.project_id)
        await db.execute(
            pool, "delete from jobs where project_id = $1 and kind = 'night.run'", client.project_id
        )
        await enqueue_nights(pool)
        await run_jobs()

    return run
