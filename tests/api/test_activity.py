"""What happened to a customer, a segment and a product collection, from the events."""

from typing import Any

import pytest

from guerdon.kit import db
from guerdon.kit.outbox import Event, emit

from .checkout import code, post, read, redeem
from .conftest import Client
from .promotions import promotion, tier
from .test_qualifications import a_customer, bulk

REDEEMED = "customer.redemption.succeeded"


def types(answer: dict[str, Any]) -> list[str]:
    return [one["type"] for one in answer["data"]]


async def bought(client: Client, customer_id: str) -> dict[str, Any]:
    """A redemption of a code of a campaign, with an order of two teas."""
    await bulk(client, "teas", "TEA")
    product = await post(client, "/v1/products", {"name": "Tea", "source_id": "tea", "price": 2500})
    order = {"source_id": "first", "items": [{"product_id": product["id"], "quantity": 2}], "status": "PAID"}
    return await redeem(client, "TEA", customer={"id": customer_id}, order=order)


async def test_a_customers_activity(client: Client) -> None:
    anna = (await post(client, "/v1/customers", {"source_id": "anna", "name": "Anna"}))["id"]
    redemption = (await bought(client, anna))["redemptions"][0]
    where = f"/v1/customers/{anna}/activity"
    answer = await read(client, where)
    assert (answer["object"], answer["data_ref"], answer["has_more"]) == ("list", "data", False)
    assert "total" not in answer
    assert sorted(types(answer)) == sorted(
        [REDEEMED, "customer.order.created", "customer.order.paid", "customer.created"]
    )
    assert types(answer)[-1] == "customer.created"
    one = next(one for one in answer["data"] if one["type"] == REDEEMED)
    about = one["data"]["data"]
    assert (
        one["id"].startswith("ev_") and one["group_id"].startswith("v-") and one["created_at"].endswith("Z")
    )
    assert about["customer"] == {"id": anna, "source_id": "anna", "name": "Anna", "object": "customer"}
    assert (about["redemption"]["id"], about["redemption"]["amount"]) == (redemption["id"], 1000)
    assert (about["voucher"]["code"], about["campaign"]["name"]) == ("TEA", "teas")
    assert (about["order"]["total_amount"], about["order"]["status"]) == (4000, "PAID")
    assert await read(client, "/v1/customers/anna/activity") == answer
    await post(client, f"/v1/redemptions/{redemption['id']}/rollback", {"reason": "late"})
    rolled = (await read(client, where + "?type=customer.redemption.rollback.succeeded"))["data"]
    assert [one["data"]["data"]["redemption"]["redemption"] for one in rolled] == [redemption["id"]]
    refused = await code(client, redemption={"quantity": 1})
    await redeem(client, refused)
    await redeem(client, refused, status=400, customer={"id": anna})
    failed = (await read(client, where + "?type=customer.redemption.failed"))["data"]
    assert [one["data"]["data"]["redemption"]["failure_code"] for one in failed] == ["quantity_exceeded"]


async def test_a_customers_activity_is_walked_and_narrowed(client: Client, pool: db.Pool) -> None:
    anna = await a_customer(client, "anna")
    await bought(client, anna)
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    asked = {"redeemables": [{"object": "promotion_tier", "id": tier_id}], "order": {"amount": 5000}}
    await post(client, "/v1/redemptions", asked | {"customer": {"id": anna}})
    given = Event("voucher.gift.balance_aded", "v_1", anna, {"balance": {"amount": 5}})
    entered = Event("customer.segment.entered", anna, anna, {"segment": {"id": "seg_1"}})
    async with pool.acquire() as conn:
        await emit(conn, client.project_id, [given, entered])
    where = f"/v1/customers/{anna}/activity"
    whole = types(await read(client, where + "?limit=50"))
    walked: list[str] = []
    after = ""
    while True:
        page = await read(client, f"{where}?limit=2{after}")
        walked += types(page)
        if not page["has_more"]:
            break
        after = f"&starting_after_id={page['more_starting_after']}"
    assert walked == whole and len(whole) == 9
    assert types(await read(client, where + "?limit=50&order=created_at"))[0] == "customer.created"
    effects = await read(client, where + "?category=EFFECT")
    assert sorted(types(effects)) == ["customer.segment.entered", "customer.voucher.gift.balance_added"]
    assert effects["data"][0]["data"]["data"].keys() - {"balance", "segment"} == {"customer"}
    actions = types(await read(client, where + "?category=ACTION&limit=50"))
    assert len(actions) == 7 and not set(actions) & set(types(effects))
    by_type = await read(client, where + "?type=customer.voucher.gift.balance_added")
    assert types(by_type) == ["customer.voucher.gift.balance_added"]
    of_tier = await read(client, f"{where}?campaign_id={made['id']}")
    assert [one["data"]["data"]["promotion_tier"]["id"] for one in of_tier["data"]] == [tier_id]
    coupons = await read(client, where + "?campaign_type=DISCOUNT_COUPONS")
    assert [one["data"]["data"]["voucher"]["code"] for one in coupons["data"]] == ["TEA"]
    assert types(await read(client, where + "?end_date=2020-01-01")) == []
    assert len(types(await read(client, where + "?start_date=2020-01-01&limit=50"))) == 9


