"""A running server with a little of everything on it, for input that nobody would send on purpose."""

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest_asyncio
from servers import HOST, serving

from guerdon.kit import db
from guerdon.projects.bootstrap import add_management_key, create_project

PROVE = os.environ.get("GUERDON_PROVE") == "1"
SETTINGS = {
    "GUERDON_REQUIRE_DURABILITY": "false",
    "GUERDON_CODE_GUESSES_PER_MINUTE": "1000000",
    "GUERDON_WORKER_IN_SERVE": "false",
    "GUERDON_DRAIN_SECONDS": "0",
}
VOUCHER = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}


class Served(msgspec.Struct):
    """Where it listens, the key's headers, and names of things that are there, by path parameter."""

    port: int
    headers: dict[str, str]
    known: dict[str, list[str]]
    pid: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@pytest_asyncio.fixture(scope="module")
async def served(database_url: str, pool: db.Pool) -> AsyncIterator[Served]:
    """The server, with a project of its own."""
    made = await create_project(pool, "fuzzed")
    managing = await add_management_key(pool, made.project_id)
    headers = {
        "X-App-Id": made.app_id,
        "X-App-Token": made.app_token,
        "X-Management-Id": managing.management_id,
        "X-Management-Token": managing.management_token,
    }
    with serving(database_url, **SETTINGS) as server:
        url = f"http://{HOST}:{server.port}"
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            known = _furnish(client) | _furnish_events(client, made.project_id)
        yield Served(server.port, headers, known, server.children("web")[0])


def _furnish(client: httpx.Client) -> dict[str, list[str]]:
    def post(path: str, body: Any) -> Any:
        answer = client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    campaign = post("/v1/campaigns", {"name": "fuzzed", "type": "STATIC", "voucher": VOUCHER})
    post("/v1/campaigns/fuzzed/vouchers/FUZZ-1", {})
    post("/v1/vouchers/FUZZ-2", VOUCHER)
    order = {"items": [{"source_id": "shirt", "quantity": 2, "price": 5_000}]}
    body = {"redeemables": [{"id": "FUZZ-1"}], "order": order, "customer": {"source_id": "alice"}}
    one = post("/v1/redemptions", body)
    stack = post("/v1/redemptions", body | {"redeemables": [{"id": "FUZZ-1"}, {"id": "FUZZ-2"}]})
    product = post("/v1/products", {"source_id": "shirt", "name": "Shirt", "price": 5_000})
    sku = post("/v1/products/shirt/skus", {"source_id": "shirt-xl", "sku": "XL"})
    action = client.post("/v1/campaigns/fuzzed/vouchers?vouchers_count=3", json={}).json()
    post(
        "/v1/campaigns",
        {"name": "club", "campaign_type": "LOYALTY_PROGRAM", "voucher": {"loyalty_card": {"points": 7}}},
    )
    post("/v1/campaigns/club/vouchers/FUZZ-CARD", {})
    loyal = _furnish_loyalty(post, product["id"])
    ruled = _furnish_rules(post, campaign["id"], body)
    ruled["assignment_id"] += loyal.pop("reward_assignment")
    return (
        ruled
        | loyal
        | _furnish_names(post)
        | {
            "campaign_id": [campaign["id"], "fuzzed"],
            "code": ["FUZZ-1", "FUZZ-2"],
            "redemption_id": [one["redemptions"][0]["id"], stack["redemptions"][0]["id"]],
            "parent_redemption_id": [stack["parent_redemption"]["id"]],
            "customer_id": ["alice", one["redemptions"][0]["customer_id"]],
            "product_id": [product["id"], "shirt"],
            "sku_id": [sku["id"], "shirt-xl"],
            "order_id": [one["order"]["id"]],
            "async_action_id": [action["async_action_id"]],
            "export_id": [post("/v1/exports", {"exported_object": "voucher"})["id"]],
            "member_id": [*loyal["member_id"], "FUZZ-CARD", "FUZZ-FRIEND"],
            "holder_id": [_furnish_referrals(post)],
        }
    )


def _furnish_names(post: Any) -> dict[str, list[str]]:
    category = post("/v1/categories", {"name": "fuzzed"})
    level = {"type": "number", "gte": 0, "lt": 5.5, "eq": [1, 2.5]}
    schema = post("/v1/metadata-schemas/reward", {"properties": {"level": level}})
    cheap = {"price": {"conditions": {"$less_than": [9_000]}}}
    collection = post("/v1/product-collections", {"name": "fuzzed", "type": "AUTO_UPDATE", "filter": cheap})
    return {
        "category_id": [category["id"]],
        "resource": ["reward", schema["id"]],
        "metadata_schema_id": [schema["id"]],
        "product_collection_id": [collection["id"]],
    }


def _furnish_referrals(post: Any) -> str:
    post("/v1/campaigns", {"name": "friends", "referral_program": {}, "voucher": VOUCHER})
    post("/v1/campaigns/friends/vouchers/FUZZ-FRIEND", {})
    post("/v1/publications", {"voucher": "FUZZ-FRIEND", "customer": {"source_id": "referrer"}})
    body = {"holders": [{"source_id": "referee"}]}
    return post("/v1/referrals/members/FUZZ-FRIEND/holders", body)["holders"][0]["id"]


