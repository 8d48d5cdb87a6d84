"""A card's books read again from their first entry: whatever does not follow from the entries is found and named.

Pure: it is fed a card, its entries in the order of their numbers and its lots, and says what it found.
"""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from guerdon.engine.ledger import COUNTERS, DEBT, GENESIS, Entry, Lot, Part, chained, sealed

Rule = Literal["ledger-chain", "ledger-card", "ledger-lots"]

RULES: Final[dict[Rule, str]] = {
    "ledger-chain": "every entry of a card is as it was written, and none is missing or was put in",
    "ledger-card": "a card's balance, debt and sums by account are what its entries come to, and end at its head",
    "ledger-lots": "a card's lots hold what their entries left in them, never less than nothing, together the balance",
}

SUMS: Final = ("issued", "redeemed", "refunded", "expired", "removed", "transferred", "cashed_out")
TO_THE_CARD: Final = frozenset(("issued", "refunded"))

_READ_PARTS = msgspec.json.Decoder(list[tuple[str, int]])


class Finding(Struct, frozen=True, omit_defaults=True):
    """Something that does not agree: on which card, at which entry or lot."""

    rule: Rule
    card_id: str
    says: str
    seq: int | None = None
    entry_id: str | None = None
    lot_id: str | None = None


class CardRow(Struct, gc=False):
    """A card as it is stored."""

    id: str
    unit: str
    campaign_id: str | None
    balance: int
    debt: int
    seq: int
    head: bytes
    issued: int
    redeemed: int
    refunded: int
    expired: int
    removed: int
    transferred: int
    received: int
    cashed_out: int


class EntryRow(Struct, gc=False):
    """An entry as it is stored; `parts` is JSON text."""

    id: str
    card_id: str
    seq: int
    type: str
    amount: int
    balance: int
    total: int
    parts: str
    at: datetime
    hash: bytes
    related_id: str | None
    redemption_id: str | None
    order_id: str | None
    cause_id: str | None
    unit: str
    campaign_id: str | None


class LotRow(Struct, gc=False):
    """A lot as it is stored."""

    card_id: str
    id: str
    granted: int
    remaining: int
    created_at: datetime
    starts_at: datetime | None
    expires_at: datetime | None
    entry_id: str | None
    parent: str | None
    seal: bytes | None


def lot_of(row: LotRow) -> Lot:
    """The lot of a row."""
    return Lot(
        row.id,
        row.granted,
        row.remaining,
        row.created_at,
        row.starts_at,
        row.expires_at,
        row.entry_id,
        row.parent,
    )


class Granted(Struct, gc=False):
    """A lot as the entries tell it."""

    entry_id: str
    granted: int
    at: datetime
    left: int = 0


