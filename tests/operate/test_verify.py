"""Every invariant is broken once by hand, and named."""

from __future__ import annotations

import asyncpg
import pytest

from guerdon.ledger.replay import RULES
from guerdon.verify import INVARIANTS, verify

BASE = """
insert into projects (id, name) values ('p', 'P');
insert into voucher_terms (project_id, id, body) values ('p', 't', '{"redemption": {"quantity": 5}}');
insert into vouchers (project_id, id, code, code_key, terms_id, quantity, redeemed_quantity)
    values ('p', 'v', 'CODE', 'CODE', 't', 5, 1);
insert into orders (project_id, id, status, amount, discount_amount, items_discount_amount,
                    total_discount_amount, total_amount, items)
    values ('p', 'o', 'PAID', 1000, 100, 50, 150, 850, '[{"discount_amount": 50}]');
insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id,
                         voucher_id, order_id, amount, given, "order")
    values ('p', 'r', 'redemption', 'SUCCESS', 'SUCCEEDED', 'voucher', 'v', 'v', 'o', 150, '{"total": 150}', '{}');
insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id, parent_id)
    values ('p', 'f', 'redemption', 'FAILURE', 'FAILED', 'voucher', 'v', 'refused stack');
insert into events (project_id, id, type, entity_id) values ('p', 'e', 'redemption.succeeded', 'r');
insert into campaigns (project_id, id, name, campaign_type, type, terms_id)
    values ('p', 'c', 'C', 'DISCOUNT_COUPONS', 'AUTO_UPDATE', 't');
insert into idempotency_keys (project_id, key, fingerprint, status, body, order_of)
    values ('p', 'k', '', 200, '', 'r');
"""

MEMBER = """
insert into loyalty_members (project_id, id, program_id, customer_id, status) values ('p', 'm', 'g', 'cu', 'ACTIVE');
insert into loyalty_cards (project_id, id, member_id, program_id, definition_id) values ('p', 'lc', 'm', 'g', 'd');
insert into vouchers (project_id, id, code, code_key, terms_id, quantity, type, holder_id)
    values ('p', 'lc', 'LC', 'LC', 't', 5, 'LOYALTY_CARD', 'cu');
insert into cards (project_id, id, unit, head) values ('p', 'lc', 'd', decode(repeat('00', 32), 'hex'));
"""

BOUGHT = """
insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, cause_id, hash, created_at)
    values ('p', 'lc', 1, 'bought', 'POINTS_REDEMPTION', -5, 0, 0, '[]', 'd', 'lrtx_1', '', now());
insert into loyalty_purchases (project_id, id, program_id, member_id, card_id, reward_id, type, status, points, entry_id)
    values ('p', 'lrtx_1', 'g', 'm', 'lc', 'w', 'PURCHASE', 'APPROVED', 5, 'bought');
"""

