"""`guerdon serve`: a parent that holds the database and looks after its children, the servers and the worker.

The parent starts each child anew when it dies. A child's standard input is a pipe that only the parent holds
open: when it ends, the parent is dead, however it died, and the child goes too.
Why there is an own parent around granian: docs/decisions/0002-server.md.
"""

import asyncio
import contextlib
import http.client
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from guerdon.kit import log
from guerdon.settings import Settings, SettingsError, load_settings

APP = "guerdon.app:create_app"
"""`create_app(settings)` makes an ASGI application."""
WORKER = "guerdon.worker:run"
"""`await run(settings, stop)` works until the event `stop` is set."""

BAD_SETTINGS = 2
PORT_WAIT_SECONDS = 5.0
LOOK_SECONDS = 0.1
SLOWEST_RESTART_SECONDS = 5.0
HEALTHY_SECONDS = 5.0

logger = log.get_logger()


class ServingError(RuntimeError):
    """The server cannot start; the message says what to do."""


@dataclass
class Child:
    """A process that is to run for as long as the parent does."""

    kind: str
    target: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_start: float = field(default=0.0)

    def start(self) -> None:
        self.started = time.monotonic()
        # A group of its own: Ctrl-C reaches the parent alone, which then stops the children in order.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guerdon.serving", self.kind, self.target],
            stdin=subprocess.PIPE,
            process_group=0,
            env=self.environment,
        )

    def look_after(self) -> None:
        """Start it when it is due; note when it has died. One killed by a signal comes back at once."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        if code == BAD_SETTINGS:
            raise ServingError(f"The {self.kind} process does not accept its settings.")
        self.close()
        self.failures = 0 if code < 0 or now - self.started > HEALTHY_SECONDS else self.failures + 1
        pause = min(0.2 * 2**self.failures, SLOWEST_RESTART_SECONDS) if self.failures else 0.0
        self.next_start = now + pause
        logger.warning("process ended, starting it again", kind=self.kind, code=code, pause=round(pause, 1))

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


def run(
    settings: Settings, *, app: str = APP, worker: str = WORKER, on_live: Callable[[], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. The database must be there, and migrated.

    On SIGTERM the servers first tell balancers and clients to go elsewhere (see `Draining`) and then finish
    what is in flight; on SIGINT they finish at once. Whatever is left after the grace is killed.
    `on_live` is called once, when /live answers.
    """
    check_port(settings.host, settings.port)
    with tempfile.TemporaryDirectory(prefix="guerdon-metrics-") as figures:
        _run(
            settings,
            os.environ | {"PROMETHEUS_MULTIPROC_DIR": figures} | _as_environment(settings),
            app,
            worker,
            on_live,
        )


def _as_environment(settings: Settings) -> dict[str, str]:
    """What the children need to know of settings that did not come from the environment."""
    return {
        "DATABASE_URL": settings.database_url,
        "GUERDON_DATABASE_URL": settings.database_url,
        "GUERDON_HOST": settings.host,
        "GUERDON_PORT": str(settings.port),
        "GUERDON_LOG_FORMAT": settings.log_format,
        "GUERDON_LOG_LEVEL": settings.log_level,
    }


def _run(
    settings: Settings, environment: dict[str, str], app: str, worker: str, on_live: Callable[[], None] | None
) -> None:
    children = [Child("web", app, environment) for _ in range(settings.processes)]
    if settings.worker_in_serve:
        children.append(Child("worker", worker, environment))
    with _signals() as received:
        live = False
        try:
            while not received():
                for child in children:
                    child.look_after()
                if not live and is_live(settings.host, settings.port):
                    live = True
                    logger.info("serving", address=f"http://{settings.host}:{settings.port}")
                    if on_live is not None:
                        on_live()
            number = signal.SIGTERM if signal.SIGTERM in received() else signal.SIGINT
        except BaseException:
            _stop(children, signal.SIGINT, settings, received)
            raise
        logger.info("stopping", signal=number.name)
        _stop(children, number, settings, received)
    logger.info("stopped")


