"""Validations are counted by campaign, in memory first: a validation itself writes nothing."""

import asyncio
from typing import Any

import pytest

from guerdon.app import create_app
from guerdon.kit import db
from guerdon.redemptions import validated
from guerdon.settings import Settings

from .checkout import ask, code, post, read
from .conftest import Client, client_for
from .promotions import promotion, tier
from .test_qualifications import bulk, least, rule


async def counts(client: Client, campaign_id: str, query: str = "") -> tuple[int, int, int]:
    """All, good and bad ones, after everything that was counted is written."""
    assert client.app.desk is not None
    await client.app.desk.validated.flush()
    found: dict[str, Any] = await read(client, f"/v1/campaigns/{campaign_id}/summary{query}")
    return found["validations"], found["validations_succeeded"], found["validations_failed"]


async def test_validations_of_a_campaign_are_counted(client: Client) -> None:
    campaign_id = await bulk(client, "bulk", "A", "B")
    assert await counts(client, campaign_id) == (0, 0, 0)
    await post(client, "/v1/validations", ask("A", "B"))
    await post(client, "/v1/validations", ask(await code(client)))
    lock = {"type": "LOCK", "key": "mine"}
    await post(client, "/v1/validations", ask("A") | {"session": lock})
    assert await counts(client, campaign_id) == (3, 3, 0)
    await rule(client, campaign_id, rules=least(90_000))
    await post(client, "/v1/validations", ask("A"))
    assert await counts(client, campaign_id) == (4, 3, 1)
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    asked = {"redeemables": [{"object": "promotion_tier", "id": tier_id}], "order": {"amount": 5000}}
    await post(client, "/v1/validations", asked)
    assert await counts(client, made["id"]) == (1, 1, 0)


async def test_what_is_no_validation_is_not_counted(client: Client) -> None:
    campaign_id = await bulk(client, "bulk", "A")
    await post(client, "/v1/validations", ask("A") | {"at": "2030-01-01T00:00:00Z"})
    await post(client, "/v1/redemptions", ask("A"))
    await post(client, "/v1/qualifications", {"order": {"amount": 5000}, "scenario": "AUDIENCE_ONLY"})
    await post(client, "/v1/validations", ask("A") | {"customer": {"id": "cust_nobody"}}, 404)
    assert await counts(client, campaign_id) == (0, 0, 0)


async def test_validations_are_summed_by_days(client: Client, pool: db.Pool) -> None:
    campaign_id = await bulk(client, "bulk", "A")
    sql = "insert into campaign_validations values ($1, $2, $3::text::date, $4, $5)"
    for day, good, bad in (("2026-01-01", 1, 10), ("2026-01-02", 2, 20), ("2026-01-03", 3, 30)):
        await db.execute(pool, sql, client.project_id, campaign_id, day, good, bad)
    for query, found in (
        ("", (66, 6, 60)),
        ("?start_date=2026-01-02", (55, 5, 50)),
        ("?start_date=2026-01-02&end_date=2026-01-02", (22, 2, 20)),
        ("?end_date=2026-01-02T00:00:00Z", (11, 1, 10)),
        ("?start_date=2026-02-01", (0, 0, 0)),
    ):
        assert await counts(client, campaign_id, query) == found


async def test_counts_survive_a_database_that_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await bulk(client, "bulk", "A")
    await post(client, "/v1/validations", ask("A"))
    add = validated._add
    monkeypatch.setattr(validated, "_add", _away)
    assert await counts(client, campaign_id) == (0, 0, 0)
    monkeypatch.setattr(validated, "_add", add)
    assert await counts(client, campaign_id) == (1, 1, 0)
    assert await counts(client, campaign_id) == (1, 1, 0)


async def _away(*_: object) -> None:
    raise OSError("away")


async def test_a_server_that_ends_writes_its_counts(client: Client, database_url: str) -> None:
    campaign_id = await bulk(client, "bulk", "A")
    other = create_app(Settings(database_url=database_url, pool_size=2))
    await other.start()
    async with client_for(other, client.credentials) as second:
        await post(second, "/v1/validations", ask("A"))
    await other.stop()
    assert await counts(client, campaign_id) == (1, 1, 0)


async def test_counts_are_written_by_themselves(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validated, "SECONDS", 0.01)
    campaign_id = await bulk(client, "bulk", "A")
    desk = client.app.desk
    assert desk is not None
    if desk.validated._task is not None:  # one that still waits for longer
        await desk.validated.close()
    await post(client, "/v1/validations", ask("A"))
    assert desk.validated._task is not None
    await asyncio.wait_for(desk.validated._task, 10)
    found = await read(client, f"/v1/campaigns/{campaign_id}/summary")
    assert found["validations"] == 1


async def test_a_campaign_that_is_gone_takes_its_counts_along(client: Client, pool: db.Pool) -> None:
    campaign_id = await bulk(client, "bulk", "A")
    kept = await bulk(client, "kept", "B")
    await post(client, "/v1/validations", ask("A"))
    assert await counts(client, campaign_id) == (1, 1, 0)
    await post(client, "/v1/validations", ask("A", "B"))
    where = "where project_id = $1 and campaign_id = $2"
    await db.execute(pool, f"delete from vouchers {where}", client.project_id, campaign_id)
    await db.execute(
        pool, "delete from campaigns where project_id = $1 and id = $2", client.project_id, campaign_id
    )
    assert await counts(client, kept) == (1, 1, 0)
    sql = f"select count(*) from campaign_validations {where}"
    assert await db.value(pool, sql, client.project_id, campaign_id) == 0
