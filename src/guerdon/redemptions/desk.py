"""The desk: where requests queue for a batch. One lane writes, one validates, each on a connection of its own."""

import asyncio

from guerdon.kit import db
from guerdon.kit.call import Reply
from guerdon.kit.lane import Doubt, Lane, still
from guerdon.kit.log import get_logger
from guerdon.redemptions.asks import Ask, RedeemAsk, RollbackAsk
from guerdon.redemptions.batch import CommitInDoubt, read_batch, write_batch
from guerdon.redemptions.memory import Memory
from guerdon.redemptions.validated import Validated
from guerdon.settings import Settings

logger = get_logger()


class Desk:
    """One a process. Every answer leaves after the commit that made it true."""

    def __init__(self, dsn: str, settings: Settings, pool: db.Pool | None = None) -> None:
        self._dsn = dsn
        self._pool = pool
        self._batches = 0
        self._analyzing: asyncio.Task[None] | None = None
        self._guesses = settings.code_guesses_per_minute
        self.memory = Memory()
        self.validated = Validated(pool)
        self._doubt: Doubt | None = None
        self._write_conn: db.Connection | None = None
        self._read_conn: db.Connection | None = None
        size = {"batch": settings.writer_batch, "queue": settings.writer_queue}
        self._writer: Lane[Ask, Reply] = Lane("writer", self._write, **size)
        self._reader: Lane[RedeemAsk, Reply] = Lane("reader", self._read, **size)

    async def write(self, ask: RedeemAsk | RollbackAsk) -> Reply:
        """Redeem, or take back."""
        return await self._writer.ask(ask.caller.project_id, ask)

    async def validate(self, ask: RedeemAsk) -> Reply:
        """What a redemption would do, without doing it."""
        return await self._reader.ask(ask.caller.project_id, ask)

    async def close(self) -> None:
        """Answer what is under way, then hang up."""
        await asyncio.gather(self._writer.idle(), self._reader.idle())
        if self._analyzing is not None:
            await self._analyzing
        await self.validated.close()
        for conn in (self._write_conn, self._read_conn):
            if conn is not None:
                await conn.close()

    def _keep_statistics(self) -> None:
        """After the 1st, 2nd, 4th, … 1024th batch: from then on autovacuum is quick enough."""
        self._batches += 1
        young = self._batches <= 1024 and self._batches.bit_count() == 1
        if young and self._pool is not None and (self._analyzing is None or self._analyzing.done()):
            self._analyzing = asyncio.create_task(_analyze(self._pool))

    async def _write(self, project_id: str, asks: list[Ask]) -> list[Reply | Exception]:
        self._keep_statistics()
        conn = self._write_conn = await self._alive(self._write_conn)
        self._doubt = still(self._doubt, asks)
        try:
            replies = await write_batch(conn, project_id, asks, self.memory, self._guesses, self._doubt)
            self.validated.count(project_id, asks)
            return replies
        except db.ConnectionLost as lost:
            if isinstance(lost, CommitInDoubt):
                self._doubt = lost.doubt
            conn.terminate()  # it may not know yet that it is lost
            raise

    async def _read(self, project_id: str, asks: list[RedeemAsk]) -> list[Reply | Exception]:
        conn = self._read_conn = await self._alive(self._read_conn)
        try:
            replies = await read_batch(conn, project_id, asks, self.memory, self._guesses)
            self.validated.count(project_id, asks)
            return replies
        except db.ConnectionLost:
            conn.terminate()
            raise

    async def _alive(self, conn: db.Connection | None) -> db.Connection:
        """The lane's connection, or a new one where that was lost."""
        if conn is not None and not conn.is_closed():
            return conn
        return await db.connect(self._dsn, db.HOT)


async def _analyze(pool: db.Pool) -> None:
    try:
        await db.analyze_young_tables(pool)
    except Exception as error:  # it is only slower without
        logger.info("no statistics", error=repr(error))
