"""Orders over the API: totals, prices from the payload and the catalog, people, statuses, upsert, lists, bad input."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from guerdon.kit import db


async def create(client: Any, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/orders", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def update(client: Any, key: str, **body: Any) -> dict[str, Any]:
    answer = await client.put(f"/v1/orders/{key}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def stock(client: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A product at 1000 with a SKU at 1200."""
    product = (
        await client.post("/v1/products", json={"source_id": "shirt", "name": "Shirt", "price": 1000})
    ).json()
    body = {"source_id": "shirt-xl", "sku": "Shirt XL", "price": 1200}
    sku = (await client.post("/v1/products/shirt/skus", json=body)).json()
    return product, sku


async def events(pool: db.Pool, client: Any, entity_id: str) -> list[str]:
    sql = "select type from events where project_id = $1 and entity_id = $2 order by created_at, id"
    return sorted(record["type"] for record in await db.records(pool, sql, client.project_id, entity_id))


async def test_an_order_comes_back_whole(client: Any) -> None:
    made = await create(client, source_id="o-1", amount=20_000, metadata={"channel": "web"}, currency="EUR")
    assert made["id"].startswith("ord_")
    assert made == {
        "id": made["id"],
        "source_id": "o-1",
        "created_at": made["created_at"],
        "status": "CREATED",
        "amount": 20_000,
        "total_amount": 20_000,
        "metadata": {"channel": "web"},
        "customer_id": None,
        "referrer_id": None,
        "object": "order",
    }
    assert (await client.get(f"/v1/orders/{made['id']}")).json() == made
    assert (await client.get("/v1/orders/o-1")).json() == made


async def test_an_order_of_nothing(client: Any) -> None:
    made = await create(client)
    assert (made["status"], made["source_id"], made["metadata"]) == ("CREATED", None, {})
    assert "amount" not in made and "items" not in made


async def test_lines_are_summed_and_discounts_taken_off(client: Any) -> None:
    made = await create(
        client,
        amount=1,
        discount_amount=100,
        items=[
            {"source_id": "a", "related_object": "product", "quantity": 2, "price": 60_000},
            {
                "source_id": "b",
                "related_object": "sku",
                "quantity": "3",
                "price": 500,
                "discount_amount": 250,
            },
            {"product_id": "prod_unknown", "amount": 77},
        ],
    )
    assert [(i["amount"], i["subtotal_amount"], i["quantity"]) for i in made["items"]] == [
        (120_000, 120_000, 2), (1500, 1250, 3), (77, 77, 1),
    ]  # fmt: skip
    assert all(item["object"] == "order_item" and item["id"].startswith("ordli_") for item in made["items"])
    totals = {name: made.get(name) for name in made if name.endswith("amount")}
    assert totals == {
        "amount": 121_577,
        "discount_amount": 100,
        "items_discount_amount": 250,
        "total_discount_amount": 350,
        "total_amount": 121_227,
    }


async def test_the_stored_price_is_used_when_none_is_sent(client: Any) -> None:
    product, sku = await stock(client)
    made = await create(
        client,
        items=[
            {"product_id": product["id"], "quantity": 2},
            {"source_id": "shirt", "related_object": "product"},
            {"sku_id": sku["id"]},
            {"source_id": "shirt-xl", "related_object": "sku", "quantity": 3},
            {"source_id": "shirt-xl", "related_object": "sku", "price": 5},
            {"product_id": product["id"], "product": {"price": 7, "name": "Sent"}},
            {"product_id": product["id"], "amount": 11},
        ],
    )
    assert [item["amount"] for item in made["items"]] == [2000, 1000, 1200, 3600, 5, 7, 11]
    assert made["amount"] == 7823
    first, _, third = made["items"][:3]
    assert first["product"] == {"id": product["id"], "source_id": "shirt", "name": "Shirt", "price": 1000}
    assert third["sku"] == {"id": sku["id"], "source_id": "shirt-xl", "sku": "Shirt XL", "price": 1200}
    assert (third["product_id"], third["product"]["name"]) == (product["id"], "Shirt")
    assert made["items"][5]["product"]["name"] == "Sent"
    stored = (await client.get(f"/v1/products/{product['id']}")).json()
    assert (stored["name"], stored["price"]) == ("Shirt", 1000)


async def test_a_line_that_nobody_knows_the_price_of(client: Any) -> None:
    items = [{"source_id": "x", "related_object": "product"}, {"source_id": "y", "price": 10}]
    made = await create(client, amount=500, items=items)
    assert made["amount"] == 500
    assert "amount" not in made["items"][0]


