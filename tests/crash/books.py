"""The books after a crash test, held against what the tills were told."""

import json
from collections import Counter
from typing import Any

import asyncpg

from . import club_books, limits
from .club import Club
from .till import HOT, Ask, Log

ROWS = """
    with told as (select entity_id, count(*) as events from events where project_id = $1 group by 1)
    select r.id, r.object, r.result, r.status, r.parent_id, r.metadata ->> 'ask' as ask, coalesce(t.events, 0) as events
    from redemptions r left join told t on t.entity_id = r.id where r.project_id = $1
"""

VOUCHERS = """
    select v.code, v.quantity, v.redeemed_quantity,
           count(*) filter (where r.result = 'SUCCESS' and r.object = 'redemption') as successes,
           count(*) filter (where r.status = 'ROLLED_BACK' and r.object = 'redemption') as whole_rollbacks
    from vouchers v left join redemptions r on r.project_id = v.project_id and r.voucher_id = v.id
    where v.project_id = $1 group by v.id, v.code, v.quantity, v.redeemed_quantity
"""

ORDERS = """
    select count(*) from redemptions r left join orders o on o.project_id = r.project_id and o.id = r.order_id
    where r.project_id = $1 and r.result = 'SUCCESS' and r.object = 'redemption'
      and (o.id is null or not o.redemptions ? coalesce(r.parent_id, r.id))
"""


MOVED = "select source_id as ask from card_notes where project_id = $1 and source_id is not null"
UNDONE = "select count(*) from jobs where project_id = $1 and status in ('READY', 'RUNNING', 'DEAD') and run_at <= now()"
RETURNED = "select metadata ->> 'ask' as ask from order_returns where project_id = $1"


async def compare(dsn: str, project_id: str, log: Log, most: int, club: Club) -> dict[str, int]:
    """What is wrong, counted by name; all zeros when all is well. `most` is how often what is limited can be had."""
    conn = await asyncpg.connect(dsn)
    try:
        rows = await conn.fetch(ROWS, project_id)
        vouchers = await conn.fetch(VOUCHERS, project_id)
        orderless = await conn.fetchval(ORDERS, project_id)
        limited = await limits.compare(conn, project_id, most)
        loyal = await club_books.compare(conn, project_id, log, club)
        moved = [row["ask"] for row in await conn.fetch(MOVED, project_id)]
        undone = await conn.fetchval(UNDONE, project_id)
        returned = [row["ask"] for row in await conn.fetch(RETURNED, project_id)]
    finally:
        await conn.close()
    asks = [ask for ask in log.asks if ask.kind in ("redemption", "rollback")]
    codes = {row["code"]: row for row in vouchers}
    return (
        _against_rows(asks, rows, {ask.id for ask in log.asks})
        | limited
        | loyal
        | _once(log, "balance", moved)
        | _once(log, "return", returned)
        | {
            "codes lost": sum(
                ask.won and ask.path.rsplit("/", 1)[1] not in codes for ask in log.asks if ask.kind == "code"
            ),
            "used > limit": sum(
                v["quantity"] is not None and v["redeemed_quantity"] > v["quantity"] for v in vouchers
            ),
            "counter ≠ successes - rollbacks": sum(
                v["redeemed_quantity"] != v["successes"] - v["whole_rollbacks"] for v in vouchers
            ),
            "capacity lost": sum(codes[code]["redeemed_quantity"] < codes[code]["quantity"] for code in HOT),
            "without its order": orderless,
            "jobs given up": undone,
            "answers that differ": sum(len(set(ask.answers)) > 1 for ask in log.asks),
            "5xx": sum(status >= 500 for ask in log.asks for status, _ in ask.answers),
        }
    )


def _once(log: Log, kind: str, done: list[str]) -> dict[str, int]:
    """What was acknowledged of a kind is there, once; and nothing is there that was refused or never asked for."""
    times, asks = Counter(done), [ask for ask in log.asks if ask.kind == kind]
    return {
        f"{kind} lost": sum(ask.won and not times[ask.id] for ask in asks),
        f"{kind} twice": sum(times[ask.id] > 1 for ask in asks),
        f"{kind} done though refused": sum(times[ask.id] > 0 for ask in asks if ask.answers and not ask.won),
        f"{kind} unasked": len(times.keys() - {ask.id for ask in asks}),
    }


def _against_rows(asks: list[Ask], rows: list[Any], known: set[str]) -> dict[str, int]:
    ids = {row["id"] for row in rows if row["result"] == "SUCCESS"}
    heads = [row for row in rows if row["parent_id"] is None]
    effects = Counter(row["ask"] for row in heads if row["result"] == "SUCCESS")
    refusals = Counter(row["ask"] for row in heads if row["result"] == "FAILURE")
    recorded = effects + refusals
    return {
        "acknowledged but lost": sum(ask.won and not (ask.made and ids.issuperset(ask.made)) for ask in asks),
        "refusals lost": sum(_refused(ask) and not refusals[ask.id] for ask in asks),
        "double": sum(effects[ask.id] > 1 for ask in asks),
        "both done and refused": sum(
            effects[ask.id] > 0 and refusals[ask.id] > 0 for ask in asks if ask.keyed
        ),
        "done though refused": sum(effects[ask.id] > 0 for ask in asks if ask.answers and not ask.won),
        "keyed, recorded twice": sum(recorded[ask.id] > 1 for ask in asks if ask.keyed),
        "unasked": len(recorded.keys() - known),  # a return makes rollbacks too
        "missing events": sum(
            row["events"] == 0 for row in rows if row["parent_id"] is None or row["result"] == "SUCCESS"
        ),
        "events twice": sum(row["events"] > 1 for row in rows),
    }


def _refused(ask: Ask) -> bool:
    """Whether it was refused by the business, which is recorded; a mistake (a part too large) is not."""
    if not ask.answers or ask.answers[0][0] != 400:
        return False
    return json.loads(ask.answers[0][1])["key"] in {
        "quantity_exceeded",
        "already_rolled_back",
        "redemption_rules_violated",
        "gift_amount_exceeded",
    }
