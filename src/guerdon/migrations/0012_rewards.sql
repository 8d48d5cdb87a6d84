-- Rewards as the older API has them: assignments by an id of their own, payments with points, rewards in redemptions.

-- What the older API calls the assignment of a reward (rewa_X); null for other parts.
alter table loyalty_assignments add column id text collate "C";
create unique index loyalty_assignments_by_id on loyalty_assignments (project_id, id) where id is not null;

-- A coin is a reward of the older API alone: points pay for an order at a rate.
alter table loyalty_parts drop constraint loyalty_parts_kind_check;
alter table loyalty_parts add constraint loyalty_parts_kind_check
    check (kind in ('card_definition', 'earning_rule', 'reward', 'benefit', 'tier_structure', 'coin'));

-- What a redemption of a loyalty card was for, as it was then, with the points that it took.
alter table redemptions add column reward jsonb;
