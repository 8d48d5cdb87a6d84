"""The application: the routes of all slices behind the front door, and what they share while they run."""

import asyncio
import functools
import gc
from collections.abc import Sequence
from typing import Any

from litestar import Litestar

from guerdon import __version__
from guerdon.kit import access, db, health, web
from guerdon.kit.auth import Keys
from guerdon.kit.call import Call, Route, State
from guerdon.kit.front import Front
from guerdon.kit.migrate import read_migrations
from guerdon.ledger.desk import LedgerDesk
from guerdon.qualifications.warm import warm
from guerdon.redemptions.desk import Desk
from guerdon.settings import Settings


def routes() -> list[Route]:
    """Every operation there is: the tables of the slices."""
    import guerdon.bulk.api
    import guerdon.campaigns.api
    import guerdon.campaigns.loyalties
    import guerdon.categories.api
    import guerdon.custom_events.api
    import guerdon.customers.api
    import guerdon.erasure.api
    import guerdon.exports.api
    import guerdon.ledger.api
    import guerdon.orders.api
    import guerdon.pages.api
    import guerdon.product_collections.api
    import guerdon.products.api
    import guerdon.promotions.api
    import guerdon.publications.api
    import guerdon.publications.members
    import guerdon.qualifications.api
    import guerdon.redemptions.api
    import guerdon.referrals.api
    import guerdon.schemas.api
    import guerdon.segments.api
    import guerdon.validation_rules.api
    import guerdon.vouchers.api

    return [
        *guerdon.campaigns.api.ROUTES,
        *guerdon.vouchers.api.ROUTES,
        *guerdon.redemptions.api.ROUTES,
        *guerdon.qualifications.api.ROUTES,
        *guerdon.publications.api.ROUTES,
        *guerdon.custom_events.api.ROUTES,
        *loyalty_routes(),
        *guerdon.referrals.api.ROUTES,
        *guerdon.campaigns.loyalties.ROUTES,
        *guerdon.publications.members.ROUTES,
        *guerdon.customers.api.ROUTES,
        *guerdon.erasure.api.ROUTES,
        *guerdon.products.api.ROUTES,
        *guerdon.orders.api.ROUTES,
        *guerdon.categories.api.ROUTES,
        *guerdon.promotions.api.ROUTES,
        *guerdon.schemas.api.ROUTES,
        *guerdon.product_collections.api.ROUTES,
        *guerdon.segments.api.ROUTES,
        *guerdon.validation_rules.api.ROUTES,
        *guerdon.exports.api.ROUTES,
        *guerdon.ledger.api.ROUTES,
        *guerdon.bulk.api.ROUTES,
        *guerdon.pages.api.ROUTES,
        *health.routes(len(read_migrations())),
        Route(method="GET", path="/openapi.json", handler=read_openapi, tag="Health", access="public"),
    ]


def loyalty_routes() -> list[Route]:
    """Those of loyalty, in both of its faces."""
    import guerdon.loyalty.api
    import guerdon.loyalty.benefits_api
    import guerdon.loyalty.cards_api
    import guerdon.loyalty.examine_api
    import guerdon.loyalty.members_api
    import guerdon.loyalty.payments_api
    import guerdon.loyalty.purchases_api
    import guerdon.loyalty.reports_api
    import guerdon.loyalty.v1_api
    import guerdon.loyalty.v1_points_api
    import guerdon.loyalty.v1_rewards_api

    return [
        *guerdon.loyalty.api.ROUTES,
        *guerdon.loyalty.members_api.ROUTES,
        *guerdon.loyalty.purchases_api.ROUTES,
        *guerdon.loyalty.payments_api.ROUTES,
        *guerdon.loyalty.benefits_api.ROUTES,
        *guerdon.loyalty.cards_api.ROUTES,
        *guerdon.loyalty.reports_api.ROUTES,
        *guerdon.loyalty.examine_api.ROUTES,
        *guerdon.loyalty.v1_api.ROUTES,
        *guerdon.loyalty.v1_points_api.ROUTES,
        *guerdon.loyalty.v1_rewards_api.ROUTES,
    ]


@functools.cache
def openapi() -> bytes:
    """The OpenAPI document as JSON; made from the code, so it needs no database."""
    return web.ENCODER.encode(web.document(described()))


async def read_openapi(call: Call) -> Any:
    """This document."""
    return openapi()


class App:
    """An ASGI application that opens what it needs at startup and closes it after the last answer."""

    def __init__(self, settings: Settings, more: Sequence[Route] = ()) -> None:
        self.settings = settings
        self.more = more  # what a benchmark measures beside the real routes
        self.front: Front | None = None
        self.desk: Desk | None = None
        self.ledger: LedgerDesk | None = None
        self.state: State | None = None
        self.warming: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if self.front is None:  # a server that does not speak lifespan, or a test
            await self.start()
        assert self.front is not None
        await self.front(scope, receive, send)

    async def start(self) -> None:
        """Connect, and put the routes together."""
        settings = self.settings
        access.all_requests = settings.access_log
        # Lists are planned for the values asked for: a plan for any value would walk an order in which nothing is found.
        planned = {"plan_cache_mode": "force_custom_plan"}
        pool = await db.open_pool(settings.database_url, size=settings.pool_size, settings=planned)
        self.desk = Desk(settings.database_url, settings, pool)
        self.ledger = LedgerDesk(settings.database_url, settings)
        self.state = State(settings=settings, pool=pool, desk=self.desk, ledger=self.ledger)
        table = [*routes(), *self.more]
        inner = web.build(table, version=__version__)
        self.front = Front(inner, self.state, Keys(pool), table)
        collect_rarely()
        self.warming = asyncio.create_task(warm(pool, self.desk.memory))

    async def stop(self) -> None:
        """Finish what is in flight and hang up."""
        if self.warming is not None:
            self.warming.cancel()
            await asyncio.wait([self.warming])
        if self.desk is not None:
            await self.desk.close()
        if self.ledger is not None:
            await self.ledger.close()
        if self.state is not None:
            await self.state.pool.close()
        access.flush()

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def collect_rarely() -> None:
    """Keep what lives for ever out of the collector's way: a full collection would stop requests for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def create_app(settings: Settings) -> App:
    """What a server runs."""
    return App(settings)


def described() -> Litestar:
    """The application without a database, to make its OpenAPI document from."""
    return web.build(routes(), version=__version__)
