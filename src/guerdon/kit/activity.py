"""Lists of what happened to one thing: its events, the latest first, as the API shows them."""

from datetime import datetime
from typing import Any, LiteralString, cast

from msgspec import UNSET, Struct, UnsetType, field

from guerdon.kit import db, paging
from guerdon.kit.clock import iso
from guerdon.kit.paging import Listing

COLUMNS: LiteralString = "e.id, e.type, e.entity_id, e.customer_id, e.data, e.created_at, e.request_id"
SORTS: dict[str, LiteralString] = {"created_at": "e.created_at"}

# As the index events_by_subject says it.
OF_SUBJECT: LiteralString = """
    e.project_id = $1 and coalesce(e.data #>> '{segment,id}', e.entity_id) collate "C" = $2 and e.type in (
        'customer.segment.entered', 'customer.segment.left',
        'segment.created', 'segment.updated', 'segment.deleted',
        'product_collection.created', 'product_collection.updated', 'product_collection.deleted'
    )
"""
LISTING = Listing(
    name="data", columns=COLUMNS, source="events e", where=OF_SUBJECT, id="e.id", fields={}, sorts=SORTS
)


class EventRow(Struct):
    """A row of `events`."""

    id: str
    type: str
    entity_id: str
    customer_id: str | None
    data: dict[str, Any]
    created_at: datetime
    request_id: str | None


class Activity(Struct, kw_only=True):
    """Something that happened. `group_id` is the id of the request that made it happen, if one did."""

    id: str
    type: str
    data: dict[str, Any]
    created_at: str
    group_id: str | None


class Activities(Struct, kw_only=True):
    """A page of what happened."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Activity]
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class CountedActivities(Activities, kw_only=True):
    """The same with how much there is in all."""

    total: int = field(default=0)


def shown(row: EventRow, type: str, data: dict[str, Any]) -> Activity:
    """An event as activities show it."""
    return Activity(
        id=row.id, type=type, data={"data": data}, created_at=iso(row.created_at), group_id=row.request_id
    )


async def of_subject(
    conn: db.Db, project_id: str, subject_id: str, query: list[tuple[str, str]], zone: str
) -> Activities:
    """What happened to a segment or a collection. Raises `ApiError` 400 for a query that cannot be."""
    found = await paging.page(conn, EventRow, LISTING, project_id, query, args=(subject_id,), zone=zone)
    return Activities(
        data=[shown(row, row.type, about(row)) for row in found.rows],
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def about(row: EventRow) -> dict[str, Any]:
    """What the event itself tells, with the customer."""
    who = {} if row.customer_id is None else {"customer": {"id": row.customer_id, "object": "customer"}}
    return cast(dict[str, Any], who) | row.data
