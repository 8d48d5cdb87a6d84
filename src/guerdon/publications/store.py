"""All SQL of publications, and of choosing and marking the codes that are given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.customers.store import CustomerRow
from guerdon.kit import db
from guerdon.kit.paging import Field, Listing
from guerdon.vouchers.shape import COLUMNS as VOUCHER_COLUMNS
from guerdon.vouchers.store import FOUND, VoucherWithTerms

COLUMNS: LiteralString = """
    p.id, p.customer_id, p.campaign_id, p.source_id, p.tracking_id, p.channel, p.metadata, p.result, p.failure_code,
    p.failure_message, p.voucher_ids, p.voucher_codes, p.created_at
"""


class PublicationRow(Struct, kw_only=True):
    """A row of `publications`."""

    id: str
    customer_id: str
    campaign_id: str | None
    source_id: str | None
    tracking_id: str | None
    channel: str
    metadata: dict[str, Any]
    result: Any
    failure_code: str | None = None
    failure_message: str | None = None
    voucher_ids: list[str]
    voucher_codes: list[str]
    created_at: datetime


class Suitable(Struct, kw_only=True):
    """A code under lock that can be given, and the terms in force for it."""

    id: str
    code: str
    generic: bool
    in_force: str
    quantity: int | None
    body: dict[str, Any]


BEFORE = """
    select now() as now, (select id from publications
                          where project_id = $1 and source_id = $2 and result = 'SUCCESS') as publication_id
"""

# Under lock, in the campaign's order. $3: how many; $4: whether terms that have ended matter; $5: the campaign's.
PICK: LiteralString = """
    select v.id, v.code, v.generic, t.id as in_force, v.quantity, t.body
    from vouchers v join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, $5)
    where v.project_id = $1 and v.campaign_id = $2 and v.published_count = 0 and v.holder_id is null
      and v.active and v.deleted_at is null and v.redeemed_quantity = 0
      and (not $4 or t.expires_at is null or t.expires_at > now())
    order by v.created_at, v.id
    limit $3
    for update of v
"""
PICK_FREE: LiteralString = PICK + " skip locked"

GENERIC = """
    select v.id, v.code, v.generic, t.id as in_force, v.quantity, t.body
    from vouchers v join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, $3)
    where v.project_id = $1 and v.campaign_id = $2 and v.generic and v.active and v.deleted_at is null
    order by v.created_at, v.id
    limit 1
    for update of v
"""

LOCK = """
    select v.id, v.code, v.generic, coalesce(v.terms_id, c.terms_id) as in_force, v.quantity, t.body,
           v.active, v.redeemed_quantity, v.published_count, v.holder_id, v.terms_id is not null as pinned
    from vouchers v
    left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id
    join voucher_terms t on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)
    where v.project_id = $1 and v.id = $2 and v.deleted_at is null
    for update of v
"""

# A generic code is everybody's: it gets no holder.
GIVE = """
    update vouchers v
    set holder_id = case when v.generic then v.holder_id else $3 end, published_count = v.published_count + 1,
        terms_id = t.terms_id, quantity = t.quantity, updated_at = now()
    from unnest($2::text[], $4::text[], $5::bigint[]) as t (id, terms_id, quantity)
    where v.project_id = $1 and v.id = t.id
