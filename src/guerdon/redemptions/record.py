"""Record: what a batch decided, written as sets, the rows of each statement in one order."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import astuple

from guerdon.customers import locked as customers
from guerdon.definitions import waiting
from guerdon.kit import db, idempotency, outbox
from guerdon.kit.idempotency import Kept
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.ledger import pins, sales
from guerdon.ledger.sales import Voided
from guerdon.orders import locked as orders
from guerdon.redemptions import holds, tallies
from guerdon.redemptions.gather import Seen, Taken
from guerdon.redemptions.holds import Hold
from guerdon.redemptions.returned import OrderReturn
from guerdon.referrals import record as referrals
from guerdon.referrals.record import Referred
from guerdon.vouchers import locked as vouchers
from guerdon.vouchers.locked import Voucher

# In the order of the fields of Row, between the project and the time.
COLUMNS = (
    "project_id", "id", "object", "parent_id", "redemption_id", "result", "status", "failure_code",
    "failure_message", "reason", "related_object_type", "related_object_id", "voucher_id", "voucher_code",
    "promotion_tier_id", "campaign_id", "customer_id", "order_id", "session_key", "tracking_id", "metadata",
    "channel_id", "amount", "given", "takes", "order",
    "items", "explain", "reward", "created_at",
)  # fmt: skip

TAKE_BACK = """
    update redemptions r
    set status = t.status, returned = t.returned, returned_amount = t.returned_amount
    from unnest($2::text[], $3::text[], $4::json[], $5::bigint[]) as t (id, status, returned, returned_amount)
    where r.project_id = $1 and r.id = t.id
"""


RETURN_COLUMNS = (
    "project_id", "id", "order_id", "refund", "paid_before", "paid_after", "method", "items", "given_back", "reason",
    "metadata", "cards", "withheld", "by_points", "created_at",
)  # fmt: skip

encode = msgspec.json.Encoder().encode


class Row(Struct, gc=False, kw_only=True):
    """A row of `redemptions` to insert; the fields stand in the order of COLUMNS."""

    id: str
    object: str = "redemption"
    parent_id: str | None = None
    redemption_id: str | None = None
    result: str = "SUCCESS"
    status: str = "SUCCEEDED"
    failure_code: str | None = None
    failure_message: str | None = None
    reason: str | None = None
    related_object_type: str = "voucher"
    related_object_id: str
    voucher_id: str | None = None
    voucher_code: str | None = None
    promotion_tier_id: str | None = None
    campaign_id: str | None = None
    customer_id: str | None = None
    order_id: str | None = None
    session_key: str | None = None
    tracking_id: str | None = None
    metadata: Any = None
    channel_id: str | None = None
    amount: int = 0
    given: str | None = None
    takes: str | None = None
    order: str | None = None
    items: str | None = None
    explain: str | None = None
    reward: dict[str, Any] | None = None


class Writes(Struct):
    """Everything a batch is going to write, besides the orders and vouchers it holds. `moved`: orders that were paid
    already and are another customer's now.
    """

    rows: list[Row] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)
    vouchers: dict[str, Voucher] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    request_ids: list[str | None] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    tallies: dict[str, int] = field(default_factory=dict)
    released: list[tuple[str, str]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    returns: list[OrderReturn] = field(default_factory=list)
    voided: list[Voided] = field(default_factory=list)
    referred: list[Referred] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)

    def tell(self, request_id: str, event: Event) -> None:
        """Add an event."""
        self.events.append(event)
        self.request_ids.append(request_id)


async def record(conn: db.Conn, seen: Seen, writes: Writes) -> None:
    """Write it all, in the transaction that holds the locks."""
    project_id = seen.project_id
    await customers.write(conn, project_id, seen.customers)
    await orders.write(conn, project_id, [held for held in seen.orders if held.new or held.changed], seen.now)
    if writes.rows:
        rows = [(project_id, *astuple(row), seen.now) for row in writes.rows]
        await db.insert(conn, "redemptions", COLUMNS, rows)
    if writes.taken:
        await _take_back(conn, project_id, list(writes.taken.values()))
    used = [voucher for voucher in writes.vouchers.values() if voucher.uses]
    await vouchers.take(conn, project_id, sorted(used, key=lambda voucher: voucher.id))
    await books.write(conn, project_id, seen.book, seen.now)
    await pins.write(conn, project_id, seen.pins)
    await sales.write(conn, project_id, writes.voided, seen.now)
    await tallies.write(conn, project_id, writes.tallies)
    await holds.write(conn, project_id, writes.released, writes.holds)
    await referrals.write(conn, project_id, writes.referred, seen.now)
    changed = [held.order.id for held in seen.orders if held.changed and not held.new and held.order.id]
    await referrals.follow(conn, project_id, changed, writes.taken.keys())
    if writes.returns:
        await _keep_returns(conn, seen, writes.returns)
    await outbox.emit_for(conn, project_id, writes.events, writes.request_ids)
    if seen.snapshot.loyalty:
        await _tell_programs(conn, seen, writes)
    await idempotency.keep_all(conn, project_id, writes.kept)


async def _tell_programs(conn: db.Conn, seen: Seen, writes: Writes) -> None:
    """Orders that were paid earn points; of those that were canceled, came back, or cost less since, less stands."""
    project_id = seen.project_id
    paid = {
        e.entity_id for e in writes.events if e.type == "order.paid" and e.customer_id is not None
    } | writes.moved
    less = {e.entity_id for e in writes.events if e.type == "order.canceled"}
    less |= {one.order_id for one in writes.returns}
    before = (held.order for held in seen.orders if held.changed and not held.new)
    less |= {order.id for order in before if order.id and order.status in ("PAID", "PROCESSING", "FULFILLED")}
    await waiting.tell(conn, project_id, [{"order_id": order_id} for order_id in sorted(paid)])
    await waiting.tell_again(conn, project_id, sorted(less))


async def _keep_returns(conn: db.Conn, seen: Seen, returns: Sequence[OrderReturn]) -> None:
    await db.insert(
        conn, "order_returns", RETURN_COLUMNS,
        [
            (seen.project_id, r.id, r.order_id, r.refund, r.paid_before, r.paid_after, r.method,
             encode(r.items).decode(), encode(r.given_back).decode(), r.reason, r.metadata, encode(r.cards).decode(),
             r.withheld, r.by_points, seen.now)
            for r in returns
        ],
    )  # fmt: skip


async def _take_back(conn: db.Conn, project_id: str, taken: Sequence[Taken]) -> None:
    await db.execute(
        conn, TAKE_BACK, project_id, [t.id for t in taken], [t.status for t in taken],
        [t.returned for t in taken], [t.returned_amount for t in taken],
    )  # fmt: skip
