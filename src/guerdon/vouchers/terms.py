"""What a code or campaign promises: definitions as callers write them, checked, into the body that is stored.

A body is a plain dict: ``discount``, ``redemption: {quantity}``, ``start_date``, ``expiration_date`` (UTC, with
milliseconds), ``validity_timeframe``, ``validity_day_of_week``, ``validity_hours``, ``category``, ``category_id``.
What is not set has no key. Bodies are never changed: an edit makes a new one.
"""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.engine.discount import parse_discount
from guerdon.engine.fault import EngineError
from guerdon.engine.window import check_windows
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import ApiError, Fault, invalid_payload

Text = Annotated[str, Meta(max_length=5000)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Date = Annotated[
    str,
    Meta(max_length=64, description="ISO 8601; a day alone means its start, or its end for an expiration"),
]
Metadata = dict[str, Any]

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class TimeframeIn(Struct, omit_defaults=True):
    """Open for `duration` every `interval` from the start date on; ISO 8601 durations."""

    interval: Name
    duration: Name


class HoursIn(Struct, omit_defaults=True):
    """A span of the local day, ``HH:mm``; without an end it lasts until midnight."""

    start_time: Annotated[str, Meta(max_length=32)] | None = None
    expiration_time: Annotated[str, Meta(max_length=32)] | None = None
    days_of_week: list[Annotated[int, Meta(ge=0, le=6)]] | None = None


class ValidityHoursIn(Struct, omit_defaults=True):
    """Spans of the day."""

    daily: Annotated[list[HoursIn], Meta(max_length=100)]


class LimitIn(Struct):
    """How many times each code can be redeemed; null is without limit."""

    quantity: Annotated[int, Meta(ge=1, le=2**53 - 1)] | UnsetType | None = UNSET


class WindowsIn(Struct, kw_only=True):
    """The terms that vouchers and campaigns share. Absent leaves as it is, null clears."""

    start_date: Date | UnsetType | None = UNSET
    expiration_date: Date | UnsetType | None = UNSET
    validity_timeframe: TimeframeIn | UnsetType | None = UNSET
    validity_day_of_week: (
        Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(max_length=7)] | UnsetType | None
    ) = UNSET
    validity_hours: ValidityHoursIn | UnsetType | None = UNSET
    category: Name | UnsetType | None = UNSET
    category_id: Name | UnsetType | None = UNSET


def merge(
    body: dict[str, Any],
    given: WindowsIn,
    zone: ZoneInfo,
    *,
    discount: dict[str, Any] | UnsetType | None = UNSET,
    discount_path: str = "discount",
    limit: LimitIn | UnsetType | None = UNSET,
) -> dict[str, Any]:
    """A new body: the old one with what was given put over it.

    Raises `ApiError` 400 with the path of what is wrong; `invalid_voucher` for another type of discount.
    """
    new = dict(body)
    for name in ("validity_timeframe", "validity_day_of_week", "validity_hours", "category", "category_id"):
        _put(new, name, msgspec.to_builtins(getattr(given, name)) if _is_set(given, name) else UNSET)
    _put(new, "start_date", _date(given.start_date, "start_date", zone))
    _put(new, "expiration_date", _date(given.expiration_date, "expiration_date", zone))
    if isinstance(discount, dict):
        new["discount"] = _discount(discount, discount_path, body.get("discount"))
    if isinstance(limit, LimitIn) and limit.quantity is not UNSET:
        _put(new, "redemption", None if limit.quantity is None else {"quantity": limit.quantity})
    _check(new)
    return new


def quantity_of(body: dict[str, Any]) -> int | None:
    """How often a code under these terms can be redeemed; None is without limit."""
    return (body.get("redemption") or {}).get("quantity")


def fault_of(error: EngineError) -> ApiError:
    """The engine's complaint about a definition, as callers get it."""
    return invalid_payload(Fault(error.path, error.message), key=error.key)


def _is_set(given: WindowsIn, name: str) -> bool:
    return getattr(given, name) is not UNSET


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    if value is UNSET:
        return
    if value is None or value == []:
        body.pop(name, None)
    else:
        body[name] = value


def _date(text: str | UnsetType | None, name: str, zone: ZoneInfo) -> str | UnsetType | None:
    if not isinstance(text, str):
        return text
    try:
        return iso(parse_instant(text, zone, end_of_day=name == "expiration_date"))
    except ValueError as error:
        raise invalid_payload(Fault(name, str(error))) from None


def _discount(raw: dict[str, Any], path: str, before: dict[str, Any] | None) -> dict[str, Any]:
    try:
        discount = parse_discount(raw, path)
    except EngineError as error:
        raise fault_of(error) from None
    plain = msgspec.json.decode(_ENCODER.encode(discount))
    if before is not None and before["type"] != plain["type"]:
        raise invalid_payload(
            Fault(
                f"{path}.type",
                f"is {before['type']} and stays so; make a new one for another type of discount",
            ),
            key="invalid_voucher",
            message="Invalid voucher",
        )
    return plain


def _check(body: dict[str, Any]) -> None:
    try:
        check_windows(body)
    except EngineError as error:
        raise fault_of(error) from None
