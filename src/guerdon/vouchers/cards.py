"""Gift cards and loyalty cards over HTTP: their balances and transactions, what sells them and pays them out."""

from msgspec import Struct

from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError, not_found
from guerdon.ledger import book as books
from guerdon.ledger import pins
from guerdon.ledger.balance import BalanceIn, BalanceOut, change_balance
from guerdon.ledger.cash_out import (
    BalanceSeen,
    CashOut,
    CashOutIn,
    LookUpIn,
    cash_out,
    look_up,
    refuse_unknown,
)
from guerdon.ledger.pins import NewPin
from guerdon.ledger.transactions import OF_CARD, Transactions, transactions
from guerdon.vouchers import sale, store
from guerdon.vouchers.edit import find_locked
from guerdon.vouchers.sale import Activated, ActivationIn
from guerdon.vouchers.value import has_ended


async def card_of(call: Call, code: str) -> store.VoucherWithTerms:
    """The card behind a code or id. Raises `ApiError` 404, 400 for a voucher that holds nothing."""
    found = await store.find(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if found is None:
        raise not_found("voucher", code)
    if found.type == "DISCOUNT_VOUCHER":
        raise ApiError(
            400,
            "invalid_voucher",
            "Invalid voucher",
            f"{code} is a discount voucher; only gift cards and loyalty cards hold something.",
            resource_id=found.id,
            resource_type="voucher",
        )
    return found


async def update_balance(call: Call, code: str, data: BalanceIn) -> BalanceOut | Reply:
    """Add credits or points to a card, or take some away.

    A negative `amount` takes away, and never more than there is. What is added may lapse: `expiration_date`.
    """
    card = await card_of(call, code)
    return await change_balance(call, card.id, data, card.holder_id)


async def list_transactions(
    call: Call,
    code: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Transactions:
    """List what moved on a card, newest first.

    `order` is `id` or `created_at`; `-` before it reverses.
    """
    card = await card_of(call, code)
    return await transactions(call.db, call.project_id, OF_CARD, card.id, call.query, call.caller.timezone)


class PinChange(Struct, kw_only=True):
    """A card's new PIN: true for a random one, 4 to 12 digits, or null for none any more."""

    pin: bool | NewPin | None


class PinSet(Struct, kw_only=True):
    """Whether a card has a PIN now; `pin` is told once, where it was drawn here."""

    object: str = "card_pin"
    voucher_id: str
    has_pin: bool
    pin: str | None = None


async def cash_out_card(call: Call, code: str, data: CashOutIn) -> CashOut | Reply:
    """Pay out what is on a gift card, whole or in part.

    A card that has a PIN asks for it. What is paid out is a CREDITS_CASH_OUT; nothing can put it back.
    """
    card = await _gift_card(call, code, data.gift.pin if data.gift else None)
    if isinstance(card, Reply):
        return card
    if not card.active:
        raise ApiError(
            400, "voucher_disabled", "Voucher is disabled", f"{code} is switched off: nothing is paid out.",
            resource_id=card.id, resource_type="voucher",
        )  # fmt: skip
    return await cash_out(call, card.id, data)


async def look_up_balance(call: Call, code: str, data: LookUpIn) -> BalanceSeen | Reply:
    """Tell whoever holds a gift card what is on it.

    A card that has a PIN asks for it; wrong ones are counted. For pages where card holders type their codes.
    """
    card = await _gift_card(call, code, data.gift.pin if data.gift else None)
    if isinstance(card, Reply):
        return card
    return await look_up(call, card.id, data, lambda now: card.active and not has_ended(card.body, now))


async def activate_card(call: Call, code: str, data: ActivationIn) -> Activated:
    """Sell a gift card that was made with nothing on it.

    The campaign has the option `cards: ON_SALE`. The card is switched on with its amount; when the order comes back,
    what is left of that is taken off again.
    """
    return await sale.activate(call, code, data)


async def set_pin(call: Call, code: str, data: PinChange) -> PinSet:
    """Give a gift card a PIN, another one, or none.

    Wrong ones that were counted before still count.
    """
    card = await find_locked(call, code)
    _must_be_gift(card, code)
    await books.load(call.conn, call.project_id, (card.id,), lock=True)
    drawn = data.pin is True
    pin = pins.drawn() if drawn else data.pin or None
    await pins.keep(call.conn, call.project_id, card.id, None if pin is None else str(pin))
    if drawn:
        call.shown_once.append(str(pin))
    return PinSet(voucher_id=card.id, has_pin=pin is not None, pin=str(pin) if drawn else None)


async def _gift_card(call: Call, code: str, pin: str | None) -> store.VoucherWithTerms | Reply:
    """The gift card behind a code or id. Where there is none, a PIN that came with it is answered as a wrong one."""
    found = await store.find(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if found is None and pin is not None:
        return await refuse_unknown(call, store.code_key(code, call.caller.case_sensitive_codes), pin)
    if found is None:
        raise not_found("voucher", code)
    _must_be_gift(found, code)
    return found


def _must_be_gift(found: store.VoucherWithTerms, code: str) -> None:
    if found.type != "GIFT_VOUCHER":
        raise ApiError(
            400, "invalid_voucher", "Invalid voucher", f"{code} is no gift card.",
            resource_id=found.id, resource_type="voucher",
        )  # fmt: skip


ROUTES = [
    Route(method="POST", path="/v1/vouchers/{code}/balance", handler=update_balance, tag="Vouchers", kind="flow"),
    Route(method="POST", path="/v1/vouchers/{code}/balance/look-up", handler=look_up_balance, tag="Vouchers", kind="flow"),
    Route(method="POST", path="/v1/vouchers/{code}/cash-out", handler=cash_out_card, tag="Vouchers", kind="flow"),
    Route(method="POST", path="/v1/vouchers/{code}/activation", handler=activate_card, tag="Vouchers", kind="write"),
    Route(method="PUT", path="/v1/vouchers/{code}/pin", handler=set_pin, tag="Vouchers", kind="write"),
    Route(method="GET", path="/v1/vouchers/{code}/transactions", handler=list_transactions, tag="Vouchers"),
]  # fmt: skip
