"""Which promotion tiers and stacks may be listed how."""

from typing import LiteralString

from guerdon.kit.filters import Field
from guerdon.kit.paging import Listing
from guerdon.promotions.shape import COLUMNS, STACK_COLUMNS

TIERS = Listing(
    name="tiers",
    columns=COLUMNS,
    source="promotion_tiers t",
    joins={
        "c": "left join campaigns c on c.project_id = t.project_id and c.id = t.campaign_id",
        "ct": "left join voucher_terms ct on ct.project_id = c.project_id and ct.id = c.terms_id",
    },
    # The campaigns in the bin are few; put so, nothing is joined to find the rows of a page.
    where="""t.project_id = $1 and t.campaign_id not in (
        select gone.id from campaigns gone where gone.project_id = $1 and gone.deleted_at is not null)""",
    id="t.id",
    fields={
        "id": Field("t.id"),
        "name": Field("t.name"),
        "banner": Field("t.banner"),
        "active": Field("t.active", "boolean"),
        "hierarchy": Field("t.hierarchy", "number"),
        "campaign_id": Field("t.campaign_id"),
        "campaign_ids": Field("t.campaign_id"),
        "promotion_id": Field("t.campaign_id"),
        "campaign": Field("c.name"),
        "category_id": Field("t.category_id"),
        "category_ids": Field("t.category_id"),
        "category": Field("t.body ->> 'category'"),
        "discount.type": Field("t.body #>> '{discount,type}'"),
        "start_date": Field("(t.body ->> 'start_date')::timestamptz", "date"),
        "expiration_date": Field("(t.body ->> 'expiration_date')::timestamptz", "date"),
        "created_at": Field("t.created_at", "date"),
        "updated_at": Field("t.updated_at", "date"),
    },
    metadata="t.metadata",
    sorts={
        "created_at": "t.created_at",
        "updated_at": "t.updated_at",
        "name": "t.name",
        "hierarchy": "t.hierarchy",
        "id": "t.id",
    },
    never_null=("created_at", "name", "hierarchy", "id"),
)

IN_CAMPAIGN: LiteralString = " and t.campaign_id = $2"

# Switched on, and between their dates as well as their campaign's. Days of the week and hours are not looked at.
AVAILABLE: LiteralString = """
    and t.active and c.active
    and coalesce((t.body ->> 'start_date')::timestamptz <= now(), true)
    and coalesce((t.body ->> 'expiration_date')::timestamptz > now(), true)
    and coalesce(c.start_date <= now(), true) and coalesce(c.expiration_date > now(), true)
"""

STACKS = Listing(
    name="data",
    columns=STACK_COLUMNS,
    source="promotion_stacks s join campaigns c on c.project_id = s.project_id and c.id = s.campaign_id",
    where="s.project_id = $1 and c.deleted_at is null",
    id="s.id",
    fields={
        "id": Field("s.id"),
        "name": Field("s.name"),
        "campaign_id": Field("s.campaign_id"),
        "campaign_ids": Field("s.campaign_id"),
        "category_id": Field("s.category_id"),
        "category_ids": Field("s.category_id"),
        "created_at": Field("s.created_at", "date"),
        "updated_at": Field("s.updated_at", "date"),
    },
    sorts={"created_at": "s.created_at", "updated_at": "s.updated_at", "name": "s.name", "id": "s.id"},
    never_null=("created_at", "name", "id"),
)

STACKS_IN_CAMPAIGN: LiteralString = " and s.campaign_id = $2"
