"""A real server with a stocked shop, and a real browser."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from guerdon.demo import store
from guerdon.demo.importing import public_campaign
from guerdon.demo.making import make_promotions
from guerdon.demo.offers import MISTYPED, public_offers
from guerdon.demo.shop import DELIVERY, shop_offers
from guerdon.kit import db
from guerdon.pages import demo_file
from guerdon.pages.demo_file import DemoFile, ShelfLine, ShopBasket, ShopLine
from guerdon.projects.bootstrap import add_management_key, create_project
from guerdon.serving import check_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NASTY = "<img src=x onerror=alert(1)>"
LINES = [
    ShopLine("product-1", "Milk", "own brand", 2, 398),
    ShopLine("product-2", NASTY, "20 oz", 1, 250),
    ShopLine("product-3", "Coffee", "", 1, 952),
]
BASKETS = [
    ShopBasket("31198570044", "household-900", "35–44, 2 adults and kids", "2026-11-21T11:53", LINES, []),
    ShopBasket("31198570047", "household-67", NASTY, "2026-11-21T15:43", LINES[:1], []),
]
SHELF = [
    ShelfLine("product-4", "Bananas", "", 128, "Produce"),
    ShelfLine("product-5", "Sliced turkey", "", 350, "Deli"),
    ShelfLine("product-6", "White bread", "20 oz", 200, "Bakery"),
    ShelfLine("product-7", "Cheese", NASTY, 600, "Dairy"),
]
FACTS = {
    "product-4": {"department": "Produce"},
    "product-5": {"department": "Deli"},
    "product-6": {"category": "Baked bread buns rolls"},
    "product-7": {"category": "Cheese"},
}


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(dsn: str, folder: Path, log: Path) -> Iterator[str]:
    """A demo's server on a free port; its address."""
    port = free_port()
    check_port("127.0.0.1", port)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")}
    environment |= {
        "DATABASE_URL": dsn,
        "GUERDON_PORT": str(port),
        "GUERDON_DATA_DIR": str(folder),
        "GUERDON_DEMO": "true",
        "GUERDON_DRAIN_SECONDS": "0",
        "GUERDON_WORKER_IN_SERVE": "false",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from guerdon.cli import main; main()", "serve"],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            wait_until_live(f"http://127.0.0.1:{port}/live", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_live(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers. Fails with its log."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1).close()
            return
        time.sleep(0.1)
    raise AssertionError("the server does not answer:\n" + log.read_text()[-4000:])


@pytest_asyncio.fixture(scope="module")
async def address(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where a demo's server answers."""
    folder = tmp_path_factory.mktemp("demo")
    pool = await db.open_pool(database_url, size=1)
    made = await create_project(pool, "demo", "America/New_York")
    now = datetime.now(UTC)
    await store.add_campaigns(pool, made.project_id, [public_campaign(offer) for offer in public_offers(now)])
    stock = [store.Product(line.source_id, line.name, line.price, FACTS[line.source_id]) for line in SHELF]
    await store.add_products(pool, made.project_id, stock, now)
    management = await add_management_key(pool, made.project_id)
    await pool.close()
    content = DemoFile(
        made.project_id,
        made.app_id,
        made.app_token,
        "America/New_York",
        BASKETS,
        shop_offers(now),
        MISTYPED,
        DELIVERY,
        shelf=SHELF,
    )
    demo_file.write(folder, content)
    with serving(database_url, folder, folder / "server.log") as it:
        server = urlsplit(it)
        promised = make_promotions((str(server.hostname), server.port or 80), content, management)
        content.promotions, content.names = promised.promotions, promised.names
        demo_file.write(folder, content)
        yield it


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, as the machine has it."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert path, "the browser tests need Chromium; `make browser` installs it or says how"
    async with async_playwright() as playwright:
        it = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield it
        await it.close()


@pytest_asyncio.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
async def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page that fails its test when anything is written to the console, any script throws or a dialog opens."""
    width, height = request.param
    context = await browser.new_context(base_url=address, viewport={"width": width, "height": height})
    it = await context.new_page()
    faults: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        faults.append(f"console: {message.text}")

    it.on("console", heard)
    it.on("pageerror", lambda problem: faults.append(f"error: {problem}"))
    it.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    it.on(
        "request",
        lambda sent: (
            None if sent.url.startswith((address, "data:")) else faults.append(f"went to {sent.url}")
        ),
    )
    it.set_default_timeout(10_000)
    yield it
    await context.close()
    assert faults == []
