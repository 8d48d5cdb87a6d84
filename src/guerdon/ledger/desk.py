"""The ledger's desk: acts on cards by hand and by machine, carried in batches as redemptions are (kit/lane.py).

A batch locks the cards that its acts name, lets each decide on what those before it left, and writes all entries,
events and answers in one transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from guerdon.engine.ledger import Card, Entry, Lot
from guerdon.kit import db, idempotency, outbox
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import ApiError
from guerdon.kit.idempotency import Kept
from guerdon.kit.lane import Doubt, Lane, still
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.ledger import pins as pinned
from guerdon.ledger.book import Book
from guerdon.ledger.pins import Pins
from guerdon.settings import Settings

# What sessions keep of cards is not to be had by hand; it cannot grow while the cards are locked.
NOW = """
    select clock_timestamp() as now, h.held, sum(h.amount)::bigint as amount
    from (select) as once
    left join session_holds h on h.project_id = $1 and h.held = any($2) and h.expires_at > clock_timestamp()
    group by h.held
"""
KEPT = "c:"
"""How a session's hold of a card begins (redemptions/holds.py)."""
WRITTEN = "select id from card_entries where project_id = $1 and card_id = $2 and seq = $3"

ENCODER = msgspec.json.Encoder()


class Moment(Struct):
    """What an act decides on: the book with its cards under lock, and the instant. Events go with its entries."""

    book: Book
    now: datetime
    request_id: str | None
    events: list[tuple[str | None, Event]] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        """Add an event."""
        self.events.append((self.request_id, event))


class PinAsk(Struct, frozen=True):
    """Under which name a PIN is tried: a card's id, or what was asked for in its place. Whether one is needed is seen
    under lock.
    """

    name: str
    given: str | None


class Act(Struct, kw_only=True):
    """A request to move value on cards; `decide` does so and answers, or raises `ApiError` and nothing has moved.

    `lots` are lots that it needs though they are spent; `pin` is asked for if it is not None. `reach` is said by one
    that only grants and spends: the most that it takes of any of its cards. It then sees their balances, but not all
    of their lots.
    """

    project_id: str
    request_id: str | None
    path: str
    key: str | None
    mark: bytes
    cards: tuple[str, ...]
    lots: tuple[str, ...] = ()
    decide: Callable[[Moment], Any]
    pin: PinAsk | None = None
    reach: int | None = None


def act_of(
    call: Call,
    cards: tuple[str, ...],
    decide: Callable[[Moment], Any],
    pin: PinAsk | None = None,
    reach: int | None = None,
) -> Act:
    """What a call asks of the desk."""
    key = call.idempotency_key
    return Act(
        project_id=call.project_id,
        request_id=call.request_id,
        path=call.path,
        key=key,
        mark=b"" if key is None else call.fingerprint(),
        cards=cards,
        decide=decide,
        pin=pin,
        reach=reach,
    )


async def carry_out(
    call: Call,
    cards: tuple[str, ...],
    decide: Callable[[Moment], Any],
    pin: PinAsk | None = None,
    reach: int | None = None,
) -> Reply:
    """Have the desk carry out an act; the answer, after the commit that made it true. Of a card that has a PIN `pin`
    has to be right. An act that only grants and spends says its `reach`, as `Act` has it.
    """
    desk = call.state.ledger
    assert isinstance(desk, LedgerDesk)
    return await desk.ask(act_of(call, cards, decide, pin, reach))


class LedgerDesk:
    """One a process."""

    def __init__(self, dsn: str, settings: Settings) -> None:
        self._dsn = dsn
        self._conn: db.Connection | None = None
        self._doubt: Doubt | None = None
        size = {"batch": settings.writer_batch, "queue": settings.writer_queue}
        self._lane: Lane[Act, Reply] = Lane("ledger", self._run, **size)

    async def ask(self, act: Act) -> Reply:
        """Carry out an act."""
        return await self._lane.ask(act.project_id, act)

    async def close(self) -> None:
        """Answer what is under way, then hang up."""
        await self._lane.idle()
        if self._conn is not None:
            await self._conn.close()

    async def _run(self, project_id: str, acts: list[Act]) -> list[Reply | Exception]:
        if self._conn is None or self._conn.is_closed():
            self._conn = await db.connect(self._dsn, db.HOT)
        self._doubt = still(self._doubt, acts)
        try:
            return await self._carry(self._conn, project_id, acts)
        except db.ConnectionLost:
            self._conn.terminate()
            raise

    async def _carry(self, conn: db.Conn, project_id: str, acts: list[Act]) -> list[Reply | Exception]:
        doubt = self._doubt
        tx = conn.transaction()
        await tx.start()
        try:
            batch = await carry(conn, project_id, acts)
            # The earlier try held the locks that are ours now, so it has ended, one way or the other.
            if doubt is not None and await _written(conn, project_id, doubt.written):
                await tx.rollback()
                return doubt.answers_to(acts)
        except BaseException:
            if not conn.is_closed():
                await tx.rollback()
            raise
        try:
            await tx.commit()
        except db.ConnectionLost:
            if batch.entries:
                self._doubt = Doubt(acts, batch.entries[0], batch.replies)
            raise
        return batch.replies


