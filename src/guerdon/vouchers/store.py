"""All SQL of vouchers and their terms, bar the rows under lock that the redemption writer takes (locked.py)."""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec

from guerdon.categories import store as categories
from guerdon.categories.api import shape as category_shape
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.validation_rules import assign
from guerdon.validation_rules.store import assignments_of
from guerdon.vouchers import value
from guerdon.vouchers.shape import COLUMNS, RuleAssignments, Voucher, VoucherRow, build


class VoucherWithTerms(VoucherRow, kw_only=True, gc=False):
    """A voucher's row, its campaign's name, and the terms in force."""

    campaign: str | None
    body: dict[str, Any]

    def answer(self) -> Voucher:
        """The voucher as answered."""
        return build(self, self.body, self.campaign)


FOUND: LiteralString = """
    from vouchers v
    left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id
    join voucher_terms t on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)
"""

FIND: LiteralString = f"""
    select {COLUMNS}, c.name as campaign, t.body {FOUND}
    where v.project_id = $1 and (v.code_key = $2 or v.id = $3) and v.deleted_at is null and c.deleted_at is null
    order by v.code_key = $2 desc limit 1
"""

FIND_LOCKED: LiteralString = f"{FIND} for update of v"

FIND_ANY = """
    select id from vouchers where project_id = $1 and (code_key = $2 or id = $3) order by code_key = $2 desc limit 1
"""

INSERT_TERMS = """
    insert into voucher_terms (project_id, id, body, starts_at, expires_at)
    values ($1, $2, $3, ($3::jsonb ->> 'start_date')::timestamptz, ($3::jsonb ->> 'expiration_date')::timestamptz)
"""

INSERT = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, terms_id, active, quantity, category, category_id,
                          additional_info, metadata, type, generic, is_referral_code)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
            exists (select 1 from campaigns c where c.project_id = $1 and c.id = $5 and c.type = 'STANDALONE'),
            exists (select 1 from campaigns c
                    where c.project_id = $1 and c.id = $5 and c.campaign_type = 'REFERRAL_PROGRAM'))
    on conflict (project_id, code_key) do nothing
"""

UPDATE = """
    update vouchers
    set terms_id = $3, quantity = $4, category = $5, category_id = $6, additional_info = $7, metadata = $8, active = $9,
        updated_at = now()
    where project_id = $1 and id = $2
"""

SET_ACTIVE = "update vouchers set active = $3, updated_at = now() where project_id = $1 and id = $2"

BIN = "update vouchers set deleted_at = now() where project_id = $1 and id = $2 and deleted_at is null"

ERASE = "delete from vouchers where project_id = $1 and id = $2"

# The campaign's own slice counts its codes too; a code made or deleted alone is counted in the same way.
COUNT_IN_CAMPAIGN = """
    update campaigns set vouchers_count = greatest(vouchers_count + $3, 0)
    where project_id = $1 and id = $2 and deleted_at is null
"""

FIND_CAMPAIGN = """
    select c.id, c.name, c.type, t.body
    from campaigns c join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    where c.project_id = $1 and c.deleted_at is null and (c.id = $2 or c.name = $2) order by c.id = $2 desc limit 1
"""


class CampaignRef(msgspec.Struct):
    """The campaign that a new voucher is to join."""

    id: str
    name: str
    type: str
    body: dict[str, Any]


class NewVoucher(msgspec.Struct, kw_only=True):
    """A row to be. `terms_id` None follows the campaign; `quantity` goes with `terms_id`."""

    id: str
    code: str
    type: str = "DISCOUNT_VOUCHER"
    campaign_id: str | None = None
    terms_id: str | None = None
    quantity: int | None = None
    active: bool = True
    category: str | None = None
    category_id: str | None = None
    additional_info: str | None = None
    metadata: dict[str, Any] = {}


def code_key(code: str, case_sensitive: bool) -> str:
    """What a code is unique and looked up by."""
    return code if case_sensitive else code.casefold()


async def find(
    conn: db.Db, project_id: str, code: str, case_sensitive: bool, *, lock: bool = False
) -> VoucherWithTerms | None:
    """A voucher by its code, else by its id. With `lock` its row stays ours until the transaction ends."""
    sql = FIND_LOCKED if lock else FIND
    return await db.row(conn, VoucherWithTerms, sql, project_id, code_key(code, case_sensitive), code)


async def find_any(conn: db.Db, project_id: str, code: str, case_sensitive: bool) -> str | None:
    """The id behind a code or id, in the bin or not."""
    return await db.value(conn, FIND_ANY, project_id, code_key(code, case_sensitive), code)


async def insert_terms(conn: db.Db, project_id: str, body: dict[str, Any]) -> str:
    """Write what a code or campaign promises; the new row's id. Rows never change afterwards."""
    terms_id = new_id("terms")
    await db.execute(conn, INSERT_TERMS, project_id, terms_id, body)
    return terms_id


