"""The club on real baskets: the same seed makes the same year, however often it is stopped, and the books agree."""

from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from guerdon.demo.club import days as club_days
from guerdon.demo.club.days import Days, NightsBeside
from guerdon.demo.club.program import REWARDS, TIERS
from guerdon.demo.club.show import rows
from guerdon.demo.club.taking import draw
from guerdon.demo.club.year import a_year
from guerdon.demo.dataset import ZONE, Dataset, open_dataset
from guerdon.kit import db
from guerdon.pages import chart, club
from guerdon.pages.club import Day, Figures, Mark
from guerdon.pages.club_page import part_of
from guerdon.pages.demo_file import DemoFile
from guerdon.projects.bootstrap import create_project
from guerdon.settings import Settings
from guerdon.verify import verify

FIRST, LAST = date(2017, 3, 22), date(2017, 7, 3)
"""What was earned up to the end of March lapses on 1 July."""
HOUSEHOLDS = 40


class CutOff(Exception):
    """Stands for a kill in the middle."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset()


async def run(pool: db.Pool, url: str, dataset: Dataset, cuts: set[int]) -> tuple[Figures, str]:
    """A quarter of some households, cut off on some days; its figures and project."""
    made = await create_project(pool, "a quarter", ZONE.key, "USD")
    file = DemoFile(made.project_id, made.app_id, made.app_token, ZONE.key)
    some = sorted(dataset.households())[:HOUSEHOLDS]
    settings = Settings(database_url=url)

    def tell(done: int, days: int) -> None:
        assert days == (LAST - FIRST).days + 1
        if done in cuts:
            cuts.remove(done)
            raise CutOff

    while True:
        try:
            mark = Mark(FIRST, LAST)
            return await a_year(settings, pool, file, dataset, mark, tell, set(some)), made.project_id
        except CutOff:
            continue


async def test_the_same_seed_makes_the_same_points_and_the_books_agree(
    fresh_database_url: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await db.open_pool(fresh_database_url, size=2)
    whole, project_id = await run(pool, fresh_database_url, dataset, set())
    # A kill between a day's points and its rewards: the next start takes the rewards.
    take, failing = club_days.take, {5, 60}

    async def killed(*given: object) -> int:
        if len(failing) and (len(seen) + 1) in failing:
            failing.discard(len(seen) + 1)
            raise CutOff
        seen.append(1)
        return await take(*given)  # pyright: ignore

    seen: list[int] = []
    monkeypatch.setattr(club_days, "take", killed)
    parts, _ = await run(pool, fresh_database_url, dataset, {3, 50, 99})
    assert not failing
    assert parts.days == whole.days and parts.months == whole.months
    check(whole)
    broken = [result for result in await verify(fresh_database_url) if not result.holds]
    assert broken == []
    mark = await club.read_mark(pool, project_id)
    assert mark is not None and mark.done == mark.taken == LAST
    await db.execute(
        pool,
        "insert into nights (project_id, night, cutoff) values ($1, $2, now())",
        project_id,
        date(2026, 1, 1),
    )
    with pytest.raises(NightsBeside):
        await Days(pool, project_id, ZONE, mark, lambda *_: None).run()
    await pool.close()


def check(said: Figures) -> None:
    """The figures tell a story that the data can have."""
    assert [month.first.month for month in said.months] == [3, 4, 5, 6, 7]
    assert all(month.proved for month in said.months)
    lapsed = {day.day: day.lapsed for day in said.days if day.lapsed}
    assert set(lapsed) == {date(2017, 7, 1)} and lapsed[date(2017, 7, 1)] > 0
    earned, spent = sum(day.earned for day in said.days), sum(day.spent for day in said.days)
    assert earned - spent - sum(lapsed.values()) == said.days[-1].outstanding > 0
    assert spent >= sum(day.purchases for day in said.days) * min(one.points for one in REWARDS) > 0
    june = said.months[3]
    assert set(june.tiers) == set(TIERS) and 30 < sum(june.tiers.values()) <= HOUSEHOLDS
    assert june.up > 0 and sum(month.baskets for month in said.months) > 500
    assert rows(said)[-1][0] == "all"
    with_tiers = part_of("year", "A year", said)
    assert with_tiers.rows[-1].outstanding in with_tiers.text and "$" in with_tiers.rows[-1].owed


def test_draws_depend_on_the_seed_and_the_basket_alone() -> None:
    assert draw(1, "basket-7") == draw(1, "basket-7") != draw(2, "basket-7") != draw(2, "basket-8")


def test_a_drawing_keeps_to_its_frame_and_its_proportions() -> None:
    first = date(2017, 1, 1)
    days = [Day(first + timedelta(days=n), 1, 10 + n, n % 7, 500 * (n == 180), 0, 10 * n) for n in range(365)]
    for told, width, count in ((days, 1080, 12), (days[:56], 356, 8)):
        drawn = chart.drawing(told, width)
        bars = [bar for bar in drawn.bars if bar.kind == "earned"]
        assert len(bars) == len(list(chart.spans_of(told))) == count
        assert all(drawn.left <= bar.x and bar.x + bar.width <= drawn.right for bar in drawn.bars)
        assert all(bar.y >= 0 and bar.y + bar.height <= drawn.height for bar in drawn.bars)
        sums = [span.earned for span in chart.spans_of(told)]
        assert bars[1].height / bars[-1].height == pytest.approx(sums[1] / sums[-1], rel=0.02)
        highest = min(float(point.split(",")[1]) for point in drawn.line.split())
        assert chart.TOP <= highest < chart.TOP + chart.AREA / 2


def test_nothing_in_a_year_draws_too() -> None:
    drawn = chart.drawing([Day(date(2017, 1, 1))], 356)
    assert drawn.bars == [] and drawn.ticks[-1].text == "1"


def test_the_year_is_left_for_the_page(tmp_path: Path) -> None:
    assert club.read_year(tmp_path) is None
    said = Figures("Club", 2, ["Green"], FIRST, FIRST, [Day(FIRST)], [club.Month(FIRST.replace(day=1))])
    club.write_year(tmp_path, said)
    assert club.read_year(tmp_path) == said
    (tmp_path / club.NAME).write_bytes(msgspec.json.encode({"name": 1}))
    assert club.read_year(tmp_path) is None
