"""Buying rewards with points: `buy` decides and writes any number of purchases in the transaction that is open.

    place = await held_place(conn, project_id)
    bought = await buy(conn, place, [Wanted(program_id=…, member_id=…, reward_id=…)])

Each comes to a `Bought`, or to the `ApiError` (404, 423) that refuses it; a refused one has changed nothing, and the
others stand. `dry` decides the same way and writes nothing. `buy` takes all locks itself, in the order of the house
(campaigns that mint codes, members, vouchers, the ledger's cards, stock), so it must be the first to do so.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from guerdon.engine.expiry import SPENDING
from guerdon.engine.ledger import Entry, Why, spend
from guerdon.engine.situation import Person
from guerdon.kit import db
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue
from guerdon.kit.outbox import Event
from guerdon.loyalty import giving, members_store, sheet
from guerdon.loyalty import purchases_store as store
from guerdon.loyalty.compiled import Program, Reward
from guerdon.loyalty.earn import slide
from guerdon.loyalty.enrol import NewMember, enrol
from guerdon.loyalty.giving import Counter, Given, Goods
from guerdon.loyalty.happened import know
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place
from guerdon.loyalty.purchases_store import PurchaseRow, Stock
from guerdon.loyalty.quote import Facts, Price, card_off, dues, out_of_stock, quote, rules_of
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand

REASON = "Points spent on reward"
BOUGHT = "redemptions.bought"
"""The job that shows purchases as redemptions, where the older API has the program and did not ask for them."""
MOST_SHOWN = 200
"""So many a job."""


class Wanted(Struct, kw_only=True, frozen=True):
    """A reward that a member is to have.

    confirm: goods stay PENDING until somebody says that they were handed over.
    redemption_id, order_id: what the entry on the card names, where the older API redeems the card for it.
    """

    program_id: str
    member_id: str
    reward_id: str
    channel: str = "API"
    confirm: bool = False
    redemption_id: str | None = None
    order_id: str | None = None


class Bought(Struct, kw_only=True):
    """A purchase: its row, the entry that took the points (None for a price of nothing, and in a dry run), and what
    was given (None in a dry run).
    """

    row: PurchaseRow
    entry: Entry | None = None
    given: Given | None = None


class Plan(Struct, kw_only=True):
    """A purchase on its way."""

    wanted: Wanted
    program: Program
    reward: Reward
    goods: Goods
    member: MemberRow | None = None
    target: str | None = None


class Deal(Struct):
    """All that is decided on, under lock."""

    page: Sheet
    counter: Counter
    stock: Stock
    facts: Facts
    rows: list[PurchaseRow] = field(default_factory=list)


async def buy(
    conn: db.Conn, place: Place, wanted: Sequence[Wanted], *, dry: bool = False
) -> list[Bought | ApiError]:
    """Buy rewards, each or none of it; see the module's text. Answers are in the order of what is wanted."""
    plans = [_plan(place, one) for one in wanted]
    ready = [plan for plan in plans if isinstance(plan, Plan)]
    deal = await _prepare(conn, place, ready, dry=dry) if ready else None
    answers: list[Bought | ApiError] = []
    for plan in plans:
        answers.append(plan if isinstance(plan, ApiError) else await _settle(conn, deal, plan, dry))  # type: ignore[arg-type]
    if deal is None or dry or not deal.rows:
        return answers
    await sheet.write(conn, deal.page)
    await store.write_stock(conn, place.project_id, deal.stock)
    await store.insert(conn, place.project_id, deal.rows)
    await restand(conn, deal.page, deal.page.moved)
    await sheet.close(conn, deal.page)
    asked = {one.redemption_id for one in wanted}
    await show(conn, place.project_id, [row for row in deal.rows if row.redemption_id not in asked])
    return answers


async def show(conn: db.Conn, project_id: str, rows: Sequence[PurchaseRow]) -> None:
    """Have purchases, or what became of them since, be seen as redemptions of the card."""
    ids = [row.id for row in rows if row.redemption_id is not None]
    for start in range(0, len(ids), MOST_SHOWN):
        await enqueue(conn, project_id, BOUGHT, {"purchases": ids[start : start + MOST_SHOWN]})


def _plan(place: Place, wanted: Wanted) -> Plan | ApiError:
    program = place.program(wanted.program_id)
    if program is None:
        return not_found("program", wanted.program_id)
    reward = program.rewards.get(wanted.reward_id)
    if reward is None:
        return not_found("reward", wanted.reward_id)
    return Plan(wanted=wanted, program=program, reward=reward, goods=giving.goods_of(reward.goods))


