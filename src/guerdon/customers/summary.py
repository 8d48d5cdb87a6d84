"""What customers have done so far, reckoned when it is asked for: one grouped read a table, however many."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from guerdon.customers import referred
from guerdon.customers.referred import ReferralsSummary
from guerdon.kit import clock, db


class GiftSummary(msgspec.Struct):
    """Gift card credits, in minor units."""

    redeemed_amount: int = 0
    amount_to_go: int = 0


class LoyaltyCardSummary(msgspec.Struct):
    """Loyalty points."""

    redeemed_points: int = 0
    points_to_go: int = 0


class RedemptionsSummary(msgspec.Struct):
    """Counts of redemptions and rollbacks; the parent of a stack is not counted beside its children."""

    total_redeemed: int = 0
    total_failed: int = 0
    total_succeeded: int = 0
    total_rolled_back: int = 0
    total_rollback_failed: int = 0
    total_rollback_succeeded: int = 0
    gift: GiftSummary = msgspec.field(default_factory=GiftSummary)
    loyalty_card: LoyaltyCardSummary = msgspec.field(default_factory=LoyaltyCardSummary)


class OrdersSummary(msgspec.Struct):
    """Paid and fulfilled orders, amounts after discounts in minor units."""

    total_amount: int = 0
    total_count: int = 0
    average_amount: int = 0
    last_order_amount: int = 0
    last_order_date: str | msgspec.UnsetType = msgspec.UNSET


class Summary(msgspec.Struct):
    """What a customer has redeemed and ordered."""

    redemptions: RedemptionsSummary = msgspec.field(default_factory=RedemptionsSummary)
    orders: OrdersSummary = msgspec.field(default_factory=OrdersSummary)


class LoyaltySummary(msgspec.Struct):
    """Points over all programs."""

    points: int = 0
    referred_customers: int = 0
    campaigns: dict[str, Any] = msgspec.field(default_factory=dict)


class SoFar(msgspec.Struct):
    """All that an answer tells of what a customer has done."""

    summary: Summary
    loyalty: LoyaltySummary
    referrals: ReferralsSummary


REDEMPTIONS = """
    select customer_id,
           count(*) filter (where object = 'redemption' and result = 'SUCCESS') as succeeded,
           count(*) filter (where object = 'redemption' and result = 'FAILURE') as failed,
           count(*) filter (where object = 'redemption' and status = 'ROLLED_BACK') as rolled_back,
           count(*) filter (where object = 'redemption_rollback' and result = 'SUCCESS') as rollback_succeeded,
           count(*) filter (where object = 'redemption_rollback' and result = 'FAILURE') as rollback_failed
    from redemptions
    where project_id = $1 and customer_id = any($2) and related_object_type <> 'redemption'
    group by customer_id
"""

ORDERS = """
    select customer_id, count(*) as count, sum(coalesce(total_amount, 0)) as amount, max(created_at) as last_at,
           (array_agg(coalesce(total_amount, 0) order by created_at desc, id desc))[1] as last_amount
    from orders
    where project_id = $1 and customer_id = any($2) and status in ('PAID', 'FULFILLED')
    group by customer_id
"""


# By what was spent of cards and not given back, and by what can still be spent of those that are held.
CARDS = """
    select r.customer_id, c.unit = 'credits' as credits, true as spent, sum(r.amount - r.returned_amount)::bigint as amount
    from redemptions r join cards c on c.project_id = $1 and c.id = r.voucher_id
    where r.project_id = $1 and r.customer_id = any($2) and r.object = 'redemption' and r.result = 'SUCCESS'
    group by r.customer_id, c.unit = 'credits'
    union all
    select v.holder_id, c.unit = 'credits', false, sum(greatest(l.remaining - c.debt, 0))::bigint
    from vouchers v join cards c on c.project_id = $1 and c.id = v.id
    cross join lateral (
        select coalesce(sum(o.remaining), 0) as remaining from card_lots o
        where o.project_id = $1 and o.card_id = c.id and o.remaining > 0 and (o.expires_at is null or o.expires_at > now())
    ) as l
    where v.project_id = $1 and v.holder_id = any($2) and v.deleted_at is null
    group by v.holder_id, c.unit = 'credits'
