"""Goods, codes and credit bought with points, by the paths of the older API."""

import asyncio
from typing import Any

from .conftest import Client
from .loyalty import PROGRAMS, ok, refused
from .test_loyalty_v1 import LOYALTIES, club, join
from .test_rewards_v1 import V1, give, goods
from .test_rewards_v1_redeemed import REDEMPTIONS, VALIDATIONS, asked, balance


async def member(client: Client, points: int = 1000) -> tuple[dict[str, Any], dict[str, Any]]:
    """A program and a member's card with points on it."""
    made = await club(client)
    card = await join(client, made["id"])
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": points})
    return made, card


async def campaign(client: Client, name: str, voucher: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A campaign whose codes are given."""
    kind = "GIFT_VOUCHERS" if "gift" in voucher else "DISCOUNT_COUPONS"
    body = {"name": name, "campaign_type": kind, "type": "AUTO_UPDATE", "voucher": voucher, **more}
    return await ok(client, "POST", "/v1/campaigns", body)


async def of_campaign(client: Client, name: str, balance: int | None = None) -> dict[str, Any]:
    """A reward of codes."""
    given = {"id": name} | ({} if balance is None else {"balance": balance})
    return await ok(client, "POST", V1, {"name": "Codes", "parameters": {"campaign": given}})


async def test_goods_are_bought_until_the_stock_is_gone_and_come_back(client: Client) -> None:
    made, card = await member(client)
    reward = await goods(client, stock=1)
    given = await give(client, made["id"], reward["id"], 300)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    body = {"reward": {"id": reward["id"]}, "metadata": {"shop": "Oslo"}}
    done = await ok(client, "POST", path, body)
    assert (done["result"], done["status"], done["amount"]) == ("SUCCESS", "SUCCEEDED", 300)
    shown = done["reward"]
    assert (shown["id"], shown["type"], shown["assignment_id"]) == (reward["id"], "MATERIAL", given["id"])
    assert shown["product"]["id"] == reward["parameters"]["product"]["id"]
    assert shown["voucher"] is None and shown["customer"]["id"] == card["holder_id"] == done["customer_id"]
    assert await balance(client, card) == 700
    read = await ok(client, "GET", f"{REDEMPTIONS}/{done['id']}")
    assert read["reward"]["product"]["id"] == shown["product"]["id"] and read["metadata"] == {"shop": "Oslo"}
    assert (await ok(client, "GET", f"{V1}/{reward['id']}"))["redeemed"] == 1
    assert (await refused(client, "POST", path, body))[:2] == (400, "reward_out_of_stock")
    rewards = f"{LOYALTIES}/members/{card['code']}/rewards"
    assert (await ok(client, "GET", rewards))["data"] == []
    failed = (await ok(client, "GET", f"{REDEMPTIONS}?result=FAILURE"))["redemptions"]
    assert [one["failure_code"] for one in failed] == ["reward_out_of_stock"]
    suffix = made["id"].partition("_")[2]
    members = (await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}/members"))["data"]
    there = f"{PROGRAMS}/lprg_{suffix}/members/{members[0]['id']}/rewards/purchases"
    (bought,) = (await ok(client, "GET", there))["data"]
    assert (bought["points"]["total"] if isinstance(bought.get("points"), dict) else 300) == 300
    part = await refused(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback", {"amount": 5})
    assert part[:2] == (400, "invalid_rollback_params")
    back = await ok(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback", {"reason": "wrong one"})
    assert (back["object"], back["amount"], back["reason"]) == ("redemption_rollback", -300, "wrong one")
    assert await balance(client, card) == 1000
    assert (await ok(client, "GET", f"{REDEMPTIONS}/{done['id']}"))["status"] == "ROLLED_BACK"
    assert (await ok(client, "GET", f"{V1}/{reward['id']}"))["redeemed"] == 0
    assert (await refused(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback"))[1] == "already_rolled_back"
    await ok(client, "POST", path, body)


async def test_a_code_is_published_to_the_member_and_taken_back_unless_it_was_used(client: Client) -> None:
    made, card = await member(client)
    codes = await campaign(
        client, "Ten", {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 500}}
    )
    reward = await of_campaign(client, codes["id"])
    assert reward["parameters"] == {"campaign": {"id": codes["id"], "type": "DISCOUNT_COUPONS"}}
    await give(client, made["id"], reward["id"], 100)
    body = asked(card, reward, None)
    told = await ok(client, "POST", VALIDATIONS, body)
    assert told["valid"] is True and told["redeemables"][0]["result"]["loyalty_card"] == {"points": 100}
    first = (await ok(client, "POST", REDEMPTIONS, body))["redemptions"][0]
    code = first["reward"]["voucher"]
    assert (code["campaign_id"], code["holder_id"]) == (codes["id"], card["holder_id"])
    second = (await ok(client, "POST", REDEMPTIONS, body))["redemptions"][0]
    assert second["reward"]["voucher"]["code"] != code["code"] and await balance(client, card) == 800
    use = {"redeemables": [{"object": "voucher", "id": code["code"]}], "order": {"amount": 900}}
    await ok(client, "POST", REDEMPTIONS, use)
    spent = await refused(client, "POST", f"{REDEMPTIONS}/{first['id']}/rollbacks")
    assert spent[:2] == (400, "reward_already_used") and await balance(client, card) == 800
    back = await ok(client, "POST", f"{REDEMPTIONS}/{second['id']}/rollbacks")
    assert [one["amount"] for one in back["rollbacks"]] == [-100] and await balance(client, card) == 900
    gone = second["reward"]["voucher"]["code"]
    assert (await refused(client, "GET", f"/v1/vouchers/{gone}"))[0] == 404


async def test_credit_goes_onto_a_gift_card_and_points_onto_another_programs(client: Client) -> None:
    made, card = await member(client)
    gifts = await campaign(client, "Gifts", {"type": "GIFT_VOUCHER", "gift": {"amount": 0}})
    gift = await of_campaign(client, gifts["id"], 2500)
    await give(client, made["id"], gift["id"], 200)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    one = await ok(client, "POST", path, {"reward": {"id": gift["id"]}})
    two = await ok(client, "POST", path, {"reward": {"id": gift["id"]}})
    assert one["reward"]["voucher"]["code"] == two["reward"]["voucher"]["code"]
    assert two["reward"]["voucher"]["gift"]["balance"] == 5000 and await balance(client, card) == 600
    back = await ok(client, "POST", f"{REDEMPTIONS}/{one['id']}/rollback")
    assert back["amount"] == -200 and await balance(client, card) == 800
    on_card = await ok(client, "GET", f"/v1/vouchers/{two['reward']['voucher']['code']}")
    assert on_card["gift"]["balance"] == 2500
    other = await ok(
        client,
        "POST",
        LOYALTIES,
        {"name": "miles", "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 0}}},
    )
    miles = await of_campaign(client, other["id"], 70)
    await give(client, made["id"], miles["id"], 100)
    done = await ok(client, "POST", path, {"reward": {"id": miles["id"]}})
    assert done["reward"]["voucher"]["campaign_id"] == other["id"]
    assert done["reward"]["voucher"]["loyalty_card"]["balance"] == 70 and await balance(client, card) == 700


async def test_what_cannot_be_bought_is_refused_and_nothing_moves(client: Client) -> None:
    made, card = await member(client, 50)
    reward = await goods(client)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    body = {"reward": {"id": reward["id"]}}
    assert (await refused(client, "POST", path, body))[0] == 404
    await give(client, made["id"], reward["id"], 100)
    short = await refused(client, "POST", path, body)
    assert short[:2] == (400, "loyalty_card_points_exceeded")
    told = await ok(client, "POST", VALIDATIONS, asked(card, reward, None))
    assert told["valid"] is False
    assert told["redeemables"][0]["result"]["error"]["key"] == "loyalty_card_points_exceeded"
    beside = asked(card, reward, None, amount=100)
    beside["redeemables"].append({"object": "voucher", "id": "TEN"})
    for where in (REDEMPTIONS, VALIDATIONS):
        assert (await refused(client, "POST", where, beside))[:2] == (400, "invalid_redeemables")
    assert await balance(client, card) == 50
    other = await ok(client, "POST", LOYALTIES, {"name": "else", "voucher": {"type": "LOYALTY_CARD"}})
    wrong = f"{LOYALTIES}/{other['id']}/members/{card['code']}/redemption"
    assert (await refused(client, "POST", wrong, body))[0] == 404


async def test_a_repeat_buys_once(client: Client) -> None:
    made, card = await member(client)
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 100)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    answers = [
        await client.post(path, json={"reward": {"id": reward["id"]}}, headers={"Idempotency-Key": "mug"})
        for _ in range(2)
    ]
    assert answers[0].status_code == 200 and answers[0].content == answers[1].content
    assert await balance(client, card) == 900


async def test_as_many_as_there_are_are_bought_at_the_same_instant(client: Client) -> None:
    made = await club(client)
    reward = await goods(client, stock=5)
    await give(client, made["id"], reward["id"], 100)
    cards = [await join(client, made["id"], f"buyer-{number}") for number in range(16)]
    for card in cards:
        await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 100})
    body = {"reward": {"id": reward["id"]}}
    paths = [f"{LOYALTIES}/members/{card['code']}/redemption" for card in cards]
    answers = await asyncio.gather(*(client.post(path, json=body) for path in paths))
    told = [answer.json().get("key", "bought") for answer in answers]
    assert sorted(told) == ["bought"] * 5 + ["reward_out_of_stock"] * 11
    left = [await balance(client, card) for card in cards]
    assert sum(left) == 1100 and (await ok(client, "GET", f"{V1}/{reward['id']}"))["redeemed"] == 5


async def test_what_a_metadata_schema_or_another_time_forbids(client: Client) -> None:
    made, card = await member(client)
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 100)
    schema = {"properties": {"till": {"type": "number"}}, "allow_defined_only": True}
    await ok(client, "POST", "/v1/metadata-schemas/redemption", schema)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    wrong = await refused(
        client, "POST", path, {"reward": {"id": reward["id"]}, "metadata": {"till": "four"}}
    )
    assert wrong[0] == 400 and await balance(client, card) == 1000
    later = asked(card, reward, None) | {"at": "2040-01-01"}
    assert (await refused(client, "POST", VALIDATIONS, later))[2] == "at"


async def test_both_faces_see_one_purchase_and_one_balance(client: Client, run_jobs: Any) -> None:
    made, card = await member(client)
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 100)
    cheaper = {reward["id"]: {"type": "MULTIPLY", "multiplier": 0.5}}
    tiers = [{"name": "Gold", "points": {"from": 100}, "rewards": cheaper}]
    (gold,) = await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", tiers)
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 1})
    await run_jobs()
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    done = await ok(client, "POST", path, {"reward": {"id": reward["id"]}})
    assert (done["amount"], done["reward"]["loyalty_tier_id"]) == (50, gold["id"])
    program = f"{PROGRAMS}/lprg_{made['id'].partition('_')[2]}"
    (one,) = (await ok(client, "GET", f"{program}/members"))["data"]
    newer = await ok(client, "GET", f"{program}/members/{one['id']}")
    assert newer["cards"][0]["card"]["balance"]["points"] == 951 == await balance(client, card)
    (bought,) = (await ok(client, "GET", f"{program}/members/{one['id']}/rewards/purchases"))["data"]
    refund = f"{program}/rewards/purchases/{bought['id']}/refund"
    answer = await client.post(refund, json={})
    assert answer.status_code == 202, answer.text
    assert (await ok(client, "GET", f"{REDEMPTIONS}/{done['id']}"))["status"] == "ROLLED_BACK"
    assert await balance(client, card) == 1001
    again = await refused(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback")
    assert again[:2] == (400, "already_rolled_back") and await balance(client, card) == 1001