async def _prepare(conn: db.Conn, place: Place, plans: Sequence[Plan], *, dry: bool) -> Deal:
    """Gather everything under lock."""
    campaigns = await giving.campaigns_of(conn, place, {plan.goods for plan in plans})
    others = await _other_members(conn, place, plans, dry=dry)
    ids = {plan.wanted.member_id for plan in plans} | others
    members = {row.id: row for row in await members_store.lock_all(conn, place.project_id, ids)}
    for plan in plans:
        found = members.get(plan.wanted.member_id)
        if found is not None and found.status != "DELETED" and found.program_id == plan.program.id:
            plan.member = found
    wanted = [(plan.goods, plan.member.customer_id) for plan in plans if plan.member is not None]
    paying = await members_store.cards_of(conn, place.project_id, [p.member.id for p in plans if p.member])
    counter = await giving.lay_out(conn, place, campaigns, wanted, [card.id for card in paying])
    alive = [row for row in members.values() if row.status != "DELETED"]
    page = await open_sheet(conn, place, alive, beside=counter.accounts)
    stock = await store.lock_stock(
        conn,
        place.project_id,
        {(plan.program.id, plan.reward.id) for plan in plans},
        {plan.reward.id for plan in plans if plan.reward.older is not None},
    )
    return Deal(page, counter, stock, await _facts(conn, page, plans))


async def _other_members(conn: db.Conn, place: Place, plans: Sequence[Plan], *, dry: bool) -> set[str]:
    """Who gets points on a card of another program; who is no member there becomes one."""
    elsewhere = [
        (plan, target)
        for plan in plans
        if plan.goods.kind == "POINTS"
        and (target := giving.program_of(place, plan.goods, plan.program.id)) != plan.program.id
    ]
    found: set[str] = set()
    for plan, target in elsewhere:
        plan.target = target
        member = await members_store.find(conn, place.project_id, plan.program.id, plan.wanted.member_id)
        program = place.program(target)
        if member is None or program is None:
            continue
        there = await members_store.of_customer(conn, place.project_id, member.customer_id)
        names = {row.id for row in there if row.program_id == target}
        if not names and not dry and program.active:
            await enrol(conn, place, program, [NewMember(customer_id=member.customer_id)])
            # Somebody else may have been quicker.
            there = await members_store.of_customer(conn, place.project_id, member.customer_id)
            names = {row.id for row in there if row.program_id == target}
        found |= names
    return found


async def _facts(conn: db.Conn, page: Sheet, plans: Sequence[Plan]) -> Facts:
    """What prices and limits go by."""
    place = page.place
    due = [(plan.member, plan.program, plan.reward) for plan in plans if plan.member is not None]
    asked, since = dues(page, due)
    rules = [each for plan in plans for each in rules_of(place, plan.reward)]
    people: dict[str, Person] = {}
    if rules:
        segments = frozenset().union(*(each.segments for each in rules))
        customers = sorted({member.customer_id for member, _, _ in due})
        tiers = any(each.asks_tiers for each in rules)
        people = (await know(conn, place, [], customers, segments, (), tiers=tiers)).people
    return Facts(
        before=await store.before(conn, place.project_id, asked),
        spent=await store.spent(conn, place.project_id, since),
        kept=await store.kept(conn, place.project_id, page.cards, place.now),
        people=people,
    )


async def _settle(conn: db.Conn, deal: Deal, plan: Plan, dry: bool) -> Bought | ApiError:
    """One purchase on the sheet."""
    page, member, reward = deal.page, plan.member, plan.reward
    if member is None:
        return not_found("member", plan.wanted.member_id)
    left = deal.stock.left(plan.program.id, reward.id, reward.stock)
    price = quote(page, deal.facts, plan.program, reward, member, left)
    if isinstance(price, ApiError):
        return price
    if price.card.id in deal.counter.off:
        return card_off(price.card)
    target = _target(page, plan, member, dry)
    if isinstance(target, ApiError):
        return target
    if not giving.has(deal.counter, plan.goods, member.customer_id, page.place):
        return out_of_stock(reward)
    row = _row(page.place, plan, member, price)
    if dry:
        return Bought(row=row)
    done = await giving.hand_over(conn, page, deal.counter, plan.goods, member.customer_id, target, row.id)
    if done is None:
        return out_of_stock(reward)
    entry = _pay(page, plan, price, row)
    deal.facts.note(member.id, reward.id, price, page.place.now)
    deal.stock.take(plan.program.id, reward.id)
    _describe(row, plan, price, done)
    deal.rows.append(row)
    _tell(page, plan, member, row)
    return Bought(row=row, entry=entry, given=done)


