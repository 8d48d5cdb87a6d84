"""What an operator's machines ask: does the process live, may it get traffic, how is it doing."""

from typing import Any

from guerdon.kit import clock, db, metrics
from guerdon.kit.call import Call, Reply, Route

DURABILITY = (
    "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')"
)
APPLIED = "select count(*) from schema_migrations"

CHECK_EVERY = 1.0


async def live(call: Call) -> dict[str, Any]:
    """The process answers; the database is not asked."""
    return {"live": True}


async def prometheus(call: Call) -> Reply:
    """Figures in Prometheus' text format."""
    return Reply(metrics.exposition())


class Readiness:
    """Whether this process may get traffic: database there, migrated, durable. Asked at most once a second."""

    def __init__(self, migrations: int) -> None:
        self._migrations = migrations
        self._checked = 0.0
        self._problem: str | None = None

    async def ready(self, call: Call) -> Reply:
        """200 when requests can be answered, else 503 with the reason."""
        problem = await self._look(call)
        if problem is None:
            return Reply({"ready": True})
        return Reply({"ready": False, "reason": problem}, 503, {"Retry-After": "1"})

    async def _look(self, call: Call) -> str | None:
        if clock.monotonic() - self._checked > CHECK_EVERY:
            self._problem = await self._ask(call)
            self._checked = clock.monotonic()
        return self._problem

    async def _ask(self, call: Call) -> str | None:
        try:
            applied = await db.value(call.db, APPLIED)
            settings = {r["name"]: r["setting"] for r in await db.records(call.db, DURABILITY)}
        except Exception as error:  # whatever it is, we are not ready, and the caller is told the kind
            return f"the database does not answer ({type(error).__name__})"
        if applied < self._migrations:
            return f"{self._migrations - applied} migrations are missing: run `guerdon migrate`"
        off = sorted(name for name, setting in settings.items() if setting == "off")
        if off and call.state.settings.require_durability:
            return f"durability is switched off: {', '.join(off)}"
        return None


def routes(migrations: int) -> list[Route]:
    """/live, /ready and /metrics; `migrations` is how many must have been applied."""
    readiness = Readiness(migrations)
    return [
        Route(method="GET", path="/live", handler=live, tag="Health", access="public"),
        Route(method="GET", path="/ready", handler=readiness.ready, tag="Health", access="public"),
        Route(
            method="GET", path="/metrics", handler=prometheus, tag="Health", access="public", media_type="text/plain; version=0.0.4"
        ),
    ]  # fmt: skip
