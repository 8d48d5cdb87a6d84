"""Stored value of one card: lots that are granted, spent, given back, taken away, moved on and left to lapse.

Every act on a card makes one or more entries. An entry is a movement between the card and a named account of the
books (`COUNTERS`), so the books are double entry: what one side gains the other loses. Amounts are whole minor
units, or points. The card changes in place; whoever recorded its entries can tell its balance at any moment.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

from msgspec import Struct, field
from msgspec.json import encode

SpendOrder = Literal["SOONEST_EXPIRING", "OLDEST", "SMALLEST"]
Account = Literal["issued", "redeemed", "refunded", "expired", "removed", "transferred", "cashed_out"]

COUNTERS: Final[dict[str, Account]] = {
    "CREDITS_ADDITION": "issued",
    "CREDITS_REMOVAL": "removed",
    "CREDITS_REDEMPTION": "redeemed",
    "CREDITS_REFUND": "refunded",
    "CREDITS_EXPIRATION": "expired",
    "CREDITS_CASH_OUT": "cashed_out",
    "POINTS_ACCRUAL": "issued",
    "POINTS_ADDITION": "issued",
    "PENDING_POINTS_ACTIVATION": "issued",
    "POINTS_REMOVAL": "removed",
    "POINTS_CLAWBACK": "removed",
    "POINTS_REDEMPTION": "redeemed",
    "POINTS_REFUND": "refunded",
    "POINTS_EXPIRATION": "expired",
    "POINTS_TRANSFER_IN": "transferred",
    "POINTS_TRANSFER_OUT": "transferred",
}
"""The account that stands against the card, by the type of an entry."""

DEBT: Final = "debt"
"""Where an entry names lots: what the card owes, for example points spent whose purchase was given back."""

GENESIS: Final = b"\0" * 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
MAX_BALANCE: Final = 2**53 - 1


class Lot(Struct, gc=False):
    """What was granted at once, under one rule. ``remaining`` is what is left of ``granted``.

    It can be spent from ``starts_at`` on (None: at once) and before ``expires_at`` (None: always). ``entry_id`` is
    the entry that granted it; ``parent`` the lot of another card that it was transferred from.
    """

    id: str
    granted: int
    remaining: int
    created_at: datetime
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    entry_id: str | None = None
    parent: str | None = None

    def open(self, now: datetime) -> bool:
        """Whether it can be spent at this instant."""
        return (
            self.remaining > 0
            and (self.starts_at is None or self.starts_at <= now)
            and (self.expires_at is None or now < self.expires_at)
        )


class Part(Struct, frozen=True, gc=False):
    """How much an entry moved of one lot; positive came to the card. The lot is `DEBT` for what is owed."""

    lot: str
    amount: int


class Entry(Struct, gc=False, kw_only=True):
    """One movement. ``amount`` is signed as the card sees it; ``balance`` is the card's after it, ``total`` what it
    would be had nothing ever been redeemed.

    ``related_id`` is the entry that this one answers: what a refund gives back, the other side of a transfer (of an
    entry out the first one in, where its points came from more than one lot).
    """

    id: str
    card_id: str
    seq: int
    type: str
    amount: int
    balance: int
    total: int
    parts: tuple[Part, ...]
    at: datetime
    hash: bytes
    related_id: str | None = None
    redemption_id: str | None = None
    order_id: str | None = None
    cause_id: str | None = None


class Why(Struct, frozen=True, gc=False):
    """What an entry was made for: ids alone, since entries stay when people are forgotten."""

    related_id: str | None = None
    redemption_id: str | None = None
    order_id: str | None = None
    cause_id: str | None = None


NO_REASON = Why()


class NotEnough(Exception):
    """The card has less than was asked for; ``available`` is what it has."""

    def __init__(self, asked: int, available: int) -> None:
        super().__init__(f"{asked} asked, {available} available")
        self.asked, self.available = asked, available


class TooMuch(Exception):
    """The balance would be larger than a number in JSON can be."""


class Card(Struct, gc=False, kw_only=True):
    """A card under lock. ``balance`` = what its lots hold − ``debt``; the sums by account add up to it. Of what was
    ``transferred``, in all, ``received`` came to the card.

    ``seq`` and ``head`` are the number and the hash of its last entry. Where ``reach`` is a number, not all of its lots
    are here but the first to be spent that hold so much, which is then all that may be taken.
    """

    id: str
    unit: str
    balance: int = 0
    debt: int = 0
    seq: int = 0
    head: bytes = GENESIS
    issued: int = 0
    redeemed: int = 0
    refunded: int = 0
    expired: int = 0
    removed: int = 0
    transferred: int = 0
    received: int = 0
    cashed_out: int = 0
    lots: dict[str, Lot] = field(default_factory=dict)
    reach: int | None = None

    def available(self, now: datetime) -> int:
        """What can be spent at this instant: what its open lots hold, less what it owes."""
        return max(0, sum(lot.remaining for lot in self.lots.values() if lot.open(now)) - self.debt)


def grant(
    card: Card,
    type: str,
    amount: int,
    now: datetime,
    ids: tuple[str, str],
    *,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
    parent: str | None = None,
    why: Why = NO_REASON,
) -> Entry:
    """Put ``amount`` on the card as a new lot; what it owes is paid first. ``ids`` are the entry's and the lot's."""
    assert amount > 0
    if card.balance + amount > MAX_BALANCE or card.issued + amount > MAX_BALANCE:
        raise TooMuch
    entry_id, lot_id = ids
    paid = min(card.debt, amount)
    card.debt -= paid
    card.lots[lot_id] = Lot(lot_id, amount, amount - paid, now, starts_at, expires_at, entry_id, parent)
    parts = (Part(lot_id, amount - paid), Part(DEBT, paid)) if paid else (Part(lot_id, amount),)
    return _enter(card, entry_id, type, amount, parts, now, why)


def spend(
    card: Card,
    type: str,
    amount: int,
    now: datetime,
    entry_id: str,
    *,
    order: SpendOrder = "SOONEST_EXPIRING",
    why: Why = NO_REASON,
    open_at: datetime | None = None,
) -> Entry:
    """Take ``amount`` from the lots that are open, in the order of the policy. Raises `NotEnough`.

    ``open_at`` is another instant than ``now`` to go by: points can be had until they are taken off.
    """
    return _enter(card, entry_id, type, -amount, _take(card, amount, open_at or now, order), now, why)


def give_back(
    card: Card, type: str, spent: Sequence[Part], amount: int, now: datetime, entry_id: str, why: Why
) -> Entry:
    """Put ``amount`` of what an entry took back into the very lots it came from, the last one taken first.

    ``spent`` are the parts of that entry less what was given back of it before (`left_of`).
    """
    assert card.reach is None and 0 < amount <= -sum(part.amount for part in spent)
    parts: list[Part] = []
    left = amount
    for part in reversed(spent):
        back = min(left, -part.amount)
        if back > 0:
            if part.lot == DEBT:
                card.debt -= back
            else:
                card.lots[part.lot].remaining += back
            parts.append(Part(part.lot, back))
            left -= back
    assert left == 0
    return _enter(card, entry_id, type, amount, tuple(parts), now, why)


def left_of(spent: Sequence[Part], given_back: Iterable[Sequence[Part]]) -> list[Part]:
    """What of an entry's parts has not been given back yet, in the order they were taken."""
    lefts = {part.lot: part.amount for part in spent}
    for parts in given_back:
        for part in parts:
            lefts[part.lot] += part.amount
    return [Part(lot, amount) for lot, amount in lefts.items() if amount]


