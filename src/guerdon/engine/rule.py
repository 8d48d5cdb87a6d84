"""Rule sets: conditions joined by logic, which items a discount is for, and whether all that holds here and now.

>>> from guerdon.engine.logic import print_logic
>>> rules = {"1": {"name": "order.amount", "conditions": {"$more_than": [5000]}}}
>>> print_logic(parse_rule_set({"rules": rules}).logic)
'1'
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from guerdon.engine.bundle import Bundle
from guerdon.engine.conditions import Condition, Result, Scene, every_condition
from guerdon.engine.conditions_limits import left_of
from guerdon.engine.entries import ItemScope
from guerdon.engine.judging import judged
from guerdon.engine.logic import Key, Logic, blamed, keys_of, print_logic, required
from guerdon.engine.nearest import names_of, nearest
from guerdon.engine.reasons import Reason
from guerdon.engine.rule_parse import Names, names_in, parse_conditions, parse_error, parse_parts
from guerdon.engine.situation import Situation
from guerdon.engine.tally import LIMITS
from guerdon.engine.trace import Check, Trace

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable

__all__ = ["Condition", "Result", "RuleSet", "check_rules", "left_to_give", "parse_rule_set"]

Refusal = tuple[Reason, str | None]
BUDGET = "campaign.orders.amount_discounted"


class RuleSet(Struct, frozen=True, kw_only=True, eq=False):
    """A rule set ready to be asked. Without ``logic`` it has no conditions, and where one is all of it, that is
    ``only``; ``after`` says that it looks at the result of the redemption. ``limits`` are the names of tallies it
    counts, ``segments`` and ``collections`` the ids it asks about, ``asks_customer`` that it cannot be told without
    a customer, ``asks_tiers`` that it asks for the customer's loyalty tiers.
    """

    id: str = ""
    name: str = ""
    error: str | None = None
    conditions: dict[str, Condition] = {}
    logic: Logic | None = None
    only: Condition | None = None
    scope: ItemScope | None = None
    bundle: Bundle | None = None
    after: bool = False
    limits: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    asks_customer: bool = False
    asks_tiers: bool = False
    budgets: tuple[Condition, ...] = ()


def parse_rule_set(raw: Mapping[str, Any], *, id: str = "", name: str = "") -> RuleSet:
    """The rule set of a body as it stands on the wire: `rules`, `error`, `applicable_to`, `bundle_rules`.

    Raises :class:`EngineError` with the path inside the body and the key `invalid_validation_rules`.
    """
    conditions, logic = parse_conditions(raw.get("rules"), "rules")
    scope, bundle = parse_parts(raw)
    named = frozenset(keys_of(logic))
    asked = {key: condition for key, condition in conditions.items() if key in named}
    names: Names = names_in(tuple(every_condition(asked)), raw)
    written = raw.get("name")
    return RuleSet(
        id=id,
        name=name or (written if isinstance(written, str) else ""),
        error=parse_error(raw.get("error"), "error"),
        conditions=conditions,
        logic=logic,
        only=conditions[logic.key] if isinstance(logic, Key) else None,
        scope=scope,
        bundle=bundle,
        after=names.after,
        limits=names.limits,
        segments=names.segments,
        collections=names.collections,
        asks_customer=names.asks_customer,
        asks_tiers=names.asks_tiers,
        budgets=tuple(conditions[key] for key in required(logic) if conditions[key].name == BUDGET),
    )


def check_rules(
    rule_set: RuleSet, redeemable: "Redeemable", situation: Situation, result: Result | None, trace: Trace
) -> Refusal | None:
    """Why the rule set does not hold, with the error text of the rule, of the set, or None; None when it holds.

    With a trace every condition is judged and noted, with it the same outcome as without.
    """
    logic = rule_set.logic
    if logic is None:
        return None
    scene = Scene(redeemable, situation, result)
    if trace is None:
        condition = rule_set.only
        if condition is not None:
            reason = (condition.judged or judged(condition))[0](scene)
            return None if reason is None else (reason, _error(condition, scene) or rule_set.error)
        failed = blamed(logic, _judge(rule_set.conditions, scene))
    else:
        failed = _judge_all(rule_set, logic, scene, trace)
    if failed is None:
        return None
    condition, reason = failed
    return reason, _error(condition, scene) or rule_set.error


def _error(condition: Condition, scene: Scene) -> str | None:
    """The rule's own text, or that of the first nested rule that does not hold either."""
    if condition.error is not None:
        return condition.error
    nested = every_condition(condition.rules)
    return next(
        (sub.error for sub in nested if sub.error is not None and judged(sub)[0](scene) is not None), None
    )


