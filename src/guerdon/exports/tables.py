"""What may be exported: the fields of each kind of object, what it is read from, ordered and filtered by.

All SQL is literal; ``$1`` is the project's id. Joins are by alias, each of rows before it, and are taken only
where a field, filter or order names them. An order's value is never null.
"""

from typing import Literal, LiteralString

from msgspec import Struct

from guerdon.customers.store import LISTING as CUSTOMERS
from guerdon.kit.filters import Field, Special
from guerdon.orders.store import LISTING as ORDERS
from guerdon.products.store import PRODUCTS, SKUS
from guerdon.publications.store import LISTING as PUBLICATIONS
from guerdon.redemptions.store import LISTING as REDEMPTIONS
from guerdon.vouchers.listing import LISTING as VOUCHERS


class Order(Struct, frozen=True):
    """What rows are ordered by, and its type in PostgreSQL."""

    sql: LiteralString
    type: Literal["timestamptz", "text"] = "text"


class Table(Struct, frozen=True, kw_only=True):
    """One kind of object. `columns` are SQL by field; `created` tells what came after the export was asked for."""

    columns: dict[str, LiteralString]
    defaults: tuple[str, ...]
    source: LiteralString
    joins: dict[str, LiteralString] = {}
    where: LiteralString
    id: LiteralString
    created: LiteralString
    orders: dict[str, Order]
    default_order: str = "-created_at"
    metadata: LiteralString | None = None
    fields: dict[str, Field] = {}
    special: dict[str, Special] | None = None


def _order(sql: LiteralString) -> Order:
    return Order("coalesce(" + sql + ", '')" + ' collate "C"')


def _moment(sql: LiteralString) -> Order:
    return Order("coalesce(" + sql + ", '-infinity'::timestamptz)", "timestamptz")


_CAMPAIGN: LiteralString = "left join campaigns c on c.project_id = $1 and c.id = "

VOUCHER = Table(
    columns={
        "code": "v.code",
        "voucher_type": "v.type",
        "value": """case v.type when 'DISCOUNT_VOUCHER' then coalesce(
            t.body #>> '{discount,percent_off}', t.body #>> '{discount,amount_off}', t.body #>> '{discount,fixed_amount}',
            t.body #>> '{discount,unit_off}') else (k.balance - coalesce(x.lapsed, 0))::text end""",
        "formula": """coalesce(t.body #>> '{discount,percent_off_formula}', t.body #>> '{discount,amount_off_formula}',
            t.body #>> '{discount,fixed_amount_formula}', t.body #>> '{discount,unit_off_formula}')""",
        "discount_type": "t.body #>> '{discount,type}'",
        "campaign": "c.name",
        "category": "coalesce(v.category, t.body ->> 'category')",
        "start_date": "t.starts_at",
        "expiration_date": "t.expires_at",
        "gift_balance": "case v.type when 'GIFT_VOUCHER' then k.balance - coalesce(x.lapsed, 0) end",
        "loyalty_balance": "case v.type when 'LOYALTY_CARD' then k.balance - coalesce(x.lapsed, 0) end",
        "redemption_quantity": """case when v.terms_id is null then (t.body #>> '{redemption,quantity}')::bigint
            else v.quantity end""",
        "redemption_count": "v.redeemed_quantity",
        "active": "v.active",
        "qr_code": "null::text",
        "bar_code": "null::text",
        "metadata": "v.metadata",
        "id": "v.id",
        "is_referral_code": "v.is_referral_code",
        "created_at": "v.created_at",
        "updated_at": "v.updated_at",
        "validity_timeframe_interval": "t.body #>> '{validity_timeframe,interval}'",
        "validity_timeframe_duration": "t.body #>> '{validity_timeframe,duration}'",
        "validity_day_of_week": """(select string_agg(d.day, ',')
            from jsonb_array_elements_text(t.body -> 'validity_day_of_week') d (day))""",
        "discount_amount_limit": "(t.body #>> '{discount,amount_limit}')::bigint",
        "campaign_id": "v.campaign_id",
        "additional_info": "v.additional_info",
        "customer_id": "v.holder_id",
        "discount_effect": "t.body #>> '{discount,effect}'",
        "discount_unit_type": "t.body #>> '{discount,unit_type}'",
        "discount_unit_effect": "case t.body #>> '{discount,type}' when 'UNIT' then t.body #>> '{discount,effect}' end",
        "validation_rules_id": """(select string_agg(a.rule_id, ',' order by a.rule_id)
            from validation_rule_assignments a where a.project_id = $1 and a.related_object_id in (v.id, v.campaign_id))""",
        "customer_source_id": "h.source_id",
    },
    defaults=("code", "voucher_type", "value", "discount_type"),
    source="vouchers v",
    joins={
        **VOUCHERS.joins,
        "h": "left join customers h on h.project_id = $1 and h.id = v.holder_id",
        "k": "left join cards k on k.project_id = $1 and k.id = v.id",
        "x": """left join lateral (select sum(l.remaining)::bigint as lapsed from card_lots l
            where l.project_id = $1 and l.card_id = v.id and l.expires_at <= now()) x on true""",
    },
    where=VOUCHERS.where,
    id="v.id",
    created="v.created_at",
    orders={
        "created_at": Order("v.created_at", "timestamptz"),
        "updated_at": _moment("v.updated_at"),
        "code": Order("v.code_key"),
    },
    metadata="v.metadata",
    fields=VOUCHERS.fields | {"vouchers": Field("v.id"), "created_date": Field("v.created_at", "date")},
    special=VOUCHERS.special,
)

