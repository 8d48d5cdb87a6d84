"""Custom event schemas made, changed and thrown away."""

from guerdon.custom_events import store
from guerdon.custom_events.store import SchemaRow
from guerdon.kit import db
from guerdon.kit.errors import Fault, duplicate, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.schemas import store as metadata_schemas
from guerdon.schemas.definition import STANDARD, Definition, Properties, faults_of, tidied


async def create(conn: db.Conn, project_id: str, name: str, properties: dict[str, Definition]) -> SchemaRow:
    """The new schema. Raises `ApiError` 409 when the name has one, 400 for definitions that make no sense."""
    said = {key: tidied(definition) for key, definition in properties.items()}
    await _check(conn, project_id, said, {})
    made = await store.insert_schema(conn, project_id, new_id("custom_event_schema"), name, said)
    if made is None:
        raise duplicate("custom event schema", name, "name")
    return made


async def change(conn: db.Conn, project_id: str, key: str, properties: dict[str, Definition]) -> SchemaRow:
    """The schema with these definitions added, or put in the place of those of the same name; types may change.

    Raises `ApiError` 404 for an unknown schema, 400 for definitions that make no sense.
    """
    known = await lock(conn, project_id, key)
    said = {name: tidied(definition) for name, definition in properties.items()}
    kept = {name: one for name, one in known.properties.items() if name not in said}
    await _check(conn, project_id, said, kept)
    return await store.update_schema(conn, project_id, known.id, known.properties | said)


async def lock(conn: db.Conn, project_id: str, key: str) -> SchemaRow:
    """The schema with this id or name, locked. Raises `ApiError` 404."""
    known = await store.find(conn, project_id, key)
    locked = None if known is None else await store.lock(conn, project_id, known.id)
    if locked is None:
        raise not_found("custom event schema", key)
    return locked


async def _check(conn: db.Db, project_id: str, said: Properties, kept: Properties) -> None:
    kinds = {row.related_object for row in await metadata_schemas.all_of(conn, project_id)} - set(STANDARD)
    faults = list(faults_of(STANDARD[0], said, kept, kinds))[:20]
    if faults:
        raise invalid_payload(*(Fault(f"schema.{fault.path}", fault.message) for fault in faults))
