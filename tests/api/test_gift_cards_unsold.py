"""Gift cards that nobody bought, or whose purchase came back, over HTTP: no way leads to paying with them."""

import csv
import io
from typing import Any

import pytest

from .test_gift_cards import gift, move, redeem, refused
from .test_gift_cards_sold import CARD, MUG, activate, entries, on_sale, order

Client = Any
UNSOLD = "voucher_disabled"


async def imported(client: Client, run_jobs: Any, path: str, rows: list[dict[str, Any]]) -> list[list[str]]:
    """The report of an import."""
    begun = await client.post(path, json=rows)
    assert begun.status_code == 202, begun.text
    await run_jobs()
    report = await client.get(f"/v1/async-actions/{begun.json()['async_action_id']}/report")
    return list(csv.reader(io.StringIO(report.text)))[1:]


async def test_nothing_comes_onto_a_card_that_nobody_bought(client: Client) -> None:
    await on_sale(client, "IDLE-1")
    refused(await move(client, "IDLE-1", 100), UNSOLD, "never sold")
    refused(await move(client, "IDLE-1", -100), UNSOLD, "never sold")
    refused(await client.post("/v1/vouchers/IDLE-1/cash-out", json={}), UNSOLD, "")
    assert await entries(client, "IDLE-1") == []
    assert (await activate(client, "IDLE-1", await order(client))).status_code == 200
    assert (await move(client, "IDLE-1", 100)).status_code == 200
    assert (await gift(client, "IDLE-1"))["balance"] == 2_600


async def test_a_card_that_nobody_bought_is_not_switched_on(client: Client, run_jobs: Any) -> None:
    campaign = await on_sale(client, "IDLE-2")
    refused(await client.post("/v1/vouchers/IDLE-2/enable"), UNSOLD, "never sold")
    refused(await client.put("/v1/vouchers/IDLE-2", json={"active": True}), UNSOLD, "never sold")
    await client.post("/v1/customers", json={"source_id": "ada"})
    given = {"customer": {"source_id": "ada"}, "voucher": "IDLE-2"}
    published = await client.post("/v1/publications", json=given)
    assert published.status_code == 400 and "switched off" in published.text
    made = await client.post(f"/v1/campaigns/{campaign['id']}/vouchers/IDLE-3", json={"active": True})
    refused(made, UNSOLD, "never sold")
    assert (await client.get("/v1/vouchers/IDLE-3")).status_code == 404
    rows = [{"code": "IDLE-2", "active": True}, {"code": "IDLE-4", "active": True}, {"code": "IDLE-5"}]
    for path in (f"/v1/campaigns/{campaign['id']}/import", "/v1/vouchers/import"):
        report = await imported(client, run_jobs, path, rows[:2])
        assert [row[2] for row in report] in (["failed", "failed"], ["failed", "created"]), report
        assert "never sold" in report[0][3]
        refused(await redeem(client, {"id": "IDLE-2"}), UNSOLD, "never sold")
    assert [row[2] for row in await imported(client, run_jobs, path, [rows[0] | {"active": False}])] == [
        "updated"
    ]


async def test_every_question_about_an_unsold_card_is_answered_alike(client: Client) -> None:
    await on_sale(client, "IDLE-6")
    pool = client.app.state.pool
    made = (await client.get("/v1/vouchers/IDLE-6")).json()
    # However it came about that it is switched on and holds something: a sale is missing.
    await pool.execute("update vouchers set active = true where id = $1", made["id"])
    asked = {"redeemables": [{"object": "voucher", "id": "IDLE-6"}], "order": {"amount": 900}}
    refused(await redeem(client, {"id": "IDLE-6"}), UNSOLD, "never sold")
    validated = (await client.post("/v1/validations", json=asked)).json()
    assert validated["valid"] is False
    assert validated["redeemables"][0]["result"]["error"]["key"] == UNSOLD
    customer = (await client.post("/v1/customers", json={"source_id": "ada"})).json()
    await pool.execute("update vouchers set holder_id = $2 where id = $1", made["id"], customer["id"])
    for scenario in ("ALL", "CUSTOMER_WALLET"):
        found = await client.post(
            "/v1/qualifications",
            json={"customer": {"source_id": "ada"}, "scenario": scenario, "order": {"amount": 900}},
        )
        assert found.status_code == 200 and found.json()["redeemables"]["data"] == [], scenario


async def test_a_card_whose_purchase_came_back_is_dead(client: Client) -> None:
    await on_sale(client, "IDLE-7")
    bought = await order(client)
    await activate(client, "IDLE-7", bought)
    spent = await redeem(client, {"id": "IDLE-7", "gift": {"credits": 600}})
    back = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    assert back.status_code == 200, back.text
    refused(await move(client, "IDLE-7", 100), UNSOLD, "came back")
    refused(await client.post("/v1/vouchers/IDLE-7/enable"), UNSOLD, "came back")
    assert (await activate(client, "IDLE-7", bought)).status_code == 409
    # What was bought with it comes back too: that is the holder's, once the shop switches the card on.
    rolled = await client.post(f"/v1/redemptions/{spent.json()['redemptions'][0]['id']}/rollback", json={})
    assert rolled.status_code == 200, rolled.text
    refused(await redeem(client, {"id": "IDLE-7"}), UNSOLD, "")
    assert (await client.post("/v1/vouchers/IDLE-7/enable")).json()["active"] is True
    assert (await redeem(client, {"id": "IDLE-7"})).json()["redemptions"][0]["amount"] == 600