async def insert(conn: db.Db, project_id: str, voucher: NewVoucher, case_sensitive: bool) -> bool:
    """Write a voucher; False when its code is taken, be it by one in the bin."""
    return bool(
        await db.execute(
            conn,
            INSERT,
            project_id,
            voucher.id,
            voucher.code,
            code_key(voucher.code, case_sensitive),
            voucher.campaign_id,
            voucher.terms_id,
            voucher.active,
            voucher.quantity,
            voucher.category,
            voucher.category_id,
            voucher.additional_info,
            voucher.metadata,
            voucher.type,
        )
    )


async def update(conn: db.Db, project_id: str, row: VoucherRow) -> None:
    """Write the columns of a row that an edit may change."""
    await db.execute(
        conn,
        UPDATE,
        project_id,
        row.id,
        row.terms_id,
        row.quantity,
        row.category,
        row.category_id,
        row.additional_info,
        row.metadata,
        row.active,
    )


async def set_active(conn: db.Db, project_id: str, voucher_id: str, active: bool) -> None:
    """Switch a voucher on or off."""
    await db.execute(conn, SET_ACTIVE, project_id, voucher_id, active)


# Of a member who is one still.
BESIDE_OTHERS = """
    select exists (
        select from loyalty_cards c
        join loyalty_members m on m.project_id = $1 and m.id = c.member_id and m.status <> 'DELETED'
        join loyalty_cards o on o.project_id = $1 and o.member_id = c.member_id and o.id <> c.id
        where c.project_id = $1 and c.id = $2
    )
"""


async def beside_others(conn: db.Db, project_id: str, voucher_id: str) -> bool:
    """Whether a loyalty card is one of several that its member has."""
    return await db.value(conn, BESIDE_OTHERS, project_id, voucher_id)


async def remove(conn: db.Db, project_id: str, voucher_id: str, force: bool) -> bool:
    """Put a voucher into the bin, or erase it; False when it was gone already."""
    return bool(await db.execute(conn, ERASE if force else BIN, project_id, voucher_id))


async def count_in_campaign(conn: db.Db, project_id: str, campaign_id: str, change: int) -> int:
    """Tell a campaign that it has more or fewer codes; 0 when it was deleted meanwhile."""
    return await db.execute(conn, COUNT_IN_CAMPAIGN, project_id, campaign_id, change)


async def find_campaign(conn: db.Db, project_id: str, campaign: str) -> CampaignRef | None:
    """A campaign by id or name."""
    return await db.row(conn, CampaignRef, FIND_CAMPAIGN, project_id, campaign)


async def with_rules(conn: db.Db, project_id: str, vouchers: Sequence[Voucher]) -> list[Voucher]:
    """The vouchers with their validation rules shown, their own, then their campaigns', their categories, and what
    is on cards."""
    owners = [owner for v in vouchers for owner in (v.id, v.campaign_id) if owner is not None]
    found = await assignments_of(conn, project_id, owners)
    for voucher in vouchers:
        rows = [*found.get(voucher.id, ()), *found.get(voucher.campaign_id or "", ())]
        if rows:
            data = tuple(msgspec.to_builtins(assign.shape(row)) for row in rows)
            voucher.validation_rules_assignments = RuleAssignments(data=data, total=len(data))
    await with_categories(conn, project_id, vouchers)
    await with_values(conn, project_id, vouchers)
    return list(vouchers)


async def with_values(conn: db.Db, project_id: str, vouchers: Sequence[Voucher]) -> None:
    """Show what is on those that are cards."""
    cards = [voucher for voucher in vouchers if voucher.type != "DISCOUNT_VOUCHER"]
    if not cards:
        return
    found = await value.held(conn, project_id, [voucher.id for voucher in cards])
    for voucher in cards:
        if (held := found.get(voucher.id)) is not None:
            voucher.show(held)


async def with_categories(conn: db.Db, project_id: str, vouchers: Sequence[Voucher]) -> None:
    """Show what is known of their categories; an id that is gone is shown as no category."""
    if any(voucher.category_id is not None for voucher in vouchers):
        known = {row.id: row for row in await categories.all_of(conn, project_id)}
        for voucher in vouchers:
            row = known.get(voucher.category_id or "")
            if row is not None:
                voucher.category = row.name
                voucher.categories = [msgspec.to_builtins(category_shape(row))]
