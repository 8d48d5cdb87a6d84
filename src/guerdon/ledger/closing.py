"""Taking off the books what is on cards that are deleted."""

from collections.abc import Collection

from guerdon.engine.ledger import Entry, Why, claw_back
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
    for card in book.cards.values():
        unit = "CREDITS" if card.unit == "credits" else "POINTS"
        left = sum(lot.remaining for lot in card.lots.values())
        lots = list(card.lots)
        if left:
            entry_id = new_id("card_entry")
            why = Why(cause_id=card.id)  # the card itself: it was deleted
            entry = claw_back(card, f"{unit}_REMOVAL", lots, left, now, entry_id, policy="FLOOR", why=why)
            book.enter([entry])
    await books.write(conn, project_id, book, now)
    return book.entries


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
