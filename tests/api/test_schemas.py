"""Metadata schemas over the API: definitions, what they let in, and where they are asked."""

from typing import Any

import pytest

from guerdon.schemas import check as schema_check


async def define(manager: Any, related_object: str = "customer", **properties: Any) -> dict[str, Any]:
    answer = await manager.post(
        "/metadata-schemas", json={"related_object": related_object, "properties": properties}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def faults(client: Any, metadata: Any, path: str = "/v1/customers") -> list[str]:
    """The paths that do not fit; none when it was taken."""
    answer = await client.post(path, json={"metadata": metadata})
    if answer.status_code == 200:
        return []
    body = answer.json()
    assert (answer.status_code, body["key"]) == (400, "metadata_validation_failed"), answer.text
    return [fault["path"] for fault in body["errors"]]


REGION = {"type": "string", "array": True, "optional": False, "eq": ["EMEA", "APAC"]}


async def test_a_schema_comes_back_whole(client: Any, manager: Any) -> None:
    made = await define(manager, region=REGION, size={"type": "number", "gte": 0.5, "lt": 10})
    assert made["id"].startswith("ms_")
    assert made == {
        "id": made["id"],
        "related_object": "customer",
        "properties": {
            "region": REGION | {"object_type": None},
            "size": {"type": "number", "optional": True, "array": False, "object_type": None, "gte": 0.5, "lt": 10},
        },
        "allow_defined_only": False,
        "created_at": made["created_at"],
        "updated_at": None,
        "object": "metadata_schema",
    }  # fmt: skip
    listed = (await manager.get("/metadata-schemas")).json()
    assert listed == {"object": "list", "data_ref": "data", "data": [made], "total": 1}
    for key in (made["id"], "customer"):
        assert (await manager.get(f"/metadata-schemas/{key}")).json() == made


async def test_v1_speaks_in_camel_case(client: Any, manager: Any) -> None:
    made = await define(manager, code={"type": "string", "exact_length": 5})
    code = {"type": "string", "optional": True, "array": False, "objectType": None, "exactLength": 5}
    expected = made | {"properties": {"code": code}}
    assert (await client.get("/v1/metadata-schemas/customer")).json() == expected
    listed = (await client.get("/v1/metadata-schemas")).json()
    assert listed == {"object": "list", "data_ref": "schemas", "schemas": [expected], "total": 1}
    assert (await client.get("/v1/metadata-schemas/voucher")).status_code == 404


async def test_a_server_key_may_define_too(client: Any, manager: Any) -> None:
    answer = await client.post(
        "/v1/metadata-schemas/order", json={"properties": {"note": {"type": "string", "maxLength": 3}}}
    )
    made = answer.json()
    assert (made["related_object"], made["properties"]["note"]["maxLength"]) == ("order", 3)
    assert (await manager.get("/metadata-schemas/order")).json()["properties"]["note"]["max_length"] == 3
    answer = await client.put("/v1/metadata-schemas/order", json={"allow_defined_only": True})
    assert answer.json()["allow_defined_only"] is True
    assert await faults(client, {"note": "four"}, "/v1/orders") == ["metadata.note"]
    assert (await client.delete(f"/v1/metadata-schemas/{made['id']}")).status_code == 204
    assert await faults(client, {"note": "four"}, "/v1/orders") == []
    answer = await client.post("/v1/metadata-schemas/-bad-", json={"properties": {}})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")


async def test_there_is_one_schema_a_resource(manager: Any) -> None:
    await define(manager)
    answer = await manager.post("/metadata-schemas", json={"related_object": "customer", "properties": {}})
    assert (answer.status_code, answer.json()["key"]) == (409, "duplicate_found")


async def test_a_change_leaves_what_it_does_not_name_and_replaces_definitions_whole(manager: Any) -> None:
    made = await define(manager, age={"type": "number", "gte": 18}, name={"type": "string", "min_length": 2})
    address = f"/metadata-schemas/{made['id']}"
    answer = await manager.put(address, json={"properties": {"age": {"type": "number", "lt": 99}}})
    changed = answer.json()
    assert changed["properties"]["name"] == made["properties"]["name"]
    plain = {"type": "number", "optional": True, "array": False, "object_type": None}
    assert changed["properties"]["age"] == plain | {"lt": 99}
    assert changed["updated_at"]
    answer = await manager.put(address, json={"properties": {"age": {"type": "string"}}})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "properties.age.type")


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({"type": "text"}, "properties[...].type"),
        ({}, "properties[...]"),
        ({"type": "string", "minLength": 3}, "properties[...]"),
        ({"type": "number", "max_length": 3}, "properties.x.max_length"),
        ({"type": "string", "lt": 3}, "properties.x.lt"),
        ({"type": "boolean", "eq": ["a"]}, "properties.x.eq"),
        ({"type": "string", "eq": ["a", 1]}, "properties.x.eq[1]"),
        ({"type": "number", "eq": ["a"]}, "properties.x.eq[0]"),
        ({"type": "string", "min_length": 3, "max_length": 2}, "properties.x.max_length"),
        ({"type": "number", "gt": 3, "lt": 3}, "properties.x"),
        ({"type": "number", "gte": 3.5, "lt": 3.5}, "properties.x"),
        ({"type": "string", "object_type": "address"}, "properties.x.object_type"),
        ({"type": "object", "object_type": "address"}, "properties.x.object_type"),
    ],
)
async def test_definitions_that_make_no_sense(manager: Any, definition: dict[str, Any], path: str) -> None:
    body = {"related_object": "customer", "properties": {"x": definition}}
    answer = await manager.post("/metadata-schemas", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, path)


