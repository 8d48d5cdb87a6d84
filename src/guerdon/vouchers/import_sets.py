"""All SQL of an import: files in, vouchers by the set, report out."""

from typing import Any, LiteralString

import msgspec

from guerdon.kit import db
from guerdon.kit.ids import new_ids
from guerdon.vouchers.shape import COLUMNS, VoucherRow

READ_PART = "select content from job_files where project_id = $1 and job_id = $2 and part = $3"

DROP_PART = "delete from job_files where project_id = $1 and job_id = $2 and part = $3"

LAST_PART = "select coalesce(max(part), 0) from job_files where project_id = $1 and job_id = $2"

# Parts of the report are numbered downwards from -1.
WRITE_REPORT = "insert into job_files (project_id, job_id, part, content) values ($1, $2, $3, $4)"

READ_REPORT = """
    select content from job_files where project_id = $1 and job_id = $2 and part < 0 order by part desc
"""

IS_IMPORT = "select kind = $3 from jobs where project_id = $1 and id = $2 and action_type is not null"

CAMPAIGN_BODY = """
    select t.id, t.body
    from campaigns c join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    where c.project_id = $1 and c.id = $2 and c.deleted_at is null
    for update of c
"""

FIND_MANY: LiteralString = f"""
    select {COLUMNS}, v.code_key, v.deleted_at is not null or c.deleted_at is not null as gone, t.body
    from vouchers v
    left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id
    join voucher_terms t on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)
    where v.project_id = $1 and v.code_key = any($2)
    order by v.id for update of v
"""

INSERT_TERMS = """
    insert into voucher_terms (project_id, id, body, starts_at, expires_at)
    select $1, new.id, new.body, (new.body ->> 'start_date')::timestamptz, (new.body ->> 'expiration_date')::timestamptz
    from unnest($2::text[], $3::jsonb[]) as new (id, body)
"""

INSERT = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, terms_id, quantity, redeemed_quantity, redeemed_before,
                          active, additional_info, metadata, type, generic, is_referral_code)
    select $1, new.id, new.code, new.code_key, $2, new.terms_id, new.quantity, new.redeemed_quantity,
           new.redeemed_quantity, new.active, new.additional_info, new.metadata, new.type,
           exists (select 1 from campaigns c where c.project_id = $1 and c.id = $2 and c.type = 'STANDALONE'),
           exists (select 1 from campaigns c where c.project_id = $1 and c.id = $2 and c.campaign_type = 'REFERRAL_PROGRAM')
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[], $10::text[],
                $11::jsonb[], $12::text[])
         as new (id, code, code_key, terms_id, quantity, redeemed_quantity, active, additional_info, metadata, type)
    on conflict (project_id, code_key) do nothing
    returning id
"""

UPDATE = """
    update vouchers v
    set terms_id = new.terms_id, quantity = new.quantity, active = new.active, additional_info = new.additional_info,
        metadata = new.metadata, category = new.category, category_id = new.category_id, updated_at = now()
    from unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::jsonb[], $8::text[], $9::text[])
         as new (id, terms_id, quantity, active, additional_info, metadata, category, category_id)
    where v.project_id = $1 and v.id = new.id
"""


class Existing(VoucherRow, kw_only=True):
    """A voucher that is there already, locked; `gone` when it or its campaign lies in the bin."""

    code_key: str
    gone: bool
    body: dict[str, Any]


class New(msgspec.Struct, kw_only=True):
    """A voucher to be."""

    id: str
    code: str
    code_key: str
    type: str = "DISCOUNT_VOUCHER"
    terms_id: str | None
    quantity: int | None
    redeemed_quantity: int
    active: bool
    additional_info: str | None
    metadata: dict[str, Any]


class Ground(msgspec.Struct):
    """The terms of the campaign that is imported into."""

    id: str
    body: dict[str, Any]


async def read_part(conn: db.Db, project_id: str, job_id: str, part: int) -> bytes | None:
    """A part of the file; None behind the last."""
    return await db.value(conn, READ_PART, project_id, job_id, part)


async def last_part(conn: db.Db, project_id: str, job_id: str) -> int:
    """The number of the file's last part."""
    return await db.value(conn, LAST_PART, project_id, job_id)


async def end_part(conn: db.Db, project_id: str, job_id: str, part: int, report: bytes) -> None:
    """Replace a part that was worked through by its report."""
    await db.execute(conn, DROP_PART, project_id, job_id, part)
    if report:
        await db.execute(conn, WRITE_REPORT, project_id, job_id, -1 - part, report)


async def read_report(conn: db.Db, project_id: str, job_id: str) -> list[bytes]:
    """The report's parts in the order of the rows."""
    return [row["content"] for row in await db.records(conn, READ_REPORT, project_id, job_id)]


async def is_import(conn: db.Db, project_id: str, job_id: str, kind: str) -> bool:
    """Whether there is such an async action and it is an import."""
    return bool(await db.value(conn, IS_IMPORT, project_id, job_id, kind))


async def ground(conn: db.Db, project_id: str, campaign_id: str) -> Ground | None:
    """A campaign's terms, its row locked; None when it is gone."""
    return await db.row(conn, Ground, CAMPAIGN_BODY, project_id, campaign_id)


async def find_many(conn: db.Db, project_id: str, keys: list[str]) -> dict[str, Existing]:
    """The vouchers behind code keys, locked."""
    found = await db.rows(conn, Existing, FIND_MANY, project_id, keys)
    return {row.code_key: row for row in found}


async def insert_terms(conn: db.Db, project_id: str, bodies: list[str]) -> list[str]:
    """Write terms given as JSON texts; their ids in the same order."""
    ids = new_ids("terms", len(bodies))
    if bodies:
        await db.execute(conn, INSERT_TERMS, project_id, ids, bodies)
    return ids


async def insert(conn: db.Db, project_id: str, campaign_id: str | None, rows: list[New]) -> set[str]:
    """Write vouchers; the ids of those whose code was not taken meanwhile."""
    if not rows:
        return set()
    written = await db.records(
        conn,
        INSERT,
        project_id,
        campaign_id,
        [row.id for row in rows],
        [row.code for row in rows],
        [row.code_key for row in rows],
        [row.terms_id for row in rows],
        [row.quantity for row in rows],
        [row.redeemed_quantity for row in rows],
        [row.active for row in rows],
        [row.additional_info for row in rows],
        [row.metadata for row in rows],
        [row.type for row in rows],
    )
    return {record["id"] for record in written}


async def update(conn: db.Db, project_id: str, rows: list[Existing]) -> None:
    """Write the columns of vouchers that an import may change."""
    if not rows:
        return
    await db.execute(
        conn,
        UPDATE,
        project_id,
        [row.id for row in rows],
        [row.terms_id for row in rows],
        [row.quantity for row in rows],
        [row.active for row in rows],
        [row.additional_info for row in rows],
        [row.metadata for row in rows],
        [row.category for row in rows],
        [row.category_id for row in rows],
    )
