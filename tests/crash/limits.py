"""Limits under a crash test: a campaign with a budget, a promotion tier with a count, both with a limit a customer."""

from typing import Any

import httpx
from laws.recount import miscounted

from guerdon.kit import db

BUDGETED = ("BUDGET-1", "BUDGET-2")
CUSTOMERS = tuple({"source_id": f"customer {number}"} for number in range(8))
TEN_OFF = {"type": "AMOUNT", "amount_off": 1000}

STANDING = """
    select coalesce(sum(r.amount - r.returned_amount), 0)::bigint as off, count(*) as redemptions,
           coalesce((select max(n) from (
               select count(*) as n from redemptions e where e.project_id = $1 and e.campaign_id = c.id
                 and e.object = 'redemption' and e.status = 'SUCCEEDED' group by e.customer_id) as each), 0) as of_one
    from campaigns c left join redemptions r on r.project_id = $1 and r.campaign_id = c.id
        and r.object = 'redemption' and r.status = 'SUCCEEDED'
    where c.project_id = $1 and c.name = $2 group by c.id
"""


async def set_up(client: httpx.AsyncClient, most: int) -> str:
    """Make both, each good for `most` redemptions of 10.00; the tier's id. A customer may have a sixth of them."""
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "redemption": {"quantity": None}}
    budget = await _post(client, "/v1/campaigns", {"name": "budget", "type": "STATIC", "voucher": voucher})
    for code in BUDGETED:
        await _post(client, f"/v1/campaigns/budget/vouchers/{code}", {})
    tiers = [{"name": "tier", "action": {"discount": TEN_OFF}}]
    body = {"name": "tiers", "campaign_type": "PROMOTION", "promotion": {"tiers": tiers}}
    promotion = await _post(client, "/v1/campaigns", body)
    tier = promotion["promotion"]["tiers"][0]["id"]
    await _limit(client, "campaign", budget["id"], "campaign.orders.amount_discounted", 1000 * most)
    await _limit(client, "campaign", budget["id"], "campaign.redemptions.customers_count", most // 6)
    await _limit(client, "promotion_tier", tier, "campaign.redemptions.count", most)
    await _limit(client, "promotion_tier", tier, "redemption.count.per_customer", most // 6)
    return tier


async def _limit(client: httpx.AsyncClient, kind: str, thing: str, name: str, most: int) -> None:
    rules = {"1": {"name": name, "conditions": {"$less_than_or_equal": [most]}}}
    made = await _post(client, "/v1/validation-rules", {"name": name, "rules": rules})
    body = {"related_object_type": kind, "related_object_id": thing}
    await _post(client, f"/v1/validation-rules/{made['id']}/assignments", body)


async def _post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def compare(conn: db.Db, project_id: str, most: int) -> dict[str, int]:
    """What is wrong with them after everything was used up, counted by name."""
    [budget] = await db.records(conn, STANDING, project_id, "budget")
    [tiers] = await db.records(conn, STANDING, project_id, "tiers")
    return {
        "budget passed": int(budget["off"] > 1000 * most),
        "budget lost": int(budget["off"] <= 1000 * (most - 1)),
        "tier's limit passed": int(tiers["redemptions"] > most),
        "tier's capacity lost": int(tiers["redemptions"] < most),
        "customer's limit passed": sum(one["of_one"] > most // 6 for one in (budget, tiers)),
        "tallies ≠ recount": len(await miscounted(conn, project_id)),
    }
