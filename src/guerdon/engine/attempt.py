"""One redeemable against the order as it stands: the steps from its dates to what it takes off."""

from collections.abc import Callable, Mapping
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.bundle import count as count_bundles
from guerdon.engine.checks import Redeemable, first_refusal
from guerdon.engine.decision import Facts, Outcome
from guerdon.engine.discount import AMOUNT_EFFECTS, AmountOff, Discount, FixedAmount, PercentOff, UnitOff
from guerdon.engine.effects import (
    Effect,
    Steps,
    amount_off,
    effect_in_force,
    fixed_amount,
    percent_off,
    scales_units,
)
from guerdon.engine.formed import formed
from guerdon.engine.margin import cut, floor_of
from guerdon.engine.nearest import money
from guerdon.engine.once import free_lines, name_of, names_touched
from guerdon.engine.opening import next_opening
from guerdon.engine.order import Catalog, Order
from guerdon.engine.reasons import Reason
from guerdon.engine.rule import Result, check_rules, left_to_give
from guerdon.engine.running import given_by, step_order
from guerdon.engine.scope import Chosen, Target, choose
from guerdon.engine.situation import Situation
from guerdon.engine.tally import takes_of
from guerdon.engine.telling import ITEMS, bundle_check, floored, items_check, items_refusal
from guerdon.engine.trace import Check
from guerdon.engine.units import units_off
from guerdon.engine.window import iso

copy_situation: Callable[[Situation], Situation] = Situation.__copy__  # pyright: ignore


class Running(Struct, frozen=True, gc=False):
    """What those before left: the order, whether a redeemable of this request made it, what is used of tallies,
    the products that have had their discount (see ``redeemables_products_application_mode``), and the tallies that
    have the order's value, which counts once.
    """

    order: Order | None
    stale: bool
    used: Mapping[str, int]
    taken: frozenset[str] = frozenset()
    valued: Mapping[str, int] = {}


class _Attempt(Struct, gc=False):
    """One outcome in the making, and what it is made from."""

    facts: Facts
    redeemable: Redeemable
    running: Running
    outcome: Outcome
    situation: Situation
    judged: int = 0
    """How much of the trace is about things that were found to hold."""

    def refuse(self, reason: Reason, details: str | None = None, message: str | None = None) -> Outcome:
        """The redeemable does not apply."""
        outcome = self.outcome
        outcome.status, outcome.reason = "INAPPLICABLE", reason
        outcome.details, outcome.message = details, message
        if outcome.trace:
            outcome.hint = _nearest(outcome.trace[self.judged :])
        return outcome

    def skip(self, reason: Reason, details: str | None, check: Check) -> Outcome:
        """The redeemable is passed over, though nothing is wrong with it."""
        self.outcome.status, self.outcome.reason, self.outcome.details = "SKIPPED", reason, details
        if self.outcome.trace is not None:
            self.outcome.trace.append(check)
        return self.outcome


def _nearest(checks: list[Check]) -> str | None:
    """The change that would help, of the checks made last: of their logic, or of the first that failed."""
    if checks[-1].check == "logic":
        return checks[-1].hint
    failed = [check for check in checks if check.outcome == "failed"]
    hints = (check.hint or (check.opens_at and f"opens {check.opens_at}") for check in failed)
    return next((hint for hint in hints if hint), None)


def attempt(facts: Facts, redeemable: Redeemable, running: Running, checked: bool = False) -> Outcome:
    """What becomes of ``redeemable`` on the running order, whoever else there may be.

    ``checked`` says that it is known to exist, to be switched on, within its dates and not used up.
    """
    outcome, situation = Outcome(redeemable, "APPLICABLE"), facts.situation
    if facts.explain:
        outcome.trace, outcome.steps = [], []
    one = _Attempt(facts, redeemable, running, outcome, situation)
    if not checked:
        refusal = first_refusal(redeemable, situation.now, situation.zone, outcome.trace)
        if refusal is not None:
            _note_opening(one, refusal[0])
            return one.refuse(*refusal)
    order = running.order
    discount = None if redeemable.terms is None else redeemable.terms.discount
    if redeemable.rules or (discount is not None and discount.is_dynamic):
        one.situation = _now(facts, running)
        if (refused := _rules(one, None)) is not None:
            return refused
    if order is None or discount is None:
        outcome.order = order
        return _end(one)
    effect = _effect(one, discount, order)
    if isinstance(effect, Outcome):
        return effect
    return _take(one, order, effect)


def _now(facts: Facts, running: Running) -> Situation:
    """The situation as those before left it."""
    situation = copy_situation(facts.situation)
    situation.order, situation.initial, situation.used = running.order, facts.situation.order, running.used
    situation.valued = running.valued
    return situation


def unconditional(facts: Facts, redeemable: Redeemable, running: Running) -> int:
    """What ``redeemable`` would take off, in minor units, if no condition and no limit stood in its way."""
    one = _Attempt(facts, redeemable, running, Outcome(redeemable, "APPLICABLE"), _now(facts, running))
    discount = None if redeemable.terms is None else redeemable.terms.discount
    if discount is None or running.order is None:
        return 0
    effect = _effect(one, discount, running.order)
    return given_by(effect).total if isinstance(effect, Effect) else 0


