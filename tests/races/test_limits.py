"""Limits under sixteen callers at one moment, two servers: never passed, and nobody refused while there is any left."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.projects.bootstrap import add_key

from .offers import Offers, off, won
from .shop import CLIENTS, Shop
from .test_races import keys, note, statuses

pytestmark = pytest.mark.sized

ITEMS = {
    "items": [
        {"product_id": "apple", "quantity": 2, "price": 500},
        {"product_id": "pear", "quantity": 1, "price": 900},
    ]
}
SPANS = ("daily", "weekly", "monthly")
ALICE, BOB = {"source_id": "alice"}, {"source_id": "bob"}


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


def exactly(answers: list[Any], count: int, key: str = "redemption_rules_violated") -> Counter[int]:
    """So many of the callers had what they asked for, and the others were told the limit."""
    total = statuses(answers)
    expected = {200: count, 400: len(answers) - count}
    assert total == {status: number for status, number in expected.items() if number}
    assert keys(answers) == ({key} if count < len(answers) else set())
    return total


@pytest.mark.parametrize("span", SPANS)
async def test_a_code_in_a_day_a_week_or_a_month(
    offers: Offers, few_rounds: int, table: dict[str, Any], span: str
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule(f"redemption.count.{span}", 5)
    for _ in range(few_rounds):
        code = offers.shop.code()
        offers.assign(rule, "voucher", code)
        total += exactly(offers.race(code), 5)
        assert await offers.shop.used(code) == 5
    note(table, few_rounds, total)


@pytest.mark.parametrize("span", ["", ".daily"])
async def test_a_customer_with_a_code(
    offers: Offers, few_rounds: int, table: dict[str, Any], span: str
) -> None:
    """Half ask for one customer, half for another; both are made by the racing requests themselves."""
    total: Counter[int] = Counter()
    rule = offers.rule(f"redemption.count.per_customer{span}", 3)
    for _ in range(few_rounds):
        code, both = offers.shop.code(), [offers.shop.name("somebody") for _ in range(2)]
        offers.assign(rule, "voucher", code)
        asked = [offers.ask(code, customer={"source_id": both[number // 2 % 2]}) for number in range(CLIENTS)]
        answers = offers.release(asked)
        total += exactly(answers, 6)
        served = Counter(answer.json()["redemptions"][0]["customer_id"] for answer in won(answers))
        assert sorted(served.values()) == [3, 3]
    note(table, few_rounds, total)


@pytest.mark.parametrize("span", ["", ".daily"])
async def test_all_codes_of_a_campaign(
    offers: Offers, few_rounds: int, table: dict[str, Any], span: str
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule(f"campaign.redemptions.count{span}", 7)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(4)
        offers.assign(rule, "campaign", campaign)
        total += exactly(offers.release([offers.ask(codes[number // 2 % 4]) for number in range(CLIENTS)]), 7)
        assert await offers.used(campaign) == 7
    note(table, few_rounds, total)


async def test_a_customer_in_a_campaign(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.customers_count", 2)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2)
        offers.assign(rule, "campaign", campaign)
        asked = [
            offers.ask(codes[number % 2], customer=(ALICE, BOB)[number // 2 % 2]) for number in range(CLIENTS)
        ]
        total += exactly(offers.release(asked), 4)
    note(table, few_rounds, total)


async def test_the_value_of_orders_in_a_campaign(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.orders.amount", 45_000)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2)
        offers.assign(rule, "campaign", campaign)
        total += exactly(offers.release([offers.ask(codes[number // 2 % 2]) for number in range(CLIENTS)]), 4)
        assert await offers.used(campaign) == 40_000
    note(table, few_rounds, total)


@pytest.mark.parametrize(
    ("policy", "given"),
    [("STRICT", [1000] * 4), ("LAST_IN_FULL", [1000] * 5), ("PARTIAL", [1000] * 4 + [500])],
)
async def test_the_discount_of_a_campaign(
    offers: Offers, few_rounds: int, table: dict[str, Any], policy: str, given: list[int]
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.orders.amount_discounted", 4_500)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2, options={"limit_policy": policy})
        offers.assign(rule, "campaign", campaign)
        answers = offers.release([offers.ask(codes[number // 2 % 2]) for number in range(CLIENTS)])
        total += exactly(answers, len(given))
        assert off(answers) == given
        assert await offers.used(campaign) == sum(given)
    note(table, few_rounds, total)


async def test_each_key_has_a_count_of_its_own(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    second = await add_key(offers.shop.pool, offers.shop.project_id, "second")
    both = [offers.shop.headers, {"X-App-Id": second.app_id, "X-App-Token": second.app_token}]
    rule = offers.rule("redemption.count.per_api_key", 3)
    for _ in range(few_rounds):
        code = offers.shop.code()
        offers.assign(rule, "voucher", code)
        asked = [offers.ask(code, headers=both[number // 2 % 2]) for number in range(CLIENTS)]
        total += exactly(offers.release(asked), 6)
    note(table, few_rounds, total)


async def test_units_of_a_product(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    """Everybody wants a discount on two apples; there are five to be had, and whoever is late has a pear at most."""
    total: Counter[int] = Counter()
    budget = {"object": "product", "source_id": "apple", "product_campaign_quantity_limit": 5}
    discount = {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2, discount)
        rule = offers.rules({}, applicable_to={"included": [budget]})
        offers.assign(rule, "campaign", campaign)
        answers = offers.release(
            [offers.ask(codes[number // 2 % 2], order=ITEMS) for number in range(CLIENTS)]
        )
        assert off(answers) == [200, 200, 100]
        total += exactly(answers, 3)
        assert await offers.used(campaign) == 5
    note(table, few_rounds, total)


async def test_a_promotion_tier(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    """Its own limit is 6 a day, its campaign's 4 in all for a customer."""
    total: Counter[int] = Counter()
    daily = offers.rule("redemption.count.daily", 6)
    each = offers.rule("campaign.redemptions.customers_count", 4)
    for _ in range(few_rounds):
        campaign, tier = offers.tier()
        offers.assign(daily, "promotion_tier", tier)
        offers.assign(each, "campaign", campaign)
        people = [ALICE] * 8 + [{"source_id": f"c{number}"} for number in range(8)]
        answers = offers.release([offers.ask(tier, customer=person) for person in people])
        assert statuses(answers) == {200: 6, 400: 10}
        assert len(won(answers[:8])) <= 4
        total += statuses(answers)
    note(table, few_rounds, total)


async def test_two_codes_of_one_campaign_in_one_request(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """They use the campaign's limit up together; half name them in the other order."""
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.redemptions.count", 7)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2)
        offers.assign(rule, "campaign", campaign)
        stacks = [codes, codes[::-1]]
        answers = offers.release([offers.ask(*stacks[number // 2 % 2]) for number in range(CLIENTS)])
        total += exactly(answers, 3)
        assert await offers.used(campaign) == 6
    note(table, few_rounds, total)


async def test_an_order_counts_once_with_two_codes(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    rule = offers.rule("campaign.orders.amount", 35_000)
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(2)
        offers.assign(rule, "campaign", campaign)
        total += exactly(offers.race(*codes), 3)
        assert await offers.used(campaign) == 30_000
    note(table, few_rounds, total)
