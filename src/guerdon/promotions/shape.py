"""How promotion tiers and stacks look in answers."""

from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import UNSET, Struct, UnsetType

from guerdon.categories.api import Category
from guerdon.kit.clock import iso
from guerdon.vouchers.shape import RuleAssignments

COLUMNS: LiteralString = """
    t.id, t.campaign_id, t.name, t.banner, t.hierarchy, t.active, t.category_id, t.body, t.metadata, t.created_at,
    t.updated_at, c.active as campaign_active, c.category_id as campaign_category_id, ct.body as campaign_body
"""

STACK_COLUMNS: LiteralString = """
    s.id, s.campaign_id, s.name, s.tiers, s.category_id, s.created_at, s.updated_at
"""

WINDOWS = ("validity_timeframe", "validity_day_of_week", "validity_hours")


class TierRow(Struct, kw_only=True):
    """A tier with what an answer shows of its campaign: `COLUMNS`, in any order."""

    id: str
    campaign_id: str
    name: str
    banner: str | None
    hierarchy: int
    active: bool
    category_id: str | None
    body: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    campaign_active: bool
    campaign_category_id: str | None
    campaign_body: dict[str, Any]


class StackRow(Struct, kw_only=True):
    """The columns of a stack: `STACK_COLUMNS`."""

    id: str
    campaign_id: str
    name: str
    tiers: list[str]
    category_id: str | None
    created_at: datetime
    updated_at: datetime | None


class Action(Struct, kw_only=True):
    """What a tier gives."""

    discount: dict[str, Any] | UnsetType = UNSET


class TierCampaign(Struct, kw_only=True):
    """The campaign of a tier, whose windows hold for the tier as well."""

    id: str
    start_date: str | None
    expiration_date: str | None
    validity_timeframe: dict[str, Any] | UnsetType = UNSET
    validity_day_of_week: list[int] | UnsetType = UNSET
    validity_hours: dict[str, Any] | UnsetType = UNSET
    active: bool
    category_id: str | None
    object: Literal["campaign"] = "campaign"


class Redeemed(Struct, kw_only=True):
    """Redemptions that were not taken back."""

    total_redeemed: int = 0


class Ordered(Struct, kw_only=True):
    """Their orders before discounts, and the discounts, in minor units."""

    total_amount: int = 0
    total_discount_amount: int = 0


class TierSummary(Struct, kw_only=True):
    """What a tier has come to."""

    redemptions: Redeemed
    orders: Ordered


class Tier(Struct, kw_only=True):
    """A promotion tier as answered. Dates and windows that are not set are left out."""

    id: str
    created_at: str
    updated_at: str | UnsetType = UNSET
    name: str
    banner: str | UnsetType = UNSET
    action: Action
    metadata: dict[str, Any]
    hierarchy: int
    promotion_id: str
    campaign: TierCampaign
    campaign_id: str
    active: bool
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    validity_timeframe: dict[str, Any] | UnsetType = UNSET
    validity_day_of_week: list[int] | UnsetType = UNSET
    validity_hours: dict[str, Any] | UnsetType = UNSET
    summary: TierSummary
    category: str | UnsetType = UNSET
    category_id: str | None
    categories: list[Category]
    validation_rule_assignments: RuleAssignments
    object: Literal["promotion_tier"] = "promotion_tier"


class StackTiers(Struct, kw_only=True):
    """The tiers of a stack in their order."""

    ids: list[str]
    hierarchy_mode: Literal["MANUAL"] = "MANUAL"


class Stack(Struct, kw_only=True):
    """A promotion stack as answered."""

    id: str
    name: str
    created_at: str
    updated_at: str | UnsetType = UNSET
    campaign_id: str
    tiers: StackTiers
    category_id: str | None
    categories: list[Category]
    object: Literal["promotion_stack"] = "promotion_stack"


class Promotion(Struct, kw_only=True):
    """The tiers of a campaign, those that come first in its hierarchy first; `total` counts all of them."""

    object: Literal["list"] = "list"
    data_ref: Literal["tiers"] = "tiers"
    tiers: list[Tier]
    total: int
    has_more: bool


def build(
    row: TierRow, summary: TierSummary, categories: list[Category], assignments: RuleAssignments
) -> Tier:
    """A tier's answer."""
    dates = {name: row.body[name] for name in ("start_date", "expiration_date") if name in row.body}
    return Tier(
        id=row.id,
        created_at=iso(row.created_at),
        updated_at=UNSET if row.updated_at is None else iso(row.updated_at),
        name=row.name,
        banner=row.banner or UNSET,
        action=Action(discount=row.body.get("discount", UNSET)),
        metadata=row.metadata,
        hierarchy=row.hierarchy,
        promotion_id=row.campaign_id,
        campaign=TierCampaign(
            id=row.campaign_id,
            start_date=row.campaign_body.get("start_date"),
            expiration_date=row.campaign_body.get("expiration_date"),
            active=row.campaign_active,
            category_id=row.campaign_category_id,
            **_windows(row.campaign_body),
        ),
        campaign_id=row.campaign_id,
        active=row.active,
        **dates,
        **_windows(row.body),
        summary=summary,
        category=categories[0].name if categories else row.body.get("category", UNSET),
        category_id=row.category_id,
        categories=categories,
        validation_rule_assignments=assignments,
    )


def _windows(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in WINDOWS if name in body}


def build_stack(row: StackRow, categories: list[Category]) -> Stack:
    """A stack's answer."""
    return Stack(
        id=row.id,
        name=row.name,
        created_at=iso(row.created_at),
        updated_at=UNSET if row.updated_at is None else iso(row.updated_at),
        campaign_id=row.campaign_id,
        tiers=StackTiers(ids=row.tiers),
        category_id=row.category_id,
        categories=categories,
    )
