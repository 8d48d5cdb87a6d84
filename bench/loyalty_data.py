"""A loyalty program with three tiers and as many members as asked for, each with a card of three lots."""

from guerdon.kit import db

PROGRAM, CARD, STRUCTURE, RULE = "lprg_bench", "lcdef_bench", "lts_bench", "lern_bench"

DEFINED = """
    insert into loyalty_programs (project_id, id, name, status) values ($1, 'lprg_bench', 'Club', 'ACTIVE');
"""
PARTS = """
    insert into loyalty_parts (project_id, id, kind, name, type, status, body) values ($1, $2, $3, $4, $5, 'ACTIVE', $6)
"""
ASSIGNED = "insert into loyalty_assignments (project_id, program_id, part_id, kind) values ($1, $2, $3, $4)"
TIER = "insert into loyalty_tiers (project_id, id, structure_id, name, body) values ($1, $2, $3, $4, $5)"

NONE = {"type": "NO_LIMIT", "limits": []}
OF_CARD = {
    "code_config": {"length": 10, "charset": "0123456789abcdef", "pattern": "##########", "prefix": "", "postfix": ""},
    "points_expiration": {
        "type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "YEAR", "value": 1}},
    },
    "pending_points": {"type": "IMMEDIATE"},
    "earning_limits": {"global": NONE, "transactions": NONE},
    "spending_limits": {"global": NONE, "transactions": NONE},
    "refunds": {"spent_points": {"type": "NONE", "methods": []}, "earned_points": {"type": "NONE", "methods": []}},
    "balance_settings": {"allow_negative": False},
    "pay_with_points": {"type": "NO_PAYMENTS"},
}  # fmt: skip
OF_RULE = {
    "trigger": {"event": "customer.order.paid"},
    "earnings": [
        {
            "id": "lernei_bench",
            "effects": [
                {
                    "type": "POINTS_PROPORTIONAL",
                    "points_proportional": {
                        "calculation_type": "POST_DISCOUNT_ORDER_AMOUNT", "card_definition_id": CARD,
                        "order": {"total_amount": {"every": 100, "value": 1}},
                    },
                }
            ],
        }
    ],
}  # fmt: skip
OF_TIERS = {"point_balance": {"card_definition_id": CARD}, "downgrade": {"type": "MULTI_LEVEL"}}

MEMBERS = """
    insert into customers (project_id, id, source_id)
    select $1, 'cust_b' || lpad(n::text, 9, '0'), 'b' || n from generate_series($2::int, $3::int) as n;
"""
ROWS = (
    """
    insert into loyalty_members (project_id, id, program_id, customer_id, status, tier_id, tier)
    select $1, 'lmbr_b' || lpad(n::text, 9, '0'), 'lprg_bench', 'cust_b' || lpad(n::text, 9, '0'), 'ACTIVE', 'lt_1',
           '{"tier_id": "lt_1", "since": "2026-01-01T00:00:00Z"}'
    from generate_series($2::int, $3::int) as n
    """,
    """
    insert into vouchers (project_id, id, code, code_key, type, campaign_id, terms_id, holder_id, published_count)
    select $1, 'v_b' || lpad(n::text, 9, '0'), 'CARD' || n, 'CARD' || n, 'LOYALTY_CARD', 'camp_bench', 'terms_bench',
           'cust_b' || lpad(n::text, 9, '0'), 1
    from generate_series($2::int, $3::int) as n
    """,
    """
    insert into cards (project_id, id, unit, campaign_id, balance, head, issued)
    select $1, 'v_b' || lpad(n::text, 9, '0'), 'lcdef_bench', 'camp_bench', 300, decode(repeat('00', 32), 'hex'), 300
    from generate_series($2::int, $3::int) as n
    """,
    """
    insert into loyalty_cards (project_id, id, member_id, program_id, definition_id)
    select $1, 'v_b' || lpad(n::text, 9, '0'), 'lmbr_b' || lpad(n::text, 9, '0'), 'lprg_bench', 'lcdef_bench'
    from generate_series($2::int, $3::int) as n
    """,
    """
    insert into card_lots (project_id, card_id, id, granted, remaining, created_at, expires_at)
    select $1, 'v_b' || lpad(n::text, 9, '0'), 'lopb_' || n || '_' || m, 100, 100, now() - interval '300 days',
           case when n % 10 = 0 and m = 1 then date_trunc('day', now()) - interval '1 second' * (n % 3600)
                else date_trunc('day', now()) + make_interval(days => 30 * m + n % 300) end
    from generate_series($2::int, $3::int) as n, generate_series(1, 3) as m
    """,
)
STEP = 50_000


async def furnish(dsn: str, project_id: str, cards: int) -> None:
    """Make the program and the members; every tenth card has points that ended yesterday."""
    conn = await db.connect_as_owner(dsn)
    try:
        await conn.execute(DEFINED.replace("$1", f"'{project_id}'"))
        for part, kind, name, type, body in (
            (CARD, "card_definition", "Points", "INDIVIDUAL", OF_CARD),
            (RULE, "earning_rule", "A point each", "ORDER", OF_RULE),
            (STRUCTURE, "tier_structure", "Levels", "POINT_BALANCE", OF_TIERS),
        ):
            await conn.execute(PARTS, project_id, part, kind, name, type, body)
            await conn.execute(ASSIGNED, project_id, PROGRAM, part, kind)
        for number, least in enumerate((250, 1000, 5000), 1):
            points = {"type": "POINTS", "points": {"min_value": least}}
            body = {"qualification_rules": points, "downgrade": {"type": "INHERIT"}}
            await conn.execute(TIER, project_id, f"lt_{number}", STRUCTURE, f"Level {number}", body)
        await conn.execute(
            "insert into voucher_terms (project_id, id, body) values ($1, 'terms_bench', $2)",
            project_id, {"loyalty_card": {"points": 0}},
        )  # fmt: skip
        for first in range(1, cards + 1, STEP):
            last = min(cards, first + STEP - 1)
            for sql in (MEMBERS, *ROWS):
                await conn.execute(sql, project_id, first, last)
        await conn.execute("vacuum analyze")
        await conn.execute("checkpoint")
    finally:
        await conn.close()
