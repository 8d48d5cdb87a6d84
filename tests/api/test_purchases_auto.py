"""Rewards that members get by themselves once they have the points: within the day's limits, and again at night."""

from typing import Any

from guerdon.kit import db

from .conftest import Client
from .loyalty import ok
from .test_loyalty_earning import entries
from .test_loyalty_v1 import LOYALTIES, club, join
from .test_rewards_v1 import V1, goods

EARLIER = "update loyalty_purchases set created_at = created_at - interval '1 day'"
BOUGHT = """
    select channel, status, count(*) as count from loyalty_purchases where project_id = $1 group by channel, status
"""


async def offer(client: Client, campaign: str, points: int, **of_reward: Any) -> dict[str, Any]:
    """A reward that is redeemed by itself."""
    reward = await goods(client, **of_reward)
    body = {"campaign": campaign, "parameters": {"loyalty": {"points": points, "auto_redeem": True}}}
    await ok(client, "POST", f"{V1}/{reward['id']}/assignments", body)
    return reward


async def add(client: Client, card: dict[str, Any], points: int) -> None:
    """Put points on a card."""
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": points})


async def balance(client: Client, card: dict[str, Any]) -> int:
    """What is on a card."""
    return (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}"))["loyalty_card"]["balance"]


async def bought(pool: db.Pool, client: Client) -> dict[tuple[str, str], int]:
    """How many purchases there are, by channel and status."""
    records = await db.records(pool, BOUGHT, client.project_id)
    return {(record["channel"], record["status"]): record["count"] for record in records}


async def test_a_reward_comes_with_the_points(client: Client, run_jobs: Any, pool: db.Pool) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    await offer(client, made["id"], 100)
    await add(client, card, 99)
    await run_jobs()
    assert await bought(pool, client) == {}
    await add(client, card, 151)
    await run_jobs()
    assert await bought(pool, client) == {("AUTO_REDEEM", "APPROVED"): 2}
    assert await balance(client, card) == 50
    assert [amount for _, amount in await entries(client, card["code"])] == [99, 151, -100, -100]


async def test_at_most_ten_times_a_day(client: Client, run_jobs: Any, tonight: Any, pool: db.Pool) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    await offer(client, made["id"], 100)
    for _ in range(12):
        await add(client, card, 100)
        await run_jobs()
    assert await balance(client, card) == 200 and await bought(pool, client) == {
        ("AUTO_REDEEM", "APPROVED"): 10
    }
    await tonight()
    assert await balance(client, card) == 200
    await tonight(EARLIER)
    assert await balance(client, card) == 0 and await bought(pool, client) == {
        ("AUTO_REDEEM", "APPROVED"): 12
    }


async def test_at_most_twenty_five_at_a_time(client: Client, run_jobs: Any, pool: db.Pool) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    await offer(client, made["id"], 1)
    await add(client, card, 260)
    await run_jobs()
    assert await bought(pool, client) == {("AUTO_REDEEM", "APPROVED"): 250}
    assert await balance(client, card) == 10


async def test_the_stock_ends_it_until_there_is_more(
    client: Client, run_jobs: Any, tonight: Any, pool: db.Pool
) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    reward = await offer(client, made["id"], 100, stock=1)
    await add(client, card, 300)
    await run_jobs()
    assert await balance(client, card) == 200
    await ok(client, "PUT", f"{V1}/{reward['id']}", {"stock": 2})
    await tonight()
    assert await balance(client, card) == 100
    assert (await ok(client, "GET", f"{V1}/{reward['id']}"))["redeemed"] == 2
