"""`guerdon serve` as an operator starts it, in processes of its own: for tests that race it and tests that kill it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HOST = "127.0.0.1"
COMMAND = [sys.executable, "-c", "from guerdon.cli import main; main()"]


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for a condition; how many seconds that took. AssertionError says `what` did not come."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


class Server:
    """One `guerdon serve`, on the embedded PostgreSQL in `folder` unless `DATABASE_URL` is in `environment`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"log-{self.port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")}
        inherited.pop("DATABASE_URL", None)
        self.environment = (
            inherited
            | {"GUERDON_PORT": str(self.port), "GUERDON_DATA_DIR": str(folder / "data")}
            | environment
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait` waits for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve"], env=self.environment, stdout=log, stderr=log, process_group=0
            )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another `guerdon` command in the same surroundings."""
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, capture_output=True, text=True, check=False
        )

    def get(self, path: str) -> int:
        """Status of a GET; 0 when nobody answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def wait(self, seconds: float = 40) -> float:
        """Wait for /ready; how long that took."""
        try:
            return until(lambda: self.get("/ready") == 200, seconds, "ready")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log.read_text()[-4000:]}") from None

    def children(self, kind: str) -> list[int]:
        """Process ids of its servers (``web``) or its ``worker``."""
        if self.process is None:
            return []
        try:
            found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except OSError:
            return []
        return [int(pid) for pid in found if f"guerdon.serving\0{kind}\0" in _command(int(pid))]

    def kill(self) -> None:
        """kill -9 of the parent; its children notice."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 40) -> int:
        """Stop it in order; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def serving(dsn: str = "", **environment: str) -> Iterator[Server]:
    """A running server on a database of yours, or on an embedded one in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="guerdon-served-") as folder:
        os.chmod(folder, 0o711)  # the account of the embedded PostgreSQL has to enter
        server = Server(Path(folder), **({"DATABASE_URL": dsn} if dsn else {}), **environment)
        server.start()
        try:
            server.wait()
            yield server
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.stop()
