"""Whatever the database's owner changes in the books of cards, `guerdon verify` names it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from guerdon.engine.ledger import Why, claw_back, give_back, grant, lapse, spend, transfer
from guerdon.kit import db
from guerdon.ledger import book as books
from guerdon.ledger.book import Book
from guerdon.verify import Result, verify

START = datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)


def ids(name: str) -> tuple[str, str]:
    return f"vtx_{name}", f"lopb_{name}"


def story() -> Book:
    """Cards on which everything happened that can happen."""
    book = Book()
    gift, old = book.open("v_a", "credits", None), book.open("v_b", "camp_1", "camp_1")
    taker = book.open("v_c", "camp_1", "camp_1")
    book.open("v_empty", "credits", None)
    book.enter([grant(gift, "CREDITS_ADDITION", 1000, START, ids("a1"))])
    book.enter([grant(gift, "CREDITS_ADDITION", 300, START, ids("a2"), expires_at=START + timedelta(days=3))])
    spent = spend(
        gift,
        "CREDITS_REDEMPTION",
        500,
        START + timedelta(1),
        "vtx_a3",
        why=Why(redemption_id="r_1", order_id="ord_1"),
    )
    book.enter([spent])
    why = Why(related_id="vtx_a3", redemption_id="rr_1", cause_id="x")
    book.enter([give_back(gift, "CREDITS_REFUND", spent.parts, 300, START + timedelta(2), "vtx_a4", why)])
    book.enter([lapse(gift, "CREDITS_EXPIRATION", START + timedelta(4), "vtx_a5")])
    book.enter([grant(old, "POINTS_ACCRUAL", 50, START, ids("b1"))])
    book.enter([spend(old, "POINTS_REDEMPTION", 40, START, "vtx_b2")])
    book.enter([claw_back(old, "POINTS_CLAWBACK", ["lopb_b1"], 50, START, "vtx_b3")])
    book.enter([grant(old, "POINTS_ACCRUAL", 70, START, ids("b4"))])
    names = [ids("c1"), ids("c2")]
    book.enter(
        transfer(old, taker, ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN"), 20, START, names, "vtx_b5")
    )
    return book


@pytest_asyncio.fixture
async def owner(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The database's owner, under no role of ours, beside cards with a story."""
    conn = await db.connect(fresh_database_url)
    await conn.execute("insert into projects (id, name) values ('p', 'P'), ('q', 'Q')")
    async with conn.transaction():
        await books.write(conn, "p", story(), START)
    await conn.close()
    owner = await asyncpg.connect(fresh_database_url)
    yield owner
    await owner.close()


async def found(dsn: str, **how: Any) -> list[dict[str, Any]]:
    results: list[Result] = await verify(dsn, (), **how)
    return [{"rule": result.invariant} | row for result in results for row in result.rows]


async def test_sound_cards_are_sound(fresh_database_url: str, owner: asyncpg.Connection) -> None:
    assert await found(fresh_database_url) == []
    assert await owner.fetchval("select count(*) from card_entries") == 11
    # what the application seals with, and what the migration sealed older lots with
    assert await owner.fetchval("select bool_and(seal = lot_seal(l)) from card_lots l") is True


ENTRY_COLUMNS = {
    "project_id": "'q'",
    "card_id": "'v_zz'",
    "seq": "99",
    "id": "'vtx_other'",
    "type": "'CREDITS_REMOVAL'",
    "amount": "-499",
    "balance": "801",
    "total": "1299",
    "parts": """'[["lopb_a2", -300], ["lopb_a1", -199], ["lopb_a1", -1]]'""",
    "related_id": "'vtx_a1'",
    "redemption_id": "'r_2'",
    "order_id": "null",
    "cause_id": "'ern_1'",
    "unit": "'camp_9'",
    "campaign_id": "'camp_9'",
    "hash": "sha256('forged')",
    "created_at": "created_at + interval '1 microsecond'",
}


@pytest.mark.parametrize("column", ENTRY_COLUMNS)
async def test_an_edited_column_of_an_entry_is_named(
    fresh_database_url: str, owner: asyncpg.Connection, column: str
) -> None:
    await owner.execute(f"update card_entries set {column} = {ENTRY_COLUMNS[column]} where id = 'vtx_a3'")
    names = [row for row in await found(fresh_database_url) if row["rule"] == "ledger-chain"]
    gone = {"project_id", "card_id", "seq"}
    if column in gone:
        assert any(row["card_id"] == "v_a" and "entry 3 is missing" in row["says"] for row in names)
    moved = {"project_id": "vtx_a3", "card_id": "vtx_a3", "seq": "vtx_a3", "id": "vtx_other"}
    assert moved.get(column, "vtx_a3") in {row.get("entry_id") for row in names}
    if column not in gone | {
        "id",
        "type",
        "amount",
        "balance",
        "total",
    }:  # those disturb what stands behind them too
        assert {row.get("entry_id") for row in names} == {"vtx_a3"}


