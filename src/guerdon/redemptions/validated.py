"""How often campaigns were validated: counted in memory and added to the database every few seconds, so that a
validation writes nothing. A process that is killed takes the counts of its last seconds with it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date

from guerdon.engine import Decision
from guerdon.kit import db
from guerdon.kit.log import get_logger
from guerdon.redemptions.asks import Ask, RedeemAsk
from guerdon.redemptions.gather import Seen

SECONDS = 5.0

# Campaigns that are gone are left out; in the order of the key, so that processes wait for one another in turn.
ADD = """
    insert into campaign_validations (project_id, campaign_id, day, succeeded, failed)
    select w.project_id, w.campaign_id, w.day, w.succeeded, w.failed
    from unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::bigint[])
        as w (project_id, campaign_id, day, succeeded, failed)
    join campaigns c on c.project_id = w.project_id and c.id = w.campaign_id
    order by w.project_id, w.campaign_id, w.day
    on conflict (project_id, campaign_id, day) do update
    set succeeded = campaign_validations.succeeded + excluded.succeeded,
        failed = campaign_validations.failed + excluded.failed
"""

Key = tuple[str, str, date]
logger = get_logger()


def verdicts(seen: Seen, decision: Decision) -> tuple[date, list[tuple[str, bool]]]:
    """What a validation is counted as: each redeemable for its campaign, on the project's day."""
    outcomes = ((one.redeemable.campaign_id, one.status == "APPLICABLE") for one in decision.outcomes)
    day = seen.now.astimezone(seen.zone).date()
    return day, [(campaign_id, holds) for campaign_id, holds in outcomes if campaign_id is not None]


class Validated:
    """The counts of one process that are not written yet."""

    def __init__(self, pool: db.Pool | None) -> None:
        self._pool = pool
        self._counts: dict[Key, list[int]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, project_id: str, asks: Sequence[Ask]) -> None:
        """Count the validations among requests that were answered."""
        if self._pool is None:
            return
        for ask in asks:
            if not isinstance(ask, RedeemAsk) or ask.validated is None:
                continue
            day, verdicts = ask.validated
            for campaign_id, holds in verdicts:
                counts = self._counts.setdefault((project_id, campaign_id, day), [0, 0])
                counts[0 if holds else 1] += 1
        if self._counts and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._later())

    async def flush(self) -> None:
        """Write what was counted; what cannot be written is kept for the next time."""
        counts, self._counts = self._counts, {}
        if not counts or self._pool is None:
            return
        try:
            await _add(self._pool, counts)
        except Exception as error:
            logger.warning("validations could not be counted", error=repr(error))
            for key, (succeeded, failed) in counts.items():
                kept = self._counts.setdefault(key, [0, 0])
                kept[0] += succeeded
                kept[1] += failed

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.flush()

    async def _later(self) -> None:
        while self._counts:
            await asyncio.sleep(SECONDS)
            await asyncio.shield(self.flush())


async def _add(pool: db.Pool, counts: Mapping[Key, Sequence[int]]) -> None:
    keys = sorted(counts)
    columns = [[key[place] for key in keys] for place in range(3)]
    sums = [[counts[key][place] for key in keys] for place in range(2)]
    await db.execute(pool, ADD, *columns, *sums)
