"""`guerdon demo --year`: the club over the whole year of real baskets, on their own dates, and what it came to.

The year has a database of its own, for the nights of a worker beside it would let everything lapse that is years old.
"""

import asyncio
from collections.abc import Collection
from datetime import date

import msgspec
import uvloop
from rich.console import Console

from guerdon import installation
from guerdon.demo import show
from guerdon.demo import store as imports
from guerdon.demo.club import show as telling
from guerdon.demo.club.days import Days, NightsBeside, Tell
from guerdon.demo.club.inside import make_inside
from guerdon.demo.club.past import Past, add_households
from guerdon.demo.club.program import making
from guerdon.demo.dataset import ZONE, Dataset, open_dataset
from guerdon.kit import clock, db
from guerdon.pages import club as figures
from guerdon.pages import demo_file
from guerdon.pages.club import Figures, Mark
from guerdon.pages.demo_file import DemoFile
from guerdon.projects.bootstrap import create_project
from guerdon.settings import Settings
from guerdon.verify import verify

FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)
FOLDER = "year"


def run_year(settings: Settings, *, seed: int = 1) -> bool:
    """Run what is left of the year, tell of it, and leave it for the shop's page; whether `verify` found nothing.

    Raises `DatasetMissing` before anything is started.
    """
    console, dataset = Console(), open_dataset()
    folder = settings.data_path / FOLDER
    own = msgspec.structs.replace(settings, data_dir=str(folder)) if settings.embedded else settings
    show.greet(console)
    with installation.database(own) as ready:
        installation.bring_up_to_date(ready)
        began = clock.monotonic()
        try:
            year = uvloop.run(
                _run(msgspec.structs.replace(ready, data_dir=str(folder)), dataset, console, seed)
            )
        except KeyboardInterrupt:
            telling.stopped(console)
            raise
        except NightsBeside:
            telling.beside(console)
            return False
        figures.write_year(settings.data_path, year)
        telling.year(console, year, clock.monotonic() - began)
        results = asyncio.run(verify(ready.database_url))
    return telling.verified(console, results)


async def _run(settings: Settings, dataset: Dataset, console: Console, seed: int) -> Figures:
    pool = await db.open_pool(settings.database_url, size=2)
    try:
        file = await _project(pool, settings, seed)
        with show.progress(console) as bars:
            bar = show.Bars(bars)
            return await a_year(
                settings,
                pool,
                file,
                dataset,
                Mark(FIRST, LAST, seed),
                lambda done, days: bar("Days", done, days),
            )
    finally:
        await pool.close()


async def a_year(
    settings: Settings,
    pool: db.Pool,
    file: DemoFile,
    dataset: Dataset,
    mark: Mark,
    tell: Tell,
    only: Collection[int] | None = None,
) -> Figures:
    """The days of a mark, or those that are left of them where they were begun; `only` these households."""
    project_id = file.project_id
    mark = await figures.read_mark(pool, project_id) or mark
    if mark.club is None:
        await add_households(pool, project_id, dataset, mark.first, only)
        mark.club = await make_inside(settings, file.app_id, file.app_token, making())
        await figures.write_mark(pool, project_id, mark)
    if mark.taken != mark.last:
        customers = await imports.ids_of_customers(pool, project_id)
        bring = Past(project_id, dataset, customers, (mark.done or mark.first, mark.last), only)
        await Days(pool, project_id, ZONE, mark, tell).run(bring)
    return await figures.figures(pool, project_id, mark.club, ZONE, mark.first, mark.last)


async def _project(pool: db.Pool, settings: Settings, seed: int) -> DemoFile:
    """The project of a year that was begun with this seed, else a new one."""
    found = demo_file.read(settings.data_path)
    if found is not None and await imports.key_works(pool, found.app_id, found.project_id):
        mark = await figures.read_mark(pool, found.project_id)
        if mark is None or mark.seed == seed:
            return found
    async with db.transaction(pool) as conn:
        made = await create_project(conn, "A year at the corner shop", ZONE.key, "USD")
        file = DemoFile(made.project_id, made.app_id, made.app_token, ZONE.key)
        demo_file.write(settings.data_path, file)
    return file
