"""Redemptions under rules beside plain ones, through the writer (figure 3 of the rules).

python bench/rules.py
"""

import asyncio

import msgspec
import uvloop
from ground import ROUNDS, Result, Shop, ask_for, body_for, database, drive, median, open_shop, table, verdict

from guerdon.definitions.changes import changed
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.redemptions.desk import Desk
from guerdon.settings import Settings

CUSTOMERS = 1_000
MANY = 10**9
RULES = {
    "1": {"name": "order.amount", "conditions": {"$more_than": [1000]}},
    "2": {
        "name": "order.items.any",
        "conditions": {"$is": [{"object": "products_collection", "id": "pc_bench"}]},
    },
    "3": {"name": "order.metadata", "property": "channel", "conditions": {"$is": ["web"]}},
    "4": {"name": "customer.metadata", "property": "club", "conditions": {"$is": ["gold"]}},
    "5": {"name": "order.items.count", "conditions": {"$more_than": [2]}},
    "6": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [MANY]}},
    "7": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [MANY]}},
    "8": {"name": "redemption.count.daily", "conditions": {"$less_than_or_equal": [MANY]}},
    "9": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [2**53 - 1]}},
    "logic": "1 and 2 and 3 and 4 and 5 and 6 and 7 and 8 and 9",
}


async def under_rules(dsn: str, shop: Shop) -> str:
    """A campaign with one generic code under five rules, three limits and a budget; the code."""
    conn = await db.connect_as_owner(dsn)
    project = shop.credentials.project_id
    try:
        async with conn.transaction():
            terms = await db.value(
                conn, "select terms_id from vouchers where project_id = $1 limit 1", project
            )
            campaign, rule = new_id("campaign"), new_id("validation_rule")
            await conn.execute(
                "insert into campaigns (project_id, id, name, campaign_type, type, terms_id)"
                " values ($1, $2, 'ruled', 'DISCOUNT_COUPONS', 'STATIC', $3)", project, campaign, terms,
            )  # fmt: skip
            await conn.execute(
                "insert into vouchers (project_id, id, code, code_key, campaign_id, terms_id)"
                " values ($1, $2, 'RULED', 'RULED', $3, $4)", project, new_id("voucher"), campaign, terms,
            )  # fmt: skip
            await conn.execute(
                "insert into product_collections (project_id, id, name, type, products)"
                " values ($1, 'pc_bench', 'coffee', 'STATIC', $2)", project,
                [{"object": "product", "id": "prod_x", "source_id": body_for("")["order"]["items"][3]["source_id"]}],
            )  # fmt: skip
            await conn.execute(
                "insert into validation_rules (project_id, id, name, body) values ($1, $2, 'all', $3)",
                project, rule, {"rules": RULES},
            )  # fmt: skip
            await conn.execute(
                "insert into validation_rule_assignments (project_id, id, rule_id, related_object_id,"
                " related_object_type) values ($1, $2, $3, $4, 'campaign')",
                project, new_id("assignment"), rule, campaign,
            )  # fmt: skip
            await conn.execute(
                "insert into customers (project_id, id, source_id, metadata)"
                " select $1, 'cust_' || n, 'customer-' || n, '{\"club\": \"gold\"}' from generate_series(0, $2::int - 1) n",
                project, CUSTOMERS,
            )  # fmt: skip
            await changed(conn, project, [("campaign", campaign), ("rule", rule), ("assignment", campaign), ("collection", "pc_bench")])  # fmt: skip
        await conn.execute("vacuum analyze")
        return "RULED"
    finally:
        await conn.close()


async def batched(dsn: str, shop: Shop, code: str) -> Result:
    """Through the writer, each time another customer."""
    desk = Desk(dsn, Settings(), pool := await db.open_pool(dsn, size=2))
    bodies = [
        msgspec.json.encode(body_for(code) | {"customer": {"source_id": f"customer-{n}"}})
        for n in range(CUSTOMERS)
    ]
    count = iter(range(10**12))

    async def one(_: int) -> None:
        number = next(count)
        answer = await desk.write(ask_for(shop, bodies[number % CUSTOMERS], number))
        assert answer.status == 200, answer.content

    await drive(one, 64, 0.5)
    result = await drive(one, 64)
    await desk.close()
    await pool.close()
    return result


def main() -> None:
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        ruled = asyncio.run(under_rules(dsn, shop))
        plain, rules = [], []
        for _ in range(ROUNDS):
            plain.append(uvloop.run(batched(dsn, shop, shop.hot)))
            rules.append(uvloop.run(batched(dsn, shop, ruled)))
        a, b = median(plain), median(rules)
        table("One hot code, 64 clients, a customer named each time", [
            ("plain", f"{a.rate:,.0f}", f"{a.p50:.1f}", f"{a.p99:.1f}", ""),
            ("five rules, three limits, a budget", f"{b.rate:,.0f}", f"{b.p50:.1f}", f"{b.p99:.1f}", ""),
            ("ruled / plain", f"{b.rate / a.rate:.2f}", "", "", verdict(b.rate / a.rate, 0.7)),
        ], ("code", "redemptions/s", "p50 ms", "p99 ms", "bound"))  # fmt: skip


if __name__ == "__main__":
    main()
