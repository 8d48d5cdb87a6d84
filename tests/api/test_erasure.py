"""Erasure (G-24): after it nothing that callers told of a person stands in any table, and the books are as they were."""

from typing import Any

import pytest

from guerdon.erasure.scrub import scrubbed, scrubbed_lines
from guerdon.kit import db
from guerdon.ledger.verify import audit
from guerdon.verify import verify

from .checkout import post
from .conftest import Client
from .loyalty import PROGRAMS, ok, program
from .test_exports import ask, table
from .test_loyalty_v1 import LOYALTIES, join
from .test_loyalty_v1 import club as older_club
from .test_rewards_v1 import give, goods
from .test_vouchers_import import send_csv

MARK = "Zebulon-Marker-7341"
COLUMNS = """
    select c.relname as name, a.attname as column
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = 'public' and c.relkind = 'r'
      and a.atttypid in ('text'::regtype, 'text[]'::regtype, 'json'::regtype, 'jsonb'::regtype, 'bytea'::regtype, 'varchar'::regtype)
    order by 1, 2
"""
NOTED = "update redemptions set reward = jsonb_set(reward, '{metadata}', $2) where project_id = $1 and reward is not null"


async def found(pool: db.Pool) -> dict[str, int]:
    """In which columns of the whole database the marker stands, and how often."""
    where: dict[str, int] = {}
    for row in await db.records(pool, COLUMNS):
        text = f'"{row["column"]}"::text'
        kind = await pool.fetchval(
            "select data_type from information_schema.columns where table_schema = 'public' and table_name = $1 and column_name = $2",
            row["name"], row["column"],
        )  # fmt: skip
        if kind == "bytea":
            text = f"encode(\"{row['column']}\", 'escape')"
        count = await pool.fetchval(
            f'select count(*) from "{row["name"]}" where position(lower($1) in lower({text})) > 0', MARK
        )
        if count:
            where[f"{row['name']}.{row['column']}"] = count
    return where


async def told_everywhere(client: Client, manager: Any) -> dict[str, Any]:
    """A person who is told of in every field that is not the name of a thing."""
    more = {"metadata": {"note": MARK, "deep": {"er": [MARK]}}}
    answer = await manager.post("/custom-event-schemas", json={"name": "visit"})
    assert answer.status_code == 200, answer.text
    person = {
        "source_id": MARK, "name": f"{MARK} Jones", "email": f"{MARK}@example.com", "phone": f"+1 555 {MARK}",
        "description": MARK, "address": {"city": MARK, "line_1": MARK, "country": "GB"}, **more,
    }  # fmt: skip
    club = await program(client)
    made = await ok(client, "POST", "/v1/customers", person)
    who = {"customer_identification": {"type": "customer_id", "customer_id": made["id"]}, **more}
    member = await ok(client, "POST", f"{PROGRAMS}/{club['id']}/members", who)
    card = member["cards"][0]["card"]["code"]
    await ok(
        client, "POST", f"/v1/vouchers/{card}/balance", {"amount": 50, "source_id": MARK, "reason": MARK}
    )
    codes = {"name": "Codes", "voucher": {"discount": {"type": "PERCENT", "percent_off": 10}, "redemption": {"quantity": 5}}}  # fmt: skip
    campaign = await ok(client, "POST", "/v1/campaigns", codes | {"vouchers_count": 0})
    await ok(
        client, "POST", f"/v1/campaigns/{campaign['id']}/vouchers/HERS", {"additional_info": MARK, **more}
    )
    given = {"voucher": "HERS", "customer": {"source_id": MARK}, "source_id": MARK, **more}
    await ok(client, "POST", "/v1/publications", given)
    credit = {"name": "Credit", "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 5_000}}}
    gifts = await ok(client, "POST", "/v1/campaigns", credit | {"vouchers_count": 0})
    await ok(client, "POST", f"/v1/campaigns/{gifts['id']}/vouchers/HERGIFT", {**more})
    await ok(client, "POST", "/v1/publications", {"voucher": "HERGIFT", "customer": {"source_id": MARK}})
    await hers(client, made["id"])
    return {"id": made["id"], "club": club, "card": card, "member": member}


async def hers(client: Client, customer_id: str) -> None:
    """A reward that she took; what is noted of it there is hers."""
    made = await older_club(client)
    card = await join(client, made["id"], MARK)
    assert card["holder_id"] == customer_id
    reward = await goods(client)
    await give(client, made["id"], reward["id"], 100)
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 300})
    body = {"reward": {"id": reward["id"]}, "metadata": {"note": MARK}}
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/redemption", body)
    pool = client.app.state.pool  # type: ignore[union-attr]
    assert await db.execute(pool, NOTED, client.project_id, {"for": MARK}) == 1


