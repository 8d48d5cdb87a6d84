"""Bad input: every mistake is a documented 4xx with a stable key and the place of the fault, and nothing changes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db

from .checkout import TEN_OFF, ask, code, everything, post
from .conftest import Client

JSON = {"Content-Type": "application/json"}
HUGE = 2**53
FLOWS = ["/v1/validations", "/v1/redemptions"]


@pytest_asyncio.fixture
async def unchanged(client: Client, pool: db.Pool) -> AsyncIterator[Client]:
    """A client with a code GOOD, whose project has to be as it was when the test ends."""
    await code(client, name="GOOD")
    await post(client, "/v1/orders", {"source_id": "stored", "amount": 10_000})
    before = await everything(pool, client.project_id)
    yield client
    assert await everything(pool, client.project_id) == before


def check(answer: Any, status: int, key: str, path: str | None = None) -> None:
    """An error as documented: the reference's members and RFC 9457's, and the place of the fault."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["code"], body["status"], body["key"]) == (status, status, key), body
    assert body["type"] == f"urn:guerdon:error:{key}" and body["title"]
    assert body["message"] and body["details"] == body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    if path is not None:
        assert path in [fault["path"] for fault in body["errors"]], body["errors"]


BODIES: dict[str, tuple[Any, str]] = {
    "no redeemables": ({}, ""),
    "redeemables that are empty": ({"redeemables": []}, "redeemables"),
    "redeemables that are null": ({"redeemables": None}, "redeemables"),
    "redeemables that are no list": ({"redeemables": {"id": "GOOD"}}, "redeemables"),
    "31 redeemables": ({"redeemables": [{"id": f"C{n}"} for n in range(31)]}, "redeemables"),
    "a redeemable without id": ({"redeemables": [{"object": "voucher"}]}, "redeemables[0]"),
    "a redeemable that is a text": ({"redeemables": ["GOOD"]}, "redeemables[0]"),
    "a code that is a number": ({"redeemables": [{"id": 5}]}, "redeemables[0].id"),
    "a code that is empty": ({"redeemables": [{"id": ""}]}, "redeemables[0].id"),
    "a code that is too long": ({"redeemables": [{"id": "x" * 513}]}, "redeemables[0].id"),
    "an unknown object": ({"redeemables": [{"id": "GOOD", "object": "coupon"}]}, "redeemables[0].object"),
    "an order that is a number": (ask("GOOD", order=5), "order"),
    "an amount below zero": (ask("GOOD", order={"amount": -1}), "order.amount"),
    "an amount that is a text": (ask("GOOD", order={"amount": "100"}), "order.amount"),
    "an amount in euros": (ask("GOOD", order={"amount": 99.99}), "order.amount"),
    "an amount that is true": (ask("GOOD", order={"amount": True}), "order.amount"),
    "a status nobody knows": (ask("GOOD", order={"amount": 1, "status": "LOST"}), "order.status"),
    "items that are no list": (ask("GOOD", order={"items": {}}), "order.items"),
    "501 items": (ask("GOOD", order={"items": [{"price": 1}] * 501}), "order.items"),
    "a quantity of zero": (ask("GOOD", order={"items": [{"price": 1, "quantity": 0}]}), "order.items[0].quantity"),
    "a quantity below zero": (
        ask("GOOD", order={"items": [{"price": 1}, {"price": 1, "quantity": -2}]}), "order.items[1].quantity",
    ),
    "a quantity in words": (
        ask("GOOD", order={"items": [{"price": 1, "quantity": "two"}]}), "order.items[0].quantity",
    ),
    "a huge quantity": (
        ask("GOOD", order={"items": [{"price": 1, "quantity": 1_000_001}]}), "order.items[0].quantity",
    ),
    "a huge quantity in digits": (
        ask("GOOD", order={"items": [{"price": 1, "quantity": "9999999"}]}), "order.items[0].quantity",
    ),
    "a price below zero": (ask("GOOD", order={"items": [{"price": -1}]}), "order.items[0].price"),
    "a line worth too much": (
        ask("GOOD", order={"items": [{"price": 2**52, "quantity": 900_000}]}), "order.items[0].price",
    ),
    "lines worth too much together": (
        ask("GOOD", order={"items": [{"amount": 2**53 - 1}, {"amount": 2**53 - 1}]}), "order.amount",
    ),
    "a discount larger than the line": (
        ask("GOOD", order={"items": [{"amount": 5, "discount_amount": 6}]}), "order.items[0].discount_amount",
    ),
    "a discount larger than the order": (
        ask("GOOD", order={"amount": 5, "discount_amount": 6}), "order.discount_amount",
    ),
    "a customer that is a text": (ask("GOOD", customer="alice"), "customer"),
    "a source id that is empty": (ask("GOOD", customer={"source_id": ""}), "customer.source_id"),
    "a birthdate that is no day": (ask("GOOD", customer={"birthdate": "1990-02-31"}), "customer.birthdate"),
    "metadata that is a list": (ask("GOOD", metadata=[]), "metadata"),
    "a tracking id that is too long": (ask("GOOD", tracking_id="x" * 513), "tracking_id"),
    "options that are a text": (ask("GOOD", options="explain"), "options"),
    "something to expand that is not there": (ask("GOOD", options={"expand": ["moon"]}), "options.expand[0]"),
    "explain that is a text": (ask("GOOD", options={"explain": "yes"}), "options.explain"),
}  # fmt: skip


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("name", BODIES)
async def test_bodies_of_a_checkout(unchanged: Any, flow: str, name: str) -> None:
    body, path = BODIES[name]
    check(await unchanged.post(flow, json=body), 400, "invalid_payload", path)


