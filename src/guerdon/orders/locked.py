"""Orders as the writer's batches see them: read under lock in the order of their ids, written as sets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from guerdon.engine.order import Order, OrderItem, copy_order
from guerdon.kit import db
from guerdon.kit.clock import iso

LOOK = """
    select o.id, o.source_id, o.status, o.customer_id, o.referrer_id, o.amount, o.initial_amount, o.discount_amount,
           o.items_discount_amount, o.total_discount_amount, o.total_amount, o.items, o.metadata, o.redemptions,
           o.created_at, o.updated_at
    from (
        select id from unnest($2::text[]) as w (id)
        union
        select s.id from unnest($3::text[]) as w (name) join orders s on s.project_id = $1 and s.source_id = w.name
    ) as n join orders o on o.project_id = $1 and o.id = n.id
    order by o.id
"""
LOCK = LOOK + " for update of o"

COLUMNS = (
    "project_id", "id", "source_id", "status", "customer_id", "referrer_id", "amount", "initial_amount",
    "discount_amount", "items_discount_amount", "total_discount_amount", "total_amount", "items", "metadata",
    "redemptions", "created_at",
)  # fmt: skip

UPDATE = """
    update orders o
    set status = t.status, customer_id = coalesce(t.customer_id, o.customer_id), amount = t.amount,
        initial_amount = t.initial_amount, discount_amount = t.discount_amount,
        items_discount_amount = t.items_discount_amount, total_discount_amount = t.total_discount_amount,
        total_amount = t.total_amount, items = t.items, metadata = t.metadata, redemptions = t.redemptions,
        updated_at = $14
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::json[], $12::jsonb[], $13::jsonb[])
        as t (id, status, customer_id, amount, initial_amount, discount_amount, items_discount_amount,
              total_discount_amount, total_amount, items, metadata, redemptions)
    where o.project_id = $1 and o.id = t.id
"""

FREEZE = """
    update redemptions r set items = o.items
    from orders o
    where r.project_id = $1 and o.project_id = $1 and o.id = any($2) and r.order_id = o.id
      and r.items is null and r."order" is not null
"""

NO_ITEMS = b"null"
"""How the items of an order are stored that has none: an order of an amount alone is not an order of nothing."""

_decode_items = msgspec.json.Decoder(list[OrderItem] | None).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Held(msgspec.Struct):
    """An order in a batch. `new` and `changed` say how it is to be written when the batch is recorded."""

    order: Order
    new: bool = False
    changed: bool = False
    items_json: bytes | None = None
    head_json: bytes | None = None


def from_record(record: Any) -> Order:
    """A row of the table as the engine's order."""
    columns = dict(record)
    columns["items"] = _decode_items(columns["items"])
    for name in ("discount_amount", "items_discount_amount", "total_discount_amount"):
        columns[name] = columns[name] or 0
    columns["metadata"] = columns["metadata"] or None
    columns["redemptions"] = columns["redemptions"] or None
    columns["created_at"] = iso(columns["created_at"])
    columns["updated_at"] = iso(columns["updated_at"]) if columns["updated_at"] else None
    return Order(**columns)


async def look(
    conn: db.Db, project_id: str, ids: Sequence[str], source_ids: Sequence[str], *, lock: bool
) -> list[Order]:
    """The stored orders among those named by id or source id."""
    records = await db.records(conn, LOCK if lock else LOOK, project_id, ids, source_ids)
    return [from_record(record) for record in records]


async def write(conn: db.Conn, project_id: str, held: Sequence[Held], now: datetime) -> None:
    """Insert the new orders and update the changed ones. Items are written as they were encoded for the answer."""
    # In one order, as everything that two processes may both insert: else they could wait for each other.
    new = sorted((h for h in held if h.new), key=lambda h: h.order.source_id or "")
    changed = [h for h in held if h.changed and not h.new]
    if new:
        await db.insert(conn, "orders", COLUMNS, [_row(project_id, h, now) for h in new])
    if changed:
        o = [h.order for h in changed]
        await freeze(conn, project_id, [x.id or "" for x in o])
        await db.execute(
            conn, UPDATE, project_id,
            [x.id for x in o], [x.status for x in o], [x.customer_id for x in o], [x.amount for x in o],
            [x.initial_amount for x in o], [x.discount_amount for x in o], [x.items_discount_amount for x in o],
            [x.total_discount_amount for x in o], [x.total_amount for x in o], [items_text(h) for h in changed],
            [x.metadata or "{}" for x in o], [x.redemptions or "{}" for x in o], now,
        )  # fmt: skip


def _row(project_id: str, held: Held, now: datetime) -> tuple[Any, ...]:
    o = held.order
    return (
        project_id, o.id, o.source_id, o.status, o.customer_id, o.referrer_id, o.amount, o.initial_amount,
        o.discount_amount, o.items_discount_amount, o.total_discount_amount, o.total_amount, items_text(held),
        o.metadata or "{}", o.redemptions or "{}", now,
    )  # fmt: skip


async def freeze(conn: db.Db, project_id: str, order_ids: Sequence[str]) -> None:
    """Give the redemptions of these orders a copy of the items, which are about to change; see migration 0001."""
    await db.execute(conn, FREEZE, project_id, order_ids)


def whole_json(head: bytes, items: bytes | None) -> bytes:
    """An order's JSON from its two parts. The same parts always give the same bytes."""
    return head if items is None or items == NO_ITEMS else head[:-1] + b',"items":' + items + b"}"


def head_json(order: Order) -> bytes:
    """The order's JSON without its items."""
    head = copy_order(order)
    head.items = None
    return _encode(head)


def items_text(held: Held) -> str:
    """The items' JSON."""
    if held.items_json is None:
        return _encode(held.order.items).decode()
    return held.items_json.decode()
