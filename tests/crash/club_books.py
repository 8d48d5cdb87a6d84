"""The club's books after a crash test, held against what the tills were told."""

from collections import Counter, defaultdict
from typing import Any

from guerdon.kit import db

from .club import BEGINNING, EARNED, PRICE, WORTH, Club, Member
from .till import Ask, Log

PURCHASES = """
    with told as (
        select entity_id, count(*) as events from events
        where project_id = $1
          and type in ('customer.reward_redemptions.created', 'customer.reward_redemptions.rolledback')
        group by 1
    )
    select p.id, p.member_id, p.reward_id, p.type, p.status, p.points, p.purchase_id, p.given ->> 'code' as code,
           coalesce(t.events, 0) as events
    from loyalty_purchases p left join told t on t.entity_id = p.id where p.project_id = $1
"""
PAYMENTS = "select id, member_id, order_id, status, points, amount, returned from loyalty_payments where project_id = $1"
STOCK = "select part_id, redeemed from loyalty_assignments where project_id = $1 and part_id = any($2)"
COUPONS = """
    select v.id, v.holder_id from vouchers v where v.project_id = $1 and v.campaign_id = $2 and v.deleted_at is null
"""
GIVEN = """
    select coalesce(p.given ->> 'voucher_id', '') as id from loyalty_purchases p
    where p.project_id = $1 and p.reward_id = $2 and p.type = 'PURCHASE' and p.status = 'APPROVED'
"""
ORDERS = """
    select o.id, o.status, o.metadata ->> 'ask' as ask,
           (select count(*) from loyalty_earnings e where e.project_id = $1 and e.order_id = o.id) as earned,
           (select count(*) from loyalty_pending w where w.project_id = $1 and w.order_id = o.id) as waits
    from orders o where o.project_id = $1 and o.customer_id = any($2)
"""
PENDING = "select id, card_id, status, points from loyalty_pending where project_id = $1"
BALANCES = """
    select c.id, c.balance, coalesce(sum(-e.amount) filter (where e.type = 'POINTS_REDEMPTION'), 0)::bigint as spent,
           coalesce(sum(e.amount) filter (where e.type = 'POINTS_REFUND'), 0)::bigint as refunded
    from cards c left join card_entries e on e.project_id = $1 and e.card_id = c.id
    where c.project_id = $1 and c.id = any($2) group by c.id, c.balance
"""


class Found:
    """What is in the books, and who asked for what."""

    def __init__(self, log: Log, club: Club) -> None:
        self.club = club
        self.members = {member.id: member for member in club.members}
        self.asks: dict[str, list[Ask]] = defaultdict(list)
        for ask in log.asks:
            self.asks[ask.kind].append(ask)
        self.purchases: list[Any] = []
        self.refunds: list[Any] = []
        self.payments: list[Any] = []
        self.cards: dict[str, Any] = {}

    async def read(self, conn: db.Db, project_id: str) -> None:
        """Read the rows that more than one look needs."""
        rows = await db.records(conn, PURCHASES, project_id)
        self.purchases = [row for row in rows if row["type"] == "PURCHASE"]
        self.refunds = [row for row in rows if row["type"] == "REFUND"]
        self.payments = await db.records(conn, PAYMENTS, project_id)
        cards = [card for member in self.club.members for card in (stored(member.card), stored(member.later))]
        rows = await db.records(conn, BALANCES, project_id, cards)
        self.cards = {row["id"]: row for row in rows}


def stored(name: str) -> str:
    """How the books call a card."""
    return "v_" + name.partition("_")[2]


async def compare(conn: db.Db, project_id: str, log: Log, club: Club) -> dict[str, int]:
    """What is wrong, counted by name; all zeros when all is well and the worker has done all that was to be done."""
    found = Found(log, club)
    await found.read(conn, project_id)
    return (
        _asked(found, "purchase", found.purchases, club.purchases)
        | _asked(found, "payment", found.payments, club.payments)
        | _refunds(found)
        | await _goods(conn, project_id, found)
        | await _orders(conn, project_id, found)
        | await _waiting(conn, project_id, found)
        | _points(found)
    )


