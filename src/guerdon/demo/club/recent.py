"""The club of the shop that is open: the last weeks before the replayed Saturday, on baskets that were imported."""

from datetime import date, timedelta

from guerdon.demo.club.days import Days, Tell
from guerdon.demo.club.inside import make_inside
from guerdon.demo.club.program import making
from guerdon.demo.dataset import ZONE
from guerdon.kit import db
from guerdon.pages import club as figures
from guerdon.pages.club import Mark
from guerdon.pages.demo_file import DemoFile
from guerdon.settings import Settings

WEEKS = 8


async def open_club(settings: Settings, pool: db.Pool, file: DemoFile, today: date, tell: Tell) -> None:
    """Make the club, and run its days up to yesterday, as far as they are not done. Raises `NightsBeside`."""
    new = Mark(today - timedelta(weeks=WEEKS), today - timedelta(days=1))
    mark = await figures.read_mark(pool, file.project_id) or new
    if mark.taken == mark.last:
        return
    if mark.club is None:
        mark.club = await make_inside(settings, file.app_id, file.app_token, making())
        await figures.write_mark(pool, file.project_id, mark)
    await Days(pool, file.project_id, ZONE, mark, tell).run()
