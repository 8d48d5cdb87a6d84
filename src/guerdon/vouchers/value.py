"""What gift cards and loyalty cards promise and hold: as sent, as kept in their terms, and as answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.engine.ledger import Card, grant
from guerdon.kit import db
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.ledger import book as books
from guerdon.ledger.book import Book, entry_ids
from guerdon.ledger.pins import NewPin

Amount = Annotated[int, Meta(ge=0, le=2**53 - 1)]

NOW = "select clock_timestamp()"

# What lapsed but has not been taken off by the nightly run yet is not shown as there.
HELD = """
    select c.id, c.balance, c.issued, c.redeemed - c.refunded as redeemed, c.removed + c.cashed_out as removed, c.expired,
           c.transferred, c.received, l.lapsed, l.next_at, l.next_amount, c.pinned, z.timezone
    from unnest($2::text[]) as w (id) join cards c on c.project_id = $1 and c.id = w.id
    cross join lateral (
        select coalesce(sum(o.remaining) filter (where o.expires_at <= now()), 0) as lapsed,
               min(o.expires_at) filter (where o.expires_at > now()) as next_at,
               sum(o.remaining) filter (where o.expires_at = n.at) as next_amount
        from card_lots o, lateral (
            select min(f.expires_at) as at from card_lots f
            where f.project_id = $1 and f.card_id = c.id and f.remaining > 0 and f.expires_at > now()) n
        where o.project_id = $1 and o.card_id = c.id and o.remaining > 0
    ) l
    cross join (select timezone from projects where id = $1) z
"""


class GiftIn(Struct):
    """Credits of a gift card in minor units; what they are taken off when the card is redeemed. `pin` of a card that is
    made alone: true for a random one, which the answer tells once, or 4 to 12 digits.
    """

    amount: Amount
    effect: Literal["APPLY_TO_ORDER", "APPLY_TO_ITEMS"] | None = None
    pin: bool | NewPin | None = None


class PointsIn(Struct):
    """Points that a loyalty card begins with, and when those that are earned lapse.

    Ours, of a campaign: `clawback` says what becomes of points whose order comes back and that were spent meanwhile
    (owed, let go, or a balance below zero); `transfers` whether points moved to another card keep when they lapse.
    """

    points: Amount = 0
    expiration_rules: dict[str, Any] | None = None
    clawback: Literal["DEBT", "FLOOR", "NEGATIVE"] | None = None
    transfers: Literal["KEEP", "RESTART"] | None = None


class GiftOut(Struct, gc=False):
    """Credits in minor units: `amount` ever put on the card, `subtracted_amount` taken off it by hand or lapsed,
    `balance` what is there. `pin` is told once; `has_pin` that there is one."""

    amount: int
    subtracted_amount: int
    balance: int
    effect: str
    has_pin: bool | UnsetType = UNSET
    pin: str | UnsetType = UNSET


class PointsOut(Struct, gc=False):
    """Points: `points` ever come to the card, those from other cards among them, `balance` what is there, and what
    lapses next. `subtracted_points` were taken off, clawed back, or went to other cards.
    """

    points: int
    balance: int
    next_expiration_date: str | None = None
    next_expiration_points: int | None = None
    pending_points: int = 0
    expired_points: int = 0
    subtracted_points: int = 0


class Held(Struct, gc=False):
    """What a card holds, and what ever moved on it."""

    id: str
    balance: int
    issued: int
    redeemed: int
    removed: int
    expired: int
    transferred: int
    received: int
    lapsed: int = 0
    next_at: datetime | None = None
    next_amount: int | None = None
    pinned: bool = False
    timezone: str = "UTC"

    def gift(self, body: dict[str, Any]) -> GiftOut:
        """As the card of a body of terms is shown."""
        effect = (body.get("gift") or {}).get("effect") or "APPLY_TO_ORDER"
        taken = self.removed + self.expired + self.lapsed - self.transferred
        return GiftOut(self.issued, taken, self.balance - self.lapsed, effect, self.pinned or UNSET)

    def points(self) -> PointsOut:
        """As the card is shown."""
        ends = None if self.next_at is None else _last_day(self.next_at, self.timezone)
        return PointsOut(
            points=self.issued + self.received,
            balance=self.balance - self.lapsed,
            next_expiration_date=ends,
            next_expiration_points=self.next_amount,
            expired_points=self.expired + self.lapsed,
            subtracted_points=self.removed + self.received - self.transferred,
        )


def _last_day(ends: datetime, timezone: str) -> str:
    """The last local day before something ends, as a date."""
    return (ends - timedelta(microseconds=1)).astimezone(ZoneInfo(timezone)).date().isoformat()


def held_of(card: Card, now: datetime, timezone: str) -> Held:
    """What a card holds, as a transaction that has it under lock sees it."""
    held = Held(
        id=card.id, balance=card.balance, issued=card.issued, redeemed=card.redeemed - card.refunded,
        removed=card.removed + card.cashed_out, expired=card.expired, transferred=card.transferred,
        received=card.received, timezone=timezone,
    )  # fmt: skip
    for lot in card.lots.values():
        if lot.expires_at is None or not lot.remaining:
            continue
        if lot.expires_at <= now:
            held.lapsed += lot.remaining
        elif held.next_at is None or lot.expires_at < held.next_at:
            held.next_at, held.next_amount = lot.expires_at, lot.remaining
        elif lot.expires_at == held.next_at:
            held.next_amount = (held.next_amount or 0) + lot.remaining
    return held


def promised(body: dict[str, Any]) -> GiftOut:
    """A gift card as its terms make it, before anybody looked what is on it."""
    gift = body["gift"]
    return GiftOut(gift["amount"], 0, gift["amount"], gift["effect"])


async def held(conn: db.Db, project_id: str, ids: Sequence[str]) -> dict[str, Held]:
    """What cards hold now, by their vouchers' ids."""
    if not ids:
        return {}
    return {one.id: one for one in await db.rows(conn, Held, HELD, project_id, list(ids))}


