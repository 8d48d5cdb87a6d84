"""Proving the ledger of a project: every card's books are read once, in the order of cards, in one snapshot.

Cards, entries and lots stream side by side, so that neither many cards nor one long-lived card need memory.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, LiteralString, TypeVar

from guerdon.kit import db
from guerdon.ledger.replay import CardRow, EntryRow, Finding, LotRow, Replay

FETCH = 2_000
TOLD_EVERY = 1_000
SECONDS = 3_600

CARDS = """
    select id, unit, campaign_id, balance, debt, seq, head, issued, redeemed, refunded, expired, removed, transferred,
           received, cashed_out
    from cards where project_id = $1 and id > $2 order by id
"""
ENTRIES = """
    select id, card_id, seq, type, amount, balance, total, parts, created_at as at, hash, related_id, redemption_id,
           order_id, cause_id, unit, campaign_id
    from card_entries where project_id = $1 and card_id > $2 order by card_id, seq
"""
LOTS = """
    select card_id, id, granted, remaining, created_at, starts_at, expires_at, entry_id, parent, seal
    from card_lots where project_id = $1 and card_id > $2 order by card_id, id
"""
COUNT = "select count(*) from cards where project_id = $1 and id > $2"

T = TypeVar("T", CardRow, EntryRow, LotRow)
Progress = Callable[[str, int, int], None]
"""Called with the id of the card behind us, how many are, and how many there are."""


class Stream(Generic[T]):
    """Rows of a statement in the order of cards, with a look at the next one."""

    def __init__(self, into: type[T], cursor: Any, of: str) -> None:
        self._into, self._cursor, self._of = into, cursor, of
        self._rows: list[Any] = []
        self._at = 0

    async def card(self) -> str | None:
        """The card of the next row; None at the end."""
        if self._at == len(self._rows):
            self._rows, self._at = await self._cursor.fetch(FETCH, timeout=SECONDS), 0
        return self._rows[self._at][self._of] if self._rows else None

    def take(self) -> T:
        """The row that `card` looked at."""
        self._at += 1
        return self._into(**self._rows[self._at - 1])


async def _open(
    conn: db.Conn, into: type[T], sql: LiteralString, of: str, project_id: str, after: str
) -> Stream[T]:
    return Stream(into, await conn.cursor(sql, project_id, after), of)


async def audit(
    conn: db.Conn, project_id: str, *, after: str = "", progress: Progress | None = None
) -> AsyncIterator[Finding]:
    """Everything that is wrong on the cards behind `after`. Wants a transaction with one snapshot for all."""
    whole: int = 0 if progress is None else (await db.records(conn, COUNT, project_id, after))[0][0]
    cards = await _open(conn, CardRow, CARDS, "id", project_id, after)
    entries = await _open(conn, EntryRow, ENTRIES, "card_id", project_id, after)
    lots = await _open(conn, LotRow, LOTS, "card_id", project_id, after)
    done = 0
    while True:
        heads = [await stream.card() for stream in (cards, entries, lots)]
        here = min((head for head in heads if head is not None), default=None)
        if here is None:
            return
        replay = Replay(here, cards.take() if heads[0] == here else None)
        while await entries.card() == here:
            replay.entry(entries.take())
        while await lots.card() == here:
            replay.lot(lots.take())
        for finding in replay.close():
            yield finding
        done += 1
        if progress is not None and (done % TOLD_EVERY == 0 or done == whole):
            progress(here, done, whole)
