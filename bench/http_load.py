"""Over HTTP: 64 keep-alive clients on one server process, PostgreSQL and the clients on the same cores (figure 2).

python bench/http_load.py
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop
from ground import (
    CLIENTS,
    ROUNDS,
    SECONDS,
    Result,
    Shop,
    bytes_for,
    database,
    median,
    open_shop,
    result_of,
    table,
    verdict,
)

PORT = int(os.environ.get("GUERDON_BENCH_PORT", "8899"))
HERE = Path(__file__).parent


class Client(asyncio.Protocol):
    """One connection that sends its next request as soon as it is answered; as cheap as Python can make it."""

    def __init__(self, make: "Requests", done: asyncio.Future[None]) -> None:
        self.make = make
        self.done = done
        self.buffer = bytearray()
        self.expected = 0
        self.sent = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.ask()

    def ask(self) -> None:
        assert self.transport is not None
        now = time.perf_counter()
        if now >= self.make.end:
            self.transport.close()
            return
        self.sent = now
        self.transport.write(self.make.next())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.expected:
            head = self.buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            low = bytes(self.buffer[:head]).lower()
            at = low.index(b"content-length:") + 15
            self.expected = head + 4 + int(low[at : low.find(b"\r\n", at) if b"\r\n" in low[at:] else None])
        if len(self.buffer) < self.expected:
            return
        self.make.statuses[bytes(self.buffer[9:12])] += 1
        self.make.bytes_in = self.expected
        self.make.latencies.append(time.perf_counter() - self.sent)
        self.buffer.clear()
        self.expected = 0
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Requests:
    """What is sent, and what came of it."""

    def __init__(self, shop: Shop, path: str, code: str, seconds: float, key: bool) -> None:
        body = bytes_for(code)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{PORT}\r\nx-app-id: {shop.credentials.app_id}\r\n"
            f"x-app-token: {shop.credentials.app_token}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n"
        )
        self.before, self.after = head.encode(), b"\r\n" + body
        self.key = key
        self.count = 0
        self.tag = f"{os.getpid()}-{time.monotonic_ns()}"
        self.end = time.perf_counter() + seconds
        self.latencies: list[float] = []
        self.statuses: Counter[bytes] = Counter()
        self.bytes_in = 0

    def next(self) -> bytes:
        self.count += 1
        if not self.key:
            return self.before + self.after
        return self.before + b"idempotency-key: %s-%d\r\n" % (self.tag.encode(), self.count) + self.after


async def load(
    shop: Shop, path: str, code: str, seconds: float, clients: int = CLIENTS, *, key: bool = True
) -> Result:
    """Drive one endpoint; any answer that is not 200 ends the benchmark."""
    loop = asyncio.get_running_loop()
    make = Requests(shop, path, code, seconds, key)
    begin = time.perf_counter()
    ends = []
    for _ in range(clients):
        done: asyncio.Future[None] = loop.create_future()
        ends.append(done)
        await loop.create_connection(lambda done=done: Client(make, done), "127.0.0.1", PORT)
    await asyncio.gather(*ends)
    if set(make.statuses) != {b"200"}:
        raise SystemExit(f"{path}: not only 200: {dict(make.statuses)}")
    result = result_of(make.latencies, time.perf_counter() - begin)
    print(
        f"  {path:<20} {result.rate:8,.0f}/s  p99 {result.p99:6.1f} ms  {make.bytes_in} bytes back",
        flush=True,
    )
    return result


def serve(dsn: str, port: int = PORT) -> subprocess.Popen[bytes]:
    """One server process, as `guerdon serve` starts it, without the worker."""
    environment = os.environ | {
        "DATABASE_URL": dsn, "GUERDON_DATABASE_URL": dsn, "GUERDON_PORT": str(port), "PYTHONPATH": str(HERE),
        "GUERDON_LOG_LEVEL": "warning",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "guerdon.serving", "web", "bench_app:create_app"],
        stdin=subprocess.PIPE, env=environment,
    )  # fmt: skip
    from guerdon.serving import is_live

    while not is_live("127.0.0.1", port):
        if process.poll() is not None:
            raise SystemExit("the server did not start")
        time.sleep(0.05)
    return process


WAYS = ("/v1/redemptions", "/v1/bench/naive", "/v1/bench/decode", "/v1/bench/decode-hot", "/v1/validations")


def main() -> None:
    with database() as dsn:
        shop = asyncio.run(open_shop(dsn))
        server = serve(dsn)
        try:
            for path in WAYS:
                uvloop.run(load(shop, path, shop.hot, 1.0))
            results: dict[str, list[Result]] = {path: [] for path in WAYS}
            for _ in range(ROUNDS):
                for path in WAYS:
                    results[path].append(uvloop.run(load(shop, path, shop.hot, SECONDS)))
        finally:
            server.terminate()
            server.wait()
    ours, naive, echo, bare, validate = (median(results[path]) for path in WAYS)
    table("Over HTTP, one hot code, 64 keep-alive clients, one server process", [
        (name, f"{r.rate:,.0f}", f"{r.p50:.1f}", f"{r.p99:.1f}")
        for name, r in (("redeem", ours), ("redeem, naive", naive), ("decode 2 KB, answer 3 KB", echo),
            ("the same, before the router", bare), ("validate", validate))
    ], ("endpoint", "requests/s", "p50 ms", "p99 ms"))  # fmt: skip
    table("", [
        ("redeem / naive", f"{ours.rate / naive.rate:.1f}", verdict(ours.rate / naive.rate, 6)),
        ("redeem / decode only", f"{ours.rate / echo.rate:.2f}", verdict(ours.rate / echo.rate, 0.45)),
        ("p99 of redeem, ms", f"{ours.p99:.1f}", verdict(ours.p99, 40, at_least=False)),
    ], ("ratio", "measured", "bound"))  # fmt: skip


if __name__ == "__main__":
    main()
