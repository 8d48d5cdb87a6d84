"""What the transactions of cards of points came of, as they are listed: the event and the rule that gave points, the
reward that took them, the card on the other side of a transfer. It is looked up a page at a time.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from guerdon.engine.periods import local_day
from guerdon.kit import db
from guerdon.kit.clock import iso

EARNED: Final = ("POINTS_ACCRUAL", "PENDING_POINTS_ACTIVATION")
TRANSFERRED: Final = ("POINTS_TRANSFER_IN", "POINTS_TRANSFER_OUT")
SPENT: Final = ("POINTS_REDEMPTION", "POINTS_REFUND")

# The event is the customer's, of the moment at which the rule was set off. A tier counts as used where it maps the rule.
EARNINGS: LiteralString = """
    select e.entry_id, e.tier_id, t.name as tier, t.body #> array['v1', 'earning_rules', e.rule_id] is not null as mapped,
           s.id as segment_id, s.name as segment, o.id as custom_event_id, o.name as custom_event,
           d.id as schema_id, d.name as schema, x.id as event_id, x.type as event,
           p.id as pending_id, p.points as waited, p.activates_at, p.created_at as waits_since, e.order_id,
           m.customer_id
    from unnest($2::text[], $3::timestamptz[]) as w (card_id, at)
    join loyalty_earnings e on e.project_id = $1 and e.card_id = w.card_id and e.active_at = w.at
    join loyalty_members m on m.project_id = $1 and m.id = e.member_id
    left join loyalty_parts r on r.project_id = $1 and r.id = e.rule_id
    left join loyalty_tiers t on t.project_id = $1 and t.id = e.tier_id
    left join loyalty_pending p on p.project_id = $1 and p.id = e.pending_id
    left join segments s on s.project_id = $1
        and s.id = coalesce(r.body #>> '{v1,segment,id}', r.body #>> '{trigger,segment,id}')
    left join custom_events o on o.project_id = $1 and o.id = e.cause_id
    left join custom_event_schemas d on d.project_id = $1
        and d.id = coalesce(r.body #>> '{v1,custom_event,schema_id}', r.body #>> '{trigger,custom_event,id}')
    left join lateral (
        select v.id, v.type from events v
        where v.project_id = $1 and v.customer_id = m.customer_id
            and v.created_at between e.happened_at - interval '1 second' and e.happened_at + interval '1 second'
            and ((v.type = 'order.paid' and v.entity_id = e.order_id)
                or (v.type = 'customer.custom_event' and v.entity_id = e.cause_id)
                or (v.type = 'customer.segment.entered' and v.data #>> '{segment,id}' = s.id)
                or (v.type = r.body #>> '{v1,event}' and v.type like 'customer.loyalty.tier.%'))
        order by v.created_at limit 1
    ) x on true
"""
REWARDS: LiteralString = """
    select w.entry_id, coalesce(n.reward ->> 'id', 'rew_' || substr(p.reward_id, strpos(p.reward_id, '_') + 1)) as id,
           coalesce(n.reward ->> 'name', r.name) as name
    from unnest($2::text[], $3::text[], $4::text[]) as w (entry_id, redemption_id, cause_id)
    left join redemptions n on n.project_id = $1 and n.id = w.redemption_id
    left join loyalty_purchases p on p.project_id = $1 and p.id = w.cause_id
    left join loyalty_parts r on r.project_id = $1 and r.id = p.reward_id
"""
# What lapsed but waits for the night is no part of a balance.
OTHERS: LiteralString = """
    select e.id as entry_id, v.id, v.code, v.type, k.name as campaign, v.campaign_id, v.holder_id, v.created_at,
           c.issued + c.received as points, c.balance - l.lapsed as balance
    from unnest($2::text[]) as w (id)
    join card_entries e on e.project_id = $1 and e.id = w.id
        and e.type in ('POINTS_TRANSFER_IN', 'POINTS_TRANSFER_OUT')
    join cards c on c.project_id = $1 and c.id = e.card_id
    join vouchers v on v.project_id = $1 and v.id = e.card_id
    left join campaigns k on k.project_id = $1 and k.id = v.campaign_id
    cross join lateral (
        select coalesce(sum(o.remaining), 0)::bigint as lapsed from card_lots o
        where o.project_id = $1 and o.card_id = c.id and o.remaining > 0
            and coalesce(o.expires_at, 'infinity') <= now()
    ) l
"""

Told = dict[str, Any]
"""Members of a transaction's details."""


async def of_page(conn: db.Db, project_id: str, rows: Iterable[Any], zone: str) -> Mapping[str, Told]:
    """What the entries of a page came of, by their ids; those of which there is nothing to tell are left out."""
    points = [row for row in rows if row.unit != "credits"]
    told: dict[str, Told] = {}
    earned = [row for row in points if row.type in EARNED]
    if earned:
        cards, moments = [row.card_id for row in earned], [row.created_at for row in earned]
        for record in await db.records(conn, EARNINGS, project_id, cards, moments):
            if record["entry_id"] is not None:
                told[record["entry_id"]] = _earned(record, ZoneInfo(zone))
        for row in earned:
            if "pending_points" in told.get(row.id, {}):
                told[row.id]["pending_points"] |= {"voucher_id": row.card_id, "campaign_id": row.campaign_id}
    spent = [row for row in points if row.type in SPENT]
    if spent:
        asked = [
            [row.id for row in spent],
            [row.redemption_id for row in spent],
            [row.cause_id for row in spent],
        ]
        for record in await db.records(conn, REWARDS, project_id, *asked):
            if record["id"] is not None:
                told[record["entry_id"]] = {"reward": {"id": record["id"], "name": record["name"]}}
    moved = {row.related_id: row for row in points if row.type in TRANSFERRED and row.related_id is not None}
    if moved:
        others = {r["entry_id"]: r for r in await db.records(conn, OTHERS, project_id, list(moved))}
        for row in points:
            if row.type in TRANSFERRED and row.related_id in others:
                side = "source_voucher" if row.type == "POINTS_TRANSFER_IN" else "destination_voucher"
                told[row.id] = {side: _voucher(others[row.related_id])}
    return told


def _earned(record: db.Record, zone: ZoneInfo) -> Told:
    told: Told = {}
    if record["event_id"] is not None:
        type = "customer.order.paid" if record["event"] == "order.paid" else record["event"]
        told["event"] = {"id": record["event_id"], "type": type}
    for name, part in (("segment", "name"), ("custom_event", "type"), ("schema", "name")):
        if record[f"{name}_id"] is not None and (name != "schema" or record["custom_event_id"] is not None):
            shown = "event_schema" if name == "schema" else name
            told[shown] = {"id": record[f"{name}_id"], part: record[name]}
    if record["tier_id"] is not None and record["tier"] is not None:
        tier = {"id": "ltr_" + record["tier_id"].partition("_")[2], "name": record["tier"]}
        told["holder_loyalty_tier"] = tier
        if record["mapped"]:
            told["loyalty_tier"] = tier
    if record["pending_id"] is not None:
        told["pending_points"] = {
            "id": record["pending_id"],
            "customer_id": record["customer_id"],
            "order_id": record["order_id"],
            "points": record["waited"],
            "activates_at": None
            if record["activates_at"] is None
            else str(local_day(record["activates_at"], zone)),
            "created_at": iso(record["waits_since"]),
        }
    return told


def _voucher(record: db.Record) -> Told:
    """The other card of a transfer, with what is on it now."""
    return {
        "id": record["id"],
        "code": record["code"],
        "type": record["type"],
        "campaign": record["campaign"],
        "campaign_id": record["campaign_id"],
        "holder_id": record["holder_id"],
        "is_referral_code": False,
        "loyalty_card": {"points": record["points"], "balance": record["balance"]},
        "created_at": iso(record["created_at"]),
        "object": "voucher",
    }
