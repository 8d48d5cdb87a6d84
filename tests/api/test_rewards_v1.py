"""Rewards by the paths of the older API, over the rows of the newer one."""

from typing import Any

from .conftest import Client
from .loyalty import PROGRAMS, REWARDS, mug, ok, refused
from .test_loyalty_v1 import LOYALTIES, club, join

V1 = "/v1/rewards"


async def product(client: Client, name: str = "Mug") -> str:
    """A product's id."""
    return (await ok(client, "POST", "/v1/products", {"name": name, "price": 900}))["id"]


async def goods(client: Client, **more: Any) -> dict[str, Any]:
    """A reward of goods."""
    body = {"name": "Mug", "parameters": {"product": {"id": await product(client)}}, **more}
    return await ok(client, "POST", V1, body)


async def coin(client: Client, cash: Any = 1, points: int = 100, **more: Any) -> dict[str, Any]:
    """Payment with points."""
    rate = {"exchange_ratio": cash, "points_ratio": points}
    return await ok(client, "POST", V1, {"name": "Pay", "parameters": {"coin": rate}, **more})


async def give(client: Client, campaign: str, reward: str, points: int | None = None, **more: Any) -> Any:
    """A reward assigned to a program."""
    body: dict[str, Any] = {"reward": reward, **more}
    if points is not None:
        body["parameters"] = {"loyalty": {"points": points}}
    made = await ok(client, "POST", f"{LOYALTIES}/{campaign}/rewards", [body])
    assert made["data"] == [{name: value for name, value in made.items() if name != "data"}]
    return made["data"][0]


async def test_a_reward_is_made_read_changed_and_deleted(client: Client) -> None:
    made = await goods(client, stock=5, attributes={"image_url": "https://x.test/mug.png"}, metadata={"a": 1})
    assert made["id"].startswith("rew_") and made["object"] == "reward" and made["type"] == "MATERIAL"
    assert (made["stock"], made["redeemed"], made["updated_at"]) == (5, 0, None)
    assert made["attributes"] == {"image_url": "https://x.test/mug.png"}
    assert await ok(client, "GET", f"{V1}/{made['id']}") == made
    changed = await ok(client, "PUT", f"{V1}/{made['id']}", {"name": "Cup", "stock": 7})
    assert (changed["name"], changed["stock"], changed["metadata"]) == ("Cup", 7, {"a": 1})
    assert changed["parameters"] == made["parameters"] and changed["updated_at"]
    page = await ok(client, "GET", V1)
    assert page["data"] == [changed] and page["total"] == 1
    newer = await ok(client, "GET", f"{REWARDS}/lrew_{made['id'][4:]}")
    assert (newer["name"], newer["type"], newer["status"]) == ("Cup", "MATERIAL", "ACTIVE")
    assert newer["material"]["product"]["id"] == made["parameters"]["product"]["id"]
    assert (await refused(client, "PUT", f"{REWARDS}/{newer['id']}", {"name": "x"}))[0] == 423
    assert (await client.request("DELETE", f"{V1}/{made['id']}")).status_code == 204
    assert (await refused(client, "GET", f"{V1}/{made['id']}"))[0] == 404


async def test_both_faces_show_the_same_assignments_and_prices(client: Client) -> None:
    made = await club(client)
    reward = await goods(client)
    given = await give(client, made["id"], reward["id"], 120)
    assert given["id"].startswith("rewa_") and given["object"] == "reward_assignment"
    assert (given["reward_id"], given["related_object_id"]) == (reward["id"], made["id"])
    assert given["parameters"] == {"loyalty": {"points": 120}}
    suffix = made["id"].partition("_")[2]
    there = (await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}/rewards"))["data"]
    assert [one["reward_id"] for one in there] == [f"lrew_{reward['id'][4:]}"]
    newer = await ok(client, "GET", f"{REWARDS}/lrew_{reward['id'][4:]}")
    (cost,) = newer["costs"]
    assert cost["spending"][0]["points"] == 120
    assert cost["spending"][0]["card_definition_id"] == f"lcdef_{suffix}"
    again = {"parameters": {"loyalty": {"points": 90, "auto_redeem": True}}}
    changed = await ok(client, "PUT", f"{V1}/{reward['id']}/assignments/{given['id']}", again)
    assert changed["parameters"] == again["parameters"]
    newer = await ok(client, "GET", f"{REWARDS}/lrew_{reward['id'][4:]}")
    assert [cost["spending"][0]["points"] for cost in newer["costs"]] == [90]
    for path in (
        f"{LOYALTIES}/{made['id']}/rewards",
        f"{LOYALTIES}/{made['id']}/reward-assignments",
        f"{V1}/{reward['id']}/assignments",
    ):
        assert (await ok(client, "GET", path))["data"] == [changed]
        if not path.startswith(V1):
            assert await ok(client, "GET", f"{path}/{given['id']}") == changed
    there = f"{LOYALTIES}/{made['id']}/reward-assignments"
    assert (await ok(client, "GET", f"{there}/{given['id']}/reward"))["id"] == reward["id"]
    assert (await ok(client, "GET", f"{there}?assignmentId=rewa_x"))["total"] == 0
    by_assignment = await ok(client, "GET", f"{V1}?assignment_id={given['id']}")
    assert [one["id"] for one in by_assignment["data"]] == [reward["id"]]
    assert (await refused(client, "DELETE", f"{V1}/{reward['id']}"))[:2] == (400, "resource_in_use")
    assert (
        await client.request("DELETE", f"{LOYALTIES}/{made['id']}/rewards/{given['id']}")
    ).status_code == 204
    assert (await ok(client, "GET", f"{REWARDS}/lrew_{reward['id'][4:]}"))["costs"] == []
    assert (await ok(client, "GET", f"{V1}/{reward['id']}/assignments"))["total"] == 0
    assert (await client.request("DELETE", f"{V1}/{reward['id']}")).status_code == 204


