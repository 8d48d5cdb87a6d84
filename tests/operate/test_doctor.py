"""Each thing that the doctor finds is broken for real, and found."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio
import time_machine

from guerdon import doctor
from guerdon.doctor import Finding
from guerdon.kit import clock
from guerdon.kit.migrate import migrate
from guerdon.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def findings(dsn: str, **more: object) -> dict[str, Finding]:
    settings = msgspec.convert({"database_url": dsn, "port": free_port()} | more, Settings)
    found = await asyncio.to_thread(doctor.examine, settings)
    return {finding.check: finding for finding in found}


async def run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def named(dsn: str, database: str) -> str:
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"


@pytest_asyncio.fixture
async def odd_database(postgres_url: str) -> AsyncIterator[str]:
    """An empty database in an encoding of the last century."""
    name = f"test_{os.getpid()}_odd"
    await run(
        postgres_url,
        f"drop database if exists {name} with (force)",
        f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0",
    )
    yield named(postgres_url, name)
    await run(postgres_url, f"drop database {name} with (force)")


async def test_a_healthy_installation_is_healthy(durable_database_url: str) -> None:
    found = await findings(durable_database_url)
    assert {finding.level for finding in found.values()} <= {"ok", "info"}
    assert set(found) >= {"database", "durability", "migrations", "clock", "time-zones", "port"}


@pytest.mark.parametrize("switch", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_durability_switched_off(durable_database_url: str, database_url: str, switch: str) -> None:
    found = await findings(database_url)  # the fast server of the tests has all three off
    assert found["durability"].level == "fail"
    assert switch in found["durability"].says
    assert f"alter system set {switch} = on" in found["durability"].mend


async def test_synchronous_commit_switched_off_for_one_database(durable_database_url: str) -> None:
    name = durable_database_url.partition("?")[0].rpartition("/")[2]
    await run(durable_database_url, f"alter database {name} set synchronous_commit = local")
    try:
        found = await findings(durable_database_url)
    finally:
        await run(durable_database_url, f"alter database {name} reset synchronous_commit")
    assert found["durability"].level == "fail"
    assert "synchronous_commit" in found["durability"].says


async def test_a_user_without_the_role_of_the_application(postgres_url: str) -> None:
    name = f"shop_{uuid.uuid4().hex[:8]}"
    await run(postgres_url, f"create role {name} login password 'secret'")
    await run(postgres_url, f"create database {name} owner {name}")
    own = re.sub(r"//([^@/]*@)?", f"//{name}:secret@", named(postgres_url, name), count=1)
    try:
        await migrate(own)
        found = await findings(own)
        assert found["books"].level == "warn"
        assert "guerdon_app" in found["books"].mend
        await run(postgres_url, f"grant guerdon_app to {name}")
        await run(named(postgres_url, name), "grant all on all tables in schema public to guerdon_app")
        await run(
            named(postgres_url, name), "revoke update, delete, truncate on card_entries from guerdon_app"
        )
        assert (await findings(own))["books"].level == "ok"
    finally:
        await run(postgres_url, f"drop database {name} with (force)")
        await run(postgres_url, f"drop role {name}")


async def test_nobody_at_home() -> None:
    found = await findings(f"postgresql://u:p@127.0.0.1:{free_port()}/x")
    assert found["database"].level == "fail"
    assert "DATABASE_URL" in found["database"].mend
    assert "migrations" not in found


async def test_a_wrong_password_and_a_missing_database(postgres_url: str) -> None:
    secret = postgres_url.split(":")[2].split("@")[0]
    found = await findings(postgres_url.replace(secret, "guess"))
    assert found["database"].level == "fail"
    assert "password" in found["database"].mend
    assert secret not in found["database"].says
    found = await findings(named(postgres_url, "nowhere"))
    assert found["database"].level == "fail"
    assert "createdb" in found["database"].mend


async def test_an_old_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_VERSION", 990000)
    found = await findings(database_url)
    assert found["database"].level == "fail"
    assert "too old" in found["database"].says


async def test_missing_migrations_and_a_strange_encoding(odd_database: str) -> None:
    found = await findings(odd_database)
    assert found["migrations"] == Finding(
        "migrations", "fail", found["migrations"].says, "Run: guerdon migrate"
    )
    assert "0001_" in found["migrations"].says
    assert found["encoding"].level == "fail"


async def test_an_edited_migration(fresh_database_url: str) -> None:
    await run(fresh_database_url, "update schema_migrations set checksum = 'other' where version = 1")
    found = await findings(fresh_database_url)
    assert found["migrations"].level == "fail"
    assert "was edited" in found["migrations"].says


async def test_a_database_that_only_reads(fresh_database_url: str) -> None:
    name = fresh_database_url.partition("?")[0].rpartition("/")[2]
    await run(fresh_database_url, f"alter database {name} set default_transaction_read_only = on")
    assert (await findings(fresh_database_url))["read-only"].level == "fail"


async def test_clocks_that_differ(database_url: str) -> None:
    for skew in (timedelta(seconds=3), timedelta(seconds=-3)):
        with time_machine.travel(clock.process_now() + skew):
            found = await findings(database_url)
        assert found["clock"].level == "fail"
        assert "3.0 s" in found["clock"].says


async def test_more_connections_than_there_are(database_url: str) -> None:
    found = await findings(database_url, processes=8, pool_size=100)
    assert found["connections"].level == "warn"


async def test_a_port_that_something_else_uses(database_url: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = await findings(database_url, port=other.getsockname()[1])
    assert found["port"].level == "fail"
    assert "GUERDON_PORT" in found["port"].mend


async def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = await findings("", data_dir=str(tmp_path / "file"))
    assert found["data-directory"].level == "fail"
    assert "GUERDON_DATA_DIR" in found["data-directory"].mend
    assert "cannot hold the data" in found["database"].says


def test_a_password_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    password = tmp_path / "postgres/password"
    password.write_text("x")
    password.chmod(0o644)
    found = list(doctor._data_directory(Settings(data_dir=str(tmp_path))))
    assert (
        Finding("data-directory", "warn", f"{password} can be read by others", f"chmod 600 {password}")
        in found
    )


def test_no_time_zone_data() -> None:
    script = (
        "import sys; sys.modules['tzdata'] = None;"
        "from guerdon import doctor; print(doctor._time_zones().level, doctor._time_zones().mend)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith("fail Run: pip install tzdata")


def test_the_demo_is_only_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert doctor._demo().level == "info"


def test_the_command_prints_json_and_its_exit_code_tells(
    durable_database_url: str, database_url: str
) -> None:
    for dsn, code in ((durable_database_url, 0), (database_url, 1)):
        answer = subprocess.run(
            [sys.executable, "-c", "from guerdon.cli import main; main()", "doctor", "--json"],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "DATABASE_URL": dsn,
                "GUERDON_PORT": str(free_port()),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == code, answer.stderr
        assert {finding["level"] for finding in json.loads(answer.stdout)} & {"fail"} == (
            {"fail"} if code else set()
        )
