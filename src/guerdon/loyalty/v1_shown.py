"""Bodies that the older API wrote, as the newer one shows them: as near as its words come.

A rule set off by a change of tiers is shown with that event, which the newer API cannot make. Points that lapse on the
day they were earned (0 months) are shown as lapsing after a day.
"""

from collections.abc import Mapping
from typing import Any

from guerdon.loyalty.compiled import CLAWBACKS
from guerdon.loyalty.parts import KINDS

Body = Mapping[str, Any]

CALCULATIONS = {
    "ORDER_AMOUNT": "PRE_DISCOUNT_ORDER_AMOUNT",
    "ORDER_TOTAL_AMOUNT": "POST_DISCOUNT_ORDER_AMOUNT",
    "ORDER_METADATA": "ORDER_METADATA_VALUE",
    "ORDER_ITEMS_QUANTITY": "ORDER_ITEMS_QUANTITY",
    "ORDER_ITEMS_AMOUNT": "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT",
    "ORDER_ITEMS_SUBTOTAL_AMOUNT": "POST_DISCOUNT_ORDER_ITEMS_AMOUNT",
    "CUSTOMER_METADATA": "CUSTOMER_METADATA_VALUE",
    "CUSTOM_EVENT_METADATA": "CUSTOM_EVENT_METADATA_VALUE",
}
MODES = {"REVOKE_TO_ZERO": "REVOKE_TO_ZERO", "REVOKE_BELOW_ZERO": "REVOKE_BELOW_ZERO"}
PERIOD_UNITS = {"QUARTER": 3, "HALF_YEAR": 6, "MONTH": 1, "YEAR": 12}


def body_of(kind: str, part_id: str, body: Body) -> dict[str, Any]:
    """The body in the newer API's words; one that has them already is itself."""
    if "v1" not in body:
        return dict(body)
    if kind == "reward":  # kept in both forms
        return {name: value for name, value in body.items() if name != "v1"}
    older = body["v1"]
    card = "lcdef_" + part_id.partition("_")[2]
    match kind:
        case "card_definition":
            told = _card(older)
        case "earning_rule":
            told = _rule(older)
        case "tier_structure":
            told = _structure(older or {}, card)
        case _:
            told = dict(older)
    return dict(KINDS[kind].defaults) | told if kind in KINDS else told


def tier_of(body: Body) -> dict[str, Any]:
    """A tier's body in the newer API's words."""
    if "v1" not in body:
        return dict(body)
    points = body["v1"]["points"]
    least: dict[str, Any] = {"min_value": points.get("from") or 0}
    if points.get("to") is not None:
        least["max_value"] = points["to"]
    return {"qualification_rules": {"type": "POINTS", "points": least}, "downgrade": {"type": "INHERIT"}}


def _card(older: Body) -> dict[str, Any]:
    mode = CLAWBACKS[older.get("clawback") or "DEBT"]
    method: dict[str, Any] = {"type": "REVOKE_FROM_BALANCE", "mode": MODES.get(mode, "REVOKE_BELOW_ZERO")}
    config = {
        name: value for name, value in (older.get("code_config") or {}).items() if name != "initial_count"
    }
    return {
        "code_config": config,
        "points_expiration": _expiry(older.get("expiration_rules")),
        "refunds": {
            "spent_points": {"type": "NONE"},
            "earned_points": {"type": "REFUNDABLE", "methods": [method]},
        },
    }


