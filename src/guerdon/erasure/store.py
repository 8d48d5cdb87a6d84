"""Where a person stands: all SQL of an erasure. New tables with texts of callers' own are named here.

Rows of the books (`card_entries`, `card_lots`, `cards`) hold opaque ids and amounts only and are left as they are.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec

from guerdon.erasure.scrub import scrubbed, scrubbed_lines, scrubbed_reward
from guerdon.kit import db

# Somebody who was deleted before has left events.
KNOWN = "select exists (select from events where project_id = $1 and customer_id = $2)"

ORDERS = """
    select id, items::text as items from orders where project_id = $1 and customer_id = $2
    order by id for update
"""
FORGET_ORDERS = """
    update orders o set metadata = '{}', source_id = null, items = t.items::json
    from unnest($2::text[], $3::text[]) as t (id, items) where o.project_id = $1 and o.id = t.id
"""
FORGET_RETURNS = """
    update order_returns set reason = null, metadata = '{}' where project_id = $1 and order_id = any($2)
"""

REDEMPTIONS = """
    with theirs as (
        select id from redemptions where project_id = $1 and customer_id = $2
        union select id from redemptions where project_id = $1 and order_id = any($3)
    ), whole as (
        select id from theirs
        union select r.id from redemptions r where r.project_id = $1 and r.redemption_id in (select id from theirs)
        union select r.id from redemptions r where r.project_id = $1 and r.parent_id in (select id from theirs)
    )
    select r.id, r."order"::text as "order", r.items::text as items, r.reward
    from redemptions r where r.project_id = $1 and r.id in (select id from whole)
    order by r.id for update
"""
FORGET_REDEMPTIONS = """
    update redemptions r
    set metadata = null, tracking_id = null, session_key = null, reason = null, failure_message = null, explain = null,
        "order" = t.shown::json, items = t.items::json, reward = t.reward
    from unnest($2::text[], $3::text[], $4::text[], $5::jsonb[]) as t (id, shown, items, reward)
    where r.project_id = $1 and r.id = t.id
"""

CODES = "select id, code from vouchers where project_id = $1 and holder_id = $2 order by id for update"
FORGET_CODES = """
    update vouchers set metadata = '{}', additional_info = null where project_id = $1 and id = any($2)
      and (metadata <> '{}' or additional_info is not null)
"""
FORGET_NOTES = """
    delete from card_notes n using card_entries e
    where n.project_id = $1 and e.project_id = $1 and e.id = n.entry_id
      and (e.card_id = any($2) or e.redemption_id = any($3))
"""
# What was said of a transfer is said on both sides.
FORGET_GIFTS = """
    with other as (
        select o.related_id as id from card_entries o
        where o.project_id = $1 and o.card_id = any($2) and o.type = 'POINTS_TRANSFER_IN'
        union
        select e.id from card_entries o
        join card_entries e on e.project_id = $1 and e.type = 'POINTS_TRANSFER_IN' and e.related_id = o.id
        where o.project_id = $1 and o.card_id = any($2) and o.type = 'POINTS_TRANSFER_OUT'
    )
    delete from card_notes n using other where n.project_id = $1 and n.entry_id = other.id
"""

FORGET_MEMBERS = """
    update loyalty_members set metadata = '{}' where project_id = $1 and customer_id = $2
    returning id
"""
FORGET_HOLDERS = """
    update referral_holders set metadata = '{}', consent = false where project_id = $1 and customer_id = $2
"""
FORGET_PUBLICATIONS = """
    update publications set metadata = '{}', source_id = null, tracking_id = null, failure_message = null
    where project_id = $1 and customer_id = $2
"""
FORGET_CUSTOM_EVENTS = "delete from custom_events where project_id = $1 and customer_id = $2"
FORGET_SEGMENTS = "delete from segment_members where project_id = $1 and customer_id = $2"

DELETE_EVENTS = """
    delete from events where project_id = $1 and customer_id = $2
      and (type in ('customer.created', 'customer.updated', 'customer.deleted') or type like 'customer.custom\\_event%')
"""
EVENTS = """
    select id, data from events where project_id = $1 and customer_id = $2 and id > $3 order by id limit $4
"""
FORGET_EVENTS = """
    update events e set data = t.data, request_id = null
    from unnest($2::text[], $3::jsonb[]) as t (id, data) where e.project_id = $1 and e.id = t.id
"""
PURCHASES = """
    select id, details from loyalty_purchases where project_id = $1 and member_id = any($2) and details <> '{}'
"""
FORGET_PURCHASES = """
    update loyalty_purchases p set details = t.details
    from unnest($2::text[], $3::jsonb[]) as t (id, details) where p.project_id = $1 and p.id = t.id
"""
PAYMENTS = """
    select id, details from loyalty_payments where project_id = $1 and member_id = any($2) and details <> '{}'
