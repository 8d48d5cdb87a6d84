"""Several cards on one order, in the order that the stacking rules say, beside discounts and the best of them."""

from typing import Any

from .test_gift_cards import card, cart, move

Client = Any


async def pay(client: Client, *codes: str, **more: Any) -> Any:
    named = [{"object": "voucher", "id": code} for code in codes]
    return await client.post("/v1/redemptions", json={"redeemables": named, "order": cart(10_000)} | more)


async def tenth(client: Client, code: str) -> None:
    made = await client.post(
        f"/v1/vouchers/{code}", json={"discount": {"type": "PERCENT", "percent_off": 10}}
    )
    assert made.status_code == 200


async def rules(manager: Any, **said: Any) -> None:
    answer = await manager.post("/stacking-rules", json=said)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in said} == said


async def test_the_card_that_lapses_first_pays_first(client: Client, manager: Any) -> None:
    await rules(manager, cards_sorting_rule="SOONEST_EXPIRING", cards_always_last=True)
    await card(client, "LASTING", 9_000)
    await card(client, "LAPSING", 2_000)
    await move(client, "LAPSING", 1_000, expiration_date="2099-01-01")
    await tenth(client, "TENTH")
    answer = await pay(client, "LASTING", "LAPSING", "TENTH")
    assert [(one["voucher"]["code"], one.get("amount")) for one in answer.json()["redemptions"]] == [
        ("TENTH", None),
        ("LAPSING", 3_000),
        ("LASTING", 6_000),
    ]
    assert answer.json()["order"]["total_amount"] == 0
    parent = answer.json()["parent_redemption"]["id"]
    back = await client.post(f"/v1/redemptions/{parent}/rollbacks", json={})
    assert back.status_code == 200
    for code, whole in (("LASTING", 9_000), ("LAPSING", 3_000)):
        assert (await client.get(f"/v1/vouchers/{code}")).json()["gift"]["balance"] == whole


async def test_the_best_deal_leaves_cards_what_is_left(client: Client, manager: Any) -> None:
    await rules(manager, redeemables_sorting_rule="BEST_DEAL", margin_floor_percent=80)
    await card(client, "BIG", 50_000)
    await tenth(client, "TENTH")
    await client.post("/v1/vouchers/FIVER", json={"discount": {"type": "AMOUNT", "amount_off": 500}})
    asked: dict[str, Any] = {
        "redeemables": [{"object": "voucher", "id": code} for code in ("BIG", "FIVER", "TENTH")]
    }
    asked["options"] = {"explain": True}
    told = (await client.post("/v1/validations", json=asked | {"order": cart(10_000)})).json()
    assert told["valid"] is True
    assert (told["certificate"]["best_total"], told["certificate"]["exact"]) == (1_500, True)
    assert [one["id"] for one in told["redeemables"]] == ["TENTH", "FIVER", "BIG"]
    assert told["redeemables"][-1]["result"]["gift"]["credits"] == 8_500
    made = await pay(client, "BIG", "FIVER", "TENTH")
    assert [one["voucher"]["code"] for one in made.json()["redemptions"]] == ["TENTH", "FIVER", "BIG"]
    assert (await client.get("/v1/vouchers/BIG")).json()["gift"]["balance"] == 41_500


async def test_rules_about_cards_are_checked(manager: Any) -> None:
    for said in ({"cards_sorting_rule": "RANDOM"}, {"cards_always_last": "yes"}):
        answer = await manager.post("/stacking-rules", json=said)
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
