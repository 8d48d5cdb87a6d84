"""``/v1/customers/{customer_id}/activity``: what a customer did and what came of it, from the events."""

from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import UNSET

from guerdon.customers import store
from guerdon.customers.store import CustomerRow
from guerdon.kit import db, paging
from guerdon.kit.activity import COLUMNS, SORTS, Activities, Activity, CountedActivities, EventRow, shown
from guerdon.kit.call import Call, Route
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query, not_found
from guerdon.kit.paging import Field, Listing

CampaignType = Literal[
    "DISCOUNT_COUPONS", "REFERRAL_PROGRAM", "GIFT_VOUCHERS", "PROMOTION", "LOYALTY_PROGRAM"
]
Category = Literal["ACTION", "EFFECT"]

# What a customer did not do: it was done to them, or given to them for something else.
EFFECT: LiteralString = """
    (e.type like any (array['customer.segment.%', 'customer.rewarded%', 'customer.voucher.%', 'customer.loyalty.%',
        'customer.publication.%', 'customer.holder.%', 'voucher.%', 'publication.%', 'reward%']))
"""
LISTING = Listing(
    name="data",
    columns=COLUMNS,
    source="events e",
    where="e.project_id = $1 and e.customer_id = $2 and ($3::text[] is null or e.type = any($3))"
    + " and ($4::timestamptz is null or e.created_at >= $4) and ($5::timestamptz is null or e.created_at <= $5)"
    + " and ($6::boolean is null or $6 = "
    + EFFECT
    + """)
        and ($7::text is null or exists (select from redemptions r
            where r.project_id = $1 and r.id = e.entity_id and r.campaign_id = $7)
            or exists (select from publications p
            where p.project_id = $1 and p.id = e.entity_id and p.campaign_id = $7))
        and ($8::text is null or exists (select from redemptions r
            join campaigns c on c.project_id = $1 and c.id = r.campaign_id
            where r.project_id = $1 and r.id = e.entity_id and c.campaign_type = $8)
            or exists (select from publications p
            join campaigns c on c.project_id = $1 and c.id = p.campaign_id
            where p.project_id = $1 and p.id = e.entity_id and c.campaign_type = $8))
        and ($9::text is null or exists (select from orders o
            where o.project_id = $1 and strpos(o.items::text, '"' || $9 || '"') > 0 and o.id = coalesce(
                (select r.order_id from redemptions r where r.project_id = $1 and r.id = e.entity_id),
                e.entity_id)))""",
    id="e.id",
    fields={"created_at": Field("e.created_at", "date")},
    sorts=SORTS,
)

REDEMPTIONS = """
    select r.id, r.object, r.result, r.status, r.failure_code, r.failure_message, r.reason, r.amount, r.order_id,
        r.related_object_type, r.related_object_id, r.redemption_id, r.voucher_id, r.voucher_code,
        r.promotion_tier_id, r.campaign_id, r.created_at, c.name as campaign
    from redemptions r left join campaigns c on c.project_id = $1 and c.id = r.campaign_id
    where r.project_id = $1 and r.id = any($2)
"""
ORDERS = """
    select id, source_id, status, amount, total_discount_amount, total_amount, metadata, created_at
    from orders where project_id = $1 and id = any($2)
"""


async def list_customer_activity(
    call: Call,
    customer_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    campaign_id: str | None = None,
    campaign_type: CampaignType | None = None,
    category: Category | None = None,
    type: str | None = None,
) -> Activities:
    """List what a customer did and what came of it, the latest first.

    `type` is one of the activity types, such as customer.redemption.succeeded; `category` takes what the customer
    did (ACTION) or what came of it (EFFECT); `campaign_id` and `campaign_type` leave redemptions and publications of
    such campaigns.
    Orders and redemptions are shown as they are now.
    """
    found = await _page(
        call,
        customer_id,
        start_date,
        end_date,
        campaign_id,
        campaign_type,
        None,
        category=category,
        type=type,
    )
    return Activities(data=found.data, has_more=found.has_more, more_starting_after=found.more_starting_after)


async def list_customer_activities(
    call: Call,
    customer_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after: str | None = None,
    starting_after_id: str | None = None,
    campaign_type: CampaignType | None = None,
    campaign_id: str | None = None,
    product_id: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
) -> CountedActivities:
    """List what a customer did and what came of it, in the older shape, with how much there is in all.

    `starting_after` goes on behind an instant; `product_id` leaves orders and redemptions with that product.
    """
    if starting_after is not None:
        call.query.append(
            ("[created_at][after]" if order == "created_at" else "[created_at][before]", starting_after)
        )
    return await _page(call, customer_id, start_date, end_date, campaign_id, campaign_type, product_id)


