"""What is read from the database the newest first, as far as one request looks: codes, and campaigns of codes."""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from guerdon.qualifications import look as looking
from guerdon.qualifications import store
from guerdon.qualifications.filters import Filters
from guerdon.qualifications.look import Look, Offer
from guerdon.qualifications.places import Place
from guerdon.qualifications.scenarios import Scenario
from guerdon.redemptions.drafted import join_campaigns
from guerdon.vouchers.locked import Voucher

CHUNK = 100
"""So many are read at once."""
CODES = 5_000
"""So many of a kind one request looks at; a newest-first page that needs more goes on with its cursor."""


class Source(Struct):
    """How a stream is read: what was made before a place, and what becomes of it."""

    read: Callable[[Place], Awaitable[list[Voucher]]]
    offer: Callable[[Sequence[Voucher]], Awaitable[list[Offer]]]


class Stream:
    """One kind of offer, the newest first. `before` is how far it was read, `more` whether there may be others,
    `bounded` whether there are others that this request will not look at.
    """

    def __init__(self, source: Source, before: Place, most: int) -> None:
        self._source, self._most = source, most
        self.before = before
        self.count = 0
        self.more = True
        self.bounded = False

    async def next(self) -> list[Offer]:
        """The next ones."""
        found = await self._source.read(self.before)
        self.more = len(found) == CHUNK
        if found:
            self.before = (found[-1].created_at, found[-1].id)
        self.count += len(found)
        if self.more and self.count >= self._most:
            self.more, self.bounded = False, True
        return await self._source.offer(found)


class Streams:
    """Several streams, read so that whatever is newer than the `horizon` is known."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.each = streams

    @property
    def horizon(self) -> Place | None:
        """What is older than this may have others before it that were not read; None when all were."""
        return max((one.before for one in self.each if one.more or one.bounded), default=None)

    @property
    def bounded(self) -> bool:
        """Whether there is more than a request looks at, and it stands next."""
        return any(one.bounded and one.before == self.horizon for one in self.each)

    @property
    def more(self) -> bool:
        """Whether there is anything to be read."""
        return any(one.more for one in self.each)

    @property
    def count(self) -> int:
        """How many were read."""
        return sum(one.count for one in self.each)

    async def next(self) -> list[Offer]:
        """Read on where the horizon is."""
        going = [one for one in self.each if one.more]
        return await max(going, key=lambda one: one.before).next() if going else []


def streams(at: Look, scenario: Scenario, filters: Filters, before: Place, most: int) -> Streams:
    """The streams of a scenario; those that the filters rule out are not read."""
    found: list[Stream] = []
    # What of these the customer holds is found among the customer's own.
    standalone = scenario.standalone and filters.may_hold({"holder_role": None})
    holder = at.customer_id if scenario.own else None
    if filters.may_hold({"resource_type": "voucher"}) and (standalone or holder is not None):
        found.append(Stream(_codes(at, holder, standalone), before, most))
    no_code = {"resource_type": "campaign", "code": None, "holder_role": None}
    if scenario.campaigns and filters.may_hold(no_code):
        found.append(Stream(_campaigns(at, filters), before, most))
    return Streams(found)


def _codes(at: Look, holder: str | None, standalone: bool) -> Source:
    project_id = at.seen.project_id

    async def read(before: Place) -> list[Voucher]:
        return await store.codes(at.conn, project_id, holder, before, CHUNK, standalone=standalone)

    async def offer(found: Sequence[Voucher]) -> list[Offer]:
        return await looking.codes(at, _without_drafted(at, found))

    return Source(read, offer)


def _campaigns(at: Look, filters: Filters) -> Source:
    ids = filters.named("campaign_id")

    async def read(before: Place) -> list[Voucher]:
        return await store.campaigns(at.conn, at.seen.project_id, at.customer_id, before, CHUNK, ids)

    async def offer(found: Sequence[Voucher]) -> list[Offer]:
        return await looking.campaigns(at, found)

    return Source(read, offer)


def _without_drafted(at: Look, found: Sequence[Voucher]) -> list[Voucher]:
    """Codes with drafts over them are looked at from the start; those of drafted campaigns need their drafts."""
    drafted = at.seen.drafted
    if drafted is None:
        return list(found)
    kept = [voucher for voucher in found if voucher.code_key not in drafted.codes]
    join_campaigns(drafted, kept)
    return kept
