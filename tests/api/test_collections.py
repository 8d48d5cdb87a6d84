"""Product collections over the API: what is in them, how they are found, what uses them."""

from typing import Any

import pytest

from guerdon.kit import db
from guerdon.product_collections import members


async def post(client: Any, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def static(client: Any, *products: dict[str, Any], **body: Any) -> dict[str, Any]:
    given = {"name": "Picked", "type": "STATIC", "products": list(products)} | body
    return await post(client, "/v1/product-collections", **given)


async def found_by(client: Any, junction: str = "and", **fields: dict[str, Any]) -> dict[str, Any]:
    wanted = {name.replace("__", "."): {"conditions": conditions} for name, conditions in fields.items()}
    body = {"name": "Found", "type": "AUTO_UPDATE", "filter": {"junction": junction} | wanted}
    return await post(client, "/v1/product-collections", **body)


async def inside(client: Any, collection: dict[str, Any], query: str = "order=created_at") -> list[str]:
    answer = await client.get(f"/v1/product-collections/{collection['id']}/products?{query}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["data_ref"] == "data"
    return [one["source_id"] for one in body["data"]]


async def catalog(client: Any) -> None:
    """Two products, of which the second has two SKUs."""
    await post(
        client, "/v1/products", source_id="apple", name="Apple", price=100, attributes=["sort"],
        metadata={"brand": "Farm", "organic": True, "origin": {"country": "PL"}},
    )  # fmt: skip
    await post(
        client, "/v1/products", source_id="shirt", name="Shirt", price=5_000, attributes=["size", "colour"],
        metadata={"brand": "Acme", "sizes": ["S", "XL"]},
    )  # fmt: skip
    await post(
        client, "/v1/products/shirt/skus", source_id="shirt-s", sku="Shirt S", price=4_500,
        attributes={"size": "S", "colour": "red"}, metadata={"brand": "Acme"},
    )  # fmt: skip
    await post(
        client, "/v1/products/shirt/skus", source_id="shirt-xl", sku="Shirt XL", price=5_500,
        attributes={"size": "XL"}, metadata={"brand": "Acme", "weight": 0.4},
    )  # fmt: skip


async def test_a_static_collection_comes_back_whole(client: Any) -> None:
    await catalog(client)
    apple = (await client.get("/v1/products/apple")).json()
    sku = (await client.get("/v1/skus/shirt-s")).json()
    made = await static(client, {"object": "product", "id": "apple"}, {"object": "sku", "id": sku["id"]})
    assert made["id"].startswith("pc_")
    assert made == {
        "id": made["id"],
        "name": "Picked",
        "type": "STATIC",
        "products": [
            {"id": apple["id"], "object": "product"},
            {"id": sku["id"], "object": "sku", "product_id": sku["product_id"]},
        ],
        "created_at": made["created_at"],
        "object": "products_collection",
    }
    assert (await client.get(f"/v1/product-collections/{made['id']}")).json() == made
    listed = (await client.get("/v1/product-collections")).json()
    assert listed == {"object": "list", "data_ref": "data", "data": [made], "total": 1, "has_more": False}


async def test_members_are_products_and_skus_with_their_product(client: Any) -> None:
    await catalog(client)
    made = await static(client, {"object": "product", "id": "apple"}, {"object": "sku", "id": "shirt-s"})
    body = (await client.get(f"/v1/product-collections/{made['id']}/products?order=created_at")).json()
    apple, sku = body.pop("data")
    assert body == {"object": "list", "data_ref": "data", "total": 2, "has_more": False}
    whole = (await client.get("/v1/products/apple")).json()
    del whole["skus"]
    assert apple == whole
    shirt = (await client.get("/v1/products/shirt")).json()
    del shirt["skus"]
    assert sku == (await client.get("/v1/skus/shirt-s")).json() | {"product": shirt}
    first = (await client.get(f"/v1/product-collections/{made['id']}/products?order=price&limit=1")).json()
    assert [first["data"][0]["source_id"], first["has_more"], first["total"]] == ["apple", True, 2]
    rest = await inside(client, made, f"order=price&starting_after_id={first['more_starting_after']}")
    assert rest == ["shirt-s"]
    stamp = apple["created_at"]
    assert await inside(client, made, f"order=created_at&starting_after={stamp}") == ["shirt-s"]
    assert (
        await client.get(f"/v1/product-collections/{made['id']}/products?starting_after=x")
    ).status_code == 400
    assert await inside(client, made, "filters[price][conditions][$more_than]=1000") == ["shirt-s"]


async def test_a_static_collection_keeps_what_was_picked(client: Any) -> None:
    await catalog(client)
    made = await static(client, {"id": "apple"}, {"id": "apple"}, {"id": "shirt"})
    assert len(made["products"]) == 2
    await client.delete("/v1/products/apple")
    assert await inside(client, made) == ["shirt"]
    address = f"/v1/product-collections/{made['id']}"
    changed = (await client.put(address, json={"name": "Renamed"})).json()
    assert changed.pop("updated_at")
    assert changed == made | {"name": "Renamed"}
    answer = await client.put(address, json={"products": [{"object": "sku", "id": "shirt-xl"}]})
    assert answer.status_code == 200
    assert await inside(client, made) == ["shirt-xl"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": {"$is": ["Apple"]}}, ["apple"]),
        ({"name": {"$contains": ["Shirt"]}}, ["shirt", "shirt-s", "shirt-xl"]),
        ({"name": {"$starts_with": ["Shirt X"]}}, ["shirt-xl"]),
        ({"name": {"$not_contain": ["Shirt"]}}, ["apple"]),
        ({"sku": {"$ends_with": ["S"]}}, ["shirt-s"]),
        ({"price": {"$more_than": [4_500]}}, ["shirt", "shirt-xl"]),
        ({"price": {"$more_than_equal": [4_500], "$less_than": ["5500"]}}, ["shirt", "shirt-s"]),
        ({"price": {"$is": [100, 5_500]}}, ["apple", "shirt-xl"]),
        ({"source_id": {"$in": ["apple", "shirt-s", "nothing"]}}, ["apple", "shirt-s"]),
        ({"source_id": {"$is_not": ["apple"]}}, ["shirt", "shirt-s", "shirt-xl"]),
        ({"created_at": {"$after": ["2020-01-01"]}, "name": {"$is": ["Apple"]}}, ["apple"]),
        ({"created_at": {"$before": ["2020-01-01T00:00:00Z"]}}, []),
        ({"created_at": {"$more_than": ["2020-01-01"]}, "price": {"$less_than": [200]}}, ["apple"]),
        ({"created_at": {"$less_than_ago": [3]}, "sku": {"$has_value": ["true"]}}, ["shirt-s", "shirt-xl"]),
        ({"attributes": {"$is": ["sort"]}}, ["apple"]),
        ({"attributes": {"$contains": ["red", "sort"]}}, ["apple", "shirt-s"]),
        ({"attributes": {"$not_in": ["size", "S"]}}, ["apple", "shirt-xl"]),
        ({"metadata__brand": {"$is": ["Acme"]}}, ["shirt", "shirt-s", "shirt-xl"]),
        ({"metadata__brand": {"$is": "Farm"}}, ["apple"]),
        ({"metadata__organic": {"$is": [True]}}, ["apple"]),
        ({"metadata__organic": {"$is_unknown": []}, "price": {"$is": [4_500]}}, ["shirt-s"]),
        ({"metadata__weight": {"$less_than": [0.5]}}, ["shirt-xl"]),
        ({"metadata__sizes": {"$is": ["XL"]}}, ["shirt"]),
        ({"metadata__sizes": {"$count": [2]}}, ["shirt"]),
        ({"metadata__origin__country": {"$is": ["PL"]}}, ["apple"]),
    ],
)
async def test_a_filter_finds(
    client: Any, pool: db.Pool, fields: dict[str, Any], expected: list[str]
) -> None:
    await catalog(client)
    made = await found_by(client, **fields)
    assert await inside(client, made) == expected
    known = await members.all_of(pool, client.project_id)
    names = ["apple", "shirt", "shirt-s", "shirt-xl", "nothing"]
    asked = await members.resolved(pool, client.project_id, known.values(), names, "UTC")
    assert asked[made["id"]].members & set(names) == set(expected), "an offer sees what the list shows"
    assert asked[made["id"]].filter is None


async def test_either_or_both(client: Any) -> None:
    await catalog(client)
    fields: dict[str, Any] = {"price": {"$less_than": [4_800]}, "metadata__brand": {"$is": ["Acme"]}}
    assert await inside(client, await found_by(client, "and", **fields)) == ["shirt-s"]
    assert len(await inside(client, await found_by(client, "OR", **fields))) == 4


async def test_a_filter_follows_the_catalog_and_can_change(client: Any) -> None:
    await catalog(client)
    made = await found_by(client, metadata__brand={"$is": ["Farm"]})
    await post(client, "/v1/products", source_id="pear", metadata={"brand": "Farm"})
    assert await inside(client, made) == ["apple", "pear"]
    await client.put("/v1/products/apple", json={"metadata": {"brand": "Other"}})
    assert await inside(client, made) == ["pear"]
    address = f"/v1/product-collections/{made['id']}"
    answer = await client.put(address, json={"filter": {"price": {"conditions": {"$is": [100]}}}})
    assert answer.json()["filter"] == {"junction": "and", "price": {"conditions": {"$is": [100]}}}
    assert await inside(client, made) == ["apple"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": "STATIC"}, ""),
        ({"name": "x", "type": "DYNAMIC"}, "type"),
        ({"name": "", "type": "STATIC"}, "name"),
        ({"name": "x", "type": "AUTO_UPDATE"}, "filter"),
        ({"name": "x", "type": "AUTO_UPDATE", "filter": {}}, "filter"),
        ({"name": "x", "type": "AUTO_UPDATE", "filter": {"junction": "xor"}}, "filter.junction"),
        ({"name": "x", "type": "STATIC", "filter": {"name": {"conditions": {"$is": ["a"]}}}}, "filter"),
        ({"name": "x", "type": "STATIC", "products": [{"object": "cart", "id": "a"}]}, "products[0].object"),
    ],
)
async def test_what_cannot_be(client: Any, body: dict[str, Any], path: str) -> None:
    answer = await client.post("/v1/product-collections", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text
    assert answer.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("field", "conditions", "path"),
    [
        ("shoe_size", {"$is": [5]}, "filter.shoe_size"),
        ("price", {"$is": ["cheap"]}, "filter.price.conditions.$is[0]"),
        ("price", {"$equals": [5]}, "filter.price.conditions.$equals"),
        ("price", {"$contains": ["5"]}, "filter.price.conditions.$contains"),
        ("created_at", {"$after": ["soon"]}, "filter.created_at.conditions.$after[0]"),
        ("metadata.since", {"$not_differ": ["a"]}, "filter.metadata.since.conditions.$not_differ"),
        ("attributes", {"$starts_with": ["a"]}, "filter.attributes.conditions.$starts_with"),
    ],
)
async def test_filters_that_cannot_be(client: Any, field: str, conditions: Any, path: str) -> None:
    body = {"name": "x", "type": "AUTO_UPDATE", "filter": {field: {"conditions": conditions}}}
    answer = await client.post("/v1/product-collections", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text
    assert answer.json()["errors"][0]["path"] == path


async def test_products_that_are_not_there(client: Any, stranger: Any) -> None:
    await catalog(stranger)
    for thing in ({"id": "apple"}, {"object": "sku", "id": "shirt-s"}, {"id": "prod_unknown"}):
        body = {"name": "x", "type": "STATIC", "products": [thing]}
        answer = await client.post("/v1/product-collections", json=body)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    made = await static(client)
    answer = await client.put(f"/v1/product-collections/{made['id']}", json={"filter": {"price": {}}})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "filter")


