"""The book of a transaction: cards under lock with their lots, and the entries made on them, written as sets.

Everybody who moves value opens a book with the cards concerned, acts on them with engine/ledger.py, enters what came
of it, and closes the book in the same transaction. Cards are locked after vouchers and before tallies, by id.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from guerdon.engine.ledger import Card, Entry, Lot, NotEnough, Part, SpendOrder, sealed
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue

LOOK = """
    select c.id, c.unit, c.campaign_id, c.balance, c.debt, c.seq, c.head, c.issued, c.redeemed, c.refunded, c.expired,
           c.removed, c.transferred, c.received, c.cashed_out, c.pinned, c.sale, k.options ->> 'spend_order' as spend_order
    from unnest($2::text[]) as w (id) join cards c on c.project_id = $1 and c.id = w.id
    left join campaigns k on k.project_id = $1 and k.id = c.campaign_id
    order by c.id
"""
LOCK = LOOK + " for update of c"

# Statements of their own, so that they see what whoever held the card before has left there.
LOTS = """
    select l.card_id, l.id, l.granted, l.remaining, l.created_at, l.starts_at, l.expires_at, l.entry_id, l.parent
    from unnest($2::text[]) as w (id) join card_lots l on l.project_id = $1 and l.card_id = w.id
    where l.remaining > 0
"""
SPENT_LOTS = """
    select l.card_id, l.id, l.granted, l.remaining, l.created_at, l.starts_at, l.expires_at, l.entry_id, l.parent
    from unnest($2::text[]) as w (id) join card_lots l on l.project_id = $1 and l.card_id = w.id
    where l.remaining = 0 and l.id = any($3::text[])
"""
# In the order to be spent, which is that of the index card_lots_left, without those that have ended. Sorted by no more
# than the index has, since a plan made for cards of few lots would rather read and sort them all.
FIRST_LOTS = """
    select l.card_id, l.id, l.granted, l.remaining, l.created_at, l.starts_at, l.expires_at, l.entry_id, l.parent
    from unnest($2::text[]) as w (id) cross join lateral (
        select o.* from card_lots o
        where o.project_id = $1 and o.card_id = w.id and o.remaining > 0 and coalesce(o.expires_at, 'infinity') > $3
        order by coalesce(o.expires_at, 'infinity'), o.created_at limit $4
    ) as l
"""
# What has ended but waits for the night: no part of what a card holds any more.
ENDED_LOTS = """
    select l.card_id, l.id, l.granted, l.remaining, l.created_at, l.starts_at, l.expires_at, l.entry_id, l.parent
    from unnest($2::text[]) as w (id) join card_lots l on l.project_id = $1 and l.card_id = w.id
    where l.remaining > 0 and coalesce(l.expires_at, 'infinity') <= $3
"""
FIRST, TIMES = 32, 8
"""How many lots of a card are read at first where not all are needed, and how many times as many if those are too few."""

OF_REDEMPTIONS = """
    select e.id, e.card_id, e.seq, e.type, e.amount, e.balance, e.total, e.parts, e.created_at as at, e.hash, e.related_id,
           e.redemption_id, e.order_id, e.cause_id
    from unnest($2::text[]) as w (id) join card_entries e on e.project_id = $1 and e.redemption_id = w.id
    order by e.card_id, e.seq
"""

WRITE_CARDS = """
    update cards c
    set balance = t.balance, debt = t.debt, seq = t.seq, head = t.head, issued = t.issued, redeemed = t.redeemed,
        refunded = t.refunded, expired = t.expired, removed = t.removed, transferred = t.transferred,
        received = t.received, cashed_out = t.cashed_out
    from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bigint[],
                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                $14::bigint[])
        as t (id, balance, debt, seq, head, issued, redeemed, refunded, expired, removed, transferred, received,
              cashed_out)
    where c.project_id = $1 and c.id = t.id
"""

WRITE_LOTS = """
    update card_lots l set remaining = t.remaining
    from unnest($2::text[], $3::text[], $4::bigint[]) as t (card_id, id, remaining)
    where l.project_id = $1 and l.card_id = t.card_id and l.id = t.id
