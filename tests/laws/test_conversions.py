"""No sequence of conversions gains value, and after every step of any history the books add up (G-12)."""

import itertools
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from api.conftest import client_for

from guerdon.app import App
from guerdon.projects.bootstrap import create_project

from .value_shop import Shop

PROVING = os.environ.get("GUERDON_PROVE") == "1"
SHORT, LONG = (1_500, 60) if PROVING else (16, 2)
MOST = 6
STEPS = 60 if PROVING else 30


@asynccontextmanager
async def opened(app: App, seed: int) -> AsyncIterator[Shop]:
    """A shop of its own."""
    assert app.state is not None
    async with client_for(app, await create_project(app.state.pool, f"shop {seed}")) as client:
        shop = Shop(client, seed)
        await shop.open()
        yield shop


async def walk(shop: Shop, names: Sequence[str], patience: float) -> None:
    """Do these; jobs have run before the next one at times only, and the books are looked at every time."""
    for name in names:
        await shop.act(name)
        assert await shop.books() == [], shop.told()
        if shop.chance.random() < patience:
            await shop.work()
            assert await shop.books() == [], shop.told()
            assert await shop.gained() <= 0, shop.told()
    await shop.work()
    assert await shop.books() == [], shop.told()
    assert await shop.gained() <= 0, shop.told()


async def wind_down(shop: Shop) -> None:
    """All goods come back: what is left is what the shop gave for nothing, or less."""
    for order in {one["id"]: one for one in shop.orders}.values():
        await shop.try_to("PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await shop.work()
    assert await shop.books() == [], shop.told()
    assert await shop.gained() <= 0, shop.told()


@pytest.mark.parametrize("seed", range(SHORT))
async def test_no_few_conversions_gain_anything(app: App, seed: int) -> None:
    chance = random.Random(seed)
    async with opened(app, seed) as shop:
        names = list(shop.acts())
        await walk(shop, [chance.choice(names) for _ in range(MOST)], chance.choice([0.3, 1.0]))
        await wind_down(shop)


@pytest.mark.parametrize("first", ["earn", "spend", "buy a card", "refer"])
async def test_no_two_conversions_gain_anything(app: App, first: str) -> None:
    """Every pair behind each way to begin, one after the other in one shop: in full size each in a shop of its own."""
    async with opened(app, len(first)) as shop:
        pairs = list(itertools.product(shop.acts(), repeat=2))
        if not PROVING:
            pairs = shop.chance.sample(pairs, k=6)
        for pair in pairs:
            await walk(shop, [first, *pair], 1.0)
        await wind_down(shop)


@pytest.mark.parametrize("seed", range(LONG))
async def test_a_long_history_adds_up_at_every_step(app: App, seed: int) -> None:
    chance = random.Random(1_000 + seed)
    async with opened(app, 1_000 + seed) as shop:
        names = [*shop.acts(), "erase"]
        await walk(shop, [chance.choice(names) for _ in range(STEPS)], 0.7)
        await wind_down(shop)
