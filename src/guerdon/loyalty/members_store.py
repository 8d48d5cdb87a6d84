"""The rows of members and of their cards."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.kit import db

COLUMNS: LiteralString = (
    "m.id, m.program_id, m.customer_id, m.status, m.tier_id, m.tier, m.tier_check_at, m.metadata, m.created_at,"
    " m.updated_at"
)


class MemberRow(Struct, kw_only=True):
    """A row of `loyalty_members`; `tier` is the engine's `Standing`."""

    id: str
    program_id: str
    customer_id: str
    status: str
    tier_id: str | None
    tier: dict[str, Any] | None
    tier_check_at: datetime | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class CardRow(Struct, kw_only=True):
    """A row of `loyalty_cards`. What is on it stands in the ledger's card of the same id."""

    id: str
    member_id: str
    program_id: str
    definition_id: str
    role: str
    pending: int
    ever_pending: int
    activated: int
    canceled: int
    earned: int
    revoked: int
    active_at: datetime | None
    created_at: datetime


CARD_COLUMNS: LiteralString = (
    "c.id, c.member_id, c.program_id, c.definition_id, c.role, c.pending, c.ever_pending, c.activated, c.canceled,"
    " c.earned, c.revoked, c.active_at, c.created_at"
)

FIND: LiteralString = f"""
    select {COLUMNS} from loyalty_members m
    where m.project_id = $1 and m.program_id = $2 and m.id = $3 and m.status <> 'DELETED'
"""
LOCK = FIND + " for update"
INSERT = f"""
    insert into loyalty_members as m (project_id, id, program_id, customer_id, status, metadata)
    select $1, t.id, $2, t.customer_id, t.status, t.metadata
    from unnest($3::text[], $4::text[], $5::text[], $6::jsonb[]) as t (id, customer_id, status, metadata)
    order by t.customer_id
    on conflict (project_id, customer_id, program_id) where status <> 'DELETED' do nothing
    returning {COLUMNS}
"""
UPDATE = f"""
    update loyalty_members m set status = $3, metadata = $4, updated_at = now()
    where m.project_id = $1 and m.id = $2 returning {COLUMNS}
"""
OF_CUSTOMERS: LiteralString = f"""
    select {COLUMNS} from unnest($2::text[], $3::text[]) as w (program_id, customer_id)
    join loyalty_members m on m.project_id = $1 and m.customer_id = w.customer_id and m.program_id = w.program_id
        and m.status <> 'DELETED'
    order by m.id for update of m
"""
LOCK_ALL = f"""
    select {COLUMNS} from loyalty_members m where m.project_id = $1 and m.id = any($2) order by m.id for update
"""
OF_CUSTOMER = f"""
    select {COLUMNS} from loyalty_members m
    where m.project_id = $1 and m.customer_id = $2 and m.status <> 'DELETED' order by m.created_at, m.id
"""
ANYWHERE = f"""
    select {COLUMNS} from loyalty_members m where m.project_id = $1 and m.id = $2 and m.status <> 'DELETED'
"""
CARDS = f"select {CARD_COLUMNS} from loyalty_cards c where c.project_id = $1 and c.member_id = any($2) order by c.id"
CARDS_BY_ID = (
    f"select {CARD_COLUMNS} from loyalty_cards c where c.project_id = $1 and c.id = any($2) order by c.id"
)

WRITE_TIERS = """
    update loyalty_members m set tier_id = t.tier_id, tier = t.tier, tier_check_at = t.check_at
    from unnest($2::text[], $3::text[], $4::jsonb[], $5::timestamptz[]) as t (id, tier_id, tier, check_at)
    where m.project_id = $1 and m.id = t.id
"""

TERMS = "insert into voucher_terms (project_id, id, body) values ($1, $2, $3) on conflict do nothing"

# Of a program that the older API has as a campaign: cards keep the terms that are in force when they are made.
CAMPAIGN = """
    update campaigns set vouchers_count = vouchers_count + $3
    where project_id = $1 and id = $2 and deleted_at is null returning terms_id
"""

