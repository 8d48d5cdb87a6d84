"""What a member may look forward to, or has to fear: tiers within reach, and the tier that is about to be lost.

Both come from asking :func:`tier_at` about the future, as it would be without any movement of points.
"""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.opening import end_of_day
from guerdon.engine.periods import local_day
from guerdon.engine.tier import MemberPoints, Standing, TierStructure
from guerdon.engine.tiering import tier_at

MOST_STEPS = 4
"""How far the future is followed: an end, a grace, a prolongation and its end."""


class Opportunity(Struct, frozen=True):
    """A higher tier, how many points are lacking, and until when they count (None: whenever)."""

    tier_id: str
    points: int
    valid_until: datetime | None


class Risk(Struct, frozen=True):
    """What becomes of the tier, and when, unless points are earned."""

    type: Literal["TIER_DOWNGRADE", "TIER_LEFT"]
    at: datetime
    tier_id: str | None


class Progress(Struct, frozen=True, kw_only=True):
    """Points counted now, the bounds of the present tier, and what may come."""

    points: int
    least: int | None = None
    most: int | None = None
    opportunities: tuple[Opportunity, ...] = ()
    risks: tuple[Risk, ...] = ()


def progress(
    structure: TierStructure, standing: Standing, points: MemberPoints, now: datetime, zone: ZoneInfo
) -> Progress:
    """How a member stands among the tiers. Tiers of segments the member is not in are not within reach."""
    tier = structure.tier(standing.tier_id)
    counted = points.balance if structure.basis == "BALANCE" else (*points.earned, 0)[0]
    period = structure.period_at(local_day(now, zone))
    until = None if structure.basis == "BALANCE" or period is None else period.ends(zone)
    above = structure.tiers[structure.rank(standing.tier_id) + 1 :]
    chances = tuple(
        Opportunity(each.id, each.least - counted, until)
        for each in above
        if each.least > counted and (each.segment is None or each.segment in points.segments)
    )
    return Progress(
        points=counted,
        least=None if tier is None else tier.least,
        most=None if tier is None else next((each.least - 1 for each in above[:1]), tier.most),
        opportunities=chances,
        risks=_risks(structure, standing, points, now, zone),
    )


def _risks(
    structure: TierStructure, standing: Standing, points: MemberPoints, now: datetime, zone: ZoneInfo
) -> tuple[Risk, ...]:
    if standing.tier_id is None:
        return ()
    at = now
    for _ in range(MOST_STEPS):
        ruling = tier_at(structure, standing, later(structure, points, now, at, zone), at, zone)
        if ruling.change is not None and ruling.change.event in ("downgraded", "left"):
            left = ruling.change.event == "left"
            if at == now:  # the night sees to it
                at = end_of_day(local_day(now, zone), zone)
            return (Risk("TIER_LEFT" if left else "TIER_DOWNGRADE", at, ruling.change.tier_to),)
        if ruling.recheck_at is None:
            return ()
        standing, at = ruling.standing, ruling.recheck_at
    return ()


def later(
    structure: TierStructure, points: MemberPoints, now: datetime, at: datetime, zone: ZoneInfo
) -> MemberPoints:
    """The points as they will be seen at a later time, if none are earned until then."""
    if structure.basis == "BALANCE":
        return points
    period = structure.period_at(local_day(now, zone))
    earned = points.earned
    for _ in range(len(earned)):
        if period is None or at < period.ends(zone):
            break
        earned = (0, *earned[:-1])
        period = structure.period_at(period.after)
    return replace(points, earned=earned)
