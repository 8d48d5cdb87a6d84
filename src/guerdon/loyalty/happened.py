"""What happened, as jobs tell of it, and what rules want to know of it: orders, customers, who is where."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from guerdon.customers import store as customers
from guerdon.engine.earning_rule import CustomEvent, Happening, OrderPaid, SegmentEntered, TierChanged
from guerdon.engine.entries import shown_on_lines
from guerdon.engine.order import Order, known_items
from guerdon.engine.situation import Collection as ProductCollection
from guerdon.engine.situation import Person
from guerdon.kit import db
from guerdon.loyalty.place import Place
from guerdon.loyalty.tiers_of import tiers_of
from guerdon.orders import locked as orders
from guerdon.product_collections.members import resolved
from guerdon.products import catalog
from guerdon.segments.members import memberships

PAID = ("PAID", "FULFILLED", "PROCESSING")
"""What an order may have become since it was paid, for which points are still due."""

FIND_CUSTOMERS = """
    select c.id, c.source_id, c.name, c.email, c.phone, c.metadata, c.birthdate
    from unnest($2::text[]) as w (id) join customers c on c.project_id = $1 and c.id = w.id
"""


class Happened(Struct, kw_only=True):
    """Something that sets rules off. `cause_id` names it for good; `customer_id` is whom it is about."""

    cause_id: str
    at: datetime
    payload: Mapping[str, Any]
    happening: Happening
    order: Order | None = None
    customer_id: str | None = None
    member_id: str | None = None

    @property
    def order_id(self) -> str | None:
        """The order it is about."""
        return None if self.order is None else self.order.id


class Known(Struct):
    """What is known of customers and products."""

    people: dict[str, Person] = field(default_factory=dict)
    collections: Mapping[str, ProductCollection] = field(default_factory=dict)


async def read(
    conn: db.Conn, place: Place, told: Iterable[tuple[str, Mapping[str, Any], datetime]]
) -> list[Happened]:
    """What jobs (id, payload, when) tell of, in the order of time; orders are locked, as they stand now.

    What does not hold any more, an order that was canceled, is left out.
    """
    told = list(told)
    order_ids = sorted({payload["order_id"] for _, payload, _ in told if "order_id" in payload})
    found = await orders.look(conn, place.project_id, order_ids, [], lock=True) if order_ids else []
    by_id = {order.id: order for order in found}
    happened: list[Happened] = []
    for job_id, payload, at in told:
        one = _one(job_id, payload, at, by_id)
        if one is not None:
            happened.append(one)
    return sorted(happened, key=lambda one: (one.at, one.cause_id))


def _one(
    job_id: str, payload: Mapping[str, Any], at: datetime, by_id: Mapping[str | None, Order]
) -> Happened | None:
    customer_id = payload.get("customer_id")
    if "order_id" in payload:
        order = by_id.get(payload["order_id"])
        if order is None or order.customer_id is None or order.status not in PAID or order.id is None:
            return None
        return Happened(
            cause_id=order.id, at=at, payload=payload, happening=OrderPaid(), order=order,
            customer_id=order.customer_id,
        )  # fmt: skip
    if "segment_id" in payload:
        happening: Happening = SegmentEntered(payload["segment_id"])
        return Happened(cause_id=job_id, at=at, payload=payload, happening=happening, customer_id=customer_id)
    if "event_id" in payload:
        happening = CustomEvent(payload["schema_id"], payload["name"], payload.get("metadata") or {})
        return Happened(
            cause_id=payload["event_id"], at=at, payload=payload, happening=happening, customer_id=customer_id,
            member_id=payload.get("member_id"),
        )  # fmt: skip
    happening = TierChanged(payload["tier"], payload["tier_id"])
    return Happened(
        cause_id=payload["change_id"], at=at, payload=payload, happening=happening,
        member_id=payload["member_id"],
    )  # fmt: skip


async def know(
    conn: db.Db,
    place: Place,
    happened: Sequence[Happened],
    customer_ids: Collection[str],
    segments: Collection[str],
    collections: Collection[str],
    *,
    tiers: bool = False,
) -> Known:
    """Look up who these customers are, in which of the segments, in which `tiers` if rules ask for them, and what the
    orders' products are.
    """
    known = Known(collections=place.snapshot.collections)
    wanted = {name: place.snapshot.segments[name] for name in segments if name in place.snapshot.segments}
    inside: Mapping[str, frozenset[str]] = {}
    if wanted:
        inside = await memberships(
            conn, place.project_id, list(customer_ids), wanted, now=place.now, zone=place.zone
        )
    for record in await db.records(conn, FIND_CUSTOMERS, place.project_id, list(customer_ids)):
        person = Person(**dict(record))
        person.segments = inside.get(person.id, frozenset())
        known.people[person.id] = person
    if tiers:
        for customer_id, its in (await tiers_of(conn, place.project_id, list(customer_ids))).items():
            if customer_id in known.people:
                known.people[customer_id].loyalty_tiers = its
    await _products(conn, place, happened, collections, known)
    return known


async def _products(
    conn: db.Db,
    place: Place,
    happened: Sequence[Happened],
    collections: Collection[str],
    known: Known,
) -> None:
    names = {name for one in happened if one.order is not None for name in _names(one.order)}
    if not names:
        return
    stored = await catalog.load(conn, place.project_id, names, details=True)
    for one in happened:
        if one.order is not None:
            one.order = known_items(one.order, stored)
    listed = [place.snapshot.collections.get(name) for name in collections]
    unseen = [c for c in listed if c is not None and c.filter is not None and not shown_on_lines(c.filter)]
    if unseen:
        ids = {name for each in stored.values() for name in (each.id, each.source_id) if name is not None}
        found = await resolved(conn, place.project_id, unseen, ids, place.zone.key)
        known.collections = {**place.snapshot.collections, **found}


def _names(order: Order) -> set[str]:
    found: set[str] = set()
    for item in order.items or ():
        for ref in (item, item.product, item.sku):
            if ref is not None:
                named = (getattr(ref, name, None) for name in ("id", "source_id", "product_id", "sku_id"))
                found.update(name for name in named if name)
    return found


async def customer_of(conn: db.Db, project_id: str, key: str) -> customers.CustomerRow | None:
    """A customer by id or source id."""
    return await customers.find(conn, project_id, key)
