-- Which code was given to whom, and what callers tell of their customers.

-- A publication, those that failed too. voucher_ids and voucher_codes name the codes in the order they were given;
-- of one that failed, the code that was asked for.
create table publications (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    customer_id     text collate "C" not null,
    campaign_id     text collate "C",
    source_id       text collate "C",
    tracking_id     text,
    channel         text not null default 'API',
    metadata        jsonb not null default '{}',
    result          text not null check (result in ('SUCCESS', 'FAILURE')),
    failure_code    text,
    failure_message text,
    voucher_ids     text[] not null default '{}',
    voucher_codes   text[] not null default '{}',
    created_at      timestamptz not null default now(),
    primary key (project_id, id),
    check ((result = 'FAILURE') = (failure_code is not null))
);
create unique index publications_by_source on publications (project_id, source_id) where source_id is not null and result = 'SUCCESS';
create index publications_by_creation on publications (project_id, created_at, id);
create index publications_by_customer on publications (project_id, customer_id, created_at, id);
create index publications_by_campaign on publications (project_id, campaign_id, created_at, id) where campaign_id is not null;

-- The successful publications of each code; their ids sort by time.
create table publication_vouchers (
    project_id     text collate "C" not null,
    voucher_id     text collate "C" not null,
    publication_id text collate "C" not null,
    primary key (project_id, voucher_id, publication_id)
);

-- What publications pick from, in the campaign's order. Nothing that a redemption changes stands here, so that its
-- update stays on the row's own page.
create index vouchers_to_publish on vouchers (project_id, campaign_id, created_at, id)
    where campaign_id is not null and published_count = 0 and holder_id is null and active and deleted_at is null;

-- What a custom event may be called, and what may stand in its metadata.
create table custom_event_schemas (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text collate "C" not null,
    properties  jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, name)
);

-- referral: {code, id, referrer_id}; loyalty: {code, id}.
create table custom_events (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    name        text collate "C" not null,
    customer_id text collate "C" not null,
    referral    jsonb,
    loyalty     jsonb,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    primary key (project_id, id)
);
create index custom_events_by_customer on custom_events (project_id, customer_id, created_at, id);
