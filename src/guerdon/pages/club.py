"""The demo's club in figures: what was earned, spent and lost day by day, and what that left owing.

The figures are the ledger's own statement of the club's points, not counted beside it.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import LiteralString
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from guerdon.engine.opening import start_of_day
from guerdon.kit import db
from guerdon.ledger.accounts import OUTSTANDING
from guerdon.ledger.statements import Line, Scope, statement

READ_MARK = "select settings -> 'demo_club' from projects where id = $1"
WRITE_MARK = """
    update projects set settings = settings || jsonb_build_object('demo_club', $2::jsonb) where id = $1
"""
BASKETS: LiteralString = """
    select (o.created_at at time zone $2)::date as day, count(*) as baskets from orders o
    where o.project_id = $1 and o.created_at >= $3 and o.created_at < $4 and o.customer_id is not null
      and o.status = any('{PAID,PROCESSING,FULFILLED}')
    group by 1
"""
TIERS: LiteralString = """
    select last.tier_to as id, count(*) as members from (
        select distinct on (t.member_id) t.tier_to from loyalty_tier_changes t
        where t.project_id = $1 and t.program_id = $2 and t.created_at < $3
        order by t.member_id, t.created_at desc, t.id desc
    ) as last where last.tier_to is not null group by 1
"""
CHANGES: LiteralString = """
    select t.type, count(*) as times from loyalty_tier_changes t
    where t.project_id = $1 and t.program_id = $2 and t.created_at >= $3 and t.created_at < $4 group by 1
"""
# What each card held by its own last entry before an instant: another way to the same sum.
LAST_ENTRIES: LiteralString = """
    select coalesce(sum(last.balance), 0)::bigint from cards c cross join lateral (
        select e.balance from card_entries e
        where e.project_id = $1 and e.card_id = c.id and e.created_at < $3 order by e.seq desc limit 1
    ) as last where c.project_id = $1 and c.unit = $2
"""
NAME = "year.json"
UP, DOWN = ("JOINED", "UPGRADED"), ("DOWNGRADED", "LEFT")


class Club(Struct):
    """What was made: ids, those of tiers and rewards by what they are called. `worth` of a point is in cents, `levels`
    are the tiers from the lowest up.
    """

    program: str
    card: str
    name: str
    worth: int
    levels: list[str] = []
    tiers: dict[str, str] = {}
    rewards: dict[str, str] = {}


class Mark(Struct):
    """How far the club has come: `done` is the last day whose baskets earned, `taken` that whose rewards were taken.
    Who takes which is drawn with `seed`.
    """

    first: date
    last: date
    seed: int = 1
    club: Club | None = None
    done: date | None = None
    taken: date | None = None


class Day(Struct):
    """A day's points; `outstanding` is what was on all cards when it ended."""

    day: date
    baskets: int = 0
    earned: int = 0
    spent: int = 0
    lapsed: int = 0
    purchases: int = 0
    outstanding: int = 0


class Month(Struct):
    """A month's, with who was in which tier when it ended, and how many tiers were gained and lost in it.

    `proved`: what the cards' own last entries come to is what the statement says.
    """

    first: date
    baskets: int = 0
    earned: int = 0
    spent: int = 0
    lapsed: int = 0
    purchases: int = 0
    outstanding: int = 0
    tiers: dict[str, int] = {}
    up: int = 0
    down: int = 0
    proved: bool = False


class Figures(Struct):
    """Days from `first` to `last`; what is owed is `outstanding` times `worth` cents. `tiers` from the lowest up."""

    name: str
    worth: int
    tiers: list[str]
    first: date
    last: date
    days: list[Day]
    months: list[Month]


async def read_mark(conn: db.Db, project_id: str) -> Mark | None:
    """How far it came, or None where it has not begun."""
    found = await db.value(conn, READ_MARK, project_id)
    return None if found is None else msgspec.convert(found, Mark)


async def write_mark(conn: db.Db, project_id: str, mark: Mark) -> None:
    """Note it, in the transaction of the day."""
    await db.execute(conn, WRITE_MARK, project_id, msgspec.to_builtins(mark))


async def figures(
    pool: db.Pool, project_id: str, club: Club, zone: ZoneInfo, first: date, last: date
) -> Figures:
    """The club from the day `first` to the day `last`, both included."""
    start, end = start_of_day(first, zone), start_of_day(last + timedelta(days=1), zone)
    said = await statement(pool, Scope(project_id, unit=club.card), zone.key, start, end)
    opening = sum(turn.opening for turn in said.turnovers if turn.account == OUTSTANDING)
    counted = {
        r["day"]: r["baskets"] for r in await db.records(pool, BASKETS, project_id, zone.key, start, end)
    }
    days = _days(first, last, said.lines, counted, opening)
    months = _months(days)
    for month in months:
        await _stand(pool, project_id, club, zone, month, last)
    return Figures(club.name, club.worth, club.levels, first, last, days, months)


def _days(
    first: date, last: date, lines: Sequence[Line], baskets: dict[date, int], opening: int
) -> list[Day]:
    days = {
        day: Day(day, baskets.get(day, 0))
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    }
    moved = dict.fromkeys(days, 0)
    for line in lines:
        day, credit = days[line.day], line.credit - line.debit
        match line.account:
            case "issued":
                day.earned -= credit
            case "redeemed":
                day.spent += credit
                day.purchases += line.entries
            case "expired":
                day.lapsed += credit
            case "outstanding":
                moved[line.day] += credit
            case _:
                pass
    for day in days.values():
        opening += moved[day.day]
        day.outstanding = opening
    return list(days.values())


def _months(days: Sequence[Day]) -> list[Month]:
    months: dict[date, Month] = {}
    for day in days:
        month = months.setdefault(day.day.replace(day=1), Month(day.day.replace(day=1)))
        month.baskets += day.baskets
        month.earned += day.earned
        month.spent += day.spent
        month.lapsed += day.lapsed
        month.purchases += day.purchases
        month.outstanding = day.outstanding
    return list(months.values())


async def _stand(
    pool: db.Pool, project_id: str, club: Club, zone: ZoneInfo, month: Month, last: date
) -> None:
    """Tiers at a month's end, or when the last day ended, and the proof of what was outstanding then."""
    following = (month.first + timedelta(days=31)).replace(day=1)
    begin, end = start_of_day(month.first, zone), start_of_day(min(following, last + timedelta(days=1)), zone)
    names: dict[str | None, str] = {tier_id: name for name, tier_id in club.tiers.items()}
    for record in await db.records(pool, TIERS, project_id, club.program, end):
        month.tiers[names[record["id"]]] = record["members"]
    for record in await db.records(pool, CHANGES, project_id, club.program, begin, end):
        month.up += record["times"] * (record["type"] in UP)
        month.down += record["times"] * (record["type"] in DOWN)
    month.proved = await db.value(pool, LAST_ENTRIES, project_id, club.card, end) == month.outstanding


def read_year(folder: Path) -> Figures | None:
    """The year that was left in a data folder, or None."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Figures)
    except (OSError, msgspec.MsgspecError):
        return None


def write_year(folder: Path, year: Figures) -> None:
    """Leave the year for the shop's pages."""
    partial = folder / f"{NAME}.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(year), indent=1))
    partial.replace(folder / NAME)
