"""Whether an offer qualifies: decided alone, on the order as sent, by the function that validates and redeems."""

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from guerdon.engine import Decision, Facts, Order, Redeemable, decide
from guerdon.engine.partial import names_cart, partial
from guerdon.qualifications.look import Look, Offer
from guerdon.qualifications.scenarios import Scenario


class Verdict(Struct, gc=False):
    """What became of an offer. `omitted` are the keys of conditions that had no say, by the id of their rule set;
    `order` is the one after its discount, None where that was not asked or there is none.
    """

    offer: Offer
    holds: bool
    decision: Decision
    omitted: dict[str, list[str]] = field(default_factory=dict)

    @property
    def order(self) -> Order | None:
        """The order with the discount."""
        return self.decision.order if self.holds else None

    @property
    def off(self) -> int:
        """What it takes off the order, in minor units."""
        order = self.order
        return 0 if order is None else order.total_applied_discount_amount


def judge(at: Look, scenario: Scenario, offer: Offer, *, explain: bool = False) -> Verdict | None:
    """What becomes of an offer that `know` was asked about; None when the scenario is about other things."""
    parts = [part.redeemable for part in offer.parts]
    if scenario.mention:
        one = parts[0]
        discount = None if one.terms is None else one.terms.discount
        if not names_cart(one.rules, discount, at.situation, discounted=scenario.mention == "discount"):
            return None
    if scenario.groups is None:
        decision = decide(_facts(at, parts, explain))
        return Verdict(offer, decision.valid, decision)
    return _in_part(at, scenario.groups, offer, explain)


def _in_part(at: Look, groups: frozenset[str], offer: Offer, explain: bool) -> Verdict:
    """Some rules alone decide; what the discount comes to is told where it comes to anything."""
    whole = offer.parts[0].redeemable
    narrowed, omitted = _narrowed(whole, groups)
    bare = narrowed
    if narrowed.terms is not None:
        bare = replace(narrowed, terms=replace(narrowed.terms, discount=None))
    decision = decide(_facts(at, [bare], explain))
    if decision.valid:
        given = decide(_facts(at, [narrowed], explain))
        if given.valid:
            return Verdict(offer, True, given, omitted)
        decision.order = None
    return Verdict(offer, decision.valid, decision, omitted)


def _narrowed(redeemable: Redeemable, groups: frozenset[str]) -> tuple[Redeemable, dict[str, list[str]]]:
    rules, omitted = [], {}
    for rule_set in redeemable.rules:
        kept, left_out = partial(rule_set, groups)
        rules.append(kept)
        if left_out:
            omitted[rule_set.id] = left_out
    return replace(redeemable, rules=tuple(rules), limits=frozenset()), omitted


def _facts(at: Look, redeemables: Sequence[Redeemable], explain: bool) -> Facts:
    return Facts(
        redeemables=list(redeemables),
        situation=at.situation,
        stacking=at.seen.stacking,
        catalog=at.seen.known,
        explain=explain,
    )
