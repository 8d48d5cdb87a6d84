"""Benefits given to members, and taken back where the order that earned them does not stand any more."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.order import Order
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.outbox import Event
from guerdon.loyalty import giving, members_store, sheet
from guerdon.loyalty.benefits import COLUMNS, Benefit, BenefitRow, benefit
from guerdon.loyalty.earn import Told
from guerdon.loyalty.giving import Counter, Given, Goods
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand
from guerdon.loyalty.taking_back import Policy, codes_given, take_back
from guerdon.orders import locked as orders

LOOK = f"select {COLUMNS} from loyalty_benefits b where b.project_id = $1 and b.id = any($2) and b.status = 'PENDING'"
LOCK = f"""
    select {COLUMNS} from loyalty_benefits b
    where b.project_id = $1 and b.id = any($2) and b.status = 'PENDING' order by b.id for update
"""
SETTLE = """
    update loyalty_benefits b set status = w.status, details = w.details, given = w.given, updated_at = $6
    from unnest($2::text[], $3::text[], $4::jsonb[], $5::jsonb[]) as w (id, status, details, given)
    where b.project_id = $1 and b.id = w.id
"""
TAKEN = "select p.id, p.taken from loyalty_parts p where p.project_id = $1 and p.id = any($2) order by p.id for update"
TAKE = """
    update loyalty_parts p set taken = p.taken + w.count
    from unnest($2::text[], $3::bigint[]) as w (id, count) where p.project_id = $1 and p.id = w.id
"""
OF_ORDERS = f"""
    select {COLUMNS} from loyalty_benefits b
    where b.project_id = $1 and b.order_id = any($2) and b.status = 'APPROVED' order by b.id
"""


class Batch(Struct):
    """What is decided on, beside the sheet: how often benefits were given before, and how often now."""

    page: Sheet
    counter: Counter
    taken: dict[str, int]
    more: dict[str, int]


async def fulfil_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Give what rules granted, in the transaction that is open."""
    place = await held_place(conn, project_id)
    ids = sorted({name for _, payload, _ in told for name in payload["benefits"]})
    seen = await db.rows(conn, BenefitRow, LOOK, project_id, ids)
    known = {row.benefit_id: benefit(place.snapshot, row.benefit_id) for row in seen}
    goods = {name: one.goods for name, one in known.items() if one is not None}
    campaigns = await giving.campaigns_of(conn, place, goods.values())
    members = await members_store.lock_all(conn, project_id, {row.member_id for row in seen})
    by_id = {member.id: member for member in members if member.status == "ACTIVE"}
    rows = await db.rows(conn, BenefitRow, LOCK, project_id, ids)
    wanted = [
        (goods[row.benefit_id], by_id[row.member_id].customer_id)
        for row in rows
        if row.benefit_id in goods and row.member_id in by_id
    ]
    counter = await giving.lay_out(conn, place, campaigns, wanted)
    page = await open_sheet(conn, place, list(by_id.values()), beside=counter.accounts)
    limited = sorted(name for name, one in known.items() if one is not None)
    records = await db.records(conn, TAKEN, project_id, limited)
    batch = Batch(page, counter, {record["id"]: record["taken"] for record in records}, {})
    for row in rows:
        await _give(conn, batch, row, known[row.benefit_id])
    await sheet.write(conn, page)
    if batch.more:
        await db.execute(conn, TAKE, project_id, list(batch.more), list(batch.more.values()))
    await _settle(conn, place, rows)
    await restand(conn, page, page.moved)
    await sheet.close(conn, page)


async def _settle(conn: db.Conn, place: Place, rows: Sequence[BenefitRow]) -> None:
    await db.execute(
        conn, SETTLE, place.project_id, [r.id for r in rows], [r.status for r in rows], [r.details for r in rows],
        [r.given for r in rows], place.now,
    )  # fmt: skip


async def _give(conn: db.Conn, batch: Batch, row: BenefitRow, found: Benefit | None) -> None:
    """One benefit, given or refused."""
    page, member = batch.page, batch.page.members.get(row.member_id)
    if found is None or not found.active:
        return _refuse(row, "BENEFIT_NOT_ACTIVE", "The benefit is not ACTIVE any more.")
    if member is None:
        return _refuse(row, "MEMBER_NOT_ACTIVE", "The member is not ACTIVE any more.")
    gone = batch.taken.get(found.id, 0) + batch.more.get(found.id, 0)
    if found.stock is not None and gone >= found.stock:
        return _refuse(row, "OUT_OF_STOCK", "None is left of the benefit.")
    goods = found.goods if row.points is None else replace(found.goods, amount=row.points)
    card = page.by_member.get(member.id, {}).get(goods.card) if goods.kind == "POINTS" else None
    if goods.kind == "POINTS" and card is None:
        return _refuse(row, "NO_CARD", "The member has no card that the points could go to.")
    done = await giving.hand_over(conn, page, batch.counter, goods, member.customer_id, card, row.id)
    if done is None:
        return _refuse(row, "OUT_OF_STOCK", "The campaign has no code left.")
    batch.more[found.id] = batch.more.get(found.id, 0) + 1
    row.status, row.given = "APPROVED", giving.kept(done)
    row.details = row.details | {"result": _result(found, goods, done)}
    _tell(page, row, found, member)
    return None


