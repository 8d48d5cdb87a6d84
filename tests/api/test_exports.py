"""Exports over HTTP: every kind of object and field, files of many parts, tokens, kills."""

import csv
import io
from typing import Any

import pytest

from guerdon.exports import rows
from guerdon.exports.jobs import JOBS
from guerdon.exports.tables import TABLES
from guerdon.kit import jobs

Client = Any  # tests/api/conftest.py has it


async def ask(client: Client, exported: str, **parameters: Any) -> dict[str, Any]:
    answer = await client.post("/v1/exports", json={"exported_object": exported, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def table(client: Client, export: dict[str, Any]) -> list[dict[str, str]]:
    """The file, as an outsider downloads it by its address alone."""
    found = (await client.get(f"/v1/exports/{export['id']}")).json()
    assert found["status"] == "DONE" and found["progress"] == 100, found
    headers = {"X-App-Id": "", "X-App-Token": ""}
    answer = await client.get(found["result"]["url"], headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


async def shop(client: Client) -> None:
    """Something of everything that can be exported."""
    await client.post("/v1/customers", json={"source_id": "ann", "name": "=Ann", "metadata": {"vip": True}})
    await client.post("/v1/products", json={"source_id": "mug", "name": "Mug", "price": 900})
    await client.post("/v1/products/mug/skus", json={"source_id": "mug-red", "sku": "Red mug"})
    await client.post(
        "/v1/vouchers/TEN",
        json={"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}},
    )
    await client.post(
        "/v1/vouchers/GIFT",
        json={"type": "GIFT_VOUCHER", "gift": {"amount": 5000}, "metadata": {"shop": "Łódź"}},
    )
    await client.post(
        "/v1/vouchers/GIFT/balance", json={"amount": -700, "source_id": "till", "reason": "@now"}
    )
    order = {"amount": 2000, "source_id": "o-1"}
    answer = await client.post(
        "/v1/redemptions",
        json={
            "redeemables": [{"object": "voucher", "id": "TEN"}],
            "order": order,
            "customer": {"source_id": "ann"},
        },
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("exported", TABLES)
async def test_every_field_of_every_object_can_be_exported(
    client: Client, run_jobs: Any, exported: str
) -> None:
    await shop(client)
    wanted = TABLES[exported]
    fields = [*wanted.columns, *(["metadata.shop"] if wanted.metadata else [])]
    export = await ask(client, exported, fields=fields)
    assert export["status"] == "SCHEDULED" and export["result"] is None and export["object"] == "export"
    assert export["parameters"] == {"fields": fields}
    orders = [await ask(client, exported, order=dash + name) for name in wanted.orders for dash in ("", "-")]
    await run_jobs()
    found = await table(client, export)
    names = rows.header(fields).strip().split(",")
    assert all(list(row) == names for row in found)
    assert len(found) == {
        "publication": 0,
        "points_expiration": 0,
        "voucher": 2,
        "voucher_transactions": 2,
    }.get(exported, 1)
    for other in orders:
        assert len(await table(client, other)) == len(found)


async def test_what_stands_in_the_file(client: Client, run_jobs: Any) -> None:
    await shop(client)
    vouchers = await ask(
        client,
        "voucher",
        order="code",
        fields=["code", "value", "gift_balance", "redemption_count", "metadata.shop", "active"],
    )
    customers = await ask(
        client, "customer", fields=["name", "metadata", "redemptions_total_succeeded", "orders_total_count"]
    )
    moved = await ask(
        client,
        "voucher_transactions",
        order="created_at",
        fields=["type", "amount", "balance", "source_id", "reason", "details"],
    )
    plain = await ask(client, "redemption")
    await run_jobs()
    assert await table(client, vouchers) == [
        {"Code": "GIFT", "Value": "4300", "Gift Balance": "4300", "Redemption Count": "0", "metadata.shop": "Łódź", "Active": "true"},
        {"Code": "TEN", "Value": "10", "Gift Balance": "", "Redemption Count": "1", "metadata.shop": "", "Active": "true"},
    ]  # fmt: skip
    assert await table(client, customers) == [
        {
            "Name": "'=Ann",
            "Metadata": '{"vip":true}',
            "Redemptions Total Succeeded": "1",
            "Orders Total Count": "1",
        }
    ]
    lines = await table(client, moved)
    assert [
        (line["Type"], line["Amount"], line["Balance"], line["Source ID"], line["Reason"]) for line in lines
    ] == [
        ("CREDITS_ADDITION", "5000", "5000", "", ""),
        ("CREDITS_REMOVAL", "-700", "4300", "till", "'@now"),
    ]
    assert '"amount":-700' in lines[1]["Details"].replace(" ", "")
    line = (await table(client, plain))[0]
    assert list(line) == ["ID", "Object", "Voucher Code", "Customer ID", "Date", "Result"]
    assert line["Voucher Code"] == "TEN" and line["Result"] == "SUCCESS" and line["Date"].endswith("Z")


async def test_filters(client: Client, run_jobs: Any) -> None:
    await shop(client)
    gifts = await ask(
        client,
        "voucher",
        filters={"junction": "and", "voucher_type": {"conditions": {"$is": ["GIFT_VOUCHER"]}}},
    )
    none = await ask(client, "voucher", filters={"created_at": {"conditions": {"$before": ["2020-01-01"]}}})
    big = await ask(client, "order", filters={"amount": {"conditions": {"$more_than": 1999}}})
    await run_jobs()
    assert [row["Code"] for row in await table(client, gifts)] == ["GIFT"]
    assert await table(client, none) == []
    assert len(await table(client, big)) == 1


async def test_a_card_a_campaign_and_orders(client: Client, run_jobs: Any) -> None:
    await shop(client)
    made = await client.post(
        "/v1/campaigns",
        json={"name": "cards", "campaign_type": "GIFT_VOUCHERS", "type": "STATIC", "vouchers_count": 3,
              "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 100}}},
    )  # fmt: skip
    campaign = made.json()["id"]
    await run_jobs()
    card = (
        await client.post(
            "/v1/vouchers/GIFT/transactions/export",
            json={"parameters": {"fields": ["amount"], "order": "created_at"}},
        )
    ).json()
    assert card["parameters"]["filters"] == {"voucher_id": {"conditions": {"$in": ["GIFT"]}}}
    assert card["exported_object"] == "voucher_transactions"
    either = {"junction": "or", "type": {"conditions": {"$is": ["CREDITS_ADDITION"]}}}
    whole = (
        await client.post(
            f"/v1/campaigns/{campaign}/transactions/export", json={"parameters": {"filters": either}}
        )
    ).json()
    orders = (await client.post("/v1/orders/export")).json()
    await run_jobs()
    assert [row["Amount"] for row in await table(client, card)] == ["5000", "-700"]
    assert [row["Amount"] for row in await table(client, whole)] == ["100"] * 3
    assert [row["Source ID"] for row in await table(client, orders)] == ["o-1"]
    listed = (await client.get(f"/v1/campaigns/{campaign}/transactions?limit=2")).json()
    assert listed["data_ref"] == "data" and len(listed["data"]) == 2 and listed["has_more"]
    assert {one["campaign_id"] for one in listed["data"]} == {campaign}
    coupons = {
        "name": "coupons",
        "campaign_type": "DISCOUNT_COUPONS",
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 5}},
    }
    assert (await client.post("/v1/campaigns", json=coupons)).status_code == 200
    refused = await client.post("/v1/campaigns/coupons/transactions/export")
    assert (refused.status_code, refused.json()["key"]) == (403, "forbidden")
    assert (await client.get("/v1/campaigns/coupons/transactions")).status_code == 403
    assert (await client.post("/v1/vouchers/TEN/transactions/export")).status_code == 400
    assert (await client.post("/v1/vouchers/NOBODY/transactions/export")).status_code == 404


async def test_a_file_of_many_parts_survives_kills(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS", 7)
    pool = client.app.state.pool
    await pool.execute(
        """
        insert into customers (project_id, id, source_id, name, created_at)
        select $1, 'cust_' || n, 's' || n, case when n % 3 > 0 then 'n' || n % 5 end, now() - make_interval(secs => n / 4)
        from generate_series(1, 100) n
        """,
        client.project_id,
    )
    exports = [
        await ask(client, "customer", fields=["id", "name"], order=order)
        for order in ("-created_at", "name", "-updated_at")
    ]
    killed = 0
    while True:
        claimed = await jobs.claim(pool, "dies", ["export.write"], 10, 0.0)
        if not claimed.due:
            break
        for job in claimed.jobs:
            work = jobs.Work(job, pool)
            work.stopping = True  # every worker is stopped after its first step
            await jobs.run(work, JOBS)
            killed += 1
    assert killed >= 3 * 15
    for export in exports:
        found = [row["ID"] for row in await table(client, export)]
        assert len(found) == 100 and len(set(found)) == 100


async def test_what_came_later_is_not_in_it(client: Client, run_jobs: Any) -> None:
    await client.post("/v1/customers", json={"source_id": "before"})
    export = await ask(client, "customer", fields=["source_id"])
    await client.post("/v1/customers", json={"source_id": "after"})
    await run_jobs()
    assert [row["Source ID"] for row in await table(client, export)] == ["before"]


async def test_listed_and_deleted(client: Client, run_jobs: Any) -> None:
    first, second = await ask(client, "customer"), await ask(client, "order")
    page = (await client.get("/v1/exports?order=created_at")).json()
    assert [one["id"] for one in page["exports"]] == [first["id"], second["id"]]
    assert page["data_ref"] == "exports" and page["total"] == 2
    assert (await client.delete(f"/v1/exports/{first['id']}")).status_code == 204
    assert (await client.delete(f"/v1/exports/{first['id']}")).status_code == 404
    await run_jobs()
    assert (await client.get(f"/v1/exports/{first['id']}")).status_code == 404
    assert await table(client, second) == []
    pool = client.app.state.pool
    assert (
        await pool.fetchval("select count(*) from export_files where project_id = $1", client.project_id) == 1
    )
    assert (await client.delete(f"/v1/exports/{second['id']}")).status_code == 204
    assert (
        await pool.fetchval("select count(*) from export_files where project_id = $1", client.project_id) == 0
    )


async def test_what_cannot_be_exported(client: Client) -> None:
    for body, key, place in (
        ({"exported_object": "api_log"}, "invalid_payload", "exported_object"),
        ({"exported_object": "order", "parameters": {"fields": ["nothing"]}}, "invalid_export_fields", "nothing"),
        ({"exported_object": "sku", "parameters": {"fields": ["metadata."]}}, "invalid_export_fields", "metadata."),
        ({"exported_object": "order", "parameters": {"order": "amount"}}, "invalid_payload", "parameters.order"),
        ({"exported_object": "order", "parameters": {"filters": {"secret": {"conditions": {"$is": ["x"]}}}}}, "invalid_payload", "secret"),
        ({"exported_object": "order", "parameters": {"filters": {"status": {"conditions": {"$like": ["x"]}}}}}, "invalid_payload", "$like"),
        ({"exported_object": "order", "parameters": {"filters": {"status": "PAID"}}}, "invalid_payload", "status"),
        ({"exported_object": "order", "parameters": {"filters": {"status": {"conditions": {"$is": []}}}}}, "invalid_payload", "status"),
        ({"exported_object": "order", "parameters": {"filters": {"status": {"conditions": {"$is": [{}]}}}}}, "invalid_payload", "status"),
        ({"exported_object": "order", "parameters": {"filters": {"junction": "xor"}}}, "invalid_payload", "junction"),
    ):  # fmt: skip
        answer = await client.post("/v1/exports", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["key"] == key and place in answer.text, answer.text
    assert (await client.get("/v1/exports")).json()["total"] == 0


async def test_only_the_token_or_a_key_opens_a_file(client: Client, stranger: Client, run_jobs: Any) -> None:
    await client.post("/v1/customers", json={"source_id": "ann"})
    export = await ask(client, "customer", fields=["source_id"])
    early = await client.get(f"/download/v1/exports/{export['id']}")
    assert early.status_code == 404
    await run_jobs()
    url = (await client.get(f"/v1/exports/{export['id']}")).json()["result"]["url"]
    nobody = {"X-App-Id": "", "X-App-Token": ""}
    assert (await client.get(url[:-1] + ("0" if url[-1] != "0" else "1"), headers=nobody)).status_code == 401
    for path in (
        f"/download/v1/exports/{export['id']}",
        f"/download/v1/exports/{export['id']}?token=",
        f"/download/v1/exports/{export['id']}?token={client.project_id}.",
    ):
        assert (await client.get(path, headers=nobody)).status_code == 401, path
    assert (await stranger.get(f"/download/v1/exports/{export['id']}")).status_code == 404
    assert (await stranger.get(f"/v1/exports/{export['id']}")).status_code == 404
    assert (await stranger.delete(f"/v1/exports/{export['id']}")).status_code == 404
    own = await client.get(f"/download/v1/exports/{export['id']}")
    assert own.text == "Source ID\nann\n" and "attachment" in own.headers["content-disposition"]
    text = await client.get(f"/v1/exports/{export['id']}", headers={"Accept": "text/plain"})
    assert text.text == own.text and text.headers["content-type"].startswith("text/plain")
    token = url.partition("token=")[2]
    assert (await client.get(f"/v1/exports/{export['id']}?token={token}")).text == own.text


async def test_files_are_forgotten(client: Client, run_jobs: Any) -> None:
    export = await ask(client, "customer")
    await run_jobs()
    pool = client.app.state.pool
    await pool.execute(
        "update exports set finished_at = now() - interval '40 days' where id = $1", export["id"]
    )
    assert (await client.get(f"/v1/exports/{export['id']}")).json()["result"] is None
    job = jobs.Job("", "x", "forget.exports", {}, {}, 0, 1, 3, False, "me")
    await JOBS["forget.exports"](jobs.Work(job, pool))
    assert await pool.fetchval("select count(*) from export_files where export_id = $1", export["id"]) == 0


async def test_a_token_of_any_letters_is_refused_and_no_more(client: Client) -> None:
    made = (await client.post("/v1/exports", json={"exported_object": "voucher"})).json()
    for token in ("ł", "%C3%28", "x" * 5_000):
        assert (await client.get(f"/v1/exports/{made['id']}?token={token}")).status_code == 401
