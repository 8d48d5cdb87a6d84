"""Routes become a Litestar application: routing, parameters, payload types and the OpenAPI document are its work.

Handlers stay plain typed functions: ``async def read_thing(call: Call, thing_id: str) -> Thing``. A parameter
named in the path is a path parameter, ``data`` is the payload, anything else a query parameter.
"""

import functools
import hashlib
import inspect
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from litestar import Litestar, Request, Response
from litestar.di import NamedDependency, Provide
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from guerdon.kit import db, idempotency
from guerdon.kit.auth import check_role
from guerdon.kit.call import Call, Reply, Route, State
from guerdon.kit.errors import ApiError, Fault, Problem, invalid_payload, invalid_query, unavailable
from guerdon.kit.log import get_logger

logger = get_logger()
ENCODER = msgspec.json.Encoder(decimal_format="number")
PROBLEMS = {
    status: ResponseSpec(Problem, description=description, generate_examples=False)
    for status, description in (
        (400, "What was sent cannot be carried out; `errors` names the fields."),
        (401, "The key is missing or unknown."),
        (403, "The key's role may not do this."),
        (404, "It does not exist in this project."),
        (406, "The Accept header has no place for JSON."),
        (409, "It clashes with what is there."),
        (412, "It changed since it was read; see If-Match."),
        (413, "The body is too large."),
        (415, "The body is not sent as UTF-8 JSON."),
        (422, "The Idempotency-Key came with another request before."),
        (423, "Something else is in a state that forbids it."),
        (429, "Too many requests, or too many unknown codes; see Retry-After."),
        (503, "Not now; see Retry-After."),
    )
}
SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "server": [{"appId": [], "appToken": []}],
    "management": [{"managementId": [], "managementToken": []}],
    "public": [],
}
ATTEMPTS = 3  # how often a write is tried when it deadlocks with another: nothing has been answered yet


def build(routes: list[Route], *, version: str, state: State | None = None) -> Litestar:
    """The application behind the front door. Without a state it only describes itself."""
    reads = {route.path: route.handler for route in routes if route.method == "GET"}

    async def call(request: Request) -> Call:
        return request.scope["call"]  # type: ignore[typeddict-item]

    return Litestar(
        [_handler(route, reads) for route in routes],
        dependencies={"call": Provide(call)},
        exception_handlers={Exception: _on_error, HTTPException: _on_error},
        openapi_config=OpenAPIConfig(
            title="Guerdon",
            version=version,
            description="Promotions and loyalty, self-hosted.",
            path="/schema",
            render_plugins=[],
            create_examples=False,
            use_handler_docstrings=True,
            components=Components(
                security_schemes={
                    "appId": SecurityScheme(type="apiKey", name="X-App-Id", security_scheme_in="header"),
                    "appToken": SecurityScheme(
                        type="apiKey", name="X-App-Token", security_scheme_in="header"
                    ),
                    "managementId": SecurityScheme(
                        type="apiKey", name="X-Management-Id", security_scheme_in="header"
                    ),
                    "managementToken": SecurityScheme(
                        type="apiKey", name="X-Management-Token", security_scheme_in="header"
                    ),
                }
            ),
        ),
        logging_config=None,
        debug=False,
    )