async def _page(
    call: Call,
    customer_id: str,
    start_date: str | None,
    end_date: str | None,
    campaign_id: str | None,
    campaign_type: str | None,
    product_id: str | None,
    *,
    category: str | None = None,
    type: str | None = None,
) -> CountedActivities:
    customer = await store.find(call.db, call.project_id, customer_id)
    if customer is None:
        raise not_found("customer", customer_id)
    zone = call.caller.timezone
    start, end = _instant("start_date", start_date, zone), _instant("end_date", end_date, zone, last=True)
    effect = None if category is None else category == "EFFECT"
    args = (customer.id, _stored(type), start, end, effect, campaign_id, campaign_type, product_id)
    found = await paging.page(call.db, EventRow, LISTING, call.project_id, call.query, args=args, zone=zone)
    return CountedActivities(
        data=await _activities(call.db, call.project_id, customer, found.rows),
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
        total=found.total,
    )


def _instant(name: str, text: str | None, zone: str, *, last: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(text, zone, end_of_day=last)
    except ValueError as error:
        raise invalid_query(name, str(error)) from None


def _stored(type: str | None) -> list[str] | None:
    """How events of an activity's type are called; some have no customer in their name, some are spelt otherwise."""
    if type is None:
        return None
    if not type.startswith("customer."):
        raise invalid_query("type", "must be a type of activity, such as customer.redemption.succeeded")
    bare = type.removeprefix("customer.")
    return [type, bare, bare.replace("added", "aded")]


def activity_type(event_type: str) -> str:
    """What an event is called among a customer's activities.

    >>> activity_type("redemption.succeeded"), activity_type("voucher.gift.balance_aded")
    ('customer.redemption.succeeded', 'customer.voucher.gift.balance_added')
    """
    named = event_type if event_type.startswith("customer.") else f"customer.{event_type}"
    return named.replace("_aded", "_added")


async def _activities(
    conn: db.Db, project_id: str, customer: CustomerRow, rows: list[EventRow]
) -> list[Activity]:
    """Events with what they are about: the redemptions in one read, the orders in another."""
    redeemed = {row.entity_id for row in rows if row.type.startswith("redemption.")}
    redemptions = {r["id"]: r for r in await _read(conn, REDEMPTIONS, project_id, redeemed)}
    ordered = {row.entity_id for row in rows if row.type.startswith("order.")}
    ordered |= {r["order_id"] for r in redemptions.values() if r["order_id"] is not None}
    orders = {r["id"]: _order(r) for r in await _read(conn, ORDERS, project_id, ordered)}
    who = {"id": customer.id, "source_id": customer.source_id, "name": customer.name, "object": "customer"}
    found: list[Activity] = []
    for row in rows:
        about: dict[str, Any] = {"customer": who}
        redemption = redemptions.get(row.entity_id)
        if redemption is not None:
            about |= _redemption(redemption, orders)
        if row.entity_id in orders:
            about["order"] = orders[row.entity_id]
        found.append(shown(row, activity_type(row.type), about | row.data))
    return found


async def _read(conn: db.Db, sql: LiteralString, project_id: str, ids: set[str]) -> list[db.Record]:
    return await db.records(conn, sql, project_id, sorted(ids)) if ids else []


def _redemption(record: db.Record, orders: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A redemption or a rollback with what was redeemed, its campaign and its order."""
    names = ("id", "object", "result", "status", "failure_code", "failure_message", "reason", "amount")
    more = ("related_object_type", "related_object_id")
    shape = {name: record[name] for name in (*names, *more) if record[name] is not None}
    about: dict[str, Any] = {"redemption": shape | {"date": iso(record["created_at"])}}
    if record["redemption_id"] is not None:
        about["redemption"]["redemption"] = record["redemption_id"]
    if record["voucher_id"] is not None:
        about["voucher"] = {"id": record["voucher_id"], "code": record["voucher_code"], "object": "voucher"}
    if record["promotion_tier_id"] is not None:
        about["promotion_tier"] = {"id": record["promotion_tier_id"], "object": "promotion_tier"}
    if record["campaign"] is not None:
        about["campaign"] = {"id": record["campaign_id"], "name": record["campaign"], "object": "campaign"}
    if record["order_id"] in orders:
        about["order"] = orders[record["order_id"]]
    return about


def _order(record: db.Record) -> dict[str, Any]:
    return dict(record) | {"created_at": iso(record["created_at"]), "object": "order"}


ROUTES = [
    Route(
        method="GET",
        path="/v1/customers/{customer_id}/activity",
        handler=list_customer_activity,
        tag="Customers",
    ),
    Route(
        method="GET",
        path="/v1/customers/{customer_id}/activities",
        handler=list_customer_activities,
        tag="Customers",
    ),
]
