"""Customers made or brought up to date, by id or else by source id."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.customers import store
from guerdon.customers.store import CustomerRow
from guerdon.definitions.waiting import tell_left
from guerdon.kit import db
from guerdon.kit.dates import parse_day
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.schemas.check import checked

Text = Annotated[str, Meta(max_length=512)]
SourceId = Annotated[str, Meta(min_length=1, max_length=512)]


class Address(msgspec.Struct, omit_defaults=True):
    """Where a customer lives."""

    city: Text | None = None
    state: Text | None = None
    line_1: Text | None = None
    line_2: Text | None = None
    country: Text | None = None
    postal_code: Text | None = None


class CustomerChange(msgspec.Struct, kw_only=True):
    """What is to be said of a customer. What is absent stays, ``null`` clears, metadata is merged key by key."""

    name: Text | UnsetType | None = UNSET
    email: Text | UnsetType | None = UNSET
    phone: Text | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=4096)] | UnsetType | None = UNSET
    birthdate: str | UnsetType | None = UNSET
    birthday: str | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class CustomerUpsert(CustomerChange, kw_only=True):
    """A customer to make, or, when the id or else the source id is known, to change."""

    id: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    source_id: SourceId | None = None


async def upsert(
    conn: db.Db,
    project_id: str,
    said: CustomerUpsert,
    *,
    request_id: str | None = None,
    path: str = "",
    quiet: bool = False,
) -> CustomerRow:
    """The customer as stored. An id wins over a source id; an unknown id is an `ApiError` 404, for ids are ours.

    `path` is where the customer stands in the payload, for messages. Of somebody new no event tells if it is `quiet`.
    """
    fields = _fields(said, path)
    if said.id is not None:
        known = await store.lock_by_id(conn, project_id, said.id)
        if known is None:
            raise not_found("customer", said.id)
        return await _write(conn, project_id, known, fields, request_id, path)
    while True:
        known = None
        if said.source_id is not None:
            known = await store.lock_by_source_id(conn, project_id, said.source_id)
        if known is not None:
            return await _write(conn, project_id, known, fields, request_id, path)
        new = _new(said.source_id, fields)
        await checked(conn, project_id, "customer", new.metadata, f"{path}.metadata".lstrip("."))
        made = await store.insert(conn, project_id, new)
        if made is not None:
            if not quiet:
                await emit(conn, project_id, [Event("customer.created", made.id, made.id)], request_id)
            return made


async def change(
    conn: db.Db, project_id: str, key: str, said: CustomerChange, *, request_id: str | None = None
) -> CustomerRow:
    """Change the customer with this id or source id. Raises `ApiError` 404."""
    fields = _fields(said, "")
    known = await store.lock(conn, project_id, key)
    if known is None:
        raise not_found("customer", key)
    return await _write(conn, project_id, known, fields, request_id, "")


async def remove(conn: db.Db, project_id: str, key: str, *, request_id: str | None = None) -> None:
    """Delete the customer with this id or source id. Raises `ApiError` 404."""
    known = await store.lock(conn, project_id, key)
    if known is None:
        raise not_found("customer", key)
    await store.delete(conn, project_id, known.id)
    event = Event("customer.deleted", known.id, known.id, {"source_id": known.source_id})
    await emit(conn, project_id, [event], request_id)
    await tell_left(conn, project_id, known.id)


def _new(source_id: str | None, fields: dict[str, Any]) -> CustomerRow:
    row = CustomerRow(
        id=new_id("customer"),
        source_id=source_id,
        name=None,
        email=None,
        phone=None,
        description=None,
        birthdate=None,
        address=None,
        metadata={},
        created_at=datetime.min.replace(tzinfo=UTC),  # the database's clock decides
        updated_at=None,
    )
    return _merged(row, fields)


async def _write(
    conn: db.Db,
    project_id: str,
    known: CustomerRow,
    fields: dict[str, Any],
    request_id: str | None,
    path: str,
) -> CustomerRow:
    merged = _merged(known, fields)
    if "metadata" in fields:
        at = f"{path}.metadata".lstrip(".")
        await checked(conn, project_id, "customer", merged.metadata, at, fields["metadata"] or ())
    if merged == known:
        return known
    written = await store.update(conn, project_id, merged)
    await emit(conn, project_id, [Event("customer.updated", known.id, known.id)], request_id)
    return written


def _merged(row: CustomerRow, fields: dict[str, Any]) -> CustomerRow:
    metadata = fields.get("metadata", {})
    merged = {} if metadata is None else row.metadata | metadata
    return msgspec.structs.replace(row, **(fields | {"metadata": merged}))


def _fields(said: CustomerChange, path: str) -> dict[str, Any]:
    """What was said, as the row's columns."""
    fields = {
        name: getattr(said, name)
        for name in ("name", "email", "phone", "description", "metadata")
        if getattr(said, name) is not UNSET
    }
    if said.address is not UNSET:
        fields["address"] = None if said.address is None else msgspec.to_builtins(said.address) or None
    for name in ("birthday", "birthdate"):  # the newer name wins
        text = getattr(said, name)
        if text is not UNSET:
            fields["birthdate"] = None if not text else _day(text, f"{path}.{name}".lstrip("."))
    return fields


def _day(text: str, path: str) -> date:
    try:
        return parse_day(text)
    except ValueError as error:
        raise invalid_payload(Fault(path, str(error))) from None
