"""What an earning rule is: what sets it off, for whom it is meant, what it gives, and how much at most.

One model for both faces of the API: v2 is the larger one, what v1 alone knows (formulas, maps of tiers, pending
points of a rule, changes of tier) stands beside it. All of it is frozen; it is parsed once a snapshot.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

from msgspec import Struct, field

from guerdon.engine.durations import Span
from guerdon.engine.entries import Entry
from guerdon.engine.expiry import Expiry, NoExpiration
from guerdon.engine.pending import Activation, Immediate, Pending
from guerdon.engine.periods import Unit
from guerdon.engine.rule import RuleSet
from guerdon.engine.terms import Terms
from guerdon.engine.trace import Check

TierEvent = Literal["joined", "left", "upgraded", "downgraded", "prolonged"]
Calculation = Literal[
    "order.amount",
    "order.total_amount",
    "order.metadata",
    "order_items.amount",
    "order_items.subtotal_amount",
    "order_items.quantity",
    "customer.metadata",
    "custom_event.metadata",
]


class OrderPaid(Struct, frozen=True, tag="order.paid"):
    """An order became PAID; it is the situation's order."""


class SegmentEntered(Struct, frozen=True, tag="customer.segment.entered"):
    """The member came into a segment."""

    segment_id: str


class CustomEvent(Struct, frozen=True, tag="customer.custom_event"):
    """The member did what a client tells us of. Rules may name its schema, by id or by name."""

    schema_id: str | None = None
    name: str | None = None
    metadata: Mapping[str, Any] = {}


class TierChanged(Struct, frozen=True, tag="customer.loyalty.tier"):
    """The member's tier changed; ``tier_id`` is the new one, for ``left`` the old one. In a rule None is any."""

    event: TierEvent
    tier_id: str | None = None


Happening = OrderPaid | SegmentEntered | CustomEvent | TierChanged
"""What sets rules off: as a part of a rule, what it waits for; as an argument, what has happened."""


class Fixed(Struct, frozen=True, tag="FIXED"):
    """So many points, or as many as the formula comes to (then ``points`` stands in where it fails)."""

    points: int
    formula: str | None = None


class Proportional(Struct, frozen=True, kw_only=True, tag="PROPORTIONAL"):
    """``points`` for every whole ``every`` of a value; amounts in minor units. A formula may stand for the points.

    ``property`` names the metadata, ``items`` what lines count; a line that several name counts once.
    """

    of: Calculation
    every: int
    points: Decimal
    formula: str | None = None
    property: str | None = None
    items: tuple[Entry, ...] = ()


class BenefitOf(Struct, frozen=True, tag="BENEFIT"):
    """A benefit that is defined elsewhere."""

    id: str


class Effect(Struct, frozen=True, kw_only=True):
    """What is given, to which card (its definition's id); None of ``expiry`` and ``pending`` means the card's own."""

    gives: Fixed | Proportional | BenefitOf
    card: str = ""
    expiry: Expiry | None = None
    pending: Pending | None = None


class Earning(Struct, frozen=True, kw_only=True):
    """Effects with the conditions they have in common; ``tiers`` None asks for none."""

    id: str = ""
    effects: tuple[Effect, ...]
    rules: tuple[RuleSet, ...] = ()
    tiers: frozenset[str] | None = None


class Frequency(Struct, frozen=True):
    """How often a member may set a rule off in a day, week, month, quarter or year of the calendar."""

    unit: Unit
    most: int


class PointsCap(Struct, frozen=True):
    """How many points a rule gives at most: to each member, or to all of them; ever, or in a calendar's period."""

    most: int
    unit: Unit | None = None
    per_member: bool = True


class EarningRule(Struct, frozen=True, kw_only=True):
    """A rule. ``terms`` hold its dates and windows only; ``cooldown`` is how long it rests after it gave."""

    id: str
    trigger: Happening
    earnings: tuple[Earning, ...]
    name: str = ""
    active: bool = True
    terms: Terms = Terms()
    cooldown: Span | None = None
    frequency: Frequency | None = None
    caps: tuple[PointsCap, ...] = ()


class HappyHours(Struct, frozen=True, kw_only=True):
    """Times in which points are multiplied: those of ``rules``, or of all. Of several at a time the largest holds."""

    multiplier: Decimal
    terms: Terms
    name: str = ""
    rules: frozenset[str] | None = None


