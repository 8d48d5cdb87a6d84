"""The rules of the house, held by walking the source."""

import ast
import re
import sys
from pathlib import Path

import pytest

from .source import PACKAGE, ROOT, files, imports, name, python, tree

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60
BANNED = {
    "service",
    "services",
    "manager",
    "repository",
    "helper",
    "helpers",
    "utils",
    "util",
    "common",
    "base",
    "misc",
}

# Who reads a clock beside kit/clock.py, and why. The list may only get shorter.
CLOCKS = {
    "src/guerdon/kit/clock.py",
    "src/guerdon/kit/ids.py",  # ids begin with the time; nothing is decided by it
    "src/guerdon/kit/postgres.py",  # waits for a server to start
    "src/guerdon/serving.py",  # waits for processes to stop
}

# Who knows the driver beside the kit.
DRIVERS = {"src/guerdon/doctor.py"}  # looks at databases that the kit would not open


@pytest.mark.parametrize("path", python("src", "tests", "bench"), ids=name)
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES, "split it by noun"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 <= MOST_LINES_OF_A_FUNCTION, f"{node.name} is too long"


def test_nothing_is_called_by_what_it_is_not() -> None:
    bad = [name(path) for path in files() if BANNED & set(path.relative_to(ROOT).with_suffix("").parts)]
    assert bad == []


def reads_a_clock(path: Path) -> bool:
    if {"time"} & set(imports(path)):
        return True
    reading = {"now", "utcnow", "today"}
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in reading
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("datetime", "date")
        for node in ast.walk(tree(path))
    )


def test_only_the_clock_reads_the_clock() -> None:
    assert {name(path) for path in python("src") if reads_a_clock(path)} == CLOCKS


def test_only_the_kit_knows_the_driver() -> None:
    knowing = {
        name(path) for path in python("src") if any(m.split(".")[0] == "asyncpg" for m in imports(path))
    }
    assert {path for path in knowing if not path.startswith("src/guerdon/kit/")} == DRIVERS


def test_only_the_applications_edge_knows_litestar() -> None:
    knowing = {
        name(path) for path in python("src") if any(m.split(".")[0] == "litestar" for m in imports(path))
    }
    assert knowing == {"src/guerdon/app.py", "src/guerdon/kit/web.py"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "engine").glob("*.py")), ids=lambda path: path.stem)
def test_the_engine_stands_on_nothing(path: Path) -> None:
    for module in imports(path):
        top = module.split(".")[0]
        assert top in sys.stdlib_module_names | {"msgspec"} or module.startswith("guerdon.engine"), module


@pytest.mark.parametrize("path", python("src"), ids=name)
def test_modules_say_what_they_are(path: Path) -> None:
    if path.stat().st_size == 0:
        return
    assert ast.get_docstring(tree(path)), "a module begins with a sentence about itself"


@pytest.mark.parametrize("path", python("src"), ids=name)
def test_what_others_use_is_described(path: Path) -> None:
    for node in tree(path).body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or "overload" in ast.dump(node), f"{node.name} has no docstring"


# Pieces, so that this file does not find itself.
HOSTS = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "ghcr" + ".io",
]
PLACES = [
    r"(?<![\w.])/" + "work/",
    r"(?<![\w.])/" + r"root/\w",
    r"/" + r"Users/\w",
    r"/" + r"home/(?!guerdon\b)\w",
]
ELSEWHERE = re.compile("|".join([re.escape(host) for host in HOSTS] + PLACES))


def test_no_machine_and_no_registry_is_named() -> None:
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {hit[0]}" for hit in ELSEWHERE.finditer(text)]
    assert found == []


def test_tests_do_not_skip() -> None:
    skipping = re.compile(r"pytest\.(skip|xfail)\(|mark\.(skip|skipif|xfail)\b" + r"|importorskip")
    this = Path(__file__)
    bad = [name(p) for p in python("tests") if p != this and skipping.search(p.read_text(encoding="utf-8"))]
    assert bad == []


def test_tests_assert_something() -> None:
    """Each test asserts, expects an error, or calls what does."""
    functions = [
        (path, node) for path in python("tests") for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]  # fmt: skip
    asserting = {"raises", "assert_called"}
    for _ in range(3):  # a test's call, a call of that, and once more
        asserting |= {node.name for _, node in functions if _asserts(node, asserting)}
    bad = [
        f"{name(path)}::{node.name}"
        for path, node in functions
        if node.name.startswith("test_") and node.name not in asserting
    ]
    assert bad == []


def _asserts(function: ast.AST, asserting: set[str]) -> bool:
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in asserting)
        for node in ast.walk(function)
    )
