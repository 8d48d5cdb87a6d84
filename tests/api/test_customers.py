"""Customers over the API: shapes, upsert, null and absent, bad input, lists, and what they have done so far."""

from collections.abc import Callable
from typing import Any

import pytest

from guerdon.kit import db

NOTHING_YET = {
    "redemptions": {
        "total_redeemed": 0,
        "total_failed": 0,
        "total_succeeded": 0,
        "total_rolled_back": 0,
        "total_rollback_failed": 0,
        "total_rollback_succeeded": 0,
        "gift": {"redeemed_amount": 0, "amount_to_go": 0},
        "loyalty_card": {"redeemed_points": 0, "points_to_go": 0},
    },
    "orders": {"total_amount": 0, "total_count": 0, "average_amount": 0, "last_order_amount": 0},
}
ADA = {
    "source_id": "ada@example.test",
    "name": "Ada Byron",
    "email": "ada@example.test",
    "phone": "+44 20 7946 0000",
    "description": "likes engines",
    "birthdate": "1985-12-10",
    "address": {"city": "London", "line_1": "12 St James's Square", "country": "GB"},
    "metadata": {"tier": "gold", "visits": 3},
}


async def create(client: Any, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/customers", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def fault_paths(answer: Any) -> list[str]:
    body = answer.json()
    assert (answer.status_code, body["code"], body["key"]) == (400, 400, "invalid_payload"), answer.text
    return [fault["path"] for fault in body["errors"]]


async def events(pool: db.Pool, client: Any, entity_id: str) -> list[str]:
    sql = "select type from events where project_id = $1 and entity_id = $2 order by created_at, id"
    return [record["type"] for record in await db.records(pool, sql, client.project_id, entity_id)]


async def test_a_customer_comes_back_whole(client: Any) -> None:
    made = await create(client, **ADA)
    assert made["id"].startswith("cust_")
    assert made["created_at"].endswith("Z") and "updated_at" not in made
    assert made == ADA | {
        "id": made["id"],
        "summary": NOTHING_YET,
        "loyalty": {"points": 0, "referred_customers": 0, "campaigns": {}},
        "referrals": {"total": 0, "campaigns": []},
        "system_metadata": {},
        "created_at": made["created_at"],
        "object": "customer",
    }
    assert (await client.get(f"/v1/customers/{made['id']}")).json() == made
    assert (await client.get("/v1/customers/ada@example.test")).json() == made


async def test_what_is_not_known_is_left_out(client: Any) -> None:
    made = await create(client)
    assert set(made) == {
        "id", "summary", "loyalty", "referrals", "metadata", "system_metadata", "created_at", "object",
    }  # fmt: skip


async def test_upsert_by_source_id_and_by_id(client: Any, pool: db.Pool) -> None:
    made = await create(client, **ADA)
    again = await create(client, source_id=ADA["source_id"], name="Ada Lovelace", metadata={"tier": "silver"})
    assert again["id"] == made["id"]
    assert again["name"] == "Ada Lovelace"
    assert again["email"] == ADA["email"]
    assert again["metadata"] == {"tier": "silver", "visits": 3}
    assert "updated_at" in again
    by_id = await create(client, id=made["id"], source_id="ignored", phone=None)
    assert by_id["source_id"] == ADA["source_id"]
    assert "phone" not in by_id
    assert (await client.get("/v1/customers")).json()["total"] == 1
    assert await events(pool, client, made["id"]) == [
        "customer.created",
        "customer.updated",
        "customer.updated",
    ]


async def test_saying_the_same_again_changes_nothing(client: Any, pool: db.Pool) -> None:
    made = await create(client, **ADA)
    assert await create(client, **ADA) == made
    assert (await client.put(f"/v1/customers/{made['id']}", json={})).json() == made
    assert await events(pool, client, made["id"]) == ["customer.created"]


async def test_an_unknown_id_makes_no_customer(client: Any) -> None:
    answer = await client.post("/v1/customers", json={"id": "cust_nobody", "source_id": "x"})
    assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert (await client.get("/v1/customers")).json()["total"] == 0


@pytest.mark.parametrize("by", ["id", "source_id"])
async def test_update(client: Any, by: str) -> None:
    made = await create(client, **ADA)
    answer = await client.put(f"/v1/customers/{made[by]}", json={"name": "Countess", "source_id": "other"})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["source_id"]) == ("Countess", ADA["source_id"])
    assert changed["address"] == ADA["address"]


async def test_null_clears_what_it_names(client: Any) -> None:
    made = await create(client, **ADA)
    gone = ("name", "email", "phone", "description", "birthdate", "address")
    answer = await client.put(f"/v1/customers/{made['id']}", json=dict.fromkeys((*gone, "metadata")))
    changed = answer.json()
    assert not set(gone) & set(changed)
    assert changed["metadata"] == {}


async def test_unknown_fields_are_dropped(client: Any) -> None:
    made = await create(client, source_id="s", nickname="x", summary={"orders": 1}, object="customer")
    assert "nickname" not in made and made["summary"] == NOTHING_YET