@pytest.mark.parametrize("flow", FLOWS)
async def test_named_twice(unchanged: Any, flow: str) -> None:
    answer = await unchanged.post(flow, json=ask("GOOD", "OTHER", "GOOD"))
    check(answer, 400, "duplicated_redeemables", "redeemables[2].id")


@pytest.mark.parametrize("flow", FLOWS)
async def test_things_that_do_not_exist(unchanged: Any, stranger: Any, flow: str) -> None:
    theirs = await post(stranger, "/v1/customers", {"source_id": "alice"})
    order = await post(stranger, "/v1/orders", {"amount": 5})
    for more in (
        {"customer": {"id": theirs["id"]}},
        {"order": {"amount": 5, "customer": {"id": theirs["id"]}}},
        {"order": {"amount": 5, "referrer": {"id": theirs["id"]}}},
        {"order": {"id": order["id"]}},
        # a customer that would be made, had the order been there
        {"order": {"id": order["id"]}, "customer": {"source_id": "new-one", "name": "New"}},
    ):
        check(await unchanged.post(flow, json=ask("GOOD", **more)), 404, "not_found")


async def test_a_mistake_does_not_change_a_customer_that_is_there(client: Any, pool: db.Pool) -> None:
    await code(client, name="GOOD")
    await post(client, "/v1/customers", {"source_id": "alice", "name": "Alice"})
    before = await everything(pool, client.project_id)
    body = ask("GOOD", order={"id": "ord_unknown"}, customer={"source_id": "alice", "name": "Mallory"})
    check(await client.post("/v1/redemptions", json=body), 404, "not_found")
    assert await everything(pool, client.project_id) == before


