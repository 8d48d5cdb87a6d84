"""Gift cards as goods over HTTP: made with nothing on them, sold, given back, cashed out, deleted."""

from typing import Any

from .test_gift_cards import card, gift, move, redeem, refused

Client = Any
CARD = {"source_id": "card-25", "related_object": "product", "price": 2_500}
MUG = {"source_id": "mug", "related_object": "product", "price": 900, "quantity": 1}


async def on_sale(client: Client, *codes: str, amount: int = 2_500, **options: Any) -> dict[str, Any]:
    """A campaign of cards that are made with nothing on them, with these codes."""
    answer = await client.post(
        "/v1/campaigns",
        json={"name": "sold at the till", "campaign_type": "GIFT_VOUCHERS", "type": "STATIC",
              "options": {"cards": "ON_SALE"} | options,
              "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": amount}}},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    for code in codes:
        made = await client.post(f"/v1/campaigns/{answer.json()['id']}/vouchers/{code}", json={})
        assert made.status_code == 200, made.text
    return answer.json()


async def order(client: Client, cards: int = 1) -> str:
    """An order of some cards and a mug."""
    answer = await client.post(
        "/v1/orders", json={"items": [CARD | {"quantity": cards}, MUG], "status": "PAID"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def activate(client: Client, code: str, order_id: str, line: int | None = 0, **fields: Any) -> Any:
    named = {"id": order_id} | ({} if line is None else {"item": {"index": line}})
    return await client.post(f"/v1/vouchers/{code}/activation", json={"order": named} | fields)


async def entries(client: Client, code: str) -> list[tuple[str, int]]:
    page = (await client.get(f"/v1/vouchers/{code}/transactions")).json()
    return [(one["type"], one["details"]["balance"]["amount"]) for one in page["data"]]


async def test_a_card_has_nothing_on_it_until_it_is_sold(client: Client) -> None:
    campaign = await on_sale(client, "SOLD-1")
    assert campaign["options"] == {"cards": "ON_SALE"}
    assert campaign["voucher"]["gift"] == {"amount": 2_500, "effect": "APPLY_TO_ORDER"}
    made = (await client.get("/v1/vouchers/SOLD-1")).json()
    assert made["active"] is False and made["gift"]["balance"] == 0
    unsold = await redeem(client, {"id": "SOLD-1"})
    assert (unsold.status_code, unsold.json()["key"]) == (400, "voucher_disabled")
    assert "never sold" in unsold.text
    sold = await activate(client, "SOLD-1", await order(client), reason="till 3")
    assert sold.status_code == 200, sold.text
    assert sold.json()["voucher"]["active"] is True
    assert sold.json()["voucher"]["gift"]["balance"] == sold.json()["amount"] == 2_500
    told = (await client.get("/v1/vouchers/SOLD-1/transactions")).json()["data"]
    assert [(one["id"], one["type"], one["reason"]) for one in told] == [
        (sold.json()["transaction_id"], "CREDITS_ADDITION", "till 3")
    ]
    assert told[0]["details"]["order"]["id"] == sold.json()["order_id"]
    paid = await redeem(client, {"id": "SOLD-1"})
    assert paid.status_code == 200 and paid.json()["redemptions"][0]["amount"] == 2_500


async def test_what_cannot_be_sold_changes_nothing(client: Client) -> None:
    await on_sale(client, "SOLD-2")
    bought = await order(client)
    assert (await activate(client, "SOLD-2", "ord_nowhere")).status_code == 404
    assert (await activate(client, "NOBODY", bought)).status_code == 404
    refused(await activate(client, "SOLD-2", bought, line=7), "invalid_payload", "order.item.index")
    refused(await activate(client, "SOLD-2", bought, amount=1), "invalid_amount", "2500")
    refused(
        await client.post("/v1/vouchers/SOLD-2/activation", json={"order": {}}), "invalid_payload", "order"
    )
    assert (await gift(client, "SOLD-2"))["balance"] == 0
    assert (await activate(client, "SOLD-2", bought)).status_code == 200
    again = await activate(client, "SOLD-2", bought)
    assert (again.status_code, again.json()["key"]) == (409, "already_activated")
    assert await entries(client, "SOLD-2") == [("CREDITS_ADDITION", 2_500)]
    await card(client, "PLAIN")
    refused(await activate(client, "PLAIN", bought), "invalid_voucher", "ON_SALE")
    canceled = await order(client)
    await client.put(f"/v1/orders/{canceled}", json={"status": "CANCELED"})
    await on_sale_again(client)
    refused(await activate(client, "SOLD-3", canceled), "invalid_order", "canceled")


async def on_sale_again(client: Client) -> None:
    campaigns = (await client.get("/v1/campaigns")).json()["campaigns"]
    made = await client.post(f"/v1/campaigns/{campaigns[0]['id']}/vouchers/SOLD-3", json={})
    assert made.status_code == 200


async def test_open_value_cards_take_what_they_are_sold_for(client: Client, run_jobs: Any) -> None:
    campaign = await on_sale(client, "OPEN-1", amount=0)
    bought = await order(client)
    refused(await activate(client, "OPEN-1", bought), "invalid_amount", "is needed")
    refused(
        await activate(client, "OPEN-1", bought, amount=2_501), "invalid_amount", "2500 that the card costs"
    )
    assert (await activate(client, "OPEN-1", bought, amount=2_400)).json()["amount"] == 2_400
    assert (await gift(client, "OPEN-1"))["balance"] == 2_400
    many = await client.post(f"/v1/campaigns/{campaign['id']}/vouchers?vouchers_count=3", json={})
    assert many.status_code == 202, many.text
    await run_jobs()
    listed = (await client.get(f"/v1/vouchers?campaign_id={campaign['id']}")).json()["vouchers"]
    assert sorted(one["active"] for one in listed) == [False, False, False, True]
    changed = await client.put(f"/v1/campaigns/{campaign['id']}", json={"options": {"cards": None}})
    refused(changed, "invalid_campaign", "options.cards")


async def test_the_return_of_its_line_takes_a_card_back(client: Client) -> None:
    await on_sale(client, "BACK-1", "BACK-2")
    bought = await order(client, 2)
    for code in ("BACK-1", "BACK-2"):
        assert (await activate(client, code, bought)).status_code == 200
    await redeem(client, {"id": "BACK-2", "gift": {"credits": 700}})
    mug = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 1, "quantity": 1}]})
    assert (mug.json()["refund"], mug.json()["cards"]) == (900, [])
    one = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    assert one.status_code == 200, one.text
    ids = {code: (await client.get(f"/v1/vouchers/{code}")).json()["id"] for code in ("BACK-1", "BACK-2")}
    # the one that is still whole
    assert one.json()["cards"] == [
        {"voucher": {"id": ids["BACK-1"], "code": "BACK-1"}, "removed": 2_500, "spent": 0}
    ]
    assert one.json()["refund"] == 2_500
    gone = (await client.get("/v1/vouchers/BACK-1")).json()
    assert (gone["active"], gone["gift"]["balance"]) == (False, 0)
    told = (await client.get("/v1/vouchers/BACK-1/transactions")).json()["data"][0]
    assert (told["type"], told["details"]["balance"]["amount"]) == ("CREDITS_REMOVAL", -2_500)
    rest = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    assert (rest.json()["refund"], rest.json()["withheld"]) == (1_800, 700)
    assert rest.json()["cards"] == [
        {"voucher": {"id": ids["BACK-2"], "code": "BACK-2"}, "removed": 1_800, "spent": 700}
    ]
    listed = (await client.get(f"/v1/orders/{bought}/returns")).json()["data"]
    assert [len(one["cards"]) for one in listed] == [0, 1, 1]


