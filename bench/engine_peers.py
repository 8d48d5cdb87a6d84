"""Our engine beside django-oscar, Medusa and Vendure, on one basket, in one run. Run: python bench/engine_peers.py

All promotions ask for an order of at least 10.00 and take 0.05 off it, one after the other, each looking at the order
that the ones before it left; so the totals must be the same. Timed is the function of each that computes, with
everything loaded before: no HTTP, no database server. What is compared:

* ours: `decide` over N promotion tiers, each with its rule set, with the limits on stacking lifted;
* Vendure: `OrderCalculator.applyPriceAdjustments`, promotions and the order as plain objects;
* Medusa: `computeActions` of the promotion module, promotions given to it as plain objects instead of being read;
* django-oscar: `Applicator.apply`, which cannot do without reading: SQLite in memory.

django-oscar is not asked with 1,000: ten took it a second, a hundred took more than a minute.

The packages are installed into a temporary folder (GUERDON_PEERS_FOLDER keeps it), versions as below. None of their
code is here. GUERDON_PEERS lists which to run, e.g. "vendure,medusa".
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ground import collect_rarely, table, verdict
from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine import (
    DEFAULT_STACKING,
    Facts,
    Order,
    OrderIn,
    OrderItemIn,
    Redeemable,
    Terms,
    decide,
    parse_discount,
    price_order,
)
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.situation import Situation

SIZES = (100, 1_000)
TIMES_FASTER = 20.0
MINIMUM, OFF = 1_000, 5
ROUNDS = {100: 60, 1_000: 16}
PATIENCE = float(os.environ.get("GUERDON_PEERS_PATIENCE", "240"))
"""Seconds that one run of a peer may take, its start included."""
HERE = Path(__file__).parent / "peers"
PACKAGES: dict[str, dict[str, Any]] = {
    "medusa": {"dependencies": {"@medusajs/promotion": "2.21.2", "@medusajs/framework": "2.21.2"}},
    "vendure": {
        "dependencies": {"@vendure/core": "3.7.3"},
        # Without this the installation ends with two versions that do not get on.
        "overrides": {"@graphql-tools/batch-execute": "10.2.0"},
    },
}
OSCAR = "django-oscar==4.2.1"
NPM = [
    "npm",
    "install",
    "--legacy-peer-deps",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
]


class Peer(Struct):
    """Somebody else's engine: its name, how it is installed and run in its folder, and how many rounds it gets."""

    name: str
    install: Callable[[Path], None]
    command: Callable[[Path], list[str]]
    rounds: dict[int, int]


class Figure(Struct):
    """Milliseconds of the first call and, warmed up, in the middle; the order's total after all promotions.

    None is not known, `note` says why.
    """

    first: float | None = None
    warm: float | None = None
    total: int | None = None
    note: str = ""


def install_npm(name: str) -> Callable[[Path], None]:
    """How the packages of a peer come into its folder."""

    def install(folder: Path) -> None:
        wanted = {"name": f"peer-{name}", "private": True} | PACKAGES[name]
        (folder / "package.json").write_text(json.dumps(wanted))
        if not (folder / "node_modules").exists():
            subprocess.run(NPM, cwd=folder, check=True, timeout=900, stdout=sys.stderr)

    return install


