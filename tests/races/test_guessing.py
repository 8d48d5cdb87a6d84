"""G-15: guesses through two server processes at once are counted together."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.projects.bootstrap import create_project

from .conftest import PROVE
from .shop import CLIENTS, Shop
from .together import Clients, request

pytestmark = pytest.mark.sized

LIMIT = 60
ROUNDS = 100_000 // CLIENTS if PROVE else 60
NOW = "select clock_timestamp()"


async def test_guesses_through_two_servers_are_counted_together(shop: Shop, table: dict[str, Any]) -> None:
    made = await create_project(shop.pool, "guessed at")
    headers = {"X-App-Id": made.app_id, "X-App-Token": made.app_token}
    paths = ("/v1/validations", "/v1/redemptions")
    begun: datetime = await db.value(shop.pool, NOW)
    statuses: Counter[int] = Counter()
    with Clients(shop.host, shop.ports, CLIENTS) as clients:
        for number in range(ROUNDS):
            asks = [
                request("POST", paths[place % 2], headers, {"redeemables": [{"object": "voucher", "id": f"G{number}-{place}"}]})
                for place in range(CLIENTS)
            ]  # fmt: skip
            statuses.update(answer.status for answer in clients.release(asks))
    ended: datetime = await db.value(shop.pool, NOW)
    minutes = int(ended.timestamp() // 60) - int(begun.timestamp() // 60) + 1
    looked_at = ROUNDS * CLIENTS - statuses[429]
    table |= {"guesses": ROUNDS * CLIENTS, "minutes": minutes, "looked at": looked_at}
    assert set(statuses) <= {200, 404, 429}
    assert LIMIT <= looked_at <= LIMIT * minutes
