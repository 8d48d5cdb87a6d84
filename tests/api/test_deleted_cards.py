"""What comes back of a redemption whose card was deleted: the books go on showing that it is owed."""

from typing import Any

import pytest

from guerdon.verify import verify

from .checkout import post
from .conftest import Client
from .loyalty import ok
from .test_loyalty_v1 import LOYALTIES, club, join
from .test_rewards_v1 import coin, give

MOVED = """
    select e.type, e.amount from card_entries e join redemptions r on r.project_id = $1 and r.voucher_id = e.card_id
    where e.project_id = $1 and r.id = $2 order by e.seq
"""


async def moved(client: Client, redemption: str) -> list[tuple[str, int]]:
    """All that moved on the card of a redemption."""
    pool = client.app.state.pool  # type: ignore[union-attr]
    return [tuple(row) for row in await pool.fetch(MOVED, client.project_id, redemption)]


@pytest.mark.parametrize("force", ["false", "true"])
async def test_credit_that_comes_back_to_a_deleted_card(
    client: Client, database_url: str, force: str
) -> None:
    await ok(client, "POST", "/v1/vouchers/LOST", {"type": "GIFT_VOUCHER", "gift": {"amount": 5_000}})
    body = {"redeemables": [{"object": "voucher", "id": "LOST"}], "order": {"amount": 3_000}}
    made = (await post(client, "/v1/redemptions", body))["redemptions"][0]
    assert (await client.delete(f"/v1/vouchers/LOST?force={force}")).status_code == 204
    await post(client, f"/v1/redemptions/{made['id']}/rollback", {"amount": 1_000})
    await post(client, f"/v1/redemptions/{made['id']}/rollback", {})
    assert await moved(client, made["id"]) == [
        ("CREDITS_ADDITION", 5_000), ("CREDITS_REDEMPTION", -3_000), ("CREDITS_REMOVAL", -2_000),
        ("CREDITS_REFUND", 1_000), ("CREDITS_REFUND", 2_000),
    ]  # fmt: skip
    owed = (await ok(client, "GET", "/v1/ledger/liability"))["data"]
    assert [row["outstanding"] for row in owed] == [3_000]
    pool = client.app.state.pool  # type: ignore[union-attr]
    told = "select count(*) from events where project_id = $1 and type = 'voucher.gift.transaction.created'"
    assert await pool.fetchval(told, client.project_id) == 4
    assert [result for result in await verify(database_url) if not result.holds] == []


async def test_points_that_come_back_to_a_member_who_left(
    client: Client, database_url: str, run_jobs: Any
) -> None:
    made = await club(client)
    pay = await coin(client)
    await give(client, made["id"], pay["id"])
    card = await join(client, made["id"])
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 500})
    named = {"object": "voucher", "id": card["code"], "reward": {"id": pay["id"], "points": 200}}
    done = await post(client, "/v1/redemptions", {"redeemables": [named], "order": {"amount": 1_000}})
    assert (await client.delete("/v1/customers/ada")).status_code == 204
    await run_jobs()
    redemption = done["redemptions"][0]["id"]
    await post(client, f"/v1/redemptions/{redemption}/rollback", {})
    await run_jobs()
    assert (await moved(client, redemption))[-2:] == [("POINTS_REMOVAL", -300), ("POINTS_REFUND", 200)]
    assert [row["outstanding"] for row in (await ok(client, "GET", "/v1/ledger/liability"))["data"]] == [200]
    assert [result for result in await verify(database_url) if not result.holds] == []
