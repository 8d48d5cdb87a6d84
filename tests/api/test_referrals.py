"""Referral programs over HTTP: who is referred, what is held, released and taken back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guerdon.kit import jobs
from guerdon.worker import jobs as all_jobs

Client = Any  # tests/api/conftest.py has it
Run = Callable[[], Awaitable[None]]


async def gift_campaign(client: Client, name: str = "Credit") -> str:
    answer = await client.post(
        "/v1/campaigns",
        json={"name": name, "campaign_type": "GIFT_VOUCHERS", "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def reward(parent: str, amount: int) -> dict[str, Any]:
    return {"type": "GIFT_VOUCHER", "amount": amount, "related_object_parent": {"id": parent}}


async def program(client: Client, name: str = "Friends", **said: Any) -> dict[str, Any]:
    answer = await client.post(
        "/v1/campaigns",
        json={
            "name": name, "campaign_type": "REFERRAL_PROGRAM", "vouchers_count": 0, "referral_program": said,
            "voucher": {"type": "DISCOUNT_VOUCHER", "is_referral_code": True,
                        "discount": {"type": "PERCENT", "percent_off": 10}, "redemption": {"quantity": None}},
        },
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer.json()


async def code_of(client: Client, campaign: str, source_id: str, **person: Any) -> str:
    answer = await client.post(
        "/v1/publications",
        json={"campaign": {"id": campaign, "count": 1}, "customer": {"source_id": source_id, **person}},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["voucher"]["code"]


async def redeem(client: Client, code: str, source_id: str | None, amount: int = 10_000, **said: Any) -> Any:
    person, order = said.pop("person", {}), said.pop("order", {})
    body: dict[str, Any] = {
        "redeemables": [{"object": "voucher", "id": code}],
        "order": {"amount": amount} | order,
    }
    if source_id is not None:
        body["customer"] = {"source_id": source_id, **person}
    return await client.post("/v1/redemptions", json=body | said)


async def balance(client: Client, source_id: str, parent: str) -> int | None:
    """What is on the customer's card of a campaign; None without one."""
    assert client.app.state is not None
    row = await client.app.state.pool.fetchrow(
        "select c.balance from cards c join vouchers v on v.project_id = c.project_id and v.id = c.id"
        " join customers k on k.project_id = c.project_id and k.id = v.holder_id"
        " where c.project_id = $1 and k.source_id = $2 and v.campaign_id = $3",
        client.project_id, source_id, parent,
    )  # fmt: skip
    return None if row is None else row["balance"]


async def pass_time(client: Client) -> None:
    """Let the hold of all referrals end."""
    pool = client.app.state.pool
    await pool.execute(
        "update referrals set due_at = now() where project_id = $1 and due_at is not null", client.project_id
    )
    await pool.execute(
        "update jobs set run_at = now() where project_id = $1 and status = 'READY'", client.project_id
    )


async def test_a_reward_is_held_then_given_then_taken_back(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, hold="P14D", referrer_tiers=[{"reward": reward(credit, 500)}])
    assert made["referral_program"]["referrer_tiers"][0]["id"].startswith("rft_")
    assert made["voucher"]["is_referral_code"] is True
    code = await code_of(client, made["id"], "ann", email="ann@example.com")
    bought = await redeem(client, code, "bob")
    assert bought.status_code == 200, bought.text
    assert bought.json()["redemptions"][0]["voucher"]["is_referral_code"] is True
    await run_jobs()
    assert await balance(client, "ann", credit) is None, "it is held"
    await pass_time(client)
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    order = bought.json()["order"]
    back = await client.post(f"/v1/orders/{order['id']}/returns", json={"amount": 10_000})
    assert back.status_code == 200, back.text
    await run_jobs()
    assert await balance(client, "ann", credit) == 0


