"""Lists, look-ups and validations among a million vouchers, over HTTP (figure 5).

python bench/lists.py

GUERDON_BENCH_MANY (1000000) is how many, GUERDON_BENCH_ASKS (25) how often each is asked.
"""

import asyncio
import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from ground import body_for, database, table, verdict
from http_load import PORT, serve
from lists_data import fill

from guerdon.kit import db
from guerdon.projects.bootstrap import Credentials

MANY = int(os.environ.get("GUERDON_BENCH_MANY", "1000000"))
FEW = 1_000
ASKS = int(os.environ.get("GUERDON_BENCH_ASKS", "25"))
VALIDATIONS = 1_500
MOST = 50.0
ORDERS = ("-created_at", "created_at", "-updated_at", "updated_at", "code", "-code", "id", "-id")
PAGES = (1, 50, 100)
DEPTH = 20
"""How many pages behind the first one `starting_after_id` is followed before it is measured."""


class Till:
    """One kept-alive connection with a project's key."""

    def __init__(self, port: int, key: Credentials) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {
            "X-App-Id": key.app_id,
            "X-App-Token": key.app_token,
            "Content-Type": "application/json",
        }

    def ask(self, path: str, body: bytes | None = None, method: str = "") -> tuple[float, bytes]:
        """Milliseconds, and the answer, which has to be 200."""
        begin = time.perf_counter()
        self.connection.request(method or ("GET" if body is None else "POST"), path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        taken = (time.perf_counter() - begin) * 1000
        assert answer.status == 200, (path, content[:500])
        return taken, content


def filters(campaigns: list[str]) -> dict[str, str]:
    """What the list is narrowed by, common ones first."""

    def on(field: str, operator: str, value: str) -> str:
        return f"&filters[{field}][conditions][{operator}]={quote(value)}"

    return {
        "none": "",
        "campaign of 60 %": on("campaign_ids", "$is", campaigns[0]),
        "campaign of 1 %": on("campaign_ids", "$is", campaigns[1]),
        "unknown campaign": on("campaign_ids", "$is", "camp_nobody"),
        "active (85 %)": on("active", "$active", "true"),
        "enabled (95 %)": on("active", "$enabled", "true"),
        "code begins with 2 characters": on("code", "$starts_with", "AB"),
        "code begins with 4 characters": on("code", "$starts_with", "AB12"),
        "metadata, 1 in 2000": on("metadata.batch", "$is", str(min(77, MANY // 2000))),
        "metadata, 1 in 6": on("metadata.region", "$is", "eu"),
        "metadata, none": on("metadata.batch", "$is", "none"),
        "expires after 2090-06 (17 %)": on("expiration_date", "$after", "2090-06-01"),
        "expired (7 %)": on("active", "$expired", "true"),
        "expired, made this autumn": on("active", "$expired", "true") + "&[created_at][after]=2026-09-01",
        "disabled (5 %)": on("active", "$disabled", "true"),
    }


def percentile(taken: list[float], share: float = 0.95) -> float:
    """Of a list that is sorted here."""
    taken.sort()
    return taken[min(len(taken) - 1, int(len(taken) * share))]


def pages(till: Till, campaigns: list[str]) -> None:
    """Every order, three pages, each filter; a cell is the worst order's p95, and which it is."""
    rows: list[tuple[str, ...]] = []
    for name, query in filters(campaigns).items():
        path = f"/v1/vouchers?limit=100{query}"
        first = till.ask(path)[0]
        cells = []
        for page in PAGES:
            cells.append(max((_p95(till, f"{path}&order={order}&page={page}"), order) for order in ORDERS))
        cells.append(max((_behind(till, path, order), order) for order in ORDERS))
        worst = max(cells)[0]
        shown = [f"{value:.1f} ({order})" for value, order in cells]
        rows.append((name, f"{first:.0f}", *shown, verdict(worst, MOST, at_least=False)))
    head = ("filter", "first of all", *(f"page {page}" for page in PAGES), "starting_after_id", "bound")
    table(f"Pages of 100 of {MANY:,} vouchers: p95 in ms of the slowest of {len(ORDERS)} orders, {ASKS} requests each", rows, head)  # fmt: skip


def _p95(till: Till, path: str) -> float:
    return percentile([till.ask(path)[0] for _ in range(ASKS)])


def _behind(till: Till, path: str, order: str) -> float:
    """Following starting_after_id page by page from the first one on."""
    taken, after = [], ""
    for _ in range(DEPTH):
        milliseconds, content = till.ask(f"{path}&order={order}{after}")
        taken.append(milliseconds)
        answer = json.loads(content)
        if not answer["has_more"]:
            break
        after = f"&starting_after_id={answer['more_starting_after']}"
    return percentile(taken)


def look_up(till: Till, codes: list[str]) -> None:
    """GET /v1/vouchers/{code}, another code each time."""
    taken = [till.ask(f"/v1/vouchers/{code}")[0] for code in codes]
    p50, p95 = percentile(taken, 0.5), percentile(taken)
    table(f"Look-up by code among {MANY:,} vouchers", [
        (f"{len(codes)} codes at random", f"{p50:.1f}", f"{p95:.1f}", verdict(p95, MOST, at_least=False))
    ], ("what", "p50 ms", "p95 ms", "bound"))  # fmt: skip


def validate(few: Till, many: Till, few_codes: list[str], many_codes: list[str]) -> None:
    """The same basket validated in both databases in turn, another code each time."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(VALIDATIONS):
        for place, (till, codes) in enumerate(((few, few_codes), (many, many_codes))):
            body = json.dumps(body_for(codes[number % len(codes)])).encode()
            milliseconds = till.ask("/v1/validations", body)[0]
            if number >= VALIDATIONS // 10:
                taken[place].append(milliseconds)
    at = {share: tuple(percentile(one, share) for one in taken) for share in (0.5, 0.95)}
    ratios = {share: many_ms / few_ms for share, (few_ms, many_ms) in at.items()}
    table("Validation of eight lines, one client, milliseconds", [
        (f"{FEW:,} vouchers", f"{at[0.5][0]:.2f}", f"{at[0.95][0]:.2f}", ""),
        (f"{MANY:,} vouchers", f"{at[0.5][1]:.2f}", f"{at[0.95][1]:.2f}", ""),
        ("ratio", f"{ratios[0.5]:.2f}", f"{ratios[0.95]:.2f}",
         f"p50 {verdict(ratios[0.5], 1.2, at_least=False)}, p95 {verdict(ratios[0.95], 1.2, at_least=False)}"),
    ], ("database", "p50", "p95", "bound"))  # fmt: skip


RANDOM_CODES = """
    select v.code from vouchers v left join campaigns c on c.project_id = v.project_id and c.id = v.campaign_id
    where v.project_id = $1 and v.active and coalesce(c.active, true) order by md5(v.id) limit $2
"""


async def codes_of(dsn: str, project_id: str, count: int) -> list[str]:
    """Codes at random."""
    conn = await db.connect(dsn)
    try:
        return [row["code"] for row in await conn.fetch(RANDOM_CODES, project_id, count, timeout=120)]
    finally:
        await conn.close()


@contextmanager
def served(dsn: str, port: int) -> Iterator[None]:
    """The real server on a database."""
    server = serve(dsn, port)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    with database() as small, database() as large:
        few_key, _ = asyncio.run(fill(small, FEW))
        many_key, campaigns = asyncio.run(fill(large, MANY))
        asyncio.run(fill(large, MANY // 10))  # another project beside
        few_codes = asyncio.run(codes_of(small, few_key.project_id, 500))
        many_codes = asyncio.run(codes_of(large, many_key.project_id, 500))
        with served(small, PORT), served(large, PORT + 1):
            few, many = Till(PORT, few_key), Till(PORT + 1, many_key)
            validate(few, many, few_codes, many_codes)
            look_up(many, many_codes)
            pages(many, campaigns)


if __name__ == "__main__":
    main()