async def bought(client: Client) -> dict[str, Any]:
    """What the person bought, gave back and did."""
    line = {
        "source_id": "mug",
        "related_object": "product",
        "price": 900,
        "quantity": 3,
        "metadata": {"engraved": MARK},
    }
    order = {"items": [line], "source_id": f"order of {MARK}", "metadata": {"to": MARK}}
    body = {
        "redeemables": [{"object": "voucher", "id": "HERS"}, {"object": "voucher", "id": "HERGIFT", "gift": {"credits": 700}}],
        "customer": {"source_id": MARK}, "order": order, "metadata": {"till": MARK}, "tracking_id": MARK,
        "session": {"type": "LOCK", "key": MARK},
    }  # fmt: skip
    made = await post(client, "/v1/redemptions", body, Idempotency_Key="buying")
    back = {"items": [{"index": 0, "quantity": 1}], "reason": MARK, "metadata": {"why": MARK}}
    await ok(client, "POST", f"/v1/orders/{made['order']['id']}/returns", back)
    one = made["redemptions"][0]["id"]
    await post(
        client, f"/v1/redemptions/{one}/rollback", {"amount": 10, "reason": MARK, "metadata": {"a": MARK}}
    )
    tries = {
        "redeemables": [{"object": "voucher", "id": "NOWHERE"}],
        "customer": {"source_id": MARK},
        "metadata": {"b": MARK},
    }
    assert (await client.post("/v1/redemptions", json=tries)).status_code in (400, 404)
    seen = {"event": "visit", "customer": {"source_id": MARK}, "metadata": {"page": MARK}}
    await ok(client, "POST", "/v1/events", seen)
    await ok(client, "POST", "/v1/vouchers/HERGIFT/balance", {"amount": 5, "source_id": MARK, "reason": MARK})
    return made | {"asked": body}


async def sums(pool: db.Pool, project_id: str) -> list[tuple[Any, ...]]:
    """What stands in the books."""
    sql = "select id, balance, issued, redeemed, refunded, head from cards where project_id = $1 order by id"
    return [tuple(row) for row in await pool.fetch(sql, project_id)]


async def test_nothing_is_left_of_a_person_but_amounts(
    client: Client, manager: Any, run_jobs: Any, database_url: str
) -> None:
    pool = client.app.state.pool  # type: ignore[union-attr]
    person = await told_everywhere(client, manager)
    made = await bought(client)
    await ok(client, "POST", "/v1/customers", {"source_id": "other", "email": "other@example.com"})
    rows = f"Code,Category,note\nHERGIFT,,{MARK}\n"
    assert (await send_csv(client, "/v1/vouchers/importCSV", rows)).startswith("aa_")
    await run_jobs()
    exports = [
        await ask(client, what, **({"fields": ["id", "email", "name"]} if what == "customer" else {}))
        for what in ("customer", "order", "publication", "redemption", "voucher", "voucher_transactions")
    ]
    only = await ask(client, "customer", fields=["name", "metadata"])
    await run_jobs()
    before, owed = await found(pool), await sums(pool, client.project_id)
    assert "redemptions.reward" in before
    assert len(before) > 20 and before["export_files.content"] >= 4, before

    told = await ok(client, "POST", f"/v1/customers/{person['id']}/permanent-deletion")
    assert told["object"] == "pernament_deletion" and told["status"] == "DONE"
    assert told["related_object_id"] == person["id"] and told["data_json"]["customer"] == 1
    assert told["data_json"]["orders"] == 1 and told["data_json"]["redemptions"] >= 4
    await run_jobs()
    assert await found(pool) == {}

    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        assert [finding async for finding in audit(conn, client.project_id)] == []
    assert [result for result in await verify(database_url) if not result.holds] == []
    gifts = [row for row in owed if row[2] == 5_005]
    assert gifts and gifts[0] in await sums(pool, client.project_id)
    await _goes_on(client, person, made, exports, only)