async def test_a_shop_may_refund_what_it_sold_whatever_was_spent(client: Client) -> None:
    await on_sale(client, "WHOLE-1", refund_less_spent=False)
    bought = await order(client)
    await activate(client, "WHOLE-1", bought)
    await redeem(client, {"id": "WHOLE-1", "gift": {"credits": 600}})
    back = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    assert (back.json()["refund"], back.json()["withheld"]) == (2_500, 0)


async def test_what_was_spent_lessens_the_refund(client: Client) -> None:
    await on_sale(client, "LESS-1")
    bought = await order(client)
    await activate(client, "LESS-1", bought)
    spent = await redeem(client, {"id": "LESS-1", "gift": {"credits": 600}})
    back = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    answer = back.json()
    assert (answer["refund"], answer["withheld"], answer["cards"][0]["spent"]) == (1_900, 600, 600)
    assert answer["refund"] == answer["paid_before"] - answer["paid_after"] - answer["withheld"]
    # what was bought with it comes back too: the credits go where they came from, on a card that is switched off
    rolled = await client.post(f"/v1/redemptions/{spent.json()['redemptions'][0]['id']}/rollback", json={})
    assert rolled.status_code == 200
    assert (await gift(client, "LESS-1"))["balance"] == 600


async def test_what_was_spent_of_a_card_lessens_the_credits_that_bought_it(client: Client) -> None:
    await on_sale(client, "LOOP-2")
    await card(client, "LOOP-1", 2_000)
    paid = await redeem(client, {"id": "LOOP-1"}, order={"items": [CARD | {"quantity": 1}]})
    bought = paid.json()["order"]["id"]
    assert paid.json()["order"]["total_amount"] == 500
    await activate(client, "LOOP-2", bought)
    await redeem(client, {"id": "LOOP-2", "gift": {"credits": 800}})
    back = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    answer = back.json()
    assert (answer["refund"], answer["withheld"], answer["cards"][0]["spent"]) == (0, 500, 800)
    (given,) = answer["given_back"]
    assert (given["amount"], given["credits"], given["withheld"]) == (2_000, True, 300)
    assert (await gift(client, "LOOP-1"))["balance"] == 1_700
    assert await entries(client, "LOOP-1") == [
        ("CREDITS_REMOVAL", -300), ("CREDITS_REFUND", 2_000), ("CREDITS_REDEMPTION", -2_000),
        ("CREDITS_ADDITION", 2_000),
    ]  # fmt: skip
    listed = (await client.get(f"/v1/orders/{bought}/returns")).json()["data"]
    assert listed[0]["given_back"] == answer["given_back"]


