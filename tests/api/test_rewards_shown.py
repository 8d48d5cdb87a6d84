"""Rewards of a program of the older API are redemptions there, whoever bought them and by whatever path."""

import asyncio
from typing import Any

from guerdon.verify import verify

from .conftest import Client
from .loyalty import PROGRAMS, ok, refused
from .test_loyalty_v1 import LOYALTIES, club, join
from .test_purchases_auto import add, offer
from .test_rewards_v1 import V1, give, goods
from .test_rewards_v1_bought import campaign, member, of_campaign
from .test_rewards_v1_redeemed import REDEMPTIONS, VALIDATIONS, asked, balance


async def newer(client: Client, campaign_id: str) -> tuple[str, str]:
    """The program and its only member, by the paths of the newer API."""
    program = f"{PROGRAMS}/lprg_{campaign_id.partition('_')[2]}"
    (found,) = (await ok(client, "GET", f"{program}/members"))["data"]
    return program, f"{program}/members/{found['id']}"


async def sent(client: Client, method: str, path: str, body: Any = None) -> Any:
    """What a call answers that is 202 or 204."""
    answer = await client.request(method, path, json=body)
    assert answer.status_code in (202, 204), answer.text
    return answer.json() if answer.content else None


async def uses(client: Client, card: dict[str, Any]) -> int:
    """How often the card was redeemed."""
    return (await ok(client, "GET", f"/v1/vouchers/{card['code']}"))["redemption"]["redeemed_quantity"]


async def broken(database_url: str) -> list[str]:
    """Invariants that do not hold."""
    return [result.invariant for result in await verify(database_url) if not result.holds]


async def test_what_comes_by_itself_is_a_redemption(client: Client, run_jobs: Any, database_url: str) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    reward = await offer(client, made["id"], 100)
    await add(client, card, 250)
    await run_jobs()
    shown = (await ok(client, "GET", REDEMPTIONS))["redemptions"]
    assert [(one["amount"], one["reward"]["id"], one["status"]) for one in shown] == [
        (100, reward["id"], "SUCCEEDED")
    ] * 2
    assert {one["customer_id"] for one in shown} == {card["holder_id"]} and await uses(client, card) == 2
    assert await broken(database_url) == []
    back = await ok(client, "POST", f"{REDEMPTIONS}/{shown[0]['id']}/rollback")
    assert back["amount"] == -100 and await uses(client, card) == 1
    assert await broken(database_url) == []