_MADE: LiteralString = "r.object = 'redemption' and r.result = 'SUCCESS'"

REDEMPTION = Table(
    columns={
        "id": "r.id",
        "object": "r.object",
        "date": "r.created_at",
        "voucher_code": "r.voucher_code",
        "campaign": "c.name",
        "promotion_tier_id": "r.promotion_tier_id",
        "customer_id": "r.customer_id",
        "customer_source_id": "u.source_id",
        "customer_name": "u.name",
        "tracking_id": "r.tracking_id",
        "order_id": "r.order_id",
        "order_amount": """(r."order" ->> 'amount')::bigint""",
        "gift_amount": "case v.type when 'GIFT_VOUCHER' then r.amount end",
        "loyalty_points": "case v.type when 'LOYALTY_CARD' then r.amount end",
        "result": "r.result",
        "failure_code": "r.failure_code",
        "failure_message": "r.failure_message",
        "metadata": "r.metadata",
    },
    defaults=("id", "object", "voucher_code", "customer_id", "date", "result"),
    source="redemptions r",
    joins={
        "c": _CAMPAIGN + "r.campaign_id",
        "u": "left join customers u on u.project_id = $1 and u.id = r.customer_id",
        "v": "left join vouchers v on v.project_id = $1 and v.id = r.voucher_id",
    },
    where="r.project_id = $1",
    id="r.id",
    created="r.created_at",
    orders={
        "created_at": Order("r.created_at", "timestamptz"),
        "id": Order("r.id"),
        "voucher_code": _order("r.voucher_code"),
        "tracking_id": _order("r.tracking_id"),
        "customer_id": _order("r.customer_id"),
    },
    metadata="r.metadata",
    fields=REDEMPTIONS.fields
    | {
        "campaign": Field("c.name"),
        "voucher": Field("r.voucher_id"),
        "customer": Field("r.customer_id"),
        "related_object": Field("r.related_object_type"),
    },
)

_COUNT: LiteralString = "(select count(*) from redemptions r where r.project_id = $1 and r.customer_id = c.id and r.related_object_type <> 'redemption' and "
_PAID: LiteralString = (
    "from orders o where o.project_id = $1 and o.customer_id = c.id and o.status in ('PAID', 'FULFILLED'))"
)

