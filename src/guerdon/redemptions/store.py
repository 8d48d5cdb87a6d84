"""Redemptions and rollbacks as they are read: one, a voucher's, a page of them."""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from guerdon.customers import locked as customers
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.paging import Field, Listing
from guerdon.orders.locked import whole_json
from guerdon.redemptions.shapes import Channel, Redemption, Related, RelatedRedemptions
from guerdon.vouchers import shape
from guerdon.vouchers.shape import VoucherRow
from guerdon.vouchers.store import with_categories, with_values

COLUMNS: LiteralString = """
    r.id, r.object, r.parent_id, r.redemption_id, r.result, r.status, r.failure_code, r.failure_message, r.reason,
    r.related_object_type, r.related_object_id, r.voucher_id, r.voucher_code, r.campaign_id, r.customer_id,
    r.order_id, r.tracking_id, r.metadata, r.channel_type, r.channel_id, r.amount, r.returned_amount, r.reward, r."order",
    coalesce(r.items, (select o.items from orders o where o.project_id = r.project_id and o.id = r.order_id)) as items,
    r.explain, r.created_at
"""

ONE: LiteralString = "select " + COLUMNS + " from redemptions r where r.project_id = $1 and r.id = $2"

LISTING = Listing(
    name="redemptions",
    columns=COLUMNS,
    source="redemptions r left join campaigns c on c.project_id = r.project_id and c.id = r.campaign_id",
    where="""
        r.project_id = $1
        and ($2::text[] is null or r.result = any($2))
        and ($3::text is null or r.campaign_id = (
            select named.id from campaigns named where named.project_id = $1 and named.name = $3))
        and ($4::text is null or r.customer_id in (
            select known.id from customers known where known.project_id = $1 and $4 in (known.id, known.source_id)))
    """,
    id="r.id",
    fields={
        "id": Field("r.id"),
        "voucher_code": Field("r.voucher_code"),
        "related_object_id": Field("r.related_object_id"),
        "related_object_parent_id": Field("r.campaign_id"),
        "parent_redemption_id": Field("r.parent_id"),
        "failure_code": Field("r.failure_code"),
        "result": Field("r.result"),
        "status": Field("r.status"),
        "object": Field("r.object"),
        "customer_id": Field("r.customer_id"),
        "campaign_name": Field("c.name"),
        "campaign_id": Field("r.campaign_id"),
        "order_id": Field("r.order_id"),
        "tracking_id": Field("r.tracking_id"),
        "user_login": Field("r.channel_id"),
        "created_at": Field("r.created_at", "date"),
    },
    metadata="r.metadata",
    sorts={
        "created_at": "r.created_at",
        "id": "r.id",
        "voucher_code": "r.voucher_code",
        "tracking_id": "r.tracking_id",
        "customer_id": "r.customer_id",
    },
    default_sort="-created_at",
)

OF_VOUCHER = Listing(
    name="redemptions",
    columns=COLUMNS,
    source="redemptions r",
    where="r.project_id = $1 and r.voucher_id = $2 and r.object = 'redemption'",
    id="r.id",
    fields={},
    metadata=None,
    sorts={"created_at": "r.created_at"},
    default_sort="-created_at",
)

RELATED = """
    select id, parent_id, redemption_id, object, amount, created_at
    from redemptions
    where project_id = $1 and (result = 'SUCCESS' or object = 'redemption')
        and (redemption_id = any($2) or parent_id = any($2))
    order by created_at, id
"""

VOUCHERS: LiteralString = (
    "select "
    + shape.COLUMNS
    + """, c.name as campaign_name, t.body
    from vouchers v
    left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id
    join voucher_terms t on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)
    where v.project_id = $1 and v.id = any($2)
"""
)

FOR_ROLLBACK = """
    select f.id, f.parent_id, f.voucher_id, f.customer_id, f.order_id, f.related_object_type,
           coalesce(f.reward ->> 'type' <> 'COIN', false) and f.result = 'SUCCESS' as bought
    from redemptions r
    join redemptions f on f.project_id = r.project_id
        and (f.id = r.id or f.parent_id = r.id or f.id = r.parent_id or f.parent_id = r.parent_id)
    where r.project_id = $1 and r.id = $2 and r.object = 'redemption' and f.object = 'redemption'
    order by f.id
"""


class Row(Struct, kw_only=True):
    """A row of `redemptions`, for showing."""

    id: str
    object: str
    parent_id: str | None
    redemption_id: str | None
    result: Any
    status: Any
    failure_code: str | None
    failure_message: str | None
    reason: str | None
    related_object_type: str
    related_object_id: str
    voucher_id: str | None
    voucher_code: str | None
    campaign_id: str | None
    customer_id: str | None
    order_id: str | None
    tracking_id: str | None
    metadata: dict[str, Any] | None
    channel_type: str
    channel_id: str | None
    amount: int
    returned_amount: int
    reward: dict[str, Any] | None
    order: str | None
    items: str | None
    explain: str | None
    created_at: datetime