BREAKS = {
    "voucher-counter": "update vouchers set redeemed_quantity = 2",
    "voucher-limit": """
        do $$ declare c text; begin
            for c in select conname from pg_constraint where conrelid = 'vouchers'::regclass and contype = 'c' loop
                execute format('alter table vouchers drop constraint %I', c);
            end loop;
        end $$;
        update vouchers set quantity = 0;
        update voucher_terms set body = '{"redemption": {"quantity": 0}}'
    """,
    "voucher-terms": "update vouchers set terms_id = 'gone'",
    "loyalty-points": MEMBER + "update loyalty_cards set earned = 5",
    "loyalty-pending": MEMBER
    + """
        alter table loyalty_cards drop constraint loyalty_cards_check;
        update loyalty_cards set ever_pending = 5, canceled = 4
    """,
    "loyalty-cards": MEMBER + "update vouchers set holder_id = 'somebody else' where id = 'lc'",
    "loyalty-tiers": MEMBER
    + """
        insert into loyalty_tier_changes (project_id, id, program_id, member_id, card_id, structure_id, type, tier_to)
        values ('p', 'ltc', 'g', 'm', 'lc', 's', 'JOINED', 'gold')
    """,
    "loyalty-members": MEMBER + "delete from loyalty_cards",
    "loyalty-purchases": MEMBER + BOUGHT + "update loyalty_purchases set points = 6",
    "loyalty-entries": MEMBER + BOUGHT + "update loyalty_purchases set entry_id = 'another'",
    "loyalty-refunds": MEMBER + BOUGHT + "update loyalty_purchases set status = 'REFUNDED'",
    "loyalty-activated": MEMBER
    + """
        insert into loyalty_pending (project_id, id, card_id, program_id, definition_id, member_id, points, type, status)
        values ('p', 'lopp_1', 'lc', 'g', 'd', 'm', 5, 'PERIOD_BASED', 'ACTIVATED')
    """,
    "loyalty-stock": MEMBER
    + """
        alter table loyalty_assignments drop constraint loyalty_assignments_project_id_part_id_fkey;
        alter table loyalty_assignments drop constraint loyalty_assignments_project_id_program_id_fkey;
        insert into loyalty_assignments (project_id, program_id, part_id, kind, redeemed) values ('p', 'g', 'w', 'reward', 1)
    """,
    "order-returns": """
        insert into order_returns (project_id, id, order_id, refund, paid_before, paid_after, method, items, given_back)
        values ('p', 'ret_1', 'o', 0, 0, 0, 'IN_PROPORTION', '[]', '[{"rollback_id": "rr_1", "amount": 5}]')
    """,
    "loyalty-benefits": MEMBER
    + """
        insert into loyalty_benefits (project_id, id, program_id, member_id, benefit_id, rule_id, earning_id, cause_id, status, given)
        values ('p', 'lbtx_1', 'g', 'm', 'b', 'r', 'e', 'o', 'APPROVED', '{"lot_id": "lopb_1", "amount": 5}')
    """,
    "card-sales-kept": """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, order_id, hash, created_at)
        values ('p', 'a', 1, 'sold', 'CREDITS_ADDITION', 5, 5, 5, '[]', 'credits', 'o', '', now())
    """,
    "card-pins": "insert into card_pins (project_id, card_id, salt, hash) values ('p', 'a card', '', '')",
    "card-sales": """
        insert into card_sales (project_id, card_id, order_id, amount, lot_id, entry_id)
        values ('p', 'a card', 'o', 5, 'no lot', 'no entry')
    """,
    "campaign-count": "update campaigns set vouchers_count = 1",
    "publication-count": "update vouchers set published_count = 1",
    "publication-codes": """
        insert into publications (project_id, id, customer_id, result, voucher_ids) values ('p', 'pub', 'cu', 'SUCCESS', '{v}')
    """,
    "redemption-amount": """update redemptions set given = '{"total": 149}' where id = 'r'""",
    "stack-sum": """
        insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id, amount)
        values ('p', 's', 'redemption', 'SUCCESS', 'SUCCEEDED', 'redemption', 's', 151);
        update redemptions set parent_id = 's' where id = 'r';
        insert into events (project_id, id, type, entity_id) values ('p', 'e3', 'redemption.succeeded', 's')
    """,
    "rollback-sum": "update redemptions set returned_amount = 10 where id = 'r'",
    "rollback-whole": "update redemptions set status = 'ROLLED_BACK' where id = 'r'; update vouchers set redeemed_quantity = 0",
    "rollback-target": """
        insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id,
                                 redemption_id, amount)
        values ('p', 'rr', 'redemption_rollback', 'SUCCESS', 'SUCCEEDED', 'voucher', 'v', 'gone', -5);
        insert into events (project_id, id, type, entity_id) values ('p', 'e2', 'redemption.rollback.succeeded', 'rr')
    """,
    "redemption-event": "delete from events",
    "redemption-order": "update redemptions set order_id = 'gone' where id = 'r'",
    "tally": """
        insert into tally_epochs (project_id, owner, version) values ('p', 'v', 3);
        insert into tallies (project_id, key, used) values ('p', 'v@3|n|all', 7)
    """,
    "order-totals": "update orders set discount_amount = 99",
    "order-items": """update orders set items = '[{"discount_amount": 49}]'""",
    "ledger-transfers": """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, hash, created_at)
        select 'p', card, seq, id, type, amount, 0, 0, '[]', 'camp_1', '', now()
        from (values ('a', 1, 'out', 'POINTS_TRANSFER_OUT', -5), ('b', 1, 'in', 'POINTS_TRANSFER_IN', 4))
            as v (card, seq, id, type, amount)
    """,
    "ledger-redemptions": """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, redemption_id,
                                  hash, created_at)
        values ('p', 'a', 1, 'out', 'CREDITS_REDEMPTION', -5, 0, 0, '[]', 'credits', 'r_gone', '', now())
    """,
    "ledger-accounts": """
        insert into vouchers (project_id, id, code, code_key, terms_id, type)
        values ('p', 'v2', 'GIFT', 'GIFT', 't', 'GIFT_VOUCHER');
        update voucher_terms set body = '{}'; update vouchers set quantity = null
    """,
    "referral-rewards": """
        insert into referral_rewards (project_id, id, campaign_id, referral_id, tier, referrer_id, customer_id, type,
                                      parent_id, amount, status, granted, month, created_at)
        values ('p', 'rfw_1', 'c', 'rfr_1', 'referee', 'a', 'b', 'GIFT_VOUCHER', 'c', 5, 'RELEASED', 5, '2026-11-01', now())
    """,
    "idempotency-answer": "update idempotency_keys set status = 0",
}


