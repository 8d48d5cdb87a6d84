"""Points are there soon: within a second of the order's being paid, by a worker as it runs in earnest."""

import asyncio
import time
from typing import Any

from guerdon.kit.job_worker import Worker
from guerdon.worker import jobs

from .conftest import Client
from .loyalty import PROGRAMS, program, refused
from .test_loyalty_earning import REVOKED, buy, club_of, give_back, points
from .test_loyalty_members import customer, join, member_of

MOST = 1.0


async def test_points_are_there_within_a_second(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    worker = Worker(client.app.state.pool, jobs())  # type: ignore[union-attr]
    running = asyncio.create_task(worker.run())
    try:
        worst = 0.0
        for number in range(1, 11):
            await buy(client, 100)
            began = time.monotonic()
            while (await points(client, made))["balance"]["points"] < number:
                assert time.monotonic() - began < 10
                await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - began)
        assert worst < MOST
    finally:
        worker.stop()
        await running


async def test_many_orders_at_once_by_several_workers(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    workers = [Worker(pool, jobs()) for _ in range(3)]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        for _ in range(10):
            await asyncio.gather(*(buy(client, 100) for _ in range(20)))
        began = time.monotonic()
        while (await points(client, made))["balance"]["points"] < 200:
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.02)
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)
    assert (await points(client, made))["lifetime_bucket"]["points"]["earned"] == 200


async def test_sixteen_enrol_one_customer(client: Client) -> None:
    club = await program(client)
    body = member_of(await customer(client))
    path = f"{PROGRAMS}/{club['id']}/members"

    async def one() -> int:
        return (await client.post(path, json=body)).status_code

    answers: list[Any] = await asyncio.gather(*(one() for _ in range(16)))
    assert sorted(answers) == [200] + [409] * 15
    assert (await refused(client, "POST", path, body))[:2] == (409, "member_already_exists")


async def test_returns_that_race_with_earning(client: Client) -> None:
    refunds = {"spent_points": {"type": "NONE"}, **REVOKED["zero"]}
    club = await club_of(client, refunds=refunds)
    made = await join(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    workers = [Worker(pool, jobs(), poll_seconds=0.005) for _ in range(2)]
    running = [asyncio.create_task(worker.run()) for worker in workers]

    async def shop(number: int) -> int:
        order = await buy(client, 1000)
        await asyncio.sleep(number % 7 / 500)
        await give_back(client, order, 300)
        if number % 3:
            return 7
        await asyncio.gather(
            give_back(client, order, 200),
            client.put(f"/v1/orders/{order['id']}", json={"metadata": {"seen": number}}),
        )
        return 5

    try:
        stays = sum(await asyncio.gather(*(shop(number) for number in range(60))))
        waiting = "select count(*) from jobs where project_id = $1 and status in ('READY', 'RUNNING')"
        began = time.monotonic()
        while await pool.fetchval(waiting, client.project_id) and time.monotonic() - began < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)
    assert (await points(client, made))["balance"]["points"] == stays
