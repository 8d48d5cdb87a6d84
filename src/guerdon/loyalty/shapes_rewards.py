"""Rewards that points buy, and benefits that earning rules give."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import (
    ANY_TIME,
    Activity,
    Coupons,
    GiftVouchers,
    Id,
    Instant,
    Label,
    Limits,
    Material,
    Metadata,
    Name,
    NewStatus,
    Points,
    PointsProportional,
    Positive,
    Rules,
    Shape,
    Stock,
    ValidityHours,
)

REWARD_DEFAULTS: dict[str, Any] = {
    "validity_hours": ANY_TIME,
    "refunds": {"type": "NONE"},
    "purchase_limits": {},
}
BENEFIT_DEFAULTS: dict[str, Any] = {"stock": {"type": "UNLIMITED"}}


class CardPoints(Shape, kw_only=True):
    """Points for the member's card of a definition."""

    points: Positive
    card_definition_id: Id


class Digital(Shape, kw_only=True):
    """A code of a campaign, a gift card, or points."""

    type: Literal["DISCOUNT_COUPONS", "GIFT_VOUCHERS", "LOYALTY_CARD_POINTS"]
    discount_coupons: Coupons | None = None
    gift_vouchers: GiftVouchers | None = None
    loyalty_card_points: CardPoints | None = None


class Spending(Shape, kw_only=True):
    """So many points of the member's card of a definition."""

    id: Id | None = None
    name: Label | None = None
    points: Positive
    card_definition_id: Id


class Cost(Shape, kw_only=True):
    """A price, for members whom the rules let have it. An `id` names one that is there already."""

    id: Id | None = None
    rules: Rules | None = None
    spending: Annotated[list[Spending], Meta(min_length=1, max_length=1)]


Costs = Annotated[list[Cost], Meta(min_length=1, max_length=10)]


class RewardRefunds(Shape, kw_only=True):
    """Whether a purchase may be refunded."""

    type: Literal["NONE", "REFUNDABLE"]


class _Sections(Shape, kw_only=True):
    validity_hours: ValidityHours | UnsetType | None = UNSET
    start_date: Instant | UnsetType | None = UNSET
    end_date: Instant | UnsetType | None = UNSET
    material: Material | UnsetType | None = UNSET
    digital: Digital | UnsetType | None = UNSET
    purchase_limits: Limits | UnsetType | None = UNSET
    refunds: RewardRefunds | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class RewardIn(_Sections, kw_only=True):
    """A reward to be. `costs` are looked at from the first on; a member pays the first that may be had."""

    name: Name
    type: Literal["MATERIAL", "DIGITAL"]
    costs: Costs
    status: NewStatus | None = None


class RewardChange(_Sections, kw_only=True):
    """What is to change of a reward; absent stays."""

    name: Name | None = None
    type: Literal["MATERIAL", "DIGITAL"] | None = None
    costs: Costs | None = None


class Reward(Struct, kw_only=True):
    """A reward."""

    id: str
    name: str
    type: Literal["MATERIAL", "DIGITAL"]
    status: Literal["ACTIVE", "DRAFT", "INACTIVE", "DELETED"]
    start_date: str | None = None
    end_date: str | None = None
    validity_hours: ValidityHours
    material: Material | UnsetType = UNSET
    digital: Digital | UnsetType = UNSET
    refunds: RewardRefunds
    costs: list[Cost]
    purchase_limits: Limits
    metadata: Metadata
    created_at: str
    updated_at: str | None
    object: Literal["reward"] = "reward"


class BenefitDigital(Shape, kw_only=True):
    """A gift card, or a code of a campaign."""

    type: Literal["GIFT_VOUCHERS", "DISCOUNT_COUPONS"]
    gift_vouchers: GiftVouchers | None = None
    discount_coupons: Coupons | None = None


BenefitType = Literal["POINTS", "POINTS_PROPORTIONAL", "MATERIAL", "DIGITAL"]


class _BenefitSections(Shape, kw_only=True):
    points: Points | UnsetType | None = UNSET
    points_proportional: PointsProportional | UnsetType | None = UNSET
    material: Material | UnsetType | None = UNSET
    digital: BenefitDigital | UnsetType | None = UNSET
    stock: Stock | UnsetType | None = UNSET


class BenefitIn(_BenefitSections, kw_only=True):
    """A benefit to be: of the sections, the one that its type names."""

    name: Name
    type: BenefitType
    status: NewStatus | None = None


class BenefitChange(_BenefitSections, kw_only=True):
    """What is to change of a benefit; absent stays."""

    name: Name | None = None
    type: BenefitType | None = None


class Benefit(Struct, kw_only=True):
    """A benefit that earning rules may give."""

    id: str
    name: str
    type: BenefitType
    status: Literal["DRAFT", "ACTIVE", "DELETED"]
    stock: Stock
    points: Points | UnsetType = UNSET
    points_proportional: PointsProportional | UnsetType = UNSET
    material: Material | UnsetType = UNSET
    digital: BenefitDigital | UnsetType = UNSET
    created_at: str
    updated_at: str | None
    object: Literal["benefit"] = "benefit"


class RewardActivity(Activity, kw_only=True):
    """Something that happened to a reward."""

    reward_id: str


class BenefitActivity(Activity, kw_only=True):
    """Something that happened to a benefit."""

    benefit_id: str