async def referrals(client: Client, **narrowed: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/referrals", params=narrowed)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_both_sides_are_rewarded_at_once_without_a_hold(client: Client, run_jobs: Run) -> None:
    credit, welcome = await gift_campaign(client), await gift_campaign(client, "Welcome")
    made = await program(
        client,
        referrer_tiers=[{"name": "every", "reward": reward(credit, 500)}],
        referee_reward=reward(welcome, 300),
    )
    code = await code_of(client, made["id"], "ann")
    assert (await redeem(client, code, "bob")).status_code == 200
    await run_jobs()
    assert (await balance(client, "ann", credit), await balance(client, "bob", welcome)) == (500, 300)
    [told] = await referrals(client, campaign_id=made["id"])
    assert told["status"] == "EARNED"
    tiers = {one["holder_role"]: one["referral_tier_id"] for one in told["rewards"]}
    assert tiers == {"REFEREE": None, "REFERRER": made["referral_program"]["referrer_tiers"][0]["id"]}
    bob = (await client.get("/v1/customers/bob")).json()
    assert bob["referrals"]["total"] == 1
    assert bob["referrals"]["campaigns"][0]["campaign_id"] == made["id"]
    ann = (await client.get("/v1/customers/ann")).json()
    assert ann["id"] == bob["referrals"]["campaigns"][0]["referrer_id"] == told["referrer_id"]
    assert ann["loyalty"]["referred_customers"] == 1
    assert ann["loyalty"]["campaigns"] == {"Friends": {"referred_customers": 1}}
    summary = (await client.get(f"/v1/campaigns/{made['id']}/summary")).json()
    assert summary["referred_customers"] == 1
    await run_jobs()
    assert await balance(client, "ann", credit) == 500


async def test_a_second_referral_adds_to_the_same_card(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    for friend in ("bob", "cem", "bob"):
        assert (await redeem(client, code, friend)).status_code == 200
        await run_jobs()
    assert await balance(client, "ann", credit) == 1_000, "each friend counts once"
    assert (await client.get(f"/v1/campaigns/{credit}")).json()["vouchers_count"] == 1


SPELLINGS = [
    ({"email": "Ann.Lee@gmail.com"}, {"email": "annlee+2@googlemail.com"}),
    ({"email": "ann@example.com"}, {"email": "ANN@Example.com"}),
    ({"email": "ann@example.com"}, {"email": "ann+friend@example.com"}),
    ({"email": "ann_lee@pm.me"}, {"email": "annlee@protonmail.com"}),
    ({"phone": "+49 30 901820"}, {"phone": "0049 (30) 90 18 20"}),
    ({"phone": "+4930901820"}, {"phone": "030/901820", "address": {"country": "DE"}}),
]


@pytest.mark.parametrize(("known", "said"), SPELLINGS)
async def test_nobody_refers_themselves(client: Client, known: Any, said: Any, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann", **known)
    for friend, person in (("ann", {}), ("other", said)):
        asked = {"redeemables": [{"object": "voucher", "id": code}], "order": {"amount": 1_000}}
        whose = {"customer": {"source_id": friend, **person}}
        checked = (await client.post("/v1/validations", json=asked | whose)).json()
        assert checked["redeemables"][0]["result"]["error"]["key"] == "referrer_not_permitted_to_redeem"
        refused = await redeem(client, code, friend, person=person)
        assert (refused.status_code, refused.json()["key"]) == (400, "referrer_not_permitted_to_redeem")
    await run_jobs()
    assert await referrals(client) == [] and await balance(client, "ann", credit) is None


async def test_a_number_without_a_calling_code_is_of_the_customers_country(client: Client) -> None:
    made = await program(client)
    code = await code_of(client, made["id"], "ann", phone="+49 30 901820")
    await client.post(
        "/v1/customers", json={"source_id": "x", "phone": "030 901820", "address": {"country": "DE"}}
    )
    await client.post(
        "/v1/customers", json={"source_id": "y", "phone": "030 901820", "address": {"country": "AT"}}
    )
    assert (await redeem(client, code, "x")).json()["key"] == "referrer_not_permitted_to_redeem"
    assert (await redeem(client, code, "y")).status_code == 200


async def test_an_address_that_is_told_later_ends_the_referral(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, hold="P7D", referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann", email="ann@example.com")
    assert (await redeem(client, code, "bob")).status_code == 200
    await run_jobs()
    await client.put("/v1/customers/bob", json={"email": "ann+bob@example.com"})
    await pass_time(client)
    await run_jobs()
    [told] = await referrals(client)
    assert (told["status"], told["reason"], told["rewards"][0]["status"]) == (
        "REFUSED",
        "self_referral",
        "CANCELED",
    )
    assert await balance(client, "ann", credit) is None


async def test_friends_with_one_mailbox_count_once(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    for tag in range(3):
        await redeem(client, code, f"bob{tag}", person={"email": f"bob+{tag}@example.com"})
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    assert sorted(one["reason"] or "" for one in await referrals(client)) == [
        "",
        "referred_before",
        "referred_before",
    ]


async def test_two_do_not_refer_each_other(client: Client) -> None:
    made = await program(client)
    ann, bob = await code_of(client, made["id"], "ann"), await code_of(client, made["id"], "bob")
    assert (await redeem(client, ann, "bob")).status_code == 200
    refused = await redeem(client, bob, "ann")
    assert refused.json()["key"] == "referrer_not_permitted_to_redeem"


async def test_a_code_has_to_be_published_and_the_friend_named(client: Client) -> None:
    made = await program(client)
    fresh = (await client.post(f"/v1/campaigns/{made['id']}/vouchers", json={})).json()["code"]
    refused = await redeem(client, fresh, "bob")
    assert (refused.status_code, refused.json()["key"]) == (400, "not_published")
    code = await code_of(client, made["id"], "ann")
    assert (await redeem(client, code, None)).json()["key"] == "missing_customer"


async def test_disposable_addresses_are_flagged_or_refused(client: Client, run_jobs: Run) -> None:
    flagging, refusing = await program(client), await program(client, "Strict", disposable_addresses="REFUSE")
    person = {"email": "x@mailinator.com"}
    code = await code_of(client, flagging["id"], "ann")
    assert (await redeem(client, code, "bob", person=person)).status_code == 200
    await run_jobs()
    assert (await referrals(client))[0]["flags"] == ["disposable_address"]
    strict = await code_of(client, refusing["id"], "ann")
    assert (await redeem(client, strict, "bob", person=person)).json()["key"] == "disposable_address"


async def test_an_unpaid_order_holds_the_reward(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob", order={"status": "CREATED"})).json()["order"]
    await run_jobs()
    assert ((await referrals(client))[0]["status"], await balance(client, "ann", credit)) == ("HELD", None)
    await client.put(f"/v1/orders/{order['id']}", json={"status": "PAID"})
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    await client.put(f"/v1/orders/{order['id']}", json={"status": "CANCELED"})
    await run_jobs()
    assert ((await referrals(client))[0]["status"], await balance(client, "ann", credit)) == ("UNDONE", 0)


async def test_partial_returns_take_their_share(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 1_001)}])
    code = await code_of(client, made["id"], "ann")
    order = (await redeem(client, code, "bob", amount=9_000)).json()["order"]
    await run_jobs()
    seen = [await balance(client, "ann", credit)]
    for _ in range(3):
        back = await client.post(f"/v1/orders/{order['id']}/returns", json={"amount": 3_000})
        assert back.status_code == 200, back.text
        await run_jobs()
        seen.append(await balance(client, "ann", credit))
    assert seen == [1_001, 667, 333, 0]


async def test_what_was_spent_of_a_reward_is_owed(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    bought = (await redeem(client, code, "bob")).json()
    await run_jobs()
    card = (await referrals(client))[0]["rewards"][0]["voucher_id"]
    spent = await client.post(
        "/v1/redemptions",
        json={
            "redeemables": [{"object": "voucher", "id": card, "gift": {"credits": 400}}],
            "order": {"amount": 900},
        },
    )
    assert spent.status_code == 200, spent.text
    undone = await client.post(f"/v1/redemptions/{bought['redemptions'][0]['id']}/rollback")
    assert undone.status_code == 200, undone.text
    await run_jobs()
    assert await balance(client, "ann", credit) == -400
    assert (await redeem(client, code, "cem")).status_code == 200
    await run_jobs()
    assert await balance(client, "ann", credit) == 100, "the next reward pays the debt first"


async def test_a_tier_for_three_friends(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, referrer_tiers=[{"minimum": 3, "reward": reward(credit, 900)}])
    code = await code_of(client, made["id"], "ann")
    bought = []
    for friend in ("b", "c", "d", "e"):
        bought.append((await redeem(client, code, friend)).json()["redemptions"][0]["id"])
        await run_jobs()
        assert await balance(client, "ann", credit) == (None if friend in "bc" else 900)
    seen = []
    for redemption in bought[:2]:
        await client.post(f"/v1/redemptions/{redemption}/rollback")
        await run_jobs()
        seen.append(await balance(client, "ann", credit))
    assert seen == [900, 0], "three still hold, then two"
    await redeem(client, code, "f")
    await run_jobs()
    assert await balance(client, "ann", credit) == 900


async def test_an_event_converts(client: Client, manager: Any, run_jobs: Run) -> None:
    await manager.post("/custom-event-schemas", json={"name": "signed_up", "schema": {"properties": {}}})
    credit = await gift_campaign(client)
    made = await program(
        client, conversion_event_type="custom_event", custom_event={"name": "signed_up"},
        referrer_tiers=[{"reward": reward(credit, 500)}],
    )  # fmt: skip
    assert made["referral_program"]["custom_event"]["id"].startswith("ces_")
    code = await code_of(client, made["id"], "ann")
    assert (await redeem(client, code, "bob")).status_code == 200
    await run_jobs()
    assert ((await referrals(client))[0]["status"], await balance(client, "ann", credit)) == (
        "REFERRED",
        None,
    )
    body = {"event": "signed_up", "referral": {"code": code}}
    for friend in ("bob", "bob", "cem"):
        sent = await client.post("/v1/events", json=body | {"customer": {"source_id": friend}})
        assert sent.status_code == 200, sent.text
        await run_jobs()
    assert await balance(client, "ann", credit) == 1_000
    assert sent.json()["referral"]["referrer_id"] == (await client.get("/v1/customers/ann")).json()["id"]
    own = await client.post("/v1/events", json=body | {"customer": {"source_id": "ann"}})
    assert (own.status_code, own.json()["key"]) == (400, "referrer_not_permitted_to_redeem")


async def test_sixteen_friends_at_once_and_five_rewards(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, caps={"total": 5}, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    bought = await asyncio.gather(*(redeem(client, code, f"friend{n}") for n in range(16)))
    assert {one.status_code for one in bought} == {200}
    pool = client.app.state.pool
    await asyncio.gather(*(jobs.run_due(pool, all_jobs()) for _ in range(6)))
    assert await balance(client, "ann", credit) == 2_500
    told = await referrals(client, limit="100")
    statuses = sorted(one["rewards"][0]["status"] for one in told)
    assert statuses == ["CAPPED"] * 11 + ["RELEASED"] * 5


async def test_a_capped_reward_takes_the_place_of_a_canceled_one(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(
        client, hold="P14D", caps={"total": 1}, referrer_tiers=[{"reward": reward(credit, 500)}]
    )
    code = await code_of(client, made["id"], "ann")
    first = await redeem(client, code, "bob")
    await redeem(client, code, "cem")
    await redeem(client, code, "dan")
    await run_jobs()
    told = [one["rewards"][0]["status"] for one in await referrals(client)]
    assert sorted(told) == ["CAPPED", "CAPPED", "HELD"]
    back = await client.post(f"/v1/orders/{first.json()['order']['id']}/returns", json={"amount": 10_000})
    assert back.status_code == 200, back.text
    await run_jobs()
    await pass_time(client)
    await run_jobs()
    told = [(one["status"], one["rewards"][0]["status"]) for one in await referrals(client)]
    assert sorted(told) == [("EARNED", "CAPPED"), ("EARNED", "RELEASED"), ("UNDONE", "CANCELED")]
    assert await balance(client, "ann", credit) == 500


async def test_a_month_has_its_own_cap(client: Client, run_jobs: Run) -> None:
    credit = await gift_campaign(client)
    made = await program(client, caps={"per_month": 1}, referrer_tiers=[{"reward": reward(credit, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await redeem(client, code, "cem")
    await run_jobs()
    assert await balance(client, "ann", credit) == 500
    sql = "update referral_rewards set month = month - interval '1 month' where project_id = $1"
    await client.app.state.pool.execute(sql, client.project_id)
    await redeem(client, code, "dan")
    await run_jobs()
    assert await balance(client, "ann", credit) == 1_000


async def test_a_reward_waits_for_a_card(client: Client, run_jobs: Run) -> None:
    answer = await client.post(
        "/v1/campaigns",
        json={"name": "Few", "type": "STATIC", "vouchers_count": 0, "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}},
    )  # fmt: skip
    few = answer.json()["id"]
    made = await program(client, referrer_tiers=[{"reward": reward(few, 500)}])
    code = await code_of(client, made["id"], "ann")
    await redeem(client, code, "bob")
    await run_jobs()
    assert (await referrals(client))[0]["status"] == "HELD"
    assert (await client.post(f"/v1/campaigns/{few}/vouchers", json={})).status_code == 200
    await pass_time(client)
    await run_jobs()
    assert await balance(client, "ann", few) == 500
