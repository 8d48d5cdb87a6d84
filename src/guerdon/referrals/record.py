"""Noting that somebody was referred, and asking a job to look at what became of it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from guerdon.kit import db, jobs
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit

LOOK = "referrals.look"
"""The kind of the job that looks at one referral; it may look as often as anybody likes."""

INSERT = """
    insert into referrals (project_id, id, campaign_id, voucher_id, referrer_id, referee_id, redemption_id, event_id,
                           order_id, worth, status, converted_at, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, case when $11::timestamptz is null then 'REFERRED' else 'HELD' end,
            $11, $12)
    on conflict (project_id, campaign_id, referee_id) where status <> 'UNDONE' do nothing
"""

CONVERT = """
    update referrals set status = 'HELD', converted_at = $5, event_id = $6, updated_at = $5
    where project_id = $1 and campaign_id = $2 and referee_id = $3 and referrer_id = $4 and status = 'REFERRED'
    returning id
"""

HOLD = """
    insert into referral_holders (project_id, id, voucher_id, campaign_id, customer_id, role, created_at)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
"""

CONCERNED = """
    select r.id from unnest($2::text[]) as w (id) join referrals r on r.project_id = $1 and r.order_id = w.id
    where r.status in ('REFERRED', 'HELD', 'EARNED')
    union
    select r.id from unnest($3::text[]) as w (id) join referrals r on r.project_id = $1 and r.redemption_id = w.id
    where r.status in ('REFERRED', 'HELD', 'EARNED')
"""


class Referred(Struct, kw_only=True):
    """That a customer was referred: by which code, and with which redemption or event. `worth` is the order's amount
    before discounts, in minor units. `converted`: what the program asks for has happened with it.
    """

    campaign_id: str
    voucher_id: str
    referrer_id: str
    referee_id: str
    redemption_id: str | None = None
    event_id: str | None = None
    order_id: str | None = None
    worth: int | None = None
    converted: bool = True
    request_id: str | None = None


async def write(conn: db.Conn, project_id: str, referred: Sequence[Referred], now: datetime) -> None:
    """Note referrals, in the caller's transaction; who was referred in the campaign before stays so."""
    for one in sorted(referred, key=lambda one: (one.campaign_id, one.referee_id)):
        referral_id = await _write(conn, project_id, one, now)
        if referral_id is not None:
            await jobs.enqueue(
                conn, project_id, LOOK, {"referral_id": referral_id}, request_id=one.request_id
            )


async def _write(conn: db.Conn, project_id: str, one: Referred, now: datetime) -> str | None:
    referral_id = new_id("referral")
    made = await db.execute(
        conn, INSERT, project_id, referral_id, one.campaign_id, one.voucher_id, one.referrer_id, one.referee_id,
        one.redemption_id, one.event_id, one.order_id, one.worth, now if one.converted else None, now,
    )  # fmt: skip
    if not made:
        if not one.converted or one.event_id is None:
            return None
        return await db.value(
            conn, CONVERT, project_id, one.campaign_id, one.referee_id, one.referrer_id, now, one.event_id
        )
    await hold(conn, project_id, one.voucher_id, one.campaign_id, one.referee_id, "REFEREE", now)
    told: dict[str, Any] = {
        "referral": {"id": referral_id, "referrer_id": one.referrer_id},
        "referrer": {"id": one.referrer_id, "object": "customer"},
        "campaign": {"id": one.campaign_id, "object": "campaign"},
        "voucher": {"id": one.voucher_id, "object": "voucher"},
        "custom_event": None if one.event_id is None else {"id": one.event_id, "object": "event"},
    }
    await emit(
        conn, project_id, [Event("customer.referred", one.referee_id, one.referee_id, told)], one.request_id
    )
    return referral_id


async def hold(
    conn: db.Conn,
    project_id: str,
    voucher_id: str,
    campaign_id: str,
    customer_id: str,
    role: str,
    now: datetime,
) -> None:
    """Make a customer a holder of a referral code, unless they are."""
    await db.execute(
        conn, HOLD, project_id, new_id("holder"), voucher_id, campaign_id, customer_id, role, now
    )


async def follow(
    conn: db.Conn, project_id: str, order_ids: Collection[str], redemption_ids: Collection[str] = ()
) -> None:
    """Ask for another look at the referrals of orders and redemptions that have changed."""
    if not order_ids and not redemption_ids:
        return
    found = await db.records(conn, CONCERNED, project_id, sorted(order_ids), sorted(redemption_ids))
    for row in found:
        await jobs.enqueue(conn, project_id, LOOK, {"referral_id": row["id"]})
