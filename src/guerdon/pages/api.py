"""Routes of the pages. They are public; the shop's answer 404 unless `guerdon demo` runs the server."""

from typing import Any, Literal

from guerdon.kit.call import Call, Reply, Route
from guerdon.pages import club_page, docs, files, till
from guerdon.pages.page import page

HTML = "text/html"
# Not exactly JSON's media type: the till is the shop's own business and no part of the API's document.
TILL_JSON = "application/json; charset=utf-8"


async def read_demo(call: Call) -> Reply:
    """The shop."""
    if not call.state.settings.demo:
        return page("closed.html", 404)
    return page("demo.html")


def _route(method: Literal["GET", "POST"], path: str, handler: Any, media_type: str) -> Route:
    return Route(
        method=method, path=path, handler=handler, tag="Pages", access="public", media_type=media_type,
        kind="read" if method == "GET" else "flow",
    )  # fmt: skip


ROUTES = [
    _route("GET", "/docs", docs.read_docs, HTML),
    _route("GET", "/demo", read_demo, HTML),
    _route("GET", "/demo/club", club_page.read_club, HTML),
    _route("GET", "/demo/api/shop", till.read_shop, TILL_JSON),
    _route("GET", "/demo/api/counters", till.read_counters, TILL_JSON),
    _route("POST", "/demo/api/qualifications", till.qualify, TILL_JSON),
    _route("POST", "/demo/api/validations", till.try_codes, TILL_JSON),
    _route("POST", "/demo/api/sorting", till.choose_sorting, TILL_JSON),
    _route("POST", "/demo/api/redemptions", till.redeem_codes, TILL_JSON),
    _route("POST", "/demo/api/redemptions/{redemption_id}/rollback", till.give_back, TILL_JSON),
    *files.ROUTES,
]
