"""Codes that anybody may use, those that a customer holds, and campaigns of codes, the newest first."""

from collections.abc import Collection, Sequence
from typing import LiteralString

from guerdon.campaigns.shape import COLUMNS, CampaignRow
from guerdon.kit import db
from guerdon.vouchers.locked import LOOK, Voucher

# As the writer reads codes, but found by when they were made: those for anybody ($6) that nobody else holds,
# those that the customer ($2) holds, and the referral codes of others that the customer was named for.
CODES: LiteralString = LOOK.replace(
    "unnest($2::text[]) as w (code_key) join vouchers v on v.project_id = $1 and v.code_key = w.code_key",
    """(
        (select s.id, s.created_at from vouchers s
         where $6 and s.project_id = $1 and (s.generic or s.campaign_id is null) and s.deleted_at is null and s.active
           and s.holder_id is null and s.type = 'DISCOUNT_VOUCHER' and (s.created_at, s.id) < ($3::timestamptz, $4::text)
         order by s.created_at desc, s.id desc limit $5)
        union
        (select h.id, h.created_at from vouchers h
         where h.project_id = $1 and h.holder_id = $2 and h.deleted_at is null and h.active
           and (h.created_at, h.id) < ($3::timestamptz, $4::text)
         order by h.created_at desc, h.id desc limit $5)
        union
        (select f.id, f.created_at from referral_holders r join vouchers f on f.project_id = $1 and f.id = r.voucher_id
         where r.project_id = $1 and r.customer_id = $2 and r.role = 'REFEREE' and f.deleted_at is null and f.active
           and (f.created_at, f.id) < ($3::timestamptz, $4::text)
         order by f.created_at desc, f.id desc limit $5)
        order by created_at desc, id desc limit $5
    ) as n join vouchers v on v.project_id = $1 and v.id = n.id""",
).replace("order by v.id", "order by v.created_at desc, v.id desc")

# A campaign as the code of it would be that nobody has used yet, in the customer's ($2) hand.
AS_CODES: LiteralString = """
    select c.id, '' as code, '' as code_key, c.id as campaign_id, null as terms_id, true as active, null as quantity,
        case c.campaign_type when 'GIFT_VOUCHERS' then 'GIFT_VOUCHER' when 'LOYALTY_PROGRAM' then 'LOYALTY_CARD'
            else 'DISCOUNT_VOUCHER' end as type,
        0 as redeemed_quantity, 0 as published_count, null as category, null as category_id,
        null as additional_info, $2::text as holder_id, c.campaign_type = 'REFERRAL_PROGRAM' as is_referral_code,
        c.metadata, c.created_at, c.updated_at, c.terms_id as in_force, c.name as campaign_name,
        c.active as campaign_active, true as living, c.category_id as campaign_category_id,
        c.options ->> 'limit_policy' as limit_policy
    from campaigns c
    where c.project_id = $1 and c.campaign_type <> 'PROMOTION' and c.type <> 'STANDALONE' and c.deleted_at is null
"""
CAMPAIGNS: LiteralString = f"""
    {AS_CODES} and c.active and (c.created_at, c.id) < ($3::timestamptz, $4::text)
        and ($6::text[] is null or c.id = any($6))
    order by c.created_at desc, c.id desc limit $5
"""
CAMPAIGNS_NAMED: LiteralString = f"{AS_CODES} and c.id = any($3) order by c.id"

SHOWN: LiteralString = f"""
    select {COLUMNS} from campaigns c
    join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    where c.project_id = $1 and c.id = any($2)
"""


async def codes(
    conn: db.Db,
    project_id: str,
    holder_id: str | None,
    before: tuple[object, str],
    limit: int,
    *,
    standalone: bool,
) -> list[Voucher]:
    """Up to `limit` codes made before a place, the newest first; without `standalone` those of the holder only."""
    found = await db.records(conn, CODES, project_id, holder_id, before[0], before[1], limit, standalone)
    return [Voucher(**record) for record in found]


REFEREE_OF = """
    select voucher_id from referral_holders
    where project_id = $1 and customer_id = $2 and role = 'REFEREE' and voucher_id = any($3)
"""


async def referee_of(conn: db.Db, project_id: str, customer_id: str, ids: Sequence[str]) -> set[str]:
    """Those of some referral codes that a customer was named for."""
    return {
        row["voucher_id"] for row in await db.records(conn, REFEREE_OF, project_id, customer_id, list(ids))
    }


async def campaigns(
    conn: db.Db,
    project_id: str,
    holder_id: str | None,
    before: tuple[object, str],
    limit: int,
    ids: Collection[str] | None,
) -> list[Voucher]:
    """Up to `limit` active campaigns of bulk codes, each as an unused code of it; of these `ids` if there are any."""
    named = None if ids is None else sorted(ids)
    found = await db.records(conn, CAMPAIGNS, project_id, holder_id, before[0], before[1], limit, named)
    return [Voucher(**record) for record in found]


async def campaigns_named(
    conn: db.Db, project_id: str, holder_id: str | None, ids: Sequence[str]
) -> list[Voucher]:
    """These campaigns of bulk codes, switched off or not."""
    found = await db.records(conn, CAMPAIGNS_NAMED, project_id, holder_id, list(ids))
    return [Voucher(**record) for record in found]


async def campaign_rows(conn: db.Db, project_id: str, ids: Sequence[str]) -> dict[str, CampaignRow]:
    """Campaigns as they are shown, by id."""
    return {row.id: row for row in await db.rows(conn, CampaignRow, SHOWN, project_id, list(ids))}
