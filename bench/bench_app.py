"""The real application with two more endpoints beside the real ones, for bench/http_load.py to compare with."""

from typing import Any

from ground import Naive

from guerdon.app import App
from guerdon.engine import Order, OrderItem
from guerdon.kit import db
from guerdon.kit.call import Call, Route
from guerdon.redemptions.asks import redeem_ask
from guerdon.redemptions.shapes import ValidationIn
from guerdon.settings import Settings

# 3 KB as JSON, encoded for every answer as answers are.
ANSWER = Order(
    items=[
        OrderItem(source_id=f"sku-{n:04d}", quantity=1, amount=199, price=199, metadata={"name": "x" * 160})
        for n in range(11)
    ]
)

_naive: dict[str, Naive] = {}


async def decode_only(call: Call, data: ValidationIn) -> Order:
    """Authenticated, decodes the body, answers 3 KB, and does nothing."""
    assert data.redeemables
    return ANSWER


async def naive(call: Call, data: ValidationIn) -> Any:
    """The same redemption in a transaction of its own, on a pooled connection."""
    way = _naive.get("")
    if way is None:
        dsn = call.state.settings.database_url
        way = _naive[""] = Naive(await db.open_pool(dsn, size=16, settings=db.HOT))
    key = call.idempotency_key
    mark = b"" if key is None else call.fingerprint()
    return await way.write(
        redeem_ask(call.caller, call.request_id, call.path, data, dry=False, key=key, mark=mark)
    )


def create_app(settings: Settings) -> App:
    """For `python -m guerdon.serving web bench_app:create_app`."""
    more = [
        Route(method="POST", path="/v1/bench/decode", handler=decode_only, tag="Bench", kind="flow"),
        Route(
            method="POST",
            path="/v1/bench/decode-hot",
            handler=decode_only,
            tag="Bench",
            kind="flow",
            hot=True,
        ),
        Route(method="POST", path="/v1/bench/naive", handler=naive, tag="Bench", kind="flow", hot=True),
    ]
    return App(settings, more)