"""


# What can be spent of the cards of each program that a customer is in, and the tier there.
PROGRAMS = """
    select m.customer_id, p.name, t.name as tier, (
        select coalesce(sum(greatest(l.remaining - c.debt, 0)), 0)::bigint
        from loyalty_cards o join cards c on c.project_id = $1 and c.id = o.id
        cross join lateral (
            select coalesce(sum(b.remaining), 0) as remaining from card_lots b
            where b.project_id = $1 and b.card_id = c.id and b.remaining > 0
              and (b.expires_at is null or b.expires_at > now())
        ) l
        where o.project_id = $1 and o.member_id = m.id
    ) as points
    from loyalty_members m
    join loyalty_programs p on p.project_id = $1 and p.id = m.program_id and p.status <> 'DELETED'
    left join loyalty_tiers t on t.project_id = $1 and t.id = m.tier_id
    where m.project_id = $1 and m.customer_id = any($2) and m.status <> 'DELETED'
    order by m.created_at, m.id
"""


class _Program(msgspec.Struct):
    customer_id: str
    name: str
    tier: str | None
    points: int


class _Cards(msgspec.Struct):
    customer_id: str
    credits: bool
    spent: bool
    amount: int


class _Redemptions(msgspec.Struct):
    customer_id: str
    succeeded: int
    failed: int
    rolled_back: int
    rollback_succeeded: int
    rollback_failed: int


class _Orders(msgspec.Struct):
    customer_id: str
    count: int
    amount: Any
    last_at: datetime
    last_amount: int


async def load(conn: db.Db, project_id: str, customer_ids: Sequence[str]) -> dict[str, Summary]:
    """A summary for each of the customers."""
    summaries = {customer_id: Summary() for customer_id in customer_ids}
    if not summaries:
        return summaries
    for row in await db.rows(conn, _Redemptions, REDEMPTIONS, project_id, list(summaries)):
        summaries[row.customer_id].redemptions = RedemptionsSummary(
            total_redeemed=row.succeeded,
            total_failed=row.failed,
            total_succeeded=row.succeeded,
            total_rolled_back=row.rolled_back,
            total_rollback_failed=row.rollback_failed,
            total_rollback_succeeded=row.rollback_succeeded,
        )
    await _add_cards(conn, project_id, summaries)
    for row in await db.rows(conn, _Orders, ORDERS, project_id, list(summaries)):
        total = int(row.amount)
        summaries[row.customer_id].orders = OrdersSummary(
            total_amount=total,
            total_count=row.count,
            average_amount=(2 * total + row.count) // (2 * row.count),
            last_order_amount=row.last_amount,
            last_order_date=clock.iso(row.last_at),
        )
    return summaries


async def _add_cards(conn: db.Db, project_id: str, summaries: dict[str, Summary]) -> None:
    for row in await db.rows(conn, _Cards, CARDS, project_id, list(summaries)):
        found = summaries[row.customer_id].redemptions
        match row.credits, row.spent:
            case True, True:
                found.gift.redeemed_amount = row.amount
            case True, False:
                found.gift.amount_to_go = row.amount
            case False, True:
                found.loyalty_card.redeemed_points = row.amount
            case _:
                found.loyalty_card.points_to_go = row.amount


async def tell(conn: db.Db, project_id: str, customer_ids: Sequence[str]) -> dict[str, SoFar]:
    """A summary for each of the customers, with what there is of loyalty and referrals."""
    summaries = await load(conn, project_id, customer_ids)
    referrals = await referred.load(conn, project_id, customer_ids)
    programs: dict[str, list[_Program]] = {}
    for row in await db.rows(conn, _Program, PROGRAMS, project_id, list(summaries)) if summaries else ():
        programs.setdefault(row.customer_id, []).append(row)
    told: dict[str, SoFar] = {}
    for customer_id, summary in summaries.items():
        of = referrals[customer_id]
        loyalty = LoyaltySummary(
            referred_customers=sum(of.referred.values()),
            campaigns={name: {"referred_customers": count} for name, count in of.referred.items()},
        )
        for one in programs.get(customer_id, ()):
            about = {"points": one.points} | ({} if one.tier is None else {"loyalty_tier": one.tier})
            loyalty.campaigns[one.name] = about | {"referred_customers": 0}
            loyalty.points += one.points
        told[customer_id] = SoFar(summary, loyalty, of.by)
    return told
