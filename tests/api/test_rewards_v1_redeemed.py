"""Orders paid with points, and rewards bought with them, by the paths of the older API."""

import asyncio
from typing import Any

from .conftest import Client
from .loyalty import ok, refused
from .test_loyalty_v1 import LOYALTIES, club, join
from .test_rewards_v1 import coin, give

REDEMPTIONS, VALIDATIONS = "/v1/redemptions", "/v1/validations"


async def shop(
    client: Client, points: int = 1000, cash: Any = 1, ratio: int = 100
) -> tuple[dict[str, Any], ...]:
    """A program whose points pay (100 points are 1.00 unless said otherwise), a member's card, and the reward."""
    made = await club(client)
    pay = await coin(client, cash, ratio)
    await give(client, made["id"], pay["id"])
    card = await join(client, made["id"])
    if points:
        await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": points})
    return made, card, pay


def asked(card: dict[str, Any], reward: dict[str, Any], points: int | None, **order: Any) -> dict[str, Any]:
    """A redemption of a card for a reward."""
    named = {"id": reward["id"]} | ({} if points is None else {"points": points})
    body: dict[str, Any] = {"redeemables": [{"object": "voucher", "id": card["code"], "reward": named}]}
    return body | ({"order": order} if order else {})


async def balance(client: Client, card: dict[str, Any]) -> int:
    """What is on a card."""
    return (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}"))["loyalty_card"]["balance"]


async def test_points_pay_for_an_order(client: Client) -> None:
    _, card, pay = await shop(client)
    body = asked(card, pay, 300, amount=1000)
    told = await ok(client, "POST", VALIDATIONS, body)
    assert told["valid"] is True, told
    (one,) = told["redeemables"]
    assert one["result"]["loyalty_card"] == {"points": 300}
    assert one["result"]["reward"]["id"] == pay["id"] and one["result"]["reward"]["points"] == 300
    assert told["order"]["total_amount"] == 700
    assert await balance(client, card) == 1000
    made = (await ok(client, "POST", REDEMPTIONS, body))["redemptions"][0]
    assert (made["amount"], made["discount_amount"], made["loyalty_card"]) == (300, 300, {"points": 300})
    assert made["order"]["total_amount"] == 700 and "gift" not in made
    reward = made["reward"]
    assert (reward["id"], reward["type"], reward["points"]) == (pay["id"], "COIN", 300)
    assert reward["assignment_id"].startswith("rewa_")
    assert reward["parameters"] == {"coin": {"exchange_ratio": 1, "points_ratio": 100}}
    assert made["voucher"]["loyalty_card"]["balance"] == 700 == await balance(client, card)
    read = await ok(client, "GET", f"{REDEMPTIONS}/{made['id']}")
    assert (read["reward"], read["amount"], read["loyalty_card"]) == (reward, 300, {"points": 300})
    (moved, _) = (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}/transactions"))["data"]
    assert moved["type"] == "POINTS_REDEMPTION"


async def test_no_more_points_are_taken_than_the_order_costs(client: Client) -> None:
    _, card, pay = await shop(client, cash="0.5", ratio=3)  # 3 points are 50
    made = (await ok(client, "POST", REDEMPTIONS, asked(card, pay, 900, amount=1010)))["redemptions"][0]
    assert (made["discount_amount"], made["order"]["total_amount"]) == (1010, 0)
    assert made["amount"] == 61 and await balance(client, card) == 939  # 60.6 points, rounded up


async def test_points_beside_a_code_and_refused_together(client: Client) -> None:
    _, card, pay = await shop(client)
    ten = {"type": "PERCENT", "percent_off": 10}
    await ok(client, "POST", "/v1/vouchers/TEN", {"discount": ten})
    body = asked(card, pay, 200, amount=1000)
    body["redeemables"].append({"object": "voucher", "id": "TEN"})
    made = await ok(client, "POST", REDEMPTIONS, body)
    assert made["order"]["total_amount"] == 720 and len(made["redemptions"]) == 2
    assert made["parent_redemption"]["related_redemptions"]["redemptions"]
    body["redeemables"][0]["reward"]["points"] = 801
    assert (await refused(client, "POST", REDEMPTIONS, body))[:2] == (400, "loyalty_card_points_exceeded")
    assert await balance(client, card) == 800
    back = await ok(client, "POST", f"{REDEMPTIONS}/{made['parent_redemption']['id']}/rollbacks")
    assert [one["amount"] for one in back["rollbacks"]] == [-200, -80] or [
        one["amount"] for one in back["rollbacks"]
    ] == [-80, -200]
    assert await balance(client, card) == 1000


