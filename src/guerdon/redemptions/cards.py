"""Cards in redemptions: what a gift card has to give, taking it, and putting it back where it came from. What points are
worth rewarded.py tells.

To the engine a gift card is an amount off, as much as is asked for and there. What it gave is an entry on its
account; a rollback puts as much back as comes back of the redemption, into the very lots that it was taken from.
"""

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from guerdon.engine.checks import OnCard, Redeemable
from guerdon.engine.discount import AmountOff
from guerdon.engine.ledger import Entry, Why, give_back, left_of, spend
from guerdon.engine.terms import Terms
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.redemptions.asks import RedeemAsk, RollbackAsk
from guerdon.vouchers.locked import Kept, Voucher

CARDS = ("GIFT_VOUCHER", "LOYALTY_CARD")


async def gather(
    conn: db.Db, seen: Any, redeems: Sequence[RedeemAsk], rollbacks: Sequence[RollbackAsk], *, lock: bool
) -> None:
    """Read the cards of a batch, under `lock` after the vouchers; for rollbacks, what their redemptions took too."""
    ids = {voucher.id for voucher in seen.vouchers.values() if voucher.type in CARDS}
    # Of what was deleted for good the account stays: what comes back goes through it.
    ids |= {
        r.voucher_id for r in seen.redemptions.values() if r.voucher_id and r.voucher_id not in seen.vouchers
    }
    if not ids:
        return
    lots: set[str] = set()
    taken = [name for ask in rollbacks for name in ask.redemption_ids]
    if taken:
        for entry in await books.entries_of(conn, seen.project_id, taken):
            seen.spent.setdefault(entry.redemption_id, []).append(entry)
            lots.update(part.lot for part in entry.parts)
    lots.update(sale.lot_id for sold in seen.sales.values() for sale in sold)
    seen.book = await books.load(conn, seen.project_id, ids, lock=lock, lots=lots)


async def look(conn: db.Db, seen: Any, vouchers: Collection[Voucher]) -> None:
    """Read the cards among these vouchers without locks, besides those read before."""
    ids = [v.id for v in vouchers if v.type in CARDS and v.id not in seen.book.cards]
    if ids:
        await books.add(conn, seen.project_id, seen.book, ids, lock=False)


def equip(
    seen: Any, voucher: Voucher, redeemable: Redeemable, credits: int | None, session_key: str | None
) -> None:
    """Tell a redeemable what its card has to give, as things stand in the batch."""
    card = seen.book.cards.get(voucher.id)
    if card is None or voucher.kept is None:
        return
    held = seen.held(f"c:{voucher.id}", session_key) if seen.holds else 0
    available = max(0, card.available(seen.now) - held)
    wanted = available if credits is None else min(credits, available)
    open_lots = [lot for lot in card.lots.values() if lot.open(seen.now)]
    redeemable.card = OnCard(
        credits,
        available,
        sold=seen.book.sales.get(voucher.id) != "AWAITED",
        ends=min((lot.expires_at for lot in open_lots if lot.expires_at is not None), default=None),
    )
    redeemable.terms = paying(voucher.kept, wanted)


def paying(kept: Kept, amount: int) -> Terms:
    """The terms of a gift card as those of so much off."""
    on_items = (kept.body.get("gift") or {}).get("effect") == "APPLY_TO_ITEMS"
    effect = "APPLY_TO_ITEMS_PROPORTIONALLY" if on_items else "APPLY_TO_ORDER"
    return replace(kept.terms, discount=AmountOff(amount_off=amount, effect=effect))


def take(seen: Any, writes: Any, ask: RedeemAsk, voucher: Voucher, row: Any) -> None:
    """Take what a redemption used of its card: the credits that it gave, or the points that were worth as much."""
    card = seen.book.cards.get(voucher.id)
    amount = row.amount if row.reward is None else row.reward["points"]
    if card is None or not amount:
        return
    why = Why(redemption_id=row.id, order_id=row.order_id)
    order = seen.book.order_of(voucher.id)
    kind = "CREDITS_REDEMPTION" if row.reward is None else "POINTS_REDEMPTION"
    entry = spend(card, kind, amount, seen.now, new_id("card_entry"), order=order, why=why)
    seen.book.enter([entry])
    tell(writes, ask, entry, row.customer_id)


def put_back(
    seen: Any, writes: Any, ask: RollbackAsk, redemption: Any, amount: int, rollback_id: str, *, last: bool
) -> int:
    """Put back what comes back of a redemption: `amount`, or of points as many as belong to what came back. How much
    that is. To a card that was deleted it comes too, and the books go on showing that it is owed.
    """
    entries = seen.spent.get(redemption.id)
    card = seen.book.cards.get(redemption.voucher_id or "")
    if not entries or card is None:
        return 0
    spent, before = entries[0], entries[1:]
    if redemption.reward is not None:
        amount = points_back(redemption, -spent.amount, sum(entry.amount for entry in before), last=last)
    if not amount:
        return 0
    left = left_of(spent.parts, (entry.parts for entry in before))
    why = Why(
        related_id=spent.id, redemption_id=redemption.id, order_id=redemption.order_id, cause_id=rollback_id
    )
    kind = "CREDITS_REFUND" if redemption.reward is None else "POINTS_REFUND"
    entry = give_back(card, kind, left, amount, seen.now, new_id("card_entry"), why)
    entries.append(entry)
    seen.book.enter([entry])
    tell(writes, ask, entry, redemption.customer_id)
    return amount


def points_back(redemption: Any, spent: int, returned: int, *, last: bool) -> int:
    """How many of the points that a redemption took come back now: in proportion to what came back of its discount in
    all, less those that came back before (`returned`); with the last of it all that is left.
    """
    if last or redemption.returned_amount >= redemption.amount:
        return spent - returned
    return max(0, spent * redemption.returned_amount // redemption.amount - returned)


def tell(writes: Any, ask: RedeemAsk | RollbackAsk, entry: Entry, customer_id: str | None) -> None:
    """Tell of a movement on a card."""
    data = {"transaction_id": entry.id, "type": entry.type, "amount": entry.amount, "balance": entry.balance}
    kind = "gift" if entry.type.startswith("CREDITS") else "loyalty_card"
    writes.tell(
        ask.request_id, Event(f"voucher.{kind}.transaction.created", entry.card_id, customer_id, data)
    )
