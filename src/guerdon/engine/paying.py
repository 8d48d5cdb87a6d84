"""Cards beside the best deal: what they pay is no discount, so they are taken up after it has been found."""

from msgspec.structs import replace

from guerdon.engine.best_deal import best_deal
from guerdon.engine.decision import Decision, Facts, Outcome
from guerdon.engine.stacking import ranked
from guerdon.engine.walk import left_behind, start, walk


def best_deal_and_cards(facts: Facts) -> Decision:
    """The best deal among what is no card, and after it the cards, in their order, on what is left to pay.

    A card of an exclusive category decides about who else applies, and so belongs to the search.
    """
    everybody = range(len(facts.redeemables))
    cards = [place for place in ranked(facts.redeemables, facts.stacking) if _pays(facts, place)]
    if not cards:
        return best_deal(facts)
    others = [place for place in everybody if not _pays(facts, place)]
    if not others:
        walked = walk(facts, cards)
        return Decision(walked.valid, [walked.outcomes[p] for p in everybody], walked.order, cards)
    deal = best_deal(replace(facts, redeemables=[facts.redeemables[place] for place in others]))
    outcomes = {place: deal.outcomes[index] for index, place in enumerate(others)}
    sequence = [others[index] for index in deal.sequence]
    refused = [outcome.redeemable for outcome in deal.outcomes if outcome.status == "INAPPLICABLE"]
    if refused and facts.stacking.redeemables_application_mode == "ALL":
        for place in cards:
            outcomes[place] = left_behind(facts, facts.redeemables[place], start(facts), refused[0])
        return _decision(False, outcomes, facts, [*sequence, *cards], deal)
    applied = [others[index] for index in deal.applied]
    walked = walk(facts, [*applied, *cards])
    outcomes |= walked.outcomes
    rest = [place for place in sequence if place not in applied]
    decision = _decision(walked.valid, outcomes, facts, [*applied, *cards, *rest], deal)
    decision.order = walked.order
    return decision


def _pays(facts: Facts, place: int) -> bool:
    redeemable = facts.redeemables[place]
    return redeemable.card is not None and facts.stacking.group_of(redeemable.category) != "exclusive"


def _decision(
    valid: bool, outcomes: dict[int, Outcome], facts: Facts, sequence: list[int], deal: Decision
) -> Decision:
    told = [outcomes[place] for place in range(len(facts.redeemables))]
    return Decision(valid, told, facts.order, sequence, deal.certificate)
