"""Requests to the application in this very process, while no server runs yet."""

from typing import Any

import msgspec

from guerdon.app import create_app
from guerdon.demo.club.program import Making
from guerdon.demo.making import MakingError
from guerdon.demo.promotions import Request
from guerdon.pages.club import Club
from guerdon.settings import Settings


async def make_inside(settings: Settings, app_id: str, app_token: str, steps: Making) -> Club:
    """Make what the steps say, by the API. Raises `MakingError`."""
    app = create_app(msgspec.structs.replace(settings, pool_size=2))
    await app.start()
    try:
        answer: dict[str, Any] | None = None
        while True:
            try:
                request = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = await _send(app, request, {"X-App-Id": app_id, "X-App-Token": app_token})
    finally:
        await app.stop()


async def _send(app: Any, request: Request, keys: dict[str, str]) -> dict[str, Any]:
    headers = keys | {"Content-Type": "application/json", "Idempotency-Key": request.idempotency_key()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }
    status, parts = 0, [b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": msgspec.json.encode(request.body), "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    body = b"".join(parts)
    if status != 200:
        raise MakingError(f"POST {request.path} answered {status}: {body[:500].decode(errors='replace')}")
    return msgspec.json.decode(body)