async def broken(dsn: str) -> list[str]:
    """The statements that found something; what the reading of cards finds has its own tests (test_verify_cards)."""
    return [
        result.invariant for result in await verify(dsn) if not result.holds and result.invariant not in RULES
    ]


async def test_sound_books_are_sound(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(BASE)
    await connection.close()
    results = await verify(fresh_database_url)
    assert [result.invariant for result in results] == [*(invariant.name for invariant in INVARIANTS), *RULES]
    assert await broken(fresh_database_url) == []


@pytest.mark.parametrize("name", [invariant.name for invariant in INVARIANTS])
async def test_a_broken_book_is_named(fresh_database_url: str, name: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(BASE + BREAKS[name])
    await connection.close()
    assert await broken(fresh_database_url) == [name]


OTHERWISE = [
    ("voucher-counter", "update vouchers set redeemed_before = 1"),
    ("voucher-terms", "update vouchers set quantity = 6"),
    (
        "rollback-whole",
        """
        update redemptions set returned_amount = 150 where id = 'r';
        insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id,
                                 redemption_id, amount)
        values ('p', 'rr', 'redemption_rollback', 'SUCCESS', 'SUCCEEDED', 'voucher', 'v', 'r', -150);
        insert into events (project_id, id, type, entity_id) values ('p', 'e2', 'redemption.rollback.succeeded', 'rr')
        """,
    ),
    ("idempotency-answer", "update idempotency_keys set order_of = 'gone'"),
    ("loyalty-purchases", MEMBER + BOUGHT + "delete from loyalty_purchases"),
    (
        "loyalty-purchases",
        MEMBER + BOUGHT + "update card_entries set cause_id = 'lotx_1'; delete from loyalty_purchases",
    ),
    ("loyalty-entries", MEMBER + BOUGHT + "update loyalty_purchases set member_id = 'another'"),
    (
        "loyalty-benefits",
        """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, cause_id, hash, created_at)
        values ('p', 'a', 1, 'given', 'POINTS_ADDITION', 5, 5, 5, '[]', 'd', 'lbtx_1', '', now())
        """,
    ),
    (
        "referral-rewards",
        """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, cause_id, hash, created_at)
        values ('p', 'a', 1, 'given', 'CREDITS_ADDITION', 5, 5, 5, '[]', 'credits', 'rfw_1', '', now())
        """,
    ),
    (
        "order-returns",
        """
        insert into card_entries (project_id, card_id, seq, id, type, amount, balance, total, parts, unit, cause_id, hash, created_at)
        values ('p', 'a', 1, 'gone', 'CREDITS_REMOVAL', -5, 0, 0, '[]', 'credits', 'ret_1', '', now())
        """,
    ),
    (
        "card-pins",
        "insert into cards (project_id, id, unit, head, pinned) values ('p', 'c', 'd', decode(repeat('00', 32), 'hex'), true)",
    ),
]


@pytest.mark.parametrize(("name", "sql"), OTHERWISE)
async def test_a_book_broken_otherwise_is_named_too(fresh_database_url: str, name: str, sql: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(BASE + sql)
    await connection.close()
    assert await broken(fresh_database_url) == [name]
