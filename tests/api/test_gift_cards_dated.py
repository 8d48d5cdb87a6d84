"""Gift cards and loyalty cards whose end has passed before they are made, over HTTP; and what `total` tells."""

import csv
import io
from typing import Any

from .test_gift_cards import card, gift, move, redeem, refused
from .test_gift_cards_sold import activate, on_sale, order
from .test_loyalty_earning import buy, give_back
from .test_loyalty_v1 import LOYALTIES, club, join, ok, per_order

Client = Any
OVER, KEY = "2020-01-01", "invalid_expiration_date"
CARDS = {"type": "GIFT_VOUCHER", "gift": {"amount": 1_000}}


async def test_a_card_that_would_be_over_is_not_made(client: Client) -> None:
    for code, body in (
        ("D-1", CARDS | {"expiration_date": OVER}),
        ("D-1", CARDS | {"expiration_date": OVER + "T10:00:00Z"}),
    ):
        refused(await client.post(f"/v1/vouchers/{code}", json=body), KEY, "expiration_date")
        assert (await client.get(f"/v1/vouchers/{code}")).status_code == 404
    coupon = {"discount": {"type": "PERCENT", "percent_off": 10}, "expiration_date": OVER}
    assert (await client.post("/v1/vouchers/OLD", json=coupon)).status_code == 200
    assert (await card(client, "D-2", expiration_date="2099-01-01"))["expiration_date"]
    # An edit may end a card: it then pays nothing more.
    assert (await client.put("/v1/vouchers/D-2", json={"expiration_date": OVER})).status_code == 200
    refused(await redeem(client, {"id": "D-2"}), "voucher_expired", "")


async def test_a_campaign_of_cards_that_would_be_over_is_not_made(client: Client, run_jobs: Any) -> None:
    body = {"name": "over", "campaign_type": "GIFT_VOUCHERS", "type": "STATIC", "voucher": CARDS}
    refused(await client.post("/v1/campaigns", json=body | {"expiration_date": OVER}), KEY, "expiration_date")
    points = {"name": "club", "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 5}}}
    refused(await client.post(LOYALTIES, json=points | {"expiration_date": OVER}), KEY, "expiration_date")
    coupons = {
        "name": "old",
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}},
        "expiration_date": OVER,
    }
    assert (await client.post("/v1/campaigns", json=coupons)).status_code == 200
    made = (await client.post("/v1/campaigns", json=body)).json()
    path = f"/v1/campaigns/{made['id']}/vouchers"
    for own in (path, path + "/D-3", path + "?vouchers_count=3"):
        refused(await client.post(own, json={"expiration_date": OVER}), KEY, "expiration_date")
    assert (
        await client.put(f"/v1/campaigns/{made['id']}", json={"expiration_date": OVER})
    ).status_code == 200
    for own in (path, path + "/D-3", path + "?vouchers_count=3"):
        refused(await client.post(own, json={}), KEY, "expiration_date")
    assert (await client.post(path + "/D-3", json={"expiration_date": "2099-01-01"})).status_code == 200
    await run_jobs()
    assert (await client.get(f"/v1/vouchers?campaign_id={made['id']}")).json()["total"] == 1


async def test_a_card_that_is_over_is_not_sold(client: Client) -> None:
    campaign = await on_sale(client, "D-4")
    await client.put(f"/v1/campaigns/{campaign['id']}", json={"expiration_date": OVER})
    bought = await order(client)
    refused(await activate(client, "D-4", bought), "voucher_expired", "2020-01-01")
    assert (await gift(client, "D-4"))["balance"] == 0
    await client.put(f"/v1/campaigns/{campaign['id']}", json={"expiration_date": None})
    assert (await activate(client, "D-4", bought)).status_code == 200


