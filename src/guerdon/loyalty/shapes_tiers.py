"""Tier structures and their tiers."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import (
    Activity,
    Id,
    Metadata,
    Name,
    NewStatus,
    Period,
    Reference,
    Shape,
    SlidingExpiration,
    YearDays,
    whole,
)

DEFAULTS: dict[str, Any] = {"expiration": {"type": "NO_RETENTION"}, "downgrade": {"type": "NO_DOWNGRADE"}}
TIER_DEFAULTS: dict[str, Any] = {"downgrade": {"type": "INHERIT"}}
Threshold = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class PointBalance(Shape, kw_only=True):
    """By the balance of the card of a definition."""

    card_definition_id: Id


class PointEarned(Shape, kw_only=True):
    """By the points earned on the card of a definition within a period."""

    card_definition_id: Id
    period: Period
    type: Literal["IMMEDIATELY", "NEXT_TRACKING_PERIOD"]


class FixedDuration(Shape, kw_only=True):
    """A period after the tier began."""

    period: Period


class CalendarDates(Shape, kw_only=True):
    """On the next of some days of the year."""

    calendar_dates: YearDays


class TierExpiration(Shape, kw_only=True):
    """How long a tier is kept."""

    type: Literal["NO_RETENTION", "SLIDING_EXPIRATION", "FIXED_DURATION", "CALENDAR_EXPIRATION"]
    fixed_duration: FixedDuration | None = None
    calendar_expiration: CalendarDates | None = None
    sliding_expiration: SlidingExpiration | None = None


class GracePeriod(Shape, kw_only=True):
    """How long a tier that is lost is still kept; `round_up`: to the end of the unit."""

    value: Annotated[int, Meta(ge=1, le=1000)]
    unit: Literal["DAY", "MONTH", "YEAR"]
    round_up: bool | None = None


class Downgrade(Shape, kw_only=True):
    """How tiers are lost: several at a time, one at a time, or not at all."""

    type: Literal["MULTI_LEVEL", "SINGLE_LEVEL", "NO_DOWNGRADE"]
    grace_period: GracePeriod | None = None


class _Sections(Shape, kw_only=True):
    point_balance: PointBalance | UnsetType | None = UNSET
    point_earned: PointEarned | UnsetType | None = UNSET
    expiration: TierExpiration | UnsetType | None = UNSET
    downgrade: Downgrade | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class TierStructureIn(_Sections, kw_only=True):
    """A tier structure to be; its tiers are added one by one."""

    name: Name
    type: Literal["POINT_BALANCE", "POINT_EARNED"]
    status: NewStatus | None = None


class TierStructureChange(_Sections, kw_only=True):
    """What is to change of a tier structure; absent stays."""

    name: Name | None = None
    type: Literal["POINT_BALANCE", "POINT_EARNED"] | None = None


class TierStructure(Struct, kw_only=True):
    """A tier structure."""

    id: str
    name: str
    type: Literal["POINT_BALANCE", "POINT_EARNED"]
    point_balance: PointBalance | UnsetType = UNSET
    point_earned: PointEarned | UnsetType = UNSET
    expiration: TierExpiration
    downgrade: Downgrade
    metadata: Metadata
    status: Literal["DRAFT", "ACTIVE", "INACTIVE", "DELETED"]
    created_at: str
    updated_at: str | None
    object: Literal["tier_structure"] = "tier_structure"


class TierPoints(Shape, kw_only=True):
    """From so many points on, to so many at most."""

    min_value: Threshold
    max_value: Threshold | None = None

    def __post_init__(self) -> None:
        self.min_value = whole(self.min_value)
        self.max_value = None if self.max_value is None else whole(self.max_value)


class Qualification(Shape, kw_only=True):
    """Who is in a tier: by points, or by points and a segment of customers."""

    type: Literal["POINTS", "POINTS_AND_SEGMENT"]
    points: TierPoints | None = None
    segment: Reference | None = None


class TierDowngrade(Shape, kw_only=True):
    """As its structure says, or never lost."""

    type: Literal["INHERIT", "NO_DOWNGRADE"]


class TierIn(Shape, kw_only=True):
    """A tier to be."""

    name: Name
    qualification_rules: Qualification
    downgrade: TierDowngrade | None = None
    metadata: Metadata | None = None


class TierChange(Shape, kw_only=True):
    """What is to change of a tier; absent stays."""

    name: Name | None = None
    qualification_rules: Qualification | None = None
    downgrade: TierDowngrade | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class Tier(Struct, kw_only=True):
    """A tier."""

    id: str
    tier_structure_id: str
    name: str
    qualification_rules: Qualification
    downgrade: TierDowngrade
    metadata: Metadata
    created_at: str
    updated_at: str | None
    object: Literal["tier"] = "tier"


class TierStructureActivity(Activity, kw_only=True):
    """Something that happened to a tier structure or one of its tiers."""

    tier_structure_id: str