"""

INSERT = """
    with made as (
        insert into publications (project_id, id, customer_id, campaign_id, source_id, tracking_id, channel, metadata,
                                  result, failure_code, failure_message, voucher_ids, voucher_codes, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        on conflict (project_id, source_id) where source_id is not null and result = 'SUCCESS' do nothing
        returning id, result, voucher_ids
    )
    insert into publication_vouchers (project_id, voucher_id, publication_id)
    select $1, unnest(voucher_ids), id from made where result = 'SUCCESS'
"""

# The code of a campaign that a customer holds, the first one, and the publication it came by.
HELD = """
    select v.id, (select max(pv.publication_id) from publication_vouchers pv
                  where pv.project_id = $1 and pv.voucher_id = v.id) as publication_id
    from vouchers v
    where v.project_id = $1 and v.holder_id = $3 and v.campaign_id = $2 and v.deleted_at is null
    order by v.created_at, v.id
    limit 1
"""

# A generic code has no holder: who was given it stands in the publications alone.
GIVEN_BEFORE = """
    select p.id from publications p
    where p.project_id = $1 and p.customer_id = $2 and p.result = 'SUCCESS' and p.voucher_ids = array[$3]
    order by p.created_at, p.id
    limit 1
"""

FIND: LiteralString = "select " + COLUMNS + " from publications p where p.project_id = $1 and p.id = $2"

VOUCHERS: LiteralString = (
    "select "
    + VOUCHER_COLUMNS
    + ", c.name as campaign, t.body "
    + FOUND
    + " where v.project_id = $1 and v.id = any($2)"
)

CUSTOMERS = """
    select id, source_id, name, email, phone, description, birthdate, address, metadata, created_at, updated_at
    from customers where project_id = $1 and id = any($2)
"""

LISTING = Listing(
    name="publications",
    columns=COLUMNS,
    source="publications p",
    joins={
        "c": "left join campaigns c on c.project_id = p.project_id and c.id = p.campaign_id",
        "v": "left join vouchers v on v.project_id = p.project_id and v.id = p.voucher_ids[1]",
    },
    where="p.project_id = $1",
    id="p.id",
    fields={
        "id": Field("p.id"),
        "result": Field("p.result"),
        "failure_code": Field("p.failure_code"),
        "customer_id": Field("p.customer_id"),
        "campaign_name": Field("c.name"),
        "voucher_type": Field("v.type"),
        "is_referral_code": Field("v.is_referral_code", "boolean"),
        "parent_object_id": Field("p.campaign_id"),
        "related_object_id": Field("p.voucher_ids[1]"),
        "voucher_code": Field("p.voucher_codes[1]"),
        "source_id": Field("p.source_id"),
        "tracking_id": Field("p.tracking_id"),
        "channel": Field("p.channel"),
        "created_at": Field("p.created_at", "date"),
    },
    metadata="p.metadata",
    sorts={
        "created_at": "p.created_at",
        "id": "p.id",
        "voucher_code": "p.voucher_codes[1]",
        "tracking_id": 'p.tracking_id collate "C"',
        "customer_id": "p.customer_id",
        "channel": 'p.channel collate "C"',
    },
)


class Locked(Suitable, kw_only=True):
    """A code that was named, under lock, and what speaks for or against giving it."""

    active: bool
    redeemed_quantity: int
    published_count: int
    holder_id: str | None
    pinned: bool


class Before(Struct):
    """What was before a publication: the instant it is made at, and the publication that has its source id."""

    now: datetime
    publication_id: str | None


class Held(Struct):
    """A code that a customer has of a campaign, and the publication that it came by, if it was one."""

    id: str
    publication_id: str | None


async def before(conn: db.Db, project_id: str, source_id: str | None) -> Before:
    """The transaction's instant, which its rows carry too, and whether a source id was published already."""
    found = await db.row(conn, Before, BEFORE, project_id, source_id)
    assert found is not None, "a row always comes"
    return found


async def pick(
    conn: db.Db, project_id: str, campaign_id: str, terms_id: str, count: int, *, ended_too: bool, wait: bool
) -> list[Suitable]:
    """Up to `count` codes that can be given, ours until the transaction ends.

    Without `wait` codes that others hold this moment are passed over.
    """
    sql = PICK if wait else PICK_FREE
    return await db.rows(conn, Suitable, sql, project_id, campaign_id, count, not ended_too, terms_id)


async def pick_generic(conn: db.Db, project_id: str, campaign_id: str, terms_id: str) -> list[Suitable]:
    """The code of a STANDALONE campaign, if it is switched on."""
    return await db.rows(conn, Suitable, GENERIC, project_id, campaign_id, terms_id)


async def lock(conn: db.Db, project_id: str, voucher_id: str) -> Locked | None:
    """A code that was named, under lock."""
    return await db.row(conn, Locked, LOCK, project_id, voucher_id)


async def held(conn: db.Db, project_id: str, campaign_id: str, customer_id: str) -> Held | None:
    """What a customer has of a campaign already."""
    return await db.row(conn, Held, HELD, project_id, campaign_id, customer_id)


async def given_before(conn: db.Db, project_id: str, customer_id: str, voucher_id: str) -> str | None:
    """The first publication by which a customer was given this one code."""
    return await db.value(conn, GIVEN_BEFORE, project_id, customer_id, voucher_id)


async def give(
    conn: db.Db, project_id: str, customer_id: str, codes: Sequence[Suitable], terms: Sequence[str]
) -> None:
    """Mark locked codes as given, each pinned to its terms and their limit (`quantity`)."""
    ids, quantities = [one.id for one in codes], [one.quantity for one in codes]
    touched = await db.execute(conn, GIVE, project_id, ids, customer_id, list(terms), quantities)
    assert touched == len(codes), "a locked voucher is gone"


async def insert(conn: db.Db, project_id: str, row: PublicationRow) -> bool:
    """Write a publication with its codes; False when its source id was taken meanwhile."""
    written = await db.execute(
        conn, INSERT, project_id, row.id, row.customer_id, row.campaign_id, row.source_id, row.tracking_id,
        row.channel, row.metadata, row.result, row.failure_code, row.failure_message, row.voucher_ids,
        row.voucher_codes, row.created_at,
    )  # fmt: skip
    return row.result == "FAILURE" or written > 0


async def find(conn: db.Db, project_id: str, publication_id: str) -> PublicationRow | None:
    """A publication."""
    return await db.row(conn, PublicationRow, FIND, project_id, publication_id)


async def vouchers(conn: db.Db, project_id: str, ids: Sequence[str]) -> dict[str, VoucherWithTerms]:
    """Codes by id, those in the bin too."""
    found = await db.rows(conn, VoucherWithTerms, VOUCHERS, project_id, list(ids)) if ids else []
    return {row.id: row for row in found}


async def customers(conn: db.Db, project_id: str, ids: Sequence[str]) -> dict[str, CustomerRow]:
    """Customers by id; those who were deleted are missing."""
    found = await db.rows(conn, CustomerRow, CUSTOMERS, project_id, list(ids)) if ids else []
    return {row.id: row for row in found}