def type_of(type: str | None, gift: Any, loyalty_card: Any, discount: Any, path: str = "") -> str:
    """What kind of voucher is meant; absent, it is told by what it gives. Raises `ApiError` 400 for a mixture."""
    given = {"DISCOUNT_VOUCHER": discount, "GIFT_VOUCHER": gift, "LOYALTY_CARD": loyalty_card}
    names = {"DISCOUNT_VOUCHER": "discount", "GIFT_VOUCHER": "gift", "LOYALTY_CARD": "loyalty_card"}
    if type is not None and type not in given:
        raise invalid_payload(Fault(f"{path}type", "must be one of " + ", ".join(given)))
    said = [kind for kind, value in given.items() if value is not None]
    kind = type or (said[0] if said else "DISCOUNT_VOUCHER")
    for other in said:
        if other != kind:
            raise invalid_payload(Fault(path + names[other], f"does not belong to a voucher of type {kind}"))
    return kind


def kind_of(body: dict[str, Any]) -> str:
    """What kind of voucher a body of terms makes."""
    if "gift" in body:
        return "GIFT_VOUCHER"
    return "LOYALTY_CARD" if "loyalty_card" in body else "DISCOUNT_VOUCHER"


def value_of(
    type: str, gift: GiftIn | None, card: PointsIn | None, path: str = "", *, on_sale: bool = False
) -> dict[str, Any]:
    """What terms keep of the value that each card begins with. Raises `ApiError` 400 where it is missing.

    A card that is `on_sale` begins with nothing, switched off: a purchase puts the amount on it.
    """
    if type == "GIFT_VOUCHER":
        if gift is None:
            raise invalid_payload(Fault(f"{path}gift", "a gift card needs its amount"), key="invalid_gift")
        kept = {"amount": gift.amount, "effect": gift.effect or "APPLY_TO_ORDER"}
        return {"gift": kept | {"on_sale": True} if on_sale else kept}
    if type == "LOYALTY_CARD":
        kept = {} if card is None else msgspec.to_builtins(card)
        return {
            "loyalty_card": {"points": 0} | {name: said for name, said in kept.items() if said is not None}
        }
    return {}


def is_on_sale(body: dict[str, Any]) -> bool:
    """Whether cards of these terms have nothing on them until they are sold."""
    return bool((body.get("gift") or {}).get("on_sale"))


def has_ended(body: dict[str, Any], now: datetime) -> bool:
    """Whether terms have ended by now."""
    end = body.get("expiration_date")
    return end is not None and parse_instant(end) <= now


async def must_last(conn: db.Db, body: dict[str, Any]) -> None:
    """Raise `ApiError` 400 `invalid_expiration_date` for cards that would be over before they are made: what is put on
    them is owed, but could never be spent.
    """
    if body.get("expiration_date") is None or kind_of(body) == "DISCOUNT_VOUCHER":
        return
    if has_ended(body, await db.value(conn, NOW)):
        raise ended()


def ended() -> ApiError:
    """400 for a card that would be over before it is made."""
    fault = Fault("expiration_date", "has passed already: nothing on the card could be spent")
    return invalid_payload(fault, key="invalid_expiration_date")


def no_pin(gift: GiftIn | None, path: str) -> None:
    """Raise `ApiError` 400 for a PIN that many cards would have, or nobody would be told."""
    if gift is not None and gift.pin:
        why = "belongs to a card that is being made alone; PUT /v1/vouchers/{code}/pin sets that of others"
        raise invalid_payload(Fault(f"{path}gift.pin", why))


def unit_of(type: str, campaign_id: str | None) -> str:
    """In what the cards of a campaign are reckoned: points of a card definition, which goes by the campaign's name."""
    if type == "GIFT_VOUCHER":
        return "credits"
    assert campaign_id is not None
    return "lcdef_" + campaign_id.partition("_")[2]


async def open_cards(
    conn: db.Conn, project_id: str, campaign_id: str | None, new: Iterable[tuple[str, dict[str, Any]]]
) -> None:
    """Open the accounts of new cards, each with what its terms say it begins with; vouchers that are no cards are
    passed over.
    """
    cards = [(voucher_id, body) for voucher_id, body in new if kind_of(body) != "DISCOUNT_VOUCHER"]
    if not cards:
        return
    book, now = Book(), await db.value(conn, NOW)
    for voucher_id, body in cards:
        unit = unit_of(kind_of(body), campaign_id)
        card = book.open(voucher_id, unit, campaign_id)
        if is_on_sale(body):
            book.await_sale(voucher_id)
            continue
        amount = (body.get("gift") or {}).get("amount") or (body.get("loyalty_card") or {}).get("points")
        if amount:
            entry = "CREDITS_ADDITION" if unit == "credits" else "POINTS_ADDITION"
            book.enter([grant(card, entry, amount, now, entry_ids()[0])])
    await books.write(conn, project_id, book, now)
