"""The writer beside the naive way and beside pgbench writing the same rows (figure 1).

python bench/writer.py            all of it, about four minutes
python bench/writer.py hot        one scenario: hot, spread, alone, two, slow
"""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import uvloop
from ground import (
    CLIENTS,
    ROUNDS,
    SECONDS,
    Naive,
    Result,
    Shop,
    ask_for,
    bytes_for,
    database,
    drive,
    median,
    open_shop,
    table,
    verdict,
)

from guerdon.kit import db
from guerdon.redemptions.desk import Desk
from guerdon.settings import Settings

POOL = 16
BATCH = 64


async def batched(dsn: str, shop: Shop, codes: list[str], clients: int = CLIENTS) -> Result:
    """Through the writer."""
    desk = Desk(dsn, Settings(code_guesses_per_minute=1_000_000), pool := await db.open_pool(dsn, size=2))
    bodies = [bytes_for(code) for code in codes]
    count = iter(range(10**12))

    async def one(_: int) -> None:
        number = next(count)
        await desk.write(ask_for(shop, bodies[number % len(bodies)], number))

    await drive(one, clients, 0.5)
    result = await drive(one, clients)
    await desk.close()
    await pool.close()
    return result


async def naive(dsn: str, shop: Shop, codes: list[str], clients: int = CLIENTS) -> Result:
    """One transaction a request."""
    pool = await db.open_pool(dsn, size=POOL, settings=db.HOT)
    way = Naive(pool)
    bodies = [bytes_for(code) for code in codes]
    count = iter(range(10**12))

    async def one(_: int) -> None:
        number = next(count)
        await way.write(ask_for(shop, bodies[number % len(bodies)], number))

    await drive(one, clients, 0.5)
    result = await drive(one, clients)
    await pool.close()
    return result


PGBENCH = """
begin;
select 1 from projects where id = '{project}';
select key from idempotency_keys where project_id = '{project}' and key = any(array(select md5(random()::text) from generate_series(1, {batch})));
select id from vouchers where project_id = '{project}' and code_key = any(array(select {code} from generate_series(1, {batch}))) order by id for update;
insert into orders (project_id, id, status, amount, discount_amount, items_discount_amount, total_discount_amount, total_amount, items, metadata, redemptions)
  select '{project}', 'ord_' || extract(epoch from clock_timestamp())::text || md5(random()::text), 'PAID', 5000, 500, 0, 500, 4500, '{items}', '{{"channel": "web", "store": "406"}}', '{{"r_{filler}": {{"date": "2026-11-22T06:00:00.000Z", "related_object_type": "voucher", "related_object_id": "v_{filler}"}}}}' from generate_series(1, {batch});
insert into redemptions (project_id, id, object, result, status, related_object_type, related_object_id, voucher_id, voucher_code, order_id, channel_id, amount, given, "order")
  select '{project}', 'r_' || extract(epoch from clock_timestamp())::text || md5(random()::text), 'redemption', 'SUCCESS', 'SUCCEEDED', 'voucher', 'v_{filler}', 'v_{filler}', 'BLACKFRIDAY', 'ord_' || md5(random()::text), '{filler}', 500, '{{"order_discount": 500, "line_discounts": [], "added": [], "total": 500}}', '{order}' from generate_series(1, {batch});
update vouchers v set redeemed_quantity = v.redeemed_quantity + t.n from (select {code} as code, count(*) as n from generate_series(1, {batch}) group by 1) t where v.project_id = '{project}' and v.code_key = t.code;
insert into events (project_id, id, type, entity_id, request_id) select '{project}', 'ev_' || extract(epoch from clock_timestamp())::text || md5(random()::text), 'redemption.succeeded', 'r_{filler}', 'bench' from generate_series(1, 3 * {batch});
insert into idempotency_keys (project_id, key, fingerprint, status, headers, body) select '{project}', 'bench-' || md5(random()::text), '\\x00112233445566778899aabbccddeeff', 200, '{{}}', convert_to('{answer}', 'UTF8') from generate_series(1, {batch});
commit;
"""


