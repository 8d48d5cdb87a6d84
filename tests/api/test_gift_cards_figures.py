"""What customers and campaigns are told of gift cards: sums, and the activity."""

from typing import Any

from .test_gift_cards import card, move, redeem

Client = Any


async def held_card(client: Client, code: str, source_id: str, amount: int) -> None:
    """A card that a customer holds."""
    await card(client, code, amount)
    given = await client.post(
        "/v1/publications", json={"voucher": code, "customer": {"source_id": source_id}}
    )
    assert given.status_code == 200, given.text


async def test_a_customers_summary_knows_the_cards(client: Client) -> None:
    await held_card(client, "HELD-1", "ann", 5_000)
    await held_card(client, "HELD-2", "ann", 700)
    await move(client, "HELD-2", 100, expiration_date="2099-01-01")
    paid = await redeem(client, {"id": "HELD-1", "gift": {"credits": 2_000}}, customer={"source_id": "ann"})
    assert paid.status_code == 200
    gift = (await client.get("/v1/customers/ann")).json()["summary"]["redemptions"]["gift"]
    assert gift == {"redeemed_amount": 2_000, "amount_to_go": 3_800}
    name = paid.json()["redemptions"][0]["id"]
    await client.post(f"/v1/redemptions/{name}/rollback", json={"amount": 500})
    assert (await client.delete("/v1/vouchers/HELD-2")).status_code == 204
    gift = (await client.get("/v1/customers/ann")).json()["summary"]["redemptions"]["gift"]
    assert gift == {"redeemed_amount": 1_500, "amount_to_go": 3_500}


async def test_the_holders_activity_tells_what_came_onto_the_card(client: Client) -> None:
    await held_card(client, "HELD-3", "bob", 1_000)
    await move(client, "HELD-3", 250)
    page = (await client.get("/v1/customers/bob/activity?type=customer.voucher.gift.balance_added")).json()
    assert [one["type"] for one in page["data"]] == ["customer.voucher.gift.balance_added"]


async def test_a_campaigns_summary_adds_its_cards_up(client: Client, run_jobs: Any) -> None:
    body = {"name": "summed", "voucher": {"gift": {"amount": 1_000}}, "vouchers_count": 2, "type": "STATIC"}
    campaign = (await client.post("/v1/campaigns", json=body)).json()
    await run_jobs()
    await client.post(f"/v1/campaigns/{campaign['id']}/vouchers/ONE-MORE", json={"gift": {"amount": 0}})
    codes = (await client.get(f"/v1/vouchers?campaign_id={campaign['id']}&order=code")).json()["vouchers"]
    first, second = (one["code"] for one in codes if one["code"] != "ONE-MORE")
    await move(client, "ONE-MORE", 600)
    await move(client, first, -50)
    paid = (await redeem(client, {"id": first, "gift": {"credits": 400}})).json()["redemptions"][0]
    await client.post(f"/v1/redemptions/{paid['id']}/rollback", json={"amount": 300})
    await client.post(f"/v1/vouchers/{first}/cash-out", json={"amount": 20})
    await client.delete(f"/v1/vouchers/{second}")
    summary = (await client.get("/v1/campaigns/summed/summary")).json()
    assert {name: value for name, value in summary.items() if "amount" in name} == {
        "created_vouchers_amount": 2_000,
        "amount_added": 600,
        "amount_deleted": 1_000,
        "amount_redeemed": 400,
        "amount_rolledback": 300,
        "amount_subtracted": 70,
        "orders_amount": 6_000,
        "orders_rolledback_amount": summary["orders_rolledback_amount"],
    }
    old = (await client.get("/v1/campaigns/summed/summary?end_date=2020-01-01")).json()
    assert (old["created_vouchers_amount"], old["amount_redeemed"]) == (0, 0)
