"""Earning decided again where less of an order stands: what it would not have earned is taken from its very lots.

Each decision is on the order as it stands now, whatever came back before; so any sequence of returns comes to the
same, and all of them together to everything that was earned. More than was earned is never given.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct, field

from guerdon.engine.earning import earn, points_tallies
from guerdon.engine.earning_rule import EarningReason, Member, OrderPaid
from guerdon.engine.ledger import Why, claw_back
from guerdon.engine.order import Order
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.loyalty import members_store, sheet, tallies
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.earn import Told
from guerdon.loyalty.happened import PAID, Happened, Known, know
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand
from guerdon.orders import locked as orders

EARNED = """
    select e.id, e.card_id, e.member_id, e.program_id, e.definition_id, e.rule_id, e.earning_id, e.effect, e.order_id,
           e.points, e.revoked, e.entry_id, e.lot_id, e.pending_id, e.happened_at, e.tier_id, e.basis
    from loyalty_earnings e
    where e.project_id = $1 and e.order_id = any($2) and e.revoked < e.points
    order by e.order_id, e.card_id, e.created_at, e.id
"""
PENDING = """
    select id, points from loyalty_pending
    where project_id = $1 and id = any($2) and status = 'PENDING' order by id for update
"""
REVOKE = """
    update loyalty_earnings e set revoked = e.revoked + t.less
    from unnest($2::text[], $3::bigint[]) as t (id, less) where e.project_id = $1 and e.id = t.id
"""
LESSEN = """
    update loyalty_pending p
    set points = p.points - t.less, status = case when p.points = t.less then 'CANCELED' else p.status end,
        updated_at = now()
    from unnest($2::text[], $3::bigint[]) as t (id, less) where p.project_id = $1 and p.id = t.id
"""

BEGINNING = datetime.fromtimestamp(0, UTC)
Policy = Literal["NEGATIVE", "DEBT", "FLOOR"]
POLICIES: dict[str, Policy] = {
    "REVOKE_TO_ZERO": "FLOOR",
    "REVOKE_BELOW_ZERO": "NEGATIVE",
    "REVOKE_INTO_DEBT": "DEBT",
}


# What lapsed of lots.
LAPSED = """
    select p.part ->> 0 as lot_id, sum(-(p.part ->> 1)::bigint)::bigint as points
    from card_entries e cross join lateral json_array_elements(e.parts) as p (part)
    where e.project_id = $1 and e.card_id = any($2) and e.type = 'POINTS_EXPIRATION' and p.part ->> 0 = any($3)
    group by 1
"""


class Row(Struct, kw_only=True):
    """A row of `loyalty_earnings` of which something is left."""

    id: str
    card_id: str
    member_id: str
    program_id: str
    definition_id: str
    rule_id: str
    earning_id: str
    effect: int
    order_id: str
    points: int
    revoked: int
    entry_id: str | None
    lot_id: str | None
    pending_id: str | None
    happened_at: datetime
    tier_id: str | None
    basis: int | None

    @property
    def key(self) -> tuple[str, str, int]:
        """Which effect of a rule gave it."""
        return self.rule_id, self.earning_id, self.effect


class Less(Struct):
    """What is taken of each, by ids of earnings and of pending points; what lapsed before, by lots."""

    lapsed: dict[str, int] = field(default_factory=dict)
    earnings: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)


async def earn_again_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Take back what orders would not have earned as they stand, in the transaction that is open."""
    place = await held_place(conn, project_id)
    order_ids = sorted({payload["order_id"] for _, payload, _ in told})
    found = {order.id: order for order in await orders.look(conn, project_id, order_ids, [], lock=True)}
    seen = await db.rows(conn, Row, EARNED, project_id, order_ids)
    members = await members_store.lock_all(conn, project_id, {row.member_id for row in seen})
    if not members:
        return
    page = await open_sheet(conn, place, members, [row.lot_id for row in seen if row.lot_id is not None])
    # Again, now that nobody else can take from them.
    rows = await db.rows(conn, Row, EARNED, project_id, order_ids)
    waits = {r["id"]: r["points"] for r in await db.records(conn, PENDING, project_id, _waiting(rows))}
    happened = [_happened(order, rows) for order in found.values() if _stands(order)]
    known = await _know(conn, place, happened, members)
    by_order = {one.order_id: one for one in happened}
    less = Less(lapsed=await _lapsed(conn, page, rows))
    for (order_id, member_id), its in _grouped(rows).items():
        keep = _kept(place, by_order.get(order_id), page.members[member_id], its, known)
        _revoke(page, its, keep, waits, less)
    await sheet.write(conn, page)
    await _write(conn, project_id, less)
    await _free(conn, place, [row for row in rows if row.id in less.earnings], less)
    await restand(conn, page, page.moved, "RETURN")
    await sheet.close(conn, page)


