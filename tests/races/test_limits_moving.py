"""Limits that come, change and go while sixteen callers redeem, hold and take back: what was before counts too."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db
from guerdon.projects.bootstrap import add_key

from .offers import Offers, won
from .shop import CLIENTS, Shop
from .test_limits import ALICE, ITEMS, exactly
from .test_races import note, statuses
from .together import request

pytestmark = pytest.mark.sized


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


LIMITS = [
    ("campaign.redemptions.count", 8),
    ("campaign.redemptions.count.monthly", 8),
    ("campaign.redemptions.customers_count.weekly", 8),
    ("campaign.orders.amount", 80_000),
    ("campaign.orders.amount_discounted", 8_000),
    ("redemption.count.daily", 8),
    ("redemption.count.per_customer", 8),
    ("redemption.count.per_api_key", 8),
]


@pytest.mark.parametrize(("name", "most"), LIMITS)
async def test_a_limit_first_asked_for_by_the_race_knows_what_was_before(
    offers: Offers, few_rounds: int, table: dict[str, Any], name: str, most: int
) -> None:
    """Of three redemptions before it one came back, so six of eight are left."""
    total: Counter[int] = Counter()
    rule = offers.rule(name, most)
    for _ in range(few_rounds):
        campaign, [code] = offers.campaign()
        before = [offers.redeem(code, customer=ALICE) for _ in range(3)]
        offers.post(f"/v1/redemptions/{before[1]}/rollback", {})
        offers.assign(rule, "campaign", campaign)
        total += exactly(offers.race(code, customer=ALICE), 6)
    note(table, few_rounds, total)


async def test_as_many_locks_as_uses(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    """Who holds a use has it, whoever else asks meanwhile."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code, key = offers.shop.code(quantity=3), offers.shop.name("session")
        answers = offers.release([offers.lock(code, session=f"{key}.{n}") for n in range(CLIENTS)])
        held = [n for n, answer in enumerate(answers) if answer.json()["valid"]]
        assert len(held) == 3
        total += await _redeem_what_is_held(offers, [code] * CLIENTS, key, held, "quantity_exceeded")
        assert await offers.shop.used(code) == 3
    note(table, few_rounds, total)


