"""G-09: malformed bodies, hostile queries and headers. None makes a 5xx, none takes over 2 s, memory does not grow."""

import itertools
import json
import random
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import HOST

from guerdon.app import routes
from guerdon.kit import strict_json
from guerdon.kit.call import Route
from guerdon.kit.errors import ApiError

from . import mangle
from .conftest import PROVE, Served
from .wire import Answer, Wire

BODIES = 100_000 if PROVE else 2_000
QUERIES = 20_000 if PROVE else 1_000
SECONDS = 2.0
MEGABYTES = 100
AT_ONCE = 16

SERVER_ROUTES = [route for route in routes() if route.access == "server"]
WRITES = [route for route in SERVER_ROUTES if route.method in ("POST", "PUT")]


def resident_megabytes(pid: int) -> float:
    """What a process keeps in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def message(
    dice: random.Random,
    served: Served,
    route: Route,
    body: bytes,
    query: str,
    more: list[tuple[bytes, bytes]],
) -> bytes:
    """The bytes of a request to a route, with known and nasty ids in its path."""
    path = route.path
    for name in re.findall(r"{(\w+)}", path):
        real = dice.random() < 0.6 and route.method != "DELETE"
        path = path.replace(
            f"{{{name}}}", dice.choice(served.known[name]) if real else mangle.path_part(dice)
        )
    lines = [f"{route.method} {path}{'?' if query else ''}{query} HTTP/1.1".encode(), b"host: guerdon"]
    lines += [f"{name}: {value}".encode() for name, value in served.headers.items()]
    names = {name.lower() for name, _ in more}
    if b"content-type" not in names and body:
        lines.append(b"content-type: application/json")
    lines += [name + b": " + value for name, value in more]
    lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def send_all(
    served: Served, requests: Iterator[bytes], check: Callable[[bytes, Answer], None]
) -> Counter[int]:
    """Send them, some at a time; how often each status came."""
    statuses: Counter[int] = Counter()
    with Wire(HOST, served.port, AT_ONCE) as wire:
        while batch := list(itertools.islice(requests, AT_ONCE)):
            for request, answer in zip(batch, wire.send(batch), strict=True):
                statuses[answer.status] += 1
                check(request, answer)
    return statuses


def harmless(request: bytes, answer: Answer) -> None:
    """Answered in time, with no fault of ours, and as an error should look."""
    assert answer.status, request[:2_000]
    assert answer.status < 500, (request[:2_000], answer.body)
    assert answer.seconds < SECONDS, (answer.seconds, request[:500])
    if answer.status >= 400 and answer.body:
        error = json.loads(answer.body)
        assert error["code"] == answer.status and error["key"] and error["request_id"]
        assert not re.search(r"traceback|asyncpg|select .* from|\.py\b", error["details"], re.IGNORECASE)


@pytest.mark.sized
def test_malformed_bodies(served: Served) -> None:
    dice = random.Random(1)
    before = resident_megabytes(served.pid)
    requests = (message(dice, served, dice.choice(WRITES), mangle.body(dice), "", []) for _ in range(BODIES))
    statuses = send_all(served, requests, harmless)
    assert statuses.total() == BODIES
    assert statuses[400] > BODIES * 0.3 and statuses[200] > BODIES * 0.02, statuses
    assert resident_megabytes(served.pid) - before < MEGABYTES


@pytest.mark.sized
def test_hostile_queries_and_headers(served: Served) -> None:
    dice = random.Random(2)
    before = resident_megabytes(served.pid)

    def requests() -> Iterator[bytes]:
        for _ in range(QUERIES):
            route = dice.choice(SERVER_ROUTES)
            body = b"" if route.method in ("GET", "DELETE") else mangle.body(dice)
            more = mangle.headers(dice) if dice.random() < 0.5 else []
            yield message(dice, served, route, body, mangle.query(dice), more)

    statuses = send_all(served, requests(), harmless)
    assert statuses.total() == QUERIES
    assert statuses[400] > QUERIES * 0.2 and statuses[200] > QUERIES * 0.01, statuses
    assert resident_megabytes(served.pid) - before < MEGABYTES


@pytest.mark.sized
def test_the_quick_look_at_json_lets_nothing_pass_that_the_close_one_refuses() -> None:
    """strict_json decides most bodies by writing them again; the law is that it then need not read them closely."""
    dice = random.Random(3)
    seen = Counter[bool]()
    for _ in range(BODIES // 5):
        raw = mangle.body(dice)
        closely = not strict_json.too_deep(raw) and _accepts(raw)
        try:
            strict_json.check(raw)
            quickly = True
        except ApiError:
            quickly = False
        assert quickly is closely, raw
        seen[quickly] += 1
    assert min(seen.values()) > BODIES * 0.02, seen


def _accepts(raw: bytes) -> bool:
    try:
        strict_json._read_closely(raw)
    except ApiError:
        return False
    return True


@pytest.mark.parametrize(
    "half",
    [b"GET /v1/vouchers HTTP/1.1\r\n", b"POST /v1/redemptions HTTP/1.1\r\ncontent-length: 50\r\n\r\n{"],
)
def test_callers_that_hang_up_do_no_harm(served: Served, half: bytes) -> None:
    for _ in range(50):
        with socket.create_connection((HOST, served.port), timeout=5) as caller:
            caller.sendall(half)
    with Wire(HOST, served.port, 1) as wire:
        assert wire.send([b"GET /live HTTP/1.1\r\nhost: guerdon\r\n\r\n"])[0].status == 200
