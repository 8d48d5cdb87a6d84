"""``GET /v1/customers``, which may be narrowed to the customers of a segment."""

from msgspec.structs import replace

from guerdon.customers import api
from guerdon.customers.api import CustomerList
from guerdon.customers.store import LISTING
from guerdon.kit import db
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import invalid_query, not_found
from guerdon.segments import store
from guerdon.segments.members import memberships, moment

BATCH = 1000
MOST = 20_000
"""Who is in a passive segment is told one by one, so only a project of so many customers can be asked for them all."""

REMEMBERED = replace(
    LISTING,
    where=LISTING.where
    + """ and exists (select from segment_members m
        where m.project_id = $1 and m.segment_id = $5 and m.customer_id = c.id)""",
)
TOLD = replace(LISTING, where=LISTING.where + " and c.id = any($5)")

EVERYBODY = "select id from customers where project_id = $1 order by id limit $2"


async def list_customers(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str | None = None,
    starting_after_id: str | None = None,
    starting_after: str | None = None,
    email: str | None = None,
    name: str | None = None,
    city: str | None = None,
    segment_id: str | None = None,
) -> CustomerList:
    """List customers.

    `order` is created_at, updated_at, source_id, name, email or id, with a dash before it to reverse it.
    `starting_after` goes on behind an instant of created_at, `starting_after_id` behind a customer. Also
    `[created_at][before]`, `[created_at][after]`, `[updated_at][…]` and `filters[field][conditions][$is][0]`.
    `segment_id` leaves the customers of a segment: those listed of a static one, those last seen in an auto-update
    one, and of a passive one those who are in it now, in projects of at most 20,000 customers.
    """
    given = (email, name, city)
    if segment_id is None:
        return await api.listed(call, LISTING, given)
    segment = await store.find(call.db, call.project_id, segment_id)
    if segment is None:
        raise not_found("segment", segment_id)
    if segment.type != "passive":
        return await api.listed(call, REMEMBERED, (*given, segment_id))
    return await api.listed(call, TOLD, (*given, await _members(call, segment)))


async def _members(call: Call, segment: store.SegmentRow) -> list[str]:
    """The ids of all customers in a passive segment."""
    records = await db.records(call.db, EVERYBODY, call.project_id, MOST + 1)
    if len(records) > MOST:
        raise invalid_query(
            "segment_id",
            f"the customers of a passive segment can be listed in projects of at most {MOST} customers; "
            "those of an auto-update segment in any",
        )
    ids = [record["id"] for record in records]
    segments = {segment.id: store.compiled(segment)}
    now, zone = await moment(call.db, call.project_id)
    found: list[str] = []
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        its = await memberships(call.db, call.project_id, some, segments, now=now, zone=zone)
        found += [customer_id for customer_id in some if its[customer_id]]
    return found


ROUTES = [Route(method="GET", path="/v1/customers", handler=list_customers, tag="Customers")]
