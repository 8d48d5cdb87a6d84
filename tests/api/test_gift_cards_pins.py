"""PINs of gift cards over HTTP: told once, kept as a hash, needed to spend, guessed five times at most."""

from datetime import timedelta
from typing import Any

import httpx

from guerdon.ledger import pins

from .test_gift_cards import card, cart, gift, redeem, refused

Client = Any
OLDER = "update card_pin_tries set since = since - $2::interval, locked_until = locked_until - $2::interval where project_id = $1"


async def pinned(client: Client, code: str, pin: Any = "2468", amount: int = 10_000) -> dict[str, Any]:
    return await card(client, code, gift={"amount": amount, "pin": pin})


async def pay(
    client: Client, code: str, pin: str | None = None, credits: int = 100, **more: Any
) -> httpx.Response:
    said: dict[str, Any] = {"credits": credits} | ({} if pin is None else {"pin": pin})
    return await redeem(client, {"id": code, "gift": said}, **more)


async def validate(client: Client, code: str, pin: str | None = None, **more: Any) -> httpx.Response:
    named = {"object": "voucher", "id": code} | ({} if pin is None else {"gift": {"pin": pin}})
    return await client.post("/v1/validations", json={"redeemables": [named], "order": cart()} | more)


async def cash(client: Client, code: str, pin: str | None = None) -> httpx.Response:
    return await client.post(f"/v1/vouchers/{code}/cash-out", json={"amount": 10, "gift": {"pin": pin}})


async def look(client: Client, code: str, pin: str | None = None) -> httpx.Response:
    return await client.post(f"/v1/vouchers/{code}/balance/look-up", json={"gift": {"pin": pin}})


def locked(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["key"]) == (429, "too_many_wrong_pins"), answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 900


async def pass_by(client: Client, minutes: int) -> None:
    """Let the tries be so much older."""
    await client.app.state.pool.execute(OLDER, client.project_id, timedelta(minutes=minutes))


async def test_a_random_pin_is_told_once(client: Client) -> None:
    made = await pinned(client, "PIN-1", True)
    pin = made["gift"]["pin"]
    assert len(pin) == pins.DIGITS and pin.isdigit() and made["gift"]["has_pin"] is True
    read = (await client.get("/v1/vouchers/PIN-1")).json()["gift"]
    assert read == {name: value for name, value in made["gift"].items() if name != "pin"}
    assert (await pay(client, "PIN-1", pin)).status_code == 200
    pool = client.app.state.pool
    for table in ("card_pins", "voucher_terms", "events", "vouchers", "cards"):
        rows = await pool.fetch(
            f"select t::text as row from {table} t where project_id = $1", client.project_id
        )
        assert not any(pin in row["row"] for row in rows if table != "events"), table
    told = await pool.fetch("select data::text as data from events where project_id = $1", client.project_id)
    assert not any(f'"{pin}"' in (row["data"] or "") for row in told)


