"""Tables that the program keeps of itself: settings, routes, ids, errors. Each is whole, and told in the docs."""

import ast
import re
from collections.abc import Iterator

import msgspec
import pytest

from guerdon import app
from guerdon.engine.reasons import Reason
from guerdon.kit.call import Route
from guerdon.kit.ids import PREFIXES
from guerdon.settings import describe

from .source import ROOT, python, texts, tree

ERRORS = ROOT / "docs/concepts/errors.md"
SETTINGS = ROOT / "docs/operate/settings.md"

# Calls that take an error's key, and where in them it stands.
TAKES_KEY = {"ApiError": 1, "EngineError": 2, "_invalid": 0}
KEY = re.compile(r"[a-z]+(_[a-z]+)+|unauthorized|unavailable|forbidden")


def test_every_setting_is_documented() -> None:
    page = SETTINGS.read_text(encoding="utf-8")
    for variable, default, _, meaning in describe():
        assert f"`{variable}`" in page, f"{variable} is not on the page"
        assert meaning.split(".")[0] in page, f"what {variable} means is not on the page"
        assert default == "" or default in page
    named = {
        one for one in re.findall(r"`(GUERDON_[A-Z_]+)`", page) if not one.startswith("GUERDON_SERVICE_")
    }
    assert named <= {variable for variable, *_ in describe()} | {"GUERDON_CONFIG"}


def operations() -> Iterator[tuple[str, str, dict]]:
    document = msgspec.json.decode(app.openapi())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@pytest.mark.parametrize("route", app.routes(), ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_documented(route: Route) -> None:
    doc = (route.handler.__doc__ or "").strip()
    first = doc.split("\n")[0]
    assert re.fullmatch(r"[A-Z0-9].{4,100}[.?!]", first), f"a summary is one short sentence, not {first!r}"


def test_the_document_has_every_operation_once() -> None:
    found = {(method, path): operation for method, path, operation in operations()}
    served = {
        (r.method, r.path)
        for r in app.routes()
        if r.access == "server" and r.media_type == "application/json"
    }
    assert served <= found.keys()
    ids = [operation["operationId"] for operation in found.values()]
    assert len(ids) == len(set(ids))
    for operation in found.values():
        assert operation["summary"] and operation["tags"]


def test_the_document_tells_of_keys() -> None:
    for method, path, operation in operations():
        asked = any(r.access != "public" for r in app.routes() if (r.method, r.path) == (method, path))
        assert bool(operation.get("security")) is asked, path


def used_kinds() -> set[str]:
    kinds = set()
    for path in python("src"):
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).split(".")[-1] in ("new_id", "new_ids")
                and node.args
            ):
                kinds |= {c.value for c in ast.walk(node.args[0]) if isinstance(c, ast.Constant)}
    return kinds


def test_ids_are_of_kinds_that_are_there() -> None:
    assert used_kinds() <= PREFIXES.keys()
    assert len(set(PREFIXES.values())) == len(PREFIXES)
    assert all(re.fullmatch(r"[a-z]+_", prefix) for prefix in PREFIXES.values())


def used_keys() -> set[str]:
    """The error keys in the source: the engine's reasons, what errors are made with, and ``key=…``."""
    keys = {reason.key for reason in Reason}
    for path in python("src"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KEY":
                keys |= set(texts(node.value).split())
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).split(".")[-1]
            place = TAKES_KEY.get(called)
            given = [k.value for k in node.keywords if k.arg == "key"]
            if place is not None and len(node.args) > place:
                given.append(node.args[place])
            if called in TAKES_KEY or called in ("invalid_payload", "fault_of", "engine_fault"):
                keys |= {key for value in given for key in texts(value).split() if KEY.fullmatch(key)}
    return keys


def test_every_error_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", ERRORS.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented >= used_keys(), sorted(used_keys() - documented)
    in_source = "\n".join(texts(tree(path)) for path in python("src"))
    gone = {key for key in documented if not re.search(rf"\b{key}\b", in_source)}
    assert gone == set(), "no longer answered by anything"