async def test_a_hundred_definitions_with_those_removed(manager: Any) -> None:
    some = {f"n{number}": {"type": "string"} for number in range(100)}
    made = await define(manager, **some)
    address = f"/metadata-schemas/{made['id']}"
    gone = {"properties": {"n0": {"type": "string", "deleted": True}}}
    assert (await manager.put(address, json=gone)).json()["properties"]["n0"]["deleted"] is True
    answer = await manager.put(address, json={"properties": {"one_more": {"type": "string"}}})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "properties")


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        ({"type": "string"}, ["", "x"], [1, True, ["x"], {}]),
        ({"type": "string", "eq": ["a", "b"]}, ["a"], ["c", ""]),
        ({"type": "string", "exact_length": 2}, ["ab", "żź"], ["a", "abc"]),
        ({"type": "string", "min_length": 1, "max_length": 2}, ["a", "ab"], ["", "abc"]),
        ({"type": "number"}, [1, -0.5, 0], ["1", True, [1]]),
        ({"type": "number", "eq": [1, 0.1]}, [1, 1.0, 0.1], [2, 0.11]),
        ({"type": "number", "ne": [0]}, [1], [0, 0.0]),
        ({"type": "number", "gt": 1, "lte": 5}, [1.01, 5], [1, 5.01]),
        ({"type": "number", "gte": 1, "lt": 5}, [1, 4.99], [0.99, 5]),
        ({"type": "boolean"}, [True, False], [1, "true"]),
        ({"type": "date"}, ["2026-02-28"], ["2026-02-30", "28.02.2026", "2026-02-28T00:00:00Z", 5]),
        ({"type": "datetime"}, ["2026-02-28T10:00:00Z", "2026-02-28T10:00"], ["2026-02-28", "soon", 5]),
        ({"type": "geopoint"}, ["geo:52.2,21.01", "geo:-90,180"], ["52,21", "geo:91,0", "geo:0,181", 5]),
        ({"type": "image_url"}, ["https://shop.example/a.png"], ["a.png", "ftp://x/y", "https://", 5]),
        ({"type": "object"}, [{}, {"a": 1, "b": [1]}], ["x", [{}], {"a": {"b": 1}}, {"a": [{"b": 1}]}]),
        ({"type": "string", "array": True}, [[], ["a"]], ["a", [1], [["a"]], [None]]),
    ],
)
async def test_what_fits_and_what_does_not(
    client: Any, manager: Any, definition: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    await define(manager, x=definition)
    for value in good:
        assert await faults(client, {"x": value}) == [], value
    for value in bad:
        found = await faults(client, {"x": value})
        assert found and all(path.startswith("metadata.x") for path in found), value


async def test_required_optional_and_null(client: Any, manager: Any) -> None:
    await define(manager, must={"type": "string", "optional": False}, may={"type": "string"})
    assert await faults(client, {"must": "x"}) == []
    assert await faults(client, {"must": "x", "may": None}) == []
    assert await faults(client, {"may": "x"}) == ["metadata.must"]
    assert await faults(client, {"must": None}) == ["metadata.must"]
    assert await faults(client, None) == ["metadata.must"]


async def test_only_what_is_defined(client: Any, manager: Any) -> None:
    made = await define(manager, known={"type": "string"}, former={"type": "string", "deleted": True})
    assert await faults(client, {"known": "x", "other": 1, "former": 5}) == []
    await manager.put(f"/metadata-schemas/{made['id']}", json={"allow_defined_only": True})
    assert await faults(client, {"known": "x", "other": 1, "former": "x"}) == [
        "metadata.other",
        "metadata.former",
    ]


async def test_objects_of_a_kind(client: Any, manager: Any) -> None:
    kind = await define(manager, "pet", name={"type": "string", "optional": False}, age={"type": "number"})
    await define(manager, pets={"type": "object", "object_type": "pet", "array": True})
    assert await faults(client, {"pets": [{"name": "Rex", "age": 3}]}) == []
    assert await faults(client, {"pets": [{"name": "Rex"}, {"age": "old"}]}) == [
        "metadata.pets[1].age",
        "metadata.pets[1].name",
    ]
    deeper = {"related_object": "toy", "properties": {"owner": {"type": "object", "object_type": "pet"}}}
    answer = await manager.post("/metadata-schemas", json=deeper)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "properties.owner.type")
    answer = await manager.delete(f"/metadata-schemas/{kind['id']}")
    assert (answer.status_code, answer.json()["key"]) == (400, "resource_in_use")


