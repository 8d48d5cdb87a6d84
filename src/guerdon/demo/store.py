"""The import's SQL. It writes tables of other slices in bulk, as their imports by API would, but a year at once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.ids import new_ids

KEY_WORKS = "select exists (select 1 from api_keys where app_id = $1 and project_id = $2 and active)"

READ_MARK = "select settings -> 'demo_import' from projects where id = $1"

WRITE_MARK = """
    update projects set settings = settings || jsonb_build_object('demo_import', $2::jsonb) where id = $1
"""

INSERT_CUSTOMERS = """
    insert into customers (project_id, id, source_id, name, metadata, created_at)
    select $1, t.id, t.source_id, t.name, t.metadata, $6
    from unnest($2::text[], $3::text[], $4::text[], $5::jsonb[]) as t (id, source_id, name, metadata)
    on conflict do nothing
"""

INSERT_PRODUCTS = """
    insert into products (project_id, id, source_id, name, price, metadata, created_at)
    select $1, t.id, t.source_id, t.name, t.price, t.metadata, $7
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::jsonb[])
        as t (id, source_id, name, price, metadata)
    on conflict do nothing
"""

INSERT_ORDERS = """
    insert into orders (project_id, id, source_id, status, customer_id, amount, discount_amount,
        items_discount_amount, total_discount_amount, total_amount, items, metadata, created_at)
    select $1, t.id, t.source_id, 'PAID', t.customer_id, t.amount, 0, t.discount, t.discount,
        t.amount - t.discount, t.items, t.metadata, t.created_at
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::json[], $8::jsonb[],
        $9::timestamptz[])
        as t (id, source_id, customer_id, amount, discount, items, metadata, created_at)
    on conflict do nothing
"""

INSERT_TERMS = """
    insert into voucher_terms (project_id, id, body, starts_at, expires_at)
    select $1, * from unnest($2::text[], $3::jsonb[], $4::timestamptz[], $5::timestamptz[])
"""

INSERT_CAMPAIGNS = """
    insert into campaigns (project_id, id, name, campaign_type, type, terms_id, voucher, description, active,
        metadata, vouchers_count, start_date, expiration_date)
    select $1, t.id, t.name, 'DISCOUNT_COUPONS', t.type, t.terms_id, t.voucher, t.description, true, t.metadata,
        t.vouchers_count, t.start_date, t.expiration_date
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[], $8::jsonb[],
        $9::bigint[], $10::timestamptz[], $11::timestamptz[])
        as t (id, name, type, terms_id, voucher, description, metadata, vouchers_count, start_date,
              expiration_date)
"""

INSERT_VOUCHERS = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, holder_id, active, metadata, generic)
    select $1, t.id, t.code, t.code, t.campaign_id, t.holder_id, t.active, t.metadata,
           exists (select 1 from campaigns c where c.project_id = $1 and c.id = t.campaign_id and c.type = 'STANDALONE')
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::jsonb[])
        as t (id, code, campaign_id, holder_id, active, metadata)
"""

IDS_OF_CUSTOMERS = (
    "select source_id, id from customers where project_id = $1 and source_id like 'household-%'"
)
IDS_OF_PRODUCTS = "select source_id, id from products where project_id = $1 and source_id like 'product-%'"

HELD_CODES = """
    select c.source_id as holder, v.code, p.name as campaign, t.starts_at, t.expires_at, t.body
    from vouchers v
    join customers c on c.project_id = v.project_id and c.id = v.holder_id
    join campaigns p on p.project_id = v.project_id and p.id = v.campaign_id
    join voucher_terms t on t.project_id = v.project_id and t.id = p.terms_id
    where v.project_id = $1 and v.deleted_at is null and p.deleted_at is null
    order by t.starts_at, v.code
"""


class Mark(msgspec.Struct):
    """How far the import has come: chunks done of each step, and the date the data was moved to."""

    moved_to: date
    done: dict[str, int] = {}
    complete: bool = False


class Customer(msgspec.Struct):
    """A row to be."""

    source_id: str
    name: str
    metadata: dict[str, str]


class Product(msgspec.Struct):
    """A row to be; `price` in cents."""

    source_id: str
    name: str
    price: int | None
    metadata: dict[str, str]


class Order(msgspec.Struct):
    """A row to be; amounts in cents, `items` JSON text."""

    source_id: str
    customer_id: str | None
    amount: int
    discount: int
    items: str
    metadata: dict[str, Any]
    created_at: datetime


class Code(msgspec.Struct):
    """A voucher to be; `holder_id` is the customer it was sent to."""

    code: str
    holder_id: str | None = None
    active: bool = True
    metadata: dict[str, Any] = {}


