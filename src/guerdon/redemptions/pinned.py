"""PINs in validations and redemptions: a card that has one is refused without it, and wrong ones are counted."""

from collections.abc import Sequence
from typing import Any

from guerdon.kit import db
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.ledger import pins
from guerdon.redemptions.asks import RedeemAsk
from guerdon.redemptions.shapes import ValidationIn

GIFT = "GIFT_VOUCHER"


def brings_pin(data: ValidationIn) -> bool:
    """Whether a request tries a PIN, so that it has to be counted though nothing is redeemed.

    Raises `ApiError` 400 where it asks about another time or things that are not saved.
    """
    for place, one in enumerate(data.redeemables):
        if one.gift is not None and one.gift.pin is not None:
            if data.at is not None or data.drafts is not None:
                path = f"redeemables[{place}].gift.pin"
                raise invalid_payload(Fault(path, "belongs to questions about now, with nothing drafted"))
            return True
    return False


async def gather(conn: db.Db, seen: Any, asks: Sequence[RedeemAsk]) -> None:
    """Lock the tries that the PINs of a batch are counted under. After the cards."""
    names = {
        name
        for ask in asks
        if ask.key is None or ask.key not in seen.stored
        for name, given in _tried(seen, ask)
        if given is not None
    }
    if names:
        seen.pins = await pins.load(conn, seen.project_id, names)


def check(seen: Any, ask: RedeemAsk) -> None:
    """Raise `ApiError` 400 or 429 unless all cards of a request are opened by their PINs."""
    for name, given in _tried(seen, ask):
        if name not in seen.vouchers:  # a guess, of which a key has so many a minute
            seen.misses[ask.caller.key_id] = seen.misses.get(ask.caller.key_id, 0) + 1
        seen.pins.check(name, given, seen.clock)


def _tried(seen: Any, ask: RedeemAsk) -> list[tuple[str, str | None]]:
    """Under which names PINs are tried or needed. A code that nobody has is tried as a card would be."""
    if ask.open or (not seen.book.pinned and all(one.gift is None for one in ask.data.redeemables)):
        return []
    tried: list[tuple[str, str | None]] = []
    for key, asked in zip(ask.code_keys, ask.data.redeemables, strict=True):
        if asked.object != "voucher":
            continue
        given = None if asked.gift is None else asked.gift.pin
        voucher = seen.voucher_named(key, asked.id)
        if voucher is None:
            if given is not None:
                tried.append((key, given))
        elif voucher.id in seen.book.pinned:
            tried.append((voucher.id, given))
    return tried
