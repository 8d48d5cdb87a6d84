"""Earning rules from what v2 of the API writes; v1 is in earning_parse_v1.py, cards are in earning_cards.py.

Whatever makes no sense raises :class:`EngineError` with the dotted path of the fault inside the body.
"""

from collections.abc import Mapping
from typing import Any

from guerdon.engine.bodies import a_formula, a_list, a_name, a_number, a_text, an_object, fail
from guerdon.engine.conditions import Condition, Fact, Scene, compile_fact, every_condition, looked_up
from guerdon.engine.durations import Span
from guerdon.engine.earning_cards import LIMIT_UNITS, current_period, windows
from guerdon.engine.earning_rule import (
    BenefitOf,
    CustomEvent,
    Earning,
    EarningRule,
    Effect,
    Fixed,
    Frequency,
    Happening,
    OrderPaid,
    PointsCap,
    Proportional,
    SegmentEntered,
)
from guerdon.engine.entries import MAX_ENTRIES, Entry, parse_entry
from guerdon.engine.expiry import Expiry
from guerdon.engine.expiry_parse import parse_expiry
from guerdon.engine.fault import EngineError
from guerdon.engine.judging import judged
from guerdon.engine.logic import blamed
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.periods import parse_period, whole_number
from guerdon.engine.rule import RuleSet, parse_rule_set
from guerdon.engine.terms import Terms

COOLDOWN_MOST = {"HOUR": 24, "DAY": 90, "WEEK": 52, "MONTH": 12, "YEAR": 1}
MAX_TRIGGERS = 10_000
MAX_EARNINGS = 100
MAX_EFFECTS = 10
MAX_CAPS = 10
EVENT_FACT = Fact(
    name="custom_event.metadata",
    group="redemption",
    value="anything",
    words="metadata of the custom event",
    property=True,
    read=lambda scene, property: looked_up(scene.situation.metadata, property),
)
"""The fact as earning sees it: the event's metadata stand where a redemption's do."""
CALCULATIONS = {
    "PRE_DISCOUNT_ORDER_AMOUNT": ("order.amount", "order", "amount"),
    "POST_DISCOUNT_ORDER_AMOUNT": ("order.total_amount", "order", "total_amount"),
    "ORDER_METADATA_VALUE": ("order.metadata", "order", "metadata"),
    "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT": ("order_items.amount", "order_items", "amount"),
    "POST_DISCOUNT_ORDER_ITEMS_AMOUNT": ("order_items.subtotal_amount", "order_items", "subtotal_amount"),
    "ORDER_ITEMS_QUANTITY": ("order_items.quantity", "order_items", "quantity"),
    "CUSTOMER_METADATA_VALUE": ("customer.metadata", "customer", "metadata"),
    "CUSTOM_EVENT_METADATA_VALUE": ("custom_event.metadata", "custom_event", "metadata"),
}
"""What v2 counts by: our name for it, and the two members that lead to its numbers."""
ALLOWED = {
    OrderPaid: frozenset(("order", "order_items", "customer")),
    SegmentEntered: frozenset(("customer",)),
    CustomEvent: frozenset(("customer", "custom_event")),
}
"""Whose values points may be counted by, after what happened."""


def parse_earning_rule(raw: object, id: str, active: bool | None = None) -> EarningRule:
    """An earning rule of v2. ``active`` overrules its status, of which ACTIVE alone gives points."""
    body = an_object(raw, "")
    trigger = _trigger(body.get("trigger"), "trigger")
    return EarningRule(
        id=id,
        name=a_name(body),
        trigger=trigger,
        earnings=_earnings(body.get("earnings"), "earnings", trigger),
        active=body.get("status") == "ACTIVE" if active is None else active,
        terms=_terms(body),
        caps=parse_caps(body.get("caps"), "caps"),
        **_trigger_limits(body.get("trigger_limits"), "trigger_limits"),
    )


def _trigger(raw: object, path: str) -> Happening:
    body = an_object(raw, path)
    match body.get("event"):
        case "customer.order.paid":
            return OrderPaid()
        case "customer.segment.entered":
            return SegmentEntered(
                a_text(an_object(body.get("segment"), f"{path}.segment"), "id", f"{path}.segment")
            )
        case "customer.custom_event":
            event = an_object(body.get("custom_event"), f"{path}.custom_event")
            return CustomEvent(a_text(event, "schema_id", f"{path}.custom_event"))
        case _:
            raise EngineError(
                f"{path}.event",
                "must be one of customer.order.paid, customer.custom_event, customer.segment.entered",
            )


def _earnings(raw: object, path: str, trigger: Happening) -> tuple[Earning, ...]:
    earnings = a_list(raw, path, MAX_EARNINGS)
    return tuple(_earning(each, f"{path}[{index}]", index, trigger) for index, each in enumerate(earnings))