class Replay(Struct):
    """One card's story. Feed `entry` in the order of numbers, then `lot`, then `close`; `found` is what is wrong."""

    card_id: str
    card: CardRow | None
    found: list[Finding] = field(default_factory=list)
    seq: int = 0
    balance: int = 0
    total: int = 0
    debt: int = 0
    received: int = 0
    before: tuple[bytes, ...] = (GENESIS,)
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))
    lots: dict[str, Granted] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)

    def entry(self, row: EntryRow) -> None:
        """Read the next entry."""
        parts = _parts(row.parts)
        if parts is None:
            self._wrong(row, "its parts are no list of lots and amounts")
            parts = ()
        self._chain(row, parts)
        self._place(row)
        account = COUNTERS.get(row.type)
        if account is None:
            self._wrong(row, f"its type {row.type} is unknown")
        else:
            self._follows(row, account)
            self._refund(row, account)
        self._move(row, parts)
        self.balance, self.total, self.seq = row.balance, row.total, row.seq

    def lot(self, row: LotRow) -> None:
        """Read a lot."""
        told = self.lots.pop(row.id, None)
        if told is None:
            self._find("ledger-lots", f"no entry tells of a lot that holds {row.remaining}", lot_id=row.id)
            return
        if row.remaining != told.left:
            self._find(
                "ledger-lots", f"holds {row.remaining}, but its entries leave {told.left}", lot_id=row.id
            )
        if row.remaining < 0:
            self._find("ledger-lots", f"holds less than nothing: {row.remaining}", lot_id=row.id)
        for name, says, was in (
            ("granted", row.granted, told.granted),
            ("entry_id", row.entry_id, told.entry_id),
            ("created_at", row.created_at, told.at),
        ):
            if says != was:
                self._find(
                    "ledger-lots", f"{name} is {says}, but {was} by the entry that made it", lot_id=row.id
                )
        if row.seal != sealed(row.card_id, lot_of(row)):
            self._find(
                "ledger-lots", "was changed: its seal is not of when it begins and ends, and whence it is",
                lot_id=row.id,
            )  # fmt: skip

    def close(self) -> list[Finding]:
        """All that was found, at the end."""
        for name, told in self.lots.items():
            self._find("ledger-lots", f"is gone, though its entries leave {told.left} in it", lot_id=name)
        card = self.card
        if card is None:
            self._find("ledger-card", f"has {self.seq} entries but is no card")
            return self.found
        if card.seq > self.seq:
            self._gap(self.seq + 1, card.seq)
        elif card.seq < self.seq:
            self._find("ledger-chain", f"ends at entry {card.seq}, but has entries up to {self.seq}")
        if card.head not in self.before and card.seq == self.seq:
            self._find("ledger-chain", "its head is not the hash of its last entry", seq=card.seq)
        self._sums(card)
        return self.found

    def _sums(self, card: CardRow) -> None:
        balance = sum(_signed(name, value) for name, value in self.sums.items())
        told = {"balance": balance, "debt": self.debt, "received": self.received}
        for name, value in (told | self.sums).items():
            if getattr(card, name) != value:
                says = f"{name} is {getattr(card, name)}, but its entries come to {value}"
                self._find("ledger-card", says)

    def _chain(self, row: EntryRow, parts: tuple[Part, ...]) -> None:
        if row.seq > self.seq + 1:
            self._gap(self.seq + 1, row.seq - 1)
            self._wrong(row, "comes behind a gap, so that its hash cannot be checked")
            self.before = (row.hash,)
            return
        entry = Entry(
            id=row.id, card_id=row.card_id, seq=row.seq, type=row.type, amount=row.amount, balance=row.balance,
            total=row.total, parts=parts, at=row.at, hash=row.hash, related_id=row.related_id,
            redemption_id=row.redemption_id, order_id=row.order_id, cause_id=row.cause_id,
        )  # fmt: skip
        hashes = [chained(entry, before) for before in self.before]
        if row.hash in hashes:
            self.before = (row.hash,)
            return
        self._wrong(row, "was changed, or put in: its hash is not of what it says and of the entry before it")
        self.before = (
            row.hash,
            *hashes,
        )  # where the hash itself was changed, the next one tells the true one

    def _place(self, row: EntryRow) -> None:
        if row.seq < self.seq + 1:
            self._wrong(row, f"its number is out of order behind {self.seq}")
        if self.card is not None:
            for name in ("unit", "campaign_id"):
                says, is_ = getattr(row, name), getattr(self.card, name)
                if says != is_:
                    self._wrong(row, f"{name} is {says}, but {is_} on its card")

    def _follows(self, row: EntryRow, account: str) -> None:
        outwards = account not in TO_THE_CARD and account != "transferred"
        if row.amount == 0 or (account != "transferred" and (row.amount < 0) != outwards):
            self._wrong(row, f"its amount {row.amount} has the wrong sign for {row.type}")
        self.sums[account] += -row.amount if outwards else row.amount
        if account == "transferred":
            self.received += max(row.amount, 0)
        if row.balance != self.balance + row.amount:
            self._wrong(
                row,
                f"leaves {row.balance}, but {self.balance} and {row.amount} are {self.balance + row.amount}",
            )
        grown = 0 if account in ("redeemed", "refunded") else row.amount
        if row.total != self.total + grown:
            self._wrong(row, f"its total is {row.total}, but follows as {self.total + grown}")

    def _refund(self, row: EntryRow, account: str) -> None:
        if account == "redeemed":
            self.spent[row.id] = -row.amount
        elif account == "refunded":
            left = self.spent.get(row.related_id or "")
            if left is None:
                self._wrong(row, "gives back an entry that this card does not have")
            elif row.amount > left:
                self._wrong(row, f"gives back {row.amount} where {left} were left to give back")
            if left is not None and row.related_id is not None:
                self.spent[row.related_id] = left - row.amount

    def _move(self, row: EntryRow, parts: tuple[Part, ...]) -> None:
        if sum(part.amount for part in parts) != row.amount:
            self._wrong(row, f"its parts come to {sum(part.amount for part in parts)}, not to {row.amount}")
        for part in parts:
            if part.lot == DEBT:
                self.debt -= part.amount
                if self.debt < 0:
                    self._wrong(row, f"pays more than was owed, by {-self.debt}")
                continue
            lot = self.lots.get(part.lot)
            if lot is None:
                lot = self.lots[part.lot] = Granted(row.id, row.amount, row.at)
                if row.amount <= 0:
                    self._wrong(row, f"takes from lot {part.lot}, which nothing granted")
            lot.left += part.amount
            if not 0 <= lot.left <= max(lot.granted, 0):
                self._wrong(row, f"leaves {lot.left} in lot {part.lot}, which was granted {lot.granted}")

    def _gap(self, first: int, last: int) -> None:
        missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self._find("ledger-chain", f"{missing} missing", seq=first)

    def _wrong(self, row: EntryRow, says: str) -> None:
        self._find("ledger-chain", says, seq=row.seq, entry_id=row.id)

    def _find(self, rule: Rule, says: str, **where: Any) -> None:
        self.found.append(Finding(rule, self.card_id, says, **where))


def _signed(account: str, value: int) -> int:
    return value if account in TO_THE_CARD or account == "transferred" else -value


def _parts(text: str) -> tuple[Part, ...] | None:
    try:
        return tuple(Part(lot, amount) for lot, amount in _READ_PARTS.decode(text))
    except msgspec.DecodeError:
        return None
