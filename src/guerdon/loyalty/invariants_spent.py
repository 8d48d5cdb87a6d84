"""What must hold of what points bought and what benefits and sales put on cards, in both directions (`guerdon verify`):
neither a row without its entries, nor entries whose row is gone.
"""

from guerdon.kit.invariant import Invariant

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "loyalty-purchases",
        "what purchases and payments of orders took of cards, and what came back of it, is what their entries moved",
        """
        with moved as (
            select cause_id as id, coalesce(-sum(amount) filter (where type = 'POINTS_REDEMPTION'), 0) as taken,
                   coalesce(sum(amount) filter (where type = 'POINTS_REFUND'), 0) as returned
            from card_entries
            where project_id = $1 and type in ('POINTS_REDEMPTION', 'POINTS_REFUND') and cause_id ~ '^l[ro]tx_'
            group by 1
        ), told as (
            select id, case when type = 'PURCHASE' and status <> 'REJECTED' then points else 0 end as taken,
                   case when type = 'REFUND' and status <> 'REJECTED' then points else 0 end as returned
            from loyalty_purchases where project_id = $1
            union all
            select id, case when status = 'APPROVED' then points else 0 end, returned
            from loyalty_payments where project_id = $1
        )
        select coalesce(t.id, m.id) as id, t.taken, m.taken as entered, t.returned, m.returned as given_back
        from told t full join moved m on m.id = t.id
        where t.id is null or t.taken <> coalesce(m.taken, 0) or t.returned <> coalesce(m.returned, 0)
        limit 20
        """,
    ),
    Invariant(
        "loyalty-entries",
        "the entry that a purchase, payment, refund or referral's reward names is its own, on the card that it names",
        """
        with told as (
            select p.id, p.card_id, p.entry_id, null as order_id, c.id is null or c.member_id = p.member_id as theirs
            from loyalty_purchases p left join loyalty_cards c on c.project_id = $1 and c.id = p.card_id
            where p.project_id = $1 and p.entry_id is not null
            union all
            select p.id, p.card_id, p.entry_id, p.order_id, c.id is null or c.member_id = p.member_id
            from loyalty_payments p left join loyalty_cards c on c.project_id = $1 and c.id = p.card_id
            where p.project_id = $1 and p.entry_id is not null
        )
        select t.id, t.card_id, t.entry_id, e.card_id as on_card, e.cause_id
        from told t left join card_entries e on e.project_id = $1 and e.card_id = t.card_id and e.id = t.entry_id
        where e.id is null or e.cause_id is distinct from t.id or not t.theirs
           or (t.order_id is not null and e.order_id is distinct from t.order_id)
        union all
        select w.id, w.card_id, e.id, e.card_id, e.cause_id
        from card_entries e join referral_rewards w on w.project_id = $1 and w.id = e.cause_id
        where e.project_id = $1 and e.cause_id like 'rfw%' and e.card_id is distinct from w.card_id
        limit 20
        """,
    ),
    Invariant(
        "loyalty-refunds",
        "a purchase counts as refunded when, and only when, a refund names it, with its member, reward and card",
        """
        select p.id, p.type, p.status, p.purchase_id, r.id as refund_id
        from loyalty_purchases p
        left join loyalty_purchases r
          on r.project_id = $1 and r.type = 'REFUND' and r.status <> 'REJECTED' and r.purchase_id = p.id
        left join loyalty_purchases b on b.project_id = $1 and b.id = p.purchase_id and b.type = 'PURCHASE'
        where p.project_id = $1
          and case p.type
              when 'PURCHASE' then (p.status = 'REFUNDED') <> (r.id is not null)
              else b.id is null or (p.member_id, p.reward_id, p.card_id, p.program_id)
                  <> (b.member_id, b.reward_id, b.card_id, b.program_id) end
        limit 20
        """,
    ),
    Invariant(
        "loyalty-benefits",
        "what benefits put on cards is what their entries moved",
        """
        with moved as (
            select cause_id as id, sum(amount) as amount from card_entries
            where project_id = $1 and type in ('CREDITS_ADDITION', 'POINTS_ADDITION') and cause_id ~ '^lbtx_' group by 1
        ), told as (
            select id, case when given ->> 'lot_id' is null then 0 else (given ->> 'amount')::bigint end as amount
            from loyalty_benefits where project_id = $1
        )
        select coalesce(t.id, m.id) as id, t.amount, m.amount as entered
        from told t full join moved m on m.id = t.id
        where t.id is null or t.amount <> coalesce(m.amount, 0)
        limit 20
        """,
    ),
    Invariant(
        "loyalty-activated",
        "points that became active on a card are those of its waiting points that are noted as activated",
        """
        select c.id, c.activated, coalesce(m.activated, 0) as noted
        from loyalty_cards c
        left join (
            select card_id, sum(points) as activated from loyalty_pending
            where project_id = $1 and status = 'ACTIVATED' group by card_id
        ) m on m.card_id = c.id
        where c.project_id = $1 and c.activated <> coalesce(m.activated, 0)
        limit 20
        """,
    ),
    Invariant(
        "loyalty-stock",
        "of a reward as many are gone as were bought since it is in the program, less those that came back",
        """
        with bought as (
            select a.program_id, a.part_id, a.redeemed, count(p.id) filter (where p.created_at >= a.created_at) as bought,
                   count(p.id) filter (where p.created_at >= a.created_at and p.status <> 'REFUNDED') as kept,
                   count(p.id) filter (where p.created_at < a.created_at and p.status = 'REFUNDED') as older
            from loyalty_assignments a
            left join loyalty_purchases p
              on p.project_id = $1 and p.program_id = a.program_id and p.reward_id = a.part_id and p.type = 'PURCHASE'
             and p.status <> 'REJECTED'
            where a.project_id = $1 and a.kind = 'reward' group by 1, 2, 3
        )
        select part_id as id, program_id, redeemed, bought, kept from bought
        where redeemed > bought or (older = 0 and redeemed < kept)
        limit 20
        """,
    ),
    Invariant(
        "order-returns",
        "what a return says it gave back is what was rolled back, and what was taken off cards for a return finds it",
        """
        with told as (
            select b.id, g ->> 'rollback_id' as rollback_id, (g ->> 'amount')::bigint as amount
            from order_returns b, json_array_elements(b.given_back) g
            where b.project_id = $1 and g ->> 'rollback_id' is not null
        )
        select t.id, t.rollback_id, t.amount, -r.amount as rolled_back
        from told t
        left join redemptions r on r.project_id = $1 and r.id = t.rollback_id and r.object = 'redemption_rollback'
        where r.id is null or t.amount <> -r.amount
        union all
        select e.cause_id, e.id, -e.amount, null
        from card_entries e left join order_returns b on b.project_id = $1 and b.id = e.cause_id
        where e.project_id = $1 and e.cause_id like 'ret!_%' escape '!' and b.id is null
        limit 20
        """,
    ),
    Invariant(
        "card-sales-kept",
        "what an order's purchase put on a card is kept as the card's sale",
        """
        select e.card_id as id, e.id as entry_id, e.order_id
        from card_entries e
        left join card_sales s on s.project_id = $1 and s.card_id = e.card_id and s.entry_id = e.id
        where e.project_id = $1 and e.type = 'CREDITS_ADDITION' and e.order_id is not null and e.cause_id is null
          and s.card_id is null
        limit 20
        """,
    ),
    Invariant(
        "card-pins",
        "a card asks for a PIN when, and only when, one is kept for it",
        """
        select coalesce(c.id, p.card_id) as id, c.pinned
        from (select id, pinned from cards where project_id = $1 and pinned) c
        full join (select card_id from card_pins where project_id = $1) p on p.card_id = c.id
        where c.id is null or p.card_id is null
        limit 20
        """,
    ),
    Invariant(
        "loyalty-members",
        "every loyalty card that somebody holds is a member's",
        """
        select v.id, v.code, v.campaign_id
        from vouchers v left join loyalty_cards c on c.project_id = $1 and c.id = v.id
        where v.project_id = $1 and v.type = 'LOYALTY_CARD' and v.holder_id is not null and v.deleted_at is null
          and c.id is null
        limit 20
        """,
    ),
)
