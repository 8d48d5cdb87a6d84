"""Rewards of referrals: points, segments, what a return leaves, what is told, and a worker that dies."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guerdon.kit import jobs

from .test_referrals import balance, code_of, gift_campaign, pass_time, program, redeem, referrals, reward

Client = Any  # tests/api/conftest.py has it
Run = Callable[[], Awaitable[None]]


async def test_points_are_a_reward_too(client: Client, run_jobs: Run) -> None:
    body = {
        "name": "Club",
        "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {
            "loyalty_card": {"points": 20, "expiration_rules": {"period_type": "MONTH", "period_value": 3}}
        },
    }
    club = (await client.post("/v1/campaigns", json=body)).json()["id"]
    points = {"type": "LOYALTY_CARD", "amount": 80, "related_object_parent": {"name": "Club"}}
    made = await program(
        client, referrer_tiers=[{"reward": points}], referee_reward=points | {"amount": "30"}
    )
    code = await code_of(client, made["id"], "ann")
    bought = (await redeem(client, code, "bob")).json()
    await run_jobs()
    assert (await balance(client, "ann", club), await balance(client, "bob", club)) == (100, 50)
    lots = "select expires_at is not null from card_lots where project_id = $1 and granted in (80, 30)"
    ending = [row[0] for row in await client.app.state.pool.fetch(lots, client.project_id)]
    assert ending == [True, True], "points of a reward lapse by the rules of the program"
    await client.post(f"/v1/redemptions/{bought['redemptions'][0]['id']}/rollback")
    await run_jobs()
    assert (await balance(client, "ann", club), await balance(client, "bob", club)) == (20, 20)
    mixed = points | {"type": "GIFT_VOUCHER"}
    refused = await client.put(
        f"/v1/campaigns/{made['id']}", json={"referral_program": {"referee_reward": mixed}}
    )
    assert refused.json()["errors"][0]["path"] == "referral_program.referee_reward.related_object_parent"


async def test_a_segment_decides_about_a_tier(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    await client.post("/v1/customers", json={"source_id": "vip"})
    segment = (await client.post("/v1/segments", json={"name": "VIP", "customers": ["vip"]})).json()["id"]
    tier = {"segment": {"id": segment}, "reward": reward(credit, 700)}
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}, tier])
    for referrer, expected in (("vip", 1_200), ("ann", 500)):
        code = await code_of(client, made["id"], referrer)
        assert (await redeem(client, code, f"friend of {referrer}")).status_code == 200
        await run_jobs()
        assert await balance(client, referrer, credit) == expected


@pytest.mark.parametrize(("policy", "left"), [("KEEP", 900), ("LOSE", 0), ("PROPORTIONAL", 600)])
async def test_what_a_partial_return_leaves(client: Client, policy: str, left: int, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, partial_return=policy, referrer_tiers=[{"reward": reward(credit, 900)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob", amount=9_000)).json()["order"]
    await run_jobs()
    await client.post(f"/v1/orders/{order['id']}/returns", json={"amount": 3_000})
    await run_jobs()
    assert await balance(client, "ann", credit) == left


async def test_a_customer_who_is_deleted_gets_nothing(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, hold="P1D", referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await run_jobs()
    assert (await client.delete("/v1/customers/ann")).status_code == 204
    await pass_time(client)
    await run_jobs()
    assert (await referrals(client))[0]["rewards"][0]["reason"] == "customer_deleted"


async def test_what_happened_is_told(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(
        client, referrer_tiers=[{"reward": reward(credit, 500)}], referee_reward=reward(credit, 300)
    )
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await run_jobs()
    told = {}
    for who in ("ann", "bob"):
        answer = await client.get(f"/v1/customers/{who}/activity", params={"limit": "100"})
        assert answer.status_code == 200, answer.text
        told[who] = [one["type"] for one in answer.json()["data"]]
    assert "customer.referred" in told["bob"] and "customer.referred" not in told["ann"]
    for types in told.values():
        assert {"customer.rewarded", "customer.voucher.gift.balance_added"} <= set(types)
        assert types.count("customer.rewarded") == 1
    query = {"type": "customer.referred"}
    [referred] = (await client.get("/v1/customers/bob/activity", params=query)).json()["data"]
    ann = (await client.get("/v1/customers/ann")).json()["id"]
    about = referred["data"]["data"]
    assert about["referrer"] == {"id": ann, "object": "customer"}
    assert about["campaign"]["id"] == made["id"] and about["custom_event"] is None
    card = (await referrals(client))[0]["rewards"][1]["voucher_id"]
    moved = (await client.get(f"/v1/vouchers/{card}/transactions")).json()["data"]
    assert [one["type"] for one in moved] == ["CREDITS_ADDITION"]


async def test_a_worker_that_dies_gives_nothing_twice(
    client: Client, run_jobs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies behind everything that a look writes, before the commit; another takes the job over."""
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    deaths = []

    async def die(work: jobs.Work, conn: Any, result: Any = None) -> None:
        deaths.append(work.job.id)
        raise ConnectionError("killed")

    with monkeypatch.context() as killing:
        killing.setattr(jobs.Work, "finish", die)
        await run_jobs()
    assert deaths and await balance(client, "ann", credit) is None, "nothing of it was written"
    await pass_time(client)
    await run_jobs()
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    assert (await client.get(f"/v1/campaigns/{credit}")).json()["vouchers_count"] == 1
