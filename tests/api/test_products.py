"""Products and SKUs over the API: shapes, upsert, the bin, whose SKU it is, lists, bad input."""

from collections.abc import Callable
from typing import Any

import pytest

PHONE = {
    "source_id": "phone",
    "name": "Phone",
    "price": 200_000,
    "attributes": ["color", "memory"],
    "metadata": {"vendor": "shop", "weight": 0.2},
    "image_url": "https://shop.example.test/phone.png",
}
RED = {
    "source_id": "phone-red",
    "sku": "Phone, red",
    "price": 210_000,
    "currency": "EUR",
    "attributes": {"color": "red", "memory": 64},
    "image_url": None,
    "metadata": {"lot": 7},
}


async def post(client: Any, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def product(client: Any, **body: Any) -> dict[str, Any]:
    return await post(client, "/v1/products", **(PHONE | body))


async def sku(client: Any, of: dict[str, Any], **body: Any) -> dict[str, Any]:
    return await post(client, f"/v1/products/{of['id']}/skus", **(RED | body))


async def status(client: Any, path: str) -> int:
    return (await client.get(path)).status_code


async def test_a_product_comes_back_whole(client: Any) -> None:
    made = await product(client)
    assert made["id"].startswith("prod_")
    assert made == PHONE | {
        "id": made["id"], "created_at": made["created_at"], "updated_at": None, "object": "product",
    }  # fmt: skip
    no_skus = {"object": "list", "data_ref": "data", "data": [], "total": 0}
    for key in (made["id"], "phone"):
        assert (await client.get(f"/v1/products/{key}")).json() == made | {"skus": no_skus}


async def test_what_is_not_known_is_null(client: Any) -> None:
    made = await post(client, "/v1/products")
    del made["id"], made["created_at"]
    assert made == {
        "source_id": None, "name": None, "price": None, "attributes": [], "metadata": {}, "image_url": None,
        "updated_at": None, "object": "product",
    }  # fmt: skip


async def test_a_sku_comes_back_whole_and_with_its_product(client: Any) -> None:
    of = await product(client)
    made = await sku(client, of, name="unknown here")
    assert made["id"].startswith("sku_")
    assert made == RED | {
        "id": made["id"],
        "product_id": of["id"],
        "created_at": made["created_at"],
        "updated_at": None,
        "object": "sku",
    }
    for key in (made["id"], "phone-red"):
        assert (await client.get(f"/v1/skus/{key}")).json() == made
    whole = (await client.get("/v1/products/phone")).json()
    assert whole["skus"] == {"object": "list", "data_ref": "data", "data": [made], "total": 1}
    listed = (await client.get("/v1/products")).json()["products"]
    assert listed == [whole]


async def test_upsert_by_source_id_and_by_id(client: Any) -> None:
    made = await product(client)
    again = await post(client, "/v1/products", source_id="phone", price=1, metadata={"vendor": "mall"})
    assert (again["id"], again["price"], again["name"]) == (made["id"], 1, "Phone")
    assert again["metadata"] == {"vendor": "mall", "weight": 0.2}
    assert again["updated_at"] is not None
    by_id = await post(client, "/v1/products", id=made["id"], source_id="ignored", name=None)
    assert (by_id["source_id"], by_id["name"], by_id["price"]) == ("phone", None, 1)
    assert await post(client, "/v1/products", source_id="phone") == by_id
    first = await sku(client, made)
    second = await post(client, "/v1/products/phone/skus", source_id="phone-red", price=5)
    assert (second["id"], second["price"], second["sku"]) == (first["id"], 5, "Phone, red")
    third = await post(client, "/v1/products/phone/skus", id=first["id"], currency=None)
    assert (third["price"], third["currency"]) == (5, None)
    assert (await client.get("/v1/products")).json()["total"] == 1


async def test_unknown_ids_make_nothing(client: Any) -> None:
    answer = await client.post("/v1/products", json={"id": "prod_nobody"})
    assert answer.status_code == 404
    answer = await client.post("/v1/products/prod_nobody/skus", json=RED)
    assert (answer.status_code, answer.json()["resource_type"]) == (404, "product")
    of = await product(client)
    answer = await client.post(f"/v1/products/{of['id']}/skus", json={"id": "sku_nobody"})
    assert (answer.status_code, answer.json()["resource_type"]) == (404, "sku")


@pytest.mark.parametrize("by", ["id", "source_id"])
async def test_update(client: Any, by: str) -> None:
    of = await product(client)
    its = await sku(client, of)
    changed = (await client.put(f"/v1/products/{of[by]}", json={"price": 7, "attributes": None})).json()
    assert (changed["price"], changed["attributes"], changed["name"]) == (7, [], "Phone")
    path = f"/v1/products/{of[by]}/skus/{its[by]}"
    changed = (await client.put(path, json={"sku": "x", "attributes": None, "metadata": None})).json()
    assert (changed["sku"], changed["attributes"], changed["metadata"]) == ("x", {}, {})
    assert changed["price"] == RED["price"]


async def test_a_sku_belongs_to_one_product(client: Any) -> None:
    of = await product(client)
    its = await sku(client, of)
    other = await product(client, source_id="tablet")
    answer = await client.post(f"/v1/products/{other['id']}/skus", json=RED)
    assert (answer.status_code, answer.json()["key"]) == (409, "duplicate_found")
    path = f"/v1/products/{other['id']}/skus/{its['id']}"
    assert (await client.put(path, json={"price": 1})).status_code == 404
    assert (await client.delete(path)).status_code == 404
    assert (await client.get(f"/v1/skus/{its['id']}")).json() == its


async def test_the_bin_keeps_the_source_id_and_force_frees_it(client: Any) -> None:
    of = await product(client)
    its = await sku(client, of)
    answer = await client.delete("/v1/products/phone")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in (
        "/v1/products/phone",
        f"/v1/products/{of['id']}",
        f"/v1/skus/{its['id']}",
        "/v1/products/phone/skus",
    ):
        assert await status(client, path) == 404
    assert (await client.get("/v1/products")).json()["total"] == 0
    assert (await client.delete("/v1/products/phone")).status_code == 404
    answer = await client.post("/v1/products", json=PHONE)
    assert (answer.status_code, answer.json()["key"]) == (409, "duplicate_found")
    assert (await client.delete("/v1/products/phone?force=true")).status_code == 204
    again = await product(client)
    assert again["id"] != of["id"]
    assert (await sku(client, again))["id"] != its["id"]


async def test_a_skus_bin(client: Any) -> None:
    of = await product(client)
    its = await sku(client, of)
    path = f"/v1/products/phone/skus/{its['source_id']}"
    assert (await client.delete(path)).status_code == 204
    assert await status(client, f"/v1/skus/{its['id']}") == 404
    assert (await client.post("/v1/products/phone/skus", json=RED)).status_code == 409
    assert (await client.get("/v1/products/phone")).json()["skus"]["total"] == 0
    assert (await client.delete(path + "?force=true")).status_code == 204
    assert (await sku(client, of))["id"] != its["id"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": 5}, "name"),
    ({"price": -1}, "price"),
    ({"price": "100"}, "price"),
    ({"price": 10.5}, "price"),
    ({"price": 2**53}, ""),
    ({"source_id": ""}, "source_id"),
    ({"metadata": [1]}, "metadata"),
    ({"image_url": "x" * 3000}, "image_url"),
]


@pytest.mark.parametrize(
    ("body", "path"), [*BAD, ({"attributes": "color"}, "attributes"), ({"attributes": [1]}, "attributes[0]")]
)
async def test_bad_products_name_their_field(client: Any, body: dict[str, Any], path: str) -> None:
    answer = await client.post("/v1/products", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
    assert (await client.get("/v1/products")).json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "path"), [({"sku": 1}, "sku"), ({"attributes": []}, "attributes"), ({"price": -1}, "price")]
)
async def test_bad_skus_name_their_field(client: Any, body: dict[str, Any], path: str) -> None:
    of = await product(client)
    answer = await client.post(f"/v1/products/{of['id']}/skus", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]


