"""Adding to a card and taking from it by hand."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from guerdon.engine.ledger import Card, NotEnough, TooMuch, grant, spend
from guerdon.kit.call import Call, Reply
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event
from guerdon.ledger.book import Note, entry_ids
from guerdon.ledger.desk import Moment, carry_out
from guerdon.ledger.sales import must_be_sold
from guerdon.ledger.transactions import Ref

Signed = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]


class BalanceIn(Struct, kw_only=True):
    """What to add (positive) or take away (negative), in minor units or points. What is added may begin later
    (`start_date`) and lapse (`expiration_date`); without dates it is there at once and for as long as the card.
    """

    amount: Signed
    source_id: Annotated[str, Meta(max_length=500)] | None = None
    reason: Annotated[str, Meta(max_length=5000)] | None = None
    start_date: Annotated[str, Meta(max_length=64)] | None = None
    expiration_date: Annotated[str, Meta(max_length=64)] | None = None


class BalanceOut(Struct, kw_only=True):
    """What was moved and what is there now; `total` is what came onto the card less what was taken off it
    other than by redemptions, so what would be there had nothing been redeemed; at least 0, whatever the card owes.
    """

    amount: int
    total: int
    balance: int
    type: Literal["gift_voucher", "loyalty_card"]
    operation_type: Literal["MANUAL"] = "MANUAL"
    object: Literal["balance"] = "balance"
    related_object: Ref


class Dates(Struct):
    """When what is added begins and ends."""

    starts_at: datetime | None = None
    expires_at: datetime | None = None


async def change_balance(call: Call, card_id: str, data: BalanceIn, holder_id: str | None = None) -> Reply:
    """Add to a card or take from it, under the desk. `holder_id` is the customer whose activity tells it.

    Raises `ApiError` 400 `invalid_amount` for nothing or more than there is, `invalid_expiration_date`,
    `voucher_disabled` for a card that nobody bought.
    """
    if data.amount == 0:
        raise _invalid_amount("is 0: nothing would move")
    dates = _dates(call, data)
    if data.amount < 0 and (dates.starts_at or dates.expires_at):
        raise invalid_payload(Fault("expiration_date", "belongs to what is added, not to what is taken away"))
    note = (data.source_id, data.reason)

    def decide(moment: Moment) -> BalanceOut:
        return _decide(moment, (card_id, holder_id), data.amount, dates, note)

    return await carry_out(call, (card_id,), decide, reach=max(0, -data.amount))


def _dates(call: Call, data: BalanceIn) -> Dates:
    found = Dates()
    for name, place, end in (("start_date", "starts_at", False), ("expiration_date", "expires_at", True)):
        text = getattr(data, name)
        if text:
            try:
                setattr(found, place, parse_instant(text, call.caller.zone, end_of_day=end))
            except ValueError as error:
                raise invalid_payload(Fault(name, str(error))) from None
    if found.starts_at and found.expires_at and found.expires_at <= found.starts_at:
        raise invalid_payload(
            Fault("expiration_date", "is not after start_date"), key="invalid_expiration_date"
        )
    return found


def _decide(
    moment: Moment,
    whose: tuple[str, str | None],
    amount: int,
    dates: Dates,
    note: tuple[str | None, str | None],
) -> BalanceOut:
    card_id, holder_id = whose
    card = moment.book.cards.get(card_id)
    if card is None:
        raise not_found("card", card_id)
    must_be_sold(moment.book, card_id)
    unit = "CREDITS" if card.unit == "credits" else "POINTS"
    ids = entry_ids()[0]
    try:
        if amount > 0:
            if dates.expires_at is not None and dates.expires_at <= moment.now:
                raise invalid_payload(
                    Fault("expiration_date", "has passed already"), key="invalid_expiration_date"
                )
            entry = grant(
                card, f"{unit}_ADDITION", amount, moment.now, ids,
                starts_at=dates.starts_at, expires_at=dates.expires_at,
            )  # fmt: skip
            if dates.expires_at is not None and unit == "POINTS":
                moment.book.end_apart(entry)
        else:
            order = moment.book.order_of(card_id)
            moment.book.check_free(card, -amount, moment.now)
            entry = spend(card, f"{unit}_REMOVAL", -amount, moment.now, ids[0], order=order)
    except NotEnough as refused:
        raise _invalid_amount(
            f"takes {refused.asked} from a card that has {refused.available} to take from"
        ) from None
    except TooMuch:
        raise _invalid_amount("makes the balance larger than a number can be") from None
    moment.book.enter([entry], Note("", note[0], note[1], "API"))
    _tell(moment, card, holder_id, entry.id, amount)
    return BalanceOut(
        amount=amount,
        total=max(0, entry.total),
        balance=card.balance,
        type="gift_voucher" if unit == "CREDITS" else "loyalty_card",
        related_object=Ref(card_id, type="voucher"),
    )


def _tell(moment: Moment, card: Card, holder_id: str | None, entry_id: str, amount: int) -> None:
    data: dict[str, Any] = {"transaction_id": entry_id, "amount": amount, "balance": card.balance}
    gift = card.unit == "credits"
    moment.tell(
        Event(
            "voucher.gift.transaction.created" if gift else "voucher.loyalty_card.transaction.created",
            card.id,
            holder_id,
            data,
        )
    )
    if amount > 0:
        moment.tell(
            Event(
                "voucher.gift.balance_aded" if gift else "voucher.loyalty_card.points_aded",
                card.id,
                holder_id,
                data,
            )
        )


def _invalid_amount(why: str) -> ApiError:
    return invalid_payload(Fault("amount", why), key="invalid_amount", message="Invalid amount")
