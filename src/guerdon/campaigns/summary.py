"""What a campaign has come to in a span of time: counted when asked."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct, UnsetType

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
                           and ($4::timestamptz is null or deleted_at < $4)) as vouchers_deleted
    from vouchers where project_id = $1 and campaign_id = $2
"""

PUBLICATIONS = """
    select count(*) as publications, count(*) filter (where result = 'SUCCESS') as publications_succeeded,
        count(*) filter (where result = 'FAILURE') as publications_failed
    from publications
    where project_id = $1 and campaign_id = $2 and ($3::timestamptz is null or created_at >= $3)
      and ($4::timestamptz is null or created_at < $4)
"""

REFERRED = """
    select count(*) from referrals
    where project_id = $1 and campaign_id = $2 and status in ('REFERRED', 'HELD', 'EARNED')
      and ($3::timestamptz is null or created_at >= $3) and ($4::timestamptz is null or created_at < $4)
"""

VALIDATIONS = """
    select coalesce(sum(succeeded), 0)::bigint as validations_succeeded,
        coalesce(sum(failed), 0)::bigint as validations_failed
    from campaign_validations
    where project_id = $1 and campaign_id = $2 and ($3::date is null or day >= $3) and ($4::date is null or day <= $4)
"""
# What sold a card is the order of its first addition; what was done by hand has a note; a deleted card causes its own
# removal.
CREDITS = """
    select
        coalesce(sum(e.amount) filter (where e.type = 'CREDITS_ADDITION' and made), 0)::bigint as created_vouchers_amount,
        coalesce(sum(e.amount) filter (where e.type = 'CREDITS_ADDITION' and not made), 0)::bigint as amount_added,
        coalesce(-sum(e.amount) filter (where e.type = 'CREDITS_REMOVAL' and deleted), 0)::bigint as amount_deleted,
        coalesce(-sum(e.amount) filter (where e.type = 'CREDITS_REDEMPTION'), 0)::bigint as amount_redeemed,
        coalesce(sum(e.amount) filter (where e.type = 'CREDITS_REFUND'), 0)::bigint as amount_rolledback,
        coalesce(-sum(e.amount) filter (where (e.type = 'CREDITS_REMOVAL' and not deleted)
                                           or e.type in ('CREDITS_CASH_OUT', 'CREDITS_EXPIRATION')), 0)::bigint
            as amount_subtracted
    from card_entries e
    left join card_notes n on n.project_id = $1 and n.entry_id = e.id and e.seq = 1
    cross join lateral (
        select e.order_id is not null or (e.seq = 1 and n.entry_id is null) as made,
               coalesce(e.cause_id = e.card_id, false) as deleted
    ) as told
    where e.project_id = $1 and e.campaign_id = $2 and ($3::timestamptz is null or e.created_at >= $3)
      and ($4::timestamptz is null or e.created_at < $4)
"""
MOMENT = timedelta(microseconds=1)


class CampaignSummary(Struct, kw_only=True):
    """Counts, and sums in minor units. Amounts given and orders placed are not reduced by what was rolled back. Gift
    campaigns have the amounts of their cards instead of discounts.
    """

    object: str = "campaign_summary"
    campaign: Campaign
    redemptions: int
    redemptions_succeeded: int
    redemptions_failed: int
    rollbacks: int
    rollbacks_succeeded: int
    rollbacks_failed: int
    validations: int
    validations_succeeded: int
    validations_failed: int
    vouchers_created: int
    vouchers_deleted: int
    publications: int
    publications_succeeded: int
    publications_failed: int
    discounted_amount: int | UnsetType = UNSET
    rolledback_discounted_amount: int | UnsetType = UNSET
    created_vouchers_amount: int | UnsetType = UNSET
    amount_added: int | UnsetType = UNSET
    amount_deleted: int | UnsetType = UNSET
    amount_redeemed: int | UnsetType = UNSET
    amount_rolledback: int | UnsetType = UNSET
    amount_subtracted: int | UnsetType = UNSET
    orders_amount: int
    orders_rolledback_amount: int
    referred_customers: int | UnsetType = UNSET


async def summarize(
    conn: db.Db,
    project_id: str,
    campaign: Campaign,
    start: datetime | None,
    end: datetime | None,
    zone: ZoneInfo,
) -> CampaignSummary:
    """The summary of what happened from `start` to before `end`; None is open.

    Validations are counted by days of `zone`, those of the first and the last day in whole, and some seconds late.
    """
    span = (project_id, campaign.id, start, end)
    redemptions = dict((await db.records(conn, REDEMPTIONS, *span))[0])
    vouchers = dict((await db.records(conn, VOUCHERS, *span))[0])
    days = [None if one is None else one.astimezone(zone).date() for one in (start, end and end - MOMENT)]
    validations = dict((await db.records(conn, VALIDATIONS, project_id, campaign.id, *days))[0])
    amounts = {}
    if campaign.campaign_type == "GIFT_VOUCHERS":
        amounts = dict((await db.records(conn, CREDITS, *span))[0])
        del redemptions["discounted_amount"], redemptions["rolledback_discounted_amount"]
    referred: int | UnsetType = UNSET
    if campaign.campaign_type == "REFERRAL_PROGRAM":
        referred = await db.value(conn, REFERRED, *span)
    return CampaignSummary(
        referred_customers=referred,
        campaign=campaign,
        redemptions=redemptions["redemptions_succeeded"] + redemptions["redemptions_failed"],
        rollbacks=redemptions["rollbacks_succeeded"] + redemptions["rollbacks_failed"],
        validations=validations["validations_succeeded"] + validations["validations_failed"],
        **validations,
        **redemptions,
        **amounts,
        **vouchers,
        **dict((await db.records(conn, PUBLICATIONS, *span))[0]),
    )
