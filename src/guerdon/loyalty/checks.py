"""Whether the body of a part makes sense: what belongs together, what the engine can read, what it refers to."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from guerdon.engine.codes import parse_code_config
from guerdon.engine.earning_cards import current_period, parse_card_rules, windows
from guerdon.engine.earning_parse import parse_earning_rule
from guerdon.engine.fault import EngineError
from guerdon.engine.formula import parse_formula
from guerdon.engine.rule import RuleSet, parse_rule_set
from guerdon.engine.terms import Terms
from guerdon.engine.tier_parse import parse_tier, parse_tier_structure
from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.loyalty import store

Body = Mapping[str, Any]
HOURS = {"ANY_TIME": None, "DAILY": "daily"}
STOCK = {"UNLIMITED": None, "LIMITED": "limited"}
MATERIAL = {"PRODUCT": "product", "SKU": "sku"}
DIGITAL = {
    "DISCOUNT_COUPONS": "discount_coupons",
    "GIFT_VOUCHERS": "gift_vouchers",
    "LOYALTY_CARD_POINTS": "loyalty_card_points",
}
GOODS = {"MATERIAL": "material", "DIGITAL": "digital"}
BENEFITS = {"POINTS": "points", "POINTS_PROPORTIONAL": "points_proportional", **GOODS}
COOLDOWN = {"NO_COOLDOWN": None, "FIXED_COOLDOWN": "fixed_cooldown"}
TRIGGERS = {
    "customer.order.paid": None,
    "customer.custom_event": "custom_event",
    "customer.segment.entered": "segment",
}
RETENTION = {
    "NO_RETENTION": None,
    "FIXED_DURATION": "fixed_duration",
    "CALENDAR_EXPIRATION": "calendar_expiration",
    "SLIDING_EXPIRATION": "sliding_expiration",
}
COOLDOWN_MOST = {"HOUR": 24, "DAY": 90, "WEEK": 52, "MONTH": 12, "YEAR": 1}
ASKED: dict[str, tuple[str, ...]] = {
    "customer.order.paid": ("customer.", "order."),
    "customer.custom_event": ("customer.", "custom_event."),
    "customer.segment.entered": ("customer.",),
}
"""What the rules of an earning may ask about, by what sets it off."""
OF_COSTS = ("customer.segment", "customer.metadata", "member.metadata")
SPENDING_LIMITS = {"SPENDING_BASED": "max", "TIME_BASED": "points"}


class Reference(Struct, frozen=True):
    """Something that a body names: where, of what kind, its id, and what it must be of."""

    path: str
    what: str
    id: str
    of: str | None = None


def check(kind: str, body: Body, part_id: str) -> None:
    """Raise `ApiError` 400 with the path of what makes no sense in a part's body (name and status with it)."""
    try:
        CHECKS[kind](body, part_id)
    except EngineError as error:
        raise fault_of(error) from None


def fault_of(error: EngineError) -> ApiError:
    """The 400 for what the engine cannot read."""
    return invalid_payload(Fault(error.path, error.message), key=error.key)


def belongs(body: Body, path: str, kinds: Mapping[str, str | None], tag: str = "type") -> None:
    """The member that the tag names must be there, and those that other tags name must not."""
    kind = body[tag]
    own = kinds.get(kind)
    if own is not None and body.get(own) is None:
        raise EngineError(f"{path}{own}", f"is required for {kind}")
    for member in kinds.values():
        if member is not None and member != own and body.get(member) is not None:
            raise EngineError(f"{path}{member}", f"does not belong to {kind}")


def terms_of(body: Body) -> Terms:
    """Dates and hours, as programs, rules and rewards have them, for the engine. Raises `EngineError`."""
    told: dict[str, Any] = {}
    for name, stored in (("start_date", "start_date"), ("end_date", "expiration_date")):
        if body.get(name) is not None:
            told[stored] = body[name]
    hours: Mapping[str, Any] = body.get("validity_hours") or {"type": "ANY_TIME"}
    belongs(hours, "validity_hours.", HOURS)
    if hours["type"] == "DAILY":
        spans = [
            {"start_time": span["start_time"], "expiration_time": span["end_time"], "days_of_week": span["days_of_week"]}
            for span in hours["daily"]
        ]  # fmt: skip
        told["validity_hours"] = {"daily": spans}
    try:
        return windows(told)
    except EngineError as error:
        path = error.path.replace("expiration_date", "end_date").replace("expiration_time", "end_time")
        raise EngineError(path, error.message) from None


