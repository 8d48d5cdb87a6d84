"""The rows of `orders` one by one; `locked.py` has them by the batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.paging import Field, Listing
from guerdon.orders.locked import freeze


class OrderRow(msgspec.Struct):
    """A row of `orders`: amounts in minor units, the lines as their JSON text."""

    id: str
    source_id: str | None
    status: str
    customer_id: str | None
    referrer_id: str | None
    amount: int | None
    initial_amount: int | None
    discount_amount: int | None
    items_discount_amount: int | None
    total_discount_amount: int | None
    total_amount: int | None
    items: str
    metadata: dict[str, Any]
    redemptions: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


LISTING = Listing(
    name="orders",
    columns="""o.id, o.source_id, o.status, o.customer_id, o.referrer_id, o.amount, o.initial_amount,
        o.discount_amount, o.items_discount_amount, o.total_discount_amount, o.total_amount, o.items, o.metadata,
        o.redemptions, o.created_at, o.updated_at""",
    source="orders o",
    where="o.project_id = $1",
    id="o.id",
    fields={
        "id": Field("o.id"),
        "source_id": Field("o.source_id"),
        "status": Field("o.status"),
        "customer_id": Field("o.customer_id"),
        "referrer_id": Field("o.referrer_id"),
        "amount": Field("o.amount", "number"),
        "discount_amount": Field("o.discount_amount", "number"),
        "items_discount_amount": Field("o.items_discount_amount", "number"),
        "total_discount_amount": Field("o.total_discount_amount", "number"),
        "total_amount": Field("o.total_amount", "number"),
        "created_at": Field("o.created_at", "date"),
        "updated_at": Field("o.updated_at", "date"),
    },
    metadata="o.metadata",
    sorts={
        "created_at": "o.created_at",
        "updated_at": "o.updated_at",
        "status": 'o.status collate "C"',
        "amount": "o.amount",
        "total_amount": "o.total_amount",
        "source_id": "o.source_id",
        "id": "o.id",
    },
)

FIND = """
    select id, source_id, status, customer_id, referrer_id, amount, initial_amount, discount_amount,
           items_discount_amount, total_discount_amount, total_amount, items, metadata, redemptions, created_at,
           updated_at
    from orders where project_id = $1 and (id = $2 or source_id = $2)
    order by id = $2 desc limit 1
"""

FIND_MANY = """
    select id, source_id, status, customer_id, referrer_id, amount, initial_amount, discount_amount,
           items_discount_amount, total_discount_amount, total_amount, items, metadata, redemptions, created_at,
           updated_at
    from orders where project_id = $1 and (id = any($2) or source_id = any($3))
    order by id
"""

LOCK_MANY = FIND_MANY + " for update"

INSERT = """
    insert into orders (project_id, id, source_id, status, customer_id, referrer_id, amount, initial_amount,
        discount_amount, items_discount_amount, total_discount_amount, total_amount, items, metadata, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, coalesce($15, now()))
    on conflict (project_id, source_id) do nothing
    returning id, source_id, status, customer_id, referrer_id, amount, initial_amount, discount_amount,
              items_discount_amount, total_discount_amount, total_amount, items, metadata, redemptions, created_at,
              updated_at
"""

UPDATE = """
    update orders
    set status = $3, customer_id = $4, referrer_id = $5, amount = $6, initial_amount = $7, discount_amount = $8,
        items_discount_amount = $9, total_discount_amount = $10, total_amount = $11, items = $12, metadata = $13,
        created_at = $14, updated_at = now()
    where project_id = $1 and id = $2
    returning id, source_id, status, customer_id, referrer_id, amount, initial_amount, discount_amount,
              items_discount_amount, total_discount_amount, total_amount, items, metadata, redemptions, created_at,
              updated_at
"""


SOLD_CARDS = """
    select exists (select 1 from card_sales where project_id = $1 and order_id = $2 and voided_at is null)
"""

SOLD_LINES = """
    select line, count(*) as cards from card_sales
    where project_id = $1 and order_id = $2 and voided_at is null group by line order by line
"""

# With what the order is worth, if it is paid, for those that do not know it yet.
REFERRALS = """
    with worth as (
        update referrals set worth = $3 where project_id = $1 and order_id = $2 and status in ('REFERRED', 'HELD')
          and worth is null and $3::bigint is not null
    )
    select id from referrals
    where project_id = $1 and order_id = $2 and status in ('REFERRED', 'HELD', 'EARNED')
"""


async def find(conn: db.Db, project_id: str, key: str) -> OrderRow | None:
    """An order by id, else by source id."""
    return await db.row(conn, OrderRow, FIND, project_id, key)


async def load_many(
    conn: db.Db, project_id: str, ids: Sequence[str], source_ids: Sequence[str], *, for_update: bool = False
) -> list[OrderRow]:
    """The orders with any of these ids or source ids, in the order of their ids, locked if asked."""
    return await db.rows(conn, OrderRow, LOCK_MANY if for_update else FIND_MANY, project_id, ids, source_ids)


async def insert(conn: db.Db, project_id: str, row: OrderRow, created_at: datetime | None) -> OrderRow | None:
    """The order as stored, made now unless `created_at` says otherwise; None when the source id was taken."""
    return await db.row(
        conn, OrderRow, INSERT, project_id, row.id, row.source_id, row.status, row.customer_id, row.referrer_id,
        row.amount, row.initial_amount, row.discount_amount, row.items_discount_amount, row.total_discount_amount,
        row.total_amount, row.items, row.metadata, created_at,
    )  # fmt: skip


async def sold_cards(conn: db.Db, project_id: str, order_id: str) -> bool:
    """Whether the order sold gift cards that nobody took back."""
    return await db.value(conn, SOLD_CARDS, project_id, order_id)


async def sold_lines(conn: db.Db, project_id: str, order_id: str) -> dict[int | None, int]:
    """How many gift cards that nobody took back each line of a locked order sold; None for those of no line."""
    return {r["line"]: r["cards"] for r in await db.records(conn, SOLD_LINES, project_id, order_id)}


async def referrals(conn: db.Db, project_id: str, order_id: str, worth: int | None) -> list[str]:
    """The referrals whose rewards depend on what becomes of the order.

    `worth` is the amount of an order that is paid: what comes back later is a share of it, even if it comes back
    before anybody has looked at the referral.
    """
    return [row["id"] for row in await db.records(conn, REFERRALS, project_id, order_id, worth)]


async def update(conn: db.Db, project_id: str, row: OrderRow) -> OrderRow:
    """Write a locked order; redemptions that showed its items keep those they saw."""
    await freeze(conn, project_id, [row.id])
    written = await db.row(
        conn, OrderRow, UPDATE, project_id, row.id, row.status, row.customer_id, row.referrer_id, row.amount,
        row.initial_amount, row.discount_amount, row.items_discount_amount, row.total_discount_amount,
        row.total_amount, row.items, row.metadata, row.created_at,
    )  # fmt: skip
    assert written is not None, "a locked row is there"
    return written