CUSTOMER = Table(
    columns={
        "name": "c.name",
        "id": "c.id",
        "description": "c.description",
        "email": "c.email",
        "source_id": "c.source_id",
        "created_at": "c.created_at",
        "address_city": "c.address ->> 'city'",
        "address_state": "c.address ->> 'state'",
        "address_line_1": "c.address ->> 'line_1'",
        "address_line_2": "c.address ->> 'line_2'",
        "address_country": "c.address ->> 'country'",
        "address_postal_code": "c.address ->> 'postal_code'",
        "redemptions_total_redeemed": _COUNT + _MADE + ")",
        "redemptions_total_failed": _COUNT + "r.object = 'redemption' and r.result = 'FAILURE')",
        "redemptions_total_succeeded": _COUNT + _MADE + ")",
        "redemptions_total_rolled_back": _COUNT + "r.object = 'redemption' and r.status = 'ROLLED_BACK')",
        "redemptions_total_rollback_failed": _COUNT
        + "r.object = 'redemption_rollback' and r.result = 'FAILURE')",
        "redemptions_total_rollback_succeeded": _COUNT
        + "r.object = 'redemption_rollback' and r.result = 'SUCCESS')",
        "orders_total_amount": "(select coalesce(sum(o.total_amount), 0)::bigint " + _PAID,
        "orders_total_count": "(select count(*) " + _PAID,
        "orders_average_amount": "(select coalesce(round(avg(coalesce(o.total_amount, 0))), 0)::bigint "
        + _PAID,
        "orders_last_order_amount": """(select o.total_amount from orders o where o.project_id = $1
            and o.customer_id = c.id and o.status in ('PAID', 'FULFILLED') order by o.created_at desc, o.id desc limit 1)""",
        "orders_last_order_date": "(select max(o.created_at) " + _PAID,
        "loyalty_points": """(select coalesce(sum(greatest(l.remaining - k.debt, 0)), 0)::bigint from loyalty_members m
            join loyalty_programs p on p.project_id = $1 and p.id = m.program_id and p.status <> 'DELETED'
            join loyalty_cards y on y.project_id = $1 and y.member_id = m.id
            join cards k on k.project_id = $1 and k.id = y.id
            cross join lateral (select coalesce(sum(o.remaining), 0) as remaining from card_lots o
                where o.project_id = $1 and o.card_id = k.id and o.remaining > 0
                  and (o.expires_at is null or o.expires_at > now())) l
            where m.project_id = $1 and m.customer_id = c.id and m.status <> 'DELETED')""",
        "loyalty_referred_customers": """(select count(*) from referrals f where f.project_id = $1
            and f.referrer_id = c.id and f.status in ('REFERRED', 'HELD', 'EARNED'))""",
        "updated_at": "c.updated_at",
        "phone": "c.phone",
        "birthday": "c.birthdate",
        "metadata": "c.metadata",
        "birthdate": "c.birthdate",
    },
    defaults=("name", "source_id"),
    source="customers c",
    where="c.project_id = $1",
    id="c.id",
    created="c.created_at",
    orders={
        "created_at": Order("c.created_at", "timestamptz"),
        "updated_at": _moment("c.updated_at"),
        "name": _order("c.name"),
        "id": Order("c.id"),
        "email": _order("c.email"),
        "source_id": _order("c.source_id"),
    },
    metadata="c.metadata",
    fields=CUSTOMERS.fields,
)

ORDER = Table(
    columns={
        "id": "o.id",
        "source_id": "o.source_id",
        "created_at": "o.created_at",
        "updated_at": "o.updated_at",
        "status": "o.status",
        "amount": "o.amount",
        "discount_amount": "o.discount_amount",
        "items_discount_amount": "o.items_discount_amount",
        "total_discount_amount": "o.total_discount_amount",
        "total_amount": "o.total_amount",
        "customer_id": "o.customer_id",
        "referrer_id": "o.referrer_id",
        "metadata": "o.metadata",
    },
    defaults=("id", "source_id", "status"),
    source="orders o",
    where="o.project_id = $1",
    id="o.id",
    created="o.created_at",
    orders={
        "created_at": Order("o.created_at", "timestamptz"),
        "updated_at": _moment("o.updated_at"),
        "status": _order("o.status"),
    },
    metadata="o.metadata",
    fields=ORDERS.fields,
)

