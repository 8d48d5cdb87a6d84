"""The books over HTTP: postings balance, tie to the cards, and say what was owed at any instant."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine.ledger import claw_back, grant, lapse, spend
from guerdon.kit import db
from guerdon.ledger import book as books
from guerdon.ledger.book import Book, entry_ids

Client = Any  # tests/api/conftest.py has it

DAY = timedelta(days=1)
START = datetime(2026, 3, 28, 12, tzinfo=UTC)


async def history(client: Client) -> None:
    """Cards that were sold, used, lapsed and clawed back over days in March."""
    pool = client.app.state.pool
    book = Book()
    one, two = book.open("v_one", "credits", None), book.open("v_two", "camp_x", "camp_x")
    await pool.execute("update projects set timezone = 'Europe/Warsaw' where id = $1", client.project_id)
    book.enter([grant(one, "CREDITS_ADDITION", 5_000, START, entry_ids()[0], expires_at=START + 3 * DAY)])
    # 23:30 in Warsaw, before the clocks went forward; then 00:30, the next day there and still this one in UTC
    book.enter(
        [
            spend(
                one, "CREDITS_REDEMPTION", 1_000, datetime(2026, 3, 28, 22, 30, tzinfo=UTC), entry_ids()[0][0]
            )
        ]
    )
    book.enter(
        [spend(one, "CREDITS_REDEMPTION", 500, datetime(2026, 3, 28, 23, 30, tzinfo=UTC), entry_ids()[0][0])]
    )
    book.enter([lapse(one, "CREDITS_EXPIRATION", START + 4 * DAY, entry_ids()[0][0])])
    entry = grant(two, "POINTS_ACCRUAL", 90, START, entry_ids()[0])
    book.enter([entry, spend(two, "POINTS_REDEMPTION", 60, START, entry_ids()[0][0])])
    book.enter([claw_back(two, "POINTS_CLAWBACK", [entry.parts[0].lot], 90, START + DAY, entry_ids()[0][0])])
    async with db.transaction(pool) as conn:
        await books.write(conn, client.project_id, book, START)


async def postings(client: Client, **query: str) -> dict[str, Any]:
    answer = await client.get(
        "/v1/ledger/postings", params={"start_date": "2026-03-01", "end_date": "2026-04-30"} | query
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_postings_balance_and_tie_to_the_cards(client: Client) -> None:
    await history(client)
    found = await postings(client)
    lines = [
        (p["date"], p["movement"], p["account"], p["debit"], p["credit"])
        for p in found["data"]
        if p["unit"] == "credits"
    ]
    assert lines == [
        ("2026-03-28", "CREDITS_ADDITION", "issued", 5_000, 0),
        ("2026-03-28", "CREDITS_ADDITION", "outstanding", 0, 5_000),
        ("2026-03-28", "CREDITS_REDEMPTION", "outstanding", 1_000, 0),
        ("2026-03-28", "CREDITS_REDEMPTION", "redeemed", 0, 1_000),
        ("2026-03-29", "CREDITS_REDEMPTION", "outstanding", 500, 0),
        ("2026-03-29", "CREDITS_REDEMPTION", "redeemed", 0, 500),
        ("2026-04-01", "CREDITS_EXPIRATION", "outstanding", 3_500, 0),
        ("2026-04-01", "CREDITS_EXPIRATION", "expired", 0, 3_500),
    ]
    points = [
        (p["movement"], p["account"], p["debit"], p["credit"]) for p in found["data"] if p["unit"] == "camp_x"
    ]
    assert points[-3:] == [
        ("POINTS_CLAWBACK", "outstanding", 30, 0),
        ("POINTS_CLAWBACK", "owed", 60, 0),
        ("POINTS_CLAWBACK", "removed", 0, 90),
    ]
    assert sum(p["debit"] for p in found["data"]) == sum(p["credit"] for p in found["data"])
    closing = {(b["unit"], b["account"]): (b["opening"], b["closing"]) for b in found["balances"]}
    assert closing == {
        ("credits", "outstanding"): (0, 0),
        ("camp_x", "outstanding"): (0, 0),
        ("camp_x", "owed"): (0, 60),
    }
    assert {p["account"]: p["account_name"] for p in found["data"]}["expired"] == "Breakage"
    assert {p["currency"] for p in found["data"] if p["unit"] == "camp_x"} == {None}
    march = await postings(client, end_date="2026-03-31", unit="credits")
    assert [(b["opening"], b["debit"], b["credit"], b["closing"]) for b in march["balances"]] == [
        (0, 1_500, 5_000, 3_500)
    ]
    april = await postings(client, start_date="2026-04-01", unit="credits")
    assert [(b["opening"], b["debit"], b["credit"], b["closing"]) for b in april["balances"]] == [
        (3_500, 3_500, 0, 0)
    ]
    for period in (march, april):  # the day before is its opening, the last day its closing
        first = (date.fromisoformat(period["start_date"]) - timedelta(days=1)).isoformat()
        for day, side in ((first, "opening"), (period["end_date"], "closing")):
            owed = (await client.get("/v1/ledger/liability", params={"at": day, "unit": "credits"})).json()[
                "data"
            ]
            assert sum(row["outstanding"] for row in owed) == period["balances"][0][side]
    one = await postings(client, campaign_id="camp_x")
    assert {p["unit"] for p in one["data"]} == {"camp_x"}


async def test_what_was_owed_at_any_instant(client: Client) -> None:
    await history(client)

    async def owed(at: str | None) -> dict[str, tuple[int, int, int]]:
        answer = await client.get("/v1/ledger/liability", params={"at": at} if at else {})
        assert answer.status_code == 200, answer.text
        return {row["unit"]: (row["outstanding"], row["owed"], row["net"]) for row in answer.json()["data"]}

    assert await owed("2026-03-28T11:59:59Z") == {}
    assert await owed("2026-03-28T12:00:00Z") == {"credits": (5_000, 0, 5_000), "camp_x": (30, 0, 30)}
    assert await owed("2026-03-28") == {"credits": (4_000, 0, 4_000), "camp_x": (30, 0, 30)}
    assert await owed("2026-03-29") == {"credits": (3_500, 0, 3_500), "camp_x": (0, 60, -60)}
    assert await owed(None) == {"credits": (0, 0, 0), "camp_x": (0, 60, -60)}


async def test_as_csv(client: Client) -> None:
    await history(client)
    days = {"start_date": "2026-03-01", "end_date": "2026-04-30"}
    answer = await client.get("/v1/ledger/postings", params=days, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows == [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in (await postings(client))["data"]
    ]
    balances = await client.get("/v1/ledger/postings", params=days | {"format": "csv", "part": "balances"})
    assert {row["closing"] for row in csv.DictReader(io.StringIO(balances.text))} == {"0", "60"}
    owed = await client.get("/v1/ledger/liability", params={"format": "csv"})
    assert owed.text.startswith("unit,currency,campaign_id,campaign,cards,outstanding,owed,net\r\n")


async def test_this_month_is_meant_where_nothing_is_said(client: Client) -> None:
    await client.post("/v1/vouchers/TODAY", json={"type": "GIFT_VOUCHER", "gift": {"amount": 700}})
    found = (await client.get("/v1/ledger/postings")).json()
    today = datetime.now(ZoneInfo("UTC")).date()
    assert found["end_date"] == today.isoformat() and found["start_date"] == today.replace(day=1).isoformat()
    assert [(p["account"], p["debit"], p["credit"]) for p in found["data"]] == [
        ("issued", 700, 0),
        ("outstanding", 0, 700),
    ]
    assert found["balances"][0]["closing"] == 700


async def test_what_cannot_be_asked(client: Client) -> None:
    for query in (
        {"start_date": "2026-02-30"}, {"start_date": "yesterday"}, {"end_date": "0001-01-01"}, {"format": "xml"},
        {"start_date": "2026-02-02", "end_date": "2026-02-01"}, {"start_date": "2020-01-01", "end_date": "2021-01-01"},
        {"part": "everything"},
    ):  # fmt: skip
        answer = await client.get("/v1/ledger/postings", params=query)
        assert answer.status_code == 400, query
        assert answer.json()["key"] == "invalid_query_params"
    for at in ("never", "0000-00-00"):
        assert (await client.get("/v1/ledger/liability", params={"at": at})).status_code == 400


async def test_another_project_sees_nothing(client: Client, stranger: Client) -> None:
    await history(client)
    assert (await postings(stranger))["data"] == []
    assert (await stranger.get("/v1/ledger/liability")).json()["data"] == []
