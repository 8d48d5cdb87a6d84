"""A drawn history of buying, giving back, canceling, adding, taking and lapsing: at every step the books add up, and
points are what the orders that stand earn.
"""

import random
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.ledger.verify import audit
from guerdon.verify import verify

from .conftest import Client
from .loyalty import ok
from .test_loyalty_earning import REVOKED, buy, club_of, give_back, points
from .test_loyalty_members import join

STEPS = 40

EARNED = """
    select coalesce(sum(points - revoked), 0)::bigint from loyalty_earnings where project_id = $1
"""
LAPSE = "update card_lots set expires_at = case when expires_at > now() then now() - interval '1 day' else expires_at end"


async def check(client: Client, member: dict[str, Any], worth: dict[str, int]) -> None:
    """Everything that has to hold after a step."""
    pool = client.app.state.pool  # type: ignore[union-attr]
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        assert [finding async for finding in audit(conn, client.project_id)] == []
        assert await db.value(conn, EARNED, client.project_id) == sum(w // 100 for w in worth.values())
    on = await points(client, member)
    total = on["lifetime_bucket"]["points"]
    assert on["balance"]["points"] == (
        total["total"] - total["subtracted"] - total["expired"] - total["spent"] - total["refunded"]
        + total["returned"]
    )  # fmt: skip
    older = (await ok(client, "GET", f"/v1/vouchers/{on['code']}"))["loyalty_card"]
    assert older["balance"] == on["balance"]["points"] and older["points"] == total["total"]


@pytest.mark.parametrize("seed", range(3))
async def test_a_history(client: Client, run_jobs: Any, tonight: Any, database_url: str, seed: int) -> None:
    draw = random.Random(seed)
    mode = ("below", "zero")[seed % 2]
    club = await club_of(
        client,
        refunds={"spent_points": {"type": "NONE"}, **REVOKED[mode]},
        balance_settings={"allow_negative": mode == "below"},
    )
    made = await join(client, club["id"])
    code = (await points(client, made))["code"]
    orders: dict[str, dict[str, Any]] = {}
    worth: dict[str, int] = {}
    for step in range(STEPS):
        open_ones = [name for name in orders if worth[name]]
        match draw.choice(["buy", "buy", "return", "return", "cancel", "add", "take", "lapse"]):
            case "buy":
                order = await buy(client, draw.randrange(10, 400) * 10)
                orders[order["id"]], worth[order["id"]] = order, order["total_amount"]
            case "return" if open_ones:
                name = draw.choice(open_ones)
                amount = draw.randrange(10, worth[name] + 10, 10)
                await give_back(client, orders[name], amount)
                worth[name] -= amount
            case "cancel" if open_ones:
                name = draw.choice(open_ones)
                await ok(client, "PUT", f"/v1/orders/{name}", {"status": "CANCELED"})
                worth[name] = 0
            case "add":
                body = {
                    "amount": draw.randrange(1, 50),
                    "source_id": f"add {step}",
                    "expiration_date": "2090-01-01",
                }
                await ok(client, "POST", f"/v1/vouchers/{code}/balance", body)
            case "take":
                there = (await points(client, made))["balance"]["points"]
                if there > 0:
                    body = {"amount": -draw.randrange(1, there + 1), "source_id": f"take {step}"}
                    await ok(client, "POST", f"/v1/vouchers/{code}/balance", body)
            case "lapse" if draw.random() < 0.4:
                await tonight(LAPSE)
            case _:
                continue
        await run_jobs()
        await check(client, made, worth)
    assert [result for result in await verify(database_url) if not result.holds] == []
