"""Async actions: how a bulk request is doing, told in the reference's shape."""

import asyncio
from typing import Any

import httpx
import pytest

from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import GiveUp, Work, claim, enqueue, run_due

TYPE = "CAMPAIGN.VOUCHERS_GENERATE"


@pytest.fixture
def kind() -> str:
    """A kind of job that this test alone knows."""
    return "test." + new_id("job")


async def read(client: httpx.AsyncClient, action_id: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/async-actions/{action_id}")
    assert answer.status_code == 200
    return answer.json()


async def test_an_action_from_enqueued_to_done(client: Any, pool: db.Pool, kind: str) -> None:
    action_id = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE, request_id="v-42")
    waiting = await read(client, action_id)
    created_at = waiting.pop("created_at")
    assert waiting == {
        "id": action_id,
        "type": TYPE,
        "status": "ENQUEUED",
        "operation_status": "UNKNOWN",
        "progress": 0,
        "request_id": "v-42",
        "object": "async_action",
    }
    seen: list[dict[str, Any]] = []

    async def half_way(work: Work) -> dict[str, Any]:
        async with work.step() as conn:
            await work.checkpoint(conn, cursor={"done": 1}, progress=50)
        seen.append(await read(client, action_id))
        return {"done_count": 2, "failed_count": 0}

    await run_due(pool, {kind: half_way})
    done = await read(client, action_id)
    assert (seen[0]["status"], seen[0]["progress"], "result" in seen[0]) == ("IN_PROGRESS", 50, False)
    assert (done["status"], done["operation_status"], done["progress"]) == ("DONE", "SUCCESS", 100)
    assert done["result"] == {"done_count": 2, "failed_count": 0}
    assert done["processing_time"] >= 0
    assert done["created_at"] == created_at <= seen[0]["updated_at"] <= done["updated_at"]


async def test_a_failed_action_says_why_without_our_inner_words(
    client: Any, pool: db.Pool, kind: str
) -> None:
    async def no_csv(work: Work) -> None:
        raise GiveUp("line 3 has no code")

    async def broken(work: Work) -> None:
        raise ValueError("select secret from inner_words")

    told = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE)
    await run_due(pool, {kind: no_csv})
    untold = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE, max_attempts=1)
    await run_due(pool, {kind: broken})
    first, second = await read(client, told), await read(client, untold)
    assert (first["status"], first["operation_status"]) == ("FAILED", "FAILED")
    assert first["result"] == {"message": "line 3 has no code"}
    assert second["status"] == "FAILED"
    assert "secret" not in str(second)


async def test_an_action_between_two_tries_is_in_progress(client: Any, pool: db.Pool, kind: str) -> None:
    async def fails_once(work: Work) -> None:
        raise ValueError

    action_id = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE)
    await run_due(pool, {kind: fails_once})
    assert (await read(client, action_id))["status"] == "IN_PROGRESS"


async def test_the_list_is_newest_first_and_pages_by_date(client: Any, pool: db.Pool, kind: str) -> None:
    made = []
    for _ in range(5):
        made.append(await enqueue(pool, client.project_id, kind, {}, action_type=TYPE))
        await asyncio.sleep(0.003)  # dates are told in milliseconds
    await enqueue(pool, client.project_id, kind, {})  # no action of the API
    await run_due(pool, {kind: _nothing})
    answer = (await client.get("/v1/async-actions", params={"limit": 3})).json()
    assert (answer["object"], answer["data_ref"], answer["has_more"]) == ("list", "async_actions", True)
    assert [one["id"] for one in answer["async_actions"]] == made[:1:-1]
    assert all("result" not in one for one in answer["async_actions"])
    oldest = answer["async_actions"][-1]["created_at"]
    answer = (await client.get("/v1/async-actions", params={"end_date": oldest})).json()
    assert [one["id"] for one in answer["async_actions"]] == made[2::-1]
    assert answer["has_more"] is False
    answer = (await client.get("/v1/async-actions", params={"end_date": "2020-01-01"})).json()
    assert answer["async_actions"] == []


async def _nothing(work: Work) -> dict[str, Any]:
    return {"done_count": 0}


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "101"), ("limit", "x"), ("end_date", "soon")]
)
async def test_a_list_that_cannot_be_is_refused_by_name(client: Any, name: str, value: str) -> None:
    answer = await client.get("/v1/async-actions", params={name: value})
    assert answer.status_code == 400
    assert answer.json()["key"] == "invalid_query_params"
    assert answer.json()["errors"][0]["path"] == name


async def test_another_projects_action_is_unknown(client: Any, pool: db.Pool, kind: str) -> None:
    other = await enqueue(pool, new_id("project"), kind, {}, action_type=TYPE)
    quiet = await enqueue(pool, client.project_id, kind, {})
    for action_id in (other, quiet, "aa_none"):
        for answer in (
            await client.get(f"/v1/async-actions/{action_id}"),
            await client.post(f"/v1/async-actions/{action_id}/cancel"),
        ):
            assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert await pool.fetchval("select count(*) from jobs where kind = $1 and status = 'READY'", kind) == 2
    await run_due(pool, {kind: _nothing})


async def test_an_action_that_waits_is_called_off_at_once(client: Any, pool: db.Pool, kind: str) -> None:
    action_id = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE)
    answer = await client.post(f"/v1/async-actions/{action_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")
    assert "called off" in answer.json()["result"]["message"]
    assert await run_due(pool, {kind: _nothing}) == 0


async def test_an_action_that_runs_is_called_off_before_its_next_step(
    client: Any, pool: db.Pool, kind: str
) -> None:
    action_id = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE)
    answers: list[dict[str, Any]] = []

    async def two_steps(work: Work) -> None:
        for number in (1, 2):
            async with work.step() as conn:
                await work.checkpoint(conn, cursor={"done": number}, progress=number * 50)
            answers.append((await client.post(f"/v1/async-actions/{action_id}/cancel")).json())

    await run_due(pool, {kind: two_steps})
    action = await read(client, action_id)
    assert [one["status"] for one in answers] == ["IN_PROGRESS"]
    assert (action["status"], action["operation_status"], action["progress"]) == ("FAILED", "FAILED", 50)


async def test_an_action_that_ended_stays_as_it_ended(client: Any, pool: db.Pool, kind: str) -> None:
    action_id = await enqueue(pool, client.project_id, kind, {}, action_type=TYPE)
    await run_due(pool, {kind: _nothing})
    before = await read(client, action_id)
    assert (await client.post(f"/v1/async-actions/{action_id}/cancel")).json() == before
    assert len((await claim(pool, "nobody", [kind], 5)).jobs) == 0
