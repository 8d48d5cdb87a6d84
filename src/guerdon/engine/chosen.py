"""What a scope chose of an order: lines, units, and the limits that hold for them."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, field

from guerdon.engine.entries import Entry
from guerdon.engine.order import OrderItem

Refusal = Literal[
    "MISSING_ORDER_ITEMS", "MISSING_CUSTOMER", "ORDER_RULES_VIOLATED", "REDEMPTION_RULES_VIOLATED"
]
"""Why nothing was chosen: the name of a Reason."""


class Target(Struct, gc=False):
    """A line that is discounted, and how many of its units; minor units. ``price`` is what a unit is to cost."""

    line: int
    units: int
    all_units: bool = True
    amount_limit: int | None = None
    price: int | None = None


class Cap(Struct, frozen=True):
    """The most, in minor units, that is taken off these lines together."""

    lines: frozenset[int]
    limit: int


class Pick(Struct):
    """What one entry chose: lines in the order of choice, each with the numbers (from 1) of its units.

    ``covered`` are all the lines it means, chosen or not.
    """

    entry: Entry
    covered: list[int]
    lines: list[tuple[int, range]]


class Chosen(Struct, kw_only=True):
    """The lines and units that are discounted, in the order of choice.

    ``aggregated_amount_limit`` holds for all of them; ``caps`` for some. ``units`` says how many units count against
    each product budget, by its tally key. ``refusal`` is the reason when there are no targets.
    """

    targets: list[Target]
    lists_items: bool = False
    aggregated_amount_limit: int | None = None
    caps: list[Cap] = field(default_factory=list)
    units: dict[str, int] = field(default_factory=dict)
    refusal: Refusal | None = None
    picks: list[Pick] = field(default_factory=list)
    left_out: list[Pick] = field(default_factory=list)
    items: Sequence[OrderItem] = ()

    @property
    def applicable(self) -> list[dict[str, Any]]:
        """The entries of the answer's ``applicable_to``: as defined, and the concrete things of collections."""
        from guerdon.engine.resolved import resolved

        counts = {target.line: target.units for target in self.targets}
        return resolved(self.picks, self.items, counts)

    @property
    def inapplicable(self) -> list[dict[str, Any]]:
        """The entries of the answer's ``inapplicable_to``."""
        from guerdon.engine.resolved import resolved

        return resolved(self.left_out, self.items, None)
