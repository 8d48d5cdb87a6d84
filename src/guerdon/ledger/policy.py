"""Checking a campaign of gift cards against the rules of the place it is sold in. Pure."""

import calendar
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.durations import parse_duration
from guerdon.ledger.policy_rules import PLACES, POLICY_RULES, Rule


class Offer(Struct, frozen=True):
    """What decides about cards' lives: a fixed end for all, or a time that begins when one is given to somebody."""

    expires_at: datetime | None = None
    lasts: str | None = None


class Breach(Struct, frozen=True):
    """A rule that cards do not keep. `surely`: every card; else those that are sold after some day."""

    rule: Rule
    path: str
    says: str
    surely: bool


def known(place: str) -> bool:
    """Whether there are rules for a place, or for the country it is in."""
    return place in PLACES or place.partition("-")[0] in PLACES


def rules_of(place: str, day: date) -> list[Rule]:
    """The rules in force at a place on a day, the country's first."""
    country = place.partition("-")[0]
    return [rule for rule in POLICY_RULES if rule.place in (country, place) and rule.in_force(day)]


def breaches(place: str, offer: Offer, day: date, zone: ZoneInfo) -> list[Breach]:
    """The rules that cards sold from `day` on would not keep."""
    ends = None if offer.expires_at is None else offer.expires_at.astimezone(zone).date()
    if ends is None and offer.lasts is None:
        return []
    path = "expiration_date" if offer.lasts is None else "activity_duration_after_publishing"
    found = []
    for rule in rules_of(place, day):
        if rule.kind == "NO_EXPIRY":
            found.append(Breach(rule, path, "cards may not expire here: leave it out", surely=True))
        elif rule.kind == "MINIMUM_VALIDITY":
            needed = least(rule, day)
            reached = ends if offer.lasts is None else _after(day, offer.lasts)
            assert reached is not None
            if reached < needed:
                says = (
                    f"a card sold on {day} would end on {reached}, but must be valid until {needed} at least"
                )
                found.append(Breach(rule, path, says, surely=True))
            elif offer.lasts is None:
                says = f"cards that are sold later will be too short: all end on {reached}, whenever they are sold"
                found.append(Breach(rule, path, says, surely=False))
    return found


def least(rule: Rule, sold: date) -> date:
    """The day until which a card that was sold on a day must be valid.

    >>> least(Rule(place="", kind="MINIMUM_VALIDITY", says="", source="", since=date.min, months=36), date(2024, 2, 29))
    datetime.date(2027, 2, 28)
    """
    assert rule.months is not None
    start = date(sold.year, 12, 31) if rule.year_end else sold
    return _months_after(start, rule.months)


def cash_out(place: str, balance: int, currency: str, day: date) -> Rule | None:
    """The rule by which a balance must be paid out in cash when its holder asks; None where none does."""
    for rule in rules_of(place, day):
        if rule.kind != "CASH_OUT" or rule.currency != currency or rule.amount is None:
            continue
        if 0 < balance < rule.amount + rule.inclusive:
            return rule
    return None


def _after(day: date, lasts: str) -> date:
    span = parse_duration(lasts)
    moved = _months_after(day, span.months)
    return date.fromordinal(moved.toordinal() + span.days + span.seconds // 86_400)


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
