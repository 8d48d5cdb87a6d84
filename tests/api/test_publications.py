"""Publications: which code goes to whom, which terms it keeps, what is refused and recorded, how they are listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, code, events, everything, post, read, redeem, validate, voucher

ALICE = {"source_id": "alice"}
BOB = {"source_id": "bob"}
VOUCHER = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}


async def campaign(client: Any, *codes: str, name: str = "Spring", type: str = "STATIC", **more: Any) -> Any:
    """A campaign with these codes."""
    made = await post(
        client, "/v1/campaigns", {"name": name, "type": type, "voucher": VOUCHER, "vouchers_count": 0, **more}
    )
    for one in codes:
        await post(client, f"/v1/campaigns/{made['id']}/vouchers/{one}", {})
    return made


async def publish(client: Any, status: int = 200, *, path: str = "/v1/publications", **body: Any) -> Any:
    return await post(client, path, {"customer": ALICE, **body}, status)


def of(name: str = "Spring", **more: Any) -> dict[str, Any]:
    return {"campaign": {"name": name, **more}}


async def test_a_campaigns_codes_are_given_in_its_order(client: Any, pool: db.Pool) -> None:
    made = await campaign(client, "S-1", "S-2", "S-3")
    first = await publish(client, **of(), channel="mail", metadata={"letter": 7}, source_id="crm-1")
    assert (first["object"], first["result"], first["channel"]) == ("publication", "SUCCESS", "API")
    assert (first["source_id"], first["metadata"]) == ("crm-1", {"letter": 7})
    assert first["voucher"]["code"] == "S-1"
    assert first["vouchers_id"] == [first["voucher"]["id"]]
    assert "vouchers" not in first
    assert first["customer"]["source_id"] == "alice"
    assert first["customer_id"] == first["customer"]["id"] == first["voucher"]["holder_id"]
    assert first["tracking_id"].startswith("track_")
    assert first["voucher"]["publish"]["count"] == 1
    second = await publish(client, **of(made["id"], count=2), customer=BOB)
    assert second["vouchers"] == ["S-2", "S-3"]
    assert len(second["vouchers_id"]) == 2
    assert "voucher" not in second
    shown = await voucher(client, "S-3")
    assert (shown["holder_id"], shown["publish"]["count"]) == (second["customer_id"], 1)
    assert await events(pool, client, first["id"]) == [
        "customer.publication.succeeded",
        "publication.succeeded",
    ]
    assert "voucher.published" in await events(pool, client, first["voucher"]["id"])


async def test_what_is_not_there_is_refused_and_recorded(client: Any, pool: db.Pool) -> None:
    await campaign(client, "ONE", "TWO")
    refused = await publish(client, 400, **of(count=3))
    assert refused["key"] == "no_voucher_suitable_for_publication"
    assert (await voucher(client, "ONE"))["publish"]["count"] == 0, "all or none"
    listed = await read(client, "/v1/publications?result=FAILURE")
    [failed] = listed["publications"]
    assert (failed["result"], failed["failure_code"]) == ("FAILURE", refused["key"])
    assert failed["failure_message"] == refused["details"]
    assert failed["vouchers_id"] == []
    assert failed["id"] == refused["resource_id"]
    assert await events(pool, client, failed["id"]) == ["customer.publication.failed"]
    assert (await read(client, "/v1/customers/alice"))["id"] == failed["customer_id"], (
        "who asked is known now"
    )


async def test_used_held_and_switched_off_codes_are_passed_over(client: Any, pool: db.Pool) -> None:
    await campaign(client, "USED", "OFF", "GONE", "HELD", "FREE")
    alice = await post(client, "/v1/customers", ALICE)
    sql = "update vouchers set holder_id = $2 where project_id = $1 and code = 'HELD'"
    await db.execute(pool, sql, client.project_id, alice["id"])
    await redeem(client, "USED")
    await post(client, "/v1/vouchers/OFF/disable", {})
    assert (await client.delete("/v1/vouchers/GONE")).status_code == 204
    assert (await publish(client, **of()))["voucher"]["code"] == "FREE"
    assert (await publish(client, 400, **of()))["key"] == "no_voucher_suitable_for_publication"


async def test_an_auto_update_campaign_makes_what_it_lacks(client: Any) -> None:
    await campaign(client, "FIRST", type="AUTO_UPDATE")
    given = await publish(client, **of(count=3))
    assert given["vouchers"][0] == "FIRST"
    assert len(set(given["vouchers"])) == 3
    assert (await read(client, "/v1/campaigns/Spring"))["vouchers_count"] == 3
    assert (await voucher(client, given["vouchers"][2]))["holder_id"] == given["customer_id"]
    assert (await redeem(client, given["vouchers"][2]))["redemptions"][0]["result"] == "SUCCESS"


async def test_a_named_code_is_given_once(client: Any) -> None:
    name = await code(client)
    given = await publish(client, voucher=name)
    assert given["voucher"]["code"] == name
    again = await publish(client, 400, voucher=name, customer=BOB)
    assert again["key"] == "voucher_already_published"
    [failed] = (await read(client, "/v1/publications?result=FAILURE"))["publications"]
    assert (failed["vouchers_id"], failed["voucher"]["code"]) == (given["vouchers_id"], name)
    assert (await voucher(client, name))["publish"]["count"] == 1


@pytest.mark.parametrize("why", ["off", "expired", "used up"])
async def test_a_named_code_that_is_of_no_use(client: Any, why: str) -> None:
    more: dict[str, Any] = {"off": {"active": False}, "used up": {"redemption": {"quantity": 1}}}.get(why, {})
    if why == "expired":
        more = {"expiration_date": "2020-01-01"}
    name = await code(client, **more)
    if why == "used up":
        await redeem(client, name)
    refused = await publish(client, 400, voucher=name)
    assert refused["key"] == "voucher_cannot_be_published"
    assert (await voucher(client, name))["publish"]["count"] == 0


async def test_a_disabled_campaign_still_gives_codes_and_an_ended_one_does_not(client: Any) -> None:
    await campaign(client, "A", "B")
    await post(client, "/v1/campaigns/Spring/disable", {})
    assert (await publish(client, **of()))["voucher"]["code"] == "A"
    await client.put("/v1/campaigns/Spring", json={"expiration_date": "2020-01-01"})
    assert (await publish(client, 400, **of()))["key"] == "no_voucher_suitable_for_publication"
    assert (await publish(client, 400, voucher="B"))["key"] == "voucher_cannot_be_published"


async def test_a_given_code_keeps_its_terms(client: Any) -> None:
    await campaign(client, "KEEPS", "FOLLOWS")
    await publish(client, voucher="KEEPS")
    change = {"voucher": {"discount": {"type": "AMOUNT", "amount_off": 2500}}, "redemption": {"quantity": 9}}
    assert (await client.put("/v1/campaigns/Spring", json=change)).status_code == 200
    assert (await voucher(client, "KEEPS"))["discount"]["amount_off"] == 1000
    follower = await voucher(client, "FOLLOWS")
    assert (follower["discount"]["amount_off"], follower["redemption"]["quantity"]) == (2500, 9)


async def test_its_time_begins_with_the_publication(client: Any) -> None:
    """It even outlives the campaign; the code that nobody was given does not."""
    await campaign(
        client, "LIVES", "STAYS", activity_duration_after_publishing="P3D", expiration_date="2020-01-01"
    )
    given = await publish(client, **of())
    end = datetime.fromisoformat(given["voucher"]["expiration_date"])
    assert abs(end - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=1)
    assert (await redeem(client, "LIVES"))["redemptions"][0]["result"] == "SUCCESS"
    assert (await redeem(client, "STAYS", status=400))["key"] == "voucher_expired"


async def test_a_source_id_is_used_once(client: Any, pool: db.Pool) -> None:
    await campaign(client, "A", "B")
    await publish(client, **of(), source_id="crm-7")
    before = await everything(pool, client.project_id)
    again = await publish(client, 400, **of(), source_id="crm-7", customer=BOB)
    assert again["key"] == "duplicate_source_id"
    assert await everything(pool, client.project_id) == before
    [found] = (await read(client, "/v1/publications?source_id=crm-7"))["publications"]
    assert found["voucher"]["code"] == "A"


async def test_a_source_id_that_failed_is_free(client: Any) -> None:
    await campaign(client)
    await publish(client, 400, **of(), source_id="crm-8")
    await post(client, "/v1/campaigns/Spring/vouchers/LATE", {})
    assert (await publish(client, **of(), source_id="crm-8"))["voucher"]["code"] == "LATE"


@pytest.mark.parametrize("how", ["asked for", "of the campaign"])
async def test_joining_once(client: Any, pool: db.Pool, how: str) -> None:
    more = {"join_once": True} if how == "of the campaign" else {}
    path = "/v1/publications" if more else "/v1/publications?join_once=true"
    await campaign(client, "A", "B", **more)
    first = await publish(client, path=path, **of())
    before = await everything(pool, client.project_id)
    again = await publish(client, path=path, **of())
    assert again == first
    assert await everything(pool, client.project_id) == before
    assert (await publish(client, path=path, **of(), customer=BOB))["voucher"]["code"] == "B"
    too_many = await publish(client, 400, path=path, **of(count=2))
    assert too_many["key"] == "too_many_vouchers_requested"
    named = await publish(client, path=path, voucher="B")
    assert named["voucher"]["code"] == "A", "it is the code that alice has"


async def test_whoever_holds_a_code_otherwise_is_given_that_one(client: Any, pool: db.Pool) -> None:
    await campaign(client, "A", "B")
    alice = await post(client, "/v1/customers", ALICE)
    sql = "update vouchers set holder_id = $2 where project_id = $1 and code = 'B'"
    await db.execute(pool, sql, client.project_id, alice["id"])
    first = await publish(client, path="/v1/publications?join_once=true", **of())
    assert first["voucher"]["code"] == "B"
    assert await publish(client, path="/v1/publications?join_once=true", **of()) == first


async def test_a_generic_code_is_given_to_many(client: Any) -> None:
    await post(client, "/v1/campaigns", {
        "name": "All", "type": "STANDALONE", "voucher": VOUCHER | {"code": "EVERYBODY"},
    })  # fmt: skip
    path = "/v1/publications?join_once=true"
    first = await publish(client, path=path, **of("All"))
    assert first["voucher"]["code"] == "EVERYBODY"
    assert "holder_id" not in first["voucher"]
    await publish(client, path=path, voucher="EVERYBODY", customer=BOB)
    assert (await publish(client, path=path, **of("All")))["id"] == first["id"]
    assert (await voucher(client, "EVERYBODY"))["publish"]["count"] == 2
    assert (await publish(client, 400, **of("All", count=2)))["key"] == "no_voucher_suitable_for_publication"


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        ({}, 400, "missing_vouchers"),
        ({"campaign": {}}, 400, "missing_vouchers"),
        ({"voucher": "A", "customer": None}, 400, "missing_customer"),
        ({"voucher": "A", "customer": {"name": "Alice"}}, 400, "missing_customer"),
        ({"voucher": "A", "customer": {"id": "cust_unknown"}}, 404, "not_found"),
        ({"voucher": "NOWHERE"}, 404, "not_found"),
        (of("Nowhere"), 404, "not_found"),
        (of("Tiers"), 400, "invalid_campaign"),
        (of(count=51), 400, "too_many_vouchers_requested"),
        (of(count=2) | {"source_id": "x"}, 400, "too_many_vouchers_requested"),
        (of(count=0), 400, "invalid_payload"),
        (of(count="2"), 400, "invalid_payload"),
        ({"voucher": "A", "metadata": {"letter": "seven"}}, 400, "metadata_validation_failed"),
        ({"voucher": "A", "customer": ALICE | {"birthdate": "soon"}}, 400, "invalid_payload"),
    ],
)
async def test_mistakes_change_nothing(
    client: Any, pool: db.Pool, body: dict[str, Any], status: int, key: str
) -> None:
    await campaign(client, "A", "B")
    await post(client, "/v1/campaigns", {"name": "Tiers", "campaign_type": "PROMOTION"})
    await post(client, "/v1/metadata-schemas/publication", {"properties": {"letter": {"type": "number"}}})
    before = await everything(pool, client.project_id)
    assert (await publish(client, status, **body))["key"] == key
    assert await everything(pool, client.project_id) == before


async def test_the_voucher_wins_over_the_campaign(client: Any) -> None:
    await campaign(client, "A", "B")
    assert (await publish(client, voucher="B", **of()))["voucher"]["code"] == "B"


async def test_a_repeat_with_an_idempotency_key(client: Any) -> None:
    await campaign(client, "A", "B")
    first = await post(client, "/v1/publications", {"customer": ALICE, **of()}, Idempotency_Key="k1")
    again = await post(client, "/v1/publications", {"customer": ALICE, **of()}, Idempotency_Key="k1")
    assert again == first
    refused = {"customer": ALICE, "voucher": "A"}
    one = await post(client, "/v1/publications", refused, 400, Idempotency_Key="k2")
    assert await post(client, "/v1/publications", refused, 400, Idempotency_Key="k2") == one
    assert (await read(client, "/v1/publications"))["total"] == 2, "the refusal is recorded once"


async def test_by_get(client: Any) -> None:
    await campaign(client, "A", "B")
    path = "/v1/publications/create?campaign[name]=Spring&customer[source_id]=alice&customer[name]=Alice"
    made = await read(client, path + "&metadata[letter]=seven&source_id=crm-1&customer[address][city]=Riga")
    assert (made["voucher"]["code"], made["metadata"], made["source_id"]) == (
        "A", {"letter": "seven"}, "crm-1",
    )  # fmt: skip
    assert (made["customer"]["name"], made["customer"]["address"]) == ("Alice", {"city": "Riga"})
    assert (await read(client, path + "&join_once=true"))["id"] == made["id"]
    as_json = 'campaign={"name":"Spring"}&customer={"source_id":"alice"}&metadata={"letter":8}&join_once=true'
    assert (await read(client, f"/v1/publications/create?{as_json}"))["id"] == made["id"]
    assert (await read(client, "/v1/publications/create?voucher=B&customer[source_id]=bob"))[
        "result"
    ] == "SUCCESS"


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", "missing_vouchers"),
        ("campaign[name]=Spring", "missing_customer"),
        ("campaign[name]=Spring&campaign[count]=2&customer[source_id]=a", "too_many_vouchers_requested"),
        ("campaign=Spring&customer[source_id]=a", "invalid_query_params"),
        ("campaign={&customer[source_id]=a", "invalid_query_params"),
        ("campaign=[1]&customer[source_id]=a", "invalid_query_params"),
        ("campaign[name][x]=Spring&campaign[name]=y&customer[source_id]=a", "invalid_query_params"),
        ("campaign[name]=Spring&campaign[name][x]=y&customer[source_id]=a", "invalid_query_params"),
        ("voucher[x]=A&customer[source_id]=a", "invalid_query_params"),
        ("campaign[name]=Spring&campaign[count]=x&customer[source_id]=a", "invalid_query_params"),
    ],
)
async def test_mistakes_in_a_query(client: Any, query: str, key: str) -> None:
    await campaign(client, "A")
    answer = await client.get(f"/v1/publications/create?{query}")
    assert (answer.status_code, answer.json()["key"]) == (400, key), answer.text


async def test_lists(client: Any) -> None:
    made = await campaign(client, "A", "B", "C", "D")
    await publish(client, **of(), metadata={"letter": 7}, channel="mail")
    both = await publish(client, **of(count=2), customer=BOB)
    await publish(client, 400, **of(count=9))
    listed = await read(client, "/v1/publications")
    assert (listed["object"], listed["data_ref"], listed["total"]) == ("list", "publications", 3)
    assert [one["result"] for one in listed["publications"]] == ["FAILURE", "SUCCESS", "SUCCESS"]
    single = listed["publications"][2]
    assert (single["channel"], single["metadata"]) == ("mail", {"letter": 7})
    assert single["voucher"] == {
        "code": "A", "object": "voucher", "campaign": "Spring", "campaign_id": made["id"],
        "discount": single["voucher"]["discount"], "is_referral_code": False,
    }  # fmt: skip
    assert listed["publications"][1]["vouchers"] == ["B", "C"]
    bob, alice = both["customer_id"], single["customer_id"]
    expected = {
        "campaign=Spring": 3,
        "campaign=Other": 0,
        "customer=alice": 2,
        f"customer={bob}": 1,
        "voucher=C": 1,
        "voucher=D": 0,
        "voucher=NOWHERE": 0,
        "result=SUCCESS": 2,
        "voucher_type=discount": 2,
        "voucher_type=loyalty": 0,
        "is_referral_code=true": 0,
        f"filters[customer_id][conditions][$in][0]={alice}": 2,
        "filters[failure_code][conditions][$has_value]=": 1,
        "filters[campaign_name][conditions][$is]=Spring": 3,
        f"filters[parent_object_id][conditions][$is]={made['id']}": 3,
        f"filters[related_object_id][conditions][$is]={single['vouchers_id'][0]}": 1,
        "filters[metadata.letter][conditions][$is]=7": 1,
        "filters[voucher_type][conditions][$is]=DISCOUNT_VOUCHER": 2,
    }
    found = {query: (await read(client, f"/v1/publications?{query}"))["total"] for query in expected}
    assert found == expected
    for order in ("id", "voucher_code", "tracking_id", "customer_id", "created_at", "channel"):
        up = (await read(client, f"/v1/publications?order={order}"))["publications"]
        down = (await read(client, f"/v1/publications?order=-{order}"))["publications"]
        assert [one["id"] for one in up] == [one["id"] for one in reversed(down)], order
    of_code = await read(client, "/v1/vouchers/C/publications?page=1&limit=10")
    assert [one["id"] for one in of_code["publications"]] == [both["id"]]
    assert (await client.get("/v1/vouchers/NOWHERE/publications")).status_code == 404


async def test_pages_end_at_a_thousand(client: Any) -> None:
    assert (await read(client, "/v1/publications?page=1000"))["publications"] == []
    answer = await client.get("/v1/publications?page=1001")
    assert (answer.status_code, answer.json()["key"]) == (400, "page_over_limit")
    answer = await client.get("/v1/publications?result=PERHAPS")
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")


async def test_what_was_deleted_since_is_shown_as_far_as_it_is_known(client: Any) -> None:
    name = await code(client)
    given = await publish(client, voucher=name)
    assert (await client.delete(f"/v1/vouchers/{name}?force=true")).status_code == 204
    assert (await client.delete("/v1/customers/alice")).status_code == 204
    [shown] = (await read(client, "/v1/publications"))["publications"]
    assert (shown["customer_id"], shown["customer"]) == (given["customer_id"], None)
    assert shown["voucher"]["code"] == name


async def test_a_merchants_key_may_publish_and_others_see_nothing(client: Any, stranger: Any) -> None:
    await campaign(client, "A")
    await publish(client, **of())
    assert (await read(stranger, "/v1/publications"))["total"] == 0
    assert (await publish(stranger, 404, voucher="A"))["key"] == "not_found"


FORMULA = {
    "type": "AMOUNT",
    "amount_off": 100,
    "amount_off_formula": 'IF(PUBLICATION_METADATA("letter") = "second";20;5)',
}


async def test_formulas_look_at_what_was_said_at_the_publication(client: Any) -> None:
    name = await code(client, FORMULA)
    other = await code(client, FORMULA)
    await publish(client, voucher=name, metadata={"letter": "second"})
    await publish(client, voucher=other, metadata={"letter": "first"})
    for one, off in ((name, 2000), (other, 500)):
        validated = await validate(client, one)
        assert validated["order"]["total_discount_amount"] == off
        body = {"customer": ALICE, "order": {"amount": 10_000}}
        found = (await post(client, "/v1/qualifications", body))["redeemables"]["data"]
        [entry] = [entry for entry in found if entry["id"] == one]
        assert entry["order"]["total_discount_amount"] == off
        made = await redeem(client, one)
        assert made["order"]["total_discount_amount"] == off


async def test_of_a_generic_code_it_is_what_was_said_to_the_customer(client: Any) -> None:
    standalone = {
        "name": "All",
        "type": "STANDALONE",
        "voucher": VOUCHER | {"code": "EVERYBODY", "discount": FORMULA},
    }
    await post(client, "/v1/campaigns", standalone)
    await publish(client, voucher="EVERYBODY", metadata={"letter": "second"})
    await publish(client, voucher="EVERYBODY", metadata={"letter": "first"}, customer=BOB)
    off = [
        (await validate(client, "EVERYBODY", **who))["order"]["total_discount_amount"]
        for who in ({"customer": ALICE}, {"customer": BOB}, {"customer": {"source_id": "carol"}}, {})
    ]
    assert off == [2000, 500, 100, 100]


async def test_only_who_it_was_given_to_may_redeem_it(client: Any) -> None:
    name = await code(client)
    rule = await post(client, "/v1/validation-rules", {
        "name": "mine", "rules": {"1": {"name": "publication.redeemable_by_linked_customer", "conditions": {"$is": [True]}}},
    })  # fmt: skip
    await post(client, f"/v1/validation-rules/{rule['id']}/assignments", {"related_object_id": name})
    assert (await redeem(client, name, customer=ALICE, status=400))["key"] == "redemption_rules_violated"
    await publish(client, voucher=name)
    assert (await redeem(client, name, customer=BOB, status=400))["key"] == "redemption_rules_violated"
    await redeem(client, name, customer=ALICE)


async def test_activities_and_summaries_tell_of_them(client: Any) -> None:
    made = await campaign(client, "A")
    given = await publish(client, **of(), channel="mail")
    await publish(client, 400, **of())
    query = f"campaign_id={made['id']}&category=EFFECT&order=created_at"
    shown = (await read(client, f"/v1/customers/alice/activity?{query}"))["data"]
    assert [one["type"] for one in shown] == ["customer.publication.succeeded", "customer.publication.failed"]
    told = shown[0]["data"]["data"]
    assert told["publication"]["id"] == given["id"]
    assert (told["publication"]["vouchers"], told["publication"]["channel"]) == (["A"], "mail")
    assert told["campaign"] == {"id": made["id"], "name": "Spring", "object": "campaign"}
    failed = shown[1]["data"]["data"]["publication"]
    assert failed["failure_code"] == "no_voucher_suitable_for_publication"
    of_type = await read(client, "/v1/customers/alice/activity?campaign_type=DISCOUNT_COUPONS")
    assert len(of_type["data"]) == 2
    summary = await read(client, f"/v1/campaigns/{made['id']}/summary")
    counts = [summary[f"publications{end}"] for end in ("", "_succeeded", "_failed")]
    assert counts == [2, 1, 1]
    past = await read(client, f"/v1/campaigns/{made['id']}/summary?end_date=2020-01-01")
    assert past["publications"] == 0


async def test_a_gift_card_is_given_with_what_is_on_it(client: Any) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 5000, "effect": "APPLY_TO_ORDER"}}
    made = {"name": "Gifts", "campaign_type": "GIFT_VOUCHERS", "type": "AUTO_UPDATE", "voucher": gift}
    await post(client, "/v1/campaigns", made)
    given = await publish(client, **of("Gifts"))
    assert given["voucher"]["type"] == "GIFT_VOUCHER"
    assert (given["voucher"]["gift"]["balance"], given["voucher"]["holder_id"]) == (
        5000,
        given["customer_id"],
    )
    [shown] = (await read(client, "/v1/publications?voucher_type=gift"))["publications"]
    assert (shown["voucher"]["gift"]["balance"], "discount" in shown["voucher"]) == (5000, False)
