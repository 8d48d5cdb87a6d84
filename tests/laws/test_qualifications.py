"""Laws of rules that are asked in part: leaving conditions out only lets more through, and never asks the others."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine.checks import Redeemable
from guerdon.engine.index import Index
from guerdon.engine.index_access import FAMILIES
from guerdon.engine.logic import keys_of
from guerdon.engine.partial import is_among, partial
from guerdon.engine.rule import Result, RuleSet, check_rules
from guerdon.engine.situation import Situation

from .draw import law
from .test_index import NOON, ZONE, rule_sets, situations

groups = st.frozensets(st.sampled_from(["customer", "order", "items", "redemption"]))


def holds(rule_set: RuleSet, situation: Situation) -> bool:
    result = Result(order=situation.order)
    return check_rules(rule_set, Redeemable(id="r"), situation, result, None) is None


def name_at(rule_set: RuleSet, place: str) -> str:
    """The name of a condition by its key, or of one nested in it by the keys on the way."""
    key, *nested = place.split(".")
    condition = rule_set.conditions[key]
    for each in nested:
        condition = condition.rules[each]
    return condition.name


@law
@given(rule_sets(), situations(), groups)
def test_what_holds_holds_in_part_too(rule_set, situation, asked):
    part, omitted = partial(rule_set, asked)
    assert holds(part, situation) or not holds(rule_set, situation)
    assert all(is_among(rule_set.conditions[key].name, asked) for key in keys_of(part.logic))
    assert all(not is_among(name_at(rule_set, place), asked) for place in omitted)
    assert set(keys_of(part.logic)) | {p.partition(".")[0] for p in omitted} <= set(keys_of(rule_set.logic))
    if asked >= {"customer", "order", "redemption"}:
        assert omitted == [] and holds(part, situation) == holds(rule_set, situation)
    if not asked:
        assert holds(part, Situation(now=NOON, zone=ZONE))


@law
@given(rule_sets(), situations())
def test_what_is_left_out_is_not_looked_at(rule_set, situation):
    part, _ = partial(rule_set, frozenset({"customer"}))
    bare = Situation(now=NOON, zone=ZONE, customer=situation.customer, collections=situation.collections)
    assert holds(part, situation) == holds(part, bare)
    assert part.scope is None and part.bundle is None
    nobody = replace(situation, customer=None)
    part, _ = partial(rule_set, frozenset({"items"}))
    assert holds(part, situation) == holds(part, nobody)
    assert part.scope == rule_set.scope


@law
@given(st.lists(rule_sets(), min_size=1, max_size=5), situations(), groups)
def test_an_index_of_some_groups_misses_nothing_that_holds_in_part(sets, situation, asked):
    index = Index(asked & (FAMILIES | {"items"}))
    for number, rule_set in enumerate(sets):
        index.add(str(number), [rule_set])
    found = set(index.candidates(situation))
    assert {str(n) for n, one in enumerate(sets) if holds(partial(one, asked)[0], situation)} <= found