# A card belongs to its member from the beginning, so no publication gives it to anybody.
VOUCHERS = """
    insert into vouchers (project_id, id, code, code_key, type, campaign_id, terms_id, active, holder_id)
    select $1, t.id, t.code, t.key, 'LOYALTY_CARD', $2, t.terms_id, true, t.holder_id
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as t (id, code, key, terms_id, holder_id)
    order by t.key
    on conflict (project_id, code_key) do nothing
    returning id
"""
INSERT_COLUMNS = ("project_id", "id", "member_id", "program_id", "definition_id")
BIN = """
    update vouchers v set deleted_at = now(), active = false
    from loyalty_cards c where c.project_id = $1 and c.member_id = $2 and v.project_id = $1 and v.id = c.id
      and v.deleted_at is null
    returning v.id
"""
# Of programs that the older API has as campaigns. Campaigns are locked before members.
HOLD_CAMPAIGNS = """
    select id from campaigns where project_id = $1 and deleted_at is null and id in (
        select 'camp_' || split_part(m.program_id, '_', 2)
        from loyalty_members m where m.project_id = $1 and m.id = any($2)
    ) order by id for update
"""
LESS_CODES = """
    update campaigns k set vouchers_count = greatest(k.vouchers_count - t.gone, 0)
    from (
        select v.campaign_id, count(*) as gone from vouchers v
        where v.project_id = $1 and v.id = any($2) group by v.campaign_id
    ) t where k.project_id = $1 and k.id = t.campaign_id
"""
SWITCH = """
    update vouchers v set active = $3, updated_at = now()
    from loyalty_cards c where c.project_id = $1 and c.member_id = $2 and v.project_id = $1 and v.id = c.id
"""

# What lapsed but waits for the night is no part of the balance any more.
SHOWN = """
    select c.id, v.code, k.balance, k.issued, k.redeemed, k.refunded, k.expired, k.removed, k.transferred, k.received, l.lapsed,
           l.next_at, l.next_points, p.type as waits, p.activates_at, p.cancels_at, p.points as waiting
    from unnest($2::text[]) as w (id)
    join loyalty_cards c on c.project_id = $1 and c.id = w.id
    join vouchers v on v.project_id = $1 and v.id = c.id
    join cards k on k.project_id = $1 and k.id = c.id
    cross join lateral (
        select coalesce(sum(o.remaining) filter (where o.expires_at <= now()), 0)::bigint as lapsed,
               min(o.expires_at) filter (where o.expires_at > now()) as next_at,
               (array_agg(o.points order by o.expires_at) filter (where o.expires_at > now()))[1] as next_points
        from (
            select o.expires_at, sum(o.remaining) as remaining, sum(o.remaining)::bigint as points from card_lots o
            where o.project_id = $1 and o.card_id = c.id and o.remaining > 0 and o.expires_at is not null
            group by o.expires_at
        ) o
    ) l
    left join lateral (
        select p.type, p.activates_at, p.cancels_at, p.points from loyalty_pending p
        where p.project_id = $1 and p.card_id = c.id and p.status = 'PENDING' and c.pending > 0
        order by coalesce(p.activates_at, p.cancels_at), p.id limit 1
    ) p on true
"""


class ShownRow(Struct, kw_only=True):
    """What is on a card, and what comes next for it."""

    id: str
    code: str
    balance: int
    issued: int
    redeemed: int
    refunded: int
    expired: int
    removed: int
    transferred: int
    received: int
    lapsed: int
    next_at: datetime | None
    next_points: int | None
    waits: str | None
    activates_at: datetime | None
    cancels_at: datetime | None
    waiting: int | None


async def of_campaign(conn: db.Conn, project_id: str, campaign_id: str, count: int) -> str | None:
    """The terms of a program's campaign, which has so many cards more; None for a program without one."""
    return await db.value(conn, CAMPAIGN, project_id, campaign_id, count)


