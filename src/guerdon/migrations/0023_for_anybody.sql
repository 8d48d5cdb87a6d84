-- Codes for anybody are discounts that nobody holds: however many gift cards there are that nobody holds, a
-- qualification does not look at them.
drop index vouchers_for_anybody;
create index vouchers_for_anybody on vouchers (project_id, created_at, id)
    where (generic or campaign_id is null) and holder_id is null and type = 'DISCOUNT_VOUCHER' and deleted_at is null;
