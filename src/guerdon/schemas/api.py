"""``/v1/metadata-schemas`` and ``/management/v1/projects/{project_id}/metadata-schemas``.

Both speak of the same schemas; ``/v1`` writes the members of definitions in camel case.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.projects.access import own_project
from guerdon.schemas import edit, store
from guerdon.schemas.definition import CamelDefinition, Definition, camel
from guerdon.schemas.store import SchemaRow

RelatedObject = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z][A-Za-z0-9_ -]*$")]


class SchemaIn(msgspec.Struct, kw_only=True):
    """A new schema: of one of the resources with metadata, or of a kind of object of your own."""

    related_object: RelatedObject
    properties: dict[str, Definition] | None = None
    allow_defined_only: bool | None = None


class SchemaChange(msgspec.Struct, kw_only=True):
    """Definitions to add or to replace whole; those that are not named stay. None of them changes its type."""

    properties: dict[str, Definition] | None = None
    allow_defined_only: bool | None = None


class CamelSchemaIn(msgspec.Struct, kw_only=True):
    """Definitions, in camel case."""

    properties: dict[str, CamelDefinition] | None = None
    allow_defined_only: bool | None = None


class Schema(msgspec.Struct, kw_only=True):
    """What may stand in the metadata of a resource."""

    id: str
    related_object: str
    properties: dict[str, Definition]
    allow_defined_only: bool
    created_at: str
    updated_at: str | None
    object: str = "metadata_schema"


class CamelSchema(msgspec.Struct, kw_only=True):
    """What may stand in the metadata of a resource, in camel case."""

    id: str
    related_object: str
    properties: dict[str, CamelDefinition]
    allow_defined_only: bool
    created_at: str
    updated_at: str | None
    object: str = "metadata_schema"


class SchemaList(msgspec.Struct, kw_only=True):
    """All schemas."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Schema]
    total: int


class CamelSchemaList(msgspec.Struct, kw_only=True):
    """All schemas, in camel case."""

    object: str = "list"
    data_ref: str = "schemas"
    schemas: list[CamelSchema]
    total: int


def _facts(row: SchemaRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "related_object": row.related_object,
        "allow_defined_only": row.allow_defined_only,
        "created_at": clock.iso(row.created_at),
        "updated_at": clock.iso(row.updated_at) if row.updated_at else None,
    }


def shape(row: SchemaRow) -> Schema:
    """The row as the management API answers it."""
    return Schema(**_facts(row), properties=row.properties)


def camel_shape(row: SchemaRow) -> CamelSchema:
    """The row as ``/v1`` answers it."""
    properties = {name: camel(definition) for name, definition in row.properties.items()}
    return CamelSchema(**_facts(row), properties=properties)


async def _known(call: Call, key: str) -> SchemaRow:
    row = await store.find(call.db, call.project_id, key)
    if row is None:
        raise not_found("metadata schema", key)
    return row


# /v1 ---------------------------------------------------------------------------------------------------------


async def list_metadata_schemas(call: Call) -> CamelSchemaList:
    """List all metadata schemas."""
    rows = await store.all_of(call.db, call.project_id)
    return CamelSchemaList(schemas=[camel_shape(row) for row in rows], total=len(rows))


async def get_metadata_schema(call: Call, resource: str) -> CamelSchema:
    """Read the metadata schema of a resource, such as customer or order_item."""
    return camel_shape(await _known(call, resource))


async def create_metadata_schema(call: Call, resource: str, data: CamelSchemaIn) -> CamelSchema:
    """Create the metadata schema of a resource, or of a kind of object of your own. 409 when it has one."""
    related_object = edit.checked_name(resource)
    row = await edit.create(
        call.conn, call.project_id, related_object, data.properties or {}, data.allow_defined_only
    )
    return camel_shape(row)


async def update_metadata_schema(call: Call, resource: str, data: CamelSchemaIn) -> CamelSchema:
    """Add or replace definitions of a metadata schema, by its id or its resource. The others stay."""
    properties = data.properties or {}
    row = await edit.change(call.conn, call.project_id, resource, properties, data.allow_defined_only)
    return camel_shape(row)


async def delete_metadata_schema(call: Call, resource: str) -> None:
    """Delete a metadata schema, by its id or its resource. Metadata that is stored stays."""
    await edit.remove(call.conn, call.project_id, resource)


# /management/v1 ----------------------------------------------------------------------------------------------


async def list_project_metadata_schemas(call: Call, project_id: str) -> SchemaList:
    """List all metadata schemas of the project."""
    rows = await store.all_of(call.db, own_project(call, project_id))
    return SchemaList(data=[shape(row) for row in rows], total=len(rows))


async def create_project_metadata_schema(call: Call, project_id: str, data: SchemaIn) -> Schema:
    """Create the metadata schema of a resource, or of a kind of object of your own. 409 when it has one."""
    own_project(call, project_id)
    row = await edit.create(
        call.conn, project_id, data.related_object, data.properties or {}, data.allow_defined_only
    )
    return shape(row)


async def get_project_metadata_schema(call: Call, project_id: str, metadata_schema_id: str) -> Schema:
    """Read a metadata schema by its id or its resource."""
    own_project(call, project_id)
    return shape(await _known(call, metadata_schema_id))


async def update_project_metadata_schema(
    call: Call, project_id: str, metadata_schema_id: str, data: SchemaChange
) -> Schema:
    """Add or replace definitions of a metadata schema. The others stay; a type never changes."""
    own_project(call, project_id)
    row = await edit.change(
        call.conn, project_id, metadata_schema_id, data.properties or {}, data.allow_defined_only
    )
    return shape(row)


async def delete_project_metadata_schema(call: Call, project_id: str, metadata_schema_id: str) -> None:
    """Delete a metadata schema. Metadata that is stored stays."""
    await edit.remove(call.conn, own_project(call, project_id), metadata_schema_id)


_TAG = "Metadata schemas"
_RESOURCE = "/v1/metadata-schemas/{resource}"
_ALL = "/management/v1/projects/{project_id}/metadata-schemas"
_ONE = _ALL + "/{metadata_schema_id}"


def _managed(method: str, path: str, handler: Callable[..., Any], **more: Any) -> Route:
    given: Mapping[str, Any] = {"method": method, "path": path, "handler": handler, "tag": _TAG, **more}
    return Route(**given, access="management", roles=("management",))


ROUTES = [
    Route(method="GET", path="/v1/metadata-schemas", handler=list_metadata_schemas, tag=_TAG),
    Route(method="GET", path=_RESOURCE, handler=get_metadata_schema, tag=_TAG),
    Route(method="POST", path=_RESOURCE, handler=create_metadata_schema, tag=_TAG, kind="write"),
    Route(method="PUT", path=_RESOURCE, handler=update_metadata_schema, tag=_TAG, kind="write"),
    Route(
        method="DELETE", path=_RESOURCE, handler=delete_metadata_schema, tag=_TAG, kind="write", status=204
    ),
    _managed("GET", _ALL, list_project_metadata_schemas),
    _managed("POST", _ALL, create_project_metadata_schema, kind="write"),
    _managed("GET", _ONE, get_project_metadata_schema),
    _managed("PUT", _ONE, update_project_metadata_schema, kind="write"),
    _managed("DELETE", _ONE, delete_project_metadata_schema, kind="write", status=204),
]
