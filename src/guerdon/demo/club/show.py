"""What a year of the club prints."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from guerdon.demo.show import money
from guerdon.pages.club import Figures
from guerdon.verify import Result

BEFORE = ("month", "baskets", "earned", "rewards", "spent", "lapsed", "up", "down")
BEHIND = ("outstanding", "owed")
NARROW = ("month", "earned", "rewards", "spent", "lapsed", *BEHIND)
WIDE = 122
"""How many characters all columns need."""


def year(console: Console, year: Figures, seconds: float) -> None:
    """Month by month, and all of it."""
    names = (*BEFORE, *year.tiers, *BEHIND)
    if not console.is_terminal:
        console.width = WIDE
    shown = names if console.width >= WIDE else NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in shown:
        table.add_column(name, justify="left" if name == "month" else "right", no_wrap=True)
    for row in rows(year):
        cells = dict(zip(names, row, strict=True))
        table.add_row(*(cells[name] for name in shown), style="bold" if row[0] == "all" else None)
    console.print(table)
    baskets = sum(month.baskets for month in year.months)
    proved = sum(month.proved for month in year.months)
    console.print(
        f"{baskets:,} baskets, {seconds:.0f} s. At {proved} of {len(year.months)} month ends the cards' own last entries "
        "come to what the ledger's statement says.",
        soft_wrap=True,
    )


def rows(year: Figures) -> list[tuple[str, ...]]:
    """The table's cells; in the last row what all months come to."""
    table: list[tuple[str, ...]] = []
    for month in year.months:
        counted = (
            month.baskets,
            month.earned,
            month.purchases,
            month.spent,
            month.lapsed,
            month.up,
            month.down,
        )
        tiers = (month.tiers.get(name, 0) for name in year.tiers)
        told = [f"{number:,}" for number in (*counted, *tiers, month.outstanding)]
        table.append((f"{month.first:%b %Y}", *told, money(month.outstanding * year.worth)))
    sums = [
        sum(getattr(month, name) for month in year.months)
        for name in ("baskets", "earned", "purchases", "spent", "lapsed", "up", "down")
    ]
    left = year.months[-1].outstanding
    none = [""] * len(year.tiers)
    table.append(("all", *(f"{n:,}" for n in sums), *none, f"{left:,}", money(left * year.worth)))
    return table


def verified(console: Console, results: Sequence[Result]) -> bool:
    """What `guerdon verify` finds in the year's database."""
    broken = [result for result in results if not result.holds]
    for result in broken:
        console.print(
            f"fail {result.invariant}: {result.says} {result.rows[:3]}", markup=False, soft_wrap=True
        )
    if not broken:
        console.print(
            f"guerdon verify: all {len(results)} statements hold. make demo shows the year at /demo/club.\n"
        )
    return not broken


def stopped(console: Console) -> None:
    """It was stopped."""
    console.print("Stopped; the next start goes on with the day that was under way.", style="dim")


def beside(console: Console) -> None:
    """A worker's nights made the past impossible."""
    console.print(
        "A worker ran its nights on this database, and let everything lapse. The year needs one without a worker.",
        style="yellow",
    )
