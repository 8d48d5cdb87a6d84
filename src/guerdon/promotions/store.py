"""All SQL of promotion tiers and stacks."""

from typing import Any, LiteralString

import msgspec

from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.promotions.shape import (
    COLUMNS,
    STACK_COLUMNS,
    Ordered,
    Redeemed,
    StackRow,
    TierRow,
    TierSummary,
)

FIND_CAMPAIGN: LiteralString = """
    select id, name, campaign_type from campaigns
    where project_id = $1 and (id = $2 or name = $2) and deleted_at is null
    order by id = $2 desc limit 1
"""

LOCK_CAMPAIGN: LiteralString = f"{FIND_CAMPAIGN} for update"

SOURCE: LiteralString = """
    promotion_tiers t join campaigns c on c.project_id = t.project_id and c.id = t.campaign_id
    join voucher_terms ct on ct.project_id = c.project_id and ct.id = c.terms_id
"""

FIND: LiteralString = f"""
    select {COLUMNS} from {SOURCE} where t.project_id = $1 and t.id = $2 and c.deleted_at is null
"""

FIND_LOCKED: LiteralString = f"{FIND} for update of t"

FIRST_OF: LiteralString = f"""
    select {COLUMNS}, n.total
    from unnest($2::text[]) as w (id)
    join campaigns c on c.project_id = $1 and c.id = w.id
    join voucher_terms ct on ct.project_id = $1 and ct.id = c.terms_id
    cross join lateral (
        select count(*) as total from promotion_tiers k where k.project_id = $1 and k.campaign_id = w.id
    ) as n
    cross join lateral (
        select * from promotion_tiers f where f.project_id = $1 and f.campaign_id = w.id
        order by f.hierarchy, f.id limit $3
    ) as t
    order by t.campaign_id, t.hierarchy, t.id
"""

IDS_OF = "select id from promotion_tiers where project_id = $1 and campaign_id = $2"

NEXT_HIERARCHY = """
    select coalesce(max(hierarchy), 0) + 1 from promotion_tiers where project_id = $1 and campaign_id = $2
"""

INSERT = """
    insert into promotion_tiers (project_id, id, campaign_id, name, banner, hierarchy, active, category_id, body, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

UPDATE = """
    update promotion_tiers
    set name = $3, banner = $4, hierarchy = $5, active = $6, category_id = $7, body = $8, metadata = $9,
        updated_at = now()
    where project_id = $1 and id = $2
"""

SET_ACTIVE = "update promotion_tiers set active = $3, updated_at = now() where project_id = $1 and id = $2"

DELETE = "delete from promotion_tiers where project_id = $1 and id = $2"

# An order counts once for a tier, however often the tier was redeemed with it.
SUMMARIES = """
    with own as (
        select r.promotion_tier_id as tier_id, r.order_id, r.amount - r.returned_amount as amount
        from redemptions r
        where r.project_id = $1 and r.promotion_tier_id = any($2) and r.object = 'redemption' and r.status = 'SUCCEEDED'
    ), ordered as (
        select d.tier_id, coalesce(sum(o.amount), 0)::bigint as amount
        from (select distinct tier_id, order_id from own where order_id is not null) as d
        join orders o on o.project_id = $1 and o.id = d.order_id
        group by d.tier_id
    )
    select own.tier_id, count(*) as redeemed, coalesce(sum(own.amount), 0)::bigint as discounted,
           coalesce(max(ordered.amount), 0)::bigint as ordered
    from own left join ordered on ordered.tier_id = own.tier_id
    group by own.tier_id
"""

# Held until the stack is written, so that a tier that is deleted meanwhile finds the stack to leave.
EXISTING = """
    select t.id from promotion_tiers t join campaigns c on c.project_id = t.project_id and c.id = t.campaign_id
    where t.project_id = $1 and t.id = any($2) and c.deleted_at is null
    order by t.id for share of t
"""

FIND_STACK: LiteralString = f"""
    select {STACK_COLUMNS} from promotion_stacks s where s.project_id = $1 and s.campaign_id = $2 and s.id = $3
"""

FIND_STACK_LOCKED: LiteralString = f"{FIND_STACK} for update"

INSERT_STACK = """
    insert into promotion_stacks (project_id, id, campaign_id, name, tiers, category_id) values ($1, $2, $3, $4, $5, $6)
"""

UPDATE_STACK = """
    update promotion_stacks set name = $3, tiers = $4, category_id = $5, updated_at = now()
    where project_id = $1 and id = $2
"""

DELETE_STACK = "delete from promotion_stacks where project_id = $1 and campaign_id = $2 and id = $3"

DELETE_TIERS_OF = "delete from promotion_tiers where project_id = $1 and campaign_id = $2"

DELETE_STACKS_OF = "delete from promotion_stacks where project_id = $1 and campaign_id = $2 returning id"

DROP_ALL_FROM_STACKS = """
    update promotion_stacks s
    set tiers = array(select t from unnest(s.tiers) with ordinality as l (t, n) where t <> all($2::text[]) order by n),
        updated_at = now()
    where s.project_id = $1 and s.tiers && $2::text[] returning s.id