def pgbench(dsn: str, shop: Shop, spread: bool) -> float:
    """Rows of redemptions a second that pgbench writes in batches, on one connection."""
    import json

    lines = json.dumps([{"object": "order_item", "source_id": f"sku-{n:04d}-xxxxxxxxxxxx", "related_object": "product", "quantity": 2, "amount": 398, "price": 199, "subtotal_amount": 398, "product": {"source_id": f"sku-{n:04d}-xxxxxxxxxxxx", "name": f"Roasted coffee beans, bag number {n}, fair trade", "metadata": {"department": "GROCERY", "brand": "private"}}} for n in range(8)])  # fmt: skip
    order = json.dumps({"object": "order", "id": "ord_" + "x" * 22, "amount": 5000, "items": json.loads(lines), "total_amount": 4500, "discount_amount": 500, "filler": "x" * 200})  # fmt: skip
    answer = json.dumps({"redemptions": [{"order": json.loads(order), "filler": "x" * 900}], "order": json.loads(order)})  # fmt: skip
    code = "'SPREAD' || (random() * 999)::int" if spread else "'BLACKFRIDAY'"
    script = PGBENCH.format(project=shop.credentials.project_id, batch=BATCH, code=code, items=lines, order=order, answer=answer, filler="x" * 22)  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        out = subprocess.run(
            ["pgbench", "-n", "-f", file.name, "-c", "1", "-T", str(int(SECONDS)), "-M", "prepared", dsn],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if out.returncode:
        raise RuntimeError(out.stderr[-2000:])
    tps = next(line for line in out.stdout.splitlines() if line.startswith("tps"))
    return float(tps.split()[2]) * BATCH


def in_process(dsn: str, shop: Shop, clients: int, start: object, results: object) -> None:
    """One of several processes on one hot code."""

    async def go() -> Result:
        desk = Desk(dsn, Settings(), pool := await db.open_pool(dsn, size=2))
        body = bytes_for(shop.hot)
        count = iter(range(10**12))

        async def one(_: int) -> None:
            await desk.write(ask_for(shop, body, next(count) * 1000 + os.getpid() % 1000))

        await drive(one, clients, 0.5)
        start.wait()  # type: ignore[attr-defined]
        result = await drive(one, clients)
        await desk.close()
        await pool.close()
        return result

    results.put(uvloop.run(go()))  # type: ignore[attr-defined]


def processes(dsn: str, shop: Shop, count: int) -> float:
    """Redemptions a second of `count` processes together."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(count), context.Queue()
    made = [
        context.Process(target=in_process, args=(dsn, shop, CLIENTS // count, start, results))
        for _ in range(count)
    ]
    for process in made:
        process.start()
    rates = [results.get(timeout=120).rate for _ in made]
    for process in made:
        process.join()
    return sum(rates)


def compare(
    title: str, dsn: str, shop: Shop, codes: list[str], clients: int, *, spread: bool
) -> tuple[Result, Result, float]:
    """Writer, naive and pgbench in turn, the medians of ROUNDS."""
    ours, theirs, bench = [], [], []
    for _ in range(ROUNDS):
        ours.append(uvloop.run(batched(dsn, shop, codes, clients)))
        theirs.append(uvloop.run(naive(dsn, shop, codes, clients)))
        if clients == CLIENTS:
            bench.append(pgbench(dsn, shop, spread))
    a, b = median(ours), median(theirs)
    c = sorted(bench)[len(bench) // 2] if bench else 0.0
    rows = [
        ("writer", f"{a.rate:,.0f}", f"{a.p50:.2f}", f"{a.p99:.1f}"),
        ("naive", f"{b.rate:,.0f}", f"{b.p50:.2f}", f"{b.p99:.1f}"),
    ]
    if bench:
        rows.append((f"pgbench, batches of {BATCH}", f"{c:,.0f}", "", ""))
    table(title, rows, ("way", "redemptions/s", "p50 ms", "p99 ms"))
    return a, b, c


def hot(dsn: str, shop: Shop) -> None:
    a, b, c = compare("One hot code, 64 clients", dsn, shop, [shop.hot], CLIENTS, spread=False)
    table("", [
        ("writer / naive", f"{a.rate / b.rate:.1f}", verdict(a.rate / b.rate, 10)),
        ("writer / pgbench", f"{a.rate / c:.2f}", verdict(a.rate / c, 0.6)),
        ("p99 writer / naive", f"{a.p99 / b.p99:.3f}", verdict(a.p99 / b.p99, 0.125, at_least=False)),
    ], ("ratio", "measured", "bound"))  # fmt: skip


def spread(dsn: str, shop: Shop) -> None:
    a, b, c = compare("Spread over 1000 codes, 64 clients", dsn, shop, shop.spread, CLIENTS, spread=True)
    table("", [
        ("writer / naive", f"{a.rate / b.rate:.1f}", verdict(a.rate / b.rate, 4)),
        ("writer / pgbench", f"{a.rate / c:.2f}", ""),
    ], ("ratio", "measured", "bound"))  # fmt: skip


def alone(dsn: str, shop: Shop) -> None:
    a, b, _ = compare("One client alone", dsn, shop, [shop.hot], 1, spread=False)
    table("", [("p50 writer / naive", f"{a.p50 / b.p50:.2f}", verdict(a.p50 / b.p50, 1.2, at_least=False))],
          ("ratio", "measured", "bound"))  # fmt: skip


def two(dsn: str, shop: Shop) -> None:
    ones, twos = [], []
    for _ in range(ROUNDS):
        ones.append(processes(dsn, shop, 1))
        twos.append(processes(dsn, shop, 2))
    one, both = sorted(ones)[ROUNDS // 2], sorted(twos)[ROUNDS // 2]
    table("Two processes on one hot code", [
        ("one process", f"{one:,.0f}", ""), ("two processes", f"{both:,.0f}", ""),
        ("two / one", f"{both / one:.2f}", verdict(both / one, 0.75)),
    ], ("way", "redemptions/s", "bound"))  # fmt: skip


SLOW_FSYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static void pause_(void) { usleep(2000); }
int fsync(int fd) { static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fsync"); pause_(); return real(fd); }
int fdatasync(int fd) { static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fdatasync"); pause_(); return real(fd); }
"""


def slow() -> None:
    """The same with 2 ms more in every fsync, as on a cloud disk."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "slow.c"), Path(folder, "slow.so")
        source.write_text(SLOW_FSYNC)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        os.chmod(folder, 0o755)
        with database(environment={"LD_PRELOAD": str(library)}) as dsn:
            os.environ.pop("LD_PRELOAD", None)
            shop = asyncio.run(open_shop(dsn))
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(uvloop.run(batched(dsn, shop, [shop.hot])))
                theirs.append(uvloop.run(naive(dsn, shop, [shop.hot])))
            a, b = median(ours), median(theirs)
            table("One hot code, 64 clients, every fsync 2 ms slower", [
                ("writer", f"{a.rate:,.0f}", f"{a.p99:.1f}", ""), ("naive", f"{b.rate:,.0f}", f"{b.p99:.1f}", ""),
                ("writer / naive", f"{a.rate / b.rate:.1f}", "", verdict(a.rate / b.rate, 20)),
            ], ("way", "redemptions/s", "p99 ms", "bound"))  # fmt: skip


def main() -> None:
    wanted = sys.argv[1:] or ["hot", "spread", "alone", "two", "slow"]
    here = {"hot": hot, "spread": spread, "alone": alone, "two": two}
    for name in wanted:
        if name in here:  # a server each: the next must not pay for the vacuuming of the last
            with database() as dsn:
                here[name](dsn, asyncio.run(open_shop(dsn)))
    if "slow" in wanted:
        slow()


if __name__ == "__main__":
    main()