def _take(one: _Attempt, order: Order, effect: Effect) -> Outcome:
    """Cut the effect to what may be given, and apply it."""
    outcome, facts, running = one.outcome, one.facts, one.running
    capped = _capped(one, order, effect)
    if isinstance(capped, Outcome):
        return capped
    given = given_by(capped)
    if not given.total and not given.added and facts.stacking.skips_no_effect(one.redeemable.category):
        return one.skip(
            Reason.NO_EFFECT, None, Check("stacking.redeemables_no_effect_rule", "SKIP", 0, "failed")
        )
    outcome.given = given
    outcome.order = step_order(order, capped, given, stale=running.stale)
    return _end(one) if one.redeemable.rules or one.redeemable.limits else outcome


def _end(one: _Attempt) -> Outcome:
    """The rules that look at the result, and what the redemption uses."""
    outcome, redeemable = one.outcome, one.redeemable
    off = 0 if outcome.given is None else outcome.given.total
    if redeemable.rules and (refused := _rules(one, off)) is not None:
        outcome.order = outcome.given = None
        return refused
    chosen = outcome.chosen
    if redeemable.limits or (chosen is not None and chosen.units):
        first = one.facts.situation.order
        amount = 0 if first is None else first.amount or 0
        units = None if chosen is None else chosen.units
        valued = one.running.valued
        outcome.takes = takes_of(
            redeemable, one.situation, order_amount=amount, off=off, units=units, valued=valued
        )
    return outcome


def _rules(one: _Attempt, off: int | None) -> Outcome | None:
    """The refusal of the first rule set that does not hold; ``off`` is None before the discount is known."""
    after = off is not None
    result = Result(order=one.outcome.order, off=off) if off is not None else None
    for rule_set in one.redeemable.rules:
        if rule_set.after is not after:
            continue
        one.judged = len(one.outcome.trace or ())
        refusal = check_rules(rule_set, one.redeemable, one.situation, result, one.outcome.trace)
        if refusal is not None:
            reason, message = refusal
            return one.refuse(reason, message, message)
    return None


def _effect(one: _Attempt, discount: Discount, order: Order) -> Effect | Outcome:
    """What the discount takes off the lines it is meant for, as often as its bundle is there."""
    outcome, facts = one.outcome, one.facts
    chosen, bundles, found = None, 1, None
    if one.redeemable.rules and _about_lines(one.redeemable):
        one.judged = len(outcome.trace or ())
        found = _bundles(one, order)
        if found == 0:
            return one.refuse(Reason.ORDER_RULES_VIOLATED, "The order does not hold a whole bundle")
        chosen = outcome.chosen = _choose(one, discount, order, found)
        bundles = found or 1
    if discount.is_dynamic:
        if discount.effect is None and effect_in_force(discount, chosen) == "APPLY_TO_ITEMS":
            discount = replace(discount, effect="APPLY_TO_ITEMS")  # formulas may look at single lines then
        discount = formed(discount, one.situation, one.redeemable, outcome.steps, found)
    taken = one.running.taken
    if taken and effect_in_force(discount, chosen) in ITEM_EFFECTS:
        narrowed = _narrowed(chosen, order, taken)
        if not narrowed.targets and (order.items if chosen is None else chosen.targets):
            return Effect()
        chosen = narrowed
    base = facts.situation.order if facts.stacking.of_initial(one.redeemable.category) else None
    effect = reckon(discount, order, base, facts.catalog, outcome.steps, chosen, bundles)
    trace = outcome.trace
    if isinstance(effect, Reason):
        if trace is not None and not (trace and trace[-1].check == ITEMS and trace[-1].outcome == "failed"):
            trace.append(Check(NEEDS, effect_in_force(discount, chosen), effect.key, "failed"))
        return one.refuse(effect, items_refusal(chosen))
    if trace is not None:
        trace.append(Check(NEEDS, effect_in_force(discount, chosen), None, "passed"))
    if taken and names_touched(order, effect) & taken:
        return Effect()
    return effect


def _about_lines(redeemable: Redeemable) -> bool:
    """Whether rules say for which lines, or how often, the discount is."""
    for rule_set in redeemable.rules:  # noqa: SIM110 - a generator costs as much as the rest of a plain attempt
        if rule_set.scope is not None or rule_set.bundle is not None:
            return True
    return False


NEEDS = "order_has_what_the_discount_needs"


ITEM_EFFECTS = frozenset(AMOUNT_EFFECTS) - {"APPLY_TO_ORDER"}


def _bundles(one: _Attempt, order: Order) -> int | None:
    """How many whole bundles the order holds; None when none is asked for."""
    count = None
    for rule_set in one.redeemable.rules:
        if rule_set.bundle is not None:
            found = count_bundles(rule_set.bundle, order, one.situation)
            one.outcome.bundle = found.answer
            if one.outcome.trace is not None:
                one.outcome.trace.append(bundle_check(found, one.situation))
            count = found.quantity if count is None else min(count, found.quantity)
    return count


