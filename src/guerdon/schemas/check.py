"""Metadata against its project's schemas, wherever metadata is written.

The schemas of a project are kept in the process for as long as its config_version stays what it is: where there
are none, a check is one look-up of that number.
"""

import itertools
from collections.abc import Collection, Iterable
from typing import Any

from guerdon.definitions.store import VERSION
from guerdon.kit import db
from guerdon.kit.errors import invalid_payload
from guerdon.schemas import store
from guerdon.schemas.values import Schema, Schemas, faults_in

MOST_FAULTS = 20
KEPT_PROJECTS = 10_000

_kept: dict[str, tuple[int, Schemas]] = {}


async def schemas_of(conn: db.Db, project_id: str) -> Schemas:
    """The project's schemas by what they are of; for many checks in a row, each then made by `check`."""
    version: int = await db.value(conn, VERSION, project_id)
    kept = _kept.get(project_id)
    if kept is not None and kept[0] == version:
        return kept[1]
    rows = await store.all_of(conn, project_id)
    schemas = {row.related_object: Schema(row.properties, row.allow_defined_only) for row in rows}
    _keep(project_id, version, schemas)
    return schemas


def schemas_in(project_id: str, version: int, stored: Iterable[tuple[str, dict[str, Any], bool]]) -> Schemas:
    """The same from what a project's definitions hold of schemas at `version`: what each is of, its definitions,
    whether nothing else is allowed.
    """
    kept = _kept.get(project_id)
    if kept is not None and kept[0] == version:
        return kept[1]
    schemas = {of: Schema(store.parsed(properties), only) for of, properties, only in stored}
    _keep(project_id, version, schemas)
    return schemas


def _keep(project_id: str, version: int, schemas: Schemas) -> None:
    if len(_kept) >= KEPT_PROJECTS:
        _kept.clear()
    _kept[project_id] = (version, schemas)


def check(
    schemas: Schemas, related_object: str, metadata: dict[str, Any] | None, path: str = "metadata",
    said: Collection[str] | None = None, whole: bool = True,
) -> None:  # fmt: skip
    """Raise `ApiError` 400 ``metadata_validation_failed`` naming each path that does not fit.

    `metadata` is what would be stored; `said` the names this request says something of (all of them by default),
    so that what was stored before a schema came does not stand in the way of a change. What is not `whole` may
    leave out what is required.
    """
    schema = schemas.get(related_object)
    if schema is None:
        return
    faults = list(
        itertools.islice(faults_in(schemas, schema, metadata or {}, path, said, whole), MOST_FAULTS)
    )
    if faults:
        raise invalid_payload(
            *faults, key="metadata_validation_failed", message="The metadata does not fit its schema"
        )


async def checked(
    conn: db.Db, project_id: str, related_object: str, metadata: dict[str, Any] | None, path: str = "metadata",
    said: Collection[str] | None = None,
) -> None:  # fmt: skip
    """`check` with the project's schemas: call it with the metadata that is about to be stored."""
    check(await schemas_of(conn, project_id), related_object, metadata, path, said)
