-- Who gets what: rules, promotions, segments, collections, categories; how much of each limit is used; locks.

-- Which definitions changed with which config_version of the project, so that a snapshot reloads these alone.
create table definition_changes (
    project_id  text collate "C" not null,
    version     bigint not null,
    kind        text not null,
    id          text collate "C" not null,
    primary key (project_id, version, kind, id)
);

create table categories (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text not null,
    hierarchy   int not null default 1 check (hierarchy between 0 and 1000),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
);

create table metadata_schemas (
    project_id         text collate "C" not null,
    id                 text collate "C" not null,
    related_object     text not null,
    properties         jsonb not null default '{}',
    allow_defined_only boolean not null default false,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz,
    primary key (project_id, id),
    unique (project_id, related_object)
);

-- products: of a STATIC collection, [{"object": "product"|"sku", "id", "product_id"?}]; filter: of an AUTO_UPDATE one.
create table product_collections (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text not null,
    type        text not null check (type in ('STATIC', 'AUTO_UPDATE')),
    filter      jsonb,
    products    jsonb not null default '[]',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
);

create table segments (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text not null,
    type        text not null check (type in ('static', 'passive', 'auto-update')),
    filter      jsonb,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
);

-- The customers of static segments, and those last seen in auto-update ones, whose entering is an event.
create table segment_members (
    project_id  text collate "C" not null,
    segment_id  text collate "C" not null,
    customer_id text collate "C" not null,
    entered_at  timestamptz not null default now(),
    primary key (project_id, segment_id, customer_id),
    foreign key (project_id, segment_id) references segments (project_id, id) on delete cascade
);
create index segment_members_by_customer on segment_members (project_id, customer_id);

-- body: {type, context_type, rules, bundle_rules, applicable_to, error} as it was given, checked.
create table validation_rules (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text not null,
    body        jsonb not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
);
create index validation_rules_by_creation on validation_rules (project_id, created_at, id);

create table validation_rule_assignments (
    project_id          text collate "C" not null,
    id                  text collate "C" not null,
    rule_id             text collate "C" not null,
    related_object_id   text collate "C" not null,
    related_object_type text not null,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz,
    primary key (project_id, id),
    unique (project_id, related_object_id, rule_id),
    foreign key (project_id, rule_id) references validation_rules (project_id, id) on delete cascade
);
create index validation_rule_assignments_by_rule on validation_rule_assignments (project_id, rule_id, created_at);

-- body: what the engine reads as Terms, that is {discount, start_date, expiration_date, validity_…}.
create table promotion_tiers (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    campaign_id     text collate "C" not null,
    name            text not null,
    banner          text,
    hierarchy       int not null default 1,
    active          boolean not null default true,
    category_id     text collate "C",
    body            jsonb not null,
    metadata        jsonb not null default '{}',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz,
    primary key (project_id, id),
    foreign key (project_id, campaign_id) references campaigns (project_id, id) on delete cascade
);
create index promotion_tiers_by_campaign on promotion_tiers (project_id, campaign_id, hierarchy, id);
create index promotion_tiers_by_creation on promotion_tiers (project_id, created_at, id);

create table promotion_stacks (
    project_id   text collate "C" not null,
    id           text collate "C" not null,
    campaign_id  text collate "C" not null,
    name         text not null,
    tiers        text[] not null,
    category_id  text collate "C",
    created_at   timestamptz not null default now(),
    updated_at   timestamptz,
    primary key (project_id, id),
    foreign key (project_id, campaign_id) references campaigns (project_id, id) on delete cascade
);
create index promotion_stacks_by_campaign on promotion_stacks (project_id, campaign_id, created_at);

-- How much of what limits count is used: redemptions, order value, discount, units; in all or in a day, week or
-- month, by redeemable, campaign, customer, key. A row is made when a limit first asks for it, from the
-- redemptions there are; from then on it counts every redemption that it names (see engine/tally.py for the keys).
create table tallies (
    project_id  text collate "C" not null,
    key         text collate "C" not null,
    used        bigint not null default 0 check (used >= 0),
    until       date,
    primary key (project_id, key)
) with (fillfactor = 50);

-- Since which config_version the rules that count for an owner (a voucher, a tier, a campaign) are what they are.
create table tally_epochs (
    project_id  text collate "C" not null,
    owner       text collate "C" not null,
    version     bigint not null,
    primary key (project_id, owner)
);

-- What a session holds of codes and tallies until it ends, is redeemed or is released.
create table session_holds (
    project_id    text collate "C" not null,
    session_key   text collate "C" not null,
    held          text collate "C" not null,
    redeemable_id text collate "C" not null,
    amount        bigint not null check (amount >= 0),
    expires_at    timestamptz not null,
    primary key (project_id, held, session_key, redeemable_id)
);
create index session_holds_by_session on session_holds (project_id, session_key);
create index session_holds_by_end on session_holds (expires_at);

-- How often something happened to a customer, and when last: what segments ask.
create index events_by_customer on events (project_id, customer_id, type, created_at) where customer_id is not null;
