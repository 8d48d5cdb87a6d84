"""Redemptions: one and many codes, orders and people that follow, refusals that are kept, and how they are read."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import (
    TEN_OFF,
    ask,
    code,
    events,
    everything,
    post,
    read,
    redeem,
    roll_back,
    stacking,
    used,
    validate,
    voucher,
)

PERCENT = {"type": "PERCENT", "percent_off": 10}


async def test_one_code(client: Any, pool: db.Pool) -> None:
    name = await code(client, redemption={"quantity": 3}, metadata={"season": "spring"})
    made = await redeem(client, name, tracking_id="track-me", metadata={"till": 7})
    (one,) = made["redemptions"]
    assert "parent_redemption" not in made and "inapplicable_redeemables" not in made
    assert one["id"].startswith("r_") and one["object"] == "redemption"
    assert (one["result"], one["status"], one["redemption"]) == ("SUCCESS", "SUCCEEDED", None)
    assert (one["tracking_id"], one["metadata"], one["customer_id"]) == ("track-me", {"till": 7}, None)
    assert (one["related_object_type"], one["related_object_id"]) == ("voucher", one["voucher"]["id"])
    assert one["channel"] == {"channel_type": "API", "channel_id": client.credentials.app_id}
    assert one["discount_amount"] == 1_000
    assert one["voucher"]["code"] == name and one["voucher"]["redemption"]["redeemed_quantity"] == 1
    assert one["order"] == made["order"]
    assert made["order"]["status"] == "PAID" and made["order"]["total_amount"] == 9_000
    assert list(made["order"]["redemptions"]) == [one["id"]]
    assert await used(client, name) == 1
    assert await events(pool, client, one["id"]) == ["redemption.succeeded"]
    assert await events(pool, client, made["order"]["id"]) == ["order.created", "order.paid"]


async def test_what_was_answered_is_what_is_read_later(client: Any) -> None:
    name = await code(client)
    made = await redeem(client, name, customer={"source_id": "alice", "name": "Alice"}, order={
        "source_id": "cart-1", "items": [{"source_id": "shirt", "quantity": 2, "price": 5_000}],
    })  # fmt: skip
    (one,) = made["redemptions"]
    assert await read(client, f"/v1/redemptions/{one['id']}") == one
    listed = (await read(client, "/v1/redemptions"))["redemptions"]
    assert listed == [one]
    stored = await read(client, "/v1/orders/cart-1")
    assert {name: made["order"][name] for name in ("id", "amount", "total_amount", "items", "status")} == {
        name: stored[name] for name in ("id", "amount", "total_amount", "items", "status")
    }


async def test_a_stack_is_one_redemption_with_children(client: Any, pool: db.Pool) -> None:
    amount, percent = await code(client), await code(client, PERCENT)
    made = await redeem(client, amount, percent, metadata={"till": 7}, customer={"source_id": "bob"})
    parent, (first, second) = made["parent_redemption"], made["redemptions"]
    assert parent["related_object_type"] == "redemption" and parent["redemption"] is None
    assert {first["redemption"], second["redemption"]} == {parent["id"]}
    assert [first["discount_amount"], second["discount_amount"]] == [1_000, 900]
    assert parent["discount_amount"] == 1_900
    assert [first["order"]["total_amount"], second["order"]["total_amount"]] == [9_000, 8_100]
    assert [first["order"]["applied_discount_amount"], second["order"]["applied_discount_amount"]] == [
        1_000,
        900,
    ]
    assert made["order"]["total_amount"] == parent["order"]["total_amount"] == 8_100
    assert {first["order"]["id"], second["order"]["id"], made["order"]["id"]} == {made["order"]["id"]}
    mention = made["order"]["redemptions"][parent["id"]]
    assert mention["stacked"] == [first["id"], second["id"]]
    assert {one["metadata"]["till"] for one in (parent, first, second)} == {7}
    assert [r["id"] for r in parent["related_redemptions"]["redemptions"]] == [first["id"], second["id"]]
    for one in (parent, first, second):
        assert await read(client, f"/v1/redemptions/{one['id']}") == one
        assert await events(pool, client, one["id"]) == ["redemption.succeeded"]
    assert (await read(client, "/v1/redemptions"))["total"] == 3


async def test_thirty_at_once(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, applicable_redeemables_limit=30)
    codes = [await code(client, {"type": "AMOUNT", "amount_off": 100 + n}) for n in range(30)]
    made = await redeem(client, *codes)
    assert [one["voucher"]["code"] for one in made["redemptions"]] == codes
    assert sum(one["discount_amount"] for one in made["redemptions"]) == 3_435
    assert made["order"]["total_amount"] == 10_000 - 3_435


async def test_all_or_nothing(client: Any, pool: db.Pool) -> None:
    good = await code(client)
    refused = await redeem(client, good, "UNKNOWN", status=404)
    assert (refused["key"], refused["code"], refused["resource_id"]) == ("not_found", 404, "UNKNOWN")
    assert (refused["redeemable_id"], refused["redeemable_type"]) == ("UNKNOWN", "voucher")
    assert [one["id"] for one in refused["inapplicable_redeemables"]] == ["UNKNOWN"]
    assert await used(client, good) == 0
    listed = await read(client, "/v1/redemptions?filters[result][conditions][$is]=FAILURE")
    child, parent = sorted(listed["redemptions"], key=lambda one: one["redemption"] is None)
    assert parent["failure_code"] == child["failure_code"] == "not_found"
    assert child["redemption"] == parent["id"] and parent["related_object_type"] == "redemption"
    assert await events(pool, client, parent["id"]) == ["redemption.failed"]
    assert (await read(client, "/v1/orders"))["total"] == 0


async def test_partial_redeems_what_applies(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, redeemables_application_mode="PARTIAL")
    good, other = await code(client), await code(client)
    made = await redeem(client, good, "UNKNOWN", other)
    assert [one["voucher"]["code"] for one in made["redemptions"]] == [good, other]
    assert [one["id"] for one in made["inapplicable_redeemables"]] == ["UNKNOWN"]
    assert made["order"]["total_amount"] == 8_000
    one = await redeem(client, good, "UNKNOWN")
    assert len(one["redemptions"]) == 1 and "parent_redemption" not in one
    assert [o["id"] for o in one["inapplicable_redeemables"]] == ["UNKNOWN"]
    refused = await redeem(client, "UNKNOWN", "NEITHER", status=404)
    assert refused["key"] == "no_applicable_redeemables"
    path = "/v1/redemptions?filters[failure_code][conditions][$is]=no_applicable_redeemables"
    (parent,) = (await read(client, path))["redemptions"]
    assert parent["related_object_type"] == "redemption"


async def test_a_refusal_is_kept_with_its_reason(client: Any, pool: db.Pool) -> None:
    name = await code(client, redemption={"quantity": 1})
    await redeem(client, name)
    refused = await redeem(client, name, status=400, customer={"source_id": "carol"}, metadata={"till": 7})
    assert (refused["key"], refused["code"], refused["status"]) == ("quantity_exceeded", 400, 400)
    assert await used(client, name) == 1
    (kept,) = (await read(client, "/v1/redemptions?filters[result][conditions][$is]=FAILURE"))["redemptions"]
    assert kept["id"].startswith("rf_")
    assert (kept["result"], kept["status"], kept["failure_code"]) == (
        "FAILURE",
        "FAILED",
        "quantity_exceeded",
    )
    assert kept["failure_message"] and kept["metadata"] == {"till": 7}
    assert kept["voucher"]["code"] == name and kept["customer"]["source_id"] == "carol"
    assert kept["order"]["amount"] == 10_000
    assert await read(client, f"/v1/redemptions/{kept['id']}") == kept
    assert await events(pool, client, kept["id"]) == ["redemption.failed"]


async def test_explain_is_answered_and_kept(client: Any) -> None:
    name = await code(client, PERCENT, redemption={"quantity": 1})
    (one,) = (await redeem(client, name, options={"explain": True}))["redemptions"]
    assert [check["outcome"] for check in one["explain"]["checks"]] == ["passed"] * len(
        one["explain"]["checks"]
    )
    assert one["explain"]["discount"]
    assert "explain" not in await read(client, f"/v1/redemptions/{one['id']}")
    later = await read(client, f"/v1/redemptions/{one['id']}?expand=explain")
    assert later["explain"] == one["explain"]
    refused = await redeem(client, name, status=400, options={"explain": True})
    (failing,) = refused["inapplicable_redeemables"]
    assert failing["explain"]["checks"][-1]["check"] == "redemptions_left"
    (kept,) = (await read(client, "/v1/redemptions?filters[result][conditions][$is]=FAILURE"))["redemptions"]
    later = await read(client, f"/v1/redemptions/{kept['id']}?expand=explain")
    assert later["explain"]["checks"] == failing["explain"]["checks"]


async def test_by_voucher_id(client: Any) -> None:
    name = await code(client)
    made = await redeem(client, (await voucher(client, name))["id"])
    assert made["redemptions"][0]["voucher"]["code"] == name
    assert await used(client, name) == 1


async def test_people_are_made_and_brought_up_to_date_by_a_redemption(client: Any, pool: db.Pool) -> None:
    name = await code(client)
    made = await redeem(client, name, customer={"source_id": "dora", "name": "Dora", "metadata": {"a": 1}})
    customer = await read(client, "/v1/customers/dora")
    assert made["redemptions"][0]["customer_id"] == customer["id"] == made["order"]["customer_id"]
    assert made["redemptions"][0]["tracking_id"].startswith("track_")
    assert await events(pool, client, customer["id"]) == ["customer.created"]
    again = await redeem(client, name, order={
        "amount": 10_000, "customer": {"source_id": "dora", "email": "dora@shop.test", "metadata": {"b": 2}},
    })  # fmt: skip
    assert again["redemptions"][0]["customer"]["email"] == "dora@shop.test"
    assert again["redemptions"][0]["tracking_id"] == made["redemptions"][0]["tracking_id"]
    customer = await read(client, "/v1/customers/dora")
    assert (customer["name"], customer["metadata"]) == ("Dora", {"a": 1, "b": 2})
    assert customer["summary"]["redemptions"]["total_redeemed"] == 2
    assert await events(pool, client, customer["id"]) == ["customer.created", "customer.updated"]
    by_id = await redeem(client, name, customer={"id": customer["id"]})
    assert by_id["redemptions"][0]["customer"]["source_id"] == "dora"
    assert await events(pool, client, customer["id"]) == ["customer.created", "customer.updated"]


async def test_the_referrer_of_an_order(client: Any) -> None:
    name = await code(client)
    made = await redeem(client, name, order={"amount": 10_000, "referrer": {"source_id": "friend"}})
    friend = await read(client, "/v1/customers/friend")
    assert made["order"]["referrer_id"] == friend["id"]
    made = await redeem(client, name, order={"amount": 10_000, "referrer_id": friend["id"]})
    assert made["order"]["referrer_id"] == friend["id"]
    refused = await redeem(client, name, status=404, order={"amount": 10_000, "referrer_id": "cust_unknown"})
    assert refused["resource_id"] == "cust_unknown"


async def test_a_stored_order_is_used_and_gathers_discounts(client: Any, pool: db.Pool) -> None:
    items = [{"source_id": "shirt", "quantity": 2, "price": 10_000}]
    stored = await post(
        client, "/v1/orders", {"source_id": "cart", "items": items, "metadata": {"gift": True}}
    )
    amount, percent = await code(client), await code(client, PERCENT)
    first = await redeem(client, amount, order={"source_id": "cart", "amount": 1, "items": [{"price": 1}]})
    assert first["order"]["id"] == stored["id"]
    assert (first["order"]["amount"], first["order"]["total_amount"]) == (20_000, 19_000)
    assert first["order"]["metadata"] == {"gift": True}
    second = await redeem(client, percent, order={"id": stored["id"]})
    assert second["order"]["total_amount"] == 17_100
    assert (second["order"]["discount_amount"], second["order"]["applied_discount_amount"]) == (2_900, 1_900)
    now = await read(client, "/v1/orders/cart")
    assert (now["status"], now["total_amount"], len(now["redemptions"])) == ("PAID", 17_100, 2)
    assert await events(pool, client, stored["id"]) == [
        "order.created", "order.paid", "order.updated", "order.updated",
    ]  # fmt: skip
    unknown = await redeem(client, amount, status=404, order={"id": "ord_unknown"})
    assert (unknown["key"], unknown["resource_type"]) == ("not_found", "order")


async def test_an_order_id_is_not_a_source_id(client: Any) -> None:
    await post(client, "/v1/orders", {"source_id": "cart", "amount": 5_000})
    name = await code(client)
    for odd in ("source:cart", "cart"):
        refused = await redeem(client, name, status=404, order={"id": odd})
        assert refused["resource_id"] == odd


@pytest.mark.parametrize("status", ["CREATED", "PAID", "FULFILLED", "CANCELED", "PROCESSING"])
async def test_an_order_has_the_status_that_is_said(client: Any, status: str) -> None:
    name = await code(client)
    made = await redeem(client, name, order={"amount": 10_000, "status": status})
    assert made["order"]["status"] == status
    assert (await read(client, f"/v1/orders/{made['order']['id']}"))["status"] == status


async def test_prices_of_the_catalog(client: Any) -> None:
    await post(client, "/v1/products", {"source_id": "shirt", "name": "Shirt", "price": 4_000})
    items = [
        {"source_id": "shirt", "related_object": "product", "quantity": 2},
        {"source_id": "x", "price": 1_000},
    ]
    made = await redeem(client, await code(client, PERCENT), order={"items": items})
    assert (made["order"]["amount"], made["order"]["total_amount"]) == (9_000, 8_100)
    assert made["order"]["items"][0]["product"]["name"] == "Shirt"


async def test_free_goods(client: Any) -> None:
    await post(client, "/v1/products", {"source_id": "mug", "name": "Mug", "price": 700})
    gift = {"type": "UNIT", "unit_off": 2, "unit_type": "mug", "effect": "ADD_NEW_ITEMS"}
    made = await redeem(
        client, await code(client, gift), order={"items": [{"source_id": "tea", "price": 300}]}
    )
    assert (made["order"]["amount"], made["order"]["total_amount"]) == (1_700, 300)
    assert made["order"]["initial_amount"] == 300
    assert made["order"]["items"][1]["discount_quantity"] == 2
    assert made["redemptions"][0]["discount_amount"] == 1_400
    stored = await read(client, f"/v1/orders/{made['order']['id']}")
    assert stored["items"] == made["order"]["items"]


async def test_a_campaigns_codes_and_its_switch(client: Any, pool: db.Pool) -> None:
    campaign = {
        "name": "Spring", "type": "STATIC",
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "redemption": {"quantity": 2}},
    }  # fmt: skip
    made = await post(client, "/v1/campaigns", campaign)
    await post(client, "/v1/campaigns/Spring/vouchers/SPRING-1", {})
    one = (await redeem(client, "SPRING-1"))["redemptions"][0]
    assert (one["voucher"]["campaign"], one["voucher"]["campaign_id"]) == ("Spring", made["id"])
    assert one["voucher"]["redemption"]["quantity"] == 2
    await post(client, "/v1/campaigns/Spring/disable", {})
    assert (await redeem(client, "SPRING-1", status=400))["key"] == "voucher_disabled"
    await post(client, "/v1/campaigns/Spring/enable", {})
    await redeem(client, "SPRING-1")
    assert (await redeem(client, "SPRING-1", status=400))["key"] == "quantity_exceeded"
    path = "/v1/redemptions?filters[campaign_name][conditions][$is]=Spring"
    assert (await read(client, path))["total"] == 4
    assert (await read(client, "/v1/redemptions?campaign=Spring"))["total"] == 4


async def test_a_used_code_keeps_the_terms_it_was_used_under(client: Any) -> None:
    voucher_of = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "redemption": {"quantity": 5}}
    await post(client, "/v1/campaigns", {"name": "Edited", "type": "STATIC", "voucher": voucher_of})
    for name in ("EDITED-1", "EDITED-2"):
        await post(client, f"/v1/campaigns/Edited/vouchers/{name}", {})
    await redeem(client, "EDITED-1")
    change = {"discount": {"type": "AMOUNT", "amount_off": 2_000}}
    assert (await client.put("/v1/campaigns/Edited", json=change)).status_code == 200
    assert (await validate(client, "EDITED-1"))["order"]["total_amount"] == 9_000
    assert (await validate(client, "EDITED-2"))["order"]["total_amount"] == 8_000


async def test_a_vouchers_redemptions(client: Any, pool: db.Pool) -> None:
    name = await code(client, redemption={"quantity": 9})
    fresh = await read(client, f"/v1/vouchers/{name}/redemption")
    assert (fresh["quantity"], fresh["redeemed_quantity"], fresh["redemption_entries"]) == (9, 0, [])
    ids = [(await redeem(client, name))["redemptions"][0]["id"] for _ in range(3)]
    await roll_back(client, ids[0])
    found = await read(client, f"/v1/vouchers/{name}/redemption?limit=2")
    assert (found["quantity"], found["redeemed_quantity"], found["total"]) == (9, 2, 3)
    assert [one["id"] for one in found["redemption_entries"]] == [ids[2], ids[1]]
    assert (found["object"], found["data_ref"]) == ("list", "redemption_entries")
    second = await read(client, f"/v1/vouchers/{name}/redemption?limit=2&page=2")
    assert [one["status"] for one in second["redemption_entries"]] == ["ROLLED_BACK"]
    voucher_id = (await voucher(client, name))["id"]
    assert (await read(client, f"/v1/vouchers/{voucher_id}/redemption"))["total"] == 3
    assert (await client.get("/v1/vouchers/UNKNOWN/redemption")).status_code == 404


async def test_a_campaign_codes_limit_shows_before_it_is_used(client: Any) -> None:
    voucher_of = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "redemption": {"quantity": 4}}
    await post(client, "/v1/campaigns", {"name": "Limits", "type": "STATIC", "voucher": voucher_of})
    await post(client, "/v1/campaigns/Limits/vouchers/LIMITS-1", {})
    assert (await read(client, "/v1/vouchers/LIMITS-1/redemption"))["quantity"] == 4


async def test_the_list_and_its_filters(client: Any) -> None:
    first, second = await code(client, redemption={"quantity": 1}), await code(client)
    one = (await redeem(client, first, customer={"source_id": "eve"}, metadata={"till": "7"}))["redemptions"][
        0
    ]
    stack = await redeem(client, second, await code(client))
    await redeem(client, first, status=400)
    await roll_back(client, one["id"])
    parent = stack["parent_redemption"]["id"]
    wanted = {
        "filters[voucher_code][conditions][$is]=" + first: 3,
        "filters[result][conditions][$is]=FAILURE": 1,
        "filters[failure_code][conditions][$is]=quantity_exceeded": 1,
        "filters[object][conditions][$is]=redemption_rollback": 1,
        "filters[parent_redemption_id][conditions][$is]=" + parent: 2,
        "filters[related_object_id][conditions][$is]=" + one["voucher"]["id"]: 3,
        "filters[customer_id][conditions][$is]=" + one["customer_id"]: 2,
        "filters[customer_id][conditions][$is_unknown]=true": 4,
        "filters[metadata.till][conditions][$is]=7": 1,
        "filters[junction]=OR&filters[voucher_code][conditions][$is]=" + second
        + "&filters[failure_code][conditions][$is]=quantity_exceeded": 2,
        "[created_at][after]=2001-01-01": 6,
        "[created_at][before]=2001-01-01": 0,
        "customer=eve": 2,
        "customer=" + one["customer_id"]: 2,
        "result=FAILURE": 1,
        "result=SUCCESS,FAILURE": 6,
    }  # fmt: skip
    for query, count in wanted.items():
        found = await read(client, "/v1/redemptions?" + query)
        assert (len(found["redemptions"]), found["total"]) == (count, count), query


async def test_both_ways_of_paging(client: Any) -> None:
    name = await code(client)
    ids = [(await redeem(client, name))["redemptions"][0]["id"] for _ in range(7)][::-1]
    paged = []
    for page in range(1, 5):
        paged += (await read(client, f"/v1/redemptions?limit=2&page={page}"))["redemptions"]
    assert [one["id"] for one in paged] == ids
    walked: list[str] = []
    after = ""
    while True:
        found = await read(
            client, "/v1/redemptions?limit=3" + (f"&starting_after_id={after}" if after else "")
        )
        walked += [one["id"] for one in found["redemptions"]]
        if not found["has_more"]:
            break
        after = found["more_starting_after"]
    assert walked == ids and found["total"] == 7
    assert "more_starting_after" not in found
    oldest = await read(client, "/v1/redemptions?order=created_at&limit=1")
    assert oldest["redemptions"][0]["id"] == ids[-1]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("page=0", "page"),
        ("page=101", "page"),
        ("order=colour", "order"),
        ("result=MAYBE", "result"),
        ("starting_after_id=r_unknown", "starting_after_id"),
        ("filters[colour][conditions][$is]=red", "filters[colour][conditions][$is]"),
        ("filters[result][conditions][$sounds_like]=x", "filters[result][conditions][$sounds_like]"),
        ("[created_at][before]=someday", "[created_at][before]"),
    ],
)
async def test_queries_that_cannot_be(client: Any, query: str, path: str) -> None:
    answer = await client.get("/v1/redemptions?" + query)
    assert answer.status_code == 400, answer.text
    assert answer.json()["key"] == "invalid_query_params"
    assert answer.json()["errors"][0]["path"] == path


async def test_an_unknown_redemption(client: Any, stranger: Any) -> None:
    made = await redeem(client, await code(client))
    assert (await client.get("/v1/redemptions/r_unknown")).status_code == 404
    assert (await stranger.get(f"/v1/redemptions/{made['redemptions'][0]['id']}")).status_code == 404


async def test_another_projects_code_does_not_exist(client: Any, stranger: Any, pool: db.Pool) -> None:
    name = await code(client)
    before = await everything(pool, client.project_id)
    refused = await redeem(stranger, name, status=404)
    voucher_id = (await voucher(client, name))["id"]
    by_id = await redeem(stranger, voucher_id, status=404)
    assert refused["key"] == by_id["key"] == "not_found"
    assert await everything(pool, client.project_id) == before


async def test_many_at_once_on_one_code_and_one_order(client: Any) -> None:
    import asyncio

    name = await code(client, redemption={"quantity": 5})
    await post(client, "/v1/orders", {"source_id": "shared", "amount": 100_000})
    body = ask(name, order={"source_id": "shared"})
    answers = await asyncio.gather(*(client.post("/v1/redemptions", json=body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [400] * 15
    order = await read(client, "/v1/orders/shared")
    assert (order["total_amount"], len(order["redemptions"])) == (95_000, 5)
    totals = {a.json()["order"]["total_amount"] for a in answers if a.status_code == 200}
    assert totals == {99_000, 98_000, 97_000, 96_000, 95_000}
    assert await used(client, name) == 5


async def test_redemptions_that_make_the_same_customer_and_order_at_once(client: Any) -> None:
    import asyncio

    name = await code(client)
    body = ask(name, order={"source_id": "new-cart", "amount": 50_000}, customer={"source_id": "frank"})
    answers = await asyncio.gather(*(client.post("/v1/redemptions", json=body) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["order"]["id"] for answer in answers}) == 1
    assert len({answer.json()["redemptions"][0]["customer_id"] for answer in answers}) == 1
    assert (await read(client, "/v1/orders/new-cart"))["total_amount"] == 38_000


async def test_instants_of_orders_look_the_same_everywhere(client: Any) -> None:
    done = await redeem(client, await code(client, TEN_OFF))
    later = await redeem(client, await code(client, TEN_OFF), order={"id": done["order"]["id"]})
    stored = await read(client, f"/v1/orders/{done['order']['id']}")
    assert done["order"]["created_at"] == later["order"]["created_at"] == stored["created_at"]
    assert later["order"]["updated_at"].endswith("Z") and len(later["order"]["updated_at"]) == 24
