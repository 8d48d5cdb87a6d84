"""The docs hold together: links lead somewhere, commands exist, and nothing names a machine's own paths."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.cli import app as commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAKE = re.compile(r"\bmake ([a-z]+)\b")
GUERDON = re.compile(r"\bguerdon ([a-z]+)\b")
OF_A_MACHINE = re.compile(
    r"(?<![\w.])/(?:home|root|work|Users|tmp/\w)\b|127\.0\.0\.1:(?!8770)\d|localhost:\d"
)
NOT_COMMANDS = {"guerdon", "user", "name"}  # `docker compose exec guerdon guerdon …`
# Where the embedded database is put when root starts it: see docs/operate/postgres.md.
PATHS_OF_THE_PROGRAM = ("below `/root`",)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> str:
    """What a page shows as code, in blocks or between backticks."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*FENCE.findall(text), *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])


def anchors(page: Path) -> set[str]:
    """The places of a page that a link may name: its headings, as hosts of code write them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(index))}
    pages = {page for page in PAGES if page.parent != ROOT and page != index}
    assert sorted(name_of(page) for page in pages - linked) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(code(page))) <= targets
    known = {name for name in commands if not name.startswith("-")} | NOT_COMMANDS
    assert set(GUERDON.findall(code(page))) <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_of_a_machine_is_named(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for allowed in PATHS_OF_THE_PROGRAM:
        text = text.replace(allowed, "")
    assert OF_A_MACHINE.findall(text) == []


def test_the_promise_of_the_plan_is_in_the_readme() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").replace("> ", "").split())
    for part in ("never lost", "never happens twice", "no limit is ever exceeded", "at least once"):
        assert part in readme


def test_every_concept_of_the_api_has_its_events_and_reasons_told() -> None:
    """Reasons of the engine and events of the code stand in the pages that list them."""
    from guerdon.engine import Reason

    told = (ROOT / "docs/concepts/validation-and-redemption.md").read_text(encoding="utf-8")
    assert [reason.key for reason in Reason if f"`{reason.key}`" not in told] == []
    events = (ROOT / "docs/concepts/jobs-and-events.md").read_text(encoding="utf-8")
    written = {
        found
        for path in (ROOT / "src/guerdon").rglob("*.py")
        for found in re.findall(r"Event\(\s*\"([a-z._]+)\"", path.read_text(encoding="utf-8"))
    }
    assert written
    assert sorted(event for event in written if f"`{event}`" not in events) == []
