"""The real application with two more endpoints beside the real ones, for bench/http_load.py to compare with."""

from typing import Any

from ground import Naive

from guerdon.app import App
from guerdon.kit import db
from guerdon.kit.call import Call, Reply, Route
from guerdon.redemptions.asks import redeem_ask
from guerdon.redemptions.shapes import ValidationIn
from guerdon.settings import Settings

# As long as the answer to a redemption is said to be: 3 KB of JSON.
ANSWER = b'{"order":{"items":[' + b",".join(b'{"object":"order_item","amount":%d,"name":"%s"}' % (n, b"x" * 60) for n in range(28)) + b"]}}"  # fmt: skip

_naive: dict[str, Naive] = {}


async def echo(call: Call, data: ValidationIn) -> Any:
    """Authenticated, decodes the body, answers 3 KB, and does nothing."""
    assert data.redeemables
    return Reply(ANSWER)


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
        Route(method="POST", path=f"/v1/bench/{name}", handler=handler, tag="Bench", kind="flow", hot=True)
        for name, handler in (("echo", echo), ("naive", naive))
    ]
    return App(settings, more)
