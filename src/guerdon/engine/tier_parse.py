"""Tier structures from what the two faces of the API write, faults told by their path."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Any

from guerdon.engine.bodies import a_name, a_number, a_text, an_object, fail
from guerdon.engine.durations import Span, parse_duration
from guerdon.engine.earning_cards import parse_mapped
from guerdon.engine.expiry_parse import parse_sliding
from guerdon.engine.fault import EngineError
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.periods import Period, Unit, parse_period, parse_year_days, whole_number
from guerdon.engine.tier import (
    FixedDuration,
    Grace,
    NoRetention,
    OnDates,
    Retention,
    Starts,
    Tier,
    TierRounding,
    TierStructure,
    UntilPeriodEnds,
)

MAX_POINTS = 1_000_000_000
TRACKING_MOST = {"DAY": 90, "WEEK": 52, "MONTH": 12, "YEAR": 5}
PERIOD_MOST = {"DAY": 3660, "MONTH": 120, "YEAR": 10}
V1_PERIODS = ("MONTH", "QUARTER", "HALF_YEAR", "YEAR")


def parse_tier(raw: object, id: str) -> Tier:
    """A tier of v2."""
    body = an_object(raw, "")
    rules = an_object(body.get("qualification_rules"), "qualification_rules")
    kind = rules.get("type")
    if kind not in ("POINTS", "POINTS_AND_SEGMENT"):
        fail("qualification_rules.type", "must be one of POINTS, POINTS_AND_SEGMENT")
    here = "qualification_rules.points"
    points = an_object(rules.get("points"), here)
    least = _points(points.get("min_value"), f"{here}.min_value", ROUND_CEILING)
    most = None
    if points.get("max_value") is not None:
        most = _points(points["max_value"], f"{here}.max_value", ROUND_FLOOR)
        if most < least:
            fail(f"{here}.max_value", "must not be less than min_value")
    segment = None
    if kind == "POINTS_AND_SEGMENT":
        here = "qualification_rules.segment"
        segment = a_text(an_object(rules.get("segment"), here), "id", here)
    downgrade = body.get("downgrade")
    if downgrade is not None and an_object(downgrade, "downgrade").get("type") not in (
        "INHERIT",
        "NO_DOWNGRADE",
    ):
        fail("downgrade.type", "must be one of INHERIT, NO_DOWNGRADE")
    return Tier(
        id=id,
        name=a_name(body),
        least=least,
        most=most,
        segment=segment,
        keeps=downgrade is not None and downgrade["type"] == "NO_DOWNGRADE",
    )


def _points(raw: object, path: str, rounding: str) -> int:
    return int(a_number(raw, path, MAX_POINTS).to_integral_value(rounding))


def parse_tier_structure(
    raw: object, tiers: Iterable[Tier], id: str = "", week_start: int = 1
) -> TierStructure:
    """A tier structure of v2 with its tiers, in whatever order they come."""
    body = an_object(raw, "")
    told: dict[str, Any] = {}
    match body.get("type"):
        case "POINT_BALANCE":
            pass
        case "POINT_EARNED":
            here = "point_earned"
            earned = an_object(body.get(here), here)
            told = {
                "basis": "POINTS_IN_PERIOD",
                "period": parse_period(earned.get("period"), f"{here}.period", TRACKING_MOST),
                "starts": _one_of(
                    earned, "type", here, {"IMMEDIATELY": "IMMEDIATE", "NEXT_TRACKING_PERIOD": "NEXT_PERIOD"}
                ),
            }
        case _:
            raise EngineError("type", "must be one of POINT_BALANCE, POINT_EARNED")
    return TierStructure(
        id=id,
        tiers=in_order(tiers),
        retention=_retention(body.get("expiration"), "expiration"),
        week_start=week_start,
        **told,
        **_downgrade(body.get("downgrade"), "downgrade"),
    )


def in_order(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Tiers from the lowest to the highest."""
    return tuple(sorted(tiers, key=lambda tier: (tier.least, tier.id)))


def _one_of(body: Mapping[str, Any], name: str, path: str, names: Mapping[str, Any]) -> Any:
    value = body.get(name)
    if not isinstance(value, str) or value not in names:
        fail(f"{path}.{name}", "must be one of " + ", ".join(names))
    return names[value]


def _retention(raw: object, path: str) -> Retention:
    if raw is None:
        return NoRetention()
    body = an_object(raw, path)
    match body.get("type"):
        case "NO_RETENTION":
            return NoRetention()
        case "FIXED_DURATION":
            here = f"{path}.fixed_duration"
            fixed = an_object(body.get("fixed_duration"), here)
            return FixedDuration(parse_period(fixed.get("period"), f"{here}.period", PERIOD_MOST).span)
        case "CALENDAR_EXPIRATION":
            here = f"{path}.calendar_expiration"
            dates = an_object(body.get("calendar_expiration"), here)
            return OnDates(parse_year_days(dates.get("calendar_dates"), f"{here}.calendar_dates"))
        case "SLIDING_EXPIRATION":
            return parse_sliding(body.get("sliding_expiration"), f"{path}.sliding_expiration", PERIOD_MOST)
        case _:
            raise EngineError(
                f"{path}.type",
                "must be one of NO_RETENTION, SLIDING_EXPIRATION, FIXED_DURATION, CALENDAR_EXPIRATION",
            )


