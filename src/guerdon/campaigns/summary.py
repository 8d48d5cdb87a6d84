"""What a campaign has come to in a span of time: counted when asked."""

from datetime import datetime

from msgspec import Struct

from guerdon.campaigns.shape import Campaign
from guerdon.kit import db

# An order counts once, however many codes of the campaign were redeemed with it.
REDEMPTIONS = """
    with own as (
        select r.object, r.result, r.amount, r.order_id, o.amount as order_amount
        from redemptions r left join orders o on o.project_id = r.project_id and o.id = r.order_id
        where r.project_id = $1 and r.campaign_id = $2
          and ($3::timestamptz is null or r.created_at >= $3) and ($4::timestamptz is null or r.created_at < $4)
    ), ordered as (
        select distinct object, order_id, order_amount from own where result = 'SUCCESS' and order_id is not null
    )
    select
        count(*) filter (where object = 'redemption' and result = 'SUCCESS') as redemptions_succeeded,
        count(*) filter (where object = 'redemption' and result = 'FAILURE') as redemptions_failed,
        count(*) filter (where object = 'redemption_rollback' and result = 'SUCCESS') as rollbacks_succeeded,
        count(*) filter (where object = 'redemption_rollback' and result = 'FAILURE') as rollbacks_failed,
        coalesce(sum(amount) filter (where object = 'redemption' and result = 'SUCCESS'), 0)::bigint
            as discounted_amount,
        coalesce(sum(amount) filter (where object = 'redemption_rollback' and result = 'SUCCESS'), 0)::bigint
            as rolledback_discounted_amount,
        (select coalesce(sum(order_amount), 0)::bigint from ordered where object = 'redemption') as orders_amount,
        (select coalesce(sum(order_amount), 0)::bigint from ordered where object = 'redemption_rollback')
            as orders_rolledback_amount
    from own
"""

VOUCHERS = """
    select
        count(*) filter (where ($3::timestamptz is null or created_at >= $3)
                           and ($4::timestamptz is null or created_at < $4)) as vouchers_created,
        count(*) filter (where deleted_at is not null and ($3::timestamptz is null or deleted_at >= $3)
                           and ($4::timestamptz is null or deleted_at < $4)) as vouchers_deleted,
        coalesce(sum(published_count), 0)::bigint as publications
    from vouchers where project_id = $1 and campaign_id = $2
"""


class CampaignSummary(Struct, kw_only=True):
    """Counts, and sums in minor units. Amounts given and orders placed are not reduced by what was rolled back."""

    object: str = "campaign_summary"
    campaign: Campaign
    redemptions: int
    redemptions_succeeded: int
    redemptions_failed: int
    rollbacks: int
    rollbacks_succeeded: int
    rollbacks_failed: int
    validations: int = 0
    validations_succeeded: int = 0
    validations_failed: int = 0
    vouchers_created: int
    vouchers_deleted: int
    publications: int
    publications_succeeded: int
    publications_failed: int = 0
    discounted_amount: int
    rolledback_discounted_amount: int
    orders_amount: int
    orders_rolledback_amount: int


async def summarize(
    conn: db.Db, project_id: str, campaign: Campaign, start: datetime | None, end: datetime | None
) -> CampaignSummary:
    """The summary of what happened from `start` to before `end`; None is open. Validations are not recorded."""
    span = (project_id, campaign.id, start, end)
    redemptions = dict((await db.records(conn, REDEMPTIONS, *span))[0])
    vouchers = dict((await db.records(conn, VOUCHERS, *span))[0])
    return CampaignSummary(
        campaign=campaign,
        redemptions=redemptions["redemptions_succeeded"] + redemptions["redemptions_failed"],
        rollbacks=redemptions["rollbacks_succeeded"] + redemptions["rollbacks_failed"],
        publications_succeeded=vouchers["publications"],
        **redemptions,
        **vouchers,
    )
