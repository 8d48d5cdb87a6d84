"""Promotion tiers over HTTP: what is sent is what is read, and every wrong thing is a 4xx with its path."""

import asyncio
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.kit.ids import new_id

from .checkout import TEN_OFF, events, everything, post, read
from .conftest import Client
from .promotions import FOREVER, TEN_PER_CENT, names, promotion, put, said, tier, version


async def test_a_tier_says_what_it_is(client: Client, pool: db.Pool) -> None:
    campaign = await promotion(client)
    since = await version(pool, client)
    hours = {"daily": [{"start_time": "12:00", "expiration_time": "14:00", "days_of_week": [1]}]}
    body = tier(
        "lunch", banner="10 off at noon", metadata={"level": 1}, start_date="2026-01-01", active=False,
        expiration_date="2090-01-01T12:00:00Z", validity_hours=hours,
    )  # fmt: skip
    made = await post(client, "/v1/promotions/spring/tiers", body)
    expected = {
        "name": "lunch", "banner": "10 off at noon", "action": {"discount": TEN_OFF}, "metadata": {"level": 1},
        "hierarchy": 1, "promotion_id": campaign["id"], "campaign_id": campaign["id"], "active": False,
        "start_date": "2026-01-01T00:00:00.000Z", "expiration_date": "2090-01-01T12:00:00.000Z",
        "validity_hours": hours, "summary": {"redemptions": {"total_redeemed": 0}, "orders": FOREVER},
        "category_id": None, "categories": [], "object": "promotion_tier",
        "validation_rule_assignments": {"object": "list", "data_ref": "data", "data": [], "total": 0},
    }  # fmt: skip
    assert made["id"].startswith("promo_") and "updated_at" not in made
    assert {
        key: value for key, value in made.items() if key not in ("id", "created_at", "campaign")
    } == expected
    assert await read(client, f"/v1/promotions/tiers/{made['id']}") == made
    assert await events(pool, client, made["id"]) == ["campaign.promotion_tier.created"]
    assert ("tier", made["id"]) in await said(pool, client, since)


async def test_a_new_tier_gets_the_next_place(client: Client) -> None:
    await promotion(client, "spring", tier("a"), tier("b", hierarchy=4))
    assert (await post(client, "/v1/promotions/spring/tiers", tier("c")))["hierarchy"] == 5
    assert (await post(client, "/v1/promotions/spring/tiers", tier("d", hierarchy=2)))["hierarchy"] == 2
    assert await names(client, path="/v1/promotions/spring/tiers") == ["a", "d", "b", "c"]
    shown = (await read(client, "/v1/campaigns/spring"))["promotion"]["tiers"]
    assert [one["name"] for one in shown] == ["a", "d", "b", "c"]


async def test_tiers_made_at_once_get_places_of_their_own(client: Client) -> None:
    await promotion(client)
    made = await asyncio.gather(
        *(post(client, "/v1/promotions/spring/tiers", tier(str(number))) for number in range(8))
    )
    assert sorted(one["hierarchy"] for one in made) == list(range(1, 9))


