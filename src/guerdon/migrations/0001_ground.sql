-- Every tenant table is keyed by project_id first, ids are made by the application, and nothing is shared
-- between projects, so the tables can be distributed by project_id (Citus). projects and api_keys are the
-- only tables read before the project is known: on a cluster they are reference tables.

create table projects (
    id             text collate "C" primary key,
    name           text not null,
    timezone       text not null default 'UTC',
    currency       text not null default 'USD',
    week_start     smallint not null default 1 check (week_start between 0 and 6),
    case_sensitive_codes boolean not null default true,
    settings       jsonb not null default '{}',
    config_version bigint not null default 1,
    created_at     timestamptz not null default now()
);

create table api_keys (
    id          text collate "C" primary key,
    project_id  text collate "C" not null references projects (id),
    app_id      text collate "C" not null unique,
    token_hash  bytea not null,
    name        text not null,
    role        text not null default 'server' check (role in ('server', 'merchant', 'management')),
    active      boolean not null default true,
    created_at  timestamptz not null default now()
);

create table customers (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    source_id   text collate "C",
    name        text,
    email       text,
    phone       text,
    description text,
    birthdate   date,
    address     jsonb,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, source_id)
);
create index customers_by_creation on customers (project_id, created_at, id);
create index customers_by_email on customers (project_id, email collate "C");

create table products (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    source_id   text collate "C",
    name        text,
    price       bigint check (price between 0 and 9007199254740991),
    attributes  jsonb not null default '[]',
    image_url   text,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    deleted_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, source_id)
);
create index products_by_creation on products (project_id, created_at, id);

create table skus (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    product_id  text collate "C" not null,
    source_id   text collate "C",
    sku         text,
    price       bigint check (price between 0 and 9007199254740991),
    currency    text,
    attributes  jsonb not null default '{}',
    image_url   text,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    deleted_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, source_id),
    foreign key (project_id, product_id) references products (project_id, id) on delete cascade
);
create index skus_by_product on skus (project_id, product_id, created_at);

-- items, the order's lines, are read and written whole: plain json, which is stored as it was written.
create table orders (
    project_id             text collate "C" not null,
    id                     text collate "C" not null,
    source_id              text collate "C",
    status                 text not null check (status in ('CREATED', 'PROCESSING', 'PAID', 'CANCELED', 'FULFILLED')),
    customer_id            text collate "C",
    referrer_id            text collate "C",
    amount                 bigint check (amount >= 0),
    initial_amount         bigint check (initial_amount >= 0),
    discount_amount        bigint check (discount_amount >= 0),
    items_discount_amount  bigint check (items_discount_amount >= 0),
    total_discount_amount  bigint check (total_discount_amount >= 0),
    total_amount           bigint check (total_amount >= 0),
    items                  json not null default 'null',
    metadata               jsonb not null default '{}',
    redemptions            jsonb not null default '{}',
    created_at             timestamptz not null default now(),
    updated_at             timestamptz,
    primary key (project_id, id),
    unique (project_id, source_id),
    check (total_amount = amount - total_discount_amount)
) with (toast_tuple_target = 8160);
create index orders_by_creation on orders (project_id, created_at, id);
create index orders_by_customer on orders (project_id, customer_id, created_at) where customer_id is not null;

-- What a code promises. A row never changes: an edit of a campaign or a voucher makes a new row and points to
-- it, so that terms can be cached for ever and an edit of a campaign is one row, however many codes it has.
create table voucher_terms (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    body        jsonb not null,
    expires_at  timestamptz,
    starts_at   timestamptz,
    created_at  timestamptz not null default now(),
    primary key (project_id, id)
);

create index voucher_terms_by_end on voucher_terms (project_id, expires_at, id) where expires_at is not null;
create index voucher_terms_by_start on voucher_terms (project_id, starts_at, id) where starts_at is not null;

