"""Every Python example of the docs and of docstrings is run, and every HTTP example is sent and its answer compared.

An ``http`` block is a request line, headers, an empty line and a JSON body. A ``json`` block right behind it is the
answer, or the part of it that matters: an object may have more members than are shown, and ``…`` in a text stands for
anything. ``r_…`` in a request is the last id of that kind that came back, ``r_…2`` the second that ever came back, also
in an answer. Jobs are run as soon as they are asked for.
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from servers import HOST, serving
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from guerdon.app import App, create_app
from guerdon.kit import db, jobs
from guerdon.projects.bootstrap import add_management_key, create_project
from guerdon.settings import Settings
from guerdon.worker import jobs as all_jobs

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ADDRESS = "http://127.0.0.1:8770"
KEYS = '{"X-App-Id": "…", "X-App-Token": "…"}'
MODULES = sorted(
    path for path in (ROOT / "src/guerdon").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")
)
ANY = "…"

python_in_pages = Sybil([PythonCodeBlockParser(), SkipParser()], path=str(ROOT), pattern="*.md")
docstrings = Sybil([DocTestParser()], path=str(ROOT), pattern="*.py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


class Exchange(NamedTuple):
    """A request as a page shows it, and what of its answer is shown."""

    line: int
    method: str
    path: str
    headers: dict[str, str]
    body: str
    answer: Any


BLOCK = re.compile(r"^```http\n(.*?)^```\n(?:\n?```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def exchanges(text: str) -> Iterator[Exchange]:
    """The HTTP examples of a page, in their order."""
    for found in BLOCK.finditer(text):
        head, _, body = found[1].partition("\n\n")
        first, *lines = head.splitlines()
        method, _, path = first.partition(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        answer = None if found[2] is None else json.loads(found[2])
        yield Exchange(text.count("\n", 0, found.start()) + 1, method, path, headers, body.strip(), answer)


def differs(shown: Any, seen: Any, path: str = "$") -> str | None:
    """Where an answer is not as shown, or None."""
    if isinstance(shown, dict) and isinstance(seen, dict):
        missing = [f"{path}.{key} is missing" for key in shown if key not in seen]
        inner = (differs(value, seen[key], f"{path}.{key}") for key, value in shown.items() if key in seen)
        return next(iter([*missing, *filter(None, inner)]), None)
    if isinstance(shown, list) and isinstance(seen, list):
        if len(shown) != len(seen):
            return f"{path} has {len(seen)} elements, not {len(shown)}"
        pairs = enumerate(zip(shown, seen, strict=True))
        return next(filter(None, (differs(*pair, f"{path}[{n}]") for n, pair in pairs)), None)
    if shown == ANY:
        return None
    if isinstance(shown, str) and ANY in shown and isinstance(seen, str):
        pattern = ".*".join(re.escape(part) for part in shown.split(ANY))
        return None if re.fullmatch(pattern, seen, re.DOTALL) else f"{path} is {seen!r}, not {shown!r}"
    same = shown == seen and isinstance(shown, bool) == isinstance(seen, bool)
    return None if same else f"{path} is {seen!r}, not {shown!r}"


def ids_in(value: Any) -> Iterator[str]:
    """The ids of an answer, in the order in which they stand there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            named = key in ("id", "async_action_id") or (key == "key" and str(inner).startswith("ssn_"))
            if named and isinstance(inner, str):
                yield inner
            yield from ids_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from ids_in(inner)


