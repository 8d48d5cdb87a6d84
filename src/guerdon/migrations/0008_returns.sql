-- Goods that came back: what the customer gets for them, and what redemptions gave back with them.
-- items: what came back, as lines of the order; given_back: [{"redemption_id", "amount", …}].
create table order_returns (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    order_id    text collate "C" not null,
    refund      bigint not null check (refund >= 0),
    paid_before bigint not null,
    paid_after  bigint not null,
    method      text not null,
    items       json not null,
    given_back  json not null,
    reason      text,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    primary key (project_id, id),
    check (refund = paid_before - paid_after)
);
create index order_returns_by_order on order_returns (project_id, order_id, created_at);
