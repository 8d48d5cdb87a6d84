"""Projects and keys: what is made at the start opens the door, and what is revoked does not."""

import asyncio
from typing import Any

import pytest

from guerdon.kit import auth, db
from guerdon.kit.errors import ApiError
from guerdon.projects.bootstrap import Credentials, add_key, create_project, revoke_key


def headers(credentials: Credentials) -> dict[str, str]:
    return {"X-App-Id": credentials.app_id, "X-App-Token": credentials.app_token}


async def status(client: Any, credentials: Credentials) -> int:
    return (await client.get("/v1/customers", headers=headers(credentials))).status_code


async def test_a_second_key_opens_the_same_project_until_it_is_revoked(
    client: Any, pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "TRUST_SECONDS", 0.0)
    made = (await client.post("/v1/customers", json={"source_id": "ada"})).json()
    second = await add_key(pool, client.project_id, "second")
    assert second.project_id == client.project_id
    answer = await client.get("/v1/customers/ada", headers=headers(second))
    assert answer.json() == made
    assert await revoke_key(pool, client.project_id, second.app_id)
    assert not await revoke_key(pool, client.project_id, second.app_id)
    assert await status(client, second) == 401
    assert (await client.get("/v1/customers/ada")).status_code == 200


async def test_a_wrong_token_and_another_projects_token_stay_outside(client: Any, pool: db.Pool) -> None:
    first, second = await asyncio.gather(create_project(pool, "one"), create_project(pool, "two"))
    mixed = Credentials(first.project_id, first.app_id, second.app_token)
    assert [await status(client, one) for one in (first, second, mixed)] == [200, 200, 401]


async def test_a_key_is_revoked_only_by_its_own_project(client: Any, pool: db.Pool) -> None:
    other = await create_project(pool, "other")
    assert not await revoke_key(pool, client.project_id, other.app_id)
    assert await status(client, other) == 200


async def test_the_token_itself_is_not_stored(pool: db.Pool) -> None:
    made = await create_project(pool, "shop")
    sql = "select row_to_json(k)::text from api_keys k where k.project_id = $1"
    stored = await db.value(pool, sql, made.project_id)
    assert made.app_id in stored and made.app_token not in stored


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "timezone": "Mars/Olympus"}, "timezone"),
        ({"name": "x", "currency": "euro"}, "currency"),
    ],
)
async def test_what_makes_no_sense_is_refused(pool: db.Pool, arguments: dict[str, str], path: str) -> None:
    with pytest.raises(ApiError) as caught:
        await create_project(pool, **arguments)
    assert caught.value.faults is not None
    assert [fault.path for fault in caught.value.faults] == [path]


async def test_a_key_needs_a_project(pool: db.Pool) -> None:
    with pytest.raises(ApiError) as caught:
        await add_key(pool, "proj_nobody")
    assert caught.value.status == 404
