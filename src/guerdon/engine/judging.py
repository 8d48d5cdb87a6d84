"""From a condition, which is data, to the functions that judge it; made when it is first asked, and kept.

Of a hundred thousand rule sets in memory few are ever asked: what nobody asks costs no more than its data.
"""

from collections.abc import Callable, Mapping

from guerdon.engine import conditions, conditions_items, conditions_limits
from guerdon.engine.conditions import Condition, Fact, Fails, Judged, Scene, compile_fact
from guerdon.engine.conditions_items import (
    Lines,
    Sieve,
    compile_count,
    compile_lines,
    compile_sub,
    joined_sieve,
    picker_of,
    quantifier_of,
    sieve_of,
)
from guerdon.engine.conditions_limits import compile_limit
from guerdon.engine.logic import blamed
from guerdon.engine.reasons import Reason
from guerdon.engine.tally import LIMITS

Above = Callable[[Scene], Lines | Reason]

NAMES: Mapping[str, Fact] = conditions.FACTS | conditions_items.FACTS | conditions_limits.FACTS
"""Every name a rule may have."""


def judged(condition: Condition) -> Judged:
    """The functions that judge and show a condition."""
    known = condition.judged
    if known is None:
        known = condition.judged = _compile(condition)
    return known


def _compile(condition: Condition) -> Judged:
    fact = NAMES[condition.name]
    if fact.name == "order.items.count":
        return compile_count(fact, condition.conditions, _nested(condition))
    if fact.name in conditions_items.FACTS:
        return _compile_items(fact, condition)
    if fact.name in LIMITS:
        return compile_limit(fact, condition.conditions, _nested(condition))
    return compile_fact(fact, condition.property, condition.conditions, _nested(condition))


def _nested(condition: Condition) -> Fails | None:
    if condition.logic is None:
        return None
    tree, rules = condition.logic, condition.rules
    return lambda scene: blamed(tree, lambda key: judged(rules[key])[0](scene))


def _compile_items(fact: Fact, condition: Condition) -> Judged:
    """A rule on lines. One that asks of lines itself, such as `product.metadata`, picks those that pass it."""
    operators, property = condition.conditions, condition.property
    picker = picker_of(fact.name, operators if fact.quantifier else {})
    own = None if fact.quantifier or not operators else sieve_of(fact, property, operators)
    above = picker.picked if own is None else _sifted(picker.picked, own)
    sieve = _compile_subs(condition, above)
    if own is not None:
        sieve = _then(own, sieve)
    quantifier = quantifier_of(fact.name, operators, condition.rules)
    return compile_lines(fact, property, picker, sieve, quantifier)


def _compile_subs(condition: Condition, above: Above) -> Sieve | None:
    """The sub-rules on lines as one sieve; each is given its functions, over the lines from above, for the trace."""
    sieves: dict[str, Sieve] = {}
    for key, sub in condition.rules.items():
        fact = NAMES[sub.name]
        own = sieve_of(fact, sub.property, sub.conditions)
        sieves[key] = whole = _then(own, _compile_subs(sub, _sifted(above, own)))
        sub.judged = compile_sub(fact, sub.property, above, whole)
    return None if condition.logic is None else joined_sieve(condition.logic, sieves)


def _then(first: Sieve, second: Sieve | None) -> Sieve:
    return first if second is None else lambda scene, lines: second(scene, first(scene, lines))


def _sifted(above: Above, sieve: Sieve) -> Above:
    def lines(scene: Scene) -> Lines | Reason:
        given = above(scene)
        return sieve(scene, given) if isinstance(given, list) else given

    return lines
