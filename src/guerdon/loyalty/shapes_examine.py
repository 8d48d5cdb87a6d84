"""Examining: what would earn points and what may be bought, asked without doing anything."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.engine.order import OrderItemIn
from guerdon.loyalty.shapes import MAX_NUMBER, Id, Metadata, Shape

TriggerEvent = Literal["customer.order.paid", "customer.segment.entered", "customer.custom_event"]
Amount = Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | Annotated[str, Meta(pattern=r"^\d{1,15}$")]


class ExaminedIdentification(Shape, kw_only=True):
    """Who is meant: a customer in all programs, or a member in one."""

    type: Literal["customer_id", "customer_source_id", "member_id"]
    customer_id: Id | None = None
    customer_source_id: Annotated[str, Meta(min_length=1, max_length=512)] | int | None = None
    member_id: Id | None = None


class Overridden(Shape, kw_only=True):
    """Metadata that is put over what is stored, for this question."""

    metadata: Metadata | None = None


class Context(Shape, kw_only=True):
    """Metadata of customer and member to go by."""

    customer: Overridden | None = None
    member: Overridden | None = None


class ExaminedOrder(Shape, kw_only=True):
    """An order: what it came to after discounts and before, in minor units; and its lines."""

    amount: Amount | None = None
    initial_amount: Amount | None = None
    discount_amount: Amount | None = None
    items: Annotated[list[OrderItemIn], Meta(max_length=500)] | None = None
    metadata: Metadata | None = None


class OrderContext(Context, kw_only=True):
    """A paid order."""

    order: ExaminedOrder | None = None


class NamedEvent(Shape, kw_only=True):
    """A custom event by the id of its schema."""

    schema_id: Id
    metadata: Metadata | None = None


class EventContext(Context, kw_only=True):
    """A custom event."""

    custom_event: NamedEvent


class EventsContext(Context, kw_only=True):
    """Every custom event that rules wait for."""

    custom_event: Overridden | None = None


class CustomEvents(Shape, kw_only=True):
    """All custom events, or a certain one."""

    type: Literal["ALL", "SPECIFIC"]
    all: EventsContext | None = None
    specific: EventContext | None = None


class SpecificTrigger(Shape, kw_only=True):
    """A certain kind of event."""

    event: TriggerEvent


class ExaminedTrigger(Shape, kw_only=True):
    """What is to have happened: everything that rules wait for, or one kind of event."""

    type: Literal["ALL", "SPECIFIC"]
    specific: SpecificTrigger | None = None


class EarningQuestion(Shape, kw_only=True):
    """Who, and what is to have happened."""

    trigger: ExaminedTrigger
    customer_identification: ExaminedIdentification
    customer_order_paid: OrderContext | None = None
    customer_segment_entered: Context | None = None
    customer_custom_event: CustomEvents | None = None


class RewardQuestion(Context, kw_only=True):
    """Who, with metadata to go by."""

    customer_identification: ExaminedIdentification


class ExaminedCustomer(Struct, kw_only=True):
    """A customer."""

    id: str
    source_id: str | None
    metadata: dict[str, Any]
    object: Literal["customer"] = "customer"


class ExaminedMember(Struct, kw_only=True):
    """A member."""

    id: str
    customer_id: str
    program_id: str
    metadata: dict[str, Any]
    object: Literal["member"] = "member"


class ExaminedProgram(Struct, kw_only=True):
    """A program."""

    id: str
    name: str
    metadata: dict[str, Any]
    object: Literal["program"] = "program"


class ExaminedCard(Struct, kw_only=True):
    """A card."""

    id: str
    card_definition_id: str
    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    code: str | None
    object: Literal["card"] = "card"


class RuleNamed(Struct, kw_only=True):
    """An earning rule by its id."""

    id: str
    object: Literal["earning_rule"] = "earning_rule"


class RuleDetail(Struct, kw_only=True):
    """An earning rule that would give something."""

    id: str
    name: str
    metadata: dict[str, Any]
    object: Literal["earning_rule"] = "earning_rule"


class RuleEstimation(Struct, kw_only=True):
    """The points that a rule would give."""

    earning_rule: RuleNamed
    points_estimation: int
    object: Literal["earning_rule_estimation"] = "earning_rule_estimation"


class CardEstimation(Struct, kw_only=True):
    """The points that a card would get."""

    card: ExaminedCard
    points_estimation: int
    earning_rules: list[RuleEstimation]
    object: Literal["card_estimation"] = "card_estimation"


class BenefitNamed(Struct, kw_only=True):
    """A benefit."""

    id: str
    name: str
    type: str
    object: Literal["benefit"] = "benefit"


class BenefitRule(Struct, kw_only=True):
    """A rule that would give a benefit."""

    earning_rule: RuleNamed
    object: Literal["earning_rule_estimation"] = "earning_rule_estimation"


class BenefitEstimation(Struct, kw_only=True):
    """A benefit that would be given, and by what rules."""

    benefit: BenefitNamed
    earning_rules: list[BenefitRule]
    object: Literal["benefit_estimation"] = "benefit_estimation"


class EarningOpportunity(Struct, kw_only=True):
    """What a member would get."""

    member: ExaminedMember
    program: ExaminedProgram
    cards: list[CardEstimation]
    benefits: list[BenefitEstimation]
    object: Literal["member_earnings_opportunity"] = "member_earnings_opportunity"


class EarningsExamined(Struct, kw_only=True):
    """What a customer would get in each program, and from which rules. `event` is null where all were asked for."""

    event: str | None
    customer: ExaminedCustomer
    earning_rules: list[RuleDetail]
    memberships: list[EarningOpportunity]
    object: Literal["earnings_examine_result"] = "earnings_examine_result"


class RewardDetail(Struct, kw_only=True):
    """A reward."""

    id: str
    name: str
    type: str
    metadata: dict[str, Any]
    object: Literal["reward"] = "reward"
    purchase_limits: dict[str, Any] | UnsetType = UNSET


class RewardNamed(Struct, kw_only=True):
    """A reward by its id."""

    id: str
    object: Literal["reward"] = "reward"


class RewardCost(Struct, kw_only=True):
    """What it costs."""

    points: int
    object: Literal["reward_cost"] = "reward_cost"


class Unavailability(Struct, kw_only=True):
    """Why a reward cannot be had now: `insufficient_balance`, `no_target_card`, or the key that a purchase would get."""

    reason: str
    details: dict[str, Any]
    object: Literal["reward_unavailability_reason"] = "reward_unavailability_reason"


class RewardEstimation(Struct, kw_only=True):
    """Whether a reward can be had with a card, and for how much."""

    reward: RewardNamed
    status: Literal["AVAILABLE", "UNAVAILABLE"]
    cost: RewardCost
    unavailability_reasons: list[Unavailability] | UnsetType = UNSET
    object: Literal["reward_estimation"] = "reward_estimation"


class CardRewards(Struct, kw_only=True):
    """The rewards that are paid with a card."""

    card: ExaminedCard
    rewards: list[RewardEstimation]
    object: Literal["card_estimation"] = "card_estimation"


class RewardOpportunity(Struct, kw_only=True):
    """What a member may have."""

    member: ExaminedMember
    program: ExaminedProgram
    cards: list[CardRewards]
    object: Literal["member_rewards_opportunity"] = "member_rewards_opportunity"


class RewardsExamined(Struct, kw_only=True):
    """What a customer may have in each program."""

    customer: ExaminedCustomer
    rewards: list[RewardDetail]
    memberships: list[RewardOpportunity]
    object: Literal["rewards_examine_result"] = "rewards_examine_result"
