-- Exports: what was asked for, and the files that a job writes of it.

-- scope narrows an export that was asked for below a card or a campaign: {field, id, shown}. token opens the file
-- without a key. total is how many rows there were to write when it began.
create table exports (
    project_id      text collate "C" not null,
    id              text collate "C" not null,
    exported_object text not null,
    parameters      jsonb not null default '{}',
    scope           jsonb,
    status          text collate "C" not null default 'SCHEDULED' check (status in ('SCHEDULED', 'IN_PROGRESS', 'DONE', 'ERROR')),
    channel         text not null default 'API',
    token           text not null,
    zone            text not null default 'UTC',
    job_id          text collate "C" not null,
    total           bigint,
    row_count       bigint not null default 0,
    created_at      timestamptz not null default now(),
    finished_at     timestamptz,
    primary key (project_id, id)
);
create index exports_by_creation on exports (project_id, created_at, id);

create table export_files (
    project_id  text collate "C" not null,
    export_id   text collate "C" not null,
    part        int not null,
    content     bytea not null,
    primary key (project_id, export_id, part),
    foreign key (project_id, export_id) references exports (project_id, id) on delete cascade
);