RAW: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "invalid_payload"),
    "spaces": (b"  \n ", 400, "invalid_payload"),
    "half an object": (b'{"redeemables":', 400, "invalid_payload"),
    "two objects": (b"{} {}", 400, "invalid_payload"),
    "a list": (b"[]", 400, "invalid_payload"),
    "a number": (b"5", 400, "invalid_payload"),
    "a text": (b'"GOOD"', 400, "invalid_payload"),
    "null": (b"null", 400, "invalid_payload"),
    "true": (b"true", 400, "invalid_payload"),
    "a key twice": (b'{"redeemables":[{"id":"GOOD"}],"redeemables":[{"id":"OTHER"}]}', 400, "invalid_payload"),
    "a key twice, spelt otherwise": (b'{"redeemables":[{"id":"GOOD","\\u0069d":"OTHER"}]}', 400, "invalid_payload"),
    "NaN": (b'{"redeemables":[{"id":"GOOD"}],"metadata":{"a":NaN}}', 400, "invalid_payload"),
    "Infinity": (b'{"redeemables":[{"id":"GOOD"}],"metadata":{"a":-Infinity}}', 400, "invalid_payload"),
    "a number without bounds": (b'{"redeemables":[{"id":"GOOD"}],"metadata":{"a":1e999}}', 400, "invalid_payload"),
    "an integer beyond 2**53": (
        b'{"redeemables":[{"id":"GOOD"}],"metadata":{"a":%d}}' % HUGE, 400, "invalid_payload",
    ),
    "an integer of a thousand digits": (
        b'{"redeemables":[{"id":"GOOD"}],"order":{"amount":' + b"9" * 1000 + b"}}", 400, "invalid_payload",
    ),
    "NUL": (b'{"redeemables":[{"id":"GO\\u0000OD"}]}', 400, "invalid_payload"),
    "NUL as it is": (b'{"redeemables":[{"id":"GO\x00OD"}]}', 400, "invalid_payload"),
    "half a surrogate pair": (b'{"redeemables":[{"id":"\\ud800"}]}', 400, "invalid_payload"),
    "half a surrogate pair in a key": (b'{"redeemables":[{"id":"GOOD"}],"metadata":{"\\udfff":1}}', 400, "invalid_payload"),
    "depth": (b'{"metadata":' + b"[" * 40 + b"]" * 40 + b"}", 400, "invalid_payload"),
    "no UTF-8": (b'{"redeemables":[{"id":"\xff\xfe"}]}', 400, "invalid_payload"),
    "UTF-16": ('{"redeemables":[{"id":"GOOD"}]}'.encode("utf-16"), 400, "invalid_payload"),
    "a byte order mark": (b'\xef\xbb\xbf{"redeemables":[{"id":"GOOD"}]}', 400, "invalid_payload"),
    "single quotes": (b"{'redeemables':[]}", 400, "invalid_payload"),
    "a comma too many": (b'{"redeemables":[{"id":"GOOD"},]}', 400, "invalid_payload"),
    "a comment": (b'{"redeemables":[{"id":"GOOD"}]} // all', 400, "invalid_payload"),
    "two megabytes": (b'{"a":"' + b"x" * 2_097_152 + b'"}', 413, "query_too_large"),
}  # fmt: skip
WRITES = [*FLOWS, "/v1/orders", "/v1/customers", "/v1/products", "/v1/vouchers", "/v1/campaigns"]


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("name", RAW)
async def test_what_is_no_strict_json(unchanged: Any, path: str, name: str) -> None:
    content, status, key = RAW[name]
    check(await unchanged.post(path, content=content, headers=JSON), status, key)


@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/orders"])
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/json; charset=utf-16",
        "x",
    ],
)
async def test_other_content_types(unchanged: Any, path: str, kind: str) -> None:
    answer = await unchanged.post(path, content=b"{}", headers={"Content-Type": kind})
    check(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml;q=0.9, text/csv"])
async def test_answers_that_we_have_not(unchanged: Any, accept: str) -> None:
    check(await unchanged.get("/v1/vouchers", headers={"Accept": accept}), 406, "not_acceptable")


async def test_paths_and_methods_that_are_not_there(unchanged: Any) -> None:
    check(await unchanged.get("/v1/moon"), 404, "not_found")
    check(await unchanged.delete("/v1/redemptions"), 405, "method_not_allowed")
    check(await unchanged.put("/v1/validations", json={}), 405, "method_not_allowed")
    check(await unchanged.get("/v1/vouchers/GO%00OD"), 400, "invalid_query_params", "path")
    check(await unchanged.get("/v1/vouchers?code=%00"), 400, "invalid_query_params", "query")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-App-Id": "", "X-App-Token": ""},
        {"X-App-Id": "unknown"},
        {"X-App-Token": "wrong"},
        {"X-App-Token": "n\xf6n-ascii".encode("latin-1")},
        {"X-App-Id": "x" * 5_000},
    ],
)
async def test_keys_that_are_none(unchanged: Any, headers: Any) -> None:
    for path in ("/v1/vouchers", "/v1/moon"):
        check(await unchanged.get(path, headers=headers), 401, "unauthorized")
    check(await unchanged.post("/v1/redemptions", json=ask("GOOD"), headers=headers), 401, "unauthorized")


