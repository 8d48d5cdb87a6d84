"""Making, changing and removing segments."""

from typing import Any

from guerdon.definitions.changes import changed
from guerdon.engine.fault import EngineError
from guerdon.engine.filter import CUSTOMER_FIELDS, parse_filter
from guerdon.kit import jobs
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.segments import store

MAX_CUSTOMERS = 20_000
MAX_DYNAMIC = 100


async def create(
    call: Call, name: str, type: str, named: list[str] | None, filter: dict[str, Any] | None
) -> str:
    """Write a segment; its id. Raises `ApiError` 400 for what does not fit the type, 404 for unknown customers."""
    segment_id = new_id("segment")
    if type == "static":
        await _create_static(call, segment_id, name, named, filter)
    else:
        if named:
            raise invalid_payload(Fault("customers", f"are listed by static segments; this one is {type}"))
        if filter is None:
            raise invalid_payload(Fault("filter", f"a segment of type {type} needs its filter"))
        check_filter(filter)
        if await store.count_dynamic(call.db, call.project_id) >= MAX_DYNAMIC:
            raise _refused(f"A project has at most {MAX_DYNAMIC} segments with a filter; delete one first.")
        await store.insert(call.db, call.project_id, segment_id, name, type, filter)
    if type == "auto-update":
        await jobs.enqueue(
            call.db, call.project_id, "segments.fill", {"segment_id": segment_id},
            request_id=call.request_id, dedupe_key=f"segment:{segment_id}",
        )  # fmt: skip
    await _told(call, "created", segment_id, name)
    return segment_id


async def _create_static(
    call: Call, segment_id: str, name: str, named: list[str] | None, filter: dict[str, Any] | None
) -> None:
    if filter:
        raise invalid_payload(Fault("filter", "a static segment lists its customers and has none"))
    wanted = list(dict.fromkeys(named or []))
    if len(wanted) > MAX_CUSTOMERS:
        raise invalid_payload(Fault("customers", f"a static segment lists at most {MAX_CUSTOMERS} customers"))
    found = await store.customers_named(call.db, call.project_id, wanted)
    unknown = next((one for one in wanted if one not in found), None)
    if unknown is not None:
        raise not_found("customer", unknown)
    await store.insert(call.db, call.project_id, segment_id, name, "static", None)
    await store.enter(call.db, call.project_id, segment_id, list(set(found.values())))


async def change(call: Call, segment_id: str, name: str | None, filter: dict[str, Any] | None) -> None:
    """Edit a passive segment; None leaves as it is. Raises `ApiError` 400 for one of another type, 404."""
    row = await _locked(call, segment_id)
    if row.type != "passive":
        raise _refused(f"A segment of type {row.type} stays as it was made; make another one.")
    if filter is not None:
        check_filter(filter)
    kept = row.filter if filter is None else filter
    await store.update(call.db, call.project_id, segment_id, name or row.name, kept)
    await _told(call, "updated", segment_id, name or row.name)


async def remove(call: Call, segment_id: str) -> None:
    """Delete a segment. Raises `ApiError` 404, 400 ``resource_in_use`` when a rule asks for it."""
    row = await _locked(call, segment_id)
    rules = await store.used_by(call.db, call.project_id, segment_id)
    if rules:
        named = ", ".join(f"{rule['id']} ({rule['name']})" for rule in rules[:5])
        raise ApiError(
            400,
            "resource_in_use",
            "Resource in use",
            f"The segment {row.name!r} is asked for by validation rules: {named}. Change those first.",
            resource_id=segment_id,
            resource_type="segment",
            extra={
                "related_object_ids": [rule["id"] for rule in rules],
                "related_object_type": "validation_rules",
                "related_object_total": len(rules),
            },
        )
    await store.delete(call.db, call.project_id, segment_id)
    await _told(call, "deleted", segment_id, row.name)


async def _told(call: Call, what: str, segment_id: str, name: str) -> None:
    """Let snapshots know, and write the event."""
    await changed(call.conn, call.project_id, [("segment", segment_id)])
    about = {"segment": {"id": segment_id, "name": name, "object": "segment"}}
    await emit(call.db, call.project_id, [Event(f"segment.{what}", segment_id, data=about)], call.request_id)


def check_filter(filter: dict[str, Any]) -> None:
    """Raise `ApiError` 400 with the path of what is wrong with a filter."""
    try:
        parse_filter(filter, "filter", CUSTOMER_FIELDS)
    except EngineError as error:
        raise invalid_payload(Fault(error.path, error.message), key=error.key) from None


async def _locked(call: Call, segment_id: str) -> store.SegmentRow:
    row = await store.find(call.db, call.project_id, segment_id, lock=True)
    if row is None:
        raise not_found("segment", segment_id)
    return row


def _refused(details: str) -> ApiError:
    return ApiError(400, "invalid_segment", "Invalid segment", details)
