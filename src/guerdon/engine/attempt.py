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
from guerdon.engine.opening import next_opening, told_opening
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


class Running(Struct, gc=False):
    """What those before left: the order, how it came about, what is used of tallies,
    the products that have had their discount (see ``redeemables_products_application_mode``), and the tallies that
    have the order's value, which counts once. ``stale`` says that the lines show what was applied before.
    ``situation`` is one for the whole request, which each attempt brings up to date for itself: nobody keeps it.
    ``paid`` is what cards have paid, which is no discount.
    """

    order: Order | None
    stale: bool
    used: Mapping[str, int]
    taken: frozenset[str]
    valued: Mapping[str, int]
    situation: Situation
    paid: int = 0


copy_running: Callable[[Running], Running] = Running.__copy__  # pyright: ignore


class _Attempt(Struct, gc=False):
    """One outcome in the making, and what it is made from."""

    facts: Facts
    redeemable: Redeemable
    running: Running
    outcome: Outcome
    situation: Situation
    judged: int = 0
    """How much of the trace is about things that were found to hold."""
    looks_after: bool = False
    """Whether a rule set looks at the result."""
    about_lines: bool = False
    """Whether rules say for which lines, or how often, the discount is."""

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
    return next((check.hint for check in checks if check.outcome == "failed" and check.hint), None)


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
    order, terms = running.order, redeemable.terms
    discount = None if terms is None else terms.discount
    if redeemable.rules or (discount is not None and discount.is_dynamic):
        one.situation = _now(running)
        if (refused := _rules(one, None)) is not None:
            return refused
    if order is None or discount is None:
        outcome.order = order
        return _end(one)
    effect = _effect(one, discount, order)
    # Asked for what it mostly is: an isinstance that says no costs five times as much.
    return _take(one, order, effect) if isinstance(effect, Effect) else effect


def _now(running: Running) -> Situation:
    """The situation as those before left it."""
    situation = running.situation
    situation.order, situation.used, situation.valued = running.order, running.used, running.valued
    return situation


def unconditional(facts: Facts, redeemable: Redeemable, running: Running) -> int:
    """What ``redeemable`` would take off, in minor units, if no condition and no limit stood in its way."""
    one = _Attempt(facts, redeemable, running, Outcome(redeemable, "APPLICABLE"), _now(running))
    one.about_lines = any(rule_set.scope or rule_set.bundle for rule_set in redeemable.rules)
    discount = None if redeemable.terms is None else redeemable.terms.discount
    if discount is None or running.order is None:
        return 0
    effect = _effect(one, discount, running.order)
    return given_by(effect).total if isinstance(effect, Effect) else 0


def _take(one: _Attempt, order: Order, effect: Effect) -> Outcome:
    """Cut the effect to what may be given, and apply it."""
    outcome, redeemable, stacking = one.outcome, one.redeemable, one.facts.stacking
    if stacking.margin_floor_percent or (redeemable.rules and redeemable.limit_policy == "PARTIAL"):
        capped = _capped(one, order, effect)
        if isinstance(capped, Outcome):
            return capped
        effect = capped
    given = given_by(effect)
    if not given.total and not given.added and stacking.skips_no_effect(redeemable.category):
        return one.skip(
            Reason.NO_EFFECT, None, Check("stacking.redeemables_no_effect_rule", "SKIP", 0, "failed")
        )
    outcome.given = given
    outcome.order = step_order(order, effect, given, one.running.stale)
    if one.looks_after or redeemable.limits or outcome.chosen is not None:
        return _end(one)
    return outcome


def _end(one: _Attempt) -> Outcome:
    """The rules that look at the result, and what the redemption uses."""
    outcome, redeemable, chosen = one.outcome, one.redeemable, one.outcome.chosen
    off = 0 if outcome.given is None else outcome.given.total
    if one.looks_after and (refused := _rules(one, off)) is not None:
        outcome.order = outcome.given = None
        return refused
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
    redeemable, situation, trace = one.redeemable, one.situation, one.outcome.trace
    result = Result(one.outcome.order, off) if off is not None else None
    for rule_set in redeemable.rules:
        if rule_set.scope is not None or rule_set.bundle is not None:
            one.about_lines = True
        if rule_set.after is not after:
            one.looks_after = True
            continue
        if trace is not None:
            one.judged = len(trace)
        refusal = check_rules(rule_set, redeemable, situation, result, trace)
        if refusal is not None:
            reason, message = refusal
            return one.refuse(reason, message, message)
    return None


