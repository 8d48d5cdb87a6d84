"""What was redeemed, rolled back and qualifies shows its category, as the voucher and the tier themselves do."""

from .checkout import TEN_OFF, code, post, read
from .conftest import Client
from .promotions import tier


async def test_a_redeemed_code_shows_its_category(client: Client) -> None:
    category = await post(client, "/v1/categories", {"name": "Tea", "hierarchy": 3})
    name = await code(client, category_id=category["id"])
    body = {"redeemables": [{"object": "voucher", "id": name}], "order": {"amount": 5000}}
    redeemed = (await post(client, "/v1/redemptions", body))["redemptions"][0]
    shown = redeemed["voucher"]
    assert (shown["category"], shown["category_id"], shown["categories"]) == (
        "Tea",
        category["id"],
        [category],
    )
    assert shown == await read(client, f"/v1/vouchers/{name}")
    assert (await read(client, f"/v1/redemptions/{redeemed['id']}"))["voucher"]["categories"] == [category]
    changed = (await client.put(f"/v1/categories/{category['id']}", json={"name": "Leaves"})).json()
    rolled = (await post(client, f"/v1/redemptions/{redeemed['id']}/rollback", {}))["voucher"]
    assert (rolled["category"], rolled["categories"]) == ("Leaves", [changed])
    qualified = await post(client, "/v1/vouchers/qualification", {"order": {"amount": 5000}})
    assert qualified["data"][0]["categories"] == [changed]
    assert (await client.delete(f"/v1/categories/{category['id']}")).status_code == 204
    again = (await post(client, "/v1/redemptions", body))["redemptions"][0]["voucher"]
    assert again["categories"] == []


async def test_a_redeemed_tier_shows_its_category(client: Client) -> None:
    category = await post(client, "/v1/categories", {"name": "Weekend"})
    tiers = [tier("a", category_id=category["id"]), {"name": "b", "action": {"discount": TEN_OFF}}]
    body = {"name": "spring", "campaign_type": "PROMOTION", "promotion": {"tiers": tiers}}
    made = await post(client, "/v1/campaigns", body)
    shown: list[object] = []
    for one in made["promotion"]["tiers"]:
        asked = {"redeemables": [{"object": "promotion_tier", "id": one["id"]}], "order": {"amount": 5000}}
        answer = await post(client, "/v1/redemptions", asked)
        shown.append(answer["redemptions"][0]["promotion_tier"]["categories"])
    assert shown == [[category], []]
