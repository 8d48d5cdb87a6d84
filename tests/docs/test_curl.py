"""Every curl command of README.md and docs/ is run, page by page in its order, against a new project.

A page makes what it uses. `$GUERDON` is the address, which may also be written http://127.0.0.1:8770; `$KEYS` are the
headers of a key, `$APP_ID` and `$APP_TOKEN` its halves. `r_...` is the last id of that kind among the answers so far.
"""

import os
import re
import shlex
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from servers import HOST, serving

from guerdon.kit import db
from guerdon.projects.bootstrap import Credentials, create_project

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8770"
SECONDS = 60

# Answers are kept to take ids from; an answer that is no success ends the page.
PRELUDE = """
set -euo pipefail
curl() { command curl --fail-with-body --silent --show-error "$@" | tee -a answers; }
last() { grep -o "\\"id\\":\\"$1[^\\"]*" answers | tail -1 | cut -d '"' -f 4; }
"""
FENCE = re.compile(r"^```(?:sh|bash|shell|console)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
STARTS = re.compile(r"(?:\$ )?((?:\w+=\"?\$\()?curl\b)")


def pages() -> list[Path]:
    """The documents that show a curl command."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if page.exists() and list(commands(page.read_text()))]


def commands(text: str) -> Iterator[str]:
    """The curl commands of a document; one goes on over lines until its quotes and brackets are closed."""
    for block in FENCE.findall(text):
        lines = iter(block.splitlines())
        for line in lines:
            if STARTS.match(line) is None:
                continue
            command = line.removeprefix("$ ")
            while not _is_whole(command):
                command += "\n" + next(lines)
            yield command


def _is_whole(command: str) -> bool:
    if command.endswith("\\") or command.count("$(") > command.count(")"):
        return False
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


def _ready(command: str) -> str:
    return re.sub(r"\b([a-z]+_)(?:\.\.\.|…)", r"$(last \1)", command)


WRITTEN = """
```sh
make demo
$ curl -X POST \\
  a/camp_... -d '{
"b": 1}'
ID=$(curl b |
  sed s/a/b/)
```
```json
curl no
```
"""


def test_commands_are_found_whole() -> None:
    found = list(commands(WRITTEN))
    assert found == ["curl -X POST \\\n  a/camp_... -d '{\n\"b\": 1}'", "ID=$(curl b |\n  sed s/a/b/)"]
    assert _ready(found[0]).splitlines()[1] == "  a/$(last camp_) -d '{"


@pytest_asyncio.fixture(scope="module")
async def address(database_url: str) -> AsyncIterator[str]:
    """A running server with a worker, on the module's database."""
    with serving(database_url, GUERDON_REQUIRE_DURABILITY="false") as running:
        yield f"http://{HOST}:{running.port}"


@pytest_asyncio.fixture
async def keys(database_url: str) -> Credentials:
    """Keys of a new project."""
    pool = await db.open_pool(database_url, size=2)
    made = await create_project(pool, f"docs {uuid.uuid4().hex}")
    await pool.close()
    return made


def run(page: str, address: str, keys: Credentials, folder: Path) -> subprocess.CompletedProcess[str]:
    """All commands of a page, in one shell that ends at the first failure."""
    headers = f"-H X-App-Id:{keys.app_id} -H X-App-Token:{keys.app_token} -H Content-Type:application/json"
    names = {"GUERDON": address, "KEYS": headers, "APP_ID": keys.app_id, "APP_TOKEN": keys.app_token}
    script = [PRELUDE]
    for command in commands(page):
        script += [f"echo {shlex.quote('>> ' + command)} >&2", _ready(command).replace(ADDRESS, address)]
    return subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env=os.environ | names,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_curl_command_works(page: Path, address: str, keys: Credentials, tmp_path: Path) -> None:
    done = run(page.read_text(), address, keys, tmp_path)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"


def test_a_command_that_fails_is_noticed(address: str, keys: Credentials, tmp_path: Path) -> None:
    page = "```sh\ncurl -s $KEYS $GUERDON/v1/vouchers\ncurl $KEYS $GUERDON/v1/vouchers/nothing\n```\n"
    done = run(page, address, keys, tmp_path)
    assert done.returncode != 0
    assert '"data_ref":"vouchers"' in done.stdout
    assert '"key":"not_found"' in done.stdout
