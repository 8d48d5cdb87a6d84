"""Returns over HTTP: refunds that add up, discounts that are earned again or not, credits that go back to their card."""

from typing import Any

import httpx

from guerdon.verify import verify

Client = Any  # tests/api/conftest.py has it


async def bought(
    client: Client, *codes: str, items: list[tuple[int, int]], tiers: tuple[str, ...] = ()
) -> dict[str, Any]:
    """An order paid with these codes; items are (price, quantity)."""
    lines = [
        {"source_id": f"p{n}", "related_object": "product", "price": price, "quantity": count}
        for n, (price, count) in enumerate(items)
    ]
    named = [{"object": "voucher", "id": code} for code in codes] + [
        {"object": "promotion_tier", "id": t} for t in tiers
    ]
    answer = await client.post("/v1/redemptions", json={"redeemables": named, "order": {"items": lines}})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send_back(client: Client, order: str, *items: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post(
        f"/v1/orders/{order}/returns", json=({"items": list(items)} if items else {}) | body
    )


async def code(
    client: Client, name: str, discount: dict[str, Any], rules: dict[str, Any] | None = None
) -> None:
    answer = await client.post(f"/v1/vouchers/{name}", json={"discount": discount})
    assert answer.status_code == 200, answer.text
    if rules:
        rule = (await client.post("/v1/validation-rules", json={"name": name, "rules": rules})).json()
        body = {"related_object_type": "voucher", "related_object_id": name}
        put = await client.post(f"/v1/validation-rules/{rule['id']}/assignments", json=body)
        assert put.status_code == 200, put.text


async def test_the_refund_is_what_was_paid_less_what_would_have_been(client: Client) -> None:
    """20.00 off from 100.00 on: who keeps goods for 60.00 has not earned them."""
    await code(
        client, "BIG", {"type": "AMOUNT", "amount_off": 2_000},
        {"1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [10_000]}}},
    )  # fmt: skip
    order = (await bought(client, "BIG", items=[(6_000, 1), (4_000, 1)]))["order"]
    assert order["total_amount"] == 8_000
    first = (await send_back(client, order["id"], {"index": 1, "quantity": 1}, reason="too small")).json()
    assert (first["refund"], first["paid_before"], first["paid_after"]) == (2_000, 8_000, 6_000)
    assert first["method"] == "DECIDED_AGAIN"
    assert first["items"] == [{"index": 1, "quantity": 1, "amount": 4_000}]
    assert [one["amount"] for one in first["given_back"]] == [2_000]
    assert first["order"]["total_amount"] == 6_000
    rest = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    assert rest["refund"] == 6_000 and rest["order"]["status"] == "CANCELED"
    listed = (await client.get(f"/v1/orders/{order['id']}/returns")).json()
    assert [one["refund"] for one in listed["data"]] == [2_000, 6_000]
    assert (await client.get("/v1/vouchers/BIG")).json()["redemption"]["redeemed_quantity"] == 0


async def test_of_an_order_that_was_not_paid_nothing_comes_back(client: Client) -> None:
    made = (await client.post("/v1/orders", json={"status": "CREATED", "amount": 1_000})).json()
    answer = await send_back(client, made["id"], amount=100)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_order")
    assert "was not paid yet" in answer.json()["details"]
    assert (await client.get(f"/v1/orders/{made['id']}")).json()["amount"] == 1_000
    await client.put(f"/v1/orders/{made['id']}", json={"status": "PAID"})
    assert (await send_back(client, made["id"], amount=100)).json()["refund"] == 100


async def test_a_percentage_goes_with_the_goods(client: Client) -> None:
    await code(client, "TEN", {"type": "PERCENT", "percent_off": 10})
    order = (await bought(client, "TEN", items=[(999, 3)]))["order"]
    refunds = [
        (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()["refund"] for _ in range(3)
    ]
    assert sum(refunds) == order["total_amount"] == 2_697
    assert refunds == [899, 899, 899]


async def test_who_sends_the_bought_back_does_not_keep_the_free_one(
    client: Client, database_url: str
) -> None:
    """Two apples, one of them free from two on: who keeps one pays for it."""
    await code(
        client, "HALF", {"type": "PERCENT", "percent_off": 50},
        {"1": {"name": "order.items.count", "conditions": {"$more_than_or_equal": [2]}}},
    )  # fmt: skip
    order = (await bought(client, "HALF", items=[(1_000, 2)]))["order"]
    back = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    assert back["refund"] == 0 and back["paid_after"] == 1_000
    assert [one for one in await verify(database_url) if not one.holds] == [], "the code is still used"
    rest = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    assert rest["refund"] == 1_000 and rest["order"]["status"] == "CANCELED"
    assert (await client.get("/v1/vouchers/HALF")).json()["redemption"]["redeemed_quantity"] == 0
    assert [one for one in await verify(database_url) if not one.holds] == []


async def test_credits_go_back_to_the_card_they_came_from(client: Client) -> None:
    made = await client.post("/v1/vouchers/CARD", json={"type": "GIFT_VOUCHER", "gift": {"amount": 5_000}})
    assert made.status_code == 200
    done = await bought(client, "CARD", items=[(4_000, 2)])
    order = done["order"]
    assert order["total_amount"] == 3_000
    first = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    # 3.00 of the 4.00 had been paid in money; what stays is worth 4.00 of the card's 5.00
    assert first["refund"] == 3_000
    assert [(one["amount"], one["credits"]) for one in first["given_back"]] == [(1_000, True)]
    assert (await client.get("/v1/vouchers/CARD")).json()["gift"]["balance"] == 1_000
    rest = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    assert rest["refund"] == 0
    assert (await client.get("/v1/vouchers/CARD")).json()["gift"]["balance"] == 5_000
    kinds = [one["type"] for one in (await client.get("/v1/vouchers/CARD/transactions")).json()["data"]]
    assert kinds == ["CREDITS_REFUND", "CREDITS_REFUND", "CREDITS_REDEMPTION", "CREDITS_ADDITION"]


async def test_promotions_and_budgets(client: Client) -> None:
    tiers = [{"name": "spring", "action": {"discount": {"type": "AMOUNT", "amount_off": 500}}}]
    body = {"name": "spring", "campaign_type": "PROMOTION", "promotion": {"tiers": tiers}}
    campaign = (await client.post("/v1/campaigns", json=body)).json()
    rules = {"1": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [600]}}}
    rule = (await client.post("/v1/validation-rules", json={"name": "budget", "rules": rules})).json()
    to = {"related_object_type": "campaign", "related_object_id": campaign["id"]}
    await client.post(f"/v1/validation-rules/{rule['id']}/assignments", json=to)
    tier = campaign["promotion"]["tiers"][0]["id"]
    order = (await bought(client, items=[(1_000, 1), (300, 1)], tiers=(tier,)))["order"]
    asked = {"redeemables": [{"object": "promotion_tier", "id": tier}], "order": {"amount": 1_000}}
    assert (await client.post("/v1/validations", json=asked)).json()["valid"] is False
    back = (await send_back(client, order["id"], {"index": 0, "quantity": 1})).json()
    assert (back["refund"], back["paid_after"]) == (800, 0)
    assert (await client.post("/v1/validations", json=asked)).json()["valid"] is False
    assert (await send_back(client, order["id"], {"index": 1, "quantity": 1})).json()["refund"] == 0
    assert (await client.post("/v1/validations", json=asked)).json()["valid"] is True


async def test_worth_and_orders_without_items(client: Client) -> None:
    await code(client, "FIVE", {"type": "AMOUNT", "amount_off": 500})
    order = (await bought(client, "FIVE", items=[(1_000, 1)]))["order"]
    put_right = (await send_back(client, order["id"], {"index": 0, "amount": 200})).json()
    assert put_right["refund"] == 200
    answer = await client.post(
        "/v1/redemptions",
        json={"redeemables": [{"object": "voucher", "id": "FIVE"}], "order": {"amount": 3_000}},
    )
    plain = answer.json()["order"]["id"]
    assert (await send_back(client, plain, amount=1_000)).json()["refund"] == 1_000
    assert (await send_back(client, plain, amount=2_000)).json()["refund"] == 1_500
    assert (await send_back(client, plain, amount=1)).status_code == 400


async def test_an_order_that_was_stored_by_its_amount_alone(client: Client) -> None:
    made = (await client.post("/v1/orders", json={"amount": 2_500, "status": "PAID"})).json()
    assert (await send_back(client, made["id"], amount=900)).json()["refund"] == 900
    assert (await send_back(client, made["id"], amount=1_600)).json()["order"]["status"] == "CANCELED"


async def test_an_order_that_was_changed_meanwhile_is_refused(client: Client) -> None:
    await code(client, "FIFTH", {"type": "PERCENT", "percent_off": 20, "effect": "APPLY_TO_ITEMS"})
    await code(client, "SIXTH", {"type": "AMOUNT", "amount_off": 700})
    order = (await bought(client, "FIFTH", "SIXTH", items=[(1_000, 2), (500, 1)]))["order"]["id"]
    for items in (
        [{"source_id": "other", "price": 9_000, "quantity": 1}],
        [{"source_id": "p0", "price": 900, "quantity": 2}],
    ):
        changed = await client.put(f"/v1/orders/{order}", json={"items": items})
        assert changed.status_code == 200, changed.text
        answer = await send_back(client, order, {"index": 0, "quantity": 1})
        assert answer.status_code == 400 and answer.json()["key"] == "invalid_order", answer.text


async def test_what_cannot_come_back_changes_nothing(client: Client) -> None:
    await code(client, "ONE", {"type": "AMOUNT", "amount_off": 100})
    order = (await bought(client, "ONE", items=[(1_000, 2)]))["order"]
    before = (await client.get(f"/v1/orders/{order['id']}")).json()
    for items, where in (
        ([{"index": 0, "quantity": 3}], "items[0].quantity"),
        ([{"index": 5, "quantity": 1}], "items[0].index"),
        ([{"index": 0}], "items[0]"),
        ([{"index": 0, "quantity": 1, "amount": 1}], "items[0]"),
        ([{"index": 0, "quantity": 1}, {"index": 0, "quantity": 1}], "items[1]"),
        ([{"quantity": 1}], "items[0]"),
        ([{"index": 0, "amount": 2_001}], "items[0].amount"),
    ):
        answer = await send_back(client, order["id"], *items)
        assert answer.status_code == 400 and where in answer.text, answer.text
    assert (await send_back(client, order["id"], amount=5)).status_code == 400
    assert (await send_back(client, order["id"])).status_code == 400
    assert (await send_back(client, "ord_unknown", {"index": 0, "quantity": 1})).status_code == 404
    assert (await client.get(f"/v1/orders/{order['id']}")).json() == before
    key = {"Idempotency-Key": "return-1"}
    body = {"items": [{"index": 0, "quantity": 1}]}
    first = await client.post(f"/v1/orders/{order['id']}/returns", json=body, headers=key)
    again = await client.post(f"/v1/orders/{order['id']}/returns", json=body, headers=key)
    assert first.status_code == 200 and again.content == first.content


async def test_a_rollback_after_a_return_takes_the_rest(client: Client) -> None:
    await code(client, "THIRD", {"type": "PERCENT", "percent_off": 30})
    done = await bought(client, "THIRD", items=[(1_000, 2)])
    redemption = done["redemptions"][0]["id"]
    back = (await send_back(client, done["order"]["id"], {"index": 0, "quantity": 1})).json()
    assert back["refund"] == 700
    rolled = await client.post(f"/v1/redemptions/{redemption}/rollback", json={})
    assert rolled.status_code == 200, rolled.text
    assert rolled.json()["amount"] == -300
    assert rolled.json()["order"]["total_amount"] == 1_000
