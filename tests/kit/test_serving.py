"""What `guerdon serve` promises of its processes, tried on a tiny application."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from guerdon import serving

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(
    folder: Path, port: int, app: str = "create_app", **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "tiny_app.py"), app],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
        | {
            "GUERDON_PORT": str(port),
            "DATABASE_URL": "postgresql://nowhere/",
            "GUERDON_TEST_FOLDER": str(folder),
        }
        | environment,
        stderr=(folder / "log").open("a"),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def get(
    port: int, path: str = "/", connection: http.client.HTTPConnection | None = None
) -> tuple[int, str, str]:
    """Status, body and the Connection header."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.getheader("connection", "")


def answerer(port: int) -> int:
    """Process id of a server that answers, 0 when none does."""
    try:
        return int(get(port)[1])
    except (OSError, http.client.HTTPException):
        return 0


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def live(port: int) -> bool:
    return serving.is_live("127.0.0.1", port)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_stop_answers_what_is_in_flight_and_ends_the_worker_in_order(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port) as process:
        until(lambda: live(port) and list(tmp_path.glob("worker-*")))
        answers: list[tuple[int, str, str]] = []
        slow = threading.Thread(target=lambda: answers.append(get(port, "/slow")))
        slow.start()
        time.sleep(0.2)  # the request is to be in flight
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        slow.join()
        assert answers[0][0] == 200
        assert [file.read_text() for file in tmp_path.glob("worker-*")] == ["stopped"]
        assert not live(port)


def test_while_draining_ready_is_503_and_connections_close_but_everything_is_answered(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port, GUERDON_DRAIN_SECONDS="1.5") as process:
        until(lambda: live(port))
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert get(port, "/ready", kept)[0] == 200
        process.send_signal(signal.SIGTERM)
        until(lambda: get(port, "/ready")[0] == 503, 1.0)
        status, _, header = get(port, "/", kept)
        assert (status, header) == (200, "close")
        assert get(port, "/")[0] == 200
        assert process.wait(10) == 0


def test_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port, GUERDON_DRAIN_SECONDS="30") as process:
        until(lambda: live(port))
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_a_killed_server_process_comes_back_again_and_again(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port) as process:
        until(lambda: live(port))
        for _ in range(3):
            pid = int(get(port)[1])
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: answerer(port) not in (0, pid))
            assert time.monotonic() - killed < 5
        assert process.poll() is None


def test_a_killed_worker_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port):
        until(lambda: list(tmp_path.glob("worker-*")))
        (file,) = tmp_path.glob("worker-*")
        os.kill(int(file.name.split("-")[1]), signal.SIGKILL)
        until(lambda: len(list(tmp_path.glob("worker-*"))) == 2)


def test_children_go_when_the_parent_is_killed_and_a_successor_gets_the_port(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port) as process:
        until(lambda: live(port) and list(tmp_path.glob("worker-*")))
        children = [int(get(port)[1]), *(int(file.name.split("-")[1]) for file in tmp_path.glob("worker-*"))]
        process.kill()
        killed = time.monotonic()
        with served(tmp_path, port):
            until(lambda: answerer(port) not in (0, *children))
            assert time.monotonic() - killed < 5
            assert not any(is_running(pid) for pid in children)


def test_several_processes_share_the_port(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port, GUERDON_PROCESSES="2", GUERDON_WORKER_IN_SERVE="false") as process:
        until(lambda: live(port))
        seen: set[str] = set()
        until(lambda: seen.add(get(port)[1]) or len(seen) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(serving.ServingError, match="GUERDON_PORT"):
            serving.check_port("127.0.0.1", other.getsockname()[1], wait=0)


def test_an_application_that_does_not_start_is_tried_ever_more_slowly(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port, "create_broken_app", GUERDON_WORKER_IN_SERVE="false") as process:
        log = tmp_path / "log"
        until(lambda: log.read_text().count('"pause"') >= 3)
        pauses = [json.loads(line)["pause"] for line in log.read_text().splitlines() if '"pause"' in line][:3]
        assert pauses == [0.4, 0.8, 1.6]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


class Client(threading.Thread):
    """Sends 25 requests a second over kept-alive connections to whichever of two servers takes connections."""

    def __init__(self, ports: tuple[int, int], over: threading.Event, first: int) -> None:
        super().__init__()
        self.ports, self.over, self.now = ports, over, first
        self.connection: http.client.HTTPConnection | None = None
        self.answered = 0
        self.failed: list[str] = []

    def run(self) -> None:
        while not self.over.wait(0.04):
            try:
                status, _, header = get(0, "/", self._connected())
            except (OSError, http.client.HTTPException) as problem:
                self.failed.append(repr(problem))
                self.connection = None
                continue
            self.answered += status == 200
            if status != 200:
                self.failed.append(str(status))
            if header == "close":
                self.connection = None
                self.now = 1 - self.now

    def _connected(self) -> http.client.HTTPConnection:
        """A refused connection is no failed request: every balancer tries the next server then."""
        for _ in range(2):
            if self.connection is not None:
                break
            candidate = http.client.HTTPConnection("127.0.0.1", self.ports[self.now], timeout=5)
            try:
                candidate.connect()
                self.connection = candidate
            except ConnectionRefusedError:
                self.now = 1 - self.now
        assert self.connection is not None, "both servers are down"
        return self.connection


def test_rolling_over_two_instances_at_200_requests_a_second_fails_none(tmp_path: Path) -> None:
    ports = (free_port(), free_port())
    alone = {"GUERDON_WORKER_IN_SERVE": "false"}
    over = threading.Event()
    clients = [Client(ports, over, number % 2) for number in range(8)]
    with ExitStack() as stack:
        running = [stack.enter_context(served(tmp_path, port, **alone)) for port in ports]
        until(lambda: live(ports[0]) and live(ports[1]))
        for client in clients:
            client.start()
        for number, port in enumerate(ports):
            running[number].send_signal(signal.SIGTERM)
            assert running[number].wait(10) == 0
            running[number] = stack.enter_context(served(tmp_path, port, **alone))
            until(lambda port=port: live(port))
        over.set()
        for client in clients:
            client.join()
    assert [failure for client in clients for failure in client.failed] == []
    assert sum(client.answered for client in clients) > 200
