"""G-04: kill everything there is, again and again, while tills redeem. What was acknowledged is there, once."""

import asyncio
import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import HOST, Server, serving

from guerdon.kit.postgres import EmbeddedPostgres

from .books import compare
from .chaos import Chaos
from .club import BEGINNING, PRICE, Club, ClubTill, furnish, join
from .limits import BUDGETED, set_up
from .till import CARDS, HOT, PLENTY, TILLS, Ask, Log, Till
from .worker import finish

pytestmark = pytest.mark.sized
PROVE = os.environ.get("GUERDON_PROVE") == "1"
ASKED = int(os.environ.get("GUERDON_TEST_KILLS", "0"))
KILLS = ASKED or (200 if PROVE else 10)
REDEMPTIONS = 20_000 if PROVE else 1_000
HOT_LIMIT = 3_000 if PROVE else 100
MUGS = 400 if PROVE else 20
STOP_SECONDS = 5.0 if PROVE else 1.5
REPEATS = 2_000 if PROVE else 200
LONGEST_SECONDS = 3_000 if PROVE else 120 + 10 * ASKED


@pytest.fixture
def server() -> Iterator[Server]:
    """`guerdon serve` with two server processes, a worker and the embedded, durable PostgreSQL."""
    with serving(GUERDON_PROCESSES="2", GUERDON_DRAIN_SECONDS="0") as made:
        yield made
        for line in made.log.read_text().splitlines():
            if '"internal error"' in line:
                print(line.encode().decode("unicode_escape"))  # shown with a failure


async def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("GUERDON_TEST_SEED", "0")) or random.randrange(1, 1_000_000)
    bootstrap = server.run("bootstrap", "--json")
    assert bootstrap.returncode == 0, bootstrap.stderr
    made = json.loads(bootstrap.stdout)
    headers = {"X-App-Id": made["app_id"], "X-App-Token": made["app_token"]}
    log, club, started = Log(), Club(), time.monotonic()

    def till(number: int) -> ClubTill:
        address, chance = f"http://{HOST}:{server.port}", random.Random(f"{seed}.{number}")
        made = ClubTill(number, address, headers, log, chance)
        made.club = club
        return made

    first = till(0)
    for code in HOT:
        await first.new_code(HOT_LIMIT, code)
    await first.new_code(None, PLENTY)
    for code in CARDS:
        await first.new_card(code)
    log.tier = await set_up(first.client, HOT_LIMIT)
    await furnish(first.client, club, MUGS)
    chaos = Chaos(server, log, random.Random(seed), STOP_SECONDS)
    await _trade(chaos, [till(number + 1) for number in range(TILLS)], log, started)
    await asyncio.to_thread(server.wait)
    await _use_up(first)
    await _repeat(first, log, random.Random(seed))
    await first.client.aclose()
    assert await asyncio.to_thread(server.stop) == 0
    with EmbeddedPostgres(server.folder / "data") as dsn:
        await finish(dsn)
        wrong = await compare(dsn, made["project_id"], log, HOT_LIMIT, club)
        verified = await asyncio.to_thread(server.run, "verify", "--json")
    wrong["verify"] = sum(bool(one["rows"]) for one in json.loads(verified.stdout))
    figures = _figures(chaos, log, time.monotonic() - started) | wrong
    table = "\n".join(f"| {name} | {figure} |" for name, figure in figures.items())
    print(f"\nG-04, seed {seed}:\n{table}")  # shown with a failure
    if PROVE or ASKED:
        with capsys.disabled():
            print(f"\nG-04, seed {seed}:\n{table}")
    assert {name: count for name, count in wrong.items() if count} == {}, verified.stdout
    assert verified.returncode == 0
    assert log.redemptions >= REDEMPTIONS and chaos.kills == KILLS


async def _trade(chaos: Chaos, tills: list[Till], log: Log, started: float) -> None:
    """Tills at work while things are killed, until both have had enough."""
    over = asyncio.Event()
    work = [asyncio.create_task(till.work(over)) for till in tills]
    killing = asyncio.create_task(chaos.run(KILLS))
    while not (killing.done() and log.redemptions >= REDEMPTIONS):
        if broken := next((task for task in [*work, killing] if task.done() and task.exception()), None):
            broken.result()
        assert time.monotonic() - started < LONGEST_SECONDS, "too slow"
        await asyncio.sleep(0.1)
    over.set()
    await asyncio.gather(*work)


async def _use_up(till: ClubTill) -> None:
    """What is left of the hot codes, the budget, the tier and the mugs can be had: no kill took capacity away."""
    for code in HOT:
        while (await till.redeem([code], keyed=True)).won:
            pass
    for thing in (BUDGETED[0], till.log.tier):
        for number in itertools.count():
            if not (await till.redeem([thing], True, {"source_id": f"late {number}"})).won:
                break
    club = till.club
    for number in itertools.count():
        late = await join(till.client, club, f"last buyer {number}", sure=True)
        club.members.append(late)
        for _ in range(BEGINNING // PRICE):
            if not (await till.buy(late, club.mug)).won:
                return


async def _repeat(till: Till, log: Log, chance: random.Random) -> None:
    """Asks with a key, sent once more after all this: their answers are compared by `compare`."""
    keyed: list[Ask] = [ask for ask in log.asks if ask.keyed and ask.answers]
    for ask in chance.sample(keyed, min(REPEATS, len(keyed))):
        assert await till.try_once(ask)


def _figures(chaos: Chaos, log: Log, seconds: float) -> dict[str, Any]:
    again = sum(ask.tries > 1 for ask in log.asks)
    return {
        "seconds": round(seconds),
        "kills": chaos.kills,
        **{f"of these {kind}": count for kind, count in sorted(chaos.done.items())},
        "requests": sum(ask.tries for ask in log.asks),
        "redemptions acknowledged": log.redemptions,
        "rollbacks acknowledged": sum(ask.won for ask in log.asks if ask.kind == "rollback"),
        "balances moved": sum(ask.won for ask in log.asks if ask.kind == "balance"),
        "returns acknowledged": sum(ask.won for ask in log.asks if ask.kind == "return"),
        "purchases of rewards acknowledged": sum(ask.won for ask in log.asks if ask.kind == "purchase"),
        "refunds of them acknowledged": sum(ask.won for ask in log.asks if ask.kind == "refund"),
        "payments with points answered": sum(ask.won for ask in log.asks if ask.kind == "payment"),
        "paid orders, cancellations of them": ", ".join(
            str(sum(ask.won for ask in log.asks if ask.kind == kind)) for kind in ("order", "cancellation")
        ),
        "waiting points settled": sum(ask.won for ask in log.asks if ask.kind == "pending"),
        "refused": sum(bool(ask.answers) and not ask.won for ask in log.asks),
        "asked again": again,
        "given up without a key": sum(ask.lost for ask in log.asks),
        "longest until the next success, s": ", ".join(
            f"{seconds:.1f} ({kind})"
            for kind, seconds in sorted(chaos.longest.items(), key=lambda one: -one[1])
        ),
    }