class Reader:
    """Somebody who follows a page with keys of a new project."""

    def __init__(self, app: App, client: httpx.AsyncClient) -> None:
        self.app = app
        self.client = client
        self.last: dict[str, str] = {}
        self.known: dict[str, list[str]] = {}

    def remember(self, seen: Any) -> None:
        """The ids of an answer, for the requests after it."""
        for found in ids_in(seen):
            kind = found.partition("_")[0]
            self.last[kind] = found
            known = self.known.setdefault(kind, [])
            if found not in known:
                known.append(found)

    async def follow(self, exchange: Exchange) -> None:
        """Send the request, with the ids that came back so far, and look at the answer."""
        where = f"line {exchange.line}: {exchange.method} {exchange.path}"
        path, body = self._with_ids(exchange.path), self._with_ids(exchange.body)
        headers = {"Content-Type": "application/json", **exchange.headers}
        answer = await self.client.request(exchange.method, path, content=body.encode(), headers=headers)
        seen = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
        self.remember(seen)
        if exchange.method != "GET":
            assert self.app.state is not None
            await jobs.run_due(self.app.state.pool, all_jobs())
        expected = exchange.answer.get("code") if isinstance(exchange.answer, dict) else None
        wanted = expected if isinstance(expected, int) else None
        right = answer.status_code == wanted if wanted else answer.status_code < 300
        assert right, f"{where} → {answer.status_code}\n{answer.text}"
        if exchange.answer is not None:
            shown = json.loads(self._with_numbers(json.dumps(exchange.answer, ensure_ascii=False)))
            problem = differs(shown, seen)
            assert problem is None, f"{where}: {problem}\n{answer.text}"

    def _with_ids(self, text: str) -> str:
        return re.sub(r"\b([a-z]+)_…", lambda found: self.last[found[1]], self._with_numbers(text))

    def _with_numbers(self, text: str) -> str:
        return re.sub(r"\b([a-z]+)_…(\d)", lambda found: self.known[found[1]][int(found[2]) - 1], text)


@pytest_asyncio.fixture(scope="module")
async def app(database_url: str) -> AsyncIterator[App]:
    made = create_app(Settings(database_url=database_url, pool_size=4))
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def reader(app: App) -> AsyncIterator[Reader]:
    assert app.state is not None
    made = await create_project(app.state.pool, "the docs", "Europe/Warsaw", "EUR")
    managing = await add_management_key(app.state.pool, made.project_id)
    headers = {
        "X-App-Id": made.app_id,
        "X-App-Token": made.app_token,
        "X-Management-Id": managing.management_id,
        "X-Management-Token": managing.management_token,
    }
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://guerdon.test", headers=headers
    ) as client:
        reader = Reader(app, client)
        reader.last["proj"] = made.project_id
        yield reader


CONVERSATIONS = [page for page in PAGES if list(exchanges(text_of(page)))]


@pytest.mark.parametrize("page", CONVERSATIONS, ids=name_of)
async def test_http_examples_are_answered_as_shown(page: Path, reader: Reader) -> None:
    for exchange in exchanges(text_of(page)):
        await reader.follow(exchange)


def _run(sybil: Sybil, path: Path) -> int:
    document = sybil.parse(path)
    count = 0
    for example in document.examples():
        example.evaluate()
        count += 1
    return count


CODE = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def code_of(page: Path) -> str:
    """All Python of a page."""
    return "\n".join(textwrap.dedent(found[2]) for found in CODE.finditer(text_of(page)))


CALLING = [page for page in PAGES if ADDRESS in code_of(page)]
REASONING = [page for page in PAGES if code_of(page) and page not in CALLING]


@pytest.mark.parametrize("page", REASONING, ids=name_of)
def test_python_examples_run(page: Path) -> None:
    assert _run(python_in_pages, page) > 0


@pytest_asyncio.fixture(scope="module")
async def server(database_url: str) -> AsyncIterator[str]:
    """The address of a running server."""
    with serving(database_url, GUERDON_REQUIRE_DURABILITY="false") as running:
        yield f"http://{HOST}:{running.port}"


@pytest_asyncio.fixture
async def keys(database_url: str) -> dict[str, str]:
    """The headers of a new project's key."""
    pool = await db.open_pool(database_url, size=2)
    made = await create_project(pool, "the docs")
    await pool.close()
    return {"X-App-Id": made.app_id, "X-App-Token": made.app_token}


@pytest.mark.parametrize("page", CALLING, ids=name_of)
def test_python_that_calls_a_server_runs(page: Path, server: str, keys: dict[str, str]) -> None:
    code = code_of(page)
    assert KEYS in code
    script = code.replace(ADDRESS, server).replace(KEYS, repr(keys))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_docstrings_run(module: Path) -> None:
    assert _run(docstrings, module) > 0


async def test_a_wrong_answer_is_noticed(reader: Reader) -> None:
    page = '```http\nGET /v1/vouchers\n```\n\n```json\n{"total": 7}\n```\n'
    (wrong,) = exchanges(page)
    with pytest.raises(AssertionError, match="total is 0, not 7"):
        await reader.follow(wrong)
    (missing,) = exchanges("```http\nGET /v1/vouchers/none\n```\n")
    with pytest.raises(AssertionError, match="404"):
        await reader.follow(missing)
