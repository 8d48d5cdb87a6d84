"""Selling a gift card that was made with nothing on it, and taking it back when its purchase is canceled."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from guerdon.engine.ledger import TooMuch, Why, grant
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.jobs import Work
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import book as books
from guerdon.ledger import sales
from guerdon.ledger.book import Book, Note, entry_ids
from guerdon.ledger.sales import Sale, Voided
from guerdon.orders.store import sold_lines
from guerdon.vouchers import store
from guerdon.vouchers.edit import find_locked
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.terms import Name
from guerdon.vouchers.value import has_ended, is_on_sale

NOW = "select clock_timestamp()"

ORDER = """
    select id, source_id, status, items, initial_amount from orders where project_id = $1 and (id = $2 or source_id = $3)
    order by id = $2 desc limit 1 for update
"""

CANCELED = "select 1 from orders where project_id = $1 and id = $2 and status = 'CANCELED' for update"

LOCK = "select id from vouchers where project_id = $1 and id = any($2) order by id for update"


class SoldLine(Struct, kw_only=True):
    """The line of the order that the card is: its index, or a product, SKU or source id that names one line."""

    index: Annotated[int, Meta(ge=0, le=499)] | None = None
    product_id: Name | None = None
    sku_id: Name | None = None
    source_id: Name | None = None


class SoldBy(Struct, kw_only=True):
    """The order that sold the card, by its id or source id; `item` is the line, so that its return takes the card
    back.
    """

    id: Name | None = None
    source_id: Name | None = None
    item: SoldLine | None = None


class ActivationIn(Struct, kw_only=True):
    """What sold a card. `amount`, in minor units, is for cards whose campaign leaves it open."""

    order: SoldBy
    amount: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    reason: Annotated[str, Meta(max_length=5000)] | None = None


class Activated(Struct, kw_only=True):
    """A card that was sold, and the transaction that put the amount on it."""

    object: str = "card_activation"
    transaction_id: str
    amount: int
    order_id: str
    voucher: Voucher


async def activate(call: Call, code: str, data: ActivationIn) -> Activated:
    """Put on a card what it was sold for, and switch it on.

    Raises `ApiError` 404, 400 `invalid_voucher`, `invalid_order`, `invalid_amount`, `voucher_expired`, 409 `already_activated`.
    """
    named = data.order
    if (named.id is None) == (named.source_id is None):
        raise invalid_payload(Fault("order", "name the order by its id or by its source_id"))
    found = await db.records(call.conn, ORDER, call.project_id, named.id, named.source_id)
    if not found:
        raise not_found("order", named.id or named.source_id or "")
    order = found[0]
    card = await find_locked(call, code)
    if card.type != "GIFT_VOUCHER" or not is_on_sale(card.body):
        details = f"{code} was not made to be sold later: its campaign has no option cards: ON_SALE."
        raise ApiError(400, "invalid_voucher", "Invalid voucher", details)
    if order["status"] not in ("PAID", "FULFILLED"):
        was = "canceled" if order["status"] == "CANCELED" else "not paid yet"
        raise _invalid_order(f"The order is {was}: a card is sold by an order that is PAID or FULFILLED.")
    if has_ended(card.body, await db.value(call.conn, NOW)):
        details = f"{code} is over since {card.body['expiration_date']}: nothing on it could be spent."
        raise ApiError(
            400, "voucher_expired", "Voucher expired", details, resource_id=card.id, resource_type="voucher"
        )
    lines = msgspec.json.decode(order["items"] or "null") or []
    line = None if named.item is None else _line(named.item, lines)
    amount = _amount(card.body["gift"]["amount"], data.amount)
    if not card.body["gift"]["amount"]:
        _check_price(amount, order["initial_amount"] if line is None else _price(lines[line]))
    entry_id = await _sell(call, card.id, order["id"], line, amount, data.reason)
    await _check_units(call, order["id"], line, lines)
    await store.set_active(call.conn, call.project_id, card.id, True)
    told = {"transaction_id": entry_id, "type": "CREDITS_ADDITION", "amount": amount, "balance": amount}
    names = ("voucher.enabled", "voucher.gift.transaction.created", "voucher.gift.balance_aded")
    events = [Event(name, card.id, card.holder_id, told) for name in names]
    await emit(call.conn, call.project_id, events, call.request_id)
    made = await store.find(call.conn, call.project_id, card.id, call.caller.case_sensitive_codes)
    assert made is not None
    shown = (await store.with_rules(call.conn, call.project_id, [made.answer()]))[0]
    return Activated(transaction_id=entry_id, amount=amount, order_id=order["id"], voucher=shown)


async def _sell(
    call: Call, card_id: str, order_id: str, line: int | None, amount: int, reason: str | None
) -> str:
    """The books' part; the entry's id."""
    book = await books.load(call.conn, call.project_id, (card_id,), lock=True)
    now = await db.value(call.conn, NOW)
    entry_id, lot_id = entry_ids()[0]
    sale = Sale(card_id, order_id, line, amount, lot_id)
    if not await sales.sell(call.conn, call.project_id, sale, entry_id, now):
        raise ApiError(
            409, "already_activated", "Already activated", "The card was sold before; nothing was changed.",
            resource_id=card_id, resource_type="voucher",
        )  # fmt: skip
    card = book.cards[card_id]
    try:
        entry = grant(card, "CREDITS_ADDITION", amount, now, (entry_id, lot_id), why=Why(order_id=order_id))
    except TooMuch:
        raise _invalid_amount("makes the balance larger than a number can be") from None
    book.enter([entry], Note("", None, reason, "API"))
    await books.write(call.conn, call.project_id, book, now)
    return entry_id


async def _check_units(call: Call, order_id: str, line: int | None, lines: list[dict[str, Any]]) -> None:
    """Raise `ApiError` 400 where an order would have sold more cards than goods: in all, or of the line."""
    if not lines:  # known by its amount alone
        return
    sold = await sold_lines(call.conn, call.project_id, order_id)
    units = [one.get("quantity", 1) for one in lines]
    if sum(sold.values()) > sum(units) or (line is not None and sold[line] > units[line]):
        which = "the order" if line is None else f"line {line} of the order"
        raise _invalid_order(f"As many cards as {which} has units were sold by it already.")


def _amount(fixed: int, given: int | None) -> int:
    if not fixed and given is None:
        raise _invalid_amount("is needed: the campaign leaves open what its cards are sold for")
    if fixed and given not in (None, fixed):
        raise _invalid_amount(f"is {fixed} on every card of this campaign")
    return fixed or given or 0


def _price(line: dict[str, Any]) -> int | None:
    """What a unit of a line costs before discounts, if that is known."""
    if line.get("price") is not None:
        return line["price"]
    return None if line.get("amount") is None else -(-line["amount"] // max(1, line.get("quantity", 1)))


def _check_price(amount: int, price: int | None) -> None:
    """Raise `ApiError` 400 for more credit than the card cost: a slip of a finger at the till."""
    if price is not None and amount > price:
        raise _invalid_amount(
            f"is more than the {price} that the card costs; a bonus is added to the balance afterwards"
        )


def _line(item: SoldLine, lines: list[dict[str, Any]]) -> int:
    if item.index is not None:
        if item.index >= len(lines):
            raise invalid_payload(Fault("order.item.index", f"the order has {len(lines)} lines"))
        return item.index
    wanted = {name: value for name, value in msgspec.structs.asdict(item).items() if value is not None}
    hits = [
        place for place, line in enumerate(lines) if all(line.get(name) == v for name, v in wanted.items())
    ]
    if not wanted or len(hits) != 1:
        why = (
            f"{len(hits)} lines of the order are meant by this" if wanted else "name the line by index or id"
        )
        raise invalid_payload(Fault("order.item", why))
    return hits[0]


async def void(work: Work) -> dict[str, Any]:
    """Take back the cards that a canceled order sold."""
    project_id, order_id = work.job.project_id, work.job.payload["order_id"]
    async with work.step() as conn:
        voided: list[Voided] = []
        if await db.value(conn, CANCELED, project_id, order_id) is not None:
            voided = await _void(conn, project_id, order_id)
        await work.finish(conn, {"done_count": len(voided)})
    return {"done_count": len(voided)}


async def _void(conn: db.Conn, project_id: str, order_id: str) -> list[Voided]:
    sold = (await sales.of_orders(conn, project_id, (order_id,))).get(order_id, [])
    if not sold:
        return []
    ids = [sale.card_id for sale in sold]
    await db.records(conn, LOCK, project_id, ids)
    lots = [sale.lot_id for sale in sold]
    book = await books.load(conn, project_id, ids, lock=True, lots=lots)
    now = await db.value(conn, NOW)
    voided = [sales.void(book, sale, now, None) for sale in sold]
    await write_voided(conn, project_id, book, voided, now)
    return voided


async def write_voided(
    conn: db.Conn, project_id: str, book: Book, voided: list[Voided], now: datetime
) -> None:
    """Write what was taken back, with its events."""
    await books.write(conn, project_id, book, now)
    await sales.write(conn, project_id, voided, now)
    await emit(conn, project_id, [event for one in voided for event in news(one)])


def news(one: Voided) -> list[Event]:
    """What is told of a card whose purchase came back."""
    events: list[Event] = []
    if one.entry is not None:
        data = {
            "transaction_id": one.entry.id,
            "type": one.entry.type,
            "amount": one.entry.amount,
            "balance": one.entry.balance,
        }
        events.append(Event("voucher.gift.transaction.created", one.sale.card_id, data=data))
    if one.empty:
        events.append(Event("voucher.disabled", one.sale.card_id))
    return events


def _invalid_order(why: str) -> ApiError:
    return ApiError(400, "invalid_order", "Invalid order", why)


def _invalid_amount(why: str) -> ApiError:
    return invalid_payload(Fault("amount", why), key="invalid_amount", message="Invalid amount")
