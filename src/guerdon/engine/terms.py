"""What a code promises: parsed once, immutable, cacheable."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from guerdon.engine.discount import Discount


class DailyHours(Struct, frozen=True, omit_defaults=True):
    """A span of the local day, ``HH:mm``. Without a start or an end it runs from or to midnight; an end
    that is not after the start is the next day's.

    ``days_of_week`` are the days the span starts on, 0 = Sunday; None means every day.
    """

    start_time: str | None = None
    expiration_time: str | None = None
    days_of_week: list[int] | None = None


class ValidityHours(Struct, frozen=True, omit_defaults=True):
    """The spans of the day in which something is valid."""

    daily: list[DailyHours] = []


class ValidityTimeframe(Struct, frozen=True):
    """Open for ``duration`` every ``interval``, counted from the start date; both ISO 8601 durations."""

    interval: str
    duration: str


class Terms(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """``quantity`` is how often it may be redeemed, None without limit; dates are aware and half-open."""

    discount: Discount | None = None
    quantity: int | None = None
    start_date: datetime | None = None
    expiration_date: datetime | None = None
    validity_timeframe: ValidityTimeframe | None = None
    validity_day_of_week: list[int] | None = None
    validity_hours: ValidityHours | None = None


def parse_terms(raw: dict[str, Any] | str | bytes) -> Terms:
    """Terms from what was stored: a dict of plain values, or its JSON text. Unknown members are ignored.

    Raises :class:`msgspec.ValidationError` on data that was never checked; definitions are checked by
    ``parse_discount`` and ``check_windows`` before they are stored.

    >>> parse_terms({"discount": {"type": "AMOUNT", "amount_off": 500}, "quantity": 1}).quantity
    1
    """
    if isinstance(raw, (str, bytes)):
        return msgspec.json.decode(raw, type=Terms)
    return msgspec.convert(raw, Terms)