async def test_another_projects_prices_are_not_seen(client: Any, stranger: Any) -> None:
    product, _ = await stock(stranger)
    made = await create(client, items=[{"product_id": product["id"]}])
    assert "amount" not in made and "product" not in made["items"][0]


async def test_override_writes_to_the_catalog(client: Any) -> None:
    item = {
        "source_id": "mug",
        "related_object": "product",
        "quantity": 2,
        "product": {"name": "Mug", "price": 900, "metadata": {"color": "blue"}, "override": True},
    }
    made = await create(client, items=[item])
    product = (await client.get("/v1/products/mug")).json()
    assert (product["name"], product["price"], product["metadata"]) == ("Mug", 900, {"color": "blue"})
    assert made["items"][0]["product_id"] == product["id"]
    assert made["amount"] == 1800
    assert "override" not in made["items"][0]["product"]
    sku_item = {
        "source_id": "mug-xl",
        "related_object": "sku",
        "product": {"source_id": "mug", "price": 950, "override": True},
        "sku": {"sku": "Mug XL", "price": 1100, "override": True},
    }
    made = await create(client, items=[sku_item])
    sku = (await client.get("/v1/skus/mug-xl")).json()
    assert (sku["sku"], sku["price"], sku["product_id"]) == ("Mug XL", 1100, product["id"])
    assert (await client.get("/v1/products/mug")).json()["price"] == 950
    assert made["amount"] == 1100
    changed = {"sku_id": sku["id"], "sku": {"price": 1, "override": True}}
    await create(client, items=[changed])
    sku = (await client.get("/v1/skus/mug-xl")).json()
    assert (sku["sku"], sku["price"]) == ("Mug XL", 1)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"product": {"name": "x", "override": True}}, "items[0].product"),
        ({"product_id": "prod_nobody", "product": {"override": True}}, "items[0].product"),
        ({"source_id": "s", "related_object": "sku", "sku": {"override": True}}, "items[0].sku"),
        ({"sku": {"override": True}}, "items[0].sku"),
    ],
)
async def test_an_override_must_say_of_what(client: Any, item: dict[str, Any], path: str) -> None:
    answer = await client.post("/v1/orders", json={"items": [item]})
    assert answer.status_code == 400
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
    assert (await client.get("/v1/products")).json()["total"] == 0


async def test_people_are_made_and_changed_with_the_order(client: Any, pool: db.Pool) -> None:
    made = await create(
        client,
        amount=1,
        customer={"source_id": "ada", "name": "Ada", "phone": "1"},
        referrer={"source_id": "bob"},
    )
    ada = (await client.get("/v1/customers/ada")).json()
    bob = (await client.get("/v1/customers/bob")).json()
    assert made["customer_id"] == ada["id"] and made["referrer_id"] == bob["id"]
    assert made["customer"] == {"id": ada["id"], "object": "customer"}
    assert made["referrer"] == {"id": bob["id"], "object": "customer"}
    await create(client, amount=1, customer={"id": ada["id"], "name": "Ada Byron", "phone": None})
    ada = (await client.get("/v1/customers/ada")).json()
    assert (ada["name"], ada["phone"]) == ("Ada Byron", "1")
    assert await events(pool, client, ada["id"]) == ["customer.created", "customer.updated"]


async def test_a_customer_by_name_alone_is_made(client: Any) -> None:
    made = await create(client, amount=1, customer={"name": "Walk-in"})
    found = (await client.get(f"/v1/customers/{made['customer_id']}")).json()
    assert found["name"] == "Walk-in"


@pytest.mark.parametrize("key", ["id", "source_id"])
async def test_people_by_id_alone(client: Any, key: str) -> None:
    ada = (await client.post("/v1/customers", json={"source_id": "ada"})).json()
    made = await create(client, amount=1, customer_id=ada[key], referrer_id=ada[key])
    assert (made["customer_id"], made["referrer_id"]) == (ada["id"], ada["id"])


async def test_nulls_are_as_good_as_absent(client: Any) -> None:
    nulls = dict.fromkeys(
        (
            "id",
            "source_id",
            "status",
            "amount",
            "items",
            "metadata",
            "customer",
            "customer_id",
            "referrer",
            "created_at",
        )
    )
    made = await create(client, **nulls)
    assert made["customer_id"] is None
    whole = await create(client, source_id="o", amount=5, metadata={"a": 1}, customer={"source_id": "c"})
    assert await update(client, whole["id"], **nulls) == whole
    assert (await create(client, amount=1, customer={}))["customer_id"] is None


