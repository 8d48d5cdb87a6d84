"""In which tier a member is: ``tier_at`` decides after every movement of points and in the nightly run alike.

A tier is *claimed* by points: by the balance as it is now, or by what was earned in a period. A claim holds from its
start to its end. The highest claim that holds is the member's tier; a tier once given is kept until its own end,
whatever becomes of the points; then comes the grace, and then the fall, by one tier or by as many as it takes.

>>> from datetime import UTC
>>> levels = TierStructure(tiers=(Tier(id="silver", least=100), Tier(id="gold", least=500)))
>>> at = datetime(2026, 11, 22, tzinfo=UTC)
>>> ruling = tier_at(levels, Standing(), MemberPoints(balance=550), at, ZoneInfo("UTC"))
>>> ruling.change.event, ruling.standing.tier_id
('joined', 'gold')
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.expiry import Sliding
from guerdon.engine.opening import end_of_day, start_of_day
from guerdon.engine.periods import Between, Period, after, around, local_day, moved, next_of
from guerdon.engine.tier import (
    Change,
    Deferred,
    FixedDuration,
    Grace,
    MemberPoints,
    NoRetention,
    OnDates,
    Ruling,
    Standing,
    Tier,
    TierRounding,
    TierStructure,
    UntilPeriodEnds,
)
from guerdon.engine.trace import Check
from guerdon.engine.window import iso

DAY = timedelta(days=1)


class _Claim(Struct, frozen=True):
    """A tier that points are enough for, from when and until when; ``points`` are those counted."""

    rank: int
    tier: Tier
    starts_at: datetime
    ends_at: datetime | None
    points: int


def tier_at(
    structure: TierStructure,
    standing: Standing,
    points: MemberPoints,
    now: datetime,
    zone: ZoneInfo,
    explain: bool = False,
) -> Ruling:
    """Where the member stands now. To be asked again after each change: two nights that were missed are two changes.

    Asking twice at the same time with the same points changes nothing more, except that SINGLE_LEVEL falls one tier
    a time.
    """
    desk = _Desk(structure, standing, points, now, zone)
    ruling = desk.rule()
    return replace(ruling, checks=desk.told(ruling)) if explain else ruling


class _Desk:
    """The work on one member."""

    def __init__(
        self,
        structure: TierStructure,
        standing: Standing,
        points: MemberPoints,
        now: datetime,
        zone: ZoneInfo,
    ) -> None:
        self.structure, self.standing, self.points = structure, standing, points
        self.now, self.zone = now, zone
        self.today = local_day(now, zone)
        self.period = structure.period_at(self.today)
        self.rank = structure.rank(standing.tier_id)
        claims = list(self._claims())
        self.best = max(
            (claim for claim in claims if self._holds(claim)),
            key=lambda claim: (claim.rank, _late(claim.ends_at)),
            default=None,
        )
        self.coming = max(
            (claim for claim in claims if claim.starts_at > now), key=lambda claim: claim.rank, default=None
        )

    @property
    def counted(self) -> int:
        """The points that count now."""
        if self.structure.basis == "BALANCE":
            return self.points.balance
        return self.points.earned[0] if self.points.earned else 0

    def _holds(self, claim: _Claim) -> bool:
        return claim.starts_at <= self.now and (claim.ends_at is None or self.now < claim.ends_at)

    def _claims(self) -> Iterator[_Claim]:
        """What points lay claim to, now or later."""
        if self.structure.basis == "BALANCE":
            yield from self._claim_of_balance()
            return
        period = self.period
        assert period is not None, "points in a period need a period"
        for place, earned in enumerate(self.points.earned):
            if place:
                period = self.structure.period_at(period.first - DAY)
                assert period is not None
            yield from self._claim_of_period(period, earned, place)

    def _claim_of_balance(self) -> Iterator[_Claim]:
        structure, balance = self.structure, self.points.balance
        tier = structure.tier_for(balance, self.points.segments)
        if tier is None:
            return
        rank, start, due = structure.rank(tier.id), self.now, self.standing.deferred
        if structure.starts == "NEXT_PERIOD" and self.period is not None and rank > self.rank:
            came = due is not None and due.starts_at <= self.now
            if came and due is not None and structure.rank(due.tier_id) < rank:
                # What was reached since then waits for its own period.
                yield self._claim(structure.tiers[structure.rank(due.tier_id)], due.starts_at, balance)
            if not came or (due is not None and structure.rank(due.tier_id) < rank):
                start = self.period.ends(self.zone)
                if self.rank >= 0:
                    # Until then it is enough for the present tier all the more.
                    yield self._claim(structure.tiers[self.rank], self.now, balance)
        yield self._claim(tier, start, balance)

    def _claim_of_period(self, period: Between, earned: int, place: int) -> Iterator[_Claim]:
        structure = self.structure
        tier = structure.tier_for(earned, self.points.segments)
        if tier is None:
            return
        lasting = not isinstance(structure.retention, (NoRetention, UntilPeriodEnds))
        if structure.starts == "NEXT_PERIOD":
            if lasting and place > 1:
                return  # what it gave has its own end, which the standing knows
            yield self._claim(tier, period.ends(self.zone), earned)
        elif not lasting:
            yield self._claim(tier, self.now if not place else period.starts(self.zone), earned, period)
        elif not place:
            yield self._claim(tier, self.now, earned)

    def _claim(self, tier: Tier, start: datetime, points: int, period: Between | None = None) -> _Claim:
        end = self._end(start, period)
        return _Claim(self.structure.rank(tier.id), tier, start, end, points)

    def _end(self, start: datetime, period: Between | None = None) -> datetime | None:
        """When a tier ends that starts at an instant; ``period`` is the one it starts in, if that is known."""
        structure, zone = self.structure, self.zone
        day = local_day(start, zone)
        match structure.retention:
            case NoRetention():
                if structure.basis == "BALANCE":
                    return None
                own = period or structure.period_at(day)
                return None if own is None else own.ends(zone)
            case UntilPeriodEnds(further, extend):
                own = period or structure.period_at(day)
                if own is None:
                    return None
                if further:
                    own = structure.period_at(own.after) or own
                last = own.after - DAY
                return end_of_day(last if extend is None else moved(last, extend), zone)
            case FixedDuration(span, rounding):
                return rounded_end(rounding, moved(day, span), day, zone)
            case OnDates(days):
                return end_of_day(next_of(days, day), zone)
            case Sliding(length):
                active = self.points.active_at
                since = day if active is None else max(day, local_day(active, zone))
                return end_of_day(after(since, length), zone)
            case _:
                assert_never(structure.retention)

    def rule(self) -> Ruling:
        """The decision."""
        best = self.best
        if best is not None and best.rank > self.rank:
            event = "joined" if self.standing.tier_id is None or self.rank < 0 else "upgraded"
            return self._moves(event, best.tier, best.starts_at, best.ends_at)
        if self.standing.tier_id is None:
            return self._stays()
        if self.rank < 0:
            # The tier is no longer there, and nothing else is claimed.
            return self._moves("left", None, self.now, None)
        return self._keeps_or_loses()

    def _keeps_or_loses(self) -> Ruling:
        standing, best = self.standing, self.best
        same = best is not None and best.rank == self.rank
        if self._by_period() and same and best is not None and _late(best.ends_at) > _late(standing.ends_at):
            return self._prolongs(best.ends_at)
        if isinstance(self.structure.retention, Sliding):
            end = self._slides()
            if end is not None:
                return self._prolongs(end)
        over = standing.ends_at is None or self.now >= standing.ends_at
        if not over:
            return self._stays(replace(standing, grace_ends_at=None))
        if same:
            if standing.ends_at is None:
                return self._stays(replace(standing, grace_ends_at=None))
            return self._prolongs(self._again())
        if self._keeps_forever():
            return self._stays(replace(standing, ends_at=None, grace_ends_at=None))
        return self._falls()

    def _by_period(self) -> bool:
        """Whether ends go by periods, so that points of a later one prolong."""
        return self.structure.basis == "POINTS_IN_PERIOD" and isinstance(
            self.structure.retention, (NoRetention, UntilPeriodEnds)
        )

    def _slides(self) -> datetime | None:
        """The later end that an activity gives, while the tier is held."""
        active, end = self.points.active_at, self.standing.ends_at
        if active is None or end is None or active >= end:
            return None
        assert isinstance(self.structure.retention, Sliding)
        new = end_of_day(after(local_day(active, self.zone), self.structure.retention.period), self.zone)
        return new if new > end and new > self.now else None

    def _again(self) -> datetime | None:
        """The next end of a tier that is kept: counted on from its last one, until it lies ahead."""
        end = self.standing.ends_at
        while end is not None and end <= self.now:
            last = local_day(end, self.zone) - DAY
            start = (
                end
                if isinstance(self.structure.retention, (OnDates, UntilPeriodEnds))
                else start_of_day(last, self.zone)
            )
            later = self._end(start)
            if later is None or later <= end:
                return self._end(self.now)
            end = later
        return end

    def _keeps_forever(self) -> bool:
        tier = self.structure.tiers[self.rank]
        return tier.keeps or self.structure.downgrade == "NO_DOWNGRADE"

    def _falls(self) -> Ruling:
        """The tier is over and the points are not enough: grace, then the fall."""
        structure, standing = self.structure, self.standing
        if structure.grace is not None:
            ends = standing.grace_ends_at
            if ends is None:
                over = standing.ends_at
                kept = self.today if over is None else local_day(over, self.zone) - DAY
                ends = grace_end(structure.grace, kept, self.zone)
            if self.now < ends:
                return self._stays(replace(standing, grace_ends_at=ends))
        claimed = -1 if self.best is None else self.best.rank
        rank = claimed if structure.downgrade == "MULTI_LEVEL" else max(claimed, self.rank - 1)
        if rank < 0:
            return self._moves("left", None, self.now, None)
        tier = structure.tiers[rank]
        if self.best is not None and rank == claimed:
            return self._moves("downgraded", tier, self.now, self.best.ends_at)
        return self._moves("downgraded", tier, self.now, self._end(self.now))

    def _prolongs(self, end: datetime | None) -> Ruling:
        standing = replace(self.standing, ends_at=end, grace_ends_at=None, deferred=self._deferred())
        change = Change(
            event="prolonged",
            tier_to=standing.tier_id,
            starts_at=self.standing.ends_at,
            ends_at=end,
            points=self.counted,
        )
        return self._ruling(standing, change)

    def _moves(self, event: str, tier: Tier | None, start: datetime, end: datetime | None) -> Ruling:
        standing = Standing(
            tier_id=None if tier is None else tier.id,
            since=None if tier is None else start,
            ends_at=end,
        )
        rank = -1 if tier is None else self.structure.rank(tier.id)
        standing = replace(standing, deferred=self._deferred(rank))
        change = Change(
            event=event,  # type: ignore[arg-type]
            tier_from=None if event == "joined" else self.standing.tier_id,
            tier_to=standing.tier_id,
            starts_at=start,
            ends_at=end,
            points=self.counted,
        )
        return self._ruling(standing, change)

    def _stays(self, standing: Standing | None = None) -> Ruling:
        return self._ruling(replace(standing or self.standing, deferred=self._deferred()), None)

    def _deferred(self, rank: int | None = None) -> Deferred | None:
        coming = self.coming
        if coming is None or coming.rank <= (self.rank if rank is None else rank):
            return None
        return Deferred(coming.tier.id, coming.starts_at, coming.ends_at)

    def _ruling(self, standing: Standing, change: Change | None) -> Ruling:
        return Ruling(standing=standing, change=change, recheck_at=self._recheck(standing))

    def _recheck(self, standing: Standing) -> datetime | None:
        """When time alone may change something."""
        times: list[datetime | None] = [standing.grace_ends_at]
        if standing.grace_ends_at is None:
            times.append(standing.ends_at)
        if standing.deferred is not None:
            times.append(standing.deferred.starts_at)
        rank = self.structure.rank(standing.tier_id)
        lost = rank > (-1 if self.best is None else self.best.rank) and standing.ends_at is None
        if lost and self.structure.downgrade == "SINGLE_LEVEL" and not self.structure.tiers[rank].keeps:
            # One tier a night.
            times.append(standing.grace_ends_at or end_of_day(self.today, self.zone))
        return min((time for time in times if time is not None and time > self.now), default=None)

    def told(self, ruling: Ruling) -> list[Check]:
        """How the decision came about."""
        structure, claimed = self.structure, self.best
        asked = {
            tier.name or tier.id: {"least": tier.least} | ({} if tier.most is None else {"most": tier.most})
            for tier in structure.tiers
        }
        seen = {"basis": structure.basis, "points": self.counted}
        if structure.basis == "POINTS_IN_PERIOD" and self.period is not None:
            seen |= {"period_starts": str(self.period.first), "points_before": list(self.points.earned[1:])}
        checks = [
            Check(
                "tier_points",
                asked,
                seen | {"enough_for": None if claimed is None else claimed.tier.name or claimed.tier.id},
                "passed" if claimed is not None else "failed",
                hint=self._hint(),
            )
        ]
        held = ruling.standing
        if held.tier_id is not None:
            checks.append(
                Check(
                    "tier_kept_until",
                    type(structure.retention).__struct_config__.tag,
                    {
                        "now": iso(self.now),
                        "ends_at": None if held.ends_at is None else iso(held.ends_at),
                        "grace_ends_at": None if held.grace_ends_at is None else iso(held.grace_ends_at),
                    },
                    "passed",
                )
            )
        return checks

    def _hint(self) -> str | None:
        """What is lacking for the next tier."""
        for tier in self.structure.tiers:
            if tier.least > self.counted and self.structure.rank(tier.id) > self.rank:
                return f"{tier.least - self.counted} more points for {tier.name or tier.id}"
        return None


def _late(end: datetime | None) -> datetime:
    """An end that compares; none is later than every one."""
    return _NEVER if end is None else end


_NEVER = datetime.max.replace(tzinfo=ZoneInfo("UTC"))


def grace_end(grace: Grace, kept: date, zone: ZoneInfo) -> datetime:
    """When a grace is over; ``kept`` is the last day on which the tier was the member's by right."""
    last = after(kept, Period(grace.unit, grace.value))
    if grace.round_up:
        last = around(grace.unit, last).after - DAY
    return end_of_day(last, zone)


def rounded_end(rounding: TierRounding | None, day: date, since: date, zone: ZoneInfo) -> datetime:
    """The instant a tier ends whose last day, before rounding, is ``day``; never before the day it began is over."""
    if rounding is None:
        return end_of_day(day, zone)
    if rounding.type == "CUSTOM":
        month = rounding.month or 1
        first = date(day.year, month, 1)
        if rounding.strategy == "START":
            first = first if first >= day else date(day.year + 1, month, 1)
            return max(start_of_day(first, zone), end_of_day(since, zone))
        whole = around("MONTH", first)
        if whole.after <= day:
            whole = around("MONTH", date(day.year + 1, month, 1))
        return whole.ends(zone)
    unit = around(rounding.type, day)
    return (
        max(unit.starts(zone), end_of_day(since, zone)) if rounding.strategy == "START" else unit.ends(zone)
    )
