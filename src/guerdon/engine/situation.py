"""What rules, formulas and item scopes look at: the customer, the order as it stands, the clock, what is used up."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from guerdon.engine.filter import Filter
from guerdon.engine.order import Order


class Person(Struct, kw_only=True, gc=False):
    """A customer as rules see one. `segments` are ids of those segments a rule asked about and the customer is in."""

    id: str
    source_id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    birthdate: date | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    loyalty_tiers: frozenset[str] = frozenset()


class Collection(Struct, kw_only=True, frozen=True):
    """A product collection. `members` are the product and SKU ids and source ids of a STATIC one; `filter` is an
    AUTO_UPDATE one's, over the attributes of products and SKUs.
    """

    id: str
    name: str
    members: frozenset[str] = frozenset()
    filter: Filter | None = None


class Category(Struct, kw_only=True, frozen=True):
    """A category with its place: a lower hierarchy number goes first."""

    id: str
    name: str
    hierarchy: int = 1


class Named(Protocol):
    """A segment, as far as hints speak of it."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...


class Situation(Struct, kw_only=True):
    """All that conditions and formulas may look at, besides the redeemable itself.

    `order` is the running order, `initial` the order before the first discount. `metadata` is the redemption's,
    `api_key` the app id of the caller's key, `user` a login. `used` tells how much of each tally (engine/tally.py)
    is used or held by others; a tally that is not there is unused. `valued` are the tallies of order value that have
    this order in them already, for a redeemable before this one, with its value. `exponent` is the currency's decimals. `lines`
    is what conditions remember of the lines of orders they have seen (conditions_items.py), by the list's identity.
    `segments` has their names, for those who are told.
    """

    now: datetime
    zone: ZoneInfo
    week_start: int = 1
    order: Order | None = None
    initial: Order | None = None
    customer: Person | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    api_key: str | None = None
    user: str | None = None
    used: Mapping[str, int] = field(default_factory=dict)
    valued: Mapping[str, int] = field(default_factory=dict)
    collections: Mapping[str, Collection] = field(default_factory=dict)
    segments: Mapping[str, Named] = field(default_factory=dict)
    exponent: int = 2
    lines: dict[int, Any] = field(default_factory=dict)