async def _lapsed(conn: db.Conn, page: Sheet, rows: Sequence[Row]) -> dict[str, int]:
    ended: dict[str, str] = {}
    for row in rows:
        lot = None if row.lot_id is None else page.account(page.cards[row.card_id]).lots.get(row.lot_id)
        if lot is not None and lot.expires_at is not None and lot.expires_at <= page.place.now:
            ended[lot.id] = row.card_id
    if not ended:
        return {}
    cards = sorted(set(ended.values()))
    records = await db.records(conn, LAPSED, page.place.project_id, cards, sorted(ended))
    return {record["lot_id"]: record["points"] for record in records}


def _waiting(rows: Sequence[Row]) -> list[str]:
    return [row.pending_id for row in rows if row.pending_id is not None and row.lot_id is None]


def _stands(order: Order) -> bool:
    return order.status in PAID and bool(order.amount)


def _happened(order: Order, rows: Sequence[Row]) -> Happened:
    at = min((row.happened_at for row in rows if row.order_id == order.id), default=BEGINNING)
    return Happened(
        cause_id=order.id or "", at=at, payload={}, happening=OrderPaid(), order=order,
        customer_id=order.customer_id,
    )  # fmt: skip


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.order_id, row.member_id), []).append(row)
    return groups


async def _know(
    conn: db.Conn, place: Place, happened: Sequence[Happened], members: Sequence[MemberRow]
) -> Known:
    programs = [
        program
        for name in {member.program_id for member in members}
        if (program := place.program(name)) is not None
    ]
    segments = frozenset().union(*(program.earning.segments for program in programs))
    collections = frozenset().union(*(program.earning.collections for program in programs))
    customers = sorted({member.customer_id for member in members})
    tiers = any(program.earning.asks_tiers for program in programs)
    return await know(conn, place, happened, customers, segments, collections, tiers=tiers)


def _kept(
    place: Place, one: Happened | None, member: MemberRow, rows: Sequence[Row], known: Known
) -> Mapping[str, int]:
    """How much of each earning (by id) the order earns as it stands; nothing of one that was canceled, or is
    somebody else's by now.
    """
    if one is None or one.customer_id != member.customer_id:
        return {}
    program = place.program(member.program_id)
    again = {} if program is None else _decided(place, program, one, member, rows, known)
    keep: dict[str, int] = {}
    for row in rows:
        points = again.get(row.key)
        keep[row.id] = min(row.points, _share(row, one) if points is None else points)
    return keep


def _decided(
    place: Place, program: Program, one: Happened, member: MemberRow, rows: Sequence[Row], known: Known
) -> dict[tuple[str, str, int], int]:
    """What each effect gives now: as it was then, without what others took of limits. Rules that cannot be asked
    any more are left out.
    """
    tier_id = rows[0].tier_id
    tier = None if program.tiers is None else program.tiers.tier(tier_id)
    who = Member(
        id=member.id,
        balances=dict.fromkeys(program.cards, 0),
        tier=tier_id,
        mapped={} if tier is None else tier.earning,
        metadata=member.metadata,
    )
    situation = Situation(
        now=one.at,
        zone=place.zone,
        week_start=place.week_start,
        order=one.order,
        initial=one.order,
        customer=known.people.get(member.customer_id),
        collections=known.collections,
        segments=place.snapshot.segments,
        exponent=place.exponent,
    )
    answer = earn(program.earning, OrderPaid(), who, situation)
    found = {(each.rule_id, each.earning_id, each.effect): each.points for each in answer.earned}
    asked = {outcome.rule_id: outcome.reason for outcome in answer.outcomes}
    unasked = (EarningReason.SWITCHED_OFF, EarningReason.NO_CARD)
    for row in rows:
        if row.rule_id in asked and asked[row.rule_id] not in unasked:
            found.setdefault(row.key, 0)
    return found