def _asked(found: Found, kind: str, rows: list[Any], path_of: Any) -> dict[str, int]:
    """What was acknowledged is there; and beyond that no more than may be there of what was given up."""
    ids, wrong = {row["id"] for row in rows}, Counter[str]()
    told = Counter(made for ask in found.asks[kind] for made in ask.made)
    for member in found.club.members:
        own = [row["id"] for row in rows if row["member_id"] == member.id]
        asks = [ask for ask in found.asks[kind] if ask.path == path_of(member)]
        unknown = sum(ask.lost for ask in asks)
        assert not (member.sure and unknown)
        extra = sum(name not in told for name in own)
        wrong[f"{kind} unasked or twice"] += max(extra - unknown, 0)
    return {
        f"{kind} lost": sum(name not in ids for name in told),
        f"{kind} acknowledged to two": sum(count > 1 for count in told.values()),
        f"{kind} unasked or twice": wrong[f"{kind} unasked or twice"],
    }


def _refunds(found: Found) -> dict[str, int]:
    """Each purchase came back at most once: for sure where that was acknowledged, and only where it was asked for."""
    done = Counter(row["purchase_id"] for row in found.refunds)
    ids = {row["id"] for row in found.refunds}
    asked: dict[str, list[Ask]] = defaultdict(list)
    for ask in found.asks["refund"]:
        asked[ask.path].append(ask)
    wrong = Counter[str]()
    for row in found.purchases:
        asks = asked[found.club.refunds(row["id"])]
        won, lost = sum(ask.won for ask in asks), any(ask.lost for ask in asks)
        wrong["refund acknowledged to two"] += won > 1
        wrong["refund unasked"] += bool(done[row["id"]]) and not won and not lost
        wrong["refund ≠ its purchase's status"] += (row["status"] == "REFUNDED") != (done[row["id"]] == 1)
    return {
        "refund lost": sum(made not in ids for ask in found.asks["refund"] for made in ask.made),
        "refund twice": sum(count > 1 for count in done.values()),
        "refund acknowledged to two": wrong["refund acknowledged to two"],
        "refund unasked": wrong["refund unasked"],
        "refund ≠ its purchase's status": wrong["refund ≠ its purchase's status"],
        "purchase and refund ≠ one event": sum(row["events"] != 1 for row in found.purchases + found.refunds),
    }


async def _goods(conn: db.Db, project_id: str, found: Found) -> dict[str, int]:
    """The stock is what is bought and did not come back, all of it could be had; a code for each such purchase."""
    club = found.club
    kept = Counter(row["reward_id"] for row in found.purchases if row["status"] == "APPROVED")
    rows = await db.records(conn, STOCK, project_id, [club.mug, club.coupon])
    stock = {row["part_id"]: row["redeemed"] for row in rows}
    codes = {row["id"]: row["holder_id"] for row in await db.records(conn, COUPONS, project_id, club.coupons)}
    given = [row["id"] for row in await db.records(conn, GIVEN, project_id, club.coupon)]
    return {
        "stock ≠ purchases - refunds": sum(stock[reward] != kept[reward] for reward in stock),
        "stock oversold": int(stock[club.mug] > club.stock),
        "stock lost": int(stock[club.mug] < club.stock),
        "reward's code lost": sum(codes.get(name) is None for name in given),
        "reward's code given twice": len(given) - len(set(given)),
        "reward's code unbought": sum(name not in given for name in codes),
    }


async def _orders(conn: db.Db, project_id: str, found: Found) -> dict[str, int]:
    """Each paid order earns once; what points paid of it is never more than all, and comes back if it is off."""
    customers = [member.customer for member in found.club.members]
    orders = await db.records(conn, ORDERS, project_id, customers)
    times, asks = Counter(row["ask"] for row in orders), found.asks["order"]
    off = {row["id"] for row in orders if row["status"] == "CANCELED"}
    paid: Counter[str] = Counter()
    for row in found.payments:
        paid[row["order_id"]] += row["amount"] if row["status"] == "APPROVED" else 0
    approved = [row for row in found.payments if row["status"] == "APPROVED"]
    return {
        "order lost": sum(ask.won and not times[ask.id] for ask in asks),
        "order twice": sum(count > 1 for count in times.values()),
        "order did not earn": sum(not row["earned"] for row in orders if row["id"] not in off),
        "order earned twice": sum(max(row["earned"], row["waits"]) > 1 for row in orders),
        "cancellation lost": sum(
            ask.won and ask.path.rsplit("/", 1)[1] not in off for ask in found.asks["cancellation"]
        ),
        "order paid beyond its worth": sum(amount > WORTH for amount in paid.values()),
        "payment not given back": sum(
            row["returned"] != row["points"] for row in approved if row["order_id"] in off
        ),
        "payment given back though it stands": sum(
            row["returned"] > 0 for row in approved if row["order_id"] not in off
        ),
    }


