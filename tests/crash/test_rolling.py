"""G-07: two instances restarted one after the other under load, and not one request fails."""

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from servers import HOST, Server, serving

from guerdon.kit import db
from guerdon.projects.bootstrap import create_project

pytestmark = pytest.mark.sized
PROVE = os.environ.get("GUERDON_PROVE") == "1"
ROUNDS = 10 if PROVE else 1
CLIENTS = 8
RATE = 200
BODY = json.dumps({"redeemables": [{"object": "voucher", "id": "OPEN"}], "order": {"amount": 1000}})


class Client(threading.Thread):
    """Redeems at an even rate over a kept-alive connection, to whichever of the servers takes connections.

    Like any balancer it goes to the next server when one refuses the connection; nothing else is tried again,
    and no Idempotency-Key smooths anything over.
    """

    def __init__(
        self, number: int, servers: list[Server], headers: dict[str, str], over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.ports = [server.port for server in servers]
        self.headers = headers
        self.over = over
        self.now = number % len(servers)
        self.connection: http.client.HTTPConnection | None = None
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0

    def run(self) -> None:
        due = time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due += CLIENTS / RATE
            began = time.monotonic()
            self.statuses[self._redeem()] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _redeem(self) -> str:
        try:
            connection = self._connected()
            connection.request("POST", "/v1/redemptions", BODY, self.headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self.connection = None
            return repr(problem)
        if answer.getheader("connection", "").lower() == "close":
            self._leave()
        return str(answer.status)

    def _leave(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection, self.now = None, 1 - self.now

    def _connected(self) -> http.client.HTTPConnection:
        for _ in range(20):
            if self.connection is not None:
                break
            candidate = http.client.HTTPConnection(HOST, self.ports[self.now], timeout=10)
            try:
                candidate.connect()
                self.connection = candidate
            except ConnectionRefusedError:
                self.now = 1 - self.now
        assert self.connection is not None, "both servers are down"
        return self.connection


async def test_rolling_over_two_instances_fails_no_request(
    durable_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = await db.open_pool(durable_database_url, size=2)
    made = await create_project(pool, "rolling")
    head = {"X-App-Id": made.app_id, "X-App-Token": made.app_token, "Content-Type": "application/json"}
    over = threading.Event()
    with ExitStack() as stack:
        alone = {"GUERDON_WORKER_IN_SERVE": "false"}
        servers = [stack.enter_context(serving(durable_database_url, **alone)) for _ in range(2)]
        _make_code(servers[0].port, head)
        clients = [Client(number, servers, head, over) for number in range(CLIENTS)]
        started = time.monotonic()
        for client in clients:
            client.start()
        for _ in range(ROUNDS):
            for server in servers:
                assert server.stop(signal.SIGTERM) == 0
                server.start()
                server.wait()
        over.set()
        for client in clients:
            client.join()
        seconds = time.monotonic() - started
    total = sum((client.statuses for client in clients), Counter())
    used = await pool.fetchval(
        "select redeemed_quantity from vouchers where project_id = $1", made.project_id
    )
    await pool.close()
    if PROVE:
        slowest = max(client.slowest for client in clients)
        with capsys.disabled():
            print(
                f"\n| G-07 | {2 * ROUNDS} restarts | {total.total()} requests | {total.total() / seconds:.0f} a second "
                f"| {total.total() - total['200']} failed | slowest {slowest:.2f} s |"
            )
    assert total == {"200": total["200"]}
    assert used == total["200"] > RATE * seconds / 2


def _make_code(port: int, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}
    connection.request("POST", "/v1/vouchers/OPEN", json.dumps(body), headers)
    assert connection.getresponse().status == 200
    connection.close()
