"""The front door: every request passes here before anything looks at it.

Request id, authentication, body limits, strict JSON, measuring, log line; then the hot routes at once and
all others through Litestar.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from guerdon.kit import clock, metrics, strict_json
from guerdon.kit.access import access_line
from guerdon.kit.auth import DOORS, Caller, Keys, check_role
from guerdon.kit.call import Call, Reply, Route, State
from guerdon.kit.errors import ApiError, Fault, invalid_payload, invalid_query
from guerdon.kit.web import ENCODER, as_api_error, problem_type, too_large

MAX_BODY = 2**20

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

NOBODY = Caller(
    project_id="", key_id="", key_name="", app_id="", role="", timezone="UTC", currency="", case_sensitive_codes=True,
    settings={}, token_hash=b"", config_version=0,
)  # fmt: skip


class Front:
    """An ASGI application around another one."""

    def __init__(self, inner: Asgi, state: State, keys: Keys, routes: list[Route]) -> None:
        self.inner = inner
        self.state = state
        self.keys = keys
        self.hot = {(r.method, r.path): Hot(r) for r in routes if r.hot}
        self.tables = tuple(r.path.partition("{")[0] for r in routes if r.csv or r.media_type == "text/csv")
        streams = (re.sub(r"\{\w+\}", "[^/]+", r.path) for r in routes if r.streams)
        self.streaming = re.compile("|".join(streams) or "(?!)").fullmatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        await Exchange(self, scope, receive, send).run()


class Hot:
    """A hot route with the decoder of its payload."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.handler = route.handler
        self.decode = msgspec.json.Decoder(route.handler.__annotations__["data"]).decode