async def test_what_came_from_elsewhere_goes_on_paying(client: Client, run_jobs: Any) -> None:
    await on_sale(client, "IDLE-8")
    bought = await order(client)
    await activate(client, "IDLE-8", bought)
    await move(client, "IDLE-8", 300)
    await client.put(f"/v1/orders/{bought}", json={"status": "CANCELED"})
    await run_jobs()
    assert (await move(client, "IDLE-8", 50)).status_code == 200
    assert (await redeem(client, {"id": "IDLE-8"})).json()["redemptions"][0]["amount"] == 350


async def test_an_order_sells_no_more_cards_than_it_has_goods(client: Client) -> None:
    codes = [f"UNIT-{place}" for place in range(5)]
    await on_sale(client, *codes)
    bought = await order(client, 2)  # two cards and a mug
    for code in codes[:2]:
        assert (await activate(client, code, bought)).status_code == 200
    refused(await activate(client, codes[2], bought), "invalid_order", "line 0")
    assert (await gift(client, codes[2]))["balance"] == 0
    assert (await activate(client, codes[0], bought)).status_code == 409
    assert (await activate(client, codes[3], bought, line=None)).status_code == 200
    refused(await activate(client, codes[4], bought, line=None), "invalid_order", "the order")
    back = await client.post(f"/v1/orders/{bought}/returns", json={"items": [{"index": 0, "quantity": 1}]})
    assert back.status_code == 200, back.text
    refused(await activate(client, codes[2], bought), "invalid_order", "line 0")


async def test_a_campaign_of_cards_on_sale_gives_none_away(client: Client) -> None:
    campaign = await on_sale(client, "GIVEN-1", "GIVEN-2")
    await activate(client, "GIVEN-1", await order(client))
    for named in ({"campaign": {"name": campaign["name"]}}, {"voucher": "GIVEN-2"}):
        given = await client.post("/v1/publications", json=named | {"customer": {"source_id": "ada"}})
        assert given.status_code == 400, given.text
    given = await client.post(
        "/v1/publications", json={"voucher": "GIVEN-1", "customer": {"source_id": "ada"}}
    )
    assert given.json()["result"] == "SUCCESS"
    auto = {"name": "made when needed", "campaign_type": "GIFT_VOUCHERS", "type": "AUTO_UPDATE",
            "options": {"cards": "ON_SALE"}, "voucher": {"gift": {"amount": 500}}}  # fmt: skip
    assert (await client.post("/v1/campaigns", json=auto)).status_code == 200
    asked = {"campaign": {"name": auto["name"]}, "customer": {"source_id": "ada"}}
    refused(await client.post("/v1/publications", json=asked), "no_voucher_suitable_for_publication", "sold")


async def test_what_was_taken_off_by_hand_was_not_spent(client: Client) -> None:
    await on_sale(client, "HAND-1", "HAND-2", refund_less_spent=True)
    for code, rid in (("HAND-1", False), ("HAND-2", True)):
        bought = await order(client)
        await activate(client, code, bought)
        await redeem(client, {"id": code, "gift": {"credits": 400}})
        if rid:
            assert (await client.delete(f"/v1/vouchers/{code}")).status_code == 204
        else:
            assert (await move(client, code, -100)).status_code == 200
            await client.post(f"/v1/vouchers/{code}/cash-out", json={"amount": 50})
        goods = {"items": [{"index": 0, "quantity": 1}]}
        back = (await client.post(f"/v1/orders/{bought}/returns", json=goods)).json()
        spent = 400 if rid else 450
        assert (back["withheld"], back["refund"]) == (spent, 2_500 - spent)
        assert (back["cards"][0]["removed"], back["cards"][0]["spent"]) == (0 if rid else 1_950, spent)


async def test_a_line_that_sold_cards_stays(client: Client) -> None:
    await on_sale(client, "LINE-1")
    bought = await order(client, 2)
    await activate(client, "LINE-1", bought)
    path = f"/v1/orders/{bought}"
    for items in ([MUG], [MUG, CARD], []):
        refused(await client.put(path, json={"items": items}), "invalid_order", "Line 0 sold gift cards (1)")
    fewer = await client.put(path, json={"items": [CARD | {"quantity": 1}, MUG | {"price": 950}]})
    assert fewer.status_code == 200, fewer.text
    back = await client.post(f"{path}/returns", json={"items": [{"index": 1, "quantity": 1}]})
    assert (back.json()["cards"], back.json()["refund"]) == ([], 950)
    assert (await client.put(path, json={"items": [MUG], "status": "CANCELED"})).status_code == 200


async def test_an_order_that_is_not_paid_sells_no_card(client: Client) -> None:
    await on_sale(client, "OWED-1")
    made = await client.post("/v1/orders", json={"amount": 2_500})
    bought = made.json()["id"]
    refused(await activate(client, "OWED-1", bought, line=None), "invalid_order", "not paid")
    assert (await client.put(f"/v1/orders/{bought}", json={"status": "PAID"})).status_code == 200
    assert (await activate(client, "OWED-1", bought, line=None)).status_code == 200


@pytest.mark.parametrize("change", ["update cards set sale = null", "update cards set sale = 'SOLD'"])
async def test_verify_names_a_card_that_says_it_was_sold(client: Client, change: str) -> None:
    from guerdon.loyalty.invariants import INVARIANTS

    await on_sale(client, "IDLE-9")
    made = (await client.get("/v1/vouchers/IDLE-9")).json()
    (law,) = [one for one in INVARIANTS if one.name == "card-sales"]
    pool = client.app.state.pool
    assert await pool.fetch(law.sql, client.project_id) == []
    await pool.execute(change + " where project_id = $1 and id = $2", client.project_id, made["id"])
    assert [row["id"] for row in await pool.fetch(law.sql, client.project_id)] == [made["id"]]