def _refuse(row: BenefitRow, reason: str, why: str) -> None:
    row.status, row.details = "REJECTED", row.details | {"rejection": {"reason": reason, "details": why}}


def _result(found: Benefit, goods: Goods, done: Given) -> dict[str, Any]:
    told = {"benefit": {"id": found.id, "type": found.type}, "quantity": 1}
    if goods.kind == "POINTS":
        shown = giving.result_of(done, {"type": "LOYALTY_CARD_POINTS"})["digital"]["loyalty_card_points"]
        return told | {"points": shown, "material": None, "digital": None}
    return told | giving.result_of(done, found.section)


def _tell(page: Sheet, row: BenefitRow, found: Benefit, member: MemberRow) -> None:
    about = {
        "id": row.id,
        "benefit": {"id": found.id, "name": found.name, "type": found.type},
        "campaign": {"id": row.program_id},
        "earning_rule": {"id": row.rule_id},
        "result": row.details["result"],
        "at": iso(page.place.now),
    }
    name = "customer.rewarded" if row.points is None else "customer.rewarded.loyalty_points"
    page.events.append(Event(name, row.id, member.customer_id, about))


# Taking back -----------------------------------------------------------------------------------------------------

POLICIES: dict[str, Policy] = {
    "REVOKE_TO_ZERO": "FLOOR",
    "REVOKE_BELOW_ZERO": "NEGATIVE",
    "REVOKE_INTO_DEBT": "DEBT",
}


async def ungive_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Take back what orders earned beside points that do not stand any more.

    Codes and credits come back with the whole order, points in proportion to it, both as far as the member's card
    gives back what was earned. Codes that were used stay used.
    """
    place = await held_place(conn, project_id)
    ids = sorted({payload["order_id"] for _, payload, _ in told})
    found = {order.id: order for order in await orders.look(conn, project_id, ids, [], lock=True)}
    seen = await db.rows(conn, BenefitRow, OF_ORDERS, project_id, ids)
    members = await members_store.lock_all(conn, project_id, {row.member_id for row in seen})
    alive = [member for member in members if member.status != "DELETED"]
    codes = await codes_given(conn, project_id, [row.given for row in seen])
    lots = [row.given["lot_id"] for row in seen if "lot_id" in row.given]
    gifts = {row.given["card_id"] for row in seen if row.given.get("kind") == "GIFT"}
    page = await open_sheet(conn, place, alive, lots, gifts)
    rows = await db.rows(conn, BenefitRow, OF_ORDERS, project_id, ids)  # now that nobody else takes from them
    changed: list[BenefitRow] = []
    for row in rows:
        amount = _due(row, found.get(row.order_id))
        policy = _policy(place, row)
        if amount <= 0 or policy is None or row.member_id not in page.members:
            continue
        back = await take_back(conn, page, codes, row.given, row.id, policy=policy, amount=amount)
        row.given = row.given | {"returned": row.given.get("returned", 0) + amount}
        what = (
            {"amount": row.given["returned"]}
            if row.given["kind"] in ("GIFT", "POINTS")
            else {"deleted": back.deleted}
        )
        row.details = row.details | {"metadata": {**row.details["metadata"], "returned": what}}
        changed.append(row)
    await sheet.write(conn, page)
    if changed:
        await _settle(conn, place, changed)
    await restand(conn, page, page.moved, "RETURN")
    await sheet.close(conn, page)


def _due(row: BenefitRow, order: Order | None) -> int:
    """How much is to come back beyond what did: of a code or goods 1, of points and credits as many."""
    whole = row.given.get("amount", 1)
    before = row.given.get("returned", 0)
    stays = 0
    if order is not None and order.status != "CANCELED":
        stays = (order.amount if order.total_amount is None else order.total_amount) or 0
    if stays >= (row.basis or 0) > 0 or (stays and row.given.get("kind") != "POINTS"):
        return 0
    keeps = ceil(Fraction(whole * stays, row.basis)) if row.basis else 0
    return whole - keeps - before


def _policy(place: Place, row: BenefitRow) -> Policy | None:
    """What becomes of points that were spent meanwhile; None where earned points stay. Credits are owed."""
    if row.given.get("kind") != "POINTS":
        return "DEBT"
    program, found = place.program(row.program_id), benefit(place.snapshot, row.benefit_id)
    policy = None if program is None or found is None else program.cards.get(found.goods.card)
    return (
        None
        if policy is None or policy.earned_refund is None
        else POLICIES.get(policy.earned_refund, "FLOOR")
    )
