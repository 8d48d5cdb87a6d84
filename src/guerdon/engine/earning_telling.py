"""What a decision on earning tells of itself: for every rule what was asked, what was seen, and what came of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from guerdon.engine.durations import Span
from guerdon.engine.earning_points import Reckoning
from guerdon.engine.earning_rule import Custom, Fixed, Frequency, Multiply, Proportional
from guerdon.engine.trace import Check, note_check
from guerdon.engine.window import iso


def tell_rest(
    trace: list[Check], cooldown: Span, last: datetime | None, until: datetime | None, now: datetime
) -> None:
    """Whether a rule has rested long enough; ``opens_at`` says until when it rests."""
    rests = until is not None and now < until
    asked = {"months": cooldown.months, "days": cooldown.days, "seconds": cooldown.seconds}
    check = Check(
        "cooldown",
        {name: value for name, value in asked.items() if value},
        {"last_gave_at": None if last is None else iso(last), "now": iso(now)},
        "failed" if rests else "passed",
    )
    if rests and until is not None:
        check.opens_at = iso(until)
    trace.append(check)


def tell_tries(trace: list[Check], frequency: Frequency, tries: int) -> None:
    """Whether the member may set the rule off once more."""
    asked = {"unit": frequency.unit, "at_most": frequency.most}
    note_check(trace, "frequency", asked, tries, tries < frequency.most)


def tell_tier(trace: list[Check], tiers: frozenset[str], tier: str | None) -> None:
    """Whether the member is in one of the tiers."""
    note_check(trace, "tier", sorted(tiers), tier, tier in tiers)


def tell_points(trace: list[Check], gives: Fixed | Proportional, found: Reckoning, points: int) -> None:
    """How the points came about, and how many limits left of them."""
    seen: dict[str, Any] = {}
    if isinstance(gives, Proportional):
        asked: dict[str, Any] = {"for": gives.of, "every": gives.every, "points": plain(gives.points)}
        if gives.property is not None:
            asked["property"] = gives.property
        if gives.items:
            asked["items"] = [entry.id or entry.source_id for entry in gives.items[:20]]
        seen |= {"value": plain(found.value), "times": found.times}
    else:
        asked = {"points": gives.points}
    if gives.formula is not None:
        asked["formula"] = gives.formula
    seen["points_each"] = plain(found.each)
    if isinstance(found.mapped, Multiply):
        seen["tier_multiplier"] = plain(found.mapped.multiplier)
    elif isinstance(found.mapped, Custom):
        seen["tier_points"] = found.mapped.points
    if found.happy is not None:
        seen["happy_hours"] = {"name": found.happy.name, "multiplier": plain(found.happy.multiplier)}
    seen["points"] = found.points
    if points != found.points:
        seen["points_after_limits"] = points
    note_check(trace, "points", asked, seen, points > 0)


def plain(number: int | Decimal | None) -> int | str | None:
    """A number as JSON can hold it exactly.

    >>> plain(Decimal("3.00")), plain(Decimal("0.5"))
    (3, '0.5')
    """
    if not isinstance(number, Decimal):
        return number
    if number == number.to_integral_value():
        return int(number)
    return f"{number.normalize():f}"