def _card_definition(body: Body, part_id: str) -> None:
    parse_code_config(body["code_config"])
    parse_card_rules(body, part_id)
    _spending_limits(body["spending_limits"], "spending_limits")
    earned = body["refunds"]["earned_points"]
    for path, side in (("spent_points", body["refunds"]["spent_points"]), ("earned_points", earned)):
        if (side["type"] == "REFUNDABLE") != bool(side["methods"]):
            raise EngineError(f"refunds.{path}.methods", "belongs to REFUNDABLE, which needs one")
    for method in earned["methods"]:
        _revoking(method, body)
    if body["balance_settings"]["allow_negative"] and body["points_expiration"]["type"] != "NO_EXPIRATION":
        raise EngineError("balance_settings.allow_negative", "needs points that do not end")
    belongs(
        body["pay_with_points"], "pay_with_points.", {"NO_PAYMENTS": None, "EXCHANGE_RATIO": "exchange_ratio"}
    )
    if body["pay_with_points"]["type"] == "EXCHANGE_RATIO":
        formula = body["pay_with_points"]["exchange_ratio"]["formula"]
        if len(formula) > 2000:
            raise EngineError("pay_with_points.exchange_ratio.formula", "may have 2000 characters")
        parse_formula(formula, "pay_with_points.exchange_ratio.formula")


def _revoking(method: Body, body: Body) -> None:
    here = "refunds.earned_points.methods[0]"
    if method["type"] == "REVOKE_FROM_PENDING":
        if method.get("mode") is not None:
            raise EngineError(f"{here}.mode", "does not belong to REVOKE_FROM_PENDING")
        if body["pending_points"]["type"] == "IMMEDIATE":
            raise EngineError(f"{here}.type", "needs points that are pending first")
    elif method.get("mode") is None:
        raise EngineError(f"{here}.mode", "is required for REVOKE_FROM_BALANCE")
    elif method["mode"] == "REVOKE_BELOW_ZERO" and not body["balance_settings"]["allow_negative"]:
        raise EngineError(f"{here}.mode", "needs balance_settings.allow_negative")


def _spending_limits(limits: Body, path: str) -> None:
    for side in ("global", "transactions"):
        body, here = limits[side], f"{path}.{side}.limits"
        if (body["type"] == "LIMITED") != bool(body["limits"]):
            raise EngineError(here, "belongs to LIMITED, which needs one")
        for index, limit in enumerate(body["limits"]):
            kinds = SPENDING_LIMITS if side == "global" else {"POINTS": "max"}
            if limit["type"] not in kinds:
                raise EngineError(f"{here}[{index}].type", "must be one of " + ", ".join(kinds))
            belongs(limit, f"{here}[{index}].", kinds)
            if limit["type"] == "TIME_BASED":
                current_period(limit.get("period"), f"{here}[{index}].period")


def _earning_rule(body: Body, part_id: str) -> None:
    belongs(body["trigger"], "trigger.", TRIGGERS, "event")
    terms_of(body)
    _limits(body["trigger_limits"], "trigger_limits")
    for index, earning in enumerate(body["earnings"]):
        for place, effect in enumerate(earning["effects"]):
            here = f"earnings[{index}].effects[{place}]."
            belongs(
                effect,
                here,
                {"POINTS": "points", "POINTS_PROPORTIONAL": "points_proportional", "BENEFIT": "benefit"},
            )
        if earning.get("rules") is not None:
            check_names(earning["rules"], f"earnings[{index}].rules", ASKED[body["trigger"]["event"]])
    parse_earning_rule(body, part_id)


