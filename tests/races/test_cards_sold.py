"""Cards that are sold and come back while others pay with them: sold once, and what is removed was not spent."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db

from .offers import Offers
from .shop import CLIENTS, Shop
from .test_cards import Cards
from .test_races import note
from .together import request

pytestmark = pytest.mark.sized

WORTH = 6_000
BOOKS = """
    select c.issued, c.removed, c.redeemed, c.balance from cards c join vouchers v on v.project_id = $1 and v.id = c.id
    where c.project_id = $1 and v.code = $2
"""


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


def for_sale(offers: Offers) -> tuple[str, str]:
    """A card that nobody bought yet, and an order that has it as its line."""
    shop = offers.shop
    campaign, code, order = shop.name("sale"), shop.name("SOLD"), shop.name("order")
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": WORTH}}
    offers.post(
        "/v1/campaigns",
        {"name": campaign, "type": "STATIC", "voucher": voucher, "options": {"cards": "ON_SALE"}},
    )
    offers.post(f"/v1/campaigns/{campaign}/vouchers/{code}", {})
    line = {"source_id": "card", "price": WORTH, "quantity": 1}
    offers.post("/v1/orders", {"source_id": order, "status": "PAID", "items": [line]})
    return code, order


def activation(shop: Shop, code: str, order: str) -> bytes:
    """The bytes of selling a card."""
    body = {"order": {"source_id": order, "item": {"index": 0}}}
    return request("POST", f"/v1/vouchers/{code}/activation", shop.headers, body)


async def test_a_card_is_sold_once(offers: Offers, few_rounds: int, table: dict[str, Any]) -> None:
    shop, total = offers.shop, Counter[int]()
    for _ in range(few_rounds):
        code, order = for_sale(offers)
        answers = shop.clients.release([activation(shop, code, order)] * CLIENTS)
        assert Counter(one.status for one in answers) == {200: 1, 409: CLIENTS - 1}
        assert {one.json().get("key") for one in answers} == {None, "already_activated"}
        row = (await db.records(shop.pool, BOOKS, shop.project_id, code))[0]
        assert tuple(row) == (WORTH, 0, 0, WORTH)
        total.update(one.status for one in answers)
    note(table, few_rounds, total)


async def test_a_card_comes_back_while_it_pays(
    offers: Offers, few_rounds: int, table: dict[str, Any]
) -> None:
    shop, cards, total = offers.shop, Cards(offers), Counter[int]()
    for _ in range(few_rounds):
        code, order = for_sale(offers)
        [sold] = shop.clients.release([activation(shop, code, order)])
        assert sold.status == 200, sold.body
        back = {"items": [{"index": 0, "quantity": 1}]}
        returned = request("POST", f"/v1/orders/{order}/returns", shop.headers, back)
        asked = [cards.pay(code, credits=1_000) for _ in range(CLIENTS)]
        asked[CLIENTS // 2] = returned
        answers = shop.clients.release(asked)
        answer = answers.pop(CLIENTS // 2)
        assert answer.status == 200, answer.body
        [taken] = answer.json()["cards"]
        paid = [one for one in answers if one.status == 200]
        assert {one.json()["key"] for one in answers if one.status != 200} <= {
            "gift_amount_exceeded",
            "voucher_disabled",
        }
        assert taken["spent"] == 1_000 * len(paid) and taken["removed"] == WORTH - taken["spent"]
        row = (await db.records(shop.pool, BOOKS, shop.project_id, code))[0]
        assert tuple(row) == (WORTH, taken["removed"], taken["spent"], 0)
        total.update(one.status for one in answers)
    note(table, few_rounds, total)
