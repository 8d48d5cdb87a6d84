"""Somebody who kills things: servers, the worker, the whole of `serve`, PostgreSQL and its connections."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from servers import Server

from .till import Log

# The figure is for a machine of one's own: beside other tests it only tells what works from what does not.
RECOVERY_SECONDS = 20.0 if os.environ.get("GUERDON_PROVE") == "1" else 90.0

KINDS = {
    "server kill -9": 5,
    "server SIGSTOP": 2,
    "worker kill -9": 2,
    "serve kill -9": 2,
    "connection terminated": 4,
    "connection kill -9": 2,
    "connection SIGSTOP": 2,
    "PostgreSQL kill -9": 3,
}
"""What is done, and how often in comparison. A connection is the PostgreSQL process behind it."""


class Chaos:
    """Kills one thing after the other, and starts again only what an operator's machine would: `serve` itself."""

    def __init__(self, server: Server, log: Log, chance: random.Random, stop_seconds: float) -> None:
        self.server = server
        self.log = log
        self.chance = chance
        self.stop_seconds = stop_seconds
        self.done: Counter[str] = Counter()
        self.kills = 0
        self.longest: dict[str, float] = {}
        self._asleep: set[asyncio.Task[None]] = set()

    async def run(self, kills: int) -> None:
        """Kill that often: each kind once, then by chance. Mostly it waits until things work again, not always."""
        rest = self.chance.choices(list(KINDS), list(KINDS.values()), k=max(0, kills - len(KINDS)))
        plan = [*list(KINDS)[:kills], *rest]
        self.chance.shuffle(plan)
        for kind in plan:
            while not await self._kill(kind):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # there is none of this kind right now
            self.done[kind] += 1
            self.kills += 1
            killed = time.monotonic()
            if self.chance.random() < 0.85:
                while self.log.last_won <= killed:
                    assert time.monotonic() - killed < RECOVERY_SECONDS, f"nothing works after {kind}"
                    await asyncio.sleep(0.01)
                seconds = self.log.last_won - killed
                self.longest[kind] = max(self.longest.get(kind, 0.0), seconds)
                print(f"{kind}: {seconds:.1f} s until the next success")  # shown with a failure
            await asyncio.sleep(self.chance.uniform(0.1, 0.8))
        if self._asleep:
            await asyncio.wait(self._asleep)

    async def _kill(self, kind: str) -> bool:
        what, _, how = kind.partition(" ")
        if what == "serve":
            await asyncio.to_thread(self._kill_serve)
            return True
        pids = {
            "server": lambda: self.server.children("web"),
            "worker": lambda: self.server.children("worker"),
            "connection": self._connections,
            "PostgreSQL": lambda: [pid for pid in [postmaster(self.server)] if pid],
        }[what]()
        if not pids:
            return False
        pid = self.chance.choice(pids)
        number = {"kill -9": signal.SIGKILL, "terminated": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}[how]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number is signal.SIGSTOP:
                task = asyncio.create_task(self._wake_later(pid, _started(pid)))
                self._asleep.add(task)
                task.add_done_callback(self._asleep.discard)
            return True
        return False

    def _kill_serve(self) -> None:
        """Kill it, and start it again as a supervisor would: as often as it takes, for a server process that is
        stopped right now holds the port until it can notice that its parent is gone."""
        self.server.kill()
        self.server.start()
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not self.server.children("web"):
            assert time.monotonic() < deadline, self.server.log.read_text()[-2000:]
            if self.server.process is not None and self.server.process.poll() is not None:
                self.done["serve started once more"] += 1
                self.server.start()
            time.sleep(0.05)

    async def _wake_later(self, pid: int, started: str) -> None:
        await asyncio.sleep(self.stop_seconds)
        if _started(pid) == started:  # and not another process that got its number
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _connections(self) -> list[int]:
        pid = postmaster(self.server)
        if pid is None:
            return []
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [int(child) for child in children if b"[local]" in _title(child)]
        return []


def postmaster(server: Server) -> int | None:
    """The process id of a server's embedded PostgreSQL, if it lives."""
    data = (server.folder / "data" / "postgres").resolve() / "data"
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().split("\n")[0])
        if Path(f"/proc/{pid}/cwd").readlink() == data:
            return pid
    return None


def _title(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _started(pid: int) -> str:
    """When a process began: together with its number, its identity."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