async def _waiting(conn: db.Db, project_id: str, found: Found) -> dict[str, int]:
    """Points that waited became active or were given up once, by one who asked for that; they are on the card then."""
    rows = await db.records(conn, PENDING, project_id)
    asked: dict[str, list[Ask]] = defaultdict(list)
    for ask in found.asks["pending"]:
        asked[ask.path.split("/")[-2].partition("_")[2]].append(ask)
    wrong: Counter[str] = Counter()
    active: Counter[str] = Counter()
    for row in rows:
        asks = asked[row["id"].partition("_")[2]]
        won, lost = [ask for ask in asks if ask.won], any(ask.lost for ask in asks)
        state = {"ACTIVATED": "activate", "CANCELED": "cancel"}.get(row["status"], "")
        active[row["card_id"]] += row["points"] if state == "activate" else 0
        wrong["twice"] += len(won) > 1
        wrong["lost"] += any(not ask.path.endswith(f"/{state}") for ask in won) or (bool(won) and not state)
        wrong["unasked"] += bool(state) and not won and not lost
    later = [stored(member.later) for member in found.club.members]
    return {
        "waiting points settled twice": wrong["twice"],
        "settling of waiting points lost": wrong["lost"],
        "waiting points settled unasked": wrong["unasked"],
        "waiting points of another amount": sum(row["points"] != EARNED for row in rows),
        "active points ≠ what waited": sum(found.cards[card]["balance"] != active[card] for card in later),
    }


def _points(found: Found) -> dict[str, int]:
    """Cards say what purchases, payments and their refunds do; those of sure members what their tills were told."""
    wrong: Counter[str] = Counter()
    for member in found.club.members:
        card = found.cards[stored(member.card)]
        own = [row for row in found.payments if row["member_id"] == member.id and row["status"] == "APPROVED"]
        bought = [row for row in found.purchases if row["member_id"] == member.id]
        returned = sum(row["points"] for row in found.refunds if row["member_id"] == member.id)
        spent = sum(row["points"] for row in bought) + sum(row["points"] for row in own)
        wrong["spent"] += card["spent"] != spent
        wrong["refunded"] += card["refunded"] != returned + sum(row["returned"] for row in own)
        wrong["below zero"] += card["balance"] < 0
        wrong["told"] += member.sure and card["balance"] != _told(found, member)
    return {
        "points spent ≠ purchases + payments": wrong["spent"],
        "points back ≠ refunds + returned payments": wrong["refunded"],
        "points below zero": wrong["below zero"],
        "points ≠ what a sure member's tills were told": wrong["told"],
    }


def _told(found: Found, member: Member) -> int:
    """What a sure member's card must have; of payments the books say which were rejected, and what came back."""
    club, paid = found.club, {row["id"]: row for row in found.payments if row["status"] == "APPROVED"}
    own = {ask.made[0] for ask in found.asks["purchase"] if ask.won and ask.path == club.purchases(member)}
    back = sum(ask.won and ask.path.split("/")[-2] in own for ask in found.asks["refund"])
    payments = [
        paid[ask.made[0]]
        for ask in found.asks["payment"]
        if ask.won and ask.path == club.payments(member) and ask.made[0] in paid
    ]
    added = sum(
        ask.body["points"]
        for ask in found.asks["balance"]
        if ask.won and ask.path.endswith(f"/members/{member.code}/balance")
    )
    moved = sum(row["points"] - row["returned"] for row in payments)
    return BEGINNING + added - PRICE * (len(own) - back) - moved
