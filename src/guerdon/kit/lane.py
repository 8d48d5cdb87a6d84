"""A lane carries requests in batches, by nature: while one batch is under way the next one gathers, and leaves
when the first has arrived. There is no timer, so a lonely request waits for nobody, and under load the cost of a
transaction is shared by as many as came meanwhile.

A batch holds one project's requests. What a batch does is its owner's; that one request cannot fail its
neighbours is the lane's: a batch that fails as a whole is run again, then one by one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from guerdon.kit import clock, db, metrics
from guerdon.kit.errors import unavailable
from guerdon.kit.log import get_logger

logger = get_logger()

Q = TypeVar("Q")
A = TypeVar("A")

TRIES = 3

Run = Callable[[str, list[Q]], Awaitable[list[A | Exception]]]


class Doubt(Struct):
    """A batch whose COMMIT got no answer: ``written`` is something that it wrote, ``answers`` are true if it is there.

    It holds until all of the batch is settled, however often that is tried again, as a whole or one by one.
    """

    requests: Sequence[Any]
    written: Any
    answers: Sequence[Any]

    def is_about(self, requests: Sequence[Any]) -> bool:
        """Whether these are of that batch."""
        known = {id(request) for request in self.requests}
        return all(id(request) in known for request in requests)

    def answers_to(self, requests: Sequence[Any]) -> list[Any]:
        """The answers to some of that batch."""
        found = {id(request): answer for request, answer in zip(self.requests, self.answers, strict=True)}
        return [found[id(request)] for request in requests]


def still(doubt: Doubt | None, requests: Sequence[Any]) -> Doubt | None:
    """The doubt, if it is about these; else nobody waits for its answers any more."""
    return doubt if doubt is not None and doubt.is_about(requests) else None


class Lane(Generic[Q, A]):
    """Requests in, answers out, in the order they came within a project.

    `run` carries out a batch of a project in one transaction and answers each request, with an exception for
    those that failed alone; what it raises undoes the whole batch.
    """

    def __init__(self, name: str, run: Run[Q, A], *, batch: int, queue: int) -> None:
        self.name = name
        self._run = run
        self._batch = batch
        self._limit = queue
        self._waiting: dict[str, deque[tuple[Q, asyncio.Future[A]]]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._size = metrics.BATCH_SIZE.labels(name)
        self._seconds = metrics.BATCH_SECONDS.labels(name)

    async def ask(self, project_id: str, request: Q) -> A:
        """The answer to a request, after the commit that made it true.

        Raises `ApiError` 503 when too many wait already, and whatever the request itself came to.
        """
        if self._count >= self._limit:
            raise unavailable("More requests are waiting than can be answered in time; try again.")
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project_id, deque()).append((request, future))
        self._count += 1
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name=f"lane {self.name}")
        return await future

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                project_id = next(iter(self._waiting))
                queue = self._waiting.pop(project_id)
                taken = [queue.popleft() for _ in range(min(self._batch, len(queue)))]
                if queue:
                    self._waiting[project_id] = queue  # behind the other projects
                self._count -= len(taken)
                # Whoever hung up while waiting gets nothing done.
                alive = [(request, future) for request, future in taken if not future.done()]
                if alive:
                    await self._carry(project_id, alive)
        finally:
            self._task = None

    async def _carry(self, project_id: str, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        started = clock.monotonic()
        requests = [request for request, _ in batch]
        answers = await self._try(project_id, requests)
        self._size.observe(len(batch))
        self._seconds.observe(clock.monotonic() - started)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _try(self, project_id: str, requests: list[Q]) -> list[A | Exception]:
        """Run the batch; again when the database says so; at last one by one, so that only the guilty fail."""
        error: Exception = RuntimeError("not tried")
        for attempt in range(TRIES):
            try:
                return await self._run(project_id, requests)
            except (*db.TryAgain, db.UniqueViolation, *db.ConnectionLost) as problem:
                error = problem
                logger.info("batch again", lane=self.name, attempt=attempt, error=repr(problem))
                if isinstance(problem, db.ConnectionLost) and attempt:
                    await asyncio.sleep(0.05 * 2**attempt)  # a server that is restarting needs a moment
            except Exception as problem:
                error = problem
                break
        if len(requests) == 1:
            return [error]
        logger.warning("batch split", lane=self.name, size=len(requests), error=repr(error))
        if isinstance(error, db.ConnectionLost):
            return [error] * len(requests)
        answers: list[A | Exception] = []
        for request in requests:
            answers.extend(await self._try(project_id, [request]))
        return answers
