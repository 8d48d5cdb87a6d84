"""Transactions and lapsing points of loyalty cards, under the paths of v1 loyalties."""

import csv
import io
from typing import Any

Client = Any  # tests/api/conftest.py has it


async def program(client: Client, name: str = "club") -> str:
    body = {
        "name": name,
        "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 100}},
    }
    answer = await client.post("/v1/campaigns", json=body)
    assert answer.status_code == 200, answer.text
    campaign = answer.json()["id"]
    for code in ("ANN", "BOB"):
        made = await client.post(f"/v1/campaigns/{campaign}/vouchers/{name}-{code}", json={})
        assert made.status_code == 200, made.text
    bonus = {"amount": 30, "expiration_date": "2050-12-31"}
    assert (await client.post(f"/v1/vouchers/{name}-ANN/balance", json=bonus)).status_code == 200
    return campaign


async def table(client: Client, run_jobs: Any, path: str, **parameters: Any) -> list[dict[str, str]]:
    answer = await client.post(path, json={"parameters": parameters})
    assert answer.status_code == 200, answer.text
    await run_jobs()
    text = (await client.get(f"/download/v1/exports/{answer.json()['id']}")).text
    return list(csv.DictReader(io.StringIO(text)))


async def test_what_moved_is_listed_and_exported(client: Client, run_jobs: Any) -> None:
    campaign = await program(client)
    whole = (await client.get(f"/v1/loyalties/{campaign}/transactions")).json()
    assert sorted(one["details"]["balance"]["points"] for one in whole["data"]) == [30, 100, 100]
    for path in ("/v1/loyalties/members/club-ANN", f"/v1/loyalties/{campaign}/members/club-ANN"):
        listed = (await client.get(path + "/transactions")).json()
        assert [one["type"] for one in listed["data"]] == ["POINTS_ADDITION"] * 2
        moved = await table(
            client, run_jobs, path + "/transactions/export", fields=["amount"], order="created_at"
        )
        assert [row["Amount"] for row in moved] == ["100", "30"]
    moved = await table(client, run_jobs, f"/v1/loyalties/{campaign}/transactions/export")
    assert len(moved) == 3


async def test_points_that_lapse_are_exported(client: Client, run_jobs: Any) -> None:
    campaign = await program(client)
    await program(client, "other")
    rows = await table(client, run_jobs, f"/v1/loyalties/{campaign}/points-expiration/export")
    assert [(row["Points"], row["Status"], row["Campaign ID"]) for row in rows] == [
        ("30", "ACTIVE", campaign)
    ]
    assert rows[0]["Expires At"].startswith("2050-12-31")
    pool = client.app.state.pool
    await pool.execute(
        "update card_lots set expires_at = now() - interval '1 day' where project_id = $1 and expires_at is not null",
        client.project_id,
    )
    rows = await table(
        client, run_jobs, f"/v1/loyalties/{campaign}/points-expiration/export", fields=["points", "status"]
    )
    assert rows == [{"Points": "30", "Status": "EXPIRED"}]


async def test_only_loyalty_programs_and_their_cards_are_meant(client: Client) -> None:
    campaign, other = await program(client), await program(client, "other")
    await client.post("/v1/vouchers/GIFT", json={"type": "GIFT_VOUCHER", "gift": {"amount": 5}})
    gifts = {"name": "gifts", "campaign_type": "GIFT_VOUCHERS", "voucher": {"gift": {"amount": 5}}}
    assert (await client.post("/v1/campaigns", json=gifts)).status_code == 200
    for path in (
        "gifts/transactions", "nowhere/transactions", "members/GIFT/transactions", "members/NOBODY/transactions",
        f"{other}/members/club-ANN/transactions",
    ):  # fmt: skip
        assert (await client.get(f"/v1/loyalties/{path}")).status_code == 404, path
        assert (await client.post(f"/v1/loyalties/{path}/export")).status_code == 404, path
    assert (await client.post("/v1/loyalties/gifts/points-expiration/export")).status_code == 404
    assert (await client.get(f"/v1/loyalties/{campaign}/members/club-ANN/transactions")).status_code == 200
