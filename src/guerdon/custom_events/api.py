"""``/v1/events`` and ``/management/v1/projects/{project_id}/custom-event-schemas``."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from guerdon.custom_events import schema, store
from guerdon.custom_events.store import SchemaRow
from guerdon.custom_events.track import CustomEventIn, track
from guerdon.customers.store import CustomerRow
from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.projects.access import own_project
from guerdon.schemas.definition import Definition


class CustomerShort(Struct, kw_only=True):
    """Who did it."""

    id: str
    source_id: str | None
    name: str | None
    email: str | None
    metadata: dict[str, Any]
    object: Literal["customer"] = "customer"


class Tracked(Struct, kw_only=True):
    """A custom event that was taken in; `type` is its name."""

    id: str
    object: Literal["event"] = "event"
    type: str
    customer: CustomerShort
    referral: dict[str, Any] | None
    loyalty: dict[str, Any] | None
    metadata: dict[str, Any]


class Properties(Struct, kw_only=True):
    """What may stand in the event's metadata, by name."""

    properties: dict[str, Definition] = {}


class EventSchemaIn(Struct, kw_only=True):
    """A custom event that may be sent from now on."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    schema: Properties | None = None


class EventSchemaChange(Struct, kw_only=True):
    """Definitions to add or to replace whole; those that are not named stay. `deleted: true` removes one."""

    schema: Properties | None = None


class EventSchema(Struct, kw_only=True):
    """A custom event and what may stand in its metadata."""

    id: str
    name: str
    schema: Properties
    created_at: str
    updated_at: str | None
    object: Literal["custom-event-schema"] = "custom-event-schema"


class EventSchemaList(Struct, kw_only=True):
    """All custom events there are."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[EventSchema]
    total: int


async def track_custom_event(call: Call, data: CustomEventIn) -> Tracked:
    """Tell what a customer did.

    `event` must be the name of a custom event schema, and `metadata` must fit it. The customer is created or
    changed. `loyalty.code` and `referral.code` say which card or referral the event is for.
    """
    event, customer = await track(call, data)
    return Tracked(
        id=event.id,
        type=event.name,
        customer=_short(customer),
        referral=event.referral,
        loyalty=event.loyalty,
        metadata=event.metadata,
    )


def _short(row: CustomerRow) -> CustomerShort:
    return CustomerShort(
        id=row.id, source_id=row.source_id, name=row.name, email=row.email, metadata=row.metadata
    )


def shape(row: SchemaRow) -> EventSchema:
    """The row as it leaves the API."""
    return EventSchema(
        id=row.id,
        name=row.name,
        schema=Properties(properties=row.properties),
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else None,
    )


def _said(given: Properties | None) -> dict[str, Definition]:
    return {} if given is None else given.properties


async def list_custom_event_schemas(call: Call, project_id: str) -> EventSchemaList:
    """List the custom events of the project."""
    rows = await store.all_of(call.db, own_project(call, project_id))
    return EventSchemaList(data=[shape(row) for row in rows], total=len(rows))


async def create_custom_event_schema(call: Call, project_id: str, data: EventSchemaIn) -> EventSchema:
    """Name a custom event, and say what may stand in its metadata. 409 when there is one of this name."""
    own_project(call, project_id)
    return shape(await schema.create(call.conn, project_id, data.name, _said(data.schema)))


async def get_custom_event_schema(call: Call, project_id: str, custom_event_schema_id: str) -> EventSchema:
    """Read a custom event schema by its id or name."""
    own_project(call, project_id)
    row = await store.find(call.db, project_id, custom_event_schema_id)
    if row is None:
        raise not_found("custom event schema", custom_event_schema_id)
    return shape(row)


async def update_custom_event_schema(
    call: Call, project_id: str, custom_event_schema_id: str, data: EventSchemaChange
) -> EventSchema:
    """Add or replace definitions of a custom event schema, even with another type. The others stay."""
    own_project(call, project_id)
    row = await schema.change(call.conn, project_id, custom_event_schema_id, _said(data.schema))
    return shape(row)


async def delete_custom_event_schema(call: Call, project_id: str, custom_event_schema_id: str) -> None:
    """Delete a custom event schema: the event is refused from now on. Those that came stay."""
    own_project(call, project_id)
    known = await schema.lock(call.conn, project_id, custom_event_schema_id)
    await store.delete_schema(call.conn, project_id, known.id)


_TAG = "Events"
_ALL = "/management/v1/projects/{project_id}/custom-event-schemas"
_ONE = _ALL + "/{custom_event_schema_id}"


def _managed(method: str, path: str, handler: Callable[..., Any], **more: Any) -> Route:
    given: Mapping[str, Any] = {"method": method, "path": path, "handler": handler, "tag": _TAG, **more}
    return Route(**given, access="management", roles=("management",))


ROUTES = [
    Route(method="POST", path="/v1/events", handler=track_custom_event, tag=_TAG, kind="write"),
    _managed("GET", _ALL, list_custom_event_schemas),
    _managed("POST", _ALL, create_custom_event_schema, kind="write"),
    _managed("GET", _ONE, get_custom_event_schema),
    _managed("PUT", _ONE, update_custom_event_schema, kind="write"),
    _managed("DELETE", _ONE, delete_custom_event_schema, kind="write", status=204),
]
