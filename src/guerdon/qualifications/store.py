"""Codes that anybody may use, and those that a customer holds, the newest first."""

from typing import LiteralString

from guerdon.kit import db
from guerdon.vouchers.locked import LOOK, Voucher

# As the writer reads codes, but found by when they were made: those for anybody ($6) that nobody else holds,
# and those that the customer ($2) holds.
CODES: LiteralString = LOOK.replace(
    "unnest($2::text[]) as w (code_key) join vouchers v on v.project_id = $1 and v.code_key = w.code_key",
    """(
        (select s.id, s.created_at from vouchers s
         where $6 and s.project_id = $1 and (s.generic or s.campaign_id is null) and s.deleted_at is null and s.active
           and (s.holder_id is null or s.holder_id = $2) and (s.created_at, s.id) < ($3::timestamptz, $4::text)
         order by s.created_at desc, s.id desc limit $5)
        union
        (select h.id, h.created_at from vouchers h
         where h.project_id = $1 and h.holder_id = $2 and h.deleted_at is null and h.active
           and (h.created_at, h.id) < ($3::timestamptz, $4::text)
         order by h.created_at desc, h.id desc limit $5)
        order by created_at desc, id desc limit $5
    ) as n join vouchers v on v.project_id = $1 and v.id = n.id""",
).replace("order by v.id", "order by v.created_at desc, v.id desc")


async def codes(
    conn: db.Db,
    project_id: str,
    holder_id: str | None,
    before: tuple[object, str],
    limit: int,
    *,
    standalone: bool,
) -> list[Voucher]:
    """Up to `limit` codes made before a place, the newest first; without `standalone` those of the holder only."""
    found = await db.records(conn, CODES, project_id, holder_id, before[0], before[1], limit, standalone)
    return [Voucher(**record) for record in found]
