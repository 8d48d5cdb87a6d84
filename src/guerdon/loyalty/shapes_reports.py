"""Reports: what happened in a program or on a card, by day, week, month or quarter, or in all."""

from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")
Resolution = Literal["day", "week", "month", "quarter"]


class Report(Struct, Generic[T], kw_only=True):
    """The lines of a report. `date` of a line is the first day of its week, month or quarter, also where the report
    begins later; what is counted lies between the report's dates.
    """

    data: list[T]
    object: Literal["report"] = "report"


class CardDay(Struct, kw_only=True):
    """What moved on a card. `points_total` is by how much the balance changed."""

    date: str
    points_total: int = 0
    points_earned: int = 0
    points_added: int = 0
    points_purchased: int = 0
    points_purchased_reversed: int = 0
    points_subtracted: int = 0
    points_expired: int = 0
    points_spent: int = 0
    points_refunded: int = 0
    points_returned: int = 0
    points_locked: int = 0
    points_unlocked: int = 0
    pending_points_total: int = 0
    pending_points_activated: int = 0
    pending_points_canceled: int = 0
    object: Literal["card_daily_report"] = "card_daily_report"


class MemberRuleDay(Struct, kw_only=True):
    """How often a rule gave a member something."""

    date: str
    count: int
    object: Literal["earning_rule_daily_report"] = "earning_rule_daily_report"


class Failures(Struct, kw_only=True):
    """Why rules gave nothing: they rest after they gave, or the member set them off as often as may be."""

    cooldown: int
    frequency: int


class RuleCounts(Struct, kw_only=True):
    """How often a rule gave something, and how often it was set off and did not."""

    earning_rule_id: str
    success_count: int
    failures_count: int
    failures_breakdown: Failures


class RuleDay(RuleCounts, kw_only=True):
    """A rule in a period."""

    date: str
    object: Literal["program_earning_rules_daily_report"] = "program_earning_rules_daily_report"


class RuleSum(RuleCounts, kw_only=True):
    """A rule in all."""

    id: str
    object: Literal["program_earning_rules_summary_report"] = "program_earning_rules_summary_report"


class EarningCounts(Struct, kw_only=True):
    """Points that an earning of a rule gave to cards of a definition: at once, and those that wait first."""

    earning_rule_id: str
    earning_item_id: str
    card_definition_id: str
    success_count: int
    points: int
    pending_points: int


class EarningDay(EarningCounts, kw_only=True):
    """An earning in a period."""

    date: str
    object: Literal["program_points_earnings_daily_report"] = "program_points_earnings_daily_report"


class EarningSum(EarningCounts, kw_only=True):
    """An earning in all."""

    id: str
    object: Literal["program_points_earnings_summary_report"] = "program_points_earnings_summary_report"


class SpendingCounts(Struct, kw_only=True):
    """Points of cards of a definition that were spent, whatever came back later; the amount in minor units."""

    card_definition_id: str
    success: int
    success_on_reward: int
    success_on_order: int
    points: int
    points_on_rewards: int
    points_on_order: int
    amount_on_order: int


class SpendingDay(SpendingCounts, kw_only=True):
    """Spending in a period."""

    date: str
    object: Literal["spending_daily_report"] = "spending_daily_report"


class SpendingSum(SpendingCounts, kw_only=True):
    """Spending in all."""

    id: str
    object: Literal["spending_summary_report"] = "spending_summary_report"


class TierCounts(Struct, kw_only=True):
    """Members who came into a tier for the first time, from below or from above, kept it longer, or left the tiers."""

    tier_structure_id: str
    tier_id: str
    joins: int
    upgrades: int
    downgrades: int
    lefts: int
    prolongs: int


class TierDay(TierCounts, kw_only=True):
    """A tier in a period."""

    date: str
    object: Literal["program_tiers_daily_report"] = "program_tiers_daily_report"


class TierSum(TierCounts, kw_only=True):
    """A tier in all."""

    id: str
    object: Literal["program_tiers_summary_report"] = "program_tiers_summary_report"
