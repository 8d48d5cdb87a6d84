-- Stored value: gift cards and loyalty cards, what is on them, and every movement that made it so.

-- A card's account. balance is what its lots hold, less its debt; the sums by counter account add up to it. seq and
-- head are the number and the hash of its last entry. unit is 'credits' (minor units of the project's currency) or
-- the id of a points program. This row is the lock for all that is on the card.
create table cards (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    unit        text collate "C" not null,
    campaign_id text collate "C",
    balance     bigint not null default 0,
    debt        bigint not null default 0 check (debt >= 0),
    seq         bigint not null default 0,
    head        bytea not null,
    issued      bigint not null default 0 check (issued >= 0),
    redeemed    bigint not null default 0,
    refunded    bigint not null default 0,
    expired     bigint not null default 0,
    removed     bigint not null default 0,
    transferred bigint not null default 0,
    cashed_out  bigint not null default 0,
    opened_at   timestamptz not null default now(),
    primary key (project_id, id),
    check (balance >= -debt),
    check (refunded <= redeemed),
    check (balance = issued - redeemed + refunded - expired - removed + transferred - cashed_out)
) with (fillfactor = 70);
create index cards_by_campaign on cards (project_id, campaign_id, id) where campaign_id is not null;

-- What was granted at once, under one rule of expiry. Spent ones stay, since a refund goes back to where it came from.
create table card_lots (
    project_id  text collate "C" not null,
    card_id     text collate "C" not null,
    id          text collate "C" not null,
    granted     bigint not null check (granted > 0),
    remaining   bigint not null check (remaining between 0 and granted),
    created_at  timestamptz not null,
    starts_at   timestamptz,
    expires_at  timestamptz,
    entry_id    text collate "C",
    parent      text collate "C",
    primary key (project_id, card_id, id),
    foreign key (project_id, card_id) references cards (project_id, id)
) with (fillfactor = 80);
create index card_lots_by_end on card_lots (project_id, expires_at, card_id) where expires_at is not null;

-- Every movement, signed as the card sees it, against the counter account that its type names (engine/ledger.py).
-- total is what the balance would be had nothing been redeemed; parts are the lots it moved: [["lopb_…", -100], …]. hash is of the row and the card's row before. Rows hold opaque
-- ids only and never change: the role that the application works under may add and read them, nothing else.
create table card_entries (
    project_id    text collate "C" not null,
    card_id       text collate "C" not null,
    seq           bigint not null,
    id            text collate "C" not null,
    type          text not null,
    amount        bigint not null check (amount <> 0),
    balance       bigint not null,
    total         bigint not null,
    parts         json not null,
    related_id    text collate "C",
    redemption_id text collate "C",
    order_id      text collate "C",
    cause_id      text collate "C",
    unit          text collate "C" not null,
    campaign_id   text collate "C",
    hash          bytea not null,
    created_at    timestamptz not null,
    primary key (project_id, card_id, seq)
);
create index card_entries_by_campaign on card_entries (project_id, campaign_id, created_at, id) where campaign_id is not null;
create index card_entries_by_redemption on card_entries (project_id, redemption_id) where redemption_id is not null;
create index card_entries_by_time on card_entries (project_id, created_at, unit, type);

-- What people wrote about an entry, apart from it so that it can be forgotten.
create table card_notes (
    project_id  text collate "C" not null,
    entry_id    text collate "C" not null,
    source_id   text collate "C",
    reason      text,
    source      text,
    primary key (project_id, entry_id)
);
create index card_notes_by_source on card_notes (project_id, source_id) where source_id is not null;

-- The application works under this role wherever it may be made (docs/operate/postgres.md): it owns nothing, so it
-- cannot alter tables, and it cannot change what the books say.
do $$
begin
    create role guerdon_app nologin;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then raise notice 'no role guerdon_app: the books are kept by their hashes alone';
end
$$;

do $$
declare
    place text := quote_ident(current_schema);
begin
    if not exists (select from pg_roles where rolname = 'guerdon_app') then
        return;
    end if;
    if not pg_has_role(current_user, 'guerdon_app', 'member') then
        execute format('grant guerdon_app to %I', current_user);
    end if;
    execute format('grant usage on schema %s to guerdon_app', place);
    execute format('grant select, insert, update, delete on all tables in schema %s to guerdon_app', place);
    execute format('alter default privileges in schema %s grant select, insert, update, delete on tables to guerdon_app', place);
    revoke update, delete, truncate on card_entries from guerdon_app;
    revoke insert, update, delete, truncate on schema_migrations from guerdon_app;
exception
    when insufficient_privilege then raise notice 'no rights for guerdon_app: the books are kept by their hashes alone';
end
$$;
