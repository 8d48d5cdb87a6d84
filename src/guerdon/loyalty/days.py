"""What happens in programs, added up by day of the project's zone, for reports.

Whoever makes something happen tells a `Days`, which is written in the same transaction as rows of its own: nobody
waits for anybody, and what is committed is counted, once. A job folds these rows into one for the day and one for all
days. A report adds up what it finds, folded or not, so it is exact at any moment.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final, Literal

from msgspec import Struct, field

from guerdon.engine.earning_rule import EarningReason, Earnings
from guerdon.engine.ledger import Entry
from guerdon.engine.periods import local_day
from guerdon.engine.tier import Change
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import Work
from guerdon.loyalty.members_store import CardRow
from guerdon.loyalty.place import Place

Kind = Literal["rule", "earning", "spending", "tier"]
FOLD: Final = "loyalty.days"
ALL_DAYS: Final = date(1, 1, 1)
"""The day under which the sum of all days stands."""
COUNTS: Final = 5
MOST = 5000

TIER_COUNTS: Final = ("joined", "upgraded", "downgraded", "left", "prolonged")
PURCHASE: Final = "lrtx_"
"""How the ids of rewards' purchases begin, which entries name as their cause."""

COLUMNS = (
    "project_id", "program_id", "kind", "day", "part_id", "item_id", "definition_id", "id", "counts",
)  # fmt: skip
TO_FOLD = """
    select p.id from projects p
    where exists (select from loyalty_days d where d.project_id = p.id and d.id <> '') order by p.id
"""
# Each row counts for its day and for all days.
FOLD_SOME = """
    with gone as (
        delete from loyalty_days d using (
            select n.program_id, n.kind, n.day, n.part_id, n.item_id, n.definition_id, n.id from loyalty_days n
            where n.project_id = $1 and n.id <> '' limit $2 for update skip locked
        ) n
        where d.project_id = $1 and d.program_id = n.program_id and d.kind = n.kind and d.day = n.day
          and d.part_id = n.part_id and d.item_id = n.item_id and d.definition_id = n.definition_id and d.id = n.id
        returning d.*
    ), summed as (
        select g.program_id, g.kind, w.day, g.part_id, g.item_id, g.definition_id,
               array[sum(g.counts[1]), sum(g.counts[2]), sum(g.counts[3]), sum(g.counts[4]), sum(g.counts[5])]::bigint[]
                   as counts
        from gone g cross join lateral (values (g.day), ($3::date)) as w (day)
        group by 1, 2, 3, 4, 5, 6
    ), kept as (
        insert into loyalty_days as d (project_id, program_id, kind, day, part_id, item_id, definition_id, counts)
        select $1, s.program_id, s.kind, s.day, s.part_id, s.item_id, s.definition_id, s.counts from summed s
        order by 2, 3, 4, 5, 6, 7
        on conflict (project_id, program_id, kind, day, part_id, item_id, definition_id, id) do update
        set counts = array[
            d.counts[1] + excluded.counts[1], d.counts[2] + excluded.counts[2], d.counts[3] + excluded.counts[3],
            d.counts[4] + excluded.counts[4], d.counts[5] + excluded.counts[5]
        ]
    )
    select count(*) from gone
"""

Key = tuple[str, Kind, date, str, str, str]


class Days(Struct):
    """What happened in a transaction: counts by program, kind, day, part, item and card definition."""

    counts: dict[Key, list[int]] = field(default_factory=dict)

    def add(
        self, program_id: str, kind: Kind, day: date, counts: Iterable[int], *, part: str = "", item: str = "",
        definition: str = "",
    ) -> None:  # fmt: skip
        """Add counts, in the order of the table; those behind the last one given are none."""
        kept = self.counts.setdefault((program_id, kind, day, part, item, definition), [0] * COUNTS)
        for place, count in enumerate(counts):
            kept[place] += count

    def earned(self, place: Place, program_id: str, answer: Earnings) -> None:
        """What rules gave, and which gave nothing since they rest or were set off as often as may be."""
        day = local_day(place.now, place.zone)
        for rule_id in answer.triggered:
            self.add(program_id, "rule", day, (1,), part=rule_id)
        for outcome in answer.outcomes:
            if outcome.reason is EarningReason.COOLDOWN:
                self.add(program_id, "rule", day, (0, 1), part=outcome.rule_id)
            elif outcome.reason is EarningReason.FREQUENCY:
                self.add(program_id, "rule", day, (0, 0, 1), part=outcome.rule_id)
        for each in answer.earned:
            at_once, waits = (0, each.points) if each.activation.pending else (each.points, 0)
            self.add(
                program_id, "earning", day, (1, at_once, waits),
                part=each.rule_id, item=each.earning_id, definition=each.card,
            )  # fmt: skip

    def spent(self, place: Place, card: CardRow, entries: Iterable[Entry]) -> None:
        """Entries of a card that spend points: on rewards where a purchase is the cause, else on orders."""
        for entry in entries:
            if entry.type == "POINTS_REDEMPTION":
                on_reward = (entry.cause_id or "").startswith(PURCHASE)
                self.spend(place, card, -entry.amount, entry.at, on_reward=on_reward)

    def spend(
        self,
        place: Place,
        card: CardRow,
        points: int,
        at: datetime,
        *,
        on_reward: bool = False,
        amount: int = 0,
    ) -> None:
        """Points of a card that were spent; `amount` is what they paid of an order, in minor units."""
        counts = (1, points) if on_reward else (0, 0, 1, points, amount)
        day = local_day(at, place.zone)
        self.add(card.program_id, "spending", day, counts, definition=card.definition_id)

    def paid(self, place: Place, card: CardRow, amount: int) -> None:
        """An amount of an order, in minor units, that points of a card paid."""
        day = local_day(place.now, place.zone)
        self.add(card.program_id, "spending", day, (0, 0, 0, 0, amount), definition=card.definition_id)

    def tier(self, place: Place, program_id: str, structure_id: str, change: Change) -> None:
        """A member's way into a tier, or out of it."""
        counts = [int(change.event == name) for name in TIER_COUNTS]
        item = change.tier_to or change.tier_from or ""
        day = local_day(place.now, place.zone)
        self.add(program_id, "tier", day, counts, part=structure_id, item=item)


async def write(conn: db.Conn, project_id: str, days: Days) -> None:
    """Write what happened, in the transaction in which it did."""
    if days.counts:
        await db.insert(conn, "loyalty_days", COLUMNS, _rows(project_id, days))
        days.counts.clear()


def _rows(project_id: str, days: Days) -> Iterator[tuple[object, ...]]:
    row_id = new_id("earning")
    for key, counts in days.counts.items():
        yield (project_id, *key, row_id, counts)


async def fold(pool: db.Pool, project_id: str) -> int:
    """Fold a project's new rows into sums; how many there were."""
    folded = 0
    while True:
        async with db.transaction(pool) as conn:
            some = await db.value(conn, FOLD_SOME, project_id, MOST, ALL_DAYS)
        folded += some
        if some < MOST:
            return folded


async def tick(work: Work) -> None:
    """Fold what is new of all projects."""
    for record in await db.records(work.pool, TO_FOLD):
        await fold(work.pool, record["id"])
