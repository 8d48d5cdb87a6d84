"""What the shop shows of its campaigns, read from the tables of other slices."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from guerdon.kit import db
from guerdon.pages.demo_file import ShopPromotion

COUNTERS = """
    select c.id, c.name, c.type, min(v.code) as code, (t.body -> 'redemption' ->> 'quantity')::bigint as quantity,
           sum(v.redeemed_quantity)::bigint as redeemed, count(*) as codes
    from campaigns c
    join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    join vouchers v on v.project_id = c.project_id and v.campaign_id = c.id and v.deleted_at is null
    where c.project_id = $1 and c.deleted_at is null
      and (c.start_date is null or c.start_date <= $2) and (c.expiration_date is null or c.expiration_date > $2)
    group by c.id, c.name, c.type, t.body, c.created_at
    order by redeemed desc, c.name
"""

GIVEN = """
    select campaign_id, sum(amount - returned_amount)::bigint as given,
           count(*) filter (where status = 'ROLLED_BACK') as rolled_back
    from redemptions
    where project_id = $1 and object = 'redemption' and result = 'SUCCESS' and campaign_id is not null
    group by campaign_id
"""

PROMOTIONS = """
    select r.promotion_tier_id as id, count(*) filter (where r.status <> 'ROLLED_BACK') as redeemed,
           count(*) filter (where r.status <> 'ROLLED_BACK' and r.created_at >= day.starts) as today,
           count(*) filter (where r.status = 'ROLLED_BACK') as rolled_back,
           coalesce(sum(r.amount - r.returned_amount), 0)::bigint as given
    from redemptions r
    join (select id, date_trunc('day', now() at time zone timezone) at time zone timezone as starts
          from projects where id = $1) day on day.id = r.project_id
    where r.project_id = $1 and r.promotion_tier_id = any($2) and r.object = 'redemption' and r.result = 'SUCCESS'
    group by r.promotion_tier_id
"""

REFUSED = """
    select count(*) from redemptions where project_id = $1 and object = 'redemption' and result = 'FAILURE'
"""


class Counter(msgspec.Struct):
    """One running campaign. `given` is what its discounts come to, in cents, less what was taken back."""

    id: str
    name: str
    type: str
    code: str
    quantity: int | None
    redeemed: int
    codes: int
    given: int = 0
    rolled_back: int = 0


class PromotionCounter(msgspec.Struct):
    """One promotion: how often it was redeemed and stands, in all and today; what it gave, in cents."""

    id: str
    name: str = ""
    daily: int | None = None
    budget: int | None = None
    redeemed: int = 0
    today: int = 0
    given: int = 0
    rolled_back: int = 0


async def counters(conn: db.Db, project_id: str, now: datetime) -> list[Counter]:
    """The campaigns that run now, the busiest first."""
    given = {r["campaign_id"]: r for r in await db.records(conn, GIVEN, project_id)}
    found = await db.rows(conn, Counter, COUNTERS, project_id, now)
    for one in found:
        if one.id in given:
            one.given, one.rolled_back = given[one.id]["given"], given[one.id]["rolled_back"]
    return found


async def promotion_counters(
    conn: db.Db, project_id: str, promotions: Sequence[ShopPromotion]
) -> list[PromotionCounter]:
    """How the promotions stand, in their own order."""
    ids = [one.id for one in promotions]
    found = {one.id: one for one in await db.rows(conn, PromotionCounter, PROMOTIONS, project_id, ids)}
    counted: list[PromotionCounter] = []
    for one in promotions:
        counter = found.get(one.id) or PromotionCounter(one.id)
        counter.name, counter.daily, counter.budget = one.name, one.daily, one.budget
        counted.append(counter)
    return counted


async def refused(conn: db.Db, project_id: str) -> int:
    """How many redemptions failed."""
    return await db.value(conn, REFUSED, project_id)
