"""Cards that were sold: what a purchase put on a card, and taking it off again when the purchase comes back. A card
that nobody bought is worth nothing: it pays nothing, nothing comes onto it, and it is not switched on.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct

from guerdon.engine.ledger import Entry, Why, claw_back
from guerdon.kit import db
from guerdon.kit.errors import ApiError
from guerdon.kit.ids import new_id
from guerdon.ledger.book import Book

SELL = """
    insert into card_sales (project_id, card_id, order_id, line, amount, lot_id, entry_id, sold_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
"""

OF_ORDERS = """
    select s.card_id, s.order_id, s.line, s.amount, s.lot_id,
           coalesce((c.options ->> 'refund_less_spent')::boolean, true) as less_spent
    from unnest($2::text[]) as w (id) join card_sales s on s.project_id = $1 and s.order_id = w.id
    left join vouchers v on v.project_id = $1 and v.id = s.card_id
    left join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    where s.voided_at is null
    order by s.sold_at desc, s.card_id
"""

MARK_SOLD = "update cards set sale = 'SOLD' where project_id = $1 and id = $2"

VOID = """
    update card_sales s set voided_at = $4, removed = w.removed
    from unnest($2::text[], $3::bigint[]) as w (card_id, removed)
    where s.project_id = $1 and s.card_id = w.card_id
"""

MARK_VOID = "update cards set sale = 'VOIDED' where project_id = $1 and id = any($2)"

# The vouchers of the cards are locked, as whoever sells them or takes them back has to lock them.
UNSOLD = """
    select c.id, c.sale from unnest($2::text[]) as w (id) join cards c on c.project_id = $1 and c.id = w.id
    where c.sale = 'AWAITED' or (c.sale = 'VOIDED' and c.balance = 0)
"""

SWITCH_OFF = "update vouchers set active = false, updated_at = now() where project_id = $1 and id = any($2)"


WHY = {
    "AWAITED": "The card was never sold: nothing comes onto it, and it stays switched off, until its activation.",
    "VOIDED": "The purchase of the card came back, and nothing is on it any more.",
}


class Sale(Struct, frozen=True):
    """A card that an order sold. `less_spent`: what was spent of it lessens the refund."""

    card_id: str
    order_id: str
    line: int | None
    amount: int
    lot_id: str
    less_spent: bool = False


class Voided(Struct, frozen=True):
    """A sale that came back: what was taken off its card, what of it had been spent or paid out, and whether the card is empty."""

    sale: Sale
    removed: int
    spent: int
    empty: bool
    entry: Entry | None


async def of_orders(conn: db.Db, project_id: str, order_ids: Collection[str]) -> dict[str, list[Sale]]:
    """The cards that orders sold and that are not voided, the latest first, by order."""
    found: dict[str, list[Sale]] = {}
    for sale in await db.rows(conn, Sale, OF_ORDERS, project_id, sorted(order_ids)):
        found.setdefault(sale.order_id, []).append(sale)
    return found


async def sell(conn: db.Conn, project_id: str, sale: Sale, entry_id: str, now: datetime) -> bool:
    """Note what sold a card; False if it was sold before."""
    made = await db.execute(
        conn,
        SELL,
        project_id,
        sale.card_id,
        sale.order_id,
        sale.line,
        sale.amount,
        sale.lot_id,
        entry_id,
        now,
    )
    if made:
        await db.execute(conn, MARK_SOLD, project_id, sale.card_id)
    return bool(made)


async def unsold(conn: db.Db, project_id: str, ids: Collection[str]) -> dict[str, str]:
    """Those of locked vouchers whose cards are worth nothing, with why: nobody bought them, or their purchase came
    back and nothing else is on them.
    """
    if not ids:
        return {}
    return {r["id"]: WHY[r["sale"]] for r in await db.records(conn, UNSOLD, project_id, sorted(ids))}


def must_be_sold(book: Book, card_id: str) -> None:
    """Raise `ApiError` 400 `voucher_disabled` for a card of the book that nobody bought, or whose purchase came back
    and that has nothing on it.
    """
    sale = book.sales.get(card_id)
    if sale == "AWAITED" or (sale == "VOIDED" and not book.cards[card_id].balance):
        raise refusal(WHY[sale], card_id)


def refusal(why: str, card_id: str | None) -> ApiError:
    """400 for a card that is worth nothing."""
    return ApiError(
        400, "voucher_disabled", "Voucher is disabled", why, resource_id=card_id, resource_type="voucher"
    )


def void(book: Book, sale: Sale, now: datetime, cause_id: str | None) -> Voided:
    """Take off a card what is left of what its sale put on it. What came from elsewhere stays."""
    card = book.cards[sale.card_id]
    lot = card.lots.get(sale.lot_id)
    left = 0 if lot is None else lot.remaining
    why = Why(order_id=sale.order_id, cause_id=cause_id)
    book.sales[card.id] = "VOIDED"
    entry = None
    if left:
        entry = claw_back(
            card, "CREDITS_REMOVAL", [sale.lot_id], left, now, new_id("card_entry"), policy="FLOOR", why=why
        )
        book.enter([entry])
    # What was taken off the card by hand or has lapsed was nobody's use of it.
    spent = min(sale.amount - left, card.redeemed - card.refunded + card.cashed_out)
    return Voided(sale, left, spent, not any(one.remaining for one in card.lots.values()), entry)


async def write(conn: db.Conn, project_id: str, voided: Sequence[Voided], now: datetime) -> None:
    """Write that sales came back; cards with nothing else on them are switched off. The vouchers are locked."""
    if not voided:
        return
    ordered = sorted(voided, key=lambda one: one.sale.card_id)
    await db.execute(
        conn, VOID, project_id, [one.sale.card_id for one in ordered], [one.removed for one in ordered], now
    )
    await db.execute(conn, MARK_VOID, project_id, [one.sale.card_id for one in ordered])
    off = [one.sale.card_id for one in ordered if one.empty]
    if off:
        await db.execute(conn, SWITCH_OFF, project_id, off)
