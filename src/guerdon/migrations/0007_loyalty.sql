-- Loyalty: programs, the parts they are made of, who takes part, and what that earned them.

-- A program. lprg_X here is camp_X where the older API shows it. What the older API alone can say stands in settings.
-- validity_hours: {type: ANY_TIME} or {type: DAILY, daily: [{days_of_week, start_time, end_time}]}.
create table loyalty_programs (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    name            text collate "C" not null,
    status          text not null check (status in ('DRAFT', 'ACTIVE', 'INACTIVE', 'DELETED')),
    start_date      timestamptz,
    end_date        timestamptz,
    validity_hours  jsonb not null default '{"type": "ANY_TIME"}',
    settings        jsonb not null default '{}',
    metadata        jsonb not null default '{}',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz,
    primary key (project_id, id),
    check (end_date > start_date)
);
create unique index loyalty_programs_by_name on loyalty_programs (project_id, name) where status <> 'DELETED';
create index loyalty_programs_by_creation on loyalty_programs (project_id, created_at, id) where status <> 'DELETED';

-- What programs are put together from; body is the part's own, checked, in the form that answers have. type is the
-- kind of the kind (a reward's MATERIAL, a structure's POINT_BALANCE). taken: how often a benefit was given.
create table loyalty_parts (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    kind        text not null check (kind in ('card_definition', 'earning_rule', 'reward', 'benefit', 'tier_structure')),
    name        text not null,
    type        text not null,
    status      text not null check (status in ('DRAFT', 'ACTIVE', 'INACTIVE', 'DELETED')),
    body        jsonb not null,
    metadata    jsonb not null default '{}',
    taken       bigint not null default 0 check (taken >= 0),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
);
create index loyalty_parts_by_creation on loyalty_parts (project_id, kind, created_at, id) where status <> 'DELETED';
create index loyalty_parts_by_name on loyalty_parts (project_id, kind, (name collate "C"), id) where status <> 'DELETED';

-- The tiers of a structure; body {qualification_rules, downgrade, and what the older API alone can say}.
create table loyalty_tiers (
    project_id   text collate "C" not null,
    id           text collate "C" not null,
    structure_id text collate "C" not null,
    name         text not null,
    body         jsonb not null,
    metadata     jsonb not null default '{}',
    created_at   timestamptz not null default now(),
    updated_at   timestamptz,
    primary key (project_id, id),
    foreign key (project_id, structure_id) references loyalty_parts (project_id, id)
);
create index loyalty_tiers_by_structure on loyalty_tiers (project_id, structure_id, created_at, id);

-- Which part belongs to which program. Of a reward: stock is how many there are in all (null: as many as you like),
-- redeemed how many of them are gone. body: what the older API says of a reward in one program, {points, auto_redeem}.
create table loyalty_assignments (
    project_id  text collate "C" not null,
    program_id  text collate "C" not null,
    part_id     text collate "C" not null,
    kind        text not null,
    body        jsonb not null default '{}',
    stock       bigint check (stock >= 0),
    redeemed    bigint not null default 0 check (redeemed >= 0),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, program_id, part_id),
    foreign key (project_id, program_id) references loyalty_programs (project_id, id),
    foreign key (project_id, part_id) references loyalty_parts (project_id, id)
) with (fillfactor = 80);
create index loyalty_assignments_by_part on loyalty_assignments (project_id, part_id, program_id);
create index loyalty_assignments_by_kind on loyalty_assignments (project_id, program_id, kind, created_at, part_id);

