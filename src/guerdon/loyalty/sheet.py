"""A sheet: members and their cards under lock, and everything that is done to their points, written as sets.

Whoever moves points of members opens one with whom it concerns, acts, and closes it in the same transaction. Locks
are taken in the order of the house: orders before members, members before the ledger's cards, those before tallies.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from guerdon.engine.expiry import Expiry, Sliding, renewed
from guerdon.engine.ledger import Card, Entry, Why, grant, sealed
from guerdon.kit import db, outbox
from guerdon.kit.clock import iso
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.jobs import enqueue
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.ledger.book import Book, entry_ids
from guerdon.loyalty import days, members_store
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.days import Days
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place

EARNING_COLUMNS = (
    "project_id", "id", "card_id", "program_id", "definition_id", "member_id", "rule_id", "earning_id", "effect",
    "cause_id", "order_id", "points", "entry_id", "lot_id", "pending_id", "active_at", "happened_at", "tier_id", "basis",
    "created_at",
)  # fmt: skip
PENDING_COLUMNS = (
    "project_id", "id", "card_id", "program_id", "definition_id", "member_id", "points", "type", "activates_at",
    "cancels_at", "events", "expiry", "earning_id", "order_id", "cause_id", "created_at",
)  # fmt: skip
MOVE_COLUMNS = ("project_id", "id", "card_id", "pending_id", "type", "points", "by_hand", "created_at")

AUTO_REDEEM = "loyalty.auto_redeem"

COUNT = """
    update loyalty_cards c
    set ever_pending = c.ever_pending + t.waits, activated = c.activated + t.activated,
        canceled = c.canceled + t.canceled, pending = c.pending + t.waits - t.activated - t.canceled,
        earned = c.earned + t.earned, revoked = c.revoked + t.revoked, active_at = greatest(c.active_at, t.active_at)
    from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[])
        as t (id, waits, activated, canceled, earned, revoked, active_at)
    where c.project_id = $1 and c.id = t.id
"""


RENEW = """
    update card_lots l set expires_at = t.ends, seal = t.seal
    from unnest($2::text[], $3::text[], $4::timestamptz[], $5::bytea[]) as t (card_id, id, ends, seal)
    where l.project_id = $1 and l.card_id = t.card_id and l.id = t.id
"""


# Of what is left on cards, that which does not end by their rule.
APART = """
    select r.lot_id, r.rule from card_lot_rules r
    join card_lots l on l.project_id = $1 and l.card_id = r.card_id and l.id = r.lot_id
    where r.project_id = $1 and r.card_id = any($2) and l.remaining > 0
"""


class Earning(Struct, kw_only=True):
    """A row of `loyalty_earnings` to be."""

    id: str
    card: CardRow
    rule_id: str
    earning_id: str
    effect: int
    cause_id: str
    order_id: str | None
    points: int
    entry_id: str | None = None
    lot_id: str | None = None
    pending_id: str | None = None
    active_at: datetime | None = None
    happened_at: datetime
    tier_id: str | None
    basis: int | None


class Waiting(Struct, kw_only=True):
    """A row of `loyalty_pending` to be; `expiry` is the rule for the end of the points, as the engine has it."""

    id: str
    card: CardRow
    points: int
    type: str
    activates_at: datetime | None
    cancels_at: datetime | None
    events: list[str] | None
    expiry: Any
    earning_id: str | None
    order_id: str | None
    cause_id: str | None


class Counts(Struct):
    """What is added to a card's row."""

    waits: int = 0
    activated: int = 0
    canceled: int = 0
    earned: int = 0
    revoked: int = 0
    active_at: datetime | None = None


class PendingMove(Struct, frozen=True):
    """A row of `loyalty_pending_moves` to be: points came to wait for a card, or were given up of what waits."""

    card_id: str
    pending_id: str
    type: Literal["ADDED", "CANCELED"]
    points: int
    by_hand: bool


