"""Whatever is done with gift cards over HTTP, `guerdon verify` finds the books in order, and the liability is theirs."""

from typing import Any

from guerdon.verify import verify

Client = Any  # tests/api/conftest.py has it


async def spend(client: Client, code: str, amount: int, credits: int | None = None) -> dict[str, Any]:
    card: dict[str, Any] = {"object": "voucher", "id": code}
    if credits is not None:
        card["gift"] = {"credits": credits}
    answer = await client.post("/v1/redemptions", json={"redeemables": [card], "order": {"amount": amount}})
    assert answer.status_code == 200, answer.text
    return answer.json()["redemptions"][0]


async def test_the_books_of_gift_cards_agree(client: Client, database_url: str) -> None:
    for code in ("ONE", "TWO"):
        made = await client.post(
            f"/v1/vouchers/{code}", json={"type": "GIFT_VOUCHER", "gift": {"amount": 5_000}}
        )
        assert made.status_code == 200, made.text
    assert (
        await client.post("/v1/vouchers/ONE/balance", json={"amount": 1_000, "expiration_date": "2050-01-01"})
    ).status_code == 200
    assert (await client.post("/v1/vouchers/TWO/balance", json={"amount": -400})).status_code == 200
    first = await spend(client, "ONE", 2_000, 1_500)
    await spend(client, "ONE", 10_000)
    assert (await client.post(f"/v1/redemptions/{first['id']}/rollback")).status_code == 200
    found = [result for result in await verify(database_url) if not result.holds]
    assert found == []
    owed = (await client.get("/v1/ledger/liability")).json()["data"]
    balances = [
        (await client.get(f"/v1/vouchers/{code}")).json()["gift"]["balance"] for code in ("ONE", "TWO")
    ]
    assert [row["outstanding"] for row in owed] == [sum(balances)]
    lines = (await client.get("/v1/ledger/postings")).json()["data"]
    by_account = {
        account: sum(line["credit"] - line["debit"] for line in lines if line["account"] == account)
        for account in ("issued", "redeemed", "refunded", "removed", "outstanding")
    }
    assert by_account == {
        "issued": -11_000,
        "redeemed": 6_000,
        "refunded": -1_500,
        "removed": 400,
        "outstanding": sum(balances),
    }