"""

CARD_COLUMNS = (
    "project_id", "id", "unit", "campaign_id", "balance", "debt", "seq", "head", "issued", "redeemed", "refunded",
    "expired", "removed", "transferred", "received", "cashed_out", "opened_at", "sale",
)  # fmt: skip
OWN_END_COLUMNS = ("project_id", "card_id", "lot_id", "rule")
LOT_COLUMNS = (
    "project_id", "card_id", "id", "granted", "remaining", "created_at", "starts_at", "expires_at", "entry_id", "parent",
    "seal",
)  # fmt: skip
ENTRY_COLUMNS = (
    "project_id", "card_id", "seq", "id", "type", "amount", "balance", "total", "parts", "related_id", "redemption_id", "order_id",
    "cause_id", "unit", "campaign_id", "hash", "created_at",
)  # fmt: skip
NOTE_COLUMNS = ("project_id", "entry_id", "source_id", "reason", "source")

_PARTS = msgspec.json.Encoder()
_READ_PARTS = msgspec.json.Decoder(list[tuple[str, int]])


class Note(Struct, gc=False):
    """What somebody wrote about an entry."""

    entry_id: str
    source_id: str | None = None
    reason: str | None = None
    source: str | None = None


class Book(Struct):
    """Cards by id, and what was done to them since they were read. `campaigns` are those of the cards, `pinned` the
    cards that have a PIN, `sales` whether those that are made to be sold later were (AWAITED, SOLD, VOIDED), `kept` what
    sessions keep of cards where that was asked, `orders` in which order their lots are spent where the campaign says so,
    `own_ends` the cards and lots that do not end by their card's rule, with the rule that they end by instead.
    """

    cards: dict[str, Card] = field(default_factory=dict)
    campaigns: dict[str, str | None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    pinned: set[str] = field(default_factory=set)
    sales: dict[str, str] = field(default_factory=dict)
    orders: dict[str, SpendOrder] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    seen_lots: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    own_ends: list[tuple[str, str, Any]] = field(default_factory=list)

    def check_free(self, card: Card, asked: int, now: datetime) -> None:
        """Raise `NotEnough` where a card has not so much beside what sessions keep of it."""
        kept = self.kept.get(card.id, 0)
        if kept and card.available(now) - kept < asked:
            raise NotEnough(asked, max(0, card.available(now) - kept))

    def open(self, card_id: str, unit: str, campaign_id: str | None) -> Card:
        """A new card, with nothing on it."""
        assert card_id not in self.cards
        card = self.cards[card_id] = Card(id=card_id, unit=unit)
        self.campaigns[card_id] = campaign_id
        self.opened.add(card_id)
        return card

    def await_sale(self, card_id: str) -> None:
        """Note of a new card that it is worth nothing until somebody buys it."""
        assert card_id in self.opened
        self.sales[card_id] = "AWAITED"

    def order_of(self, card_id: str) -> SpendOrder:
        """In which order a card's lots are spent."""
        return self.orders.get(card_id, "SOONEST_EXPIRING")

    def end_apart(self, entry: Entry, rule: Any = None) -> None:
        """Note of what an entry grants that it ends by a rule of its own (plain values), or without one on its day."""
        self.own_ends.append((entry.card_id, entry.parts[0].lot, rule))

    def enter(self, entries: Iterable[Entry | None], note: Note | None = None) -> None:
        """Keep entries to be written; `note` is about each of them."""
        made = [entry for entry in entries if entry is not None]
        self.entries.extend(made)
        if note is not None:
            self.notes.extend(replace(note, entry_id=entry.id) for entry in made)


def entry_ids(lots: int = 1) -> list[tuple[str, str]]:
    """Ids for entries, each with one for the lot that it grants."""
    return [(new_id("card_entry"), new_id("lot")) for _ in range(lots)]


def more_ids() -> Iterator[tuple[str, str]]:
    """The same, as many as turn out to be needed."""
    while True:
        yield new_id("card_entry"), new_id("lot")


async def load(
    conn: db.Db, project_id: str, ids: Collection[str], *, lock: bool, lots: Collection[str] = ()
) -> Book:
    """The cards of these ids with the lots that hold something, and those named in `lots` besides.

    Ids that are no cards are left out. With `lock` nobody else moves anything on them until the transaction ends.
    """
    book = Book()
    if not ids:
        return book
    await add(conn, project_id, book, ids, lock=lock, lots=lots)
    return book


