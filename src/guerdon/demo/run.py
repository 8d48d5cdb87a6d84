"""The demo from start to Ctrl-C: database, project, import, server, replay."""

import asyncio
import os
import threading
from datetime import date, datetime

import msgspec
from rich.console import Console
from rich.progress import Progress

from guerdon import installation, serving
from guerdon.demo import offers, shop, show, store
from guerdon.demo.club.days import NightsBeside
from guerdon.demo.club.recent import open_club
from guerdon.demo.dataset import REPLAY_DAY, ZONE, Basket, Dataset, open_dataset
from guerdon.demo.importing import Import
from guerdon.demo.making import make_promotions
from guerdon.demo.plan import Visit, plan_day
from guerdon.demo.replay import Result, replay
from guerdon.kit import clock, db
from guerdon.pages import demo_file
from guerdon.pages.demo_file import DemoFile
from guerdon.projects.bootstrap import (
    ManagementCredentials,
    add_management_key,
    create_project,
    revoke_key,
)
from guerdon.settings import Settings

PROJECT = "Corner shop"


def run_demo(settings: Settings, *, again: bool = False) -> None:
    """Run the demo until it is stopped; `again` replays the day once more.

    Raises `DatasetMissing` before anything is started.
    """
    console = Console()
    dataset = open_dataset()
    show.greet(console)
    os.environ["GUERDON_DEMO"] = "true"  # the server's processes read it
    with installation.database(settings) as ready:
        installation.bring_up_to_date(ready)
        prepared = asyncio.run(_prepare(ready, dataset, console, again))
        stop = threading.Event()
        live = _WhenLive(ready, prepared, console, stop)
        try:
            serving.run(ready, on_live=live.start)
        finally:
            stop.set()
            live.join()
            show.bye(console)


class Prepared(msgspec.Struct):
    """The project, what is left to replay, and a key to make the promotions with while there are none."""

    file: DemoFile
    visits: list[Visit]
    management: ManagementCredentials | None


async def _prepare(settings: Settings, dataset: Dataset, console: Console, again: bool) -> Prepared:
    pool = await db.open_pool(settings.database_url, size=2)
    try:
        file = await _project(pool, settings)
        management = None if file.promotions else await add_management_key(pool, file.project_id, "demo")
        with show.progress(console) as bars:
            work = Import(pool, file.project_id, dataset, _today(), show.Bars(bars))
            fresh = await work.run()
            await _open_club(settings, pool, file, work.mark.moved_to, bars, console)
            if not fresh and file.baskets and file.shelf and file.replays and not again:
                return Prepared(file, [], management)
            at = offers.midnight(work.mark.moved_to, ZONE)
            held = await store.held_codes(pool, file.project_id)
            day = list(dataset.baskets(REPLAY_DAY, REPLAY_DAY))
            await asyncio.to_thread(_stock_shop, file, dataset, day, held, work, at)
            demo_file.write(settings.data_path, file)
            visits = plan_day(day, dataset.products(), held, at, file.replays + 1)
            if file.replays and not again:
                visits = []
        return Prepared(file, visits, management)
    finally:
        await pool.close()


async def _open_club(
    settings: Settings, pool: db.Pool, file: DemoFile, today: date, bars: Progress, console: Console
) -> None:
    bar = show.Bars(bars)
    try:
        await open_club(settings, pool, file, today, lambda done, days: bar("Days of the club", done, days))
    except NightsBeside:
        show.no_club(console)


def _stock_shop(
    file: DemoFile,
    dataset: Dataset,
    day: list[Basket],
    held: list[store.HeldCode],
    work: Import,
    at: datetime,
) -> None:
    file.baskets = shop.shop_baskets(dataset, day, held, work.moved, at)
    file.offers = shop.shop_offers(at)
    file.mistyped = offers.MISTYPED
    file.delivery = shop.DELIVERY
    file.shelf = shop.shelf(dataset, day)


async def _project(pool: db.Pool, settings: Settings) -> DemoFile:
    """The project of the last start if this database has it, else a new one."""
    found = demo_file.read(settings.data_path)
    if found is not None and await store.key_works(pool, found.app_id, found.project_id):
        return found
    async with db.transaction(pool) as conn:
        made = await create_project(conn, PROJECT, ZONE.key, "USD")
        file = DemoFile(made.project_id, made.app_id, made.app_token, ZONE.key)
        demo_file.write(settings.data_path, file)  # before the commit: a key nobody knows would be lost
    return file


async def _revoke(settings: Settings, project_id: str, management: ManagementCredentials) -> None:
    pool = await db.open_pool(settings.database_url, size=1)
    try:
        await revoke_key(pool, project_id, management.management_id)
    finally:
        await pool.close()


def _today() -> date:
    return clock.process_now().astimezone(ZONE).date()


class _WhenLive:
    """What happens once the server answers: the replay, on a thread of its own, and the last words."""

    def __init__(
        self, settings: Settings, prepared: Prepared, console: Console, stop: threading.Event
    ) -> None:
        self.settings = settings
        self.prepared = prepared
        self.console = console
        self.stop = stop
        self.thread = threading.Thread(target=self._run, name="replay")

    @property
    def address(self) -> tuple[str, int]:
        return show.reachable(self.settings.host), self.settings.port

    def start(self) -> None:
        self.thread.start()

    def join(self) -> None:
        if self.thread.is_alive():
            self.thread.join(timeout=10)

    def _run(self) -> None:
        file = self.prepared.file
        try:
            self._make_promotions()
        except Exception as problem:
            show.making_failed(self.console, problem)
        if self.prepared.visits:
            try:
                result = self._replay()
            except Exception as problem:
                show.replay_failed(self.console, problem)
            else:
                if self.stop.is_set():
                    return
                show.result(self.console, result)
                file.replays += 1
                demo_file.write(self.settings.data_path, file)
        show.ready(self.console, self.settings, file)

    def _make_promotions(self) -> None:
        file, management = self.prepared.file, self.prepared.management
        if management is None:
            return
        made = make_promotions(self.address, file, management)
        file.promotions, file.names = made.promotions, made.names
        demo_file.write(self.settings.data_path, file)
        asyncio.run(_revoke(self.settings, file.project_id, management))

    def _replay(self) -> Result:
        file = self.prepared.file
        headers = {
            "X-App-Id": file.app_id, "X-App-Token": file.app_token, "Content-Type": "application/json",
        }  # fmt: skip
        with show.progress(self.console) as bars:
            task = bars.add_task("Replaying a Saturday", total=len(self.prepared.visits))
            return replay(
                self.address,
                headers,
                self.prepared.visits,
                [one.id for one in file.promotions],
                lambda: bars.advance(task),
                self.stop,
            )