async def test_a_repeat_is_not_told_the_pin_again(client: Client) -> None:
    key = {"Idempotency-Key": "pin-once"}
    body = {"type": "GIFT_VOUCHER", "gift": {"amount": 50, "pin": True}}
    first = await client.post("/v1/vouchers/PIN-2", json=body, headers=key)
    again = await client.post("/v1/vouchers/PIN-2", json=body, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    pin = first.json()["gift"]["pin"]
    assert again.json()["gift"]["pin"] is None
    assert again.content == first.content.replace(f'"{pin}"'.encode(), b"null")


async def test_a_pin_of_ones_own_is_not_told_at_all(client: Client) -> None:
    made = await pinned(client, "PIN-3", "123456789012")
    assert "pin" not in made["gift"] and made["gift"]["has_pin"] is True
    assert (await pay(client, "PIN-3", "123456789012")).status_code == 200
    for wrong in ("123", "1234567890123", "12a4", "", 1234):
        answer = await client.post("/v1/vouchers/NEW", json={"gift": {"amount": 5, "pin": wrong}})
        refused(answer, "invalid_payload", "gift.pin")
    assert "has_pin" not in (await card(client, "NONE", gift={"amount": 5, "pin": False}))["gift"]
    changed = await client.put("/v1/vouchers/PIN-3", json={"gift": {"amount": 10_000, "pin": "9999"}})
    refused(changed, "invalid_payload", "gift.pin")
    many = {"name": "m", "voucher": {"gift": {"amount": 5, "pin": True}}}
    refused(await client.post("/v1/campaigns", json=many), "invalid_payload", "voucher.gift.pin")


async def test_without_its_pin_a_card_does_nothing(client: Client) -> None:
    await pinned(client, "PIN-4")
    for ask in (pay, validate, cash, look):
        refused(await ask(client, "PIN-4"), "invalid_pin", "PIN")
        refused(await ask(client, "PIN-4", "1111"), "invalid_pin", "do not belong together")
        right = await ask(client, "PIN-4", "2468")
        assert right.status_code == 200, right.text
    assert (await look(client, "PIN-4", "2468")).json()["balance"] == 10_000 - 100 - 10
    # what the shop does by itself asks for no PIN
    assert (await client.post("/v1/vouchers/PIN-4/balance", json={"amount": 110})).status_code == 200
    hypothetical = await validate(client, "PIN-4", "2468", at="2030-01-01")
    refused(hypothetical, "invalid_payload", "redeemables[0].gift.pin")
    held = await validate(client, "PIN-4", "2468", session={"type": "LOCK"})
    assert held.status_code == 200 and held.json()["valid"] is True


async def test_five_wrong_pins_lock_a_card_for_a_quarter_of_an_hour(client: Client) -> None:
    await pinned(client, "PIN-5")
    asks = [pay, validate, cash, look, pay]
    for ask in asks:
        refused(await ask(client, "PIN-5", "0000"), "invalid_pin", "do not belong together")
    for ask in asks:
        locked(await ask(client, "PIN-5", "2468"))
    refused(await pay(client, "PIN-5"), "invalid_pin", "send it")
    await pass_by(client, 14)
    locked(await pay(client, "PIN-5", "2468"))
    await pass_by(client, 2)
    assert (await pay(client, "PIN-5", "2468")).status_code == 200
    assert (await gift(client, "PIN-5"))["balance"] == 9_900


async def test_misses_are_forgotten_in_time_and_by_the_right_pin(client: Client) -> None:
    await pinned(client, "PIN-6")
    for _ in range(4):
        await look(client, "PIN-6", "0000")
    assert (await look(client, "PIN-6", "2468")).status_code == 200
    for _ in range(4):
        await look(client, "PIN-6", "0000")
    await pass_by(client, 16)
    for _ in range(4):
        refused(await look(client, "PIN-6", "0000"), "invalid_pin", "together")
    assert (await look(client, "PIN-6", "2468")).status_code == 200


def told(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    kept = {
        name: value
        for name, value in answer.json().items()
        if name not in ("request_id", "instance", "resource_id", "redeemable_id")
    }
    return answer.status_code, kept


async def test_a_wrong_pin_looks_like_a_wrong_card(client: Client) -> None:
    await pinned(client, "PIN-7")
    for ask in (pay, validate, cash, look, pay, pay):
        there, nowhere = await ask(client, "PIN-7", "0000"), await ask(client, "NO-SUCH", "0000")
        if there.status_code == 429:
            locked(there)
            locked(nowhere)
        else:
            assert told(there) == told(nowhere)
            assert there.json()["key"] == "invalid_pin"
    assert (await pay(client, "NO-SUCH")).status_code == 404


async def test_a_repeat_of_a_wrong_pin_is_not_counted_again(client: Client) -> None:
    await pinned(client, "PIN-8")
    body = {"redeemables": [{"object": "voucher", "id": "PIN-8", "gift": {"pin": "0000"}}], "order": cart()}
    for _ in range(7):
        answer = await client.post("/v1/redemptions", json=body, headers={"Idempotency-Key": "same"})
        refused(answer, "invalid_pin", "together")
    assert (await pay(client, "PIN-8", "2468")).status_code == 200


async def test_a_pin_is_changed_and_dropped(client: Client) -> None:
    await pinned(client, "PIN-9")
    drawn = await client.put("/v1/vouchers/PIN-9/pin", json={"pin": True})
    assert drawn.status_code == 200 and len(drawn.json()["pin"]) == pins.DIGITS
    refused(await look(client, "PIN-9", "2468"), "invalid_pin", "together")
    assert (await look(client, "PIN-9", drawn.json()["pin"])).status_code == 200
    own = (await client.put("/v1/vouchers/PIN-9/pin", json={"pin": "1357"})).json()
    assert (own["has_pin"], own["pin"]) == (True, None)
    assert (await pay(client, "PIN-9", "1357")).status_code == 200
    none = (await client.put("/v1/vouchers/PIN-9/pin", json={"pin": None})).json()
    assert none["has_pin"] is False
    assert (await pay(client, "PIN-9")).status_code == 200
    refused(await client.put("/v1/vouchers/PIN-9/pin", json={}), "invalid_payload", "pin")
    await client.post("/v1/vouchers/TEN", json={"discount": {"type": "PERCENT", "percent_off": 10}})
    refused(await client.put("/v1/vouchers/TEN/pin", json={"pin": True}), "invalid_voucher", "no gift card")