-- A customer in a program. tier is what the engine keeps of the member's tier; tier_check_at, when the nightly run
-- must look at it again.
create table loyalty_members (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    program_id    text collate "C" not null,
    customer_id   text collate "C" not null,
    status        text not null check (status in ('ACTIVE', 'INACTIVE', 'DELETED')),
    tier_id       text collate "C",
    tier          jsonb,
    tier_check_at timestamptz,
    metadata      jsonb not null default '{}',
    created_at    timestamptz not null default now(),
    updated_at    timestamptz,
    primary key (project_id, id)
) with (fillfactor = 80);
create unique index loyalty_members_by_customer on loyalty_members (project_id, customer_id, program_id) where status <> 'DELETED';
create index loyalty_members_by_program on loyalty_members (project_id, program_id, created_at, id) where status <> 'DELETED';
create index loyalty_members_by_tier on loyalty_members (project_id, tier_id) where tier_id is not null;
create index loyalty_members_to_check on loyalty_members (project_id, tier_check_at, id) where tier_check_at is not null;

-- A member's card by its definition. id is the voucher's and the ledger's (v_X; lcrd_X where v2 shows it). Beside
-- what the ledger has: pending now and ever, what of it became active or was given up, what rules gave, and what was
-- clawed back. active_at is the last activity that its program's tiers count.
create table loyalty_cards (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    member_id     text collate "C" not null,
    program_id    text collate "C" not null,
    definition_id text collate "C" not null,
    role          text not null default 'OWNER' check (role in ('OWNER', 'MEMBER')),
    pending       bigint not null default 0 check (pending >= 0),
    ever_pending  bigint not null default 0,
    activated     bigint not null default 0,
    canceled      bigint not null default 0,
    earned        bigint not null default 0,
    revoked       bigint not null default 0,
    active_at     timestamptz,
    created_at    timestamptz not null default now(),
    primary key (project_id, id),
    unique (project_id, member_id, definition_id),
    check (pending = ever_pending - activated - canceled),
    foreign key (project_id, member_id) references loyalty_members (project_id, id)
) with (fillfactor = 80);
create index loyalty_cards_by_program on loyalty_cards (project_id, program_id, id);
create index loyalty_cards_by_definition on loyalty_cards (project_id, definition_id);

-- Points that are not there yet (lopp_X; lcppb_X where v2 shows it). They wait for activates_at, or for one of
-- events (ids of custom event schemas) until cancels_at. expiry is the rule for their end once they are there.
create table loyalty_pending (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    card_id       text collate "C" not null,
    program_id    text collate "C" not null,
    definition_id text collate "C" not null,
    member_id     text collate "C" not null,
    points        bigint not null check (points >= 0),
    type          text not null check (type in ('PERIOD_BASED', 'FIXED_DATES', 'EVENT_BASED')),
    status        text not null default 'PENDING' check (status in ('PENDING', 'ACTIVATED', 'CANCELED', 'DELETED')),
    activates_at  timestamptz,
    cancels_at    timestamptz,
    events        text[],
    expiry        jsonb,
    earning_id    text collate "C",
    order_id      text collate "C",
    cause_id      text collate "C",
    created_at    timestamptz not null default now(),
    updated_at    timestamptz,
    primary key (project_id, id),
    check ((type = 'EVENT_BASED') = (events is not null))
) with (fillfactor = 80);
create index loyalty_pending_by_card on loyalty_pending (project_id, card_id, created_at, id);
create index loyalty_pending_to_activate on loyalty_pending (project_id, activates_at, id) where status = 'PENDING';
create index loyalty_pending_to_cancel on loyalty_pending (project_id, cancels_at, id) where status = 'PENDING';
create index loyalty_pending_by_order on loyalty_pending (project_id, order_id) where order_id is not null;