def _stop(
    children: list[Child],
    number: signal.Signals,
    settings: Settings,
    received: Callable[[], list[signal.Signals]],
) -> None:
    """End all children; a second signal takes away the grace that is left."""
    for child in children:
        child.send(number)
    before = len(received())
    deadline = time.monotonic() + settings.drain_seconds + settings.shutdown_grace
    while any(child.process is not None and child.process.poll() is None for child in children):
        if time.monotonic() > deadline or len(received()) > before:
            logger.warning("killing what has not finished")
            for child in children:
                child.send(signal.SIGKILL)
            deadline, before = float("inf"), sys.maxsize
    for child in children:
        child.close()


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], list[signal.Signals]]]:
    """Catch stop signals; gives a function that waits a moment (less when one comes) and returns all so far."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    caught: list[signal.Signals] = []
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    previous = {number: signal.signal(number, lambda *_: None) for number in handled}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def received() -> list[signal.Signals]:
        if select.select([reader], [], [], LOOK_SECONDS)[0]:
            numbers = [signal.Signals(byte) for byte in os.read(reader, 1024)]
            caught.extend(number for number in numbers if number is not signal.SIGCHLD)
        return caught

    try:
        yield received
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def check_port(host: str, port: int, wait: float = PORT_WAIT_SECONDS) -> None:
    """Raise ServingError when something else listens there, after waiting for a predecessor to finish.

    The servers bind with SO_REUSEPORT, so the kernel itself would let two installations share a port.
    """
    deadline = time.monotonic() + wait
    while True:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as problem:
                if time.monotonic() > deadline:
                    raise ServingError(
                        f"Cannot listen on {host}:{port}: {problem.strerror}. Stop what uses the port, or set "
                        "another one with GUERDON_PORT."
                    ) from problem
        time.sleep(LOOK_SECONDS)


def is_live(host: str, port: int) -> bool:
    """Whether /live answers 200."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(target, port, timeout=1)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Draining:
    """An application that, once told so, sends callers away without failing one of them.

    While `active`, /ready answers 503 (a balancer stops choosing us) and every response closes its connection
    (a client with a kept-alive one opens its next elsewhere), but every request is still answered.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.active = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.active or scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_and_close(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        if scope["path"] == "/ready":
            headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
            await send_and_close({"type": "http.response.start", "status": 503, "headers": headers})
            await send_and_close(
                {"type": "http.response.body", "body": b'{"ready":false,"reason":"stopping"}'}
            )
            return
        await self.app(scope, receive, send_and_close)


async def _serve(settings: Settings, target: str) -> int:
    app = Draining(_load(target)(settings))
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        log_enabled=False,
    )

    async def drain() -> None:
        app.active = True
        await asyncio.sleep(settings.drain_seconds)
        server.stop()

    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    loop.add_signal_handler(signal.SIGTERM, lambda: tasks.add(loop.create_task(drain())))
    loop.add_signal_handler(signal.SIGINT, server.stop)
    _when_orphaned(server.stop)
    await server.serve()
    return 1 if server.interrupt_children else 0


def work(settings: Settings, worker: str = WORKER) -> int:
    """Run the worker in this process until a stop signal; returns the exit code."""
    return uvloop.run(_work(settings, worker, child=False))


async def _work(settings: Settings, target: str, *, child: bool = True) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if child:
        _when_orphaned(stop.set)
    await _load(target)(settings, stop)
    return 0


def _when_orphaned(stop: Callable[[], Any]) -> None:
    """Stop when standard input ends; be gone soon, for a successor may want the port."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(0)
        stop()
        loop.call_later(2.0, os._exit, 1)

    loop.add_reader(0, ended)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def main() -> None:
    """A child: `python -m guerdon.serving web|worker module:name`."""
    kind, target = sys.argv[1:3]
    try:
        settings = load_settings()
    except SettingsError as problem:
        print(problem, file=sys.stderr)
        sys.exit(BAD_SETTINGS)
    log.configure(settings.log_level, settings.log_format)
    sys.exit(uvloop.run(_serve(settings, target) if kind == "web" else _work(settings, target)))


if __name__ == "__main__":
    main()
