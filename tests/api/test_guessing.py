"""Codes cannot be guessed (G-15): a key gets so many unknown codes a minute, across processes and restarts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.app import App, create_app
from guerdon.kit import db
from guerdon.projects.bootstrap import add_key, create_project
from guerdon.settings import Settings

from .checkout import ask, code, everything, stacking
from .conftest import Client, client_for

LIMIT = 60
PATHS = ["/v1/validations", "/v1/redemptions"]

# The minute is the database's: a test that would straddle two waits for the next one, which is rare.
SECONDS_LEFT = "select 60 - extract(second from clock_timestamp())::float"


@pytest_asyncio.fixture
async def strict(database_url: str) -> AsyncIterator[App]:
    """The application as it comes: 60 unknown codes a minute."""
    app = create_app(Settings(database_url=database_url, pool_size=4))
    await app.start()
    yield app
    await app.stop()


@pytest_asyncio.fixture
async def guesser(strict: App, pool: db.Pool) -> AsyncIterator[Client]:
    """A client of a project of its own."""
    left = await db.value(pool, SECONDS_LEFT)
    if left < 8:
        await db.value(pool, "select 1 from pg_sleep($1)", left + 0.1)
    async with client_for(strict, await create_project(pool, "guessed at")) as made:
        yield made


async def guess(client: Any, path: str, count: int) -> list[int]:
    """Statuses of so many guesses."""
    return [(await client.post(path, json=ask(f"GUESS-{number}"))).status_code for number in range(count)]


def evaluated(statuses: list[int]) -> int:
    return sum(status != 429 for status in statuses)


@pytest.mark.parametrize("path", PATHS)
async def test_sixty_are_looked_at_then_no_more(guesser: Any, path: str) -> None:
    statuses = await guess(guesser, path, LIMIT + 20)
    assert statuses[LIMIT:] == [429] * 20
    assert evaluated(statuses) == LIMIT
    refused = await guesser.post(path, json=ask("GUESS"))
    assert refused.json()["key"] == "too_many_unknown_codes"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("path", PATHS)
async def test_a_restart_does_not_help(guesser: Any, database_url: str, path: str) -> None:
    await guess(guesser, path, LIMIT)
    fresh = create_app(Settings(database_url=database_url, pool_size=2))
    await fresh.start()
    try:
        async with client_for(fresh, guesser.credentials) as again:
            for other in PATHS:
                assert await guess(again, other, 1) == [429]
    finally:
        await fresh.stop()


async def test_while_it_lasts_known_codes_wait_too_and_nothing_is_written(
    guesser: Any, pool: db.Pool
) -> None:
    name = await code(guesser)
    await guess(guesser, "/v1/validations", LIMIT)
    before = await everything(pool, guesser.project_id)
    for path in PATHS:
        assert (await guesser.post(path, json=ask(name))).status_code == 429
    assert await everything(pool, guesser.project_id) == before


async def test_known_codes_do_not_count(guesser: Any) -> None:
    name, gone = await code(guesser), await code(guesser, redemption={"quantity": 1})
    for _ in range(LIMIT + 5):
        assert (await guesser.post("/v1/validations", json=ask(name))).status_code == 200
        assert (await guesser.post("/v1/redemptions", json=ask(gone))).status_code in (200, 400)
    assert evaluated(await guess(guesser, "/v1/validations", LIMIT + 1)) == LIMIT


async def test_validations_and_redemptions_count_together(guesser: Any) -> None:
    await guess(guesser, "/v1/validations", LIMIT // 2)
    assert evaluated(await guess(guesser, "/v1/redemptions", LIMIT)) == LIMIT // 2


async def test_another_key_has_its_own_count(guesser: Any, strict: App, pool: db.Pool) -> None:
    await guess(guesser, "/v1/validations", LIMIT)
    async with client_for(strict, await add_key(pool, guesser.project_id)) as other:
        assert await guess(other, "/v1/validations", 1) == [200]


async def test_the_next_minute_begins_anew(guesser: Any, pool: db.Pool) -> None:
    await guess(guesser, "/v1/validations", LIMIT)
    sql = "update code_guesses set minute = minute - interval '1 minute' where project_id = $1"
    await db.execute(pool, sql, guesser.project_id)
    assert await guess(guesser, "/v1/validations", 1) == [200]
    assert evaluated(await guess(guesser, "/v1/validations", LIMIT)) == LIMIT - 1


@pytest.mark.parametrize("path", PATHS)
async def test_many_codes_in_one_request_are_many_guesses(guesser: Any, pool: db.Pool, path: str) -> None:
    """In PARTIAL mode every code is looked at; the limit must hold in the middle of a request too."""
    await stacking(pool, guesser, redeemables_application_mode="PARTIAL")
    known = await code(guesser)
    statuses = []
    for round_ in range(4):
        codes = [f"GUESS-{round_}-{number}" for number in range(25)]
        statuses.append((await guesser.post(path, json=ask(*codes, known))).status_code)
    assert statuses == [200, 200, 429, 429], "75 guesses would be more than 60"
    misses = await db.value(pool, "select misses from code_guesses where project_id = $1", guesser.project_id)
    assert misses >= LIMIT, "a request that is refused for its guesses uses up what was left"


async def test_replays_of_a_refusal_do_not_count(guesser: Any) -> None:
    for _ in range(LIMIT + 5):
        answer = await guesser.post("/v1/redemptions", json=ask("GUESS"), headers={"Idempotency-Key": "same"})
        assert answer.status_code == 404
    assert evaluated(await guess(guesser, "/v1/validations", LIMIT)) == LIMIT - 1


async def test_codes_at_once(guesser: Any) -> None:
    import asyncio

    bodies = [ask(f"GUESS-{number}") for number in range(150)]
    answers = await asyncio.gather(*(guesser.post("/v1/redemptions", json=body) for body in bodies))
    assert evaluated([answer.status_code for answer in answers]) == LIMIT


async def test_generated_codes_are_long_random_and_readable(guesser: Any) -> None:
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 5}}
    codes = {(await guesser.post("/v1/vouchers", json=body)).json()["code"] for _ in range(50)}
    assert len(codes) == 50
    assert {len(one) for one in codes} == {10}
    assert not set("".join(codes)) & set("0O1lI"), "letters that are taken for one another"
