"""Vouchers as the writer's batches see them: read under lock in the order of their ids, written as sets."""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec

from guerdon.engine import Terms, parse_terms
from guerdon.kit import db
from guerdon.vouchers.shape import COLUMNS, VoucherRow
from guerdon.vouchers.terms import quantity_of

LOOK: LiteralString = (
    "select "
    + COLUMNS
    + """, v.code_key, coalesce(v.terms_id, c.terms_id) as in_force, c.name as campaign_name,
           coalesce(c.active, true) as campaign_active, v.generic, v.deleted_at is null and c.deleted_at is null as living,
           c.category_id as campaign_category_id, c.options ->> 'limit_policy' as limit_policy,
           (select array_agg(a.rule_id order by a.created_at, a.id) from validation_rule_assignments a
            where a.project_id = $1 and a.related_object_id = v.id) as rule_ids,
           (select e.version from tally_epochs e where e.project_id = $1 and e.owner = v.id) as epoch
    from unnest($2::text[]) as w (code_key) join vouchers v on v.project_id = $1 and v.code_key = w.code_key
    left join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    order by v.id
"""
)
LOCK = LOOK + " for update of v"

# A code may be named by its id instead; rare enough for a statement of its own.
LOOK_BY_ID = LOOK.replace(
    "unnest($2::text[]) as w (code_key) join vouchers v on v.project_id = $1 and v.code_key = w.code_key",
    """(
        select n.id from unnest($2::text[]) as w (code_key)
        join vouchers n on n.project_id = $1 and n.code_key = w.code_key
        union
        select id from unnest($3::text[]) as w (id)
    ) as n join vouchers v on v.project_id = $1 and v.id = n.id""",
)
LOCK_BY_ID = LOOK_BY_ID + " for update of v"

TERMS = """
    select t.id, t.body from unnest($2::text[]) as w (id) join voucher_terms t on t.project_id = $1 and t.id = w.id
"""

TAKE = """
    update vouchers v
    set redeemed_quantity = v.redeemed_quantity + t.uses, terms_id = t.terms_id, quantity = t.quantity
    from unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[]) as t (id, uses, terms_id, quantity)
    where v.project_id = $1 and v.id = t.id
"""


class Kept(msgspec.Struct, frozen=True):
    """Terms that were read once: `body` as stored, `terms` as the engine wants them."""

    body: dict[str, Any]
    terms: Terms


class Voucher(VoucherRow, kw_only=True, gc=False):
    """A voucher under lock. `redeemed_quantity` moves as the batch decides; `uses` is what the batch changed.

    `in_force` is the id of the terms it stands under: its own, else its campaign's. One that is not `living` is in
    the bin: nobody redeems it, but what it gave can still be taken back. `rule_ids` are the rules assigned to itself.
    """

    code_key: str
    in_force: str
    generic: bool = False
    campaign_name: str | None
    campaign_active: bool
    living: bool
    campaign_category_id: str | None = None
    limit_policy: str | None = None
    rule_ids: list[str] | None = None
    epoch: int | None = None
    kept: Kept | None = None
    uses: int = 0

    def use(self, count: int) -> None:
        """Take `count` uses, or give them back; the first one pins the voucher to the terms it was used under."""
        assert self.kept is not None
        self.redeemed_quantity += count
        self.uses += count
        self.terms_id = self.in_force
        self.quantity = self.kept.terms.quantity


class TermsCache:
    """Terms by id. A row of voucher_terms never changes, so what was read is right for ever."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._kept: dict[tuple[str, str], Kept] = {}

    async def fill(self, conn: db.Db, project_id: str, vouchers: Sequence[Voucher]) -> None:
        """Give every voucher its terms, reading those not seen before in one statement."""
        found = {v.in_force: self._kept.get((project_id, v.in_force)) for v in vouchers}
        missing = [name for name, kept in found.items() if kept is None]
        if missing:
            for record in await db.records(conn, TERMS, project_id, missing):
                body = record["body"]
                found[record["id"]] = Kept(body, parse_terms(body | {"quantity": quantity_of(body)}))
            # Others may have filled or emptied it meanwhile: what was found is used from here, not from there.
            if len(self._kept) + len(missing) > self._size:
                self._kept.clear()
            for name in missing[: self._size]:
                if (kept := found[name]) is not None:
                    self._kept[project_id, name] = kept
        for voucher in vouchers:
            voucher.kept = found[voucher.in_force]


async def look(
    conn: db.Db, project_id: str, code_keys: Sequence[str], ids: Sequence[str], *, lock: bool
) -> list[Voucher]:
    """The vouchers behind codes and ids; under `lock` nobody else can take from them until the transaction ends."""
    if ids:
        sql = LOCK_BY_ID if lock else LOOK_BY_ID
        return [Voucher(**r) for r in await db.records(conn, sql, project_id, code_keys, ids)]
    return [Voucher(**r) for r in await db.records(conn, LOCK if lock else LOOK, project_id, code_keys)]


async def take(conn: db.Db, project_id: str, vouchers: Sequence[Voucher]) -> None:
    """Write how often each voucher has now been used, and pin it to the terms it was used under.

    The table's CHECK refuses the whole batch if a count would pass its limit.
    """
    if not vouchers:
        return
    touched = await db.execute(
        conn,
        TAKE,
        project_id,
        [v.id for v in vouchers],
        [v.uses for v in vouchers],
        [v.terms_id for v in vouchers],
        [v.quantity for v in vouchers],
    )
    assert touched == len(vouchers), "a locked voucher is gone"