async def test_the_table_has_no_other_columns(owner: asyncpg.Connection) -> None:
    columns = await owner.fetch(
        "select column_name from information_schema.columns where table_name = 'card_entries'"
    )
    assert {row["column_name"] for row in columns} == set(ENTRY_COLUMNS)


CARD_EDITS = {
    "balance": "balance = balance + 1, issued = issued + 1",
    "debt": "debt = debt + 1",
    "seq": "seq = seq + 1",
    "head": "head = sha256('forged')",
    "issued": "issued = issued + 1, expired = expired + 1",
    "redeemed": "redeemed = redeemed + 1, refunded = refunded + 1",
    "refunded": "refunded = refunded - 1, transferred = transferred + 1",
    "expired": "expired = expired + 1, removed = removed - 1",
    "removed": "removed = removed + 1, cashed_out = cashed_out - 1",
    "transferred": "transferred = transferred + 1, removed = removed + 1",
    "received": "received = received + 1",
    "cashed_out": "cashed_out = cashed_out + 1, transferred = transferred + 1",
    "unit": "unit = 'camp_9'",
    "campaign_id": "campaign_id = 'camp_9'",
    "id": "id = 'v_aa'",
}


@pytest.mark.parametrize("column", CARD_EDITS)
async def test_an_edited_card_is_named(
    fresh_database_url: str, owner: asyncpg.Connection, column: str
) -> None:
    await owner.execute("alter table card_lots drop constraint card_lots_project_id_card_id_fkey")
    await owner.execute(f"update cards set {CARD_EDITS[column]} where id = 'v_a'")
    rows = await found(fresh_database_url)
    assert {row["card_id"] for row in rows} == ({"v_a", "v_aa"} if column == "id" else {"v_a"})
    said = " ".join(row["says"] for row in rows)
    assert {"seq": "entry 6 is missing", "id": "is no card"}.get(column, column) in said


LOT_EDITS = {
    "remaining": "remaining = remaining - 1",
    "granted": "granted = granted + 1",
    "created_at": "created_at = created_at - interval '1 second'",
    "entry_id": "entry_id = 'vtx_a2'",
    "id": "id = 'lopb_zz'",
    "starts_at": "starts_at = now()",
    "expires_at": "expires_at = now()",
    "parent": "parent = 'lopb_a2'",
    "seal": "seal = null",
}


@pytest.mark.parametrize("column", LOT_EDITS)
async def test_an_edited_lot_is_named(
    fresh_database_url: str, owner: asyncpg.Connection, column: str
) -> None:
    await owner.execute(f"update card_lots set {LOT_EDITS[column]} where id = 'lopb_a1'")
    rows = await found(fresh_database_url)
    assert {row["rule"] for row in rows} == {"ledger-lots"}
    assert "lopb_a1" in {row["lot_id"] for row in rows}


async def test_a_missing_entry_is_named(fresh_database_url: str, owner: asyncpg.Connection) -> None:
    await owner.execute("delete from card_entries where id in ('vtx_a2', 'vtx_a3', 'vtx_a5')")
    says = [row["says"] for row in await found(fresh_database_url) if row["rule"] == "ledger-chain"]
    assert "entries 2 to 3 are missing" in says and "entry 5 is missing" in says


async def test_an_entry_put_in_is_named(fresh_database_url: str, owner: asyncpg.Connection) -> None:
    await owner.execute(
        """
        insert into card_entries select project_id, card_id, 6, 'vtx_new', 'CREDITS_ADDITION', 5, balance + 5, total + 5,
            '[["lopb_new", 5]]', null, null, null, null, unit, campaign_id, sha256('forged'), created_at
        from card_entries where id = 'vtx_a5'
        """
    )
    rows = await found(fresh_database_url)
    assert ("vtx_new", 6) in {(row.get("entry_id"), row.get("seq")) for row in rows}
    assert any("ends at entry 5" in row["says"] for row in rows)


async def test_all_entries_gone_are_named(fresh_database_url: str, owner: asyncpg.Connection) -> None:
    await owner.execute("delete from card_entries where card_id = 'v_a'")
    says = {row["says"] for row in await found(fresh_database_url)}
    assert "entries 1 to 5 are missing" in says


async def test_it_goes_on_behind_a_card(fresh_database_url: str, owner: asyncpg.Connection) -> None:
    await owner.execute("update cards set debt = debt + 1")
    told: list[tuple[str, str, int, int]] = []
    rows = await found(fresh_database_url, progress=lambda *place: told.append(place))
    assert sorted({row["card_id"] for row in rows}) == ["v_a", "v_b", "v_c", "v_empty"]
    assert told == [("p", "v_empty", 4, 4)]
    rows = await found(fresh_database_url, after=("p", "v_b"))
    assert sorted({row["card_id"] for row in rows}) == ["v_c", "v_empty"]
    assert await found(fresh_database_url, after=("q", "")) == []