@pytest.mark.parametrize(
    "body", [{"customer_id": "cust_nobody"}, {"customer": {"id": "cust_nobody"}}, {"id": "ord_no"}]
)
async def test_unknown_ids_are_not_found_and_make_nothing(client: Any, body: dict[str, Any]) -> None:
    answer = await client.post("/v1/orders", json={"amount": 1} | body)
    assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert (await client.get("/v1/orders")).json()["total"] == 0


async def test_upsert_by_source_id_and_by_id(client: Any, pool: db.Pool) -> None:
    made = await create(client, source_id="o", items=[{"source_id": "a", "price": 10}], metadata={"x": 1})
    again = await create(client, source_id="o", status="PAID", metadata={"y": 2}, discount_amount=4)
    assert again["id"] == made["id"]
    assert again["items"] == made["items"]
    assert (again["status"], again["amount"], again["total_amount"]) == ("PAID", 10, 6)
    assert again["metadata"] == {"x": 1, "y": 2}
    assert "updated_at" in again
    by_id = await create(client, id=made["id"], source_id="ignored", items=[{"source_id": "a", "price": 11}])
    assert (by_id["source_id"], by_id["amount"], by_id["total_amount"]) == ("o", 11, 7)
    assert by_id["items"][0]["id"] == made["items"][0]["id"]
    assert await create(client, source_id="o", status="PAID") == by_id
    assert await events(pool, client, made["id"]) == [
        "order.created",
        "order.paid",
        "order.updated",
        "order.updated",
    ]


async def test_twenty_at_once_with_one_source_id_are_one_order(client: Any) -> None:
    made = await asyncio.gather(
        *(create(client, source_id="o", amount=1, customer={"source_id": "c"}) for _ in range(20))
    )
    assert len({order["id"] for order in made}) == 1
    assert len({order["customer_id"] for order in made}) == 1
    assert (await client.get("/v1/orders")).json()["total"] == 1
    assert (await client.get("/v1/customers")).json()["total"] == 1


async def test_statuses_are_told(client: Any, pool: db.Pool) -> None:
    made = await create(client, source_id="o", amount=1, status="PAID")
    for status in ("FULFILLED", "FULFILLED", "CANCELED", "PROCESSING", "CREATED"):
        assert (await update(client, "o", status=status))["status"] == status
    assert await events(pool, client, made["id"]) == [
        "order.canceled", "order.created", "order.fulfilled", "order.paid", "order.processing",
        "order.updated", "order.updated", "order.updated", "order.updated",
    ]  # fmt: skip


async def test_update_of_amounts(client: Any) -> None:
    made = await create(client, amount=100, discount_amount=10)
    assert (await update(client, made["id"], amount=50))["total_amount"] == 40
    changed = await update(client, made["id"], discount_amount=0)
    assert changed["total_amount"] == 50 and "discount_amount" not in changed
    lines = await update(client, made["id"], items=[{"source_id": "a", "price": 7, "quantity": 3}])
    assert (lines["amount"], lines["total_amount"]) == (21, 21)
    assert (await update(client, made["id"], amount=1_000))["amount"] == 21


async def test_created_at_may_be_said(client: Any) -> None:
    made = await create(client, amount=1, created_at="2024-02-29T12:00:00+01:00")
    assert made["created_at"] == "2024-02-29T11:00:00.000Z"
    found = (await client.get("/v1/orders", params={"[created_at][before]": "2024-03-01"})).json()
    assert [order["id"] for order in found["orders"]] == [made["id"]]


BAD: list[tuple[Any, str]] = [
    ({"amount": -1}, "amount"),
    ({"amount": "100"}, "amount"),
    ({"amount": 10.5}, "amount"),
    ({"amount": 2**53}, ""),
    ({"status": "LOST"}, "status"),
    ({"items": {}}, "items"),
    ({"items": [{}] * 501}, "items"),
    ({"items": [{"quantity": 0}]}, "items[0].quantity"),
    ({"items": [{"quantity": -1}]}, "items[0].quantity"),
    ({"items": [{"quantity": "two"}]}, "items[0].quantity"),
    ({"items": [{"price": 1}, {"price": -1}]}, "items[1].price"),
    ({"items": [{"related_object": "thing"}]}, "items[0].related_object"),
    ({"items": [{"price": 2**53 - 1, "quantity": 2}]}, "items[0].price"),
    ({"items": [{"amount": 2**53 - 1}, {"amount": 1}]}, "amount"),
    ({"items": [{"price": 10, "discount_amount": 11}]}, "items[0].discount_amount"),
    ({"amount": 10, "discount_amount": 11}, "discount_amount"),
    ({"customer": "ada"}, "customer"),
    ({"customer": {"birthdate": "soon"}}, "customer.birthdate"),
    ({"referrer": {"email": 5}}, "referrer.email"),
    ({"metadata": "x"}, "metadata"),
    ({"created_at": "yesterday"}, "created_at"),
    ({"created_at": "0001-01-01T00:00:00Z"}, "created_at"),
    ([], ""),
    (7, ""),
]


