"""Formulas that come to the same on every running order, worked out once for the search of the best deal."""

from msgspec.structs import replace

from guerdon.engine.checks import Redeemable
from guerdon.engine.decision import Facts
from guerdon.engine.discount import UnitOff
from guerdon.engine.formed import formed, names_asked

SETTLED = frozenset(
    {
        "ORDER_AMOUNT",
        "ORDER_ITEMS_QUANTITY",
        "ORDER_UNITS_QUANTITY",
        "VOUCHER_REDEMPTION_QUANTITY",
        "VOUCHER_REDEEMED_QUANTITY",
        "VOUCHER_PUBLISH_COUNT",
        "VOUCHER_START_DATE",
        "VOUCHER_EXPIRATION_DATE",
        "PROMOTION_TIER_START_DATE",
        "PROMOTION_TIER_EXPIRATION_DATE",
        "CUSTOMER_BIRTHDATE",
        "TODAY",
        "NOW",
        "ORDER_METADATA",
        "CUSTOMER_METADATA",
        "REDEMPTION_METADATA",
        "PUBLICATION_METADATA",
        "REDEEMABLE_METADATA",
        "VOUCHER_METADATA",
        "PROMOTION_TIER_METADATA",
    }
)
"""What formulas may look at that discounts without free units leave alone: amounts here are those before discounts."""


def settled(facts: Facts) -> Facts:
    """The facts with plain values for such formulas; the same facts when there are none, or when units may be added."""
    discounts = [redeemable.terms and redeemable.terms.discount for redeemable in facts.redeemables]
    if any(isinstance(discount, UnitOff) for discount in discounts):
        return facts
    if not any(discount is not None and discount.is_dynamic for discount in discounts):
        return facts
    return replace(facts, redeemables=[_plain(facts, redeemable) for redeemable in facts.redeemables])


def _plain(facts: Facts, redeemable: Redeemable) -> Redeemable:
    terms = redeemable.terms
    if terms is None or terms.discount is None or not terms.discount.is_dynamic:
        return redeemable
    names = names_asked(terms.discount)
    bundled = any(rule_set.bundle is not None for rule_set in redeemable.rules)
    if bundled or not names <= SETTLED:
        return redeemable
    plain = formed(terms.discount, facts.situation, redeemable)
    return replace(redeemable, terms=replace(terms, discount=plain))