@pytest.mark.parametrize(
    "body",
    [
        {"applicable_to": {"included": [{"object": "products_collection", "id": "%s"}]}},
        {"rules": {"1": {"name": "order.items.any", "conditions": {"$from": ["%s"]}}}},
        {"bundle_rules": {"products": [{"products_collections": ["%s"]}]}},
    ],
)
async def test_a_collection_that_a_rule_speaks_of_stays(
    client: Any, pool: db.Pool, body: dict[str, Any]
) -> None:
    made = await static(client)
    stored = str(body).replace("'", '"') % made["id"]
    insert = "insert into validation_rules (project_id, id, name, body) values ($1, 'val_1', 'Fruit', $2)"
    await db.execute(pool, insert, client.project_id, stored)
    address = f"/v1/product-collections/{made['id']}"
    answer = await client.delete(address)
    assert (answer.status_code, answer.json()["key"]) == (400, "resource_in_use")
    assert answer.json()["related_object_ids"] == ["val_1"]
    assert (await client.get(address)).status_code == 200
    await db.execute(pool, "delete from validation_rules where project_id = $1", client.project_id)
    assert (await client.delete(address)).status_code == 204
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/products")):
        assert (await client.request(method, address + path, json={})).status_code == 404


async def test_collections_are_apart(client: Any, stranger: Any, pool: db.Pool) -> None:
    await catalog(client)
    await catalog(stranger)
    made = await found_by(client, metadata__brand={"$is": ["Farm"]})
    await static(stranger, {"id": "apple"})
    assert await inside(client, made) == ["apple"]
    assert (await stranger.get(f"/v1/product-collections/{made['id']}")).status_code == 404
    known = await members.all_of(pool, stranger.project_id)
    apple = (await stranger.get("/v1/products/apple")).json()
    assert [one.members for one in known.values()] == [frozenset({"apple", apple["id"]})]