async def add(
    conn: db.Db, project_id: str, book: Book, ids: Collection[str], *, lock: bool, lots: Collection[str] = ()
) -> None:
    """Read more cards into a book. Under `lock` all cards of a transaction are to be read at once."""
    await add_cards(conn, project_id, book, ids, lock=lock)
    await add_lots(conn, project_id, book, [name for name in ids if name in book.cards], lots)


async def add_cards(conn: db.Db, project_id: str, book: Book, ids: Collection[str], *, lock: bool) -> None:
    """Read cards without their lots: `add_lots` or `add_first_lots` is to follow, once they are locked."""
    if not ids:
        return
    for record in await db.records(conn, LOCK if lock else LOOK, project_id, sorted(ids)):
        card = dict(record)
        book.campaigns[card["id"]] = card.pop("campaign_id")
        if card.pop("pinned"):
            book.pinned.add(card["id"])
        if (sale := card.pop("sale")) is not None:
            book.sales[card["id"]] = sale
        if (order := card.pop("spend_order")) is not None:
            book.orders[card["id"]] = order
        book.cards[card["id"]] = Card(**card)


async def add_lots(
    conn: db.Db, project_id: str, book: Book, ids: list[str], lots: Collection[str] = ()
) -> None:
    """Read the lots of cards that hold something, and those named in `lots` besides."""
    if not ids:
        return
    for record in await db.records(conn, LOTS, project_id, ids):
        _add_lot(book, record)
    if lots:
        for record in await db.records(conn, SPENT_LOTS, project_id, ids, list(lots)):
            _add_lot(book, record)


async def add_first_lots(
    conn: db.Db, project_id: str, book: Book, reach: Mapping[str, int], now: datetime
) -> None:
    """Read as many lots of each card, the soonest to end first, as hold what may be taken of it: `reach`, by card.

    So a card of ten thousand lots costs no more than one of ten. It is enough for granting and spending, in the
    order of what ends the soonest.
    """
    for name, amount in reach.items():
        book.cards[name].reach = amount
    wanting = [name for name, amount in reach.items() if amount]
    limit = FIRST
    while wanting:
        read = dict.fromkeys(wanting, 0)
        for record in await db.records(conn, FIRST_LOTS, project_id, wanting, now, limit):
            _add_lot(book, record)
            read[record["card_id"]] += 1
        more = [name for name in wanting if read[name] == limit]
        wanting = [name for name in more if book.cards[name].available(now) < reach[name]]
        limit *= TIMES


async def add_ended_lots(conn: db.Db, project_id: str, book: Book, now: datetime) -> None:
    """Read no lots of the book's cards but those that have ended: enough for granting, and to say what they hold."""
    for card in book.cards.values():
        card.reach = 0
    for record in await db.records(conn, ENDED_LOTS, project_id, list(book.cards), now):
        _add_lot(book, record)


def _add_lot(book: Book, record: db.Record) -> None:
    row = dict(record)
    card = book.cards[row.pop("card_id")]
    lot = card.lots[row["id"]] = Lot(**row)
    book.seen_lots[lot.id] = lot.remaining


async def entries_of(conn: db.Db, project_id: str, redemption_ids: Collection[str]) -> list[Entry]:
    """The entries that redemptions and their rollbacks made, in the order they were made on each card."""
    found: list[Entry] = []
    for record in await db.records(conn, OF_REDEMPTIONS, project_id, list(redemption_ids)):
        row = dict(record)
        row["parts"] = tuple(Part(lot, amount) for lot, amount in _READ_PARTS.decode(row["parts"]))
        found.append(Entry(**row))
    return found