class Sheet(Struct):
    """`cards` by id, `by_member` the same by member and definition; `moved` are members whose points moved, `acts`
    the entries that moved them, by member.
    """

    place: Place
    members: dict[str, MemberRow] = field(default_factory=dict)
    cards: dict[str, CardRow] = field(default_factory=dict)
    by_member: dict[str, dict[str, CardRow]] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    earnings: list[Earning] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)
    moves: list[PendingMove] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    acts: dict[str, list[str]] = field(default_factory=dict)
    days: Days = field(default_factory=Days)
    late: set[str] = field(default_factory=set)
    slides: list[tuple[CardRow, Expiry, str]] = field(default_factory=list)
    renewals: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def account(self, card: CardRow) -> Card:
        """The ledger's card."""
        return self.book.cards[card.id]

    def count(self, card: CardRow) -> Counts:
        """What is added to a card's row."""
        return self.counts.setdefault(card.id, Counts())

    def pending(self, card: CardRow) -> int:
        """The points that wait for a card, as things stand on the sheet."""
        more = self.counts.get(card.id)
        return card.pending + (0 if more is None else more.waits - more.activated - more.canceled)

    def customer(self, card: CardRow) -> str:
        """Whose card it is."""
        return self.members[card.member_id].customer_id

    def put(self, card: CardRow, type: str, points: int, ends_at: datetime | None, why: Why) -> Entry:
        """Put points on a card as a lot of their own, and tell of it."""
        entry = grant(
            self.account(card), type, points, self.place.now, entry_ids()[0], expires_at=ends_at, why=why
        )
        self.book.enter([entry])
        self.moved.add(card.member_id)
        if ends_at is not None and ends_at <= self.place.now:
            self.late.add(card.id)
        self.told(card, entry)
        return entry

    def renew(self, card: CardRow, rule: Expiry, activity: str) -> None:
        """Have the points on a card end later, once all is written, that slide with such an activity: by the card's
        rule, unless they end by one of their own.
        """
        self.slides.append((card, rule, activity))

    def told(self, card: CardRow, entry: Entry) -> None:
        """Tell of an entry."""
        data = {
            "transaction_id": entry.id, "type": entry.type, "points": entry.amount, "balance": entry.balance,
            "cause_id": entry.cause_id, "order_id": entry.order_id,
        }  # fmt: skip
        customer_id = self.customer(card)
        self.events.append(Event("voucher.loyalty_card.transaction.created", card.id, None, data))
        name = _NAMES.get(entry.type)
        if name is not None:
            self.events.append(Event(name[0], card.id, None, data))
            self.events.append(Event(name[1], card.id, customer_id, data))

    def wait(self, waiting: Waiting) -> None:
        """Have points wait for a card."""
        self.waiting.append(waiting)
        self.more_waits(waiting.card, waiting.id, waiting.points)
        self.tell_pending("aded", waiting.card, waiting.id, waiting.points)

    def more_waits(self, card: CardRow, pending_id: str, points: int, *, by_hand: bool = False) -> None:
        """Count points that came to wait for a card."""
        self.count(card).waits += points
        self._pending_move(PendingMove(card.id, pending_id, "ADDED", points, by_hand))

    def fewer_wait(self, card: CardRow, pending_id: str, points: int, *, by_hand: bool = False) -> None:
        """Count points that do not wait for a card any more, and never will be on it."""
        self.count(card).canceled += points
        self._pending_move(PendingMove(card.id, pending_id, "CANCELED", points, by_hand))

    def _pending_move(self, move: PendingMove) -> None:
        if move.points:
            self.moves.append(move)

    def tell_pending(self, what: str, card: CardRow, pending_id: str, points: int) -> None:
        """Tell what became of pending points."""
        data = {"pending_points": {"id": pending_id, "points": points}}
        name = f"voucher.loyalty_card.pending_points.{what}"
        self.events.append(Event(name, card.id, self.customer(card), data))


_NAMES = {
    "POINTS_ACCRUAL": ("voucher.loyalty_card.points_aded", "customer.voucher.loyalty_card.points_added"),
    "PENDING_POINTS_ACTIVATION": (
        "voucher.loyalty_card.points_aded",
        "customer.voucher.loyalty_card.points_added",
    ),
    "POINTS_EXPIRATION": (
        "voucher.loyalty_card.points_expired",
        "customer.voucher.loyalty_card.points_expired",
    ),
}