async def test_a_canceled_order_takes_its_cards_back(client: Client, run_jobs: Any) -> None:
    await on_sale(client, "CANCEL-1", "CANCEL-2", "CANCEL-3")
    bought = await order(client, 2)
    await activate(client, "CANCEL-1", bought)
    await activate(client, "CANCEL-2", bought, line=None)
    await move(client, "CANCEL-2", 300)
    assert (await client.put(f"/v1/orders/{bought}", json={"status": "CANCELED"})).status_code == 200
    await run_jobs()
    assert (await gift(client, "CANCEL-1"))["balance"] == 0
    kept = (await client.get("/v1/vouchers/CANCEL-2")).json()
    assert (kept["active"], kept["gift"]["balance"]) == (True, 300)  # what came from elsewhere stays
    made = await client.post(
        "/v1/vouchers/TENNER", json={"discount": {"type": "AMOUNT", "amount_off": 1_000}}
    )
    assert made.status_code == 200
    paid = await redeem(client, {"id": "TENNER"}, order={"items": [CARD | {"quantity": 1}]})
    await activate(client, "CANCEL-3", paid.json()["order"]["id"])
    await client.post(f"/v1/redemptions/{paid.json()['redemptions'][0]['id']}/rollback", json={})
    assert (await gift(client, "CANCEL-3"))["balance"] == 0
    assert (await client.get("/v1/vouchers/CANCEL-3")).json()["active"] is False


async def test_cash_is_paid_out_and_no_more_than_there_is(client: Client) -> None:
    made = await card(client, "CASH-1", 1_200)
    some = await client.post(
        "/v1/vouchers/CASH-1/cash-out", json={"amount": 500, "reason": "asked for it", "source_id": "till-9"}
    )
    assert some.status_code == 200, some.text
    assert some.json() == {
        "id": some.json()["id"],
        "transaction_type": "CREDITS_CASH_OUT",
        "source_id": "till-9",
        "reason": "asked for it",
        "amount": -500,
        "total": 700,
        "balance": 700,
        "type": "gift_voucher",
        "operation_type": "MANUAL",
        "object": "balance",
        "related_object": {"id": made["id"], "type": "voucher"},
    }
    refused(await client.post("/v1/vouchers/CASH-1/cash-out", json={"amount": 701}), "invalid_amount", "700")
    rest = await client.post("/v1/vouchers/CASH-1/cash-out", json={})
    assert (rest.json()["amount"], rest.json()["balance"]) == (-700, 0)
    refused(await client.post("/v1/vouchers/CASH-1/cash-out", json={}), "invalid_amount", "nothing is left")
    told = (await client.get("/v1/vouchers/CASH-1/transactions")).json()["data"]
    assert [(one["type"], one["account"]) for one in told[:2]] == [("CREDITS_CASH_OUT", "cashed_out")] * 2
    assert await gift(client, "CASH-1") == {
        "amount": 1_200, "subtracted_amount": 1_200, "balance": 0, "effect": "APPLY_TO_ORDER",
    }  # fmt: skip


