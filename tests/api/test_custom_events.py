"""Custom events: their schemas, what is taken in, what is refused."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import code, events, everything, post, read
from .loyalty import CARDS, PROGRAMS, RULES, card, ok
from .test_loyalty_earning import per_event, points
from .test_loyalty_members import join

ALICE = {"source_id": "alice"}
PAGES = {"properties": {"pages": {"type": "number", "optional": False}, "kind": {"type": "string"}}}


async def schema(manager: Any, name: str = "read", **definitions: Any) -> Any:
    answer = await manager.post(
        "/custom-event-schemas",
        json={"name": name, "schema": {"properties": definitions} if definitions else PAGES},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_event_is_taken_in(client: Any, manager: Any, pool: db.Pool) -> None:
    await schema(manager)
    card = await code(client)
    body = {"event": "read", "customer": ALICE | {"name": "Alice"}, "metadata": {"pages": 3, "more": "said"}}
    made = await post(client, "/v1/events", body | {"referral": {"code": card, "referrer_id": "cust_x"}})
    assert (made["object"], made["type"], made["loyalty"]) == ("event", "read", None)
    assert made["metadata"] == {"pages": 3, "more": "said"}
    assert (made["customer"]["source_id"], made["customer"]["name"]) == ("alice", "Alice")
    assert (made["referral"]["code"], made["referral"]["referrer_id"]) == (card, "cust_x")
    alice = await read(client, "/v1/customers/alice")
    assert made["customer"]["id"] == alice["id"]
    assert await events(pool, client, made["id"]) == ["customer.custom_event"]
    made = await post(client, "/v1/events", body | {"loyalty": {"code": card}})
    assert made["loyalty"]["code"] == card
    sql = "select count(*) from custom_events where project_id = $1 and customer_id = $2"
    assert await db.value(pool, sql, client.project_id, alice["id"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "key", "path"),
    [
        ({"event": "unheard"}, 400, "invalid_payload", "event"),
        ({"event": ""}, 400, "invalid_payload", "event"),
        ({"event": "x" * 301}, 400, "invalid_payload", "event"),
        ({"metadata": {"pages": "three"}}, 400, "metadata_validation_failed", "metadata.pages"),
        ({"metadata": {}}, 400, "metadata_validation_failed", "metadata.pages"),
        ({"metadata": None}, 400, "metadata_validation_failed", "metadata.pages"),
        ({"customer": {}}, 400, "missing_customer", "customer"),
        ({"customer": {"id": "cust_unknown"}}, 404, "not_found", None),
        ({"loyalty": {"code": "NOWHERE"}}, 404, "not_found", None),
        ({"referral": {"code": "NOWHERE"}}, 404, "not_found", None),
    ],
)
async def test_mistakes_change_nothing(
    client: Any, manager: Any, pool: db.Pool, body: dict[str, Any], status: int, key: str, path: str | None
) -> None:
    await schema(manager)
    before = await everything(pool, client.project_id)
    whole = {"event": "read", "customer": ALICE, "metadata": {"pages": 3}} | body
    answer = await post(client, "/v1/events", whole, status)
    assert answer["key"] == key
    if path is not None:
        assert [fault["path"] for fault in answer["errors"]] == [path]
    assert await everything(pool, client.project_id) == before


async def test_a_repeat_with_an_idempotency_key(client: Any, manager: Any, pool: db.Pool) -> None:
    await schema(manager)
    body = {"event": "read", "customer": ALICE, "metadata": {"pages": 3}}
    first = await post(client, "/v1/events", body, Idempotency_Key="once")
    assert await post(client, "/v1/events", body, Idempotency_Key="once") == first
    sql = "select count(*) from custom_events where project_id = $1"
    assert await db.value(pool, sql, client.project_id) == 1


async def test_schemas(client: Any, manager: Any) -> None:
    made = await schema(manager)
    assert (made["name"], made["object"], made["updated_at"]) == ("read", "custom-event-schema", None)
    assert made["schema"]["properties"]["pages"]["type"] == "number"
    at = f"/custom-event-schemas/{made['id']}"
    assert (await manager.get(at)).json() == made
    assert (await manager.get("/custom-event-schemas/read")).json() == made
    listed = (await manager.get("/custom-event-schemas")).json()
    assert (listed["data_ref"], listed["total"], listed["data"]) == ("data", 1, [made])
    answer = await manager.post("/custom-event-schemas", json={"name": "read", "schema": {"properties": {}}})
    assert (answer.status_code, answer.json()["key"]) == (409, "duplicate_found")
    change = {"schema": {"properties": {"pages": {"type": "string"}, "at": {"type": "datetime"}}}}
    changed = (await manager.put(at, json=change)).json()
    types = {name: one["type"] for name, one in changed["schema"]["properties"].items()}
    assert types == {"pages": "string", "kind": "string", "at": "datetime"}, "types may change"
    body = {"event": "read", "customer": ALICE, "metadata": {"pages": "three", "kind": 5}}
    assert (await post(client, "/v1/events", body, 400))["key"] == "metadata_validation_failed"
    gone = {"schema": {"properties": {"kind": {"type": "string", "deleted": True}}}}
    assert (await manager.put(at, json=gone)).json()["schema"]["properties"]["kind"]["deleted"] is True
    await post(client, "/v1/events", body)
    assert (await manager.delete(at)).status_code == 204
    assert (await manager.get(at)).status_code == 404
    assert (await post(client, "/v1/events", body, 400))["errors"][0]["path"] == "event"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"schema": {"properties": {}}}, ""),
        ({"name": "", "schema": {"properties": {}}}, "name"),
        ({"name": "x", "schema": {"properties": {"a": {"type": "colour"}}}}, "schema.properties[...].type"),
        ({"name": "x", "schema": {"properties": {"a": {"type": "number", "min_length": 3}}}}, "schema.properties.a.min_length"),
        ({"name": "x", "schema": {"properties": {"a": {"type": "object", "object_type": "unknown"}}}}, "schema.properties.a.object_type"),
    ],
)  # fmt: skip
async def test_schemas_that_make_no_sense(manager: Any, body: dict[str, Any], path: str) -> None:
    answer = await manager.post("/custom-event-schemas", json=body)
    assert answer.status_code == 400
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
    assert (await manager.get("/custom-event-schemas")).json()["total"] == 0


async def test_activities_tell_of_them(client: Any, manager: Any) -> None:
    made = await schema(manager)
    await post(client, "/v1/events", {"event": "read", "customer": ALICE, "metadata": {"pages": 3}})
    shown = await read(client, "/v1/customers/alice/activity?type=customer.custom_event&category=ACTION")
    [activity] = shown["data"]
    told = activity["data"]["data"]
    assert (told["event"]["type"], told["event"]["metadata"]) == ("read", {"pages": 3})
    assert told["event_schema"] == {"id": made["id"], "name": "read"}
    assert (told["customer"]["source_id"], told["referral"], told["loyalty"]) == ("alice", None, None)


async def test_the_card_that_an_event_is_for_alone_earns(client: Any, manager: Any, run_jobs: Any) -> None:
    visit = (await schema(manager, "visit", at={"type": "string"}))["id"]
    cards = []
    for name in ("Club", "Other"):
        card_id = (await ok(client, "POST", CARDS, card(name=name)))["id"]
        rule_id = (await ok(client, "POST", RULES, per_event(card_id, visit, 5)))["id"]
        parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
        club = await ok(client, "POST", PROGRAMS, {"name": name, "status": "ACTIVE", **parts})
        cards.append(await join(client, club["id"]))
    body = {"event": "visit", "customer": {"source_id": "ada"}}
    first = (await points(client, cards[0]))["code"]
    await post(client, "/v1/events", body | {"loyalty": {"code": first}})
    await run_jobs()
    assert [(await points(client, one))["balance"]["points"] for one in cards] == [5, 0]
    await post(client, "/v1/events", body)
    await run_jobs()
    assert [(await points(client, one))["balance"]["points"] for one in cards] == [10, 5]
