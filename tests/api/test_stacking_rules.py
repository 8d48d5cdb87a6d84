"""Stacking rules and management keys: one set a project, its fields, and who may touch it."""

import asyncio
from typing import Any

import httpx
import pytest

from guerdon.engine.stacking import DEFAULT_STACKING
from guerdon.kit import db
from guerdon.projects.bootstrap import add_key, add_management_key

from .checkout import TEN_OFF, code, post, validate
from .conftest import client_for
from .test_categories import category


async def create(manager: Any, **body: Any) -> dict[str, Any]:
    answer = await manager.post("/stacking-rules", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def in_force(manager: Any) -> dict[str, Any]:
    listed = (await manager.get("/stacking-rules")).json()
    assert (listed["object"], listed["data_ref"], listed["total"], len(listed["data"])) == (
        "list",
        "data",
        1,
        1,
    )
    return listed["data"][0]


def defaults() -> dict[str, Any]:
    return {name: getattr(DEFAULT_STACKING, name) for name in DEFAULT_STACKING.__struct_fields__}


async def test_without_rules_the_defaults_are_in_force_and_have_no_id(manager: Any) -> None:
    rules = await in_force(manager)
    assert rules == defaults()
    assert (rules["redeemables_limit"], rules["applicable_redeemables_limit"]) == (30, 5)


async def test_rules_come_and_go_and_the_defaults_are_back(manager: Any) -> None:
    made = await create(manager, redeemables_limit=10, redeemables_application_mode="PARTIAL")
    assert made["id"].startswith("stk_")
    said = {"redeemables_limit": 10, "redeemables_application_mode": "PARTIAL"}
    assert made == defaults() | said | {"id": made["id"], "created_at": made["created_at"]}
    assert await in_force(manager) == made
    address = f"/stacking-rules/{made['id']}"
    assert (await manager.get(address)).json() == made
    assert (await manager.delete(address)).status_code == 204
    assert await in_force(manager) == defaults()
    for method in ("GET", "PUT", "DELETE"):
        assert (await manager.request(method, address, json={})).status_code == 404
    assert (await create(manager))["id"] != made["id"]


async def test_there_is_one_set(manager: Any) -> None:
    made = await create(manager)
    answer = await manager.post("/stacking-rules", json={"redeemables_limit": 3})
    assert (answer.status_code, answer.json()["key"]) == (409, "stacking_rules_exist")
    assert await in_force(manager) == made


async def test_many_at_once_make_one_set_and_lose_no_change(client: Any, manager: Any) -> None:
    answers = await asyncio.gather(*(manager.post("/stacking-rules", json={}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    made = await in_force(manager)
    ids = [(await category(client))["id"] for _ in range(3)]
    address = f"/stacking-rules/{made['id']}"
    await asyncio.gather(
        manager.put(address, json={"redeemables_limit": 11}),
        manager.put(address, json={"applicable_redeemables_limit": 7}),
        manager.put(address, json={"joint_categories": ids}),
        *(category(client) for _ in range(3)),
        client.put(f"/v1/categories/{ids[1]}", json={"hierarchy": 9}),
    )
    await asyncio.gather(
        *(client.delete(f"/v1/categories/{one}?remove_from_stacking_rules=true") for one in ids)
    )
    seen = await in_force(manager)
    assert (seen["redeemables_limit"], seen["applicable_redeemables_limit"]) == (11, 7)
    assert seen["joint_categories"] == []


async def test_a_change_leaves_what_it_does_not_name_and_replaces_lists(client: Any, manager: Any) -> None:
    first, second = (await category(client))["id"], (await category(client))["id"]
    made = await create(manager, joint_categories=[first], applicable_redeemables_limit=7)
    address = f"/stacking-rules/{made['id']}"
    answer = await manager.put(
        address, json={"joint_categories": [second], "applicable_redeemables_per_category_limit": None}
    )
    changed = answer.json()
    assert changed.pop("updated_at")
    assert changed == made | {"joint_categories": [second], "applicable_redeemables_per_category_limit": None}


async def test_a_redemption_goes_by_them(client: Any, manager: Any) -> None:
    made = await create(manager, redeemables_limit=1)
    body = {"redeemables": [{"object": "voucher", "id": "A"}, {"object": "voucher", "id": "B"}]}
    answer = await client.post("/v1/validations", json=body)
    assert answer.status_code == 400, answer.text
    await manager.put(f"/stacking-rules/{made['id']}", json={"redeemables_limit": 2})
    answer = await client.post("/v1/validations", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["stacking_rules"]["redeemables_limit"] == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"redeemables_limit": 31}, "redeemables_limit"),
        ({"redeemables_limit": 0}, "redeemables_limit"),
        ({"applicable_exclusive_redeemables_limit": 6}, "applicable_exclusive_redeemables_limit"),
        (
            {"applicable_exclusive_redeemables_per_category_limit": 2},
            "applicable_exclusive_redeemables_per_category_limit",
        ),
        ({"redeemables_application_mode": "SOME"}, "redeemables_application_mode"),
        ({"redeemables_sorting_rule": "CHEAPEST"}, "redeemables_sorting_rule"),
        ({"margin_floor_percent": 101}, "margin_floor_percent"),
        ({"exclusive_categories": ["cat_unknown"]}, "exclusive_categories[0]"),
        (
            {"applicable_redeemables_category_limits": {"cat_unknown": 1}},
            "applicable_redeemables_category_limits.cat_unknown",
        ),
        ({"applicable_redeemables_category_limits": {"x": 0}}, "applicable_redeemables_category_limits[...]"),
        ({"joint_categories": "all"}, "joint_categories"),
    ],
)
async def test_what_cannot_be(manager: Any, body: dict[str, Any], path: str) -> None:
    answer = await manager.post("/stacking-rules", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
    assert answer.json()["errors"][0]["path"] == path
    made = await create(manager)
    answer = await manager.put(f"/stacking-rules/{made['id']}", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("exclusive_categories", "joint_categories"),
        ("initial_amount_mode_categories", "discounted_amount_mode_categories"),
        ("no_effect_skip_categories", "no_effect_redeem_anyway_categories"),
    ],
)
async def test_a_category_cannot_be_both(client: Any, manager: Any, first: str, second: str) -> None:
    made = (await category(client))["id"]
    answer = await manager.post("/stacking-rules", json={first: [made], second: [made]})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, second)