async def test_partial_rollbacks_give_points_back_in_proportion_and_the_last_the_rest(client: Client) -> None:
    _, card, pay = await shop(client, cash=1, ratio=3)  # 3 points are 100
    made = (await ok(client, "POST", REDEMPTIONS, asked(card, pay, 10, amount=1000)))["redemptions"][0]
    assert (made["discount_amount"], made["amount"]) == (333, 10) and await balance(client, card) == 990
    path = f"{REDEMPTIONS}/{made['id']}/rollback"
    first = await ok(client, "POST", path, {"amount": 100})
    assert (first["amount"], first["reward"]["points"]) == (-3, 3) and await balance(client, card) == 993
    listed = await ok(client, "GET", f"{REDEMPTIONS}/{first['id']}")
    assert first["loyalty_card"] == listed["loyalty_card"] == {"points": -3}
    second = await ok(client, "POST", path, {"amount": 1})
    assert second["amount"] == 0 and await balance(client, card) == 993
    last = await ok(client, "POST", path)
    assert last["amount"] == -7 and await balance(client, card) == 1000
    assert (await refused(client, "POST", path))[:2] == (400, "already_rolled_back")
    entries = (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}/transactions"))["data"]
    assert [one["type"] for one in entries].count("POINTS_REFUND") == 2


async def test_goods_that_come_back_bring_their_points(client: Client) -> None:
    _, card, pay = await shop(client)
    made = (await ok(client, "POST", REDEMPTIONS, asked(card, pay, 300, amount=1000)))["redemptions"][0]
    order = made["order"]["id"]
    back = await ok(client, "POST", f"/v1/orders/{order}/returns", {"amount": 1000})
    assert back["refund"] == 700
    (given,) = back["given_back"]
    assert (given["amount"], given["points"]) == (300, 300) and "credits" not in given
    assert await balance(client, card) == 1000


async def test_sessions_hold_points(client: Client) -> None:
    _, card, pay = await shop(client, 100)
    body = asked(card, pay, 80, amount=1000) | {"session": {"type": "LOCK", "key": "mine"}}
    assert (await ok(client, "POST", VALIDATIONS, body))["valid"] is True
    other = asked(card, pay, 30, amount=1000)
    told = await ok(client, "POST", VALIDATIONS, other)
    assert told["redeemables"][0]["result"]["error"]["key"] == "loyalty_card_points_exceeded"
    assert (await refused(client, "POST", REDEMPTIONS, other))[1] == "loyalty_card_points_exceeded"
    made = await ok(client, "POST", REDEMPTIONS, body | {"session": {"key": "mine", "type": "LOCK"}})
    assert made["redemptions"][0]["amount"] == 80
    await ok(client, "POST", REDEMPTIONS, asked(card, pay, 20, amount=1000))


async def test_what_points_cannot_pay_is_refused_and_nothing_moves(client: Client) -> None:
    made, card, pay = await shop(client)
    switch = f"/v1/campaigns/{made['id']}"
    plain = {"redeemables": [{"object": "voucher", "id": card["code"]}], "order": {"amount": 1000}}
    assert (await refused(client, "POST", REDEMPTIONS, plain))[:2] == (400, "missing_reward")
    nameless = asked(card, pay, None, amount=1000)
    assert (await refused(client, "POST", REDEMPTIONS, nameless))[1:] == (
        "missing_param", "redeemables[0].reward.points",
    )  # fmt: skip
    unknown = asked(card, {"id": "rew_x"}, 5, amount=1000)
    assert (await refused(client, "POST", REDEMPTIONS, unknown))[:2] == (404, "not_found")
    assert (await refused(client, "POST", REDEMPTIONS, asked(card, pay, 5)))[:2] == (400, "missing_order")
    for points in (0, -5, 2**60):
        assert (await refused(client, "POST", REDEMPTIONS, asked(card, pay, points, amount=10)))[0] == 400
    stranger = asked(card, pay, 5, amount=1000) | {"customer": {"source_id": "eve"}}
    assert (await refused(client, "POST", REDEMPTIONS, stranger))[:2] == (400, "invalid_customer")
    assert await balance(client, card) == 1000
    await ok(client, "POST", f"{switch}/disable")
    assert (await refused(client, "POST", REDEMPTIONS, asked(card, pay, 5, amount=1000)))[:2] == (
        400, "voucher_disabled",
    )  # fmt: skip
    await ok(client, "POST", f"{switch}/enable")
    assert await balance(client, card) == 1000
    own = asked(card, pay, 5, amount=1000) | {"customer": {"source_id": "ada"}}
    assert (await ok(client, "POST", REDEMPTIONS, own))["redemptions"][0]["customer_id"] == card["holder_id"]


