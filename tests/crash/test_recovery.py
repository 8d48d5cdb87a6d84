"""G-05: after a kill everything works again soon, and nobody has to act."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import HOST, Server, serving, until

from .chaos import postmaster

pytestmark = pytest.mark.sized
PROVE = os.environ.get("GUERDON_PROVE") == "1"
ROUNDS = 20 if PROVE else 2
# A run beside other tests shares two cores with them, and most of a start is reckoning.
SLACK = 1 if PROVE else 4
AFTER_PROCESS_SECONDS = 5.0 * SLACK
AFTER_POSTGRES_SECONDS = 10.0 * SLACK
JOB_SECONDS = 60.0
CODES = 60_000


class Shop:
    """A shop on one server process, its worker and the embedded PostgreSQL."""

    def __init__(self, server: Server) -> None:
        self.server = server
        made = json.loads(server.run("bootstrap", "--json").stdout)
        self.headers = {
            "X-App-Id": made["app_id"],
            "X-App-Token": made["app_token"],
            "Content-Type": "application/json",
        }
        discount = {"type": "PERCENT", "percent_off": 10}
        status, _ = self.ask("POST", "/v1/vouchers/OPEN", {"type": "DISCOUNT_VOUCHER", "discount": discount})
        assert status == 200

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and content; 0 when nobody answers."""
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self.headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            connection.close()

    def redeems(self) -> bool:
        """Whether a redemption is acknowledged."""
        body = {"redeemables": [{"object": "voucher", "id": "OPEN"}], "order": {"amount": 1000}}
        return self.ask("POST", "/v1/redemptions", body)[0] == 200

    def until_it_redeems(self, since: float, limit: float) -> float:
        """Seconds from `since` to the first acknowledged redemption."""
        until(self.redeems, limit, "a redemption")
        return time.monotonic() - since


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with serving(GUERDON_PROCESSES="1", GUERDON_DRAIN_SECONDS="0") as server:
        made = Shop(server)
        assert made.redeems()
        yield made


@pytest.fixture
def times(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Iterator[list[float]]:
    """Seconds until the first success, printed as a line of a table when it is a proof."""
    taken: list[float] = []
    yield taken
    if PROVE:
        with capsys.disabled():
            average = sum(taken) / len(taken)
            print(
                f"\n| {request.node.name} | {len(taken)} × | average {average:.2f} s | longest {max(taken):.2f} s |"
            )


def test_a_killed_server_process_is_replaced(shop: Shop, times: list[float]) -> None:
    for _ in range(ROUNDS):
        [pid] = shop.server.children("web")
        os.kill(pid, signal.SIGKILL)
        times.append(shop.until_it_redeems(time.monotonic(), AFTER_PROCESS_SECONDS))
        assert shop.server.children("web") != [pid]
    assert max(times) <= AFTER_PROCESS_SECONDS


def test_a_killed_serve_answers_soon_after_its_restart(shop: Shop, times: list[float]) -> None:
    for _ in range(ROUNDS):
        shop.server.kill()
        shop.server.start()
        times.append(shop.until_it_redeems(time.monotonic(), AFTER_PROCESS_SECONDS))
    assert max(times) <= AFTER_PROCESS_SECONDS


def test_a_killed_postgres_comes_back(shop: Shop, times: list[float]) -> None:
    for _ in range(ROUNDS):
        pid = postmaster(shop.server)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        # Its connections live on for a moment: only what the new one acknowledges counts.
        until(lambda pid=pid: postmaster(shop.server) not in (None, pid), AFTER_POSTGRES_SECONDS, "a new one")
        times.append(shop.until_it_redeems(killed, AFTER_POSTGRES_SECONDS))
    assert max(times) <= AFTER_POSTGRES_SECONDS


@pytest.mark.prove
def test_the_job_of_a_killed_worker_is_picked_up(shop: Shop, times: list[float]) -> None:
    """The lease of the dead one, 30 s, has to run out first."""
    for number in range(2):
        name = f"killed-{number}"
        voucher = {"discount": {"type": "PERCENT", "percent_off": 10}}
        body = {"name": name, "vouchers_count": CODES, "voucher": voucher}
        assert shop.ask("POST", "/v1/campaigns", body)[0] == 200

        def made(name: str = name) -> int:
            return shop.ask("GET", f"/v1/campaigns/{name}")[1]["vouchers_count"]

        until(made, 20, "the first codes")
        [pid] = shop.server.children("worker")
        os.kill(pid, signal.SIGKILL)
        killed, before = time.monotonic(), made()
        assert before < CODES, "it was done before it could be killed"
        until(lambda before=before, made=made: made() > before, JOB_SECONDS, "the job goes on")
        times.append(time.monotonic() - killed)
        until(lambda made=made: made() == CODES, 120, "all codes")
