"""Cards that were sold: what a purchase put on a card, and taking it off again when the purchase comes back."""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct

from guerdon.engine.ledger import Entry, Why, claw_back
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.ledger.book import Book

SELL = """
    insert into card_sales (project_id, card_id, order_id, line, amount, lot_id, entry_id, sold_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
"""

OF_ORDERS = """
    select s.card_id, s.order_id, s.line, s.amount, s.lot_id,
           coalesce((c.options ->> 'refund_less_spent')::boolean, false) as less_spent
    from unnest($2::text[]) as w (id) join card_sales s on s.project_id = $1 and s.order_id = w.id
    left join vouchers v on v.project_id = $1 and v.id = s.card_id
    left join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    where s.voided_at is null
    order by s.sold_at desc, s.card_id
"""

VOID = """
    update card_sales s set voided_at = $4, removed = w.removed
    from unnest($2::text[], $3::bigint[]) as w (card_id, removed)
    where s.project_id = $1 and s.card_id = w.card_id
"""

SWITCH_OFF = "update vouchers set active = false, updated_at = now() where project_id = $1 and id = any($2)"


class Sale(Struct, frozen=True):
    """A card that an order sold. `less_spent`: what was spent of it lessens the refund."""

    card_id: str
    order_id: str
    line: int | None
    amount: int
    lot_id: str
    less_spent: bool = False


class Voided(Struct, frozen=True):
    """A sale that came back: what was taken off its card, what of it had been spent, and whether the card is empty."""

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
    return bool(made)


def void(book: Book, sale: Sale, now: datetime, cause_id: str | None) -> Voided:
    """Take off a card what is left of what its sale put on it. What came from elsewhere stays."""
    card = book.cards[sale.card_id]
    lot = card.lots.get(sale.lot_id)
    left = 0 if lot is None else lot.remaining
    why = Why(order_id=sale.order_id, cause_id=cause_id)
    entry = None
    if left:
        entry = claw_back(
            card, "CREDITS_REMOVAL", [sale.lot_id], left, now, new_id("card_entry"), policy="FLOOR", why=why
        )
        book.enter([entry])
    return Voided(sale, left, sale.amount - left, not any(one.remaining for one in card.lots.values()), entry)


async def write(conn: db.Conn, project_id: str, voided: Sequence[Voided], now: datetime) -> None:
    """Write that sales came back; cards with nothing else on them are switched off. The vouchers are locked."""
    if not voided:
        return
    ordered = sorted(voided, key=lambda one: one.sale.card_id)
    await db.execute(
        conn, VOID, project_id, [one.sale.card_id for one in ordered], [one.removed for one in ordered], now
    )
    off = [one.sale.card_id for one in ordered if one.empty]
    if off:
        await db.execute(conn, SWITCH_OFF, project_id, off)
