"""Referrals under sixteen friends at one moment, two servers and six workers: caps are exact, one friend counts once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db, jobs
from guerdon.worker import jobs as all_jobs

from .offers import Offers
from .shop import CLIENTS, Shop
from .test_races import note, statuses

pytestmark = pytest.mark.sized

WORKERS = 6

REWARDS = """
    select w.status, count(*) as count, sum(w.granted - w.clawed)::bigint as amount from referral_rewards w
    where w.project_id = $1 and w.campaign_id = $2 group by w.status
"""
REFERRALS = "select status, count(*) as count from referrals where project_id = $1 and campaign_id = $2 group by status"
CREDIT = "select coalesce(sum(balance), 0)::bigint from cards where project_id = $1 and campaign_id = $2"


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


class Friends:
    """Referral programs of the shop, and workers that look at what is referred."""

    def __init__(self, offers: Offers, pool: db.Pool) -> None:
        self.offers, self.shop, self.pool = offers, offers.shop, pool
        self.credit = self.campaign = ""

    def open(self, **said: Any) -> None:
        """A new program with 5.00 for each friend, on cards of a new campaign."""
        gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}
        made = self.offers.post("/v1/campaigns", {"name": self.shop.name("credit"), "voucher": gift})
        self.credit = made["id"]
        reward = {"type": "GIFT_VOUCHER", "amount": 500, "related_object_parent": {"id": self.credit}}
        body = {
            "name": self.shop.name("friends"), "referral_program": {"referrer_tiers": [{"reward": reward}]} | said,
            "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}},
        }  # fmt: skip
        self.campaign = self.offers.post("/v1/campaigns", body)["id"]

    def code(self) -> str:
        """A code of a new referrer."""
        body = {
            "campaign": {"id": self.campaign, "count": 1},
            "customer": {"source_id": self.shop.name("referrer")},
        }
        return self.offers.post("/v1/publications", body)["voucher"]["code"]

    def come(self, code: str, **person: str) -> bytes:
        """The bytes of a friend's redemption."""
        return self.offers.ask(code, customer=person, order={"amount": 10_000})

    async def work(self) -> None:
        """Six workers look at once."""
        await asyncio.gather(*(jobs.run_due(self.pool, all_jobs()) for _ in range(WORKERS)))

    async def counts(self, sql: str) -> dict[str, int]:
        """How many there are of each status."""
        found = await self.pool.fetch(sql, self.shop.project_id, self.campaign)
        return {row["status"]: row["count"] for row in found}

    async def given(self) -> int:
        """All credit there is on the cards."""
        return await self.pool.fetchval(CREDIT, self.shop.project_id, self.credit)


@pytest_asyncio.fixture
async def friends(offers: Offers, durable_database_url: str) -> AsyncIterator[Friends]:
    pool = await db.open_pool(durable_database_url, size=2 * WORKERS)
    yield Friends(offers, pool)
    await pool.close()


async def test_a_cap_is_exact(
    offers: Offers, friends: Friends, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        friends.open(caps={"total": 5})
        code = friends.code()
        asked = [friends.come(code, source_id=friends.shop.name("friend")) for _ in range(CLIENTS)]
        answers = offers.release(asked)
        total += statuses(answers)
        assert statuses(answers) == {200: CLIENTS}
        await friends.work()
        assert await friends.counts(REWARDS) == {"RELEASED": 5, "CAPPED": CLIENTS - 5}
        assert await friends.given() == 2_500
    note(table, few_rounds, total)


async def test_a_friend_of_many_is_referred_once(
    offers: Offers, friends: Friends, few_rounds: int, table: dict[str, Any]
) -> None:
    """The same customer comes with sixteen codes at once: one of the referrers has referred them."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        friends.open()
        codes, friend = [friends.code() for _ in range(CLIENTS)], friends.shop.name("friend")
        answers = offers.release([friends.come(code, source_id=friend) for code in codes])
        total += statuses(answers)
        await friends.work()
        assert await friends.counts(REFERRALS) == {"EARNED": 1}
        assert await friends.given() == 500
    note(table, few_rounds, total)


async def test_accounts_of_one_friend_count_once(
    offers: Offers, friends: Friends, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        friends.open()
        codes = [friends.code() for _ in range(4)]
        asked = [
            friends.come(codes[n % 4], source_id=friends.shop.name("friend"), email=f"friend+{n}@example.com")
            for n in range(CLIENTS)
        ]
        total += statuses(offers.release(asked))
        await friends.work()
        assert await friends.counts(REFERRALS) == {"EARNED": 1, "REFUSED": CLIENTS - 1}
        assert await friends.given() == 500
    note(table, few_rounds, total)


async def test_a_tier_is_reached_once(
    offers: Offers, friends: Friends, few_rounds: int, table: dict[str, Any]
) -> None:
    """A reward for ten friends, of whom sixteen come at once, and half of them are rolled back together."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        friends.open()
        tier = {"minimum": 10, "reward": {
            "type": "GIFT_VOUCHER", "amount": 900, "related_object_parent": {"id": friends.credit},
        }}  # fmt: skip
        offers.post(
            f"/v1/campaigns/{friends.campaign}",
            {"referral_program": {"referrer_tiers": [tier]}},
            method="PUT",
        )
        code = friends.code()
        answers = offers.release(
            [friends.come(code, source_id=friends.shop.name("friend")) for _ in range(CLIENTS)]
        )
        total += statuses(answers)
        await friends.work()
        assert (await friends.counts(REWARDS), await friends.given()) == ({"RELEASED": 1}, 900)
        ids = [answer.json()["redemptions"][0]["id"] for answer in answers]
        total += statuses(offers.release([friends.shop.rollback(one) for one in ids[: CLIENTS // 2]]))
        await friends.work()
        assert (await friends.counts(REWARDS), await friends.given()) == ({"CLAWED_BACK": 1}, 0)
    note(table, few_rounds, total)
