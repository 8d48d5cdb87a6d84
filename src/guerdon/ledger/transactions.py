"""The entries of cards as callers list them: what moved, why, and what it left."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import UNSET, Struct, UnsetType

from guerdon.engine.ledger import COUNTERS
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.paging import Field, Listing, page
from guerdon.ledger import origins

COLUMNS: LiteralString = """
    e.id, e.card_id, e.campaign_id, e.unit, e.type, e.amount, e.balance, greatest(e.total, 0) as total, e.related_id,
    e.redemption_id, e.order_id, e.cause_id, e.created_at, n.source_id, n.reason, n.source, o.source_id as order_source_id,
    r.body #>> '{v1,source,banner}' as banner
"""
SOURCE: LiteralString = "card_entries e"
JOINS: dict[str, LiteralString] = {
    "n": "left join card_notes n on n.project_id = e.project_id and n.entry_id = e.id",
    "o": "left join orders o on o.project_id = e.project_id and o.id = e.order_id",
    "r": "left join loyalty_parts r on r.project_id = e.project_id and r.id = e.cause_id",
}
FIELDS = {
    "id": Field("e.id"),
    "voucher_id": Field("e.card_id"),
    "campaign_id": Field("e.campaign_id"),
    "type": Field("e.type"),
    "amount": Field("e.amount", "number"),
    "balance": Field("e.balance", "number"),
    "related_transaction_id": Field("e.related_id"),
    "source_id": Field("n.source_id"),
    "reason": Field("n.reason"),
    "source": Field("n.source"),
    "created_at": Field("e.created_at", "date"),
}

# On one card the order of entries is that of their numbers.
OF_CARD = Listing(
    name="data",
    columns=COLUMNS,
    source=SOURCE,
    joins=JOINS,
    where="e.project_id = $1 and e.card_id = $2",
    id="e.id",
    fields=FIELDS,
    sorts={"created_at": "e.seq", "id": "e.seq"},
)
OF_CAMPAIGN = Listing(
    name="data",
    columns=COLUMNS,
    source=SOURCE,
    joins=JOINS,
    where="e.project_id = $1 and e.campaign_id = $2",
    id="e.id",
    fields=FIELDS,
    sorts={"created_at": "e.created_at", "id": "e.created_at"},
)

OF_ENTRIES: LiteralString = f"""
    select {COLUMNS} from {SOURCE} {JOINS["n"]} {JOINS["o"]} {JOINS["r"]}
    where e.project_id = $1 and e.card_id = $2 and e.id = any($3::text[])
"""

BY_HAND = ("CREDITS_ADDITION", "CREDITS_REMOVAL", "POINTS_ADDITION", "POINTS_REMOVAL", "CREDITS_CASH_OUT")


class EntryRow(Struct, gc=False):
    """An entry with what stands beside it."""

    id: str
    card_id: str
    campaign_id: str | None
    unit: str
    type: str
    amount: int
    balance: int
    total: int
    related_id: str | None
    redemption_id: str | None
    order_id: str | None
    cause_id: str | None
    created_at: datetime
    source_id: str | None
    reason: str | None
    source: str | None
    order_source_id: str | None
    banner: str | None


class Ref(Struct, omit_defaults=True):
    """A thing by its id."""

    id: str
    source_id: str | None = None
    type: str | None = None


class OrderRef(Struct):
    """An order by its id, and by the caller's."""

    id: str
    source_id: str | None


class Banner(Struct):
    """What a rule is called where it is shown."""

    banner: str


class RuleRef(Struct):
    """The earning rule that gave points."""

    id: str
    source: Banner


class Balance(Struct, kw_only=True):
    """What was moved (`amount`, signed), what is there after it, and `total`: what would be, had nothing been redeemed; at
    least 0.
    """

    type: Literal["gift_voucher", "loyalty_card"]
    total: int
    object: Literal["balance"] = "balance"
    amount: int | UnsetType = UNSET
    points: int | UnsetType = UNSET
    balance: int
    operation_type: Literal["MANUAL", "AUTOMATIC"]
    related_object: Ref


