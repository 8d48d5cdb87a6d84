"""Who referred whom: what a customer's answer tells of referrals. Those that were refused or undone do not count."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

from guerdon.kit import db
from guerdon.kit.clock import iso

OF_REFEREES = """
    select r.referee_id, r.campaign_id, r.referrer_id, r.voucher_id, r.redemption_id, r.created_at
    from unnest($2::text[]) as w (id) join referrals r on r.project_id = $1 and r.referee_id = w.id
    where r.status in ('REFERRED', 'HELD', 'EARNED') order by r.created_at, r.id
"""

BY_REFERRERS = """
    select r.referrer_id, c.name, count(*) as count
    from unnest($2::text[]) as w (id) join referrals r on r.project_id = $1 and r.referrer_id = w.id
    join campaigns c on c.project_id = $1 and c.id = r.campaign_id
    where r.status in ('REFERRED', 'HELD', 'EARNED') group by r.referrer_id, c.name
"""


class ReferredIn(Struct, kw_only=True):
    """The referral of a customer in a campaign, by a redemption or, where an event converts, by the code alone."""

    campaign_id: str
    referrer_id: str
    related_object_id: str
    related_object_type: str
    date: str


class ReferralsSummary(Struct):
    """By whom the customer was referred."""

    total: int = 0
    campaigns: list[ReferredIn] = field(default_factory=list)


class Referrals(Struct):
    """By whom a customer was referred, and how many they referred themselves, by the names of campaigns."""

    by: ReferralsSummary = field(default_factory=ReferralsSummary)
    referred: dict[str, int] = field(default_factory=dict)


async def load(conn: db.Db, project_id: str, customer_ids: Sequence[str]) -> dict[str, Referrals]:
    """What there is of each of the customers."""
    found = {customer_id: Referrals() for customer_id in customer_ids}
    if not found:
        return found
    for row in await db.records(conn, OF_REFEREES, project_id, list(found)):
        told = found[row["referee_id"]].by
        told.total += 1
        told.campaigns.append(_shown(row, row["created_at"]))
    for row in await db.records(conn, BY_REFERRERS, project_id, list(found)):
        found[row["referrer_id"]].referred[row["name"]] = row["count"]
    return found


def _shown(row: db.Record, at: datetime) -> ReferredIn:
    by_redemption = row["redemption_id"] is not None
    return ReferredIn(
        campaign_id=row["campaign_id"],
        referrer_id=row["referrer_id"],
        related_object_id=row["redemption_id"] if by_redemption else row["voucher_id"],
        related_object_type="redemption" if by_redemption else "voucher",
        date=iso(at),
    )
