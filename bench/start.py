"""How long the embedded PostgreSQL takes to start, in a new folder and again, beside initdb alone (figure 6).

python bench/start.py
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ground import ROUNDS, table, verdict

from guerdon.kit.postgres import EmbeddedPostgres
from guerdon.kit.postgres_binaries import find_binaries

FIRST, NEXT = 10.0, 3.0


def seconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def initdb(folder: Path, account: tuple[int, int]) -> None:
    """What no first start can do without: PostgreSQL's own initdb, as the account that ours runs as."""
    place = folder / "beside"
    place.mkdir()
    os.chown(place, *account)
    command = [find_binaries().program("initdb"), "-D", str(place), "--data-checksums", "--locale=C"]
    as_other = {"user": account[0], "group": account[1], "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(command, capture_output=True, check=True, cwd="/", env={"LC_ALL": "C"}, **as_other)


def main() -> None:
    first, following, after_kill, beside = [], [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="guerdon-bench-") as name:
            os.chmod(name, 0o755)
            server = EmbeddedPostgres(Path(name))
            account = (server.account.uid, server.account.gid)
            beside.append(seconds(partial(initdb, Path(name), account)))
            first.append(seconds(server.acquire))
            server.release()
            following.append(seconds(server.acquire))
            server.release()
            after_kill.append(_after_kill(server))
    a, b, c, d = (statistics.median(taken) for taken in (first, following, after_kill, beside))
    table(f"The embedded PostgreSQL until it takes connections (median of {ROUNDS})", [
        ("first start", f"{a:.2f}", f"{a / d:.2f}", verdict(a, FIRST, at_least=False)),
        ("next start", f"{b:.2f}", f"{b / d:.2f}", verdict(b, NEXT, at_least=False)),
        ("start again after kill -9 of the server", f"{c:.2f}", f"{c / d:.2f}", verdict(c, NEXT, at_least=False)),
        ("initdb alone", f"{d:.2f}", "1.00", ""),
    ], ("what", "seconds", "× initdb", "bound"))  # fmt: skip


def _after_kill(server: EmbeddedPostgres) -> float:
    """From the kill until the server that watches over it has it running again."""
    server.acquire()
    pid = server.pid
    assert pid is not None
    os.kill(pid, 9)
    begin = time.perf_counter()
    while server.pid in (None, pid) or not server._answers():
        time.sleep(0.01)
    taken = time.perf_counter() - begin
    server.release()
    return taken


if __name__ == "__main__":
    main()