def _downgrade(raw: object, path: str) -> dict[str, Any]:
    if raw is None:
        return {"downgrade": "NO_DOWNGRADE"}
    body = an_object(raw, path)
    kinds = {kind: kind for kind in ("MULTI_LEVEL", "SINGLE_LEVEL", "NO_DOWNGRADE")}
    told: dict[str, Any] = {"downgrade": _one_of(body, "type", path, kinds)}
    grace = body.get("grace_period")
    if grace is None:
        return told
    if told["downgrade"] == "NO_DOWNGRADE":
        fail(f"{path}.grace_period", "does not belong to NO_DOWNGRADE")
    period = parse_period(grace, f"{path}.grace_period", PERIOD_MOST)
    return told | {"grace": Grace(period.unit, period.value, grace.get("round_up") is True)}


def parse_tier_v1(raw: object, id: str, path: str = "") -> Tier:
    """A tier of v1: ``points {from, to}``, and maps of earning rules and rewards by their ids."""
    body = an_object(raw, path.rstrip("."))
    here = f"{path}points"
    points = an_object(body.get("points"), here)
    least = whole_number(points.get("from", 0), f"{here}.from", 0, MAX_AMOUNT)
    most = points.get("to")
    if most is not None:
        whole_number(most, f"{here}.to", least, MAX_AMOUNT)
    maps = {
        name: {
            key: parse_mapped(mapped, f"{path}{name}.{key}")
            for key, mapped in an_object(body.get(name) or {}, f"{path}{name}").items()
            if mapped is not None
        }
        for name in ("earning_rules", "rewards")
    }
    return Tier(
        id=id,
        name=a_text(body, "name", path.rstrip(".")),
        least=least,
        most=most,
        earning=maps["earning_rules"],
        rewards=maps["rewards"],
    )


def parse_tiers_expiration(
    raw: object,
    tiers: Iterable[Tier],
    id: str = "",
    week_start: int = 1,
    path: str = "loyalty_tiers_expiration",
) -> TierStructure:
    """``loyalty_tiers_expiration`` of v1 with the program's tiers. None: by the balance, at once, until it drops."""
    if raw is None:
        return TierStructure(id=id, tiers=in_order(tiers), week_start=week_start)
    body = an_object(raw, path)
    basis = _one_of(
        body, "qualification_type", path, {kind: kind for kind in ("BALANCE", "POINTS_IN_PERIOD")}
    )
    unit: Unit | None = body.get("qualification_period")
    if unit is not None and unit not in V1_PERIODS:
        fail(f"{path}.qualification_period", "must be one of " + ", ".join(V1_PERIODS))
    starts: Starts = "IMMEDIATE"
    if body.get("start_date") is not None:
        here = f"{path}.start_date"
        kinds = {kind: kind for kind in ("IMMEDIATE", "NEXT_PERIOD")}
        starts = _one_of(an_object(body["start_date"], here), "type", here, kinds)
    retention = _retention_v1(body.get("expiration_date"), f"{path}.expiration_date")
    by_period = starts == "NEXT_PERIOD" or isinstance(retention, UntilPeriodEnds)
    if unit is None and (basis == "POINTS_IN_PERIOD" or by_period):
        fail(f"{path}.qualification_period", "is required where tiers go by periods")
    return TierStructure(
        id=id,
        tiers=in_order(tiers),
        basis=basis,
        starts=starts,
        retention=retention,
        period=None if unit is None else Period(unit, 1),
        week_start=week_start,
    )


def _retention_v1(raw: object, path: str) -> Retention:
    if raw is None:
        return NoRetention()
    body = an_object(raw, path)
    extend = _span(body.get("extend"), f"{path}.extend")
    match body.get("type"):
        case "BALANCE_DROP":
            return NoRetention()
        case "END_OF_PERIOD":
            return UntilPeriodEnds(next=False, extend=extend)
        case "END_OF_NEXT_PERIOD":
            return UntilPeriodEnds(next=True, extend=extend)
        case "CUSTOM":
            if extend is None:
                fail(f"{path}.extend", "is required for CUSTOM")
            return FixedDuration(extend, _rounding(body.get("rounding"), f"{path}.rounding"))
        case _:
            raise EngineError(
                f"{path}.type", "must be one of END_OF_PERIOD, END_OF_NEXT_PERIOD, BALANCE_DROP, CUSTOM"
            )


def _span(raw: object, path: str) -> Span | None:
    """Months and days of an ISO duration; tiers end at midnight, so it may have no hours."""
    if raw is None or raw == "":
        return None
    try:
        span = parse_duration(raw) if isinstance(raw, str) else Span(0, 0, 1)
    except ValueError as error:
        raise EngineError(path, str(error)) from None
    if span.seconds:
        fail(path, "must be a duration of years, months, weeks and days")
    return span


def _rounding(raw: object, path: str) -> TierRounding | None:
    if raw is None or raw == {}:
        return None
    body = an_object(raw, path)
    kinds = {kind: kind for kind in (*V1_PERIODS, "CUSTOM")}
    kind = _one_of(body, "type", path, kinds)
    strategy = body.get("strategy", "END")
    if strategy not in ("START", "END"):
        fail(f"{path}.strategy", "must be one of START, END")
    month = None
    if kind == "CUSTOM":
        month = 1 + whole_number(body.get("value"), f"{path}.value", 0, 11)
    return TierRounding(kind, strategy, month)