def claw_back(
    card: Card,
    type: str,
    lots: Sequence[str],
    amount: int,
    now: datetime,
    entry_id: str,
    *,
    policy: Literal["NEGATIVE", "DEBT", "FLOOR"] = "DEBT",
    why: Why = NO_REASON,
) -> Entry | None:
    """Take away what was granted in ``lots``: from them, as far as it is still there, for the rest as is policy.

    ``NEGATIVE`` owes the rest, so that the balance may fall below nothing; ``DEBT`` takes it from other lots
    first; ``FLOOR`` takes it from other lots, and lets go what they do not hold. None if there is nothing to take.
    """
    assert card.reach is None
    parts: list[Part] = []
    left = amount
    named = [card.lots[lot] for lot in lots if lot in card.lots]
    others: list[Lot] = []
    if policy != "NEGATIVE":
        others = _sorted((lot for lot in card.lots.values() if lot.id not in set(lots)), "SOONEST_EXPIRING")
    for lot in (*named, *others):
        part = min(left, lot.remaining)
        if part > 0:
            lot.remaining -= part
            left -= part
            parts.append(Part(lot.id, -part))
    if left and policy != "FLOOR":
        card.debt += left
        parts.append(Part(DEBT, -left))
        left = 0
    if not parts:
        return None
    return _enter(card, entry_id, type, left - amount, tuple(parts), now, why)


def lapse(card: Card, type: str, now: datetime, entry_id: str, why: Why = NO_REASON) -> Entry | None:
    """Let what has expired go, whatever lots it is in; None if there is nothing."""
    assert card.reach is None
    parts: list[Part] = []
    for lot in _sorted(card.lots.values(), "SOONEST_EXPIRING"):
        if lot.expires_at is not None and lot.expires_at <= now and lot.remaining:
            parts.append(Part(lot.id, -lot.remaining))
            lot.remaining = 0
    if not parts:
        return None
    return _enter(card, entry_id, type, sum(part.amount for part in parts), tuple(parts), now, why)


