"""How a campaign looks in answers."""

from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import UNSET, Struct, UnsetType

from guerdon.campaigns.policy import PolicyOut, told
from guerdon.categories.api import Category
from guerdon.engine.codes import COUPON_LENGTH, UNAMBIGUOUS
from guerdon.kit.clock import iso
from guerdon.promotions.shape import Promotion
from guerdon.vouchers.shape import RuleAssignments
from guerdon.vouchers.value import kind_of

COLUMNS: LiteralString = """
    c.id, c.name, c.campaign_type, c.type, c.terms_id, c.voucher, c.description, c.category, c.category_id, c.active,
    c.join_once, c.auto_join, c.protected, c.use_voucher_metadata_schema, c.activity_duration_after_publishing,
    c.metadata, c.options, c.referral_program, c.creation_status, c.vouchers_generation_status, c.vouchers_count, c.created_at, c.updated_at, t.body
"""

WINDOWS = ("start_date", "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours")


class CampaignRow(Struct, kw_only=True):
    """A campaign with the body of its terms. `voucher` holds the code config and a generic code."""

    id: str
    name: str
    campaign_type: str
    type: str
    terms_id: str
    voucher: dict[str, Any]
    description: str | None
    category: str | None
    category_id: str | None
    active: bool
    join_once: bool
    auto_join: bool
    protected: bool
    use_voucher_metadata_schema: bool
    activity_duration_after_publishing: str | None
    metadata: dict[str, Any]
    options: dict[str, Any] | None
    referral_program: dict[str, Any] | None
    creation_status: str
    vouchers_generation_status: str
    vouchers_count: int
    created_at: datetime
    updated_at: datetime | None
    body: dict[str, Any]


class CampaignVoucher(Struct, kw_only=True):
    """What each of a campaign's codes promises, and how codes look."""

    type: str
    discount: dict[str, Any] | UnsetType = UNSET
    gift: dict[str, Any] | UnsetType = UNSET
    loyalty_card: dict[str, Any] | UnsetType = UNSET
    redemption: dict[str, int | None]
    code_config: dict[str, Any]
    is_referral_code: bool = False
    code: str | UnsetType = UNSET
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    validity_timeframe: dict[str, Any] | UnsetType = UNSET
    validity_day_of_week: list[int] | UnsetType = UNSET
    validity_hours: dict[str, Any] | UnsetType = UNSET


class Campaign(Struct, kw_only=True):
    """A campaign as answered."""

    id: str
    name: str
    description: str | UnsetType = UNSET
    campaign_type: str
    type: str
    voucher: CampaignVoucher | UnsetType = UNSET
    promotion: Promotion | UnsetType = UNSET
    referral_program: dict[str, Any] | UnsetType = UNSET
    loyalty_tiers_expiration: dict[str, Any] | UnsetType = UNSET
    auto_join: bool
    join_once: bool
    use_voucher_metadata_schema: bool
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    validity_timeframe: dict[str, Any] | UnsetType = UNSET
    validity_day_of_week: list[int] | UnsetType = UNSET
    validity_hours: dict[str, Any] | UnsetType = UNSET
    activity_duration_after_publishing: str | UnsetType = UNSET
    vouchers_count: int
    active: bool
    metadata: dict[str, Any]
    created_at: str
    updated_at: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    creation_status: str
    vouchers_generation_status: str
    protected: bool
    category_id: str | None
    categories: list[Category] = []
    options: dict[str, Any] | UnsetType = UNSET
    policy: PolicyOut | UnsetType = UNSET
    validation_rules_assignments: RuleAssignments = RuleAssignments()
    object: Literal["campaign"] = "campaign"


def _code_config(given: dict[str, Any]) -> dict[str, Any]:
    """How codes look, whole: what was not given is the default; the pattern is the random part alone."""
    whole = {"length": COUPON_LENGTH, "charset": UNAMBIGUOUS} | given
    return {"pattern": "#" * whole["length"]} | whole


def _gift(body: dict[str, Any]) -> dict[str, Any] | UnsetType:
    """What each card begins with, or is sold with; that it is on sale is told by the options."""
    gift = body.get("gift", UNSET)
    return gift if gift is UNSET else {name: value for name, value in gift.items() if name != "on_sale"}


def _voucher(row: CampaignRow, windows: dict[str, Any]) -> CampaignVoucher:
    return CampaignVoucher(
        type=kind_of(row.body),
        discount=row.body.get("discount", UNSET),
        gift=_gift(row.body),
        loyalty_card=row.body.get("loyalty_card", UNSET),
        redemption=row.body.get("redemption") or {"quantity": None},
        code_config=_code_config(row.voucher.get("code_config", {})),
        is_referral_code=row.campaign_type == "REFERRAL_PROGRAM",
        code=row.voucher.get("code", UNSET),
        **windows,
    )


def build(
    row: CampaignRow,
    categories: list[Category],
    assignments: RuleAssignments,
    promotion: Promotion | UnsetType,
) -> Campaign:
    """A campaign's answer; what is not set is left out, as the reference does."""
    windows = {name: row.body[name] for name in WINDOWS if name in row.body}
    return Campaign(
        id=row.id,
        name=row.name,
        description=row.description or UNSET,
        campaign_type=row.campaign_type,
        type=row.type,
        voucher=UNSET if row.campaign_type == "PROMOTION" else _voucher(row, windows),
        promotion=promotion,
        referral_program=UNSET if row.referral_program is None else row.referral_program,
        loyalty_tiers_expiration=row.voucher.get("loyalty_tiers_expiration", UNSET),
        auto_join=row.auto_join,
        join_once=row.join_once,
        use_voucher_metadata_schema=row.use_voucher_metadata_schema,
        **windows,
        activity_duration_after_publishing=row.activity_duration_after_publishing or UNSET,
        vouchers_count=row.vouchers_count,
        active=row.active,
        metadata=row.metadata,
        created_at=iso(row.created_at),
        updated_at=UNSET if row.updated_at is None else iso(row.updated_at),
        category=categories[0].name if categories else row.category or UNSET,
        creation_status=row.creation_status,
        vouchers_generation_status=row.vouchers_generation_status,
        protected=row.protected,
        category_id=row.category_id,
        categories=categories,
        options=row.options or UNSET,
        policy=told(
            row.options, row.body, row.activity_duration_after_publishing, row.updated_at or row.created_at
        ),
        validation_rules_assignments=assignments,
    )