async def test_another_projects_products_do_not_exist(client: Any, stranger: Any) -> None:
    theirs = await product(stranger)
    its = await sku(stranger, theirs)
    for product_key, sku_key in ((theirs["id"], its["id"]), ("phone", "phone-red"), ("nobody", "nobody")):
        for method, path, key in (
            ("GET", f"/v1/products/{product_key}", product_key),
            ("PUT", f"/v1/products/{product_key}", product_key),
            ("DELETE", f"/v1/products/{product_key}?force=true", product_key),
            ("GET", f"/v1/products/{product_key}/skus", product_key),
            ("POST", f"/v1/products/{product_key}/skus", product_key),
            ("PUT", f"/v1/products/{product_key}/skus/{sku_key}", product_key),
            ("DELETE", f"/v1/products/{product_key}/skus/{sku_key}", product_key),
            ("GET", f"/v1/skus/{sku_key}", sku_key),
        ):
            answer = await client.request(method, path, json={} if method in ("PUT", "POST") else None)
            body = answer.json()
            assert (answer.status_code, body["key"], body["resource_id"]) == (404, "not_found", key)
    assert (await stranger.get(f"/v1/skus/{its['id']}")).json() == its


GOODS: list[dict[str, Any]] = [
    {"source_id": f"g{index:02}", "name": name, "price": price, "metadata": {"shelf": index % 3}}
    for index, (name, price) in enumerate(
        [("Tea", 300), ("Coffee", 700), ("Milk", None), ("Bread", 250), (None, 99), ("Oat milk", 180)]
    )
]
FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"filters[price][conditions][$more_than]": "200"}, lambda g: (g["price"] or 0) > 200),
    ({"filters[price][conditions][$less_than_equal]": "250"}, lambda g: g["price"] is not None and g["price"] <= 250),
    ({"filters[price][conditions][$is_unknown]": ""}, lambda g: g["price"] is None),
    ({"filters[name][conditions][$ends_with]": "ilk"}, lambda g: (g["name"] or "").endswith("ilk")),
    ({"filters[source_id][conditions][$in][0]": "g01"}, lambda g: g["source_id"] == "g01"),
    ({"filters[metadata.shelf][conditions][$is]": "1"}, lambda g: g["metadata"]["shelf"] == 1),
    ({"start_date": "2020-01-01"}, lambda g: True),
    ({"start_date": "2020-01-01", "end_date": "2021-01-01"}, lambda g: False),
]  # fmt: skip