async def test_another_projects_category_is_unknown(client: Any, stranger: Any, manager: Any) -> None:
    theirs = (await category(stranger))["id"]
    answer = await manager.post("/stacking-rules", json={"joint_categories": [theirs]})
    assert answer.status_code == 400


ROUTES = [
    ("GET", "/stacking-rules"),
    ("POST", "/stacking-rules"),
    ("GET", "/stacking-rules/x"),
    ("PUT", "/stacking-rules/x"),
    ("DELETE", "/stacking-rules/x"),
    ("GET", "/metadata-schemas"),
    ("POST", "/metadata-schemas"),
    ("GET", "/metadata-schemas/x"),
    ("PUT", "/metadata-schemas/x"),
    ("DELETE", "/metadata-schemas/x"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_another_projects_address_is_nobodys(
    stranger: Any, manager: Any, method: str, path: str
) -> None:
    for project_id in (stranger.project_id, "proj_nobody"):
        address = f"http://guerdon.test/management/v1/projects/{project_id}{path}"
        body = {"related_object": "customer", "properties": {}}
        answer = await manager.request(method, address, json=body)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
        assert answer.json()["resource_type"] == "project"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_a_management_key_opens_it(
    client: Any, manager: Any, pool: db.Pool, method: str, path: str
) -> None:
    address = f"http://guerdon.test/management/v1/projects/{client.project_id}{path}"
    body = {"related_object": "customer", "properties": {}}
    keys = client.credentials
    as_manager = {"X-Management-Id": keys.app_id, "X-Management-Token": keys.app_token}
    transport = httpx.ASGITransport(client.app)
    async with httpx.AsyncClient(transport=transport) as bare:
        refused = await bare.request(method, address, json=body, headers=as_manager)
        assert (refused.status_code, refused.json()["key"]) == (403, "missing_required_permission")
        unknown = [
            {},
            {"X-App-Id": keys.app_id, "X-App-Token": keys.app_token},
            {"X-Management-Id": "nobody", "X-Management-Token": "x"},
            {"X-Management-Id": manager.headers["X-Management-Id"], "X-Management-Token": "wrong"},
        ]
        for headers in unknown:
            answer = await bare.request(method, address, json=body, headers=headers)
            assert (answer.status_code, answer.json()["key"]) == (401, "unauthorized")
    assert await db.value(pool, "select settings from projects where id = $1", client.project_id) == {}
    assert (await manager.get("/metadata-schemas")).json()["total"] == 0


async def test_a_management_key_opens_no_shop(client: Any, app: Any, pool: db.Pool) -> None:
    managing = await add_key(pool, client.project_id, role="management")
    async with client_for(app, managing) as manager:
        for path in ("/v1/customers", "/v1/categories", "/v1/vouchers"):
            assert (await manager.get(path)).status_code == 403
        body = {"redeemables": [{"object": "voucher", "id": "A"}]}
        assert (await manager.post("/v1/redemptions", json=body)).status_code == 403


async def test_a_management_key_is_its_own_kind(client: Any, pool: db.Pool) -> None:
    made = await add_management_key(pool, client.project_id)
    sql = "select role from api_keys where app_id = $1"
    assert await db.value(pool, sql, made.management_id) == "management"


async def test_a_codes_own_category_counts(client: Any) -> None:
    """Said by id or by name, when it is made or later; a code of a campaign has the campaign's."""
    named = await category(client)
    first = await code(client, category_id=named["id"])
    second = await code(client, category=named["name"])
    third = await code(client)
    campaign = {"name": "Of a category", "type": "STATIC", "category_id": named["id"]}
    await post(client, "/v1/campaigns", campaign | {"voucher": {"discount": TEN_OFF}})
    await post(client, "/v1/campaigns/Of a category/vouchers/FOLLOWS", {})
    answer = await validate(client, first, second, third, "FOLLOWS")
    assert [one["id"] for one in answer["redeemables"]] == [first, third]
    assert {one["result"]["details"]["key"] for one in answer["skipped_redeemables"]} == {
        "applicable_redeemables_per_category_limit_exceeded"
    }
    await client.put(f"/v1/vouchers/{second}", json={"category_id": None})
    await client.put(f"/v1/vouchers/{third}", json={"category_id": named["id"]})
    answer = await validate(client, first, second, third)
    assert [one["id"] for one in answer["redeemables"]] == [first, second]


async def test_a_codes_category_has_to_be_there(client: Any) -> None:
    name = await code(client)
    discount = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
    for answer in (
        await client.post("/v1/vouchers/LOST", json=discount | {"category_id": "cat_nowhere"}),
        await client.put(f"/v1/vouchers/{name}", json={"category_id": "cat_nowhere"}),
    ):
        assert (answer.status_code, answer.json()["resource_type"]) == (404, "category")
