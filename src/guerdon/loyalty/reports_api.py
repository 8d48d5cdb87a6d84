"""Reports over HTTP, in v2 of the API."""

from typing import LiteralString

from guerdon.kit.call import Call, Route
from guerdon.loyalty import define, programs, reports
from guerdon.loyalty.member_cards import named
from guerdon.loyalty.members import found
from guerdon.loyalty.parts import EARNING_RULE
from guerdon.loyalty.shapes_reports import (
    CardDay,
    EarningDay,
    EarningSum,
    MemberRuleDay,
    Report,
    Resolution,
    RuleDay,
    RuleSum,
    SpendingDay,
    SpendingSum,
    TierDay,
    TierSum,
)


async def get_member_card_daily_report(
    call: Call,
    program_id: str,
    member_id: str,
    card_id: str,
    start_date: str,
    end_date: str,
    resolution: Resolution,
) -> Report[CardDay]:
    """Report what moved on a card between two days, both included, in days of the project's time zone.

    A line for each day, week, month or quarter (`resolution`), for 90 days, 12 weeks, 12 months or 4 quarters at most.
    """
    meant = await named(call, program_id, member_id, card_id)
    return await reports.of_card(call, meant.card.id, start_date, end_date, resolution)


async def get_member_earning_rule_daily_report(
    call: Call,
    program_id: str,
    member_id: str,
    earning_rule_id: str,
    start_date: str,
    end_date: str,
    resolution: Resolution,
) -> Report[MemberRuleDay]:
    """Report how often an earning rule gave a member something between two days, both included."""
    await found(call.db, call.project_id, program_id, member_id)
    await define.found(call.db, call.project_id, EARNING_RULE, earning_rule_id)
    return await reports.of_member_rule(call, member_id, earning_rule_id, start_date, end_date, resolution)


async def get_program_earning_rules_daily_report(
    call: Call, program_id: str, start_date: str, end_date: str, resolution: Resolution
) -> Report[RuleDay]:
    """Report how often earning rules of a program gave something between two days.

    And how often they were set off and gave nothing. `filters[earning_rule_id][conditions][$operator]` narrows it; rules that nothing happened to have no line.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.daily(call, reports.RULES, program_id, start_date, end_date, resolution)


async def get_program_earning_rules_summary_report(call: Call, program_id: str) -> Report[RuleSum]:
    """Report how often earning rules of a program gave something, and how often they did not.

    `filters[earning_rule_id][conditions][$operator]` narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.in_all(call, reports.RULES, program_id)


async def get_program_points_earnings_daily_report(
    call: Call, program_id: str, start_date: str, end_date: str, resolution: Resolution
) -> Report[EarningDay]:
    """Report the points that earning rules of a program gave between two days, both included.

    `filters[field][conditions][$operator]` on earning_rule_id and card_definition_id narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.daily(call, reports.EARNINGS, program_id, start_date, end_date, resolution)


async def get_program_points_earnings_summary_report(call: Call, program_id: str) -> Report[EarningSum]:
    """Report all points that earning rules of a program gave, whatever was taken back of them later.

    `filters[field][conditions][$operator]` on earning_rule_id and card_definition_id narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.in_all(call, reports.EARNINGS, program_id)


async def get_program_spending_daily_report(
    call: Call, program_id: str, start_date: str, end_date: str, resolution: Resolution
) -> Report[SpendingDay]:
    """Report the points that members of a program spent between two days, both included.

    `filters[card_definition_id][conditions][$operator]` narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.daily(call, reports.SPENDING, program_id, start_date, end_date, resolution)


async def get_program_spending_summary_report(call: Call, program_id: str) -> Report[SpendingSum]:
    """Report all points that members of a program spent, whatever came back later.

    `filters[card_definition_id][conditions][$operator]` narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.in_all(call, reports.SPENDING, program_id)


async def get_program_tiers_daily_report(
    call: Call, program_id: str, start_date: str, end_date: str, resolution: Resolution
) -> Report[TierDay]:
    """Report members' ways into tiers of a program, and out of them, between two days, both included.

    `filters[field][conditions][$operator]` on tier_structure_id and tier_id narrows it.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.daily(call, reports.TIERS, program_id, start_date, end_date, resolution)


async def get_program_tiers_summary_report(
    call: Call, program_id: str, limit: int = 100, order: str = "-id"
) -> Report[TierSum]:
    """Report all members' ways into tiers of a program, and out of them.

    `filters[field][conditions][$operator]` on tier_structure_id and tier_id narrows it; `order` is id or -id.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await reports.tiers_in_all(call, program_id, limit, order)


PROGRAM: LiteralString = "/v2/loyalties/programs/{program_id}"
MEMBER: LiteralString = PROGRAM + "/members/{member_id}"
REPORTS: LiteralString = PROGRAM + "/reports"
TAG = "Loyalty reports"

ROUTES = [
    Route(method="GET", path=MEMBER + "/cards/{card_id}/reports/daily", handler=get_member_card_daily_report, tag=TAG),
    Route(
        method="GET", path=MEMBER + "/earning-rules/{earning_rule_id}/reports/daily",
        handler=get_member_earning_rule_daily_report, tag=TAG,
    ),
    Route(method="GET", path=REPORTS + "/earning-rules/daily", handler=get_program_earning_rules_daily_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/earning-rules/summary", handler=get_program_earning_rules_summary_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/points-earnings/daily", handler=get_program_points_earnings_daily_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/points-earnings/summary", handler=get_program_points_earnings_summary_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/spending/daily", handler=get_program_spending_daily_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/spending/summary", handler=get_program_spending_summary_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/tiers/daily", handler=get_program_tiers_daily_report, tag=TAG),
    Route(method="GET", path=REPORTS + "/tiers/summary", handler=get_program_tiers_summary_report, tag=TAG),
]  # fmt: skip