def install_oscar(folder: Path) -> None:
    """django-oscar in a virtual environment of its own."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
        wanted = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", OSCAR]
        subprocess.run(wanted, check=True, timeout=900, stdout=sys.stderr)


PEERS = [
    Peer("Vendure", install_npm("vendure"), lambda _: ["node", str(HERE / "vendure.cjs")], ROUNDS),
    Peer("Medusa", install_npm("medusa"), lambda _: ["node", str(HERE / "medusa.cjs")], ROUNDS),
    Peer(
        "django-oscar",
        install_oscar,
        lambda folder: [str(folder / "venv" / "bin" / "python"), str(HERE / "oscar_offers.py")],
        {100: 1},
    ),
]


def lines() -> list[dict[str, Any]]:
    """The basket: 20 lines, 1 to 3 of each."""
    return [{"id": f"prod_{n}", "price": 1999 + 137 * n, "quantity": n % 3 + 1} for n in range(20)]


def ask(peer: Peer, folder: Path, promotions: int) -> Figure:
    """One run of a peer, in a process of its own."""
    if promotions not in peer.rounds:
        return Figure(note="left out: 100 already take more than a minute")
    task = {
        "promotions": promotions,
        "rounds": peer.rounds[promotions],
        "minimum": MINIMUM,
        "off": OFF,
        "lines": lines(),
    }
    try:
        run = subprocess.run(
            peer.command(folder),
            cwd=folder,
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return Figure(note=f"not done after {PATIENCE:.0f} s")
    except subprocess.CalledProcessError as error:
        return Figure(note=f"failed: {error.stderr.strip().splitlines()[-1][:80]}")
    answer = json.loads(run.stdout.strip().splitlines()[-1])
    # A JavaScript engine gets faster with every repetition: what counts as warm is the second half.
    taken = answer["milliseconds"]
    return Figure(taken[0], statistics.median(taken[len(taken) // 2 :]), answer["total"], answer["version"])


def basket() -> Order:
    """The same basket for us."""
    return price_order(
        OrderIn(
            items=[
                OrderItemIn(product_id=line["id"], price=line["price"], quantity=line["quantity"])
                for line in lines()
            ]
        )
    )


def tiers(count: int) -> list[Redeemable]:
    """Promotion tiers, each with a rule set and a discount of its own."""
    return [
        Redeemable(
            id=f"promo_{n}",
            key=f"promo_{n}",
            object="promotion_tier",
            rules=(
                parse_rule_set(
                    {
                        "rules": {
                            "1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [MINIMUM]}}
                        }
                    }
                ),
            ),
            terms=Terms(
                discount=parse_discount({"type": "AMOUNT", "amount_off": OFF, "effect": "APPLY_TO_ORDER"})
            ),
        )
        for n in range(count)
    ]


LIFTED = replace(
    DEFAULT_STACKING,
    redeemables_limit=1_000_000,
    applicable_redeemables_limit=1_000_000,
    redeemables_application_mode="PARTIAL",
)


def situation(order: Order) -> Situation:
    """Noon on a day in June."""
    return Situation(now=datetime(2026, 6, 1, 12, tzinfo=UTC), zone=ZoneInfo("UTC"), order=order)


def stacked(order: Order, asked: list[Redeemable]) -> Order | None:
    """All of them, one after the other."""
    return decide(Facts(redeemables=asked, situation=situation(order), stacking=LIFTED)).order


def alone(order: Order, asked: list[Redeemable]) -> int:
    """Each by itself, as a qualification does: how many apply."""
    now = situation(order)
    return sum(decide(Facts(redeemables=[one], situation=now, stacking=LIFTED)).valid for one in asked)


def timed(act: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of every round."""
    taken: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def ours(promotions: int) -> tuple[Figure, Figure]:
    """Stacked, and each by itself; as the application runs, with a collector that is seldom needed."""
    order, rounds = basket(), ROUNDS[promotions]
    figures: list[Figure] = []
    for act in (stacked, alone):
        asked = tiers(promotions)
        collect_rarely()
        taken = timed(lambda: act(order, asked), rounds)  # noqa: B023  (called at once)
        figures.append(Figure(taken[0], statistics.median(taken[rounds // 2 :])))
    result = stacked(order, tiers(promotions))
    assert result is not None and alone(order, tiers(promotions)) == promotions
    figures[0].total = result.total_amount
    return figures[0], figures[1]


def installed(stack: ExitStack) -> dict[str, Path | str]:
    """The folder of every peer that is asked for, or why it has none."""
    wanted = os.environ.get("GUERDON_PEERS", "vendure,medusa,django-oscar").lower().split(",")
    root = os.environ.get("GUERDON_PEERS_FOLDER") or stack.enter_context(tempfile.TemporaryDirectory())
    folders: dict[str, Path | str] = {}
    for peer in PEERS:
        if peer.name.lower() not in wanted:
            continue
        folder = Path(root) / peer.name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            peer.install(folder)
            folders[peer.name] = folder
        except (subprocess.SubprocessError, OSError) as error:
            folders[peer.name] = f"not installed: {type(error).__name__}"
    return folders


def main() -> int:
    """Print the tables; 1 when the totals differ. A bound that is missed is said, as in the other benches."""
    with ExitStack() as stack:
        folders = installed(stack)
        good = True
        for promotions in SIZES:
            figures: list[tuple[str, Figure]] = []
            for peer in PEERS:
                folder = folders.get(peer.name)
                if folder is not None:
                    known = isinstance(folder, Path)
                    figures.append(
                        (peer.name, ask(peer, folder, promotions) if known else Figure(note=str(folder)))
                    )
            good = report(promotions, *ours(promotions), figures) and good
    return 0 if good else 1


def report(promotions: int, own: Figure, alone: Figure, others: list[tuple[str, Figure]]) -> bool:
    """The table of one size; whether the totals agree."""
    rows: list[tuple[str, ...]] = []
    named = [("ours, stacked", own), ("ours, each by itself", alone), *others]
    for name, figure in named:
        cells = [_cell(figure.first, own.first), _cell(figure.warm, own.warm)]
        rows.append((name, *cells[0], *cells[1], str(figure.total or "–"), figure.note))
    table(
        f"{promotions:,} matching promotions on one basket of 20 lines",
        rows,
        ("engine", "first call ms", "× ours", "warm ms", "× ours", "total", "version, or why not"),
    )
    good = all(figure.total == own.total for _, figure in others if figure.total is not None)
    print(f"\ntotals: {'the same' if good else 'NOT the same'}")
    for when in ("first", "warm"):
        taken = [getattr(figure, when) for _, figure in others if getattr(figure, when) is not None]
        if not taken:
            continue
        times = min(taken) / getattr(own, when)
        print(f"{when} call: the fastest of the others / ours = {times:.1f}, {verdict(times, TIMES_FASTER)}")
    return good


def _cell(taken: float | None, own: float | None) -> tuple[str, str]:
    return ("–", "–") if taken is None or not own else (f"{taken:,.2f}", f"{taken / own:,.1f}")


if __name__ == "__main__":
    sys.exit(main())
