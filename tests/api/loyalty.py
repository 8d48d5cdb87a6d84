"""Loyalty definitions as tests make them."""

from typing import Any

from .checkout import post
from .conftest import Client

V2 = "/v2/loyalties"
CARDS, RULES, REWARDS = f"{V2}/card-definitions", f"{V2}/earning-rules", f"{V2}/rewards"
BENEFITS, STRUCTURES, PROGRAMS = f"{V2}/benefits", f"{V2}/tier-structures", f"{V2}/programs"


async def ok(client: Client, method: str, path: str, body: Any = None) -> Any:
    """What the call answers; it must succeed."""
    answer = await client.request(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: Client, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Status, key and the path of the first fault of a call that must not succeed."""
    answer = await client.request(method, path, **({} if body is None else {"json": body}))
    told = answer.json()
    assert answer.status_code >= 400, told
    return answer.status_code, told["key"], told.get("errors", [{"path": ""}])[0]["path"]


def card(**more: Any) -> dict[str, Any]:
    """An active card definition."""
    return {"name": "Points", "type": "INDIVIDUAL", "status": "ACTIVE", **more}


def per_order(card_id: str, **more: Any) -> dict[str, Any]:
    """An active earning rule: a point for every 100 of a paid order."""
    points = {
        "calculation_type": "POST_DISCOUNT_ORDER_AMOUNT",
        "card_definition_id": card_id,
        "order": {"total_amount": {"every": 100, "value": 1}},
    }
    effect = {"type": "POINTS_PROPORTIONAL", "points_proportional": points}
    return {
        "name": "A point for every 1.00",
        "trigger": {"event": "customer.order.paid"},
        "earnings": [{"effects": [effect]}],
        "status": "ACTIVE",
        **more,
    }


def mug(card_id: str, product_id: str, **more: Any) -> dict[str, Any]:
    """An active reward: goods for 200 points."""
    return {
        "name": "Mug",
        "type": "MATERIAL",
        "material": {"type": "PRODUCT", "product": {"id": product_id}},
        "costs": [{"spending": [{"points": 200, "card_definition_id": card_id}]}],
        "status": "ACTIVE",
        **more,
    }


def by_balance(card_id: str, **more: Any) -> dict[str, Any]:
    """A tier structure that goes by the balance."""
    return {
        "name": "Levels",
        "type": "POINT_BALANCE",
        "point_balance": {"card_definition_id": card_id},
        **more,
    }


def tier(name: str, least: int, **more: Any) -> dict[str, Any]:
    """A tier from so many points on."""
    return {"name": name, "qualification_rules": {"type": "POINTS", "points": {"min_value": least}}, **more}


async def program(client: Client, **more: Any) -> dict[str, Any]:
    """An active program with a card and a rule: its answer."""
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    body = {
        "name": "Club",
        "status": "ACTIVE",
        "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rule_id}],
    }
    return await ok(client, "POST", PROGRAMS, body | more)


# For test_tenants.py -------------------------------------------------------------------------------------------

FIXED: dict[str, Any] = {"event": "order.paid", "loyalty": {"type": "FIXED", "points": 5}}
WAITING = """
    insert into loyalty_pending (project_id, id, card_id, program_id, definition_id, member_id, points, type, activates_at)
    select project_id, $2, id, program_id, definition_id, member_id, 5, 'PERIOD_BASED', now() + interval '1 day'
    from loyalty_cards where project_id = $1 and id = $3
"""
PARAMETERS: dict[str, list[str]] = {
    "program_id": ["loyalty_program"],
    "card_definition_id": ["card_definition"],
    "earning_rule_id": ["earning_rule"],
    "reward_id": ["loyalty_reward", "older_reward"],
    "assignment_id": ["assignment", "reward_assignment"],
    "benefit_id": ["benefit"],
    "tier_structure_id": ["tier_structure"],
    "tier_id": ["loyalty_tier", "older_tier"],
    "rule_id": ["older_rule"],
    "pending_points_id": ["pending_points"],
    "reward_transaction_id": ["reward_purchase"],
    "member_id": ["loyalty_member"],
    "card_id": ["shown_card"],
    "bucket_id": ["pending_bucket"],
}
RANGE = "?start_date=2026-11-01&end_date=2026-11-02&resolution=day"
QUERIES = {
    "get_member_card_daily_report": RANGE,
    "get_member_earning_rule_daily_report": RANGE,
    "get_program_earning_rules_daily_report": RANGE,
    "get_program_points_earnings_daily_report": RANGE,
    "get_program_spending_daily_report": RANGE,
    "get_program_tiers_daily_report": RANGE,
}
PAYLOADS: dict[str, Any] = {
    "purchase_member_reward": {"reward_id": "lrew_nowhere"},
    "refund_reward_purchase": {"policies": {"refund": "ALLOW"}},
    "create_member_order_payment": {"card_id": "lcrd_nowhere", "order": {"id": "ord_nowhere"}},
    "adjust_card_points": {"points": 5},
    "examine_earning_rules": {
        "trigger": {"type": "ALL"},
        "customer_identification": {"type": "customer_id", "customer_id": "cust_nowhere"},
    },
    "examine_reward_purchases": {
        "customer_identification": {"type": "customer_id", "customer_id": "cust_nowhere"}
    },
    "create_card_definition": {"name": "New", "type": "INDIVIDUAL"},
    "update_card_definition": {"name": "Changed"},
    "create_earning_rule": per_order("lcdef_nowhere"),
    "update_earning_rule": {"name": "Changed"},
    "create_reward": mug("lcdef_nowhere", "prod_nowhere"),
    "update_reward": {"name": "Changed"},
    "create_benefit": {
        "name": "New",
        "type": "POINTS",
        "points": {"value": 1, "card_definition_id": "lcdef_nowhere"},
    },
    "update_benefit": {"name": "Changed"},
    "create_tier_structure": by_balance("lcdef_nowhere"),
    "update_tier_structure": {"name": "Changed"},
    "create_tier": tier("New", 5),
    "update_tier": {"name": "Changed"},
    "create_program": {"name": "New"},
    "update_program": {"name": "Changed"},
    "batch_program_card_definitions": {"assign": [{"id": "lcdef_nowhere"}]},
    "batch_program_earning_rules": {"assign": [{"id": "lern_nowhere"}]},
    "batch_program_tier_structures": {"assign": [{"id": "lts_nowhere"}]},
    "batch_program_rewards": {"assign": [{"id": "lrew_nowhere", "stock": {"type": "UNLIMITED"}}]},
    "create_program_member": {
        "customer_identification": {"type": "customer_id", "customer_id": "cust_nowhere"}
    },
    "create_program_members": [],
    "update_program_member": {"metadata": None},
    "update_program_reward": {"stock": {"type": "UNLIMITED"}},
    "create_loyalty_program": {"name": "New club"},
    "update_loyalty_program": {"description": "changed"},
    "add_member": {"customer": {"source_id": "x"}},
    "create_earning_rule_v1": [FIXED],
    "update_earning_rule_v1": {"metadata": {"a": 1}},
    "create_loyalty_tiers": [{"name": "New", "points": {"from": 5}}],
    "update_member_balance": {"points": 5},
    "update_member_balance_1": {"points": 5},
    "transfer_points": [{"code": "NOWHERE", "points": 5, "source_id": "x"}],
    "adjust_member_pending_points": {"points": 5},
    "create_reward_v1": {"parameters": {"coin": {"exchange_ratio": 1}}},
    "update_reward_v1": {"name": "Changed"},
    "create_reward_assignment": {"campaign": "camp_nowhere", "parameters": {"loyalty": {"points": 5}}},
    "update_reward_assignment": {"parameters": {"loyalty": {"points": 5}}},
    "create_reward_assignment_1": [{"reward": "rew_nowhere", "parameters": {"loyalty": {"points": 5}}}],
    "update_reward_assignment_1": {"parameters": {"loyalty": {"points": 5}}},
    "redeem_reward": {"reward": {"id": "rew_nowhere", "points": 5}, "order": {"amount": 5}},
    "redeem_reward_1": {"reward": {"id": "rew_nowhere", "points": 5}, "order": {"amount": 5}},
    "estimate_points": {"customer": {"source_id": "x"}, "order": {"amount": 5000}},
}
NAMED: list[tuple[str, str, str]] = [
    ("POST /v2/loyalties/earning-rules", "card_definition", '{"name":"x","trigger":{"event":"customer.order.paid"},"earnings":[{"effects":[{"type":"POINTS","points":{"value":1,"card_definition_id":"%s"}}]}]}'),
    ("POST /v2/loyalties/earning-rules", "benefit", '{"name":"x","trigger":{"event":"customer.order.paid"},"earnings":[{"effects":[{"type":"BENEFIT","benefit":{"id":"%s"}}]}]}'),
    ("POST /v2/loyalties/earning-rules", "segment", '{"name":"x","trigger":{"event":"customer.segment.entered","segment":{"id":"%s"}},"earnings":[{"effects":[{"type":"BENEFIT","benefit":{"id":"lben_nowhere"}}]}]}'),
    ("POST /v2/loyalties/benefits", "product", '{"name":"x","type":"MATERIAL","material":{"type":"PRODUCT","product":{"id":"%s"}}}'),
    ("POST /v2/loyalties/benefits", "campaign", '{"name":"x","type":"DIGITAL","digital":{"type":"DISCOUNT_COUPONS","discount_coupons":{"campaign_id":"%s"}}}'),
    ("POST /v2/loyalties/benefits", "sku", '{"name":"x","type":"MATERIAL","material":{"type":"SKU","sku":{"product_id":"prod_nowhere","id":"%s"}}}'),
    ("POST /v2/loyalties/tier-structures", "card_definition", '{"name":"x","type":"POINT_BALANCE","point_balance":{"card_definition_id":"%s"}}'),
    ("POST /v2/loyalties/examine/earning-rules", "customer", '{"trigger":{"type":"ALL"},"customer_identification":{"type":"customer_id","customer_id":"%s"}}'),
    ("POST /v2/loyalties/examine/earning-rules", "loyalty_member", '{"trigger":{"type":"ALL"},"customer_identification":{"type":"member_id","member_id":"%s"}}'),
    ("POST /v2/loyalties/examine/rewards", "customer", '{"customer_identification":{"type":"customer_id","customer_id":"%s"}}'),
    ("POST /v2/loyalties/examine/rewards", "loyalty_member", '{"customer_identification":{"type":"member_id","member_id":"%s"}}'),
    ("POST /v1/rewards", "product", '{"parameters":{"product":{"id":"%s"}}}'),
    ("POST /v1/rewards", "sku", '{"parameters":{"product":{"id":"prod_nowhere","sku_id":"%s"}}}'),
    ("POST /v1/rewards", "campaign", '{"parameters":{"campaign":{"id":"%s"}}}'),
    ("POST /v2/loyalties/programs", "card_definition", '{"name":"x","card_definitions":[{"id":"%s"}]}'),
    ("POST /v2/loyalties/programs", "earning_rule", '{"name":"x","earning_rules":[{"id":"%s"}]}'),
    ("POST /v2/loyalties/programs", "tier_structure", '{"name":"x","tier_structures":[{"id":"%s"}]}'),
    ("POST /v2/loyalties/programs", "loyalty_reward", '{"name":"x","rewards":[{"id":"%s","stock":{"type":"UNLIMITED"}}]}'),
]  # fmt: skip


async def furnish(client: Client, ids: dict[str, str]) -> None:
    """A program with one part of each kind, a tier, and a member."""
    ids["card_definition"] = card_id = (await post(client, CARDS, card()))["id"]
    ids["earning_rule"] = (await post(client, RULES, per_order(card_id)))["id"]
    ids["loyalty_reward"] = (await post(client, REWARDS, mug(card_id, ids["product"])))["id"]
    benefit = {"name": "Theirs", "type": "POINTS", "points": {"value": 1, "card_definition_id": card_id}}
    ids["benefit"] = (await post(client, BENEFITS, benefit))["id"]
    levels = by_balance(card_id, status="ACTIVE")
    ids["tier_structure"] = structure = (await post(client, STRUCTURES, levels))["id"]
    ids["loyalty_tier"] = (await post(client, f"{STRUCTURES}/{structure}/tiers", tier("Gold", 5)))["id"]
    parts = {
        f"{name}s": [{"id": ids[name]}] for name in ("card_definition", "earning_rule", "tier_structure")
    }
    body = {"name": "Theirs", "rewards": [{"id": ids["loyalty_reward"], "stock": {"type": "UNLIMITED"}}]}
    active = {"status": "ACTIVE"}
    ids["loyalty_program"] = club = (await post(client, PROGRAMS, body | parts | active))["id"]
    who = {"customer_identification": {"type": "customer_id", "customer_id": ids["customer"]}}
    member = await post(client, f"{PROGRAMS}/{club}/members", who)
    ids |= {"loyalty_member": member["id"], "shown_card": member["cards"][0]["card"]["id"]}
    code = member["cards"][0]["card"]["code"]
    await post(client, f"/v1/loyalties/members/{code}/balance", {"points": 500})
    there = f"{PROGRAMS}/{club}/members/{member['id']}"
    made = await post(client, f"{there}/rewards/purchases", {"reward_id": ids["loyalty_reward"]}, status=202)
    ids["reward_purchase"] = made["transaction"]["id"]
    path = "/v1/loyalties/Their club"
    ids["older_rule"] = (await post(client, f"{path}/earning-rules", [FIXED]))[0]["id"]
    ids["older_tier"] = (await post(client, f"{path}/tiers", [{"name": "G", "points": {"from": 5}}]))[0]["id"]
    await post(
        client, f"{path}/members", {"customer": {"source_id": "their-customer"}, "voucher": "THEIR-MEMBER"}
    )
    paid = {"parameters": {"coin": {"exchange_ratio": 1}}}
    ids["older_reward"] = (await post(client, "/v1/rewards", paid))["id"]
    given = await post(client, f"{path}/rewards", [{"reward": ids["older_reward"]}])
    ids["reward_assignment"] = given["id"]
    ids["pending_points"] = "lopp_0Vbi1DMKj6FEvCK9dw5voG"
    pool = client.app.state.pool
    await pool.execute(WAITING, client.project_id, ids["pending_points"], ids["loyalty_card"])
    ids["pending_bucket"] = "lcppb_0Vbi1DMKj6FEvCK9dw5voH"
    card_id = ids["shown_card"].replace("lcrd_", "v_")
    await pool.execute(WAITING, client.project_id, "lopp_0Vbi1DMKj6FEvCK9dw5voH", card_id)
