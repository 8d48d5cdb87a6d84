-- What points had paid of the goods that came back: it is not owed in money.
alter table order_returns add column by_points bigint not null default 0 check (by_points >= 0);
alter table order_returns drop constraint order_returns_check;
alter table order_returns add check (refund = paid_before - paid_after - withheld - by_points);
