"""The `guerdon` command: reads its words and settings, and hands on."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from guerdon import __version__, installation, serving
from guerdon.kit import db, log
from guerdon.kit.errors import ApiError
from guerdon.kit.migrate import MigrationError
from guerdon.kit.postgres_binaries import PostgresError
from guerdon.settings import Settings, SettingsError, load_settings

app = cyclopts.App(name="guerdon", version=__version__, help="The engine for promotions and loyalty.")
out = Console()
err = Console(stderr=True)

BAD_SETTINGS = 2
COLOURS = {"ok": "green", "info": "blue", "warn": "yellow", "fail": "red"}

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]


@app.command
def serve(*, processes: int | None = None, worker: bool | None = None, migrate: bool = False) -> None:
    """Answer requests, and run the worker beside it.

    Parameters
    ----------
    processes
        Server processes (GUERDON_PROCESSES).
    worker
        Run the worker too (GUERDON_WORKER_IN_SERVE).
    migrate
        Apply missing migrations first; the embedded database always gets them.
    """
    changes = {"processes": processes, "worker_in_serve": worker}
    settings = _settings(**{name: value for name, value in changes.items() if value is not None})
    with installation.database(settings) as ready:
        if migrate or settings.embedded:
            installation.bring_up_to_date(ready)
        elif missing := _missing(ready):
            err.print(f"[yellow]Migrations are missing ({', '.join(missing)}); run: guerdon migrate[/]")
        serving.run(ready)


@app.command
def worker() -> None:
    """Run background jobs only."""
    with installation.database(_settings()) as ready:
        sys.exit(serving.work(ready))


@app.command
def migrate() -> None:
    """Bring the database to the schema of this release."""
    with installation.database(_settings()) as ready:
        applied = installation.bring_up_to_date(ready)
    for name in applied:
        out.print(f"applied {name}")
    out.print("The schema is up to date.")


@app.command
def bootstrap(
    *, name: str = "My project", timezone: str = "UTC", currency: str = "USD", json: AsJson = False
) -> None:
    """Make a project with its first server key and management key. Their tokens are shown this once.

    Parameters
    ----------
    name
        Name of the project.
    timezone
        IANA name of the zone in which the project's days and hours are meant.
    currency
        ISO 4217 code of its amounts.
    """
    from guerdon.projects.bootstrap import add_management_key, create_project

    async def make(dsn: str) -> dict[str, str]:
        conn = await db.connect(dsn)
        try:
            async with conn.transaction():
                project = await create_project(conn, name, timezone, currency)
                management = await add_management_key(conn, project.project_id)
                return msgspec.structs.asdict(project) | msgspec.structs.asdict(management)
        finally:
            await conn.close()

    with installation.database(_settings()) as ready:
        installation.bring_up_to_date(ready)
        made = asyncio.run(make(ready.database_url))
    address = f"http://{ready.host}:{ready.port}"
    if json:
        print(msgspec.json.encode(made | {"address": address}).decode())
        return
    out.print(
        f"Project {made['project_id']} ({name}, {timezone}). Keep the tokens, they are not shown again:",
        highlight=False,
    )
    print(f"X-App-Id: {made['app_id']}\nX-App-Token: {made['app_token']}")
    print(f"X-Management-Id: {made['management_id']}\nX-Management-Token: {made['management_token']}")


@app.command
def demo(*, again: bool = False, year: bool = False, seed: int = 1) -> None:
    """A project with real purchases in ./.guerdon, server and worker, with nothing to set up.

    Parameters
    ----------
    again
        Replay the day of baskets once more.
    year
        No server: run the loyalty club over a year of baskets, and print what it comes to.
    seed
        What the year's draws begin with: the same seed makes the same year.
    """
    from guerdon.demo.club.year import run_year
    from guerdon.demo.dataset import DatasetMissing
    from guerdon.demo.run import run_demo

    settings = _settings(log_format="text", log_level="warning")
    try:
        if year:
            sys.exit(not run_year(settings, seed=seed))
        run_demo(settings, again=again)
    except DatasetMissing as problem:
        err.print(f"guerdon: {problem}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command
def doctor(*, json: AsJson = False) -> None:
    """Say what is wrong with this installation and how to mend it; exit code 1 when something is."""
    from guerdon.doctor import Finding, examine

    try:
        found = examine(_settings())
    except SettingsError as problem:
        found = [Finding("settings", "fail", str(problem), "See docs/operate/settings.md.")]
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        for finding in found:
            out.print(f"[{COLOURS[finding.level]}]{finding.level:<4}[/] {finding.check}: ", end="")
            out.print(finding.says, markup=False, highlight=False, soft_wrap=True)
            if finding.mend:
                out.print(f"     → {finding.mend}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(any(finding.level == "fail" for finding in found))


@app.command
def verify(*, json: AsJson = False, after: str = "") -> None:
    """Check that the books agree, every entry of every card among them; exit code 1 when they do not.

    Parameters
    ----------
    after
        PROJECT/CARD where a run was stopped: goes on behind that card, and checks cards alone.
    """
    from guerdon.verify import verify as check

    project_id, _, card_id = after.partition("/")
    with installation.database(_settings()) as ready, _card_bar() as told:
        place = (project_id, card_id) if after else None
        results = asyncio.run(check(ready.database_url, after=place, progress=told))
    if json:
        print(msgspec.json.encode(results, enc_hook=str).decode())
    else:
        for result in results:
            outcome = "[green]ok[/]  " if result.holds else "[red]fail[/]"
            out.print(
                f"{outcome} {result.project_id} {result.invariant}: {result.says}",
                highlight=False,
                soft_wrap=True,
            )
            for row in result.rows:
                out.print(f"     {row}", markup=False, soft_wrap=True)
            if result.more:
                out.print(f"     and {result.more} more")
    sys.exit(not all(result.holds for result in results))


@app.command
def retry(*kinds: str) -> None:
    """Have jobs that were given up tried again, from where they stood; all of them, or those of some kinds.

    Parameters
    ----------
    kinds
        Such as `loyalty.earn`; `guerdon doctor` names those that were given up.
    """
    from guerdon.kit import db, given_up
    from guerdon.kit.jobs import Mourned
    from guerdon.worker import jobs

    async def again(dsn: str) -> int:
        conn = await db.connect(dsn)
        try:
            mourned = [kind for kind, handler in jobs().items() if isinstance(handler, Mourned)]
            return await given_up.try_again(conn, kinds, mourned)
        finally:
            await conn.close()

    with installation.database(_settings()) as ready:
        count = asyncio.run(again(ready.database_url))
    out.print(f"{count} jobs are in the queue again" if count != 1 else "1 job is in the queue again")


@contextlib.contextmanager
def _card_bar() -> Iterator[Callable[[str, str, int, int], None]]:
    """A bar for the cards that were read; whoever stops it is told where to go on."""
    last = ""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as bar:  # fmt: skip
        tasks: dict[str, TaskID] = {}

        def tell(project_id: str, card_id: str, done: int, whole: int) -> None:
            nonlocal last
            last = f"{project_id}/{card_id}"
            if project_id not in tasks:
                tasks[project_id] = bar.add_task(f"cards of {project_id}", total=whole)
            bar.update(tasks[project_id], completed=done)

        try:
            yield tell
        except KeyboardInterrupt:
            if last:
                err.print(f"Stopped; go on with: guerdon verify --after {last}", markup=False, soft_wrap=True)
            raise


@app.command
def openapi(*, output: Path | None = None) -> None:
    """Print the OpenAPI document.

    Parameters
    ----------
    output
        A file to write it to instead.
    """
    from guerdon.app import described

    content = described().openapi_schema.to_schema()
    document = msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    if output is None:
        print(document)
    else:
        output.write_text(document + "\n", encoding="utf-8")


def _settings(**changes: object) -> Settings:
    settings = load_settings()
    changed = msgspec.structs.replace(settings, **changes)
    # replace() does not look at the values
    try:
        msgspec.convert(msgspec.structs.asdict(changed), Settings)
    except msgspec.ValidationError as problem:
        raise SettingsError(f"An option is not right: {problem}") from problem
    log.configure(changed.log_level, changed.log_format)
    return changed


def _missing(settings: Settings) -> list[str]:
    """Missing migrations; none when the database does not answer, for the servers wait for it."""
    try:
        return installation.missing_migrations(settings)
    except db.ConnectionLost:
        return []


@contextlib.contextmanager
def _mistakes_in_words() -> Iterator[None]:
    """Print what an operator can mend as a sentence, without a trace."""
    try:
        yield
    except BrokenPipeError:  # `guerdon openapi | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SettingsError as problem:
        err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        sys.exit(BAD_SETTINGS)
    except ApiError as problem:
        faults = "; ".join(f"{fault.path} {fault.message}" for fault in problem.faults or [])
        err.print(f"guerdon: {problem} {faults}".rstrip(), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except (
        PostgresError,
        MigrationError,
        serving.ServingError,
        db.DatabaseError,
        *db.ConnectionLost,
    ) as problem:
        what = str(problem) or type(problem).__name__
        err.print(
            f"guerdon: {what} (guerdon doctor may tell more)", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> None:
    """Entry point of the `guerdon` script."""
    with _mistakes_in_words():
        app()
