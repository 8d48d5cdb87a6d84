"""Bytes out, answers in: connections that stay open as long as the server lets them, and are opened anew when not."""

import http.client
import socket
import time

import msgspec

TIMEOUT_SECONDS = 20.0


class Answer(msgspec.Struct, frozen=True):
    """What came back; `status` 0 is a connection that the server closed without a word."""

    status: int
    body: bytes
    seconds: float


class Wire:
    """Some connections, each with one request at a time."""

    def __init__(self, host: str, port: int, count: int) -> None:
        self._address = (host, port)
        self._sockets: list[socket.socket | None] = [None] * count

    def send(self, requests: list[bytes]) -> list[Answer]:
        """The answers to as many requests as there are connections at most, sent together."""
        started = time.monotonic()
        for place, request in enumerate(requests):
            one = self._sockets[place]
            if one is None:
                one = self._sockets[place] = socket.create_connection(self._address, TIMEOUT_SECONDS)
            one.sendall(request)
        return [self._read(place, started) for place in range(len(requests))]

    def _read(self, place: int, started: float) -> Answer:
        one = self._sockets[place]
        assert one is not None
        answer = http.client.HTTPResponse(one)
        try:
            answer.begin()
            body = answer.read()
        except (http.client.HTTPException, ConnectionError):
            self._close(place)
            return Answer(0, b"", time.monotonic() - started)
        if answer.will_close:
            self._close(place)
        return Answer(answer.status, body, time.monotonic() - started)

    def _close(self, place: int) -> None:
        one = self._sockets[place]
        if one is not None:
            one.close()
        self._sockets[place] = None

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        for place in range(len(self._sockets)):
            self._close(place)
