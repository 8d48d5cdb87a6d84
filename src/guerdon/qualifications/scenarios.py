"""The scenarios: what is looked through, and which rules have a say."""

from typing import Literal

from msgspec import Struct

from guerdon.engine.index_access import FAMILIES

Mention = Literal["", "any", "discount"]


class Scenario(Struct, frozen=True, kw_only=True):
    """What a qualification looks through, and how.

    campaigns: those of bulk codes, each listed as a whole. groups: the conditions that are asked; None all of them, and the discount has to come about. mention: what is
    listed has to name something in the cart, in its conditions or in what its discount is for.
    """

    tiers: bool = True
    standalone: bool = True
    own: bool = True
    stacks: bool = False
    campaigns: bool = False
    groups: frozenset[str] | None = None
    mention: Mention = ""

    @property
    def families(self) -> frozenset[str]:
        """What the index goes by."""
        return FAMILIES if self.groups is None else self.groups


_ITEMS = frozenset({"items"})
_BY_CUSTOMER = frozenset({"items", "customer"})

SCENARIOS: dict[str, Scenario] = {
    "ALL": Scenario(),
    "CUSTOMER_WALLET": Scenario(tiers=False, standalone=False),
    "AUDIENCE_ONLY": Scenario(groups=frozenset({"customer"}), campaigns=True),
    "PRODUCTS": Scenario(groups=_ITEMS, mention="any", own=False, campaigns=True),
    "PRODUCTS_DISCOUNT": Scenario(groups=_ITEMS, mention="discount", own=False, campaigns=True),
    "PRODUCTS_BY_CUSTOMER": Scenario(groups=_BY_CUSTOMER, mention="any", campaigns=True),
    "PRODUCTS_DISCOUNT_BY_CUSTOMER": Scenario(groups=_BY_CUSTOMER, mention="discount", campaigns=True),
    "PROMOTION_STACKS": Scenario(tiers=False, standalone=False, own=False, stacks=True),
}
