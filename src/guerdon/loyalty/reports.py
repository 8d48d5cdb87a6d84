"""Reports read: of programs from their days (days.py), of one card or member from what moved there."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Generic, LiteralString, TypeVar

from msgspec import Struct

from guerdon.engine.durations import Span
from guerdon.engine.opening import start_of_day
from guerdon.engine.periods import LAST_YEAR, Unit, around, moved
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.errors import invalid_query
from guerdon.kit.filters import Field, Filterable, binder, filter_sql, parse_filters
from guerdon.loyalty.card_transactions import POINTS, type_of
from guerdon.loyalty.days import ALL_DAYS, Kind
from guerdon.loyalty.place import Place, place_of
from guerdon.loyalty.shapes_reports import (
    CardDay,
    EarningDay,
    EarningSum,
    Failures,
    MemberRuleDay,
    Report,
    Resolution,
    RuleDay,
    RuleSum,
    SpendingDay,
    SpendingSum,
    TierDay,
    TierSum,
)

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S")
FIRST_YEAR = 1970
LONGEST: dict[Resolution, tuple[Span, str]] = {
    "day": (Span(0, 90, 0), "90 days"),
    "week": (Span(0, 84, 0), "12 weeks"),
    "month": (Span(12, 0, 0), "12 months"),
    "quarter": (Span(12, 0, 0), "4 quarters"),
}
"""How long a report may be at most."""
UNITS: dict[Resolution, Unit] = {"day": "DAY", "week": "WEEK", "month": "MONTH", "quarter": "QUARTER"}

SUMS: LiteralString = """
    d.part_id as part, d.item_id as item, d.definition_id as definition,
    array[sum(d.counts[1]), sum(d.counts[2]), sum(d.counts[3]), sum(d.counts[4]), sum(d.counts[5])]::bigint[] as counts
"""
# One range of the index, whatever the planner knows of the table; each day in its period.
DAILY: LiteralString = f"""
    select ($4::date[])[width_bucket(d.day, $5::date[])] as shown, {SUMS}
    from loyalty_days d
    where d.project_id = $1 and d.program_id = $2 and d.kind = $3 and d.day >= ($5::date[])[1] and d.day < $6::date
"""
# What is not folded yet counts for all days too.
IN_ALL: LiteralString = f"""
    select {SUMS} from (
        select f.* from loyalty_days f
        where f.project_id = $1 and f.program_id = $2 and f.kind = $3 and f.day = $4 and f.id = ''
        union all
        select n.* from loyalty_days n
        where n.project_id = $1 and n.program_id = $2 and n.kind = $3 and n.id <> ''
    ) d where $1::text is not null
"""
OF_CARD = """
    select (e.created_at at time zone $5)::date as day, e.type, left(e.cause_id, 6) as cause, sum(e.amount)::bigint as points
    from card_entries e
    where e.project_id = $1 and e.card_id = $2 and e.created_at >= $3 and e.created_at < $4
    group by 1, 2, 3
"""
PENDING = """
    select (m.created_at at time zone $5)::date as day, m.type, sum(m.points)::bigint as points
    from loyalty_pending_moves m
    where m.project_id = $1 and m.card_id = $2 and m.created_at >= $3 and m.created_at < $4
    group by 1, 2
"""
OF_MEMBER = """
    select (g.created_at at time zone $6)::date as day, count(distinct g.cause_id) as times from (
        select e.cause_id, e.created_at from loyalty_earnings e
        where e.project_id = $1 and e.member_id = $2 and e.rule_id = $3 and e.created_at >= $4 and e.created_at < $5
        union all
        select b.cause_id, b.created_at from loyalty_benefits b
        where b.project_id = $1 and b.member_id = $2 and b.rule_id = $3 and b.created_at >= $4 and b.created_at < $5
    ) g
    group by 1
