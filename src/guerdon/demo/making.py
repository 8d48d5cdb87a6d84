"""Sends what makes the demo's promotions to the running server."""

import http.client
from typing import Any

import msgspec

from guerdon.demo.promotions import Made, Request, making
from guerdon.pages.demo_file import DemoFile
from guerdon.projects.bootstrap import ManagementCredentials


class MakingError(RuntimeError):
    """The server refused what the demo asked for; the message holds its answer."""


def make_promotions(address: tuple[str, int], file: DemoFile, management: ManagementCredentials) -> Made:
    """Make the promotions, or finish making them. Raises `MakingError`, or what the network raises."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    steps = making()
    answer: dict[str, Any] | None = None
    try:
        while True:
            try:
                request = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = _send(connection, request, file, management)
    finally:
        connection.close()


def headers_of(request: Request, file: DemoFile, management: ManagementCredentials) -> dict[str, str]:
    """The keys that a request needs, and its own key."""
    keys = (
        {"X-Management-Id": management.management_id, "X-Management-Token": management.management_token}
        if request.path.startswith("/management/")
        else {"X-App-Id": file.app_id, "X-App-Token": file.app_token}
    )
    return keys | {"Content-Type": "application/json", "Idempotency-Key": request.idempotency_key()}


def _send(
    connection: http.client.HTTPConnection,
    request: Request,
    file: DemoFile,
    management: ManagementCredentials,
) -> dict[str, Any]:
    path = request.path.replace("{project}", file.project_id)
    connection.request("POST", path, msgspec.json.encode(request.body), headers_of(request, file, management))
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise MakingError(f"POST {path} answered {response.status}: {body[:500].decode(errors='replace')}")
    return msgspec.json.decode(body)