async def test_a_customers_activities_in_the_older_shape(client: Client) -> None:
    anna = await a_customer(client, "anna")
    await bought(client, anna)
    await redeem(client, await code(client), customer={"id": anna})
    where = f"/v1/customers/{anna}/activities"
    whole = await read(client, where + "?limit=3")
    assert (whole["total"], len(whole["data"]), whole["has_more"]) == (7, 3, True)
    product = (await read(client, "/v1/products/tea"))["id"]
    assert sorted(types(await read(client, f"{where}?product_id={product}"))) == [
        "customer.order.created",
        "customer.order.paid",
        REDEEMED,
    ]
    first = whole["data"][0]["created_at"]
    older = await read(client, where + f"?limit=50&starting_after={first}")
    assert 0 < older["total"] < 7 and {one["id"] for one in whole["data"][:1]}.isdisjoint(
        one["id"] for one in older["data"]
    )
    assert (await read(client, where + f"?limit=50&order=created_at&starting_after={first}"))["total"] < 7


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "order=type", "type=redemption", "category=NONE", "campaign_type=NONE",
     "start_date=soon", "end_date=13", "starting_after_id=ev_nowhere"],
)  # fmt: skip
async def test_activity_that_cannot_be_asked_for(client: Client, query: str) -> None:
    await a_customer(client, "anna")
    answer = await client.get(f"/v1/customers/anna/activity?{query}")
    assert answer.status_code == 400 and query.split("=")[0] in answer.json()["details"]
    assert (await client.get("/v1/customers/nobody/activity")).status_code == 404
    assert (await client.get("/v1/customers/nobody/activities")).status_code == 404


async def test_what_happened_to_a_segment(client: Client, pool: db.Pool) -> None:
    vip = {"metadata.tier": {"conditions": {"$is": ["gold"]}}}
    made = await post(client, "/v1/segments", {"name": "gold", "type": "passive", "filter": vip})
    other = await post(client, "/v1/segments", {"name": "other", "customers": []})
    assert (await client.put(f"/v1/segments/{made['id']}", json={"name": "Gold"})).status_code == 200
    anna = await a_customer(client, "anna")
    about = {"segment": {"id": made["id"], "name": "Gold", "object": "segment"}}
    async with pool.acquire() as conn:
        await emit(conn, client.project_id, [Event("customer.segment.entered", anna, anna, about)])
    where = f"/v1/segments/{made['id']}/activities"
    answer = await read(client, where)
    assert types(answer) == ["customer.segment.entered", "segment.updated", "segment.created"]
    assert answer["data"][0]["data"]["data"] == {"customer": {"id": anna, "object": "customer"}} | about
    assert answer["data"][2]["data"]["data"]["segment"]["name"] == "gold"
    page = await read(client, where + "?limit=1")
    assert page["has_more"] is True
    second = await read(client, f"{where}?limit=1&starting_after_id={page['more_starting_after']}")
    assert types(second) == ["segment.updated"]
    assert types(await read(client, where + "?order=created_at"))[0] == "segment.created"
    assert types(await read(client, f"/v1/segments/{other['id']}/activities")) == ["segment.created"]
    assert (await client.delete(f"/v1/segments/{other['id']}")).status_code == 204
    assert (await client.get(f"/v1/segments/{other['id']}/activities")).status_code == 404
    sql = "select type from events where project_id = $1 and entity_id = $2 order by created_at desc limit 1"
    assert await db.value(pool, sql, client.project_id, other["id"]) == "segment.deleted"


async def test_what_happened_to_a_collection(client: Client, pool: db.Pool) -> None:
    made = await post(client, "/v1/product-collections", {"name": "teas", "type": "STATIC", "products": []})
    where = f"/v1/product-collections/{made['id']}"
    assert (await client.put(where, json={"name": "Teas"})).status_code == 200
    assert (await client.put(where, json={"name": "Teas"})).status_code == 200  # changes nothing
    answer = await read(client, where + "/activities")
    assert types(answer) == ["product_collection.updated", "product_collection.created"]
    assert answer["data"][0]["data"]["data"]["products_collection"]["name"] == "Teas"
    assert answer["data"][0]["group_id"].startswith("v-")
    assert (await client.delete(where)).status_code == 204
    assert (await client.get(where + "/activities")).status_code == 404
    sql = "select count(*) from events where project_id = $1 and entity_id = $2"
    assert await db.value(pool, sql, client.project_id, made["id"]) == 3
