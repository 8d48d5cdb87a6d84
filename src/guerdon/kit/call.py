"""What a handler knows of the request it answers, and the table of routes that slices are made of."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

import msgspec

from guerdon.kit import db, idempotency
from guerdon.kit.auth import Caller
from guerdon.kit.db import Conn
from guerdon.kit.errors import invalid_query

if TYPE_CHECKING:
    from guerdon.settings import Settings

Receive = Callable[[], Awaitable[dict[str, Any]]]


class State(msgspec.Struct):
    """What one process shares between its requests."""

    settings: "Settings"
    pool: db.Pool
    desk: object = None  # where redemptions queue; the kit passes it on without knowing it
    ledger: object = None  # where acts on cards queue


class Call:
    """One request: who asks, for what, and the database to answer from.

    `db` is the pool in a read; in a write it is a connection in the transaction that also keeps the
    Idempotency-Key's answer, so a handler never begins or commits one itself.
    """

    __slots__ = (
        "_query",
        "body",
        "caller",
        "db",
        "headers",
        "method",
        "path",
        "query_string",
        "receive",
        "request_id",
        "shown_once",
        "state",
    )

    def __init__(
        self,
        state: State,
        caller: Caller,
        *,
        request_id: str,
        method: str,
        path: str,
        query_string: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        receive: Receive,
    ) -> None:
        self.state = state
        self.caller = caller
        self.request_id = request_id
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.receive = receive
        self.db: db.Db = state.pool
        self._query: list[tuple[str, str]] | None = None
        # Secrets in the answer, which what is kept under an Idempotency-Key has as null.
        self.shown_once: list[str] = []

    @property
    def project_id(self) -> str:
        """The project that everything in this call belongs to."""
        return self.caller.project_id

    @property
    def conn(self) -> Conn:
        """The connection of a write, in its transaction."""
        assert not isinstance(self.db, db.Pool), "only a write has a transaction"
        return self.db

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in the order they came, percent-decoded."""
        if self._query is None:
            text = self.query_string.decode("utf-8", "replace")
            try:
                self._query = parse_qsl(text, keep_blank_values=True, max_num_fields=500)
            except ValueError:
                raise invalid_query("query", "holds more than 500 parameters") from None
        return self._query

    @property
    def idempotency_key(self) -> str | None:
        """The checked Idempotency-Key, or None."""
        key = self.headers.get(b"idempotency-key")
        return None if key is None else idempotency.check_key(key.decode("latin-1"))

    def fingerprint(self) -> bytes:
        """What tells this request from another one sent with the same key."""
        return idempotency.fingerprint(self.method, self.path, self.query, self.body)

    def header(self, name: str) -> str | None:
        """A request header's value, or None."""
        found = self.headers.get(name.lower().encode())
        return None if found is None else found.decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body of a streaming route, part by part."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the caller hung up before the body ended")
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return


class Reply(msgspec.Struct):
    """An answer whose status or headers differ from the route's."""

    content: Any
    status: int = 200
    headers: dict[str, str] = {}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API.

    kind: ``read`` answers from the pool; ``write`` runs in a transaction with the Idempotency-Key in it;
    ``flow`` looks after its own writing (the writer's batches, streamed bodies).
    access: ``server`` asks for a server key, ``management`` (below /management/v1/) for a management key,
    ``public`` for nothing.
    roles: which keys may call it.
    also: the shapes of answers with another 2xx status than `status`, for the document.
    hot: answered before Litestar's routing; for the paths that carry a shop's checkout. No parameters.
    csv: whether callers that accept text/csv alone are let in; the handler says what it answers.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Callable[..., Awaitable[Any]]
    tag: str
    kind: Literal["read", "write", "flow"] = "read"
    status: int = 200
    access: Literal["server", "management", "public"] = "server"
    roles: tuple[str, ...] = ("server", "merchant")
    also: dict[int, type] = {}
    hot: bool = False
    streams: bool = False
    csv: bool = False
    media_type: str = "application/json"
