"""Earning rules, rewards, benefits, tier structures and their tiers: what each asks for and refuses."""

from typing import Any

import pytest
import pytest_asyncio

from .conftest import Client
from .loyalty import (
    BENEFITS,
    CARDS,
    REWARDS,
    RULES,
    STRUCTURES,
    by_balance,
    card,
    mug,
    ok,
    per_order,
    refused,
    tier,
)


@pytest_asyncio.fixture
async def card_id(client: Client) -> str:
    return (await ok(client, "POST", CARDS, card()))["id"]


@pytest_asyncio.fixture
async def product_id(client: Client) -> str:
    return (await ok(client, "POST", "/v1/products", {"name": "Mug"}))["id"]


# Earning rules -------------------------------------------------------------------------------------------------


async def test_an_earning_rule_has_its_defaults(client: Client, card_id: str) -> None:
    sent = per_order(card_id)
    del sent["status"]
    made = await ok(client, "POST", RULES, sent)
    assert await ok(client, "GET", f"{RULES}/{made['id']}") == made
    assert made["id"].startswith("lern_")
    assert made["earnings"][0].pop("id").startswith("lernei_")
    assert made["earnings"] == sent["earnings"]
    assert {
        name: made[name] for name in ("status", "validity_hours", "trigger_limits", "error", "start_date")
    } == {
        "status": "DRAFT",
        "validity_hours": {"type": "ANY_TIME"},
        "trigger_limits": {
            "cooldown": {"type": "NO_COOLDOWN"},
            "frequency": {"type": "NO_LIMIT", "limits": []},
        },
        "error": None,
        "start_date": None,
    }


async def test_earnings_keep_their_ids(client: Client, card_id: str) -> None:
    sent = per_order(card_id)
    one = f"{RULES}/" + (await ok(client, "POST", RULES, sent))["id"]
    first = (await ok(client, "GET", one))["earnings"][0]
    second = {
        "name": "Welcome",
        "effects": [{"type": "POINTS", "points": {"value": 5, "card_definition_id": card_id}}],
    }
    changed = await ok(client, "PUT", one, {"earnings": [first, second]})
    assert [each["id"] for each in changed["earnings"]] == [first["id"], changed["earnings"][1]["id"]]
    only = await ok(client, "PUT", one, {"earnings": [changed["earnings"][1]]})
    assert [each["name"] for each in only["earnings"]] == ["Welcome"]
    gone = await refused(client, "PUT", one, {"earnings": [first]})
    assert gone == (400, "invalid_payload", "earnings[0].id")


FULL: dict[str, Any] = {
    "status": "ACTIVE",
    "error": {"message": "Not this time"},
    "validity_hours": {
        "type": "DAILY",
        "daily": [{"days_of_week": [0, 6], "start_time": "09:00", "end_time": "18:00"}],
    },
    "start_date": "2026-01-01T00:00:00Z",
    "end_date": "2027-01-01T00:00:00+01:00",
    "trigger_limits": {
        "cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"value": 2, "unit": "HOUR"}}},
        "frequency": {
            "type": "LIMITED",
            "limits": [
                {
                    "type": "TIME_BASED",
                    "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "MONTH"}},
                    "triggers": {"max": 3},
                }
            ],
        },
    },
    "caps": [{"max": 1000, "period": "YEAR", "per": "RULE"}],
    "metadata": {"a": 1},
}


async def test_an_earning_rule_keeps_what_it_is_told(client: Client, card_id: str) -> None:
    made = await ok(client, "POST", RULES, per_order(card_id) | FULL)
    for name in ("validity_hours", "trigger_limits", "error", "caps", "metadata", "status"):
        assert made[name] == FULL[name]
    assert made["end_date"] == "2026-12-31T23:00:00.000Z"