"""


class Range(Struct):
    """The periods of a report: the first day of each, and the first one of it that counts; none do from `after` on."""

    shown: list[date]
    since: list[date]
    after: date
    unit: Unit
    week_start: int

    def period(self, day: date) -> str:
        """The first day of the period of a day."""
        return str(around(self.unit, day, self.week_start).first)

    def instants(self, place: Place) -> tuple[datetime, datetime]:
        """When the first day begins, and the last one ends."""
        return start_of_day(self.since[0], place.zone), start_of_day(self.after, place.zone)


def range_of(start: str, end: str, resolution: Resolution, week_start: int) -> Range:
    """The periods between two days, both included. Raises `ApiError` 400."""
    first, last = _day("start_date", start), _day("end_date", end)
    span, name = LONGEST[resolution]
    if last < first:
        raise invalid_query("end_date", "must not be before start_date")
    if last > moved(first, span):
        raise invalid_query("end_date", f"must be {name} after start_date at most, with this resolution")
    unit, found = UNITS[resolution], Range([], [], last + timedelta(days=1), UNITS[resolution], week_start)
    day = first
    while day <= last:
        period = around(unit, day, week_start)
        found.shown.append(period.first)
        found.since.append(day)
        day = period.after
    return found


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year < LAST_YEAR:
        raise invalid_query(name, "must be a day such as 2026-11-22")
    return day


class Line(Struct):
    """What is known for a line of a report: its names and counts; `key` is a date or an id."""

    key: str
    part: str
    item: str
    definition: str
    counts: list[int]


class Kinds(Struct, Generic[D, S], frozen=True):
    """A kind of report of programs: its lines by period and in all, and what it may be filtered by."""

    kind: Kind
    prefix: str
    daily: Callable[[Line], D]
    in_all: Callable[[Line], S]
    fields: Mapping[str, Field]


async def daily(
    call: Call, kinds: Kinds[D, S], program_id: str, start: str, end: str, resolution: Resolution
) -> Report[D]:
    """A report of a program by periods. Raises `ApiError` 400."""
    place = await place_of(call.db, call.project_id)
    periods = range_of(start, end, resolution, place.week_start)
    args = [call.project_id, program_id, kinds.kind, periods.shown, periods.since, periods.after]
    records = await _read(call, DAILY, kinds, args, " group by 1, 2, 3, 4 order by 1, 2, 3, 4")
    return Report(data=[kinds.daily(_line(record, str(record["shown"]))) for record in records])


async def in_all(call: Call, kinds: Kinds[D, S], program_id: str) -> Report[S]:
    """A report of a program over all its time. Raises `ApiError` 400."""
    return Report(data=[kinds.in_all(line) for line in await _lines(call, kinds, program_id)])


async def _lines(call: Call, kinds: Kinds[D, S], program_id: str) -> list[Line]:
    args = [call.project_id, program_id, kinds.kind, ALL_DAYS]
    records = await _read(call, IN_ALL, kinds, args, " group by 1, 2, 3 order by 1, 2, 3")
    return [_line(record, _name(kinds.prefix, program_id, record)) for record in records]


async def tiers_in_all(call: Call, program_id: str, limit: int, order: str) -> Report[TierSum]:
    """The tiers of a program over all its time, so many at most, by their lines' ids. Raises `ApiError` 400."""
    if not 1 <= limit <= 100:
        raise invalid_query("limit", "must be a whole number from 1 to 100")
    if order not in ("id", "-id"):
        raise invalid_query("order", "must be id or -id")
    lines = await _lines(call, TIERS, program_id)
    lines.sort(key=lambda line: line.key, reverse=order == "-id")
    return Report(data=[TIERS.in_all(line) for line in lines[:limit]])


async def _read(
    call: Call, sql: LiteralString, kinds: Kinds[D, S], args: list[Any], behind: LiteralString
) -> list[db.Record]:
    bind = binder(args)
    filtered = filter_sql(parse_filters(call.query), Filterable(kinds.fields, None, None, "UTC"), bind)
    return await db.records(call.db, sql + (" and " + filtered if filtered else "") + behind, *args)


def _line(record: db.Record, key: str) -> Line:
    return Line(key, record["part"], record["item"], record["definition"], record["counts"])


def _name(prefix: str, program_id: str, record: db.Record) -> str:
    """An id for a line: the same whenever it is asked for."""
    told = "|".join((program_id, record["part"], record["item"], record["definition"]))
    return prefix + hashlib.blake2b(told.encode(), digest_size=9).hexdigest()


def _rule(line: Line) -> dict[str, Any]:
    given, cooldown, frequency, *_ = line.counts
    return {
        "earning_rule_id": line.part,
        "success_count": given,
        "failures_count": cooldown + frequency,
        "failures_breakdown": Failures(cooldown=cooldown, frequency=frequency),
    }


