-- Uses that a code was imported with: they count towards its limit, but no redemption of ours tells of them.
alter table vouchers add column redeemed_before bigint not null default 0;