async def test_filters_and_paging(client: Any) -> None:
    of = await product(client, source_id="zzz", name="parent", price=1_000_000)
    for good in GOODS:
        await post(client, "/v1/products", **good)
        await post(
            client,
            f"/v1/products/{of['id']}/skus",
            source_id=good["source_id"],
            sku=good["name"],
            price=good["price"],
            metadata=good["metadata"],
        )
    for query, test in FILTERS:
        wanted = [good["source_id"] for good in GOODS if test(good)]
        asked = {"order": "source_id", "limit": "100"} | query
        products = (await client.get("/v1/products", params=asked)).json()
        found = [p["source_id"] for p in products["products"] if p["source_id"] != "zzz"]
        assert found == wanted, query
        asked = {name.replace("[name]", "[sku]"): value for name, value in asked.items()}
        skus = (await client.get(f"/v1/products/{of['id']}/skus", params=asked)).json()
        assert (skus["object"], skus["data_ref"], skus["total"]) == ("list", "skus", len(wanted))
        assert [s["source_id"] for s in skus["skus"]] == wanted, query
    by_price = {"order": "-price", "limit": "2", "filters[price][conditions][$has_value]": ""}
    first = (await client.get("/v1/products/zzz/skus", params=by_price)).json()
    assert [s["price"] for s in first["skus"]] == [700, 300]
    rest = by_price | {"starting_after_id": first["more_starting_after"]}
    second = (await client.get("/v1/products/zzz/skus", params=rest)).json()
    assert [s["price"] for s in second["skus"]] == [250, 180]
    third = (await client.get("/v1/products/zzz/skus", params=by_price | {"page": "3"})).json()
    assert [s["price"] for s in third["skus"]] == [99]


@pytest.mark.parametrize("query", [{"start_date": "x"}, {"order": "code"}, {"limit": "1000"}, {"page": "-1"}])
async def test_bad_queries_are_named(client: Any, query: dict[str, str]) -> None:
    answer = await client.get("/v1/products", params=query)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")
    assert [fault["path"] for fault in answer.json()["errors"]] == list(query)
