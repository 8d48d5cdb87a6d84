"""All SQL of campaigns and of codes made, bar that of the imports, by the set."""

from typing import Any, LiteralString

import msgspec

from guerdon.campaigns.shape import COLUMNS, CampaignRow
from guerdon.kit import db
from guerdon.kit.ids import new_id, new_ids
from guerdon.vouchers.store import code_key

FIND: LiteralString = f"""
    select {COLUMNS}
    from campaigns c join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    where c.project_id = $1 and (c.id = $2 or c.name = $2) and c.deleted_at is null
    order by c.id = $2 desc limit 1
"""

FIND_LOCKED: LiteralString = f"{FIND} for update of c"

FIND_ANY = """
    select id from campaigns where project_id = $1 and (id = $2 or name = $2) order by id = $2 desc limit 1 for update
"""

INSERT = """
    insert into campaigns (
        project_id, id, name, campaign_type, type, terms_id, voucher, description, category, category_id, active,
        join_once, auto_join, use_voucher_metadata_schema, activity_duration_after_publishing, access_settings, options,
        metadata, creation_status, vouchers_generation_status, start_date, expiration_date, referral_program)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19,
            ($20::jsonb ->> 'start_date')::timestamptz, ($20::jsonb ->> 'expiration_date')::timestamptz, $21)
    on conflict (project_id, name) do nothing
"""

UPDATE = """
    update campaigns
    set type = $3, terms_id = $4, description = $5, category = $6, category_id = $7, join_once = $8, auto_join = $9,
        activity_duration_after_publishing = $10, metadata = $11, options = $12,
        start_date = ($13::jsonb ->> 'start_date')::timestamptz,
        expiration_date = ($13::jsonb ->> 'expiration_date')::timestamptz, referral_program = $14, voucher = $15,
        updated_at = now()
    where project_id = $1 and id = $2
"""

SET_ACTIVE = "update campaigns set active = $3, updated_at = now() where project_id = $1 and id = $2"

SET_STATUS = """
    update campaigns
    set vouchers_generation_status = $3,
        creation_status = case when creation_status = 'DONE' then creation_status else $3 end
    where project_id = $1 and id = $2
"""

# Open jobs are few, and an index holds just them.
STILL_GENERATES = """
    select exists (
        select 1 from jobs
        where project_id = $1 and status in ('READY', 'RUNNING') and kind = 'campaign.generate' and id <> $3
          and payload #>> '{batch,campaign_id}' = $2)
"""

BIN = "update campaigns set deleted_at = now(), updated_at = now() where project_id = $1 and id = $2 and deleted_at is null"

ERASE = "delete from campaigns where project_id = $1 and id = $2"

FREE_KEYS = """
    select drawn.key from unnest($2::text[]) as drawn (key)
    where not exists (select 1 from vouchers v where v.project_id = $1 and v.code_key = drawn.key)
"""

LOCK = "select deleted_at is null as alive from campaigns where project_id = $1 and id = $2 for update"

ADD_COUNT = "update campaigns set vouchers_count = vouchers_count + $3 where project_id = $1 and id = $2"

INSERT_CODES = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, terms_id, quantity, additional_info, metadata, type,
                          is_referral_code)
    select $1, new.id, new.code, new.code_key, $2, $3, $4, $5, $6, $10,
           exists (select 1 from campaigns c where c.project_id = $1 and c.id = $2 and c.campaign_type = 'REFERRAL_PROGRAM')
    from unnest($7::text[], $8::text[], $9::text[]) as new (id, code, code_key)
    on conflict (project_id, code_key) do nothing
    returning id
"""

SWITCH_OFF = "update vouchers set active = false where project_id = $1 and id = any($2)"

TERMS_IN_FORCE = """
    select t.body from campaigns c join voucher_terms t on t.project_id = $1 and t.id = coalesce($3, c.terms_id)
    where c.project_id = $1 and c.id = $2
"""

NEXT_VOUCHERS = """
    select id, created_at::text as created_at from vouchers
    where project_id = $1 and campaign_id = $2 and (created_at, id) > ($3::text::timestamptz, $4)
    order by created_at, id limit $5
"""

BIN_VOUCHERS = """
    update vouchers set deleted_at = now() where project_id = $1 and id = any($2) and deleted_at is null
"""

ERASE_VOUCHERS = "delete from vouchers where project_id = $1 and id = any($2)"


class NewCampaign(msgspec.Struct, kw_only=True):
    """A row to be; `body` is that of its terms."""

    name: str
    campaign_type: str
    type: str
    voucher: dict[str, Any]
    body: dict[str, Any]
    description: str | None
    active: bool
    join_once: bool
    auto_join: bool
    use_voucher_metadata_schema: bool
    activity_duration_after_publishing: str | None
    access_settings: dict[str, Any] | None
    options: dict[str, Any] | None
    metadata: dict[str, Any]
    status: str
    referral_program: dict[str, Any] | None = None


class Batch(msgspec.Struct, kw_only=True):
    """What the codes of one batch have in common. `terms_id` None follows the campaign."""

    campaign_id: str
    terms_id: str | None = None
    quantity: int | None = None
    additional_info: str | None = None
    metadata: dict[str, Any] = {}
    type: str = "DISCOUNT_VOUCHER"


class VoucherKey(msgspec.Struct):
    """Where a walk over a campaign's vouchers stands; `created_at` is text with all its microseconds."""

    id: str
    created_at: str


