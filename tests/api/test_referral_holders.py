"""Holders of referral codes, and what a referral program may not say."""

import asyncio
from typing import Any

import pytest

from guerdon.kit import db

from .test_referrals import code_of, gift_campaign, program, redeem, reward

Client = Any  # tests/api/conftest.py has it


async def add(client: Client, code: str, *people: dict[str, Any], **body: Any) -> Any:
    return await client.post(f"/v1/referrals/members/{code}/holders", json={"holders": list(people)} | body)


async def holders(client: Client, code: str, **query: str) -> Any:
    answer = await client.get(f"/v1/referrals/members/{code}/holders", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def events_of(client: Client, customer_id: str) -> list[str]:
    sql = "select type from events where project_id = $1 and customer_id = $2 order by id"
    return [row["type"] for row in await client.app.state.pool.fetch(sql, client.project_id, customer_id)]


async def test_referees_are_added_and_listed(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    answer = await add(
        client, code, {"source_id": "bob", "name": "Bob"}, {"source_id": "cem"}, metadata={"via": "app"}
    )
    assert answer.status_code == 200, answer.text
    bob, cem = answer.json()["holders"]
    assert bob["id"].startswith("rh_") and bob["object"] == "redeemable_holder"
    assert (bob["holder_role"], bob["campaign_type"], bob["voucher_type"]) == (
        "REFEREE", "REFERRAL_PROGRAM", "DISCOUNT_VOUCHER",
    )  # fmt: skip
    assert bob["metadata"] == {"via": "app"} and bob["campaign_id"] == made["id"]
    listed = await holders(client, code, order="created_at")
    assert [one["holder_role"] for one in listed["data"]] == ["REFERRER", "REFEREE", "REFEREE"]
    first = await holders(client, code, order="id", limit="1")
    assert first["has_more"] and first["total"] == 3
    rest = await holders(client, code, order="id", starting_after_id=first["more_starting_after"])
    assert len(rest["data"]) == 2
    narrowed = {"filters[holder_role][conditions][$is]": "REFERRER"}
    assert [one["holder_role"] for one in (await holders(client, code, **narrowed))["data"]] == ["REFERRER"]
    path = f"/v1/referrals/{made['id']}/members/{code}/holders"
    assert (await client.get(path)).json()["total"] == 3
    assert (await client.delete(f"{path}/{cem['id']}")).status_code == 204
    assert (await client.delete(f"{path}/{cem['id']}")).status_code == 404
    referrer = listed["data"][0]["id"]
    refused = await client.delete(f"/v1/referrals/members/{code}/holders/{referrer}")
    assert (refused.status_code, refused.json()["key"]) == (403, "forbidden")


async def test_all_or_nobody(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    assert (await add(client, code, {"source_id": "bob"})).status_code == 200
    for people in (
        [{"source_id": "new"}, {"source_id": "bob"}],
        [{"source_id": "new"}, {"source_id": "ann"}],
    ):
        refused = await add(client, code, *people)
        assert (refused.status_code, refused.json()["key"]) == (409, "holder_assignement_duplication")
    assert (await client.get("/v1/customers/new")).status_code == 404
    twice = await add(client, code, {"source_id": "new"}, {"source_id": "new"})
    assert (twice.status_code, twice.json()["key"]) == (409, "duplicate_found")
    bob = (await client.get("/v1/customers/bob")).json()["id"]
    same = await add(client, code, {"source_id": "dan"}, {"id": bob}, {"source_id": "bob"})
    assert (same.status_code, same.json()["key"]) == (409, "duplicate_found")
    assert (await add(client, code)).status_code == 400
    assert (await add(client, code, *({"source_id": f"n{n}"} for n in range(101)))).status_code == 400
    assert (await holders(client, code))["total"] == 2


async def test_a_hundred_at_once(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    assert (await add(client, code, *({"source_id": f"n{n}"} for n in range(100)))).status_code == 200
    assert (await holders(client, code))["total"] == 101


async def test_codes_that_have_no_referees(client: Client) -> None:
    made, other = await program(client), await program(client, "Other")
    fresh = (await client.post(f"/v1/campaigns/{made['id']}/vouchers", json={})).json()["code"]
    refused = await add(client, fresh, {"source_id": "bob"})
    assert (refused.status_code, refused.json()["key"]) == (400, "not_published")
    await client.post("/v1/vouchers/PLAIN", json={"discount": {"type": "PERCENT", "percent_off": 5}})
    assert (await add(client, "PLAIN", {"source_id": "bob"})).status_code == 404
    assert (await add(client, "NONE", {"source_id": "bob"})).status_code == 404
    for campaign in (other["id"], "camp_none"):
        path = f"/v1/referrals/{campaign}/members/{fresh}/holders"
        assert (await client.get(path)).status_code == 404


async def test_nobody_new_is_told_of_without_consent(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    answer = await add(client, code, {"source_id": "quiet"}, {"source_id": "willing", "consent": True})
    quiet, willing = (one["customer_id"] for one in answer.json()["holders"])
    assert await events_of(client, quiet) == []
    assert await events_of(client, willing) == ["customer.created"]
    assert (await redeem(client, code, "quiet")).status_code == 200
    assert "customer.referred" in await events_of(client, quiet), "they came by themselves"
    assert (await holders(client, code))["total"] == 3, "a referee that was named is one still"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"hold": "two weeks"}, "referral_program.hold"),
    ({"conversion_event_type": "custom_event"}, "referral_program.custom_event"),
    (
        {"conversion_event_type": "custom_event", "custom_event": {"name": "none"}},
        "referral_program.custom_event",
    ),
    ({"referee_reward": reward("camp_none", 5)}, "referral_program.referee_reward.related_object_parent"),
    (
        {"referrer_tiers": [{"id": "rft_x", "reward": reward("camp_none", 5)}]},
        "referral_program.referrer_tiers[0].id",
    ),
]


@pytest.mark.parametrize(("said", "path"), WRONG)
async def test_programs_that_cannot_be_meant(client: Client, said: dict[str, Any], path: str) -> None:
    body = {
        "name": "Wrong", "campaign_type": "REFERRAL_PROGRAM", "referral_program": said,
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}},
    }  # fmt: skip
    refused = await client.post("/v1/campaigns", json=body)
    assert refused.status_code == 400, refused.text
    assert [fault["path"] for fault in refused.json()["errors"]] == [path]
    assert (await client.get("/v1/campaigns/Wrong")).status_code == 404


