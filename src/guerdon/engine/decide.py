"""The one function that decides: facts in, decision out. Validation and redemption are the same call."""

from msgspec.structs import replace

from guerdon.engine.attempt import reckon
from guerdon.engine.checks import Redeemable
from guerdon.engine.decision import Certificate, Decision, Facts, MarginFloor, Outcome
from guerdon.engine.margin import floor_of
from guerdon.engine.order import Order
from guerdon.engine.paying import best_deal_and_cards
from guerdon.engine.running import Given
from guerdon.engine.stacking import ranked
from guerdon.engine.terms import DailyHours, Terms, ValidityHours, ValidityTimeframe, parse_terms
from guerdon.engine.walk import walk

__all__ = [
    "Certificate",
    "DailyHours",
    "Decision",
    "Facts",
    "Given",
    "Outcome",
    "Redeemable",
    "Terms",
    "ValidityHours",
    "ValidityTimeframe",
    "decide",
    "parse_terms",
    "reckon",
]


def decide(facts: Facts) -> Decision:
    """Which redeemables apply, what each gives, and the order that results. Never changes its arguments."""
    decision = _decided(facts)
    if facts.explain and facts.stacking.margin_floor_percent and facts.order is not None:
        _certify_floor(facts, decision, facts.order, facts.stacking.margin_floor_percent)
    return decision


def _decided(facts: Facts) -> Decision:
    if facts.stacking.redeemables_sorting_rule == "BEST_DEAL":
        return best_deal_and_cards(facts)
    sequence = ranked(facts.redeemables, facts.stacking)
    walked = walk(facts, sequence)
    outcomes = [walked.outcomes[index] for index in range(len(sequence))]
    return Decision(walked.valid, outcomes, walked.order, sequence)


def _certify_floor(facts: Facts, decision: Decision, order: Order, percent: int) -> None:
    """Show the margin floor beside what was taken off; what cards pay is no discount."""
    applied = [decision.outcomes[place] for place in decision.applied] if decision.valid else []
    paid = sum(o.given.total for o in applied if o.given is not None and o.redeemable.card is not None)
    left = ((decision.order or order).total_amount or 0) + paid
    least, worth = floor_of(order, percent), floor_of(order, 100)
    certificate = decision.certificate
    if certificate is None:
        names, off, most = [outcome.redeemable.id for outcome in applied], worth - left, worth - least
        certificate = Certificate("MARGIN_FLOOR", off, most, off == most, 1, names)
    decision.certificate = replace(certificate, margin_floor=MarginFloor(percent, least, left))