async def find(conn: db.Db, project_id: str, campaign: str, *, lock: bool = False) -> CampaignRow | None:
    """A campaign by id, else by name. With `lock` its row stays ours until the transaction ends."""
    return await db.row(conn, CampaignRow, FIND_LOCKED if lock else FIND, project_id, campaign)


async def find_any(conn: db.Db, project_id: str, campaign: str) -> str | None:
    """The id behind an id or name, in the bin or not; the row is locked."""
    return await db.value(conn, FIND_ANY, project_id, campaign)


async def insert(conn: db.Db, project_id: str, terms_id: str, new: NewCampaign) -> str | None:
    """Write a campaign; its id, or None when the name is taken, be it by one in the bin."""
    campaign_id = new_id("campaign")
    written = await db.execute(
        conn,
        INSERT,
        project_id,
        campaign_id,
        new.name,
        new.campaign_type,
        new.type,
        terms_id,
        new.voucher,
        new.description,
        new.body.get("category"),
        new.body.get("category_id"),
        new.active,
        new.join_once,
        new.auto_join,
        new.use_voucher_metadata_schema,
        new.activity_duration_after_publishing,
        new.access_settings,
        new.options,
        new.metadata,
        new.status,
        new.body,
        new.referral_program,
    )
    return campaign_id if written else None


async def update(conn: db.Db, project_id: str, row: CampaignRow) -> None:
    """Write the columns that an edit may change."""
    await db.execute(
        conn,
        UPDATE,
        project_id,
        row.id,
        row.type,
        row.terms_id,
        row.description,
        row.body.get("category"),
        row.body.get("category_id"),
        row.join_once,
        row.auto_join,
        row.activity_duration_after_publishing,
        row.metadata,
        row.options,
        row.body,
        row.referral_program,
        row.voucher,
    )


async def set_active(conn: db.Db, project_id: str, campaign_id: str, active: bool) -> None:
    """Switch a campaign on or off."""
    await db.execute(conn, SET_ACTIVE, project_id, campaign_id, active)


async def set_status(conn: db.Db, project_id: str, campaign_id: str, status: str) -> None:
    """Say how far the making of codes is; the creation's status follows until it was DONE once."""
    await db.execute(conn, SET_STATUS, project_id, campaign_id, status)


async def still_generates(conn: db.Db, project_id: str, campaign_id: str, job_id: str) -> bool:
    """Whether a job other than the one named makes codes for a campaign, or is about to."""
    return await db.value(conn, STILL_GENERATES, project_id, campaign_id, job_id)


async def put_in_bin(conn: db.Db, project_id: str, campaign_id: str) -> None:
    """Hide a campaign at once; its codes are hidden with it."""
    await db.execute(conn, BIN, project_id, campaign_id)


async def erase(conn: db.Db, project_id: str, campaign_id: str) -> None:
    """Delete a campaign that has no codes left."""
    await db.execute(conn, ERASE, project_id, campaign_id)


async def lock(conn: db.Db, project_id: str, campaign_id: str) -> bool:
    """Take a campaign's row until the transaction ends; whether it is there and not in the bin."""
    return bool(await db.value(conn, LOCK, project_id, campaign_id))


async def add_count(conn: db.Db, project_id: str, campaign_id: str, count: int) -> None:
    """Tell a campaign that it has so many codes more."""
    await db.execute(conn, ADD_COUNT, project_id, campaign_id, count)


async def insert_codes(
    conn: db.Db, project_id: str, batch: Batch, codes: list[str], case_sensitive: bool
) -> list[str]:
    """Write new codes; the ids of those that were not taken."""
    keys = codes if case_sensitive else [code_key(code, case_sensitive) for code in codes]
    written = await db.records(
        conn,
        INSERT_CODES,
        project_id,
        batch.campaign_id,
        batch.terms_id,
        batch.quantity,
        batch.additional_info,
        batch.metadata,
        new_ids("voucher", len(codes)),
        codes,
        keys,
        batch.type,
    )
    return [record["id"] for record in written]


async def terms_in_force(conn: db.Db, project_id: str, batch: Batch) -> dict[str, Any]:
    """What the codes of a batch promise: the batch's own terms, else their campaign's."""
    return await db.value(conn, TERMS_IN_FORCE, project_id, batch.campaign_id, batch.terms_id)


async def switch_off(conn: db.Db, project_id: str, ids: list[str]) -> None:
    """Switch new codes off, until they are sold."""
    await db.execute(conn, SWITCH_OFF, project_id, ids)


async def free_codes(conn: db.Db, project_id: str, codes: list[str], case_sensitive: bool) -> list[str]:
    """Those of some codes that nobody has."""
    by_key = {code_key(code, case_sensitive): code for code in codes}
    return [by_key[row["key"]] for row in await db.records(conn, FREE_KEYS, project_id, list(by_key))]


async def next_vouchers(
    conn: db.Db, project_id: str, campaign_id: str, after: VoucherKey, count: int
) -> list[VoucherKey]:
    """The next vouchers of a campaign in the order of their making, those in the bin too."""
    return await db.rows(
        conn, VoucherKey, NEXT_VOUCHERS, project_id, campaign_id, after.created_at, after.id, count
    )


async def remove_vouchers(conn: db.Db, project_id: str, ids: list[str], force: bool) -> int:
    """Put vouchers into the bin, or erase them; how many there were."""
    return await db.execute(conn, ERASE_VOUCHERS if force else BIN_VOUCHERS, project_id, ids)
