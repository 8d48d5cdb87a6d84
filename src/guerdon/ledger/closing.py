"""Taking off the books what is on cards that are deleted."""

from collections.abc import Collection
from datetime import datetime

from guerdon.engine.ledger import Card, Entry, Why, claw_back
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books

NOW = "select clock_timestamp()"


async def take_off(conn: db.Conn, project_id: str, ids: Collection[str]) -> list[Entry]:
    """Take off all that is on the cards among these vouchers, which are locked; the entries made."""
    book = await books.load(conn, project_id, ids, lock=True)
    if not book.cards:
        return []
    now = await db.value(conn, NOW)
    # The cause is the card itself: it was deleted.
    book.enter(emptied(card, now, Why(cause_id=card.id)) for card in book.cards.values())
    await books.write(conn, project_id, book, now)
    return book.entries


def emptied(card: Card, now: datetime, why: Why) -> Entry | None:
    """All that is left on a card, which has all its lots here, taken off; what it owes stays owed by nobody."""
    left = sum(lot.remaining for lot in card.lots.values())
    if not left:
        return None
    kind = "CREDITS_REMOVAL" if card.unit == "credits" else "POINTS_REMOVAL"
    return claw_back(card, kind, list(card.lots), left, now, new_id("card_entry"), policy="FLOOR", why=why)


def news(entries: Collection[Entry]) -> list[Event]:
    """What is told of what was taken off."""
    return [
        Event(
            "voucher.gift.transaction.created"
            if entry.type.startswith("CREDITS")
            else "voucher.loyalty_card.transaction.created",
            entry.card_id,
            data={
                "transaction_id": entry.id,
                "type": entry.type,
                "amount": entry.amount,
                "balance": entry.balance,
            },
        )
        for entry in entries
    ]