def _handler(route: Route, reads: dict[str, Callable[..., Any]]) -> HTTPRouteHandler:
    run = {"read": _read, "write": _write, "flow": _flow}[route.kind]
    handler, signature = route.handler, inspect.signature(route.handler)
    in_path = set(re.findall(r"{(\w+)}", route.path))
    payload = signature.parameters.get("data")
    decode = None if payload is None or route.streams else msgspec.json.Decoder(payload.annotation).decode

    @functools.wraps(handler)
    async def wrapped(call: Call, **arguments: Any) -> Any:
        if route.access != "public":
            check_role(call.caller, route.roles)
        for name in in_path & arguments.keys():
            arguments[name] = unquote(arguments[name])  # a "/" in a code came as %2F and was kept so
        if decode is not None and call.body:
            arguments["data"] = decode(call.body)  # Litestar takes "5" for 5; we, and the hot routes, do not
        return _respond(call, route, await run(call, route, reads.get(route.path), handler, arguments))

    parameters = [p.replace(annotation=_marked(p, in_path)) for p in signature.parameters.values()]
    answer = Response[_payload(signature.return_annotation)]
    wrapped.__signature__ = signature.replace(parameters=parameters, return_annotation=answer)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": answer}
    name = handler.__name__
    return HTTPRouteHandler(
        re.sub(r"{(\w+)}", r"{\1:str}", route.path),
        http_method=route.method,
        status_code=route.status,
        media_type=route.media_type,
        tags=[route.tag],
        operation_id=f"v2_{name}" if route.path.startswith("/v2/") else name,
        summary=(inspect.getdoc(handler) or name).split("\n")[0],
        description="\n".join((inspect.getdoc(handler) or "").split("\n")[1:]).strip() or None,
        include_in_schema=route.media_type == "application/json",
        security=SECURITY[route.access],
        responses=({} if route.access == "public" else PROBLEMS) | _also(route),
        signature_namespace={},
        opt={"decode": decode},
    )(wrapped)


def _also(route: Route) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(shape, description="", generate_examples=False)
        for status, shape in route.also.items()
    }


def _marked(parameter: inspect.Parameter, in_path: set[str]) -> Any:
    """The parameter's type with a mark that tells Litestar where its value comes from."""
    if parameter.name == "data":
        return JSONBody[parameter.annotation]
    if parameter.name == "call":
        return NamedDependency[parameter.annotation]
    if parameter.name in in_path:
        return FromPath[parameter.annotation]
    # Litestar sees either its own mark or msgspec's bounds: the bounds are put into the mark.
    for meta in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta):
            bounds = QueryParameter(ge=meta.ge, le=meta.le)  # type: ignore[arg-type]
            return Annotated[parameter.annotation.__origin__, bounds]
    return FromQuery[parameter.annotation]


def _payload(annotation: Any) -> Any:
    """The type of an answer for the document: what a Reply wraps is said by the handler as ``T | Reply``."""
    parts = [part for part in getattr(annotation, "__args__", ()) if part is not Reply]
    if Reply in getattr(annotation, "__args__", ()):
        return parts[0] if len(parts) == 1 else Any
    return Any if annotation in (Reply, inspect.Signature.empty) else annotation


async def _read(
    call: Call, route: Route, _: Any, handler: Callable[..., Any], arguments: dict[str, Any]
) -> Reply:
    return _reply(route, await handler(call, **arguments))


async def _flow(
    call: Call, route: Route, _: Any, handler: Callable[..., Any], arguments: dict[str, Any]
) -> Reply:
    return _reply(route, await handler(call, **arguments))


async def as_write(call: Call, handler: Callable[..., Any], **arguments: Any) -> Reply:
    """Carry out what a flow turned out to be as a `write`: in one transaction, and once for an Idempotency-Key."""
    route = Route(method="POST", path=call.path, handler=handler, tag="", kind="write")
    return await _write(call, route, None, handler, arguments)


async def _write(
    call: Call,
    route: Route,
    read: Callable[..., Any] | None,
    handler: Callable[..., Any],
    arguments: dict[str, Any],
) -> Reply:
    for attempt in range(ATTEMPTS):
        try:
            return await _write_once(call, route, read, handler, arguments)
        except db.TryAgain:
            if call.header("If-Match"):
                raise changed_meanwhile() from None
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _write_once(
    call: Call,
    route: Route,
    read: Callable[..., Any] | None,
    handler: Callable[..., Any],
    arguments: dict[str, Any],
) -> Reply:
    key, pool = call.idempotency_key, call.state.pool
    expected = call.header("If-Match")
    async with db.transaction(pool) as conn:
        if expected:
            await conn.execute("set transaction isolation level repeatable read")
        call.db = conn
        try:
            if key is None:
                await _check_match(call, expected, read, arguments)
                return _reply(route, await handler(call, **arguments))
            mark = call.fingerprint()
            stored = await idempotency.claim(conn, call.project_id, key, mark)
            if stored is not None:
                return Reply(stored.body, stored.status, idempotency.replay_headers(stored))
            reply = await _attempt(call, route, read, expected, handler, arguments)
            content = reply.content
            for secret in call.shown_once:  # a repeat is not told again
                content = content.replace(ENCODER.encode(secret), b"null")
            await idempotency.finish(conn, call.project_id, key, reply.status, reply.headers, content)
            return reply
        finally:
            call.db = pool


