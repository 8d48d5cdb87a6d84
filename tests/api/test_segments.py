"""Segments: made, changed, in use; and who is in them, told from the facts at the moment of asking."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.customers.locked import CustomerIn
from guerdon.kit import db
from guerdon.segments import customers, jobs, store
from guerdon.segments.members import memberships, would_belong

from .checkout import ask, code, post, read, redeem, validate

GOLD = {"junction": "and", "metadata.level": {"conditions": {"$in": ["gold", "platinum"]}}}
BUYERS = {"summary.orders.total_amount": {"conditions": {"$more_than_equal": [20_000]}}}
REDEEMERS = {"events.redemption.succeeded.count": {"conditions": {"$more_than": ["0"]}}}

Run = Callable[[], Awaitable[None]]


async def segment(client: Any, type: str = "passive", filter: Any = None, **more: Any) -> dict[str, Any]:
    body = {"name": f"A {type} one", "type": type, **({"filter": filter} if filter else {}), **more}
    return await post(client, "/v1/segments", body)


async def customer(client: Any, source_id: str, **more: Any) -> str:
    return (await post(client, "/v1/customers", {"source_id": source_id, **more}))["id"]


async def its(client: Any, customer: str) -> set[str]:
    found = await read(client, f"/v1/customers/{customer}/segments")
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "data", len(found["data"]))
    assert all(one["object"] == "segment" and one["name"] for one in found["data"])
    return {one["id"] for one in found["data"]}


async def happened(pool: db.Pool, client: Any) -> list[tuple[str, str, str]]:
    sql = """
        select type, customer_id, data #>> '{segment,id}' as segment from events
        where project_id = $1 and type like 'customer.segment.%' order by id
    """
    return [
        (r["type"], r["customer_id"], r["segment"]) for r in await db.records(pool, sql, client.project_id)
    ]


async def test_a_segment_lives_and_goes(client: Any) -> None:
    made = await segment(client, filter=GOLD)
    assert made["id"].startswith("seg_")
    assert (made["type"], made["filter"], made["updated_at"]) == ("passive", GOLD, None)
    assert (made["initial_sync_status"], made["object"]) == ("DONE", "segment")
    assert await read(client, f"/v1/segments/{made['id']}") == made
    changed = await client.put(f"/v1/segments/{made['id']}", json={"name": "New", "filter": BUYERS})
    assert (changed.json()["name"], changed.json()["filter"]) == ("New", BUYERS)
    assert changed.json()["updated_at"] is not None
    assert (await client.put(f"/v1/segments/{made['id']}", json={})).json()["filter"] == BUYERS
    assert (await client.delete(f"/v1/segments/{made['id']}")).status_code == 204
    for method in ("GET", "DELETE", "PUT"):
        gone = await client.request(
            method, f"/v1/segments/{made['id']}", json={} if method == "PUT" else None
        )
        assert (gone.status_code, gone.json()["resource_type"]) == (404, "segment")


async def test_segments_are_listed(client: Any) -> None:
    made = [await segment(client, filter=GOLD, name=name) for name in ("b", "a", "c")]
    still = await segment(client, "static", name="d")
    listed = await read(client, "/v1/segments?order=name&limit=2")
    assert ([one["name"] for one in listed["data"]], listed["total"], listed["has_more"]) == (
        ["a", "b"],
        4,
        True,
    )
    static = await read(client, "/v1/segments?filters[type][conditions][$is][0]=static")
    assert [one["id"] for one in static["data"]] == [still["id"]]
    some = await read(client, f"/v1/segments?ids[]={made[0]['id']}&ids[]={made[2]['id']}&order=created_at")
    assert [one["id"] for one in some["data"]] == [made[0]["id"], made[2]["id"]]
    assert (await read(client, "/v1/segments?ids[]=seg_none"))["data"] == []
    assert (await client.get("/v1/segments?order=size")).json()["key"] == "invalid_query_params"


async def test_static_segments_list_their_customers(client: Any) -> None:
    ada, ben = await customer(client, "ada"), await customer(client, "ben")
    made = await segment(client, "static", customers=["ada", ada, ben])
    assert made["filter"] is None
    assert await its(client, "ada") == await its(client, ben) == {made["id"]}
    assert await its(client, await customer(client, "cleo")) == set()
    unknown = await client.post("/v1/segments", json={"name": "x", "customers": ["ada", "nobody"]})
    assert (unknown.status_code, unknown.json()["resource_id"]) == (404, "nobody")
    assert (await read(client, "/v1/segments"))["total"] == 1


@pytest.mark.parametrize(
    ("body", "key", "path"),
    [
        ({"type": "static"}, "invalid_payload", ""),
        ({"name": "", "type": "static"}, "invalid_payload", "name"),
        ({"name": "x", "type": "dynamic"}, "invalid_payload", "type"),
        ({"name": "x", "type": "passive"}, "invalid_payload", "filter"),
        ({"name": "x", "type": "passive", "filter": {}}, "invalid_payload", "filter"),
        ({"name": "x", "type": "passive", "filter": [1]}, "invalid_payload", "filter"),
        ({"name": "x", "type": "passive", "filter": {"age": 5}}, "invalid_payload", "filter.age"),
        (
            {"name": "x", "type": "passive", "filter": GOLD, "customers": ["a"]},
            "invalid_payload",
            "customers",
        ),
        ({"name": "x", "type": "static", "filter": GOLD}, "invalid_payload", "filter"),
        (
            {"name": "x", "type": "static", "customers": [f"c{n}" for n in range(20_001)]},
            "invalid_payload",
            "customers",
        ),
        (
            {"name": "x", "type": "auto-update", "filter": {"name": {"conditions": {"$like": ["A"]}}}},
            "invalid_payload",
            "filter.name.conditions.$like",
        ),
    ],
)
async def test_what_is_refused(client: Any, body: Any, key: str, path: str) -> None:
    answer = await client.post("/v1/segments", json=body)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["key"], answer.json()["errors"][0]["path"]) == (key, path)
    assert (await read(client, "/v1/segments"))["total"] == 0


async def test_only_passive_segments_change(client: Any) -> None:
    for made in (await segment(client, "static"), await segment(client, "auto-update", GOLD)):
        answer = await client.put(f"/v1/segments/{made['id']}", json={"name": "New"})
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_segment")
    passive = await segment(client, filter=GOLD)
    answer = await client.put(f"/v1/segments/{passive['id']}", json={"filter": {"age": {}}})
    assert answer.json()["errors"][0]["path"] == "filter.age"
    assert (await read(client, f"/v1/segments/{passive['id']}"))["filter"] == GOLD


async def test_there_are_at_most_a_hundred_with_a_filter(client: Any, pool: db.Pool) -> None:
    for number in range(100):
        await store.insert(pool, client.project_id, f"seg_{number}", "x", "passive", GOLD)
    answer = await client.post("/v1/segments", json={"name": "x", "type": "passive", "filter": GOLD})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_segment")
    await segment(client, "static")


async def test_a_segment_that_a_rule_asks_for_stays(client: Any) -> None:
    made = await segment(client, filter=GOLD)
    rules = {"1": {"name": "customer.segment", "conditions": {"$is": [made["id"]]}}, "logic": "1"}
    rule = await post(client, "/v1/validation-rules", {"name": "Gold only", "rules": rules})
    answer = await client.delete(f"/v1/segments/{made['id']}")
    assert (answer.status_code, answer.json()["key"]) == (400, "resource_in_use")
    assert answer.json()["related_object_ids"] == [rule["id"]]
    await client.delete(f"/v1/validation-rules/{rule['id']}")
    assert (await client.delete(f"/v1/segments/{made['id']}")).status_code == 204


async def test_a_code_for_a_segment(client: Any) -> None:
    gold = await segment(client, filter=GOLD)
    rules = {"1": {"name": "customer.segment", "conditions": {"$is": [gold["id"]]}}, "logic": "1"}
    rule = await post(client, "/v1/validation-rules", {"name": "Gold only", "rules": rules})
    name = await code(client, validation_rules=[rule["id"]])
    ada = await customer(client, "ada", metadata={"level": "iron"})
    refused = await redeem(client, name, customer={"id": ada}, status=400)
    assert refused["key"] == "customer_rules_violated"
    said = {"id": ada, "metadata": {"level": "gold"}}
    assert (await redeem(client, name, customer=said))["redemptions"][0]["result"] == "SUCCESS"
    new = {"source_id": "new", "metadata": {"level": "gold"}}
    foretold = await post(client, "/v1/validations", ask(name, customer=new))
    assert foretold["valid"] is True
    assert (await redeem(client, name, customer=new))["redemptions"][0]["result"] == "SUCCESS"
    nobody = await post(client, "/v1/validations", ask(name))
    assert nobody["valid"] is False


async def test_membership_follows_the_facts_at_once(client: Any) -> None:
    gold, buyers = await segment(client, filter=GOLD), await segment(client, filter=BUYERS)
    redeemers = await segment(client, "auto-update", REDEEMERS)
    ada = await customer(client, "ada", metadata={"level": "silver"})
    assert await its(client, ada) == set()
    await customer(client, "ada", metadata={"level": "gold"})
    assert await its(client, ada) == {gold["id"]}
    order = {"customer": {"id": ada}, "amount": 20_000, "status": "PAID"}
    await post(client, "/v1/orders", order)
    assert await its(client, "ada") == {gold["id"], buyers["id"]}
    await redeem(client, await code(client), customer={"id": ada})
    assert await its(client, ada) == {gold["id"], buyers["id"], redeemers["id"]}
    await customer(client, "ada", metadata={"level": "iron"})
    assert gold["id"] not in await its(client, ada)


async def test_every_kind_of_field(client: Any) -> None:
    day = datetime.now(UTC).date().isoformat()
    fields: dict[str, Any] = {
        "name": {"$is": ["Ada"]},
        "source_id": {"$starts_with": ["a"]},
        "email": {"$ends_with": ["example.com"]},
        "phone": {"$is_unknown": [True]},
        "description": {"$contains": ["fruit"]},
        "birthdate": {"$before": ["1991-01-01"]},
        "address.country": {"$is": "PL"},
        "created_at": {"$is_days_ago": [0]},
        "updated_at": {"$has_value": [False]},
        "metadata.box.size": {"$more_than": [2.5]},
        "metadata.tags": {"$is": ["tea"], "$count": [2]},
        "summary.redemptions.total_redeemed": {"$is": [0]},
        "summary.orders.last_order_date": {"$is_unknown": [True]},
        "loyalty.points": {"$is_unknown": [True]},
        "events.customer.created.count": {"$is": ["1"]},
        "events.customer.created.last_occurrence": {"$more_than_or_equal": [day]},
        "events.payment_placed.count": {"$less_than": [1]},
    }
    filter = {name: {"conditions": conditions} for name, conditions in fields.items()}
    made = await segment(client, filter=filter)
    ada = await customer(
        client, "ada", name="Ada", email="ada@example.com", description="buys fruit", birthdate="1990-02-28",
        address={"country": "PL"}, metadata={"box": {"size": 3}, "tags": ["tea", "cake"]},
    )  # fmt: skip
    assert await its(client, ada) == {made["id"]}
    for name in fields:
        singly = await segment(client, filter={name: filter[name]})
        assert singly["id"] in await its(client, ada), name


async def test_an_unknown_customer_is_told_what_would_be(client: Any) -> None:
    await segment(client, filter=GOLD)
    unknown = await segment(client, filter={"email": {"conditions": {"$is_unknown": [True]}}})
    new = await segment(client, filter={"created_at": {"conditions": {"$is_days_ago": [0]}}})
    named = await segment(client, filter={"source_id": {"conditions": {"$ends_with": ["@shop"]}}})
    poor = await segment(client, filter={"summary.orders.total_count": {"conditions": {"$less_than": [1]}}})
    assert await its(client, "x@shop") == {unknown["id"], new["id"], named["id"], poor["id"]}


@pytest.mark.parametrize(
    ("field", "conditions", "belongs"),
    [
        ("loyalty.referred_customers", {"$is": [0]}, True),
        ("loyalty.points", {"$is_unknown": [True]}, True),
        ("loyalty.campaigns.Club.points", {"$has_value": [True]}, False),
        ("id", {"$has_value": [True]}, True),
        ("id", {"$is_unknown": [True]}, False),
        ("id", {"$starts_with": ["cust_"]}, True),
        ("id", {"$is": ["cust_ada"]}, False),
    ],
)
async def test_what_would_be_is_what_a_redemption_then_sees(
    client: Any, field: str, conditions: Any, belongs: bool
) -> None:
    made = await segment(client, filter={field: {"conditions": conditions}})
    asks = {"rules": {"1": {"name": "customer.segment", "conditions": {"$is": [made["id"]]}}}}
    rule = await post(client, "/v1/validation-rules", {"name": "In it", **asks})
    name = await code(client, validation_rules=[rule["id"]])
    somebody = {"source_id": "nobody-yet"}
    assert (await validate(client, name, customer=somebody))["valid"] is belongs
    await redeem(client, name, customer=somebody, status=200 if belongs else 400)


async def test_memberships_of_many_in_few_statements(client: Any, pool: db.Pool) -> None:
    made = [await segment(client, filter=f) for f in (GOLD, BUYERS, REDEEMERS)]
    ids = [
        await customer(client, f"c{n}", metadata={"level": "gold" if n % 2 else "iron"}) for n in range(20)
    ]
    made.append(await segment(client, "static", customers=ids[:3]))
    segments = {row.id: store.compiled(row) for row in await store.every(pool, client.project_id)}
    asked: list[str] = []

    async with pool.acquire() as conn:
        conn.add_query_logger(lambda query: asked.append(query.query))
        found = await memberships(conn, client.project_id, [*ids, "cust_nobody"], segments)
    assert len(asked) == 7  # the lists, the moment, the profiles, three of the summary, the events
    assert [made[0]["id"] in found[one] for one in ids] == [bool(n % 2) for n in range(20)]
    assert [made[3]["id"] in found[one] for one in ids] == [n < 3 for n in range(20)]
    assert found["cust_nobody"] == frozenset()
    said = {ids[0]: CustomerIn(metadata={"level": "gold"}), ids[1]: CustomerIn(metadata={"level": "iron"})}
    foretold = await memberships(pool, client.project_id, ids[:2], segments, said=said)
    assert [made[0]["id"] in foretold[one] for one in ids[:2]] == [True, False]
    new = CustomerIn(source_id="new", metadata={"level": "gold"})
    assert would_belong(new, segments, datetime.now(UTC), ZoneInfo("UTC")) == {made[0]["id"]}


async def test_auto_update_segments_tell_who_comes_and_goes(
    client: Any, pool: db.Pool, run_jobs: Run
) -> None:
    before = await customer(client, "before", metadata={"level": "gold"})
    made = await segment(client, "auto-update", GOLD)
    assert made["initial_sync_status"] == "IN_PROGRESS"
    await run_jobs()
    assert (await read(client, f"/v1/segments/{made['id']}"))["initial_sync_status"] == "DONE"
    assert await happened(pool, client) == [], "who was there has not entered"

    ada = await customer(client, "ada", metadata={"level": "gold"})
    await look(pool, "segments.follow", run_jobs)
    entered = [("customer.segment.entered", ada, made["id"])]
    assert await happened(pool, client) == entered
    await look(pool, "segments.follow", run_jobs)
    await look(pool, "segments.sweep", run_jobs)
    assert await happened(pool, client) == entered, "once is enough"

    await customer(client, "before", metadata={"level": "iron"})
    await look(pool, "segments.follow", run_jobs)
    assert await happened(pool, client) == [*entered, ("customer.segment.left", before, made["id"])]


async def test_who_comes_while_a_new_segment_looks_for_its_first_members_has_entered(
    client: Any, pool: db.Pool, run_jobs: Run
) -> None:
    await customer(client, "before", metadata={"level": "gold"})
    made = await segment(client, "auto-update", GOLD)
    ada = await customer(client, "ada", metadata={"level": "gold"})
    await run_jobs()
    assert await happened(pool, client) == [("customer.segment.entered", ada, made["id"])]


async def test_a_sweep_sees_what_no_event_told(client: Any, pool: db.Pool, run_jobs: Run) -> None:
    made = await segment(client, "auto-update", GOLD)
    await run_jobs()
    ids = [await customer(client, f"c{n}") for n in range(3)]
    sql = """update customers set metadata = '{"level": "gold"}' where project_id = $1 and id = any($2)"""
    await db.execute(pool, sql, client.project_id, ids[:2])
    await look(pool, "segments.sweep", run_jobs)
    assert {one for _, one, _ in await happened(pool, client)} == set(ids[:2])
    await client.delete(f"/v1/customers/{ids[0]}")
    await look(pool, "segments.sweep", run_jobs)
    remembered = await store.seen(pool, client.project_id, ids, [made["id"]])
    assert remembered == {made["id"]: {ids[1]}}


async def test_a_sweep_in_small_steps_goes_on_where_it_was(
    client: Any, pool: db.Pool, run_jobs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    monkeypatch.setattr(jobs, "EVENT_BATCH", 2)
    ids = [await customer(client, f"c{n}", metadata={"level": "gold"}) for n in range(5)]
    made = await segment(client, "auto-update", GOLD)
    await run_jobs()
    assert len((await store.seen(pool, client.project_id, ids, [made["id"]]))[made["id"]]) == 5
    await db.execute(pool, "delete from segment_members where project_id = $1", client.project_id)
    await look(pool, "segments.sweep", run_jobs)
    assert sorted(one for _, one, _ in await happened(pool, client)) == sorted(ids)
    await db.execute(pool, "delete from segment_members where project_id = $1", client.project_id)
    await db.execute(pool, "delete from jobs where project_id = ''")
    await look(pool, "segments.follow", run_jobs)
    assert len(await happened(pool, client)) == 10


async def look(pool: db.Pool, kind: str, run_jobs: Run) -> None:
    """What the worker's clock would do."""
    from guerdon.kit.jobs import enqueue

    await enqueue(pool, "", kind, {})
    await run_jobs()
    sql = "select status, error from jobs where project_id = '' and kind = $1 order by id desc limit 1"
    done = (await db.records(pool, sql, kind))[0]
    assert done["status"] == "DONE", done["error"]


