"""Metadata schemas made, changed and thrown away."""

import re
from collections.abc import Mapping

import msgspec

from guerdon.definitions.changes import changed
from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, duplicate, invalid_payload, invalid_query, not_found
from guerdon.kit.ids import new_id
from guerdon.schemas import store
from guerdon.schemas.definition import STANDARD, CamelDefinition, Definition, Properties, faults_of, tidied
from guerdon.schemas.store import SchemaRow

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,99}", re.ASCII)


def checked_name(resource: str) -> str:
    """A name that a schema can be of. Raises `ApiError` 400 for a path that holds another."""
    if not _NAME.fullmatch(resource):
        raise invalid_query("resource", "must be a resource, or a name of letters, digits, spaces, _ and -")
    return resource


async def create(
    conn: db.Conn, project_id: str, related_object: str, properties: Mapping[str, Definition] | Mapping[str, CamelDefinition],
    allow_defined_only: bool | None,
) -> SchemaRow:  # fmt: skip
    """The new schema. Raises `ApiError` 409 when the resource has one, 400 for definitions that make no sense."""
    said = {name: tidied(definition) for name, definition in properties.items()}
    await _check(conn, project_id, related_object, said, {})
    made = await store.insert(
        conn, project_id, new_id("metadata_schema"), related_object, said, bool(allow_defined_only)
    )
    if made is None:
        raise duplicate("metadata schema", related_object, "related_object")
    await changed(conn, project_id, [("schema", made.id)])
    return made


async def change(
    conn: db.Conn, project_id: str, key: str, properties: Mapping[str, Definition] | Mapping[str, CamelDefinition],
    allow_defined_only: bool | None,
) -> SchemaRow:  # fmt: skip
    """The schema with these definitions added, or put in the place of those of the same name.

    Raises `ApiError` 404 for an unknown schema, 400 for definitions that make no sense or change their type.
    """
    known = await store.lock(conn, project_id, key)
    if known is None:
        raise not_found("metadata schema", key)
    said = {name: tidied(definition) for name, definition in properties.items()}
    await _check(conn, project_id, known.related_object, said, known.properties)
    merged = msgspec.structs.replace(known, properties=known.properties | said)
    if allow_defined_only is not None:
        merged.allow_defined_only = allow_defined_only
    written = await store.update(conn, project_id, merged)
    await changed(conn, project_id, [("schema", known.id)])
    return written


async def remove(conn: db.Conn, project_id: str, key: str) -> None:
    """Delete a schema. Raises `ApiError` 404, or 400 ``resource_in_use`` while definitions are of that kind."""
    known = await store.lock(conn, project_id, key)
    if known is None:
        raise not_found("metadata schema", key)
    users = [
        row.related_object
        for row in await store.all_of(conn, project_id)
        if any(
            one.object_type == known.related_object and one.deleted is not True
            for one in row.properties.values()
        )
    ]
    if users and known.related_object not in STANDARD:
        raise ApiError(
            400, "resource_in_use", "The schema is in use",
            f"Definitions of {', '.join(users)} are objects of this kind; remove those first.",
            resource_id=known.id, resource_type="metadata schema",
        )  # fmt: skip
    await store.delete(conn, project_id, known.id)
    await changed(conn, project_id, [("schema", known.id)])


async def _check(
    conn: db.Db, project_id: str, related_object: str, said: Properties, before: Properties
) -> None:
    kinds = {row.related_object for row in await store.all_of(conn, project_id)} - set(STANDARD)
    faults: list[Fault] = list(faults_of(related_object, said, before, kinds))[:20]
    if faults:
        raise invalid_payload(*faults)
