"""Telling loyalty programs what happened: a job, written in the transaction that made it happen.

Slices below loyalty know nothing of it but this: that there may be programs to tell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from guerdon.kit import db
from guerdon.kit.ids import new_id, new_ids

EARN, EARN_AGAIN, LEAVE = "loyalty.earn", "loyalty.earn_again", "loyalty.leave"
UNPAY, UNGIVE, FOLLOW = "loyalty.unpay", "loyalty.ungive", "loyalty.follow"

AT_ONCE = 20
"""So many customers a job, since jobs are done many together."""

TELL = """
    insert into jobs (project_id, id, kind, payload)
    select $1, t.id, $2, t.payload from unnest($3::text[], $4::jsonb[]) as t (id, payload)
    where exists (
        select from loyalty_programs p
        join loyalty_assignments a on a.project_id = p.project_id and a.program_id = p.id and a.kind = 'earning_rule'
        where p.project_id = $1 and p.status = 'ACTIVE'
    )
"""

TELL_AGAIN = """
    insert into jobs (project_id, id, kind, payload)
    select $1, t.id, $2, jsonb_build_object('order_id', t.order_id)
    from unnest($3::text[], $4::text[]) as t (id, order_id)
    where exists (select from loyalty_earnings e where e.project_id = $1 and e.order_id = t.order_id)
"""

TELL_PAID = """
    insert into jobs (project_id, id, kind, payload)
    select $1, t.id, $2, jsonb_build_object('order_id', t.order_id)
    from unnest($3::text[], $4::text[]) as t (id, order_id)
    where exists (select from loyalty_payments p where p.project_id = $1 and p.order_id = t.order_id)
"""

TELL_GIVEN = """
    insert into jobs (project_id, id, kind, payload)
    select $1, t.id, $2, jsonb_build_object('order_id', t.order_id)
    from unnest($3::text[], $4::text[]) as t (id, order_id)
    where exists (select from loyalty_benefits b where b.project_id = $1 and b.order_id = t.order_id)
"""

TELL_LEFT = """
    insert into jobs (project_id, id, kind, payload)
    select $1, $2, $3, jsonb_build_object('customer_id', $4::text)
    where exists (
        select from loyalty_members m where m.project_id = $1 and m.customer_id = $4 and m.status <> 'DELETED'
    )
"""

# The member whose card it is.
TELL_CARD_GONE = """
    insert into jobs (project_id, id, kind, payload)
    select $1, $2, $3, jsonb_build_object('member_id', c.member_id) from loyalty_cards c
    where c.project_id = $1 and c.id = $4
      and exists (select from loyalty_members m where m.project_id = $1 and m.id = c.member_id and m.status <> 'DELETED')
"""


# Members of programs with tiers for that segment.
TELL_STANDING = """
    insert into jobs (project_id, id, kind, payload)
    select $1, $2, $3, jsonb_build_object('cards', jsonb_agg(c.id order by c.id), 'spent', '[]'::jsonb)
    from loyalty_members m join loyalty_cards c on c.project_id = $1 and c.member_id = m.id
    where m.project_id = $1 and m.customer_id = any($4) and m.status <> 'DELETED' and exists (
        select from loyalty_assignments a
        join loyalty_tiers t on t.project_id = $1 and t.structure_id = a.part_id
        where a.project_id = $1 and a.program_id = m.program_id and a.kind = 'tier_structure'
          and t.body #>> '{qualification_rules,segment,id}' = $5
    )
    having count(*) > 0
"""


async def tell(conn: db.Db, project_id: str, happened: Sequence[Mapping[str, Any]]) -> None:
    """Have rules look at what happened, if there is a program that has any.

    Each is ``{order_id}`` of an order that became PAID, ``{customer_id, segment_id}`` of somebody who entered, or
    ``{customer_id, event_id, schema_id, name, metadata}`` of a custom event, with `member_id` if it is for the card of
    that member alone.
    """
    if happened:
        ids = new_ids("job", len(happened))
        await db.execute(conn, TELL, project_id, EARN, ids, [dict(one) for one in happened])


async def tell_again(conn: db.Db, project_id: str, order_ids: Sequence[str]) -> None:
    """Have what was earned for orders, and what points paid of them, decided again: less of them stands than before.

    The caller holds the orders' locks, as those who earn do: what has not been earned yet will see them as they stand.
    """
    if order_ids:
        ids = new_ids("job", len(order_ids))
        await db.execute(conn, TELL_AGAIN, project_id, EARN_AGAIN, ids, list(order_ids))
        ids = new_ids("job", len(order_ids))
        await db.execute(conn, TELL_PAID, project_id, UNPAY, ids, list(order_ids))
        ids = new_ids("job", len(order_ids))
        await db.execute(conn, TELL_GIVEN, project_id, UNGIVE, ids, list(order_ids))


async def tell_left(conn: db.Db, project_id: str, customer_id: str) -> None:
    """Have a customer who is deleted leave all programs."""
    await db.execute(conn, TELL_LEFT, project_id, new_id("job"), LEAVE, customer_id)


async def tell_card_gone(conn: db.Db, project_id: str, card_id: str) -> None:
    """Have the member whose card is deleted leave the program."""
    await db.execute(conn, TELL_CARD_GONE, project_id, new_id("job"), LEAVE, card_id)


async def tell_standing(conn: db.Db, project_id: str, customer_ids: Sequence[str], segment_id: str) -> None:
    """Have tiers decided anew that are for the customers of a segment, which these entered or left."""
    for start in range(0, len(customer_ids), AT_ONCE):
        some = list(customer_ids[start : start + AT_ONCE])
        await db.execute(conn, TELL_STANDING, project_id, new_id("job"), FOLLOW, some, segment_id)
