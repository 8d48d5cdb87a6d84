"""Paths in the docs are there: each is a route, by the method that stands before it, and is written out."""

import re
from pathlib import Path

import pytest

from guerdon.app import routes

from .test_links import PAGES, name_of

PATH = re.compile(
    r"(?:\b(GET|POST|PUT|PATCH|DELETE) +)?(?<![\w…/}.])(/(?:v1|v2|client/v1|management/v1)(?:/[^\s`'\"|)\],;*]*)?)"
)
CALL = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE) +([…/][^\s`'\"|)\],;]*)")
REQUEST = re.compile(r"^((?:GET|POST|PUT|DELETE) )(/[!-~]+(?: [!-~]+)*)$", re.MULTILINE)
SHORT = re.compile(r"(?<![\w\-/])…/[a-z{]")
ROUTES = [(route.method, route.path.strip("/").split("/")) for route in routes()]
BESIDE = ("/docs", "/demo", "/health", "/ready", "/metrics", "/openapi", "/download")
"""What else answers."""
OTHERS = {"docs/compatibility.md"}
"""The table there is made of the reference's operations, those that are missing among them."""


def said(path: str) -> list[str]:
    """The segments of a path as it was written, without its query."""
    return path.split("?")[0].rstrip(".:/").strip("/").split("/")


def fits(written: list[str], route: list[str]) -> bool:
    """Whether a path is this route, or begins as it does where it ends in a "…"."""
    if written[-1] == "…":
        written = written[:-1]
        route = route[: len(written)]
    return len(written) == len(route) and all(
        there.startswith("{")
        if here.startswith("{") or "…" in here
        else here == there or there.startswith("{")
        for here, there in zip(written, route, strict=True)
    )


def text_of(page: Path) -> str:
    """A page, with the spaces in the paths of whole requests as they are sent."""
    text = page.read_text(encoding="utf-8")
    return REQUEST.sub(lambda line: line[1] + line[2].replace(" ", "%20"), text)


def wrong(text: str) -> list[str]:
    """Paths in a text that do not answer. Without a method, the beginning of a path is one too."""
    found = []
    for method, path in PATH.findall(text):
        written = said(path)
        if not any(
            (method in ("", is_) and fits(written, route))
            or (not method and fits(written, route[: len(written)]))
            for is_, route in ROUTES
        ):
            found.append(f"{method} {path}".strip())
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in OTHERS], ids=name_of)
def test_paths_are_routes(page: Path) -> None:
    text = text_of(page)
    assert wrong(text) == []
    assert [
        path for path in CALL.findall(text) if not path.startswith(("/v1", "/v2", "/management", *BESIDE))
    ] == []
    assert SHORT.findall(text) == []


def test_what_is_no_route_is_found() -> None:
    assert wrong("`GET /v1/vouchers/{code}`, `POST /v1/vouchers/A-1`, `/v1/loyalties`, `/v1/exports/…`") == []
    assert wrong("`GET /v1/voucher`") == ["GET /v1/voucher"]
    assert wrong("`PATCH /v1/vouchers/A`") == ["PATCH /v1/vouchers/A"]
    assert wrong("POST /v1/loyalties/camp_…/members/{code}/tiers") == [
        "POST /v1/loyalties/camp_…/members/{code}/tiers"
    ]
    assert wrong("/v2/loyalties/no-such-thing") == ["/v2/loyalties/no-such-thing"]
