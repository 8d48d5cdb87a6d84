"""What everything about points is decided on: the project, the instant, its programs; and the names of both faces."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.definitions.changes import hold
from guerdon.definitions.snapshot import Snapshot, Snapshots
from guerdon.engine.money import exponent_of
from guerdon.engine.terms import Terms
from guerdon.engine.window import check_times
from guerdon.kit import db
from guerdon.loyalty import compiled
from guerdon.loyalty.compiled import Program

PROJECT = """
    select clock_timestamp() as now, timezone, week_start, currency, case_sensitive_codes, config_version
    from projects where id = $1
"""

LAST = timedelta(seconds=1)
"""Of the day, before midnight."""

SNAPSHOTS = Snapshots(frozenset(("loyalty", "segment", "collection", "rule", "assignment")))
"""Those of this process, without the promotions and campaigns that points have no use for."""


class Place(Struct, kw_only=True):
    """One project at one instant of the database's clock. `midnight` is there in that part of the night which comes
    before points lapse.
    """

    project_id: str
    now: datetime
    zone: ZoneInfo
    week_start: int
    exponent: int
    case_sensitive: bool
    snapshot: Snapshot
    midnight: datetime | None = None

    @property
    def open_at(self) -> datetime:
        """The instant that says what lapsed: until the night takes it off, what ends with the day is still there."""
        return self.now if self.midnight is None else self.midnight - LAST

    def program(self, program_id: str) -> Program | None:
        """A program by its id."""
        return compiled.program(self.snapshot, program_id)


async def place_of(conn: db.Db, project_id: str) -> Place:
    """The project as it is now."""
    record = (await db.records(conn, PROJECT, project_id))[0]
    return Place(
        project_id=project_id,
        now=record["now"],
        zone=ZoneInfo(record["timezone"]),
        week_start=record["week_start"],
        exponent=exponent_of(record["currency"]),
        case_sensitive=record["case_sensitive_codes"],
        snapshot=await SNAPSHOTS.at(conn, project_id, record["config_version"]),
    )


async def held_place(conn: db.Conn, project_id: str) -> Place:
    """The same, its definitions held still until the transaction ends. Before any other lock is taken."""
    await hold(conn, project_id)
    return await place_of(conn, project_id)


def running(program: Program, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a program takes part in what happened at an instant: active, and within its dates and hours."""
    return program.active and (program.terms == Terms() or check_times(program.terms, at, zone) is None)


def suffix(name: str) -> str:
    """What all names of one thing have in common, behind the prefix."""
    return name.partition("_")[2]


def campaign_id(program_id: str) -> str:
    """How the older API calls a program."""
    return "camp_" + suffix(program_id)


def shown_card(card_id: str) -> str:
    """How v2 calls a card, which elsewhere is its voucher."""
    return "lcrd_" + suffix(card_id)


def stored_card(card_id: str) -> str:
    """The card's voucher, by its name in v2."""
    return "v_" + suffix(card_id)
