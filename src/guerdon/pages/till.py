"""The shop's till: its few requests, made with the demo's server key, which never leaves this process.

A visitor names a basket and codes; the order is made here, from the basket as it was stored.
"""

from collections.abc import Awaitable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from guerdon.kit import clock, db
from guerdon.kit.auth import CALLER_BY_APP_ID, Caller
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.web import ENCODER
from guerdon.pages import demo_file, store
from guerdon.pages.demo_file import DemoFile, ShopBasket, ShopLine, ShopOffer
from guerdon.redemptions import api as redemptions
from guerdon.redemptions.shapes import RollbackIn, ValidationIn

Visit = Annotated[str, Meta(pattern="^[A-Za-z0-9-]{8,64}$")]
Codes = Annotated[list[Annotated[str, Meta(min_length=1, max_length=512)]], Meta(min_length=1, max_length=30)]


class Asked(Struct):
    """A basket with codes; `visit` is one time through the till, and names its order."""

    basket: str
    codes: Codes
    visit: Visit


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
    now: str
    timezone: str


class Counters(Struct):
    """The running campaigns, and how many redemptions were refused."""

    campaigns: list[store.Counter]
    refused: int


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
    return Shop(file.baskets, file.offers, file.mistyped, file.delivery, clock.iso(now), file.timezone)


async def read_counters(call: Call) -> Counters:
    """How the campaigns stand."""
    file, _ = await _demo(call)
    pool = call.state.pool
    now = await clock.database_now(pool)
    return Counters(
        await store.counters(pool, file.project_id, now), await store.refused(pool, file.project_id)
    )


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
    basket = next((b for b in file.baskets if b.id == data.basket), None)
    if basket is None:
        raise not_found("basket", data.basket)
    request = request_of(file, basket, data)
    return _inner(call, caller, path, request, key), msgspec.convert(request, ValidationIn)


def request_of(file: DemoFile, basket: ShopBasket, data: Asked) -> dict[str, Any]:
    """What a shop would send to the API for this basket."""
    lines = [*basket.lines, file.delivery] if file.delivery else basket.lines
    return {
        "redeemables": [{"object": "voucher", "id": code} for code in data.codes],
        "order": {
            "source_id": f"shop-{data.visit}",
            "items": [
                {
                    "source_id": line.source_id,
                    "related_object": "product",
                    "quantity": line.quantity,
                    "amount": line.amount,
                    "product": {"source_id": line.source_id, "name": line.name},
                }
                for line in lines
            ],
        },
        "customer": {"source_id": basket.household},
        "options": {"explain": True},
    }


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
