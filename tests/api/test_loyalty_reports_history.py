"""A drawn history, and every report of it against the rows it is told of."""

import asyncio
import random
from typing import Any

import pytest

from guerdon.kit import db, jobs
from guerdon.loyalty.days import fold
from guerdon.worker import jobs as all_jobs

from .conftest import Client
from .loyalty import PROGRAMS, RULES, ok, per_order, program
from .test_loyalty_cards import WAITS, of_card
from .test_loyalty_earning import buy, points
from .test_loyalty_members import join
from .test_loyalty_reports import report, summary, today
from .test_purchases_payments import at_most, payer_of, worth

SUMS = """
    select e.type, sum(e.amount)::bigint as points, count(*) as times from card_entries e
    where e.project_id = $1 group by 1
"""
MOVES = (
    "select type, sum(points)::bigint as points from loyalty_pending_moves where project_id = $1 group by 1"
)


async def sums(client: Client, sql: Any, what: str = "points") -> dict[str, int]:
    """Sums by type."""
    pool = client.app.state.pool  # type: ignore[union-attr]
    return {record["type"]: record[what] for record in await db.records(pool, sql, client.project_id)}


async def act(
    payer: Any, draw: random.Random, orders: list[dict[str, Any]], path: str, rewards: list[str]
) -> None:
    """Something that moves points, or is refused."""
    client = payer.client
    match draw.choice(
        ("buy", "buy", "cancel", "add", "take", "reward", "refund", "pay", "pending", "expire")
    ):
        case "buy":
            orders.append(await buy(client, draw.randrange(100, 9000, 10)))
        case "cancel" if orders:
            order = orders.pop(draw.randrange(len(orders)))
            await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
        case "add":
            await ok(client, "POST", f"{path}/points", {"points": draw.randrange(1, 500)})
        case "take":
            await client.post(f"{path}/points", json={"points": -draw.randrange(1, 300)})
        case "reward":
            await client.post(f"{payer.path}/rewards/purchases", json={"reward_id": rewards[0]})
        case "refund":
            bought = (await ok(client, "GET", f"{payer.path}/rewards/purchases"))["data"]
            if bought:
                one = f"{PROGRAMS}/{payer.program_id}/rewards/purchases/{bought[0]['id']}/refund"
                await client.post(one, json={})
        case "pay":
            order = await buy(client, 500, "stranger")
            body = {
                "card_id": path.rpartition("/")[2],
                "order": {"id": order["id"]},
                "payment_limit": at_most(points=50),
            }
            await client.post(f"{payer.path}/orders/payments", json=body)
        case "pending":
            waiting = (await ok(client, "GET", f"{path}/pending-points"))["data"]
            if waiting:
                verb = draw.choice(("activate", "cancel"))
                await ok(client, "POST", f"{path}/pending-points/{waiting[0]['id']}/{verb}")
        case "expire":
            ending = (await ok(client, "GET", f"{path}/expiring-points"))["data"]
            if ending and draw.random() < 0.6:
                await ok(client, "POST", f"{path}/expiring-points/{ending[0]['id']}/expire")


@pytest.mark.parametrize("seed", range(3))
async def test_reports_are_the_sums_of_the_entries(client: Client, run_jobs: Any, seed: int) -> None:
    draw = random.Random(seed)
    rolling = {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 30}}}
    told = worth(2, points_expiration=rolling, **({"pending_points": WAITS} if seed else {}))
    told["refunds"]["earned_points"] = {
        "type": "REFUNDABLE", "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_TO_ZERO"}],
    }  # fmt: skip
    payer = await payer_of(client, 300, **told)
    rule_id = (await ok(client, "POST", RULES, per_order(payer.card_id)))["id"]
    rules = f"{PROGRAMS}/{payer.program_id}/earning-rules/batch"
    await ok(client, "POST", rules, {"assign": [{"id": rule_id}]})
    rewards = [await payer.reward(refunds={"type": "REFUNDABLE"})]
    path, orders = await of_card(client, payer.member), list[dict[str, Any]]()
    pool = client.app.state.pool  # type: ignore[union-attr]
    for _ in range(50):
        await act(payer, draw, orders, path, rewards)
        if draw.random() < 0.5:
            await run_jobs()
        if draw.random() < 0.1:
            await fold(pool, client.project_id)
    await run_jobs()
    entries, waits, now = await sums(client, SUMS), await sums(client, MOVES), today()
    assert len(entries) >= 5, "the history has something of most things"
    spending = await report(client, payer.program_id, "spending", now, now)
    assert sum(line["points"] for line in spending) == -entries.get("POINTS_REDEMPTION", 0)
    earned = await summary(client, payer.program_id, "points-earnings")
    assert sum(line["points"] for line in earned) == entries.get("POINTS_ACCRUAL", 0)
    assert sum(line["pending_points"] for line in earned) == waits.get("ADDED", 0)
    (day,) = (
        await ok(client, "GET", f"{path}/reports/daily?start_date={now}&end_date={now}&resolution=day")
    )["data"]
    on = await points(client, payer.member)
    assert day["points_total"] == sum(entries.values()) == on["balance"]["points"]
    assert day["pending_points_total"] == on["balance"]["pending_points"]
    lifetime = on["lifetime_bucket"]
    for name in ("earned", "added", "subtracted", "expired", "spent", "refunded", "returned"):
        assert day[f"points_{name}"] == lifetime["points"][name], name
    assert day["pending_points_canceled"] == lifetime["pending_points"]["canceled"]
    assert day["pending_points_activated"] == lifetime["pending_points"]["activated"]
    listed = (await ok(client, "GET", f"{path}/transactions?limit=100"))["data"]
    assert len(listed) <= 100 and all(each["card_id"] in path for each in listed)


async def test_sums_are_the_same_however_folding_and_earning_meet(client: Client) -> None:
    club = await program(client)
    await join(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    done = asyncio.Event()

    async def earning() -> None:
        for _ in range(12):
            await asyncio.gather(*(buy(client, 1000) for _ in range(4)))
            await jobs.run_due(pool, all_jobs())
        done.set()

    async def folding() -> None:
        while not done.is_set():
            await fold(pool, client.project_id)

    async def reading() -> None:
        last = 0
        while not done.is_set():
            now = sum(line["points"] for line in await summary(client, club["id"], "points-earnings"))
            assert last <= now <= 480 and now % 10 == 0, "nothing is counted twice or missed for a moment"
            last = now

    await asyncio.gather(earning(), folding(), folding(), reading())
    assert [line["points"] for line in await summary(client, club["id"], "points-earnings")] == [480]
    (rule,) = await report(client, club["id"], "earning-rules", today(), today())
    assert rule["success_count"] == 48
