"""Requests that reach a server at the same moment: last-byte synchronisation on raw sockets.

Each client sends all of its request but the last byte and waits; then the last bytes leave in one tight loop. A
server has by then read and parsed everything else, so what races is the deciding, not the sending.
"""

import http.client
import itertools
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec

# Long enough for a server on this machine to have read the heads; if it is not, the race is only less sharp.
SETTLE_SECONDS = 0.002
TIMEOUT_SECONDS = 30.0


class Response(msgspec.Struct, frozen=True):
    """An answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request(method: str, path: str, headers: dict[str, str], body: Any = None) -> bytes:
    """The bytes of an HTTP/1.1 request with a JSON body."""
    content = json.dumps({} if body is None else body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: guerdon", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


class Clients:
    """Connections that stay open from one round to the next, so that a round is a race and not a handshake.

    With several servers the clients take turns, so that neighbours in a round talk to different ones.
    """

    def __init__(self, host: str, ports: Sequence[int], count: int) -> None:
        turns = itertools.islice(itertools.cycle(ports), count)
        self._sockets = [socket.create_connection((host, port), TIMEOUT_SECONDS) for port in turns]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def release(self, requests: list[bytes]) -> list[Response]:
        """Send one request from each of the first clients, all at once; the answers in the same order."""
        assert len(requests) <= len(self._sockets)
        pairs = list(zip(self._sockets, requests, strict=False))
        for one, content in pairs:
            one.sendall(content[:-1])
        time.sleep(SETTLE_SECONDS)
        for one, content in pairs:
            one.send(content[-1:])
        return [_read(one) for one, _ in pairs]

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(one: socket.socket) -> Response:
    answer = http.client.HTTPResponse(one)
    answer.begin()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Response(answer.status, headers, answer.read())


def together(host: str, ports: Sequence[int], requests: list[bytes]) -> list[Response]:
    """Send requests from as many new connections, released together."""
    with Clients(host, ports, len(requests)) as clients:
        return clients.release(requests)
