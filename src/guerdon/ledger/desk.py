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

from guerdon.engine.ledger import Card, Entry
from guerdon.kit import db, idempotency, outbox
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import ApiError
from guerdon.kit.idempotency import Kept
from guerdon.kit.lane import Lane
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.ledger import pins as pinned
from guerdon.ledger.book import Book
from guerdon.ledger.pins import Pins
from guerdon.settings import Settings

NOW = "select clock_timestamp() as now"
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

    `lots` are lots that it needs though they are spent; `pin` is asked for if it is not None.
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


def act_of(
    call: Call, cards: tuple[str, ...], decide: Callable[[Moment], Any], pin: PinAsk | None = None
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
    )


async def carry_out(
    call: Call, cards: tuple[str, ...], decide: Callable[[Moment], Any], pin: PinAsk | None = None
) -> Reply:
    """Have the desk carry out an act; the answer, after the commit that made it true. Of a card that has a PIN `pin`
    has to be right.
    """
    desk = call.state.ledger
    assert isinstance(desk, LedgerDesk)
    return await desk.ask(act_of(call, cards, decide, pin))


class Doubt(Struct):
    """A batch whose COMMIT got no answer: one entry that it wrote, and the answers that are true if it is there."""

    acts: list[Act]
    entry: Entry
    replies: list[Reply | Exception]


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
        # A doubt is about the batch before: if this is not its second try, nobody waits for its answers.
        doubt, self._doubt = self._doubt, None
        if doubt is not None and doubt.acts is not acts:
            doubt = None
        try:
            return await self._carry(self._conn, project_id, acts, doubt)
        except db.ConnectionLost:
            self._doubt = self._doubt or doubt
            self._conn.terminate()
            raise

    async def _carry(
        self, conn: db.Conn, project_id: str, acts: list[Act], doubt: Doubt | None
    ) -> list[Reply | Exception]:
        tx = conn.transaction()
        await tx.start()
        try:
            batch = await carry(conn, project_id, acts)
            # The earlier try held the locks that are ours now, so it has ended, one way or the other.
            if doubt is not None and await _written(conn, project_id, doubt.entry):
                await tx.rollback()
                return doubt.replies
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
    stored = await idempotency.find_all(conn, project_id, [act.key for act in acts if act.key is not None])
    cards = {card for act in acts for card in act.cards}
    lots = [lot for act in acts for lot in act.lots]
    book = await books.load(conn, project_id, cards, lock=True, lots=lots)
    tried = {act.pin.name for act in acts if act.pin is not None and act.pin.given is not None}
    pins = await pinned.load(conn, project_id, tried)
    now = (await db.records(conn, NOW))[0]["now"]
    kept: list[Kept] = []
    told: list[tuple[str | None, Event]] = []
    replies = [_settle(book, pins, now, act, stored, kept, told) for act in acts]
    await books.write(conn, project_id, book, now)
    await pinned.write(conn, project_id, pins)
    await outbox.emit_for(conn, project_id, [event for _, event in told], [name for name, _ in told])
    await idempotency.keep_all(conn, project_id, kept)
    return Batch(replies, book.entries)


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
    before = {name: _copy(book.cards[name]) for name in act.cards if name in book.cards}
    entries, notes = len(book.entries), len(book.notes)
    moment = Moment(book, now, act.request_id)
    try:
        answer = act.decide(moment)
    except ApiError:
        book.cards.update(before)
        del book.entries[entries:], book.notes[notes:]
        raise
    told.extend(moment.events)
    if isinstance(answer, Reply):
        return replace(answer, content=ENCODER.encode(answer.content))
    return Reply(ENCODER.encode(answer))


def _copy(card: Card) -> Card:
    return replace(card, lots={name: replace(lot) for name, lot in card.lots.items()})