async def test_points_for_items_with_an_end_of_their_own(
    client: Client, card_id: str, product_id: str
) -> None:
    sku = await ok(client, "POST", f"/v1/products/{product_id}/skus", {"sku": "L"})
    applicable = [
        {"type": "product", "product": {"id": product_id}},
        {"type": "sku", "sku": {"id": sku["id"]}},
    ]
    items = {"amount": {"every": 100, "value": 2.5, "applicable_to": applicable}}
    sliding = {"period": {"unit": "MONTH", "value": 6}, "earning_activity": True}
    points = {
        "calculation_type": "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT",
        "card_definition_id": card_id,
        "order_items": items,
        "points_expiration": {"type": "SLIDING_EXPIRATION", "sliding_expiration": sliding},
    }
    effect = {"type": "POINTS_PROPORTIONAL", "points_proportional": points}
    made = await ok(client, "POST", RULES, per_order(card_id) | {"earnings": [{"effects": [effect]}]})
    kept = made["earnings"][0]["effects"][0]["points_proportional"]
    assert kept["order_items"] == items
    assert kept["points_expiration"]["sliding_expiration"] == sliding | {
        "spending_activity": False,
        "custom_activity": False,
        "custom_activity_types": [],
    }


async def test_an_earning_for_some(client: Client, card_id: str, product_id: str) -> None:
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id))
    gold = await ok(client, "POST", f"{STRUCTURES}/{structure['id']}/tiers", tier("Gold", 100))
    mugs = {"type": "MATERIAL", "material": {"type": "PRODUCT", "product": {"id": product_id}}}
    benefit = await ok(client, "POST", BENEFITS, {"name": "Mug"} | mugs)
    earning = {
        "name": "Gold members",
        "rules": {"1": {"name": "order.amount", "conditions": {"$more_than": [5000]}}, "logic": "1"},
        "tier_rules": {
            "type": "ANY_OF",
            "any_of": [{"tier_structure_id": structure["id"], "tier_ids": [gold["id"]]}],
        },
        "effects": [{"type": "BENEFIT", "benefit": {"id": benefit["id"]}}],
    }
    made = await ok(client, "POST", RULES, per_order(card_id) | {"earnings": [earning]})
    assert made["earnings"] == [{"id": made["earnings"][0]["id"]} | earning]
    assert (await refused(client, "DELETE", f"{BENEFITS}/{benefit['id']}"))[:2] == (400, "resource_in_use")
    where = f"{STRUCTURES}/{structure['id']}/tiers/{gold['id']}"
    assert (await refused(client, "DELETE", where))[:2] == (400, "resource_in_use")


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"trigger": {"event": "customer.custom_event"}}, "trigger.custom_event"),
        ({"trigger": {"event": "customer.order.paid", "segment": {"id": "seg_1"}}}, "trigger.segment"),
        ({"trigger": {"event": "customer.born"}}, "trigger.event"),
        ({"earnings": []}, "earnings"),
        ({"earnings": [{"effects": [{"type": "POINTS"}]}]}, "earnings[0].effects[0].points"),
        ({"earnings": [{"effects": [{"type": "BENEFIT", "benefit": {"id": "lben_1"}, "points": {"value": 1, "card_definition_id": "x"}}]}]}, "earnings[0].effects[0].points"),
        ({"validity_hours": {"type": "DAILY"}}, "validity_hours.daily"),
        ({"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "end_date"),
        ({"trigger_limits": {"cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "HOUR", "value": 25}}}}}, "trigger_limits.cooldown.fixed_cooldown.period.value"),
        ({"trigger_limits": {"frequency": {"type": "LIMITED"}}}, "trigger_limits.frequency.limits"),
        ({"caps": [{"max": 0}]}, "caps[0].max"),
        ({"error": {"message": ""}}, "error.message"),
    ],
)  # fmt: skip
async def test_an_earning_rule_that_makes_no_sense(
    client: Client, card_id: str, told: dict[str, Any], path: str
) -> None:
    status, _, at = await refused(client, "POST", RULES, per_order(card_id) | told)
    assert (status, at) == (400, path)


async def test_a_rule_that_asks_for_what_its_trigger_does_not_know(client: Client, card_id: str) -> None:
    body = per_order(card_id)
    body["earnings"][0]["rules"] = {
        "1": {"name": "customer.metadata", "property": "vip", "conditions": {"$is": [True]}, "rules": {
            "1": {"name": "custom_event.metadata", "property": "a", "conditions": {"$is": [1]}}, "logic": "1",
        }},
        "logic": "1",
    }  # fmt: skip
    assert (await refused(client, "POST", RULES, body))[::2] == (400, "earnings[0].rules.1.rules.1.name")
    body["earnings"][0]["rules"]["1"].pop("rules")
    assert (await ok(client, "POST", RULES, body))["earnings"][0]["rules"] == body["earnings"][0]["rules"]


async def test_a_rule_that_counts_by_what_its_trigger_does_not_know(client: Client, card_id: str) -> None:
    segment = await ok(client, "POST", "/v1/segments", {"name": "Friends", "customers": []})
    entered = {"trigger": {"event": "customer.segment.entered", "segment": {"id": segment["id"]}}}
    found = await refused(client, "POST", RULES, per_order(card_id) | entered)
    assert found == (400, "invalid_payload", "earnings[0].effects[0].points_proportional.calculation_type")


async def test_what_a_rule_names_must_exist(client: Client, card_id: str) -> None:
    nowhere = {"trigger": {"event": "customer.segment.entered", "segment": {"id": "seg_nowhere"}}}
    fixed = [{"effects": [{"type": "POINTS", "points": {"value": 5, "card_definition_id": card_id}}]}]
    assert (await refused(client, "POST", RULES, per_order(card_id) | nowhere | {"earnings": fixed}))[
        0
    ] == 404
    assert (await refused(client, "POST", RULES, per_order("lcdef_nowhere")))[:2] == (404, "not_found")


async def test_what_sets_a_rule_off_is_fixed_once_it_runs(client: Client, card_id: str) -> None:
    segment = await ok(client, "POST", "/v1/segments", {"name": "Friends", "customers": []})
    entered = {"event": "customer.segment.entered", "segment": {"id": segment["id"]}}
    fixed = [{"effects": [{"type": "POINTS", "points": {"value": 5, "card_definition_id": card_id}}]}]
    one = f"{RULES}/" + (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    told = {"trigger": entered, "earnings": fixed}
    assert await refused(client, "PUT", one, told) == (400, "invalid_payload", "trigger")
    assert (await ok(client, "PUT", one, {"trigger": {"event": "customer.order.paid"}, "earnings": fixed}))[
        "earnings"
    ]
    await ok(client, "POST", f"{one}/draft")
    assert (await ok(client, "PUT", one, told))["trigger"] == entered


# Rewards -------------------------------------------------------------------------------------------------------


async def test_a_reward(client: Client, card_id: str, product_id: str) -> None:
    made = await ok(client, "POST", REWARDS, mug(card_id, product_id))
    assert made["id"].startswith("lrew_")
    assert made["costs"][0].pop("id").startswith("lrcst_")
    assert made["costs"][0]["spending"][0].pop("id").startswith("lrspn_")
    assert made["costs"] == [{"spending": [{"points": 200, "card_definition_id": card_id}]}]
    assert made["material"] == {"type": "PRODUCT", "product": {"id": product_id}}
    assert "digital" not in made
    assert made["refunds"] == {"type": "NONE"}
    assert made["purchase_limits"]["frequency"] == {"type": "NO_LIMIT", "limits": []}


async def test_a_digital_reward_names_a_campaign_of_its_kind(client: Client, card_id: str) -> None:
    coupons = {
        "name": "Codes",
        "type": "AUTO_UPDATE",
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}},
    }
    campaign = await ok(client, "POST", "/v1/campaigns", coupons)
    body = {
        "name": "Ten percent",
        "type": "DIGITAL",
        "digital": {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": campaign["id"]}},
        "costs": [{"spending": [{"points": 50, "card_definition_id": card_id}]}],
    }
    assert (await ok(client, "POST", REWARDS, body))["digital"] == body["digital"]
    gift = {"type": "GIFT_VOUCHERS", "gift_vouchers": {"campaign_id": campaign["id"], "balance": 500}}
    wrong = await refused(client, "POST", REWARDS, body | {"digital": gift})
    assert wrong == (400, "invalid_payload", "digital.gift_vouchers.campaign_id")
    points = {
        "type": "LOYALTY_CARD_POINTS",
        "loyalty_card_points": {"points": 10, "card_definition_id": card_id},
    }
    assert (await ok(client, "POST", REWARDS, body | {"digital": points}))["digital"] == points


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"type": "DIGITAL"}, "digital"),
        ({"digital": {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": "camp_1"}}}, "digital"),
        ({"material": {"type": "SKU"}}, "material.sku"),
        ({"costs": []}, "costs"),
        ({"costs": [{"spending": [{"points": 0, "card_definition_id": "x"}]}]}, "costs[0].spending[0].points"),
        ({"costs": [{"rules": {"logic": "1"}, "spending": [{"points": 1, "card_definition_id": "x"}]}]}, "costs[0].rules"),
        ({"costs": [{"rules": {"1": {"name": "no.such", "conditions": {}}, "logic": "1"}, "spending": [{"points": 1, "card_definition_id": "x"}]}]}, "costs[0].rules.1.name"),
        ({"costs": [{"rules": {"1": {"name": "order.amount", "conditions": {"$is": [1]}}, "logic": "1"}, "spending": [{"points": 1, "card_definition_id": "x"}]}]}, "costs[0].rules.1.name"),
        ({"purchase_limits": {"cooldown": {"type": "FIXED_COOLDOWN"}}}, "purchase_limits.cooldown.fixed_cooldown"),
    ],
)  # fmt: skip
async def test_a_reward_that_makes_no_sense(
    client: Client, card_id: str, product_id: str, told: dict[str, Any], path: str
) -> None:
    status, _, at = await refused(client, "POST", REWARDS, mug(card_id, product_id) | told)
    assert (status, at) == (400, path)


async def test_what_may_change_of_a_reward(client: Client, card_id: str, product_id: str) -> None:
    one = f"{REWARDS}/" + (await ok(client, "POST", REWARDS, mug(card_id, product_id)))["id"]
    costs = (await ok(client, "GET", one))["costs"]
    costs[0]["spending"][0]["points"] = 300
    changed = await ok(client, "PUT", one, {"costs": costs, "refunds": {"type": "REFUNDABLE"}, "name": "Cup"})
    assert changed["costs"] == costs
    points = {
        "type": "LOYALTY_CARD_POINTS",
        "loyalty_card_points": {"points": 10, "card_definition_id": card_id},
    }
    other = {"type": "DIGITAL", "digital": points}
    assert (await refused(client, "PUT", one, other))[:2] == (400, "invalid_payload")
    await ok(client, "POST", f"{one}/draft")
    changed = await ok(client, "PUT", one, other)
    assert (changed["type"], changed["digital"], "material" in changed) == ("DIGITAL", points, False)


# Benefits ------------------------------------------------------------------------------------------------------


async def test_benefits(client: Client, card_id: str) -> None:
    body = {"name": "Hello", "type": "POINTS", "points": {"value": 10, "card_definition_id": card_id}}
    made = await ok(client, "POST", BENEFITS, body)
    assert (made["status"], made["stock"], made["points"]) == ("DRAFT", {"type": "UNLIMITED"}, body["points"])
    assert (await refused(client, "POST", BENEFITS, body))[:2] == (409, "duplicate_found")
    one = f"{BENEFITS}/{made['id']}"
    await ok(client, "POST", f"{CARDS}/{card_id}/draft")
    assert (await refused(client, "POST", f"{one}/activate"))[:2] == (423, "resource_locked")
    await ok(client, "POST", f"{CARDS}/{card_id}/activate")
    assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"
    assert await refused(client, "POST", f"{one}/activate") == (400, "invalid_state_transition", "")
    assert (await refused(client, "POST", f"{one}/deactivate"))[0] == 404
    stock = {"type": "LIMITED", "limited": {"quantity": 5}}
    assert (await ok(client, "PUT", one, {"stock": stock, "name": "Hi"}))["stock"] == stock
    more = {"points": {"value": 11, "card_definition_id": card_id}}
    assert await refused(client, "PUT", one, more) == (400, "invalid_payload", "points")
    await ok(client, "POST", f"{one}/draft")
    assert (await ok(client, "PUT", one, more))["points"] == more["points"]


async def test_a_benefit_that_an_active_rule_gives_stays_active(client: Client, card_id: str) -> None:
    body = {
        "name": "Hello",
        "type": "POINTS",
        "points": {"value": 10, "card_definition_id": card_id},
        "status": "ACTIVE",
    }
    benefit = await ok(client, "POST", BENEFITS, body)
    rule = per_order(card_id) | {
        "earnings": [{"effects": [{"type": "BENEFIT", "benefit": {"id": benefit["id"]}}]}]
    }
    await ok(client, "POST", RULES, rule)
    found = await refused(client, "POST", f"{BENEFITS}/{benefit['id']}/draft")
    assert found[:2] == (423, "connected_active_earning_rule")


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"type": "POINTS"}, "points"),
        ({"stock": {"type": "LIMITED"}}, "stock.limited"),
        ({"stock": {"type": "UNLIMITED", "limited": {"quantity": 1}}}, "stock.limited"),
        ({"material": {"type": "PRODUCT", "product": {"id": "prod_1"}, "sku": {"product_id": "a", "id": "b"}}}, "material.sku"),
        (
            {"type": "POINTS_PROPORTIONAL", "material": None, "points_proportional": {"calculation_type": "ORDER_ITEMS_QUANTITY", "card_definition_id": "x", "order": {"amount": {"every": 1, "value": 1}}}},
            "points_proportional.order_items",
        ),
    ],
)  # fmt: skip
async def test_a_benefit_that_makes_no_sense(
    client: Client, product_id: str, told: dict[str, Any], path: str
) -> None:
    body = {"name": "Mug", "type": "MATERIAL", "material": {"type": "PRODUCT", "product": {"id": product_id}}}
    status, _, at = await refused(client, "POST", BENEFITS, body | told)
    assert (status, at) == (400, path)