async def _written(conn: db.Conn, project_id: str, entry: Entry) -> bool:
    return await db.value(conn, WRITTEN, project_id, entry.card_id, entry.seq) == entry.id


class Batch(Struct):
    """What a batch came to."""

    replies: list[Reply | Exception]
    entries: list[Entry]


async def carry(conn: db.Conn, project_id: str, acts: Sequence[Act]) -> Batch:
    """Carry out acts in the transaction that is open; the answers are true once it is committed."""
    cards = {card for act in acts for card in act.cards}
    book = Book()
    await books.add_cards(conn, project_id, book, cards, lock=True)
    # Under lock, so that it sees what a try before has kept that ended only now.
    stored = await idempotency.find_all(conn, project_id, [act.key for act in acts if act.key is not None])
    tried = {act.pin.name for act in acts if act.pin is not None and act.pin.given is not None}
    pins = await pinned.load(conn, project_id, tried)
    seen = await db.records(conn, NOW, project_id, [KEPT + name for name in sorted(cards)])
    now = max(record["now"] for record in seen)
    book.kept = {r["held"].removeprefix(KEPT): r["amount"] for r in seen if r["held"] is not None}
    await _add_lots(conn, project_id, book, acts, now)
    kept: list[Kept] = []
    told: list[tuple[str | None, Event]] = []
    replies = [_settle(book, pins, now, act, stored, kept, told) for act in acts]
    await books.write(conn, project_id, book, now)
    await pinned.write(conn, project_id, pins)
    await outbox.emit_for(conn, project_id, [event for _, event in told], [name for name, _ in told])
    await idempotency.keep_all(conn, project_id, kept)
    return Batch(replies, book.entries)


async def _add_lots(conn: db.Conn, project_id: str, book: Book, acts: Sequence[Act], now: datetime) -> None:
    """Of each card all lots, or the first ones where that is enough for every act on it."""
    reach: dict[str, int] = {}
    whole: set[str] = set()
    for act in acts:
        for name in act.cards:
            if act.reach is None or book.order_of(name) != "SOONEST_EXPIRING":
                whole.add(name)
            else:
                reach[name] = reach.get(name, 0) + act.reach
    for name, kept in book.kept.items():
        if reach.get(name):
            reach[name] += kept
    lots = [lot for act in acts for lot in act.lots]
    await books.add_lots(conn, project_id, book, sorted(whole & book.cards.keys()), lots)
    first = {name: most for name, most in reach.items() if name in book.cards and name not in whole}
    await books.add_first_lots(conn, project_id, book, first, now)


def _settle(
    book: Book,
    pins: Pins,
    now: datetime,
    act: Act,
    stored: dict[str, idempotency.Stored],
    kept: list[Kept],
    told: list[tuple[str | None, Event]],
) -> Reply | Exception:
    """One act of the batch; a mistake is its own alone."""
    try:
        if act.key is not None and act.key in stored:
            found = idempotency.check_same(stored[act.key], act.mark)
            return Reply(found.body, found.status, idempotency.replay_headers(found))
        _open(book, pins, now, act)
        reply = _decide(book, now, act, told)
    except ApiError as error:
        if act.key is None or act.key in stored or not idempotency.storable(error.status):
            return error
        reply = Reply(ENCODER.encode(error.body(act.request_id or "", act.path)), error.status, error.headers)
    if act.key is not None:
        kept.append(Kept(act.key, act.mark, reply.status, reply.headers or None, reply.content))
        stored[act.key] = idempotency.Stored(reply.status, reply.content, act.mark, reply.headers)
    return reply


def _open(book: Book, pins: Pins, now: datetime, act: Act) -> None:
    """Raise `ApiError` unless the PIN is right, or none is needed."""
    if act.pin is not None and (act.pin.name in book.pinned or act.pin.name not in book.cards):
        pins.check(act.pin.name, act.pin.given, now)


def _decide(book: Book, now: datetime, act: Act, told: list[tuple[str | None, Event]]) -> Reply:
    before = [_seen(book.cards[name]) for name in act.cards if name in book.cards]
    entries, notes = len(book.entries), len(book.notes)
    moment = Moment(book, now, act.request_id)
    try:
        answer = act.decide(moment)
    except ApiError:
        for card, lots in before:
            book.cards[card.id] = card
            for lot, remaining, expires_at in lots:
                lot.remaining, lot.expires_at = remaining, expires_at
        del book.entries[entries:], book.notes[notes:]
        raise
    told.extend(moment.events)
    if isinstance(answer, Reply):
        return replace(answer, content=ENCODER.encode(answer.content))
    return Reply(ENCODER.encode(answer))


def _seen(card: Card) -> tuple[Card, list[tuple[Lot, int, datetime | None]]]:
    """A card as it is, and what an act may change of its lots."""
    return replace(card, lots=dict(card.lots)), [(o, o.remaining, o.expires_at) for o in card.lots.values()]
