"""Erasing a person: in one transaction what stands in tables, then by a job the copies that are found by reading."""

import hashlib

from msgspec import Struct

from guerdon.customers import store as customers
from guerdon.customers.store import CustomerRow
from guerdon.definitions.waiting import tell_left
from guerdon.erasure import store
from guerdon.kit import db
from guerdon.kit.errors import not_found
from guerdon.kit.jobs import enqueue
from guerdon.kit.outbox import Event, emit

COPIES = "erasure.copies"


class Erased(Struct):
    """What was found of a person."""

    customer_id: str
    customer: int
    orders: int
    redemptions: int
    segments: int
    customer_events: int
    events: int


async def erase(conn: db.Conn, project_id: str, key: str, request_id: str | None) -> Erased:
    """Forget the customer with this id or source id; by id also one who was deleted before. Raises `ApiError` 404.

    Locks are taken in the order of all who write.
    """
    known = await customers.lock(conn, project_id, key)
    if known is None and not await store.is_known(conn, project_id, key):
        raise not_found("customer", key)
    customer_id = key if known is None else known.id
    if known is not None:
        await customers.delete(conn, project_id, customer_id)
    order_ids = await store.forget_orders(conn, project_id, customer_id)
    segments = await store.leave_segments(conn, project_id, customer_id)
    await store.forget_members(conn, project_id, customer_id)
    redemption_ids = await store.forget_redemptions(conn, project_id, customer_id, order_ids)
    await store.forget_codes(conn, project_id, customer_id, redemption_ids)
    await store.forget_given(conn, project_id, customer_id)
    about, others = await store.forget_events(conn, project_id, customer_id)
    if known is not None:
        await tell_left(conn, project_id, customer_id)
        await emit(conn, project_id, [Event("customer.deleted", customer_id, customer_id)], request_id)
    payload = {"customer_id": customer_id, "marks": [] if known is None else marks_of(known)}
    await enqueue(conn, project_id, COPIES, payload, max_attempts=50)
    return Erased(
        customer_id=customer_id,
        customer=int(known is not None),
        orders=len(order_ids),
        redemptions=len(redemption_ids),
        segments=segments,
        customer_events=about,
        events=others,
    )


def marks_of(person: CustomerRow) -> list[str]:
    """What to know the person's rows in copies by, in a form that tells nothing itself."""
    names = (person.source_id, person.email, person.phone)
    return [mark(name) for name in names if name]


def mark(text: str) -> str:
    """A text's mark."""
    return hashlib.sha256(text.strip().casefold().encode()).hexdigest()