@pytest.mark.parametrize(("body", "path"), BAD, ids=lambda part: str(part)[:40])
async def test_bad_input_names_its_field_and_changes_nothing(client: Any, body: Any, path: str) -> None:
    answer = await client.post("/v1/orders", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
    assert (await client.get("/v1/orders")).json()["total"] == 0


async def test_500_items_are_fine(client: Any) -> None:
    made = await create(client, items=[{"source_id": f"p{i}", "price": 1} for i in range(500)])
    assert (len(made["items"]), made["amount"]) == (500, 500)


async def test_another_projects_order_does_not_exist(client: Any, stranger: Any) -> None:
    theirs = await create(stranger, source_id="o", amount=1)
    for key in (theirs["id"], "o", "ord_0000000000000000000000"):
        for answer in (await client.get(f"/v1/orders/{key}"), await client.put(f"/v1/orders/{key}", json={})):
            assert (answer.status_code, answer.json()["key"], answer.json()["resource_id"]) == (
                404,
                "not_found",
                key,
            )
    assert (await client.post("/v1/orders", json={"id": theirs["id"], "amount": 2})).status_code == 404
    assert (await client.get("/v1/orders")).json()["total"] == 0
    assert (await stranger.get("/v1/orders/o")).json() == theirs


STATUSES = ("CREATED", "PAID", "CANCELED", "FULFILLED")
ORDERS: list[dict[str, Any]] = [
    {"source_id": f"o{i:02}", "amount": i * 100, "status": STATUSES[i % 4], "metadata": {"table": i}}
    for i in range(12)
]
FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"filters[status][conditions][$in][0]": "PAID", "filters[status][conditions][$in][1]": "FULFILLED"}, lambda o: o["status"] in ("PAID", "FULFILLED")),
    ({"filters[status][conditions][$is_not]": "PAID"}, lambda o: o["status"] != "PAID"),
    ({"filters[total_amount][conditions][$more_than_equal]": "700"}, lambda o: o["amount"] >= 700),
    ({"filters[metadata.table][conditions][$less_than]": "3"}, lambda o: o["metadata"]["table"] < 3),
    ({"filters[customer_id][conditions][$is_unknown]": ""}, lambda o: True),
    ({"filters[amount][conditions][$is]": "100", "filters[status][conditions][$is]": "PAID", "filters[junction]": "OR"}, lambda o: o["amount"] == 100 or o["status"] == "PAID"),
]  # fmt: skip


async def test_filters_and_paging(client: Any) -> None:
    made = [await create(client, **order) for order in ORDERS]
    names = [order["source_id"] for order in ORDERS]
    for query, test in FILTERS:
        params = {"order": "created_at", "limit": "100"} | query
        found = (await client.get("/v1/orders", params=params)).json()
        assert (found["object"], found["data_ref"]) == ("list", "orders")
        assert [o["source_id"] for o in found["orders"]] == [o["source_id"] for o in ORDERS if test(o)], query
        assert found["total"] == len(found["orders"])
    first = (await client.get("/v1/orders")).json()
    assert first["orders"] == made[::-1][:10]
    assert (first["total"], first["has_more"]) == (12, True)
    params = {"starting_after_id": first["more_starting_after"]}
    rest = (await client.get("/v1/orders", params=params)).json()
    assert [o["source_id"] for o in rest["orders"]] == names[::-1][10:]
    by_amount = (await client.get("/v1/orders", params={"order": "-amount", "limit": "3"})).json()
    assert [o["amount"] for o in by_amount["orders"]] == [1100, 1000, 900]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"order": "items"}, "order"),
        ({"filters[items][conditions][$is]": "1"}, "filters[items][conditions][$is]"),
    ],
)
async def test_bad_queries_are_named(client: Any, query: dict[str, str], path: str) -> None:
    answer = await client.get("/v1/orders", params=query)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
