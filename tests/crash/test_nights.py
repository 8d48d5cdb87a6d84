"""kill -9 in the middle of the night, with two schedulers that also take each other's work over: each thing once."""

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest
from api.test_loyalty_earning import buy
from api.test_loyalty_kill import furnish
from api.test_loyalty_v1 import club, per_order
from api.test_purchases_auto import offer

from guerdon.kit import db
from guerdon.loyalty.night import enqueue_nights
from guerdon.verify import verify

from .worker import Killer

pytestmark = pytest.mark.sized
PROVE = os.environ.get("GUERDON_PROVE") == "1"
MEMBERS, ROUNDS = (400, 20) if PROVE else (60, 4)
LASTING, WAITING, PRICE = 250, 40, 100

# Of half of them the points become active tonight, the others' are given up.
COMES = """
    update loyalty_pending set activates_at = now() - interval '1 day'
    where project_id = $1 and id in (
        select id from loyalty_pending where project_id = $1 order by member_id limit $2)
"""
GOES = """
    update loyalty_pending set activates_at = null, cancels_at = now() - interval '1 day'
    where project_id = $1 and activates_at > now()
"""
AGAIN = "delete from nights where project_id = $1"
NO_JOBS = "delete from jobs where project_id = $1"
STEPS = """
    select (select count(*) from card_entries where project_id = $1)
         + (select count(*) from loyalty_pending where project_id = $1 and status <> 'PENDING')
"""
ENTRIES = """
    select e.card_id, e.type, sum(e.amount)::bigint as amount from card_entries e
    where e.project_id = $1 and e.type <> 'POINTS_ADDITION' group by e.card_id, e.type
"""
SETTLED = "select status, count(*) as count from loyalty_pending where project_id = $1 group by status"
BALANCE = "select sum(balance)::bigint from cards where project_id = $1"
BOUGHT = "select count(*) from loyalty_purchases where project_id = $1 and status = 'APPROVED'"
GONE = "select sum(redeemed)::bigint from loyalty_assignments where project_id = $1 and kind = 'reward'"
# Each of them is a redemption in the older API, which a job of its own writes down and tells of.
SHOWN = """
    select p.id, count(r.id) as redemptions, count(e.id) as events from loyalty_purchases p
    left join redemptions r on r.project_id = $1 and r.id = p.redemption_id and r.object = 'redemption'
    left join events e on e.project_id = $1 and e.entity_id = r.id
    where p.project_id = $1 group by p.id
"""
NIGHTS = "select count(*) from nights where project_id = $1"
JOBS = "select count(*) from jobs where project_id = $1 and kind = 'night.run'"
TO_DO = "select count(*) from jobs where project_id = $1 and status in ('READY', 'RUNNING', 'DEAD') and run_at <= now()"


async def test_a_night_through_kills(client: Any, run_jobs: Any, database_url: str) -> None:
    """Points come, are given up, are spent on rewards with a stock, and lapse: killed all the way."""
    seed = int(os.environ.get("GUERDON_TEST_SEED", "0")) or random.randrange(1, 1_000_000)
    print(f"seed {seed}")  # shown with a failure
    pool, stock = client.app.state.pool, 2 * MEMBERS - 5
    made = await club(client, per_order(pending_points={"period_type": "DAY", "period_value": 14}))
    await furnish(client, f"lprg_{made['id'].partition('_')[2]}", MEMBERS, LASTING)
    for number in range(MEMBERS):
        await buy(client, 100 * WAITING, f"cust_night{number:05d}")
    await run_jobs()
    await db.execute(pool, COMES, client.project_id, MEMBERS // 2)
    await db.execute(pool, GOES, client.project_id)
    await offer(client, made["id"], PRICE, stock=stock)
    await db.execute(pool, AGAIN, client.project_id)
    await db.execute(pool, NO_JOBS, client.project_id)

    killer = Killer(pool, client.project_id, database_url, random.Random(seed), takeover=True)
    await killer.kill(STEPS, ROUNDS)

    assert killer.kills >= 3
    assert await killer.count(NIGHTS) == await killer.count(JOBS) == 1 and await killer.count(TO_DO) == 0
    settled = {row["status"]: row["count"] for row in await db.records(pool, SETTLED, client.project_id)}
    assert settled == {"ACTIVATED": MEMBERS // 2, "CANCELED": MEMBERS - MEMBERS // 2}
    each: dict[str, Counter[int]] = {}
    for row in await db.records(pool, ENTRIES, client.project_id):
        each.setdefault(row["type"], Counter())[row["amount"]] += 1
    assert each.keys() == {"POINTS_EXPIRATION", "PENDING_POINTS_ACTIVATION", "POINTS_REDEMPTION"}
    assert each["POINTS_EXPIRATION"] == {-20: MEMBERS}
    assert each["PENDING_POINTS_ACTIVATION"] == {WAITING: MEMBERS // 2}
    assert sum(-points * count for points, count in each["POINTS_REDEMPTION"].items()) == PRICE * stock
    assert await killer.count(BOUGHT) == await killer.count(GONE) == stock
    shown = await db.records(pool, SHOWN, client.project_id)
    assert {(row["redemptions"], row["events"]) for row in shown} == {(1, 1)} and len(shown) == stock
    assert await killer.count(BALANCE) == LASTING * MEMBERS + WAITING * (MEMBERS // 2) - PRICE * stock
    results = [one for one in await verify(database_url) if one.project_id == client.project_id]
    assert [(one.invariant, one.rows) for one in results if not one.holds] == []
    print(f"nights: {killer.kills} workers killed, {killer.takeovers} times work was taken over")


async def test_two_schedulers_make_one_night(client: Any) -> None:
    """Whoever comes first: one job a project and night."""
    pool = client.app.state.pool
    await db.execute(pool, AGAIN, client.project_id)
    await db.execute(pool, NO_JOBS, client.project_id)
    await asyncio.gather(*(enqueue_nights(pool) for _ in range(8)))
    assert await db.value(pool, JOBS, client.project_id) == 1