PUBLICATION = Table(
    columns={
        "voucher_code": "array_to_string(p.voucher_codes, ',')",
        "customer_id": "p.customer_id",
        "customer_source_id": "u.source_id",
        "date": "p.created_at",
        "channel": "p.channel",
        "campaign": "c.name",
        "is_winner": "null::boolean",
        "metadata": "p.metadata",
        "code": "array_to_string(p.voucher_codes, ',')",
        "id": "p.id",
        "result": "p.result",
        "failure_code": "p.failure_code",
    },
    defaults=("voucher_code", "customer_id", "date", "channel"),
    source="publications p",
    joins={**PUBLICATIONS.joins, "u": "left join customers u on u.project_id = $1 and u.id = p.customer_id"},
    where="p.project_id = $1",
    id="p.id",
    created="p.created_at",
    orders={
        "created_at": Order("p.created_at", "timestamptz"),
        "id": Order("p.id"),
        "voucher_code": _order("p.voucher_codes[1]"),
        "tracking_id": _order("p.tracking_id"),
        "customer_id": Order("p.customer_id"),
        "channel": _order("p.channel"),
    },
    metadata="p.metadata",
    fields=PUBLICATIONS.fields
    | {"campaign": Field("c.name"), "customer": Field("p.customer_id"), "voucher": Field("p.voucher_ids[1]")},
)

POINTS_EXPIRATION = Table(
    columns={
        "id": "l.id",
        "campaign_id": "k.campaign_id",
        "voucher_id": "l.card_id",
        "points": """case when l.remaining > 0 or l.expires_at > now() then l.remaining else coalesce((
            select -sum((p ->> 1)::bigint) from card_entries e, json_array_elements(e.parts) p
            where e.project_id = $1 and e.card_id = l.card_id and e.type = 'POINTS_EXPIRATION' and p ->> 0 = l.id
        ), 0)::bigint end""",
        "status": "case when l.expires_at > now() then 'ACTIVE' else 'EXPIRED' end",
        "expires_at": "l.expires_at",
    },
    defaults=("id", "campaign_id", "voucher_id", "status", "expires_at", "points"),
    source="card_lots l join cards k on k.project_id = $1 and k.id = l.card_id and k.unit <> 'credits'",
    where="l.project_id = $1 and l.expires_at is not null",
    id="l.id",
    created="l.created_at",
    orders={"expires_at": Order("l.expires_at", "timestamptz")},
    default_order="-expires_at",
    fields={
        "campaign_id": Field("k.campaign_id"),
        "voucher_id": Field("l.card_id"),
        "expires_at": Field("l.expires_at", "date"),
    },
)

