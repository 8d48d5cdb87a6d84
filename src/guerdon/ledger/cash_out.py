"""Paying out what is on a gift card, and telling its holder what is on it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from guerdon.engine.ledger import NotEnough, spend
from guerdon.kit.call import Call, Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.ledger.balance import BalanceOut
from guerdon.ledger.book import Note
from guerdon.ledger.desk import Moment, PinAsk, carry_out
from guerdon.ledger.pins import GivenPin
from guerdon.ledger.sales import must_be_sold
from guerdon.ledger.transactions import Ref


class PinIn(Struct, kw_only=True):
    """The PIN of a card that has one."""

    pin: GivenPin | None = None


class CashOutIn(Struct, kw_only=True):
    """How much to pay out, in minor units; without `amount` all there is."""

    amount: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    reason: Annotated[str, Meta(max_length=5000)] | None = None
    source_id: Annotated[str, Meta(max_length=500)] | None = None
    gift: PinIn | None = None


class CashOut(BalanceOut, kw_only=True):
    """What was paid out (`amount`, negative as the card sees it) and what is left; `id` is the transaction's."""

    id: str
    transaction_type: str = "CREDITS_CASH_OUT"
    source_id: str | None
    reason: str | None


async def cash_out(call: Call, card_id: str, data: CashOutIn) -> Reply:
    """Pay out under the desk. Raises `ApiError` 400 `invalid_amount` for more than there is or nothing there,
    `invalid_pin`, 429.
    """
    pin = PinAsk(card_id, data.gift and data.gift.pin)
    return await carry_out(
        call, (card_id,), lambda moment: _decide(moment, card_id, data), pin, reach=data.amount
    )


class LookUpIn(Struct, kw_only=True):
    """The PIN, of a card that has one."""

    gift: PinIn | None = None


class BalanceSeen(Struct, kw_only=True):
    """What is on a card, in minor units: `balance` as the books say, `available` what can be spent now, and what
    lapses next.
    """

    object: str = "card_balance"
    voucher_id: str
    balance: int
    available: int
    next_expiration_date: str | None = None
    next_expiration_amount: int | None = None


async def look_up(call: Call, card_id: str, data: LookUpIn, usable: Callable[[datetime], bool]) -> Reply:
    """What is on a card; nothing is available of one that is not `usable` at the instant. Raises `ApiError` 400
    `invalid_pin`, 429.
    """

    def decide(moment: Moment) -> BalanceSeen:
        card = moment.book.cards.get(card_id)
        if card is None:
            raise not_found("card", card_id)
        lots = [lot for lot in card.lots.values() if lot.expires_at is not None and lot.open(moment.now)]
        ends = min((lot.expires_at for lot in lots if lot.expires_at is not None), default=None)
        free = max(0, card.available(moment.now) - moment.book.kept.get(card_id, 0))
        over = [
            lot for lot in card.lots.values() if lot.expires_at is not None and lot.expires_at <= moment.now
        ]
        lapsing = sum(lot.remaining for lot in lots if lot.expires_at == ends)
        return BalanceSeen(
            voucher_id=card_id,
            balance=card.balance - sum(lot.remaining for lot in over),
            available=free if usable(moment.now) else 0,
            next_expiration_date=None if ends is None else iso(ends),
            next_expiration_amount=None if ends is None else lapsing,
        )

    return await carry_out(call, (card_id,), decide, PinAsk(card_id, data.gift and data.gift.pin))


async def refuse_unknown(call: Call, name: str, given: str) -> Reply:
    """Answer a PIN for a card that is not there, as a wrong PIN is answered and counted."""

    def never(moment: Moment) -> Reply:
        raise not_found("voucher", name)

    return await carry_out(call, (), never, PinAsk(name, given))


def _decide(moment: Moment, card_id: str, data: CashOutIn) -> CashOut:
    card = moment.book.cards.get(card_id)
    if card is None:
        raise not_found("card", card_id)
    must_be_sold(moment.book, card_id)
    kept = moment.book.kept.get(card_id, 0)
    amount = max(0, card.available(moment.now) - kept) if data.amount is None else data.amount
    if not amount:
        raise _invalid_amount("nothing is left to pay out")
    order = moment.book.order_of(card_id)
    try:
        moment.book.check_free(card, amount, moment.now)
        entry = spend(card, "CREDITS_CASH_OUT", amount, moment.now, new_id("card_entry"), order=order)
    except NotEnough as refused:
        raise _invalid_amount(f"{refused.available} can be paid out; {refused.asked} is more") from None
    moment.book.enter([entry], Note("", data.source_id, data.reason, "API"))
    told = {"transaction_id": entry.id, "type": entry.type, "amount": entry.amount, "balance": card.balance}
    moment.tell(Event("voucher.gift.transaction.created", card.id, data=told))
    return CashOut(
        id=entry.id,
        amount=entry.amount,
        total=max(0, entry.total),
        balance=card.balance,
        type="gift_voucher",
        related_object=Ref(card_id, type="voucher"),
        source_id=data.source_id,
        reason=data.reason,
    )


def _invalid_amount(why: str) -> ApiError:
    return invalid_payload(Fault("amount", why), key="invalid_amount", message="Invalid amount")