class Multiply(Struct, frozen=True, tag="MULTIPLY"):
    """A tier's members get so many times the points."""

    multiplier: Decimal


class Custom(Struct, frozen=True, tag="CUSTOM"):
    """A tier's members get this many points: in all, or for every ``every`` where the rule is proportional."""

    points: int


Mapped = Multiply | Custom


class CardRules(Struct, frozen=True, kw_only=True):
    """What a card's definition says of points that are earned.

    ``most_balance`` and ``most_in_period`` (in a calendar's ``period``) cut what is given. A transaction, which is
    what one effect of one rule gives, of more than ``most_at_once`` points or for an order of less than
    ``least_amount`` (minor units, what is to be paid) gives nothing.
    """

    id: str
    expiry: Expiry = NoExpiration()
    pending: Pending = Immediate()
    most_balance: int | None = None
    most_in_period: int | None = None
    period: Unit = "MONTH"
    most_at_once: int | None = None
    least_amount: int | None = None


class Member(Struct, kw_only=True):
    """Who earns, as seen under lock. ``balances`` by the card's definition, pending points counted in; ``last`` is
    when each rule last gave; ``mapped`` is what the present tier makes of rules, by their ids.
    """

    id: str
    balances: Mapping[str, int] = field(default_factory=dict)
    tier: str | None = None
    mapped: Mapping[str, Mapped] = field(default_factory=dict)
    last: Mapping[str, datetime] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class EarningReason(Enum):
    """Why a rule gives nothing: a stable key, and our words for it."""

    SWITCHED_OFF = ("earning_rule_disabled", "The earning rule is switched off")
    NOT_STARTED = ("earning_rule_not_started", "The earning rule has not started yet")
    ENDED = ("earning_rule_ended", "The earning rule has ended")
    NOT_NOW = ("earning_rule_not_active_now", "The earning rule does not hold at this time")
    COOLDOWN = ("cooldown", "The earning rule rests for a while after it gave something")
    FREQUENCY = ("frequency", "The member has set the earning rule off as often as may be in this period")
    TIER = ("tier_rules_not_met", "The earning rule is for members of other tiers")
    RULES = ("validation_rules_not_met", "The conditions of the earning rule do not hold")
    NO_CARD = ("no_card", "The member has no card that the points could go to")
    NO_POINTS = ("no_points", "What the points are counted by comes to none")
    LEAST_AMOUNT = ("transaction_amount_too_low", "The order is worth less than the card asks for")
    AT_ONCE = ("transaction_earning_limit_exceeded", "More points at once than the card takes, so none")
    RULE_CAP = ("earning_rule_limit_reached", "The earning rule has given as many points as it may")
    CARD_CAP = ("global_earning_limit_reached", "The card has as many points as it may get")

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        self.message = message


class Earned(Struct, frozen=True, kw_only=True):
    """Points one effect of a rule gives; ``reckoned`` is how many they were before limits cut them.

    ``ends_at`` is None for points that do not end, and for those that wait for an event: their end is reckoned by
    ``expiry`` when they become active.
    """

    rule_id: str
    earning_id: str
    effect: int
    card: str
    points: int
    reckoned: int
    expiry: Expiry
    ends_at: datetime | None
    activation: Activation


class Granted(Struct, frozen=True, kw_only=True):
    """A benefit that a rule gives."""

    rule_id: str
    earning_id: str
    benefit_id: str


class RuleOutcome(Struct, kw_only=True):
    """What came of one effect; of a whole earning or rule when that was refused (then the rest is empty).

    ``error`` is the text that a rule's author wrote for a condition that does not hold; ``checks`` are there when
    an explanation was asked for.
    """

    rule_id: str
    earning_id: str = ""
    effect: int | None = None
    card: str = ""
    points: int = 0
    reason: EarningReason | None = None
    error: str | None = None
    checks: list[Check] = field(default_factory=list)


class Earnings(Struct, kw_only=True):
    """All that a happening gives. ``takes`` is how much of each tally is used, ``triggered`` the rules that gave."""

    earned: list[Earned] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)
    outcomes: list[RuleOutcome] = field(default_factory=list)
    takes: dict[str, int] = field(default_factory=dict)
    triggered: list[str] = field(default_factory=list)

    def points(self, card: str | None = None) -> int:
        """The points of a card, or of all."""
        return sum(each.points for each in self.earned if card in (None, each.card))
