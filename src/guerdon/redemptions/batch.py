"""One batch: gather, decide, record, commit. A batch of one is what a request alone would be."""

from collections.abc import Collection, Sequence

from guerdon.definitions.changes import hold
from guerdon.kit import db, idempotency
from guerdon.kit.call import Reply
from guerdon.kit.errors import ApiError
from guerdon.kit.lane import Doubt
from guerdon.kit.web import ENCODER
from guerdon.redemptions import redeem, returns, rollback
from guerdon.redemptions.asks import Ask, RedeemAsk, RollbackAsk
from guerdon.redemptions.gather import Seen, gather
from guerdon.redemptions.memory import Memory
from guerdon.redemptions.record import Kept, Writes, record

WRITTEN = "select 1 from redemptions where project_id = $1 and id = $2"


class CommitInDoubt(ConnectionError):
    """The connection was lost while committing."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__("the connection was lost while committing")
        self.doubt = doubt


async def write_batch(
    conn: db.Conn,
    project_id: str,
    asks: Sequence[Ask],
    memory: Memory,
    guesses: int,
    doubt: Doubt | None = None,
) -> list[Reply | Exception]:
    """Carry out redemptions and rollbacks in one transaction; the answers are true when this returns.

    `doubt` is what is left of an earlier try of the same batch, or of one that these were in. Raises `CommitInDoubt`.
    """
    also: set[str] = set()
    while True:
        try:
            return await _write(conn, project_id, asks, memory, guesses, doubt, also)
        except redeem.Unforeseen as tallies:
            also |= tallies.keys


async def _write(
    conn: db.Conn,
    project_id: str,
    asks: Sequence[Ask],
    memory: Memory,
    guesses: int,
    doubt: Doubt | None,
    also: Collection[str],
) -> list[Reply | Exception]:
    redeems = [ask for ask in asks if isinstance(ask, RedeemAsk)]
    rollbacks = [ask for ask in asks if isinstance(ask, RollbackAsk)]
    tx = conn.transaction()
    await tx.start()
    try:
        await hold(conn, project_id)
        seen = await gather(conn, project_id, redeems, rollbacks, memory, lock=True, also=also)
        await returns.know(conn, seen, [ask for ask in rollbacks if isinstance(ask, returns.ReturnAsk)])
        # The earlier try held the locks that are ours now, so it has ended, one way or the other.
        if doubt is not None and await db.value(conn, WRITTEN, project_id, doubt.written) is not None:
            await tx.rollback()
            return doubt.answers_to(asks)
        writes = Writes()
        replies = [_settle(seen, ask, writes, guesses) for ask in asks]
        await record(conn, seen, writes)
    except BaseException:
        if not conn.is_closed():
            await tx.rollback()
        raise
    try:
        await tx.commit()
    except db.ConnectionLost as lost:
        if writes.rows:
            raise CommitInDoubt(Doubt(asks, writes.rows[0].id, replies)) from lost
        raise
    return replies


def _settle(seen: Seen, ask: Ask, writes: Writes, guesses: int) -> Reply | Exception:
    """One request of the batch. A mistake is its own alone; a bug raises, and the lane finds out whose it is."""
    try:
        if ask.key is not None and ask.key in seen.stored:
            stored = idempotency.check_same(seen.stored[ask.key], ask.mark)
            return Reply(stored.body, stored.status, idempotency.replay_headers(stored))
        try:
            reply = _decide(seen, ask, writes, guesses)
        except ApiError as error:
            if ask.key is None or not idempotency.storable(error.status):
                raise
            body = ENCODER.encode(error.body(ask.request_id, ask.path))
            reply = Reply(body, error.status, error.headers)
    except ApiError as error:
        return error
    if ask.key is not None:
        if not (writes.kept and writes.kept[-1].key == ask.key):
            writes.kept.append(Kept(ask.key, ask.mark, reply.status, reply.headers, reply.content))
        seen.stored[ask.key] = idempotency.Stored(reply.status, reply.content, ask.mark, reply.headers)
    return reply


def _decide(seen: Seen, ask: Ask, writes: Writes, guesses: int) -> Reply:
    if isinstance(ask, RedeemAsk):
        return redeem.settle(seen, ask, writes, guesses)
    if isinstance(ask, returns.ReturnAsk):
        return returns.settle(seen, ask, writes)
    assert isinstance(ask, RollbackAsk)
    return rollback.settle(seen, ask, writes)


async def read_batch(
    conn: db.Conn, project_id: str, asks: Sequence[RedeemAsk], memory: Memory, guesses: int
) -> list[Reply | Exception]:
    """Answer validations: the same gathering without locks, the same decision, nothing recorded.

    Each that asks about another instant or brings drafts is decided by itself, on what it sees alone.
    """
    together = [ask for ask in asks if not ask.hypothetical]
    replies = iter(await _read(conn, project_id, together, memory, guesses) if together else ())
    told: list[Reply | Exception] = []
    for ask in asks:
        if not ask.hypothetical:
            told.append(next(replies))
            continue
        try:
            told.extend(await _read(conn, project_id, [ask], memory, guesses))
        except ApiError as error:
            told.append(error)
    return told


async def _read(
    conn: db.Conn, project_id: str, asks: Sequence[RedeemAsk], memory: Memory, guesses: int
) -> list[Reply | Exception]:
    also: set[str] = set()
    while True:
        seen = await gather(conn, project_id, asks, [], memory, lock=False, also=also)
        try:
            return [_told(seen, ask, guesses) for ask in asks]
        except redeem.Unforeseen as tallies:
            also |= tallies.keys


def _told(seen: Seen, ask: RedeemAsk, guesses: int) -> Reply | Exception:
    try:
        return redeem.settle(seen, ask, Writes(), guesses)
    except ApiError as error:
        return error