@pytest.mark.parametrize("said", [{"caps": {"total": 0}}, {"referee_reward": reward("x", 0)}, {"hold": 5}])
async def test_values_out_of_range(client: Client, said: dict[str, Any]) -> None:
    body = {
        "name": "Wrong",
        "referral_program": said,
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}},
    }
    assert (await client.post("/v1/campaigns", json=body)).status_code == 400


async def test_a_program_is_changed_as_a_whole(client: Client) -> None:
    credit = await gift_campaign(client)
    made = await program(client, hold="P7D", referrer_tiers=[{"reward": reward(credit, 5)}])
    tier = made["referral_program"]["referrer_tiers"][0]
    tier["reward"]["amount"] = 7
    changed = await client.put(
        f"/v1/campaigns/{made['id']}",
        json={"referral_program": {"referrer_tiers": [tier], "caps": {"total": 3}}},
    )
    assert changed.status_code == 200, changed.text
    told = changed.json()["referral_program"]
    assert (told["referrer_tiers"], told["caps"]["total"], "hold" in told) == ([tier], 3, False)
    fixed = await client.put(
        f"/v1/campaigns/{made['id']}", json={"referral_program": {"conversion_event_type": "custom_event"}}
    )
    assert fixed.status_code == 400
    coupons = {"name": "Plain", "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}}}
    assert (await client.post("/v1/campaigns", json=coupons)).status_code == 200
    mixed = await client.put("/v1/campaigns/Plain", json={"referral_program": {}})
    assert (mixed.status_code, mixed.json()["errors"][0]["path"]) == (400, "referral_program")
    alone = coupons | {"name": "One", "type": "STANDALONE", "referral_program": {}}
    assert (await client.post("/v1/campaigns", json=alone)).json()["errors"][0]["path"] == "type"


async def test_campaigns_and_codes_are_found_by_being_referrals(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    listed = (await client.get("/v1/campaigns", params={"is_referral_code": "true"})).json()
    assert [one["id"] for one in listed["campaigns"]] == [made["id"]]
    published = (await client.get("/v1/publications", params={"is_referral_code": "true"})).json()
    assert published["publications"][0]["voucher"]["is_referral_code"] is True
    assert (await client.get(f"/v1/vouchers/{code}")).json()["is_referral_code"] is True


async def qualified(client: Client, source_id: str, **options: Any) -> dict[str, Any]:
    body = {
        "customer": {"source_id": source_id},
        "order": {"amount": 5_000},
        "scenario": "ALL",
        "options": options,
    }
    answer = await client.post("/v1/qualifications", json=body)
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["redeemables"]["data"]}


async def test_referees_see_the_code_and_its_referrer_cannot_use_it(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    assert (await add(client, code, {"source_id": "bob"})).status_code == 200
    await client.post("/v1/customers", json={"source_id": "cem"})
    assert code in await qualified(client, "bob")
    assert code not in await qualified(client, "ann")
    assert code not in await qualified(client, "cem")
    for role, seen in (("REFEREE", True), ("REFERRER", False), ("OWNER", False)):
        found = await qualified(client, "bob", filters={"holder_role": {"conditions": {"$is": [role]}}})
        assert (code in found) is seen, role
    named = {"code": {"conditions": {"$is": [code]}}}
    assert code in await qualified(client, "bob", filters=named)
    for source_id, role in (("ann", "REFERRER"), ("bob", "REFEREE")):
        held = (await client.get(f"/v1/customers/{source_id}/redeemables")).json()["data"]
        assert [(one["redeemable"]["voucher"]["code"], one["holder_role"]) for one in held] == [(code, role)]
    assert (await client.get("/v1/customers/cem/redeemables")).json()["data"] == []


async def test_customers_are_locked_before_the_code(client: Client, pool: db.Pool) -> None:
    """As redemptions and publications lock them, so that nobody waits for each other in a circle."""
    made = await program(client)
    code = await code_of(client, made["id"], "ann")
    await client.post("/v1/customers", json={"source_id": "bob"})
    async with pool.acquire() as conn, conn.transaction():
        await db.execute(conn, "set local role none")  # the application's role does not see who waits
        lock = "select 1 from customers where project_id = $1 and source_id = 'bob' for update"
        await db.execute(conn, lock, client.project_id)
        adding = asyncio.create_task(add(client, code, {"source_id": "bob", "name": "Bob"}))
        waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not await db.value(conn, waits):
            assert not adding.done()
            await asyncio.sleep(0.01)
        free = "select 1 from vouchers where project_id = $1 and code = $2 for update nowait"
        await db.execute(conn, free, client.project_id, code)
    assert (await adding).status_code == 200
