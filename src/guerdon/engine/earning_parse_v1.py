"""Earning rules from what v1 of the API writes: one effect, with words of its own for everything."""

from decimal import Decimal
from typing import Any, get_args

from guerdon.engine.bodies import a_formula, a_name, a_text, an_object, fail
from guerdon.engine.earning_cards import windows
from guerdon.engine.earning_parse import for_earning, parse_caps
from guerdon.engine.earning_rule import (
    CardRules,
    CustomEvent,
    Earning,
    EarningRule,
    Effect,
    Fixed,
    Happening,
    OrderPaid,
    Proportional,
    SegmentEntered,
    TierChanged,
    TierEvent,
)
from guerdon.engine.entries import MAX_ENTRIES, Entry, parse_entry
from guerdon.engine.expiry_parse import parse_expiration_rules, parse_pending_v1
from guerdon.engine.fault import EngineError
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.periods import whole_number
from guerdon.engine.rule import RuleSet

ANY_TIER = "__ANY__"
TIER_EVENTS: tuple[str, ...] = get_args(TierEvent)
CALCULATIONS = {
    "ORDER_AMOUNT": ("order.amount", "order", "amount"),
    "ORDER_TOTAL_AMOUNT": ("order.total_amount", "order", "total_amount"),
    "ORDER_METADATA": ("order.metadata", "order", "metadata"),
    "ORDER_ITEMS_QUANTITY": ("order_items.quantity", "order_items", "quantity"),
    "ORDER_ITEMS_AMOUNT": ("order_items.amount", "order_items", "amount"),
    "ORDER_ITEMS_SUBTOTAL_AMOUNT": ("order_items.subtotal_amount", "order_items", "subtotal_amount"),
    "CUSTOMER_METADATA": ("customer.metadata", "customer", "metadata"),
    "CUSTOM_EVENT_METADATA": ("custom_event.metadata", "custom_event", "metadata"),
}
"""What v1 counts by: our name for it, and the two members that lead to its numbers."""
ALLOWED = {
    OrderPaid: frozenset(("order", "order_items")),
    SegmentEntered: frozenset(("customer",)),
    CustomEvent: frozenset(("customer", "custom_event")),
    TierChanged: frozenset(("customer",)),
}


def parse_earning_rule_v1(
    raw: object, id: str, card: str, rules: tuple[RuleSet, ...] = (), active: bool = True
) -> EarningRule:
    """An earning rule of v1, which gives to the one card of its program.

    ``rules`` are the rule sets that ``validation_rule_id`` and assignments name, parsed for this rule alone.
    """
    body = an_object(raw, "")
    trigger = _trigger(body)
    pending = None
    if body.get("pending_points") is not None:
        if not isinstance(trigger, OrderPaid):
            fail("pending_points", "belongs to order.paid only")
        pending = parse_pending_v1(body["pending_points"], "pending_points")
    expiry = body.get("expiration_rules")
    effect = Effect(
        card=card,
        gives=_gives(body.get("loyalty"), "loyalty", trigger),
        expiry=None if expiry is None else parse_expiration_rules(expiry, "expiration_rules"),
        pending=pending,
    )
    source = body.get("source")
    return EarningRule(
        id=id,
        name=a_name(an_object(source, "source"), "source.", "banner") if source is not None else "",
        trigger=trigger,
        earnings=(Earning(effects=(effect,), rules=tuple(for_earning(each) for each in rules)),),
        active=active,
        terms=windows(body),
        caps=parse_caps(body.get("caps"), "caps"),
    )


def parse_card_rules_v1(raw: object, id: str) -> CardRules:
    """What ``voucher.loyalty_card`` of a v1 program says of points that are earned."""
    body = an_object(raw, "loyalty_card")
    return CardRules(
        id=id, expiry=parse_expiration_rules(body.get("expiration_rules"), "loyalty_card.expiration_rules")
    )


def _trigger(body: dict[str, Any]) -> Happening:
    event = body.get("event", "order.paid")
    if not isinstance(event, str) or not 1 <= len(event) <= 300:
        fail("event", "must be a text of 1 to 300 characters")
    if event == "order.paid":
        return OrderPaid()
    if event == "customer.segment.entered":
        return SegmentEntered(a_text(an_object(body.get("segment"), "segment"), "id", "segment"))
    prefix, _, change = event.rpartition(".")
    if prefix == "customer.loyalty.tier" and change in TIER_EVENTS:
        named = body.get("loyalty_tier")
        tier = ANY_TIER if named is None else a_text(an_object(named, "loyalty_tier"), "id", "loyalty_tier")
        return TierChanged(change, None if tier == ANY_TIER else tier)  # type: ignore[arg-type]
    schema = body.get("custom_event")
    if schema is None:
        return CustomEvent(name=event)
    return CustomEvent(a_text(an_object(schema, "custom_event"), "schema_id", "custom_event"), event)


def _gives(raw: object, path: str, trigger: Happening) -> Fixed | Proportional:
    body = an_object(raw, path)
    match body.get("type"):
        case "FIXED":
            formula = a_formula(body, "points_formula", path)
            points = body.get("points")
            if points is None and formula is not None:
                points = 0
            return Fixed(whole_number(points, f"{path}.points", 0, MAX_AMOUNT), formula)
        case "PROPORTIONAL":
            return _proportional(body, path, trigger)
        case _:
            raise EngineError(f"{path}.type", "must be one of FIXED, PROPORTIONAL")


def _proportional(body: dict[str, Any], path: str, trigger: Happening) -> Proportional:
    kind = body.get("calculation_type")
    if not isinstance(kind, str) or kind not in CALCULATIONS:
        fail(f"{path}.calculation_type", "must be one of " + ", ".join(CALCULATIONS))
    of, outer, inner = CALCULATIONS[kind]
    if outer not in ALLOWED[type(trigger)]:
        fail(f"{path}.calculation_type", "counts by what this event does not know")
    here = f"{path}.{outer}.{inner}"
    numbers = an_object(an_object(body.get(outer), f"{path}.{outer}").get(inner), here)
    formula, points = a_formula(numbers, "points_formula", here), numbers.get("points")
    if points is None and formula is not None:
        points = 0
    return Proportional(
        of=of,  # type: ignore[arg-type]
        every=whole_number(numbers.get("every"), f"{here}.every", 1, MAX_AMOUNT),
        points=Decimal(whole_number(points, f"{here}.points", 0, MAX_AMOUNT)),
        formula=formula,
        property=a_text(numbers, "property", here) if inner == "metadata" else None,
        items=_items(numbers, here) if outer == "order_items" else (),
    )


def _items(numbers: dict[str, Any], path: str) -> tuple[Entry, ...]:
    """Of ``applicable_to`` or, for a single one, ``object`` and ``id``."""
    listed = numbers.get("applicable_to")
    if isinstance(listed, dict) and "data" in listed:
        listed = listed["data"]  # as it comes back from an answer
    if listed is None:
        if numbers.get("object") is None and numbers.get("id") is None:
            fail(f"{path}.applicable_to", "is required")
        return (parse_entry({"object": numbers.get("object"), "id": numbers.get("id")}, path),)
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ENTRIES:
        fail(f"{path}.applicable_to", f"must list 1 to {MAX_ENTRIES}")
    return tuple(parse_entry(each, f"{path}.applicable_to[{index}]") for index, each in enumerate(listed))
