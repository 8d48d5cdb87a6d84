"""Earning in programs that the older API made: joining by oneself, debts, rules on tiers."""

from typing import Any

from .conftest import Client
from .loyalty import ok
from .test_loyalty_earning import buy, give_back

CAMPAIGN = {
    "name": "Club",
    "campaign_type": "LOYALTY_PROGRAM",
    "auto_join": True,
    "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 0}},
}
PER_TEN = {
    "event": "order.paid",
    "loyalty": {
        "type": "PROPORTIONAL",
        "calculation_type": "ORDER_AMOUNT",
        "order": {"amount": {"every": 100, "points": 1}},
    },
    "source": {"banner": "A point each"},
}


async def card(client: Client, campaign_id: str) -> dict[str, Any]:
    """The only member's card."""
    found = await ok(client, "GET", f"/v1/loyalties/{campaign_id}/members")
    assert found["total"] == 1
    return found["vouchers"][0]


async def test_who_buys_joins_and_owes_what_comes_back(client: Client, run_jobs: Any) -> None:
    club = await ok(client, "POST", "/v1/loyalties", CAMPAIGN)
    await ok(client, "POST", f"/v1/loyalties/{club['id']}/earning-rules", [PER_TEN])
    order = await buy(client, 1000)
    await run_jobs()
    mine = await card(client, club["id"])
    assert mine["loyalty_card"]["balance"] == 10
    spent = {"amount": -8, "source_id": "spent"}
    await ok(client, "POST", f"/v1/vouchers/{mine['code']}/balance", spent)
    await give_back(client, order, 1000)
    await run_jobs()
    assert (await card(client, club["id"]))["loyalty_card"]["balance"] == -8
    await buy(client, 2000)
    await run_jobs()
    assert (await card(client, club["id"]))["loyalty_card"]["balance"] == 12


async def test_reaching_a_tier_earns(client: Client, run_jobs: Any) -> None:
    club = await ok(client, "POST", "/v1/loyalties", CAMPAIGN)
    tiers = [{"name": "Silver", "points": {"from": 10}}]
    await ok(client, "POST", f"/v1/loyalties/{club['id']}/tiers", tiers)
    bonus = {
        "event": "customer.loyalty.tier.joined",
        "loyalty": {"type": "FIXED", "points": 5},
        "loyalty_tier": {"id": "__ANY__"},
        "source": {"banner": "Welcome"},
    }
    await ok(client, "POST", f"/v1/loyalties/{club['id']}/earning-rules", [PER_TEN, bonus])
    await buy(client, 1000)
    await run_jobs()
    assert (await card(client, club["id"]))["loyalty_card"]["balance"] == 15