class Details(Struct, kw_only=True):
    """What belongs to a transaction. Of what points came: the event, the segment entered or the custom event with its
    schema, the holder's tier then and the one that changed what the rule gives, the points that waited. What took them:
    the reward. The card on the other side of a transfer is told as it is now.
    """

    balance: Balance
    order: OrderRef | UnsetType = UNSET
    redemption: Ref | UnsetType = UNSET
    rollback: Ref | UnsetType = UNSET
    earning_rule: RuleRef | UnsetType = UNSET
    event: dict[str, str] | UnsetType = UNSET
    segment: dict[str, str] | UnsetType = UNSET
    custom_event: dict[str, str] | UnsetType = UNSET
    event_schema: dict[str, str] | UnsetType = UNSET
    loyalty_tier: dict[str, str] | UnsetType = UNSET
    holder_loyalty_tier: dict[str, str] | UnsetType = UNSET
    pending_points: dict[str, Any] | UnsetType = UNSET
    reward: dict[str, str] | UnsetType = UNSET
    source_voucher: dict[str, Any] | UnsetType = UNSET
    destination_voucher: dict[str, Any] | UnsetType = UNSET


class Transaction(Struct, kw_only=True):
    """An entry as answered. `account` is the account of the books that it moved value from or to."""

    id: str
    source_id: str | None
    voucher_id: str
    campaign_id: str | None
    source: str | None
    reason: str | None
    type: str
    account: str
    details: Details
    related_transaction_id: str | None
    created_at: str


class Transactions(Struct, kw_only=True):
    """A page of transactions, newest first; `more_starting_after` is the id to go on behind."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[Transaction]
    total: int
    has_more: bool
    more_starting_after: str | None


async def transactions(
    conn: db.Db, project_id: str, listing: Listing, of: str, query: list[tuple[str, str]], zone: str
) -> Transactions:
    """One page of a card's or a campaign's transactions. Raises `ApiError` 400 for a query that cannot be."""
    found = await page(conn, EntryRow, listing, project_id, query, args=(of,), zone=zone)
    told = await origins.of_page(conn, project_id, found.rows, zone)
    return Transactions(
        data=[shape(row, told.get(row.id, {})) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def of_entries(
    conn: db.Db, project_id: str, card_id: str, ids: list[str], zone: str
) -> dict[str, Transaction]:
    """Some of a card's transactions, by their ids."""
    if not ids:
        return {}
    rows = await db.rows(conn, EntryRow, OF_ENTRIES, project_id, card_id, ids)
    told = await origins.of_page(conn, project_id, rows, zone)
    return {row.id: shape(row, told.get(row.id, {})) for row in rows}


def shape(row: EntryRow, origin: Mapping[str, Any]) -> Transaction:
    """An entry's answer, with what it came of."""
    credits = row.unit == "credits"
    balance = Balance(
        type="gift_voucher" if credits else "loyalty_card",
        total=row.total,
        balance=row.balance,
        operation_type="MANUAL" if row.type in BY_HAND else "AUTOMATIC",
        related_object=Ref(row.card_id, type="voucher"),
    )
    if credits:
        balance.amount = row.amount
    else:
        balance.points = row.amount
    details = Details(balance=balance)
    if row.order_id is not None:
        details.order = OrderRef(row.order_id, row.order_source_id)
    if row.redemption_id is not None:
        details.redemption = Ref(row.redemption_id)
        if row.cause_id is not None and row.cause_id.startswith("rr_"):
            details.rollback = Ref(row.cause_id)
    if row.cause_id is not None and row.cause_id.startswith("lern_"):
        # As the older API calls it.
        details.earning_rule = RuleRef(row.cause_id.removeprefix("l"), Banner(row.banner or ""))
    for name, value in origin.items():
        setattr(details, name, value)
    if details.pending_points is not UNSET:
        parts = {"event": details.event, "earning_rule": details.earning_rule, "order": details.order}
        waited = {name: part for name, part in parts.items() if part is not UNSET}
        details.pending_points = details.pending_points | {"details": waited}
    return Transaction(
        id=row.id,
        source_id=row.source_id,
        voucher_id=row.card_id,
        campaign_id=row.campaign_id,
        source=row.source,
        reason=row.reason,
        type=row.type,
        account=COUNTERS[row.type],
        details=details,
        related_transaction_id=row.related_id,
        created_at=iso(row.created_at),
    )
