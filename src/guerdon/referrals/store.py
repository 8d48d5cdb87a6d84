"""All SQL of looking at a referral: the locks, what became of its order, and its rewards."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from guerdon.kit import db

FIND = """
    select r.id, r.campaign_id, r.voucher_id, r.referrer_id, r.referee_id, r.redemption_id, r.event_id, r.order_id,
           r.worth, r.status, r.reason, r.flags, r.converted_at, r.decided_at, r.due_at,
           r.created_at
    from referrals r where r.project_id = $1 and r.id = $2
"""
FIND_LOCKED = FIND + " for update of r"

SURROUNDINGS = """
    select c.referral_program as program, o.status as order_status, o.amount as order_amount,
           o.id is not null as has_order, m.status as redemption_status, p.timezone, clock_timestamp() as now
    from projects p
    left join campaigns c on c.project_id = $1 and c.id = $2
    left join orders o on o.project_id = $1 and o.id = $3
    left join redemptions m on m.project_id = $1 and m.id = $4
    where p.id = $1
"""

LOCK_PEOPLE = """
    select id, email, phone, address ->> 'country' as country from customers
    where project_id = $1 and id = any($2) order by id for no key update
"""

UPDATE = """
    update referrals set status = $3, reason = $4, flags = $5, due_at = $6, decided_at = $8, worth = $9,
        earned_at = case when $3 = 'EARNED' then coalesce(earned_at, $7) else earned_at end, updated_at = $7
    where project_id = $1 and id = $2
"""

CLAIM = """
    insert into referral_identities (project_id, campaign_id, identity, referral_id)
    select $1, $2, w.identity, $4 from unnest($3::bytea[]) as w (identity) on conflict do nothing
"""
CLAIMED_BY_OTHERS = """
    select 1 from referral_identities
    where project_id = $1 and campaign_id = $2 and identity = any($3) and referral_id <> $4 limit 1
"""
LET_GO = "delete from referral_identities where project_id = $1 and referral_id = $2"

REWARD_COLUMNS = """
    w.id, w.referral_id, w.tier, w.referrer_id, w.customer_id, w.minimum, w.type, w.parent_id, w.amount, w.status,
    w.granted, w.clawed, w.month, w.card_id, w.lot_id, w.reason
"""
REWARDS_OF = f"select {REWARD_COLUMNS} from referral_rewards w where w.project_id = $1 and w.referral_id = $2 order by w.id"
MINIMUM_REWARDS = f"""
    select {REWARD_COLUMNS} from referral_rewards w
    where w.project_id = $1 and w.campaign_id = $2 and w.referrer_id = $3 and w.minimum is not null
      and w.status in ('HELD', 'RELEASED') order by w.id
"""

COUNTED = """
    select count(*) as total, count(*) filter (where month = $4) as in_month from referral_rewards
    where project_id = $1 and campaign_id = $2 and referrer_id = $3 and status in ('HELD', 'RELEASED')
      and tier <> 'referee'
"""

EARNED = """
    select count(*) from referrals
    where project_id = $1 and campaign_id = $2 and referrer_id = $3 and status = 'EARNED'
"""

INSERT_REWARD = """
    insert into referral_rewards (project_id, id, campaign_id, referral_id, tier, referrer_id, customer_id, minimum, type,
                                  parent_id, amount, status, month, reason, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    on conflict (project_id, referral_id, tier) do nothing
"""

UPDATE_REWARD = """
    update referral_rewards
    set status = $3, granted = $4, clawed = $5, card_id = $6, lot_id = $7, reason = $8,
        released_at = case when $3 = 'RELEASED' then coalesce(released_at, $9) else released_at end, updated_at = $9
    where project_id = $1 and id = $2
"""

LAPSED = """
    select p.part ->> 0 as lot_id, -sum((p.part ->> 1)::bigint)::bigint as amount
    from unnest($2::text[]) as w (id)
    join card_entries e on e.project_id = $1 and e.card_id = w.id and e.type in ('CREDITS_EXPIRATION', 'POINTS_EXPIRATION')
    cross join json_array_elements(e.parts) as p (part)
    where p.part ->> 0 = any($3::text[]) group by p.part ->> 0
"""

CARD_OF = """
    select v.id from vouchers v
    join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, c.terms_id)
    where v.project_id = $1 and v.holder_id = $2 and v.campaign_id = $3 and v.deleted_at is null and v.active
      and (t.expires_at is null or t.expires_at > clock_timestamp())
    order by v.created_at, v.id limit 1