async def test_what_is_no_money_is_not_paid_out(client: Client) -> None:
    await client.post("/v1/vouchers/TEN", json={"discount": {"type": "PERCENT", "percent_off": 10}})
    refused(await client.post("/v1/vouchers/TEN/cash-out", json={}), "invalid_voucher", "no gift card")
    program = {
        "name": "points",
        "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {"loyalty_card": {"points": 50}},
    }
    made = (await client.post("/v1/campaigns", json=program)).json()
    await client.post(f"/v1/campaigns/{made['id']}/vouchers/POINTS", json={})
    refused(await client.post("/v1/vouchers/POINTS/cash-out", json={}), "invalid_voucher", "no gift card")
    await card(client, "OFF")
    await client.post("/v1/vouchers/OFF/disable")
    refused(await client.post("/v1/vouchers/OFF/cash-out", json={}), "voucher_disabled", "switched off")
    assert (await gift(client, "OFF"))["balance"] == 10_000
    assert (await client.post("/v1/vouchers/NOBODY/cash-out", json={})).status_code == 404


async def test_a_deleted_card_is_off_the_books(client: Client) -> None:
    made = await card(client, "GONE-1", 5_000)
    paid = (await redeem(client, {"id": "GONE-1", "gift": {"credits": 1_000}})).json()["redemptions"][0]
    assert (await client.delete("/v1/vouchers/GONE-1")).status_code == 204
    pool = client.app.state.pool
    books = "select balance, removed, issued, redeemed, refunded from cards where project_id = $1 and id = $2"
    assert tuple(await pool.fetchrow(books, client.project_id, made["id"])) == (0, 4_000, 5_000, 1_000, 0)
    rolled = await client.post(f"/v1/redemptions/{paid['id']}/rollback", json={})
    assert rolled.status_code == 200, rolled.text
    assert tuple(await pool.fetchrow(books, client.project_id, made["id"])) == (
        1_000,
        4_000,
        5_000,
        1_000,
        1_000,
    )


async def test_a_deleted_campaign_takes_its_cards_off_the_books(client: Client, run_jobs: Any) -> None:
    body = {"name": "short", "voucher": {"gift": {"amount": 500}}, "vouchers_count": 3}
    campaign = (await client.post("/v1/campaigns", json=body)).json()
    await run_jobs()
    await client.delete(f"/v1/campaigns/{campaign['id']}")
    await run_jobs()
    pool = client.app.state.pool
    owed = "select sum(balance), sum(removed) from cards where project_id = $1 and campaign_id = $2"
    assert tuple(await pool.fetchrow(owed, client.project_id, campaign["id"])) == (0, 1_500)


async def test_credit_is_spent_in_the_order_that_the_campaign_says(client: Client) -> None:
    body = {
        "name": "oldest first",
        "options": {"spend_order": "OLDEST"},
        "voucher": {"gift": {"amount": 1_000}},
    }
    campaign = (await client.post("/v1/campaigns", json=body)).json()
    await client.post(f"/v1/campaigns/{campaign['id']}/vouchers/OLDEST", json={})
    await card(client, "SOONEST", 1_000)
    for code in ("OLDEST", "SOONEST"):
        await move(client, code, 1_000, expiration_date="2099-01-01")
        assert (await redeem(client, {"id": code, "gift": {"credits": 1_000}})).status_code == 200
        await move(client, code, -400)
    pool = client.app.state.pool
    left = """
        select array_agg(l.remaining order by l.created_at) from card_lots l
        join vouchers v on v.project_id = l.project_id and v.id = l.card_id where v.project_id = $1 and v.code = $2
    """
    assert await pool.fetchval(left, client.project_id, "OLDEST") == [0, 600]
    assert await pool.fetchval(left, client.project_id, "SOONEST") == [600, 0]
    elsewhere = {
        "name": "coupons",
        "options": {"spend_order": "OLDEST"},
        "voucher": {"discount": {"type": "AMOUNT", "amount_off": 5}},
    }
    refused(await client.post("/v1/campaigns", json=elsewhere), "invalid_campaign", "options.spend_order")
