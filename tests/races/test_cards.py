"""Gift cards under sixteen callers at one moment, two servers: never overdrawn, and nobody refused while credits last."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db

from .offers import Offers
from .shop import CLIENTS, Shop
from .test_limits import exactly
from .test_races import keys, note, statuses
from .together import request

pytestmark = pytest.mark.sized

LEFT = """
    select c.balance, c.redeemed, c.refunded, (select sum(l.remaining) from card_lots l where l.project_id = $1 and l.card_id = c.id) as lots
    from cards c join vouchers v on v.project_id = $1 and v.id = c.id where c.project_id = $1 and v.code = $2
"""


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


class Cards:
    """Gift cards of the shop."""

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.shop = offers.shop

    def new(self, amount: int, lots: int = 1) -> str:
        """A card with so much on it, in so many parts that lapse at different times."""
        code = self.shop.name("CARD")
        self.offers.post(f"/v1/vouchers/{code}", {"type": "GIFT_VOUCHER", "gift": {"amount": amount // lots}})
        for number in range(1, lots):
            body = {"amount": amount // lots, "expiration_date": f"{2090 + number}-01-01"}
            self.offers.post(f"/v1/vouchers/{code}/balance", body)
        return code

    def pay(self, *codes: str, credits: int | None = None, **more: Any) -> bytes:
        """The bytes of paying with cards."""
        gift = {} if credits is None else {"gift": {"credits": credits}}
        redeemables = [{"object": "voucher", "id": code, **gift} for code in codes]
        body = {"redeemables": redeemables, "order": {"amount": 10_000}, **more}
        return request("POST", "/v1/redemptions", self.shop.headers, body)

    def move(self, code: str, amount: int) -> bytes:
        """The bytes of adding to a card or taking from it."""
        return request("POST", f"/v1/vouchers/{code}/balance", self.shop.headers, {"amount": amount})

    async def left(self, code: str) -> int:
        """What is on the card, by its row and by its lots."""
        row = (await db.records(self.shop.pool, LEFT, self.shop.project_id, code))[0]
        assert row["balance"] == row["lots"]
        return row["balance"]


@pytest.fixture
def cards(offers: Offers) -> Cards:
    return Cards(offers)


@pytest.mark.parametrize("lots", [1, 4])
async def test_a_card_is_never_overdrawn(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any], lots: int
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code = cards.new(10_000, lots)
        answers = offers.release([cards.pay(code, credits=1_000)] * CLIENTS)
        total += exactly(answers, 10, "gift_amount_exceeded")
        assert await cards.left(code) == 0
    note(table, few_rounds, total)


async def test_the_last_one_gets_what_is_left(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code = cards.new(25_000)
        answers = offers.release([cards.pay(code)] * CLIENTS)
        total += exactly(answers, 3, "gift_amount_exceeded")
        paid = [answer.json()["redemptions"][0]["amount"] for answer in answers if answer.status == 200]
        assert sorted(paid) == [5_000, 10_000, 10_000]
        assert await cards.left(code) == 0
    note(table, few_rounds, total)


async def test_two_cards_on_one_order(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any]
) -> None:
    """Half name the cards the other way round."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        one, other = cards.new(8_000), cards.new(4_000)
        asked = [
            cards.pay(*((one, other) if number % 2 else (other, one)), credits=1_000)
            for number in range(CLIENTS)
        ]
        total += exactly(offers.release(asked), 4, "gift_amount_exceeded")
        assert (await cards.left(one), await cards.left(other)) == (4_000, 0)
    note(table, few_rounds, total)


async def test_adding_taking_and_paying_at_once(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any]
) -> None:
    """Two desks move the same card: whatever the order, what was answered is what happened."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code = cards.new(3_000)
        asked = [
            (
                cards.pay(code, credits=1_000),
                cards.move(code, 500),
                cards.move(code, -700),
                cards.pay(code, credits=300),
            )[number % 4]
            for number in range(CLIENTS)
        ]
        answers = offers.release(asked)
        total += statuses(answers)
        assert keys(answers) <= {"gift_amount_exceeded", "invalid_amount"}
        moved = sum(
            (-1_000, 500, -700, -300)[number % 4]
            for number, answer in enumerate(answers)
            if answer.status == 200
        )
        assert await cards.left(code) == 3_000 + moved >= 0
        assert all(answers[number].status == 200 for number in range(1, CLIENTS, 4))
    note(table, few_rounds, total)


async def test_rollbacks_of_one_redemption(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any]
) -> None:
    """Sixteen ask for 1,500 of 10,000 back: six get it."""
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code = cards.new(10_000, 4)
        [paid] = offers.release([cards.pay(code)])
        redemption = paid.json()["redemptions"][0]["id"]
        answers = offers.release([cards.shop.rollback(redemption, {"amount": 1_500})] * CLIENTS)
        total += exactly(answers, 6, "invalid_rollback_params")
        assert await cards.left(code) == 9_000
    note(table, few_rounds, total)


async def test_sessions_hold_no_more_than_there_is(
    offers: Offers, cards: Cards, few_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        code = cards.new(10_000)
        body = {
            "redeemables": [{"object": "voucher", "id": code, "gift": {"credits": 3_000}}],
            "order": {"amount": 10_000},
        }
        asked = [
            request(
                "POST", "/v1/validations", cards.shop.headers,
                body | {"session": {"type": "LOCK", "key": cards.shop.name("session")}},
            )
            for _ in range(CLIENTS)
        ]  # fmt: skip
        answers = offers.release(asked)
        total += statuses(answers)
        assert [answer.json()["valid"] for answer in answers].count(True) == 3
        strangers = offers.release([cards.pay(code, credits=500)] * CLIENTS)
        total += exactly(strangers, 2, "gift_amount_exceeded")
    note(table, few_rounds, total)