async def test_what_was_there_before_the_schema_does_not_stand_in_the_way(client: Any, manager: Any) -> None:
    await client.post("/v1/customers", json={"source_id": "old", "metadata": {"level": 5, "city": "Lodz"}})
    await define(manager, level={"type": "string"})
    address = "/v1/customers/old"
    assert (await client.put(address, json={"name": "Old"})).status_code == 200
    assert (await client.put(address, json={"metadata": {"city": "Gdynia"}})).status_code == 200
    answer = await client.put(address, json={"metadata": {"level": 6}})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "metadata.level")
    assert (await client.get(address)).json()["metadata"] == {"level": 5, "city": "Gdynia"}


async def test_products_and_skus_go_by_the_schema_of_products(client: Any, manager: Any) -> None:
    await define(manager, "product", brand={"type": "string"})
    made = (await client.post("/v1/products", json={"metadata": {"brand": "Acme"}})).json()
    address = f"/v1/products/{made['id']}"
    assert await faults(client, {"brand": 5}, "/v1/products") == ["metadata.brand"]
    assert (await client.put(address, json={"metadata": {"brand": 5}})).status_code == 400
    assert await faults(client, {"brand": 5}, f"{address}/skus") == ["metadata.brand"]
    sku = (await client.post(f"{address}/skus", json={"metadata": {"brand": "Acme"}})).json()
    answer = await client.put(f"{address}/skus/{sku['id']}", json={"metadata": {"brand": 5}})
    assert (answer.status_code, answer.json()["key"]) == (400, "metadata_validation_failed")


