"""PINs under sixteen callers at one moment, two servers: five guesses in all, whoever asks and however."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from .offers import Offers
from .shop import CLIENTS, Shop
from .test_races import note
from .together import request

pytestmark = pytest.mark.sized


@pytest_asyncio.fixture
async def offers(shop: Shop, durable_database_url: str) -> AsyncIterator[Offers]:
    """Offers of the shop; after each race its books are looked through."""
    made = Offers(shop)
    yield made
    await made.audit(durable_database_url)


def guess(shop: Shop, code: str, pin: str, number: int) -> bytes:
    """The bytes of a guess: by redeeming, by validating, by looking, by cashing out."""
    asked = {
        "redeemables": [{"object": "voucher", "id": code, "gift": {"pin": pin}}],
        "order": {"amount": 100},
    }
    ways: list[tuple[str, Any]] = [
        ("/v1/redemptions", asked),
        ("/v1/validations", asked),
        (f"/v1/vouchers/{code}/balance/look-up", {"gift": {"pin": pin}}),
        (f"/v1/vouchers/{code}/cash-out", {"amount": 5, "gift": {"pin": pin}}),
    ]
    path, body = ways[number % len(ways)]
    return request("POST", path, shop.headers, body)


@pytest.mark.parametrize("there", [True, False])
async def test_sixteen_guess_and_five_are_heard(
    offers: Offers, few_rounds: int, table: dict[str, Any], there: bool
) -> None:
    shop, total = offers.shop, Counter[int]()
    # A key may ask for so many unknown codes a minute only.
    for _ in range(few_rounds if there else 1):
        code = shop.name("PIN")
        if there:
            body = {"type": "GIFT_VOUCHER", "gift": {"amount": 1_000, "pin": "2468"}}
            offers.post(f"/v1/vouchers/{code}", body)
        answers = shop.clients.release([guess(shop, code, f"{n:04}", n) for n in range(CLIENTS)])
        assert Counter(one.status for one in answers) == {400: 5, 429: CLIENTS - 5}
        assert {one.json()["key"] for one in answers} == {"invalid_pin", "too_many_wrong_pins"}
        total.update(one.status for one in answers)
        after = shop.clients.release([guess(shop, code, "2468", n) for n in range(4)])
        assert {one.status for one in after} == {429}
    note(table, few_rounds, total)