def _share(row: Row, one: Happened) -> int:
    """In proportion to what is left of the order's worth."""
    order = one.order
    worth = 0 if order is None else (order.amount if order.total_amount is None else order.total_amount) or 0
    return row.points if not row.basis else row.points * min(worth, row.basis) // row.basis


def _revoke(
    page: Sheet, rows: Sequence[Row], keep: Mapping[str, int], waits: dict[str, int], less: Less
) -> None:
    """Take what is too much: what waits first, then of the very lots. What lapsed of them is gone already: nobody had
    anything of it, so that it is not taken from others.
    """
    taken: dict[str, list[tuple[Row, int]]] = {}
    for row in rows:
        over = row.points - row.revoked - keep.get(row.id, 0)
        policy = _policy(page, row)
        if over <= 0 or policy is None:
            continue
        if row.pending_id in waits:
            _lessen(page, row, min(over, waits[row.pending_id]), waits, less)
        elif row.lot_id is not None and policy in POLICIES:
            less.earnings[row.id] = over
            there = row.points - less.lapsed.get(row.lot_id, 0)
            over = min(row.revoked + over, there) - min(row.revoked, there)
            if over:
                taken.setdefault(row.card_id, []).append((row, over))
    for card_id, parts in taken.items():
        card = page.cards[card_id]
        first = parts[0][0]
        entry = claw_back(
            page.account(card), "POINTS_CLAWBACK", [row.lot_id for row, _ in parts if row.lot_id is not None],
            sum(over for _, over in parts), page.place.now, new_id("card_entry"),
            policy=POLICIES[_policy(page, first) or ""],
            why=Why(related_id=first.entry_id, order_id=first.order_id, cause_id=first.rule_id),
        )  # fmt: skip
        page.moved.add(card.member_id)
        if entry is not None:
            page.book.enter([entry])
            page.told(card, entry)
            page.count(card).revoked -= entry.amount


def _policy(page: Sheet, row: Row) -> str | None:
    program = page.place.program(row.program_id)
    policy = None if program is None else program.cards.get(row.definition_id)
    return None if policy is None else policy.earned_refund


def _lessen(page: Sheet, row: Row, over: int, waits: dict[str, int], less: Less) -> None:
    assert row.pending_id is not None
    card = page.cards[row.card_id]
    waits[row.pending_id] -= over
    less.pending[row.pending_id] = less.pending.get(row.pending_id, 0) + over
    less.earnings[row.id] = over
    page.fewer_wait(card, row.pending_id, over)
    what = "updated" if waits[row.pending_id] else "canceled"
    page.tell_pending(what, card, row.pending_id, waits[row.pending_id])


async def _free(conn: db.Conn, place: Place, rows: Sequence[Row], less: Less) -> None:
    """What was taken back may be earned again, as far as limits go."""
    freed: dict[str, int] = {}
    for row in rows:
        program = place.program(row.program_id)
        if program is None:
            continue
        then = Situation(now=row.happened_at, zone=place.zone, week_start=place.week_start)
        keys = points_tallies(program.earning, row.rule_id, row.definition_id, row.member_id, then)
        for key in keys:
            freed[key] = freed.get(key, 0) - less.earnings[row.id]
    await tallies.lock(conn, place.project_id, freed)
    await tallies.write(conn, place.project_id, freed)


async def _write(conn: db.Conn, project_id: str, less: Less) -> None:
    if less.earnings:
        ids = sorted(less.earnings)
        await db.execute(conn, REVOKE, project_id, ids, [less.earnings[name] for name in ids])
    if less.pending:
        ids = sorted(less.pending)
        await db.execute(conn, LESSEN, project_id, ids, [less.pending[name] for name in ids])
