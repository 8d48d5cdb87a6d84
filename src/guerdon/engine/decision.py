"""What a decision is made of: the facts that go in, and what became of every redeemable."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from guerdon.engine.checks import Redeemable
from guerdon.engine.effects import Step
from guerdon.engine.order import CatalogItem, Order
from guerdon.engine.reasons import Reason
from guerdon.engine.running import Given
from guerdon.engine.scope import Chosen
from guerdon.engine.situation import Situation
from guerdon.engine.stacking import DEFAULT_STACKING, StackingRules
from guerdon.engine.trace import Check

Status = Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]


class Facts(Struct, kw_only=True):
    """All that a decision may depend on.

    ``situation.order`` has been through ``price_order`` or ``resume_order``; it is None when no order was sent.
    """

    redeemables: list[Redeemable]
    situation: Situation
    stacking: StackingRules = DEFAULT_STACKING
    catalog: Mapping[str, CatalogItem] = field(default_factory=dict)
    explain: bool = False

    @property
    def now(self) -> datetime:
        """The instant of the decision."""
        return self.situation.now

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return self.situation.zone

    @property
    def order(self) -> Order | None:
        """The order before the first discount."""
        return self.situation.order


class Outcome(Struct, gc=False):
    """What became of one redeemable. ``order`` is the running order after it, ``given`` what it took off.

    Both are None when it did not apply or when there was no order. ``details`` says more than the reason,
    ``message`` is the text that a rule's author wrote for this refusal, ``hint`` the nearest change that would
    help. ``chosen`` are the lines it was meant for, ``bundle`` what was found of its bundle (as answered),
    ``takes`` how much it uses of each tally. ``trace``, ``steps`` and ``hint`` are there only when asked for.
    """

    redeemable: Redeemable
    status: Status
    reason: Reason | None = None
    details: str | None = None
    given: Given | None = None
    order: Order | None = None
    trace: list[Check] | None = None
    steps: list[Step] | None = None
    chosen: Chosen | None = None
    bundle: dict[str, Any] | None = None
    takes: dict[str, int] = field(default_factory=dict)
    message: str | None = None
    hint: str | None = None


class MarginFloor(Struct):
    """The share of the order that discounts have to leave, the ``least`` that this comes to, and what is ``left``."""

    percent: int
    least: int
    left: int


class Certificate(Struct, omit_defaults=True):
    """Why a combination is the best: no other, in whatever order, gives more than ``bound``, in minor units of discount.

    ``exact`` says that ``best_total`` was proved to be the most that any combination of these redeemables takes off,
    applied in the order requested; where it equals ``bound``, in every other order too. ``order`` names the
    redeemables in the order applied; ``combinations_tried`` counts the stacks that were reckoned. Where the rule is
    ``MARGIN_FLOOR`` alone, ``bound`` is what the floor lets off at most.
    """

    rule: str
    best_total: int
    bound: int
    exact: bool
    combinations_tried: int
    order: list[str]
    margin_floor: MarginFloor | None = None


class Decision(Struct, gc=False):
    """``outcomes[i]`` is about ``facts.redeemables[i]``; ``order`` is the final one, unchanged if not valid.

    ``sequence`` holds every index into ``outcomes`` in the order in which the redeemables were taken up; those
    that applied stand in it in the order in which they were applied.
    """

    valid: bool
    outcomes: list[Outcome]
    order: Order | None
    sequence: list[int] = field(default_factory=list)
    certificate: Certificate | None = None

    @property
    def applied(self) -> list[int]:
        """Indices of the redeemables that apply, first applied first."""
        return [index for index in self.sequence if self.outcomes[index].status == "APPLICABLE"]
