"""The club from day to day: at midnight what the nightly run does, then the day's baskets earn.

Each day's baskets are one transaction with the mark that says so; nights find out by themselves what is left of them.
So a run that was cut off goes on where it was. All of it goes through what orders and the nightly run go through, at
an instant that is told: the books are what they would be had the shop been open then.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from guerdon.demo.club import store
from guerdon.demo.club.store import Paid
from guerdon.demo.club.taking import take
from guerdon.engine.opening import start_of_day
from guerdon.kit import db
from guerdon.loyalty import night
from guerdon.loyalty.earn import earn_at
from guerdon.loyalty.enrol import NewMember, enrol
from guerdon.loyalty.place import Place, held_place
from guerdon.pages import club as figures
from guerdon.pages.club import Club, Mark

CLOSING = time(23, 59)
"""When a day's baskets are decided on; each is judged by the hour it was paid in."""
STEP = 2_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Bring = Callable[[db.Conn, date], Awaitable[None]]
"""Writes a day's orders, where they are not there yet."""
Tell = Callable[[int, int], None]
"""Told how many days are done, and how many there are."""


class NightsBeside(RuntimeError):
    """A worker ran its nights on the same project, so the past cannot be run any more."""


class Days:
    """One run over the days of a mark: does those that are left."""

    def __init__(self, pool: db.Pool, project_id: str, zone: ZoneInfo, mark: Mark, tell: Tell) -> None:
        self.pool = pool
        self.project_id = project_id
        self.zone = zone
        self.mark = mark
        self.tell = tell
        self.members: dict[str, str] = {}

    async def run(self, bring: Bring | None = None) -> None:
        """Do what is left to do. Raises `NightsBeside`."""
        mark, club = self.mark, self.mark.club
        assert club is not None, "the club is made before its days"
        if await store.run_later(self.pool, self.project_id, mark.last):
            raise NightsBeside
        midnight = datetime.combine(mark.first, time(), self.zone)
        await store.begin(self.pool, self.project_id, club.program, midnight)
        self.members = await store.members(self.pool, self.project_id, club.program)
        whole = (mark.last - mark.first).days + 1
        day = mark.first if mark.done is None else mark.done + timedelta(days=1)
        if mark.done != mark.taken and mark.done is not None:
            await self._take(club, mark.done)
        while day <= mark.last:
            self.tell((day - mark.first).days, whole)
            await run_night(self.pool, self.project_id, self.zone, day)
            await self._earn(club, day, bring)
            await self._take(club, day)
            day += timedelta(days=1)
        self.tell(whole, whole)

    async def _earn(self, club: Club, day: date, bring: Bring | None) -> None:
        done = replace(self.mark, done=day)
        async with db.transaction(self.pool) as conn:
            place = await place_at(conn, self.project_id, datetime.combine(day, CLOSING, self.zone))
            if bring is not None:
                await bring(conn, day)
            paid = await self._paid(conn, day)
            joined = await self._join(conn, place, club, paid)
            await earn_at(conn, place, [(one.id, {"order_id": one.id}, one.at) for one in paid])
            await figures.write_mark(conn, self.project_id, done)
        self.mark = done
        self.members |= joined

    async def _take(self, club: Club, day: date) -> None:
        """Rewards are taken behind the till, half a minute later."""
        done = replace(self.mark, taken=day)
        async with db.transaction(self.pool) as conn:
            at = datetime.combine(day, CLOSING, self.zone) + timedelta(seconds=30)
            place = await place_at(conn, self.project_id, at)
            await take(conn, place, club, self.members, await self._paid(conn, day), self.mark.seed)
            await figures.write_mark(conn, self.project_id, done)
        self.mark = done

    async def _paid(self, conn: db.Conn, day: date) -> list[Paid]:
        start, end = start_of_day(day, self.zone), start_of_day(day + timedelta(days=1), self.zone)
        return await store.orders(conn, self.project_id, start, end)

    async def _join(self, conn: db.Conn, place: Place, club: Club, paid: Sequence[Paid]) -> dict[str, str]:
        """Every household joins with its first basket."""
        new = [name for name in dict.fromkeys(one.customer_id for one in paid) if name not in self.members]
        program = place.program(club.program)
        assert program is not None, "the club's program is there"
        made = await enrol(conn, place, program, [NewMember(customer_id=name) for name in new])
        return {member.customer_id: member.id for member in made}


async def place_at(conn: db.Conn, project_id: str, at: datetime) -> Place:
    """The project at an instant that is told."""
    return replace(await held_place(conn, project_id), now=at)


async def run_night(pool: db.Pool, project_id: str, zone: ZoneInfo, day: date) -> None:
    """The night in which a day begins, unless it is done."""
    if await db.value(pool, night.IS_DONE, project_id, day):
        return
    cutoff = start_of_day(day, zone)
    last = await db.value(pool, night.BEFORE, project_id, day) or BEGINNING
    done: dict[str, int] = {}
    for phase in night.PHASES:
        first = last if phase.since_last else BEGINNING
        at, after = first, ""
        while due := await db.records(pool, phase.due, project_id, cutoff, at, after, STEP):
            async with db.transaction(pool) as conn:
                count = await phase.do(conn, await place_at(conn, project_id, cutoff), due)
            done[phase.name] = done.get(phase.name, 0) + count
            at, after = first if phase.by_id else due[-1]["at"], due[-1]["id"]
    await db.execute(pool, night.DONE, project_id, day, cutoff, done)
