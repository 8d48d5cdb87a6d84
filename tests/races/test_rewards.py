"""Rewards under sixteen buyers at one moment, two servers: no stock oversold, no points spent twice, none refunded twice."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db

from .offers import Offers
from .shop import CLIENTS, Shop
from .test_races import note, statuses
from .together import Response, request

pytestmark = pytest.mark.sized

V2 = "/v2/loyalties"
PRICE = 100
REFUNDABLE = {"type": "REFUNDABLE"}

GONE = "select redeemed from loyalty_assignments where project_id = $1 and part_id = $2"
LEFT = """
    select c.balance, c.debt, coalesce((
        select sum(l.remaining) from card_lots l where l.project_id = $1 and l.card_id = c.id), 0)::bigint as lots
    from cards c join vouchers v on v.project_id = $1 and v.id = c.id where c.project_id = $1 and v.code = $2
"""
BOUGHT = """
    select status, count(*) as count from loyalty_purchases
    where project_id = $1 and reward_id = $2 and type = 'PURCHASE' group by status
"""


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


class Club:
    """A program of the shop, its members and its rewards."""

    def __init__(self, offers: Offers, *, older: bool = False) -> None:
        self.offers, self.shop = offers, offers.shop
        self.product = self.offers.post("/v1/products", {"name": self.shop.name("mug")})["id"]
        self.campaign = ""
        if older:  # a program that the older API has too, with its transfers
            body = {
                "name": self.shop.name("club"),
                "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 0}},
            }
            self.campaign = self.offers.post("/v1/loyalties", body)["id"]
            suffix = self.campaign.partition("_")[2]
            self.card_id, self.path = f"lcdef_{suffix}", f"{V2}/programs/lprg_{suffix}"
            return
        card = {
            "name": "Points", "type": "INDIVIDUAL", "status": "ACTIVE",
            "pay_with_points": {"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": 1}},
        }  # fmt: skip
        self.card_id = self.offers.post(f"{V2}/card-definitions", card)["id"]
        rule = {
            "name": "One", "status": "ACTIVE", "trigger": {"event": "customer.order.paid"},
            "earnings": [{"effects": [{"type": "POINTS", "points": {"value": 1, "card_definition_id": self.card_id}}]}],
        }  # fmt: skip
        rule_id = self.offers.post(f"{V2}/earning-rules", rule)["id"]
        body = {
            "name": self.shop.name("club"), "status": "ACTIVE", "card_definitions": [{"id": self.card_id}],
            "earning_rules": [{"id": rule_id}],
        }  # fmt: skip
        self.path = f"{V2}/programs/{self.offers.post(f'{V2}/programs', body)['id']}"

    def member(self, points: int) -> tuple[str, str, str]:
        """A new member with points: ids of the member and of the card, and the card's code."""
        customer = self.offers.post("/v1/customers", {"source_id": self.shop.name("buyer")})["id"]
        named = {"customer_identification": {"type": "customer_id", "customer_id": customer}}
        made = self.offers.post(f"{self.path}/members", named)
        card = made["cards"][0]["card"]
        if points:
            self.offers.post(f"/v1/loyalties/members/{card['code']}/balance", {"points": points})
        return made["id"], card["id"], card["code"]

    def reward(self, stock: int | None = None, coupons: str | None = None) -> str:
        """A reward for 100 points: goods, or codes of a campaign."""
        body: dict[str, Any] = {
            "name": self.shop.name("reward"), "status": "ACTIVE", "refunds": REFUNDABLE, "type": "MATERIAL",
            "material": {"type": "PRODUCT", "product": {"id": self.product}},
            "costs": [{"spending": [{"points": PRICE, "card_definition_id": self.card_id}]}],
        }  # fmt: skip
        if coupons is not None:
            del body["material"]
            named = {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": coupons}}
            body |= {"type": "DIGITAL", "digital": named}
        made = self.offers.post(f"{V2}/rewards", body)["id"]
        kept = {"type": "UNLIMITED"} if stock is None else {"type": "LIMITED", "limited": {"quantity": stock}}
        self.offers.post(f"{self.path}/rewards/batch", {"assign": [{"id": made, "stock": kept}]})
        return made

    def buy(self, member: str, reward: str) -> bytes:
        """The bytes of a purchase."""
        path = f"{self.path}/members/{member}/rewards/purchases"
        return request("POST", path, self.shop.headers, {"reward_id": reward})

    def refund(self, purchase: str) -> bytes:
        """The bytes of a refund."""
        return request("POST", f"{self.path}/rewards/purchases/{purchase}/refund", self.shop.headers, {})

    def release(self, asked: list[bytes]) -> list[Response]:
        """All at once. Whatever comes, it is an answer and not a failure of the servers."""
        answers = self.shop.clients.release(asked)
        assert {one.status for one in answers} <= {200, 202, 400, 409, 423}, [one.body for one in answers]
        return answers

    async def left(self, code: str) -> int:
        """What is on a card, by its row and by its lots."""
        row = (await db.records(self.shop.pool, LEFT, self.shop.project_id, code))[0]
        assert row["balance"] == row["lots"] - row["debt"] and row["debt"] == 0
        return row["balance"]

    async def gone(self, reward: str) -> int:
        """How many of a reward are gone, by the stock's row."""
        return await db.value(self.shop.pool, GONE, self.shop.project_id, reward)

    async def bought(self, reward: str) -> dict[str, int]:
        """How many purchases there are of a reward, by their status."""
        records = await db.records(self.shop.pool, BOUGHT, self.shop.project_id, reward)
        return {record["status"]: record["count"] for record in records}


@pytest.fixture
def club(offers: Offers) -> Club:
    return Club(offers)


def said(answers: list[Response]) -> Counter[str]:
    """The keys of those that were refused."""
    return Counter(answer.json()["key"] for answer in answers if answer.status >= 400)


async def test_a_stock_of_five_is_sold_five_times(club: Club, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    members = [club.member(few_rounds * PRICE) for _ in range(CLIENTS)]
    for _ in range(few_rounds):
        reward = club.reward(stock=5)
        answers = club.release([club.buy(member, reward) for member, _, _ in members])
        total += statuses(answers)
        assert statuses(answers) == {202: 5, 423: CLIENTS - 5}
        assert said(answers) == {"reward_out_of_stock": CLIENTS - 5}
        assert await club.gone(reward) == 5 and await club.bought(reward) == {"APPROVED": 5}
    note(table, few_rounds, total)


async def test_codes_of_a_campaign_are_sold_once_each(
    offers: Offers, club: Club, few_rounds: int, table: dict[str, Any]
) -> None:
    """Five codes are left in the campaign, and sixteen want one: nobody is refused while there is one."""
    total: Counter[int] = Counter()
    members = [club.member(few_rounds * PRICE) for _ in range(CLIENTS)]
    for _ in range(few_rounds):
        campaign, codes = offers.campaign(codes=5)
        reward = club.reward(coupons=campaign)
        answers = club.release([club.buy(member, reward) for member, _, _ in members])
        total += statuses(answers)
        assert statuses(answers) == {202: 5, 423: CLIENTS - 5}
        holders = (
            "select code from vouchers where project_id = $1 and campaign_id = $2 and holder_id is not null"
        )
        given = await db.records(club.shop.pool, holders, club.shop.project_id, campaign)
        assert sorted(record["code"] for record in given) == sorted(codes)
    note(table, few_rounds, total)


async def test_points_are_never_overdrawn(club: Club, few_rounds: int, table: dict[str, Any]) -> None:
    """One member has points for five, and sixteen of their clients buy."""
    total: Counter[int] = Counter()
    reward = club.reward()
    for _ in range(few_rounds):
        member, _, code = club.member(5 * PRICE + 99)
        answers = club.release([club.buy(member, reward)] * CLIENTS)
        total += statuses(answers)
        assert statuses(answers) == {202: 5, 423: CLIENTS - 5}
        assert said(answers) == {"insufficient_card_balance": CLIENTS - 5}
        assert await club.left(code) == 99
    note(table, few_rounds, total)


async def test_a_refund_comes_once(club: Club, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    reward = club.reward(stock=1_000)
    for _ in range(few_rounds):
        member, _, code = club.member(PRICE)
        (bought,) = club.release([club.buy(member, reward)])
        answers = club.release([club.refund(bought.json()["transaction"]["id"])] * CLIENTS)
        total += statuses(answers)
        assert statuses(answers) == {202: 1, 409: CLIENTS - 1}
        assert await club.left(code) == PRICE and await club.gone(reward) == 0
    note(table, few_rounds, total)


async def test_what_is_transferred_is_not_spent(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    """Half of them buy, half move the same points to another card: what is there goes one way each."""
    total: Counter[int] = Counter()
    club = Club(offers, older=True)
    reward = club.reward()
    _, _, other = club.member(0)
    there = 0
    for _ in range(few_rounds):
        member, _, code = club.member(5 * PRICE)
        moved = [{"code": code, "points": PRICE, "source_id": "race"}]
        path = f"/v1/loyalties/{club.campaign}/members/{other}/transfers"
        move = request("POST", path, club.shop.headers, moved)
        answers = club.release([club.buy(member, reward), move] * (CLIENTS // 2))
        total += statuses(answers)
        assert sum(answer.status < 300 for answer in answers) == 5
        assert await club.left(code) == 0
        there += PRICE * sum(answer.status == 200 for answer in answers)
        assert await club.left(other) == there
    note(table, few_rounds, total)


async def test_an_order_is_paid_once(
    offers: Offers, club: Club, few_rounds: int, table: dict[str, Any]
) -> None:
    """Sixteen members pay a fifth of an order each: five of them may."""
    total: Counter[int] = Counter()
    members = [club.member(few_rounds * PRICE) for _ in range(CLIENTS)]
    for _ in range(few_rounds):
        order = offers.post("/v1/orders", {"source_id": club.shop.name("order"), "amount": 5 * PRICE})["id"]
        limit = {"type": "POINTS_LIMIT", "points_limit": {"max": PRICE}}
        asked = [
            request(
                "POST", f"{club.path}/members/{member}/orders/payments", club.shop.headers,
                {"card_id": card, "order": {"id": order}, "payment_limit": limit},
            )
            for member, card, _ in members
        ]  # fmt: skip
        answers = club.release(asked)
        total += statuses(answers)
        sql = "select status, count(*) as count from loyalty_payments where project_id = $1 and order_id = $2 group by status"
        found = await db.records(club.shop.pool, sql, club.shop.project_id, order)
        assert {row["status"]: row["count"] for row in found} == {"APPROVED": 5, "REJECTED": CLIENTS - 5}
    note(table, few_rounds, total)