def _effect(one: _Attempt, discount: Discount, order: Order) -> Effect | Outcome:
    """What the discount takes off the lines it is meant for, as often as its bundle is there."""
    outcome, facts = one.outcome, one.facts
    chosen, bundles, found = None, 1, None
    if one.about_lines:
        one.judged = len(outcome.trace or ())
        found, times = _bundles(one, order)
        if found == 0:
            return one.refuse(Reason.ORDER_RULES_VIOLATED, "The order does not hold a whole bundle")
        chosen = outcome.chosen = _choose(one, discount, order, found, times)
        bundles = times or 1
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
    base = None
    if type(discount) is PercentOff and facts.stacking.of_initial(one.redeemable.category):
        base = facts.situation.order
    effect = reckon(discount, order, base, facts.catalog, outcome.steps, chosen, bundles)
    trace = outcome.trace
    if not isinstance(effect, Effect):
        if trace is not None and not (trace and trace[-1].check == ITEMS and trace[-1].outcome == "failed"):
            trace.append(Check(NEEDS, effect_in_force(discount, chosen), effect.key, "failed"))
        return one.refuse(effect, items_refusal(chosen))
    if trace is not None:
        trace.append(Check(NEEDS, effect_in_force(discount, chosen), None, "passed"))
    if taken and names_touched(order, effect) & taken:
        return Effect()
    return effect


NEEDS = "order_has_what_the_discount_needs"


ITEM_EFFECTS = frozenset(AMOUNT_EFFECTS) - {"APPLY_TO_ORDER"} | {"REPLACE_ITEMS"}


def _bundles(one: _Attempt, order: Order) -> tuple[int | None, int | None]:
    """How many whole bundles the order holds, and how often they give the discount; None when none is asked for."""
    count = times = None
    for rule_set in one.redeemable.rules:
        if rule_set.bundle is not None:
            found = count_bundles(rule_set.bundle, order, one.situation)
            one.outcome.bundle = found.answer
            if one.outcome.trace is not None:
                one.outcome.trace.append(bundle_check(found, one.situation))
            often = found.quantity if rule_set.bundle.multiplies else min(1, found.quantity)
            count = found.quantity if count is None else min(count, found.quantity)
            times = often if times is None else min(times, often)
    return count, times


def _choose(
    one: _Attempt, discount: Discount, order: Order, bundles: int | None, times: int | None
) -> Chosen | None:
    """The lines that the scopes of its rules leave; None when they say nothing of lines."""
    scopes = [rule_set.scope for rule_set in one.redeemable.rules if rule_set.scope is not None]
    scaled = times is not None and scales_units(discount, any(scope.lists_items for scope in scopes))
    if not scopes and not scaled:
        return None
    chosen = choose(scopes, order, one.situation, one.redeemable, times if scaled else None, bundles)
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
    if not percent or first is None or order.total_amount is None or not (off or effect.added):
        return effect
    if one.redeemable.card is not None:
        return effect
    room = max(0, order.total_amount + one.running.paid - floor_of(first, percent))
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
        now, zone = facts.situation.now, facts.situation.zone
        opens = next_opening(redeemable.terms, now, zone)
        if opens is not None:
            trace[-1].opens_at, trace[-1].hint = iso(opens), told_opening(opens, now, zone)


SHUT = (
    Reason.VOUCHER_NOT_ACTIVE,
    Reason.VOUCHER_NOT_ACTIVE_NOW,
    Reason.PROMOTION_NOT_STARTED,
    Reason.PROMOTION_NOT_ACTIVE_NOW,
)


def onward(facts: Facts, running: Running, outcome: Outcome) -> Running:
    """What the next redeemable finds after one that applied; ``running`` stays as it is."""
    further = copy_running(running)
    move_on(facts, further, outcome)
    return further


def move_on(facts: Facts, running: Running, outcome: Outcome) -> None:
    """Make of what one redeemable found what the next one finds, in place."""
    before, order, given = running.order, outcome.order, outcome.given
    running.order = order
    if outcome.redeemable.card is not None and given is not None:
        running.paid += given.total
    if outcome.takes:
        _use(running, outcome.takes)
    if given is None or order is None or before is None:
        return
    # A step that changes no line leaves the list as it is, once no line shows what was applied before.
    running.stale = order.items is not before.items
    if facts.stacking.redeemables_products_application_mode == "ONCE":
        items = order.items or ()
        touched = {index for index, _ in given.line_discounts} | {index for index, _, _ in given.added}
        running.taken = running.taken | {name_of(items[index], index) for index in touched}


def _use(running: Running, takes: Mapping[str, int]) -> None:
    """Count what a redemption takes of tallies; the order's value counts once in each."""
    used, valued = dict(running.used), running.valued
    for key, taken in takes.items():
        used[key] = used.get(key, 0) + taken
        if key.split("|", 2)[1] == "orders" and key not in valued:
            valued = {**valued, key: taken}
    running.used, running.valued = used, valued


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
    if type(discount) is AmountOff:
        return amount_off(discount, order, steps, chosen, bundles)
    if type(discount) is PercentOff:
        return percent_off(discount, order, base, steps, chosen, bundles)
    if type(discount) is FixedAmount:
        return fixed_amount(discount, order, steps, chosen, bundles)
    if type(discount) is UnitOff:
        return units_off(discount, order, catalog, steps, chosen, bundles)
    assert_never(discount)