async def test_an_import_refuses_the_rows_of_cards_that_are_over(client: Client, run_jobs: Any) -> None:
    rows = "Code,Voucher Type,Gift Amount,Discount Type,Value,Expiration Date\n"
    rows += f"D-5,GIFT_VOUCHER,500,,,{OVER}\nD-6,GIFT_VOUCHER,500,,,2099-01-01\nD-7,DISCOUNT_VOUCHER,,PERCENT,5,{OVER}\n"
    for status in ("created", "updated"):
        begun = await client.post("/v1/vouchers/importCSV", files={"file": ("cards.csv", rows.encode())})
        assert begun.status_code == 202, begun.text
        await run_jobs()
        text = (await client.get(f"/v1/async-actions/{begun.json()['async_action_id']}/report")).text
        report = list(csv.reader(io.StringIO(text)))[1:]
        assert [row[2] for row in report] == ["failed", status, status]
        assert report[0][3].startswith("expiration_date: has passed already")
    # A row about a card that is there is an edit.
    begun = await client.post("/v1/vouchers/import", json=[{"code": "D-6", "expiration_date": OVER}])
    await run_jobs()
    assert (await client.get("/v1/vouchers/D-6")).json()["expiration_date"].startswith(OVER)


async def test_a_look_up_says_what_can_be_spent(client: Client) -> None:
    async def seen() -> tuple[int, int]:
        told = (await client.post("/v1/vouchers/D-9/balance/look-up", json={})).json()
        return told["balance"], told["available"]

    await card(client, "D-9", 500)
    assert (await move(client, "D-9", 1_000, expiration_date="2090-01-01")).status_code == 200
    assert await seen() == (1_500, 1_500)
    lapsed = "update card_lots set expires_at = now() where project_id = $1 and expires_at is not null"
    await client.app.state.pool.execute(lapsed, client.project_id)
    assert await seen() == (500, 500), "what lapsed is not shown, though no night has taken it off yet"
    assert (await client.get("/v1/vouchers/D-9")).json()["gift"]["balance"] == 500
    await client.post("/v1/vouchers/D-9/disable")
    assert await seen() == (500, 0)
    await client.post("/v1/vouchers/D-9/enable")
    await client.put("/v1/vouchers/D-9", json={"expiration_date": OVER})
    assert await seen() == (500, 0)


async def test_total_is_what_would_be_there_had_nothing_been_redeemed(client: Client) -> None:
    await card(client, "D-8", 1_000)
    assert (await move(client, "D-8", 500)).json()["total"] == 1_500
    await redeem(client, {"id": "D-8", "gift": {"credits": 400}})
    taken = (await move(client, "D-8", -100)).json()
    assert (taken["total"], taken["balance"]) == (1_400, 1_000)
    paid = (await client.post("/v1/vouchers/D-8/cash-out", json={"amount": 50})).json()
    assert (paid["total"], paid["balance"]) == (1_350, 950)
    told = (await client.get("/v1/vouchers/D-8/transactions")).json()["data"]
    assert [one["details"]["balance"]["total"] for one in told] == [1_350, 1_400, 1_500, 1_500, 1_000]


async def test_total_is_never_below_zero(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order(), card={"points": 0, "clawback": "DEBT"})
    ada, bob = await join(client, made["id"]), await join(client, made["id"], "bob")
    bought = await buy(client, 3_000)
    await run_jobs()
    gifts = [{"code": ada["code"], "points": 30, "source_id": "all"}]
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/members/{bob['code']}/transfers", gifts)
    await give_back(client, bought, 3_000)
    await run_jobs()
    path = f"{LOYALTIES}/members/{ada['code']}"
    assert (await ok(client, "GET", path))["loyalty_card"]["balance"] == -30
    more = await ok(client, "POST", f"{path}/balance", {"points": 10})
    assert (more["points"], more["total"], more["balance"]) == (10, 0, -20)
    waiting = per_order(pending_points={"period_type": "DAY", "period_value": 5})
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/earning-rules", [waiting])
    await buy(client, 500)
    await run_jobs()
    (held,) = (await ok(client, "GET", f"{path}/pending-points"))["data"]
    activated = await ok(client, "POST", f"{path}/pending-points/{held['id']}/activate")
    assert activated["total"] == 0 and activated["points"] == 5
    moved = (await ok(client, "GET", f"{path}/transactions?limit=50"))["data"]
    assert min(one["details"]["balance"]["total"] for one in moved) == 0
    assert max(one["details"]["balance"]["total"] for one in moved) == 30
