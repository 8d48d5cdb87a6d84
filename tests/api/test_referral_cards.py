"""Onto which cards rewards of referrals go, and what happens where there is none."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.verify import verify

from .test_referrals import balance, code_of, gift_campaign, pass_time, program, redeem, referrals, reward

Client = Any  # tests/api/conftest.py has it
Run = Callable[[], Awaitable[None]]


async def cards_of(client: Client, source_id: str, campaign: str) -> list[tuple[str, int]]:
    """The cards of a campaign that a customer holds, oldest first, and what is on them."""
    rows = await db.records(
        client.app.state.pool,
        "select v.code, c.balance from vouchers v join cards c on c.project_id = $1 and c.id = v.id"
        " join customers k on k.project_id = $1 and k.id = v.holder_id"
        " where v.project_id = $1 and k.source_id = $2 and v.campaign_id = $3 order by v.created_at, v.id",
        client.project_id, source_id, campaign,
    )  # fmt: skip
    return [(row["code"], row["balance"]) for row in rows]


async def broken(client: Client, database_url: str) -> list[str]:
    """What `guerdon verify` says of the project."""
    return [one.invariant for one in await verify(database_url)
            if one.project_id == client.project_id and not one.holds]  # fmt: skip


async def waiting(client: Client) -> int:
    """How many looks at referrals wait for their time."""
    sql = "select count(*) from jobs where project_id = $1 and kind = 'referrals.look' and status = 'READY'"
    return await db.value(client.app.state.pool, sql, client.project_id)


async def test_a_reward_does_not_go_onto_a_card_that_is_over(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await run_jobs()
    [(first, _)] = await cards_of(client, "ann", credit)
    ended = await client.put(f"/v1/vouchers/{first}", json={"expiration_date": "2020-01-01T00:00:00Z"})
    assert ended.status_code == 200, ended.text
    await redeem(client, code, "cem")
    await run_jobs()
    assert [amount for _, amount in await cards_of(client, "ann", credit)] == [500, 500]


async def test_a_reward_does_not_go_onto_a_card_that_is_switched_off(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await run_jobs()
    [(first, _)] = await cards_of(client, "ann", credit)
    assert (await client.post(f"/v1/vouchers/{first}/disable")).status_code == 200
    await redeem(client, code, "cem")
    await run_jobs()
    assert [amount for _, amount in await cards_of(client, "ann", credit)] == [500, 500]


async def test_a_campaign_that_is_gone_costs_its_own_reward_only(client: Client, run_jobs: Run) -> None:
    credit, welcome = await gift_campaign(client), await gift_campaign(client, "Welcome")
    made = await program(
        client, referrer_tiers=[{"reward": reward(credit, 500)}], referee_reward=reward(welcome, 300)
    )
    code = await code_of(client, made["id"], "ann")
    assert (await client.delete(f"/v1/campaigns/{welcome}")).status_code in (200, 202, 204)
    await run_jobs()
    await redeem(client, code, "bob")
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    [told] = await referrals(client)
    assert told["status"] == "EARNED"
    assert [(one["status"], one["reason"]) for one in told["rewards"]] == [
        ("CANCELED", "campaign_deleted"), ("RELEASED", None),
    ]  # fmt: skip
    assert await waiting(client) == 0


async def test_however_often_an_order_changes_one_look_waits_for_a_card(
    client: Client, run_jobs: Run
) -> None:
    few = (await client.post(
        "/v1/campaigns",
        json={"name": "Few", "type": "STATIC", "vouchers_count": 0, "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}},
    )).json()["id"]  # fmt: skip
    made = await program(client, referrer_tiers=[{"reward": reward(few, 500)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob")).json()["order"]["id"]
    await run_jobs()
    for turn in range(5):
        changed = await client.put(f"/v1/orders/{order}", json={"metadata": {"turn": turn}})
        assert changed.status_code == 200, changed.text
        await client.app.state.pool.execute(
            "insert into jobs (project_id, id, kind, payload) select project_id, 'job_x' || $2, 'referrals.look',"
            " jsonb_build_object('referral_id', id) from referrals where project_id = $1",
            client.project_id, str(turn),
        )  # fmt: skip
        await run_jobs()
    assert await waiting(client) <= 2


async def test_a_card_that_was_deleted_for_good_owes_nothing(
    client: Client, run_jobs: Run, database_url: str
) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    bought = (await redeem(client, code, "bob")).json()
    await run_jobs()
    [(card, _)] = await cards_of(client, "ann", credit)
    assert (await client.delete(f"/v1/vouchers/{card}?force=true")).status_code == 204
    await client.post(f"/v1/redemptions/{bought['redemptions'][0]['id']}/rollback")
    await run_jobs()
    print(await referrals(client))
    assert await broken(client, database_url) == []


async def test_an_order_sent_back_whole_undoes_the_referral(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob")).json()["order"]["id"]
    await run_jobs()
    await client.post(f"/v1/orders/{order}/returns", json={"amount": 10_000})
    await run_jobs()
    [told] = await referrals(client)
    assert (told["status"], await balance(client, "ann", credit)) == ("UNDONE", 0)


async def test_what_came_back_before_the_first_look_counts(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, hold="P1D", referrer_tiers=[{"reward": reward(credit, 900)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob", amount=9_000, order={"status": "CREATED"})).json()["order"][
        "id"
    ]
    await client.put(f"/v1/orders/{order}", json={"status": "PAID"})
    back = await client.post(f"/v1/orders/{order}/returns", json={"amount": 3_000})
    assert back.status_code == 200, back.text
    await run_jobs()
    await pass_time(client)
    await run_jobs()
    assert await balance(client, "ann", credit) == 600


async def test_a_card_for_everybody_is_no_place_for_a_reward(client: Client) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}
    shared = {"name": "One", "type": "STANDALONE", "campaign_type": "GIFT_VOUCHERS", "voucher": gift}
    campaign = (await client.post("/v1/campaigns", json=shared)).json()["id"]
    body = {
        "name": "Friends", "referral_program": {"referee_reward": reward(campaign, 500)},
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}},
    }  # fmt: skip
    refused = await client.post("/v1/campaigns", json=body)
    assert (refused.status_code, refused.json()["key"]) == (400, "invalid_campaign")
    path = "referral_program.referee_reward.related_object_parent"
    assert [fault["path"] for fault in refused.json()["errors"]] == [path]


async def test_a_program_that_was_deleted_for_good_gives_nothing_that_was_held(
    client: Client, run_jobs: Run
) -> None:
    """Nobody can tell how long, if the order was not paid before."""
    credit = await gift_campaign(client)
    made = await program(client, hold="P14D", referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    paid, unpaid = "friend who paid", "friend who did not"
    await redeem(client, code, paid)
    order = (await redeem(client, code, unpaid, order={"status": "CREATED"})).json()["order"]["id"]
    await run_jobs()
    assert (await client.delete(f"/v1/campaigns/{made['id']}?force=true")).status_code == 202
    await run_jobs()
    assert (await client.put(f"/v1/orders/{order}", json={"status": "PAID"})).status_code == 200
    await run_jobs()
    assert await balance(client, "ann", credit) is None
    await pass_time(client)
    await run_jobs()
    assert await balance(client, "ann", credit) == 500, "of the one who paid"
    told = {one["status"]: one for one in await referrals(client)}
    assert told["REFUSED"]["reason"] == told["REFUSED"]["rewards"][0]["reason"] == "campaign_deleted"


@pytest.mark.parametrize(("used", "left"), [(0, 100), (50, 50)])
async def test_what_has_lapsed_of_a_reward_is_not_owed(
    client: Client, run_jobs: Run, tonight: Any, database_url: str, used: int, left: int
) -> None:
    """80 points were given, of which some were used and the others lapsed; then the order comes back."""
    body = {
        "name": "Club", "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {"loyalty_card": {"points": 0, "expiration_rules": {"period_type": "MONTH", "period_value": 3}}},
    }  # fmt: skip
    await client.post("/v1/campaigns", json=body)
    points = {"type": "LOYALTY_CARD", "amount": 80, "related_object_parent": {"name": "Club"}}
    made = await program(client, referrer_tiers=[{"reward": points}])
    code = await code_of(client, made["id"], "ann")
    bought = (await redeem(client, code, "bob")).json()["redemptions"][0]["id"]
    await run_jobs()
    card = (await referrals(client))[0]["rewards"][0]["voucher_id"]
    for amount in (-used,) * bool(used):
        assert (await client.post(f"/v1/vouchers/{card}/balance", json={"amount": amount})).status_code == 200
    await tonight("update card_lots set expires_at = now() - interval '2 days'")
    await client.post(f"/v1/vouchers/{card}/balance", json={"amount": 100, "expiration_date": "2090-01-01"})
    assert (await client.post(f"/v1/redemptions/{bought}/rollback")).status_code == 200
    await run_jobs()
    shown = (await client.get(f"/v1/vouchers/{card}")).json()["loyalty_card"]
    assert shown["balance"] == left
    [told] = (await referrals(client))[0]["rewards"]
    assert (told["status"], told["clawed_back"]) == ("CLAWED_BACK", used)
    assert await broken(client, database_url) == []