# Tiers ---------------------------------------------------------------------------------------------------------


async def test_tiers_of_a_structure(client: Client, card_id: str) -> None:
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id))
    assert structure["expiration"] == {"type": "NO_RETENTION"}
    assert structure["downgrade"] == {"type": "NO_DOWNGRADE"}
    assert "point_earned" not in structure
    where = f"{STRUCTURES}/{structure['id']}/tiers"
    silver = await ok(client, "POST", where, tier("Silver", 100))
    assert silver == {
        "id": silver["id"],
        "tier_structure_id": structure["id"],
        "name": "Silver",
        "qualification_rules": {"type": "POINTS", "points": {"min_value": 100}},
        "downgrade": {"type": "INHERIT"},
        "metadata": {},
        "created_at": silver["created_at"],
        "updated_at": None,
        "object": "tier",
    }
    gold = await ok(client, "POST", where, tier("Gold", 500, downgrade={"type": "NO_DOWNGRADE"}))
    assert [each["id"] for each in (await ok(client, "GET", where))["data"]] == [gold["id"], silver["id"]]
    up = {"type": "POINTS", "points": {"min_value": 200, "max_value": 499}}
    changed = await ok(
        client, "PUT", f"{where}/{silver['id']}", {"qualification_rules": up, "metadata": {"a": 1}}
    )
    assert (changed["qualification_rules"], changed["metadata"]) == (up, {"a": 1})
    assert (await ok(client, "DELETE", f"{where}/{gold['id']}"))["name"] == "Gold"
    assert (await refused(client, "PUT", f"{where}/{gold['id']}", {}))[0] == 404
    told = (await ok(client, "GET", f"{STRUCTURES}/{structure['id']}/activities"))["data"]
    assert [each["type"] for each in told][:2] == [
        "vl.tier_structure.tier.deleted",
        "vl.tier_structure.tier.updated",
    ]
    assert told[0]["data"]["tier"]["name"] == "Gold"
    await ok(client, "POST", f"{STRUCTURES}/{structure['id']}/activate")
    assert (await ok(client, "PUT", f"{where}/{silver['id']}", {"name": "Bronze"}))["name"] == "Bronze"
    bound = await refused(client, "PUT", f"{where}/{silver['id']}", {"downgrade": {"type": "NO_DOWNGRADE"}})
    assert bound == (400, "invalid_payload", "downgrade")


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"type": "POINT_EARNED", "point_balance": None}, "point_earned"),
        ({"downgrade": {"type": "NO_DOWNGRADE", "grace_period": {"value": 1, "unit": "DAY"}}}, "downgrade.grace_period"),
        ({"expiration": {"type": "FIXED_DURATION"}}, "expiration.fixed_duration"),
        ({"expiration": {"type": "SLIDING_EXPIRATION", "sliding_expiration": {"period": {"unit": "DAY", "value": 3}}}}, "expiration.sliding_expiration"),
        ({"expiration": {"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"calendar_dates": [{"day": 30, "month": 2}]}}}, "expiration.calendar_expiration.calendar_dates[0].day"),
        (
            {"type": "POINT_EARNED", "point_balance": None, "point_earned": {"card_definition_id": "x", "period": {"unit": "WEEK", "value": 53}, "type": "IMMEDIATELY"}},
            "point_earned.period.value",
        ),
    ],
)  # fmt: skip
async def test_a_structure_that_makes_no_sense(
    client: Client, card_id: str, told: dict[str, Any], path: str
) -> None:
    status, _, at = await refused(client, "POST", STRUCTURES, by_balance(card_id) | told)
    assert (status, at) == (400, path)


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ({"type": "POINTS"}, "qualification_rules.points"),
        ({"type": "POINTS_AND_SEGMENT", "points": {"min_value": 1}}, "qualification_rules.segment"),
        (
            {"type": "POINTS", "points": {"min_value": 1}, "segment": {"id": "seg_1"}},
            "qualification_rules.segment",
        ),
        (
            {"type": "POINTS", "points": {"min_value": 5, "max_value": 4}},
            "qualification_rules.points.max_value",
        ),
        ({"type": "POINTS", "points": {"min_value": -1}}, "qualification_rules.points.min_value"),
    ],
)
async def test_a_tier_that_makes_no_sense(
    client: Client, card_id: str, rules: dict[str, Any], path: str
) -> None:
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id))
    body = {"name": "Gold", "qualification_rules": rules}
    status, _, at = await refused(client, "POST", f"{STRUCTURES}/{structure['id']}/tiers", body)
    assert (status, at) == (400, path)


