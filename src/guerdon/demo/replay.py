"""The replay: a day of real baskets through the API of the running server, over HTTP, by a few tills at once."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from guerdon.demo.plan import Visit
from guerdon.kit import clock

TILLS = 8
READING = ("/v1/qualifications", "/v1/validations")
"""What changes nothing, and needs no Idempotency-Key."""

SERVED_BEFORE = "idempotency_key_reused"
"""The answer to a basket of a replay that was cut off: it was paid then, perhaps with other promotions than now."""


class Result(msgspec.Struct):
    """What the day came to. Amounts in cents, `seconds` of this machine's time.

    `redeemed` counts codes, `promoted` promotions; `discount` is what both gave, `by_promotions` the latter's part.
    """

    baskets: int = 0
    requests: int = 0
    with_code: int = 0
    redeemed: int = 0
    promoted: int = 0
    spent: int = 0
    discount: int = 0
    by_promotions: int = 0
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, other: "Result") -> None:
        """Take a till's part in."""
        self.refusals += other.refusals
        for name in ("baskets", "requests", "with_code", "redeemed", "promoted", "spent", "discount"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.by_promotions += other.by_promotions


class ReplayError(RuntimeError):
    """The server answered what it never should; the message holds its answer."""


class Till(threading.Thread):
    """Takes visits from the queue until it is empty or `stop` is set."""

    def __init__(
        self,
        address: tuple[str, int],
        headers: dict[str, str],
        queue: "SimpleQueue[Visit]",
        promotions: list[str],
        stop: threading.Event,
        served: Callable[[], None],
    ) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(*address, timeout=30)
        self.headers = headers
        self.queue = queue
        self.promotions = promotions
        self.stop = stop
        self.served = served
        self.result = Result()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    visit = self.queue.get_nowait()
                except Empty:
                    break
                self._serve(visit)
                self.served()
        except Exception as problem:  # told by whoever waits for this thread
            self.failure = problem
        finally:
            self.connection.close()

    def _serve(self, visit: Visit) -> None:
        self.result.baskets += 1
        self.result.with_code += bool(visit.codes)
        if not self._redeemed(visit):
            order = self._call("/v1/orders", visit.order | {"status": "PAID"}, visit)
            self.result.spent += order.get("total_amount") or 0

    def _redeemed(self, visit: Visit) -> bool:
        """Ask what applies by itself, try it with the codes, and redeem what goes together; whether that paid."""
        tiers = [{"object": "promotion_tier", "id": id} for id in self._qualified(visit)]
        codes = [{"object": "voucher", "id": code} for code in visit.codes]
        if not tiers and not codes:
            return False
        seen = self._call("/v1/validations", _asked(visit, tiers + codes), visit)
        self._refused(seen)
        applied = [one for one in seen["redeemables"] if one["status"] == "APPLICABLE"]
        if not seen["valid"] or not applied:
            return False
        request = _asked(visit, [{"object": one["object"], "id": one["id"]} for one in applied])
        made = self._call("/v1/redemptions", request, visit, allowed=(200, 400, 404, 422))
        if made.get("key") == SERVED_BEFORE:
            return True
        if "redemptions" not in made:  # somebody else was quicker between the two
            self.result.refusals[made.get("key", "refused")] += 1
            return False
        self._count(made)
        return True

    def _qualified(self, visit: Visit) -> list[str]:
        """The promotions that this basket may have."""
        if not self.promotions:
            return []
        request = {
            "order": visit.order,
            "customer": visit.order["customer"],
            "options": {
                "limit": 50,
                "filters": {"resource_type": {"conditions": {"$is": ["promotion_tier"]}}},
            },
        }
        listed = self._call("/v1/qualifications", request, visit)["redeemables"]["data"]
        fit = {one["id"] for one in listed}
        return [id for id in self.promotions if id in fit]

    def _count(self, made: dict[str, Any]) -> None:
        for one in made["redemptions"]:
            given = one.get("discount_amount", 0)  # a gift card pays
            self.result.discount += given
            if one["related_object_type"] == "promotion_tier":
                self.result.promoted += 1
                self.result.by_promotions += given
            else:
                self.result.redeemed += 1
        self.result.spent += made["order"]["total_amount"]

    def _refused(self, seen: dict[str, Any]) -> None:
        """Count why codes do not apply; promotions were only tried."""
        inapplicable = seen.get("inapplicable_redeemables", [])
        for each in inapplicable + seen.get("skipped_redeemables", []):
            if each["object"] == "voucher":
                self.result.refusals[each["result"]["details"]["key"]] += 1

    def _call(
        self, path: str, body: dict[str, Any], visit: Visit, allowed: tuple[int, ...] = (200,)
    ) -> dict[str, Any]:
        key = f"replay-{visit.name}-{path.rsplit('/', 1)[1]}"
        headers = self.headers if path in READING else self.headers | {"Idempotency-Key": key}
        self.connection.request("POST", path, msgspec.json.encode(body), headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.result.requests += 1
        if response.status not in allowed:
            raise ReplayError(
                f"POST {path} answered {response.status}: {answer[:500].decode(errors='replace')}"
            )
        return msgspec.json.decode(answer)


def _asked(visit: Visit, redeemables: list[dict[str, str]]) -> dict[str, Any]:
    return {"redeemables": redeemables, "order": visit.order, "customer": visit.order["customer"]}


def replay(
    address: tuple[str, int],
    headers: dict[str, str],
    visits: list[Visit],
    promotions: list[str],
    served: Callable[[], None],
    stop: threading.Event,
) -> Result:
    """Serve all visits, each with those of the `promotions` (ids of tiers) that it may have. Raises `ReplayError` (or what the network raised) when a till had to stop.

    The Idempotency-Keys name the baskets, so a replay done again redeems nothing twice.
    """
    queue: SimpleQueue[Visit] = SimpleQueue()
    for visit in visits:
        queue.put(visit)
    started = clock.monotonic()
    tills = [Till(address, headers, queue, promotions, stop, served) for _ in range(TILLS)]
    for till in tills:
        till.start()
    total = Result()
    for till in tills:
        till.join()
        total.add(till.result)
    total.seconds = clock.monotonic() - started
    for till in tills:
        if till.failure is not None and not stop.is_set():
            raise till.failure
    return total