def _target(page: Sheet, plan: Plan, member: MemberRow, dry: bool) -> CardRow | ApiError | None:
    """The card that points are for; None where no points are given, or where it would be made just now."""
    if plan.goods.kind != "POINTS":
        return None
    owner = member.id
    if plan.target is not None:
        there = (
            m.id
            for m in page.members.values()
            if m.program_id == plan.target and m.customer_id == member.customer_id
        )
        owner = next(there, "")
        program = page.place.program(plan.target)
        if dry and not owner and program is not None and program.active and plan.goods.card in program.cards:
            return None
    card = page.by_member.get(owner, {}).get(plan.goods.card)
    if card is None:
        return ApiError(
            423, "no_target_card", "No card for the points",
            f"The member has no card of {plan.goods.card!r} that the points of the reward could go to.",
            resource_id=plan.reward.id, resource_type="reward",
        )  # fmt: skip
    return card


def _row(place: Place, plan: Plan, member: MemberRow, price: Price) -> PurchaseRow:
    redemption_id = plan.wanted.redemption_id
    if redemption_id is None and plan.program.older:
        redemption_id = new_id("redemption")
    pending = plan.wanted.confirm and plan.goods.kind == "GOODS"
    return PurchaseRow(
        id=new_id("reward_purchase"),
        program_id=plan.program.id,
        member_id=member.id,
        card_id=price.card.id,
        reward_id=plan.reward.id,
        type="PURCHASE",
        status="PENDING" if pending else "APPROVED",
        points=price.points,
        entry_id=None,
        purchase_id=None,
        details=details(REASON, price.points),
        channel=plan.wanted.channel,
        redemption_id=redemption_id,
        given={},
        created_at=place.now,
        updated_at=None if pending else place.now,
    )


def details(reason: str, points: int) -> dict[str, Any]:
    """What a transaction says of itself before anything was given."""
    return {"reason": reason, "rejection": None, "metadata": {}, "points": {"total": points}, "result": None}


def _pay(page: Sheet, plan: Plan, price: Price, row: PurchaseRow) -> Entry | None:
    if not price.points:
        return None
    why = Why(redemption_id=row.redemption_id, order_id=plan.wanted.order_id, cause_id=row.id)
    entry = spend(
        page.account(price.card), "POINTS_REDEMPTION", price.points, page.place.now, new_id("card_entry"),
        order=page.book.order_of(price.card.id), why=why, open_at=page.place.open_at,
    )  # fmt: skip
    page.book.enter([entry])
    page.told(price.card, entry)
    page.moved.add(price.card.member_id)
    slide(page, plan.program, price.card.member_id, SPENDING)
    row.entry_id = entry.id
    return entry


def _describe(row: PurchaseRow, plan: Plan, price: Price, done: Given) -> None:
    """What was given, in the row: as answers show it, and as a refund needs it."""
    shown = giving.result_of(done, plan.reward.goods)
    row.details["result"] = {
        "reward": {"id": plan.reward.id, "type": plan.reward.type},
        "quantity": 1,
    } | shown
    row.given = giving.kept(done) | {"cost_id": price.cost_id}


def _tell(page: Sheet, plan: Plan, member: MemberRow, row: PurchaseRow) -> None:
    about = {
        "id": row.id,
        "status": row.status,
        "points": row.points,
        "reward": {"id": plan.reward.id, "name": plan.reward.name, "type": plan.reward.type},
        "campaign": {"id": plan.program.id, "name": plan.program.name},
        "voucher": {"id": row.card_id},
        "result": row.details["result"],
        "redemption_id": row.redemption_id,
    }
    done = "pending" if row.status == "PENDING" else "completed"
    for what in ("created", done):
        page.events.append(Event(f"customer.reward_redemptions.{what}", row.id, member.customer_id, about))


async def confirm(conn: db.Conn, project_id: str, purchase_id: str, now: datetime) -> PurchaseRow | None:
    """Note that the goods of a purchase were handed over: from PENDING to APPROVED; None for another state."""
    row = await store.find(conn, project_id, purchase_id, lock=True)
    if row is None or row.type != "PURCHASE" or row.status != "PENDING":
        return None
    row.status, row.updated_at = "APPROVED", now
    await store.settle(conn, project_id, row)
    return row
