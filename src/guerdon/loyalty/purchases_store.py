"""The rows of purchases, what limits them, and the stock of rewards."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct, field

from guerdon.kit import db

COLUMNS: LiteralString = (
    "p.id, p.program_id, p.member_id, p.card_id, p.reward_id, p.type, p.status, p.points, p.entry_id, p.purchase_id,"
    " p.details, p.channel, p.redemption_id, p.given, p.created_at, p.updated_at"
)
FIND: LiteralString = f"select {COLUMNS} from loyalty_purchases p where p.project_id = $1 and p.id = $2"
LOCK: LiteralString = FIND + " for update"
OF_REDEMPTIONS: LiteralString = f"""
    select {COLUMNS} from loyalty_purchases p
    where p.project_id = $1 and p.redemption_id = any($2) and p.type = 'PURCHASE' order by p.id
"""
LOCK_ALL: LiteralString = f"""
    select {COLUMNS} from loyalty_purchases p
    where p.project_id = $1 and p.id = any($2) and p.type = 'PURCHASE' and p.redemption_id is not null
    order by p.id for update
"""
INSERT_COLUMNS = (
    "project_id", "id", "program_id", "member_id", "card_id", "reward_id", "type", "status", "points", "entry_id",
    "purchase_id", "details", "channel", "redemption_id", "given", "created_at", "updated_at",
)  # fmt: skip
SETTLE = """
    update loyalty_purchases p set status = $3, details = $4, updated_at = $5 where p.project_id = $1 and p.id = $2
"""

# What members bought of rewards since an instant each, and when the last time was.
BEFORE = """
    select p.member_id, p.reward_id, max(p.created_at) as last,
           count(*) filter (where p.created_at >= w.since) as count
    from unnest($2::text[], $3::text[], $4::timestamptz[]) as w (member_id, reward_id, since)
    join loyalty_purchases p on p.project_id = $1 and p.member_id = w.member_id and p.reward_id = w.reward_id
    where p.type = 'PURCHASE' and p.status in ('PENDING', 'PROCESSING', 'APPROVED')
    group by p.member_id, p.reward_id
"""
# What cards spent since an instant each, less what came back of it.
SPENT = """
    select w.card_id, coalesce(sum(-e.amount), 0)::bigint as points
    from unnest($2::text[], $3::timestamptz[]) as w (card_id, since)
    join card_entries e on e.project_id = $1 and e.card_id = w.card_id and e.created_at >= w.since
    where e.type in ('POINTS_REDEMPTION', 'POINTS_REFUND')
    group by w.card_id
"""
# What sessions keep of cards; theirs alone may spend it.
KEPT = """
    select h.held, sum(h.amount)::bigint as amount from unnest($2::text[]) as w (held)
    join session_holds h on h.project_id = $1 and h.held = w.held
    where h.expires_at > $3 group by h.held
"""

STOCK = """
    select a.program_id, a.part_id, a.stock, a.redeemed from unnest($2::text[], $3::text[]) as w (program_id, part_id)
    join loyalty_assignments a on a.project_id = $1 and a.program_id = w.program_id and a.part_id = w.part_id
    order by a.program_id, a.part_id for update of a
"""
TAKEN = "select p.id, p.taken from loyalty_parts p where p.project_id = $1 and p.id = any($2) order by p.id for update"
TAKE = """
    update loyalty_assignments a set redeemed = greatest(a.redeemed + w.count, 0)
    from unnest($2::text[], $3::text[], $4::bigint[]) as w (program_id, part_id, count)
    where a.project_id = $1 and a.program_id = w.program_id and a.part_id = w.part_id
"""
TAKE_PARTS = """
    update loyalty_parts p set taken = greatest(p.taken + w.count, 0)
    from unnest($2::text[], $3::bigint[]) as w (id, count) where p.project_id = $1 and p.id = w.id
