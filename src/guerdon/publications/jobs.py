"""Cards that are given by the machine: rewards of referrals go onto cards, and who has none is given one."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from guerdon.customers.upsert import CustomerUpsert
from guerdon.engine.expiry import ends
from guerdon.kit import clock, db, jobs
from guerdon.kit.auth import Caller
from guerdon.kit.call import Call, Reply, State
from guerdon.kit.errors import ApiError
from guerdon.kit.jobs import JobHandler, Work
from guerdon.loyalty import members_store
from guerdon.loyalty.place import place_of
from guerdon.publications.publish import publish
from guerdon.publications.requests import CampaignAsked, PublicationIn
from guerdon.referrals.record import LOOK
from guerdon.referrals.settle import CannotIssue, NoCampaign, look

PROJECT = """
    select timezone, currency, case_sensitive_codes, settings, config_version from projects where id = $1
"""
PATIENCE = timedelta(minutes=15)
"""Between two tries to give a card that is not to be had; as long as it is, one try waits in each such span of time."""


async def _call(conn: db.Conn, work: Work) -> Call:
    """What publishing wants to know of a request, where the worker asks."""
    row = (await db.records(conn, PROJECT, work.job.project_id))[0]
    caller = Caller(
        project_id=work.job.project_id, key_id="", key_name="worker", app_id="worker", role="server",
        token_hash=b"", **dict(row),
    )  # fmt: skip

    async def nothing() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    state: Any = State(None, work.pool)  # type: ignore[arg-type]
    made = Call(
        state, caller, request_id=work.job.request_id or work.job.id, method="POST", path="/v1/publications",
        query_string=b"", headers={}, body=b"", receive=nothing,
    )  # fmt: skip
    made.db = conn
    return made


class Cards(Struct):
    """Cards as the worker gives them, by what stands for a request."""

    call: Call

    async def issue(
        self, conn: db.Conn, project_id: str, customer_id: str, campaign_id: str, *, once: bool
    ) -> str:
        """Publish a card of a campaign to a customer, with `once` the one they have; its id.

        Raises `CannotIssue` when there is none to be had, `NoCampaign` when there never will be one.
        """
        asked = PublicationIn(
            customer=CustomerUpsert(id=customer_id), campaign=CampaignAsked(id=campaign_id, count=1)
        )
        try:
            made = await publish(self.call, asked, join_once=once)
        except ApiError as error:
            if error.status == 404:  # the customer is under lock: it is the campaign
                raise NoCampaign from None
            raise CannotIssue(error.details or error.message) from None
        if isinstance(made, Reply):
            raise CannotIssue(str(made.content.get("details", "refused")))
        return made.vouchers_id[0]

    async def lapses(self, conn: db.Conn, project_id: str, card_id: str) -> datetime | None:
        """When points that are put on a member's card now lapse, by the rules of the program."""
        cards = await members_store.cards(conn, project_id, [card_id])
        if not cards:
            return None
        place = await place_of(conn, project_id)
        program = place.program(cards[0].program_id)
        policy = None if program is None else program.cards.get(cards[0].definition_id)
        return None if policy is None else ends(policy.earning.expiry, place.now, place.zone)


async def look_at_referral(work: Work) -> None:
    """Bring a referral up to what is true; when it waits for the clock, a job looks again then."""
    job, referral_id = work.job, work.job.payload["referral_id"]
    try:
        async with work.step() as conn:
            again = await look(conn, job.project_id, referral_id, Cards(await _call(conn, work)))
            if again is not None:
                key = f"{LOOK}:{referral_id}:{again.isoformat()}"
                await jobs.enqueue(conn, job.project_id, LOOK, job.payload, run_at=again, dedupe_key=key)
            await work.finish(conn)
    except CannotIssue as refused:
        async with work.step() as conn:
            later = await clock.database_now(conn) + PATIENCE
            key = f"{LOOK}:{referral_id}:{later.timestamp() // PATIENCE.total_seconds():.0f}"
            await jobs.enqueue(conn, job.project_id, LOOK, job.payload, run_at=later, dedupe_key=key)
            await work.finish(conn, {"message": f"no card for a reward yet: {refused}"})


JOBS: dict[str, JobHandler] = {LOOK: look_at_referral}