def transfer(
    giver: Card,
    taker: Card,
    types: tuple[str, str],
    amount: int,
    now: datetime,
    ids: Iterable[tuple[str, str]],
    out_id: str,
    *,
    order: SpendOrder = "SOONEST_EXPIRING",
    why: Why = NO_REASON,
) -> list[Entry]:
    """Move ``amount`` to another card of the same unit. Each lot keeps its expiry, start and provenance.

    ``types`` are those of the entry out and the entries in, one for each lot; ``ids`` are theirs with their lots',
    at most as many as the giver has lots. Raises `NotEnough`.
    """
    assert giver.id != taker.id and giver.unit == taker.unit
    if taker.balance + amount > MAX_BALANCE:
        raise TooMuch
    coming = iter(ids)
    first = next(coming, ("", ""))  # without lots there are no ids, and nothing to spend
    there = Why(first[0], why.redemption_id, why.order_id, why.cause_id)
    out = spend(giver, types[0], amount, now, out_id, order=order, why=there)
    entries = [out]
    for part, names in zip(out.parts, (first, *islice(coming, len(out.parts) - 1)), strict=True):
        lot = giver.lots[part.lot]
        because = Why(out.id, why.redemption_id, why.order_id, why.cause_id)
        entries.append(
            grant(
                taker, types[1], -part.amount, now, names,
                starts_at=lot.starts_at, expires_at=lot.expires_at, parent=lot.id, why=because,
            )
        )  # fmt: skip
    return entries


def chained(entry: Entry, before: bytes) -> bytes:
    """The hash of an entry: of all it says and of the entry before it, so that no row can be changed unseen."""
    said = (
        entry.id, entry.card_id, entry.seq, entry.type, entry.amount, entry.balance, entry.total,
        [(part.lot, part.amount) for part in entry.parts],
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.related_id, entry.redemption_id, entry.order_id, entry.cause_id,
    )  # fmt: skip
    return hashlib.sha256(before + encode(said)).digest()


def sealed(card_id: str, lot: Lot) -> bytes:
    """The hash of what a lot says of itself, apart from what is left in it: when it begins and ends, and whence it is.

    The entries do not tell that, and points that slide with activity end later than they did when they were granted.
    """
    instants = (lot.created_at, lot.starts_at, lot.expires_at)
    moments = ["-" if at is None else str((at - _EPOCH) // _MICROSECOND) for at in instants]
    said = (card_id, lot.id, str(lot.granted), *moments, lot.entry_id or "-", lot.parent or "-")
    return hashlib.sha256("|".join(said).encode()).digest()


def _enter(
    card: Card, entry_id: str, type: str, amount: int, parts: tuple[Part, ...], now: datetime, why: Why
) -> Entry:
    counter = COUNTERS[type]
    card.balance += amount
    outwards = counter not in ("issued", "refunded", "transferred")
    setattr(card, counter, getattr(card, counter) + (-amount if outwards else amount))
    if counter == "transferred" and amount > 0:
        card.received += amount
    card.seq += 1
    entry = Entry(
        id=entry_id, card_id=card.id, seq=card.seq, type=type, amount=amount, balance=card.balance,
        total=card.balance + card.redeemed - card.refunded, parts=parts, at=now, hash=b"",
        related_id=why.related_id, redemption_id=why.redemption_id, order_id=why.order_id, cause_id=why.cause_id,
    )  # fmt: skip
    entry.hash = card.head = chained(entry, card.head)
    return entry


def _take(card: Card, amount: int, now: datetime, order: SpendOrder) -> tuple[Part, ...]:
    assert amount > 0
    if card.reach is not None:
        assert amount <= card.reach and order == "SOONEST_EXPIRING"
        card.reach -= amount
    lots = _sorted((lot for lot in card.lots.values() if lot.open(now)), order)
    available = max(0, sum(lot.remaining for lot in lots) - card.debt)
    if available < amount:
        raise NotEnough(amount, available)
    parts: list[Part] = []
    for lot in lots:
        part = min(amount, lot.remaining)
        lot.remaining -= part
        amount -= part
        parts.append(Part(lot.id, -part))
        if not amount:
            break
    return tuple(parts)


_NEVER = datetime.max.replace(tzinfo=UTC)


def _sorted(lots: Iterable[Lot], order: SpendOrder) -> list[Lot]:
    """In the order to be spent; of equal ones the older first."""
    match order:
        case "SOONEST_EXPIRING":
            return sorted(lots, key=lambda lot: (lot.expires_at or _NEVER, lot.created_at, lot.id))
        case "OLDEST":
            return sorted(lots, key=lambda lot: (lot.created_at, lot.id))
        case "SMALLEST":
            return sorted(lots, key=lambda lot: (lot.remaining, lot.expires_at or _NEVER, lot.id))