"""


class PurchaseRow(Struct, kw_only=True):
    """A row of `loyalty_purchases`."""

    id: str
    program_id: str
    member_id: str
    card_id: str
    reward_id: str
    type: str
    status: str
    points: int
    entry_id: str | None
    purchase_id: str | None
    details: dict[str, Any]
    channel: str
    redemption_id: str | None
    given: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class Before(Struct):
    """How often a member bought a reward in its period, and when last."""

    count: int
    last: datetime


class Stock(Struct):
    """What is left of rewards, under lock: by program and reward, and of those that all programs share. `counts` is
    what is to be written: how many more are gone.
    """

    of: dict[tuple[str, str], tuple[int | None, int]] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def left(self, program_id: str, reward_id: str, most: int | None) -> int | None:
        """How many may still be had, `most` being the stock that programs share; None for no end of them."""
        stock, gone = self.of.get((program_id, reward_id), (None, 0))
        key = (program_id, reward_id)
        lefts = [] if stock is None else [stock - gone - self.counts.get(key, 0)]
        if most is not None and reward_id in self.shared:
            taken = sum(count for (_, part_id), count in self.counts.items() if part_id == reward_id)
            lefts.append(most - self.shared[reward_id] - taken)
        return min(lefts, default=None)

    def take(self, program_id: str, reward_id: str, count: int = 1) -> None:
        """One more is gone, or so many."""
        key = (program_id, reward_id)
        self.counts[key] = self.counts.get(key, 0) + count


async def find(conn: db.Db, project_id: str, purchase_id: str, *, lock: bool = False) -> PurchaseRow | None:
    """A purchase or refund."""
    return await db.row(conn, PurchaseRow, LOCK if lock else FIND, project_id, purchase_id)


async def of_redemptions(conn: db.Db, project_id: str, ids: Collection[str]) -> list[PurchaseRow]:
    """The purchases that redemptions stand for."""
    return await db.rows(conn, PurchaseRow, OF_REDEMPTIONS, project_id, list(ids))


async def lock_all(conn: db.Conn, project_id: str, ids: Collection[str]) -> list[PurchaseRow]:
    """Those of the purchases that redemptions stand for, locked."""
    return await db.rows(conn, PurchaseRow, LOCK_ALL, project_id, sorted(ids))


async def insert(conn: db.Conn, project_id: str, rows: Sequence[PurchaseRow]) -> None:
    """Write new purchases and refunds."""
    if rows:
        await db.insert(
            conn, "loyalty_purchases", INSERT_COLUMNS,
            [
                (project_id, r.id, r.program_id, r.member_id, r.card_id, r.reward_id, r.type, r.status, r.points,
                 r.entry_id, r.purchase_id, r.details, r.channel, r.redemption_id, r.given, r.created_at, r.updated_at)
                for r in rows
            ],
        )  # fmt: skip


async def settle(conn: db.Conn, project_id: str, row: PurchaseRow) -> None:
    """Write what became of a purchase."""
    await db.execute(conn, SETTLE, project_id, row.id, row.status, row.details, row.updated_at)


async def before(
    conn: db.Db, project_id: str, asked: Mapping[tuple[str, str], datetime]
) -> dict[tuple[str, str], Before]:
    """What members (by member and reward) bought since an instant each."""
    if not asked:
        return {}
    members, rewards = zip(*asked, strict=True)
    records = await db.records(conn, BEFORE, project_id, list(members), list(rewards), list(asked.values()))
    return {(r["member_id"], r["reward_id"]): Before(r["count"], r["last"]) for r in records}


async def spent(conn: db.Db, project_id: str, since: Mapping[str, datetime]) -> dict[str, int]:
    """What cards spent since an instant each."""
    if not since:
        return {}
    records = await db.records(conn, SPENT, project_id, list(since), list(since.values()))
    return {record["card_id"]: record["points"] for record in records}


async def kept(conn: db.Db, project_id: str, cards: Collection[str], now: datetime) -> dict[str, int]:
    """What sessions keep of cards."""
    if not cards:
        return {}
    names = [f"c:{card_id}" for card_id in sorted(cards)]
    records = await db.records(conn, KEPT, project_id, names, now)
    return {record["held"][2:]: record["amount"] for record in records}


async def lock_stock(
    conn: db.Conn, project_id: str, pairs: Collection[tuple[str, str]], shared: Collection[str]
) -> Stock:
    """The stock of rewards in programs, nobody else's until the transaction ends; after the ledger's cards."""
    found = Stock()
    if shared:
        for record in await db.records(conn, TAKEN, project_id, sorted(shared)):
            found.shared[record["id"]] = record["taken"]
    programs, parts = zip(*sorted(pairs), strict=True)
    for record in await db.records(conn, STOCK, project_id, list(programs), list(parts)):
        found.of[record["program_id"], record["part_id"]] = (record["stock"], record["redeemed"])
    return found


async def write_stock(conn: db.Conn, project_id: str, stock: Stock) -> None:
    """Write what was taken."""
    taken = sorted((*key, count) for key, count in stock.counts.items() if count)
    if not taken:
        return
    programs, parts, counts = zip(*taken, strict=True)
    await db.execute(conn, TAKE, project_id, list(programs), list(parts), list(counts))
    shared = [(part, count) for _, part, count in taken if part in stock.shared]
    if shared:
        totals: dict[str, int] = {}
        for part, count in shared:
            totals[part] = totals.get(part, 0) + count
        await db.execute(conn, TAKE_PARTS, project_id, list(totals), list(totals.values()))
