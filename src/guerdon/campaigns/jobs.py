"""What the worker does for campaigns: making many codes and deleting them, in steps that survive any kill.

The rows of a step, the campaign's count and the job's cursor are one transaction, so that a job that was killed
goes on where it was and ends with exactly the number asked for.
"""

from typing import Any

import msgspec

from guerdon.campaigns import store
from guerdon.engine.codes import CodeConfig
from guerdon.kit import db
from guerdon.kit.jobs import GiveUp, Job, JobHandler, Mourned, Work
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import closing
from guerdon.loyalty.v1_programs import leave
from guerdon.vouchers.codes import mint
from guerdon.vouchers.value import is_on_sale, open_cards

BATCH = 5_000
VAIN_STEPS = 20
"""After so many steps in a row without a single new code, the code space is as good as full."""


class Generate(msgspec.Struct):
    """A request for codes: `count` of them, looking as `config` says."""

    batch: store.Batch
    config: CodeConfig
    count: int
    case_sensitive: bool


async def generate(work: Work) -> dict[str, Any]:
    """Make codes until there are as many as were asked for.

    Ends early, with what was made so far, when the campaign is deleted meanwhile; gives up when the code space
    is full.
    """
    job, asked = work.job, msgspec.convert(work.job.payload, Generate)
    made = int(job.cursor.get("made", 0))
    vain, crowded = 0, False
    while made < asked.count:
        wanted = min(BATCH, asked.count - made)
        new = await _generate_step(work, asked, made, crowded)
        if new is None:
            return {"done_count": made, "failed_count": asked.count - made}
        vain = 0 if new else vain + 1
        if vain >= VAIN_STEPS:
            raise GiveUp(
                f"only {made} of {asked.count} codes could be made: the other codes are taken",
                {"done_count": made, "failed_count": asked.count - made},
            )
        crowded = new < wanted
        made += new
    return {"done_count": made, "failed_count": 0}


async def _generate_step(work: Work, asked: Generate, made: int, crowded: bool) -> int | None:
    """How many codes were made, None when the campaign is gone. Where many codes are taken, more are drawn."""
    project_id, campaign_id = work.job.project_id, asked.batch.campaign_id
    wanted = min(BATCH, asked.count - made)
    codes = mint(asked.config, BATCH if crowded else wanted)
    if not asked.case_sensitive:
        codes = list({code.casefold(): code for code in codes}.values())
    async with work.step() as conn:
        if not await store.lock(conn, project_id, campaign_id):
            return None
        if crowded:
            free = await store.free_codes(conn, project_id, codes, asked.case_sensitive)
            codes = free[:wanted]
        ids = await store.insert_codes(conn, project_id, asked.batch, codes, asked.case_sensitive)
        new = len(ids)
        if asked.batch.type != "DISCOUNT_VOUCHER":
            body = await store.terms_in_force(conn, project_id, asked.batch)
            await open_cards(conn, project_id, campaign_id, [(name, body) for name in ids])
            if is_on_sale(body):
                await store.switch_off(conn, project_id, ids)
        await store.add_count(conn, project_id, campaign_id, new)
        if made + new == asked.count:
            await _conclude(conn, work.job, campaign_id, "DONE", asked.count)
            # Ended here, so that another generation of the campaign that ends next does not see this one open.
            await work.finish(conn, {"done_count": asked.count, "failed_count": 0})
        else:
            progress = min(99, (made + new) * 100 // asked.count)
            await work.checkpoint(conn, cursor={"made": made + new}, progress=progress)
    return new


async def _undone(conn: db.Conn, job: Job) -> None:
    """Called off, given up, or its workers died: the codes made until then stay, the campaign says FAILED."""
    campaign_id = msgspec.convert(job.payload, Generate).batch.campaign_id
    if await store.lock(conn, job.project_id, campaign_id):
        await _conclude(conn, job, campaign_id, "FAILED", int(job.cursor.get("made", 0)))


async def _conclude(conn: db.Conn, job: Job, campaign_id: str, status: str, made: int) -> None:
    """Say how a generation ended. While another one of the campaign is open, the campaign stays IN_PROGRESS;
    its row is locked, so that of two that end together one is the last."""
    if not await store.still_generates(conn, job.project_id, campaign_id, job.id):
        await store.set_status(conn, job.project_id, campaign_id, status)
    name = "completed" if status == "DONE" else "failed"
    event = Event(f"campaign.vouchers.generation.{name}", campaign_id, data={"count": made})
    await emit(conn, job.project_id, [event])


async def delete(work: Work) -> dict[str, Any]:
    """Put a campaign's codes into the bin, or erase them and at last the campaign itself."""
    project_id, force = work.job.project_id, bool(work.job.payload["force"])
    campaign_id = work.job.payload["campaign_id"]
    cursor = work.job.cursor or {"after": {"id": "", "created_at": "-infinity"}, "done": 0}
    while True:
        after = msgspec.convert(cursor["after"], store.VoucherKey)
        async with work.step() as conn:
            batch = await store.next_vouchers(conn, project_id, campaign_id, after, BATCH)
            if not batch:
                if force:
                    await store.erase(conn, project_id, campaign_id)
                await work.checkpoint(conn, cursor=cursor, progress=99)
                return {"done_count": cursor["done"], "failed_count": 0}
            ids = [key.id for key in batch]
            await leave(conn, project_id, ids, force)
            gone = await store.remove_vouchers(conn, project_id, ids, force)
            entries = await closing.take_off(conn, project_id, ids)
            await emit(conn, project_id, closing.news(entries))
            cursor = {"after": msgspec.to_builtins(batch[-1]), "done": cursor["done"] + gone}
            await work.checkpoint(conn, cursor=cursor, progress=min(99, work.job.progress + 1))


JOBS: dict[str, JobHandler] = {
    "campaign.generate": Mourned(generate, _undone),
    "campaign.delete": delete,
}
