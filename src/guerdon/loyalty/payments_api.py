"""Payments of orders with points over HTTP, in v2 of the API."""

from typing import LiteralString

import msgspec
from msgspec import UNSET

from guerdon.kit import clock
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.kit.filters import Field
from guerdon.loyalty import programs
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.faces import listed
from guerdon.loyalty.members import found
from guerdon.loyalty.payments import COLUMNS, Paying, PaymentRow, pay, payment_of
from guerdon.loyalty.place import held_place, shown_card, stored_card
from guerdon.loyalty.purchases_api import shown_entry
from guerdon.loyalty.shapes_programs import CursorList
from guerdon.loyalty.shapes_purchases import (
    OrderTransaction,
    PaymentDetails,
    PaymentDone,
    PaymentIn,
    PaymentSimulated,
)

PAYMENTS = CursorListing(
    prefix="lcrsotx_",
    columns=COLUMNS,
    source="loyalty_payments p",
    where="p.project_id = $1 and p.program_id = $2 and p.member_id = $3",
    id="p.id",
    fields={"id": Field("p.id"), "created_at": Field("p.created_at", "date")},
    sorts={"created_at": ("p.created_at", True)},
)


def shown(row: PaymentRow) -> OrderTransaction:
    """A payment as answered."""
    return OrderTransaction(
        id=row.id,
        program_id=row.program_id,
        member_id=row.member_id,
        card_id=shown_card(row.card_id),
        card_definition_id=row.definition_id,
        card_transaction_id=shown_entry(row.entry_id),
        order_id=row.order_id,
        status=row.status,  # type: ignore[arg-type]
        details=msgspec.convert(row.details | {"payment": payment_of(row)}, PaymentDetails),
        created_at=clock.iso(row.created_at),
        updated_at=None if row.updated_at is None else clock.iso(row.updated_at),
    )


async def create_member_order_payment(
    call: Call, program_id: str, member_id: str, data: PaymentIn
) -> PaymentSimulated | Reply:
    """Pay for an order with a member's points.

    How much is what the card has by its exchange ratio, or less where `payment_limit` says so. The answer (202) shows
    the payment as it began, the list what came of it: REJECTED for more than is to be paid for the order, or than the
    card may spend. With mode DRY_RUN (200) nothing is written.
    """
    place = await held_place(call.conn, call.project_id)
    dry = data.mode == "DRY_RUN"
    row = await pay(call.conn, place, _asked(program_id, member_id, data), dry=dry)
    told = shown(row)
    told.details.rejection, told.updated_at = None, None
    if dry:
        told.id, told.created_at, told.status = UNSET, UNSET, "SIMULATED"
        return PaymentSimulated(transaction=told)
    told.status = "PENDING"
    return Reply(PaymentDone(transaction=told), 202)


def _asked(program_id: str, member_id: str, data: PaymentIn) -> Paying:
    if data.order.id is None and data.order.source_id is None:
        raise invalid_payload(Fault("order", "needs an id or a source_id"))
    limit, points, amount = data.payment_limit, None, None
    if limit is not None:
        wanted = {"POINTS_LIMIT": "points_limit", "AMOUNT_LIMIT": "amount_limit"}.get(limit.type)
        for name in ("points_limit", "amount_limit"):
            if (getattr(limit, name) is not None) != (name == wanted):
                why = f"belongs to {name.upper()}, which needs it"
                raise invalid_payload(Fault(f"payment_limit.{name}", why))
        points = None if limit.points_limit is None else limit.points_limit.max
        amount = None if limit.amount_limit is None else limit.amount_limit.max
    return Paying(
        program_id=program_id, member_id=member_id, card_id=stored_card(data.card_id), order_id=data.order.id,
        order_source_id=data.order.source_id, most_points=points, most_amount=amount,
    )  # fmt: skip


async def list_member_order_payments(
    call: Call,
    program_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[OrderTransaction]:
    """List the payments that a member made with points.

    `order` is created_at or -created_at; `filters[field][conditions][$operator]` on id and created_at narrows the
    list.
    """
    await programs.found(call.db, call.project_id, program_id)
    await found(call.db, call.project_id, program_id, member_id)
    return await listed(call, PaymentRow, PAYMENTS, shown, (program_id, member_id))


PAID: LiteralString = "/v2/loyalties/programs/{program_id}/members/{member_id}/orders/payments"
TAG = "Loyalty purchases"

ROUTES = [
    Route(
        method="POST", path=PAID, handler=create_member_order_payment, tag=TAG, kind="write", also={202: PaymentDone}
    ),
    Route(method="GET", path=PAID, handler=list_member_order_payments, tag=TAG),
]  # fmt: skip