async def _goes_on(
    client: Client, person: dict[str, Any], made: dict[str, Any], exports: list[Any], only: dict[str, Any]
) -> None:
    """Everything can still be read, given back and exported."""
    order = await ok(client, "GET", f"/v1/orders/{made['order']['id']}")
    assert order["amount"] == 1_800 and order["items"][0]["source_id"] == "mug" and order["metadata"] == {}
    for path in (
        *(f"/v1/redemptions/{one['id']}" for one in made["redemptions"]), f"/v1/orders/{order['id']}/returns",
        "/v1/redemptions", "/v1/publications", "/v1/orders", "/v1/vouchers/HERS", "/v1/vouchers/HERGIFT/transactions",
        f"{PROGRAMS}/{person['club']['id']}/activities", "/v1/exports",
    ):  # fmt: skip
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)
    assert (await client.get(f"/v1/customers/{person['id']}")).status_code == 404
    await post(client, f"/v1/redemptions/{made['parent_redemption']['id']}/rollbacks", {})
    rows = await table(client, exports[0])
    assert [row["Email"] for row in rows] == ["other@example.com"]
    assert await table(client, only) == []
    again = await post(client, "/v1/redemptions", made["asked"], Idempotency_Key="buying")
    assert again == {"object": "erased"}


async def test_who_was_deleted_before_is_erased_by_id(client: Client, run_jobs: Any) -> None:
    pool = client.app.state.pool  # type: ignore[union-attr]
    made = await ok(client, "POST", "/v1/customers", {"source_id": "Abednego-77"})
    order = {"customer": {"id": made["id"]}, "amount": 100, "metadata": {"to": "Abednego-77"}}
    await ok(client, "POST", "/v1/orders", order)
    assert (await client.delete(f"/v1/customers/{made['id']}")).status_code == 204
    told = await ok(client, "POST", f"/v1/customers/{made['id']}/permanent-deletion")
    assert told["data_json"]["customer"] == 0 and told["data_json"]["orders"] == 1
    left = "select metadata from orders where project_id = $1"
    assert await pool.fetchval(left, client.project_id) == {}
    assert (await client.post("/v1/customers/cust_nobody/permanent-deletion")).status_code == 404
    assert (await client.post("/v1/customers/Abednego-77/permanent-deletion")).status_code == 404


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"metadata": {"a": 1}, "amount": 5}, {"metadata": {}, "amount": 5}),
        ({"customer": {"id": "cust_1", "email": "x", "object": "customer"}}, {"customer": {"id": "cust_1", "object": "customer"}}),
        ({"source_id": "x", "status": "PAID", "list": [{"reason": "y"}]}, {"source_id": None, "status": "PAID", "list": [{"reason": None}]}),
        ({"items": [{"source_id": "mug", "metadata": {"a": 1}}]}, {"items": [{"metadata": {}, "source_id": "mug"}]}),
        ("text", "text"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_document(document: Any, left: Any) -> None:
    assert scrubbed(document) == left
    assert scrubbed(scrubbed(document)) == left


def test_goods_keep_their_names() -> None:
    line = {"product": {"source_id": "mug", "name": "Mug", "metadata": {"x": 1}}, "metadata": {"for": "Ann"}}
    assert scrubbed_lines([line]) == [
        {"metadata": {}, "product": {"source_id": "mug", "name": "Mug", "metadata": {}}}
    ]
