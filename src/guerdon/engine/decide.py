"""The one function that decides: facts in, decision out. Validation and redemption are the same call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from guerdon.engine.checks import Redeemable, first_refusal
from guerdon.engine.discount import AmountOff, Discount, FixedAmount, PercentOff, UnitOff, effect_of
from guerdon.engine.effects import Effect, Step, Steps, amount_off, fixed_amount, percent_off
from guerdon.engine.opening import next_opening
from guerdon.engine.order import Catalog, CatalogItem, Order
from guerdon.engine.reasons import Reason
from guerdon.engine.running import Given, close, given_by, step_order
from guerdon.engine.stacking import DEFAULT_STACKING, StackingRules
from guerdon.engine.terms import DailyHours, Terms, ValidityHours, ValidityTimeframe, parse_terms
from guerdon.engine.trace import Check, Trace
from guerdon.engine.units import units_off
from guerdon.engine.window import iso

__all__ = [
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

Status = Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
UTC = ZoneInfo("UTC")


class Facts(Struct, kw_only=True):
    """All that a decision may depend on. ``order`` has been through ``price_order`` or ``resume_order``."""

    redeemables: list[Redeemable]
    now: datetime
    order: Order | None = None
    zone: ZoneInfo = UTC
    stacking: StackingRules = DEFAULT_STACKING
    catalog: Mapping[str, CatalogItem] = field(default_factory=dict)
    explain: bool = False


class Outcome(Struct, gc=False):
    """What became of one redeemable. ``order`` is the running order after it, ``given`` what it took off.

    Both are None when it did not apply or when there was no order. ``details`` says more than the reason,
    ``trace`` and ``steps`` are there only when asked for.
    """

    redeemable: Redeemable
    status: Status
    reason: Reason | None = None
    details: str | None = None
    given: Given | None = None
    order: Order | None = None
    trace: list[Check] | None = None
    steps: list[Step] | None = None


class Decision(Struct, gc=False):
    """``outcomes`` stand as the redeemables do; ``order`` is the final one, unchanged if not valid."""

    valid: bool
    outcomes: list[Outcome]
    order: Order | None


def decide(facts: Facts) -> Decision:
    """Which redeemables apply, what each gives, and the order that results. Never changes its arguments."""
    stacking = facts.stacking
    all_or_none = stacking.redeemables_application_mode == "ALL"
    base = facts.order if stacking.discount_calculation_mode == "INITIAL_AMOUNT" else None
    outcomes: list[Outcome] = []
    orders: list[Order] = []
    running = facts.order
    applied, failed = 0, False
    for redeemable in facts.redeemables:
        if failed and all_or_none:
            outcomes.append(Outcome(redeemable, "SKIPPED", Reason.PRECEDING_VALIDATION_FAILED))
            continue
        if applied >= stacking.applicable_redeemables_limit:
            outcomes.append(Outcome(redeemable, "SKIPPED", Reason.APPLICABLE_LIMIT_EXCEEDED))
            continue
        outcome = _try(redeemable, running, base, facts, orders[-1] if orders else None)
        outcomes.append(outcome)
        if outcome.status == "APPLICABLE":
            applied += 1
            if outcome.order is not None:
                running = outcome.order
                orders.append(running)
        elif outcome.status == "INAPPLICABLE":
            failed = True
    valid = applied > 0 and not (failed and all_or_none)
    if not valid or facts.order is None:
        return Decision(valid, outcomes, facts.order)
    return Decision(valid, outcomes, close(facts.order, orders))


def _try(
    redeemable: Redeemable, running: Order | None, base: Order | None, facts: Facts, previous: Order | None
) -> Outcome:
    """One redeemable against the running order; ``previous`` is that order if a redeemable made it."""
    trace: Trace = [] if facts.explain else None
    steps: Steps = [] if facts.explain else None
    refusal = first_refusal(redeemable, facts.now, facts.zone, trace)
    if refusal is not None:
        reason, details = refusal
        if trace and reason in (Reason.VOUCHER_NOT_ACTIVE, Reason.VOUCHER_NOT_ACTIVE_NOW):
            _note_opening(trace[-1], redeemable, facts)
        return Outcome(redeemable, "INAPPLICABLE", reason, details, trace=trace)
    discount = None if redeemable.terms is None else redeemable.terms.discount
    if running is None or discount is None:
        return Outcome(redeemable, "APPLICABLE", order=running, trace=trace, steps=steps)
    effect = reckon(discount, running, base, facts.catalog, steps)
    if isinstance(effect, Reason):
        if trace is not None:
            trace.append(
                Check("order_has_what_the_discount_needs", effect_of(discount), effect.key, "failed")
            )
        return Outcome(redeemable, "INAPPLICABLE", effect, trace=trace, steps=steps)
    if trace is not None:
        trace.append(Check("order_has_what_the_discount_needs", effect_of(discount), None, "passed"))
    given = given_by(effect)
    if not given.total and not given.added and facts.stacking.redeemables_no_effect_rule == "SKIP":
        return Outcome(redeemable, "SKIPPED", Reason.NO_EFFECT, trace=trace, steps=steps)
    order = step_order(running, effect, given, stale=previous is not None)
    return Outcome(redeemable, "APPLICABLE", given=given, order=order, trace=trace, steps=steps)


def _note_opening(check: Check, redeemable: Redeemable, facts: Facts) -> None:
    opens = None if redeemable.terms is None else next_opening(redeemable.terms, facts.now, facts.zone)
    check.opens_at = None if opens is None else iso(opens)


def reckon(
    discount: Discount, order: Order, base: Order | None, catalog: Catalog, steps: Steps = None
) -> Effect | Reason:
    """What ``discount`` takes off ``order``, or why that cannot be told.

    ``base`` is the order whose amounts a percentage is taken of; None means the running order itself.
    """
    match discount:
        case PercentOff():
            return percent_off(discount, order, base, steps)
        case AmountOff():
            return amount_off(discount, order, steps)
        case FixedAmount():
            return fixed_amount(discount, order, steps)
        case UnitOff():
            return units_off(discount, order, catalog, steps)
        case _:
            assert_never(discount)