async def open_sheet(
    conn: db.Conn,
    place: Place,
    members: Sequence[MemberRow],
    lots: Collection[str] = (),
    beside: Collection[str] = (),
    *,
    granting: bool = False,
) -> Sheet:
    """A sheet of members that are locked, with all their cards; `lots` are needed though nothing is left of them.
    `beside` are other cards of the ledger, such as gift cards, that points become credits on. Where nothing but
    `granting` is to be done, the lots that are left are not read: a card of many costs no more than a new one.
    """
    sheet = Sheet(place)
    sheet.members = {member.id: member for member in members}
    for card in await members_store.cards_of(conn, place.project_id, list(sheet.members)):
        sheet.cards[card.id] = card
        sheet.by_member.setdefault(card.member_id, {})[card.definition_id] = card
    if granting:
        await books.add_cards(conn, place.project_id, sheet.book, list(sheet.cards), lock=True)
        await books.add_ended_lots(conn, place.project_id, sheet.book, place.now)
    else:
        sheet.book = await books.load(conn, place.project_id, {*sheet.cards, *beside}, lock=True, lots=lots)
    # Their rows again, now that nobody else can change them.
    for card in await members_store.cards_of(conn, place.project_id, list(sheet.members)):
        known = sheet.cards[card.id]
        for name in known.__struct_fields__:
            setattr(known, name, getattr(card, name))
    return sheet


async def write(conn: db.Conn, sheet: Sheet) -> None:
    """Write all movements; tiers are decided after that (standing.py), and events written then."""
    project_id, now = sheet.place.project_id, sheet.place.now
    await _slide(conn, sheet)
    await books.write(conn, project_id, sheet.book, now, follow=False)
    for entry in sheet.book.entries:
        card = sheet.cards.get(entry.card_id)
        if card is not None:
            sheet.acts.setdefault(card.member_id, []).append(entry.id)
            sheet.days.spent(sheet.place, card, (entry,))
    sheet.book.entries.clear()
    sheet.book.notes.clear()
    if sheet.waiting:
        await db.insert(
            conn, "loyalty_pending", PENDING_COLUMNS,
            [
                (project_id, w.id, w.card.id, w.card.program_id, w.card.definition_id, w.card.member_id, w.points, w.type,
                 w.activates_at, w.cancels_at, w.events, w.expiry, w.earning_id, w.order_id, w.cause_id, now)
                for w in sheet.waiting
            ],
        )  # fmt: skip
    if sheet.earnings:
        await db.insert(
            conn, "loyalty_earnings", EARNING_COLUMNS,
            [
                (project_id, e.id, e.card.id, e.card.program_id, e.card.definition_id, e.card.member_id, e.rule_id,
                 e.earning_id, e.effect, e.cause_id, e.order_id, e.points, e.entry_id, e.lot_id, e.pending_id, e.active_at,
                 e.happened_at, e.tier_id, e.basis, now)
                for e in sheet.earnings
            ],
        )  # fmt: skip
    await write_moves(conn, project_id, sheet.moves, now)
    sheet.moves.clear()
    await _count(conn, project_id, sheet.counts)
    for card_id, more in sheet.counts.items():
        if more.active_at is not None:
            sheet.cards[card_id].active_at = more.active_at
    sheet.counts.clear()
    if sheet.renewals:
        held = sheet.book.cards
        lots = sorted(
            (card_id, name, end, sealed(card_id, held[card_id].lots[name]))
            for name, (card_id, end) in sheet.renewals.items()
        )
        columns = [list(column) for column in zip(*lots, strict=True)]
        await db.execute(conn, RENEW, project_id, *columns)