async def _attempt(
    call: Call,
    route: Route,
    read: Callable[..., Any] | None,
    expected: str | None,
    handler: Callable[..., Any],
    arguments: dict[str, Any],
) -> Reply:
    """Run the handler so that a mistake undoes its work but not the key's row, which keeps the answer."""
    conn = call.db
    assert not isinstance(conn, db.Pool)
    try:
        async with conn.transaction():
            await _check_match(call, expected, read, arguments)
            return _reply(route, await handler(call, **arguments))
    except ApiError as error:
        if not idempotency.storable(error.status):
            raise
        content = ENCODER.encode(error.body(call.request_id, call.path))
        return Reply(content, error.status, error.headers)


async def _check_match(
    call: Call, expected: str | None, read: Callable[..., Any] | None, arguments: dict[str, Any]
) -> None:
    """If-Match: what the caller wants to change must still be what it saw."""
    if expected is None or expected == "*" or read is None:
        return
    wanted = {name: arguments[name] for name in inspect.signature(read).parameters if name in arguments}
    if etag(_encode(await read(call, **wanted))) not in [tag.strip() for tag in expected.split(",")]:
        raise changed_meanwhile()


def changed_meanwhile() -> ApiError:
    """412."""
    return ApiError(
        412,
        "precondition_failed",
        "Precondition failed",
        "It changed since you read it; read it again, then decide.",
    )


def _reply(route: Route, result: Any) -> Reply:
    if isinstance(result, Reply):
        result.content = _encode(result.content)
        return result
    return Reply(_encode(result), route.status)


def _encode(content: Any) -> Any:
    """As bytes; a long file as it streams."""
    if isinstance(content, bytes | AsyncIterator):
        return content
    return b"" if content is None else ENCODER.encode(content)


def etag(body: bytes) -> str:
    """The entity tag of an answer's bytes."""
    return '"' + hashlib.blake2b(body, digest_size=12).hexdigest() + '"'


def _respond(call: Call, route: Route, reply: Reply) -> Response[Any]:
    headers = dict(reply.headers)
    body, status = reply.content, reply.status
    media_type = headers.pop("Content-Type", route.media_type)
    if isinstance(body, AsyncIterator):
        return File(body, status_code=status, headers=headers, media_type=media_type)
    if route.method == "GET" and "{" in route.path and status == 200:
        headers["ETag"] = etag(body)
        if headers["ETag"] == call.header("If-None-Match"):
            body, status = b"", 304
    return Response(body, status_code=status, headers=headers, media_type=media_type)


class File(Stream):
    """A stream that keeps its own media type, whatever its route usually answers."""

    def to_asgi_response(self, *args: Any, **more: Any) -> Any:
        return super().to_asgi_response(*args, **more | {"media_type": self.media_type})


def _on_error(request: Request, error: Exception) -> Response[bytes]:
    call: Call | None = request.scope.get("call")  # type: ignore[assignment]
    request_id = call.request_id if call else str(request.scope.get("request_id", ""))
    api_error = as_api_error(_in_body(request, call, error), request_id)
    body = ENCODER.encode(api_error.body(request_id, request.scope["path"]))
    return Response(
        body,
        status_code=api_error.status,
        headers=api_error.headers,
        media_type=problem_type(request.headers.get("accept", "")),
    )


