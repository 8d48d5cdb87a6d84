"""The chart of accounts: what the books of cards are called in a general ledger."""

from typing import Final

from msgspec import Struct

OUTSTANDING: Final = "outstanding"
OWED: Final = "owed"


class Account(Struct, frozen=True):
    """An account. `class_` is where it stands in a general ledger."""

    name: str
    class_: str


CHART: Final[dict[str, Account]] = {
    OUTSTANDING: Account("Deferred revenue: value outstanding on cards", "liability"),
    OWED: Account("Owed by card holders", "asset"),
    "issued": Account("Value issued, against cash or deferred revenue", "clearing"),
    "redeemed": Account("Revenue from redemptions", "revenue"),
    "refunded": Account("Revenue taken back by refunds", "revenue"),
    "expired": Account("Breakage", "revenue"),
    "removed": Account("Value removed", "adjustment"),
    "transferred": Account("Transfers between cards", "clearing"),
    "cashed_out": Account("Cash paid out", "cash"),
}
"""By the name that `engine/ledger.py` calls it by; `outstanding` is what cards hold, `owed` what they are in debt."""
