"""Gift cards over HTTP: what they begin with, what is added and taken away, what the books say."""

from typing import Any

import httpx
import pytest

Client = Any  # tests/api/conftest.py has it


async def card(client: Client, code: str, amount: int = 10_000, **fields: Any) -> dict[str, Any]:
    answer = await client.post(
        f"/v1/vouchers/{code}", json={"type": "GIFT_VOUCHER", "gift": {"amount": amount}} | fields
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def move(client: Client, code: str, amount: int, **fields: Any) -> httpx.Response:
    return await client.post(f"/v1/vouchers/{code}/balance", json={"amount": amount} | fields)


async def gift(client: Client, code: str) -> dict[str, Any]:
    return (await client.get(f"/v1/vouchers/{code}")).json()["gift"]


def refused(answer: httpx.Response, key: str, path: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["key"] == key
    assert path in answer.text


async def test_a_gift_card_begins_with_its_amount(client: Client) -> None:
    made = await card(client, "GIFT-1", 10_000)
    assert made["type"] == "GIFT_VOUCHER"
    assert made["discount"] is None and made["loyalty_card"] is None
    assert made["gift"] == {
        "amount": 10_000,
        "subtracted_amount": 0,
        "balance": 10_000,
        "effect": "APPLY_TO_ORDER",
    }
    assert made["redemption"]["quantity"] is None and made["redemption"]["redeemed_amount"] == 0
    assert (await client.get("/v1/vouchers/GIFT-1")).json() == made
    listed = (await client.get("/v1/vouchers")).json()["vouchers"]
    assert listed[0]["gift"] == made["gift"]


async def test_credits_are_added_and_taken_away_and_told(client: Client) -> None:
    made = await card(client, "GIFT-2", 5_000)
    added = await move(client, "GIFT-2", 2_000, source_id="till-7", reason="sorry")
    assert added.status_code == 200
    assert added.json() == {
        "amount": 2_000,
        "total": 7_000,
        "balance": 7_000,
        "type": "gift_voucher",
        "operation_type": "MANUAL",
        "object": "balance",
        "related_object": {"id": made["id"], "type": "voucher"},
    }
    taken = (await move(client, "GIFT-2", -3_000)).json()
    assert (taken["amount"], taken["total"], taken["balance"]) == (-3_000, 4_000, 4_000)
    assert await gift(client, "GIFT-2") == {
        "amount": 7_000, "subtracted_amount": 3_000, "balance": 4_000, "effect": "APPLY_TO_ORDER",
    }  # fmt: skip
    page = (await client.get("/v1/vouchers/GIFT-2/transactions")).json()
    assert [
        (t["type"], t["details"]["balance"]["amount"], t["details"]["balance"]["balance"])
        for t in page["data"]
    ] == [
        ("CREDITS_REMOVAL", -3_000, 4_000),
        ("CREDITS_ADDITION", 2_000, 7_000),
        ("CREDITS_ADDITION", 5_000, 5_000),
    ]
    assert page["data"][1]["source_id"] == "till-7" and page["data"][1]["reason"] == "sorry"
    assert page["data"][1]["source"] == "API"
    behind = await client.get(
        f"/v1/vouchers/GIFT-2/transactions?limit=1&starting_after_id={page['data'][0]['id']}"
    )
    assert [t["id"] for t in behind.json()["data"]] == [page["data"][1]["id"]]


async def test_what_cannot_be_moved_moves_nothing(client: Client) -> None:
    await card(client, "GIFT-3", 1_000)
    refused(await move(client, "GIFT-3", 0), "invalid_amount", "amount")
    refused(await move(client, "GIFT-3", -1_001), "invalid_amount", "1000 to take from")
    refused(await move(client, "GIFT-3", 2**53 - 1), "invalid_amount", "amount")
    refused(
        await move(client, "GIFT-3", 5, expiration_date="2020-01-01"),
        "invalid_expiration_date",
        "expiration_date",
    )
    refused(
        await move(client, "GIFT-3", -5, expiration_date="2050-01-01"), "invalid_payload", "expiration_date"
    )
    assert (await move(client, "GIFT-3", 2**60)).status_code == 400
    assert (await gift(client, "GIFT-3"))["balance"] == 1_000
    assert (await move(client, "NOBODY", 5)).status_code == 404
    assert len((await client.get("/v1/vouchers/GIFT-3/transactions")).json()["data"]) == 1


async def test_a_repeat_with_the_same_key_moves_nothing_again(client: Client) -> None:
    await card(client, "GIFT-4", 1_000)
    key = {"Idempotency-Key": "top-up-1"}
    first = await client.post("/v1/vouchers/GIFT-4/balance", json={"amount": 10}, headers=key)
    again = await client.post("/v1/vouchers/GIFT-4/balance", json={"amount": 10}, headers=key)
    assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
    other = await client.post("/v1/vouchers/GIFT-4/balance", json={"amount": 11}, headers=key)
    assert other.status_code == 422
    assert (await gift(client, "GIFT-4"))["balance"] == 1_010


async def test_a_campaign_makes_cards(client: Client, run_jobs: Any) -> None:
    answer = await client.post(
        "/v1/campaigns",
        json={"name": "cards", "campaign_type": "GIFT_VOUCHERS", "type": "STATIC", "vouchers_count": 20,
              "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 2_500, "effect": "APPLY_TO_ITEMS"}}},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    campaign = answer.json()
    assert campaign["voucher"]["type"] == "GIFT_VOUCHER"
    assert campaign["voucher"]["gift"] == {"amount": 2_500, "effect": "APPLY_TO_ITEMS"}
    await run_jobs()
    made = (await client.get(f"/v1/vouchers?campaign_id={campaign['id']}&limit=100")).json()["vouchers"]
    assert len(made) == 20
    assert {len(one["code"]) for one in made} == {16}
    assert all(one["gift"]["balance"] == 2_500 and one["gift"]["effect"] == "APPLY_TO_ITEMS" for one in made)
    own = await client.post(f"/v1/campaigns/{campaign['id']}/vouchers/OWN", json={"gift": {"amount": 700}})
    assert own.status_code == 200, own.text
    assert own.json()["gift"]["balance"] == 700
    changed = await client.put(f"/v1/campaigns/{campaign['id']}", json={"voucher": {"gift": {"amount": 9}}})
    refused(changed, "invalid_campaign", "voucher.gift.amount")


async def test_kinds_are_not_mixed(client: Client) -> None:
    both = {"gift": {"amount": 5}, "discount": {"type": "PERCENT", "percent_off": 10}}
    refused(
        await client.post("/v1/vouchers/X", json=both | {"type": "GIFT_VOUCHER"}),
        "invalid_payload",
        "discount",
    )
    refused(await client.post("/v1/vouchers/X", json={"type": "GIFT_VOUCHER"}), "invalid_gift", "gift")
    refused(
        await client.post("/v1/vouchers/X", json={"gift": {"amount": -1}}), "invalid_payload", "gift.amount"
    )
    refused(
        await client.post("/v1/vouchers/X", json={"type": "LOYALTY_CARD"}), "invalid_payload", "campaign_id"
    )
    assert (await client.post("/v1/vouchers/D", json={"discount": both["discount"]})).status_code == 200
    refused(await move(client, "D", 5), "invalid_voucher", "discount voucher")


async def test_the_application_cannot_change_the_books(client: Client) -> None:
    await card(client, "GIFT-9")
    pool = client.app.state.pool
    for statement in (
        "update card_entries set amount = 1",
        "delete from card_entries",
        "truncate card_entries",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await pool.execute(statement)


def cart(amount: int = 6_000) -> dict[str, Any]:
    return {"items": [{"source_id": "sku-a", "related_object": "sku", "price": amount, "quantity": 1}]}


async def redeem(client: Client, *redeemables: dict[str, Any], **fields: Any) -> httpx.Response:
    named = [{"object": "voucher"} | one for one in redeemables]
    return await client.post("/v1/redemptions", json={"redeemables": named, "order": cart()} | fields)


async def test_a_card_pays_what_the_order_takes(client: Client) -> None:
    made = await card(client, "PAY-1", 10_000)
    asked = {"redeemables": [{"object": "voucher", "id": "PAY-1"}], "order": cart()}
    looked = (await client.post("/v1/validations", json=asked)).json()
    assert looked["valid"] is True
    assert looked["redeemables"][0]["result"] == {"gift": {"balance": 10_000, "credits": 6_000}}
    assert looked["order"]["total_amount"] == 0
    assert (await gift(client, "PAY-1"))["balance"] == 10_000
    answer = await redeem(client, {"id": "PAY-1"})
    assert answer.status_code == 200, answer.text
    redemption = answer.json()["redemptions"][0]
    assert redemption["amount"] == 6_000 and redemption["gift"] == {"amount": 6_000}
    assert redemption["voucher"]["gift"] == {
        "amount": 10_000, "subtracted_amount": 0, "balance": 4_000, "effect": "APPLY_TO_ORDER",
    }  # fmt: skip
    assert redemption["voucher"]["redemption"]["redeemed_amount"] == 6_000
    assert (await client.get("/v1/vouchers/PAY-1")).json()["gift"]["balance"] == 4_000
    entry = (await client.get("/v1/vouchers/PAY-1/transactions")).json()["data"][0]
    assert (entry["type"], entry["account"]) == ("CREDITS_REDEMPTION", "redeemed")
    assert entry["details"]["balance"] == {
        "type": "gift_voucher", "total": 10_000, "object": "balance", "amount": -6_000, "balance": 4_000,
        "operation_type": "AUTOMATIC", "related_object": {"id": made["id"], "type": "voucher"},
    }  # fmt: skip
    assert entry["details"]["redemption"]["id"] == redemption["id"]
    assert entry["details"]["order"]["id"] == redemption["order"]["id"]
    listed = (await client.get(f"/v1/redemptions/{redemption['id']}")).json()
    assert listed["amount"] == 6_000 and listed["gift"] == {"amount": 6_000}
    assert listed["voucher"]["gift"]["balance"] == 4_000


async def test_credits_asked_for_are_what_is_used(client: Client) -> None:
    await card(client, "PAY-2", 5_000)
    more = await redeem(client, {"id": "PAY-2", "gift": {"credits": 5_001}})
    refused(more, "gift_amount_exceeded", "5000 is left")
    assert (await redeem(client, {"id": "PAY-2", "gift": {"credits": 1_500}})).json()["redemptions"][0][
        "amount"
    ] == 1_500
    # more than the order takes is cut to it
    await move(client, "PAY-2", 10_000)
    assert (await redeem(client, {"id": "PAY-2", "gift": {"credits": 9_000}})).json()["redemptions"][0][
        "amount"
    ] == 6_000
    assert (await gift(client, "PAY-2"))["balance"] == 7_500


async def test_an_empty_card_is_refused(client: Client) -> None:
    await card(client, "PAY-3", 1_000)
    assert (await redeem(client, {"id": "PAY-3"})).status_code == 200
    refused(await redeem(client, {"id": "PAY-3"}), "gift_amount_exceeded", "Nothing is left")


async def test_discounts_and_cards_stand_on_one_order(client: Client) -> None:
    await client.post("/v1/vouchers/TEN", json={"discount": {"type": "PERCENT", "percent_off": 10}})
    await card(client, "PAY-4", 2_000)
    await card(client, "PAY-5", 9_000)
    answer = await redeem(client, {"id": "TEN"}, {"id": "PAY-4"}, {"id": "PAY-5"})
    assert answer.status_code == 200, answer.text
    amounts = [one.get("amount", one.get("discount_amount")) for one in answer.json()["redemptions"]]
    assert sorted(amounts) == [600, 2_000, 3_400]
    assert answer.json()["order"]["total_amount"] == 0
    parent = answer.json()["parent_redemption"]["id"]
    back = await client.post(f"/v1/redemptions/{parent}/rollbacks", json={})
    assert back.status_code == 200, back.text
    assert (await gift(client, "PAY-4"))["balance"] == 2_000
    assert (await gift(client, "PAY-5"))["balance"] == 9_000


async def test_credits_pay_nothing_without_an_order(client: Client) -> None:
    await card(client, "PAY-0")
    asked = {"redeemables": [{"object": "voucher", "id": "PAY-0", "gift": {"credits": 300}}]}
    refused(await client.post("/v1/redemptions", json=asked), "missing_order", "order is required")
    told = (await client.post("/v1/validations", json=asked)).json()
    assert told["redeemables"][0]["result"]["error"]["key"] == "missing_order"
    assert (await gift(client, "PAY-0"))["balance"] == 10_000


async def test_a_part_that_comes_back_goes_onto_the_card(client: Client) -> None:
    await card(client, "PAY-6", 10_000)
    redemption = (await redeem(client, {"id": "PAY-6"})).json()["redemptions"][0]["id"]
    for amount, balance in ((1_000, 5_000), (2_500, 7_500), (2_500, 10_000)):
        answer = await client.post(f"/v1/redemptions/{redemption}/rollback", json={"amount": amount})
        assert answer.status_code == 200, answer.text
        assert answer.json()["amount"] == -amount and answer.json()["gift"] == {"amount": -amount}
        listed = (await client.get(f"/v1/redemptions/{answer.json()['id']}")).json()
        assert listed["gift"] == {"amount": -amount}
        assert (await gift(client, "PAY-6"))["balance"] == balance
    again = await client.post(f"/v1/redemptions/{redemption}/rollback", json={"amount": 1})
    assert again.json()["key"] == "already_rolled_back"
    kinds = [one["type"] for one in (await client.get("/v1/vouchers/PAY-6/transactions")).json()["data"]]
    assert kinds == ["CREDITS_REFUND"] * 3 + ["CREDITS_REDEMPTION", "CREDITS_ADDITION"]


async def test_what_lapses_is_spent_first_and_comes_back_to_where_it_was(client: Client) -> None:
    await card(client, "PAY-7", 5_000)
    assert (await move(client, "PAY-7", 1_000, expiration_date="2090-01-01")).status_code == 200
    redemption = (await redeem(client, {"id": "PAY-7", "gift": {"credits": 1_500}})).json()["redemptions"][0][
        "id"
    ]
    pool = client.app.state.pool

    async def lots() -> list[tuple[int, bool]]:
        rows = await pool.fetch(
            "select remaining, expires_at is not null as lapses from card_lots where project_id = $1 order by created_at",
            client.project_id,
        )
        return [(row["remaining"], row["lapses"]) for row in rows]

    assert await lots() == [(4_500, False), (0, True)]
    await client.post(f"/v1/redemptions/{redemption}/rollback", json={})
    assert await lots() == [(5_000, False), (1_000, True)]


async def test_a_session_holds_credits(client: Client) -> None:
    await card(client, "PAY-8", 10_000)
    session = {"type": "LOCK", "key": "till-1"}
    asked = {"redeemables": [{"object": "voucher", "id": "PAY-8"}], "order": cart()}
    held = await client.post("/v1/validations", json=asked | {"session": session})
    assert held.json()["valid"] is True
    other = (await client.post("/v1/validations", json=asked)).json()
    assert other["redeemables"][0]["result"]["gift"] == {"balance": 4_000, "credits": 4_000}
    refused(
        await redeem(client, {"id": "PAY-8", "gift": {"credits": 4_001}}),
        "gift_amount_exceeded",
        "4000 is left",
    )
    own = await redeem(client, {"id": "PAY-8"}, session=session)
    assert own.json()["redemptions"][0]["amount"] == 6_000
    assert (await redeem(client, {"id": "PAY-8"})).json()["redemptions"][0]["amount"] == 4_000