create table campaigns (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    name            text collate "C" not null,
    campaign_type   text not null,
    type            text not null check (type in ('AUTO_UPDATE', 'STATIC', 'STANDALONE')),
    terms_id        text collate "C" not null,
    voucher         jsonb not null default '{}',
    description     text,
    category        text,
    category_id     text collate "C",
    active          boolean not null default true,
    join_once       boolean not null default false,
    auto_join       boolean not null default false,
    protected       boolean not null default false,
    use_voucher_metadata_schema boolean not null default false,
    activity_duration_after_publishing text,
    access_settings jsonb,
    options         jsonb,
    metadata        jsonb not null default '{}',
    creation_status text not null default 'DONE',
    vouchers_generation_status text not null default 'DONE',
    vouchers_count  bigint not null default 0 check (vouchers_count >= 0),
    start_date      timestamptz,
    expiration_date timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz,
    deleted_at      timestamptz,
    primary key (project_id, id),
    unique (project_id, name),
    foreign key (project_id, terms_id) references voucher_terms (project_id, id)
);
create index campaigns_by_creation on campaigns (project_id, created_at, id);

-- generic: of a STANDALONE campaign; like those of no campaign, it is for anybody.
-- redeemed_before: uses that the code was imported with; they count, but no redemption of ours tells of them.
-- terms_id null: the code follows its campaign's current terms. The first redemption or publication, or an
-- edit of the code itself, pins it to a row of its own. quantity is the limit it was pinned with.
create table vouchers (
    project_id        text collate "C" not null,
    id                text collate "C" not null,
    code              text collate "C" not null,
    code_key          text collate "C" not null,
    type              text not null default 'DISCOUNT_VOUCHER',
    campaign_id       text collate "C",
    terms_id          text collate "C",
    active            boolean not null default true,
    quantity          bigint,
    redeemed_quantity bigint not null default 0 check (redeemed_quantity >= 0),
    redeemed_before   bigint not null default 0,
    published_count   bigint not null default 0,
    category          text,
    category_id       text collate "C",
    additional_info   text,
    holder_id         text collate "C",
    is_referral_code  boolean not null default false,
    generic           boolean not null default false,
    metadata          jsonb not null default '{}',
    created_at        timestamptz not null default now(),
    updated_at        timestamptz,
    deleted_at        timestamptz,
    primary key (project_id, id) include (campaign_id, active, deleted_at),
    unique (project_id, code_key) include (id, campaign_id, active, deleted_at),
    check (campaign_id is not null or terms_id is not null),
    check (quantity is null or redeemed_quantity <= quantity),
    check (redeemed_quantity = 0 or terms_id is not null)
) with (fillfactor = 80);
-- What lists sort and count by: all of them, and the two of the keys, hold campaign_id and active too, so that a
-- page far behind, or a total, is read from the index alone. None holds what a redemption changes again and again,
-- so that its update stays on the row's own page.
create index vouchers_by_creation on vouchers (project_id, created_at, id) include (campaign_id, active) where deleted_at is null;
create index vouchers_by_update on vouchers (project_id, updated_at, id) include (campaign_id, active) where deleted_at is null;
create index vouchers_by_campaign on vouchers (project_id, campaign_id, created_at, id) include (deleted_at, active) where campaign_id is not null;
create index vouchers_switched_off on vouchers (project_id, created_at, id) include (campaign_id, updated_at, code_key) where not active and deleted_at is null;
-- What qualifications look through: codes for anybody, and the codes that a customer holds.
create index vouchers_for_anybody on vouchers (project_id, created_at, id) where (generic or campaign_id is null) and deleted_at is null;
create index vouchers_by_holder on vouchers (project_id, holder_id, created_at, id) where holder_id is not null and deleted_at is null;
create index vouchers_by_metadata on vouchers using gin (metadata jsonb_path_ops) where metadata <> '{}' and deleted_at is null;

