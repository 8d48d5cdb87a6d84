"""Benefits that rules give beside points: noted where rules are asked, given by a job of their own right after.

Each is given once for its rule and cause. What cannot be given is kept as REJECTED, with the reason.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from msgspec import Struct

from guerdon.definitions.snapshot import Snapshot
from guerdon.engine.checks import Redeemable
from guerdon.engine.earning_parse import parse_earning_rule
from guerdon.engine.earning_points import Basket, reckon
from guerdon.engine.earning_rule import BenefitOf, Fixed, Granted, Proportional
from guerdon.engine.order import Order
from guerdon.engine.situation import Situation
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.giving import Goods, goods_of
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place

FULFIL = "loyalty.fulfil"
REASON = "Benefit of an earning rule"

COLUMNS: LiteralString = (
    "b.id, b.program_id, b.member_id, b.benefit_id, b.rule_id, b.earning_id, b.cause_id, b.order_id, b.status, b.points,"
    " b.basis, b.details, b.given, b.created_at, b.updated_at"
)
INSERT = """
    insert into loyalty_benefits (project_id, id, program_id, member_id, benefit_id, rule_id, earning_id, cause_id,
                                  order_id, points, basis, status, details, created_at)
    select $1, t.*, 'PENDING', $12, $13
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::bigint[], $11::bigint[])
        as t (id, program_id, member_id, benefit_id, rule_id, earning_id, cause_id, order_id, points, basis)
    on conflict (project_id, member_id, cause_id, rule_id, earning_id, benefit_id) do nothing
    returning id
"""
DONE = """
    select distinct b.member_id, b.cause_id from unnest($2::text[], $3::text[]) as w (member_id, cause_id)
    join loyalty_benefits b on b.project_id = $1 and b.member_id = w.member_id and b.cause_id = w.cause_id
"""
GONE = "select p.id, p.taken from loyalty_parts p where p.project_id = $1 and p.id = any($2)"
LAST = """
    select b.member_id, b.rule_id, max(b.created_at) as at from loyalty_benefits b
    where b.project_id = $1 and b.member_id = any($2) and b.rule_id = any($3) group by b.member_id, b.rule_id
