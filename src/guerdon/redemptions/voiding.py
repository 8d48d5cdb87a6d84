"""Cards that came back with their purchase: what is left on them is taken off."""

from collections.abc import Sequence
from typing import Any

from guerdon.engine.ledger import Why, claw_back
from guerdon.engine.order import Order
from guerdon.kit.ids import new_id
from guerdon.ledger import sales
from guerdon.ledger.sales import Sale, Voided
from guerdon.redemptions import cards
from guerdon.redemptions.asks import RollbackAsk
from guerdon.redemptions.returned import GivenBack
from guerdon.vouchers.sale import news


def void_sales(
    seen: Any, writes: Any, ask: RollbackAsk, order: Order, cause_id: str, *, whole: bool
) -> list[Voided]:
    """Take back the cards that an order sold: all of them with the `whole` order, else as many of each line as it
    has units fewer than it sold. ``cause_id`` is the return or rollback.
    """
    sold = [sale for sale in seen.sales.get(order.id or "", ()) if sale.card_id in seen.book.cards]
    if not sold:
        return []
    back = sold if whole else _of_lines(seen, sold, order)
    voided: list[Voided] = []
    for sale in back:
        one = sales.void(seen.book, sale, seen.now, cause_id)
        if one.empty:
            seen.vouchers[sale.card_id].active = False
        for event in news(one):
            writes.tell(ask.request_id, event)
        voided.append(one)
    gone = {one.sale.card_id for one in voided}
    seen.sales[order.id] = [sale for sale in sold if sale.card_id not in gone]
    writes.voided += voided
    return voided


def withhold(
    seen: Any, writes: Any, ask: RollbackAsk, given_back: Sequence[GivenBack], owed: int, cause_id: str
) -> None:
    """Take so much of the credits that a return gave back off their cards again: what was spent of a card that these
    credits had bought would come back as well.
    """
    for told in (one for one in given_back if one.credits):
        redemption = seen.redemptions[told.redemption_id]
        card = seen.book.cards.get(redemption.voucher_id or "")
        backs = [entry for entry in seen.spent[redemption.id] if entry.cause_id == told.rollback_id]
        amount = min(owed, sum(entry.amount for entry in backs))
        if card is None or not amount:
            continue
        lots = [part.lot for entry in backs for part in entry.parts]
        why = Why(order_id=redemption.order_id, cause_id=cause_id)
        entry = claw_back(
            card, "CREDITS_REMOVAL", lots, amount, seen.now, new_id("card_entry"), policy="FLOOR", why=why
        )
        assert entry is not None, "it was put there just now"
        seen.book.enter([entry])
        cards.tell(writes, ask, entry, redemption.customer_id)
        told.withheld = amount
        owed -= amount


def _of_lines(seen: Any, sold: Sequence[Sale], order: Order) -> list[Sale]:
    """Of the cards of a line those come back first that have the most left, of equal ones the one sold last."""
    back: list[Sale] = []
    items = order.items or []
    for line in {sale.line for sale in sold if sale.line is not None and sale.line < len(items)}:
        there = [sale for sale in sold if sale.line == line]
        there.sort(key=lambda sale: _left(seen, sale), reverse=True)
        back += there[: max(0, len(there) - items[line].quantity)]
    return back


def _left(seen: Any, sale: Sale) -> int:
    lot = seen.book.cards[sale.card_id].lots.get(sale.lot_id)
    return 0 if lot is None else lot.remaining
