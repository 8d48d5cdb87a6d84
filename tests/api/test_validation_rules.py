"""Validation rules: checked whole before they are stored, assigned to things, and gone with their assignments."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, code, events, post, read

OVER_50 = {"1": {"name": "order.amount", "conditions": {"$more_than": [5_000]}}, "logic": "1"}
NAMED = {"name": "Over 50", "rules": OVER_50}
VOUCHER = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
CAMPAIGN = {"name": "Spring", "type": "STATIC", "vouchers_count": 1, "voucher": VOUCHER}


async def rule(client: Any, **more: Any) -> dict[str, Any]:
    return await post(client, "/v1/validation-rules", NAMED | more)


async def assigned(
    client: Any, rule_id: str, object_id: str, kind: str = "voucher", status: int = 200
) -> Any:
    body = {"related_object_id": object_id, "related_object_type": kind}
    return await post(client, f"/v1/validation-rules/{rule_id}/assignments", body, status)


async def shown(client: Any, name: str) -> list[str]:
    found = (await read(client, f"/v1/vouchers/{name}"))["validation_rules_assignments"]
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "data", len(found["data"]))
    return [one["rule_id"] for one in found["data"]]


async def version(pool: db.Pool, client: Any) -> int:
    return await db.value(pool, "select config_version from projects where id = $1", client.project_id)


async def test_a_rule_lives_and_goes(client: Any, pool: db.Pool) -> None:
    made = await rule(
        client, error={"message": "Not today"}, context_type="campaign.promotion", type="advanced"
    )
    assert made["id"].startswith("val_")
    assert (made["rules"], made["error"]) == (OVER_50, {"message": "Not today"})
    assert (made["type"], made["context_type"], made["assignments_count"]) == (
        "advanced",
        "campaign.promotion",
        0,
    )
    assert made["applicable_to"] == {"excluded": [], "included": [], "included_all": False}
    assert made["object"] == "validation_rules"
    assert "updated_at" not in made
    where = f"/v1/validation-rules/{made['id']}"
    assert await read(client, where) == made
    stricter = {"1": {"name": "order.amount", "conditions": {"$more_than": [9_000]}}}
    changed = (await client.put(where, json={"rules": stricter, "error": None})).json()
    assert (changed["name"], changed["rules"], "error" in changed) == ("Over 50", stricter, False)
    assert "updated_at" in changed
    assert (await client.delete(where)).status_code == 204
    for method in ("GET", "DELETE", "PUT"):
        gone = await client.request(method, where, json={} if method == "PUT" else None)
        assert (gone.status_code, gone.json()["resource_type"]) == (404, "validation_rules")
    said = ["created", "deleted", "updated"]
    assert await events(pool, client, made["id"]) == [f"business_validation_rule.{what}" for what in said]


async def test_a_rule_with_nothing_but_a_name(client: Any) -> None:
    made = await post(
        client, "/v1/validation-rules", {"name": "Everybody", "applicable_to": None, "rules": None}
    )
    assert (made["rules"], made["type"], made["context_type"]) == ({"logic": ""}, "expression", "global")


async def test_what_is_given_is_kept_as_it_is(client: Any) -> None:
    scope = {"included_all": True, "excluded": [{"object": "sku", "id": "sku_1", "effect": "APPLY_TO_EVERY"}]}
    nested = {
        "7": {
            "name": "order.items.any",
            "conditions": {"$is": [{"id": "prod_1", "object": "product", "source_id": "one"}]},
            "rules": {"1": {"name": "order.items.quantity", "conditions": {"$more_than": [1]}}, "logic": "1"},
        },
        "late": {"name": "order.metadata", "property": "shop", "conditions": {"$is": ["north"]}, "rules": {}},
        "logic": "7 OR late",
    }
    made = await rule(client, rules=nested, applicable_to=scope)
    assert made["rules"] == nested
    assert made["applicable_to"] == {"included": [], **scope}


@pytest.mark.parametrize(
    ("body", "key", "path"),
    [
        ({"name": None}, "invalid_payload", "name"),
        ({"type": "simple"}, "invalid_payload", "type"),
        ({"context_type": "campaign.nothing"}, "invalid_payload", "context_type"),
        ({"rules": [1]}, "invalid_payload", "rules"),
        ({"rules": {"1": {"name": "order.mood"}}}, "invalid_validation_rules", "rules.1.name"),
        (
            {"rules": {"1": {"name": "order.metadata", "conditions": {"$is": ["x"]}}}},
            "invalid_validation_rules",
            "rules.1.property",
        ),
        ({"rules": OVER_50 | {"logic": "1 and"}}, "invalid_validation_rules", "rules.logic"),
        ({"rules": OVER_50 | {"logic": "1 and 2"}}, "invalid_validation_rules", "rules.logic"),
        ({"error": {"message": 5}}, "invalid_validation_rules", "error.message"),
    ],
)
async def test_what_is_refused_and_where(client: Any, pool: db.Pool, body: Any, key: str, path: str) -> None:
    before = await version(pool, client)
    answer = await client.post("/v1/validation-rules", json=NAMED | body)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["key"], answer.json()["errors"][0]["path"]) == (key, path)
    assert (await read(client, "/v1/validation-rules"))["total"] == 0
    if "name" not in body:
        made = await rule(client)
        refused = await client.put(f"/v1/validation-rules/{made['id']}", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, path)
        assert await read(client, f"/v1/validation-rules/{made['id']}") == made
        assert await version(pool, client) == before + 1


async def test_segments_and_collections_that_are_not_there(client: Any) -> None:
    asks = {"1": {"name": "customer.segment", "conditions": {"$is": ["seg_none"]}}, "logic": "1"}
    answer = await client.post("/v1/validation-rules", json={"name": "x", "rules": asks})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_validation_rules")
    assert answer.json()["errors"][0]["path"] == "rules.1.conditions.$is[0]"
    scope = {"included": [{"object": "products_collection", "id": "pc_none"}]}
    answer = await client.post("/v1/validation-rules", json=NAMED | {"applicable_to": scope})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_validation_rules")
    assert answer.json()["errors"][0]["path"] == "applicable_to.included[0].id"

    segment = await post(client, "/v1/segments", {"name": "Some", "type": "static"})
    asks["1"]["conditions"]["$is"] = [segment["id"]]  # type: ignore[index]
    assert (await rule(client, rules=asks))["rules"] == asks
    asks["1"]["conditions"]["$is"] = [7]  # type: ignore[index]
    assert (await client.post("/v1/validation-rules", json={"name": "x", "rules": asks})).status_code == 400


async def test_rules_are_listed(client: Any) -> None:
    made = [await rule(client, name=name) for name in ("b", "a", "c")]
    await assigned(client, made[1]["id"], await code(client))
    listed = await read(client, "/v1/validation-rules?order=name&limit=2")
    assert (listed["object"], listed["data_ref"], listed["total"]) == ("list", "data", 3)
    assert [(one["name"], one["assignments_count"]) for one in listed["data"]] == [("a", 1), ("b", 0)]
    newest = await read(client, "/v1/validation-rules")
    assert [one["name"] for one in newest["data"]] == ["c", "a", "b"]
    assert (await read(client, f"/v1/validation-rules?start_date={made[2]['created_at']}"))["total"] == 1
    assert (await read(client, "/v1/validation-rules?end_date=2020-01-01"))["data"] == []
    assert (await client.get("/v1/validation-rules?start_date=soon")).status_code == 400


async def test_assignments_to_a_voucher_and_a_campaign(client: Any, pool: db.Pool) -> None:
    made, name = await rule(client), await code(client)
    voucher = await read(client, f"/v1/vouchers/{name}")
    before = await version(pool, client)
    by_code = await assigned(client, made["id"], name)
    assert await version(pool, client) == before + 1
    assert by_code["id"].startswith("asgm_")
    assert (by_code["rule_id"], by_code["related_object_id"]) == (made["id"], voucher["id"])
    assert (by_code["related_object_type"], by_code["object"]) == ("voucher", "validation_rules_assignment")
    assert (await read(client, f"/v1/validation-rules/{made['id']}"))["assignments_count"] == 1
    twice = await assigned(client, made["id"], voucher["id"], status=409)
    assert (twice["key"], twice["resource_id"]) == ("duplicate_found", by_code["id"])
    where = f"/v1/validation-rules/{made['id']}/assignments"
    again = await client.post(f"{where}?force=true", json={"related_object_id": name})
    assert (again.status_code, again.json()["id"] != by_code["id"]) == (200, True)
    assert [one["id"] for one in (await read(client, where))["data"]] == [again.json()["id"]]

    campaign = await post(client, "/v1/campaigns", CAMPAIGN | {"type": "STANDALONE"})
    by_name = await assigned(client, made["id"], "Spring", "campaign")
    assert by_name["related_object_id"] == campaign["id"]
    assert (await client.delete(f"{where}/{by_name['id']}")).status_code == 204
    gone = await client.delete(f"{where}/{by_name['id']}")
    assert (gone.status_code, gone.json()["resource_type"]) == (404, "validation_rules_assignment")
    gone = await client.delete(f"/v1/validation-rules/val_none/assignments/{by_name['id']}")
    assert (gone.status_code, gone.json()["resource_type"]) == (404, "validation_rules")
    said = await events(pool, client, by_name["id"])
    assert said == [f"business_validation_rule.assignment.{what}" for what in ("created", "deleted")]


@pytest.mark.parametrize(
    "kind", ["voucher", "campaign", "promotion_tier", "earning_rule", "reward_assignment", "distribution"]
)
async def test_nothing_is_assigned_to_what_is_not_there(client: Any, kind: str) -> None:
    made = await rule(client)
    answer = await assigned(client, made["id"], "none", kind, 404)
    assert (answer["key"], answer["resource_type"], answer["resource_id"]) == ("not_found", kind, "none")
    assert (await read(client, "/v1/validation-rules-assignments"))["total"] == 0


async def test_assignments_need_a_kind_and_a_rule(client: Any) -> None:
    name = await code(client)
    body = {"related_object_id": name, "related_object_type": "order"}
    made = await rule(client)
    where = f"/v1/validation-rules/{made['id']}/assignments"
    answer = await client.post(where, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "related_object_type")
    assert (await client.post(where, json={})).status_code == 400
    answer = await assigned(client, "val_none", name, status=404)
    assert answer["resource_type"] == "validation_rules"
    assert (await client.get("/v1/validation-rules/val_none/assignments")).status_code == 404


async def test_all_assignments_are_listed(client: Any) -> None:
    one, two = await rule(client), await rule(client)
    first, second = await code(client), await code(client)
    made = [await assigned(client, a["id"], b) for a, b in ((one, first), (one, second), (two, first))]
    where = "/v1/validation-rules-assignments"
    assert [a["id"] for a in (await read(client, f"{where}?order=created_at"))["data"]] == [
        a["id"] for a in made
    ]
    assert (await read(client, f"{where}?rule={one['id']}"))["total"] == 2
    narrow = await read(client, f"{where}?rule={two['id']}&related_object_id={made[0]['related_object_id']}")
    assert [a["id"] for a in narrow["data"]] == [made[2]["id"]]
    paged = await read(client, f"{where}?limit=2&page=2&order=created_at")
    assert ([a["id"] for a in paged["data"]], paged["total"]) == ([made[2]["id"]], 3)


async def test_a_deleted_rule_is_gone_from_everything(client: Any) -> None:
    one, two, name = await rule(client), await rule(client), await code(client)
    await assigned(client, one["id"], name)
    await assigned(client, two["id"], name)
    assert await shown(client, name) == [one["id"], two["id"]]
    assert (await client.delete(f"/v1/validation-rules/{one['id']}")).status_code == 204
    assert await shown(client, name) == [two["id"]]
    assert (await read(client, "/v1/validation-rules-assignments"))["total"] == 1


async def test_vouchers_made_with_their_rules(client: Any) -> None:
    made = await rule(client)
    voucher = await post(
        client, "/v1/vouchers/RULED", VOUCHER | {"validation_rules": [made["id"], made["id"]]}
    )
    assert [one["rule_id"] for one in voucher["validation_rules_assignments"]["data"]] == [made["id"]]
    listed = (await read(client, "/v1/vouchers"))["vouchers"]
    assert [one["validation_rules_assignments"]["total"] for one in listed] == [1]
    plain = await post(client, "/v1/vouchers/PLAIN", VOUCHER | {"validation_rules": []})
    assert plain["validation_rules_assignments"]["total"] == 0
    answer = await client.post("/v1/vouchers/LOST", json=VOUCHER | {"validation_rules": ["val_none"]})
    assert (answer.status_code, answer.json()["resource_id"]) == (404, "val_none")
    assert (await client.get("/v1/vouchers/LOST")).status_code == 404
    many = VOUCHER | {"validation_rules": [f"val_{n}" for n in range(6)]}
    answer = await client.post("/v1/vouchers/MANY", json=many)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "validation_rules")


async def test_codes_show_the_rules_of_their_campaign(client: Any) -> None:
    own, shared = await rule(client), await rule(client)
    await post(
        client, "/v1/campaigns", CAMPAIGN | {"type": "STANDALONE", "voucher": VOUCHER | {"code": "SPRING"}}
    )
    await assigned(client, shared["id"], "Spring", "campaign")
    await assigned(client, own["id"], "SPRING")
    assert await shown(client, "SPRING") == [own["id"], shared["id"]]


async def test_assignments_go_with_a_voucher_that_goes_for_good(client: Any) -> None:
    made, name = await rule(client), await code(client)
    await assigned(client, made["id"], name)
    await client.delete(f"/v1/vouchers/{name}?force=true")
    assert (await read(client, f"/v1/validation-rules/{made['id']}"))["assignments_count"] == 0
