"""Rewards that members are given by themselves: after points came, and at night.

At most 25 of a reward at a time and ten times a day for each customer; what is left over then is for the next night.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString

from msgspec import Struct

from guerdon.kit import db
from guerdon.loyalty.earn import Told
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.purchases import Bought, Wanted, buy
from guerdon.loyalty.quote import began

CHANNEL = "AUTO_REDEEM"
MOST_A_DAY, MOST_AT_ONCE = 10, 25

# Where tiers change the price, whoever has anything is looked at.
DUE: LiteralString = """
    select $2::timestamptz as at, m.id from loyalty_assignments a
    join loyalty_members m on m.project_id = $1 and m.program_id = a.program_id and m.status = 'ACTIVE' and m.id > $4
    where a.project_id = $1 and a.kind = 'reward' and a.body ->> 'auto_redeem' = 'true' and $3::timestamptz is not null
      and exists (
        select from loyalty_cards c join cards k on k.project_id = $1 and k.id = c.id
        where c.project_id = $1 and c.member_id = m.id and k.balance >= case when exists (
            select from loyalty_assignments t
            where t.project_id = $1 and t.program_id = a.program_id and t.kind = 'tier_structure'
        ) then 1 else greatest((a.body ->> 'points')::bigint, 1) end
      )
    order by m.id limit $5
"""
# Before anything else is locked, so that the count of the day is right.
CUSTOMERS = """
    select c.id from customers c where c.project_id = $1 and c.id = any(
        select m.customer_id from loyalty_members m where m.project_id = $1 and m.id = any($2)
    ) order by c.id for no key update
"""
SEEN = """
    select m.id, m.program_id, m.customer_id, m.tier_id, c.definition_id, k.balance from loyalty_members m
    join loyalty_cards c on c.project_id = $1 and c.member_id = m.id
    join cards k on k.project_id = $1 and k.id = c.id
    where m.project_id = $1 and m.id = any($2) and m.status = 'ACTIVE' order by m.id
"""
TODAY = """
    select m.customer_id, count(distinct (m.id, p.created_at)) as times from loyalty_members m
    join loyalty_purchases p on p.project_id = $1 and p.member_id = m.id and p.created_at >= $3 and p.channel = $4
    where m.project_id = $1 and m.customer_id = any($2) group by m.customer_id
"""


class Seen(Struct):
    """A member's card as it was a moment ago."""

    id: str
    program_id: str
    customer_id: str
    tier_id: str | None
    definition_id: str
    balance: int


async def auto_redeem_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Redeem for members who have the points, in the transaction that is open."""
    place = await held_place(conn, project_id)
    await redeem_for(conn, place, {name for _, payload, _ in told for name in payload["members"]})


async def redeem_for(conn: db.Conn, place: Place, members: Collection[str]) -> int:
    """Redeem for these members; how many rewards that came to."""
    wanted = await _wanted(conn, place, sorted(set(members)))
    if not wanted:
        return 0
    return sum(isinstance(one, Bought) for one in await buy(conn, place, wanted))


async def _wanted(conn: db.Conn, place: Place, members: Sequence[str]) -> list[Wanted]:
    customers = [r["id"] for r in await db.records(conn, CUSTOMERS, place.project_id, list(members))]
    times = await _today(conn, place, customers)
    wanted: list[Wanted] = []
    for one in await db.rows(conn, Seen, SEEN, place.project_id, list(members)):
        program = place.program(one.program_id)
        reward = None if program is None else program.auto
        if program is None or reward is None or reward.costs[0].card != one.definition_id:
            continue
        price = max(1, program.price(reward, reward.costs[0], one.tier_id))
        count = min(MOST_AT_ONCE, one.balance // price)
        if count > 0 and times[one.customer_id] < MOST_A_DAY:
            times[one.customer_id] += 1
            what = Wanted(program_id=one.program_id, member_id=one.id, reward_id=reward.id, channel=CHANNEL)
            wanted += [what] * count
    return wanted


async def _today(conn: db.Conn, place: Place, customers: Sequence[str]) -> Counter[str]:
    """How often something was redeemed by itself today, by customer."""
    since: datetime = began(place, "DAY")
    records = await db.records(conn, TODAY, place.project_id, list(customers), since, CHANNEL)
    return Counter({record["customer_id"]: record["times"] for record in records})
