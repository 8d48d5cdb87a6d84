"""Rows of exports: what they hold, and how much of them is in memory at once."""

import json
from typing import Any

import pytest

from guerdon.exports import rows
from guerdon.exports.asked import Parameters, check
from guerdon.kit import clock, db

from .loyalty import ok
from .test_exports import ask, table

Client = Any  # tests/api/conftest.py has it


class Heard:
    """A connection whose last statement is known."""

    def __init__(self, conn: Any) -> None:
        self.conn, self.sql = conn, ""

    def cursor(self, sql: str, *values: Any, **how: Any) -> Any:
        self.sql = sql
        return self.conn.cursor(sql, *values, **how)


async def exported(client: Client, run_jobs: Any, kind: str, **parameters: Any) -> list[dict[str, str]]:
    made = await ask(client, kind, **parameters)
    await run_jobs()
    return await table(client, made)


async def test_of_metadata_that_alone_is_read_which_was_asked_for(client: Client, pool: db.Pool) -> None:
    metadata = {"a": "x", "b": [1, None], "c": None, "it's": True, "long": "y" * 100_000}
    await ok(client, "POST", "/v1/customers", {"source_id": "ann", "metadata": metadata})
    fields = ["metadata.a", "metadata.b", "metadata.c", "metadata.none", "metadata.it's", "source_id"]
    asked = check("customer", Parameters(fields=fields), None, "UTC")
    async with pool.acquire() as conn, conn.transaction():
        heard = Heard(conn)
        found = await rows.read(heard, asked, client.project_id, await clock.database_now(conn), None)  # type: ignore[arg-type]
    assert found.text == 'x,"[1,null]",,,true,ann\n' and found.count == 1
    assert "c.metadata ->" in heard.sql and "c.metadata," not in heard.sql


async def test_a_step_ends_when_there_is_enough_of_it(
    client: Client, pool: db.Pool, monkeypatch: pytest.MonkeyPatch, run_jobs: Any
) -> None:
    monkeypatch.setattr(rows, "CHARACTERS", 1_000)
    for number in range(30):
        body = {"source_id": f"c{number:02}", "metadata": {"text": "z" * 300}}
        await ok(client, "POST", "/v1/customers", body)
    found = await exported(client, run_jobs, "customer", fields=["source_id", "metadata"], order="created_at")
    assert [row["Source ID"] for row in found] == [f"c{number:02}" for number in range(30)]
    parts = await db.value(pool, "select count(*) from export_files where project_id = $1", client.project_id)
    assert 7 <= parts <= 15


async def test_all_codes_of_a_publication_are_exported(client: Client, run_jobs: Any) -> None:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}
    await ok(client, "POST", "/v1/campaigns", {"name": "Many", "type": "AUTO_UPDATE", "voucher": voucher})
    body = {"campaign": {"name": "Many", "count": 3}, "customer": {"source_id": "ann"}}
    made = await ok(client, "POST", "/v1/publications", body)
    [row] = await exported(client, run_jobs, "publication", fields=["voucher_code", "code"])
    assert row == {"Voucher Code": ",".join(made["vouchers"]), "Code": ",".join(made["vouchers"])}


async def test_points_of_customers_are_those_that_can_be_spent(client: Client, run_jobs: Any) -> None:
    body = {
        "name": "club", "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 100}},
    }  # fmt: skip
    campaign = (await ok(client, "POST", "/v1/campaigns", body))["id"]
    path = f"/v1/loyalties/{campaign}/members"
    card = (await ok(client, "POST", path, {"customer": {"source_id": "ann"}}))["code"]
    bonus = {"amount": 30, "expiration_date": "2050-12-31"}
    await ok(client, "POST", f"/v1/vouchers/{card}/balance", bonus)
    sql = "update card_lots set expires_at = now() - interval '1 day' where project_id = $1 and expires_at is not null"
    await client.app.state.pool.execute(sql, client.project_id)
    shown = (await ok(client, "GET", "/v1/customers/ann"))["loyalty"]["points"]
    [row] = await exported(client, run_jobs, "customer", fields=["source_id", "loyalty_points"])
    assert (row["Loyalty Points"], shown) == ("100", 100)


def _told(value: Any) -> Any:
    """An answer without what it says nothing about."""
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items() if one is not None}
    return value


EXPORTED_DETAILS = {"balance", "order", "redemption", "rollback", "earning_rule"}


async def test_details_of_transactions_are_those_of_the_listing(client: Client, run_jobs: Any) -> None:
    await ok(client, "POST", "/v1/vouchers/CARD", {"type": "GIFT_VOUCHER", "gift": {"amount": 5_000}})
    body = {
        "redeemables": [{"object": "voucher", "id": "CARD"}],
        "order": {"source_id": "web-1", "amount": 700},
    }
    redeemed = (await ok(client, "POST", "/v1/redemptions", body))["redemptions"][0]
    await ok(client, "POST", f"/v1/redemptions/{redeemed['id']}/rollback", {})
    club = {"name": "Club", "voucher": {"type": "LOYALTY_CARD", "loyalty_card": {"points": 5}}}
    club_id = (await ok(client, "POST", "/v1/loyalties", club))["id"]
    rule = {"event": "order.paid", "loyalty": {"type": "FIXED", "points": 9}, "source": {"banner": "Nine"}}
    await ok(client, "POST", f"/v1/loyalties/{club_id}/earning-rules", [rule])
    member = await ok(client, "POST", f"/v1/loyalties/{club_id}/members", {"customer": {"source_id": "ann"}})
    await ok(
        client, "POST", "/v1/orders", {"amount": 100, "status": "PAID", "customer": {"source_id": "ann"}}
    )
    await run_jobs()
    listed = (await ok(client, "GET", "/v1/vouchers/CARD/transactions"))["data"]
    listed += (await ok(client, "GET", f"/v1/loyalties/members/{member['code']}/transactions"))["data"]
    wanted = {
        one["id"]: {name: _told(value) for name, value in one["details"].items() if name in EXPORTED_DETAILS}
        for one in listed
    }
    found = await exported(client, run_jobs, "voucher_transactions", fields=["id", "details"])
    assert {row["ID"]: json.loads(row["Details"]) for row in found} == wanted
    kinds = [set(one) for one in wanted.values()]
    assert {"balance", "order", "redemption", "rollback"} in kinds
    assert {"balance", "order", "earning_rule"} in kinds