async def test_an_edit_changes_what_it_names(client: Client, pool: db.Pool) -> None:
    await promotion(client)
    made = await post(
        client, "/v1/promotions/spring/tiers", tier("old", banner="old", metadata={"a": 1, "b": 1})
    )
    path, since = f"/v1/promotions/tiers/{made['id']}", await version(pool, client)
    change = {
        "name": "new", "banner": None, "hierarchy": 9, "metadata": {"b": 2}, "start_date": "2026-02-02T00:00:00Z",
        "action": {"discount": {"type": "AMOUNT", "amount_off": 500}},
    }  # fmt: skip
    changed = await put(client, path, change)
    assert (changed["name"], changed["hierarchy"], changed["metadata"]) == ("new", 9, {"a": 1, "b": 2})
    assert "banner" not in changed and changed["updated_at"]
    assert changed["action"] == {"discount": {"type": "AMOUNT", "amount_off": 500}}
    assert await read(client, path) == changed
    assert ("tier", made["id"]) in await said(pool, client, since)
    assert "campaign.promotion_tier.updated" in await events(pool, client, made["id"])
    sent_back = await put(client, path, {key: changed[key] for key in changed if key != "campaign"})
    assert {**sent_back, "updated_at": ""} == {**changed, "updated_at": ""}
    assert "start_date" not in await put(client, path, {"start_date": None})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"action": {"discount": TEN_PER_CENT}}, "action.discount.type"),
        ({"action": {"discount": {"type": "AMOUNT", "amount_off": 0}}}, "action.discount.amount_off"),
        ({"expiration_date": "2020-01-01"}, "expiration_date"),
        ({"validity_timeframe": {"interval": "P1D", "duration": "soon"}}, "validity_timeframe.duration"),
        ({"validity_day_of_week": [7]}, "validity_day_of_week[0]"),
        ({"hierarchy": -1}, "hierarchy"),
        ({"hierarchy": "first"}, "hierarchy"),
        ({"name": ""}, "name"),
        ({"metadata": []}, "metadata"),
        ({"validation_rules": ["val_1", "val_2"]}, "validation_rules"),
    ],
)
async def test_a_wrong_tier_is_400_and_changes_nothing(
    client: Client, pool: db.Pool, change: dict[str, Any], path: str
) -> None:
    made = await promotion(client, "spring", tier(start_date="2026-01-01T00:00:00Z"))
    before = await everything(pool, client.project_id)
    tier_id = made["promotion"]["tiers"][0]["id"]
    answer = await put(client, f"/v1/promotions/tiers/{tier_id}", change, 400)
    assert answer["errors"][0]["path"] == path
    if change != {"action": {"discount": TEN_PER_CENT}}:
        new = tier(start_date="2026-01-01T00:00:00Z") | change
        answer = await post(client, "/v1/promotions/spring/tiers", new, 400)
        assert answer["errors"][0]["path"] == path
    assert await everything(pool, client.project_id) == before


