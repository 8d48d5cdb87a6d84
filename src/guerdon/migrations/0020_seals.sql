-- The entries of a card tell what its lots hold, not how long: when a lot begins and ends is sealed by a hash of its own,
-- so that `guerdon verify` names whoever lengthens one. Points that slide with activity are sealed anew.
alter table card_lots add column seal bytea;

-- As engine/ledger.py `sealed` has it: instants are microseconds.
create function lot_seal(l card_lots) returns bytea language sql stable
return sha256(convert_to(
    concat_ws(
        '|', l.card_id, l.id, l.granted, (extract(epoch from l.created_at) * 1000000)::bigint,
        coalesce(((extract(epoch from l.starts_at) * 1000000)::bigint)::text, '-'),
        coalesce(((extract(epoch from l.expires_at) * 1000000)::bigint)::text, '-'),
        coalesce(l.entry_id, '-'), coalesce(l.parent, '-')
    ), 'UTF8'));

update card_lots l set seal = lot_seal(l);