def check_names(rules: Body, path: str, allowed: tuple[str, ...]) -> None:
    """Rules may ask about what is known then only: names, or what names begin with. Raises `EngineError`."""
    for key, rule in rules.items():
        if key == "logic" or not isinstance(rule, Mapping):
            continue
        name = rule.get("name")
        if isinstance(name, str) and not name.startswith(allowed):
            raise EngineError(f"{path}.{key}.name", f"is not known here, only {', '.join(allowed)}")
        nested = rule.get("rules")
        if isinstance(nested, Mapping):
            check_names(nested, f"{path}.{key}.rules", allowed)


def _limits(body: Body, path: str) -> None:
    cooldown, frequency = body["cooldown"], body["frequency"]
    belongs(cooldown, f"{path}.cooldown.", COOLDOWN)
    if cooldown["type"] == "FIXED_COOLDOWN":
        period = cooldown["fixed_cooldown"]["period"]
        if period["value"] > COOLDOWN_MOST[period["unit"]]:
            most = COOLDOWN_MOST[period["unit"]]
            raise EngineError(f"{path}.cooldown.fixed_cooldown.period.value", f"may be {most} at most")
    if (frequency["type"] == "LIMITED") != bool(frequency["limits"]):
        raise EngineError(f"{path}.frequency.limits", "belongs to LIMITED, which needs one")
    for limit in frequency["limits"]:
        current_period(limit["period"], f"{path}.frequency.limits[0].period")


def _reward(body: Body, part_id: str) -> None:
    belongs(body, "", GOODS)
    _goods(body)
    terms_of(body)
    _limits(body["purchase_limits"], "purchase_limits")
    for index, cost in enumerate(body["costs"]):
        if cost.get("rules") is not None:
            check_names(cost["rules"], f"costs[{index}].rules", OF_COSTS)
            cost_rules(cost["rules"], f"costs[{index}].rules")


def cost_rules(rules: Body, path: str) -> RuleSet:
    """The rules of a price. Raises `EngineError` with their path.

    What they ask of ``member.metadata`` the engine looks for where a redemption's metadata stand: whoever has them
    judged puts the member's there.
    """
    numbered = [key for key in rules if key != "logic"]
    if not numbered or not isinstance(rules.get("logic"), str) or len(numbered) > 10:
        raise EngineError(path, "must hold 1 to 10 numbered rules, and logic that joins them")
    try:
        return parse_rule_set({"rules": _of_members(rules)})
    except EngineError as error:
        raise EngineError(path + error.path.removeprefix("rules"), error.message, error.key) from None


def _of_members(rules: Body) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, rule in rules.items():
        if isinstance(rule, Mapping):
            rule = dict(rule)
            if rule.get("name") == "member.metadata":
                rule["name"] = "redemption.metadata"
            if isinstance(rule.get("rules"), Mapping):
                rule["rules"] = _of_members(rule["rules"])
        told[key] = rule
    return told


def _goods(body: Body) -> None:
    for section, kinds in (("material", MATERIAL), ("digital", DIGITAL)):
        if body.get(section) is not None:
            belongs(body[section], f"{section}.", kinds)


def _benefit(body: Body, part_id: str) -> None:
    belongs(body, "", BENEFITS)
    _goods(body)
    belongs(body["stock"], "stock.", STOCK)
    if body.get("points_proportional") is not None:
        effect = {"type": "POINTS_PROPORTIONAL", "points_proportional": body["points_proportional"]}
        event = "customer.order.paid"
        if body["points_proportional"]["calculation_type"].startswith("CUSTOM_EVENT"):
            event = "customer.custom_event"
        trigger = {"event": event, "custom_event": {"schema_id": "any"}}
        try:
            parse_earning_rule({"trigger": trigger, "earnings": [{"effects": [effect]}]}, part_id)
        except EngineError as error:
            raise EngineError(error.path.removeprefix("earnings[0].effects[0]."), error.message) from None


def _tier_structure(body: Body, part_id: str) -> None:
    belongs(body, "", {"POINT_BALANCE": "point_balance", "POINT_EARNED": "point_earned"})
    belongs(body["expiration"], "expiration.", RETENTION)
    parse_tier_structure(body, (), part_id)