def _choose(one: _Attempt, discount: Discount, order: Order, bundles: int | None) -> Chosen | None:
    """The lines that the scopes of its rules leave; None when they say nothing of lines."""
    scopes = [rule_set.scope for rule_set in one.redeemable.rules if rule_set.scope is not None]
    scaled = bundles is not None and scales_units(discount, any(scope.lists_items for scope in scopes))
    if not scopes and not scaled:
        return None
    chosen = choose(scopes, order, one.situation, one.redeemable, bundles if scaled else None)
    if one.outcome.trace is not None and any(scope.lists_items for scope in scopes):
        one.outcome.trace.append(items_check(scopes, chosen, one.situation, one.redeemable))
    return chosen


def _narrowed(chosen: Chosen | None, order: Order, taken: frozenset[str]) -> Chosen:
    """The lines chosen, without those whose product has had its discount."""
    free = free_lines(order, taken)
    if chosen is not None:
        kept = set(free)
        return replace(chosen, targets=[target for target in chosen.targets if target.line in kept])
    items = order.items or ()
    return Chosen(targets=[Target(line, items[line].quantity) for line in free], items=items)


def _capped(one: _Attempt, order: Order, effect: Effect) -> Effect | Outcome:
    """The effect within what is left of budgets and above the margin floor."""
    facts, steps, percent = one.facts, one.outcome.steps, one.facts.stacking.margin_floor_percent
    partial = one.redeemable.rules and one.redeemable.limit_policy == "PARTIAL"
    if not percent and not partial:
        return effect
    off = given_by(effect).total
    left = _left_to_give(one) if partial else None
    if left is not None and off > left:
        within = cut(effect, left, "budget", steps) if left > 0 else None
        if within is None:
            if one.outcome.trace is not None:
                hint = f"{money(left, facts.situation.exponent)} of the budget left"
                one.outcome.trace.append(Check("budget_left", off, left, "failed", hint=hint))
            return one.refuse(Reason.REDEMPTION_RULES_VIOLATED, "What is left of the budget does not suffice")
        effect, off = within, left
    first = facts.situation.order
    if not percent or first is None or order.total_amount is None or not off:
        return effect
    room = max(0, order.total_amount - floor_of(first, percent))
    added = sum(amount for _, _, amount in effect.added or ())
    if off - added <= room:
        return effect
    within = cut(effect, room, "margin_floor", steps) if room else None
    if within is not None:
        return within
    told = floored(first, order, percent, floor_of(first, percent), facts.situation.exponent)
    return one.skip(Reason.MARGIN_FLOOR_REACHED, *told)


def _left_to_give(one: _Attempt) -> int | None:
    lefts = [left_to_give(rule_set, one.redeemable, one.situation) for rule_set in one.redeemable.rules]
    known = [left for left in lefts if left is not None]
    return min(known) if known else None


def _note_opening(one: _Attempt, reason: Reason) -> None:
    trace, redeemable, facts = one.outcome.trace, one.redeemable, one.facts
    if trace and reason in SHUT and redeemable.terms is not None:
        opens = next_opening(redeemable.terms, facts.situation.now, facts.situation.zone)
        trace[-1].opens_at = None if opens is None else iso(opens)


SHUT = (
    Reason.VOUCHER_NOT_ACTIVE,
    Reason.VOUCHER_NOT_ACTIVE_NOW,
    Reason.PROMOTION_NOT_STARTED,
    Reason.PROMOTION_NOT_ACTIVE_NOW,
)


def onward(facts: Facts, running: Running, outcome: Outcome) -> Running:
    """What the next redeemable finds after one that applied."""
    used, valued = running.used, running.valued
    if outcome.takes:
        used = dict(used)
        for key, taken in outcome.takes.items():
            used[key] = used.get(key, 0) + taken
            if key.split("|", 2)[1] == "orders" and key not in valued:
                valued = {**valued, key: taken}
    taken, given, order = running.taken, outcome.given, outcome.order
    if given is not None and facts.stacking.redeemables_products_application_mode == "ONCE" and order:
        items = order.items or ()
        touched = {index for index, _ in given.line_discounts} | {index for index, _, _ in given.added}
        taken = taken | {name_of(items[index], index) for index in touched}
    return Running(order, running.stale or given is not None, used, taken, valued)


def reckon(
    discount: Discount,
    order: Order,
    base: Order | None,
    catalog: Catalog,
    steps: Steps = None,
    chosen: Chosen | None = None,
    bundles: int = 1,
) -> Effect | Reason:
    """What ``discount`` takes off ``order``, or why that cannot be told.

    ``base`` is the order whose amounts a percentage is taken of; None means the running order itself. ``chosen``
    are the lines it is meant for, None all of them; ``bundles`` how often it is given.
    """
    match discount:
        case PercentOff():
            return percent_off(discount, order, base, steps, chosen, bundles)
        case AmountOff():
            return amount_off(discount, order, steps, chosen, bundles)
        case FixedAmount():
            return fixed_amount(discount, order, steps, chosen, bundles)
        case UnitOff():
            return units_off(discount, order, catalog, steps, chosen, bundles)
        case _:
            assert_never(discount)
