"""``/v1/customers/{customer_id}/permanent-deletion``."""

from typing import Literal

from msgspec import Struct

from guerdon.erasure.erase import erase
from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.kit.ids import new_id


class Found(Struct, kw_only=True):
    """How much was forgotten, or tells nothing of the person any more."""

    events: int
    customer_events: int
    daily_events: int = 0
    segments: int
    orders: int
    order_events: int
    customer: int
    redemptions: int


class PermanentDeletion(Struct, kw_only=True):
    """The receipt of an erasure."""

    id: str
    created_at: str
    related_object_id: str
    related_object: Literal["customer"] = "customer"
    status: Literal["DONE"] = "DONE"
    data_json: Found
    object: Literal["pernament_deletion"] = "pernament_deletion"


async def delete_customer_permanently(call: Call, customer_id: str) -> PermanentDeletion:
    """Forget a customer for good, by id or source id; by id also one who was deleted before.

    The profile goes, with its custom events and all that callers told of it in orders, redemptions, publications,
    memberships, notes and events. Amounts, states and opaque ids stay: what was paid and what is owed adds up as
    before. Lines in files of exports, uploaded files and kept answers go within a minute, by a job.
    """
    gone = await erase(call.conn, call.project_id, customer_id, call.request_id)
    return PermanentDeletion(
        id=new_id("deletion"),
        created_at=clock.iso(await clock.database_now(call.conn)),
        related_object_id=gone.customer_id,
        data_json=Found(
            events=gone.events,
            customer_events=gone.customer_events,
            segments=gone.segments,
            orders=gone.orders,
            order_events=gone.orders,
            customer=gone.customer,
            redemptions=gone.redemptions,
        ),
    )


ROUTES = [
    Route(
        method="POST",
        path="/v1/customers/{customer_id}/permanent-deletion",
        handler=delete_customer_permanently,
        tag="Customers",
        kind="write",
    ),
]
