"""Migrations: in order, once, under a lock, and never edited afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from guerdon.kit.migrate import MigrationError, migrate, pending, read_migrations


@pytest_asyncio.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without our schema."""
    connection = await asyncpg.connect(postgres_url)
    name = f"test_{os.getpid()}_empty"
    await connection.execute(f"drop database if exists {name} with (force)")
    await connection.execute(f"create database {name}")
    head, _, query = postgres_url.partition("?")
    yield f"{head.rpartition('/')[0]}/{name}?{query}"
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


def write(folder: Path, name: str, sql: str) -> None:
    (folder / name).write_text(sql)


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def lacking(dsn: str, folder: Path) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return await pending(connection, folder)
    finally:
        await connection.close()


async def test_our_own_migrations_are_all_applied_to_the_clones(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    assert await pending(connection) == []
    applied = await connection.fetch("select name from schema_migrations order by version")
    assert [row["name"] for row in applied] == [migration.name for migration in read_migrations()]
    await connection.close()
    assert await migrate(fresh_database_url) == []


async def test_files_are_applied_in_order_and_once(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0002_second.sql", "insert into t values (2);")
    write(tmp_path, "0001_first.sql", "create table t (n int); insert into t values (1);")
    assert await lacking(empty_url, tmp_path) == ["0001_first", "0002_second"]
    assert await migrate(empty_url, tmp_path) == ["0001_first", "0002_second"]
    assert await migrate(empty_url, tmp_path) == []
    assert await lacking(empty_url, tmp_path) == []
    assert await ask(empty_url, "select array_agg(n order by n) from t") == [1, 2]


async def test_a_file_that_fails_leaves_nothing_and_names_its_line(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_good.sql", "create table t (n int);")
    write(tmp_path, "0002_bad.sql", "insert into t values (1);\n\ninsert into missing values (1);")
    with pytest.raises(MigrationError, match=r"0002_bad failed at line 3.*missing"):
        await migrate(empty_url, tmp_path)
    assert await ask(empty_url, "select count(*) from t") == 0
    assert await lacking(empty_url, tmp_path) == ["0002_bad"]


async def test_an_edited_file_is_noticed(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "create table t (n int);\r\n")
    await migrate(empty_url, tmp_path)
    write(tmp_path, "0001_first.sql", "create table t (n int);")  # line ends do not count
    assert await lacking(empty_url, tmp_path) == []
    write(tmp_path, "0001_first.sql", "create table t (n bigint);")
    for act in (lacking(empty_url, tmp_path), migrate(empty_url, tmp_path)):
        with pytest.raises(MigrationError, match="0001_first was edited"):
            await act


async def test_a_newer_database_is_no_mistake(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "create table t (n int);")
    write(tmp_path, "0002_newer.sql", "alter table t add m int;")
    await migrate(empty_url, tmp_path)
    (tmp_path / "0002_newer.sql").unlink()
    assert await lacking(empty_url, tmp_path) == []


async def test_several_at_once_apply_each_file_once_also_outside_a_transaction(
    empty_url: str, tmp_path: Path
) -> None:
    write(
        tmp_path, "0001_first.sql", "create table t (n int); insert into t select generate_series(1, 1000);"
    )
    write(
        tmp_path,
        "0002_index.sql",
        "-- no transaction\n-- a comment; with a semicolon;\ndrop index concurrently if exists t_n;\n"
        "create index concurrently t_n on t (n);\n",
    )
    applied = await asyncio.wait_for(asyncio.gather(*(migrate(empty_url, tmp_path) for _ in range(6))), 30)
    assert sorted(applied) == [[]] * 5 + [["0001_first", "0002_index"]]
    assert await ask(empty_url, "select indisvalid from pg_index where indexrelid = 't_n'::regclass")


async def test_a_table_in_use_is_waited_for_in_small_bites(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "create table t (n int);")
    await migrate(empty_url, tmp_path)
    write(tmp_path, "0002_alter.sql", "alter table t add m int;")
    holder = await asyncpg.connect(empty_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("select * from t")
    running = asyncio.create_task(migrate(empty_url, tmp_path))
    done, _ = await asyncio.wait([running], timeout=1.5)  # longer than one lock_timeout
    assert not done
    await transaction.commit()
    assert await asyncio.wait_for(running, 10) == ["0002_alter"]
    await holder.close()


def test_strange_names_and_numbers_given_twice_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "select 1;")
    write(tmp_path, "0001_other.sql", "select 1;")
    with pytest.raises(MigrationError, match="same number"):
        read_migrations(tmp_path)
    write(tmp_path, "next.sql", "select 1;")
    (tmp_path / "0001_other.sql").unlink()
    with pytest.raises(MigrationError, match=r"next\.sql is not called"):
        read_migrations(tmp_path)


async def test_a_durable_database_is_durable(durable_database_url: str) -> None:
    for switch in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await ask(durable_database_url, f"show {switch}") == "on"
