"""The engine keeps to itself: what it imports, what it never calls, and its examples."""

import ast
import doctest
import importlib
import sys
from pathlib import Path

import pytest

from guerdon import engine

MODULES = sorted(Path(engine.__file__).parent.glob("*.py"))
NAMES = [path.stem for path in MODULES if path.stem != "__init__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_engine_is_pure(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "msgspec" or name.startswith("guerdon.engine"), (
                name
            )
            assert top not in {"random", "secrets", "os", "io", "socket", "threading", "asyncio"}, name
        if isinstance(node, ast.Attribute):
            assert (
                node.attr not in {"now", "utcnow", "today", "time_ns", "monotonic"}
                or not isinstance(node.value, ast.Name)
                or node.value.id not in {"datetime", "date", "time"}
            ), ast.dump(node)
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"a float in {path.name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"float", "open", "print"}
        if isinstance(node, ast.BinOp):
            # The one true division takes the middle of two instants; the other divides a Decimal.
            assert not isinstance(node.op, ast.Div) or path.stem in {"opening", "discount"}


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_run(name):
    assert doctest.testmod(importlib.import_module(f"guerdon.engine.{name}")).failed == 0


def test_what_is_exported_is_there():
    assert len(engine.__all__) == len(set(engine.__all__))
    for name in engine.__all__:
        assert getattr(engine, name) is not None
