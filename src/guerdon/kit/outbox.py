"""Events: what happened, written in the transaction that made it happen, so that neither is without the other."""

from collections.abc import Sequence
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.ids import new_id


class Event(msgspec.Struct):
    """`type` is one of the published event types; `data` holds what cannot be read from the entity later."""

    type: str
    entity_id: str
    customer_id: str | None = None
    data: dict[str, Any] | str = "{}"


COLUMNS = ("project_id", "id", "type", "entity_id", "customer_id", "data", "request_id")


async def emit(conn: db.Db, project_id: str, events: Sequence[Event], request_id: str | None = None) -> None:
    """Write events in the caller's transaction."""
    await emit_for(conn, project_id, events, [request_id] * len(events))


async def emit_for(
    conn: db.Db, project_id: str, events: Sequence[Event], request_ids: Sequence[str | None]
) -> None:
    """The same for events of several requests, one request id each."""
    if not events:
        return
    assert not isinstance(conn, db.Pool)
    await db.insert(
        conn,
        "events",
        COLUMNS,
        [
            (
                project_id,
                new_id("event"),
                event.type,
                event.entity_id,
                event.customer_id,
                event.data,
                request_id,
            )
            for event, request_id in zip(events, request_ids, strict=True)
        ],
    )