async def find(
    conn: db.Db, project_id: str, program_id: str, member_id: str, *, lock: bool = False
) -> MemberRow | None:
    """A member of a program."""
    return await db.row(conn, MemberRow, LOCK if lock else FIND, project_id, program_id, member_id)


async def anywhere(conn: db.Db, project_id: str, member_id: str) -> MemberRow | None:
    """A member of any program."""
    return await db.row(conn, MemberRow, ANYWHERE, project_id, member_id)


async def insert(
    conn: db.Conn,
    project_id: str,
    program_id: str,
    new: Sequence[tuple[str, str, str, dict[str, Any]]],
) -> list[MemberRow]:
    """Make members (id, customer, status, metadata); those who are members already are left out."""
    ids, customers, statuses, metadata = zip(*new, strict=True)
    return await db.rows(
        conn, MemberRow, INSERT, project_id, program_id, list(ids), list(customers), list(statuses),
        list(metadata),
    )  # fmt: skip


async def update(conn: db.Conn, project_id: str, row: MemberRow) -> MemberRow:
    """Write a member's status and metadata."""
    written = await db.row(conn, MemberRow, UPDATE, project_id, row.id, row.status, row.metadata)
    assert written is not None
    return written


async def lock_of_customers(
    conn: db.Conn, project_id: str, pairs: Collection[tuple[str, str]]
) -> list[MemberRow]:
    """The members behind pairs of program and customer, locked."""
    if not pairs:
        return []
    programs, customers = zip(*sorted(pairs), strict=True)
    return await db.rows(conn, MemberRow, OF_CUSTOMERS, project_id, list(programs), list(customers))


async def lock_all(conn: db.Conn, project_id: str, member_ids: Collection[str]) -> list[MemberRow]:
    """Members by their ids, locked."""
    return await db.rows(conn, MemberRow, LOCK_ALL, project_id, sorted(set(member_ids)))


async def of_customer(conn: db.Db, project_id: str, customer_id: str) -> list[MemberRow]:
    """What programs a customer is in."""
    return await db.rows(conn, MemberRow, OF_CUSTOMER, project_id, customer_id)


async def cards_of(conn: db.Db, project_id: str, member_ids: Collection[str]) -> list[CardRow]:
    """The cards of members."""
    return await db.rows(conn, CardRow, CARDS, project_id, list(member_ids))


async def cards(conn: db.Db, project_id: str, card_ids: Collection[str]) -> list[CardRow]:
    """Cards by their ids; others than loyalty cards are left out."""
    return await db.rows(conn, CardRow, CARDS_BY_ID, project_id, list(card_ids))


async def shown(conn: db.Db, project_id: str, card_ids: Collection[str]) -> dict[str, ShownRow]:
    """What is on cards, by their ids."""
    rows = await db.rows(conn, ShownRow, SHOWN, project_id, list(card_ids))
    return {row.id: row for row in rows}


async def write_tiers(conn: db.Conn, project_id: str, rows: Sequence[MemberRow]) -> None:
    """Write where members stand."""
    if rows:
        await db.execute(
            conn, WRITE_TIERS, project_id, [m.id for m in rows], [m.tier_id for m in rows], [m.tier for m in rows],
            [m.tier_check_at for m in rows],
        )  # fmt: skip


async def bin_cards(conn: db.Conn, project_id: str, member_id: str) -> list[str]:
    """Put a member's cards into the bin; the ids of those that were not there. `hold_campaigns` came before."""
    binned = [record["id"] for record in await db.records(conn, BIN, project_id, member_id)]
    if binned:
        await db.execute(conn, LESS_CODES, project_id, binned)
    return binned


async def hold_campaigns(conn: db.Conn, project_id: str, member_ids: Collection[str]) -> None:
    """Lock the campaigns whose codes members' cards are, since there will be fewer of them."""
    await db.execute(conn, HOLD_CAMPAIGNS, project_id, sorted(member_ids))


async def switch_cards(conn: db.Conn, project_id: str, member_id: str, active: bool) -> None:
    """Switch a member's cards on or off."""
    await db.execute(conn, SWITCH, project_id, member_id, active)