async def test_rules_of_an_assignment_limit_what_is_paid(client: Client) -> None:
    made = await club(client)
    pay = await coin(client)
    rule = {
        "1": {
            "name": "redemption.reward.pay_with_points.points_used",
            "conditions": {"$less_than_or_equal": [100]},
        }
    }
    body = {"name": "At most 100", "rules": rule | {"logic": "1"}}
    limit = await ok(client, "POST", "/v1/validation-rules", body)
    given = await give(client, made["id"], pay["id"], validation_rules=[limit["id"]])
    card = await join(client, made["id"])
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 1000})
    await ok(client, "POST", REDEMPTIONS, asked(card, pay, 100, amount=1000))
    told = await refused(client, "POST", REDEMPTIONS, asked(card, pay, 101, amount=1000))
    assert told[:2] == (400, "redemption_rules_violated")
    assert await balance(client, card) == 900
    path = f"/v1/validation-rules/{limit['id']}"
    rule["1"]["conditions"] = {"$less_than_or_equal": [200]}
    await ok(client, "PUT", path, {"name": "At most 200", "rules": rule | {"logic": "1"}})
    await ok(client, "POST", REDEMPTIONS, asked(card, pay, 200, amount=1000))
    (assigned,) = (await ok(client, "GET", f"{path}/assignments"))["data"]
    assert (assigned["related_object_id"], assigned["related_object_type"]) == (
        given["id"],
        "reward_assignment",
    )
    assert (await client.request("DELETE", f"{path}/assignments/{assigned['id']}")).status_code == 204
    await ok(client, "POST", REDEMPTIONS, asked(card, pay, 201, amount=1000))
    again = {"related_object_type": "reward_assignment", "related_object_id": given["id"]}
    await ok(client, "POST", f"{path}/assignments", again)
    assert (await refused(client, "POST", REDEMPTIONS, asked(card, pay, 201, amount=1000)))[0] == 400


async def test_members_redeem_by_their_own_path(client: Client) -> None:
    made, card, pay = await shop(client)
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    body = {"reward": {"id": pay["id"], "points": 100}, "order": {"amount": 1000}, "metadata": {"till": 4}}
    done = await ok(client, "POST", path, body)
    assert (done["object"], done["amount"], done["reward"]["id"]) == ("redemption", 100, pay["id"])
    assert done["order"]["total_amount"] == 900 and done["metadata"] == {"till": 4}
    assert done["customer_id"] == card["holder_id"]
    other = f"{LOYALTIES}/{made['id']}/members/{card['code']}/redemption"
    again = await client.post(other, json=body, headers={"Idempotency-Key": "once"})
    repeat = await client.post(other, json=body, headers={"Idempotency-Key": "once"})
    assert again.status_code == 200 and again.content == repeat.content
    assert await balance(client, card) == 800
    assert (await refused(client, "POST", path, {}))[:2] == (400, "missing_reward")
    del body["order"]
    assert (await refused(client, "POST", path, body))[:2] == (400, "missing_order")
    body["reward"]["id"] = "rew_x"
    assert (await refused(client, "POST", path, body))[0] == 404
    assert (await refused(client, "POST", path.replace(card["code"], "nobody"), body))[0] == 404


async def test_points_are_spent_once_by_many_at_the_same_instant(client: Client) -> None:
    _, card, pay = await shop(client, 500)
    bodies = [asked(card, pay, 100, amount=1000) for _ in range(16)]
    answers = await asyncio.gather(*(client.post(REDEMPTIONS, json=body) for body in bodies))
    told = [answer.json().get("key", "paid") for answer in answers]
    assert sorted(told) == ["loyalty_card_points_exceeded"] * 11 + ["paid"] * 5
    assert await balance(client, card) == 0


async def test_qualifications_show_what_is_on_a_card(client: Client) -> None:
    _, card, _ = await shop(client, 70)
    asking = {"customer": {"source_id": "ada"}, "order": {"amount": 1000}, "scenario": "CUSTOMER_WALLET"}
    found = (await ok(client, "POST", "/v1/qualifications", asking))["redeemables"]["data"]
    (one,) = [one for one in found if one["id"] == card["code"]]
    assert one["result"]["loyalty_card"] == {"points": 70}
