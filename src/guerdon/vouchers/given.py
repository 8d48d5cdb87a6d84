"""Codes of campaigns given to customers: choosing them under lock, marking them as given, and writing it down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.durations import move, parse_duration
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.vouchers.store import insert_terms
from guerdon.vouchers.terms import quantity_of


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


async def give(
    conn: db.Db, project_id: str, customer_id: str, codes: Sequence[Suitable], terms: Sequence[str]
) -> None:
    """Mark locked codes as given, each pinned to its terms and their limit (`quantity`)."""
    ids, quantities = [one.id for one in codes], [one.quantity for one in codes]
    touched = await db.execute(conn, GIVE, project_id, ids, customer_id, list(terms), quantities)
    assert touched == len(codes), "a locked voucher is gone"


async def record(conn: db.Db, project_id: str, row: PublicationRow) -> bool:
    """Write a publication with its codes; False when its source id was taken meanwhile."""
    written = await db.execute(
        conn, INSERT, project_id, row.id, row.customer_id, row.campaign_id, row.source_id, row.tracking_id,
        row.channel, row.metadata, row.result, row.failure_code, row.failure_message, row.voucher_ids,
        row.voucher_codes, row.created_at,
    )  # fmt: skip
    return row.result == "FAILURE" or written > 0


async def terms_of(
    conn: db.Db,
    project_id: str,
    codes: Sequence[Suitable],
    duration: str | None,
    now: datetime,
    zone: ZoneInfo,
) -> list[str]:
    """The terms that each code keeps from now on: those in force, or with an end a `duration` (ISO 8601) from now.

    Sets the limit of each code (`quantity`) to theirs. Codes with the same terms share the new ones.
    """
    made: dict[str, str] = {}
    ids: list[str] = []
    for one in codes:
        one.quantity = quantity_of(one.body)
        if duration is None or one.generic:
            ids.append(one.in_force)
            continue
        if one.in_force not in made:
            end = iso(move(now, parse_duration(duration), zone))
            made[one.in_force] = await insert_terms(conn, project_id, one.body | {"expiration_date": end})
        ids.append(made[one.in_force])
    return ids
