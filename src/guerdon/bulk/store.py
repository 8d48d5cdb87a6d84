"""SQL of async actions: jobs that have an action type."""

from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.jobs import Job


class ActionRow(msgspec.Struct):
    """A job as its async action is made of it."""

    id: str
    type: str
    status: str
    progress: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    request_id: str | None = None
    result: dict[str, Any] | None = None


LIST = """
    select id, action_type as type, status, progress, created_at, started_at, finished_at, request_id
    from jobs
    where project_id = $1 and action_type is not null
      and ($2::timestamptz is null or created_at < $2 + interval '1 millisecond')
    order by created_at desc, id desc
    limit $3
"""

READ = """
    select id, action_type as type, status, progress, created_at, started_at, finished_at, request_id, result
    from jobs
    where project_id = $1 and id = $2 and action_type is not null
"""

# One that waits ends here and now; one that runs ends at its next step.
CANCEL = """
    with called_off as (
        update jobs
        set cancel = true, status = case when status = 'READY' then 'CANCELED' else status end,
            finished_at = case when status = 'READY' then clock_timestamp() else finished_at end
        where project_id = $1 and id = $2 and action_type is not null and status in ('READY', 'RUNNING')
        returning *
    )
    select project_id, id, kind, payload, cursor, progress, attempts, max_attempts, cancel,
           coalesce(leased_by, '') as leased_by, action_type, request_id
    from called_off where status = 'CANCELED'
"""


async def list_actions(conn: db.Db, project_id: str, until: datetime | None, count: int) -> list[ActionRow]:
    """The newest actions created until then (and in its millisecond), without their results."""
    return await db.rows(conn, ActionRow, LIST, project_id, until, count)


async def read_action(conn: db.Db, project_id: str, action_id: str) -> ActionRow | None:
    """An action with its result."""
    return await db.row(conn, ActionRow, READ, project_id, action_id)


async def cancel(conn: db.Db, project_id: str, action_id: str) -> Job | None:
    """Call an action off; its job when that waited and so ended now. Nothing happens to one that has ended."""
    return await db.row(conn, Job, CANCEL, project_id, action_id)