async def test_birthday_is_the_old_name_of_birthdate(client: Any) -> None:
    made = await create(client, birthday="1990-02-28T00:00:00.000Z")
    assert made["birthdate"] == "1990-02-28"


BAD: list[tuple[Any, str]] = [
    ({"name": 1}, "name"),
    ({"email": "x" * 513}, "email"),
    ({"source_id": ""}, "source_id"),
    ({"source_id": 7}, "source_id"),
    ({"source_id": "x" * 513}, "source_id"),
    ({"metadata": []}, "metadata"),
    ({"metadata": "x"}, "metadata"),
    ({"address": "London"}, "address"),
    ({"address": {"city": 5}}, "address.city"),
    ({"birthdate": "1990-02-30"}, "birthdate"),
    ({"birthdate": 1990}, "birthdate"),
    ({"birthday": "soon"}, "birthday"),
    ({"metadata": {"n": 10**16}}, ""),
    ([], ""),
    ("customer", ""),
    (5, ""),
    (None, ""),
]


@pytest.mark.parametrize(("body", "path"), BAD, ids=lambda part: str(part)[:30])
async def test_bad_input_names_its_field_and_changes_nothing(client: Any, body: Any, path: str) -> None:
    assert fault_paths(await client.post("/v1/customers", json=body)) == [path]
    assert (await client.get("/v1/customers")).json()["total"] == 0


async def test_delete_leaves_the_orders(client: Any, pool: db.Pool) -> None:
    made = await create(client, **ADA)
    order = (await client.post("/v1/orders", json={"amount": 100, "customer_id": made["id"]})).json()
    answer = await client.delete(f"/v1/customers/{ADA['source_id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(f"/v1/customers/{made['id']}")).status_code == 404
    assert (await client.delete(f"/v1/customers/{made['id']}")).status_code == 404
    assert (await client.get(f"/v1/orders/{order['id']}")).json()["customer_id"] == made["id"]
    assert (await events(pool, client, made["id"]))[-1] == "customer.deleted"


@pytest.mark.parametrize("method", ["get", "put", "delete"])
async def test_another_projects_customer_does_not_exist(client: Any, stranger: Any, method: str) -> None:
    theirs = await create(stranger, **ADA)
    bodies = []
    for key in (theirs["id"], theirs["source_id"], "cust_0000000000000000000000"):
        body = {"json": {}} if method == "put" else {}
        answer = await getattr(client, method)(f"/v1/customers/{key}", **body)
        assert answer.status_code == 404
        bodies.append({name: value for name, value in answer.json().items() if name != "request_id"})
        bodies[-1] = {name: str(value).replace(key, "KEY") for name, value in bodies[-1].items()}
    assert bodies[0] == bodies[1] == bodies[2]
    assert (await stranger.get(f"/v1/customers/{theirs['id']}")).json() == theirs


PEOPLE: list[dict[str, Any]] = [
    {
        "source_id": f"p{index:02}",
        "name": ["Ann", "Bob", "Cid"][index % 3],
        "email": f"{'ann' if index % 2 else 'bob'}@example.test",
        "address": {"city": ["Łódź", "Oslo"][index % 2], "country": ["PL", "NO"][index % 2]},
        "birthdate": f"19{70 + index}-0{1 + index % 9}-15",
        "metadata": {"visits": index, "vip": index % 4 == 0},
    }
    for index in range(12)
]


async def listed(client: Any, **query: str) -> list[str]:
    answer = await client.get("/v1/customers", params={"limit": "100", "order": "source_id"} | query)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["object"], found["data_ref"]) == ("list", "customers")
    assert found["total"] == len(found["customers"]) and found["has_more"] is False
    return [customer["source_id"] for customer in found["customers"]]


FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"email": "ann@example.test"}, lambda p: p["email"] == "ann@example.test"),
    ({"name": "Bob"}, lambda p: p["name"] == "Bob"),
    ({"city": "Łódź"}, lambda p: p["address"]["city"] == "Łódź"),
    ({"city": "Łódź", "name": "Ann"}, lambda p: p["address"]["city"] == "Łódź" and p["name"] == "Ann"),
    ({"filters[email][conditions][$starts_with][0]": "ann"}, lambda p: p["email"].startswith("ann")),
    ({"filters[name][conditions][$in][0]": "Ann", "filters[name][conditions][$in][1]": "Cid"}, lambda p: p["name"] != "Bob"),
    ({"filters[address.country][conditions][$is]": "NO"}, lambda p: p["address"]["country"] == "NO"),
    ({"filters[birthdate][conditions][$before]": "1975-01-01"}, lambda p: p["birthdate"] < "1975-01-01"),
    ({"filters[metadata.visits][conditions][$more_than]": "5"}, lambda p: p["metadata"]["visits"] > 5),
    ({"filters[metadata.vip][conditions][$is]": "true"}, lambda p: p["metadata"]["vip"]),
    ({"filters[phone][conditions][$has_value]": ""}, lambda p: False),
    ({"[created_at][after]": "2020-01-01"}, lambda p: True),
    ({"[created_at][before]": "2020-01-01"}, lambda p: False),
    ({"created_at[before]": "2020-01-01"}, lambda p: False),
    ({"[updated_at][after]": "2020-01-01"}, lambda p: False),
]  # fmt: skip


