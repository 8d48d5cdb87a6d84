"""What must hold of cards that were sold, of members' cards, their points and their tiers (`guerdon verify`)."""

from guerdon.kit.invariant import Invariant

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "card-sales",
        "what a sale put on a card is the entry and the lot that it names, and what a return of it took off again, too;"
        " and cards that are made to be sold say whether they were",
        """
        with taken as (
            select s.card_id, -sum(e.amount) as amount
            from card_sales s join card_entries e
              on e.project_id = $1 and e.card_id = s.card_id and e.order_id = s.order_id and e.type = 'CREDITS_REMOVAL'
            where s.project_id = $1 and s.voided_at is not null group by 1
        )
        (select s.card_id as id, s.order_id, s.amount, e.amount as entered, s.removed, t.amount as taken_off,
                null as sale
        from card_sales s
        left join card_entries e on e.project_id = $1 and e.card_id = s.card_id and e.id = s.entry_id
        left join card_lots l on l.project_id = $1 and l.card_id = s.card_id and l.id = s.lot_id
        left join taken t on t.card_id = s.card_id
        where s.project_id = $1
          and (e.id is null or l.id is null or e.amount <> s.amount or e.order_id is distinct from s.order_id
               or (s.voided_at is null) <> (s.removed is null)
               or (s.voided_at is not null and s.removed <> coalesce(t.amount, 0)))
        limit 20)
        union all
        (select coalesce(c.id, s.card_id), s.order_id, s.amount, null, s.removed, null, c.sale
        from (select id, sale from cards where project_id = $1 and sale is not null) c
        full join (select * from card_sales where project_id = $1) s on s.card_id = c.id
        where c.sale is distinct from
              case when s.card_id is null then 'AWAITED' when s.voided_at is null then 'SOLD' else 'VOIDED' end
        limit 20)
        union all
        (select v.id, null, null, null, null, null, c.sale
        from vouchers v join cards c on c.project_id = $1 and c.id = v.id
        left join campaigns k on k.project_id = $1 and k.id = v.campaign_id
        join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, k.terms_id)
        where v.project_id = $1 and v.type = 'GIFT_VOUCHER'
          and coalesce((t.body -> 'gift' ->> 'on_sale')::boolean, false) <> (c.sale is not null)
        limit 20)
        """,
    ),
    Invariant(
        "loyalty-points",
        "what rules gave members and what waits for them is what their cards' entries and pending points say",
        """
        with given as (
            select card_id, sum(amount) filter (where type = 'POINTS_ACCRUAL') as accrued,
                   sum(amount) filter (where type = 'PENDING_POINTS_ACTIVATION') as activated,
                   -sum(amount) filter (
                       where type = 'POINTS_CLAWBACK'
                         and split_part(coalesce(cause_id, ''), '_', 1) not in ('rfw', 'lrtx', 'lbtx')) as revoked
            from card_entries where project_id = $1
              and type in ('POINTS_ACCRUAL', 'PENDING_POINTS_ACTIVATION', 'POINTS_CLAWBACK') group by card_id
        ), waiting as (
            select card_id, sum(points) as points from loyalty_pending
            where project_id = $1 and status = 'PENDING' group by card_id
        ), earned as (
            select card_id, sum(points) as points from loyalty_earnings
            where project_id = $1 and pending_id is null group by card_id
        )
        select c.id, c.pending, w.points as waiting, c.earned, g.accrued, e.points as given, c.activated, c.revoked
        from loyalty_cards c
        left join given g on g.card_id = c.id
        left join waiting w on w.card_id = c.id
        left join earned e on e.card_id = c.id
        where c.project_id = $1 and (
            c.pending <> coalesce(w.points, 0) or c.earned <> coalesce(g.accrued, 0)
            or c.earned <> coalesce(e.points, 0) or c.activated <> coalesce(g.activated, 0)
            or c.revoked <> coalesce(g.revoked, 0))
        limit 20
        """,
    ),
    Invariant(
        "loyalty-cards",
        "a member's card is a loyalty card that the member's customer holds, in its program, with an account of its unit",
        """
        select c.id, c.member_id, m.customer_id, v.holder_id, v.type, a.unit, c.definition_id
        from loyalty_cards c
        left join loyalty_members m on m.project_id = $1 and m.id = c.member_id
        left join vouchers v on v.project_id = $1 and v.id = c.id
        left join cards a on a.project_id = $1 and a.id = c.id
        where c.project_id = $1 and m.status <> 'DELETED'
          and (m.program_id <> c.program_id or a.id is null or a.unit <> c.definition_id or v.id is null
               or v.deleted_at is not null or v.type <> 'LOYALTY_CARD' or v.holder_id is distinct from m.customer_id)
        limit 20
        """,
    ),
    Invariant(
        "loyalty-pending",
        "points that became active, were given up or still wait are those that were promised to the card",
        """
        with moved as (
            select card_id, coalesce(sum(points) filter (where status = 'PENDING'), 0) as waiting
            from loyalty_pending where project_id = $1 group by card_id
        )
        select c.id, c.pending, m.waiting, c.ever_pending, c.activated, c.canceled
        from loyalty_cards c left join moved m on m.card_id = c.id
        where c.project_id = $1
          and (c.pending <> coalesce(m.waiting, 0) or c.ever_pending <> c.pending + c.activated + c.canceled
               or least(c.activated, c.canceled, c.ever_pending) < 0)
        limit 20
        """,
    ),
    Invariant(
        "loyalty-tiers",
        "the tier that a member is in is the one that the last step of the member's way led to",
        """
        with last as (
            select distinct on (member_id) member_id, id, type, tier_to
            from loyalty_tier_changes where project_id = $1
            order by member_id, created_at desc, id desc
        )
        select m.id, m.tier_id, m.tier ->> 'tier_id' as standing, l.id as change_id, l.type, l.tier_to
        from loyalty_members m left join last l on l.member_id = m.id
        where m.project_id = $1 and m.status <> 'DELETED'
          and (m.tier_id is distinct from (case l.type when 'LEFT' then null else l.tier_to end)
               or (m.tier is not null and m.tier ->> 'tier_id' is distinct from m.tier_id))
        limit 20
        """,
    ),
)