class Exchange:
    """One request and its answer."""

    __slots__ = ("body", "call", "caller", "front", "headers", "method", "path", "receive", "request_id", "route", "scope", "send", "started", "status")  # fmt: skip

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self.front = front
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = clock.monotonic()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.path: str = _path(scope)
        self.request_id = _request_id(self.headers.get(b"x-request-id"))
        self.caller = NOBODY
        self.body = b""
        self.status = 0
        self.route = ""

    async def run(self) -> None:
        try:
            await self._answer()
        except Exception as error:  # Litestar answers its own; these are the front door's and the hot routes'
            if self.status:
                raise
            await self._send_error(as_api_error(error, self.request_id))
        finally:
            seconds = clock.monotonic() - self.started
            metrics.observe(self.method, self.route or "unrouted", self.status, seconds)
            access_line(self.request_id, self.method, self.path, self.status, seconds, self.caller.project_id)

    async def _answer(self) -> None:
        self._check_head()
        door = next((door for door in DOORS if self.path.startswith(door.path)), None)
        if door is None:
            if self.method != "GET":
                await self._read_body()
            self._prepare_call()
            await self._pass_on(_replay(self.body, self.receive))
            return
        self._check_accept()
        key_id, token = (
            self.headers.get(name.lower().encode()) for name in (door.id_header, door.token_header)
        )
        self.caller = await self.front.keys.caller(
            key_id.decode("latin-1") if key_id else None, token.decode("latin-1") if token else None, door
        )
        if self.method == "POST" and self.front.streaming(self.path):
            self._prepare_call()
            await self._pass_on(self.receive)
            return
        if self.method != "GET":
            await self._read_body()
        self._prepare_call()
        hot = self.front.hot.get((self.method, self.path))
        if hot is None:
            await self._pass_on(_replay(self.body, self.receive))
            return
        self.route = hot.route.path
        check_role(self.caller, hot.route.roles)
        result = await hot.handler(self.call, _decode(hot, self.body))
        reply = result if isinstance(result, Reply) else Reply(result, hot.route.status)
        content = reply.content if type(reply.content) is bytes else ENCODER.encode(reply.content)
        await self._send(reply.status, content, reply.headers)

    def _check_head(self) -> None:
        if not self.path.isprintable() and _unfit(self.path):
            raise invalid_query("path", "holds a character that no id or name may hold")
        if b"%00" in self.scope["query_string"]:
            raise invalid_query("query", "holds the NUL character")

    def _check_accept(self) -> None:
        accept = self.headers.get(b"accept")
        if accept and not any(kind in accept.lower() for kind in (b"json", b"*/*", b"application/*")):
            if self.path.startswith(self.front.tables) and any(
                kind in accept.lower() for kind in (b"text/csv", b"text/plain", b"text/*")
            ):
                return
            raise ApiError(
                406, "not_acceptable", "Not acceptable", "Answers are JSON: accept application/json."
            )

    async def _read_body(self) -> None:
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > MAX_BODY:
            raise too_large(MAX_BODY)
        parts, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the caller hung up")
            part = message.get("body", b"")
            size += len(part)
            if size > MAX_BODY:
                raise too_large(MAX_BODY)
            parts.append(part)
            if not message.get("more_body"):
                break
        self.body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self.body:
            self._check_content_type()
            strict_json.check(self.body)

    def _check_content_type(self) -> None:
        kind, _, parameters = self.headers.get(b"content-type", b"application/json").lower().partition(b";")
        kind = kind.strip()
        charset = parameters.replace(b'"', b"").partition(b"charset=")[2].strip()
        if (kind == b"application/json" or kind.endswith(b"+json")) and charset in (b"", b"utf-8", b"utf8"):
            return
        details = "Send the body as UTF-8 JSON, with Content-Type: application/json."
        raise ApiError(415, "unsupported_media_type", "Unsupported media type", details)

    def _prepare_call(self) -> None:
        self.call = Call(
            self.front.state,
            self.caller,
            request_id=self.request_id,
            method=self.method,
            path=self.path,
            query_string=self.scope["query_string"],
            headers=self.headers,
            body=self.body,
            receive=self.receive,
        )

    async def _pass_on(self, receive: Receive) -> None:
        self.scope["call"] = self.call
        self.scope["path"] = self.path
        await self.front.inner(self.scope, receive, self._relay)
        self.route = self.scope.get("path_template", "")

    async def _relay(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._own_headers()]
        await self.send(message)

    async def _send(
        self, status: int, content: bytes, headers: dict[str, str], kind: bytes = b"application/json"
    ) -> None:
        self.status = status
        own = [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *self._own_headers()]
        own.extend((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())
        await self.send({"type": "http.response.start", "status": status, "headers": own})
        await self.send({"type": "http.response.body", "body": content})

    async def _send_error(self, error: ApiError) -> None:
        body = ENCODER.encode(error.body(self.request_id, self.path))
        kind = problem_type(self.headers.get(b"accept", b"").decode("latin-1"))
        await self._send(error.status, body, error.headers, kind.encode())

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-request-id", self.request_id.encode()), (b"x-content-type-options", b"nosniff")]


def _decode(hot: Hot, body: bytes) -> Any:
    if not body:
        raise invalid_payload(Fault("", "a JSON object is needed here"))
    return hot.decode(body)


def _path(scope: Scope) -> str:
    """The decoded path, but with %2F kept: a code may hold a slash, a path parameter may not."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return scope["path"]
    from urllib.parse import unquote

    return "/".join(
        unquote(part).replace("%", "%25").replace("/", "%2F")
        for part in raw.split(b"?")[0].decode("latin-1").split("/")
    )


def _request_id(sent: bytes | None) -> str:
    """The caller's X-Request-Id if it is fit to be echoed and logged, else a new one."""
    if sent and len(sent) <= 200 and sent.isascii():
        text = sent.decode()
        if text.isprintable():
            return text
    return "v-" + secrets.token_hex(9)


def _replay(body: bytes, rest: Receive) -> Receive:
    """A receive that gives a body that was read already, then waits until the caller hangs up."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        while (message := await rest())["type"] != "http.disconnect":
            pass
        return message

    return receive


def _unfit(path: str) -> bool:
    return "\x00" in path or any("\ud800" <= c <= "\udfff" for c in path)
