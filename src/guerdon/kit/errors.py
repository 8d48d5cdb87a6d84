"""Errors as callers see them: one object with the reference's members and RFC 9457's.

A mistake of the caller raises `ApiError`; the transaction rolls back and nothing has changed. A refusal of the
business is no error here: it is a value that gets recorded, and only its answer has this shape.
"""

from typing import Any

import msgspec

TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Precondition failed",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    423: "Locked",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


class Fault(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong, and where: `path` is a JSON path such as ``order.items[0].quantity``."""

    path: str
    message: str


class Problem(msgspec.Struct, omit_defaults=True):
    """An error as answered. Switch on `code` and `key`; the texts are for people and may change."""

    code: int
    message: str
    details: str
    request_id: str
    type: str
    title: str
    status: int
    detail: str
    instance: str
    key: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    errors: list[Fault] | None = None


class ApiError(Exception):
    """A call that cannot be carried out.

    `key` is part of the API and never changes its meaning; `message` says what was wrong, `details` what to do;
    `faults` names the fields.
    """

    def __init__(
        self,
        status: int,
        key: str | None,
        message: str,
        details: str | None = None,
        *,
        faults: list[Fault] | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.key = key
        self.message = message
        self.details = details
        self.faults = faults
        self.resource_id = resource_id
        self.resource_type = resource_type
        self.headers = headers or {}
        self.extra = extra

    def body(self, request_id: str = "", instance: str = "") -> dict[str, Any]:
        """The answer's JSON object."""
        body: dict[str, Any] = {"code": self.status}
        if self.key:
            body["key"] = self.key
        body["message"] = self.message
        body["details"] = self.details or self.message
        body["request_id"] = request_id
        if self.resource_id is not None:
            body["resource_id"] = self.resource_id
        if self.resource_type is not None:
            body["resource_type"] = self.resource_type
        body["type"] = f"urn:guerdon:error:{self.key or self.status}"
        body["title"] = TITLES.get(self.status, "Error")
        body["status"] = self.status
        body["detail"] = self.details or self.message
        body["instance"] = instance
        if self.faults:
            body["errors"] = self.faults
        if self.extra:
            body |= self.extra
        return body


def not_found(resource_type: str, resource_id: str) -> ApiError:
    """404 in the same words whether the thing never existed or belongs to another project."""
    return ApiError(
        404,
        "not_found",
        "No such resource",
        f"There is no {resource_type} {resource_id!r} in this project.",
        resource_id=resource_id,
        resource_type=resource_type,
    )


def invalid_payload(
    *faults: Fault, key: str = "invalid_payload", message: str = "Invalid payload"
) -> ApiError:
    """400 that names each faulty field by its path."""
    details = "; ".join(f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in faults)
    return ApiError(400, key, message, details, faults=list(faults))


def invalid_query(path: str, message: str) -> ApiError:
    """400 for a query parameter."""
    return invalid_payload(Fault(path, message), key="invalid_query_params", message="Invalid query params")


def duplicate(resource_type: str, name: str, field: str) -> ApiError:
    """409: the name is taken, by a living resource or by one in the bin."""
    return ApiError(
        409,
        "duplicate_found",
        "The name is taken",
        f"A {resource_type} with {field} {name!r} exists already; choose another or update that one.",
        resource_id=name,
        resource_type=resource_type,
        faults=[Fault(field, "is taken")],
    )


def unavailable(details: str, seconds: int = 1) -> ApiError:
    """503 with Retry-After."""
    return ApiError(503, "unavailable", "Unavailable", details, headers={"Retry-After": str(seconds)})
