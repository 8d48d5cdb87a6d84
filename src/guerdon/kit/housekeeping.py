"""What is forgotten in time: old idempotency keys, ended jobs and their files, tallies of days gone by, sessions that
ended, changes every process has seen. Small transactions, any worker.
"""

from typing import LiteralString

from guerdon.kit import db
from guerdon.kit.job_worker import Periodic
from guerdon.kit.jobs import JobHandler, Work

BATCH = 2_000
KEPT_CHANGES = 5_000
"""Versions of a project's definitions; a process that is further behind loads them all anew."""

PROJECTS = "select id from projects order by id"

# Quiet jobs are kept 2 days, files of ended ones 30, what callers may ask about 90.
FORGET_KEYS = """
    delete from idempotency_keys where project_id = $1 and key = any(array(
        select key from idempotency_keys
        where project_id = $1 and created_at < now() - make_interval(days => $3) limit $2
    ))
"""

FORGET_JOBS = """
    delete from jobs where project_id = $1 and id = any(array(
        select id from jobs
        where project_id = $1 and status in ('DONE', 'DEAD', 'CANCELED') and finished_at < now() - case
            when status = 'DONE' and action_type is null then interval '2 days' else interval '90 days' end
        limit $2
    ))
"""

FORGET_FILES = """
    delete from job_files where project_id = $1 and job_id = any(array(
        select f.job_id from job_files f join jobs j on j.project_id = f.project_id and j.id = f.job_id
        where f.project_id = $1 and j.status in ('DONE', 'DEAD', 'CANCELED')
          and j.finished_at < now() - interval '30 days'
        group by f.job_id limit 10
    ))
"""


# A day's tally is kept a month beyond its end, for rollbacks; one that no rule counts by any more is not kept.
FORGET_TALLIES = """
    delete from tallies where project_id = $1 and key = any(array(
        select t.key from tallies t where t.project_id = $1 and (t.until < current_date - 31 or exists (
            select 1 from tally_epochs e
            where e.project_id = $1 and e.owner = split_part(split_part(t.key, '|', 1), '@', 1)
              and e.version > nullif(split_part(split_part(t.key, '|', 1), '@', 2), '')::bigint))
        limit $2
    ))
"""

FORGET_HOLDS = """
    delete from session_holds where project_id = $1 and (held, session_key, redeemable_id) in (
        select held, session_key, redeemable_id from session_holds
        where project_id = $1 and expires_at < now() - interval '1 hour' limit $2
    )
"""

# Wrong PINs count for a quarter of an hour.
FORGET_TRIES = """
    delete from card_pin_tries where project_id = $1 and name = any(array(
        select name from card_pin_tries
        where project_id = $1 and since < now() - interval '1 day' and coalesce(locked_until < now(), true) limit $2
    ))
"""

FORGET_CHANGES = """
    delete from definition_changes c using projects p
    where c.project_id = $1 and p.id = $1 and c.version <= p.config_version - $2
"""


def forget_keys(days: int) -> JobHandler:
    """A handler that forgets Idempotency-Keys older than so many days."""

    async def forget(work: Work) -> None:
        await _in_batches(work, FORGET_KEYS, BATCH, days)

    return forget


async def forget_jobs(work: Work) -> None:
    """Files of ended jobs, then the jobs themselves."""
    await _in_batches(work, FORGET_FILES)
    await _in_batches(work, FORGET_JOBS, BATCH)


async def forget_counts(work: Work) -> None:
    """Tallies, holds, wrong PINs and changes."""
    await _in_batches(work, FORGET_TALLIES, BATCH)
    await _in_batches(work, FORGET_HOLDS, BATCH)
    await _in_batches(work, FORGET_TRIES, BATCH)
    await _in_batches(work, FORGET_CHANGES, KEPT_CHANGES)


async def _in_batches(work: Work, sql: LiteralString, *args: int) -> None:
    projects = [row["id"] for row in await db.records(work.pool, PROJECTS)]
    for project_id in ["", *projects]:
        while await db.execute(work.pool, sql, project_id, *args) and not work.stopping:
            pass


def jobs(idempotency_days: int) -> dict[str, JobHandler]:
    """The kinds of job of this file."""
    return {
        "forget.keys": forget_keys(idempotency_days),
        "forget.jobs": forget_jobs,
        "forget.counts": forget_counts,
    }


PERIODIC = [
    Periodic("forget.keys", every=3600, offset=600),
    Periodic("forget.jobs", every=3600, offset=1800),
    Periodic("forget.counts", every=3600, offset=2400),
]