def _earning(raw: object, path: str, index: int, trigger: Happening) -> Earning:
    body = an_object(raw, path)
    effects = a_list(body.get("effects"), f"{path}.effects", MAX_EFFECTS)
    return Earning(
        id=a_name(body, f"{path}.", "id") or str(index),
        effects=tuple(
            _effect(each, f"{path}.effects[{place}]", trigger) for place, each in enumerate(effects)
        ),
        rules=_rules(body.get("rules"), f"{path}.rules"),
        tiers=_tiers(body.get("tier_rules"), f"{path}.tier_rules"),
    )


def _rules(raw: object, path: str) -> tuple[RuleSet, ...]:
    if raw is None:
        return ()
    try:
        return (for_earning(parse_rule_set({"rules": raw})),)
    except EngineError as error:
        place = path + error.path.removeprefix("rules")
        raise EngineError(place, error.message, error.key) from None


def for_earning(rule_set: RuleSet) -> RuleSet:
    """A rule set as earning judges it: conditions on a custom event look at the one that happened.

    Give it a rule set of its own: what it changes would hold for redemptions too.
    """
    for condition in every_condition(rule_set.conditions):
        if condition.name == EVENT_FACT.name:
            condition.judged = compile_fact(
                EVENT_FACT, condition.property, condition.conditions, _nested(condition)
            )
    return rule_set


def _nested(condition: Condition) -> Any:
    if condition.logic is None:
        return None
    tree, rules = condition.logic, condition.rules

    def fails(scene: Scene) -> Any:
        return blamed(tree, lambda key: judged(rules[key])[0](scene))

    return fails


def _tiers(raw: object, path: str) -> frozenset[str] | None:
    if raw is None:
        return None
    body = an_object(raw, path)
    match body.get("type"):
        case "NO_REQUIREMENTS":
            return None
        case "ANY_OF":
            listed = a_list(body.get("any_of"), f"{path}.any_of", 100)
            tiers: set[str] = set()
            for index, each in enumerate(listed):
                here = f"{path}.any_of[{index}]"
                named = a_list(an_object(each, here).get("tier_ids"), f"{here}.tier_ids", 100)
                if not all(isinstance(tier, str) for tier in named):
                    fail(f"{here}.tier_ids", "must list ids of tiers")
                tiers.update(named)
            return frozenset(tiers)
        case _:
            raise EngineError(f"{path}.type", "must be one of NO_REQUIREMENTS, ANY_OF")


def _effect(raw: object, path: str, trigger: Happening) -> Effect:
    body = an_object(raw, path)
    match body.get("type"):
        case "POINTS":
            here = f"{path}.points"
            points = an_object(body.get("points"), here)
            value = whole_number(points.get("value"), f"{here}.value", 0, MAX_AMOUNT)
            return Effect(
                card=a_text(points, "card_definition_id", here),
                gives=Fixed(value, a_formula(points, "points_formula", here)),
                expiry=_expiry(points, here),
            )
        case "POINTS_PROPORTIONAL":
            here = f"{path}.points_proportional"
            points = an_object(body.get("points_proportional"), here)
            return Effect(
                card=a_text(points, "card_definition_id", here),
                gives=_proportional(points, here, trigger),
                expiry=_expiry(points, here),
            )
        case "BENEFIT":
            return Effect(
                gives=BenefitOf(
                    a_text(an_object(body.get("benefit"), f"{path}.benefit"), "id", f"{path}.benefit")
                )
            )
        case _:
            raise EngineError(f"{path}.type", "must be one of POINTS, POINTS_PROPORTIONAL, BENEFIT")


def _expiry(body: dict[str, Any], path: str) -> Expiry | None:
    raw = body.get("points_expiration")
    return None if raw is None else parse_expiry(raw, f"{path}.points_expiration")


def _proportional(body: dict[str, Any], path: str, trigger: Happening) -> Proportional:
    kind = body.get("calculation_type")
    if not isinstance(kind, str) or kind not in CALCULATIONS:
        fail(f"{path}.calculation_type", "must be one of " + ", ".join(CALCULATIONS))
    of, outer, inner = CALCULATIONS[kind]
    if outer not in ALLOWED[type(trigger)]:
        fail(f"{path}.calculation_type", "counts by what this trigger does not know")
    here = f"{path}.{outer}.{inner}"
    numbers = an_object(an_object(body.get(outer), f"{path}.{outer}").get(inner), here)
    return Proportional(
        of=of,  # type: ignore[arg-type]
        every=whole_number(numbers.get("every"), f"{here}.every", 1, MAX_AMOUNT),
        points=a_number(numbers.get("value"), f"{here}.value", MAX_AMOUNT),
        formula=a_formula(numbers, "points_formula", here),
        property=a_text(numbers, "property", here) if inner == "metadata" else None,
        items=_items(numbers.get("applicable_to"), f"{here}.applicable_to") if outer == "order_items" else (),
    )


