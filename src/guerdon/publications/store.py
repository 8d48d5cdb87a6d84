"""All SQL of publications, and of choosing and marking the codes that are given."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from msgspec import Struct

from guerdon.customers.store import CustomerRow
from guerdon.kit import db
from guerdon.kit.paging import Field, Listing
from guerdon.vouchers.given import PublicationRow, Suitable
from guerdon.vouchers.shape import COLUMNS as VOUCHER_COLUMNS
from guerdon.vouchers.store import FOUND, VoucherWithTerms

COLUMNS: LiteralString = """
    p.id, p.customer_id, p.campaign_id, p.source_id, p.tracking_id, p.channel, p.metadata, p.result, p.failure_code,
    p.failure_message, p.voucher_ids, p.voucher_codes, p.created_at
"""


BEFORE = """
    select now() as now, (select id from publications
                          where project_id = $1 and source_id = $2 and result = 'SUCCESS') as publication_id
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


async def lock(conn: db.Db, project_id: str, voucher_id: str) -> Locked | None:
    """A code that was named, under lock."""
    return await db.row(conn, Locked, LOCK, project_id, voucher_id)


async def held(conn: db.Db, project_id: str, campaign_id: str, customer_id: str) -> Held | None:
    """What a customer has of a campaign already."""
    return await db.row(conn, Held, HELD, project_id, campaign_id, customer_id)


async def given_before(conn: db.Db, project_id: str, customer_id: str, voucher_id: str) -> str | None:
    """The first publication by which a customer was given this one code."""
    return await db.value(conn, GIVEN_BEFORE, project_id, customer_id, voucher_id)


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
