-- What is left on a card, in the order in which it is spent. Spent lots stay in the table for refunds; acts on a card
-- have no use for them, and for most acts the first few that are left are enough.
create index card_lots_left on card_lots (project_id, card_id, coalesce(expires_at, 'infinity'), created_at)
    where remaining > 0;

-- Points added by hand or bought count for tiers of a period, among all else that moved on the card meanwhile.
create index card_entries_added on card_entries (project_id, card_id, created_at) include (amount) where type = 'POINTS_ADDITION';