async def test_orders_their_lines_and_their_customers(client: Any, manager: Any) -> None:
    await define(manager, "order", channel={"type": "string"})
    await define(manager, "order_item", gift={"type": "boolean"})
    await define(manager, "customer", level={"type": "string"})
    body = {
        "source_id": "first",
        "items": [{"amount": 5}, {"amount": 5, "metadata": {"gift": "yes"}}],
        "metadata": {"channel": "web"},
    }
    answer = await client.post("/v1/orders", json=body)
    assert [fault["path"] for fault in answer.json()["errors"]] == ["items[1].metadata.gift"]
    assert await faults(client, {"channel": 5}, "/v1/orders") == ["metadata.channel"]
    body["items"][1]["metadata"]["gift"] = True  # type: ignore[index]
    assert (await client.post("/v1/orders", json=body)).status_code == 200
    answer = await client.put("/v1/orders/first", json={"metadata": {"channel": 5}})
    assert answer.json()["key"] == "metadata_validation_failed"
    answer = await client.post("/v1/orders", json={"amount": 5, "customer": {"metadata": {"level": 5}}})
    assert [fault["path"] for fault in answer.json()["errors"]] == ["customer.metadata.level"]


async def test_a_schema_that_changes_is_asked_as_it_is_now(client: Any, manager: Any) -> None:
    assert await faults(client, {"level": 5}) == []
    made = await define(manager, level={"type": "string"})
    assert await faults(client, {"level": 5}) == ["metadata.level"]
    gone = {"properties": {"level": {"type": "string", "deleted": True}}}
    await manager.put(f"/metadata-schemas/{made['id']}", json=gone)
    assert await faults(client, {"level": 5}) == []
    await manager.put(f"/metadata-schemas/{made['id']}", json={"properties": {"level": {"type": "string"}}})
    assert await faults(client, {"level": 5}) == ["metadata.level"]
    await manager.delete(f"/metadata-schemas/{made['id']}")
    assert await faults(client, {"level": 5}) == []


async def test_schemas_are_read_once_as_long_as_nothing_changes(
    client: Any, manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define(manager, level={"type": "string"})
    read: list[str] = []
    real = schema_check.store.all_of

    async def counted(conn: Any, project_id: str) -> Any:
        read.append(project_id)
        return await real(conn, project_id)

    monkeypatch.setattr(schema_check.store, "all_of", counted)
    for _ in range(5):
        assert await faults(client, {"level": "gold"}) == []
    assert read == [client.project_id]


async def test_another_projects_schema_says_nothing_here(client: Any, stranger: Any, manager: Any) -> None:
    made = await define(manager, level={"type": "string"})
    assert await faults(stranger, {"level": 5}) == []
    for method in ("GET", "PUT", "DELETE"):
        for key in (made["id"], "customer"):
            assert (await stranger.request(method, f"/v1/metadata-schemas/{key}", json={})).status_code == 404
    assert (await stranger.get("/v1/metadata-schemas")).json()["total"] == 0


async def test_a_campaign_may_go_by_the_schema_of_its_vouchers(client: Any, manager: Any) -> None:
    await define(manager, "voucher", region={"type": "string"})
    await define(manager, "campaign", season={"type": "number"})
    tiers = {"tiers": [{"name": "One", "action": {"discount": {"type": "AMOUNT", "amount_off": 100}}}]}
    body = {"campaign_type": "PROMOTION", "promotion": tiers, "use_voucher_metadata_schema": True}
    wrong = {"name": "Wrong", "metadata": {"region": 5}, **body}
    refused = await client.post("/v1/campaigns", json=wrong)
    assert (refused.status_code, refused.json()["key"]) == (400, "metadata_validation_failed")
    made = await client.post("/v1/campaigns", json=wrong | {"metadata": {"season": "any"}})
    assert made.status_code == 200, made.text
    refused = await client.put("/v1/campaigns/Wrong", json={"metadata": {"region": 5}})
    assert (refused.status_code, refused.json()["key"]) == (400, "metadata_validation_failed")
    own = {"name": "Its own", "metadata": {"region": 5}, **body, "use_voucher_metadata_schema": False}
    assert (await client.post("/v1/campaigns", json=own)).status_code == 200