TRANSACTION = Table(
    columns={
        "id": "e.id",
        "campaign_id": "e.campaign_id",
        "voucher_id": "e.card_id",
        "type": "e.type",
        "source_id": "n.source_id",
        "reason": "n.reason",
        "source": "n.source",
        "balance": "e.balance",
        "amount": "e.amount",
        "related_transaction_id": "e.related_id",
        "created_at": "e.created_at",
        "details": """jsonb_strip_nulls(jsonb_build_object(
            'balance', jsonb_build_object(
                'type', case e.unit when 'credits' then 'gift_voucher' else 'loyalty_card' end,
                'total', greatest(e.total, 0), 'object', 'balance',
                case e.unit when 'credits' then 'amount' else 'points' end, e.amount, 'balance', e.balance,
                'operation_type', case when e.type in ('CREDITS_ADDITION', 'CREDITS_REMOVAL', 'POINTS_ADDITION',
                    'POINTS_REMOVAL', 'CREDITS_CASH_OUT') then 'MANUAL' else 'AUTOMATIC' end,
                'related_object', jsonb_build_object('id', e.card_id, 'type', 'voucher')),
            'order', case when e.order_id is not null
                then jsonb_build_object('id', e.order_id, 'source_id', o.source_id) end,
            'redemption', case when e.redemption_id is not null then jsonb_build_object('id', e.redemption_id) end,
            'rollback', case when e.redemption_id is not null and e.cause_id ~ '^rr_'
                then jsonb_build_object('id', e.cause_id) end,
            'earning_rule', case when e.cause_id ~ '^lern_' then jsonb_build_object('id', substr(e.cause_id, 2),
                'source', jsonb_build_object('banner', coalesce(r.body #>> '{v1,source,banner}', ''))) end))""",
    },
    defaults=("id", "type", "source_id", "reason", "source", "balance", "amount", "created_at"),
    source="card_entries e",
    joins={
        "n": "left join card_notes n on n.project_id = $1 and n.entry_id = e.id",
        "o": "left join orders o on o.project_id = $1 and o.id = e.order_id",
        "r": "left join loyalty_parts r on r.project_id = $1 and r.id = e.cause_id",
    },
    where="e.project_id = $1",
    id="(e.card_id || lpad(e.seq::text, 19, '0'))",  # entries of one instant in the order they were made
    created="e.created_at",
    orders={"created_at": Order("e.created_at", "timestamptz")},
    fields={
        "created_at": Field("e.created_at", "date"),
        "voucher_id": Field("e.card_id"),
        "campaign_id": Field("e.campaign_id"),
        "type": Field("e.type"),
    },
)

PRODUCT = Table(
    columns={
        "id": "p.id",
        "name": "p.name",
        "price": "p.price",
        "image_url": "p.image_url",
        "source_id": "p.source_id",
        "attributes": "p.attributes",
        "created_at": "p.created_at",
        "updated_at": "p.updated_at",
        "metadata": "p.metadata",
    },
    defaults=("id", "name", "price", "image_url", "source_id", "attributes", "created_at"),
    source="products p",
    where="p.project_id = $1 and p.deleted_at is null",
    id="p.id",
    created="p.created_at",
    orders={
        "created_at": Order("p.created_at", "timestamptz"),
        "updated_at": _moment("p.updated_at"),
        "name": _order("p.name"),
    },
    metadata="p.metadata",
    fields=PRODUCTS.fields,
)

SKU = Table(
    columns={
        "id": "s.id",
        "sku": "s.sku",
        "product_id": "s.product_id",
        "currency": "s.currency",
        "price": "s.price",
        "image_url": "s.image_url",
        "source_id": "s.source_id",
        "attributes": "s.attributes",
        "created_at": "s.created_at",
        "updated_at": "s.updated_at",
        "metadata": "s.metadata",
    },
    defaults=(
        "id",
        "sku",
        "product_id",
        "currency",
        "price",
        "image_url",
        "source_id",
        "attributes",
        "created_at",
    ),
    source="skus s",
    where="s.project_id = $1 and s.deleted_at is null",
    id="s.id",
    created="s.created_at",
    orders={
        "created_at": Order("s.created_at", "timestamptz"),
        "updated_at": _moment("s.updated_at"),
        "sku": _order("s.sku"),
    },
    metadata="s.metadata",
    fields=SKUS.fields | {"product_id": Field("s.product_id")},
)

TABLES: dict[str, Table] = {
    "voucher": VOUCHER,
    "redemption": REDEMPTION,
    "publication": PUBLICATION,
    "customer": CUSTOMER,
    "order": ORDER,
    "points_expiration": POINTS_EXPIRATION,
    "voucher_transactions": TRANSACTION,
    "product": PRODUCT,
    "sku": SKU,
}
