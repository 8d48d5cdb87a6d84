"""Whether the best deal is one among plain discounts, and if so the question for plain_deal.py."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from guerdon.engine.ceiling import Candidate, room_of
from guerdon.engine.decision import Facts, Outcome
from guerdon.engine.lanes import Lanes, lanes_for
from guerdon.engine.order import Order
from guerdon.engine.plain_deal import Plain
from guerdon.engine.plain_steps import PlainStep, holds_always, plain_step
from guerdon.engine.stacking import Company, StackingRules

MOST_UNITS = 1000
"""Up to which quantity of a line shares of some of its units are reckoned on all lines at once."""


class Question(Struct):
    """``exact`` says that the answer is that of the facts; else it only bounds it, since conditions are left out."""

    plain: Plain
    exact: bool


def question_of(
    facts: Facts, candidates: Sequence[Candidate], alone: Mapping[int, Outcome], work: int
) -> Question | None:
    """The question, from what becomes of everybody on the first order; None where somebody is not plain."""
    order, stacking = facts.order, facts.stacking
    if order is None or order.total_amount is None:
        return None
    amounts = [item.subtotal_amount or 0 for item in order.items or ()]
    lanes = lanes_for(amounts, _largest_quantity(order, alone))
    steps: list[PlainStep] = []
    exact = stacking.redeemables_products_application_mode != "ONCE"
    taken: list[Candidate] = []
    for candidate in candidates:
        outcome, redeemable = alone.get(candidate.place), candidate.redeemable
        if outcome is None or redeemable.terms is None or redeemable.terms.discount is None:
            continue
        given, still = outcome.given, holds_always(redeemable)
        useless = given is None or not (given.total or given.added)
        scoped = any(rule_set.scope is not None for rule_set in redeemable.rules)
        if not candidate.steady or (useless and scoped and not still):
            return None
        step = plain_step(facts, candidate, outcome.chosen, lanes)
        if step is None:
            return None
        if useless and still:
            continue  # Who takes nothing off the first order takes nothing off a smaller one.
        exact = exact and still
        taken.append(candidate)
        steps.append(step)
    exact = exact and not _parted(steps, taken, stacking)
    by_kind = sorted(range(len(steps)), key=lambda index: (steps[index].about == "lines", index))
    plain = Plain(
        [steps[index] for index in by_kind],
        _sets(
            [taken[index] for index in by_kind],
            _idle_pairs([steps[index] for index in by_kind], lanes),
            stacking,
        ),
        order.total_amount,
        room_of(facts, order),
        lanes,
        lanes.packed(amounts),
        work,
    )
    return Question(plain, exact)


def _largest_quantity(order: Order, alone: Mapping[int, Outcome]) -> int:
    """The largest quantity of a line of which a discount is for some units only, for which lanes are to have room."""
    items, largest = order.items or [], 1
    for outcome in alone.values():
        for target in () if outcome.chosen is None else outcome.chosen.targets:
            if not target.all_units:
                largest = max(largest, items[target.line].quantity)
    return largest if largest <= MOST_UNITS else 1


def _parted(steps: Sequence[PlainStep], candidates: Sequence[Candidate], stacking: StackingRules) -> bool:
    """Whether somebody about lines has to go before somebody about the total, whom it may go together with."""
    for step, candidate in zip(steps, candidates, strict=True):
        company = Company().with_(candidate.redeemable, stacking)
        for other, after in zip(steps, candidates, strict=True):
            if step.about == "order" or other.about == "lines" or step.floats or other.floats:
                continue
            if step.rank < other.rank and company.keeps_out(after.redeemable, stacking) is None:
                return True
    return False


def _idle_pairs(steps: Sequence[PlainStep], lanes: Lanes) -> dict[int, int]:
    """By place of one that sets prices, the places (bits) of those beside which it is of no use.

    Another that sets lower prices for the same lines does as much without it: put first, it leaves no line above what
    both would leave, and every later step leaves less of less.
    """
    idle: dict[int, int] = {}
    if len({step.rank for step in steps}) > 1:
        return idle
    for place, step in enumerate(steps):
        for other, lower in enumerate(steps):
            if step.prices is None or lower.prices is None or other == place:
                continue
            same = step.prices == lower.prices
            if lanes.least(step.prices, lower.prices) == lower.prices and (not same or other < place):
                idle[place] = idle.get(place, 0) | 1 << other
    return idle


def _sets(candidates: Sequence[Candidate], idle: Mapping[int, int], stacking: StackingRules) -> list[int]:
    """All sets of candidates that may go together, by bits, without those where one is ``idle`` beside another."""
    by_rank = sorted(range(len(candidates)), key=lambda place: candidates[place].rank)
    unfit = {place: idle.get(place, 0) for place in by_rank}
    for place, others in idle.items():
        for other in by_rank:
            if others >> other & 1:
                unfit[other] |= 1 << place
    sets: list[int] = []

    def grow(mask: int, start: int, company: Company) -> None:
        sets.append(mask)
        for index in range(start, len(by_rank)):
            place = by_rank[index]
            redeemable = candidates[place].redeemable
            if not unfit[place] & mask and company.keeps_out(redeemable, stacking) is None:
                grow(mask | 1 << place, index + 1, company.with_(redeemable, stacking))

    grow(0, 0, Company())
    return sets
