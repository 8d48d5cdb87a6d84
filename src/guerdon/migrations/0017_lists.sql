-- Lists of publications and referrals narrowed to few among many: without these, a million rows were read for them.

-- The unique index on source ids knows successes alone, but those that failed are found by their source id too.
create index publications_by_any_source on publications (project_id, source_id, created_at, id) where source_id is not null;
create index publications_failed on publications (project_id, created_at, id) where result = 'FAILURE';

create index referrals_by_campaign on referrals (project_id, campaign_id, created_at, id);
create index referrals_by_status on referrals (project_id, status, created_at, id);
