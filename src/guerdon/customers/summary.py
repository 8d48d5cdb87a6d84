"""What customers have done so far, reckoned when it is asked for: one grouped read a table, however many."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

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


class ReferralsSummary(msgspec.Struct):
    """By whom the customer was referred."""

    total: int = 0
    campaigns: list[Any] = msgspec.field(default_factory=list)


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
