-- What points buy: rewards, payments of orders; and what rules give beside points.

-- Through what a purchase came, the redemption of the older API that it stands for, and what exactly was given, so
-- that a refund finds it: {voucher_id, card_id, lot_id, amount, published, cost_id}.
alter table loyalty_purchases add column channel text not null default 'API';
alter table loyalty_purchases add column redemption_id text collate "C";
alter table loyalty_purchases add column given jsonb not null default '{}';
create index loyalty_purchases_by_redemption on loyalty_purchases (project_id, redemption_id) where redemption_id is not null;

-- Orders paid with points. amount: minor units; returned: points that came back with the order, whose total was basis
-- then; ratio: what a point was worth in minor units, as a decimal number.
create table loyalty_payments (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    program_id    text collate "C" not null,
    member_id     text collate "C" not null,
    card_id       text collate "C" not null,
    definition_id text collate "C" not null,
    order_id      text collate "C" not null,
    status        text not null check (status in ('PENDING', 'PROCESSING', 'APPROVED', 'REJECTED')),
    points        bigint not null check (points >= 0),
    amount        bigint not null check (amount >= 0),
    returned      bigint not null default 0 check (returned between 0 and points),
    ratio         text not null,
    basis         bigint not null check (basis >= 0),
    entry_id      text collate "C",
    details       jsonb not null default '{}',
    created_at    timestamptz not null default now(),
    updated_at    timestamptz,
    primary key (project_id, id)
) with (fillfactor = 90);
create index loyalty_payments_by_member on loyalty_payments (project_id, member_id, created_at, id);
create index loyalty_payments_by_order on loyalty_payments (project_id, order_id);

-- Benefits that rules gave, each once for its cause. points: how many, where that is reckoned from what happened.
-- basis: what the order was worth then (minor units), to take back in proportion.
create table loyalty_benefits (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    program_id  text collate "C" not null,
    member_id   text collate "C" not null,
    benefit_id  text collate "C" not null,
    rule_id     text collate "C" not null,
    earning_id  text collate "C" not null,
    cause_id    text collate "C" not null,
    order_id    text collate "C",
    status      text not null check (status in ('PENDING', 'APPROVED', 'REJECTED')),
    points      bigint,
    basis       bigint,
    details     jsonb not null default '{}',
    given       jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, member_id, cause_id, rule_id, earning_id, benefit_id)
) with (fillfactor = 80);
create index loyalty_benefits_by_order on loyalty_benefits (project_id, order_id) where order_id is not null;
create index loyalty_benefits_by_member on loyalty_benefits (project_id, member_id, created_at, id);