Failed = tuple[Condition, Reason]


def _judge(conditions: Mapping[str, Condition], scene: Scene) -> Callable[[str], Failed | None]:
    def judge(key: str) -> Failed | None:
        condition = conditions[key]
        reason = judged(condition)[0](scene)
        return None if reason is None else (condition, reason)

    return judge


def _judge_all(rule_set: RuleSet, logic: Logic, scene: Scene, trace: list[Check]) -> Failed | None:
    """Judge and note every condition that the logic names, then the logic."""
    verdicts: dict[str, Failed | None] = {}
    hints: dict[str, str | None] = {}
    for key in dict.fromkeys(keys_of(logic)):
        condition, before = rule_set.conditions[key], len(trace)
        reason = _note(rule_set, condition, None, key, scene, trace)
        verdicts[key] = None if reason is None else (condition, reason)
        told = (check.hint for check in trace[before:] if check.outcome == "failed" and check.hint)
        hints[key] = None if reason is None else next(told, None)
    failed = blamed(logic, verdicts.__getitem__)
    if not isinstance(logic, Key):
        held = {key: verdict is None for key, verdict in verdicts.items()}
        asked = {"rule": rule_set.id, "logic": print_logic(logic)}
        hint = None if failed is None else _together(logic, hints)
        trace.append(Check("logic", asked, held, "passed" if failed is None else "failed", hint=hint))
    return failed


def _together(logic: Logic, hints: Mapping[str, str | None]) -> str | None:
    """What would make an expression hold that does not: of all that must hold what lacks, of others any."""
    if isinstance(logic, Key):
        return hints[logic.key]
    parts = dict.fromkeys(hint for part in logic.parts if (hint := _together(part, hints)))
    return (" and " if logic.word == "and" else ", or ").join(parts) or None


def _note(
    rule_set: RuleSet,
    condition: Condition,
    parent: Condition | None,
    place: str,
    scene: Scene,
    trace: list[Check],
) -> Reason | None:
    """Judge a condition and note it, and after it those that are nested in it."""
    fails, look = judged(condition)
    reason, seen = fails(scene), look(scene)
    asked: dict[str, Any] = {"rule": rule_set.id}
    if rule_set.name:
        asked["rule_name"] = rule_set.name
    asked |= {"key": place, **condition.conditions}
    if condition.property is not None:
        asked["property"] = condition.property
    names = names_of(condition, scene)
    if names is not None:
        asked["names"] = names
    hint = nearest(condition, parent, seen, reason, scene)
    trace.append(Check(condition.name, asked, seen, "passed" if reason is None else "failed", hint=hint))
    for key, sub in condition.rules.items():
        _note(rule_set, sub, condition, f"{place}.{key}", scene, trace)
    return reason


def left_to_give(rule_set: RuleSet, redeemable: "Redeemable", situation: Situation) -> int | None:
    """How much discount the set's budget leaves, in minor units; None when it has no budget that must hold."""
    if not rule_set.budgets:
        return None
    scene = Scene(redeemable, situation)
    left = [each for condition in rule_set.budgets if (each := left_of(condition, scene)) is not None]
    return min(left, default=None)


assert BUDGET in LIMITS
