"""Idempotency-Key: one effect and one answer, byte for byte, whatever comes between the tries."""

import asyncio
from typing import Any

import pytest

from guerdon.app import create_app
from guerdon.kit import db
from guerdon.projects.bootstrap import add_key
from guerdon.settings import Settings

from .checkout import ask, code, everything, post, read, used
from .conftest import client_for

BASKET = {"items": [{"source_id": "shirt", "quantity": 2, "price": 5_000}], "source_id": "cart"}


async def send(client: Any, path: str, body: Any, key: str, method: str = "POST") -> Any:
    return await client.request(method, path, json=body, headers={"Idempotency-Key": key})


def is_replay(answer: Any, of: Any) -> bool:
    """Whether an answer is another one again: status, bytes, and the header that says so."""
    return (answer.status_code, answer.content, answer.headers.get("Idempotent-Replayed")) == (
        of.status_code, of.content, "true",
    )  # fmt: skip


async def requests(client: Any) -> list[tuple[str, str, Any]]:
    """A write of every sort: hot and ordinary, redeeming and taking back, one code and a stack."""
    one, two = await code(client), await code(client)
    first = await post(client, "/v1/redemptions", ask(one))
    stack = await post(client, "/v1/redemptions", ask(one, two))
    return [
        ("POST", "/v1/redemptions", ask(one, order=BASKET, customer={"source_id": "alice"})),
        ("POST", "/v1/redemptions", ask(one, two, order=BASKET)),
        ("POST", "/v1/redemptions", ask(one, amount=None, options={"explain": True})),
        ("POST", f"/v1/redemptions/{first['redemptions'][0]['id']}/rollback", {"reason": "ripped"}),
        ("POST", f"/v1/redemptions/{stack['parent_redemption']['id']}/rollbacks", {"amount": 5}),
        ("POST", "/v1/vouchers", {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 5}}),
        ("PUT", f"/v1/vouchers/{one}", {"metadata": {"a": 1}}),
        ("DELETE", f"/v1/vouchers/{two}", None),
        ("POST", "/v1/campaigns", {
            "name": "Keys", "type": "STATIC",
            "voucher": {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 5}},
        }),
        ("POST", "/v1/customers", {"name": "No ids"}),
        ("POST", "/v1/orders", {"amount": 5}),
        ("POST", "/v1/products", {"name": "No ids"}),
    ]  # fmt: skip


async def test_a_repeat_has_no_effect_and_the_same_answer(client: Any, pool: db.Pool) -> None:
    for number, (method, path, body) in enumerate(await requests(client)):
        first = await send(client, path, body, f"key-{number}", method)
        assert first.status_code < 300 and "Idempotent-Replayed" not in first.headers, (path, first.text)
        before = await everything(pool, client.project_id)
        assert is_replay(await send(client, path, body, f"key-{number}", method), first), path
        assert await everything(pool, client.project_id) == before, path


async def test_after_a_restart_and_with_another_key_of_the_project(client: Any, database_url: str) -> None:
    sent = [
        (m, p, b, await send(client, p, b, f"k{n}", m)) for n, (m, p, b) in enumerate(await requests(client))
    ]
    fresh = create_app(Settings(database_url=database_url, pool_size=2))
    await fresh.start()
    try:
        assert fresh.state is not None
        rotated = await add_key(fresh.state.pool, client.project_id)
        async with client_for(fresh, rotated) as other:
            for number, (method, path, body, first) in enumerate(sent):
                assert is_replay(await send(other, path, body, f"k{number}", method), first), path
    finally:
        await fresh.stop()


async def test_the_answer_stays_whatever_becomes_of_the_things_in_it(client: Any) -> None:
    name = await code(client)
    body = ask(name, order=BASKET, customer={"source_id": "bob", "name": "Bob"})
    first = await send(client, "/v1/redemptions", body, "stays")
    await client.put("/v1/orders/cart", json={"items": [{"source_id": "hat", "price": 9_000}]})
    await client.put("/v1/customers/bob", json={"name": "Robert"})
    await client.post(f"/v1/redemptions/{first.json()['redemptions'][0]['id']}/rollback", json={})
    await client.delete(f"/v1/vouchers/{name}?force=true")
    assert is_replay(await send(client, "/v1/redemptions", body, "stays"), first)


async def test_the_body_is_compared_by_meaning_not_by_spelling(client: Any) -> None:
    name = await code(client)
    headers = {"Idempotency-Key": "spelling", "Content-Type": "application/json"}
    first = await client.post("/v1/redemptions", headers=headers, content=(
        f'{{"redeemables":[{{"object":"voucher","id":"{name}"}}],"order":{{"amount":10000}}}}'
    ))  # fmt: skip
    again = await client.post("/v1/redemptions", headers=headers, content=(
        f'{{ "order": {{"amount" : 10000}},\n "redeemables" : [{{"id":"{name}" , "object":"voucher"}}] }}'
    ))  # fmt: skip
    assert first.status_code == 200 and is_replay(again, first), again.text
    assert await used(client, name) == 1


