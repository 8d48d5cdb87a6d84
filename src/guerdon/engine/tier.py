"""What tiers are: by which points members come into them, when that takes effect, how long it lasts, how it is lost.

v2 of the API keeps tiers in structures with retention and downgrade; v1 has ``loyalty_tiers_expiration``. Both are
the same model here: :class:`TierStructure`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import Struct, field

from guerdon.engine.durations import Span
from guerdon.engine.earning_rule import Mapped, TierEvent
from guerdon.engine.expiry import Sliding
from guerdon.engine.periods import Between, Period, Unit, YearDay, tracked
from guerdon.engine.trace import Check

Basis = Literal["BALANCE", "POINTS_IN_PERIOD"]
Starts = Literal["IMMEDIATE", "NEXT_PERIOD"]
DowngradeType = Literal["NO_DOWNGRADE", "SINGLE_LEVEL", "MULTI_LEVEL"]


class Tier(Struct, frozen=True, kw_only=True):
    """A tier is for members with ``least`` to ``most`` points (both included) who are in the segment, if it has one.

    ``keeps``: nobody falls out of it. ``earning`` and ``rewards`` map points, by the ids of rules and rewards.
    """

    id: str
    name: str = ""
    least: int
    most: int | None = None
    segment: str | None = None
    keeps: bool = False
    earning: Mapping[str, Mapped] = {}
    rewards: Mapping[str, Mapped] = {}


class NoRetention(Struct, frozen=True, tag="NO_RETENTION"):
    """As long as the points last: the balance (v1: BALANCE_DROP), or the period they were earned in."""


class UntilPeriodEnds(Struct, frozen=True, tag="END_OF_PERIOD"):
    """To the end of the period in which the tier starts, or of the ``next`` one; ``extend`` is added to that."""

    next: bool = False
    extend: Span | None = None


class TierRounding(Struct, frozen=True):
    """To the END of the unit an end is in, or back to its START; ``month`` (1 = January) of CUSTOM is the next one's."""

    type: Literal["MONTH", "QUARTER", "HALF_YEAR", "YEAR", "CUSTOM"]
    strategy: Literal["START", "END"] = "END"
    month: int | None = None


class FixedDuration(Struct, frozen=True, tag="FIXED_DURATION"):
    """A span after the tier started (v1: CUSTOM), whatever becomes of the points."""

    span: Span
    rounding: TierRounding | None = None


class OnDates(Struct, frozen=True, tag="CALENDAR_EXPIRATION"):
    """To the next of these days, which is the last."""

    days: tuple[YearDay, ...]


Retention = NoRetention | UntilPeriodEnds | FixedDuration | OnDates | Sliding
"""How long a tier is kept once it has started. Sliding counts from the last activity."""


class Grace(Struct, frozen=True):
    """How long a tier that is lost is still kept; ``round_up`` to the end of the unit."""

    unit: Unit
    value: int
    round_up: bool = False


class TierStructure(Struct, frozen=True, kw_only=True):
    """Tiers from the lowest to the highest, and what they have in common.

    ``period`` is what points are counted in: without an ``anchor`` the calendar's. A program that counts the balance
    needs none, unless its tiers start with the next period or end with one.
    """

    id: str = ""
    tiers: tuple[Tier, ...]
    basis: Basis = "BALANCE"
    starts: Starts = "IMMEDIATE"
    retention: Retention = NoRetention()
    downgrade: DowngradeType = "MULTI_LEVEL"
    grace: Grace | None = None
    period: Period | None = None
    anchor: date | None = None
    week_start: int = 1

    def period_at(self, day: date) -> Between | None:
        """The period a day belongs to."""
        if self.period is None:
            return None
        return tracked(self.period, day, self.week_start, self.anchor)

    @property
    def periods_needed(self) -> int:
        """Of how many periods, the present one and those before it, the earned points must be known."""
        if self.basis == "BALANCE":
            return 0
        needed = 2 if self.starts == "NEXT_PERIOD" else 1
        if isinstance(self.retention, UntilPeriodEnds):
            needed += self.retention.next + (self.retention.extend is not None)
        return needed

    def rank(self, tier_id: str | None) -> int:
        """The place of a tier, the lowest is 0; -1 for none, and for one that is no longer there."""
        return next((place for place, tier in enumerate(self.tiers) if tier.id == tier_id), -1)

    def tier(self, tier_id: str | None) -> Tier | None:
        """A tier by its id."""
        return next((tier for tier in self.tiers if tier.id == tier_id), None)

    def tier_for(self, points: int, segments: frozenset[str] = frozenset()) -> Tier | None:
        """The highest tier that so many points are enough for."""
        for tier in reversed(self.tiers):
            in_segment = tier.segment is None or tier.segment in segments
            if tier.least <= points and (tier.most is None or points <= tier.most) and in_segment:
                return tier
        return None


class Deferred(Struct, frozen=True):
    """A tier that has been reached and starts later."""

    tier_id: str
    starts_at: datetime
    ends_at: datetime | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """Where a member stands: to be stored as it is, and handed in again.

    ``ends_at`` None: for as long as the points last. ``grace_ends_at`` is there while a lost tier is still kept.
    """

    tier_id: str | None = None
    since: datetime | None = None
    ends_at: datetime | None = None
    grace_ends_at: datetime | None = None
    deferred: Deferred | None = None


class MemberPoints(Struct, frozen=True, kw_only=True):
    """The points that count. ``earned`` are those of this period, the one before it, and so on, as many as
    ``periods_needed`` says; ``active_at`` is the last activity that a sliding retention counts.
    """

    balance: int = 0
    earned: tuple[int, ...] = ()
    segments: frozenset[str] = frozenset()
    active_at: datetime | None = None


class Change(Struct, frozen=True, kw_only=True):
    """What became of a member's tier. JOINED and PROLONGED have no ``tier_from``, LEFT has no ``tier_to``."""

    event: TierEvent
    tier_from: str | None = None
    tier_to: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    points: int = 0


class Ruling(Struct, frozen=True, kw_only=True):
    """The decision: the new standing (the old one where nothing changes), the change if there is one, and when the
    nightly run must look again even if no points move before; None: not unless they do.
    """

    standing: Standing
    change: Change | None = None
    recheck_at: datetime | None = None
    checks: list[Check] = field(default_factory=list)