async def _slide(conn: db.Conn, sheet: Sheet) -> None:
    """Have the points end later that slide with what the members did."""
    if not sheet.slides:
        return
    place, cards = sheet.place, sorted({card.id for card, _, _ in sheet.slides})
    apart = {lot_id: rule for _, lot_id, rule in sheet.book.own_ends}
    for record in await db.records(conn, APART, place.project_id, cards):
        apart[record["lot_id"]] = record["rule"]
    for card, rule, activity in sheet.slides:
        lots = sheet.account(card).lots
        left = {lot.id: lot.expires_at for lot in lots.values() if lot.remaining}
        later = renewed(
            rule,
            {name: end for name, end in left.items() if name not in apart},
            activity,
            place.now,
            place.zone,
        )
        for name in left.keys() & apart.keys():
            if apart[name] is not None:
                own = msgspec.convert(apart[name], Sliding)
                later |= renewed(own, {name: left[name]}, activity, place.now, place.zone)
        for name, end in later.items():
            lots[name].expires_at = end
            sheet.renewals[name] = (card.id, end)
    sheet.slides.clear()


def end_apart(sheet: Sheet, program: Program | None, card: CardRow, entry: Entry, rule: Expiry) -> None:
    """Note of points just granted that they end by another rule than their card's, where one of the two slides."""
    policy = None if program is None else program.cards.get(card.definition_id)
    usual = None if policy is None else policy.earning.expiry
    if rule != usual and (isinstance(rule, Sliding) or isinstance(usual, Sliding)):
        sheet.book.end_apart(entry, msgspec.to_builtins(rule) if isinstance(rule, Sliding) else None)


async def write_moves(conn: db.Conn, project_id: str, moves: Sequence[PendingMove], now: datetime) -> None:
    """Write what came to wait and what does not any more."""
    if moves:
        ids = new_ids("pending_points", len(moves))
        await db.insert(
            conn, "loyalty_pending_moves", MOVE_COLUMNS,
            [
                (project_id, name, m.card_id, m.pending_id, m.type, m.points, m.by_hand, now)
                for name, m in zip(ids, moves, strict=True)
            ],
        )  # fmt: skip


async def _count(conn: db.Conn, project_id: str, counts: Mapping[str, Counts]) -> None:
    if not counts:
        return
    ids = sorted(counts)
    c = [counts[card_id] for card_id in ids]
    await db.execute(
        conn, COUNT, project_id, ids, [x.waits for x in c], [x.activated for x in c], [x.canceled for x in c],
        [x.earned for x in c], [x.revoked for x in c], [x.active_at for x in c],
    )  # fmt: skip


async def close(conn: db.Conn, sheet: Sheet) -> None:
    """Write the events, and what is counted. What came too late to be spent goes again."""
    await days.write(conn, sheet.place.project_id, sheet.days)
    if sheet.late:
        await enqueue(conn, sheet.place.project_id, "cards.lapse", {"cards": sorted(sheet.late)})
    rich = sorted(member.id for member in sheet.members.values() if _has_enough(sheet, member))
    if rich:
        await enqueue(conn, sheet.place.project_id, AUTO_REDEEM, {"members": rich})
    await outbox.emit(conn, sheet.place.project_id, sheet.events)
    sheet.events.clear()


def _has_enough(sheet: Sheet, member: MemberRow) -> bool:
    """Whether a member has the points for what is redeemed by itself."""
    program = sheet.place.program(member.program_id)
    reward = None if program is None else program.auto
    if program is None or reward is None or member.status != "ACTIVE":
        return False
    cost = reward.costs[0]
    card = sheet.by_member.get(member.id, {}).get(cost.card)
    price = max(1, program.price(reward, cost, member.tier_id))
    return card is not None and sheet.account(card).available(sheet.place.now) >= price


def rewarded(sheet: Sheet, program: Program, card: CardRow, points: int, rule_id: str, entry_id: str) -> None:
    """Tell that a customer was given points by a rule."""
    about = {
        "campaign": {"id": program.id, "name": program.name},
        "voucher": {"id": card.id},
        "earning_rule": {"id": rule_id},
        "points": points,
        "transaction_id": entry_id,
        "at": iso(sheet.place.now),
    }
    sheet.events.append(Event("customer.rewarded.loyalty_points", card.id, sheet.customer(card), about))


def earning_id() -> str:
    """An id for an earning."""
    return new_id("earning")