async def write(conn: db.Conn, project_id: str, book: Book, now: datetime, *, follow: bool = True) -> None:
    """Write what was done. The tables' CHECKs say once more that it adds up.

    Unless somebody else looks after that, members' tiers `follow` what happened to their points, by a job.
    """
    if not book.entries and not book.opened:
        return
    touched = {entry.card_id for entry in book.entries}
    opened = [card for name, card in sorted(book.cards.items()) if name in book.opened]
    if opened:
        rows = [
            (project_id, c.id, c.unit, book.campaigns[c.id], *_sums(c), now, book.sales.get(c.id))
            for c in opened
        ]
        await db.insert(conn, "cards", CARD_COLUMNS, rows)
    changed = [card for name, card in sorted(book.cards.items()) if name in touched - book.opened]
    if changed:
        columns = [list(column) for column in zip(*(_sums(card) for card in changed), strict=True)]
        await db.execute(conn, WRITE_CARDS, project_id, [card.id for card in changed], *columns)
    await _write_lots(conn, project_id, [*opened, *changed], book)
    rows = [
        (
            project_id, e.card_id, e.seq, e.id, e.type, e.amount, e.balance, e.total,
            _PARTS.encode([(part.lot, part.amount) for part in e.parts]).decode(), e.related_id, e.redemption_id,
            e.order_id, e.cause_id, book.cards[e.card_id].unit, book.campaigns[e.card_id], e.hash, e.at,
        )
        for e in book.entries
    ]  # fmt: skip
    await db.insert(conn, "card_entries", ENTRY_COLUMNS, rows)
    if book.own_ends:
        await db.insert(
            conn, "card_lot_rules", OWN_END_COLUMNS, [(project_id, *one) for one in book.own_ends]
        )
        book.own_ends.clear()
    if follow:
        await _follow(conn, project_id, book, now)
    if book.notes:
        notes = [(project_id, n.entry_id, n.source_id, n.reason, n.source) for n in book.notes]
        await db.insert(conn, "card_notes", NOTE_COLUMNS, notes)


async def _follow(conn: db.Conn, project_id: str, book: Book, now: datetime) -> None:
    """Have tiers decided anew where points moved, and let go what came back into lots that had ended."""
    points = [entry for entry in book.entries if book.cards[entry.card_id].unit != "credits"]
    jobs: list[tuple[str, dict[str, Any]]] = []
    if points:
        used = [entry for entry in points if entry.type == "POINTS_REDEMPTION"]
        uses = [(entry.card_id, -entry.amount, entry.redemption_id) for entry in used]
        spent = sorted({entry.card_id for entry in used})
        told = {
            "cards": sorted({entry.card_id for entry in points}), "spent": spent, "uses": uses,
            "at": now.isoformat(),
        }  # fmt: skip
        jobs.append(("loyalty.follow", told))
    late = {entry.card_id for entry in book.entries if entry.amount > 0 and _ended(book, entry, now)}
    if late:
        jobs.append(("cards.lapse", {"cards": sorted(late)}))
    for kind, payload in jobs:
        await enqueue(conn, project_id, kind, payload)


def _ended(book: Book, entry: Entry, now: datetime) -> bool:
    lots = (book.cards[entry.card_id].lots.get(part.lot) for part in entry.parts)
    return any(lot is not None and lot.expires_at is not None and lot.expires_at <= now for lot in lots)


def _sums(card: Card) -> tuple[int | bytes, ...]:
    return (
        card.balance, card.debt, card.seq, card.head, card.issued, card.redeemed, card.refunded, card.expired,
        card.removed, card.transferred, card.received, card.cashed_out,
    )  # fmt: skip


async def _write_lots(conn: db.Conn, project_id: str, cards: list[Card], book: Book) -> None:
    new: list[tuple[object, ...]] = []
    moved: list[tuple[str, str, int]] = []
    for card in cards:
        for lot in card.lots.values():
            before = book.seen_lots.get(lot.id)
            if before is None:
                new.append(
                    (
                        project_id, card.id, lot.id, lot.granted, lot.remaining, lot.created_at, lot.starts_at,
                        lot.expires_at, lot.entry_id, lot.parent, sealed(card.id, lot),
                    )
                )  # fmt: skip
            elif before != lot.remaining:
                moved.append((card.id, lot.id, lot.remaining))
    if new:
        await db.insert(conn, "card_lots", LOT_COLUMNS, new)
    if moved:
        card_ids, lots, remaining = zip(*sorted(moved), strict=True)
        await db.execute(conn, WRITE_LOTS, project_id, list(card_ids), list(lots), list(remaining))
