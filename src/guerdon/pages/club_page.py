"""/demo/club: what the shop's club owes, drawn; and the year, where `guerdon demo --year` left one."""

from datetime import date
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.kit import clock, db
from guerdon.kit.call import Call, Reply
from guerdon.pages import club, demo_file
from guerdon.pages.chart import Drawing, drawing
from guerdon.pages.club import Figures, Month
from guerdon.pages.page import page

WIDE, NARROW = 1080, 356


class Row(Struct):
    """A month as the table has it."""

    month: str
    baskets: str
    earned: str
    spent: str
    lapsed: str
    tiers: list[str]
    outstanding: str
    owed: str
    proved: bool


class Part(Struct):
    """A time of the club: in a sentence, drawn for wide and narrow windows, and as a table."""

    id: str
    title: str
    text: str
    tiers: list[str]
    wide: Drawing
    narrow: Drawing
    rows: list[Row]


async def read_club(call: Call) -> Reply:
    """The club's figures."""
    settings = call.state.settings
    if not settings.demo:
        return page("closed.html", 404)
    parts: list[Part] = []
    shop = await _shop(call.state.pool, demo_file.read(settings.data_path))
    if shop is not None:
        parts.append(part_of("shop", "The shop that is open", shop))
    year = club.read_year(settings.data_path)
    if year is not None:
        parts.append(part_of("year", "A year, on its own dates", year))
    return page("club.html", parts=parts, year=year is not None)


async def _shop(pool: db.Pool, file: demo_file.DemoFile | None) -> Figures | None:
    if file is None:
        return None
    mark = await club.read_mark(pool, file.project_id)
    if mark is None or mark.club is None or mark.done is None:
        return None
    zone = ZoneInfo(file.timezone)
    today = (await clock.database_now(pool)).astimezone(zone).date()
    return await club.figures(pool, file.project_id, mark.club, zone, mark.first, max(today, mark.done))


def part_of(name: str, title: str, said: Figures) -> Part:
    """Figures as the page shows them."""
    earned, spent, lapsed = (
        sum(getattr(day, kind) for day in said.days) for kind in ("earned", "spent", "lapsed")
    )
    left = said.days[-1].outstanding
    text = (
        f"{sum(day.baskets for day in said.days):,} baskets from {_day(said.first)} to {_day(said.last)} earned "
        f"{earned:,} points. {spent:,} of them bought {sum(day.purchases for day in said.days):,} rewards, {lapsed:,} "
        f"lapsed, and {left:,} are outstanding: {_money(left * said.worth)} that the shop owes."
    )
    return Part(
        id=name,
        title=title,
        text=text,
        tiers=said.tiers,
        wide=drawing(said.days, WIDE),
        narrow=drawing(said.days, NARROW),
        rows=[_row(month, said) for month in said.months],
    )


def _row(month: Month, said: Figures) -> Row:
    return Row(
        month=f"{month.first:%b %Y}",
        baskets=f"{month.baskets:,}",
        earned=f"{month.earned:,}",
        spent=f"{month.spent:,}",
        lapsed=f"{month.lapsed:,}",
        tiers=[f"{month.tiers.get(name, 0):,}" for name in said.tiers],
        outstanding=f"{month.outstanding:,}",
        owed=_money(month.outstanding * said.worth),
        proved=month.proved,
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _money(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}"