-- Redemptions and rollbacks, those that failed too. A child of a stack names its parent in parent_id, a
-- rollback the redemption it takes back in redemption_id. given is what the redemption gave, returned what of
-- it has been taken back since; the amounts beside them are their sums. takes is what it used of what is counted
-- in orders' value and units, where a limit asked for that.
create table redemptions (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    object          text not null check (object in ('redemption', 'redemption_rollback')),
    parent_id       text collate "C",
    redemption_id   text collate "C",
    result          text not null check (result in ('SUCCESS', 'FAILURE')),
    status          text not null check (status in ('SUCCEEDED', 'FAILED', 'ROLLED_BACK')),
    failure_code    text,
    failure_message text,
    reason          text,
    related_object_type text not null,
    related_object_id   text collate "C" not null,
    voucher_id      text collate "C",
    voucher_code    text,
    promotion_tier_id text collate "C",
    campaign_id     text collate "C",
    customer_id     text collate "C",
    order_id        text collate "C",
    session_key     text,
    tracking_id     text,
    metadata        jsonb,
    channel_type    text not null default 'API',
    channel_id      text,
    amount          bigint not null default 0,
    given           json,
    takes           json,
    returned        json,
    returned_amount bigint not null default 0,
    "order"         json,
    items           json,
    explain         json,
    created_at      timestamptz not null default now(),
    primary key (project_id, id),
    check (returned_amount >= 0 and (object <> 'redemption' or returned_amount <= amount))
) with (toast_tuple_target = 8160, fillfactor = 95);
create index redemptions_by_creation on redemptions (project_id, created_at, id);
create index redemptions_by_voucher on redemptions (project_id, voucher_id, created_at) where voucher_id is not null;
create index redemptions_by_tier on redemptions (project_id, promotion_tier_id, created_at) where promotion_tier_id is not null;
create index redemptions_by_customer on redemptions (project_id, customer_id, created_at) where customer_id is not null;
create index redemptions_by_campaign on redemptions (project_id, campaign_id, created_at) where campaign_id is not null;
create index redemptions_by_order on redemptions (project_id, order_id) where order_id is not null;
create index redemptions_by_parent on redemptions (project_id, parent_id) where parent_id is not null;
create index rollbacks_by_redemption on redemptions (project_id, redemption_id) where redemption_id is not null;

-- What happened, written in the transaction that made it happen.
create table events (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    type        text not null,
    entity_id   text collate "C" not null,
    customer_id text collate "C",
    data        jsonb not null default '{}',
    request_id  text,
    created_at  timestamptz not null default now(),
    primary key (project_id, id)
);

-- Where order_of names a redemption, each NUL in body stands for the order that this redemption keeps.
create table idempotency_keys (
    project_id   text collate "C" not null,
    key          text collate "C" not null,
    fingerprint  bytea not null,
    status       smallint not null,
    headers      jsonb,
    body         bytea not null,
    order_of     text collate "C",
    created_at   timestamptz not null default now(),
    primary key (project_id, key)
) with (toast_tuple_target = 8160);
-- Not project_id first: on a young table the planner would take this one to look keys up.
create index idempotency_keys_by_age on idempotency_keys (created_at, project_id);

-- Unknown codes asked for with a key in the current minute: what slows down guessing, also after a restart.
create table code_guesses (
    project_id  text collate "C" not null,
    api_key_id  text collate "C" not null,
    minute      timestamptz not null,
    misses      int not null,
    primary key (project_id, api_key_id)
) with (fillfactor = 50);

-- Work for later. A job runs under a lease: leased_until in the past means that its worker died. A job with an
-- action_type is what the API shows as an async action.
create table jobs (
    project_id     text collate "C" not null,
    id             text collate "C" not null,
    kind           text not null,
    status         text not null default 'READY' check (status in ('READY', 'RUNNING', 'DONE', 'DEAD', 'CANCELED')),
    run_at         timestamptz not null default now(),
    attempts       int not null default 0,
    max_attempts   int not null default 10,
    leased_by      text,
    leased_until   timestamptz,
    cancel         boolean not null default false,
    dedupe_key     text collate "C",
    payload        jsonb not null default '{}',
    cursor         jsonb not null default '{}',
    progress       smallint not null default 0 check (progress between 0 and 100),
    result         jsonb,
    error          text,
    action_type    text,
    request_id     text,
    created_at     timestamptz not null default now(),
    started_at     timestamptz,
    finished_at    timestamptz,
    primary key (project_id, id),
    unique (project_id, dedupe_key)
);
create index jobs_to_run on jobs (run_at) where status in ('READY', 'RUNNING');
create index jobs_ended on jobs (project_id, finished_at) where status in ('DONE', 'DEAD', 'CANCELED');
create index jobs_as_actions on jobs (project_id, created_at, id) where action_type is not null;

-- Uploaded files that a job works through, in parts, so that a file of any size streams in and out.
create table job_files (
    project_id  text collate "C" not null,
    job_id      text collate "C" not null,
    part        int not null,
    content     bytea not null,
    primary key (project_id, job_id, part),
    foreign key (project_id, job_id) references jobs (project_id, id) on delete cascade
);