class Found(Struct):
    """What a rollback needs to know before it queues: none of it ever changes."""

    id: str
    parent_id: str | None
    voucher_id: str | None
    customer_id: str | None
    order_id: str | None
    related_object_type: str
    bought: bool
    """Whether it is the purchase of a reward, which is taken back as such."""


async def read(conn: db.Db, project_id: str, redemption_id: str) -> Row | None:
    """One redemption or rollback."""
    return await db.row(conn, Row, ONE, project_id, redemption_id)


async def find_for_rollback(conn: db.Db, project_id: str, redemption_id: str) -> list[Found]:
    """A redemption and, if it belongs to a stack, all that do."""
    return await db.rows(conn, Found, FOR_ROLLBACK, project_id, redemption_id)


async def show(conn: db.Db, project_id: str, rows: list[Row], *, explain: bool = False) -> list[Redemption]:
    """Rows with their customers, vouchers and relatives, each kind read in one statement."""
    if not rows:
        return []
    related = await _related(conn, project_id, [row.id for row in rows])
    vouchers = await _vouchers(conn, project_id, {row.voucher_id for row in rows if row.voucher_id})
    people = await customers.look(
        conn, project_id, [customers.CustomerIn(id=row.customer_id) for row in rows if row.customer_id]
    )
    return [
        _shown(
            row, people.by_id.get(row.customer_id or ""), vouchers.get(row.voucher_id or ""), related, explain
        )
        for row in rows
    ]


async def _related(conn: db.Db, project_id: str, ids: list[str]) -> dict[str, RelatedRedemptions]:
    related: dict[str, RelatedRedemptions] = {}
    for r in await db.records(conn, RELATED, project_id, ids):
        rollback = r["object"] == "redemption_rollback"
        of = r["redemption_id"] if rollback and r["redemption_id"] in ids else r["parent_id"]
        lists = related.setdefault(of, RelatedRedemptions(rollbacks=[], redemptions=[]))
        one = Related(r["id"], iso(r["created_at"]), r["amount"] if rollback else None)
        (lists.rollbacks if rollback else lists.redemptions).append(one)
    return related


async def _vouchers(conn: db.Db, project_id: str, ids: set[str]) -> dict[str, shape.Voucher]:
    found: dict[str, shape.Voucher] = {}
    if ids:
        for record in await db.records(conn, VOUCHERS, project_id, list(ids)):
            columns = dict(record)
            body, campaign = columns.pop("body"), columns.pop("campaign_name")
            found[columns["id"]] = shape.build(VoucherRow(**columns), body, campaign)
        await with_categories(conn, project_id, list(found.values()))
        await with_values(conn, project_id, list(found.values()))
    return found


def _shown(
    row: Row,
    customer: customers.Seen | None,
    voucher: shape.Voucher | None,
    related: dict[str, RelatedRedemptions],
    explain: bool,
) -> Redemption:
    rollback = row.object == "redemption_rollback"
    gift = voucher is not None and voucher.type == "GIFT_VOUCHER"
    points = None if row.reward is None else row.reward["points"]
    return Redemption(
        id=row.id,
        object=row.object,
        date=iso(row.created_at),
        customer_id=row.customer_id,
        tracking_id=row.tracking_id,
        metadata=row.metadata,
        redemption=row.redemption_id if rollback else row.parent_id,
        result=row.result,
        status=row.status,
        order=None
        if row.order is None
        else Raw(whole_json(row.order.encode(), None if row.items is None else row.items.encode())),
        channel=Channel(row.channel_type, row.channel_id),
        customer=customer,
        related_object_type=row.related_object_type,
        related_object_id=row.related_object_id,
        discount_amount=UNSET if rollback or gift else row.amount,
        returned_amount=UNSET if rollback or not row.returned_amount else row.returned_amount,
        amount=_amount(row, gift=gift),
        gift={"amount": row.amount} if gift else UNSET,
        loyalty_card=UNSET if points is None else {"points": -points if rollback else points},
        reward=UNSET if row.reward is None else row.reward | {"customer": customer},
        voucher=UNSET if voucher is None else voucher,
        reason=UNSET if row.reason is None else row.reason,
        failure_code=UNSET if row.failure_code is None else row.failure_code,
        failure_message=UNSET if row.failure_message is None else row.failure_message,
        related_redemptions=related.get(row.id, UNSET),
        explain=UNSET if row.explain is None or not explain else msgspec.Raw(row.explain.encode()),
    )


def _amount(row: Row, *, gift: bool) -> int | UnsetType:
    """Credits, or points; negative where they came back."""
    if row.reward is not None:
        return -row.reward["points"] if row.object == "redemption_rollback" else row.reward["points"]
    return row.amount if row.object == "redemption_rollback" or gift else UNSET
