"""``/v1/segments``, and the segments of one customer."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.customers import store as customers
from guerdon.customers.locked import CustomerIn
from guerdon.kit import clock, paging
from guerdon.kit.activity import Activities, of_subject
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.kit.filters import listed
from guerdon.segments import customers as segment_customers
from guerdon.segments import edit, store
from guerdon.segments.members import memberships, moment, would_belong

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Type = Literal["auto-update", "passive", "static"]


class SegmentIn(msgspec.Struct, kw_only=True):
    """A segment to be: static with its `customers` by id or source id, or of another type with its `filter`."""

    name: Name
    type: Type = "static"
    customers: list[str] | None = None
    filter: dict[str, Any] | None = None


class SegmentChange(msgspec.Struct, kw_only=True):
    """What is to change of a passive segment. Absent stays."""

    name: Name | UnsetType = UNSET
    filter: dict[str, Any] | UnsetType = UNSET


class Segment(msgspec.Struct, kw_only=True):
    """A segment. `initial_sync_status` tells whether a new auto-update segment knows its first members."""

    id: str
    name: str
    created_at: str
    updated_at: str | None
    type: Type
    filter: dict[str, Any] | None
    initial_sync_status: Literal["DONE", "IN_PROGRESS"]
    object: Literal["segment"] = "segment"


class SegmentList(msgspec.Struct, kw_only=True):
    """A page of segments."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Segment]
    total: int
    has_more: bool
    more_starting_after: str | None


class SimpleSegment(msgspec.Struct, kw_only=True):
    """A segment by name."""

    id: str
    name: str
    object: Literal["segment"] = "segment"


class CustomerSegments(msgspec.Struct, kw_only=True):
    """The segments that a customer is in, or would be."""

    object: str = "list"
    data_ref: str = "data"
    data: list[SimpleSegment]
    total: int


def shape(row: store.SegmentRow) -> Segment:
    """The row as it leaves the API."""
    return Segment(
        id=row.id,
        name=row.name,
        created_at=clock.iso(row.created_at),
        updated_at=None if row.updated_at is None else clock.iso(row.updated_at),
        type=row.type,  # type: ignore[arg-type]
        filter=row.filter,
        initial_sync_status="IN_PROGRESS" if row.filling else "DONE",
    )


async def _found(call: Call, segment_id: str) -> store.SegmentRow:
    row = await store.find(call.db, call.project_id, segment_id)
    if row is None:
        raise not_found("segment", segment_id)
    return row


async def create_segment(call: Call, data: SegmentIn) -> Segment:
    """Create a segment.

    A `static` one lists its customers, at most 20,000, for ever. The other two have a `filter` over profile,
    metadata, summary and events, and who is in them is told from the facts whenever it is asked; an `auto-update`
    one also tells by events who enters and who leaves. A project has at most 100 segments with a filter.
    """
    segment_id = await edit.create(call, data.name, data.type, data.customers, data.filter)
    return shape(await _found(call, segment_id))


async def get_segment(call: Call, segment_id: str) -> Segment:
    """Read a segment, without its members."""
    return shape(await _found(call, segment_id))


async def update_segment(call: Call, segment_id: str, data: SegmentChange) -> Segment:
    """Change a passive segment.

    The filter is replaced whole. Static and auto-update segments stay as they are.
    """
    name = None if data.name is UNSET else data.name
    await edit.change(call, segment_id, name, None if data.filter is UNSET else data.filter)
    return shape(await _found(call, segment_id))


async def delete_segment(call: Call, segment_id: str) -> None:
    """Delete a segment.

    One that a validation rule asks for is in use and stays.
    """
    await edit.remove(call, segment_id)


async def list_segments(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> SegmentList:
    """List segments.

    `order` is created_at, updated_at, name or id, with a dash before it to reverse it. `ids[]` narrows the list;
    so does `filters[field][conditions][$is][0]` on id, name, type, created_at and updated_at.
    """
    ids: list[str] = []
    for key, value in call.query:
        if key == "ids" or key.startswith("ids["):
            ids += listed(value) if value.startswith("[") else value.split(",")
    found = await paging.page(
        call.db, store.SegmentRow, store.LISTING, call.project_id, call.query,
        args=(ids[:1000] or None,), zone=call.caller.timezone,
    )  # fmt: skip
    return SegmentList(
        data=[shape(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def list_segment_activities(
    call: Call,
    segment_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
) -> Activities:
    """List what happened to a segment, the latest first.

    When it was made and changed, and for an auto-update segment who entered and who left.
    """
    await _found(call, segment_id)
    return await of_subject(call.db, call.project_id, segment_id, call.query, call.caller.timezone)


async def list_customer_segments(call: Call, customer_id: str) -> CustomerSegments:
    """List the segments a customer is in, by id or source id.

    For a customer who is not known the answer is which segments somebody new of this source id would be in.
    """
    rows = await store.every(call.db, call.project_id)
    segments = {row.id: store.compiled(row) for row in rows}
    customer = await customers.find(call.db, call.project_id, customer_id)
    now, zone = await moment(call.db, call.project_id)
    if customer is None:
        its = would_belong(CustomerIn(source_id=customer_id), segments, now, zone)
    else:
        found = await memberships(call.db, call.project_id, [customer.id], segments, now=now, zone=zone)
        its = found[customer.id]
    data = [SimpleSegment(id=row.id, name=row.name) for row in rows if row.id in its]
    return CustomerSegments(data=data, total=len(data))


ROUTES = [
    *segment_customers.ROUTES,
    Route(method="GET", path="/v1/segments", handler=list_segments, tag="Segments"),
    Route(method="POST", path="/v1/segments", handler=create_segment, tag="Segments", kind="write"),
    Route(method="GET", path="/v1/segments/{segment_id}", handler=get_segment, tag="Segments"),
    Route(
        method="PUT", path="/v1/segments/{segment_id}", handler=update_segment, tag="Segments", kind="write"
    ),
    Route(
        method="DELETE",
        path="/v1/segments/{segment_id}",
        handler=delete_segment,
        tag="Segments",
        kind="write",
        status=204,
    ),
    Route(
        method="GET",
        path="/v1/segments/{segment_id}/activities",
        handler=list_segment_activities,
        tag="Segments",
    ),
    Route(
        method="GET",
        path="/v1/customers/{customer_id}/segments",
        handler=list_customer_segments,
        tag="Segments",
    ),
]
