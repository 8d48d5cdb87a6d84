"""Rules of expiry and of pending points from what the two faces of the API write, faults told by their path."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from guerdon.engine.expiry import (
    ROUNDINGS,
    Calendar,
    Expiry,
    NoExpiration,
    Rolling,
    Rounding,
    Sliding,
)
from guerdon.engine.fault import EngineError
from guerdon.engine.pending import EventBased, FixedDates, Immediate, Pending, PeriodBased
from guerdon.engine.periods import (
    Period,
    YearDay,
    parse_period,
    parse_year_days,
    whole_number,
)

MAX_MONTHS = 1200
"""The longest period of v1, a hundred years."""
ROLLING_MOST = {"DAY": 90, "MONTH": 12, "YEAR": 5}
SHORT_MOST = {"DAY": 90, "MONTH": 12, "YEAR": 1}
MAX_EVENTS = 10
Rule = TypeVar("Rule")


def parse_expiry(raw: object, path: str) -> Expiry:
    """``points_expiration`` of v2, of a card definition or of an effect. None means that nothing ends.

    >>> parse_expiry({"type": "NO_EXPIRATION"}, "points_expiration")
    NoExpiration()
    """
    if raw is None:
        return NoExpiration()
    body = _object(raw, path)
    return _kind(body, path, _EXPIRIES)


def _rolling(raw: object, path: str) -> Expiry:
    body = _object(raw, path)
    period = parse_period(body.get("period"), f"{path}.period", ROLLING_MOST)
    written = body.get("rounding")
    if written is None:
        return Rolling(period)
    rounding = _object(written, f"{path}.rounding")
    kind, month = rounding.get("type"), rounding.get("value")
    if kind not in ROUNDINGS:
        _fail(f"{path}.rounding.type", "must be one of " + ", ".join(ROUNDINGS))
    if kind != "END_OF_PARTICULAR_MONTH":
        if month is not None:
            _fail(f"{path}.rounding.value", "belongs to END_OF_PARTICULAR_MONTH only")
        return Rolling(period, Rounding(kind))
    return Rolling(period, Rounding(kind, whole_number(month, f"{path}.rounding.value", 1, 12)))


def _calendar(raw: object, path: str) -> Expiry:
    return Calendar(parse_year_days(_object(raw, path).get("expiration_dates"), f"{path}.expiration_dates"))


def _sliding(raw: object, path: str) -> Expiry:
    return parse_sliding(raw, path)


def parse_sliding(raw: object, path: str, most: dict[str, int] = SHORT_MOST) -> Sliding:
    """A sliding rule, of points or of tiers. At least one activity must count. ``most`` bounds the period."""
    body = _object(raw, path)
    period = parse_period(body.get("period"), f"{path}.period", most)
    flags = {name: _flag(body, f"{name}_activity", path) for name in ("earning", "spending", "custom")}
    if not any(flags.values()):
        _fail(path, "must count at least one kind of activity")
    events: frozenset[str] = frozenset()
    if flags["custom"]:
        events = _events(body.get("custom_activity_types"), f"{path}.custom_activity_types")
    return Sliding(period, flags["earning"], flags["spending"], events)


def parse_expiration_rules(raw: object, path: str) -> Expiry:
    """``expiration_rules`` of v1: MONTH with a rounding, or FIXED_DAY_OF_YEAR. None means that nothing ends.

    >>> parse_expiration_rules({"period_type": "MONTH", "period_value": 24, "rounding_type": "END_OF_QUARTER"}, "")
    Rolling(period=Period(unit='MONTH', value=24), rounding=Rounding(type='END_OF_QUARTER', month=None))
    """
    if raw is None:
        return NoExpiration()
    body = _object(raw, path)
    kind = body.get("period_type")
    if kind == "MONTH":
        months = whole_number(body.get("period_value"), f"{path}.period_value", 0, MAX_MONTHS)
        return Rolling(Period("MONTH", months), _rounding_v1(body, path))
    if kind != "FIXED_DAY_OF_YEAR":
        _fail(f"{path}.period_type", "must be one of MONTH, FIXED_DAY_OF_YEAR")
    month = whole_number(body.get("fixed_month"), f"{path}.fixed_month", 1, 12)
    return Calendar((YearDay(month, whole_number(body.get("fixed_day"), f"{path}.fixed_day", 1, 31)),))


def _rounding_v1(body: dict[str, Any], path: str) -> Rounding | None:
    kind = body.get("rounding_type")
    if kind is None:
        return None
    if kind == "PARTICULAR_MONTH":
        month = whole_number(body.get("rounding_value"), f"{path}.rounding_value", 1, 12)
        return Rounding("END_OF_PARTICULAR_MONTH", month)
    if kind not in ROUNDINGS[:4]:
        _fail(f"{path}.rounding_type", "must be one of " + ", ".join((*ROUNDINGS[:4], "PARTICULAR_MONTH")))
    return Rounding(kind)


def parse_pending(raw: object, path: str) -> Pending:
    """``pending_points`` of a card definition of v2. None means at once."""
    if raw is None:
        return Immediate()
    return _kind(_object(raw, path), path, _PENDINGS)


def _period_based(raw: object, path: str) -> Pending:
    return PeriodBased(parse_period(_object(raw, path).get("period"), f"{path}.period", SHORT_MOST))


def _fixed_dates(raw: object, path: str) -> Pending:
    return FixedDates(parse_year_days(_object(raw, path).get("dates"), f"{path}.dates"))


def _event_based(raw: object, path: str) -> Pending:
    body = _object(raw, path)
    events = _events(body.get("event_types"), f"{path}.event_types")
    return EventBased(events, parse_period(body.get("cancel_period"), f"{path}.cancel_period", SHORT_MOST))


def parse_pending_v1(raw: object, path: str) -> Pending:
    """``pending_points`` of an earning rule of v1: so many days (1–90). None means at once.

    >>> parse_pending_v1({"period_type": "DAY", "period_value": 14}, "pending_points")
    PeriodBased(period=Period(unit='DAY', value=14))
    """
    if raw is None:
        return Immediate()
    body = _object(raw, path)
    if body.get("period_type") != "DAY":
        _fail(f"{path}.period_type", "must be DAY")
    return PeriodBased(Period("DAY", whole_number(body.get("period_value"), f"{path}.period_value", 1, 90)))


_EXPIRIES: dict[str, tuple[str, Callable[[object, str], Expiry]]] = {
    "NO_EXPIRATION": ("", lambda raw, path: NoExpiration()),
    "ROLLING_EXPIRATION": ("rolling_expiration", _rolling),
    "CALENDAR_EXPIRATION": ("calendar_expiration", _calendar),
    "SLIDING_EXPIRATION": ("sliding_expiration", _sliding),
}
_PENDINGS: dict[str, tuple[str, Callable[[object, str], Pending]]] = {
    "IMMEDIATE": ("", lambda raw, path: Immediate()),
    "PERIOD_BASED": ("period_based", _period_based),
    "FIXED_DATES": ("fixed_dates", _fixed_dates),
    "EVENT_BASED": ("event_based", _event_based),
}


def _kind(
    body: dict[str, Any], path: str, kinds: dict[str, tuple[str, Callable[[object, str], Rule]]]
) -> Rule:
    """What ``type`` names, read from the member that belongs to it; the other members must not be there."""
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        _fail(f"{path}.type", "must be one of " + ", ".join(kinds))
    own, read = kinds[kind]
    for name, _ in kinds.values():
        if name and name != own and body.get(name) is not None:
            _fail(f"{path}.{name}", f"does not belong to {kind}")
    if own and body.get(own) is None:
        _fail(f"{path}.{own}", f"is required for {kind}")
    return read(body.get(own), f"{path}.{own}" if own else path)


def _events(raw: object, path: str) -> frozenset[str]:
    if not isinstance(raw, list) or not all(isinstance(each, str) and each for each in raw):
        _fail(path, f"must list 1 to {MAX_EVENTS} schemas of custom events")
    if not 1 <= len(raw) <= MAX_EVENTS or len(set(raw)) != len(raw):
        _fail(path, f"must list 1 to {MAX_EVENTS} different schemas of custom events")
    return frozenset(raw)


def _flag(body: dict[str, Any], name: str, path: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        _fail(f"{path}.{name}", "must be true or false")
    return bool(value)


def _object(raw: object, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        _fail(path, "must be an object")
    return raw


def _fail(path: str, message: str) -> NoReturn:
    raise EngineError(path, message)
