"""The codes that a customer holds."""

from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from guerdon.customers import store as customers
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import not_found
from guerdon.kit.paging import Field, Listing, page
from guerdon.vouchers.shape import COLUMNS, Voucher, VoucherRow, build
from guerdon.vouchers.store import with_rules

Status = Literal["ACTIVE", "USED", "DISABLED", "NOT_ACTIVE_YET", "EXPIRED"]

LISTING = Listing(
    name="data",
    columns=COLUMNS
    + """, c.name as campaign, t.body, c.campaign_type, coalesce(c.active, true) as campaign_active,
    t.starts_at, t.expires_at, now() as moment, (t.body #>> '{redemption,quantity}')::bigint as most,
    case when not v.is_referral_code then 'OWNER' when v.holder_id = $2 then 'REFERRER' else 'REFEREE' end as role""",
    source="vouchers v",
    joins={
        "c": "left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id",
        "t": """left join voucher_terms t
                on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)""",
    },
    where="v.project_id = $1 and v.holder_id = $2 and v.deleted_at is null and c.deleted_at is null",
    id="('rh_' || substr(v.id, 3))",
    fields={
        "id": Field("('rh_' || substr(v.id, 3))"),
        "created_at": Field("v.created_at", "date"),
        "redeemable_id": Field("v.id"),
        "redeemable_object": Field("'voucher'::text"),
        "holder_role": Field(
            "case when not v.is_referral_code then 'OWNER' when v.holder_id = $2 then 'REFERRER' else 'REFEREE' end"
        ),
        "campaign_id": Field("v.campaign_id"),
        "campaign_type": Field("c.campaign_type"),
        "voucher_type": Field("v.type"),
    },
    sorts={"created_at": "v.created_at", "id": "('rh_' || substr(v.id, 3))"},
)

# Those who were named for referral codes of others have these too; few have, and the list of the others stays cheap.
NAMED_FOR = """
    select exists (select 1 from referral_holders where project_id = $1 and customer_id = $2 and role = 'REFEREE')
"""
WITH_NAMED_FOR: LiteralString = """
    v.project_id = $1 and v.deleted_at is null and c.deleted_at is null and (v.holder_id = $2 or v.id = any(array(
        select r.voucher_id from referral_holders r
        where r.project_id = $1 and r.customer_id = $2 and r.role = 'REFEREE')))
"""


class HeldRow(VoucherRow, kw_only=True):
    """A code with its campaign and the terms in force."""

    campaign: str | None
    body: dict[str, Any]
    campaign_type: str | None
    campaign_active: bool
    starts_at: datetime | None
    expires_at: datetime | None
    moment: datetime
    most: int | None
    role: str

    @property
    def status(self) -> Status:
        """How the code stands at the moment it was read."""
        most = self.most if self.terms_id is None else self.quantity
        if not (self.active and self.campaign_active):
            return "DISABLED"
        if self.expires_at is not None and self.expires_at <= self.moment:
            return "EXPIRED"
        if most is not None and self.redeemed_quantity >= most:
            return "USED"
        if self.starts_at is not None and self.starts_at > self.moment:
            return "NOT_ACTIVE_YET"
        return "ACTIVE"


class Redeemable(Struct, kw_only=True):
    """What is held, and how it stands."""

    type: str = "voucher"
    voucher: Voucher
    status: Status


class Holding(Struct, kw_only=True):
    """A code in a customer's hand. `created_at` is when the code was made."""

    id: str
    created_at: str
    redeemable_id: str
    redeemable_object: str = "voucher"
    customer_id: str
    holder_role: str = "OWNER"
    campaign_id: str | None
    campaign_type: str | None
    voucher_type: str
    redeemable: Redeemable


class Holdings(Struct, kw_only=True):
    """A page of what a customer holds."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Holding]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


async def list_customer_redeemables(
    call: Call,
    customer_id: str,
    limit: int = 10,
    order: str = "-created_at",
    starting_after_id: str | None = None,
) -> Holdings:
    """List the codes that a customer holds, and the referral codes they were named for.

    The newest come first unless `order` says otherwise (`created_at`, `id`). They can be narrowed by `filters[field][conditions][$operator]` on `id`, `redeemable_id`, `redeemable_object`,
    `campaign_id`, `campaign_type`, `voucher_type`, `holder_role` and `created_at`.
    """
    customer = await customers.find(call.db, call.project_id, customer_id)
    if customer is None:
        raise not_found("customer", customer_id)
    listing = LISTING
    if await db.value(call.db, NAMED_FOR, call.project_id, customer.id):
        listing = replace(LISTING, where=WITH_NAMED_FOR)
    found = await page(
        call.db, HeldRow, listing, call.project_id, call.query, args=(customer.id,), zone=call.caller.timezone
    )
    vouchers = [build(row, row.body, row.campaign) for row in found.rows]
    shown = await with_rules(call.db, call.project_id, vouchers)
    return Holdings(
        data=[_holding(customer.id, row, voucher) for row, voucher in zip(found.rows, shown, strict=True)],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


def _holding(customer_id: str, row: HeldRow, voucher: Voucher) -> Holding:
    return Holding(
        id="rh_" + row.id.removeprefix("v_"),
        created_at=iso(row.created_at),
        redeemable_id=row.id,
        customer_id=customer_id,
        holder_role=row.role,
        campaign_id=row.campaign_id,
        campaign_type=row.campaign_type,
        voucher_type=row.type,
        redeemable=Redeemable(voucher=voucher, status=row.status),
    )
