-- More about gift cards: PINs, what sold them, and what a return of that does.

alter table cards add column pinned boolean not null default false;

-- A PIN is kept as a salted hash. It has few digits: what guards it is the count of wrong ones below.
create table card_pins (
    project_id  text collate "C" not null,
    card_id     text collate "C" not null,
    salt        bytea not null,
    hash        bytea not null,
    primary key (project_id, card_id)
);

-- Wrong PINs under a name: a card's id, or the code that was asked for where there is no such card, so that both look
-- the same from outside. since is the first of the misses that count together.
create table card_pin_tries (
    project_id   text collate "C" not null,
    name         text collate "C" not null,
    misses       integer not null default 0,
    since        timestamptz not null default now(),
    locked_until timestamptz,
    primary key (project_id, name)
) with (fillfactor = 70);
create index card_pin_tries_by_time on card_pin_tries (project_id, since);

-- What sold a card that was made to be sold later. line is the order's line, if one was named; lot_id what it put on
-- the card. voided_at: the purchase came back, and removed was taken off.
create table card_sales (
    project_id  text collate "C" not null,
    card_id     text collate "C" not null,
    order_id    text collate "C" not null,
    line        integer check (line >= 0),
    amount      bigint not null check (amount > 0),
    lot_id      text collate "C" not null,
    entry_id    text collate "C" not null,
    sold_at     timestamptz not null default now(),
    voided_at   timestamptz,
    removed     bigint check (removed between 0 and amount),
    primary key (project_id, card_id)
);
create index card_sales_by_order on card_sales (project_id, order_id);

-- cards: those that the goods had sold, [{"voucher": …, "removed": …, "spent": …}]; withheld: what was spent of them
-- and is taken off the refund, where the campaign says so.
alter table order_returns add column cards json not null default '[]';
alter table order_returns add column withheld bigint not null default 0 check (withheld >= 0);
alter table order_returns drop constraint order_returns_check;
alter table order_returns add check (refund = paid_before - paid_after - withheld);
