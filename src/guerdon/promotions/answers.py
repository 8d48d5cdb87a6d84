"""Tiers and stacks with what stands elsewhere: their categories, rules and sums, read for a whole page at once."""

from collections.abc import Sequence

from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.promotions import store, tiers
from guerdon.promotions.category import categories_of
from guerdon.promotions.rules import assigned
from guerdon.promotions.shape import (
    Ordered,
    Promotion,
    Redeemed,
    Stack,
    StackRow,
    Tier,
    TierRow,
    TierSummary,
    build,
    build_stack,
)
from guerdon.vouchers.shape import RuleAssignments

SHOWN = 100
"""How many tiers are shown inside of their campaign; /v1/promotions/{campaign}/tiers lists all."""


async def tier_answers(conn: db.Db, project_id: str, rows: Sequence[TierRow]) -> list[Tier]:
    """Tiers as answered."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    summaries = await store.summaries(conn, project_id, ids)
    categories = await categories_of(conn, project_id, {row.category_id for row in rows})
    rules = await assigned(conn, project_id, ids)
    none = TierSummary(redemptions=Redeemed(), orders=Ordered())
    return [
        build(
            row,
            summaries.get(row.id, none),
            categories.get(row.category_id, []),
            rules.get(row.id, RuleAssignments()),
        )
        for row in rows
    ]


async def tier_answer(call: Call, tier_id: str) -> Tier:
    """A tier as answered. Raises `ApiError` 404."""
    return (await tier_answers(call.db, call.project_id, [await tiers.find(call, tier_id)]))[0]


async def promotions(conn: db.Db, project_id: str, campaign_ids: list[str]) -> dict[str, Promotion]:
    """What campaigns show of their tiers, by campaign; those without tiers are left out."""
    rows = await store.first_of(conn, project_id, campaign_ids, SHOWN)
    found: dict[str, Promotion] = {}
    for row, tier in zip(rows, await tier_answers(conn, project_id, rows), strict=True):
        shown = found.setdefault(
            row.campaign_id, Promotion(tiers=[], total=row.total, has_more=row.total > SHOWN)
        )
        shown.tiers.append(tier)
    return found


async def stack_answers(conn: db.Db, project_id: str, rows: Sequence[StackRow]) -> list[Stack]:
    """Stacks as answered."""
    categories = await categories_of(conn, project_id, {row.category_id for row in rows})
    return [build_stack(row, categories.get(row.category_id, [])) for row in rows]
