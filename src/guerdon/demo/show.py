"""What the demo prints."""

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from guerdon.demo.replay import Result
from guerdon.pages.demo_file import DemoFile
from guerdon.settings import Settings

GREEN = "#2f9e6e"

REASONS = {
    "not_found": "no such code",
    "voucher_expired": "expired",
    "voucher_not_active": "not started yet",
    "voucher_not_active_now": "not at this time",
    "voucher_disabled": "switched off",
    "quantity_exceeded": "used up",
    "exclusion_rules_not_met": "beside one that stands alone",
    "no_effect": "nothing left to take off",
}


def greet(console: Console) -> None:
    """The first line."""
    console.print(f"\n[bold {GREEN}]Guerdon[/] · a corner shop with real baskets\n")


def progress(console: Console) -> Progress:
    """Bars that stay when they are full."""
    return Progress(
        TextColumn("  {task.description:<22}"),
        BarColumn(bar_width=32, complete_style=GREEN, finished_style=GREEN),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


class Bars:
    """A bar for each step of the import; a step that was done before gets none."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        if name not in self.tasks:
            if done == total:
                return
            self.tasks[name] = self.bars.add_task(name, total=total)
        self.bars.update(self.tasks[name], completed=done)


def result(console: Console, day: Result) -> None:
    """What the replayed day came to."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    rate = day.baskets / day.seconds if day.seconds else 0.0
    table.add_row("baskets", f"{day.baskets:,}")
    table.add_row("  of them with a code", f"{day.with_code:,}")
    table.add_row("baskets a second", f"{rate:,.0f}", style="bold")
    table.add_row("requests", f"{day.requests:,} in {day.seconds:.1f} s")
    table.add_row("codes redeemed", f"{day.redeemed:,}")
    table.add_row("promotions redeemed", f"{day.promoted:,}")
    table.add_row("paid", money(day.spent))
    table.add_row("discount given", money(day.discount), style="bold")
    share = round(100 * day.by_promotions / day.discount) if day.discount else 0
    table.add_row("  of it by promotions", f"{money(day.by_promotions)} · {share} %")
    table.add_row("refused", f"{day.refusals.total():,}")
    for key, count in day.refusals.most_common():
        table.add_row(f"  {REASONS.get(key, key)}", f"{count:,}", style="dim")
    console.print(table)


def making_failed(console: Console, problem: Exception) -> None:
    """The promotions could not be made; codes work all the same."""
    console.print(
        "The promotions could not be made, and will be tried again at the next start:", style="yellow"
    )
    console.print(str(problem) or type(problem).__name__, markup=False, soft_wrap=True)


def replay_failed(console: Console, problem: Exception) -> None:
    """The day could not be replayed; the shop works all the same."""
    console.print("The replay stopped, and will be tried again at the next start:", style="yellow")
    console.print(str(problem) or type(problem).__name__, markup=False, soft_wrap=True)


def no_club(console: Console) -> None:
    """The demo's data is from before there was a club."""
    console.print("The club needs a new demo: remove .guerdon and start again.", style="yellow")


def ready(console: Console, settings: Settings, file: DemoFile) -> None:
    """Where everything is, with a command to copy."""
    address = f"http://{reachable(settings.host)}:{settings.port}"
    console.print(
        Panel.fit(
            f"[bold]Shop[/]   {address}/demo\n[bold]Club[/]   {address}/demo/club\n[bold]API[/]    {address}/docs\n"
            f"[bold]Keys[/]   X-App-Id    {file.app_id}\n       X-App-Token {file.app_token}",
            border_style=GREEN,
            title="open",
            title_align="left",
        )
    )
    console.print("Or ask it yourself:\n", style="dim")
    console.print(curl(address, file), markup=False, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything; the next start finds its data.\n", style="dim")


def curl(address: str, file: DemoFile) -> str:
    """A command that validates a code on a small order."""
    body = '{"redeemables":[{"object":"voucher","id":"HARVEST10"}],"order":{"amount":4200}}'
    return (
        f"curl -s {address}/v1/validations -H 'X-App-Id: {file.app_id}' -H 'X-App-Token: {file.app_token}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def bye(console: Console) -> None:
    """The last line."""
    console.print("Stopped. Nothing is left running.", style="dim")


def money(cents: int) -> str:
    """Cents as dollars.

    >>> money(123456)
    '$1,234.56'
    """
    return f"${cents // 100:,}.{cents % 100:02d}"


def reachable(host: str) -> str:
    """The address to call a server by that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