"""


class Referral(Struct, kw_only=True):
    """A row of `referrals`."""

    id: str
    campaign_id: str
    voucher_id: str
    referrer_id: str
    referee_id: str
    redemption_id: str | None
    event_id: str | None
    order_id: str | None
    worth: int | None
    status: str
    reason: str | None
    flags: list[str]
    converted_at: datetime | None
    decided_at: datetime | None
    due_at: datetime | None
    created_at: datetime


class Surroundings(Struct, kw_only=True):
    """What a referral depends on, as it is now. `program` is None when the campaign is gone for good."""

    program: dict[str, Any] | None
    order_status: str | None
    order_amount: int | None
    has_order: bool
    redemption_status: str | None
    timezone: str
    now: datetime


class Known(Struct):
    """A customer under lock."""

    id: str
    email: str | None
    phone: str | None
    country: str | None


class RewardRow(Struct, kw_only=True):
    """A row of `referral_rewards`. `tier` is the referrer's tier, or ``referee``."""

    id: str
    referral_id: str
    tier: str
    referrer_id: str
    customer_id: str
    minimum: int | None
    type: str
    parent_id: str
    amount: int
    status: str
    granted: int = 0
    clawed: int = 0
    month: date
    card_id: str | None = None
    lot_id: str | None = None
    reason: str | None = None

    @property
    def stands(self) -> int:
        """What of it is on the card's books and was not taken back."""
        return self.granted - self.clawed


async def find(conn: db.Db, project_id: str, referral_id: str, *, lock: bool = False) -> Referral | None:
    """A referral; with `lock` it stays ours until the transaction ends."""
    return await db.row(conn, Referral, FIND_LOCKED if lock else FIND, project_id, referral_id)


async def surroundings(conn: db.Db, project_id: str, row: Referral) -> Surroundings:
    """What it depends on, and the time."""
    found = await db.row(
        conn, Surroundings, SURROUNDINGS, project_id, row.campaign_id, row.order_id, row.redemption_id
    )
    assert found is not None, "a project stays"
    return found


async def lock_people(conn: db.Db, project_id: str, ids: Collection[str]) -> dict[str, Known]:
    """Customers under lock, so that nobody else counts what they have; those who were deleted are missing."""
    found = await db.rows(conn, Known, LOCK_PEOPLE, project_id, sorted(ids))
    return {one.id: one for one in found}


async def update(conn: db.Db, project_id: str, row: Referral, now: datetime) -> None:
    """Write what became of a referral."""
    await db.execute(
        conn, UPDATE, project_id, row.id, row.status, row.reason, row.flags, row.due_at, now, row.decided_at,
        row.worth,
    )  # fmt: skip


async def claim(conn: db.Db, project_id: str, row: Referral, marks: Collection[bytes]) -> bool:
    """Take identities for a referral; False if one of them is another's in the campaign."""
    wanted = sorted(marks)
    await db.execute(conn, CLAIM, project_id, row.campaign_id, wanted, row.id)
    return not await db.value(conn, CLAIMED_BY_OTHERS, project_id, row.campaign_id, wanted, row.id)


async def let_go(conn: db.Db, project_id: str, referral_id: str) -> None:
    """Give the identities of a referral free."""
    await db.execute(conn, LET_GO, project_id, referral_id)


async def rewards_of(conn: db.Db, project_id: str, referral_id: str) -> list[RewardRow]:
    """The rewards that a referral made."""
    return await db.rows(conn, RewardRow, REWARDS_OF, project_id, referral_id)


async def minimum_rewards(conn: db.Db, project_id: str, row: Referral) -> list[RewardRow]:
    """The rewards that the referrer has for the number of referrals."""
    return await db.rows(conn, RewardRow, MINIMUM_REWARDS, project_id, row.campaign_id, row.referrer_id)


async def counted(conn: db.Db, project_id: str, row: Referral, month: date) -> tuple[int, int]:
    """How many rewards the referrer has in the campaign, in all and in a month."""
    found = (await db.records(conn, COUNTED, project_id, row.campaign_id, row.referrer_id, month))[0]
    return found["total"], found["in_month"]


async def earned(conn: db.Db, project_id: str, row: Referral) -> int:
    """How many referrals of the referrer hold."""
    return await db.value(conn, EARNED, project_id, row.campaign_id, row.referrer_id)


async def insert_reward(
    conn: db.Db, project_id: str, campaign_id: str, reward: RewardRow, now: datetime
) -> None:
    """Write a reward, once a referral and tier."""
    await db.execute(
        conn, INSERT_REWARD, project_id, reward.id, campaign_id, reward.referral_id, reward.tier, reward.referrer_id,
        reward.customer_id, reward.minimum, reward.type, reward.parent_id, reward.amount, reward.status,
        reward.month, reward.reason, now,
    )  # fmt: skip


async def update_reward(conn: db.Db, project_id: str, reward: RewardRow, now: datetime) -> None:
    """Write what became of a reward."""
    await db.execute(
        conn, UPDATE_REWARD, project_id, reward.id, reward.status, reward.granted, reward.clawed, reward.card_id,
        reward.lot_id, reward.reason, now,
    )  # fmt: skip


async def lapsed(
    conn: db.Db, project_id: str, card_ids: Collection[str], lot_ids: Collection[str]
) -> dict[str, int]:
    """How much of lots has lapsed, by lot; those of which nothing has are missing."""
    found = await db.records(conn, LAPSED, project_id, sorted(card_ids), sorted(lot_ids)) if lot_ids else []
    return {row["lot_id"]: row["amount"] for row in found}


async def card_of(conn: db.Db, project_id: str, customer_id: str, campaign_id: str) -> str | None:
    """The first card of a campaign that a customer holds and can use."""
    return await db.value(conn, CARD_OF, project_id, customer_id, campaign_id)