async def members(client: Any, segment_id: str, query: str = "") -> list[str]:
    found = await read(client, f"/v1/customers?segment_id={segment_id}&order=created_at{query}")
    return [one["source_id"] for one in found["customers"]]


async def test_customers_of_a_segment_are_listed(
    client: Any, run_jobs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "BATCH", 2)
    levels = {"ada": "gold", "bob": "iron", "eve": "gold", "joe": "platinum", "kim": "iron"}
    for name, level in levels.items():
        await customer(client, name, metadata={"level": level}, email=f"{name}@example.com")
    passive = (await segment(client, "passive", GOLD))["id"]
    auto = (await segment(client, "auto-update", GOLD))["id"]
    static = (await segment(client, "static", customers=["bob", "kim"]))["id"]
    await run_jobs()
    for one in (passive, auto):
        assert await members(client, one) == ["ada", "eve", "joe"]
        assert await members(client, one, "&email=eve@example.com") == ["eve"]
        assert await members(client, one, "&filters[source_id][conditions][$is]=bob") == []
        first = await read(client, f"/v1/customers?segment_id={one}&order=created_at&limit=2")
        assert (first["total"], first["has_more"]) == (3, True)
        assert await members(client, one, f"&starting_after_id={first['more_starting_after']}") == ["joe"]
    assert await members(client, static) == ["bob", "kim"]
    await customer(client, "kim", metadata={"level": "gold"})
    assert await members(client, passive) == ["ada", "eve", "joe", "kim"], "as it is now"
    await client.delete("/v1/customers/ada")
    assert await members(client, passive) == ["eve", "joe", "kim"]
    assert await members(client, auto) == ["eve", "joe"], "as it was last seen"
    assert (await client.get("/v1/customers?segment_id=seg_nowhere")).status_code == 404


async def test_a_passive_segment_of_a_large_project_is_not_listed(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "MOST", 1)
    made = (await segment(client, "passive", GOLD))["id"]
    await customer(client, "ada", metadata={"level": "gold"})
    assert await members(client, made) == ["ada"]
    await customer(client, "bob")
    answer = await client.get(f"/v1/customers?segment_id={made}")
    assert answer.status_code == 400 and "auto-update" in answer.json()["details"]
    static = (await segment(client, "static", customers=["bob"]))["id"]
    assert await members(client, static) == ["bob"]
