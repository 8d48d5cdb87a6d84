"""The jobs of loyalty. Those that are told what happened take all that waits beside them into one transaction."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from guerdon.definitions.waiting import EARN, EARN_AGAIN, LEAVE, UNGIVE, UNPAY
from guerdon.kit import db
from guerdon.kit.job_worker import Periodic
from guerdon.kit.jobs import Canceled, JobHandler, LeaseLost, Released, Work
from guerdon.kit.log import get_logger
from guerdon.loyalty import days, night
from guerdon.loyalty.auto_redeem import auto_redeem_all
from guerdon.loyalty.benefits import FULFIL
from guerdon.loyalty.earn import WAKE, Told, earn_all
from guerdon.loyalty.earn_again import earn_again_all
from guerdon.loyalty.follow import follow_all, lapse_all, wake_all
from guerdon.loyalty.fulfil import fulfil_all, ungive_all
from guerdon.loyalty.members import leave_all
from guerdon.loyalty.members_batch import BATCH, enrol_many
from guerdon.loyalty.payments import unpay_all
from guerdon.loyalty.sheet import AUTO_REDEEM

logger = get_logger()

MOST = 63
"""How many others a job takes with it."""

OWN = "select id, payload, created_at from jobs where project_id = $1 and id = $2"
TAKE_OTHERS = """
    delete from jobs where project_id = $1 and id = any(array(
        select id from jobs
        where project_id = $1 and kind = $2 and status = 'READY' and run_at <= now() and attempts = 0 and id <> $3
        order by run_at, id limit $4 for update skip locked
    ))
    returning id, payload, created_at
"""

Together = Callable[[db.Conn, str, Sequence[Told]], Awaitable[None]]


def together(run: Together, most: int = MOST) -> JobHandler:
    """A handler that does its job and those that wait beside it in one transaction; alone where that fails."""

    async def handler(work: Work) -> dict[str, Any] | None:
        if work.job.attempts == 1:
            try:
                return await _run(work, run, most)
            except (LeaseLost, Released, Canceled, *db.ConnectionLost):
                raise
            except Exception as error:
                logger.warning("jobs did not work together", kind=work.job.kind, error=repr(error))
        return await _run(work, run, 0)

    return handler


async def _run(work: Work, run: Together, most: int) -> None:
    job = work.job
    async with work.step() as conn:
        records = await db.records(conn, OWN, job.project_id, job.id)
        if most:
            records += await db.records(conn, TAKE_OTHERS, job.project_id, job.kind, job.id, most)
        told = [(record["id"], record["payload"], record["created_at"]) for record in records]
        await run(conn, job.project_id, told)
        await work.finish(conn)


JOBS: dict[str, JobHandler] = {
    EARN: together(earn_all),
    EARN_AGAIN: together(earn_again_all),
    UNPAY: together(unpay_all),
    FULFIL: together(fulfil_all),
    AUTO_REDEEM: together(auto_redeem_all),
    UNGIVE: together(ungive_all),
    "loyalty.follow": together(follow_all),
    WAKE: together(wake_all),
    "cards.lapse": together(lapse_all),
    LEAVE: together(leave_all),
    BATCH: enrol_many,
    night.NIGHT: night.run,
    night.TICK: night.tick,
    days.FOLD: days.tick,
}

PERIODIC = [Periodic(night.TICK, every=60), Periodic(days.FOLD, every=60)]
