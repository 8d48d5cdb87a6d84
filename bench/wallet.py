"""Balances and wallets looked up among many loyalty cards, over HTTP (figure 4 of stored value).

python bench/wallet.py [cards]
"""

import asyncio
import random
import sys
import time

from ground import database, open_shop, table, verdict
from http_load import PORT, serve
from lists import Till
from loyalty_data import PROGRAM, furnish

CARDS = 1_000_000
ASKS = 400
BOUND = 20.0


def main() -> None:
    """Furnish, serve, ask."""
    cards = int(sys.argv[1]) if len(sys.argv) > 1 else CARDS
    rows: list[tuple[str, ...]] = []
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        asyncio.run(furnish(dsn, shop.credentials.project_id, cards))
        server = serve(dsn)
        try:
            till = Till(PORT, shop.credentials)
            draw = random.Random(4)
            for name, path in PATHS.items():
                till.ask(path.format(n=1, p=f"{1:09d}"))
                taken = []
                for _ in range(ASKS):
                    number = draw.randint(1, cards)
                    taken.append(till.ask(path.format(n=number, p=f"{number:09d}"))[0])
                taken.sort()
                p95 = taken[int(ASKS * 0.95)]
                rows.append(
                    (name, f"{taken[ASKS // 2]:.1f}", f"{p95:.1f}", verdict(p95, BOUND, at_least=False))
                )
        finally:
            server.terminate()
            server.wait()
    table(f"Look-ups among {cards:,} cards, one at a time", rows, ("what", "p50 ms", "p95 ms", "bound"))


PATHS = {
    "a card by its code (v1)": "/v1/vouchers/CARD{n}",
    "its transactions (v1)": "/v1/vouchers/CARD{n}/transactions",
    "a member with cards (v2)": f"/v2/loyalties/programs/{PROGRAM}/members/lmbr_b{{p}}",
    "a customer's memberships (v2)": "/v2/loyalties/memberships/cust_b{p}",
    "a membership with tier progress (v2)": f"/v2/loyalties/programs/{PROGRAM}/memberships/cust_b{{p}}",
    "members, newest first (v2)": f"/v2/loyalties/programs/{PROGRAM}/members?limit=100",
}


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"in {time.monotonic() - began:.0f} s")