"""


class CampaignRef(msgspec.Struct):
    """The campaign of tiers and stacks."""

    id: str
    name: str
    campaign_type: str


class FirstTier(TierRow, kw_only=True):
    """A tier, and how many its campaign has."""

    total: int


class NewTier(msgspec.Struct, kw_only=True):
    """A row to be."""

    name: str
    banner: str | None
    hierarchy: int
    active: bool
    category_id: str | None
    body: dict[str, Any]
    metadata: dict[str, Any]


async def find_campaign(
    conn: db.Db, project_id: str, campaign: str, *, lock: bool = False
) -> CampaignRef | None:
    """A campaign by id, else by name. With `lock` nobody else adds tiers to it until the transaction ends."""
    return await db.row(conn, CampaignRef, LOCK_CAMPAIGN if lock else FIND_CAMPAIGN, project_id, campaign)


async def find(conn: db.Db, project_id: str, tier_id: str, *, lock: bool = False) -> TierRow | None:
    """A tier whose campaign is not in the bin."""
    return await db.row(conn, TierRow, FIND_LOCKED if lock else FIND, project_id, tier_id)


async def first_of(conn: db.Db, project_id: str, campaign_ids: list[str], most: int) -> list[FirstTier]:
    """Of each campaign the first tiers in its hierarchy, `most` of them."""
    return await db.rows(conn, FirstTier, FIRST_OF, project_id, campaign_ids, most)


async def ids_of(conn: db.Db, project_id: str, campaign_id: str) -> list[str]:
    """All tiers of a campaign."""
    return [record["id"] for record in await db.records(conn, IDS_OF, project_id, campaign_id)]


async def next_hierarchy(conn: db.Db, project_id: str, campaign_id: str) -> int:
    """The place behind the campaign's last tier."""
    return await db.value(conn, NEXT_HIERARCHY, project_id, campaign_id)


async def insert(conn: db.Db, project_id: str, campaign_id: str, tier: NewTier) -> str:
    """Write a tier; its id."""
    tier_id = new_id("promotion_tier")
    await db.execute(
        conn,
        INSERT,
        project_id,
        tier_id,
        campaign_id,
        tier.name,
        tier.banner,
        tier.hierarchy,
        tier.active,
        tier.category_id,
        tier.body,
        tier.metadata,
    )
    return tier_id


async def update(conn: db.Db, project_id: str, row: TierRow) -> None:
    """Write what an edit may change."""
    await db.execute(
        conn,
        UPDATE,
        project_id,
        row.id,
        row.name,
        row.banner,
        row.hierarchy,
        row.active,
        row.category_id,
        row.body,
        row.metadata,
    )


async def set_active(conn: db.Db, project_id: str, tier_id: str, active: bool) -> None:
    """Switch a tier on or off."""
    await db.execute(conn, SET_ACTIVE, project_id, tier_id, active)


async def delete(conn: db.Db, project_id: str, tier_id: str) -> list[str]:
    """Delete a tier, also from stacks; the ids of these."""
    await db.execute(conn, DELETE, project_id, tier_id)
    return [record["id"] for record in await db.records(conn, DROP_ALL_FROM_STACKS, project_id, [tier_id])]


async def summaries(conn: db.Db, project_id: str, tier_ids: list[str]) -> dict[str, TierSummary]:
    """What tiers have come to, by id; those never redeemed are left out. Amounts taken back do not count."""
    return {
        record["tier_id"]: TierSummary(
            redemptions=Redeemed(total_redeemed=record["redeemed"]),
            orders=Ordered(total_amount=record["ordered"], total_discount_amount=record["discounted"]),
        )
        for record in await db.records(conn, SUMMARIES, project_id, tier_ids)
    }


async def existing(conn: db.Db, project_id: str, tier_ids: list[str]) -> set[str]:
    """Those of some tiers that there are; they stay until the transaction ends."""
    return {record["id"] for record in await db.records(conn, EXISTING, project_id, tier_ids)}


async def find_stack(
    conn: db.Db, project_id: str, campaign_id: str, stack_id: str, *, lock: bool = False
) -> StackRow | None:
    """A stack of a campaign."""
    sql = FIND_STACK_LOCKED if lock else FIND_STACK
    return await db.row(conn, StackRow, sql, project_id, campaign_id, stack_id)


async def insert_stack(
    conn: db.Db, project_id: str, campaign_id: str, name: str, tiers: list[str], category_id: str | None
) -> str:
    """Write a stack; its id."""
    stack_id = new_id("promotion_stack")
    await db.execute(conn, INSERT_STACK, project_id, stack_id, campaign_id, name, tiers, category_id)
    return stack_id


async def update_stack(conn: db.Db, project_id: str, row: StackRow) -> None:
    """Write what an edit may change."""
    await db.execute(conn, UPDATE_STACK, project_id, row.id, row.name, row.tiers, row.category_id)


async def delete_stack(conn: db.Db, project_id: str, campaign_id: str, stack_id: str) -> bool:
    """Delete a stack; whether there was one."""
    return bool(await db.execute(conn, DELETE_STACK, project_id, campaign_id, stack_id))


async def delete_all(conn: db.Db, project_id: str, campaign_id: str, tier_ids: list[str]) -> list[str]:
    """Delete a campaign's stacks and its tiers, also from stacks of others; the ids of all these stacks."""
    await db.execute(conn, DELETE_TIERS_OF, project_id, campaign_id)
    own = await db.records(conn, DELETE_STACKS_OF, project_id, campaign_id)
    others = await db.records(conn, DROP_ALL_FROM_STACKS, project_id, tier_ids)
    return [record["id"] for record in [*own, *others]]
