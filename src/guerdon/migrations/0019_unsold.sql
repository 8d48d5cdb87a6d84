-- Whether a card that was made to be sold later was sold: AWAITED before that, SOLD, VOIDED when its purchase came back. It
-- stands on the card's own row, so that whoever locks the card sees it as it is; card_sales has what sold it.
alter table cards add column sale text check (sale in ('AWAITED', 'SOLD', 'VOIDED'));

update cards c
set sale = case when s.card_id is null then 'AWAITED' when s.voided_at is null then 'SOLD' else 'VOIDED' end
from vouchers v
left join campaigns k on k.project_id = v.project_id and k.id = v.campaign_id
join voucher_terms t on t.project_id = v.project_id and t.id = coalesce(v.terms_id, k.terms_id)
left join card_sales s on s.project_id = v.project_id and s.card_id = v.id
where v.project_id = c.project_id and v.id = c.id and (t.body -> 'gift' ->> 'on_sale')::boolean;