@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/orders"])
async def test_another_payload_with_the_same_key(client: Any, pool: db.Pool, path: str) -> None:
    name = await code(client)
    assert (await send(client, path, ask(name), "reused")).status_code == 200
    before = await everything(pool, client.project_id)
    other = await send(client, path, ask(name, amount=10_001), "reused")
    assert (other.status_code, other.json()["key"]) == (422, "idempotency_key_reused")
    by_query = await send(client, path + "?a=b", ask(name), "reused")
    assert by_query.status_code == 422
    elsewhere = await send(client, "/v1/customers", {"source_id": "x"}, "reused")
    assert elsewhere.status_code == 422
    assert await everything(pool, client.project_id) == before


async def test_a_key_is_its_projects(client: Any, stranger: Any) -> None:
    body = {"source_id": "carol"}
    first = await send(client, "/v1/customers", body, "shared")
    other = await send(stranger, "/v1/customers", body, "shared")
    assert other.status_code == 200 and "Idempotent-Replayed" not in other.headers
    assert other.json()["id"] != first.json()["id"]


async def test_a_refusal_of_the_business_is_kept(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    await post(client, "/v1/redemptions", ask(name))
    first = await send(client, "/v1/redemptions", ask(name), "refused")
    assert (first.status_code, first.json()["key"]) == (400, "quantity_exceeded")
    assert (await client.put(f"/v1/vouchers/{name}", json={"redemption": {"quantity": 5}})).status_code == 200
    assert is_replay(await send(client, "/v1/redemptions", ask(name), "refused"), first)
    assert (await read(client, "/v1/redemptions"))["total"] == 2, "one success, one failure, recorded once"
    unknown = await send(client, "/v1/redemptions", ask("UNKNOWN"), "unknown")
    await code(client, name="UNKNOWN")
    assert is_replay(await send(client, "/v1/redemptions", ask("UNKNOWN"), "unknown"), unknown)


async def test_a_mistake_that_the_database_knows_is_kept(client: Any) -> None:
    name = await code(client)
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 5}}
    first = await send(client, f"/v1/vouchers/{name}", body, "taken")
    assert (first.status_code, first.json()["key"]) == (409, "duplicate_found")
    await client.delete(f"/v1/vouchers/{name}?force=true")
    assert is_replay(await send(client, f"/v1/vouchers/{name}", body, "taken"), first)
    made = await post(client, "/v1/redemptions", ask(await code(client)))
    path = f"/v1/redemptions/{made['redemptions'][0]['id']}/rollback"
    assert (await client.post(path, json={})).status_code == 200
    again = await send(client, path, {}, "twice")
    assert again.json()["key"] == "already_rolled_back"
    assert is_replay(await send(client, path, {}, "twice"), again)


@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/orders"])
async def test_what_never_began_is_not_kept(client: Any, pool: db.Pool, path: str) -> None:
    good = ask(await code(client))
    before = await everything(pool, client.project_id)
    key = {"Idempotency-Key": "late"}
    json_type = {"Content-Type": "application/json"}
    for content, headers, status in [
        (b"{", json_type, 400),
        (b'{"redeemables": 5, "amount": "x"}', json_type, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", json_type | {"X-App-Token": "wrong"}, 401),
        (b"[" + b"1," * 600_000 + b"1]", json_type, 413),
    ]:
        answer = await client.post(path, content=content, headers=key | headers)
        assert answer.status_code == status, answer.text
    assert await everything(pool, client.project_id) == before
    answer = await client.post(path, json=good, headers=key)
    assert answer.status_code == 200 and "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\there", "n\xf6n-ascii"])
@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/orders"])
async def test_keys_that_are_none(client: Any, path: str, key: str) -> None:
    body = ask(await code(client))
    answer = await client.post(path, json=body, headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_idempotency_key")
    assert answer.json()["errors"][0]["path"] == "Idempotency-Key"


@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/orders"])
async def test_many_at_once_with_one_key(client: Any, path: str) -> None:
    body = ask(await code(client, redemption={"quantity": 100}))
    for round_ in range(5):
        answers = await asyncio.gather(*(send(client, path, body, f"at-once-{round_}") for _ in range(16)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 15
    total = await read(client, path)
    assert total["total"] == 5


async def test_different_payloads_at_once_with_one_key(client: Any) -> None:
    name = await code(client)
    bodies = [ask(name, amount=1_000 + number) for number in range(8)]
    answers = await asyncio.gather(*(send(client, "/v1/redemptions", body, "clash") for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    assert await used(client, name) == 1


async def test_a_key_on_what_changes_nothing_does_no_harm(client: Any) -> None:
    name = await code(client)
    assert (await send(client, "/v1/validations", ask(name), "dry")).status_code == 200
    assert (await send(client, "/v1/redemptions", ask(name), "dry")).status_code == 200
    again = await send(client, "/v1/validations", ask(name), "dry")
    assert again.status_code == 200 and "Idempotent-Replayed" not in again.headers