def check_tier(body: Body, tier_id: str) -> None:
    """Raise `ApiError` 400 with the path of what makes no sense in a tier."""
    try:
        rules = body["qualification_rules"]
        belongs(rules, "qualification_rules.", {"POINTS": None, "POINTS_AND_SEGMENT": "segment"})
        parse_tier(body, tier_id)
    except EngineError as error:
        raise fault_of(error) from None


CHECKS = {
    "card_definition": _card_definition,
    "earning_rule": _earning_rule,
    "reward": _reward,
    "benefit": _benefit,
    "tier_structure": _tier_structure,
}

# What bodies refer to -------------------------------------------------------------------------------------------

# The member that holds an id, whatever stands around it → what it names. `id` goes by what holds it.
BY_NAME = {
    "card_definition_id": "card definition",
    "schema_id": "custom event schema",
    "campaign_id": "campaign",
    "tier_structure_id": "tier structure",
}
BY_HOLDER = {
    "benefit": "benefit",
    "segment": "segment",
    "product": "product",
    "sku": "sku",
    "products_collection": "product collection",
}
LISTS = {
    "event_types": "custom event schema",
    "custom_activity_types": "custom event schema",
    "tier_ids": "tier",
}
PARTS = {"card definition": "card_definition", "tier structure": "tier_structure", "benefit": "benefit"}
CAMPAIGNS = {"discount_coupons": "DISCOUNT_COUPONS", "gift_vouchers": "GIFT_VOUCHERS"}
FREE = ("rules", "metadata", "error")
"""Members that are not looked into."""


def references(body: Any, path: str = "", holder: str = "") -> Iterator[Reference]:
    """What a body names by id, with the path of each."""
    if isinstance(body, list):
        for index, each in enumerate(body):
            yield from references(each, f"{path}[{index}]", holder)
        return
    if not isinstance(body, Mapping):
        return
    for name, value in body.items():
        here = f"{path}.{name}" if path else name
        if name in BY_NAME:
            yield Reference(here, BY_NAME[name], value, CAMPAIGNS.get(holder))
        elif name == "id" and holder in BY_HOLDER:
            yield Reference(here, BY_HOLDER[holder], value, body.get("product_id"))
        elif name in LISTS:
            of = body.get("tier_structure_id")
            yield from (Reference(f"{here}[{i}]", LISTS[name], one, of) for i, one in enumerate(value or ()))
        elif name not in FREE:
            yield from references(value, here, name)


async def check_references(
    conn: db.Db, project_id: str, body: Any, needs_active: bool
) -> dict[str, store.PartRow]:
    """All that a body names must be there; the parts among it are kept from being deleted meanwhile.

    Raises `ApiError` 404 for what is not there, 400 for what is of another kind, 423 ``resource_locked`` for a card
    definition that is no longer, or not yet, active where `needs_active` asks for that. Answers the parts.
    """
    named: dict[str, list[Reference]] = {}
    for reference in references(body):
        named.setdefault(reference.what, []).append(reference)
    parts = [each for what in PARTS for each in named.get(what, ())]
    found = await store.lock_shared(conn, project_id, sorted({each.id for each in parts})) if parts else {}
    for each in parts:
        row = found.get(each.id)
        if row is None or row.kind != PARTS[each.what]:
            raise not_found(each.what, each.id)
        if needs_active and row.kind == "card_definition" and row.status != "ACTIVE":
            raise locked("card_definition", row.id, f"{each.path}: the card definition is not active")
    for what in named.keys() - PARTS.keys():
        there = await store.others(conn, project_id, what, sorted({each.id for each in named[what]}))
        for each in named[what]:
            if each.id not in there:
                raise not_found(what, each.id)
            if each.of is not None and there[each.id] != each.of:
                raise invalid_payload(Fault(each.path, f"names a {what} of another kind: {there[each.id]}"))
    return found


def locked(
    resource_type: str,
    resource_id: str,
    details: str,
    key: str = "resource_locked",
    *,
    status: int = 423,
    **extra: Any,
) -> ApiError:
    """423, or what the reference answers in this place: the state of something else forbids it."""
    return ApiError(
        status, key, "Resource is locked", details, resource_id=resource_id, resource_type=resource_type,
        extra=extra or None,
    )  # fmt: skip