def _earning(line: Line) -> dict[str, Any]:
    times, points, pending, *_ = line.counts
    return {
        "earning_rule_id": line.part,
        "earning_item_id": line.item,
        "card_definition_id": line.definition,
        "success_count": times,
        "points": points,
        "pending_points": pending,
    }


def _spending(line: Line) -> dict[str, Any]:
    rewards, on_rewards, orders, on_orders, amount = line.counts
    return {
        "card_definition_id": line.definition,
        "success": rewards + orders,
        "success_on_reward": rewards,
        "success_on_order": orders,
        "points": on_rewards + on_orders,
        "points_on_rewards": on_rewards,
        "points_on_order": on_orders,
        "amount_on_order": amount,
    }


def _tier(line: Line) -> dict[str, Any]:
    names = ("joins", "upgrades", "downgrades", "lefts", "prolongs")
    counts = dict(zip(names, line.counts, strict=True))
    return {"tier_structure_id": line.part, "tier_id": line.item, **counts}


_RULE = {"earning_rule_id": Field("d.part_id")}
_DEFINITION = {"card_definition_id": Field("d.definition_id")}
RULES: Kinds[RuleDay, RuleSum] = Kinds(
    "rule", "lpers_",
    lambda line: RuleDay(date=line.key, **_rule(line)), lambda line: RuleSum(id=line.key, **_rule(line)),
    _RULE,
)  # fmt: skip
EARNINGS: Kinds[EarningDay, EarningSum] = Kinds(
    "earning", "lppes_",
    lambda line: EarningDay(date=line.key, **_earning(line)),
    lambda line: EarningSum(id=line.key, **_earning(line)),
    _RULE | _DEFINITION,
)  # fmt: skip
SPENDING: Kinds[SpendingDay, SpendingSum] = Kinds(
    "spending", "lpsps_",
    lambda line: SpendingDay(date=line.key, **_spending(line)),
    lambda line: SpendingSum(id=line.key, **_spending(line)),
    _DEFINITION,
)  # fmt: skip
TIERS: Kinds[TierDay, TierSum] = Kinds(
    "tier", "lptrs_",
    lambda line: TierDay(date=line.key, **_tier(line)), lambda line: TierSum(id=line.key, **_tier(line)),
    {"tier_structure_id": Field("d.part_id"), "tier_id": Field("d.item_id")},
)  # fmt: skip


async def of_card(call: Call, card_id: str, start: str, end: str, resolution: Resolution) -> Report[CardDay]:
    """What moved on a card in each period. Raises `ApiError` 400."""
    place = await place_of(call.db, call.project_id)
    periods = range_of(start, end, resolution, place.week_start)
    lines = {str(day): CardDay(date=str(day)) for day in periods.shown}
    since, until = periods.instants(place)
    args = (call.project_id, card_id, since, until, place.zone.key)
    for record in await db.records(call.db, OF_CARD, *args):
        line, kind = lines[periods.period(record["day"])], type_of(record["type"], record["cause"])
        line.points_total += record["points"]
        if kind == "PENDING_POINTS_ACTIVATED":
            line.pending_points_activated += record["points"]
            line.pending_points_total -= record["points"]
        else:
            name = f"points_{POINTS[kind]}"
            setattr(line, name, getattr(line, name) + abs(record["points"]))
    for record in await db.records(call.db, PENDING, *args):
        line = lines[periods.period(record["day"])]
        if record["type"] == "ADDED":
            line.pending_points_total += record["points"]
        else:
            line.pending_points_canceled += record["points"]
            line.pending_points_total -= record["points"]
    return Report(data=list(lines.values()))


async def of_member_rule(
    call: Call, member_id: str, rule_id: str, start: str, end: str, resolution: Resolution
) -> Report[MemberRuleDay]:
    """How often a rule gave a member something in each period. Raises `ApiError` 400."""
    place = await place_of(call.db, call.project_id)
    periods = range_of(start, end, resolution, place.week_start)
    counts = {str(day): 0 for day in periods.shown}
    since, until = periods.instants(place)
    args = (call.project_id, member_id, rule_id, since, until, place.zone.key)
    for record in await db.records(call.db, OF_MEMBER, *args):
        counts[periods.period(record["day"])] += record["times"]
    return Report(data=[MemberRuleDay(date=day, count=count) for day, count in counts.items()])
