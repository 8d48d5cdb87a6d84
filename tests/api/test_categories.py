"""Categories over the API: their place, what uses them, bad input."""

from typing import Any

import pytest

from guerdon.categories.store import check_category
from guerdon.kit import db
from guerdon.kit.errors import ApiError


async def category(client: Any, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/categories", json={"name": "Clearance"} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_category_comes_back_whole(client: Any) -> None:
    made = await category(client, hierarchy=3)
    assert made["id"].startswith("cat_")
    assert made == {
        "id": made["id"], "name": "Clearance", "hierarchy": 3, "created_at": made["created_at"], "object": "category",
    }  # fmt: skip
    assert (await client.get(f"/v1/categories/{made['id']}")).json() == made


async def test_the_hierarchy_is_1_unless_said_and_0_goes_first(client: Any) -> None:
    plain = await category(client, name="plain")
    first = await category(client, name="first", hierarchy=0)
    last = await category(client, name="last", hierarchy=9)
    assert plain["hierarchy"] == 1
    listed = (await client.get("/v1/categories")).json()
    assert [one["id"] for one in listed.pop("data")] == [first["id"], plain["id"], last["id"]]
    assert listed == {"object": "list", "data_ref": "data", "total": 3}


async def test_what_is_absent_stays(client: Any) -> None:
    made = await category(client, hierarchy=4)
    answer = await client.put(f"/v1/categories/{made['id']}", json={"name": "Sale"})
    changed = answer.json()
    assert changed.pop("updated_at")
    assert changed == made | {"name": "Sale"}
    answer = await client.put(f"/v1/categories/{made['id']}", json={"hierarchy": 0, "name": None})
    assert (answer.json()["name"], answer.json()["hierarchy"]) == ("Sale", 0)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ""),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "hierarchy": -1}, "hierarchy"),
        ({"name": "x", "hierarchy": 1.5}, "hierarchy"),
        ({"name": "x", "hierarchy": 100_000}, "hierarchy"),
    ],
)
async def test_what_cannot_be(client: Any, body: dict[str, Any], path: str) -> None:
    answer = await client.post("/v1/categories", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == path


async def test_a_category_that_is_gone_is_gone(client: Any) -> None:
    made = await category(client)
    address = f"/v1/categories/{made['id']}"
    assert (await client.delete(address)).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        answer = await client.request(method, address, json={"name": "x"})
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert (await client.get("/v1/categories")).json()["total"] == 0


async def test_a_category_in_the_stacking_rules_stays_unless_it_is_taken_out_too(
    client: Any, manager: Any
) -> None:
    first, second = await category(client), await category(client)
    answer = await manager.post(
        "/stacking-rules",
        json={
            "exclusive_categories": [first["id"], second["id"]],
            "applicable_redeemables_category_limits": {first["id"]: 2},
        },
    )
    rules = answer.json()
    assert answer.status_code == 200, answer.text
    address = f"/v1/categories/{first['id']}"
    answer = await client.delete(address)
    assert (answer.status_code, answer.json()["key"]) == (400, "resource_in_use")
    assert "exclusive_categories, applicable_redeemables_category_limits" in answer.json()["details"]
    assert (await client.get(address)).status_code == 200
    assert (await client.delete(address + "?remove_from_stacking_rules=true")).status_code == 204
    left = (await manager.get(f"/stacking-rules/{rules['id']}")).json()
    assert left == rules | {
        "exclusive_categories": [second["id"]],
        "applicable_redeemables_category_limits": {},
    }


async def test_every_change_raises_the_projects_version(client: Any, pool: db.Pool) -> None:
    async def version() -> int:
        return await db.value(pool, "select config_version from projects where id = $1", client.project_id)

    seen = [await version()]
    made = await category(client)
    seen.append(await version())
    await client.put(f"/v1/categories/{made['id']}", json={"name": "x"})
    seen.append(await version())
    await client.delete(f"/v1/categories/{made['id']}")
    seen.append(await version())
    assert seen == sorted(set(seen))


async def test_who_stores_a_category_can_ask_whether_it_is_there(
    client: Any, stranger: Any, pool: db.Pool
) -> None:
    made = await category(client)
    await check_category(pool, client.project_id, made["id"])
    await check_category(pool, client.project_id, None)
    for project_id, name in ((client.project_id, "cat_unknown"), (stranger.project_id, made["id"])):
        with pytest.raises(ApiError) as caught:
            await check_category(pool, project_id, name)
        assert (caught.value.status, caught.value.resource_type) == (404, "category")