async def test_tiers_belong_to_promotions(client: Client) -> None:
    codes = {"name": "codes", "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}}
    await post(client, "/v1/campaigns", codes)
    assert (await post(client, "/v1/promotions/codes/tiers", tier(), 400))["key"] == "invalid_campaign"
    stack = {"name": "s", "tiers": {"ids": ["promo_x"]}}
    assert (await post(client, "/v1/promotions/codes/stacks", stack, 400))["key"] == "invalid_campaign"
    assert (await read(client, "/v1/promotions/codes/tiers"))["tiers"] == []
    await post(client, "/v1/promotions/nowhere/tiers", tier(), 404)


async def test_switching_and_deleting(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", tier("a"), tier("b"))
    first, second = (one["id"] for one in made["promotion"]["tiers"])
    path = f"/v1/promotions/tiers/{first}"
    assert (await post(client, path + "/disable", None))["active"] is False
    assert (await read(client, path))["active"] is False
    assert (await post(client, path + "/enable", None))["active"] is True
    body = {"name": "both", "tiers": {"ids": [second, first]}}
    stack = await post(client, "/v1/promotions/spring/stacks", body)
    since = await version(pool, client)
    answer = await client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert {("tier", first), ("stack", stack["id"])} <= await said(pool, client, since)
    for again in (
        client.get(path),
        client.delete(path),
        client.post(path + "/enable"),
        client.put(path, json={}),
    ):
        assert (await again).status_code == 404
    left = await read(client, f"/v1/promotions/spring/stacks/{stack['id']}")
    assert left["tiers"]["ids"] == [second]
    kinds = [f"campaign.promotion_tier.{verb}" for verb in ("created", "deleted", "disabled", "enabled")]
    assert await events(pool, client, first) == kinds


async def test_a_list_of_all_tiers(client: Client) -> None:
    await promotion(client, "spring", tier("a", metadata={"zone": "north"}), tier("b", active=False))
    await promotion(client, "autumn", tier("c", expiration_date="2020-01-01", start_date="2019-01-01"))
    await promotion(client, "off", tier("d"), active=False)
    await promotion(client, "later", tier("e"), start_date="2090-01-01")
    assert await names(client, "?order=name") == ["a", "b", "c", "d", "e"]
    assert await names(client) == ["e", "d", "c", "b", "a"] or len(await names(client)) == 5
    assert await names(client, "?is_available=true") == ["a"]
    assert len(await names(client, "?is_available=false")) == 5
    assert await names(client, "?order=-name&limit=2&page=2") == ["c", "b"]
    assert await names(client, "?order=name&filters[campaign][conditions][$is]=spring") == ["a", "b"]
    assert await names(client, "?filters[metadata.zone][conditions][$is]=north") == ["a"]
    assert await names(client, "?filters[active][conditions][$is]=false") == ["b"]
    assert await names(client, "?order=name&filters[discount.type][conditions][$is]=AMOUNT&limit=1") == ["a"]
    page = await read(client, "/v1/promotions/tiers?order=name&limit=2")
    assert (page["data_ref"], page["total"], page["has_more"]) == ("tiers", 5, True)
    assert await names(client, f"?order=name&limit=2&starting_after_id={page['more_starting_after']}") == [
        "c",
        "d",
    ]
    for query in (
        "?order=price",
        "?limit=0",
        "?filters[moon][conditions][$is]=full",
        "?is_available=perhaps",
    ):
        answer = await client.get("/v1/promotions/tiers" + query)
        assert answer.status_code == 400, query


async def redeemed(pool: db.Pool, client: Client, tier_id: str, order_id: str, **more: Any) -> None:
    row = {
        "object": "redemption",
        "result": "SUCCESS",
        "status": "SUCCEEDED",
        "amount": 0,
        "returned": 0,
    } | more
    sql = """
        insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id,
                                 promotion_tier_id, order_id, amount, returned_amount)
        values ($1, $2, $3, $4, $5, 'promotion_tier', $6, $6, $7, $8, $9)
    """
    await db.execute(
        pool, sql, client.project_id, new_id("redemption"), row["object"], row["result"], row["status"], tier_id,
        order_id, row["amount"], row["returned"],
    )  # fmt: skip


async def test_a_summary_counts_what_was_not_taken_back(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", tier("used"), tier("unused"))
    used, unused = (one["id"] for one in made["promotion"]["tiers"])
    small = (await post(client, "/v1/orders", {"amount": 5_000}))["id"]
    large = (await post(client, "/v1/orders", {"amount": 20_000}))["id"]
    await redeemed(pool, client, used, small, amount=1_000)
    await redeemed(pool, client, used, small, amount=1_000, returned=400)
    await redeemed(pool, client, used, large, amount=1_000)
    await redeemed(pool, client, used, large, amount=700, status="ROLLED_BACK")
    await redeemed(pool, client, used, large, amount=700, object="redemption_rollback")
    await redeemed(pool, client, used, large, result="FAILURE", status="FAILED")
    summary = (await read(client, f"/v1/promotions/tiers/{used}"))["summary"]
    orders = {"total_amount": 25_000, "total_discount_amount": 2_600}
    assert summary == {"redemptions": {"total_redeemed": 3}, "orders": orders}
    other = (await read(client, f"/v1/promotions/tiers/{unused}"))["summary"]
    assert other == {"redemptions": {"total_redeemed": 0}, "orders": FOREVER}


async def test_a_campaign_shows_its_first_hundred_tiers(client: Client) -> None:
    made = await promotion(client, "many", *[tier(f"t{number:03}") for number in range(105)])
    assert (made["promotion"]["total"], made["promotion"]["has_more"]) == (105, True)
    assert [one["name"] for one in made["promotion"]["tiers"]] == [f"t{number:03}" for number in range(100)]
    assert (await read(client, "/v1/promotions/many/tiers?limit=100&page=2"))["total"] == 105