def _in_body(request: Request, call: Call | None, error: Exception) -> Exception:
    """The error of our own decoder where the payload is at fault: it names the place in lists and in choices too."""
    handler = request.scope.get("route_handler")
    decode = None if handler is None else handler.opt.get("decode")
    if isinstance(error, ValidationException) and call is not None and call.body and decode is not None:
        try:
            decode(call.body)
        except msgspec.ValidationError as ours:
            return ours
    return error


def problem_type(accept: str) -> str:
    """RFC 9457's media type for callers that know it, plain JSON for the others."""
    return "application/problem+json" if "application/problem+json" in accept else "application/json"


def as_api_error(error: Exception, request_id: str = "") -> ApiError:
    """What to tell the caller of an exception. What we did not foresee is logged whole and told as a bare 500."""
    match error:
        case ApiError():
            return error
        case ValidationException():
            return _validation_error(error)
        case msgspec.ValidationError():
            return payload_error(error)
        case MethodNotAllowedException():
            details = "This path does not answer this method; /docs lists what it answers."
            return ApiError(405, "method_not_allowed", "Method not allowed", details)
        case NotFoundException():
            return ApiError(404, "not_found", "No such resource", "Nothing answers at this path; see /docs.")
        case ClientException() if error.status_code == 413:
            return too_large(0)
        case ClientException():
            return invalid_payload(Fault("", str(error.detail)))
        case _ if isinstance(error, db.BadValue):
            return invalid_payload(
                Fault("", "a value cannot be stored: out of range, or a character no text may hold")
            )
        case _ if isinstance(error, (*db.LockTimeout, *db.TryAgain, *db.ConnectionLost)):
            logger.warning("unavailable", request_id=request_id, error=repr(error))
            return unavailable(
                "The database did not answer in time. Send it again, with the Idempotency-Key it came with: "
                "that is safe whether or not it took effect."
            )
    logger.exception("internal error", request_id=request_id, exc_info=error)
    return ApiError(
        500, "internal_error", "Internal error", "This is our fault; the log holds it under this request id."
    )


def too_large(limit: int) -> ApiError:
    """413."""
    return ApiError(
        413, "query_too_large", "Content too large", f"A body may have {limit or 2**20} bytes at most."
    )


def _validation_error(error: ValidationException) -> ApiError:
    extra: list[dict[str, Any]] = error.extra if isinstance(error.extra, list) else []
    faults, in_query = [], False
    for item in extra:
        source, key = item.get("source"), str(item.get("key", ""))
        in_query |= source in ("query", "path")
        if key == "data":
            missing = item["message"] == "'data'"
            faults.append(
                Fault("", "a JSON object is needed here" if missing else f"the payload: {item['message']}")
            )
        else:
            faults.append(Fault(key, item["message"]))
    if missing := _MISSING.match(str(error.detail)):
        return invalid_query(missing[1], "is required")
    if in_query:
        return invalid_payload(*faults, key="invalid_query_params", message="Invalid query params")
    return invalid_payload(*(faults or [Fault("", str(error.detail))]))


_MISSING = re.compile(r"Missing required query parameter '(\w+)'")
_PATH = re.compile(r"^(.*?)(?: - at `\$(?:\.data)?\.?(.*)`)?$", re.DOTALL)


def payload_error(error: msgspec.ValidationError) -> ApiError:
    """400 with the path that msgspec found."""
    found = _PATH.match(str(error))
    assert found
    return invalid_payload(Fault(found[2] or "", found[1]))


def document(app: Litestar) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application."""
    made = app.openapi_schema.to_schema()
    for operations in made["paths"].values():
        for operation in operations.values():
            operation.get("responses", {}).get("204", {}).pop("content", None)  # nothing follows a 204
    _open_up(made)
    return made


def _open_up(value: Any) -> None:
    """A choice between anything and null is anything: else null would be two of the choices, and so none of one."""
    if isinstance(value, dict) and {} in value.get("oneOf", ()):
        del value["oneOf"]
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _open_up(one)
