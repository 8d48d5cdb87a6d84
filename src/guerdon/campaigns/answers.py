"""Campaigns with what stands elsewhere: their categories, rules and tiers, read for a whole page at once."""

from collections.abc import Sequence

from msgspec import UNSET

from guerdon.campaigns import store
from guerdon.campaigns.shape import Campaign, CampaignRow, build
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.promotions.answers import promotions
from guerdon.promotions.category import categories_of
from guerdon.promotions.rules import assigned
from guerdon.promotions.shape import Promotion
from guerdon.vouchers.shape import RuleAssignments


async def answers(conn: db.Db, project_id: str, rows: Sequence[CampaignRow]) -> list[Campaign]:
    """Campaigns as answered."""
    if not rows:
        return []
    categories = await categories_of(conn, project_id, {row.category_id for row in rows})
    rules = await assigned(conn, project_id, [row.id for row in rows])
    with_tiers = [row.id for row in rows if row.campaign_type == "PROMOTION"]
    tiers = await promotions(conn, project_id, with_tiers) if with_tiers else {}
    none = Promotion(tiers=[], total=0, has_more=False)
    return [
        build(
            row,
            categories.get(row.category_id, []),
            rules.get(row.id, RuleAssignments()),
            tiers.get(row.id, none) if row.campaign_type == "PROMOTION" else UNSET,
        )
        for row in rows
    ]


async def read(call: Call, campaign_id: str) -> Campaign:
    """A campaign that is known to be there."""
    found = await store.find(call.db, call.project_id, campaign_id)
    assert found is not None
    return (await answers(call.db, call.project_id, [found]))[0]