class Campaign(msgspec.Struct):
    """A campaign to be, with its codes. `terms` is the body of its terms."""

    name: str
    type: str
    description: str
    terms: dict[str, Any]
    start: datetime | None
    end: datetime | None
    metadata: dict[str, Any]
    codes: list[Code]


class HeldCode(msgspec.Struct):
    """A code that was sent to a household, with the dates and discount of its campaign."""

    holder: str
    code: str
    campaign: str
    starts_at: datetime | None
    expires_at: datetime | None
    body: dict[str, Any]


async def key_works(conn: db.Db, app_id: str, project_id: str) -> bool:
    """Whether a key that was noted down belongs to this database and is in use."""
    return await db.value(conn, KEY_WORKS, app_id, project_id)


async def read_mark(conn: db.Db, project_id: str) -> Mark | None:
    """How far an import came, or None if there was none."""
    found = await db.value(conn, READ_MARK, project_id)
    return None if found is None else msgspec.convert(found, Mark)


async def write_mark(conn: db.Db, project_id: str, mark: Mark) -> None:
    """Note it, in the transaction of the chunk."""
    await db.execute(conn, WRITE_MARK, project_id, msgspec.to_builtins(mark))


async def add_customers(conn: db.Db, project_id: str, rows: Sequence[Customer], at: datetime) -> None:
    """Insert customers that are not there yet."""
    await db.execute(
        conn, INSERT_CUSTOMERS, project_id, new_ids("customer", len(rows)), [r.source_id for r in rows],
        [r.name for r in rows], [r.metadata for r in rows], at,
    )  # fmt: skip


async def add_products(conn: db.Db, project_id: str, rows: Sequence[Product], at: datetime) -> None:
    """Insert products that are not there yet."""
    await db.execute(
        conn, INSERT_PRODUCTS, project_id, new_ids("product", len(rows)), [r.source_id for r in rows],
        [r.name for r in rows], [r.price for r in rows], [r.metadata for r in rows], at,
    )  # fmt: skip


async def add_orders(conn: db.Db, project_id: str, rows: Sequence[Order]) -> None:
    """Insert paid orders that are not there yet."""
    await db.execute(
        conn, INSERT_ORDERS, project_id, new_ids("order", len(rows)), [r.source_id for r in rows],
        [r.customer_id for r in rows], [r.amount for r in rows], [r.discount for r in rows],
        [r.items for r in rows], [r.metadata for r in rows], [r.created_at for r in rows],
    )  # fmt: skip


async def add_campaigns(conn: db.Db, project_id: str, rows: Sequence[Campaign]) -> None:
    """Insert campaigns with their terms and codes."""
    terms, ids = new_ids("terms", len(rows)), new_ids("campaign", len(rows))
    starts, ends = [r.start for r in rows], [r.end for r in rows]
    await db.execute(conn, INSERT_TERMS, project_id, terms, [r.terms for r in rows], starts, ends)
    await db.execute(
        conn, INSERT_CAMPAIGNS, project_id, ids, [r.name for r in rows], [r.type for r in rows], terms,
        [_voucher(r) for r in rows], [r.description for r in rows], [r.metadata for r in rows],
        [len(r.codes) for r in rows], starts, ends,
    )  # fmt: skip
    codes = [(id, code) for id, row in zip(ids, rows, strict=True) for code in row.codes]
    await db.execute(
        conn, INSERT_VOUCHERS, project_id, new_ids("voucher", len(codes)), [c.code for _, c in codes],
        [id for id, _ in codes], [c.holder_id for _, c in codes], [c.active for _, c in codes],
        [c.metadata for _, c in codes],
    )  # fmt: skip


def _voucher(row: Campaign) -> dict[str, Any]:
    voucher = {"type": "DISCOUNT_VOUCHER", **row.terms}
    return voucher | {"code": row.codes[0].code} if row.type == "STANDALONE" else voucher


async def ids_of_customers(conn: db.Db, project_id: str) -> dict[str, str]:
    """Ids by source id."""
    return {r["source_id"]: r["id"] for r in await db.records(conn, IDS_OF_CUSTOMERS, project_id)}


async def ids_of_products(conn: db.Db, project_id: str) -> dict[str, str]:
    """Ids by source id."""
    return {r["source_id"]: r["id"] for r in await db.records(conn, IDS_OF_PRODUCTS, project_id)}


async def held_codes(conn: db.Db, project_id: str) -> list[HeldCode]:
    """All codes that were sent to somebody."""
    return await db.rows(conn, HeldCode, HELD_CODES, project_id)
