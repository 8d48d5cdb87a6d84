"""Jobs that failed again and again and were given up: how many there are, and how to have them tried once more."""

from collections.abc import Collection

import msgspec

from guerdon.kit import db

PROJECTS = "select id from projects order by id"

# Those that said themselves that trying again cannot help have told why in their result.
COUNT = """
    select kind, count(*) as jobs, max(finished_at)::text as last, max(error) as error
    from jobs where project_id = $1 and status = 'DEAD' and result is null
    group by kind order by kind
"""
AGAIN = """
    update jobs
    set status = 'READY', attempts = 0, error = null, run_at = now(), finished_at = null, leased_by = null,
        leased_until = null
    where project_id = $1 and status = 'DEAD' and result is null and kind <> all($2::text[])
      and (cardinality($3::text[]) = 0 or kind = any($3::text[]))
"""


class GivenUp(msgspec.Struct, frozen=True):
    """Jobs of a kind that a project's worker gave up; `error` is what one of them failed with."""

    project_id: str
    kind: str
    jobs: int
    last: str
    error: str | None


async def given_up(conn: db.Db) -> list[GivenUp]:
    """What was given up, in every project, as long as it is kept (90 days)."""
    found: list[GivenUp] = []
    for project in await db.records(conn, PROJECTS):
        for row in await db.records(conn, COUNT, project["id"]):
            found.append(GivenUp(project["id"], row["kind"], row["jobs"], row["last"], row["error"]))
    return found


async def try_again(conn: db.Db, kinds: Collection[str] = (), but: Collection[str] = ()) -> int:
    """Put jobs that were given up back into the queue, from where their last step left them: how many.

    `kinds` are those wanted, all if there are none. `but` those of which the undoing has been written already.
    """
    count = 0
    for project in await db.records(conn, PROJECTS):
        count += await db.execute(conn, AGAIN, project["id"], list(but), list(kinds))
    return count
