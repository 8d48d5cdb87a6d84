"""The shop's till: its few requests, made with the demo's server key, which never leaves this process.

A visitor names a basket, how much of its lines, promotions and codes; the order is made here, at the prices stored.
"""

from collections.abc import Awaitable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from guerdon.categories import stacking
from guerdon.definitions.changes import changed
from guerdon.kit import clock, db
from guerdon.kit.auth import CALLER_BY_APP_ID, Caller
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.web import ENCODER
from guerdon.pages import demo_file, store
from guerdon.pages.asked import Asked, Goods, Visit, cart_of, request_of
from guerdon.pages.demo_file import DemoFile, ShelfLine, ShopBasket, ShopLine, ShopOffer, ShopPromotion
from guerdon.qualifications import api as qualifications
from guerdon.qualifications.shapes import QualificationIn
from guerdon.redemptions import api as redemptions
from guerdon.redemptions.shapes import RollbackIn, ValidationIn

PROMOTIONS_ALONE = {
    "limit": 50,
    "explain": True,
    "filters": {"junction": "and", "resource_type": {"conditions": {"$is": ["promotion_tier"]}}},
}


class Returned(Struct):
    """Lines that come back, by their index; none means all."""

    visit: Visit
    items: Annotated[list[Annotated[int, Meta(ge=0, le=499)]], Meta(max_length=500)] | None = None


class Shop(Struct):
    """What the page starts with."""

    baskets: list[ShopBasket]
    offers: list[ShopOffer]
    mistyped: str
    delivery: ShopLine | None
    promotions: list[ShopPromotion]
    names: dict[str, str]
    shelf: list[ShelfLine]
    now: str
    timezone: str


class Counters(Struct):
    """The running campaigns of codes, the promotions, and how many redemptions were refused."""

    campaigns: list[store.Counter]
    promotions: list[store.PromotionCounter]
    refused: int


class Sorting(Struct):
    """The rule by which the project's promotions and codes are put together."""

    rule: Literal["CATEGORY_HIERARCHY", "BEST_DEAL"]


class Answered(Struct):
    """A request as it went to the API, and its answer: `status` is the HTTP code."""

    path: str
    request: msgspec.Raw
    status: int
    answer: msgspec.Raw


async def read_shop(call: Call) -> Shop:
    """Baskets to choose from, and codes to try."""
    file, _ = await _demo(call)
    now = await clock.database_now(call.state.pool)
    return Shop(
        file.baskets, file.offers, file.mistyped, file.delivery, file.promotions, file.names, file.shelf, clock.iso(now),
        file.timezone,
    )  # fmt: skip


async def read_counters(call: Call) -> Counters:
    """How the campaigns stand."""
    file, _ = await _demo(call)
    pool = call.state.pool
    now = await clock.database_now(pool)
    return Counters(
        await store.counters(pool, file.project_id, now),
        await store.promotion_counters(pool, file.project_id, file.promotions),
        await store.refused(pool, file.project_id),
    )


async def choose_sorting(call: Call, data: Sorting) -> Sorting:
    """Change how the project's promotions are put together.

    Of its stacking rules only this may be changed here.
    """
    _same_site(call)
    file, _ = await _demo(call)
    async with db.transaction(call.state.pool) as conn:
        await stacking.lock(conn, file.project_id)
        known = await stacking.read(conn, file.project_id)
        if known is None:
            raise not_found("stacking rules", file.project_id)
        if known.redeemables_sorting_rule == data.rule:
            return data
        await stacking.change(conn, file.project_id, known, {"redeemables_sorting_rule": data.rule})
        await changed(conn, file.project_id, [("stacking", file.project_id)])
    return data


async def qualify(call: Call, data: Goods) -> Answered:
    """Ask which promotions this basket may have, and what is missing for the others."""
    _same_site(call)
    file, caller = await _demo(call)
    request = cart_of(file, data) | {"options": PROMOTIONS_ALONE}
    inner = _inner(call, caller, "/v1/qualifications", request, None)
    return await _answered(inner, qualifications.qualify(inner, msgspec.convert(request, QualificationIn)))


async def try_codes(call: Call, data: Asked) -> Answered:
    """Validate."""
    inner, body = await _asked(call, data, "/v1/validations", None)
    return await _answered(inner, redemptions.validate(inner, body))


async def redeem_codes(call: Call, data: Asked) -> Answered:
    """Redeem; the visit is the Idempotency-Key, so that a second click pays nothing twice."""
    inner, body = await _asked(call, data, "/v1/redemptions", data.visit)
    return await _answered(inner, redemptions.redeem(inner, body))


async def give_back(call: Call, redemption_id: str, data: Returned) -> Answered:
    """Take a redemption back, whole or for some lines."""
    _same_site(call)
    _, caller = await _demo(call)
    request: dict[str, Any] = {"reason": "returned at the demo till"}
    if data.items:
        request["items"] = [{"index": index} for index in data.items]
    part = "-".join(map(str, data.items or ["all"]))
    path = f"/v1/redemptions/{redemption_id}/rollbacks"
    inner = _inner(call, caller, path, request, f"{data.visit}-{part}")
    body = msgspec.convert(request, RollbackIn)
    return await _answered(inner, redemptions.roll_back_stack(inner, redemption_id, body))


async def _asked(call: Call, data: Asked, path: str, key: str | None) -> tuple[Call, ValidationIn]:
    _same_site(call)
    file, caller = await _demo(call)
    request = request_of(file, data)
    return _inner(call, caller, path, request, key), msgspec.convert(request, ValidationIn)


async def _answered(inner: Call, made: Awaitable[Any]) -> Answered:
    try:
        reply = await made
        if not isinstance(reply, Reply):
            reply = Reply(reply)
        status, content = reply.status, reply.content
    except ApiError as error:
        status, content = error.status, error.body(inner.request_id, inner.path)
    raw = content if isinstance(content, bytes) else ENCODER.encode(content)
    return Answered(inner.path, msgspec.Raw(inner.body), status, msgspec.Raw(raw))


async def _demo(call: Call) -> tuple[DemoFile, Caller]:
    """The demo's file and key. Raises `ApiError` 404 when this server is not a demo."""
    settings = call.state.settings
    file = demo_file.read(settings.data_path) if settings.demo else None
    caller = await db.row(call.state.pool, Caller, CALLER_BY_APP_ID, file.app_id) if file else None
    if file is None or caller is None:
        raise not_found("page", call.path)
    return file, caller


def _same_site(call: Call) -> None:
    """Refuse what another site's page sent: the till has no login, so it must not be used through a browser."""
    site = call.header("Sec-Fetch-Site")
    kind = (call.header("Content-Type") or "").partition(";")[0].strip().lower()
    if site not in (None, "same-origin", "none") or kind != "application/json":
        raise ApiError(403, "forbidden", "Forbidden", "Only the shop's own page may use its till.")


def _inner(call: Call, caller: Caller, path: str, request: dict[str, Any], key: str | None) -> Call:
    headers = {b"idempotency-key": f"shop-{key}".encode()} if key else {}
    return Call(
        call.state,
        caller,
        request_id=call.request_id,
        method="POST",
        path=path,
        query_string=b"",
        headers=headers,
        body=msgspec.json.encode(request),
        receive=call.receive,
    )