async def test_the_problem_media_type_for_those_who_know_it(unchanged: Any) -> None:
    answer = await unchanged.get("/v1/moon", headers={"Accept": "application/problem+json, application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await unchanged.get("/v1/moon")).headers["content-type"] == "application/json"
    hot = await unchanged.post("/v1/redemptions", json={}, headers={"Accept": "application/problem+json"})
    assert hot.headers["content-type"] == "application/problem+json"


async def test_a_request_id_is_echoed_if_it_is_fit_to_be(unchanged: Any) -> None:
    answer = await unchanged.get("/v1/moon", headers={"X-Request-Id": "till-7"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "till-7"
    for odd in ("x" * 201, "n\xf6n".encode("latin-1"), ""):
        made = (await unchanged.get("/v1/moon", headers={"X-Request-Id": odd})).headers["x-request-id"]
        assert made.startswith("v-")


VOUCHERS: dict[str, tuple[dict[str, Any], str]] = {
    "no discount": ({"type": "DISCOUNT_VOUCHER"}, "discount"),
    "a type nobody knows": ({"type": "COUPON", "discount": TEN_OFF}, "type"),
    "a percentage above 100": ({"discount": {"type": "PERCENT", "percent_off": 100.01}}, "discount.percent_off"),
    "a percentage of zero": ({"discount": {"type": "PERCENT", "percent_off": 0}}, "discount.percent_off"),
    "a percentage of three places": (
        {"discount": {"type": "PERCENT", "percent_off": 1.234}}, "discount.percent_off",
    ),
    "an amount below zero": ({"discount": {"type": "AMOUNT", "amount_off": -1}}, "discount.amount_off"),
    "an amount that is a text": ({"discount": {"type": "AMOUNT", "amount_off": "5"}}, "discount.amount_off"),
    "a limit of zero": ({"discount": TEN_OFF, "redemption": {"quantity": 0}}, "redemption.quantity"),
    "a limit that is a text": ({"discount": TEN_OFF, "redemption": {"quantity": "5"}}, "redemption.quantity"),
    "a date that is none": ({"discount": TEN_OFF, "start_date": "someday"}, "start_date"),
    "a date out of range": ({"discount": TEN_OFF, "expiration_date": "99999-01-01"}, "expiration_date"),
    "an eighth day": ({"discount": TEN_OFF, "validity_day_of_week": [7]}, "validity_day_of_week[0]"),
    "an hour that is none": (
        {"discount": TEN_OFF, "validity_hours": {"daily": [{"start_time": "25:00", "expiration_time": "26:00"}]}},
        "validity_hours.daily[0].start_time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VOUCHERS)
async def test_bodies_of_vouchers(unchanged: Any, name: str) -> None:
    body, path = VOUCHERS[name]
    answer = await unchanged.post("/v1/vouchers/BAD", json=body)
    assert answer.json()["key"] in ("invalid_payload", "invalid_voucher", "invalid_expiration_date"), (
        answer.text
    )
    check(answer, 400, answer.json()["key"], path)


@pytest.mark.parametrize("count", ["0", "-5", "99999999999", "ten", "1.5", ""])
async def test_counts_that_cannot_be(client: Any, pool: db.Pool, count: str) -> None:
    await post(
        client, "/v1/campaigns", {"name": "Counted", "type": "STATIC", "voucher": {"discount": TEN_OFF}}
    )
    before = await everything(pool, client.project_id)
    answer = await client.post(f"/v1/campaigns/Counted/vouchers?vouchers_count={count}", json={})
    check(answer, 400, "invalid_query_params", "vouchers_count")
    assert await everything(pool, client.project_id) == before


async def test_a_code_that_is_taken(unchanged: Any) -> None:
    body = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
    check(await unchanged.post("/v1/vouchers/GOOD", json=body), 409, "duplicate_found")


async def test_if_match_of_another_version(unchanged: Any) -> None:
    for path in ("/v1/vouchers/GOOD", "/v1/orders/stored"):
        headers = {"If-Match": '"another"'}
        answer = await unchanged.put(path, json={"metadata": {"a": 1}}, headers=headers)
        check(answer, 412, "precondition_failed")


async def test_a_path_that_ends_like_one_of_streams_is_looked_at_closely(client: Client) -> None:
    """Only bodies that are streamed by the route itself pass the door unread."""
    program = (await client.post("/v2/loyalties/programs", json={"name": "door"})).json()["id"]
    path = f"/v2/loyalties/programs/{program}/card-definitions/batch"
    answer = await client.post(path, content=b'{"it\xc5ms": 1}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "not UTF-8" in answer.json()["details"]