def _expiry(rules: Body | None) -> dict[str, Any]:
    if rules is None:
        return {"type": "NO_EXPIRATION"}
    if rules["period_type"] == "FIXED_DAY_OF_YEAR":
        day = {"day": rules["fixed_day"], "month": rules["fixed_month"]}
        return {"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"expiration_dates": [day]}}
    months = min(rules["period_value"], 1000)
    period = {"unit": "MONTH", "value": months} if months else {"unit": "DAY", "value": 1}
    rolling: dict[str, Any] = {"period": period}
    kind = rules.get("rounding_type")
    if kind == "PARTICULAR_MONTH":
        rolling["rounding"] = {"type": "END_OF_PARTICULAR_MONTH", "value": rules["rounding_value"]}
    elif kind is not None:
        rolling["rounding"] = {"type": kind}
    return {"type": "ROLLING_EXPIRATION", "rolling_expiration": rolling}


def _rule(older: Body) -> dict[str, Any]:
    told: dict[str, Any] = {"trigger": _trigger(older), "earnings": [{"effects": [_effect(older)]}]}
    for name, place in (("start_date", "start_date"), ("expiration_date", "end_date")):
        if older.get(name) is not None:
            told[place] = older[name]
    if older.get("caps"):
        told["caps"] = older["caps"]
    return told


def _trigger(older: Body) -> dict[str, Any]:
    event = older["event"]
    if event == "order.paid":
        return {"event": "customer.order.paid"}
    if event == "customer.segment.entered":
        return {"event": event, "segment": {"id": older["segment"]["id"]}}
    if event.startswith("customer.loyalty.tier."):
        return {"event": event}
    return {"event": "customer.custom_event", "custom_event": older["custom_event"]}


def _effect(older: Body) -> dict[str, Any]:
    loyalty, card = older["loyalty"], {"card_definition_id": older["card_definition_id"]}
    more = (
        {}
        if older.get("expiration_rules") is None
        else {"points_expiration": _expiry(older["expiration_rules"])}
    )
    if loyalty["type"] == "FIXED":
        points = {"value": loyalty.get("points") or 0} | card | more
        if loyalty.get("points_formula"):
            points["points_formula"] = loyalty["points_formula"]
        return {"type": "POINTS", "points": points}
    outer = next(name for name in ("order", "order_items", "customer", "custom_event") if loyalty.get(name))
    inner, numbers = next((name, said) for name, said in loyalty[outer].items() if said)
    every: dict[str, Any] = {"every": numbers["every"], "value": numbers.get("points") or 0}
    for name in ("points_formula", "property"):
        if numbers.get(name):
            every[name] = numbers[name]
    if outer == "order_items":
        every["applicable_to"] = _items(numbers)
    kind = {"calculation_type": CALCULATIONS[loyalty["calculation_type"]], outer: {inner: every}}
    return {"type": "POINTS_PROPORTIONAL", "points_proportional": kind | card | more}


def _items(numbers: Body) -> list[dict[str, Any]]:
    listed: Any = numbers.get("applicable_to") or [{"object": numbers.get("object"), "id": numbers.get("id")}]
    if isinstance(listed, dict):
        listed = listed["data"]
    return [{"type": one["object"], one["object"]: {"id": one["id"]}} for one in listed]


def _structure(older: Body, card: str) -> dict[str, Any]:
    """Tiers by periods of the calendar, and those that end with one, have no words there: the period's months stand
    for them."""
    told: dict[str, Any] = {"expiration": {"type": "NO_RETENTION"}, "downgrade": {"type": "MULTI_LEVEL"}}
    months = PERIOD_UNITS.get(older.get("qualification_period") or "", 1)
    period = {"unit": "MONTH", "value": months} if months < 12 else {"unit": "YEAR", "value": 1}
    if older.get("qualification_type") == "POINTS_IN_PERIOD":
        later = (older.get("start_date") or {}).get("type") == "NEXT_PERIOD"
        kind = "NEXT_TRACKING_PERIOD" if later else "IMMEDIATELY"
        told["type"] = "POINT_EARNED"
        told["point_earned"] = {"card_definition_id": card, "period": period, "type": kind}
    else:
        told["type"] = "POINT_BALANCE"
        told["point_balance"] = {"card_definition_id": card}
    if (older.get("expiration_date") or {}).get("type", "BALANCE_DROP") != "BALANCE_DROP":
        told["expiration"] = {"type": "FIXED_DURATION", "fixed_duration": {"period": period}}
    return told
