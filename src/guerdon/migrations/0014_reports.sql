-- Loyalty's reports: points that wait, movement by movement, and what happened in programs, day by day.

-- Points that came to wait for a card, and those of them that were given up; what became active is an entry of the
-- card. Each movement is a row that never changes. by_hand: somebody asked for it.
create table loyalty_pending_moves (
    project_id  text collate "C" not null,
    id          text collate "C" not null,
    card_id     text collate "C" not null,
    pending_id  text collate "C" not null,
    type        text not null check (type in ('ADDED', 'CANCELED')),
    points      bigint not null check (points > 0),
    by_hand     boolean not null default false,
    created_at  timestamptz not null,
    primary key (project_id, card_id, created_at, id)
);

-- Sums of what happened in a program on a day of the project's zone (loyalty/days.py names the counts of each kind).
-- Whoever makes something happen adds a row under an id of its own, in the same transaction, and so waits for
-- nobody. A job folds such rows into those without an id: that of the day, and that of all days ('0001-01-01').
--   kind      part            item     definition        counts
--   rule      earning rule                               given, cooldown, frequency
--   earning   earning rule    earning  card definition   times, points, pending points
--   spending                           card definition   on rewards: times, points; on orders: times, points, amount
--   tier      tier structure  tier                       joined, upgraded, downgraded, left, prolonged
create table loyalty_days (
    project_id    text collate "C" not null,
    program_id    text collate "C" not null,
    kind          text collate "C" not null check (kind in ('rule', 'earning', 'spending', 'tier')),
    day           date not null,
    part_id       text collate "C" not null default '',
    item_id       text collate "C" not null default '',
    definition_id text collate "C" not null default '',
    id            text collate "C" not null default '',
    counts        bigint[] not null check (array_length(counts, 1) = 5),
    primary key (project_id, program_id, kind, day, part_id, item_id, definition_id, id)
) with (fillfactor = 80);
create index loyalty_days_to_fold on loyalty_days (project_id, program_id, kind) where id <> '';