def _items(raw: object, path: str) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for index, each in enumerate(a_list(raw, path, MAX_ENTRIES)):
        here = f"{path}[{index}]"
        body = an_object(each, here)
        kind = body.get("type")
        if kind not in ("product", "sku", "products_collection"):
            fail(f"{here}.type", "must be one of product, sku, products_collection")
        named = an_object(body.get(kind), f"{here}.{kind}")
        entries.append(parse_entry({"object": kind, "id": named.get("id")}, f"{here}.{kind}"))
    return tuple(entries)


def _terms(body: Mapping[str, Any]) -> Terms:
    """Dates and hours of v2, which has an end date and days in one member."""
    told: dict[str, Any] = {}
    if body.get("start_date") is not None:
        told["start_date"] = body["start_date"]
    if body.get("end_date") is not None:
        told["expiration_date"] = body["end_date"]
    hours = body.get("validity_hours")
    if hours is not None:
        daily = an_object(hours, "validity_hours").get("daily")
        if hours.get("type") not in ("DAILY", "ANY_TIME"):
            fail("validity_hours.type", "must be one of DAILY, ANY_TIME")
        if hours["type"] == "DAILY":
            spans = a_list(daily, "validity_hours.daily", 100)
            told["validity_hours"] = {
                "daily": [
                    {
                        "start_time": an_object(span, f"validity_hours.daily[{index}]").get("start_time"),
                        "expiration_time": span.get("end_time"),
                        "days_of_week": span.get("days_of_week"),
                    }
                    for index, span in enumerate(spans)
                ]
            }
    try:
        return windows(told)
    except EngineError as error:
        place = error.path.replace("expiration_date", "end_date").replace("expiration_time", "end_time")
        raise EngineError(place, error.message, error.key) from None


def _trigger_limits(raw: object, path: str) -> dict[str, Any]:
    if raw is None:
        return {}
    body = an_object(raw, path)
    limits: dict[str, Any] = {}
    cooldown = body.get("cooldown")
    if cooldown is not None and an_object(cooldown, f"{path}.cooldown").get("type") != "NO_COOLDOWN":
        here = f"{path}.cooldown.fixed_cooldown"
        period = an_object(cooldown.get("fixed_cooldown"), here).get("period")
        limits["cooldown"] = _rest(period, f"{here}.period")
    frequency = body.get("frequency")
    if frequency is not None and an_object(frequency, f"{path}.frequency").get("type") != "NO_LIMIT":
        here = f"{path}.frequency.limits"
        only = a_list(frequency.get("limits"), here, 1)[0]
        triggers = an_object(an_object(only, f"{here}[0]").get("triggers"), f"{here}[0].triggers")
        most = whole_number(triggers.get("max"), f"{here}[0].triggers.max", 1, MAX_TRIGGERS)
        limits["frequency"] = Frequency(current_period(only.get("period"), f"{here}[0].period"), most)
    return limits


def _rest(raw: object, path: str) -> Span:
    body = an_object(raw, path)
    if body.get("unit") == "HOUR":
        return Span(0, 0, 3600 * whole_number(body.get("value"), f"{path}.value", 1, COOLDOWN_MOST["HOUR"]))
    return parse_period(
        body, path, {unit: most for unit, most in COOLDOWN_MOST.items() if unit != "HOUR"}
    ).span


def parse_caps(raw: object, path: str) -> tuple[PointsCap, ...]:
    """Guerdon's own ``caps`` of a rule: ``[{max, period: DAY … YEAR | null, per: MEMBER | RULE}]``."""
    if raw is None:
        return ()
    caps: list[PointsCap] = []
    for index, each in enumerate(a_list(raw, path, MAX_CAPS)):
        here = f"{path}[{index}]"
        body = an_object(each, here)
        unit, per = body.get("period"), body.get("per", "MEMBER")
        if unit is not None and unit not in (*LIMIT_UNITS, "HALF_YEAR"):
            fail(f"{here}.period", "must be one of " + ", ".join((*LIMIT_UNITS, "HALF_YEAR")))
        if per not in ("MEMBER", "RULE"):
            fail(f"{here}.per", "must be one of MEMBER, RULE")
        most = whole_number(body.get("max"), f"{here}.max", 1, MAX_AMOUNT)
        caps.append(PointsCap(most, unit, per == "MEMBER"))
    return tuple(caps)
