"""What the benchmarks share: a durable database of their own, a shop on it, a checkout's body, clients and a table."""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from guerdon.app import collect_rarely
from guerdon.kit import db
from guerdon.kit.auth import CALLER_BY_APP_ID, Caller
from guerdon.kit.call import Reply
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.migrate import migrate
from guerdon.kit.postgres import EmbeddedPostgres
from guerdon.projects.bootstrap import Credentials, create_project
from guerdon.redemptions.asks import RedeemAsk, redeem_ask
from guerdon.redemptions.batch import write_batch
from guerdon.redemptions.memory import Memory
from guerdon.redemptions.shapes import ValidationIn

OPTIONS = {
    "max_connections": "200",
    "min_wal_size": "1536MB",
    "max_wal_size": "6GB",
    "checkpoint_timeout": "30min",
}
CLIENTS = 64
SECONDS = float(os.environ.get("GUERDON_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("GUERDON_BENCH_ROUNDS", "3"))


@contextmanager
def database(
    options: dict[str, str] | None = None, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """A durable server in a folder of its own, migrated; removed at the end."""
    os.environ.update(environment or {})
    try:
        with tempfile.TemporaryDirectory(prefix="guerdon-bench-") as folder:
            # Else root's server, which runs as another account, would put its data elsewhere, and leave it there.
            os.chmod(folder, 0o755)
            with EmbeddedPostgres(Path(folder), options=OPTIONS | (options or {})) as dsn:
                asyncio.run(migrate(dsn))
                asyncio.run(settle_in(dsn))
                yield dsn
    finally:
        for name in environment or {}:
            os.environ.pop(name, None)


async def settle_in(dsn: str) -> None:
    """Let the server have been in use: log files to write over instead of new ones, and no checkpoint near."""
    conn = await db.connect_as_owner(dsn)
    try:
        await conn.execute("create table used (text text)")
        await conn.execute("alter table used alter text set storage external")
        await conn.execute(
            "insert into used select repeat(md5(n::text), 250) from generate_series(1, 130000) as n"
        )
        await conn.execute("drop table used")
        await conn.execute("checkpoint")
    finally:
        await conn.close()


class Shop(msgspec.Struct):
    """A project with one generic code without a limit, and a thousand codes to spread over."""

    credentials: Credentials
    caller: Caller
    hot: str
    spread: list[str]


async def open_shop(dsn: str, codes: int = 1000) -> Shop:
    """Make the project and its codes: 10 percent off, no limit."""
    conn = await db.connect_as_owner(dsn)
    try:
        credentials = await create_project(conn, "bench")
        project = credentials.project_id
        terms = new_id("terms")
        body = {"discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}}
        await conn.execute(
            "insert into voucher_terms (project_id, id, body) values ($1, $2, $3)", project, terms, body
        )
        names = ["BLACKFRIDAY", *(f"SPREAD{n}" for n in range(codes))]
        await conn.execute(
            """insert into vouchers (project_id, id, code, code_key, terms_id)
               select $1, t.id, t.code, t.code, $4 from unnest($2::text[], $3::text[]) as t (id, code)""",
            project, new_ids("voucher", len(names)), names, terms,
        )  # fmt: skip
        caller = await db.row(conn, Caller, CALLER_BY_APP_ID, credentials.app_id)
        assert caller is not None
        return Shop(credentials, caller, names[0], names[1:])
    finally:
        await conn.close()


def body_for(code: str) -> dict:
    """A checkout of eight lines, about 2 KB of JSON."""
    return {
        "redeemables": [{"object": "voucher", "id": code}],
        "customer": None,
        "order": {
            "items": [
                {
                    "source_id": f"sku-{n:04d}-{'x' * 12}",
                    "related_object": "product",
                    "quantity": n % 3 + 1,
                    "price": 199 + 37 * n,
                    "product": {
                        "source_id": f"sku-{n:04d}-{'x' * 12}",
                        "name": f"Roasted coffee beans, bag number {n}, fair trade",
                        "metadata": {"department": "GROCERY", "brand": "private"},
                    },
                }
                for n in range(8)
            ],
            "metadata": {"channel": "web", "store": "406"},
        },
    }


def bytes_for(code: str) -> bytes:
    """The same, encoded as most clients do."""
    return json.dumps(body_for(code), separators=(",", ":")).encode()


_decode = msgspec.json.Decoder(ValidationIn).decode


def ask_for(shop: Shop, body: bytes, number: int) -> RedeemAsk:
    """A redemption, decoded and prepared as the API does, with an Idempotency-Key of its own."""
    key = f"bench-{number}-{time.monotonic_ns()}"
    return redeem_ask(
        shop.caller, "bench", "/v1/redemptions", _decode(body), dry=False, key=key, mark=b"0" * 16
    )


class Naive:
    """The way without batches: each request takes a connection from a pool and has a transaction to itself.

    It runs the very same statements and decisions, so that only the batching differs.
    """

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._memory = Memory()

    async def write(self, ask: RedeemAsk) -> Reply:
        async with self._pool.acquire() as conn:
            answer = (await write_batch(conn, ask.caller.project_id, [ask], self._memory, 1_000_000))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Result(msgspec.Struct):
    """Requests a second, and the latencies of the middle and the slowest hundredth in milliseconds."""

    rate: float
    p50: float
    p99: float


async def drive(
    one: Callable[[int], Awaitable[object]], clients: int = CLIENTS, seconds: float = SECONDS
) -> Result:
    """`clients` that each ask again as soon as they are answered."""
    collect_rarely()  # as the application does
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while (start := time.perf_counter()) < end:
            await one(number)
            latencies.append(time.perf_counter() - start)

    begin = time.perf_counter()
    await asyncio.gather(*(client(n) for n in range(clients)))
    return result_of(latencies, time.perf_counter() - begin)


def result_of(latencies: list[float], seconds: float) -> Result:
    """Rate and percentiles of latencies in seconds."""
    latencies.sort()
    count = len(latencies)
    return Result(
        count / seconds, latencies[count // 2] * 1000, latencies[min(count - 1, int(count * 0.99))] * 1000
    )


def median(results: list[Result]) -> Result:
    """The middle of several rounds, figure by figure."""
    return Result(*(statistics.median(getattr(r, f) for r in results) for f in Result.__struct_fields__))


def table(title: str, rows: list[tuple[str, ...]], head: tuple[str, ...]) -> None:
    """Print a table in plain Markdown, so that it can stand in the docs as it is."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, tuple("-" * w for w in widths), *rows]:
        print("| " + " | ".join(str(c).ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
    sys.stdout.flush()


def verdict(value: float, bound: float, at_least: bool = True) -> str:
    """The bound and whether it holds."""
    return f"{'≥' if at_least else '≤'} {bound:g}: {'ok' if (value >= bound) == at_least or value == bound else 'MISSED'}"
