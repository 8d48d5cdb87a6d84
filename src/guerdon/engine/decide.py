"""The one function that decides: facts in, decision out. Validation and redemption are the same call."""

from guerdon.engine.attempt import reckon
from guerdon.engine.checks import Redeemable
from guerdon.engine.decision import Certificate, Decision, Facts, Outcome
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
    if facts.stacking.redeemables_sorting_rule == "BEST_DEAL":
        return best_deal_and_cards(facts)
    sequence = ranked(facts.redeemables, facts.stacking)
    walked = walk(facts, sequence)
    outcomes = [walked.outcomes[index] for index in range(len(sequence))]
    return Decision(walked.valid, outcomes, walked.order, sequence)
