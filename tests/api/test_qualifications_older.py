"""The older calls about promotions, what a customer holds, and several server processes."""

from typing import Any

import pytest

from guerdon.app import create_app
from guerdon.definitions import snapshot
from guerdon.kit import db
from guerdon.qualifications import warm
from guerdon.redemptions.memory import Memory
from guerdon.settings import Settings

from .checkout import code, post, read, redeem
from .conftest import Client, client_for
from .promotions import promotion, tier
from .test_qualifications import a_customer, bulk, hold, ids, least, qualify, rule


async def test_promotions_in_the_older_shape(client: Client) -> None:
    made = await promotion(client, "spring", tier("a", banner="A!"), tier("b"))
    a, b = (one["id"] for one in made["promotion"]["tiers"])
    await rule(client, b, rules=least(6000))
    body = {"order": {"amount": 5000}, "customer": {"source_id": "anna"}}
    answer = await post(client, "/v1/promotions/validation", body)
    assert answer["valid"] is True and answer["tracking_id"].startswith("track_")
    one = answer["promotions"][0]
    assert [p["id"] for p in answer["promotions"]] == [a]
    assert (one["banner"], one["hierarchy"], one["discount_amount"], one["campaign"]["id"]) == (
        "A!", 1, 1000, made["id"]
    )  # fmt: skip
    assert one["order"]["total_amount"] == 4000
    audience = await post(client, "/v1/promotions/validation?audienceRulesOnly=true", body)
    assert [p["id"] for p in audience["promotions"]] == [a, b]
    good = await post(client, f"/v1/promotions/tiers/{a}/validation", body)
    assert (good["valid"], good["object"], good["order"]["total_amount"]) == (True, "promotion_tier", 4000)
    bad = await post(client, f"/v1/promotions/tiers/{b}/validation", body)
    assert (bad["valid"], bad["error"]["key"]) == (False, "order_rules_violated")
    await post(client, "/v1/promotions/tiers/promo_nowhere/validation", body, 404)


async def test_a_tier_redeemed_in_the_older_way(client: Client) -> None:
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    where, body = f"/v1/promotions/tiers/{tier_id}/redemption", {"order": {"amount": 5000}}
    first = await post(client, where, body, Idempotency_Key="once")
    assert (first["object"], first["result"], first["promotion_tier"]["id"]) == (
        "redemption",
        "SUCCESS",
        tier_id,
    )
    assert first["order"]["total_amount"] == 4000
    assert await post(client, where, body, Idempotency_Key="once") == first
    assert (await read(client, f"/v1/promotions/tiers/{tier_id}"))["summary"]["redemptions"] == {
        "total_redeemed": 1
    }
    await post(client, f"/v1/promotions/tiers/{tier_id}/disable", {})
    assert (await post(client, where, body, 400))["key"] == "promotion_inactive"
    await post(client, "/v1/promotions/tiers/promo_nowhere/redemption", body, 404)


async def test_what_a_customer_holds(client: Client, pool: db.Pool) -> None:
    anna = await a_customer(client, "anna")
    campaign = await bulk(client, "bulk", "A", "B")
    once = await code(client, redemption={"quantity": 1})
    over = await code(client, expiration_date="2020-01-01")
    off = await code(client, active=False)
    for name in ("A", once, over, off):
        await hold(pool, client, name, anna)
    await redeem(client, once)
    answer = await read(client, f"/v1/customers/{anna}/redeemables")
    assert (answer["object"], answer["data_ref"], answer["total"], answer["has_more"]) == (
        "list",
        "data",
        4,
        False,
    )
    states = {one["redeemable"]["voucher"]["code"]: one["redeemable"]["status"] for one in answer["data"]}
    assert states == {"A": "ACTIVE", once: "USED", over: "EXPIRED", off: "DISABLED"}
    last = answer["data"][-1]
    assert (last["campaign_id"], last["campaign_type"], last["holder_role"]) == (
        campaign, "DISCOUNT_COUPONS", "OWNER"
    )  # fmt: skip
    assert last["id"].startswith("rh_") and last["redeemable_id"] == last["redeemable"]["voucher"]["id"]
    first = await read(client, "/v1/customers/anna/redeemables?limit=3&order=id")
    assert first["has_more"] and len(first["data"]) == 3
    rest = await read(
        client,
        f"/v1/customers/anna/redeemables?limit=3&order=id&starting_after_id={first['more_starting_after']}",
    )
    listed = [one["id"] for one in (*first["data"], *rest["data"])]
    assert listed == sorted(one["id"] for one in answer["data"])
    only = await read(
        client, f"/v1/customers/{anna}/redeemables?filters[campaign_id][conditions][$is]={campaign}"
    )
    assert [one["redeemable"]["voucher"]["code"] for one in only["data"]] == ["A"]
    assert (await client.get("/v1/customers/nobody/redeemables")).status_code == 404
    assert (await client.get(f"/v1/customers/{anna}/redeemables?order=price")).status_code == 400


async def test_every_process_sees_a_change_and_reads_no_more_than_that(
    client: Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await promotion(client, "spring", tier("a"), tier("b"))
    a, b = (one["id"] for one in made["promotion"]["tiers"])
    other = create_app(Settings(database_url=database_url, pool_size=2))
    await other.start()
    try:
        async with client_for(other, client.credentials) as there:
            assert sorted(ids(await qualify(there))) == sorted([a, b])
            read: list[Any] = []
            tiers = snapshot._READERS["tier"][0]

            async def watched(conn: Any, project_id: str, names: Any) -> Any:
                read.append(names)
                return await tiers(conn, project_id, names)

            monkeypatch.setitem(snapshot._READERS, "tier", (watched, *snapshot._READERS["tier"][1:]))
            await post(client, f"/v1/promotions/tiers/{a}/disable", {})
            assert ids(await qualify(there)) == [b]
            await rule(client, b, rules=least(6000))
            assert ids(await qualify(there)) == []
            assert [a] in read and None not in read
    finally:
        await other.stop()


async def test_large_shops_are_read_ahead(
    client: Client, pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await promotion(client, "spring", tier("a"), tier("b"))
    monkeypatch.setattr(warm, "LARGE", warm.LARGE.replace("> 1000", "> 1"))
    memory = Memory()
    await warm.warm(pool, memory)
    kept = await memory.snapshots.at(pool, client.project_id, 0)
    assert len(kept.tiers) == 2 and kept.touched == set()