async def test_a_refund_by_the_newer_path_gives_the_use_back(
    client: Client, run_jobs: Any, database_url: str
) -> None:
    made, card = await member(client)
    reward = await goods(client, stock=1)
    await give(client, made["id"], reward["id"], 300)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    done = await ok(client, "POST", path, {"reward": {"id": reward["id"]}})
    assert await uses(client, card) == 1
    program, person = await newer(client, made["id"])
    (bought,) = (await ok(client, "GET", f"{person}/rewards/purchases"))["data"]
    await sent(client, "POST", f"{program}/rewards/purchases/{bought['id']}/refund")
    assert await uses(client, card) == 0 and await balance(client, card) == 1000
    await run_jobs()
    assert await broken(database_url) == [] and await uses(client, card) == 0
    read = await ok(client, "GET", f"{REDEMPTIONS}/{done['id']}")
    assert read["status"] == "ROLLED_BACK" and len(read["related_redemptions"]["rollbacks"]) == 1
    assert (await refused(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback"))[1] == "already_rolled_back"


async def test_what_is_bought_and_refunded_by_the_newer_path_is_seen_by_the_older(
    client: Client, run_jobs: Any, database_url: str
) -> None:
    made, card = await member(client)
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 300)
    program, person = await newer(client, made["id"])
    ask = {"reward_id": f"lrew_{reward['id'].partition('_')[2]}"}
    one = (await sent(client, "POST", f"{person}/rewards/purchases", ask))["transaction"]["id"]
    await sent(client, "POST", f"{program}/rewards/purchases/{one}/refund")
    assert await uses(client, card) == 0
    await sent(client, "POST", f"{person}/rewards/purchases", ask)
    await run_jobs()
    shown = (await ok(client, "GET", REDEMPTIONS))["redemptions"]
    assert sorted((one["amount"], one["object"], one.get("status")) for one in shown if one["object"] == "redemption") == [
        (300, "redemption", "ROLLED_BACK"),
        (300, "redemption", "SUCCEEDED"),
    ]  # fmt: skip
    assert await uses(client, card) == 1 and await broken(database_url) == []


async def test_who_is_refused_becomes_no_member_elsewhere(client: Client) -> None:
    made, card = await member(client, 10)
    other = await ok(client, "POST", LOYALTIES, {"name": "miles", "voucher": {"type": "LOYALTY_CARD"}})
    miles = await of_campaign(client, other["id"], 70)
    await give(client, made["id"], miles["id"], 100)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    assert (await refused(client, "POST", path, {"reward": {"id": miles["id"]}}))[0] == 400
    assert (await ok(client, "GET", f"{LOYALTIES}/{other['id']}/members"))["vouchers"] == []


async def test_stock_comes_back_of_a_reward_that_was_taken_from_its_program(client: Client) -> None:
    made, card = await member(client)
    reward = await goods(client, stock=1)
    given = await give(client, made["id"], reward["id"], 100)
    await ok(
        client, "POST", f"{LOYALTIES}/members/{card['code']}/redemption", {"reward": {"id": reward["id"]}}
    )
    program, person = await newer(client, made["id"])
    (bought,) = (await ok(client, "GET", f"{person}/rewards/purchases"))["data"]
    await sent(client, "DELETE", f"{V1}/{reward['id']}/assignments/{given['id']}")
    forced = {"policies": {"refund": "ALLOW"}}
    await sent(client, "POST", f"{program}/rewards/purchases/{bought['id']}/refund", forced)
    assert (await ok(client, "GET", f"{V1}/{reward['id']}"))["redeemed"] == 0


async def test_rewards_of_the_newer_api_are_bought_by_the_older(client: Client, run_jobs: Any) -> None:
    made, card = await member(client)
    codes = await campaign(
        client, "Ten", {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 500}}
    )
    costs = [{"spending": [{"points": 5, "card_definition_id": f"lcdef_{made['id'].partition('_')[2]}"}]}]
    digital = {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": codes["id"]}}
    body = {"name": "Code", "type": "DIGITAL", "status": "ACTIVE", "digital": digital, "costs": costs}
    reward = await ok(client, "POST", "/v2/loyalties/rewards", body)
    older = f"rew_{reward['id'].partition('_')[2]}"
    await give(client, made["id"], older, 100)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    done = await ok(client, "POST", path, {"reward": {"id": older}})
    assert (done["amount"], done["reward"]["id"], done["reward"]["type"]) == (100, older, "CAMPAIGN")
    assert done["reward"]["voucher"]["campaign_id"] == codes["id"] and await balance(client, card) == 900


async def test_a_card_that_is_switched_off_or_used_up_buys_nothing(client: Client, run_jobs: Any) -> None:
    made, card = await member(client)
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 100)
    path, body = f"{LOYALTIES}/members/{card['code']}/redemption", {"reward": {"id": reward["id"]}}
    await ok(client, "POST", f"/v1/vouchers/{card['code']}/disable")
    assert (await refused(client, "POST", path, body))[:2] == (400, "voucher_disabled")
    _, person = await newer(client, made["id"])
    ask = {"reward_id": f"lrew_{reward['id'].partition('_')[2]}"}
    assert (await refused(client, "POST", f"{person}/rewards/purchases", ask))[:2] == (
        423,
        "voucher_disabled",
    )
    told = await ok(client, "POST", VALIDATIONS, asked(card, reward, None))
    assert told["redeemables"][0]["result"]["error"]["key"] == "voucher_disabled"
    await ok(client, "POST", f"/v1/vouchers/{card['code']}/enable")
    await ok(client, "PUT", f"/v1/vouchers/{card['code']}", {"expiration_date": "2020-01-01T00:00:00Z"})
    assert (await refused(client, "POST", path, body))[:2] == (400, "voucher_expired")
    assert await balance(client, card) == 1000 and await uses(client, card) == 0


async def test_what_would_make_a_member_elsewhere_can_be_tried(client: Client) -> None:
    made, card = await member(client)
    other = await ok(client, "POST", LOYALTIES, {"name": "miles", "voucher": {"type": "LOYALTY_CARD"}})
    miles = await of_campaign(client, other["id"], 70)
    await give(client, made["id"], miles["id"], 100)
    assert (await ok(client, "POST", VALIDATIONS, asked(card, miles, None)))["valid"] is True
    assert (await ok(client, "GET", f"{LOYALTIES}/{other['id']}/members"))["vouchers"] == []
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    answers = await asyncio.gather(
        *(client.post(path, json={"reward": {"id": miles["id"]}}) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert await balance(client, card) == 600


async def test_points_that_were_bought_and_taken_back_leave_the_books_whole(
    client: Client, database_url: str
) -> None:
    made, card = await member(client)
    other = await ok(client, "POST", LOYALTIES, {"name": "miles", "voucher": {"type": "LOYALTY_CARD"}})
    miles = await of_campaign(client, other["id"], 70)
    await give(client, made["id"], miles["id"], 100)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    done = await ok(client, "POST", path, {"reward": {"id": miles["id"]}})
    await ok(client, "POST", f"{REDEMPTIONS}/{done['id']}/rollback")
    (there,) = (await ok(client, "GET", f"{LOYALTIES}/{other['id']}/members"))["vouchers"]
    assert there["loyalty_card"]["balance"] == 0 and await balance(client, card) == 1000
    assert await broken(database_url) == []
