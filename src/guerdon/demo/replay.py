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


class Result(msgspec.Struct):
    """What the day came to. Amounts in cents, `seconds` of this machine's time."""

    baskets: int = 0
    requests: int = 0
    with_code: int = 0
    redeemed: int = 0
    spent: int = 0
    discount: int = 0
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, other: "Result") -> None:
        """Take a till's part in."""
        self.baskets += other.baskets
        self.requests += other.requests
        self.with_code += other.with_code
        self.redeemed += other.redeemed
        self.spent += other.spent
        self.discount += other.discount
        self.refusals += other.refusals


class ReplayError(RuntimeError):
    """The server answered what it never should; the message holds its answer."""


class Till(threading.Thread):
    """Takes visits from the queue until it is empty or `stop` is set."""

    def __init__(
        self,
        address: tuple[str, int],
        headers: dict[str, str],
        queue: "SimpleQueue[Visit]",
        stop: threading.Event,
        served: Callable[[], None],
    ) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(*address, timeout=30)
        self.headers = headers
        self.queue = queue
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
        except (OSError, http.client.HTTPException, ReplayError) as problem:
            self.failure = problem
        finally:
            self.connection.close()

    def _serve(self, visit: Visit) -> None:
        self.result.baskets += 1
        if visit.codes:
            self.result.with_code += 1
            if self._with_codes(visit):
                return
        order = self._call("/v1/orders", visit.order | {"status": "PAID"}, visit)
        self.result.spent += order.get("total_amount") or 0

    def _with_codes(self, visit: Visit) -> bool:
        """Validate, then redeem; whether the order is paid by that."""
        request = {
            "redeemables": [{"object": "voucher", "id": code} for code in visit.codes],
            "order": visit.order,
            "customer": visit.order["customer"],
        }
        seen = self._call("/v1/validations", request, visit)
        if not seen["valid"]:
            self._refused(seen)
            return False
        made = self._call("/v1/redemptions", request, visit, allowed=(200, 400, 404))
        if "redemptions" not in made:  # somebody else was quicker between the two
            self.result.refusals[made.get("key", "refused")] += 1
            return False
        self.result.redeemed += len(made["redemptions"])
        self.result.discount += made["order"]["total_applied_discount_amount"]
        self.result.spent += made["order"]["total_amount"]
        return True

    def _refused(self, seen: dict[str, Any]) -> None:
        for each in seen.get("inapplicable_redeemables", seen["redeemables"]):
            error = each.get("result", {}).get("error")
            if error:
                self.result.refusals[error["key"]] += 1

    def _call(
        self, path: str, body: dict[str, Any], visit: Visit, allowed: tuple[int, ...] = (200,)
    ) -> dict[str, Any]:
        key = f"replay-{visit.name}-{path.rsplit('/', 1)[1]}"
        headers = self.headers if path == "/v1/validations" else self.headers | {"Idempotency-Key": key}
        self.connection.request("POST", path, msgspec.json.encode(body), headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.result.requests += 1
        if response.status not in allowed:
            raise ReplayError(
                f"POST {path} answered {response.status}: {answer[:500].decode(errors='replace')}"
            )
        return msgspec.json.decode(answer)


def replay(
    address: tuple[str, int],
    headers: dict[str, str],
    visits: list[Visit],
    served: Callable[[], None],
    stop: threading.Event,
) -> Result:
    """Serve all visits. Raises `ReplayError` (or what the network raised) when a till had to stop.

    The Idempotency-Keys name the baskets, so a replay done again redeems nothing twice.
    """
    queue: SimpleQueue[Visit] = SimpleQueue()
    for visit in visits:
        queue.put(visit)
    started = clock.monotonic()
    tills = [Till(address, headers, queue, stop, served) for _ in range(TILLS)]
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
