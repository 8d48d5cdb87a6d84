"""`guerdon verify`: statements that must find nothing. Each returns the rows that break an invariant."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.invariant import Invariant
from guerdon.ledger.replay import RULES, Rule
from guerdon.ledger.verify import audit
from guerdon.loyalty import invariants as loyalty
from guerdon.loyalty import invariants_spent as spent

SHOWN_ROWS = 20
LONGEST_SECONDS = 3600


class Result(msgspec.Struct, frozen=True):
    """What one invariant found in one project. `rows` are at most SHOWN_ROWS of the offending ones; `more` tells
    how many there are besides, where that was counted."""

    invariant: str
    project_id: str
    says: str
    rows: list[dict[str, Any]]
    more: int = 0

    @property
    def holds(self) -> bool:
        return not self.rows


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "voucher-counter",
        "a voucher's redeemed_quantity is the number of its redemptions that succeeded and were not rolled back, "
        "besides the uses it was imported with",
        """
        with counted as (
            select voucher_id, count(*) as redeemed
            from redemptions
            where project_id = $1 and voucher_id is not null and object = 'redemption' and status = 'SUCCEEDED'
            group by voucher_id
        )
        select v.id, v.code, v.redeemed_quantity, v.redeemed_before, coalesce(c.redeemed, 0) as redeemed
        from vouchers v
        left join counted c on c.voucher_id = v.id
        where v.project_id = $1 and v.redeemed_quantity <> v.redeemed_before + coalesce(c.redeemed, 0)
        limit 20
        """,
    ),
    Invariant(
        "tally",
        "a tally in force is the number, or the discount, of the redemptions that it counts",
        """
        with parts as (
            select t.key, t.used, split_part(split_part(t.key, '|', 1), '@', 1) as owner,
                split_part(split_part(t.key, '|', 1), '@', 2)::bigint as epoch, split_part(t.key, '|', 2) as measure,
                split_part(t.key, '|', 3) as span, nullif(split_part(t.key, '|', 4), '') as by
            from tallies t where t.project_id = $1 and t.key like '%@%'
        ), current as (
            select p.*, case left(p.span, 1) when 'd' then substr(p.span, 2)::date end as day, o.timezone
            from parts p join projects o on o.id = $1
            left join vouchers v on v.project_id = $1 and v.id = p.owner
            left join promotion_tiers m on m.project_id = $1 and m.id = p.owner
            where p.measure in ('n', 'off') and (p.by is null or p.by not like '%:%')
              and (p.span = 'all' or p.span like 'd%') and p.epoch = (
                select max(e.version) from tally_epochs e
                where e.project_id = $1 and e.owner in (p.owner, v.campaign_id, m.campaign_id))
        ), counted as (
            select c.key, c.used, (
                select coalesce(sum(case c.measure when 'n' then 1 else r.amount - r.returned_amount end), 0)
                from redemptions r
                where r.project_id = $1 and r.object = 'redemption' and r.status = 'SUCCEEDED'
                  and c.owner in (r.voucher_id, r.promotion_tier_id, r.campaign_id)
                  and (c.by is null or r.customer_id = c.by)
                  and (c.day is null or (r.created_at at time zone c.timezone)::date = c.day)) as counted
            from current c
        )
        select key, used, counted from counted where used <> counted limit 20
        """,
    ),
    Invariant(
        "voucher-limit",
        "no voucher is redeemed more often than its quantity allows",
        """
        select id, code, redeemed_quantity, quantity
        from vouchers
        where project_id = $1 and redeemed_quantity > quantity
        limit 20
        """,
    ),
    Invariant(
        "voucher-terms",
        "every code finds its terms, has terms of its own once redeemed, and the limit that those say",
        """
        select v.id, v.code, v.terms_id, v.quantity, v.redeemed_quantity
        from vouchers v
        left join campaigns c on c.project_id = $1 and c.id = v.campaign_id
        left join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, c.terms_id)
        where v.project_id = $1
          and (t.id is null
               or (v.redeemed_quantity > 0 and v.terms_id is null)
               or (v.terms_id is not null
                   and v.quantity is distinct from (t.body #>> '{redemption,quantity}')::bigint))
        limit 20
        """,
    ),
    Invariant(
        "campaign-count",
        "a campaign's vouchers_count is the number of its codes",
        """
        with counted as (
            select campaign_id, count(*) as codes
            from vouchers
            where project_id = $1 and campaign_id is not null and deleted_at is null
            group by campaign_id
        )
        select c.id, c.name, c.vouchers_count, coalesce(n.codes, 0) as codes
        from campaigns c
        left join counted n on n.campaign_id = c.id
        where c.project_id = $1 and c.deleted_at is null and c.vouchers_count <> coalesce(n.codes, 0)
        limit 20
        """,
    ),
    Invariant(
        "publication-count",
        "a code's published_count is the number of its publications, one at most unless it is for everybody, and it "
        "keeps the terms it was given with",
        """
        with counted as (
            select voucher_id, count(*) as given from publication_vouchers where project_id = $1 group by voucher_id
        )
        select v.id, v.code, v.published_count, coalesce(c.given, 0) as given, v.terms_id
        from vouchers v
        left join counted c on c.voucher_id = v.id
        where v.project_id = $1
          and (v.published_count <> coalesce(c.given, 0)
               or (v.published_count > 0 and v.terms_id is null)
               or (v.published_count > 1 and not v.generic))
        limit 20
        """,
    ),
    Invariant(
        "publication-codes",
        "a publication that succeeded is found by each of its codes, one that failed by none",
        """
        with counted as (
            select publication_id, count(*) as given, array_agg(voucher_id) as ids
            from publication_vouchers where project_id = $1 group by publication_id
        )
        select p.id, p.result, p.voucher_ids, c.ids
        from publications p
        left join counted c on c.publication_id = p.id
        where p.project_id = $1
          and (coalesce(c.given, 0) <> case p.result when 'SUCCESS' then cardinality(p.voucher_ids) else 0 end
               or not coalesce(c.ids <@ p.voucher_ids, true))
        limit 20
        """,
    ),
    Invariant(
        "redemption-amount",
        "a redemption's amount is the sum of what it gave",
        """
        select id, amount, given
        from redemptions
        where project_id = $1 and object = 'redemption' and result = 'SUCCESS' and voucher_id is not null
          and amount <> coalesce((given ->> 'total')::bigint, 0)
        limit 20
        """,
    ),
    Invariant(
        "stack-sum",
        "the amount of a stack, what was returned of it, and the amount of its rollback are the sums of its parts",
        """
        with parts as (
            select parent_id, sum(amount) as amount, sum(returned_amount) as returned
            from redemptions
            where project_id = $1 and parent_id is not null and result = 'SUCCESS'
            group by parent_id
        )
        select p.id, p.object, p.amount, s.amount as sum_of_parts, p.returned_amount, s.returned as returned_of_parts
        from redemptions p
        left join parts s on s.parent_id = p.id
        where p.project_id = $1 and p.related_object_type = 'redemption' and p.parent_id is null
          and p.result = 'SUCCESS'
          and (p.amount <> coalesce(s.amount, 0) or p.returned_amount <> coalesce(s.returned, 0))
        limit 20
        """,
    ),
    Invariant(
        "rollback-sum",
        "what was returned of a code's redemption is the sum of its rollbacks, and never more than was given",
        """
        with returned as (
            select redemption_id, -sum(amount) as amount
            from redemptions
            where project_id = $1 and object = 'redemption_rollback' and result = 'SUCCESS'
              and redemption_id is not null
            group by redemption_id
        )
        select r.id, r.amount, r.returned_amount, coalesce(b.amount, 0) as rolled_back
        from redemptions r
        left join returned b on b.redemption_id = r.id
        where r.project_id = $1 and r.object = 'redemption' and r.related_object_type <> 'redemption'
          and (r.returned_amount <> coalesce(b.amount, 0) or r.returned_amount > r.amount)
        limit 20
        """,
    ),
    Invariant(
        "rollback-whole",
        "a code's redemption counts as rolled back when, and only when, all that it gave came back; where goods came "
        "back and some stay it is used still, whatever of its discount is left",
        """
        select r.id, r.amount, r.returned_amount, r.status
        from redemptions r
        where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS' and r.voucher_id is not null
          and ((r.status = 'ROLLED_BACK' and r.returned_amount <> r.amount)
               or (r.status <> 'ROLLED_BACK' and r.amount > 0 and r.returned_amount = r.amount
                   and not exists (select from order_returns b where b.project_id = $1 and b.order_id = r.order_id)))
        limit 20
        """,
    ),
    Invariant(
        "rollback-target",
        "every rollback that succeeded names a redemption that succeeded before",
        """
        select b.id, b.redemption_id
        from redemptions b
        left join redemptions r
          on r.project_id = $1 and r.id = b.redemption_id and r.object = 'redemption' and r.result = 'SUCCESS'
        where b.project_id = $1 and b.object = 'redemption_rollback' and b.result = 'SUCCESS'
          and (r.id is null or r.created_at > b.created_at)
        limit 20
        """,
    ),
    Invariant(
        "redemption-event",
        "every redemption and every rollback has told of itself in an event; the codes of a refused stack need not",
        """
        select r.id, r.object, r.result
        from redemptions r
        where r.project_id = $1 and (r.result = 'SUCCESS' or r.parent_id is null)
          and not exists (select 1 from events e where e.project_id = $1 and e.entity_id = r.id)
        limit 20
        """,
    ),
    Invariant(
        "redemption-order",
        "a redemption that succeeded on an order finds that order",
        """
        select r.id, r.order_id
        from redemptions r
        left join orders o on o.project_id = $1 and o.id = r.order_id
        where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS'
          and r.order_id is not null and o.id is null
        limit 20
        """,
    ),
    Invariant(
        "order-totals",
        "an order's total discount is that of the order and of its items, and its total what remains of its amount",
        """
        select id, amount, discount_amount, items_discount_amount, total_discount_amount, total_amount
        from orders
        where project_id = $1 and amount is not null
          and (total_discount_amount <> coalesce(discount_amount, 0) + coalesce(items_discount_amount, 0)
               or total_amount <> amount - coalesce(total_discount_amount, 0)
               or total_amount < 0)
        limit 20
        """,
    ),
    Invariant(
        "order-items",
        "the discounts of an order's items add up to its items_discount_amount",
        """
        with summed as (
            select o.id, o.items_discount_amount, sum(coalesce((item ->> 'discount_amount')::bigint, 0)) as items
            from orders o, json_array_elements(o.items) item
            where o.project_id = $1 and json_typeof(o.items) = 'array'
            group by o.id, o.items_discount_amount
        )
        select id, items_discount_amount, items as sum_of_items
        from summed
        where coalesce(items_discount_amount, 0) <> items
        limit 20
        """,
    ),
    Invariant(
        "ledger-transfers",
        "what one card gave in a transfer other cards of the same unit took, all of it",
        """
        select coalesce(case type when 'POINTS_TRANSFER_IN' then related_id end, id) as transfer, sum(amount) as left_over
        from card_entries
        where project_id = $1 and type in ('POINTS_TRANSFER_IN', 'POINTS_TRANSFER_OUT')
        group by 1
        having sum(amount) <> 0 or min(unit) <> max(unit)
        limit 20
        """,
    ),
    Invariant(
        "ledger-redemptions",
        "what a redemption took from a gift card is the amount that it tells, and what was put back, what it says returned",
        """
        with moved as (
            select redemption_id, coalesce(-sum(amount) filter (where amount < 0), 0) as taken,
                   coalesce(sum(amount) filter (where amount > 0), 0) as returned
            from card_entries
            where project_id = $1 and unit = 'credits' and redemption_id is not null
              and type in ('CREDITS_REDEMPTION', 'CREDITS_REFUND')
            group by 1
        ), told as (
            select r.id, r.amount, r.returned_amount
            from redemptions r join cards c on c.project_id = $1 and c.id = r.voucher_id and c.unit = 'credits'
            where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS'
        )
        select coalesce(t.id, m.redemption_id) as id, t.amount, m.taken, t.returned_amount, m.returned
        from told t full join moved m on m.redemption_id = t.id
        where t.id is null or t.amount <> coalesce(m.taken, 0) or t.returned_amount <> coalesce(m.returned, 0)
        limit 20
        """,
    ),
    Invariant(
        "ledger-accounts",
        "every gift card and loyalty card has its account, of its own unit and campaign",
        """
        select v.id, v.code, v.type, c.unit, c.campaign_id
        from vouchers v
        left join cards c on c.project_id = $1 and c.id = v.id
        where v.project_id = $1
          and case v.type
              when 'GIFT_VOUCHER' then c.unit is distinct from 'credits' or c.campaign_id is distinct from v.campaign_id
              when 'LOYALTY_CARD' then c.unit is null or c.unit = 'credits' or c.campaign_id is distinct from v.campaign_id
              else c.id is not null end
        limit 20
        """,
    ),
    Invariant(
        "referral-rewards",
        "what stands on cards for a referral's reward is what was granted less what was taken back",
        """
        with moved as (
            select cause_id, sum(amount)::bigint as amount from card_entries
            where project_id = $1 and cause_id like 'rfw%' group by cause_id
        )
        select coalesce(w.id, m.cause_id) as id, w.referral_id, w.granted, w.clawed, coalesce(m.amount, 0) as moved
        from (select id, referral_id, granted, clawed from referral_rewards where project_id = $1) w
        full join moved m on m.cause_id = w.id
        where w.id is null or w.granted - w.clawed <> coalesce(m.amount, 0)
        limit 20
        """,
    ),
    *loyalty.INVARIANTS,
    *spent.INVARIANTS,
    Invariant(
        "idempotency-answer",
        "every Idempotency-Key that is kept has an answer, and finds the redemption that keeps the order of it",
        """
        select k.key, k.status, k.order_of
        from idempotency_keys k
        left join redemptions r on r.project_id = $1 and r.id = k.order_of
        where k.project_id = $1 and (k.status <= 0 or (k.order_of is not null and r."order" is null))
        limit 20
        """,
    ),
)

PROJECTS = "select id from projects order by id"

Progress = Callable[[str, str, int, int], None]
"""Called with the project, the id of the card behind us, how many are, and how many there are."""


async def verify(
    dsn: str,
    invariants: Sequence[Invariant] = INVARIANTS,
    *,
    after: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Check every invariant and every card in every project, all on one snapshot, so that it may run beside traffic.

    `after` is a project and a card where an earlier run stopped: only the cards behind it are checked.
    """
    results: list[Result] = []
    async with _snapshot(dsn) as conn:
        projects = [project_id for (project_id,) in await db.records(conn, PROJECTS)]
        if after is None:
            for project_id in projects:
                results += await _check(conn, project_id, invariants)
        for project_id in projects:
            if after is None or project_id >= after[0]:
                start = after[1] if after is not None and project_id == after[0] else ""
                results += await _cards(conn, project_id, start, progress)
    return results


async def _check(conn: db.Conn, project_id: str, invariants: Sequence[Invariant]) -> list[Result]:
    results = []
    for invariant in invariants:
        rows = await conn.fetch(invariant.sql, project_id, timeout=LONGEST_SECONDS)
        shown = [dict(row) for row in rows[:SHOWN_ROWS]]
        results.append(Result(invariant.name, project_id, invariant.says, shown))
    return results


async def _cards(conn: db.Conn, project_id: str, after: str, progress: Progress | None) -> list[Result]:
    shown: dict[Rule, list[dict[str, Any]]] = {rule: [] for rule in RULES}
    more = dict.fromkeys(RULES, 0)

    def tell(card_id: str, done: int, whole: int) -> None:
        if progress is not None:
            progress(project_id, card_id, done, whole)

    async for finding in audit(conn, project_id, after=after, progress=tell if progress else None):
        if len(shown[finding.rule]) < SHOWN_ROWS:
            row: dict[str, Any] = msgspec.to_builtins(finding)
            shown[finding.rule].append({name: value for name, value in row.items() if name != "rule"})
        else:
            more[finding.rule] += 1
    return [Result(rule, project_id, says, shown[rule], more[rule]) for rule, says in RULES.items()]


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[db.Conn]:
    conn = await db.connect(dsn, {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"})
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn
    finally:
        await conn.close()
