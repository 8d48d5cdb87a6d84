"""Which vouchers may be listed how."""

from typing import LiteralString

from guerdon.kit.filters import Bind, Condition, Field, Filterable, Filters, filter_sql
from guerdon.kit.paging import Listing
from guerdon.vouchers.shape import COLUMNS


def in_force(terms: LiteralString) -> LiteralString:
    """That the terms in force of a voucher `v` fulfil a condition on a row `e` of voucher_terms.

    Such terms are found by themselves, once, instead of being joined to every voucher that is looked at. Where
    there are none (before the `and`), no voucher is looked at.
    """
    those: LiteralString = "from voucher_terms e where e.project_id = $1 and (" + terms + ")"
    return (
        "(exists (select 1 " + those + ") and case when v.terms_id is not null"
        " then v.terms_id in (select e.id " + those + ")"
        " else v.campaign_id in (select o.id from campaigns o where o.project_id = $1"
        " and o.terms_id in (select e.id " + those + ")) end is true)"
    )  # fmt: skip


_ALIVE: LiteralString = """v.active and (v.campaign_id is null or v.campaign_id not in (
    select o.id from campaigns o where o.project_id = $1 and not o.active))"""
_EXPIRED = in_force("e.expires_at <= now()")
_OUT_OF_TIME = in_force("e.expires_at <= now() or e.starts_at > now()")
# What filters[active][conditions][$…]=true says of a voucher; =false says the opposite.
STATES: dict[str, LiteralString] = {
    "$active": "(" + _ALIVE + " and not " + _OUT_OF_TIME + ")",
    "$expired": _EXPIRED,
    "$enabled": "v.active",
    "$disabled": "(not v.active)",
}
STATES["$is"] = STATES["$in"] = STATES["$active"]
STATES["$is_not"] = "(not " + STATES["$active"] + ")"


def active(condition: Condition, bind: Bind) -> LiteralString:
    """``filters[active]``: states of their own beside plain true and false."""
    state = STATES.get(condition.operator)
    if state is None:
        raise condition.wrong("must be one of " + ", ".join(STATES))
    if len(condition.values) != 1 or condition.values[0].lower() not in ("", "true", "false"):
        raise condition.wrong("must be true or false")
    return "(" + state + ")" if condition.values[0].lower() != "false" else "(not " + state + ")"


def campaign(condition: Condition, bind: Bind) -> LiteralString:
    """``filters[campaign_ids]``: one campaign is a plain equality, whose index gives its codes in order at once."""
    if condition.operator in ("$is", "$in") and len(condition.values) == 1:
        return "v.campaign_id = " + bind(condition.values[0])
    allowed = Filterable({condition.field: Field("v.campaign_id")})
    return filter_sql(Filters([condition]), allowed, bind)


LISTING = Listing(
    name="vouchers",
    columns=COLUMNS + ", c.name as campaign, t.body",
    source="vouchers v",
    joins={
        "c": "left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id",
        "t": """left join voucher_terms t
                on t.project_id = v.project_id and t.id = coalesce(v.terms_id, c.terms_id)""",
    },
    where="""
        v.project_id = $1 and v.deleted_at is null
        and (v.campaign_id is null or v.campaign_id not in (
            select gone.id from campaigns gone where gone.project_id = $1 and gone.deleted_at is not null))
    """,
    id="v.id",
    fields={
        "id": Field("v.id"),
        "code": Field("v.code_key"),  # values are brought into the key's form before
        "type": Field("v.type"),
        "voucher_type": Field("v.type"),
        "campaign": Field("c.name"),
        "campaign_name": Field("c.name"),
        "category": Field("coalesce(v.category, t.body ->> 'category')"),
        "categories": Field("coalesce(v.category, t.body ->> 'category')"),
        "category_id": Field("coalesce(v.category_id, t.body ->> 'category_id')"),
        "category_ids": Field("coalesce(v.category_id, t.body ->> 'category_id')"),
        "customer": Field("v.holder_id"),
        "holder_id": Field("v.holder_id"),
        "additional_info": Field("v.additional_info"),
        "is_referral_code": Field("v.is_referral_code", "boolean"),
        "discount.type": Field("t.body #>> '{discount,type}'"),
        "redemption.redeemed_quantity": Field("v.redeemed_quantity", "number"),
        "redemption.quantity": Field(
            "case when v.terms_id is null then (t.body #>> '{redemption,quantity}')::bigint else v.quantity end",
            "number",
        ),
        "publish.count": Field("v.published_count", "number"),
        "start_date": Field("t.starts_at", "date", ("e.starts_at", in_force)),
        "expiration_date": Field("t.expires_at", "date", ("e.expires_at", in_force)),
        "created_at": Field("v.created_at", "date"),
        "updated_at": Field("v.updated_at", "date"),
    },
    metadata="v.metadata",
    special={"active": active, "campaign_id": campaign, "campaign_ids": campaign},
    sorts={"created_at": "v.created_at", "updated_at": "v.updated_at", "code": "v.code_key", "id": "v.id"},
    never_null=("created_at", "code", "id"),
)