async def test_rewards_of_the_newer_api_are_shown(client: Client) -> None:
    made = await club(client)
    suffix = made["id"].partition("_")[2]
    newer = await ok(client, "POST", REWARDS, mug(f"lcdef_{suffix}", await product(client)))
    older = await ok(client, "GET", f"{V1}/rew_{newer['id'].partition('_')[2]}")
    assert (older["type"], older["name"], older["redeemed"]) == ("MATERIAL", "Mug", 0)
    assign = {"assign": [{"id": newer["id"], "stock": {"type": "LIMITED", "limited": {"quantity": 3}}}]}
    await ok(client, "POST", f"{PROGRAMS}/lprg_{suffix}/rewards/batch", assign)
    (given,) = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/rewards"))["data"]
    assert given["parameters"] == {"loyalty": {"points": 200}}
    assert (await ok(client, "GET", f"{V1}/{older['id']}"))["stock"] == 3
    assert (await refused(client, "PUT", f"{V1}/{older['id']}", {"name": "x"}))[:2] == (400, "invalid_reward")


async def test_what_no_reward_can_be_is_refused(client: Client) -> None:
    made = await club(client)
    for body, status, at in (
        ({"parameters": {}}, 400, "parameters"),
        ({"parameters": {"coin": {"exchange_ratio": 0}}}, 400, "parameters.coin.exchange_ratio"),
        ({"parameters": {"coin": {"exchange_ratio": "many"}}}, 400, "parameters.coin.exchange_ratio"),
        ({"parameters": {"coin": {"exchange_ratio": 1, "points_ratio": "1.5"}}}, 400, "parameters.coin.points_ratio"),
        ({"parameters": {"product": {"id": "prod_x"}}}, 404, ""),
        ({"parameters": {"campaign": {"id": "camp_x"}}}, 404, ""),
        ({"parameters": {"campaign": {"id": made["id"]}}}, 400, "parameters.campaign.balance"),
        ({"parameters": {"campaign": {"id": made["id"], "balance": 5}}, "stock": 1}, 400, "stock"),
        ({"parameters": {"coin": {"exchange_ratio": 1}}, "type": "MATERIAL"}, 400, "type"),
    ):  # fmt: skip
        told = await refused(client, "POST", V1, body)
        assert (told[0], told[2]) == (status, at), (body, told)
    assert (await ok(client, "GET", V1))["total"] == 0
    reward, pay = await goods(client), await coin(client, "0.5", 1)
    assert pay["parameters"] == {"coin": {"exchange_ratio": 0.5, "points_ratio": 1}}
    path = f"{V1}/{reward['id']}/assignments"
    assert (await refused(client, "POST", path, {"campaign": made["id"]}))[:2] == (400, "missing_param")
    priced = {"campaign": made["id"], "parameters": {"loyalty": {"points": 5, "auto_redeem": True}}}
    await ok(client, "POST", path, priced)
    assert (await refused(client, "POST", path, priced))[:2] == (409, "duplicate_found")
    other = f"{V1}/{(await goods(client))['id']}/assignments"
    assert (await refused(client, "POST", other, priced))[2] == "parameters.loyalty.auto_redeem"
    assert (await refused(client, "POST", f"{V1}/{pay['id']}/assignments", priced))[2] == "parameters"
    assert (await refused(client, "POST", path, priced | {"campaign": "camp_x"}))[0] == 404
    own = {"name": "Own", "parameters": {"campaign": {"id": made["id"], "balance": 5}}}
    itself = await ok(client, "POST", V1, own)
    assert (await refused(client, "POST", f"{V1}/{itself['id']}/assignments", priced))[2] == "campaign"


async def test_members_see_what_they_can_have_at_their_tiers_prices(client: Client, run_jobs: Any) -> None:
    made = await club(client)
    reward, dear, pay = await goods(client), await goods(client, name="Bike"), await coin(client)
    given = await give(client, made["id"], reward["id"], 100)
    await give(client, made["id"], dear["id"], 1000)
    await give(client, made["id"], pay["id"])
    tiers = [
        {"name": "Base", "points": {"from": 0, "to": 99}},
        {
            "name": "Gold",
            "points": {"from": 100},
            "rewards": {reward["id"]: {"type": "MULTIPLY", "multiplier": 0.5}},
        },
    ]
    gold = (await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", tiers))[1]
    card = await join(client, made["id"])
    path = f"{LOYALTIES}/members/{card['code']}/rewards"
    every = (await ok(client, "GET", path))["data"]
    assert [one["reward"]["id"] for one in every] == [reward["id"], dear["id"], pay["id"]]
    assert every[0]["assignment"] == given and every[0]["object"] == "loyalty_reward"
    assert "parameters" not in every[2]["assignment"]
    assert (await ok(client, "GET", f"{path}?affordable_only=true"))["data"] == []
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 150})
    await run_jobs()
    some = (await ok(client, "GET", f"{path}?affordable_only=true"))["data"]
    assert [one["reward"]["id"] for one in some] == [reward["id"], pay["id"]]
    assert some[0]["assignment"]["parameters"] == {"loyalty": {"points": 50}}
    of_tier = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/tiers/{gold['id']}/rewards"))["data"]
    assert [one["assignment"].get("parameters", {}).get("loyalty", {}).get("points") for one in of_tier] == [
        50, 1000, None,
    ]  # fmt: skip
    assert of_tier[0]["object"] == "loyalty_tier_reward"
