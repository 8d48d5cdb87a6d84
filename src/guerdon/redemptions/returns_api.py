"""Returns over HTTP."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from guerdon.kit import db
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.clock import iso
from guerdon.kit.errors import not_found
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.returned import (
    CardTaken,
    GivenBack,
    OrderReturn,
    OrderReturns,
    ReturnedItem,
    ReturnIn,
)
from guerdon.redemptions.returns import ReturnAsk
from guerdon.redemptions.shapes import RollbackIn

ORDER = """
    select id, customer_id from orders where project_id = $1 and (id = $2 or source_id = $2) order by id = $2 desc limit 1
"""

REDEMPTIONS = """
    select id, voucher_id from redemptions where project_id = $1 and order_id = $2 and object = 'redemption' order by id
"""

OF_ORDER = """
    select id, order_id, refund, paid_before, paid_after, method, items, given_back, cards, withheld, by_points, reason,
           metadata, created_at
    from order_returns where project_id = $1 and order_id = $2 order by created_at, id
"""


class ReturnRow(Struct):
    """A row of `order_returns`."""

    id: str
    order_id: str
    refund: int
    paid_before: int
    paid_after: int
    method: str
    items: str
    given_back: str
    cards: str
    withheld: int
    by_points: int
    reason: str | None
    metadata: dict[str, Any]
    created_at: datetime


async def return_goods(call: Call, order_id: str, data: ReturnIn) -> OrderReturn | Reply:
    """Take goods of an order back.

    `refund` in the answer is what was paid before less what would have been paid for the goods that stay, so that
    returns in any parts come to the whole. Codes give their discounts back, gift cards get their credits back,
    limits and budgets what they had given. Give `items` (quantity, or an amount of their worth), or `amount` for an
    order without items.
    """
    order = await _order(call, order_id)
    found = await db.records(call.db, REDEMPTIONS, call.project_id, order["id"])
    key = call.idempotency_key
    desk = call.state.desk
    assert isinstance(desk, Desk)
    return await desk.write(
        ReturnAsk(
            caller=call.caller,
            request_id=call.request_id,
            path=call.path,
            key=key,
            mark=b"" if key is None else call.fingerprint(),
            data=RollbackIn(reason=data.reason, metadata=data.metadata),
            asked_id="",
            parent_id=None,
            customer_id=order["customer_id"],
            redemption_ids=[record["id"] for record in found],
            voucher_ids=[record["voucher_id"] for record in found if record["voucher_id"]],
            order_ids=[order["id"]],
            stack=True,
            goods=data,
            order_id=order["id"],
        )
    )


async def list_returns(call: Call, order_id: str) -> OrderReturns:
    """The returns of an order, the first one first."""
    order = await _order(call, order_id)
    rows = await db.rows(call.db, ReturnRow, OF_ORDER, call.project_id, order["id"])
    return OrderReturns(data=[_shape(row) for row in rows], total=len(rows))


async def _order(call: Call, order_id: str) -> db.Record:
    found = await db.records(call.db, ORDER, call.project_id, order_id)
    if not found:
        raise not_found("order", order_id)
    return found[0]


def _shape(row: ReturnRow) -> OrderReturn:
    return OrderReturn(
        id=row.id,
        order_id=row.order_id,
        refund=row.refund,
        paid_before=row.paid_before,
        paid_after=row.paid_after,
        method=row.method,
        items=msgspec.json.decode(row.items, type=list[ReturnedItem]),
        given_back=msgspec.json.decode(row.given_back, type=list[GivenBack]),
        cards=msgspec.json.decode(row.cards, type=list[CardTaken]),
        withheld=row.withheld,
        by_points=row.by_points,
        reason=row.reason,
        metadata=row.metadata,
        created_at=iso(row.created_at),
    )


ROUTES = [
    Route(method="POST", path="/v1/orders/{order_id}/returns", handler=return_goods, tag="Orders", kind="flow"),
    Route(method="GET", path="/v1/orders/{order_id}/returns", handler=list_returns, tag="Orders"),
]  # fmt: skip
