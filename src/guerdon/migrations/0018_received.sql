-- What ever came to a card from others: transferred alone tells what came less what went. It is part of the points
-- that a card ever had.
alter table cards add column received bigint not null default 0 check (received >= 0);

update cards c set received = e.received
from (
    select project_id, card_id, sum(amount) as received from card_entries
    where type = 'POINTS_TRANSFER_IN' group by project_id, card_id
) e
where c.project_id = e.project_id and c.id = e.card_id;

-- The other side of a transfer, which each side names.
create index card_entries_transferred on card_entries (project_id, id)
    where type in ('POINTS_TRANSFER_IN', 'POINTS_TRANSFER_OUT');
create index card_entries_received on card_entries (project_id, related_id) where type = 'POINTS_TRANSFER_IN';
