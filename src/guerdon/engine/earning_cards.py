"""What a card's definition, a tier's map and happy hours make of points, from what the API writes."""

from collections.abc import Mapping
from typing import Any

from guerdon.engine.bodies import a_list, a_name, a_number, an_object, fail
from guerdon.engine.earning_rule import CardRules, Custom, HappyHours, Mapped, Multiply
from guerdon.engine.expiry_parse import parse_expiry, parse_pending
from guerdon.engine.fault import EngineError
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.periods import Unit, whole_number
from guerdon.engine.terms import Terms, parse_terms
from guerdon.engine.window import check_windows

WINDOWS = ("start_date", "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours")
LIMIT_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
MAX_MULTIPLIER = 1_000


def parse_card_rules(raw: object, id: str) -> CardRules:
    """What a card definition of v2 says of points that are earned."""
    body = an_object(raw, "")
    limits = body.get("earning_limits")
    told: dict[str, Any] = {}
    if limits is not None:
        told |= _global_limit(an_object(limits, "earning_limits").get("global"), "earning_limits.global")
        told |= _at_once(limits.get("transactions"), "earning_limits.transactions")
    return CardRules(
        id=id,
        expiry=parse_expiry(body.get("points_expiration"), "points_expiration"),
        pending=parse_pending(body.get("pending_points"), "pending_points"),
        **told,
    )


def _limited(raw: object, path: str, most: int) -> list[Any]:
    """The limits of a ``{type: NO_LIMIT | LIMITED, limits}``."""
    if raw is None:
        return []
    body = an_object(raw, path)
    if body.get("type") == "NO_LIMIT":
        return []
    if body.get("type") != "LIMITED":
        fail(f"{path}.type", "must be one of NO_LIMIT, LIMITED")
    return a_list(body.get("limits"), f"{path}.limits", most)


def _global_limit(raw: object, path: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in _limited(raw, path, 1):
        here = f"{path}.limits[0]"
        body = an_object(each, here)
        match body.get("type"):
            case "BALANCE_BASED":
                told["most_balance"] = whole_number(body.get("max"), f"{here}.max", 1, MAX_AMOUNT)
            case "TIME_BASED":
                points = an_object(body.get("points"), f"{here}.points")
                told["most_in_period"] = whole_number(points.get("max"), f"{here}.points.max", 1, MAX_AMOUNT)
                told["period"] = current_period(body.get("period"), f"{here}.period")
            case _:
                fail(f"{here}.type", "must be one of BALANCE_BASED, TIME_BASED")
    return told


def _at_once(raw: object, path: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    names = {"POINTS": ("most_at_once", "max"), "SPENDING": ("least_amount", "min_amount")}
    for index, each in enumerate(_limited(raw, path, len(names))):
        here = f"{path}.limits[{index}]"
        body = an_object(each, here)
        kind = body.get("type")
        if not isinstance(kind, str) or kind not in names or names[kind][0] in told:
            fail(f"{here}.type", "must be one of POINTS, SPENDING, each once")
        name, member = names[kind]
        told[name] = whole_number(body.get(member), f"{here}.{member}", 1, MAX_AMOUNT)
    return told


def parse_mapped(raw: object, path: str) -> Mapped:
    """What a tier makes of a rule's or a reward's points: ``{type: MULTIPLY, multiplier}`` or ``{type: CUSTOM, points}``.

    >>> parse_mapped({"type": "MULTIPLY", "multiplier": 1.5}, "earning_rules.ern_1")
    Multiply(multiplier=Decimal('1.5'))
    """
    body = an_object(raw, path)
    match body.get("type"):
        case "MULTIPLY":
            return Multiply(a_number(body.get("multiplier"), f"{path}.multiplier", MAX_MULTIPLIER))
        case "CUSTOM":
            return Custom(whole_number(body.get("points"), f"{path}.points", 0, MAX_AMOUNT))
        case _:
            raise EngineError(f"{path}.type", "must be one of MULTIPLY, CUSTOM")


def parse_happy_hours(raw: object, path: str) -> HappyHours:
    """Guerdon's own happy hours: ``{name, multiplier, earning_rules: [ids] | null}`` with the windows of campaigns."""
    body = an_object(raw, path)
    named = body.get("earning_rules")
    if named is not None and not all(
        isinstance(each, str) for each in a_list(named, f"{path}.earning_rules", 100)
    ):
        fail(f"{path}.earning_rules", "must list ids of earning rules")
    return HappyHours(
        multiplier=a_number(body.get("multiplier"), f"{path}.multiplier", MAX_MULTIPLIER),
        terms=windows(body, f"{path}."),
        name=a_name(body, f"{path}."),
        rules=None if named is None else frozenset(named),
    )


def windows(body: Mapping[str, Any], path: str = "") -> Terms:
    """The dates and windows of a body, checked, and nothing else of it."""
    told = {name: body[name] for name in WINDOWS if body.get(name) is not None}
    if not told:
        return Terms()
    check_windows(told, path)
    return parse_terms(told)


def current_period(raw: object, path: str) -> Unit:
    """The unit of a ``{type: CURRENT_PERIOD, current_period: {unit}}``."""
    body = an_object(raw, path)
    if body.get("type") != "CURRENT_PERIOD":
        fail(f"{path}.type", "must be CURRENT_PERIOD")
    unit = an_object(body.get("current_period"), f"{path}.current_period").get("unit")
    if unit not in LIMIT_UNITS:
        fail(f"{path}.current_period.unit", "must be one of " + ", ".join(LIMIT_UNITS))
    return unit