"""
FORGET_PAYMENTS = """
    update loyalty_payments p set details = t.details
    from unnest($2::text[], $3::jsonb[]) as t (id, details) where p.project_id = $1 and p.id = t.id
"""
BENEFITS = """
    select id, details from loyalty_benefits where project_id = $1 and member_id = any($2) and details <> '{}'
"""
FORGET_BENEFITS = """
    update loyalty_benefits b set details = t.details
    from unnest($2::text[], $3::jsonb[]) as t (id, details) where b.project_id = $1 and b.id = t.id
"""

BATCH = 1_000

_encode = msgspec.json.encode
_decode = msgspec.json.decode


async def is_known(conn: db.Db, project_id: str, customer_id: str) -> bool:
    """Whether anything tells of such a customer, who may be deleted already."""
    return bool(await db.value(conn, KNOWN, project_id, customer_id))


async def forget_orders(conn: db.Conn, project_id: str, customer_id: str) -> list[str]:
    """The ids of a customer's orders, from which all that was told of a person is gone."""
    found = await db.records(conn, ORDERS, project_id, customer_id)
    ids = [row["id"] for row in found]
    items = [_lines(row["items"]) for row in found]
    await db.execute(conn, FORGET_ORDERS, project_id, ids, items)
    await db.execute(conn, FORGET_RETURNS, project_id, ids)
    return ids


async def forget_redemptions(
    conn: db.Conn, project_id: str, customer_id: str, order_ids: Sequence[str]
) -> list[str]:
    """The same of redemptions and their rollbacks, those of the customer and those on the orders."""
    found = await db.records(conn, REDEMPTIONS, project_id, customer_id, list(order_ids))
    ids = [row["id"] for row in found]
    orders = [None if row["order"] is None else _text(scrubbed(_decode(row["order"]))) for row in found]
    items = [None if row["items"] is None else _lines(row["items"]) for row in found]
    rewards = [None if row["reward"] is None else scrubbed_reward(row["reward"]) for row in found]
    await db.execute(conn, FORGET_REDEMPTIONS, project_id, ids, orders, items, rewards)
    return ids


async def forget_codes(
    conn: db.Conn, project_id: str, customer_id: str, redemption_ids: Sequence[str]
) -> list[str]:
    """The same of the codes that the customer holds, and of what was noted about what moved on cards."""
    ids = [row["id"] for row in await db.records(conn, CODES, project_id, customer_id)]
    await db.execute(conn, FORGET_CODES, project_id, ids)
    await db.execute(conn, FORGET_NOTES, project_id, ids, list(redemption_ids))
    await db.execute(conn, FORGET_GIFTS, project_id, ids)
    return ids


async def forget_given(conn: db.Conn, project_id: str, customer_id: str) -> None:
    """The same of publications and referral codes."""
    for sql in (FORGET_HOLDERS, FORGET_PUBLICATIONS):
        await db.execute(conn, sql, project_id, customer_id)


async def forget_members(conn: db.Conn, project_id: str, customer_id: str) -> None:
    """The same of memberships, and of what points bought."""
    members = [row["id"] for row in await db.records(conn, FORGET_MEMBERS, project_id, customer_id)]
    kinds: tuple[tuple[LiteralString, LiteralString], ...] = (
        (PURCHASES, FORGET_PURCHASES), (PAYMENTS, FORGET_PAYMENTS), (BENEFITS, FORGET_BENEFITS),
    )  # fmt: skip
    for read, write in kinds:
        found = await db.records(conn, read, project_id, members)
        ids = [row["id"] for row in found]
        await db.execute(conn, write, project_id, ids, [scrubbed(row["details"]) for row in found])


async def forget_events(conn: db.Conn, project_id: str, customer_id: str) -> tuple[int, int]:
    """How many events about the customer and about other things are gone or tell nothing of a person any more."""
    deleted = await db.execute(conn, DELETE_EVENTS, project_id, customer_id)
    deleted += await db.execute(conn, FORGET_CUSTOM_EVENTS, project_id, customer_id)
    scrubbed_ones, last = 0, ""
    while found := await db.records(conn, EVENTS, project_id, customer_id, last, BATCH):
        last = found[-1]["id"]
        data = [scrubbed(row["data"]) for row in found]
        await db.execute(conn, FORGET_EVENTS, project_id, [row["id"] for row in found], data)
        scrubbed_ones += len(found)
    return deleted, scrubbed_ones


async def leave_segments(conn: db.Conn, project_id: str, customer_id: str) -> int:
    """How many segments the customer was in by name."""
    return await db.execute(conn, FORGET_SEGMENTS, project_id, customer_id)


def _lines(text: str) -> str:
    return _text(scrubbed_lines(_decode(text)))


def _text(document: Any) -> str:
    return _encode(document).decode()
