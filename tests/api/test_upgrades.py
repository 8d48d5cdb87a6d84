"""Upgrades over the API: one thing for another in the cart, what is told of it, and the way back."""

from typing import Any

from .checkout import ask, code, post, read, redeem, roll_back, roll_back_stack, validate


async def cafe(client: Any, **entry: Any) -> str:
    """A code that makes small coffees large ones."""
    for name, price in (("small", 300), ("large", 450)):
        await client.post("/v1/products", json={"source_id": name, "name": name, "price": price})
    small = {"object": "product", "source_id": "small", **entry}
    rule = await post(
        client,
        "/v1/validation-rules",
        {"name": "Small coffees", "applicable_to": {"included": [small], "excluded": []}},
    )
    upgrade = {"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": 1, "unit_type": "large"}
    return await code(client, upgrade, validation_rules=[rule["id"]])


def cart(quantity: int = 3, **more: Any) -> dict[str, Any]:
    """Small coffees and a cake."""
    items = [{"source_id": "small", "quantity": quantity}, {"source_id": "cake", "quantity": 1, "price": 400}]
    return {"items": items, **more}


TOLD = {
    "source_index": 0,
    "source_applied_quantity": -1,
    "source_applied_quantity_amount": -300,
    "target_index": 2,
    "target_applied_quantity": 1,
    "target_applied_quantity_amount": 450,
    "target_applied_discount_amount": 150,
}


async def test_a_validation_tells_what_is_exchanged(client: Any) -> None:
    name = await cafe(client, quantity_limit=1)
    answer = await validate(client, name, order=cart(), options={"explain": True})
    assert answer["valid"] is True
    order = answer["order"]
    assert (order["initial_amount"], order["amount"], order["items_discount_amount"]) == (1_300, 1_450, 150)
    assert order["total_amount"] == 1_300
    small, cake, large = order["items"]
    assert (small["quantity"], small["initial_quantity"], small["applied_quantity"]) == (2, 3, -1)
    assert (small["amount"], small["applied_quantity_amount"]) == (600, -300)
    assert (large["quantity"], large["applied_quantity"], large["applied_quantity_amount"]) == (1, 1, 450)
    assert (large["amount"], large["discount_amount"], large["subtotal_amount"]) == (450, 150, 300)
    assert small["application_details"] == large["application_details"] == [TOLD]
    assert "application_details" not in cake
    [redeemable] = answer["redeemables"]
    assert redeemable["result"]["discount"]["effect"] == "REPLACE_ITEMS"
    [entry] = redeemable["applicable_to"]["data"]
    assert entry["order_item_units"] == [{"index": 0, "units": [1]}]
    [step] = redeemable["explain"]["discount"]
    assert (step["step"], step["line"], step["result"]) == ("replaced_units", 0, 150)
    assert (step["facts"]["replaced"], step["facts"]["added"], step["facts"]["new_line"]) == (1, 1, 2)


async def test_a_redemption_does_what_the_validation_said_and_comes_back_whole(client: Any) -> None:
    name = await cafe(client)
    seen = await validate(client, name, order=cart())
    made = await redeem(client, name, order=cart(source_id="cup"))
    [redemption] = made["redemptions"]
    assert redemption["result"] == "SUCCESS"
    fields = ("amount", "total_amount", "items_discount_amount")
    assert [made["order"][name] for name in fields] == [seen["order"][name] for name in fields]
    assert [item["quantity"] for item in made["order"]["items"]] == [0, 1, 3]
    stored = await read(client, f"/v1/orders/{made['order']['id']}")
    assert [item["quantity"] for item in stored["items"]] == [0, 1, 3]
    back = await roll_back(client, redemption["id"])
    assert back["amount"] == -450
    assert (back["order"]["amount"], back["order"]["total_amount"]) == (1_300, 1_300)
    assert [item["quantity"] for item in back["order"]["items"]] == [3, 1, 0]
    assert all("application_details" not in item for item in back["order"]["items"])
    kept = await read(client, f"/v1/redemptions/{redemption['id']}")
    assert kept["order"]["items"][2]["application_details"][0]["target_applied_quantity"] == 3


async def test_a_stack_with_an_upgrade_comes_back_whole(client: Any) -> None:
    upgrade = await cafe(client)
    half = await code(client, {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    made = await post(client, "/v1/redemptions", ask(upgrade, half, order=cart(source_id="two")))
    assert made["order"]["total_amount"] == 650
    back = await roll_back_stack(client, made["parent_redemption"]["id"])
    order = back["order"]
    assert (order["amount"], order["total_amount"]) == (1_300, 1_300)
    assert [item["quantity"] for item in order["items"]] == [3, 1, 0]


async def test_later_requests_do_not_repeat_what_was_told(client: Any) -> None:
    upgrade = await cafe(client, quantity_limit=1)
    made = await redeem(client, upgrade, order=cart(source_id="again"))
    more = await redeem(client, await code(client), order={"id": made["order"]["id"]})
    assert more["order"]["items"][0]["quantity"] == 2
    assert all("application_details" not in item for item in more["order"]["items"])


async def test_an_upgrade_needs_to_know_what_to_replace(client: Any) -> None:
    upgrade = {"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": 1, "unit_type": "large"}
    answer = await validate(client, await code(client, upgrade), order=cart())
    assert answer["valid"] is False
    assert answer["redeemables"][0]["result"]["error"]["key"] == "order_rules_violated"
    body = {
        "type": "DISCOUNT_VOUCHER",
        "discount": {"type": "UNIT", "effect": "REPLACE_ITEMS", "unit_off": 1},
    }
    refused = await client.post("/v1/vouchers/WRONG", json=body)
    assert refused.status_code == 400 and "discount.unit_type" in refused.text


async def test_bundles_give_once_when_they_do_not_scale(client: Any) -> None:
    pair = {
        "name": "order.items.any",
        "conditions": {"$is": [{"object": "product", "type": "product_or_sku", "id": "mug"}]},
        "rules": {"1": {"name": "order.items.aggregated_quantity", "conditions": {"$is": [2]}}},
    }
    offs = []
    for more in ({}, {"scaling": "MULTIPLIED"}, {"scaling": "FIXED"}):
        rule = {"name": "Pairs", "bundle_rules": {"1": pair, "limit": None, **more}}
        made = await post(client, "/v1/validation-rules", rule)
        assert made["bundle_rules"].get("scaling") == more.get("scaling")
        name = await code(client, {"type": "AMOUNT", "amount_off": 100}, validation_rules=[made["id"]])
        items = [{"product_id": "mug", "quantity": 7, "price": 500}]
        answer = await validate(client, name, order={"items": items})
        assert answer["redeemables"][0]["result"]["bundle"]["quantity"] == 3
        offs.append(answer["order"]["total_discount_amount"])
    assert offs == [300, 300, 100]
    wrong = {"name": "Pairs", "bundle_rules": {"1": pair, "scaling": "OFTEN"}}
    refused = await client.post("/v1/validation-rules", json=wrong)
    assert refused.status_code == 400 and "bundle_rules.scaling" in refused.text
