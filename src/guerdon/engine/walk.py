"""Redeemables taken up one after the other, each against what those before it left."""

from collections.abc import Sequence

from msgspec import Struct

from guerdon.engine.attempt import Running, attempt, copy_situation, move_on
from guerdon.engine.checks import Redeemable
from guerdon.engine.decision import Facts, Outcome
from guerdon.engine.once import taken_before
from guerdon.engine.order import Order
from guerdon.engine.reasons import Reason
from guerdon.engine.running import close
from guerdon.engine.stacking import Company, Hindrance
from guerdon.engine.telling import beside, so_far_check
from guerdon.engine.trace import Check

NOTHING: frozenset[str] = frozenset()


class Walked(Struct, gc=False):
    """What became of those taken up, by their index; the order at the end, unchanged if not valid."""

    valid: bool
    outcomes: dict[int, Outcome]
    order: Order | None


def walk(facts: Facts, sequence: Sequence[int]) -> Walked:
    """Take up the redeemables of these indices in this order."""
    stacking = facts.stacking
    all_or_none = stacking.redeemables_application_mode == "ALL"
    outcomes: dict[int, Outcome] = {}
    running, company, failed, steps = start(facts), Company(), None, 0
    applied: list[Redeemable] = []
    for index in sequence:
        redeemable = facts.redeemables[index]
        if failed is not None and all_or_none:
            outcomes[index] = left_behind(facts, redeemable, running, failed)
            continue
        if outcomes and (hindrance := company.keeps_out(redeemable, stacking)) is not None:
            outcomes[index] = _kept_out(facts, redeemable, running, hindrance, applied)
            continue
        outcome = outcomes[index] = attempt(facts, redeemable, running)
        if outcome.trace is not None and applied:
            outcome.trace.insert(0, so_far_check(applied, facts.situation.order, running.order))
        if outcome.status == "APPLICABLE":
            company.add(redeemable, stacking)
            applied.append(redeemable)
            move_on(facts, running, outcome)
            if outcome.given is not None:
                steps += 1
        elif outcome.status == "INAPPLICABLE":
            failed = failed or redeemable
    valid = company.count > 0 and (failed is None or not all_or_none)
    order = facts.situation.order
    if valid and order is not None and running.order is not None:
        order = close(order, running.order, steps)
    return Walked(valid, outcomes, order)


def start(facts: Facts) -> Running:
    """What the first redeemable finds."""
    order, taken = facts.situation.order, NOTHING
    if facts.stacking.redeemables_products_application_mode == "ONCE":
        taken = taken_before(order)
    situation = copy_situation(facts.situation)
    situation.initial = order
    return Running(order, False, situation.used, taken, {}, situation)


def left_behind(facts: Facts, redeemable: Redeemable, running: Running, refused: Redeemable) -> Outcome:
    """The outcome of a redeemable that is not needed any more, since another one failed and all have to apply."""
    outcome = Outcome(redeemable, "SKIPPED", Reason.PRECEDING_VALIDATION_FAILED)
    outcome.details = f"{refused.id} was refused, and either all redeemables apply or none"
    if facts.explain:
        seen = {"refused": refused.id}
        check = Check("stacking.redeemables_application_mode", "ALL", seen, "failed")
        passed_over(facts, outcome, running, check)
    return outcome


def _kept_out(
    facts: Facts,
    redeemable: Redeemable,
    running: Running,
    hindrance: Hindrance,
    applied: Sequence[Redeemable],
) -> Outcome:
    """The outcome of a redeemable that the stacking rules leave no room for beside those that apply."""
    outcome = Outcome(redeemable, "SKIPPED", hindrance.reason)
    outcome.details = beside(applied, redeemable, hindrance, facts.stacking)
    if facts.explain:
        check = Check(f"stacking.{hindrance.setting}", hindrance.asked, hindrance.seen, "failed")
        passed_over(facts, outcome, running, check)
    return outcome


def passed_over(facts: Facts, outcome: Outcome, running: Running, check: Check) -> None:
    """Let the trace tell how the redeemable would have fared, and after that what stood in its way."""
    tried = attempt(facts, outcome.redeemable, running)
    outcome.trace, outcome.hint = [*(tried.trace or ()), check], tried.hint
    outcome.steps = tried.steps