# All of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [RULES, REWARDS, BENEFITS, STRUCTURES])
async def test_all_parts_live_the_same_life(
    client: Client, card_id: str, product_id: str, where: str
) -> None:
    points = {"type": "POINTS", "points": {"value": 10, "card_definition_id": card_id}}
    body = {
        RULES: per_order(card_id, status="DRAFT"),
        REWARDS: mug(card_id, product_id, status="DRAFT"),
        BENEFITS: {"name": "Hello"} | points,
        STRUCTURES: by_balance(card_id),
    }[where]
    made = await ok(client, "POST", where, body)
    one = f"{where}/{made['id']}"
    assert await ok(client, "GET", one) == made
    assert (await ok(client, "GET", where))["data"] == [made]
    assert (await refused(client, "POST", f"{one}/draft"))[1] == "invalid_state_transition"
    assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"
    if where != BENEFITS:
        assert (await ok(client, "POST", f"{one}/deactivate"))["status"] == "INACTIVE"
        assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"
    assert (await ok(client, "POST", f"{one}/draft"))["status"] == "DRAFT"
    assert (await ok(client, "PUT", one, {"name": "Other"}))["name"] == "Other"
    told = (await ok(client, "GET", f"{one}/activities?order=created_at"))["data"]
    kind = made["object"]
    switched = [] if where == BENEFITS else ["deactivated", "activated"]
    expected = ["created", "activated", *switched, "drafted", "updated"]
    assert [each["type"] for each in told] == [f"vl.{kind}.{what}" for what in expected]
    assert {each[f"{kind}_id"] for each in told} == {made["id"]}
    gone = await ok(client, "DELETE", one)
    # An earning rule is answered in the state it was in.
    assert gone["status"] == ("DRAFT" if where == RULES else "DELETED")
    assert (await refused(client, "GET", one))[:2] == (404, "not_found")
    assert (await refused(client, "GET", f"{one}/activities"))[0] == 404
    assert (await ok(client, "GET", where))["data"] == []


async def test_a_structure_keeps_its_model_once_it_is_no_draft(client: Client, card_id: str) -> None:
    one = f"{STRUCTURES}/" + (await ok(client, "POST", STRUCTURES, by_balance(card_id)))["id"]
    earned = {"card_definition_id": card_id, "period": {"unit": "MONTH", "value": 3}, "type": "IMMEDIATELY"}
    told = {"type": "POINT_EARNED", "point_earned": earned}
    assert (await ok(client, "PUT", one, told))["point_earned"] == earned
    assert "point_balance" not in await ok(client, "GET", one)
    await ok(client, "POST", f"{one}/activate")
    back = by_balance(card_id)
    assert (await refused(client, "PUT", one, back))[:2] == (400, "invalid_payload")
    assert (await ok(client, "PUT", one, {"name": "Ranks", "metadata": {"a": 1}}))["name"] == "Ranks"
