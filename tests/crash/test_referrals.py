"""kill -9 of workers that look at referrals: what is held is given once, what came back is taken back once."""

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest
from api.test_referrals import code_of, gift_campaign, pass_time, program, redeem, reward

from guerdon.kit import db
from guerdon.verify import verify

from .worker import Killer

pytestmark = pytest.mark.sized
PROVE = os.environ.get("GUERDON_PROVE") == "1"
FRIENDS, ROUNDS = (1_000, 25) if PROVE else (48, 2)
REFERRERS = 6
LOOKED = "select count(*) from referrals where project_id = $1 and due_at is not null"
GIVEN = "select count(*) from referrals where project_id = $1 and status = 'EARNED'"
UNDONE = "select count(*) from referrals where project_id = $1 and status = 'UNDONE'"
TO_DO = "select count(*) from jobs where project_id = $1 and kind = 'referrals.look' and status in ('READY', 'RUNNING')"
STATUSES = "select status, count(*) as count from referrals where project_id = $1 group by status"
ON_CARDS = """
    select k.source_id, count(c.id) as cards, sum(c.balance)::bigint as balance from customers k
    join vouchers v on v.project_id = $1 and v.holder_id = k.id join cards c on c.project_id = $1 and c.id = v.id
    where k.project_id = $1 group by k.source_id
"""
GIVEN_TWICE = """
    select count(*) from (
        select e.cause_id from card_entries e where e.project_id = $1 and e.cause_id like 'rfw%'
        group by e.cause_id, e.amount > 0 having count(*) > 1) as twice
"""


async def test_rewards_through_kills(client: Any, database_url: str) -> None:
    """Looked at, given at the end of the hold, and taken back: killed all the way."""
    seed = int(os.environ.get("GUERDON_TEST_SEED", "0")) or random.randrange(1, 1_000_000)
    print(f"seed {seed}")  # shown with a failure
    pool = client.app.state.pool
    killer = Killer(pool, client.project_id, database_url, random.Random(seed))
    credit = await gift_campaign(client)
    tiers = [
        {"reward": reward(credit, 500)},
        {"minimum": FRIENDS // REFERRERS, "reward": reward(credit, 9_000)},
    ]
    made = await program(client, hold="P14D", referrer_tiers=tiers, referee_reward=reward(credit, 300))
    codes = [await code_of(client, made["id"], f"referrer{n}") for n in range(REFERRERS)]
    bought: list[Any] = []
    for first in range(0, FRIENDS, 24):
        some = range(first, min(first + 24, FRIENDS))
        bought += await asyncio.gather(*(redeem(client, codes[n % REFERRERS], f"friend{n}") for n in some))
    assert {one.status_code for one in bought} == {200}

    await killer.kill(LOOKED, ROUNDS)
    assert await killer.count(LOOKED) == FRIENDS
    assert await _balances(pool, client) == {}

    await pass_time(client)
    await killer.kill(GIVEN, ROUNDS)
    whole = {f"referrer{n}": 500 * (FRIENDS // REFERRERS) + 9_000 for n in range(REFERRERS)}
    assert await _balances(pool, client) == whole | {f"friend{n}": 300 for n in range(FRIENDS)}

    back = range(0, FRIENDS, 2)  # all friends of every other referrer
    ids = [bought[n].json()["redemptions"][0]["id"] for n in back]
    answers = await asyncio.gather(*(client.post(f"/v1/redemptions/{one}/rollback") for one in ids))
    assert {one.status_code for one in answers} == {200}
    await killer.kill(UNDONE, ROUNDS)
    left = {name: amount for n, (name, amount) in enumerate(whole.items()) if n % 2}
    gone = {f"referrer{n}": 0 for n in range(0, REFERRERS, 2)} | {f"friend{n}": 0 for n in back}
    kept = {f"friend{n}": 300 for n in range(1, FRIENDS, 2)}
    assert await _balances(pool, client) == left | gone | kept

    statuses = {row["status"]: row["count"] for row in await db.records(pool, STATUSES, client.project_id)}
    assert statuses == {"EARNED": FRIENDS // 2, "UNDONE": FRIENDS // 2}
    assert await killer.count(GIVEN_TWICE) == 0 and await killer.count(TO_DO) == 0
    assert killer.kills >= 3
    results = [one for one in await verify(database_url) if one.project_id == client.project_id]
    assert [(one.invariant, one.rows) for one in results if not one.holds] == []


async def _balances(pool: db.Pool, client: Any) -> dict[str, int]:
    """What is on everybody's card: one card each."""
    rows = await db.records(pool, ON_CARDS, client.project_id)
    assert Counter(row["cards"] for row in rows).keys() <= {1}
    return {row["source_id"]: row["balance"] for row in rows}
