-- Referrals: who holds a referral code, who was referred by it, and what both got for it.

-- How the campaign's referrals are converted and rewarded (referrals/program.py); null in all other campaigns.
alter table campaigns add column referral_program jsonb;

-- consent: the customer may be contacted about it. A referrer has published codes, a referee was invited or came.
create table referral_holders (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    voucher_id  text collate "C" not null,
    campaign_id text collate "C" not null,
    customer_id text collate "C" not null,
    role        text not null check (role in ('REFERRER', 'REFEREE')),
    consent     boolean not null default false,
    metadata    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    primary key (project_id, id),
    unique (project_id, voucher_id, customer_id)
);
create unique index referral_holders_one_referrer on referral_holders (project_id, voucher_id) where role = 'REFERRER';
create index referral_holders_by_creation on referral_holders (project_id, voucher_id, created_at, id);
create index referral_holders_by_customer on referral_holders (project_id, customer_id);

-- worth: the order's amount before discounts as it was when it was first seen paid; null without one. decided_at: when
-- it was seen who gets what for it. due_at: when what is held becomes theirs. A referral that was undone may be made again, by the same referee.
create table referrals (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    campaign_id   text collate "C" not null,
    voucher_id    text collate "C" not null,
    referrer_id   text collate "C" not null,
    referee_id    text collate "C" not null,
    redemption_id text collate "C",
    event_id      text collate "C",
    order_id      text collate "C",
    worth         bigint check (worth >= 0),
    status        text not null default 'REFERRED' check (status in ('REFERRED', 'HELD', 'EARNED', 'UNDONE', 'REFUSED')),
    reason        text,
    flags         text[] not null default '{}',
    converted_at  timestamptz,
    decided_at    timestamptz,
    due_at        timestamptz,
    earned_at     timestamptz,
    created_at    timestamptz not null,
    updated_at    timestamptz,
    primary key (project_id, id)
);
create unique index referrals_once on referrals (project_id, campaign_id, referee_id) where status <> 'UNDONE';
create index referrals_by_creation on referrals (project_id, created_at, id);
create index referrals_by_referrer on referrals (project_id, referrer_id, campaign_id, status);
create index referrals_by_referee on referrals (project_id, referee_id);
create index referrals_by_order on referrals (project_id, order_id) where order_id is not null;
create index referrals_by_redemption on referrals (project_id, redemption_id) where redemption_id is not null;

-- Whom referrals are of: hashes of canonical addresses and phone numbers, so that one person counts once.
create table referral_identities (
    project_id  text collate "C" not null,
    campaign_id text collate "C" not null,
    identity    bytea not null,
    referral_id text collate "C" not null,
    primary key (project_id, campaign_id, identity)
);
create index referral_identities_by_referral on referral_identities (project_id, referral_id);

-- tier is the referrer's tier that it is for, or 'referee'. amount is what was promised, granted what was put on the
-- card, clawed what of that was taken back. month: the first of the month, by the project's clocks, that it counts in.
create table referral_rewards (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    campaign_id text collate "C" not null,
    referral_id text collate "C" not null,
    tier        text collate "C" not null,
    referrer_id text collate "C" not null,
    customer_id text collate "C" not null,
    minimum     bigint check (minimum > 0),
    type        text not null check (type in ('GIFT_VOUCHER', 'LOYALTY_CARD')),
    parent_id   text collate "C" not null,
    amount      bigint not null check (amount > 0),
    status      text not null check (status in ('HELD', 'RELEASED', 'CAPPED', 'CANCELED', 'CLAWED_BACK')),
    granted     bigint not null default 0 check (granted between 0 and amount),
    clawed      bigint not null default 0 check (clawed between 0 and granted),
    month       date not null,
    card_id     text collate "C",
    lot_id      text collate "C",
    reason      text,
    released_at timestamptz,
    created_at  timestamptz not null,
    updated_at  timestamptz,
    primary key (project_id, id),
    unique (project_id, referral_id, tier),
    check (status <> 'RELEASED' or granted > clawed or granted = 0)
);
create index referral_rewards_by_referrer on referral_rewards (project_id, campaign_id, referrer_id, status);
create unique index referral_rewards_minimum_once on referral_rewards (project_id, campaign_id, referrer_id, tier)
    where minimum is not null and status in ('HELD', 'RELEASED');
