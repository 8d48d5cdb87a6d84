-- Lots that do not end by the rule of their card: by one of their own, as the engine has it, or (null) on the day that
-- was named, come what may. Points that slide with activity are told from those that do not by this.
create table card_lot_rules (
    project_id text collate "C" not null,
    card_id    text collate "C" not null,
    lot_id     text collate "C" not null,
    rule       jsonb,
    primary key (project_id, card_id, lot_id),
    foreign key (project_id, card_id, lot_id) references card_lots (project_id, card_id, id) on delete cascade
);
