"""Which campaigns may be listed how."""

from guerdon.campaigns.shape import COLUMNS
from guerdon.kit.filters import Field
from guerdon.kit.paging import Listing

LISTING = Listing(
    name="campaigns",
    columns=COLUMNS,
    source="campaigns c join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id",
    where="c.project_id = $1 and c.deleted_at is null",
    id="c.id",
    fields={
        "campaigns": Field("c.name"),
        "name": Field("c.name"),
        "campaigns_id": Field("c.id"),
        "campaign_ids": Field("c.id"),
        "id": Field("c.id"),
        "campaign_status": Field("c.creation_status"),
        "status": Field("c.creation_status"),
        "campaign_type": Field("c.campaign_type"),
        "type": Field("c.type"),
        "active": Field("c.active", "boolean"),
        "is_referral_code": Field("c.campaign_type = 'REFERRAL_PROGRAM'", "boolean"),
        "voucher_type": Field("case when c.campaign_type <> 'PROMOTION' then 'DISCOUNT_VOUCHER' end"),
        "discount.type": Field("t.body #>> '{discount,type}'"),
        "validity_timeframe": Field("t.body #>> '{validity_timeframe,interval}'"),
        "validity_day_of_week": Field("t.body ->> 'validity_day_of_week'"),
        "categories": Field("c.category"),
        "category": Field("c.category"),
        "category_ids": Field("c.category_id"),
        "category_id": Field("c.category_id"),
        "vouchers_count": Field("c.vouchers_count", "number"),
        "start_date": Field("c.start_date", "date"),
        "expiration_date": Field("c.expiration_date", "date"),
        "created_date": Field("c.created_at", "date"),
        "created_at": Field("c.created_at", "date"),
        "updated_at": Field("c.updated_at", "date"),
    },
    metadata="c.metadata",
    sorts={"created_at": "c.created_at", "updated_at": "c.updated_at", "name": "c.name", "id": "c.id"},
    never_null=("created_at", "name", "id"),
)