async def test_locks_on_a_budget(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.orders.amount_discounted", 4_500)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2)
        offers.assign(rule, "campaign", campaign)
        key, mine = offers.shop.name("session"), [codes[n // 2 % 2] for n in range(CLIENTS)]
        answers = offers.release([offers.lock(code, session=f"{key}.{n}") for n, code in enumerate(mine)])
        held = [n for n, answer in enumerate(answers) if answer.json()["valid"]]
        assert len(held) == 4
        total += await _redeem_what_is_held(offers, mine, key, held, "redemption_rules_violated")
        assert await offers.used(campaign) == 4_000
    note(table, few_rounds, total)


async def _redeem_what_is_held(
    offers: Offers, codes: list[str], key: str, held: list[int], refusal: str
) -> Counter[int]:
    """Everybody redeems at once; those who hold something succeed, and nobody else."""
    sessions = [
        {"session": {"type": "LOCK", "key": f"{key}.{n}"}} if n in held else {} for n in range(CLIENTS)
    ]
    answers = offers.release([offers.ask(code, **more) for code, more in zip(codes, sessions, strict=True)])
    assert [n for n, answer in enumerate(answers) if answer.status == 200] == held
    return exactly(answers, len(held), refusal)


async def test_a_session_is_not_in_its_own_way(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code, key = offers.shop.code(quantity=1), offers.shop.name("session")
        answers = offers.release([offers.lock(code, session=key)] * CLIENTS)
        assert all(answer.json()["valid"] for answer in answers)
        total += exactly(offers.race(code, session={"type": "LOCK", "key": key}), 1, "quantity_exceeded")
    note(table, few_rounds, total)


async def test_what_comes_back_can_be_had_again(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.count", 4)
    for _ in range(few_rounds):
        campaign, [code] = offers.campaign()
        offers.assign(rule, "campaign", campaign)
        given = [offers.redeem(code) for _ in range(4)]
        answers = offers.release(
            [offers.shop.rollback(one) for one in given] + [offers.ask(code)] * (CLIENTS - 4)
        )
        assert statuses(answers[:4]) == {200: 4}
        again = len(won(answers[4:]))
        assert again == await offers.used(campaign) <= 4
        total += statuses(answers) + exactly(offers.race(code), 4 - again)
    note(table, few_rounds, total)


async def test_parts_that_come_back_are_in_the_budget(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """Eight quarters come back of a budget that is used up, which makes room for two more."""
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.orders.amount_discounted", 4_000)
    for _ in range(few_rounds):
        campaign, [code] = offers.campaign()
        offers.assign(rule, "campaign", campaign)
        given = [offers.redeem(code) for _ in range(4)]
        asked = [offers.shop.rollback(given[n % 4], {"amount": 250}) for n in range(8)]
        answers = offers.release(asked + [offers.ask(code)] * 8)
        assert statuses(answers[:8]) == {200: 8}
        again = len(won(answers[8:]))
        assert again <= 2
        total += statuses(answers) + exactly(offers.race(code), 2 - again)
        assert await offers.used(campaign) == 4_000
    note(table, few_rounds, total)


async def test_units_that_come_back(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    budget = {"object": "product", "source_id": "apple", "product_campaign_quantity_limit": 6}
    discount = {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}
    for _ in range(few_rounds):
        campaign, [code] = offers.campaign(1, discount)
        offers.assign(offers.rules({}, applicable_to={"included": [budget]}), "campaign", campaign)
        given = [offers.redeem(code, order=ITEMS) for _ in range(3)]
        asked = [offers.shop.rollback(one) for one in given] + [offers.ask(code, order=ITEMS)] * 13
        answers = offers.release(asked)
        again = len(won(answers[3:]))
        assert await offers.used(campaign) == 2 * again <= 6
        total += statuses(answers) + exactly(offers.race(code, order=ITEMS), 3 - again)
    note(table, few_rounds, total)


async def test_an_order_that_another_request_of_the_race_makes(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """Most only name the order; whoever comes after the one that makes it has its apples discounted, five in all."""
    total: Counter[int] = Counter()
    budget = {"object": "product", "source_id": "apple", "product_campaign_quantity_limit": 5}
    discount = {"type": "AMOUNT", "amount_off": 10, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2, discount)
        offers.assign(offers.rules({}, applicable_to={"included": [budget]}), "campaign", campaign)
        named = {"source_id": offers.shop.name("order")}
        asked = [offers.ask(codes[n // 2 % 2], order=named) for n in range(CLIENTS)]
        asked[0], asked[1] = (offers.ask(code, order=named | ITEMS) for code in codes)
        answers = offers.release(asked)
        assert await offers.used(campaign) <= 5
        total += statuses(answers)
    note(table, few_rounds, total)


async def test_a_limit_that_comes_while_they_redeem(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """Nobody is refused before it is reached; nobody gets anything beyond it once the assignment was answered."""
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.count", 5)
    for number in range(few_rounds):
        campaign, codes = offers.campaign(2)
        asked = [offers.ask(codes[n // 2 % 2]) for n in range(CLIENTS)]
        asked[number % CLIENTS] = offers.assignment(rule, "campaign", campaign)
        answers = offers.release(asked)
        assert answers.pop(number % CLIENTS).status == 200
        first = len(won(answers))
        assert first >= 5
        total += statuses(answers) + exactly(offers.race(codes[0]), 0)
        assert await offers.used(campaign) == first
    note(table, few_rounds, total)


async def test_a_limit_of_one_code_over_its_campaign_that_comes_while_others_redeem(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """The others are not under the rule, but from then on they count for it."""
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.count", 9)
    for number in range(few_rounds):
        _, [code, other] = offers.campaign(2)
        asked = [offers.ask(other)] * 7
        asked[number % 7] = offers.assignment(rule, "voucher", code)
        assert statuses(offers.release(asked)) == {200: 7}
        answers = offers.release([offers.ask((code, other)[n // 2 % 2]) for n in range(CLIENTS)])
        mine = [answer for n, answer in enumerate(answers) if n // 2 % 2 == 0]
        assert len(won(answers)) == len(won(mine)) + 8
        assert len(won(mine)) <= 3
        total += statuses(answers) + exactly(offers.race(code), 0)
    note(table, few_rounds, total)


@pytest.mark.parametrize(("before", "after"), [(3, 9), (9, 3)])
async def test_a_limit_that_is_changed_while_they_redeem(
    offers: Offers, few_rounds: int, table: dict[str, Any], before: int, after: int
) -> None:
    total: Counter[int] = Counter()
    for number in range(few_rounds):
        campaign, [code] = offers.campaign()
        rule = offers.rule("campaign.redemptions.count", before)
        offers.assign(rule, "campaign", campaign)
        asked = [offers.ask(code)] * CLIENTS
        asked[number % CLIENTS] = offers.change(rule, "campaign.redemptions.count", after)
        answers = offers.release(asked)
        assert answers.pop(number % CLIENTS).status == 200
        first = len(won(answers))
        assert min(before, after) <= first <= max(before, after)
        total += statuses(answers) + exactly(offers.race(code), max(0, after - first))
    note(table, few_rounds, total)


async def test_a_limit_that_goes_and_comes_back_while_they_redeem(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("redemption.count.per_customer", 6)
    for _ in range(few_rounds):
        code = offers.shop.code()
        body = {"related_object_type": "voucher", "related_object_id": code}
        path = f"/v1/validation-rules/{rule}/assignments"
        given = offers.post(path, body)["id"]
        asked = [offers.ask(code, customer=ALICE)] * (CLIENTS - 1)
        answers = offers.release([request("DELETE", f"{path}/{given}", offers.shop.headers), *asked])
        assert answers.pop(0).status == 204
        free = len(won(answers))
        assert free >= 6
        answers = offers.release([offers.assignment(rule, "voucher", code), *asked])
        assert answers.pop(0).status == 200
        free += len(won(answers))
        total += exactly(offers.race(code, customer=ALICE), 0)
        assert await offers.shop.used(code) == free
    note(table, few_rounds, total)


async def test_a_limited_code_that_is_deleted_while_it_is_redeemed(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """Its rule goes with it. Whoever was before it has the discount, and can give it back."""
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.count", 9)
    for _ in range(few_rounds):
        campaign, [code, other] = offers.campaign(2)
        offers.assign(rule, "voucher", code)
        offers.assign(rule, "campaign", campaign)
        own = await add_key(
            offers.shop.pool, offers.shop.project_id
        )  # asking for what is gone counts as guessing
        head = {"X-App-Id": own.app_id, "X-App-Token": own.app_token}
        asked = [offers.ask((code, other)[n // 2 % 2], headers=head) for n in range(CLIENTS)]
        asked[7] = request("DELETE", f"/v1/vouchers/{code}?force=true", offers.shop.headers)
        answers = offers.shop.clients.release(asked)
        assert answers.pop(7).status == 204
        assert set(statuses(answers)) <= {200, 400, 404}
        made = [answer.json()["redemptions"][0] for answer in won(answers)]
        assert len(made) == 9 or 400 not in statuses(answers)
        gone = [one["id"] for one in made if one["voucher"]["code"] == code]
        total += statuses(answers) + exactly(
            offers.release([offers.shop.rollback(one) for one in gone]), len(gone)
        )
        total += exactly(offers.race(other), 9 - len(made) + len(gone))
    note(table, few_rounds, total)


async def test_a_storm(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    """Codes, tiers, stacks, customers, locks, rollbacks and changes of rules, all at once; the books decide."""
    seed = int(os.environ.get("GUERDON_TEST_SEED", "0")) or random.randrange(1, 1_000_000)
    print(f"seed {seed}")  # shown with a failure
    storm, total = _Storm(offers, random.Random(seed)), Counter[int]()
    for _ in range(few_rounds):
        answers = storm.round()
        total += statuses(answers)
        assert await storm.standing() <= storm.most
    note(table, few_rounds, total)


class _Storm:
    """A campaign of codes and one of tiers, under limits that change; what was redeemed may come back."""

    def __init__(self, offers: Offers, chance: random.Random) -> None:
        self.offers, self.chance, self.most = offers, chance, 12
        self.campaign, self.codes = offers.campaign(4, options={"limit_policy": "PARTIAL"})
        self.promotions, self.tier = offers.tier()
        self.count = offers.rule("campaign.redemptions.count", self.most)
        self.budget = offers.rule("campaign.orders.amount_discounted", 9_500)
        for rule in (self.count, self.budget):
            offers.assign(rule, "campaign", self.campaign)
        for name in ("campaign.redemptions.customers_count.daily", "redemption.count.weekly"):
            offers.assign(offers.rule(name, 9), "campaign", self.promotions)
        offers.assign(offers.rule("redemption.count.per_customer.daily", 2), "voucher", self.codes[0])
        self.made: list[str] = []

    async def standing(self) -> int:
        """How many redemptions of the campaign of codes there are that did not come back."""
        sql = """
            select count(*) from redemptions where project_id = $1 and campaign_id = $2
              and object = 'redemption' and status = 'SUCCEEDED'
        """
        return await db.value(self.offers.shop.pool, sql, self.offers.shop.project_id, self.campaign)

    def round(self) -> list[Any]:
        kinds = self.chance.choices(
            ["one", "two", "tier", "lock", "back", "rule"], [6, 3, 4, 2, 4, 1], k=CLIENTS
        )
        answers = self.offers.release([self._asked(kind) for kind in kinds])
        for kind, answer in zip(kinds, answers, strict=True):
            if kind in ("one", "two", "tier") and answer.status == 200:
                self.made.append(answer.json()["redemptions"][0]["id"])
        return answers

    def _asked(self, kind: str) -> bytes:
        offers, chance = self.offers, self.chance
        customer = {"source_id": f"storm {chance.randrange(3)}"}
        if kind == "back" and self.made:
            body = {"amount": chance.randint(1, 900)} if chance.random() < 0.5 else {"amount": 1000}
            return offers.shop.rollback(chance.choice(self.made), body)
        if kind == "tier":
            return offers.ask(self.tier, customer=customer)
        if kind == "lock":
            more: dict[str, Any] = {
                "session": {"type": "LOCK", "ttl": chance.randint(1, 50), "ttl_unit": "MILLISECONDS"}
            }
            return offers.ask(chance.choice(self.codes), path="/v1/validations", customer=customer, **more)
        if kind == "rule":
            most = chance.randint(8_000, 20_000)
            return offers.change(self.budget, "campaign.orders.amount_discounted", most)
        count = 2 if kind == "two" else 1
        return offers.ask(*chance.sample(self.codes, count), customer=customer)
