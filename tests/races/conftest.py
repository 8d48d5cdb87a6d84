"""Two real servers on one durable database, and a shop on them to race in."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db
from guerdon.projects.bootstrap import create_project

from .shop import Shop
from .together import Clients

HOST = "127.0.0.1"
PROVE = os.environ.get("GUERDON_PROVE") == "1"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(dsn: str) -> Iterator[int]:
    """`guerdon serve` as an operator starts it; the port it listens on."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        environment |= {
            "DATABASE_URL": dsn,
            "GUERDON_PORT": str(port),
            "GUERDON_DATA_DIR": folder,
            "GUERDON_DRAIN_SECONDS": "0",
            "GUERDON_WORKER_IN_SERVE": "false",
        }
        command = [sys.executable, "-c", "from guerdon.cli import main; main()", "serve"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            if not _is_ready(port, process):
                log.seek(0)
                raise AssertionError("the server is not ready:\n" + log.read()[-4000:])
            yield port
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server comes to answer /ready with 200, within half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), Clients(HOST, [port], 1) as one:
            if one.release([b"GET /ready HTTP/1.1\r\nhost: guerdon\r\n\r\n"])[0].status == 200:
                return True
        time.sleep(0.1)
    return False


@pytest_asyncio.fixture(scope="module")
async def shop(durable_database_url: str) -> AsyncIterator[Shop]:
    """A shop on two servers that share a database."""
    pool = await db.open_pool(durable_database_url, size=2)
    made = await create_project(pool, "races")
    headers = {"X-App-Id": made.app_id, "X-App-Token": made.app_token}
    with serving(durable_database_url) as first, serving(durable_database_url) as second:
        it = Shop(HOST, [first, second], headers, made.project_id, pool)
        yield it
        it.close()
    await pool.close()


@pytest.fixture
def rounds() -> int:
    """Rounds of a race: 20 while developing, 200 for a proof (`GUERDON_PROVE=1`)."""
    return 200 if PROVE else 20


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
