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
            known = _furnish(client) | {"project_id": [made.project_id]}
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
    category = post("/v1/categories", {"name": "fuzzed"})
    level = {"type": "number", "gte": 0, "lt": 5.5, "eq": [1, 2.5]}
    schema = post("/v1/metadata-schemas/reward", {"properties": {"level": level}})
    cheap = {"price": {"conditions": {"$less_than": [9_000]}}}
    collection = post("/v1/product-collections", {"name": "fuzzed", "type": "AUTO_UPDATE", "filter": cheap})
    return _furnish_rules(post, campaign["id"], body) | {
        "category_id": [category["id"]],
        "resource": ["reward", schema["id"]],
        "metadata_schema_id": [schema["id"]],
        "product_collection_id": [collection["id"]],
        "campaign_id": [campaign["id"], "fuzzed"],
        "code": ["FUZZ-1", "FUZZ-2"],
        "redemption_id": [one["redemptions"][0]["id"], stack["redemptions"][0]["id"]],
        "parent_redemption_id": [stack["parent_redemption"]["id"]],
        "customer_id": ["alice", one["redemptions"][0]["customer_id"]],
        "product_id": [product["id"], "shirt"],
        "sku_id": [sku["id"], "shirt-xl"],
        "order_id": [one["order"]["id"]],
        "async_action_id": [action["async_action_id"]],
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
        "tier_id": tiers,
        "stack_id": [bundle["id"]],
        "validation_rule_id": [rule["id"]],
        "assignment_id": [assignment["id"]],
        "segment_id": [segment["id"]],
        "session_key": ["held"],
        "stacking_rules_id": ["default"],
    }