"""


class BenefitRow(Struct, kw_only=True):
    """A row of `loyalty_benefits`."""

    id: str
    program_id: str
    member_id: str
    benefit_id: str
    rule_id: str
    earning_id: str
    cause_id: str
    order_id: str | None
    status: str
    points: int | None
    basis: int | None
    details: dict[str, Any]
    given: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class Benefit(Struct, frozen=True, kw_only=True):
    """A benefit as it is now. `gives` are its points; `section` is its material or digital part; `stock` None: no end."""

    id: str
    name: str
    type: str
    active: bool
    gives: Fixed | Proportional | None
    goods: Goods
    section: Mapping[str, Any]
    stock: int | None


async def exhausted(conn: db.Db, place: Place, ids: Collection[str]) -> set[str]:
    """Those of some benefits that nobody would be given now: switched off, or none is left."""
    known = {name: benefit(place.snapshot, name) for name in ids}
    gone = {name for name, one in known.items() if one is None or not one.active}
    stocks = {name: one.stock for name, one in known.items() if one is not None and one.stock is not None}
    records = await db.records(conn, GONE, place.project_id, sorted(stocks)) if stocks else []
    return gone | {record["id"] for record in records if record["taken"] >= stocks[record["id"]]}


def benefit(snapshot: Snapshot, benefit_id: str) -> Benefit | None:
    """A benefit by its id."""
    known = snapshot.loyalty_made.get(benefit_id)
    defined = snapshot.loyalty.get(benefit_id)
    if known is not None or defined is None or defined.kind != "benefit":
        return known
    body = defined.body
    section = body.get("material") or body.get("digital") or {}
    goods, gives = goods_of(section), None
    if body["type"] == "POINTS":
        gives, goods = (
            Fixed(body["points"]["value"]),
            Goods("POINTS", card=body["points"]["card_definition_id"]),
        )
    elif body["type"] == "POINTS_PROPORTIONAL":
        gives, card = _proportional(body, benefit_id)
        goods = Goods("POINTS", card=card)
    made = snapshot.loyalty_made[benefit_id] = Benefit(
        id=benefit_id,
        name=defined.name,
        type=body["type"],
        active=defined.status == "ACTIVE",
        gives=gives,
        goods=goods,
        section=section,
        stock=(body["stock"].get("limited") or {}).get("quantity"),
    )
    return made


def _proportional(body: Mapping[str, Any], benefit_id: str) -> tuple[Proportional, str]:
    """Points in proportion are read as an earning rule has them."""
    effect = {"type": "POINTS_PROPORTIONAL", "points_proportional": body["points_proportional"]}
    of_event = body["points_proportional"]["calculation_type"].startswith("CUSTOM_EVENT")
    event = "customer.custom_event" if of_event else "customer.order.paid"
    trigger = {"event": event, "custom_event": {"schema_id": "any"}}
    rule = parse_earning_rule({"trigger": trigger, "earnings": [{"effects": [effect]}]}, benefit_id)
    read = rule.earnings[0].effects[0]
    assert isinstance(read.gives, Proportional)
    return read.gives, read.card


def rules_with(programs: Iterable[Program]) -> frozenset[str]:
    """The rules that give benefits."""
    return frozenset(
        rule.id
        for program in programs
        for rules in program.earning.rules.values()
        for rule in rules
        if any(isinstance(effect.gives, BenefitOf) for one in rule.earnings for effect in one.effects)
    )


async def done(conn: db.Db, project_id: str, asked: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """For which of these (member, cause) benefits were given already."""
    if not asked:
        return set()
    members, causes = zip(*asked, strict=True)
    records = await db.records(conn, DONE, project_id, list(members), list(causes))
    return {(record["member_id"], record["cause_id"]) for record in records}


async def last(
    conn: db.Db, project_id: str, members: Collection[str], rules: Collection[str]
) -> dict[tuple[str, str], datetime]:
    """When rules last gave benefits to members."""
    records = await db.records(conn, LAST, project_id, list(members), list(rules))
    return {(record["member_id"], record["rule_id"]): record["at"] for record in records}


def noted(
    place: Place, granted: Sequence[Granted], member: MemberRow, cause_id: str, situation: Situation
) -> list[BenefitRow]:
    """What rules gave a member because of something, to be written; points are reckoned from what happened."""
    rows: list[BenefitRow] = []
    for one in granted:
        found = benefit(place.snapshot, one.benefit_id)
        if found is None:
            continue
        points = None
        if found.gives is not None:
            who = Redeemable(
                id=member.id, key=member.id, campaign_id=member.program_id, metadata=member.metadata
            )
            points = reckon(found.gives, Basket(situation), who).points
            if not points:
                continue
        rows.append(
            BenefitRow(
                id=new_id("benefit_transaction"),
                program_id=member.program_id,
                member_id=member.id,
                benefit_id=one.benefit_id,
                rule_id=one.rule_id,
                earning_id=one.earning_id,
                cause_id=cause_id,
                order_id=None if situation.order is None else situation.order.id,
                status="PENDING",
                points=points,
                basis=_worth(situation.order),
                details={"reason": REASON, "rejection": None, "metadata": {}, "result": None},
                given={},
                created_at=place.now,
                updated_at=None,
            )
        )
    return rows


def _worth(order: Order | None) -> int | None:
    if order is None:
        return None
    return order.amount if order.total_amount is None else order.total_amount


async def note(conn: db.Conn, place: Place, rows: Sequence[BenefitRow]) -> None:
    """Write what is to be given, and have it given."""
    if not rows:
        return
    columns = [
        [getattr(row, name) for row in rows]
        for name in (
            "id", "program_id", "member_id", "benefit_id", "rule_id", "earning_id", "cause_id", "order_id", "points", "basis",
        )
    ]  # fmt: skip
    made = await db.records(conn, INSERT, place.project_id, *columns, rows[0].details, place.now)
    if made:
        await enqueue(conn, place.project_id, FULFIL, {"benefits": sorted(record["id"] for record in made)})
