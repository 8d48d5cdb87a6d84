"""What bench/lists.py lists: a shop's vouchers of all sorts, written by plain SQL."""

from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.projects.bootstrap import Credentials, create_project

CAMPAIGNS = 21
"""The first has six codes in ten; the others share two in ten; what is left stands alone, with terms of its own."""

# An expired campaign and one to come among every four; the first is open.
CAMPAIGN = """
    with terms as (
        insert into voucher_terms (project_id, id, body, starts_at, expires_at)
        values ($1, $4, jsonb_build_object('discount', jsonb_build_object('type', 'PERCENT', 'percent_off', 10)),
                case when $5 % 4 = 2 then timestamptz '2090-01-01' end,
                case when $5 % 4 = 1 then timestamptz '2025-06-01' when $5 > 0 then timestamptz '2091-01-01' end)
        returning project_id, id
    )
    insert into campaigns (project_id, id, name, campaign_type, type, terms_id, active)
    select project_id, $2, $3, 'DISCOUNT_COUPONS', 'STATIC', id, $5 % 10 <> 9 from terms
"""

ALONE_TERMS = """
    insert into voucher_terms (project_id, id, body, starts_at, expires_at)
    select $1, 'terms_' || md5($1 || n::text),
           jsonb_build_object('discount', jsonb_build_object('type', 'AMOUNT', 'amount_off', 100 + n % 900),
                              'redemption', jsonb_build_object('quantity', 1)),
           null, case when n / 10 % 10 = 5 then timestamptz '2025-01-01' + n % 300 * interval '1 day'
                      when n / 10 % 10 = 6 then timestamptz '2090-01-01' + n % 300 * interval '1 day' end
    from generate_series(0, $2::int - 1) n where n % 10 >= 8
"""

# Made over a year, a tenth of them changed since, one in twenty switched off.
VOUCHERS = """
    insert into vouchers (project_id, id, code, code_key, campaign_id, terms_id, quantity, active, category, metadata,
                          created_at, updated_at)
    select $1, 'v_' || md5('id' || $1 || n::text), code, code,
           case when n % 10 < 6 then ($3::text[])[1] when n % 10 < 8 then ($3::text[])[2 + n / 10 % 20] end,
           case when n % 10 >= 8 then 'terms_' || md5($1 || n::text) end, case when n % 10 >= 8 then 1 end,
           n / 10 % 20 <> 7, case when n / 10 % 100 = 9 then 'spring' end,
           case when n % 2 = 0 then jsonb_build_object('batch', n / 1000, 'region', (array['eu', 'us', 'apac'])[1 + n % 3])
                else '{}' end,
           timestamptz '2026-10-01' - n * interval '30 seconds',
           case when n / 10 % 10 = 3 then timestamptz '2026-10-01' - n * interval '20 seconds' end
    from (select n, upper(substr(md5($1 || 'code' || n::text), 1, 10)) as code
          from generate_series(0, $2::int - 1) n) as made
    on conflict do nothing
"""

COUNTS = """
    update campaigns set vouchers_count = (select count(*) from vouchers v
                                           where v.project_id = $1 and v.campaign_id = campaigns.id)
    where project_id = $1
"""


async def fill(dsn: str, count: int) -> tuple[Credentials, list[str]]:
    """A new project with so many vouchers; its key and its campaigns' ids."""
    conn = await db.connect_as_owner(dsn)
    try:
        credentials = await create_project(conn, "bench")
        project = credentials.project_id
        ids = [new_id("campaign") for _ in range(CAMPAIGNS)]
        for number, campaign in enumerate(ids):
            await conn.execute(CAMPAIGN, project, campaign, f"campaign {number}", new_id("terms"), number)
        await conn.execute(ALONE_TERMS, project, count, timeout=600)
        await conn.execute(VOUCHERS, project, count, ids, timeout=600)
        await conn.execute(COUNTS, project, timeout=600)
        await conn.execute("vacuum analyze", timeout=600)
        return credentials, ids
    finally:
        await conn.close()
