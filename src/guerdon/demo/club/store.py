"""The SQL of the club's days: what was paid, and who is in."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from guerdon.kit import db

ORDERS = """
    select o.id, o.source_id, o.customer_id, o.created_at as at from orders o
    where o.project_id = $1 and o.created_at >= $2 and o.created_at < $3 and o.status = 'PAID'
      and o.source_id like 'basket-%' and o.customer_id is not null
    order by o.created_at, o.source_id
"""
MEMBERS = """
    select m.customer_id, m.id from loyalty_members m
    where m.project_id = $1 and m.program_id = $2 and m.status <> 'DELETED'
"""
BALANCES = """
    select c.member_id, k.balance from loyalty_cards c join cards k on k.project_id = $1 and k.id = c.id
    where c.project_id = $1 and c.program_id = $2 and c.member_id = any($3)
"""
BEGIN = "update loyalty_assignments set created_at = $3 where project_id = $1 and program_id = $2"
LATER = "select exists (select from nights where project_id = $1 and night > $2)"
ORDER_COLUMNS = (
    "project_id", "id", "source_id", "status", "customer_id", "amount", "discount_amount", "items_discount_amount",
    "total_discount_amount", "total_amount", "items", "metadata", "created_at",
)  # fmt: skip


class Paid(Struct):
    """An order that earns. `source_id` is the basket's number in the data set, behind a prefix."""

    id: str
    source_id: str
    customer_id: str
    at: datetime


async def orders(conn: db.Db, project_id: str, start: datetime, end: datetime) -> list[Paid]:
    """The baskets that were paid from an instant up to another, in the order of time."""
    return await db.rows(conn, Paid, ORDERS, project_id, start, end)


async def members(conn: db.Db, project_id: str, program_id: str) -> dict[str, str]:
    """Who is in the club: members by customer."""
    return {r["customer_id"]: r["id"] for r in await db.records(conn, MEMBERS, project_id, program_id)}


async def begin(conn: db.Db, project_id: str, program_id: str, at: datetime) -> None:
    """Have the program's parts be in it since its first day: what was bought before counts for none of them."""
    await db.execute(conn, BEGIN, project_id, program_id, at)


async def run_later(conn: db.Db, project_id: str, day: date) -> bool:
    """Whether a night after this one was run already, as a worker beside us would."""
    return await db.value(conn, LATER, project_id, day)


async def add_orders(conn: db.Conn, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write paid orders (see `ORDER_COLUMNS`)."""
    await db.insert(conn, "orders", ORDER_COLUMNS, rows)


async def balances(
    conn: db.Db, project_id: str, program_id: str, member_ids: Sequence[str]
) -> dict[str, int]:
    """What is on members' cards."""
    found = await db.records(conn, BALANCES, project_id, program_id, list(member_ids))
    return {record["member_id"]: record["balance"] for record in found}
