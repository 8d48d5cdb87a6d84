"""What a campaign says of the making of its codes when that is called off, given up, or goes on twice at once."""

from typing import Any

import pytest

from guerdon.campaigns import jobs as campaign_jobs

from .test_campaigns import Client, make, read


async def generation(client: Client, campaign: str) -> tuple[int, str]:
    found = await read(client, f"/v1/campaigns/{campaign}")
    return found["vouchers_count"], found["vouchers_generation_status"]


async def actions(client: Client) -> list[str]:
    return [action["id"] for action in (await read(client, "/v1/async-actions"))["async_actions"]]


async def test_a_generation_called_off_is_said_by_its_campaign(client: Client, run_jobs: Any) -> None:
    await make(client, "off", vouchers_count=250)
    assert await generation(client, "off") == (0, "IN_PROGRESS")
    (waiting,) = await actions(client)
    await client.post(f"/v1/async-actions/{waiting}/cancel")
    assert await generation(client, "off") == (0, "FAILED")
    await client.post("/v1/campaigns/off/vouchers?vouchers_count=20")
    await run_jobs()
    assert await generation(client, "off") == (20, "DONE")


async def test_a_generation_called_off_while_it_runs(
    client: Client, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_jobs, "BATCH", 10)
    await make(client, "half", vouchers_count=30)
    (running,) = await actions(client)
    minted = campaign_jobs.mint

    def mint(config: Any, count: int) -> list[str]:
        steps.append(count)
        return minted(config, count)

    steps: list[int] = []
    monkeypatch.setattr(campaign_jobs, "mint", mint)
    insert = campaign_jobs.store.insert_codes

    async def insert_and_cancel(*args: Any) -> int:
        if len(steps) == 2:
            await client.app.state.pool.execute("update jobs set cancel = true where id = $1", running)
        return await insert(*args)

    monkeypatch.setattr(campaign_jobs.store, "insert_codes", insert_and_cancel)
    await run_jobs()
    assert await generation(client, "half") == (10, "FAILED")
    assert (await read(client, f"/v1/async-actions/{running}"))["status"] == "FAILED"


async def test_a_generation_whose_workers_died_is_said_by_its_campaign(client: Client, run_jobs: Any) -> None:
    await make(client, "dead", vouchers_count=250)
    (action,) = await actions(client)
    await client.app.state.pool.execute("update jobs set attempts = max_attempts where id = $1", action)
    await run_jobs()
    assert await generation(client, "dead") == (0, "FAILED")


async def test_a_campaign_is_done_when_the_last_of_two_generations_is(client: Client, run_jobs: Any) -> None:
    await make(client, "twice", vouchers_count=20)
    await client.post("/v1/campaigns/twice/vouchers?vouchers_count=30")
    second, _ = await actions(client)
    pool = client.app.state.pool
    await pool.execute("update jobs set run_at = now() + interval '1 hour' where id = $1", second)
    await run_jobs()
    assert await generation(client, "twice") == (20, "IN_PROGRESS")
    await pool.execute("update jobs set run_at = now() where id = $1", second)
    await run_jobs()
    assert await generation(client, "twice") == (50, "DONE")
