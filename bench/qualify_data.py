"""What bench/qualify.py asks about: a shop with so many promotions, written by COPY; those of bench/matching.py."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from matching import BY_FILTER, NOW, promotions, situation

from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.projects.bootstrap import Credentials, create_project

IN_A_CAMPAIGN = 500
DISCOUNT = {"discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}}

CAMPAIGN = """
    with terms as (
        insert into voucher_terms (project_id, id, body) values ($1, $3, '{}') returning project_id, id
    )
    insert into campaigns (project_id, id, name, campaign_type, type, terms_id)
    select project_id, $2, $2, 'PROMOTION', 'STATIC', id from terms
"""
CUSTOMER = """
    insert into customers (project_id, id, source_id, metadata) values ($1, 'cust_bench', 'bench', '{"city": "city-1"}')
"""
SEGMENTS = """
    insert into segments (project_id, id, name, type)
    select $1, 'seg_' || n, 'segment ' || n, 'static' from generate_series(0, 999) n
"""
MEMBERS = """
    insert into segment_members (project_id, segment_id, customer_id)
    select $1, 'seg_' || n, 'cust_bench' from generate_series(1, 2) n
"""
PRODUCTS = """
    insert into products (project_id, id, source_id, name, price, metadata)
    select $1, 'prod_' || n, 'product-' || n, 'Product ' || n, 199 + 37 * n, jsonb_build_object('color', 'c' || n)
    from generate_series(0, 19) n
"""
EPOCHS = """
    insert into tally_epochs (project_id, owner, version) select $1, id, 1 from promotion_tiers where project_id = $1
"""


def cart(number: int) -> bytes:
    """Twenty lines, a little different each time."""
    items = [
        {"product_id": f"prod_{n}", "quantity": (n + number) % 3 + 1, "price": 199 + 37 * n}
        for n in range(20)
    ]
    order = {"items": items, "metadata": {"store": "store-1"}}
    body = {"scenario": "ALL", "customer": {"source_id": "bench"}, "order": order, "options": {"limit": 10}}
    return msgspec.json.encode(body)


async def fill(dsn: str, count: int) -> Credentials:
    """A new project with so many promotions, about ten of which apply to the cart of this customer."""
    conn = await db.connect_as_owner(dsn)
    try:
        credentials = await create_project(conn, f"bench {count}")
        project = credentials.project_id
        async with conn.transaction():
            for sql in (CUSTOMER, SEGMENTS, MEMBERS, PRODUCTS):
                await conn.execute(sql, project)
            await _collections(conn, project)
            await _promotions(conn, project, count)
        await conn.execute("vacuum analyze", timeout=600)
        return credentials
    finally:
        await conn.close()


async def _collections(conn: db.Connection, project: str) -> None:
    rows: list[tuple[Any, ...]] = []
    for id, one in situation().collections.items():
        if one.filter is None:
            listed = [{"object": "product", "id": name} for name in sorted(one.members)]
            rows.append((project, id, one.name, "STATIC", None, listed))
    for n in range(BY_FILTER):
        asked = {"metadata.color": {"conditions": {"$is": [f"c{n}" if n == 1 else f"d{n}"]}}}
        rows.append((project, f"pc_filter_{n}", f"filter {n}", "AUTO_UPDATE", asked, []))
    columns = ("project_id", "id", "name", "type", "filter", "products")
    await db.insert(conn, "product_collections", columns, rows)


async def _promotions(conn: db.Connection, project: str, count: int) -> None:
    campaigns = [new_id("campaign") for _ in range(-(-count // IN_A_CAMPAIGN))]
    for campaign in campaigns:
        await conn.execute(CAMPAIGN, project, campaign, new_id("terms"))
    now = datetime.now(UTC)
    rules, assigned, tiers = [], [], []
    for number, (id, body, window) in enumerate(promotions(count)):
        tier = id if id.startswith("promo_") else f"promo_{id}"
        terms: dict[str, Any] = dict(DISCOUNT)
        for name, instant in zip(("start_date", "expiration_date"), window or (None, None), strict=True):
            if instant is not None:
                terms[name] = (instant - NOW + now).isoformat()
        made = now - timedelta(seconds=number)
        rules.append((project, f"val_{number}", f"rule {number}", body))
        assigned.append((project, f"asgm_{number}", f"val_{number}", tier, "promotion_tier"))
        tiers.append((project, tier, campaigns[number // IN_A_CAMPAIGN], tier, terms, made))
    await db.insert(conn, "validation_rules", ("project_id", "id", "name", "body"), rules)
    columns = ("project_id", "id", "rule_id", "related_object_id", "related_object_type")
    await db.insert(conn, "validation_rule_assignments", columns, assigned)
    await db.insert(
        conn, "promotion_tiers", ("project_id", "id", "campaign_id", "name", "body", "created_at"), tiers
    )
    await conn.execute(EPOCHS, project)
