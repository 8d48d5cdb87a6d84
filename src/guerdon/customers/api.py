"""``/v1/customers``."""

from datetime import date
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.customers import activity, store, summary, upsert
from guerdon.customers.referred import ReferralsSummary
from guerdon.customers.store import CustomerRow
from guerdon.customers.summary import LoyaltySummary, SoFar, Summary
from guerdon.customers.upsert import CustomerChange, CustomerUpsert
from guerdon.kit import clock, paging
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import invalid_query, not_found

T = TypeVar("T")


class Customer(msgspec.Struct, kw_only=True):
    """A customer with what it has done so far. What is not known of a person is left out."""

    id: str
    source_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    birthdate: date | UnsetType = UNSET
    address: dict[str, Any] | UnsetType = UNSET
    summary: Summary
    loyalty: LoyaltySummary
    referrals: ReferralsSummary
    metadata: dict[str, Any]
    system_metadata: dict[str, Any]
    created_at: str
    updated_at: str | UnsetType = UNSET
    object: str = "customer"


class CustomerList(msgspec.Struct, kw_only=True):
    """A page of customers."""

    object: str = "list"
    data_ref: str = "customers"
    customers: list[Customer]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


def shape(row: CustomerRow, so_far: SoFar) -> Customer:
    """The row as it leaves the API."""
    return Customer(
        id=row.id,
        source_id=_known(row.source_id),
        name=_known(row.name),
        description=_known(row.description),
        email=_known(row.email),
        phone=_known(row.phone),
        birthdate=_known(row.birthdate),
        address=_known(row.address),
        summary=so_far.summary,
        loyalty=so_far.loyalty,
        referrals=so_far.referrals,
        metadata=row.metadata,
        system_metadata={},
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else UNSET,
    )


def _known(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


async def _answer(call: Call, row: CustomerRow) -> Customer:
    return shape(row, (await summary.tell(call.db, call.project_id, [row.id]))[row.id])


async def create_customer(call: Call, data: CustomerUpsert) -> Customer:
    """Create a customer, or change the one with this id or source id.

    An id wins over a source id, which never changes once it is given. What is absent stays as it is, null
    clears, metadata is merged key by key.
    """
    row = await upsert.upsert(call.db, call.project_id, data, request_id=call.request_id)
    return await _answer(call, row)


async def get_customer(call: Call, customer_id: str) -> Customer:
    """Read a customer by id or source id."""
    row = await store.find(call.db, call.project_id, customer_id)
    if row is None:
        raise not_found("customer", customer_id)
    return await _answer(call, row)


async def update_customer(call: Call, customer_id: str, data: CustomerChange) -> Customer:
    """Change a customer by id or source id. What is absent stays as it is, null clears, metadata is merged."""
    row = await upsert.change(call.db, call.project_id, customer_id, data, request_id=call.request_id)
    return await _answer(call, row)


async def delete_customer(call: Call, customer_id: str) -> None:
    """Delete a customer by id or source id.

    Its redemptions and orders stay for the books and go on naming the id.
    """
    await upsert.remove(call.db, call.project_id, customer_id, request_id=call.request_id)


async def listed(call: Call, listing: paging.Listing, args: tuple[Any, ...]) -> CustomerList:
    """A page of customers, as the call's query asks for it; `args` are the listing's own."""
    query, given = call.query, dict(call.query)
    if "starting_after" in given:
        query = [*query, (_behind(given.get("order")), given["starting_after"])]
    found = await paging.page(
        call.db, CustomerRow, listing, call.project_id, query, args=args, zone=call.caller.timezone
    )
    so_far = await summary.tell(call.db, call.project_id, [row.id for row in found.rows])
    return CustomerList(
        customers=[shape(row, so_far[row.id]) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=_known(found.more_starting_after),
    )


def _behind(order: str | None) -> str:
    match order:
        case None | "" | "-created_at":
            return "[created_at][before]"
        case "created_at":
            return "[created_at][after]"
    raise invalid_query("starting_after", "goes with an order by created_at or -created_at only")


ROUTES = [
    *activity.ROUTES,
    Route(method="POST", path="/v1/customers", handler=create_customer, tag="Customers", kind="write"),
    Route(method="GET", path="/v1/customers/{customer_id}", handler=get_customer, tag="Customers"),
    Route(
        method="PUT",
        path="/v1/customers/{customer_id}",
        handler=update_customer,
        tag="Customers",
        kind="write",
    ),
    Route(
        method="DELETE",
        path="/v1/customers/{customer_id}",
        handler=delete_customer,
        tag="Customers",
        kind="write",
        status=204,
    ),
]
