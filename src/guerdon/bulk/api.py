"""Async actions over HTTP: what became of a bulk request."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.bulk import store
from guerdon.bulk.store import ActionRow
from guerdon.campaigns.jobs import JOBS
from guerdon.kit import db
from guerdon.kit.call import Call, Route
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query, not_found
from guerdon.kit.jobs import Mourned

MAX_LIMIT = 100

Status = Literal["ENQUEUED", "IN_PROGRESS", "DONE", "FAILED"]
Verdict = Literal["UNKNOWN", "SUCCESS", "FAILED"]

STATUSES: dict[str, tuple[Status, Verdict]] = {
    "READY": ("ENQUEUED", "UNKNOWN"),
    "RUNNING": ("IN_PROGRESS", "UNKNOWN"),
    "DONE": ("DONE", "SUCCESS"),
    "DEAD": ("FAILED", "FAILED"),
    "CANCELED": ("FAILED", "FAILED"),
}
NO_RESULT = {
    "DEAD": "It failed again and again and was given up; the server's log says why under this id.",
    "CANCELED": "It was called off; what it had done until then stays.",
}


class AsyncAction(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`progress` is in percent, `processing_time` in milliseconds; the list leaves `result` out."""

    id: str
    type: str
    status: Status
    operation_status: Verdict
    progress: int
    created_at: str
    updated_at: str | UnsetType = UNSET
    processing_time: int | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET
    object: Annotated[str, Meta(description="Always async_action.")]


class AsyncActions(msgspec.Struct):
    """The newest async actions first."""

    async_actions: list[AsyncAction]
    has_more: bool
    object: str = "list"
    data_ref: str = "async_actions"


def shown(row: ActionRow) -> AsyncAction:
    """A job as an async action. One that is between two tries has begun, so it is in progress."""
    status, verdict = STATUSES[row.status]
    if row.status == "READY" and row.started_at is not None:
        status = "IN_PROGRESS"
    result = row.result
    if result is None and row.status in NO_RESULT:
        result = {"message": NO_RESULT[row.status]}
    moment = row.finished_at or row.started_at
    action = AsyncAction(
        id=row.id,
        type=row.type,
        status=status,
        operation_status=verdict,
        progress=row.progress,
        created_at=iso(row.created_at),
        updated_at=iso(moment) if moment else UNSET,
        request_id=row.request_id or UNSET,
        result=UNSET if result is None else result,
        object="async_action",
    )
    if row.finished_at and row.started_at:
        action.processing_time = int((row.finished_at - row.started_at).total_seconds() * 1000)
    return action


async def list_async_actions(
    call: Call, limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 10, end_date: str | None = None
) -> AsyncActions:
    """List async actions, the newest first.

    `end_date` leaves out those created after it: with the last one's `created_at` the next page begins with it.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid_query("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    until = None
    if end_date is not None:
        try:
            until = parse_instant(end_date, call.caller.timezone, end_of_day=True)
        except ValueError as error:
            raise invalid_query("end_date", str(error)) from None
    rows = await store.list_actions(call.db, call.project_id, until, limit + 1)
    actions = [shown(row) for row in rows[:limit]]
    for action in actions:
        action.result = UNSET
    return AsyncActions(actions, has_more=len(rows) > limit)


async def read_async_action(call: Call, async_action_id: str) -> AsyncAction:
    """Read an async action and what came of it."""
    row = await store.read_action(call.db, call.project_id, async_action_id)
    if row is None:
        raise not_found("async_action", async_action_id)
    return shown(row)


async def cancel_async_action(call: Call, async_action_id: str) -> AsyncAction:
    """Call off an async action (ours: the reference has no such call).

    One that waits ends at once; one that runs ends before its next step, and what its steps did stays. The answer
    is the action as it is now: one that had ended already is answered as it ended.
    """
    ended = await store.cancel(call.db, call.project_id, async_action_id)
    if ended is not None and isinstance(handler := JOBS.get(ended.kind), Mourned):
        assert not isinstance(call.db, db.Pool)
        await handler.undone(call.db, ended)
    return await read_async_action(call, async_action_id)


TAG = "Async Actions"

ROUTES = [
    Route(method="GET", path="/v1/async-actions", handler=list_async_actions, tag=TAG),
    Route(method="GET", path="/v1/async-actions/{async_action_id}", handler=read_async_action, tag=TAG),
    Route(
        method="POST",
        path="/v1/async-actions/{async_action_id}/cancel",
        handler=cancel_async_action,
        tag=TAG,
        kind="write",
    ),
]
