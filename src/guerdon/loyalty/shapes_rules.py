"""Earning rules: what sets them off, what they give to whom, and how often."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import (
    ANY_TIME,
    Activity,
    Id,
    Instant,
    Label,
    Limits,
    Metadata,
    Name,
    NewStatus,
    Points,
    PointsExpiration,
    PointsProportional,
    Positive,
    Reference,
    Rules,
    Shape,
    ValidityHours,
)

DEFAULTS: dict[str, Any] = {"validity_hours": ANY_TIME, "trigger_limits": {}}


class EventTrigger(Shape, kw_only=True):
    """A custom event, by the id of its schema."""

    schema_id: Id


class Trigger(Shape, kw_only=True):
    """What sets a rule off: an order that is paid, a custom event, or a segment that the member enters.

    Changes of tiers are those of rules of /v1/loyalties; here no such rule can be made.
    """

    event: Literal[
        "customer.order.paid", "customer.custom_event", "customer.segment.entered", "customer.loyalty.tier.joined",
        "customer.loyalty.tier.left", "customer.loyalty.tier.upgraded", "customer.loyalty.tier.downgraded",
        "customer.loyalty.tier.prolonged",
    ]  # fmt: skip
    custom_event: EventTrigger | None = None
    segment: Reference | None = None


class RulePoints(Points, kw_only=True):
    """So many points; a formula may stand for the number, an expiry for the card's."""

    points_formula: str | None = None
    points_expiration: PointsExpiration | None = None


class RuleProportion(PointsProportional, kw_only=True):
    """Points in proportion; an expiry may stand for the card's."""

    points_expiration: PointsExpiration | None = None


class Effect(Shape, kw_only=True):
    """What is given: points, points in proportion, or a benefit."""

    type: Literal["POINTS", "POINTS_PROPORTIONAL", "BENEFIT"]
    points: RulePoints | None = None
    points_proportional: RuleProportion | None = None
    benefit: Reference | None = None


class TiersOf(Shape, kw_only=True):
    """Tiers of a structure."""

    tier_structure_id: Id
    tier_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)]


class TierRules(Shape, kw_only=True):
    """For everybody, or for members of these tiers."""

    type: Literal["NO_REQUIREMENTS", "ANY_OF"]
    any_of: Annotated[list[TiersOf], Meta(min_length=1, max_length=100)] | None = None


class EarningItem(Shape, kw_only=True):
    """Effects with the conditions they have in common. An `id` names one that is there already."""

    id: Id | None = None
    name: Label | None = None
    rules: Rules | None = None
    tier_rules: TierRules | None = None
    effects: Annotated[list[Effect], Meta(min_length=1, max_length=10)]


Earnings = Annotated[list[EarningItem], Meta(min_length=1, max_length=100)]


class RuleError(Shape, kw_only=True):
    """What to tell when the conditions do not hold."""

    message: Name


class Cap(Shape, kw_only=True):
    """So many points at most: of each MEMBER or of the RULE in all; ever, or in a period of the calendar."""

    max: Positive
    period: Literal["DAY", "WEEK", "MONTH", "QUARTER", "HALF_YEAR", "YEAR"] | None = None
    per: Literal["MEMBER", "RULE"] = "MEMBER"


class _Sections(Shape, kw_only=True):
    error: RuleError | UnsetType | None = UNSET
    validity_hours: ValidityHours | UnsetType | None = UNSET
    start_date: Instant | UnsetType | None = UNSET
    end_date: Instant | UnsetType | None = UNSET
    trigger_limits: Limits | UnsetType | None = UNSET
    caps: Annotated[list[Cap], Meta(max_length=10)] | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class EarningRuleIn(_Sections, kw_only=True):
    """An earning rule to be. `caps` are Guerdon's own: how many points it gives at most."""

    name: Name
    trigger: Trigger
    earnings: Earnings
    status: NewStatus | None = None


class EarningRuleChange(_Sections, kw_only=True):
    """What is to change of an earning rule; absent stays.

    Of `earnings`, those with an id that is there keep it, those without one are new, and those that are missing go.
    """

    name: Name | None = None
    trigger: Trigger | None = None
    earnings: Earnings | None = None


class EarningRule(Struct, kw_only=True):
    """An earning rule."""

    id: str
    name: str
    status: Literal["DRAFT", "ACTIVE", "INACTIVE", "DELETED"]
    trigger: Trigger
    earnings: list[EarningItem]
    error: RuleError | None = None
    validity_hours: ValidityHours
    start_date: str | None = None
    end_date: str | None = None
    trigger_limits: Limits
    caps: list[Cap] | UnsetType = UNSET
    metadata: Metadata
    created_at: str
    updated_at: str | None
    object: Literal["earning_rule"] = "earning_rule"


class EarningRuleActivity(Activity, kw_only=True):
    """Something that happened to an earning rule."""

    earning_rule_id: str