def _furnish_events(client: httpx.Client, project_id: str) -> dict[str, list[str]]:
    path = f"/management/v1/projects/{project_id}/custom-event-schemas"
    pages = {"properties": {"pages": {"type": "number"}}}
    made = client.post(path, json={"name": "fuzzed", "schema": pages})
    assert made.is_success, made.text
    body = {"customer": {"source_id": "alice"}, "voucher": "FUZZ-2"}
    assert client.post("/v1/publications", json=body).is_success
    return {"project_id": [project_id], "custom_event_schema_id": [made.json()["id"], "fuzzed"]}


def _furnish_loyalty(post: Any, product_id: str) -> dict[str, list[str]]:
    v2, ids = "/v2/loyalties", dict[str, list[str]]()

    def make(name: str, path: str, **body: Any) -> str:
        ids[f"{name}_id"] = [post(f"{v2}/{path}", {"name": "fuzzed"} | body)["id"]]
        return ids[f"{name}_id"][0]

    card = make("card_definition", "card-definitions", type="INDIVIDUAL", status="ACTIVE")
    points = {"type": "POINTS", "points": {"value": 5, "card_definition_id": card}}
    rule = make(
        "earning_rule",
        "earning-rules",
        trigger={"event": "customer.order.paid"},
        earnings=[{"effects": [points]}],
        status="ACTIVE",
    )
    mug = {"type": "MATERIAL", "material": {"type": "PRODUCT", "product": {"id": product_id}}}
    reward = make(
        "reward",
        "rewards",
        **mug,
        costs=[{"spending": [{"points": 5, "card_definition_id": card}]}],
        status="ACTIVE",
    )
    make("benefit", "benefits", **mug)
    levels = make(
        "tier_structure", "tier-structures", type="POINT_BALANCE", point_balance={"card_definition_id": card}
    )
    make(
        "tier",
        f"tier-structures/{levels}/tiers",
        qualification_rules={"type": "POINTS", "points": {"min_value": 5}},
    )
    club = make(
        "program", "programs", card_definitions=[{"id": card}], earning_rules=[{"id": rule}],
        rewards=[{"id": reward, "stock": {"type": "UNLIMITED"}}], status="ACTIVE",
    )  # fmt: skip
    who = {"type": "customer_source_id", "customer_source_id": "alice"}
    member = post(f"{v2}/programs/{club}/members", {"customer_identification": who})
    older = _furnish_older(post)
    for name in ("tier_id", "reward_id"):
        ids[name] += older.pop(name)
    on = member["cards"][0]["card"]["id"]
    post(f"/v1/loyalties/members/{member['cards'][0]['card']['code']}/balance", {"points": 5_000})
    bought = post(f"{v2}/programs/{club}/members/{member['id']}/rewards/purchases", {"reward_id": reward})
    more = {
        "member_id": [member["id"]],
        "card_id": [on],
        "reward_transaction_id": [bought["transaction"]["id"]],
        "bucket_id": [f"lcpeb_{on[5:]}20300101", "lcppb_nowhere"],
    }
    return ids | older | more


def _furnish_older(post: Any) -> dict[str, list[str]]:
    fixed = {"event": "order.paid", "loyalty": {"type": "FIXED", "points": 5}}
    level = {"name": "fuzzed", "points": {"from": 5}}
    paid = post("/v1/rewards", {"parameters": {"coin": {"exchange_ratio": 1, "points_ratio": 10}}})
    return {
        "pending_points_id": ["lopp_nowhere"],
        "rule_id": [post("/v1/loyalties/club/earning-rules", [fixed])[0]["id"]],
        "tier_id": [post("/v1/loyalties/club/tiers", [level])[0]["id"]],
        "reward_id": [paid["id"]],
        "reward_assignment": [post("/v1/loyalties/club/rewards", [{"reward": paid["id"]}])["id"]],
    }


def _furnish_rules(post: Any, campaign_id: str, body: Any) -> dict[str, list[str]]:
    tier = {"name": "a tier", "action": {"discount": VOUCHER["discount"]}}
    promotion = post("/v1/campaigns", {
        "name": "promoted", "campaign_type": "PROMOTION", "type": "AUTO_UPDATE", "promotion": {"tiers": [tier]},
    })  # fmt: skip
    tiers = [one["id"] for one in promotion["promotion"]["tiers"]]
    bundle = post(f"/v1/promotions/{promotion['id']}/stacks", {"name": "a stack", "tiers": {"ids": tiers}})
    rule = post("/v1/validation-rules", {
        "name": "a rule", "rules": {"1": {"name": "redemption.count.daily", "conditions": {"$less_than": [10_000_000]}}},
    })  # fmt: skip
    assigned = {"related_object_type": "campaign", "related_object_id": campaign_id}
    assignment = post(f"/v1/validation-rules/{rule['id']}/assignments", assigned)
    old = {"created_at": {"conditions": {"$after": ["2020-01-01"]}}}
    segment = post(
        "/v1/segments", {"name": "fuzzed", "type": "passive", "filter": {"junction": "and", **old}}
    )
    session = {"type": "LOCK", "key": "held"}
    post("/v1/validations", body | {"session": session})
    return {
        "promotion_tier_id": tiers,
        "stack_id": [bundle["id"]],
        "validation_rule_id": [rule["id"]],
        "assignment_id": [assignment["id"]],
        "segment_id": [segment["id"]],
        "session_key": ["held"],
        "stacking_rules_id": ["default"],
    }
