-- What happened to segments and collections, and how often campaigns were validated.

-- The events of a segment or a collection: its own, and those of customers who entered or left it.
create index events_by_subject on events (
    project_id, (coalesce(data #>> '{segment,id}', entity_id) collate "C"), created_at, id
) where type in (
    'customer.segment.entered', 'customer.segment.left',
    'segment.created', 'segment.updated', 'segment.deleted',
    'product_collection.created', 'product_collection.updated', 'product_collection.deleted'
);

-- Campaigns whose codes are handed out, which qualifications list the newest first.
create index campaigns_of_codes on campaigns (project_id, created_at, id)
    where campaign_type <> 'PROMOTION' and type <> 'STANDALONE' and deleted_at is null;

-- Validations of a campaign's codes and tiers, by day of the project's calendar. Each server process counts its own
-- and adds them here every few seconds, so that a validation writes nothing.
create table campaign_validations (
    project_id  text collate "C" not null,
    campaign_id text collate "C" not null,
    day         date not null,
    succeeded   bigint not null default 0 check (succeeded >= 0),
    failed      bigint not null default 0 check (failed >= 0),
    primary key (project_id, campaign_id, day),
    foreign key (project_id, campaign_id) references campaigns (project_id, id) on delete cascade
);