-- What an effect of a rule gave because of something, once: cause_id is the order's, the custom event's or the
-- event's id. revoked is how much of it was taken back. entry_id is null while it is pending; active_at is when it
-- came to the balance. For deciding again: happened_at, the tier of then, and what the order was worth (basis).
create table loyalty_earnings (
    project_id    text collate "C" not null,
    id            text collate "C" not null,
    card_id       text collate "C" not null,
    program_id    text collate "C" not null,
    definition_id text collate "C" not null,
    member_id     text collate "C" not null,
    rule_id       text collate "C" not null,
    earning_id    text collate "C" not null,
    effect        smallint not null,
    cause_id      text collate "C" not null,
    order_id      text collate "C",
    points        bigint not null check (points >= 0),
    revoked       bigint not null default 0 check (revoked between 0 and points),
    entry_id      text collate "C",
    lot_id        text collate "C",
    pending_id    text collate "C",
    active_at     timestamptz,
    happened_at   timestamptz not null default now(),
    tier_id       text collate "C",
    basis         bigint,
    created_at    timestamptz not null default now(),
    primary key (project_id, id),
    unique (project_id, card_id, cause_id, rule_id, earning_id, effect)
) with (fillfactor = 90);
create index loyalty_earnings_by_activity on loyalty_earnings (project_id, card_id, active_at) include (points, revoked);
create index loyalty_earnings_by_pending on loyalty_earnings (project_id, pending_id) where pending_id is not null;
create index loyalty_earnings_by_rule on loyalty_earnings (project_id, rule_id, created_at);
create index loyalty_earnings_by_member on loyalty_earnings (project_id, member_id, rule_id, created_at);
create index loyalty_earnings_by_program on loyalty_earnings (project_id, program_id, created_at, id);
create index loyalty_earnings_by_order on loyalty_earnings (project_id, order_id) where order_id is not null;

-- A member's way through the tiers. origin: {type, card_transaction_ids}.
create table loyalty_tier_changes (
    project_id   text collate "C" not null,
    id           text collate "C" not null,
    program_id   text collate "C" not null,
    member_id    text collate "C" not null,
    card_id      text collate "C" not null,
    structure_id text collate "C" not null,
    type         text not null check (type in ('JOINED', 'UPGRADED', 'DOWNGRADED', 'PROLONGED', 'LEFT')),
    tier_from    text collate "C",
    tier_to      text collate "C",
    points       bigint,
    origin       jsonb,
    starts_at    timestamptz,
    expires_at   timestamptz,
    status       text not null default 'APPROVED' check (status in ('PENDING', 'APPROVED', 'REJECTED')),
    created_at   timestamptz not null default now(),
    updated_at   timestamptz,
    primary key (project_id, id)
);
create index loyalty_tier_changes_by_member on loyalty_tier_changes (project_id, member_id, created_at, id);
create index loyalty_tier_changes_by_program on loyalty_tier_changes (project_id, program_id, created_at, id);

-- Rewards bought with points, and their refunds, which name what they refund in purchase_id.
create table loyalty_purchases (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    program_id  text collate "C" not null,
    member_id   text collate "C" not null,
    card_id     text collate "C" not null,
    reward_id   text collate "C" not null,
    type        text not null check (type in ('PURCHASE', 'REFUND')),
    status      text not null check (status in ('PENDING', 'PROCESSING', 'APPROVED', 'REJECTED', 'REFUNDED')),
    points      bigint not null default 0 check (points >= 0),
    entry_id    text collate "C",
    purchase_id text collate "C",
    details     jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz,
    primary key (project_id, id)
) with (fillfactor = 90);
create index loyalty_purchases_by_member on loyalty_purchases (project_id, member_id, created_at, id);
create index loyalty_purchases_by_reward on loyalty_purchases (project_id, reward_id, created_at, id);
create unique index loyalty_purchases_refunded on loyalty_purchases (project_id, purchase_id) where purchase_id is not null and type = 'REFUND' and status <> 'REJECTED';

-- Gift cards whose terms end, for the night after.
create index vouchers_by_terms on vouchers (project_id, terms_id, id) where type = 'GIFT_VOUCHER' and terms_id is not null;

-- Midnights that are over for a project: what was due at `cutoff` has been done.
create table nights (
    project_id  text collate "C" not null,
    night       date not null,
    cutoff      timestamptz not null,
    done        jsonb not null default '{}',
    finished_at timestamptz not null default now(),
    primary key (project_id, night)
);

-- The events of one program, part, member or card.
create index events_of_loyalty on events (project_id, entity_id, created_at, id) where type like 'vl.%';