async def test_filters(client: Any) -> None:
    for person in PEOPLE:
        await create(client, **person)
    for query, test in FILTERS:
        assert await listed(client, **query) == [p["source_id"] for p in PEOPLE if test(p)], query


async def test_paging_and_orders(client: Any) -> None:
    for person in PEOPLE:
        await create(client, **person)
    made = [person["source_id"] for person in PEOPLE]
    assert await listed(client, order="-source_id") == made[::-1]
    assert await listed(client, order="created_at") == made
    first = (await client.get("/v1/customers")).json()
    assert [c["source_id"] for c in first["customers"]] == made[::-1][:10]
    assert (first["total"], first["has_more"]) == (12, True)
    assert first["more_starting_after"] == first["customers"][-1]["id"]
    params = {"starting_after_id": first["more_starting_after"]}
    rest = (await client.get("/v1/customers", params=params)).json()
    assert [c["source_id"] for c in rest["customers"]] == made[::-1][10:]
    assert (rest["total"], rest["has_more"]) == (12, False)
    second = (await client.get("/v1/customers", params={"page": "2"})).json()
    assert second["customers"] == rest["customers"]
    later = await client.get("/v1/customers", params={"starting_after": "2020-01-01", "order": "created_at"})
    assert later.json()["total"] == 12
    earlier = await client.get("/v1/customers", params={"starting_after": "2020-01-01"})
    assert earlier.json()["customers"] == []


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"page": "101"}, "page"),
        ({"order": "shoe_size"}, "order"),
        ({"starting_after_id": "cust_nobody"}, "starting_after_id"),
        ({"starting_after": "2020-01-01", "order": "source_id"}, "starting_after"),
        ({"filters[shoe][conditions][$is]": "43"}, "filters[shoe][conditions][$is]"),
    ],
)
async def test_bad_queries_are_named(client: Any, query: dict[str, str], path: str) -> None:
    answer = await client.get("/v1/customers", params=query)
    body = answer.json()
    assert (answer.status_code, body["key"]) == (400, "invalid_query_params")
    assert [fault["path"] for fault in body["errors"]] == [path]


REDEMPTION = """
    insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id,
        customer_id) values ($1, $2, $3, $4, $5, $6, 'x', $7)
"""


async def test_the_summary_counts_paid_orders_and_redemptions(client: Any, pool: db.Pool) -> None:
    made = await create(client, **ADA)
    other = await create(client, source_id="other")
    for amount, status in ((1000, "PAID"), (501, "FULFILLED"), (7, "CREATED"), (9, "CANCELED")):
        body = {"amount": amount, "status": status, "customer": {"id": made["id"]}}
        assert (await client.post("/v1/orders", json=body)).status_code == 200
    for index, (object_, result, status, of) in enumerate(
        [
            ("redemption", "SUCCESS", "SUCCEEDED", "voucher"),
            ("redemption", "SUCCESS", "ROLLED_BACK", "voucher"),
            ("redemption", "SUCCESS", "SUCCEEDED", "redemption"),
            ("redemption", "FAILURE", "FAILED", "voucher"),
            ("redemption_rollback", "SUCCESS", "SUCCEEDED", "voucher"),
            ("redemption_rollback", "FAILURE", "FAILED", "voucher"),
        ]
    ):
        await db.execute(
            pool, REDEMPTION, client.project_id, f"r_{index}", object_, result, status, of, made["id"]
        )
    listed = (await client.get("/v1/customers", params={"order": "created_at"})).json()["customers"]
    summary = listed[0]["summary"]
    date = summary["orders"].pop("last_order_date")
    assert date.endswith("Z")
    assert summary["orders"] == {
        "total_amount": 1501, "total_count": 2, "average_amount": 751, "last_order_amount": 501,
    }  # fmt: skip
    counts = {name: count for name, count in summary["redemptions"].items() if name.startswith("total")}
    assert counts == {
        "total_redeemed": 2,
        "total_succeeded": 2,
        "total_failed": 1,
        "total_rolled_back": 1,
        "total_rollback_succeeded": 1,
        "total_rollback_failed": 1,
    }
    assert (await client.get(f"/v1/customers/{made['id']}")).json()["summary"]["orders"]["total_count"] == 2
    assert listed[1]["id"] == other["id"] and listed[1]["summary"] == NOTHING_YET


async def test_too_many_query_parameters_are_a_bad_request(client: Any) -> None:
    params = [(f"filters[name][conditions][$in][{index}]", "x") for index in range(600)]
    answer = await client.get("/v1/customers", params=params)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")
